/* The making of a plan: one draft passed through the parts of the file. Private to
 * sim/scenario.
 *
 * plan.c calls the parts in an order in which each finds the names that it needs: regions and
 * nodes, then everything else that has a place, then what refers to places.
 */
#ifndef FAULTLINE_SIM_SCENARIO_BUILD_H
#define FAULTLINE_SIM_SCENARIO_BUILD_H

#include "sim/scenario/format.h"
#include "sim/scenario/values.h"

struct variant {
    const char *name;
    uint32_t number; /* its place in the file's list; base: UINT32_MAX */
    struct setting *settings;
    uint32_t settings_count;
    struct tree_entry *set;
    uint32_t set_count; /* the same as nodes: key = path */
};

struct scenario {
    struct arena *arena;
    const char *path, *name;
    uint64_t seed, hash;
    struct tree_node *root; /* as written; never changed */
    struct variant *variants;
    uint32_t variants_count; /* number 0 is the base */
};

struct draft {
    struct builder b;
    struct arena *scratch; /* shapes, trees and views: gone when the plan is made */
    struct plan *plan;
    struct view top;
    struct view variant;             /* of the variant in `variants`, absent for the base */
    const struct engine_ops *engine; /* NULL when unknown */
    const struct scheme_ops *scheme;
    const struct option
        *managers; /* the scheme's option that lists manager places, NULL none */
    uint32_t
        managers_named; /* how many the file lists; the world has them only if they have work */
    struct amount duration;
};

/* ---- settings.c: what variants and --set change ---- */
/* Once before the first. */
void settings_prepare(struct arena *arena, struct tree_node *root);
/* path: dotted; origin and place for messages. */
void settings_apply(struct arena *arena, struct tree_node *root, const struct shape *shape,
                    const char *path, struct position at, const char *place,
                    const struct tree_node *value, struct error_list *errors);

/* ---- plan_world.c ---- */
bool good_name(struct draft *d, struct view view, const char *what);
void build_regions(struct draft *d); /* regions, nodes */
void build_places(struct draft *d);  /* managers, directory, stores, workloads */
void build_cluster(struct draft *d); /* disks, clocks, node settings */
/* Starts from `config` and applies a disk mapping; a preset in it starts afresh. */
void fill_disk(struct draft *d, struct view disk, const char *name, struct disk_config *config);
void build_network(struct draft *d);
void build_engine(struct draft *d);
void build_replication(struct draft *d);
void build_directory(struct draft *d);

/* ---- plan_clients.c ---- */
void build_workloads(struct draft *d);

/* ---- plan_timeline.c ---- */
void build_timeline(struct draft *d);
const char *entry_id(struct arena *arena,
                     const struct tree_entry *entry); /* its id, or "entry-3" for the third */

/* ---- plan_expect.c ---- */
void build_expectations(struct draft *d);

#endif
