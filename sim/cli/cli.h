/* What the subcommands share: the table of commands, arguments, colours, progress, printing of
 * errors. */
#ifndef FAULTLINE_SIM_CLI_CLI_H
#define FAULTLINE_SIM_CLI_CLI_H

/* getopt.h, which argp.h includes, has a `struct option` of its own; engines/options.h has
 * ours. */
#define option getopt_option
#include <argp.h>
#undef option
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/scenario/plan.h"

struct command {
    const char *name;
    const char *synopsis; /* "SCENARIO [--variant V|all] ..." */
    const char *doc;      /* one line */
    int (*run)(int argc,
               char **argv); /* argv[0] is the command's name; returns an exit status */
};
extern const struct command command_table[]; /* ends with name NULL */

int command_run(int argc, char **argv);
int command_check(int argc, char **argv);
int command_report(int argc, char **argv);
int command_list(int argc, char **argv);
int command_explain(int argc, char **argv);
int command_validate(int argc, char **argv);
int command_schema(int argc, char **argv);
int command_bench(int argc, char **argv);
int command_verify(int argc, char **argv);
int command_engine_dump(int argc, char **argv);
int command_engine_check(int argc, char **argv);
int command_calibrate(int argc, char **argv);

/* argp_parse with exit status 2 on bad usage and the nearest option for an unknown one; false:
 * *status is what the command returns. */
bool cli_parse(const struct argp *argp, int argc, char **argv, void *input, int *status);
/* "faultline: unknown scenario 'x' (did you mean 'y'?)" to standard error; returns
 * EXIT_BAD_INPUT. */
int cli_unknown(const char *what, const char *word, const char *nearest);
/* The same, or with all the words where none is near. */
int cli_unknown_of(const char *what, const char *word, const char *const *words);
int cli_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Prints all and frees. */
void cli_print_errors(struct scenario_errors *errors);
/* Strict decimal in [low, high]; false: printed. */
bool cli_number(const char *option, const char *text, uint64_t low, uint64_t high,
                uint64_t *value);

/* ---- colours: the palette of the plots, empty strings where standard output is no terminal or
 * NO_COLOR is set ---- */
enum colour {
    COLOUR_PLAIN,
    COLOUR_OK,
    COLOUR_FAIL,
    COLOUR_UNKNOWN,
    COLOUR_LEADER,
    COLOUR_FOLLOWER,
    COLOUR_DOWN,
    COLOUR_CUT,
    COLOUR_DIM,
    COLOUR_BOLD
};
const char *colour(enum colour colour);

/* A bar with rate and time left on standard error, where that is a terminal. */
struct progress {
    double started;
    size_t total;
    bool shown;
};
void progress_begin(struct progress *progress, size_t total);
void progress_step(struct progress *progress, size_t done, const char *what);
void progress_end(struct progress *progress);

#endif
