/* Leaders: who led when, and whether two nodes acknowledged writes at once.
 *
 * single_leader_per_term (Ongaro and Ousterhout, "In search of an understandable consensus
 * algorithm", USENIX ATC 2014, figure 3, Election Safety): at most one node has the role of
 * leader under one epoch. Counted in nodes too many, summed over epochs. Schemes whose leaders
 * have no epoch (0) are not judged.
 *
 * single_writer: never two nodes acknowledging writes at once without an epoch that fences one
 * of them. Node A's acknowledgement of a write is a violation when the write was invoked after
 * another node B had acknowledged one, and either B's epoch was higher (A is deposed and does
 * not know), or B's epoch was the same (or both have none) and B's acknowledgement fell into
 * A's reign. A *reign* of a node runs from its becoming leader to its losing the role or its
 * process; without role facts it runs from its first acknowledgement until its process goes
 * down. So a handover and a return to the first node are no violation, with epochs or without;
 * two nodes that take turns are. That the write was invoked later matters: a deposed Raft
 * leader may rightly answer for an entry that a majority had before it was deposed, late. It
 * can commit nothing that a client asked for after its successor had committed. An
 * acknowledgement whose token no write of the history carries (a delete) says that its node was
 * acknowledging then, and is not judged itself, for when it was asked for is not known. Counted
 * in acknowledgements.
 *
 * Method: acknowledgements sorted by the invocation of their write, facts in time order entered
 * before each; by epoch the last acknowledgement of two different nodes, over all epochs the
 * highest of two different nodes. O(n log n).
 */
#include <stdlib.h>
#include <string.h>

#include "sim/check/leaders.h"

/* ---- single_leader_per_term ---- */

struct leadership {
    uint64_t epoch;
    uint32_t endpoint;
    int64_t time_ns;
};

static int compare_leadership(const void *left, const void *right)
{
    const struct leadership *a = left, *b = right;
    if (a->epoch != b->epoch) return a->epoch < b->epoch ? -1 : 1;
    if (a->time_ns != b->time_ns) return a->time_ns < b->time_ns ? -1 : 1;
    return a->endpoint < b->endpoint ? -1 : a->endpoint > b->endpoint;
}

void check_single_leader_per_term(const struct check_input *input, struct check_result *result)
{
    result_clear(result);
    struct leadership *leaders = xmalloc((input->facts->count + 1) * sizeof *leaders);
    size_t count = 0;
    for (size_t i = 0; i < input->facts->count; i++) {
        const struct fact *fact = &input->facts->items[i];
        if (fact->kind == FACT_ROLE && fact->a == FACT_ROLE_LEADER && fact->b &&
            fact->endpoint < input->nodes)
            leaders[count++] = (struct leadership){fact->b, fact->endpoint, fact->time_ns};
    }
    qsort(leaders, count, sizeof *leaders, compare_leadership);
    uint8_t *seen = xcalloc(input->nodes + 1, 1);
    const struct leadership *first = NULL, *second = NULL;
    for (size_t start = 0, i; start < count; start = i) {
        memset(seen, 0, input->nodes);
        for (i = start; i < count && leaders[i].epoch == leaders[start].epoch; i++) {
            if (seen[leaders[i].endpoint]) continue;
            seen[leaders[i].endpoint] = 1;
            if (leaders[i].endpoint == leaders[start].endpoint ||
                !op_in_window(input, leaders[i].time_ns))
                continue;
            if (!result_violation(result, leaders[i].time_ns, NO_OP)) continue;
            first = &leaders[start];
            second = &leaders[i];
        }
    }
    if (first) {
        result->witness_nodes[0] = first->endpoint;
        result->witness_nodes[1] = second->endpoint;
        result->witness_nodes_count = 2;
        result_explain(
            result,
            "%s led in a term that had a leader. In term %llu %s led from %s, and %s from %s.",
            say_counted(result->violations, "node", "also", "also"),
            (unsigned long long)first->epoch, say_node(input, first->endpoint),
            say_time(first->time_ns), say_node(input, second->endpoint),
            say_time(second->time_ns));
    }
    result_end(result);
    if (!count) result_not_applicable(result);
    free(leaders);
    free(seen);
}

/* ---- reigns ---- */

void reigns_init(struct reigns *reigns, const struct check_input *input)
{
    reigns->nodes = input->nodes;
    reigns->since_ns = xmalloc((input->nodes + 1) * sizeof *reigns->since_ns);
    reigns->leads = xcalloc(input->nodes + 1, sizeof *reigns->leads);
    for (uint32_t i = 0; i < input->nodes; i++) reigns->since_ns[i] = REIGN_NONE;
}

void reigns_deinit(struct reigns *reigns)
{
    free(reigns->since_ns);
    free(reigns->leads);
}

void reigns_enter(struct reigns *reigns, const struct fact *fact)
{
    if (fact->endpoint >= reigns->nodes) return;
    int64_t *since_ns = &reigns->since_ns[fact->endpoint];
    bool *leads = &reigns->leads[fact->endpoint];
    switch (fact->kind) {
    case FACT_ROLE:
        if (fact->a == FACT_ROLE_LEADER) {
            if (!*leads) *since_ns = fact->time_ns;
            *leads = true;
        } else {
            *leads = false;
            *since_ns = REIGN_NONE;
        }
        break;
    case FACT_DOWN:
        *leads = false;
        *since_ns = REIGN_NONE;
        break;
    case FACT_ACK:
        if (*since_ns == REIGN_NONE) *since_ns = fact->time_ns;
        break;
    default: break;
    }
}

/* ---- single_writer ---- */

struct acknowledgement {
    int64_t invoke_ns, time_ns, reign_ns;
    uint64_t epoch;
    uint32_t endpoint, op, epoch_index;
};
struct best {
    uint32_t ack[2];
}; /* the best acknowledgement, and the best of any other node; NO_OP: none */
struct by_invoke {
    int64_t invoke_ns;
    uint32_t ack;
};

static int compare_invoke(const void *left, const void *right)
{
    const struct by_invoke *a = left, *b = right;
    if (a->invoke_ns != b->invoke_ns) return a->invoke_ns < b->invoke_ns ? -1 : 1;
    return a->ack < b->ack ? -1 : a->ack > b->ack;
}

static int compare_u64(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

static uint32_t epoch_index(const uint64_t *epochs, uint32_t count, uint64_t epoch)
{
    uint32_t low = 0, high = count;
    while (low + 1 < high) {
        uint32_t middle = low + (high - low) / 2;
        if (epochs[middle] <= epoch)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Enters an acknowledgement that is later than all before; it is better when its epoch is not
 * lower. */
static void best_enter(struct best *best, const struct acknowledgement *acks, uint32_t ack)
{
    uint32_t node = acks[ack].endpoint;
    bool beats[2];
    for (unsigned i = 0; i < 2; i++)
        beats[i] = best->ack[i] == NO_OP || acks[ack].epoch >= acks[best->ack[i]].epoch;
    if (beats[0]) {
        if (best->ack[0] != NO_OP && acks[best->ack[0]].endpoint != node)
            best->ack[1] = best->ack[0];
        best->ack[0] = ack;
    } else if (acks[best->ack[0]].endpoint != node && beats[1]) {
        best->ack[1] = ack;
    }
}

static uint32_t best_of_others(const struct best *best, const struct acknowledgement *acks,
                               uint32_t node)
{
    return best->ack[0] != NO_OP && acks[best->ack[0]].endpoint == node ? best->ack[1]
                                                                        : best->ack[0];
}

/* All acknowledgements of data nodes, in time order. */
static struct acknowledgement *collect(const struct index *index, uint32_t *count)
{
    const struct check_input *input = index->input;
    struct acknowledgement *acks = xmalloc((input->facts->count + 1) * sizeof *acks);
    struct reigns reigns;
    reigns_init(&reigns, input);
    *count = 0;
    for (size_t i = 0; i < input->facts->count; i++) {
        const struct fact *fact = &input->facts->items[i];
        reigns_enter(&reigns, fact);
        if (fact->kind != FACT_ACK || fact->endpoint >= input->nodes) continue;
        uint32_t op = index_writer(index, fact->a);
        acks[(*count)++] = (struct acknowledgement){
            .invoke_ns = op == NO_OP ? fact->time_ns : index->ops[op].invoke_ns,
            .time_ns = fact->time_ns,
            .reign_ns = reigns.since_ns[fact->endpoint],
            .epoch = fact->b,
            .endpoint = fact->endpoint,
            .op = op};
    }
    reigns_deinit(&reigns);
    return acks;
}

void check_single_writer(const struct check_input *input, struct check_result *result)
{
    result_clear(result);
    struct index index;
    index_init(&index, input);
    uint32_t count, epochs_count = 0, next = 0;
    struct acknowledgement *acks = collect(&index, &count);
    uint64_t *epochs = xmalloc((count + 1) * sizeof *epochs);
    for (uint32_t i = 0; i < count; i++) epochs[i] = acks[i].epoch;
    qsort(epochs, count, sizeof *epochs, compare_u64);
    for (uint32_t i = 0; i < count; i++)
        if (!epochs_count || epochs[epochs_count - 1] != epochs[i])
            epochs[epochs_count++] = epochs[i];
    struct by_invoke *order = xmalloc((count + 1) * sizeof *order);
    for (uint32_t i = 0; i < count; i++) {
        acks[i].epoch_index = epoch_index(epochs, epochs_count, acks[i].epoch);
        order[i] = (struct by_invoke){acks[i].invoke_ns, i};
    }
    qsort(order, count, sizeof *order, compare_invoke);

    struct best highest = {{NO_OP, NO_OP}},
                *of_epoch = xmalloc((epochs_count + 1) * sizeof *of_epoch);
    for (uint32_t i = 0; i < epochs_count; i++) of_epoch[i] = highest;
    uint32_t first = NO_OP, first_other = NO_OP;
    for (uint32_t i = 0; i < count; i++) {
        const struct acknowledgement *ack = &acks[order[i].ack];
        if (ack->op == NO_OP) continue;
        for (; next < count && acks[next].time_ns < ack->invoke_ns; next++) {
            best_enter(&highest, acks, next);
            best_enter(&of_epoch[acks[next].epoch_index], acks, next);
        }
        uint32_t other = best_of_others(&highest, acks, ack->endpoint);
        if (other == NO_OP || acks[other].epoch <= ack->epoch) {
            other = best_of_others(&of_epoch[ack->epoch_index], acks, ack->endpoint);
            if (other == NO_OP || acks[other].time_ns <= ack->reign_ns) continue;
        }
        if (!op_in_window(input, ack->time_ns) ||
            !result_violation(result, ack->time_ns, ack->op))
            continue;
        first = order[i].ack;
        first_other = other;
    }
    if (first != NO_OP) {
        const struct acknowledgement *late = &acks[first], *other = &acks[first_other];
        result_witness(&index, result, (uint32_t[]){other->op, late->op}, 2);
        result->witness_nodes[0] = other->endpoint;
        result->witness_nodes[1] = late->endpoint;
        result->witness_nodes_count = 2;
        result_explain(result,
                       "%s given by a node that another had replaced or joined. At %s %s "
                       "acknowledged a write asked for at %s",
                       say_counted(result->violations, "acknowledgement", "was", "were"),
                       say_time(late->time_ns), say_node(input, late->endpoint),
                       say_time(late->invoke_ns));
        if (late->epoch)
            result_explain_more(result, " (epoch %llu)", (unsigned long long)late->epoch);
        result_explain_more(result, ", although %s had acknowledged one at %s",
                            say_node(input, other->endpoint), say_time(other->time_ns));
        if (other->epoch)
            result_explain_more(result, " (epoch %llu)", (unsigned long long)other->epoch);
        result_explain_more(result, other->epoch > late->epoch
                                        ? "; nothing fenced the older epoch."
                                        : "; no epoch tells which of them may.");
    }
    result_end(result);
    if (!count) result_not_applicable(result);
    free(acks);
    free(epochs);
    free(order);
    free(of_epoch);
    index_deinit(&index);
}
