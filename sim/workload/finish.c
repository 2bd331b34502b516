/* The end of a run: everything that was ever written is read back once, through the leader, and
 * every binding from its second store.
 *
 * A window of reads is open at a time; each has retries, so that a leader that is still being
 * found costs time, not answers. What cannot be read before the limit has outcome unknown,
 * which no check takes for an answer. Keys are read in the order in which they were first
 * written: rows of inserts whose acknowledgement was lost are among them when the late answer
 * told their id.
 */
#include "sim/workload/workload_internal.h"

#define WINDOW 64 /* reads open at once */

static struct group *final_group(struct workload *workload)
{
    return &workload->groups[workload->groups_count - 1];
}

static bool read_next(struct workload *workload)
{
    struct client *client = &final_group(workload)->clients[0];
    struct history_op fields = {
        .table = HISTORY_NONE, .owner = HISTORY_NONE, .level = LEVEL_LEADER};
    struct op *op;
    uint32_t next = workload->finish_next;
    if (next < workload->written_count) {
        op = op_create(client, HISTORY_READ, workload->written[next]);
    } else if (next - workload->written_count < workload->bound_count) {
        const struct binding *binding = &workload->bound[next - workload->written_count];
        op = op_create(client, HISTORY_READ, binding->key);
        op->phase = PHASE_STORE_GET;
        op->store = binding->store;
        fields.store = 1;
        fields.level = LEVEL_DEFAULT;
    } else {
        return false;
    }
    workload->finish_next++;
    workload->finish_open++;
    op->is_final = true;
    fields.key = op->key;
    op_invoke(op, fields);
    op_attempt(op);
    return true;
}

void finish_next(struct workload *workload)
{
    struct group *group = final_group(workload);
    workload->finish_open--;
    if (!workload->is_finishing) return;
    bool is_over = kernel_now(workload->kernel) >= group->ends_ns;
    if (!is_over && read_next(workload)) return;
    if (workload->finish_open == 0) kernel_stop(workload->kernel);
}

enum kernel_stop workload_read_all(struct workload *workload, int64_t limit_ns)
{
    struct group *group = final_group(workload);
    int64_t now = kernel_now(workload->kernel);
    if (workload->written_count + workload->bound_count == 0 || limit_ns <= now)
        return KERNEL_DONE;
    group->ends_ns = limit_ns;
    group->config.timeout_ns = limit_ns - now;
    workload->is_finishing = true;
    targets_ask(group);
    for (uint32_t i = 0; i < WINDOW && read_next(workload); i++) {}
    enum kernel_stop stop = kernel_run(workload->kernel, limit_ns);
    workload->is_finishing = false;
    return stop == KERNEL_STOPPED ? KERNEL_DONE : stop;
}
