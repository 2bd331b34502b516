/* `check`: every scenario and variant below some paths, each in a process of its own, against
 * its expectations and the golden file. */
#ifndef FAULTLINE_SIM_CAMPAIGN_FOLDER_H
#define FAULTLINE_SIM_CAMPAIGN_FOLDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct folder_run {
    char *path, *scenario, *variant;
    json_t *result;          /* of the run, NULL when its process died */
    char *died;              /* why there is no result */
    char *golden_difference; /* NULL: equal, or no golden file */
    int exit;                /* enum exit_status of this run alone */
    double seconds;
};

struct folder {
    char **paths;
    size_t paths_count; /* scenario files, sorted */
    struct folder_run *runs;
    size_t runs_count;
    char **errors;
    size_t errors_count; /* bad input, found before any run */
    bool without_golden; /* some path has no golden.tsv at or above it: nothing compared */
    int exit;
};

struct folder_request {
    const char *const *paths;
    size_t paths_count;
    uint32_t jobs;          /* 0: one a core */
    bool ignore_golden;     /* neither read nor judged */
    bool update_golden;     /* rewrite golden.tsv of each folder given */
    bool stop_on_violation; /* as in struct run_request */
    void (*progress)(void *context, size_t done, size_t total, const struct folder_run *run);
    void *progress_context;
};

/* Collects *.yaml below the paths, loads all (any error: no run at all), runs all, compares. */
void folder_check(struct folder *folder, const struct folder_request *request);
void folder_deinit(struct folder *folder);
/* Files below a path, sorted by name; appended. -errno when it cannot be read. */
int folder_collect(const char *path, char ***paths, size_t *count);
/* The command that runs it again, also when there is no result to tell it; malloc'ed. */
char *folder_replay(const struct folder_run *run);
/* JUnit XML of the runs, one test suite a scenario, one test case a variant. 0 or -errno. */
int junit_write(const struct folder *folder, FILE *out);

/* golden.tsv: one line a run: scenario, variant, seed, trace_hash, verdict, ok, fail, unknown,
 * violations ("check=count,..."). */
char *golden_line(const json_t *result);

#endif
