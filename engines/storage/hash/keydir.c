/* The keydir: keys and where their records stand, in memory only.
 *
 *     slot     a word                     what
 *              entry, 32 bits             where the key's bytes are; 0: the slot is empty
 *              offset, 32 bits            of the record in its segment
 *              bits  0..24                value size; all ones: a tombstone
 *              bits 25..47                the segment's number
 *              bits 48..62                tag: the low bits of the key's hash
 *              bit  63                    twin: another key of this tag may stand behind it
 *
 *     entry    size of the key, 2 bytes; the key; rounded up to 4
 *
 * Open addressing with linear probing at a load of at most 7/8. A slot's place comes from the
 * high bits of the hash, so that doubling walks the old and the new table in order. Slots hold
 * all that a read needs but the key: a hit costs one cache miss before the disk is asked, and
 * the record that comes back holds the key to compare with. The tag makes that a good guess,
 * and `twin` a safe one: whoever inserts a key behind another of its tag marks that one, and a
 * marked slot is compared in memory first. So a key that is there is found with one read, and
 * one that is not costs a read in vain once in some ten thousand.
 *
 * A put that replaces goes the same way: it takes the slot of the tag at once and compares the
 * keys when the next write has been done (hash_index_settle), by when they have come from
 * memory, or as soon as anybody asks the index.
 *
 * Keys lie in chunks, one behind the other, found by number: no allocation a key, no pointer
 * in a slot. A freed entry waits in a list of its size for the next key of that size. When
 * freed entries take more than a sixteenth of what is live, all is copied to new chunks. The
 * table doubles when it is full, and halves below a load of 0.42. Each is a pause linear in the
 * keys (about 25 ns each, a million: 25 ms); deletes and puts that swing about that load pay it
 * once in every twentieth of the keys.
 *
 * Memory a key, beside its bytes: 16 / load of slot, which is 18 to 38; 2 of size and up to 3
 * of rounding; a sixteenth of the entry for what is freed, and one for what is not yet used.
 * That is at most 48 for keys to 32 bytes, and an eighth of what a key is longer. Small stores
 * have 16 KiB of garbage before anything is copied.
 *
 * Removal shifts the slots behind the gap back (no tombstones in the table: a probe ends at the
 * first empty slot). It keeps `twin` right: a shifted slot moves nearer to its home, so no
 * probe passes a slot that it did not pass before.
 */
#include <errno.h>

#include "engines/storage/hash/hash_internal.h"

#define CAPACITY_MIN 16u
#define UNIT 4u
#define CHUNK_SHIFT 19u
/* 2 MiB less what malloc adds: with that it is a huge page. */
#define CHUNK_UNITS ((1u << CHUNK_SHIFT) - 16)
#define GROWTH_UNITS_MIN 128u
#define TAG_SHIFT 48u
#define TAG_MASK UINT64_C(0x7fff)
#define TWIN (UINT64_C(1) << 63)
#define AHEAD 16u /* slots whose entries are fetched before they are needed */
#define GARBAGE_MIN (16u << 10)
#define SLACK 16u /* at most this part of the arena is unused at its end, and freed */

/* ---- slots ---- */

static uint64_t meta_of(uint64_t hash, uint32_t number, uint32_t value_size)
{
    return value_size | (uint64_t)number << 25 | (hash & TAG_MASK) << TAG_SHIFT;
}

static bool is_tagged(const struct keydir_slot *slot, uint64_t hash)
{
    return ((slot->meta >> TAG_SHIFT) & TAG_MASK) == (hash & TAG_MASK);
}

static size_t home_of(const struct keydir *keydir, uint64_t hash)
{
    return (size_t)(hash >> keydir->shift);
}

/* ---- entries ---- */

static uint32_t units_of(size_t key_size)
{
    return (uint32_t)((2 + key_size + UNIT - 1) / UNIT);
}

static unsigned char *entry_at(const struct keydir_arena *arena, uint32_t entry)
{
    return arena->chunks[entry >> CHUNK_SHIFT] +
           (size_t)(entry & ((1u << CHUNK_SHIFT) - 1)) * UNIT;
}

struct bytes hash_keydir_key(const struct keydir *keydir, const struct keydir_slot *slot)
{
    const unsigned char *entry = entry_at(&keydir->arena, slot->entry);
    return bytes_of(entry + 2, get_u16(entry));
}

static uint32_t chunk_units(const struct keydir_arena *arena, uint32_t chunk)
{
    return chunk + 1 == arena->count ? arena->last_units : CHUNK_UNITS;
}

static uint64_t arena_units(const struct keydir_arena *arena)
{
    return arena->count ? (uint64_t)(arena->count - 1) * CHUNK_UNITS + arena->last_units : 0;
}

static void arena_deinit(struct keydir_arena *arena, const struct allocator *a)
{
    for (uint32_t i = 0; i < arena->count; i++)
        allocator_free(a, arena->chunks[i], (size_t)chunk_units(arena, i) * UNIT);
    allocator_free(a, arena->chunks, arena->capacity * sizeof(*arena->chunks));
    memset(arena, 0, sizeof(*arena));
}

/* Makes the last chunk so large, or as large as chunks are. Growth is at least an eighth of
 * all, so that it is rare, and not much more, so that little is unused. */
static int chunk_grow(struct keydir_arena *arena, const struct allocator *a, uint64_t units)
{
    uint64_t least = arena_units(arena) / SLACK;
    uint64_t grown = arena->last_units + (least < GROWTH_UNITS_MIN ? GROWTH_UNITS_MIN : least);
    if (grown < units) grown = units;
    if (grown > CHUNK_UNITS) grown = CHUNK_UNITS;
    if (arena->last_units >= units || arena->last_units == grown) return 0;
    void *chunk = a->resize(a->context, arena->chunks[arena->count - 1],
                            (size_t)arena->last_units * UNIT, (size_t)grown * UNIT);
    if (!chunk) return -ENOMEM;
    arena->chunks[arena->count - 1] = chunk;
    arena->last_units = (uint32_t)grown;
    return 0;
}

/* Another chunk of so many units or more; the one before is full size. */
static int chunk_add(struct keydir_arena *arena, const struct allocator *a, uint64_t units)
{
    if (arena->count == UINT32_C(1) << (32 - CHUNK_SHIFT)) return -ENOMEM; /* 16 GiB of keys */
    if (arena->count == arena->capacity) {
        uint32_t capacity = arena->capacity ? arena->capacity * 2 : 1;
        void *chunks =
            a->resize(a->context, arena->chunks, arena->capacity * sizeof(*arena->chunks),
                      capacity * sizeof(*arena->chunks));
        if (!chunks) return -ENOMEM;
        arena->chunks = chunks;
        arena->capacity = capacity;
    }
    uint64_t least = arena_units(arena) / SLACK;
    uint64_t size = units < least ? least : units;
    if (size < GROWTH_UNITS_MIN) size = GROWTH_UNITS_MIN;
    if (size > CHUNK_UNITS) size = CHUNK_UNITS;
    unsigned char *chunk = allocator_alloc(a, (size_t)size * UNIT);
    if (!chunk) return -ENOMEM;
    if (arena->count == 0) arena->used = 1; /* entry 0 is none */
    arena->chunks[arena->count++] = chunk;
    arena->last_units = (uint32_t)size;
    return 0;
}

/* Room for so many units in entries of at most `widest`: of each chunk so much may stay unused
 * at its end. */
static int arena_reserve(struct keydir_arena *arena, const struct allocator *a, uint64_t units,
                         uint32_t widest)
{
    int err = arena->count ? 0 : chunk_add(arena, a, units + 1);
    if (err || units <= chunk_units(arena, arena->current) - arena->used) return err;
    if (arena->current + 1 == arena->count) {
        err = chunk_grow(arena, a, arena->used + units);
        if (err || units <= arena->last_units - arena->used) return err;
    }
    uint32_t left = chunk_units(arena, arena->current) - arena->used;
    if (left > widest) units -= left - widest;
    uint64_t room = (uint64_t)(arena->count - 1 - arena->current) * (CHUNK_UNITS - widest);
    bool is_last_small = arena->current + 1 < arena->count && arena->last_units < CHUNK_UNITS;
    if (is_last_small) {
        /* The chunks between are full, the last one as large as it needs to be. */
        uint64_t between = room - (CHUNK_UNITS - widest);
        err = chunk_grow(arena, a, units > between ? units - between + widest : 0);
    }
    for (; !err && room < units; room += CHUNK_UNITS - widest) {
        err = chunk_grow(arena, a, CHUNK_UNITS);
        if (!err) err = chunk_add(arena, a, units - room + widest);
    }
    return err;
}

static uint32_t arena_take(struct keydir_arena *arena, uint32_t units)
{
    if (units < KEYDIR_FREE_LISTS && arena->free[units]) {
        uint32_t entry = arena->free[units];
        memcpy(&arena->free[units], entry_at(arena, entry), sizeof(uint32_t));
        arena->free_units -= units;
        return entry;
    }
    uint32_t size = chunk_units(arena, arena->current);
    if (units > size - arena->used) {
        arena->free_units += size - arena->used;
        arena->current++;
        arena->used = 0;
    }
    uint32_t entry = arena->current << CHUNK_SHIFT | arena->used;
    arena->used += units;
    return entry;
}

static uint32_t entry_add(struct keydir_arena *arena, struct bytes key)
{
    uint32_t entry = arena_take(arena, units_of(key.size));
    unsigned char *p = entry_at(arena, entry);
    put_u16(p, (uint16_t)key.size);
    bytes_copy(p + 2, key);
    return entry;
}

static void entry_drop(struct keydir_arena *arena, uint32_t entry)
{
    unsigned char *p = entry_at(arena, entry);
    uint32_t units = units_of(get_u16(p));
    arena->free_units += units;
    if (units >= KEYDIR_FREE_LISTS) return; /* until all is copied */
    memcpy(p, &arena->free[units], sizeof(uint32_t));
    arena->free[units] = entry;
}

/* ---- size ---- */

static size_t most_of(size_t capacity)
{
    return capacity / 8 * 7;
}

static size_t capacity_for(size_t count)
{
    size_t capacity = CAPACITY_MIN;
    while (count > most_of(capacity)) capacity *= 2;
    return capacity;
}

/* Puts a slot whose key is not in the table. */
static void slot_insert(struct keydir_slot *slots, size_t mask, size_t i, uint64_t hash,
                        struct keydir_slot slot)
{
    for (; slots[i].entry; i = (i + 1) & mask)
        if (is_tagged(&slots[i], hash)) slots[i].meta |= TWIN;
    slot.meta &= ~TWIN;
    slots[i] = slot;
}

/* A table of another capacity, keys moved to new chunks when `arena` is given. */
static int rebuild(struct keydir *keydir, size_t capacity, struct keydir_arena *arena)
{
    struct keydir_slot *slots = allocator_alloc(keydir->allocator, capacity * sizeof(*slots));
    if (!slots) return -ENOMEM;
    memset(slots, 0, capacity * sizeof(*slots));
    struct keydir next = {.shift = 64};
    for (size_t c = capacity; c > 1; c /= 2) next.shift--;
    for (size_t i = 0; i < keydir->capacity; i++) {
        struct keydir_slot slot = keydir->slots[i];
        if (i + AHEAD < keydir->capacity && keydir->slots[i + AHEAD].entry)
            __builtin_prefetch(entry_at(&keydir->arena, keydir->slots[i + AHEAD].entry));
        if (!slot.entry) continue;
        struct bytes key = hash_keydir_key(keydir, &slot);
        uint64_t hash = bytes_hash(key, 0);
        if (arena) slot.entry = entry_add(arena, key);
        slot_insert(slots, capacity - 1, home_of(&next, hash), hash, slot);
    }
    allocator_free(keydir->allocator, keydir->slots, keydir->capacity * sizeof(*slots));
    keydir->slots = slots;
    keydir->capacity = capacity;
    keydir->shift = next.shift;
    return 0;
}

bool hash_keydir_must_grow(const struct keydir *keydir, uint64_t keys)
{
    return keydir->count + keys > most_of(keydir->capacity);
}

int hash_keydir_reserve(struct keydir *keydir, const struct keydir_room *room)
{
    size_t needed = keydir->count + room->keys;
    uint32_t widest = units_of(room->widest);
    int err = 0;
    if (widest > keydir->widest_units) keydir->widest_units = widest;
    if (needed > most_of(keydir->capacity)) err = rebuild(keydir, capacity_for(needed), NULL);
    return err ? err
               : arena_reserve(&keydir->arena, keydir->allocator,
                               (room->key_bytes + (2 + UNIT - 1) * room->keys) / UNIT + 1,
                               widest);
}

/* Gives back what of the last chunk is unused, when no more is to come. */
static void arena_trim(struct keydir_arena *arena, const struct allocator *a)
{
    if (arena->count == 0 || arena->current + 1 != arena->count ||
        arena->last_units == arena->used)
        return;
    unsigned char **last = &arena->chunks[arena->current];
    void *chunk = a->resize(a->context, *last, (size_t)arena->last_units * UNIT,
                            (size_t)arena->used * UNIT);
    if (!chunk) return;
    *last = chunk;
    arena->last_units = arena->used;
}

void hash_keydir_tidy(struct keydir *keydir, bool is_loaded)
{
    struct keydir_arena arena = {0};
    uint64_t used = (uint64_t)keydir->arena.current * CHUNK_UNITS + keydir->arena.used;
    uint64_t live = used - keydir->arena.free_units;
    size_t capacity = keydir->capacity;
    /* At 0.42 it fits in half the table with room to spare: it takes deletes and puts of a
     * twentieth of the keys to pay for doubling it again. */
    if (keydir->count < capacity / 50 * 21 ||
        (is_loaded && keydir->count <= most_of(capacity / 2)))
        capacity = capacity_for(keydir->count);
    if (keydir->arena.free_units > live / SLACK + GARBAGE_MIN / UNIT) {
        /* No memory for the copy: what is freed stays, and the next removal tries again. */
        if (arena_reserve(&arena, keydir->allocator, live + 1, keydir->widest_units) ||
            rebuild(keydir, capacity, &arena)) {
            arena_deinit(&arena, keydir->allocator);
            return;
        }
        arena_deinit(&keydir->arena, keydir->allocator);
        keydir->arena = arena;
    } else if (capacity != keydir->capacity) {
        rebuild(keydir, capacity, NULL); /* no memory: it stays wide */
    }
    if (is_loaded) arena_trim(&keydir->arena, keydir->allocator);
}

uint64_t hash_keydir_memory(const struct keydir *keydir)
{
    return keydir->capacity * sizeof(*keydir->slots) + arena_units(&keydir->arena) * UNIT +
           keydir->arena.capacity * sizeof(*keydir->arena.chunks);
}

void hash_keydir_deinit(struct keydir *keydir)
{
    allocator_free(keydir->allocator, keydir->slots, keydir->capacity * sizeof(*keydir->slots));
    arena_deinit(&keydir->arena, keydir->allocator);
    *keydir = (struct keydir){.allocator = keydir->allocator};
}

/* ---- reading ---- */

void hash_keydir_prefetch(const struct keydir *keydir, uint64_t hash)
{
    if (!keydir->capacity) return;
    size_t mask = keydir->capacity - 1, i = home_of(keydir, hash);
    __builtin_prefetch(&keydir->slots[i]);
    /* A line holds four slots; the probe of a full table ends some thirty on. */
    if (keydir->count < keydir->capacity / 8 * 5) return;
    __builtin_prefetch(&keydir->slots[(i + 4) & mask]);
    __builtin_prefetch(&keydir->slots[(i + 8) & mask]);
}

void hash_keydir_prefetch_key(const struct keydir *keydir, uint64_t hash)
{
    if (!keydir->capacity) return;
    size_t mask = keydir->capacity - 1;
    for (size_t i = home_of(keydir, hash); keydir->slots[i].entry; i = (i + 1) & mask)
        if (is_tagged(&keydir->slots[i], hash))
            __builtin_prefetch(entry_at(&keydir->arena, keydir->slots[i].entry));
}

/* The slot of the key, or the empty one that ends its probe. */
static struct keydir_slot *slot_of(const struct keydir *keydir, uint64_t hash, struct bytes key)
{
    size_t mask = keydir->capacity - 1, i = home_of(keydir, hash);
    for (; keydir->slots[i].entry; i = (i + 1) & mask)
        if (is_tagged(&keydir->slots[i], hash) &&
            bytes_equal(hash_keydir_key(keydir, &keydir->slots[i]), key))
            break;
    return &keydir->slots[i];
}

const struct keydir_slot *hash_keydir_find(const struct keydir *keydir, uint64_t hash,
                                           struct bytes key)
{
    if (!keydir->count) return NULL;
    const struct keydir_slot *slot = slot_of(keydir, hash, key);
    return slot->entry ? slot : NULL;
}

const struct keydir_slot *hash_keydir_guess(const struct keydir *keydir, uint64_t hash,
                                            struct bytes key)
{
    if (!keydir->count) return NULL;
    size_t mask = keydir->capacity - 1;
    for (size_t i = home_of(keydir, hash); keydir->slots[i].entry; i = (i + 1) & mask) {
        const struct keydir_slot *slot = &keydir->slots[i];
        if (is_tagged(slot, hash) &&
            (!(slot->meta & TWIN) || bytes_equal(hash_keydir_key(keydir, slot), key)))
            return slot;
    }
    return NULL;
}

/* ---- changing ---- */

bool hash_keydir_put(struct keydir *keydir, uint64_t hash, struct bytes key, uint32_t number,
                     uint32_t offset, uint32_t value_size, struct keydir_slot *old)
{
    size_t mask = keydir->capacity - 1, i = home_of(keydir, hash);
    bool has_twin = false;
    for (; keydir->slots[i].entry; i = (i + 1) & mask) {
        struct keydir_slot *slot = &keydir->slots[i];
        if (!is_tagged(slot, hash)) continue;
        if (bytes_equal(hash_keydir_key(keydir, slot), key)) {
            *old = *slot;
            slot->offset = offset;
            slot->meta = meta_of(hash, number, value_size) | (old->meta & TWIN);
            return true;
        }
        has_twin = true;
    }
    struct keydir_slot slot = {entry_add(&keydir->arena, key), offset,
                               meta_of(hash, number, value_size)};
    if (has_twin)
        slot_insert(keydir->slots, mask, home_of(keydir, hash), hash, slot);
    else
        keydir->slots[i] = slot;
    keydir->count++;
    keydir->key_bytes += key.size;
    return false;
}

bool hash_keydir_replace(struct keydir *keydir, uint64_t hash, uint32_t number, uint32_t offset,
                         uint32_t value_size, struct keydir_slot *old)
{
    if (!keydir->count) return false;
    size_t mask = keydir->capacity - 1, i = home_of(keydir, hash);
    while (keydir->slots[i].entry && !is_tagged(&keydir->slots[i], hash)) i = (i + 1) & mask;
    struct keydir_slot *slot = &keydir->slots[i];
    if (!slot->entry || slot->meta & TWIN) return false;
    __builtin_prefetch(entry_at(&keydir->arena, slot->entry));
    *old = *slot;
    slot->offset = offset;
    slot->meta = meta_of(hash, number, value_size);
    return true;
}

void hash_keydir_restore(struct keydir *keydir, uint64_t hash, const struct keydir_slot *old)
{
    size_t mask = keydir->capacity - 1, i = home_of(keydir, hash);
    while (keydir->slots[i].entry != old->entry) i = (i + 1) & mask;
    keydir->slots[i] = *old;
}

bool hash_keydir_remove(struct keydir *keydir, uint64_t hash, struct bytes key,
                        struct keydir_slot *old)
{
    if (!keydir->count) return false;
    size_t mask = keydir->capacity - 1;
    size_t gap = (size_t)(slot_of(keydir, hash, key) - keydir->slots);
    if (!keydir->slots[gap].entry) return false;
    *old = keydir->slots[gap];
    /* A slot behind the gap moves into it unless that is before its own home. */
    for (size_t i = (gap + 1) & mask; keydir->slots[i].entry; i = (i + 1) & mask) {
        size_t home =
            home_of(keydir, bytes_hash(hash_keydir_key(keydir, &keydir->slots[i]), 0));
        if (((i - home) & mask) >= ((i - gap) & mask)) {
            keydir->slots[gap] = keydir->slots[i];
            gap = i;
        }
    }
    keydir->slots[gap] = (struct keydir_slot){0};
    entry_drop(&keydir->arena, old->entry);
    keydir->count--;
    keydir->key_bytes -= key.size;
    return true;
}

bool hash_keydir_repoint(struct keydir *keydir, uint64_t hash, uint32_t from_number,
                         uint32_t from_offset, uint32_t to_number, uint32_t to_offset)
{
    if (!keydir->count) return false;
    size_t mask = keydir->capacity - 1;
    for (size_t i = home_of(keydir, hash); keydir->slots[i].entry; i = (i + 1) & mask) {
        struct keydir_slot *slot = &keydir->slots[i];
        if (slot->offset != from_offset || keydir_slot_number(slot) != from_number) continue;
        slot->offset = to_offset;
        slot->meta =
            meta_of(hash, to_number, keydir_slot_value_size(slot)) | (slot->meta & TWIN);
        return true;
    }
    return false;
}
