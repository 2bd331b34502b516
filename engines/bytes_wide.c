/* XXH3 by the wide registers of AVX2, for long inputs on processors that have them.
 *
 * The same function as XXH3 elsewhere: xxHash defines the result, its vector code only how many
 * lanes are summed at once. It is a file of its own because a compiler's target is one of
 * functions, and xxHash's inner loops are inlined into their callers: all of them must have it.
 * Nobody calls it but bytes_hash(), which asks the processor first.
 */
#include "engines/bytes.h"

#ifdef BYTES_HASH_WIDE
#include <immintrin.h>
#include <stdlib.h>
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif
#define XXH_INLINE_ALL
#define XXH_VECTOR XXH_AVX2
#include <xxhash.h>

uint64_t bytes_hash_wide(struct bytes bytes, uint64_t seed)
{
    uint64_t hash = XXH3_64bits_withSeed(bytes.data, bytes.size, seed);
    /* What follows is code for SSE, and slow until the upper halves are clean. gcc 12 leaves
     * that out of functions whose target is not that of their file. */
    _mm256_zeroupper();
    return hash;
}
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
