/* The scenario format: its tables, and the shape that they make together with those of the
 * engine, the scheme, the actions, the workloads and the checks.
 *
 * Every key of the format that is not an engine's, a scheme's, an action's or a workload's own
 * is a row here: name, type, default, bounds, one line.
 */
#ifndef FAULTLINE_SIM_SCENARIO_FORMAT_H
#define FAULTLINE_SIM_SCENARIO_FORMAT_H

#include "sim/scenario/plan.h"
#include "sim/scenario/shape.h"

/* What the tables describe. */
struct top_keys {
    const char *name, *about, *source, *seed;
    int64_t duration_ns;
    int32_t ties;
};
struct finish_keys {
    int32_t heal;
    int32_t restart;
    int64_t quiesce_ns;
    int32_t read_all;
};
struct cluster_keys {
    int64_t batch, inbox_max, read_lanes, handler_ns, maintain_every_ns, maintain_budget_bytes,
        inspect_every_ns;
};
struct directory_keys {
    const char *region;
    int64_t learn_ns, refresh_ns;
    int32_t claims;
};
struct store_keys {
    const char *name, *region;
    int64_t latency_ns;
};
struct entry_keys {
    const char *id, *about;
    int64_t at_ns, delay_ns, for_ns;
    int32_t evidence;
};
struct limits_keys {
    int64_t events, wall_ns, memory_bytes;
};

struct format_table {
    const char *path, *about;
    const struct option *options;
    size_t count;
};
extern const struct format_table format_top, format_finish, format_cluster, format_clocks,
    format_disk, format_network, format_engine, format_replication, format_directory,
    format_store, format_workload, format_entry, format_limits;
/* All of the above in the order of the reference; path NULL ends. */
const struct format_table *const *format_tables(void);

enum trigger_argument {
    TRIGGER_ARGUMENT_NODE_OR_ANY,
    TRIGGER_ARGUMENT_NODE,
    TRIGGER_ARGUMENT_COUNT,
    TRIGGER_ARGUMENT_ENTRY
};
struct trigger_word {
    const char *name;
    enum trigger_kind kind;
    enum trigger_argument argument;
    const char *doc;
};
extern const struct trigger_word trigger_words[]; /* name NULL ends */

/* Which vocabulary of a plug-in and which names of its own a document uses. */
struct format_choice {
    const struct engine_ops *engine; /* NULL: unknown, its keys are not judged */
    const struct scheme_ops *scheme; /* likewise */
    const char *const *nodes; /* NULL-terminated names, or NULL: any key may be one (generic) */
};
/* `disk` alone, as `faultline calibrate` prints it. */
struct shape *disk_file_shape(struct arena *arena);
struct shape *scenario_shape(struct arena *arena, const struct format_choice *choice);

/* The words of a table of rows whose first member is their name, NULL-terminated. */
const char *const *format_engine_words(struct arena *arena);
const char *const *format_scheme_words(struct arena *arena);
const char *const *format_check_words(struct arena *arena);
const char *const *format_measure_words(struct arena *arena);
const char *const *format_disk_words(struct arena *arena);
const char *const *format_network_words(struct arena *arena);

#endif
