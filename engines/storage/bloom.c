/* A Bloom filter: k bits a key, set in one string of m bits (Bloom 1970). See bloom.h.
 *
 * The k positions of a key come from one 64-bit hash by enhanced double hashing (Dillinger and
 * Manolios 2004): with a and b two positions in [0, m),
 *
 *     position_0 = a;   a = (a + b) mod m;   b = (b + i) mod m        for i = 1 .. k-1
 *
 * Plain double hashing (b constant) lets two keys share whole progressions, which costs a few
 * per cent of the rate in large filters and much more in those of some hundred keys; the term
 * that grows with i makes the progressions cubic and brings the measured rate to the theory's.
 * a and b are multiples of the hash's fraction of 2^64 (a multiplication instead of a
 * division), b from the hash mixed once more.
 *
 * Bits are not gathered in one cache line (blocked filters): at 10 bits a key that would answer
 * wrongly half as often again. About half of the bits are set, so an absent key is known after
 * two probes on average, and a present one after k.
 */
#include "engines/storage/bloom.h"

#include <errno.h>

#define PROBES_MAX 44u /* floor(BLOOM_BITS_MAX ln 2) */
#define LN2_PPM UINT64_C(693147)
#define SECOND_MULTIPLIER UINT64_C(0x9E3779B97F4A7C15) /* 2^64 / golden ratio: splitmix64's */

__extension__ typedef unsigned __int128 bloom_u128;

struct positions {
    uint64_t a, b, bits;
};

/* [0, 2^64) scaled to [0, bits). */
static inline uint64_t scaled(uint64_t hash, uint64_t bits)
{
    return (uint64_t)((bloom_u128)hash * bits >> 64);
}

static inline struct positions positions_of(uint64_t hash, uint64_t bits)
{
    uint64_t second = (hash ^ hash >> 32) * SECOND_MULTIPLIER;
    return (struct positions){scaled(hash, bits), scaled(second ^ second >> 29, bits), bits};
}

static inline void positions_next(struct positions *p, uint32_t i)
{
    p->a += p->b;
    if (p->a >= p->bits) p->a -= p->bits;
    p->b += i;
    while (p->b >= p->bits) p->b -= p->bits; /* more than once only below 44 bits */
}

int bloom_append(struct buffer *out, const uint64_t *hashes, size_t count,
                 uint32_t bits_per_key)
{
    if (count > (SIZE_MAX - 8) / BLOOM_BITS_MAX) return -ENOMEM;
    size_t size = (count * bits_per_key + 7) / 8;
    uint32_t probes = (uint32_t)(bits_per_key * LN2_PPM / 1000000);
    if (probes == 0) probes = 1;
    int err = buffer_reserve(out, out->size + size + 1);
    if (err) return err;
    unsigned char *bits = out->data + out->size;
    if (size) memset(bits, 0, size);
    bits[size] = (unsigned char)probes;
    for (size_t k = 0; k < count; k++) {
        struct positions p = positions_of(hashes[k], (uint64_t)size * 8);
        for (uint32_t i = 0; i < probes; positions_next(&p, ++i))
            bits[p.a >> 3] |= (unsigned char)(1u << (p.a & 7));
    }
    out->size += size + 1;
    return 0;
}

bool bloom_may_hold(struct bytes filter, uint64_t hash)
{
    const unsigned char *bits = filter.data;
    if (filter.size < 2) return true;
    uint32_t probes = bits[filter.size - 1];
    if (probes == 0 || probes > PROBES_MAX) return true;
    struct positions p = positions_of(hash, (uint64_t)(filter.size - 1) * 8);
    for (uint32_t i = 0; i < probes; positions_next(&p, ++i))
        if (!(bits[p.a >> 3] >> (p.a & 7) & 1)) return false;
    return true;
}
