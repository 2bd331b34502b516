/* Distributions over durations: drawing and means.
 *
 * A draw inverts the distribution function at one uniform number (a mixture takes one more, to
 * choose its part; a constant takes none), so a stream advances by a number of draws that
 * depends on the distribution alone. Every draw is: value by kind, plus the floor b, cut to
 * cap, never negative.
 *
 * Means honour the cap: a capped Pareto of alpha <= 1 has a finite mean. They are for reports
 * and for planning; no event depends on them.
 */
#include "sim/kernel/random.h"

#include "sim/kernel/check.h"

#define PPM 1000000

static int64_t to_int64(double x)
{
    if (!(x > 0)) return 0;
    return x >= 0x1p63 ? INT64_MAX : (int64_t)x;
}

static int64_t plus(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? (b > 0 ? INT64_MAX : INT64_MIN) : sum;
}

/* ---- drawing ---- */

static int64_t empirical(const struct dist *dist, struct rng *rng)
{
    CHECK(dist->points_count >= 1);
    /* p is the probability in units of 2^-32 ppm. */
    const struct dist_point *points = dist->points;
    uint64_t p = (uint64_t)(((unsigned __int128)rng_u64(rng) * PPM) >> 32);
    uint32_t i = 0;
    while (i < dist->points_count && (uint64_t)points[i].ppm << 32 <= p) i++;
    if (i == 0) return points[0].value;
    if (i == dist->points_count) return points[i - 1].value;
    uint64_t from = (uint64_t)points[i - 1].ppm << 32, to = (uint64_t)points[i].ppm << 32;
    __int128 rise = (__int128)points[i].value - points[i - 1].value;
    return (int64_t)(points[i - 1].value + rise * (__int128)(p - from) / (__int128)(to - from));
}

static int64_t mixture(const struct dist *dist, struct rng *rng)
{
    CHECK(dist->parts_count >= 1);
    uint64_t at = rng_below(rng, PPM), below = 0;
    uint32_t i = 0;
    for (; i + 1 < dist->parts_count; i++) {
        below += dist->weights_ppm[i];
        if (at < below) break;
    }
    return dist_draw(&dist->parts[i], rng);
}

int64_t dist_draw(const struct dist *dist, struct rng *rng)
{
    int64_t value = 0;
    double u;
    switch (dist->kind) {
    case DIST_CONSTANT: value = dist->a; break;
    case DIST_UNIFORM: value = rng_range(rng, dist->a, dist->b); break;
    case DIST_EXPONENTIAL:
        u = rng_unit(rng);
        value = to_int64(-det_log(u) * (double)dist->a);
        break;
    case DIST_PARETO:
        CHECK(dist->shape_milli > 0);
        u = rng_unit(rng);
        value = to_int64((double)dist->a *
                         det_exp(-det_log(u) * 1000.0 / (double)dist->shape_milli));
        break;
    case DIST_LOGNORMAL:
        u = rng_unit(rng);
        value = to_int64((double)dist->a *
                         det_exp(det_normal(u) * (double)dist->shape_milli / 1000.0));
        break;
    case DIST_EMPIRICAL: value = empirical(dist, rng); break;
    case DIST_MIXTURE: value = mixture(dist, rng); break;
    }
    if (dist->kind != DIST_UNIFORM) value = plus(value, dist->b);
    if (dist->cap > 0 && value > dist->cap) value = dist->cap;
    return value > 0 ? value : 0;
}

/* ---- means: the expectation of min(X, cap), X the value before the floor; cap may be infinite
 * ---- */

#define UNCAPPED 0x1p200

/* The normal distribution function by the series phi(x) (x + x^3/3 + x^5/15 + ...), exact
 * enough to |x| = 8 and 0 or 1 beyond. */
static double normal_below(double x)
{
    if (x < -8) return 0;
    if (x > 8) return 1;
    double term = x, sum = x;
    for (int i = 3; i < 400; i += 2) {
        term *= x * x / i;
        sum += term;
    }
    return 0.5 + sum * det_exp(-0.5 * x * x) * 0.3989422804014327;
}

/* Mean of min(v, cap) for v uniform between low and high. */
static double line_mean(double low, double high, double cap)
{
    if (cap >= high) return (low + high) / 2;
    if (cap <= low) return cap;
    double part = (cap - low) / (high - low);
    return part * (low + cap) / 2 + (1 - part) * cap;
}

static double mean_capped(const struct dist *dist, double cap)
{
    double a = (double)dist->a, shape = (double)dist->shape_milli / 1000.0;
    double floor = dist->kind == DIST_UNIFORM ? 0 : (double)dist->b;
    if (dist->cap > 0 && (double)dist->cap < cap) cap = (double)dist->cap;
    double c = cap - floor, mean = 0;
    switch (dist->kind) {
    case DIST_CONSTANT: mean = a < c ? a : c; break;
    case DIST_UNIFORM: mean = line_mean(a, (double)dist->b, c); break;
    case DIST_EXPONENTIAL: mean = c <= 0 ? c : a > 0 ? a * (1 - det_exp(-c / a)) : 0; break;
    case DIST_PARETO:
        if (c <= a)
            mean = c;
        else if (cap >= UNCAPPED)
            mean = shape > 1 ? a * shape / (shape - 1) : UNCAPPED;
        else if (dist->shape_milli == 1000)
            mean = a * (1 + det_log(c / a));
        else
            mean = (a * shape - c * det_pow(a / c, shape)) / (shape - 1);
        break;
    case DIST_LOGNORMAL:
        mean = a * det_exp(shape * shape / 2);
        if (c <= 0)
            mean = c;
        else if (shape <= 0)
            mean = a < c ? a : c;
        else if (a > 0 && cap < UNCAPPED) {
            double z = det_log(c / a) / shape;
            mean = mean * normal_below(z - shape) + c * (1 - normal_below(z));
        }
        break;
    case DIST_EMPIRICAL: {
        const struct dist_point *points = dist->points;
        double first = (double)points[0].value,
               last = (double)points[dist->points_count - 1].value;
        mean = line_mean(first, first, c) * points[0].ppm +
               line_mean(last, last, c) * (double)(PPM - points[dist->points_count - 1].ppm);
        for (uint32_t i = 1; i < dist->points_count; i++)
            mean += line_mean((double)points[i - 1].value, (double)points[i].value, c) *
                    (double)(points[i].ppm - points[i - 1].ppm);
        mean /= PPM;
        break;
    }
    case DIST_MIXTURE:
        for (uint32_t i = 0; i < dist->parts_count; i++) {
            double part = mean_capped(&dist->parts[i], c);
            if (part >= UNCAPPED / PPM && dist->weights_ppm[i] > 0) return UNCAPPED;
            mean += part * dist->weights_ppm[i] / PPM;
        }
        break;
    }
    return mean >= UNCAPPED ? UNCAPPED : mean + floor;
}

int64_t dist_mean(const struct dist *dist)
{
    return to_int64(mean_capped(dist, UNCAPPED) + 0.5);
}
