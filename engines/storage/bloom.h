/* The Bloom filter that `lsm` and `hash` put in front of a file (Bloom 1970).
 *
 * A filter is a plain byte string that may stand on disk: bits, then one byte with the number
 * of probes. With b bits a key it has k = max(1, floor(b ln 2)) probes and answers wrongly for
 * an absent key with probability (1 - e^(-k/b))^k: 10 bits, 0.84 %. Sizes: bits are rounded up
 * to whole bytes.
 *
 *     uint64_t hash = bloom_hash(key);          // once a key, for all filters
 *     if (bloom_may_hold(filter, hash)) ...
 */
#ifndef FAULTLINE_ENGINES_STORAGE_BLOOM_H
#define FAULTLINE_ENGINES_STORAGE_BLOOM_H

#include <stdbool.h>

#include "engines/bytes.h"

#define BLOOM_BITS_MAX 64u

static inline uint64_t bloom_hash(struct bytes key)
{
    return bytes_hash(key, 0);
}

/* Appends the filter of `count` hashes; bits_per_key 1..BLOOM_BITS_MAX. 0 or -ENOMEM. */
int bloom_append(struct buffer *out, const uint64_t *hashes, size_t count,
                 uint32_t bits_per_key);
/* False: no such key was put in. An empty or malformed filter holds everything. */
bool bloom_may_hold(struct bytes filter, uint64_t hash);

#endif
