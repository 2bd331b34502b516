/* The world: kernel, network, nodes, managers, directory, second stores, the fault schedule
 * and the records, assembled for one run and freed whole.
 *
 *     struct world *w = world_create(&config, kernel, &records);
 *     ... the workload adds its client groups as endpoints (world_network) ...
 *     world_start(w);
 *     kernel_run(kernel, duration);
 *     world_finish(w, &finish);              // heals, restarts, quiesces
 *     world_destroy(w);
 */
#ifndef FAULTLINE_SIM_WORLD_WORLD_H
#define FAULTLINE_SIM_WORLD_WORLD_H

#include "sim/record/facts.h"
#include "sim/record/history.h"
#include "sim/record/timeline.h"
#include "sim/world/faults.h"
#include "sim/world/node.h"

struct records {
    struct history *history;
    struct facts facts;
    struct timeline timeline;
};

struct world_region {
    const char *name;
};
struct world_node {
    const char *name;
    uint32_t region;
    struct disk_config disk;
    struct clock_config clock;
};
struct world_manager {
    const char *name;
    uint32_t region;
    uint32_t node; /* UINT32_MAX: own machine in the region */
    struct clock_config clock;
};
/* A second store: always up, linearizable, latency of service. */
struct world_store {
    const char *name;
    uint32_t region;
    int64_t latency_ns;
};
enum directory_claims { CLAIMS_HIGHEST_EPOCH, CLAIMS_LAST };
struct world_directory {
    uint32_t region;
    int64_t learn_ns;   /* from a claim accepted until clients are told */
    int64_t refresh_ns; /* how often clients that were not reached are told again */
    enum directory_claims claims;
};

struct world_config {
    const struct world_region *regions;
    uint32_t regions_count;
    const struct world_node *nodes;
    uint32_t nodes_count;
    const struct world_manager *managers;
    uint32_t managers_count; /* names "manager@PLACE" */
    const struct world_store *stores;
    uint32_t stores_count;
    struct world_directory directory;
    struct network_config network;
    const struct engine_ops *engine;
    const void *engine_options;
    bool engine_sync;
    int64_t engine_sync_every_ns;
    const struct scheme_ops *scheme;
    const void *scheme_options;
    uint32_t leader_initial;
    int64_t batch, inbox_max, read_lanes, handler_ns, maintain_every_ns, maintain_budget_bytes;
    const struct fault_plan *faults;
    uint32_t faults_count;    /* the timeline, in file order */
    int64_t inspect_every_ns; /* samples FACT_INSPECT for series; 0: none */
};
/* Endpoint order is fixed: nodes, managers, directory ("directory"), stores by name; the
 * workload's groups follow. */

struct world;
struct world *world_create(const struct world_config *config, struct kernel *kernel,
                           struct records *records);
void world_destroy(struct world *world);
/* Boots all nodes at time 0 and schedules the fault plan. Call once, after the workload has
 * added its endpoints. */
void world_start(struct world *world);

struct kernel *world_kernel(struct world *world);
struct network *world_network(struct world *world);
struct records *world_records(struct world *world);
uint32_t world_nodes(const struct world *world);
uint32_t world_managers(const struct world *world);
struct node *world_node(struct world *world, uint32_t endpoint); /* nodes and managers */
uint32_t world_directory(const struct world *world);             /* endpoint */
/* Endpoint, or UINT32_MAX. */
uint32_t world_store_find(const struct world *world, const char *name);
const char *world_endpoint_name(void *world, uint32_t endpoint);
/* The up node that leads under the highest epoch, or UINT32_MAX. */
uint32_t world_leader(const struct world *world);

/* Client groups that can be paused: the workload registers them. */
void world_on_pause(struct world *world, uint32_t endpoint,
                    void (*pause)(void *context, bool paused), void *context);
/* Told at each acknowledged operation and invoked operation by the workload, for triggers. */
void world_operation(struct world *world, enum operation_type type,
                     enum history_outcome outcome);

struct world_finish {
    bool heal, restart;
    int64_t quiesce_ns;
    bool read_all;
};
/* Ends pending faults, heals, starts what is down, runs `quiesce`, records FACT_FINAL and
 * FACT_FINAL_COUNT of each node that is up. Ends at now + quiesce. */
enum kernel_stop world_finish(struct world *world, const struct world_finish *finish);

/* Evidence of each fault entry, after the run. */
uint64_t world_fault_effects(const struct world *world, uint32_t index);
bool world_fault_fired(const struct world *world, uint32_t index);
bool world_any_fault_hit_engine(const struct world *world);

#endif
