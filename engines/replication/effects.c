/* Decisions, in this order: an answer that was given before (idempotency token), the fence, the
 * operation itself, the record of the answer.
 *
 * Invariants: I1 a batch that comes out of a decision holds the row and all its bookkeeping, so
 * no crash separates an id from its counter. I2 a decision that changes nothing leaves the
 * batch empty. I3 no reply reveals a pending write without `seen` saying so.
 *
 * Answers are remembered in a ring of `dedup` slots: record n stands in slot n mod dedup and
 * pushes out what stood there. Only answers of operations that changed something are kept: a
 * refused one was not done and may be decided again.
 */
#include "engines/replication/effects.h"

#include <errno.h>

#include "engines/replication/locks.h"

const char *const id_scheme_words[] = {"auto_increment", "epoch_prefixed", NULL};
const char *const fencing_words[] = {"none", "token", NULL};

#define EPOCH_SHIFT 40

void effects_init(struct effects *effects, struct env *env, const struct overlay *overlay)
{
    struct buffer empty = {.allocator = env->allocator};
    *effects = (struct effects){.env = env,
                                .overlay = overlay,
                                .key = empty,
                                .value = empty,
                                .scratch = empty,
                                .record = empty};
}

void effects_deinit(struct effects *effects)
{
    buffer_deinit(&effects->key);
    buffer_deinit(&effects->value);
    buffer_deinit(&effects->scratch);
    buffer_deinit(&effects->record);
}

bool operation_is_write(enum operation_type type)
{
    return type != OPERATION_READ && type != OPERATION_RESOLVE && type != OPERATION_SCAN;
}

/* ---- look-ups ---- */

int effects_get(struct effects *effects, struct bytes key, struct buffer *value)
{
    const struct overlay_record *pending =
        effects->overlay ? overlay_find(effects->overlay, key) : NULL;
    if (!pending) return engine_get(effects->env->engine, key, value);
    if (effects->seen < pending->position) effects->seen = pending->position; /* I3 */
    if (pending->is_delete) return -ENOENT;
    return buffer_assign(value, pending->value);
}

int effects_get_u64(struct effects *effects, struct bytes key, uint64_t *number)
{
    int err = effects_get(effects, key, &effects->record);
    if (err == -ENOENT) {
        *number = 0;
        return 0;
    }
    if (err) return err;
    if (effects->record.size != 8) return -EBADMSG;
    *number = get_u64(effects->record.data);
    return 0;
}

int effects_put_u64(struct engine_batch *batch, struct bytes key, uint64_t number)
{
    unsigned char value[8];
    put_u64(value, number);
    return engine_batch_put(batch, key, bytes_of(value, sizeof value));
}

struct bytes effects_key(struct effects *effects, char tag, struct bytes rest)
{
    const char head[2] = {0, tag};
    buffer_clear(&effects->scratch);
    int err = buffer_reserve(&effects->scratch, sizeof head + rest.size);
    if (err) effects->env->ops->panic(effects->env, -err, "no memory for a key");
    buffer_append(&effects->scratch, head, sizeof head);
    buffer_append(&effects->scratch, rest.data, rest.size);
    return buffer_bytes(&effects->scratch);
}

uint64_t effects_next(const struct effects_rules *rules, uint64_t last)
{
    uint64_t base = rules->ids == IDS_EPOCH_PREFIXED ? rules->epoch << EPOCH_SHIFT : 0;
    return (last > base ? last : base) + 1;
}

/* ---- idempotency tokens ---- */

/* 1: answered before, the reply is filled; 0: not known; or -errno. */
static int answer_recall(struct effects *effects, const struct operation *operation,
                         struct reply *reply)
{
    unsigned char id[8];
    put_u64(id, operation->id);
    struct bytes key = effects_key(effects, 'd', bytes_of(id, sizeof id));
    int err = effects_get(effects, key, &effects->value);
    if (err == -ENOENT) return 0;
    if (err) return err;
    if (effects->value.size < 8) return -EBADMSG;
    uint64_t position = get_u64(effects->value.data);
    struct bytes encoded = {effects->value.data + 8, effects->value.size - 8};
    err = reply_decode(encoded, reply);
    if (err) return err;
    reply->position = position;
    /* A row of this answer may be applied and yet not safe (after_commit). */
    if (effects->seen < position) effects->seen = position;
    return 1;
}

static int answer_record(struct effects *effects, const struct operation *operation,
                         uint64_t position, struct engine_batch *batch,
                         const struct reply *reply)
{
    static const char counter[2] = {0, 'R'};
    struct bytes counter_key = {counter, sizeof counter};
    uint64_t count, old;
    int err = effects_get_u64(effects, counter_key, &count);
    if (err) return err;
    unsigned char slot[4], id[8];
    put_u32(slot, (uint32_t)(count % (uint64_t)effects->rules.dedup));
    struct bytes slot_bytes = {slot, sizeof slot}, id_bytes = {id, sizeof id};
    err = effects_get_u64(effects, effects_key(effects, 'r', slot_bytes), &old);
    if (err) return err;
    if (old) {
        put_u64(id, old);
        err = engine_batch_delete(batch, effects_key(effects, 'd', id_bytes));
        if (err) return err;
    }
    err = effects_put_u64(batch, counter_key, count + 1);
    if (!err)
        err = effects_put_u64(batch, effects_key(effects, 'r', slot_bytes), operation->id);
    if (err) return err;
    unsigned char head[8];
    put_u64(head, position);
    buffer_clear(&effects->record);
    err = buffer_append(&effects->record, head, sizeof head);
    if (!err) err = reply_encode(reply, &effects->record);
    if (err) return err;
    put_u64(id, operation->id);
    return engine_batch_put(batch, effects_key(effects, 'd', id_bytes),
                            buffer_bytes(&effects->record));
}

/* ---- the operations ---- */

static int decide_delete(struct effects *effects, const struct operation *operation,
                         struct engine_batch *batch, struct reply *reply)
{
    int err = effects_get(effects, operation->key, &effects->value);
    if (err == -ENOENT) {
        reply->status = STATUS_NOT_FOUND;
        return 0;
    }
    return err ? err : engine_batch_delete(batch, operation->key);
}

static int decide_compare_and_set(struct effects *effects, const struct operation *operation,
                                  struct engine_batch *batch, struct reply *reply)
{
    int err = effects_get(effects, operation->key, &effects->value);
    if (err && err != -ENOENT) return err;
    bool exists = !err;
    struct bytes found = buffer_bytes(&effects->value);
    if (exists == operation->has_expected &&
        (!exists || bytes_equal(found, operation->expected)))
        return engine_batch_put(batch, operation->key, operation->value);
    reply->status = STATUS_MISMATCH;
    reply->has_value = exists;
    if (exists) reply->value = found;
    return 0;
}

static int decide_insert(struct effects *effects, const struct operation *operation,
                         struct engine_batch *batch, struct reply *reply)
{
    uint64_t last;
    int err = effects_get_u64(effects, effects_key(effects, 'i', operation->key), &last);
    if (err) return err;
    uint64_t id = effects_next(&effects->rules, last);
    char digits[20];
    size_t start = sizeof digits;
    for (uint64_t rest = id; rest || start == sizeof digits; rest /= 10)
        digits[--start] = (char)('0' + rest % 10);
    buffer_clear(&effects->key);
    err = buffer_append(&effects->key, operation->key.data, operation->key.size);
    if (!err) err = buffer_append(&effects->key, digits + start, sizeof digits - start);
    if (!err) err = effects_put_u64(batch, effects_key(effects, 'i', operation->key), id);
    if (!err) err = engine_batch_put(batch, buffer_bytes(&effects->key), operation->value);
    if (err) return err;
    reply->key = buffer_bytes(&effects->key);
    return 0;
}

/* Keys of a client never begin with NUL and fit the engine with room for bookkeeping. */
static bool operation_fits(const struct effects *effects, const struct operation *operation)
{
    const struct engine_ops *ops = effects->env->engine->ops;
    const char *key = operation->key.data;
    size_t digits = operation->type == OPERATION_INSERT ? 20 : 0;
    return (operation->type == OPERATION_INSERT || operation->key.size) &&
           (!operation->key.size || key[0]) &&
           operation->key.size + digits + EFFECTS_KEY_OVERHEAD <= ops->key_size_max &&
           operation->value.size <= ops->value_size_max;
}

static int decide(struct effects *effects, const struct operation *operation,
                  struct engine_batch *batch, struct reply *reply)
{
    if (operation->type == OPERATION_LOCK) return locks_lock(effects, operation, batch, reply);
    if (operation->type == OPERATION_UNLOCK)
        return locks_unlock(effects, operation, batch, reply);
    int fenced = locks_fence(effects, operation, batch, reply);
    if (fenced) return fenced < 0 ? fenced : 0;
    switch (operation->type) {
    case OPERATION_WRITE: return engine_batch_put(batch, operation->key, operation->value);
    case OPERATION_DELETE: return decide_delete(effects, operation, batch, reply);
    case OPERATION_COMPARE_AND_SET:
        return decide_compare_and_set(effects, operation, batch, reply);
    case OPERATION_INSERT: return decide_insert(effects, operation, batch, reply);
    default: ENV_CHECK(effects->env, !"a read is decided as a write"); return -EINVAL;
    }
}

int effects_decide(struct effects *effects, const struct operation *operation,
                   uint64_t position, struct engine_batch *batch, struct reply *reply)
{
    effects->seen = 0;
    *reply = (struct reply){.status = STATUS_OK, .leader_hint = LEADER_UNKNOWN};
    if (!operation_fits(effects, operation)) {
        reply->status = STATUS_ERROR;
        return 0;
    }
    bool remember = operation->idempotent && effects->rules.dedup > 0;
    int err = 0;
    if (remember) {
        err = answer_recall(effects, operation, reply);
        if (err > 0) return 0;
        effects->seen = 0;
    }
    if (!err) err = decide(effects, operation, batch, reply);
    if (!err && reply->status != STATUS_OK) engine_batch_clear(batch); /* I2 */
    if (!err && batch->count && remember)
        err = answer_record(effects, operation, position, batch, reply);
    if (err) {
        engine_batch_clear(batch);
        *reply = (struct reply){.status = STATUS_ERROR, .leader_hint = LEADER_UNKNOWN};
    }
    return err;
}
