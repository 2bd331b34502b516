/* The consistency models of models.h as checks of a run's own history.
 *
 * The history becomes operations on registers (operations_of_history.h says what is left out:
 * scans, locks, the second store, reads of siblings), the model judges them, and its verdict
 * becomes the check's.
 *
 * Part of a run. `until` cuts the history as if the run had ended there: what had not returned
 * by then is open, reads that were open say nothing, and writes, also those that were asked
 * for later, count only where somebody has seen them. `from` leaves out the reads that returned
 * before, and keeps all writes. Both only take constraints away: a part of what holds holds,
 * and a history that is violated at t is violated at every later time.
 *
 * So the moment of a violation is the least t at which the cut at t is violated: a binary
 * search over the times of return, by the model itself. The witness and the sentence are those of the cut, hence of the first violation. Where the
 * model may answer `unknown` (sequential) the witness's last return is the moment.
 *
 * Counted is what the model counts (keys, reads or pairs; models.h), at least 1.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/check/models.h"
#include "sim/check/operations_of_history.h"
#include "sim/check/parts.h"

static bool says_what_it_saw(const struct op *op)
{
    return op->kind == OP_READ || op->result == RESULT_FAIL;
}

/* What the operations were at `until`, without reads that returned before `from`; `sources`
 * follows. Returns the number of answers among them. */
static size_t cut(const struct history_operations *whole, int64_t from_ns, int64_t until_ns,
                  struct ops *part, uint32_t *sources)
{
    size_t count = 0, answers = 0;
    struct op *items = part->items;
    *part = whole->operations;
    part->items = items;
    for (size_t i = 0; i < whole->operations.count; i++) {
        struct op op = whole->operations.items[i];
        if (says_what_it_saw(&op) && (op.complete < from_ns || op.complete > until_ns))
            continue;
        if (op.complete > until_ns) {
            op.complete = OP_OPEN;
            op.result = RESULT_UNKNOWN; /* also what was refused later */
        }
        answers += op.result == RESULT_OK || op.result == RESULT_FAIL;
        sources[count] = whole->sources[i];
        items[count++] = op;
    }
    part->count = count;
    return answers;
}

static int compare_time(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

struct consistency {
    const struct model *model;
    const struct check_input *input;
    struct history_operations whole;
    struct ops part;
    uint32_t *sources; /* of part */
};

static size_t judge_until(struct consistency *c, int64_t until_ns,
                          struct model_verdict *verdict)
{
    size_t answers = cut(&c->whole, c->input->from_ns, until_ns, &c->part, c->sources);
    model_check(c->model, &c->part, &(struct model_limits){0}, verdict);
    return answers;
}

/* The last return among the operations of the witness. */
static int64_t witness_end(const struct consistency *c, const struct model_verdict *verdict)
{
    int64_t end = INT64_MIN;
    for (size_t i = 0; i < verdict->witness_count; i++) {
        const struct op *op = &c->part.items[verdict->witness[i]];
        if (op->complete != OP_OPEN && op->complete > end) end = op->complete;
    }
    return end == INT64_MIN ? c->input->until_ns : end;
}

/* The moment from which it was violated; leaves the cut there, and its verdict, behind. */
static int64_t first_violation(struct consistency *c, struct model_verdict *verdict)
{
    size_t count = 0, low = 0;
    if (!strcmp(c->model->name, "sequential")) return witness_end(c, verdict);
    int64_t *times = xmalloc((c->whole.operations.count + 1) * sizeof *times);
    for (size_t i = 0; i < c->whole.operations.count; i++) {
        int64_t time = c->whole.operations.items[i].complete;
        if (time != OP_OPEN && time <= c->input->until_ns) times[count++] = time;
    }
    qsort(times, count, sizeof *times, compare_time);
    CHECK(count > 0); /* without an answer nothing is violated; at the last all is known */
    for (size_t high = count - 1; low < high;) {
        size_t middle = low + (high - low) / 2;
        struct model_verdict at;
        judge_until(c, times[middle], &at);
        if (at.outcome == MODEL_VIOLATED)
            high = middle;
        else
            low = middle + 1;
        model_verdict_deinit(&at);
    }
    int64_t first = times[low];
    free(times);
    model_verdict_deinit(verdict);
    judge_until(c, first, verdict);
    CHECK(verdict->outcome == MODEL_VIOLATED);
    return first;
}

static void tell_violation(struct consistency *c, struct model_verdict *verdict,
                           struct check_result *result)
{
    uint64_t violations = verdict->violations ? verdict->violations : 1;
    int64_t first_ns = first_violation(c, verdict);
    uint32_t last = NO_OP;
    for (size_t i = 0; i < verdict->witness_count; i++) {
        uint32_t source = c->sources[verdict->witness[i]];
        if (c->part.items[verdict->witness[i]].complete == first_ns) last = source;
        if (i < CHECK_WITNESS_OPS) result->witness[result->witness_count++] = source;
    }
    result_violation(result, first_ns, last);
    result->violations = violations;
    result_explain(result, "%s", verdict->explanation);
}

static void judge(const char *model, const struct check_input *input,
                  struct check_result *result)
{
    struct consistency c = {.model = model_find(model), .input = input};
    struct model_verdict verdict;
    CHECK(c.model);
    result_clear(result);
    operations_of_history(&c.whole, input->history, NULL);
    c.part.items = xmalloc((c.whole.operations.count + 1) * sizeof *c.part.items);
    c.sources = xmalloc((c.whole.operations.count + 1) * sizeof *c.sources);
    size_t answers = judge_until(&c, input->until_ns, &verdict);
    bool is_unknown = verdict.outcome == MODEL_UNKNOWN;
    if (is_unknown)
        result_unknown(result, "%s",
                       verdict.explanation ? verdict.explanation : "the search was given up");
    else if (verdict.outcome == MODEL_VIOLATED)
        tell_violation(&c, &verdict, result);
    if (!is_unknown) result_end(result);
    if (!answers) result_not_applicable(result);
    model_verdict_deinit(&verdict);
    free(c.part.items);
    free(c.sources);
    history_operations_deinit(&c.whole);
}

#define MODEL_CHECK(check, model)                                                              \
    void check(const struct check_input *input, struct check_result *result)                   \
    {                                                                                          \
        judge(model, input, result);                                                           \
    }

MODEL_CHECK(check_is_linearizable, "linearizable")
MODEL_CHECK(check_is_sequential, "sequential")
MODEL_CHECK(check_is_causal_convergent, "causal-convergent")
MODEL_CHECK(check_is_causal_memory, "causal-memory")
MODEL_CHECK(check_is_causal, "causal")
MODEL_CHECK(check_is_pram, "pram")
MODEL_CHECK(check_is_monotonic_writes, "monotonic-writes")
MODEL_CHECK(check_is_writes_follow_reads, "writes-follow-reads")
MODEL_CHECK(check_is_regular, "regular")
MODEL_CHECK(check_is_safe, "safe")
