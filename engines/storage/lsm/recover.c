/* Opening a database: the manifest says which tables and logs it is; the logs are replayed
 * into memtables; what nothing lists is removed. The states that a crash can leave, and what is
 * done with each, stand in lsm.c.
 *
 * No table is opened here: a database of a thousand tables opens as fast as one of ten. The
 * last log stays the active one and is appended to, so that opening and closing writes nothing;
 * logs before it (a flush was under way) fill a memtable that is flushed again.
 */
#include <errno.h>

#include "engines/storage/lsm/lsm_internal.h"

/* ---- what is in the directory ---- */

struct found_file {
    uint64_t number;
    enum lsm_name name;
};

struct listing {
    struct lsm *lsm;
    struct buffer files; /* struct found_file, by (name, number) */
    bool has_copy_mark;
};

static int list_file(void *context, const char *name, bool is_directory)
{
    struct listing *listing = context;
    struct found_file file = {0, LSM_NAME_FOREIGN};
    if (is_directory) return 0;
    if (strcmp(name, ENGINE_COPY_MARK) == 0) listing->has_copy_mark = true;
    file.name = lsm_name_parse(name, &file.number);
    return file.name == LSM_NAME_FOREIGN || file.name == LSM_NAME_MANIFEST
               ? 0
               : buffer_append(&listing->files, &file, sizeof(file));
}

static int file_order(const void *context, const void *a, const void *b)
{
    const struct found_file *x = a, *y = b;
    (void)context;
    if (x->name != y->name) return x->name < y->name ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

static const struct found_file *files_of(const struct listing *listing, size_t *count)
{
    *count = listing->files.size / sizeof(struct found_file);
    return (const struct found_file *)(const void *)listing->files.data;
}

static int list_directory(struct lsm *lsm, struct listing *listing)
{
    *listing = (struct listing){.lsm = lsm, .files.allocator = lsm->base.host.allocator};
    int err = vfs_list(lsm->base.host.vfs, lsm->dir, list_file, listing);
    size_t count;
    files_of(listing, &count);
    engine_sort(listing->files.data, count, sizeof(struct found_file), file_order, NULL);
    const struct found_file *files = files_of(listing, &count);
    for (size_t i = 0; i < count; i++)
        if (files[i].number >= lsm->next_number) lsm->next_number = files[i].number + 1;
    return err;
}

static bool is_found(const struct listing *listing, enum lsm_name name, uint64_t number)
{
    const struct found_file wanted = {number, name};
    size_t high, low = 0;
    const struct found_file *files = files_of(listing, &high);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = file_order(NULL, &files[middle], &wanted);
        if (order == 0) return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static int number_order(const void *context, const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    (void)context;
    return (x > y) - (x < y);
}

/* The numbers of all tables of the version, ascending. */
static int listed_tables(struct lsm *lsm, struct buffer *numbers)
{
    for (uint32_t i = 0; i < LSM_LEVELS; i++) {
        const struct lsm_level *level = &lsm->version->levels[i];
        for (uint32_t j = 0; j < level->count; j++)
            for (uint32_t k = 0; k < level->runs[j]->count; k++) {
                uint64_t number = level->runs[j]->files[k]->garbage.number;
                int err = buffer_append(numbers, &number, sizeof(number));
                if (err) return err;
            }
    }
    engine_sort(numbers->data, numbers->size / sizeof(uint64_t), sizeof(uint64_t), number_order,
                NULL);
    return 0;
}

static int check_tables(struct lsm *lsm, const struct listing *listing,
                        const struct buffer *numbers)
{
    const uint64_t *n = (const uint64_t *)(const void *)numbers->data;
    for (size_t i = 0; i < numbers->size / sizeof(*n); i++) {
        char path[ENGINE_PATH_SIZE];
        if (n[i] >= lsm->next_number) lsm->next_number = n[i] + 1;
        if (is_found(listing, LSM_NAME_TABLE, n[i])) continue;
        int err = lsm_table_path(lsm->dir, n[i], path);
        return err ? err
                   : engine_fail(&lsm->base, -EBADMSG,
                                 "%s at offset 0: the manifest lists a file that is not there",
                                 path);
    }
    return 0;
}

/* ---- strays ---- */

static int stray_path(const struct lsm *lsm, const struct found_file *file,
                      const struct buffer *tables, char path[ENGINE_PATH_SIZE])
{
    const uint64_t *n = (const uint64_t *)(const void *)tables->data;
    size_t low = 0, high = tables->size / sizeof(*n), count = high;
    path[0] = '\0';
    switch (file->name) {
    case LSM_NAME_NEXT: return engine_path(path, lsm->dir, LSM_MANIFEST_NEXT);
    case LSM_NAME_LOG:
        return file->number < lsm->log_number ? lsm_log_path(lsm->dir, file->number, path) : 0;
    case LSM_NAME_TABLE:
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (n[middle] < file->number)
                low = middle + 1;
            else
                high = middle;
        }
        return low < count && n[low] == file->number
                   ? 0
                   : lsm_table_path(lsm->dir, file->number, path);
    default: return 0;
    }
}

/* Removes outputs that no switch listed, inputs and logs that one left behind, and a manifest
 * that was being written. Before the first, the directory is synced: the manifest just read may
 * not be durable yet, and an unlink must not survive a power loss that its rename does not.
 * A log without records: its name may not be durable either. */
static int remove_strays(struct lsm *lsm, const struct listing *listing,
                         const struct buffer *tables, uint64_t stillborn, bool must_sync)
{
    size_t count;
    const struct found_file *files = files_of(listing, &count);
    char path[ENGINE_PATH_SIZE];
    bool is_synced = false;
    int err = 0;
    for (size_t i = 0; !err && i < count; i++) {
        if (files[i].name == LSM_NAME_LOG && files[i].number == stillborn)
            err = lsm_log_path(lsm->dir, stillborn, path);
        else
            err = stray_path(lsm, &files[i], tables, path);
        if (err || !path[0]) continue;
        if (!is_synced) err = vfs_sync_dir(lsm->base.host.vfs, lsm->dir);
        is_synced = true;
        if (!err) err = vfs_unlink(lsm->base.host.vfs, path);
    }
    if (!err && must_sync && !is_synced) err = vfs_sync_dir(lsm->base.host.vfs, lsm->dir);
    return err;
}

/* ---- logs ---- */

static int log_corrupt(struct lsm *lsm, uint64_t number, uint64_t offset, const char *why)
{
    return engine_fail(&lsm->base, -EBADMSG,
                       "%s/wal-" LSM_NUMBER_FORMAT ".log at offset %llu: %s", lsm->dir,
                       (unsigned long long)number, (unsigned long long)offset, why);
}

struct replay {
    struct lsm *lsm;
    struct lsm_memory *memory;
    uint64_t number;
};

static int replay_record(void *context, uint64_t offset, uint64_t sequence,
                         const struct wal_record *record)
{
    struct replay *replay = context;
    struct bytes items = record->items;
    struct wal_item item;
    unsigned char time[8];
    uint64_t count = 0;
    int err = memtable_reserve(replay->memory->table, (size_t)record->count,
                               record->items.size + (size_t)record->count * sizeof(time));
    if (err) return err;
    put_u64(time, (uint64_t)record->now_ns);
    for (; count < record->count && lsm_wal_next(&items, &item); count++)
        memtable_add(replay->memory->table, sequence + 1 + count, item.is_delete, item.key,
                     item.is_delete ? bytes_of(time, sizeof(time)) : item.value);
    /* Its checksum was right: not what a disk does, but it is input all the same. */
    return count < record->count || items.size
               ? log_corrupt(replay->lsm, replay->number, offset, "malformed items")
               : 0;
}

/* Judges what the walk found: 0, or -EBADMSG. */
static int judge(struct lsm *lsm, uint64_t number, const struct wal_extent *extent,
                 uint64_t size, bool is_last)
{
    /* A log is new until its header is durable, and the manifest names none before that. */
    if (!extent->has_header)
        return is_last && size <= WAL_HEADER && number != lsm->log_number
                   ? 0
                   : log_corrupt(lsm, number, 0, "a broken log header");
    if (extent->first_sequence != lsm->sequence)
        return log_corrupt(lsm, number, 16, "it does not continue what is before it");
    if (extent->is_sealed && is_last)
        return log_corrupt(lsm, number, extent->good, "sealed, but no log follows");
    /* L3, L4 */
    if (extent->good < size && (!is_last || extent->claimed > extent->good))
        return log_corrupt(lsm, number, extent->good, "a broken record");
    return 0;
}

/* The last log, which never had a durable header: nothing was ever in it. */
static int log_begin(struct lsm *lsm, uint64_t number, uint64_t size)
{
    int err = lsm_wal_create(lsm, number, &lsm->wal);
    lsm->cut_bytes += size;
    return err ? err : lsm_wal_begin(lsm, lsm->wal, lsm->sequence);
}

/* The last log: its torn tail is cut, and it is the active one. */
static int log_adopt(struct lsm *lsm, uint64_t number, struct vfs_file *file, uint64_t size,
                     const struct wal_extent *extent)
{
    const struct allocator *a = lsm->base.host.allocator;
    struct lsm_wal *wal = allocator_alloc(a, sizeof(*wal));
    int err = wal ? 0 : -ENOMEM;
    if (!err && extent->good < size) {
        err = vfs_truncate(file, extent->good);
        lsm->cut_bytes += size - extent->good;
    }
    if (err) {
        allocator_free(a, wal, sizeof(*wal));
        vfs_close(file);
        return err;
    }
    *wal = (struct lsm_wal){
        .garbage = {.number = number, .owner_bytes = sizeof(*wal), .is_log = true},
        .file = file,
        .size = extent->good,
        .synced = extent->claimed,
        .claimed = extent->claimed,
        .crc = extent->crc,
        .seed = lsm_wal_seed(number),
        .owes_mark = extent->records > 0 && !extent->last_is_mark};
    lsm->wal = wal;
    /* What an earlier process wrote may be in the cache only; from here on it is answered. A
     * mark at the end says that it is not so. */
    return extent->last_is_mark && extent->good == size ? 0 : lsm_wal_sync(lsm);
}

/* A log that is not the last: sealed, and its entries are in `flushing`. */
static int log_keep(struct lsm *lsm, uint64_t number, uint64_t size)
{
    struct lsm_wal *wal = allocator_alloc(lsm->base.host.allocator, sizeof(*wal));
    if (!wal) return -ENOMEM;
    *wal = (struct lsm_wal){
        .garbage = {
            .number = number, .file_bytes = size, .owner_bytes = sizeof(*wal), .is_log = true}};
    struct lsm_wal **end = &lsm->flushing_wals;
    while (*end) end = &(*end)->newer;
    *end = wal;
    lsm->flushing_sequence = lsm->sequence;
    return 0;
}

/* Reads a log, and walks it with `each`. The file is open on success. */
static int log_read(struct lsm *lsm, uint64_t number, uint32_t flags, wal_record_fn *each,
                    void *context, struct wal_extent *extent, uint64_t *size,
                    struct vfs_file **file)
{
    struct buffer data = {.allocator = lsm->base.host.allocator};
    char path[ENGINE_PATH_SIZE];
    int err = lsm_log_path(lsm->dir, number, path);
    if (!err) err = vfs_open(lsm->base.host.vfs, path, flags, file);
    if (err) return err;
    err = vfs_size(*file, size);
    if (!err) err = buffer_reserve(&data, (size_t)*size);
    if (!err) err = engine_file_read(*file, 0, data.data, (size_t)*size, VFS_RECOVERY);
    if (!err)
        err = lsm_wal_walk(bytes_of(data.data, (size_t)*size), number, each, context, extent);
    buffer_deinit(&data);
    if (err) vfs_close(*file);
    return err;
}

static int log_load(struct lsm *lsm, uint64_t number, bool is_last, bool *has_records)
{
    struct replay replay = {lsm, is_last ? lsm->memory : lsm->flushing, number};
    struct vfs_file *file;
    struct wal_extent extent;
    uint64_t size;
    int err = log_read(lsm, number, is_last ? VFS_WRITE : VFS_READ, replay_record, &replay,
                       &extent, &size, &file);
    if (err) return err;
    err = judge(lsm, number, &extent, size, is_last);
    if (!err && extent.has_header) lsm->sequence = extent.sequence;
    *has_records = extent.records > 0;
    if (!err && is_last && extent.has_header)
        return log_adopt(lsm, number, file, size, &extent);
    vfs_close(file);
    if (err) return err;
    return is_last ? log_begin(lsm, number, size) : log_keep(lsm, number, size);
}

/* Whether the last log is nothing yet: its file was made, and the one before it is not sealed.
 * That one goes on being the last then. When it is sealed, its sync may not have come to an
 * end: it does here, before the last log gets the header that says so (L4). */
static int log_is_stillborn(struct lsm *lsm, uint64_t last, uint64_t before, bool *out)
{
    struct wal_extent extent;
    struct vfs_file *file;
    uint64_t size;
    int err = log_read(lsm, last, VFS_READ, NULL, NULL, &extent, &size, &file);
    if (err) return err;
    vfs_close(file);
    *out = false;
    if (extent.has_header || size > WAL_HEADER) return 0;
    err = log_read(lsm, before, VFS_WRITE, NULL, NULL, &extent, &size, &file);
    if (err) return err;
    *out = !extent.is_sealed;
    if (extent.is_sealed)
        err = engine_file_sync(&lsm->base, file, VFS_RECOVERY, lsm->options.on_sync_failure);
    vfs_close(file);
    return err;
}

static int logs_load(struct lsm *lsm, const struct listing *listing, uint64_t *stillborn,
                     bool *has_records)
{
    size_t count;
    const struct found_file *files = files_of(listing, &count);
    uint64_t last = 0, before = 0;
    bool is_stillborn = false;
    int err = 0;
    lsm->sequence = lsm->flushed_sequence;
    for (size_t i = 0; i < count; i++)
        if (files[i].name == LSM_NAME_LOG && files[i].number >= lsm->log_number) {
            before = last;
            last = files[i].number;
        }
    if (!is_found(listing, LSM_NAME_LOG, lsm->log_number))
        return log_corrupt(lsm, lsm->log_number, 0,
                           "the manifest lists a log that is not there");
    if (before) err = log_is_stillborn(lsm, last, before, &is_stillborn);
    if (is_stillborn) {
        *stillborn = last;
        last = before;
    }
    for (size_t i = 0; !err && i < count; i++) {
        if (files[i].name != LSM_NAME_LOG || files[i].number < lsm->log_number ||
            files[i].number > last)
            continue;
        bool is_last = files[i].number == last;
        if (!is_last && !lsm->flushing) {
            lsm->flushing = lsm_memory_create(lsm);
            if (!lsm->flushing) return -ENOMEM;
        }
        err = log_load(lsm, files[i].number, is_last, has_records);
    }
    return err;
}

/* ---- a first database ---- */

/* No manifest: nothing was ever acknowledged here, or the manifest is lost. */
static int database_create(struct lsm *lsm)
{
    struct vfs *vfs = lsm->base.host.vfs;
    struct listing listing;
    size_t count;
    int err = list_directory(lsm, &listing);
    if (!err && listing.has_copy_mark) err = engine_copy_refuse(&lsm->base, lsm->dir);
    const struct found_file *files = files_of(&listing, &count);
    for (size_t i = 0; !err && i < count; i++) {
        char path[ENGINE_PATH_SIZE];
        struct vfs_file *file;
        uint64_t size = 0;
        if (files[i].name == LSM_NAME_NEXT) continue;
        bool is_log = files[i].name == LSM_NAME_LOG;
        err = is_log ? lsm_log_path(lsm->dir, files[i].number, path)
                     : lsm_table_path(lsm->dir, files[i].number, path);
        if (!err && is_log) err = vfs_open(vfs, path, VFS_READ, &file);
        if (!err && is_log) {
            err = vfs_size(file, &size);
            vfs_close(file);
        }
        /* A database that was being made has a log without records, and no table. */
        if (!err && (!is_log || size > WAL_HEADER))
            err = engine_fail(&lsm->base, -EBADMSG,
                              "%s/" LSM_MANIFEST " at offset 0: missing, but there is %s",
                              lsm->dir, path);
    }
    buffer_deinit(&listing.files);
    if (err) return err;
    lsm->log_number = 1;
    lsm->next_number = 2;
    lsm->version = lsm_version_create(lsm);
    if (!lsm->version) return -ENOMEM;
    err = lsm_wal_create(lsm, 1, &lsm->wal);
    if (!err) err = lsm_wal_begin(lsm, lsm->wal, 0);
    if (!err) err = vfs_sync_dir(vfs, lsm->dir);
    return err ? err : lsm_manifest_write(lsm, lsm->dir, lsm->version, 1, 0);
}

static int database_load(struct lsm *lsm)
{
    struct listing listing;
    struct buffer tables = {.allocator = lsm->base.host.allocator};
    bool has_records = false;
    uint64_t stillborn = 0;
    int err = list_directory(lsm, &listing);
    if (!err) err = listed_tables(lsm, &tables);
    if (!err) err = check_tables(lsm, &listing, &tables);
    if (!err) err = logs_load(lsm, &listing, &stillborn, &has_records);
    if (!err) err = remove_strays(lsm, &listing, &tables, stillborn, !has_records);
    buffer_deinit(&tables);
    buffer_deinit(&listing.files);
    return err;
}

int lsm_recover(struct lsm *lsm)
{
    lsm->memory = lsm_memory_create(lsm);
    if (!lsm->memory) return -ENOMEM;
    int err = lsm_manifest_read(lsm);
    if (err == -ENOENT)
        err = database_create(lsm);
    else if (!err)
        err = database_load(lsm);
    if (!err) lsm_due_update(lsm);
    return err;
}
