/* The index of `index: memory`: for each live key, where the last line with its value stands.
 *
 *     err = log_index_reserve(&index, 2, key_bytes);      // may fail: nothing has changed
 *     log_index_put(&index, key, &place);                 // may not
 *     const struct log_place *place = log_index_find(&index, key);
 *
 * An owner's struct, zero but for `allocator` at the start.
 */
#ifndef FAULTLINE_ENGINES_STORAGE_LOG_INDEX_H
#define FAULTLINE_ENGINES_STORAGE_LOG_INDEX_H

#include <stdbool.h>

#include "engines/bytes.h"

/* Where a value stands, and what it is. */
struct log_place {
    uint64_t offset; /* of the value in the file */
    uint32_t size;   /* as it stands in the file */
    uint32_t crc;    /* CRC-32C of these bytes */
    bool is_literal; /* of bash: not escaped */
};

struct log_index_entry; /* log_index.c */
struct log_index {
    const struct allocator *allocator;
    struct log_index_entry *entries; /* dense */
    uint32_t *slots;                 /* open addressing: entry number + 1, or 0 */
    uint32_t count, capacity, slots_count;
    struct buffer keys;
    uint64_t live_key_bytes;
};

void log_index_deinit(struct log_index *index);
/* Room for that many puts of new keys of so many bytes together: 0 or -ENOMEM. */
int log_index_reserve(struct log_index *index, uint64_t puts, uint64_t key_bytes);
/* Reserved before. The key is bytes, not escaped. */
void log_index_put(struct log_index *index, struct bytes key, const struct log_place *place);
void log_index_delete(struct log_index *index, struct bytes key);
/* False: no such key. */
bool log_index_find(const struct log_index *index, struct bytes key, struct log_place *place);
/* The entry of that number, below index->count; the order is the same for the same calls. */
struct bytes log_index_at(const struct log_index *index, uint32_t number,
                          struct log_place *place);
uint64_t log_index_memory(const struct log_index *index);

#endif
