/* The contract of a storage engine: one ordered or unordered map of byte strings on a vfs.
 *
 *     struct engine *e;
 *     int err = engine_open(engine_find("hash"), &host, "data", options, &e);
 *     struct engine_batch b = {.allocator = host.allocator};
 *     engine_batch_put(&b, key, value);
 *     err = engine_write(e, &b, ENGINE_SYNC, now_ns);
 *     engine_close(e);
 *
 * - A batch is atomic: after a crash all of it or none of it is there. With ENGINE_SYNC it is
 *   durable when write returns 0; without, after the next engine_sync.
 * - Errors are negative errno; -ENOENT: no such key; -EBADMSG: corruption on disk (file and
 *   offset in engine_error(), or in host.open_error when it is open that fails). After a failed
 *   sync or write of its log an engine refuses further writes with -EROFS until it is opened
 *   again (option `on_sync_failure: panic`).
 * - A broken contract calls host.check_failed, which does not return.
 * - No threads, clock, global state, printf, exit, malloc. Time comes in with write and
 *   maintain.
 * - Background work is maintain(): bounded resumable slices; a slice makes at most one
 *   blocking vfs call of its own kind (a sync is a slice by itself).
 * - A handle serves one call at a time; a cursor reads a snapshot and stays valid over writes
 *   and maintain until closed.
 */
#ifndef FAULTLINE_ENGINES_STORAGE_ENGINE_H
#define FAULTLINE_ENGINES_STORAGE_ENGINE_H

#include "engines/bytes.h"
#include "engines/options.h"
#include "engines/storage/vfs.h"

#define ENGINE_ABI_VERSION 2u

enum engine_durability { ENGINE_NO_SYNC, ENGINE_SYNC };
enum engine_capability {
    ENGINE_ORDERED = 1u, /* scans come in key order; else in any order that is the same for the
                            same operations */
    ENGINE_COUNTS_LIVE = 2u, /* stats.live_keys and live_bytes are exact; else 0, because the
                                engine keeps no index */
};

struct engine_host {
    struct vfs *vfs;                   /* borrowed for the engine's life */
    const struct allocator *allocator; /* likewise */
    void (*check_failed)(void *context, const char *expression, const char *file,
                         int line); /* must not return */
    void *check_context;
    struct buffer *open_error; /* receives the text of a failed open, when there is no engine to
                                  ask (NUL-terminated); NULL: nobody reads it */
};
#define ENGINE_CHECK(engine, condition)                                                        \
    ((condition) ? (void)0                                                                     \
                 : (engine)->host.check_failed((engine)->host.check_context, #condition,       \
                                               __FILE__, __LINE__))

/* A batch: a list of puts and deletes, later ones win. Encoded in one buffer; the fields are
 * the batch's own. */
struct engine_batch {
    const struct allocator *allocator;
    struct buffer encoded;
    uint32_t count;
};
int engine_batch_put(struct engine_batch *batch, struct bytes key,
                     struct bytes value); /* 0, -ENOMEM */
int engine_batch_delete(struct engine_batch *batch, struct bytes key);
void engine_batch_clear(struct engine_batch *batch);
void engine_batch_deinit(struct engine_batch *batch);
struct engine_batch_item {
    bool is_delete;
    struct bytes key, value;
};
#define ENGINE_BATCH_ITEM_HEADER 9u
/* Iterates: *position starts at 0; false at the end. Inline: every write passes over its batch
 * several times, and most have one item. The format stands in engine.c. */
static inline bool engine_batch_next(const struct engine_batch *batch, size_t *position,
                                     struct engine_batch_item *item)
{
    if (*position >= batch->encoded.size) return false;
    const unsigned char *p = batch->encoded.data + *position;
    uint32_t key_size = get_u32(p + 1), value_size = get_u32(p + 5);
    item->is_delete = p[0];
    item->key = bytes_of(p + ENGINE_BATCH_ITEM_HEADER, key_size);
    item->value = bytes_of(p + ENGINE_BATCH_ITEM_HEADER + key_size, value_size);
    *position += ENGINE_BATCH_ITEM_HEADER + (size_t)key_size + value_size;
    return true;
}

struct engine_range {
    struct bytes from, to;
    bool has_from, has_to, reverse;
}; /* from <= key < to */

struct engine_stats {
    uint64_t live_keys, files, disk_bytes,
        live_bytes;        /* live_bytes: keys and values that a scan would return */
    uint64_t memory_bytes; /* beyond option buffers */
    uint64_t syncs, write_stalls, puts, deletes, gets;
    uint64_t cut_bytes; /* of a torn tail, dropped when this handle was opened */
};

/* One figure that an engine tells of itself beyond the stats: "level.1.bytes", "index.bytes",
 * "cache.hits". Names are lower case, dotted, the same at every call; sizes are in bytes. */
typedef void engine_property_fn(void *context, const char *name, uint64_t value);

/* What engine_inspect() found at an offset of a file (paths are relative to the directory). */
enum engine_finding {
    FINDING_ITEM,   /* what stands there: a header, a record, a block, a page */
    FINDING_NOTE,   /* harmless and worth knowing: a torn tail that the next open cuts, a file
                       that nothing lists */
    FINDING_PROBLEM /* damage: what stands there can not be what was written */
};
struct engine_inspector {
    void (*found)(void *context, enum engine_finding finding, const char *file, uint64_t offset,
                  const char *text); /* text: one line, printable */
    void *context;
    bool wants_items; /* false: notes and problems only */
};

/* The base of every engine. An engine fills ops, host (a copy) and counts syncs and
 * write_stalls; the wrappers do the rest. */
struct engine {
    const struct engine_ops *ops;
    struct engine_host host;
    uint64_t puts, deletes, gets, syncs, write_stalls;
    uint32_t open_cursors;
    bool is_busy;         /* a call is under way: a second one is a broken contract */
    char error_text[256]; /* what engine_error() returns; "" when none */
};
struct engine_cursor {
    struct engine *engine;
};

struct engine_ops {
    uint32_t abi_version, struct_size;   /* ENGINE_ABI_VERSION, sizeof(struct engine_ops) */
    const char *name, *doc;              /* "log", one line */
    uint32_t capabilities;               /* enum engine_capability */
    size_t key_size_max, value_size_max; /* larger ones: -EINVAL, nothing written */
    const struct option *options;
    size_t options_count, options_size; /* of the options struct that open takes */
    int (*open)(const struct engine_host *host, const char *dir, const void *options,
                struct engine **out); /* creates dir if absent; recovers; what it found
                                         is durable when it returns */
    int (*write)(struct engine *engine, const struct engine_batch *batch,
                 enum engine_durability durability, int64_t now_ns);
    int (*get)(struct engine *engine, struct bytes key,
               struct buffer *value); /* value is assigned */
    int (*scan_open)(struct engine *engine, const struct engine_range *range,
                     struct engine_cursor **out);
    int (*scan_next)(
        struct engine_cursor *cursor, struct bytes *key,
        struct bytes *value); /* 1: an entry, valid until the next call; 0: end; or -errno.
                                 After an error another call either gives the entry that failed
                                 or the error again: never an end that is none, nor a gap */
    void (*scan_close)(struct engine_cursor *cursor);
    int (*maintain)(struct engine *engine, uint64_t budget_bytes, int64_t now_ns, bool *more);
    int (*sync)(struct engine *engine);
    int (*checkpoint)(struct engine *engine,
                      const char *dir); /* a consistent copy into a new directory of the same
                                           vfs, synced; the engine stays usable. Until it has
                                           returned 0, whatever failed or crashed meanwhile, the
                                           directory is missing, empty, or the whole copy, or
                                           open refuses it with -EBADMSG: a part of a copy never
                                           opens as a smaller or an older database */
    void (*stats)(struct engine *engine, struct engine_stats *stats);
    const char *(*error)(
        struct engine *engine); /* text of the last error, "" when none; engine's memory */
    void (*close)(
        struct engine *engine); /* no sync: what was not synced may be lost as in a crash */
    void (*properties)(struct engine *engine, engine_property_fn *each, void *context);
    /* Of a directory that no engine has open. recognise: 1 when its files are (or were, before
     * damage) this engine's, 0 when not, or -errno. inspect: reads all of it, changes nothing,
     * reports in the order of files and offsets, goes on behind damage wherever the format
     * allows; 0 also when there were problems, -errno when it could not read. */
    int (*recognise)(struct vfs *vfs, const char *dir);
    int (*inspect)(const struct engine_host *host, const char *dir,
                   const struct engine_inspector *inspector);
};

/* ---- thin wrappers: the only place that checks the contract, limits and counts ----
 * options NULL: the defaults. A write of an empty batch is nothing, or a sync. -EINVAL: a key
 * or value beyond the engine's limit, before anything is written. */
int engine_open(const struct engine_ops *ops, const struct engine_host *host, const char *dir,
                const void *options, struct engine **out);
int engine_write(struct engine *engine, const struct engine_batch *batch,
                 enum engine_durability durability, int64_t now_ns);
int engine_put(struct engine *engine, struct bytes key, struct bytes value,
               const struct allocator *allocator, enum engine_durability durability,
               int64_t now_ns);
int engine_get(struct engine *engine, struct bytes key, struct buffer *value);
int engine_scan_open(struct engine *engine, const struct engine_range *range,
                     struct engine_cursor **out);
int engine_scan_next(struct engine_cursor *cursor, struct bytes *key, struct bytes *value);
void engine_scan_close(struct engine_cursor *cursor);
int engine_maintain(struct engine *engine, uint64_t budget_bytes, int64_t now_ns, bool *more);
int engine_sync(struct engine *engine);
int engine_checkpoint(struct engine *engine, const char *dir);
void engine_stats(struct engine *engine, struct engine_stats *stats);
const char *engine_error(struct engine *engine);
void engine_close(struct engine *engine);
void engine_properties(struct engine *engine, engine_property_fn *each, void *context);
/* The engine whose files the directory holds: *out, or -ENOENT when no engine knows them. */
int engine_recognise(struct vfs *vfs, const char *dir, const struct engine_ops **out);
int engine_inspect(const struct engine_ops *ops, const struct engine_host *host,
                   const char *dir, const struct engine_inspector *inspector);

/* ---- registry.c names them all ---- */
extern const struct engine_ops *const engine_registry[]; /* NULL-terminated */
const struct engine_ops *engine_find(const char *name);  /* NULL when unknown */

#endif
