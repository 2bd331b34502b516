/* Our own history.jsonl (sim/record/README.md), judged like anybody's. */
#include <inttypes.h>
#include <stdlib.h>

#include "sim/check/operations_of_history.h"
#include "sim/foreign/builder.h"
#include "sim/record/history_read.h"

struct foreign_history {
    struct history_file file;
    struct history_operations converted;
};

static void note_count(struct builder *b, uint64_t count, const char *what)
{
    if (count) builder_note(b, 0, "%" PRIu64 " %s", count, what);
}

bool foreign_read_history(struct builder *b, const char *text, size_t size)
{
    struct history_error error;
    struct foreign_history *history = xcalloc(1, sizeof *history);
    if (!history_read(text, size, &history->file, &error)) {
        free(history);
        return builder_fail(b, error.line, error.column, "%s", error.text);
    }
    struct history_operations *converted = &history->converted;
    operations_of_history(converted, history->file.history, history->file.lines);
    b->out->history = history;
    b->out->operations = converted->operations;
    b->out->skipped = converted->scans + converted->locks + converted->second_store;
    note_count(b, converted->scans,
               "scans are left out: the models here judge one key at a time");
    note_count(b, converted->locks,
               "operations on locks are left out (the check 'fencing' of a run "
               "judges them)");
    note_count(b, converted->second_store, "operations on the second store are left out");
    note_count(b, converted->siblings,
               "reads of several siblings are left out: a register has one value");
    note_count(b, converted->rows_unknown,
               "inserts are left out: no answer and no read shows their row");
    note_count(b, converted->final_reads, "reads were made at the end, after all faults");
    for (size_t i = 0; i < converted->operations.count; i++) {
        struct op *op = &converted->operations.items[i];
        if (op->result != RESULT_FAIL) continue;
        b->has_failed_cas = true;
        if (b->options->failed_cas == FAILED_CAS_VOID) op->result = RESULT_VOID;
    }
    if (b->has_failed_cas)
        b->out->failed_cas = b->options->failed_cas == FAILED_CAS_VOID
                                 ? "it did not happen"
                                 : "it saw another value, which it tells";
    return true;
}

void foreign_history_free(struct foreign_history *history)
{
    if (!history) return;
    history_operations_deinit(&history->converted);
    history_file_deinit(&history->file);
    free(history);
}
