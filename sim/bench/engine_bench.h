/* The engine benchmark: one engine, a list of workloads, one store, in a process of its own.
 *
 *     struct bench_config config;
 *     bench_config_init(&config, &engine_hash);
 *     config.disk = &disk_preset_find("ssd_plp")->config;      // or config.folder = "..."
 *     config.keys = 100000;
 *     config.workloads = list; config.workloads_count = n;     // from bench_workload_find()
 *     int err = bench_run(&config, &watcher, error, sizeof error);
 *
 * bench_run forks: the child runs the workloads in the given order and reports each row as it
 * is done, so that resident memory is the engine's own and a crash or a hang of the engine is a
 * message. A workload that needs a loaded store gets one (fillrandom, unmeasured) unless the
 * one before left the right keys. What is counted as an operation, and the orders: stream.h.
 *
 * Background work: after each write, maintain() is called with maintain_bytes until it says
 * that there is no more; its time and its CPU count in `seconds` and `cpu_seconds`, not in the
 * latencies, which are those of the call itself.
 *
 * On a simulated disk without cpu_measured everything but `host_*` is a function of the
 * configuration alone.
 */
#ifndef FAULTLINE_SIM_BENCH_ENGINE_BENCH_H
#define FAULTLINE_SIM_BENCH_ENGINE_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "engines/storage/counting_vfs.h"
#include "engines/storage/engine.h"
#include "sim/bench/histogram.h"
#include "sim/bench/stream.h"
#include "sim/world/disk.h"

#define BENCH_PROPERTIES_MAX 48u
#define BENCH_SKIP_SIZE 48u

struct bench_config {
    const struct engine_ops *engine;
    const void *options;            /* the engine's own struct; NULL: its defaults */
    const char *folder;             /* real: an existing folder that is the benchmark's alone */
    const struct disk_config *disk; /* simulated, instead of folder */
    bool cpu_measured; /* simulated: add the engine's CPU time on this host to virtual time */
    bool cpu_whole;    /* with cpu_measured: all that runs beside the disk counts, the driver's
                          keys, values and checks too, as it does on real files */
    uint64_t seed;     /* of the simulated disk */
    uint64_t keys;     /* 1 .. BENCH_KEYS_MAX */
    uint32_t value_size; /* 1 .. BENCH_VALUE_SIZE_MAX */
    uint32_t batch_size; /* puts a batch; 0: what the workload says, else 1 */
    int64_t budget_ns; /* of the place's clock, for a workload other than a fill; then it stops
                          and the row says how far it came */
    uint64_t maintain_bytes; /* budget of one maintain() */
    int32_t silence_s;       /* a child that says nothing for so long hangs, and is killed */
    const struct bench_workload *const *workloads;
    size_t workloads_count;
};

/* Defaults: 100,000 keys of 100 B, 10 s, 1 MiB a slice, 300 s of silence. */
void bench_config_init(struct bench_config *config, const struct engine_ops *engine);

struct bench_property {
    char name[40];
    uint64_t value;
};

/* One workload done. Plain data: it crosses a pipe. */
struct bench_row {
    char engine[24], workload[24];
    char skipped[BENCH_SKIP_SIZE]; /* why it was not run; "" when it was */
    uint64_t keys;
    uint32_t value_size, batch_size;
    uint64_t operations, planned; /* done; planned > done when the budget ended it */
    int64_t elapsed_ns, cpu_ns;   /* of the place's clocks; cpu_ns 0: not measured */
    int64_t close_ns;             /* of closing the store after writes; not in elapsed_ns, its
                                     CPU is in cpu_ns */
    int64_t host_elapsed_ns, host_cpu_ns;
    int64_t host_system_ns; /* of host_cpu_ns: inside the kernel */
    int64_t
        host_wait_ns; /* of host_elapsed_ns: ready to run, and other processes had the CPUs */
    uint64_t puts, gets, entries;  /* entries: that scans returned */
    uint64_t user_write_bytes;     /* keys and values put */
    uint64_t user_read_bytes;      /* keys and values returned */
    struct vfs_counters all;       /* through the vfs, from begin to end of the row */
    struct vfs_counters puts_only; /* of that, inside write(): what a caller waits for */
    uint64_t device_write_bytes, device_read_bytes; /* real: /proc/self/io; pages counted when
                                                       they first become dirty */
    uint64_t disk_bytes, live_bytes; /* at the end: files, and keys and values in them */
    uint64_t resident_bytes;         /* real: the most of the process (VmHWM); simulated:
                                        the most that the engine had allocated */
    uint64_t allocated_bytes_max;    /* by the engine, in this workload */
    uint64_t idle_bytes;             /* allocated at its end */
    uint64_t write_stalls;
    struct engine_stats stats; /* at its end */
    uint64_t latency_every;    /* one operation in so many was timed */
    struct histogram latency;  /* of a call: a put or batch, get, scan, open */
    uint64_t checksum;         /* sum of all values read, by 8-byte words */
    uint32_t rounds; /* of which this row is the median; the caller of bench_run fills these */
    double rate_best, rate_worst; /* of the rounds, by bench_judged_rate() */
    uint32_t properties_count;
    struct bench_property properties[BENCH_PROPERTIES_MAX];
};

struct bench_watcher {
    void (*row)(void *context, const struct bench_row *row);
    /* What is going on, some ten times a second; may be NULL. */
    void (*progress)(void *context, const char *engine, const char *workload, uint64_t done,
                     uint64_t planned);
    void *context;
};

/* 0; or -errno with a sentence in `error`: the engine failed, answered wrongly (-EBADMSG), died
 * or hung. */
int bench_run(const struct bench_config *config, const struct bench_watcher *watcher,
              char *error, size_t error_size);

/* ---- figures of a row; false: it has no meaning for the workload ---- */
double bench_seconds(const struct bench_row *row);
double bench_rate(const struct bench_row *row);                 /* operations a second */
bool bench_cpu_rate(const struct bench_row *row, double *rate); /* ... a CPU-second */
/* What rows are compared by: operations a CPU-second where CPU is measured (other processes of
 * the host disturb it least), else a second; 0 where neither took any time. */
double bench_judged_rate(const struct bench_row *row);
/* Bytes written through the vfs over bytes put; read over bytes returned; on disk over live. */
bool bench_write_amplification(const struct bench_row *row, double *factor);
bool bench_read_amplification(const struct bench_row *row, double *factor);
bool bench_space_amplification(const struct bench_row *row, double *factor);
/* Inside write(): syncs a put; bytes beyond key and value a put. */
bool bench_syncs_per_put(const struct bench_row *row, double *syncs);
bool bench_extra_bytes_per_put(const struct bench_row *row, double *bytes);

/* One JSON object and a newline (sim/bench/README.md has the names). is_real: host figures are
 * the figures; else they stand in the member `host`. */
void bench_row_json(FILE *out, const struct bench_row *row, bool is_real);

#endif
