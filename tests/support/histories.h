/* Histories by hand: a text, one operation a line, becomes a sealed history. For tests of
 * checks.
 *
 *     who verb key[=value] invoke..[return] [ok|fail|unknown] [name=number]... [private]
 * [final]
 *
 *     A w x=1 10..20            session A writes value (token) 1 under x, acknowledged
 *     A w x=2 30..40 unknown    its client gave up at 40; `30..` never returned: unknown as
 * well B r x=1 50..60            reads 1; `x=` reads nothing; `x=1,2` siblings B d x 70..80 B
 * cas x=1>2 70..80        from 1 to 2; `fail saw=3` saw 3 C i t/51=5 10..20 owner=17 private
 * insert of token 5, assigned key t/51; `t/?=5` unknown key. The table is what stands before
 * and with the slash D res t/51=5 30..40 owner=17            resolve: the second store named
 * owner 17, the row read was 5 C bind t/51=5 20..25 owner=17           second store C scan
 * t/=t/51:5,t/52:6 30..40 A lock L 0..1 token=33    granted 33;   A w x=3 20..21 lock=33
 * guarded write final x=1 100..101        final read at level leader; `final2 t/51=5 100..101`
 * final read of the second store
 *
 * Times are ms. Names: node, epoch, level, owner, lock, token, saw, process, session. `who` is
 * a session by its name (`-` none); process defaults to the session's number. Lines may stand
 * in any order. '#' starts a comment. A line that does not parse fails the test.
 */
#ifndef FAULTLINE_TESTS_SUPPORT_HISTORIES_H
#define FAULTLINE_TESTS_SUPPORT_HISTORIES_H

#include "sim/check/check.h"

struct history *history_of(const char *text);
/* Index of the n-th (from 0) operation, in invocation order, whose invocation is at that ms. */
size_t history_at(const struct history *history, int64_t invoke_ms);
/* The key's number; fails the test when the history does not know it. */
uint32_t history_key(struct history *history, const char *key);

/* A whole-run input over a history, with empty facts and timeline until the test sets them;
 * three nodes db-a, db-b, db-c; quiesced. */
struct check_input input_of(const struct history *history);

/* Runs a check by name over a text; returns its result (caller deinits). */
struct check_result run_check(const char *name, const struct check_input *input);
/* Verdict and count in one assertion; prints text and explanation when they differ. */
void judge_text(const char *name, const char *text, enum check_verdict verdict,
                uint64_t violations);

#endif
