/* What the models of the causal family share: clocks of writes, and what must come before a
 * write besides. Private to sim/check; the method is told in causal.c and causal_memory.c. */
#ifndef FAULTLINE_SIM_CHECK_CAUSAL_INTERNAL_H
#define FAULTLINE_SIM_CHECK_CAUSAL_INTERNAL_H

#include "sim/check/reads_from.h"

struct causal {
    const struct ops *operations;
    struct model_verdict *verdict;
    struct reads_from rf;
    uint32_t *rows;   /* [writes * sessions] clocks of writes, themselves included */
    uint32_t *after;  /* [writes] 1 + row of `behind`, 0: none */
    uint32_t *behind; /* rows: comes after so many operations of each session */
    uint32_t behind_count, behind_capacity;
    uint32_t *clocks; /* [sessions * sessions] */
    bool is_convergent;
    /* When set, the first pass only looks for the read that put `probe_u` before `probe_w`. */
    uint32_t probe_u, probe_w, probe_read;
};

static inline uint32_t *row_of(const struct causal *c, uint32_t node)
{
    return c->rows + (size_t)c->rf.nodes[node].row * c->rf.sessions;
}

/* What must come before write w besides: so many nodes of each session; NULL: nothing. */
static inline const uint32_t *behind_of(const struct causal *c, uint32_t w)
{
    uint32_t after = c->after[c->rf.nodes[w].row];
    return after ? c->behind + (size_t)(after - 1) * c->rf.sessions : NULL;
}

/* False, and the verdict is unknown or violated: it cannot be judged by clocks, or need not. */
bool causal_init(struct causal *c, const struct ops *operations,
                 const struct model_limits *limits, struct model_verdict *verdict);
void causal_deinit(struct causal *c); /* and tells the verdict how much memory it took */

/* Write w comes after node u; false: that was known. */
bool causal_put_behind(struct causal *c, uint32_t w, uint32_t u);
/* The witness of `read`, which saw what u had replaced. */
void causal_overwritten(struct causal *c, uint32_t read, uint32_t u);
/* CC, and with is_convergent the edges that CCv demands, into `behind`. */
enum schedule_answer causal_first_pass(struct causal *c, struct schedule *schedule);
/* The witness of sessions that wait for each other. */
void causal_circle(struct causal *c, const struct schedule *schedule, const char *what);

#endif
