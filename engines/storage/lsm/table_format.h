/* What the parts of an SSTable share: constants of the format (described in table.c), varints,
 * blocks as bytes, blocks in memory. Only the files of this folder that make tables include it.
 */
#ifndef FAULTLINE_ENGINES_STORAGE_LSM_TABLE_FORMAT_H
#define FAULTLINE_ENGINES_STORAGE_LSM_TABLE_FORMAT_H

#include "engines/storage/lsm/table.h"

#define TABLE_MAGIC "FLLSMT01"
#define TABLE_FOOTER 56u
#define TABLE_PROPERTIES 68u /* before the two keys and the checksum */
#define CHECKSUM_SIZE 8u
#define BLOCK_HEADER 4u                    /* size of the whole block */
#define BLOCK_TRAILER (4u + CHECKSUM_SIZE) /* number of restart points, checksum */
#define SHARED_INLINE 32u /* what most keys share at most stands in struct table itself */
#define VARINT32_MAX 5u
#define VARINT64_MAX 10u

/* The checksum of bytes that stand at an offset of file `number`. */
static inline uint64_t table_checksum(struct bytes bytes, uint64_t number, uint64_t offset)
{
    return bytes_hash(bytes, number * UINT64_C(0x9E3779B97F4A7C15) + offset);
}

static inline unsigned char *varint_put(unsigned char *p, uint64_t v)
{
    for (; v >= 0x80; v >>= 7) *p++ = (unsigned char)(v | 0x80);
    *p++ = (unsigned char)v;
    return p;
}
/* Behind the varint, or NULL when there is none before `end`. */
static inline const unsigned char *varint_get(const unsigned char *p, const unsigned char *end,
                                              uint64_t *v)
{
    uint64_t value = 0;
    for (uint32_t shift = 0; p < end && shift < 64; shift += 7) {
        uint64_t byte = *p++;
        value |= (byte & 0x7f) << shift;
        if (byte < 0x80) {
            *v = value;
            return p;
        }
    }
    return NULL;
}

static inline size_t shared_size(struct bytes a, struct bytes b)
{
    const unsigned char *p = a.data, *q = b.data;
    size_t size = a.size < b.size ? a.size : b.size, i = 0;
    for (; i + 8 <= size; i += 8) {
        uint64_t x, y;
        memcpy(&x, p + i, 8);
        memcpy(&y, q + i, 8);
        if (x != y) break;
    }
    while (i < size && p[i] == q[i]) i++;
    return i;
}

/* Eight bytes of the key behind the skipped ones as a big-endian integer, zeros behind its
 * end: orders keys that share `skip` bytes, but for ties. */
static inline uint64_t key_prefix(struct bytes key, size_t skip)
{
    uint64_t word = 0;
    size_t left = key.size - skip;
    if (left >= 8)
        memcpy(&word, (const char *)key.data + skip, 8);
    else if (left)
        memcpy(&word, (const char *)key.data + skip, left);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* ---- a block as bytes (block.c) ---- */

/* A block that was checked. The offsets count from its first byte. */
struct block_view {
    const unsigned char *data;
    uint32_t entries_end; /* where the restart points begin */
    uint32_t restarts;
};
/* False when the bytes, whose checksum is right, are no block. */
bool block_view_init(struct block_view *view, const unsigned char *data, size_t size);

struct block_entry {
    uint32_t shared, suffix_size, value_size;
    uint32_t next; /* offset of what follows */
    uint64_t tag;  /* sequence << 1 | delete */
    const unsigned char *suffix, *value;
};
/* The varint at p, when it has four bytes at most (which may all be read): behind it, else
 * NULL. Sizes and sequences of one table take mostly one way through it. */
static inline const unsigned char *varint_short(const unsigned char *p, uint64_t *v)
{
    uint32_t w = get_u32(p);
    if (!(w & 0x80)) {
        *v = w & 0x7f;
        return p + 1;
    }
    if (!(w & 0x8000)) {
        *v = (w & 0x7f) | (w >> 1 & 0x3f80);
        return p + 2;
    }
    *v = (w & 0x7f) | (w >> 1 & 0x3f80) | (w >> 2 & 0x1fc000);
    if (!(w & 0x800000)) return p + 3;
    *v |= w >> 3 & 0xfe00000;
    return w & 0x80000000 ? NULL : p + 4;
}

/* Decodes the entry at an offset; false when it is malformed. */
static inline bool block_entry_at(const struct block_view *view, uint32_t offset,
                                  struct block_entry *entry)
{
    const unsigned char *begin = view->data + offset, *end = view->data + view->entries_end;
    const unsigned char *p = NULL;
    uint64_t shared = begin[0], suffix = begin[1], value;
    /* Behind the entries stand 16 bytes at least: this reads none beyond the block. */
    if (!((shared | suffix) & 0x80) && (p = varint_short(begin + 2, &value)))
        p = varint_short(p, &entry->tag);
    if (!p) {
        if (!(p = varint_get(begin, end, &shared))) return false;
        if (!(p = varint_get(p, end, &suffix))) return false;
        if (!(p = varint_get(p, end, &value))) return false;
        if (!(p = varint_get(p, end, &entry->tag))) return false;
    }
    if (p > end) return false;
    uint64_t left = (uint64_t)(end - p);
    if (suffix > left || value > left - suffix || shared > UINT32_MAX) return false;
    entry->shared = (uint32_t)shared;
    entry->suffix_size = (uint32_t)suffix;
    entry->value_size = (uint32_t)value;
    entry->suffix = p;
    entry->value = p + suffix;
    entry->next = (uint32_t)(p + suffix + value - view->data);
    return true;
}
static inline uint32_t block_restart(const struct block_view *view, uint32_t index)
{
    return get_u32(view->data + view->entries_end + (size_t)4 * index);
}

/* The first entry at or behind (key, sequence). 1: *entry at *offset, whose shared bytes are
 * the key's first ones; 0: all are before; -EBADMSG: malformed. */
int block_find(const struct block_view *view, struct bytes key, uint64_t sequence,
               uint32_t *offset, struct block_entry *entry);
/* The last restart point before an offset. */
uint32_t block_restart_before(const struct block_view *view, uint32_t offset);

/* Encodes blocks one behind the other at the end of a buffer. */
struct block_builder {
    struct buffer *out;
    size_t begin; /* of the block under way, in out */
    uint32_t interval, since_restart, entries;
    struct buffer restarts; /* u32 each */
    struct buffer key;      /* of the last entry */
};
void block_builder_init(struct block_builder *b, struct buffer *out, uint32_t interval);
void block_builder_deinit(struct block_builder *b);
int block_builder_add(struct block_builder *b, const struct lsm_iterator *entry);
/* What it would take if it ended here. */
size_t block_builder_size(const struct block_builder *b);
/* Ends the block, which stands at `offset` of file `number`. */
int block_builder_finish(struct block_builder *b, uint64_t number, uint64_t offset);

/* ---- blocks in memory (block_cache.c) ---- */

struct block {
    struct block **home; /* where its table finds it; NULL: not cached */
    struct block *ring_next, *ring_previous;
    size_t allocated;
    uint32_t size; /* of data */
    uint32_t pins;
    uint32_t entries_end,
        restarts; /* of its view, so that a hit touches no more than it reads */
    bool is_referenced;
    unsigned char data[];
};
/* Memory for a block that is about to be read, pinned, not yet found by anybody; when a cache
 * is given, its room is made already, and the memory may be that of who had to go. */
struct block *block_create(const struct allocator *allocator, struct block_cache *cache,
                           uint32_t size);
void block_unpin(const struct allocator *allocator, struct block *block);
/* Pins the block at *home, or counts a miss and returns NULL. */
struct block *block_cache_find(struct block_cache *cache, struct block **home);
/* Puts a block at *home, which is NULL, if there is room; else it dies with its last pin. */
void block_cache_add(struct block_cache *cache, struct block *block, struct block **home);
/* Takes a block out, *home is NULL then. */
void block_cache_drop(struct block_cache *cache, struct block *block);

/* ---- a table in memory (table.c) ---- */

struct block_place {
    uint64_t offset;      /* in the file */
    struct block *cached; /* or NULL */
};

struct table {
    struct engine *engine;
    const struct allocator *allocator;
    struct block_cache *cache; /* or NULL */
    struct vfs_file *file;
    uint64_t number;
    uint32_t blocks;
    /* The index: block i holds keys above separator i - 1 and up to separator i. */
    uint32_t skip;               /* bytes that all keys of the table share */
    const unsigned char *shared; /* these bytes: shared_inline, or the first key's */
    unsigned char shared_inline[SHARED_INLINE];
    uint64_t prefix_smallest, prefix_largest; /* key_prefix of first and last key */
    struct block_place *places;  /* blocks + 1: the last one is the end of the blocks */
    uint64_t *prefixes;          /* key_prefix of each separator */
    uint32_t *positions, *sizes; /* of each separator's bytes behind `skip`, in meta */
    struct bytes filter;         /* empty: none */
    unsigned char *meta;         /* the tail as it stands in the file */
    size_t meta_size;
    struct table_summary summary;
    uint32_t restart_interval, bloom_bits;
    char path[ENGINE_PATH_SIZE];
};

/* What stands behind the data blocks, read and checked. */
struct table_footer {
    uint64_t filter, index, properties, footer; /* offsets */
};
bool table_footer_decode(struct table_footer *f, const unsigned char data[TABLE_FOOTER],
                         uint64_t number, uint64_t file_bytes);
struct table_properties {
    struct table_summary summary;
    uint32_t blocks, restart_interval, bloom_bits, block_bytes;
};
/* False when malformed; the keys point into data. */
bool table_properties_decode(struct table_properties *p, struct bytes data);
/* Where the next separator of an encoded index stands. */
struct index_reader {
    const unsigned char *p, *end;
    uint32_t blocks, skip;
};
bool index_reader_init(struct index_reader *r, struct bytes data);
/* The rest of the separator behind `skip` bytes, and the size of the block. False when
 * malformed. */
bool index_reader_next(struct index_reader *r, struct bytes *rest, uint64_t *block_size);

/* The first block whose separator is >= key; table->blocks when the key is behind all. */
uint32_t table_block_of(const struct table *table, struct bytes key);
bool table_separator_is(const struct table *table, uint32_t index, struct bytes key);
int table_block_check(const struct table *table, const unsigned char *data, uint64_t offset,
                      size_t size, struct block_view *view); /* 0 or -EBADMSG */
/* The block by way of the cache, pinned. */
int table_block_get(struct table *table, uint32_t index, enum vfs_purpose purpose,
                    struct block **out, struct block_view *view);
int table_corrupt(const struct table *table, uint64_t offset, const char *why);
/* Exactly `size` bytes of the file; sets the error text of a failure. */
int table_file_read(const struct table *table, uint64_t offset, void *data, size_t size,
                    enum vfs_purpose purpose);

#endif
