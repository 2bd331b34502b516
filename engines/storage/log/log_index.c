/* An in-memory index of offsets: a dense array of entries, found through open addressing.
 *
 *      slots   [ 0 | 3 | 0 | 1 | 2 | 0 ]     linear probing from the key's hash
 *                    |       |   |
 *      entries [ #0: offset, size, crc, key at ][ #1 ][ #2 ]
 *                                         |
 *      keys    "london" "paris" "tokyo"   one after the other, as bytes
 *
 * MEMORY. An entry takes 32 bytes and 5.3 to 10.7 bytes of slots (at most three quarters of
 * them are taken), and its key: 38 to 43 bytes beyond the key in full arrays, up to 59 just
 * after they have grown by half. Keys of deleted entries stay until half of the bytes are
 * theirs, then all keys are copied together.
 *
 * INVARIANTS
 *   I1  The slots that hold a number are those of entries 0 .. count - 1, each once.
 *   I2  From the slot where a key's probing begins to the slot that holds it no slot is empty
 *       (a delete closes the gap behind it, so there are no tombstones).
 *   I3  A put or delete after log_index_reserve() takes no memory.
 */
#include "engines/storage/log/log_index.h"

#include <errno.h>

#define ENTRIES_MIN 16u
#define SLOTS_MIN 32u
#define HASH_SEED UINT64_C(0x6c6f6720696e6478) /* any constant: the file decides nothing */
#define KEYS_TIDY_MIN 4096u /* dead key bytes below which tidying is not worth a copy */

struct log_index_entry {
    uint64_t place;      /* bits 0..62: offset of the value; bit 63: literal */
    uint64_t key_offset; /* in index->keys */
    uint32_t key_size, value_size, crc;
    uint32_t hash; /* of the key: rehashing and probing look at no key for nothing */
};
#define LITERAL (UINT64_C(1) << 63)

void log_index_deinit(struct log_index *index)
{
    if (index->entries)
        allocator_free(index->allocator, index->entries,
                       index->capacity * sizeof(*index->entries));
    if (index->slots)
        allocator_free(index->allocator, index->slots,
                       index->slots_count * sizeof(*index->slots));
    buffer_deinit(&index->keys);
    const struct allocator *allocator = index->allocator;
    *index = (struct log_index){.allocator = allocator};
}

static struct bytes entry_key(const struct log_index *index,
                              const struct log_index_entry *entry)
{
    return bytes_of(index->keys.data + entry->key_offset, entry->key_size);
}

static uint32_t key_hash(struct bytes key)
{
    return (uint32_t)bytes_hash(key, HASH_SEED);
}

/* ---- growing ---- */

static void slots_fill(uint32_t *slots, uint32_t slots_count, const struct log_index *index)
{
    memset(slots, 0, slots_count * sizeof(*slots));
    for (uint32_t i = 0; i < index->count; i++) {
        uint32_t at = index->entries[i].hash & (slots_count - 1);
        while (slots[at]) at = (at + 1) & (slots_count - 1);
        slots[at] = i + 1;
    }
}

static int slots_reserve(struct log_index *index, uint64_t count)
{
    uint64_t wanted = index->slots_count ? index->slots_count : SLOTS_MIN;
    while (count > wanted / 4 * 3) wanted *= 2;
    if (wanted == index->slots_count) return 0;
    if (wanted > UINT32_MAX) return -ENOMEM;
    uint32_t *slots = allocator_alloc(index->allocator, wanted * sizeof(*slots));
    if (!slots) return -ENOMEM;
    slots_fill(slots, (uint32_t)wanted, index);
    if (index->slots)
        allocator_free(index->allocator, index->slots,
                       index->slots_count * sizeof(*index->slots));
    index->slots = slots;
    index->slots_count = (uint32_t)wanted;
    return 0;
}

static int entries_reserve(struct log_index *index, uint64_t count)
{
    if (count <= index->capacity) return 0;
    uint64_t wanted = index->capacity + index->capacity / 2;
    if (wanted < ENTRIES_MIN) wanted = ENTRIES_MIN;
    if (wanted < count) wanted = count;
    if (wanted > UINT32_MAX) return -ENOMEM;
    size_t size = sizeof(*index->entries);
    void *entries = index->allocator->resize(index->allocator->context, index->entries,
                                             index->capacity * size, wanted * size);
    if (!entries) return -ENOMEM;
    index->entries = entries;
    index->capacity = (uint32_t)wanted;
    return 0;
}

/* Copies the live keys together. Without memory for it they stay as they are. */
static void keys_tidy(struct log_index *index)
{
    struct buffer tidy = {.allocator = index->allocator};
    if (buffer_reserve(&tidy, index->live_key_bytes)) return;
    for (uint32_t i = 0; i < index->count; i++) {
        struct log_index_entry *entry = &index->entries[i];
        if (entry->key_size)
            memcpy(tidy.data + tidy.size, index->keys.data + entry->key_offset,
                   entry->key_size);
        entry->key_offset = tidy.size;
        tidy.size += entry->key_size;
    }
    buffer_deinit(&index->keys);
    index->keys = tidy;
}

static int keys_reserve(struct log_index *index, uint64_t bytes)
{
    struct buffer *keys = &index->keys;
    keys->allocator = index->allocator;
    uint64_t dead = keys->size - index->live_key_bytes;
    if (keys->size + bytes <= keys->capacity) return 0;
    if (dead >= KEYS_TIDY_MIN && dead > keys->size / 2) keys_tidy(index);
    uint64_t wanted = keys->size + bytes, half = keys->capacity / 2;
    if (wanted <= keys->capacity) return 0;
    if (wanted < keys->capacity + half) wanted = keys->capacity + half;
    unsigned char *data =
        index->allocator->resize(index->allocator->context, keys->data, keys->capacity, wanted);
    if (!data) return -ENOMEM;
    keys->data = data;
    keys->capacity = wanted;
    return 0;
}

int log_index_reserve(struct log_index *index, uint64_t puts, uint64_t key_bytes)
{
    int err = slots_reserve(index, index->count + puts);
    if (!err) err = entries_reserve(index, index->count + puts);
    return err ? err : keys_reserve(index, key_bytes);
}

/* ---- finding ---- */

/* The slot that holds the key, or the empty one where its probing ends. */
static uint32_t slot_find(const struct log_index *index, struct bytes key, uint32_t hash)
{
    uint32_t mask = index->slots_count - 1, at = hash & mask;
    for (; index->slots[at]; at = (at + 1) & mask) {
        const struct log_index_entry *entry = &index->entries[index->slots[at] - 1];
        if (entry->hash == hash && bytes_equal(entry_key(index, entry), key)) break;
    }
    return at;
}

static void entry_place(const struct log_index_entry *entry, struct log_place *place)
{
    *place = (struct log_place){.offset = entry->place & ~LITERAL,
                                .size = entry->value_size,
                                .crc = entry->crc,
                                .is_literal = (entry->place & LITERAL) != 0};
}

bool log_index_find(const struct log_index *index, struct bytes key, struct log_place *place)
{
    if (index->count == 0) return false;
    uint32_t number = index->slots[slot_find(index, key, key_hash(key))];
    if (number) entry_place(&index->entries[number - 1], place);
    return number != 0;
}

struct bytes log_index_at(const struct log_index *index, uint32_t number,
                          struct log_place *place)
{
    entry_place(&index->entries[number], place);
    return entry_key(index, &index->entries[number]);
}

/* ---- changing ---- */

void log_index_put(struct log_index *index, struct bytes key, const struct log_place *place)
{
    uint32_t hash = key_hash(key), at = slot_find(index, key, hash);
    if (!index->slots[at]) {
        struct log_index_entry *fresh = &index->entries[index->count];
        *fresh = (struct log_index_entry){
            .key_offset = index->keys.size, .key_size = (uint32_t)key.size, .hash = hash};
        if (key.size) memcpy(index->keys.data + index->keys.size, key.data, key.size);
        index->keys.size += key.size;
        index->live_key_bytes += key.size;
        index->slots[at] = ++index->count;
    }
    struct log_index_entry *entry = &index->entries[index->slots[at] - 1];
    entry->place = place->offset | (place->is_literal ? LITERAL : 0);
    entry->value_size = place->size;
    entry->crc = place->crc;
}

/* I2: moves back what probing would no longer reach over the gap at `at`. */
static void slots_close(struct log_index *index, uint32_t at)
{
    uint32_t mask = index->slots_count - 1;
    for (uint32_t next = (at + 1) & mask; index->slots[next]; next = (next + 1) & mask) {
        uint32_t home = index->entries[index->slots[next] - 1].hash & mask;
        if (((next - home) & mask) < ((next - at) & mask)) continue; /* begins behind the gap */
        index->slots[at] = index->slots[next];
        at = next;
    }
    index->slots[at] = 0;
}

void log_index_delete(struct log_index *index, struct bytes key)
{
    if (index->count == 0) return;
    uint32_t at = slot_find(index, key, key_hash(key)), number = index->slots[at];
    if (!number) return;
    index->live_key_bytes -= index->entries[number - 1].key_size;
    slots_close(index, at);
    /* I1: the last entry takes the place of the one that goes. */
    uint32_t last = index->count--;
    if (number == last) return;
    const struct log_index_entry *moved = &index->entries[last - 1];
    index->slots[slot_find(index, entry_key(index, moved), moved->hash)] = number;
    index->entries[number - 1] = *moved;
}

uint64_t log_index_memory(const struct log_index *index)
{
    return index->capacity * sizeof(*index->entries) +
           index->slots_count * sizeof(*index->slots) + index->keys.capacity;
}
