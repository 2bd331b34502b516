/* The plan's world: regions, nodes, managers and everything else that has a place; disks,
 * clocks, network, engine and scheme.
 *
 * Endpoint order is that of world.h: nodes, managers, directory, stores; the workloads' groups
 * follow in their order. Names are unique over all of them and over the regions, because a
 * fault names them all alike.
 */
#include <stdio.h>
#include <string.h>

#include "sim/kernel/check.h"
#include "sim/scenario/build.h"

#define NODES_MAX 10000u
/* Of stores that a workload names and nobody declares: the default of format_store. */
#define STORE_LATENCY_NS (500 * NS_PER_US)

/* ---- names and places ---- */

bool good_name(struct draft *d, struct view view, const char *what)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    static const char *const reserved[] = {"leader", "any", "all", "directory", NULL};
    size_t size = strlen(view.text);
    if (size == 0 || size > 63 || strspn(view.text, letters) != size || *view.text == '-') {
        report(&d->b, view,
               "'%s' is no name: %s names are letters, digits, - and _, at most 63", view.text,
               what);
        return false;
    }
    for (uint32_t i = 0; reserved[i]; i++)
        if (strcmp(view.text, reserved[i]) == 0) {
            report(&d->b, view, "'%s' has a meaning of its own: name the %s otherwise",
                   view.text, what);
            return false;
        }
    return true;
}

static bool is_taken(struct draft *d, struct view view)
{
    for (uint32_t i = 0; i < d->b.regions_count; i++)
        if (strcmp(d->b.regions[i], view.text) == 0) {
            report(&d->b, view, "'%s' is also the name of a region: names are unique",
                   view.text);
            return true;
        }
    for (uint32_t i = 0; i < d->b.places_count; i++)
        if (strcmp(d->b.places[i].name, view.text) == 0) {
            static const char *const kinds[] = {"node", "manager", "directory", "store",
                                                "workload"};
            report(&d->b, view, "'%s' is also the name of a %s: names are unique", view.text,
                   kinds[d->b.places[i].kind]);
            return true;
        }
    return false;
}

static void add_place(struct draft *d, const char *name, enum place_kind kind, uint32_t region)
{
    struct builder *b = &d->b;
    if ((b->places_count & (b->places_count - 1)) == 0) { /* full at powers of two */
        struct place *places =
            arena_alloc(b->arena, (b->places_count ? b->places_count * 2 : 1) * sizeof *places);
        if (b->places_count) memcpy(places, b->places, b->places_count * sizeof *places);
        b->places = places;
    }
    b->places[b->places_count++] = (struct place){name, kind, region};
}

void build_regions(struct draft *d)
{
    struct builder *b = &d->b;
    struct view cluster = view_get(d->top, "cluster"), regions = view_get(cluster, "regions");
    if (!view_is(regions)) {
        report_missing(b, cluster, "regions", "[{name: dc1, nodes: [a, b, c]}]");
        return;
    }
    b->regions = arena_alloc(b->arena, (regions.count + 1) * sizeof *b->regions);
    for (uint32_t i = 0; i < regions.count; i++) {
        struct view name = view_get(view_at(regions, i), "name");
        if (!view_is(name))
            report_missing(b, view_at(regions, i), "name", NULL);
        else if (good_name(d, name, "region") && !is_taken(d, name))
            b->regions[b->regions_count++] = arena_strdup(b->arena, name.text);
    }
    for (uint32_t i = 0, region = 0; i < regions.count; i++) {
        struct view name = view_get(view_at(regions, i), "name"),
                    nodes = view_get(view_at(regions, i), "nodes");
        if (!view_is(name) || region >= b->regions_count ||
            strcmp(b->regions[region], name.text) != 0)
            continue;
        for (uint32_t k = 0; view_is(nodes) && k < nodes.count; k++) {
            struct view node = view_at(nodes, k);
            if (b->places_count == NODES_MAX) {
                report(b, node, "more than %u nodes", NODES_MAX);
                return;
            }
            if (good_name(d, node, "node") && !is_taken(d, node))
                add_place(d, arena_strdup(b->arena, node.text), PLACE_NODE, region);
        }
        region++;
    }
    b->nodes_count = b->places_count;
    if (b->nodes_count == 0)
        report(b, regions, "no nodes: write [{name: dc1, nodes: [a, b, c]}]");
    struct world_region *out = arena_alloc(b->arena, (b->regions_count + 1) * sizeof *out);
    for (uint32_t i = 0; i < b->regions_count; i++) out[i].name = b->regions[i];
    d->plan->world.regions = out;
    d->plan->world.regions_count = b->regions_count;
    d->plan->world.nodes_count = b->nodes_count;
}

/* ---- managers ---- */

static bool is_managers_row(const struct option *option)
{
    return option->type == OPTION_PLACES && strlen(option->name) >= 11 &&
           strcmp(option->name + strlen(option->name) - 11, "managers.at") == 0;
}

/* The scheme's options; managers take the endpoints behind the nodes. */
static void *fill_scheme(struct draft *d, struct builder *b, uint32_t managers)
{
    void *options =
        arena_alloc(b->arena, d->scheme->options_size ? d->scheme->options_size : 1);
    fill_options(b, view_get(d->top, "replication"), d->scheme->options,
                 d->scheme->options_count, options, "replication", FILL_DEFAULTS,
                 is_managers_row);
    if (d->managers) {
        struct option_list list = {NULL, managers};
        int32_t *items = arena_alloc(b->arena, (list.count + 1) * sizeof *items);
        for (uint32_t i = 0; i < list.count; i++) items[i] = (int32_t)(b->nodes_count + i);
        list.items = items;
        memcpy((char *)options + d->managers->offset, &list, sizeof list);
    }
    return options;
}

/* True if the options have work for the managers that they name; failover by hand has none, and
 * a variant may set just that. */
static bool managers_work(struct draft *d, uint32_t count)
{
    struct builder quiet = d->b; /* build_replication reports */
    struct error_list none = {0};
    quiet.errors = &none;
    quiet.resolved = NULL;
    quiet.resolved_count = quiet.resolved_capacity = 0;
    const struct option_list *used =
        d->scheme->manager_places ? d->scheme->manager_places(fill_scheme(d, &quiet, count))
                                  : NULL;
    errors_deinit(&none);
    return used && used->count > 0;
}

/* Each item is a node (the manager runs on its machine) or a region (a machine of its own; a
 * region may be named several times). */
static void place_managers(struct draft *d)
{
    struct builder *b = &d->b;
    struct view at = d->managers ? view_get(view_get(d->top, "replication"), d->managers->name)
                                 : (struct view){0};
    if (!view_is(at)) return;
    struct world_manager *managers = arena_alloc(b->arena, (at.count + 1) * sizeof *managers);
    uint32_t count = 0;
    for (uint32_t i = 0; i < at.count; i++) {
        struct view item = view_at(at, i);
        struct world_manager m = {.node = UINT32_MAX};
        uint32_t same = 0;
        for (uint32_t k = 0; k < b->nodes_count; k++)
            if (strcmp(b->places[k].name, item.text) == 0)
                m.node = k, m.region = b->places[k].region;
        if (m.node == UINT32_MAX) {
            struct builder quiet =
                *b; /* a node's name would have done as well: the message names both */
            struct error_list none = {0};
            quiet.errors = &none;
            m.region = value_region(&quiet, item);
            errors_deinit(&none);
            if (m.region == UINT32_MAX) {
                const char **words = arena_alloc(
                    b->arena, (b->nodes_count + b->regions_count + 1) * sizeof *words);
                for (uint32_t k = 0; k < b->regions_count; k++) words[k] = b->regions[k];
                for (uint32_t k = 0; k < b->nodes_count; k++)
                    words[b->regions_count + k] = b->places[k].name;
                report_word(b, item, "node or region", item.text, words);
                continue;
            }
        }
        for (uint32_t k = 0; k < i; k++) same += strcmp(view_at(at, k).text, item.text) == 0;
        if (same && m.node != UINT32_MAX) {
            report(b, item, "'%s' has a manager already: one machine, one vote", item.text);
            continue;
        }
        m.name = same ? arena_printf(b->arena, "manager@%s-%u", item.text, same + 1)
                      : arena_printf(b->arena, "manager@%s", item.text);
        managers[count++] = m;
    }
    d->managers_named = count;
    if (count > 0 && !managers_work(d, count)) {
        b->absent = arena_alloc(b->arena, count * sizeof *b->absent);
        for (; b->absent_count < count; b->absent_count++)
            b->absent[b->absent_count] = managers[b->absent_count].name;
        count = 0;
    }
    for (uint32_t i = 0; i < count; i++)
        add_place(d, managers[i].name, PLACE_MANAGER, managers[i].region);
    d->plan->world.managers = managers;
    d->plan->world.managers_count = count;
}

/* ---- directory, stores, workloads ---- */

static uint32_t region_or_first(struct draft *d, struct view map)
{
    struct view region = view_get(map, "region");
    uint32_t found = view_is(region) ? value_region(&d->b, region) : 0;
    return found == UINT32_MAX ? 0 : found;
}

static void place_stores(struct draft *d)
{
    struct builder *b = &d->b;
    struct view stores = view_get(d->top, "stores"), workloads = view_get(d->top, "workloads");
    struct world_store *out =
        arena_alloc(b->arena, (stores.count + workloads.count + 1) * sizeof *out);
    uint32_t count = 0;
    for (uint32_t i = 0; i < stores.count; i++) {
        struct view store = view_at(stores, i), name = view_get(store, "name");
        struct store_keys keys = {0};
        if (!view_is(name)) {
            report_missing(b, store, "name", NULL);
            continue;
        }
        if (!good_name(d, name, "store") || is_taken(d, name)) continue;
        fill_options(b, store, format_store.options, format_store.count, &keys,
                     arena_printf(b->arena, "stores.%s", name.text), FILL_DEFAULTS, NULL);
        out[count++] =
            (struct world_store){keys.name, region_or_first(d, store), keys.latency_ns};
        add_place(d, keys.name, PLACE_STORE, out[count - 1].region);
    }
    for (uint32_t i = 0; i < workloads.count; i++) {
        struct view store = view_get(view_at(workloads, i), "second_store");
        bool known = !view_is(store);
        for (uint32_t k = 0; !known && k < count; k++)
            known = strcmp(out[k].name, store.text) == 0;
        if (known || !good_name(d, store, "store") || is_taken(d, store)) continue;
        out[count] =
            (struct world_store){arena_strdup(b->arena, store.text), 0, STORE_LATENCY_NS};
        add_place(d, out[count++].name, PLACE_STORE, 0);
    }
    d->plan->world.stores = out;
    d->plan->world.stores_count = count;
}

void build_places(struct draft *d)
{
    struct builder *b = &d->b;
    place_managers(d);
    struct view directory = view_get(d->top, "directory"),
                workloads = view_get(d->top, "workloads");
    add_place(d, "directory", PLACE_DIRECTORY, region_or_first(d, directory));
    d->plan->world.directory.region = b->places[b->places_count - 1].region;
    place_stores(d);
    for (uint32_t i = 0; i < workloads.count; i++) {
        struct view workload = view_at(workloads, i), name = view_get(workload, "name"),
                    machine = view_get(workload, "machine");
        uint32_t region = region_or_first(d, workload);
        int32_t node = view_is(machine) ? value_node(b, machine, false) : -1;
        if (node >= 0 && !view_is(view_get(workload, "region")))
            region = b->places[node].region;
        if (!view_is(name))
            report_missing(b, workload, "name", NULL);
        else if (good_name(d, name, "workload") && !is_taken(d, name))
            add_place(d, arena_strdup(b->arena, name.text), PLACE_WORKLOAD, region);
    }
}

void build_directory(struct draft *d)
{
    struct view directory = view_get(d->top, "directory");
    struct directory_keys keys = {0};
    fill_options(&d->b, directory, format_directory.options, format_directory.count, &keys,
                 "directory", FILL_DEFAULTS, NULL);
    struct world_directory *out = &d->plan->world.directory;
    out->learn_ns = keys.learn_ns;
    out->refresh_ns = keys.refresh_ns;
    out->claims = keys.claims == 1 ? CLAIMS_LAST : CLAIMS_HIGHEST_EPOCH;
}

/* ---- disks and clocks ---- */

void fill_disk(struct draft *d, struct view disk, const char *name, struct disk_config *config)
{
    struct view preset = view_get(disk, "preset");
    if (view_is(preset)) {
        const struct disk_preset *found = disk_preset_find(preset.text);
        if (!found)
            report_word(&d->b, preset, "disk preset", preset.text,
                        format_disk_words(d->scratch));
        else
            *config = found->config;
        resolve(&d->b, arena_printf(d->b.arena, "%s.preset", name),
                arena_strdup(d->b.arena, preset.text));
    }
    fill_options(&d->b, disk, format_disk.options, format_disk.count, config, name, FILL_KEEP,
                 NULL);
}

/* 5ms means -5ms..5ms, a range means itself; drawn for `entity`. */
static int64_t clock_error(struct draft *d, struct view clocks, struct view own,
                           const struct option *option, const char *entity)
{
    struct builder *b = &d->b;
    struct view view = view_get(own, option->name);
    if (!view_is(view)) view = view_get(clocks, option->name);
    if (!view_is(view)) return 0;
    const char *name = arena_printf(b->arena, "cluster.clocks.%s.%s", option->name, entity);
    struct amount amount;
    if (!value_amount(b, view, option, name, &amount)) return 0;
    if (amount.low == amount.high && !strstr(view.text, "..")) {
        if (amount.value < 0) {
            report(b, view,
                   "'%s' must not be negative: it is drawn on both sides of 0 (for one side "
                   "write a range, such as %s..0s)",
                   view.text, view.text);
            return 0;
        }
        struct rng rng;
        rng_init(&rng, b->seed, "plan", name, NULL);
        amount.value = rng_range(&rng, -amount.value, amount.value);
    }
    resolve(b, name, quantity_text_of(b->arena, option->type, amount.value));
    return amount.value;
}

static struct clock_config fill_clock(struct draft *d, struct view clocks, struct view own,
                                      const char *entity)
{
    struct clock_config clock = {0};
    clock.offset_ns = clock_error(d, clocks, own, &format_clocks.options[0], entity);
    clock.drift_ppm = clock_error(d, clocks, own, &format_clocks.options[1], entity);
    return clock;
}

void build_cluster(struct draft *d)
{
    struct builder *b = &d->b;
    struct world_config *world = &d->plan->world;
    struct view cluster = view_get(d->top, "cluster"), clocks = view_get(cluster, "clocks"),
                overrides = view_get(cluster, "nodes");
    struct cluster_keys keys = {0};
    fill_options(b, cluster, format_cluster.options, format_cluster.count, &keys, "cluster",
                 FILL_DEFAULTS, NULL);
    world->batch = keys.batch;
    world->inbox_max = keys.inbox_max;
    world->read_lanes = keys.read_lanes;
    world->handler_ns = keys.handler_ns;
    world->maintain_every_ns = keys.maintain_every_ns;
    world->maintain_budget_bytes = keys.maintain_budget_bytes;
    world->inspect_every_ns = keys.inspect_every_ns;

    const struct disk_preset *preset = disk_preset_find("ssd_plp");
    CHECK(preset != NULL);
    struct disk_config disk = preset->config;
    fill_disk(d, view_get(cluster, "disk"), "cluster.disk", &disk);
    struct world_node *nodes = arena_alloc(b->arena, (b->nodes_count + 1) * sizeof *nodes);
    for (uint32_t i = 0; i < b->nodes_count; i++) {
        const char *name = b->places[i].name;
        struct view own = view_get(overrides, name), own_disk = view_get(own, "disk");
        nodes[i] =
            (struct world_node){.name = name, .region = b->places[i].region, .disk = disk};
        if (view_is(own_disk))
            fill_disk(d, own_disk, arena_printf(b->arena, "cluster.nodes.%s.disk", name),
                      &nodes[i].disk);
        nodes[i].clock = fill_clock(d, clocks, view_get(own, "clocks"), name);
    }
    world->nodes = nodes;
    struct world_manager *managers = (struct world_manager *)world->managers;
    for (uint32_t i = 0; i < world->managers_count; i++)
        managers[i].clock = managers[i].node != UINT32_MAX
                                ? nodes[managers[i].node].clock
                                : fill_clock(d, clocks, (struct view){0}, managers[i].name);
}

/* ---- network ---- */

static void fill_routes(struct draft *d, struct view routes, struct network_config *config)
{
    struct builder *b = &d->b;
    struct network_route *out = arena_alloc(b->arena, (routes.count + 1) * sizeof *out);
    uint32_t count = 0;
    for (uint32_t i = 0; i < routes.count; i++) {
        struct view route = view_at(routes, i), between = view_get(route, "between"),
                    latency = view_get(route, "latency");
        if (!view_is(between) || between.count != 2) {
            if (view_is(between))
                report(b, between, "a route is between two regions, such as [east, west]");
            else
                report_missing(b, route, "between", "[east, west]");
            continue;
        }
        struct network_route r = {.region_a = value_region(b, view_at(between, 0)),
                                  .region_b = value_region(b, view_at(between, 1))};
        if (r.region_a == UINT32_MAX || r.region_b == UINT32_MAX) continue;
        const char *name = arena_printf(b->arena, "network.routes.%s-%s",
                                        b->regions[r.region_a], b->regions[r.region_b]);
        if (r.region_a == r.region_b) {
            report(b, between, "both ends are '%s': inside a region `latency` counts",
                   b->regions[r.region_a]);
        } else if (!view_is(latency)) {
            report_missing(b, route, "latency", "36ms");
        } else if (value_dist(b, latency, name, &r.latency)) {
            for (uint32_t k = 0; k < count; k++)
                if ((out[k].region_a == r.region_a && out[k].region_b == r.region_b) ||
                    (out[k].region_a == r.region_b && out[k].region_b == r.region_a))
                    report(b, between, "this route is given twice");
            resolve(b, name, dist_text_of(b->arena, &r.latency));
            out[count++] = r;
        }
    }
    config->routes = out;
    config->routes_count = count;
}

static uint32_t region_named(const struct builder *b, const char *name)
{
    for (uint32_t i = 0; i < b->regions_count; i++)
        if (strcmp(b->regions[i], name) == 0) return i;
    return UINT32_MAX;
}

static bool has_route(const struct network_config *config, uint32_t a, uint32_t b)
{
    for (uint32_t i = 0; i < config->routes_count; i++) {
        const struct network_route *route = &config->routes[i];
        if ((route->region_a == a && route->region_b == b) ||
            (route->region_a == b && route->region_b == a))
            return true;
    }
    return false;
}

/* Regions that a preset knows by name get its routes, behind those of the file. */
static void add_preset_routes(struct draft *d, const struct network_preset *preset,
                              struct network_config *config)
{
    struct builder *b = &d->b;
    uint32_t count = config->routes_count;
    struct network_route *out =
        arena_alloc(b->arena, (count + preset->place_routes_count + 1) * sizeof *out);
    if (count) memcpy(out, config->routes, count * sizeof *out);
    for (uint32_t i = 0; i < preset->place_routes_count; i++) {
        const struct network_place_route *place = &preset->place_routes[i];
        struct network_route r = {region_named(b, place->a), region_named(b, place->b),
                                  place->latency};
        if (r.region_a == UINT32_MAX || r.region_b == UINT32_MAX) continue;
        if (has_route(config, r.region_a, r.region_b)) continue;
        resolve(b, arena_printf(b->arena, "network.routes.%s-%s", place->a, place->b),
                dist_text_of(b->arena, &r.latency));
        out[count++] = r;
    }
    config->routes = out;
    config->routes_count = count;
}

void build_network(struct draft *d)
{
    struct view network = view_get(d->top, "network"), preset = view_get(network, "preset");
    const struct network_preset *found = network_preset_find("lan");
    CHECK(found != NULL);
    if (view_is(preset)) {
        const struct network_preset *named = network_preset_find(preset.text);
        if (named)
            found = named;
        else
            report_word(&d->b, preset, "network preset", preset.text,
                        format_network_words(d->scratch));
    }
    struct network_config *config = &d->plan->world.network;
    *config = found->config;
    resolve(&d->b, "network.preset", found->name);
    fill_options(&d->b, network, format_network.options, format_network.count, config,
                 "network", FILL_KEEP, NULL);
    struct view routes = view_get(network, "routes");
    if (view_is(routes)) fill_routes(d, routes, config);
    add_preset_routes(d, found, config);
}

/* ---- engine and scheme ---- */

void build_engine(struct draft *d)
{
    struct builder *b = &d->b;
    struct world_config *world = &d->plan->world;
    struct view engine = view_get(d->top, "engine"), name = view_get(engine, "name"),
                sync = view_get(engine, "sync");
    if (!view_is(engine)) return;
    if (!view_is(name)) report_missing(b, engine, "name", "hash");
    if (view_is(name) && !d->engine)
        report_word(b, name, "engine", name.text, format_engine_words(d->scratch));
    world->engine_sync = true;
    if (view_is(sync) && strcmp(sync.text, "always") != 0) {
        static const struct option interval = {
            .name = "sync", .type = OPTION_DURATION, .low = 1, .high = 3600 * NS_PER_S};
        static const char *const words[] = {"always", "never", NULL};
        struct amount amount;
        world->engine_sync = false;
        if (*sync.text < '0' || *sync.text > '9') {
            if (strcmp(sync.text, "never") != 0 &&
                value_word(b, sync, words, "sync policy") < 0)
                return;
        } else if (value_amount(b, sync, &interval, "engine.sync", &amount)) {
            world->engine_sync_every_ns = amount.value;
        }
    }
    if (!d->engine) return;
    resolve(b, "engine.name", d->engine->name);
    resolve(b, "engine.sync", view_is(sync) ? arena_strdup(b->arena, sync.text) : "always");
    void *options =
        arena_alloc(b->arena, d->engine->options_size ? d->engine->options_size : 1);
    fill_options(b, engine, d->engine->options, d->engine->options_count, options, "engine",
                 FILL_DEFAULTS, NULL);
    world->engine = d->engine;
    world->engine_options = options;
}

void build_replication(struct draft *d)
{
    struct builder *b = &d->b;
    struct world_config *world = &d->plan->world;
    struct view replication = view_get(d->top, "replication"),
                scheme = view_get(replication, "scheme"),
                leader = view_get(replication, "leader");
    if (!view_is(replication)) return;
    if (!view_is(scheme)) report_missing(b, replication, "scheme", "single_leader");
    if (view_is(scheme) && !d->scheme)
        report_word(b, scheme, "scheme", scheme.text, format_scheme_words(d->scratch));
    if (view_is(leader)) {
        int32_t node = value_node(b, leader, false);
        world->leader_initial = node < 0 ? 0 : (uint32_t)node;
    }
    if (b->nodes_count) resolve(b, "replication.leader", b->places[world->leader_initial].name);
    if (!d->scheme) return;
    resolve(b, "replication.scheme", d->scheme->name);
    size_t before = b->errors->count;
    void *options = fill_scheme(d, b, d->managers_named);
    if (d->managers) {
        struct view at = view_get(replication, d->managers->name);
        if (view_is(at))
            resolve(b, arena_printf(b->arena, "replication.%s", d->managers->name),
                    tree_write(b->arena, at.node, false));
    }
    world->scheme = d->scheme;
    world->scheme_options = options;
    /* options_check judges what the file says, managers that it names and does not use
     * included. */
    char why[256] = "";
    const char *refused =
        b->errors->count == before && d->scheme->options_check
            ? d->scheme->options_check(options, b->nodes_count, why, sizeof why)
            : NULL;
    if (refused) report(b, replication, "%s", refused);
}
