/* The session guarantees of Terry et al. ("Session guarantees for weakly consistent replicated
 * data", PDIS 1994), as a history of registers with different values can show them (Viotti and
 * Vukolic, ACM Computing Surveys 49(1), 2016, section 3.5, with what is observed in place of
 * what is visible).
 *
 * The store has one order of the writes of each key, unknown to us, with the initial value
 * first. Each guarantee says of a read r of x in session t that it sees no older value than
 * some others:
 *
 *   read your writes     than what t wrote to x before r
 *   monotonic reads      than what t read of x before r
 *   monotonic writes     than p's last write to x that is no later than a write of p that t has
 *                        read before r (or that r reads); besides, p's own writes to x are in
 *                        p's order
 *   writes follow reads  than what p had last read of x before a write of p that t has read
 *                        before r (or that r reads); besides, p's write to x comes after what p
 *                        had last read of it
 *
 * So each gives edges "a is no newer than b" between writes of a key. The guarantee holds iff
 * some order keeps them all: iff no key's edges make a circle, and none leads to the initial
 * value.
 *
 * Of what a session wrote or read of x before, an edge from the latest is enough, because a
 * chain of edges joins it to the earlier ones (G1): for monotonic reads from each read to the
 * next; for read your writes, where a session's own writes are not ordered among themselves,
 * each write leads to every later value that the session reads, once.
 *
 * Most keys need no edges. Where time is known, zones.c is asked first: a key that is
 * linearizable keeps all four guarantees (G2). For what a guarantee names had returned before
 * the read r was invoked: it stands before r in r's own session, or before a write in another
 * session, which had begun when somebody read it, who then went on to r. That needs sessions
 * that do one thing after another, and no read of what had not begun; where a history has
 * neither, and in keys that are not linearizable, an order is guessed, by the zone of each
 * value: min(earliest completion, latest invocation). If all demands are met in it, some order
 * meets them (G3). Where time is not known, CCv is asked, which implies all four. Edges are
 * made for the keys that are left, and sorted topologically.
 *
 * Cost: O(n log n) for keys that are linearizable; for the others O(m k) steps and at worst
 * edges, for m operations on them and k processes.
 */
#include "sim/check/guarantees.h"

#include <stdlib.h>
#include <string.h>

#include "sim/check/reads_from.h"
#include "sim/check/witness.h"
#include "sim/check/zones.h"

#define EDGES_MAX (UINT64_C(1) << 28)

enum guarantee { READ_YOUR_WRITES, MONOTONIC_READS, MONOTONIC_WRITES, WRITES_FOLLOW_READS };

struct edge { /* write `from` is no newer than write `to`, because of the node `by` */
    uint32_t from, to, by;
};

struct guarantees {
    struct reads_from rf;
    int64_t *guess;      /* [nodes] of writes: where the value stands in the guessed order */
    uint8_t *is_suspect; /* [keys] */
    struct model_verdict *verdict;
    struct edge *edges;
    size_t edges_count, edges_capacity;
    bool is_violated, is_too_much;
};

/* False when it is over: violated, or too many edges. */
static bool edge_add(struct guarantees *g, uint32_t from, uint32_t to, uint32_t by)
{
    const struct ops *operations = g->rf.operations;
    const struct node *nodes = g->rf.nodes;
    if (from == to || from == NODE_INITIAL || from == NODE_NONE) return true;
    if (!g->is_suspect[operations->items[nodes[from].op].key]) return true;
    if (to == NODE_INITIAL) {
        g->is_violated = true;
        witness_set(g->verdict, operations, (uint32_t[]){nodes[by].op, nodes[from].op}, 2);
        witness_edge(g->verdict, nodes[from].op, nodes[by].op, REASON_DERIVED);
        witness_edge(g->verdict, nodes[by].op, nodes[from].op, REASON_OVERWRITTEN);
        witness_explain(g->verdict,
                        "%s saw the initial value, although it had to see %s or "
                        "something newer.",
                        say_operation(operations, nodes[by].op),
                        say_operation(operations, nodes[from].op));
        return false;
    }
    if (g->edges_count && memcmp(&g->edges[g->edges_count - 1], &(struct edge){from, to, by},
                                 sizeof(struct edge)) == 0)
        return true;
    if (g->edges_count == g->edges_capacity) {
        g->edges_capacity = g->edges_capacity ? g->edges_capacity * 2 : 1024;
        if (g->edges_capacity > EDGES_MAX) {
            g->is_too_much = true;
            return false;
        }
        g->edges = xrealloc(g->edges, g->edges_capacity * sizeof *g->edges);
    }
    g->edges[g->edges_count++] = (struct edge){from, to, by};
    return true;
}

/* ---- what a session did with a key ---- */

/* The last write that it made or value that it read, by key; cleared from session to session by
 * a stamp. */
struct latest {
    uint32_t stamp, node;
};

static uint32_t key_of(const struct guarantees *g, uint32_t node)
{
    return g->rf.operations->items[g->rf.nodes[node].op].key;
}

static uint32_t latest_get(const struct latest *latest, uint32_t key, uint32_t session)
{
    return latest[key].stamp == session + 1 ? latest[key].node : NODE_NONE;
}

static void monotonic_reads(struct guarantees *g)
{
    struct latest *read = xcalloc((size_t)g->rf.operations->keys + 1, sizeof *read);
    for (uint32_t s = 0; s < g->rf.sessions; s++)
        for (uint32_t i = g->rf.session_start[s]; i < g->rf.session_start[s + 1]; i++) {
            uint32_t n = g->rf.in_session[i], key = key_of(g, n);
            if (g->rf.nodes[n].reads_from == NODE_NONE) continue;
            if (!edge_add(g, latest_get(read, key, s), g->rf.nodes[n].reads_from, n)) goto done;
            read[key] = (struct latest){s + 1, g->rf.nodes[n].reads_from};
        }
done:
    free(read);
}

/* A session's writes of a key, as a list; and how many of them each value that it read has an
 * edge from already. */
static void read_your_writes(struct guarantees *g)
{
    const struct reads_from *rf = &g->rf;
    struct latest *written = xcalloc((size_t)rf->operations->keys + 1, sizeof *written);
    uint32_t *before = xmalloc(((size_t)rf->count + 1) * sizeof *before);
    /* Writes of this session that lead to the value already, newest first: the newest. */
    struct latest *joined = xcalloc((size_t)rf->count + 1, sizeof *joined);
    for (uint32_t s = 0; s < rf->sessions; s++)
        for (uint32_t i = rf->session_start[s]; i < rf->session_start[s + 1]; i++) {
            uint32_t n = rf->in_session[i], key = key_of(g, n), from = rf->nodes[n].reads_from;
            uint32_t own = latest_get(written, key, s);
            if (from == NODE_INITIAL) {
                if (!edge_add(g, own, from, n)) goto done;
            } else if (from != NODE_NONE) {
                uint32_t known = joined[from].stamp == s + 1 ? joined[from].node : NODE_NONE;
                for (uint32_t w = own; w != NODE_NONE && w != known; w = before[w])
                    if (!edge_add(g, w, from, n)) goto done;
                joined[from] = (struct latest){s + 1, own};
            }
            if (rf->nodes[n].row == NODE_NONE) continue;
            before[n] = own;
            written[key] = (struct latest){s + 1, n};
        }
done:
    free(written);
    free(before);
    free(joined);
}

/* ---- what follows a write that was read ---- */

/* For each node that reads, in its session's order: seen[p] = how many nodes of session p up to
 * the latest of p's writes that the session has read so far, this one included. `each` is
 * called with every session p that the key's chain has. */
static bool observed(struct guarantees *g, struct chain *chains, const uint32_t *key_start)
{
    const struct reads_from *rf = &g->rf;
    struct latest *seen = xcalloc((size_t)rf->sessions + 1, sizeof *seen);
    bool goes_on = true;
    struct reads_from view = *rf; /* chain_last over chains of another kind */
    for (uint32_t s = 0; s < rf->sessions && goes_on; s++) {
        for (uint32_t i = rf->session_start[s]; i < rf->session_start[s + 1] && goes_on; i++) {
            uint32_t n = rf->in_session[i], key = key_of(g, n), from = rf->nodes[n].reads_from;
            if (from == NODE_NONE) continue;
            if (from < NODE_INITIAL) {
                const struct node *w = &rf->nodes[from];
                struct latest *of = &seen[w->session];
                if (of->stamp != s + 1 || of->node <= w->index)
                    *of = (struct latest){s + 1, w->index + 1};
            }
            if (!g->is_suspect[key]) continue;
            for (uint32_t c = key_start[key]; c < key_start[key + 1] && goes_on; c++) {
                struct chain *chain = &chains[c];
                const struct latest *of = &seen[chain->session];
                if (chain->session == s || of->stamp != s + 1) continue;
                uint32_t last = chain_last(&view, chain, of->node);
                if (last == NODE_NONE) continue;
                /* A chain of reads stands for what they saw. */
                uint32_t value = chains == rf->chains ? last : rf->nodes[last].reads_from;
                goes_on = edge_add(g, value, from, n);
            }
        }
    }
    free(seen);
    return goes_on;
}

static void monotonic_writes(struct guarantees *g)
{
    struct reads_from *rf = &g->rf;
    reads_from_chains(rf, false);
    uint32_t chains = rf->key_start[rf->operations->keys];
    for (uint32_t c = 0; c < chains; c++)
        for (uint32_t i = 1; i < rf->chains[c].count; i++) {
            const uint32_t *w = rf->chain_writes + rf->chains[c].start + i;
            if (!edge_add(g, w[-1], w[0], w[0])) return;
        }
    observed(g, rf->chains, rf->key_start);
}

static void writes_follow_reads(struct guarantees *g)
{
    /* The same chains, but of reads: swapped in while they are walked. */
    struct reads_from *rf = &g->rf;
    struct reads_from reads = *rf;
    struct latest *read = xcalloc((size_t)rf->operations->keys + 1, sizeof *read);
    for (uint32_t s = 0; s < rf->sessions; s++)
        for (uint32_t i = rf->session_start[s]; i < rf->session_start[s + 1]; i++) {
            uint32_t n = rf->in_session[i], key = key_of(g, n);
            if (rf->nodes[n].reads_from != NODE_NONE)
                read[key] = (struct latest){s + 1, rf->nodes[n].reads_from};
            if (rf->nodes[n].row != NODE_NONE && !edge_add(g, latest_get(read, key, s), n, n)) {
                free(read);
                return;
            }
        }
    free(read);
    reads_from_chains(&reads, true);
    uint32_t *chain_writes = rf->chain_writes;
    rf->chain_writes = reads.chain_writes;
    observed(g, reads.chains, reads.key_start);
    rf->chain_writes = chain_writes;
    free(reads.chains);
    free(reads.key_start);
    free(reads.chain_writes);
}

/* ---- a guessed order ---- */

static void guess(struct guarantees *g)
{
    const struct reads_from *rf = &g->rf;
    const struct op *items = rf->operations->items;
    int64_t *latest = xmalloc(((size_t)rf->count + 1) * sizeof *latest); /* invocation */
    g->guess = xmalloc(((size_t)rf->count + 1) * sizeof *g->guess);
    for (uint32_t n = 0; n < rf->count; n++) {
        g->guess[n] = items[rf->nodes[n].op].complete;
        latest[n] = items[rf->nodes[n].op].invoke;
    }
    for (uint32_t n = 0; n < rf->count; n++) {
        const struct op *op = &items[rf->nodes[n].op];
        uint32_t w = rf->nodes[n].reads_from;
        if (w >= NODE_INITIAL) continue;
        if (op->complete < g->guess[w]) g->guess[w] = op->complete;
        if (op->invoke > latest[w]) latest[w] = op->invoke;
    }
    for (uint32_t n = 0; n < rf->count; n++)
        if (latest[n] < g->guess[n]) g->guess[n] = latest[n];
    free(latest);
}

/* Whether value a (a write, NODE_INITIAL, or NODE_NONE for nothing) is newer than b. */
static bool is_newer(const struct guarantees *g, uint32_t a, uint32_t b)
{
    if (a >= NODE_INITIAL || a == b) return false;
    if (b >= NODE_INITIAL) return b == NODE_INITIAL;
    return g->guess[a] != g->guess[b] ? g->guess[a] > g->guess[b] : a > b;
}

static void raise(const struct guarantees *g, struct latest *bound, uint32_t key,
                  uint32_t stamp, uint32_t value)
{
    if (value >= NODE_INITIAL) return;
    if (bound[key].stamp != stamp || is_newer(g, value, bound[key].node))
        bound[key] = (struct latest){stamp, value};
}

/* The nodes on suspect keys, session after session: what a guess has to walk. */
struct suspects {
    uint32_t *nodes;
    uint32_t *before; /* [in_session + 1] how many of nodes[] stand before that place */
};

static void suspects_list(const struct guarantees *g, struct suspects *list)
{
    const struct reads_from *rf = &g->rf;
    uint32_t count = 0;
    list->nodes = xmalloc(((size_t)rf->count + 1) * sizeof *list->nodes);
    list->before = xmalloc(((size_t)rf->count + 1) * sizeof *list->before);
    for (uint32_t i = 0; i < rf->count; i++) {
        list->before[i] = count;
        if (g->is_suspect[key_of(g, rf->in_session[i])])
            list->nodes[count++] = rf->in_session[i];
    }
    list->before[rf->count] = count;
}

/* In the session: what it must see of each key is the newest of what the guarantee names. Marks
 * in `fails` the suspect keys in which the guess fails. */
static void guess_try(struct guarantees *g, enum guarantee guarantee, uint8_t *fails)
{
    const struct reads_from *rf = &g->rf;
    bool is_observed = guarantee == MONOTONIC_WRITES || guarantee == WRITES_FOLLOW_READS;
    struct latest *bound = xcalloc((size_t)rf->operations->keys + 1, sizeof *bound);
    struct latest *own = xcalloc((size_t)rf->operations->keys + 1, sizeof *own);
    struct latest *seen = xcalloc((size_t)rf->sessions + 1, sizeof *seen); /* in list.nodes */
    struct suspects list;
    suspects_list(g, &list);
    for (uint32_t s = 0; s < rf->sessions; s++)
        for (uint32_t i = rf->session_start[s]; i < rf->session_start[s + 1]; i++) {
            uint32_t n = rf->in_session[i], key = key_of(g, n), from = rf->nodes[n].reads_from;
            bool writes = rf->nodes[n].row != NODE_NONE;
            if (is_observed && from < NODE_INITIAL && rf->nodes[from].session != s) {
                /* All that the writer did up to this write is seen now. */
                const struct node *w = &rf->nodes[from];
                uint32_t p = w->session, first = rf->session_start[p];
                uint32_t upto = list.before[first + w->index + 1];
                if (seen[p].stamp != s + 1)
                    seen[p] = (struct latest){s + 1, list.before[first]};
                for (; seen[p].node < upto; seen[p].node++) {
                    uint32_t did = list.nodes[seen[p].node];
                    raise(g, bound, key_of(g, did), s + 1,
                          guarantee == MONOTONIC_WRITES
                              ? (rf->nodes[did].row == NODE_NONE ? NODE_NONE : did)
                              : rf->nodes[did].reads_from);
                }
            }
            if (!g->is_suspect[key]) continue;
            if (from != NODE_NONE && bound[key].stamp == s + 1 &&
                is_newer(g, bound[key].node, from))
                fails[key] = 1;
            /* A session's own writes stand in its order, and behind what it read. */
            if (is_observed && writes) {
                if (guarantee == WRITES_FOLLOW_READS && from != NODE_NONE)
                    own[key] = (struct latest){s + 1, from};
                if (own[key].stamp == s + 1 && is_newer(g, own[key].node, n)) fails[key] = 1;
                if (guarantee == MONOTONIC_WRITES) own[key] = (struct latest){s + 1, n};
            } else if (guarantee == WRITES_FOLLOW_READS && from != NODE_NONE) {
                own[key] = (struct latest){s + 1, from};
            }
            if (guarantee == MONOTONIC_READS) raise(g, bound, key, s + 1, from);
            if (guarantee == READ_YOUR_WRITES && writes) raise(g, bound, key, s + 1, n);
        }
    free(bound);
    free(own);
    free(seen);
    free(list.nodes);
    free(list.before);
}

/* G2: whether what a session did before had returned, and what was read had begun. */
static bool is_orderly(const struct reads_from *rf)
{
    const struct op *items = rf->operations->items;
    for (uint32_t n = 0; n < rf->count; n++) {
        uint32_t from = rf->nodes[n].reads_from;
        if (from < NODE_INITIAL &&
            items[rf->nodes[n].op].complete < items[rf->nodes[from].op].invoke)
            return false;
    }
    for (uint32_t s = 0; s < rf->sessions; s++) {
        int64_t end = INT64_MIN;
        for (uint32_t i = rf->session_start[s]; i < rf->session_start[s + 1]; i++) {
            const struct op *op = &items[rf->nodes[rf->in_session[i]].op];
            if (end != INT64_MIN && end >= op->invoke) return false;
            end = op->complete;
        }
    }
    return true;
}

/* Leaves the keys suspect that are not linearizable. */
static void zones_clear(struct guarantees *g)
{
    const struct ops *operations = g->rf.operations;
    uint32_t keys = operations->keys;
    uint32_t *start = xcalloc((size_t)keys + 2, sizeof *start);
    uint32_t *ops = xmalloc((operations->count + 1) * sizeof *ops);
    struct zones zones;
    for (size_t i = 0; i < operations->count; i++) start[operations->items[i].key + 2]++;
    for (uint32_t k = 0; k < keys; k++) start[k + 2] += start[k + 1];
    for (size_t i = 0; i < operations->count; i++)
        ops[start[operations->items[i].key + 1]++] = (uint32_t)i;
    zones_init(&zones, operations);
    for (uint32_t k = 0; k < keys; k++) {
        struct model_verdict verdict = {0};
        g->is_suspect[k] = zones_judge(&zones, ops + start[k], start[k + 1] - start[k],
                                       &verdict) != ZONES_HOLD;
        model_verdict_deinit(&verdict);
    }
    zones_deinit(&zones);
    free(start);
    free(ops);
}

/* Marks the keys that need edges; false: none does. */
static bool suspects_find(struct guarantees *g, enum guarantee guarantee)
{
    uint32_t keys = g->rf.operations->keys;
    g->is_suspect = xmalloc((size_t)keys + 1);
    memset(g->is_suspect, 1, (size_t)keys + 1);
    if (g->rf.operations->has_real_time) {
        if (is_orderly(&g->rf)) zones_clear(g);
        if (!memchr(g->is_suspect, 1, keys)) return false;
        uint8_t *fails = xcalloc((size_t)keys + 1, 1);
        guess(g);
        guess_try(g, guarantee, fails);
        free(g->is_suspect);
        g->is_suspect = fails;
        return memchr(g->is_suspect, 1, keys) != NULL;
    }
    struct model_verdict convergent = {0};
    model_find("causal-convergent")->check(g->rf.operations, NULL, &convergent);
    bool holds = convergent.outcome == MODEL_HOLDS;
    model_verdict_deinit(&convergent);
    return !holds;
}

/* ---- circles ---- */

static const char *const reasons[] = {
    [READ_YOUR_WRITES] = "a process did not see what it had written itself",
    [MONOTONIC_READS] = "a process saw an older value after a newer one",
    [MONOTONIC_WRITES] =
        "a process saw a later write of another and then missed an earlier one",
    [WRITES_FOLLOW_READS] = "a process saw a write and then missed what its writer had seen",
};

static void circle_tell(struct guarantees *g, enum guarantee guarantee, const uint32_t *writes,
                        const uint32_t *by, uint32_t count)
{
    const struct node *nodes = g->rf.nodes;
    const struct ops *operations = g->rf.operations;
    uint32_t *ops = xmalloc(2 * (size_t)count * sizeof *ops);
    for (uint32_t i = 0; i < count; i++) {
        ops[2 * i] = nodes[writes[i]].op;
        ops[2 * i + 1] = nodes[by[i]].op;
    }
    witness_set(g->verdict, operations, ops, 2 * count);
    for (uint32_t i = 0; i < count; i++)
        witness_edge(g->verdict, ops[2 * i], ops[2 * ((i + 1) % count)], REASON_DERIVED);
    witness_explain(g->verdict, "In no order of the writes: %s, %s among others.",
                    reasons[guarantee], say_operation(operations, nodes[by[0]].op));
    g->is_violated = true;
    free(ops);
}

/* Walks from `at` along edges inside the writes that were not sorted; it must come round. */
static void circle_find(struct guarantees *g, enum guarantee guarantee, const uint32_t *start,
                        const struct edge *sorted, const uint32_t *degree)
{
    uint32_t nodes = g->rf.count, at = 0;
    uint32_t *position = xmalloc(((size_t)nodes + 1) * sizeof *position);
    uint32_t *writes = xmalloc(((size_t)nodes + 1) * sizeof *writes);
    uint32_t *by = xmalloc(((size_t)nodes + 1) * sizeof *by);
    memset(position, 0xff, ((size_t)nodes + 1) * sizeof *position);
    while (!degree[at]) at++;
    /* Every unsorted write has an unsorted one before it: sorted[] is by `to`, walk back. */
    uint32_t count = 0;
    while (position[at] == NODE_NONE) {
        position[at] = count;
        writes[count] = at;
        for (uint32_t e = start[at]; e < start[at + 1]; e++)
            if (degree[sorted[e].from]) {
                by[count] = sorted[e].by;
                at = sorted[e].from;
                break;
            }
        count++;
    }
    uint32_t first = position[at];
    circle_tell(g, guarantee, writes + first, by + first, count - first);
    free(position);
    free(writes);
    free(by);
}

/* Sorts topologically; what is left holds a circle. */
static void circles(struct guarantees *g, enum guarantee guarantee)
{
    uint32_t nodes = g->rf.count, queue_count = 0, sorted_count = 0;
    uint32_t *start = xcalloc((size_t)nodes + 2, sizeof *start); /* by `to` */
    uint32_t *out_start = xcalloc((size_t)nodes + 2, sizeof *out_start);
    struct edge *by_to = xmalloc((g->edges_count + 1) * sizeof *by_to);
    uint32_t *out = xmalloc((g->edges_count + 1) * sizeof *out);
    uint32_t *degree = xcalloc((size_t)nodes + 1, sizeof *degree);
    uint32_t *queue = xmalloc(((size_t)nodes + 1) * sizeof *queue);
    for (size_t e = 0; e < g->edges_count; e++) {
        start[g->edges[e].to + 2]++;
        out_start[g->edges[e].from + 2]++;
        degree[g->edges[e].to]++;
    }
    for (uint32_t n = 0; n < nodes; n++) {
        start[n + 2] += start[n + 1];
        out_start[n + 2] += out_start[n + 1];
    }
    for (size_t e = 0; e < g->edges_count; e++) {
        by_to[start[g->edges[e].to + 1]++] = g->edges[e];
        out[out_start[g->edges[e].from + 1]++] = g->edges[e].to;
    }
    for (uint32_t n = 0; n < nodes; n++)
        if (!degree[n]) queue[queue_count++] = n;
    while (sorted_count < queue_count) {
        uint32_t n = queue[sorted_count++];
        for (uint32_t e = out_start[n]; e < out_start[n + 1]; e++)
            if (--degree[out[e]] == 0) queue[queue_count++] = out[e];
    }
    if (queue_count < nodes) circle_find(g, guarantee, start, by_to, degree);
    free(start);
    free(out_start);
    free(by_to);
    free(out);
    free(degree);
    free(queue);
}

/* ---- the models ---- */

static void judge(const struct ops *operations, struct model_verdict *verdict,
                  enum guarantee guarantee)
{
    static void (*const collect[])(struct guarantees *) = {
        [READ_YOUR_WRITES] = read_your_writes,
        [MONOTONIC_READS] = monotonic_reads,
        [MONOTONIC_WRITES] = monotonic_writes,
        [WRITES_FOLLOW_READS] = writes_follow_reads,
    };
    struct guarantees g = {.verdict = verdict};
    verdict->algorithm = "zones, then a guessed order of the writes, then edges";
    if (reads_from_init(&g.rf, operations, verdict)) {
        if (suspects_find(&g, guarantee)) collect[guarantee](&g);
        if (!g.is_violated && !g.is_too_much && g.edges_count) circles(&g, guarantee);
        verdict->outcome = g.is_violated   ? MODEL_VIOLATED
                           : g.is_too_much ? MODEL_UNKNOWN
                                           : MODEL_HOLDS;
        verdict->violations = g.is_violated;
        if (g.is_too_much) witness_explain(verdict, "It would take too many edges.");
    }
    verdict->memory_bytes = reads_from_memory(&g.rf) + 3 * g.edges_capacity * sizeof *g.edges;
    free(g.edges);
    free(g.guess);
    free(g.is_suspect);
    reads_from_deinit(&g.rf);
}

void check_model_read_your_writes(const struct ops *operations,
                                  const struct model_limits *limits,
                                  struct model_verdict *verdict)
{
    (void)limits;
    judge(operations, verdict, READ_YOUR_WRITES);
}

void check_model_monotonic_reads(const struct ops *operations,
                                 const struct model_limits *limits,
                                 struct model_verdict *verdict)
{
    (void)limits;
    judge(operations, verdict, MONOTONIC_READS);
}

void check_model_monotonic_writes(const struct ops *operations,
                                  const struct model_limits *limits,
                                  struct model_verdict *verdict)
{
    (void)limits;
    judge(operations, verdict, MONOTONIC_WRITES);
}

void check_model_writes_follow_reads(const struct ops *operations,
                                     const struct model_limits *limits,
                                     struct model_verdict *verdict)
{
    (void)limits;
    judge(operations, verdict, WRITES_FOLLOW_READS);
}
