/* Histories that somebody else recorded, read into operations (sim/check/operations.h).
 *
 *     struct foreign foreign;
 *     struct foreign_options options = {0};
 *     if (!foreign_read(text, size, &options, &foreign)) ... foreign.error, line, column ...
 *     ... foreign.operations, foreign.format, foreign.notes ...
 *     foreign_deinit(&foreign);
 *
 * The format is detected from the first bytes and said in `format`. What is odd but can be
 * judged (a process with two open operations, a completion without invocation) is a note with
 * its line; what cannot be read is an error with line and column.
 */
#ifndef FAULTLINE_SIM_FOREIGN_FOREIGN_H
#define FAULTLINE_SIM_FOREIGN_FOREIGN_H

#include "sim/check/operations.h"

/* What a compare_and_set says that was answered with failure. */
enum failed_cas {
    FAILED_CAS_DEFAULT,    /* as the format has it */
    FAILED_CAS_CONSTRAINT, /* the value was another than expected */
    FAILED_CAS_VOID        /* it did not happen, and says nothing */
};

struct foreign_options {
    enum failed_cas failed_cas;
    bool has_type; /* `type` is demanded, not guessed */
    enum object_type type;
};

struct foreign_note {
    uint32_t line; /* 0: of the whole file */
    char *text;
};

struct foreign_format {
    const char *name, *doc; /* "jepsen-edn", one line */
};
extern const struct foreign_format foreign_formats[]; /* ends with name NULL */

struct foreign {
    struct ops operations;
    const char *format;     /* a name of foreign_formats */
    const char *failed_cas; /* how one was read, in words; NULL: there was none */
    struct foreign_note *notes;
    size_t notes_count, notes_unsaid; /* the first few are kept */
    uint32_t transaction_line; /* of a transaction of several operations, which is out of scope;
                                  0: none */
    uint64_t skipped;          /* events of nobody: a nemesis, a log line */
    char error[256];
    uint32_t error_line, error_column; /* 0: none */
    struct foreign_names *names;       /* private */
    struct foreign_history *history;   /* likewise: of our own format */
};

bool foreign_read(const char *text, size_t size, const struct foreign_options *options,
                  struct foreign *out);
void foreign_deinit(struct foreign *foreign);

#endif
