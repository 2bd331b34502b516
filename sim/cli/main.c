/* faultline: what a storage engine and a replication scheme do when disks lie, nodes die,
 * networks split and clocks drift. One file a subcommand. */
#include <stdio.h>
#include <string.h>

#include "sim/campaign/run.h"
#include "sim/cli/cli.h"

const struct command command_table[] = {
    {"run",
     "SCENARIO [--variant V|all] [--seed N] [--set K=V]... [--out DIR] [--plots] [--verify] "
     "[--trace FILE] [--images DIR] [--json]",
     "run a scenario, explain what broke and name the smallest change that holds", command_run},
    {"check", "PATH... [--jobs N] [--junit FILE] [--json]",
     "run every scenario and variant against its expectations and golden.tsv: the CI job",
     command_check},
    {"report", "DIR...", "draw the plots of result folders", command_report},
    {"verify", "HISTORY [--model M] [--type T] [--failed-cas constraint|void] [--json]",
     "judge a history that was recorded elsewhere by a consistency model", command_verify},
    {"bench", "kernel | engines (--real DIR | --sim PRESET) [--json]",
     "measure the event kernel, or the storage engines", command_bench},
    {"engine-dump", "DIR [--engine NAME] [--limit N] [--all] [--json]",
     "look inside the files of a storage engine", command_engine_dump},
    {"engine-check", "DIR [--engine NAME] [--all] [--json]",
     "verify the files of a storage engine and locate damage", command_engine_check},
    {"calibrate", "DIR [-o FILE] [--for TIME] [--json]",
     "measure the disk below DIR and print it as a disk preset", command_calibrate},
    {"list",
     "engines|schemes|checks|measures|actions|triggers|presets|operations|models|scenarios",
     "what there is, a line each", command_list},
    {"explain", "WORD",
     "definition and source of a check, action, option, engine, scheme or preset",
     command_explain},
    {"validate", "FILE...", "check scenario files without running them", command_validate},
    {"schema", "", "print the JSON Schema of the scenario format, for editors", command_schema},
    {NULL, NULL, NULL, NULL},
};

static void usage(FILE *out)
{
    fputs("Usage: faultline COMMAND [ARGUMENTS]\n"
          "Replays incidents on real storage engines and replication schemes in one "
          "deterministic process.\n\n",
          out);
    for (const struct command *command = command_table; command->name; command++)
        fprintf(out, "  %-12s %s\n", command->name, command->doc);
    fputs("\nExample: faultline run scenarios/incidents/github-2012-stale-promotion.yaml\n"
          "'faultline COMMAND --help' tells more. Exit status: 0 all met; 1 an expectation not "
          "met; 2 bad usage or input;\n"
          "3 INVALID, non-deterministic, over a limit, or faultline itself failed; 4 "
          "undecided.\n",
          out);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return EXIT_BAD_INPUT;
    }
    const char *word = argv[1];
    if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help")) {
        usage(stdout);
        return EXIT_MET;
    }
    const char *names[32];
    size_t count = 0;
    for (const struct command *command = command_table; command->name; command++) {
        if (!strcmp(word, command->name)) {
            int status = command->run(argc - 1, argv + 1);
            if (fflush(stdout) || ferror(stdout))
                return cli_error("standard output: write failed"), EXIT_INVALID;
            return status;
        }
        names[count++] = command->name;
    }
    names[count] = NULL;
    return cli_unknown("command", word, nearest_word(word, names));
}
