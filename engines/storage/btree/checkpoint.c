/* Checkpoints: the next durable state, beside the present one.
 *
 *     IDLE           maintain(), or a write that finds the log too long
 *      | the next log segment is made                           (open, write)
 *     STANDBY_SYNC   ... is made durable                         (sync)
 *     STANDBY_NAME   ... and its name                            (sync of the directory)
 *     SEAL           the log is synced, and the standby takes its place; the tree of this very
 *      |             moment becomes a snapshot, its map is copied (sync)
 *     PAGES          dirty pages of the snapshot, in file order; neighbours in one write
 *     MAP            map pages of the groups that changed, each to its other place
 *     PAGES_SYNC     all of them are durable                     (sync)
 *     META           the other meta: root, map, where the log begins
 *     META_SYNC      ... is durable: from here on the snapshot is the durable state
 *     DROP           log segments before the seal go, one a slice
 *     TRUNCATE       the end of the file, if an eighth of it is free there
 *
 * Each step is one call on the vfs, so a crash may fall between any two: up to META_SYNC the
 * old meta counts, and everything it refers to is untouched, the log included; writes go on
 * meanwhile, into the new segment and into copies of the pages that the snapshot needs. What a
 * step failed to write is written again by the next slice; a failed sync is the end (panic).
 *
 * A copy of the database (follower seeding) is a snapshot read by a cursor and written, in key
 * order and without a log, into a new database, which one checkpoint then makes durable. The
 * new database is durable, and empty, before that: until the end a mark stands beside it, with
 * which nobody opens it (engine_copy_begin).
 */
#include <errno.h>

#include "engines/storage/btree/btree_internal.h"

#define COPY_BATCH_BYTES 65536u
#define COPY_CACHE_BYTES (1 << 20)

static const char meta_magic[8] = {'F', 'L', 'B', 'T', 'R', 'E', 'M', '1'};

/* ---- the meta ---- */

void btree_meta_encode(unsigned char out[META_SIZE], const struct meta *meta)
{
    memset(out, 0, META_SIZE);
    memcpy(out, meta_magic, sizeof(meta_magic));
    put_u64(out + 8, meta->generation);
    put_u32(out + 16, meta->page_size);
    put_u32(out + 20, meta->depth);
    put_u32(out + 24, meta->root);
    put_u32(out + 28, meta->groups);
    put_u64(out + 32, meta->root_stamp);
    put_u64(out + 40, meta->stamp);
    put_u64(out + 48, meta->live_keys);
    put_u64(out + 56, meta->live_bytes);
    put_u64(out + 64, meta->digest);
    put_u32(out + 72, meta->wal_id);
    put_u32(out + 76, meta->wal_chain);
    put_u64(out + META_SIZE - 8,
            bytes_hash(bytes_of(out, META_SIZE - 8), meta->generation & 1));
}

bool btree_meta_decode(const unsigned char data[META_SIZE], struct meta *meta)
{
    uint64_t generation = get_u64(data + 8);
    if (memcmp(data, meta_magic, sizeof(meta_magic)) != 0 ||
        get_u64(data + META_SIZE - 8) !=
            bytes_hash(bytes_of(data, META_SIZE - 8), generation & 1))
        return false;
    *meta = (struct meta){.generation = generation,
                          .page_size = get_u32(data + 16),
                          .depth = get_u32(data + 20),
                          .root = get_u32(data + 24),
                          .groups = get_u32(data + 28),
                          .root_stamp = get_u64(data + 32),
                          .stamp = get_u64(data + 40),
                          .live_keys = get_u64(data + 48),
                          .live_bytes = get_u64(data + 56),
                          .digest = get_u64(data + 64),
                          .wal_id = get_u32(data + 72),
                          .wal_chain = get_u32(data + 76)};
    uint32_t page_size = meta->page_size;
    return page_size >= PAGE_SIZE_MIN && page_size <= PAGE_SIZE_MAX &&
           (page_size & (page_size - 1)) == 0 && meta->depth >= 1 && meta->depth < DEPTH_MAX &&
           meta->groups >= 1 &&
           (uint64_t)meta->groups * map_group_pages(page_size) <= UINT32_MAX &&
           meta->root < meta->groups * map_group_pages(page_size);
}

/* ---- the seal ---- */

int btree_sync_failed(struct btree *tree, int err, const char *what)
{
    if (tree->options.on_sync_failure == SYNC_PANIC) tree->is_read_only = true;
    return engine_fail(&tree->base, err, "%s: sync of %s failed (errno %d)", tree->dir, what,
                       -err);
}

static int page_order(const void *context, const void *a, const void *b)
{
    uint32_t p = *(const uint32_t *)a, q = *(const uint32_t *)b;
    (void)context;
    return (p > q) - (p < q);
}

static void pages_free(struct btree *tree)
{
    struct checkpoint *cp = &tree->checkpoint;
    allocator_free(tree->base.host.allocator, cp->pages,
                   cp->page_capacity * sizeof(*cp->pages));
    cp->pages = NULL;
    cp->page_capacity = 0;
}

/* Takes all memory, then opens the snapshot: the tree as it is now. */
static int snapshot_take(struct btree *tree)
{
    struct checkpoint *cp = &tree->checkpoint;
    const struct allocator *a = tree->base.host.allocator;
    struct snapshot *snapshot = allocator_alloc(a, sizeof(*snapshot));
    if (!snapshot) return -ENOMEM;
    if (btree_wal_sealed_reserve(tree)) goto no_memory;
    uint32_t dirty = tree->cache.dirty ? tree->cache.dirty : 1;
    cp->pages = allocator_alloc(a, dirty * sizeof(*cp->pages));
    if (!cp->pages) goto no_memory;
    cp->page_capacity = dirty;
    if (btree_map_images_take(tree)) goto no_memory;
    uint64_t dropped = btree_map_drop_groups(tree);
    cp->page_count = cp->page_next = cp->group_next = 0;
    for (uint32_t i = 0; i < tree->cache.count; i++)
        if (tree->cache.frames[i]->is_dirty)
            cp->pages[cp->page_count++] = tree->cache.frames[i]->page;
    engine_sort(cp->pages, cp->page_count, sizeof(*cp->pages), page_order, NULL);
    btree_snapshot_open(tree, snapshot);
    cp->snapshot = snapshot;
    cp->meta = (struct meta){.generation = tree->durable.generation + 1,
                             .root_stamp = tree->root_stamp,
                             .stamp = tree->stamp,
                             .live_keys = tree->live_keys,
                             .live_bytes = tree->live_bytes,
                             .digest = tree->map.digest - dropped,
                             .page_size = (uint32_t)tree->page_size,
                             .root = tree->root,
                             .depth = tree->depth,
                             .groups = tree->map.count,
                             .wal_id = tree->wal.active.id,
                             .wal_chain = tree->wal.chain};
    for (uint32_t i = 0; i < tree->map.count; i++) {
        const struct group *group = &tree->map.groups[i];
        if (group->image) cp->meta.digest += group->image_checksum - group->checksum;
    }
    cp->step = CHECKPOINT_PAGES;
    return 0;

no_memory:
    pages_free(tree);
    allocator_free(a, snapshot, sizeof(*snapshot));
    return -ENOMEM;
}

/* ---- the steps ---- */

static int standby_sync(struct btree *tree)
{
    int err = engine_file_sync(&tree->base, tree->wal.standby.file, VFS_META,
                               tree->options.on_sync_failure);
    if (err) return btree_sync_failed(tree, err, "the next log segment");
    tree->checkpoint.step = CHECKPOINT_STANDBY_NAME;
    return 0;
}

static int standby_name(struct btree *tree)
{
    int err = vfs_sync_dir(tree->base.host.vfs, tree->dir);
    if (err) return btree_sync_failed(tree, err, "the directory");
    tree->checkpoint.step = CHECKPOINT_SEAL;
    return 0;
}

static int seal(struct btree *tree)
{
    if (tree->wal.active.synced < tree->wal.active.size) {
        int err = btree_wal_sync(tree);
        if (err) return err;
    }
    int err = snapshot_take(tree);
    if (err) return err;
    btree_wal_switch(tree);
    tree->checkpoint.meta.wal_id = tree->wal.active.id;
    return 0;
}

/* One write of pages; *wrote tells whether there was one. */
static int pages_write(struct btree *tree, uint64_t budget, bool *wrote)
{
    struct checkpoint *cp = &tree->checkpoint;
    uint32_t written;
    for (; cp->page_next < cp->page_count; cp->page_next++) {
        uint32_t page = cp->pages[cp->page_next];
        struct frame *frame = btree_cache_find(tree, page);
        if (!frame || !frame->is_dirty || frame->stamp > cp->snapshot->mark) continue;
        int err = btree_cache_write_run(tree, page, budget, cp->snapshot->mark, &written);
        *wrote = !err;
        return err;
    }
    pages_free(tree);
    buffer_deinit(&tree->run);
    cp->step = CHECKPOINT_MAP;
    return 0;
}

static int map_write(struct btree *tree, bool *wrote)
{
    struct checkpoint *cp = &tree->checkpoint;
    for (; cp->group_next < tree->map.count; cp->group_next++) {
        const struct group *group = &tree->map.groups[cp->group_next];
        if (!group->image) continue;
        uint64_t offset = (uint64_t)page_number(group->image) * tree->page_size;
        int err =
            vfs_write(tree->file, offset, bytes_of(group->image, tree->page_size), VFS_META);
        if (err)
            return engine_fail(&tree->base, err,
                               "%s/" PAGES_NAME " at offset %llu: write failed (errno %d)",
                               tree->dir, (unsigned long long)offset, -err);
        if (offset + tree->page_size > tree->file_bytes)
            tree->file_bytes = offset + tree->page_size;
        cp->group_next++;
        *wrote = true;
        return 0;
    }
    cp->step = CHECKPOINT_PAGES_SYNC;
    return 0;
}

static int pages_sync(struct btree *tree, enum vfs_purpose purpose, enum checkpoint_step next)
{
    int err = engine_file_sync(&tree->base, tree->file, purpose, tree->options.on_sync_failure);
    if (err) return btree_sync_failed(tree, err, PAGES_NAME);
    tree->checkpoint.step = next;
    return 0;
}

static int meta_write(struct btree *tree)
{
    unsigned char data[META_SIZE];
    btree_meta_encode(data, &tree->checkpoint.meta);
    uint64_t offset =
        (tree->checkpoint.meta.generation & 1) * btree_meta_stride(tree->page_size);
    int err = vfs_write(tree->file, offset, bytes_of(data, sizeof(data)), VFS_META);
    if (err)
        return engine_fail(&tree->base, err,
                           "%s/" PAGES_NAME " at offset %llu: write failed (errno %d)",
                           tree->dir, (unsigned long long)offset, -err);
    tree->checkpoint.step = CHECKPOINT_META_SYNC;
    return 0;
}

/* The snapshot is durable: what only the state before it needed is free. */
static void become_durable(struct btree *tree)
{
    struct checkpoint *cp = &tree->checkpoint;
    struct snapshot *old = tree->base_snapshot;
    for (uint32_t i = 0; i < tree->map.count; i++) {
        struct group *group = &tree->map.groups[i];
        if (!group->image) continue;
        group->slot = group->checksum ? !group->slot : 0;
        group->checksum = group->image_checksum;
    }
    btree_map_images_drop(tree);
    tree->map.digest = cp->meta.digest;
    tree->durable = cp->meta;
    tree->base_snapshot = cp->snapshot;
    cp->snapshot = NULL;
    if (old) {
        btree_snapshot_close(tree, old);
        allocator_free(tree->base.host.allocator, old, sizeof(*old));
    }
    tree->checkpoints++;
}

static int drop(struct btree *tree, bool *wrote)
{
    struct wal *wal = &tree->wal;
    char path[ENGINE_PATH_SIZE];
    if (wal->first_id >= tree->durable.wal_id) {
        tree->checkpoint.step = CHECKPOINT_TRUNCATE;
        return 0;
    }
    int err = btree_wal_path(tree, wal->first_id, path);
    if (!err) err = vfs_unlink(tree->base.host.vfs, path);
    if (err && err != -ENOENT)
        return engine_fail(&tree->base, err, "%s: unlink failed (errno %d)", path, -err);
    btree_wal_sealed_drop(tree);
    *wrote = true;
    return 0;
}

/* Gives the end of the file back, when a good part of it is free. */
static int give_back(struct btree *tree, bool *wrote)
{
    uint64_t end = btree_map_end(tree);
    tree->checkpoint.step = CHECKPOINT_IDLE;
    if (end >= tree->file_bytes - tree->file_bytes / 8) return 0;
    int err = vfs_truncate(tree->file, end);
    if (err)
        return engine_fail(&tree->base, err, "%s/" PAGES_NAME ": truncate failed (errno %d)",
                           tree->dir, -err);
    tree->file_bytes = end;
    *wrote = true;
    return 0;
}

static bool is_due(const struct btree *tree)
{
    return btree_wal_bytes(tree) >= (uint64_t)tree->options.log_bytes &&
           (tree->wal.active.size > WAL_HEADER || tree->wal.sealed_bytes > 0);
}

/* The next step. *did: it made a call on the vfs. */
static int step(struct btree *tree, uint64_t budget, bool *did)
{
    struct checkpoint *cp = &tree->checkpoint;
    int err;
    *did = true;
    switch (cp->step) {
    case CHECKPOINT_IDLE:
        err = btree_wal_segment_create(tree, tree->wal.active.id + 1, &tree->wal.standby);
        if (!err) cp->step = CHECKPOINT_STANDBY_SYNC;
        return err;
    case CHECKPOINT_STANDBY_SYNC: return standby_sync(tree);
    case CHECKPOINT_STANDBY_NAME: return standby_name(tree);
    case CHECKPOINT_SEAL: return seal(tree);
    case CHECKPOINT_PAGES: *did = false; return pages_write(tree, budget, did);
    case CHECKPOINT_MAP: *did = false; return map_write(tree, did);
    case CHECKPOINT_PAGES_SYNC: return pages_sync(tree, VFS_FLUSH, CHECKPOINT_META);
    case CHECKPOINT_META: return meta_write(tree);
    case CHECKPOINT_META_SYNC:
        err = pages_sync(tree, VFS_META, CHECKPOINT_DROP);
        if (!err) become_durable(tree);
        return err;
    case CHECKPOINT_DROP: *did = false; return drop(tree, did);
    case CHECKPOINT_TRUNCATE: break;
    }
    *did = false;
    return give_back(tree, did);
}

/* One slice of what is due: a step of a checkpoint, or a write of dirty pages. */
int btree_checkpoint_slice(struct btree *tree, uint64_t budget_bytes, bool *more)
{
    struct checkpoint *cp = &tree->checkpoint;
    bool did = false;
    int err = 0;
    *more = false;
    if (tree->is_read_only) return 0;
    while (!err && !did && (cp->step != CHECKPOINT_IDLE || is_due(tree)))
        err = step(tree, budget_bytes, &did);
    if (!err) *more = cp->step != CHECKPOINT_IDLE || is_due(tree);
    return err;
}

/* A whole checkpoint, whether due or not; one under way is finished first. */
int btree_checkpoint_run(struct btree *tree)
{
    int err = 0;
    bool did;
    while (!err && tree->checkpoint.step != CHECKPOINT_IDLE) err = step(tree, UINT64_MAX, &did);
    do
        if (!err) err = step(tree, UINT64_MAX, &did);
    while (!err && tree->checkpoint.step != CHECKPOINT_IDLE);
    return err;
}

/* Of a new database: as it stands, with the log that it has. */
int btree_checkpoint_first(struct btree *tree)
{
    bool did;
    int err = snapshot_take(tree);
    while (!err && tree->checkpoint.step != CHECKPOINT_IDLE) err = step(tree, UINT64_MAX, &did);
    return err;
}

void btree_checkpoint_deinit(struct btree *tree)
{
    struct checkpoint *cp = &tree->checkpoint;
    pages_free(tree);
    if (!cp->snapshot) return;
    btree_snapshot_close(tree, cp->snapshot);
    allocator_free(tree->base.host.allocator, cp->snapshot, sizeof(*cp->snapshot));
    cp->snapshot = NULL;
}

/* ---- copies ---- */

static int copy_flush(struct btree *copy, struct engine_batch *batch)
{
    int err = batch->count ? copy->base.ops->write(&copy->base, batch, ENGINE_NO_SYNC, 0) : 0;
    engine_batch_clear(batch);
    return err;
}

static int copy_entries(struct engine *engine, struct btree *copy)
{
    struct engine_batch batch = {.allocator = engine->host.allocator};
    struct engine_range all = {0};
    struct engine_cursor *cursor;
    struct bytes key, value;
    int n, err = btree_scan_open(engine, &all, &cursor);
    if (err) return err;
    cursor->engine = engine;
    while (!err && (n = btree_scan_next(cursor, &key, &value)) != 0) {
        err = n < 0 ? n : engine_batch_put(&batch, key, value);
        if (!err && batch.encoded.size >= COPY_BATCH_BYTES) err = copy_flush(copy, &batch);
    }
    if (!err) err = copy_flush(copy, &batch);
    btree_scan_close(cursor);
    engine_batch_deinit(&batch);
    return err;
}

int btree_copy(struct engine *engine, const char *dir)
{
    struct btree *tree = btree_of(engine), *copy;
    struct btree_options options = tree->options;
    int err = engine_copy_begin(engine->host.vfs, dir);
    if (err) return err;
    options.page_bytes = (int64_t)tree->page_size;
    if (options.cache_bytes > COPY_CACHE_BYTES) options.cache_bytes = COPY_CACHE_BYTES;
    err = btree_open_options(&engine->host, dir, &options, true, &copy);
    if (err)
        return engine_fail(engine, err, "%s: making the copy failed (errno %d)", dir, -err);
    err = copy_entries(engine, copy);
    if (!err) err = btree_checkpoint_run(copy);
    if (err && copy->base.error_text[0]) engine_fail(engine, err, "%s", copy->base.error_text);
    engine->syncs += copy->base.syncs;
    btree_free(copy);
    return err ? err : engine_copy_end(engine->host.vfs, dir);
}
