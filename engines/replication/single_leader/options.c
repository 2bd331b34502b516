/* Options of single_leader: words, defaults, which don't go together, what they promise.
 *
 * Defaults follow the systems that the option is named after: MySQL falls back after 10 s,
 * waits after the sync of the log (since 5.7) for one follower; followers acknowledge every 100
 * ms where Redis takes 1 s, so that max_lag can be judged finely.
 */
#include "engines/replication/single_leader/options.h"

#include <stdio.h>

static const char *const mode_words[] = {"async", "semi_sync", "sync", NULL};
static const char *const ack_point_words[] = {"after_sync", "after_commit", NULL};
static const char *const log_sync_words[] = {"always", "never", NULL};
static const char *const reads_words[] = {"leader", "any", NULL};
static const char *const session_wait_words[] = {"wait", "redirect", NULL};
static const char *const on_return_words[] = {"discard", "keep", "refuse", NULL};
static const char *const by_words[] = {"hand", "manager", NULL};
static const char *const quorum_words[] = {"none", "majority", NULL};
static const char *const promote_words[] = {"any", "most_caught_up", "same_region", "node",
                                            NULL};
static const char *const fence_words[] = {"none", "stonith", NULL};

#define AT(field) .offset = offsetof(struct single_leader_options, field)
#define SECOND INT64_C(1000000000)
#define HOUR (3600 * SECOND)

const struct option single_leader_option_table[] = {
    {.name = "mode",
     .type = OPTION_WORD,
     AT(mode),
     .value = "async",
     .words = mode_words,
     .doc =
         "when a write is answered: at once, after ack_count followers, after all followers"},
    {.name = "ack_count",
     .type = OPTION_INT,
     AT(ack_count),
     .value = "1",
     .low = 1,
     .high = 1000,
     .doc = "semi_sync: followers that must have the write in their log before it is answered"},
    {.name = "ack_point",
     .type = OPTION_WORD,
     AT(ack_point),
     .value = "after_sync",
     .words = ack_point_words,
     .doc =
         "after_sync: visible only once acknowledged; after_commit: visible to others at once"},
    {.name = "fallback",
     .type = OPTION_DURATION,
     AT(fallback_ns),
     .value = "10s",
     .low = -1,
     .high = 24 * HOUR,
     .doc =
         "semi_sync: after waiting that long the leader answers without followers; or never"},
    {.name = "log_sync",
     .type = OPTION_WORD,
     AT(log_sync),
     .value = "always",
     .words = log_sync_words,
     .doc = "whether the replication log is synced before shipping"},
    {.name = "ack_interval",
     .type = OPTION_DURATION,
     AT(ack_interval_ns),
     .value = "100ms",
     .low = 1000000,
     .high = HOUR,
     .doc = "followers acknowledge at least that often; at once when a writer waits for it"},
    {.name = "heartbeat",
     .type = OPTION_DURATION,
     AT(heartbeat_ns),
     .value = "200ms",
     .low = 1000000,
     .high = HOUR,
     .doc = "how often a leader announces itself"},
    {.name = "log_retention",
     .type = OPTION_INT,
     AT(log_retention),
     .value = "100000",
     .low = 1,
     .high = INT64_C(1) << 40,
     .doc = "log entries kept; a follower that needs older ones is sent a snapshot"},
    {.name = "log_retention_size",
     .type = OPTION_SIZE,
     AT(log_retention_bytes),
     .value = "256MiB",
     .low = 4096,
     .high = INT64_C(1) << 40,
     .doc = "log bytes kept, whichever bound is reached first"},
    {.name = "log_segment",
     .type = OPTION_SIZE,
     AT(log_segment_bytes),
     .value = "1MiB",
     .low = 512,
     .high = 1 << 30,
     .doc = "size at which the log begins a new file"},
    {.name = "ship_chunk",
     .type = OPTION_SIZE,
     AT(ship_chunk_bytes),
     .value = "256KiB",
     .low = 512,
     .high = 1 << 26,
     .doc = "log bytes in one message at most"},
    {.name = "ship_window",
     .type = OPTION_INT,
     AT(ship_window),
     .value = "65536",
     .low = 1,
     .high = 1 << 30,
     .doc = "log entries sent to a follower and not acknowledged at most"},
    {.name = "snapshot_chunk",
     .type = OPTION_SIZE,
     AT(snapshot_chunk_bytes),
     .value = "256KiB",
     .low = 64,
     .high = 1 << 26,
     .doc = "bytes of a snapshot in one message at most"},
    {.name = "ids",
     .type = OPTION_WORD,
     AT(ids),
     .value = "auto_increment",
     .words = id_scheme_words,
     .doc = "keys of inserts: a counter kept in the engine, or epoch << 40 | counter"},
    {.name = "fencing",
     .type = OPTION_WORD,
     AT(fencing),
     .value = "none",
     .words = fencing_words,
     .doc =
         "token: a write with a lock token lower than the highest its key has seen is refused"},
    {.name = "epochs",
     .type = OPTION_YESNO,
     AT(epochs),
     .value = "yes",
     .doc =
         "leaders carry an epoch and give way to a higher one; no: as in old MySQL and Redis"},
    {.name = "dedup",
     .type = OPTION_INT,
     AT(dedup),
     .value = "10000",
     .low = 0,
     .high = 1 << 30,
     .doc = "answers remembered for idempotency tokens; 0: a retry is a new operation"},
    {.name = "min_replicas",
     .type = OPTION_INT,
     AT(min_replicas),
     .value = "0",
     .low = 0,
     .high = 1000,
     .doc = "the leader refuses writes when fewer followers acknowledged within max_lag"},
    {.name = "max_lag",
     .type = OPTION_DURATION,
     AT(max_lag_ns),
     .value = "10s",
     .low = 1000000,
     .high = 24 * HOUR,
     .doc = "age of the last acknowledgement that still counts"},
    {.name = "reads",
     .type = OPTION_WORD,
     AT(reads),
     .value = "leader",
     .words = reads_words,
     .doc = "who answers reads that ask for no level"},
    {.name = "session_wait",
     .type = OPTION_WORD,
     AT(session_wait),
     .value = "wait",
     .words = session_wait_words,
     .doc = "what a follower does with a read that needs a position it has not applied"},
    {.name = "session_wait_max",
     .type = OPTION_DURATION,
     AT(session_wait_max_ns),
     .value = "500ms",
     .low = 0,
     .high = HOUR,
     .doc = "then it redirects the read to the leader"},
    {.name = "on_return",
     .type = OPTION_WORD,
     AT(on_return),
     .value = "discard",
     .words = on_return_words,
     .doc =
         "what a node does with writes that the new leader lacks: discard and count, keep them "
         "in its engine, refuse to join"},
    {.name = "failover.by",
     .type = OPTION_WORD,
     AT(failover.by),
     .value = "hand",
     .words = by_words,
     .doc = "who promotes"},
    {.name = "failover.managers.at",
     .type = OPTION_PLACES,
     AT(failover.managers),
     .flags = OPTION_OPTIONAL,
     .doc = "where managers stand, by rank: nodes or regions"},
    {.name = "failover.detect",
     .type = OPTION_DURATION,
     AT(failover.detect_ns),
     .value = "3s",
     .low = 3000000,
     .high = HOUR,
     .doc = "a node is dead to a manager after that long without an answer"},
    {.name = "failover.election",
     .type = OPTION_DURATION,
     AT(failover.election_ns),
     .value = "500ms",
     .low = 0,
     .high = HOUR,
     .doc = "a manager that becomes coordinator waits that long before it acts"},
    {.name = "failover.promote_delay",
     .type = OPTION_DURATION,
     AT(failover.promote_delay_ns),
     .value = "1s",
     .low = 0,
     .high = HOUR,
     .doc = "from the decision to the promotion"},
    {.name = "failover.quorum",
     .type = OPTION_WORD,
     AT(failover.quorum),
     .value = "majority",
     .words = quorum_words,
     .doc = "whether a majority of the managers must agree that the leader is dead"},
    {.name = "failover.promote",
     .type = OPTION_WORD,
     AT(failover.promote),
     .value = "most_caught_up",
     .words = promote_words,
     .doc = "whom to promote; any is judged by its worst case: the least caught-up node that "
            "answers"},
    {.name = "failover.node",
     .type = OPTION_NODE,
     AT(failover.node),
     .flags = OPTION_OPTIONAL,
     .doc = "the only node that promote: node may choose"},
    {.name = "failover.fence",
     .type = OPTION_WORD,
     AT(failover.fence),
     .value = "none",
     .words = fence_words,
     .doc = "stonith: a node declared dead is ordered to power off, once, over the network"},
    {.name = "failover.fence_delay",
     .type = OPTION_DURATION,
     AT(failover.fence_delay_ns),
     .value = "0s",
     .low = 0,
     .high = HOUR,
     .doc = "from the decision to the order; given up when the node is heard meanwhile"},
    {.name = "failover.fence_quorum",
     .type = OPTION_YESNO,
     AT(failover.fence_quorum),
     .value = "no",
     .doc = "only a coordinator that a majority of the managers follows may fence"},
    {.name = "failover.confirm_before_promote",
     .type = OPTION_YESNO,
     AT(failover.confirm),
     .value = "no",
     .doc = "promote only once the old leader is known to be down or to have stepped down"},
};
_Static_assert(sizeof single_leader_option_table / sizeof *single_leader_option_table ==
                   SINGLE_LEADER_OPTION_COUNT,
               "the header counts the options");

const char *single_leader_options_check(const void *options, uint32_t nodes, char *out,
                                        size_t out_size)
{
    const struct single_leader_options *o = options;
    if (o->mode == MODE_SEMI_SYNC && o->ack_count >= nodes) {
        snprintf(out, out_size, "ack_count %lld needs at least %lld nodes",
                 (long long)o->ack_count, (long long)o->ack_count + 1);
        return out;
    }
    if (o->min_replicas >= nodes) {
        snprintf(out, out_size, "min_replicas %lld needs at least %lld nodes",
                 (long long)o->min_replicas, (long long)o->min_replicas + 1);
        return out;
    }
    if (o->ids == IDS_EPOCH_PREFIXED && !o->epochs)
        return "ids: epoch_prefixed needs epochs: yes";
    if (o->failover.by == FAILOVER_MANAGER && !o->failover.managers.count)
        return "failover.by: manager needs failover.managers.at";
    if (o->failover.promote == PROMOTE_NODE &&
        (o->failover.node < 0 || (uint32_t)o->failover.node >= nodes))
        return "failover.promote: node needs failover.node";
    return NULL;
}

void single_leader_promise(const void *options, uint32_t nodes, struct scheme_promise *promise)
{
    const struct single_leader_options *o = options;
    *promise = (struct scheme_promise){.clock_drift = true, .message_loss = true};
    /* Without failover nothing is promoted, so nothing acknowledged can be left behind. */
    if (o->failover.by == FAILOVER_HAND) {
        promise->partitions = true;
        return;
    }
    bool careful = o->failover.quorum == QUORUM_MAJORITY && o->epochs &&
                   o->failover.promote == PROMOTE_MOST_CAUGHT_UP &&
                   o->on_return != RETURN_KEEP && o->log_sync == LOG_SYNC_ALWAYS;
    if (!careful || o->mode == MODE_ASYNC || nodes < 2) return;
    if (o->mode == MODE_SYNC) {
        promise->crashes_max = 1;
        promise->losses_max = 1;
        return;
    }
    if (o->fallback_ns >= 0) return;
    /* An acknowledging follower must survive, and enough followers must be left to go on. */
    uint32_t acks = (uint32_t)o->ack_count, spare = nodes - 1 - acks;
    promise->crashes_max = acks < spare ? acks : spare;
    promise->losses_max = promise->crashes_max;
    promise->partitions = 2 * (acks + 1) > nodes;
}

const struct option_list *single_leader_manager_places(const void *options)
{
    static const struct option_list none;
    const struct single_leader_options *o = options;
    return o->failover.by == FAILOVER_MANAGER ? &o->failover.managers : &none;
}
