/* What a coordinator does about a leader that is gone.
 *
 *   IDLE       leader dead, or it answers that it does not lead --------> VOTING
 *   VOTING     quorum none: at once; majority: when enough managers agree --> DECIDED
 *   DECIDED    fence after fence_delay, wait for promote_delay, for the fence order and
 * (confirm) for the certainty that the old leader does not lead; then choose --> PROMOTING
 *   PROMOTING  the candidate answers that it leads ----------------------> CLAIMING
 *   CLAIMING   the directory accepts: done. It refuses, because somebody else claimed first:
 * the election was interrupted by the other side; the candidate is demoted and the leader that
 * the directory names is believed in --> IDLE Any state but the last two goes back to IDLE when
 * the leader is heard leading again.
 *
 * Without a quorum a coordinator acts on what it sees alone, so both sides of a cut may
 * promote: which one clients follow is then a race for the directory.
 *
 * Whom to promote, among the nodes that answer and are fit:
 *   any             the choice that ignores positions is judged by its worst case, so the least
 *                   caught-up one is taken (a demon chooses, not a die): a test that passes
 * with it passes with every choice most_caught_up  the highest (epoch of the last entry,
 * position) same_region     the most caught-up one in the old leader's region; others are
 * refused node            failover.node or nobody
 *
 * "Known not to lead" (confirm_before_promote): the old leader answers that it does not lead,
 * or a manager on its own machine hears nothing from it. The latter takes a silent process for
 * a dead one, so a long pause of the process alone can deceive it.
 *
 * Fencing is an order sent once over the network and never confirmed, like STONITH over the
 * same wires: if it is queued by a frozen network, it strikes when the network thaws. With mode
 * sync the leader's coordinator also fences a follower that is dead to it, and tells the leader
 * to go on without it; so both sides of a cut pair order each other's death (GitHub, December
 * 2012).
 *
 * A leader whose process restarted waits to be told (FLAG_LED). All nodes are asked at once
 * what they have; when those that are alive have answered and none that is fit has more, it is
 * told to lead again, under the next epoch, with no delay. If one has more (the restart lost
 * what was not synced), the choice is made as if it were dead; it stands for election like the
 * others. One that says for `detect` that it does not lead is replaced.
 */
#include "engines/replication/single_leader/manager_state.h"

static bool leading(const struct manager *m, uint32_t node, int64_t now)
{
    return manager_node_alive(m, node, now) && (m->nodes[node].flags & FLAG_LEADING);
}

void failover_abort(struct manager *m)
{
    m->phase = PHASE_IDLE;
    m->resumes = false;
    m->candidate = UINT32_MAX;
    m->fence_at_ns = -1;
    m->quorum_noted = m->refused_noted = false;
}

/* ---- conditions ---- */

static bool has_majority(struct manager *m, int64_t now)
{
    return manager_supporters(m, now) >= manager_majority(m);
}

static bool quorum_holds(struct manager *m, int64_t now)
{
    return m->options.failover.quorum == QUORUM_NONE || has_majority(m, now);
}

static bool may_fence(struct manager *m, int64_t now)
{
    if (m->options.failover.fence != FENCE_STONITH) return false;
    return !m->options.failover.fence_quorum || has_majority(m, now);
}

static bool known_not_leading(const struct manager *m, uint32_t node, int64_t now)
{
    const struct env *env = m->base.env;
    if (manager_node_alive(m, node, now)) return !(m->nodes[node].flags & FLAG_LEADING);
    if (env->manager_node == node) return true;
    for (uint32_t number = 0; number < env->managers; number++) {
        const struct watched_manager *watched = &m->managers[number];
        if (env->nodes + number != env->self && manager_alive(m, number, now) &&
            watched->machine == node && watched->machine_down)
            return true;
    }
    return false;
}

static void fence(struct manager *m, uint32_t node)
{
    struct env *env = m->base.env;
    m->nodes[node].fenced = true;
    env->ops->note(env, NOTE_FENCE_ORDERED, node, 0);
    env->ops->fence(env, node);
}

/* ---- whom to promote ---- */

static int caught_up_compare(const struct watched_node *a, const struct watched_node *b)
{
    if (a->mark_epoch != b->mark_epoch) return a->mark_epoch < b->mark_epoch ? -1 : 1;
    return (a->position > b->position) - (a->position < b->position);
}

static bool allowed(const struct manager *m, uint32_t node)
{
    const struct env *env = m->base.env;
    switch (m->options.failover.promote) {
    case PROMOTE_SAME_REGION:
        return strcmp(env->peers[node].region, env->peers[m->durable.leader].region) == 0;
    case PROMOTE_NODE: return (int32_t)node == m->options.failover.node;
    default: return true;
    }
}

/* The choice among fit nodes, those that the rule allows or (others) those that it forbids. */
static uint32_t choose(const struct manager *m, int64_t now, bool forbidden)
{
    const struct env *env = m->base.env;
    uint32_t best = UINT32_MAX;
    int sign = m->options.failover.promote == PROMOTE_ANY ? -1 : 1;
    for (uint32_t node = 0; node < env->nodes; node++) {
        const struct watched_node *watched = &m->nodes[node];
        if (!manager_node_alive(m, node, now) || !(watched->flags & FLAG_READY)) continue;
        if (allowed(m, node) == forbidden) continue;
        if (best == UINT32_MAX || sign * caught_up_compare(watched, &m->nodes[best]) > 0)
            best = node;
    }
    return best;
}

/* ---- the steps ---- */

static void vote_ask(struct manager *m)
{
    struct env *env = m->base.env;
    struct message message = {.type = MESSAGE_VOTE_ASK};
    message.fields[FIELD_EPOCH] = m->target;
    message.fields[FIELD_NODE] = m->durable.leader;
    for (uint32_t number = 0; number < env->managers; number++)
        if (env->nodes + number != env->self && m->managers[number].granted < m->target)
            message_send(env, env->nodes + number, &message);
}

static void voting_begin(struct manager *m, bool resumes)
{
    struct env *env = m->base.env;
    uint64_t highest = m->highest > m->durable.voted ? m->highest : m->durable.voted;
    if (highest < m->durable.epoch) highest = m->durable.epoch;
    m->phase = PHASE_VOTING;
    m->resumes = resumes;
    m->target = highest + 1;
    if (m->options.failover.quorum == QUORUM_NONE) return;
    m->durable.voted = m->target;
    m->durable.voted_for = env->self;
    manager_save(m);
    vote_ask(m);
}

static uint32_t votes(const struct manager *m)
{
    const struct env *env = m->base.env;
    uint32_t count = 1;
    for (uint32_t number = 0; number < env->managers; number++)
        if (env->nodes + number != env->self && m->managers[number].granted == m->target)
            count++;
    return count;
}

static void decide(struct manager *m, int64_t now)
{
    m->phase = PHASE_DECIDED;
    m->promote_at_ns = m->resumes ? now : now + m->options.failover.promote_delay_ns;
    m->fence_at_ns = now + m->options.failover.fence_delay_ns;
}

static void step_voting(struct manager *m, int64_t now)
{
    struct env *env = m->base.env;
    uint32_t have = votes(m), need = manager_majority(m);
    if (m->options.failover.quorum == QUORUM_NONE || have >= need) {
        decide(m, now);
        return;
    }
    if (!m->ticked) return;
    /* The first answers had their time: who has not agreed by now is missing. */
    if (!m->quorum_noted) env->ops->note(env, NOTE_QUORUM_LOST, have, need);
    m->quorum_noted = true;
    if (m->durable.voted > m->target || m->highest >= m->target)
        voting_begin(m, m->resumes);
    else
        vote_ask(m);
}

static void promote_send(struct manager *m)
{
    struct message message = {.type = MESSAGE_PROMOTE};
    message.fields[FIELD_EPOCH] = m->target;
    message_send(m->base.env, m->candidate, &message);
}

static void step_decided(struct manager *m, int64_t now)
{
    struct env *env = m->base.env;
    uint32_t old = m->durable.leader;
    bool gone = known_not_leading(m, old, now);
    /* Asking it to step down is an order too: whoever may not fence may not give it. */
    bool may_order =
        quorum_holds(m, now) && (m->options.failover.fence == FENCE_NONE || may_fence(m, now));
    if (m->ticked && m->options.failover.confirm && !gone && may_order)
        manager_demote(m, old, m->options.epochs ? m->target : 0, LEADER_UNKNOWN);
    bool unfenced = m->options.failover.fence == FENCE_STONITH && !m->nodes[old].fenced &&
                    !manager_node_alive(m, old, now);
    if (unfenced && now >= m->fence_at_ns && may_fence(m, now)) {
        fence(m, old);
        unfenced = false;
    }
    if (unfenced || now < m->promote_at_ns || !quorum_holds(m, now)) return;
    if (m->options.failover.confirm && !gone) return;
    uint32_t candidate = m->resumes ? old : choose(m, now, false);
    if (candidate == UINT32_MAX) {
        uint32_t other = choose(m, now, true);
        if (other != UINT32_MAX && !m->refused_noted) {
            env->ops->note(env, NOTE_PROMOTION_REFUSED, other, m->target);
            m->refused_noted = true;
        }
        return;
    }
    m->candidate = candidate;
    m->phase = PHASE_PROMOTING;
    promote_send(m);
}

static void claim(struct manager *m)
{
    struct env *env = m->base.env;
    env->ops->claim(env, m->candidate, m->options.epochs ? m->target : 0);
}

/* A follower that is dead to the coordinator of a healthy leader: sync replication waits for
 * it. */
static void step_followers(struct manager *m, int64_t now)
{
    struct env *env = m->base.env;
    if (m->options.mode != MODE_SYNC || !quorum_holds(m, now)) return;
    for (uint32_t node = 0; node < env->nodes; node++) {
        struct watched_node *watched = &m->nodes[node];
        if (node == m->durable.leader || manager_node_alive(m, node, now)) continue;
        if (watched->fence_at_ns < 0)
            watched->fence_at_ns = now + m->options.failover.fence_delay_ns;
        else if (!m->ticked && now < watched->fence_at_ns)
            continue;
        if (!watched->fenced && now >= watched->fence_at_ns && may_fence(m, now))
            fence(m, node);
        struct message message = {.type = MESSAGE_STANDALONE};
        message.fields[FIELD_NODE] = node;
        message_send(env, m->durable.leader, &message);
    }
}

/* Every node that is alive was heard since then: what is known of it is no older. */
static bool all_heard_since(const struct manager *m, int64_t since_ns, int64_t now)
{
    for (uint32_t node = 0; node < m->base.env->nodes; node++)
        if (manager_node_alive(m, node, now) && m->nodes[node].heard_ns <= since_ns)
            return false;
    return true;
}

static bool has_most(const struct manager *m, uint32_t leader, int64_t now)
{
    for (uint32_t node = 0; node < m->base.env->nodes; node++)
        if (manager_node_alive(m, node, now) && (m->nodes[node].flags & FLAG_READY) &&
            caught_up_compare(&m->nodes[node], &m->nodes[leader]) > 0)
            return false;
    return true;
}

/* Should the leader be replaced, or told to go on? */
static void step_idle(struct manager *m, int64_t now)
{
    uint32_t leader = m->durable.leader;
    if (leader >= m->base.env->nodes) return;
    if (leading(m, leader, now)) {
        m->vacant_ns = -1;
        step_followers(m, now);
        /* Whoever promoted it may have died before the directory heard of it. */
        if (m->unclaimed && m->ticked && m->options.epochs)
            m->base.env->ops->claim(m->base.env, leader, m->durable.epoch);
        return;
    }
    if (!manager_node_alive(m, leader, now)) {
        m->vacant_ns = -1;
        if (manager_judges(m)) voting_begin(m, false);
        return;
    }
    if (!m->nodes[leader].answered) return;
    uint32_t fit = FLAG_LED | FLAG_READY;
    bool restarted = (m->nodes[leader].flags & fit) == fit;
    if (m->vacant_ns < 0) {
        m->vacant_ns = now;
        if (restarted) manager_ping(m);
    }
    if (restarted && all_heard_since(m, m->vacant_ns, now))
        voting_begin(m, has_most(m, leader, now));
    else if (!restarted && now - m->vacant_ns >= m->options.failover.detect_ns)
        voting_begin(m, false);
}

void failover_step(struct manager *m, int64_t now)
{
    uint32_t leader = m->durable.leader;
    if (m->phase == PHASE_VOTING || m->phase == PHASE_DECIDED) {
        bool back = leading(m, leader, now);
        bool gone_again = m->resumes && !manager_node_alive(m, leader, now);
        if (back || gone_again) failover_abort(m);
    }
    if (m->phase == PHASE_IDLE) step_idle(m, now);
    if (m->phase == PHASE_VOTING) step_voting(m, now);
    if (m->phase == PHASE_DECIDED) step_decided(m, now);
    if (m->phase < PHASE_PROMOTING) return;
    if (m->phase == PHASE_PROMOTING && !manager_node_alive(m, m->candidate, now)) {
        /* It may lead under this epoch without anybody knowing: the next try takes another. */
        if (m->highest < m->target) m->highest = m->target;
        failover_abort(m);
        return;
    }
    if (!m->ticked) return;
    if (m->phase == PHASE_PROMOTING)
        promote_send(m);
    else
        claim(m);
}

int64_t failover_deadline(const struct manager *m, int64_t now)
{
    int64_t next = INT64_MAX;
    if (m->role != ROLE_COORDINATOR) return next;
    int64_t instants[] = {m->acts_from_ns, m->phase == PHASE_DECIDED ? m->promote_at_ns : -1,
                          m->phase == PHASE_DECIDED ? m->fence_at_ns : -1,
                          m->vacant_ns < 0 ? -1 : m->vacant_ns + m->options.failover.detect_ns};
    for (size_t i = 0; i < sizeof instants / sizeof *instants; i++)
        if (instants[i] > now && instants[i] < next) next = instants[i];
    for (uint32_t node = 0; node < m->base.env->nodes; node++) {
        int64_t at = m->nodes[node].fence_at_ns;
        if (at > now && at < next) next = at;
    }
    return next;
}

/* ---- answers ---- */

void failover_vote(struct manager *m, uint32_t number, const struct message *message)
{
    uint64_t epoch = message->fields[FIELD_EPOCH];
    if (message->fields[FIELD_FLAGS] & FLAG_GRANTED) {
        if (m->phase == PHASE_VOTING && epoch == m->target) m->managers[number].granted = epoch;
        return;
    }
    /* It voted for somebody in a higher epoch: the next round goes above that. */
    if (epoch < UINT64_MAX && m->highest < epoch) m->highest = epoch;
}

void failover_promoted(struct manager *m, uint32_t node, const struct message *message)
{
    if (m->phase != PHASE_PROMOTING || node != m->candidate) return;
    uint64_t epoch = message->fields[FIELD_EPOCH];
    if ((message->fields[FIELD_FLAGS] & FLAG_GRANTED) && epoch == m->target) {
        m->phase = PHASE_CLAIMING;
        m->nodes[node].flags = FLAG_LEADING | FLAG_READY; /* newer than its last pong */
        m->nodes[node].epoch = epoch;
        claim(m);
        return;
    }
    if (m->highest < epoch) m->highest = epoch;
    failover_abort(m);
}

/* The directory's word on the leader believed in, asked for by step_idle. */
static void belief_answered(struct manager *m, const struct directory_answer *answer)
{
    if (!m->unclaimed || answer->node >= m->base.env->nodes) return;
    uint32_t leader = m->durable.leader;
    if (answer->accepted) {
        if (answer->node == leader && answer->epoch == m->durable.epoch) m->unclaimed = false;
        return;
    }
    if (answer->epoch < m->durable.epoch) return;
    if (answer->node != leader) manager_demote(m, leader, answer->epoch, answer->node);
    manager_adopt(m, answer->node, answer->epoch, answer->node != leader);
}

void failover_claim_answered(struct manager *m, const struct directory_answer *answer)
{
    struct env *env = m->base.env;
    if (m->phase != PHASE_CLAIMING) {
        belief_answered(m, answer);
        return;
    }
    if (answer->node >= env->nodes) return;
    uint32_t candidate = m->candidate;
    uint64_t target = m->target;
    if (answer->accepted) {
        if (answer->node != candidate) return; /* of an older claim */
        env->ops->note(env, NOTE_LEADER_ELECTED, candidate, m->options.epochs ? target : 0);
        manager_adopt(m, candidate, target, false);
        m->unclaimed = false;
        return;
    }
    if (answer->node != candidate)
        manager_demote(m, candidate, m->options.epochs ? answer->epoch : 0, answer->node);
    manager_adopt(m, answer->node, answer->epoch, answer->node != candidate); /* M3 */
    m->unclaimed = false;
}
