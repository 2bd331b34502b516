/* Goal: a broken contract tells all that is needed to see it again and ends the process with
 * status 3, unless a handler takes it. Method: children that fail a CHECK, their standard error
 * read through a pipe; a handler that unwinds with longjmp, as a node does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "sim/kernel/check.h"
#include "sim/kernel/kernel.h"
#include "sim/kernel/queue.h"

static char output[4096];

/* Runs `body` in a child; returns its exit status and leaves its standard error in `output`. */
static int in_child(void (*body)(void))
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        body();
        _exit(0);
    }
    close(ends[1]);
    size_t size = 0;
    for (ssize_t n; size < sizeof output - 1 &&
                    (n = read(ends[0], output + size, sizeof output - 1 - size)) > 0;)
        size += (size_t)n;
    output[size] = '\0';
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void fail_in_a_run(void)
{
    static const int64_t now = 480 * INT64_C(1000000000);
    check_context = (struct check_context){.replay = "faultline run x.yaml --seed 2012",
                                           .node = "db-a",
                                           .now_ns = &now,
                                           .seed = 2012};
    int apples = 3;
    CHECK(apples == 4);
}

static void fail_outside(void)
{
    CHECK(2 + 2 == 5);
}

static void test_check_prints_expression_place_time_node_seed_and_replay_and_exits_3(
    void **state)
{
    (void)state;
    assert_int_equal(in_child(fail_in_a_run), 3);
    static const char *const parts[] = {"CHECK failed: apples == 4",
                                        "tests/kernel/test_check.c:",
                                        "virtual time 8:00.000 (480000000000 ns)",
                                        "node db-a",
                                        "seed 2012",
                                        "replay: faultline run x.yaml --seed 2012"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strstr(output, parts[i])) fail_msg("'%s' is missing in: %s", parts[i], output);
    assert_int_equal(in_child(fail_outside), 3);
    assert_non_null(strstr(output, "outside a run"));
}

static jmp_buf unwound;
static const char *seen_expression;

static void unwind(void *context, const char *expression, const char *file, int line)
{
    assert_ptr_equal(context, &unwound);
    assert_non_null(strstr(file, "test_check.c"));
    assert_true(line > 0);
    seen_expression = expression;
    longjmp(unwound, 1);
}

static void test_check_hands_the_failure_to_a_handler(void **state)
{
    (void)state;
    check_context.handler = unwind;
    check_context.handler_context = &unwound;
    if (setjmp(unwound) == 0) {
        CHECK(1 > 2);
        fail();
    }
    check_context = (struct check_context){0};
    assert_string_equal(seen_expression, "1 > 2");
}

static void return_anyway(void *context, const char *expression, const char *file, int line)
{
    (void)context, (void)expression, (void)file, (void)line;
}

static void fail_with_a_handler_that_returns(void)
{
    check_context.handler = return_anyway;
    CHECK(0);
}

static void test_check_does_not_go_on_after_a_handler_that_returns(void **state)
{
    (void)state;
    assert_int_equal(in_child(fail_with_a_handler_that_returns), 3);
}

/* ---- the kernel's own contracts ---- */

static void draw_unseeded(void)
{
    struct rng rng = {0};
    rng_u64(&rng);
}

static void nothing(struct kernel *kernel, const struct event *event)
{
    (void)kernel, (void)event;
}
static void run_again(struct kernel *kernel, const struct event *event)
{
    kernel_run(kernel, event->time + 5);
}

static const struct event_type nothing_type = {"nothing", 1, nothing};
static const struct event_type again_type = {"again", 2, run_again};

static void schedule_in_the_past(void)
{
    struct kernel *k = kernel_create(&(struct kernel_config){0});
    kernel_run(k, 10);
    kernel_schedule(k, 9, &nothing_type, NULL, 0, 0, 0);
}

static void run_within_a_run(void)
{
    struct kernel *k = kernel_create(&(struct kernel_config){0});
    kernel_schedule(k, 1, &again_type, NULL, 0, 0, 0);
    kernel_run(k, 10);
}

static void give_back_more_memory_than_taken(void)
{
    struct kernel *k = kernel_create(&(struct kernel_config){0});
    kernel_memory_add(k, -1);
}

static void draw_below_nothing(void)
{
    struct rng rng;
    rng_init(&rng, 1, "a", "b", NULL);
    rng_below(&rng, 0);
}

static void test_check_guards_the_contracts_of_the_kernel(void **state)
{
    (void)state;
    static const struct {
        void (*body)(void);
        const char *expression;
    } broken[] = {
        {draw_unseeded, "s[0] | s[1] | s[2] | s[3]"},
        {schedule_in_the_past, "at_ns >= kernel->now"},
        {run_within_a_run, "!kernel->running"},
        {give_back_more_memory_than_taken, "kernel->memory >="},
        {draw_below_nothing, "bound >= 1"},
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        assert_int_equal(in_child(broken[i].body), 3);
        if (!strstr(output, broken[i].expression))
            fail_msg("'%s' is missing in: %s", broken[i].expression, output);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_check_prints_expression_place_time_node_seed_and_replay_and_exits_3),
        cmocka_unit_test(test_check_hands_the_failure_to_a_handler),
        cmocka_unit_test(test_check_does_not_go_on_after_a_handler_that_returns),
        cmocka_unit_test(test_check_guards_the_contracts_of_the_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
