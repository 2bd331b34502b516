/* The network: endpoints with a place, links made on first use, latency, bandwidth, loss,
 * partitions by class, in-flight policy.
 *
 * An endpoint is anything that sends or receives: data nodes first (0..nodes-1), then managers,
 * the directory, the second store, client groups. A message is judged when it departs and again
 * when it arrives. Ordered transport: a stream per (from, to, class), as real systems keep a
 * connection for each purpose, so that one broken class delays no other; it keeps order, loses
 * what was in flight when it breaks, and needs `reconnect` after a heal. Datagram: each for
 * itself, with loss, duplication and reordering. Messages between endpoints of one machine are
 * never cut, lost, slowed or limited, and always ordered.
 *
 *     uint32_t a = network_add(n, "db-a", region, NETWORK_OWN_MACHINE, receive, node);
 *     struct payload *p = payload_create(header, NULL, 0);
 *     network_send(n, a, b, MESSAGE_REPLICATION, MESSAGE_SCHEME, p);   // retains what it needs
 *     payload_release(p);
 */
#ifndef FAULTLINE_SIM_WORLD_NETWORK_H
#define FAULTLINE_SIM_WORLD_NETWORK_H

#include "engines/options.h"
#include "engines/replication/env.h"
#include "sim/kernel/kernel.h"

/* Refcounted immutable bytes in the network's own memory; `hash` is that of the bytes and goes
 * into the trace. */
struct payload {
    uint32_t references;
    uint32_t size;
    uint64_t hash;
    unsigned char data[];
};
struct payload *payload_create(struct bytes header, const struct bytes *slices,
                               uint32_t slices_count);
struct payload *payload_retain(struct payload *payload);
void payload_release(struct payload *payload);
static inline struct bytes payload_bytes(const struct payload *p)
{
    return (struct bytes){p->data, p->size};
}

enum network_transport { NETWORK_ORDERED, NETWORK_DATAGRAM };
extern const char *const network_transport_words[]; /* "ordered" "datagram" */
enum network_in_flight {
    NETWORK_DROP,
    NETWORK_QUEUE
}; /* what a cut does with messages, in flight and new ones */
extern const char *const network_in_flight_words[]; /* "drop" "queue" */

struct network_config {
    struct dist latency;       /* one way, inside a region */
    struct dist local_latency; /* between endpoints on one machine (manager and its node) and
                                  self-sends */
    int64_t bytes_per_s;       /* a link, each direction; 0: unlimited */
    int64_t loss_ppm, duplicate_ppm,
        reorder_ppm;       /* datagrams; on ordered streams loss costs a retransmission delay */
    int64_t reorder_ns;    /* extra delay of a reordered datagram, at most */
    int64_t retransmit_ns; /* ordered: delay that one lost segment adds */
    int64_t reconnect_ns;  /* ordered: from a heal to the first message through */
    enum network_transport transport;
    enum network_in_flight in_flight; /* the default of cuts and partitions that name none */
    struct network_route {
        uint32_t region_a, region_b;
        struct dist latency;
    } const *routes;
    uint32_t routes_count;       /* between regions; else between_regions */
    struct dist between_regions; /* one way, where no route says more */
};
/* A preset may know places by name: regions so called get that route instead of
 * between_regions. */
struct network_place_route {
    const char *a, *b;
    struct dist latency;
};
struct network_preset {
    const char *name, *doc, *source;
    struct network_config config;
    const struct network_place_route *place_routes;
    uint32_t place_routes_count;
};
extern const struct network_preset
    network_presets[]; /* lan, cross_az, us_east_west, wan_us, aws ...; name NULL ends */
const struct network_preset *network_preset_find(const char *name);
/* The one-way latency that the preset knows between two regions of these names, either way
 * round; NULL: none. */
const struct dist *network_preset_route(const struct network_preset *preset,
                                        const char *region_a, const char *region_b);

typedef void network_receive_fn(void *context, uint32_t from, enum message_class message_class,
                                uint32_t kind, struct payload *payload); /* retain to keep */

struct network;
/* Copies the config; routes and the arrays inside distributions are borrowed. Lives in the
 * kernel's arena: destroy it before the kernel. */
struct network *network_create(struct kernel *kernel, const struct network_config *config);
void network_destroy(struct network *network);
/* machine: endpoints with the same machine number stand on one machine (local latency, named
 * cuts of either apply to both); region: number. The name is copied; it keys the link's random
 * streams. Returns the endpoint number, 0, 1, 2 ... */
#define NETWORK_OWN_MACHINE UINT32_MAX
uint32_t network_add(struct network *network, const char *name, uint32_t region,
                     uint32_t machine, network_receive_fn *receive, void *context);
uint32_t network_count(const struct network *network);
const char *network_name(const struct network *network, uint32_t endpoint);
uint32_t network_region(const struct network *network, uint32_t endpoint);

/* Departs now (kernel time). `kind` (below 256) is passed through: what the receiver makes of
 * the payload (enum message_kind of node.h). */
void network_send(struct network *network, uint32_t from, uint32_t to,
                  enum message_class message_class, uint32_t kind, struct payload *payload);

enum network_rule_kind {
    RULE_PARTITION,
    RULE_CUT,
    RULE_SLOW,
    RULE_LOSS,
    RULE_CLOG,
    RULE_DUPLICATE,
    RULE_REORDER
};
struct network_rule {
    enum network_rule_kind kind;
    const struct option_list *groups;
    uint32_t groups_count;       /* PARTITION: different groups cannot talk; whoever is in none
                                    reaches all */
    struct option_list from, to; /* others: directed; an empty list means all */
    bool both_ways;              /* also to -> from */
    uint32_t classes;            /* bit set of message_class; 0: all */
    enum network_in_flight in_flight;  /* PARTITION, CUT */
    int64_t factor_millionths, add_ns; /* SLOW: latency x factor + add; factor 0: x 1. REORDER:
                                          extra delay at most, 0: the config's */
    int64_t ppm; /* LOSS, DUPLICATE, REORDER (the latter two: datagrams only) */
};
/* Copies the rule; the id (never 0, never used again) is for removal. CLOG holds messages until
 * removal. Of several cuts over one message a drop wins over a hold. */
uint32_t network_rule_add(struct network *network, const struct network_rule *rule);
void network_rule_remove(struct network *network, uint32_t id);
void network_heal(struct network *network); /* removes all rules */
uint64_t network_rule_effects(
    const struct network *network,
    uint32_t id); /* messages dropped, held, delayed, doubled; also after removal */
/* True if a message of that class sent now would pass all cuts. */
bool network_reachable(const struct network *network, uint32_t from, uint32_t to,
                       enum message_class message_class);
/* True if any message until now may have arrived twice: datagrams, with duplication in the
 * config or in a rule, in force or removed. */
bool network_may_duplicate(const struct network *network);

struct network_counters {
    uint64_t sent[MESSAGE_CLASSES], bytes[MESSAGE_CLASSES], delivered, dropped, queued,
        duplicated;
};
const struct network_counters *network_counters(const struct network *network);
/* The same for one endpoint as sender. */
const struct network_counters *network_endpoint_counters(const struct network *network,
                                                         uint32_t endpoint);

/* ---- for traces ---- */

struct network_message {
    uint32_t from, to;
    enum message_class message_class;
    uint32_t kind;      /* enum message_kind of node.h */
    struct bytes bytes; /* borrowed until the event has fired */
};
/* True when the event is a message's arrival: what arrives, before cuts are judged. */
bool network_event_message(const struct event *event, struct network_message *message);

#endif
