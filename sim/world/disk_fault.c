/* What may go wrong with the simulated disk, and the count of what did.
 *
 * A fault is a rule: a kind, files it concerns, how many matching operations it passes over
 * (`after`) and hits (`count`). Faults of the medium are met at once: the pages they concern
 * count as evicted, or a long-running node with everything in its cache would never notice.
 *
 *   READ_ERROR         latent sector errors: reads of sectors in the range fail until these
 *                      are written again. Sectors that were dirty when the fault was set, and
 *                      whatever is written later, are good.
 *   BIT_ROT            flips `count` (0: one) bits of what is at rest in the range, not of
 *                      what is still to be written. When nothing is there yet, it waits for
 *                      the first read after something is.
 *   MISDIRECTED_WRITE  at the sync that carries it, the write lands at another sector of the
 *                      same file; its own place keeps the device's old bytes.
 *   SYNC_ERROR         disk_file.c. A failed sync_dir leaves the names pending.
 *   LYING_SYNC         reports success and makes nothing durable; counts only where something
 *                      was pending.
 */
#include "sim/world/disk_internal.h"

#include <errno.h>
#include <stdlib.h>

#include "sim/kernel/arena.h"
#include "sim/kernel/check.h"

/* A stalled operation without `until`: the SCSI command timeout of Linux. */
#define STALL_NS (30 * NS_PER_S)
#define ROT_DRAWS 64 /* tries to find a byte at rest */

static bool fault_matches(const struct disk *disk, const struct active_fault *active,
                          enum disk_fault_kind kind, const struct inode *inode)
{
    if (active->removed || active->fault.kind != kind) return false;
    if (!active->fault.path) return true;
    char path[PATH_SIZE_MAX];
    return strstr(inode_path(disk, inode, path), active->fault.path) != NULL;
}

static bool fault_spent(const struct active_fault *active)
{
    return active->fault.count && active->hits >= active->fault.count;
}

/* It matches: does it hit? */
static bool fault_takes(struct active_fault *active)
{
    if (fault_spent(active)) return false;
    if (active->skipped < active->fault.after) {
        active->skipped++;
        return false;
    }
    active->hits++;
    return true;
}

struct active_fault *fault_hit(struct disk *disk, enum disk_fault_kind kind,
                               const struct inode *inode)
{
    if (disk->faults_active)
        for (uint32_t i = 0; i < disk->faults_count; i++)
            if (fault_matches(disk, &disk->faults[i], kind, inode) &&
                fault_takes(&disk->faults[i]))
                return &disk->faults[i];
    return NULL;
}

void fault_effect(struct disk *disk, struct active_fault *fault, uint64_t effects)
{
    fault->effects += effects;
    disk->counters.fault_effects += effects;
}

void fault_effect_id(struct disk *disk, uint32_t id)
{
    if (id) fault_effect(disk, &disk->faults[id - 1], 1);
}

/* ---- slow and stalled ---- */

static int64_t scale(int64_t ns, int64_t factor_millionths)
{
    __int128 scaled = (__int128)ns * factor_millionths / 1000000;
    return scaled > VTIME_MAX / 4 ? VTIME_MAX / 4 : (int64_t)scaled;
}

void fault_slow(struct disk *disk, const struct inode *inode, int64_t *access,
                int64_t *transfer)
{
    struct active_fault *slow = fault_hit(disk, DISK_SLOW, inode);
    if (!slow) return;
    *access = scale(*access, slow->fault.factor_millionths);
    *transfer = scale(*transfer, slow->fault.factor_millionths);
    fault_effect(disk, slow, 1);
}

void fault_stall(struct disk *disk, const struct inode *inode, int64_t *at, int64_t *access)
{
    for (uint32_t i = 0; i < disk->faults_count; i++) {
        struct active_fault *stall = &disk->faults[i];
        if (!fault_matches(disk, stall, DISK_STALL, inode)) continue;
        if (stall->fault.until_ns && *at >= stall->fault.until_ns) continue;
        if (!fault_takes(stall)) continue;
        if (stall->fault.until_ns)
            *at = stall->fault.until_ns;
        else
            *access += STALL_NS;
        fault_effect(disk, stall, 1);
    }
}

/* ---- latent sector errors ---- */

static void heal(struct active_fault *active, const struct inode *inode, uint64_t from,
                 uint64_t to)
{
    if (from >= to) return;
    for (uint32_t i = active->healed_count; i-- > 0;) {
        struct healed *last = &active->healed[i];
        if (last->inode_id == inode->id && from <= last->to && to >= last->from) {
            last->from = min_u64(last->from, from);
            last->to = max_u64(last->to, to);
            return;
        }
    }
    GROW(active->healed, active->healed_count, active->healed_capacity);
    active->healed[active->healed_count++] = (struct healed){inode->id, from, to};
}

/* Sectors of which every byte inside the file is written are good again; the space that a write
 * leaves open was never on a bad sector. */
void fault_heal(struct disk *disk, const struct inode *inode, uint64_t offset, uint64_t size)
{
    if (!disk->faults_active) return;
    uint64_t end = offset + size;
    uint64_t from =
        (min_u64(offset, inode->size) + SECTOR_SIZE - 1) / SECTOR_SIZE * SECTOR_SIZE;
    uint64_t to = end >= inode->size ? (end + SECTOR_SIZE - 1) / SECTOR_SIZE * SECTOR_SIZE
                                     : end / SECTOR_SIZE * SECTOR_SIZE;
    for (uint32_t i = 0; i < disk->faults_count; i++)
        if (!disk->faults[i].removed && disk->faults[i].fault.kind == DISK_READ_ERROR)
            heal(&disk->faults[i], inode, from, to);
}

static uint64_t range_end(const struct disk_fault *fault)
{
    return fault->size && fault->offset + fault->size > fault->offset
               ? fault->offset + fault->size
               : UINT64_MAX;
}

/* Does a read of [from, to), whole sectors, meet one that was not written since? */
static bool range_is_bad(const struct active_fault *active, const struct inode *inode,
                         uint64_t from, uint64_t to)
{
    while (from < to) {
        uint64_t good_to = from;
        for (uint32_t i = 0; i < active->healed_count; i++)
            if (active->healed[i].inode_id == inode->id && active->healed[i].from <= from)
                good_to = max_u64(good_to, active->healed[i].to);
        if (good_to == from) return true;
        from = good_to;
    }
    return false;
}

struct active_fault *fault_read(struct disk *disk, const struct inode *inode, uint64_t offset,
                                uint64_t size)
{
    for (uint32_t i = 0; disk->faults_active && i < disk->faults_count; i++) {
        struct active_fault *active = &disk->faults[i];
        uint64_t bad_from = active->fault.offset / SECTOR_SIZE * SECTOR_SIZE,
                 bad_to = range_end(&active->fault);
        uint64_t from = max_u64(offset / SECTOR_SIZE * SECTOR_SIZE, bad_from),
                 to = min_u64(offset + size, bad_to);
        if (from < to && fault_matches(disk, active, DISK_READ_ERROR, inode) &&
            range_is_bad(active, inode, from, to) && fault_takes(active))
            return active;
    }
    return NULL;
}

/* ---- bit rot ---- */

static bool byte_is_at_rest(const struct inode *inode, uint64_t offset)
{
    for (uint32_t i = 0; i < inode->records_count; i++) {
        const struct record *record = &inode->records[i];
        bool touched = offset >= record->offset && offset - record->offset < record->size;
        bool beyond =
            record->size &&
            offset >= record->size_before; /* in space that a pending write leaves open */
        if (touched || beyond) return false;
    }
    for (uint32_t i = 0; i < inode->failed_count; i++)
        if (inode->failed[i].page == offset / PAGE_SIZE) return false;
    return true;
}

static uint64_t rot_room(const struct disk *disk, const struct active_fault *rot,
                         const struct inode *inode)
{
    if (inode->is_directory || !inode->parent || !fault_matches(disk, rot, DISK_BIT_ROT, inode))
        return 0;
    uint64_t end = min_u64(inode->size, range_end(&rot->fault));
    return end > rot->fault.offset ? end - rot->fault.offset : 0;
}

/* Flips one bit of a byte at rest in the range, all of them equally likely: false when none was
 * found. */
static bool rot_once(struct disk *disk, struct active_fault *rot)
{
    uint64_t room = 0;
    for (const struct inode *inode = disk->inodes; inode; inode = inode->next)
        room += rot_room(disk, rot, inode);
    for (int draw = 0; room && draw < ROT_DRAWS; draw++) {
        uint64_t at = rng_below(&disk->fault_rng, room);
        struct inode *inode = disk->inodes;
        for (uint64_t here; at >= (here = rot_room(disk, rot, inode)); inode = inode->next)
            at -= here;
        at += rot->fault.offset;
        if (!byte_is_at_rest(inode, at)) continue;
        uint64_t bit = rng_below(&disk->fault_rng, 8);
        inode->data[at] ^= (unsigned char)(1u << bit);
        cache_drop(disk, inode, at / PAGE_SIZE, at / PAGE_SIZE + 1);
        fault_effect(disk, rot, 1);
        return true;
    }
    return false;
}

static void rot_now(struct disk *disk, struct active_fault *rot)
{
    while (rot->hits < (rot->fault.count ? rot->fault.count : 1) && rot_once(disk, rot))
        rot->hits++;
}

/* A read is about to happen: rot that waited may have something to eat now. */
void fault_rot(struct disk *disk)
{
    for (uint32_t i = 0; i < disk->faults_count; i++) {
        struct active_fault *rot = &disk->faults[i];
        if (rot->removed || rot->fault.kind != DISK_BIT_ROT) continue;
        if (rot->skipped < rot->fault.after)
            rot->skipped++;
        else
            rot_now(disk, rot);
    }
}

/* ---- space ---- */

int fault_space(struct disk *disk, const struct inode *inode, uint64_t more)
{
    if (!more) return 0;
    if (disk->config.capacity_bytes &&
        disk->used + more > (uint64_t)disk->config.capacity_bytes)
        return -ENOSPC;
    for (uint32_t i = 0; disk->faults_active && i < disk->faults_count; i++) {
        struct active_fault *full = &disk->faults[i];
        if (disk->used + more > full->quota && fault_matches(disk, full, DISK_FULL, inode) &&
            fault_takes(full)) {
            fault_effect(disk, full, 1);
            return -ENOSPC;
        }
    }
    return 0;
}

/* ---- the list ---- */

uint32_t disk_fault_add(struct disk *disk, const struct disk_fault *fault)
{
    CHECK(fault->count >= 0 && fault->after >= 0);
    GROW(disk->faults, disk->faults_count, disk->faults_capacity);
    struct active_fault *active = &disk->faults[disk->faults_count++];
    *active = (struct active_fault){.fault = *fault, .id = disk->faults_count};
    active->fault.path = fault->path ? xstrdup(fault->path) : NULL;
    disk->faults_active++;
    if (fault->kind == DISK_FULL)
        active->quota = disk->used + (uint64_t)max_i64(fault->bytes, 0);
    /* What is dirty now is in memory and will be written to good sectors. */
    for (struct inode *inode = disk->inodes; inode && fault->kind == DISK_READ_ERROR;
         inode = inode->next)
        for (uint32_t i = 0; i < inode->records_count; i++) {
            uint64_t from = inode->records[i].offset / SECTOR_SIZE * SECTOR_SIZE,
                     end = inode->records[i].offset + inode->records[i].size;
            heal(active, inode, from, (end + SECTOR_SIZE - 1) / SECTOR_SIZE * SECTOR_SIZE);
        }
    if (fault->kind == DISK_BIT_ROT && !fault->after) rot_now(disk, active);
    return active->id;
}

void disk_fault_remove(struct disk *disk, uint32_t id)
{
    if (id == 0 || id > disk->faults_count || disk->faults[id - 1].removed) return;
    disk->faults[id - 1].removed = true;
    disk->faults_active--;
}

uint64_t disk_fault_effects(const struct disk *disk, uint32_t id)
{
    return id && id <= disk->faults_count ? disk->faults[id - 1].effects : 0;
}
