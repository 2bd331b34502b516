/* Goal: read_your_writes, monotonic_reads and fencing fire exactly where Terry's and
 * Kleppmann's examples say, and never where concurrent or unknown writes explain a read.
 * Method: histories by hand; random ones against enumeration are in test_oracle.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "sim/kernel/vtime.h"
#include "tests/support/histories.h"

#define HOLDS(name, text) judge_text(name, text, CHECK_HOLDS, 0)
#define FIRES(name, count, text) judge_text(name, text, CHECK_VIOLATED, count)
#define SKIPS(name, text) judge_text(name, text, CHECK_NOT_APPLICABLE, 0)

/* ---- read_your_writes ---- */

static void test_a_session_must_see_its_own_acknowledged_write(void **state)
{
    (void)state;
    HOLDS("read_your_writes", "A w x=1 10..20\nA r x=1 30..31");
    FIRES("read_your_writes", 1, "A w x=1 10..20\nA r x= 30..31");
    FIRES("read_your_writes", 1, "A w x=1 10..20\nA w x=2 21..22\nA r x=1 30..31");
    FIRES("read_your_writes", 2,
          "B w x=1 1..2\nA w x=2 10..20\nA r x=1 30..31\nA r x=1 40..41\nA r x=2 50..51");
    FIRES("read_your_writes", 1, "A i t/1=1 10..20\nA r t/1= 30..31");
    FIRES("read_your_writes", 1, "A w x=1 10..20\nA cas x=2>3 30..31 fail saw=0");
    SKIPS("read_your_writes", "A w x=1 10..20\nB r x= 30..31");
    SKIPS("read_your_writes", "- w x=1 10..20\n- r x= 30..31");
}

static void test_others_may_have_written_after_the_own_write(void **state)
{
    (void)state;
    HOLDS("read_your_writes", "A w x=1 10..20\nB w x=2 15..16\nA r x=2 30..31");
    HOLDS("read_your_writes", "B w x=2 5..\nA w x=1 10..20\nA r x=2 30..31");
    FIRES("read_your_writes", 1,
          "B w x=2 5..\nC r x=2 6..7\nA w x=1 10..20\nA r x=2 30..31"); /* 2 was there before 1
                                                                           began */
    HOLDS("read_your_writes", "A w x=1 10..20\nB d x 15..16\nA r x= 30..31");
    HOLDS("read_your_writes", "A w x=1 10..20\nB d x 5..\nA r x= 30..31");
    FIRES("read_your_writes", 1, "A w x=1 10..20\nB d x 5..6\nA r x= 30..31");
    FIRES("read_your_writes", 1,
          "A w x=1 10..20\nA r x= 30..31\nB d x 32..33"); /* the delete came after the read */
    HOLDS("read_your_writes", "A w x=1 10..20\nA r x=9,1 30..31\nB w x=9 1..2");
}

static void test_own_unknown_and_overlapping_writes_bind_nobody(void **state)
{
    (void)state;
    SKIPS("read_your_writes", "B w x=1 1..2\nA w x=2 10..20 unknown\nA r x=1 30..31");
    SKIPS("read_your_writes", "A w x=1 10..40\nA r x= 30..31");
    SKIPS("read_your_writes", "A w x=1 10..30\nA r x= 30..31");
    FIRES("read_your_writes", 1, "B w x=1 1..2\nA d x 10..20\nA r x=1 30..31");
    FIRES("read_your_writes", 1,
          "A w x=1 10..20 process=0\nA r x= 30..31 process=7"); /* the session outlives its
                                                                   process */
}

/* incidents S15: R1 lags 100 ms, R2 5 s; write, read after 50 ms, twice. */
static void test_replica_lag_breaks_both_guarantees(void **state)
{
    (void)state;
    static const char lag[] = "A w x=1 1000..1001\nA w x=2 9000..9001\nA r x=1 9051..9052 "
                              "node=1\nA r x=2 9151..9152 node=1\nA r x=1 9201..9202 node=2";
    FIRES("read_your_writes", 2, lag);
    FIRES("monotonic_reads", 1, lag);
    static const char positions[] = "A w x=1 1000..1001\nA w x=2 9000..9001\nA r x=2 "
                                    "9051..9152 node=1\nA r x=2 9201..9202 node=2";
    HOLDS("read_your_writes", positions);
    HOLDS("monotonic_reads", positions);
}

/* ---- monotonic_reads ---- */

static void test_a_session_never_reads_backwards(void **state)
{
    (void)state;
    HOLDS("monotonic_reads",
          "B w x=1 1..2\nB w x=2 3..4\nA r x=1 10..11\nA r x=2 12..13\nA r x=2 14..15");
    FIRES("monotonic_reads", 1, "B w x=1 1..2\nB w x=2 3..4\nA r x=2 10..11\nA r x=1 12..13");
    FIRES("monotonic_reads", 1, "B w x=1 1..2\nA r x=1 10..11\nA r x= 12..13");
    FIRES("monotonic_reads", 2,
          "B w x=1 1..2\nB w x=2 3..4\nA r x=2 10..11\nA r x=1 12..13\nA r x=2 14..15\nA r x=1 "
          "16..17");
    HOLDS("monotonic_reads", "B w x=1 1..2\nB w x=2 3..4\nA r x=2 10..11\nA r y= 11..12\nC r "
                             "x=1 12..13\nA r y= 14..15");
    SKIPS("monotonic_reads", "B w x=1 1..2\nB w x=2 3..4\nA r x=2 10..11\nC r x=1 12..13");
}

static void test_overlapping_writes_may_be_read_in_either_order_but_not_both(void **state)
{
    (void)state;
    static const char writes[] = "B w x=1 1..5\nC w x=2 2..4\n";
    char text[256];
    snprintf(text, sizeof text, "%sA r x=2 10..11\nA r x=1 12..13", writes);
    HOLDS("monotonic_reads", text);
    snprintf(text, sizeof text, "%sA r x=2 10..11\nA r x=1 12..13\nA r x=2 14..15", writes);
    FIRES("monotonic_reads", 1, text);
    snprintf(text, sizeof text, "%sA r x=2 10..13\nA r x=1 12..15\nA r x=2 14..17",
             writes); /* the reads overlap: no order among them */
    HOLDS("monotonic_reads", "B w x=1 1..5\nC w x=2 2..4\nA r x=2 10..11\nA r x=2 12..13");
    judge_text("monotonic_reads", text, CHECK_HOLDS, 0);
    HOLDS("monotonic_reads", "B w x=1 1..2\nB w x=2 3..\nA r x=1 10..11\nA r x=2 12..13");
}

static void test_deletes_explain_absence_once(void **state)
{
    (void)state;
    HOLDS("monotonic_reads", "B w x=1 1..2\nA r x=1 10..11\nC d x 5..\nA r x= 12..13");
    FIRES("monotonic_reads", 1,
          "B w x=1 1..2\nA r x=1 10..11\nC d x 5..\nA r x= 12..13\nA r x=1 14..15");
    FIRES("monotonic_reads", 1, "C d x 0..0\nB w x=1 1..2\nA r x=1 10..11\nA r x= 12..13");
    HOLDS("monotonic_reads", "A r x= 0..1\nB w x=1 1..2\nA r x=1 10..11");
}

static void test_siblings_and_final_reads_bind_no_session(void **state)
{
    (void)state;
    HOLDS("monotonic_reads",
          "B w x=1 1..2\nB w x=2 3..4\nA r x=1,2 10..11\nA r x=2 12..13\nA r x=2,1 14..15");
    HOLDS("monotonic_reads",
          "B w x=1 1..2\nB w x=2 3..4\nA r x=2 10..11\nA r x=2 12..13\nA r x=1 90..91 final");
}

static void test_explanations_name_session_values_and_nodes(void **state)
{
    (void)state;
    struct history *history =
        history_of("B w x=1 1..2\nB w x=2 3..4\nA r x=2 10..11 node=0\nA r x=1 12..13 node=1");
    struct check_input input = input_of(history);
    struct check_result result = run_check("monotonic_reads", &input);
    assert_string_equal(result.explanation,
                        "1 read went back in time. Session 0 read value 2 under key x at "
                        "0:00.011 from db-a; at 0:00.013 db-b returned value 1, written "
                        "earlier (0:00.001).");
    assert_int_equal(result.witness_count, 4);
    check_result_deinit(&result);
    history_destroy(history);
}

/* ---- fencing ---- */

/* incidents S16: the lock of token 33 expires during a pause; 34 writes at 11 s, 33 wakes and
 * writes at 20 s. */
static void test_zombie_writer_is_caught_where_storage_checks_no_token(void **state)
{
    (void)state;
    FIRES("fencing", 1,
          "A lock L 0..1 token=33\nB lock L 10000..10001 token=34\nB w f=2 11000..11001 "
          "lock=34\nA w f=1 20000..20001 lock=33");
    HOLDS("fencing", "A lock L 0..1 token=33\nB lock L 10000..10001 token=34\nB w f=2 "
                     "11000..11001 lock=34\nA w f=1 20000..20001 lock=33 fail");
    HOLDS("fencing", "A lock L 0..1 token=33\nB lock L 10000..10001 token=34\nA w f=1 "
                     "10500..10501 lock=33\nB w f=2 11000..11001 lock=34");
    HOLDS("fencing", "A w f=1 11000..11010 lock=33\nB w f=2 11001..11009 lock=34");
    HOLDS("fencing", "B w f=2 10..11 lock=34\nA w g=1 20..21 lock=33");
    HOLDS("fencing", "B w f=2 10.. unknown lock=34\nA w f=1 20..21 lock=33");
    FIRES("fencing", 2,
          "B w f=2 10..11 lock=34\nA w f=1 20..21 lock=33\nB w f=4 22..23 lock=34\nA w f=3 "
          "24..25 lock=33");
    SKIPS("fencing", "B w f=2 10..11\nA w f=1 20..21");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_session_must_see_its_own_acknowledged_write),
        cmocka_unit_test(test_others_may_have_written_after_the_own_write),
        cmocka_unit_test(test_own_unknown_and_overlapping_writes_bind_nobody),
        cmocka_unit_test(test_replica_lag_breaks_both_guarantees),
        cmocka_unit_test(test_a_session_never_reads_backwards),
        cmocka_unit_test(test_overlapping_writes_may_be_read_in_either_order_but_not_both),
        cmocka_unit_test(test_deletes_explain_absence_once),
        cmocka_unit_test(test_siblings_and_final_reads_bind_no_session),
        cmocka_unit_test(test_explanations_name_session_values_and_nodes),
        cmocka_unit_test(test_zombie_writer_is_caught_where_storage_checks_no_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
