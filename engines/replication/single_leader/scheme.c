/* Single-leader replication: one node orders writes in a log, ships the log, and answers when
 * its mode says so; somebody else decides who leads (an operator, or failover managers).
 *
 *   mode async       answer after the own disk: MySQL's and Redis's default
 *   mode semi_sync   and after ack_count followers have it in their log, falling back to async
 *                    after a while (MySQL's semi-synchronous replication; ack_point after_sync
 *                    is its lossless form, after_commit the older one)
 *   mode sync        and after all followers have it (DRBD protocol C); a manager may tell the
 *                    leader to go on without a dead one
 *
 * The parts are listed in replica.h; each says what it guarantees. Here: who may say what to
 * whom.
 *
 * Deviations and what is real
 * - MySQL ships binary-log events of transactions and its replicas write a relay log; here an
 * entry is one client operation as puts and deletes, and the follower's log is a copy of the
 * leader's.
 * - MySQL's replicas acknowledge only when asked; Redis's every second; here every ack_interval
 * and at once while a writer waits.
 * - Redis shares no log position after a failover that is not in its backlog and then resyncs
 * in full; here epochs and a crc over the log find the common prefix.
 * - Orchestrator, Pacemaker and Sentinel are many programs; manager.c keeps what they have in
 *   common: detection, a coordinator, votes, fencing, promotion, and a directory for clients.
 *
 * Limit: a node that finds no file of its own takes this for the first start of the cluster. If
 * it is the configured leader and its disk was wiped, it leads an empty log under epoch 1 until
 * it hears of a higher epoch or a longer log: until then its reads find nothing, its writes are
 * bound to be discarded, and a follower that turns to it may give up its copy. Redis has the
 * same hazard (a master without persistence that restarts by itself), and the same remedy:
 * start such a node once another leads.
 *
 * A message that is malformed, of the wrong class, or from somebody who may not send it changes
 * nothing. Duplicates and reordering are borne by content: positions, nonces, epochs.
 */
#include <errno.h>

#include "engines/replication/single_leader/manager.h"
#include "engines/replication/single_leader/replica.h"

#define ANNOUNCED_HEARTBEATS 4 /* a leader not heard for that long may be left for another */

/* ---- announcements ---- */

static void known_send(struct replica *r, uint32_t to)
{
    struct message message = {.type = MESSAGE_KNOWN};
    message.fields[FIELD_EPOCH] = r->epoch;
    message.fields[FIELD_NODE] = r->leader;
    message.fields[FIELD_LAST] = replog_last(r->log).position;
    message_send(r->base.env, to, &message);
}

/* True if the node should turn to the leader that announced itself. */
static bool worth_following(struct replica *r, uint32_t from, uint64_t reign)
{
    struct env *env = r->base.env;
    if (r->leader == from) return r->reign != reign;
    if (r->leader == LEADER_UNKNOWN) return true;
    int64_t silent = env->ops->monotonic_now(env) - r->subscription.announced_ns;
    return silent > ANNOUNCED_HEARTBEATS * r->options.heartbeat_ns;
}

static void receive_announce(struct replica *r, uint32_t from, const struct message *message)
{
    struct env *env = r->base.env;
    uint64_t epoch = message->fields[FIELD_EPOCH], reign = message->fields[FIELD_REIGN];
    if (!reign) return;
    if (r->options.epochs && epoch < r->epoch) {
        if (r->role == ROLE_LEADER)
            leader_announce(r, from);
        else
            known_send(r, from);
        return;
    }
    bool higher = replica_adopt(r, epoch);
    if (r->role == ROLE_LEADER) {
        /* Two leaders of one epoch (promoted by two managers without a majority): the higher
         * numbered gives way, so that one remains. Without epochs both stay. */
        if (!r->options.epochs || from > env->self) return;
        replica_step_down(r);
    }
    if (higher || worth_following(r, from, reign))
        follower_follow(r, from, reign);
    else if (r->leader == from)
        r->subscription.announced_ns = env->ops->monotonic_now(env);
}

static void receive_known(struct replica *r, uint32_t from, const struct message *message)
{
    (void)from;
    if (replica_adopt(r, message->fields[FIELD_EPOCH])) return;
    /* A first start that meets a history: this disk was wiped. */
    bool same_epoch = message->fields[FIELD_EPOCH] == r->epoch;
    if (r->fresh && r->options.epochs && same_epoch && message->fields[FIELD_LAST] > 0 &&
        r->role == ROLE_LEADER)
        replica_step_down(r);
}

/* ---- managers' orders ---- */

static void pong_send(struct replica *r, uint32_t to, uint64_t index)
{
    struct replog_mark last = replog_last(r->log);
    uint64_t flags = 0;
    if (r->role == ROLE_LEADER) flags |= FLAG_LEADING;
    if (r->role == ROLE_RECOVERING) flags |= FLAG_LED;
    if (!r->stale) flags |= FLAG_READY;
    struct message message = {.type = MESSAGE_PONG};
    message.fields[FIELD_EPOCH] = r->epoch;
    message.fields[FIELD_INDEX] = index;
    message.fields[FIELD_NODE] = r->leader;
    message.fields[FIELD_POSITION] = last.position;
    message.fields[FIELD_MARK_EPOCH] = last.epoch;
    message.fields[FIELD_FLAGS] = flags;
    message_send(r->base.env, to, &message);
}

static void receive_promote(struct replica *r, uint32_t from, const struct message *message)
{
    struct env *env = r->base.env;
    uint64_t epoch = message->fields[FIELD_EPOCH];
    if (from < env->nodes) {
        /* A leader hands over: the directory must hear of it from the successor. */
        struct admin_command command = {.kind = ADMIN_PROMOTE, .node = env->self};
        replica_admin(r, &command);
        return;
    }
    bool leads = r->role == ROLE_LEADER && (!r->options.epochs || r->epoch == epoch);
    bool may = !r->stale && (!r->options.epochs || epoch > r->epoch);
    if (!leads && may) replica_lead(r, epoch);
    struct message answer = {.type = MESSAGE_PROMOTED};
    answer.fields[FIELD_EPOCH] = r->options.epochs ? r->epoch : epoch;
    answer.fields[FIELD_FLAGS] = leads || may ? FLAG_GRANTED : 0;
    message_send(env, from, &answer);
}

static void receive_demote(struct replica *r, uint32_t from, const struct message *message)
{
    uint64_t epoch = message->fields[FIELD_EPOCH];
    if (r->options.epochs && epoch < r->epoch) return;
    replica_adopt(r, epoch);
    if (r->role == ROLE_LEADER || r->role == ROLE_RECOVERING) replica_step_down(r);
    pong_send(r, from, 0);
}

static void receive_manager(struct replica *r, uint32_t from, const struct message *message)
{
    switch (message->type) {
    case MESSAGE_PING:
        replica_adopt(r, message->fields[FIELD_EPOCH]);
        pong_send(r, from, message->fields[FIELD_INDEX]);
        break;
    case MESSAGE_PROMOTE: receive_promote(r, from, message); break;
    case MESSAGE_DEMOTE: receive_demote(r, from, message); break;
    case MESSAGE_STANDALONE:
        if (message->fields[FIELD_NODE] < r->base.env->nodes)
            leader_standalone(r, (uint32_t)message->fields[FIELD_NODE]);
        break;
    default: break;
    }
}

/* ---- between leader and follower ---- */

static void receive_from_follower(struct replica *r, uint32_t from,
                                  const struct message *message)
{
    if (replica_adopt(r, message->fields[FIELD_EPOCH])) return;
    if (r->role != ROLE_LEADER) return;
    switch (message->type) {
    case MESSAGE_SUBSCRIBE: shipping_subscribe(r, from, message); break;
    case MESSAGE_ACK: shipping_ack(r, from, message); break;
    default: snapshot_ask(r, from, message); break;
    }
}

static void receive_from_leader(struct replica *r, uint32_t from, const struct message *message)
{
    uint64_t epoch = message->fields[FIELD_EPOCH];
    if (r->options.epochs && epoch < r->epoch) {
        known_send(r, from); /* a deposed leader learns it from those who follow another */
        return;
    }
    if (from != r->leader || r->role != ROLE_FOLLOWER || epoch != r->epoch) return;
    if (message->type == MESSAGE_SNAPSHOT_CHUNK) {
        snapshot_chunk(r, message);
        return;
    }
    if (message->fields[FIELD_REIGN] != r->reign) return;
    if (message->type == MESSAGE_APPEND)
        follower_append(r, message);
    else if (message->fields[FIELD_NONCE] == r->subscription.nonce)
        follower_start(r, message);
}

static void receive_node(struct replica *r, uint32_t from, const struct message *message)
{
    switch (message->type) {
    case MESSAGE_ANNOUNCE: receive_announce(r, from, message); break;
    case MESSAGE_WHO:
        if (r->role == ROLE_LEADER && message->fields[FIELD_EPOCH] <= r->epoch)
            leader_announce(r, from);
        else if (!replica_adopt(r, message->fields[FIELD_EPOCH]))
            known_send(r, from);
        break;
    case MESSAGE_KNOWN: receive_known(r, from, message); break;
    case MESSAGE_SUBSCRIBE:
    case MESSAGE_ACK:
    case MESSAGE_SNAPSHOT_ASK: receive_from_follower(r, from, message); break;
    case MESSAGE_START:
    case MESSAGE_APPEND:
    case MESSAGE_SNAPSHOT_CHUNK: receive_from_leader(r, from, message); break;
    case MESSAGE_PROMOTE: receive_promote(r, from, message); break;
    default: break;
    }
}

/* ---- the contract ---- */

static void scheme_receive(struct scheme *scheme, uint32_t from,
                           enum message_class message_class, struct bytes bytes)
{
    struct replica *r = (struct replica *)scheme;
    struct env *env = scheme->env;
    struct message message;
    if (from == ENV_DIRECTORY) {
        struct directory_answer answer;
        if (directory_answer_decode(bytes, &answer) == 0) replica_claim_answered(r, &answer);
        return;
    }
    if (message_decode(bytes, &message) || message_class != message_class_of(message.type))
        return;
    if (from >= env->nodes + env->managers || from == env->self) return;
    if (from >= env->nodes)
        receive_manager(r, from, &message);
    else
        receive_node(r, from, &message);
}

static void scheme_request(struct scheme *scheme, uint64_t request,
                           const struct operation *operation)
{
    struct replica *r = (struct replica *)scheme;
    struct env *env = scheme->env;
    env->ops->charge(env, REQUEST_CPU_NS);
    if (!operation_is_write(operation->type)) {
        reading_request(r, request, operation);
        return;
    }
    if (r->role == ROLE_LEADER) {
        leader_write(r, request, operation);
        return;
    }
    struct reply reply = {
        .status = STATUS_NOT_LEADER, .epoch = r->epoch, .leader_hint = r->leader};
    env->ops->reply(env, request, &reply);
}

static void boot_timer(struct replica *r)
{
    if (r->role != ROLE_RECOVERING || r->stale || r->claiming) return;
    if (r->options.epochs)
        replica_claim(r, false);
    else
        replica_lead(r, 0);
}

static void scheme_timer(struct scheme *scheme, uint64_t id)
{
    struct replica *r = (struct replica *)scheme;
    switch (id) {
    case TIMER_HEARTBEAT:
        if (r->role == ROLE_LEADER) leader_heartbeat(r);
        break;
    case TIMER_FALLBACK:
        if (r->role == ROLE_LEADER) leader_fallback_timer(r);
        break;
    case TIMER_ACK: follower_ack_timer(r); break;
    case TIMER_SUBSCRIBE: follower_silence_timer(r); break;
    case TIMER_BOOT: boot_timer(r); break;
    case TIMER_CLAIM:
        if (r->claiming) replica_claim(r, false);
        break;
    case TIMER_PARKED: reading_wake(r, true); break;
    case TIMER_TRANSFER: r->transfer_to = LEADER_UNKNOWN; break;
    default: break;
    }
}

static void scheme_flush(struct scheme *scheme)
{
    struct replica *r = (struct replica *)scheme;
    if (r->role == ROLE_LEADER)
        leader_flush(r);
    else
        follower_flush(r);
}

static int scheme_admin(struct scheme *scheme, const struct admin_command *command)
{
    return replica_admin((struct replica *)scheme, command);
}

static void scheme_inspect(struct scheme *scheme, struct scheme_inspection *out)
{
    struct replica *r = (struct replica *)scheme;
    struct env *env = scheme->env;
    bool leads = r->role == ROLE_LEADER;
    int64_t lag = -1;
    if (leads)
        lag = 0;
    else if (r->fresh_wall_ns != INT64_MIN) {
        lag = env->ops->wall_now(env) - r->fresh_wall_ns;
        if (lag < 0) lag = 0;
    }
    *out = (struct scheme_inspection){
        .role = r->role,
        .epoch = r->epoch,
        .last_position = replog_last(r->log).position,
        .commit_position = leads ? r->committed : r->leader_commit,
        .applied_position = r->applied.position,
        .durable_position = replog_synced(r->log),
        .leader = r->leader,
        .accepts_writes = leads && r->transfer_to == LEADER_UNKNOWN,
        .lag_ns = lag,
        .memory_bytes = replog_memory(r->log) + r->overlay.bytes +
                        r->held.capacity * sizeof *r->held.items + r->entries.capacity,
    };
}

static void scheme_stop(struct scheme *scheme)
{
    replica_stop((struct replica *)scheme);
}

const struct scheme_ops single_leader_scheme = {
    .abi_version = SCHEME_ABI_VERSION,
    .struct_size = sizeof(struct scheme_ops),
    .name = "single_leader",
    .doc =
        "one leader ships its log: async, semi-synchronous or synchronous; failover by hand or "
        "by managers",
    .options = single_leader_option_table,
    .options_count = SINGLE_LEADER_OPTION_COUNT,
    .options_size = sizeof(struct single_leader_options),
    .options_check = single_leader_options_check,
    .promise = single_leader_promise,
    .start = replica_start,
    .receive = scheme_receive,
    .request = scheme_request,
    .timer = scheme_timer,
    .flush = scheme_flush,
    .admin = scheme_admin,
    .inspect = scheme_inspect,
    .stop = scheme_stop,
    .describe = message_describe,
    .manager = &single_leader_manager,
    .manager_places = single_leader_manager_places,
};
