/* The result folder of a run: the only interface to reports and to other tools (formats:
 * reports/README.md). */
#ifndef FAULTLINE_SIM_CAMPAIGN_RESULT_H
#define FAULTLINE_SIM_CAMPAIGN_RESULT_H

#include <jansson.h>

#include "sim/campaign/run.h"

#define FAULTLINE_VERSION "0.1"

#define RESULT_VERSION 1

/* What result.json holds; the caller decrefs. All but the member `host` is identical across
 * runs and builds. */
json_t *result_json(const struct run *run);
/* Creates the folder (and its parents) and writes result.json, history.jsonl, timeline.jsonl,
 * series.csv, latency.csv, violations.csv. 0 or -errno, with the path at fault in *where. */
int result_write(const struct run *run, const char *folder, const char **where);
/* The command that replays the run, malloc'ed. */
char *result_replay_command(const struct plan *plan);
int make_folders(const char *path);

/* tables.c */
int series_write(const struct run *run, FILE *out);
int latency_write(const struct run *run, FILE *out);

#endif
