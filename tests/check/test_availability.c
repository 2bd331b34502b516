/* Goal: availability's fraction and longest gap, the counts and staleness among the measures,
 * the tables and the story. Method: histories by hand with gaps that can be read off the page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/kernel/vtime.h"
#include "tests/support/histories.h"

static void judge_gap(const char *text, int64_t end_ms, uint64_t served_ppm, int64_t gap_ms,
                      int64_t from_ms)
{
    struct history *history = history_of(text);
    struct check_input input = input_of(history);
    input.faults_end_ns = end_ms * NS_PER_MS;
    struct check_result result = run_check("availability", &input);
    assert_int_equal(result.verdict, CHECK_HOLDS);
    assert_int_equal((uint64_t)(result.value * 1e6 + 0.5), served_ppm);
    assert_int_equal(result.duration_ns, gap_ms * NS_PER_MS);
    assert_int_equal(result.first_ns, from_ms * NS_PER_MS);
    assert_int_equal(measure_value(measure_find("longest_outage"), &input), gap_ms * NS_PER_MS);
    check_result_deinit(&result);
    history_destroy(history);
}

static void test_the_gap_runs_from_the_first_unserved_wish_to_the_next_service(void **state)
{
    (void)state;
    judge_gap("A w x=1 100..110\nA w x=2 200..210\nA w x=3 300..305 fail\nA w x=4 400..405 "
              "fail\nA w x=5 500..510",
              0, 600000, 210, 300);
}

static void test_idle_time_is_no_gap(void **state)
{
    (void)state;
    judge_gap("A w x=1 100..110\nA w x=2 9000..9020", 20000, 1000000, 20, 9000);
}

static void test_an_outstanding_operation_keeps_the_gap_open(void **state)
{
    (void)state;
    judge_gap("A w x=1 100..1100 unknown\nB w x=2 120..130\nA w x=3 2000..2010", 0, 666667,
              1880, 130);
}

static void test_an_outage_until_the_end_counts_to_the_end_of_the_run(void **state)
{
    (void)state;
    judge_gap("A w x=1 100..110\nA w x=2 200..\nA w x=3 300..310 fail", 5000, 333333, 4800,
              200);
    judge_gap("A w x=1 100..110 fail", 5000, 0, 4900, 100);
}

static void test_reads_do_not_hide_that_nothing_can_be_written(void **state)
{
    (void)state;
    judge_gap("A w x=1 100..110\nB r x=1 150..160\nA w x=2 200..300 fail\nB r x=1 350..360\nA "
              "w x=3 500..510\nfinal x=3 9000..9001",
              0, 666667, 310, 200);
    judge_gap("B r x= 150..160\nB r x= 200..300 fail\nB r x= 350..360", 0, 666667, 160, 200);
}

static void test_definite_answers_are_service(void **state)
{
    (void)state;
    judge_gap("A cas x=1>2 100..110 fail status=2 saw=7\nA lock L 200..210 fail status=3", 0,
              1000000, 10, 100);
    judge_gap("B res t/1= 100..110 fail status=1", 0, 1000000, 10, 100);
}

static void test_counts_of_operations(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t value;
    } expected[] = {
        {"operations", 6},
        {"acknowledged", 3},
        {"failed", 1},
        {"unknown", 2},
        {"writes_acknowledged", 2},
        {"writes_failed", 1},
        {"writes_unknown", 1},
        {"latency_max", 10 * NS_PER_MS},
        {"availability", 500000},
        {"read_availability", 500000},
        {"lost_writes", 1},
        {"retries", 0},
    };
    struct history *history =
        history_of("A w x=1 100..110\nA i t/1=2 120..125\nA w x=3 200..201 fail\nA w x=4 "
                   "300..\nB r x=1 400..401\nB r x= 500.. \n"
                   "B bind t/1=2 600..601\nfinal x=1 900..901\nfinal t/1= 900..901");
    struct check_input input = input_of(history);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        int64_t value = measure_value(measure_find(expected[i].name), &input);
        if (value != expected[i].value)
            fail_msg("%s is %lld, expected %lld", expected[i].name, (long long)value,
                     (long long)expected[i].value);
    }
    input.until_ns = 350 * NS_PER_MS;
    assert_int_equal(measure_value(measure_find("operations"), &input), 4);
    history_destroy(history);
}

static void test_staleness_is_the_age_of_the_first_certainly_newer_write(void **state)
{
    (void)state;
    static const char *const stale = "A w x=1 10..20\nA w x=2 30..40\nA w x=3 50..60\nB r x=1 "
                                     "100..101\nB r x=2 110..111\nB r x=3 120..121";
    struct history *history = history_of(stale);
    struct check_input input = input_of(history);
    assert_int_equal(measure_value(measure_find("stale_reads"), &input), 2);
    assert_int_equal(measure_value(measure_find("staleness_max"), &input), 60 * NS_PER_MS);
    history_destroy(history);
    history = history_of(
        "A w x=1 10..20\nA w x=2 15..40\nB r x=1 100..101\nB r x= 5..6\nA w y=3 10..20\nA d y "
        "30..40\nB r y= 35..36\nB r z= 1..2\nA w z=4 50..60\nA w z=5 70..80\nB r z=4 75..90");
    input = input_of(history);
    assert_int_equal(
        measure_value(measure_find("stale_reads"), &input),
        0); /* overlapping writes, possible deletes, reads before or during the write */
    history_destroy(history);
}

static void test_tables_are_whole_and_found_by_name(void **state)
{
    (void)state;
    size_t checks = 0, measures = 0;
    for (const struct check *check = check_table; check->name; check++, checks++) {
        assert_ptr_equal(check_find(check->name), check);
        assert_non_null(check->run);
        assert_true(strlen(check->doc) > 20 && strlen(check->source) > 5 && check->needs != 0);
    }
    for (const struct measure *measure = measure_table; measure->name; measure++, measures++) {
        assert_ptr_equal(measure_find(measure->name), measure);
        assert_non_null(measure->value);
        assert_true(strcmp(measure->unit, "count") == 0 || strcmp(measure->unit, "ns") == 0 ||
                    strcmp(measure->unit, "ppm") == 0);
    }
    assert_int_equal(checks, 22);
    assert_true(check_find("no_lost_write")->is_safety);
    assert_false(check_find("availability")->is_safety);
    assert_false(check_find("linearizable")->is_safety); /* not every scheme promises it */
    assert_null(check_find("no_such_check"));
    assert_null(measure_find("no_such_measure"));
}

static void test_an_empty_history_violates_nothing(void **state)
{
    (void)state;
    struct history *history = history_of("");
    struct check_input input = input_of(history);
    for (const struct check *check = check_table; check->name; check++) {
        struct check_result result = run_check(check->name, &input);
        assert_true(result.verdict != CHECK_VIOLATED && result.verdict != CHECK_HOLDS);
        assert_int_equal(result.violations, 0);
        check_result_deinit(&result);
    }
    for (const struct measure *measure = measure_table; measure->name; measure++)
        assert_true(measure_value(measure, &input) == 0 || strcmp(measure->unit, "ppm") == 0);
    history_destroy(history);
}

/* ---- story ---- */

static void note(struct timeline *timeline, int64_t ms, int64_t until_ms,
                 enum timeline_kind kind, const char *what, const char *text)
{
    timeline_add(timeline,
                 &(struct timeline_entry){.time_ns = ms * NS_PER_MS,
                                          .until_ns = until_ms * NS_PER_MS,
                                          .kind = (uint8_t)kind,
                                          .what = what,
                                          .endpoint = UINT32_MAX,
                                          .peer = UINT32_MAX,
                                          .role = kind == TIMELINE_ROLE},
                 "%s", text);
}

static void test_the_story_tells_operations_and_faults_in_time_order(void **state)
{
    (void)state;
    struct history *history = history_of("A i signups/51=17 5050..5052 owner=17 node=0\nB i "
                                         "signups/51=4031 64150..64152 owner=4031 node=2\n"
                                         "final signups/51=4031 90000..90001 node=2");
    struct timeline timeline = {0};
    note(&timeline, 100, 100, TIMELINE_FAULT, "slow", "long over");
    note(&timeline, 5000, 1000000, TIMELINE_FAULT, "cut",
         "replication from db-a to db-c is cut");
    note(&timeline, 60000, 60000, TIMELINE_FAULT, "crash", "db-a crashes");
    note(&timeline, 64000, 64000, TIMELINE_ROLE, "leader", "db-c becomes leader");
    note(&timeline, 70000, 70000, TIMELINE_NODE, "up", "db-a is up");
    struct check_input input = input_of(history);
    input.timeline = &timeline;
    struct check_result result = run_check("unique_keys", &input);
    char *story = check_story(check_find("unique_keys"), &input, &result);
    assert_string_equal(story, "  0:05.000  fault     replication from db-a to db-c is cut\n"
                               "  0:05.050  client    client 0 inserts the row of owner 17: "
                               "acknowledged as signups/51, by db-a after 2ms\n"
                               "  1:00.000  fault     db-a crashes\n"
                               "  1:04.000  role      db-c becomes leader\n"
                               "  1:04.150  client    client 1 inserts the row of owner 4031: "
                               "acknowledged as signups/51, by db-c after 2ms\n");
    free(story);
    check_result_deinit(&result);
    timeline_deinit(&timeline);
    history_destroy(history);
}

static void test_a_long_story_keeps_operations_and_faults_and_counts_the_rest(void **state)
{
    (void)state;
    struct history *history = history_of("A i t/1=1 10..20\nB i t/1=2 90000..90001");
    struct timeline timeline = {0};
    for (int i = 0; i < 40; i++)
        note(&timeline, 100 + i, 100 + i, TIMELINE_HEAL, "heal", "something heals");
    for (int i = 0; i < 5; i++)
        note(&timeline, 500 + i, 500 + i, TIMELINE_FAULT, "crash", "db-a crashes");
    struct check_input input = input_of(history);
    input.timeline = &timeline;
    struct check_result result = run_check("unique_keys", &input);
    char *story = check_story(check_find("unique_keys"), &input, &result);
    size_t lines = 0, faults = 0, operations = 0;
    for (const char *at = story; *at; at++) lines += *at == '\n';
    for (const char *at = story; (at = strstr(at, "crashes")); at++) faults++;
    for (const char *at = story; (at = strstr(at, "inserts")); at++) operations++;
    assert_int_equal(lines, 14);
    assert_int_equal(faults, 5);
    assert_int_equal(operations, 2);
    assert_non_null(strstr(story, "(34 more timeline entries in between)"));
    free(story);
    check_result_deinit(&result);
    timeline_deinit(&timeline);
    history_destroy(history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_gap_runs_from_the_first_unserved_wish_to_the_next_service),
        cmocka_unit_test(test_idle_time_is_no_gap),
        cmocka_unit_test(test_an_outstanding_operation_keeps_the_gap_open),
        cmocka_unit_test(test_an_outage_until_the_end_counts_to_the_end_of_the_run),
        cmocka_unit_test(test_reads_do_not_hide_that_nothing_can_be_written),
        cmocka_unit_test(test_definite_answers_are_service),
        cmocka_unit_test(test_counts_of_operations),
        cmocka_unit_test(test_staleness_is_the_age_of_the_first_certainly_newer_write),
        cmocka_unit_test(test_tables_are_whole_and_found_by_name),
        cmocka_unit_test(test_an_empty_history_violates_nothing),
        cmocka_unit_test(test_the_story_tells_operations_and_faults_in_time_order),
        cmocka_unit_test(test_a_long_story_keeps_operations_and_faults_and_counts_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
