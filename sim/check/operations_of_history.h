/* Our own history as operations that the consistency models judge: registers under keys.
 *
 *     struct history_operations converted;
 *     operations_of_history(&converted, history, NULL);
 *     model_check(model_find("causal"), &converted.operations, &limits, &verdict);
 *     history_operations_deinit(&converted);
 *
 * A token is a value. A session is a process where there is one, else the process number. What
 * is no operation on a register of the database is left out and counted.
 */
#ifndef FAULTLINE_SIM_CHECK_OPERATIONS_OF_HISTORY_H
#define FAULTLINE_SIM_CHECK_OPERATIONS_OF_HISTORY_H

#include "sim/check/operations.h"
#include "sim/record/history.h"

struct history_operations {
    struct ops operations; /* `line` is that of lines[], else 1 + the index in the history */
    uint32_t *sources;     /* [operations.count] index of each in the history */
    /* What was left out. */
    uint64_t scans, locks;
    uint64_t second_store; /* binds, and whatever else asks it */
    uint64_t siblings;     /* reads that returned several values at once */
    uint64_t rows_unknown; /* inserts of a row that nobody has seen, so of no key */
    uint64_t final_reads;  /* kept: reads after quiescence */
    struct history_operations_names *names; /* private */
};

/* The history is sealed and outlives the result. lines: [history->count], or NULL. */
void operations_of_history(struct history_operations *out, const struct history *history,
                           const uint32_t *lines);
void history_operations_deinit(struct history_operations *converted);

#endif
