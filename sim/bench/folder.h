/* The folder of real files that a benchmark may fill and empty: one of its own below the
 * user's.
 *
 *     struct bench_folder folder;
 *     int err = bench_folder_make(&folder, "/mnt/disk");    // /mnt/disk/faultline-bench-f3Xq0a
 *     ... folder.path ...
 *     bench_folder_remove(&folder);
 *
 * A marker file in it, locked while the process lives, says whose it is. Folders that killed
 * benchmarks left behind (marker there, not locked) are removed by the next one; nothing else
 * below the user's folder is ever touched.
 */
#ifndef FAULTLINE_SIM_BENCH_FOLDER_H
#define FAULTLINE_SIM_BENCH_FOLDER_H

#include <stdbool.h>

struct bench_folder {
    char path[4096];
    int marker_fd;
    bool made_parent; /* the user's folder was not there: it goes again */
};

/* 0 or -errno; the parent is made when it is not there (not its own parents). */
int bench_folder_make(struct bench_folder *folder, const char *parent);
void bench_folder_remove(struct bench_folder *folder);

#endif
