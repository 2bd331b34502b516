/* Writes that have an order but are not in the engine yet: the newest pending version of a key.
 *
 *     struct overlay o;
 *     overlay_init(&o, allocator);
 *     overlay_put(&o, position, key, &value);         value NULL: a delete
 *     const struct overlay_record *r = overlay_find(&o, key);
 *     overlay_forget(&o, position);                   what is in the engine up to there
 *     overlay_deinit(&o);
 *
 * Positions are given in ascending order. Owns copies of keys and values.
 */
#ifndef FAULTLINE_ENGINES_REPLICATION_OVERLAY_H
#define FAULTLINE_ENGINES_REPLICATION_OVERLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "engines/bytes.h"

struct overlay_record {
    uint64_t position; /* of the log entry that writes it */
    bool is_delete;
    struct bytes key, value;              /* in the record's own memory */
    struct overlay_record *newer, *older; /* hash chain: newest first */
    struct overlay_record *next;          /* by position */
    size_t slot, size;                    /* of the chain; of the allocation */
};

struct overlay {
    const struct allocator *allocator;
    struct overlay_record **slots; /* chains */
    size_t slots_count, count;
    struct overlay_record *first, *last; /* by position */
    uint64_t bytes;                      /* memory held by records */
};

void overlay_init(struct overlay *overlay, const struct allocator *allocator);
void overlay_deinit(struct overlay *overlay);
int overlay_put(struct overlay *overlay, uint64_t position, struct bytes key,
                const struct bytes *value); /* 0, -ENOMEM */
const struct overlay_record *overlay_find(const struct overlay *overlay, struct bytes key);
void overlay_forget(struct overlay *overlay, uint64_t position); /* <= position */
void overlay_clear(struct overlay *overlay);

#endif
