/* Bucket b < 16 holds the value b. Bucket 16 (o - 3) + s, for octaves o from 4, holds
 * [(16 + s) 2^(o-4), (17 + s) 2^(o-4)). */
#include "sim/bench/histogram.h"

uint64_t histogram_low(uint32_t bucket)
{
    if (bucket < 16) return bucket;
    uint32_t octave = bucket / 16 + 3;
    return (uint64_t)(16 + bucket % 16) << (octave - 4);
}

uint64_t histogram_high(uint32_t bucket)
{
    return bucket + 1 < HISTOGRAM_BUCKETS ? histogram_low(bucket + 1) : UINT64_MAX;
}

uint64_t histogram_quantile(const struct histogram *histogram, uint32_t ppm)
{
    if (!histogram->count) return 0;
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
