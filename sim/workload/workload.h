/* Client groups: who asks what, when, and how patiently. One group is one endpoint of the
 * network (it can be cut off or paused by name) with many clients.
 *
 * Open loop: operation n of the group arrives at start + n / rate whatever happened to the
 * others (constant), or by a Poisson process; it is given to client n mod clients. Closed loop
 * (no rate): each client runs its sequence, waits `think` between steps. Timeouts are in true
 * time; an operation that ran out of time with an attempt unanswered is unknown, and its
 * process is retired (its client goes on as a new one).
 */
#ifndef FAULTLINE_SIM_WORKLOAD_WORKLOAD_H
#define FAULTLINE_SIM_WORKLOAD_WORKLOAD_H

#include "engines/options.h"
#include "engines/replication/operation.h"
#include "sim/world/world.h"

enum arrivals { ARRIVALS_CONSTANT, ARRIVALS_POISSON };
enum key_choice {
    KEYS_UNIFORM,
    KEYS_ZIPFIAN,
    KEYS_LATEST,
    KEYS_HOT,
    KEYS_OWN,
    KEYS_UNIQUE
}; /* own: one key a client; unique: a new key for every write (Jepsen's set test) */
enum read_target {
    TARGET_LEADER,
    TARGET_ANY,
    TARGET_NEAREST,
    TARGET_ROUND_ROBIN
}; /* any: drawn for each read; nearest: same region first */
extern const char *const arrivals_words[], *const key_choice_words[],
                                               *const read_target_words[];

/* Shares of operation types for open loop and random closed loop, in ppm; sum 1,000,000. */
struct workload_mix {
    int64_t ppm[OPERATION_TYPES];
};
/* A fixed sequence of steps for closed loop: `sequence: [write, "wait 50ms", read, read]`. */
struct workload_step {
    enum operation_type type;
    int64_t wait_ns;
}; /* wait_ns > 0: a pause, type unused */

struct workload_config {
    const char *name;
    int32_t region;          /* where the clients stand; -1: the first */
    int32_t machine;         /* stands on a node's machine (cut off with it), -1: its own */
    int64_t clients;         /* 1 .. */
    int64_t rate_millionths; /* operations/s x 1e6 in total; 0: closed loop */
    int64_t rate_per_client_millionths; /* alternative to rate */
    int32_t arrivals;
    int64_t start_ns,
        stop_ns;      /* first operation; none begins at or after stop (-1: the run's end) */
    int64_t count;    /* operations at most; 0: no bound */
    int64_t think_ns; /* closed loop */
    struct workload_mix mix;
    const struct workload_step *sequence;
    uint32_t sequence_count;
    int64_t timeout_ns;         /* of an operation, all attempts (default 1s) */
    int64_t attempt_timeout_ns; /* of one attempt (default: timeout) */
    int64_t retries; /* further attempts after refusal or attempt timeout (default 0); waits
                        `backoff` between */
    int64_t backoff_ns;
    int32_t idempotent; /* retries carry an idempotency token; without it only refused attempts
                           are retried */
    int64_t keys; /* key space (default 100); names are TABLE.NUMBER, those of inserted rows
                     TABLE-ID */
    int32_t key_choice;
    int64_t zipf_theta_millionths;
    const char *key; /* key: one fixed key; theta default 0.99 */
    const char
        *table; /* prefix of insert/resolve keys and of the group's keys (default: the name) */
    int64_t value_size;        /* bytes (default 32); a value is "TOKEN." and filler */
    int64_t private_ppm;       /* share of inserted rows that are private */
    int64_t owners;            /* insert: owner = drawn below this; 0: every row its own */
    const char *second_store;  /* insert binds id -> token there after the acknowledgement;
                                  resolve reads it */
    const char *resolve_table; /* resolve: table whose ids are looked up (default: table) */
    int32_t read_from;         /* enum read_target */
    int32_t level;             /* enum operation_level of reads */
    int32_t session;           /* yes: carries the session position */
    int64_t leader_reads_after_write_ns; /* reads of own keys go to the leader for that long
                                            after a write */
    int64_t lock_ttl_ns;
    int32_t
        fencing_token; /* guarded writes: lock, write with (yes) or without the token, unlock */
    int32_t follow_directory; /* no: stays with the first leader for ever */
};

/* The scalar words above, for the loader; name, region, machine, mix and sequence apart. */
extern const struct option workload_options[];
extern const size_t workload_options_count;
/* All defaults: those of the table, region and machine -1. */
void workload_config_default(struct workload_config *config, const char *name);
/* NULL, or a sentence that says why these settings don't go together, written into out. */
const char *workload_config_check(const struct workload_config *config, char *out,
                                  size_t out_size);

struct workload;
struct workload *workload_create(struct world *world, const struct workload_config *configs,
                                 uint32_t count); /* adds endpoints */
void workload_destroy(struct workload *workload);
void workload_start(struct workload *workload, int64_t run_ends_ns);
/* finish.read_all: reads every key and row ever written back through the leader (history:
 * final_read), after world_finish. Runs the kernel until done or limit_ns passed. */
enum kernel_stop workload_read_all(struct workload *workload, int64_t limit_ns);
uint64_t workload_active(const struct workload *workload); /* operations without outcome */

/* The token at the head of a value, 0 for an empty one. A value that no workload wrote, to its
 * last byte, has UINT64_MAX. */
uint64_t workload_token(struct bytes value);

#endif
