/* faultline check: every scenario and variant below some paths. Silent but for one line a file
 * when green, exact when red. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/campaign/folder.h"
#include "sim/campaign/run.h"
#include "sim/cli/cli.h"

struct check_options {
    const char **paths;
    size_t count;
    const char *junit;
    uint64_t jobs;
    bool json, update_golden, ignore_golden, stop_on_violation;
};

static const struct argp_option check_argp_options[] = {
    {"jobs", 'J', "N", 0, "processes at once; default: one a core", 0},
    {"junit", 'u', "FILE", 0, "writes JUnit XML for CI", 0},
    {"json", 'j', NULL, 0, "prints one result object a line instead of text", 0},
    {"update-golden", 'g', NULL, 0,
     "rewrites golden.tsv of each folder given, so that changed behaviour shows in review", 0},
    {"stop-on-violation", 'x', NULL, 0,
     "ends each run at its first violation that the scenario does not expect", 0},
    {"no-golden", 'G', NULL, 0, "does not compare with golden.tsv", 0},
    {0},
};

static error_t check_option(int key, char *argument, struct argp_state *state)
{
    struct check_options *options = state->input;
    switch (key) {
    case 'J':
        if (!cli_number("--jobs", argument, 1, 1024, &options->jobs)) exit(EXIT_BAD_INPUT);
        return 0;
    case 'u': options->junit = argument; return 0;
    case 'j': options->json = true; return 0;
    case 'g': options->update_golden = true; return 0;
    case 'x': options->stop_on_violation = true; return 0;
    case 'G': options->ignore_golden = true; return 0;
    case ARGP_KEY_ARG:
        options->paths =
            xrealloc(options->paths, (options->count + 1) * sizeof *options->paths);
        options->paths[options->count++] = argument;
        return 0;
    case ARGP_KEY_NO_ARGS: argp_usage(state); return 0;
    case ARGP_KEY_END:
        if (options->stop_on_violation && options->update_golden)
            argp_error(state, "--update-golden needs whole runs, not --stop-on-violation");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static void show_progress(void *context, size_t done, size_t total,
                          const struct folder_run *run)
{
    struct progress *progress = context;
    progress->total = total;
    progress_step(progress, done, run->scenario);
}

static void print_text(const char *indent, const char *text)
{
    for (const char *end; text && *text; text = *end ? end + 1 : end) {
        end = text + strcspn(text, "\n");
        printf("%s%.*s\n", indent, (int)(end - text), text);
    }
}

static void print_red(const struct folder_run *run)
{
    static const char *const words[] = {"", "NOT MET", "", "INVALID", "UNKNOWN"};
    printf("%s%-8s%s %s, variant %s\n", colour(COLOUR_FAIL), words[run->exit],
           colour(COLOUR_PLAIN), run->path, run->variant);
    if (run->died) printf("    %s\n", run->died);
    print_text("    ", json_string_value(json_object_get(run->result, "reason")));
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(run->result, "expectations"), i, row)
    {
        if (json_is_true(json_object_get(row, "met"))) continue;
        printf("    expected %s; observed %s\n",
               json_string_value(json_object_get(row, "expected")),
               json_string_value(json_object_get(row, "observed")));
        json_t *witness = json_object_get(row, "witness");
        print_text("      ", json_string_value(json_object_get(witness, "explanation")));
        print_text("        ", json_string_value(json_object_get(witness, "story")));
    }
    print_text("    ", run->golden_difference);
    char *replay = folder_replay(run);
    printf("    replay: %s\n", replay);
    free(replay);
}

static void print_folder(const struct folder *folder)
{
    for (size_t first = 0, last; first < folder->runs_count; first = last) {
        bool green = true;
        for (last = first; last < folder->runs_count &&
                           !strcmp(folder->runs[last].path, folder->runs[first].path);
             last++)
            green &= folder->runs[last].exit == EXIT_MET;
        if (green)
            printf("%sok%s       %s (%zu variants)\n", colour(COLOUR_OK), colour(COLOUR_PLAIN),
                   folder->runs[first].path, last - first);
        for (size_t i = first; i < last && !green; i++)
            if (folder->runs[i].exit != EXIT_MET) print_red(&folder->runs[i]);
    }
    size_t met = 0;
    uint64_t events = 0;
    double seconds = 0;
    for (size_t i = 0; i < folder->runs_count; i++) {
        met += folder->runs[i].exit == EXIT_MET;
        events +=
            (uint64_t)json_integer_value(json_object_get(folder->runs[i].result, "events"));
        seconds += json_number_value(
            json_object_get(json_object_get(folder->runs[i].result, "host"), "wall_seconds"));
    }
    printf("%zu of %zu runs met their expectations; %" PRIu64
           " events in %.2f s of simulation\n",
           met, folder->runs_count, events, seconds);
    if (folder->without_golden)
        puts("no golden.tsv here or above: traces were not compared (--update-golden writes "
             "one)");
}

static void json_folder(const struct folder *folder)
{
    for (size_t i = 0; i < folder->runs_count; i++) {
        json_t *row =
            folder->runs[i].result ? json_incref(folder->runs[i].result) : json_object();
        json_object_set_new(row, "path", json_string(folder->runs[i].path));
        json_object_set_new(row, "scenario", json_string(folder->runs[i].scenario));
        json_object_set_new(row, "variant", json_string(folder->runs[i].variant));
        json_object_set_new(row, "exit", json_integer(folder->runs[i].exit));
        json_object_set_new(row, "died",
                            folder->runs[i].died ? json_string(folder->runs[i].died)
                                                 : json_null());
        json_object_set_new(row, "golden_difference",
                            folder->runs[i].golden_difference
                                ? json_string(folder->runs[i].golden_difference)
                                : json_null());
        json_dumpf(row, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(row);
    }
}

int command_check(int argc, char **argv)
{
    static const struct argp argp = {
        check_argp_options,
        check_option,
        "PATH...",
        "Runs every scenario and variant below the paths against its expectations, and each "
        "folder against its golden.tsv."
        "\vExample: faultline check scenarios --junit results/junit.xml\n"
        "Exit status: 0 all met; 1 some not; 2 bad input (nothing is run); 3 invalid; 4 "
        "undecided.",
        NULL,
        NULL,
        NULL};
    struct check_options options = {0};
    int status;
    if (!cli_parse(&argp, argc, argv, &options, &status)) return status;
    struct progress progress;
    struct folder folder;
    progress_begin(&progress, 1);
    struct folder_request request = {.paths = options.paths,
                                     .paths_count = options.count,
                                     .jobs = (uint32_t)options.jobs,
                                     .ignore_golden = options.ignore_golden,
                                     .update_golden = options.update_golden,
                                     .stop_on_violation = options.stop_on_violation,
                                     .progress = show_progress,
                                     .progress_context = &progress};
    folder_check(&folder, &request);
    progress_end(&progress);
    for (size_t i = 0; i < folder.errors_count; i++) fprintf(stderr, "%s\n", folder.errors[i]);
    if (options.json)
        json_folder(&folder);
    else if (folder.runs_count && folder.exit != EXIT_BAD_INPUT)
        print_folder(&folder);
    status = folder.exit;
    if (options.junit && folder.exit != EXIT_BAD_INPUT) {
        FILE *out = fopen(options.junit, "w");
        int error = out ? junit_write(&folder, out) : -errno;
        if (out && fclose(out)) error = -errno;
        if (error) {
            cli_error("%s: %s", options.junit, strerror(-error));
            status = exit_worse(status, EXIT_INVALID);
        }
    }
    folder_deinit(&folder);
    free(options.paths);
    return status;
}
