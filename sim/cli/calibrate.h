/* The real disk below a folder, measured for others than the command itself. */
#ifndef FAULTLINE_SIM_CLI_CALIBRATE_H
#define FAULTLINE_SIM_CLI_CALIBRATE_H

#include "sim/bench/calibrate.h"

/* An exit status: EXIT_MET and *out, or after a message. Shows its progress. */
int calibrate_folder(const char *dir, int64_t budget_ns, struct calibrate_result **out);

#endif
