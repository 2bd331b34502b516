/* Sorting buckets into the bottom of the event queue.
 *
 * Most buckets hold a handful of entries, and what sorting a handful costs is mispredicted
 * branches. One or two chunks are therefore sorted by a network of compare-exchanges over
 * 64-bit keys, (time within the bucket) << 3 or 4 | (place in the chunks), which compile to
 * conditional moves; the entries are then copied in key order. Keys order by time alone: where
 * two times are equal, which is noticed, an exact insertion sort over the nearly sorted result
 * puts their orders right. Longer buckets (all of one time, or with no rung left to spread them
 * over) take an insertion sort or a merge sort. The bottom is descending: the least is last.
 */
#include "sim/kernel/queue_internal.h"

#include <stdlib.h>

#include "sim/kernel/arena.h"

void queue_bottom_reserve(struct queue *q, size_t count)
{
    if (count <= q->bottom_capacity) return;
    /* Exact: who asks has `count` entries to move, which pays for the copy. The places before
     * the array are spare: the networks write there. */
    struct entry *base = q->bottom ? q->bottom - CHUNK_COUNT : NULL;
    base = xrealloc(base, (count + CHUNK_COUNT) * sizeof *base);
    q->bottom = base + CHUNK_COUNT;
    q->bottom_capacity = count;
}

static void insertion_sort(struct entry *e, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct entry x = e[i];
        size_t j = i;
        for (; j > 0 && rank(e[j - 1]) < rank(x); j--) e[j] = e[j - 1];
        e[j] = x;
    }
}

/* Returns the entries moved. */
static uint64_t merge_sort(struct entry *e, size_t count)
{
    uint64_t moved = 0;
    size_t sorted = 1;
    while (sorted < count && rank(e[sorted - 1]) > rank(e[sorted])) sorted++;
    if (sorted == count) return 0;
    struct entry *from = e, *spare = xmalloc(count * sizeof *spare), *to = spare;
    for (size_t i = 0; i < count; i += 16)
        insertion_sort(e + i, count - i < 16 ? count - i : 16);
    for (size_t run = 16; run < count; run *= 2) {
        moved += count;
        for (size_t start = 0; start < count; start += 2 * run) {
            size_t a = start, middle = start + run < count ? start + run : count, b = middle,
                   end = middle + run < count ? middle + run : count;
            for (size_t i = start; i < end; i++)
                to[i] = b >= end || (a < middle && rank(from[a]) > rank(from[b])) ? from[a++]
                                                                                  : from[b++];
        }
        struct entry *swap = from;
        from = to;
        to = swap;
    }
    if (from != e) memcpy(e, from, count * sizeof *e);
    free(spare);
    return moved;
}

#define ORDER_PAIR(i, j)                                                                       \
    do {                                                                                       \
        uint64_t a_ = k[i], b_ = k[j];                                                         \
        k[i] = a_ < b_ ? a_ : b_;                                                              \
        k[j] = a_ < b_ ? b_ : a_;                                                              \
    } while (0)

/* The network of 19 exchanges, the least for 8. */
static inline void sort_8(uint64_t *k)
{
    ORDER_PAIR(0, 2);
    ORDER_PAIR(1, 3);
    ORDER_PAIR(4, 6);
    ORDER_PAIR(5, 7);
    ORDER_PAIR(0, 4);
    ORDER_PAIR(1, 5);
    ORDER_PAIR(2, 6);
    ORDER_PAIR(3, 7);
    ORDER_PAIR(0, 1);
    ORDER_PAIR(2, 3);
    ORDER_PAIR(4, 5);
    ORDER_PAIR(6, 7);
    ORDER_PAIR(2, 4);
    ORDER_PAIR(3, 5);
    ORDER_PAIR(1, 4);
    ORDER_PAIR(3, 6);
    ORDER_PAIR(1, 2);
    ORDER_PAIR(3, 4);
    ORDER_PAIR(5, 6);
}

/* Sorts a bucket of one chunk into the empty bottom, by time; false when two times are equal.
 * Places beyond the count take part with keys above all others and land in the spare places
 * before the array. */
static bool chunk_sort(struct queue *q, struct bucket b, uint64_t start)
{
    const struct entry *e = q->chunks[b.head].entries;
    uint64_t k[CHUNK_COUNT];
    for (uint32_t i = 0; i < CHUNK_COUNT; i++) {
        uint64_t time = e[i].time - start, there = -(uint64_t)(i < b.count);
        k[i] = (time | ~there) << 3 | i;
    }
    sort_8(k);
    struct entry *to = q->bottom + b.count - 1;
    uint64_t same = 0;
    for (uint32_t i = 0; i < CHUNK_COUNT; i++) {
        to[-(int)i] = e[k[i] & 7];
        if (i > 0) same |= (uint64_t)(i < b.count) & ((k[i] ^ k[i - 1]) < 8);
    }
    q->next[b.head] = q->free_chunk;
    q->free_chunk = b.head;
    q->bottom_count = b.count;
    return same == 0;
}

/* The same for two chunks, nine to sixteen entries. */
static bool pair_sort(struct queue *q, struct bucket b, uint64_t start)
{
    struct entry e[2 * CHUNK_COUNT];
    uint32_t first = b.head, second = q->next[first],
             in_first = (b.count - 1) % CHUNK_COUNT + 1;
    memcpy(e, q->chunks[second].entries, sizeof(struct chunk));
    memcpy(e + CHUNK_COUNT, q->chunks[first].entries, sizeof(struct chunk));
    uint64_t k[2 * CHUNK_COUNT];
    for (uint32_t i = 0; i < 2 * CHUNK_COUNT; i++) {
        uint64_t time = e[i].time - start, there = -(uint64_t)(i < CHUNK_COUNT + in_first);
        k[i] = (time | ~there) << 4 | i;
    }
    sort_8(k);
    sort_8(k + CHUNK_COUNT);
    for (uint32_t i = 0; i < 8; i++) ORDER_PAIR(i, i + 8);
    for (uint32_t i = 4; i < 8; i++) ORDER_PAIR(i, i + 4);
    for (uint32_t i = 2; i < 14; i += 4) {
        ORDER_PAIR(i, i + 2);
        ORDER_PAIR(i + 1, i + 3);
    }
    for (uint32_t i = 1; i < 15; i += 2) ORDER_PAIR(i, i + 1);
    struct entry *to = q->bottom + b.count - 1;
    uint64_t same = 0;
    for (uint32_t i = 0; i < 2 * CHUNK_COUNT; i++) {
        to[-(int)i] = e[k[i] & 15];
        if (i > 0) same |= (uint64_t)(i < b.count) & ((k[i] ^ k[i - 1]) < 16);
    }
    q->next[second] = q->free_chunk;
    q->free_chunk = first;
    q->bottom_count = b.count;
    return same == 0;
}

/* Any bucket, at any length. */
static void list_sort(struct queue *q, struct bucket b)
{
    size_t count = b.count;
    queue_bottom_reserve(q, count + SHIFT_MAX);
    struct entry *to = q->bottom;
    while (b.count) {
        /* Latest first: what came in ascending order leaves this loop sorted. */
        uint32_t in_chunk = (b.count - 1) % CHUNK_COUNT + 1, x = b.head;
        const struct entry *from = q->chunks[x].entries;
        for (uint32_t i = in_chunk; i-- > 0;) *to++ = from[i];
        b.head = q->next[x];
        b.count -= in_chunk;
        chunk_give(q, x);
    }
    if (count <= SORT_MAX)
        insertion_sort(q->bottom, count);
    else
        q->work += merge_sort(q->bottom, count);
    q->bottom_count = count;
}

void queue_bottom_fill(struct queue *q, struct bucket b, uint64_t start, int shift)
{
    q->work += b.count;
    /* The keys of the networks have 3 or 4 bits for the place beside those of the time. */
    bool sorted = true;
    if (b.count <= CHUNK_COUNT && shift <= 60)
        sorted = chunk_sort(q, b, start);
    else if (b.count <= 2 * CHUNK_COUNT && shift <= 59)
        sorted = pair_sort(q, b, start);
    else
        list_sort(q, b);
    if (!sorted) insertion_sort(q->bottom, b.count);
}
