/* Goal: unique_keys, external_references and private reads count ids exactly, in the incident
 * they are named for too. Method: histories by hand, and a generated replica of GitHub's
 * September 2012 schedule with its known counts (incidents S01). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/kernel/vtime.h"
#include "tests/support/histories.h"

#define HOLDS(name, text) judge_text(name, text, CHECK_HOLDS, 0)
#define FIRES(name, count, text) judge_text(name, text, CHECK_VIOLATED, count)

static int64_t measure_of(const char *name, const struct check_input *input)
{
    const struct measure *measure = measure_find(name);
    assert_non_null(measure);
    return measure_value(measure, input);
}

static void test_each_later_holder_of_a_key_counts_once(void **state)
{
    (void)state;
    HOLDS("unique_keys", "A i t/1=1 10..20\nA i t/2=2 30..40\nB i u/1=3 30..40");
    FIRES("unique_keys", 1, "A i t/1=1 10..20\nB i t/1=2 30..40");
    FIRES("unique_keys", 2, "A i t/1=1 10..20\nB i t/1=2 30..40\nC i t/1=3 50..60");
    FIRES("unique_keys", 1, "A i t/1=1 10..20\nA d t/1 21..22\nB i t/1=2 30..40");
}

static void test_inserts_without_acknowledgement_neither_count_nor_hold(void **state)
{
    (void)state;
    HOLDS("unique_keys", "A i t/?=1 10.. unknown\nB i t/1=2 30..40\nC r t/1=1 50..60");
    HOLDS("unique_keys", "A i t/1=1 10..20 fail\nB i t/1=2 30..40");
    judge_text("unique_keys", "A w t/1=1 10..20", CHECK_NOT_APPLICABLE, 0);
}

static void test_the_reissue_is_the_one_acknowledged_later_and_is_told_in_full(void **state)
{
    (void)state;
    struct history *history = history_of("A i signups/51=17 5000..5050 owner=17 node=0\nB i "
                                         "signups/51=4031 64100..64150 owner=4031 node=2\n"
                                         "final signups/51=4031 90000..90001 node=2");
    struct check_input input = input_of(history);
    struct check_result result = run_check("unique_keys", &input);
    assert_string_equal(result.explanation,
                        "1 key was issued again. Row signups/51 was issued twice: to owner 17 "
                        "at 0:05.050 by db-a and to owner 4031 at 1:04.150 by "
                        "db-c; the first row, acknowledged, was overwritten.");
    assert_int_equal(result.witness_count, 2);
    assert_int_equal(result.violating_count, 1);
    assert_int_equal(result.violating[0], 1);
    assert_int_equal(result.first_ns, 64150 * NS_PER_MS);
    check_result_deinit(&result);
    history_destroy(history);
}

static void test_ids_bound_to_two_owners_count_once(void **state)
{
    (void)state;
    HOLDS("external_references",
          "A i t/1=1 10..20 owner=1\nA bind t/1=1 21..22 owner=1\nfinal t/1=1 90..91");
    FIRES("external_references", 1,
          "A i t/1=1 10..20 owner=1\nA bind t/1=1 21..22 owner=1\nB i t/1=2 30..40 owner=2\nB "
          "bind t/1=2 41..42 owner=2\nfinal t/1=1 90..91");
    FIRES("external_references", 1,
          "A i t/1=1 10..20 owner=1\nA bind t/1=1 21..22 owner=1\nB i t/1=2 30..40 owner=2\nB "
          "bind t/1=2 41..42 unknown owner=2\nfinal t/1=2 90..91");
    FIRES("external_references", 1,
          "A i t/1=1 10..20 owner=1\nA bind t/1=1 21..22\nB bind t/1=2 41..42 owner=2\nfinal "
          "t/1=1 90..91"); /* owner by the insert's token */
    judge_text("external_references", "A i t/1=1 10..20 owner=1\nB i t/1=2 30..40 owner=2",
               CHECK_NOT_APPLICABLE, 0);
}

static void test_the_last_owner_must_be_the_rows_owner(void **state)
{
    (void)state;
    static const char base[] = "A i t/?=1 10.. unknown owner=1\nB i t/1=2 30..40 owner=2\nB "
                               "bind t/1=2 41..42 owner=2\n";
    char text[512];
    snprintf(text, sizeof text, "%sfinal t/1=1 90..91", base);
    FIRES("external_references", 1, text); /* the row is owner 1's, the reference names 2 */
    snprintf(text, sizeof text, "%sfinal t/1=2 90..91", base);
    HOLDS("external_references", text);
    snprintf(text, sizeof text, "%sfinal t/1= 90..91", base);
    HOLDS("external_references", text); /* a lost row is no_lost_write's business */
    snprintf(text, sizeof text, "%sC bind t/1=1 50.. unknown owner=1\nfinal t/1=1 90..91",
             base);
    HOLDS("external_references", text); /* an unknown bind may have set it right */
    snprintf(text, sizeof text,
             "%sC bind t/1=1 50.. unknown owner=1\nfinal t/1=1 90..91\nfinal2 t/1=2 90..91",
             base);
    FIRES("external_references", 1, text); /* the second store was read back: it did not */
}

static void test_private_reads_are_of_other_owners_private_rows(void **state)
{
    (void)state;
    struct history *history =
        history_of("A i t/1=1 10..20 owner=17 private\nA i t/2=2 21..22 owner=18\nA i t/3=3 "
                   "23..24 owner=19 private\n"
                   "D res t/1=1 30..31 owner=40\nD res t/2=2 32..33 owner=40\nD res t/3=3 "
                   "34..35 owner=19\nD res t/1=1 36..37 owner=41\n"
                   "D res t/1= 38..39 owner=42\nD res t/1=1 40..41 fail owner=42");
    struct check_input input = input_of(history);
    assert_int_equal(measure_of("private_reads", &input), 2);
    input.until_ns = 32 * NS_PER_MS;
    assert_int_equal(measure_of("private_reads", &input), 1);
    history_destroy(history);
}

/* S01: db-a issues 600 ids until t = 60 s, db-c restarts at 51 and issues 4,200 until t = 480
 * s; after t = 600 s db-a goes on at 601, which the second store has from db-c. By 480 s 550
 * keys are reused; db-c's rows are lost when db-a is the leader at the end. */
static void test_github_2012_counts_550_reused_keys_and_4200_lost_rows(void **state)
{
    (void)state;
    struct history *history = history_create();
    struct history_op op = {.table = history_intern_string(history, "signups/"),
                            .owner = HISTORY_NONE,
                            .session = HISTORY_NONE,
                            .context = HISTORY_NONE};
    uint32_t owner = 0;
    for (int64_t ms = 50; ms < 720000; ms += 100) {
        if (ms >= 480000 && ms < 600000) continue;
        uint32_t id = ms < 60000    ? (uint32_t)(ms / 100) + 1
                      : ms < 480000 ? 51 + (uint32_t)(ms - 60000) / 100
                                    : 601 + (uint32_t)(ms - 600000) / 100;
        char key[32];
        snprintf(key, sizeof key, "signups/%u", id);
        op.type = HISTORY_INSERT;
        op.store = 0;
        op.key = history_intern_string(history, key);
        op.token = op.owner = ++owner;
        op.invoke_ns = ms * NS_PER_MS;
        op.node = ms >= 60000 && ms < 480000 ? 2 : 0;
        size_t index = history_invoke(history, &op);
        history_return(history, index, op.invoke_ns + NS_PER_MS, OUTCOME_OK);
        op.type = HISTORY_BIND;
        op.store = 1;
        op.invoke_ns += 2 * NS_PER_MS;
        index = history_invoke(history, &op);
        history_return(history, index, op.invoke_ns + NS_PER_MS, OUTCOME_OK);
    }
    op = (struct history_op){.type = HISTORY_READ,
                             .table = HISTORY_NONE,
                             .owner = HISTORY_NONE,
                             .session = HISTORY_NONE,
                             .context = HISTORY_NONE,
                             .final_read = true,
                             .level = HISTORY_LEVEL_LEADER};
    for (uint32_t id = 1; id <= 4250;
         id++) { /* db-a's rows: 1..600, 601..1800; nobody else's */
        char key[32];
        snprintf(key, sizeof key, "signups/%u", id);
        op.key = history_intern_string(history, key);
        op.invoke_ns = 800000 * NS_PER_MS;
        size_t index = history_invoke(history, &op);
        uint64_t token = id <= 600 ? id : id <= 1800 ? 600 + 4200 + (id - 600) : 0;
        if (token) history_value(history, index, token);
        history_return(history, index, op.invoke_ns + NS_PER_MS, OUTCOME_OK);
    }
    history_seal(history);
    struct check_input input = input_of(history);
    struct check_result result = run_check("no_lost_write", &input);
    assert_int_equal(result.violations, 4200);
    check_result_deinit(&result);
    result = run_check("unique_keys", &input);
    assert_int_equal(result.violations, 550 + 1200);
    check_result_deinit(&result);
    input.until_ns = 480 * NS_PER_S;
    result = run_check("unique_keys", &input);
    assert_int_equal(result.violations, 550);
    check_result_deinit(&result);
    result = run_check("external_references", &input);
    assert_int_equal(result.violations, 550);
    check_result_deinit(&result);
    input.until_ns = VTIME_MAX;
    result = run_check("external_references", &input);
    assert_int_equal(result.violations, 550 + 1200);
    check_result_deinit(&result);
    history_destroy(history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_later_holder_of_a_key_counts_once),
        cmocka_unit_test(test_inserts_without_acknowledgement_neither_count_nor_hold),
        cmocka_unit_test(test_the_reissue_is_the_one_acknowledged_later_and_is_told_in_full),
        cmocka_unit_test(test_ids_bound_to_two_owners_count_once),
        cmocka_unit_test(test_the_last_owner_must_be_the_rows_owner),
        cmocka_unit_test(test_private_reads_are_of_other_owners_private_rows),
        cmocka_unit_test(test_github_2012_counts_550_reused_keys_and_4200_lost_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
