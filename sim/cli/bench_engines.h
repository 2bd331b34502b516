/* `faultline bench engines`: what the storage engines cost, on real files or a simulated disk.
 */
#ifndef FAULTLINE_SIM_CLI_BENCH_ENGINES_H
#define FAULTLINE_SIM_CLI_BENCH_ENGINES_H

/* argv[0] is "engines"; returns an exit status. */
int bench_engines(int argc, char **argv);

#endif
