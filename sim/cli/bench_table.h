/* The tables of `faultline bench engines`. */
#ifndef FAULTLINE_SIM_CLI_BENCH_TABLE_H
#define FAULTLINE_SIM_CLI_BENCH_TABLE_H

#include "sim/bench/engine_bench.h"

/* rows[keys][workload][engine], complete. */
void bench_table_print(FILE *out, const struct bench_row *const *rows, size_t keys,
                       size_t workloads, size_t engines);

#endif
