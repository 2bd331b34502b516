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

struct bench_folder {
    char path[4096];
    int marker_fd;
};

/* 0 or -errno: the user's folder must be there. */
int bench_folder_make(struct bench_folder *folder, const char *parent);
void bench_folder_remove(struct bench_folder *folder);

#endif
