/* Goal: the engine benchmark does what its definition says, key by key, so that its figures
 * compare with those of other programs. Method: orders against a second implementation written
 * here and against words that another program printed; mixes against their shares. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "sim/bench/stream.h"

static uint64_t next(uint64_t *s)
{
    uint64_t z = (*s += 0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
}

static struct bench_stream *stream_of(const char *workload, uint64_t keys)
{
    struct bench_stream *stream = NULL;
    const struct bench_workload *found = bench_workload_find(workload);
    assert_non_null(found);
    assert_int_equal(bench_stream_create(found, keys, &stream), 0);
    return stream;
}

/* All keys of a stream whose operations have one type. */
static uint64_t *keys_of(const char *workload, uint64_t keys, enum bench_operation_type type,
                         uint64_t *count)
{
    struct bench_stream *stream = stream_of(workload, keys);
    struct bench_operation operation;
    *count = bench_stream_count(stream);
    uint64_t *list = malloc((*count + 1) * sizeof *list), n = 0;
    while (bench_stream_next(stream, &operation)) {
        assert_int_equal(operation.type, type);
        assert_true(n < *count);
        list[n++] = operation.key;
    }
    assert_int_equal(n, *count);
    assert_false(bench_stream_next(stream, &operation)); /* the end stays the end */
    bench_stream_destroy(stream);
    return list;
}

static void test_keys_are_sixteen_digits_in_order(void **state)
{
    (void)state;
    char key[BENCH_KEY_SIZE], larger[BENCH_KEY_SIZE];
    bench_key(key, 42);
    assert_memory_equal(key, "0000000000000042", BENCH_KEY_SIZE);
    bench_key(key, 999);
    bench_key(larger, 1000);
    assert_true(memcmp(key, larger, BENCH_KEY_SIZE) < 0);
}

static void test_values_come_from_the_defined_pool(void **state)
{
    (void)state;
    static const struct {
        uint64_t key;
        uint32_t generation;
        unsigned char bytes[8];
    } known[] = {{0, 0, {0x4c, 0xe5, 0x8a, 0xde, 0xd6, 0x8e, 0xcc, 0xfb}},
                 {0, 1, {0x6c, 0x4f, 0x2b, 0x1f, 0x18, 0xc9, 0xb2, 0xf5}},
                 {999, 0, {0x7f, 0x93, 0x35, 0xd6, 0x37, 0xa8, 0xf4, 0x6f}},
                 {123456, 1, {0x52, 0x53, 0x09, 0xb5, 0x13, 0xdc, 0xd6, 0xc0}}};
    struct bench_pool *pool = bench_pool_create();
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_memory_equal(bench_value(pool, known[i].key, known[i].generation),
                            known[i].bytes, 8);
    bench_pool_destroy(pool);
}

static void test_fills_take_each_key_once_in_the_defined_order(void **state)
{
    (void)state;
    uint64_t n = 20000, count, s = 1; /* more than a block of the stream */
    uint64_t *order = malloc(n * sizeof *order);
    for (uint64_t i = 0; i < n; i++) order[i] = i;
    uint64_t *keys = keys_of("fillseq", n, BENCH_FILL, &count);
    assert_int_equal(count, n);
    assert_memory_equal(keys, order, n * sizeof *order);
    free(keys);
    for (uint64_t i = n - 1; i > 0; i--) {
        uint64_t j = next(&s) % (i + 1), moved = order[i];
        order[i] = order[j];
        order[j] = moved;
    }
    static const char *const shuffled[] = {"fillrandom", "fillbatch", "fillsync", "recover"};
    for (size_t i = 0; i < 4; i++) {
        keys = keys_of(shuffled[i], n, BENCH_FILL, &count);
        assert_int_equal(count, n);
        assert_memory_equal(keys, order, n * sizeof *order);
        free(keys);
    }
    free(order);
}

static void test_orders_are_those_that_another_program_printed(void **state)
{
    (void)state;
    static const struct {
        const char *workload;
        enum bench_operation_type type;
        uint64_t first[4], last;
    } known[] = {{"fillrandom", BENCH_FILL, {459, 684, 84, 7}, 465},
                 {"overwrite", BENCH_UPDATE, {110, 226, 951, 236}, 136},
                 {"readrandom", BENCH_GET, {53, 561, 729, 647}, 625},
                 {"readmissing", BENCH_GET_MISSING, {978, 304, 247, 582}, 693}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint64_t count, *keys = keys_of(known[i].workload, 1000, known[i].type, &count);
        assert_int_equal(count, 1000);
        assert_memory_equal(keys, known[i].first, sizeof known[i].first);
        assert_int_equal(keys[999], known[i].last);
        free(keys);
    }
}

static void test_reads_are_half_a_million_at_most_and_scans_ten_thousand(void **state)
{
    (void)state;
    static const struct {
        const char *workload;
        uint64_t keys, operations;
    } cases[] = {{"readrandom", 600000, 500000}, {"readmissing", 600000, 500000},
                 {"overwrite", 600000, 600000},  {"scan100", 10, 10000},
                 {"readseq", 600000, 1},         {"ycsb_c", 700, 700}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench_stream *stream = stream_of(cases[i].workload, cases[i].keys);
        assert_int_equal(bench_stream_count(stream), cases[i].operations);
        bench_stream_destroy(stream);
    }
}

static void test_scans_start_where_defined_and_take_a_hundred(void **state)
{
    (void)state;
    struct bench_stream *stream = stream_of("scan100", 1000);
    struct bench_operation operation;
    uint64_t s = 5;
    while (bench_stream_next(stream, &operation)) {
        assert_int_equal(operation.type, BENCH_SCAN);
        assert_int_equal(operation.entries, 100);
        assert_int_equal(operation.key, next(&s) % 1000);
    }
    bench_stream_destroy(stream);
}

/* Counts of a YCSB workload over 1,000 records; every key must be there when it is asked for.
 */
struct mix {
    uint64_t of[BENCH_MODIFY + 1], total, most, entries, longest, shortest, inserts;
    uint64_t newest; /* reads of one of the ten youngest keys */
};

static struct mix mix_of(const char *workload)
{
    enum { KEYS = 20000 };
    struct mix mix = {.shortest = UINT64_MAX};
    static uint64_t asked[2 * KEYS];
    memset(asked, 0, sizeof asked);
    struct bench_stream *stream = stream_of(workload, KEYS);
    struct bench_operation operation;
    uint64_t live = KEYS;
    while (bench_stream_next(stream, &operation)) {
        mix.of[operation.type]++;
        mix.total++;
        if (operation.type == BENCH_FILL) {
            assert_int_equal(operation.key, live);
            live++;
            continue;
        }
        assert_true(operation.key < live);
        if (live - operation.key <= 10) mix.newest++;
        if (++asked[operation.key] > mix.most) mix.most = asked[operation.key];
        if (operation.type != BENCH_SCAN) continue;
        mix.entries += operation.entries;
        if (operation.entries > mix.longest) mix.longest = operation.entries;
        if (operation.entries < mix.shortest) mix.shortest = operation.entries;
    }
    mix.inserts = live - KEYS;
    assert_int_equal(bench_stream_inserts(stream), mix.inserts);
    bench_stream_destroy(stream);
    return mix;
}

#define ABOUT(value, percent, total)                                                           \
    assert_in_range((value)*1000, (uint64_t)(total) * (percent)*9,                             \
                    (uint64_t)(total) * (percent)*11)

static void test_ycsb_mixes_are_those_of_the_paper(void **state)
{
    (void)state;
    struct mix a = mix_of("ycsb_a"), b = mix_of("ycsb_b"), c = mix_of("ycsb_c"),
               d = mix_of("ycsb_d"), e = mix_of("ycsb_e"), f = mix_of("ycsb_f");
    ABOUT(a.of[BENCH_UPDATE], 50, a.total);
    assert_int_equal(a.of[BENCH_UPDATE] + a.of[BENCH_GET], a.total);
    ABOUT(b.of[BENCH_UPDATE], 5, b.total);
    assert_int_equal(b.of[BENCH_UPDATE] + b.of[BENCH_GET], b.total);
    assert_int_equal(c.of[BENCH_GET], c.total);
    ABOUT(d.of[BENCH_FILL], 5, d.total);
    assert_int_equal(d.of[BENCH_FILL] + d.of[BENCH_GET], d.total);
    ABOUT(e.of[BENCH_FILL], 5, e.total);
    assert_int_equal(e.of[BENCH_FILL] + e.of[BENCH_SCAN], e.total);
    ABOUT(f.of[BENCH_MODIFY], 50, f.total);
    assert_int_equal(f.of[BENCH_MODIFY] + f.of[BENCH_GET], f.total);
}

static void test_ycsb_scans_are_one_to_a_hundred_uniform(void **state)
{
    (void)state;
    struct mix e = mix_of("ycsb_e");
    assert_int_equal(e.shortest, 1);
    assert_int_equal(e.longest, 100);
    assert_in_range(e.entries * 10 / e.of[BENCH_SCAN], 495, 515); /* mean 50.5 */
}

/* 1 / (sum of i^-0.99 for i to 20,000) = 9.3 %; the first ten ranks have 27.5 %. */
static void test_ycsb_choices_are_zipfian_with_exponent_099(void **state)
{
    (void)state;
    struct mix c = mix_of("ycsb_c"), d = mix_of("ycsb_d");
    assert_in_range(c.most * 1000 / c.total, 85, 101);
    assert_in_range(c.newest * 1000 / c.total, 0, 60); /* scrambled: anywhere */
    assert_in_range(d.newest * 1000 / d.of[BENCH_GET], 255, 295);
}

static void test_the_same_stream_comes_twice(void **state)
{
    (void)state;
    for (const struct bench_workload *w = bench_workloads; w->name; w++) {
        struct bench_stream *one = stream_of(w->name, 500), *two = stream_of(w->name, 500);
        struct bench_operation x, y;
        while (bench_stream_next(one, &x)) {
            assert_true(bench_stream_next(two, &y));
            assert_true(x.type == y.type && x.entries == y.entries && x.key == y.key);
        }
        bench_stream_destroy(one);
        bench_stream_destroy(two);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_are_sixteen_digits_in_order),
        cmocka_unit_test(test_values_come_from_the_defined_pool),
        cmocka_unit_test(test_fills_take_each_key_once_in_the_defined_order),
        cmocka_unit_test(test_orders_are_those_that_another_program_printed),
        cmocka_unit_test(test_reads_are_half_a_million_at_most_and_scans_ten_thousand),
        cmocka_unit_test(test_scans_start_where_defined_and_take_a_hundred),
        cmocka_unit_test(test_ycsb_mixes_are_those_of_the_paper),
        cmocka_unit_test(test_ycsb_scans_are_one_to_a_hundred_uniform),
        cmocka_unit_test(test_ycsb_choices_are_zipfian_with_exponent_099),
        cmocka_unit_test(test_the_same_stream_comes_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
