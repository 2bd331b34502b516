/* Latencies in a log-linear histogram: 64 steps an octave, so the middle of a bucket is within
 * 0.8 % of what fell into it; from 1 ns to 2^63.
 */
#ifndef FAULTLINE_SIM_BENCH_HISTOGRAM_H
#define FAULTLINE_SIM_BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEP_BITS 6u
#define HISTOGRAM_STEPS (1u << HISTOGRAM_STEP_BITS)
#define HISTOGRAM_BUCKETS ((65u - HISTOGRAM_STEP_BITS) * HISTOGRAM_STEPS)

struct histogram {
    uint64_t count, max_ns;
    uint64_t counts[HISTOGRAM_BUCKETS];
};

static inline uint32_t histogram_bucket(uint64_t ns)
{
    if (ns < HISTOGRAM_STEPS) return (uint32_t)ns;
    uint32_t shift = 63u - (uint32_t)__builtin_clzll(ns) - HISTOGRAM_STEP_BITS;
    return shift * HISTOGRAM_STEPS + (uint32_t)(ns >> shift);
}
static inline void histogram_add(struct histogram *histogram, int64_t ns)
{
    uint64_t value = ns > 0 ? (uint64_t)ns : 0;
    histogram->counts[histogram_bucket(value)]++;
    histogram->count++;
    if (value > histogram->max_ns) histogram->max_ns = value;
}
/* The bucket holds [low, high). */
uint64_t histogram_low(uint32_t bucket);
uint64_t histogram_high(uint32_t bucket);
/* The value that `ppm` of all lie at or below, as the middle of its bucket, never above the
 * largest seen; 0 when empty. */
uint64_t histogram_quantile(const struct histogram *histogram, uint32_t ppm);

#endif
