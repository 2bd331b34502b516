/* Random streams: xoshiro256** (Blackman and Vigna 2018), one a purpose and entity, and the
 * hashes that key them.
 *
 * The key of a stream is a hash of seed, purpose and entity name, from which splitmix64 fills
 * the state. Names are hashed one after the other, each with the hash so far as its seed, so
 * ("ab", "c") and ("a", "bc") are different streams. Nothing depends on the order in which
 * streams are made.
 */
#include "sim/kernel/random.h"

#include <string.h>
#include <xxhash.h>

#include "sim/kernel/check.h"
#include "sim/kernel/trace.h"

uint64_t mix64(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

uint64_t hash_bytes(const void *data, size_t size, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, size, seed);
}

uint64_t hash_string(const char *text, uint64_t seed)
{
    return hash_bytes(text, strlen(text), seed);
}

void rng_init(struct rng *rng, uint64_t seed, const char *purpose, const char *entity,
              struct draw_log *log)
{
    if (!entity) entity = "";
    uint64_t key = hash_string(purpose, mix64(seed + 1));
    key = hash_string(entity, key);
    for (int i = 0; i < 4; i++) {
        key += UINT64_C(0x9E3779B97F4A7C15);
        rng->s[i] = mix64(key);
    }
    rng->log = log;
    rng->stream = log ? draw_log_stream(log, purpose, entity) : 0;
}

static inline uint64_t rotate_left(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

uint64_t rng_u64(struct rng *rng)
{
    uint64_t *s = rng->s;
    /* Four words of splitmix64 from one key are never all zero: it is a bijection of four
     * different inputs. */
    CHECK((s[0] | s[1] | s[2] | s[3]) != 0);
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    if (rng->log) draw_log_add(rng->log, rng->stream, result);
    return result;
}

uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    CHECK(bound >= 1);
    /* Lemire 2019: the high half of draw x bound is uniform once the low halves below 2^64 mod
     * bound are rejected. */
    unsigned __int128 product = (unsigned __int128)rng_u64(rng) * bound;
    if ((uint64_t)product < bound) {
        uint64_t threshold = -bound % bound;
        while ((uint64_t)product < threshold) product = (unsigned __int128)rng_u64(rng) * bound;
    }
    return (uint64_t)(product >> 64);
}

int64_t rng_range(struct rng *rng, int64_t low, int64_t high)
{
    CHECK(low <= high);
    uint64_t span = (uint64_t)high - (uint64_t)low;
    uint64_t above = span == UINT64_MAX ? rng_u64(rng) : rng_below(rng, span + 1);
    return (int64_t)((uint64_t)low + above);
}

bool rng_ppm(struct rng *rng, uint32_t ppm)
{
    unsigned __int128 product = (unsigned __int128)rng_u64(rng) * 1000000;
    return (uint64_t)(product >> 64) < ppm;
}

double rng_unit(struct rng *rng)
{
    double unit = ((double)(rng_u64(rng) >> 11) + 0.5) * 0x1p-53;
    /* 2^53 - 1 + 0.5 has no double and rounds up; keep the interval open. */
    return unit < 1.0 ? unit : 1.0 - 0x1p-53;
}
