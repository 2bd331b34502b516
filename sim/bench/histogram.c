/* With S steps an octave: buckets below S hold one value each; bucket S (1 + h) + s holds
 * [(S + s) 2^h, (S + s + 1) 2^h). */
#include "sim/bench/histogram.h"

uint64_t histogram_low(uint32_t bucket)
{
    if (bucket < HISTOGRAM_STEPS) return bucket;
    uint32_t shift = bucket / HISTOGRAM_STEPS - 1;
    return (uint64_t)(HISTOGRAM_STEPS + bucket % HISTOGRAM_STEPS) << shift;
}

uint64_t histogram_high(uint32_t bucket)
{
    return bucket + 1 < HISTOGRAM_BUCKETS ? histogram_low(bucket + 1) : UINT64_MAX;
}

uint64_t histogram_quantile(const struct histogram *histogram, uint32_t ppm)
{
    if (!histogram->count) return 0;
    if (ppm >= 1000000) return histogram->max_ns;
    /* The smallest rank that has at least this share at or below it. */
    uint64_t rank = (uint64_t)(((__int128)histogram->count * ppm + 999999) / 1000000);
    if (rank < 1) rank = 1;
    uint64_t seen = 0;
    for (uint32_t b = 0; b < HISTOGRAM_BUCKETS; b++) {
        seen += histogram->counts[b];
        if (seen < rank) continue;
        uint64_t low = histogram_low(b), middle = low + (histogram_high(b) - low) / 2;
        return middle < histogram->max_ns ? middle : histogram->max_ns;
    }
    return histogram->max_ns;
}
