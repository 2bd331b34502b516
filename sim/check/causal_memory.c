/* Causal memory (CM) and PRAM, of registers whose written values are all different.
 *
 * Both ask, for each process p, for one order of what p may know in which each read of p sees
 * the last write before it:
 *
 *   PRAM  orders all writes and p's reads, each process's in its own order (Lipton and
 *         Sandberg, "PRAM: a scalable shared memory", 1988);
 *   CM    orders the causal past of p's last operation, in an order that contains co (Ahamad
 *         et al., "Causal memory", Distributed Computing 9, 1995; the test by patterns:
 *         Bouajjani et al., POPL 2017, section 4).
 *
 * Let HB be the least transitive relation that holds the order given (so with p's own
 * reads-from, or co) and, for a read r of p that saw w and a write u of the same key with u HB
 * r, u != w, also u HB w. Such an order exists iff HB has no cycle and no such u lies before a
 * read of the initial value.
 *
 * Method: HB's pasts are closed in each process's order, so they are clocks, as in causal.c.
 * All nodes are run through; each read of p adds what must come before the write that it saw;
 * that changes pasts, so it is repeated until nothing is added. Usually two or three rounds a
 * process. The work is bounded: beyond the limit the answer is unknown.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/check/causal.h"
#include "sim/check/causal_internal.h"
#include "sim/check/witness.h"

#define STATES_DEFAULT UINT64_C(50000000)

struct memory {
    struct causal c;
    uint32_t process;
    bool is_pram;
    const uint32_t *past; /* CM: nodes of each session in the past of p's last operation */
    bool has_added, is_violated;
    uint64_t visited, visited_max;
};

/* The round's step: as causal.c's first pass, with what must come before a write besides. */
static int step(void *context, struct schedule *s, uint32_t n)
{
    struct memory *m = context;
    struct causal *c = &m->c;
    const struct node *node = &c->rf.nodes[n];
    uint32_t sessions = c->rf.sessions;
    if (m->past && node->index >= m->past[node->session]) return 1;
    uint32_t *clock = c->clocks + (size_t)node->session * sessions;
    bool reads = node->reads_from != NODE_NONE && (!m->is_pram || node->session == m->process);
    if (reads && node->reads_from < NODE_INITIAL) {
        const struct node *w = &c->rf.nodes[node->reads_from];
        if (s->done[w->session] <= w->index)
            return schedule_wait(s, node->session, w->session, w->index + 1);
    }
    const uint32_t *behind = node->row == NODE_NONE ? NULL : behind_of(c, n);
    for (uint32_t t = 0; behind && t < sessions; t++)
        if (behind[t] > s->done[t]) return schedule_wait(s, node->session, t, behind[t]);
    for (uint32_t t = 0; behind && t < sessions; t++) {
        if (!behind[t]) continue;
        const uint32_t *row =
            row_of(c, c->rf.in_session[c->rf.session_start[t] + behind[t] - 1]);
        for (uint32_t i = 0; i < sessions; i++)
            clock[i] = clock[i] < row[i] ? row[i] : clock[i];
    }
    const uint32_t *seen =
        reads && node->reads_from < NODE_INITIAL ? row_of(c, node->reads_from) : NULL;
    for (uint32_t i = 0; seen && i < sessions; i++)
        clock[i] = clock[i] < seen[i] ? seen[i] : clock[i];
    if (reads && node->session == m->process) {
        uint32_t key = c->operations->items[node->op].key;
        for (uint32_t i = c->rf.key_start[key]; i < c->rf.key_start[key + 1]; i++) {
            struct chain *chain = &c->rf.chains[i];
            uint32_t u = chain_last(&c->rf, chain, clock[chain->session]);
            if (u == NODE_NONE || u == node->reads_from) continue;
            if (seen && seen[chain->session] > c->rf.nodes[u].index) continue;
            if (!seen || row_of(c, u)[c->rf.nodes[node->reads_from].session] >
                             c->rf.nodes[node->reads_from].index) {
                m->is_violated = true;
                causal_overwritten(c, n, u);
                return -1;
            }
            m->has_added |= causal_put_behind(c, node->reads_from, u);
        }
    }
    clock[node->session] = node->index + 1;
    if (node->row != NODE_NONE) memcpy(row_of(c, n), clock, sessions * sizeof *clock);
    return ++m->visited > m->visited_max ? -1 : 1;
}

static void behind_clear(struct causal *c)
{
    memset(c->after, 0, c->rf.writes * sizeof *c->after);
    c->behind_count = 0;
}

/* One process; false: violated, or given up. */
static bool process_holds(struct memory *m)
{
    struct causal *c = &m->c;
    enum schedule_answer answer;
    behind_clear(c);
    do {
        struct schedule s;
        m->has_added = false;
        memset(c->clocks, 0, (size_t)c->rf.sessions * c->rf.sessions * sizeof *c->clocks);
        answer = schedule_run(&s, &c->rf, step, m);
        if (answer == SCHEDULE_CIRCLE) {
            m->is_violated = true;
            causal_circle(c, &s, "No order of the writes explains what one process saw");
        }
        schedule_deinit(&s);
    } while (answer == SCHEDULE_DONE && m->has_added);
    return answer == SCHEDULE_DONE;
}

/* CM needs CC, and the past of each process's last operation. */
static bool pasts_find(struct memory *m, uint32_t *pasts)
{
    struct schedule s;
    struct causal *c = &m->c;
    enum schedule_answer answer = causal_first_pass(c, &s);
    if (answer == SCHEDULE_CIRCLE) causal_circle(c, &s, "What was seen goes round in a circle");
    schedule_deinit(&s);
    m->is_violated = answer != SCHEDULE_DONE;
    memcpy(pasts, c->clocks, (size_t)c->rf.sessions * c->rf.sessions * sizeof *pasts);
    return answer == SCHEDULE_DONE;
}

static void judge(const struct ops *operations, const struct model_limits *limits,
                  struct model_verdict *verdict, bool is_pram)
{
    struct memory m = {.is_pram = is_pram,
                       .visited_max =
                           limits && limits->states ? limits->states : STATES_DEFAULT};
    verdict->algorithm = "saturated vector clocks, process by process";
    if (causal_init(&m.c, operations, limits, verdict)) {
        uint32_t sessions = m.c.rf.sessions;
        uint32_t *pasts = xcalloc((size_t)sessions * sessions + 1, sizeof *pasts);
        bool holds = is_pram || pasts_find(&m, pasts);
        for (m.process = 0; holds && m.process < sessions; m.process++) {
            m.past = is_pram ? NULL : pasts + (size_t)m.process * sessions;
            holds = process_holds(&m);
        }
        free(pasts);
        verdict->states = m.visited;
        verdict->violations = m.is_violated;
        verdict->outcome = holds ? MODEL_HOLDS : m.is_violated ? MODEL_VIOLATED : MODEL_UNKNOWN;
        if (verdict->outcome == MODEL_UNKNOWN)
            witness_explain(verdict, "Given up after %llu steps: the limit.",
                            (unsigned long long)m.visited);
    }
    causal_deinit(&m.c);
}

void check_causal_memory(const struct ops *operations, const struct model_limits *limits,
                         struct model_verdict *verdict)
{
    judge(operations, limits, verdict, false);
}

void check_pram(const struct ops *operations, const struct model_limits *limits,
                struct model_verdict *verdict)
{
    judge(operations, limits, verdict, true);
}
