/* The tables of the scenario format, and its shape.
 *
 * The order of rows is that of the reference. A default that stands here is the one that the
 * plan gets: there is no second place. Where a preset gives the default (disk, network) the row
 * has none and is optional.
 */
#include "sim/scenario/format.h"

#include <string.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define HOUR (3600 * NS_PER_S)

static const char *const ties_words[] = {"fifo", "seeded", NULL};
static const char *const heal_words[] = {"all", "none", NULL};
static const char *const evidence_words[] = {"required", "optional", NULL};
static const char *const claims_words[] = {"highest_epoch", "last", NULL};

/* ---- tables ---- */

static const struct option top_rows[] = {
    {"name", OPTION_STRING, offsetof(struct top_keys, name), NULL, 0, 0, NULL,
     "Names the scenario in results and reports: letters, digits, - _ .", OPTION_INERT},
    {"about", OPTION_STRING, offsetof(struct top_keys, about), NULL, 0, 0, NULL,
     "What happens and why it matters, in a sentence or two.", OPTION_OPTIONAL | OPTION_INERT},
    {"source", OPTION_STRING, offsetof(struct top_keys, source), NULL, 0, 0, NULL,
     "Where the incident or algorithm is described.", OPTION_OPTIONAL | OPTION_INERT},
    {"seed", OPTION_STRING, offsetof(struct top_keys, seed), "1", 0, 0, NULL,
     "The run's only entropy: a decimal number from 0 to 9223372036854775807.", 0},
    {"duration", OPTION_DURATION, offsetof(struct top_keys, duration_ns), NULL, 1,
     100000 * HOUR, NULL, "How long clients and faults go on; `finish` follows.", 0},
    {"ties", OPTION_WORD, offsetof(struct top_keys, ties), "fifo", 0, 0, ties_words,
     "Order of events of one instant: as scheduled, or shuffled by seed to hunt for order "
     "bugs.",
     0},
};
static const struct option finish_rows[] = {
    {"heal", OPTION_WORD, offsetof(struct finish_keys, heal), "all", 0, 0, heal_words,
     "Ends every fault that still lasts.", 0},
    {"restart", OPTION_YESNO, offsetof(struct finish_keys, restart), "yes", 0, 0, NULL,
     "Starts every node that is down or paused.", 0},
    {"quiesce", OPTION_DURATION, offsetof(struct finish_keys, quiesce_ns), "30s", 0,
     1000 * HOUR, NULL, "Time without new operations for the cluster to converge.", 0},
    {"read_all", OPTION_YESNO, offsetof(struct finish_keys, read_all), "yes", 0, 0, NULL,
     "Reads every key and row back through the leader; checks of final states need it.", 0},
};
static const struct option cluster_rows[] = {
    {"batch", OPTION_INT, offsetof(struct cluster_keys, batch), "64", 1, 1000000, NULL,
     "Inbox entries that a node handles before one flush (group commit).", 0},
    {"inbox", OPTION_INT, offsetof(struct cluster_keys, inbox_max), "10000", 1, 100000000, NULL,
     "Messages that a busy node holds; more are dropped and counted.", 0},
    {"read_lanes", OPTION_INT, offsetof(struct cluster_keys, read_lanes), "8", 1, 100000, NULL,
     "Reads that a node serves beside its server thread.", 0},
    {"handler_cost", OPTION_DURATION, offsetof(struct cluster_keys, handler_ns), "2us", 0, HOUR,
     NULL, "CPU time of one inbox entry.", 0},
    {"maintain_every", OPTION_DURATION, offsetof(struct cluster_keys, maintain_every_ns),
     "100ms", 1, 1000 * HOUR, NULL, "How often the background lane looks for work when idle.",
     0},
    {"maintain_budget", OPTION_SIZE, offsetof(struct cluster_keys, maintain_budget_bytes),
     "256KiB", 1, INT64_C(1) << 40, NULL, "Bytes of one slice of background work.", 0},
    {"inspect_every", OPTION_DURATION, offsetof(struct cluster_keys, inspect_every_ns), "1s", 0,
     1000 * HOUR, NULL, "Sampling of positions and lag for series.csv; 0s: none.", 0},
};
static const struct option clocks_rows[] = {
    {"offset", OPTION_DURATION, 0, "0s", -1000 * HOUR, 1000 * HOUR, NULL,
     "Wall clock error at the start: 5ms draws each node's in -5ms..5ms, a range draws within "
     "it.",
     0},
    {"drift", OPTION_FRACTION, 0, "0ppm", -900000, 900000, NULL,
     "Rate error of wall and monotonic clock, drawn a node in the same way.", 0},
};
static const struct option disk_rows[] = {
    {"read_latency", OPTION_DIST, offsetof(struct disk_config, read_latency), NULL, 0, 0, NULL,
     "One read that misses the cache; transfer time comes on top.", OPTION_OPTIONAL},
    {"write_latency", OPTION_DIST, offsetof(struct disk_config, write_latency), NULL, 0, 0,
     NULL, "One write at the device.", OPTION_OPTIONAL},
    {"sync_latency", OPTION_DIST, offsetof(struct disk_config, sync_latency), NULL, 0, 0, NULL,
     "One sync (flush of the device's cache).", OPTION_OPTIONAL},
    {"read_bandwidth", OPTION_BANDWIDTH, offsetof(struct disk_config, read_bytes_per_s), NULL,
     0, INT64_C(1) << 50, NULL, "Transfer rate of reads.", OPTION_OPTIONAL},
    {"write_bandwidth", OPTION_BANDWIDTH, offsetof(struct disk_config, write_bytes_per_s), NULL,
     0, INT64_C(1) << 50, NULL, "Transfer rate of writes.", OPTION_OPTIONAL},
    {"queue_depth", OPTION_INT, offsetof(struct disk_config, queue_depth), NULL, 1, 65536, NULL,
     "Operations served in parallel.", OPTION_OPTIONAL},
    {"cache", OPTION_SIZE, offsetof(struct disk_config, cache_bytes), NULL, 0, INT64_C(1) << 50,
     NULL, "Page cache; cold after power_off or evict.", OPTION_OPTIONAL},
    {"cache_hit", OPTION_DURATION, offsetof(struct disk_config, cache_hit_ns), NULL, 0,
     NS_PER_S, NULL, "Cost of a read that hits the cache.", OPTION_OPTIONAL},
    {"cache_write", OPTION_DURATION, offsetof(struct disk_config, cache_write_ns), NULL, 0,
     NS_PER_S, NULL, "Cost of a buffered write; the device is charged at sync.",
     OPTION_OPTIONAL},
    {"copy_read", OPTION_BANDWIDTH, offsetof(struct disk_config, copy_read_bytes_per_s), NULL,
     0, INT64_C(1) << 50, NULL, "Copying out of the cache, on top of `cache_hit`.",
     OPTION_OPTIONAL},
    {"copy_write", OPTION_BANDWIDTH, offsetof(struct disk_config, copy_write_bytes_per_s), NULL,
     0, INT64_C(1) << 50, NULL, "Copying into the cache, on top of `cache_write`.",
     OPTION_OPTIONAL},
    {"new_page", OPTION_DURATION, offsetof(struct disk_config, new_page_ns), NULL, 0, NS_PER_S,
     NULL, "More of a write that brings new pages into the cache.", OPTION_OPTIONAL},
    {"sync_metadata", OPTION_DIST, offsetof(struct disk_config, sync_metadata), NULL, 0, 0,
     NULL,
     "More of a sync that commits metadata too: the file's length changed, or it is a "
     "directory's.",
     OPTION_OPTIONAL},
    {"name_change", OPTION_DURATION, offsetof(struct disk_config, name_ns), NULL, 0, NS_PER_S,
     NULL, "Create, rename or unlink, before any sync.", OPTION_OPTIONAL},
    {"grow_rate", OPTION_BANDWIDTH, offsetof(struct disk_config, grow_bytes_per_s), NULL, 0,
     INT64_C(1) << 50, NULL, "How fast a sync finds blocks for bytes behind the old end.",
     OPTION_OPTIONAL},
    {"free_rate", OPTION_BANDWIDTH, offsetof(struct disk_config, free_bytes_per_s), NULL, 0,
     INT64_C(1) << 50, NULL, "How fast unlink and truncate give space back.", OPTION_OPTIONAL},
    {"capacity", OPTION_SIZE, offsetof(struct disk_config, capacity_bytes), NULL, 0,
     INT64_C(1) << 60, NULL, "Full beyond that (ENOSPC); 0B: never full.", OPTION_OPTIONAL},
    {"power_mode", OPTION_WORD, offsetof(struct disk_config, power_mode), NULL, 0, 0,
     disk_power_mode_words,
     "What power loss leaves of unsynced writes, unless the action says.", OPTION_OPTIONAL},
    {"directory_mode", OPTION_WORD, offsetof(struct disk_config, directory_mode), NULL, 0, 0,
     disk_directory_mode_words, "What it leaves of unsynced names: a prefix, or any subset.",
     OPTION_OPTIONAL},
};
static const struct option network_rows[] = {
    {"latency", OPTION_DIST, offsetof(struct network_config, latency), NULL, 0, 0, NULL,
     "One way, inside a region.", OPTION_OPTIONAL},
    {"local_latency", OPTION_DIST, offsetof(struct network_config, local_latency), NULL, 0, 0,
     NULL, "Between endpoints of one machine.", OPTION_OPTIONAL},
    {"between_regions", OPTION_DIST, offsetof(struct network_config, between_regions), NULL, 0,
     0, NULL, "One way, between regions that no route names.", OPTION_OPTIONAL},
    {"bandwidth", OPTION_BANDWIDTH, offsetof(struct network_config, bytes_per_s), NULL, 0,
     INT64_C(1) << 50, NULL, "Of a link, each direction.", OPTION_OPTIONAL},
    {"loss", OPTION_FRACTION, offsetof(struct network_config, loss_ppm), NULL, 0, 1000000, NULL,
     "Datagrams lost; on ordered streams each costs a retransmission.", OPTION_OPTIONAL},
    {"duplicate", OPTION_FRACTION, offsetof(struct network_config, duplicate_ppm), NULL, 0,
     1000000, NULL, "Datagrams that arrive twice.", OPTION_OPTIONAL},
    {"reorder", OPTION_FRACTION, offsetof(struct network_config, reorder_ppm), NULL, 0, 1000000,
     NULL, "Datagrams that are held back.", OPTION_OPTIONAL},
    {"reorder_delay", OPTION_DURATION, offsetof(struct network_config, reorder_ns), NULL, 0,
     HOUR, NULL, "At most that long.", OPTION_OPTIONAL},
    {"retransmit", OPTION_DURATION, offsetof(struct network_config, retransmit_ns), NULL, 0,
     HOUR, NULL, "Delay that one lost segment adds to an ordered stream.", OPTION_OPTIONAL},
    {"reconnect", OPTION_DURATION, offsetof(struct network_config, reconnect_ns), NULL, 0, HOUR,
     NULL, "From a heal to the first message through an ordered stream.", OPTION_OPTIONAL},
    {"transport", OPTION_WORD, offsetof(struct network_config, transport), NULL, 0, 0,
     network_transport_words, "Streams that break and reconnect, or datagrams.",
     OPTION_OPTIONAL},
    {"in_flight", OPTION_WORD, offsetof(struct network_config, in_flight), NULL, 0, 0,
     network_in_flight_words,
     "What a cut does with messages, unless the action says: drop or queue.", OPTION_OPTIONAL},
};
static const struct option engine_rows[] = {
    {"name", OPTION_STRING, 0, NULL, 0, 0, NULL, "The storage engine under every node.", 0},
    {"sync", OPTION_STRING, 0, "always", 0, 0, NULL,
     "always: every write is durable when it returns; never; or an interval such as 100ms.", 0},
};
static const struct option replication_rows[] = {
    {"scheme", OPTION_STRING, 0, NULL, 0, 0, NULL, "The replication scheme.", 0},
    {"leader", OPTION_NODE, 0, NULL, 0, 0, NULL,
     "The node that leads at the first start (default: the first node).", OPTION_OPTIONAL},
};
static const struct option directory_rows[] = {
    {"region", OPTION_STRING, offsetof(struct directory_keys, region), NULL, 0, 0, NULL,
     "Where it stands (default: the first region).", OPTION_OPTIONAL},
    {"learn", OPTION_DURATION, offsetof(struct directory_keys, learn_ns), "0s", 0, 1000 * HOUR,
     NULL, "From an accepted claim until clients are told: they have to be reconfigured.", 0},
    {"refresh", OPTION_DURATION, offsetof(struct directory_keys, refresh_ns), "1s", 1,
     1000 * HOUR, NULL, "How often clients that were not reached are told again.", 0},
    {"claims", OPTION_WORD, offsetof(struct directory_keys, claims), "highest_epoch", 0, 0,
     claims_words, "Which claim of leadership wins.", 0},
};
static const struct option store_rows[] = {
    {"name", OPTION_STRING, offsetof(struct store_keys, name), NULL, 0, 0, NULL,
     "Named by a workload's second_store; one that is only named there exists with defaults.",
     0},
    {"region", OPTION_STRING, offsetof(struct store_keys, region), NULL, 0, 0, NULL,
     "Where it stands (default: the first region).", OPTION_OPTIONAL},
    {"latency", OPTION_DURATION, offsetof(struct store_keys, latency_ns), "500us", 0, HOUR,
     NULL, "Time of service.", 0},
};
/* Beside the rows of workload_options. */
static const struct option workload_rows[] = {
    {"name", OPTION_STRING, 0, NULL, 0, 0, NULL,
     "Names the group; it can be cut off or paused by that name.", 0},
    {"region", OPTION_STRING, 0, NULL, 0, 0, NULL,
     "Where the clients stand (default: the first region).", OPTION_OPTIONAL},
    {"machine", OPTION_NODE, 0, NULL, 0, 0, NULL,
     "The clients stand on that node's machine and are cut off with it (default: on their "
     "own).",
     OPTION_OPTIONAL},
    {"sequence", OPTION_NAMES, 0, NULL, 0, 0, NULL,
     "Closed loop: the steps of each client in turn, such as [write, wait 50ms, read].",
     OPTION_OPTIONAL},
};
static const struct option entry_rows[] = {
    {"id", OPTION_STRING, offsetof(struct entry_keys, id), NULL, 0, 0, NULL,
     "Names the entry for variants, `inert` and triggers; shown beside its effects.",
     OPTION_OPTIONAL | OPTION_INERT},
    {"about", OPTION_STRING, offsetof(struct entry_keys, about), NULL, 0, 0, NULL,
     "Why this happens.", OPTION_OPTIONAL | OPTION_INERT},
    {"at", OPTION_DURATION, offsetof(struct entry_keys, at_ns), NULL, 0, 100000 * HOUR, NULL,
     "When, from the start of the run. An entry has `at` or `when`.", OPTION_OPTIONAL},
    {"delay", OPTION_DURATION, offsetof(struct entry_keys, delay_ns), "0s", 0, 100000 * HOUR,
     NULL, "Time from the trigger to the effect.", 0},
    {"for", OPTION_DURATION, offsetof(struct entry_keys, for_ns), NULL, 1, 100000 * HOUR, NULL,
     "Ends by itself after that time; else it lasts until `heal`. May also stand among the "
     "action's keys.",
     OPTION_OPTIONAL},
    {"evidence", OPTION_WORD, offsetof(struct entry_keys, evidence), NULL, 0, 0, evidence_words,
     "Without effect the run is INVALID (default of `at`), or need not have one (default of "
     "`when`).",
     OPTION_OPTIONAL | OPTION_INERT},
};
static const struct option limits_rows[] = {
    {"events", OPTION_INT, offsetof(struct limits_keys, events), "2000000000", 1,
     INT64_C(1) << 60, NULL, "Events of a run; more fail it.", OPTION_INERT},
    {"wall", OPTION_DURATION, offsetof(struct limits_keys, wall_ns), "600s", NS_PER_MS,
     1000 * HOUR, NULL, "Host time of a run.", OPTION_INERT},
    {"memory", OPTION_SIZE, offsetof(struct limits_keys, memory_bytes), "4GiB", 1 << 20,
     INT64_C(1) << 50, NULL, "Memory of a run: messages, disks, heaps of nodes, history.",
     OPTION_INERT},
};

#define TABLE(variable, at, text)                                                              \
    const struct format_table format_##variable = {at, text, variable##_rows,                  \
                                                   ROWS(variable##_rows)}
TABLE(top, "", "The file.");
TABLE(finish, "finish", "What follows `duration`.");
TABLE(cluster, "cluster",
      "Nodes and what they run on; beside these `regions`, `disk`, `clocks` and `nodes`.");
TABLE(clocks, "cluster.clocks",
      "Clocks of all nodes; `cluster.nodes.NAME.clocks` sets one node's.");
TABLE(disk, "cluster.disk",
      "A preset's name, or a mapping with `preset` and what differs; `cluster.nodes.NAME.disk` "
      "sets one node's.");
TABLE(network, "network", "Beside these `preset` and `routes`.");
TABLE(engine, "engine", "Beside these the engine's own options.");
TABLE(replication, "replication", "Beside these the scheme's own options.");
TABLE(directory, "directory",
      "Tells clients who leads: a proxy, virtual address or name service.");
TABLE(store, "stores[]", "Second stores: always up, linearizable, joined by the client.");
TABLE(workload, "workloads[]", "Groups of clients; beside these `mix`.");
TABLE(entry, "timeline[]", "One fault each: when, and one action with its keys.");
TABLE(limits, "limits", "To exceed one is a failure with the last events shown.");

const struct format_table *const *format_tables(void)
{
    static const struct format_table *const tables[] = {&format_top,       &format_finish,
                                                        &format_cluster,   &format_clocks,
                                                        &format_disk,      &format_network,
                                                        &format_engine,    &format_replication,
                                                        &format_directory, &format_store,
                                                        &format_workload,  &format_entry,
                                                        &format_limits,    NULL};
    return tables;
}

const struct trigger_word trigger_words[] = {
    {"leader_elected", TRIGGER_LEADER_ELECTED, TRIGGER_ARGUMENT_NODE_OR_ANY,
     "That node (or any) becomes leader; the one that the configuration names at the start "
     "does not count."},
    {"down", TRIGGER_NODE_DOWN, TRIGGER_ARGUMENT_NODE_OR_ANY, "That node (or any) goes down."},
    {"up", TRIGGER_NODE_UP, TRIGGER_ARGUMENT_NODE_OR_ANY, "That node (or any) comes up."},
    {"acknowledged", TRIGGER_ACKNOWLEDGED, TRIGGER_ARGUMENT_COUNT,
     "That many writes have been acknowledged, all workloads together."},
    {"invoked", TRIGGER_INVOKED, TRIGGER_ARGUMENT_COUNT,
     "That many operations have been invoked, all workloads together."},
    {"sync", TRIGGER_SYNC, TRIGGER_ARGUMENT_NODE,
     "That node's disk has completed a sync; with nth."},
    {"fault", TRIGGER_FAULT, TRIGGER_ARGUMENT_ENTRY,
     "The entry of that id has begun; with delay."},
    {0},
};

/* ---- words ---- */

#define WORDS_OF(function, type, rows, field)                                                  \
    const char *const *function(struct arena *arena)                                           \
    {                                                                                          \
        size_t count = 0;                                                                      \
        while ((rows)[count].field) count++;                                                   \
        const char **words = arena_alloc(arena, (count + 1) * sizeof *words);                  \
        for (size_t i = 0; i < count; i++) words[i] = (rows)[i].field;                         \
        return words;                                                                          \
    }
WORDS_OF(format_check_words, struct check, check_table, name)
WORDS_OF(format_measure_words, struct measure, measure_table, name)
WORDS_OF(format_disk_words, struct disk_preset, disk_presets, name)
WORDS_OF(format_network_words, struct network_preset, network_presets, name)

const char *const *format_engine_words(struct arena *arena)
{
    size_t count = 0;
    while (engine_registry[count]) count++;
    const char **words = arena_alloc(arena, (count + 1) * sizeof *words);
    for (size_t i = 0; i < count; i++) words[i] = engine_registry[i]->name;
    return words;
}

const char *const *format_scheme_words(struct arena *arena)
{
    size_t count = 0;
    while (scheme_registry[count]) count++;
    const char **words = arena_alloc(arena, (count + 1) * sizeof *words);
    for (size_t i = 0; i < count; i++) words[i] = scheme_registry[i]->name;
    return words;
}

/* ---- shapes ---- */

static struct shape *free_text(struct arena *arena, const char *pattern)
{
    struct shape *shape = shape_text(arena, NULL);
    shape->pattern = pattern;
    return shape;
}

/* A text that must be one of these words; the option row exists for messages, JSON Schema and
 * reference. */
static struct shape *word_text(struct arena *arena, const char *name, const char *const *words)
{
    struct option *option = arena_alloc(arena, sizeof *option);
    *option = (struct option){.name = name, .type = OPTION_WORD, .words = words};
    return shape_text(arena, option);
}

static struct shape *quantity_text(struct arena *arena, enum option_type type)
{
    struct option *option = arena_alloc(arena, sizeof *option);
    *option = (struct option){.name = "", .type = type};
    return shape_text(arena, option);
}

#define DECIMAL_PATTERN "^[0-9]+([.][0-9]{1,3})?$"
#define COUNT_RANGE_PATTERN "^[0-9]+([.][.]([0-9]+)?)?$"
#define ANY_RANGE_PATTERN                                                                      \
    "^[0-9][0-9.]*(ns|us|ms|s|m|h|%|ppm)?([.][.]([0-9][0-9.]*(ns|us|ms|s|m|h|%|ppm)?)?)?$"

static struct shape *dist_shape(struct arena *arena)
{
    struct shape *dist = shape_map(arena, "distribution");
    dist->short_key = "constant";
    shape_add(arena, dist, "constant", quantity_text(arena, OPTION_DURATION),
              "Always the same; a bare quantity means this.");
    shape_add(arena, dist, "uniform", quantity_text(arena, OPTION_DURATION),
              "Uniform in a range: 1ms..2ms.");
    shape_add(arena, dist, "exponential", quantity_text(arena, OPTION_DURATION),
              "Exponential with that mean.");
    struct shape *pareto = shape_map(arena, NULL);
    shape_add(arena, pareto, "min", quantity_text(arena, OPTION_DURATION), "Smallest value.")
        ->required = true;
    shape_add(arena, pareto, "shape", free_text(arena, DECIMAL_PATTERN),
              "Alpha, up to three decimals.")
        ->required = true;
    shape_add(arena, dist, "pareto", pareto, "Pareto: a heavy tail.");
    struct shape *lognormal = shape_map(arena, NULL);
    shape_add(arena, lognormal, "median", quantity_text(arena, OPTION_DURATION), "Median.")
        ->required = true;
    shape_add(arena, lognormal, "sigma", free_text(arena, DECIMAL_PATTERN),
              "Sigma of the logarithm, up to three decimals.")
        ->required = true;
    shape_add(arena, dist, "lognormal", lognormal, "Lognormal.");
    struct shape *point = shape_map(arena, NULL);
    point->short_key = "point";
    shape_add(arena, point, "point", shape_list(arena, free_text(arena, NULL), false),
              "[cumulative share, value]");
    shape_add(
        arena, dist, "empirical", shape_list(arena, point, false),
        "Table of [cumulative share, value], rising, linear between; the last share is 100%.");
    struct shape *part = shape_map(arena, "distribution");
    shape_add(arena, part, "weight", quantity_text(arena, OPTION_FRACTION),
              "Share of draws; the weights sum to 100%.")
        ->required = true;
    shape_add(arena, dist, "mixture", shape_list(arena, part, false),
              "Parts, each with a weight and a distribution.");
    shape_add(arena, dist, "floor", quantity_text(arena, OPTION_DURATION),
              "Added to each draw of exponential, pareto, lognormal.");
    shape_add(arena, dist, "cap", quantity_text(arena, OPTION_DURATION),
              "Draws above are cut to this.");
    for (uint32_t i = 0; i < dist->count; i++)
        shape_add(arena, part, dist->fields[i].key, dist->fields[i].shape, dist->fields[i].doc);
    return dist;
}

static void add_table(struct arena *arena, struct shape *map, const struct format_table *table,
                      struct shape *dist)
{
    for (size_t i = 0; i < table->count; i++)
        if (!shape_find(map, table->options[i].name))
            shape_add_options(arena, map, &table->options[i], 1, dist);
}

static struct shape *disk_shape(struct arena *arena, struct shape *dist)
{
    struct shape *disk = shape_map(arena, NULL);
    disk->short_key = "preset";
    shape_add(arena, disk, "preset", word_text(arena, "preset", format_disk_words(arena)),
              "Where the rest comes from.")
        ->value = "ssd_plp";
    add_table(arena, disk, &format_disk, dist);
    return disk;
}

static struct shape *cluster_shape(struct arena *arena, const struct format_choice *choice,
                                   struct shape *dist)
{
    struct shape *cluster = shape_map(arena, NULL), *region = shape_map(arena, NULL);
    shape_add(arena, region, "name", free_text(arena, NULL),
              "Names the region: it stands for everything in it.")
        ->required = true;
    shape_add(arena, region, "nodes", shape_list(arena, free_text(arena, NULL), false),
              "Names of its data nodes; may be empty or absent.");
    shape_add(
        arena, cluster, "regions", shape_list(arena, region, false),
        "Regions with their nodes, in order: the first is the default place of everything.")
        ->required = true;
    struct shape *disk = disk_shape(arena, dist), *clocks = shape_map(arena, NULL);
    add_table(arena, clocks, &format_clocks, dist);
    shape_add(arena, cluster, "disk", disk, "The disk of every node: a preset, or a mapping.");
    shape_add(arena, cluster, "clocks", clocks, "Clock errors of every node.");
    struct shape *nodes = shape_map(arena, "node"), *node = shape_map(arena, NULL);
    shape_add(arena, node, "disk", disk,
              "This node's disk: what differs from cluster.disk, or another preset.");
    shape_add(arena, node, "clocks", clocks, "This node's clock.");
    if (choice->nodes)
        for (uint32_t i = 0; choice->nodes[i]; i++)
            shape_add(arena, nodes, choice->nodes[i], node, "");
    else
        nodes->any_key = node;
    shape_add(arena, cluster, "nodes", nodes, "Nodes that differ, by name.");
    add_table(arena, cluster, &format_cluster, dist);
    return cluster;
}

static struct shape *network_shape(struct arena *arena, struct shape *dist)
{
    struct shape *network = shape_map(arena, NULL), *route = shape_map(arena, NULL);
    shape_add(arena, network, "preset", word_text(arena, "preset", format_network_words(arena)),
              "Where the rest comes from.")
        ->value = "lan";
    add_table(arena, network, &format_network, dist);
    shape_add(arena, route, "between", shape_list(arena, free_text(arena, NULL), false),
              "Two regions.")
        ->required = true;
    shape_add(arena, route, "latency", dist, "One way.")->required = true;
    shape_add(arena, network, "routes", shape_list(arena, route, false),
              "Latencies between two regions.");
    return network;
}

static struct shape *workload_shape(struct arena *arena, struct shape *dist)
{
    struct shape *workload = shape_map(arena, NULL), *mix = shape_map(arena, "operation");
    shape_add_options(arena, workload, &format_workload.options[0], 1, dist);
    for (size_t i = 0; i < workload_options_count; i++)
        if (strcmp(workload_options[i].name, "name") != 0)
            shape_add_options(arena, workload, &workload_options[i], 1, dist);
    add_table(arena, workload, &format_workload, dist);
    for (uint32_t i = 0; operation_words[i]; i++)
        shape_add(arena, mix, operation_words[i], quantity_text(arena, OPTION_FRACTION), "");
    shape_add(arena, workload, "mix", mix, "Shares of operations, which sum to 100%.");
    return workload;
}

static struct shape *timeline_shape(struct arena *arena, struct shape *dist)
{
    struct shape *entry = shape_map(arena, "action"), *when = shape_map(arena, "trigger");
    add_table(arena, entry, &format_entry, dist);
    for (const struct trigger_word *t = trigger_words; t->name; t++)
        shape_add(arena, when, t->name,
                  t->argument == TRIGGER_ARGUMENT_COUNT ? quantity_text(arena, OPTION_INT)
                                                        : free_text(arena, NULL),
                  t->doc);
    shape_add(arena, when, "nth", quantity_text(arena, OPTION_INT),
              "The n-th time; 1 is the first.")
        ->value = "1";
    shape_add(arena, entry, "when", when, "A trigger on state, in place of `at`.");
    const struct option *for_row = &format_entry.options[4];
    for (const struct action *action = action_table; action->name; action++) {
        struct shape *keys = shape_map(arena, NULL);
        keys->null_ok = true;
        shape_add_options(arena, keys, action->options, action->options_count, dist);
        if (action->takes_for && !shape_find(keys, "for"))
            shape_add_options(arena, keys, for_row, 1, dist);
        shape_add(arena, entry, action->name, keys, action->doc);
    }
    return shape_list(arena, entry, false);
}

static const char *const *with_all(struct arena *arena, const char *const *words)
{
    uint32_t count = 0;
    while (words[count]) count++;
    const char **more = arena_alloc(arena, (count + 2) * sizeof *more);
    more[0] = "all";
    memcpy(more + 1, words, count * sizeof *more);
    return more;
}

static struct shape *expect_shape(struct arena *arena)
{
    struct shape *expect = shape_map(arena, "check");
    const char *const *checks = format_check_words(arena);
    for (const struct check *check = check_table; check->name; check++) {
        if (strcmp(check->name, "availability") == 0) continue;
        struct shape *count = shape_map(arena, NULL);
        shape_add(arena, count, "violations", free_text(arena, COUNT_RANGE_PATTERN),
                  "How many: a number or a range such as 1..5000 or 1.. .")
            ->required = true;
        shape_add(arena, count, "at", quantity_text(arena, OPTION_DURATION),
                  "Counted up to that time.");
        shape_add(arena, count, "from", quantity_text(arena, OPTION_DURATION),
                  "Counted from that time.");
        shape_add(arena, count, "until", quantity_text(arena, OPTION_DURATION),
                  "Counted up to that time.");
        shape_add(arena, expect, check->name, shape_list(arena, count, true), check->doc);
    }
    shape_add(arena, expect, "violated",
              shape_list(arena, word_text(arena, "check", checks), false),
              "Checks with at least one violation.");
    shape_add(arena, expect, "holds",
              shape_list(arena, word_text(arena, "check", with_all(arena, checks)), true),
              "Checks with none; in a variant `all` stands for every check named in the base.");
    struct shape *availability = shape_map(arena, NULL);
    shape_add(arena, availability, "fraction", free_text(arena, ANY_RANGE_PATTERN),
              "Share of operations that succeeded: 99%..100%.");
    shape_add(arena, availability, "longest_gap", free_text(arena, ANY_RANGE_PATTERN),
              "Longest time without a success: 0s..5s.");
    shape_add(arena, availability, "from", quantity_text(arena, OPTION_DURATION),
              "Judged from that time.");
    shape_add(arena, availability, "until", quantity_text(arena, OPTION_DURATION),
              "Judged up to that time.");
    shape_add(arena, expect, "availability", shape_list(arena, availability, true),
              "Success as clients saw it.");
    struct shape *measure = shape_map(arena, "measure");
    for (const struct measure *m = measure_table; m->name; m++)
        shape_add(arena, measure, m->name, free_text(arena, ANY_RANGE_PATTERN), m->doc);
    shape_add(arena, expect, "measure", measure, "Numbers of the run: a value or a range.");
    return expect;
}

static struct shape *variant_shape(struct arena *arena, struct shape *expect)
{
    struct shape *variant = shape_map(arena, NULL), *set = shape_map(arena, NULL);
    set->kind = SHAPE_ANY;
    shape_add(arena, variant, "name", free_text(arena, NULL),
              "Names the variant; `base` is the file itself.")
        ->required = true;
    shape_add(arena, variant, "about", free_text(arena, NULL),
              "Why this must come out as it does.");
    shape_add(arena, variant, "set", set,
              "Dotted path: value. Entries of lists go by id or name; null removes.");
    shape_add(arena, variant, "inert", shape_list(arena, free_text(arena, NULL), true),
              "Entries of the timeline whose cause this variant removes.");
    shape_add(arena, variant, "expect", expect, "Replaces the base's.");
    return variant;
}

struct shape *scenario_shape(struct arena *arena, const struct format_choice *choice)
{
    struct shape *top = shape_map(arena, NULL), *dist = dist_shape(arena);
    add_table(arena, top, &format_top, dist);
    shape_add(arena, top, "cluster", cluster_shape(arena, choice, dist),
              "Regions, nodes, disks, clocks.")
        ->required = true;
    shape_add(arena, top, "network", network_shape(arena, dist), "Latency, loss, transport.");
    struct shape *engine = shape_map(arena, NULL), *replication = shape_map(arena, NULL);
    add_table(arena, engine, &format_engine, dist);
    engine->fields[0].shape = word_text(arena, "engine", format_engine_words(arena));
    if (choice->engine)
        shape_add_options(arena, engine, choice->engine->options, choice->engine->options_count,
                          dist);
    engine->open = !choice->engine;
    shape_add(arena, top, "engine", engine, "The storage engine and its options.")->required =
        true;
    add_table(arena, replication, &format_replication, dist);
    replication->fields[0].shape = word_text(arena, "scheme", format_scheme_words(arena));
    if (choice->scheme)
        shape_add_options(arena, replication, choice->scheme->options,
                          choice->scheme->options_count, dist);
    replication->open = !choice->scheme;
    shape_add(arena, top, "replication", replication, "The replication scheme and its options.")
        ->required = true;
    struct shape *directory = shape_map(arena, NULL), *store = shape_map(arena, NULL),
                 *finish = shape_map(arena, NULL), *limits = shape_map(arena, NULL);
    add_table(arena, directory, &format_directory, dist);
    shape_add(arena, top, "directory", directory, "How clients learn who leads.");
    add_table(arena, store, &format_store, dist);
    shape_add(arena, top, "stores", shape_list(arena, store, false), "Second stores.");
    shape_add(arena, top, "workloads", shape_list(arena, workload_shape(arena, dist), false),
              "Groups of clients.");
    shape_add(arena, top, "timeline", timeline_shape(arena, dist),
              "Faults and operator's actions.");
    struct shape *nemesis = shape_map(arena, NULL);
    nemesis->kind = SHAPE_ANY;
    shape_add(arena, top, "nemesis", nemesis, "Random faults: not available in this version.")
        ->inert = true;
    struct shape *expect = expect_shape(arena), *ignored = shape_map(arena, NULL);
    shape_add(arena, top, "expect", expect, "The verdict that must follow.")->inert = true;
    shape_add(arena, ignored, "check", word_text(arena, "check", format_check_words(arena)),
              "A check whose violations don't fail the run.")
        ->required = true;
    shape_add(arena, ignored, "reason", free_text(arena, NULL), "Why.")->required = true;
    shape_add(arena, top, "ignore", shape_list(arena, ignored, false),
              "Violations that are not the point here.")
        ->inert = true;
    shape_add(arena, top, "variants", shape_list(arena, variant_shape(arena, expect), false),
              "The same run with settings changed, and what must follow.")
        ->inert = true;
    add_table(arena, finish, &format_finish, dist);
    shape_add(arena, top, "finish", finish, "What follows `duration`.");
    add_table(arena, limits, &format_limits, dist);
    shape_add(arena, top, "limits", limits, "When a run is stopped.")->inert = true;
    return top;
}

struct shape *disk_file_shape(struct arena *arena)
{
    struct shape *top = shape_map(arena, NULL);
    shape_add(arena, top, "disk", disk_shape(arena, dist_shape(arena)), "The disk.")->required =
        true;
    return top;
}
