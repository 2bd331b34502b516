/* Sequential consistency (Lamport, IEEE Trans. Computers 28(9), 1979) of registers whose
 * written values are all different: one order of all operations that keeps each process's own
 * and in which every read sees the last write before it. NP-complete even so (Gibbons and
 * Korach 1997); three steps, the cheap ones first:
 *
 *   S1  Linearizability implies it: where time is known and zones.c says yes, it holds.
 *   S2  It implies CCv and CM: where causal.c or causal_memory.c says no, it is violated, with
 *       that witness. Besides, the edges that CCv demands hold in every such order.
 *   S3  A search over frontiers, (operations done of each process), with memory. A write of x
 *       may come next when all reads of the present value of x are done, its reads-from edges
 *       and the edges of S2 allow it; a read when its value is the present one. Because a
 *       write waits for the reads of what it replaces, the frontier alone says which value a
 *       key has as far as that matters, so it is all that the memory keeps. Reads are taken at
 *       once and never given back alone: they only allow more.
 *
 * Writes are tried in order of invocation, which for a real system is nearly right. Beyond the
 * limit of frontiers or memory the answer is unknown.
 */
#include "sim/check/sequential.h"

#include <stdlib.h>
#include <string.h>

#include "sim/check/causal.h"
#include "sim/check/causal_internal.h"
#include "sim/check/witness.h"

#define STATES_DEFAULT UINT64_C(2000000)
#define MEMORY_DEFAULT (UINT64_C(1) << 30)

struct frontiers { /* a set of vectors of `sessions` counts */
    uint32_t *items;
    uint64_t count, capacity;
    uint64_t *slots; /* 1 + number; 0 free */
    uint64_t mask;
};

struct undo {                      /* what a write changed */
    uint32_t session, key, before; /* the present value of the key before */
    uint32_t reads_first;          /* in reads[]: those taken behind it */
    uint32_t next_choice;          /* the session to try next in its place */
};

struct sequential {
    struct causal c;
    uint32_t *done;               /* [sessions] */
    uint32_t *present;            /* [keys] node that wrote the present value; NODE_INITIAL */
    uint32_t *left;               /* [writes] reads of its value that are not done */
    uint32_t *left_initial;       /* [keys] likewise of the initial value */
    uint32_t *reads, reads_count; /* sessions whose head was a read that was taken */
    struct undo *stack;
    uint32_t depth;
    uint32_t *by_time; /* sessions in order of the invocation of their heads: scratch */
    struct frontiers seen;
    uint64_t states_max, memory_max;
    uint32_t *deepest; /* the frontier that got furthest */
    uint32_t deepest_done, total_done;
};

/* ---- visited frontiers ---- */

static uint64_t frontier_hash(const uint32_t *items, uint32_t count)
{
    uint64_t hash = count;
    for (uint32_t i = 0; i < count; i++) {
        hash = (hash ^ items[i]) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 32;
    }
    return hash;
}

static bool frontier_is_new(struct sequential *q)
{
    struct frontiers *f = &q->seen;
    uint32_t sessions = q->c.rf.sessions;
    if (f->count * 2 >= f->mask) {
        uint64_t slots = f->mask ? (f->mask + 1) * 2 : 1024;
        free(f->slots);
        f->slots = xcalloc(slots, sizeof *f->slots);
        f->mask = slots - 1;
        for (uint64_t i = 0; i < f->count; i++) {
            uint64_t at = frontier_hash(f->items + i * sessions, sessions) & f->mask;
            while (f->slots[at]) at = (at + 1) & f->mask;
            f->slots[at] = i + 1;
        }
    }
    uint64_t at = frontier_hash(q->done, sessions) & f->mask;
    for (; f->slots[at]; at = (at + 1) & f->mask)
        if (memcmp(f->items + (f->slots[at] - 1) * sessions, q->done,
                   sessions * sizeof *q->done) == 0)
            return false;
    if (f->count == f->capacity) {
        f->capacity = f->capacity ? f->capacity * 2 : 1024;
        f->items = xrealloc(f->items, f->capacity * sessions * sizeof *f->items);
    }
    memcpy(f->items + f->count * sessions, q->done, sessions * sizeof *q->done);
    f->slots[at] = ++f->count;
    return true;
}

static uint64_t frontiers_memory(const struct sequential *q)
{
    return q->seen.capacity * q->c.rf.sessions * sizeof *q->seen.items +
           (q->seen.mask + 1) * sizeof *q->seen.slots;
}

/* ---- moves ---- */

static uint32_t head(const struct sequential *q, uint32_t session)
{
    const struct reads_from *rf = &q->c.rf;
    uint32_t at = rf->session_start[session] + q->done[session];
    return at < rf->session_start[session + 1] ? rf->in_session[at] : NODE_NONE;
}

static uint32_t key_of(const struct sequential *q, uint32_t node)
{
    return q->c.operations->items[q->c.rf.nodes[node].op].key;
}

static bool sees_present(const struct sequential *q, uint32_t node)
{
    uint32_t from = q->c.rf.nodes[node].reads_from;
    return from == NODE_NONE || q->present[key_of(q, node)] == from;
}

static uint32_t *reads_left(struct sequential *q, uint32_t key, uint32_t writer)
{
    return writer == NODE_INITIAL ? &q->left_initial[key] : &q->left[q->c.rf.nodes[writer].row];
}

/* Takes every read that can be taken, until none can. */
static void reads_take(struct sequential *q)
{
    for (bool moved = true; moved;) {
        moved = false;
        for (uint32_t s = 0; s < q->c.rf.sessions; s++)
            for (uint32_t n; (n = head(q, s)) != NODE_NONE &&
                             q->c.rf.nodes[n].row == NODE_NONE && sees_present(q, n);
                 moved = true) {
                --*reads_left(q, key_of(q, n), q->c.rf.nodes[n].reads_from);
                q->done[s]++;
                q->total_done++;
                q->reads[q->reads_count++] = s;
            }
    }
}

static void reads_give_back(struct sequential *q, uint32_t down_to)
{
    while (q->reads_count > down_to) {
        uint32_t s = q->reads[--q->reads_count];
        q->done[s]--;
        q->total_done--;
        uint32_t n = head(q, s);
        ++*reads_left(q, key_of(q, n), q->c.rf.nodes[n].reads_from);
    }
}

static bool write_may(struct sequential *q, uint32_t n)
{
    uint32_t key = key_of(q, n), present = q->present[key];
    const struct node *node = &q->c.rf.nodes[n];
    uint32_t left = *reads_left(q, key, present);
    bool is_swap = node->reads_from != NODE_NONE;
    if (is_swap && (!sees_present(q, n) || left != 1)) return false;
    if (!is_swap && left) return false;
    const uint32_t *behind = behind_of(&q->c, n);
    for (uint32_t t = 0; behind && t < q->c.rf.sessions; t++)
        if (behind[t] > q->done[t]) return false;
    return true;
}

static void write_take(struct sequential *q, uint32_t n, uint32_t next_choice)
{
    const struct node *node = &q->c.rf.nodes[n];
    uint32_t key = key_of(q, n);
    q->stack[q->depth++] =
        (struct undo){node->session, key, q->present[key], q->reads_count, next_choice};
    if (node->reads_from != NODE_NONE) --*reads_left(q, key, node->reads_from);
    q->present[key] = n;
    q->done[node->session]++;
    q->total_done++;
}

/* Returns what the session to try next was. */
static uint32_t write_give_back(struct sequential *q)
{
    struct undo undo = q->stack[--q->depth];
    reads_give_back(q, undo.reads_first);
    q->done[undo.session]--;
    q->total_done--;
    uint32_t n = head(q, undo.session);
    q->present[undo.key] = undo.before;
    if (q->c.rf.nodes[n].reads_from != NODE_NONE)
        ++*reads_left(q, undo.key, q->c.rf.nodes[n].reads_from);
    return undo.next_choice;
}

/* The write that may come next with the `choice`-th earliest invocation; NODE_NONE. */
static uint32_t write_choose(struct sequential *q, uint32_t choice)
{
    uint32_t count = 0;
    for (uint32_t s = 0; s < q->c.rf.sessions; s++) {
        uint32_t n = head(q, s);
        if (n == NODE_NONE || q->c.rf.nodes[n].row == NODE_NONE || !write_may(q, n)) continue;
        uint32_t at = count++;
        for (; at && q->by_time[at - 1] > n; at--) q->by_time[at] = q->by_time[at - 1];
        q->by_time[at] = n; /* nodes are numbered in order of invocation */
    }
    return choice < count ? q->by_time[choice] : NODE_NONE;
}

/* ---- the search ---- */

static enum model_outcome search(struct sequential *q)
{
    uint32_t choice = 0;
    reads_take(q);
    while (q->total_done < q->c.rf.count) {
        if (q->total_done >= q->deepest_done) {
            q->deepest_done = q->total_done;
            memcpy(q->deepest, q->done, q->c.rf.sessions * sizeof *q->done);
        }
        uint32_t n = write_choose(q, choice);
        if (n == NODE_NONE) {
            if (q->depth == 0) return MODEL_VIOLATED;
            choice = write_give_back(q);
            continue;
        }
        write_take(q, n, choice + 1);
        reads_take(q);
        if (frontier_is_new(q)) {
            choice = 0;
        } else {
            choice = write_give_back(q);
        }
        if (q->seen.count > q->states_max || frontiers_memory(q) > q->memory_max)
            return MODEL_UNKNOWN;
    }
    return MODEL_HOLDS;
}

/* What stood at the heads of the processes where it got furthest. */
static void stuck(struct sequential *q)
{
    uint32_t *ops = xmalloc((2 * (size_t)q->c.rf.sessions + 1) * sizeof *ops), count = 0;
    memcpy(q->done, q->deepest, q->c.rf.sessions * sizeof *q->done);
    for (uint32_t s = 0; s < q->c.rf.sessions; s++) {
        uint32_t n = head(q, s);
        if (n == NODE_NONE) continue;
        ops[count++] = q->c.rf.nodes[n].op;
        if (q->c.rf.nodes[n].reads_from < NODE_INITIAL)
            ops[count++] = q->c.rf.nodes[q->c.rf.nodes[n].reads_from].op;
    }
    witness_set(q->c.verdict, q->c.operations, ops, count);
    witness_explain(q->c.verdict,
                    "No one order of all operations explains all answers: the furthest that an "
                    "order came is %u of %u operations, and none of these can come next.",
                    q->deepest_done, q->c.rf.count);
    free(ops);
}

static void sequential_init(struct sequential *q, const struct model_limits *limits)
{
    const struct reads_from *rf = &q->c.rf;
    uint32_t keys = q->c.operations->keys;
    q->states_max = limits && limits->states ? limits->states : STATES_DEFAULT;
    q->memory_max = limits && limits->memory_bytes ? limits->memory_bytes : MEMORY_DEFAULT;
    q->done = xcalloc((size_t)rf->sessions + 1, sizeof *q->done);
    q->deepest = xcalloc((size_t)rf->sessions + 1, sizeof *q->deepest);
    q->by_time = xcalloc((size_t)rf->sessions + 1, sizeof *q->by_time);
    q->present = xmalloc(((size_t)keys + 1) * sizeof *q->present);
    q->left_initial = xcalloc((size_t)keys + 1, sizeof *q->left_initial);
    q->left = xcalloc((size_t)rf->writes + 1, sizeof *q->left);
    q->reads = xmalloc(((size_t)rf->count + 1) * sizeof *q->reads);
    q->stack = xmalloc(((size_t)rf->writes + 1) * sizeof *q->stack);
    for (uint32_t k = 0; k < keys; k++) q->present[k] = NODE_INITIAL;
    for (uint32_t n = 0; n < rf->count; n++)
        if (rf->nodes[n].reads_from != NODE_NONE)
            ++*reads_left(q, key_of(q, n), rf->nodes[n].reads_from);
}

static void sequential_deinit(struct sequential *q)
{
    free(q->done);
    free(q->deepest);
    free(q->by_time);
    free(q->present);
    free(q->left_initial);
    free(q->left);
    free(q->reads);
    free(q->stack);
    free(q->seen.items);
    free(q->seen.slots);
}

/* S1. */
static bool is_linearizable(const struct ops *operations, const struct model_limits *limits,
                            struct model_verdict *verdict)
{
    struct model_verdict quick = {0};
    if (!operations->has_real_time) return false;
    model_find("linearizable")->check(operations, limits, &quick);
    bool holds = quick.outcome == MODEL_HOLDS;
    if (holds) verdict->memory_bytes = quick.memory_bytes;
    model_verdict_deinit(&quick);
    return holds;
}

void check_sequential(const struct ops *operations, const struct model_limits *limits,
                      struct model_verdict *verdict)
{
    if (is_linearizable(operations, limits, verdict)) {
        verdict->algorithm = "it is linearizable";
        return;
    }
    check_causal_convergent(operations, limits, verdict);
    verdict->algorithm = "it is not CCv";
    if (verdict->outcome != MODEL_HOLDS) return;
    check_causal_memory(operations, limits, verdict);
    verdict->algorithm = "it is not CM";
    if (verdict->outcome == MODEL_VIOLATED) return;
    free(verdict->explanation); /* given up: the search has a chance of its own */
    verdict->explanation = NULL;
    struct sequential q;
    struct schedule schedule;
    memset(&q, 0, sizeof q);
    verdict->algorithm = "search over frontiers";
    if (causal_init(&q.c, operations, limits, verdict)) {
        q.c.is_convergent = true;
        causal_first_pass(&q.c, &schedule); /* for its edges: CCv holds */
        schedule_deinit(&schedule);
        sequential_init(&q, limits);
        verdict->outcome = search(&q);
        verdict->states = q.seen.count;
        verdict->violations = verdict->outcome == MODEL_VIOLATED;
        if (verdict->outcome == MODEL_VIOLATED) stuck(&q);
        if (verdict->outcome == MODEL_UNKNOWN)
            witness_explain(verdict, "The search gave up after %llu frontiers.",
                            (unsigned long long)q.seen.count);
        sequential_deinit(&q);
    }
    causal_deinit(&q.c);
}
