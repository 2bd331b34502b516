/* Goal: the checks on facts (single_leader_per_term, single_writer, convergence) and the
 * measures on them count exactly. Method: facts by hand, a line each through a helper; times in
 * ms, nodes 0 to 2 are db-a to db-c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engines/replication/env.h"
#include "engines/replication/operation.h"
#include "sim/kernel/vtime.h"
#include "tests/support/histories.h"

struct bench {
    struct history *history;
    struct facts facts;
    struct check_input input;
};

static void begin(struct bench *bench, const char *history)
{
    *bench = (struct bench){.history = history_of(history)};
    bench->input = input_of(bench->history);
    bench->input.facts = &bench->facts;
}

static void end(struct bench *bench)
{
    facts_deinit(&bench->facts);
    history_destroy(bench->history);
}

static void fact(struct bench *bench, int64_t ms, enum fact_kind kind, uint32_t node,
                 uint64_t a, uint64_t b, uint64_t c)
{
    facts_add(&bench->facts, (struct fact){.time_ns = ms * NS_PER_MS,
                                           .kind = (uint8_t)kind,
                                           .endpoint = node,
                                           .a = a,
                                           .b = b,
                                           .c = c});
}

static void leads(struct bench *bench, int64_t ms, uint32_t node, uint64_t epoch)
{
    fact(bench, ms, FACT_ROLE, node, FACT_ROLE_LEADER, epoch, 0);
}
static void follows(struct bench *bench, int64_t ms, uint32_t node, uint64_t epoch)
{
    fact(bench, ms, FACT_ROLE, node, FACT_ROLE_FOLLOWER, epoch, 0);
}
static void acks(struct bench *bench, int64_t ms, uint32_t node, uint64_t token, uint64_t epoch)
{
    fact(bench, ms, FACT_ACK, node, token, epoch, 0);
}

static void judge(struct bench *bench, const char *name, enum check_verdict verdict,
                  uint64_t violations)
{
    struct check_result result = run_check(name, &bench->input);
    if (result.verdict != verdict || result.violations != violations)
        fail_msg("%s: %s with %llu violations (%s)", name, check_verdict_words[result.verdict],
                 (unsigned long long)result.violations,
                 result.explanation ? result.explanation : "");
    if (verdict == CHECK_VIOLATED) {
        assert_non_null(result.explanation);
        assert_int_equal(result.witness_nodes_count, 2);
        assert_int_not_equal(result.witness_nodes[0], result.witness_nodes[1]);
    }
    check_result_deinit(&result);
}

static int64_t measure_of(struct bench *bench, const char *name)
{
    return measure_value(measure_find(name), &bench->input);
}

static void test_mirrored_numbers_are_those_of_the_contracts(void **state)
{
    (void)state;
    assert_int_equal(FACT_ROLE_COUNT, ROLE_COUNT);
    assert_int_equal(FACT_ROLE_NONE, ROLE_NONE);
    assert_int_equal(FACT_ROLE_LEADER, ROLE_LEADER);
    assert_int_equal(FACT_ROLE_FOLLOWER, ROLE_FOLLOWER);
    assert_int_equal(FACT_ROLE_CANDIDATE, ROLE_CANDIDATE);
    assert_int_equal(FACT_ROLE_RECOVERING, ROLE_RECOVERING);
    assert_int_equal(FACT_ROLE_MANAGER, ROLE_MANAGER);
    assert_int_equal(FACT_ROLE_COORDINATOR, ROLE_COORDINATOR);
    assert_int_equal(HISTORY_STATUS_COUNT, STATUS_COUNT);
    assert_int_equal(HISTORY_STATUS_NOT_FOUND, STATUS_NOT_FOUND);
    assert_int_equal(HISTORY_STATUS_MISMATCH, STATUS_MISMATCH);
    assert_int_equal(HISTORY_STATUS_HELD, STATUS_HELD);
    assert_int_equal(HISTORY_STATUS_FENCED, STATUS_FENCED);
    assert_int_equal(HISTORY_STATUS_NOT_LEADER, STATUS_NOT_LEADER);
    assert_int_equal(HISTORY_STATUS_UNAVAILABLE, STATUS_UNAVAILABLE);
    assert_int_equal(HISTORY_STATUS_INDETERMINATE, STATUS_INDETERMINATE);
    assert_int_equal(HISTORY_STATUS_ERROR, STATUS_ERROR);
    assert_int_equal(HISTORY_LEVEL_LOCAL, LEVEL_LOCAL);
    assert_int_equal(HISTORY_LEVEL_LEADER, LEVEL_LEADER);
}

/* ---- single_leader_per_term ---- */

static void test_two_leaders_of_one_term_are_one_too_many(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, "");
    judge(&bench, "single_leader_per_term", CHECK_NOT_APPLICABLE, 0);
    leads(&bench, 0, 0, 0);
    leads(&bench, 1, 1, 0); /* without epochs: not judged */
    judge(&bench, "single_leader_per_term", CHECK_NOT_APPLICABLE, 0);
    leads(&bench, 2, 0, 1);
    follows(&bench, 3, 0, 1);
    leads(&bench, 4, 0, 1); /* the same node again is no other leader */
    leads(&bench, 5, 1, 2);
    judge(&bench, "single_leader_per_term", CHECK_HOLDS, 0);
    leads(&bench, 6, 2, 2);
    leads(&bench, 7, 2, 2);
    judge(&bench, "single_leader_per_term", CHECK_VIOLATED, 1);
    leads(&bench, 8, 0, 2);
    leads(&bench, 9, 1, 1);
    judge(&bench, "single_leader_per_term", CHECK_VIOLATED, 3);
    bench.input.until_ns = 8 * NS_PER_MS;
    judge(&bench, "single_leader_per_term", CHECK_VIOLATED, 2);
    end(&bench);
}

/* ---- single_writer ---- */

/* Tokens 1.. are asked for at 10, 20, 30 ... ms. */
static const char ten_writes[] =
    "A w a=1 10..19\nA w a=2 20..29\nA w a=3 30..39\nA w a=4 40..49\nA w a=5 50..59\nA w a=6 "
    "60..69\nA w a=7 70..79\nA w a=8 80..89";

static void test_handover_and_return_are_no_split_brain(void **state)
{
    (void)state;
    struct bench bench;
    for (uint64_t with_epochs = 0; with_epochs < 2; with_epochs++) {
        begin(&bench, ten_writes);
        judge(&bench, "single_writer", CHECK_NOT_APPLICABLE, 0);
        leads(&bench, 0, 0, with_epochs * 1);
        acks(&bench, 15, 0, 1, with_epochs * 1);
        acks(&bench, 25, 0, 2, with_epochs * 1);
        fact(&bench, 26, FACT_DOWN, 0, DOWN_CRASH, 0, 0);
        leads(&bench, 27, 1, with_epochs * 2);
        acks(&bench, 35, 1, 3, with_epochs * 2);
        acks(&bench, 45, 1, 4, with_epochs * 2);
        follows(&bench, 46, 1, with_epochs * 2);
        leads(&bench, 47, 0, with_epochs * 3);
        acks(&bench, 55, 0, 5, with_epochs * 3);
        judge(&bench, "single_writer", CHECK_HOLDS, 0);
        end(&bench);
    }
}

static void test_deposed_writer_of_an_older_epoch_is_counted(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, ten_writes);
    leads(&bench, 0, 0, 1);
    acks(&bench, 15, 0, 1, 1);
    leads(&bench, 17, 2, 2);
    acks(&bench, 25, 2, 2, 2);
    acks(&bench, 35, 0, 3, 1);
    acks(&bench, 45, 2, 4, 2);
    acks(&bench, 55, 0, 5, 1);
    judge(&bench, "single_writer", CHECK_VIOLATED, 2);
    struct check_result result = run_check("single_writer", &bench.input);
    assert_int_equal(result.witness_nodes[0], 2);
    assert_int_equal(result.witness_nodes[1], 0);
    assert_int_equal(result.first_ns, 35 * NS_PER_MS);
    assert_int_equal(result.witness[0], 1);
    assert_int_equal(result.witness[1], 2);
    check_result_deinit(&result);
    end(&bench);
}

static void test_late_answer_of_a_deposed_leader_is_no_violation(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, ten_writes);
    leads(&bench, 0, 0, 1);
    acks(&bench, 15, 0, 1, 1);
    leads(&bench, 21, 1, 2);
    acks(&bench, 35, 1, 3, 2);
    acks(&bench, 36, 0, 2,
         1); /* asked for at 20, before anything of epoch 2 was acknowledged */
    judge(&bench, "single_writer", CHECK_HOLDS, 0);
    end(&bench);
}

static void test_acknowledgements_of_unknown_tokens_are_evidence_but_not_judged(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, ten_writes);
    leads(&bench, 0, 0, 1);
    acks(&bench, 15, 0, 1, 1);
    leads(&bench, 17, 1, 2);
    acks(&bench, 25, 1, 99, 2); /* a delete: no write carries its token */
    acks(&bench, 35, 0, 98, 1);
    judge(&bench, "single_writer", CHECK_HOLDS, 0);
    acks(&bench, 45, 0, 4, 1); /* asked for at 40, after the delete of epoch 2 */
    judge(&bench, "single_writer", CHECK_VIOLATED, 1);
    end(&bench);
}

static void test_without_epochs_both_sides_of_a_split_are_counted(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, ten_writes);
    leads(&bench, 0, 0, 0);
    acks(&bench, 15, 0, 1, 0);
    leads(&bench, 17, 2, 0);
    acks(&bench, 25, 2, 2, 0); /* a takeover */
    acks(&bench, 35, 0, 3, 0); /* the old one goes on: 1 */
    acks(&bench, 45, 2, 4, 0); /* and so does the new: 2 */
    fact(&bench, 50, FACT_DOWN, 0, DOWN_STONITH, 0, 0);
    acks(&bench, 65, 2, 6, 0); /* 3: its reign still overlaps what db-a acknowledged */
    judge(&bench, "single_writer", CHECK_VIOLATED, 3);
    end(&bench);
}

static void test_highest_epochs_of_two_nodes_are_kept_apart(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, ten_writes);
    acks(&bench, 11, 1, 1, 5);
    acks(&bench, 12, 0, 1, 4);
    acks(&bench, 13, 2, 1, 3); /* must not push db-a's epoch 4 out: writes of 10 were asked for
                                  before any of these */
    acks(&bench, 25, 1, 2, 3); /* db-b at 3: db-a had 4 */
    judge(&bench, "single_writer", CHECK_VIOLATED, 1);
    end(&bench);
}

/* ---- convergence ---- */

static void test_nodes_that_differ_from_most_are_counted(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, "A w x=1 10..20\nA w y=2 30..40");
    uint32_t x = history_key(bench.history, "x"), y = history_key(bench.history, "y");
    judge(&bench, "convergence", CHECK_UNKNOWN, 0);
    fact(&bench, 100, FACT_FINAL_COUNT, 0, 2, 77, 1);
    judge(&bench, "convergence", CHECK_UNKNOWN, 0);
    fact(&bench, 100, FACT_FINAL_COUNT, 1, 2, 77, 1);
    judge(&bench, "convergence", CHECK_HOLDS, 0);
    fact(&bench, 100, FACT_FINAL, 0, x, 1, 11);
    fact(&bench, 100, FACT_FINAL, 0, y, 2, 22);
    fact(&bench, 100, FACT_FINAL, 1, x, 1, 11);
    fact(&bench, 100, FACT_FINAL, 1, y, 2, 22);
    assert_int_equal(measure_of(&bench, "final_divergent_keys"), 0);
    fact(&bench, 100, FACT_FINAL, 2, x, 1, 11); /* of a node that was down: not compared */
    assert_int_equal(measure_of(&bench, "final_divergent_keys"), 0);
    fact(&bench, 100, FACT_FINAL_COUNT, 2, 1, 78, 1);
    judge(&bench, "convergence", CHECK_VIOLATED, 1);
    assert_int_equal(measure_of(&bench, "final_divergent_keys"), 1);
    struct check_result result = run_check("convergence", &bench.input);
    assert_string_equal(result.explanation,
                        "1 node differs from the rest after everything was healed. db-a holds "
                        "2 keys, db-c holds 1 key; 1 key differs, such as y: value 2 "
                        "on db-a, nothing on db-c.");
    check_result_deinit(&result);
    end(&bench);
}

static void test_an_unreadable_engine_agrees_with_nobody(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, "");
    fact(&bench, 100, FACT_FINAL_COUNT, 0, 2, 77, 1);
    fact(&bench, 100, FACT_FINAL_COUNT, 1, 2, 77, 1);
    fact(&bench, 100, FACT_FINAL_COUNT, 2, 0, 0, 0);
    judge(&bench, "convergence", CHECK_UNKNOWN, 0);
    bench.input.quiesced = false;
    bench.facts.count = 0;
    judge(&bench, "convergence", CHECK_NOT_APPLICABLE, 0);
    end(&bench);
}

/* ---- measures ---- */

static void test_measures_of_facts(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, "");
    assert_int_equal(measure_of(&bench, "leader_changes"), 0);
    leads(&bench, 0, 0, 1);
    leads(&bench, 5, 0, 1);
    leads(&bench, 10, 2, 2);
    fact(&bench, 30, FACT_DOWN, 0, DOWN_CRASH, 0, 0);
    leads(&bench, 40, 1, 3);
    follows(&bench, 45, 2, 3);
    fact(&bench, 46, FACT_DISCARDED, 2, 40, 0, 0);
    fact(&bench, 47, FACT_DISCARDED, 0, 2, 0, 0);
    fact(&bench, 48, FACT_FENCED, 1, 33, 34, 0);
    fact(&bench, 49, FACT_OPENED, 0, 0, 7000, 0);
    fact(&bench, 50, FACT_INSPECT, 2, 1, 1, 9000);
    leads(&bench, 60, 1, 4);
    assert_int_equal(measure_of(&bench, "leader_changes"), 3);
    assert_int_equal(measure_of(&bench, "leaders_at_once_ns"), (20 + 5) * NS_PER_MS);
    assert_int_equal(measure_of(&bench, "discarded_writes"), 42);
    assert_int_equal(measure_of(&bench, "fenced_writes"), 1);
    assert_int_equal(measure_of(&bench, "nodes_down"), 1);
    assert_int_equal(measure_of(&bench, "recovery_max"), 7000);
    assert_int_equal(measure_of(&bench, "lag_max"), 9000);
    bench.input.until_ns = 43 * NS_PER_MS;
    assert_int_equal(measure_of(&bench, "leader_changes"), 2);
    assert_int_equal(measure_of(&bench, "leaders_at_once_ns"), 23 * NS_PER_MS);
    assert_int_equal(measure_of(&bench, "discarded_writes"), 0);
    end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mirrored_numbers_are_those_of_the_contracts),
        cmocka_unit_test(test_two_leaders_of_one_term_are_one_too_many),
        cmocka_unit_test(test_handover_and_return_are_no_split_brain),
        cmocka_unit_test(test_deposed_writer_of_an_older_epoch_is_counted),
        cmocka_unit_test(test_late_answer_of_a_deposed_leader_is_no_violation),
        cmocka_unit_test(test_acknowledgements_of_unknown_tokens_are_evidence_but_not_judged),
        cmocka_unit_test(test_without_epochs_both_sides_of_a_split_are_counted),
        cmocka_unit_test(test_highest_epochs_of_two_nodes_are_kept_apart),
        cmocka_unit_test(test_nodes_that_differ_from_most_are_counted),
        cmocka_unit_test(test_an_unreadable_engine_agrees_with_nobody),
        cmocka_unit_test(test_measures_of_facts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
