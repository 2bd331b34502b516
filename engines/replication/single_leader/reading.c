/* Reads: who may answer, and what happens to a session that has seen more than this node.
 *
 * A level asked for by the client (local, leader) goes before the option `reads`. A leader
 * answers from its own engine and asks nobody: one that was deposed without knowing it answers
 * stale, which is the weakness of the scheme and not of this file.
 *
 * A read that names a session position waits here until that position is applied, or is sent to
 * the leader. A leader that lacks the position itself (it was promoted without those writes)
 * waits too and then refuses: to answer would take back what the session has seen.
 *
 * Parked reads are copied, kept in order of arrival, and answered on the server thread.
 */
#include <errno.h>

#include "engines/replication/reads.h"
#include "engines/replication/single_leader/replica.h"

static void refuse(struct replica *r, uint64_t request)
{
    struct env *env = r->base.env;
    bool elsewhere = r->role != ROLE_LEADER;
    struct reply reply = {.status = elsewhere ? STATUS_NOT_LEADER : STATUS_UNAVAILABLE,
                          .epoch = r->epoch,
                          .leader_hint = r->leader};
    env->ops->reply(env, request, &reply);
}

static bool may_answer(const struct replica *r, enum operation_level level)
{
    if (r->stale || r->subscription.rewinding) return false;
    if (r->role == ROLE_LEADER || level == LEVEL_LOCAL) return true;
    return level == LEVEL_DEFAULT && r->options.reads == READS_ANY;
}

static void parked_timer_set(struct replica *r)
{
    struct env *env = r->base.env;
    int64_t left = r->parked[0].deadline_ns - env->ops->monotonic_now(env);
    env->ops->timer_set(env, TIMER_PARKED, left > 0 ? left : 0);
}

static void park(struct replica *r, uint64_t request, const struct operation *operation)
{
    struct env *env = r->base.env;
    if (r->parked_count == r->parked_capacity) {
        size_t capacity = r->parked_capacity ? r->parked_capacity * 2 : 8;
        struct parked *grown = env->allocator->resize(env->allocator->context, r->parked,
                                                      r->parked_capacity * sizeof *grown,
                                                      capacity * sizeof *grown);
        if (!grown) replica_panic(r, ENOMEM, "no memory for a read");
        r->parked = grown;
        r->parked_capacity = capacity;
    }
    struct parked *parked = &r->parked[r->parked_count];
    *parked = (struct parked){
        .request = request,
        .deadline_ns = env->ops->monotonic_now(env) + r->options.session_wait_max_ns,
        .operation = {.allocator = env->allocator},
    };
    if (operation_encode(operation, &parked->operation))
        replica_panic(r, ENOMEM, "no memory for a read");
    r->parked_count++;
    if (r->parked_count == 1) parked_timer_set(r);
}

void reading_request(struct replica *r, uint64_t request, const struct operation *operation)
{
    struct env *env = r->base.env;
    if (!may_answer(r, operation->level)) {
        refuse(r, request);
        return;
    }
    if (operation->session_position > r->applied.position) {
        if (r->options.session_wait == SESSION_WAIT)
            park(r, request, operation);
        else
            refuse(r, request);
        return;
    }
    env->ops->detach(env);
    reads_answer(env, request, operation, r->applied.position, r->epoch);
}

/* Answers what may be answered now, refuses what has waited too long, keeps the rest. */
void reading_wake(struct replica *r, bool on_timer)
{
    struct env *env = r->base.env;
    if (!r->parked_count) return;
    int64_t now = env->ops->monotonic_now(env);
    size_t kept = 0;
    for (size_t i = 0; i < r->parked_count; i++) {
        struct parked parked = r->parked[i];
        struct operation operation;
        int err = operation_decode(buffer_bytes(&parked.operation), &operation);
        ENV_CHECK(env, !err);
        if (!may_answer(r, operation.level))
            refuse(r, parked.request);
        else if (operation.session_position <= r->applied.position)
            reads_answer(env, parked.request, &operation, r->applied.position, r->epoch);
        else if (on_timer && parked.deadline_ns <= now)
            refuse(r, parked.request);
        else {
            r->parked[kept++] = parked;
            continue;
        }
        buffer_deinit(&parked.operation);
    }
    r->parked_count = kept;
    if (!kept)
        env->ops->timer_cancel(env, TIMER_PARKED);
    else if (on_timer)
        parked_timer_set(r);
}

void reading_refuse(struct replica *r)
{
    for (size_t i = 0; i < r->parked_count; i++) {
        refuse(r, r->parked[i].request);
        buffer_deinit(&r->parked[i].operation);
    }
    r->parked_count = 0;
}
