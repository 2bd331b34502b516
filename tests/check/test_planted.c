/* Goal: one violation in a long history is found, wherever it stands, and shown by little more
 * than itself; and nothing is found where there is none. Method: a store that answers at once
 * serves random operations of some processes on some keys, so that its history keeps every
 * model; at a random place processes do what a model forbids just once, by one answer that is
 * replaced by an older value. The witness must hold that answer and the write that it saw, and
 * at most a handful of operations more than were planted. The same history with the right
 * answer must keep the model.
 *
 * 20 histories a model; FAULTLINE_SOAK=1 makes them 1,000 of 100,000 operations (SCALE=).
 * SEED= chooses others.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "sim/check/models.h"
#include "sim/kernel/random.h"
#include "tests/support/scale.h"

#define KEYS 12u
#define PROCESSES 10u
#define X 0u /* the keys that are planted; quiet around the place */
#define Y 1u
#define Z 2u
#define PLANTED_MAX 10u
#define QUIET 8u /* operations before and behind, in which nobody else uses X, Y, Z */
#define HANDFUL 4u
#define STEP 100 /* between two points in time */

/* One planted operation: process, key, what it writes or whose value it sees, by label. */
struct plant {
    char process; /* 'a'.. */
    uint8_t key;
    uint8_t writes, reads; /* labels from 1; 0: does not */
};

/* The last one is the answer that cannot be. */
struct anomaly {
    const char *model;
    uint64_t stale_writes;
    uint32_t count;
    struct plant plants[PLANTED_MAX];
};

#define W(process, key, label)                                                                 \
    {                                                                                          \
        process, key, label, 0                                                                 \
    }
#define R(process, key, label)                                                                 \
    {                                                                                          \
        process, key, 0, label                                                                 \
    }

static const struct anomaly anomalies[] = {
    {"linearizable", 0, 3, {W('a', X, 1), W('b', X, 2), R('c', X, 1)}},
    {"regular", 0, 3, {W('a', X, 1), W('b', X, 2), R('c', X, 1)}},
    {"safe", 0, 3, {W('a', X, 1), W('b', X, 2), R('c', X, 1)}},
    {"bounded-staleness", 0, 3, {W('a', X, 1), W('b', X, 2), R('c', X, 1)}},
    {"bounded-staleness",
     2,
     5,
     {W('a', X, 1), W('b', X, 2), W('b', X, 3), W('c', X, 4), R('c', X, 1)}},
    /* b wrote 2 and then sees 1, which a had seen replaced by 2 */
    {"read-your-writes", 0, 4, {W('a', X, 1), W('b', X, 2), R('a', X, 2), R('b', X, 1)}},
    {"monotonic-reads",
     0,
     5,
     {W('a', X, 1), R('c', X, 1), W('a', X, 2), R('c', X, 2), R('c', X, 1)}},
    /* c saw 3, which a wrote after 2 */
    {"monotonic-writes",
     0,
     5,
     {W('a', X, 1), W('a', X, 2), W('a', Y, 3), R('c', Y, 3), R('c', X, 1)}},
    /* c saw 3, whose writer had seen 2, which was written by one who had seen 1 */
    {"writes-follow-reads",
     0,
     7,
     {W('a', X, 1), R('b', X, 1), W('b', X, 2), R('b', X, 2), W('b', Y, 3), R('c', Y, 3),
      R('c', X, 1)}},
    {"pram", 0, 4, {W('a', X, 1), W('a', X, 2), R('c', X, 2), R('c', X, 1)}},
    /* what b wrote was replaced by 1, and is back */
    {"pram", 0, 4, {W('b', X, 2), W('a', X, 1), R('b', X, 1), R('b', X, 2)}},
    /* through two processes and two keys */
    {"causal",
     0,
     7,
     {W('a', X, 1), W('a', X, 2), W('a', Y, 3), R('b', Y, 3), W('b', Z, 4), R('c', Z, 4),
      R('c', X, 1)}},
    {"causal-memory",
     0,
     7,
     {W('a', X, 1), W('a', X, 2), W('a', Y, 3), R('b', Y, 3), W('b', Z, 4), R('c', Z, 4),
      R('c', X, 1)}},
    {"causal-memory", 0, 4, {W('b', X, 2), W('a', X, 1), R('b', X, 1), R('b', X, 2)}},
    {"causal-convergent",
     0,
     7,
     {W('a', X, 1), W('a', X, 2), W('a', Y, 3), R('b', Y, 3), W('b', Z, 4), R('c', Z, 4),
      R('c', X, 1)}},
    /* c saw 1 and then 2, d the reverse */
    {"causal-convergent",
     0,
     6,
     {W('a', X, 1), R('c', X, 1), W('b', X, 2), R('c', X, 2), R('d', X, 2), R('d', X, 1)}},
};

struct made {
    struct ops ops;
    size_t wrong, saw;    /* the answer, and the write that it saw */
    uint64_t right_value; /* what the store held */
    uint64_t wrong_value;
    int64_t process_end[PROCESSES];
    uint64_t held[KEYS];        /* the store */
    size_t writer[PLANTED_MAX]; /* by label */
};

static struct op *append(struct made *m, struct rng *rng, uint32_t process, uint32_t key,
                         bool writes, bool is_tight)
{
    size_t i = m->ops.count++;
    struct op *op = &m->ops.items[i];
    int64_t point = STEP * (int64_t)(i + 1);
    int64_t before = is_tight ? 1 : 1 + (int64_t)rng_below(rng, 2 * STEP);
    int64_t behind = is_tight ? 1 : 1 + (int64_t)rng_below(rng, 2 * STEP);
    *op = (struct op){.process = process,
                      .key = key,
                      .line = (uint32_t)i + 1,
                      .kind = writes ? OP_WRITE : OP_READ,
                      .invoke = point - before,
                      .complete = point + behind};
    if (op->invoke <= m->process_end[process]) op->invoke = m->process_end[process] + 1;
    m->process_end[process] = op->complete;
    if (writes) m->held[key] = m->ops.values++;
    op->value = m->held[key];
    return op;
}

/* A process that is free at the point that comes next. */
static uint32_t free_process(const struct made *m, struct rng *rng)
{
    int64_t point = STEP * (int64_t)(m->ops.count + 1);
    uint32_t process = (uint32_t)rng_below(rng, PROCESSES);
    while (m->process_end[process] >= point - 1) process = (process + 1) % PROCESSES;
    return process;
}

static void plant(struct made *m, struct rng *rng, const struct anomaly *anomaly,
                  uint32_t first_process)
{
    uint64_t value_of[PLANTED_MAX] = {0};
    for (uint32_t i = 0; i < anomaly->count; i++) {
        const struct plant *p = &anomaly->plants[i];
        uint32_t process = (first_process + (uint32_t)(p->process - 'a')) % PROCESSES;
        struct op *op = append(m, rng, process, p->key, p->writes != 0, true);
        if (p->writes) {
            value_of[p->writes] = op->value;
            m->writer[p->writes] = op->line - 1;
        }
    }
    uint8_t seen = anomaly->plants[anomaly->count - 1].reads;
    m->wrong = m->ops.count - 1;
    m->right_value = m->ops.items[m->wrong].value;
    m->wrong_value = value_of[seen];
    m->saw = m->ops.items[m->writer[seen]].line;
}

static int by_invoke(const void *left, const void *right)
{
    const struct op *a = left, *b = right;
    if (a->invoke != b->invoke) return a->invoke < b->invoke ? -1 : 1;
    return (a->line > b->line) - (a->line < b->line);
}

static void make(struct made *m, struct rng *rng, const struct anomaly *anomaly, size_t count)
{
    struct op *items = m->ops.items;
    memset(m, 0, sizeof *m);
    m->ops = (struct ops){.items = items,
                          .keys = KEYS,
                          .processes = PROCESSES,
                          .values = 1,
                          .has_real_time = true};
    size_t place = QUIET + rng_below(rng, count - 2 * QUIET - PLANTED_MAX);
    uint32_t first = (uint32_t)rng_below(rng, PROCESSES), slots = 0;
    while (m->ops.count < count) {
        /* The processes of the plant rest until they are free. */
        if (m->ops.count == place) {
            plant(m, rng, anomaly, first);
            slots = QUIET;
        }
        bool is_near = (m->ops.count < place && place - m->ops.count <= QUIET) || slots;
        slots -= slots != 0;
        uint32_t process = free_process(m, rng);
        while (is_near && m->ops.count < place && (process + PROCESSES - first) % PROCESSES < 4)
            process = free_process(m, rng);
        uint32_t key =
            is_near ? 3 + (uint32_t)rng_below(rng, KEYS - 3) : (uint32_t)rng_below(rng, KEYS);
        bool writes = rng_below(rng, 2);
        append(m, rng, process, key, writes, false);
    }
    qsort(items, m->ops.count, sizeof *items, by_invoke);
    uint32_t line = (uint32_t)m->wrong + 1;
    for (size_t i = 0; i < m->ops.count; i++)
        if (items[i].line == line) m->wrong = i;
    for (size_t i = 0; i < m->ops.count; i++)
        if (items[i].line == m->saw) {
            m->saw = i;
            break;
        }
}

static bool holds_op(const struct model_verdict *verdict, size_t op)
{
    for (size_t i = 0; i < verdict->witness_count; i++)
        if (verdict->witness[i] == op) return true;
    return false;
}

static void test_one_planted_violation_is_found_and_none_where_none_is(void **state)
{
    (void)state;
    const char *seed = getenv("SEED");
    uint64_t histories = test_scaled(20, 1000);
    size_t count = test_is_soak() ? 100000 : 3000;
    struct made m;
    m.ops.items = calloc(count + PLANTED_MAX, sizeof *m.ops.items);
    assert_non_null(m.ops.items);
    for (size_t a = 0; a < sizeof anomalies / sizeof *anomalies; a++) {
        const struct anomaly *anomaly = &anomalies[a];
        const struct model *model = model_find(anomaly->model);
        struct model_limits limits = {.stale_writes = anomaly->stale_writes,
                                      .states = UINT64_C(1) << 40};
        struct rng rng;
        rng_init(&rng, seed ? strtoull(seed, NULL, 10) : 1, "test.planted", anomaly->model,
                 NULL);
        for (uint64_t n = 0; n < histories; n++) {
            struct model_verdict verdict;
            make(&m, &rng, anomaly, count);
            model_check(model, &m.ops, &limits, &verdict);
            if (verdict.outcome != MODEL_HOLDS)
                fail_msg("%s, history %llu: %s without a plant", anomaly->model,
                         (unsigned long long)n, model_outcome_words[verdict.outcome]);
            model_verdict_deinit(&verdict);
            m.ops.items[m.wrong].value = m.wrong_value;
            model_check(model, &m.ops, &limits, &verdict);
            if (verdict.outcome != MODEL_VIOLATED || !holds_op(&verdict, m.wrong) ||
                !holds_op(&verdict, m.saw) || verdict.witness_count > anomaly->count + HANDFUL)
                fail_msg("%s (%zu), history %llu, planted at %zu: %s, %zu operations%s%s: %s",
                         anomaly->model, a, (unsigned long long)n, m.wrong,
                         model_outcome_words[verdict.outcome], verdict.witness_count,
                         holds_op(&verdict, m.wrong) ? "" : ", the answer not among them",
                         holds_op(&verdict, m.saw) ? "" : ", what it saw not among them",
                         verdict.explanation ? verdict.explanation : "");
            model_verdict_deinit(&verdict);
        }
    }
    free(m.ops.items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_planted_violation_is_found_and_none_where_none_is),
    };
    return cmocka_run_group_tests_name("planted", tests, NULL, NULL);
}
