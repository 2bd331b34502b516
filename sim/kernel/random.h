/* Random streams and distributions: bit-identical on every compiler, optimisation level and
 * machine with IEEE doubles.
 *
 * A stream is keyed by (seed, purpose, entity name): a draw more in one stream never shifts
 * another. Drawing from a stream that was not seeded is a CHECK. Every draw is appended to the
 * run's draw log (trace.h) when the stream has one: one byte, the draw mixed with virtual time.
 *
 *     struct rng r;
 *     rng_init(&r, kernel_seed(k), "net.latency", "db-a", kernel_draw_log(k));
 *     int64_t delay_ns = dist_draw(&latency, &r);
 */
#ifndef FAULTLINE_SIM_KERNEL_RANDOM_H
#define FAULTLINE_SIM_KERNEL_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct draw_log;

struct rng {
    uint64_t s[4]; /* xoshiro256** state (Blackman and Vigna 2018); all zero: not seeded */
    struct draw_log *log; /* borrowed; NULL: draws are not logged */
    uint32_t stream;      /* id of the stream in the draw log */
};

void rng_init(struct rng *rng, uint64_t seed, const char *purpose, const char *entity,
              struct draw_log *log);
uint64_t rng_u64(struct rng *rng);
/* Uniform in [0, bound), without bias (Lemire 2019); bound >= 1. */
uint64_t rng_below(struct rng *rng, uint64_t bound);
/* Uniform in [low, high], both included; low <= high. */
int64_t rng_range(struct rng *rng, int64_t low, int64_t high);
/* True with probability ppm / 1,000,000. Always draws once. */
bool rng_ppm(struct rng *rng, uint32_t ppm);
/* Uniform in (0, 1): ((u64 >> 11) + 0.5) * 2^-53. */
double rng_unit(struct rng *rng);

/* ---- deterministic mathematics (no libm): within 2 ulp of the true value, identical
 * everywhere ---- */
double det_log(double x); /* x > 0 */
double det_exp(double x);
double det_pow(double x, double y); /* x > 0 */
double det_sqrt(double x);
/* Standard normal by the inverse CDF (Acklam's approximation on det_log/det_sqrt); u in (0,1).
 */
double det_normal(double u);

/* ---- distributions over durations (or any int64 quantity) ---- */
enum dist_kind {
    DIST_CONSTANT,
    DIST_UNIFORM,
    DIST_EXPONENTIAL,
    DIST_PARETO,
    DIST_LOGNORMAL,
    DIST_EMPIRICAL,
    DIST_MIXTURE
};

struct dist_point {
    uint32_t ppm;
    int64_t value;
}; /* empirical: cumulative probability, rising; value at it, linear between */

struct dist {
    enum dist_kind kind;
    int64_t a; /* constant: value; uniform: low; exponential: mean; pareto: minimum xm;
                  lognormal: median */
    int64_t b; /* uniform: high; others: floor added to the draw */
    int64_t shape_milli; /* pareto: alpha x 1000; lognormal: sigma x 1000 */
    int64_t cap;         /* draws above are cut to this; 0: none */
    const struct dist_point *points;
    uint32_t points_count; /* empirical */
    const struct dist *parts;
    const uint32_t *weights_ppm;
    uint32_t parts_count; /* mixture: weights sum to 1,000,000 */
};

/* Draws one value, never negative. */
int64_t dist_draw(const struct dist *dist, struct rng *rng);
/* Mean, rounded; INT64_MAX when infinite (pareto with alpha <= 1). */
int64_t dist_mean(const struct dist *dist);

/* ---- hashing used for keys, traces and streams ---- */
uint64_t mix64(uint64_t x);                                        /* splitmix64 finaliser */
uint64_t hash_bytes(const void *data, size_t size, uint64_t seed); /* XXH3 64 */
uint64_t hash_string(const char *text, uint64_t seed);

#endif
