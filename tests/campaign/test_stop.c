/* Goal: --stop-on-violation ends a run in the moment of the first violation that its scenario
 * does not expect, says so, and changes nothing else; and what is followed online is what the
 * checks find afterwards. Method: every shipped scenario and variant is run, its history played
 * again event by event into all checks that can be followed, and each first moment compared
 * with that of the check; runs of a small scenario whose replica lags, with and without
 * expectations that forbid what happens.
 */
#include "tests/campaign/made.h"

#include <unistd.h>

#include "sim/campaign/folder.h"
#include "sim/campaign/result.h"
#include "tests/support/online_replay.h"

static bool has_deletes(const struct history *history)
{
    for (size_t i = 0; i < history->count; i++)
        if (history->ops[i].type == HISTORY_DELETE) return true;
    return false;
}

static void compare(const struct run *run, uint32_t *violated)
{
    struct replay replay = replay_history(run->records.history);
    struct check_input input = run_check_input(run);
    for (uint32_t i = 0; online_checks[i]; i++) {
        struct check_result result = {0};
        /* Keys with deletes are searched afterwards, and not followed. */
        if (!strcmp(online_checks[i], "linearizable") && has_deletes(run->records.history))
            continue;
        check_find(online_checks[i])->run(&input, &result);
        if (result.first_ns != replay.first_ns[i])
            fail_msg("%s, variant %s: %s is first violated at %lld, followed: %lld",
                     run->plan->name, run->plan->variant, online_checks[i],
                     (long long)result.first_ns, (long long)replay.first_ns[i]);
        violated[i] += result.verdict == CHECK_VIOLATED;
        check_result_deinit(&result);
    }
}

static void test_shipped_scenarios_are_judged_alike_online_and_afterwards(void **state)
{
    (void)state;
    char **paths = NULL;
    size_t count = 0;
    uint32_t violated[32] = {0};
    assert_int_equal(folder_collect("scenarios", &paths, &count), 0);
    assert_true(count >= 11);
    for (size_t p = 0; p < count; p++) {
        struct scenario_errors errors = {0};
        struct scenario *scenario = scenario_load(paths[p], &errors);
        assert_non_null(scenario);
        for (uint32_t v = 0; v < scenario_variants(scenario); v++) {
            struct plan *plan = plan_of(scenario, &(struct plan_request){.variant = v});
            struct run *run =
                run_execute(plan, &(struct run_request){.stop_on_violation = true});
            compare(run, violated);
            /* All that happens there is expected: nothing is stopped. */
            assert_null(run->stopped_by);
            assert_int_equal(run->verdict, VERDICT_PASS);
            run_destroy(run);
            plan_destroy(plan);
        }
        scenario_errors_deinit(&errors);
        scenario_destroy(scenario);
        free(paths[p]);
    }
    free(paths);
    /* Each of these breaks somewhere. */
    for (uint32_t i = 0; i < 3; i++) assert_true(violated[i] > 0);
}

#define LAG                                                                                    \
    "name: lag\nduration: 10s\n"                                                               \
    "cluster: {regions: [{name: dc1, nodes: [p, r]}]}\nengine: {name: hash}\n"                 \
    "replication: {scheme: single_leader, mode: async, leader: p, reads: any, failover: {by: " \
    "hand}}\n"                                                                                 \
    "workloads:\n  - {name: users, region: dc1, clients: 4, start: 1s, think: 300ms, "         \
    "key_choice: own, sequence: [write, wait 50ms, read, read], read_from: any}\n"             \
    "timeline:\n  - {id: lag, at: 500ms, slow: {from: p, to: r, class: replication, add: "     \
    "3s, both_ways: no}}\n"

static struct made stop(const char *text)
{
    struct made made = {.scenario = load(text)};
    made.plan = plan_of(made.scenario, &(struct plan_request){0});
    made.run = run_execute(made.plan, &(struct run_request){.stop_on_violation = true});
    return made;
}

/* The first violation of a check in the whole run. */
static int64_t first_in_whole(const char *text, const char *check)
{
    struct made made = make(text);
    struct check_input input = run_check_input(made.run);
    struct check_result result = {0};
    check_find(check)->run(&input, &result);
    int64_t first_ns = result.first_ns;
    assert_int_equal(result.verdict, CHECK_VIOLATED);
    check_result_deinit(&result);
    unmake(&made);
    return first_ns;
}

static void test_a_run_ends_at_its_first_unexpected_violation(void **state)
{
    (void)state;
    static const struct {
        const char *expect, *check;
    } cases[] = {
        {"", "read_your_writes"}, /* not named: must hold */
        {"ignore: [{check: read_your_writes, reason: lag}]\n", "monotonic_reads"},
        {"ignore: [{check: read_your_writes, reason: lag}, {check: monotonic_reads, reason: "
         "lag}]\nexpect: {holds: [linearizable]}\n",
         "linearizable"},
        {"expect: {violated: [read_your_writes, monotonic_reads], holds: [linearizable]}\n",
         "linearizable"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[4096];
        snprintf(text, sizeof text, "%s%s", LAG, cases[i].expect);
        int64_t first_ns = first_in_whole(text, cases[i].check);
        struct made made = stop(text);
        assert_non_null(made.run->stopped_by);
        assert_string_equal(made.run->stopped_by->name, cases[i].check);
        assert_true(made.run->stopped_ns == first_ns);
        assert_true(made.run->ended_ns == first_ns);
        assert_int_equal(made.run->verdict, VERDICT_FAIL);
        assert_non_null(strstr(made.run->reason, cases[i].check));
        size_t judged = 0;
        for (size_t e = 0; e < made.run->expectations_count; e++) {
            const struct run_expectation *row = &made.run->expectations[e];
            if (row->unknown) continue;
            judged++;
            assert_ptr_equal(row->check, made.run->stopped_by);
            assert_false(row->met);
            assert_true(row->result.first_ns == first_ns);
            assert_non_null(row->result.explanation);
        }
        assert_int_equal(judged, 1);
        unmake(&made);
    }
}

static void test_a_run_that_expects_its_violations_goes_on(void **state)
{
    (void)state;
    static const char windows[] =
        "expect: {read_your_writes: [{violations: 0, until: 1s}, {violations: 1..}], violated: "
        "[monotonic_reads]}\n";
    static const char *const expect[] = {
        "expect: {violated: [read_your_writes, monotonic_reads]}\n",
        "expect: {violated: [read_your_writes, monotonic_reads, linearizable]}\n", windows};
    for (size_t i = 0; i < sizeof expect / sizeof *expect; i++) {
        char text[4096];
        snprintf(text, sizeof text, "%s%s", LAG, expect[i]);
        struct made whole = make(text), made = stop(text);
        assert_null(made.run->stopped_by);
        assert_int_equal(made.run->verdict, VERDICT_PASS);
        assert_true(made.run->trace_hash == whole.run->trace_hash);
        unmake(&made);
        unmake(&whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shipped_scenarios_are_judged_alike_online_and_afterwards),
        cmocka_unit_test(test_a_run_ends_at_its_first_unexpected_violation),
        cmocka_unit_test(test_a_run_that_expects_its_violations_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
