/* Reads. A scan of an ordered engine stops at its limit. Of an unordered one every entry of the
 * range is collected and the smallest are kept: entries are stored one behind the other in a
 * buffer and an array of their offsets is heap-sorted by key.
 */
#include "engines/replication/reads.h"

#include <errno.h>

struct scan {
    struct env *env;
    struct buffer entries; /* {u32 key size, u32 value size, key, value}* */
    struct buffer offsets; /* u64 each, into entries */
};

static uint64_t offset_at(const struct scan *scan, size_t index)
{
    return get_u64(scan->offsets.data + index * 8);
}

static struct bytes entry_at(const struct scan *scan, size_t index)
{
    const unsigned char *p = scan->entries.data + offset_at(scan, index);
    return bytes_of(p, 8 + (size_t)get_u32(p) + get_u32(p + 4));
}

static struct bytes key_at(const struct scan *scan, size_t index)
{
    const unsigned char *p = scan->entries.data + offset_at(scan, index);
    return bytes_of(p + 8, get_u32(p));
}

static void swap(struct scan *scan, size_t a, size_t b)
{
    uint64_t x = offset_at(scan, a), y = offset_at(scan, b);
    put_u64(scan->offsets.data + a * 8, y);
    put_u64(scan->offsets.data + b * 8, x);
}

static void sift_down(struct scan *scan, size_t root, size_t count)
{
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count &&
            bytes_compare(key_at(scan, child), key_at(scan, child + 1)) < 0)
            child++;
        if (bytes_compare(key_at(scan, root), key_at(scan, child)) >= 0) return;
        swap(scan, root, child);
    }
}

static void scan_sort(struct scan *scan)
{
    size_t count = scan->offsets.size / 8;
    for (size_t i = count / 2; i-- > 0;) sift_down(scan, i, count);
    for (size_t end = count; end-- > 1;) {
        swap(scan, 0, end);
        sift_down(scan, 0, end);
    }
}

static int scan_add(struct scan *scan, struct bytes key, struct bytes value)
{
    unsigned char offset[8], head[8];
    put_u64(offset, scan->entries.size);
    put_u32(head, (uint32_t)key.size);
    put_u32(head + 4, (uint32_t)value.size);
    int err = buffer_append(&scan->offsets, offset, sizeof offset);
    if (!err) err = buffer_append(&scan->entries, head, sizeof head);
    if (!err) err = buffer_append(&scan->entries, key.data, key.size);
    if (!err) err = buffer_append(&scan->entries, value.data, value.size);
    return err;
}

static int scan_collect(struct scan *scan, const struct operation *operation, bool ordered)
{
    struct engine_range range = {.from = operation->key,
                                 .to = operation->value,
                                 .has_from = true,
                                 .has_to = operation->value.size > 0};
    struct engine_cursor *cursor;
    int err = engine_scan_open(scan->env->engine, &range, &cursor);
    if (err) return err;
    struct bytes key, value;
    while ((err = engine_scan_next(cursor, &key, &value)) > 0) {
        if (!key.size || !*(const char *)key.data) continue;
        if (ordered && operation->limit && scan->offsets.size / 8 >= operation->limit) break;
        err = scan_add(scan, key, value);
        if (err) break;
    }
    engine_scan_close(cursor);
    return err < 0 ? err : 0;
}

static int scan_answer(struct env *env, const struct operation *operation, struct buffer *out)
{
    struct buffer empty = {.allocator = env->allocator};
    struct scan scan = {.env = env, .entries = empty, .offsets = empty};
    bool ordered = (env->engine->ops->capabilities & ENGINE_ORDERED) != 0;
    int err = scan_collect(&scan, operation, ordered);
    if (!err && ordered) err = buffer_assign(out, buffer_bytes(&scan.entries));
    if (!err && !ordered) {
        scan_sort(&scan);
        size_t count = scan.offsets.size / 8;
        if (operation->limit && count > operation->limit) count = operation->limit;
        for (size_t i = 0; i < count && !err; i++) {
            struct bytes entry = entry_at(&scan, i);
            err = buffer_append(out, entry.data, entry.size);
        }
    }
    buffer_deinit(&scan.entries);
    buffer_deinit(&scan.offsets);
    return err;
}

void reads_answer(struct env *env, uint64_t request, const struct operation *operation,
                  uint64_t position, uint64_t epoch)
{
    struct buffer value = {.allocator = env->allocator};
    bool hidden = operation->key.size && !*(const char *)operation->key.data;
    int err = -ENOENT;
    if (operation->type == OPERATION_SCAN)
        err = scan_answer(env, operation, &value);
    else if (!hidden)
        err = engine_get(env->engine, operation->key, &value);
    struct reply reply = {.status = STATUS_OK,
                          .position = position,
                          .epoch = epoch,
                          .leader_hint = LEADER_UNKNOWN};
    if (!err) {
        reply.has_value = true;
        reply.value = buffer_bytes(&value);
    } else {
        reply.status = err == -ENOENT ? STATUS_NOT_FOUND : STATUS_ERROR;
    }
    env->ops->reply(env, request, &reply);
    buffer_deinit(&value);
}
