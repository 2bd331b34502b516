/* Reading the log: get and scan, with the index and without.
 *
 *     index: none     get reads [0, end) and keeps the last line of the key: O(N), at the speed
 *                     of the parser. A scan reads it once, too, keeps key and place of each
 *                     line, sorts them and drops what is superseded.
 *     index: memory   get is one lookup and one read of the value's bytes. A scan takes the
 *                     keys of its range out of the index and sorts them.
 *
 * I7  With `index: memory` the index holds exactly the live keys of [0, end), and of each the
 *     place, size and CRC of its value. It is built at open from batches that have proven
 *     whole, and moves with `end`: when the write has succeeded, never before.
 *
 * Either way a value is checked before it is returned: without an index its whole batch, and
 * all others; with one, the value's bytes against the CRC that memory keeps since they were
 * written or recovered. A scan checks each value the same way.
 */
#include <errno.h>

#include "engines/storage/log/log_internal.h"

/* ---- from the file to the index ---- */

/* Notes an item whose key is the last `key_size` bytes of pending.keys. */
static int pending_add(struct log_pending *pending, size_t key_from, bool is_delete,
                       uint64_t line_offset, const struct log_place *place)
{
    struct log_pending_entry entry = {.place = *place,
                                      .line_offset = line_offset,
                                      .key_size = (uint32_t)(pending->keys.size - key_from),
                                      .is_delete = is_delete};
    return buffer_append(&pending->entries, &entry, sizeof(entry));
}

static struct log_place item_place(const struct log_item *item)
{
    return (struct log_place){.offset = item->value_offset,
                              .size = (uint32_t)item->value.size,
                              .crc = crc32c(0, item->value.data, item->value.size),
                              .is_literal = item->is_literal};
}

static int append_key(struct buffer *out, const struct log_item *item)
{
    return item->is_literal ? buffer_append(out, item->key.data, item->key.size)
                            : log_unescape(out, LOG_KEY, item->key);
}

int log_pending_item(void *context, const struct log_item *item)
{
    struct log_engine *log = context;
    struct log_place place = item_place(item);
    size_t from = log->pending.keys.size;
    int err = append_key(&log->pending.keys, item);
    if (err == -EBADMSG) return 0; /* its batch can not be whole, and so is not counted */
    return err ? err : pending_add(&log->pending, from, item->is_delete, item->offset, &place);
}

int log_pending_reserve(struct log_engine *log)
{
    return log_index_reserve(&log->index,
                             log->pending.entries.size / sizeof(struct log_pending_entry),
                             log->pending.keys.size);
}

/* Moves what stands below `end` in the file to the index, in which there is room. */
static void pending_move(struct log_engine *log, uint64_t end)
{
    const struct log_pending_entry *entries = (const void *)log->pending.entries.data;
    size_t count = log->pending.entries.size / sizeof(*entries), at = 0;
    for (size_t i = 0; i < count && entries[i].line_offset < end; i++) {
        struct bytes key = bytes_of(log->pending.keys.data + at, entries[i].key_size);
        at += entries[i].key_size;
        if (entries[i].is_delete)
            log_index_delete(&log->index, key);
        else
            log_index_put(&log->index, key, &entries[i].place);
    }
    log_pending_clear(log);
}

void log_pending_clear(struct log_engine *log)
{
    struct log_pending *pending = &log->pending;
    buffer_clear(&pending->keys);
    buffer_clear(&pending->entries);
    if (pending->keys.capacity > LOG_KEPT_BUFFER) buffer_deinit(&pending->keys);
    if (pending->entries.capacity > LOG_KEPT_BUFFER) buffer_deinit(&pending->entries);
}

int log_pending_rest(struct log_engine *log, uint64_t end)
{
    int err = log_pending_reserve(log);
    if (!err) pending_move(log, end);
    return err;
}

int log_pending_batch(void *context, const struct log_batch *batch)
{
    return log_pending_rest(context, batch->end);
}

/* ---- from a batch to the index ---- */

int log_pending_write(struct log_engine *log, const struct engine_batch_item *item,
                      size_t value_from)
{
    /* The value is followed by its newline only. */
    size_t size = item->is_delete ? 0 : log->batch.size - value_from - 1;
    struct log_place place = {.offset = value_from,
                              .size = (uint32_t)size,
                              .crc = crc32c(0, log->batch.data + value_from, size)};
    size_t from = log->pending.keys.size;
    int err = buffer_append(&log->pending.keys, item->key.data, item->key.size);
    return err ? err : pending_add(&log->pending, from, item->is_delete, 0, &place);
}

void log_pending_apply(struct log_engine *log, uint64_t batch_offset)
{
    struct log_pending_entry *entries = (void *)log->pending.entries.data;
    size_t count = log->pending.entries.size / sizeof(*entries);
    for (size_t i = 0; i < count; i++) entries[i].place.offset += batch_offset;
    pending_move(log, UINT64_MAX);
}

/* ---- a value at its place ---- */

/* Reads and checks a value; raw is scratch. */
static int place_read(struct log_engine *log, const struct log_place *place, struct buffer *raw,
                      struct buffer *value)
{
    int err = buffer_reserve(raw, place->size);
    if (!err && place->size)
        err = engine_file_read(log->file, place->offset, raw->data, place->size, VFS_USER_READ);
    if (err && err != -EBADMSG) return err;
    raw->size = place->size;
    if (err || crc32c(0, raw->data, raw->size) != place->crc)
        return log_corrupt(log, place->offset, "a value has changed since it was found");
    buffer_clear(value);
    err = place->is_literal ? buffer_assign(value, buffer_bytes(raw))
                            : log_unescape(value, LOG_VALUE, buffer_bytes(raw));
    return err == -EBADMSG ? log_corrupt(log, place->offset, "a value that log never wrote")
                           : err;
}

/* ---- get ---- */

struct lookup {
    struct bytes literal, escaped; /* the key as bash and as we write it */
    struct buffer value;           /* of the last match, as it stands in the file */
    uint64_t value_offset;
    bool is_found, is_literal;
};

static int lookup_item(void *context, const struct log_item *item)
{
    struct lookup *lookup = context;
    if (!bytes_equal(item->key, item->is_literal ? lookup->literal : lookup->escaped)) return 0;
    lookup->is_found = !item->is_delete;
    lookup->is_literal = item->is_literal;
    lookup->value_offset = item->value_offset;
    return buffer_assign(&lookup->value, item->value);
}

/* Visits every item of [0, end). What was good at open and is not now is rot. */
static int log_visit(struct log_engine *log, const struct log_visitor *visitor)
{
    struct log_reader reader;
    struct log_state state;
    log_engine_reader(&reader, log, log->end, VFS_USER_READ);
    int err = log_parse(&reader, visitor, &state);
    log_reader_deinit(&reader);
    if (err) return err;
    if (state.is_damaged) return log_corrupt(log, state.damage_offset, state.damage);
    if (state.end != log->end)
        return log_corrupt(log, state.end, "the file is shorter than it was");
    return 0;
}

static int get_by_search(struct log_engine *log, struct bytes key, struct buffer *value)
{
    const struct allocator *allocator = log->base.host.allocator;
    struct buffer escaped = {.allocator = allocator};
    struct lookup lookup = {.literal = key, .value = {.allocator = allocator}};
    struct log_visitor visitor = {.item = lookup_item, .context = &lookup};
    int err = log_escape(&escaped, LOG_KEY, key);
    if (!err) {
        lookup.escaped = buffer_bytes(&escaped);
        err = log_visit(log, &visitor);
    }
    if (!err && !lookup.is_found) err = -ENOENT;
    if (!err) {
        buffer_clear(value);
        err = lookup.is_literal ? buffer_assign(value, buffer_bytes(&lookup.value))
                                : log_unescape(value, LOG_VALUE, buffer_bytes(&lookup.value));
        if (err == -EBADMSG)
            log_corrupt(log, lookup.value_offset, "a value that log never wrote");
    }
    buffer_deinit(&lookup.value);
    buffer_deinit(&escaped);
    return err;
}

static int get_by_index(struct log_engine *log, struct bytes key, struct buffer *value)
{
    struct buffer *raw = &log->batch; /* nothing is being written meanwhile */
    struct log_place place;
    if (!log_index_find(&log->index, key, &place)) return -ENOENT;
    int err = place_read(log, &place, raw, value);
    if (raw->capacity > LOG_KEPT_BUFFER) buffer_deinit(raw);
    return err;
}

int log_get(struct engine *engine, struct bytes key, struct buffer *value)
{
    struct log_engine *log = log_of(engine);
    return log_has_index(log) ? get_by_index(log, key, value) : get_by_search(log, key, value);
}

/* ---- scans ---- */

struct scan_entry {
    struct log_place place; /* in the file, which never changes below `end`: the snapshot */
    uint64_t key_offset;    /* in cursor->keys */
    uint64_t order;         /* of the line: the last one of a key counts */
    uint32_t key_size;
    bool is_delete;
};

struct log_cursor {
    struct engine_cursor base;
    bool is_reverse;
    struct buffer keys;    /* unescaped */
    struct buffer entries; /* of struct scan_entry, in key order */
    size_t next, count;
    struct buffer raw, value; /* of the current entry */
};

struct gather {
    struct log_cursor *cursor;
    const struct engine_range *range;
    uint64_t order;
};

/* Keeps an entry whose key is the end of cursor->keys if it is in the range. */
static int gather_entry(struct gather *gather, size_t key_from, bool is_delete,
                        const struct log_place *place)
{
    struct log_cursor *c = gather->cursor;
    struct bytes key = bytes_of(c->keys.data + key_from, c->keys.size - key_from);
    if (!engine_range_holds(gather->range, key)) {
        c->keys.size = key_from;
        return 0;
    }
    struct scan_entry entry = {.place = *place,
                               .key_offset = key_from,
                               .order = gather->order++,
                               .key_size = (uint32_t)key.size,
                               .is_delete = is_delete};
    return buffer_append(&c->entries, &entry, sizeof(entry));
}

static int gather_item(void *context, const struct log_item *item)
{
    struct gather *gather = context;
    size_t from = gather->cursor->keys.size;
    int err = append_key(&gather->cursor->keys, item);
    if (err == -EBADMSG) return 0; /* as in log_pending_item(): its batch will show it */
    if (err) return err;
    struct log_place place = item_place(item);
    return gather_entry(gather, from, item->is_delete, &place);
}

static int gather_index(struct gather *gather, const struct log_index *index)
{
    struct log_cursor *c = gather->cursor;
    struct log_place place;
    int err = 0;
    for (uint32_t i = 0; i < index->count && !err; i++) {
        struct bytes key = log_index_at(index, i, &place);
        size_t from = c->keys.size;
        if (!engine_range_holds(gather->range, key)) continue;
        err = buffer_append(&c->keys, key.data, key.size);
        if (!err) err = gather_entry(gather, from, false, &place);
    }
    return err;
}

static struct bytes entry_key(const struct log_cursor *c, const struct scan_entry *entry)
{
    return bytes_of(c->keys.data + entry->key_offset, entry->key_size);
}

static int entry_compare(const void *context, const void *a, const void *b)
{
    const struct scan_entry *x = a, *y = b;
    int order = bytes_compare(entry_key(context, x), entry_key(context, y));
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

/* Keeps the last entry of each key, and drops it when it is a delete. */
static void entries_settle(struct log_cursor *c)
{
    struct scan_entry *entries = (struct scan_entry *)(void *)c->entries.data;
    size_t count = c->entries.size / sizeof(*entries), kept = 0;
    engine_sort(entries, count, sizeof(*entries), entry_compare, c);
    for (size_t i = 0; i < count; i++) {
        bool is_last = i + 1 == count ||
                       !bytes_equal(entry_key(c, &entries[i]), entry_key(c, &entries[i + 1]));
        if (is_last && !entries[i].is_delete) entries[kept++] = entries[i];
    }
    c->count = kept;
}

static void cursor_free(struct log_cursor *c, const struct allocator *allocator)
{
    buffer_deinit(&c->keys);
    buffer_deinit(&c->entries);
    buffer_deinit(&c->raw);
    buffer_deinit(&c->value);
    allocator_free(allocator, c, sizeof(*c));
}

int log_scan_open(struct engine *engine, const struct engine_range *range,
                  struct engine_cursor **out)
{
    struct log_engine *log = log_of(engine);
    const struct allocator *allocator = engine->host.allocator;
    struct log_cursor *c = allocator_alloc(allocator, sizeof(*c));
    if (!c) return -ENOMEM;
    memset(c, 0, sizeof(*c));
    c->is_reverse = range->reverse;
    c->keys.allocator = c->entries.allocator = allocator;
    c->raw.allocator = c->value.allocator = allocator;
    struct gather gather = {.cursor = c, .range = range};
    struct log_visitor visitor = {.item = gather_item, .context = &gather};
    int err =
        log_has_index(log) ? gather_index(&gather, &log->index) : log_visit(log, &visitor);
    if (err) {
        cursor_free(c, allocator);
        return err;
    }
    entries_settle(c);
    *out = &c->base;
    return 0;
}

int log_scan_next(struct engine_cursor *cursor, struct bytes *key, struct bytes *value)
{
    struct log_cursor *c = (struct log_cursor *)cursor;
    if (c->next == c->count) return 0;
    const struct scan_entry *entries = (const struct scan_entry *)(const void *)c->entries.data;
    const struct scan_entry *entry = &entries[c->is_reverse ? c->count - 1 - c->next : c->next];
    int err = place_read(log_of(cursor->engine), &entry->place, &c->raw, &c->value);
    if (err) return err;
    c->next++;
    *key = entry_key(c, entry);
    *value = buffer_bytes(&c->value);
    return 1;
}

void log_scan_close(struct engine_cursor *cursor)
{
    cursor_free((struct log_cursor *)cursor, cursor->engine->host.allocator);
}
