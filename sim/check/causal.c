/* Causal consistency, weak (CC) and convergent (CCv), of registers whose written values are all
 * different (Bouajjani, Enea, Guerraoui, Hamza, "On verifying causal consistency", POPL 2017).
 *
 * so is the order within a process, rf joins a write to the reads of its value, and
 * co = (so + rf)+. With unique values rf is known, and
 *
 *   CC   holds iff no read saw what nobody wrote (C1: reads_from_init), co has no cycle (C2),
 *        and no write of x other than rf(r) lies between rf(r) and a read r of x in co (C3);
 *        the initial value is a write before all others.
 *   CCv  holds iff CC does, and co stays without cycle (C4) when u -> rf(r) is added for every
 *        write u of x with u co r, u != rf(r): all processes can agree on one order of writes
 *        that explains what each saw.
 *
 * Method, O(n k) for n operations of k processes. Operations are visited in an order of co
 * (close to their order in time, for the cache's sake). Each process carries a clock, clock[s]
 * = how many operations of s are in its causal past; each write keeps a copy as its row. For a
 * read of x it is enough to look, in each process s that wrote x, at the last write u of x
 * among the first clock[s]: an earlier one is before u. C3 is violated when rf(r) is in the
 * past of u, which u's row says.
 *
 * For C4 each write w keeps, per process, the greatest index of such a u that is not in its
 * past already: "w comes after so many operations of s". Then all operations are executed once
 * more, greedily, each when all that must come before it is done. What remains waits in a
 * circle: the witness.
 *
 * What counts as an operation: reads_from.h. Deletes bring a value back, so they are not
 * judged: unknown.
 *
 * Memory: two rows of 4 k bytes a write at most, besides 40 bytes an operation.
 */
#include "sim/check/causal.h"

#include <stdlib.h>
#include <string.h>

#include "sim/check/causal_internal.h"
#include "sim/check/witness.h"

#define MEMORY_DEFAULT (UINT64_C(1) << 30)
#define NONE NODE_NONE
#define INITIAL NODE_INITIAL

/* ---- the first pass: clocks, C2, C3 ---- */

bool causal_put_behind(struct causal *c, uint32_t w, uint32_t u)
{
    uint32_t *after = &c->after[c->rf.nodes[w].row];
    if (!*after) {
        if (c->behind_count == c->behind_capacity) {
            c->behind_capacity = c->behind_capacity ? c->behind_capacity * 2 : 16;
            if (c->behind_capacity > c->rf.writes) c->behind_capacity = c->rf.writes;
            c->behind = xrealloc(c->behind, (size_t)c->behind_capacity * c->rf.sessions *
                                                sizeof *c->behind);
        }
        memset(c->behind + (size_t)c->behind_count * c->rf.sessions, 0,
               c->rf.sessions * sizeof *c->behind);
        *after = ++c->behind_count;
    }
    uint32_t *slot = &c->behind[(size_t)(*after - 1) * c->rf.sessions + c->rf.nodes[u].session];
    if (*slot > c->rf.nodes[u].index) return false;
    *slot = c->rf.nodes[u].index + 1;
    return true;
}

/* The read that made some w in `from`'s past part of session's past first, walking back from
 * `to` in its session: a chain of (write, read) pairs from -> ... -> to. */
static uint32_t path(struct causal *c, uint32_t from, uint32_t to, uint32_t *ops,
                     uint32_t capacity)
{
    uint32_t count = 0;
    const struct node *w = &c->rf.nodes[from];
    while (c->rf.nodes[to].session != w->session && count + 2 <= capacity) {
        uint32_t session = c->rf.nodes[to].session, found = NONE;
        for (uint32_t i = 0; i <= c->rf.nodes[to].index && found == NONE; i++) {
            uint32_t n = c->rf.in_session[c->rf.session_start[session] + i];
            uint32_t v = c->rf.nodes[n].reads_from;
            if (v < INITIAL && row_of(c, v)[w->session] > w->index) found = n;
        }
        if (found == NONE) break;
        ops[count++] = c->rf.nodes[found].op;
        to = c->rf.nodes[found].reads_from;
        ops[count++] = c->rf.nodes[to].op;
    }
    return count;
}

#define PATH_MAX_OPS 64u

void causal_overwritten(struct causal *c, uint32_t read, uint32_t u)
{
    const struct node *r = &c->rf.nodes[read];
    uint32_t ops[2 * PATH_MAX_OPS + 3], count = 0;
    uint32_t written = r->reads_from;
    ops[count++] = r->op;
    ops[count++] = c->rf.nodes[u].op;
    count += path(c, u, read, ops + count, PATH_MAX_OPS);
    if (written < INITIAL) {
        ops[count++] = c->rf.nodes[written].op;
        count += path(c, written, u, ops + count, PATH_MAX_OPS);
    }
    witness_set(c->verdict, c->operations, ops, count);
    if (written < INITIAL)
        witness_edge(c->verdict, c->rf.nodes[written].op, c->rf.nodes[u].op, REASON_DERIVED);
    witness_edge(c->verdict, c->rf.nodes[u].op, r->op, REASON_DERIVED);
    witness_edge(c->verdict, r->op, c->rf.nodes[u].op, REASON_OVERWRITTEN);
    witness_explain(c->verdict,
                    "%s saw %s, although %s, which replaced it, was in its causal past.",
                    say_operation(c->operations, r->op), say_seen(c->operations, r->op),
                    say_operation(c->operations, c->rf.nodes[u].op));
}

static int first_step(void *context, struct schedule *s, uint32_t n)
{
    struct causal *c = context;
    const struct node *node = &c->rf.nodes[n];
    uint32_t *clock = c->clocks + (size_t)node->session * c->rf.sessions;
    if (node->reads_from < INITIAL) {
        const struct node *w = &c->rf.nodes[node->reads_from];
        if (s->done[w->session] <= w->index) /* also a swap that reads itself */
            return schedule_wait(s, node->session, w->session, w->index + 1);
        const uint32_t *row = row_of(c, node->reads_from);
        for (uint32_t t = 0; t < c->rf.sessions; t++)
            clock[t] = clock[t] < row[t] ? row[t] : clock[t];
    }
    if (node->reads_from != NONE) {
        uint32_t key = c->operations->items[node->op].key;
        const uint32_t *row = node->reads_from < INITIAL ? row_of(c, node->reads_from) : NULL;
        for (uint32_t i = c->rf.key_start[key]; i < c->rf.key_start[key + 1]; i++) {
            struct chain *chain = &c->rf.chains[i];
            uint32_t u = chain_last(&c->rf, chain, clock[chain->session]);
            if (u == NONE || u == node->reads_from) continue;
            if (row && row[chain->session] > c->rf.nodes[u].index) continue; /* u co rf(r) */
            bool is_overwritten = !row || row_of(c, u)[c->rf.nodes[node->reads_from].session] >
                                              c->rf.nodes[node->reads_from].index;
            if (c->probe_u != NONE) {
                if (u == c->probe_u && node->reads_from == c->probe_w) {
                    c->probe_read = n;
                    return -1;
                }
            } else if (is_overwritten) {
                causal_overwritten(c, n, u);
                return -1;
            } else if (c->is_convergent) {
                causal_put_behind(c, node->reads_from, u);
            }
        }
    }
    clock[node->session] = node->index + 1;
    if (node->row != NONE) memcpy(row_of(c, n), clock, c->rf.sessions * sizeof *clock);
    return 1;
}

enum schedule_answer causal_first_pass(struct causal *c, struct schedule *s)
{
    memset(c->clocks, 0, (size_t)c->rf.sessions * c->rf.sessions * sizeof *c->clocks);
    return schedule_run(s, &c->rf, first_step, c);
}

/* ---- the second pass: C4 ---- */

static int second_step(void *context, struct schedule *s, uint32_t n)
{
    struct causal *c = context;
    const struct node *node = &c->rf.nodes[n];
    if (node->reads_from < INITIAL) {
        const struct node *w = &c->rf.nodes[node->reads_from];
        if (s->done[w->session] <= w->index)
            return schedule_wait(s, node->session, w->session, w->index + 1);
    }
    const uint32_t *behind = node->row == NONE ? NULL : behind_of(c, n);
    if (!behind) return 1;
    for (uint32_t t = 0; t < c->rf.sessions; t++)
        if (behind[t] > s->done[t]) return schedule_wait(s, node->session, t, behind[t]);
    return 1;
}

/* ---- circles ---- */

/* Who waits for whom at the end: follows it round and makes the witness. */
void causal_circle(struct causal *c, const struct schedule *s, const char *what)
{
    uint32_t at = 0, heads[PATH_MAX_OPS] = {0}, count = 0;
    while (s->wait_on[at] == NONE) at++;
    for (uint32_t i = 0; i < c->rf.sessions; i++) at = s->wait_on[at]; /* into the circle */
    uint32_t first = at;
    do {
        if (count < PATH_MAX_OPS) heads[count++] = at;
        at = s->wait_on[at];
    } while (at != first);

    uint32_t ops[6 * PATH_MAX_OPS] = {0}, ops_count = 0; /* gcc sees no entry */
    struct model_edge edges[3 * PATH_MAX_OPS];
    uint32_t edges_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t t = heads[i], other = s->wait_on[t];
        uint32_t head = c->rf.in_session[c->rf.session_start[t] + s->done[t]];
        uint32_t waits_for = c->rf.in_session[c->rf.session_start[other] + s->wait_for[t] - 1];
        uint32_t other_head = c->rf.in_session[c->rf.session_start[other] + s->done[other]];
        bool is_read = c->rf.nodes[head].reads_from == waits_for;
        ops[ops_count++] = c->rf.nodes[head].op;
        ops[ops_count++] = c->rf.nodes[waits_for].op;
        edges[edges_count++] =
            (struct model_edge){c->rf.nodes[waits_for].op, c->rf.nodes[head].op,
                                is_read ? REASON_READS_FROM : REASON_OVERWRITTEN};
        edges[edges_count++] = (struct model_edge){c->rf.nodes[other_head].op,
                                                   c->rf.nodes[waits_for].op, REASON_SESSION};
        if (is_read || count > 8) continue;
        /* Why: some read saw head's value with waits_for in its past. */
        struct schedule again;
        c->probe_u = waits_for;
        c->probe_w = head;
        c->probe_read = NONE;
        causal_first_pass(c, &again);
        schedule_deinit(&again);
        c->probe_u = NONE;
        if (c->probe_read == NONE) continue;
        ops[ops_count++] = c->rf.nodes[c->probe_read].op;
        if (ops_count + 2 < sizeof ops / sizeof *ops - 2)
            ops_count += path(c, waits_for, c->probe_read, ops + ops_count, 2);
    }
    witness_set(c->verdict, c->operations, ops, ops_count);
    for (uint32_t i = 0; i < edges_count; i++)
        witness_edge(c->verdict, edges[i].from, edges[i].to, edges[i].reason);
    witness_explain(c->verdict, "%s: %s must come before %s, and the other way round.", what,
                    say_operation(c->operations, edges[0].from),
                    say_operation(c->operations, edges[0].to));
}

/* ---- the models ---- */

bool causal_init(struct causal *c, const struct ops *operations,
                 const struct model_limits *limits, struct model_verdict *verdict)
{
    uint64_t memory_max =
        limits && limits->memory_bytes ? limits->memory_bytes : MEMORY_DEFAULT;
    memset(c, 0, sizeof *c);
    c->operations = operations;
    c->verdict = verdict;
    c->probe_u = NONE;
    if (!reads_from_init(&c->rf, operations, verdict)) return false;
    uint64_t row_bytes = (uint64_t)c->rf.writes * c->rf.sessions * sizeof *c->rows;
    uint64_t clock_bytes = (uint64_t)c->rf.sessions * c->rf.sessions * sizeof *c->clocks;
    uint64_t needed = reads_from_memory(&c->rf) + clock_bytes + 2 * row_bytes;
    if (needed > memory_max) {
        verdict->outcome = MODEL_UNKNOWN;
        witness_explain(verdict, "It would take %llu MiB for %u processes; the limit is %llu.",
                        (unsigned long long)(needed >> 20), c->rf.sessions,
                        (unsigned long long)(memory_max >> 20));
        return false;
    }
    reads_from_chains(&c->rf, false);
    c->rows = xmalloc(row_bytes + 1);
    c->after = xcalloc((size_t)c->rf.writes + 1, sizeof *c->after);
    c->clocks = xmalloc(clock_bytes + 1);
    return true;
}

void causal_deinit(struct causal *c)
{
    uint64_t row = (uint64_t)c->rf.sessions * sizeof *c->rows;
    c->verdict->memory_bytes =
        reads_from_memory(&c->rf) +
        row * (c->rf.sessions + (c->rows ? c->rf.writes : 0) + c->behind_capacity);
    reads_from_deinit(&c->rf);
    free(c->rows);
    free(c->after);
    free(c->behind);
    free(c->clocks);
}

static void causal_judge(struct causal *c)
{
    struct schedule s;
    enum schedule_answer answer = causal_first_pass(c, &s);
    if (answer == SCHEDULE_CIRCLE) causal_circle(c, &s, "What was seen goes round in a circle");
    schedule_deinit(&s);
    if (answer == SCHEDULE_DONE && c->is_convergent) {
        answer = schedule_run(&s, &c->rf, second_step, c);
        if (answer == SCHEDULE_CIRCLE)
            causal_circle(c, &s, "No one order of the writes explains what all saw");
        schedule_deinit(&s);
    }
    c->verdict->violations = answer != SCHEDULE_DONE;
    c->verdict->outcome = answer == SCHEDULE_DONE ? MODEL_HOLDS : MODEL_VIOLATED;
}

static void judge(const struct ops *operations, const struct model_limits *limits,
                  struct model_verdict *verdict, bool is_convergent)
{
    struct causal c;
    verdict->algorithm = "vector clocks, O(n k) for k processes";
    if (causal_init(&c, operations, limits, verdict)) {
        c.is_convergent = is_convergent;
        causal_judge(&c);
    }
    causal_deinit(&c);
}

void check_causal(const struct ops *operations, const struct model_limits *limits,
                  struct model_verdict *verdict)
{
    judge(operations, limits, verdict, false);
}

void check_causal_convergent(const struct ops *operations, const struct model_limits *limits,
                             struct model_verdict *verdict)
{
    judge(operations, limits, verdict, true);
}
