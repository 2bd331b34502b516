/* Goal: under options that promise it, one fault at a time loses no acknowledged write,
 * whatever its kind, place and length; and the copies agree afterwards. Method: a cluster of
 * three machines, unique keys written to whom the directory names, faults drawn from a seed: a
 * machine isolated, a node crashed, powered off or paused. Each fault ends and has time to be
 * mended before the next. SEED= runs one seed, SCALE= more of them. A planted weakness
 * (promote: any, async) must be noticed by the same judge.
 */
#include "tests/support/single_leader_cluster.h"
#include "tests/support/scale.h"

#define KEYS_MAX 4000

static uint64_t draw(uint64_t *random, uint64_t below)
{
    *random += UINT64_C(0x9e3779b97f4a7c15);
    return mix64(*random) % below;
}

struct life {
    struct fake *fake;
    uint64_t random;
    uint64_t requests[KEYS_MAX];
    int count;
};

static void write_for(struct life *life, int64_t duration)
{
    int64_t end = fake_now(life->fake) + duration;
    while (fake_now(life->fake) < end) {
        char key[16];
        snprintf(key, sizeof key, "k%d", life->count);
        assert_true(life->count < KEYS_MAX);
        life->requests[life->count++] =
            fake_write(life->fake, fake_directory_leader(life->fake), key, "value");
        fake_run_for(life->fake, 20 * MS);
    }
}

static void one_fault(struct life *life)
{
    struct fake *f = life->fake;
    uint32_t machine = (uint32_t)draw(&life->random, 3);
    uint64_t kind = draw(&life->random, 4);
    int64_t length = (int64_t)(1 + draw(&life->random, 80)) * 100 * MS;
    switch (kind) {
    case 0:
        for (uint32_t other = 0; other < 6; other++)
            if (other % 3 != machine) {
                cut_all(f, machine, other);
                cut_all(f, machine + 3, other);
            }
        break;
    case 1: fake_crash(f, machine); break;
    case 2: fake_power_off(f, machine); break;
    default: fake_pause(f, machine, true); break;
    }
    write_for(life, length);
    fake_heal(f);
    fake_pause(f, machine, false);
    if (!fake_up(f, machine)) assert_int_equal(fake_start(f, machine), 0);
    write_for(life, 5 * SECOND);
}

/* Acknowledged writes that the leader does not have in the end. */
static int lost(struct life *life)
{
    struct fake *f = life->fake;
    int count = 0;
    for (int i = 0; i < life->count; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        const struct fake_answer *answer = fake_answer(f, life->requests[i]);
        if (answer->answered && answer->status == STATUS_OK &&
            !has(f, fake_directory_leader(f), key))
            count++;
    }
    return count;
}

static int live(uint64_t seed, int faults, int *acknowledged)
{
    struct life *life = calloc(1, sizeof *life);
    assert_non_null(life);
    struct fake_config c = cluster_config(3, 3);
    c.seed = seed;
    c.engine_sync = seed % 2;
    life->fake = fake_create(&c);
    life->random = seed;
    fake_start_all(life->fake);
    write_for(life, 2 * SECOND);
    for (int i = 0; i < faults; i++) one_fault(life);
    fake_run_for(life->fake, 20 * SECOND);
    for (uint32_t node = 0; node < 3; node++) {
        assert_true(fake_up(life->fake, node));
        assert_int_equal(fake_panicked(life->fake, node), 0);
        if (!same_rows(life->fake, 0, node))
            fail_msg("seed %llu: copies differ", (unsigned long long)seed);
    }
    for (int i = 0; i < life->count; i++)
        if (fake_answer(life->fake, life->requests[i])->status == STATUS_OK &&
            fake_answer(life->fake, life->requests[i])->answered)
            ++*acknowledged;
    int count = lost(life);
    fake_destroy(life->fake);
    free(life);
    return count;
}

static uint64_t seeds(void)
{
    return test_scaled(12, 300);
}

static void promised_options(int kind)
{
    options_setup(NULL);
    options.fallback_ns = -1;
    options.mode = kind % 2 ? MODE_SYNC : MODE_SEMI_SYNC;
    options.ack_point = kind / 2 % 2 ? ACK_AFTER_COMMIT : ACK_AFTER_SYNC;
    options.log_retention = kind / 4 % 2 ? 50 : 100000;
}

static void test_one_fault_at_a_time_loses_no_acknowledged_write(void **state)
{
    (void)state;
    const char *only = getenv("SEED");
    int acknowledged = 0;
    for (uint64_t seed = only ? strtoull(only, NULL, 10) : 1, i = 0; i < (only ? 1 : seeds());
         i++, seed++) {
        promised_options((int)(seed % 8));
        int count = live(seed, 6, &acknowledged);
        if (count) fail_msg("SEED=%llu: %d writes lost", (unsigned long long)seed, count);
    }
    assert_true(only || (uint64_t)acknowledged > 10 * seeds());
}

static void test_the_judge_notices_an_unsafe_failover(void **state)
{
    (void)state;
    int acknowledged = 0, count = 0;
    for (uint64_t seed = 1; seed < 6 && !count; seed++) {
        options_setup(NULL);
        options.failover.promote = PROMOTE_ANY;
        options.failover.quorum = QUORUM_NONE;
        count += live(seed, 6, &acknowledged);
    }
    assert_true(count > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_one_fault_at_a_time_loses_no_acknowledged_write,
                               options_setup),
        cmocka_unit_test_setup(test_the_judge_notices_an_unsafe_failover, options_setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
