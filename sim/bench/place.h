/* Where an engine is measured: below a folder of real files, or on a simulated disk.
 *
 *     struct place place;
 *     int err = place_init(&place, &config);      // the store is empty
 *     ... engine_open(ops, &place.host, PLACE_STORE, ...) ...
 *     place_died(&place);                         // its process died; engine memory is gone
 *     place_wipe(&place);                         // an empty store
 *     place_deinit(&place);
 *
 * All that the engine writes, reads and allocates is counted. On a simulated disk time is the
 * disk's cursor; with cpu_measured the engine's own CPU time on this host is added to it.
 */
#ifndef FAULTLINE_SIM_BENCH_PLACE_H
#define FAULTLINE_SIM_BENCH_PLACE_H

#include "engines/storage/counting_vfs.h"
#include "engines/storage/engine.h"
#include "sim/world/disk.h"

#define PLACE_STORE "store"

struct bench_config;
struct heap;

struct place_memory {
    struct allocator allocator;
    const struct allocator *inner;
    uint64_t bytes, bytes_max;
};

/* The engine's CPU time, by the monotonic clock between the moments at which it runs; see
 * place.c. */
struct place_meter {
    bool is_on, in_engine;
    bool is_whole; /* it runs whenever the disk does not, not only in calls of the engine */
    int64_t begun_ns, cpu_ns;          /* engine entered at; engine's CPU so far */
    int64_t mark_mono_ns, mark_cpu_ns; /* both clocks at one moment not long ago */
    int64_t pair_cost_ns;              /* of one begin and end by themselves */
};

struct place {
    struct engine_host host;
    struct buffer open_error;
    struct counting_vfs counting;
    struct place_memory memory;
    struct place_meter meter;
    char root[4096]; /* real */
    struct vfs *posix;
    struct disk_config disk_config; /* simulated */
    uint64_t seed;
    struct disk *disk;
    struct heap *heap;
};

int place_init(struct place *place, const struct bench_config *config);
void place_deinit(struct place *place);
int place_wipe(struct place *place); /* 0 or -errno */
void place_died(
    struct place *place); /* no engine is open; simulated only: real processes die */

/* Nanoseconds of the place's clock: monotonic, or virtual. */
int64_t place_now(struct place *place);
/* CPU time: of this process; with cpu_measured on a simulated disk, the engine's. */
int64_t place_cpu(struct place *place);
uint64_t place_disk_bytes(struct place *place); /* blocks allocated, or bytes used */
/* Lets the simulated disk forget what can no longer be taken back. */
void place_settle(struct place *place);

/* Around calls of the engine whose CPU time counts; nothing where it is not measured. */
void place_meter_begin(struct place *place);
void place_meter_end(struct place *place);
static inline void place_begin(struct place *place)
{
    if (place->meter.is_on && !place->meter.is_whole) place_meter_begin(place);
}
static inline void place_end(struct place *place)
{
    if (place->meter.is_on && !place->meter.is_whole) place_meter_end(place);
}

int64_t host_mono_ns(void);
int64_t host_cpu_ns(void); /* of this process, user and system */
/* How long this process was ready to run and did not: others had the CPUs (the kernel's
 * schedstat; 0 where there is none). */
int64_t host_wait_ns(void);
int64_t host_system_ns(void); /* CPU time of this process inside the kernel */

#endif
