/* A node's life: recovery, roles, and the path from log to engine.
 *
 *   first start    --leader of the configuration--> LEADER (epoch 1)      else FOLLOWER
 *   restart        --it led--> RECOVERING           else FOLLOWER
 *   RECOVERING     --announcement of another--> FOLLOWER
 *   RECOVERING     --by hand: silence, and the directory agrees (replica_claim)--> LEADER
 *   RECOVERING     --by manager: told so (PROMOTE)--> LEADER
 *   FOLLOWER       --PROMOTE, or an operator (replica_claim)--> LEADER
 *   LEADER         --a higher epoch, DEMOTE, an operator (replica_step_down)--> FOLLOWER
 *
 * Invariants:
 * R1  The engine holds exactly the log up to `applied`, and says so itself: the mark is written
 *     by the same engine batch as the rows. So the engine needs no sync of its own: what it
 * lost is replayed from the log, and the log is trimmed only behind an engine_sync. R2  An
 * epoch is adopted durably before anything is said or done under it. R3  With after_sync, log
 * entries that are not known to be acknowledged stay out of the engine, over a restart too:
 * they are applied once the node leads, or has compared its log with a leader's
 * (follower_start). R4  A leader that is deposed answers whoever waits that nobody knows
 * (indeterminate).
 *
 * Crash: role, log and engine are separate files. A log shorter than the engine (log_sync
 * never) begins anew behind the engine's mark; a log that begins behind it cannot repair the
 * engine, and the node is `stale` until a snapshot.
 *
 * Without epochs every epoch is 0: claims are last-wins, a leader ignores other leaders, and
 * logs are compared by position alone, so histories that diverged at equal length go unnoticed.
 * That is what MySQL replication by file and offset, and Redis before replication ids, did.
 *
 * Limit: a node whose disk was wiped is a first start. If the configuration names it leader it
 * leads an empty log until a peer tells of a longer one (`fresh`), as a Redis master that
 * restarts without its data does; with epochs it then steps down.
 */
#include "engines/replication/single_leader/replica.h"

#include <errno.h>

#define CLAIM_RETRY_NS INT64_C(1000000000)
#define TRANSFER_LIMIT_NS INT64_C(10000000000)
#define APPLY_CHUNK (1u << 20) /* bytes of log applied as one engine batch */
#define BOOT_HEARTBEATS 3      /* an old leader listens that long before it resumes */

const struct bytes applied_key = {"\0a", 2};

void replica_panic(struct replica *r, int error, const char *why)
{
    struct env *env = r->base.env;
    env->ops->note(env, NOTE_PANIC, (uint64_t)(error < 0 ? -error : error), 0);
    env->ops->panic(env, error < 0 ? -error : error, why);
}

/* ---- applying ---- */

void applied_encode(struct replog_mark mark, unsigned char out[APPLIED_SIZE])
{
    put_u64(out, mark.position);
    put_u64(out + 8, mark.epoch);
    put_u32(out + 16, mark.crc);
}

static int applied_load(struct replica *r)
{
    int err = engine_get(r->base.env->engine, applied_key, &r->payload);
    if (err == -ENOENT) {
        r->applied = (struct replog_mark){0, 0, 0};
        return 0;
    }
    if (err) return err;
    if (r->payload.size != APPLIED_SIZE) return -EBADMSG;
    const unsigned char *p = r->payload.data;
    r->applied = (struct replog_mark){get_u64(p), get_u64(p + 8), get_u32(p + 16)};
    return 0;
}

static int batch_add(struct engine_batch *batch, struct bytes payload)
{
    struct payload_item item;
    int err = 0;
    for (size_t at = 0; !err && payload_next(payload, &at, &item);)
        err = item.is_delete ? engine_batch_delete(batch, item.key)
                             : engine_batch_put(batch, item.key, item.value);
    return err;
}

void replica_apply(struct replica *r, uint64_t position)
{
    struct env *env = r->base.env;
    while (r->applied.position < position) {
        uint32_t count;
        int err =
            replog_read(r->log, r->applied.position + 1, APPLY_CHUNK, &r->entries, &count);
        if (err) replica_panic(r, err, "the replication log cannot be read");
        ENV_CHECK(env, count > 0);
        engine_batch_clear(&r->batch);
        struct replog_mark mark = r->applied;
        struct replog_entry entry;
        for (size_t at = 0; at < r->entries.size && mark.position < position;) {
            err = replog_decode(buffer_bytes(&r->entries), &at, &entry);
            if (!err) err = batch_add(&r->batch, entry.payload);
            if (err) replica_panic(r, err, "a log entry cannot be applied");
            mark = entry.mark;
            env->ops->charge(env, ENTRY_CPU_NS);
        }
        unsigned char value[APPLIED_SIZE];
        applied_encode(mark, value);
        err = engine_batch_put(&r->batch, applied_key, bytes_of(value, sizeof value)); /* R1 */
        if (!err)
            err = engine_write(env->engine, &r->batch,
                               env->engine_sync ? ENGINE_SYNC : ENGINE_NO_SYNC,
                               env->ops->monotonic_now(env));
        if (err) replica_panic(r, err, "the engine does not take the log");
        r->applied = mark;
        if (r->role != ROLE_LEADER && r->fresh_wall_ns < entry.time_ns)
            r->fresh_wall_ns = entry.time_ns;
    }
    engine_batch_clear(&r->batch);
    overlay_forget(&r->overlay, r->applied.position);
}

void replica_trim(struct replica *r)
{
    if (!replog_may_trim(r->log, r->applied.position)) return;
    int err = engine_sync(r->base.env->engine); /* R1 */
    if (!err) err = replog_trim(r->log, r->applied.position);
    if (err) replica_panic(r, err, "the replication log cannot be trimmed");
}

/* ---- roles ---- */

static void role_set(struct replica *r, enum role role)
{
    struct env *env = r->base.env;
    r->role = role;
    env->ops->note(env, NOTE_ROLE, role, r->epoch);
}

/* R2 */
static void role_save(struct replica *r, bool leads)
{
    struct env *env = r->base.env;
    uint32_t leader = leads ? env->self : LEADER_UNKNOWN;
    if (r->durable.epoch == r->epoch && r->durable.leader == leader) return;
    r->durable.epoch = r->epoch;
    r->durable.leader = leader;
    int err = durable_save_role(env, &r->durable);
    if (err) replica_panic(r, err, "the role cannot be saved");
}

void replica_broadcast(struct replica *r, struct message *message)
{
    struct env *env = r->base.env;
    for (uint32_t node = 0; node < env->nodes; node++)
        if (node != env->self) message_send(env, node, message);
}

void replica_lead(struct replica *r, uint64_t epoch)
{
    struct env *env = r->base.env;
    ENV_CHECK(env, !r->stale);
    if (r->role == ROLE_LEADER)
        leader_end(r);
    else
        follower_unfollow(r);
    env->ops->timer_cancel(env, TIMER_BOOT);
    env->ops->timer_cancel(env, TIMER_CLAIM);
    r->claiming = false;
    r->epoch = r->options.epochs ? epoch : 0;
    role_save(r, true);
    replica_apply(r, replog_last(r->log).position); /* R3 */
    r->leader = env->self;
    role_set(r, ROLE_LEADER);
    leader_begin(r);
    reading_wake(r, false);
}

void replica_step_down(struct replica *r)
{
    bool led = r->role == ROLE_LEADER;
    if (led)
        leader_end(r); /* R4 */
    else
        follower_unfollow(r);
    r->leader = LEADER_UNKNOWN;
    r->reign = 0;
    r->fresh = false;
    role_save(r, false);
    if (r->role != ROLE_FOLLOWER) role_set(r, ROLE_FOLLOWER);
}

bool replica_adopt(struct replica *r, uint64_t epoch)
{
    if (!r->options.epochs || epoch <= r->epoch) return false;
    r->epoch = epoch;
    if (r->role == ROLE_LEADER || r->role == ROLE_RECOVERING)
        replica_step_down(r);
    else
        role_save(r, false);
    return true;
}

/* ---- claims and commands ---- */

void replica_claim(struct replica *r, bool insists)
{
    struct env *env = r->base.env;
    r->claiming = true;
    r->claim_insists = r->claim_insists || insists;
    r->claim_epoch = r->epoch + 1;
    env->ops->claim(env, env->self, r->claim_epoch);
    env->ops->timer_set(env, TIMER_CLAIM, CLAIM_RETRY_NS);
}

void replica_claim_answered(struct replica *r, const struct directory_answer *answer)
{
    struct env *env = r->base.env;
    if (!r->claiming) return;
    bool mine =
        answer->accepted && answer->node == env->self && answer->epoch == r->claim_epoch;
    if (mine && r->claim_epoch > r->epoch) {
        env->ops->note(env, NOTE_LEADER_ELECTED, env->self, r->claim_epoch);
        r->claim_insists = false;
        replica_lead(r, r->claim_epoch);
        return;
    }
    if (answer->accepted && !mine) return; /* of an older claim */
    bool insists = r->claim_insists;
    replica_adopt(r, answer->epoch);
    if (insists) {
        replica_claim(r, true);
        return;
    }
    /* A restarted leader learns that the leadership went elsewhere: it waits to be told. */
    r->claiming = false;
    env->ops->timer_cancel(env, TIMER_CLAIM);
    if (r->role == ROLE_RECOVERING) replica_step_down(r);
}

static int admin_promote(struct replica *r)
{
    struct env *env = r->base.env;
    if (r->role == ROLE_LEADER) return -EALREADY;
    if (r->stale) return -EBUSY;
    if (r->options.epochs) {
        replica_claim(r, true);
        return 0;
    }
    env->ops->claim(env, env->self, 0);
    env->ops->note(env, NOTE_LEADER_ELECTED, env->self, 0);
    replica_lead(r, 0);
    return 0;
}

static int admin_transfer(struct replica *r, uint32_t node)
{
    struct env *env = r->base.env;
    if (r->role != ROLE_LEADER || node >= env->nodes) return -EINVAL;
    if (node == env->self) return -EALREADY;
    if (r->transfer_to != LEADER_UNKNOWN) return -EBUSY;
    r->transfer_to = node;
    env->ops->timer_set(env, TIMER_TRANSFER, TRANSFER_LIMIT_NS);
    replica_transfer_step(r);
    return 0;
}

/* Hands over once the target has the whole log and nobody waits. */
void replica_transfer_step(struct replica *r)
{
    struct env *env = r->base.env;
    if (r->transfer_to == LEADER_UNKNOWN || r->role != ROLE_LEADER) return;
    struct follower *follower = &r->followers[r->transfer_to];
    uint64_t last = replog_last(r->log).position;
    if (!follower->subscribed || follower->match < last || r->held.count) return;
    uint32_t to = r->transfer_to;
    replica_step_down(r);
    struct message message = {.type = MESSAGE_PROMOTE};
    message.fields[FIELD_EPOCH] = r->epoch + 1;
    message_send(env, to, &message);
}

static int admin_demote(struct replica *r)
{
    bool leads = r->role == ROLE_LEADER || r->role == ROLE_RECOVERING;
    if (!leads && !r->claiming) return -EALREADY;
    r->claiming = r->claim_insists = false;
    if (leads) replica_step_down(r);
    return 0;
}

int replica_admin(struct replica *r, const struct admin_command *command)
{
    switch (command->kind) {
    case ADMIN_PROMOTE: return admin_promote(r);
    case ADMIN_DEMOTE: return admin_demote(r);
    case ADMIN_TRANSFER: return admin_transfer(r, command->node);
    default: return -ENOTSUP;
    }
}

/* ---- start ---- */

static void memory_init(struct replica *r)
{
    struct env *env = r->base.env;
    struct buffer empty = {.allocator = env->allocator};
    r->changes = r->batch =
        (struct engine_batch){.allocator = env->allocator, .encoded = empty};
    r->entries = r->payload = empty;
    overlay_init(&r->overlay, env->allocator);
    effects_init(&r->effects, env, &r->overlay);
    held_init(&r->held, env->allocator);
    r->leader = r->transfer_to = LEADER_UNKNOWN;
    r->fallback_timer_ns = -1;
    r->fresh_wall_ns = INT64_MIN;
    for (uint32_t node = 0; node < env->nodes; node++)
        r->followers[node].chunk = r->followers[node].held_entry = empty;
}

/* Brings log and engine together (R1). */
static int recover(struct replica *r)
{
    struct env *env = r->base.env;
    int64_t entries = r->options.log_retention / 4;
    struct replog_config config = {
        .sync = r->options.log_sync == LOG_SYNC_ALWAYS,
        .segment_bytes = r->options.log_segment_bytes,
        .segment_entries = entries > 0 ? entries : 1,
        .retention_entries = r->options.log_retention,
        .retention_bytes = r->options.log_retention_bytes,
    };
    int err = replog_open(env, &config, &r->log);
    if (!err) err = snapshot_resume(r);
    if (!err) err = applied_load(r);
    if (err) return err;
    struct replog_mark last = replog_last(r->log), base = replog_base(r->log), mark;
    if (r->applied.position > last.position) return replog_reset(r->log, r->applied);
    if (r->applied.position < base.position) {
        r->stale = true;
        return 0;
    }
    err = replog_mark_at(r->log, r->applied.position, &mark);
    if (err) return err;
    if (mark.crc != r->applied.crc || mark.epoch != r->applied.epoch) {
        r->stale = true;
        return 0;
    }
    bool visible_unacknowledged =
        r->options.mode == MODE_ASYNC || r->options.ack_point == ACK_AFTER_COMMIT;
    if (visible_unacknowledged) replica_apply(r, last.position); /* R3 */
    return 0;
}

static void first_role(struct replica *r, bool first_start)
{
    struct env *env = r->base.env;
    struct message who = {.type = MESSAGE_WHO};
    if (first_start && env->self == env->leader_initial && !r->stale) {
        r->fresh = replog_last(r->log).position == 0;
        replica_lead(r, 1);
    } else if (r->durable.leader == env->self) {
        role_set(r, ROLE_RECOVERING);
        if (r->options.failover.by == FAILOVER_HAND)
            env->ops->timer_set(env, TIMER_BOOT, BOOT_HEARTBEATS * r->options.heartbeat_ns);
    } else {
        role_set(r, ROLE_FOLLOWER);
    }
    who.fields[FIELD_EPOCH] = r->epoch;
    who.fields[FIELD_LAST] = replog_last(r->log).position;
    replica_broadcast(r, &who);
}

int replica_start(struct env *env, const void *options, struct scheme **out)
{
    struct replica *r = allocator_alloc(env->allocator, sizeof *r);
    if (!r) return -ENOMEM;
    *r = (struct replica){.base = {&single_leader_scheme, env},
                          .options = *(const struct single_leader_options *)options};
    size_t size = env->nodes * sizeof *r->followers;
    r->followers = allocator_alloc(env->allocator, size);
    if (!r->followers) {
        allocator_free(env->allocator, r, sizeof *r);
        return -ENOMEM;
    }
    memset(r->followers, 0, size);
    memory_init(r);
    r->durable.leader = LEADER_UNKNOWN;
    bool first_start = false;
    int err = durable_folder(env);
    if (!err) {
        err = durable_load_role(env, &r->durable);
        first_start = err == -ENOENT;
        if (first_start) err = 0;
    }
    r->epoch = r->options.epochs ? r->durable.epoch : 0;
    if (!err) err = recover(r);
    if (err) {
        replica_stop(r);
        return err;
    }
    first_role(r, first_start);
    *out = &r->base;
    return 0;
}

void replica_stop(struct replica *r)
{
    struct env *env = r->base.env;
    if (r->role == ROLE_LEADER)
        leader_end(r);
    else
        follower_unfollow(r);
    reading_refuse(r);
    if (r->log) {
        replog_drop_pending(r->log);
        replog_sync(r->log);
        engine_sync(env->engine);
        replog_close(r->log);
    }
    for (uint32_t node = 0; node < env->nodes; node++) snapshot_release(r, &r->followers[node]);
    allocator_free(env->allocator, r->followers, env->nodes * sizeof *r->followers);
    allocator_free(env->allocator, r->parked, r->parked_capacity * sizeof *r->parked);
    held_deinit(&r->held);
    effects_deinit(&r->effects);
    overlay_deinit(&r->overlay);
    engine_batch_deinit(&r->changes);
    engine_batch_deinit(&r->batch);
    buffer_deinit(&r->entries);
    buffer_deinit(&r->payload);
    allocator_free(env->allocator, r, sizeof *r);
}
