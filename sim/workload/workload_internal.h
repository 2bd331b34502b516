/* Inside the workload: groups, clients, operations. Nobody but sim/workload/ includes this. */
#ifndef FAULTLINE_SIM_WORKLOAD_INTERNAL_H
#define FAULTLINE_SIM_WORKLOAD_INTERNAL_H

#include "sim/kernel/zipf.h"
#include "sim/workload/workload.h"

#define NONE UINT32_MAX
#define STATUS_NONE 255 /* history: no answer */
#define ATTEMPTS_INLINE 4
#define ATTEMPTS_MAX 65535 /* an attempt's number takes 16 bits on the wire */

/* Whom the current attempt of an operation asks. */
enum phase { PHASE_DATABASE, PHASE_STORE_GET, PHASE_STORE_PUT };

enum op_state {
    OP_WAITS_LEADER, /* not sent: the directory has not spoken yet */
    OP_SENT,         /* the latest attempt is unanswered */
    OP_BACKOFF,      /* another attempt follows */
    OP_LAST,         /* no further attempt; some may still be answered */
};

struct attempt {
    size_t record;
    bool is_answered;
};

/* A pending operation. Pooled. */
struct op {
    struct op *next; /* free list; list of those who wait for a leader */
    struct client *client;
    uint64_t id;   /* also its token */
    size_t record; /* in the history */
    int64_t deadline_ns;
    struct event_id deadline, timer; /* timer: the attempt's timeout or the backoff's end */
    struct attempt inline_attempts[ATTEMPTS_INLINE], *attempts;
    uint32_t attempts_count, attempts_capacity;
    uint32_t unanswered;     /* attempts */
    uint32_t phase_attempts; /* made in this phase */
    uint32_t key;            /* interned; insert: the row prefix */
    uint32_t process;
    uint32_t target;   /* of the latest attempt */
    uint64_t expected; /* compare_and_set: token; 0: absence */
    uint64_t bound;    /* bind: the insert's token; resolve: the one found */
    uint64_t fence;    /* lock token held */
    uint8_t type;      /* enum history_type */
    uint8_t phase, state;
    bool is_indeterminate; /* an attempt was answered so */
    bool is_final;         /* of read_all */
    bool is_leader_read;   /* goes to the leader whatever read_from says */
    uint32_t store;        /* endpoint, for the store's phases */
};

/* A client: a session, and as many processes as it ever has operations at once. */
struct client {
    struct group *group;
    uint32_t index, session;
    uint32_t *idle, idle_count, idle_capacity; /* processes without an operation, a stack */
    struct rng choices; /* types, keys, owners: the same whatever the world does */
    struct rng targets; /* nodes: drawn for each attempt */
    bool has_targets;
    uint64_t position; /* session position */
    uint64_t lock_token;
    uint32_t lock_key; /* lock held; token 0: none */
    uint32_t step;     /* next step of the sequence */
    uint64_t reads;    /* round_robin */
};

enum deferred_kind {
    DEFERRED_MESSAGE,
    DEFERRED_ARRIVAL,
    DEFERRED_STEP,
    DEFERRED_DEADLINE,
    DEFERRED_TIMER,
    DEFERRED_PATIENCE
};

/* What came while the group was paused. */
struct deferred {
    enum deferred_kind kind;
    uint32_t from, message_kind; /* messages */
    struct payload *payload;
    uint64_t a, b; /* timers */
};

struct group_key {
    uint64_t seen;
    int64_t written_ns;
    uint32_t writer;
};

/* Row keys that inserts of one table were given, for whoever resolves ids. */
struct table {
    uint32_t prefix;
    uint32_t *rows, rows_count, rows_capacity;
};

struct group {
    struct workload *workload;
    struct workload_config config; /* strings borrowed */
    uint32_t endpoint, name;       /* name interned */
    const char *prefix;            /* "TABLE." of keys, "TABLE-" of rows */
    const char *row_prefix;
    uint32_t row_prefix_id;
    struct table *inserts_into, *resolves_from;
    uint32_t second_store; /* endpoint or NONE */
    struct client *clients;
    /* targets.c */
    uint32_t *near;      /* nodes, those of the own region first */
    uint32_t near_count; /* how many of them are in the own region (all when none) */
    uint32_t leader;     /* known, or LEADER_UNKNOWN */
    bool was_told;       /* the directory has spoken */
    bool is_asking;
    int64_t asked_ns;
    struct op *waiting_first, *waiting_last; /* for the directory's first word */
    bool is_patience_set;                    /* an event ends their wait */
    /* arrivals.c */
    bool is_open_loop;
    int64_t rate_millionths, next_ns;
    uint64_t arrivals; /* operations that have arrived or begun */
    struct rng arrival_draws;
    int64_t ends_ns;
    /* keys.c */
    uint64_t keys_made; /* unique, latest */
    struct zipf zipf;
    struct group_key *keys;
    uint32_t keys_capacity; /* by interned id; NULL: not needed */
    bool keeps_keys;
    /* pausing */
    bool is_paused;
    struct deferred *deferred;
    uint32_t deferred_count, deferred_capacity;
};

/* Every operation ever begun, by id. */
struct known {
    struct op *live;
    uint32_t record, group;
};

/* A key, by its interned id. */
struct key_info {
    bool is_written, is_bound;
    uint32_t store;
};

struct binding {
    uint32_t key, store;
};

struct workload {
    struct world *world;
    struct kernel *kernel;
    struct network *network;
    struct history *history;
    struct group *groups;
    uint32_t groups_count; /* the last one is that of the final reads */
    struct known *known;
    size_t known_count, known_capacity;
    struct op *ops_free, *ops_all;
    uint32_t processes, sessions;
    uint64_t active;
    struct key_info *keys;
    uint32_t keys_capacity;
    uint32_t *written;
    uint32_t written_count, written_capacity;
    struct binding *bound;
    uint32_t bound_count, bound_capacity;
    struct table **tables;
    uint32_t tables_count;
    struct buffer scratch, value, expected;
    /* finish.c */
    bool is_finishing;
    uint32_t finish_next, finish_open; /* next of written, then of bound; reads open */
};

/* ---- workload.c ---- */
struct op *workload_op(struct workload *workload, uint64_t id); /* pending, or NULL */
/* Grows a malloc'ed array so that index `need` exists; new elements are zero. */
void *grown(void *items, uint32_t *capacity, uint32_t need, size_t item_size);
void workload_key_written(struct workload *workload, uint32_t key);
void workload_row_known(struct workload *workload, struct table *table, uint32_t key);
void workload_key_bound(struct workload *workload, uint32_t key, uint32_t store);
/* The bytes of a value: "TOKEN." and filler, all a function of token and size. */
void value_write(struct buffer *out, uint64_t token, int64_t size);
struct event_id group_schedule(struct group *group, int64_t at_ns,
                               const struct event_type *type, uint64_t a, uint64_t b);
/* True when the group is paused and the event was put aside. */
bool group_defers(struct group *group, enum deferred_kind kind, uint64_t a, uint64_t b);

/* ---- keys.c ---- */
void keys_open(struct group *group);
/* The interned key for an operation of that type; NONE when there is nothing to ask for. */
uint32_t keys_choose(struct client *client, enum history_type type);
struct group_key *group_key(struct group *group, uint32_t key); /* NULL: not kept */

/* ---- arrivals.c ---- */
void arrivals_start(struct group *group);
void arrivals_fire(struct group *group, uint64_t number);
void arrivals_step(struct client *client); /* closed loop: think time is over */
void arrivals_next(struct client *client); /* closed loop: an operation has ended */

/* ---- targets.c ---- */
void targets_open(struct group *group);
/* Whom to ask in the operation's next attempt; NONE: wait for the directory. */
uint32_t targets_choose(struct op *op);
void targets_wait(struct op *op);
void targets_impatient(struct group *group); /* those who wait do so no longer */
void targets_unwait(struct op *op);
void targets_ask(struct group *group);
void targets_told(struct group *group, uint32_t node);
/* `from`, which was asked, says that another leads; LEADER_UNKNOWN: at least not itself. */
void targets_hint(struct group *group, uint32_t from, uint32_t node);

/* ---- operations.c ---- */
struct op *op_create(struct client *client, enum history_type type, uint32_t key);
/* Draws what the operation needs, records its invocation and sends the first attempt. False:
 * there was nothing to do (no id known to resolve, no lock held). */
bool op_begin(struct client *client, enum operation_type type);
/* Records the invocation; the fields that are the same for all are filled in. */
void op_invoke(struct op *op, struct history_op fields);
void op_attempt(struct op *op);
/* An attempt departs: sends `number, body` to the target and counts it. */
void op_send(struct op *op, uint32_t target, enum message_kind kind, struct bytes body);
struct history_op *op_record(const struct op *op);
void op_finish(struct op *op, enum history_outcome outcome);
void op_deadline(struct op *op);
void op_timer(struct op *op, uint32_t attempt);
void op_answered(struct group *group, uint32_t from, struct bytes message);
/* An attempt was answered in a way that allows or asks for another. */
void op_retry_or_end(struct op *op);
/* Takes the attempt off the unanswered ones; NULL when the answer is late, doubled or foreign.
 */
struct op *op_take_answer(struct group *group, uint64_t number, uint8_t status, uint64_t epoch);
/* What was asked so far is settled: the operation turns to somebody else. */
void op_turn(struct op *op, enum phase phase);

/* ---- store.c ---- */
void store_send(struct op *op);
void store_answered(struct group *group, struct bytes message);
void store_bind(struct op *insert, uint32_t row);

/* ---- finish.c ---- */
void finish_next(struct workload *workload);

#endif
