/* The child's half of bench_run(): runs the workloads and writes messages to a descriptor.
 * Private to sim/bench. */
#ifndef FAULTLINE_SIM_BENCH_DRIVER_H
#define FAULTLINE_SIM_BENCH_DRIVER_H

#include "sim/bench/engine_bench.h"

enum message_kind { MESSAGE_PROGRESS, MESSAGE_ROW, MESSAGE_ERROR, MESSAGE_DONE };

/* Before each body, whose size it says. */
struct message {
    uint32_t kind, size;
};
struct progress_message {
    uint64_t done, planned;
    char workload[24];
};
#define ERROR_TEXT_SIZE 512u
struct error_message {
    int error; /* negative errno */
    char text[ERROR_TEXT_SIZE];
};

/* Ends the messages with MESSAGE_DONE or MESSAGE_ERROR. */
void driver_run(const struct bench_config *config, int out);

#endif
