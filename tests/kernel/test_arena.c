/* Goal: the arena gives zeroed, aligned memory that does not overlap and stays until the arena
 * goes; durations and moments are written as documented. Method: many allocations of mixed
 * sizes, each filled with its own byte and looked at again at the end (leaks and overruns are
 * ASan's to find); tables of texts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "sim/kernel/arena.h"
#include "sim/kernel/random.h"
#include "sim/kernel/vtime.h"

static void test_arena_gives_zeroed_aligned_memory_that_stays(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    static unsigned char *blocks[COUNT];
    static size_t sizes[COUNT];
    struct rng rng;
    rng_init(&rng, 1, "arena", "", NULL);
    struct arena *arena = arena_create();
    size_t total = 0;
    for (size_t i = 0; i < COUNT; i++) {
        sizes[i] = rng_below(&rng, 100) == 0 ? rng_below(&rng, 200000) : rng_below(&rng, 200);
        blocks[i] = arena_alloc(arena, sizes[i]);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        for (size_t j = 0; j < sizes[i]; j++) assert_int_equal(blocks[i][j], 0);
        memset(blocks[i], (int)(i % 255) + 1, sizes[i]);
        total += sizes[i];
    }
    for (size_t i = 0; i < COUNT; i++)
        for (size_t j = 0; j < sizes[i]; j++) assert_int_equal(blocks[i][j], i % 255 + 1);
    assert_true(arena_size(arena) >= total &&
                arena_size(arena) < total + total / 4 + (1 << 17));
    arena_destroy(arena);
    arena_destroy(NULL);
}

static void test_arena_copies_and_formats_text(void **state)
{
    (void)state;
    struct arena *arena = arena_create();
    char text[] = "node";
    char *copy = arena_strdup(arena, text);
    text[0] = 'm';
    assert_string_equal(copy, "node");
    assert_string_equal(arena_printf(arena, "%s-%d", copy, 7), "node-7");
    char *wide = arena_printf(arena, "%100000d", 1);
    assert_int_equal(strlen(wide), 100000);
    arena_destroy(arena);
}

static void test_vtime_is_written_as_minutes_and_seconds(void **state)
{
    (void)state;
    static const struct {
        int64_t ns;
        const char *text;
    } moments[] = {
        {0, "0:00.000"},
        {480 * NS_PER_S, "8:00.000"},
        {999999, "0:00.000"},
        {61 * NS_PER_S + 5 * NS_PER_MS, "1:01.005"},
        {3600 * NS_PER_S, "60:00.000"},
        {-NS_PER_S, "-0:01.000"},
    };
    char out[32];
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++)
        assert_string_equal(vtime_format(moments[i].ns, out, sizeof out), moments[i].text);
    assert_string_equal(vtime_format(480 * NS_PER_S, out, 4), "8:0");
}

static void test_duration_is_written_with_its_largest_exact_unit(void **state)
{
    (void)state;
    static const struct {
        int64_t ns;
        const char *text;
    } durations[] = {
        {43 * NS_PER_S, "43s"},
        {250 * NS_PER_US, "250us"},
        {1500 * NS_PER_US, "1.5ms"},
        {720 * NS_PER_S, "12m"},
        {90 * NS_PER_S, "1.5m"},
        {45 * NS_PER_S, "45s"},
        {61 * NS_PER_S, "61s"},
        {1234567, "1234.567us"},
        {1, "1ns"},
        {0, "0s"},
        {-1500, "-1.5us"},
        {61200 * NS_PER_MS, "61.2s"},
        {NS_PER_S + 1, "1000000.001us"},
        {100, "100ns"},
    };
    char out[32];
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++)
        assert_string_equal(duration_format(durations[i].ns, out, sizeof out),
                            durations[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena_gives_zeroed_aligned_memory_that_stays),
        cmocka_unit_test(test_arena_copies_and_formats_text),
        cmocka_unit_test(test_vtime_is_written_as_minutes_and_seconds),
        cmocka_unit_test(test_duration_is_written_with_its_largest_exact_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
