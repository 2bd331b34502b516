/* The keydir: a hash table of every live key, in memory only.
 *
 * Open addressing with linear probing at a load of at most 3/4; a slot is a pointer to an entry
 * that carries its hash, so that a probe touches a key's bytes only when the hashes are equal.
 * Removal shifts the entries behind the gap back (no tombstones: a probe ends at the first
 * empty slot).
 *
 * Memory a key: 32 bytes of entry, 8 / load of slot (11 to 21), and the key.
 * Nothing iterates it in slot order but where order does not matter: scans sort.
 */
#include <errno.h>
#include <xxhash.h>

#include "engines/storage/hash/hash_internal.h"

#define CAPACITY_MIN 16u

static uint32_t key_hash(struct bytes key)
{
    return (uint32_t)XXH3_64bits(key.size ? key.data : "", key.size);
}

static struct bytes entry_key(const struct keydir_entry *entry)
{
    return bytes_of(entry->key, entry->key_size);
}

struct keydir_entry *hash_keydir_entry_create(const struct keydir *keydir, struct bytes key)
{
    struct keydir_entry *entry = allocator_alloc(keydir->allocator, sizeof(*entry) + key.size);
    if (!entry) return NULL;
    *entry = (struct keydir_entry){.hash = key_hash(key), .key_size = (uint32_t)key.size};
    if (key.size) memcpy(entry->key, key.data, key.size);
    return entry;
}

void hash_keydir_entry_destroy(const struct keydir *keydir, struct keydir_entry *entry)
{
    if (entry) allocator_free(keydir->allocator, entry, sizeof(*entry) + entry->key_size);
}

/* The slot of the key, or the empty one where it would stand. */
static size_t hash_keydir_slot(const struct keydir *keydir, struct bytes key, uint32_t hash)
{
    size_t mask = keydir->capacity - 1, slot = hash & mask;
    for (const struct keydir_entry *e; (e = keydir->slots[slot]); slot = (slot + 1) & mask)
        if (e->hash == hash && bytes_equal(entry_key(e), key)) break;
    return slot;
}

int hash_keydir_reserve(struct keydir *keydir, size_t more)
{
    size_t needed = keydir->count + more;
    if (needed <= keydir->capacity / 4 * 3) return 0;
    size_t capacity = keydir->capacity ? keydir->capacity * 2 : CAPACITY_MIN;
    while (needed > capacity / 4 * 3) capacity *= 2;
    struct keydir_entry **slots = allocator_alloc(keydir->allocator, capacity * sizeof(*slots));
    if (!slots) return -ENOMEM;
    for (size_t i = 0; i < capacity; i++) slots[i] = NULL;
    for (size_t i = 0; i < keydir->capacity; i++) {
        struct keydir_entry *e = keydir->slots[i];
        if (!e) continue;
        size_t slot = e->hash & (capacity - 1);
        while (slots[slot]) slot = (slot + 1) & (capacity - 1);
        slots[slot] = e;
    }
    allocator_free(keydir->allocator, keydir->slots, keydir->capacity * sizeof(*slots));
    keydir->slots = slots;
    keydir->capacity = capacity;
    return 0;
}

struct keydir_entry *hash_keydir_find(const struct keydir *keydir, struct bytes key)
{
    return keydir->count ? keydir->slots[hash_keydir_slot(keydir, key, key_hash(key))] : NULL;
}

struct keydir_entry *hash_keydir_put(struct keydir *keydir, struct keydir_entry *entry)
{
    size_t slot = hash_keydir_slot(keydir, entry_key(entry), entry->hash);
    struct keydir_entry *old = keydir->slots[slot];
    keydir->slots[slot] = entry;
    keydir->key_bytes += entry->key_size;
    keydir->value_bytes += entry->value_size;
    if (old) {
        keydir->key_bytes -= old->key_size;
        keydir->value_bytes -= old->value_size;
    } else {
        keydir->count++;
    }
    return old;
}

struct keydir_entry *hash_keydir_remove(struct keydir *keydir, struct bytes key)
{
    if (keydir->count == 0) return NULL;
    size_t mask = keydir->capacity - 1, gap = hash_keydir_slot(keydir, key, key_hash(key));
    struct keydir_entry *removed = keydir->slots[gap];
    if (!removed) return NULL;
    /* An entry behind the gap moves into it unless that is before its own first slot. */
    for (size_t i = (gap + 1) & mask; keydir->slots[i]; i = (i + 1) & mask) {
        size_t home = keydir->slots[i]->hash & mask;
        if (((i - home) & mask) >= ((i - gap) & mask)) {
            keydir->slots[gap] = keydir->slots[i];
            gap = i;
        }
    }
    keydir->slots[gap] = NULL;
    keydir->count--;
    keydir->key_bytes -= removed->key_size;
    keydir->value_bytes -= removed->value_size;
    return removed;
}

void hash_keydir_deinit(struct keydir *keydir)
{
    for (size_t i = 0; i < keydir->capacity; i++)
        hash_keydir_entry_destroy(keydir, keydir->slots[i]);
    allocator_free(keydir->allocator, keydir->slots, keydir->capacity * sizeof(*keydir->slots));
    *keydir = (struct keydir){.allocator = keydir->allocator};
}
