/* Goal: no check is quadratic anywhere, and a needle is found in a long history. Method:
 * 100,000 operations (a million when FAULTLINE_SOAK is set) in shapes that hurt a careless
 * checker: one hot key, many keys, one session, many sessions, operations that all overlap,
 * deletes everywhere. A quadratic step would take minutes. The register is linear, so nothing
 * may fire until one lost write is planted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/kernel/random.h"
#include "sim/kernel/vtime.h"
#include "tests/support/histories.h"

struct shape {
    uint32_t keys, sessions;
    int64_t length_ns;
    uint32_t deletes_percent, unknown_percent;
    bool guarded;
};

static const struct history_op blank = {.key = HISTORY_NONE,
                                        .table = HISTORY_NONE,
                                        .owner = HISTORY_NONE,
                                        .node = HISTORY_NONE,
                                        .context = HISTORY_NONE,
                                        .session = HISTORY_NONE,
                                        .client = HISTORY_NONE};

static uint32_t key_name(struct history *history, uint32_t key)
{
    char text[16];
    int size = snprintf(text, sizeof text, "key%u", key);
    return history_intern(history, text, (size_t)size);
}

/* Every operation takes effect at its invocation, 1 us after the one before. `lost`: this write
 * is acknowledged and never takes effect. */
static void run_shape(const struct shape *shape, uint32_t count, uint32_t lost)
{
    struct rng rng;
    rng_init(&rng, 1, "scale", "history", NULL);
    struct history *history = history_create();
    struct facts facts = {0};
    uint64_t *value = calloc(shape->keys, sizeof *value);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t key = rng_below(&rng, shape->keys), kind = rng_below(&rng, 100),
                 fate = rng_below(&rng, 100);
        struct history_op op = blank;
        op.key = key_name(history, (uint32_t)key);
        op.session = (uint32_t)rng_below(&rng, shape->sessions);
        op.invoke_ns = (int64_t)i * NS_PER_US;
        op.type = i == lost                            ? HISTORY_INSERT
                  : kind < 50                          ? HISTORY_READ
                  : kind < 50 + shape->deletes_percent ? HISTORY_DELETE
                                                       : HISTORY_WRITE;
        if (op.type == HISTORY_WRITE || op.type == HISTORY_INSERT) op.token = i + 1;
        if (op.type == HISTORY_WRITE && shape->guarded) op.lock_token = i / 1000 + 1;
        if (i == lost) op.key = history_intern_string(history, "lost");
        size_t index = history_invoke(history, &op);
        if (op.type == HISTORY_READ) {
            if (value[key]) history_value(history, index, value[key]);
        } else if (i != lost) {
            value[key] = op.token;
        }
        bool unknown = op.type == HISTORY_WRITE && fate < shape->unknown_percent;
        history_return(history, index, op.invoke_ns + shape->length_ns,
                       unknown ? OUTCOME_UNKNOWN : OUTCOME_OK);
        if (op.type != HISTORY_READ)
            facts_add(&facts, (struct fact){.time_ns = op.invoke_ns,
                                            .kind = FACT_ACK,
                                            .a = op.token,
                                            .b = i / 5000 + 1,
                                            .endpoint = i / 5000 % 3});
    }
    struct history_op final = blank;
    final.type = HISTORY_READ;
    final.final_read = true;
    final.level = HISTORY_LEVEL_LEADER;
    for (uint32_t key = 0; key <= shape->keys; key++) {
        final.key =
            key < shape->keys ? key_name(history, key) : history_intern_string(history, "lost");
        final.invoke_ns = (int64_t)count * NS_PER_US + NS_PER_S;
        size_t index = history_invoke(history, &final);
        if (key < shape->keys && value[key]) history_value(history, index, value[key]);
        history_return(history, index, final.invoke_ns + 1, OUTCOME_OK);
    }
    history_seal(history);
    struct check_input input = input_of(history);
    input.facts = &facts;
    for (const struct check *check = check_table; check->name; check++) {
        if (!check->is_safety)
            continue; /* what deletes make of models is test_linearizable's */
        struct check_result result = run_check(check->name, &input);
        uint64_t expected = lost < count && strcmp(check->name, "no_lost_write") == 0;
        if (result.violations != expected)
            fail_msg("%s counts %llu: %s", check->name, (unsigned long long)result.violations,
                     result.explanation);
        if (expected) assert_int_equal(result.violating[0], lost);
        check_result_deinit(&result);
    }
    assert_int_equal(measure_value(measure_find("stale_reads"), &input), 0);
    free(value);
    facts_deinit(&facts);
    history_destroy(history);
}

static uint32_t size_of_run(void)
{
    return getenv("FAULTLINE_SOAK") ? 1000000 : 100000;
}

static void test_hot_key_with_everything_overlapping(void **state)
{
    (void)state;
    run_shape(&(struct shape){.keys = 1,
                              .sessions = 100,
                              .length_ns = NS_PER_S,
                              .deletes_percent = 20,
                              .unknown_percent = 5,
                              .guarded = true},
              size_of_run(), UINT32_MAX);
}

static void test_one_session_over_many_keys(void **state)
{
    (void)state;
    run_shape(
        &(struct shape){
            .keys = size_of_run() / 4, .sessions = 1, .length_ns = 500, .deletes_percent = 10},
        size_of_run(), UINT32_MAX);
}

static void test_one_lost_write_in_a_long_history_is_found(void **state)
{
    (void)state;
    run_shape(
        &(struct shape){.keys = 1000, .sessions = 50, .length_ns = 5000, .unknown_percent = 3},
        size_of_run(), size_of_run() / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hot_key_with_everything_overlapping),
        cmocka_unit_test(test_one_session_over_many_keys),
        cmocka_unit_test(test_one_lost_write_in_a_long_history_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
