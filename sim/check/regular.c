/* Safe and regular registers (Lamport, "On interprocess communication", Distributed Computing
 * 1, 1986), for several writers, and bounded staleness; values are all different.
 *
 * A read r of x that saw the value of w *misses* a write w' of x when w' began after w had
 * ended, and had ended before r began: w' certainly stood behind w and before r.
 *
 *   regular  no read misses a write, none saw what nobody wrote, none saw a write that began
 *            after it had ended (Shao, Welch, Pierce, Lee, SIAM J. Comput. 40(1), 2011: MWReg
 *            weak)
 *   safe     the same of reads during which no write of the key is under way; others may see
 *            anything
 *   bounded staleness   no read misses more than k writes, and none saw a value that had been
 *            replaced for longer than t: t(r) = r's beginning - the earliest end among the
 *            writes that it misses. Both are lower bounds of the truth: what overlaps is given
 *            the benefit of the doubt.
 *
 * Method: per key, writes by their end. For each read, in order of its beginning, a Fenwick
 * tree over the beginnings of the writes that have ended counts those that begin after w had
 * ended; a second one keeps the least end among them. O(n log n).
 */
#include "sim/check/regular.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/check/reads_from.h"
#include "sim/check/witness.h"

enum property { REGULAR, SAFE, BOUNDED };

struct tree { /* over writes of a key in order of beginning, the last first */
    uint32_t *count;
    int64_t *least_end;
    uint32_t *least_by; /* the write that has it */
    uint32_t size;
};

struct stale { /* the worst read so far */
    uint32_t read, missed_by;
    uint64_t missed;
    int64_t age;
};

struct ending {
    int64_t end;
    uint32_t node;
};

struct regular {
    struct reads_from rf;
    const struct op *items;
    struct model_verdict *verdict;
    const struct model_limits *limits;
    enum property property;
    uint32_t *by_key, *key_start; /* nodes */
    struct tree tree;
    uint32_t *writes;      /* nodes of the present key's writes by beginning */
    struct ending *by_end; /* those that ended, by end */
    uint64_t missed_most;  /* of any read */
    int64_t age_most;
    struct stale worst;
};

static const struct op *op_of(const struct regular *g, uint32_t node)
{
    return &g->items[g->rf.nodes[node].op];
}

/* ---- the tree: position 1 is the latest beginning ---- */

static void tree_clear(struct tree *tree, uint32_t size)
{
    tree->size = size;
    memset(tree->count, 0, ((size_t)size + 1) * sizeof *tree->count);
    for (uint32_t i = 0; i <= size; i++) tree->least_end[i] = INT64_MAX;
}

static void tree_add(struct tree *tree, uint32_t position, int64_t end, uint32_t write)
{
    for (uint32_t i = position; i <= tree->size; i += i & -i) {
        tree->count[i]++;
        if (end < tree->least_end[i]) {
            tree->least_end[i] = end;
            tree->least_by[i] = write;
        }
    }
}

static void tree_sum(const struct tree *tree, uint32_t upto, uint64_t *count, int64_t *end,
                     uint32_t *by)
{
    *count = 0;
    *end = INT64_MAX;
    *by = NODE_NONE;
    for (uint32_t i = upto; i; i -= i & -i) {
        *count += tree->count[i];
        if (tree->least_end[i] < *end) {
            *end = tree->least_end[i];
            *by = tree->least_by[i];
        }
    }
}

/* ---- one read ---- */

/* Whether a write of the key is under way at some time during the read. */
static bool overlaps_write(const struct regular *g, const struct op *read, uint32_t count,
                           const int64_t *end_most)
{
    /* The writes that began before the read ended are a prefix; one of them overlaps when it
     * ended no earlier than the read began. */
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (op_of(g, g->writes[middle])->invoke <= read->complete)
            low = middle + 1;
        else
            high = middle;
    }
    return low && end_most[low - 1] >= read->invoke;
}

static void read_judge(struct regular *g, uint32_t n, uint32_t count)
{
    const struct op *read = op_of(g, n);
    uint32_t from = g->rf.nodes[n].reads_from;
    int64_t ended = from == NODE_INITIAL ? INT64_MIN : op_of(g, from)->complete;
    /* Those that began after w had ended are the last of the writes. */
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (op_of(g, g->writes[middle])->invoke > ended)
            high = middle;
        else
            low = middle + 1;
    }
    uint64_t missed;
    int64_t end;
    uint32_t by;
    tree_sum(&g->tree, count - low, &missed, &end, &by);
    if (!missed) return;
    int64_t age = read->invoke - end;
    bool is_worse = missed > g->missed_most || age > g->age_most;
    if (missed > g->missed_most) g->missed_most = missed;
    if (age > g->age_most) g->age_most = age;
    bool violates = g->property != BOUNDED;
    if (g->property == BOUNDED) {
        uint64_t k = g->limits ? g->limits->stale_writes : 0;
        int64_t t = g->limits ? g->limits->stale_ns : 0;
        violates = missed > k || (t && age > t);
    }
    if (!violates) return;
    g->verdict->violations++;
    if (is_worse || g->worst.read == NODE_NONE) g->worst = (struct stale){n, by, missed, age};
}

/* A read that saw a write that had not begun. */
static bool is_early(const struct regular *g, uint32_t n)
{
    uint32_t from = g->rf.nodes[n].reads_from;
    return from < NODE_INITIAL && op_of(g, n)->complete < op_of(g, from)->invoke;
}

/* ---- one key ---- */

static int by_end_compare(const void *left, const void *right)
{
    const struct ending *a = left, *b = right;
    if (a->end != b->end) return a->end < b->end ? -1 : 1;
    return (a->node > b->node) - (a->node < b->node);
}

/* Endings stand nearly in order, for the writes do: insertion, unless that takes too long. */
static void endings_sort(struct ending *endings, uint32_t count)
{
    uint64_t moves_max = 32 * (uint64_t)count;
    for (uint32_t i = 1; i < count; i++) {
        struct ending held = endings[i];
        uint32_t at = i;
        for (; at && endings[at - 1].end > held.end; at--) endings[at] = endings[at - 1];
        endings[at] = held;
        if (moves_max < i - at) {
            qsort(endings, count, sizeof *endings, by_end_compare);
            return;
        }
        moves_max -= i - at;
    }
}

static void key_judge(struct regular *g, const uint32_t *nodes, uint32_t count,
                      uint32_t *position, int64_t *end_most)
{
    uint32_t writes = 0, ended = 0, endings = 0;
    for (uint32_t i = 0; i < count; i++)
        if (g->rf.nodes[nodes[i]].row != NODE_NONE) {
            int64_t end = op_of(g, nodes[i])->complete;
            g->writes[writes] = nodes[i];
            if (end != OP_OPEN) g->by_end[endings++] = (struct ending){end, nodes[i]};
            end_most[writes] =
                writes && end_most[writes - 1] > end ? end_most[writes - 1] : end;
            position[nodes[i]] = ++writes;
        }
    tree_clear(&g->tree, writes);
    endings_sort(g->by_end, endings);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t n = nodes[i];
        bool is_thin = g->rf.nodes[n].is_thin;
        if (g->rf.nodes[n].reads_from == NODE_NONE && !is_thin) continue;
        const struct op *read = op_of(g, n);
        for (; ended < endings && g->by_end[ended].end < read->invoke; ended++)
            tree_add(&g->tree, writes + 1 - position[g->by_end[ended].node],
                     g->by_end[ended].end, g->by_end[ended].node);
        bool is_write = g->rf.nodes[n].row != NODE_NONE;
        if (g->property == SAFE && !is_write && overlaps_write(g, read, writes, end_most))
            continue;
        if (is_thin || is_early(g, n)) {
            g->verdict->violations++;
            if (g->worst.read == NODE_NONE) g->worst = (struct stale){n, NODE_NONE, 0, 0};
        }
        if (!is_thin) read_judge(g, n, writes);
    }
}

/* ---- the models ---- */

static void tell(struct regular *g)
{
    const struct ops *operations = g->rf.operations;
    const struct stale *worst = &g->worst;
    const struct node *nodes = g->rf.nodes;
    uint32_t from = nodes[worst->read].reads_from, read = nodes[worst->read].op;
    uint32_t wrote = from < NODE_INITIAL ? nodes[from].op : UINT32_MAX;
    if (nodes[worst->read].is_thin) {
        witness_set(g->verdict, operations, &read, 1);
        witness_explain(g->verdict, "%s saw %s, which nobody wrote there.",
                        say_operation(operations, read), say_seen(operations, read));
        return;
    }
    if (worst->missed_by == NODE_NONE) {
        witness_set(g->verdict, operations, (uint32_t[]){read, wrote}, 2);
        witness_explain(g->verdict, "%s had returned before %s began.",
                        say_operation(operations, read), say_operation(operations, wrote));
        return;
    }
    uint32_t missed = nodes[worst->missed_by].op;
    witness_set(g->verdict, operations, (uint32_t[]){read, wrote, missed}, 3);
    witness_edge(g->verdict, wrote, missed, REASON_REAL_TIME);
    witness_edge(g->verdict, missed, read, REASON_REAL_TIME);
    witness_edge(g->verdict, read, missed, REASON_OVERWRITTEN);
    witness_explain(g->verdict,
                    "%s saw %s, although %s had replaced it before it began; it missed %" PRIu64
                    " writes, the first of them %" PRId64 " %s old.",
                    say_operation(operations, read), say_seen(operations, read),
                    say_operation(operations, missed), worst->missed, worst->age,
                    operations->has_clock ? "ns" : "events");
}

static void nodes_by_key(struct regular *g)
{
    const struct reads_from *rf = &g->rf;
    uint32_t keys = rf->operations->keys;
    g->key_start = xcalloc((size_t)keys + 2, sizeof *g->key_start);
    g->by_key = xmalloc(((size_t)rf->count + 1) * sizeof *g->by_key);
    for (uint32_t n = 0; n < rf->count; n++) g->key_start[op_of(g, n)->key + 2]++;
    for (uint32_t k = 0; k < keys; k++) g->key_start[k + 2] += g->key_start[k + 1];
    for (uint32_t n = 0; n < rf->count; n++)
        g->by_key[g->key_start[op_of(g, n)->key + 1]++] = n;
}

static void judge(const struct ops *operations, const struct model_limits *limits,
                  struct model_verdict *verdict, enum property property)
{
    struct regular g = {
        .verdict = verdict, .limits = limits, .property = property, .items = operations->items};
    g.worst.read = NODE_NONE;
    verdict->algorithm = "Fenwick trees, O(n log n)";
    if (reads_from_init_lenient(&g.rf, operations, verdict)) {
        size_t writes = (size_t)g.rf.writes + 1;
        nodes_by_key(&g);
        g.writes = xmalloc(writes * sizeof *g.writes);
        g.by_end = xmalloc(writes * sizeof *g.by_end);
        g.tree.count = xmalloc((writes + 1) * sizeof *g.tree.count);
        g.tree.least_end = xmalloc((writes + 1) * sizeof *g.tree.least_end);
        g.tree.least_by = xmalloc((writes + 1) * sizeof *g.tree.least_by);
        int64_t *end_most = xmalloc(writes * sizeof *end_most);
        uint32_t *position = xmalloc(((size_t)g.rf.count + 1) * sizeof *position);
        for (uint32_t k = 0; k < operations->keys; k++)
            key_judge(&g, g.by_key + g.key_start[k], g.key_start[k + 1] - g.key_start[k],
                      position, end_most);
        verdict->outcome = verdict->violations ? MODEL_VIOLATED : MODEL_HOLDS;
        if (verdict->violations)
            tell(&g);
        else if (property == BOUNDED)
            witness_explain(verdict,
                            "The worst read missed %" PRIu64
                            " writes; the oldest value had been replaced %" PRId64
                            " %s before.",
                            g.missed_most, g.age_most, operations->has_clock ? "ns" : "events");
        verdict->memory_bytes =
            reads_from_memory(&g.rf) + (uint64_t)g.rf.count * 8 + writes * 40;
        free(end_most);
        free(position);
    }
    free(g.by_key);
    free(g.key_start);
    free(g.writes);
    free(g.by_end);
    free(g.tree.count);
    free(g.tree.least_end);
    free(g.tree.least_by);
    reads_from_deinit(&g.rf);
}

void check_regular(const struct ops *operations, const struct model_limits *limits,
                   struct model_verdict *verdict)
{
    judge(operations, limits, verdict, REGULAR);
}

void check_safe(const struct ops *operations, const struct model_limits *limits,
                struct model_verdict *verdict)
{
    judge(operations, limits, verdict, SAFE);
}

void check_bounded_staleness(const struct ops *operations, const struct model_limits *limits,
                             struct model_verdict *verdict)
{
    judge(operations, limits, verdict, BOUNDED);
}
