/* What operations on the simulated disk cost: the device's queue, its buses, the page cache.
 *
 * The device serves up to queue_depth operations in parallel. An operation takes a place in the
 * queue for its access time (drawn from the distribution) and then moves its bytes over the
 * read or the write bus, one operation at a time, so that bandwidth is shared. Lanes of a node
 * interleave: a background slice that was called first may have reserved the device from 400 to
 * 500 us while a read of the foreground arrives at 150 us. So each place keeps its reservations
 * as a short list of intervals, and an operation takes the earliest gap that holds it; gaps
 * older than the settled time are forgotten, and beyond SLOT_INTERVALS the oldest two are
 * merged (a gap is lost, never a reservation).
 *
 * The page cache holds cache_bytes in pages of 4 KiB, least recently used goes first. A read
 * that misses reads its runs of missing pages in parallel; a write into part of a page that is
 * not there reads the page first. Eviction changes the time of later reads and, for pages of
 * failed syncs, their contents.
 *
 * Not modelled: read-ahead, write-back before a sync (and throttling of writers by it), seek
 * distance, merging of requests, the device's own cache and its wear.
 */
#include "sim/world/disk_internal.h"

#include <stdlib.h>

#include "sim/kernel/arena.h"
#include "sim/kernel/check.h"

/* ---- reservations ---- */

static int64_t slot_fit(const struct slot *slot, int64_t at, int64_t length)
{
    for (uint32_t i = 0; i < slot->count; i++) {
        if (at + length <= slot->busy[i].start) break;
        at = max_i64(at, slot->busy[i].end);
    }
    return at;
}

static void slot_remove(struct slot *slot, uint32_t i)
{
    slot->count--;
    memmove(slot->busy + i, slot->busy + i + 1, (slot->count - i) * sizeof *slot->busy);
}

static void slot_reserve(struct slot *slot, int64_t settled, int64_t start, int64_t end)
{
    if (start == end) return;
    while (slot->count && slot->busy[0].end <= settled) slot_remove(slot, 0);
    if (slot->count == SLOT_INTERVALS) {
        slot->busy[1].start = slot->busy[0].start;
        slot_remove(slot, 0);
    }
    uint32_t i = slot->count++;
    for (; i > 0 && slot->busy[i - 1].start > start; i--) slot->busy[i] = slot->busy[i - 1];
    slot->busy[i] = (struct interval){start, end};
    for (i = 0; i + 1 < slot->count;) {
        if (slot->busy[i].end < slot->busy[i + 1].start) {
            i++;
            continue;
        }
        slot->busy[i].end = max_i64(slot->busy[i].end, slot->busy[i + 1].end);
        slot_remove(slot, i + 1);
    }
}

/* The place that is free first; a new one while there are fewer than the queue is deep. */
static struct slot *slot_choose(struct disk *disk, int64_t at, int64_t length, int64_t *start)
{
    struct slot *best = NULL;
    for (uint32_t i = 0; i < disk->slots_count; i++) {
        int64_t fit = slot_fit(&disk->slots[i], at, length);
        if (!best || fit < *start) {
            best = &disk->slots[i];
            *start = fit;
        }
        if (fit == at) return best;
    }
    if ((int64_t)disk->slots_count < disk->config.queue_depth || !best) {
        GROW(disk->slots, disk->slots_count, disk->slots_capacity);
        best = &disk->slots[disk->slots_count++];
        best->count = 0;
        *start = at;
    }
    return best;
}

/* Time to move bytes, rounded up. */
static int64_t transfer_ns(uint64_t bytes, int64_t bytes_per_s)
{
    if (bytes_per_s <= 0) return 0;
    unsigned __int128 ns = (unsigned __int128)bytes * NS_PER_S + (uint64_t)bytes_per_s - 1;
    return (int64_t)(ns / (uint64_t)bytes_per_s);
}

/* One operation of the device, begun at `at` at the earliest: when it completes. */
static int64_t serve(struct disk *disk, const struct inode *inode, const struct dist *latency,
                     uint64_t bytes, int64_t bytes_per_s, struct slot *bus, int64_t at)
{
    int64_t access = dist_draw(latency, &disk->latency_rng);
    int64_t transfer = transfer_ns(bytes, bytes_per_s);
    if (disk->faults_active) {
        fault_slow(disk, inode, &access, &transfer);
        fault_stall(disk, inode, &at, &access);
    }
    int64_t start = at;
    struct slot *slot = slot_choose(disk, at, access + transfer, &start);
    int64_t moves = slot_fit(bus, start + access, transfer);
    int64_t end = moves + transfer;
    slot_reserve(slot, disk->settled, start, end);
    slot_reserve(bus, disk->settled, moves, end);
    disk->counters.busy_ns += end - start;
    return end;
}

static void slot_cut(struct slot *slot, int64_t now)
{
    while (slot->count && slot->busy[slot->count - 1].start >= now) slot->count--;
    if (slot->count && slot->busy[slot->count - 1].end > now)
        slot->busy[slot->count - 1].end = now;
}

void device_stop(struct disk *disk, int64_t now)
{
    for (uint32_t i = 0; i < disk->slots_count; i++) slot_cut(&disk->slots[i], now);
    slot_cut(&disk->read_bus, now);
    slot_cut(&disk->write_bus, now);
}

static void slot_pause(struct slot *slot, int64_t from, int64_t length)
{
    for (uint32_t i = 0; i < slot->count; i++)
        if (slot->busy[i].start >= from) {
            slot->busy[i].start += length;
            slot->busy[i].end += length;
        }
}

void device_pause(struct disk *disk, int64_t from, int64_t length)
{
    for (uint32_t i = 0; i < disk->slots_count; i++) slot_pause(&disk->slots[i], from, length);
    slot_pause(&disk->read_bus, from, length);
    slot_pause(&disk->write_bus, from, length);
}

/* ---- the page cache ---- */

static uint64_t cache_limit(const struct disk *disk)
{
    return (uint64_t)disk->config.cache_bytes / PAGE_SIZE;
}

static bool cache_holds(const struct inode *inode, uint64_t page)
{
    return page < inode->page_slots_count && inode->page_slots[page];
}

static void page_unlink(struct disk *disk, uint32_t slot)
{
    struct cached_page *page = &disk->pages[slot];
    disk->pages[page->newer].older = page->older;
    disk->pages[page->older].newer = page->newer;
}

static void page_link_newest(struct disk *disk, uint32_t slot)
{
    uint32_t newest = disk->pages[0].older;
    disk->pages[slot].newer = 0;
    disk->pages[slot].older = newest;
    disk->pages[newest].newer = slot;
    disk->pages[0].older = slot;
}

static void page_free(struct disk *disk, uint32_t slot)
{
    struct cached_page *page = &disk->pages[slot];
    page->inode->page_slots[page->page] = 0;
    page_unlink(disk, slot);
    page->older = disk->pages_free;
    disk->pages_free = slot;
    disk->pages_resident--;
}

void cache_touch(struct disk *disk, struct inode *inode, uint64_t page)
{
    if (cache_holds(inode, page)) {
        uint32_t slot = inode->page_slots[page];
        if (disk->pages[0].older != slot) {
            page_unlink(disk, slot);
            page_link_newest(disk, slot);
        }
        return;
    }
    if (!cache_limit(disk)) return;
    if (disk->pages_resident >= cache_limit(disk)) {
        struct cached_page oldest = disk->pages[disk->pages[0].newer];
        page_free(disk, disk->pages[0].newer);
        if (oldest.inode->failed_count)
            file_forget_failed_page(disk, oldest.inode, oldest.page);
    }
    if (page >= inode->page_slots_count) {
        uint64_t count = max_u64(page + 1, inode->page_slots_count * 2);
        inode->page_slots = xrealloc(inode->page_slots, count * sizeof *inode->page_slots);
        memset(inode->page_slots + inode->page_slots_count, 0,
               (count - inode->page_slots_count) * sizeof *inode->page_slots);
        inode->page_slots_count = count;
    }
    uint32_t slot = disk->pages_free;
    if (slot) {
        disk->pages_free = disk->pages[slot].older;
    } else {
        if (!disk->pages_count) {
            GROW(disk->pages, disk->pages_count, disk->pages_capacity);
            disk->pages[disk->pages_count++] = (struct cached_page){
                0}; /* the anchor: its `older` is the newest, its `newer` the oldest */
        }
        GROW(disk->pages, disk->pages_count, disk->pages_capacity);
        slot = disk->pages_count++;
    }
    disk->pages[slot] = (struct cached_page){.inode = inode, .page = page};
    inode->page_slots[page] = slot;
    page_link_newest(disk, slot);
    disk->pages_resident++;
}

void cache_drop(struct disk *disk, struct inode *inode, uint64_t page_from, uint64_t page_to)
{
    for (uint64_t page = page_from; page < min_u64(page_to, inode->page_slots_count); page++)
        if (inode->page_slots[page]) page_free(disk, inode->page_slots[page]);
}

void cache_clear(struct disk *disk)
{
    for (struct inode *inode = disk->inodes; inode; inode = inode->next)
        if (inode->page_slots_count)
            memset(inode->page_slots, 0, inode->page_slots_count * sizeof *inode->page_slots);
    disk->pages_count = disk->pages_free = 0;
    disk->pages_resident = 0;
}

/* ---- operations ---- */

int64_t device_move_ns(uint64_t bytes, int64_t bytes_per_s)
{
    if (bytes_per_s <= 0) return 0;
    return (int64_t)((unsigned __int128)bytes * NS_PER_S / (uint64_t)bytes_per_s);
}

int64_t device_name_ns(const struct disk *disk, const struct inode *gone)
{
    return disk->config.name_ns +
           (gone ? device_move_ns(gone->size, disk->config.free_bytes_per_s) : 0);
}

int64_t device_read(struct disk *disk, struct inode *inode, uint64_t offset, uint64_t size,
                    int64_t at)
{
    int64_t done = at;
    uint64_t end = (offset + size + PAGE_SIZE - 1) / PAGE_SIZE;
    for (uint64_t page = offset / PAGE_SIZE; page < end;) {
        if (cache_holds(inode, page)) {
            disk->counters.cache_hits++;
            page++;
            continue;
        }
        uint64_t first = page;
        while (page < end && !cache_holds(inode, page)) page++;
        disk->counters.cache_misses += page - first;
        int64_t read =
            serve(disk, inode, &disk->config.read_latency, (page - first) * PAGE_SIZE,
                  disk->config.read_bytes_per_s, &disk->read_bus, at);
        done = max_i64(done, read);
    }
    for (uint64_t page = offset / PAGE_SIZE; page < end; page++) cache_touch(disk, inode, page);
    return done + disk->config.cache_hit_ns +
           device_move_ns(size, disk->config.copy_read_bytes_per_s);
}

int64_t device_read_fails(struct disk *disk, const struct inode *inode, int64_t at)
{
    return serve(disk, inode, &disk->config.read_latency, PAGE_SIZE,
                 disk->config.read_bytes_per_s, &disk->read_bus, at);
}

int64_t cache_write(struct disk *disk, struct inode *inode, uint64_t offset, uint64_t size,
                    int64_t at)
{
    if (!cache_limit(disk)) return at;
    uint64_t first = offset / PAGE_SIZE, last = (offset + size - 1) / PAGE_SIZE;
    uint64_t held = first;
    while (held <= last && cache_holds(inode, held)) held++;
    if (held <= last) at += disk->config.new_page_ns;
    for (uint64_t page = first; page <= last; page++) {
        uint64_t from = page * PAGE_SIZE, to = min_u64(from + PAGE_SIZE, inode->size);
        bool covered = offset <= from && offset + size >= to;
        if (from < inode->size && !covered && !cache_holds(inode, page)) {
            disk->counters.cache_misses++;
            at = serve(disk, inode, &disk->config.read_latency, PAGE_SIZE,
                       disk->config.read_bytes_per_s, &disk->read_bus, at);
        }
        cache_touch(disk, inode, page);
    }
    return at;
}

static int extent_order(const void *a, const void *b)
{
    const struct interval *left = a, *right = b;
    if (left->start != right->start) return left->start < right->start ? -1 : 1;
    return (left->end > right->end) - (left->end < right->end);
}

/* Runs of sectors that the records since the last sync made dirty, in order and apart. */
static uint32_t dirty_extents(const struct inode *inode, struct interval *extents)
{
    uint32_t count = 0, merged = 0;
    for (uint32_t i = inode->records_count - inode->records_dirty; i < inode->records_count;
         i++) {
        const struct record *record = &inode->records[i];
        if (record->kind != RECORD_WRITE && record->kind != RECORD_REDIRTY) continue;
        int64_t start = (int64_t)(record->offset / SECTOR_SIZE * SECTOR_SIZE);
        int64_t end = (int64_t)((record->offset + record->size + SECTOR_SIZE - 1) /
                                SECTOR_SIZE * SECTOR_SIZE);
        if (count && start >= extents[count - 1].start && start <= extents[count - 1].end)
            extents[count - 1].end = max_i64(extents[count - 1].end, end);
        else
            extents[count++] = (struct interval){start, end};
    }
    qsort(extents, count, sizeof *extents, extent_order);
    for (uint32_t i = 0; i < count; i++)
        if (merged && extents[i].start <= extents[merged - 1].end)
            extents[merged - 1].end = max_i64(extents[merged - 1].end, extents[i].end);
        else
            extents[merged++] = extents[i];
    return merged;
}

/* Whether the records since the last sync leave the file longer or shorter than it was. */
static bool length_changed(const struct inode *inode)
{
    for (uint32_t i = inode->records_count - inode->records_dirty; i < inode->records_count;
         i++)
        if (inode->records[i].size_after != inode->records[i].size_before) return true;
    return false;
}

/* By how much they leave it longer. */
static uint64_t growth(const struct inode *inode)
{
    if (!inode->records_dirty) return 0;
    uint64_t before = inode->records[inode->records_count - inode->records_dirty].size_before;
    return inode->size > before ? inode->size - before : 0;
}

int64_t device_sync(struct disk *disk, struct inode *inode, int64_t at)
{
    int64_t done = at;
    bool commits = inode->is_directory || length_changed(inode);
    if (inode->is_directory) { /* one block of the journal */
        done = serve(disk, inode, &disk->config.write_latency, PAGE_SIZE,
                     disk->config.write_bytes_per_s, &disk->write_bus, at);
    } else if (inode->records_dirty) {
        struct interval *extents = xmalloc(inode->records_dirty * sizeof *extents);
        uint32_t count = dirty_extents(inode, extents);
        for (uint32_t i = 0; i < count; i++) {
            int64_t written = serve(disk, inode, &disk->config.write_latency,
                                    (uint64_t)(extents[i].end - extents[i].start),
                                    disk->config.write_bytes_per_s, &disk->write_bus, at);
            done = max_i64(done, written);
        }
        free(extents);
    }
    done = serve(disk, inode, &disk->config.sync_latency, 0, 0, &disk->write_bus, done);
    const struct dist *metadata = &disk->config.sync_metadata;
    if (commits && (metadata->kind != DIST_CONSTANT || metadata->a))
        done = serve(disk, inode, metadata, 0, 0, &disk->write_bus, done);
    if (!inode->is_directory)
        done += device_move_ns(growth(inode), disk->config.grow_bytes_per_s);
    return done;
}
