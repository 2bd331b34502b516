/* What models.h promises of every witness, asserted: its operations, judged by themselves,
 * violate the model too; no answer in it rests on a write that was left out; and it is in order
 * of time. */
#ifndef FAULTLINE_TESTS_CHECK_STANDS_ALONE_H
#define FAULTLINE_TESTS_CHECK_STANDS_ALONE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "sim/check/models.h"

/* Whether operation `writer` of a register wrote what `op` saw or expected. */
static inline bool wrote_for(const struct op *writer, const struct op *op)
{
    uint64_t value = op->result == RESULT_FAIL        ? op->seen
                     : op->kind == OP_COMPARE_AND_SET ? op->expected
                     : op->kind == OP_READ            ? op->value
                                                      : VALUE_NONE;
    return writer->key == op->key && writer->result != RESULT_FAIL &&
           (writer->kind == OP_WRITE || writer->kind == OP_COMPARE_AND_SET ||
            writer->kind == OP_INSERT) &&
           (op->result != RESULT_FAIL || op->has_seen) && value != VALUE_NONE &&
           writer->value == value && writer != op;
}

static inline bool is_violated(const struct model *model, const struct ops *operations,
                               const struct model_limits *limits, const size_t *witness,
                               size_t count, size_t without)
{
    struct model_verdict verdict = {0};
    struct ops alone = *operations;
    size_t kept = 0;
    alone.items = malloc((count + 1) * sizeof *alone.items);
    assert_non_null(alone.items);
    for (size_t i = 0; i < count; i++)
        if (i != without) alone.items[kept++] = operations->items[witness[i]];
    alone.count = kept;
    model->check(&alone, limits, &verdict);
    bool is = verdict.outcome == MODEL_VIOLATED;
    model_verdict_deinit(&verdict);
    free(alone.items);
    return is;
}

static inline void assert_stands_alone(const struct model *model, const struct ops *operations,
                                       const struct model_limits *limits,
                                       const struct model_verdict *verdict)
{
    size_t count = verdict->witness_count;
    const struct op *items = operations->items;
    assert_true(count > 0);
    for (size_t i = 1; i < count; i++)
        assert_true(verdict->witness[i - 1] < verdict->witness[i]);
    assert_true(is_violated(model, operations, limits, verdict->witness, count, SIZE_MAX));
    for (size_t i = 0; i < count; i++) {
        const struct op *op = &items[verdict->witness[i]];
        bool was_written = false, is_written = false;
        /* Nothing that changes nothing is left that could be left out. */
        if (op->kind == OP_READ || op->result == RESULT_FAIL)
            assert_false(is_violated(model, operations, limits, verdict->witness, count, i));
        if (operations->type != OBJECT_REGISTER) continue;
        for (size_t j = 0; j < operations->count; j++) was_written |= wrote_for(&items[j], op);
        for (size_t j = 0; j < count; j++)
            is_written |= wrote_for(&items[verdict->witness[j]], op);
        assert_true(is_written || !was_written);
    }
    for (size_t e = 0; e < verdict->edges_count; e++) {
        bool is_from = false, is_to = false;
        for (size_t i = 0; i < count; i++) {
            is_from |= verdict->witness[i] == verdict->edges[e].from;
            is_to |= verdict->witness[i] == verdict->edges[e].to;
        }
        assert_true(is_from && is_to);
    }
}

#endif
