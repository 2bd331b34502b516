/* The simulated disk: a small file system that takes time, keeps what was synced, and may lie,
 * fail, rot or lose its power at any nanosecond.
 *
 * Files: disk.c (this: life, cursor, settling, stops, counters), disk_vfs.c (the calls),
 * disk_file.c (contents), disk_dir.c (names), disk_power.c (what survives), disk_device.c
 * (costs, page cache), disk_fault.c, disk_preset.c, disk_check.c.
 *
 * Time. A call starts at the cursor and moves it; its effect is stamped with the cursor after
 * it. The effect is in memory at once, for the calls that follow in host order, with what
 * undoes it:
 *
 *     call --> pending, to come --settle--> pending, happened --its sync settles--> durable
 *                     |                              |
 *                     | a stop before its stamp      | disk_power_off
 *                     v                              v
 *                  never happened (take_back)     kept, lost or in part (power_lose)
 *
 * A sync is itself an effect: it is stamped when it completes, and until then what it covers
 * may be lost. disk_settle works off the queue of syncs in order of stamps, so its cost is that
 * of the effects that matured, whatever the number of files.
 *
 * Invariants
 *   I1  A file's bytes between its length and its capacity are zero.
 *   I2  Stamps rise along a file and along a name: a call from another lane waits until the
 *       earlier one's effect is there.
 *   I3  An inode has at most one name in each image.
 *   I4  Each record, directory operation and sync stands on exactly one list until it is
 *       durable, taken back or decided by power_lose.
 *   I5  Nothing is visited in order of addresses: inodes go by id, names by bytes, effects by
 *       (stamp, sequence).
 *
 * Crash. disk_crash: the process dies; the cache, dirty or not, stays readable.
 * disk_power_off: the device's view, by mode; the cache is gone.
 *
 * Limits. 64 GiB a file (its bytes stand in memory once), names of 255 bytes, paths of 4,095.
 * Directories cannot be removed, as vfs.h has no call for it.
 *
 * Not modelled: write-back of the kernel's own accord (dirty data waits for its sync however
 * long; the power modes cover what write-back would have saved), metadata of the file system
 * beyond length and names (no fsck, no journal replay time), hard links, permissions.
 */
#include "sim/world/disk_internal.h"

#include <stdlib.h>

#include "sim/kernel/arena.h"
#include "sim/kernel/check.h"

const char *const disk_power_mode_words[] = {"all_kept", "all_lost", "prefix", "subset",
                                             "torn",     "stale",    NULL};
const char *const disk_directory_mode_words[] = {"ordered", "posix", NULL};

/* ---- life ---- */

struct disk *disk_create(const struct disk_config *config, uint64_t seed, const char *name,
                         struct draw_log *log)
{
    struct disk *disk = xcalloc(1, sizeof *disk);
    disk->vfs.ops = &disk_vfs_ops;
    disk->config = *config;
    rng_init(&disk->latency_rng, seed, "disk.latency", name, log);
    rng_init(&disk->fault_rng, seed, "disk.fault", name, log);
    rng_init(&disk->power_rng, seed, "disk.power", name, log);
    disk->inode_id_next = disk->sequence_next = 1;
    disk->root = inode_create(disk, true);
    return disk;
}

static void files_close_all(struct disk *disk)
{
    while (disk->files) {
        struct disk_file *file = disk->files;
        disk->files = file->next;
        file->inode->handles--;
        inode_review(disk, file->inode);
        free(file);
    }
}

/* Every name, file and pending effect. */
static void contents_free(struct disk *disk)
{
    for (uint32_t i = 0; i < disk->dirops_count; i++) {
        free(disk->dirops[i].from_name);
        free(disk->dirops[i].to_name);
    }
    disk->dirops_count = disk->syncs_count = 0;
    for (struct inode *inode = disk->inodes; inode; inode = inode->next) {
        entries_deinit(&inode->live);
        entries_deinit(&inode->durable);
    }
    while (disk->inodes) inode_free(disk, disk->inodes);
    free(disk->stale);
    disk->stale = NULL;
    disk->stale_size = 0;
}

void disk_destroy(struct disk *disk)
{
    if (!disk) return;
    while (disk->files) {
        struct disk_file *file = disk->files;
        disk->files = file->next;
        free(file);
    }
    contents_free(disk);
    for (uint32_t i = 0; i < disk->faults_count; i++) {
        free((char *)disk->faults[i].fault.path);
        free(disk->faults[i].healed);
    }
    free(disk->faults);
    free(disk->dirops);
    free(disk->syncs);
    free(disk->slots);
    free(disk->pages);
    free(disk);
}

struct vfs *disk_vfs(struct disk *disk)
{
    return &disk->vfs;
}

/* ---- the cursor ---- */

void disk_begin(struct disk *disk, int64_t cursor_ns)
{
    CHECK(!disk->active);
    disk->active = true;
    disk->cursor = cursor_ns;
}

int64_t disk_end(struct disk *disk)
{
    CHECK(disk->active);
    disk->active = false;
    return disk->cursor;
}

int64_t disk_cursor(const struct disk *disk)
{
    return disk->cursor;
}

void disk_set_cursor(struct disk *disk, int64_t cursor_ns)
{
    disk->cursor = max_i64(disk->cursor, cursor_ns);
}

void disk_look(struct disk *disk, bool on)
{
    CHECK(disk->looking != on);
    disk->looking = on;
}

/* ---- settling ---- */

void sync_item_add(struct disk *disk, struct inode *inode, int64_t start, int64_t stamp,
                   uint64_t sequence)
{
    GROW(disk->syncs, disk->syncs_count, disk->syncs_capacity);
    uint32_t i = disk->syncs_count++;
    for (; i > 0 && disk->syncs[i - 1].stamp > stamp; i--) disk->syncs[i] = disk->syncs[i - 1];
    disk->syncs[i] = (struct sync_item){stamp, start, sequence, inode};
    inode->references++;
}

void disk_settle(struct disk *disk, int64_t now_ns)
{
    disk->settled = max_i64(disk->settled, now_ns);
    uint32_t done = 0;
    for (; done < disk->syncs_count && disk->syncs[done].stamp < now_ns; done++) {
        struct sync_item *item = &disk->syncs[done];
        if (item->inode->is_directory)
            dir_sync_settle(disk, item);
        else
            file_sync_settle(disk, item->inode, item->sequence);
        item->inode->references--;
        inode_review(disk, item->inode);
    }
    if (done) {
        disk->syncs_count -= done;
        memmove(disk->syncs, disk->syncs + done, disk->syncs_count * sizeof *disk->syncs);
    }
}

/* ---- stops ---- */

/* As it was at `now`: effects stamped at or after it never happened. What was settled happened:
 * time does not run back over it. */
static void take_back(struct disk *disk, int64_t now_ns)
{
    now_ns = max_i64(now_ns, disk->settled);
    disk_settle(disk, now_ns);
    while (disk->syncs_count) {
        struct inode *inode = disk->syncs[--disk->syncs_count].inode;
        inode->references--;
        inode_review(disk, inode);
    }
    for (struct inode *inode = disk->inodes; inode; inode = inode->next)
        file_take_back(disk, inode, now_ns);
    dir_take_back(disk, now_ns);
    files_close_all(disk);
    device_stop(disk, now_ns);
    disk->active = false;
    disk->cursor = now_ns;
}

void disk_crash(struct disk *disk, int64_t now_ns)
{
    take_back(disk, now_ns);
}

void disk_power_off(struct disk *disk, int64_t now_ns, enum disk_power_mode mode)
{
    take_back(disk, now_ns);
    cache_clear(disk);
    power_lose(disk, mode);
}

void disk_wipe(struct disk *disk, int64_t now_ns)
{
    take_back(disk, now_ns);
    disk->counters.lost_bytes += disk->used;
    contents_free(disk);
    disk->root = inode_create(disk, true);
    CHECK(disk->used == 0);
}

static void shift(int64_t *stamp, int64_t from, int64_t length)
{
    if (*stamp >= from) *stamp += length;
}

void disk_pause(struct disk *disk, int64_t from_ns, int64_t length_ns)
{
    CHECK(length_ns >= 0);
    for (struct inode *inode = disk->inodes; inode; inode = inode->next) {
        shift(&inode->stamp, from_ns, length_ns);
        for (uint32_t i = inode->records_count; i-- > 0 && inode->records[i].stamp >= from_ns;)
            inode->records[i].stamp += length_ns;
    }
    for (uint32_t i = disk->dirops_count; i-- > 0 && disk->dirops[i].stamp >= from_ns;)
        disk->dirops[i].stamp += length_ns;
    for (uint32_t i = disk->syncs_count; i-- > 0 && disk->syncs[i].stamp >= from_ns;) {
        disk->syncs[i].stamp += length_ns;
        shift(&disk->syncs[i].start, from_ns, length_ns);
    }
    device_pause(disk, from_ns, length_ns);
}

uint64_t disk_evict(struct disk *disk, int64_t now_ns)
{
    disk_settle(disk, now_ns);
    uint64_t resident = disk->pages_resident;
    cache_clear(disk);
    for (struct inode *inode = disk->inodes; inode; inode = inode->next) {
        file_forget_failed(disk, inode);
        /* Dirty pages cannot be evicted. */
        for (uint32_t i = 0; i < inode->records_count; i++) {
            const struct record *record = &inode->records[i];
            uint64_t end = min_u64(record->offset + record->size, inode->size);
            for (uint64_t page = record->offset / PAGE_SIZE; page * PAGE_SIZE < end; page++)
                cache_touch(disk, inode, page);
        }
    }
    return resident > disk->pages_resident ? resident - disk->pages_resident : 0;
}

/* ---- what is asked ---- */

const struct disk_counters *disk_counters(const struct disk *disk)
{
    return &disk->counters;
}
uint64_t disk_used_bytes(const struct disk *disk)
{
    return disk->used;
}
uint64_t disk_operations(const struct disk *disk)
{
    return disk->operations;
}

void disk_cut_after(struct disk *disk, uint64_t operations)
{
    disk->cut_at = operations ? disk->operations + operations : 0;
    disk->cut_reached = false;
}

bool disk_cut_reached(const struct disk *disk)
{
    return disk->cut_reached;
}

void disk_fail_nth(struct disk *disk, uint64_t operations, int error)
{
    CHECK(error < 0);
    disk->fail_at = operations ? disk->operations + operations : 0;
    disk->fail_error = error;
}

/* The hash of the path so far is the seed of what is below it; the sum makes the order
 * irrelevant. */
static uint64_t hash_directory(const struct inode *dir, uint64_t seed)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < dir->live.count; i++) {
        const struct inode *inode = dir->live.items[i].inode;
        uint64_t name = hash_string(dir->live.items[i].name, seed);
        if (inode->is_directory)
            sum += mix64(name + 1) + hash_directory(inode, name);
        else
            sum += mix64(hash_bytes(inode->data, inode->size, name));
    }
    return sum;
}

uint64_t disk_hash(struct disk *disk)
{
    return mix64(hash_directory(disk->root, 1));
}
