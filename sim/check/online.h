/* Checks that are followed while the run goes on: told of each return, they say at once when a
 * violation becomes true. For runs that stop at the first one.
 *
 *     struct online *online = online_create(history, online_bit("linearizable"), stop, run);
 *     history->returned = online_returned;      (history_return then tells it)
 *     history->returned_context = online;
 *     ... the run; `stop` is called at most once a check ...
 *     online_destroy(online);
 *
 * What they find is what the checks of the same name find in the history as it stands then, in
 * the same moment. They find no more than that, and not all of it:
 *   linearizable       says nothing of a key once a delete was asked for there, or a
 *                      compare_and_set failed without saying what it saw;
 *   read_your_writes, monotonic_reads
 *                      a delete that is refused in the end may excuse an absence until then;
 *                      a value that is refused after it was read counts as seen;
 *   monotonic_reads    says nothing of a read that overlaps another of its session (those of
 *                      the workloads do one operation at a time);
 *   all                a value that is read before its write was asked for is nobody's, also
 *                      later; tokens are below 2^28.
 *
 * The checks themselves have the last word, on sealed histories.
 */
#ifndef FAULTLINE_SIM_CHECK_ONLINE_H
#define FAULTLINE_SIM_CHECK_ONLINE_H

#include "sim/record/history.h"

struct online;
extern const char *const online_checks[]; /* their names; ends with NULL */
/* The bit of a check in online_create's set; 0: it is not followed. */
uint32_t online_bit(const char *check);

/* The history outlives it, and is told of nothing yet. */
struct online *online_create(const struct history *history, uint32_t checks,
                             void (*violated)(void *context, const char *check, int64_t time_ns,
                                              size_t op),
                             void *context);
void online_destroy(struct online *online);
/* Operation `op` has just returned, in order of time; `online` is a struct online. */
void online_returned(void *online, size_t op);
/* What it holds beyond 8 bytes a value written and 24 a key: entries for values, zones,
 * sessions' views. */
size_t online_entries(const struct online *online);

#endif
