/* The two places.
 *
 * CPU time of an engine on a simulated disk. Reading a CPU clock is a system call of 200 ns and
 * more, as long as a whole read of a hash index; the monotonic clock is read in 25 ns without
 * one, but runs on while another process has the core. So a segment (from the engine being
 * entered, or coming back from the vfs, to its next call of the vfs or its return) is timed by
 * the monotonic clock, and only a segment longer than SUSPECT_NS is judged by the CPU clock:
 * both clocks were read together at a mark at most MARK_NS before, and whatever the CPU clock
 * has run less than the other since then was somebody else's. What reading the clock twice
 * costs is measured once and taken off each segment. With cpu_whole the driver's code counts
 * like the engine's, so that nothing but the disk differs from a run on real files: the meter
 * then runs from the start, and pauses in the vfs and for what only a simulation does.
 */
#define _GNU_SOURCE
#include "sim/bench/place.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sim/bench/engine_bench.h"
#include "sim/kernel/check.h"
#include "sim/world/heap.h"

#define SUSPECT_NS 30000
#define MARK_NS 1000000
#define CALIBRATION_ROUNDS 1001

static int64_t clock_ns(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t host_mono_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

int64_t host_cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

int64_t host_wait_ns(void)
{
    long long ran, waited = 0;
    FILE *in = fopen("/proc/self/schedstat", "r");
    if (!in) return 0;
    if (fscanf(in, "%lld %lld", &ran, &waited) != 2) waited = 0;
    fclose(in);
    return waited;
}

int64_t host_system_ns(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage)) return 0;
    return (int64_t)usage.ru_stime.tv_sec * NS_PER_S + usage.ru_stime.tv_usec * NS_PER_US;
}

/* ---- memory ---- */

static void *memory_resize(void *context, void *block, size_t old_size, size_t new_size)
{
    struct place_memory *memory = context;
    void *fresh = memory->inner->resize(memory->inner->context, block, old_size, new_size);
    if (!fresh && new_size) return NULL;
    memory->bytes += new_size - old_size;
    if (memory->bytes > memory->bytes_max) memory->bytes_max = memory->bytes;
    return fresh;
}

/* ---- the engine's CPU time ---- */

static void meter_mark(struct place_meter *meter)
{
    meter->mark_cpu_ns = host_cpu_ns();
    meter->mark_mono_ns = host_mono_ns();
}

static void meter_segment_begin(struct place_meter *meter)
{
    meter->in_engine = true;
    meter->begun_ns = host_mono_ns();
    /* Between segments others may have had the core: a mark from before that would be held
     * against this segment. */
    if (meter->begun_ns - meter->mark_mono_ns <= MARK_NS) return;
    meter_mark(meter);
    meter->begun_ns = host_mono_ns();
}

/* Returns the CPU time of the segment. */
static int64_t meter_segment_end(struct place_meter *meter)
{
    int64_t now = host_mono_ns(), spent = now - meter->begun_ns;
    meter->in_engine = false;
    if (spent > SUSPECT_NS) {
        int64_t cpu =
            host_cpu_ns() - meter->mark_cpu_ns - (meter->begun_ns - meter->mark_mono_ns);
        if (cpu < 0) cpu = 0;
        if (cpu < spent) spent = cpu;
        meter_mark(meter);
    } else if (now - meter->mark_mono_ns > MARK_NS) {
        meter_mark(meter);
    }
    spent -= meter->pair_cost_ns;
    if (spent < 0) spent = 0;
    meter->cpu_ns += spent;
    return spent;
}

void place_meter_begin(struct place *place)
{
    meter_segment_begin(&place->meter);
}

void place_meter_end(struct place *place)
{
    int64_t spent = meter_segment_end(&place->meter);
    disk_set_cursor(place->disk, disk_cursor(place->disk) + spent);
}

/* Around what a run on real files has no counterpart of. */
static void meter_pause(struct place *place)
{
    if (place->meter.is_whole) place_meter_end(place);
}

static void meter_resume(struct place *place)
{
    if (place->meter.is_whole) meter_segment_begin(&place->meter);
}

/* The engine calls its vfs: its clock stops. Calls from outside the engine are nobody's. */
static void meter_enter(void *context)
{
    struct place *place = context;
    if (place->meter.in_engine) place_meter_end(place);
}

static void meter_leave(void *context)
{
    struct place *place = context;
    meter_segment_begin(&place->meter);
}

static void meter_start(struct place *place, bool is_whole)
{
    struct place_meter *meter = &place->meter;
    int64_t least = INT64_MAX;
    for (int i = 0; i < CALIBRATION_ROUNDS; i++) {
        meter_segment_begin(meter);
        int64_t cost = host_mono_ns() - meter->begun_ns;
        if (cost < least) least = cost;
    }
    *meter = (struct place_meter){.is_on = true, .pair_cost_ns = least};
    meter_mark(meter);
    place->counting.enter = meter_enter;
    place->counting.leave = meter_leave;
    place->counting.context = place;
    meter->is_whole = is_whole;
    meter_resume(place);
}

/* ---- life ---- */

static void disk_open(struct place *place)
{
    place->disk = disk_create(&place->disk_config, place->seed, "disk", NULL);
    disk_begin(place->disk, 0);
    place->counting.inner = disk_vfs(place->disk);
}

int place_init(struct place *place, const struct bench_config *config)
{
    memset(place, 0, sizeof *place);
    place->open_error.allocator = &allocator_system;
    place->memory.allocator = (struct allocator){memory_resize, &place->memory};
    counting_vfs_init(&place->counting, NULL, &allocator_system);
    place->host = (struct engine_host){.vfs = &place->counting.base,
                                       .allocator = &place->memory.allocator,
                                       .check_failed = posix_check_failed,
                                       .open_error = &place->open_error};
    if (!config->disk) {
        if (snprintf(place->root, sizeof place->root, "%s", config->folder) >=
            (int)sizeof place->root)
            return -ENAMETOOLONG;
        int err = posix_vfs_create(place->root, &place->posix);
        if (err) return err;
        place->counting.inner = place->posix;
        place->memory.inner = &allocator_system;
        return place_wipe(place);
    }
    place->disk_config = *config->disk;
    place->seed = config->seed;
    place->heap = heap_create(0);
    place->memory.inner = heap_allocator(place->heap);
    place->counting.allocator = heap_allocator(place->heap); /* handles go with their process */
    disk_open(place);
    if (config->cpu_measured) meter_start(place, config->cpu_whole);
    return 0;
}

void place_deinit(struct place *place)
{
    buffer_deinit(&place->open_error);
    if (place->posix) {
        place_wipe(place);
        posix_vfs_destroy(place->posix);
    }
    if (place->disk) {
        disk_end(place->disk);
        disk_destroy(place->disk);
        heap_destroy(place->heap);
    }
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path) ? -errno : 0;
}

int place_wipe(struct place *place)
{
    if (place->disk) {
        meter_pause(place);
        disk_end(place->disk);
        disk_destroy(place->disk);
        disk_open(place);
        meter_resume(place);
        return 0;
    }
    char path[sizeof place->root + sizeof PLACE_STORE + 1];
    snprintf(path, sizeof path, "%s/" PLACE_STORE, place->root);
    struct stat status;
    if (lstat(path, &status) != 0) return errno == ENOENT ? 0 : -errno;
    return nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void place_died(struct place *place)
{
    CHECK(place->disk);
    meter_pause(place);
    int64_t now = disk_end(place->disk) + 1;
    disk_crash(place->disk, now);
    heap_reset(place->heap);
    place->memory.bytes = 0;
    disk_begin(place->disk, now);
    meter_resume(place);
}

/* ---- clocks and sizes ---- */

int64_t place_now(struct place *place)
{
    if (!place->disk) return host_mono_ns();
    meter_pause(place);
    int64_t now = disk_cursor(place->disk);
    meter_resume(place);
    return now;
}

int64_t place_cpu(struct place *place)
{
    if (place->meter.is_whole) place_now(place); /* up to here */
    if (place->meter.is_on) return place->meter.cpu_ns;
    return place->disk ? 0 : host_cpu_ns();
}

void place_settle(struct place *place)
{
    if (!place->disk) return;
    meter_pause(place);
    int64_t cursor = disk_end(place->disk);
    disk_settle(place->disk, cursor);
    disk_begin(place->disk, cursor);
    meter_resume(place);
}

static uint64_t block_bytes; /* nftw has no context */

static int sum_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)path;
    (void)ftw;
    if (type == FTW_F) block_bytes += (uint64_t)status->st_blocks * 512;
    return 0;
}

uint64_t place_disk_bytes(struct place *place)
{
    if (place->disk) return disk_used_bytes(place->disk);
    char path[sizeof place->root + sizeof PLACE_STORE + 1];
    snprintf(path, sizeof path, "%s/" PLACE_STORE, place->root);
    block_bytes = 0;
    nftw(path, sum_one, 16, FTW_PHYS);
    return block_bytes;
}
