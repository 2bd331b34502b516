/* The block cache of `lsm`: blocks by (file number, offset), bounded, second chance.
 *
 * A hash table finds blocks; a ring with a hand decides who goes. A hit marks the block. To
 * make room the hand goes round: a marked block loses its mark and stays, a pinned one stays,
 * the next is dropped. A new block enters behind the hand without a mark, so one that is never
 * hit again (a scan) goes at the hand's next round, while the blocks in use survive it. This is
 * within a few percent of LRU and costs a hit one store, no list surgery (Corbato 1968).
 *
 *     block_create -> read -> block_cache_add -> block_unpin ... block_cache_find -> unpin
 *
 * Invariants:
 *   I1  bytes is what blocks in the ring and the buckets have allocated; it exceeds bytes_max
 *       only by what is pinned.
 *   I2  a block is in the ring if and only if it is in its bucket (is_cached).
 *   I3  a block lives while it is cached or pinned.
 */
#include <errno.h>

#include "engines/storage/lsm/table_format.h"

#define BUCKETS_MIN 16u

struct block_cache {
    const struct allocator *allocator;
    uint64_t bytes_max, bytes, blocks, hits, misses;
    struct block **buckets;
    size_t buckets_count; /* a power of two, 0 before the first block */
    struct block *hand;   /* NULL: empty */
};

/* ---- a block's memory ---- */

struct block *block_create(const struct allocator *allocator, uint64_t number, uint64_t offset,
                           uint32_t size)
{
    size_t allocated = sizeof(struct block) + size;
    struct block *block = allocator_alloc(allocator, allocated);
    if (!block) return NULL;
    *block = (struct block){
        .number = number, .offset = offset, .size = size, .pins = 1, .allocated = allocated};
    return block;
}

static void block_destroy(const struct allocator *allocator, struct block *block)
{
    allocator_free(allocator, block, block->allocated);
}

void block_unpin(const struct allocator *allocator, struct block *block)
{
    if (--block->pins == 0 && !block->is_cached) block_destroy(allocator, block);
}

/* ---- buckets ---- */

static inline size_t place_hash(uint64_t number, uint64_t offset)
{
    uint64_t h = (number * UINT64_C(0x9E3779B97F4A7C15)) ^ offset;
    h *= UINT64_C(0xD6E8FEB86659FD93);
    return (size_t)(h ^ h >> 32);
}

static struct block **bucket_of(const struct block_cache *c, uint64_t number, uint64_t offset)
{
    return &c->buckets[place_hash(number, offset) & (c->buckets_count - 1)];
}

static int buckets_grow(struct block_cache *c)
{
    size_t count = c->buckets_count ? c->buckets_count * 2 : BUCKETS_MIN;
    struct block **buckets = allocator_alloc(c->allocator, count * sizeof(struct block *));
    if (!buckets) return -ENOMEM;
    memset(buckets, 0, count * sizeof(struct block *));
    struct block_cache old = *c;
    c->buckets = buckets;
    c->buckets_count = count;
    for (size_t i = 0; i < old.buckets_count; i++) {
        for (struct block *b = old.buckets[i], *next; b; b = next) {
            next = b->bucket_next;
            struct block **bucket = bucket_of(c, b->number, b->offset);
            b->bucket_next = *bucket;
            *bucket = b;
        }
    }
    allocator_free(c->allocator, old.buckets, old.buckets_count * sizeof(struct block *));
    c->bytes += (count - old.buckets_count) * sizeof(struct block *);
    return 0;
}

/* ---- the ring ---- */

static void forget(struct block_cache *c, struct block *block)
{
    struct block **link = bucket_of(c, block->number, block->offset);
    while (*link != block) link = &(*link)->bucket_next;
    *link = block->bucket_next;
    if (block->ring_next == block) {
        c->hand = NULL;
    } else {
        block->ring_next->ring_previous = block->ring_previous;
        block->ring_previous->ring_next = block->ring_next;
        if (c->hand == block) c->hand = block->ring_next;
    }
    c->bytes -= block->allocated;
    c->blocks--;
    block->is_cached = false;
    if (block->pins == 0) block_destroy(c->allocator, block);
}

/* Makes room; two rounds see every mark off. False when what is pinned takes it all. */
static bool make_room(struct block_cache *c, uint64_t bytes)
{
    uint64_t steps = 2 * c->blocks;
    while (c->bytes + bytes > c->bytes_max && c->hand && steps-- > 0) {
        struct block *block = c->hand;
        if (block->pins == 0 && !block->is_referenced) {
            forget(c, block);
            continue;
        }
        if (block->pins == 0) block->is_referenced = false;
        c->hand = block->ring_next;
    }
    return c->bytes + bytes <= c->bytes_max;
}

/* ---- the cache ---- */

int block_cache_create(const struct allocator *allocator, uint64_t bytes_max,
                       struct block_cache **out)
{
    struct block_cache *c = allocator_alloc(allocator, sizeof(*c));
    if (!c) return -ENOMEM;
    *c = (struct block_cache){.allocator = allocator, .bytes_max = bytes_max};
    *out = c;
    return 0;
}

void block_cache_destroy(struct block_cache *c)
{
    if (!c) return;
    while (c->hand) forget(c, c->hand);
    allocator_free(c->allocator, c->buckets, c->buckets_count * sizeof(struct block *));
    allocator_free(c->allocator, c, sizeof(*c));
}

void block_cache_stats(const struct block_cache *c, struct block_cache_stats *out)
{
    *out = (struct block_cache_stats){c->hits, c->misses, c->bytes, c->blocks};
}

static struct block *lookup(const struct block_cache *c, uint64_t number, uint64_t offset)
{
    if (!c->buckets_count) return NULL;
    struct block *b = *bucket_of(c, number, offset);
    while (b && (b->offset != offset || b->number != number)) b = b->bucket_next;
    return b;
}

bool block_cache_holds(const struct block_cache *c, uint64_t number, uint64_t offset)
{
    return c && lookup(c, number, offset);
}

struct block *block_cache_find(struct block_cache *c, uint64_t number, uint64_t offset)
{
    struct block *block = lookup(c, number, offset);
    if (!block) {
        c->misses++;
        return NULL;
    }
    c->hits++;
    block->is_referenced = true;
    block->pins++;
    return block;
}

void block_cache_add(struct block_cache *c, struct block *block)
{
    if (!make_room(c, block->allocated)) return;
    if (c->blocks >= c->buckets_count && buckets_grow(c) != 0 && !c->buckets_count) return;
    struct block **bucket = bucket_of(c, block->number, block->offset);
    block->bucket_next = *bucket;
    *bucket = block;
    if (c->hand) {
        block->ring_next = c->hand;
        block->ring_previous = c->hand->ring_previous;
        block->ring_previous->ring_next = block;
        c->hand->ring_previous = block;
    } else {
        block->ring_next = block->ring_previous = block;
        c->hand = block;
    }
    block->is_cached = true;
    c->bytes += block->allocated;
    c->blocks++;
}

void block_cache_drop(struct block_cache *c, uint64_t number, uint64_t offset)
{
    struct block *block = lookup(c, number, offset);
    if (block) forget(c, block);
}
