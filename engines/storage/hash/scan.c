/* Scans: the keys of the range and where their records stand are collected and sorted when the
 * cursor is opened; values are read as it goes, one read an entry. Segments that a merge has
 * replaced stay open as long as any cursor is.
 */
#include <errno.h>

#include "engines/storage/hash/hash_internal.h"

struct snapshot_entry {
    struct place place;
    uint32_t key_size;
    uint64_t key_offset; /* in cursor->keys */
};

struct hash_cursor {
    struct engine_cursor base;
    bool is_reverse;
    const struct engine_range *range; /* while it is being opened */
    struct buffer keys, entries;      /* entries: struct snapshot_entry, in key order */
    size_t next, count;
    struct buffer scratch; /* the current record */
};

static struct bytes snapshot_key(const struct hash_cursor *c,
                                 const struct snapshot_entry *entry)
{
    return bytes_of(c->keys.data + entry->key_offset, entry->key_size);
}

static int snapshot_compare(const void *context, const void *a, const void *b)
{
    return bytes_compare(snapshot_key(context, a), snapshot_key(context, b));
}

static void cursor_free(struct hash_cursor *c, const struct allocator *allocator)
{
    buffer_deinit(&c->keys);
    buffer_deinit(&c->entries);
    buffer_deinit(&c->scratch);
    allocator_free(allocator, c, sizeof(*c));
}

static int collect(void *context, struct bytes key, const struct place *place)
{
    struct hash_cursor *c = context;
    if (!engine_range_holds(c->range, key)) return 0;
    struct snapshot_entry entry = {*place, (uint32_t)key.size, c->keys.size};
    int err = buffer_append(&c->keys, key.data, key.size);
    return err ? err : buffer_append(&c->entries, &entry, sizeof(entry));
}

int hash_scan_open(struct engine *engine, const struct engine_range *range,
                   struct engine_cursor **out)
{
    const struct allocator *a = engine->host.allocator;
    struct hash_cursor *c = allocator_alloc(a, sizeof(*c));
    if (!c) return -ENOMEM;
    memset(c, 0, sizeof(*c));
    c->is_reverse = range->reverse;
    c->range = range;
    c->keys.allocator = c->entries.allocator = c->scratch.allocator = a;
    hash_index_settle((struct hash_engine *)engine);
    int err = hash_index_each((struct hash_engine *)engine, collect, c);
    if (err) {
        cursor_free(c, a);
        return err;
    }
    c->count = c->entries.size / sizeof(struct snapshot_entry);
    engine_sort(c->entries.data, c->count, sizeof(struct snapshot_entry), snapshot_compare, c);
    c->range = NULL;
    *out = &c->base;
    return 0;
}

int hash_scan_next(struct engine_cursor *cursor, struct bytes *key, struct bytes *value)
{
    struct hash_engine *hash = (struct hash_engine *)cursor->engine;
    struct hash_cursor *c = (struct hash_cursor *)cursor;
    if (c->next == c->count) return 0;
    const struct snapshot_entry *entries =
        (const struct snapshot_entry *)(const void *)c->entries.data;
    const struct snapshot_entry *e = &entries[c->is_reverse ? c->count - 1 - c->next : c->next];
    int err = hash_value_read(hash, &e->place, snapshot_key(c, e), &c->scratch, value);
    if (err == -ENODATA)
        return hash_segment_corrupt(hash, e->place.segment->id, e->place.offset,
                                    "a broken record");
    if (err) return err;
    c->next++;
    *key = snapshot_key(c, e);
    return 1;
}

void hash_scan_close(struct engine_cursor *cursor)
{
    cursor_free((struct hash_cursor *)cursor, cursor->engine->host.allocator);
}
