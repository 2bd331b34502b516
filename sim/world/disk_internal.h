/* What the files of the simulated disk share. Nobody else includes this; the contract is
 * disk.h, the design is the essay of disk.c. */
#ifndef FAULTLINE_SIM_WORLD_DISK_INTERNAL_H
#define FAULTLINE_SIM_WORLD_DISK_INTERNAL_H

#include "sim/world/disk.h"

#define SECTOR_SIZE 512u                  /* what the device writes whole or not at all */
#define PAGE_SIZE 4096u                   /* what the page cache holds and loses */
#define FILE_SIZE_MAX (UINT64_C(1) << 36) /* 64 GiB: a file's bytes stand in memory */
#define NAME_SIZE_MAX 255u /* of one path component, as on every Linux file system */
#define PATH_SIZE_MAX 4096u

/* ---- names ---- */

struct entry {
    char *name; /* owned */
    struct inode *inode;
};

/* A directory's names in byte order. */
struct entries {
    struct entry *items;
    uint32_t count, capacity;
};

enum dirop_kind { DIROP_CREATE, DIROP_UNLINK, DIROP_RENAME };

/* A change of names that no completed sync_dir covers yet. */
struct dirop {
    int64_t stamp;     /* ns; when it takes effect */
    uint64_t sequence; /* order among equal stamps */
    enum dirop_kind kind;
    struct inode *from_dir; /* RENAME: the name it leaves */
    char *from_name;
    struct inode *to_dir; /* the name it sets (CREATE, RENAME) or clears (UNLINK) */
    char *to_name;
    struct inode *inode;    /* whose name it is */
    struct inode *replaced; /* RENAME: who had the name before; NULL: nobody */
};

/* ---- contents ---- */

enum record_kind {
    RECORD_WRITE,
    RECORD_RESIZE,      /* truncate, either way */
    RECORD_REDIRTY,     /* a page of a failed sync is dirtied again: it will be written */
    RECORD_SYNC,        /* completes: all before it is durable */
    RECORD_SYNC_FAILED, /* completes: all before it is clean in the cache, not on the device */
};

/* One effect on a file, kept until it is durable. `old` undoes it; `redo` does it again while
 * it is swapped out. */
struct record {
    int64_t stamp;     /* ns; rises along a file's records (I2) */
    uint64_t sequence; /* order among equal stamps of the disk */
    enum record_kind kind;
    bool misdirected;                 /* WRITE: the device will put it elsewhere */
    bool grown;                       /* RESIZE upwards: touches no sector */
    uint32_t fault;                   /* misdirected: whose effect it is */
    uint64_t offset, size;            /* the bytes it changes */
    uint64_t size_before, size_after; /* the file's length around it */
    uint64_t old_size;                /* how many of its bytes lay inside the file before */
    unsigned char *old;               /* these; NULL when none */
    unsigned char *redo; /* its `size` bytes while swapped out; NULL: zeros, or not out */
};

/* A page whose contents are in the cache only: what the device holds instead. */
struct failed_page {
    uint64_t page;
    unsigned char *device; /* PAGE_SIZE bytes */
};

struct inode {
    uint64_t id;                   /* in order of creation, never used twice */
    struct inode *next, *previous; /* all inodes, in order of id */
    bool is_directory;
    bool counted;                 /* its size is part of disk->used */
    uint32_t handles;             /* open files on it */
    uint32_t references;          /* pending directory operations that name it */
    struct inode *parent;         /* its place as seen now; NULL: unlinked, or the root */
    struct inode *durable_parent; /* its place on the device; NULL: none, or the root */
    int64_t stamp; /* ns; the latest effect on it: later ones are not earlier (I2) */

    unsigned char *data; /* file: contents as read now; zero between size and capacity (I1) */
    uint64_t size, capacity;
    struct record *records; /* effects that are not durable yet, oldest first */
    uint32_t records_count, records_capacity;
    uint32_t records_dirty;     /* how many of them, from the end, came after the last sync */
    struct failed_page *failed; /* in order of page */
    uint32_t failed_count, failed_capacity;
    uint32_t error_sequence; /* failed syncs so far: every open file reports each change once */
    uint32_t error_fault;    /* the fault behind the last of them */
    uint32_t *page_slots;    /* page -> slot of the page cache; 0: not resident */
    uint64_t page_slots_count;

    struct entries live, durable; /* directory: names as seen now, and on the device */
};

struct disk_file {
    struct vfs_file base;
    struct disk *disk;
    struct inode *inode;
    bool writable;
    uint32_t error_seen; /* of inode->error_sequence */
    struct disk_file *next, *previous;
};

/* A sync whose completion is still to come, or not yet settled. */
struct sync_item {
    int64_t stamp, start; /* ns; a directory sync covers what took effect up to its start */
    uint64_t sequence;
    struct inode *inode; /* a file (its RECORD_SYNC) or a directory */
};

/* ---- device ---- */

#define SLOT_INTERVALS 16u /* reservations kept apart a slot; the oldest are merged beyond */

struct interval {
    int64_t start, end;
};

/* One place in the device's queue, or a bus: when it is busy. */
struct slot {
    uint32_t count;
    struct interval busy[SLOT_INTERVALS]; /* in order, apart */
};

struct cached_page {
    struct inode *inode;
    uint64_t page;
    uint32_t newer, older; /* least recently used order; slot 0 is the ring's anchor */
};

/* ---- faults ---- */

struct healed {
    uint64_t inode_id, from, to;
};

struct active_fault {
    struct disk_fault fault; /* path owned */
    uint32_t id;
    bool removed;
    int64_t skipped, hits; /* operations passed over, operations hit */
    uint64_t effects;
    uint64_t quota;        /* FULL: used bytes at most */
    struct healed *healed; /* READ_ERROR: sectors written since */
    uint32_t healed_count, healed_capacity;
};

struct disk {
    struct vfs vfs; /* first: disk_vfs() */
    struct disk_config config;
    struct rng latency_rng, fault_rng, power_rng;
    struct inode *root, *inodes, *inodes_last;
    uint64_t inode_id_next, sequence_next;
    struct disk_file *files; /* open, newest first */
    bool active;             /* between begin and end */
    bool looking;            /* reads are free: see disk_look */
    int64_t cursor, settled; /* ns */
    uint64_t used;           /* bytes of files that have a name or are open */
    unsigned char *stale;    /* what the last freed file held */
    uint64_t stale_size;

    struct dirop *dirops; /* pending, in order of (stamp, sequence) */
    uint32_t dirops_count, dirops_capacity;
    struct sync_item *syncs; /* not settled, in order of (stamp, sequence) */
    uint32_t syncs_count, syncs_capacity;

    struct slot *slots, read_bus, write_bus;
    uint32_t slots_count, slots_capacity;
    struct cached_page *pages;                        /* [0] is the anchor */
    uint32_t pages_count, pages_capacity, pages_free; /* free: chained by `older` */
    uint64_t pages_resident;

    struct active_fault *faults;
    uint32_t faults_count, faults_capacity, faults_active;
    struct disk_counters counters;
    uint64_t operations, cut_at, fail_at;
    int fail_error;
    bool cut_reached;
};

/* Makes room for one more in a growable array of the simulator. */
#define GROW(array, count, capacity)                                                           \
    do {                                                                                       \
        if ((count) == (capacity)) {                                                           \
            (capacity) = (capacity) ? (capacity)*2 : 4;                                        \
            (array) = xrealloc((array), (size_t)(capacity) * sizeof *(array));                 \
        }                                                                                      \
    } while (0)

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline int64_t max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* ---- disk_file.c: contents, records, what a sync makes durable ---- */
struct inode *inode_create(struct disk *disk, bool is_directory);
void inode_free(struct disk *disk, struct inode *inode);
/* Counts or uncounts its space, frees it when nothing can reach it any more. */
void inode_review(struct disk *disk, struct inode *inode);
void file_set_size(struct disk *disk, struct inode *inode, uint64_t size);
void file_reserve(struct inode *inode, uint64_t size);
struct record *file_write(struct disk *disk, struct inode *inode, uint64_t offset,
                          struct bytes data, int64_t stamp);
void file_resize(struct disk *disk, struct inode *inode, uint64_t size, int64_t stamp);
void file_sync(struct disk *disk, struct inode *inode, int64_t start, int64_t stamp,
               bool failed);
/* The sync at the head of the file's syncs has completed. */
void file_sync_settle(struct disk *disk, struct inode *inode, uint64_t sequence);
void file_take_back(struct disk *disk, struct inode *inode, int64_t from);
void file_records_drop(struct inode *inode, uint32_t count); /* the oldest `count` */
void record_swap_out(struct disk *disk, struct inode *inode, struct record *record);
void record_swap_in(struct disk *disk, struct inode *inode, struct record *record);
void record_deinit(struct record *record);
/* Pages of failed syncs go back to what the device holds: all, or one. */
void file_forget_failed(struct disk *disk, struct inode *inode);
void file_forget_failed_page(struct disk *disk, struct inode *inode, uint64_t page);

/* ---- disk_dir.c: names ---- */
struct inode *entries_find(const struct entries *entries, const char *name);
/* NULL clears. */
void entries_set(struct entries *entries, const char *name, struct inode *inode);
void entries_deinit(struct entries *entries);
/* Walks a path: 0 with the directory that holds its last component and that component (inside
 * path), or -errno. */
int path_resolve(struct disk *disk, const char *path, struct inode **dir, const char **name);
/* Path of a directory itself, "" and "." being the root. */
int path_directory(struct disk *disk, const char *path, struct inode **dir);
/* Where an inode is seen now; "" for the root and for what has no name. Returns out. */
const char *inode_path(const struct disk *disk, const struct inode *inode,
                       char out[PATH_SIZE_MAX]);
/* The earliest time from `cursor` on at which the name may change (I2). */
int64_t dir_stamp(const struct disk *disk, const struct inode *dir, const char *name,
                  int64_t cursor);
void dir_create(struct disk *disk, struct inode *dir, const char *name, struct inode *inode,
                int64_t stamp);
void dir_unlink(struct disk *disk, struct inode *dir, const char *name, int64_t stamp);
void dir_rename(struct disk *disk, struct inode *from_dir, const char *from_name,
                struct inode *to_dir, const char *to_name, int64_t stamp);
void dir_sync_settle(struct disk *disk, const struct sync_item *item);
void dir_take_back(struct disk *disk, int64_t from);
/* Applies a pending operation to the device's names; it stays on the list. */
void dirop_apply(struct disk *disk, const struct dirop *op);
/* Removes those whose flag is set. */
void dirops_remove(struct disk *disk, const bool *remove);
/* What is seen becomes what the device holds; what cannot be reached is freed. */
void dir_adopt_durable(struct disk *disk);
void sync_item_add(struct disk *disk, struct inode *inode, int64_t start, int64_t stamp,
                   uint64_t sequence);

/* ---- disk_power.c ---- */
void power_lose(struct disk *disk, enum disk_power_mode mode);

/* ---- disk_device.c: what operations cost, the page cache ---- */
int64_t device_read(struct disk *disk, struct inode *inode, uint64_t offset, uint64_t size,
                    int64_t at);
int64_t device_read_fails(struct disk *disk, const struct inode *inode, int64_t at);
int64_t device_sync(struct disk *disk, struct inode *inode, int64_t at);
/* A change of names that leaves `inode` (NULL: nobody) without one. */
int64_t device_name_ns(const struct disk *disk, const struct inode *gone);
/* Time to move bytes, rounded down; a rate of 0 takes none. */
int64_t device_move_ns(uint64_t bytes, int64_t bytes_per_s);
void device_stop(struct disk *disk, int64_t now);
void device_pause(struct disk *disk, int64_t from, int64_t length);
/* Time after the pages that a write touches are in the cache (a partial page that is not there
 * is read first). */
int64_t cache_write(struct disk *disk, struct inode *inode, uint64_t offset, uint64_t size,
                    int64_t at);
void cache_drop(struct disk *disk, struct inode *inode, uint64_t page_from, uint64_t page_to);
void cache_clear(struct disk *disk);
void cache_touch(struct disk *disk, struct inode *inode, uint64_t page);

/* ---- disk_fault.c ---- */
/* The first active fault of a kind that hits this operation on the inode (or NULL); counts
 * `after` and `count`. */
struct active_fault *fault_hit(struct disk *disk, enum disk_fault_kind kind,
                               const struct inode *inode);
void fault_effect(struct disk *disk, struct active_fault *fault, uint64_t effects);
void fault_effect_id(struct disk *disk, uint32_t id);
void fault_slow(struct disk *disk, const struct inode *inode, int64_t *access,
                int64_t *transfer);
void fault_stall(struct disk *disk, const struct inode *inode, int64_t *at, int64_t *access);
/* A latent sector error under these bytes. */
struct active_fault *fault_read(struct disk *disk, const struct inode *inode, uint64_t offset,
                                uint64_t size);
void fault_heal(struct disk *disk, const struct inode *inode, uint64_t offset, uint64_t size);
void fault_rot(struct disk *disk);
/* 0, or -ENOSPC when `more` bytes do not fit. */
int fault_space(struct disk *disk, const struct inode *inode, uint64_t more);

extern const struct vfs_ops disk_vfs_ops;

#endif
