/* history.jsonl back into a history: the other half of history_write.
 *
 *     struct history_file file;
 *     struct history_error error;
 *     if (!history_read(text, size, &file, &error)) ... error.line, column, text ...
 *     ... file.history, sealed ...
 *     history_file_deinit(&file);
 *
 * Fields may come in any order; those that version 1 does not know are skipped. What was read
 * and is written again is the same bytes, where the file came from history_write.
 */
#ifndef FAULTLINE_SIM_RECORD_HISTORY_READ_H
#define FAULTLINE_SIM_RECORD_HISTORY_READ_H

#include "sim/record/history.h"

struct history_error {
    char text[160];
    uint32_t line, column; /* from 1, in bytes */
};

struct history_file {
    struct history *history;         /* sealed; owned */
    uint32_t *lines;                 /* [history->count] where each operation stands, from 1 */
    struct history_names *endpoints; /* names that the file gives to nodes, in order of first
                                        sight; NULL: none */
};
/* A node that is named has this bit, and the number of its name below it. */
#define HISTORY_ENDPOINT_NAMED (1u << 31)

/* False: the error is set, *out untouched. */
bool history_read(const char *text, size_t size, struct history_file *out,
                  struct history_error *error);
void history_file_deinit(struct history_file *file);
/* For history_write; context: the struct history_file. */
const char *history_file_endpoint(void *context, uint32_t endpoint);

#endif
