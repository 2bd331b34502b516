/* The block cache of `lsm`: blocks of all tables of an engine, bounded, second chance.
 *
 * A table has an array of its blocks' places anyway (the index); a cached block hangs there. So
 * finding one is a load beside the offset that the reader has just fetched, where a hash table
 * by (file, offset) would cost two or three more cache misses a lookup: see table_block_get().
 * What is shared is the bound and the choice of who goes.
 *
 * All blocks stand in a ring with a hand. A hit marks the block. To make room the hand goes
 * round: a marked block loses its mark and stays, a pinned one stays, the next is dropped. A
 * new block enters behind the hand without a mark, so one that is never hit again (a scan) goes
 * at the hand's next round, while the blocks in use survive it. That is close to LRU and costs
 * a hit one store, no list surgery (Corbato 1968).
 *
 *     block_create -> read -> block_cache_add -> block_unpin ... block_cache_find -> unpin
 *
 * Invariants:
 *   I1  bytes is what the blocks in the ring have allocated; with a block more it exceeds
 *       bytes_max only by what is pinned.
 *   I2  a block is in the ring if and only if *home is the block.
 *   I3  a block lives while it is in the ring or pinned.
 */
#include <errno.h>

#include "engines/storage/lsm/table_format.h"

#define GRAIN                                                                                  \
    256u /* sizes of blocks are rounded up to it, so that a new one fits where an old          \
            one was */

struct block_cache {
    const struct allocator *allocator;
    uint64_t bytes_max, bytes, blocks, hits, misses;
    struct block *hand; /* NULL: empty */
};

/* ---- a block's memory ---- */

static void block_destroy(const struct allocator *allocator, struct block *block)
{
    allocator_free(allocator, block, block->allocated);
}

void block_unpin(const struct allocator *allocator, struct block *block)
{
    if (--block->pins == 0 && !block->home) block_destroy(allocator, block);
}

/* ---- the ring ---- */

/* I2: out of the ring and its table; who calls it sees to I3. */
static void unlink_block(struct block_cache *c, struct block *block)
{
    if (block->ring_next == block) {
        c->hand = NULL;
    } else {
        block->ring_next->ring_previous = block->ring_previous;
        block->ring_previous->ring_next = block->ring_next;
        if (c->hand == block) c->hand = block->ring_next;
    }
    c->bytes -= block->allocated;
    c->blocks--;
    *block->home = NULL;
    block->home = NULL;
}

void block_cache_drop(struct block_cache *c, struct block *block)
{
    unlink_block(c, block);
    if (block->pins == 0) block_destroy(c->allocator, block);
}

/* Makes room; two rounds see every mark off. False when what is pinned takes it all. *spare,
 * when given, receives the memory of one who had to go, if it has just the size. */
static bool make_room(struct block_cache *c, uint64_t bytes, struct block **spare)
{
    if (bytes > c->bytes_max) return false;
    uint64_t steps = 2 * c->blocks;
    while (c->bytes + bytes > c->bytes_max && c->hand && steps-- > 0) {
        struct block *block = c->hand;
        if (block->pins == 0 && !block->is_referenced) {
            unlink_block(c, block);
            if (spare && !*spare && block->allocated == bytes)
                *spare = block;
            else
                block_destroy(c->allocator, block);
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
    while (c->hand) block_cache_drop(c, c->hand);
    allocator_free(c->allocator, c, sizeof(*c));
}

void block_cache_stats(const struct block_cache *c, struct block_cache_stats *out)
{
    *out = (struct block_cache_stats){c->hits, c->misses, c->bytes, c->blocks};
}

struct block *block_create(const struct allocator *allocator, struct block_cache *c,
                           uint32_t size)
{
    size_t allocated = sizeof(struct block) + (size_t)size;
    allocated = (allocated + GRAIN - 1) & ~(size_t)(GRAIN - 1);
    struct block *block = NULL;
    if (c) make_room(c, allocated, &block);
    if (!block) block = allocator_alloc(allocator, allocated);
    if (!block) return NULL;
    block->home = NULL;
    block->ring_next = block->ring_previous = NULL;
    block->allocated = allocated;
    block->size = size;
    block->pins = 1;
    block->entries_end = block->restarts = 0;
    block->is_referenced = false;
    return block;
}

struct block *block_cache_find(struct block_cache *c, struct block **home)
{
    struct block *block = *home;
    if (!block) {
        c->misses++;
        return NULL;
    }
    c->hits++;
    block->is_referenced = true;
    block->pins++;
    return block;
}

void block_cache_add(struct block_cache *c, struct block *block, struct block **home)
{
    if (!make_room(c, block->allocated, NULL)) return;
    if (c->hand) {
        block->ring_next = c->hand;
        block->ring_previous = c->hand->ring_previous;
        block->ring_previous->ring_next = block;
        c->hand->ring_previous = block;
    } else {
        block->ring_next = block->ring_previous = block;
        c->hand = block;
    }
    *home = block;
    block->home = home;
    c->bytes += block->allocated;
    c->blocks++;
}
