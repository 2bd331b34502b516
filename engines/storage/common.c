/* What engines share below their contract. See common.h. */
#include "engines/storage/common.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define COPY_BLOCK 65536u /* the largest transient memory of a copy */

const char *const sync_policy_words[] = {"panic", "retry", NULL};

/* ---- paths and directories ---- */

int engine_path(char out[ENGINE_PATH_SIZE], const char *dir, const char *name)
{
    int size = *dir ? snprintf(out, ENGINE_PATH_SIZE, "%s/%s", dir, name)
                    : snprintf(out, ENGINE_PATH_SIZE, "%s", name);
    return size < 0 || (size_t)size >= ENGINE_PATH_SIZE ? -ENAMETOOLONG : 0;
}

static int parent_sync(struct vfs *vfs, const char *dir)
{
    char parent[ENGINE_PATH_SIZE];
    const char *slash = strrchr(dir, '/');
    size_t size = slash ? (size_t)(slash - dir) : 0;
    if (size >= sizeof(parent)) return -ENAMETOOLONG;
    memcpy(parent, dir, size);
    parent[size] = '\0';
    return vfs_sync_dir(vfs, parent);
}

int engine_dir_create(struct vfs *vfs, const char *dir)
{
    int err = vfs_mkdir(vfs, dir);
    return err ? err : parent_sync(vfs, dir);
}

int engine_dir_ensure(struct vfs *vfs, const char *dir)
{
    if (!*dir) return 0;
    int err = vfs_mkdir(vfs, dir);
    if (err && err != -EEXIST) return err;
    /* Also when it was there: an earlier process may have died between mkdir and this. */
    return parent_sync(vfs, dir);
}

/* ---- copies ---- */

int engine_copy_begin(struct vfs *vfs, const char *dir)
{
    char path[ENGINE_PATH_SIZE];
    struct vfs_file *file;
    int err = engine_path(path, dir, ENGINE_COPY_MARK);
    if (!err) err = engine_dir_create(vfs, dir);
    if (!err) err = vfs_open(vfs, path, VFS_WRITE | VFS_CREATE | VFS_EXCLUSIVE, &file);
    if (!err) err = vfs_close(file);
    return err ? err : vfs_sync_dir(vfs, dir);
}

int engine_copy_end(struct vfs *vfs, const char *dir)
{
    char path[ENGINE_PATH_SIZE];
    int err = engine_path(path, dir, ENGINE_COPY_MARK);
    if (!err) err = vfs_unlink(vfs, path);
    return err ? err : vfs_sync_dir(vfs, dir);
}

int engine_copy_is_unfinished(struct vfs *vfs, const char *dir)
{
    char path[ENGINE_PATH_SIZE];
    struct vfs_file *file;
    int err = engine_path(path, dir, ENGINE_COPY_MARK);
    if (!err) err = vfs_open(vfs, path, VFS_READ, &file);
    if (err) return err == -ENOENT ? 0 : err;
    err = vfs_close(file);
    return err ? err : 1;
}

int engine_copy_refuse(struct engine *engine, const char *dir)
{
    return engine_fail(engine, -EBADMSG,
                       "%s/" ENGINE_COPY_MARK
                       " at offset 0: the making of this copy did not come to its end",
                       dir);
}

/* ---- files ---- */

int engine_file_sync(struct engine *engine, struct vfs_file *file, enum vfs_purpose purpose,
                     enum sync_policy policy)
{
    engine->syncs++;
    int err = vfs_sync(file, purpose);
    if (err && policy == SYNC_RETRY) {
        engine->syncs++;
        err = vfs_sync(file, purpose);
    }
    return err;
}

int engine_file_read(struct vfs_file *file, uint64_t offset, void *data, size_t size,
                     enum vfs_purpose purpose)
{
    int64_t n = vfs_read(file, offset, data, size, purpose);
    if (n < 0) return (int)n;
    return (uint64_t)n == size ? 0 : -EBADMSG;
}

int engine_file_copy(const struct allocator *allocator, struct vfs_file *from, uint64_t size,
                     struct vfs_file *to, uint64_t to_offset, uint32_t *crc,
                     enum vfs_purpose purpose)
{
    size_t block_size = size < COPY_BLOCK ? (size_t)size : COPY_BLOCK;
    if (size == 0) return 0;
    unsigned char *block = allocator_alloc(allocator, block_size);
    if (!block) return -ENOMEM;
    int err = 0;
    for (uint64_t done = 0; !err && done < size;) {
        size_t n = size - done < block_size ? (size_t)(size - done) : block_size;
        err = engine_file_read(from, done, block, n, purpose);
        if (!err) err = vfs_write(to, to_offset + done, bytes_of(block, n), purpose);
        if (!err && crc) *crc = crc32c(*crc, block, n);
        done += n;
    }
    allocator_free(allocator, block, block_size);
    return err;
}

int engine_file_replace(struct engine *engine, const char *dir, const char *temporary,
                        const char *name, struct bytes data, enum sync_policy policy)
{
    struct vfs *vfs = engine->host.vfs;
    struct vfs_file *file;
    char from[ENGINE_PATH_SIZE], to[ENGINE_PATH_SIZE];
    int err = engine_path(from, dir, temporary);
    if (!err) err = engine_path(to, dir, name);
    if (!err) err = vfs_open(vfs, from, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &file);
    if (err) return err;
    err = vfs_write(file, 0, data, VFS_META);
    if (!err) err = engine_file_sync(engine, file, VFS_META, policy);
    int close_err = vfs_close(file);
    if (!err) err = close_err;
    if (!err) err = vfs_rename(vfs, from, to);
    return err ? err : vfs_sync_dir(vfs, dir);
}

int engine_file_duplicate(struct engine *engine, struct vfs_file *from, uint64_t size,
                          const char *to, enum sync_policy policy)
{
    struct vfs_file *file;
    int err = vfs_open(engine->host.vfs, to, VFS_WRITE | VFS_CREATE | VFS_EXCLUSIVE, &file);
    if (err) return err;
    err = engine_file_copy(engine->host.allocator, from, size, file, 0, NULL, VFS_REPAIR);
    if (!err) err = engine_file_sync(engine, file, VFS_REPAIR, policy);
    int close_err = vfs_close(file);
    return err ? err : close_err;
}

/* ---- errors ---- */

int engine_fail(struct engine *engine, int err, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(engine->error_text, sizeof(engine->error_text), format, arguments);
    va_end(arguments);
    return err;
}

void engine_open_failed(struct engine *engine)
{
    struct buffer *out = engine->host.open_error;
    size_t size = strlen(engine->error_text) + 1;
    if (out && buffer_assign(out, bytes_of(engine->error_text, size)))
        buffer_clear(out); /* out of memory: the error number has to do */
}

/* ---- order ---- */

#define KEY_TEXT_BYTES 64u /* of a key that are shown: four characters each at most */

const char *engine_key_text(char out[ENGINE_KEY_TEXT], struct bytes key)
{
    const unsigned char *p = key.data;
    size_t shown = key.size < KEY_TEXT_BYTES ? key.size : KEY_TEXT_BYTES, at = 0;
    out[at++] = '"';
    for (size_t i = 0; i < shown; i++) {
        bool is_quoted = p[i] == '"' || p[i] == '\\';
        if (is_quoted) out[at++] = '\\';
        if (p[i] >= 0x20 && p[i] < 0x7f)
            out[at++] = (char)p[i];
        else
            at += (size_t)snprintf(out + at, ENGINE_KEY_TEXT - at, "\\x%02x", p[i]);
    }
    out[at++] = '"';
    if (shown < key.size)
        snprintf(out + at, ENGINE_KEY_TEXT - at, "... (%zu bytes)", key.size);
    else
        out[at] = '\0';
    return out;
}

bool engine_range_holds(const struct engine_range *range, struct bytes key)
{
    if (range->has_from && bytes_compare(key, range->from) < 0) return false;
    return !range->has_to || bytes_compare(key, range->to) < 0;
}

static void swap_items(unsigned char *a, unsigned char *b, size_t size)
{
    for (; size; size--, a++, b++) {
        unsigned char held = *a;
        *a = *b;
        *b = held;
    }
}

void engine_sort(void *items, size_t count, size_t size,
                 int (*compare)(const void *context, const void *a, const void *b),
                 const void *context)
{
    unsigned char *base = items;
    if (count < 2) return;
    /* First half: sift every parent down, so that the greatest stands first. Second half: swap
     * the greatest behind the heap, and sift what came to its place. */
    size_t start = count / 2, end = count;
    while (end > 1) {
        if (start > 0)
            start--;
        else
            swap_items(base, base + --end * size, size);
        size_t parent = start;
        for (size_t child; (child = parent * 2 + 1) < end; parent = child) {
            if (child + 1 < end &&
                compare(context, base + child * size, base + (child + 1) * size) < 0)
                child++;
            if (compare(context, base + parent * size, base + child * size) >= 0) break;
            swap_items(base + parent * size, base + child * size, size);
        }
    }
}
