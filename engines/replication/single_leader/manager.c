/* The failover manager: watches nodes and its fellow managers, and knows who coordinates.
 *
 * Every third of `detect`, and at least every second, a manager pings every node and greets
 * every manager. Whoever was not heard for `detect` is dead to it. Managers are ranked by their
 * order in the list; the coordinator, in the eyes of each, is the first in rank that it has
 * heard. Only a manager that is the coordinator in its own eyes acts (failover.c), and one that
 * becomes it waits `election` first: its predecessor may be about to finish.
 *
 * M1  A manager's belief (leader, epoch) and its vote are durable before it acts on them.
 * M2  It votes once in an epoch, for the coordinator that it follows itself, and only if the
 *     leader is dead or not leading in its own eyes too. So two coordinators cannot both have a
 *     majority in one epoch, whatever is cut.
 * M3  Hearsay is not sight: acting alone (quorum none), a manager does not declare a leader
 * dead that was only named to it, by the directory or by another manager, before it saw it
 *     leading. One that lost an election to the other side of a cut therefore does not depose
 *     the winner because it cannot see it. With a majority others must agree anyway.
 *
 * Support and votes are not the same: a hello says whom its sender follows, which is enough to
 * count as one of a majority that "stands behind" a coordinator (fencing); a vote is durable
 * and bound to an epoch (promotion).
 *
 * Not modelled: managers that join or leave; a manager's own log of decisions.
 */
#include "engines/replication/single_leader/manager_state.h"

#include <errno.h>

#define PING_MAX_NS INT64_C(1000000000)
#define CHECK_MIN_NS 1000 /* a timer that is due is not set closer than that */

static int64_t ping_period(const struct manager *m)
{
    int64_t third = m->options.failover.detect_ns / 3;
    return third < PING_MAX_NS ? third : PING_MAX_NS;
}

/* ---- who is there ---- */

bool manager_node_alive(const struct manager *m, uint32_t node, int64_t now)
{
    return now - m->nodes[node].heard_ns < m->options.failover.detect_ns;
}

bool manager_alive(const struct manager *m, uint32_t number, int64_t now)
{
    const struct env *env = m->base.env;
    return number == env->self - env->nodes ||
           now - m->managers[number].heard_ns < m->options.failover.detect_ns;
}

uint32_t manager_majority(const struct manager *m)
{
    return m->base.env->managers / 2 + 1;
}

uint32_t manager_supporters(const struct manager *m, int64_t now)
{
    const struct env *env = m->base.env;
    uint32_t self = env->self - env->nodes, count = 1;
    for (uint32_t number = 0; number < env->managers; number++)
        if (number != self && manager_alive(m, number, now) &&
            m->managers[number].coordinator == self)
            count++;
    return count;
}

/* ---- belief ---- */

bool manager_judges(const struct manager *m)
{
    return !m->told || m->options.failover.quorum == QUORUM_MAJORITY;
}

void manager_save(struct manager *m)
{
    struct env *env = m->base.env;
    int err = durable_save_role(env, &m->durable); /* M1 */
    if (err) {
        env->ops->note(env, NOTE_PANIC, (uint64_t)-err, 0);
        env->ops->panic(env, -err, "a manager cannot save its state");
    }
}

void manager_adopt(struct manager *m, uint32_t leader, uint64_t epoch, bool told)
{
    failover_abort(m);
    m->told = told;
    m->vacant_ns = -1;
    if (m->highest < epoch) m->highest = epoch;
    if (m->durable.leader == leader && m->durable.epoch == epoch) return;
    if (told) {
        /* Silence until now was not the leader's: it has `detect` to be heard. */
        struct env *env = m->base.env;
        m->nodes[leader].heard_ns = env->ops->monotonic_now(env);
        m->nodes[leader].answered = false;
    }
    m->durable.leader = leader;
    m->durable.epoch = epoch;
    m->unclaimed = true;
    manager_save(m);
}

void manager_demote(struct manager *m, uint32_t node, uint64_t epoch, uint32_t leader)
{
    struct message message = {.type = MESSAGE_DEMOTE};
    message.fields[FIELD_EPOCH] = epoch;
    message.fields[FIELD_NODE] = leader;
    message_send(m->base.env, node, &message);
}

/* ---- greetings ---- */

static void hello_send(struct manager *m)
{
    struct env *env = m->base.env;
    int64_t now = env->ops->monotonic_now(env);
    bool down =
        env->manager_node < env->nodes && !manager_node_alive(m, env->manager_node, now);
    struct message message = {.type = MESSAGE_HELLO};
    message.fields[FIELD_EPOCH] = m->durable.epoch;
    message.fields[FIELD_NODE] = m->durable.leader;
    message.fields[FIELD_PEER] = m->coordinator;
    message.fields[FIELD_MACHINE] = env->manager_node;
    message.fields[FIELD_FLAGS] = down ? FLAG_DOWN : 0;
    for (uint32_t number = 0; number < env->managers; number++)
        if (env->nodes + number != env->self) message_send(env, env->nodes + number, &message);
}

void manager_ping(struct manager *m)
{
    struct env *env = m->base.env;
    struct message message = {.type = MESSAGE_PING};
    message.fields[FIELD_EPOCH] = m->durable.epoch;
    message.fields[FIELD_INDEX] = ++m->ping;
    for (uint32_t node = 0; node < env->nodes; node++) message_send(env, node, &message);
}

static void ping_timer(struct manager *m)
{
    struct env *env = m->base.env;
    manager_ping(m);
    hello_send(m);
    m->ticked = true;
    env->ops->timer_set(env, MANAGER_TIMER_PING, ping_period(m));
}

static void receive_hello(struct manager *m, uint32_t number, const struct message *message)
{
    struct env *env = m->base.env;
    struct watched_manager *watched = &m->managers[number];
    uint64_t epoch = message->fields[FIELD_EPOCH];
    uint64_t leader = message->fields[FIELD_NODE], machine = message->fields[FIELD_MACHINE];
    watched->coordinator = message->fields[FIELD_PEER] < env->managers
                               ? (uint32_t)message->fields[FIELD_PEER]
                               : UINT32_MAX;
    watched->machine = machine < env->nodes ? (uint32_t)machine : UINT32_MAX;
    watched->machine_down = (message->fields[FIELD_FLAGS] & FLAG_DOWN) != 0;
    if (leader >= env->nodes) return;
    bool newer = epoch > m->durable.epoch;
    bool corrected = epoch == m->durable.epoch && leader != m->durable.leader &&
                     number == m->coordinator && m->role == ROLE_MANAGER;
    bool own = m->phase >= PHASE_PROMOTING && leader == m->candidate && epoch == m->target;
    if (!own && (newer || corrected)) manager_adopt(m, (uint32_t)leader, epoch, true); /* M3 */
}

static void receive_pong(struct manager *m, uint32_t node, const struct message *message)
{
    struct env *env = m->base.env;
    struct watched_node *watched = &m->nodes[node];
    *watched = (struct watched_node){
        .heard_ns = env->ops->monotonic_now(env),
        .epoch = message->fields[FIELD_EPOCH],
        .position = message->fields[FIELD_POSITION],
        .mark_epoch = message->fields[FIELD_MARK_EPOCH],
        .flags = (uint32_t)message->fields[FIELD_FLAGS],
        .answered = true,
        .fence_at_ns = -1,
    };
    if (m->highest < watched->epoch) m->highest = watched->epoch;
    if (!(watched->flags & FLAG_LEADING)) return;
    bool own = m->phase >= PHASE_PROMOTING && node == m->candidate;
    if (own || !m->options.epochs) {
        if (node == m->durable.leader) m->told = false;
        return;
    }
    if (watched->epoch > m->durable.epoch)
        manager_adopt(m, node, watched->epoch, false);
    else if (node == m->durable.leader && watched->epoch == m->durable.epoch)
        m->told = false;
    else if (watched->epoch < m->durable.epoch && m->role == ROLE_COORDINATOR)
        manager_demote(m, node, m->durable.epoch, m->durable.leader);
}

/* M2 */
static void receive_vote_ask(struct manager *m, uint32_t number, const struct message *message)
{
    struct env *env = m->base.env;
    int64_t now = env->ops->monotonic_now(env);
    uint64_t epoch = message->fields[FIELD_EPOCH], node = message->fields[FIELD_NODE];
    uint32_t from = env->nodes + number;
    if (node >= env->nodes) return;
    bool gone =
        !manager_node_alive(m, (uint32_t)node, now) || !(m->nodes[node].flags & FLAG_LEADING);
    bool free_to =
        epoch > m->durable.voted || (epoch == m->durable.voted && m->durable.voted_for == from);
    bool granted = m->coordinator == number && gone && epoch > m->durable.epoch && free_to;
    if (granted && epoch > m->durable.voted) {
        m->durable.voted = epoch;
        m->durable.voted_for = from;
        manager_save(m); /* M1 */
    }
    struct message vote = {.type = MESSAGE_VOTE};
    vote.fields[FIELD_EPOCH] = granted ? epoch : m->durable.voted;
    vote.fields[FIELD_NODE] = node;
    vote.fields[FIELD_FLAGS] = granted ? FLAG_GRANTED : 0;
    message_send(env, from, &vote);
}

/* ---- coordination ---- */

static void coordinator_update(struct manager *m, int64_t now)
{
    struct env *env = m->base.env;
    uint32_t self = env->self - env->nodes, first = 0;
    while (!manager_alive(m, first, now)) first++;
    if (first == m->coordinator) return;
    m->coordinator = first;
    bool leads = first == self;
    if (leads) {
        m->acts_from_ns = now + m->options.failover.election_ns;
        m->unclaimed = true; /* its predecessor may have died before it claimed */
    } else {
        failover_abort(m);
    }
    enum role role = leads ? ROLE_COORDINATOR : ROLE_MANAGER;
    if (role != m->role) env->ops->note(env, NOTE_ROLE, role, m->durable.epoch);
    m->role = role;
    hello_send(m);
}

static void suspicion_update(struct manager *m, int64_t now)
{
    struct env *env = m->base.env;
    uint32_t leader = m->durable.leader;
    if (leader >= env->nodes || !manager_judges(m) || m->nodes[leader].suspected) return;
    if (manager_node_alive(m, leader, now)) return;
    m->nodes[leader].suspected = true;
    env->ops->note(env, NOTE_LEADER_SUSPECTED, leader, 0);
}

static int64_t next_deadline(const struct manager *m, int64_t now)
{
    const struct env *env = m->base.env;
    int64_t next = failover_deadline(m, now), detect = m->options.failover.detect_ns;
    for (uint32_t node = 0; node < env->nodes; node++) {
        int64_t at = m->nodes[node].heard_ns + detect;
        if (at > now && at < next) next = at;
    }
    for (uint32_t number = 0; number < env->managers; number++) {
        int64_t at = m->managers[number].heard_ns + detect;
        if (env->nodes + number != env->self && at > now && at < next) next = at;
    }
    return next;
}

static void manager_flush(struct scheme *scheme)
{
    struct manager *m = (struct manager *)scheme;
    struct env *env = scheme->env;
    int64_t now = env->ops->monotonic_now(env);
    coordinator_update(m, now);
    suspicion_update(m, now);
    if (m->role == ROLE_COORDINATOR && now >= m->acts_from_ns) failover_step(m, now);
    m->ticked = false;
    int64_t next = next_deadline(m, now);
    if (next == INT64_MAX) return;
    int64_t delay = next - now;
    env->ops->timer_set(env, MANAGER_TIMER_CHECK, delay > CHECK_MIN_NS ? delay : CHECK_MIN_NS);
}

/* ---- the contract ---- */

static void manager_stop(struct scheme *scheme)
{
    struct manager *m = (struct manager *)scheme;
    struct env *env = scheme->env;
    allocator_free(env->allocator, m->nodes, env->nodes * sizeof *m->nodes);
    allocator_free(env->allocator, m->managers, env->managers * sizeof *m->managers);
    allocator_free(env->allocator, m, sizeof *m);
}

static int manager_start(struct env *env, const void *options, struct scheme **out)
{
    struct manager *m = allocator_alloc(env->allocator, sizeof *m);
    if (!m) return -ENOMEM;
    *m = (struct manager){.base = {&single_leader_manager, env},
                          .options = *(const struct single_leader_options *)options,
                          .role = ROLE_MANAGER,
                          .vacant_ns = -1,
                          .fence_at_ns = -1,
                          .candidate = UINT32_MAX};
    m->nodes = allocator_alloc(env->allocator, env->nodes * sizeof *m->nodes);
    m->managers = allocator_alloc(env->allocator, env->managers * sizeof *m->managers);
    int err = m->nodes && m->managers ? durable_folder(env) : -ENOMEM;
    if (!err) err = durable_load_role(env, &m->durable);
    bool first_start = err == -ENOENT;
    if (first_start) {
        m->durable = (struct durable_role){
            .epoch = 1, .leader = env->leader_initial, .voted_for = UINT32_MAX};
        err = 0;
    }
    if (err) {
        manager_stop(&m->base);
        return err;
    }
    /* Everybody is given the time to be heard. */
    int64_t now = env->ops->monotonic_now(env);
    for (uint32_t node = 0; node < env->nodes; node++)
        m->nodes[node] = (struct watched_node){.heard_ns = now, .fence_at_ns = -1};
    for (uint32_t number = 0; number < env->managers; number++)
        m->managers[number] = (struct watched_manager){
            .heard_ns = now, .coordinator = UINT32_MAX, .machine = UINT32_MAX};
    m->highest = m->durable.epoch;
    bool first = env->self == env->nodes;
    m->coordinator = first ? 0 : UINT32_MAX;
    m->role = first ? ROLE_COORDINATOR : ROLE_MANAGER;
    m->acts_from_ns = first_start ? now : now + m->options.failover.election_ns;
    env->ops->note(env, NOTE_ROLE, m->role, m->durable.epoch);
    ping_timer(m);
    *out = &m->base;
    return 0;
}

static void manager_receive(struct scheme *scheme, uint32_t from,
                            enum message_class message_class, struct bytes bytes)
{
    struct manager *m = (struct manager *)scheme;
    struct env *env = scheme->env;
    struct message message;
    if (from == ENV_DIRECTORY) {
        struct directory_answer answer;
        if (directory_answer_decode(bytes, &answer) == 0) failover_claim_answered(m, &answer);
        return;
    }
    if (message_decode(bytes, &message) || message_class != message_class_of(message.type))
        return;
    if (from >= env->nodes + env->managers || from == env->self) return;
    if (from < env->nodes) {
        if (message.type == MESSAGE_PONG)
            receive_pong(m, from, &message);
        else if (message.type == MESSAGE_PROMOTED)
            failover_promoted(m, from, &message);
        return;
    }
    uint32_t number = from - env->nodes;
    m->managers[number].heard_ns = env->ops->monotonic_now(env);
    /* A predecessor that is back leads again before its request is judged. */
    coordinator_update(m, m->managers[number].heard_ns);
    if (message.type == MESSAGE_HELLO)
        receive_hello(m, number, &message);
    else if (message.type == MESSAGE_VOTE_ASK)
        receive_vote_ask(m, number, &message);
    else if (message.type == MESSAGE_VOTE)
        failover_vote(m, number, &message);
}

static void manager_request(struct scheme *scheme, uint64_t request,
                            const struct operation *operation)
{
    (void)operation;
    struct reply reply = {.status = STATUS_NOT_LEADER, .leader_hint = LEADER_UNKNOWN};
    scheme->env->ops->reply(scheme->env, request, &reply);
}

static void manager_timer(struct scheme *scheme, uint64_t id)
{
    /* MANAGER_TIMER_CHECK only wakes: the flush behind this call does the work. */
    if (id == MANAGER_TIMER_PING) ping_timer((struct manager *)scheme);
}

static int manager_admin(struct scheme *scheme, const struct admin_command *command)
{
    (void)scheme, (void)command;
    return -ENOTSUP;
}

static void manager_inspect(struct scheme *scheme, struct scheme_inspection *out)
{
    struct manager *m = (struct manager *)scheme;
    const struct env *env = scheme->env;
    *out = (struct scheme_inspection){
        .role = m->role,
        .epoch = m->durable.epoch,
        .leader = m->durable.leader,
        .lag_ns = -1,
        .memory_bytes =
            sizeof *m + env->nodes * sizeof *m->nodes + env->managers * sizeof *m->managers,
    };
}

const struct scheme_ops single_leader_manager = {
    .abi_version = SCHEME_ABI_VERSION,
    .struct_size = sizeof(struct scheme_ops),
    .name = "single_leader_manager",
    .doc = "watches the nodes of single_leader and promotes",
    .options = single_leader_option_table,
    .options_count = SINGLE_LEADER_OPTION_COUNT,
    .options_size = sizeof(struct single_leader_options),
    .options_check = single_leader_options_check,
    .promise = single_leader_promise,
    .start = manager_start,
    .receive = manager_receive,
    .request = manager_request,
    .timer = manager_timer,
    .flush = manager_flush,
    .admin = manager_admin,
    .inspect = manager_inspect,
    .stop = manager_stop,
    .describe = message_describe,
};
