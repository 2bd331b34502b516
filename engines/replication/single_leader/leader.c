/* The leader: deciding writes, making them durable together, answering them when the mode's
 * condition holds.
 *
 *   leader_write  decide -> log entry in memory, rows in the overlay, the reply held
 *   leader_flush  write and sync the log (one sync a batch)
 *                 ship to followers (shipping_send)
 *                 async, after_commit, fallen back: apply now
 *                 advance: what is safe? apply that (after_sync), answer it
 *   an ack        the same last step
 *
 * What is safe (`committed`), never beyond the own log:
 *   async, fallen back   the end of the log
 *   semi_sync            the ack_count-th highest acknowledged position
 *   sync                 the lowest acknowledged position of the followers not dropped
 *
 * L1  `committed` never goes back within one leadership.
 * L2  With after_sync the engine never runs ahead of `committed`, so no reader here sees a row
 *     that a failover could take away. With after_commit it does (the phantom of S14).
 * L3  An answer that reveals a pending write is held as long as that write.
 *
 * Fallback is MySQL's: once the oldest waiter has waited `fallback`, all waiters are answered
 * as if acknowledged, and the leader goes on alone until ack_count followers have its whole
 * log.
 */
#include <errno.h>

#include "engines/replication/single_leader/replica.h"

static void reply_status(struct replica *r, uint64_t request, enum status status)
{
    struct env *env = r->base.env;
    struct reply reply = {.status = status, .epoch = r->epoch, .leader_hint = r->leader};
    env->ops->reply(env, request, &reply);
}

void leader_announce(struct replica *r, uint32_t to)
{
    struct message message = {.type = MESSAGE_ANNOUNCE};
    message.fields[FIELD_EPOCH] = r->epoch;
    message.fields[FIELD_REIGN] = r->reign;
    message.fields[FIELD_LAST] = replog_written(r->log);
    if (to == LEADER_UNKNOWN)
        replica_broadcast(r, &message);
    else
        message_send(r->base.env, to, &message);
}

void leader_begin(struct replica *r)
{
    struct env *env = r->base.env;
    for (uint32_t node = 0; node < env->nodes; node++) {
        struct follower *follower = &r->followers[node];
        snapshot_release(r, follower);
        struct buffer empty = {.allocator = env->allocator};
        *follower = (struct follower){.acked_ns = -1, .chunk = empty, .held_entry = empty};
    }
    uint64_t draw = env->ops->random(env);
    r->reign = draw ? draw : 1;
    r->committed = replog_last(r->log).position;
    r->fallen_back = false;
    r->fallback_timer_ns = -1;
    r->effects.rules = (struct effects_rules){.ids = r->options.ids,
                                              .epoch = r->epoch,
                                              .fencing = r->options.fencing,
                                              .dedup = r->options.dedup};
    leader_announce(r, LEADER_UNKNOWN);
    env->ops->timer_set(env, TIMER_HEARTBEAT, r->options.heartbeat_ns);
}

void leader_end(struct replica *r)
{
    struct env *env = r->base.env;
    env->ops->timer_cancel(env, TIMER_HEARTBEAT);
    env->ops->timer_cancel(env, TIMER_FALLBACK);
    env->ops->timer_cancel(env, TIMER_TRANSFER);
    r->transfer_to = LEADER_UNKNOWN;
    replog_drop_pending(r->log);
    overlay_clear(&r->overlay);
    held_refuse(&r->held, env, STATUS_INDETERMINATE, LEADER_UNKNOWN);
    for (uint32_t node = 0; node < env->nodes; node++) {
        snapshot_release(r, &r->followers[node]);
        r->followers[node].subscribed = false;
    }
}

/* ---- requests ---- */

/* Redis's min-replicas-to-write: judged by the age of acknowledgements, not by what they say.
 */
static bool enough_replicas(struct replica *r)
{
    struct env *env = r->base.env;
    if (!r->options.min_replicas) return true;
    int64_t now = env->ops->monotonic_now(env), count = 0;
    for (uint32_t node = 0; node < env->nodes; node++) {
        int64_t acked = r->followers[node].acked_ns;
        if (node != env->self && acked >= 0 && now - acked <= r->options.max_lag_ns) count++;
    }
    return count >= r->options.min_replicas;
}

static int payload_add(struct replica *r, const struct engine_batch_item *item)
{
    unsigned char head[9];
    head[0] = item->is_delete;
    put_u32(head + 1, (uint32_t)item->key.size);
    put_u32(head + 5, item->is_delete ? 0 : (uint32_t)item->value.size);
    int err = buffer_append(&r->payload, head, sizeof head);
    if (!err) err = buffer_append(&r->payload, item->key.data, item->key.size);
    if (!err && !item->is_delete)
        err = buffer_append(&r->payload, item->value.data, item->value.size);
    return err;
}

/* Logs the changes of one operation. */
static void log_changes(struct replica *r)
{
    struct env *env = r->base.env;
    uint64_t position = replog_last(r->log).position + 1;
    struct engine_batch_item item;
    buffer_clear(&r->payload);
    int err = 0;
    for (size_t at = 0; !err && engine_batch_next(&r->changes, &at, &item);) {
        err = payload_add(r, &item);
        if (!err)
            err = overlay_put(&r->overlay, position, item.key,
                              item.is_delete ? NULL : &item.value);
    }
    if (!err)
        err =
            replog_append(r->log, r->epoch, env->ops->wall_now(env), buffer_bytes(&r->payload));
    if (err) replica_panic(r, err, "a write cannot be logged");
}

void leader_write(struct replica *r, uint64_t request, const struct operation *operation)
{
    struct env *env = r->base.env;
    if (!enough_replicas(r) || r->transfer_to != LEADER_UNKNOWN) {
        reply_status(r, request, STATUS_UNAVAILABLE);
        return;
    }
    struct reply reply;
    uint64_t position = replog_last(r->log).position + 1;
    engine_batch_clear(&r->changes);
    effects_decide(&r->effects, operation, position, &r->changes, &reply);
    reply.epoch = r->epoch;
    r->fresh = false;
    bool changes = r->changes.count > 0;
    if (changes) {
        log_changes(r);
        reply.position = position;
    } else if (!reply.position) {
        reply.position = r->applied.position;
    }
    if (!changes && r->effects.seen <= r->committed) {
        env->ops->reply(env, request, &reply);
        return;
    }
    /* L3: of an answer without changes `seen` is somewhere in the log; its end is soon enough.
     */
    int err = held_push(&r->held, request, replog_last(r->log).position,
                        env->ops->monotonic_now(env), &reply);
    if (err) replica_panic(r, err, "no memory for an answer");
}

/* ---- what is safe ---- */

static uint64_t safe_semi_sync(const struct replica *r, uint64_t end)
{
    const struct env *env = r->base.env;
    /* The k-th highest: the highest position that k followers have. Nodes are few. */
    uint64_t best = 0;
    for (uint32_t node = 0; node < env->nodes; node++) {
        uint64_t match = r->followers[node].match;
        if (node == env->self || match <= best) continue;
        int64_t count = 0;
        for (uint32_t other = 0; other < env->nodes; other++)
            if (other != env->self && r->followers[other].match >= match) count++;
        if (count >= r->options.ack_count) best = match;
    }
    return best < end ? best : end;
}

static uint64_t safe_sync(const struct replica *r, uint64_t end)
{
    const struct env *env = r->base.env;
    uint64_t lowest = end;
    for (uint32_t node = 0; node < env->nodes; node++) {
        const struct follower *follower = &r->followers[node];
        if (node != env->self && !follower->dropped && follower->match < lowest)
            lowest = follower->match;
    }
    return lowest;
}

static bool alone(const struct replica *r)
{
    return r->options.mode == MODE_ASYNC || r->fallen_back;
}

/* `end`: of the log before this batch. Enough followers had all of it: they have caught up. */
static void fallback_end(struct replica *r, uint64_t end)
{
    struct env *env = r->base.env;
    if (!r->fallen_back || safe_semi_sync(r, end) < end) return;
    r->fallen_back = false;
    env->ops->note(env, NOTE_FALLBACK, 0, 0);
}

static void fallback_timer_set(struct replica *r)
{
    struct env *env = r->base.env;
    const struct held_reply *oldest = held_oldest(&r->held);
    if (r->options.mode != MODE_SEMI_SYNC || r->options.fallback_ns < 0 || r->fallen_back)
        return;
    if (!oldest) {
        if (r->fallback_timer_ns >= 0) env->ops->timer_cancel(env, TIMER_FALLBACK);
        r->fallback_timer_ns = -1;
        return;
    }
    if (oldest->since_ns == r->fallback_timer_ns) return;
    int64_t left = oldest->since_ns + r->options.fallback_ns - env->ops->monotonic_now(env);
    env->ops->timer_set(env, TIMER_FALLBACK, left > 0 ? left : 0);
    r->fallback_timer_ns = oldest->since_ns;
}

/* A follower that was dropped is waited for again once it was heard and has everything. */
static void rejoin(struct replica *r, uint64_t end)
{
    for (uint32_t node = 0; node < r->base.env->nodes; node++) {
        struct follower *follower = &r->followers[node];
        if (follower->dropped && follower->back && follower->match >= end)
            follower->dropped = follower->back = false;
    }
}

void leader_flush(struct replica *r)
{
    struct env *env = r->base.env;
    uint64_t before = replog_written(r->log);
    int err = replog_write(r->log);
    if (err) replica_panic(r, err, "the replication log cannot be written");
    uint64_t end = replog_written(r->log);
    shipping_send(r);
    fallback_end(r, before);
    rejoin(r, end);
    if (alone(r) || r->options.ack_point == ACK_AFTER_COMMIT) replica_apply(r, end);
    uint64_t safe = alone(r)                            ? end
                    : r->options.mode == MODE_SEMI_SYNC ? safe_semi_sync(r, end)
                                                        : safe_sync(r, end);
    if (r->committed < safe) r->committed = safe; /* L1 */
    replica_apply(r, r->committed);               /* L2 */
    held_release(&r->held, env, r->committed);
    fallback_timer_set(r);
    replica_trim(r);
    reading_wake(r, false);
    replica_transfer_step(r);
}

/* ---- timers and orders ---- */

void leader_fallback_timer(struct replica *r)
{
    struct env *env = r->base.env;
    const struct held_reply *oldest = held_oldest(&r->held);
    r->fallback_timer_ns = -1;
    if (!oldest || r->fallen_back || r->options.mode != MODE_SEMI_SYNC) return;
    if (env->ops->monotonic_now(env) - oldest->since_ns < r->options.fallback_ns) return;
    r->fallen_back = true;
    env->ops->note(env, NOTE_FALLBACK, 1, 0);
    /* The flush of this batch answers the waiters. */
}

void leader_heartbeat(struct replica *r)
{
    struct env *env = r->base.env;
    leader_announce(r, LEADER_UNKNOWN);
    shipping_heartbeat(r);
    env->ops->timer_set(env, TIMER_HEARTBEAT, r->options.heartbeat_ns);
}

void leader_standalone(struct replica *r, uint32_t node)
{
    if (r->role != ROLE_LEADER || r->options.mode != MODE_SYNC) return;
    if (node >= r->base.env->nodes || node == r->base.env->self) return;
    r->followers[node].dropped = true;
    r->followers[node].back = false;
}
