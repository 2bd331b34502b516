/* Goal: the kernel fires events in (time, order) order, forgets cancelled ones and stops when it must. Method: small event programs that log what fires. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sim/kernel/kernel.h"

static uint64_t fired[64];
static size_t fired_count;

static void note(struct kernel *kernel, const struct event *event)
{
    (void)kernel;
    fired[fired_count++] = event->a;
}

static const struct event_type note_type = {"note", EVENT_ID('n', 'o', 't', 'e'), note};

static void test_kernel_fires_by_time_then_order_and_first_of_instant_first(void **state)
{
    (void)state;
    struct kernel *k = kernel_create(&(struct kernel_config){.seed = 1});
    fired_count = 0;
    kernel_schedule(k, 20, &note_type, NULL, 0, 3, 0);
    kernel_schedule(k, 10, &note_type, NULL, 0, 1, 0);
    kernel_schedule(k, 10, &note_type, NULL, 0, 2, 0);
    struct event_id gone = kernel_schedule(k, 15, &note_type, NULL, 0, 99, 0);
    kernel_schedule_first(k, 10, &note_type, NULL, 0, 0, 0);
    assert_true(kernel_cancel(k, gone));
    assert_false(kernel_cancel(k, gone));
    assert_int_equal(kernel_run(k, 100), KERNEL_DONE);
    assert_int_equal(kernel_now(k), 100);
    assert_int_equal(fired_count, 4);
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(fired[i], i);
    kernel_destroy(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kernel_fires_by_time_then_order_and_first_of_instant_first)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
