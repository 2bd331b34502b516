/* Linearizability of a register with unique written values: the cluster test of Gibbons and
 * Korach ("Testing shared memories", SIAM J. Comput. 26(4), 1997), with operations that never
 * returned and with compare-and-set.
 *
 * A cluster is one write and all reads of its value. In any linearization the operations of a
 * cluster stand together, the write first. Let f be the earliest completion in the cluster and
 * s the latest invocation: for some i and j of the same key, a cluster i cannot stand before j
 * when an operation of j had completed before one of i was invoked, that is f_j < s_i. So:
 *
 *   Z1  a read of a value that nobody wrote, or that completes before its write is invoked, is
 *       a violation by itself;
 *   Z2  two clusters with f_i < s_j and f_j < s_i are a violation;
 *   Z3  and nothing else is: with neither, some order of the clusters explains all.
 *
 *     forward zone, f < s:   value certainly there from f to s.   f |=========| s
 *     backward zone, s <= f: all of it could happen at one instant.
 *
 * Two backward zones never conflict. Forward zones conflict when they overlap: sorted by f, it
 * is enough to look at neighbours. A backward zone [s, f] conflicts with a forward one that
 * holds it strictly inside: one binary search each.
 *
 * The initial value is a cluster whose write was invoked and completed before all time. A read
 * without an answer is dropped; so is a write without an answer that nothing depends on.
 *
 * Compare-and-set that took effect, e -> n, n unique: cluster n follows cluster e directly, so
 * chains of clusters are tested as one zone (least f, greatest s), and besides
 *
 *   Z4  e was written, only one compare-and-set consumed it, and following e back ends at a
 *       plain write or the initial value (no cycle);
 *   Z5  along a chain no operation of a later cluster completes before one of an earlier
 *       cluster is invoked.
 *
 * One that failed and says what it saw is a read of that. A pending one counts when something
 * depends on it. What this test cannot judge is ZONES_UNSUITED: a value written twice, deletes
 * (absence comes back), a failure that does not say what it saw.
 *
 * Z4 and Z5 are a derivation of ours; a search over all orders confirms them on random
 * histories (tests/check/test_linearizable.c).
 */
#include "sim/check/zones.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/check/witness.h"

#define NONE UINT32_MAX
#define BEFORE_ALL INT64_MIN
#define INITIAL 0u /* the cluster of the initial value */

struct cluster {
    int64_t f, s;            /* of the cluster; of the whole chain once joined, at its head */
    uint32_t write;          /* operation; NONE for the initial value */
    uint32_t f_by, s_by;     /* the operations that set f and s; NONE: the initial write */
    uint32_t previous, next; /* in its chain; NONE */
    bool is_swap;            /* written by a compare_and_set or an insert */
    bool is_needed;          /* answered, read, or something depends on it */
    bool is_seen;            /* passed by a walk along chains */
};

void zones_init(struct zones *zones, const struct ops *operations)
{
    memset(zones, 0, sizeof *zones);
    zones->operations = operations;
    zones->cluster_of =
        xcalloc(operations->values ? operations->values : 1, sizeof *zones->cluster_of);
}

void zones_deinit(struct zones *zones)
{
    free(zones->cluster_of);
    free(zones->clusters);
    free(zones->order);
    free(zones->spare);
}

uint64_t zones_memory(const struct zones *zones)
{
    return zones->operations->values * sizeof *zones->cluster_of +
           zones->clusters_capacity * sizeof *zones->clusters +
           2 * zones->order_capacity * sizeof *zones->order;
}

/* ---- clusters ---- */

static struct cluster *cluster_add(struct zones *zones)
{
    if (zones->clusters_count == zones->clusters_capacity) {
        size_t capacity = zones->clusters_capacity ? zones->clusters_capacity * 2 : 64;
        zones->clusters = xrealloc(zones->clusters, capacity * sizeof *zones->clusters);
        zones->clusters_capacity = capacity;
    }
    struct cluster *cluster = &zones->clusters[zones->clusters_count++];
    memset(cluster, 0, sizeof *cluster);
    cluster->write = cluster->f_by = cluster->s_by = NONE;
    cluster->previous = cluster->next = NONE;
    return cluster;
}

/* The value that a compare_and_set or insert consumes. */
static uint64_t consumed(const struct op *op)
{
    return op->kind == OP_INSERT ? VALUE_NONE : op->expected;
}

/* A cluster for each write; false: not for this test. */
static bool writes_collect(struct zones *zones, const uint32_t *ops, size_t count)
{
    const struct op *items = zones->operations->items;
    for (size_t i = 0; i < count; i++) {
        const struct op *op = &items[ops[i]];
        if (op->kind == OP_READ || op->result == RESULT_VOID) continue;
        if (op->result == RESULT_FAIL) {
            if (!op->has_seen) return false;
            continue;
        }
        bool is_swap = op->kind == OP_COMPARE_AND_SET || op->kind == OP_INSERT;
        if (op->kind != OP_WRITE && !is_swap) return false;
        if (op->value == VALUE_NONE || zones->cluster_of[op->value]) return false;
        struct cluster *cluster = cluster_add(zones);
        zones->cluster_of[op->value] = (uint32_t)zones->clusters_count;
        cluster->f = op->complete;
        cluster->s = op->invoke;
        cluster->write = cluster->f_by = cluster->s_by = ops[i];
        cluster->is_swap = is_swap;
        cluster->is_needed = op->result == RESULT_OK;
    }
    return true;
}

/* Z1; puts the reads into their clusters. */
static bool reads_collect(struct zones *zones, const uint32_t *ops, size_t count,
                          struct model_verdict *verdict)
{
    const struct ops *operations = zones->operations;
    for (size_t i = 0; i < count; i++) {
        const struct op *op = &operations->items[ops[i]];
        bool is_read = op->kind == OP_READ && op->result == RESULT_OK;
        if (!is_read && op->result != RESULT_FAIL) continue;
        uint64_t value = is_read ? op->value : op->seen;
        uint32_t found = value == VALUE_NONE ? INITIAL + 1 : zones->cluster_of[value];
        if (!found) {
            witness_set(verdict, operations, (uint32_t[]){ops[i]}, 1);
            witness_explain(verdict, "%s saw %s, which nobody wrote.",
                            say_operation(operations, ops[i]), say_seen(operations, ops[i]));
            return false;
        }
        struct cluster *cluster = &zones->clusters[found - 1];
        if (cluster->write != NONE && op->complete < operations->items[cluster->write].invoke) {
            witness_set(verdict, operations, (uint32_t[]){ops[i], cluster->write}, 2);
            witness_edge(verdict, ops[i], cluster->write, REASON_REAL_TIME);
            witness_edge(verdict, cluster->write, ops[i], REASON_READS_FROM);
            witness_explain(verdict, "%s saw %s before %s had begun to write it.",
                            say_operation(operations, ops[i]), say_seen(operations, ops[i]),
                            say_operation(operations, cluster->write));
            return false;
        }
        cluster->is_needed = true;
        if (op->complete < cluster->f) {
            cluster->f = op->complete;
            cluster->f_by = ops[i];
        }
        if (op->invoke > cluster->s) {
            cluster->s = op->invoke;
            cluster->s_by = ops[i];
        }
    }
    return true;
}

/* ---- chains of compare-and-set ---- */

/* Finds what each swap consumed, and marks what a needed cluster depends on. */
static bool chains_link(struct zones *zones, struct model_verdict *verdict)
{
    const struct ops *operations = zones->operations;
    struct cluster *clusters = zones->clusters;
    for (uint32_t c = 0; c < zones->clusters_count; c++) {
        if (!clusters[c].is_swap) continue;
        uint64_t value = consumed(&operations->items[clusters[c].write]);
        uint32_t found = value == VALUE_NONE ? INITIAL + 1 : zones->cluster_of[value];
        clusters[c].previous = found ? found - 1 : NONE;
    }
    for (uint32_t c = 0; c < zones->clusters_count; c++)
        for (uint32_t at = c; clusters[at].is_needed && clusters[at].is_swap;) {
            uint32_t before = clusters[at].previous;
            if (before == NONE || clusters[before].is_needed) break;
            clusters[before].is_needed = true;
            at = before;
        }
    for (uint32_t c = 0; c < zones->clusters_count; c++) {
        if (!clusters[c].is_swap || !clusters[c].is_needed) continue;
        uint32_t write = clusters[c].write, before = clusters[c].previous;
        if (before == NONE) {
            witness_set(verdict, operations, (uint32_t[]){write}, 1);
            witness_explain(verdict, "%s took effect on a value that nobody wrote.",
                            say_operation(operations, write));
            return false;
        }
        if (clusters[before].next != NONE) {
            uint32_t other = clusters[clusters[before].next].write;
            witness_set(verdict, operations, (uint32_t[]){write, other, clusters[before].write},
                        3);
            witness_explain(verdict, "%s and %s both took effect on the same value.",
                            say_operation(operations, other), say_operation(operations, write));
            return false;
        }
        clusters[before].next = c;
    }
    return true;
}

/* The swaps of a chain from cluster `from` to `to`, at most so many: they tie it together. */
#define CHAIN_WITNESS 16u

static void chain_conflict(struct zones *zones, uint32_t from, uint32_t to, uint32_t late,
                           uint32_t early, struct model_verdict *verdict)
{
    const struct ops *operations = zones->operations;
    uint32_t ops[CHAIN_WITNESS + 4], count = 0;
    ops[count++] = late;
    ops[count++] = early;
    for (uint32_t c = from; count < CHAIN_WITNESS; c = zones->clusters[c].next) {
        ops[count++] = zones->clusters[c].write;
        if (c == to) break;
    }
    witness_set(verdict, operations, ops, count);
    witness_edge(verdict, early, late, REASON_REAL_TIME);
    witness_edge(verdict, late, early, REASON_DERIVED);
    witness_explain(verdict,
                    "%s had returned before %s began, but a chain of compare-and-sets puts it "
                    "behind it.",
                    say_operation(operations, early), say_operation(operations, late));
}

/* Z4, Z5; the head of each chain gets the zone of all of it. */
static bool chains_join(struct zones *zones, struct model_verdict *verdict)
{
    const struct ops *operations = zones->operations;
    struct cluster *clusters = zones->clusters;
    for (uint32_t head = 0; head < zones->clusters_count; head++) {
        struct cluster *chain = &clusters[head];
        if (chain->is_swap || !chain->is_needed) continue;
        chain->is_seen = true;
        uint32_t s_at = head; /* the cluster with the greatest s so far */
        for (uint32_t c = chain->next; c != NONE; c = clusters[c].next) {
            struct cluster *link = &clusters[c];
            link->is_seen = true;
            if (link->f < chain->s) {
                chain_conflict(zones, s_at, c, chain->s_by, link->f_by, verdict);
                return false;
            }
            if (link->s > chain->s) {
                chain->s = link->s;
                chain->s_by = link->s_by;
                s_at = c;
            }
            if (link->f < chain->f) {
                chain->f = link->f;
                chain->f_by = link->f_by;
            }
        }
    }
    for (uint32_t c = 0; c < zones->clusters_count; c++)
        if (clusters[c].is_needed && !clusters[c].is_seen) {
            uint32_t ops[CHAIN_WITNESS], count = 0;
            for (uint32_t at = c; count < CHAIN_WITNESS;) {
                ops[count++] = clusters[at].write;
                at = clusters[at].previous;
                if (at == c) break;
            }
            witness_set(verdict, operations, ops, count);
            witness_explain(verdict,
                            "%s and the compare-and-sets that it depends on depend on "
                            "each other in a circle.",
                            say_operation(operations, clusters[c].write));
            return false;
        }
    return true;
}

/* ---- zones ---- */

/* Sorts order[0..count) by f of the clusters: least significant digit first, only the digits
 * that differ. Stable; of small counts insertion is faster. */
static void sort_by_f(struct zones *zones, size_t count)
{
    enum { DIGIT = 11, BUCKETS = 1 << DIGIT };
    const struct cluster *clusters = zones->clusters;
    uint32_t *from = zones->order, *to = zones->spare;
    if (count < 64) {
        for (size_t i = 1; i < count; i++) {
            uint32_t held = from[i];
            size_t j = i;
            for (; j && clusters[from[j - 1]].f > clusters[held].f; j--) from[j] = from[j - 1];
            from[j] = held;
        }
        return;
    }
    int64_t least = clusters[from[0]].f, greatest = least;
    for (size_t i = 1; i < count; i++) {
        int64_t f = clusters[from[i]].f;
        if (f < least) least = f;
        if (f > greatest) greatest = f;
    }
    uint64_t span = (uint64_t)greatest - (uint64_t)least;
    for (unsigned shift = 0; shift < 64 && span >> shift; shift += DIGIT) {
        uint32_t start[BUCKETS + 1] = {0};
        for (size_t i = 0; i < count; i++)
            start[1 + (((uint64_t)clusters[from[i]].f - (uint64_t)least) >> shift) % BUCKETS]++;
        for (size_t b = 0; b < BUCKETS; b++) start[b + 1] += start[b];
        for (size_t i = 0; i < count; i++)
            to[start[(((uint64_t)clusters[from[i]].f - (uint64_t)least) >> shift) %
                     BUCKETS]++] = from[i];
        uint32_t *swap = from;
        from = to;
        to = swap;
    }
    zones->order = from;
    zones->spare = to;
}

static void zones_conflict(struct zones *zones, uint32_t i, uint32_t j,
                           struct model_verdict *verdict)
{
    const struct ops *operations = zones->operations;
    const struct cluster *a = &zones->clusters[i], *b = &zones->clusters[j];
    uint32_t ops[] = {a->f_by, a->s_by, b->f_by, b->s_by, a->write, b->write};
    witness_set(verdict, operations, ops, 6);
    const struct cluster *first = a, *second = b;
    if (a->f > b->f) first = b, second = a;
    /* An operation of the first returned before one of the second began: so all of the first
     * come before the second's write; and the other way round. */
    witness_edge(verdict, first->write, first->s_by, REASON_READS_FROM);
    witness_edge(verdict, first->write, first->f_by, REASON_READS_FROM);
    witness_edge(verdict, second->write, second->s_by, REASON_READS_FROM);
    witness_edge(verdict, second->write, second->f_by, REASON_READS_FROM);
    witness_edge(verdict, first->f_by, second->s_by, REASON_REAL_TIME);
    witness_edge(verdict, second->f_by, first->s_by, REASON_REAL_TIME);
    witness_edge(verdict, first->s_by, second->write, REASON_OVERWRITTEN);
    if (first->s_by != NONE && operations->items[first->s_by].kind == OP_READ &&
        second->f_by != NONE)
        witness_explain(verdict, "%s saw %s, although %s had put %s in its place before.",
                        say_operation(operations, first->s_by),
                        say_seen(operations, first->s_by),
                        say_operation(operations, second->f_by == second->write ? second->write
                                                                                : second->f_by),
                        say_written(operations, second->write));
    else
        witness_explain(verdict, "%s and %s were both certainly there, each before the other.",
                        say_written(operations, first->write),
                        say_written(operations, second->write));
}

/* Z2. */
static bool zones_test(struct zones *zones, struct model_verdict *verdict)
{
    const struct cluster *clusters = zones->clusters;
    if (zones->order_capacity < zones->clusters_count) {
        zones->order_capacity = zones->clusters_capacity;
        zones->order = xrealloc(zones->order, zones->order_capacity * sizeof *zones->order);
        zones->spare = xrealloc(zones->spare, zones->order_capacity * sizeof *zones->spare);
    }
    size_t forward = 0;
    for (uint32_t c = 0; c < zones->clusters_count; c++)
        if (clusters[c].is_needed && !clusters[c].is_swap && clusters[c].f < clusters[c].s)
            zones->order[forward++] = c;
    sort_by_f(zones, forward);
    const uint32_t *order = zones->order;
    for (size_t i = 1; i < forward; i++)
        if (clusters[order[i]].f < clusters[order[i - 1]].s) {
            zones_conflict(zones, order[i - 1], order[i], verdict);
            return false;
        }
    for (uint32_t c = 0; c < zones->clusters_count; c++) {
        const struct cluster *b = &clusters[c];
        if (!b->is_needed || b->is_swap || b->f < b->s) continue;
        size_t low = 0, high = forward; /* the last forward zone with f < b->s */
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (clusters[order[middle]].f < b->s)
                low = middle + 1;
            else
                high = middle;
        }
        if (low && b->f < clusters[order[low - 1]].s) {
            zones_conflict(zones, order[low - 1], c, verdict);
            return false;
        }
    }
    return true;
}

/* ---- one key ---- */

enum zones_answer zones_judge(struct zones *zones, const uint32_t *ops, size_t count,
                              struct model_verdict *verdict)
{
    zones->clusters_count = 0;
    struct cluster *initial = cluster_add(zones);
    initial->f = initial->s = BEFORE_ALL;
    initial->is_needed = true;
    enum zones_answer answer = ZONES_UNSUITED;
    if (writes_collect(zones, ops, count))
        answer = reads_collect(zones, ops, count, verdict) && chains_link(zones, verdict) &&
                         chains_join(zones, verdict) && zones_test(zones, verdict)
                     ? ZONES_HOLD
                     : ZONES_VIOLATED;
    for (size_t c = 1; c < zones->clusters_count; c++)
        zones->cluster_of[zones->operations->items[zones->clusters[c].write].value] = 0;
    return answer;
}
