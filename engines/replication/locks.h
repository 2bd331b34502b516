/* Locks with a TTL and fencing tokens, kept in the engine: a service that schemes share.
 *
 * A lock is granted with a token that is higher than every token granted before by this state;
 * it ends at its unlock or when its TTL has passed on the deciding node's wall clock. The wall
 * clock, because the expiry is stored and must mean something after a restart and on another
 * node; so a clock that jumps forward ends locks early, as in systems that made this choice
 * (Redis keeps expiry in wall time), and only fencing tokens keep the data safe then.
 *
 * A write that carries a token is guarded: with fencing `token` it is refused if its key has
 * seen a higher one. The check is per key, since one store serves many locks.
 */
#ifndef FAULTLINE_ENGINES_REPLICATION_LOCKS_H
#define FAULTLINE_ENGINES_REPLICATION_LOCKS_H

#include "engines/replication/effects.h"

/* Record of a held lock: u64 token, i64 wall time of expiry, u64 operation that took it. */
#define LOCK_RECORD_SIZE 24u

/* Each fills the reply and appends to the batch; 0 or -errno of a look-up. */
int locks_lock(struct effects *effects, const struct operation *operation,
               struct engine_batch *batch, struct reply *reply);
int locks_unlock(struct effects *effects, const struct operation *operation,
                 struct engine_batch *batch, struct reply *reply);
/* 0: the guarded write may go on (the batch remembers its token); 1: fenced, the reply says so.
 */
int locks_fence(struct effects *effects, const struct operation *operation,
                struct engine_batch *batch, struct reply *reply);

#endif
