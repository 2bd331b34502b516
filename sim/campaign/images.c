/* Copies every simulated disk to a folder, through the disk's own vfs while it is being looked
 * at (disk_look): no time passes, no fault hits, nothing is counted.
 */
#include "sim/campaign/images.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/campaign/result.h"
#include "sim/kernel/arena.h"

#define COPY_BLOCK (256u << 10)
#define DEPTH_MAX 16u /* of folders; the engines need one, the schemes two */

struct copier {
    struct vfs *vfs;
    unsigned char *block;
    const char *from; /* folder of the disk that is being copied */
    char *to;         /* and where to; where an error stands, too */
    size_t to_size;
    unsigned depth;
};

static int copy_bytes(struct copier *copier, struct vfs_file *file, int out)
{
    uint64_t offset = 0;
    for (;;) {
        int64_t n = vfs_read(file, offset, copier->block, COPY_BLOCK, VFS_REPAIR);
        if (n <= 0) return (int)n;
        for (int64_t done = 0; done < n;) {
            ssize_t written = write(out, copier->block + done, (size_t)(n - done));
            if (written < 0 && errno != EINTR) return -errno;
            if (written > 0) done += written;
        }
        offset += (uint64_t)n;
    }
}

static int copy_file(struct copier *copier, const char *path)
{
    struct vfs_file *file;
    int out = open(copier->to, O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (out < 0) return -errno;
    int error = vfs_open(copier->vfs, path, VFS_READ, &file);
    if (!error) {
        error = copy_bytes(copier, file, out);
        vfs_close(file);
    }
    if (close(out) && !error) error = -errno;
    return error;
}

static int copy_name(void *context, const char *name, bool is_directory)
{
    struct copier *copier = context;
    char path[1024];
    const char *from = copier->from;
    size_t to = strlen(copier->to);
    int size = snprintf(path, sizeof path, "%s%s%s", from, *from ? "/" : "", name);
    int added = snprintf(copier->to + to, copier->to_size - to, "/%s", name);
    if ((size_t)size >= sizeof path || (size_t)added >= copier->to_size - to ||
        copier->depth == DEPTH_MAX)
        return -ENAMETOOLONG;
    int error;
    if (is_directory) {
        error = mkdir(copier->to, 0777) ? -errno : 0;
        copier->from = path;
        copier->depth++;
        if (!error) error = vfs_list(copier->vfs, path, copy_name, copier);
        copier->depth--;
        copier->from = from;
    } else {
        error = copy_file(copier, path);
    }
    if (!error) copier->to[to] = 0; /* of an error the path stays, to be named */
    return error;
}

int images_write(struct run *run, const char *folder, char *where, size_t where_size)
{
    struct copier copier = {.from = "", .to = where, .to_size = where_size};
    snprintf(where, where_size, "%s", folder);
    int error = make_folders(folder);
    copier.block = xmalloc(COPY_BLOCK);
    for (uint32_t n = 0; n < world_nodes(run->world) && !error; n++) {
        struct disk *disk = node_disk(world_node(run->world, n));
        int size =
            snprintf(where, where_size, "%s/%s", folder, world_endpoint_name(run->world, n));
        if ((size_t)size >= where_size) error = -ENAMETOOLONG;
        if (!error && mkdir(where, 0777)) error = -errno;
        if (error) break;
        disk_look(disk, true);
        copier.vfs = disk_vfs(disk);
        error = vfs_list(copier.vfs, "", copy_name, &copier);
        disk_look(disk, false);
    }
    free(copier.block);
    return error;
}
