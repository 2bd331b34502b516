/* What the files of the engine `hash` share. Nobody else includes this; the design is the essay
 * of hash.c. */
#ifndef FAULTLINE_ENGINES_STORAGE_HASH_INTERNAL_H
#define FAULTLINE_ENGINES_STORAGE_HASH_INTERNAL_H

#include "engines/storage/common.h"
#include "engines/storage/hash/hash.h"

#define HASH_KEY_SIZE_MAX 65535u
#define HASH_VALUE_SIZE_MAX (16u << 20)
#define SEGMENT_HEADER 16u
#define RECORD_HEADER 32u
#define RECORD_SIZE_MAX (RECORD_HEADER + HASH_KEY_SIZE_MAX + HASH_VALUE_SIZE_MAX)
#define READ_BLOCK (256u << 10) /* recovery and merge read this much at once */
#define KEPT_BUFFER 16384u      /* capacity that scratch buffers keep between calls */

/* ---- records (record.c) ---- */

enum record_kind { RECORD_PUT, RECORD_DELETE, RECORD_MARK };

struct hash_engine;

struct record {
    enum record_kind kind;
    uint32_t remaining; /* records of its batch behind it; 0: the batch is whole */
    uint64_t sequence;  /* of all records of this engine, from 1 */
    uint32_t previous;  /* checksum of the record before it in the segment */
    uint32_t synced;    /* bytes of the segment durable when it was written */
    uint32_t crc;       /* its own: an output of encode, an input of decode */
    struct bytes key, value;
};

static inline uint64_t record_size(uint64_t key_size, uint64_t value_size)
{
    return RECORD_HEADER + key_size + value_size;
}

/* Appends the record as it stands at `offset` of segment `id`; fills record->crc. */
int hash_record_encode(struct buffer *out, uint32_t id, uint64_t offset, struct record *record);
/* Size of the record whose header this is; 0 when no record has such a header. */
uint64_t hash_record_header_size(const unsigned char header[RECORD_HEADER]);
/* Whole record at `data` (hash_record_header_size bytes); false when the checksum fails. Views.
 */
bool hash_record_decode(const unsigned char *data, uint32_t id, uint64_t offset,
                        struct record *record);

/* ---- keydir (keydir.c): keys, and where their records stand ---- */

#define KEYDIR_NUMBER_MAX ((1u << 23) - 1) /* segments at a time */
#define KEYDIR_TOMBSTONE ((1u << 25) - 1)  /* as a value size */
#define KEYDIR_FREE_LISTS 17u              /* freed entries below this many units are reused */

struct keydir_slot {
    uint32_t entry, offset;
    uint64_t meta;
};

static inline uint32_t keydir_slot_number(const struct keydir_slot *slot)
{
    return (uint32_t)(slot->meta >> 25) & KEYDIR_NUMBER_MAX;
}
static inline uint32_t keydir_slot_value_size(const struct keydir_slot *slot)
{
    return (uint32_t)slot->meta & KEYDIR_TOMBSTONE;
}

struct keydir_arena {
    unsigned char **chunks;
    uint32_t count, capacity;         /* chunks there are; of the array */
    uint32_t last_units;              /* of the last chunk; all others are of full size */
    uint32_t current, used;           /* the chunk being filled, units of it */
    uint64_t free_units;              /* before that point, of nobody */
    uint32_t free[KEYDIR_FREE_LISTS]; /* freed entries by units; 0: none */
};

struct keydir {
    const struct allocator *allocator;
    struct keydir_slot *slots;
    size_t capacity, count; /* capacity: a power of two, or 0 */
    uint32_t shift;         /* 64 - log2(capacity) */
    uint32_t widest_units;  /* of any entry ever */
    uint64_t key_bytes;     /* of all entries */
    struct keydir_arena arena;
};

/* What is about to be put: so many keys, their bytes together, the longest. */
struct keydir_room {
    uint64_t keys, key_bytes;
    size_t widest;
};

/* After it puts of so much can not fail. `hash` is bytes_hash(key, 0) everywhere. */
int hash_keydir_reserve(struct keydir *keydir, const struct keydir_room *room);
/* Whether room for so many keys means another table: slots move, and none may be unsettled. */
bool hash_keydir_must_grow(const struct keydir *keydir, uint64_t keys);
/* Gives memory back after removals, or (is_loaded) after reserving too much. */
void hash_keydir_tidy(struct keydir *keydir, bool is_loaded);
void hash_keydir_prefetch(const struct keydir *keydir, uint64_t hash); /* the slot */
void hash_keydir_prefetch_key(const struct keydir *keydir, uint64_t hash);
const struct keydir_slot *hash_keydir_find(const struct keydir *keydir, uint64_t hash,
                                           struct bytes key); /* NULL: not there */
/* The slot of the key if it is there: another key's perhaps if it is not. */
const struct keydir_slot *hash_keydir_guess(const struct keydir *keydir, uint64_t hash,
                                            struct bytes key);
struct bytes hash_keydir_key(const struct keydir *keydir, const struct keydir_slot *slot);
/* True: replaced, *old is the former slot. Needs room. */
bool hash_keydir_put(struct keydir *keydir, uint64_t hash, struct bytes key, uint32_t number,
                     uint32_t offset, uint32_t value_size, struct keydir_slot *old);
/* Puts into the slot that the key has if it is there, without looking at the key. False: no key
 * of this tag is there, or more than one; nothing is done. */
bool hash_keydir_replace(struct keydir *keydir, uint64_t hash, uint32_t number, uint32_t offset,
                         uint32_t value_size, struct keydir_slot *old);
/* It was another key's: takes that back. */
void hash_keydir_restore(struct keydir *keydir, uint64_t hash, const struct keydir_slot *old);
bool hash_keydir_remove(struct keydir *keydir, uint64_t hash, struct bytes key,
                        struct keydir_slot *old);
/* The record that stood at (from_number, from_offset) stands elsewhere now. False: no key is
 * there any more. */
bool hash_keydir_repoint(struct keydir *keydir, uint64_t hash, uint32_t from_number,
                         uint32_t from_offset, uint32_t to_number, uint32_t to_offset);
uint64_t hash_keydir_memory(const struct keydir *keydir);
void hash_keydir_deinit(struct keydir *keydir);

/* ---- segments (segment.c) ---- */

struct segment {
    uint32_t id;
    uint32_t number;     /* its place in hash->numbered */
    uint32_t crc;        /* of the last record; of the header when there is none */
    uint32_t records;    /* puts and deletes */
    uint64_t size;       /* good bytes, header included */
    uint64_t dead_bytes; /* records that a merge would drop */
    uint64_t synced;     /* a completed sync covers [0, synced) */
    uint64_t sequence;   /* of the last record; not known of an active one */
    struct vfs_file *file;
    bool is_input;       /* a merge reads it */
    bool has_hint;       /* there is a file, good or not */
    uint64_t hint_bytes; /* of it */
    struct keydir
        index; /* layout `segment`: what of this segment has not been superseded in it */
    struct buffer filter; /* likewise, once it is sealed: the Bloom filter of its keys */
};

/* A growable array of segments, owned elsewhere or not as its user says. */
struct segments {
    struct segment **items;
    uint32_t count, capacity;
};

int hash_segments_add(struct hash_engine *hash, struct segments *list, struct segment *segment);
int hash_segments_reserve(struct hash_engine *hash, struct segments *list, uint32_t count);
void hash_segments_deinit(struct hash_engine *hash, struct segments *list); /* the array only */

int hash_segment_path(const struct hash_engine *hash, uint32_t id, char out[ENGINE_PATH_SIZE]);
/* A new file with its header, which is synced when asked; the name is not yet durable. */
int hash_segment_create(struct hash_engine *hash, uint32_t id, struct segment **out);
/* An existing file; the header is checked. */
int hash_segment_open(struct hash_engine *hash, uint32_t id, struct segment **out);
void hash_segment_close(struct hash_engine *hash, struct segment *segment); /* and frees it */
int hash_segment_corrupt(struct hash_engine *hash, uint32_t id, uint64_t offset,
                         const char *why);

/* A window that slides over a segment's first `limit` bytes. */
struct segment_reader {
    const struct segment *segment;
    uint64_t limit;
    enum vfs_purpose purpose;
    struct buffer window;
    uint64_t window_offset;
};
/* Views [offset, offset + size), valid until the next call. -ERANGE: beyond the limit. */
int hash_segment_view(struct segment_reader *reader, uint64_t offset, size_t size,
                      const unsigned char **out);
/* True when the next call for the record at offset leaves the window, and views into it, as
 * they are. */
bool hash_segment_holds(const struct segment_reader *reader, uint64_t offset);
/* Reads and checks the record at offset. 1; 0: no whole record stands there; or -errno. */
int hash_segment_record(struct segment_reader *reader, uint64_t offset, struct record *record);

/* ---- index (index.c): the layouts ---- */

struct place {
    struct segment *segment;
    uint32_t offset, value_size;
};

/* Where the newest record of the key stands. False: there is none, or it is a tombstone. */
bool hash_index_find(const struct hash_engine *hash, uint64_t h, struct bytes key,
                     struct place *place);
/* The same, but in doubt true: the record says whether it is the key's. */
bool hash_index_guess(const struct hash_engine *hash, uint64_t h, struct bytes key,
                      struct place *place);
/* Room for what is about to be applied to records of this segment. */
int hash_index_reserve(struct hash_engine *hash, struct segment *segment,
                       const struct keydir_room *room);
void hash_index_prefetch(const struct hash_engine *hash, const struct segment *segment,
                         uint64_t h);
void hash_index_prefetch_key(const struct hash_engine *hash, const struct segment *segment,
                             uint64_t h);
/* Applies a record that stands at (segment, offset), the newest of its key. */
void hash_index_put(struct hash_engine *hash, struct segment *segment, uint32_t offset,
                    uint64_t h, struct bytes key, uint32_t value_size);
/* The same without waiting for the key that it replaces: hash_index_settle() looks at that,
 * which must be called before anything else is asked of the index or of counts. */
void hash_index_put_early(struct hash_engine *hash, struct segment *segment, uint32_t offset,
                          uint64_t h, struct bytes key, uint32_t value_size);
void hash_index_settle(struct hash_engine *hash);
void hash_index_delete(struct hash_engine *hash, struct segment *segment, uint32_t offset,
                       uint64_t h, struct bytes key);
/* The segment gets no more records: its filter is made, if there is memory for it. */
void hash_index_seal(struct hash_engine *hash, struct segment *segment);
/* A merge's output got a copy of the key's newest record. 0, -ENOMEM. */
int hash_index_copied(struct hash_engine *hash, struct segment *output, uint32_t offset,
                      uint64_t h, struct bytes key, uint32_t value_size);
/* Calls `each` for every key, in any order; non-zero stops. */
int hash_index_each(const struct hash_engine *hash,
                    int (*each)(void *context, struct bytes key, const struct place *place),
                    void *context);
uint64_t hash_index_memory(const struct hash_engine *hash);
uint64_t hash_filter_memory(const struct hash_engine *hash);

/* ---- hint files (hint.c) ---- */

#define HINT_BLOCK 15360u /* a stream is written in pieces of this size: within 16 KiB */

/* A hint file being written beside its segment. Whatever fails only ends the stream: a segment
 * without hints is read whole at the next open. */
struct hint_stream {
    uint32_t id;
    enum vfs_purpose purpose;
    bool is_broken; /* or never begun */
    struct vfs_file *file;
    struct buffer out; /* not yet written */
    uint64_t written;
    uint32_t crc; /* of what was written */
};

void hash_hint_begin(struct hash_engine *hash, struct hint_stream *stream, uint32_t id,
                     enum vfs_purpose purpose);
/* The next record of the segment; all of them, marks too. */
void hash_hint_add(struct hint_stream *stream, enum record_kind kind, struct bytes key,
                   uint32_t value_size);
void hash_hint_flush(struct hash_engine *hash, struct hint_stream *stream,
                     struct segment *segment);
/* Ends the file: it describes the segment as it is. */
void hash_hint_end(struct hash_engine *hash, struct hint_stream *stream,
                   struct segment *segment);
void hash_hint_abandon(struct hint_stream *stream);
/* Reads the file of a sealed segment and applies it. 1; 0: there is none that fits; -ENOMEM. */
int hash_hint_load(struct hash_engine *hash, struct segment *segment, uint32_t crc);

/* ---- manifest (manifest.c) ---- */

#define MANIFEST_NAME "MANIFEST"
#define MANIFEST_ROLL_NAME "MANIFEST.roll"   /* the next one, while a roll writes it */
#define MANIFEST_MERGE_NAME "MANIFEST.merge" /* likewise, a merge */

struct manifest_entry {
    uint32_t id;
    uint32_t crc; /* of its last record */
    uint64_t size;
}; /* size 0: the active segment, whose crc says nothing */
struct manifest_header {
    uint32_t next_id;
    uint64_t live_keys; /* when it was written: how large to make the index */
};

/* Encodes the segments in order; the last one is the active. */
int hash_manifest_encode(struct buffer *out, const struct segments *segments, uint32_t next_id,
                         uint64_t live_keys);
/* The file whole, as it is. */
int hash_manifest_load(struct hash_engine *hash, struct buffer *out);
/* NULL: good. Else what is wrong, at *offset; "": no memory. */
const char *hash_manifest_decode(struct bytes data, struct buffer *entries,
                                 struct manifest_header *header, uint64_t *offset);
uint64_t hash_manifest_offset(uint32_t entry); /* where it stands in the file */
/* Reads MANIFEST; entries is filled with struct manifest_entry. -ENOENT: there is none. */
int hash_manifest_read(struct hash_engine *hash, struct buffer *entries,
                       struct manifest_header *header);
/* Writes one whole, in the steps temp, sync, rename, sync_dir. */
int hash_manifest_write(struct hash_engine *hash, const char *dir, const char *temp_name,
                        const struct segments *segments, uint32_t next_id);

/* ---- merge (merge.c) ---- */

enum merge_step {
    MERGE_IDLE,
    MERGE_READ,
    MERGE_CREATE,
    MERGE_WRITE,
    MERGE_SYNC,
    MERGE_SYNC_NAMES,
    MERGE_SYNC_ACTIVE,
    MERGE_MANIFEST_CREATE,
    MERGE_MANIFEST_WRITE,
    MERGE_MANIFEST_SYNC,
    MERGE_RENAME,
    MERGE_SYNC_SWITCH,
    MERGE_REPOINT,
    MERGE_HINT,
};

struct merge_move { /* a live record: where it stood, where its copy stands */
    uint64_t hash;
    uint32_t from_number, from, to, size;
    struct segment *output;
};

struct merge {
    enum merge_step step;
    uint32_t inputs;     /* the first so many of hash->segments */
    uint32_t input;      /* the one being read */
    uint64_t offset;     /* in it: all before has been dealt with */
    uint64_t needed;     /* bytes that the record at offset takes; 0: not known */
    struct buffer out;   /* records for the current output, not yet written */
    uint32_t out_crc;    /* of the last of them */
    bool is_output_full; /* the next record begins another output */
    bool is_read_out;    /* all inputs have been read */
    struct segments outputs;
    struct segments retired;   /* the inputs, from the switch to the last repointed move */
    struct hint_stream hint;   /* of the current output */
    struct buffer moves;       /* of struct merge_move; layout `keydir` only */
    size_t moves_done;         /* repointed */
    uint64_t manifest_version; /* of hash when the merge's manifest was encoded */
    struct vfs_file *manifest; /* MANIFEST.merge while it is being written */
    bool is_blocked;           /* an input is corrupt: no merge until reopened */
};

int hash_merge_slice(struct hash_engine *hash, uint64_t budget_bytes, bool *more);
bool hash_merge_is_wanted(const struct hash_engine *hash);
/* False: a slice would do nothing. For this nothing needs to be settled. */
bool hash_merge_has_work(const struct hash_engine *hash);
void hash_merge_deinit(struct hash_engine *hash);

/* ---- the engine ---- */

#define UNSETTLED_KEY_MAX 64u /* puts of longer keys are settled at once */

struct hash_engine {
    struct engine base;
    struct hash_options options;
    char dir[ENGINE_PATH_SIZE];
    struct keydir keydir; /* layout `keydir`: of all segments */
    uint64_t live_keys, live_key_bytes, live_value_bytes;
    struct segment **numbered; /* by number, NULL where free */
    uint32_t numbered_count;
    struct segments segments; /* in order of age; the last is the active */
    struct segments dropped;  /* no longer listed; unlinked when no cursor can read them */
    uint32_t next_id;
    uint64_t sequence;         /* of the last record written */
    uint64_t manifest_version; /* counts the manifests written by rolls */
    uint64_t cut_bytes;        /* dropped at open */
    bool owes_mark;            /* records have been written that none claims durable */
    bool is_read_only;         /* a write, sync or switch has failed */
    struct merge merge;
    struct unsettled {
        bool is_open;
        struct keydir_slot old; /* what it replaced, if the keys are the same */
        struct segment *segment;
        uint32_t offset, value_size;
        uint64_t hash;
        uint32_t key_size;
        unsigned char key[UNSETTLED_KEY_MAX];
    } unsettled;             /* the last put */
    struct hint_stream hint; /* of the active segment */
    struct buffer scratch;   /* the batch being written, the record being read */
    struct buffer hashes;    /* of its keys */
};

static inline struct segment *hash_active(const struct hash_engine *hash)
{
    return hash->segments.items[hash->segments.count - 1];
}

int hash_recover(struct hash_engine *hash); /* recover.c */
/* Syncs the active segment; a failure is one of the log (write_failed in hash.c). */
int hash_active_sync(struct hash_engine *hash);

extern const char *const hash_index_words[]; /* "keydir", "segment", NULL */
enum hash_index_layout { INDEX_KEYDIR, INDEX_SEGMENT };

static inline struct segment *hash_slot_segment(const struct hash_engine *hash,
                                                const struct keydir_slot *slot)
{
    return hash->numbered[keydir_slot_number(slot)];
}

/* Figures and looks inside (inspect.c). */
void hash_properties(struct engine *engine, engine_property_fn *each, void *context);
int hash_recognise(struct vfs *vfs, const char *dir);
int hash_inspect(const struct engine_host *host, const char *dir,
                 const struct engine_inspector *inspector);
/* Scans (scan.c). */
int hash_scan_open(struct engine *engine, const struct engine_range *range,
                   struct engine_cursor **out);
int hash_scan_next(struct engine_cursor *cursor, struct bytes *key, struct bytes *value);
void hash_scan_close(struct engine_cursor *cursor);
/* Reads the value of the key at its place; `scratch` holds the record. -ENODATA: a record of
 * another key stands there, or none. */
int hash_value_read(struct hash_engine *hash, const struct place *place, struct bytes key,
                    struct buffer *scratch, struct bytes *value);

#endif
