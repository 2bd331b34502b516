/* The engine `btree`: a B+tree on pages, with a write-ahead log and copy-on-write checkpoints.
 *
 *     batch --> redo-00000007.log          appended, synced when asked
 *       |
 *       +-----> pages in memory --------> pages
 *               changed in place           written to free places; now and then a checkpoint
 *               or copied                  makes a tree of them the durable one
 *
 * The log makes single writes durable at the price of one append; the tree on disk only follows
 * now and then, and is never overwritten: what changes goes to places that are free, and a meta
 * of one sector says which root counts. So there is no torn page to repair (no double write, no
 * page images in the log), a checkpoint may take as many slices as it likes while writes go on,
 * and opening is the newest meta and the log behind it. LMDB has the copy-on-write without a
 * log (each commit writes a path of pages), InnoDB and WiredTiger the log and much more.
 *
 * ONE MECHANISM serves all three who need an old state: pages carry the stamp of their birth,
 * a snapshot is a root and a mark, and a page may be changed in place exactly when it is
 * younger than every mark. The durable tree, the checkpoint under way and each cursor are
 * snapshots (snapshot.c).
 *
 * FORMAT. All numbers little-endian; checksums are XXH3 (64 bits). The file `pages` is an array
 * of pages of one size; a group is as many pages as one map page has bits.
 *
 *     page 0 ..       two metas, at byte 0 and at the lesser of 4096 and the page size; the
 *                     newest of generation g stands at place g modulo 2
 *     2 of each group the two places of its map page (map.c); in group 0 behind the metas
 *     others          pages of the tree, and runs of pages that hold one large value each
 *
 *     meta     offset  size
 *              0       8   "FLBTREM1"
 *              8       8   generation, from 1
 *              16      4   page size
 *              20      4   depth: levels of the tree
 *              24      4   root page
 *              28      4   groups
 *              32      8   stamp of the root
 *              40      8   newest stamp
 *              48      16  keys; bytes of keys and values
 *              64      8   sum of the checksums of the map pages that count
 *              72      4   log segment that begins behind this state
 *              76      4   low half of the checksum of the last record before it
 *              504     8   checksum of [0, 504), seeded with the place
 *
 *     page     0       8   checksum of all behind, seeded with the page's number
 *              8       8   stamp (map page: generation)
 *              16      4   number of the page
 *              20      1   1: tree, 2: map
 *              21      1   level, 0: leaf
 *              22      2   slots
 *              24      2   where the cells begin (map page: 4 bytes, the group)
 *              26      2   bytes of removed cells
 *              28      2   bytes that all keys share
 *              32      8   a slot: head 4, cell 2, key size 2 (page.c); map page: the bits
 *     leaf     cell        value size 4 (bit 31: elsewhere), key, value or a reference: first
 *                          page 4, stamp 8, checksum of the value 8, seeded with the page
 *     branch   cell        child 4, low half of its stamp 4, key; the first key is empty
 *
 *     segment  0       8   "FLBTREW1"
 *              8       4   id
 *              24      8   checksum of [0, 24)
 *              32      ..  records
 *     record   0       8   checksum of all behind, seeded with (id << 32) xor offset
 *              8       4   low half of the checksum of the record before
 *              12      4   size of the items
 *              16      4   synced: bytes of the segment durable when it was written
 *              20      4   items; 0: a mark, which only claims
 *              24      ..  an item: 1 delete or 0 put, key size 4, value size 4, key, value
 *
 * A put costs 33 bytes of log beside its key and value, 9 more for each further item.
 *
 * INVARIANTS
 *   I1  A page of the durable tree, of its map or of a value it refers to is not overwritten
 *       before a newer meta is durable.
 *   I2  A meta is written when everything it refers to is durable; the other meta stays.
 *   I3  A page is written once. What changes afterwards gets another place and stamp, so
 *       (place, stamp) names a content.
 *   I4  A pointer names the stamp of the page that it means: a page that is whole but another
 *       one (a lost or misplaced write) is damage, and found.
 *   I5  Bytes of the active segment beyond `size` are nobody's: `size` moves when the write
 *       (and the sync, when asked) has succeeded.
 *   I6  A segment is durable to its end before the next one holds a record.
 *   I7  `synced` in a record is true when written. A break of the chain is a torn write, and
 *       cut, unless a record behind it claims more than was there before it, or a later segment
 *       holds one: then it is rot. close() leaves a mark when all is synced and unclaimed.
 *   I8  The map of a meta is exactly what its tree reaches: live bits, taken at the seal.
 *   I9  All that can fail comes before the log is written, and changes no content; what comes
 *       after it (btree_apply) cannot fail. So a batch that was refused was never there.
 *   I10 Keys of a leaf lie between the separators above it: not below the left one, below the
 *       right one.
 *   I11 Stray segments, older than the meta's, are removed only after the meta was synced.
 *
 * CRASH, by what was cut:
 *   a batch                    its record is not whole: cut at open
 *   several unsynced batches   cut at the first break: none was promised
 *   dirty pages written early  at places that the durable map calls free: garbage, and harmless
 *   the standby segment        no header: removed; whole: it is active behind the old one
 *   the seal                   the old meta names the old segment, the chain leads on into the
 *                              new one
 *   pages, map of a checkpoint the old meta counts; map pages of a later generation are ignored
 *   the meta                   garbled or old: the other one counts, and its log is still there
 *   dropping segments          strays, removed at open
 *   the truncation             the end of the file is free either way
 *   making the database        no meta, and no record: made anew (recover.c)
 *   recovery itself            its truncate, syncs and unlinks are repeated
 *
 * COST. A put is a descent and a shift of slots in one leaf; a batch of a thousand keys
 * descends once a leaf. A leaf is written once a checkpoint however often it changed, or when
 * it is pushed out. A checkpoint writes the dirty pages, one map page for each group touched,
 * and one sector: with a million free pages of 8 KiB, a small put and its checkpoint write 40
 * KiB, and 5 KiB with pages of 512 B. Opening replays the log since the last checkpoint, after
 * a close as after a crash: up to wal_size as a rule, twice as much when nobody called
 * maintain(). Each put is put again: about a million a second of keys in order or of a tree in
 * the cache, 120,000 in random order into a larger one, where each loads a leaf. Against LMDB
 * (10^6 keys of 16 B, values of 100 B, a thousand puts a batch, rates per CPU-second, both in
 * the same minutes): puts 1.1 x with the 64 MiB of cache that are the default and 3 x with a
 * cache as large as the file, which is what LMDB's mapping has; gets
 * 0.35 x and 1.3 x. A get that misses the cache reads and checks 8 KiB, where a mapping takes
 * the kernel's page as it is: with values of 1000 B the first touch of every page makes it 0.5
 * x until the cache is warm. The file takes two to three times the data while most of it
 * changes between two checkpoints, since the durable tree stays whole beside the new one.
 *
 * LIMITS. Keys to 1 KiB, and to a quarter of a page less 40 bytes; values to 16 MiB, with pages
 * below 2 KiB to half a group. Memory: the cache, two bits a page of the file, and while a
 * batch is written one page an item at most. A value beyond a quarter page stands alone on
 * whole pages. Stamps that were given out between a checkpoint and a crash are given again: a
 * lost write of the first life that stands where the second life lost one too, with the same
 * stamp, would not be found. A flipped bit in the records since the last claim, in a database
 * that was not closed, looks like a torn write and is cut. Pages are not balanced by moving
 * cells between neighbours.
 */
#include "engines/storage/btree/btree.h"

#include <errno.h>

#include "engines/storage/btree/btree_internal.h"

#define STALL_SLICES 4u          /* of a checkpoint that a stalled write does at most */
#define STALL_BYTES (256u << 10) /* each of them writes at most */
#define STALL_FACTOR 2u          /* logs of wal_size at which writes begin to help */
#define FINISH_FACTOR 4u         /* at which a write finishes the checkpoint */

/* ---- life ---- */

void btree_free(struct btree *tree)
{
    const struct allocator *a = tree->base.host.allocator;
    btree_checkpoint_deinit(tree);
    if (tree->base_snapshot) {
        btree_snapshot_close(tree, tree->base_snapshot);
        allocator_free(a, tree->base_snapshot, sizeof(*tree->base_snapshot));
    }
    btree_dead_deinit(tree);
    btree_wal_segment_close(&tree->wal.active);
    btree_wal_segment_close(&tree->wal.standby);
    if (tree->file) vfs_close(tree->file);
    btree_map_deinit(tree);
    btree_cache_deinit(tree);
    allocator_free(a, tree->scratch, tree->page_size);
    buffer_deinit(&tree->run);
    buffer_deinit(&tree->items);
    buffer_deinit(&tree->groups);
    buffer_deinit(&tree->order);
    buffer_deinit(&tree->wal.scratch);
    buffer_deinit(&tree->wal.sealed);
    allocator_free(a, tree, sizeof(*tree));
}

int btree_open_options(const struct engine_host *host, const char *dir,
                       const struct btree_options *options, bool is_bulk, struct btree **out)
{
    struct btree *tree = allocator_alloc(host->allocator, sizeof(*tree));
    if (!tree) return -ENOMEM;
    memset(tree, 0, sizeof(*tree));
    tree->base.ops = &engine_btree;
    tree->base.host = *host;
    tree->options = *options;
    tree->is_bulk = is_bulk;
    tree->read_purpose = VFS_RECOVERY;
    tree->run.allocator = tree->items.allocator = tree->groups.allocator =
        tree->order.allocator = tree->wal.scratch.allocator = tree->wal.sealed.allocator =
            host->allocator;
    int err = engine_path(tree->dir, "", dir);
    if (!err) err = engine_dir_ensure(host->vfs, dir);
    if (!err) err = btree_recover(tree);
    if (err) {
        if (!tree->base.error_text[0])
            engine_fail(&tree->base, err, "%s: open failed (errno %d)", dir, -err);
        engine_open_failed(&tree->base);
        btree_free(tree);
        return err;
    }
    tree->read_purpose = VFS_USER_READ;
    *out = tree;
    return 0;
}

static int btree_open(const struct engine_host *host, const char *dir, const void *options,
                      struct engine **out)
{
    struct btree *tree;
    int err = btree_open_options(host, dir, options, false, &tree);
    if (!err) *out = &tree->base;
    return err;
}

static void btree_close(struct engine *engine)
{
    struct btree *tree = btree_of(engine);
    if (!tree->is_read_only && tree->wal.owes_mark &&
        tree->wal.active.synced == tree->wal.active.size)
        btree_wal_mark(tree);
    btree_free(tree);
}

/* ---- writing ---- */

/* The log is too long, or too much of the cache is dirty: the writer does part of the work,
 * and its caller pays. */
static int help(struct btree *tree)
{
    uint32_t limit = btree_cache_dirty_limit(tree);
    uint64_t log = btree_wal_bytes(tree), due = (uint64_t)tree->options.log_bytes;
    bool more = true;
    int err = 0;
    if (tree->cache.dirty > limit) {
        tree->base.write_stalls++;
        err = btree_cache_write_back(tree, limit - limit / 8, STALL_BYTES);
    }
    if (tree->is_bulk || log < due * STALL_FACTOR) return err;
    tree->base.write_stalls++;
    uint32_t slices = log >= due * FINISH_FACTOR ? UINT32_MAX : STALL_SLICES;
    for (uint32_t i = 0; more && i < slices; i++)
        if (btree_checkpoint_slice(tree, STALL_BYTES, &more)) break; /* maintain says it */
    return err;
}

static int btree_write(struct engine *engine, const struct engine_batch *batch,
                       enum engine_durability durability, int64_t now_ns)
{
    struct btree *tree = btree_of(engine);
    (void)now_ns;
    int err = tree->is_read_only ? 0 : help(tree);
    if (tree->is_read_only)
        return -EROFS; /* the error text still names the failure that led here */
    if (!err) err = btree_items_collect(tree, batch);
    if (!err) err = btree_prepare(tree);
    if (!err && !tree->is_bulk) err = btree_wal_append(tree, batch, durability == ENGINE_SYNC);
    if (!err) btree_apply(tree);
    btree_finish(tree, !err);
    return err;
}

static int btree_sync(struct engine *engine)
{
    struct btree *tree = btree_of(engine);
    return tree->is_read_only ? -EROFS : btree_wal_sync(tree);
}

/* Dirty pages are written ahead of the limit at which writers would have to. */
static int write_ahead(struct btree *tree, uint64_t budget_bytes, bool *more)
{
    uint32_t limit = btree_cache_dirty_limit(tree);
    limit -= limit / 4;
    if (tree->is_read_only || tree->cache.dirty <= limit) return 0;
    int err = btree_cache_write_back(tree, tree->cache.dirty - 1, budget_bytes);
    *more = !err && tree->cache.dirty > limit;
    return err;
}

static int btree_maintain(struct engine *engine, uint64_t budget_bytes, int64_t now_ns,
                          bool *more)
{
    struct btree *tree = btree_of(engine);
    bool is_more;
    (void)now_ns;
    enum checkpoint_step before = tree->checkpoint.step;
    int err = btree_checkpoint_slice(tree, budget_bytes, &is_more);
    if (!err && !is_more && before == CHECKPOINT_IDLE)
        err = write_ahead(tree, budget_bytes, &is_more);
    if (!err) *more = is_more;
    return err;
}

/* ---- reading ---- */

static int btree_get(struct engine *engine, struct bytes key, struct buffer *value)
{
    struct btree *tree = btree_of(engine);
    struct frame *leaf;
    struct leaf_cell cell;
    uint32_t slot;
    bool is_there;
    int err = btree_tree_find(tree, key, &leaf, &slot, &is_there);
    if (err) return err;
    if (!is_there) return -ENOENT;
    btree_page_leaf_cell(leaf->data, slot, &cell);
    if (!cell.is_overflow) return buffer_assign(value, cell.value);
    /* Into memory of its own: the caller's value is untouched when reading fails. */
    struct buffer fresh = {.allocator = value->allocator};
    err = buffer_reserve(&fresh, cell.value_size);
    if (!err) err = btree_tree_overflow_read(tree, &cell, fresh.data);
    if (err) {
        buffer_deinit(&fresh);
        return err;
    }
    fresh.size = cell.value_size;
    buffer_deinit(value);
    *value = fresh;
    return 0;
}

/* ---- figures ---- */

static uint64_t memory_bytes(const struct btree *tree)
{
    return sizeof(*tree) + tree->cache.count * (sizeof(struct frame) + tree->page_size) +
           (sizeof(void *) << tree->cache.bucket_bits) + tree->cache.capacity * sizeof(void *) +
           tree->map.count * (sizeof(struct group) + tree->map.group_pages / 4) +
           tree->page_size + tree->run.capacity + tree->items.capacity + tree->groups.capacity +
           tree->order.capacity + tree->wal.scratch.capacity +
           (tree->dead_spare + tree->dead_count) * sizeof(struct dead) +
           tree->checkpoint.page_capacity * sizeof(uint32_t);
}

static void btree_stats(struct engine *engine, struct engine_stats *stats)
{
    struct btree *tree = btree_of(engine);
    stats->files =
        2 + tree->wal.active.id - tree->wal.first_id + (tree->wal.standby.file != NULL);
    stats->disk_bytes = tree->file_bytes + btree_wal_bytes(tree) +
                        (tree->wal.standby.file ? tree->wal.standby.size : 0);
    stats->live_keys = tree->live_keys;
    stats->live_bytes = tree->live_bytes;
    stats->memory_bytes = memory_bytes(tree);
    stats->cut_bytes = tree->cut_bytes;
}

static const char *btree_error(struct engine *engine)
{
    return engine->error_text;
}

/* ---- the table ---- */

#define OFFSET(field) .offset = offsetof(struct btree_options, field)

static const struct option btree_option_table[] = {
    {.name = "page_size",
     .type = OPTION_SIZE,
     OFFSET(page_bytes),
     .value = "8KiB",
     .low = PAGE_SIZE_MIN,
     .high = PAGE_SIZE_MAX,
     .flags = OPTION_POWER_OF_TWO,
     .doc = "of a database made anew; keys take at most a quarter of a page"},
    {.name = "cache_size",
     .type = OPTION_SIZE,
     OFFSET(cache_bytes),
     .value = "64MiB",
     .low = 2048,
     .high = INT64_C(1) << 40,
     .doc = "pages kept in memory; taken only as they are used"},
    {.name = "wal_size",
     .type = OPTION_SIZE,
     OFFSET(log_bytes),
     .value = "32MiB",
     .low = 1024,
     .high = 1 << 30,
     .doc = "bytes of log that start a checkpoint; at twice as much writes help it"},
    {.name = "verify",
     .type = OPTION_YESNO,
     OFFSET(verify),
     .value = "yes",
     .doc = "check a page's checksum whenever it is read from disk"},
    {.name = "on_sync_failure",
     .type = OPTION_WORD,
     OFFSET(on_sync_failure),
     .value = "panic",
     .words = sync_policy_words,
     .doc = "panic: no more writes until reopened; retry: sync again and believe it (unsafe)"},
};

const struct engine_ops engine_btree = {
    .abi_version = ENGINE_ABI_VERSION,
    .struct_size = sizeof(struct engine_ops),
    .name = "btree",
    .doc = "B+tree on copy-on-write pages with a write-ahead log: ordered, a get of O(log N) "
           "pages",
    .capabilities = ENGINE_ORDERED | ENGINE_COUNTS_LIVE,
    .key_size_max = BTREE_KEY_SIZE_MAX,
    .value_size_max = BTREE_VALUE_SIZE_MAX,
    .options = btree_option_table,
    .options_count = sizeof(btree_option_table) / sizeof(btree_option_table[0]),
    .options_size = sizeof(struct btree_options),
    .open = btree_open,
    .write = btree_write,
    .get = btree_get,
    .scan_open = btree_scan_open,
    .scan_next = btree_scan_next,
    .scan_close = btree_scan_close,
    .maintain = btree_maintain,
    .sync = btree_sync,
    .checkpoint = btree_copy,
    .stats = btree_stats,
    .error = btree_error,
    .close = btree_close,
    .properties = btree_properties,
    .recognise = btree_recognise,
    .inspect = btree_inspect,
};
