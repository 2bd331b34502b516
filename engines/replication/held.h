/* Replies that wait for a log position to be safe enough. First in, first out; positions
 * ascend.
 *
 *     held_push(&queue, request, last_position, &reply);      copies key and value
 *     held_release(&queue, env, safe_position);               answers what may be answered
 *     held_refuse(&queue, env, STATUS_INDETERMINATE, hint);   deposed: nobody knows
 */
#ifndef FAULTLINE_ENGINES_REPLICATION_HELD_H
#define FAULTLINE_ENGINES_REPLICATION_HELD_H

#include "engines/replication/env.h"

struct held_reply {
    uint64_t request, position; /* answered once `position` is safe */
    int64_t since_ns;           /* monotonic: when it began to wait */
    struct reply reply;         /* key and value point into memory */
    unsigned char *memory;
};

struct held {
    const struct allocator *allocator;
    struct held_reply *items;      /* a ring */
    size_t first, count, capacity; /* capacity: a power of two */
};

void held_init(struct held *held, const struct allocator *allocator);
void held_deinit(struct held *held);
int held_push(struct held *held, uint64_t request, uint64_t position, int64_t now_ns,
              const struct reply *reply); /* 0, -ENOMEM */
/* The oldest, or NULL. */
const struct held_reply *held_oldest(const struct held *held);
void held_release(struct held *held, struct env *env, uint64_t position);
/* Answers all with the status and hint alone. */
void held_refuse(struct held *held, struct env *env, enum status status, uint32_t leader_hint);

#endif
