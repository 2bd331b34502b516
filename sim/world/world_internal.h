/* What the files of the world and of the faults share. Nobody else includes this; the contracts
 * are world.h and faults.h. */
#ifndef FAULTLINE_SIM_WORLD_WORLD_INTERNAL_H
#define FAULTLINE_SIM_WORLD_WORLD_INTERNAL_H

#include "sim/world/world.h"

/* ---- the directory ---- */

struct directory {
    uint32_t endpoint;
    uint32_t node;
    uint64_t epoch; /* the claim that holds */
    uint32_t told_node;
    uint64_t told_epoch;  /* what clients are told: the same, `learn` later */
    uint32_t first_group; /* endpoints from here on are client groups */
    bool *is_told;
    uint32_t groups_capacity; /* [endpoint - first_group] has heard of the latter */
    struct event_id refresh;
};

/* ---- second stores ---- */

struct store_item {
    unsigned char *key;
    uint32_t key_size;
    uint64_t token;
};
struct store {
    struct world *world;
    struct world_store config;
    uint32_t endpoint;
    struct served *served; /* requests under way */
    struct store_item *items;
    uint32_t count, capacity; /* open addressing, capacity a power of two; key NULL: empty */
};

/* ---- faults ---- */

/* What an action left in the world: the id that begin returns names it. */
struct fault_state {
    uint32_t place;              /* node, manager or group; UINT32_MAX none */
    uint32_t rule;               /* network rule in force, 0 none */
    struct network_rule network; /* flapping: the rule to set again */
    int64_t flap_ns;
    struct event_id flap;
    uint32_t disk_fault; /* 0 none */
    uint64_t effects;    /* counted so far, beside those of rule and disk_fault */
    bool had_effect;     /* began on something that it could change */
    bool is_over;
    int64_t began_ns, ended_ns;
    int64_t drift_before; /* clock_drift */
    int64_t drift;
    uint32_t admin_kind; /* waits for the answer to such a command: kind + 1 */
};

/* A plan entry in the run. */
struct fault_run {
    struct world *world;
    uint32_t index;
    void *params;            /* copy with the leader resolved */
    bool has_fired, is_open; /* began; not ended yet */
    uint64_t id;             /* of begin */
    uint64_t occurrences;    /* of its trigger */
    struct event_id begin_event, end_event;
};

struct pausable {
    uint32_t endpoint;
    void (*pause)(void *context, bool paused);
    void *context;
    bool is_paused;
};

struct said {
    uint64_t key, era;
};

struct world {
    struct world_config config;
    struct kernel *kernel;
    struct records *records;
    struct network *network;
    struct node **nodes; /* [nodes + managers] */
    struct env_peer *peers;
    uint32_t nodes_count, managers_count;
    struct directory directory;
    struct store *stores;
    struct pausable *pausables;
    uint32_t pausables_count, pausables_capacity;
    bool has_started, is_finishing;
    bool has_led; /* somebody has led; before that, the configured leader is not elected */

    /* story */
    uint32_t *roles;
    uint64_t *epochs; /* [nodes + managers] as last noted; role ROLE_NONE while down */
    bool *was_up;     /* has ever been up */
    uint64_t
        era; /* rises with every turn of events: what was said in an era is not said again */
    struct said *said;
    uint32_t said_count, said_capacity;

    /* faults */
    struct fault_run *runs;
    struct fault_state *states;
    uint32_t states_count, states_capacity;
    bool wants_syncs;
    uint32_t stopped_by_fault; /* whom the entry that begins now is about, UINT32_MAX nobody */
};

/* ---- world.c ---- */
uint32_t world_endpoints(const struct world *world); /* nodes and managers */
/* The machine of a node loses power: the node and the managers that stand on it. True if
 * anything of it ran. */
bool world_power_off(struct world *world, uint32_t endpoint, enum disk_power_mode mode,
                     enum down_cause cause);
/* Starts a node and the managers of its machine that are down; or one manager. True if anything
 * was started. */
bool world_start_place(struct world *world, uint32_t endpoint);
bool world_pause_place(struct world *world, uint32_t endpoint);
bool world_resume_place(struct world *world, uint32_t endpoint);
bool world_is_paused(struct world *world, uint32_t endpoint);

/* ---- world_directory.c ---- */
void directory_create(struct world *world);
void directory_start(struct world *world);
void directory_destroy(struct world *world);

/* ---- world_store.c ---- */
void stores_create(struct world *world);
void stores_destroy(struct world *world);

/* ---- world_story.c ---- */
extern const struct node_listener world_listener; /* context to be filled in */
void story_fact(struct world *world, enum fact_kind kind, uint32_t endpoint, uint64_t a,
                uint64_t b, uint64_t c);
/* One timeline entry of now. until_ns < 0: an instant. */
struct story_line {
    enum timeline_kind kind;
    uint32_t endpoint, peer;
    const char *what, *id;
    uint32_t role;
    uint64_t epoch;
    int64_t until_ns;
};
void story_tell(struct world *world, const struct story_line *line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* False when the same was said in this era already. */
bool story_is_new(struct world *world, uint32_t subject, uint32_t endpoint, uint64_t a);
void story_turn(struct world *world);
/* "4,150" */
const char *story_count(uint64_t count, char out[32]);

/* ---- faults.c ---- */
void faults_create(struct world *world);
void faults_start(struct world *world);
void faults_destroy(struct world *world);
/* The n-th of something has happened now, for triggers. */
void faults_notice(struct world *world, enum trigger_kind kind, uint32_t place);
void faults_syncs(struct world *world, uint32_t place, uint64_t syncs);
void faults_admin_answer(struct world *world, uint32_t place,
                         const struct admin_command *command, int error);
/* Ends an entry that is open; with_stops: also crashes and the like, which end with a start.
 * True if it was open and ended. */
bool faults_end(struct world *world, uint32_t index, bool with_stops);
uint32_t faults_find(const struct world *world, const char *id); /* index, UINT32_MAX */
/* No entry begins or ends by itself any more. */
void faults_close(struct world *world);
struct fault_state *faults_state(struct world *world, uint64_t id);
uint64_t faults_state_add(struct world *world, const struct fault_state *state);

#endif
