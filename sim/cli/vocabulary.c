/* list, explain, validate, schema: the vocabulary, printed from its tables, and files checked
 * against it. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/campaign/folder.h"
#include "sim/campaign/run.h"
#include "sim/cli/cli.h"

/* ---- list ---- */

static const char *const list_kinds[] = {"engines", "schemes",   "checks",  "measures",
                                         "actions", "triggers",  "presets", "operations",
                                         "models",  "scenarios", NULL};

static error_t list_option(int key, char *argument, struct argp_state *state)
{
    const char **kind = state->input;
    if (key == ARGP_KEY_ARG && state->arg_num == 0) {
        *kind = argument;
        return 0;
    }
    if (key == ARGP_KEY_ARG || key == ARGP_KEY_NO_ARGS) argp_usage(state);
    return ARGP_ERR_UNKNOWN;
}

/* Those of the working folder, else those that `make install` put beside the program, wherever
 * that stands: BIN/../share/faultline/scenarios. */
static const char *scenarios_folder(char *path, size_t size)
{
    char program[4096];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (!access("scenarios", R_OK) || length <= 0) return "scenarios";
    program[length] = 0;
    for (int part = 0; part < 2; part++) {
        char *slash = strrchr(program, '/');
        if (slash) *slash = 0;
    }
    snprintf(path, size, "%s/share/faultline/scenarios", program);
    return path;
}

static int list_scenarios(void)
{
    char path[4200];
    const char *folder = scenarios_folder(path, sizeof path);
    char **paths = NULL;
    size_t count = 0;
    int error = folder_collect(folder, &paths, &count), status = EXIT_MET;
    if (error) return cli_error("%s: %s", folder, strerror(-error));
    for (size_t i = 0; i < count; i++) {
        struct scenario_errors errors = {0};
        struct scenario *scenario = scenario_load(paths[i], &errors);
        if (scenario)
            printf("%-54s %u variants\n", paths[i], scenario_variants(scenario));
        else
            status = EXIT_BAD_INPUT;
        cli_print_errors(&errors);
        scenario_destroy(scenario);
        free(paths[i]);
    }
    free(paths);
    return status;
}

int command_list(int argc, char **argv)
{
    static const struct argp argp = {
        NULL,
        list_option,
        "KIND",
        "Lists what there is, a line each. KIND: engines schemes checks measures actions "
        "triggers presets operations scenarios."
        "\vExample: faultline list actions",
        NULL,
        NULL,
        NULL};
    const char *kind = NULL;
    int status;
    if (!cli_parse(&argp, argc, argv, &kind, &status)) return status;
    for (size_t i = 0; list_kinds[i]; i++) {
        if (strcmp(kind, list_kinds[i])) continue;
        if (!strcmp(kind, "scenarios")) return list_scenarios();
        vocabulary_list(stdout, kind);
        return EXIT_MET;
    }
    return cli_unknown("kind", kind, nearest_word(kind, list_kinds));
}

/* ---- explain ---- */

int command_explain(int argc, char **argv)
{
    static const struct argp argp = {NULL,
                                     list_option,
                                     "WORD",
                                     "Tells what a word of the scenario format means: its "
                                     "definition, unit, default, bounds and source."
                                     "\vExample: faultline explain unique_keys\n         "
                                     "faultline explain replication.failover.quorum",
                                     NULL,
                                     NULL,
                                     NULL};
    const char *word = NULL, *nearest = NULL;
    int status;
    if (!cli_parse(&argp, argc, argv, &word, &status)) return status;
    if (vocabulary_explain(stdout, word, &nearest)) return cli_unknown("word", word, nearest);
    return EXIT_MET;
}

/* ---- validate ---- */

struct validate_input {
    char **paths;
    size_t count;
};

static error_t validate_option(int key, char *argument, struct argp_state *state)
{
    struct validate_input *input = state->input;
    if (key == ARGP_KEY_NO_ARGS) argp_usage(state);
    if (key != ARGP_KEY_ARG) return ARGP_ERR_UNKNOWN;
    int error = folder_collect(argument, &input->paths, &input->count);
    if (error) argp_error(state, "%s: %s", argument, strerror(-error));
    return 0;
}

int command_validate(int argc, char **argv)
{
    static const struct argp argp = {NULL,
                                     validate_option,
                                     "FILE...",
                                     "Checks scenario files (or all *.yaml below folders) and "
                                     "every variant in them without running anything."
                                     "\vAll errors of a file are reported at once as "
                                     "FILE:LINE:COLUMN. Example: faultline validate scenarios",
                                     NULL,
                                     NULL,
                                     NULL};
    struct validate_input input = {0};
    int status;
    if (!cli_parse(&argp, argc, argv, &input, &status)) return status;
    if (!input.count) return cli_error("no scenario (*.yaml) there");
    status = EXIT_MET;
    for (size_t i = 0; i < input.count; i++) {
        struct scenario_errors errors = {0};
        struct scenario *scenario = scenario_load(input.paths[i], &errors);
        if (scenario && !errors.count)
            printf("%s: ok, %u variants\n", input.paths[i], scenario_variants(scenario));
        else
            status = EXIT_BAD_INPUT;
        cli_print_errors(&errors);
        scenario_destroy(scenario);
        free(input.paths[i]);
    }
    free(input.paths);
    return status;
}

/* ---- schema ---- */

static error_t schema_option(int key, char *argument, struct argp_state *state)
{
    bool *markdown = state->input;
    (void)argument;
    if (key == 'm') {
        *markdown = true;
        return 0;
    }
    if (key == ARGP_KEY_ARG) argp_usage(state);
    return ARGP_ERR_UNKNOWN;
}

int command_schema(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"markdown", 'm', NULL, 0,
         "print the reference of the format, as in scenarios/README.md, instead", 0},
        {0}};
    static const struct argp argp = {
        options,
        schema_option,
        "",
        "Prints the JSON Schema (draft 7) of scenario files; editors use it for completion."
        "\vExample: faultline schema > faultline.schema.json",
        NULL,
        NULL,
        NULL};
    bool markdown = false;
    int status;
    if (!cli_parse(&argp, argc, argv, &markdown, &status)) return status;
    if (markdown)
        vocabulary_reference(stdout);
    else
        vocabulary_schema(stdout);
    return EXIT_MET;
}
