/* The contract of a replication scheme: a pure state machine, one instance a node (or a
 * manager), driven by its node one call at a time.
 *
 * Call order: start; then any of receive, request, timer, admin; after each batch of them flush
 * once (make durable, then answer); inspect at any time; stop before an orderly end only. A
 * crash calls nothing: the instance's memory is gone, and start runs again on what the disk
 * kept. The scheme's durable state goes through env.vfs and env.engine: term, vote, log survive
 * only if synced. Views passed in are borrowed until the call returns.
 */
#ifndef FAULTLINE_ENGINES_REPLICATION_SCHEME_H
#define FAULTLINE_ENGINES_REPLICATION_SCHEME_H

#include "engines/options.h"
#include "engines/replication/env.h"

#define SCHEME_ABI_VERSION 1u

enum admin_kind {
    ADMIN_PROMOTE,
    ADMIN_DEMOTE,
    ADMIN_TRANSFER,
    ADMIN_ADD,
    ADMIN_REMOVE,
    ADMIN_REPAIR,
    ADMIN_KINDS
};
extern const char *const admin_words[];
struct admin_command {
    enum admin_kind kind;
    uint32_t node;
}; /* node: target of transfer, add, remove */

/* Facts for invariants and plots, read after every batch. Strings are static. */
struct scheme_inspection {
    enum role role;
    uint64_t epoch;            /* term, ballot, epoch; 0: none */
    uint64_t last_position;    /* last entry in the own log */
    uint64_t commit_position;  /* known to be safe by the scheme's promise */
    uint64_t applied_position; /* visible in the engine */
    uint64_t durable_position; /* synced on the own disk */
    uint32_t leader;           /* whom it follows; LEADER_UNKNOWN */
    bool accepts_writes;
    int64_t lag_ns; /* follower: age of what it has applied, by its own clock; 0 at a leader, -1
                       unknown */
    uint64_t memory_bytes;
};

/* What the scheme promises to bear under the given options: random faults stay within it under
 * budget `safe`. */
struct scheme_promise {
    uint32_t crashes_max; /* nodes down at once without loss or lasting unavailability */
    uint32_t losses_max;  /* nodes that may lose their disk (or lie about syncs) without loss of
                             acknowledged data */
    bool partitions, clock_drift, message_loss; /* borne without loss */
};

struct scheme {
    const struct scheme_ops *ops;
    struct env *env;
};

struct scheme_ops {
    uint32_t abi_version, struct_size;
    const char *name, *doc;
    const struct option *options;
    size_t options_count, options_size; /* of the struct that start takes; words of
                                           `replication:` beside scheme and leader */
    /* NULL, or a text that says why these options don't go together ("ack_count 3 needs at
     * least 4 nodes"); into out. Called at load. */
    const char *(*options_check)(const void *options, uint32_t nodes, char *out,
                                 size_t out_size);
    void (*promise)(const void *options, uint32_t nodes, struct scheme_promise *promise);
    int (*start)(struct env *env, const void *options, struct scheme **out);
    void (*receive)(struct scheme *scheme, uint32_t from, enum message_class message_class,
                    struct bytes message);
    void (*request)(struct scheme *scheme, uint64_t request, const struct operation *operation);
    void (*timer)(struct scheme *scheme, uint64_t id);
    void (*flush)(struct scheme *scheme);
    int (*admin)(struct scheme *scheme,
                 const struct admin_command
                     *command); /* 0: it changes something, now or once somebody agrees;
                                   -EALREADY: nothing to change (promote of the node that leads,
                                   demote of one that does not); or -ENOTSUP, -EINVAL, -EBUSY */
    void (*inspect)(struct scheme *scheme, struct scheme_inspection *out);
    void (*stop)(struct scheme *scheme);
    /* One line of text for traces ("append epoch=2 from=17 count=3"); returns the length
     * written. Never fails: garbage is described as such. */
    size_t (*describe)(struct bytes message, char *out, size_t out_size);
    /* The state machine that runs at each manager place, or NULL: the scheme has none. It gets
     * the same options. */
    const struct scheme_ops *manager;
    /* The manager places that these options ask for, or an empty list (`failover.managers.at`):
     * endpoint numbers of places, see OPTION_PLACES. */
    const struct option_list *(*manager_places)(const void *options);
};

extern const struct scheme_ops *const scheme_registry[]; /* NULL-terminated */
const struct scheme_ops *scheme_find(const char *name);

#endif
