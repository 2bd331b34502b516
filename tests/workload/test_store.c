/* Goal: the join over two stores is recorded so that a check can judge it: inserts, bindings,
 * look-ups and whose row was read; and at the end everything ever written is read back. Method:
 * a fake world with a second store; ids reissued on purpose, answers withheld, and a leader
 * that must first be found.
 */
#include "tests/workload/fake_world.h"

#define SECOND NS_PER_S

static struct workload_config signups(int64_t count)
{
    struct workload_config config = config_of("signups", OPERATION_INSERT);
    config.rate_millionths = 10 * 1000000;
    config.clients = 5;
    config.count = count;
    config.start_ns = 50 * MS;
    config.second_store = "routes";
    return config;
}

static void test_insert_is_bound_after_its_acknowledgement(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    struct workload_config config = signups(3);
    config.private_ppm = 1000000;
    fake_run(&world, &config, 1, 10 * SECOND);
    assert_int_equal(world.records.history->count, 6);
    for (size_t i = 0; i < 6; i += 2) {
        const struct history_op *insert = op_at(&world, i), *bind = op_at(&world, i + 1);
        char key[32];
        snprintf(key, sizeof key, "signups-%zu", i / 2 + 1);
        assert_int_equal(insert->type, HISTORY_INSERT);
        assert_string_equal(key_name(&world, insert->key), key);
        assert_string_equal(key_name(&world, insert->table), "signups-");
        assert_int_equal(insert->owner, insert->token); /* every row has an owner of its own */
        assert_true(insert->is_private);
        assert_int_equal(insert->store, 0);
        assert_int_equal(bind->type, HISTORY_BIND);
        assert_int_equal(bind->store, 1);
        assert_int_equal(bind->token, insert->token);
        assert_int_equal(bind->key, insert->key);
        assert_int_equal(bind->process, insert->process);
        assert_int_equal(bind->invoke_ns, insert->return_ns);
        assert_int_equal(bind->return_ns, bind->invoke_ns + 2 * MS);
        assert_int_equal(bind->outcome, OUTCOME_OK);
    }
    assert_int_equal(world.store_puts, 3);
    assert_int_equal(world.invoked, 3); /* bindings are no operations of the database */
    fake_close(&world);
}

static void refuses(struct world *world, uint32_t node, const struct operation *operation,
                    struct answer *answer)
{
    (void)world, (void)node, (void)operation;
    answer->reply.status = STATUS_UNAVAILABLE;
}

static void test_refused_insert_binds_nothing_and_silent_store_leaves_unknown(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    world.script = refuses;
    struct workload_config config = signups(3);
    fake_run(&world, &config, 1, 10 * SECOND);
    assert_int_equal(world.records.history->count, 3);
    assert_int_equal(world.store_puts, 0);
    assert_int_equal(op_at(&world, 0)->key, HISTORY_NONE);
    fake_close(&world);

    fake_open(&world, 1);
    world.store_silent = true;
    fake_run(&world, &config, 1, 10 * SECOND);
    assert_int_equal(world.records.history->count, 6);
    for (size_t i = 0; i < 6; i++) {
        bool bind = op_at(&world, i)->type == HISTORY_BIND;
        assert_int_equal(op_at(&world, i)->outcome, bind ? OUTCOME_UNKNOWN : OUTCOME_OK);
    }
    fake_close(&world);

    fake_open(&world, 1);
    world.store_silent_first = 2;
    config.retries = 2;
    config.attempt_timeout_ns = 100 * MS;
    fake_run(&world, &config, 1, 10 * SECOND);
    for (size_t i = 0; i < 6; i++) assert_int_equal(op_at(&world, i)->outcome, OUTCOME_OK);
    assert_int_equal(world.store_puts, 5);
    fake_close(&world);
}

/* Owner of the row that a resolve returned, and of the binding. */
static void test_resolve_returns_the_bound_owner_and_the_row_that_is_there(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    struct workload_config configs[2] = {signups(10),
                                         config_of("dashboard", OPERATION_RESOLVE)};
    configs[0].private_ppm = 500000;
    configs[1].second_store = "routes";
    configs[1].resolve_table = "signups";
    configs[1].rate_millionths = 20 * 1000000;
    configs[1].start_ns = 2 * SECOND;
    configs[1].stop_ns = 12 * SECOND;
    fake_start(&world, configs, 2, 20 * SECOND);
    kernel_run(world.kernel, 7 * SECOND + 1);
    /* A new leader hands out id 1 again: the row is overwritten, the binding is not. */
    struct buffer value = {.allocator = &allocator_system};
    uint64_t other = op_at(&world, 2)->token;
    assert_int_equal(op_at(&world, 2)->type, HISTORY_INSERT);
    buffer_append(&value, world.rows[1].value, world.rows[1].size);
    fake_put(&world, BYTES_LITERAL("signups-1"), buffer_bytes(&value));
    kernel_run(world.kernel, 60 * SECOND);
    uint32_t right = 0, wrong = 0;
    for (size_t i = 0; i < world.records.history->count; i++) {
        const struct history_op *op = op_at(&world, i);
        if (op->type != HISTORY_RESOLVE) continue;
        assert_int_equal(op->outcome, OUTCOME_OK);
        assert_int_equal(op->return_ns - op->invoke_ns, 4 * MS);
        uint64_t token = value_at(&world, i);
        const struct history_op *bound = NULL, *row = NULL;
        for (size_t j = 0; j < i; j++) {
            if (op_at(&world, j)->type == HISTORY_INSERT && op_at(&world, j)->key == op->key)
                bound = op_at(&world, j);
            if (op_at(&world, j)->type == HISTORY_INSERT && op_at(&world, j)->token == token)
                row = op_at(&world, j);
        }
        assert_non_null(bound);
        assert_non_null(row);
        assert_int_equal(op->owner, bound->owner); /* what the second store says */
        if (row == bound) {
            right++;
        } else {
            wrong++;
            assert_int_equal(token, other);
            assert_string_equal(key_name(&world, op->key), "signups-1");
            assert_true(op->invoke_ns > 6900 * MS);
        }
    }
    assert_true(right > 150 && wrong >= 5);
    assert_int_equal(right + wrong, 200);
    buffer_deinit(&value);
    fake_close(&world);
}

static void test_resolve_of_nothing_known_is_no_operation_and_of_nothing_bound_fails(
    void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    struct workload_config configs[2] = {config_of("dashboard", OPERATION_RESOLVE), signups(1)};
    configs[0].second_store = "routes";
    configs[0].resolve_table = "signups";
    configs[0].rate_millionths = 10 * 1000000;
    configs[0].stop_ns = 2 * SECOND;
    configs[1].second_store = NULL; /* inserted, never bound */
    configs[1].start_ns = SECOND;
    fake_run(&world, configs, 2, 10 * SECOND);
    assert_int_equal(world.records.history->count, 1 + 9);
    for (size_t i = 1; i < 10; i++) {
        assert_int_equal(op_at(&world, i)->type, HISTORY_RESOLVE);
        assert_int_equal(op_at(&world, i)->outcome, OUTCOME_FAIL);
        assert_int_equal(op_at(&world, i)->status, STATUS_NOT_FOUND);
        assert_int_equal(op_at(&world, i)->owner, HISTORY_NONE);
    }
    fake_close(&world);

    fake_open(&world, 1); /* a closed loop waits for the first id */
    configs[0].rate_millionths = 0;
    configs[0].think_ns = 100 * MS;
    configs[1].second_store = "routes";
    fake_run(&world, configs, 2, 10 * SECOND);
    uint32_t resolved = 0;
    for (size_t i = 0; i < world.records.history->count; i++)
        resolved += op_at(&world, i)->type == HISTORY_RESOLVE &&
                    op_at(&world, i)->outcome == OUTCOME_OK;
    assert_in_range(resolved, 8, 10);
    fake_close(&world);
}

static void test_owners_are_drawn_below_their_number_and_private_rows_by_share(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    struct workload_config config = signups(1000);
    config.rate_millionths = 1000 * 1000000;
    config.owners = 4;
    config.private_ppm = 200000;
    config.second_store = NULL;
    fake_run(&world, &config, 1, 10 * SECOND);
    uint32_t owners[4] = {0}, is_private = 0;
    for (size_t i = 0; i < 1000; i++) {
        assert_true(op_at(&world, i)->owner < 4);
        owners[op_at(&world, i)->owner]++;
        is_private += op_at(&world, i)->is_private;
    }
    for (int i = 0; i < 4; i++) assert_in_range(owners[i], 190, 310);
    assert_in_range(is_private, 160, 240);
    fake_close(&world);
}

/* ---- reading everything back ---- */

static void count_final(struct world *world, uint32_t *rows, uint32_t *bindings,
                        uint32_t *unknown)
{
    *rows = *bindings = *unknown = 0;
    for (size_t i = 0; i < world->records.history->count; i++) {
        const struct history_op *op = op_at(world, i);
        if (!op->final_read) continue;
        assert_int_equal(op->type, HISTORY_READ);
        assert_int_equal(op->session, HISTORY_NONE);
        if (op->outcome != OUTCOME_OK) {
            (*unknown)++;
            continue;
        }
        assert_int_equal(op->values_count, 1);
        if (op->store)
            (*bindings)++;
        else
            (*rows)++;
    }
}

static void slow_insert(struct world *world, uint32_t node, const struct operation *operation,
                        struct answer *answer)
{
    serve(world, node, operation, answer);
    if (world->seen_count == 3)
        answer->delay_ns = 3 * SECOND;                 /* beyond the client's patience */
    if (world->seen_count == 5) answer->silent = true; /* done, and its id never told */
}

static void test_read_all_reads_rows_keys_and_bindings_once(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    world.script = slow_insert;
    struct workload_config configs[2] = {signups(300), config_of("kv", OPERATION_WRITE)};
    configs[0].rate_millionths = 100 * 1000000;
    configs[1].rate_millionths = 100 * 1000000;
    configs[1].start_ns = 5 * SECOND;
    configs[1].stop_ns = 8 * SECOND;
    configs[1].keys = 50;
    configs[1].mix.ppm[OPERATION_WRITE] = 900000;
    configs[1].mix.ppm[OPERATION_DELETE] = 100000;
    fake_run(&world, configs, 2, 10 * SECOND);
    size_t before = world.records.history->count;
    world.script = serve;
    int64_t now = kernel_now(world.kernel);
    assert_int_equal(workload_read_all(world.workload, now + 60 * SECOND), KERNEL_DONE);
    assert_true(kernel_now(world.kernel) < now + SECOND);
    assert_int_equal(workload_active(world.workload), 0);
    uint32_t rows, bindings, unknown, late = 0;
    count_final(&world, &rows, &bindings, &unknown);
    assert_int_equal(unknown, 0);
    assert_int_equal(bindings, 298);  /* two inserts were never acknowledged in time */
    assert_int_equal(rows, 299 + 50); /* but the late answer told one more id */
    for (size_t i = before; i < world.records.history->count; i++) {
        const struct history_op *op = op_at(&world, i);
        if (op->store) {
            uint64_t bound = value_at(&world, i);
            bool found = false;
            for (size_t j = 0; j < before; j++)
                found |= op_at(&world, j)->type == HISTORY_BIND &&
                         op_at(&world, j)->key == op->key && op_at(&world, j)->token == bound;
            assert_true(found);
        }
        for (size_t j = before; j < i; j++)
            assert_false(op_at(&world, j)->key == op->key &&
                         op_at(&world, j)->store == op->store);
    }
    for (size_t i = 0; i < before; i++)
        late += op_at(&world, i)->type == HISTORY_INSERT &&
                op_at(&world, i)->outcome == OUTCOME_UNKNOWN &&
                op_at(&world, i)->key != HISTORY_NONE;
    assert_int_equal(late, 1);
    fake_close(&world);
}

static void only_two(struct world *world, uint32_t node, const struct operation *operation,
                     struct answer *answer)
{
    if (node == 2)
        serve(world, node, operation, answer);
    else if (node == 1)
        answer->silent = true;
    else
        answer->reply.status = STATUS_NOT_LEADER;
}

static void test_read_all_finds_the_leader_and_asks_for_its_level(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    struct workload_config config = config_of("kv", OPERATION_WRITE);
    config.rate_millionths = 100 * 1000000;
    config.key_choice = KEYS_UNIQUE;
    config.stop_ns = 2 * SECOND;
    fake_run(&world, &config, 1, 10 * SECOND);
    world.script = only_two;
    world.directory_silent = true;
    uint32_t seen = world.seen_count;
    assert_int_equal(workload_read_all(world.workload, kernel_now(world.kernel) + 60 * SECOND),
                     KERNEL_DONE);
    uint32_t rows, bindings, unknown;
    count_final(&world, &rows, &bindings, &unknown);
    assert_int_equal(rows, 200);
    for (uint32_t i = seen; i < world.seen_count; i++) {
        assert_int_equal(world.seen[i].operation.type, OPERATION_READ);
        assert_int_equal(world.seen[i].operation.level, LEVEL_LEADER);
    }
    fake_close(&world);
}

static void dead(struct world *world, uint32_t node, const struct operation *operation,
                 struct answer *answer)
{
    (void)world, (void)node, (void)operation;
    answer->silent = true;
}

static void test_read_all_gives_up_at_its_limit_and_says_unknown(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    struct workload_config config = config_of("kv", OPERATION_WRITE);
    config.rate_millionths = 100 * 1000000;
    config.stop_ns = SECOND;
    fake_run(&world, &config, 1, 10 * SECOND);
    world.script = dead;
    int64_t limit = kernel_now(world.kernel) + 20 * SECOND;
    assert_int_equal(workload_read_all(world.workload, limit), KERNEL_DONE);
    assert_int_equal(kernel_now(world.kernel), limit);
    uint32_t rows, bindings, unknown;
    count_final(&world, &rows, &bindings, &unknown);
    assert_int_equal(rows, 0);
    assert_true(unknown > 0);
    assert_int_equal(workload_active(world.workload), 0);
    fake_close(&world);
}

static void test_read_all_of_nothing_is_done_at_once(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    struct workload_config config = config_of("kv", OPERATION_READ);
    config.count = 3;
    fake_run(&world, &config, 1, SECOND);
    int64_t now = kernel_now(world.kernel);
    assert_int_equal(workload_read_all(world.workload, now + SECOND), KERNEL_DONE);
    assert_int_equal(kernel_now(world.kernel), now);
    fake_close(&world);
}

/* ---- scans ---- */

static void scans(struct world *world, uint32_t node, const struct operation *operation,
                  struct answer *answer)
{
    static unsigned char entries[1024];
    if (operation->type != OPERATION_SCAN) {
        serve(world, node, operation, answer);
        return;
    }
    assert_true(operation->value.size == 3 && memcmp(operation->value.data, "kv/", 3) == 0);
    size_t size = 0;
    for (uint32_t i = 0; i < world->rows_count && i < operation->limit; i++) {
        const struct fake_row *row = &world->rows[i];
        put_u32(entries + size, (uint32_t)strlen(row->key));
        put_u32(entries + size + 4, (uint32_t)row->size);
        memcpy(entries + size + 8, row->key, strlen(row->key));
        memcpy(entries + size + 8 + strlen(row->key), row->value, row->size);
        size += 8 + strlen(row->key) + row->size;
    }
    answer->reply.has_value = true;
    answer->reply.value = bytes_of(entries, size);
}

static void test_scan_returns_pairs_of_key_and_token(void **state)
{
    (void)state;
    struct world world;
    fake_open(&world, 1);
    world.script = scans;
    static const struct workload_step steps[] = {
        {OPERATION_WRITE, 0}, {OPERATION_WRITE, 0}, {OPERATION_SCAN, 0}};
    struct workload_config config;
    workload_config_default(&config, "kv");
    config.sequence = steps;
    config.sequence_count = config.count = 3;
    config.key_choice = KEYS_UNIQUE;
    fake_run(&world, &config, 1, SECOND);
    const struct history_op *scan = op_at(&world, 2);
    assert_int_equal(scan->outcome, OUTCOME_OK);
    assert_int_equal(scan->values_count, 4);
    const uint64_t *values = world.records.history->values + scan->values_start;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(values[2 * i], op_at(&world, (size_t)i)->key);
        assert_int_equal(values[2 * i + 1], op_at(&world, (size_t)i)->token);
    }
    fake_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_insert_is_bound_after_its_acknowledgement),
        cmocka_unit_test(test_refused_insert_binds_nothing_and_silent_store_leaves_unknown),
        cmocka_unit_test(test_resolve_returns_the_bound_owner_and_the_row_that_is_there),
        cmocka_unit_test(
            test_resolve_of_nothing_known_is_no_operation_and_of_nothing_bound_fails),
        cmocka_unit_test(test_owners_are_drawn_below_their_number_and_private_rows_by_share),
        cmocka_unit_test(test_read_all_reads_rows_keys_and_bindings_once),
        cmocka_unit_test(test_read_all_finds_the_leader_and_asks_for_its_level),
        cmocka_unit_test(test_read_all_gives_up_at_its_limit_and_says_unknown),
        cmocka_unit_test(test_read_all_of_nothing_is_done_at_once),
        cmocka_unit_test(test_scan_returns_pairs_of_key_and_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
