/* Measures: numbers of a run that a scenario may bound under `expect.measure`. Each is a
 * function of the records; those that count violations run the check that counts them.
 *
 * Operations mean those of clients on the database: final reads and binds of the second store
 * are not among them. An operation is in the window when it returned in it, and one that never
 * returned when it was invoked in it.
 *
 * stale_reads, staleness_max: a read is stale when some acknowledged write that was certainly
 * newer than the value returned had returned before the read was invoked; its staleness is the
 * time since the earliest such return (t-visibility: Bailis et al., "Probabilistically bounded
 * staleness", VLDB 2012). Certainly newer means in the order of parts.h; so these are lower
 * bounds, from the history alone. A read of absence is judged only for keys that nobody
 * deletes.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/check/convergence.h"
#include "sim/check/leaders.h"

static bool is_client_op(const struct history_op *op)
{
    return op->store == 0 && !op->final_read && op->type != HISTORY_BIND;
}

/* ---- counts of operations ---- */

static int64_t count_ops(const struct check_input *input, bool writes_only, int outcome)
{
    int64_t count = 0;
    for (size_t i = 0; i < input->history->count; i++) {
        const struct history_op *op = &input->history->ops[i];
        if (!is_client_op(op) || (writes_only && !op_is_write(op)) ||
            (outcome >= 0 && op->outcome != outcome))
            continue;
        count +=
            op_in_window(input, op->return_ns == HISTORY_OPEN ? op->invoke_ns : op->return_ns);
    }
    return count;
}

static int64_t measure_operations(const struct check_input *input)
{
    return count_ops(input, false, -1);
}
static int64_t measure_acknowledged(const struct check_input *input)
{
    return count_ops(input, false, OUTCOME_OK);
}
static int64_t measure_failed(const struct check_input *input)
{
    return count_ops(input, false, OUTCOME_FAIL);
}
static int64_t measure_unknown(const struct check_input *input)
{
    return count_ops(input, false, OUTCOME_UNKNOWN);
}
static int64_t measure_writes_acknowledged(const struct check_input *input)
{
    return count_ops(input, true, OUTCOME_OK);
}
static int64_t measure_writes_failed(const struct check_input *input)
{
    return count_ops(input, true, OUTCOME_FAIL);
}
static int64_t measure_writes_unknown(const struct check_input *input)
{
    return count_ops(input, true, OUTCOME_UNKNOWN);
}

/* Unknown writes that a final read found: indeterminate means that it may be there. */
static int64_t measure_unknown_present(const struct check_input *input)
{
    struct index index;
    int64_t present = 0;
    index_init(&index, input);
    for (uint32_t op = 0; op < index.count; op++) {
        if (!index.ops[op].final_read || index.ops[op].store) continue;
        struct seen cursor = {0};
        uint32_t key;
        uint64_t token;
        while (seen_next(input->history, op, &cursor, &key, &token)) {
            uint32_t writer = index_writer(&index, token);
            present += writer != NO_OP && index.ops[writer].outcome == OUTCOME_UNKNOWN;
        }
    }
    index_deinit(&index);
    return present;
}

static int64_t measure_retries(const struct check_input *input)
{
    int64_t count = 0;
    for (size_t i = 0; i < input->history->count; i++) {
        const struct history_op *op = &input->history->ops[i];
        if (is_client_op(op) && op->attempts_count > 1 && op_in_window(input, op->invoke_ns))
            count += op->attempts_count - 1;
    }
    return count;
}

static int64_t measure_latency_max(const struct check_input *input)
{
    int64_t longest = 0;
    for (size_t i = 0; i < input->history->count; i++) {
        const struct history_op *op = &input->history->ops[i];
        if (!is_client_op(op) || op->outcome != OUTCOME_OK ||
            !op_in_window(input, op->return_ns))
            continue;
        if (op->return_ns - op->invoke_ns > longest) longest = op->return_ns - op->invoke_ns;
    }
    return longest;
}

/* ---- counts of violations ---- */

static int64_t violations_of(void (*run)(const struct check_input *, struct check_result *),
                             const struct check_input *input)
{
    struct check_result result;
    run(input, &result);
    int64_t count = (int64_t)result.violations;
    check_result_deinit(&result);
    return count;
}

static int64_t measure_lost_writes(const struct check_input *input)
{
    return violations_of(check_no_lost_write, input);
}
static int64_t measure_reused_keys(const struct check_input *input)
{
    return violations_of(check_unique_keys, input);
}
static int64_t measure_broken_references(const struct check_input *input)
{
    return violations_of(check_external_references, input);
}
static int64_t measure_private_reads(const struct check_input *input)
{
    return violations_of(check_private_reads, input);
}
static int64_t measure_dirty_values(const struct check_input *input)
{
    return violations_of(check_no_dirty_read, input);
}

/* ---- availability ---- */

static int64_t measure_longest_outage(const struct check_input *input)
{
    struct check_result result;
    check_availability(input, &result);
    int64_t longest_ns = result.duration_ns;
    check_result_deinit(&result);
    return longest_ns;
}

static int64_t fraction_ppm(const struct check_input *input, bool writes)
{
    uint64_t invoked = 0, served = 0;
    for (size_t i = 0; i < input->history->count; i++) {
        const struct history_op *op = &input->history->ops[i];
        bool is_write = op_is_write(op) || op->type == HISTORY_LOCK;
        if (!is_client_op(op) || is_write != writes || op->type == HISTORY_UNLOCK ||
            !op_in_window(input, op->invoke_ns))
            continue;
        invoked++;
        served += op_is_served(op);
    }
    return invoked ? (int64_t)(served * 1000000 / invoked) : 1000000;
}

static int64_t measure_availability(const struct check_input *input)
{
    return fraction_ppm(input, true);
}
static int64_t measure_read_availability(const struct check_input *input)
{
    return fraction_ppm(input, false);
}

/* ---- staleness ---- */

struct staleness {
    int64_t max_ns;
    int64_t reads;
};
struct written {
    uint32_t *start;
    int64_t *invoke_ns, *return_min_ns;
    uint8_t *deleted;
}; /* acknowledged writes by key and invocation; return_min: minimum from here on */

static bool is_visible_write(const struct history_op *op)
{
    return op_is_write(op) && op->outcome == OUTCOME_OK && op->key != HISTORY_NONE;
}

static void written_init(struct written *written, const struct index *index)
{
    written->start = xcalloc(index->keys + 2, sizeof *written->start);
    written->deleted = xcalloc(index->keys + 1, 1);
    for (uint32_t i = 0; i < index->count; i++) {
        const struct history_op *op = &index->ops[i];
        if (op->type == HISTORY_DELETE && op->outcome != OUTCOME_FAIL &&
            op->key != HISTORY_NONE)
            written->deleted[op->key] = 1;
        if (is_visible_write(op)) written->start[op->key + 2]++;
    }
    for (uint32_t key = 2; key < index->keys + 2; key++)
        written->start[key] += written->start[key - 1];
    uint32_t total = written->start[index->keys + 1];
    written->invoke_ns = xmalloc((total + 1) * sizeof *written->invoke_ns);
    written->return_min_ns = xmalloc((total + 1) * sizeof *written->return_min_ns);
    for (uint32_t i = 0; i < index->count; i++) {
        if (!is_visible_write(&index->ops[i])) continue;
        uint32_t place = written->start[index->ops[i].key + 1]++;
        written->invoke_ns[place] = index->ops[i].invoke_ns;
        written->return_min_ns[place] = index->ops[i].return_ns;
    }
    for (uint32_t key = 0; key < index->keys; key++)
        for (uint32_t place = written->start[key + 1]; place-- > written->start[key] + 1;)
            if (written->return_min_ns[place] < written->return_min_ns[place - 1])
                written->return_min_ns[place - 1] = written->return_min_ns[place];
}

/* How long before `read` something newer than a value whose write had ended at end_ns was
 * acknowledged; 0: not stale. */
static int64_t staleness_of(const struct written *written, const struct history_op *read,
                            int64_t end_ns)
{
    uint32_t low = written->start[read->key], high = written->start[read->key + 1], end = high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (written->invoke_ns[middle] <= end_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low < end && written->return_min_ns[low] < read->invoke_ns
               ? read->invoke_ns - written->return_min_ns[low]
               : 0;
}

static struct staleness staleness(const struct check_input *input, int64_t *ages_ns)
{
    struct index index;
    index_init(&index, input);
    struct written written;
    written_init(&written, &index);
    struct staleness result = {0, 0};
    for (uint32_t i = 0; i < index.count; i++) {
        const struct history_op *op = &index.ops[i];
        if (!op_is_read(op) || op->final_read || op->key == HISTORY_NONE ||
            !op_in_window(input, op->return_ns))
            continue;
        bool absent = true, usable = true;
        int64_t end_ns = INT64_MIN;
        for (uint32_t v = 0; v < op->values_count; v++) {
            uint64_t token = index.history->values[op->values_start + v];
            if (!token) continue;
            absent = false;
            uint32_t writer = index_writer(&index, token);
            if (writer == NO_OP)
                usable = false;
            else if (index.end_ns[writer] > end_ns)
                end_ns = index.end_ns[writer];
        }
        if (!usable || (absent && written.deleted[op->key])) continue;
        int64_t age_ns = staleness_of(&written, op, end_ns);
        if (ages_ns) ages_ns[i] = age_ns;
        result.reads += age_ns > 0;
        if (age_ns > result.max_ns) result.max_ns = age_ns;
    }
    free(written.start);
    free(written.deleted);
    free(written.invoke_ns);
    free(written.return_min_ns);
    index_deinit(&index);
    return result;
}

void check_staleness(const struct check_input *input, int64_t *ages_ns)
{
    memset(ages_ns, 0, input->history->count * sizeof *ages_ns);
    staleness(input, ages_ns);
}

static int64_t measure_stale_reads(const struct check_input *input)
{
    return staleness(input, NULL).reads;
}
static int64_t measure_staleness_max(const struct check_input *input)
{
    return staleness(input, NULL).max_ns;
}

/* ---- facts ---- */

static int64_t measure_leader_changes(const struct check_input *input)
{
    int64_t changes = 0;
    uint32_t leader = UINT32_MAX;
    uint64_t epoch = 0;
    for (size_t i = 0; i < input->facts->count; i++) {
        const struct fact *fact = &input->facts->items[i];
        if (fact->kind != FACT_ROLE || fact->a != FACT_ROLE_LEADER ||
            fact->endpoint >= input->nodes)
            continue;
        if (fact->endpoint == leader && fact->b == epoch) continue;
        changes += leader != UINT32_MAX && op_in_window(input, fact->time_ns);
        leader = fact->endpoint;
        epoch = fact->b;
    }
    return changes;
}

static int64_t measure_leaders_at_once(const struct check_input *input)
{
    struct reigns reigns;
    reigns_init(&reigns, input);
    uint32_t leading = 0;
    int64_t total_ns = 0, since_ns = 0;
    for (size_t i = 0; i < input->facts->count; i++) {
        const struct fact *fact = &input->facts->items[i];
        if (fact->endpoint >= input->nodes || fact->kind == FACT_ACK) continue;
        int64_t now_ns = fact->time_ns < input->until_ns ? fact->time_ns : input->until_ns;
        if (now_ns < input->from_ns) now_ns = input->from_ns;
        if (leading > 1) total_ns += now_ns - since_ns;
        since_ns = now_ns;
        leading -= reigns.leads[fact->endpoint];
        reigns_enter(&reigns, fact);
        leading += reigns.leads[fact->endpoint];
    }
    reigns_deinit(&reigns);
    return total_ns;
}

static int64_t sum_facts(const struct check_input *input, enum fact_kind kind, bool sum_a)
{
    int64_t sum = 0;
    for (size_t i = 0; i < input->facts->count; i++) {
        const struct fact *fact = &input->facts->items[i];
        if (fact->kind == kind && op_in_window(input, fact->time_ns))
            sum += sum_a ? (int64_t)fact->a : 1;
    }
    return sum;
}

static int64_t max_facts(const struct check_input *input, enum fact_kind kind, bool of_c)
{
    int64_t max = 0;
    for (size_t i = 0; i < input->facts->count; i++) {
        const struct fact *fact = &input->facts->items[i];
        if (fact->kind != kind || !op_in_window(input, fact->time_ns)) continue;
        int64_t value = (int64_t)(of_c ? fact->c : fact->b);
        if (value > max) max = value;
    }
    return max;
}

static int64_t measure_discarded_writes(const struct check_input *input)
{
    return sum_facts(input, FACT_DISCARDED, true);
}
static int64_t measure_fenced_writes(const struct check_input *input)
{
    return sum_facts(input, FACT_FENCED, false);
}
static int64_t measure_nodes_down(const struct check_input *input)
{
    return sum_facts(input, FACT_DOWN, false);
}
static int64_t measure_recovery_max(const struct check_input *input)
{
    return max_facts(input, FACT_OPENED, false);
}
static int64_t measure_lag_max(const struct check_input *input)
{
    return max_facts(input, FACT_INSPECT, true);
}
static int64_t measure_final_divergent_keys(const struct check_input *input)
{
    return (int64_t)convergence_divergent_keys(input, NULL);
}

/* ---- the table ---- */

const struct measure measure_table[] = {
    {"operations", "count", "Operations of clients that returned, or never did.",
     measure_operations},
    {"acknowledged", "count", "Operations that were answered with success.",
     measure_acknowledged},
    {"failed", "count", "Operations that were certainly not done.", measure_failed},
    {"unknown", "count", "Operations without an answer, which may take effect at any time.",
     measure_unknown},
    {"writes_acknowledged", "count",
     "Writes, deletes, compare-and-sets and inserts that were acknowledged.",
     measure_writes_acknowledged},
    {"writes_failed", "count",
     "Writes, deletes, compare-and-sets and inserts that were certainly not done.",
     measure_writes_failed},
    {"writes_unknown", "count",
     "Writes, deletes, compare-and-sets and inserts without an answer.",
     measure_writes_unknown},
    {"unknown_present", "count",
     "Writes without an answer that had taken effect all the same: final reads found them.",
     measure_unknown_present},
    {"retries", "count", "Attempts beyond the first, over all operations.", measure_retries},
    {"latency_max", "ns", "The slowest acknowledged operation, from invocation to return.",
     measure_latency_max},
    {"lost_writes", "count", "Violations of no_lost_write.", measure_lost_writes},
    {"reused_keys", "count", "Violations of unique_keys.", measure_reused_keys},
    {"broken_references", "count", "Violations of external_references.",
     measure_broken_references},
    {"private_reads", "count",
     "Reads through the second store that returned another owner's private row.",
     measure_private_reads},
    {"dirty_values", "count", "Violations of no_dirty_read.", measure_dirty_values},
    {"availability", "ppm",
     "Share of the writes invoked that were served; a definite answer such as a mismatch "
     "counts as served.",
     measure_availability},
    {"read_availability", "ppm", "Share of the reads invoked that were served.",
     measure_read_availability},
    {"longest_outage", "ns",
     "The longest time during which somebody wanted to write and nobody was served (reads, "
     "where nobody writes).",
     measure_longest_outage},
    {"stale_reads", "count",
     "Reads that returned a value although a certainly newer write had been acknowledged "
     "before.",
     measure_stale_reads},
    {"staleness_max", "ns", "The longest time by which a read was stale.",
     measure_staleness_max},
    {"leader_changes", "count",
     "How often a node became leader that was not the last leader, or under another epoch; the "
     "first leader is not counted.",
     measure_leader_changes},
    {"leaders_at_once_ns", "ns",
     "Time during which two or more running nodes had the role of leader.",
     measure_leaders_at_once},
    {"discarded_writes", "count", "Operations that nodes dropped from their logs.",
     measure_discarded_writes},
    {"fenced_writes", "count", "Writes refused because a higher token or epoch had been seen.",
     measure_fenced_writes},
    {"nodes_down", "count", "How often a node's process stopped.", measure_nodes_down},
    {"recovery_max", "ns", "The longest opening of an engine after a start.",
     measure_recovery_max},
    {"lag_max", "ns", "The greatest lag that a follower reported.", measure_lag_max},
    {"final_divergent_keys", "count", "Keys that are not the same on all nodes at the end.",
     measure_final_divergent_keys},
    {NULL, NULL, NULL, NULL},
};

const struct measure *measure_find(const char *name)
{
    for (const struct measure *measure = measure_table; measure->name; measure++)
        if (strcmp(measure->name, name) == 0) return measure;
    return NULL;
}

int64_t measure_value(const struct measure *measure, const struct check_input *input)
{
    return measure->value(input);
}
