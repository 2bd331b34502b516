/* The overlay is a chained hash table whose records also stand in a queue by position. Several
 * versions of one key may be pending; the newest stands before the older ones in its chain
 * (I1), so a look-up takes the first that is equal, and the queue's head is always the oldest
 * of its key. Chains are doubly linked: forgetting takes constant time a record however hot a
 * key.
 */
#include "engines/replication/overlay.h"

#include <errno.h>

#define SLOTS_FIRST 16u

/* FNV-1a, with a final mix because the low bits choose the slot. */
static uint64_t overlay_hash(struct bytes key)
{
    const unsigned char *p = key.data;
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < key.size; i++) hash = (hash ^ p[i]) * UINT64_C(1099511628211);
    return hash ^ hash >> 32;
}

void overlay_init(struct overlay *overlay, const struct allocator *allocator)
{
    *overlay = (struct overlay){.allocator = allocator};
}

void overlay_deinit(struct overlay *overlay)
{
    overlay_clear(overlay);
    allocator_free(overlay->allocator, overlay->slots,
                   overlay->slots_count * sizeof *overlay->slots);
    *overlay = (struct overlay){.allocator = overlay->allocator};
}

static void chain_push(struct overlay *overlay, struct overlay_record *record, size_t slot)
{
    record->slot = slot;
    record->newer = NULL;
    record->older = overlay->slots[slot];
    if (record->older) record->older->newer = record;
    overlay->slots[slot] = record;
}

static int overlay_grow(struct overlay *overlay)
{
    size_t count = overlay->slots_count ? overlay->slots_count * 2 : SLOTS_FIRST;
    struct overlay_record **slots = allocator_alloc(overlay->allocator, count * sizeof *slots);
    if (!slots) return -ENOMEM;
    memset(slots, 0, count * sizeof *slots);
    allocator_free(overlay->allocator, overlay->slots,
                   overlay->slots_count * sizeof *overlay->slots);
    overlay->slots = slots;
    overlay->slots_count = count;
    /* Oldest first, so that newer ones come to stand before them (I1). */
    for (struct overlay_record *r = overlay->first; r; r = r->next)
        chain_push(overlay, r, overlay_hash(r->key) & (count - 1));
    return 0;
}

int overlay_put(struct overlay *overlay, uint64_t position, struct bytes key,
                const struct bytes *value)
{
    if (overlay->count >= overlay->slots_count) {
        int err = overlay_grow(overlay);
        if (err) return err;
    }
    size_t value_size = value ? value->size : 0;
    size_t size = sizeof(struct overlay_record) + key.size + value_size;
    struct overlay_record *record = allocator_alloc(overlay->allocator, size);
    if (!record) return -ENOMEM;
    unsigned char *memory = (unsigned char *)(record + 1);
    if (key.size) memcpy(memory, key.data, key.size);
    if (value_size) memcpy(memory + key.size, value->data, value_size);
    *record = (struct overlay_record){
        .position = position,
        .is_delete = !value,
        .key = {memory, key.size},
        .value = {memory + key.size, value_size},
        .size = size,
    };
    chain_push(overlay, record, overlay_hash(key) & (overlay->slots_count - 1));
    if (overlay->last)
        overlay->last->next = record;
    else
        overlay->first = record;
    overlay->last = record;
    overlay->count++;
    overlay->bytes += size;
    return 0;
}

const struct overlay_record *overlay_find(const struct overlay *overlay, struct bytes key)
{
    if (!overlay->count) return NULL;
    size_t slot = overlay_hash(key) & (overlay->slots_count - 1);
    for (const struct overlay_record *r = overlay->slots[slot]; r; r = r->older)
        if (bytes_equal(r->key, key)) return r;
    return NULL;
}

void overlay_forget(struct overlay *overlay, uint64_t position)
{
    while (overlay->first && overlay->first->position <= position) {
        struct overlay_record *record = overlay->first;
        overlay->first = record->next;
        if (!overlay->first) overlay->last = NULL;
        if (record->newer)
            record->newer->older = record->older;
        else
            overlay->slots[record->slot] = record->older;
        if (record->older) record->older->newer = record->newer;
        overlay->count--;
        overlay->bytes -= record->size;
        allocator_free(overlay->allocator, record, record->size);
    }
}

void overlay_clear(struct overlay *overlay)
{
    overlay_forget(overlay, UINT64_MAX);
}
