/* Availability: how much of what was asked was done, and how long nobody was served.
 *
 * Judged over what clients wanted to change (write, delete, compare_and_set, insert, lock) if
 * they wanted to change anything, else over their reads: followers that go on answering reads
 * must not hide that nothing can be written. Final reads and binds are not clients' wishes.
 *
 * fraction = served / invoked, over operations invoked in the window. Served is an
 * acknowledgement, or a definite answer about the data (a compare_and_set that did not match, a
 * lock that is held, an id that the second store does not know).
 *
 * longest gap: the longest time during which some client was waiting or trying and none was
 * served. Between two consecutive served returns a gap starts at the earlier one if an
 * operation was then outstanding, else at the next invocation; the last gap ends with the
 * scheduled run. Idle time is no gap. Linear after two sorts.
 */
#include <stdlib.h>

#include "sim/check/parts.h"

static bool is_change(const struct history_op *op)
{
    return op_is_write(op) || op->type == HISTORY_LOCK;
}
static bool is_query(const struct history_op *op)
{
    return op->store == 0 && !op->final_read &&
           (op->type == HISTORY_READ || op->type == HISTORY_RESOLVE ||
            op->type == HISTORY_SCAN);
}

bool op_is_served(const struct history_op *op)
{
    if (op->outcome == OUTCOME_OK) return true;
    /* Unknown only for fear of a doubled copy: it was answered all the same. */
    if (op->status == HISTORY_STATUS_MISMATCH) return true;
    return op->outcome == OUTCOME_FAIL &&
           (op->status == HISTORY_STATUS_HELD || op->status == HISTORY_STATUS_NOT_FOUND);
}

static bool any(const struct check_input *input, bool (*wanted)(const struct history_op *op))
{
    for (size_t i = 0; i < input->history->count; i++)
        if (wanted(&input->history->ops[i]) &&
            op_in_window(input, input->history->ops[i].invoke_ns))
            return true;
    return false;
}

struct gap {
    int64_t start_ns, length_ns;
};

static void gap_offer(struct gap *longest, int64_t start_ns, int64_t end_ns)
{
    if (end_ns - start_ns > longest->length_ns)
        *longest = (struct gap){start_ns, end_ns - start_ns};
}

static void judge(const struct check_input *input, struct check_result *result,
                  bool (*wanted)(const struct history_op *op), const char *noun)
{
    struct index index = {.input = input,
                          .history = input->history,
                          .ops = input->history->ops,
                          .count = (uint32_t)input->history->count};
    uint64_t invoked = 0, served = 0;
    int64_t last_ns = 0;
    for (uint32_t i = 0; i < index.count; i++) {
        const struct history_op *op = &index.ops[i];
        if (!wanted(op)) continue;
        if (op->return_ns != HISTORY_OPEN && op->return_ns > last_ns) last_ns = op->return_ns;
        if (op->invoke_ns > last_ns) last_ns = op->invoke_ns;
        if (!op_in_window(input, op->invoke_ns)) continue;
        invoked++;
        served += op_is_served(op);
    }
    int64_t end_ns = input->faults_end_ns ? input->faults_end_ns : last_ns;
    if (input->until_ns < end_ns) end_ns = input->until_ns;

    /* Walk served returns in order; `next` is the first invocation not yet passed, `waiting`
     * counts operations invoked by now and not returned. */
    uint32_t returns_count, next = 0;
    uint32_t *returns = order_by_return(&index, wanted, &returns_count);
    uint64_t waiting = 0;
    struct gap longest = {input->from_ns, 0};
    int64_t since_ns = -1; /* start of the current gap; -1: nobody wants anything */
    for (uint32_t i = 0; i <= returns_count; i++) {
        int64_t now_ns = i < returns_count ? index.ops[returns[i]].return_ns : HISTORY_OPEN;
        if (now_ns > end_ns) now_ns = HISTORY_OPEN;
        for (; next < index.count &&
               index.ops[next].invoke_ns <= (now_ns == HISTORY_OPEN ? end_ns : now_ns);
             next++) {
            const struct history_op *op = &index.ops[next];
            if (!wanted(op) || !op_in_window(input, op->invoke_ns)) continue;
            waiting++;
            if (since_ns < 0) since_ns = op->invoke_ns;
        }
        if (now_ns == HISTORY_OPEN) break;
        const struct history_op *op = &index.ops[returns[i]];
        if (!op_in_window(input, op->invoke_ns)) continue;
        waiting--;
        if (!op_is_served(op)) continue;
        if (since_ns >= 0) gap_offer(&longest, since_ns, now_ns);
        since_ns = waiting ? now_ns : -1;
    }
    if (since_ns >= 0) gap_offer(&longest, since_ns, end_ns);
    free(returns);

    result->value = invoked ? (double)served / (double)invoked : 1.0;
    result->duration_ns = longest.length_ns;
    result->first_ns = longest.length_ns ? longest.start_ns : VTIME_MAX;
    uint64_t permille10 =
        invoked ? served * 10000 / invoked : 10000; /* hundredths of a percent, cut */
    result_explain(result,
                   "%llu of %s were served (%llu.%02llu%%); the longest time that nobody was "
                   "served is %s, from %s.",
                   (unsigned long long)served, say_count(invoked, noun),
                   (unsigned long long)(permille10 / 100),
                   (unsigned long long)(permille10 % 100), say_duration(longest.length_ns),
                   say_time(longest.start_ns));
}

void check_availability(const struct check_input *input, struct check_result *result)
{
    result_clear(result);
    CHECK(input->history->sealed);
    if (any(input, is_change))
        judge(input, result, is_change, "write");
    else if (any(input, is_query))
        judge(input, result, is_query, "read");
    else
        result_not_applicable(result);
}
