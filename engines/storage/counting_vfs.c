/* A vfs that counts what passes.
 *
 * A sync of a directory counts as one of VFS_META, as on the simulated disk, so that figures of
 * both worlds compare. A read counts the bytes that came back, not those asked for.
 *
 * A list goes down as one call: what its callback does in turn comes back through this vfs
 * while the first call is still under way, so `enter` and `leave` nest.
 */
#include "engines/storage/counting_vfs.h"

#include <errno.h>

const char *const vfs_purpose_words[] = {"log",      "flush",  "compaction", "user_read",
                                         "recovery", "repair", "meta",       NULL};

struct counting_file {
    struct vfs_file base;
    struct vfs_file *inner;
};

static struct counting_vfs *counting_of(struct vfs *vfs)
{
    return (struct counting_vfs *)vfs;
}

static struct vfs_file *inner_of(struct vfs_file *file)
{
    return ((struct counting_file *)file)->inner;
}

static void enter(struct counting_vfs *counting)
{
    if (counting->enter) counting->enter(counting->context);
}

static void leave(struct counting_vfs *counting)
{
    if (counting->leave) counting->leave(counting->context);
}

/* One call of the inner vfs that is counted among the names when it succeeds. */
#define NAMED(counting, call)                                                                  \
    ({                                                                                         \
        enter(counting);                                                                       \
        int err_ = (call);                                                                     \
        leave(counting);                                                                       \
        if (err_ == 0) (counting)->counters.name_calls++;                                      \
        err_;                                                                                  \
    })

/* ---- files ---- */

static int counting_open(struct vfs *vfs, const char *path, uint32_t flags,
                         struct vfs_file **out)
{
    struct counting_vfs *counting = counting_of(vfs);
    struct counting_file *file = allocator_alloc(counting->allocator, sizeof *file);
    if (!file) return -ENOMEM;
    struct vfs_file *inner;
    int err = NAMED(counting, vfs_open(counting->inner, path, flags, &inner));
    if (err) {
        allocator_free(counting->allocator, file, sizeof *file);
        return err;
    }
    *file = (struct counting_file){{vfs}, inner};
    *out = &file->base;
    return 0;
}

static int counting_close(struct vfs_file *file)
{
    struct counting_vfs *counting = counting_of(file->vfs);
    int err = NAMED(counting, vfs_close(inner_of(file)));
    allocator_free(counting->allocator, file, sizeof(struct counting_file));
    return err;
}

static int64_t counting_read(struct vfs_file *file, uint64_t offset, void *data, size_t size,
                             enum vfs_purpose purpose)
{
    struct counting_vfs *counting = counting_of(file->vfs);
    enter(counting);
    int64_t n = vfs_read(inner_of(file), offset, data, size, purpose);
    leave(counting);
    if (n < 0) return n;
    counting->counters.reads[purpose]++;
    counting->counters.read_bytes[purpose] += (uint64_t)n;
    return n;
}

static int counting_write(struct vfs_file *file, uint64_t offset, struct bytes data,
                          enum vfs_purpose purpose)
{
    struct counting_vfs *counting = counting_of(file->vfs);
    enter(counting);
    int err = vfs_write(inner_of(file), offset, data, purpose);
    leave(counting);
    if (err) return err;
    counting->counters.writes[purpose]++;
    counting->counters.write_bytes[purpose] += data.size;
    return 0;
}

static int counting_truncate(struct vfs_file *file, uint64_t size)
{
    return NAMED(counting_of(file->vfs), vfs_truncate(inner_of(file), size));
}

static int counting_sync(struct vfs_file *file, enum vfs_purpose purpose)
{
    struct counting_vfs *counting = counting_of(file->vfs);
    enter(counting);
    int err = vfs_sync(inner_of(file), purpose);
    leave(counting);
    if (!err) counting->counters.syncs[purpose]++;
    return err;
}

static int counting_size(struct vfs_file *file, uint64_t *size)
{
    return NAMED(counting_of(file->vfs), vfs_size(inner_of(file), size));
}

/* ---- names ---- */

static int counting_rename(struct vfs *vfs, const char *from, const char *to)
{
    struct counting_vfs *counting = counting_of(vfs);
    return NAMED(counting, vfs_rename(counting->inner, from, to));
}

static int counting_unlink(struct vfs *vfs, const char *path)
{
    struct counting_vfs *counting = counting_of(vfs);
    return NAMED(counting, vfs_unlink(counting->inner, path));
}

static int counting_mkdir(struct vfs *vfs, const char *path)
{
    struct counting_vfs *counting = counting_of(vfs);
    return NAMED(counting, vfs_mkdir(counting->inner, path));
}

static int counting_list(struct vfs *vfs, const char *path, vfs_list_fn *each, void *context)
{
    struct counting_vfs *counting = counting_of(vfs);
    return NAMED(counting, vfs_list(counting->inner, path, each, context));
}

static int counting_sync_dir(struct vfs *vfs, const char *path)
{
    struct counting_vfs *counting = counting_of(vfs);
    enter(counting);
    int err = vfs_sync_dir(counting->inner, path);
    leave(counting);
    if (!err) counting->counters.syncs[VFS_META]++;
    return err;
}

static const struct vfs_ops counting_ops = {
    .open = counting_open,
    .close = counting_close,
    .read = counting_read,
    .write = counting_write,
    .truncate = counting_truncate,
    .sync = counting_sync,
    .size = counting_size,
    .rename = counting_rename,
    .unlink = counting_unlink,
    .mkdir = counting_mkdir,
    .list = counting_list,
    .sync_dir = counting_sync_dir,
};

void counting_vfs_init(struct counting_vfs *counting, struct vfs *inner,
                       const struct allocator *allocator)
{
    *counting =
        (struct counting_vfs){.base = {&counting_ops}, .inner = inner, .allocator = allocator};
}

uint64_t vfs_count_sum(const uint64_t counts[VFS_PURPOSES])
{
    uint64_t sum = 0;
    for (int i = 0; i < VFS_PURPOSES; i++) sum += counts[i];
    return sum;
}
