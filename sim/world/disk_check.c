/* Validation of a whole simulated disk: each invariant of disk.c, and that every count is the
 * count of what it counts. */
#include "sim/world/disk_internal.h"

#include <stdlib.h>

#include "sim/kernel/arena.h"
#include "sim/kernel/check.h"

static void names_check(const struct inode *dir, const struct entries *entries, bool durable)
{
    for (uint32_t i = 0; i < entries->count; i++) {
        CHECK(i == 0 ||
              strcmp(entries->items[i - 1].name, entries->items[i].name) < 0); /* I5 */
        const struct inode *inode = entries->items[i].inode;
        CHECK((durable ? inode->durable_parent : inode->parent) == dir);
        for (uint32_t j = 0; j < i; j++) CHECK(entries->items[j].inode != inode); /* I3 */
    }
}

static bool names_hold(const struct entries *entries, const struct inode *inode)
{
    for (uint32_t i = 0; i < entries->count; i++)
        if (entries->items[i].inode == inode) return true;
    return false;
}

static void contents_check(const struct inode *inode)
{
    for (uint64_t i = inode->size; i < inode->capacity; i++)
        CHECK(inode->data[i] == 0); /* I1 */
    uint64_t size = inode->size;
    uint32_t dirty = 0;
    bool synced = false;
    for (uint32_t i = inode->records_count; i-- > 0;) {
        const struct record *record = &inode->records[i];
        CHECK(record->stamp <=
              (i + 1 < inode->records_count ? record[1].stamp : inode->stamp)); /* I2 */
        CHECK(record->redo == NULL);
        synced |= record->kind == RECORD_SYNC || record->kind == RECORD_SYNC_FAILED;
        dirty += !synced;
        if (record->kind == RECORD_SYNC || record->kind == RECORD_SYNC_FAILED) continue;
        CHECK(record->size_after == size);
        CHECK(record->old_size <= record->size);
        CHECK(record->old_size == 0 ||
              record->offset + record->old_size <= record->size_before);
        size = record->size_before;
    }
    CHECK(synced ? inode->records_dirty <= dirty
                 : inode->records_dirty <= inode->records_count);
    for (uint32_t i = 0; i < inode->failed_count; i++) {
        CHECK(i == 0 || inode->failed[i - 1].page < inode->failed[i].page);
        CHECK(inode->failed[i].page * PAGE_SIZE < inode->size);
    }
}

void disk_check(struct disk *disk)
{
    uint64_t used = 0, resident = 0, id = 0;
    for (struct inode *inode = disk->inodes; inode; inode = inode->next) {
        CHECK(inode->id > id); /* I5 */
        id = inode->id;
        CHECK(inode->previous ? inode->previous->next == inode : disk->inodes == inode);
        CHECK(!inode->parent || names_hold(&inode->parent->live, inode));
        CHECK(!inode->durable_parent || names_hold(&inode->durable_parent->durable, inode));
        names_check(inode, &inode->live, false);
        names_check(inode, &inode->durable, true);
        if (!inode->is_directory) contents_check(inode);
        CHECK(inode == disk->root || inode->parent || inode->durable_parent || inode->handles ||
              inode->references);
        CHECK(inode->counted == (!inode->is_directory && (inode->parent || inode->handles)));
        used += inode->counted ? inode->size : 0;

        uint32_t references = 0, handles = 0;
        for (uint32_t i = 0; i < disk->dirops_count; i++) {
            const struct dirop *op = &disk->dirops[i];
            references += (op->inode == inode) + (op->replaced == inode) +
                          (op->from_dir == inode) + (op->to_dir == inode);
        }
        for (uint32_t i = 0; i < disk->syncs_count; i++)
            references += disk->syncs[i].inode == inode;
        for (struct disk_file *file = disk->files; file; file = file->next)
            handles += file->inode == inode;
        CHECK(references == inode->references && handles == inode->handles); /* I4 */

        for (uint64_t page = 0; page < inode->page_slots_count; page++)
            if (inode->page_slots[page]) {
                const struct cached_page *cached = &disk->pages[inode->page_slots[page]];
                CHECK(cached->inode == inode && cached->page == page);
                resident++;
            }
    }
    CHECK(used == disk->used && resident == disk->pages_resident);
    CHECK(resident <= (uint64_t)disk->config.cache_bytes / PAGE_SIZE);
    for (uint32_t i = 1; i < disk->dirops_count; i++)
        CHECK(disk->dirops[i - 1].stamp < disk->dirops[i].stamp ||
              (disk->dirops[i - 1].stamp == disk->dirops[i].stamp &&
               disk->dirops[i - 1].sequence < disk->dirops[i].sequence));
    for (uint32_t i = 1; i < disk->syncs_count; i++)
        CHECK(disk->syncs[i - 1].stamp <= disk->syncs[i].stamp);
}
