/* A node: one server thread, its read lanes, one background lane, a disk, a clock, a heap,
 * an engine and a scheme instance (DESIGN 4). Managers are nodes without an engine.
 *
 * A delivered message, fired timer or admin command waits in the bounded inbox while the
 * node is busy. When free the node takes up to `batch` entries, runs the scheme's handler
 * for each at a cost cursor, then flush once. Every effect is an event stamped with the
 * cursor: departures, replies, notes, facts. Such events carry the node's incarnation: a
 * stop at time c drops the effects not yet fired, a pause shifts them.
 */
#ifndef FAULTLINE_SIM_WORLD_NODE_H
#define FAULTLINE_SIM_WORLD_NODE_H

#include "engines/replication/scheme.h"
#include "sim/record/facts.h"
#include "sim/world/clock.h"
#include "sim/world/disk.h"
#include "sim/world/network.h"

/* What a payload is, passed through the network beside it. */
enum message_kind {
    MESSAGE_SCHEME,  /* the scheme's own bytes */
    MESSAGE_REQUEST, /* client -> node: u64 number, then operation_encode */
    MESSAGE_REPLY,   /* node -> client: u64 number, then reply_encode */
    MESSAGE_CLAIM,   /* -> directory: u32 node, u64 epoch; the answer is MESSAGE_CLAIM_ANSWER:
                        struct directory_answer encoded */
    MESSAGE_CLAIM_ANSWER,
    MESSAGE_STONITH, /* -> node's machine: power off at arrival, also when the node is paused */
    MESSAGE_DIRECTORY_ASK,  /* client -> directory: empty */
    MESSAGE_DIRECTORY_TELL, /* directory -> client: u32 node, u64 epoch */
    MESSAGE_STORE_REQUEST,  /* client -> second store: u64 number, u8 0 get | 1 put, u16 key
                               size, key, u64 token (put) */
    MESSAGE_STORE_REPLY     /* u64 number, u8 found, u64 token */
};

struct node_config {
    const char *name;
    uint32_t endpoint;     /* its network endpoint, equal to its index */
    uint32_t manager_node; /* managers: on whose machine it stands; else UINT32_MAX */
    bool is_manager;
    struct disk_config disk;
    struct clock_config clock;
    const struct engine_ops *engine; /* NULL for managers */
    const void *engine_options;
    bool engine_sync;                /* env.engine_sync */
    const struct scheme_ops *scheme; /* of managers: scheme->manager */
    const void *scheme_options;
    uint32_t leader_initial;
    /* The numbers below: 0 is the default. */
    int64_t batch;                 /* entries a batch (64) */
    int64_t inbox_max;             /* entries held (10,000); more are dropped and counted */
    int64_t read_lanes;            /* detached reads at once (8) */
    int64_t handler_ns;            /* CPU charged for each inbox entry (2us) */
    int64_t maintain_every_ns;     /* background slices of an idle engine (100ms) */
    int64_t maintain_budget_bytes; /* a slice (256KiB) */
    int64_t sync_every_ns;         /* periodic engine_sync by the background lane; 0: none */
    size_t heap_max;               /* bytes (256 MiB) */
};

/* What the node tells the world, at the virtual time of the effect (never early). */
struct node_listener {
    void *context;
    void (*note)(void *context, uint32_t endpoint, enum note_kind kind, uint64_t a, uint64_t b);
    /* Every OK reply to a write, insert, delete, compare_and_set or lock. */
    void (*acknowledged)(void *context, uint32_t endpoint, uint64_t operation_id,
                         enum operation_type type, const struct reply *reply);
    void (*down)(void *context, uint32_t endpoint, enum down_cause cause, const char *why);
    /* Started and opened, or failed to with an error (then it is down). */
    void (*up)(void *context, uint32_t endpoint, int error, int64_t recovery_ns);

    /* The rest may be NULL. */

    /* After a batch that changed role, epoch, leader or accepts_writes. Positions move
     * silently: node_inspection() has them. */
    void (*inspected)(void *context, uint32_t endpoint,
                      const struct scheme_inspection *inspection);
    /* At the end of every batch and slice: syncs that its disk has done so far. */
    void (*batch)(void *context, uint32_t endpoint, uint64_t syncs);
    /* What the scheme answered to a command. */
    void (*admin)(void *context, uint32_t endpoint, const struct admin_command *command,
                  int error);
    /* An order to shoot it has arrived; NULL: the node is powered off. */
    void (*stonith)(void *context, uint32_t endpoint, uint32_t from);
    /* A background sync or slice failed with an error. */
    void (*trouble)(void *context, uint32_t endpoint, const char *what, int error);
};

struct node_counters {
    uint64_t handled, batches, replies, dropped_inbox, dropped_down, crashes, undone_effects;
    int64_t busy_ns, background_ns, stalled_ns;
    uint64_t inbox_peak;
};

struct node;
/* peers: as in struct env, kept. The node is down until node_start. */
struct node *node_create(struct kernel *kernel, struct network *network, uint32_t directory,
                         const struct node_config *config, const struct env_peer *peers,
                         uint32_t nodes, uint32_t managers,
                         const struct node_listener *listener);
void node_destroy(struct node *node);
/* The network's receive function for nodes; context = struct node *. */
void node_receive(void *context, uint32_t from, enum message_class message_class, uint32_t kind,
                  struct payload *payload);

/* ---- ways to stop and start ----
 * Each is idempotent and returns false when it had no effect (already down, already up). A
 * power loss of a node that is down still takes what its operating system had cached.
 */
bool node_crash(struct node *node, enum down_cause cause, const char *why);
bool node_power_off(struct node *node, enum disk_power_mode mode, enum down_cause cause);
bool node_wipe(struct node *node); /* stops it if up; new empty disk */
bool node_pause(struct node *node);
bool node_resume(struct node *node);
bool node_start(struct node *node);
/* Through the inbox; false when down. */
bool node_admin(struct node *node, const struct admin_command *command);

bool node_is_up(const struct node *node);
bool node_is_paused(const struct node *node);
struct disk *node_disk(struct node *node);
struct clock *node_clock(struct node *node);
/* What runs the present incarnation: counts starts, 0 before the first. */
uint64_t node_incarnation(const struct node *node);
/* True from node_start until it is up or has failed to open. */
bool node_is_booting(const struct node *node);
/* Text of the last failed open, stop or background error; "" when none. */
const char *node_error(const struct node *node);
/* Page cache cold, now (also while paused). Returns the number of pages evicted. */
uint64_t node_evict(struct node *node);
/* Clock changes go through the node: pending timers are rescaled. */
void node_clock_step(struct node *node, int64_t delta_ns);
void node_clock_drift(struct node *node, int64_t drift_ppm);
/* The last inspection, taken when the handler ended; zero while down. */
const struct scheme_inspection *node_inspection(const struct node *node);
const struct node_counters *node_counters(const struct node *node);
/* Reads every client key of the engine at no cost and no effect (final reads, convergence); 0
 * or the engine's error; -EHOSTDOWN when down. */
int node_each(struct node *node,
              void (*each)(void *context, struct bytes key, struct bytes value), void *context);

#endif
