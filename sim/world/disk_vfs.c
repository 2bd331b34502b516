/* The calls of the simulated disk: each checks its arguments, meets its faults, moves the
 * cursor by its cost, and has its effect stamped there.
 *
 * An operation on names costs name_ns (it changes memory; sync_dir pays the device), a look-up
 * what a cache hit costs.
 */
#include "sim/world/disk_internal.h"

#include <errno.h>
#include <stdlib.h>

#include "sim/kernel/arena.h"
#include "sim/kernel/check.h"

static struct disk *disk_of(struct vfs *vfs)
{
    return (struct disk *)vfs;
}
static struct disk_file *file_of(struct vfs_file *file)
{
    return (struct disk_file *)file;
}

/* Counts the call; a crash test may end it here. */
static int call_begin(struct disk *disk)
{
    if (disk->looking) return 0;
    disk->operations++;
    if (disk->cut_at && disk->operations >= disk->cut_at) {
        disk->cut_reached = true;
        return -EIO;
    }
    return disk->fail_at == disk->operations ? disk->fail_error : 0;
}

/* The cursor waits for what another lane is still doing to this file or name. */
static int64_t stamp_at(struct disk *disk, int64_t earliest)
{
    disk->cursor = max_i64(disk->cursor, earliest);
    return disk->cursor;
}

/* ---- files ---- */

static struct vfs_file *handle_create(struct disk *disk, struct inode *inode, bool writable)
{
    struct disk_file *file = xcalloc(1, sizeof *file);
    file->base.vfs = &disk->vfs;
    file->disk = disk;
    file->inode = inode;
    file->writable = writable;
    file->error_seen = inode->error_sequence;
    file->next = disk->files;
    if (disk->files) disk->files->previous = file;
    disk->files = file;
    inode->handles++;
    return &file->base;
}

static int disk_open(struct vfs *vfs, const char *path, uint32_t flags, struct vfs_file **out)
{
    struct disk *disk = disk_of(vfs);
    struct inode *dir;
    const char *name;
    int err = call_begin(disk);
    if (!err) err = path_resolve(disk, path, &dir, &name);
    if (err) return err;
    disk->cursor += disk->config.cache_hit_ns;
    struct inode *inode = entries_find(&dir->live, name);
    if (!inode && !(flags & VFS_CREATE)) return -ENOENT;
    if (inode && inode->is_directory) return -EISDIR;
    if (inode && (flags & VFS_CREATE) && (flags & VFS_EXCLUSIVE)) return -EEXIST;
    if ((flags & VFS_TRUNCATE) && !(flags & VFS_WRITE)) return -EINVAL;
    if (!inode) {
        disk->cursor += device_name_ns(disk, NULL);
        inode = inode_create(disk, false);
        dir_create(disk, dir, name, inode,
                   stamp_at(disk, dir_stamp(disk, dir, name, disk->cursor)));
    } else if (flags & VFS_TRUNCATE) {
        disk->cursor += disk->config.cache_write_ns +
                        device_move_ns(inode->size, disk->config.free_bytes_per_s);
        file_resize(disk, inode, 0, stamp_at(disk, inode->stamp));
    }
    *out = handle_create(disk, inode, flags & VFS_WRITE);
    return 0;
}

static int disk_close(struct vfs_file *base)
{
    struct disk_file *file = file_of(base);
    struct disk *disk = file->disk;
    int err = call_begin(disk);
    if (file->previous)
        file->previous->next = file->next;
    else
        disk->files = file->next;
    if (file->next) file->next->previous = file->previous;
    file->inode->handles--;
    inode_review(disk, file->inode);
    free(file);
    return err;
}

static int64_t disk_read(struct vfs_file *base, uint64_t offset, void *data, size_t size,
                         enum vfs_purpose purpose)
{
    struct disk_file *file = file_of(base);
    struct disk *disk = file->disk;
    struct inode *inode = file->inode;
    int err = call_begin(disk);
    if (err) return err;
    if (disk->looking) {
        size = offset < inode->size ? min_u64(size, inode->size - offset) : 0;
        if (size) memcpy(data, inode->data + offset, size);
        return (int64_t)size;
    }
    if (disk->faults_active) fault_rot(disk);
    disk->counters.reads[purpose]++;
    if (offset >= inode->size || !size) {
        disk->cursor += disk->config.cache_hit_ns;
        return 0;
    }
    size = min_u64(size, inode->size - offset);
    struct active_fault *bad = fault_read(disk, inode, offset, size);
    if (bad) {
        disk->cursor = device_read_fails(disk, inode, disk->cursor);
        fault_effect(disk, bad, 1);
        return -EIO;
    }
    memcpy(data, inode->data + offset, size);
    disk->cursor = device_read(disk, inode, offset, size, disk->cursor);
    disk->counters.read_bytes[purpose] += size;
    return (int64_t)size;
}

static int disk_write(struct vfs_file *base, uint64_t offset, struct bytes data,
                      enum vfs_purpose purpose)
{
    struct disk_file *file = file_of(base);
    struct disk *disk = file->disk;
    struct inode *inode = file->inode;
    int err = call_begin(disk);
    if (err) return err;
    if (!file->writable) return -EBADF;
    if (offset > FILE_SIZE_MAX || data.size > FILE_SIZE_MAX - offset) return -EFBIG;
    disk->cursor += disk->config.cache_write_ns;
    if (!data.size) return 0;
    struct active_fault *refused = fault_hit(disk, DISK_WRITE_ERROR, inode);
    if (refused) {
        fault_effect(disk, refused, 1);
        return -EIO;
    }
    err = fault_space(disk, inode,
                      offset + data.size > inode->size ? offset + data.size - inode->size : 0);
    if (err) return err;
    disk->cursor = cache_write(disk, inode, offset, data.size, disk->cursor) +
                   device_move_ns(data.size, disk->config.copy_write_bytes_per_s);
    fault_heal(disk, inode, offset, data.size);
    struct active_fault *misdirected = fault_hit(disk, DISK_MISDIRECTED_WRITE, inode);
    struct record *record = file_write(disk, inode, offset, data, stamp_at(disk, inode->stamp));
    if (misdirected) {
        record->misdirected = true;
        record->fault = misdirected->id;
    }
    disk->counters.writes[purpose]++;
    disk->counters.write_bytes[purpose] += data.size;
    return 0;
}

static int disk_truncate(struct vfs_file *base, uint64_t size)
{
    struct disk_file *file = file_of(base);
    struct disk *disk = file->disk;
    struct inode *inode = file->inode;
    int err = call_begin(disk);
    if (err) return err;
    if (!file->writable) return -EBADF;
    if (size > FILE_SIZE_MAX) return -EFBIG;
    disk->cursor += disk->config.cache_write_ns;
    if (size > inode->size) {
        err = fault_space(disk, inode, size - inode->size);
        if (err) return err;
        fault_heal(disk, inode, inode->size, size - inode->size);
    } else {
        disk->cursor += device_move_ns(inode->size - size, disk->config.free_bytes_per_s);
    }
    file_resize(disk, inode, size, stamp_at(disk, inode->stamp));
    return 0;
}

static int disk_sync(struct vfs_file *base, enum vfs_purpose purpose)
{
    struct disk_file *file = file_of(base);
    struct disk *disk = file->disk;
    struct inode *inode = file->inode;
    int err = call_begin(disk);
    if (err) return err;
    /* A sync orders itself behind the effects that it covers. */
    int64_t start = stamp_at(disk, inode->stamp);
    struct active_fault *failed = fault_hit(disk, DISK_SYNC_ERROR, inode);
    struct active_fault *lying =
        !failed && inode->records_count ? fault_hit(disk, DISK_LYING_SYNC, inode) : NULL;
    disk->cursor = device_sync(disk, inode, start);
    disk->counters.syncs[purpose]++;
    if (lying) {
        fault_effect(disk, lying, 1);
        inode->records_dirty = 0;
    } else {
        file_sync(disk, inode, start, disk->cursor, failed);
    }
    if (failed) {
        fault_effect(disk, failed, 1);
        inode->error_sequence++;
        inode->error_fault = failed->id;
    } else if (file->error_seen != inode->error_sequence) {
        fault_effect_id(disk, inode->error_fault);
    }
    err = file->error_seen != inode->error_sequence ? -EIO : 0;
    file->error_seen = inode->error_sequence;
    return err;
}

static int disk_size(struct vfs_file *base, uint64_t *size)
{
    struct disk_file *file = file_of(base);
    int err = call_begin(file->disk);
    if (err) return err;
    file->disk->cursor += file->disk->config.cache_hit_ns;
    *size = file->inode->size;
    return 0;
}

/* ---- names ---- */

static bool is_inside(const struct disk *disk, const struct inode *dir,
                      const struct inode *ancestor)
{
    for (; dir && dir != disk->root; dir = dir->parent)
        if (dir == ancestor) return true;
    return dir == ancestor;
}

static int disk_rename(struct vfs *vfs, const char *from, const char *to)
{
    struct disk *disk = disk_of(vfs);
    struct inode *from_dir, *to_dir;
    const char *from_name, *to_name;
    int err = call_begin(disk);
    if (!err) err = path_resolve(disk, from, &from_dir, &from_name);
    if (!err) err = path_resolve(disk, to, &to_dir, &to_name);
    if (err) return err;
    struct inode *inode = entries_find(&from_dir->live, from_name),
                 *replaced = entries_find(&to_dir->live, to_name);
    disk->cursor += device_name_ns(disk, inode == replaced ? NULL : replaced);
    if (!inode) return -ENOENT;
    if (inode == replaced) return 0;
    if (inode->is_directory && is_inside(disk, to_dir, inode)) return -EINVAL;
    if (replaced && replaced->is_directory && !inode->is_directory) return -EISDIR;
    if (replaced && !replaced->is_directory && inode->is_directory) return -ENOTDIR;
    if (replaced && replaced->is_directory && replaced->live.count) return -ENOTEMPTY;
    int64_t stamp = dir_stamp(disk, from_dir, from_name, disk->cursor);
    stamp = dir_stamp(disk, to_dir, to_name, stamp);
    dir_rename(disk, from_dir, from_name, to_dir, to_name, stamp_at(disk, stamp));
    return 0;
}

static int disk_unlink(struct vfs *vfs, const char *path)
{
    struct disk *disk = disk_of(vfs);
    struct inode *dir;
    const char *name;
    int err = call_begin(disk);
    if (!err) err = path_resolve(disk, path, &dir, &name);
    if (err) return err;
    struct inode *inode = entries_find(&dir->live, name);
    disk->cursor += device_name_ns(disk, inode);
    if (!inode) return -ENOENT;
    if (inode->is_directory) return -EISDIR;
    dir_unlink(disk, dir, name, stamp_at(disk, dir_stamp(disk, dir, name, disk->cursor)));
    return 0;
}

static int disk_mkdir(struct vfs *vfs, const char *path)
{
    struct disk *disk = disk_of(vfs);
    struct inode *dir;
    const char *name;
    int err = call_begin(disk);
    if (!err) err = path_resolve(disk, path, &dir, &name);
    if (err) return err;
    disk->cursor += device_name_ns(disk, NULL);
    if (entries_find(&dir->live, name)) return -EEXIST;
    struct inode *inode = inode_create(disk, true);
    dir_create(disk, dir, name, inode,
               stamp_at(disk, dir_stamp(disk, dir, name, disk->cursor)));
    return 0;
}

static int disk_list(struct vfs *vfs, const char *path, vfs_list_fn *each, void *context)
{
    struct disk *disk = disk_of(vfs);
    struct inode *dir;
    int err = call_begin(disk);
    if (!err) err = path_directory(disk, path, &dir);
    if (err) return err;
    disk->cursor += disk->config.cache_hit_ns;
    /* A copy: the callback may change the directory. */
    uint32_t count = dir->live.count;
    struct {
        char *name;
        bool is_directory;
    } *names = xmalloc((count + 1) * sizeof *names);
    for (uint32_t i = 0; i < count; i++) {
        names[i].name = xstrdup(dir->live.items[i].name);
        names[i].is_directory = dir->live.items[i].inode->is_directory;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!err) err = each(context, names[i].name, names[i].is_directory);
        free(names[i].name);
    }
    free(names);
    return err;
}

static int disk_sync_dir(struct vfs *vfs, const char *path)
{
    struct disk *disk = disk_of(vfs);
    struct inode *dir;
    int err = call_begin(disk);
    if (!err) err = path_directory(disk, path, &dir);
    if (err) return err;
    int64_t start = disk->cursor;
    struct active_fault *failed = fault_hit(disk, DISK_SYNC_ERROR, dir);
    struct active_fault *lying =
        !failed && disk->dirops_count ? fault_hit(disk, DISK_LYING_SYNC, dir) : NULL;
    disk->cursor = device_sync(disk, dir, start);
    disk->counters.syncs[VFS_META]++;
    if (failed) {
        fault_effect(disk, failed, 1);
        return -EIO;
    }
    if (lying)
        fault_effect(disk, lying, 1);
    else /* even with nothing pending: a lane called later may still change names before this
            one's start */
        sync_item_add(disk, dir, start, disk->cursor, disk->sequence_next++);
    return 0;
}

const struct vfs_ops disk_vfs_ops = {
    .open = disk_open,
    .close = disk_close,
    .read = disk_read,
    .write = disk_write,
    .truncate = disk_truncate,
    .sync = disk_sync,
    .size = disk_size,
    .rename = disk_rename,
    .unlink = disk_unlink,
    .mkdir = disk_mkdir,
    .list = disk_list,
    .sync_dir = disk_sync_dir,
};
