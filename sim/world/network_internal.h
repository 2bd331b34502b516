/* Inside the network: endpoints, links, streams, flights and rules. Nobody but
 * sim/world/network*.c includes this. */
#ifndef FAULTLINE_SIM_WORLD_NETWORK_INTERNAL_H
#define FAULTLINE_SIM_WORLD_NETWORK_INTERNAL_H

#include "sim/world/network.h"

struct endpoint {
    char *name;
    uint32_t region;
    uint32_t machine; /* NETWORK_OWN_MACHINE: shared with nobody */
    network_receive_fn *receive;
    void *context;
    struct network_counters counters; /* as sender */
};

/* One message on its way, or held. Pooled. */
struct flight {
    struct flight *next;     /* in the free list or in a stream's list of held messages */
    struct payload *payload; /* NULL: free */
    struct stream *stream;
    uint64_t sequence;   /* order of sending on the whole network */
    uint32_t connection; /* of the stream when it departed; another one now: lost */
    uint8_t kind;
    bool has_travelled; /* held at its arrival, not at its departure */
};

enum stream_state {
    STREAM_OPEN,
    STREAM_BROKEN,    /* a message was lost to a cut; nothing passes before that heals */
    STREAM_CONNECTING /* healed: messages wait for `opens` */
};

/* A class of messages on a link. */
struct stream {
    struct link *link;
    int64_t last_arrival_ns; /* ordered: nothing may arrive at or before this any more */
    struct flight *held_first, *held_last; /* by sequence */
    uint32_t connection;                   /* counts breaks */
    uint32_t broken_by;                    /* rule that broke it last; 0 none */
    enum stream_state state;
    uint8_t message_class;
    bool is_listed; /* in network.troubled */
};

/* A pair of endpoints in one direction. */
struct link {
    struct network *network;
    uint32_t from, to;
    bool is_local; /* one machine */
    const struct dist *latency;
    int64_t free_ns;                         /* when the last byte handed over has left */
    struct stream *streams[MESSAGE_CLASSES]; /* made on first use */
    struct rng latency_rng;
    struct rng *fault_rng; /* loss, duplication, reordering; made on first use */
};

struct rule {
    struct network_rule rule; /* lists are copies */
    uint32_t *labels; /* [endpoints]: PARTITION group + 1, 0 none; others bit 0 in from, bit 1
                         in to. NULL: removed */
    uint64_t effects;
};

struct network {
    struct kernel *kernel;
    struct network_config config;
    struct endpoint *endpoints;
    uint32_t endpoints_count, endpoints_capacity;
    struct link **links;
    uint32_t links_count,
        links_capacity; /* open addressing by (from, to); capacity a power of two */
    struct flight *flights_free;
    struct flight_chunk *chunks; /* all flights ever made, for the end */
    uint64_t sequence;
    struct rule *rules;
    uint32_t rules_count, rules_capacity; /* by id - 1 */
    uint32_t *active;
    uint32_t active_count; /* ids in force, oldest first; capacity as rules */
    uint32_t active_cuts;  /* how many of them cut (PARTITION, CUT, CLOG) */
    struct stream **troubled;
    uint32_t troubled_count, troubled_capacity; /* streams that are broken or hold messages, in
                                                   the order in which they came to it */
    struct network_counters counters;
};

enum verdict { VERDICT_PASS, VERDICT_HOLD, VERDICT_DROP };

/* What the cuts in force say of a message now. `count`: each cut that stops it notes an effect.
 * by: the first that drops it. */
enum verdict network_judge(struct network *network, uint32_t from, uint32_t to,
                           enum message_class message_class, bool count, uint32_t *by);
/* True when the rule concerns messages of this link and class. */
bool network_rule_applies(const struct rule *rule, uint32_t from, uint32_t to,
                          enum message_class message_class);
void network_rules_relabel(struct network *network); /* an endpoint was added */
void network_rules_deinit(struct network *network);
/* Frees the recycled payloads of the process. */
void payload_pool_empty(void);
/* Cuts were removed: streams that may go on do so. */
void network_resume(struct network *network);

#endif
