/* Goal: the kernel fires events in (time, order) order and no cancelled one, folds all of them
 * into the trace hash, stops at every limit, and finds the first difference between two runs.
 * Method: small event programs whose handlers log what fires; a random program beside an
 * oracle; runs with a planted difference, whose report must name it on both sides. SEED=
 * chooses another seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sim/kernel/kernel.h"

#define FIRED_MAX 4096
#define GOLDEN_HASH UINT64_C(0xd9bc4817e15a130f)

static struct event fired[FIRED_MAX];
static size_t fired_count;

static void note(struct kernel *kernel, const struct event *event)
{
    assert_int_equal(kernel_now(kernel), event->time);
    if (fired_count < FIRED_MAX) fired[fired_count++] = *event;
}

static const struct event_type note_type = {"note", EVENT_ID('n', 'o', 't', 'e'), note};
static const struct event_type other_type = {"other", EVENT_ID('o', 't', 'h', 'r'), note};

static struct kernel *create(uint64_t seed)
{
    fired_count = 0;
    return kernel_create(&(struct kernel_config){.seed = seed});
}

static struct event_id at(struct kernel *kernel, int64_t time, uint64_t a)
{
    return kernel_schedule(kernel, time, &note_type, NULL, 0, a, 0);
}

/* ---- order ---- */

static void test_kernel_fires_by_time_then_order_and_first_of_instant_first(void **state)
{
    (void)state;
    struct kernel *k = create(1);
    at(k, 20, 4);
    at(k, 10, 2);
    at(k, 10, 3);
    kernel_schedule_first(k, 10, &note_type, NULL, 0, 0, 0);
    kernel_schedule_first(k, 10, &note_type, NULL, 0, 1, 0);
    assert_int_equal(kernel_pending_count(k), 5);
    assert_int_equal(kernel_run(k, 100), KERNEL_DONE);
    assert_int_equal(kernel_now(k), 100);
    assert_int_equal(fired_count, 5);
    for (uint64_t i = 0; i < 5; i++) assert_int_equal(fired[i].a, i);
    assert_int_equal(kernel_events(k), 5);
    assert_int_equal(kernel_pending_count(k), 0);
    kernel_destroy(k);
}

static void test_kernel_runs_up_to_and_including_until(void **state)
{
    (void)state;
    struct kernel *k = create(1);
    at(k, 10, 0);
    at(k, 11, 1);
    assert_int_equal(kernel_run(k, 10), KERNEL_DONE);
    assert_int_equal(fired_count, 1);
    assert_int_equal(kernel_now(k), 10);
    at(k, 10, 2); /* now is not too late */
    assert_int_equal(kernel_run(k, VTIME_MAX), KERNEL_DONE);
    assert_int_equal(fired[1].a, 2);
    assert_int_equal(fired_count, 3);
    assert_int_equal(kernel_now(k), 11); /* time does not run off to the end of the world */
    kernel_destroy(k);
}

static void order_of_ties(uint64_t seed, enum kernel_ties ties, uint64_t *order, size_t count)
{
    struct kernel *k = kernel_create(&(struct kernel_config){.seed = seed, .ties = ties});
    fired_count = 0;
    for (size_t i = 0; i < count; i++) at(k, 7, i + 1);
    kernel_schedule_first(k, 7, &note_type, NULL, 0, 0, 0);
    assert_int_equal(kernel_run(k, 7), KERNEL_DONE);
    assert_int_equal(fired_count, count + 1);
    assert_int_equal(fired[0].a, 0);
    for (size_t i = 0; i < count; i++) order[i] = fired[i + 1].a;
    kernel_destroy(k);
}

static void test_kernel_shuffles_ties_by_seed_but_never_timeline_entries(void **state)
{
    (void)state;
    uint64_t fifo[100], one[100], again[100], two[100], seen[101] = {0};
    order_of_ties(1, TIES_FIFO, fifo, 100);
    order_of_ties(1, TIES_SEEDED, one, 100);
    order_of_ties(1, TIES_SEEDED, again, 100);
    order_of_ties(2, TIES_SEEDED, two, 100);
    assert_memory_equal(one, again, sizeof one);
    assert_memory_not_equal(one, two, sizeof one);
    assert_memory_not_equal(one, fifo, sizeof one);
    size_t in_place = 0, rising = 0;
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(fifo[i], i + 1);
        assert_int_equal(seen[one[i]]++, 0);
        in_place += one[i] == i + 1;
        rising += i > 0 && one[i] > one[i - 1];
    }
    assert_true(in_place < 10);
    assert_in_range(rising, 30, 70);
}

/* ---- cancellation ---- */

static struct event_id victim;
static bool cancelled;

static void cancel_victim(struct kernel *kernel, const struct event *event)
{
    (void)event;
    cancelled = kernel_cancel(kernel, victim);
}

static const struct event_type canceller = {"canceller", EVENT_ID('c', 'a', 'n', 'c'),
                                            cancel_victim};

static void test_kernel_cancels_once_and_recognises_stale_ids(void **state)
{
    (void)state;
    struct kernel *k = create(1);
    assert_false(kernel_cancel(k, (struct event_id){0}));
    assert_false(kernel_pending(k, (struct event_id){UINT64_MAX}));
    struct event_id first = at(k, 10, 1);
    assert_true(kernel_pending(k, first));
    assert_true(kernel_cancel(k, first));
    assert_false(kernel_pending(k, first));
    assert_false(kernel_cancel(k, first));
    struct event_id tenant = at(k, 10, 2); /* takes the same slot */
    assert_false(kernel_cancel(k, first));
    assert_true(kernel_pending(k, tenant));

    victim = kernel_schedule(k, 5, &canceller, NULL, 0, 0,
                             0); /* an event that fires is pending no more */
    cancelled = true;
    kernel_run(k, 5);
    assert_false(cancelled);
    victim = at(k, 9, 99); /* same instant, later order */
    struct event_id killer = kernel_schedule_first(k, 9, &canceller, NULL, 0, 0, 0);
    kernel_run(k, 20);
    assert_true(cancelled);
    assert_false(kernel_pending(k, killer));
    assert_int_equal(fired_count, 1);
    assert_int_equal(fired[0].a, 2);
    kernel_destroy(k);
}

/* The timer of every election: set far ahead, cancelled at once, set again. */
static void test_kernel_does_not_accumulate_cancelled_events(void **state)
{
    (void)state;
    struct kernel *k = create(1);
    struct event_id timers[10] = {{0}};
    size_t bytes = 0;
    for (int i = 0; i < 200000; i++) {
        struct event_id *timer = &timers[i % 10];
        kernel_cancel(k, *timer);
        *timer = at(k, 3600 * NS_PER_S + i, 0);
        if (i == 1000) bytes = kernel_bytes(k);
    }
    assert_int_equal(kernel_pending_count(k), 10);
    assert_int_equal(kernel_bytes(k), bytes);
    assert_int_equal(kernel_run(k, VTIME_MAX), KERNEL_DONE);
    assert_int_equal(fired_count, 10);
    kernel_destroy(k);
}

static void test_kernel_fires_a_random_program_in_order_without_the_cancelled(void **state)
{
    (void)state;
    uint64_t seed = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10) : 1;
    enum { COUNT = 3000 };
    static struct event_id ids[COUNT];
    static int64_t times[COUNT];
    static bool gone[COUNT];
    for (uint64_t round = 0; round < 5; round++) {
        struct kernel *k = create(seed + round);
        struct rng rng;
        kernel_stream(k, &rng, "test", "program");
        memset(gone, 0, sizeof gone);
        for (size_t i = 0; i < COUNT; i++) {
            times[i] = kernel_now(k) + rng_range(&rng, 0, rng_below(&rng, 2) ? 50 : 1000000);
            ids[i] = at(k, times[i], i);
            if (rng_below(&rng, 2)) {
                size_t j = rng_below(&rng, i + 1);
                gone[j] |= kernel_cancel(k, ids[j]);
            }
            if (rng_below(&rng, 10) == 0) kernel_run(k, kernel_now(k) + rng_range(&rng, 0, 30));
        }
        kernel_run(k, VTIME_MAX);
        static bool seen[COUNT];
        memset(seen, 0, sizeof seen);
        for (size_t i = 0; i < fired_count; i++) {
            uint64_t which = fired[i].a;
            assert_false(gone[which] || seen[which]);
            seen[which] = true;
            assert_int_equal(fired[i].time, times[which]);
            if (i > 0)
                assert_true(fired[i - 1].time < fired[i].time ||
                            (fired[i - 1].time == fired[i].time && fired[i - 1].a < which));
        }
        for (size_t i = 0; i < COUNT; i++) assert_true(seen[i] != gone[i]);
        kernel_destroy(k);
    }
}

/* ---- the trace hash ---- */

static uint64_t hash_of(uint64_t seed, const struct event *events, size_t count)
{
    struct kernel *k = create(seed);
    for (size_t i = 0; i < count; i++)
        kernel_schedule(k, events[i].time, events[i].type, events[i].context, events[i].entity,
                        events[i].a, events[i].b);
    kernel_run(k, VTIME_MAX);
    uint64_t hash = kernel_trace_hash(k);
    kernel_destroy(k);
    return hash;
}

static void test_kernel_hash_is_sensitive_to_every_field_and_the_order(void **state)
{
    (void)state;
    const struct event base[2] = {{5, &note_type, NULL, 1, 2, 3},
                                  {5, &note_type, NULL, 4, 5, 6}};
    uint64_t hash = hash_of(1, base, 2);
    assert_true(hash == hash_of(1, base, 2));
    assert_true(hash != hash_of(2, base, 2));
    assert_true(hash != hash_of(1, base, 1));
    for (int field = 0; field < 6; field++) {
        struct event changed[2] = {base[0], base[1]};
        switch (field) {
        case 0: changed[1].time = 6; break;
        case 1: changed[0].type = &other_type; break;
        case 2: changed[0].a ^= UINT64_C(1) << 63; break;
        case 3: changed[1].b++; break;
        case 4: changed[1].entity++; break;
        default:
            changed[0] = base[1];
            changed[1] = base[0];
            break;
        }
        assert_true(hash != hash_of(1, changed, 2));
    }
    int dummy;
    struct event same[2] = {base[0], base[1]};
    same[0].context = &dummy; /* an address never counts */
    assert_true(hash == hash_of(1, same, 2));
}

static void test_kernel_hash_takes_folds(void **state)
{
    (void)state;
    struct kernel *k = create(1), *l = create(1);
    kernel_fold(k, 1);
    assert_true(kernel_trace_hash(k) != kernel_trace_hash(l));
    kernel_fold(l, 1);
    assert_true(kernel_trace_hash(k) == kernel_trace_hash(l));
    kernel_destroy(k);
    kernel_destroy(l);
}

static void test_kernel_hash_has_its_golden_value(void **state)
{
    (void)state;
    const struct event base[2] = {{5, &note_type, NULL, 1, 2, 3},
                                  {5, &note_type, NULL, 4, 5, 6}};
    uint64_t hash = hash_of(2012, base, 2);
    if (hash != GOLDEN_HASH) fail_msg("0x%016llx", (unsigned long long)hash);
}

/* ---- limits ---- */

static void forever(struct kernel *kernel, const struct event *event)
{
    kernel_schedule(kernel, event->time + (int64_t)event->b, event->type, event->context,
                    event->entity, event->a + 1, event->b);
    if (event->context && event->a == *(const uint64_t *)event->context) kernel_stop(kernel);
}

static const struct event_type forever_type = {"forever", EVENT_ID('e', 'v', 'e', 'r'),
                                               forever};

static void test_kernel_stops_at_the_limit_of_events_and_keeps_the_last(void **state)
{
    (void)state;
    struct kernel *k = kernel_create(&(struct kernel_config){.events_max = 1000});
    kernel_schedule(k, 0, &forever_type, NULL, 7, 0,
                    0); /* a loop in zero time: no limit on time would end it */
    assert_int_equal(kernel_run(k, 10), KERNEL_LIMIT_EVENTS);
    assert_int_equal(kernel_events(k), 1000);
    struct event last[32];
    assert_int_equal(kernel_last_events(k, last, 32), 16);
    for (uint64_t i = 0; i < 16; i++) {
        assert_int_equal(last[i].a, 984 + i);
        assert_string_equal(last[i].type->name, "forever");
        assert_int_equal(last[i].entity, 7);
    }
    assert_int_equal(kernel_last_events(k, last, 2), 2);
    assert_int_equal(last[1].a, 999);
    assert_int_equal(kernel_run(k, 10), KERNEL_LIMIT_EVENTS);
    assert_int_equal(kernel_events(k), 1000);
    kernel_events_limit(k, 1100);
    assert_int_equal(kernel_run(k, 10), KERNEL_LIMIT_EVENTS);
    assert_int_equal(kernel_events(k), 1100);
    kernel_destroy(k);
}

static void test_kernel_is_done_when_its_last_event_meets_the_limit(void **state)
{
    (void)state;
    struct kernel *k = kernel_create(&(struct kernel_config){.events_max = 3});
    fired_count = 0;
    for (int i = 0; i < 3; i++) at(k, i, 0);
    assert_int_equal(kernel_run(k, 10), KERNEL_DONE);
    at(k, 10, 0);
    assert_int_equal(kernel_run(k, 10), KERNEL_LIMIT_EVENTS);
    assert_int_equal(fired_count, 3);
    kernel_destroy(k);
}

static void test_kernel_stops_at_the_limit_of_wall_time(void **state)
{
    (void)state;
    struct kernel *k = kernel_create(&(struct kernel_config){.wall_ms_max = 5});
    kernel_schedule(k, 0, &forever_type, NULL, 0, 0, 1);
    assert_int_equal(kernel_run(k, VTIME_MAX), KERNEL_LIMIT_WALL);
    kernel_destroy(k);
}

static void grow(struct kernel *kernel, const struct event *event)
{
    kernel_memory_add(kernel, 100);
    kernel_schedule(kernel, event->time + 1, event->type, NULL, 0, 0, 0);
}

static void test_kernel_stops_at_the_limit_of_memory(void **state)
{
    (void)state;
    static const struct event_type grow_type = {"grow", EVENT_ID('g', 'r', 'o', 'w'), grow};
    struct kernel *k = kernel_create(&(struct kernel_config){.memory_max = 1000});
    kernel_memory_add(k, 500);
    kernel_memory_add(k, -500);
    kernel_schedule(k, 0, &grow_type, NULL, 0, 0, 0);
    assert_int_equal(kernel_run(k, 100), KERNEL_LIMIT_MEMORY);
    assert_int_equal(kernel_events(k), 11);
    kernel_destroy(k);
}

static void test_kernel_stops_when_asked_and_goes_on(void **state)
{
    (void)state;
    struct kernel *k = kernel_create(&(struct kernel_config){.seed = 1});
    uint64_t stop_at = 4;
    kernel_schedule(k, 0, &forever_type, &stop_at, 0, 0, 10);
    assert_int_equal(kernel_run(k, 1000), KERNEL_STOPPED);
    assert_int_equal(kernel_now(k), 40);
    assert_int_equal(kernel_run(k, 1000), KERNEL_DONE);
    assert_int_equal(kernel_events(k), 101);
    kernel_destroy(k);
}

static size_t observed;

static void observe(void *context, const struct event *event)
{
    assert_ptr_equal(context, &observed);
    assert_int_equal(event->a, observed);
    observed++;
}

static void test_kernel_shows_every_event_to_its_observer(void **state)
{
    (void)state;
    struct kernel *k = create(1);
    for (uint64_t i = 0; i < 50; i++) at(k, (int64_t)i, i);
    observed = 0;
    kernel_observe(k, observe, &observed);
    kernel_run(k, 24);
    assert_int_equal(observed, 25);
    kernel_observe(k, NULL, NULL);
    kernel_run(k, 100);
    assert_int_equal(observed, 25);
    kernel_destroy(k);
}

/* ---- two runs ---- */

enum plant {
    PLANT_NOTHING,
    PLANT_FIELD,
    PLANT_TIME,
    PLANT_ENTITY,
    PLANT_DRAW_VALUE,
    PLANT_DRAW_STREAM,
    PLANT_DRAW_MORE,
    PLANT_DRAW_LAST,
    PLANT_EVENT_LESS,
    PLANT_EVENT_MORE,
    PLANT_FOLD,
    PLANTS
};

struct program {
    struct rng net, disk;
    enum plant plant;
};

/* Event n of 100; the difference is planted in the 40th. */
static void step(struct kernel *kernel, const struct event *event)
{
    struct program *p = event->context;
    enum plant plant = event->a == 40 ? p->plant : PLANT_NOTHING;
    struct rng *from = plant == PLANT_DRAW_STREAM ? &p->disk : &p->net;
    if (plant == PLANT_DRAW_VALUE)
        from->s[1] += 0x12345; /* as if the generator had read memory that was never written */
    uint64_t draw = rng_below(from, 1000);
    if (plant == PLANT_DRAW_MORE) rng_u64(&p->disk);
    if (event->a == 99) {
        if (p->plant == PLANT_DRAW_LAST) rng_u64(&p->disk);
        if (p->plant == PLANT_EVENT_MORE)
            kernel_schedule(kernel, event->time + 1, &note_type, NULL, 1, 1, 1);
    }
    if (plant == PLANT_FOLD) kernel_fold(kernel, 1);
    if (event->a < 99 && plant != PLANT_EVENT_LESS)
        kernel_schedule(kernel, event->time + 1000 + (plant == PLANT_TIME), event->type, p,
                        plant == PLANT_ENTITY ? 8 : 7, event->a + 1,
                        draw + (plant == PLANT_FIELD));
}

static const struct event_type step_type = {"step", EVENT_ID('s', 't', 'e', 'p'), step};

static struct kernel *run_program(enum plant plant, const struct kernel *reference,
                                  enum kernel_stop *why)
{
    static struct program program;
    program.plant = plant;
    fired_count = 0;
    struct kernel *k = kernel_create(
        &(struct kernel_config){.seed = 5, .record = !reference, .reference = reference});
    kernel_stream(k, &program.net, "net", "db-a");
    kernel_stream(k, &program.disk, "disk", "db-b");
    kernel_schedule(k, 1000, &step_type, &program, 7, 0, 0);
    *why = kernel_run(k, 1000000);
    if (*why == KERNEL_DONE) *why = kernel_verify(k);
    return k;
}

static void test_kernel_finds_the_first_difference_and_tells_both_sides(void **state)
{
    (void)state;
    /* The 40th step is event 41, at 41,000 ns, and makes draw 41; what it schedules is
     * event 42. */
    static const struct {
        enum plant plant;
        const char *where, *first, *second;
    } expected[] = {
        {PLANT_FIELD, "at event 42", "event 'step' of entity 7 at 0:00.000 (42000 ns), a=41",
         "event 'step' of entity 7 at 0:00.000 (42000 ns), a=41"},
        {PLANT_TIME, "at event 42", "(42000 ns)", "(42001 ns)"},
        {PLANT_ENTITY, "at event 42", "entity 7", "entity 8"},
        {PLANT_DRAW_VALUE, "at draw 41", "draw from stream 'net db-a' at 0:00.000 (41000 ns)",
         "draw from stream 'net db-a' at 0:00.000 (41000 ns), of another value"},
        {PLANT_DRAW_STREAM, "at draw 41", "stream 'net db-a'", "stream 'disk db-b'"},
        {PLANT_DRAW_MORE, "at draw 42", "stream 'net db-a' at 0:00.000 (42000 ns)",
         "stream 'disk db-b' at 0:00.000 (41000 ns)"},
        {PLANT_DRAW_LAST, "at draw 101", "nothing: its draws ended here",
         "stream 'disk db-b' at 0:00.000 (100000 ns)"},
        {PLANT_EVENT_LESS, "at event 42", "event 'step' of entity 7 at 0:00.000 (42000 ns)",
         "nothing: its events ended here"},
        {PLANT_EVENT_MORE, "at event 101", "nothing: its events ended here",
         "event 'note' of entity 1"},
        {PLANT_FOLD, "at event 42", "event 'step'", "event '(folded value)'"},
    };
    enum kernel_stop why;
    struct kernel *reference = run_program(PLANT_NOTHING, NULL, &why);
    assert_int_equal(why, KERNEL_DONE);
    struct kernel *same = run_program(PLANT_NOTHING, reference, &why);
    assert_int_equal(why, KERNEL_DONE);
    assert_null(kernel_divergence(same));
    assert_true(kernel_trace_hash(same) == kernel_trace_hash(reference));
    assert_int_equal(kernel_draws(same), kernel_draws(reference));
    kernel_destroy(same);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        struct kernel *k = run_program(expected[i].plant, reference, &why);
        assert_int_equal(why, KERNEL_DIVERGED);
        const char *text = kernel_divergence(k), *first = strstr(text, "first run:"),
                   *second = strstr(text, "second run:");
        assert_true(first && second);
        if (!strstr(text, expected[i].where) || !strstr(first, expected[i].first) ||
            strstr(first, expected[i].first) > second || !strstr(second, expected[i].second))
            fail_msg("plant %d: %s", (int)expected[i].plant, text);
        assert_true(kernel_events(k) <= 101);
        kernel_destroy(k);
    }
    /* And the other way round: the reference did more. */
    struct kernel *more = run_program(PLANT_DRAW_LAST, NULL, &why);
    struct kernel *less = run_program(PLANT_NOTHING, more, &why);
    assert_int_equal(why, KERNEL_DIVERGED);
    assert_non_null(
        strstr(kernel_divergence(less), "second run: nothing: its draws ended here"));
    kernel_destroy(less);
    kernel_destroy(more);
    kernel_destroy(reference);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernel_fires_by_time_then_order_and_first_of_instant_first),
        cmocka_unit_test(test_kernel_runs_up_to_and_including_until),
        cmocka_unit_test(test_kernel_shuffles_ties_by_seed_but_never_timeline_entries),
        cmocka_unit_test(test_kernel_cancels_once_and_recognises_stale_ids),
        cmocka_unit_test(test_kernel_does_not_accumulate_cancelled_events),
        cmocka_unit_test(test_kernel_fires_a_random_program_in_order_without_the_cancelled),
        cmocka_unit_test(test_kernel_hash_is_sensitive_to_every_field_and_the_order),
        cmocka_unit_test(test_kernel_hash_takes_folds),
        cmocka_unit_test(test_kernel_hash_has_its_golden_value),
        cmocka_unit_test(test_kernel_stops_at_the_limit_of_events_and_keeps_the_last),
        cmocka_unit_test(test_kernel_is_done_when_its_last_event_meets_the_limit),
        cmocka_unit_test(test_kernel_stops_at_the_limit_of_wall_time),
        cmocka_unit_test(test_kernel_stops_at_the_limit_of_memory),
        cmocka_unit_test(test_kernel_stops_when_asked_and_goes_on),
        cmocka_unit_test(test_kernel_shows_every_event_to_its_observer),
        cmocka_unit_test(test_kernel_finds_the_first_difference_and_tells_both_sides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
