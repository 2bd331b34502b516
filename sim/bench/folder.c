/* Order matters for a kill at any moment: a folder without a marker is nobody's and stays, so
 * the marker is made and locked first and removed last. */
#define _GNU_SOURCE
#include "sim/bench/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "faultline-bench-"
#define MARKER ".made-by-faultline-bench"

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)type;
    bool is_marker = ftw->level == 1 && !strcmp(path + ftw->base, MARKER);
    if (!is_marker && ftw->level > 0) remove(path);
    return 0;
}

static void remove_all(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    char marker[4200];
    snprintf(marker, sizeof marker, "%s/" MARKER, path);
    unlink(marker);
    rmdir(path);
}

static int marker_lock(const char *path, int flags)
{
    char marker[4200];
    snprintf(marker, sizeof marker, "%s/" MARKER, path);
    int fd = open(marker, flags | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0) return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int err = -errno;
        close(fd);
        return err;
    }
    return fd;
}

static void remove_leftovers(const char *parent)
{
    DIR *dir = opendir(parent);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        if (strncmp(entry->d_name, PREFIX, sizeof PREFIX - 1) != 0) continue;
        char path[4096];
        if (snprintf(path, sizeof path, "%s/%s", parent, entry->d_name) >= (int)sizeof path)
            continue;
        int fd = marker_lock(path, 0);
        if (fd < 0) continue; /* not ours, or alive */
        remove_all(path);
        close(fd);
    }
    if (dir) closedir(dir);
}

int bench_folder_make(struct bench_folder *folder, const char *parent)
{
    memset(folder, 0, sizeof *folder);
    struct stat status;
    if (stat(parent, &status) != 0) return -errno;
    if (!S_ISDIR(status.st_mode)) return -ENOTDIR;
    remove_leftovers(parent);
    if (snprintf(folder->path, sizeof folder->path,
                 "%s/" PREFIX "XX"
                 "XX"
                 "XX",
                 parent) >= (int)sizeof folder->path)
        return -ENAMETOOLONG;
    if (!mkdtemp(folder->path)) return -errno;
    folder->marker_fd = marker_lock(folder->path, O_CREAT | O_EXCL);
    if (folder->marker_fd >= 0) return 0;
    rmdir(folder->path);
    return folder->marker_fd;
}

void bench_folder_remove(struct bench_folder *folder)
{
    remove_all(folder->path);
    close(folder->marker_fd);
}
