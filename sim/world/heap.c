/* The node heap: size classes over chunks, so that to allocate costs a few instructions and to
 * forget everything costs one free a chunk.
 *
 * The allocator's contract names the old size with every resize, so small blocks need no
 * header: the size says the class. Up to 512 bytes the classes are multiples of 16, above four
 * a power of two up to 8 KiB; a freed block heads its class's list. New blocks are cut from the
 * current chunk; chunks double from 2 KiB to 64 KiB, so that an idle node is small and a busy
 * one calls malloc rarely. Larger blocks are malloc's own, on a list. A block that stays in its
 * class does not move.
 *
 * Under AddressSanitizer (POOLED 0) every block is on the list of large ones: each has its own
 * redzone, and reset gives it back, which poisons it.
 *
 * Not modelled: fragmentation counts for nothing against the limit.
 */
#include "sim/world/heap.h"

#include <stdbool.h>
#include <stdlib.h>

#include "sim/kernel/arena.h"
#include "sim/kernel/check.h"

#if defined(__SANITIZE_ADDRESS__)
#define POOLED 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOLED 0
#endif
#endif
#ifndef POOLED
#define POOLED 1
#endif

#define ALIGNMENT 16u
#define FINE_MAX 512u /* up to here a class each 16 bytes */
#define FINE_CLASSES (FINE_MAX / ALIGNMENT)
#define POOLED_MAX 8192u             /* larger blocks are malloc's */
#define CLASSES (FINE_CLASSES + 16u) /* and four a power of two: 640 ... 8192 */
#define CHUNK_MIN ((size_t)2 << 10)
#define CHUNK_MAX ((size_t)64 << 10)

struct free_block {
    struct free_block *next;
};

struct chunk {
    struct chunk *next;
    size_t size; /* of what follows the header */
};

/* Before each block of malloc's own; 32 bytes keep what follows aligned. */
struct large {
    struct large *next, *previous;
    size_t size; /* asked for */
    size_t unused;
};

struct heap {
    struct allocator allocator;
    size_t limit, bytes, bytes_max;
    uint64_t blocks, refusals;
    struct chunk *chunks;
    unsigned char *chunk_at, *chunk_end; /* what is left of the newest chunk */
    size_t chunk_next;                   /* size of the next one */
    struct large *large;
    struct free_block *free[CLASSES];
};

_Static_assert(sizeof(struct large) % ALIGNMENT == 0 && sizeof(struct chunk) % ALIGNMENT == 0,
               "blocks stand behind these headers");

/* ---- classes ---- */

/* Index of the smallest class that holds `size`, and what it holds. */
static uint32_t class_of(size_t size, size_t *holds)
{
    if (size <= FINE_MAX) {
        uint32_t index = (uint32_t)((size + ALIGNMENT - 1) / ALIGNMENT) - 1;
        *holds = (index + 1) * ALIGNMENT;
        return index;
    }
    size_t base = FINE_MAX;
    uint32_t index = FINE_CLASSES;
    while (size > 2 * base) {
        base *= 2;
        index += 4;
    }
    size_t quarter = base / 4;
    uint32_t step = (uint32_t)((size - base + quarter - 1) / quarter); /* 1 ... 4 */
    *holds = base + step * quarter;
    return index + step - 1;
}

static bool is_pooled(size_t size)
{
    return POOLED && size <= POOLED_MAX;
}

static void *pool_take(struct heap *heap, size_t size)
{
    size_t holds;
    uint32_t class = class_of(size, &holds);
    struct free_block *block = heap->free[class];
    if (block) {
        heap->free[class] = block->next;
        return block;
    }
    if ((size_t)(heap->chunk_end - heap->chunk_at) < holds) {
        size_t chunk_size = heap->chunk_next > holds ? heap->chunk_next : holds;
        struct chunk *chunk = xmalloc(sizeof *chunk + chunk_size);
        chunk->next = heap->chunks;
        chunk->size = chunk_size;
        heap->chunks = chunk;
        heap->chunk_at = (unsigned char *)(chunk + 1);
        heap->chunk_end = heap->chunk_at + chunk_size;
        heap->chunk_next = heap->chunk_next < CHUNK_MAX ? heap->chunk_next * 2 : CHUNK_MAX;
    }
    void *taken = heap->chunk_at;
    heap->chunk_at += holds;
    return taken;
}

static void pool_give(struct heap *heap, void *data, size_t size)
{
    size_t holds;
    uint32_t class = class_of(size, &holds);
    struct free_block *block = data;
    block->next = heap->free[class];
    heap->free[class] = block;
}

/* ---- blocks of malloc's own ---- */

static void *large_take(struct heap *heap, size_t size)
{
    struct large *large = xmalloc(sizeof *large + size);
    large->size = size;
    large->previous = NULL;
    large->next = heap->large;
    if (heap->large) heap->large->previous = large;
    heap->large = large;
    return large + 1;
}

static void large_give(struct heap *heap, void *data, size_t size)
{
    struct large *large = (struct large *)data - 1;
    CHECK(large->size == size);
    if (large->previous)
        large->previous->next = large->next;
    else
        heap->large = large->next;
    if (large->next) large->next->previous = large->previous;
    free(large);
}

/* ---- the allocator ---- */

static void *take(struct heap *heap, size_t size)
{
    return is_pooled(size) ? pool_take(heap, size) : large_take(heap, size);
}

static void give(struct heap *heap, void *data, size_t size)
{
    if (is_pooled(size))
        pool_give(heap, data, size);
    else
        large_give(heap, data, size);
}

static bool same_place(size_t old_size, size_t new_size)
{
    size_t old_holds, new_holds;
    return is_pooled(old_size) && is_pooled(new_size) &&
           class_of(old_size, &old_holds) == class_of(new_size, &new_holds);
}

static void account(struct heap *heap, size_t old_size, size_t new_size)
{
    heap->bytes += new_size - old_size;
    if (heap->bytes > heap->bytes_max) heap->bytes_max = heap->bytes;
}

static void *heap_resize(void *context, void *block, size_t old_size, size_t new_size)
{
    struct heap *heap = context;
    CHECK((block == NULL) == (old_size == 0));
    CHECK(old_size <= heap->bytes);
    if (new_size > old_size &&
        ((heap->limit &&
          new_size - old_size >
              heap->limit - (heap->bytes < heap->limit ? heap->bytes : heap->limit)) ||
         new_size > SIZE_MAX / 2)) {
        heap->refusals++;
        return NULL;
    }
    if (block && new_size && (old_size == new_size || same_place(old_size, new_size))) {
        account(heap, old_size, new_size);
        return block;
    }
    void *moved = NULL;
    if (new_size) {
        moved = take(heap, new_size);
        if (block) memcpy(moved, block, old_size < new_size ? old_size : new_size);
        heap->blocks++;
    }
    if (block) {
        give(heap, block, old_size);
        heap->blocks--;
    }
    account(heap, old_size, new_size);
    return moved;
}

/* ---- life ---- */

struct heap *heap_create(size_t limit_bytes)
{
    struct heap *heap = xcalloc(1, sizeof *heap);
    heap->allocator = (struct allocator){heap_resize, heap};
    heap->limit = limit_bytes;
    heap->chunk_next = CHUNK_MIN;
    return heap;
}

void heap_reset(struct heap *heap)
{
    while (heap->large) {
        struct large *large = heap->large;
        heap->large = large->next;
        free(large);
    }
    while (heap->chunks) {
        struct chunk *chunk = heap->chunks;
        heap->chunks = chunk->next;
        free(chunk);
    }
    memset(heap->free, 0, sizeof heap->free);
    heap->chunk_at = heap->chunk_end = NULL;
    heap->chunk_next = CHUNK_MIN;
    heap->bytes = 0;
    heap->blocks = 0;
}

void heap_destroy(struct heap *heap)
{
    if (!heap) return;
    heap_reset(heap);
    free(heap);
}

const struct allocator *heap_allocator(struct heap *heap)
{
    return &heap->allocator;
}
void heap_set_limit(struct heap *heap, size_t limit_bytes)
{
    heap->limit = limit_bytes;
}
size_t heap_bytes(const struct heap *heap)
{
    return heap->bytes;
}
size_t heap_bytes_max(const struct heap *heap)
{
    return heap->bytes_max;
}
uint64_t heap_blocks(const struct heap *heap)
{
    return heap->blocks;
}
uint64_t heap_refusals(const struct heap *heap)
{
    return heap->refusals;
}
