/* Goal: buffers, the CRC and option quantities do what their headers say. Method: known
 * vectors, both CRC implementations against each other at every alignment, a table of texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>

#include <cmocka.h>
#include <xxhash.h>

#include "engines/bytes.h"
#include "engines/options.h"

/* ---- crc32c ---- */

static void test_crc32c_gives_the_vectors_of_rfc_3720(void **state)
{
    (void)state;
    unsigned char block[32];
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    memset(block, 0, sizeof(block));
    assert_int_equal(crc32c(0, block, 32), 0x8a9136aa);
    memset(block, 0xff, sizeof(block));
    assert_int_equal(crc32c(0, block, 32), 0x62a8ab43);
    for (int i = 0; i < 32; i++) block[i] = (unsigned char)i;
    assert_int_equal(crc32c(0, block, 32), 0x46dd794e);
    assert_int_equal(crc32c(0, NULL, 0), 0);
}

static void test_crc32c_by_table_and_by_instruction_are_the_same(void **state)
{
    (void)state;
    unsigned char data[300];
    uint32_t x = 1;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)((x = x * 1664525 + 1013904223) >> 24);
    for (size_t from = 0; from < 17; from++)
        for (size_t size = 0; size + from < sizeof(data); size++)
            assert_int_equal(crc32c(x, data + from, size),
                             crc32c_portable(x, data + from, size));
}

/* Where three sums run at once: around each length at which their stretches change. */
static void test_crc32c_of_long_data_is_the_same_by_table(void **state)
{
    (void)state;
    static const size_t edges[] = {192, 384, 768, 960, 4080, 4096, 4848, 8160, 9000};
    static unsigned char data[9100];
    uint32_t x = 7;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)((x = x * 1664525 + 1013904223) >> 24);
    for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
        for (size_t size = edges[i] - 9; size <= edges[i] + 9; size++)
            for (size_t from = 0; from < 9; from += 4)
                assert_int_equal(crc32c(x, data + from, size),
                                 crc32c_portable(x, data + from, size));
}

static void test_crc32c_chains(void **state)
{
    (void)state;
    const char *text = "the quick brown fox jumps over the lazy dog";
    uint32_t whole = crc32c(0, text, strlen(text));
    for (size_t cut = 0; cut <= strlen(text); cut++)
        assert_int_equal(crc32c(crc32c(0, text, cut), text + cut, strlen(text) - cut), whole);
}

/* ---- hashing ---- */

/* By whichever registers: around the sizes at which XXH3 takes another path, and at the sizes
 * of blocks and pages, it is the function of the library. */
static void test_bytes_hash_is_xxh3_at_every_size(void **state)
{
    (void)state;
    static unsigned char data[8300];
    uint32_t x = 11;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)((x = x * 1664525 + 1013904223) >> 24);
    for (size_t size = 0; size <= sizeof(data) - 3; size += size < 2100 ? 1 : 61)
        for (size_t from = 0; from < 4; from += 3)
            for (uint64_t seed = 0; seed < 2; seed++) {
                uint64_t wide_seed = seed * UINT64_C(0x9E3779B97F4A7C15);
                assert_true(bytes_hash(bytes_of(data + from, size), wide_seed) ==
                            XXH3_64bits_withSeed(data + from, size, wide_seed));
            }
    /* What stands on disks must not change: a known answer too. */
    memset(data, 'a', sizeof(data));
    assert_true(bytes_hash(bytes_of(data, 0), 0) == UINT64_C(0x2d06800538d394c2));
}

/* ---- buffers ---- */

struct limited {
    size_t left;
};

static void *limited_resize(void *context, void *block, size_t old_size, size_t new_size)
{
    struct limited *limited = context;
    if (new_size > old_size) {
        if (new_size - old_size > limited->left) return NULL;
        limited->left -= new_size - old_size;
    }
    return allocator_system.resize(NULL, block, old_size, new_size);
}

static void test_buffer_that_cannot_grow_keeps_what_it_has(void **state)
{
    (void)state;
    struct limited limited = {100};
    struct allocator allocator = {limited_resize, &limited};
    struct buffer b = {.allocator = &allocator};
    char text[200] = {0};
    assert_int_equal(buffer_append(&b, "abc", 3), 0);
    assert_int_equal(buffer_append(&b, text, sizeof(text)), -ENOMEM);
    assert_int_equal(b.size, 3);
    assert_memory_equal(b.data, "abc", 3);
    assert_int_equal(buffer_assign(&b, bytes_of(text, sizeof(text))), -ENOMEM);
    assert_int_equal(b.size, 3);
    buffer_deinit(&b);
}

static void test_buffer_holds_what_was_appended(void **state)
{
    (void)state;
    struct buffer b = {.allocator = &allocator_system};
    for (unsigned i = 0; i < 10000; i++) {
        unsigned char c = (unsigned char)(i * 7);
        assert_int_equal(buffer_append(&b, &c, 1), 0);
    }
    for (unsigned i = 0; i < 10000; i++) assert_int_equal(b.data[i], (unsigned char)(i * 7));
    buffer_clear(&b);
    assert_int_equal(b.size, 0);
    assert_int_equal(buffer_assign(&b, BYTES_LITERAL("xyz")), 0);
    assert_true(bytes_equal(buffer_bytes(&b), BYTES_LITERAL("xyz")));
    buffer_deinit(&b);
}

static void test_bytes_compare_orders_as_memcmp_with_prefixes_first(void **state)
{
    (void)state;
    const char *sorted[] = {"", "a", "a\x01", "aa", "ab", "b", "\xff"};
    for (size_t i = 0; i < 7; i++)
        for (size_t j = 0; j < 7; j++) {
            int order = bytes_compare(bytes_string(sorted[i]), bytes_string(sorted[j]));
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
}

/* ---- quantities ---- */

static void test_quantity_parse_reads_every_unit(void **state)
{
    (void)state;
    static const struct {
        enum option_type type;
        const char *text;
        int64_t value;
    } good[] = {
        {OPTION_INT, "0", 0},
        {OPTION_INT, "3", 3},
        {OPTION_INT, "-7", -7},
        {OPTION_INT, "999999999999999999", INT64_C(999999999999999999)},
        {OPTION_SIZE, "512B", 512},
        {OPTION_SIZE, "64MiB", 64 << 20},
        {OPTION_SIZE, "1.5kB", 1500},
        {OPTION_SIZE, "4KiB", 4096},
        {OPTION_SIZE, "2GB", INT64_C(2000000000)},
        {OPTION_SIZE, "3MB", 3000000},
        {OPTION_SIZE, "1GiB", 1 << 30},
        {OPTION_SIZE, "0B", 0},
        {OPTION_DURATION, "250us", 250000},
        {OPTION_DURATION, "43s", INT64_C(43000000000)},
        {OPTION_DURATION, "1.5ms", 1500000},
        {OPTION_DURATION, "0.000000001s", 1},
        {OPTION_DURATION, "12m", INT64_C(720000000000)},
        {OPTION_DURATION, "2h", INT64_C(7200000000000)},
        {OPTION_DURATION, "9ns", 9},
        {OPTION_DURATION, "never", -1},
        {OPTION_DURATION, "-200ms", -200000000},
        {OPTION_RATE, "22.186/s", 22186000},
        {OPTION_RATE, "10/m", 166667},
        {OPTION_RATE, "3600/h", 1000000},
        {OPTION_BANDWIDTH, "100MB/s", 100000000},
        {OPTION_BANDWIDTH, "1Gbit/s", 125000000},
        {OPTION_BANDWIDTH, "unlimited", 0},
        {OPTION_BANDWIDTH, "8bit/s", 1},
        {OPTION_BANDWIDTH, "1MiB/s", 1 << 20},
        {OPTION_FRACTION, "0.1%", 1000},
        {OPTION_FRACTION, "200ppm", 200},
        {OPTION_FRACTION, "-200000ppm", -200000},
        {OPTION_FRACTION, "100%", 1000000},
        {OPTION_FACTOR, "10x", 10000000},
        {OPTION_FACTOR, "0.8x", 800000},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int64_t value = -12345;
        const char *why = NULL;
        int err = quantity_parse(good[i].type, good[i].text, &value, &why);
        if (err || value != good[i].value)
            fail_msg("\"%s\": %d %lld (%s)", good[i].text, err, (long long)value,
                     why ? why : "");
    }
}

static void test_quantity_parse_refuses_everything_else_and_says_why(void **state)
{
    (void)state;
    static const struct {
        enum option_type type;
        const char *text, *why;
    } bad[] = {
        {OPTION_DURATION, "43", "unit"},
        {OPTION_DURATION, "43 s", "unit"},
        {OPTION_DURATION, "s", "digit"},
        {OPTION_DURATION, "", "digit"},
        {OPTION_DURATION, "010s", "zeros"},
        {OPTION_DURATION, "00s", "zeros"},
        {OPTION_DURATION, "+1s", "plus"},
        {OPTION_DURATION, ".5s", "digit"},
        {OPTION_DURATION, "5.s", "point"},
        {OPTION_DURATION, "1.5ns", "exactly"},
        {OPTION_DURATION, "9999999999h", "large"},
        {OPTION_DURATION, "--1s", "digit"},
        {OPTION_DURATION, "1e3s", "unit"},
        {OPTION_DURATION, "Never", "digit"},
        {OPTION_INT, "0x10", "whole"},
        {OPTION_INT, "1e3", "whole"},
        {OPTION_INT, "1.5", "whole"},
        {OPTION_INT, "12345678901234567890", "large"},
        {OPTION_INT, " 1", "digit"},
        {OPTION_INT, "1 ", "whole"},
        {OPTION_INT, "1_000", "whole"},
        {OPTION_SIZE, "64", "unit"},
        {OPTION_SIZE, "64mb", "unit"},
        {OPTION_SIZE, "-1B", "negative"},
        {OPTION_SIZE, "0.5B", "exactly"},
        {OPTION_SIZE, "9999999999999GiB", "large"},
        {OPTION_RATE, "1e999/s", "unit"},
        {OPTION_RATE, "10", "unit"},
        {OPTION_RATE, "-1/s", "negative"},
        {OPTION_BANDWIDTH, "100MB", "unit"},
        {OPTION_BANDWIDTH, "1bit/s", "exactly"},
        {OPTION_FRACTION, "0.1", "unit"},
        {OPTION_FRACTION, "0.5ppm", "exactly"},
        {OPTION_FACTOR, "10", "unit"},
        {OPTION_FACTOR, "x", "digit"},
        {OPTION_WORD, "3", "quantity"},
        {OPTION_STRING, "3s", "quantity"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t value = -12345;
        const char *why = "";
        int err = quantity_parse(bad[i].type, bad[i].text, &value, &why);
        if (err != -EINVAL || value != -12345 || !strstr(why, bad[i].why))
            fail_msg("\"%s\": %d %lld (%s)", bad[i].text, err, (long long)value, why);
    }
}

/* ---- defaults ---- */

enum colour { RED, GREEN };
static const char *const colours[] = {"red", "green", NULL};

struct sample {
    int64_t size, timeout, required, optional;
    int32_t colour, yes, node;
    uint32_t classes;
    const char *text;
    struct option_list places;
};

#define FIELD(f) .offset = offsetof(struct sample, f)

static const struct option sample_table[] = {
    {.name = "size",
     .type = OPTION_SIZE,
     FIELD(size),
     .value = "4KiB",
     .low = 512,
     .high = 8192},
    {.name = "timeout",
     .type = OPTION_DURATION,
     FIELD(timeout),
     .value = "never",
     .low = -1,
     .high = INT64_MAX},
    {.name = "required", .type = OPTION_INT, FIELD(required)},
    {.name = "optional", .type = OPTION_INT, FIELD(optional), .flags = OPTION_OPTIONAL},
    {.name = "colour", .type = OPTION_WORD, FIELD(colour), .value = "green", .words = colours},
    {.name = "yes", .type = OPTION_YESNO, FIELD(yes), .value = "yes"},
    {.name = "node", .type = OPTION_NODE, FIELD(node)},
    {.name = "classes", .type = OPTION_CLASSES, FIELD(classes)},
    {.name = "text", .type = OPTION_STRING, FIELD(text), .value = "hello"},
    {.name = "places", .type = OPTION_PLACES, FIELD(places)},
};

static void test_options_default_fills_each_type(void **state)
{
    (void)state;
    struct sample s;
    memset(&s, 0xff, sizeof(s));
    assert_int_equal(options_default(sample_table, 10, &s, sizeof(s)), 0);
    assert_int_equal(s.size, 4096);
    assert_int_equal(s.timeout, -1);
    assert_int_equal(s.required, 0);
    assert_int_equal(s.optional, 0);
    assert_int_equal(s.colour, GREEN);
    assert_int_equal(s.yes, 1);
    assert_int_equal(s.node, -1);
    assert_int_equal(s.classes, 15);
    assert_string_equal(s.text, "hello");
    assert_int_equal(s.places.count, 0);
}

static void test_options_default_refuses_a_default_that_is_no_value(void **state)
{
    (void)state;
    struct sample s;
    const struct option bad[] = {
        {.name = "size", .type = OPTION_SIZE, FIELD(size), .value = "4", .low = 0, .high = 0},
        {.name = "size", .type = OPTION_SIZE, FIELD(size), .value = "4B", .low = 5, .high = 9},
        {.name = "colour",
         .type = OPTION_WORD,
         FIELD(colour),
         .value = "blue",
         .words = colours},
        {.name = "size",
         .type = OPTION_SIZE,
         FIELD(size),
         .value = "6B",
         .low = 1,
         .high = 8,
         .flags = OPTION_POWER_OF_TWO},
        {.name = "yes", .type = OPTION_YESNO, FIELD(yes), .value = "true"},
        {.name = "timeout", .type = OPTION_DURATION, FIELD(timeout), .value = "never"},
        {.name = "classes", .type = OPTION_CLASSES, FIELD(classes), .value = "gossip"},
        {.name = "far", .type = OPTION_INT, .offset = sizeof(struct sample), .value = "1"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(options_default(&bad[i], 1, &s, sizeof(s)), -EINVAL);
}

static void test_a_power_of_two_is_wanted_where_a_table_says_so(void **state)
{
    (void)state;
    const struct option option = {.name = "page",
                                  .type = OPTION_SIZE,
                                  .low = 512,
                                  .high = 32768,
                                  .flags = OPTION_POWER_OF_TWO};
    static const struct {
        int64_t value, near;
    } cases[] = {{0, 512},       {511, 512},     {700, 512},        {768, 1024},
                 {1000, 1024},   {1024, 1024},   {1535, 1024},      {1536, 2048},
                 {32767, 32768}, {40000, 32768}, {INT64_MAX, 32768}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(option_power_near(&option, cases[i].value), cases[i].near);
    int64_t field = 7;
    const char *why = "";
    assert_int_equal(option_set(&option, "1000B", &field, &why), -EINVAL);
    assert_string_equal(why, "must be a power of two");
    assert_int_equal(option_set(&option, "64KiB", &field, &why), -EINVAL);
    assert_string_equal(why, "is out of bounds");
    assert_int_equal(field, 7);
    assert_int_equal(option_set(&option, "1KiB", &field, &why), 0);
    assert_int_equal(field, 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc32c_gives_the_vectors_of_rfc_3720),
        cmocka_unit_test(test_crc32c_by_table_and_by_instruction_are_the_same),
        cmocka_unit_test(test_crc32c_of_long_data_is_the_same_by_table),
        cmocka_unit_test(test_crc32c_chains),
        cmocka_unit_test(test_bytes_hash_is_xxh3_at_every_size),
        cmocka_unit_test(test_buffer_that_cannot_grow_keeps_what_it_has),
        cmocka_unit_test(test_buffer_holds_what_was_appended),
        cmocka_unit_test(test_bytes_compare_orders_as_memcmp_with_prefixes_first),
        cmocka_unit_test(test_quantity_parse_reads_every_unit),
        cmocka_unit_test(test_quantity_parse_refuses_everything_else_and_says_why),
        cmocka_unit_test(test_options_default_fills_each_type),
        cmocka_unit_test(test_options_default_refuses_a_default_that_is_no_value),
        cmocka_unit_test(test_a_power_of_two_is_wanted_where_a_table_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
