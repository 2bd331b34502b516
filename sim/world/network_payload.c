/* Payloads: refcounted immutable bytes, recycled.
 *
 * Released blocks up to 1 KiB go to a free list of their size class (steps of 64 bytes), at
 * most POOL_DEPTH each, so that a steady stream of messages allocates nothing. The lists belong
 * to the process, which runs one simulation at a time; network_destroy empties them. Under
 * AddressSanitizer nothing is recycled, so that a use after release is a report.
 */
#include "sim/world/network_internal.h"

#include <stdlib.h>

#include "sim/kernel/check.h"

#if defined(__SANITIZE_ADDRESS__)
#define RECYCLE 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RECYCLE 0
#endif
#endif
#ifndef RECYCLE
#define RECYCLE 1
#endif

#define CLASS_STEP 64
#define CLASS_COUNT 17 /* blocks of 64 .. 1,088 bytes, header included */
#define POOL_DEPTH 256
#define HASH_SEED UINT64_C(0x7061796c6f616400) /* "payload" */

union block {
    union block *next;
    struct payload payload;
};
static struct {
    union block *first;
    uint32_t count;
} pool[CLASS_COUNT];

static size_t class_of(size_t block_size)
{
    return (block_size + CLASS_STEP - 1) / CLASS_STEP - 1;
}

struct payload *payload_create(struct bytes header, const struct bytes *slices,
                               uint32_t slices_count)
{
    size_t size = header.size;
    for (uint32_t i = 0; i < slices_count; i++) size += slices[i].size;
    CHECK(size <= UINT32_MAX - CLASS_STEP);
    size_t block_size = sizeof(struct payload) + size;
    size_t class_index = class_of(block_size);
    struct payload *payload;
    if (class_index >= CLASS_COUNT) {
        payload = xmalloc(block_size);
    } else if (pool[class_index].first) {
        union block *block = pool[class_index].first;
        pool[class_index].first = block->next;
        pool[class_index].count--;
        payload = &block->payload;
    } else {
        payload = xmalloc(RECYCLE ? (class_index + 1) * CLASS_STEP : block_size);
    }
    payload->references = 1;
    payload->size = (uint32_t)size;
    unsigned char *p = payload->data;
    if (header.size) memcpy(p, header.data, header.size);
    p += header.size;
    for (uint32_t i = 0; i < slices_count; i++) {
        if (slices[i].size) memcpy(p, slices[i].data, slices[i].size);
        p += slices[i].size;
    }
    payload->hash = hash_bytes(payload->data, size, HASH_SEED + size);
    return payload;
}

struct payload *payload_retain(struct payload *payload)
{
    CHECK(payload->references > 0 && payload->references < UINT32_MAX);
    payload->references++;
    return payload;
}

void payload_release(struct payload *payload)
{
    if (!payload) return;
    CHECK(payload->references > 0);
    if (--payload->references > 0) return;
    size_t class_index = class_of(sizeof *payload + payload->size);
    if (!RECYCLE || class_index >= CLASS_COUNT || pool[class_index].count >= POOL_DEPTH) {
        free(payload);
        return;
    }
    union block *block = (union block *)(void *)payload;
    block->next = pool[class_index].first;
    pool[class_index].first = block;
    pool[class_index].count++;
}

void payload_pool_empty(void)
{
    for (size_t i = 0; i < CLASS_COUNT; i++) {
        while (pool[i].first) {
            union block *block = pool[i].first;
            pool[i].first = block->next;
            free(block);
        }
        pool[i].count = 0;
    }
}
