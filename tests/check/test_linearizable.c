/* Goal: the fast judgements of linearizability are right. Method: random small histories (up to
 * 8 operations, 3 processes, some never answered), half of them generated around points in time
 * and so linearizable unless an answer was changed, half at random; each is judged by the model
 * and by an oracle that tries all orders with a specification of its own. Registers with
 * different values go through zones, registers with repeated values and all other objects
 * through the search; zones are compared with the search as well.
 *
 * SEED= chooses others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/check/models.h"
#include "sim/check/search.h"
#include "sim/check/zones.h"
#include "sim/kernel/random.h"
#include "tests/check/stands_alone.h"
#include "tests/support/scale.h"

#define OPS_MAX 8
#define ELEMENTS_MAX 64

/* ---- the oracle ---- */

struct state { /* of one object: a value, a sum, a holder, or a sequence */
    uint64_t value;
    uint64_t items[OPS_MAX];
    size_t count;
};

static bool sequence_matches(const struct ops *ops, const struct op *op,
                             const struct state *state)
{
    return op->count == state->count &&
           (state->count == 0 || memcmp(ops->elements + op->elements, state->items,
                                        state->count * sizeof *state->items) == 0);
}

/* Applies the operation; false when its answer is wrong here. */
static bool apply(const struct ops *ops, const struct op *op, struct state *s)
{
    bool is_fail = op->result == RESULT_FAIL;
    switch (ops->type) {
    case OBJECT_REGISTER:
        if (is_fail) {
            if (op->has_seen) return s->value == op->seen;
            if (op->kind == OP_DELETE) return s->value == VALUE_NONE;
            return s->value != (op->kind == OP_INSERT ? VALUE_NONE : op->expected);
        }
        if (op->kind == OP_READ) return s->value == op->value;
        if (op->kind == OP_COMPARE_AND_SET && s->value != op->expected) return false;
        if (op->kind == OP_INSERT && s->value != VALUE_NONE) return false;
        s->value = op->kind == OP_DELETE ? VALUE_NONE : op->value;
        return true;
    case OBJECT_COUNTER:
        if (op->kind == OP_READ) return s->value == (uint64_t)op->amount;
        s->value += (uint64_t)op->amount;
        return true;
    case OBJECT_LOCK:
        if (op->kind == OP_ACQUIRE) {
            if (is_fail) return s->value != 0;
            if (s->value) return false;
            s->value = op->process + 1u;
            return true;
        }
        if (is_fail) return s->value != op->process + 1u;
        if (s->value != op->process + 1u) return false;
        s->value = 0;
        return true;
    case OBJECT_QUEUE:
        if (op->kind == OP_ENQUEUE) {
            s->items[s->count++] = op->value;
            return true;
        }
        if (op->result == RESULT_OK && op->value == VALUE_NONE) return s->count == 0;
        if (!s->count || (op->result == RESULT_OK && s->items[0] != op->value)) return false;
        memmove(s->items, s->items + 1, --s->count * sizeof *s->items);
        return true;
    case OBJECT_LIST:
        if (op->kind == OP_READ) return sequence_matches(ops, op, s);
        s->items[s->count++] = op->value;
        return true;
    case OBJECT_SET: {
        if (op->kind == OP_READ) return sequence_matches(ops, op, s);
        size_t at = 0;
        while (at < s->count && s->items[at] < op->value) at++;
        bool is_member = at < s->count && s->items[at] == op->value;
        if (is_fail) return op->kind == OP_ADD ? is_member : !is_member;
        if (op->kind == OP_ADD && !is_member) {
            memmove(s->items + at + 1, s->items + at, (s->count - at) * sizeof *s->items);
            s->items[at] = op->value;
            s->count++;
        } else if (op->kind == OP_REMOVE && is_member) {
            memmove(s->items + at, s->items + at + 1, (s->count - at - 1) * sizeof *s->items);
            s->count--;
        }
        return true;
    }
    default: return false;
    }
}

static bool counts(const struct op *op)
{
    return op->result != RESULT_VOID && !(op->result == RESULT_UNKNOWN && op->kind == OP_READ);
}

/* Tries every order: any operation that no other untaken one precedes may be next. Those never
 * answered may stay untaken. */
static bool explains(const struct ops *ops, uint32_t taken, const struct state *state)
{
    bool is_done = true;
    for (size_t i = 0; i < ops->count; i++)
        if (!(taken >> i & 1) && counts(&ops->items[i]) && ops->items[i].complete != OP_OPEN)
            is_done = false;
    if (is_done) return true;
    for (size_t i = 0; i < ops->count; i++) {
        const struct op *op = &ops->items[i];
        if (taken >> i & 1 || !counts(op)) continue;
        bool is_next = true;
        for (size_t j = 0; j < ops->count && is_next; j++)
            if (j != i && !(taken >> j & 1) && counts(&ops->items[j]) &&
                ops->items[j].complete < op->invoke)
                is_next = false;
        struct state next = *state;
        if (is_next && apply(ops, op, &next) && explains(ops, taken | 1u << i, &next))
            return true;
    }
    return false;
}

/* ---- random histories of one key ---- */

struct made {
    struct op items[OPS_MAX];
    uint64_t elements[ELEMENTS_MAX];
    struct ops ops;
};

static void read_state(struct made *m, struct op *op, const struct state *s)
{
    op->value = s->value;
    op->amount = (int64_t)s->value;
    op->elements = (uint32_t)m->ops.elements_count;
    op->count = (uint32_t)s->count;
    for (size_t i = 0; i < s->count && m->ops.elements_count < ELEMENTS_MAX; i++)
        m->elements[m->ops.elements_count++] = s->items[i];
}

static void draw_kind(struct rng *rng, struct op *op, enum object_type type, uint64_t fresh,
                      bool repeats)
{
    uint64_t draw = rng_below(rng, 10);
    op->value = repeats ? 1 + rng_below(rng, 3) : fresh;
    op->amount = (int64_t)op->value;
    switch (type) {
    case OBJECT_REGISTER:
        op->kind = draw < 4               ? OP_READ
                   : draw < 7             ? OP_WRITE
                   : draw < 9             ? OP_COMPARE_AND_SET
                   : repeats && draw == 9 ? OP_DELETE
                                          : OP_INSERT;
        break;
    case OBJECT_SET: op->kind = draw < 4 ? OP_READ : draw < 8 ? OP_ADD : OP_REMOVE; break;
    case OBJECT_COUNTER: op->kind = draw < 5 ? OP_READ : OP_ADD; break;
    case OBJECT_QUEUE: op->kind = draw < 5 ? OP_ENQUEUE : OP_DEQUEUE; break;
    case OBJECT_LIST: op->kind = draw < 5 ? OP_READ : OP_APPEND; break;
    default: op->kind = draw < 5 ? OP_ACQUIRE : OP_RELEASE; break;
    }
}

/* Answers as the object would give them at once, in the order of the array: a sequential
 * history, which stays linearizable however its intervals are stretched around it. */
static void answer(struct made *m, struct rng *rng, struct op *op, struct state *s)
{
    struct state before = *s;
    if (op->kind == OP_READ) {
        read_state(m, op, s);
        return;
    }
    if (op->kind == OP_COMPARE_AND_SET)
        op->expected = rng_below(rng, 3) ? s->value : rng_below(rng, OPS_MAX);
    if (op->kind == OP_DEQUEUE) op->value = s->count ? s->items[0] : VALUE_NONE;
    if (apply(&m->ops, op, s)) return;
    *s = before;
    op->result = RESULT_FAIL;
    op->seen = s->value;
    op->has_seen = m->ops.type == OBJECT_REGISTER && rng_below(rng, 4) != 0;
}

static void make(struct made *m, struct rng *rng, enum object_type type, bool repeats)
{
    struct state state = {0};
    size_t count = 1 + rng_below(rng, OPS_MAX);
    memset(m, 0, sizeof *m);
    m->ops = (struct ops){.items = m->items, .elements = m->elements, .count = count};
    m->ops.keys = 1;
    m->ops.processes = 3;
    m->ops.values = 64;
    m->ops.type = type;
    m->ops.has_real_time = true;
    int64_t process_end[3] = {-1, -1, -1};
    for (size_t i = 0; i < count; i++) {
        struct op *op = &m->items[i];
        draw_kind(rng, op, type, i + 1, repeats);
        op->process = (uint32_t)rng_below(rng, 3);
        answer(m, rng, op, &state);
        /* The point in time is 100 (i + 1); the interval reaches around it. */
        int64_t point = 100 * (int64_t)(i + 1);
        op->invoke = point - 1 - (int64_t)rng_below(rng, 250);
        if (op->invoke <= process_end[op->process]) op->invoke = process_end[op->process] + 1;
        if (op->invoke > point) op->invoke = point;
        op->complete = point + (int64_t)rng_below(rng, 250);
        process_end[op->process] = op->complete;
        if (rng_below(rng, 10) == 0) {
            op->complete = OP_OPEN;
            op->result = RESULT_UNKNOWN;
            process_end[op->process] = INT64_MAX / 2;
        }
    }
    /* One answer is changed in half of them. */
    if (rng_below(rng, 2)) {
        struct op *op = &m->items[rng_below(rng, count)];
        uint64_t other = rng_below(rng, count + 2);
        if (op->kind == OP_READ || op->kind == OP_DEQUEUE) {
            op->value = other;
            op->amount = (int64_t)other;
            if (op->count) op->count--;
        } else if (op->kind == OP_COMPARE_AND_SET) {
            op->expected = other;
        } else if (type == OBJECT_LOCK && op->result != RESULT_UNKNOWN) {
            op->result = op->result == RESULT_OK ? RESULT_FAIL : RESULT_OK;
        }
    }
    for (size_t i = 0; i < count; i++) m->items[i].line = (uint32_t)i + 1;
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j && m->items[j - 1].invoke > m->items[j].invoke; j--) {
            struct op held = m->items[j];
            m->items[j] = m->items[j - 1];
            m->items[j - 1] = held;
        }
}

static void say(const struct made *m)
{
    for (size_t i = 0; i < m->ops.count; i++) {
        const struct op *op = &m->items[i];
        print_error("p%u [%lld, %lld] %s value %llu expected %llu seen %llu result %d count "
                    "%u\n",
                    op->process, (long long)op->invoke, (long long)op->complete,
                    op_kind_words[op->kind], (unsigned long long)op->value,
                    (unsigned long long)op->expected, (unsigned long long)op->seen, op->result,
                    op->count);
    }
}

static size_t compare(enum object_type type, bool repeats, uint64_t histories)
{
    struct rng rng;
    struct made m;
    size_t violated = 0;
    const char *seed = getenv("SEED");
    rng_init(&rng, seed ? strtoull(seed, NULL, 10) : 1, "test.linearizable",
             object_type_words[type], NULL);
    for (uint64_t n = 0; n < histories; n++) {
        struct model_verdict verdict;
        struct state state = {0};
        make(&m, &rng, type, repeats);
        bool holds = explains(&m.ops, 0, &state);
        model_check(model_find("linearizable"), &m.ops, NULL, &verdict);
        if ((verdict.outcome == MODEL_HOLDS) != holds) {
            say(&m);
            fail_msg("history %llu of %s: the model says %s, all orders say %s",
                     (unsigned long long)n, object_type_words[type],
                     model_outcome_words[verdict.outcome], holds ? "holds" : "violated");
        }
        assert_true(holds || verdict.witness_count > 0);
        assert_true(holds || verdict.explanation);
        if (!holds) assert_stands_alone(model_find("linearizable"), &m.ops, NULL, &verdict);
        violated += !holds;
        model_verdict_deinit(&verdict);
    }
    return violated;
}

#define HISTORIES 100000u

static void judged(enum object_type type, bool repeats)
{
    uint64_t histories = test_scaled(HISTORIES / 10, HISTORIES);
    size_t violated = compare(type, repeats, histories);
    /* Both answers occur, often. */
    assert_in_range(violated, histories / 50, histories - histories / 50);
}

static void test_registers_with_different_values_agree_with_all_orders(void **state)
{
    (void)state;
    judged(OBJECT_REGISTER, false);
}
static void test_registers_with_repeated_values_agree_with_all_orders(void **state)
{
    (void)state;
    judged(OBJECT_REGISTER, true);
}
static void test_sets_agree_with_all_orders(void **state)
{
    (void)state;
    judged(OBJECT_SET, true);
}
static void test_counters_agree_with_all_orders(void **state)
{
    (void)state;
    judged(OBJECT_COUNTER, true);
}
static void test_queues_agree_with_all_orders(void **state)
{
    (void)state;
    judged(OBJECT_QUEUE, false);
}
static void test_lists_agree_with_all_orders(void **state)
{
    (void)state;
    judged(OBJECT_LIST, false);
}
static void test_locks_agree_with_all_orders(void **state)
{
    (void)state;
    judged(OBJECT_LOCK, false);
}

/* Most registers with different values need no search. */
static void test_zones_judge_registers_alone(void **state)
{
    (void)state;
    struct rng rng;
    struct made m;
    size_t suited = 0;
    rng_init(&rng, 1, "test.linearizable", "zones", NULL);
    for (uint64_t n = 0; n < 2000; n++) {
        uint32_t ops[OPS_MAX];
        struct zones zones;
        struct model_verdict by_zones = {0}, by_search = {0};
        make(&m, &rng, OBJECT_REGISTER, false);
        for (uint32_t i = 0; i < m.ops.count; i++) ops[i] = i;
        zones_init(&zones, &m.ops);
        enum zones_answer answer = zones_judge(&zones, ops, m.ops.count, &by_zones);
        enum model_outcome outcome = search_judge(&m.ops, ops, m.ops.count, NULL, &by_search);
        if (answer != ZONES_UNSUITED) {
            suited++;
            assert_int_equal(answer == ZONES_HOLD, outcome == MODEL_HOLDS);
        }
        zones_deinit(&zones);
        model_verdict_deinit(&by_zones);
        model_verdict_deinit(&by_search);
    }
    assert_in_range(suited, 1000, 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registers_with_different_values_agree_with_all_orders),
        cmocka_unit_test(test_registers_with_repeated_values_agree_with_all_orders),
        cmocka_unit_test(test_sets_agree_with_all_orders),
        cmocka_unit_test(test_counters_agree_with_all_orders),
        cmocka_unit_test(test_queues_agree_with_all_orders),
        cmocka_unit_test(test_lists_agree_with_all_orders),
        cmocka_unit_test(test_locks_agree_with_all_orders),
        cmocka_unit_test(test_zones_judge_registers_alone),
    };
    return cmocka_run_group_tests_name("linearizable", tests, NULL, NULL);
}
