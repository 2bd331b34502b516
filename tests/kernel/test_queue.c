/* Goal: the queue gives every item back once, in exact (time, order) order, for any times; does
 * bounded work for it; and holds at most 40 bytes an item once there are tens of thousands.
 * Method: random pushes, pops, peeks and filters in many patterns beside an oracle (a plain
 * binary heap of the same items); the number of entries moved (queue_work) against the number
 * of operations as the size grows; queue_bytes at several sizes. SEED= chooses another seed,
 * SCALE= more rounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sim/kernel/arena.h"
#include "sim/kernel/queue.h"
#include "sim/kernel/random.h"
#include "sim/kernel/vtime.h"
#include "tests/support/scale.h"

/* ---- the oracle: a binary heap ---- */

struct oracle {
    struct queue_item *items;
    size_t count, capacity;
};

static bool item_before(const struct queue_item *a, const struct queue_item *b)
{
    return a->time != b->time ? a->time < b->time : a->order < b->order;
}

static void oracle_down(struct oracle *o, size_t i)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= o->count) return;
        if (child + 1 < o->count && item_before(&o->items[child + 1], &o->items[child]))
            child++;
        if (!item_before(&o->items[child], &o->items[i])) return;
        struct queue_item swap = o->items[i];
        o->items[i] = o->items[child];
        o->items[child] = swap;
        i = child;
    }
}

static void oracle_push(struct oracle *o, struct queue_item item)
{
    if (o->count == o->capacity) {
        o->capacity = o->capacity ? o->capacity * 2 : 1024;
        o->items = xrealloc(o->items, o->capacity * sizeof *o->items);
    }
    size_t i = o->count++;
    o->items[i] = item;
    while (i > 0 && item_before(&o->items[i], &o->items[(i - 1) / 2])) {
        struct queue_item swap = o->items[i];
        o->items[i] = o->items[(i - 1) / 2];
        o->items[(i - 1) / 2] = swap;
        i = (i - 1) / 2;
    }
}

static struct queue_item oracle_pop(struct oracle *o)
{
    struct queue_item least = o->items[0];
    o->items[0] = o->items[--o->count];
    oracle_down(o, 0);
    return least;
}

static bool keep_odd_slots(void *context, uint64_t order, uint32_t slot)
{
    (void)context;
    (void)order;
    return slot & 1;
}

static void oracle_filter(struct oracle *o)
{
    size_t kept = 0;
    for (size_t i = 0; i < o->count; i++)
        if (o->items[i].slot & 1) o->items[kept++] = o->items[i];
    o->count = kept;
    for (size_t i = kept; i-- > 0;) oracle_down(o, i);
}

/* ---- patterns of increments ---- */

enum pattern {
    EXPONENTIAL,
    EQUAL,
    FEW_VALUES,
    HUGE_SPREAD,
    FAR_TIMERS,
    BURSTS,
    NOW,
    POWERS,
    MIXED_SCALES,
    HEAVY_TAIL,
    LAST_MOMENT,
    PATTERNS
};

static int64_t increment(enum pattern pattern, struct rng *rng, uint64_t step)
{
    uint64_t r = rng_u64(rng);
    switch (pattern) {
    case EXPONENTIAL: return (int64_t)(-det_log(((double)(r >> 11) + 0.5) * 0x1p-53) * 1e6);
    case EQUAL: return 1000;
    case FEW_VALUES: return (int64_t)(r % 3) * 10;
    case HUGE_SPREAD: return (int64_t)(r >> (2 + r % 61)) >> 3;
    case FAR_TIMERS: return r % 10 ? (int64_t)(r % 100000) : 3600 * NS_PER_S;
    case BURSTS: return (step / 1000) % 2 ? (int64_t)(r % 5) : (int64_t)(r % 1000000000);
    case NOW: return r % 4 ? 0 : (int64_t)(r % 7);
    case POWERS: return (int64_t)1 << (r % 40);
    case MIXED_SCALES:
        return (int64_t)(r % 1000) * (int64_t[]){1, 1000, 1000000, 1000000000}[(r >> 32) % 4];
    case HEAVY_TAIL: /* half of what is pending lies beyond the window, and comes into it */
        return (int64_t)(r >> 32) % ((int64_t)1 << (10 + r % 16));
    case LAST_MOMENT: return INT64_MAX;
    default: return 0;
    }
}

static uint64_t seed_of_test(void)
{
    return getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10) : 1;
}

/* Sizes swing between nothing and `most`, so that every way of growing and draining is passed.
 */
static void against_oracle(enum pattern pattern, size_t most, size_t steps, bool filters,
                           uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed, "test_queue", "model", NULL);
    struct queue *queue = queue_create(0);
    struct oracle oracle = {0};
    int64_t now = 0;
    uint64_t order = 0;
    size_t target = most;
    for (size_t step = 0; step < steps; step++) {
        if (step % (2 * most) == 0) target = rng_below(&rng, 3) ? rng_below(&rng, most) : 0;
        bool push = oracle.count == 0 ||
                    (oracle.count < target ? rng_below(&rng, 4) != 0 : rng_below(&rng, 4) == 0);
        if (push) {
            int64_t by = increment(pattern, &rng, step),
                    time = by > INT64_MAX - now ? INT64_MAX : now + by;
            /* Orders mostly rise; the kernel's timeline entries and shuffled ties do not. */
            uint64_t odd_one = rng_below(&rng, 8) == 0 ? 0 : UINT64_C(1) << 39;
            struct queue_item item = {time, odd_one | ++order,
                                      (uint32_t)rng_below(&rng, QUEUE_SLOTS_MAX)};
            queue_push(queue, item.time, item.order, item.slot);
            oracle_push(&oracle, item);
        } else {
            struct queue_item got = {0};
            if (rng_below(&rng, 3) == 0)
                assert_int_equal(queue_peek_time(queue), oracle.items[0].time);
            struct queue_item want = oracle_pop(&oracle);
            assert_false(want.time > 0 && queue_pop_until(queue, want.time - 1, &got));
            assert_true(queue_pop(queue, &got));
            if (got.time != want.time || got.order != want.order || got.slot != want.slot)
                fail_msg("pattern %d, seed %llu, step %zu: another item was popped",
                         (int)pattern, (unsigned long long)seed, step);
            now = got.time == INT64_MAX ? now : got.time;
            if (got.time == INT64_MAX && pattern != LAST_MOMENT) break;
        }
        if (filters && rng_below(&rng, most) == 0) {
            queue_filter(queue, keep_odd_slots, NULL);
            oracle_filter(&oracle);
        }
        assert_int_equal(queue_count(queue), oracle.count);
    }
    struct queue_item got;
    while (oracle.count > 0) {
        struct queue_item want = oracle_pop(&oracle);
        assert_true(queue_pop(queue, &got));
        assert_true(got.time == want.time && got.order == want.order && got.slot == want.slot);
    }
    assert_false(queue_pop(queue, &got));
    assert_int_equal(queue_peek_time(queue), VTIME_MAX);
    queue_destroy(queue);
    free(oracle.items);
}

static void test_queue_pops_in_exact_order_for_every_pattern_and_size(void **state)
{
    (void)state;
    size_t scale = test_scaled(1, 1);
    static const size_t sizes[] = {4, 20, 60, 300, 3000, 30000};
    for (size_t round = 0; round < scale; round++)
        for (int pattern = 0; pattern < PATTERNS; pattern++)
            for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
                against_oracle((enum pattern)pattern, sizes[i],
                               sizes[i] < 3000 ? 20000
                                               : 5 * sizes[i] / (sizes[i] > 3000 ? 2 : 1),
                               i % 2 == 1, seed_of_test() + round);
}

/* The steady state, in which the window of the sliding rung moves on and takes from far. */
static void test_queue_pops_in_exact_order_in_steady_state(void **state)
{
    (void)state;
    static const size_t sizes[] = {20, 40, 100, 250, 700, 3000};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int pattern = EXPONENTIAL; pattern <= HEAVY_TAIL; pattern++) {
            struct rng rng;
            rng_init(&rng, seed_of_test(), "test_queue", "steady model", NULL);
            struct queue *queue = queue_create(sizes[s]);
            struct oracle oracle = {0};
            struct queue_item item = {0};
            for (uint64_t step = 0; step < 60000; step++) {
                if (step >= sizes[s]) {
                    struct queue_item want = oracle_pop(&oracle);
                    assert_true(queue_pop(queue, &item));
                    assert_true(item.time == want.time && item.order == want.order);
                }
                int64_t by = increment((enum pattern)pattern, &rng, step);
                item.time = by > INT64_MAX - item.time ? INT64_MAX : item.time + by;
                item.order = step + 1;
                queue_push(queue, item.time, item.order, 0);
                oracle_push(&oracle, item);
                if (step < sizes[s]) item.time = 0;
            }
            queue_destroy(queue);
            free(oracle.items);
        }
}

/* A push that is earlier than all that a peek has already brought near. */
static void test_queue_takes_an_earlier_item_after_a_peek(void **state)
{
    (void)state;
    for (int64_t n = 1; n < 400; n = n * 3 + 1) {
        struct queue *queue = queue_create(16);
        struct queue_item item;
        for (int64_t i = 0; i < n; i++)
            queue_push(queue, 1000000 + i * 1000, (uint64_t)i + 1, (uint32_t)i);
        assert_int_equal(queue_peek_time(queue), 1000000);
        for (int64_t i = n; i-- > 0;) queue_push(queue, i, 1000 + (uint64_t)i, (uint32_t)i);
        for (int64_t i = 0; i < n; i++) {
            assert_true(queue_pop(queue, &item));
            assert_int_equal(item.time, i);
        }
        assert_true(queue_pop(queue, &item));
        assert_int_equal(item.time, 1000000);
        queue_destroy(queue);
    }
}

/* ---- work ---- */

/* Entries moved per operation: fill with n, hold n times, empty. */
static double work_per_operation(enum pattern pattern, size_t n)
{
    struct rng rng;
    rng_init(&rng, seed_of_test(), "test_queue", "work", NULL);
    struct queue *queue = queue_create(n);
    struct queue_item item = {0};
    uint64_t order = 0;
    for (size_t i = 0; i < n; i++)
        queue_push(queue, increment(pattern, &rng, i), ++order, (uint32_t)i);
    for (size_t i = 0; i < n; i++) {
        assert_true(queue_pop(queue, &item));
        int64_t by = increment(pattern, &rng, i);
        queue_push(queue, by > INT64_MAX - item.time ? INT64_MAX : item.time + by, ++order,
                   item.slot);
    }
    while (queue_pop(queue, &item))
        ;
    double work = (double)queue_work(queue) / (3.0 * (double)n);
    queue_destroy(queue);
    return work;
}

static void test_queue_work_does_not_grow_with_the_number_pending(void **state)
{
    (void)state;
    for (int pattern = 0; pattern < PATTERNS; pattern++) {
        double small = work_per_operation((enum pattern)pattern, 1000),
               large = work_per_operation((enum pattern)pattern, 64000);
        /* Sixty-four times as many: linear work per operation would be 64 times as much. Six
         * levels of a heap or of a merge are what it may cost. */
        if (large > small + 8)
            fail_msg(
                "pattern %d: %.1f entries moved an operation at 1,000 pending, %.1f at 64,000",
                pattern, small, large);
        if (large > 16) fail_msg("pattern %d: %.1f entries moved an operation", pattern, large);
    }
}

/* Every handler schedules for its own instant: the bottom holds n, and each push would move all
 * of them. */
static void test_queue_is_not_quadratic_when_everything_happens_now(void **state)
{
    (void)state;
    size_t n = 50000;
    struct queue *queue = queue_create(n);
    struct queue_item item;
    uint64_t order = 0;
    for (size_t i = 0; i < n; i++) queue_push(queue, 5, ++order, (uint32_t)i);
    for (size_t i = 0; i < 4 * n; i++) {
        assert_true(queue_pop(queue, &item));
        assert_int_equal(item.order, i + 1);
        queue_push(queue, 5, ++order, item.slot);
    }
    assert_true(queue_work(queue) < 12 * 4 * n);
    queue_destroy(queue);
}

/* After every peek the pushes are earlier again, so that each makes a new layer below the last.
 */
static void test_queue_is_not_quadratic_when_each_batch_precedes_the_last(void **state)
{
    (void)state;
    struct queue *queue = queue_create(16);
    struct queue_item item;
    uint64_t order = 0, pushes = 0;
    for (int64_t batch = 200; batch > 0; batch--) {
        for (int64_t i = 0; i < 300; i++, pushes++)
            queue_push(queue, batch * 1000000 + (i * 7919) % 300 * 3000, ++order, 0);
        assert_true(queue_peek_time(queue) >= batch * 1000000);
    }
    int64_t last = 0;
    for (uint64_t i = 0; i < pushes; i++) {
        assert_true(queue_pop(queue, &item));
        assert_true(item.time >= last);
        last = item.time;
    }
    assert_true(queue_work(queue) < 20 * pushes);
    queue_destroy(queue);
}

/* ---- memory ---- */

static void test_queue_holds_at_most_40_bytes_an_item_of_many(void **state)
{
    (void)state;
    static const size_t sizes[] = {20000, 100000, 700000};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int pattern = 0; pattern <= EQUAL; pattern++) {
            struct rng rng;
            rng_init(&rng, 1, "test_queue", "memory", NULL);
            struct queue *queue = queue_create(s == 1 ? 0 : sizes[s]);
            struct queue_item item;
            uint64_t order = 0;
            for (size_t i = 0; i < sizes[s]; i++)
                queue_push(queue, increment((enum pattern)pattern, &rng, 0), ++order,
                           (uint32_t)i);
            size_t most = queue_bytes(queue);
            for (size_t i = 0; i < sizes[s] / 2; i++) {
                assert_true(queue_pop(queue, &item));
                queue_push(queue, item.time + increment((enum pattern)pattern, &rng, 0),
                           ++order, item.slot);
                if (i % 1000 == 0 && queue_bytes(queue) > most) most = queue_bytes(queue);
            }
            if (most > 40 * sizes[s])
                fail_msg("%zu items, pattern %d: %.1f bytes an item", sizes[s], pattern,
                         (double)most / (double)sizes[s]);
            queue_destroy(queue);
        }
}

static void test_queue_allocates_nothing_in_steady_state(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 1, "test_queue", "steady", NULL);
    struct queue *queue = queue_create(2000);
    struct queue_item item;
    uint64_t order = 0;
    for (uint32_t i = 0; i < 2000; i++)
        queue_push(queue, increment(EXPONENTIAL, &rng, 0), ++order, i);
    size_t bytes = 0;
    for (size_t i = 0; i < 300000; i++) {
        assert_true(queue_pop(queue, &item));
        queue_push(queue, item.time + increment(EXPONENTIAL, &rng, 0), ++order, item.slot);
        if (i == 100000) bytes = queue_bytes(queue);
    }
    assert_int_equal(queue_bytes(queue), bytes);
    queue_destroy(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue_pops_in_exact_order_for_every_pattern_and_size),
        cmocka_unit_test(test_queue_pops_in_exact_order_in_steady_state),
        cmocka_unit_test(test_queue_takes_an_earlier_item_after_a_peek),
        cmocka_unit_test(test_queue_work_does_not_grow_with_the_number_pending),
        cmocka_unit_test(test_queue_is_not_quadratic_when_everything_happens_now),
        cmocka_unit_test(test_queue_is_not_quadratic_when_each_batch_precedes_the_last),
        cmocka_unit_test(test_queue_holds_at_most_40_bytes_an_item_of_many),
        cmocka_unit_test(test_queue_allocates_nothing_in_steady_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
