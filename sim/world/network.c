/* The network: how a message travels.
 *
 * A message is a *flight* over a *link* (from, to), in the *stream* of its class. Links and
 * streams are made on first use, so a ring of a thousand nodes costs what it uses and nothing
 * is n x n.
 *
 *     network_send -> depart -- judged: drop --------------------------> lost, stream breaks
 *                       |  \--- judged: hold, or the stream waits ------> held -> resume ->
 * depart
 *                       v
 *                    transmit: the link's wire is free | size / bandwidth | latency (slowed) |
 * retransmissions or reordering
 *                       v
 *                    arrive -- judged: drop, or the stream broke since --> lost, stream breaks
 *                       |  \--- judged: hold --------------------------> held -> resume ->
 * arrive
 *                       v
 *                    the endpoint's receive function
 *
 * A stream of ordered transport:
 *
 *     OPEN --(a message is lost to a cut: stream_break)--> BROKEN --(the cut ends:
 * network_resume)--> CONNECTING --(reconnect_ns: stream_opens)--> OPEN
 *
 * A break changes the stream's connection number; what departed under an older number is lost,
 * even if the cut ends before it would have arrived, for a new connection does not deliver the
 * bytes of the old one. Messages sent while CONNECTING are held and depart when the connection
 * stands. A cut over which nothing was sent breaks nothing.
 *
 * Invariants
 *   I1  Arrivals of one ordered stream lie at strictly rising times, so no shuffling of ties
 *       can reorder them.
 *   I2  A stream's held list is sorted by sequence; a stream that holds something or is not
 *       OPEN is in `troubled`, once.
 *   I3  Every random draw of a link comes from two streams keyed by the names of its ends,
 *       "net.latency" and "net.fault": an endpoint, rule or message more on one link shifts
 *       nothing on another.
 *   I4  Every flight has exactly one holder: the kernel (as the context of a pending event),
 *       a held list, or the free list.
 *
 * In the trace a delivery is (time, "net.deliver", to, from | class << 32 | kind << 40, hash of
 * the payload): a changed byte in any message changes the run's hash.
 *
 * Not modelled: acknowledgements of the transport itself (a cut from a to b does not stop b's
 * stream to a), congestion windows, bandwidth used by retransmissions, a limit on what a sender
 * may have in flight, several wires sharing one interface card. A message counts as one segment
 * for loss.
 */
#include "sim/world/network_internal.h"

#include <stdlib.h>

#include "sim/kernel/check.h"

#define LINKS_INITIAL 64 /* a power of two */
#define CHUNK_FLIGHTS 64
#define RETRANSMISSIONS_MAX 15 /* then the stream breaks, as with Linux's tcp_retries2 */
#define PPM INT64_C(1000000)
#define KINDS_MAX 256

const char *const network_transport_words[] = {"ordered", "datagram", NULL};
const char *const network_in_flight_words[] = {"drop", "queue", NULL};

struct flight_chunk {
    struct flight_chunk *next;
    struct flight flights[CHUNK_FLIGHTS];
};

static void deliver_fire(struct kernel *kernel, const struct event *event);
static void opens_fire(struct kernel *kernel, const struct event *event);
static const struct event_type deliver_event = {"net.deliver", EVENT_ID('n', 'e', 't', 'd'),
                                                deliver_fire};
static const struct event_type opens_event = {"net.opens", EVENT_ID('n', 'e', 't', 'o'),
                                              opens_fire};

/* ---- life, endpoints ---- */

struct network *network_create(struct kernel *kernel, const struct network_config *config)
{
    CHECK(config->bytes_per_s >= 0 && config->retransmit_ns >= 0 && config->reconnect_ns >= 0 &&
          config->reorder_ns >= 0);
    struct network *network = xcalloc(1, sizeof *network);
    network->kernel = kernel;
    network->config = *config;
    network->links_capacity = LINKS_INITIAL;
    network->links = xcalloc(LINKS_INITIAL, sizeof *network->links);
    return network;
}

void network_destroy(struct network *network)
{
    if (!network) return;
    for (struct flight_chunk *chunk = network->chunks; chunk; chunk = chunk->next)
        for (size_t i = 0; i < CHUNK_FLIGHTS; i++) payload_release(chunk->flights[i].payload);
    payload_pool_empty();
    network_rules_deinit(network);
    free(network->endpoints);
    free(network->links);
    free(network->troubled);
    free(network);
}

uint32_t network_add(struct network *network, const char *name, uint32_t region,
                     uint32_t machine, network_receive_fn *receive, void *context)
{
    CHECK(name && receive);
    if (network->endpoints_count == network->endpoints_capacity) {
        network->endpoints_capacity =
            network->endpoints_capacity ? network->endpoints_capacity * 2 : 16;
        network->endpoints = xrealloc(network->endpoints,
                                      network->endpoints_capacity * sizeof *network->endpoints);
    }
    network->endpoints[network->endpoints_count] =
        (struct endpoint){.name = arena_strdup(kernel_arena(network->kernel), name),
                          .region = region,
                          .machine = machine,
                          .receive = receive,
                          .context = context};
    network->endpoints_count++;
    network_rules_relabel(network);
    return network->endpoints_count - 1;
}

uint32_t network_count(const struct network *network)
{
    return network->endpoints_count;
}

const char *network_name(const struct network *network, uint32_t endpoint)
{
    CHECK(endpoint < network->endpoints_count);
    return network->endpoints[endpoint].name;
}

uint32_t network_region(const struct network *network, uint32_t endpoint)
{
    CHECK(endpoint < network->endpoints_count);
    return network->endpoints[endpoint].region;
}

const struct network_counters *network_counters(const struct network *network)
{
    return &network->counters;
}

const struct network_counters *network_endpoint_counters(const struct network *network,
                                                         uint32_t endpoint)
{
    CHECK(endpoint < network->endpoints_count);
    return &network->endpoints[endpoint].counters;
}

/* Adds one to a counter of the whole and of the sender. */
#define COUNT(network, sender, field)                                                          \
    ((network)->counters.field++, (network)->endpoints[sender].counters.field++)

/* ---- links and streams, on first use ---- */

static size_t link_slot(const struct network *network, uint32_t from, uint32_t to)
{
    size_t mask = network->links_capacity - 1;
    size_t slot = (size_t)mix64((uint64_t)from << 32 | to) & mask;
    while (network->links[slot] &&
           (network->links[slot]->from != from || network->links[slot]->to != to))
        slot = (slot + 1) & mask;
    return slot;
}

static void links_grow(struct network *network)
{
    struct link **old = network->links;
    uint32_t old_capacity = network->links_capacity;
    network->links_capacity *= 2;
    network->links = xcalloc(network->links_capacity, sizeof *network->links);
    for (uint32_t i = 0; i < old_capacity; i++)
        if (old[i]) network->links[link_slot(network, old[i]->from, old[i]->to)] = old[i];
    free(old);
}

static const struct dist *link_latency(const struct network *network, uint32_t region_a,
                                       uint32_t region_b)
{
    const struct network_config *config = &network->config;
    if (region_a == region_b) return &config->latency;
    for (uint32_t i = 0; i < config->routes_count; i++) {
        const struct network_route *route = &config->routes[i];
        if ((route->region_a == region_a && route->region_b == region_b) ||
            (route->region_a == region_b && route->region_b == region_a))
            return &route->latency;
    }
    return &config->between_regions;
}

static const char *link_name(struct network *network, const struct link *link)
{
    return arena_printf(kernel_arena(network->kernel), "%s>%s",
                        network->endpoints[link->from].name, network->endpoints[link->to].name);
}

static struct link *link_get(struct network *network, uint32_t from, uint32_t to)
{
    size_t slot = link_slot(network, from, to);
    struct link *link = network->links[slot];
    if (link) return link;
    link = arena_alloc(kernel_arena(network->kernel), sizeof *link);
    const struct endpoint *a = &network->endpoints[from], *b = &network->endpoints[to];
    link->network = network;
    link->from = from;
    link->to = to;
    link->is_local =
        from == to || (a->machine == b->machine && a->machine != NETWORK_OWN_MACHINE);
    link->latency = link->is_local ? &network->config.local_latency
                                   : link_latency(network, a->region, b->region);
    if (link->latency->kind != DIST_CONSTANT)
        kernel_stream(network->kernel, &link->latency_rng, "net.latency",
                      link_name(network, link));
    network->links[slot] = link;
    if (++network->links_count > network->links_capacity / 2) links_grow(network);
    return link;
}

static struct stream *stream_get(struct link *link, enum message_class message_class)
{
    struct stream *stream = link->streams[message_class];
    if (!stream) {
        stream = arena_alloc(kernel_arena(link->network->kernel), sizeof *stream);
        stream->link = link;
        stream->message_class = (uint8_t)message_class;
        stream->last_arrival_ns = -1;
        link->streams[message_class] = stream;
    }
    return stream;
}

static struct rng *link_faults(struct link *link)
{
    if (!link->fault_rng) {
        link->fault_rng =
            arena_alloc(kernel_arena(link->network->kernel), sizeof *link->fault_rng);
        kernel_stream(link->network->kernel, link->fault_rng, "net.fault",
                      link_name(link->network, link));
    }
    return link->fault_rng;
}

/* ---- flights ---- */

static struct flight *flight_create(struct network *network, struct stream *stream,
                                    uint32_t kind, struct payload *payload)
{
    if (!network->flights_free) {
        struct flight_chunk *chunk = arena_alloc(kernel_arena(network->kernel), sizeof *chunk);
        chunk->next = network->chunks;
        network->chunks = chunk;
        for (size_t i = CHUNK_FLIGHTS; i-- > 0;) {
            chunk->flights[i].next = network->flights_free;
            network->flights_free = &chunk->flights[i];
        }
    }
    struct flight *flight = network->flights_free;
    network->flights_free = flight->next;
    *flight = (struct flight){.payload = payload_retain(payload),
                              .stream = stream,
                              .sequence = network->sequence++,
                              .kind = (uint8_t)kind};
    kernel_memory_add(network->kernel, (int64_t)(sizeof *flight + payload->size));
    return flight;
}

static void flight_destroy(struct network *network, struct flight *flight)
{
    kernel_memory_add(network->kernel, -(int64_t)(sizeof *flight + flight->payload->size));
    payload_release(flight->payload);
    flight->payload = NULL;
    flight->next = network->flights_free;
    network->flights_free = flight;
}

static void flight_drop(struct network *network, struct flight *flight)
{
    COUNT(network, flight->stream->link->from, dropped);
    flight_destroy(network, flight);
}

static bool is_ordered(const struct network *network, const struct link *link)
{
    return link->is_local || network->config.transport == NETWORK_ORDERED;
}

static void schedule_arrival(struct network *network, struct flight *flight, int64_t at_ns)
{
    struct stream *stream = flight->stream;
    const struct link *link = stream->link;
    if (is_ordered(network, link)) {
        if (at_ns <= stream->last_arrival_ns) /* I1 */
            at_ns = stream->last_arrival_ns + 1;
        stream->last_arrival_ns = at_ns;
    }
    flight->connection = stream->connection;
    uint64_t a =
        link->from | (uint64_t)stream->message_class << 32 | (uint64_t)flight->kind << 40;
    kernel_schedule(network->kernel, at_ns, &deliver_event, flight, link->to, a,
                    flight->payload->hash);
}

bool network_event_message(const struct event *event, struct network_message *message)
{
    if (event->type != &deliver_event) return false;
    const struct flight *flight = event->context;
    *message = (struct network_message){.from = flight->stream->link->from,
                                        .to = flight->stream->link->to,
                                        .message_class = flight->stream->message_class,
                                        .kind = flight->kind,
                                        .bytes = payload_bytes(flight->payload)};
    return true;
}

/* ---- trouble: streams that are broken or hold messages ---- */

static void trouble_add(struct network *network, struct stream *stream)
{
    if (stream->is_listed) return;
    stream->is_listed = true;
    if (network->troubled_count == network->troubled_capacity) {
        network->troubled_capacity =
            network->troubled_capacity ? network->troubled_capacity * 2 : 16;
        network->troubled =
            xrealloc(network->troubled, network->troubled_capacity * sizeof(struct stream *));
    }
    network->troubled[network->troubled_count++] = stream;
}

static void hold(struct network *network, struct flight *flight, bool has_travelled)
{
    struct stream *stream = flight->stream;
    flight->has_travelled = has_travelled;
    COUNT(network, stream->link->from, queued);
    /* I2: nearly always the last; a message that was already under way when the cut began may
     * come after one that was not let depart. */
    if (!stream->held_last || stream->held_last->sequence < flight->sequence) {
        flight->next = NULL;
        if (stream->held_last)
            stream->held_last->next = flight;
        else
            stream->held_first = flight;
        stream->held_last = flight;
    } else {
        struct flight **place = &stream->held_first;
        while ((*place)->sequence < flight->sequence) place = &(*place)->next;
        flight->next = *place;
        *place = flight;
    }
    trouble_add(network, stream);
}

static void stream_break(struct network *network, struct stream *stream, uint32_t by)
{
    stream->connection++;
    stream->broken_by = by;
    if (stream->state == STREAM_OPEN) stream->state = STREAM_BROKEN;
    trouble_add(network, stream);
}

static void stream_connect(struct network *network, struct stream *stream)
{
    const struct link *link = stream->link;
    stream->state = STREAM_CONNECTING;
    kernel_schedule(network->kernel, kernel_now(network->kernel) + network->config.reconnect_ns,
                    &opens_event, stream, link->to,
                    link->from | (uint64_t)stream->message_class << 32, stream->connection);
}

/* It went with a connection that is no more. */
static void flight_lose(struct network *network, struct flight *flight)
{
    if (flight->stream->broken_by) network->rules[flight->stream->broken_by - 1].effects++;
    flight_drop(network, flight);
}

static void depart(struct network *network, struct flight *flight);

/* Lets go what is held: what had travelled arrives now, the rest departs. */
static void stream_release(struct network *network, struct stream *stream)
{
    struct flight *flight = stream->held_first;
    stream->held_first = stream->held_last = NULL;
    while (flight) {
        struct flight *next = flight->next;
        if (!flight->has_travelled)
            depart(network, flight);
        else if (is_ordered(network, stream->link) && flight->connection != stream->connection)
            flight_lose(network, flight);
        else
            schedule_arrival(network, flight, kernel_now(network->kernel));
        flight = next;
    }
}

static void opens_fire(struct kernel *kernel, const struct event *event)
{
    (void)kernel;
    struct stream *stream = event->context;
    struct network *network = stream->link->network;
    uint32_t by = 0;
    bool is_cut = network_judge(network, stream->link->from, stream->link->to,
                                stream->message_class, false, &by) == VERDICT_DROP;
    stream->state = is_cut ? STREAM_BROKEN
                           : STREAM_OPEN; /* cut again while it connected: what waits is lost */
    stream_release(network, stream);
}

/* What a stream in trouble does now that cuts were removed. */
static void stream_resume(struct network *network, struct stream *stream)
{
    if (stream->state == STREAM_CONNECTING) return;
    uint32_t by = 0;
    enum verdict verdict = network_judge(network, stream->link->from, stream->link->to,
                                         stream->message_class, false, &by);
    if (verdict == VERDICT_HOLD) return;
    if (verdict == VERDICT_DROP) { /* out of the queue into another cut */
        if (stream->held_first) stream_release(network, stream);
        return;
    }
    if (stream->state == STREAM_BROKEN) {
        stream_connect(network, stream);
        return;
    }
    stream_release(network, stream);
}

void network_resume(struct network *network)
{
    /* Releasing may put streams on the list again, so the old list is taken off first. */
    uint32_t count = network->troubled_count;
    for (uint32_t i = 0; i < count; i++) stream_resume(network, network->troubled[i]);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < network->troubled_count; i++) {
        struct stream *stream = network->troubled[i];
        if (stream->state != STREAM_OPEN || stream->held_first)
            network->troubled[kept++] = stream;
        else
            stream->is_listed = false;
    }
    network->troubled_count = kept;
}

/* ---- the way of a message ---- */

static int64_t saturated_add(int64_t a, int64_t b)
{
    return a > INT64_MAX / 2 - b ? INT64_MAX / 2 : a + b;
}

/* When the last byte has left: the wire serves one message after the other. */
static int64_t wire_leave(struct network *network, struct link *link, uint32_t size)
{
    int64_t now = kernel_now(network->kernel);
    int64_t rate = network->config.bytes_per_s;
    if (rate == 0 || link->is_local) return now;
    int64_t begin = link->free_ns > now ? link->free_ns : now;
    int64_t takes = (int64_t)(((uint64_t)size * (uint64_t)NS_PER_S + (uint64_t)rate - 1) /
                              (uint64_t)rate); /* 2^32 x 10^9 fits */
    link->free_ns = begin + takes;
    return link->free_ns;
}

static int64_t latency_draw(struct network *network, struct stream *stream)
{
    struct link *link = stream->link;
    int64_t latency = link->latency->kind == DIST_CONSTANT
                          ? link->latency->a
                          : dist_draw(link->latency, &link->latency_rng);
    if (link->is_local) return latency;
    for (uint32_t i = 0; i < network->active_count; i++) {
        struct rule *rule = &network->rules[network->active[i] - 1];
        if (rule->rule.kind != RULE_SLOW ||
            !network_rule_applies(rule, link->from, link->to, stream->message_class))
            continue;
        int64_t before = latency;
        if (rule->rule.factor_millionths != 0) {
            __int128 scaled = (__int128)latency * rule->rule.factor_millionths / PPM;
            latency = scaled > INT64_MAX / 2 ? INT64_MAX / 2 : (int64_t)scaled;
        }
        latency = saturated_add(latency, rule->rule.add_ns);
        rule->effects += latency != before;
    }
    return latency;
}

/* True when one of the chances of that kind comes true: the config's, then each rule's. Every
 * chance draws, so that one rule's effects don't hang on another's. */
static bool chance(struct network *network, struct stream *stream, enum network_rule_kind kind,
                   int64_t base_ppm, int64_t *add_ns)
{
    struct link *link = stream->link;
    bool hit = false;
    if (base_ppm > 0) hit = rng_ppm(link_faults(link), (uint32_t)base_ppm);
    for (uint32_t i = 0; i < network->active_count; i++) {
        struct rule *rule = &network->rules[network->active[i] - 1];
        if (rule->rule.kind != kind || rule->rule.ppm <= 0 ||
            !network_rule_applies(rule, link->from, link->to, stream->message_class))
            continue;
        if (rng_ppm(link_faults(link), (uint32_t)rule->rule.ppm)) {
            rule->effects++;
            hit = true;
            if (add_ns && rule->rule.add_ns > *add_ns) *add_ns = rule->rule.add_ns;
        }
    }
    return hit;
}

static void transmit_ordered(struct network *network, struct flight *flight)
{
    struct stream *stream = flight->stream;
    struct link *link = stream->link;
    int64_t at_ns =
        wire_leave(network, link, flight->payload->size) + latency_draw(network, stream);
    if (!link->is_local) {
        for (int lost = 0; chance(network, stream, RULE_LOSS, network->config.loss_ppm, NULL);
             lost++) {
            if (lost == RETRANSMISSIONS_MAX) {
                stream_break(network, stream, 0);
                flight_drop(network, flight);
                stream_connect(network, stream);
                return;
            }
            at_ns = saturated_add(at_ns, network->config.retransmit_ns);
        }
    }
    schedule_arrival(network, flight, at_ns);
}

static void transmit_datagram(struct network *network, struct flight *flight)
{
    struct stream *stream = flight->stream;
    struct link *link = stream->link;
    if (chance(network, stream, RULE_DUPLICATE, network->config.duplicate_ppm, NULL)) {
        struct flight *copy = flight_create(network, stream, flight->kind, flight->payload);
        COUNT(network, link->from, duplicated);
        int64_t copy_leaves = wire_leave(network, link, copy->payload->size);
        int64_t copy_latency = latency_draw(network, stream);
        schedule_arrival(network, copy, saturated_add(copy_leaves, copy_latency));
    }
    int64_t leaves = wire_leave(network, link, flight->payload->size);
    int64_t latency = latency_draw(network, stream);
    int64_t at_ns = saturated_add(leaves, latency);
    int64_t extra = network->config.reorder_ns;
    int64_t rule_extra = 0;
    if (chance(network, stream, RULE_REORDER, network->config.reorder_ppm, &rule_extra)) {
        if (rule_extra > 0) extra = rule_extra;
        if (extra > 0) at_ns = saturated_add(at_ns, rng_range(link_faults(link), 1, extra));
    }
    if (chance(network, stream, RULE_LOSS, network->config.loss_ppm, NULL))
        flight_drop(network, flight);
    else
        schedule_arrival(network, flight, at_ns);
}

static void depart(struct network *network, struct flight *flight)
{
    struct stream *stream = flight->stream;
    struct link *link = stream->link;
    bool ordered = is_ordered(network, link);
    if (!link->is_local) {
        uint32_t by = 0;
        enum verdict verdict =
            network_judge(network, link->from, link->to, stream->message_class, true, &by);
        if (verdict == VERDICT_DROP) {
            if (ordered) stream_break(network, stream, by);
            flight_drop(network, flight);
            return;
        }
        if (verdict == VERDICT_HOLD ||
            (ordered && (stream->state != STREAM_OPEN || stream->held_first))) {
            hold(network, flight, false);
            return;
        }
    }
    if (ordered)
        transmit_ordered(network, flight);
    else
        transmit_datagram(network, flight);
}

void network_send(struct network *network, uint32_t from, uint32_t to,
                  enum message_class message_class, uint32_t kind, struct payload *payload)
{
    CHECK(from < network->endpoints_count && to < network->endpoints_count);
    CHECK((unsigned)message_class < MESSAGE_CLASSES && kind < KINDS_MAX);
    COUNT(network, from, sent[message_class]);
    network->counters.bytes[message_class] += payload->size;
    network->endpoints[from].counters.bytes[message_class] += payload->size;
    struct stream *stream = stream_get(link_get(network, from, to), message_class);
    struct flight *flight = flight_create(network, stream, kind, payload);
    depart(network, flight);
}

static void deliver_fire(struct kernel *kernel, const struct event *event)
{
    (void)kernel;
    struct flight *flight = event->context;
    struct stream *stream = flight->stream;
    struct link *link = stream->link;
    struct network *network = link->network;
    if (!link->is_local) {
        bool ordered = network->config.transport == NETWORK_ORDERED;
        if (ordered && flight->connection != stream->connection) {
            flight_lose(network, flight);
            return;
        }
        uint32_t by = 0;
        enum verdict verdict =
            network_judge(network, link->from, link->to, stream->message_class, true, &by);
        if (verdict == VERDICT_DROP) {
            if (ordered) stream_break(network, stream, by);
            flight_drop(network, flight);
            return;
        }
        if (verdict == VERDICT_HOLD) {
            hold(network, flight, true);
            return;
        }
    }
    COUNT(network, link->from, delivered);
    const struct endpoint *endpoint = &network->endpoints[link->to];
    network_receive_fn *receive = endpoint->receive;
    void *context = endpoint->context;
    uint32_t kind = flight->kind;
    struct payload *payload = payload_retain(flight->payload);
    enum message_class message_class = stream->message_class;
    flight_destroy(network, flight);
    receive(context, link->from, message_class, kind, payload);
    payload_release(payload);
}

bool network_reachable(const struct network *network, uint32_t from, uint32_t to,
                       enum message_class message_class)
{
    CHECK(from < network->endpoints_count && to < network->endpoints_count);
    const struct endpoint *a = &network->endpoints[from], *b = &network->endpoints[to];
    if (from == to || (a->machine == b->machine && a->machine != NETWORK_OWN_MACHINE))
        return true;
    uint32_t by = 0;
    return network_judge((struct network *)network, from, to, message_class, false, &by) ==
           VERDICT_PASS;
}
