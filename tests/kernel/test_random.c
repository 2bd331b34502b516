/* Goal: random numbers and arithmetic are what they claim to be, and the same bits from every
 * compiler at every level. Method: golden bit patterns (the file is built by gcc and clang, -O0
 * to -O3, in the gate); libm, in this program only, as the measure of accuracy in units of the
 * last place; chi-square, means and quantiles of fixed seeds against what the distributions
 * promise.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <math.h>

#include "sim/kernel/random.h"
#include "sim/kernel/trace.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* ---- golden bits ---- */

static const uint64_t golden_u64[] = {
    UINT64_C(0x08a4325848cde4cc),
    UINT64_C(0x79c9bfae499aa201),
    UINT64_C(0x586efca443fd1d7b),
    UINT64_C(0xb680e2e763671fb0),
};
static const uint64_t golden_empty = UINT64_C(0x129cc37d5a0f26e9);
static const uint64_t golden_hash = UINT64_C(0xae1c4568db752eff);
static const uint64_t golden_mix = UINT64_C(0x5692161d100b05e5);
static const uint64_t golden_log = UINT64_C(0x7431a33fa7473387);
static const uint64_t golden_exp = UINT64_C(0xc3de2c3fbf4b2c77);
static const uint64_t golden_pow = UINT64_C(0x98dcbcaf07598fdd);
static const uint64_t golden_sqrt = UINT64_C(0x368a22cdbe7cb7c1);
static const uint64_t golden_normal = UINT64_C(0x169b74d93381547a);
static const uint64_t golden_dist[] = {
    UINT64_C(0xbd3d22d9f175bbd8), UINT64_C(0x2d5f0a8f8d7a1afd), UINT64_C(0x132cd23e78dc6b11),
    UINT64_C(0x08416cb49c155057), UINT64_C(0xae71425ba7a1a080), UINT64_C(0x29cbb4abf01f3587),
    UINT64_C(0xb0a8b9e4cde5cefd), UINT64_C(0xa1d5b602a5c4a9ed), UINT64_C(0x24695793740f54c6),
    UINT64_C(0x49060921c262d85d),
};

static void test_random_streams_have_their_golden_values(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 2012, "net.latency", "db-a", NULL);
    for (size_t i = 0; i < COUNT(golden_u64); i++) {
        uint64_t got = rng_u64(&rng);
        assert_true(got == golden_u64[i]);
    }
    rng_init(&rng, 0, "", NULL, NULL);
    uint64_t got = rng_u64(&rng);
    assert_true(got == golden_empty);
    assert_true(hash_string("database", 7) == golden_hash);
    assert_true(mix64(1) == golden_mix);
}

static uint64_t digest_of(double (*function)(double), double from, double factor)
{
    uint64_t digest = 0;
    for (double x = from; x < from * 1e6; x *= factor)
        digest = mix64(digest ^ bits_of(function(x)));
    return digest;
}

static double power_of(double x)
{
    return det_pow(x, 1.0 / 3) + det_pow(1.0 + x, -7.25);
}
static double normal_of(double x)
{
    return det_normal(x / (1.0 + x));
}
static double exp_of(double x)
{
    return det_exp(x * 1e-3) - det_exp(-x * 1e-3);
}

static void test_random_arithmetic_has_its_golden_bits(void **state)
{
    (void)state;
    assert_true(digest_of(det_log, 1e-3, 1.0007) == golden_log);
    assert_true(digest_of(exp_of, 1e-3, 1.0007) == golden_exp);
    assert_true(digest_of(power_of, 1e-3, 1.0007) == golden_pow);
    assert_true(digest_of(det_sqrt, 1e-3, 1.0007) == golden_sqrt);
    assert_true(digest_of(normal_of, 1e-3, 1.0007) == golden_normal);
}

static const struct dist_point latency_points[] = {
    {0, 100}, {500000, 200}, {990000, 1000}, {1000000, 50000}};
static const struct dist parts[] = {{.kind = DIST_CONSTANT, .a = 10},
                                    {.kind = DIST_EXPONENTIAL, .a = 1000}};
static const uint32_t weights[] = {900000, 100000};
static const struct dist dists[] = {
    {.kind = DIST_CONSTANT, .a = 42},
    {.kind = DIST_UNIFORM, .a = 10, .b = 19},
    {.kind = DIST_EXPONENTIAL, .a = 1000000, .b = 500},
    {.kind = DIST_PARETO, .a = 1000, .shape_milli = 2500},
    {.kind = DIST_LOGNORMAL, .a = 200000, .shape_milli = 500},
    {.kind = DIST_EMPIRICAL, .points = latency_points, .points_count = 4},
    {.kind = DIST_MIXTURE, .parts = parts, .weights_ppm = weights, .parts_count = 2},
    {.kind = DIST_PARETO, .a = 1000, .shape_milli = 900, .cap = 1000000},
    {.kind = DIST_LOGNORMAL, .a = 1000, .shape_milli = 1500, .b = 250, .cap = 9000},
    {.kind = DIST_EXPONENTIAL, .a = 1000, .cap = 1500},
};

static void test_random_distributions_have_their_golden_values(void **state)
{
    (void)state;
    for (size_t d = 0; d < COUNT(dists); d++) {
        struct rng rng;
        rng_init(&rng, 7, "golden", "dist", NULL);
        uint64_t digest = 0;
        for (int i = 0; i < 10000; i++)
            digest = mix64(digest ^ (uint64_t)dist_draw(&dists[d], &rng));
        if (digest != golden_dist[d])
            fail_msg("distribution %zu: 0x%016llx", d, (unsigned long long)digest);
    }
}

/* ---- streams ---- */

static void test_random_streams_depend_on_all_of_seed_purpose_and_entity(void **state)
{
    (void)state;
    static const struct {
        uint64_t seed;
        const char *purpose, *entity;
    } keys[] = {
        {1, "ab", "c"}, {1, "a", "bc"}, {1, "abc", ""}, {1, "", "abc"},
        {2, "ab", "c"}, {1, "ab", "d"}, {0, "ab", "c"}, {UINT64_MAX, "ab", "c"},
    };
    uint64_t first[COUNT(keys)];
    for (size_t i = 0; i < COUNT(keys); i++) {
        struct rng rng;
        rng_init(&rng, keys[i].seed, keys[i].purpose, keys[i].entity, NULL);
        first[i] = rng_u64(&rng);
        for (size_t j = 0; j < i; j++) assert_true(first[i] != first[j]);
    }
}

static void test_random_draws_are_logged_with_their_stream(void **state)
{
    (void)state;
    struct draw_log log;
    int64_t now = 5;
    draw_log_init(&log, &now, true, NULL);
    struct rng a, b;
    rng_init(&a, 1, "net", "db-a", &log);
    rng_init(&b, 1, "disk", "db-b", &log);
    rng_u64(&a);
    now = 9;
    rng_u64(&b);
    assert_int_equal(log.count, 2);
    assert_string_equal(draw_log_stream_name(&log, log.streams[0]), "net db-a");
    assert_string_equal(draw_log_stream_name(&log, log.streams[1]), "disk db-b");
    assert_int_equal(log.times[1], 9);
    draw_log_deinit(&log);
}

/* ---- uniformity ---- */

static void test_random_below_is_uniform_by_chi_square(void **state)
{
    (void)state;
    static const uint64_t bounds[] = {2, 3, 10, 97};
    for (size_t b = 0; b < COUNT(bounds); b++) {
        struct rng rng;
        rng_init(&rng, 3, "chi", "square", NULL);
        uint64_t counts[97] = {0}, bound = bounds[b], n = 200000;
        for (uint64_t i = 0; i < n; i++) {
            uint64_t value = rng_below(&rng, bound);
            assert_true(value < bound);
            counts[value]++;
        }
        double expected = (double)n / (double)bound, chi = 0, freedom = (double)bound - 1;
        for (uint64_t i = 0; i < bound; i++)
            chi += ((double)counts[i] - expected) * ((double)counts[i] - expected) / expected;
        /* Mean = freedom, variance = 2 freedom: five deviations. */
        assert_true(chi < freedom + 5 * det_sqrt(2 * freedom) + 3);
    }
}

/* Scaling to 3/4 of 2^64 without rejection would give every third value two chances. */
static void test_random_below_has_no_bias_at_large_bounds(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 3, "bias", "", NULL);
    uint64_t bound = UINT64_C(3) << 62, counts[3] = {0}, n = 60000;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t value = rng_below(&rng, bound);
        assert_true(value < bound);
        counts[value % 3]++;
    }
    for (int i = 0; i < 3; i++) assert_in_range(counts[i], n / 3 - n / 60, n / 3 + n / 60);
}

static void test_random_range_ppm_and_unit_keep_their_bounds(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 4, "bounds", "", NULL);
    bool low = false, high = false;
    for (int i = 0; i < 1000; i++) {
        int64_t x = rng_range(&rng, -3, 3);
        assert_true(x >= -3 && x <= 3);
        low |= x == -3;
        high |= x == 3;
        assert_int_equal(rng_range(&rng, INT64_MIN, INT64_MIN), INT64_MIN);
        rng_range(&rng, INT64_MIN, INT64_MAX);
        assert_false(rng_ppm(&rng, 0));
        assert_true(rng_ppm(&rng, 1000000));
        double u = rng_unit(&rng);
        assert_true(u > 0 && u < 1);
    }
    assert_true(low && high);
    int hits = 0;
    for (int i = 0; i < 100000; i++) hits += rng_ppm(&rng, 250000);
    assert_in_range(hits, 24500, 25500);
}

/* ---- accuracy against libm ---- */

static uint64_t ulps(double a, double b)
{
    uint64_t x = bits_of(a), y = bits_of(b);
    return x > y ? x - y : y - x;
}

static void test_random_arithmetic_is_within_two_ulps_of_libm(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 5, "accuracy", "", NULL);
    uint64_t worst[4] = {0};
#define WORST(i, got, want)                                                                    \
    do {                                                                                       \
        uint64_t u_ = ulps(got, want);                                                         \
        if (u_ > worst[i]) worst[i] = u_;                                                      \
    } while (0)
    for (int i = 0; i < 200000; i++) {
        double u = rng_unit(&rng), v = rng_unit(&rng), w = rng_unit(&rng);
        double wide = det_exp((u - 0.5) * 1400);
        WORST(0, det_log(wide), log(wide));
        WORST(0, det_log(0.5 + v), log(0.5 + v));
        WORST(1, det_exp((v - 0.5) * 1400), exp((v - 0.5) * 1400));
        WORST(1, det_exp(w - 0.5), exp(w - 0.5));
        double y = (w - 0.5) * 1380 / (log(wide) == 0 ? 1 : log(wide));
        WORST(2, det_pow(wide, y), pow(wide, y));
        WORST(2, det_pow(v, w * 8), pow(v, w * 8));
        WORST(3, det_sqrt(wide), sqrt(wide));
        WORST(3, det_sqrt(v), sqrt(v));
    }
    if (worst[0] > 2 || worst[1] > 2 || worst[2] > 2 || worst[3] > 0)
        fail_msg("ulps: log %d, exp %d, pow %d, sqrt %d", (int)worst[0], (int)worst[1],
                 (int)worst[2], (int)worst[3]);
}

static void test_random_arithmetic_has_the_right_edges(void **state)
{
    (void)state;
    double infinity = 1e308 * 10;
    assert_true(det_log(1.0) == 0 && det_exp(0.0) == 1 && det_pow(5, 0) == 1 &&
                det_pow(1, 1e9) == 1 && det_sqrt(0) == 0);
    assert_true(det_exp(710) == infinity && det_exp(-800) == 0 && det_log(0) == -infinity &&
                det_pow(10, 400) == infinity && det_pow(10, -400) == 0);
    assert_true(det_exp(-744.4) > 0); /* subnormal */
    assert_true(ulps(det_log(5e-324), log(5e-324)) <= 2);
    assert_true(ulps(det_exp(-740), exp(-740)) <= 2);
    assert_true(det_sqrt(4) == 2 && det_sqrt(2) == sqrt(2) && det_sqrt(5e-324) == sqrt(5e-324));
    assert_true(det_pow(2, 10) == 1024 && det_pow(10, 3) == 1000);
    assert_true(det_log(-1) != det_log(-1)); /* not a number */
}

/* u = Phi(x): the quantile of Phi(x) is x again. */
static void test_random_normal_quantile_inverts_the_normal_distribution(void **state)
{
    (void)state;
    for (double x = -7; x <= 0; x += 0.01) {
        double u = 0.5 * erfc(-x / sqrt(2)), back = det_normal(u), error = back - x;
        assert_true(error < 1e-8 && error > -1e-8);
        if (x > -5) {
            assert_true(det_normal(1 - u) + x < 1e-7 && det_normal(1 - u) + x > -1e-7);
        }
    }
}

/* ---- distributions ---- */

static int compare_values(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

#define DRAWS 100000

static double draw_many(const struct dist *dist, int64_t *values)
{
    struct rng rng;
    rng_init(&rng, 11, "quantiles", "", NULL);
    double sum = 0;
    for (int i = 0; i < DRAWS; i++) {
        values[i] = dist_draw(dist, &rng);
        sum += (double)values[i];
    }
    qsort(values, DRAWS, sizeof *values, compare_values);
    return sum / DRAWS;
}

static void test_random_distributions_have_the_means_they_state(void **state)
{
    (void)state;
    static int64_t values[DRAWS];
    for (size_t d = 0; d < COUNT(dists); d++) {
        double mean = draw_many(&dists[d], values), stated = (double)dist_mean(&dists[d]);
        if (mean < stated * 0.98 - 1 || mean > stated * 1.02 + 1)
            fail_msg("distribution %zu: mean of draws %.1f, stated %.1f", d, mean, stated);
    }
    assert_true(dist_mean(&(struct dist){.kind = DIST_PARETO, .a = 10, .shape_milli = 1000}) ==
                INT64_MAX);
    assert_true(dist_mean(&(struct dist){
                    .kind = DIST_PARETO, .a = 10, .shape_milli = 1000, .cap = 1000}) ==
                56); /* 10 (1 + ln 100) */
}

static void test_random_distributions_have_their_quantiles(void **state)
{
    (void)state;
    static int64_t v[DRAWS];
#define NEAR(quantile, want)                                                                   \
    do {                                                                                       \
        double got_ = (double)v[(size_t)((quantile)*DRAWS)], want_ = (want);                   \
        if (got_ < want_ * 0.96 - 2 || got_ > want_ * 1.04 + 2)                                \
            fail_msg("quantile %g: %.1f, not %.1f", quantile, got_, want_);                    \
    } while (0)
    draw_many(&dists[1], v);
    assert_int_equal(v[0], 10);
    assert_int_equal(v[DRAWS - 1], 19);
    draw_many(&dists[2], v);
    NEAR(0.5, 500 + 1e6 * log(2));
    NEAR(0.99, 500 + 1e6 * log(100));
    draw_many(&dists[3], v);
    NEAR(0.0, 1000);
    NEAR(0.5, 1000 * pow(2, 0.4));
    NEAR(0.99, 1000 * pow(100, 0.4));
    draw_many(&dists[4], v);
    NEAR(0.5, 200000);
    NEAR(0.975, 200000 * exp(0.5 * 1.959964));
    NEAR(0.025, 200000 * exp(-0.5 * 1.959964));
    draw_many(&dists[5], v);
    NEAR(0.25, 150);
    NEAR(0.745, 600);
    assert_true(v[0] >= 100 && v[DRAWS - 1] <= 50000);
    draw_many(&dists[6], v);
    NEAR(0.5, 10);
    assert_true(v[DRAWS - 1] > 5000);
    draw_many(&dists[7], v);
    assert_int_equal(v[DRAWS - 1], 1000000);
    draw_many(&dists[8], v);
    assert_int_equal(v[DRAWS - 1], 9000);
    assert_true(v[0] >= 250);
}

static void test_random_draws_are_never_negative_and_do_not_overflow(void **state)
{
    (void)state;
    static const struct dist odd[] = {
        {.kind = DIST_CONSTANT, .a = -5},
        {.kind = DIST_UNIFORM, .a = -10, .b = -1},
        {.kind = DIST_EXPONENTIAL, .a = INT64_MAX, .b = INT64_MAX},
        {.kind = DIST_PARETO, .a = INT64_MAX / 2, .shape_milli = 1},
        {.kind = DIST_LOGNORMAL, .a = 1000, .shape_milli = 900000},
        {.kind = DIST_EXPONENTIAL, .a = 5, .b = -1000},
    };
    struct rng rng;
    rng_init(&rng, 1, "odd", "", NULL);
    for (size_t d = 0; d < COUNT(odd); d++)
        for (int i = 0; i < 1000; i++) assert_true(dist_draw(&odd[d], &rng) >= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_streams_have_their_golden_values),
        cmocka_unit_test(test_random_arithmetic_has_its_golden_bits),
        cmocka_unit_test(test_random_distributions_have_their_golden_values),
        cmocka_unit_test(test_random_streams_depend_on_all_of_seed_purpose_and_entity),
        cmocka_unit_test(test_random_draws_are_logged_with_their_stream),
        cmocka_unit_test(test_random_below_is_uniform_by_chi_square),
        cmocka_unit_test(test_random_below_has_no_bias_at_large_bounds),
        cmocka_unit_test(test_random_range_ppm_and_unit_keep_their_bounds),
        cmocka_unit_test(test_random_arithmetic_is_within_two_ulps_of_libm),
        cmocka_unit_test(test_random_arithmetic_has_the_right_edges),
        cmocka_unit_test(test_random_normal_quantile_inverts_the_normal_distribution),
        cmocka_unit_test(test_random_distributions_have_the_means_they_state),
        cmocka_unit_test(test_random_distributions_have_their_quantiles),
        cmocka_unit_test(test_random_draws_are_never_negative_and_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
