/* Goal: the models of the causal family and sequential consistency say what their definitions
 * say. Method: random small histories (up to 7 operations, 3 processes, 2 keys, writes without
 * answer and compare-and-sets among them); each definition is tried literally, by all orders:
 *
 *   sequential          an order of all operations that keeps so explains all reads
 *   causal-convergent   some order of all writes that keeps co: each read saw the last write of
 *                       its key in its causal past
 *   causal-memory       for each process: its last operation's causal past, in some order that
 *                       keeps co, explains all reads of the process
 *   causal              for each read: its causal past, in some order that keeps co, explains
 * it pram                for each process: all writes and its reads, in some order that keeps
 * so
 *
 * with co = (so + reads-from)+. SEED= chooses others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/check/models.h"
#include "sim/kernel/random.h"
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

/* ---- all orders ---- */

/* Whether the operations of `set` can be ordered so that `order` is kept and the reads in
 * `judged` see the last write before them. */
static bool explains(const struct case_ *c, const bool order[OPS_MAX][OPS_MAX], uint32_t set,
                     uint32_t judged, uint32_t taken, const uint64_t values[KEYS])
{
    if (taken == set) return true;
    for (size_t i = 0; i < c->ops.count; i++) {
        if (!(set >> i & 1) || taken >> i & 1) continue;
        bool is_next = true;
        for (size_t j = 0; j < c->ops.count && is_next; j++)
            is_next = !(set >> j & 1) || taken >> j & 1 || !order[j][i];
        if (!is_next) continue;
        uint64_t next[KEYS];
        memcpy(next, values, sizeof next);
        uint32_t key = c->items[i].key;
        if (c->reads[i] && judged >> i & 1 && values[key] != c->read_value[i]) continue;
        if (c->writes[i]) next[key] = c->items[i].value;
        if (explains(c, order, set, judged, taken | 1u << i, next)) return true;
    }
    return false;
}

static bool explained(const struct case_ *c, const bool order[OPS_MAX][OPS_MAX], uint32_t set,
                      uint32_t judged)
{
    uint64_t nothing[KEYS] = {0};
    return explains(c, order, set, judged, 0, nothing);
}

static uint32_t all(const struct case_ *c)
{
    uint32_t set = 0;
    for (size_t i = 0; i < c->ops.count; i++) set |= (uint32_t)c->is_in[i] << i;
    return set;
}

static bool has_circle(const struct case_ *c)
{
    for (size_t i = 0; i < c->ops.count; i++)
        if (c->causal[i][i]) return true;
    return false;
}

static uint32_t past(const struct case_ *c, size_t of)
{
    uint32_t set = 1u << of;
    for (size_t i = 0; i < c->ops.count; i++) set |= (uint32_t)c->causal[i][of] << i;
    return set;
}

static uint32_t of_process(const struct case_ *c, uint32_t process)
{
    uint32_t set = 0;
    for (size_t i = 0; i < c->ops.count; i++)
        set |= (uint32_t)(c->is_in[i] && c->items[i].process == process) << i;
    return set;
}

static bool is_sequential(const struct case_ *c)
{
    return explained(c, c->before, all(c), all(c));
}

static bool is_causal(const struct case_ *c)
{
    if (has_circle(c)) return false;
    for (size_t i = 0; i < c->ops.count; i++)
        if (c->is_in[i] && c->reads[i] && !explained(c, c->causal, past(c, i), 1u << i))
            return false;
    return true;
}

static bool is_causal_memory(const struct case_ *c)
{
    if (has_circle(c)) return false;
    for (uint32_t p = 0; p < 3; p++) {
        uint32_t mine = of_process(c, p), last = 0;
        if (!mine) continue;
        for (uint32_t i = 0; i < c->ops.count; i++)
            if (mine >> i & 1) last = i;
        if (!explained(c, c->causal, past(c, last), mine)) return false;
    }
    return true;
}

static bool is_pram(const struct case_ *c)
{
    for (uint32_t p = 0; p < 3; p++) {
        uint32_t mine = of_process(c, p), set = mine;
        for (size_t i = 0; i < c->ops.count; i++)
            set |= (uint32_t)(c->is_in[i] && c->writes[i]) << i;
        if (!explained(c, c->before, set, mine)) return false;
    }
    return true;
}

/* Tries every order of the writes that keeps co: position[] is being filled. */
static bool is_arbitrated(const struct case_ *c, uint32_t taken, uint32_t writes,
                          int position[OPS_MAX], int next)
{
    if (taken == writes) {
        for (size_t r = 0; r < c->ops.count; r++) {
            if (!c->is_in[r] || !c->reads[r]) continue;
            int last = NOBODY;
            for (size_t w = 0; w < c->ops.count; w++)
                if (writes >> w & 1 && w != r && c->causal[w][r] &&
                    c->items[w].key == c->items[r].key &&
                    (last == NOBODY || position[w] > position[last]))
                    last = (int)w;
            if (last != c->from[r]) return false;
        }
        return true;
    }
    for (size_t w = 0; w < c->ops.count; w++) {
        if (!(writes >> w & 1) || taken >> w & 1) continue;
        bool is_next = true;
        for (size_t u = 0; u < c->ops.count; u++)
            if (writes >> u & 1 && !(taken >> u & 1) && u != w && c->causal[u][w])
                is_next = false;
        position[w] = next;
        if (is_next && is_arbitrated(c, taken | 1u << w, writes, position, next + 1))
            return true;
    }
    return false;
}

static bool is_causal_convergent(const struct case_ *c)
{
    int position[OPS_MAX];
    uint32_t writes = 0;
    if (has_circle(c)) return false;
    for (size_t i = 0; i < c->ops.count; i++)
        writes |= (uint32_t)(c->is_in[i] && c->writes[i]) << i;
    return is_arbitrated(c, 0, writes, position, 0);
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

static void compare(const char *model, bool (*definition)(const struct case_ *c))
{
    struct rng rng;
    struct case_ c;
    uint64_t histories = test_scaled(10000, 100000), held = 0;
    const char *seed = getenv("SEED");
    rng_init(&rng, seed ? strtoull(seed, NULL, 10) : 1, "test.causal", model, NULL);
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
        held += holds;
        model_verdict_deinit(&verdict);
    }
    assert_in_range(held, histories / 50, histories - histories / 50);
}

static void test_sequential_is_what_all_orders_say(void **state)
{
    (void)state;
    compare("sequential", is_sequential);
}
static void test_causal_convergent_is_its_definition(void **state)
{
    (void)state;
    compare("causal-convergent", is_causal_convergent);
}
static void test_causal_memory_is_its_definition(void **state)
{
    (void)state;
    compare("causal-memory", is_causal_memory);
}
static void test_causal_is_its_definition(void **state)
{
    (void)state;
    compare("causal", is_causal);
}
static void test_pram_is_its_definition(void **state)
{
    (void)state;
    compare("pram", is_pram);
}

/* What a model implies holds whenever it does. */
static void test_the_lattice_is_kept(void **state)
{
    (void)state;
    struct rng rng;
    struct case_ c;
    rng_init(&rng, 5, "test.causal", "lattice", NULL);
    for (uint64_t n = 0; n < 3000; n++) {
        make(&c, &rng);
        for (const struct model *m = model_table; m->name; m++) {
            struct model_verdict strong;
            model_check(m, &c.ops, NULL, &strong);
            for (const char *const *name = m->implies; *name; name++) {
                struct model_verdict weak;
                assert_non_null(model_find(*name));
                model_check(model_find(*name), &c.ops, NULL, &weak);
                if (strong.outcome == MODEL_HOLDS && weak.outcome != MODEL_HOLDS) {
                    say(&c);
                    fail_msg("%s holds and %s does not", m->name, *name);
                }
                model_verdict_deinit(&weak);
            }
            model_verdict_deinit(&strong);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sequential_is_what_all_orders_say),
        cmocka_unit_test(test_causal_convergent_is_its_definition),
        cmocka_unit_test(test_causal_memory_is_its_definition),
        cmocka_unit_test(test_causal_is_its_definition),
        cmocka_unit_test(test_pram_is_its_definition),
        cmocka_unit_test(test_the_lattice_is_kept),
    };
    return cmocka_run_group_tests_name("causal", tests, NULL, NULL);
}
