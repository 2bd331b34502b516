/* A vfs in front of another: counts bytes, operations and syncs by purpose, and tells a watcher
 * when a call goes down and comes back.
 *
 *     struct counting_vfs counting;
 *     counting_vfs_init(&counting, inner, &allocator_system);
 *     host.vfs = &counting.base;
 *     ... counting.counters.write_bytes[VFS_LOG] ...
 *
 * The struct is the caller's, `inner` is borrowed. Calls that fail are not counted. Files must
 * be closed before the struct goes.
 */
#ifndef FAULTLINE_ENGINES_STORAGE_COUNTING_VFS_H
#define FAULTLINE_ENGINES_STORAGE_COUNTING_VFS_H

#include "engines/storage/vfs.h"

struct vfs_counters {
    uint64_t reads[VFS_PURPOSES], writes[VFS_PURPOSES], syncs[VFS_PURPOSES]; /* calls */
    uint64_t read_bytes[VFS_PURPOSES], write_bytes[VFS_PURPOSES];
    uint64_t name_calls; /* open, close, truncate, size, rename, unlink, mkdir, list */
};

struct counting_vfs {
    struct vfs base;
    struct vfs *inner;
    const struct allocator *allocator;
    struct vfs_counters counters; /* may be set back to zero at any time */
    void (*enter)(void *context); /* before a call of `inner`; NULL: nobody watches */
    void (*leave)(void *context); /* after it */
    void *context;
};

void counting_vfs_init(struct counting_vfs *counting, struct vfs *inner,
                       const struct allocator *allocator);

extern const char
    *const vfs_purpose_words[]; /* "log", "flush", ... NULL: VFS_PURPOSES of them */
uint64_t vfs_count_sum(const uint64_t counts[VFS_PURPOSES]);

#endif
