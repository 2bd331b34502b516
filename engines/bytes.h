/* Byte slices, growable buffers and the allocator that engines and schemes are given. Engines
 * and schemes call no malloc: all memory comes from here, so that a crash of a simulated node
 * can take it away whole.
 */
#ifndef FAULTLINE_ENGINES_BYTES_H
#define FAULTLINE_ENGINES_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A view: borrowed until the callee returns unless a header says "kept". data may be NULL when
 * size is 0. */
struct bytes {
    const void *data;
    size_t size;
};

#define BYTES_LITERAL(text) ((struct bytes){(text), sizeof(text) - 1})

static inline struct bytes bytes_of(const void *data, size_t size)
{
    return (struct bytes){data, size};
}
static inline struct bytes bytes_string(const char *text)
{
    return (struct bytes){text, strlen(text)};
}
/* memcmp order, a prefix sorts first. */
static inline int bytes_compare(struct bytes a, struct bytes b)
{
    size_t n = a.size < b.size ? a.size : b.size;
    int order = n ? memcmp(a.data, b.data, n) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}
static inline int bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && bytes_compare(a, b) == 0;
}

/* resize(ctx, NULL, 0, n) allocates, (p, old, n) grows or shrinks, (p, old, 0) frees and
 * returns NULL. Aligned to 16. NULL when out of memory (the old block stays). */
struct allocator {
    void *(*resize)(void *context, void *block, size_t old_size, size_t new_size);
    void *context;
};

static inline void *allocator_alloc(const struct allocator *a, size_t size)
{
    return a->resize(a->context, NULL, 0, size);
}
static inline void allocator_free(const struct allocator *a, void *block, size_t size)
{
    if (block) a->resize(a->context, block, size, 0);
}

/* malloc-backed, for real files and tests. */
extern const struct allocator allocator_system;

/* A growable buffer: caller's struct, zero-initialised but for the allocator. */
struct buffer {
    unsigned char *data;
    size_t size, capacity;
    const struct allocator *allocator;
};

int buffer_reserve(struct buffer *buffer, size_t capacity); /* 0 or -ENOMEM */
int buffer_append(struct buffer *buffer, const void *data, size_t size);
int buffer_assign(struct buffer *buffer, struct bytes bytes);
void buffer_clear(struct buffer *buffer); /* size = 0, memory stays */
void buffer_deinit(struct buffer *buffer);
static inline struct bytes buffer_bytes(const struct buffer *buffer)
{
    return (struct bytes){buffer->data, buffer->size};
}

/* Little-endian fixed-width encoding, the only one on disk and wire. Written out: compilers
 * make one load or store of it, which they don't of a loop at -O2. */
static inline void put_u16(unsigned char *p, uint16_t v)
{
    p[0] = (unsigned char)v;
    p[1] = (unsigned char)(v >> 8);
}
static inline void put_u32(unsigned char *p, uint32_t v)
{
    p[0] = (unsigned char)v;
    p[1] = (unsigned char)(v >> 8);
    p[2] = (unsigned char)(v >> 16);
    p[3] = (unsigned char)(v >> 24);
}
static inline void put_u64(unsigned char *p, uint64_t v)
{
    p[0] = (unsigned char)v;
    p[1] = (unsigned char)(v >> 8);
    p[2] = (unsigned char)(v >> 16);
    p[3] = (unsigned char)(v >> 24);
    p[4] = (unsigned char)(v >> 32);
    p[5] = (unsigned char)(v >> 40);
    p[6] = (unsigned char)(v >> 48);
    p[7] = (unsigned char)(v >> 56);
}
static inline uint16_t get_u16(const unsigned char *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}
static inline uint32_t get_u32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static inline uint64_t get_u64(const unsigned char *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
           (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
           (uint64_t)p[7] << 56;
}

/* memcpy for what is often a key: without a call for 16 to 32 bytes. */
static inline void bytes_copy(unsigned char *to, struct bytes from)
{
    const unsigned char *p = from.data;
    if (from.size >= 16 && from.size <= 32) {
        unsigned char begin[16], end[16];
        memcpy(begin, p, 16);
        memcpy(end, p + from.size - 16, 16);
        memcpy(to, begin, 16);
        memcpy(to + from.size - 16, end, 16);
    } else if (from.size) {
        memcpy(to, p, from.size);
    }
}

/* XXH3, 64 bits, with a seed: the same on every machine, so it may stand on disk. */
uint64_t bytes_hash(struct bytes bytes, uint64_t seed);
#if defined(__x86_64__)
#define BYTES_HASH_WIDE 1
/* The same by AVX2, which the processor must have: what bytes_hash() takes for long inputs. */
uint64_t bytes_hash_wide(struct bytes bytes, uint64_t seed);
#endif

/* CRC-32C (Castagnoli), as RFC 3720 B.4; crc32c(0, "123456789", 9) == 0xe3069283. Chain by
 * passing the previous result. */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);
/* The same by table, whatever the processor offers: the fallback, and what a test compares the
 * above with. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t size);

#endif
