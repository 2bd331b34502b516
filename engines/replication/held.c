/* A ring of replies in the order in which their operations were logged. A reply that is not the
 * answer to a write (a failed compare_and_set that saw a value which is not safe yet) waits for
 * the log's end of that moment, so positions ascend and releasing stops at the first that is
 * too young.
 */
#include "engines/replication/held.h"

#include <errno.h>

#define CAPACITY_FIRST 16u

void held_init(struct held *held, const struct allocator *allocator)
{
    *held = (struct held){.allocator = allocator};
}

static size_t memory_size(const struct held_reply *item)
{
    return item->reply.key.size + item->reply.value.size;
}

static struct held_reply *held_pop(struct held *held)
{
    struct held_reply *item = &held->items[held->first];
    held->first = (held->first + 1) & (held->capacity - 1);
    held->count--;
    return item;
}

void held_deinit(struct held *held)
{
    while (held->count) {
        struct held_reply *item = held_pop(held);
        allocator_free(held->allocator, item->memory, memory_size(item));
    }
    allocator_free(held->allocator, held->items, held->capacity * sizeof *held->items);
    *held = (struct held){.allocator = held->allocator};
}

static int held_grow(struct held *held)
{
    size_t capacity = held->capacity ? held->capacity * 2 : CAPACITY_FIRST;
    struct held_reply *items = allocator_alloc(held->allocator, capacity * sizeof *items);
    if (!items) return -ENOMEM;
    for (size_t i = 0; i < held->count; i++)
        items[i] = held->items[(held->first + i) & (held->capacity - 1)];
    allocator_free(held->allocator, held->items, held->capacity * sizeof *held->items);
    held->items = items;
    held->capacity = capacity;
    held->first = 0;
    return 0;
}

int held_push(struct held *held, uint64_t request, uint64_t position, int64_t now_ns,
              const struct reply *reply)
{
    if (held->count == held->capacity) {
        int err = held_grow(held);
        if (err) return err;
    }
    struct held_reply item = {
        .request = request, .position = position, .since_ns = now_ns, .reply = *reply};
    if (!reply->has_value) item.reply.value = (struct bytes){NULL, 0};
    if (memory_size(&item)) {
        item.memory = allocator_alloc(held->allocator, memory_size(&item));
        if (!item.memory) return -ENOMEM;
        size_t key_size = item.reply.key.size;
        if (key_size) memcpy(item.memory, item.reply.key.data, key_size);
        if (item.reply.value.size)
            memcpy(item.memory + key_size, item.reply.value.data, item.reply.value.size);
        item.reply.key.data = item.memory;
        item.reply.value.data = item.memory + key_size;
    }
    held->items[(held->first + held->count) & (held->capacity - 1)] = item;
    held->count++;
    return 0;
}

const struct held_reply *held_oldest(const struct held *held)
{
    return held->count ? &held->items[held->first] : NULL;
}

void held_release(struct held *held, struct env *env, uint64_t position)
{
    while (held->count && held->items[held->first].position <= position) {
        struct held_reply *item = held_pop(held);
        env->ops->reply(env, item->request, &item->reply);
        allocator_free(held->allocator, item->memory, memory_size(item));
    }
}

void held_refuse(struct held *held, struct env *env, enum status status, uint32_t leader_hint)
{
    while (held->count) {
        struct held_reply *item = held_pop(held);
        struct reply reply = {.status = status, .leader_hint = leader_hint};
        env->ops->reply(env, item->request, &reply);
        allocator_free(held->allocator, item->memory, memory_size(item));
    }
}
