/* Lock and fencing decisions. A lock's record is deleted at unlock but its token counter stays,
 * so tokens never repeat (as long as the state itself is not lost: a failover that loses writes
 * may grant a token again, which the fencing check then shows).
 */
#include "engines/replication/locks.h"

#include <errno.h>

struct lock_record {
    uint64_t token;
    int64_t expires_ns;
    uint64_t holder;
};

static int lock_load(struct effects *effects, struct bytes name, struct lock_record *lock)
{
    struct bytes key = effects_key(effects, 'l', name);
    int err = effects_get(effects, key, &effects->record);
    if (err) return err;
    if (effects->record.size != LOCK_RECORD_SIZE) return -EBADMSG;
    const unsigned char *p = effects->record.data;
    *lock = (struct lock_record){get_u64(p), (int64_t)get_u64(p + 8), get_u64(p + 16)};
    return 0;
}

int locks_lock(struct effects *effects, const struct operation *operation,
               struct engine_batch *batch, struct reply *reply)
{
    struct env *env = effects->env;
    int64_t now = env->ops->wall_now(env);
    struct lock_record lock;
    int err = lock_load(effects, operation->key, &lock);
    if (err && err != -ENOENT) return err;
    if (!err && lock.expires_ns > now) {
        /* A second attempt of the operation that holds it gets the same token. */
        bool same = lock.holder == operation->id;
        reply->status = same ? STATUS_OK : STATUS_HELD;
        reply->token = same ? lock.token : 0;
        return 0;
    }
    uint64_t last;
    static const char counter[2] = {0, 't'};
    struct bytes counter_key = {counter, sizeof counter};
    err = effects_get_u64(effects, counter_key, &last);
    if (err) return err;
    uint64_t token = effects_next(&effects->rules, last);
    int64_t ttl = operation->ttl_ns > 0 ? operation->ttl_ns : 0;
    int64_t expires = ttl > INT64_MAX - now ? INT64_MAX : now + ttl;
    unsigned char record[LOCK_RECORD_SIZE];
    put_u64(record, token);
    put_u64(record + 8, (uint64_t)expires);
    put_u64(record + 16, operation->id);
    err = effects_put_u64(batch, counter_key, token);
    if (!err)
        err = engine_batch_put(batch, effects_key(effects, 'l', operation->key),
                               bytes_of(record, sizeof record));
    if (err) return err;
    reply->status = STATUS_OK;
    reply->token = token;
    return 0;
}

int locks_unlock(struct effects *effects, const struct operation *operation,
                 struct engine_batch *batch, struct reply *reply)
{
    struct lock_record lock;
    int err = lock_load(effects, operation->key, &lock);
    if (err && err != -ENOENT) return err;
    if (err == -ENOENT || lock.token < operation->fence_token) {
        reply->status = STATUS_NOT_FOUND;
        return 0;
    }
    if (lock.token > operation->fence_token) {
        /* Expired and taken by somebody else meanwhile. */
        reply->status = STATUS_FENCED;
        return 0;
    }
    reply->status = STATUS_OK;
    return engine_batch_delete(batch, effects_key(effects, 'l', operation->key));
}

int locks_fence(struct effects *effects, const struct operation *operation,
                struct engine_batch *batch, struct reply *reply)
{
    if (effects->rules.fencing == FENCING_NONE || !operation->fence_token) return 0;
    uint64_t highest;
    int err = effects_get_u64(effects, effects_key(effects, 'f', operation->key), &highest);
    if (err) return err;
    if (operation->fence_token < highest) {
        struct env *env = effects->env;
        env->ops->note(env, NOTE_FENCED_WRITE, operation->fence_token, highest);
        reply->status = STATUS_FENCED;
        reply->token = highest;
        return 1;
    }
    if (operation->fence_token == highest) return 0;
    return effects_put_u64(batch, effects_key(effects, 'f', operation->key),
                           operation->fence_token);
}
