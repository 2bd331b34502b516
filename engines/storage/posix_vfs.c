/* Real files below a root directory: the vfs of benchmarks, tools and the contract suite.
 *
 * Every path is resolved from a descriptor of the root (openat and friends), so the process may
 * change its working directory. A path that is absolute or has an empty, "." or ".." component
 * is refused with -EINVAL: nothing outside the root is ever touched.
 *
 * Durability is what the contract asks: fdatasync for a file (it also writes a changed size),
 * fsync of the directory for names. Calls that a signal interrupts are repeated; a short write
 * goes on until the kernel names the reason (-ENOSPC), and leaves what it wrote: a caller that
 * got an error knows nothing of the bytes beyond its last good end.
 */
#include "engines/storage/vfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY_MODE 0777 /* less the umask */
#define FILE_MODE 0666

struct posix_vfs {
    struct vfs base;
    int root_fd;
};
struct posix_file {
    struct vfs_file base;
    int fd;
};

static int root_of(struct vfs *vfs)
{
    return ((struct posix_vfs *)vfs)->root_fd;
}
static int fd_of(struct vfs_file *file)
{
    return ((struct posix_file *)file)->fd;
}

/* 0 when every component is a plain name. The root is "". */
static int path_check(const char *path)
{
    for (const char *p = path; *p;) {
        size_t size = strcspn(p, "/");
        if (size == 0 || (size == 1 && p[0] == '.') ||
            (size == 2 && p[0] == '.' && p[1] == '.'))
            return -EINVAL;
        p += size;
        if (*p == '/' && !*++p) return -EINVAL;
    }
    return 0;
}

static const char *path_or_root(const char *path)
{
    return *path ? path : ".";
}

/* ---- files ---- */

static int posix_open(struct vfs *vfs, const char *path, uint32_t flags, struct vfs_file **out)
{
    int err = path_check(path);
    if (err) return err;
    int mode = flags & VFS_WRITE ? O_RDWR : O_RDONLY;
    mode |= flags & VFS_CREATE ? O_CREAT : 0;
    mode |= flags & VFS_EXCLUSIVE ? O_EXCL : 0;
    mode |= flags & VFS_TRUNCATE ? O_TRUNC : 0;
    int fd;
    do fd = openat(root_of(vfs), path_or_root(path), mode | O_CLOEXEC, FILE_MODE);
    while (fd < 0 && errno == EINTR);
    if (fd < 0) return -errno;
    struct stat status;
    if (fstat(fd, &status) != 0) {
        err = -errno;
        goto err_after_open;
    }
    if (S_ISDIR(status.st_mode)) { /* read-only opens of directories succeed in POSIX */
        err = -EISDIR;
        goto err_after_open;
    }
    struct posix_file *file = malloc(sizeof(*file));
    if (!file) {
        err = -ENOMEM;
        goto err_after_open;
    }
    *file = (struct posix_file){.base.vfs = vfs, .fd = fd};
    *out = &file->base;
    return 0;

err_after_open:
    close(fd);
    return err;
}

static int posix_close(struct vfs_file *file)
{
    int err = close(fd_of(file)) == 0 || errno == EINTR ? 0 : -errno;
    free(file);
    return err;
}

static int64_t posix_read(struct vfs_file *file, uint64_t offset, void *data, size_t size,
                          enum vfs_purpose purpose)
{
    (void)purpose;
    size_t done = 0;
    while (done < size) {
        ssize_t n =
            pread(fd_of(file), (char *)data + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -errno;
        if (n == 0) break;
        done += (size_t)n;
    }
    return (int64_t)done;
}

static int posix_write(struct vfs_file *file, uint64_t offset, struct bytes data,
                       enum vfs_purpose purpose)
{
    (void)purpose;
    size_t done = 0;
    while (done < data.size) {
        ssize_t n = pwrite(fd_of(file), (const char *)data.data + done, data.size - done,
                           (off_t)(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -errno;
        done += (size_t)n;
    }
    return 0;
}

static int posix_truncate(struct vfs_file *file, uint64_t size)
{
    int result;
    do result = ftruncate(fd_of(file), (off_t)size);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

static int posix_sync(struct vfs_file *file, enum vfs_purpose purpose)
{
    (void)purpose;
    return fdatasync(fd_of(file)) < 0 ? -errno : 0; /* never repeated: see the contract */
}

static int posix_size(struct vfs_file *file, uint64_t *size)
{
    struct stat status;
    if (fstat(fd_of(file), &status) != 0) return -errno;
    *size = (uint64_t)status.st_size;
    return 0;
}

/* ---- names ---- */

static int posix_rename(struct vfs *vfs, const char *from, const char *to)
{
    if (path_check(from) || path_check(to)) return -EINVAL;
    return renameat(root_of(vfs), from, root_of(vfs), to) < 0 ? -errno : 0;
}

static int posix_unlink(struct vfs *vfs, const char *path)
{
    if (path_check(path)) return -EINVAL;
    return unlinkat(root_of(vfs), path, 0) < 0 ? -errno : 0;
}

static int posix_mkdir(struct vfs *vfs, const char *path)
{
    if (path_check(path)) return -EINVAL;
    if (!*path) return -EEXIST;
    return mkdirat(root_of(vfs), path, DIRECTORY_MODE) < 0 ? -errno : 0;
}

static int directory_open(struct vfs *vfs, const char *path)
{
    if (path_check(path)) return -EINVAL;
    int fd = openat(root_of(vfs), path_or_root(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int posix_sync_dir(struct vfs *vfs, const char *path)
{
    int fd = directory_open(vfs, path);
    if (fd < 0) return fd;
    int err = fsync(fd) < 0 ? -errno : 0;
    close(fd);
    return err;
}

struct name {
    char *text;
    bool is_directory;
};

static int name_order(const void *a, const void *b)
{
    return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

static int name_read(DIR *dir, struct dirent *entry, struct name *name)
{
    struct stat status;
    if (fstatat(dirfd(dir), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) return -errno;
    name->is_directory = S_ISDIR(status.st_mode);
    name->text = strdup(entry->d_name);
    return name->text ? 0 : -ENOMEM;
}

/* Collects all names first: the order is part of the contract, and a callback may unlink. */
static int posix_list(struct vfs *vfs, const char *path, vfs_list_fn *each, void *context)
{
    int fd = directory_open(vfs, path);
    if (fd < 0) return fd;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        int err = -errno;
        close(fd);
        return err;
    }
    struct name *names = NULL;
    size_t count = 0, capacity = 0;
    int err = 0;
    struct dirent *entry;
    while (!err && (errno = 0, entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (count == capacity) {
            capacity = capacity ? capacity * 2 : 16;
            struct name *grown = realloc(names, capacity * sizeof(*names));
            if (!grown) {
                err = -ENOMEM;
                break;
            }
            names = grown;
        }
        err = name_read(dir, entry, &names[count]);
        if (err == -ENOENT) /* removed since readdir saw it */
            err = 0;
        else if (!err)
            count++;
    }
    if (!err && errno) err = -errno;
    if (count) qsort(names, count, sizeof(*names), name_order);
    for (size_t i = 0; i < count; i++) {
        if (!err) err = each(context, names[i].text, names[i].is_directory);
        free(names[i].text);
    }
    free(names);
    closedir(dir);
    return err;
}

/* ---- life ---- */

static const struct vfs_ops posix_ops = {
    .open = posix_open,
    .close = posix_close,
    .read = posix_read,
    .write = posix_write,
    .truncate = posix_truncate,
    .sync = posix_sync,
    .size = posix_size,
    .rename = posix_rename,
    .unlink = posix_unlink,
    .mkdir = posix_mkdir,
    .list = posix_list,
    .sync_dir = posix_sync_dir,
};

int posix_vfs_create(const char *root, struct vfs **out)
{
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -errno;
    struct posix_vfs *vfs = malloc(sizeof(*vfs));
    if (!vfs) {
        close(fd);
        return -ENOMEM;
    }
    *vfs = (struct posix_vfs){.base.ops = &posix_ops, .root_fd = fd};
    *out = &vfs->base;
    return 0;
}

void posix_vfs_destroy(struct vfs *vfs)
{
    close(root_of(vfs));
    free(vfs);
}

void posix_check_failed(void *context, const char *expression, const char *file, int line)
{
    (void)context;
    fprintf(stderr, "%s:%d: broken contract: %s\n", file, line, expression);
    abort();
}
