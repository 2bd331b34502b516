/* The event queue: a priority queue in exact (time, order) order with cancellation.
 *
 * Entries are 16 bytes {time, order << 24 | slot}; the payload stands in a slot pool. Order is
 * the kernel's sequence number, so ties leave in the order of scheduling. Steady state
 * allocates nothing per event; no operation is quadratic in the number pending.
 */
#ifndef FAULTLINE_SIM_KERNEL_QUEUE_H
#define FAULTLINE_SIM_KERNEL_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUEUE_SLOTS_MAX (UINT32_C(1) << 24) /* pending events at most: 16.7 million */

struct queue;
struct queue_item {
    int64_t time;
    uint64_t order;
    uint32_t slot;
};

struct queue *queue_create(size_t pending_expected);
void queue_destroy(struct queue *queue);
/* Says where the payload of a slot stands (slots + slot x slot_size), so that payloads are on
 * their way to the cache before their events are popped. */
void queue_prefetch(struct queue *queue, const void *slots, size_t slot_size);
/* time >= the time of the last popped item; order unique among equal times, below 2^40. */
void queue_push(struct queue *queue, int64_t time, uint64_t order, uint32_t slot);
/* Takes the least item; false when empty. */
bool queue_pop(struct queue *queue, struct queue_item *item);
/* The same, if the least item's time is at most `until`. */
bool queue_pop_until(struct queue *queue, int64_t until, struct queue_item *item);
/* Time of the least item, VTIME_MAX when empty. */
int64_t queue_peek_time(struct queue *queue);
/* Removes the entries for which keep() says no: O(n). The cancelled are shed this way before
 * they outnumber the living. */
void queue_filter(struct queue *queue,
                  bool (*keep)(void *context, uint64_t order, uint32_t slot), void *context);
size_t queue_count(const struct queue *queue);
/* Entries moved so far beside pushes and pops themselves: how tests see that no pattern is
 * quadratic. */
uint64_t queue_work(const struct queue *queue);
/* Bytes held, for the limit of 40 bytes a pending event. */
size_t queue_bytes(const struct queue *queue);

#endif
