/* From a real disk to a disk_config: what reads, writes and syncs cost, measured through a vfs.
 *
 * Everything is measured through the same small file system that engines see, with a clock and
 * a way to empty the cache beside it. So the same code measures real files (posix_vfs and the
 * monotonic clock) and the simulated disk (whose clock is its cursor): that is how the tests
 * know that it finds the numbers which are there, and how `faultline calibrate` says how well
 * the numbers that it found explain what it saw.
 *
 *     struct calibrate_device device = {.vfs = vfs, .now_ns = clock_ns, .evict = evict_file};
 *     struct calibrate_request request = {.budget_ns = 10 * NS_PER_S, .file_bytes = 64 << 20};
 *     struct calibrate_result *result;
 *     int err = calibrate_run(&device, &request, &result, text, sizeof text);
 *     disk_file_write(stdout, &result->config);
 *     calibrate_destroy(result);
 */
#ifndef FAULTLINE_SIM_BENCH_CALIBRATE_H
#define FAULTLINE_SIM_BENCH_CALIBRATE_H

#include "sim/world/disk.h"

struct calibrate_device {
    struct vfs *vfs; /* its root is ours: files "calibrate-*" are made and removed there */
    int64_t (*now_ns)(void *context);
    /* The file's pages, all of them synced, leave the cache; 0 or -errno. */
    int (*evict)(void *context, const char *path);
    bool (*is_stopped)(void *context); /* ends the run with -EINTR; NULL: never */
    void *context;
};

struct calibrate_request {
    int64_t budget_ns;     /* by the device's clock; a little more is used for set-up */
    uint64_t file_bytes;   /* of the file that is read and overwritten; at least 8 MiB */
    uint64_t cache_bytes;  /* what the config shall say of the cache: not measured */
    uint32_t rounds;       /* measures take turns that often; at least 1 */
    uint32_t samples_most; /* of one measure in one round */
    void (*progress)(void *context, uint32_t done, uint32_t total,
                     const char *what); /* or NULL */
    void *progress_context;
};

enum calibrate_measure {
    CALIBRATE_READ_100B, /* from the cache, at random */
    CALIBRATE_READ_1KIB,
    CALIBRATE_READ_4KIB,
    CALIBRATE_READ_64KIB,
    CALIBRATE_WRITE_100B, /* to the cache, appending */
    CALIBRATE_WRITE_1KIB,
    CALIBRATE_WRITE_4KIB,
    CALIBRATE_WRITE_64KIB,
    CALIBRATE_SYNC_CLEAN,     /* nothing to write */
    CALIBRATE_SYNC_OVERWRITE, /* one page that the device holds already */
    CALIBRATE_SYNC_APPEND,    /* one page behind the end */
    CALIBRATE_SYNC_64,        /* that many pages here and there */
    CALIBRATE_SYNC_256,
    CALIBRATE_SYNC_256KIB, /* in one piece */
    CALIBRATE_SYNC_4MIB,
    CALIBRATE_SYNC_256KIB_NEW, /* in one piece, behind the end */
    CALIBRATE_SYNC_4MIB_NEW,
    CALIBRATE_SYNC_DIRECTORY, /* one new name */
    CALIBRATE_NAME_CHANGE,    /* a file is made, and removed: the pair */
    CALIBRATE_UNLINK_4MIB,    /* a file in the cache is removed */
    CALIBRATE_COLD_4KIB,      /* read from the device, at random */
    CALIBRATE_COLD_128KIB,
    CALIBRATE_COLD_1MIB,
    CALIBRATE_MEASURES
};

/* Quantiles of one measure, ns a call. */
struct calibrate_row {
    const char *name, *doc;
    uint64_t bytes; /* a call */
    uint64_t samples;
    int64_t p10, p50, p90, p99, most;
};

#define CALIBRATE_POINTS 11u
struct calibrate_result {
    struct disk_config config; /* its tables are the two below */
    struct calibrate_row rows[CALIBRATE_MEASURES];
    struct dist_point read[CALIBRATE_POINTS], sync[CALIBRATE_POINTS];
};

/* 0; or -errno with a text that says what could not be done. Its files are removed either way.
 */
int calibrate_run(const struct calibrate_device *device,
                  const struct calibrate_request *request, struct calibrate_result **out,
                  char *error, size_t error_size);
void calibrate_destroy(struct calibrate_result *result);

/* The simulated disk as a device: between disk_begin and disk_end. */
struct calibrate_device calibrate_simulated(struct disk *disk);

#endif
