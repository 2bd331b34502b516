/* A record is written to NAME.new, synced, renamed over NAME, and the folder is synced: a crash
 * leaves the old record or the new one. File: u32 crc32c of the record, then the record. */
#include "engines/replication/single_leader/durable.h"

#include <errno.h>
#include <stdio.h>

#define ROLE_RECORD_SIZE 24u
#define ROLE_FILE "role"

int durable_path(const struct env *env, const char *name, char out[DURABLE_PATH_SIZE])
{
    int size = *env->dir ? snprintf(out, DURABLE_PATH_SIZE, "%s/%s", env->dir, name)
                         : snprintf(out, DURABLE_PATH_SIZE, "%s", name);
    return size < 0 || (size_t)size >= DURABLE_PATH_SIZE ? -ENAMETOOLONG : 0;
}

int durable_folder(struct env *env)
{
    if (!*env->dir) return 0;
    int err = vfs_mkdir(env->vfs, env->dir);
    if (err && err != -EEXIST) return err;
    /* Also when it was there: an earlier life may have ended between mkdir and this. */
    char parent[DURABLE_PATH_SIZE];
    const char *slash = strrchr(env->dir, '/');
    size_t size = slash ? (size_t)(slash - env->dir) : 0;
    if (size >= sizeof parent) return -ENAMETOOLONG;
    memcpy(parent, env->dir, size);
    parent[size] = 0;
    return vfs_sync_dir(env->vfs, parent);
}

int durable_save(struct env *env, const char *name, struct bytes record)
{
    char path[DURABLE_PATH_SIZE], temporary[DURABLE_PATH_SIZE], temporary_name[64];
    snprintf(temporary_name, sizeof temporary_name, "%s.new", name);
    int err = durable_path(env, name, path);
    if (!err) err = durable_path(env, temporary_name, temporary);
    if (err) return err;
    struct buffer bytes = {.allocator = env->allocator};
    unsigned char crc[4];
    put_u32(crc, crc32c(0, record.data, record.size));
    err = buffer_append(&bytes, crc, sizeof crc);
    if (!err) err = buffer_append(&bytes, record.data, record.size);
    struct vfs_file *file;
    if (!err) err = vfs_open(env->vfs, temporary, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &file);
    if (!err) {
        err = vfs_write(file, 0, buffer_bytes(&bytes), VFS_META);
        if (!err) err = vfs_sync(file, VFS_META);
        int close_err = vfs_close(file);
        if (!err) err = close_err;
    }
    buffer_deinit(&bytes);
    if (!err) err = vfs_rename(env->vfs, temporary, path);
    if (!err) err = vfs_sync_dir(env->vfs, env->dir);
    return err;
}

int durable_load(struct env *env, const char *name, struct buffer *record)
{
    char path[DURABLE_PATH_SIZE];
    struct vfs_file *file;
    int err = durable_path(env, name, path);
    if (!err) err = vfs_open(env->vfs, path, VFS_READ, &file);
    if (err) return err;
    uint64_t size;
    struct buffer bytes = {.allocator = env->allocator};
    err = vfs_size(file, &size);
    if (!err && (size < 4 || size > (1u << 20))) err = -EBADMSG;
    if (!err) err = buffer_reserve(&bytes, size);
    if (!err) {
        int64_t got = vfs_read(file, 0, bytes.data, size, VFS_RECOVERY);
        if (got < 0)
            err = (int)got;
        else if ((uint64_t)got != size)
            err = -EBADMSG;
    }
    vfs_close(file);
    if (!err && crc32c(0, bytes.data + 4, size - 4) != get_u32(bytes.data)) err = -EBADMSG;
    if (!err) err = buffer_assign(record, bytes_of(bytes.data + 4, size - 4));
    buffer_deinit(&bytes);
    return err;
}

int durable_save_role(struct env *env, const struct durable_role *role)
{
    unsigned char record[ROLE_RECORD_SIZE];
    put_u64(record, role->epoch);
    put_u64(record + 8, role->voted);
    put_u32(record + 16, role->leader);
    put_u32(record + 20, role->voted_for);
    return durable_save(env, ROLE_FILE, bytes_of(record, sizeof record));
}

int durable_load_role(struct env *env, struct durable_role *role)
{
    struct buffer record = {.allocator = env->allocator};
    int err = durable_load(env, ROLE_FILE, &record);
    if (!err && record.size != ROLE_RECORD_SIZE) err = -EBADMSG;
    if (!err)
        *role = (struct durable_role){get_u64(record.data), get_u64(record.data + 8),
                                      get_u32(record.data + 16), get_u32(record.data + 20)};
    buffer_deinit(&record);
    return err;
}
