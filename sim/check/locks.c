/* Fencing: no write that carries lock token x is acknowledged after a write with a token y > x
 * was acknowledged under the same key (Kleppmann, "How to do distributed locking", 2016). The
 * write with x counts when it was invoked after the one with y had returned; writes that
 * overlap may have taken effect in token order. Counted in writes. A write without a token is
 * nobody's business here.
 *
 * Method: guarded writes in order of invocation; before each, those that returned strictly
 * earlier are entered into the highest token of their key.
 */
#include <stdlib.h>

#include "sim/check/parts.h"

static bool is_guarded_write(const struct history_op *op)
{
    return op_is_write(op) && op->outcome == OUTCOME_OK && op->lock_token != 0 &&
           op->key != HISTORY_NONE;
}

/* The lock operation that granted a token, or NO_OP. */
static uint32_t grant_of(const struct index *index, uint64_t lock_token)
{
    for (uint32_t i = 0; i < index->count; i++)
        if (index->ops[i].type == HISTORY_LOCK && index->ops[i].outcome == OUTCOME_OK &&
            index->ops[i].lock_token == lock_token)
            return i;
    return NO_OP;
}

void check_fencing(const struct check_input *input, struct check_result *result)
{
    result_clear(result);
    struct index index = {.input = input,
                          .history = input->history,
                          .ops = input->history->ops,
                          .count = (uint32_t)input->history->count,
                          .keys = history_names_count(input->history)};
    CHECK(input->history->sealed);
    uint32_t count, next = 0;
    uint32_t *returned = order_by_return(&index, is_guarded_write, &count);
    uint32_t *highest =
        xmalloc((index.keys + 1) *
                sizeof *highest); /* by key: the acknowledged write with the highest token */
    for (uint32_t key = 0; key < index.keys; key++) highest[key] = NO_OP;
    uint32_t first = NO_OP, first_higher = NO_OP;
    for (uint32_t i = 0; i < index.count; i++) {
        const struct history_op *op = &index.ops[i];
        if (!is_guarded_write(op)) continue;
        for (; next < count && index.ops[returned[next]].return_ns < op->invoke_ns; next++) {
            uint32_t *top = &highest[index.ops[returned[next]].key];
            if (*top == NO_OP ||
                index.ops[returned[next]].lock_token > index.ops[*top].lock_token)
                *top = returned[next];
        }
        uint32_t top = highest[op->key];
        if (top == NO_OP || index.ops[top].lock_token <= op->lock_token ||
            !op_in_window(input, op->return_ns))
            continue;
        if (!result_violation(result, op->return_ns, i)) continue;
        first = i;
        first_higher = top;
    }
    if (first != NO_OP) {
        const struct history_op *low = &index.ops[first], *high = &index.ops[first_higher];
        result_witness(&index, result,
                       (uint32_t[]){grant_of(&index, low->lock_token),
                                    grant_of(&index, high->lock_token), first_higher, first},
                       4);
        result_explain(result,
                       "%s accepted from a holder whose lock had passed on. At %s %s "
                       "acknowledged a write under key %s with token %llu, although a write "
                       "with token %llu had been acknowledged at %s.",
                       say_counted(result->violations, "write", "was", "were"),
                       say_time(low->return_ns), say_node(input, low->node),
                       say_key(index.history, low->key), (unsigned long long)low->lock_token,
                       (unsigned long long)high->lock_token, say_time(high->return_ns));
    }
    result_end(result);
    if (!count) result_not_applicable(result);
    free(returned);
    free(highest);
}
