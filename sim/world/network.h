/* The network: endpoints with a place, links made on first use, latency, bandwidth, loss, partitions by class, in-flight policy.
 *
 * An endpoint is anything that sends or receives: data nodes first (0..nodes-1), then managers, the directory, the second store, client groups. A message is
 * judged when it departs and again when it arrives. Ordered transport: a stream per (from, to) that keeps order, loses what was in flight when it breaks, and
 * needs `reconnect` after a heal; datagram: each for itself, with loss, duplication and reordering.
 */
#ifndef FAULTLINE_SIM_WORLD_NETWORK_H
#define FAULTLINE_SIM_WORLD_NETWORK_H

#include "engines/options.h"
#include "engines/replication/env.h"
#include "sim/kernel/kernel.h"

/* Refcounted immutable bytes in the network's own memory. */
struct payload { uint32_t references; uint32_t size; unsigned char data[]; };
struct payload *payload_create(struct bytes header, const struct bytes *slices, uint32_t slices_count);
struct payload *payload_retain(struct payload *payload);
void payload_release(struct payload *payload);
static inline struct bytes payload_bytes(const struct payload *p) { return (struct bytes){p->data, p->size}; }

enum network_transport { NETWORK_ORDERED, NETWORK_DATAGRAM };
extern const char *const network_transport_words[];      /* "ordered" "datagram" */
enum network_in_flight { NETWORK_DROP, NETWORK_QUEUE };   /* what a cut does with messages, in flight and new ones */
extern const char *const network_in_flight_words[];       /* "drop" "queue" */

struct network_config {
    struct dist latency;                /* one way, inside a region */
    struct dist local_latency;          /* between endpoints on one machine (manager and its node) and self-sends */
    int64_t bytes_per_s;                /* a link, each direction; 0: unlimited */
    int64_t loss_ppm, duplicate_ppm, reorder_ppm;   /* datagrams; on ordered streams loss costs a retransmission delay */
    int64_t reorder_ns;                 /* extra delay of a reordered datagram, at most */
    int64_t retransmit_ns;              /* ordered: delay that one lost segment adds */
    int64_t reconnect_ns;               /* ordered: from a heal to the first message through */
    enum network_transport transport;
    enum network_in_flight in_flight;   /* the default of cuts and partitions that name none */
    struct network_route { uint32_t region_a, region_b; struct dist latency; } const *routes; uint32_t routes_count;   /* between regions; else between_regions */
    struct dist between_regions;        /* one way, where no route says more */
};
struct network_preset { const char *name, *doc, *source; struct network_config config; };
extern const struct network_preset network_presets[];     /* lan, cross_az, us_east_west, wan ...; name NULL ends */
const struct network_preset *network_preset_find(const char *name);

typedef void network_receive_fn(void *context, uint32_t from, enum message_class message_class, uint32_t kind, struct payload *payload);   /* retain to keep */

struct network;
struct network *network_create(struct kernel *kernel, const struct network_config *config);
void network_destroy(struct network *network);
/* machine: endpoints with the same machine number stand on one machine (local latency, named cuts of either apply to both); region: number. Returns the endpoint number, 0, 1, 2 ... */
uint32_t network_add(struct network *network, const char *name, uint32_t region, uint32_t machine, network_receive_fn *receive, void *context);
uint32_t network_count(const struct network *network);
const char *network_name(const struct network *network, uint32_t endpoint);
uint32_t network_region(const struct network *network, uint32_t endpoint);

/* Departs now (kernel time). `kind` is passed through: what the receiver makes of the payload (enum message_kind of node.h). */
void network_send(struct network *network, uint32_t from, uint32_t to, enum message_class message_class, uint32_t kind, struct payload *payload);

enum network_rule_kind { RULE_PARTITION, RULE_CUT, RULE_SLOW, RULE_LOSS, RULE_CLOG, RULE_DUPLICATE, RULE_REORDER };
struct network_rule {
    enum network_rule_kind kind;
    const struct option_list *groups; uint32_t groups_count;   /* PARTITION: different groups cannot talk; whoever is in none reaches all */
    struct option_list from, to;                               /* others: directed; an empty list means all */
    bool both_ways;                                            /* also to -> from */
    uint32_t classes;                                          /* bit set of message_class */
    enum network_in_flight in_flight;
    int64_t factor_millionths, add_ns;                         /* SLOW: latency x factor + add */
    int64_t ppm;                                               /* LOSS, DUPLICATE, REORDER */
};
/* Copies the rule; the id is for removal. CLOG holds messages until removal. */
uint32_t network_rule_add(struct network *network, const struct network_rule *rule);
void network_rule_remove(struct network *network, uint32_t id);
void network_heal(struct network *network);                    /* removes all rules */
uint64_t network_rule_effects(const struct network *network, uint32_t id);   /* messages dropped, held, delayed, doubled; also after removal */
/* True if a message of that class sent now would pass all cuts. */
bool network_reachable(const struct network *network, uint32_t from, uint32_t to, enum message_class message_class);

struct network_counters { uint64_t sent[MESSAGE_CLASSES], bytes[MESSAGE_CLASSES], delivered, dropped, queued, duplicated; };
const struct network_counters *network_counters(const struct network *network);
/* The same for one endpoint as sender. */
const struct network_counters *network_endpoint_counters(const struct network *network, uint32_t endpoint);

#endif
