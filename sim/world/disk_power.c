/* Power loss on the simulated disk: which of the pending effects the device turns out to hold.
 *
 * When this file is entered, everything durable is off the lists and everything later than the
 * stop is taken back: what is left was done and not synced. Each file is swapped out to what
 * the device surely holds, then a choice is laid over it. Choices are drawn from one stream,
 * files in order of creation (I5).
 *
 *   all_kept  says it
 *   all_lost  too
 *   prefix    one cut through all pending effects of the disk in order of (stamp, sequence);
 *             a write counts as its sectors, a resize or an operation on names as one. Before
 *             the cut all is kept, after it lost. The write at the cut keeps its first sectors;
 *             its new length is there, or not, or as far as they reach.
 *   subset    each sector takes one of its *versions*: as durable, or as it stood after any
 *             pending write to it (a cache writes sectors whole, at moments of its own). Each
 *             file draws how eager its write-back was, so that whole files lost and whole
 *             files kept are common too.
 *   torn      subset, and in one of the pending sectors the pending bytes are garbled. The
 *             other bytes of that sector are spared: devices do not lose what they don't
 *             overwrite (SQLite calls it powersafe overwrite), and an engine that appends
 *             could not survive otherwise.
 *   stale     subset, and lost sectors inside the length show old bytes: those before a
 *             truncate, or of the last file that was freed.
 *
 * The length is metadata and drawn apart in the last three: that after one of the pending
 * effects, or, for one that grew the file, a sector boundary on the way. Where it comes after a
 * truncate, the truncate has happened: no bytes from before it (but in `stale`). A lost sector
 * inside the length that never was on the device reads as zeros; one that was shows the
 * device's bytes, for the log whose synced bytes share a sector with lost ones.
 *
 * Names: all, none, the same cut (prefix); else by directory mode, `ordered`: a prefix of the
 * pending operations, `posix`: any subset.
 */
#include "sim/world/disk_internal.h"

#include <stdlib.h>

#include "sim/kernel/arena.h"
#include "sim/kernel/check.h"

#define PPM 1000000u

struct power {
    struct disk *disk;
    enum disk_power_mode mode;
    uint64_t garbled; /* torn: index of the sector among all pending ones; UINT64_MAX: none */
    uint64_t sectors_seen; /* of the files before this one */
};

static bool touches_sectors(const struct record *record)
{
    return record->size && !record->grown;
}
static uint64_t sector_first(const struct record *record)
{
    return record->offset / SECTOR_SIZE;
}
static uint64_t sector_last(const struct record *record)
{
    return (record->offset + record->size - 1) / SECTOR_SIZE;
}

/* ---- laying records over the device's bytes ---- */

/* The bytes of a swapped-out record within [from, to). */
static void lay(struct inode *inode, const struct record *record, uint64_t from, uint64_t to)
{
    from = max_u64(from, record->offset);
    to = min_u64(to, record->offset + record->size);
    if (from >= to) return;
    if (record->redo)
        memcpy(inode->data + from, record->redo + (from - record->offset), to - from);
    else
        memset(inode->data + from, 0, to - from);
}

static void lay_sector(struct inode *inode, const struct record *record, uint64_t sector)
{
    lay(inode, record, sector * SECTOR_SIZE, (sector + 1) * SECTOR_SIZE);
}

/* Fixes the length: nothing is left beyond it (I1). */
static void cut(struct disk *disk, struct inode *inode, uint64_t size)
{
    file_reserve(inode, size);
    if (inode->capacity > size) memset(inode->data + size, 0, inode->capacity - size);
    file_set_size(disk, inode, size);
}

/* ---- prefix ---- */

struct unit {
    int64_t stamp;
    uint64_t sequence;
    struct inode *inode; /* NULL: an operation on names */
    uint32_t index;      /* of the record, or of the operation */
    uint64_t weight;     /* places where the cut may fall */
};

static int unit_order(const void *a, const void *b)
{
    const struct unit *left = a, *right = b;
    if (left->stamp != right->stamp) return left->stamp < right->stamp ? -1 : 1;
    if (left->sequence != right->sequence) return left->sequence < right->sequence ? -1 : 1;
    return (left->index > right->index) - (left->index < right->index);
}

/* The first `kept` sectors of the write at the cut. */
static void lay_partly(struct disk *disk, struct inode *inode, const struct record *record,
                       uint64_t kept)
{
    uint64_t reach = (sector_first(record) + kept) * SECTOR_SIZE;
    lay(inode, record, 0, reach);
    uint64_t size = record->size_before;
    uint64_t choice = rng_below(&disk->power_rng, 3);
    if (choice == 1)
        size = record->size_after;
    else if (choice == 2 && record->size_after > record->size_before)
        size = max_u64(size, min_u64(reach, record->size_after));
    cut(disk, inode, size);
}

static void lose_prefix(struct disk *disk, bool *names_kept)
{
    uint64_t count = disk->dirops_count, total = 0, i = 0;
    for (struct inode *inode = disk->inodes; inode; inode = inode->next)
        count += inode->records_count;
    struct unit *units = xmalloc((count + 1) * sizeof *units);
    for (uint32_t d = 0; d < disk->dirops_count; d++)
        units[i++] = (struct unit){disk->dirops[d].stamp, disk->dirops[d].sequence, NULL, d, 1};
    for (struct inode *inode = disk->inodes; inode; inode = inode->next)
        for (uint32_t r = 0; r < inode->records_count; r++) {
            const struct record *record = &inode->records[r];
            uint64_t weight = touches_sectors(record) && record->kind == RECORD_WRITE
                                  ? sector_last(record) - sector_first(record) + 1
                                  : 1;
            units[i++] = (struct unit){record->stamp, record->sequence, inode, r, weight};
        }
    for (uint64_t u = 0; u < count; u++) total += units[u].weight;
    qsort(units, count, sizeof *units, unit_order);
    uint64_t left = rng_below(&disk->power_rng, total + 1);
    for (uint64_t u = 0; u < count; u++) {
        uint64_t kept = min_u64(left, units[u].weight);
        left -= kept;
        if (!units[u].inode) {
            names_kept[units[u].index] = kept;
            continue;
        }
        struct record *record = &units[u].inode->records[units[u].index];
        if (kept == units[u].weight)
            record_swap_in(disk, units[u].inode, record);
        else if (kept)
            lay_partly(disk, units[u].inode, record, kept);
    }
    free(units);
}

/* ---- subset, torn, stale ---- */

struct sector_state {
    uint32_t versions; /* records that touch it */
    uint32_t chosen;   /* how many of them are kept */
    uint32_t seen;     /* how many a walk has met */
};

/* Which record's length the file has (index + 1; 0: the durable one), and the length. */
static uint32_t choose_length(struct disk *disk, const struct inode *inode, uint64_t *size)
{
    uint32_t count = inode->records_count, version = count;
    if (rng_below(&disk->power_rng, 2))
        version = (uint32_t)rng_below(&disk->power_rng, (uint64_t)count + 1);
    *size = inode->size;
    if (!version) return 0;
    const struct record *record = &inode->records[version - 1];
    *size = record->size_after;
    if (record->size_after > record->size_before && rng_below(&disk->power_rng, 4) == 0) {
        uint64_t first = record->size_before / SECTOR_SIZE + 1,
                 last = (record->size_after - 1) / SECTOR_SIZE;
        if (first <= last)
            *size = (first + rng_below(&disk->power_rng, last - first + 1)) * SECTOR_SIZE;
    }
    return version;
}

static void garble(struct power *power, struct inode *inode, uint64_t sector)
{
    for (uint32_t r = 0; r < inode->records_count; r++) {
        const struct record *record = &inode->records[r];
        if (record->kind != RECORD_WRITE) continue;
        uint64_t from = max_u64(sector * SECTOR_SIZE, record->offset);
        uint64_t to = min_u64((sector + 1) * SECTOR_SIZE, record->offset + record->size);
        for (; from < to; from++)
            inode->data[from] = (unsigned char)rng_u64(&power->disk->power_rng);
    }
}

static void show_stale(const struct disk *disk, struct inode *inode, uint64_t sector)
{
    uint64_t from = sector * SECTOR_SIZE, to = min_u64(from + SECTOR_SIZE, inode->capacity);
    for (; disk->stale && from < to; from++)
        inode->data[from] = disk->stale[from % disk->stale_size];
}

static void lose_subset(struct power *power, struct inode *inode)
{
    struct disk *disk = power->disk;
    uint64_t device_size = inode->size, low = UINT64_MAX, high = 0, size;
    for (uint32_t r = 0; r < inode->records_count; r++)
        if (touches_sectors(&inode->records[r])) {
            low = min_u64(low, sector_first(&inode->records[r]));
            high = max_u64(high, sector_last(&inode->records[r]) + 1);
        }
    uint64_t range = low < high ? high - low : 0;
    struct sector_state *sectors = xcalloc(range + 1, sizeof *sectors);
    for (uint32_t r = 0; r < inode->records_count; r++)
        if (touches_sectors(&inode->records[r]))
            for (uint64_t s = sector_first(&inode->records[r]);
                 s <= sector_last(&inode->records[r]); s++)
                sectors[s - low].versions++;

    /* Each sector's version: the latest that the write-back got to. */
    uint32_t eager_ppm = (uint32_t)rng_below(&disk->power_rng, PPM + 1);
    for (uint64_t s = 0; s < range; s++)
        for (sectors[s].chosen = sectors[s].versions; sectors[s].chosen; sectors[s].chosen--)
            if (rng_ppm(&disk->power_rng, eager_ppm)) break;

    /* A length after a truncate says that the truncate happened. */
    uint32_t length_version = choose_length(disk, inode, &size);
    for (uint32_t r = 0; r < inode->records_count; r++) {
        const struct record *record = &inode->records[r];
        bool truncates =
            record->kind == RECORD_RESIZE && r < length_version && power->mode != DISK_STALE;
        for (uint64_t s = sector_first(record);
             touches_sectors(record) && s <= sector_last(record); s++) {
            struct sector_state *sector = &sectors[s - low];
            sector->seen++;
            if (truncates && sector->chosen < sector->seen) sector->chosen = sector->seen;
        }
    }

    for (uint64_t s = 0; s < range; s++) {
        sectors[s].seen = 0;
        if (power->mode == DISK_STALE && !sectors[s].chosen &&
            (low + s) * SECTOR_SIZE >= device_size)
            show_stale(disk, inode, low + s);
    }
    for (uint32_t r = 0; r < inode->records_count; r++) {
        const struct record *record = &inode->records[r];
        for (uint64_t s = sector_first(record);
             touches_sectors(record) && s <= sector_last(record); s++)
            if (++sectors[s - low].seen <= sectors[s - low].chosen)
                lay_sector(inode, record, s);
    }

    for (uint64_t s = 0; s < range; s++) {
        if (!sectors[s].versions) continue;
        if (power->sectors_seen++ == power->garbled) garble(power, inode, low + s);
        if (sectors[s].chosen < sectors[s].versions) disk->counters.lost_bytes += SECTOR_SIZE;
    }
    free(sectors);
    cut(disk, inode, size);
}

static int run_order(const void *a, const void *b)
{
    const struct interval *left = a, *right = b;
    return (left->start > right->start) - (left->start < right->start);
}

/* Pending sectors of a file, each counted once: as many as lose_subset walks. */
static uint64_t pending_sectors(const struct inode *inode)
{
    uint64_t count = 0;
    struct interval *runs = xmalloc((inode->records_count + 1) * sizeof *runs);
    uint32_t runs_count = 0;
    for (uint32_t r = 0; r < inode->records_count; r++) {
        const struct record *record = &inode->records[r];
        if (touches_sectors(record))
            runs[runs_count++] = (struct interval){(int64_t)sector_first(record),
                                                   (int64_t)sector_last(record) + 1};
    }
    qsort(runs, runs_count, sizeof *runs, run_order);
    int64_t reached = 0;
    for (uint32_t i = 0; i < runs_count; i++) {
        int64_t from = max_i64(runs[i].start, reached);
        if (runs[i].end > from) {
            count += (uint64_t)(runs[i].end - from);
            reached = runs[i].end;
        }
    }
    free(runs);
    return count;
}

/* ---- all together ---- */

static void choose_names(struct disk *disk, enum disk_power_mode mode, bool *kept)
{
    uint32_t count = disk->dirops_count;
    if (mode == DISK_ALL_KEPT || mode == DISK_ALL_LOST) {
        memset(kept, mode == DISK_ALL_KEPT, count * sizeof *kept);
    } else if (disk->config.directory_mode == DISK_DIR_ORDERED) {
        uint64_t prefix = rng_below(&disk->power_rng, (uint64_t)count + 1);
        for (uint32_t i = 0; i < count; i++) kept[i] = i < prefix;
    } else {
        for (uint32_t i = 0; i < count; i++) kept[i] = rng_below(&disk->power_rng, 2);
    }
}

static uint64_t pending_bytes(const struct inode *inode)
{
    uint64_t bytes = 0;
    for (uint32_t r = 0; r < inode->records_count; r++) bytes += inode->records[r].size;
    return bytes;
}

void power_lose(struct disk *disk, enum disk_power_mode mode)
{
    struct power power = {.disk = disk, .mode = mode, .garbled = UINT64_MAX};
    bool *names_kept = xcalloc(disk->dirops_count + 1, sizeof *names_kept);
    if (mode == DISK_TORN) {
        uint64_t total = 0;
        for (struct inode *inode = disk->inodes; inode; inode = inode->next)
            total += pending_sectors(inode);
        if (total) power.garbled = rng_below(&disk->power_rng, total);
    }
    for (struct inode *inode = disk->inodes; inode; inode = inode->next) {
        file_forget_failed(disk, inode);
        for (uint32_t r = inode->records_count; mode != DISK_ALL_KEPT && r-- > 0;)
            record_swap_out(disk, inode, &inode->records[r]);
    }
    if (mode == DISK_PREFIX)
        lose_prefix(disk, names_kept);
    else
        choose_names(disk, mode, names_kept);
    for (struct inode *inode = disk->inodes; inode; inode = inode->next) {
        if (inode->records_count && mode != DISK_ALL_KEPT && mode != DISK_ALL_LOST &&
            mode != DISK_PREFIX)
            lose_subset(&power, inode);
        if (mode == DISK_ALL_LOST) disk->counters.lost_bytes += pending_bytes(inode);
        for (uint32_t r = 0; mode == DISK_PREFIX && r < inode->records_count; r++)
            disk->counters.lost_bytes += inode->records[r].redo ? inode->records[r].size : 0;
        file_records_drop(inode, inode->records_count);
        inode->stamp = 0;
    }
    for (uint32_t i = 0; i < disk->dirops_count; i++)
        if (names_kept[i])
            dirop_apply(disk, &disk->dirops[i]);
        else
            disk->counters.lost_operations++;
    free(names_kept);
    dir_adopt_durable(disk);
}
