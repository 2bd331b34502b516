/* Goal: what is followed while a run goes on becomes a violation in the very moment in which
 * the check finds it in the history as it stands then, never earlier, never later, and what can
 * no longer matter is forgotten. Method: random histories of sequential sessions on a few
 * registers that take effect at an instant, with lost writes, compare_and_sets, inserts,
 * deletes and lock tokens; now and then an answer is replaced by another value. Each is played
 * event by event, and every first moment compared with that of the check over the whole (for
 * linearizable: a binary search over prefixes with zones.c). The shipped scenarios are compared
 * in tests/campaign/test_stop.c.
 *
 * SEED= chooses others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/kernel/random.h"
#include "tests/support/histories.h"
#include "tests/support/online_replay.h"
#include "tests/support/scale.h"

#define SESSIONS 4
#define OPS_MAX 60
#define KEYS 3

struct drawn {
    struct history_op op;
    int64_t effect_ns;
    uint64_t answer;
    bool never, is_done;
};

struct kind {
    const char *name;
    uint32_t corrupt_ppm, lost_percent, swap_percent, insert_percent, delete_percent;
    uint32_t keys;
};

static uint64_t below(struct rng *rng, uint64_t bound)
{
    return rng_below(rng, bound);
}

static void draw_op(struct drawn *d, struct rng *rng, const struct kind *kind, uint32_t i,
                    int64_t *clock, uint32_t *process, const uint32_t *keys)
{
    uint32_t session = (uint32_t)below(rng, SESSIONS);
    int64_t invoke = clock[session] + 1 + (int64_t)below(rng, 6);
    int64_t length = 1 + (int64_t)below(rng, 12);
    uint64_t what = below(rng, 100);
    uint64_t limit = kind->swap_percent;
    memset(d, 0, sizeof *d);
    d->op.type = what < limit                             ? HISTORY_COMPARE_AND_SET
                 : what < (limit += kind->insert_percent) ? HISTORY_INSERT
                 : what < (limit += kind->delete_percent) ? HISTORY_DELETE
                 : what < limit + (100 - limit) * 4 / 10  ? HISTORY_WRITE
                                                          : HISTORY_READ;
    d->op.client = d->op.table = d->op.owner = d->op.node = d->op.context = HISTORY_NONE;
    d->op.key = keys[below(rng, kind->keys)];
    d->op.session = session;
    d->op.process = process[session];
    d->op.token = d->op.type == HISTORY_READ || d->op.type == HISTORY_DELETE ? 0 : i + 1;
    d->op.invoke_ns = invoke;
    d->op.return_ns = invoke + length;
    d->op.outcome = OUTCOME_OK;
    d->op.status = HISTORY_STATUS_OK;
    d->effect_ns = invoke + (int64_t)below(rng, (uint64_t)length + 1);
    clock[session] = d->op.return_ns;
    if (d->op.type == HISTORY_WRITE && below(rng, 4) == 0) d->op.lock_token = 1 + i / 8;
    if (d->op.type != HISTORY_READ && below(rng, 100) < kind->lost_percent) {
        d->op.outcome = OUTCOME_UNKNOWN;
        d->never = below(rng, 2) == 0;
        d->effect_ns += (int64_t)below(rng, 60);
        process[session] += SESSIONS;
    }
}

/* Something that was asked to be written by then, under any key; or nothing; or nobody's. */
static uint64_t lie(struct rng *rng, const struct drawn *all, uint32_t count, int64_t now_ns)
{
    for (uint32_t tries = 0; tries < 8; tries++) {
        uint64_t token = below(rng, count + 2);
        if (token == 0 || token == count + 1) return token;
        const struct drawn *write = &all[token - 1];
        /* What comes out later, a refusal or the key of an insert, does not count before. */
        bool is_open = write->op.type != HISTORY_WRITE &&
                       (!write->is_done || write->op.return_ns >= now_ns);
        if (write->op.token && write->op.invoke_ns <= now_ns && !is_open) return token;
    }
    return 0;
}

/* Applies it to a register; now and then lies about what it saw. */
static void take_effect(struct drawn *d, struct rng *rng, const struct kind *kind,
                        uint64_t *value, const struct drawn *all, uint32_t count)
{
    bool lies = below(rng, 1000000) < kind->corrupt_ppm;
    int64_t until_ns = d->op.type == HISTORY_READ ? d->op.return_ns - 1 : d->op.invoke_ns;
    uint64_t seen = lies ? lie(rng, all, count, until_ns) : *value;
    d->answer = seen;
    switch ((enum history_type)d->op.type) {
    case HISTORY_COMPARE_AND_SET:
        if (below(rng, 3) == 0) { /* expected another value */
            d->op.expected = count + 7;
            if (d->op.outcome == OUTCOME_OK) d->op.outcome = OUTCOME_FAIL;
            d->op.status = HISTORY_STATUS_MISMATCH;
            d->never = true;
            return;
        }
        d->op.expected = seen;
        break;
    case HISTORY_INSERT:
        if (*value && !lies) {
            if (d->op.outcome == OUTCOME_OK) d->op.outcome = OUTCOME_FAIL;
            d->never = true;
            return;
        }
        break;
    case HISTORY_READ: return;
    default: break;
    }
    if (!d->never) *value = d->op.token;
}

static struct history *draw(struct rng *rng, const struct kind *kind, uint32_t count)
{
    struct drawn *drawn = xcalloc(count, sizeof *drawn);
    struct history *history = history_create();
    uint32_t keys[KEYS], process[SESSIONS] = {0, 1, 2, 3};
    int64_t clock[SESSIONS] = {0};
    uint64_t *value = xcalloc(16, sizeof *value);
    for (uint32_t k = 0; k < KEYS; k++) {
        char name[8];
        snprintf(name, sizeof name, "k%u", k);
        keys[k] = history_intern_string(history, name);
    }
    for (uint32_t i = 0; i < count; i++) draw_op(&drawn[i], rng, kind, i, clock, process, keys);
    for (uint32_t done = 0; done < count; done++) {
        uint32_t next = count;
        for (uint32_t i = 0; i < count; i++)
            if (!drawn[i].is_done &&
                (next == count || drawn[i].effect_ns < drawn[next].effect_ns))
                next = i;
        drawn[next].is_done = true;
        take_effect(&drawn[next], rng, kind, &value[drawn[next].op.key], drawn, count);
    }
    for (uint32_t done = 0; done < count; done++) {
        uint32_t next = count;
        for (uint32_t i = 0; i < count; i++)
            if (drawn[i].is_done &&
                (next == count || drawn[i].op.invoke_ns < drawn[next].op.invoke_ns))
                next = i;
        struct drawn *d = &drawn[next];
        d->is_done = false;
        size_t op = history_invoke(history, &d->op);
        bool shows = d->op.type == HISTORY_READ ||
                     (d->op.type == HISTORY_COMPARE_AND_SET && d->op.outcome == OUTCOME_FAIL);
        if (shows) history_value(history, op, d->answer);
        history_return(history, op, d->op.return_ns, d->op.outcome);
        history->ops[op].status = d->op.status;
    }
    history_seal(history);
    free(drawn);
    free(value);
    return history;
}

static void tell(const struct history *history)
{
    for (size_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        print_error(
            "%zu: s%u %s %s token %llu expected %llu saw %lld lock %llu %lld..%lld %s\n", i,
            op->session, history_type_words[op->type], history_name(history, op->key, NULL),
            (unsigned long long)op->token, (unsigned long long)op->expected,
            op->values_count ? (long long)history->values[op->values_start] : -1,
            (unsigned long long)op->lock_token, (long long)op->invoke_ns,
            (long long)op->return_ns, history_outcome_words[op->outcome]);
    }
}

static void compare(const struct kind *kind, uint64_t histories, uint32_t count)
{
    struct rng rng;
    const char *seed = getenv("SEED");
    uint64_t violated = 0;
    rng_init(&rng, seed ? strtoull(seed, NULL, 10) : 1, "test.online", kind->name, NULL);
    for (uint64_t n = 0; n < histories; n++) {
        struct history *history = draw(&rng, kind, 5 + (uint32_t)below(&rng, count - 4));
        struct replay replay = replay_history(history);
        struct check_input input = input_of(history);
        for (uint32_t i = 0; online_checks[i]; i++) {
            if (kind->delete_percent && !strcmp(online_checks[i], "linearizable")) continue;
            struct check_result result = run_check(online_checks[i], &input);
            if (result.first_ns != replay.first_ns[i]) {
                tell(history);
                fail_msg("%s, history %llu: %s is first violated at %lld, followed: %lld; %s",
                         kind->name, (unsigned long long)n, online_checks[i],
                         (long long)result.first_ns, (long long)replay.first_ns[i],
                         result.explanation ? result.explanation : "holds");
            }
            violated += i == 0 && result.verdict == CHECK_VIOLATED;
            check_result_deinit(&result);
        }
        history_destroy(history);
    }
    if (kind->corrupt_ppm && !kind->delete_percent)
        assert_in_range(violated, histories / 20, histories - histories / 20);
    if (!kind->corrupt_ppm) assert_int_equal(violated, 0);
}

static void test_reads_and_writes_are_judged_in_the_same_moment(void **state)
{
    (void)state;
    compare(&(struct kind){"reads", .corrupt_ppm = 60000, .keys = 2}, test_scaled(3000, 60000),
            OPS_MAX);
    compare(&(struct kind){"lost", .corrupt_ppm = 60000, .lost_percent = 25, .keys = 1},
            test_scaled(3000, 60000), 30);
}

static void test_chains_of_swaps_and_inserts_are_judged_in_the_same_moment(void **state)
{
    (void)state;
    compare(&(struct kind){"swaps", 40000, .swap_percent = 40, .keys = 2},
            test_scaled(3000, 60000), 40);
    compare(&(struct kind){"lost swaps", 40000, 25, .swap_percent = 40, .keys = 1},
            test_scaled(3000, 60000), 30);
    compare(&(struct kind){"inserts", 40000, 15, .swap_percent = 20, .insert_percent = 20,
                           .keys = 3},
            test_scaled(3000, 60000), 30);
}

static void test_deletes_excuse_absence_in_sessions(void **state)
{
    (void)state;
    compare(&(struct kind){"deletes", 60000, .delete_percent = 20, .keys = 2},
            test_scaled(3000, 60000), OPS_MAX);
}

static void test_what_holds_is_never_called_a_violation(void **state)
{
    (void)state;
    compare(&(struct kind){"holds", .lost_percent = 20, .swap_percent = 20, .keys = 2},
            test_scaled(2000, 40000), OPS_MAX);
}

static void test_a_value_that_was_read_is_a_violation_when_it_is_refused(void **state)
{
    (void)state;
    struct history *history = history_of("A w x=1 1..2\nA w x=2 10..40 fail\nB r x=2 20..21\n"
                                         "B r x=1 50..51");
    struct check_input input = input_of(history);
    struct replay replay = replay_history(history);
    struct check_result result = run_check("linearizable", &input);
    assert_int_equal(result.first_ns, 40 * NS_PER_MS);
    assert_true(replay.first_ns[0] == result.first_ns);
    check_result_deinit(&result);
    history_destroy(history);
}

/* What is kept does not grow with the history: 4 sessions, 3 keys. */
static void test_what_can_no_longer_matter_is_forgotten(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 1, "test.online", "forgotten", NULL);
    static const struct kind kinds[] = {{"short", .keys = 3},
                                        {"swaps", .swap_percent = 50, .keys = 3}};
    for (size_t k = 0; k < 2; k++) {
        struct history *history = draw(&rng, &kinds[k], 2000);
        struct replay replay = replay_history(history);
        assert_int_equal(replay.first_ns[0], VTIME_MAX);
        assert_in_range(replay.open_max, 2, SESSIONS);
        /* A zone and a link for each open operation and one more, by key; views and their rungs
         * by (session, key). */
        assert_in_range(replay.entries_max, 1, 2 * KEYS * (SESSIONS + 1) + 6 * SESSIONS * KEYS);
        history_destroy(history);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_and_writes_are_judged_in_the_same_moment),
        cmocka_unit_test(test_chains_of_swaps_and_inserts_are_judged_in_the_same_moment),
        cmocka_unit_test(test_deletes_excuse_absence_in_sessions),
        cmocka_unit_test(test_what_holds_is_never_called_a_violation),
        cmocka_unit_test(test_a_value_that_was_read_is_a_violation_when_it_is_refused),
        cmocka_unit_test(test_what_can_no_longer_matter_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
