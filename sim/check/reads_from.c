/* What read from what. See reads_from.h. */
#include "sim/check/reads_from.h"

#include <stdlib.h>
#include <string.h>

#include "sim/check/witness.h"

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
static bool nodes_build(struct reads_from *rf, struct model_verdict *verdict)
{
    const struct ops *operations = rf->operations;
    uint8_t *seen = values_seen(operations);
    rf->nodes = xmalloc((operations->count + 1) * sizeof *rf->nodes);
    rf->writer_of = xmalloc((operations->values + 1) * sizeof *rf->writer_of);
    memset(rf->writer_of, 0xff, (operations->values + 1) * sizeof *rf->writer_of);
    rf->sessions = operations->processes;
    rf->session_start = xcalloc((size_t)rf->sessions + 2, sizeof *rf->session_start);
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
        if (writes && (op->value == VALUE_NONE || rf->writer_of[op->value] != NODE_NONE))
            is_suited = false;
        if (!is_suited || (!reads && !writes)) continue;
        struct node *node = &rf->nodes[rf->count];
        *node = (struct node){.op = i, .session = op->process, .row = NODE_NONE};
        node->index = rf->session_start[op->process + 1]++;
        if (writes) {
            node->row = rf->writes++;
            rf->writer_of[op->value] = rf->count;
        }
        rf->count++;
    }
    free(seen);
    if (!is_suited) {
        verdict->outcome = MODEL_UNKNOWN;
        witness_explain(verdict,
                        "A value is written twice, or absence comes back by a delete: what a "
                        "read saw is not known.");
        return false;
    }
    for (uint32_t s = 0; s < rf->sessions; s++)
        rf->session_start[s + 1] += rf->session_start[s];
    rf->in_session = xmalloc((rf->count + 1) * sizeof *rf->in_session);
    rf->row_node = xmalloc((rf->writes + 1) * sizeof *rf->row_node);
    for (uint32_t n = 0; n < rf->count; n++) {
        rf->in_session[rf->session_start[rf->nodes[n].session] + rf->nodes[n].index] = n;
        if (rf->nodes[n].row != NODE_NONE) rf->row_node[rf->nodes[n].row] = n;
    }
    return true;
}

/* Fills reads_from; false: a read saw what nobody wrote. */
static bool reads_bind(struct reads_from *rf, struct model_verdict *verdict, bool is_lenient)
{
    for (uint32_t n = 0; n < rf->count; n++) {
        struct node *node = &rf->nodes[n];
        const struct op *op = &rf->operations->items[node->op];
        uint64_t value;
        node->reads_from = NODE_NONE;
        if (!node_reads(op, &value)) continue;
        node->reads_from = value == VALUE_NONE ? NODE_INITIAL : rf->writer_of[value];
        bool is_other_key =
            node->reads_from < NODE_INITIAL &&
            rf->operations->items[rf->nodes[node->reads_from].op].key != op->key;
        if (node->reads_from != NODE_NONE && !is_other_key) continue;
        node->reads_from = NODE_NONE;
        node->is_thin = true;
        if (is_lenient) continue;
        verdict->outcome = MODEL_VIOLATED;
        verdict->violations = 1;
        witness_set(verdict, rf->operations, &node->op, 1);
        witness_explain(verdict, "%s saw %s, which nobody wrote there.",
                        say_operation(rf->operations, node->op),
                        say_seen(rf->operations, node->op));
        return false;
    }
    return true;
}

void reads_from_chains(struct reads_from *rf, bool of_reads)
{
    const struct op *items = rf->operations->items;
    uint32_t keys = rf->operations->keys, members = 0;
    uint32_t *start = xcalloc((size_t)keys + 2, sizeof *start);
    for (uint32_t n = 0; n < rf->count; n++) {
        const struct node *node = &rf->nodes[n];
        if ((of_reads ? node->reads_from : node->row) == NODE_NONE) continue;
        start[items[node->op].key + 2]++;
        members++;
    }
    for (uint32_t k = 0; k < keys; k++) start[k + 2] += start[k + 1];
    rf->chains = xmalloc(((size_t)members + 1) * sizeof *rf->chains);
    rf->chain_writes = xmalloc(((size_t)members + 1) * sizeof *rf->chain_writes);
    /* Session after session, so that each key gets its nodes by session. */
    for (uint32_t i = 0; i < rf->count; i++) {
        const struct node *node = &rf->nodes[rf->in_session[i]];
        if ((of_reads ? node->reads_from : node->row) == NODE_NONE) continue;
        rf->chain_writes[start[items[node->op].key + 1]++] = rf->in_session[i];
    }
    rf->key_start = xcalloc((size_t)keys + 1, sizeof *rf->key_start);
    uint32_t chains = 0;
    for (uint32_t k = 0; k < keys; k++) {
        rf->key_start[k] = chains;
        for (uint32_t i = start[k]; i < start[k + 1]; i++) {
            uint32_t session = rf->nodes[rf->chain_writes[i]].session;
            if (i == start[k] || rf->chains[chains - 1].session != session)
                rf->chains[chains++] = (struct chain){session, i, 0, 0};
            rf->chains[chains - 1].count++;
        }
    }
    rf->key_start[keys] = chains;
    free(start);
}

static bool init(struct reads_from *rf, const struct ops *operations,
                 struct model_verdict *verdict, bool is_lenient)
{
    CHECK(operations->count < NODE_INITIAL);
    memset(rf, 0, sizeof *rf);
    rf->operations = operations;
    return nodes_build(rf, verdict) && reads_bind(rf, verdict, is_lenient);
}

bool reads_from_init(struct reads_from *rf, const struct ops *operations,
                     struct model_verdict *verdict)
{
    return init(rf, operations, verdict, false);
}

bool reads_from_init_lenient(struct reads_from *rf, const struct ops *operations,
                             struct model_verdict *verdict)
{
    return init(rf, operations, verdict, true);
}

void reads_from_deinit(struct reads_from *rf)
{
    free(rf->nodes);
    free(rf->session_start);
    free(rf->in_session);
    free(rf->writer_of);
    free(rf->row_node);
    free(rf->key_start);
    free(rf->chains);
    free(rf->chain_writes);
}

uint64_t reads_from_memory(const struct reads_from *rf)
{
    return (uint64_t)rf->count * (sizeof *rf->nodes + sizeof *rf->in_session) +
           rf->operations->values * sizeof *rf->writer_of +
           (uint64_t)rf->writes *
               (sizeof *rf->chains + sizeof *rf->chain_writes + sizeof *rf->row_node) +
           (uint64_t)rf->operations->keys * sizeof *rf->key_start;
}

/* ---- running through the sessions ---- */

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
    for (uint32_t i = 0; i < sessions; i++) s->waiting[i] = s->wait_on[i] = NODE_NONE;
}

void schedule_deinit(struct schedule *s)
{
    free(s->done);
    free(s->limit);
    free(s->waiting);
    free(s->next_waiting);
    free(s->wait_for);
    free(s->wait_on);
    free(s->ready);
}

enum schedule_answer schedule_run(struct schedule *s, const struct reads_from *rf,
                                  int (*step)(void *context, struct schedule *schedule,
                                              uint32_t node),
                                  void *context)
{
    schedule_init(s, rf->sessions);
    uint32_t executed = 0;
    for (uint32_t n = 0; n < rf->count; n++) {
        uint32_t session = rf->nodes[n].session;
        s->limit[session]++;
        s->ready[0] = session;
        s->ready_count = 1;
        while (s->ready_count) {
            uint32_t t = s->ready[--s->ready_count];
            if (s->wait_on[t] != NODE_NONE) continue;
            while (s->done[t] < s->limit[t]) {
                int did = step(context, s, rf->in_session[rf->session_start[t] + s->done[t]]);
                if (did < 0) return SCHEDULE_STOPPED;
                if (!did) {
                    s->next_waiting[t] = s->waiting[s->wait_on[t]];
                    s->waiting[s->wait_on[t]] = t;
                    break;
                }
                executed++;
                s->done[t]++;
                /* Wake who waited for no more than this. */
                for (uint32_t *link = &s->waiting[t]; *link != NODE_NONE;) {
                    uint32_t w = *link;
                    if (s->wait_for[w] > s->done[t]) {
                        link = &s->next_waiting[w];
                        continue;
                    }
                    *link = s->next_waiting[w];
                    s->wait_on[w] = NODE_NONE;
                    s->ready[s->ready_count++] = w;
                }
            }
        }
    }
    return executed < rf->count ? SCHEDULE_CIRCLE : SCHEDULE_DONE;
}
