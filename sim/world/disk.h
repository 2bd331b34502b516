/* The simulated disk of a node: a vfs with costs, durability rules, faults and accounting
 * (DESIGN 5).
 *
 * Every call takes place at a *cursor*: the caller sets it with disk_begin() before handing the
 * vfs to engine code and reads the moved cursor afterwards. Effects are stamped with the time
 * at which they complete, which may lie in the future of the kernel's clock: the code of a
 * handler runs atomically in memory while its I/O takes virtual time. disk_settle(now) makes
 * effects stamped before `now` real; a stop at time c first settles to c and then takes back
 * all effects stamped at or after c. So a test that stops right after its last call, to keep
 * it, stops at disk_cursor() + 1. A stop earlier than what was settled is one at that time.
 *
 * Calls may interleave lanes with different cursors; two lanes that touch the same file or name
 * wait for each other, so stamps rise along a file and along a name.
 *
 *     disk_begin(disk, cursor_ns);   // foreground, background or read lane: one at a time
 *     ... engine calls on disk_vfs(disk) ...
 *     cursor_ns = disk_end(disk);
 */
#ifndef FAULTLINE_SIM_WORLD_DISK_H
#define FAULTLINE_SIM_WORLD_DISK_H

#include "engines/options.h"
#include "engines/storage/vfs.h"
#include "sim/kernel/kernel.h"
#include "sim/kernel/random.h"

enum disk_power_mode {
    DISK_ALL_KEPT,
    DISK_ALL_LOST,
    DISK_PREFIX,
    DISK_SUBSET,
    DISK_TORN,
    DISK_STALE /* as subset, lost sectors inside the length keep old bytes */
};
enum disk_directory_mode { DISK_DIR_ORDERED, DISK_DIR_POSIX };
extern const char *const disk_power_mode_words[]; /* "all_kept", ... NULL */
extern const char *const disk_directory_mode_words[];

struct disk_config {
    /* ns an operation; the bandwidth comes on top */
    struct dist read_latency, write_latency, sync_latency;
    int64_t read_bytes_per_s, write_bytes_per_s; /* 0: unlimited */
    int64_t queue_depth;                         /* operations served in parallel */
    int64_t cache_bytes;                  /* page cache; a read that hits costs cache_hit_ns */
    int64_t cache_hit_ns, cache_write_ns; /* a call that finds its bytes in the cache, a
                                             buffered write; copying comes on top, and the
                                             device is charged at sync */
    int64_t copy_read_bytes_per_s,
        copy_write_bytes_per_s; /* out of and into the cache; 0: free */
    int64_t new_page_ns; /* more of a write that brings pages into the cache, once a call */
    struct dist sync_metadata; /* ns more of a sync that commits metadata too: the file's length
                                  has changed, or it is a directory's */
    int64_t name_ns;           /* create, rename, unlink, mkdir: in memory, before any sync */
    int64_t grow_bytes_per_s; /* a sync finds blocks for bytes behind the old end; 0: at once */
    int64_t free_bytes_per_s; /* unlink and truncate give back pages and blocks; 0: at once */
    int64_t capacity_bytes;   /* 0: unlimited; beyond: -ENOSPC */
    enum disk_power_mode power_mode; /* what power_off does unless the action names another */
    enum disk_directory_mode directory_mode;
};

struct disk_preset {
    const char *name, *doc, *source;
    struct disk_config config;
};
/* nvme_dc ssd_plp ssd_consumer hdd cloud; name NULL ends. */
extern const struct disk_preset disk_presets[];
const struct disk_preset *disk_preset_find(const char *name);

enum disk_fault_kind {
    DISK_READ_ERROR,
    DISK_WRITE_ERROR,
    DISK_SYNC_ERROR,
    DISK_BIT_ROT,
    DISK_MISDIRECTED_WRITE,
    DISK_FULL,
    DISK_SLOW,
    DISK_STALL,
    DISK_LYING_SYNC
};

struct disk_fault {
    enum disk_fault_kind kind;
    const char *path;      /* files whose path contains this; NULL: any */
    uint64_t offset, size; /* range of READ_ERROR and BIT_ROT; size 0: from offset to the end */
    int64_t count;         /* how many operations it hits; 0: until removed */
    int64_t after;         /* skips so many matching operations first (n-th sync: n - 1) */
    int64_t factor_millionths; /* SLOW: 10x = 10,000,000 */
    int64_t bytes;             /* FULL: quota left */
    int64_t until_ns; /* STALL: the device begins nothing before this true time; 0: each
                         operation it hits takes 30 s longer */
};

struct disk_counters {
    uint64_t reads[VFS_PURPOSES], writes[VFS_PURPOSES], syncs[VFS_PURPOSES];
    uint64_t read_bytes[VFS_PURPOSES], write_bytes[VFS_PURPOSES];
    uint64_t cache_hits, cache_misses;
    uint64_t lost_bytes, lost_operations; /* by power loss, wipe and eviction: done and then
                                             gone (what a stop takes back was never done) */
    uint64_t fault_effects;               /* all faults together */
    int64_t busy_ns;                      /* device time used */
};

struct disk;

/* A bare disk needs no kernel: time comes in with every call. name keys the random stream. */
struct disk *disk_create(const struct disk_config *config, uint64_t seed, const char *name,
                         struct draw_log *log);
void disk_destroy(struct disk *disk);
struct vfs *disk_vfs(struct disk *disk);

void disk_begin(struct disk *disk, int64_t cursor_ns);
int64_t disk_end(struct disk *disk); /* the cursor after the calls; >= the one given */
int64_t disk_cursor(const struct disk *disk);
/* charge() moves it too; never back. */
void disk_set_cursor(struct disk *disk, int64_t cursor_ns);
void disk_settle(struct disk *disk, int64_t now_ns);
/* While on, reads are looks from outside: they cost and draw nothing, leave cache, counters and
 * cut points alone, and meet no fault. To change anything is a CHECK. */
void disk_look(struct disk *disk, bool on);

/* ---- stops: settle to `now`, take back later effects, then ---- */
/* Process death: unsynced writes stay readable; open handles are gone. */
void disk_crash(struct disk *disk, int64_t now_ns);
/* The durability rule; cache empty. */
void disk_power_off(struct disk *disk, int64_t now_ns, enum disk_power_mode mode);
void disk_wipe(struct disk *disk, int64_t now_ns);
/* No stop: shifts effects stamped at or after from_ns by the length. */
void disk_pause(struct disk *disk, int64_t from_ns, int64_t length_ns);
/* No stop: page cache cold but for dirty pages; pages of failed syncs are gone. Returns the
 * number of pages evicted. */
uint64_t disk_evict(struct disk *disk, int64_t now_ns);

/* ---- faults: apply to calls that begin after they are set ---- */
uint32_t disk_fault_add(struct disk *disk, const struct disk_fault *fault); /* id */
void disk_fault_remove(struct disk *disk, uint32_t id);
uint64_t disk_fault_effects(const struct disk *disk, uint32_t id); /* also after removal */

const struct disk_counters *disk_counters(const struct disk *disk);
uint64_t disk_used_bytes(const struct disk *disk);
/* Vfs calls made so far (all kinds): the cut points of the crash tests. */
uint64_t disk_operations(const struct disk *disk);
/* Crash tests: from now on, the n-th further vfs call (1 = the next) and all after it fail with
 * -EIO without effect and set disk_cut_reached. 0: off. */
void disk_cut_after(struct disk *disk, uint64_t operations);
bool disk_cut_reached(const struct disk *disk);
/* Crash tests: fails exactly the n-th further vfs call with `error` (negative errno), for the
 * do_ioerr_test loop. */
void disk_fail_nth(struct disk *disk, uint64_t operations, int error);

/* Order-independent hash of all file contents as readable now: equal disks, equal hash. */
uint64_t disk_hash(struct disk *disk);
/* Validates the whole object (invariants I1 to I5 of disk.c): a violation is a CHECK. For
 * tests, after every mutation. */
void disk_check(struct disk *disk);

#endif
