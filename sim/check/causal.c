/* Causal consistency, weak (CC) and convergent (CCv), of registers whose written values are all
 * different (Bouajjani, Enea, Guerraoui, Hamza, "On verifying causal consistency", POPL 2017).
 *
 * so is the order within a process, rf joins a write to the reads of its value, co = (so +
 * rf)+. With unique values rf is known, and
 *
 *   CC   holds iff no read saw what nobody wrote (C1), co has no cycle (C2), and no write of x
 *        other than rf(r) lies between rf(r) and a read r of x in co (C3); the initial value
 *        is a write before all others.
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
 * A write without an answer counts when its value was read; a read without one is dropped. A
 * compare_and_set that took effect reads what it expected and writes; one that failed reads
 * what it saw. Deletes bring a value back, so they are not judged: unknown.
 *
 * Memory: two rows of 4 k bytes a write at most, besides 40 bytes an operation.
 */
#include "sim/check/causal.h"

#include <stdlib.h>
#include <string.h>

#include "sim/check/witness.h"

#define MEMORY_DEFAULT (UINT64_C(1) << 30)
#define NONE UINT32_MAX
#define INITIAL (UINT32_MAX - 1) /* reads from the initial value */

struct node {                    /* an operation that counts */
    uint32_t op, session, index; /* index: its number in the session, from 0 */
    uint32_t reads_from;         /* node that wrote what it read; INITIAL; NONE: no read */
    uint32_t row;                /* of a write; NONE: no write */
};

struct chain { /* the writes of one key by one session, in its order */
    uint32_t session, start, count, hint;
};

struct causal {
    const struct ops *operations;
    struct model_verdict *verdict;
    struct node *nodes; /* in order of invoke */
    uint32_t count, sessions, writes;
    uint32_t *session_start; /* [sessions + 1] into in_session */
    uint32_t *in_session;    /* nodes, session after session */
    uint32_t *writer_of;     /* [values] node that wrote it, NONE */
    uint32_t *row_node;      /* [writes] the node of a row */
    uint32_t *rows;          /* [writes * sessions] clocks of writes, themselves included */
    uint32_t *after;         /* [writes] 1 + row of `behind`, 0: none */
    uint32_t *behind;        /* rows: comes after so many operations of each session */
    uint32_t behind_count, behind_capacity;
    uint32_t *clocks; /* [sessions * sessions] */
    uint32_t *key_start;
    struct chain *chains;   /* by key: chains[key_start[key]..key_start[key + 1]) */
    uint32_t *chain_writes; /* nodes */
    bool is_convergent;
    /* When set, the first pass only looks for the read that put `probe_u` before `probe_w`. */
    uint32_t probe_u, probe_w, probe_read;
};

/* ---- building ---- */

static bool node_reads(const struct op *op, uint64_t *value)
{
    if (op->result == RESULT_FAIL) {
        *value = op->seen;
        return op->has_seen;
    }
    *value = op->kind == OP_COMPARE_AND_SET ? op->expected
             : op->kind == OP_INSERT        ? VALUE_NONE
                                            : op->value;
    if (op->kind == OP_READ) return op->result == RESULT_OK;
    return op->kind == OP_COMPARE_AND_SET || op->kind == OP_INSERT;
}

static bool node_writes(const struct op *op)
{
    return (op->result == RESULT_OK || op->result == RESULT_UNKNOWN) &&
           (op->kind == OP_WRITE || op->kind == OP_COMPARE_AND_SET || op->kind == OP_INSERT);
}

/* Marks the values that somebody saw. */
static uint8_t *values_seen(const struct ops *operations)
{
    uint8_t *seen = xcalloc(operations->values + 1, 1);
    for (size_t i = 0; i < operations->count; i++) {
        const struct op *op = &operations->items[i];
        uint64_t value;
        if (op->result == RESULT_VOID || op->result == RESULT_UNKNOWN) continue;
        if (node_reads(op, &value)) seen[value] = 1;
    }
    /* What a pending compare_and_set consumed counts when its own value was seen; writes are
     * few enough to go over until nothing changes. */
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = operations->count; i-- > 0;) {
            const struct op *op = &operations->items[i];
            uint64_t value;
            if (op->result != RESULT_UNKNOWN || !node_writes(op) || !seen[op->value] ||
                !node_reads(op, &value) || seen[value])
                continue;
            seen[value] = 1;
            changed = true;
        }
    }
    return seen;
}

/* False: not for this test; the verdict says why. */
static bool nodes_build(struct causal *c)
{
    const struct ops *operations = c->operations;
    uint8_t *seen = values_seen(operations);
    c->nodes = xmalloc((operations->count + 1) * sizeof *c->nodes);
    c->writer_of = xmalloc((operations->values + 1) * sizeof *c->writer_of);
    memset(c->writer_of, 0xff, (operations->values + 1) * sizeof *c->writer_of);
    c->sessions = operations->processes;
    c->session_start = xcalloc((size_t)c->sessions + 2, sizeof *c->session_start);
    bool is_suited = true;
    for (uint32_t i = 0; i < operations->count && is_suited; i++) {
        const struct op *op = &operations->items[i];
        uint64_t value;
        if (op->result == RESULT_VOID) continue;
        if (op->result == RESULT_UNKNOWN && (!node_writes(op) || !seen[op->value])) {
            is_suited = op->kind != OP_DELETE;
            continue;
        }
        bool reads = node_reads(op, &value), writes = node_writes(op);
        if (!reads && !writes && op->result != RESULT_FAIL) is_suited = false;
        if (writes && (op->value == VALUE_NONE || c->writer_of[op->value] != NONE))
            is_suited = false;
        if (!is_suited || (!reads && !writes)) continue;
        struct node *node = &c->nodes[c->count];
        *node = (struct node){.op = i, .session = op->process, .row = NONE};
        node->index = c->session_start[op->process + 1]++;
        if (writes) {
            node->row = c->writes++;
            c->writer_of[op->value] = c->count;
        }
        c->count++;
    }
    free(seen);
    if (!is_suited) {
        c->verdict->outcome = MODEL_UNKNOWN;
        witness_explain(c->verdict,
                        "A value is written twice, or absence comes back by a delete: what a "
                        "read saw is not known.");
        return false;
    }
    for (uint32_t s = 0; s < c->sessions; s++) c->session_start[s + 1] += c->session_start[s];
    c->in_session = xmalloc((c->count + 1) * sizeof *c->in_session);
    c->row_node = xmalloc((c->writes + 1) * sizeof *c->row_node);
    for (uint32_t n = 0; n < c->count; n++) {
        c->in_session[c->session_start[c->nodes[n].session] + c->nodes[n].index] = n;
        if (c->nodes[n].row != NONE) c->row_node[c->nodes[n].row] = n;
    }
    return true;
}

/* C1; fills reads_from. */
static bool reads_bind(struct causal *c)
{
    for (uint32_t n = 0; n < c->count; n++) {
        struct node *node = &c->nodes[n];
        const struct op *op = &c->operations->items[node->op];
        uint64_t value;
        node->reads_from = NONE;
        if (!node_reads(op, &value)) continue;
        node->reads_from = value == VALUE_NONE ? INITIAL : c->writer_of[value];
        bool is_other_key = node->reads_from < INITIAL &&
                            c->operations->items[c->nodes[node->reads_from].op].key != op->key;
        if (node->reads_from != NONE && !is_other_key) continue;
        witness_set(c->verdict, c->operations, &node->op, 1);
        witness_explain(c->verdict, "%s saw %s, which nobody wrote there.",
                        say_operation(c->operations, node->op),
                        say_seen(c->operations, node->op));
        return false;
    }
    return true;
}

static int chain_order(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* Writes by key and session. */
static void chains_build(struct causal *c)
{
    const struct op *items = c->operations->items;
    uint32_t keys = c->operations->keys;
    uint32_t *start = xcalloc((size_t)keys + 2, sizeof *start);
    uint64_t *sorted = xmalloc((c->writes + 1) * sizeof *sorted); /* session, then node */
    for (uint32_t w = 0; w < c->writes; w++)
        start[items[c->nodes[c->row_node[w]].op].key + 2]++;
    for (uint32_t k = 0; k < keys; k++) start[k + 2] += start[k + 1];
    for (uint32_t w = 0; w < c->writes; w++) {
        const struct node *node = &c->nodes[c->row_node[w]];
        sorted[start[items[node->op].key + 1]++] =
            (uint64_t)node->session << 32 | c->row_node[w];
    }
    c->chains = xmalloc((c->writes + 1) * sizeof *c->chains);
    c->chain_writes = xmalloc((c->writes + 1) * sizeof *c->chain_writes);
    c->key_start = xcalloc((size_t)keys + 1, sizeof *c->key_start);
    uint32_t chains = 0;
    for (uint32_t k = 0; k < keys; k++) {
        c->key_start[k] = chains;
        qsort(sorted + start[k], start[k + 1] - start[k], sizeof *sorted, chain_order);
        for (uint32_t i = start[k]; i < start[k + 1]; i++) {
            uint32_t session = (uint32_t)(sorted[i] >> 32);
            if (i == start[k] || c->chains[chains - 1].session != session)
                c->chains[chains++] = (struct chain){session, i, 0, 0};
            c->chains[chains - 1].count++;
            c->chain_writes[i] = (uint32_t)sorted[i];
        }
    }
    c->key_start[keys] = chains;
    free(sorted);
    free(start);
}

/* ---- running through the sessions, each operation when what it waits for is done ---- */

struct schedule {
    uint32_t *done;    /* [sessions] operations executed */
    uint32_t *limit;   /* [sessions] operations that the outer walk has come to */
    uint32_t *waiting; /* [sessions] first session that waits for this one, NONE */
    uint32_t *next_waiting;
    uint32_t *wait_for; /* [sessions] the operation count that it waits for */
    uint32_t *wait_on;  /* [sessions] whose; NONE: it does not wait */
    uint32_t *ready, ready_count;
};

static void schedule_init(struct schedule *s, uint32_t sessions)
{
    s->done = xcalloc((size_t)sessions + 1, sizeof *s->done);
    s->limit = xcalloc((size_t)sessions + 1, sizeof *s->limit);
    s->waiting = xmalloc(((size_t)sessions + 1) * sizeof *s->waiting);
    s->next_waiting = xmalloc(((size_t)sessions + 1) * sizeof *s->next_waiting);
    s->wait_for = xcalloc((size_t)sessions + 1, sizeof *s->wait_for);
    s->wait_on = xmalloc(((size_t)sessions + 1) * sizeof *s->wait_on);
    s->ready = xmalloc(((size_t)sessions + 1) * sizeof *s->ready);
    s->ready_count = 0;
    for (uint32_t i = 0; i < sessions; i++) s->waiting[i] = s->wait_on[i] = NONE;
}

static void schedule_deinit(struct schedule *s)
{
    free(s->done);
    free(s->limit);
    free(s->waiting);
    free(s->next_waiting);
    free(s->wait_for);
    free(s->wait_on);
    free(s->ready);
}

/* Runs all operations by `step`: 1 executed, 0: the session waits (wait_on, wait_for are set),
 * -1 stop. Returns false when it was stopped or when some remain that wait in a circle
 * (*is_circle). */
static bool schedule_run(struct causal *c, struct schedule *s,
                         int (*step)(struct causal *c, struct schedule *s, uint32_t node),
                         bool *is_circle)
{
    *is_circle = false;
    uint32_t executed = 0;
    for (uint32_t n = 0; n < c->count; n++) {
        uint32_t session = c->nodes[n].session;
        s->limit[session]++;
        s->ready[0] = session;
        s->ready_count = 1;
        while (s->ready_count) {
            uint32_t t = s->ready[--s->ready_count];
            if (s->wait_on[t] != NONE) continue;
            while (s->done[t] < s->limit[t]) {
                int did = step(c, s, c->in_session[c->session_start[t] + s->done[t]]);
                if (did < 0) return false;
                if (!did) {
                    s->next_waiting[t] = s->waiting[s->wait_on[t]];
                    s->waiting[s->wait_on[t]] = t;
                    break;
                }
                executed++;
                s->done[t]++;
                /* Wake who waited for no more than this. */
                for (uint32_t *link = &s->waiting[t]; *link != NONE;) {
                    uint32_t w = *link;
                    if (s->wait_for[w] > s->done[t]) {
                        link = &s->next_waiting[w];
                        continue;
                    }
                    *link = s->next_waiting[w];
                    s->wait_on[w] = NONE;
                    s->ready[s->ready_count++] = w;
                }
            }
        }
    }
    *is_circle = executed < c->count;
    return executed == c->count;
}

/* ---- the first pass: clocks, C2, C3 ---- */

/* The last write of a chain among the first `clock` operations of its session; NONE. */
static inline uint32_t last_write(struct causal *c, struct chain *chain, uint32_t clock)
{
    const uint32_t *writes = c->chain_writes + chain->start;
    uint32_t at = chain->hint;
    while (at < chain->count && c->nodes[writes[at]].index < clock) at++;
    while (at > 0 && c->nodes[writes[at - 1]].index >= clock) at--;
    chain->hint = at;
    return at ? writes[at - 1] : NONE;
}

static uint32_t *row_of(struct causal *c, uint32_t node)
{
    return c->rows + (size_t)c->nodes[node].row * c->sessions;
}

/* w comes after the operation `u`. */
static void put_behind(struct causal *c, uint32_t w, uint32_t u)
{
    uint32_t *after = &c->after[c->nodes[w].row];
    if (!*after) {
        if (c->behind_count == c->behind_capacity) {
            c->behind_capacity = c->behind_capacity ? c->behind_capacity * 2 : 16;
            if (c->behind_capacity > c->writes) c->behind_capacity = c->writes;
            c->behind = xrealloc(c->behind,
                                 (size_t)c->behind_capacity * c->sessions * sizeof *c->behind);
        }
        memset(c->behind + (size_t)c->behind_count * c->sessions, 0,
               c->sessions * sizeof *c->behind);
        *after = ++c->behind_count;
    }
    uint32_t *slot = &c->behind[(size_t)(*after - 1) * c->sessions + c->nodes[u].session];
    if (*slot < c->nodes[u].index + 1) *slot = c->nodes[u].index + 1;
}

/* The read that made some w in `from`'s past part of session's past first, walking back from
 * `to` in its session: a chain of (write, read) pairs from -> ... -> to. */
static uint32_t path(struct causal *c, uint32_t from, uint32_t to, uint32_t *ops,
                     uint32_t capacity)
{
    uint32_t count = 0;
    const struct node *w = &c->nodes[from];
    while (c->nodes[to].session != w->session && count + 2 <= capacity) {
        uint32_t session = c->nodes[to].session, found = NONE;
        for (uint32_t i = 0; i <= c->nodes[to].index && found == NONE; i++) {
            uint32_t n = c->in_session[c->session_start[session] + i];
            uint32_t v = c->nodes[n].reads_from;
            if (v < INITIAL && row_of(c, v)[w->session] > w->index) found = n;
        }
        if (found == NONE) break;
        ops[count++] = c->nodes[found].op;
        to = c->nodes[found].reads_from;
        ops[count++] = c->nodes[to].op;
    }
    return count;
}

#define PATH_MAX_OPS 64u

static void overwritten(struct causal *c, uint32_t read, uint32_t u)
{
    const struct node *r = &c->nodes[read];
    uint32_t ops[2 * PATH_MAX_OPS + 3], count = 0;
    uint32_t written = r->reads_from;
    ops[count++] = r->op;
    ops[count++] = c->nodes[u].op;
    count += path(c, u, read, ops + count, PATH_MAX_OPS);
    if (written < INITIAL) {
        ops[count++] = c->nodes[written].op;
        count += path(c, written, u, ops + count, PATH_MAX_OPS);
    }
    witness_set(c->verdict, c->operations, ops, count);
    if (written < INITIAL)
        witness_edge(c->verdict, c->nodes[written].op, c->nodes[u].op, REASON_DERIVED);
    witness_edge(c->verdict, c->nodes[u].op, r->op, REASON_DERIVED);
    witness_edge(c->verdict, r->op, c->nodes[u].op, REASON_OVERWRITTEN);
    witness_explain(c->verdict,
                    "%s saw %s, although %s, which replaced it, was in its causal past.",
                    say_operation(c->operations, r->op), say_seen(c->operations, r->op),
                    say_operation(c->operations, c->nodes[u].op));
}

static int first_step(struct causal *c, struct schedule *s, uint32_t n)
{
    const struct node *node = &c->nodes[n];
    uint32_t *clock = c->clocks + (size_t)node->session * c->sessions;
    if (node->reads_from < INITIAL) {
        const struct node *w = &c->nodes[node->reads_from];
        if (s->done[w->session] <= w->index) { /* also a swap that reads itself */
            s->wait_on[node->session] = w->session;
            s->wait_for[node->session] = w->index + 1;
            return 0;
        }
        const uint32_t *row = row_of(c, node->reads_from);
        for (uint32_t t = 0; t < c->sessions; t++)
            clock[t] = clock[t] < row[t] ? row[t] : clock[t];
    }
    if (node->reads_from != NONE) {
        uint32_t key = c->operations->items[node->op].key;
        const uint32_t *row = node->reads_from < INITIAL ? row_of(c, node->reads_from) : NULL;
        for (uint32_t i = c->key_start[key]; i < c->key_start[key + 1]; i++) {
            struct chain *chain = &c->chains[i];
            uint32_t u = last_write(c, chain, clock[chain->session]);
            if (u == NONE || u == node->reads_from) continue;
            if (row && row[chain->session] > c->nodes[u].index) continue; /* u co rf(r) */
            bool is_overwritten = !row || row_of(c, u)[c->nodes[node->reads_from].session] >
                                              c->nodes[node->reads_from].index;
            if (c->probe_u != NONE) {
                if (u == c->probe_u && node->reads_from == c->probe_w) {
                    c->probe_read = n;
                    return -1;
                }
            } else if (is_overwritten) {
                overwritten(c, n, u);
                return -1;
            } else if (c->is_convergent) {
                put_behind(c, node->reads_from, u);
            }
        }
    }
    clock[node->session] = node->index + 1;
    if (node->row != NONE) memcpy(row_of(c, n), clock, c->sessions * sizeof *clock);
    return 1;
}

static bool first_pass(struct causal *c, struct schedule *s, bool *is_circle)
{
    schedule_init(s, c->sessions);
    memset(c->clocks, 0, (size_t)c->sessions * c->sessions * sizeof *c->clocks);
    return schedule_run(c, s, first_step, is_circle);
}

/* ---- the second pass: C4 ---- */

static int second_step(struct causal *c, struct schedule *s, uint32_t n)
{
    const struct node *node = &c->nodes[n];
    if (node->reads_from < INITIAL) {
        const struct node *w = &c->nodes[node->reads_from];
        if (s->done[w->session] <= w->index) {
            s->wait_on[node->session] = w->session;
            s->wait_for[node->session] = w->index + 1;
            return 0;
        }
    }
    if (node->row == NONE || !c->after[node->row]) return 1;
    const uint32_t *behind = c->behind + (size_t)(c->after[node->row] - 1) * c->sessions;
    for (uint32_t t = 0; t < c->sessions; t++)
        if (behind[t] > s->done[t]) {
            s->wait_on[node->session] = t;
            s->wait_for[node->session] = behind[t];
            return 0;
        }
    return 1;
}

/* ---- circles ---- */

/* Who waits for whom at the end: follows it round and makes the witness. */
static void circle(struct causal *c, struct schedule *s, const char *what)
{
    uint32_t at = 0, heads[PATH_MAX_OPS] = {0}, count = 0;
    while (s->wait_on[at] == NONE) at++;
    for (uint32_t i = 0; i < c->sessions; i++) at = s->wait_on[at]; /* into the circle */
    uint32_t first = at;
    do {
        if (count < PATH_MAX_OPS) heads[count++] = at;
        at = s->wait_on[at];
    } while (at != first);

    uint32_t ops[6 * PATH_MAX_OPS], ops_count = 0;
    struct model_edge edges[3 * PATH_MAX_OPS];
    uint32_t edges_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t t = heads[i], other = s->wait_on[t];
        uint32_t head = c->in_session[c->session_start[t] + s->done[t]];
        uint32_t waits_for = c->in_session[c->session_start[other] + s->wait_for[t] - 1];
        uint32_t other_head = c->in_session[c->session_start[other] + s->done[other]];
        bool is_read = c->nodes[head].reads_from == waits_for;
        ops[ops_count++] = c->nodes[head].op;
        ops[ops_count++] = c->nodes[waits_for].op;
        edges[edges_count++] =
            (struct model_edge){c->nodes[waits_for].op, c->nodes[head].op,
                                is_read ? REASON_READS_FROM : REASON_OVERWRITTEN};
        edges[edges_count++] = (struct model_edge){c->nodes[other_head].op,
                                                   c->nodes[waits_for].op, REASON_SESSION};
        if (is_read || count > 8) continue;
        /* Why: some read saw head's value with waits_for in its past. */
        struct schedule again;
        bool is_circle;
        c->probe_u = waits_for;
        c->probe_w = head;
        c->probe_read = NONE;
        first_pass(c, &again, &is_circle);
        schedule_deinit(&again);
        c->probe_u = NONE;
        if (c->probe_read == NONE) continue;
        ops[ops_count++] = c->nodes[c->probe_read].op;
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

static void causal_free(struct causal *c)
{
    free(c->nodes);
    free(c->session_start);
    free(c->in_session);
    free(c->writer_of);
    free(c->row_node);
    free(c->rows);
    free(c->after);
    free(c->behind);
    free(c->clocks);
    free(c->key_start);
    free(c->chains);
    free(c->chain_writes);
}

static void causal_judge(struct causal *c)
{
    struct schedule s;
    bool is_circle;
    c->verdict->outcome = MODEL_VIOLATED;
    c->verdict->violations = 1;
    if (!reads_bind(c)) return;
    chains_build(c);
    bool holds = first_pass(c, &s, &is_circle);
    if (is_circle) circle(c, &s, "What was seen goes round in a circle");
    schedule_deinit(&s);
    if (holds && c->is_convergent) {
        schedule_init(&s, c->sessions);
        holds = schedule_run(c, &s, second_step, &is_circle);
        if (is_circle) circle(c, &s, "No one order of the writes explains what all saw");
        schedule_deinit(&s);
    }
    if (!holds) return;
    c->verdict->outcome = MODEL_HOLDS;
    c->verdict->violations = 0;
}

static void judge(const struct ops *operations, const struct model_limits *limits,
                  struct model_verdict *verdict, bool is_convergent)
{
    uint64_t memory_max =
        limits && limits->memory_bytes ? limits->memory_bytes : MEMORY_DEFAULT;
    struct causal c = {.operations = operations,
                       .verdict = verdict,
                       .is_convergent = is_convergent,
                       .probe_u = NONE};
    CHECK(operations->count < INITIAL);
    verdict->algorithm = "vector clocks, O(n k) for k processes";
    if (!nodes_build(&c)) goto done;
    uint64_t row_bytes = (uint64_t)c.writes * c.sessions * sizeof *c.rows;
    uint64_t clock_bytes = (uint64_t)c.sessions * c.sessions * sizeof *c.clocks;
    uint64_t base = c.count * (sizeof *c.nodes + sizeof *c.in_session) +
                    operations->values * sizeof *c.writer_of +
                    c.writes * (sizeof *c.chains + 3 * sizeof(uint32_t));
    uint64_t needed = base + clock_bytes + row_bytes * (is_convergent ? 2 : 1);
    verdict->memory_bytes = needed;
    if (needed > memory_max) {
        verdict->outcome = MODEL_UNKNOWN;
        witness_explain(verdict, "It would take %llu MiB for %u processes; the limit is %llu.",
                        (unsigned long long)(needed >> 20), c.sessions,
                        (unsigned long long)(memory_max >> 20));
        goto done;
    }
    c.rows = xmalloc(row_bytes + 1);
    c.after = xcalloc((size_t)c.writes + 1, sizeof *c.after);
    c.clocks = xmalloc(clock_bytes + 1);
    causal_judge(&c);
    verdict->memory_bytes = base + clock_bytes + row_bytes +
                            (uint64_t)c.behind_capacity * c.sessions * sizeof *c.behind;
done:
    causal_free(&c);
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
