/* From a real disk to a disk_config.
 *
 * Noise. The machine has other work, and so has the disk. Measures take turns in rounds, so
 * that a bad second spoils a little of each and not all of one. A cost that the simulated disk
 * holds as one number (a cached call) is the median of many short batches. A cost that it holds
 * as a distribution (a sync, a cold read) keeps every sample, outliers too: they are the tail.
 * What is found as a difference is the difference of lower quartiles: where half of all syncs
 * wait for somebody else, medians differ by chance, but what one sync does more than another
 * still shows in those that were let through.
 *
 * What is fitted. The simulated disk (sim/world/disk_device.c) says
 *
 *     cached read       hit + bytes / copy_read
 *     buffered write    write + bytes / copy_write, and new_page if a page was not cached
 *     cold read         read_latency + bytes / read_bandwidth + a cached read
 *     sync, clean       sync_latency
 *     sync, n extents   n writes of write_latency + bytes / write_bandwidth, queue_depth at a
 *                       time, then sync_latency; and sync_metadata if the length changed, and
 *                       bytes / grow_rate for what is new
 *     sync of names     one write of 4 KiB, then sync_latency and sync_metadata
 *     make a file       hit + name;  unlink: name + bytes / free_rate
 *
 * and each term is found where it stands alone or as the difference of two:
 *
 *   - hit, write, new_page, copy rates: through the medians of four sizes, by least squares of
 *     the relative error, so that 100 bytes count as much as 64 KiB. An append of b bytes needs
 *     a new page in min(1, b / 4 KiB) of all calls.
 *   - write_bandwidth: 4 MiB - 256 KiB by what syncing the one takes longer than the other.
 *   - write_latency: an overwritten page's sync less that of a clean one, a constant: the
 *     spread of the pair stays in sync_latency.
 *   - queue_depth: how many times faster than one by one 192 more pages are written.
 *   - sync_latency: the table of an overwritten page's sync, less the two above.
 *   - grow_rate: as write_bandwidth, with appended pieces, less what overwritten ones take.
 *   - sync_metadata: an appended page's sync less the overwritten one's, and less its growth; a
 *     constant.
 *   - read_bandwidth, read_latency: likewise from cold reads.
 *
 * Limits. A device cache or a hypervisor's behind the evicted page cache still answers reads
 * fast: what is measured is what a program gets. The cost of a first write into a hole, of
 * read-ahead and of write-back under memory pressure has no term and is not measured; one
 * thread measures, so queue_depth is that of writes under a sync, which reads are given too.
 */
#include "sim/bench/calibrate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/kernel/arena.h"
#include "sim/kernel/check.h"

#define PAGE UINT64_C(4096)
#define KIB UINT64_C(1024)
#define MIB (UINT64_C(1) << 20)
#define BUFFER_BYTES (4 * MIB)
#define QUEUE_DEPTH_MOST 256

struct samples {
    int64_t *items;
    size_t count, capacity;
};

struct calibration {
    const struct calibrate_device *device;
    const struct calibrate_request *request;
    struct vfs_file *data, *tail; /* overwritten and read; appended to */
    uint64_t pages, tail_bytes;
    uint64_t random, visit; /* splitmix64; the next page of a round trip through all of them */
    unsigned char *buffer;
    struct samples samples[CALIBRATE_MEASURES];
    char *error;
    size_t error_size;
};

/* One sample: what is timed, divided by the calls in it. */
struct measure {
    const char *name, *doc;
    uint64_t bytes;
    uint32_t calls;  /* a sample */
    uint32_t weight; /* of the time of a round */
    int (*take)(struct calibration *c, const struct measure *measure, int64_t *ns);
    int (*prepare)(struct calibration *c); /* before a turn; NULL: nothing */
};

/* ---- helpers ---- */

static int complain(struct calibration *c, int error, const char *what)
{
    if (error == -ENOSPC)
        snprintf(c->error, c->error_size, "%s: the disk is full", what);
    else
        snprintf(c->error, c->error_size, "%s: %s", what, strerror(-error));
    return error;
}

static int64_t now(const struct calibration *c)
{
    return c->device->now_ns(c->device->context);
}

static uint64_t draw(struct calibration *c, uint64_t bound)
{
    return mix64(c->random += UINT64_C(0x9E3779B97F4A7C15)) % bound;
}

/* Pages in an order that no read-ahead guesses, none twice in a round trip: steps of the golden
 * section, made odd, through a number of pages that is a power of two. */
static uint64_t next_page(struct calibration *c)
{
    uint64_t step = (c->pages * 618 / 1000) | 1;
    return (c->visit++ * step) % c->pages;
}

static int file_write(struct calibration *c, struct vfs_file *file, uint64_t offset,
                      uint64_t size)
{
    int error = vfs_write(file, offset, (struct bytes){c->buffer, size}, VFS_LOG);
    return error ? complain(c, error, "write") : 0;
}

static int file_read(struct calibration *c, uint64_t offset, uint64_t size)
{
    int64_t got = vfs_read(c->data, offset, c->buffer, size, VFS_USER_READ);
    if (got < 0) return complain(c, (int)got, "read");
    return (uint64_t)got == size ? 0 : complain(c, -EIO, "read: shorter than the file");
}

static int file_sync(struct calibration *c, struct vfs_file *file)
{
    int error = vfs_sync(file, VFS_LOG);
    return error ? complain(c, error, "sync") : 0;
}

static int timed_sync(struct calibration *c, struct vfs_file *file, int64_t *ns)
{
    int64_t began = now(c);
    int error = file_sync(c, file);
    *ns = now(c) - began;
    return error;
}

/* The file that grows begins anew when it is as long as the other. */
static int tail_reset(struct calibration *c, uint64_t more)
{
    if (c->tail_bytes + more <= c->pages * PAGE) return 0;
    c->tail_bytes = 0;
    int error = vfs_truncate(c->tail, 0);
    if (error) return complain(c, error, "truncate");
    return file_sync(c, c->tail);
}

/* ---- measures ---- */

static int warm(struct calibration *c)
{
    int error = 0;
    for (uint64_t at = 0; !error && at < c->pages * PAGE; at += MIB)
        error = file_read(c, at, MIB);
    return error;
}

static int evict(struct calibration *c)
{
    int error = file_sync(c, c->data);
    if (error) return error;
    error = c->device->evict(c->device->context, "calibrate-data");
    return error ? complain(c, error, "emptying the cache") : 0;
}

static int settle_tail(struct calibration *c)
{
    return file_sync(c, c->tail);
}

static int take_read(struct calibration *c, const struct measure *measure, int64_t *ns)
{
    int error = 0;
    uint64_t room = c->pages * PAGE - measure->bytes;
    int64_t began = now(c);
    for (uint32_t i = 0; !error && i < measure->calls; i++)
        error = file_read(c, draw(c, room), measure->bytes);
    *ns = now(c) - began;
    return error;
}

static int take_write(struct calibration *c, const struct measure *measure, int64_t *ns)
{
    int error = tail_reset(c, measure->calls * measure->bytes);
    int64_t began = now(c);
    for (uint32_t i = 0; !error && i < measure->calls; i++) {
        error = file_write(c, c->tail, c->tail_bytes, measure->bytes);
        c->tail_bytes += measure->bytes;
    }
    *ns = now(c) - began;
    return error;
}

static int take_sync_clean(struct calibration *c, const struct measure *measure, int64_t *ns)
{
    (void)measure;
    return timed_sync(c, c->data, ns);
}

/* bytes / PAGE pages, apart. */
static int take_sync_pages(struct calibration *c, const struct measure *measure, int64_t *ns)
{
    int error = 0;
    for (uint64_t i = 0; !error && i < measure->bytes / PAGE; i++)
        error = file_write(c, c->data, next_page(c) * PAGE, PAGE);
    return error ? error : timed_sync(c, c->data, ns);
}

static int take_sync_piece(struct calibration *c, const struct measure *measure, int64_t *ns)
{
    int error = file_write(c, c->data, 0, measure->bytes);
    return error ? error : timed_sync(c, c->data, ns);
}

static int take_sync_append(struct calibration *c, const struct measure *measure, int64_t *ns)
{
    int error = tail_reset(c, measure->bytes);
    /* A page at a time, as engines write: the kernel writes back what came in large pieces
     * faster. */
    for (uint64_t done = 0; !error && done < measure->bytes; done += PAGE) {
        error = file_write(c, c->tail, c->tail_bytes, PAGE);
        c->tail_bytes += PAGE;
    }
    return error ? error : timed_sync(c, c->tail, ns);
}

static int make_file(struct calibration *c, uint64_t bytes)
{
    struct vfs_file *file;
    int error = vfs_open(c->device->vfs, "calibrate-name", VFS_WRITE | VFS_CREATE, &file);
    if (error) return complain(c, error, "creating a file");
    for (uint64_t at = 0; !error && at < bytes; at += 64 * KIB)
        error = file_write(c, file, at, 64 * KIB);
    if (!error && bytes) error = file_sync(c, file);
    vfs_close(file);
    return error;
}

static int remove_file(struct calibration *c)
{
    int error = vfs_unlink(c->device->vfs, "calibrate-name");
    return error ? complain(c, error, "removing a file") : 0;
}

static int take_sync_directory(struct calibration *c, const struct measure *measure,
                               int64_t *ns)
{
    (void)measure;
    int error = make_file(c, 0);
    if (error) return error;
    int64_t began = now(c);
    error = vfs_sync_dir(c->device->vfs, "");
    *ns = now(c) - began;
    return error ? complain(c, error, "sync of the directory") : remove_file(c);
}

static int take_name_change(struct calibration *c, const struct measure *measure, int64_t *ns)
{
    int error = 0;
    int64_t began = now(c);
    for (uint32_t i = 0; !error && i < measure->calls; i++) {
        error = make_file(c, 0);
        if (!error) error = remove_file(c);
    }
    *ns = now(c) - began;
    return error;
}

static int take_unlink(struct calibration *c, const struct measure *measure, int64_t *ns)
{
    int error = make_file(c, measure->bytes);
    if (error) return error;
    int64_t began = now(c);
    error = remove_file(c);
    *ns = now(c) - began;
    return error;
}

static int take_cold_page(struct calibration *c, const struct measure *measure, int64_t *ns)
{
    uint64_t page = next_page(c);
    int64_t began = now(c);
    int error = file_read(c, page * PAGE, measure->bytes);
    *ns = now(c) - began;
    return error;
}

static int take_cold_piece(struct calibration *c, const struct measure *measure, int64_t *ns)
{
    int error = evict(c);
    if (error) return error;
    uint64_t piece = draw(c, c->pages * PAGE / measure->bytes);
    int64_t began = now(c);
    error = file_read(c, piece * measure->bytes, measure->bytes);
    *ns = now(c) - began;
    return error;
}

static const struct measure measures[CALIBRATE_MEASURES] = {
    [CALIBRATE_READ_100B] = {"read_100b", "cached read of 100 B at random", 100, 64, 1,
                             take_read, warm},
    [CALIBRATE_READ_1KIB] = {"read_1kib", "cached read of 1 KiB", KIB, 64, 1, take_read, NULL},
    [CALIBRATE_READ_4KIB] = {"read_4kib", "cached read of 4 KiB", 4 * KIB, 32, 1, take_read,
                             NULL},
    [CALIBRATE_READ_64KIB] = {"read_64kib", "cached read of 64 KiB", 64 * KIB, 4, 1, take_read,
                              NULL},
    [CALIBRATE_WRITE_100B] = {"write_100b", "buffered append of 100 B", 100, 64, 1, take_write,
                              settle_tail},
    [CALIBRATE_WRITE_1KIB] = {"write_1kib", "buffered append of 1 KiB", KIB, 64, 1, take_write,
                              settle_tail},
    [CALIBRATE_WRITE_4KIB] = {"write_4kib", "buffered append of 4 KiB", 4 * KIB, 32, 1,
                              take_write, settle_tail},
    [CALIBRATE_WRITE_64KIB] = {"write_64kib", "buffered append of 64 KiB", 64 * KIB, 4, 1,
                               take_write, settle_tail},
    [CALIBRATE_SYNC_CLEAN] = {"sync_clean", "sync, nothing to write", 0, 1, 2, take_sync_clean,
                              NULL},
    [CALIBRATE_SYNC_OVERWRITE] = {"sync_overwrite", "sync of an overwritten page", 4 * KIB, 1,
                                  5, take_sync_pages, NULL},
    [CALIBRATE_SYNC_APPEND] = {"sync_append", "sync of an appended page", 4 * KIB, 1, 5,
                               take_sync_append, settle_tail},
    [CALIBRATE_SYNC_64] = {"sync_64", "sync of 64 pages, scattered", 64 * PAGE, 1, 2,
                           take_sync_pages, NULL},
    [CALIBRATE_SYNC_256] = {"sync_256", "sync of 256 pages, scattered", 256 * PAGE, 1, 3,
                            take_sync_pages, NULL},
    [CALIBRATE_SYNC_256KIB] = {"sync_256kib", "sync of 256 KiB in one piece", 256 * KIB, 1, 1,
                               take_sync_piece, NULL},
    [CALIBRATE_SYNC_4MIB] = {"sync_4mib", "sync of 4 MiB in one piece", 4 * MIB, 1, 3,
                             take_sync_piece, NULL},
    [CALIBRATE_SYNC_256KIB_NEW] = {"sync_256kib_new", "sync of 256 KiB appended", 256 * KIB, 1,
                                   1, take_sync_append, settle_tail},
    [CALIBRATE_SYNC_4MIB_NEW] = {"sync_4mib_new", "sync of 4 MiB appended", 4 * MIB, 1, 3,
                                 take_sync_append, settle_tail},
    [CALIBRATE_SYNC_DIRECTORY] = {"sync_directory", "sync of a new name", 0, 1, 2,
                                  take_sync_directory, NULL},
    [CALIBRATE_NAME_CHANGE] = {"name_change", "make and remove a file", 0, 8, 1,
                               take_name_change, NULL},
    [CALIBRATE_UNLINK_4MIB] = {"unlink_4mib", "remove a cached file of 4 MiB", 4 * MIB, 1, 3,
                               take_unlink, NULL},
    [CALIBRATE_COLD_4KIB] = {"cold_4kib", "cold read of 4 KiB at random", 4 * KIB, 1, 4,
                             take_cold_page, evict},
    [CALIBRATE_COLD_128KIB] = {"cold_128kib", "cold read of 128 KiB", 128 * KIB, 1, 1,
                               take_cold_piece, NULL},
    [CALIBRATE_COLD_1MIB] = {"cold_1mib", "cold read of 1 MiB", MIB, 1, 2, take_cold_piece,
                             NULL},
};

/* ---- the rounds ---- */

static int take_turn(struct calibration *c, enum calibrate_measure which, int64_t slice_ns)
{
    const struct measure *measure = &measures[which];
    struct samples *samples = &c->samples[which];
    int error = measure->prepare ? measure->prepare(c) : 0;
    int64_t until = now(c) + slice_ns;
    uint32_t most = c->request->samples_most;
    /* A turn stays within one round trip, so that no page is read twice. */
    if (most > c->pages / 2) most = (uint32_t)(c->pages / 2);
    for (uint32_t n = 0; !error && n < most && (n < 2 || now(c) < until); n++) {
        int64_t ns = 0;
        error = measure->take(c, measure, &ns);
        if (error) break;
        if (samples->count == samples->capacity) {
            samples->capacity = samples->capacity ? samples->capacity * 2 : 256;
            samples->items =
                xrealloc(samples->items, samples->capacity * sizeof *samples->items);
        }
        samples->items[samples->count++] = (ns + measure->calls / 2) / measure->calls;
        if (c->device->is_stopped && c->device->is_stopped(c->device->context))
            error = complain(c, -EINTR, "stopped");
    }
    return error;
}

static int take_all(struct calibration *c)
{
    const struct calibrate_request *request = c->request;
    uint32_t weights = 0, done = 0, total = request->rounds * CALIBRATE_MEASURES;
    for (uint32_t m = 0; m < CALIBRATE_MEASURES; m++) weights += measures[m].weight;
    for (uint32_t round = 0; round < request->rounds; round++)
        for (uint32_t m = 0; m < CALIBRATE_MEASURES; m++) {
            int64_t slice = request->budget_ns * measures[m].weight / weights / request->rounds;
            if (request->progress)
                request->progress(request->progress_context, done++, total, measures[m].doc);
            int error = take_turn(c, (enum calibrate_measure)m, slice);
            if (error) return error;
        }
    return 0;
}

/* The files. Written a page at a time, as engines write. */
static int set_up(struct calibration *c)
{
    struct vfs *vfs = c->device->vfs;
    uint32_t flags = VFS_WRITE | VFS_CREATE | VFS_TRUNCATE;
    int error = vfs_open(vfs, "calibrate-data", flags, &c->data);
    if (error) return complain(c, error, "creating a file");
    error = vfs_open(vfs, "calibrate-tail", flags, &c->tail);
    if (error) return complain(c, error, "creating a file");
    for (uint64_t page = 0; !error && page < c->pages; page++)
        error = file_write(c, c->data, page * PAGE, PAGE);
    if (!error) error = file_sync(c, c->data);
    if (error) return error;
    error = vfs_sync_dir(vfs, "");
    return error ? complain(c, error, "sync of the directory") : 0;
}

static void tear_down(struct calibration *c)
{
    if (c->data) vfs_close(c->data);
    if (c->tail) vfs_close(c->tail);
    static const char *const names[] = {"calibrate-data", "calibrate-tail", "calibrate-name"};
    for (size_t i = 0; i < 3; i++) vfs_unlink(c->device->vfs, names[i]);
}

/* ---- from samples to numbers ---- */

static int by_value(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* Of sorted samples. */
static int64_t quantile(const struct samples *samples, uint32_t ppm)
{
    uint64_t rank = ((uint64_t)(samples->count - 1) * ppm + 500000) / 1000000;
    return samples->items[rank];
}

static double median(const struct calibration *c, enum calibrate_measure which)
{
    return (double)quantile(&c->samples[which], 500000);
}

static const uint32_t shares[CALIBRATE_POINTS] = {
    10000, 50000, 100000, 250000, 500000, 750000, 900000, 950000, 990000, 999000, 1000000};

static int64_t rounded(double x)
{
    return x > 0 ? (int64_t)(x + 0.5) : 0;
}

/* Bytes a second, to the MB; ns_a_byte 0 or less: no limit that can be seen. */
static int64_t rate_of(double ns_a_byte)
{
    if (ns_a_byte <= 0) return 0;
    int64_t megabytes = rounded(1e3 / ns_a_byte);
    return (megabytes ? megabytes : 1) * 1000000;
}

#define TERMS 3u /* a call, a byte, a call that needs a new page */

/* Solves the normal equations of the terms in use, by elimination; false: they are dependent.
 */
static bool solve(double matrix[TERMS][TERMS + 1], const bool *used, double *x)
{
    for (uint32_t i = 0; i < TERMS; i++) {
        if (!used[i]) continue;
        double pivot = matrix[i][i];
        if (!(pivot > 0)) return false;
        for (uint32_t k = 0; k <= TERMS; k++) matrix[i][k] /= pivot;
        for (uint32_t row = 0; row < TERMS; row++) {
            if (row == i || !used[row]) continue;
            double times = matrix[row][i];
            for (uint32_t k = 0; k <= TERMS; k++) matrix[row][k] -= times * matrix[i][k];
        }
    }
    for (uint32_t i = 0; i < TERMS; i++) x[i] = used[i] ? matrix[i][TERMS] : 0;
    return true;
}

/* The terms that explain the medians of four sizes with the least relative error. If one comes
 * out negative the page is left out: no cost is below nothing. */
static void fit(const struct calibration *c, enum calibrate_measure first, bool appends,
                double x[TERMS])
{
    bool used[TERMS] = {true, true, appends};
    for (;;) {
        double matrix[TERMS][TERMS + 1] = {{0}};
        for (uint32_t i = 0; i < 4; i++) {
            double y = median(c, (enum calibrate_measure)(first + i));
            double bytes = (double)measures[first + i].bytes, page = bytes / (double)PAGE;
            double row[TERMS + 1] = {1, bytes, page < 1 ? page : 1, y};
            for (uint32_t k = 0; k < TERMS; k++)
                for (uint32_t m = 0; m <= TERMS; m++)
                    matrix[k][m] += row[k] * row[m] / (y > 1 ? y * y : 1);
        }
        bool solved = solve(matrix, used, x);
        if (used[2] && (!solved || x[0] < 0 || x[1] < 0 || x[2] < 0)) {
            used[2] = false;
            continue;
        }
        for (uint32_t k = 0; k < TERMS; k++)
            if (!solved || x[k] < 0) x[k] = 0;
        return;
    }
}

/* A table of samples less a constant. */
static struct dist table(const struct samples *samples, double less, struct dist_point *points)
{
    for (uint32_t i = 0; i < CALIBRATE_POINTS; i++)
        points[i] = (struct dist_point){shares[i],
                                        rounded((double)quantile(samples, shares[i]) - less)};
    return (struct dist){
        .kind = DIST_EMPIRICAL, .points = points, .points_count = CALIBRATE_POINTS};
}

/* What it takes when nothing comes between: the lower quartile. */
static double undisturbed(const struct calibration *c, enum calibrate_measure which)
{
    return (double)quantile(&c->samples[which], 250000);
}

static double beyond(const struct calibration *c, enum calibrate_measure more,
                     enum calibrate_measure less)
{
    double ns = undisturbed(c, more) - undisturbed(c, less);
    return ns > 0 ? ns : 0;
}

/* ns a byte between two sizes. */
static double slope(const struct calibration *c, enum calibrate_measure small,
                    enum calibrate_measure large)
{
    return beyond(c, large, small) / (double)(measures[large].bytes - measures[small].bytes);
}

static void derive(struct calibration *c, struct calibrate_result *result)
{
    struct disk_config *config = &result->config;
    double read[TERMS], write[TERMS];
    fit(c, CALIBRATE_READ_100B, false, read);
    fit(c, CALIBRATE_WRITE_100B, true, write);
    double hit = read[0], copy_read = read[1];
    double read_byte = slope(c, CALIBRATE_COLD_128KIB, CALIBRATE_COLD_1MIB) - copy_read;
    double write_byte = slope(c, CALIBRATE_SYNC_256KIB, CALIBRATE_SYNC_4MIB);
    double grow_byte =
        slope(c, CALIBRATE_SYNC_256KIB_NEW, CALIBRATE_SYNC_4MIB_NEW) - write_byte;
    if (read_byte < 0) read_byte = 0;
    if (grow_byte < 0) grow_byte = 0;
    double moved = write_byte * (double)PAGE;
    double access = beyond(c, CALIBRATE_SYNC_OVERWRITE, CALIBRATE_SYNC_CLEAN) - moved;
    if (access < 0) access = 0;
    double page = slope(c, CALIBRATE_SYNC_64, CALIBRATE_SYNC_256) * (double)PAGE;
    double deep = page > moved * 1.05 ? (access + moved) / page : QUEUE_DEPTH_MOST;
    int64_t depth = rounded(deep);
    double name = (median(c, CALIBRATE_NAME_CHANGE) - hit) / 2;
    if (name < 0) name = 0;

    *config = (struct disk_config){
        .read_bytes_per_s = rate_of(read_byte),
        .write_bytes_per_s = rate_of(write_byte),
        .queue_depth = depth < 1                  ? 1
                       : depth > QUEUE_DEPTH_MOST ? QUEUE_DEPTH_MOST
                                                  : depth,
        .cache_bytes = (int64_t)c->request->cache_bytes,
        .cache_hit_ns = rounded(hit),
        .cache_write_ns = rounded(write[0]),
        .copy_read_bytes_per_s = rate_of(copy_read),
        .copy_write_bytes_per_s = rate_of(write[1]),
        .new_page_ns = rounded(write[2]),
        .name_ns = rounded(name),
        .grow_bytes_per_s = rate_of(grow_byte),
        .free_bytes_per_s =
            rate_of((undisturbed(c, CALIBRATE_UNLINK_4MIB) - name) / (double)(4 * MIB)),
        .power_mode = DISK_SUBSET,
        .directory_mode = DISK_DIR_ORDERED,
    };
    config->read_latency = table(&c->samples[CALIBRATE_COLD_4KIB],
                                 hit + (copy_read + read_byte) * (double)PAGE, result->read);
    config->write_latency = (struct dist){.kind = DIST_CONSTANT, .a = rounded(access)};
    config->sync_latency =
        table(&c->samples[CALIBRATE_SYNC_OVERWRITE], access + moved, result->sync);
    double metadata = beyond(c, CALIBRATE_SYNC_APPEND, CALIBRATE_SYNC_OVERWRITE);
    config->sync_metadata =
        (struct dist){.kind = DIST_CONSTANT, .a = rounded(metadata - grow_byte * (double)PAGE)};
}

static void fill_rows(struct calibration *c, struct calibrate_result *result)
{
    for (uint32_t m = 0; m < CALIBRATE_MEASURES; m++) {
        struct samples *samples = &c->samples[m];
        qsort(samples->items, samples->count, sizeof *samples->items, by_value);
        result->rows[m] = (struct calibrate_row){
            .name = measures[m].name,
            .doc = measures[m].doc,
            .bytes = measures[m].bytes,
            .samples = samples->count,
            .p10 = quantile(samples, 100000),
            .p50 = quantile(samples, 500000),
            .p90 = quantile(samples, 900000),
            .p99 = quantile(samples, 990000),
            .most = quantile(samples, 1000000),
        };
    }
}

int calibrate_run(const struct calibrate_device *device,
                  const struct calibrate_request *request, struct calibrate_result **out,
                  char *error, size_t error_size)
{
    CHECK(request->file_bytes >= 8 * MIB);
    CHECK(request->rounds >= 1);
    CHECK(request->samples_most >= 2);
    struct calibration c = {.device = device,
                            .request = request,
                            .pages = 1,
                            .random = 42,
                            .error = error,
                            .error_size = error_size};
    while (c.pages * 2 * PAGE <= request->file_bytes) c.pages *= 2;
    c.buffer = xmalloc(BUFFER_BYTES);
    for (uint64_t i = 0; i < BUFFER_BYTES; i++) c.buffer[i] = (unsigned char)mix64(i);
    int status = set_up(&c);
    if (!status) status = take_all(&c);
    tear_down(&c);
    if (!status) {
        struct calibrate_result *result = xcalloc(1, sizeof *result);
        fill_rows(&c, result);
        derive(&c, result);
        *out = result;
    }
    for (uint32_t m = 0; m < CALIBRATE_MEASURES; m++) free(c.samples[m].items);
    free(c.buffer);
    return status;
}

void calibrate_destroy(struct calibrate_result *result)
{
    free(result);
}

/* ---- the simulated disk as a device ---- */

static int64_t simulated_now(void *context)
{
    return disk_cursor(context);
}

static int simulated_evict(void *context, const char *path)
{
    (void)path;
    disk_evict(context, disk_cursor(context) + 1);
    return 0;
}

struct calibrate_device calibrate_simulated(struct disk *disk)
{
    return (struct calibrate_device){.vfs = disk_vfs(disk),
                                     .now_ns = simulated_now,
                                     .evict = simulated_evict,
                                     .context = disk};
}
