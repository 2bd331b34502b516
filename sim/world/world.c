/* The world of one run: kernel, network, nodes, managers, directory, second stores and the
 * fault schedule, assembled.
 *
 * Endpoints, in this order, which is also how the scenario numbers places:
 *
 *     0 .. nodes-1          data nodes; the machine of node i has number i
 *     nodes ..              managers, on the machine of a node or on one of their own
 *     then                  the directory
 *     then                  second stores
 *     then                  client groups, added by the workload
 *
 * Machines and processes: a crash, start or pause concerns one process. Power is the
 * machine's: world_power_off (actions power_off and reboot, STONITH) stops a node and the
 * managers beside it, and starting the node starts them again. A manager named by itself
 * stops alone.
 *
 * The end of a run (world_finish): faults that are open end, the network heals, what is
 * paused resumes, what is down starts, virtual time goes on for `quiesce`, and then every
 * node that is up is read through, at no cost and without effect on it.
 */
#include "sim/world/world_internal.h"

#include <stdlib.h>
#include <string.h>

#include "sim/kernel/check.h"
#include "sim/record/token.h"

#define NOBODY UINT32_MAX
#define MANAGER_DISK "ssd_plp"
#define MANAGER_DISK_BYTES (INT64_C(64) << 20)
#define MANAGER_CACHE_BYTES (INT64_C(1) << 20)

static void inspect_fire(struct kernel *kernel, const struct event *event);

static const struct event_type inspect_event = {"inspect", EVENT_ID('i', 'n', 's', 'p'),
                                                inspect_fire};

/* ---- assembly ---- */

static void node_add(struct world *world, const struct node_config *config, uint32_t region)
{
    struct node_listener listener = world_listener;
    listener.context = world;
    if (!world->wants_syncs) listener.batch = NULL;
    uint32_t directory = world->nodes_count + world->managers_count;
    struct node *node =
        node_create(world->kernel, world->network, directory, config, world->peers,
                    world->nodes_count, world->managers_count, &listener);
    uint32_t machine = config->is_manager ? config->manager_node : config->endpoint;
    uint32_t endpoint =
        network_add(world->network, config->name, region,
                    machine == NOBODY ? NETWORK_OWN_MACHINE : machine, node_receive, node);
    CHECK(endpoint == config->endpoint);
    world->nodes[endpoint] = node;
}

static void nodes_create(struct world *world)
{
    const struct world_config *config = &world->config;
    struct node_config common = {.manager_node = NOBODY,
                                 .engine = config->engine,
                                 .engine_options = config->engine_options,
                                 .engine_sync = config->engine_sync,
                                 .sync_every_ns = config->engine_sync_every_ns,
                                 .scheme = config->scheme,
                                 .scheme_options = config->scheme_options,
                                 .leader_initial = config->leader_initial,
                                 .batch = config->batch,
                                 .inbox_max = config->inbox_max,
                                 .read_lanes = config->read_lanes,
                                 .handler_ns = config->handler_ns,
                                 .maintain_every_ns = config->maintain_every_ns,
                                 .maintain_budget_bytes = config->maintain_budget_bytes};
    for (uint32_t i = 0; i < world->nodes_count; i++) {
        struct node_config node = common;
        node.name = config->nodes[i].name;
        node.endpoint = i;
        node.disk = config->nodes[i].disk;
        node.clock = config->nodes[i].clock;
        node_add(world, &node, config->nodes[i].region);
    }
    for (uint32_t i = 0; i < world->managers_count; i++) {
        struct node_config node = common;
        node.name = config->managers[i].name;
        node.endpoint = world->nodes_count + i;
        node.is_manager = true;
        node.manager_node = config->managers[i].node;
        node.clock = config->managers[i].clock;
        node.engine = NULL;
        node.engine_options = NULL;
        node.engine_sync = false;
        node.sync_every_ns = 0;
        node.scheme = config->scheme->manager;
        node.disk = disk_preset_find(MANAGER_DISK)->config;
        node.disk.capacity_bytes = MANAGER_DISK_BYTES;
        node.disk.cache_bytes = MANAGER_CACHE_BYTES;
        node_add(world, &node, config->managers[i].region);
    }
}

struct world *world_create(const struct world_config *config, struct kernel *kernel,
                           struct records *records)
{
    CHECK(config->nodes_count > 0 && config->leader_initial < config->nodes_count);
    CHECK(!config->managers_count || config->scheme->manager);
    struct world *world = xcalloc(1, sizeof *world);
    world->config = *config;
    world->kernel = kernel;
    world->records = records;
    world->nodes_count = config->nodes_count;
    world->managers_count = config->managers_count;
    world->network = network_create(kernel, &config->network);
    uint32_t count = world_endpoints(world);
    world->nodes = xcalloc(count, sizeof *world->nodes);
    world->peers = xcalloc(count, sizeof *world->peers);
    world->roles = xcalloc(count, sizeof *world->roles);
    world->epochs = xcalloc(count, sizeof *world->epochs);
    world->was_up = xcalloc(count, sizeof *world->was_up);
    for (uint32_t i = 0; i < count; i++) {
        bool is_node = i < config->nodes_count;
        uint32_t k = is_node ? i : i - config->nodes_count;
        uint32_t region = is_node ? config->nodes[k].region : config->managers[k].region;
        world->peers[i].name = is_node ? config->nodes[k].name : config->managers[k].name;
        world->peers[i].region =
            region < config->regions_count ? config->regions[region].name : "";
    }
    faults_create(world);
    nodes_create(world);
    directory_create(world);
    stores_create(world);
    return world;
}

void world_destroy(struct world *world)
{
    if (!world) return;
    faults_destroy(world);
    for (uint32_t i = 0; i < world_endpoints(world); i++) node_destroy(world->nodes[i]);
    stores_destroy(world);
    directory_destroy(world);
    network_destroy(world->network);
    free(world->nodes);
    free(world->peers);
    free(world->roles);
    free(world->epochs);
    free(world->was_up);
    free(world->said);
    free(world->pausables);
    free(world);
}

static void inspect_schedule(struct world *world)
{
    kernel_schedule(world->kernel, kernel_now(world->kernel) + world->config.inspect_every_ns,
                    &inspect_event, world, NOBODY, 0, 0);
}

static void inspect_fire(struct kernel *kernel, const struct event *event)
{
    (void)kernel;
    struct world *world = event->context;
    for (uint32_t i = 0; i < world->nodes_count; i++) {
        if (!node_is_up(world->nodes[i])) continue;
        const struct scheme_inspection *seen = node_inspection(world->nodes[i]);
        story_fact(world, FACT_INSPECT, i, seen->applied_position, seen->commit_position,
                   seen->lag_ns > 0 ? (uint64_t)seen->lag_ns : 0);
    }
    if (!world->is_finishing) inspect_schedule(world);
}

void world_start(struct world *world)
{
    CHECK(!world->has_started);
    world->has_started = true;
    faults_start(world);
    directory_start(world);
    for (uint32_t i = 0; i < world_endpoints(world); i++) node_start(world->nodes[i]);
    if (world->config.inspect_every_ns > 0) inspect_schedule(world);
}

/* ---- looking in ---- */

struct kernel *world_kernel(struct world *world)
{
    return world->kernel;
}
struct network *world_network(struct world *world)
{
    return world->network;
}
struct records *world_records(struct world *world)
{
    return world->records;
}
uint32_t world_nodes(const struct world *world)
{
    return world->nodes_count;
}
uint32_t world_managers(const struct world *world)
{
    return world->managers_count;
}
uint32_t world_endpoints(const struct world *world)
{
    return world->nodes_count + world->managers_count;
}
uint32_t world_directory(const struct world *world)
{
    return world->directory.endpoint;
}

struct node *world_node(struct world *world, uint32_t endpoint)
{
    CHECK(endpoint < world_endpoints(world));
    return world->nodes[endpoint];
}

uint32_t world_store_find(const struct world *world, const char *name)
{
    for (uint32_t i = 0; i < world->config.stores_count; i++)
        if (!strcmp(world->config.stores[i].name, name)) return world->stores[i].endpoint;
    return NOBODY;
}

const char *world_endpoint_name(void *context, uint32_t endpoint)
{
    struct world *world = context;
    return endpoint < network_count(world->network) ? network_name(world->network, endpoint)
                                                    : NULL;
}

uint32_t world_leader(const struct world *world)
{
    uint32_t leader = NOBODY;
    for (uint32_t i = 0; i < world->nodes_count; i++)
        if (node_is_up(world->nodes[i]) && world->roles[i] == ROLE_LEADER &&
            (leader == NOBODY || world->epochs[i] > world->epochs[leader]))
            leader = i;
    return leader;
}

/* ---- client groups ---- */

void world_on_pause(struct world *world, uint32_t endpoint,
                    void (*pause)(void *context, bool paused), void *context)
{
    if (world->pausables_count == world->pausables_capacity) {
        world->pausables_capacity =
            world->pausables_capacity ? world->pausables_capacity * 2 : 8;
        world->pausables =
            xrealloc(world->pausables, world->pausables_capacity * sizeof *world->pausables);
    }
    world->pausables[world->pausables_count++] =
        (struct pausable){.endpoint = endpoint, .pause = pause, .context = context};
}

void world_operation(struct world *world, enum operation_type type,
                     enum history_outcome outcome)
{
    bool is_write = type == OPERATION_WRITE || type == OPERATION_DELETE ||
                    type == OPERATION_INSERT || type == OPERATION_COMPARE_AND_SET;
    if (outcome == OUTCOME_COUNT)
        faults_notice(world, TRIGGER_INVOKED, NOBODY);
    else if (outcome == OUTCOME_OK && is_write)
        faults_notice(world, TRIGGER_ACKNOWLEDGED, NOBODY);
}

/* ---- ways to stop, by place ---- */

bool world_power_off(struct world *world, uint32_t endpoint, enum disk_power_mode mode,
                     enum down_cause cause)
{
    bool ran = node_power_off(world->nodes[endpoint], mode, cause);
    if (endpoint >= world->nodes_count) return ran;
    for (uint32_t i = 0; i < world->managers_count; i++)
        if (world->config.managers[i].node == endpoint)
            ran |= node_power_off(world->nodes[world->nodes_count + i], mode, cause);
    return ran;
}

bool world_start_place(struct world *world, uint32_t endpoint)
{
    bool started = node_start(world->nodes[endpoint]);
    if (endpoint >= world->nodes_count) return started;
    for (uint32_t i = 0; i < world->managers_count; i++)
        if (world->config.managers[i].node == endpoint)
            started |= node_start(world->nodes[world->nodes_count + i]);
    return started;
}

static struct pausable *pausable_find(struct world *world, uint32_t endpoint)
{
    for (uint32_t i = 0; i < world->pausables_count; i++)
        if (world->pausables[i].endpoint == endpoint) return &world->pausables[i];
    return NULL;
}

static bool set_paused(struct world *world, uint32_t endpoint, bool paused)
{
    if (endpoint < world_endpoints(world)) {
        struct node *node = world->nodes[endpoint];
        if (!(paused ? node_pause(node) : node_resume(node))) return false;
    } else {
        struct pausable *group = pausable_find(world, endpoint);
        if (!group || group->is_paused == paused) return false;
        group->is_paused = paused;
        group->pause(group->context, paused);
    }
    story_fact(world, paused ? FACT_PAUSED : FACT_RESUMED, endpoint, 0, 0, 0);
    story_turn(world);
    story_tell(world,
               &(struct story_line){.kind = TIMELINE_NODE,
                                    .endpoint = endpoint,
                                    .peer = NOBODY,
                                    .what = paused ? "paused" : "resumed",
                                    .until_ns = -1},
               paused ? "%s freezes" : "%s goes on", world_endpoint_name(world, endpoint));
    return true;
}

bool world_pause_place(struct world *world, uint32_t endpoint)
{
    return set_paused(world, endpoint, true);
}
bool world_resume_place(struct world *world, uint32_t endpoint)
{
    return set_paused(world, endpoint, false);
}

bool world_is_paused(struct world *world, uint32_t endpoint)
{
    if (endpoint < world_endpoints(world)) return node_is_paused(world->nodes[endpoint]);
    const struct pausable *group = pausable_find(world, endpoint);
    return group && group->is_paused;
}

/* ---- finish ---- */

static void heal_all(struct world *world)
{
    for (uint32_t i = 0; i < world->config.faults_count; i++) faults_end(world, i, false);
    network_heal(world->network);
    for (uint32_t i = 0; i < network_count(world->network); i++)
        if (world_is_paused(world, i)) world_resume_place(world, i);
}

struct final_read {
    struct world *world;
    uint32_t node;
    uint64_t keys, hash;
};

static void final_each(void *context, struct bytes key, struct bytes value)
{
    struct final_read *final = context;
    uint32_t name = history_intern(final->world->records->history, key.data, key.size);
    uint64_t hash = hash_bytes(value.data, value.size, 0);
    story_fact(final->world, FACT_FINAL, final->node, name,
               token_parse(value.data, value.size, NULL), hash);
    final->keys++;
    final->hash += mix64(hash_bytes(key.data, key.size, 1) ^ mix64(hash));
}

static void read_nodes(struct world *world)
{
    for (uint32_t i = 0; i < world->nodes_count; i++) {
        if (!node_is_up(world->nodes[i])) continue;
        struct final_read final = {.world = world, .node = i};
        int error = node_each(world->nodes[i], final_each, &final);
        story_fact(world, FACT_FINAL_COUNT, i, final.keys, final.hash, error == 0);
        kernel_fold(world->kernel, final.hash);
    }
}

enum kernel_stop world_finish(struct world *world, const struct world_finish *finish)
{
    world->is_finishing = true;
    faults_close(world);
    char time[32];
    story_turn(world);
    story_tell(world,
               &(struct story_line){.kind = TIMELINE_PHASE,
                                    .endpoint = NOBODY,
                                    .peer = NOBODY,
                                    .what = "finish",
                                    .until_ns = -1},
               "finish: %s%squiet for %s", finish->heal ? "all faults end, " : "",
               finish->restart ? "what is down starts, " : "",
               duration_format(finish->quiesce_ns, time, sizeof time));
    if (finish->heal) heal_all(world);
    if (finish->restart)
        for (uint32_t i = 0; i < world_endpoints(world); i++) node_start(world->nodes[i]);
    int64_t until = kernel_now(world->kernel) + finish->quiesce_ns;
    enum kernel_stop stop = kernel_run(world->kernel, until);
    if (stop == KERNEL_DONE) read_nodes(world);
    return stop;
}
