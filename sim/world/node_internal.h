/* What the files of the node share. Nobody else includes this; the contract is node.h, the
 * design is the essay of node.c. */
#ifndef FAULTLINE_SIM_WORLD_NODE_INTERNAL_H
#define FAULTLINE_SIM_WORLD_NODE_INTERNAL_H

#include <setjmp.h>

#include "sim/kernel/kernel.h"
#include "sim/kernel/random.h"
#include "sim/world/heap.h"
#include "sim/world/node.h"

#define NODE_WHY_SIZE 320u /* bytes of the text that says why a node stopped */

/* ---- effects: what a handler does to the world, at a stamp ---- */

enum effect_kind {
    EFFECT_SEND,
    EFFECT_REPLY,
    EFFECT_NOTE,
    EFFECT_INSPECTED,
    EFFECT_BATCH,
    EFFECT_ADMIN,
    EFFECT_UP,
    EFFECT_FAIL,
    EFFECT_TROUBLE
};

struct effect {
    struct effect *next; /* of the same moment, in order of making; or of the free list */
    enum effect_kind kind;
    int32_t code; /* NOTE: kind; REPLY: operation type; UP, ADMIN, TROUBLE: error; FAIL: down
                     cause */
    uint32_t to;  /* SEND, REPLY: endpoint */
    enum message_class message_class; /* SEND */
    uint32_t message_kind;            /* SEND */
    struct payload *payload;          /* SEND, REPLY: one reference */
    uint64_t a, b; /* NOTE: its numbers; REPLY: operation id; BATCH: syncs; ADMIN: kind, node;
                      UP: ns of recovery */
    const char *what; /* TROUBLE: static text */
};

/* Effects of one instant that one thread of the node made in a row: one kernel event. They fire
 * in order whatever becomes of ties. */
struct moment {
    struct moment *previous, *next; /* the node's pending moments in order of making; next also
                                       links the free list */
    struct node *node;
    int64_t stamp;         /* ns */
    struct event_id event; /* none while the node is paused */
    struct effect *first, *last;
};

/* ---- inbox ---- */

enum entry_kind { ENTRY_MESSAGE, ENTRY_REQUEST, ENTRY_ANSWER, ENTRY_TIMER, ENTRY_ADMIN };

struct entry {
    enum entry_kind kind;
    uint32_t from;
    enum message_class message_class;
    uint32_t generation;          /* TIMER */
    struct payload *payload;      /* MESSAGE, REQUEST, ANSWER: one reference */
    uint64_t timer;               /* TIMER: id */
    struct admin_command command; /* ADMIN */
};

/* ---- requests that were not answered yet ---- */

struct request {
    uint32_t generation; /* of the slot: part of the handle */
    bool is_open;
    uint32_t client;
    enum operation_type type;
    uint64_t number, operation_id;
    uint32_t next_free;
};

/* ---- timers ---- */

struct node_timer {
    uint64_t id;
    int64_t due;    /* ns of the monotonic clock */
    int64_t set_at; /* ns of true time: the cursor when it was set */
    struct event_id event;
    uint32_t generation; /* tells it from an earlier one of the same id in the inbox */
    bool is_queued;      /* it came due and stands in the inbox */
};

struct timers {
    struct node_timer
        *items; /* dense; its order is that of setting and removing, the same in every run */
    uint32_t count, capacity;
    uint32_t *slots;      /* open addressing by id: index + 1, 0 empty */
    uint32_t slots_count; /* power of two; 0: none yet */
    uint32_t generation;
};

/* ---- the node ---- */

enum node_state { NODE_DOWN, NODE_BOOTING, NODE_UP };
enum lane { LANE_NONE, LANE_BOOT, LANE_SERVER, LANE_READ, LANE_BACKGROUND };

struct engine_proxy {
    struct engine base;
    struct node *node;
    struct engine_ops ops;
};

struct node {
    struct env env; /* what the scheme sees; first, so that an env is its node */
    struct kernel *kernel;
    struct network *network;
    uint32_t directory;
    struct node_config config;
    struct node_listener listener;
    struct disk *disk;
    struct clock clock;
    struct heap *heap;
    uint64_t counted_bytes; /* of heap and disk, as the kernel's memory has them */
    struct rng rng;

    enum node_state state;
    uint64_t incarnation;
    bool is_paused;
    int64_t paused_at;        /* ns; since when */
    int64_t paused_monotonic; /* ns; the same by its own clock */
    int64_t held_at;          /* ns; until when the disk's later effects have been shifted */
    bool is_doomed;           /* a failure of this incarnation waits for its stamp */
    char why[NODE_WHY_SIZE];

    struct engine *engine; /* the real one */
    struct engine_proxy proxy;
    struct scheme *scheme;
    struct buffer open_error, scratch;

    /* Where time is spent. */
    enum lane lane;             /* whose code runs now; NONE: nobody's */
    int64_t server_cursor;      /* ns; LANE_READ: where the server thread goes on */
    struct moment *server_tail; /* LANE_READ: likewise, the moment that it was filling */
    uint32_t read_lane;         /* LANE_READ: which */
    int64_t busy_until;         /* ns; server thread */
    int64_t engine_until;       /* ns; last engine call of the server thread */
    int64_t background_until;   /* ns; present slice */
    int64_t *lanes_until;       /* [lanes] ns; each read lane */
    uint32_t lanes;
    bool in_request;
    int32_t boot_error;   /* LANE_BOOT: what open or start returned */
    struct entry current; /* being handled */
    struct {
        void (*each)(void *context, struct bytes key, struct bytes value);
        void *context;
        int error;
    } visit;        /* node_each */
    jmp_buf escape; /* out of node code */
    enum down_cause escape_cause;

    struct entry *inbox; /* ring */
    uint32_t inbox_head, inbox_count, inbox_capacity;
    struct event_id run_event;

    struct event_id slice_event, sync_event;
    int64_t slice_at,
        slice_wait;   /* ns; when the next slice is due, and how long an idle one waits */
    int slice_error;  /* of the last slice */
    bool slice_waits; /* due, but the engine was busy */
    bool slice_more;  /* the last slice asked for another */
    bool sync_due;    /* the next slice is a sync */
    bool is_dirty;    /* written since the last idle slice */
    bool sync_dirty;  /* written since the last periodic sync */

    struct moment *moments, *moments_last,
        *tail; /* pending; tail: the one that code running now may add to */
    struct moment *free_moments;
    struct effect *free_effects;
    int64_t last_effect; /* ns; when one fired last, -1 never */

    struct request *requests;
    uint32_t requests_count, requests_capacity, requests_free; /* free: index + 1 */
    struct timers timers;

    struct scheme_inspection seen, coming,
        told;          /* as of now; from coming_at on; last told to the listener's queue */
    int64_t coming_at; /* ns; VTIME_MAX: nothing comes */
    struct node_counters counters;
    int64_t accounted; /* bytes told to the kernel */
};

/* ---- node.c ---- */
void node_kick(struct node *node);
void node_inbox_push(struct node *node, const struct entry *entry);
/* Runs body as node code: a broken contract or panic in it ends it and dooms the node at the
 * cursor. False then. */
bool node_guarded(struct node *node, enum lane lane, int64_t cursor,
                  void (*body)(struct node *node), int64_t *end);
void node_escape(struct node *node, enum down_cause cause, const char *text)
    __attribute__((noreturn));
/* Tells the listener, at the end of a batch or slice, how many syncs there were. */
void node_batch_done(struct node *node, int64_t stamp);
/* Takes the incarnation down without a word: a failed boot. */
void node_stop_quietly(struct node *node);
static inline bool node_is_running(const struct node *node)
{
    return node->state == NODE_UP && !node->is_paused && !node->is_doomed;
}

/* ---- node_effects.c ---- */
struct effect *node_effect(struct node *node, int64_t stamp, enum effect_kind kind);
void node_effects_drop(struct node *node);
void node_effects_hold(struct node *node);
void node_effects_release(struct node *node, int64_t length);
void node_effects_deinit(struct node *node);

/* ---- node_env.c ---- */
extern const struct env_ops node_env_ops;
uint64_t node_request_open(struct node *node, uint32_t client, uint64_t number,
                           const struct operation *operation);
void node_requests_drop(struct node *node);

/* ---- node_timers.c ---- */
void node_timer_set(struct node *node, uint64_t id, int64_t now_ns, int64_t delay_ns);
void node_timer_cancel(struct node *node, uint64_t id);
/* Takes a timer out that stands in the inbox; false when it was moved or cancelled since. */
bool node_timer_take(struct node *node, uint64_t id, uint32_t generation);
void node_timers_drop(struct node *node);
void node_timers_hold(struct node *node);    /* a pause begins: those set after it wait */
void node_timers_release(struct node *node); /* and are shifted by its length */
void node_timers_rescale(struct node *node);
void node_timers_deinit(struct node *node);

/* ---- node_engine.c: the proxy, the background lane ---- */
int node_engine_open(struct node *node);
void node_slices_begin(struct node *node);
void node_slices_stop(struct node *node);
void node_slices_resume(struct node *node);
/* A slice that waits for the engine goes before the next batch. */
void node_slice_before_batch(struct node *node);
void node_slice_hurry(struct node *node);

#endif
