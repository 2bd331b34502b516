/* Goal: the network does to messages what its header says: times to the nanosecond, order,
 * drops and holds by policy, direction and class, effects counted, links on first use, and the
 * same seed the same trace. Method: endpoints that write down what they receive and when;
 * constant latencies, so that every arrival time is computed by hand here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <stdio.h>

#include "sim/world/network.h"

#define US NS_PER_US
#define MS NS_PER_MS
#define LATENCY (1 * MS)
#define RECONNECT (10 * MS)
#define ALL ((1u << MESSAGE_CLASSES) - 1)
#define SEEN_MAX 20000

struct seen {
    int64_t time;
    uint32_t from, to;
    enum message_class message_class;
    uint32_t kind;
    uint32_t number;
};

struct lab;
struct place {
    struct lab *lab;
    uint32_t endpoint;
};
struct lab {
    struct kernel *kernel;
    struct network *network;
    struct place *places;
    struct seen *seen;
    uint32_t seen_count;
};

static void receive(void *context, uint32_t from, enum message_class message_class,
                    uint32_t kind, struct payload *payload)
{
    struct place *place = context;
    struct lab *lab = place->lab;
    uint32_t number = payload->size >= 4 ? get_u32(payload->data) : 0;
    assert_true(lab->seen_count < SEEN_MAX);
    lab->seen[lab->seen_count++] = (struct seen){kernel_now(lab->kernel), from, place->endpoint,
                                                 message_class,           kind, number};
}

static struct network_config plain(void)
{
    return (struct network_config){.latency = {.kind = DIST_CONSTANT, .a = LATENCY},
                                   .local_latency = {.kind = DIST_CONSTANT, .a = 10 * US},
                                   .between_regions = {.kind = DIST_CONSTANT, .a = 40 * MS},
                                   .retransmit_ns = 200 * MS,
                                   .reconnect_ns = RECONNECT,
                                   .reorder_ns = 5 * MS};
}

static void lab_open_full(struct lab *lab, const struct network_config *config, uint32_t count,
                          uint64_t seed, enum kernel_ties ties)
{
    *lab = (struct lab){.kernel =
                            kernel_create(&(struct kernel_config){.seed = seed, .ties = ties})};
    lab->network = network_create(lab->kernel, config);
    lab->places = calloc(count, sizeof *lab->places);
    lab->seen = calloc(SEEN_MAX, sizeof *lab->seen);
    for (uint32_t i = 0; i < count; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%u", i);
        lab->places[i] = (struct place){lab, i};
        assert_int_equal(
            network_add(lab->network, name, 0, NETWORK_OWN_MACHINE, receive, &lab->places[i]),
            i);
    }
}

static void lab_open(struct lab *lab, uint32_t count)
{
    struct network_config config = plain();
    lab_open_full(lab, &config, count, 1, TIES_FIFO);
}

static void lab_close(struct lab *lab)
{
    network_destroy(lab->network);
    kernel_destroy(lab->kernel);
    free(lab->places);
    free(lab->seen);
}

static void post_sized(struct lab *lab, uint32_t from, uint32_t to,
                       enum message_class message_class, uint32_t number, size_t size)
{
    unsigned char *body = calloc(1, size < 4 ? 4 : size);
    put_u32(body, number);
    struct payload *payload = payload_create(bytes_of(body, size), NULL, 0);
    network_send(lab->network, from, to, message_class, 7, payload);
    payload_release(payload);
    free(body);
}

static void post(struct lab *lab, uint32_t from, uint32_t to, uint32_t number)
{
    post_sized(lab, from, to, MESSAGE_REPLICATION, number, 4);
}

static void run_to(struct lab *lab, int64_t at)
{
    assert_int_equal(kernel_run(lab->kernel, at), KERNEL_DONE);
}

static void assert_seen(const struct lab *lab, uint32_t i, uint32_t number, int64_t time)
{
    assert_true(i < lab->seen_count);
    assert_int_equal(lab->seen[i].number, number);
    assert_int_equal(lab->seen[i].time, time);
}

static struct option_list list_of(const int32_t *items, uint32_t count)
{
    return (struct option_list){items, count};
}

static struct network_rule cut_of(const int32_t *from, const int32_t *to,
                                  enum network_in_flight in_flight)
{
    return (struct network_rule){.kind = RULE_CUT,
                                 .from = list_of(from, from ? 1 : 0),
                                 .to = list_of(to, to ? 1 : 0),
                                 .classes = ALL,
                                 .in_flight = in_flight};
}

static const int32_t N0[] = {0}, N1[] = {1}, N2[] = {2};

/* ---- payloads ---- */

static void test_payload_joins_header_and_slices_and_lives_while_retained(void **state)
{
    (void)state;
    struct bytes slices[] = {BYTES_LITERAL("bc"), {NULL, 0}, BYTES_LITERAL("def")};
    struct payload *payload = payload_create(BYTES_LITERAL("a"), slices, 3);
    assert_int_equal(payload->size, 6);
    assert_memory_equal(payload->data, "abcdef", 6);
    struct payload *same = payload_create(BYTES_LITERAL("abcdef"), NULL, 0);
    assert_true(same->hash == payload->hash);
    struct payload *other = payload_create(BYTES_LITERAL("abcdeg"), NULL, 0);
    assert_true(other->hash != payload->hash);
    payload_retain(payload);
    payload_release(payload);
    assert_memory_equal(payload->data, "abcdef", 6);
    payload_release(payload);
    payload_release(same);
    payload_release(other);
    struct payload *empty = payload_create((struct bytes){0}, NULL, 0);
    assert_int_equal(payload_bytes(empty).size, 0);
    payload_release(empty);
    for (size_t size = 1; size < 70000;
         size = size * 3 + 1) { /* all size classes, new and recycled */
        unsigned char *body = calloc(1, size);
        body[size - 1] = 42;
        for (int round = 0; round < 2; round++) {
            struct payload *p = payload_create(bytes_of(body, size), NULL, 0);
            assert_int_equal(p->references, 1);
            assert_int_equal(p->data[size - 1], 42);
            payload_release(p);
        }
        free(body);
    }
}

/* ---- times ---- */

static void test_latency_depends_on_machine_region_and_route(void **state)
{
    (void)state;
    struct network_config config = plain();
    struct network_route routes[] = {{2, 1, {.kind = DIST_CONSTANT, .a = 7 * MS}}};
    config.routes = routes;
    config.routes_count = 1;
    struct lab lab;
    lab_open_full(&lab, &config, 0, 1, TIES_FIFO);
    free(lab.places);
    lab.places = calloc(6, sizeof *lab.places);
    static const uint32_t regions[] = {0, 0, 1, 2, 0}, machines[] = {0, 1, 2, 3, 0};
    for (uint32_t i = 0; i < 5; i++) {
        lab.places[i] = (struct place){&lab, i};
        network_add(lab.network, "x", regions[i], machines[i], receive, &lab.places[i]);
    }
    assert_int_equal(network_region(lab.network, 3), 2);
    static const struct {
        uint32_t from, to;
        int64_t takes;
    } cases[] = {{0, 1, LATENCY}, {0, 2, 40 * MS}, {1, 3, 40 * MS}, {2, 3, 7 * MS},
                 {3, 2, 7 * MS},  {0, 4, 10 * US}, {4, 0, 10 * US}, {2, 2, 10 * US}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t now = kernel_now(lab.kernel);
        post(&lab, cases[i].from, cases[i].to, (uint32_t)i);
        run_to(&lab, now + 100 * MS);
        assert_seen(&lab, (uint32_t)i, (uint32_t)i, now + cases[i].takes);
        assert_int_equal(lab.seen[i].kind, 7);
        assert_int_equal(lab.seen[i].from, cases[i].from);
    }
    lab_close(&lab);
}

static void test_bandwidth_delays_by_size_and_queues_each_direction_apart(void **state)
{
    (void)state;
    struct network_config config = plain();
    config.bytes_per_s = 1000000; /* a byte a microsecond */
    struct lab lab;
    lab_open_full(&lab, &config, 3, 1, TIES_FIFO);
    post_sized(&lab, 0, 1, MESSAGE_REPLICATION, 1, 1000);
    post_sized(&lab, 0, 1, MESSAGE_CLIENT, 2, 500); /* waits for the wire, whatever its class */
    post_sized(&lab, 1, 0, MESSAGE_REPLICATION, 3, 250); /* the other direction is free */
    post_sized(&lab, 0, 2, MESSAGE_REPLICATION, 4, 100); /* and so is another link */
    run_to(&lab, 100 * MS);
    assert_int_equal(lab.seen_count, 4);
    assert_seen(&lab, 0, 4, LATENCY + 100 * US);
    assert_seen(&lab, 1, 3, LATENCY + 250 * US);
    assert_seen(&lab, 2, 1, LATENCY + 1000 * US);
    assert_seen(&lab, 3, 2, LATENCY + 1500 * US);
    post_sized(&lab, 0, 1, MESSAGE_REPLICATION, 5, 10); /* the wire has long been idle */
    run_to(&lab, 200 * MS);
    assert_seen(&lab, 4, 5, 100 * MS + LATENCY + 10 * US);
    lab_close(&lab);

    config.bytes_per_s =
        3; /* a third of a second a byte, rounded up: no message is ever free */
    lab_open_full(&lab, &config, 2, 1, TIES_FIFO);
    post_sized(&lab, 0, 1, MESSAGE_REPLICATION, 1, 4);
    run_to(&lab, 10 * NS_PER_S);
    assert_seen(&lab, 0, 1, LATENCY + INT64_C(1333333334));
    lab_close(&lab);
}

static void test_ordered_stream_keeps_order_under_jitter_and_shuffled_ties(void **state)
{
    (void)state;
    struct network_config config = plain();
    config.latency = (struct dist){.kind = DIST_UNIFORM, .a = 0, .b = 10 * MS};
    struct lab lab;
    lab_open_full(&lab, &config, 2, 3, TIES_SEEDED);
    for (uint32_t i = 0; i < 500; i++) {
        post(&lab, 0, 1, i);
        if (i % 5 == 0) run_to(&lab, kernel_now(lab.kernel) + MS);
    }
    run_to(&lab, NS_PER_S);
    assert_int_equal(lab.seen_count, 500);
    for (uint32_t i = 0; i < 500; i++) assert_int_equal(lab.seen[i].number, i);
    lab_close(&lab);
}

static void test_datagrams_overtake_each_other(void **state)
{
    (void)state;
    struct network_config config = plain();
    config.transport = NETWORK_DATAGRAM;
    config.latency = (struct dist){.kind = DIST_UNIFORM, .a = 0, .b = 10 * MS};
    struct lab lab;
    lab_open_full(&lab, &config, 2, 3, TIES_FIFO);
    for (uint32_t i = 0; i < 100; i++) post(&lab, 0, 1, i);
    run_to(&lab, NS_PER_S);
    assert_int_equal(lab.seen_count, 100);
    int overtaken = 0;
    for (uint32_t i = 1; i < 100; i++) overtaken += lab.seen[i].number < lab.seen[i - 1].number;
    assert_true(overtaken > 10);
    lab_close(&lab);
}

/* ---- cuts: policy, direction, class ---- */

static void test_cut_with_drop_loses_what_is_in_flight_and_needs_a_reconnect(void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, 2);
    post(&lab, 0, 1, 1); /* in flight when the cut begins */
    run_to(&lab, LATENCY / 2);
    struct network_rule rule = cut_of(N0, N1, NETWORK_DROP);
    uint32_t id = network_rule_add(lab.network, &rule);
    assert_false(network_reachable(lab.network, 0, 1, MESSAGE_REPLICATION));
    assert_true(network_reachable(lab.network, 1, 0, MESSAGE_REPLICATION));
    post(&lab, 0, 1, 2); /* dropped at departure */
    post(&lab, 1, 0, 3); /* the other direction is whole */
    run_to(&lab, 100 * MS);
    assert_int_equal(lab.seen_count, 1);
    assert_seen(&lab, 0, 3, LATENCY / 2 + LATENCY);
    assert_int_equal(network_rule_effects(lab.network, id), 2);
    network_rule_remove(lab.network, id);
    assert_true(network_reachable(lab.network, 0, 1, MESSAGE_REPLICATION));
    post(&lab, 0, 1, 4);
    run_to(&lab, 100 * MS + RECONNECT - 1);
    post(&lab, 0, 1, 5);
    run_to(&lab, 200 * MS);
    post(&lab, 0, 1, 6);
    run_to(&lab, 300 * MS);
    assert_int_equal(lab.seen_count, 4);
    assert_seen(&lab, 1, 4, 100 * MS + RECONNECT + LATENCY);
    assert_seen(&lab, 2, 5, 100 * MS + RECONNECT + LATENCY + 1); /* I1: one after the other */
    assert_seen(&lab, 3, 6, 200 * MS + LATENCY);
    assert_int_equal(network_rule_effects(lab.network, id), 2); /* the evidence stays */
    assert_int_equal(network_counters(lab.network)->dropped, 2);
    assert_int_equal(network_counters(lab.network)->delivered, 4);
    lab_close(&lab);
}

static void test_cut_over_which_nothing_was_sent_breaks_nothing(void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, 2);
    struct network_rule rule = cut_of(N0, N1, NETWORK_DROP);
    uint32_t id = network_rule_add(lab.network, &rule);
    run_to(&lab, 50 * MS);
    network_rule_remove(lab.network, id);
    post(&lab, 0, 1, 1);
    run_to(&lab, 100 * MS);
    assert_seen(&lab, 0, 1, 50 * MS + LATENCY);
    assert_int_equal(network_rule_effects(lab.network, id), 0);
    lab_close(&lab);
}

static void test_broken_stream_loses_later_messages_of_the_old_connection(void **state)
{
    (void)state;
    struct network_config config = plain();
    config.bytes_per_s = 1000000;
    struct lab lab;
    lab_open_full(&lab, &config, 2, 1, TIES_FIFO);
    post_sized(&lab, 0, 1, MESSAGE_REPLICATION, 1, 1000); /* arrives at 2 ms: lost to the cut */
    post_sized(&lab, 0, 1, MESSAGE_REPLICATION, 2,
               5000); /* would arrive at 7 ms, long after the heal: lost with its connection */
    run_to(&lab, 1500 * US);
    struct network_rule rule = cut_of(NULL, N1, NETWORK_DROP);
    uint32_t id = network_rule_add(lab.network, &rule);
    run_to(&lab, 3 * MS);
    network_rule_remove(lab.network, id);
    run_to(&lab, 100 * MS);
    assert_int_equal(lab.seen_count, 0);
    assert_int_equal(network_rule_effects(lab.network, id), 2);
    lab_close(&lab);
}

static void test_cut_with_queue_holds_in_flight_and_new_messages_and_delivers_in_order(
    void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, 2);
    post(&lab, 0, 1, 1);
    run_to(&lab, LATENCY / 2);
    struct network_rule rule = cut_of(N0, N1, NETWORK_QUEUE);
    uint32_t id = network_rule_add(lab.network, &rule);
    post(&lab, 0, 1, 2); /* held before 1, which arrives at the cut later */
    run_to(&lab, 50 * MS);
    post(&lab, 0, 1, 3);
    run_to(&lab, 90 * MS);
    assert_int_equal(lab.seen_count, 0);
    assert_int_equal(network_rule_effects(lab.network, id), 3);
    assert_int_equal(network_counters(lab.network)->queued, 3);
    network_rule_remove(lab.network, id);
    run_to(&lab, 200 * MS);
    assert_int_equal(lab.seen_count, 3);
    assert_seen(&lab, 0, 1, 90 * MS);           /* had travelled already */
    assert_seen(&lab, 1, 2, 90 * MS + LATENCY); /* no reconnect: the stream never broke */
    assert_seen(&lab, 2, 3, 90 * MS + LATENCY + 1);
    assert_int_equal(network_rule_effects(lab.network, id), 3);
    lab_close(&lab);
}

static void test_drop_wins_over_hold_and_a_second_cut_keeps_holding(void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, 2);
    struct network_rule hold = cut_of(N0, N1, NETWORK_QUEUE),
                        drop = cut_of(N0, N1, NETWORK_DROP);
    uint32_t first = network_rule_add(lab.network, &hold),
             second = network_rule_add(lab.network, &hold);
    post(&lab, 0, 1, 1);
    network_rule_remove(lab.network, first);
    run_to(&lab, 10 * MS);
    assert_int_equal(lab.seen_count, 0); /* the second still holds it */
    uint32_t third = network_rule_add(lab.network, &drop);
    post(&lab, 0, 1, 2); /* dropped: breaks the stream */
    network_rule_remove(lab.network, third);
    run_to(&lab, 20 * MS);
    network_rule_remove(lab.network, second);
    run_to(&lab, 100 * MS);
    assert_int_equal(lab.seen_count, 1);
    assert_seen(&lab, 0, 1, 20 * MS + RECONNECT + LATENCY);
    assert_int_equal(network_rule_effects(lab.network, third), 1);

    first = network_rule_add(lab.network, &hold); /* out of the queue into a cut that drops */
    post(&lab, 0, 1, 3);
    third = network_rule_add(lab.network, &drop);
    network_rule_remove(lab.network, first);
    network_heal(lab.network);
    run_to(&lab, 200 * MS);
    assert_int_equal(lab.seen_count, 1);
    assert_int_equal(network_rule_effects(lab.network, third), 1);
    lab_close(&lab);
}

static void test_cut_again_while_connecting_loses_what_waits(void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, 2);
    struct network_rule rule = cut_of(N0, N1, NETWORK_DROP);
    uint32_t id = network_rule_add(lab.network, &rule);
    post(&lab, 0, 1, 1);
    network_rule_remove(lab.network, id);
    post(&lab, 0, 1, 2); /* waits for the connection */
    run_to(&lab, RECONNECT / 2);
    id = network_rule_add(lab.network, &rule);
    run_to(&lab, 50 * MS);
    assert_int_equal(network_rule_effects(lab.network, id), 1);
    network_rule_remove(lab.network, id);
    post(&lab, 0, 1, 3);
    run_to(&lab, 100 * MS);
    assert_int_equal(lab.seen_count, 1);
    assert_seen(&lab, 0, 3, 50 * MS + RECONNECT + LATENCY);
    lab_close(&lab);
}

static void test_cut_by_class_leaves_the_other_classes_their_streams(void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, 2);
    struct network_rule rule = cut_of(N0, N1, NETWORK_DROP);
    rule.classes = 1u << MESSAGE_CONTROL | 1u << MESSAGE_REPAIR;
    uint32_t id = network_rule_add(lab.network, &rule);
    for (uint32_t c = 0; c < MESSAGE_CLASSES; c++) {
        assert_int_equal(network_reachable(lab.network, 0, 1, (enum message_class)c),
                         c == MESSAGE_REPLICATION || c == MESSAGE_CLIENT);
        post_sized(&lab, 0, 1, (enum message_class)c, c, 4);
    }
    run_to(&lab, 10 * MS);
    assert_int_equal(lab.seen_count, 2);
    assert_int_equal(lab.seen[0].message_class, MESSAGE_REPLICATION);
    assert_int_equal(lab.seen[1].message_class, MESSAGE_CLIENT);
    assert_int_equal(network_rule_effects(lab.network, id), 2);
    network_heal(lab.network);
    post_sized(&lab, 0, 1, MESSAGE_CONTROL, 8, 4);     /* waits for its reconnect ... */
    post_sized(&lab, 0, 1, MESSAGE_REPLICATION, 9, 4); /* ... and holds up nobody else */
    run_to(&lab, 100 * MS);
    assert_seen(&lab, 2, 9, 10 * MS + LATENCY);
    assert_seen(&lab, 3, 8, 10 * MS + RECONNECT + LATENCY);
    lab_close(&lab);
}

static void test_both_ways_and_empty_lists_cut_what_they_say(void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, 3);
    struct network_rule rule = cut_of(N0, N1, NETWORK_DROP);
    rule.both_ways = true;
    uint32_t id = network_rule_add(lab.network, &rule);
    assert_false(network_reachable(lab.network, 0, 1, MESSAGE_CLIENT));
    assert_false(network_reachable(lab.network, 1, 0, MESSAGE_CLIENT));
    assert_true(network_reachable(lab.network, 0, 2, MESSAGE_CLIENT) &&
                network_reachable(lab.network, 2, 1, MESSAGE_CLIENT));
    network_rule_remove(lab.network, id);
    rule = cut_of(N2, NULL, NETWORK_DROP); /* 2 can hear but not speak */
    rule.classes = 0;                      /* all */
    network_rule_add(lab.network, &rule);
    assert_false(network_reachable(lab.network, 2, 0, MESSAGE_CONTROL));
    assert_false(network_reachable(lab.network, 2, 1, MESSAGE_CLIENT));
    assert_true(network_reachable(lab.network, 2, 2, MESSAGE_CLIENT));
    assert_true(network_reachable(lab.network, 0, 2, MESSAGE_CLIENT) &&
                network_reachable(lab.network, 0, 1, MESSAGE_CLIENT));
    network_heal(lab.network);
    assert_true(network_reachable(lab.network, 2, 0, MESSAGE_CONTROL));
    lab_close(&lab);
}

static void test_partition_separates_groups_and_spares_whoever_is_in_none(void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, 6);
    static const int32_t a[] = {0, 1}, b[] = {2}, c[] = {3, 4};
    struct option_list groups[] = {{a, 2}, {b, 1}, {c, 2}};
    struct network_rule rule = {.kind = RULE_PARTITION,
                                .groups = groups,
                                .groups_count = 3,
                                .classes = 1u << MESSAGE_CONTROL};
    network_rule_add(lab.network, &rule);
    static const int group_of[] = {1, 1, 2, 3, 3, 0};
    for (uint32_t i = 0; i < 6; i++)
        for (uint32_t j = 0; j < 6; j++) {
            bool reaches = group_of[i] == group_of[j] || !group_of[i] || !group_of[j];
            assert_int_equal(network_reachable(lab.network, i, j, MESSAGE_CONTROL), reaches);
            assert_true(network_reachable(lab.network, i, j, MESSAGE_REPLICATION));
        }
    /* An endpoint that comes later is in no group. */
    struct place late = {&lab, 6};
    network_add(lab.network, "late", 0, NETWORK_OWN_MACHINE, receive, &late);
    assert_true(network_reachable(lab.network, 0, 6, MESSAGE_CONTROL));
    assert_false(network_reachable(lab.network, 0, 2, MESSAGE_CONTROL));
    lab_close(&lab);
}

static void test_rules_name_machines_and_never_cut_inside_one(void **state)
{
    (void)state;
    struct network_config config = plain();
    struct lab lab;
    lab_open_full(&lab, &config, 0, 1, TIES_FIFO);
    free(lab.places);
    lab.places = calloc(4, sizeof *lab.places);
    static const char *const names[] = {"db-a", "db-b", "manager@db-a", "manager@dc1"};
    static const uint32_t machines[] = {0, 1, 0, NETWORK_OWN_MACHINE};
    for (uint32_t i = 0; i < 4; i++) {
        lab.places[i] = (struct place){&lab, i};
        network_add(lab.network, names[i], 0, machines[i], receive, &lab.places[i]);
    }
    struct network_rule rule = cut_of(N0, NULL, NETWORK_DROP);
    uint32_t id = network_rule_add(lab.network, &rule);
    assert_false(network_reachable(lab.network, 2, 1,
                                   MESSAGE_CONTROL)); /* the manager's cable is the node's */
    assert_true(network_reachable(lab.network, 2, 0, MESSAGE_CONTROL) &&
                network_reachable(lab.network, 0, 2, MESSAGE_CONTROL));
    assert_true(network_reachable(lab.network, 3, 1, MESSAGE_CONTROL));
    post(&lab, 0, 2, 1);
    run_to(&lab, 10 * MS);
    assert_seen(&lab, 0, 1, 10 * US);
    network_rule_remove(lab.network, id);

    struct option_list groups[] = {{N0, 1}, {N1, 1}};
    struct network_rule partition = {
        .kind = RULE_PARTITION, .groups = groups, .groups_count = 2, .classes = ALL};
    id = network_rule_add(lab.network, &partition);
    assert_false(network_reachable(lab.network, 2, 1, MESSAGE_CONTROL));
    assert_true(network_reachable(lab.network, 2, 0, MESSAGE_CONTROL));
    network_rule_remove(lab.network, id);
    static const int32_t with_a[] = {1, 2}; /* its own group comes before its machine's */
    struct option_list split[] = {{N0, 1}, {with_a, 2}};
    partition.groups = split;
    network_rule_add(lab.network, &partition);
    assert_true(network_reachable(lab.network, 2, 1, MESSAGE_CONTROL));
    assert_false(network_reachable(lab.network, 0, 1, MESSAGE_CONTROL));
    lab_close(&lab);
}

/* ---- slow, loss, clog, duplicate, reorder ---- */

static void test_slow_multiplies_and_adds_at_departure(void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, 2);
    post(&lab, 0, 1, 1); /* departed before: not slowed */
    struct network_rule rule = {.kind = RULE_SLOW,
                                .from = list_of(N0, 1),
                                .to = list_of(N1, 1),
                                .classes = ALL,
                                .factor_millionths = 2500000,
                                .add_ns = 3 * MS};
    uint32_t id = network_rule_add(lab.network, &rule);
    post(&lab, 0, 1, 2);
    post(&lab, 1, 0, 3);
    run_to(&lab, 100 * MS);
    assert_seen(&lab, 0, 1, LATENCY);
    assert_seen(&lab, 1, 3, LATENCY);
    assert_seen(&lab, 2, 2, LATENCY * 5 / 2 + 3 * MS);
    assert_int_equal(network_rule_effects(lab.network, id), 1);
    network_rule_remove(lab.network, id);
    rule.factor_millionths = 0; /* not given: only the addition */
    id = network_rule_add(lab.network, &rule);
    post(&lab, 0, 1, 4);
    run_to(&lab, 200 * MS);
    assert_seen(&lab, 3, 4, 100 * MS + LATENCY + 3 * MS);
    network_rule_remove(lab.network, id);
    rule.add_ns = 0;
    rule.factor_millionths = 1000000; /* x 1 + 0 is no effect */
    id = network_rule_add(lab.network, &rule);
    post(&lab, 0, 1, 5);
    run_to(&lab, 300 * MS);
    assert_seen(&lab, 4, 5, 200 * MS + LATENCY);
    assert_int_equal(network_rule_effects(lab.network, id), 0);
    lab_close(&lab);
}

static void test_loss_drops_datagrams_and_delays_ordered_messages(void **state)
{
    (void)state;
    struct network_config config = plain();
    struct network_rule rule = {
        .kind = RULE_LOSS, .from = list_of(N0, 1), .classes = ALL, .ppm = 300000};
    for (int transport = 0; transport < 2; transport++) {
        config.transport = transport ? NETWORK_DATAGRAM : NETWORK_ORDERED;
        struct lab lab;
        lab_open_full(&lab, &config, 2, 5, TIES_FIFO);
        uint32_t id = network_rule_add(lab.network, &rule);
        for (uint32_t i = 0; i < 1000; i++) {
            post(&lab, 0, 1, i);
            run_to(&lab, (i + 1) * 5 * NS_PER_S); /* far apart: no message waits for another */
        }
        uint64_t effects = network_rule_effects(lab.network, id);
        if (transport) {
            assert_int_equal(lab.seen_count, 1000 - effects);
            assert_in_range(effects, 250, 350);
        } else {
            assert_int_equal(lab.seen_count, 1000);
            int64_t delay = 0;
            for (uint32_t i = 0; i < 1000; i++)
                delay += lab.seen[i].time - i * 5 * NS_PER_S - LATENCY;
            assert_int_equal(delay, (int64_t)effects * 200 * MS);
            assert_in_range(effects, 330, 530); /* 0.3 / 0.7 a message */
        }
        lab_close(&lab);
    }
}

static void test_ordered_stream_that_loses_everything_breaks(void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, 2);
    struct network_rule rule = {.kind = RULE_LOSS, .classes = ALL, .ppm = 1000000};
    uint32_t id = network_rule_add(lab.network, &rule);
    post(&lab, 0, 1, 1);
    run_to(&lab, MS);
    network_rule_remove(lab.network, id);
    post(&lab, 0, 1, 2);
    run_to(&lab, 10 * NS_PER_S);
    assert_int_equal(lab.seen_count, 1);
    assert_seen(&lab, 0, 2, RECONNECT + LATENCY);
    assert_int_equal(network_counters(lab.network)->dropped, 1);
    assert_int_equal(network_rule_effects(lab.network, id), 16);
    lab_close(&lab);
}

static void test_clog_holds_until_removed_whatever_the_policy(void **state)
{
    (void)state;
    struct network_config config = plain();
    for (int transport = 0; transport < 2; transport++) {
        config.transport = transport ? NETWORK_DATAGRAM : NETWORK_ORDERED;
        struct lab lab;
        lab_open_full(&lab, &config, 2, 1, TIES_FIFO);
        struct network_rule rule = {
            .kind = RULE_CLOG, .to = list_of(N1, 1), .classes = ALL, .in_flight = NETWORK_DROP};
        uint32_t id = network_rule_add(lab.network, &rule);
        for (uint32_t i = 0; i < 10; i++) post(&lab, 0, 1, i);
        post(&lab, 1, 0, 99);
        run_to(&lab, 100 * MS);
        assert_int_equal(lab.seen_count, 1);
        assert_int_equal(network_rule_effects(lab.network, id), 10);
        network_rule_remove(lab.network, id);
        run_to(&lab, 200 * MS);
        assert_int_equal(lab.seen_count, 11);
        for (uint32_t i = 0; i < 10; i++)
            assert_seen(&lab, i + 1, i, 100 * MS + LATENCY + (transport ? 0 : i));
        lab_close(&lab);
    }
}

static void test_duplicate_and_reorder_touch_datagrams_only(void **state)
{
    (void)state;
    struct network_config config = plain();
    for (int transport = 0; transport < 2; transport++) {
        config.transport = transport ? NETWORK_DATAGRAM : NETWORK_ORDERED;
        struct lab lab;
        lab_open_full(&lab, &config, 2, 11, TIES_FIFO);
        assert_false(network_may_duplicate(lab.network));
        struct network_rule twice = {.kind = RULE_DUPLICATE, .classes = ALL, .ppm = 200000};
        struct network_rule late = {
            .kind = RULE_REORDER, .classes = ALL, .ppm = 500000, .add_ns = 2 * MS};
        uint32_t twice_id = network_rule_add(lab.network, &twice),
                 late_id = network_rule_add(lab.network, &late);
        for (uint32_t i = 0; i < 1000; i++) {
            post(&lab, 0, 1, i);
            run_to(&lab, (i + 1) * 100 * US);
        }
        run_to(&lab, NS_PER_S);
        network_heal(lab.network); /* what it doubled may still be on its way */
        assert_int_equal(network_may_duplicate(lab.network), transport);
        uint64_t doubled = network_rule_effects(lab.network, twice_id),
                 delayed = network_rule_effects(lab.network, late_id);
        assert_int_equal(lab.seen_count, 1000 + doubled);
        assert_int_equal(network_counters(lab.network)->duplicated, doubled);
        uint32_t overtaken = 0;
        for (uint32_t i = 1; i < lab.seen_count; i++)
            overtaken += lab.seen[i].number < lab.seen[i - 1].number;
        if (transport) {
            assert_in_range(doubled, 150, 250);
            assert_in_range(delayed, 430, 570);
            assert_true(overtaken > 100);
        } else {
            assert_int_equal(doubled + delayed + overtaken, 0);
        }
        lab_close(&lab);
    }
}

static void test_config_loss_duplication_and_reordering_work_without_rules(void **state)
{
    (void)state;
    struct network_config config = plain();
    config.transport = NETWORK_DATAGRAM;
    config.loss_ppm = 100000;
    config.duplicate_ppm = 50000;
    config.reorder_ppm = 300000;
    struct lab lab;
    lab_open_full(&lab, &config, 2, 2, TIES_FIFO);
    assert_true(network_may_duplicate(lab.network));
    for (uint32_t i = 0; i < 2000; i++) post(&lab, 0, 1, i);
    run_to(&lab, NS_PER_S);
    const struct network_counters *counters = network_counters(lab.network);
    assert_in_range(counters->dropped, 150, 250);
    assert_in_range(counters->duplicated, 60, 140);
    assert_int_equal(counters->delivered, 2000 + counters->duplicated - counters->dropped);
    uint32_t late = 0;
    for (uint32_t i = 0; i < lab.seen_count; i++) {
        assert_in_range(lab.seen[i].time, LATENCY, LATENCY + 5 * MS);
        late += lab.seen[i].time > LATENCY;
    }
    assert_in_range(late, 400, 680);
    lab_close(&lab);
}

/* ---- scale, counters, determinism ---- */

static void test_links_are_made_on_first_use(void **state)
{
    (void)state;
    struct lab lab;
    enum { COUNT = 1000 };
    lab_open(&lab, COUNT);
    size_t before = arena_size(kernel_arena(lab.kernel));
    for (uint32_t i = 0; i < COUNT; i++) post(&lab, i, (i + 1) % COUNT, i);
    run_to(&lab, NS_PER_S);
    assert_int_equal(lab.seen_count, COUNT);
    size_t used = arena_size(kernel_arena(lab.kernel)) - before;
    assert_true(used < COUNT * 1024); /* a ring of links; n x n would be 1,000 times that */
    size_t after_first = arena_size(kernel_arena(lab.kernel));
    for (uint32_t round = 0; round < 5; round++) {
        for (uint32_t i = 0; i < COUNT; i++) post(&lab, i, (i + 1) % COUNT, i);
        run_to(&lab, kernel_now(lab.kernel) + NS_PER_S);
    }
    assert_int_equal(arena_size(kernel_arena(lab.kernel)),
                     after_first); /* steady state takes nothing more */
    lab_close(&lab);
}

static void test_counters_tell_messages_and_bytes_by_class_and_sender(void **state)
{
    (void)state;
    struct lab lab;
    lab_open(&lab, 3);
    post_sized(&lab, 0, 1, MESSAGE_REPLICATION, 1, 100);
    post_sized(&lab, 0, 2, MESSAGE_CLIENT, 1, 10);
    post_sized(&lab, 1, 2, MESSAGE_CLIENT, 1, 7);
    run_to(&lab, NS_PER_S);
    const struct network_counters *all = network_counters(lab.network),
                                  *one = network_endpoint_counters(lab.network, 0);
    assert_int_equal(all->sent[MESSAGE_REPLICATION], 1);
    assert_int_equal(all->sent[MESSAGE_CLIENT], 2);
    assert_int_equal(all->bytes[MESSAGE_CLIENT], 17);
    assert_int_equal(all->delivered, 3);
    assert_int_equal(one->bytes[MESSAGE_REPLICATION], 100);
    assert_int_equal(one->bytes[MESSAGE_CLIENT], 10);
    assert_int_equal(one->delivered, 2);
    assert_int_equal(network_endpoint_counters(lab.network, 2)->delivered, 0);
    assert_string_equal(network_name(lab.network, 2), "n2");
    assert_int_equal(network_count(lab.network), 3);
    lab_close(&lab);
}

static void test_what_a_clog_holds_counts_as_memory_of_the_run(void **state)
{
    (void)state;
    struct lab lab;
    struct network_config config = plain();
    lab_open_full(&lab, &config, 2, 1, TIES_FIFO);
    network_destroy(lab.network);
    kernel_destroy(lab.kernel);
    lab.kernel = kernel_create(&(struct kernel_config){.seed = 1, .memory_max = 1 << 20});
    lab.network = network_create(lab.kernel, &config);
    for (uint32_t i = 0; i < 2; i++)
        network_add(lab.network, i ? "b" : "a", 0, NETWORK_OWN_MACHINE, receive,
                    &lab.places[i]);
    struct network_rule rule = {.kind = RULE_CLOG, .classes = ALL};
    network_rule_add(lab.network, &rule);
    for (uint32_t i = 0; i < 100; i++) post_sized(&lab, 0, 1, MESSAGE_REPLICATION, i, 4096);
    assert_int_equal(kernel_run(lab.kernel, NS_PER_S), KERNEL_DONE); /* 400 KiB */
    network_heal(lab.network);
    run_to(&lab, 2 * NS_PER_S);
    assert_int_equal(lab.seen_count, 100);
    network_rule_add(lab.network, &rule);
    for (uint32_t i = 0; i < 300; i++) post_sized(&lab, 0, 1, MESSAGE_REPLICATION, i, 4096);
    post(&lab, 0, 0, 1);
    assert_int_equal(kernel_run(lab.kernel, 3 * NS_PER_S), KERNEL_LIMIT_MEMORY);
    lab_close(&lab);
}

static struct network_config stormy(void)
{
    struct network_config config = plain();
    config.latency = (struct dist){.kind = DIST_EXPONENTIAL, .a = MS};
    config.loss_ppm = 20000;
    return config;
}

/* A storm of messages and rules; `extra` endpoints and their traffic come on top. `odd`: one
 * byte of one message differs. */
static uint64_t storm(uint64_t seed, uint32_t extra, bool odd, int64_t *first_arrival)
{
    struct network_config config = stormy();
    struct lab lab;
    lab_open_full(&lab, &config, 4 + extra, seed, TIES_FIFO);
    for (uint32_t i = 0; i < 400; i++) {
        if (i == 100) {
            struct network_rule rule = cut_of(N0, N1, NETWORK_DROP);
            network_rule_add(lab.network, &rule);
        }
        if (i == 150) network_heal(lab.network);
        if (extra) post(&lab, 4, 0, i);
        post(&lab, i % 4, (i + 1 + i / 4 % 3) % 4, odd && i == 200 ? 1000000 : i);
        run_to(&lab, (i + 1) * 300 * US);
    }
    run_to(&lab, 10 * NS_PER_S);
    for (uint32_t i = 0; i < lab.seen_count; i++)
        if (lab.seen[i].from == 2 && lab.seen[i].to == 3 && *first_arrival < 0)
            *first_arrival = lab.seen[i].time;
    uint64_t hash = kernel_trace_hash(lab.kernel);
    lab_close(&lab);
    return hash;
}

static void test_same_seed_same_trace_and_a_changed_byte_another(void **state)
{
    (void)state;
    int64_t ignored = -1;
    uint64_t hash = storm(1, 0, false, &ignored);
    assert_true(storm(1, 0, false, &ignored) == hash);
    assert_true(storm(2, 0, false, &ignored) != hash);
    assert_true(storm(1, 0, true, &ignored) != hash);
}

static void test_one_endpoint_more_shifts_no_draw_of_another_link(void **state)
{
    (void)state;
    int64_t without = -1, with = -1;
    storm(1, 0, false, &without);
    storm(1, 1, false, &with);
    assert_true(without > 0);
    assert_int_equal(with, without);
}

static void test_presets_are_found_and_have_sources(void **state)
{
    (void)state;
    for (const struct network_preset *preset = network_presets; preset->name; preset++) {
        assert_ptr_equal(network_preset_find(preset->name), preset);
        assert_true(strlen(preset->doc) > 10 && strlen(preset->source) > 10);
        struct lab lab;
        lab_open_full(&lab, &preset->config, 2, 1, TIES_FIFO);
        post(&lab, 0, 1, 1);
        run_to(&lab, NS_PER_S);
        assert_true(lab.seen_count >= 1 && lab.seen[0].time > 0);
        lab_close(&lab);
    }
    assert_null(network_preset_find("lann"));
    const struct network_preset *aws = network_preset_find("aws");
    const struct dist *route = network_preset_route(aws, "oregon", "virginia");
    assert_non_null(route);
    assert_ptr_equal(route, network_preset_route(aws, "virginia", "oregon"));
    assert_int_equal((route->a + route->b) / 2, 43500 * US);
    assert_null(network_preset_route(aws, "virginia", "mars"));
    assert_null(network_preset_route(network_preset_find("lan"), "virginia", "oregon"));
    assert_int_equal(aws->place_routes_count, 45);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_payload_joins_header_and_slices_and_lives_while_retained),
        cmocka_unit_test(test_latency_depends_on_machine_region_and_route),
        cmocka_unit_test(test_bandwidth_delays_by_size_and_queues_each_direction_apart),
        cmocka_unit_test(test_ordered_stream_keeps_order_under_jitter_and_shuffled_ties),
        cmocka_unit_test(test_datagrams_overtake_each_other),
        cmocka_unit_test(test_cut_with_drop_loses_what_is_in_flight_and_needs_a_reconnect),
        cmocka_unit_test(test_cut_over_which_nothing_was_sent_breaks_nothing),
        cmocka_unit_test(test_broken_stream_loses_later_messages_of_the_old_connection),
        cmocka_unit_test(
            test_cut_with_queue_holds_in_flight_and_new_messages_and_delivers_in_order),
        cmocka_unit_test(test_drop_wins_over_hold_and_a_second_cut_keeps_holding),
        cmocka_unit_test(test_cut_again_while_connecting_loses_what_waits),
        cmocka_unit_test(test_cut_by_class_leaves_the_other_classes_their_streams),
        cmocka_unit_test(test_both_ways_and_empty_lists_cut_what_they_say),
        cmocka_unit_test(test_partition_separates_groups_and_spares_whoever_is_in_none),
        cmocka_unit_test(test_rules_name_machines_and_never_cut_inside_one),
        cmocka_unit_test(test_slow_multiplies_and_adds_at_departure),
        cmocka_unit_test(test_loss_drops_datagrams_and_delays_ordered_messages),
        cmocka_unit_test(test_ordered_stream_that_loses_everything_breaks),
        cmocka_unit_test(test_clog_holds_until_removed_whatever_the_policy),
        cmocka_unit_test(test_duplicate_and_reorder_touch_datagrams_only),
        cmocka_unit_test(test_config_loss_duplication_and_reordering_work_without_rules),
        cmocka_unit_test(test_links_are_made_on_first_use),
        cmocka_unit_test(test_counters_tell_messages_and_bytes_by_class_and_sender),
        cmocka_unit_test(test_what_a_clog_holds_counts_as_memory_of_the_run),
        cmocka_unit_test(test_same_seed_same_trace_and_a_changed_byte_another),
        cmocka_unit_test(test_one_endpoint_more_shifts_no_draw_of_another_link),
        cmocka_unit_test(test_presets_are_found_and_have_sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
