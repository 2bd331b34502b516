/* Second stores: a map from id to token beside the database, always up and linearizable.
 *
 * It stands for the other system that keeps ids of the database (the dashboard's Redis, a
 * search index): when the database issues an id twice, the second store is where it shows.
 * A request takes `latency` from its arrival; it takes effect when that is over, and is
 * answered then.
 *
 *     request  u64 number, u8 0 get | 1 put, u16 key size, key, u64 token (put only)
 *     reply    u64 number, u8 found (get) or 1 (put), u64 token held (get) or written (put)
 *
 * A malformed request is dropped.
 */
#include "sim/world/world_internal.h"

#include <stdlib.h>
#include <string.h>

#include "sim/kernel/check.h"

static void serve_fire(struct kernel *kernel, const struct event *event);

static const struct event_type serve_event = {"store", EVENT_ID('s', 't', 'o', 'r'),
                                              serve_fire};

struct served {
    struct served *previous, *next;
    struct store *store;
    uint32_t from;
    struct payload *payload;
};

/* ---- the map ---- */

static struct store_item *find(struct store *store, const unsigned char *key, uint32_t size)
{
    uint32_t mask = store->capacity - 1, at = (uint32_t)hash_bytes(key, size, 0) & mask;
    while (store->items[at].key &&
           (store->items[at].key_size != size || memcmp(store->items[at].key, key, size) != 0))
        at = (at + 1) & mask;
    return &store->items[at];
}

static void put(struct store *store, const unsigned char *key, uint32_t size, uint64_t token)
{
    struct store_item *item = find(store, key, size);
    if (item->key) {
        item->token = token;
        return;
    }
    if ((store->count + 1) * 2 > store->capacity) {
        struct store_item *old = store->items;
        uint32_t old_capacity = store->capacity;
        store->capacity *= 2;
        store->items = xcalloc(store->capacity, sizeof *store->items);
        for (uint32_t i = 0; i < old_capacity; i++)
            if (old[i].key) *find(store, old[i].key, old[i].key_size) = old[i];
        free(old);
        item = find(store, key, size);
    }
    item->key = xmalloc(size ? size : 1);
    memcpy(item->key, key, size);
    item->key_size = size;
    item->token = token;
    store->count++;
}

/* ---- service ---- */

static void served_free(struct served *served)
{
    if (served->previous)
        served->previous->next = served->next;
    else
        served->store->served = served->next;
    if (served->next) served->next->previous = served->previous;
    payload_release(served->payload);
    free(served);
}

static void serve_fire(struct kernel *kernel, const struct event *event)
{
    (void)kernel;
    struct served *served = event->context;
    struct store *store = served->store;
    const unsigned char *p = served->payload->data;
    uint32_t key_size = get_u16(p + 9);
    bool found = true;
    uint64_t token = 0;
    if (p[8]) {
        token = get_u64(p + 11 + key_size);
        put(store, p + 11, key_size, token);
    } else {
        const struct store_item *item = find(store, p + 11, key_size);
        found = item->key != NULL;
        token = found ? item->token : 0;
    }
    unsigned char bytes[17];
    put_u64(bytes, get_u64(p));
    bytes[8] = found;
    put_u64(bytes + 9, token);
    struct payload *reply = payload_create(bytes_of(bytes, sizeof bytes), NULL, 0);
    network_send(store->world->network, store->endpoint, served->from, MESSAGE_CLIENT,
                 MESSAGE_STORE_REPLY, reply);
    payload_release(reply);
    served_free(served);
}

static void store_receive(void *context, uint32_t from, enum message_class message_class,
                          uint32_t kind, struct payload *payload)
{
    (void)message_class;
    struct store *store = context;
    if (kind != MESSAGE_STORE_REQUEST || payload->size < 11) return;
    uint32_t key_size = get_u16(payload->data + 9), is_put = payload->data[8];
    if (is_put > 1 || payload->size != 11 + key_size + (is_put ? 8 : 0)) return;
    struct served *served = xmalloc(sizeof *served);
    *served = (struct served){NULL, store->served, store, from, payload_retain(payload)};
    if (served->next) served->next->previous = served;
    store->served = served;
    kernel_schedule(store->world->kernel,
                    kernel_now(store->world->kernel) + store->config.latency_ns, &serve_event,
                    served, store->endpoint, from, payload->hash);
}

/* ---- life ---- */

void stores_create(struct world *world)
{
    uint32_t count = world->config.stores_count;
    world->stores = xcalloc(count ? count : 1, sizeof *world->stores);
    for (uint32_t i = 0; i < count; i++) {
        struct store *store = &world->stores[i];
        store->world = world;
        store->config = world->config.stores[i];
        store->capacity = 64;
        store->items = xcalloc(store->capacity, sizeof *store->items);
        store->endpoint = network_add(world->network, store->config.name, store->config.region,
                                      NETWORK_OWN_MACHINE, store_receive, store);
    }
}

void stores_destroy(struct world *world)
{
    for (uint32_t i = 0; i < world->config.stores_count; i++) {
        struct store *store = &world->stores[i];
        while (store->served) served_free(store->served);
        for (uint32_t k = 0; k < store->capacity; k++) free(store->items[k].key);
        free(store->items);
    }
    free(world->stores);
}
