/* What the files of the engine `lsm` share. Nobody else includes this; the design is the essay
 * of lsm.c. */
#ifndef FAULTLINE_ENGINES_STORAGE_LSM_INTERNAL_H
#define FAULTLINE_ENGINES_STORAGE_LSM_INTERNAL_H

#include "engines/storage/bloom.h"
#include "engines/storage/common.h"
#include "engines/storage/lsm/lsm.h"
#include "engines/storage/lsm/memtable.h"
#include "engines/storage/lsm/table.h"

#define LSM_KEY_SIZE_MAX 65535u
#define LSM_VALUE_SIZE_MAX (16u << 20)
#define LSM_BATCH_MAX (1u << 30) /* bytes of one batch in the log */
#define LSM_LEVELS 20u /* TIERED with a fanout of 2: 2^20 memtables before the last fills */
/* A flush, compaction or long scan moves so much at once: more gains nothing, and ten inputs of
 * it still stay in the second-level cache. */
#define LSM_IO (64u << 10)
#define LSM_MEMORY_FILTER 64u  /* bytes of a memtable for one of its filter */
#define LSM_KEPT_BUFFER 16384u /* capacity that scratch buffers keep between calls */
#define LSM_NUMBER_FORMAT "%08llx"

struct lsm;

/* buffer_assign without a call where there is room, which is nearly always. */
static inline int lsm_key_assign(struct buffer *buffer, struct bytes key)
{
    if (key.size >= buffer->capacity) return buffer_assign(buffer, key);
    memcpy(buffer->data, key.data, key.size);
    buffer->size = key.size;
    return 0;
}

/* ---- small encodings ---- */

#define LSM_VARINT_MAX 10u

static inline size_t lsm_varint_size(uint64_t v)
{
    size_t n = 1;
    for (; v >= 128; v >>= 7) n++;
    return n;
}
static inline unsigned char *lsm_varint_put(unsigned char *p, uint64_t v)
{
    for (; v >= 128; v >>= 7) *p++ = (unsigned char)(v | 128);
    *p++ = (unsigned char)v;
    return p;
}
/* Behind it, or NULL when there is none before `end` that is as short as can be. */
static inline const unsigned char *lsm_varint_get(const unsigned char *p,
                                                  const unsigned char *end, uint64_t *v)
{
    uint64_t value = 0;
    for (unsigned shift = 0; p < end && shift < 63; shift += 7) {
        unsigned char byte = *p++;
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) {
            *v = value;
            return byte == 0 && shift ? NULL : p;
        }
    }
    return NULL;
}

/* ---- files that wait to be unlinked: the first member of what owns them ---- */

struct lsm_garbage {
    struct lsm_garbage *next;
    uint64_t number, file_bytes;
    size_t owner_bytes; /* of the struct that this begins, for its free() */
    bool is_log;
};

/* ---- the write-ahead log (wal.c) ---- */

#define WAL_HEADER 28u

struct lsm_wal {
    struct lsm_garbage garbage; /* number; file_bytes is set when it is sealed */
    struct vfs_file *file;      /* NULL once sealed */
    uint64_t size;              /* bytes that are ours; what is behind is nobody's */
    uint64_t synced;            /* a completed sync covers [0, synced) */
    uint64_t claimed;           /* the most that a record says was synced */
    uint32_t crc;               /* of the last record, or of the header */
    uint32_t seed;              /* of checksums: from the number */
    bool owes_mark;             /* records have been written that none claims durable */
    struct lsm_wal *newer;      /* among the logs of the memtable being flushed */
};

/* A new, empty file, whose name is not durable yet; and its header, synced, which says that all
 * logs before it are durable (L4). */
/* False when a file with these first bytes (LSM_WAL_FRONT, or all it has) was never a log of
 * ours: they are neither lost nor ours with some damage. */
#define LSM_WAL_FRONT 8u
bool lsm_wal_may_begin(struct bytes front);
int lsm_wal_create(struct lsm *lsm, uint64_t number, struct lsm_wal **out);
int lsm_wal_begin(struct lsm *lsm, struct lsm_wal *wal, uint64_t first_sequence);
void lsm_wal_close(struct lsm *lsm, struct lsm_wal *wal); /* the file; and frees it */
/* Encodes the batch as it stands at the log's end; *record is in lsm->scratch. */
int lsm_wal_encode(struct lsm *lsm, const struct engine_batch *batch, int64_t now_ns,
                   struct bytes *record, uint32_t *crc);
uint32_t lsm_wal_seed(uint64_t number); /* for lsm_wal.seed */
void lsm_wal_mark(struct lsm *lsm);     /* at close; never fails anybody */
int lsm_wal_seal(struct lsm *lsm);      /* writes the active log's last record, and syncs all */
int lsm_wal_sync(struct lsm *lsm);      /* the active log; a failure is one of the log */
/* A write, sync or switch of the log failed: by the policy the engine refuses from here on. */
int lsm_log_failed(struct lsm *lsm, int err, uint64_t number, const char *what);

/* One record, decoded; views into what was read. */
struct wal_record {
    uint32_t crc, previous;
    uint64_t size; /* in the file */
    bool has_claim, has_time, is_seal;
    uint32_t claim; /* bytes of the log that were durable */
    int64_t now_ns;
    uint64_t count; /* of items; 0: a mark */
    struct bytes items;
};
struct wal_item {
    bool is_delete;
    struct bytes key, value;
};
/* The record at data, which stands at `offset` of log `number`; false: none does. */
bool lsm_wal_decode(struct bytes data, uint64_t number, uint64_t offset,
                    struct wal_record *record);
bool lsm_wal_next(struct bytes *items, struct wal_item *item); /* false: end, or damage */
bool lsm_wal_header_decode(struct bytes data, uint64_t number, uint64_t *first_sequence,
                           uint32_t *crc);

/* What the bytes of a log hold. */
struct wal_extent {
    uint64_t good;    /* end of the last record that continues the chain */
    uint64_t claimed; /* the most that a record says was durable, behind a break too */
    uint64_t first_sequence, records;
    uint64_t sequence; /* of the last item, counted from first_sequence */
    uint32_t crc;
    bool has_header, last_is_mark, is_sealed;
};
typedef int wal_record_fn(void *context, uint64_t offset, uint64_t sequence,
                          const struct wal_record *record);
/* Follows the chain from the header on, hands each record over (NULL: does not), and looks for
 * claims behind the break. 0 or what `each` returned. */
int lsm_wal_walk(struct bytes data, uint64_t number, wal_record_fn *each, void *context,
                 struct wal_extent *extent);

/* ---- files, runs, versions (version.c) ---- */

/* A table file; shared by the versions that list it. */
struct lsm_file {
    struct lsm_garbage garbage;   /* number, file_bytes */
    uint32_t refs;                /* runs and jobs that hold it */
    uint32_t pins;                /* who uses `table` now: it may not be closed */
    bool is_input;                /* the running compaction reads it */
    bool is_obsolete;             /* on refs 0 the file is unlinked (else: the engine closes) */
    struct table_summary summary; /* its keys stand behind this struct */
    int64_t tombstone_newest_ns;  /* when the youngest tombstone was written */
    struct table *table;          /* NULL: not open */
    struct lsm_file *newer, *older; /* open tables by last use */
};

/* Tables that do not overlap, in key order: one sorted sequence. */
struct lsm_run {
    uint32_t refs, count;
    uint64_t file_bytes, entries;
    struct lsm_file *files[];
};

struct lsm_level {
    struct lsm_run **runs; /* newest first */
    uint32_t count;
    uint32_t arrivals; /* FULL: runs merged into this level since it was last emptied */
};

/* What the tables are; immutable once it is current. Newer entries of a key stand in an earlier
 * level, or in an earlier run of the same one. */
struct lsm_version {
    uint32_t refs;
    struct lsm_level levels[LSM_LEVELS];
};

struct lsm_file *lsm_file_create(struct lsm *lsm, uint64_t number,
                                 const struct table_summary *summary,
                                 int64_t tombstone_newest_ns); /* refs 1; NULL: no memory */
void lsm_file_unref(struct lsm *lsm, struct lsm_file *file);
/* Opens the table unless it is, and pins it. *did_read, when given, is set when the disk was
 * asked. */
int lsm_file_pin(struct lsm *lsm, struct lsm_file *file, enum vfs_purpose purpose,
                 bool *did_read);
void lsm_file_unpin(struct lsm *lsm, struct lsm_file *file);

struct lsm_version *lsm_version_create(struct lsm *lsm); /* refs 1; empty */
void lsm_version_unref(struct lsm *lsm, struct lsm_version *version);
/* Appends a run behind (older than) those of a level; takes the caller's references of the
 * files, also on error. */
int lsm_version_add_run(struct lsm *lsm, struct lsm_version *version, uint32_t level,
                        struct lsm_file *const *files, uint32_t count);
#define LSM_NEW_RUN UINT32_MAX
struct lsm_change {
    bool drops_inputs;               /* files marked is_input are not in the result */
    uint32_t level;                  /* where the outputs come: */
    uint32_t run;                    /* they join this run of it; or LSM_NEW_RUN, its newest */
    struct lsm_file *const *outputs; /* in key order; borrowed */
    uint32_t count;
};
int lsm_version_change(struct lsm *lsm, const struct lsm_version *from,
                       const struct lsm_change *change, struct lsm_version **out);
uint64_t lsm_level_bytes(const struct lsm_level *level);
/* Index of the run's first file whose largest key is not less; count: none. */
uint32_t lsm_run_find(const struct lsm_run *run, struct bytes key);
/* Files of the run that overlap [from, to]: [*begin, *end). */
void lsm_run_overlap(const struct lsm_run *run, struct bytes from, struct bytes to,
                     uint32_t *begin, uint32_t *end);
int lsm_run_iterate(struct lsm *lsm, const struct lsm_run *run, uint32_t readahead,
                    uint32_t expected, struct lsm_iterator **out); /* scan.c; borrows the run */

/* ---- the manifest (manifest.c) ---- */

#define LSM_MANIFEST "MANIFEST"
#define LSM_MANIFEST_HEADER 36u           /* bytes */
#define LSM_MANIFEST_FILE 80u             /* bytes of a file's entry, but for its keys */
#define LSM_MANIFEST_NEXT "MANIFEST.next" /* while it is being written */

enum lsm_switch_step {
    SWITCH_IDLE,
    SWITCH_WRITE,
    SWITCH_SYNC,
    SWITCH_SYNC_NAMES,
    SWITCH_RENAME,
    SWITCH_SYNC_RENAME
};

/* The step from one version to the next. While one is under way no other begins. */
struct lsm_switch {
    enum lsm_switch_step step;
    struct lsm_version *version; /* the next one */
    uint64_t log_number, flushed_sequence;
    struct buffer encoded;
    struct vfs_file *file;
    bool of_flush; /* who began it */
};

int lsm_manifest_encode(struct lsm *lsm, const struct lsm_version *version, uint64_t log_number,
                        uint64_t flushed_sequence, struct buffer *out);
/* Reads MANIFEST into lsm->version and the numbers. -ENOENT: there is none. */
int lsm_manifest_read(struct lsm *lsm);
/* Writes a whole manifest at once, for opening and checkpoints. */
int lsm_manifest_write(struct lsm *lsm, const char *dir, const struct lsm_version *version,
                       uint64_t log_number, uint64_t flushed_sequence);
/* Takes the version, also on error. */
int lsm_switch_begin(struct lsm *lsm, struct lsm_version *version, uint64_t log_number,
                     uint64_t flushed_sequence, bool of_flush);
/* One vfs call. *done: the new version is current and durable. A failure before the rename
 * gives the switch up; after it the engine is read-only. */
int lsm_switch_slice(struct lsm *lsm, bool *done);
void lsm_switch_deinit(struct lsm *lsm);

/* ---- tables in the making, flush and compaction (output.c, flush.c, compaction.c) ---- */

/* What a slice may still do. */
struct lsm_slice {
    uint64_t budget; /* bytes of entries left */
    bool has_read, has_written;
};

struct lsm_output {
    struct table_builder *builder; /* NULL: none begun */
    struct vfs_file *file;         /* NULL: nothing written yet */
    uint64_t number, written;
    int64_t tombstone_newest_ns;
    bool is_finished; /* all is encoded */
    struct table_summary summary;
    struct lsm_file **files; /* made and durable, but for their names */
    uint32_t count, capacity;
};

int lsm_output_add(struct lsm *lsm, struct lsm_output *output,
                   const struct lsm_iterator *entry);
uint64_t lsm_output_size(const struct lsm_output *output); /* of the file being made */
static inline uint64_t lsm_output_unwritten(const struct lsm_output *output)
{
    uint64_t offset;
    return output->builder ? table_builder_pending(output->builder, &offset).size : 0;
}
/* Writes what is pending. */
int lsm_output_write(struct lsm *lsm, struct lsm_output *output, enum vfs_purpose purpose);
int lsm_output_finish(struct lsm_output *output); /* encodes the rest; a write is due */
/* Syncs the written file and adds it to files. */
int lsm_output_sync(struct lsm *lsm, struct lsm_output *output, enum vfs_purpose purpose);
void lsm_output_deinit(struct lsm *lsm, struct lsm_output *output); /* unlisted: garbage */
/* When a delete was written: its value in memtables and tables. */
int64_t lsm_tombstone_time(const struct lsm_iterator *entry);

enum lsm_flush_step { FLUSH_IDLE, FLUSH_BUILD, FLUSH_SYNC, FLUSH_SWITCH };
struct lsm_flush {
    enum lsm_flush_step step;
    struct lsm_iterator *it;
    struct bytes last_key; /* of the last entry added: older versions of it are dropped */
    bool has_last;
    struct lsm_output output;
};

/* What is due next, as the current version says (pick.c). */
enum lsm_due_kind { DUE_NOTHING, DUE_ONE_RUN, DUE_LEVEL0, DUE_LEVEL, DUE_TIER, DUE_ARRIVAL };
struct lsm_due {
    enum lsm_due_kind kind;
    uint32_t level;
    bool has_tombstones;   /* a file that is the bottom of its range holds some ... */
    int64_t tombstones_ns; /* ... of which all are older than gc_grace from then on */
    uint32_t tombstone_level;
    uint64_t tombstone_file; /* its number */
};

enum lsm_compaction_step { COMPACT_IDLE, COMPACT_MERGE, COMPACT_SYNC, COMPACT_SWITCH };
/* Files of one run, read one after the other. */
struct lsm_input {
    uint32_t next, end;      /* in the compaction's files: to be opened */
    struct lsm_file *file;   /* pinned, being read; or NULL */
    struct lsm_iterator *it; /* over it; NULL with next == end: all is read */
    bool is_placed;          /* `it` has been moved to the first entry */
};
struct lsm_compaction {
    enum lsm_compaction_step step;
    uint32_t level_to, run_to; /* as in lsm_change */
    uint32_t older_run;        /* from here on the runs of level_to are older than the inputs */
    int64_t now_ns;            /* when it was picked */
    bool is_arrival;           /* FULL: counts in arrivals */
    bool moves;                /* the inputs themselves are the outputs */
    struct lsm_version *version; /* that it was picked from; referenced */
    struct lsm_file **files;     /* all inputs, run by run, newest run first */
    uint32_t file_count, file_capacity;
    struct lsm_input *inputs;
    uint32_t input_count, input_capacity;
    uint32_t *losers;    /* a tournament over the inputs: losers[0] is its winner */
    bool is_built;       /* the tournament stands */
    bool is_winner_used; /* the winner's entry is dealt with: it is to move on */
    bool is_read_out;
    bool splits; /* the output is full: the next other key begins another file */
    struct buffer last_key;
    bool has_last;
    struct lsm_output output;
    bool is_blocked; /* an input is corrupt: no compaction until reopened */
};

/* Judges the current version anew; whoever makes one current calls it. */
void lsm_due_update(struct lsm *lsm);
/* Fills lsm->compaction with what is due. 0 or -ENOMEM. */
int lsm_compaction_pick(struct lsm *lsm);
/* No run older than the compaction's inputs may hold the key. */
bool lsm_compaction_is_bottom(const struct lsm *lsm, struct bytes key);

struct lsm_level_counts { /* since the engine was opened */
    uint64_t bytes_in, bytes_out, entries_in, entries_out, compactions, moves; /* into it */
};

bool lsm_flush_is_due(const struct lsm *lsm);
int lsm_flush_slice(struct lsm *lsm, uint64_t budget);
void lsm_flush_abort(struct lsm *lsm);
void lsm_flush_done(struct lsm *lsm); /* its switch is durable */
/* Seals the memtable and its log, and begins the next of both. No memtable is being flushed. */
int lsm_memory_switch(struct lsm *lsm);

bool lsm_compaction_is_due(struct lsm *lsm);
int lsm_compaction_slice(struct lsm *lsm, uint64_t budget);
void lsm_compaction_abort(struct lsm *lsm);
void lsm_compaction_done(struct lsm *lsm);

/* One slice of whatever is most urgent. */
int lsm_maintain_slice(struct lsm *lsm, uint64_t budget, bool *more);

/* ---- the engine ---- */

/* A memtable; cursors hold it beyond its flush. */
struct lsm_memory {
    uint32_t refs;
    struct memtable *table;
    /* A bit for each hash of a key, so that most gets of what is not there need no search,
     * which is a cache miss a level. The first get that would profit makes it: who only writes
     * does not pay. NULL: not yet. */
    unsigned char *filter;
    size_t filter_bytes; /* a power of two */
};
struct lsm_memory *lsm_memory_create(struct lsm *lsm); /* NULL: no memory */
void lsm_memory_unref(struct lsm *lsm, struct lsm_memory *memory);
/* The newest version of the key: as memtable_get. `hash` is bloom_hash(key). */
bool lsm_memory_get(struct lsm *lsm, struct lsm_memory *memory, struct bytes key, uint64_t hash,
                    bool *is_delete, struct bytes *value);
static inline void lsm_memory_mark(struct lsm_memory *memory, uint64_t hash)
{
    uint64_t bit = hash & (memory->filter_bytes * 8 - 1);
    memory->filter[bit / 8] |= (unsigned char)(1u << bit % 8);
}

struct lsm {
    struct engine base;
    struct lsm_options options;
    char dir[ENGINE_PATH_SIZE];
    struct lsm_memory *memory;     /* takes the writes */
    struct lsm_memory *flushing;   /* NULL, or sealed and on its way to level 0 */
    struct lsm_wal *wal;           /* of `memory` */
    struct lsm_wal *flushing_wals; /* of `flushing`, oldest first */
    uint64_t flushing_sequence;    /* the last in `flushing` */
    uint64_t sequence;             /* of the last item written */
    uint64_t next_number;          /* for files */
    uint64_t log_number;           /* in the durable manifest: older logs are in tables */
    uint64_t flushed_sequence;     /* likewise: the last one in tables */
    int64_t now_ns;                /* the last that came in */
    struct lsm_version *version;   /* current */
    struct block_cache *cache;     /* NULL: none */
    struct lsm_file *newest_open, *oldest_open; /* open tables by last use */
    uint64_t open_tables;
    struct lsm_garbage *garbage; /* to be unlinked */
    struct lsm_switch change;
    struct lsm_flush flush;
    struct lsm_compaction compaction;
    struct lsm_due due;
    struct buffer picks[LSM_LEVELS]; /* LEVELED: behind which key to pick next */
    struct buffer scratch;           /* the log record being written */
    bool is_read_only;               /* a write, sync or switch has failed */
    bool is_closing;
    uint64_t cut_bytes;                  /* dropped at open */
    uint64_t manifest_bytes, bad_offset; /* bad_offset: where the manifest is damaged */
    uint64_t flushes, flushed_entries, flushed_bytes, tombstones_dropped, filtered_reads;
    struct lsm_level_counts counts[LSM_LEVELS];
};

static inline struct lsm *lsm_of(struct engine *engine)
{
    return (struct lsm *)engine;
}

int lsm_log_path(const char *dir, uint64_t number, char out[ENGINE_PATH_SIZE]);
int lsm_table_path(const char *dir, uint64_t number, char out[ENGINE_PATH_SIZE]);
/* What a file's name says. */
enum lsm_name {
    LSM_NAME_FOREIGN,
    LSM_NAME_MANIFEST,
    LSM_NAME_NEXT,
    LSM_NAME_LOG,
    LSM_NAME_TABLE
};
enum lsm_name lsm_name_parse(const char *name, uint64_t *number);

int lsm_recover(struct lsm *lsm); /* recover.c */

int lsm_scan_open(struct engine *engine, const struct engine_range *range,
                  struct engine_cursor **out); /* scan.c */
int lsm_scan_next(struct engine_cursor *cursor, struct bytes *key, struct bytes *value);
void lsm_scan_close(struct engine_cursor *cursor);

void lsm_stats(struct engine *engine, struct engine_stats *stats);
void lsm_properties(struct engine *engine, engine_property_fn *each, void *context);
int lsm_recognise(struct vfs *vfs, const char *dir);
int lsm_inspect(const struct engine_host *host, const char *dir,
                const struct engine_inspector *inspector); /* inspect.c */

#endif
