/* Scheduled faults: what a timeline entry does, when, and how much effect it had. Every action
 * is one row of a table: its words, its parameters as an option table, what it does, what it
 * counts as effect.
 */
#ifndef FAULTLINE_SIM_WORLD_FAULTS_H
#define FAULTLINE_SIM_WORLD_FAULTS_H

#include "engines/options.h"
#include "sim/world/disk.h"
#include "sim/world/network.h"

struct world;

struct action {
    const char *name;     /* "partition" */
    const char *doc;      /* one line */
    const char *evidence; /* what counts as effect: "messages dropped or held" */
    const struct option *options;
    size_t options_count, options_size;
    bool takes_for;   /* `for: 20s` ends it by itself; else it lasts until heal or for ever */
    bool needs_for;   /* and must be given: what it has begun cannot be called back by a heal */
    bool is_operator; /* done on purpose (start, promote, heal), not a fault: told as such */
    bool tells_end;   /* its end is told (else what it lets go speaks for itself) */
    bool harms_data;  /* may hurt what an engine has stored */
    bool is_stop;     /* ends with a start; `heal` without ids leaves it to `restart` */
    /* Starts it; params is a struct of options_size filled by the loader, with node -2 resolved
     * to the leader of that moment (-1 when nobody leads: no effect). until_ns: when `for` ends
     * it, VTIME_MAX without. Returns an id for end and effects. */
    uint64_t (*begin)(struct world *world, const void *params, int64_t until_ns);
    /* NULL: nothing to end. */
    void (*end)(struct world *world, const void *params, uint64_t id);
    /* So far, also after the end. */
    uint64_t (*effects)(struct world *world, const void *params, uint64_t id);
    /* "cut db-a -> db-c (replication)" for the timeline. */
    void (*describe)(struct world *world, const void *params, char *out, size_t out_size);
};
/* cut partition slow loss clog duplicate reorder heal crash power_off wipe start reboot pause
 * resume evict read_error write_error sync_error bit_rot misdirected_write disk_full slow_disk
 * stall_disk lying_sync clock_step clock_drift promote demote transfer; name NULL
 * ends. */
extern const struct action action_table[];
const struct action *action_find(const char *name);

enum trigger_kind {
    TRIGGER_TIME,           /* at */
    TRIGGER_LEADER_ELECTED, /* when: {leader_elected: any|NODE, nth: 2}: a node becomes leader;
                               the one that the configuration names does not count */
    TRIGGER_NODE_DOWN,
    TRIGGER_NODE_UP,      /* when: {down: NODE|any, nth} */
    TRIGGER_ACKNOWLEDGED, /* when: {acknowledged: 500}: the n-th acknowledged write of all
                             workloads (nth) */
    TRIGGER_INVOKED,      /* when: {invoked: 500} */
    TRIGGER_SYNC,         /* when: {sync: NODE, nth: 100}: the n-th sync on that node's disk has
                             completed (checked after every batch of that node) */
    TRIGGER_FAULT,        /* when: {fault: ID}: that entry began; with `delay` */
};

struct fault_plan {
    const char *id; /* unique; "entry-3" when the file names none */
    enum trigger_kind trigger;
    int64_t at_ns;             /* TIME */
    int32_t trigger_place;     /* node, -1 any */
    int64_t nth;               /* 1 = first */
    const char *trigger_fault; /* FAULT: id */
    int64_t delay_ns;          /* after the trigger */
    const struct action *action;
    const void *params;
    int64_t for_ns; /* -1: no end of its own */
    bool evidence_required;
    bool inert; /* the variant says that this entry cannot have an effect */
};

#endif
