/* faultline report, faultline bench: plots of result folders; benchmarks by name. */
#include <stdlib.h>
#include <string.h>

#include "reports/plots.h"
#include "sim/campaign/run.h"
#include "sim/cli/bench_engines.h"
#include "sim/cli/bench_kernel.h"
#include "sim/cli/cli.h"

struct report_input {
    const char **folders;
    size_t count;
};

static error_t report_option(int key, char *argument, struct argp_state *state)
{
    struct report_input *input = state->input;
    if (key == ARGP_KEY_NO_ARGS)
        exit(cli_error("report needs the DIR of a result folder, as --out made it ('faultline "
                       "report --help' tells more)"));
    if (key != ARGP_KEY_ARG) return ARGP_ERR_UNKNOWN;
    input->folders = xrealloc(input->folders, (input->count + 1) * sizeof *input->folders);
    input->folders[input->count++] = argument;
    return 0;
}

int command_report(int argc, char **argv)
{
    static const struct argp argp = {
        NULL,
        report_option,
        "DIR...",
        "Draws the plots of result folders into them, SVG and PNG. Of a run: timeline, "
        "latency, "
        "operations; of bench engines: rates, latencies, amplification, growth; with "
        "--fidelity: "
        "fidelity."
        "\vExample: faultline run FILE --out results/x && faultline report results/x",
        NULL,
        NULL,
        NULL};
    struct report_input input = {0};
    int status;
    if (!cli_parse(&argp, argc, argv, &input, &status)) return status;
    status = EXIT_MET;
    for (size_t i = 0; i < input.count; i++) {
        if (plots_draw(input.folders[i]))
            status = EXIT_BAD_INPUT;
        else
            plots_print(stdout, input.folders[i]);
    }
    free(input.folders);
    return status;
}

int command_bench(int argc, char **argv)
{
    static const char *const names[] = {"kernel", "engines", NULL};
    if (argc >= 2 && !strcmp(argv[1], "kernel")) return bench_kernel(argc - 1, argv + 1);
    if (argc >= 2 && !strcmp(argv[1], "engines")) {
        argv[1] = "bench engines";
        return bench_engines(argc - 1, argv + 1);
    }
    if (argc >= 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-?"))) {
        puts("Usage: faultline bench kernel [--json]\n"
             "   or: faultline bench engines --real DIR | --sim PRESET [--json]\n"
             "Measures the event kernel (the hold model of the queue, and PHOLD through the "
             "whole kernel), or the storage engines.\n\n"
             "Example: faultline bench engines --real /tmp");
        return EXIT_MET;
    }
    if (argc < 2)
        return cli_error("bench what? 'faultline bench kernel' or 'faultline bench engines'");
    return cli_unknown("benchmark", argv[1], nearest_word(argv[1], names));
}
