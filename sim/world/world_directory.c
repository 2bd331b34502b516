/* The directory: whom clients take for the leader (a proxy, a virtual address, a DNS name).
 *
 *     node --MESSAGE_CLAIM--> accepted or not --MESSAGE_CLAIM_ANSWER--> node
 *                                 | learn_ns later
 *                                 +--MESSAGE_DIRECTORY_TELL--> every client group
 *
 * A claim under a higher epoch wins, and one under the same epoch by the holder itself;
 * with CLAIMS_LAST the latest claim wins whatever its epoch. What clients are told lags by
 * `learn`: they have to be reconfigured, and that time is part of what a failover costs. A
 * group that cannot be reached is told again every `refresh` until it can. Groups may also
 * ask.
 *
 * It holds the node that leads at the first start, under epoch 0, so any claim with an
 * epoch replaces it. It is one process that never fails, but it has a place and can be cut
 * off.
 */
#include "sim/world/world_internal.h"

#include <stdlib.h>
#include <string.h>

#include "sim/kernel/check.h"

static void learn_fire(struct kernel *kernel, const struct event *event);
static void refresh_fire(struct kernel *kernel, const struct event *event);

static const struct event_type learn_event = {"learn", EVENT_ID('l', 'r', 'n', ' '),
                                              learn_fire};
static const struct event_type refresh_event = {"refresh", EVENT_ID('r', 'f', 's', 'h'),
                                                refresh_fire};

/* ---- telling clients ---- */

static void tell(struct world *world, uint32_t group)
{
    unsigned char bytes[12];
    put_u32(bytes, world->directory.told_node);
    put_u64(bytes + 4, world->directory.told_epoch);
    struct payload *payload = payload_create(bytes_of(bytes, sizeof bytes), NULL, 0);
    network_send(world->network, world->directory.endpoint, group, MESSAGE_CLIENT,
                 MESSAGE_DIRECTORY_TELL, payload);
    payload_release(payload);
}

static void tell_all(struct world *world)
{
    struct directory *directory = &world->directory;
    uint32_t endpoints = network_count(world->network);
    uint32_t groups = endpoints - directory->first_group;
    if (groups > directory->groups_capacity) {
        directory->is_told = xrealloc(directory->is_told, groups * sizeof *directory->is_told);
        memset(directory->is_told + directory->groups_capacity, 0,
               groups - directory->groups_capacity);
        directory->groups_capacity = groups;
    }
    bool missing = false;
    for (uint32_t i = 0; i < groups; i++) {
        uint32_t group = directory->first_group + i;
        if (directory->is_told[i]) continue;
        if (network_reachable(world->network, directory->endpoint, group, MESSAGE_CLIENT)) {
            tell(world, group);
            directory->is_told[i] = true;
        } else {
            missing = true;
        }
    }
    if (missing && world->config.directory.refresh_ns > 0 &&
        !kernel_pending(world->kernel, directory->refresh))
        directory->refresh = kernel_schedule(
            world->kernel, kernel_now(world->kernel) + world->config.directory.refresh_ns,
            &refresh_event, world, directory->endpoint, 0, 0);
}

static void refresh_fire(struct kernel *kernel, const struct event *event)
{
    (void)kernel;
    tell_all(event->context);
}

static void learn_fire(struct kernel *kernel, const struct event *event)
{
    (void)kernel;
    struct world *world = event->context;
    struct directory *directory = &world->directory;
    bool is_news = directory->told_node != (uint32_t)event->a;
    directory->told_node = (uint32_t)event->a;
    directory->told_epoch = event->b;
    if (!is_news) return;
    if (directory->groups_capacity) memset(directory->is_told, 0, directory->groups_capacity);
    story_tell(world,
               &(struct story_line){.kind = TIMELINE_DECISION,
                                    .what = "directory",
                                    .endpoint = directory->endpoint,
                                    .peer = directory->told_node,
                                    .until_ns = -1},
               "clients are sent to %s", world_endpoint_name(world, directory->told_node));
    tell_all(world);
}

/* ---- claims ---- */

static bool accepts(const struct world *world, uint32_t node, uint64_t epoch)
{
    const struct directory *directory = &world->directory;
    if (world->config.directory.claims == CLAIMS_LAST || epoch > directory->epoch) return true;
    return epoch == directory->epoch && node == directory->node;
}

static void claim(struct world *world, uint32_t from, struct bytes bytes)
{
    struct directory *directory = &world->directory;
    if (bytes.size != 12) return;
    const unsigned char *p = bytes.data;
    uint32_t node = get_u32(p);
    uint64_t epoch = get_u64(p + 4);
    bool accepted = node < world->nodes_count && accepts(world, node, epoch);
    if (accepted && (node != directory->node || epoch != directory->epoch)) {
        bool moved = node != directory->node;
        directory->node = node;
        directory->epoch = epoch;
        story_fact(world, FACT_LEADER, directory->endpoint, node, epoch, 0);
        /* The same node under a new epoch: clients need not be told, only those who ask. */
        if (moved || directory->told_node != node)
            kernel_schedule(world->kernel,
                            kernel_now(world->kernel) + world->config.directory.learn_ns,
                            &learn_event, world, directory->endpoint, node, epoch);
        else
            directory->told_epoch = epoch;
    }
    unsigned char answer[13];
    answer[0] = accepted;
    put_u32(answer + 1, directory->node);
    put_u64(answer + 5, directory->epoch);
    struct payload *payload = payload_create(bytes_of(answer, sizeof answer), NULL, 0);
    network_send(world->network, directory->endpoint, from, MESSAGE_CONTROL,
                 MESSAGE_CLAIM_ANSWER, payload);
    payload_release(payload);
}

static void directory_receive(void *context, uint32_t from, enum message_class message_class,
                              uint32_t kind, struct payload *payload)
{
    (void)message_class;
    struct world *world = context;
    if (kind == MESSAGE_CLAIM)
        claim(world, from, payload_bytes(payload));
    else if (kind == MESSAGE_DIRECTORY_ASK)
        tell(world, from);
}

/* ---- life ---- */

void directory_create(struct world *world)
{
    struct directory *directory = &world->directory;
    directory->endpoint =
        network_add(world->network, "directory", world->config.directory.region,
                    NETWORK_OWN_MACHINE, directory_receive, world);
    directory->node = directory->told_node = world->config.leader_initial;
    directory->first_group = directory->endpoint + 1 + world->config.stores_count;
}

void directory_start(struct world *world)
{
    story_fact(world, FACT_LEADER, world->directory.endpoint, world->directory.node, 0, 0);
    tell_all(world);
}

void directory_destroy(struct world *world)
{
    free(world->directory.is_told);
}
