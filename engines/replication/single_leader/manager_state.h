/* State of a failover manager, shared by manager.c and failover.c. Private to this folder. */
#ifndef FAULTLINE_ENGINES_REPLICATION_SINGLE_LEADER_MANAGER_STATE_H
#define FAULTLINE_ENGINES_REPLICATION_SINGLE_LEADER_MANAGER_STATE_H

#include "engines/replication/single_leader/durable.h"
#include "engines/replication/single_leader/manager.h"
#include "engines/replication/single_leader/options.h"
#include "engines/replication/single_leader/wire.h"

enum manager_timer { MANAGER_TIMER_PING = 1, MANAGER_TIMER_CHECK };

/* What a manager knows of a node, from its last pong. */
struct watched_node {
    int64_t heard_ns; /* monotonic */
    uint64_t epoch, position, mark_epoch;
    uint32_t flags;
    int64_t fence_at_ns; /* sync: when the dead follower is to be shot; -1 not decided */
    bool answered;       /* at least once since it is watched, or since it is believed in */
    bool fenced;         /* ordered during this absence */
    bool suspected;      /* noted during this absence */
};

struct watched_manager {
    int64_t heard_ns;
    uint32_t coordinator; /* whom it follows, by its last hello */
    uint32_t machine;     /* the node on its machine */
    bool machine_down;    /* that node does not answer it */
    uint64_t granted;     /* highest epoch for which it voted for this manager */
};

/* IDLE -> VOTING -> DECIDED -> PROMOTING -> CLAIMING -> IDLE */
enum failover_phase {
    PHASE_IDLE,
    PHASE_VOTING,
    PHASE_DECIDED,
    PHASE_PROMOTING,
    PHASE_CLAIMING
};

struct manager {
    struct scheme base;
    struct single_leader_options options;
    struct durable_role durable;      /* epoch and leader that it believes in, its vote */
    struct watched_node *nodes;       /* [env.nodes] */
    struct watched_manager *managers; /* [env.managers]; the own entry is unused */
    enum role role;                   /* manager or coordinator */
    uint32_t coordinator;             /* manager number, by its own view */
    int64_t acts_from_ns;             /* coordinator: end of its election wait */
    bool told;         /* the leader is known by hearsay and was not seen leading yet */
    bool unclaimed;    /* the directory may not know the leader yet */
    int64_t vacant_ns; /* since when the leader answers that it does not lead; -1 */
    uint64_t highest;  /* epoch met anywhere */
    uint64_t ping;
    bool ticked; /* a ping period ended: repeat what was not answered */
    /* the failover under way */
    enum failover_phase phase;
    bool resumes;    /* the old leader restarted, has most, and is to lead again */
    uint64_t target; /* epoch of the promotion */
    uint32_t candidate;
    int64_t fence_at_ns, promote_at_ns;
    bool quorum_noted, refused_noted;
};

/* ---- manager.c ---- */
bool manager_node_alive(const struct manager *m, uint32_t node, int64_t now);
bool manager_alive(const struct manager *m, uint32_t number, int64_t now);
/* Managers, itself included, that take this one for their coordinator; and how many a majority
 * is. */
uint32_t manager_supporters(const struct manager *m, int64_t now);
uint32_t manager_majority(const struct manager *m);
/* True if the leader's silence counts (M3). */
bool manager_judges(const struct manager *m);
/* Believes in another leader from now on, durably. */
void manager_adopt(struct manager *m, uint32_t leader, uint64_t epoch, bool told);
void manager_save(struct manager *m);
/* Asks every node how it is, now. */
void manager_ping(struct manager *m);
void manager_demote(struct manager *m, uint32_t node, uint64_t epoch, uint32_t leader);

/* ---- failover.c ---- */
void failover_step(struct manager *m, int64_t now);
void failover_abort(struct manager *m);
/* The next instant at which failover_step may have something to do; INT64_MAX none. */
int64_t failover_deadline(const struct manager *m, int64_t now);
void failover_vote(struct manager *m, uint32_t number, const struct message *message);
void failover_promoted(struct manager *m, uint32_t node, const struct message *message);
void failover_claim_answered(struct manager *m, const struct directory_answer *answer);

#endif
