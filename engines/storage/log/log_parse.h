/* Reading the log file: lines in blocks, and the one parser that recovery, get, scan and
 * inspection share.
 */
#ifndef FAULTLINE_ENGINES_STORAGE_LOG_PARSE_H
#define FAULTLINE_ENGINES_STORAGE_LOG_PARSE_H

#include "engines/storage/log/log_format.h"

/* A window that slides over the first `limit` bytes of a file. */
struct log_reader {
    struct vfs_file *file;
    enum vfs_purpose purpose;
    uint64_t limit;         /* bytes of the file that are read at most */
    size_t block_size;      /* bytes a read takes at once */
    struct buffer window;   /* what has been read and not yet left behind */
    uint64_t window_offset; /* of window.data[0] in the file */
    size_t position;        /* in the window: where the next line begins */
    size_t summed;          /* in the window: up to where `sum` covers */
    uint32_t sum;           /* CRC-32C of what was read since log_reader_sum_begin() */
};

struct log_line {
    struct bytes text;
    uint64_t offset;
    bool is_terminated;
};

void log_reader_init(struct log_reader *reader, const struct allocator *allocator,
                     struct vfs_file *file, uint64_t limit, size_t block_size,
                     enum vfs_purpose purpose);
void log_reader_deinit(struct log_reader *reader);
void log_reader_seek(struct log_reader *reader, uint64_t offset);
/* 1: a line, without its newline, valid until the next call; 0: the limit; or -errno. */
int log_reader_next(struct log_reader *reader, struct log_line *line);

struct log_item {
    bool is_delete;
    bool is_literal;         /* of bash: key and value are bytes; else they are escaped */
    struct bytes key, value; /* as they stand in the file */
    uint64_t offset;         /* of the line; of a delete, of its #del */
    uint64_t value_offset;
};

/* A batch that is whole. */
struct log_batch {
    uint64_t first;  /* where it begins: at its #= or #+ line */
    uint64_t start;  /* at its #+ line */
    uint64_t commit; /* at its last line */
    uint64_t end;    /* behind it */
    uint64_t synced; /* bytes of the file that it says were durable */
    uint64_t count;  /* items; 0: a mark */
    uint32_t crc;
    uint32_t previous; /* crc of the batch before */
};

/* Both are called in the order of the file and return 0, or an errno that ends the parse.
 * Items are reported before their batch is known to be whole: a caller that acts on them
 * waits for `batch`, or drops what it gathered when the state is damaged. */
struct log_visitor {
    int (*item)(void *context, const struct log_item *item);
    int (*batch)(void *context, const struct log_batch *batch); /* NULL: not wanted */
    void *context;
};

/* What a parse found. Good bytes are [0, end); beyond stands nothing, or damage. Zero before
 * the first stretch. */
struct log_state {
    uint64_t end;         /* where good bytes end */
    uint64_t covered;     /* end of the last whole batch */
    uint32_t crc;         /* of that batch, 0 before the first */
    uint32_t foreign_crc; /* of [covered, end): lines of bash that no batch covers yet */
    uint64_t claimed;     /* the most bytes that any batch says were durable */
    uint64_t batches;
    bool last_is_claimed;   /* all bytes before the last batch's start are claimed durable,
                               and it has no items: a mark, after which nothing is owed */
    bool is_damaged;        /* [end, ...) is not good: */
    uint64_t damage_offset; /* the line that showed it */
    const char *damage;     /* and why */
};

/* Parses from the start. 0 with the state filled, also when there is damage; or -errno of a
 * read or of the visitor. */
int log_parse(struct log_reader *reader, const struct log_visitor *visitor,
              struct log_state *state);
/* One stretch of it, from the reader's position, which is state->end == state->covered: lines
 * of bash and the batch behind them. 1: there may be more; 0: the end, or damage; or -errno. */
int log_parse_stretch(struct log_reader *reader, const struct log_visitor *visitor,
                      struct log_state *state);

/* The first whole batch that begins at `from` or behind, wherever in a line: 1, 0 or -errno.
 * The reader stands behind it. It vouches for its own bytes, not for its place in the chain. */
int log_find_batch(struct log_reader *reader, uint64_t from, struct log_batch *batch);
/* Reports the items of a batch that log_find_batch() found, and makes it the last of the state.
 * 1 or -errno. */
int log_revisit_batch(struct log_reader *reader, const struct log_visitor *visitor,
                      const struct log_batch *batch, struct log_state *state);
/* After damage: the most bytes that a whole batch anywhere behind state->end says were durable.
 */
int log_claims_behind(struct log_reader *reader, const struct log_state *state,
                      uint64_t *claimed);

/* True (1) when no line of the file is in our grammar: nobody but bash wrote it. Or -errno. */
int log_is_foreign(struct log_reader *reader);
/* Reports the lines of such a file, whatever bytes they hold. */
int log_visit_foreign(struct log_reader *reader, const struct log_visitor *visitor);

#endif
