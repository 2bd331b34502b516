/* What read from what: operations on registers with different values, by session and by key,
 * as the models of causality and sessions see them. Private to sim/check.
 *
 * An operation that says or does something is a node. A compare_and_set that took effect reads
 * what it expected and writes; one that failed reads what it saw. A write without an answer
 * counts when its value was read; a read without one is dropped.
 */
#ifndef FAULTLINE_SIM_CHECK_READS_FROM_H
#define FAULTLINE_SIM_CHECK_READS_FROM_H

#include "sim/check/models.h"

#define NODE_NONE UINT32_MAX
#define NODE_INITIAL (UINT32_MAX - 1) /* reads from the initial value */

struct node {
    uint32_t op, session, index; /* index: its number in the session, from 0 */
    uint32_t reads_from;         /* node that wrote what it read; NODE_INITIAL; NODE_NONE: no
                                    read */
    uint32_t row;                /* of a write: its number among the writes; NODE_NONE: none */
    bool is_thin;                /* it read what nobody wrote */
};

struct chain { /* the writes of one key by one session, in its order */
    uint32_t session, start, count, hint;
};

struct reads_from {
    const struct ops *operations;
    struct node *nodes; /* in order of invoke */
    uint32_t count, sessions, writes;
    uint32_t *session_start; /* [sessions + 1] into in_session */
    uint32_t *in_session;    /* nodes, session after session */
    uint32_t *writer_of;     /* [values] node that wrote it, NODE_NONE */
    uint32_t *row_node;      /* [writes] the node of a row */
    uint32_t *key_start;     /* [keys + 1] */
    struct chain *chains;    /* by key: chains[key_start[key]..key_start[key + 1]) */
    uint32_t *chain_writes;  /* nodes */
};

/* False, and the verdict is set: MODEL_UNKNOWN when a value was written twice or absence comes
 * back, MODEL_VIOLATED when a read saw what nobody wrote. */
bool reads_from_init(struct reads_from *rf, const struct ops *operations,
                     struct model_verdict *verdict);
/* The same, but reads of what nobody wrote are marked and not judged. */
bool reads_from_init_lenient(struct reads_from *rf, const struct ops *operations,
                             struct model_verdict *verdict);
void reads_from_deinit(struct reads_from *rf);
/* Builds chains of the nodes that write, or of those that read, into the fields: who needs
 * chains calls it. */
void reads_from_chains(struct reads_from *rf, bool of_reads);
uint64_t reads_from_memory(const struct reads_from *rf);

/* The last write of a chain among the first `clock` operations of its session; NODE_NONE.
 * Quick when asked for neighbours in turn. */
static inline uint32_t chain_last(const struct reads_from *rf, struct chain *chain,
                                  uint32_t clock)
{
    const uint32_t *writes = rf->chain_writes + chain->start;
    uint32_t at = chain->hint;
    while (at < chain->count && rf->nodes[writes[at]].index < clock) at++;
    while (at > 0 && rf->nodes[writes[at - 1]].index >= clock) at--;
    chain->hint = at;
    return at ? writes[at - 1] : NODE_NONE;
}

/* ---- running through the sessions, each node when what it waits for is done ---- */

struct schedule {
    uint32_t *done;    /* [sessions] nodes executed */
    uint32_t *limit;   /* [sessions] nodes that the outer walk has come to */
    uint32_t *waiting; /* [sessions] first session that waits for this one, NODE_NONE */
    uint32_t *next_waiting;
    uint32_t *wait_for; /* [sessions] how many executed nodes it waits for */
    uint32_t *wait_on;  /* [sessions] whose; NODE_NONE: it does not wait */
    uint32_t *ready, ready_count;
};

enum schedule_answer {
    SCHEDULE_DONE,
    SCHEDULE_STOPPED, /* by a step */
    SCHEDULE_CIRCLE   /* some wait for each other: wait_on, wait_for, done say who */
};

/* Runs all nodes, close to their order in time. step: 1 executed; 0: the session has to wait
 * (schedule_wait was called); -1 stop. */
enum schedule_answer schedule_run(struct schedule *schedule, const struct reads_from *rf,
                                  int (*step)(void *context, struct schedule *schedule,
                                              uint32_t node),
                                  void *context);
void schedule_deinit(struct schedule *schedule);

static inline int schedule_wait(struct schedule *schedule, uint32_t session, uint32_t on,
                                uint32_t count)
{
    schedule->wait_on[session] = on;
    schedule->wait_for[session] = count;
    return 0;
}

#endif
