/* Opening: the newest meta, the map it counts on, and the log from where it says.
 *
 * The pages file is synced before anything builds on what was read: a meta that an earlier
 * process wrote may stand in the operating system's cache only, and a power loss that takes it
 * back must not find its pages reused or its log gone. Then the log is followed, segment by
 * segment, and each batch is applied as when it was written. Where the chain of records breaks:
 *
 *     a later segment holds a record         the segment was sealed: rot
 *     a record behind the break claims it    it was durable: rot
 *     else                                   a torn tail: cut
 *
 * A database is made anew where no meta is valid, if nothing there was ever acknowledged: no
 * log but the first, without a record, and a pages file no longer than a new one.
 */
#include <errno.h>

#include "engines/storage/btree/btree_internal.h"

#define NEWBORN_BYTES (5u * PAGE_SIZE_MAX) /* the head, a map in two places, a root */

struct found {         /* in the directory */
    struct buffer ids; /* of log segments, uint32_t each, in order */
    bool has_pages, has_copy_mark;
};

static uint32_t id_at(const struct found *found, size_t i)
{
    return ((const uint32_t *)(const void *)found->ids.data)[i];
}
static size_t id_count(const struct found *found)
{
    return found->ids.size / sizeof(uint32_t);
}

static int found_file(void *context, const char *name, bool is_directory)
{
    struct found *found = context;
    uint32_t id;
    if (is_directory) return 0;
    if (strcmp(name, PAGES_NAME) == 0) found->has_pages = true;
    if (strcmp(name, ENGINE_COPY_MARK) == 0) found->has_copy_mark = true;
    return btree_wal_name_parse(name, &id) ? buffer_append(&found->ids, &id, sizeof(id)) : 0;
}

static int wal_corrupt(struct btree *tree, uint32_t id, uint64_t offset, const char *why)
{
    return engine_fail(&tree->base, -EBADMSG, "%s/redo-%08x.log at offset %llu: %s", tree->dir,
                       id, (unsigned long long)offset, why);
}

/* ---- segments ---- */

/* 1: some valid record stands in the segment; 0: none; or -errno. */
static int segment_has_records(struct btree *tree, uint32_t id)
{
    struct wal_reader reader;
    bool found = false;
    uint64_t claimed;
    int err = btree_wal_reader_open(tree, id, VFS_READ, VFS_RECOVERY, &reader);
    if (err) return err;
    err = btree_wal_claims(&reader, 0, &found, &claimed);
    btree_wal_reader_close(&reader);
    return err ? err : found;
}

/* ---- replay ---- */

static int replay_record(struct btree *tree, const struct wal_reader *reader, uint64_t offset,
                         const struct wal_record *record)
{
    if (record->count == 0) return 0; /* a mark */
    int err = btree_cache_write_back(tree, btree_cache_dirty_limit(tree), UINT64_MAX);
    if (!err) err = btree_items_collect_record(tree, record);
    if (err == -EBADMSG) return wal_corrupt(tree, reader->id, offset, "an impossible batch");
    if (!err) err = btree_prepare(tree);
    if (!err) btree_apply(tree);
    btree_finish(tree, !err);
    return err;
}

/* The chain broke at `offset`. 0: a torn tail. */
static int judge_break(struct btree *tree, struct wal_reader *reader, uint64_t offset,
                       const struct found *found)
{
    bool has_more;
    uint64_t claimed;
    int err = btree_wal_claims(reader, offset, &has_more, &claimed);
    if (err) return err;
    if (claimed > offset) return wal_corrupt(tree, reader->id, offset, "a broken record");
    for (size_t i = 0; i < id_count(found); i++) {
        if (id_at(found, i) <= reader->id) continue;
        int later = segment_has_records(tree, id_at(found, i));
        if (later)
            return later < 0
                       ? later
                       : wal_corrupt(tree, reader->id, offset, "a broken record"); /* I6 */
    }
    return 0;
}

/* Applies a segment's records, cuts its torn tail, and leaves it open as the active one. */
static int segment_replay(struct btree *tree, struct wal_reader *reader,
                          const struct found *found)
{
    struct wal *wal = &tree->wal;
    struct wal_record record;
    uint64_t offset = WAL_HEADER;
    bool is_last_mark = false;
    int n;
    while ((n = btree_wal_read(reader, offset, &record)) > 0 && record.previous == wal->chain) {
        int err = replay_record(tree, reader, offset, &record);
        if (err) return err;
        is_last_mark = record.count == 0 && record.synced == offset;
        wal->chain = (uint32_t)record.checksum;
        offset += WAL_RECORD + record.size;
    }
    if (n < 0) return n;
    /* The segment before was durable to its end when this record was written. */
    if (n > 0 && offset == WAL_HEADER && reader->id > tree->durable.wal_id)
        return wal_corrupt(tree, reader->id - 1, wal->active.size, "its last records are lost");
    if (offset < reader->limit) {
        int err = judge_break(tree, reader, offset, found);
        if (!err) err = vfs_truncate(reader->file, offset);
        if (err) return err;
        tree->cut_bytes += reader->limit - offset;
    }
    /* What an earlier process wrote may be in the cache only; from here on it is answered. */
    int err = engine_file_sync(&tree->base, reader->file, VFS_RECOVERY,
                               tree->options.on_sync_failure);
    if (err) return err;
    if (wal->active.file) {
        err = btree_wal_sealed_reserve(tree);
        if (err) return err;
        btree_wal_sealed_add(tree, wal->active.size);
    }
    btree_wal_segment_close(&wal->active);
    wal->active = (struct wal_segment){reader->file, offset, offset, reader->id};
    reader->file = NULL;
    wal->owes_mark = offset > WAL_HEADER && !is_last_mark;
    return 0;
}

static int wal_unlink(struct btree *tree, uint32_t id)
{
    char path[ENGINE_PATH_SIZE];
    int err = btree_wal_path(tree, id, path);
    return err ? err : vfs_unlink(tree->base.host.vfs, path);
}

/* A standby whose making was cut: no header, and nothing was ever written behind it. */
static int broken_header(struct btree *tree, const struct found *found, size_t i)
{
    uint32_t id = id_at(found, i);
    int has = segment_has_records(tree, id);
    if (has < 0) return has;
    if (has || i + 1 < id_count(found) || id == tree->durable.wal_id)
        return wal_corrupt(tree, id, 0, "not the header of a log segment");
    return wal_unlink(tree, id);
}

static int wal_replay(struct btree *tree, const struct found *found)
{
    uint32_t expected = tree->durable.wal_id;
    tree->wal.chain = tree->durable.wal_chain;
    tree->wal.first_id = expected;
    for (size_t i = 0; i < id_count(found); i++) {
        struct wal_reader reader;
        uint32_t id = id_at(found, i);
        if (id < tree->durable.wal_id) continue; /* a stray: not needed any more */
        if (id != expected) break;
        int err = btree_wal_reader_open(tree, id, VFS_WRITE, VFS_RECOVERY, &reader);
        if (err) return err;
        int n = btree_wal_header_read(&reader);
        if (n > 0) err = segment_replay(tree, &reader, found);
        btree_wal_reader_close(&reader);
        if (n == 0) err = broken_header(tree, found, i);
        if (n < 0) err = n;
        if (err) return err;
        expected++;
    }
    if (tree->wal.active.file && expected > id_at(found, id_count(found) - 1)) return 0;
    if (tree->wal.active.file || tree->metas > 1)
        return wal_corrupt(tree, expected, 0, "the segment is missing");
    /* The log of this meta is gone, so there was a newer one. */
    return engine_fail(
        &tree->base, -EBADMSG, "%s/" PAGES_NAME " at offset %u: a meta is lost", tree->dir,
        (unsigned)(~tree->durable.generation & 1) * btree_meta_stride(tree->page_size));
}

static int strays_remove(struct btree *tree, const struct found *found)
{
    int err = 0;
    for (size_t i = 0; !err && i < id_count(found); i++)
        if (id_at(found, i) < tree->durable.wal_id) err = wal_unlink(tree, id_at(found, i));
    return err;
}

/* ---- metas ---- */

/* 1: a valid meta of that place; 0: none; or -errno. */
static int meta_read(struct btree *tree, uint64_t offset, struct meta *meta)
{
    unsigned char data[META_SIZE];
    int64_t n = vfs_read(tree->file, offset, data, sizeof(data), VFS_RECOVERY);
    if (n < 0) return (int)n;
    return n == (int64_t)sizeof(data) && btree_meta_decode(data, meta) &&
           offset == (meta->generation & 1) * btree_meta_stride(meta->page_size);
}

/* The first meta says where the second is; without it, all its places are tried. */
int btree_metas_read(struct btree *tree)
{
    struct meta meta;
    int n = meta_read(tree, 0, &tree->durable);
    if (n < 0) return n;
    tree->metas = n;
    uint32_t first = n ? btree_meta_stride(tree->durable.page_size) : PAGE_SIZE_MIN;
    uint32_t last = n ? first : META_STRIDE_MAX;
    for (uint32_t offset = first; offset <= last; offset *= 2) {
        n = meta_read(tree, offset, &meta);
        if (n < 0) return n;
        if (n && (!tree->metas || meta.generation > tree->durable.generation))
            tree->durable = meta;
        tree->metas += n;
    }
    return 0;
}

static int page_size_set(struct btree *tree, size_t page_size)
{
    tree->page_size = page_size;
    tree->map.group_pages = map_group_pages(page_size);
    tree->scratch = allocator_alloc(tree->base.host.allocator, page_size);
    return tree->scratch ? btree_cache_init(tree) : -ENOMEM;
}

/* The durable tree is a snapshot from the start. */
static int base_snapshot_open(struct btree *tree)
{
    tree->base_snapshot =
        allocator_alloc(tree->base.host.allocator, sizeof(*tree->base_snapshot));
    if (!tree->base_snapshot) return -ENOMEM;
    btree_snapshot_open(tree, tree->base_snapshot);
    return 0;
}

static int load(struct btree *tree, const struct found *found)
{
    const struct meta *meta = &tree->durable;
    int err = page_size_set(tree, meta->page_size);
    if (!err)
        err = engine_file_sync(&tree->base, tree->file, VFS_RECOVERY,
                               tree->options.on_sync_failure);
    if (!err) err = vfs_sync_dir(tree->base.host.vfs, tree->dir);
    if (!err) err = btree_map_load(tree, meta);
    if (err) return err;
    tree->root = meta->root;
    tree->root_stamp = meta->root_stamp;
    tree->depth = meta->depth;
    tree->stamp = meta->stamp;
    tree->live_keys = meta->live_keys;
    tree->live_bytes = meta->live_bytes;
    err = base_snapshot_open(tree);
    if (!err) err = wal_replay(tree, found);
    return err ? err : strays_remove(tree, found);
}

/* ---- making a database ---- */

/* 1: nothing here was ever acknowledged. */
static int is_unborn(struct btree *tree, const struct found *found)
{
    uint64_t size = 0;
    if (found->has_pages) {
        int err = vfs_size(tree->file, &size);
        if (err) return err;
    }
    /* The first checkpoint leaves the second segment and two metas. */
    if (size > NEWBORN_BYTES) return 0;
    for (size_t i = 0; i < id_count(found); i++) {
        if (id_at(found, i) != 1) return 0;
        int has = segment_has_records(tree, 1);
        if (has) return has < 0 ? has : 0;
    }
    return 1;
}

static int create(struct btree *tree)
{
    size_t page_size = (size_t)tree->options.page_bytes;
    struct wal *wal = &tree->wal;
    struct frame *root;
    char path[ENGINE_PATH_SIZE];
    if ((page_size & (page_size - 1)) != 0)
        return engine_fail(&tree->base, -EINVAL, "%s: page_size must be a power of two",
                           tree->dir);
    int err = page_size_set(tree, page_size);
    if (!err) err = btree_wal_segment_create(tree, 1, &wal->active);
    if (!err)
        err = engine_file_sync(&tree->base, wal->active.file, VFS_META,
                               tree->options.on_sync_failure);
    if (err) return err;
    wal->active.synced = wal->active.size;
    wal->first_id = 1;
    if (tree->file) vfs_close(tree->file);
    tree->file = NULL;
    err = engine_path(path, tree->dir, PAGES_NAME);
    if (!err)
        err = vfs_open(tree->base.host.vfs, path, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE,
                       &tree->file);
    if (!err) err = vfs_sync_dir(tree->base.host.vfs, tree->dir);
    if (!err) err = btree_map_add_group(tree);
    if (!err) err = btree_tree_page_new(tree, 0, &root);
    if (err) return err;
    tree->root = root->page;
    tree->root_stamp = root->stamp;
    tree->depth = 1;
    return btree_checkpoint_first(tree);
}

int btree_recover(struct btree *tree)
{
    struct found found = {.ids = {.allocator = tree->base.host.allocator}};
    char path[ENGINE_PATH_SIZE];
    int err = vfs_list(tree->base.host.vfs, tree->dir, found_file, &found);
    /* A copy has a valid meta, of an empty tree, before it has its contents. */
    if (!err && found.has_copy_mark && !tree->is_bulk)
        err = engine_copy_refuse(&tree->base, tree->dir);
    if (!err) err = engine_path(path, tree->dir, PAGES_NAME);
    if (!err && found.has_pages)
        err = vfs_open(tree->base.host.vfs, path, VFS_WRITE, &tree->file);
    if (!err && found.has_pages) err = btree_metas_read(tree);
    if (!err && found.has_pages) err = vfs_size(tree->file, &tree->file_bytes);
    if (err) goto done;
    if (tree->metas) {
        err = load(tree, &found);
        goto done;
    }
    int unborn = is_unborn(tree, &found);
    if (unborn > 0) {
        tree->file_bytes = 0;
        err = create(tree);
    } else {
        err = unborn < 0
                  ? unborn
                  : engine_fail(&tree->base, -EBADMSG,
                                "%s/" PAGES_NAME " at offset 0: no valid meta", tree->dir);
    }
done:
    buffer_deinit(&found.ids);
    return err;
}
