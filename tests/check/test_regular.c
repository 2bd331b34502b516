/* Goal: safe and regular registers and bounded staleness say what their definitions say
 * (regular.c). Method: random small histories with intervals that overlap; each read is judged
 * literally, against every write. SEED= chooses others.
 */
#include "tests/check/small_history.h"

/* Gives the operations of the generator intervals that overlap, in order of beginning. */
static void stretch(struct case_ *c, struct rng *rng)
{
    int64_t at = 0;
    c->ops.has_real_time = true;
    for (size_t i = 0; i < c->ops.count; i++) {
        struct op *op = &c->items[i];
        at += (int64_t)rng_below(rng, 3);
        op->invoke = at;
        if (op->result != RESULT_UNKNOWN) op->complete = at + (int64_t)rng_below(rng, 8);
    }
}

static bool writes_key(const struct case_ *c, size_t w, size_t r)
{
    return w != r && c->is_in[w] && c->writes[w] && c->items[w].key == c->items[r].key;
}

/* Writes that read r certainly missed; the earliest end among them. */
static uint64_t missed(const struct case_ *c, size_t r, int64_t *end)
{
    uint64_t count = 0;
    int64_t ended = c->from[r] == NOBODY ? INT64_MIN : c->items[c->from[r]].complete;
    *end = INT64_MAX;
    for (size_t w = 0; w < c->ops.count; w++) {
        const struct op *op = &c->items[w];
        if (!writes_key(c, w, r) || op->invoke <= ended || op->complete >= c->items[r].invoke)
            continue;
        count++;
        if (op->complete < *end) *end = op->complete;
    }
    return count;
}

static bool is_thin(const struct case_ *c, size_t r)
{
    return c->read_value[r] != VALUE_NONE && c->from[r] == NOBODY;
}

static bool is_early(const struct case_ *c, size_t r)
{
    return c->from[r] != NOBODY && c->items[r].complete < c->items[c->from[r]].invoke;
}

static bool is_alone(const struct case_ *c, size_t r)
{
    for (size_t w = 0; w < c->ops.count; w++)
        if (writes_key(c, w, r) && c->items[w].invoke <= c->items[r].complete &&
            c->items[w].complete >= c->items[r].invoke)
            return false;
    return true;
}

/* k < 0: regular; else bounded by k writes and t. */
static bool holds(const struct case_ *c, bool only_alone, uint64_t k, int64_t t)
{
    for (size_t r = 0; r < c->ops.count; r++) {
        int64_t end;
        if (!c->is_in[r] || !c->reads[r]) continue;
        if (only_alone && !c->writes[r] && !is_alone(c, r)) continue;
        if (is_thin(c, r) || is_early(c, r)) return false;
        uint64_t count = missed(c, r, &end);
        if (count > k || (t && count && c->items[r].invoke - end > t)) return false;
    }
    return true;
}

static void judged(const char *model, bool only_alone, uint64_t k, int64_t t)
{
    struct rng rng;
    struct case_ c;
    uint64_t histories = test_scaled(10000, 100000), held = 0;
    const char *seed = getenv("SEED");
    rng_init(&rng, seed ? strtoull(seed, NULL, 10) : 1, "test.regular", model, NULL);
    for (uint64_t n = 0; n < histories; n++) {
        struct model_verdict verdict;
        struct model_limits limits = {.stale_writes = k, .stale_ns = t};
        make(&c, &rng);
        stretch(&c, &rng);
        bool expected = holds(&c, only_alone, k, t);
        model_check(model_find(model), &c.ops, &limits, &verdict);
        if (verdict.outcome != (expected ? MODEL_HOLDS : MODEL_VIOLATED)) {
            say(&c);
            fail_msg("history %llu: %s says %s, its definition says %s", (unsigned long long)n,
                     model, model_outcome_words[verdict.outcome],
                     expected ? "holds" : "violated");
        }
        if (!expected) assert_stands_alone(model_find(model), &c.ops, &limits, &verdict);
        held += expected;
        model_verdict_deinit(&verdict);
    }
    assert_in_range(held, histories / 50, histories - histories / 50);
}

static void test_regular_is_its_definition(void **state)
{
    (void)state;
    judged("regular", false, 0, 0);
}
static void test_safe_is_its_definition(void **state)
{
    (void)state;
    judged("safe", true, 0, 0);
}
static void test_staleness_is_bounded_by_writes(void **state)
{
    (void)state;
    judged("bounded-staleness", false, 1, 0);
}
static void test_staleness_is_bounded_by_time(void **state)
{
    (void)state;
    judged("bounded-staleness", false, 5, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_regular_is_its_definition),
        cmocka_unit_test(test_safe_is_its_definition),
        cmocka_unit_test(test_staleness_is_bounded_by_writes),
        cmocka_unit_test(test_staleness_is_bounded_by_time),
    };
    return cmocka_run_group_tests_name("regular", tests, NULL, NULL);
}
