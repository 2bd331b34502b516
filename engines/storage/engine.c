/* The wrappers around an engine's operations table, and batches.
 *
 * Everything that is the same for every engine is judged here once: the table's version, key
 * and value limits, one call at a time, cursors closed before their engine. Engines trust it.
 *
 * A batch in memory, one item after the other:
 *
 *     offset  size
 *     0       1     0 put, 1 delete
 *     1       4     key size, little-endian
 *     5       4     value size (0 for a delete)
 *     9       ..    key, value
 */
#include "engines/storage/engine.h"

#include <errno.h>

#define ITEM_HEADER ENGINE_BATCH_ITEM_HEADER

/* ---- batches ---- */

static int batch_append(struct engine_batch *batch, bool is_delete, struct bytes key,
                        struct bytes value)
{
    if (key.size > UINT32_MAX || value.size > UINT32_MAX)
        return -ENOMEM; /* no allocator gives 4 GiB to a batch */
    struct buffer *out = &batch->encoded;
    out->allocator = batch->allocator;
    /* Reserved as a whole first: a batch never holds half an item. */
    int err = buffer_reserve(out, out->size + ITEM_HEADER + key.size + value.size);
    if (err) return err;
    unsigned char *p = out->data + out->size;
    p[0] = is_delete;
    put_u32(p + 1, (uint32_t)key.size);
    put_u32(p + 5, (uint32_t)value.size);
    bytes_copy(p + ITEM_HEADER, key);
    if (value.size) memcpy(p + ITEM_HEADER + key.size, value.data, value.size);
    out->size += ITEM_HEADER + key.size + value.size;
    batch->count++;
    return 0;
}

int engine_batch_put(struct engine_batch *batch, struct bytes key, struct bytes value)
{
    return batch_append(batch, false, key, value);
}

int engine_batch_delete(struct engine_batch *batch, struct bytes key)
{
    return batch_append(batch, true, key, bytes_of(NULL, 0));
}

void engine_batch_clear(struct engine_batch *batch)
{
    buffer_clear(&batch->encoded);
    batch->count = 0;
}

void engine_batch_deinit(struct engine_batch *batch)
{
    buffer_deinit(&batch->encoded);
    batch->count = 0;
}

/* ---- one call at a time ---- */

static void call_begin(struct engine *engine)
{
    ENGINE_CHECK(engine, !engine->is_busy);
    engine->is_busy = true;
}

static int call_end(struct engine *engine, int result)
{
    engine->is_busy = false;
    ENGINE_CHECK(engine, result <= 1); /* 0, 1 (an entry) or a negative errno */
    return result;
}

/* ---- life ---- */

int engine_open(const struct engine_ops *ops, const struct engine_host *host, const char *dir,
                const void *options, struct engine **out)
{
    if (ops->abi_version != ENGINE_ABI_VERSION || ops->struct_size != sizeof(struct engine_ops))
        return -ENOEXEC; /* a shared object built against another contract */
    if (options) return ops->open(host, dir, options, out);
    size_t size = ops->options_size ? ops->options_size : 1;
    void *defaults = allocator_alloc(host->allocator, size);
    if (!defaults) return -ENOMEM;
    int err = options_default(ops->options, ops->options_count, defaults, size);
    if (!err) err = ops->open(host, dir, defaults, out);
    allocator_free(host->allocator, defaults, size);
    return err;
}

void engine_close(struct engine *engine)
{
    call_begin(engine);
    ENGINE_CHECK(engine, engine->open_cursors == 0);
    engine->ops->close(engine);
}

/* ---- writing ---- */

int engine_write(struct engine *engine, const struct engine_batch *batch,
                 enum engine_durability durability, int64_t now_ns)
{
    if (batch->count == 0) return durability == ENGINE_SYNC ? engine_sync(engine) : 0;
    size_t position = 0;
    struct engine_batch_item item;
    uint64_t puts = 0, deletes = 0;
    while (engine_batch_next(batch, &position, &item)) {
        if (item.key.size > engine->ops->key_size_max ||
            item.value.size > engine->ops->value_size_max)
            return -EINVAL;
        if (item.is_delete)
            deletes++;
        else
            puts++;
    }
    call_begin(engine);
    int err = engine->ops->write(engine, batch, durability, now_ns);
    if (!err) {
        engine->puts += puts;
        engine->deletes += deletes;
    }
    return call_end(engine, err);
}

int engine_put(struct engine *engine, struct bytes key, struct bytes value,
               const struct allocator *allocator, enum engine_durability durability,
               int64_t now_ns)
{
    struct engine_batch batch = {.allocator = allocator};
    int err = engine_batch_put(&batch, key, value);
    if (!err) err = engine_write(engine, &batch, durability, now_ns);
    engine_batch_deinit(&batch);
    return err;
}

int engine_sync(struct engine *engine)
{
    call_begin(engine);
    return call_end(engine, engine->ops->sync(engine));
}

int engine_maintain(struct engine *engine, uint64_t budget_bytes, int64_t now_ns, bool *more)
{
    call_begin(engine);
    return call_end(engine, engine->ops->maintain(engine, budget_bytes, now_ns, more));
}

int engine_checkpoint(struct engine *engine, const char *dir)
{
    call_begin(engine);
    return call_end(engine, engine->ops->checkpoint(engine, dir));
}

/* ---- reading ---- */

int engine_get(struct engine *engine, struct bytes key, struct buffer *value)
{
    if (key.size > engine->ops->key_size_max) return -EINVAL;
    call_begin(engine);
    engine->gets++;
    return call_end(engine, engine->ops->get(engine, key, value));
}

int engine_scan_open(struct engine *engine, const struct engine_range *range,
                     struct engine_cursor **out)
{
    call_begin(engine);
    int err = engine->ops->scan_open(engine, range, out);
    if (!err) {
        engine->open_cursors++;
        (*out)->engine = engine;
    }
    return call_end(engine, err);
}

int engine_scan_next(struct engine_cursor *cursor, struct bytes *key, struct bytes *value)
{
    struct engine *engine = cursor->engine;
    call_begin(engine);
    return call_end(engine, engine->ops->scan_next(cursor, key, value));
}

void engine_scan_close(struct engine_cursor *cursor)
{
    struct engine *engine = cursor->engine;
    call_begin(engine);
    ENGINE_CHECK(engine, engine->open_cursors > 0);
    engine->open_cursors--;
    engine->ops->scan_close(cursor);
    call_end(engine, 0);
}

/* ---- what it says of itself ---- */

void engine_stats(struct engine *engine, struct engine_stats *stats)
{
    memset(stats, 0, sizeof(*stats));
    stats->syncs = engine->syncs;
    stats->write_stalls = engine->write_stalls;
    stats->puts = engine->puts;
    stats->deletes = engine->deletes;
    stats->gets = engine->gets;
    engine->ops->stats(engine, stats);
}

const char *engine_error(struct engine *engine)
{
    return engine->ops->error(engine);
}

void engine_properties(struct engine *engine, engine_property_fn *each, void *context)
{
    call_begin(engine);
    if (engine->ops->properties) engine->ops->properties(engine, each, context);
    call_end(engine, 0);
}

int engine_recognise(struct vfs *vfs, const char *dir, const struct engine_ops **out)
{
    for (const struct engine_ops *const *ops = engine_registry; *ops; ops++) {
        int known = (*ops)->recognise ? (*ops)->recognise(vfs, dir) : 0;
        if (known < 0) return known;
        if (known) {
            *out = *ops;
            return 0;
        }
    }
    return -ENOENT;
}

int engine_inspect(const struct engine_ops *ops, const struct engine_host *host,
                   const char *dir, const struct engine_inspector *inspector)
{
    return ops->inspect ? ops->inspect(host, dir, inspector) : -ENOTSUP;
}
