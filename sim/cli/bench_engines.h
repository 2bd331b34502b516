/* `faultline bench engines`: what the storage engines cost, on real files or a simulated disk.
 */
#ifndef FAULTLINE_SIM_CLI_BENCH_ENGINES_H
#define FAULTLINE_SIM_CLI_BENCH_ENGINES_H

#include "sim/bench/engine_bench.h"
#include "sim/kernel/arena.h"

#define LIST_MAX 64u

/* The command line, judged. */
struct bench_input {
    const char *real, *preset, *fidelity, *out; /* one of the first three */
    struct disk_config disk;                    /* of `preset`, or `--disk` where has_disk */
    bool has_disk, has_cpu, has_seed;           /* given on the command line */
    const char *disk_name;                      /* of --disk */
    struct arena *arena; /* of a disk that came from a file, and of messages */
    const char *set[LIST_MAX];
    size_t set_count;
    const struct engine_ops *engines[LIST_MAX];
    void *options[LIST_MAX]; /* one struct an engine */
    size_t engines_count;
    const struct bench_workload *workloads[LIST_MAX];
    size_t workloads_count;
    uint64_t keys[LIST_MAX];
    size_t keys_count;
    uint64_t value_size, batch_size, repeat, seed, budget_s;
    bool json, cpu_measured, failed;
};

/* argv[0] is "engines"; returns an exit status. */
int bench_engines(int argc, char **argv);
/* One engine's turn: on real files in folder, or on the simulated disk where that is NULL. */
struct bench_config bench_config_of(const struct bench_input *in, size_t engine, uint64_t keys,
                                    const char *folder);
/* The folder of --out (NULL: none), before anything is measured; false when reported. */
bool bench_out_make(const char *out);
/* Zeroed, and not seen by the children, whose resident memory is measured; munmap frees it. */
struct bench_row *bench_rows_map(size_t size);

#endif
