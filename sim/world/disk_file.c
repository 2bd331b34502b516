/* Contents of files on the simulated disk: effects that can be taken back, what a sync makes
 * durable, what a failed sync leaves.
 *
 * A file stands in memory once, as it reads now. Beside it stands the list of its effects that
 * are not durable yet, each with what undoes it. So an append costs one small record and no
 * copy of old bytes, and three questions have one answer each:
 *   - as it was at time c: undo the records stamped c or later, newest first (file_take_back);
 *   - as the device holds it: undo them all (disk_power.c);
 *   - what a completed sync does: forget the records before it (file_sync_settle).
 * A record that is *swapped out* is undone but kept, with the bytes that do it again.
 *
 * A failed sync turns pages into what Linux makes of them (Rebello and others, "Can
 * applications recover from fsync failures?", USENIX ATC 2020): clean, readable from the cache,
 * absent from the device. Such a page is a `failed_page` that keeps the device's bytes. It goes
 * back to them when the cache loses it. Writing to it dirties the whole page again, so the next
 * sync will carry it: RECORD_REDIRTY. The length is metadata, which the journal still holds: it
 * stays pending, and the next good sync makes it durable, with a hole where the failed pages
 * should be.
 */
#include "sim/world/disk_internal.h"

#include <stdlib.h>

#include "sim/kernel/arena.h"
#include "sim/kernel/check.h"

/* Of a freed file's bytes, how many mode `stale` may show again. */
#define STALE_SIZE_MAX (UINT64_C(256) << 10)

/* ---- inodes ---- */

struct inode *inode_create(struct disk *disk, bool is_directory)
{
    struct inode *inode = xcalloc(1, sizeof *inode);
    inode->id = disk->inode_id_next++;
    inode->is_directory = is_directory;
    inode->previous = disk->inodes_last;
    if (disk->inodes_last)
        disk->inodes_last->next = inode;
    else
        disk->inodes = inode;
    disk->inodes_last = inode;
    return inode;
}

/* A freed file's bytes stay on the device until something else is written there: mode `stale`
 * shows them. */
static void stale_keep(struct disk *disk, struct inode *inode)
{
    if (!inode->size) return;
    free(disk->stale);
    disk->stale_size = min_u64(inode->size, STALE_SIZE_MAX);
    disk->stale = xrealloc(inode->data, disk->stale_size);
    inode->data = NULL;
}

/* Its names lead nowhere any more: whom they held may go too. */
static void entries_release(struct disk *disk, struct entries *entries, bool durable)
{
    struct entries gone = *entries;
    *entries = (struct entries){0};
    for (uint32_t i = 0; i < gone.count; i++) {
        struct inode *child = gone.items[i].inode;
        if (durable)
            child->durable_parent = NULL;
        else
            child->parent = NULL;
        inode_review(disk, child);
    }
    entries_deinit(&gone);
}

void inode_free(struct disk *disk, struct inode *inode)
{
    entries_release(disk, &inode->live, false);
    entries_release(disk, &inode->durable, true);
    if (inode->counted) disk->used -= inode->size;
    file_records_drop(inode, inode->records_count);
    free(inode->records);
    for (uint32_t i = 0; i < inode->failed_count; i++) free(inode->failed[i].device);
    free(inode->failed);
    cache_drop(disk, inode, 0, UINT64_MAX);
    free(inode->page_slots);
    stale_keep(disk, inode);
    free(inode->data);
    if (inode->previous)
        inode->previous->next = inode->next;
    else
        disk->inodes = inode->next;
    if (inode->next)
        inode->next->previous = inode->previous;
    else
        disk->inodes_last = inode->previous;
    free(inode);
}

void inode_review(struct disk *disk, struct inode *inode)
{
    if (inode == disk->root) return;
    bool counted = !inode->is_directory && (inode->parent || inode->handles);
    if (counted && !inode->counted) disk->used += inode->size;
    if (!counted && inode->counted) disk->used -= inode->size;
    inode->counted = counted;
    if (!inode->parent && !inode->durable_parent && !inode->handles && !inode->references)
        inode_free(disk, inode);
}

/* ---- bytes ---- */

void file_set_size(struct disk *disk, struct inode *inode, uint64_t size)
{
    if (inode->counted) disk->used += size - inode->size;
    inode->size = size;
}

void file_reserve(struct inode *inode, uint64_t size)
{
    if (size <= inode->capacity) return;
    uint64_t capacity = max_u64(max_u64(size, 256), inode->capacity + inode->capacity / 2);
    inode->data = xrealloc(inode->data, capacity);
    memset(inode->data + inode->capacity, 0, capacity - inode->capacity); /* I1 */
    inode->capacity = capacity;
}

static unsigned char *copy_bytes(const unsigned char *data, uint64_t size)
{
    if (!size) return NULL;
    unsigned char *copy = xmalloc(size);
    memcpy(copy, data, size);
    return copy;
}

/* ---- records ---- */

void record_deinit(struct record *record)
{
    free(record->old);
    free(record->redo);
}

void file_records_drop(struct inode *inode, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) record_deinit(&inode->records[i]);
    inode->records_count -= count;
    if (inode->records_count)
        memmove(inode->records, inode->records + count,
                inode->records_count * sizeof *inode->records);
    if (inode->records_dirty > inode->records_count)
        inode->records_dirty = inode->records_count;
}

static struct record *record_add(struct inode *inode, struct record record)
{
    GROW(inode->records, inode->records_count, inode->records_capacity);
    inode->records[inode->records_count] = record;
    inode->records_dirty++;
    return &inode->records[inode->records_count++];
}

static bool record_is_sync(const struct record *record)
{
    return record->kind == RECORD_SYNC || record->kind == RECORD_SYNC_FAILED;
}

/* After the list was cut or rebuilt. */
static void records_dirty_count(struct inode *inode)
{
    uint32_t dirty = 0;
    while (dirty < inode->records_count &&
           !record_is_sync(&inode->records[inode->records_count - 1 - dirty]))
        dirty++;
    inode->records_dirty = dirty;
}

void record_swap_out(struct disk *disk, struct inode *inode, struct record *record)
{
    if (record_is_sync(record)) return;
    if (record->size_after >= record->size_before && record->size) {
        record->redo = copy_bytes(inode->data + record->offset, record->size);
        memset(inode->data + record->offset + record->old_size, 0,
               record->size - record->old_size);
    }
    if (record->old_size) memcpy(inode->data + record->offset, record->old, record->old_size);
    file_set_size(disk, inode, record->size_before);
}

void record_swap_in(struct disk *disk, struct inode *inode, struct record *record)
{
    if (record_is_sync(record)) return;
    /* What it covers may have changed while it was out. */
    if (record->old_size) memcpy(record->old, inode->data + record->offset, record->old_size);
    if (record->redo)
        memcpy(inode->data + record->offset, record->redo, record->size);
    else if (record->size)
        memset(inode->data + record->offset, 0, record->size);
    file_set_size(disk, inode, record->size_after);
    free(record->redo);
    record->redo = NULL;
}

/* ---- pages of failed syncs ---- */

/* Index of the first failed page that is not before `page`. */
static uint32_t failed_position(const struct inode *inode, uint64_t page)
{
    uint32_t low = 0, high = inode->failed_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (inode->failed[middle].page < page)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Takes `device` (PAGE_SIZE bytes). */
static void failed_add(struct inode *inode, uint64_t page, unsigned char *device)
{
    uint32_t i = failed_position(inode, page);
    if (i < inode->failed_count && inode->failed[i].page == page) {
        free(inode->failed[i].device);
        inode->failed[i].device = device;
        return;
    }
    GROW(inode->failed, inode->failed_count, inode->failed_capacity);
    memmove(inode->failed + i + 1, inode->failed + i,
            (inode->failed_count - i) * sizeof *inode->failed);
    inode->failed[i] = (struct failed_page){page, device};
    inode->failed_count++;
}

static void failed_remove(struct inode *inode, uint32_t i)
{
    free(inode->failed[i].device);
    inode->failed_count--;
    memmove(inode->failed + i, inode->failed + i + 1,
            (inode->failed_count - i) * sizeof *inode->failed);
}

/* A page as it stands, zeros beyond the end. */
static unsigned char *page_copy(const struct inode *inode, uint64_t page)
{
    unsigned char *copy = xcalloc(1, PAGE_SIZE);
    uint64_t from = page * PAGE_SIZE;
    if (from < inode->size)
        memcpy(copy, inode->data + from, min_u64(PAGE_SIZE, inode->size - from));
    return copy;
}

/* Before bytes [from, to) change: failed pages among them will be written again, whole. */
static void redirty(struct inode *inode, uint64_t from, uint64_t to, int64_t stamp,
                    uint64_t sequence)
{
    uint32_t i = inode->failed_count ? failed_position(inode, from / PAGE_SIZE) : 0;
    while (i < inode->failed_count && inode->failed[i].page * PAGE_SIZE < to) {
        uint64_t offset = inode->failed[i].page * PAGE_SIZE;
        if (offset < inode->size) {
            uint64_t size = min_u64(PAGE_SIZE, inode->size - offset);
            record_add(inode, (struct record){
                                  .stamp = stamp,
                                  .sequence = sequence,
                                  .kind = RECORD_REDIRTY,
                                  .offset = offset,
                                  .size = size,
                                  .size_before = inode->size,
                                  .size_after = inode->size,
                                  .old_size = size,
                                  .old = copy_bytes(inode->failed[i].device, size),
                              });
        }
        failed_remove(inode, i);
    }
}

static void forget_at(struct disk *disk, struct inode *inode, uint32_t i)
{
    uint64_t offset = inode->failed[i].page * PAGE_SIZE;
    if (offset < inode->size) {
        uint64_t size = min_u64(PAGE_SIZE, inode->size - offset);
        for (uint64_t s = 0; s < size; s += SECTOR_SIZE) {
            uint64_t n = min_u64(SECTOR_SIZE, size - s);
            if (memcmp(inode->data + offset + s, inode->failed[i].device + s, n))
                disk->counters.lost_bytes += n;
        }
        memcpy(inode->data + offset, inode->failed[i].device, size);
    }
    failed_remove(inode, i);
}

void file_forget_failed(struct disk *disk, struct inode *inode)
{
    while (inode->failed_count) forget_at(disk, inode, inode->failed_count - 1);
}

void file_forget_failed_page(struct disk *disk, struct inode *inode, uint64_t page)
{
    uint32_t i = failed_position(inode, page);
    if (i < inode->failed_count && inode->failed[i].page == page) forget_at(disk, inode, i);
}

/* ---- effects ---- */

struct record *file_write(struct disk *disk, struct inode *inode, uint64_t offset,
                          struct bytes data, int64_t stamp)
{
    uint64_t end = offset + data.size;
    uint64_t sequence = disk->sequence_next++;
    CHECK(data.size > 0);
    CHECK(stamp >= inode->stamp); /* I2 */
    CHECK(!disk->looking);
    redirty(inode, offset, end, stamp, sequence);
    uint64_t old_size = offset < inode->size ? min_u64(inode->size, end) - offset : 0;
    struct record *record = record_add(
        inode, (struct record){
                   .stamp = stamp,
                   .sequence = sequence,
                   .kind = RECORD_WRITE,
                   .offset = offset,
                   .size = data.size,
                   .size_before = inode->size,
                   .size_after = max_u64(inode->size, end),
                   .old_size = old_size,
                   .old = old_size ? copy_bytes(inode->data + offset, old_size) : NULL,
               });
    file_reserve(inode, end);
    memcpy(inode->data + offset, data.data, data.size);
    file_set_size(disk, inode, record->size_after);
    inode->stamp = stamp;
    return record;
}

void file_resize(struct disk *disk, struct inode *inode, uint64_t size, int64_t stamp)
{
    CHECK(stamp >= inode->stamp);
    CHECK(!disk->looking);
    inode->stamp = stamp;
    if (size == inode->size) return;
    uint64_t sequence = disk->sequence_next++;
    struct record record = {.stamp = stamp,
                            .sequence = sequence,
                            .kind = RECORD_RESIZE,
                            .size_before = inode->size,
                            .size_after = size};
    if (size > inode->size) {
        record.grown = true;
        record.offset = inode->size;
        record.size = size - inode->size;
        file_reserve(inode, size);
    } else {
        redirty(inode, size, inode->size, stamp, sequence);
        record.offset = size;
        record.size = record.old_size = inode->size - size;
        record.old = copy_bytes(inode->data + size, record.size);
        memset(inode->data + size, 0, record.size); /* I1 */
        cache_drop(disk, inode, (size + PAGE_SIZE - 1) / PAGE_SIZE, UINT64_MAX);
    }
    record_add(inode, record);
    file_set_size(disk, inode, size);
}

void file_sync(struct disk *disk, struct inode *inode, int64_t start, int64_t stamp,
               bool failed)
{
    inode->stamp = stamp;
    if (!inode->records_count) return;
    uint64_t sequence = disk->sequence_next++;
    record_add(inode, (struct record){.stamp = stamp,
                                      .sequence = sequence,
                                      .kind = failed ? RECORD_SYNC_FAILED : RECORD_SYNC});
    inode->records_dirty = 0;
    sync_item_add(disk, inode, start, stamp, sequence);
}

void file_take_back(struct disk *disk, struct inode *inode, int64_t from)
{
    while (inode->records_count && inode->records[inode->records_count - 1].stamp >= from) {
        struct record *record = &inode->records[--inode->records_count];
        if (record->kind == RECORD_REDIRTY) {
            unsigned char *device = xcalloc(1, PAGE_SIZE);
            memcpy(device, record->old, record->old_size);
            failed_add(inode, record->offset / PAGE_SIZE, device);
        } else {
            record_swap_out(disk, inode, record);
        }
        record_deinit(record);
    }
    records_dirty_count(inode);
    if (inode->stamp > from) inode->stamp = from;
}

/* ---- a sync completes ---- */

/* Puts the records from `first` on back, in order, and their failed pages' dirtying with them.
 * The list must end before `first`. */
static void tail_restore(struct disk *disk, struct inode *inode, struct record *tail,
                         uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        bool touches =
            tail[i].kind == RECORD_WRITE || (tail[i].kind == RECORD_RESIZE && !tail[i].grown);
        if (touches)
            redirty(inode, tail[i].offset, tail[i].offset + tail[i].size, tail[i].stamp,
                    tail[i].sequence);
        record_swap_in(disk, inode, record_add(inode, tail[i]));
    }
    records_dirty_count(inode);
}

/* Swaps everything out: the file stands as the device holds it. Returns a copy of the list; the
 * file's own becomes empty. */
static struct record *records_take(struct disk *disk, struct inode *inode, uint32_t *count)
{
    *count = inode->records_count;
    struct record *records = xmalloc(*count * sizeof *records);
    for (uint32_t i = *count; i-- > 0;) record_swap_out(disk, inode, &inode->records[i]);
    memcpy(records, inode->records, *count * sizeof *records);
    inode->records_count = inode->records_dirty = 0;
    return records;
}

/* The pages that a record dirtied, as the device holds them. One that failed before and was not
 * dirtied since (only its length is pending) stays as it is. */
static void failed_collect(struct inode *inode, const struct record *record)
{
    if (!record->size || record->grown) return;
    for (uint64_t page = record->offset / PAGE_SIZE;
         page * PAGE_SIZE < record->offset + record->size; page++) {
        uint32_t i = failed_position(inode, page);
        if (i == inode->failed_count || inode->failed[i].page != page)
            failed_add(inode, page, page_copy(inode, page));
    }
}

/* Pages beyond the length are nobody's; of the last one, neither are the bytes beyond it. */
static void failed_clip(struct inode *inode, uint64_t size)
{
    while (inode->failed_count &&
           inode->failed[inode->failed_count - 1].page * PAGE_SIZE >= size)
        failed_remove(inode, inode->failed_count - 1);
    if (!inode->failed_count) return;
    struct failed_page *last = &inode->failed[inode->failed_count - 1];
    uint64_t end = size - last->page * PAGE_SIZE;
    if (end < PAGE_SIZE) memset(last->device + end, 0, PAGE_SIZE - end);
}

static void settle_failed(struct disk *disk, struct inode *inode, uint32_t position)
{
    uint32_t count;
    struct record *records = records_take(disk, inode, &count);
    uint64_t device_size = inode->size;
    uint64_t size = device_size;
    for (uint32_t i = 0; i < position; i++) {
        failed_collect(inode, &records[i]);
        if (!record_is_sync(&records[i])) size = records[i].size_after;
    }
    struct record metadata = {
        .stamp = records[position].stamp,
        .sequence = records[position].sequence,
        .kind = RECORD_RESIZE,
        .size_before = device_size,
        .size_after = size,
        .grown = size > device_size,
        .offset = min_u64(size, device_size),
        .size = max_u64(size, device_size) - min_u64(size, device_size),
    };
    if (size < device_size) {
        metadata.old_size = metadata.size;
        metadata.old = copy_bytes(inode->data + size, metadata.size);
    }
    for (uint32_t i = 0; i < position; i++) {
        record_swap_in(disk, inode, &records[i]);
        record_deinit(&records[i]);
    }
    failed_clip(inode, size);
    if (size != device_size) record_add(inode, metadata);
    tail_restore(disk, inode, records + position + 1, count - position - 1);
    free(records);
}

/* Some of what is synced goes elsewhere. The pages concerned leave the cache, so that the next
 * read meets it. */
static void settle_misdirected(struct disk *disk, struct inode *inode, uint32_t position)
{
    uint32_t count;
    struct record *records = records_take(disk, inode, &count);
    for (uint32_t i = 0; i < position; i++) {
        struct record *record = &records[i];
        if (record->misdirected) {
            /* Another sector-aligned place of the file, if it has one; else the write is lost
             * (a phantom write). */
            uint64_t home = record->offset / SECTOR_SIZE, room = 0;
            if (record->size_after > record->size)
                room = (record->size_after - record->size) / SECTOR_SIZE;
            uint64_t place = room ? rng_below(&disk->fault_rng, room) : 0;
            if (room && place >= home) place++;
            file_set_size(disk, inode, record->size_after);
            if (room && place * SECTOR_SIZE + record->size <= inode->size)
                memcpy(inode->data + place * SECTOR_SIZE, record->redo, record->size);
            cache_drop(disk, inode, 0, UINT64_MAX);
            fault_effect_id(disk, record->fault);
        } else {
            record_swap_in(disk, inode, record);
        }
        record_deinit(record);
    }
    tail_restore(disk, inode, records + position + 1, count - position - 1);
    free(records);
}

void file_sync_settle(struct disk *disk, struct inode *inode, uint64_t sequence)
{
    uint32_t position = 0;
    bool misdirected = false;
    while (!(record_is_sync(&inode->records[position]) &&
             inode->records[position].sequence == sequence)) {
        misdirected |= inode->records[position].misdirected;
        position++;
        CHECK(position < inode->records_count);
    }
    if (inode->records[position].kind == RECORD_SYNC_FAILED)
        settle_failed(disk, inode, position);
    else if (misdirected)
        settle_misdirected(disk, inode, position);
    else
        file_records_drop(inode, position + 1);
}
