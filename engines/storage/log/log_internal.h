/* What the files of the engine `log` share. Nobody else includes this. */
#ifndef FAULTLINE_ENGINES_STORAGE_LOG_INTERNAL_H
#define FAULTLINE_ENGINES_STORAGE_LOG_INTERNAL_H

#include "engines/storage/common.h"
#include "engines/storage/log/log.h"
#include "engines/storage/log/log_index.h"
#include "engines/storage/log/log_parse.h"

#define LOG_FILE_NAME "database"
#define LOG_NEW_NAME "database.new" /* while it is made */
#define LOG_KEPT_BUFFER 16384u      /* capacity that a buffer of writing keeps between writes */

enum log_index_kind { LOG_INDEX_NONE, LOG_INDEX_MEMORY };

/* Places of items before they are in the index: of the batch that is being written or read. */
struct log_pending {
    struct buffer keys;    /* as bytes, one after the other */
    struct buffer entries; /* of struct log_pending_entry */
};
struct log_pending_entry {
    struct log_place place;
    uint64_t line_offset;
    uint32_t key_size;
    bool is_delete;
};

struct log_engine {
    struct engine base;
    struct log_options options;
    char dir[ENGINE_PATH_SIZE];
    struct vfs_file *file;
    uint64_t end;               /* I1 */
    uint64_t synced;            /* I2 */
    uint64_t covered;           /* end of the last batch: [covered, end) awaits adoption */
    uint32_t crc;               /* of the last batch, I5 */
    uint32_t foreign_crc;       /* of [covered, end) */
    uint64_t cut_bytes;         /* dropped at open */
    uint64_t batches;           /* in the file */
    bool owes_mark;             /* batches have been written that no begin line claims, I4 */
    bool is_read_only;          /* a write or sync has failed */
    struct buffer batch;        /* the batch that is being written */
    struct log_index index;     /* I7; empty with `index: none` */
    struct log_pending pending; /* likewise */
};

static inline struct log_engine *log_of(struct engine *engine)
{
    return (struct log_engine *)engine;
}
static inline bool log_has_index(const struct log_engine *log)
{
    return log->options.index == LOG_INDEX_MEMORY;
}

int log_corrupt(struct log_engine *log, uint64_t offset, const char *why);
void log_engine_reader(struct log_reader *reader, const struct log_engine *log, uint64_t limit,
                       enum vfs_purpose purpose);

/* ---- log_read.c ---- */

int log_get(struct engine *engine, struct bytes key, struct buffer *value);
int log_scan_open(struct engine *engine, const struct engine_range *range,
                  struct engine_cursor **out);
int log_scan_next(struct engine_cursor *cursor, struct bytes *key, struct bytes *value);
void log_scan_close(struct engine_cursor *cursor);

/* Gathers into log->pending what recovery reads, and moves it into the index batch by batch. */
int log_pending_item(void *context, const struct log_item *item);
int log_pending_batch(void *context, const struct log_batch *batch);
/* The rest, below `end`; what stands behind is forgotten. */
int log_pending_rest(struct log_engine *log, uint64_t end);
/* Of a batch that is about to be written: an item whose value begins at value_from in
 * log->batch and whose newline ends it; room in the index for all of them; and, when they have
 * been written, with log->batch at batch_offset of the file, their move to the index. */
int log_pending_write(struct log_engine *log, const struct engine_batch_item *item,
                      size_t value_from);
int log_pending_reserve(struct log_engine *log);
void log_pending_apply(struct log_engine *log, uint64_t batch_offset);
void log_pending_clear(struct log_engine *log);

#endif
