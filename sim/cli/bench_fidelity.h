/* `faultline bench engines --fidelity DIR`: is the simulation true? */
#ifndef FAULTLINE_SIM_CLI_BENCH_FIDELITY_H
#define FAULTLINE_SIM_CLI_BENCH_FIDELITY_H

#include "sim/cli/bench_engines.h"

int bench_fidelity(struct bench_input *in); /* an exit status */

#endif
