/* Scans: the keys of the range and where their records stand are collected when the cursor is
 * opened, and made a heap; each step takes the next key off it and reads its record. So opening
 * is linear in the keys of the range, and a scan that stops early does not pay for the order of
 * the rest. Eight bytes of each key behind what all have in common stand in the heap itself:
 * most comparisons touch no key.
 *
 * Segments that a merge has replaced stay open as long as any cursor is.
 */
#include <errno.h>

#include "engines/storage/hash/hash_internal.h"

struct snapshot_entry {
    uint64_t
        prefix; /* of the key behind the common bytes: orders as the key does, or is equal */
    uint64_t key_offset; /* in cursor->keys */
    struct place place;
    uint32_t key_size;
};

struct hash_cursor {
    struct engine_cursor base;
    bool is_reverse;
    const struct engine_range *range; /* while it is being opened */
    struct buffer keys, entries;      /* entries: a heap of struct snapshot_entry */
    size_t count;                     /* not yet returned */
    size_t common;                    /* bytes with which all keys begin */
    struct buffer scratch;            /* the current record */
};

static struct snapshot_entry *entries_of(const struct hash_cursor *c)
{
    return (struct snapshot_entry *)(void *)c->entries.data;
}

static struct bytes snapshot_key(const struct hash_cursor *c,
                                 const struct snapshot_entry *entry)
{
    return bytes_of(c->keys.data + entry->key_offset, entry->key_size);
}

/* True when a is returned before b. */
static bool is_before(const struct hash_cursor *c, const struct snapshot_entry *a,
                      const struct snapshot_entry *b)
{
    if (a->prefix != b->prefix) return (a->prefix < b->prefix) != c->is_reverse;
    int order = bytes_compare(snapshot_key(c, a), snapshot_key(c, b));
    return c->is_reverse ? order > 0 : order < 0;
}

/* Puts an entry in at i, from where on down it may be out of order. */
static void sift_down(struct hash_cursor *c, size_t i, struct snapshot_entry entry)
{
    struct snapshot_entry *heap = entries_of(c);
    for (size_t child; (child = 2 * i + 1) < c->count; i = child) {
        if (child + 1 < c->count && is_before(c, &heap[child + 1], &heap[child])) child++;
        if (!is_before(c, &heap[child], &entry)) break;
        heap[i] = heap[child];
    }
    heap[i] = entry;
}

/* How many bytes all keys begin with, then the eight behind them of each. */
static void prefixes(struct hash_cursor *c)
{
    struct snapshot_entry *entries = entries_of(c);
    struct bytes first = snapshot_key(c, &entries[0]);
    c->common = first.size;
    for (size_t i = 1; i < c->count; i++) {
        struct bytes key = snapshot_key(c, &entries[i]);
        const unsigned char *a = first.data, *b = key.data;
        if (key.size < c->common) c->common = key.size;
        for (size_t k = 0; k < c->common; k++)
            if (a[k] != b[k]) c->common = k;
    }
    for (size_t i = 0; i < c->count; i++) {
        struct bytes key = snapshot_key(c, &entries[i]);
        const unsigned char *p = key.data;
        for (size_t k = c->common; k < c->common + 8; k++)
            entries[i].prefix = entries[i].prefix << 8 | (k < key.size ? p[k] : 0);
    }
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
    struct snapshot_entry entry;
    memset(&entry, 0, sizeof(entry));
    entry.key_offset = c->keys.size;
    entry.place = *place;
    entry.key_size = (uint32_t)key.size;
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
    if (c->count) prefixes(c);
    for (size_t i = c->count / 2; i-- > 0;) sift_down(c, i, entries_of(c)[i]);
    c->range = NULL;
    *out = &c->base;
    return 0;
}

int hash_scan_next(struct engine_cursor *cursor, struct bytes *key, struct bytes *value)
{
    struct hash_engine *hash = (struct hash_engine *)cursor->engine;
    struct hash_cursor *c = (struct hash_cursor *)cursor;
    if (c->count == 0) return 0;
    struct snapshot_entry e = entries_of(c)[0];
    int err = hash_value_read(hash, &e.place, snapshot_key(c, &e), &c->scratch, value);
    if (err == -ENODATA)
        return hash_segment_corrupt(hash, e.place.segment->id, e.place.offset,
                                    "a broken record");
    if (err) return err;
    c->count--;
    if (c->count) sift_down(c, 0, entries_of(c)[c->count]);
    *key = snapshot_key(c, &e);
    return 1;
}

void hash_scan_close(struct engine_cursor *cursor)
{
    cursor_free((struct hash_cursor *)cursor, cursor->engine->host.allocator);
}
