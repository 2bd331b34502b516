/* A vfs between an engine and its world: it counts calls by kind, notes what an engine leaves
 * open, and can break off one write half-way, which no simple "the call fails" does.
 *
 *     struct spy spy;
 *     spy_init(&spy, real);     engine on &spy.base
 *     spy.half_write_at = 7;    the 7th write from now stores its first half and fails
 *     spy_forget(&spy);         a crash: the handles are gone without a close
 */
#ifndef FAULTLINE_TESTS_ENGINES_SPY_H
#define FAULTLINE_TESTS_ENGINES_SPY_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engines/storage/vfs.h"

#define UNUSED __attribute__((unused))

enum spy_call {
    SPY_OPEN,
    SPY_READ,
    SPY_WRITE,
    SPY_TRUNCATE,
    SPY_SYNC,
    SPY_RENAME,
    SPY_UNLINK,
    SPY_MKDIR,
    SPY_LIST,
    SPY_SYNC_DIR,
    SPY_CALLS
};

struct spy_file {
    struct vfs_file base;
    struct vfs_file *real;
    struct spy_file *next, *previous; /* ring of open files */
};

struct spy {
    struct vfs base;
    struct vfs *real;
    uint64_t calls[SPY_CALLS];
    uint64_t writes[VFS_PURPOSES], written_bytes[VFS_PURPOSES];
    uint64_t open_files;
    struct spy_file files;  /* ring anchor */
    uint64_t half_write_at; /* counts down; 1: the next write; 0: off */
    int half_write_error;
    uint64_t fail_rename_at; /* counts down; 1: the next rename fails with -EIO; 0: off */
    bool is_rename_done;     /* ... and takes place all the same: who can know? */
    uint64_t failed_renames;
};

static inline struct spy *spy_of(struct vfs *v)
{
    return (struct spy *)v;
}
static inline struct vfs_file *spy_real(struct vfs_file *f)
{
    return ((struct spy_file *)f)->real;
}

static UNUSED int spy_open(struct vfs *v, const char *path, uint32_t flags,
                           struct vfs_file **out)
{
    struct spy *spy = spy_of(v);
    struct spy_file *f = malloc(sizeof(*f));
    spy->calls[SPY_OPEN]++;
    int err = vfs_open(spy->real, path, flags, &f->real);
    if (err) {
        free(f);
        return err;
    }
    f->base.vfs = v;
    f->next = spy->files.next;
    f->previous = &spy->files;
    f->next->previous = f->previous->next = f;
    spy->open_files++;
    *out = &f->base;
    return 0;
}

static UNUSED int spy_close(struct vfs_file *base)
{
    struct spy_file *f = (struct spy_file *)base;
    int err = vfs_close(f->real);
    f->next->previous = f->previous;
    f->previous->next = f->next;
    spy_of(base->vfs)->open_files--;
    free(f);
    return err;
}

static UNUSED int64_t spy_read(struct vfs_file *f, uint64_t offset, void *data, size_t size,
                               enum vfs_purpose p)
{
    spy_of(f->vfs)->calls[SPY_READ]++;
    return vfs_read(spy_real(f), offset, data, size, p);
}

static UNUSED int spy_write(struct vfs_file *f, uint64_t offset, struct bytes data,
                            enum vfs_purpose p)
{
    struct spy *spy = spy_of(f->vfs);
    spy->calls[SPY_WRITE]++;
    spy->writes[p]++;
    spy->written_bytes[p] += data.size;
    if (spy->half_write_at && --spy->half_write_at == 0) {
        int err = vfs_write(spy_real(f), offset, bytes_of(data.data, data.size / 2), p);
        return err ? err : spy->half_write_error;
    }
    return vfs_write(spy_real(f), offset, data, p);
}

static UNUSED int spy_truncate(struct vfs_file *f, uint64_t size)
{
    spy_of(f->vfs)->calls[SPY_TRUNCATE]++;
    return vfs_truncate(spy_real(f), size);
}

static UNUSED int spy_sync(struct vfs_file *f, enum vfs_purpose p)
{
    spy_of(f->vfs)->calls[SPY_SYNC]++;
    return vfs_sync(spy_real(f), p);
}

static UNUSED int spy_size(struct vfs_file *f, uint64_t *size)
{
    return vfs_size(spy_real(f), size);
}

static UNUSED int spy_rename(struct vfs *v, const char *from, const char *to)
{
    struct spy *spy = spy_of(v);
    spy->calls[SPY_RENAME]++;
    if (spy->fail_rename_at && --spy->fail_rename_at == 0) {
        int err = spy->is_rename_done ? vfs_rename(spy->real, from, to) : 0;
        spy->failed_renames++;
        return err ? err : -EIO;
    }
    return vfs_rename(spy->real, from, to);
}

static UNUSED int spy_unlink(struct vfs *v, const char *path)
{
    spy_of(v)->calls[SPY_UNLINK]++;
    return vfs_unlink(spy_of(v)->real, path);
}

static UNUSED int spy_mkdir(struct vfs *v, const char *path)
{
    spy_of(v)->calls[SPY_MKDIR]++;
    return vfs_mkdir(spy_of(v)->real, path);
}

static UNUSED int spy_list(struct vfs *v, const char *path, vfs_list_fn *each, void *context)
{
    spy_of(v)->calls[SPY_LIST]++;
    return vfs_list(spy_of(v)->real, path, each, context);
}

static UNUSED int spy_sync_dir(struct vfs *v, const char *path)
{
    spy_of(v)->calls[SPY_SYNC_DIR]++;
    return vfs_sync_dir(spy_of(v)->real, path);
}

static UNUSED void spy_init(struct spy *spy, struct vfs *real)
{
    static const struct vfs_ops ops = {spy_open,     spy_close, spy_read, spy_write,
                                       spy_truncate, spy_sync,  spy_size, spy_rename,
                                       spy_unlink,   spy_mkdir, spy_list, spy_sync_dir};
    memset(spy, 0, sizeof(*spy));
    spy->base.ops = &ops;
    spy->real = real;
    spy->files.next = spy->files.previous = &spy->files;
}

/* The handles of a process that died. The world below has dropped its own. */
static UNUSED void spy_forget(struct spy *spy)
{
    while (spy->files.next != &spy->files) {
        struct spy_file *f = spy->files.next;
        spy->files.next = f->next;
        free(f);
    }
    spy->files.previous = &spy->files;
    spy->open_files = 0;
    spy->half_write_at = spy->fail_rename_at = 0;
}

static inline void spy_counts_clear(struct spy *spy)
{
    memset(spy->calls, 0, sizeof(spy->calls));
    memset(spy->writes, 0, sizeof(spy->writes));
    memset(spy->written_bytes, 0, sizeof(spy->written_bytes));
}

#endif
