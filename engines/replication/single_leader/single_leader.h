/* Scheme `single_leader`: one leader orders writes and ships its log; the words of
 * `replication:` that it takes. */
#ifndef FAULTLINE_ENGINES_REPLICATION_SINGLE_LEADER_H
#define FAULTLINE_ENGINES_REPLICATION_SINGLE_LEADER_H

#include "engines/replication/effects.h"
#include "engines/replication/scheme.h"

enum ship_mode { MODE_ASYNC, MODE_SEMI_SYNC, MODE_SYNC };
enum ack_point { ACK_AFTER_SYNC, ACK_AFTER_COMMIT };
enum log_sync { LOG_SYNC_ALWAYS, LOG_SYNC_NEVER };
enum reads_from { READS_LEADER, READS_ANY };
enum session_wait { SESSION_WAIT, SESSION_REDIRECT };
enum on_return { RETURN_DISCARD, RETURN_KEEP, RETURN_REFUSE };
enum failover_by { FAILOVER_HAND, FAILOVER_MANAGER };
enum failover_quorum { QUORUM_NONE, QUORUM_MAJORITY };
enum promote_rule { PROMOTE_ANY, PROMOTE_MOST_CAUGHT_UP, PROMOTE_SAME_REGION, PROMOTE_NODE };
enum fence_by { FENCE_NONE, FENCE_STONITH };

struct single_leader_options {
    int32_t mode;                 /* enum ship_mode */
    int64_t ack_count;            /* semi_sync: followers that must acknowledge */
    int32_t ack_point;            /* enum ack_point */
    int64_t fallback_ns;          /* semi_sync: goes async after waiting that long; -1 never */
    int32_t log_sync;             /* enum log_sync */
    int64_t ack_interval_ns;      /* followers acknowledge at least that often */
    int64_t heartbeat_ns;         /* leader's announcements */
    int64_t log_retention;        /* entries kept for followers at least */
    int64_t log_retention_bytes;  /* bytes of log kept at most, beside the newest segment */
    int64_t log_segment_bytes;    /* a segment ends after that */
    int64_t ship_chunk_bytes;     /* entries in one message at most */
    int64_t ship_window;          /* entries sent and not acknowledged at most */
    int64_t snapshot_chunk_bytes; /* rows in one message at most */
    int32_t ids, fencing;         /* enum id_scheme, enum fencing */
    int32_t epochs;               /* yes or no */
    int64_t dedup;                /* answers remembered for idempotency tokens */
    int64_t min_replicas;         /* followers that must have acknowledged within max_lag */
    int64_t max_lag_ns;
    int32_t reads;               /* enum reads_from */
    int32_t session_wait;        /* enum session_wait */
    int64_t session_wait_max_ns; /* bound of a wait */
    int32_t on_return;           /* enum on_return */
    struct {
        int32_t by;                  /* enum failover_by */
        struct option_list managers; /* int32_t endpoints: places of managers, by rank */
        int64_t detect_ns;           /* dead after that long without an answer */
        int64_t election_ns;         /* a new coordinator waits that long */
        int64_t promote_delay_ns;    /* from decision to promotion */
        int32_t quorum;              /* enum failover_quorum */
        int32_t promote;             /* enum promote_rule */
        int32_t node;                /* for PROMOTE_NODE; -1 */
        int32_t fence;               /* enum fence_by */
        int64_t fence_delay_ns;      /* from decision to the order */
        int32_t fence_quorum;        /* yes: only with a majority of managers behind it */
        int32_t confirm;             /* yes: the old leader must be known not to lead */
    } failover;
};

extern const struct scheme_ops single_leader_scheme;

#endif
