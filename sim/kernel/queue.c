/* The event queue: a 4-ary heap of 16-byte entries. */
#include "sim/kernel/queue.h"

#include <stdlib.h>

#include "sim/kernel/arena.h"
#include "sim/kernel/check.h"
#include "sim/kernel/vtime.h"

#define WAYS 4

struct entry { int64_t time; uint64_t key; };

struct queue {
    struct entry *entries;
    size_t count, capacity;
};

static bool before(const struct entry *a, const struct entry *b)
{
    return a->time != b->time ? a->time < b->time : a->key < b->key;
}

struct queue *queue_create(size_t pending_expected)
{
    struct queue *queue = xcalloc(1, sizeof *queue);
    queue->capacity = pending_expected < 64 ? 64 : pending_expected;
    queue->entries = xmalloc(queue->capacity * sizeof *queue->entries);
    return queue;
}

void queue_destroy(struct queue *queue)
{
    if (!queue)
        return;
    free(queue->entries);
    free(queue);
}

static void sift_up(struct queue *queue, size_t i, struct entry entry)
{
    while (i > 0 && before(&entry, &queue->entries[(i - 1) / WAYS])) {
        queue->entries[i] = queue->entries[(i - 1) / WAYS];
        i = (i - 1) / WAYS;
    }
    queue->entries[i] = entry;
}

static void sift_down(struct queue *queue, size_t i, struct entry entry)
{
    struct entry *e = queue->entries;
    for (;;) {
        size_t child = i * WAYS + 1, end = child + WAYS < queue->count ? child + WAYS : queue->count, least = child;
        if (child >= queue->count)
            break;
        for (size_t j = child + 1; j < end; j++)
            if (before(&e[j], &e[least]))
                least = j;
        if (!before(&e[least], &entry))
            break;
        e[i] = e[least];
        i = least;
    }
    e[i] = entry;
}

void queue_push(struct queue *queue, int64_t time, uint64_t order, uint32_t slot)
{
    if (queue->count == queue->capacity) {
        queue->capacity += queue->capacity / 2;
        queue->entries = xrealloc(queue->entries, queue->capacity * sizeof *queue->entries);
    }
    sift_up(queue, queue->count++, (struct entry){time, order << 24 | slot});
}

bool queue_pop(struct queue *queue, struct queue_item *item)
{
    if (queue->count == 0)
        return false;
    struct entry least = queue->entries[0];
    struct entry last = queue->entries[--queue->count];
    if (queue->count > 0)
        sift_down(queue, 0, last);
    *item = (struct queue_item){least.time, least.key >> 24, (uint32_t)(least.key & (QUEUE_SLOTS_MAX - 1))};
    return true;
}

int64_t queue_peek_time(struct queue *queue)
{
    return queue->count > 0 ? queue->entries[0].time : VTIME_MAX;
}

void queue_filter(struct queue *queue, bool (*keep)(void *context, uint64_t order, uint32_t slot), void *context)
{
    size_t kept = 0;
    for (size_t i = 0; i < queue->count; i++) {
        struct entry entry = queue->entries[i];
        if (keep(context, entry.key >> 24, (uint32_t)(entry.key & (QUEUE_SLOTS_MAX - 1))))
            queue->entries[kept++] = entry;
    }
    queue->count = kept;
    for (size_t i = kept / WAYS + 1; i-- > 0;)
        if (i < kept)
            sift_down(queue, i, queue->entries[i]);
}

size_t queue_count(const struct queue *queue)
{
    return queue->count;
}

size_t queue_bytes(const struct queue *queue)
{
    return sizeof *queue + queue->capacity * sizeof *queue->entries;
}
