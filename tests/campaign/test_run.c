/* Goal: a verdict is honest. What was expected is judged in its window, what was not expected
 * fails, what had no effect or went over a limit is INVALID and says why, what is undecided is
 * not met; the smallest change is the smallest.
 * Method: runs of a small scenario whose counts are known beforehand (made.h), and variations
 * of it that break one rule each.
 */
#include "tests/campaign/made.h"

#include "sim/campaign/result.h"
#include "sim/campaign/variants.h"

static const struct run_expectation *row_of(const struct run *run, const char *name)
{
    for (size_t i = 0; i < run->expectations_count; i++) {
        const struct run_expectation *e = &run->expectations[i];
        if (!strcmp(e->expectation ? e->expectation->name : e->check->name, name)) return e;
    }
    return NULL;
}

/* The verdict of a text, and a word that its reason must contain. */
static void expect_verdict(const char *text, enum verdict verdict, const char *says)
{
    struct made made = make(text);
    if (made.run->verdict != verdict)
        print_error("%s, not %s: %s\n", verdict_words[made.run->verdict],
                    verdict_words[verdict], made.run->reason ? made.run->reason : "");
    assert_int_equal(made.run->verdict, verdict);
    if (says) {
        assert_non_null(made.run->reason);
        if (!strstr(made.run->reason, says))
            print_error("'%s' is not in: %s\n", says, made.run->reason);
        assert_non_null(strstr(made.run->reason, says));
    }
    unmake(&made);
}

/* ---- expectations ---- */

static void test_violations_are_counted_in_the_window_that_is_given(void **state)
{
    (void)state;
    static const struct {
        const char *window;
        int64_t count;
    } windows[] = {{"", 40},
                   {", at: 2s", 0},
                   {", at: 4s", 20},
                   {", until: 4s", 20},
                   {", from: 4s", 20},
                   {", from: 3s, until: 5s", 20},
                   {", from: 6s", 0},
                   {", at: 2060ms", 1},
                   {", from: 5900ms", 1}};
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        char text[4096];
        snprintf(text, sizeof text, "%sexpect: {no_lost_write: {violations: %d%s}}\n", LOSS,
                 (int)windows[i].count, windows[i].window);
        struct made made = make(text);
        if (made.run->expectations[0].observed != windows[i].count)
            print_error("window '%s': %d\n", windows[i].window,
                        (int)made.run->expectations[0].observed);
        assert_int_equal(made.run->expectations[0].observed, windows[i].count);
        assert_true(made.run->expectations[0].met);
        unmake(&made);
    }
}

static void test_both_ends_of_a_range_count(void **state)
{
    (void)state;
    expect_verdict(LOSS "expect: {no_lost_write: {violations: 40}}\n", VERDICT_PASS, NULL);
    expect_verdict(LOSS "expect: {no_lost_write: {violations: 40..50}}\n", VERDICT_PASS, NULL);
    expect_verdict(LOSS "expect: {no_lost_write: {violations: 1..40}}\n", VERDICT_PASS, NULL);
    expect_verdict(LOSS "expect: {no_lost_write: {violations: 40..}}\n", VERDICT_PASS, NULL);
    expect_verdict(LOSS "expect: {violated: [no_lost_write]}\n", VERDICT_PASS, NULL);
    expect_verdict(LOSS "expect: {no_lost_write: {violations: 39}}\n", VERDICT_FAIL, NULL);
    expect_verdict(LOSS "expect: {no_lost_write: {violations: 1..39}}\n", VERDICT_FAIL, NULL);
    expect_verdict(LOSS "expect: {no_lost_write: {violations: 41..}}\n", VERDICT_FAIL, NULL);
    expect_verdict(LOSS "expect: {holds: [no_lost_write]}\n", VERDICT_FAIL, NULL);
}

static void test_several_windows_of_one_check_are_judged_each(void **state)
{
    (void)state;
    struct made made = make(LOSS "expect: {no_lost_write: [{violations: 20, at: 4s}, "
                                 "{violations: 20, from: 4s}, {violations: 3, until: 3s}]}\n");
    assert_int_equal(made.run->expectations_count, 3);
    assert_true(made.run->expectations[0].met && made.run->expectations[1].met);
    assert_false(made.run->expectations[2].met);
    assert_int_equal(made.run->verdict, VERDICT_FAIL);
    unmake(&made);
}

static void test_a_violation_that_nobody_expects_fails_the_run(void **state)
{
    (void)state;
    struct made made = make(LOSS "expect: {measure: {leader_changes: 1}}\n");
    const struct run_expectation *e = row_of(made.run, "no_lost_write");
    assert_int_equal(made.run->verdict, VERDICT_FAIL);
    assert_non_null(e);
    assert_null(e->expectation);
    assert_false(e->met);
    assert_int_equal(e->observed, 40);
    assert_non_null(strstr(e->text, "not named by the scenario"));
    assert_true(row_of(made.run, "leader_changes")->met);
    assert_null(row_of(made.run, "unique_keys")); /* what holds unasked is not listed */
    unmake(&made);
}

static void test_what_is_ignored_needs_a_reason_and_still_does_not_hold(void **state)
{
    (void)state;
    struct made made =
        make(LOSS "ignore: [{check: no_lost_write, reason: asynchronous by choice}]\n");
    assert_int_equal(made.run->verdict, VERDICT_PASS);
    assert_null(row_of(made.run, "no_lost_write"));
    assert_false(run_holds(made.run));
    unmake(&made);
    static const char without[] = LOSS "ignore: [{check: no_lost_write}]\n";
    struct scenario_errors errors = {0};
    assert_null(scenario_load_text("t.yaml", without, sizeof without - 1, &errors));
    assert_int_equal(errors.count, 1);
    assert_non_null(strstr(errors.items[0], "reason"));
    scenario_errors_deinit(&errors);
}

static void test_measures_and_availability_are_expectations_like_any_other(void **state)
{
    (void)state;
    /* Ninety of a hundred writes are acknowledged; nobody is served from 5.950 to 7.050 at
     * least. */
    struct made made =
        make(LOSS "expect:\n"
                  "  no_lost_write: {violations: 40}\n"
                  "  availability: [{fraction: 90%, longest_gap: 1s..1200ms}, {fraction: 100%, "
                  "until: 5s}, {fraction: 95%..100%, from: 1s}]\n"
                  "  measure: {writes_acknowledged: 90, writes_unknown: 10, lost_writes: 40, "
                  "leader_changes: 1}\n");
    const struct run *run = made.run;
    assert_int_equal(run->expectations_count, 8);
    for (size_t i = 0; i < run->expectations_count; i++) {
        bool is_wrong = run->expectations[i].check && i == 3; /* 81 of 91 from 1 s */
        if (run->expectations[i].met == is_wrong)
            print_error("%s: %s\n", run->expectations[i].text,
                        run->expectations[i].observed_text);
        assert_int_equal(run->expectations[i].met, !is_wrong);
    }
    assert_int_equal(run->expectations[1].observed, 900000);
    assert_int_equal(run->verdict, VERDICT_FAIL);
    unmake(&made);
}

static void test_unknown_is_never_met_and_says_why(void **state)
{
    (void)state;
    /* a stays down: there is nothing to compare b with. */
    static const char alone[] = WORLD
        "timeline: [{id: die, at: 6s, crash: {node: a}}]\nexpect: {holds: [convergence]}\n";
    struct scenario *scenario = load(alone);
    struct setting sets[] = {{"finish.restart", "no"},
                             {"ignore", "[{check: no_lost_write, reason: of a}]"}};
    struct plan *plan =
        plan_of(scenario, &(struct plan_request){.sets = sets, .sets_count = 2});
    struct run *run = run_execute(plan, &(struct run_request){0});
    assert_int_equal(run->verdict, VERDICT_UNKNOWN);
    assert_int_equal(exit_of_verdict(run->verdict), EXIT_UNDECIDED);
    assert_true(row_of(run, "convergence")->unknown);
    assert_false(row_of(run, "convergence")->met);
    assert_non_null(strstr(row_of(run, "convergence")->observed_text, "Only"));
    assert_false(run_holds(run));
    run_destroy(run);
    plan_destroy(plan);
    scenario_destroy(scenario);
}

static void test_a_check_of_final_states_is_not_met_when_nothing_was_read_back(void **state)
{
    (void)state;
    static const char unread[] = WORLD "expect: {holds: [no_lost_write]}\n";
    struct scenario *scenario = load(unread);
    struct setting set = {"finish.read_all", "no"};
    for (uint32_t with = 0; with < 2; with++) {
        struct plan *plan =
            plan_of(scenario, &(struct plan_request){.sets = &set, .sets_count = with});
        struct run *run = run_execute(plan, &(struct run_request){0});
        assert_int_equal(run->verdict, with ? VERDICT_UNKNOWN : VERDICT_PASS);
        assert_int_equal(run->expectations[0].met, !with);
        run_destroy(run);
        plan_destroy(plan);
    }
    scenario_destroy(scenario);
}

static void test_a_failure_outweighs_an_unknown(void **state)
{
    (void)state;
    struct scenario *scenario =
        load(LOSS "expect: {holds: [convergence], measure: {leader_changes: 7}}\nignore: "
                  "[{check: no_lost_write, reason: known}]\n");
    struct setting set = {"finish.restart", "no"};
    struct plan *plan =
        plan_of(scenario, &(struct plan_request){.sets = &set, .sets_count = 1});
    struct run *run = run_execute(plan, &(struct run_request){0});
    assert_true(row_of(run, "convergence")->unknown);
    assert_int_equal(run->verdict, VERDICT_FAIL);
    run_destroy(run);
    plan_destroy(plan);
    scenario_destroy(scenario);
}

/* ---- evidence ---- */

static void test_an_entry_without_effect_makes_the_run_invalid_and_is_named(void **state)
{
    (void)state;
    expect_verdict(WORLD
                   "timeline: [{id: idle, at: 2s, cut: {from: b, to: w, class: repair}}]\n",
                   VERDICT_INVALID, "'idle' (cut) had no effect");
    expect_verdict(WORLD "timeline: [{id: never, when: {leader_elected: b}, evidence: "
                         "required, crash: {node: b}}]\n",
                   VERDICT_INVALID, "'never' (crash) never fired");
    /* INVALID outweighs a failure. */
    expect_verdict(WORLD "timeline: [{id: idle, at: 2s, cut: {from: b, to: w, class: "
                         "repair}}]\nexpect: {measure: {leader_changes: 9}}\n",
                   VERDICT_INVALID, "idle");
}

static void test_optional_and_inert_entries_need_no_effect(void **state)
{
    (void)state;
    expect_verdict(WORLD "timeline: [{id: idle, at: 2s, evidence: optional, cut: {from: b, to: "
                         "w, class: repair}}]\n",
                   VERDICT_PASS, NULL);
    expect_verdict(WORLD
                   "timeline: [{id: never, when: {leader_elected: b}, crash: {node: b}}]\n",
                   VERDICT_PASS, NULL);
    static const char text[] =
        WORLD "timeline: [{id: idle, at: 2s, cut: {from: b, to: w, class: repair}}]\n"
              "variants: [{name: v, set: {seed: 4}, inert: [idle], expect: {}}]\n";
    for (uint32_t variant = 0; variant < 2; variant++) {
        struct made made = make_variant(text, variant);
        assert_int_equal(made.run->verdict, variant ? VERDICT_PASS : VERDICT_INVALID);
        assert_int_equal(made.run->evidence_count, 1);
        assert_int_equal(made.run->evidence[0].missing, !variant);
        assert_true(made.run->evidence[0].fired);
        unmake(&made);
    }
}

/* ---- exit status ---- */

static void test_exit_statuses_take_precedence_2_3_1_4_0(void **state)
{
    (void)state;
    static const int order[] = {EXIT_BAD_INPUT, EXIT_INVALID, EXIT_NOT_MET, EXIT_UNDECIDED,
                                EXIT_MET};
    static const int numbers[] = {2, 3, 1, 4, 0};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(order[i], numbers[i]);
        for (size_t k = 0; k < 5; k++)
            assert_int_equal(exit_worse(order[i], order[k]), order[i < k ? i : k]);
    }
    assert_int_equal(exit_of_verdict(VERDICT_PASS), 0);
    assert_int_equal(exit_of_verdict(VERDICT_FAIL), 1);
    assert_int_equal(exit_of_verdict(VERDICT_INVALID), 3);
    assert_int_equal(exit_of_verdict(VERDICT_UNKNOWN), 4);
}

/* ---- limits ---- */

static void test_a_run_over_its_events_is_invalid_and_shows_its_last(void **state)
{
    (void)state;
    struct made made =
        make(LOSS "limits: {events: 500}\nexpect: {no_lost_write: {violations: 40}}\n");
    assert_int_equal(made.run->verdict, VERDICT_INVALID);
    assert_int_equal(made.run->stop, KERNEL_LIMIT_EVENTS);
    assert_int_equal(made.run->events, 500);
    /* The limit is the reason, not the entries that it kept from firing. */
    assert_non_null(strstr(made.run->reason, "limit of events at 0:0"));
    size_t lines = 0;
    for (const char *p = made.run->reason; (p = strchr(p, '\n')); p++) lines++;
    assert_int_equal(lines, 16);
    unmake(&made);
}

static void test_a_limit_met_at_any_event_ends_the_run_whole(void **state)
{
    (void)state;
    struct made whole = make(LOSS "expect: {no_lost_write: {violations: 40}}\n");
    uint64_t events = whole.run->events;
    uint64_t hash = whole.run->trace_hash;
    unmake(&whole);
    for (uint64_t limit = 1; limit <= events; limit += events / 25) {
        char text[4096];
        snprintf(text, sizeof text,
                 "%slimits: {events: %d}\nexpect: {no_lost_write: {violations: 40}}\n", LOSS,
                 (int)limit);
        struct made made = make(text);
        json_t *json = result_json(made.run);
        assert_int_equal(made.run->verdict, VERDICT_INVALID);
        assert_int_equal(made.run->events, limit);
        assert_true(made.run->trace_hash != hash);
        json_decref(json);
        unmake(&made);
    }
    char text[4096];
    snprintf(text, sizeof text,
             "%slimits: {events: %d}\nexpect: {no_lost_write: {violations: 40}}\n", LOSS,
             (int)events);
    expect_verdict(text, VERDICT_PASS, NULL);
}

static void test_a_run_over_its_memory_is_invalid(void **state)
{
    (void)state;
    /* What is under way on the network, what disks and nodes hold, what clients remember: each
     * alone is too much. */
    static const char *const sets[][2] = {{"workloads.w.value_size", "4MiB"},
                                          {"workloads.w.value_size", "40KiB"},
                                          {"workloads.w.rate", "3000/s"}};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        struct scenario *scenario = load(WORLD "limits: {memory: 2MiB}\n");
        struct setting set[] = {{sets[i][0], sets[i][1]}, {"finish.read_all", "no"}};
        struct plan *plan =
            plan_of(scenario, &(struct plan_request){.sets = set, .sets_count = 2});
        struct run *run = run_execute(plan, &(struct run_request){0});
        assert_int_equal(run->stop, KERNEL_LIMIT_MEMORY);
        assert_int_equal(run->verdict, VERDICT_INVALID);
        assert_non_null(strstr(run->reason, "limit of memory"));
        run_destroy(run);
        plan_destroy(plan);
        scenario_destroy(scenario);
    }
    expect_verdict(WORLD "limits: {memory: 2MiB}\n", VERDICT_PASS, NULL);
}

static void test_a_run_over_its_wall_time_is_invalid_and_does_not_hang(void **state)
{
    (void)state;
    struct scenario *scenario = load(WORLD "limits: {wall: 1ms}\n");
    struct setting sets[] = {{"duration", "1000h"}, {"workloads.w.rate", "1000/s"}};
    struct plan *plan =
        plan_of(scenario, &(struct plan_request){.sets = sets, .sets_count = 2});
    struct run *run = run_execute(plan, &(struct run_request){0});
    assert_int_equal(run->stop, KERNEL_LIMIT_WALL);
    assert_int_equal(run->verdict, VERDICT_INVALID);
    assert_non_null(strstr(run->reason, "limit of wall time"));
    run_destroy(run);
    plan_destroy(plan);
    scenario_destroy(scenario);
}

/* ---- divergence ---- */

static struct run *follow(const struct plan *plan, const struct run *first)
{
    return run_execute(plan, &(struct run_request){.record = true, .reference = first->kernel});
}

static void test_a_planted_divergence_is_invalid_and_shows_both_sides(void **state)
{
    (void)state;
    static const struct {
        const char *path, *value;
    } changes[] = {{"seed", "4"},                     /* other draws */
                   {"workloads.w.value_size", "33B"}, /* other payloads */
                   {"duration", "9s"},                /* an early end */
                   {"timeline.die.at", "6001ms"}};    /* the same until six seconds */
    struct scenario *scenario = load(LOSS "expect: {no_lost_write: {violations: 40}}\n");
    struct plan *plan = plan_of(scenario, &(struct plan_request){0});
    struct run *first = run_execute(plan, &(struct run_request){.record = true});
    struct run *same = follow(plan, first);
    assert_int_equal(same->verdict, VERDICT_PASS);
    assert_int_equal(same->trace_hash, first->trace_hash);
    run_destroy(same);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct setting set = {changes[i].path, changes[i].value};
        struct plan *other =
            plan_of(scenario, &(struct plan_request){.sets = &set, .sets_count = 1});
        struct run *second = follow(other, first);
        assert_int_equal(second->stop, KERNEL_DIVERGED);
        assert_int_equal(second->verdict, VERDICT_INVALID);
        assert_non_null(strstr(second->reason, "two runs of the same seed differ"));
        assert_non_null(strstr(second->reason, "first run:"));
        assert_non_null(strstr(second->reason, "second run:"));
        run_destroy(second);
        plan_destroy(other);
    }
    run_destroy(first);
    plan_destroy(plan);
    scenario_destroy(scenario);
}

/* ---- what holds, and the smallest change ---- */

static void test_a_run_holds_when_it_passes_and_nothing_is_violated(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool holds;
    } cases[] = {{WORLD, true},
                 {LOSS "expect: {no_lost_write: {violations: 40}}\n",
                  false}, /* as expected, and lost all the same */
                 {WORLD "expect: {measure: {leader_changes: 5}}\n", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct made made = make(cases[i].text);
        assert_int_equal(run_holds(made.run), cases[i].holds);
        unmake(&made);
    }
}

static struct smallest_change smallest(struct scenario *scenario)
{
    return smallest_change_find(scenario, &(struct plan_request){0});
}

static void test_the_smallest_change_drops_what_is_not_needed(void **state)
{
    (void)state;
    struct scenario *scenario =
        load(LOSS "expect: {no_lost_write: {violations: 40}}\n"
                  "variants:\n"
                  "  - {name: two, set: {workloads.w.value_size: 64B, timeline.cut.cut.class: "
                  "control}, inert: [cut], expect: {holds: all}}\n");
    struct smallest_change change = smallest(scenario);
    assert_true(change.found);
    assert_string_equal(change.variant, "two");
    assert_int_equal(change.count, 1);
    assert_string_equal(change.settings[0]->path, "timeline.cut.cut.class");
    assert_string_equal(change.settings[0]->value, "control");
    assert_int_equal(change.runs, 2);
    scenario_destroy(scenario);
}

static void test_the_smallest_change_keeps_both_settings_when_both_are_needed(void **state)
{
    (void)state;
    /* Two replicas that follow b: without either cut healed its half of the loss remains. */
    struct scenario *scenario =
        load("name: two-causes\nseed: 3\nduration: 10s\n"
             "cluster: {regions: [{name: dc1, nodes: [a, b]}]}\n"
             "engine: {name: hash}\nreplication: {scheme: single_leader, leader: a}\n"
             "finish: {quiesce: 2s}\n"
             "workloads: [{name: w, rate: 10/s, start: 50ms, key_choice: unique, mix: {write: "
             "100%}}]\n"
             "timeline:\n"
             "  - {id: cut, at: 2s, cut: {from: a, to: b, class: replication}}\n"
             "  - {id: die, at: 6s, crash: {node: a}}\n"
             "  - {id: promote, at: 7s, promote: {node: b}}\n"
             "  - {id: wipe, at: 8s, reboot: {node: b, mode: all_lost}}\n"
             "  - {id: lie, at: 1s, lying_sync: {node: b}}\n"
             "expect: {violated: [no_lost_write]}\n"
             "variants:\n"
             "  - {name: both, set: {timeline.cut.cut.class: control, timeline.lie.at: 9s, "
             "workloads.w.value_size: 64B}, inert: [cut, lie],\n"
             "     expect: {holds: all}}\n");
    struct smallest_change change = smallest(scenario);
    assert_true(change.found);
    assert_int_equal(change.count, 2);
    assert_string_equal(change.settings[0]->path, "timeline.cut.cut.class");
    assert_string_equal(change.settings[1]->path, "timeline.lie.at");
    scenario_destroy(scenario);
}

static void test_no_change_is_found_when_no_variant_holds(void **state)
{
    (void)state;
    struct scenario *scenario = load(LOSS "expect: {no_lost_write: {violations: 40}}\n"
                                          "variants: [{name: seed, set: {seed: 4}, expect: "
                                          "{no_lost_write: {violations: 40}}}]\n");
    struct smallest_change change = smallest(scenario);
    assert_false(change.found);
    assert_int_equal(change.count, 0);
    assert_int_equal(change.runs, 1);
    scenario_destroy(scenario);
}

static void test_of_two_variants_the_one_with_fewer_settings_wins(void **state)
{
    (void)state;
    struct scenario *scenario =
        load(LOSS "expect: {no_lost_write: {violations: 40}}\n"
                  "variants:\n"
                  "  - {name: long, set: {replication.mode: semi_sync, replication.fallback: "
                  "never}, inert: [cut, promote], expect: {holds: all}}\n"
                  "  - {name: short, set: {timeline.cut.cut.class: control}, inert: [cut], "
                  "expect: {holds: all}}\n");
    struct smallest_change change = smallest(scenario);
    assert_true(change.found);
    assert_int_equal(change.count, 1);
    scenario_destroy(scenario);
}

static void test_the_row_of_a_variant_names_its_settings_and_its_losses(void **state)
{
    (void)state;
    struct made made = make_variant(
        LOSS "expect: {no_lost_write: {violations: 40}}\n"
             "variants: [{name: v, set: {seed: 4, workloads.w.value_size: 64B}}]\n",
        1);
    struct variant_row row = variant_row(made.run);
    assert_string_equal(row.name, "v");
    assert_int_equal(row.verdict, VERDICT_PASS);
    assert_false(row.holds);
    assert_int_equal(row.lost_writes, 40);
    assert_int_equal(row.reused_keys, 0);
    assert_in_range(row.longest_outage_ns, 1000 * NS_PER_MS, 1200 * NS_PER_MS);
    assert_string_equal(row.settings, "seed: 4, workloads.w.value_size: 64B");
    variant_row_deinit(&row);
    unmake(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_violations_are_counted_in_the_window_that_is_given),
        cmocka_unit_test(test_both_ends_of_a_range_count),
        cmocka_unit_test(test_several_windows_of_one_check_are_judged_each),
        cmocka_unit_test(test_a_violation_that_nobody_expects_fails_the_run),
        cmocka_unit_test(test_what_is_ignored_needs_a_reason_and_still_does_not_hold),
        cmocka_unit_test(test_measures_and_availability_are_expectations_like_any_other),
        cmocka_unit_test(test_unknown_is_never_met_and_says_why),
        cmocka_unit_test(test_a_check_of_final_states_is_not_met_when_nothing_was_read_back),
        cmocka_unit_test(test_a_failure_outweighs_an_unknown),
        cmocka_unit_test(test_an_entry_without_effect_makes_the_run_invalid_and_is_named),
        cmocka_unit_test(test_optional_and_inert_entries_need_no_effect),
        cmocka_unit_test(test_exit_statuses_take_precedence_2_3_1_4_0),
        cmocka_unit_test(test_a_run_over_its_events_is_invalid_and_shows_its_last),
        cmocka_unit_test(test_a_limit_met_at_any_event_ends_the_run_whole),
        cmocka_unit_test(test_a_run_over_its_memory_is_invalid),
        cmocka_unit_test(test_a_run_over_its_wall_time_is_invalid_and_does_not_hang),
        cmocka_unit_test(test_a_planted_divergence_is_invalid_and_shows_both_sides),
        cmocka_unit_test(test_a_run_holds_when_it_passes_and_nothing_is_violated),
        cmocka_unit_test(test_the_smallest_change_drops_what_is_not_needed),
        cmocka_unit_test(test_the_smallest_change_keeps_both_settings_when_both_are_needed),
        cmocka_unit_test(test_no_change_is_found_when_no_variant_holds),
        cmocka_unit_test(test_of_two_variants_the_one_with_fewer_settings_wins),
        cmocka_unit_test(test_the_row_of_a_variant_names_its_settings_and_its_losses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
