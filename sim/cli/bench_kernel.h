/* `faultline bench kernel`: how fast events pass. */
#ifndef FAULTLINE_SIM_CLI_BENCH_KERNEL_H
#define FAULTLINE_SIM_CLI_BENCH_KERNEL_H

/* argv[0] is "kernel"; returns an exit status. */
int bench_kernel(int argc, char **argv);

#endif
