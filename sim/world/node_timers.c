/* Timers of a node: one a number, on its monotonic clock.
 *
 * A timer keeps its due time on the monotonic clock, so a change of drift only moves the
 * kernel's event. When it comes due it goes to the inbox like a message; set again or
 * cancelled before the node came to it, the entry in the inbox is void: its generation is
 * no longer the timer's.
 *
 *     (none) --node_timer_set--> armed --timer_fire--> queued --node_timer_take--> (none)
 *                                  ^                     |
 *                                  +---node_timer_set----+      node_timer_cancel: (none)
 *
 * A timer set by a handler whose cursor had run past the beginning of a pause is set by the
 * pause's length later, like all that the handler did then: node_timers_hold,
 * node_timers_release.
 */
#include "sim/world/node_internal.h"

#include <stdlib.h>
#include <string.h>

#include "sim/kernel/check.h"

static void timer_fire(struct kernel *kernel, const struct event *event);

static const struct event_type timer_event = {"timer", EVENT_ID('t', 'i', 'm', 'r'),
                                              timer_fire};

/* ---- the table ---- */

/* The slot of id, or the empty one where it would stand. */
static uint32_t slot_find(const struct timers *timers, uint64_t id)
{
    uint32_t mask = timers->slots_count - 1, at = (uint32_t)mix64(id) & mask;
    while (timers->slots[at] && timers->items[timers->slots[at] - 1].id != id)
        at = (at + 1) & mask;
    return at;
}

static struct node_timer *timer_find(struct timers *timers, uint64_t id)
{
    if (!timers->count) return NULL;
    uint32_t slot = timers->slots[slot_find(timers, id)];
    return slot ? &timers->items[slot - 1] : NULL;
}

static struct node_timer *timer_add(struct timers *timers, uint64_t id)
{
    if (timers->count == timers->capacity) {
        timers->capacity = timers->capacity ? timers->capacity * 2 : 8;
        timers->items = xrealloc(timers->items, timers->capacity * sizeof *timers->items);
        timers->slots_count = timers->capacity * 2;
        free(timers->slots);
        timers->slots = xcalloc(timers->slots_count, sizeof *timers->slots);
        for (uint32_t i = 0; i < timers->count; i++)
            timers->slots[slot_find(timers, timers->items[i].id)] = i + 1;
    }
    timers->slots[slot_find(timers, id)] = timers->count + 1;
    struct node_timer *timer = &timers->items[timers->count++];
    *timer = (struct node_timer){.id = id};
    return timer;
}

static void timer_remove(struct timers *timers, struct node_timer *timer)
{
    uint32_t mask = timers->slots_count - 1, hole = slot_find(timers, timer->id);
    timers->slots[hole] = 0;
    /* Those behind the hole that could not stand nearer to their home move up. */
    for (uint32_t at = (hole + 1) & mask; timers->slots[at]; at = (at + 1) & mask) {
        uint32_t home = (uint32_t)mix64(timers->items[timers->slots[at] - 1].id) & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            timers->slots[hole] = timers->slots[at];
            timers->slots[at] = 0;
            hole = at;
        }
    }
    struct node_timer *last = &timers->items[timers->count - 1];
    if (timer != last) {
        timers->slots[slot_find(timers, last->id)] = (uint32_t)(timer - timers->items) + 1;
        *timer = *last;
    }
    timers->count--;
}

/* ---- setting, firing ---- */

static void timer_arm(struct node *node, struct node_timer *timer)
{
    int64_t now = kernel_now(node->kernel), at = clock_true_at(&node->clock, timer->due);
    /* Never before the code that set it has come to that point. */
    if (at < timer->set_at) at = timer->set_at;
    timer->event = kernel_schedule(node->kernel, at < now ? now : at, &timer_event, node,
                                   node->config.endpoint, timer->id, timer->generation);
}

void node_timer_set(struct node *node, uint64_t id, int64_t now_ns, int64_t delay_ns)
{
    struct node_timer *timer = timer_find(&node->timers, id);
    if (!timer)
        timer = timer_add(&node->timers, id);
    else
        kernel_cancel(node->kernel, timer->event);
    timer->due = clock_monotonic(&node->clock, now_ns) + (delay_ns > 0 ? delay_ns : 0);
    timer->set_at = now_ns;
    timer->generation = ++node->timers.generation;
    timer->is_queued = false;
    timer_arm(node, timer);
}

void node_timer_cancel(struct node *node, uint64_t id)
{
    struct node_timer *timer = timer_find(&node->timers, id);
    if (!timer) return;
    kernel_cancel(node->kernel, timer->event);
    timer_remove(&node->timers, timer);
}

static void timer_fire(struct kernel *kernel, const struct event *event)
{
    (void)kernel;
    struct node *node = event->context;
    struct node_timer *timer = timer_find(&node->timers, event->a);
    CHECK(timer && timer->generation == (uint32_t)event->b);
    timer->is_queued = true;
    node_inbox_push(node, &(struct entry){.kind = ENTRY_TIMER,
                                          .timer = timer->id,
                                          .generation = timer->generation});
}

bool node_timer_take(struct node *node, uint64_t id, uint32_t generation)
{
    struct node_timer *timer = timer_find(&node->timers, id);
    if (!timer || timer->generation != generation) return false;
    timer_remove(&node->timers, timer);
    return true;
}

/* ---- stops, pauses, drift ---- */

void node_timers_drop(struct node *node)
{
    for (uint32_t i = 0; i < node->timers.count; i++)
        kernel_cancel(node->kernel, node->timers.items[i].event);
    node->timers.count = 0;
    if (node->timers.slots)
        memset(node->timers.slots, 0, node->timers.slots_count * sizeof *node->timers.slots);
}

void node_timers_hold(struct node *node)
{
    for (uint32_t i = 0; i < node->timers.count; i++)
        if (node->timers.items[i].set_at >= node->paused_at)
            kernel_cancel(node->kernel, node->timers.items[i].event);
}

void node_timers_release(struct node *node)
{
    int64_t from = node->paused_at, now = kernel_now(node->kernel);
    int64_t shift = clock_monotonic(&node->clock, now) - node->paused_monotonic;
    for (uint32_t i = 0; i < node->timers.count; i++) {
        struct node_timer *timer = &node->timers.items[i];
        if (timer->is_queued || timer->set_at < from) continue;
        timer->set_at += now - from;
        timer->due += shift;
        timer_arm(node, timer);
    }
}

void node_timers_rescale(struct node *node)
{
    for (uint32_t i = 0; i < node->timers.count; i++) {
        struct node_timer *timer = &node->timers.items[i];
        if (timer->is_queued || !kernel_cancel(node->kernel, timer->event)) continue;
        timer_arm(node, timer);
    }
}

void node_timers_deinit(struct node *node)
{
    node_timers_drop(node);
    free(node->timers.items);
    free(node->timers.slots);
}
