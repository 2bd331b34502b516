/* What queue.c and queue_sort.c share: the places of the event queue and the chunks that carry
 * its entries. Nobody else includes it. */
#ifndef FAULTLINE_SIM_KERNEL_QUEUE_INTERNAL_H
#define FAULTLINE_SIM_KERNEL_QUEUE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sim/kernel/queue.h"

#define CHUNK_COUNT 8u /* entries a chunk: 128 bytes */
#define WIDE_MAX 4096u /* buckets of a rung: 64 words of bitmap under one word of summary */
#define RUNGS_MAX 13   /* 63 bits of time at 6 bits a rung, and some for bottom_spread */
#define SORT_MAX 24u   /* a bucket with more is spread over a nested rung */
#define SHIFT_MAX 32u  /* an insertion moves at most so many entries; else the heap takes it */
#define NONE UINT32_MAX

typedef unsigned __int128 wide;

struct entry {
    uint64_t time;
    uint64_t key; /* order << 24 | slot */
};
struct chunk {
    struct entry entries[CHUNK_COUNT];
};
/* A list of chunks, all full but the head. */
struct bucket {
    uint32_t head;  /* chunk; its successors by queue.next; meaningless when count is 0 */
    uint32_t count; /* entries */
};

struct rung {
    uint64_t cursor;               /* the next slot to consume; slot = time >> shift */
    uint64_t limit;                /* times from here on are another's */
    uint64_t summary;              /* bit w: words[w] != 0 */
    uint64_t words[WIDE_MAX / 64]; /* bit b: bucket b has entries */
    uint32_t mask;                 /* buckets - 1 */
    uint32_t capacity;             /* buckets allocated */
    int shift;
    struct bucket *buckets;
};

struct queue {
    size_t count;
    struct entry *bottom; /* descending: the least is last */
    size_t bottom_count, bottom_capacity;
    struct entry *heap; /* 4-ary */
    size_t heap_count, heap_capacity;
    uint64_t heap_time_max; /* since the heap was last empty */
    uint64_t far_from;      /* times from here on go to `far` */
    int rungs_count;
    struct chunk *chunks; /* the pool */
    uint32_t *next;       /* of each chunk: its successor in a bucket or among the free */
    uint32_t free_chunk, chunks_used, chunks_capacity;
    struct bucket far;
    uint64_t far_min, far_max; /* times */
    uint64_t extended_at;      /* slot at which the sliding rung was last extended ... */
    uint64_t extend_at;        /* ... and is to be extended next */
    uint64_t consumed;         /* entries taken from it since it was extended */
    uint64_t credit;           /* entries taken from it since far was last walked (I4) */
    bool frozen;               /* its width fits no more: not extended until the next epoch */
    bool spread;               /* the last epoch moved too little: the next covers all of far */
    uint64_t work;             /* see queue_work */
    const char *slots;         /* where the payloads stand, for prefetching; NULL: unknown */
    size_t slot_size;
    struct rung rungs[RUNGS_MAX];
};

static inline wide rank(struct entry e)
{
    return (wide)e.time << 64 | e.key;
}

/* ---- chunks ---- */

void queue_chunks_grow(struct queue *q, uint32_t capacity);

static inline uint32_t chunk_take(struct queue *q)
{
    uint32_t x = q->free_chunk;
    if (x != NONE) {
        q->free_chunk = q->next[x];
        return x;
    }
    if (q->chunks_used == q->chunks_capacity)
        queue_chunks_grow(q, q->chunks_capacity + q->chunks_capacity / 4);
    return q->chunks_used++;
}

static inline void chunk_give(struct queue *q, uint32_t x)
{
    q->next[x] = q->free_chunk;
    q->free_chunk = x;
}

/* True when the bucket was empty. */
static inline bool bucket_add(struct queue *q, struct bucket *b, struct entry e)
{
    uint32_t at = b->count++ % CHUNK_COUNT;
    if (at == 0) {
        uint32_t x = chunk_take(q);
        q->next[x] = b->head;
        b->head = x;
        q->chunks[x].entries[0] = e;
        return b->count == 1;
    }
    q->chunks[b->head].entries[at] = e;
    return false;
}

/* Moves the last chunk of a bucket to `out`; returns its entries' number, 0 when empty. */
static inline uint32_t bucket_take(struct queue *q, struct bucket *b, struct entry *out)
{
    if (b->count == 0) return 0;
    uint32_t count = (b->count - 1) % CHUNK_COUNT + 1, x = b->head;
    memcpy(out, q->chunks[x].entries, sizeof(struct chunk));
    b->head = q->next[x];
    b->count -= count;
    chunk_give(q, x);
    return count;
}

/* ---- the sorted bottom (queue_sort.c) ---- */

void queue_bottom_reserve(struct queue *q, size_t count);
/* Empties a bucket, whose times start at `start` and span 2^shift, into the empty bottom,
 * sorted. */
void queue_bottom_fill(struct queue *q, struct bucket b, uint64_t start, int shift);

#endif
