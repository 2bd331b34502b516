/* The only world that a storage engine sees: a small file system with blocking calls.
 *
 * Two implementations: posix_vfs (real files below a root directory) and the simulated disk of
 * sim/world. Paths are relative to the root, components separated by '/', never "..". The root
 * itself is "". All calls return 0 (or a count) or a negative errno; out-parameters are
 * untouched on error.
 *
 * Durability contract (what an engine may rely on, no more):
 *   - write, truncate: volatile until vfs_sync of that file returns 0. 512-byte sectors are
 *     atomic, anything larger may tear.
 *   - create, rename, unlink, mkdir: volatile until vfs_sync_dir of the directory returns 0; a
 *     rename is old or new, never both or neither.
 *   - a failed sync is reported once; what it covered is lost or not, unknown: the only safe
 *     answer is to stop (host.check_failed is wrong for it; return the error).
 */
#ifndef FAULTLINE_ENGINES_STORAGE_VFS_H
#define FAULTLINE_ENGINES_STORAGE_VFS_H

#include <stdbool.h>
#include <stdint.h>

#include "engines/bytes.h"

/* What a disk operation is for: amplification is measured by it. */
enum vfs_purpose {
    VFS_LOG,
    VFS_FLUSH,
    VFS_COMPACTION,
    VFS_USER_READ,
    VFS_RECOVERY,
    VFS_REPAIR,
    VFS_META,
    VFS_PURPOSES
};

enum vfs_open_flags {
    VFS_READ = 0,
    VFS_WRITE = 1,
    VFS_CREATE = 2,
    VFS_EXCLUSIVE = 4,
    VFS_TRUNCATE = 8
};

struct vfs;
struct vfs_file;

typedef int vfs_list_fn(void *context, const char *name,
                        bool is_directory); /* non-zero stops and is returned */

struct vfs_ops {
    int (*open)(struct vfs *vfs, const char *path, uint32_t flags,
                struct vfs_file **out);  /* -ENOENT, -EEXIST, -EISDIR ... */
    int (*close)(struct vfs_file *file); /* does not sync; always frees */
    int64_t (*read)(
        struct vfs_file *file, uint64_t offset, void *data, size_t size,
        enum vfs_purpose purpose); /* bytes read, short only at the end; or -errno */
    int (*write)(struct vfs_file *file, uint64_t offset, struct bytes data,
                 enum vfs_purpose purpose); /* all or an error (-ENOSPC, -EIO); beyond the end
                                               leaves zeros */
    int (*truncate)(struct vfs_file *file, uint64_t size);
    int (*sync)(struct vfs_file *file, enum vfs_purpose purpose);
    int (*size)(struct vfs_file *file, uint64_t *size);
    int (*rename)(struct vfs *vfs, const char *from, const char *to); /* replaces `to` */
    int (*unlink)(struct vfs *vfs, const char *path);
    int (*mkdir)(struct vfs *vfs, const char *path); /* -EEXIST if it is there */
    int (*list)(struct vfs *vfs, const char *path, vfs_list_fn *each,
                void *context); /* in byte order of names */
    int (*sync_dir)(struct vfs *vfs, const char *path);
};

struct vfs {
    const struct vfs_ops *ops;
};
struct vfs_file {
    struct vfs *vfs;
};

static inline int vfs_open(struct vfs *v, const char *path, uint32_t flags,
                           struct vfs_file **out)
{
    return v->ops->open(v, path, flags, out);
}
static inline int vfs_close(struct vfs_file *f)
{
    return f->vfs->ops->close(f);
}
static inline int64_t vfs_read(struct vfs_file *f, uint64_t offset, void *data, size_t size,
                               enum vfs_purpose p)
{
    return f->vfs->ops->read(f, offset, data, size, p);
}
static inline int vfs_write(struct vfs_file *f, uint64_t offset, struct bytes data,
                            enum vfs_purpose p)
{
    return f->vfs->ops->write(f, offset, data, p);
}
static inline int vfs_truncate(struct vfs_file *f, uint64_t size)
{
    return f->vfs->ops->truncate(f, size);
}
static inline int vfs_sync(struct vfs_file *f, enum vfs_purpose p)
{
    return f->vfs->ops->sync(f, p);
}
static inline int vfs_size(struct vfs_file *f, uint64_t *size)
{
    return f->vfs->ops->size(f, size);
}
static inline int vfs_rename(struct vfs *v, const char *from, const char *to)
{
    return v->ops->rename(v, from, to);
}
static inline int vfs_unlink(struct vfs *v, const char *path)
{
    return v->ops->unlink(v, path);
}
static inline int vfs_mkdir(struct vfs *v, const char *path)
{
    return v->ops->mkdir(v, path);
}
static inline int vfs_list(struct vfs *v, const char *path, vfs_list_fn *each, void *context)
{
    return v->ops->list(v, path, each, context);
}
static inline int vfs_sync_dir(struct vfs *v, const char *path)
{
    return v->ops->sync_dir(v, path);
}

/* Real files below `root` (must exist). pread/pwrite/fdatasync; sync_dir is fsync of the
 * directory. */
int posix_vfs_create(const char *root, struct vfs **out);
void posix_vfs_destroy(struct vfs *vfs);
/* For engine_host.check_failed of a real program: prints the expression and its place, then
 * aborts. */
void posix_check_failed(void *context, const char *expression, const char *file, int line)
    __attribute__((noreturn));

#endif
