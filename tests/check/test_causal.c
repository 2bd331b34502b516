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
#include "tests/check/small_history.h"

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

static void test_sequential_is_what_all_orders_say(void **state)
{
    (void)state;
    small_compare("sequential", is_sequential);
}
static void test_causal_convergent_is_its_definition(void **state)
{
    (void)state;
    small_compare("causal-convergent", is_causal_convergent);
}
static void test_causal_memory_is_its_definition(void **state)
{
    (void)state;
    small_compare("causal-memory", is_causal_memory);
}
static void test_causal_is_its_definition(void **state)
{
    (void)state;
    small_compare("causal", is_causal);
}
static void test_pram_is_its_definition(void **state)
{
    (void)state;
    small_compare("pram", is_pram);
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
