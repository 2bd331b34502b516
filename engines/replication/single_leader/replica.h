/* A node of single_leader: the state that its parts share. Private to this folder.
 *
 *   scheme.c    the contract's table, dispatch of messages, timers and commands
 *   replica.c   start, recovery, roles, applying the log to the engine
 *   leader.c    requests, group commit, acknowledgements, when a write is answered
 *   shipping.c  subscriptions and sending the log
 *   follower.c  subscribing, appending, what to do with writes that the leader lacks
 *   snapshot.c  sending the rows, and installing them
 *   reading.c   reads, and reads that wait for a position
 *   manager.c   the failover manager, failover.c its decisions
 */
#ifndef FAULTLINE_ENGINES_REPLICATION_SINGLE_LEADER_REPLICA_H
#define FAULTLINE_ENGINES_REPLICATION_SINGLE_LEADER_REPLICA_H

#include "engines/replication/held.h"
#include "engines/replication/single_leader/durable.h"
#include "engines/replication/single_leader/options.h"
#include "engines/replication/single_leader/replog.h"
#include "engines/replication/single_leader/wire.h"

#define REQUEST_CPU_NS 2000 /* deciding a request */
#define ENTRY_CPU_NS 500    /* handling a log entry */

enum replica_timer {
    TIMER_HEARTBEAT = 1, /* leader: announce, and a heartbeat to each follower */
    TIMER_FALLBACK,      /* leader, semi_sync: the oldest waiter's patience ends */
    TIMER_ACK,           /* follower: acknowledge */
    TIMER_SUBSCRIBE,     /* follower: the leader is silent, subscribe or ask again */
    TIMER_BOOT,          /* an old leader that restarted has listened long enough */
    TIMER_CLAIM,         /* the directory did not answer */
    TIMER_PARKED,        /* a read has waited long enough for its position */
    TIMER_TRANSFER       /* a handover takes too long */
};

/* The leader's view of another node. */
struct follower {
    bool subscribed;      /* and started: entries flow */
    bool dropped;         /* sync: not waited for until it has caught up */
    bool back;            /* acknowledged something since it was dropped */
    uint64_t nonce;       /* of its subscription */
    uint64_t next, match; /* next position to send; last one acknowledged */
    int64_t acked_ns;     /* monotonic time of its last acknowledgement, -1 never */
    /* a snapshot on its way to it */
    struct engine_cursor *cursor;
    uint64_t snapshot_nonce, snapshot_index;
    struct replog_mark snapshot_mark;
    struct buffer chunk;      /* the last one sent, for a second ask */
    struct buffer held_entry; /* first row of the next chunk */
    bool snapshot_done;
};

/* A follower's relation to its leader. */
struct subscription {
    uint64_t nonce;
    bool started;            /* the logs agree, entries may be appended */
    bool refused;            /* on_return refuse: not joining this leadership */
    bool snapshot;           /* asking for chunks */
    bool rewinding;          /* its rows are not the leader's: answers no reads until then */
    uint64_t snapshot_index; /* of the chunk wanted */
    struct vfs_file *staged;
    uint64_t staged_size;                /* file that receives it */
    uint64_t discarded, discarded_first; /* own writes that it will undo */
    int64_t heard_ns;                    /* monotonic, last message that counted */
    int64_t announced_ns;                /* monotonic, last announcement */
    int64_t retry_ns;                    /* current patience */
    int64_t resync_ns;                   /* monotonic, when it last asked again; -1 never */
    uint64_t resync_position;
    bool ack_wanted, resync_wanted;
    uint64_t leader_last;
    int64_t leader_time_ns; /* of the latest append */
};

struct parked {
    uint64_t request;
    int64_t deadline_ns;
    struct buffer operation;
};

struct replica {
    struct scheme base;
    struct single_leader_options options;
    struct replog *log;
    struct overlay overlay; /* logged and not applied */
    struct effects effects;
    struct held held;                   /* answers that wait for acknowledgements */
    struct engine_batch changes, batch; /* of one operation; of an application */
    struct buffer entries, payload;     /* scratch */
    enum role role;
    uint64_t epoch;  /* highest seen; 0 without epochs */
    uint32_t leader; /* whom it follows or itself; LEADER_UNKNOWN */
    uint64_t reign;  /* of that leadership */
    struct durable_role durable;
    struct replog_mark applied; /* what the engine holds */
    uint64_t committed;         /* leader: safe by the mode's promise */
    uint64_t leader_commit;     /* follower: as it was told */
    bool stale;                 /* the engine does not hold what its mark says */
    bool fresh;                 /* first boot with an empty disk, as leader */
    struct follower *followers; /* [nodes] */
    bool fallen_back;           /* semi_sync acts as async */
    int64_t fallback_timer_ns;  /* since of the waiter that the timer is set for; -1 */
    struct subscription subscription;
    int64_t fresh_wall_ns;        /* follower: leader's wall time up to which all is applied */
    bool claiming, claim_insists; /* asking the directory; an operator wants it */
    uint64_t claim_epoch;
    uint32_t transfer_to; /* handing over to; LEADER_UNKNOWN */
    struct parked *parked;
    size_t parked_count, parked_capacity;
};

/* ---- replica.c ---- */
int replica_start(struct env *env, const void *options, struct scheme **out);
void replica_stop(struct replica *r);
void replica_panic(struct replica *r, int error, const char *why) __attribute__((noreturn));
/* Applies the log up to `position` to the engine. */
void replica_apply(struct replica *r, uint64_t position);
/* Takes over the leadership under `epoch`. REQUIRES: not stale. */
void replica_lead(struct replica *r, uint64_t epoch);
/* Stops leading or whatever it did; the leader is unknown until one announces itself. */
void replica_step_down(struct replica *r);
/* Raises the epoch; true if it was higher. A leader steps down. */
bool replica_adopt(struct replica *r, uint64_t epoch);
void replica_broadcast(struct replica *r, struct message *message);
/* Drops log segments that retention lets go. */
void replica_trim(struct replica *r);
/* Asks the directory for the leadership; `insists`: again with a higher epoch if refused. */
void replica_claim(struct replica *r, bool insists);
void replica_claim_answered(struct replica *r, const struct directory_answer *answer);
int replica_admin(struct replica *r, const struct admin_command *command);
void replica_transfer_step(struct replica *r);

/* ---- leader.c ---- */
void leader_begin(struct replica *r);
void leader_end(struct replica *r);
void leader_write(struct replica *r, uint64_t request, const struct operation *operation);
void leader_flush(struct replica *r);
void leader_heartbeat(struct replica *r);
void leader_fallback_timer(struct replica *r);
void leader_announce(struct replica *r, uint32_t to);
void leader_standalone(struct replica *r, uint32_t node);

/* ---- shipping.c ---- */
void shipping_subscribe(struct replica *r, uint32_t from, const struct message *message);
void shipping_ack(struct replica *r, uint32_t from, const struct message *message);
void shipping_send(struct replica *r);
void shipping_heartbeat(struct replica *r);

/* ---- follower.c ---- */
void follower_follow(struct replica *r, uint32_t leader, uint64_t reign);
void follower_unfollow(struct replica *r);
void follower_subscribe(struct replica *r);
void follower_start(struct replica *r, const struct message *message);
void follower_append(struct replica *r, const struct message *message);
void follower_flush(struct replica *r);
/* The leader spoke: its silence counts from now. */
void follower_heard(struct replica *r);
void follower_ack_timer(struct replica *r);
void follower_silence_timer(struct replica *r);
/* True if every item of an entry's payload can be applied. */
bool payload_valid(const struct replica *r, struct bytes payload);
struct payload_item {
    bool is_delete;
    struct bytes key, value;
};
bool payload_next(struct bytes payload, size_t *at, struct payload_item *item);

/* ---- snapshot.c ---- */
void snapshot_ask(struct replica *r, uint32_t from, const struct message *message);
void snapshot_release(struct replica *r, struct follower *follower);
void snapshot_request(struct replica *r);
void snapshot_chunk(struct replica *r, const struct message *message);
void snapshot_abandon(struct replica *r);
/* Installs a snapshot that was received whole before a restart. 0 or -errno. */
int snapshot_resume(struct replica *r);
/* The mark of what the engine holds, kept in the engine. */
extern const struct bytes applied_key;
#define APPLIED_SIZE 20u
void applied_encode(struct replog_mark mark, unsigned char out[APPLIED_SIZE]);

/* ---- reading.c ---- */
void reading_request(struct replica *r, uint64_t request, const struct operation *operation);
void reading_wake(struct replica *r, bool on_timer);
void reading_refuse(struct replica *r);

#endif
