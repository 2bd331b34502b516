/* The follower: whom it follows, what its log and the leader's have in common, appending.
 *
 *   unknown --announcement--> subscribing --START: logs agree--> started --silence-->
 * subscribing |  \--START: mine holds more--> discard | keep | refuse
 *                                  \--START: the leader no longer has it--> snapshot -->
 * subscribing
 *
 * F1  Entries are appended only after a START of this nonce: until then nothing says that the
 *     log before them is the leader's.
 * F2  An acknowledgement covers what is in the log file (synced, with log_sync always), not
 * what is applied. F3  With epochs each appended entry must continue the log's crc as the
 * leader computed it; a difference means that the histories diverged after all, and the node
 * subscribes anew.
 *
 * Writes that the leader lacks (on_return):
 *   discard  entries that were never applied are cut off the log; if some were applied, the
 * rows cannot be unwritten one by one, so the node rewinds: it asks for a snapshot and
 *            meanwhile answers no reads
 *   keep     the log is cut, the rows stay in the engine: the copies differ from then on. Where
 *            the leader's log no longer reaches back, only a snapshot helps, and they are lost
 *   refuse   the node stays out of this leadership until an operator wipes or promotes it
 * The rule holds for every node whose log disagrees, not only for the old leader: a follower of
 * the old leader is in the same place.
 *
 * Lag is the age of what is applied: own wall clock minus the leader's wall clock at the time
 * when the leader's log ended there. Clock skew is part of it, as in production.
 */
#include <errno.h>

#include "engines/replication/single_leader/replica.h"

#define SILENCE_HEARTBEATS 4 /* without a message for that long: subscribe again */
#define RETRY_FACTOR_MAX 16  /* patience doubles up to that many heartbeats */
#define RUNS_SENT_MAX 64     /* the latest runs of epochs in a subscription */
#define RESYNC_HEARTBEATS 4  /* between two requests for the same position */

/* ---- payloads ---- */

bool payload_next(struct bytes payload, size_t *at, struct payload_item *item)
{
    const unsigned char *p = (const unsigned char *)payload.data + *at;
    size_t left = payload.size - *at;
    if (left < 9 || p[0] > 1) return false;
    uint64_t key = get_u32(p + 1), value = get_u32(p + 5);
    if (left - 9 < key + value || (p[0] && value)) return false;
    *item = (struct payload_item){p[0] != 0, {p + 9, key}, {p + 9 + key, value}};
    *at += 9 + key + value;
    return true;
}

bool payload_valid(const struct replica *r, struct bytes payload)
{
    const struct engine_ops *ops = r->base.env->engine->ops;
    struct payload_item item;
    size_t at = 0;
    while (at < payload.size) {
        if (!payload_next(payload, &at, &item) || !item.key.size ||
            item.key.size > ops->key_size_max || item.value.size > ops->value_size_max)
            return false;
        if (bytes_equal(item.key, applied_key)) return false;
    }
    return payload.size > 0;
}

/* ---- subscribing ---- */

static void silence_timer_set(struct replica *r)
{
    struct env *env = r->base.env;
    env->ops->timer_set(env, TIMER_SUBSCRIBE, r->subscription.retry_ns);
}

void follower_heard(struct replica *r)
{
    struct env *env = r->base.env;
    r->subscription.heard_ns = env->ops->monotonic_now(env);
    r->subscription.retry_ns = SILENCE_HEARTBEATS * r->options.heartbeat_ns;
    silence_timer_set(r);
}

void follower_subscribe(struct replica *r)
{
    struct env *env = r->base.env;
    struct replog_mark last = replog_last(r->log);
    const struct replog_run *runs;
    uint32_t count = r->options.epochs ? replog_runs(r->log, &runs) : 0;
    uint32_t skip = count > RUNS_SENT_MAX ? count - RUNS_SENT_MAX : 0;
    unsigned char payload[RUNS_SENT_MAX * 16];
    for (uint32_t i = skip; i < count; i++) {
        put_u64(payload + (i - skip) * 16, runs[i].epoch);
        put_u64(payload + (i - skip) * 16 + 8, runs[i].last);
    }
    struct message message = {.type = MESSAGE_SUBSCRIBE,
                              .payload = {payload, (count - skip) * 16}};
    message.fields[FIELD_EPOCH] = r->epoch;
    message.fields[FIELD_NONCE] = r->subscription.nonce;
    message.fields[FIELD_POSITION] = last.position;
    message.fields[FIELD_MARK_EPOCH] = last.epoch;
    message.fields[FIELD_CRC] = last.crc;
    message_send(env, r->leader, &message);
}

/* Begins a relation in which nothing is known of the leader's log (F1). */
static void subscription_begin(struct replica *r)
{
    struct env *env = r->base.env;
    int64_t announced = r->subscription.announced_ns;
    snapshot_abandon(r);
    uint64_t nonce = env->ops->random(env);
    r->subscription = (struct subscription){
        .nonce = nonce ? nonce : 1,
        .heard_ns = env->ops->monotonic_now(env),
        .announced_ns = announced,
        .retry_ns = SILENCE_HEARTBEATS * r->options.heartbeat_ns,
        .resync_ns = -1,
    };
    replog_drop_pending(r->log);
    if (r->stale)
        snapshot_request(r);
    else
        follower_subscribe(r);
    silence_timer_set(r);
    env->ops->timer_set(env, TIMER_ACK, r->options.ack_interval_ns);
}

void follower_unfollow(struct replica *r)
{
    struct env *env = r->base.env;
    snapshot_abandon(r);
    r->subscription = (struct subscription){.resync_ns = -1};
    if (r->log) replog_drop_pending(r->log);
    env->ops->timer_cancel(env, TIMER_ACK);
    env->ops->timer_cancel(env, TIMER_SUBSCRIBE);
}

void follower_follow(struct replica *r, uint32_t leader, uint64_t reign)
{
    struct env *env = r->base.env;
    env->ops->timer_cancel(env, TIMER_BOOT);
    bool changed = r->leader != leader || r->role != ROLE_FOLLOWER;
    r->leader = leader;
    r->reign = reign;
    r->role = ROLE_FOLLOWER;
    if (changed) env->ops->note(env, NOTE_ROLE, ROLE_FOLLOWER, r->epoch);
    r->subscription.announced_ns = env->ops->monotonic_now(env);
    subscription_begin(r);
}

void follower_silence_timer(struct replica *r)
{
    struct env *env = r->base.env;
    struct subscription *s = &r->subscription;
    if (r->leader == LEADER_UNKNOWN || s->refused) return;
    int64_t silent = env->ops->monotonic_now(env) - s->heard_ns;
    int64_t patience = SILENCE_HEARTBEATS * r->options.heartbeat_ns;
    if (silent < patience) {
        s->retry_ns = patience;
        env->ops->timer_set(env, TIMER_SUBSCRIBE, patience - silent);
        return;
    }
    /* Ask again, less and less often: the answer may be slow rather than lost. */
    if (s->snapshot)
        snapshot_request(r);
    else
        follower_subscribe(r);
    if (s->retry_ns < RETRY_FACTOR_MAX * r->options.heartbeat_ns) s->retry_ns *= 2;
    silence_timer_set(r);
}

/* ---- START: how far the logs agree ---- */

static void acknowledge(struct replica *r, uint32_t flags)
{
    struct env *env = r->base.env;
    struct message message = {.type = MESSAGE_ACK};
    message.fields[FIELD_EPOCH] = r->epoch;
    message.fields[FIELD_NONCE] = r->subscription.nonce;
    message.fields[FIELD_POSITION] = replog_written(r->log); /* F2 */
    message.fields[FIELD_COMMIT] = r->applied.position;
    message.fields[FIELD_FLAGS] = flags;
    message_send(env, r->leader, &message);
}

/* Keeps the rows of writes that the leader lacks and forgets that they were logged. */
static void keep_rows(struct replica *r, struct replog_mark common)
{
    struct env *env = r->base.env;
    if (r->applied.position > common.position) {
        unsigned char value[APPLIED_SIZE];
        applied_encode(common, value);
        int err = engine_put(env->engine, applied_key, bytes_of(value, sizeof value),
                             env->allocator, ENGINE_SYNC, env->ops->monotonic_now(env));
        if (err) replica_panic(r, err, "the engine does not take the mark");
        env->ops->note(env, NOTE_WRITES_KEPT, r->applied.position - common.position, 0);
        r->applied = common;
    }
    /* A crash here replays the tail once more, which changes nothing, and keeps it again. */
    int err = replog_truncate(r->log, common.position);
    if (err) replica_panic(r, err, "the replication log cannot be cut");
}

/* True if the log now ends at `common`; false: refused, or a snapshot is needed. */
static bool resolve_disagreement(struct replica *r, struct replog_mark common)
{
    struct env *env = r->base.env;
    uint64_t count = replog_last(r->log).position - common.position;
    if (r->options.on_return == RETURN_REFUSE) {
        r->subscription.refused = true;
        env->ops->note(env, NOTE_JOIN_REFUSED, count, common.position + 1);
        return false;
    }
    if (r->options.on_return == RETURN_KEEP) {
        keep_rows(r, common);
        return true;
    }
    if (r->applied.position <= common.position) {
        int err = replog_truncate(r->log, common.position);
        if (err) replica_panic(r, err, "the replication log cannot be cut");
        env->ops->note(env, NOTE_WRITES_DISCARDED, count, common.position + 1);
        return true;
    }
    return false;
}

/* Rewinds, or catches up from further back than the leader's log reaches. */
static void need_snapshot(struct replica *r, uint64_t common)
{
    uint64_t last = replog_last(r->log).position;
    struct subscription *s = &r->subscription;
    s->started = false;
    s->discarded = last > common ? last - common : 0;
    s->discarded_first = common + 1;
    if (s->discarded && r->options.on_return == RETURN_REFUSE) {
        s->refused = true;
        r->base.env->ops->note(r->base.env, NOTE_JOIN_REFUSED, s->discarded, common + 1);
        return;
    }
    s->rewinding = s->rewinding || s->discarded > 0;
    snapshot_request(r);
}

void follower_start(struct replica *r, const struct message *message)
{
    struct env *env = r->base.env;
    struct subscription *s = &r->subscription;
    uint64_t common = message->fields[FIELD_POSITION];
    bool snapshot = (message->fields[FIELD_FLAGS] & FLAG_SNAPSHOT) != 0;
    follower_heard(r);
    if (s->refused || s->snapshot) return;
    if (snapshot) {
        replog_drop_pending(r->log);
        need_snapshot(r, common);
        return;
    }
    if (s->started) return;
    struct replog_mark last = replog_last(r->log), mark;
    if (common > last.position) return;
    if (replog_mark_at(r->log, common, &mark)) {
        need_snapshot(r, common);
        return;
    }
    bool same = mark.crc == message->fields[FIELD_CRC] &&
                mark.epoch == message->fields[FIELD_MARK_EPOCH];
    if (r->options.epochs && !same) {
        /* Two leaders of one epoch wrote different entries at one position. How far back the
         * logs agree is unknown: everything here may be wrong. */
        s->rewinding = true;
        need_snapshot(r, last.position);
        return;
    }
    if (common < last.position && !resolve_disagreement(r, mark)) {
        if (!s->refused) need_snapshot(r, common);
        return;
    }
    s->started = true;
    if (message->fields[FIELD_LAST] > common)
        env->ops->note(env, NOTE_CATCHING_UP, message->fields[FIELD_LAST], common);
    replica_apply(r, replog_last(r->log).position); /* what is in both logs is safe to show */
    acknowledge(r, 0);
}

/* ---- appending ---- */

/* Asks for what is missing, once for a position unless a while has passed. */
static void resync_ask(struct replica *r)
{
    struct env *env = r->base.env;
    struct subscription *s = &r->subscription;
    int64_t now = env->ops->monotonic_now(env);
    uint64_t last = replog_last(r->log).position;
    bool asked = s->resync_ns >= 0 && s->resync_position == last &&
                 now - s->resync_ns < RESYNC_HEARTBEATS * r->options.heartbeat_ns;
    if (asked) return;
    s->resync_ns = now;
    s->resync_position = last;
    s->resync_wanted = s->ack_wanted = true;
}

void follower_append(struct replica *r, const struct message *message)
{
    struct env *env = r->base.env;
    struct subscription *s = &r->subscription;
    if (!s->started || message->fields[FIELD_NONCE] != s->nonce) return; /* F1 */
    s->heard_ns = env->ops->monotonic_now(env);
    if (message->fields[FIELD_POSITION] > replog_last(r->log).position) {
        resync_ask(r);
        return;
    }
    struct replog_entry entry;
    for (size_t at = 0; at < message->payload.size;) {
        if (replog_decode(message->payload, &at, &entry)) return;
        uint64_t last = replog_last(r->log).position;
        if (entry.mark.position <= last) continue;
        if (entry.mark.position != last + 1 || !payload_valid(r, entry.payload)) return;
        int err = replog_append(r->log, entry.mark.epoch, entry.time_ns, entry.payload);
        if (err) replica_panic(r, err, "an entry cannot be logged");
        if (r->options.epochs && replog_last(r->log).crc != entry.mark.crc) { /* F3 */
            subscription_begin(r);
            return;
        }
        env->ops->charge(env, ENTRY_CPU_NS);
    }
    s->leader_last = message->fields[FIELD_LAST];
    s->leader_time_ns = (int64_t)message->fields[FIELD_TIME];
    r->leader_commit = message->fields[FIELD_COMMIT];
    if (message->fields[FIELD_FLAGS] & FLAG_WANTED) s->ack_wanted = true;
}

void follower_flush(struct replica *r)
{
    struct subscription *s = &r->subscription;
    int err = replog_write(r->log);
    if (err) replica_panic(r, err, "the replication log cannot be written");
    if (s->started && s->ack_wanted) acknowledge(r, s->resync_wanted ? FLAG_RESYNC : 0);
    s->ack_wanted = s->resync_wanted = false;
    if (s->started) replica_apply(r, replog_last(r->log).position);
    if (s->started && s->leader_time_ns > r->fresh_wall_ns &&
        r->applied.position >= s->leader_last)
        r->fresh_wall_ns = s->leader_time_ns;
    replica_trim(r);
    reading_wake(r, false);
}

void follower_ack_timer(struct replica *r)
{
    struct env *env = r->base.env;
    if (r->leader == LEADER_UNKNOWN || r->role == ROLE_LEADER) return;
    if (r->subscription.started) r->subscription.ack_wanted = true;
    env->ops->timer_set(env, TIMER_ACK, r->options.ack_interval_ns);
}
