/* Latencies in a log-linear histogram: 16 steps an octave, so a quantile is off by at most a
 * sixteenth; from 1 ns to 2^63.
 */
#ifndef FAULTLINE_SIM_BENCH_HISTOGRAM_H
#define FAULTLINE_SIM_BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS 976u /* 16 below 16 ns, then 60 octaves of 16 */

struct histogram {
    uint64_t count, max_ns;
    uint64_t counts[HISTOGRAM_BUCKETS];
};

static inline uint32_t histogram_bucket(uint64_t ns)
{
    if (ns < 16) return (uint32_t)ns;
    uint32_t octave = 63u - (uint32_t)__builtin_clzll(ns); /* 4.. */
    return (octave - 3) * 16 + (uint32_t)(ns >> (octave - 4) & 15);
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
