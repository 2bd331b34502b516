/* Small random histories of registers for tests that try definitions literally: up to 7
 * operations of 3 processes on 2 keys, writes without answer and compare-and-sets among them.
 */
#ifndef FAULTLINE_TESTS_CHECK_SMALL_HISTORY_H
#define FAULTLINE_TESTS_CHECK_SMALL_HISTORY_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "sim/check/models.h"
#include "sim/kernel/random.h"
#include "tests/check/stands_alone.h"
#include "tests/support/scale.h"

#define OPS_MAX 7
#define KEYS 2
#define NOBODY (-1)

/* ---- a history, as the definitions see it ---- */

struct case_ {
    struct op items[OPS_MAX];
    struct ops ops;
    bool is_in[OPS_MAX]; /* counts: answered, or seen */
    bool reads[OPS_MAX], writes[OPS_MAX];
    uint64_t read_value[OPS_MAX];
    int from[OPS_MAX];             /* whose write it read; NOBODY: the initial value */
    bool is_thin;                  /* some read saw what nobody wrote */
    bool before[OPS_MAX][OPS_MAX]; /* so */
    bool causal[OPS_MAX][OPS_MAX]; /* co */
};

static void derive(struct case_ *c)
{
    size_t n = c->ops.count;
    for (size_t i = 0; i < n; i++) {
        const struct op *op = &c->items[i];
        bool is_swap = op->kind == OP_COMPARE_AND_SET;
        c->writes[i] = op->result != RESULT_FAIL && (op->kind == OP_WRITE || is_swap);
        c->reads[i] = op->kind == OP_READ || is_swap;
        c->read_value[i] = op->result == RESULT_FAIL ? op->seen
                           : is_swap                 ? op->expected
                                                     : op->value;
        c->is_in[i] = op->result != RESULT_UNKNOWN;
    }
    /* What was never answered counts when somebody saw it. */
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++)
                if (c->is_in[i] && c->reads[i] && c->writes[j] && !c->is_in[j] &&
                    c->items[j].value == c->read_value[i] && c->items[j].key == c->items[i].key)
                    c->is_in[j] = changed = true;
    }
    for (size_t i = 0; i < n; i++) {
        c->from[i] = NOBODY;
        if (!c->is_in[i] || !c->reads[i] || c->read_value[i] == VALUE_NONE) continue;
        for (size_t j = 0; j < n; j++)
            if (c->is_in[j] && c->writes[j] && c->items[j].value == c->read_value[i] &&
                c->items[j].key == c->items[i].key)
                c->from[i] = (int)j;
        c->is_thin |= c->from[i] == NOBODY;
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            if (!c->is_in[i] || !c->is_in[j]) continue;
            c->before[i][j] = i < j && c->items[i].process == c->items[j].process;
            c->causal[i][j] = c->before[i][j] || c->from[j] == (int)i;
        }
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++)
                c->causal[i][j] |= c->causal[i][k] && c->causal[k][j];
}

/* ---- random histories ---- */

/* Reads mostly see something that was written, by operations that stand near. */
static void make(struct case_ *c, struct rng *rng)
{
    memset(c, 0, sizeof *c);
    size_t count = 3 + rng_below(rng, OPS_MAX - 2);
    c->ops = (struct ops){.items = c->items, .count = count, .keys = KEYS, .processes = 3};
    c->ops.values = OPS_MAX + 2;
    c->ops.type = OBJECT_REGISTER;
    c->ops.has_real_time = rng_below(rng, 2); /* a shortcut for some models, never a demand */
    bool is_retired[3] = {false};
    for (size_t i = 0; i < count; i++) {
        struct op *op = &c->items[i];
        op->line = (uint32_t)i + 1;
        op->invoke = 2 * (int64_t)i;
        op->complete = op->invoke + 1;
        op->key = (uint32_t)rng_below(rng, KEYS);
        do op->process = (uint32_t)rng_below(rng, 3);
        while (is_retired[op->process]);
        op->value = i + 1;
        op->kind = rng_below(rng, 10) < 4   ? OP_WRITE
                   : rng_below(rng, 10) < 1 ? OP_COMPARE_AND_SET
                                            : OP_READ;
        if (op->kind == OP_WRITE && rng_below(rng, 12) == 0 &&
            is_retired[0] + is_retired[1] + is_retired[2] < 2) {
            op->result = RESULT_UNKNOWN;
            op->complete = OP_OPEN;
            is_retired[op->process] = true;
        }
    }
    for (size_t i = 0; i < count; i++) {
        struct op *op = &c->items[i];
        uint64_t seen[OPS_MAX + 1] = {VALUE_NONE}, seen_count = 1;
        if (op->kind == OP_WRITE) continue;
        for (size_t j = 0; j < count; j++)
            if (j != i && c->items[j].kind != OP_READ && c->items[j].key == op->key)
                seen[seen_count++] = c->items[j].value;
        uint64_t value = seen[rng_below(rng, seen_count)];
        if (rng_below(rng, 60) == 0) value = OPS_MAX + 1; /* nobody's */
        if (op->kind == OP_READ) {
            op->value = value;
        } else if (rng_below(rng, 3) == 0) {
            op->result = RESULT_FAIL;
            op->has_seen = true;
            op->seen = value;
        } else {
            op->expected = value;
        }
    }
    derive(c);
}

static void say(const struct case_ *c)
{
    for (size_t i = 0; i < c->ops.count; i++) {
        const struct op *op = &c->items[i];
        print_error("p%u %s key %u value %llu expected %llu seen %llu result %d\n", op->process,
                    op_kind_words[op->kind], op->key, (unsigned long long)op->value,
                    (unsigned long long)op->expected, (unsigned long long)op->seen, op->result);
    }
}

/* Compares a model with its definition on many histories; both answers must occur. */
static inline void small_compare(const char *model, bool (*definition)(const struct case_ *c))
{
    struct rng rng;
    struct case_ c;
    uint64_t histories = test_scaled(10000, 100000), held = 0;
    const char *seed = getenv("SEED");
    rng_init(&rng, seed ? strtoull(seed, NULL, 10) : 1, "test.small", model, NULL);
    for (uint64_t n = 0; n < histories; n++) {
        struct model_verdict verdict;
        make(&c, &rng);
        bool holds = !c.is_thin && definition(&c);
        model_check(model_find(model), &c.ops, NULL, &verdict);
        if (verdict.outcome != (holds ? MODEL_HOLDS : MODEL_VIOLATED)) {
            say(&c);
            fail_msg("history %llu: %s says %s, its definition says %s", (unsigned long long)n,
                     model, model_outcome_words[verdict.outcome], holds ? "holds" : "violated");
        }
        assert_true(holds || (verdict.witness_count && verdict.explanation));
        if (!holds) assert_stands_alone(model_find(model), &c.ops, NULL, &verdict);
        held += holds;
        model_verdict_deinit(&verdict);
    }
    assert_in_range(held, histories / 50, histories - histories / 50);
}

#endif
