/* The two layouts of the index, behind one set of functions.
 *
 *     keydir    one table for all segments (Bitcask): a key is in it once, deleted keys are not
 *     segment   a table a segment, with a Bloom filter before each that is sealed: a key is in
 *               every segment that has a record of it, tombstones too, and is looked for from
 *               the newest segment to the oldest. No write touches an old table, so a merge
 *               just drops those of its inputs; in return memory grows with what is written and
 *               not merged, a lookup costs a filter or table a segment, and a write looks its
 *               key up, to know what it supersedes.
 *
 * In both a lookup ends with at most one place, so a get costs at most one read. Counts of live
 * keys and dead bytes are exact in both.
 */
#include <errno.h>

#include "engines/storage/bloom.h"
#include "engines/storage/hash/hash_internal.h"

const char *const hash_index_words[] = {"keydir", "segment", NULL};

static bool is_one(const struct hash_engine *hash)
{
    return hash->options.index == INDEX_KEYDIR;
}

static struct keydir *table_of(struct hash_engine *hash, struct segment *segment)
{
    return is_one(hash) ? &hash->keydir : &segment->index;
}

/* ---- finding ---- */

static struct place place_of(struct segment *segment, const struct keydir_slot *slot)
{
    return (struct place){segment, slot->offset, keydir_slot_value_size(slot)};
}

/* Layout `segment`: the newest record of the key among the first `count` segments. */
static bool find_newest(const struct hash_engine *hash, uint32_t count, uint64_t h,
                        struct bytes key, struct place *place)
{
    while (count--) {
        struct segment *segment = hash->segments.items[count];
        if (!bloom_may_hold(buffer_bytes(&segment->filter), h)) continue;
        const struct keydir_slot *slot = hash_keydir_find(&segment->index, h, key);
        if (!slot) continue;
        *place = place_of(segment, slot);
        return place->value_size != KEYDIR_TOMBSTONE;
    }
    return false;
}

bool hash_index_find(const struct hash_engine *hash, uint64_t h, struct bytes key,
                     struct place *place)
{
    if (!is_one(hash)) return find_newest(hash, hash->segments.count, h, key, place);
    const struct keydir_slot *slot = hash_keydir_find(&hash->keydir, h, key);
    if (slot) *place = place_of(hash_slot_segment(hash, slot), slot);
    return slot;
}

bool hash_index_guess(const struct hash_engine *hash, uint64_t h, struct bytes key,
                      struct place *place)
{
    /* Many segments would be many guesses, each of which may cost a read in vain. And without
     * the record's checksum there is nothing in what is read that confirms a guess. */
    if (!is_one(hash) || !hash->options.verify) return hash_index_find(hash, h, key, place);
    const struct keydir_slot *slot = hash_keydir_guess(&hash->keydir, h, key);
    if (slot) *place = place_of(hash_slot_segment(hash, slot), slot);
    return slot;
}

void hash_index_prefetch(const struct hash_engine *hash, const struct segment *segment,
                         uint64_t h)
{
    hash_keydir_prefetch(is_one(hash) ? &hash->keydir : &segment->index, h);
}

void hash_index_prefetch_key(const struct hash_engine *hash, const struct segment *segment,
                             uint64_t h)
{
    hash_keydir_prefetch_key(is_one(hash) ? &hash->keydir : &segment->index, h);
}

int hash_index_each(const struct hash_engine *hash,
                    int (*each)(void *context, struct bytes key, const struct place *place),
                    void *context)
{
    uint32_t tables = is_one(hash) ? 1 : hash->segments.count;
    for (uint32_t t = 0; t < tables; t++) {
        struct segment *segment = is_one(hash) ? NULL : hash->segments.items[t];
        const struct keydir *keydir = segment ? &segment->index : &hash->keydir;
        for (size_t i = 0; i < keydir->capacity; i++) {
            const struct keydir_slot *slot = &keydir->slots[i];
            if (!slot->entry) continue;
            struct bytes key = hash_keydir_key(keydir, slot);
            struct place place = place_of(hash_slot_segment(hash, slot), slot), newest;
            if (segment && (!hash_index_find(hash, bytes_hash(key, 0), key, &newest) ||
                            newest.segment != segment))
                continue;
            int err = each(context, key, &place);
            if (err) return err;
        }
    }
    return 0;
}

/* ---- changing ---- */

int hash_index_reserve(struct hash_engine *hash, struct segment *segment,
                       const struct keydir_room *room)
{
    return hash_keydir_reserve(table_of(hash, segment), room);
}

/* The record at `old` is no longer the newest of its key. */
static void superseded(struct hash_engine *hash, const struct place *old, uint64_t h,
                       struct bytes key)
{
    uint64_t size = record_size(key.size, old->value_size);
    old->segment->dead_bytes += size;
    hash->live_keys--;
    hash->live_key_bytes -= key.size;
    hash->live_value_bytes -= old->value_size;
    if (is_one(hash) || !old->segment->is_input) return;
    /* A merge reads that segment. If it has copied the record already, the copy is dead too. */
    for (uint32_t i = 0; i < hash->merge.outputs.count; i++)
        if (hash_keydir_find(&hash->merge.outputs.items[i]->index, h, key))
            hash->merge.outputs.items[i]->dead_bytes += size;
}

void hash_index_put(struct hash_engine *hash, struct segment *segment, uint32_t offset,
                    uint64_t h, struct bytes key, uint32_t value_size)
{
    struct keydir_slot slot;
    struct place old;
    bool is_known = !is_one(hash) && hash_index_find(hash, h, key, &old);
    if (hash_keydir_put(table_of(hash, segment), h, key, segment->number, offset, value_size,
                        &slot) &&
        is_one(hash)) {
        old = place_of(hash_slot_segment(hash, &slot), &slot);
        is_known = true;
    }
    if (is_known) superseded(hash, &old, h, key);
    hash->live_keys++;
    hash->live_key_bytes += key.size;
    hash->live_value_bytes += value_size;
    segment->records++;
}

void hash_index_put_early(struct hash_engine *hash, struct segment *segment, uint32_t offset,
                          uint64_t h, struct bytes key, uint32_t value_size)
{
    struct unsettled *u = &hash->unsettled;
    if (!is_one(hash) || key.size > UNSETTLED_KEY_MAX ||
        !hash_keydir_replace(&hash->keydir, h, segment->number, offset, value_size, &u->old)) {
        hash_index_put(hash, segment, offset, h, key, value_size);
        return;
    }
    u->is_open = true;
    u->segment = segment;
    u->offset = offset;
    u->value_size = value_size;
    u->hash = h;
    u->key_size = (uint32_t)key.size;
    bytes_copy(u->key, key);
}

void hash_index_settle(struct hash_engine *hash)
{
    struct unsettled *u = &hash->unsettled;
    if (!u->is_open) return;
    u->is_open = false;
    struct bytes key = bytes_of(u->key, u->key_size);
    if (!bytes_equal(hash_keydir_key(&hash->keydir, &u->old), key)) {
        hash_keydir_restore(&hash->keydir, u->hash, &u->old);
        hash_index_put(hash, u->segment, u->offset, u->hash, key, u->value_size);
        return;
    }
    struct place old = place_of(hash_slot_segment(hash, &u->old), &u->old);
    superseded(hash, &old, u->hash, key);
    hash->live_keys++;
    hash->live_key_bytes += u->key_size;
    hash->live_value_bytes += u->value_size;
    u->segment->records++;
}

void hash_index_delete(struct hash_engine *hash, struct segment *segment, uint32_t offset,
                       uint64_t h, struct bytes key)
{
    struct keydir_slot slot;
    struct place old;
    bool is_known;
    if (is_one(hash)) {
        is_known = hash_keydir_remove(&hash->keydir, h, key, &slot);
        if (is_known) old = place_of(hash_slot_segment(hash, &slot), &slot);
    } else {
        is_known = hash_index_find(hash, h, key, &old);
        hash_keydir_put(&segment->index, h, key, segment->number, offset, KEYDIR_TOMBSTONE,
                        &slot);
    }
    if (is_known) superseded(hash, &old, h, key);
    segment->dead_bytes += record_size(key.size, 0); /* a merge drops the tombstone */
    segment->records++;
}

void hash_index_seal(struct hash_engine *hash, struct segment *segment)
{
    const struct allocator *a = hash->base.host.allocator;
    const struct keydir *keydir = &segment->index;
    size_t size = keydir->count * sizeof(uint64_t), n = 0;
    if (is_one(hash) || hash->options.bloom_bits == 0 || keydir->count == 0) return;
    hash_keydir_tidy(&segment->index, true);
    uint64_t *hashes = allocator_alloc(a, size);
    if (!hashes) return;
    for (size_t i = 0; i < keydir->capacity; i++)
        if (keydir->slots[i].entry)
            hashes[n++] = bloom_hash(hash_keydir_key(keydir, &keydir->slots[i]));
    segment->filter.allocator = a;
    /* No memory: a filter of no bytes holds everything. */
    if (bloom_append(&segment->filter, hashes, n, (uint32_t)hash->options.bloom_bits))
        buffer_deinit(&segment->filter);
    allocator_free(a, hashes, size);
}

int hash_index_copied(struct hash_engine *hash, struct segment *output, uint32_t offset,
                      uint64_t h, struct bytes key, uint32_t value_size)
{
    struct keydir_slot slot;
    output->records++;
    if (is_one(hash)) return 0;
    int err = hash_keydir_reserve(&output->index, &(struct keydir_room){1, key.size, key.size});
    if (!err)
        hash_keydir_put(&output->index, h, key, output->number, offset, value_size, &slot);
    return err;
}

/* ---- memory ---- */

static const struct segments *list_of(const struct hash_engine *hash, uint32_t i)
{
    const struct segments *const lists[] = {&hash->segments, &hash->dropped,
                                            &hash->merge.outputs, &hash->merge.retired};
    return lists[i];
}

uint64_t hash_index_memory(const struct hash_engine *hash)
{
    uint64_t bytes = hash_keydir_memory(&hash->keydir);
    for (uint32_t i = 0; i < 4; i++)
        for (uint32_t j = 0; j < list_of(hash, i)->count; j++)
            bytes += hash_keydir_memory(&list_of(hash, i)->items[j]->index);
    return bytes;
}

uint64_t hash_filter_memory(const struct hash_engine *hash)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < 4; i++)
        for (uint32_t j = 0; j < list_of(hash, i)->count; j++)
            bytes += list_of(hash, i)->items[j]->filter.capacity;
    return bytes;
}
