/* Goal: the Bloom filter never denies a key that it holds, and affirms one that it does not as
 * often as the theory says. Method: a million absent keys a width, one large filter and many
 * small ones; malformed filters, which come from disk.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engines/storage/bloom.h"

#define PROBES 1000000u

static uint64_t hash_of(uint64_t number)
{
    unsigned char key[8];
    put_u64(key, number);
    return bloom_hash(bytes_of(key, sizeof(key)));
}

/* (1 - e^(-k/b))^k in parts per billion, for b bits a key and k = floor(b ln 2) probes. */
static const struct {
    uint32_t bits;
    uint64_t rate_ppb;
} theory[] = {
    {5, 91848839}, /* k = 3 */
    {8, 21679217}, /* k = 5 */
    {10, 8436209}, /* k = 6 */
    {16, 458711},  /* k = 11 */
};

/* Filters of `count` keys, `probes` absent keys spread over them. */
static uint64_t false_positives(uint32_t bits, size_t count, size_t filters, uint64_t probes)
{
    struct buffer filter = {.allocator = &allocator_system};
    uint64_t *hashes = malloc(count * sizeof(*hashes));
    uint64_t found = 0, next = 0;
    assert_non_null(hashes);
    for (size_t f = 0; f < filters; f++) {
        buffer_clear(&filter);
        for (size_t i = 0; i < count; i++) hashes[i] = hash_of(next++);
        assert_int_equal(bloom_append(&filter, hashes, count, bits), 0);
        assert_int_equal(filter.size, (count * bits + 7) / 8 + 1);
        for (size_t i = 0; i < count; i++)
            assert_true(bloom_may_hold(buffer_bytes(&filter), hashes[i]));
        for (size_t i = 0; i < probes / filters; i++)
            found += bloom_may_hold(buffer_bytes(&filter), hash_of(next++ | UINT64_C(1) << 40));
    }
    free(hashes);
    buffer_deinit(&filter);
    return found;
}

static void rate_is_near_theory(size_t count, size_t filters)
{
    for (size_t i = 0; i < sizeof(theory) / sizeof(theory[0]); i++) {
        /* Where a million give some 460, chance alone is a twentieth: four million of them. */
        uint64_t probes = theory[i].bits < 16 ? PROBES : 4 * PROBES;
        uint64_t found = false_positives(theory[i].bits, count, filters, probes);
        uint64_t expected = theory[i].rate_ppb * (probes / 1000) / 1000000;
        print_message("%2u bits a key, %zu keys: %llu false positives in %llu, theory %llu\n",
                      theory[i].bits, count, (unsigned long long)found,
                      (unsigned long long)probes, (unsigned long long)expected);
        assert_true(found * 10 >= expected * 9);
        assert_true(found * 10 <= expected * 11);
    }
}

static void test_the_rate_of_a_large_filter_is_within_a_tenth_of_theory(void **state)
{
    (void)state;
    rate_is_near_theory(100000, 1);
}

static void test_the_rate_of_small_filters_is_within_a_tenth_of_theory(void **state)
{
    (void)state;
    rate_is_near_theory(1000, 100);
}

static void test_every_width_holds_what_was_put_in(void **state)
{
    (void)state;
    for (uint32_t bits = 1; bits <= BLOOM_BITS_MAX; bits++)
        for (size_t count = 1; count < 40; count += 13) {
            struct buffer filter = {.allocator = &allocator_system};
            uint64_t hashes[40];
            for (size_t i = 0; i < count; i++) hashes[i] = hash_of(i * 77 + bits);
            /* Appended: what stood before stays. */
            assert_int_equal(buffer_append(&filter, "abc", 3), 0);
            assert_int_equal(bloom_append(&filter, hashes, count, bits), 0);
            assert_memory_equal(filter.data, "abc", 3);
            for (size_t i = 0; i < count; i++)
                assert_true(
                    bloom_may_hold(bytes_of(filter.data + 3, filter.size - 3), hashes[i]));
            buffer_deinit(&filter);
        }
}

/* A filter that was damaged on disk may say yes too often, which costs a read, and must not
 * read outside itself. */
static void test_an_empty_or_malformed_filter_holds_everything(void **state)
{
    (void)state;
    static const unsigned char bad[][3] = {{0, 0, 0}, {0, 0, 45}, {0, 0, 255}};
    struct buffer filter = {.allocator = &allocator_system};
    assert_true(bloom_may_hold(bytes_of(NULL, 0), 1));
    assert_true(bloom_may_hold(bytes_of("\3", 1), 1));
    for (size_t i = 0; i < 3; i++) assert_true(bloom_may_hold(bytes_of(bad[i], 3), hash_of(i)));
    assert_int_equal(bloom_append(&filter, NULL, 0, 10), 0);
    assert_true(bloom_may_hold(buffer_bytes(&filter), 1));
    buffer_deinit(&filter);
}

/* The bytes stand on disk: another machine, or the next version, must find the same. */
static void test_the_bytes_are_what_they_always_were(void **state)
{
    (void)state;
    struct buffer filter = {.allocator = &allocator_system};
    uint64_t hashes[3] = {hash_of(1), hash_of(2), hash_of(3)};
    assert_int_equal(bloom_append(&filter, hashes, 3, 10), 0);
    assert_int_equal(filter.size, 5);
    assert_memory_equal(filter.data, "\xf8\x16\x55\x41\x06", 5);
    buffer_deinit(&filter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_rate_of_a_large_filter_is_within_a_tenth_of_theory),
        cmocka_unit_test(test_the_rate_of_small_filters_is_within_a_tenth_of_theory),
        cmocka_unit_test(test_every_width_holds_what_was_put_in),
        cmocka_unit_test(test_an_empty_or_malformed_filter_holds_everything),
        cmocka_unit_test(test_the_bytes_are_what_they_always_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
