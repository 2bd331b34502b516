/* The plan: a scenario file, resolved for one variant and one seed, typed and checked.
 * Everything that a run needs, nothing that it must parse.
 *
 * A plan lives in one arena and is freed whole with it. Ranges are drawn (stream "plan"),
 * places are endpoint numbers in the order of world.h, options are the structs of their tables.
 */
#ifndef FAULTLINE_SIM_SCENARIO_PLAN_H
#define FAULTLINE_SIM_SCENARIO_PLAN_H

#include "sim/kernel/nearest.h"
#include "sim/check/check.h"
#include "sim/kernel/arena.h"
#include "sim/workload/workload.h"
#include "sim/world/world.h"

struct range {
    int64_t low, high;
}; /* both included; "550" is 550..550, "1.." is 1..INT64_MAX */

enum expect_kind { EXPECT_VIOLATIONS, EXPECT_MEASURE, EXPECT_AVAILABILITY };
struct expectation {
    enum expect_kind kind;
    const char *name; /* of the check or measure */
    const struct check *check;
    const struct measure *measure;
    struct range range;  /* violations: 0..0 for holds, 1.. for violated; measures: in their
                            unit; availability: fraction in ppm */
    struct range gap_ns; /* availability: longest gap; low 0 high INT64_MAX when absent */
    int64_t from_ns,
        until_ns;     /* window: `from`, `until`, or `at` (until); VTIME_MAX: the whole run */
    const char *text; /* as a reader would say it: "unique_keys: 550 violations by 8:00" */
    int line, column; /* in the file */
};

struct setting {
    const char *path, *value;
}; /* "replication.failover.quorum", "majority" (YAML flow text) */

struct ignored {
    const struct check *check;
    const char *reason;
};

struct plan {
    struct arena *arena;
    const char *path, *name, *about, *source; /* path: of the file, as given */
    const char *variant;                      /* "base" or the variant's name */
    const char *variant_about;
    uint64_t seed;          /* at most INT64_MAX: JSON readers know no larger integers */
    uint64_t scenario_hash; /* of the file's bytes */
    int64_t duration_ns;
    struct world_finish finish;
    struct world_config world;
    const struct workload_config *workloads;
    uint32_t workloads_count;
    const struct expectation *expectations;
    uint32_t expectations_count;
    const struct ignored *ignored;
    uint32_t ignored_count;
    const struct setting *settings;
    uint32_t settings_count; /* what variant and --set changed, in order */
    const struct setting *sets_from_command;
    uint32_t sets_from_command_count; /* the part of settings that --set gave, for the replay
                                         command */
    const struct setting *resolved;
    uint32_t
        resolved_count; /* every knob with its final value, sorted by path, for the result */
    uint64_t events_max;
    int64_t wall_ms_max;
    size_t memory_max; /* `limits` */
    enum kernel_ties ties;
};

/* The file, parsed once: tree with positions, variants by name. */
struct scenario;

/* Errors of a file, all of them: "path:line:column: place: message (did you mean 'x'?)", one
 * per line in order of position. */
struct scenario_errors {
    char **items;
    size_t count, capacity;
};
void scenario_errors_deinit(struct scenario_errors *errors);

/* NULL when the file cannot be read or is no scenario: errors say why. Also builds every
 * variant once to check it all. */
struct scenario *scenario_load(const char *path, struct scenario_errors *errors);
struct scenario *scenario_load_text(const char *name, const char *text, size_t size,
                                    struct scenario_errors *errors);
void scenario_destroy(struct scenario *scenario);

const char *scenario_name(const struct scenario *scenario);
uint64_t scenario_seed(const struct scenario *scenario); /* of the file */
/* Variants of the file; number 0 is always "base". */
uint32_t scenario_variants(const struct scenario *scenario);
const char *scenario_variant_name(const struct scenario *scenario, uint32_t variant);
uint32_t scenario_variant_find(const struct scenario *scenario,
                               const char *name); /* UINT32_MAX */
/* What a variant sets, and whether it expects everything to hold (the candidates of the
 * smallest change). */
const struct setting *scenario_variant_settings(const struct scenario *scenario,
                                                uint32_t variant, uint32_t *count);

struct plan_request {
    uint32_t variant;
    bool has_seed;
    uint64_t seed; /* --seed */
    const struct setting *sets;
    uint32_t sets_count; /* --set, applied after the variant's */
    const struct setting *only;
    uint32_t only_count; /* when has_only: replaces the variant's settings (the smallest change
                            drops some); its expectations stay */
    bool has_only;
};
/* NULL and errors when the settings don't fit. The plan outlives the scenario's other plans but
 * not the scenario. */
struct plan *plan_create(const struct scenario *scenario, const struct plan_request *request,
                         struct scenario_errors *errors);
void plan_destroy(struct plan *plan);

/* ---- a disk by itself: what `faultline calibrate` prints and `bench engines --sim` reads ----
 * A mapping `disk: {...}` with the keys of cluster.disk. As printed it stands two spaces in:
 * the lines are a document, and go as they are below `cluster:` of a scenario. */
/* False and errors. What *config points to lives in the arena. */
bool disk_file_load(const char *path, struct arena *arena, struct disk_config *config,
                    struct scenario_errors *errors);
bool disk_file_load_text(const char *name, const char *text, size_t size, struct arena *arena,
                         struct disk_config *config, struct scenario_errors *errors);
/* Every key with its value: loads as the same disk. */
void disk_file_write(FILE *out, const struct disk_config *config);

/* ---- vocabulary: for list, explain, schema, the reference; all printed from the tables ----
 */
void vocabulary_list(
    FILE *out,
    const char *kind); /* engines schemes checks actions presets operations measures triggers */
/* 0, or -ENOENT with the nearest word in *nearest. */
int vocabulary_explain(FILE *out, const char *word, const char **nearest);
void vocabulary_schema(FILE *out);    /* JSON Schema (draft 7) of a scenario file */
void vocabulary_reference(FILE *out); /* the tables of scenarios/README.md in markdown */
/* Every behavioural key of the format, for the test that each changes the trace hash: name NULL
 * ends. */
struct vocabulary_key {
    const char *path;
    enum option_type type;
    bool inert;
};
const struct vocabulary_key *vocabulary_keys(size_t *count);
/* "unknown WHAT 'x' (did you mean 'y'?)", or with all the words where none is near. */
const char *word_refusal(struct arena *arena, const char *what, const char *word,
                         const char *const *words);
/* Sets the field of one option from text, judged as in a scenario. NULL, or why not ("'1B' is
 * out of range: 512B to 1GiB"); the field is untouched then. */
const char *option_take(struct arena *arena, const struct option *option, const char *text,
                        void *field);

#endif
