/* Goal: the consistency models judge a run's own history as checks of a scenario: the same
 * verdict, the moment of the first violation, its witness, and the part of the run that was
 * asked for. Method: histories by hand, one that holds and one that does not for each model;
 * moments and windows against the definition of a cut. What the models themselves say is
 * tested in test_linearizable, test_causal, test_guarantees and test_regular. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/kernel/vtime.h"
#include "tests/support/histories.h"

#define HOLDS(name, text) judge_text(name, text, CHECK_HOLDS, 0)
#define FIRES(name, count, text) judge_text(name, text, CHECK_VIOLATED, count)
#define SKIPS(name, text) judge_text(name, text, CHECK_NOT_APPLICABLE, 0)

static const char *const models[] = {
    "linearizable", "sequential", "causal_convergent", "causal_memory",       "causal",
    "pram",         "regular",    "monotonic_writes",  "writes_follow_reads", "safe"};
#define MODELS (sizeof models / sizeof *models)

static void test_what_every_model_explains_holds_for_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < MODELS; i++) {
        HOLDS(models[i], "A w x=1 10..20\nB r x=1 30..40\nA w x=2 50..60\nB r x=2 70..80");
        HOLDS(models[i], "A w x=1 10..20\nA w x=2 30..50\nB r x=1 40..41\nB r x=2 60..61");
        HOLDS(models[i], "A i t/1=1 10..20\nB res t/1=1 30..31\nA cas t/1=1>2 40..50\n"
                         "B cas t/1=1>3 60..61 fail saw=2");
        SKIPS(models[i],
              "A w x=1 10..20 unknown\nA scan x=x:7 30..40\nA lock L 50..51 token=3");
    }
}

static void test_each_model_is_violated_by_its_own_anomaly(void **state)
{
    (void)state;
    static const char stale[] = "A w x=1 1..2\nA w x=2 3..4\nB r x=1 10..11";
    FIRES("linearizable", 1, stale);
    FIRES("regular", 1, stale);
    FIRES("safe", 1, stale);
    HOLDS("sequential", stale);
    HOLDS("causal", stale);
    /* Two keys, each read stale: counted by key. */
    FIRES("linearizable", 2,
          "A w x=1 1..2\nA w x=2 3..4\nB r x=1 10..11\nC w y=3 1..2\nB r y= 12..13");
    /* Store buffering: each misses the other's write. */
    static const char buffers[] = "A w x=1 1..2\nA r y= 3..4\nB w y=2 1..2\nB r x= 3..4";
    judge_text("linearizable", buffers, CHECK_VIOLATED, 2);
    FIRES("sequential", 1, buffers);
    HOLDS("causal_memory", buffers);
    HOLDS("causal_convergent", buffers);
    /* Two readers disagree on the order of two writes. */
    static const char disagree[] =
        "A w x=1 1..9\nB w x=2 1..9\nC r x=1 20..21\nC r x=2 22..23\n"
        "D r x=2 20..21\nD r x=1 22..23";
    FIRES("causal_convergent", 1, disagree);
    HOLDS("causal_memory", disagree);
    HOLDS("pram", disagree);
    /* The answer is seen without the question. */
    static const char answer[] =
        "A w x=1 1..2\nB r x=1 3..4\nB w y=2 5..6\nC r y=2 7..8\nC r x= 9..10";
    FIRES("causal", 1, answer);
    FIRES("writes_follow_reads", 1, answer);
    HOLDS("monotonic_writes", answer);
    HOLDS("pram", answer);
    static const char skipped[] = "A w x=1 1..2\nA w y=2 3..4\nB r y=2 5..6\nB r x= 7..8";
    FIRES("monotonic_writes", 1, skipped);
    FIRES("pram", 1, skipped);
}

/* A session goes on after a write that it gave up waiting for; the write may come later. */
static void test_a_lost_write_is_not_before_what_its_session_does_next(void **state)
{
    (void)state;
    for (size_t i = 0; i < MODELS; i++)
        HOLDS(models[i], "A w x=1 1..2\nA w x=2 3..4 unknown\nA r x=1 5..6\nB r x=1 7..8\n"
                         "B r x=2 9..10");
}

static void test_the_moment_and_the_witness_are_of_the_first_violation(void **state)
{
    (void)state;
    struct history *history = history_of("A w y=7 1..2\nA w x=1 1..2\nA w x=2 3..4\n"
                                         "B r x=2 5..6\nB r x=1 10..11\nC r y= 12..13\n"
                                         "B r x=1 20..21\nB r y=7 22..23");
    struct check_input input = input_of(history);
    struct check_result result = run_check("linearizable", &input);
    assert_int_equal(result.violations, 2);
    assert_int_equal(result.first_ns, 11 * NS_PER_MS);
    size_t stale = history_at(history, 10), overwrites = history_at(history, 3);
    bool has_stale = false, has_overwrites = false;
    for (uint32_t i = 0; i < result.witness_count; i++) {
        assert_true(history->ops[result.witness[i]].return_ns <= result.first_ns);
        has_stale |= result.witness[i] == stale;
        has_overwrites |= result.witness[i] == overwrites;
    }
    assert_true(has_stale && has_overwrites);
    assert_int_equal(result.violating_count, 1);
    assert_int_equal(result.violating[0], stale);
    char *story = check_story(check_find("linearizable"), &input, &result);
    assert_non_null(strstr(story, "reads x: value 1"));
    free(story);
    check_result_deinit(&result);
    history_destroy(history);
}

static void test_a_window_takes_constraints_away_and_adds_none(void **state)
{
    (void)state;
    struct history *history = history_of("A w x=1 1..2\nA w x=2 3..30\nB r x=2 5..6\n"
                                         "B r x=1 10..11\nB r x=2 40..41");
    static const struct {
        int64_t from_ms, until_ms;
        enum check_verdict verdict;
    } windows[] = {{0, 10, CHECK_HOLDS},        {0, 11, CHECK_VIOLATED},
                   {6, 11, CHECK_VIOLATED},     {7, 40, CHECK_HOLDS},
                   {12, 50, CHECK_HOLDS},       {0, 50, CHECK_VIOLATED},
                   {0, 1, CHECK_NOT_APPLICABLE}};
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        struct check_input input = input_of(history);
        input.from_ns = windows[i].from_ms * NS_PER_MS;
        input.until_ns = windows[i].until_ms * NS_PER_MS;
        struct check_result result = run_check("linearizable", &input);
        if (result.verdict != windows[i].verdict)
            fail_msg("window %zu: %s", i, check_verdict_words[result.verdict]);
        check_result_deinit(&result);
    }
    history_destroy(history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_every_model_explains_holds_for_all),
        cmocka_unit_test(test_each_model_is_violated_by_its_own_anomaly),
        cmocka_unit_test(test_a_lost_write_is_not_before_what_its_session_does_next),
        cmocka_unit_test(test_the_moment_and_the_witness_are_of_the_first_violation),
        cmocka_unit_test(test_a_window_takes_constraints_away_and_adds_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
