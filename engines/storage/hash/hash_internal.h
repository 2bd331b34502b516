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

/* ---- segments (segment.c) ---- */

struct segment {
    uint32_t id;
    uint32_t crc;        /* of the last record; of the header when there is none */
    uint64_t size;       /* good bytes, header included */
    uint64_t dead_bytes; /* records that a merge would drop */
    uint64_t synced;     /* a completed sync covers [0, synced) */
    struct vfs_file *file;
    bool is_input;        /* a merge reads it */
    uint32_t input_index; /* its place among the inputs */
};

/* A growable array of segments, owned elsewhere or not as its user says. */
struct segments {
    struct segment **items;
    uint32_t count, capacity;
};

struct hash_engine;

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
/* Reads and checks the record at offset. 1; 0: no whole record stands there; or -errno. */
int hash_segment_record(struct segment_reader *reader, uint64_t offset, struct record *record);

/* ---- keydir (keydir.c): every live key and where its record stands ---- */

struct keydir_entry {
    struct segment *segment;
    uint64_t offset; /* of the record */
    uint32_t hash, key_size, value_size;
    unsigned char key[];
};

struct keydir {
    const struct allocator *allocator;
    struct keydir_entry **slots; /* open addressing, linear probing */
    size_t capacity;             /* a power of two, or 0 */
    size_t count;
    uint64_t key_bytes, value_bytes; /* of all entries */
};

struct keydir_entry *hash_keydir_entry_create(const struct keydir *keydir, struct bytes key);
void hash_keydir_entry_destroy(const struct keydir *keydir, struct keydir_entry *entry);
int hash_keydir_reserve(struct keydir *keydir, size_t more); /* room for so many new keys */
struct keydir_entry *hash_keydir_find(const struct keydir *keydir, struct bytes key);
/* Takes the entry; returns the one of the same key that it replaces, or NULL. Needs room. */
struct keydir_entry *hash_keydir_put(struct keydir *keydir, struct keydir_entry *entry);
/* Takes the key's entry out and returns it, or NULL. */
struct keydir_entry *hash_keydir_remove(struct keydir *keydir, struct bytes key);
void hash_keydir_deinit(struct keydir *keydir);

/* ---- manifest (manifest.c) ---- */

#define MANIFEST_NAME "MANIFEST"
#define MANIFEST_ROLL_NAME "MANIFEST.roll"   /* the next one, while a roll writes it */
#define MANIFEST_MERGE_NAME "MANIFEST.merge" /* likewise, a merge */

struct manifest_entry {
    uint32_t id;
    uint64_t size;
}; /* size 0: the active segment */

/* Encodes the segments in order; the last one is the active. */
int hash_manifest_encode(struct buffer *out, const struct segments *segments, uint32_t next_id);
/* Reads MANIFEST; entries is filled with struct manifest_entry. -ENOENT: there is none. */
int hash_manifest_read(struct hash_engine *hash, struct buffer *entries, uint32_t *next_id);
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
};

struct merge_move { /* a live record: where it stood, where its copy stands */
    uint32_t input_index;
    uint64_t from, to;
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
    struct buffer moves;       /* of struct merge_move, in order of (input_index, from) */
    uint64_t manifest_version; /* of hash when the merge's manifest was encoded */
    struct vfs_file *manifest; /* MANIFEST.merge while it is being written */
    bool is_blocked;           /* an input is corrupt: no merge until reopened */
};

int hash_merge_slice(struct hash_engine *hash, uint64_t budget_bytes, bool *more);
bool hash_merge_is_wanted(const struct hash_engine *hash);
void hash_merge_deinit(struct hash_engine *hash);

/* ---- the engine ---- */

struct hash_engine {
    struct engine base;
    struct hash_options options;
    char dir[ENGINE_PATH_SIZE];
    struct keydir keydir;
    struct segments segments; /* in order of age; the last is the active */
    struct segments dropped;  /* no longer listed; unlinked when no cursor can read them */
    uint32_t next_id;
    uint64_t sequence;         /* of the last record written */
    uint64_t manifest_version; /* counts the manifests written by rolls */
    uint64_t cut_bytes;        /* dropped at open */
    bool owes_mark;            /* records have been written that none claims durable */
    bool is_read_only;         /* a write, sync or switch has failed */
    struct merge merge;
    struct buffer scratch; /* the batch being written, the record being read */
};

static inline struct segment *hash_active(const struct hash_engine *hash)
{
    return hash->segments.items[hash->segments.count - 1];
}

int hash_recover(struct hash_engine *hash); /* recover.c */
/* Syncs the active segment; a failure is one of the log (write_failed in hash.c). */
int hash_active_sync(struct hash_engine *hash);

/* Applies a record that stands at (segment, offset); takes the entry of a put. */
void hash_apply_put(struct hash_engine *hash, struct keydir_entry *entry);
void hash_apply_delete(struct hash_engine *hash, struct segment *segment, struct bytes key);

#endif
