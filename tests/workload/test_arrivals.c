/* Goal: operations begin exactly when, on what and by whom the configuration says.
 * Method: a fake world that serves everything in 2 ms; the history is compared with times
 * computed by hand, key distributions with their law.
 */
#include "tests/workload/fake_world.h"

#define SECOND NS_PER_S

static void test_constant_arrivals_are_exact_and_add_up_no_error(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    struct workload_config config = config_of("w", OPERATION_WRITE);
    config.rate_millionths = 22186047; /* 954 in 43 s */
    config.start_ns = 50 * MS;
    config.clients = 7;
    fake_run(&world, &config, 1, 43 * SECOND + 50 * MS);
    struct history *history = world.records.history;
    assert_int_equal(history->count, 955); /* the last one just before the end */
    for (uint64_t n = 0; n < history->count; n++) {
        __int128 at = 50 * MS + (__int128)n * 1000000000000000 / 22186047;
        assert_int_equal(history->ops[n].invoke_ns, (int64_t)at);
        assert_int_equal(history->ops[n].session, n % 7);
        assert_int_equal(history->ops[n].outcome, OUTCOME_OK);
    }
    assert_int_equal(world.invoked, 955);
    assert_int_equal(world.returned[OUTCOME_OK], 955);
    fake_close(&world);
}

static void test_ten_a_second_from_50ms_issues_600_by_a_minute(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    struct workload_config config = config_of("signups", OPERATION_INSERT);
    config.rate_millionths = 10 * 1000000;
    config.start_ns = 50 * MS;
    fake_run(&world, &config, 1, 60 * SECOND);
    assert_int_equal(world.records.history->count, 600);
    assert_int_equal(op_at(&world, 599)->invoke_ns, 59 * SECOND + 950 * MS);
    assert_string_equal(key_name(&world, op_at(&world, 599)->key), "signups-600");
    fake_close(&world);
}

static void test_rate_per_client_is_multiplied(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    struct workload_config config = config_of("w", OPERATION_WRITE);
    config.rate_per_client_millionths = 10 * 1000000;
    config.clients = 5;
    config.stop_ns = SECOND;
    fake_run(&world, &config, 1, 3 * SECOND);
    assert_int_equal(world.records.history->count, 50);
    assert_int_equal(op_at(&world, 49)->invoke_ns, 980 * MS);
    fake_close(&world);
}

static void test_count_bounds_both_loops(void **state)
{
    (void)state;
    for (int open_loop = 0; open_loop < 2; open_loop++) {
        struct world world;
        fake_open(&world, 1);
        struct workload_config config = config_of("w", OPERATION_WRITE);
        config.rate_millionths = open_loop ? 1000 * 1000000 : 0;
        config.clients = 3;
        config.count = 10;
        config.start_ns = SECOND;
        fake_run(&world, &config, 1, 100 * SECOND);
        assert_int_equal(world.records.history->count, 10);
        assert_int_equal(op_at(&world, 0)->invoke_ns, SECOND);
        fake_close(&world);
    }
}

static void test_poisson_arrivals_have_the_rate_and_the_spread(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 3);
    struct workload_config config = config_of("w", OPERATION_WRITE);
    config.rate_millionths = 100 * 1000000;
    config.arrivals = ARRIVALS_POISSON;
    fake_run(&world, &config, 1, 100 * SECOND);
    struct history *history = world.records.history;
    assert_in_range(history->count, 9600, 10400); /* 4 sigma of Poisson(10,000) */
    size_t below_mean = 0;
    for (size_t i = 1; i < history->count; i++)
        below_mean += history->ops[i].invoke_ns - history->ops[i - 1].invoke_ns < 10 * MS;
    assert_in_range(below_mean * 1000 / history->count, 610, 655); /* 1 - 1/e = 0.632 */
    fake_close(&world);
}

static void test_open_loop_does_not_wait_for_slow_answers(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    struct workload_config config = config_of("w", OPERATION_WRITE);
    config.rate_millionths = 1000 * 1000000; /* one a millisecond, answers take two */
    config.count = 50;
    config.start_ns = 10 * MS;
    fake_run(&world, &config, 1, SECOND);
    uint32_t processes = 0;
    for (size_t i = 0; i < 50; i++) {
        assert_int_equal(op_at(&world, i)->invoke_ns, (int64_t)(10 + i) * MS);
        assert_int_equal(op_at(&world, i)->session, 0);
        if (op_at(&world, i)->process + 1 > processes)
            processes = op_at(&world, i)->process + 1;
        for (size_t j = 0; j < i; j++) /* a process has one operation at a time */
            if (op_at(&world, j)->process == op_at(&world, i)->process)
                assert_true(op_at(&world, j)->return_ns <= op_at(&world, i)->invoke_ns);
    }
    assert_in_range(processes, 2, 3);
    fake_close(&world);
}

static void test_closed_loop_thinks_between_operations(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    struct workload_config config = config_of("w", OPERATION_WRITE);
    config.think_ns = 8 * MS; /* and 2 ms for the answer */
    config.start_ns = 100 * MS;
    fake_run(&world, &config, 1, SECOND);
    assert_int_equal(world.records.history->count, 90);
    for (size_t i = 0; i < 90; i++) {
        assert_int_equal(op_at(&world, i)->invoke_ns, (int64_t)(100 + 10 * i) * MS);
        assert_int_equal(op_at(&world, i)->process, 0);
    }
    fake_close(&world);
}

static void test_sequence_repeats_with_exact_waits(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    struct workload_config config;
    workload_config_default(&config, "s");
    static const struct workload_step steps[] = {{OPERATION_WRITE, 0},
                                                 {0, 50 * MS},
                                                 {OPERATION_READ, 0},
                                                 {OPERATION_READ, 0},
                                                 {0, 20 * MS}};
    config.sequence = steps;
    config.sequence_count = 5;
    config.key_choice = KEYS_OWN;
    config.start_ns = 10 * MS;
    config.count = 6;
    fake_run(&world, &config, 1, SECOND);
    static const struct {
        uint8_t type;
        int64_t at;
    } expected[] = {{HISTORY_WRITE, 10}, {HISTORY_READ, 62},  {HISTORY_READ, 64},
                    {HISTORY_WRITE, 86}, {HISTORY_READ, 138}, {HISTORY_READ, 140}};
    assert_int_equal(world.records.history->count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(op_at(&world, i)->type, expected[i].type);
        assert_int_equal(op_at(&world, i)->invoke_ns, expected[i].at * MS);
    }
    assert_int_equal(value_at(&world, 1), op_at(&world, 0)->token);
    assert_int_equal(value_at(&world, 5), op_at(&world, 3)->token);
    fake_close(&world);
}

static void test_mix_is_drawn_by_its_shares(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    struct workload_config config = config_of("w", OPERATION_WRITE);
    config.mix.ppm[OPERATION_WRITE] = 250000;
    config.mix.ppm[OPERATION_READ] = 700000;
    config.mix.ppm[OPERATION_DELETE] = 50000;
    config.rate_millionths = 1000 * 1000000;
    fake_run(&world, &config, 1, 10 * SECOND);
    uint32_t counts[HISTORY_TYPES] = {0};
    for (size_t i = 0; i < world.records.history->count; i++) counts[op_at(&world, i)->type]++;
    assert_int_equal(world.records.history->count, 10000);
    assert_in_range(counts[HISTORY_WRITE], 2300, 2700);
    assert_in_range(counts[HISTORY_READ], 6800, 7200);
    assert_in_range(counts[HISTORY_DELETE], 410, 590);
    fake_close(&world);
}

/* ---- keys ---- */

/* Counts how often each key number was chosen. */
static void draw_keys(struct workload_config *config, uint32_t *counts, uint32_t keys,
                      uint64_t seed)
{
    struct world world;
    fake_open(&world, seed);
    config->rate_millionths = INT64_C(10000) * 1000000;
    config->count = 40000;
    fake_run(&world, config, 1, 10 * SECOND);
    for (size_t i = 0; i < world.records.history->count; i++) {
        const char *name = key_name(&world, op_at(&world, i)->key);
        assert_memory_equal(name, "w.", 2);
        uint32_t number = (uint32_t)atoi(name + 2);
        assert_true(number < keys);
        counts[number]++;
    }
    fake_close(&world);
}

static void test_uniform_keys_are_even_and_hot_keys_get_80_percent(void **state)
{
    (void)state;
    struct workload_config config = config_of("w", OPERATION_WRITE);
    uint32_t counts[100] = {0};
    config.keys = 100;
    draw_keys(&config, counts, 100, 1);
    for (int i = 0; i < 100; i++) assert_in_range(counts[i], 300, 500);
    uint32_t hot[100] = {0}, sum = 0;
    config.key_choice = KEYS_HOT;
    draw_keys(&config, hot, 100, 1);
    for (int i = 0; i < 20; i++) sum += hot[i];
    assert_in_range(sum, 31500, 32500);
}

static void test_zipfian_keys_follow_the_law(void **state)
{
    (void)state;
    static const int64_t thetas[] = {500000, 990000, 1000000, 1500000};
    for (size_t t = 0; t < sizeof thetas / sizeof *thetas; t++) {
        struct workload_config config = config_of("w", OPERATION_WRITE);
        uint32_t counts[1000] = {0};
        config.keys = 1000;
        config.key_choice = KEYS_ZIPFIAN;
        config.zipf_theta_millionths = thetas[t];
        draw_keys(&config, counts, 1000, 2);
        double total = 0;
        for (int i = 1; i <= 1000; i++) total += det_pow(i, -(double)thetas[t] / 1e6);
        for (int i = 1; i <= 100; i = i * 3) {
            double expected = 40000 * det_pow(i, -(double)thetas[t] / 1e6) / total;
            double slack = 5 * det_sqrt(expected) + 1;
            assert_true(counts[i - 1] > expected - slack && counts[i - 1] < expected + slack);
        }
        uint32_t tail = 0;
        double expected_tail = 0;
        for (int i = 501; i <= 1000; i++) {
            tail += counts[i - 1];
            expected_tail += 40000 * det_pow(i, -(double)thetas[t] / 1e6) / total;
        }
        assert_true(tail > expected_tail - 5 * det_sqrt(expected_tail) &&
                    tail < expected_tail + 5 * det_sqrt(expected_tail));
    }
}

static void test_own_unique_latest_and_fixed_keys(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    struct workload_config configs[4];
    static const char *const names[] = {"own", "unique", "latest", "fixed"};
    static const enum key_choice choices[] = {KEYS_OWN, KEYS_UNIQUE, KEYS_LATEST, KEYS_UNIFORM};
    for (int i = 0; i < 4; i++) {
        configs[i] = config_of(names[i], OPERATION_WRITE);
        configs[i].mix.ppm[OPERATION_WRITE] = configs[i].mix.ppm[OPERATION_READ] = 500000;
        configs[i].key_choice = choices[i];
        configs[i].clients = 3;
        configs[i].rate_millionths = 200 * 1000000;
    }
    configs[2].keys = 10;
    configs[3].key = "the-one";
    configs[0].table = "people";
    fake_run(&world, configs, 4, 10 * SECOND);
    uint32_t made[2] = {0}, young = 0, latest_reads = 0;
    for (size_t i = 0; i < world.records.history->count; i++) {
        const struct history_op *op = op_at(&world, i);
        const char *key = key_name(&world, op->key), *group = key_name(&world, op->client);
        uint32_t number = strrchr(key, '.') ? (uint32_t)atoi(strrchr(key, '.') + 1) : 0;
        if (strcmp(group, "own") == 0) {
            char own[32];
            snprintf(own, sizeof own, "people.%u", op->session);
            assert_string_equal(key, own);
        } else if (strcmp(group, "fixed") == 0) {
            assert_string_equal(key, "the-one");
        } else {
            int latest = strcmp(group, "latest") == 0;
            if (op->type == HISTORY_WRITE) {
                assert_int_equal(number, made[latest]++); /* a new key for every write */
            } else if (latest) {
                assert_true(number + 10 >= made[1] && (number < made[1] || made[1] == 0));
                latest_reads++;
                young += number + 2 >= made[1];
            } else {
                assert_true(number < made[0] || made[0] == 0);
            }
        }
    }
    assert_in_range(young * 100 / latest_reads, 40,
                    70); /* two of ten ages: (1 + 1/2^.99) / H = 51 % */
    fake_close(&world);
}

/* ---- determinism ---- */

static uint64_t fingerprint(uint64_t seed, int64_t delay, bool extra, uint32_t *first_keys)
{
    struct world world;
    fake_open(&world, seed);
    struct workload_config configs[2] = {config_of("w", OPERATION_WRITE),
                                         config_of("x", OPERATION_READ)};
    configs[0].rate_millionths = 300 * 1000000;
    configs[0].arrivals = ARRIVALS_POISSON;
    configs[0].clients = 4;
    configs[0].start_ns = delay;
    configs[1].think_ns = MS;
    fake_run(&world, configs, extra ? 2 : 1, SECOND);
    uint32_t found = 0;
    for (size_t i = 0; i < world.records.history->count && found < 100; i++)
        if (op_at(&world, i)->client == op_at(&world, 0)->client ||
            strcmp(key_name(&world, op_at(&world, i)->client), "w") == 0)
            if (strcmp(key_name(&world, op_at(&world, i)->client), "w") == 0)
                first_keys[found++] =
                    (uint32_t)atoi(key_name(&world, op_at(&world, i)->key) + 2);
    uint64_t hash = kernel_trace_hash(world.kernel);
    fake_close(&world);
    return hash;
}

static void test_same_seed_same_run_and_another_group_shifts_no_draw(void **state)
{
    (void)state;
    uint32_t keys[3][100] = {{0}};
    uint64_t hash = fingerprint(1, 0, false, keys[0]);
    assert_true(fingerprint(1, 0, false, keys[1]) == hash);
    assert_true(fingerprint(1, 0, true, keys[1]) != hash);
    assert_memory_equal(keys[0], keys[1], sizeof keys[0]);
    assert_true(fingerprint(2, 0, false, keys[2]) != hash);
    assert_true(memcmp(keys[0], keys[2], sizeof keys[0]) != 0);
}

static void test_thousand_clients_and_short_runs_are_cheap(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    struct workload_config config = config_of("w", OPERATION_WRITE);
    config.clients = 1000;
    config.rate_per_client_millionths = 10 * 1000000;
    config.stop_ns = SECOND / 2;
    fake_run(&world, &config, 1, SECOND);
    assert_int_equal(world.records.history->count, 5000);
    fake_close(&world);
}

/* ---- configuration ---- */

static void test_settings_that_do_not_go_together_are_named(void **state)
{
    (void)state;
    char why[160];
    struct workload_config good = config_of("w", OPERATION_WRITE);
    static const struct workload_step step = {OPERATION_READ, 0}, wait = {0, MS};
    assert_null(workload_config_check(&good, why, sizeof why));
    struct {
        struct workload_config config;
        const char *part;
    } bad[10];
    for (int i = 0; i < 10; i++) bad[i].config = good;
    bad[0].config.mix.ppm[OPERATION_READ] = 1, bad[0].part = "100%";
    bad[1].config.rate_millionths = bad[1].config.rate_per_client_millionths = 1,
    bad[1].part = "exclude";
    bad[2].config.sequence = &step, bad[2].config.sequence_count = 1,
    bad[2].part = "mix and sequence";
    bad[3].config.rate_millionths = 1, bad[3].config.think_ns = 1, bad[3].part = "think";
    bad[4].config.arrivals = ARRIVALS_POISSON, bad[4].part = "rate";
    bad[5].config.attempt_timeout_ns = 2 * SECOND, bad[5].part = "attempt_timeout";
    bad[6].config.stop_ns = 0, bad[6].part = "stop";
    bad[7].config = config_of("w", OPERATION_RESOLVE), bad[7].part = "second_store";
    bad[8].config.mix.ppm[OPERATION_WRITE] = 0, bad[8].config.sequence = &wait,
    bad[8].config.sequence_count = 1, bad[8].part = "wait";
    bad[9].config.clients = 1000000,
    bad[9].config.rate_per_client_millionths = INT64_C(1000000) * 1000000,
    bad[9].part = "billion";
    for (int i = 0; i < 10; i++) {
        assert_non_null(workload_config_check(&bad[i].config, why, sizeof why));
        assert_non_null(strstr(why, bad[i].part));
    }
}

static void test_every_option_has_a_default_a_doc_and_a_word(void **state)
{
    (void)state;
    for (size_t i = 0; i < workload_options_count; i++) {
        const struct option *option = &workload_options[i];
        assert_non_null(option->name);
        assert_true(strlen(option->doc) > 10);
        assert_true(option->value || (option->flags & OPTION_OPTIONAL));
        assert_true((option->type == OPTION_WORD) == (option->words != NULL));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(option->name, workload_options[j].name);
    }
    struct workload_config config;
    workload_config_default(&config, "w");
    assert_int_equal(config.timeout_ns, SECOND);
    assert_int_equal(config.stop_ns, -1);
    assert_int_equal(config.keys, 100);
    assert_int_equal(config.value_size, 32);
    assert_int_equal(config.zipf_theta_millionths, 990000);
    assert_int_equal(config.follow_directory, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant_arrivals_are_exact_and_add_up_no_error),
        cmocka_unit_test(test_ten_a_second_from_50ms_issues_600_by_a_minute),
        cmocka_unit_test(test_rate_per_client_is_multiplied),
        cmocka_unit_test(test_count_bounds_both_loops),
        cmocka_unit_test(test_poisson_arrivals_have_the_rate_and_the_spread),
        cmocka_unit_test(test_open_loop_does_not_wait_for_slow_answers),
        cmocka_unit_test(test_closed_loop_thinks_between_operations),
        cmocka_unit_test(test_sequence_repeats_with_exact_waits),
        cmocka_unit_test(test_mix_is_drawn_by_its_shares),
        cmocka_unit_test(test_uniform_keys_are_even_and_hot_keys_get_80_percent),
        cmocka_unit_test(test_zipfian_keys_follow_the_law),
        cmocka_unit_test(test_own_unique_latest_and_fixed_keys),
        cmocka_unit_test(test_same_seed_same_run_and_another_group_shifts_no_draw),
        cmocka_unit_test(test_thousand_clients_and_short_runs_are_cheap),
        cmocka_unit_test(test_settings_that_do_not_go_together_are_named),
        cmocka_unit_test(test_every_option_has_a_default_a_doc_and_a_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
