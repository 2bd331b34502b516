/* What the files of the engine share. The format and the invariants stand in btree.c.
 *
 *     page.c        one page as bytes: slots, cells, search, insert, remove
 *     cache.c       pages in memory: loading, checking, evicting, writing back
 *     map.c         which pages of the file are taken: the allocation map
 *     snapshot.c    which pages an older state still needs
 *     tree.c        finding; making a path changeable, splitting, merging
 *     write.c       a batch: sorting it, preparing the leaves, applying it
 *     cursor.c      scans of a snapshot
 *     wal.c         the log: records, segments
 *     recover.c     opening
 *     checkpoint.c  the next durable state, slice by slice
 *     inspect.c     a look at an image that nobody has open
 */
#ifndef FAULTLINE_ENGINES_STORAGE_BTREE_INTERNAL_H
#define FAULTLINE_ENGINES_STORAGE_BTREE_INTERNAL_H

#include "engines/storage/btree/btree.h"
#include "engines/storage/common.h"

#define PAGES_NAME "pages"
#define BTREE_KEY_SIZE_MAX 1024u
#define BTREE_VALUE_SIZE_MAX (16u << 20)
#define META_STRIDE_MAX 4096u
#define META_SIZE 512u /* one sector: it is replaced whole or not at all */
#define PAGE_SIZE_MIN 512u
#define PAGE_SIZE_MAX 32768u
#define DEPTH_MAX 24u /* a branch has two children at least, a file 2^32 pages */
#define PAGE_NONE UINT32_C(0)

/* ---- pages (page.c) ---- */

#define PAGE_HEADER 32u
#define SLOT_SIZE 8u
#define OVERFLOW_REF 20u
#define OVERFLOW_BIT UINT32_C(0x80000000)

enum page_type { PAGE_TREE = 1, PAGE_MAP = 2 };

/* A value that stands on pages of its own. */
struct overflow {
    uint32_t page;
    uint64_t stamp, checksum;
};
struct leaf_cell {
    struct bytes key, value; /* value: in the page; empty when it stands elsewhere */
    uint32_t value_size;
    bool is_overflow;
    struct overflow overflow;
    size_t size; /* of the cell */
};

uint64_t btree_page_checksum(const unsigned char *page, size_t page_size, uint32_t number);
void btree_page_init(unsigned char *page, size_t page_size, uint32_t number, uint64_t stamp,
                     uint8_t level);
void btree_page_seal(unsigned char *page, size_t page_size); /* writes the checksum */
/* NULL when the page is what its place and pointer promise; else what is wrong. */
const char *btree_page_check(const unsigned char *page, size_t page_size, uint32_t number,
                             bool verifies);

/* Fields: read straight from the page. */
static inline uint16_t load_u16(const unsigned char *p)
{
    return get_u16(p);
}
static inline uint32_t load_u32(const unsigned char *p)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
#else
    return get_u32(p);
#endif
}
static inline uint64_t load_u64(const unsigned char *p)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
#else
    return get_u64(p);
#endif
}
static inline uint64_t page_stamp(const unsigned char *page)
{
    return load_u64(page + 8);
}
static inline uint32_t page_number(const unsigned char *page)
{
    return load_u32(page + 16);
}
static inline uint8_t page_level(const unsigned char *page)
{
    return page[21];
}
static inline uint32_t page_count(const unsigned char *page)
{
    return load_u16(page + 22);
}
static inline uint32_t page_cells(const unsigned char *page) /* where the cells begin */
{
    return load_u16(page + 24);
}
static inline uint32_t page_dead(const unsigned char *page) /* bytes of removed cells */
{
    return load_u16(page + 26);
}
static inline uint32_t page_prefix(const unsigned char *page) /* bytes that all keys share */
{
    return load_u16(page + 28);
}
static inline const unsigned char *page_slot(const unsigned char *page, uint32_t i)
{
    return page + PAGE_HEADER + (size_t)i * SLOT_SIZE;
}
static inline uint32_t page_free(const unsigned char *page) /* once dead bytes are collected */
{
    return page_cells(page) - PAGE_HEADER - page_count(page) * SLOT_SIZE + page_dead(page);
}
static inline uint32_t page_room(size_t page_size)
{
    return (uint32_t)page_size - PAGE_HEADER;
}
static inline uint32_t page_used(const unsigned char *page, size_t page_size)
{
    return page_room(page_size) - page_free(page);
}
/* Bytes in front of the key in a cell. */
static inline uint32_t cell_header(const unsigned char *page)
{
    return page_level(page) ? 8u : 4u;
}
static inline struct bytes page_key(const unsigned char *page, uint32_t i)
{
    const unsigned char *slot = page_slot(page, i);
    return bytes_of(page + load_u16(slot + 4) + cell_header(page), load_u16(slot + 6));
}
size_t btree_page_cell_size(const unsigned char *page, uint32_t i);
bool btree_page_has_run(const unsigned char *page, uint32_t i); /* the value stands elsewhere */
void btree_page_leaf_cell(const unsigned char *page, uint32_t i, struct leaf_cell *cell);
uint32_t btree_page_child(const unsigned char *page, uint32_t i, uint32_t *stamp);
void btree_page_child_set(unsigned char *page, uint32_t i, uint32_t child, uint64_t stamp);

/* The first slot whose key is not less; *is_equal when it is the key. */
uint32_t btree_page_lower(const unsigned char *page, struct bytes key, bool *is_equal);
/* Of a branch: the slot of the child that holds the key. */
uint32_t btree_page_child_of(const unsigned char *page, struct bytes key);

/* `cell` without the key's slot: header, key, rest. The room must be there; scratch holds a
 * page for collecting dead bytes. */
void btree_page_insert(unsigned char *page, size_t page_size, unsigned char *scratch,
                       uint32_t at, struct bytes head, struct bytes key, struct bytes rest);
void btree_page_remove(unsigned char *page, uint32_t at);
/* Appends the cells [from, to) of another page of the same level. */
void btree_page_append(unsigned char *page, size_t page_size, unsigned char *scratch,
                       const unsigned char *other, uint32_t from, uint32_t to);
/* Drops all slots from `count` on. */
void btree_page_cut(unsigned char *page, size_t page_size, unsigned char *scratch,
                    uint32_t count);
void btree_page_collect(unsigned char *page, size_t page_size, unsigned char *scratch);

/* ---- pages in memory (cache.c) ---- */

struct frame {
    struct frame *next; /* of the same bucket */
    uint64_t stamp;
    uint32_t page;
    uint32_t index;  /* in cache.frames */
    uint32_t pins;   /* by cursors and by the write under way */
    bool is_dirty;   /* not on disk */
    bool is_recent;  /* used since the clock's hand passed */
    uint8_t appends; /* insertions behind the last key, in a row */
    _Alignas(16) unsigned char data[];
};

struct cache {
    struct frame **buckets;
    struct frame **frames;
    uint32_t bucket_bits, count, capacity, hand, dirty;
    uint64_t hits, loads, evictions, writebacks;
};

/* ---- the allocation map (map.c) ---- */

struct group {
    uint64_t *held;       /* bit set: not to be given away */
    uint64_t *live;       /* bit set: of the present tree */
    unsigned char *image; /* what the checkpoint under way will write; NULL: nothing */
    uint64_t checksum;    /* of the map page that the durable meta counts on; 0: none yet */
    uint64_t image_checksum;
    uint32_t free;   /* bits of held that are 0 */
    uint32_t hint;   /* no free word before this one */
    uint8_t slot;    /* where the durable map page stands, 0 or 1 */
    bool is_changed; /* live differs from the durable map page */
};

struct map {
    struct group *groups;
    uint32_t count, capacity;
    uint32_t group_pages; /* pages that one map page describes */
    uint32_t rotor;       /* the group that gave the last page */
    uint64_t digest;      /* sum of the checksums of all durable map pages */
    uint64_t free;
};

/* ---- snapshots (snapshot.c) ---- */

struct dead {
    struct dead *next;
    uint64_t stamp; /* of its birth */
    uint32_t page, count;
};

/* A state that somebody still reads: the durable one, the one being made durable, cursors.
 * A list in order of marks, newest last. */
struct snapshot {
    struct snapshot *older, *newer;
    uint64_t mark;     /* pages with a stamp up to it belong to it or were dead before */
    struct dead *dead; /* pages that died since, and that no newer snapshot needs */
    uint32_t root, depth;
    uint64_t root_stamp;
    uint64_t live_keys, live_bytes;
};

/* ---- the log (wal.c) ---- */

#define WAL_HEADER 32u
#define WAL_RECORD 24u
#define WAL_ITEM 9u

struct wal_segment {
    struct vfs_file *file;
    uint64_t size, synced;
    uint32_t id;
};

struct wal_record {
    uint64_t checksum;
    uint32_t previous; /* low half of the checksum of the record before */
    uint32_t size;     /* of the payload */
    uint32_t synced;   /* bytes of the segment that were durable when it was written */
    uint32_t count;    /* items; 0: a mark, which only claims */
    const unsigned char *payload;
};

struct wal {
    struct wal_segment active;
    struct wal_segment standby; /* file NULL: none; the next active one */
    uint32_t first_id;          /* the oldest that is there; those before active are sealed */
    struct buffer sealed;       /* their sizes, uint64_t each */
    uint64_t sealed_bytes;
    uint32_t chain; /* low half of the last record's checksum */
    bool owes_mark;
    struct buffer scratch;
};

/* ---- checkpoints (checkpoint.c) ---- */

struct meta {
    uint64_t generation, root_stamp, stamp, live_keys, live_bytes, digest;
    uint32_t page_size, root, depth, groups, wal_id, wal_chain;
};

enum checkpoint_step {
    CHECKPOINT_IDLE,
    CHECKPOINT_STANDBY_SYNC,
    CHECKPOINT_STANDBY_NAME,
    CHECKPOINT_SEAL,
    CHECKPOINT_PAGES,
    CHECKPOINT_MAP,
    CHECKPOINT_PAGES_SYNC,
    CHECKPOINT_META,
    CHECKPOINT_META_SYNC,
    CHECKPOINT_DROP,
    CHECKPOINT_TRUNCATE
};

struct checkpoint {
    enum checkpoint_step step;
    struct snapshot *snapshot; /* what becomes durable */
    uint32_t *pages;           /* dirty at the seal, in order */
    uint32_t page_count, page_next, page_capacity;
    uint32_t group_next;
    struct meta meta;
};

/* ---- the engine ---- */

/* One item of the write under way. */
struct item {
    struct bytes key, value;
    struct overflow overflow;
    uint32_t run_pages; /* > 0: the value stands on pages of its own, taken for it */
    uint32_t slot;      /* where the leaf has the key, or would have it */
    bool is_delete, is_there;
};

struct leaf_group { /* items that go to one leaf */
    struct frame *leaf;
    uint32_t from, to;
    bool has_shrunk;
};

struct btree {
    struct engine base;
    struct btree_options options;
    char dir[ENGINE_PATH_SIZE];
    size_t page_size;
    struct vfs_file *file;
    uint64_t file_bytes; /* written so far */
    struct cache cache;
    struct map map;
    struct wal wal;
    struct checkpoint checkpoint;
    struct meta durable; /* the newest durable meta */
    struct snapshot *oldest, *newest;
    struct snapshot *base_snapshot;  /* of the durable meta */
    struct dead *dead_pool;          /* nodes to spare */
    uint32_t dead_spare, dead_count; /* nodes in the pool, and in lists */
    /* the present tree */
    uint32_t root, depth; /* depth: levels, 1 when the root is a leaf */
    uint64_t root_stamp, stamp;
    uint64_t live_keys, live_bytes;
    unsigned char *scratch;             /* one page */
    struct buffer run;                  /* pages on their way to disk in one write */
    struct buffer items, groups, order; /* of the write under way */
    enum vfs_purpose read_purpose;
    uint64_t cut_bytes;
    uint64_t splits, merges, checkpoints;
    int metas; /* valid ones, when it was opened */
    bool is_read_only;
    bool is_bulk; /* filling a copy: the log is not written */
};

static inline struct btree *btree_of(struct engine *engine)
{
    return (struct btree *)engine;
}

/* cache.c */
int btree_cache_init(struct btree *tree);
void btree_cache_deinit(struct btree *tree);
/* The page as its pointer promises it: -EBADMSG with file and offset, -EIO, -ENOMEM. Not
 * pinned: good until the next call that may load. */
int btree_cache_get(struct btree *tree, uint32_t page, uint32_t stamp, struct frame **out);
struct frame *btree_cache_find(const struct btree *tree, uint32_t page);
int btree_cache_create(struct btree *tree, uint32_t page, uint64_t stamp, struct frame **out);
void btree_cache_rename(struct btree *tree, struct frame *frame, uint32_t page, uint64_t stamp);
void btree_cache_drop(struct btree *tree, struct frame *frame);
void btree_cache_dirty(struct btree *tree, struct frame *frame);
/* Writes dirty pages until at most `limit` are left, as far as they are not pinned; `bytes` at
 * most with one write. */
int btree_cache_write_back(struct btree *tree, uint32_t limit, uint64_t bytes);
/* Gives clean frames back while there are more than the option allows. */
void btree_cache_trim(struct btree *tree);
/* One write of the dirty pages that stand in the file from this one on, `bytes` at most (one
 * page at least) and none younger than the mark. The first is dirty. */
int btree_cache_write_run(struct btree *tree, uint32_t page, uint64_t bytes, uint64_t mark,
                          uint32_t *written);
uint32_t btree_cache_limit(const struct btree *tree); /* frames */
uint32_t btree_cache_dirty_limit(const struct btree *tree);
int btree_page_corrupt(struct btree *tree, uint32_t page, const char *why);

/* map.c */
void btree_map_deinit(struct btree *tree);
int btree_map_add_group(struct btree *tree);
/* Takes `count` pages in a row: *page, or -ENOMEM, -EFBIG. */
int btree_map_take(struct btree *tree, uint32_t count, uint32_t *page);
void btree_map_release(struct btree *tree, uint32_t page, uint32_t count); /* live and held */
void btree_map_unlive(struct btree *tree, uint32_t page, uint32_t count);  /* held stays */
void btree_map_unhold(struct btree *tree, uint32_t page, uint32_t count);
int btree_map_images_take(struct btree *tree);
uint64_t btree_map_drop_groups(struct btree *tree); /* the sum of their checksums */
void btree_map_images_drop(struct btree *tree);
uint32_t btree_map_slot_page(uint32_t group, uint32_t group_pages, size_t page_size,
                             unsigned slot);
void btree_map_image_encode(const uint64_t *bits, unsigned char *image, size_t page_size,
                            uint32_t page, uint32_t group, uint64_t generation);
const char *btree_map_page_check(const unsigned char *image, size_t page_size, uint32_t page,
                                 uint32_t group);
/* The page of the group that counts for this generation: 0 or 1, -1: none. */
int btree_map_slot_choose(const unsigned char *const images[2], size_t page_size,
                          const uint32_t page[2], uint32_t group, uint64_t generation);
uint64_t btree_map_end(const struct btree *tree); /* of the last page that is taken, in bytes */
int btree_map_load(struct btree *tree, const struct meta *meta);
static inline uint32_t map_group_pages(size_t page_size)
{
    return (uint32_t)(page_size - PAGE_HEADER) * 8;
}
uint32_t btree_map_reserved(size_t page_size); /* pages of the head of the file */

/* snapshot.c */
void btree_snapshot_open(struct btree *tree, struct snapshot *snapshot);
void btree_snapshot_close(struct btree *tree, struct snapshot *snapshot);
int btree_dead_reserve(struct btree *tree, uint32_t count);
void btree_dead_bury(struct btree *tree, uint32_t page, uint32_t count, uint64_t stamp);
void btree_dead_deinit(struct btree *tree);
uint64_t btree_snapshot_mark(const struct btree *tree);

/* tree.c */
uint32_t btree_tree_cell_max(size_t page_size); /* of a cell and its slot */
uint32_t btree_tree_key_max(size_t page_size);
uint64_t btree_tree_value_max(size_t page_size);
int btree_tree_page_new(struct btree *tree, uint8_t level, struct frame **out);
int btree_tree_find(struct btree *tree, struct bytes key, struct frame **leaf, uint32_t *slot,
                    bool *is_there);
int btree_tree_get_child(struct btree *tree, const struct frame *parent, uint32_t slot,
                         struct frame **out);
int btree_tree_get_root(struct btree *tree, uint32_t root, uint64_t stamp, uint32_t depth,
                        struct frame **out);
int btree_tree_overflow_read(struct btree *tree, const struct leaf_cell *cell,
                             unsigned char *out);

/* write.c: a batch in three steps. prepare does all that can fail and changes no content;
 * apply changes the content and cannot fail; finish lets go and merges small leaves. */
int btree_items_collect(struct btree *tree, const struct engine_batch *batch);
int btree_items_collect_record(struct btree *tree, const struct wal_record *record);
int btree_prepare(struct btree *tree);
void btree_apply(struct btree *tree);
void btree_finish(struct btree *tree, bool is_applied);

struct path {
    struct frame *frames[DEPTH_MAX];   /* from the root down; all changeable */
    uint32_t slots[DEPTH_MAX];         /* of the child taken */
    struct bytes upper;                /* keys of the leaf are below it */
    bool has_upper, is_first, is_last; /* of all leaves */
};
int btree_tree_descend(struct btree *tree, struct bytes key, struct path *path);
int btree_tree_split_leaf(struct btree *tree, struct path *path, const struct item *items,
                          uint32_t count);
void btree_tree_merge(struct btree *tree, struct bytes key);
uint32_t btree_tree_item_size(const struct item *item); /* of its cell and slot */

/* wal.c */
int btree_wal_path(const struct btree *tree, uint32_t id, char out[ENGINE_PATH_SIZE]);
bool btree_wal_name_parse(const char *name, uint32_t *id);
int btree_wal_append(struct btree *tree, const struct engine_batch *batch, bool is_synced);
int btree_wal_sync(struct btree *tree);
void btree_wal_mark(struct btree *tree);
int btree_wal_segment_create(struct btree *tree, uint32_t id, struct wal_segment *segment);
void btree_wal_segment_close(struct wal_segment *segment);
/* The active segment is synced to its end; `sealed` has room for its size. */
void btree_wal_switch(struct btree *tree);
int btree_wal_sealed_reserve(struct btree *tree);
void btree_wal_sealed_add(struct btree *tree, uint64_t size);
void btree_wal_sealed_drop(struct btree *tree); /* the oldest is gone */
uint64_t btree_wal_bytes(const struct btree *tree);
struct wal_reader {
    struct vfs_file *file;
    uint64_t limit; /* of the file */
    uint32_t id;
    enum vfs_purpose purpose;
    struct buffer window;
    uint64_t window_at;
};
int btree_wal_reader_open(struct btree *tree, uint32_t id, uint32_t flags,
                          enum vfs_purpose purpose, struct wal_reader *reader);
void btree_wal_reader_close(struct wal_reader *reader);
int btree_wal_header_read(struct wal_reader *reader); /* 1: valid, 0: not, or -errno */
/* 1: a valid record, good until the next call; 0: none; or -errno. */
int btree_wal_read(struct wal_reader *reader, uint64_t offset, struct wal_record *record);
/* Looks for valid records at any place from `from` on: *found, and the most bytes that they say
 * were durable. */
int btree_wal_claims(struct wal_reader *reader, uint64_t from, bool *found, uint64_t *claimed);
/* As engine_batch_next, over what came from disk: false at the end or where it is not whole
 * (*position is then not the payload's size). */
bool btree_wal_item_next(const struct wal_record *record, size_t *position,
                         struct engine_batch_item *item);

/* recover.c */
int btree_recover(struct btree *tree);
/* The newest valid meta becomes tree->durable; tree->metas counts them. */
int btree_metas_read(struct btree *tree);

/* checkpoint.c */
/* Where the second meta stands. */
static inline uint32_t btree_meta_stride(size_t page_size)
{
    return page_size < META_STRIDE_MAX ? (uint32_t)page_size : META_STRIDE_MAX;
}
void btree_meta_encode(unsigned char out[META_SIZE], const struct meta *meta);
bool btree_meta_decode(const unsigned char data[META_SIZE], struct meta *meta);
int btree_checkpoint_slice(struct btree *tree, uint64_t budget_bytes, bool *more);
int btree_checkpoint_run(struct btree *tree);   /* a whole one */
int btree_checkpoint_first(struct btree *tree); /* of a new database */
void btree_checkpoint_deinit(struct btree *tree);
int btree_sync_failed(struct btree *tree, int err, const char *what);

/* cursor.c, inspect.c, checkpoint.c */
int btree_scan_open(struct engine *engine, const struct engine_range *range,
                    struct engine_cursor **out);
int btree_scan_next(struct engine_cursor *cursor, struct bytes *key, struct bytes *value);
void btree_scan_close(struct engine_cursor *cursor);
int btree_recognise(struct vfs *vfs, const char *dir);
int btree_inspect(const struct engine_host *host, const char *dir,
                  const struct engine_inspector *inspector);
void btree_properties(struct engine *engine, engine_property_fn *each, void *context);
int btree_copy(struct engine *engine, const char *dir);
int btree_open_options(const struct engine_host *host, const char *dir,
                       const struct btree_options *options, bool is_bulk, struct btree **out);
void btree_free(struct btree *tree);

#endif
