/* Goal: a node's clock is exact: continuous where its drift changes, never back on the
 * monotonic side, and its inverse is an inverse. Method: values by hand; then random clocks
 * with random changes, the properties asked at every step.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/kernel/random.h"
#include "sim/kernel/vtime.h"
#include "sim/world/clock.h"

static void test_clock_without_fault_is_true_time(void **state)
{
    (void)state;
    struct clock clock;
    clock_init(&clock, &(struct clock_config){0});
    for (int64_t t = 0; t < NS_PER_S; t += 99999937) {
        assert_int_equal(clock_wall(&clock, t), t);
        assert_int_equal(clock_monotonic(&clock, t), t);
        assert_int_equal(clock_true_after(&clock, t, 1234567), t + 1234567);
        assert_int_equal(clock_skew(&clock, t), 0);
    }
}

static void test_clock_offset_drift_and_steps_add_up(void **state)
{
    (void)state;
    struct clock clock;
    clock_init(&clock,
               &(struct clock_config){.offset_ns = 5 * NS_PER_MS, .drift_ppm = -200000});
    assert_int_equal(clock_wall(&clock, 10 * NS_PER_S), 8 * NS_PER_S + 5 * NS_PER_MS);
    assert_int_equal(clock_monotonic(&clock, 10 * NS_PER_S), 8 * NS_PER_S);
    assert_int_equal(clock_true_after(&clock, 10 * NS_PER_S, 4 * NS_PER_S), 15 * NS_PER_S);
    clock_step(&clock, 10 * NS_PER_S, -3 * NS_PER_S);
    assert_int_equal(clock_wall(&clock, 10 * NS_PER_S), 5 * NS_PER_S + 5 * NS_PER_MS);
    assert_int_equal(clock_monotonic(&clock, 10 * NS_PER_S), 8 * NS_PER_S);
    assert_int_equal(clock_skew(&clock, 10 * NS_PER_S), -5 * NS_PER_S + 5 * NS_PER_MS);
    clock_set_drift(&clock, 10 * NS_PER_S, 50);
    assert_int_equal(clock_monotonic(&clock, 11 * NS_PER_S), 9 * NS_PER_S + 50 * NS_PER_US);
    assert_int_equal(clock_wall(&clock, 11 * NS_PER_S),
                     6 * NS_PER_S + 5 * NS_PER_MS + 50 * NS_PER_US);
}

static void test_clock_readings_round_down_once(void **state)
{
    (void)state;
    struct clock clock;
    clock_init(&clock, &(struct clock_config){.drift_ppm = -1});
    assert_int_equal(clock_monotonic(&clock, 1), 0);
    assert_int_equal(clock_monotonic(&clock, 1000000), 999999);
    /* A thousand changes of drift in a microsecond lose nothing. */
    clock_init(&clock, &(struct clock_config){.drift_ppm = -333333});
    for (int64_t t = 1; t <= 999; t++) clock_set_drift(&clock, t, -333333);
    assert_int_equal(clock_monotonic(&clock, 999), 666);
    assert_int_equal(clock.fraction_millionths, 333);
}

static void test_clock_timer_set_before_a_change_of_drift_is_rescaled(void **state)
{
    (void)state;
    struct clock clock;
    clock_init(&clock, &(struct clock_config){0});
    int64_t deadline = clock_monotonic(&clock, NS_PER_S) + 10 * NS_PER_S;
    clock_set_drift(&clock, 6 * NS_PER_S, -500000);
    assert_int_equal(clock_true_at(&clock, deadline), 16 * NS_PER_S);
    clock_set_drift(&clock, 8 * NS_PER_S, 1000000);
    assert_int_equal(clock_true_at(&clock, deadline), 10 * NS_PER_S);
    assert_int_equal(clock_true_at(&clock, 0), 8 * NS_PER_S);
}

static void test_clock_is_continuous_monotonic_and_invertible(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 1, "test", "clock", NULL);
    for (int round = 0; round < 300; round++) {
        struct clock clock;
        int64_t drift = rng_range(&rng, -200000, 200000),
                offset = rng_range(&rng, -NS_PER_S, NS_PER_S), t = 0, mono = 0;
        clock_init(&clock, &(struct clock_config){offset, drift});
        for (int step = 0; step < 50; step++) {
            t += rng_range(&rng, 0, step % 3 ? 5 : 3600 * NS_PER_S);
            int64_t now = clock_monotonic(&clock, t), wall = clock_wall(&clock, t);
            assert_true(now >= mono);
            mono = now;
            /* I2: the least true time from the latest change on that reads so much. */
            int64_t target = now + rng_range(&rng, 0, step % 2 ? 20 : NS_PER_S),
                    at = clock_true_at(&clock, target);
            assert_true(clock_monotonic(&clock, at) >= target);
            assert_true(at == clock.base_ns || clock_monotonic(&clock, at - 1) < target);
            int64_t delay = rng_range(&rng, 0, NS_PER_S),
                    end = clock_true_after(&clock, t, delay);
            assert_true(end >= t && clock_monotonic(&clock, end) >= now + delay);
            assert_true(end == t || clock_monotonic(&clock, end - 1) < now + delay);
            /* I1 */
            clock_set_drift(&clock, t, rng_range(&rng, -200000, 200000));
            assert_int_equal(clock_monotonic(&clock, t), now);
            assert_int_equal(clock_wall(&clock, t), wall);
            int64_t delta = rng_range(&rng, -NS_PER_S, NS_PER_S);
            clock_step(&clock, t, delta);
            assert_int_equal(clock_monotonic(&clock, t), now);
            assert_int_equal(clock_wall(&clock, t), wall + delta);
        }
    }
}

static void test_clock_never_is_never(void **state)
{
    (void)state;
    struct clock clock;
    clock_init(&clock, &(struct clock_config){.drift_ppm = -900000});
    assert_int_equal(clock_true_after(&clock, 5, INT64_MAX), INT64_MAX);
    assert_int_equal(clock_true_at(&clock, INT64_MAX), INT64_MAX);
    clock_set_drift(&clock, INT64_MAX / 4, CLOCK_DRIFT_PPM_MAX);
    assert_int_equal(clock_monotonic(&clock, INT64_MAX), INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock_without_fault_is_true_time),
        cmocka_unit_test(test_clock_offset_drift_and_steps_add_up),
        cmocka_unit_test(test_clock_readings_round_down_once),
        cmocka_unit_test(test_clock_timer_set_before_a_change_of_drift_is_rescaled),
        cmocka_unit_test(test_clock_is_continuous_monotonic_and_invertible),
        cmocka_unit_test(test_clock_never_is_never),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
