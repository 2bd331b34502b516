/* SSTables of `lsm`: an immutable sorted file, its builder, its reader, and the block cache.
 * Format with offsets: table.c.
 *
 * Every byte of a file is under a checksum; a block is checked whenever it comes from the
 * disk. Damage: -EBADMSG, and the host's engine gets file and offset through `fail`.
 */
#ifndef FAULTLINE_ENGINES_STORAGE_LSM_TABLE_H
#define FAULTLINE_ENGINES_STORAGE_LSM_TABLE_H

#include "engines/storage/common.h"
#include "engines/storage/lsm/iterator.h"

/* ---- building: memory first, the caller decides when a write happens ---- */

struct table_shape {
    uint32_t block_bytes;      /* data blocks are closed at this size */
    uint32_t restart_interval; /* entries that share a prefix chain */
    uint32_t bloom_bits;       /* a key; 0: no filter */
};

struct table_summary {
    uint64_t file_bytes, entries, tombstones, data_bytes; /* data: keys and values */
    uint64_t sequence_min, sequence_max;
    uint64_t tail_bytes; /* filter, index and footer: one stretch at the file's end, so that
                            who knows its size opens the file with one read */
    struct bytes smallest, largest; /* keys; the builder's or the reader's memory */
};

struct table_builder;
/* `number` is the file's number: part of every checksum, so that a block of another file is
 * recognised. */
int table_builder_create(const struct allocator *allocator, const struct table_shape *shape,
                         uint64_t number, struct table_builder **out);
void table_builder_destroy(struct table_builder *builder);
/* Entries in the order of iterator.h. 0 or -ENOMEM: the builder is then unusable. */
int table_builder_add(struct table_builder *builder, const struct lsm_iterator *entry);
/* Bytes of the file so far, written or not; an estimate of where finish would end. */
uint64_t table_builder_size(const struct table_builder *builder);
/* Encoded and not yet written: whole blocks. The caller writes them at *offset with one
 * vfs_write and calls table_builder_written. */
struct bytes table_builder_pending(const struct table_builder *builder, uint64_t *offset);
void table_builder_written(struct table_builder *builder);
/* Encodes the last block, filter, index and footer into pending; nothing may be added after
 * it. The summary is valid until destroy. */
int table_builder_finish(struct table_builder *builder, struct table_summary *summary);

/* ---- the block cache: shared by all tables of an engine, bounded, second chance ---- */

struct block_cache;
int block_cache_create(const struct allocator *allocator, uint64_t bytes_max,
                       struct block_cache **out); /* takes memory as it fills, no more than
                                                     bytes_max beyond what is pinned */
void block_cache_destroy(struct block_cache *cache);
struct block_cache_stats {
    uint64_t hits, misses, bytes, blocks;
};
void block_cache_stats(const struct block_cache *cache, struct block_cache_stats *out);

/* ---- reading ---- */

struct table;
/* Opens the file and reads footer, index and filter, which stay in memory (bounded by the
 * caller, who closes tables). `engine` receives error texts; cache may be NULL. `tail_bytes`
 * as the builder's summary gave it: one vfs read; 0: not known, and there are two. Another
 * tail in the file than that is damage. */
int table_open(struct engine *engine, struct block_cache *cache, const char *path,
               uint64_t number, uint64_t tail_bytes, enum vfs_purpose purpose,
               struct table **out);
void table_close(struct table *table); /* drops its blocks from the cache; no iterator left */
void table_summary(const struct table *table, struct table_summary *out);
uint64_t table_memory(const struct table *table);
uint64_t table_filter_bytes(const struct table *table);

/* The newest version of the key with a sequence <= snapshot. 1: found, the value is assigned
 * when it is a put; 0: not in this table (the filter said so, or a block was read in vain:
 * *was_filtered); or -errno. `hash` is bloom_hash(key). */
int table_get(struct table *table, struct bytes key, uint64_t hash, uint64_t snapshot,
              bool *is_delete, struct buffer *value, bool *was_filtered);

/* readahead: bytes fetched at once when blocks are read in order; 0: block by block through
 * the cache. With a readahead and another purpose than VFS_USER_READ (a compaction) the cache
 * is neither asked nor filled. */
int table_iterate(struct table *table, uint32_t readahead, enum vfs_purpose purpose,
                  struct lsm_iterator **out);
/* How much a user's read behind a seek is likely to need of this table: as much is fetched at
 * once, up to the readahead. */
void table_iterator_expect(struct lsm_iterator *it, uint32_t bytes);
/* With a readahead, of an iterator of table_iterate: true when the next lsm_iterator_next()
 * needs no disk. One move makes one vfs read at most, so that a slice of maintenance can stop
 * between two. */
bool table_iterator_is_ready(const struct lsm_iterator *it);

/* What inspection found in a table, beside what it reported. */
struct table_seen {
    bool is_whole;                /* no problem in it; else only summary.file_bytes is true */
    struct table_summary summary; /* its keys stand in the buffers */
    int64_t tombstone_newest_ns;  /* INT64_MIN: it has none */
    struct buffer smallest, largest;
};
/* Reads everything of a file that is not open and reports it (engine.h, engine_inspect).
 * *seen, all zero, is filled and then the caller's to deinit; or it is NULL. */
int table_inspect(const struct engine_host *host, const char *path, const char *name,
                  uint64_t number, const struct engine_inspector *inspector,
                  struct table_seen *seen);
void table_seen_deinit(struct table_seen *seen);

#endif
