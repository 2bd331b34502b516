/* Scenario files that are right: the plan holds what they say.
 *
 * Method: the example of the format and small files are loaded from text; values of the plan,
 * of its variants and of --set are compared with what a reader of the file would expect. Drawn
 * values are judged by their bounds, by equality under one seed and by difference under
 * another. The shipped scenarios must load, every variant.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engines/replication/env.h"
#include "sim/scenario/plan.h"
#include "sim/scenario/tree.h"

static const char example[] =
    "name: stale-promotion\n"
    "about: A replica that had stopped replicating is promoted; ids are issued twice and a "
    "second store joins them to the wrong rows.\n"
    "source: github.blog 2012-09-14\n"
    "seed: 2012\n"
    "duration: 12m                          # then finish: {heal: all, restart: yes, quiesce: "
    "30s, read_all: yes}\n"
    "cluster:\n"
    "  regions: [{name: dc1, nodes: [db-a, db-b, db-c]}]\n"
    "  disk: ssd_plp\n"
    "  clocks: {offset: 5ms, drift: 50ppm}\n"
    "network: {preset: lan}\n"
    "engine: {name: hash, sync: always}\n"
    "replication: {scheme: single_leader, mode: async, leader: db-a, failover: {by: manager, "
    "managers: {at: [dc1]}, detect: 3s, quorum: none, promote: any}}\n"
    "workloads:\n"
    "  - {name: signups, region: dc1, clients: 5, rate: 10/s, arrivals: constant, start: 50ms, "
    "mix: {insert: 100%}, second_store: routes}\n"
    "timeline:\n"
    "  - {id: stale,   at: 5s,   cut: {from: db-a, to: db-c, class: replication}}\n"
    "  - {id: split,   at: 60s,  partition: {groups: [[db-a, db-b], [db-c]], class: control}}\n"
    "  - {id: old_off, at: 60s,  crash: {node: db-a}}\n"
    "  - {id: kill_c,  at: 480s, power_off: {node: db-c}}\n"
    "  - {id: freeze,  when: {leader_elected: any, nth: 2}, pause: {node: leader, for: 20s}}   "
    "  # state triggers; `leader` = of the highest term\n"
    "expect:\n"
    "  unique_keys: {violations: 550, at: 480s}\n"
    "  no_lost_write: {violations: 1..5000}\n"
    "  violated: [external_references]       # short form: at least one\n"
    "  holds: [no_invented_value]            # short form: none\n"
    "  measure: {leader_changes: 1..2}\n"
    "variants:\n"
    "  - {name: majority, set: {replication.failover.quorum: majority, "
    "replication.failover.promote: most_caught_up}, inert: [kill_c], expect: {holds: all}}\n";

#define SMALL                                                                                  \
    "name: small\n"                                                                            \
    "duration: 60s\n"                                                                          \
    "cluster: {regions: [{name: east, nodes: [a, b]}, {name: west, nodes: [c]}]}\n"            \
    "engine: {name: hash}\n"                                                                   \
    "replication: {scheme: single_leader}\n"

static struct scenario *load(const char *text)
{
    struct scenario_errors errors = {0};
    struct scenario *scenario = scenario_load_text("t.yaml", text, strlen(text), &errors);
    for (size_t i = 0; i < errors.count; i++) print_error("%s\n", errors.items[i]);
    assert_non_null(scenario);
    assert_int_equal(errors.count, 0);
    return scenario;
}

static struct plan *plan_of(const struct scenario *scenario, const struct plan_request *request)
{
    struct scenario_errors errors = {0};
    struct plan *plan = plan_create(scenario, request, &errors);
    for (size_t i = 0; i < errors.count; i++) print_error("%s\n", errors.items[i]);
    assert_non_null(plan);
    return plan;
}

/* The first error of a request that must fail; the caller frees. */
static char *refusal(const struct scenario *scenario, const char *path, const char *value)
{
    struct scenario_errors errors = {0};
    struct setting set = {path, value};
    assert_null(
        plan_create(scenario, &(struct plan_request){.sets = &set, .sets_count = 1}, &errors));
    assert_true(errors.count > 0);
    char *first = xstrdup(errors.items[0]);
    scenario_errors_deinit(&errors);
    return first;
}

static const char *resolved(const struct plan *plan, const char *path)
{
    for (uint32_t i = 0; i < plan->resolved_count; i++)
        if (strcmp(plan->resolved[i].path, path) == 0) return plan->resolved[i].value;
    return NULL;
}

static const struct expectation *expectation_of(const struct plan *plan, const char *name)
{
    for (uint32_t i = 0; i < plan->expectations_count; i++)
        if (strcmp(plan->expectations[i].name, name) == 0) return &plan->expectations[i];
    return NULL;
}

/* Copies the field of an option struct that a table row describes. */
static void option_field(const struct option *table, size_t count, const char *name,
                         const void *options, void *out, size_t size)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(table[i].name, name) == 0) {
            memcpy(out, (const char *)options + table[i].offset, size);
            return;
        }
    fail_msg("no option %s", name);
}

static const char *scheme_word(const struct plan *plan, const char *name)
{
    int32_t index = 0;
    const struct scheme_ops *scheme = plan->world.scheme;
    option_field(scheme->options, scheme->options_count, name, plan->world.scheme_options,
                 &index, sizeof index);
    for (size_t i = 0; i < scheme->options_count; i++)
        if (strcmp(scheme->options[i].name, name) == 0) return scheme->options[i].words[index];
    return NULL;
}

/* ---- the example ---- */

static void test_example_is_the_world_that_it_describes(void **state)
{
    (void)state;
    struct scenario *scenario = load(example);
    assert_string_equal(scenario_name(scenario), "stale-promotion");
    assert_int_equal(scenario_seed(scenario), 2012);
    struct plan *plan = plan_of(scenario, &(struct plan_request){0});
    const struct world_config *w = &plan->world;
    assert_string_equal(plan->variant, "base");
    assert_int_equal(plan->seed, 2012);
    assert_true(plan->duration_ns == 720 * NS_PER_S);
    assert_true(plan->finish.heal && plan->finish.restart && plan->finish.read_all);
    assert_true(plan->finish.quiesce_ns == 30 * NS_PER_S);
    assert_int_equal(w->nodes_count, 3);
    assert_string_equal(w->nodes[2].name, "db-c");
    assert_int_equal(w->managers_count, 1);
    assert_string_equal(w->managers[0].name, "manager@dc1");
    assert_int_equal(w->managers[0].node, UINT32_MAX);
    assert_string_equal(w->engine->name, "hash");
    assert_true(w->engine_sync);
    assert_string_equal(w->scheme->name, "single_leader");
    assert_int_equal(w->leader_initial, 0);
    assert_string_equal(scheme_word(plan, "mode"), "async");
    assert_string_equal(scheme_word(plan, "failover.quorum"), "none");
    int64_t detect = 0;
    option_field(w->scheme->options, w->scheme->options_count, "failover.detect",
                 w->scheme_options, &detect, sizeof detect);
    assert_true(detect == 3 * NS_PER_S);
    struct option_list at = {0};
    option_field(w->scheme->options, w->scheme->options_count, "failover.managers.at",
                 w->scheme_options, &at, sizeof at);
    assert_int_equal(at.count, 1);
    assert_int_equal(((const int32_t *)at.items)[0], 3); /* the endpoint behind the nodes */
    assert_int_equal(w->stores_count, 1);                /* named by the workload only */
    assert_string_equal(w->stores[0].name, "routes");
    assert_memory_equal(&w->nodes[0].disk, &disk_preset_find("ssd_plp")->config,
                        sizeof w->nodes[0].disk);
    plan_destroy(plan);
    scenario_destroy(scenario);
}

static void test_example_has_its_clients_and_faults(void **state)
{
    (void)state;
    struct scenario *scenario = load(example);
    struct plan *plan = plan_of(scenario, &(struct plan_request){0});
    const struct workload_config *g = &plan->workloads[0];
    assert_int_equal(plan->workloads_count, 1);
    assert_string_equal(g->name, "signups");
    assert_int_equal(g->clients, 5);
    assert_true(g->rate_millionths == 10 * 1000000);
    assert_true(g->start_ns == 50 * NS_PER_MS);
    assert_int_equal(g->mix.ppm[OPERATION_INSERT], 1000000);
    assert_int_equal(g->machine, -1);
    assert_string_equal(g->second_store, "routes");
    assert_string_equal(g->table, "signups");
    const struct fault_plan *f = plan->world.faults;
    assert_int_equal(plan->world.faults_count, 5);
    assert_string_equal(f[0].id, "stale");
    assert_string_equal(f[0].action->name, "cut");
    assert_true(f[0].at_ns == 5 * NS_PER_S && f[0].for_ns == -1 && f[0].evidence_required);
    struct option_list list = {0};
    uint32_t classes = 0;
    option_field(f[0].action->options, f[0].action->options_count, "to", f[0].params, &list,
                 sizeof list);
    assert_int_equal(list.count, 1);
    assert_int_equal(((const int32_t *)list.items)[0], 2);
    option_field(f[0].action->options, f[0].action->options_count, "class", f[0].params,
                 &classes, sizeof classes);
    assert_int_equal(classes, 1u << MESSAGE_REPLICATION);
    option_field(f[1].action->options, f[1].action->options_count, "groups", f[1].params, &list,
                 sizeof list);
    assert_int_equal(list.count, 2);
    assert_int_equal(((const struct option_list *)list.items)[0].count, 2);
    int32_t node = 0;
    option_field(f[4].action->options, f[4].action->options_count, "node", f[4].params, &node,
                 sizeof node);
    assert_int_equal(node, -2);
    assert_int_equal(f[4].trigger, TRIGGER_LEADER_ELECTED);
    assert_int_equal(f[4].nth, 2);
    assert_int_equal(f[4].trigger_place, -1);
    assert_true(f[4].for_ns == 20 * NS_PER_S); /* from among the action's keys */
    assert_false(f[4].evidence_required);      /* an entry with `when` */
    plan_destroy(plan);
    scenario_destroy(scenario);
}

static void test_example_expects_what_it_says(void **state)
{
    (void)state;
    struct scenario *scenario = load(example);
    struct plan *plan = plan_of(scenario, &(struct plan_request){0});
    assert_int_equal(plan->expectations_count, 5);
    const struct expectation *e = expectation_of(plan, "unique_keys");
    assert_true(e->range.low == 550 && e->range.high == 550 && e->from_ns == 0 &&
                e->until_ns == 480 * NS_PER_S);
    assert_string_equal(e->text, "unique_keys: 550 violations by 8:00.000");
    assert_int_equal(e->line, 22);
    e = expectation_of(plan, "no_lost_write");
    assert_true(e->range.low == 1 && e->range.high == 5000 && e->until_ns == VTIME_MAX);
    e = expectation_of(plan, "external_references");
    assert_true(e->range.low == 1 && e->range.high == INT64_MAX);
    e = expectation_of(plan, "no_invented_value");
    assert_true(e->range.low == 0 && e->range.high == 0);
    e = expectation_of(plan, "leader_changes");
    assert_int_equal(e->kind, EXPECT_MEASURE);
    assert_true(e->measure == measure_find("leader_changes") && e->range.low == 1 &&
                e->range.high == 2);
    plan_destroy(plan);

    uint32_t variant = scenario_variant_find(scenario, "majority"), count;
    assert_int_equal(scenario_variants(scenario), 2);
    assert_int_equal(variant, 1);
    const struct setting *settings = scenario_variant_settings(scenario, variant, &count);
    assert_int_equal(count, 2);
    assert_string_equal(settings[1].path, "replication.failover.promote");
    assert_string_equal(settings[1].value, "most_caught_up");
    plan = plan_of(scenario, &(struct plan_request){.variant = variant});
    assert_string_equal(plan->variant, "majority");
    assert_string_equal(scheme_word(plan, "failover.quorum"), "majority");
    assert_int_equal(plan->expectations_count,
                     4); /* the checks of the base, without its measure */
    for (uint32_t i = 0; i < 4; i++) assert_true(plan->expectations[i].range.high == 0);
    for (uint32_t i = 0; i < 5; i++) assert_int_equal(plan->world.faults[i].inert, i == 3);
    plan_destroy(plan);
    scenario_destroy(scenario);
}

static void test_nemesis_is_refused_by_name(void **state)
{
    (void)state;
    char text[sizeof example + 256];
    snprintf(text, sizeof text,
             "%snemesis: {budget: safe, faults: {partition: {every: 10s..60s, for: 1s..20s, "
             "shape: [halves, isolate_leader, one_way, bridge]}}}\n",
             example);
    struct scenario_errors errors = {0};
    assert_null(scenario_load_text("t.yaml", text, strlen(text), &errors));
    assert_int_equal(errors.count, 1);
    assert_string_equal(
        errors.items[0],
        "t.yaml:29:1: nemesis: random faults are not available in this version: remove it");
    scenario_errors_deinit(&errors);
}

/* ---- settings ---- */

static void test_set_reaches_keys_entries_and_short_forms(void **state)
{
    (void)state;
    struct scenario *scenario = load(example);
    const struct setting sets[] = {
        {"timeline.split.at", "70s"},           {"workloads.signups.rate", "20/s"},
        {"cluster.disk.queue_depth", "3"},      {"timeline.freeze.pause.for", "5s"},
        {"network", "{preset: lan, loss: 1%}"}, {"timeline.kill_c", "null"},
        {"cluster.nodes.db-b.disk", "hdd"},     {"finish.quiesce", "10s"},
    };
    struct plan *plan =
        plan_of(scenario, &(struct plan_request){.sets = sets, .sets_count = 8});
    assert_true(plan->world.faults[1].at_ns == 70 * NS_PER_S);
    assert_true(plan->workloads[0].rate_millionths == 20 * 1000000);
    assert_int_equal(plan->world.nodes[0].disk.queue_depth, 3);
    assert_true(plan->world.nodes[0].disk.cache_bytes ==
                disk_preset_find("ssd_plp")->config.cache_bytes);
    assert_memory_equal(&plan->world.nodes[1].disk, &disk_preset_find("hdd")->config,
                        sizeof plan->world.nodes[1].disk);
    assert_int_equal(plan->world.faults_count, 4);
    assert_true(plan->world.faults[3].for_ns == 5 * NS_PER_S);
    assert_int_equal(plan->world.network.loss_ppm, 10000);
    assert_true(plan->finish.quiesce_ns == 10 * NS_PER_S);
    assert_int_equal(plan->settings_count, 8);
    assert_string_equal(plan->settings[0].path, "timeline.split.at");
    plan_destroy(plan);
    scenario_destroy(scenario);
}

static void test_set_comes_after_the_variant_and_only_replaces_it(void **state)
{
    (void)state;
    struct scenario *scenario = load(example);
    const struct setting back = {"replication.failover.quorum", "none"},
                         only = {"replication.failover.promote", "most_caught_up"};
    struct plan *plan =
        plan_of(scenario, &(struct plan_request){.variant = 1, .sets = &back, .sets_count = 1});
    assert_string_equal(scheme_word(plan, "failover.quorum"), "none");
    assert_string_equal(scheme_word(plan, "failover.promote"), "most_caught_up");
    assert_int_equal(plan->settings_count, 3);
    plan_destroy(plan);
    plan = plan_of(
        scenario,
        &(struct plan_request){.variant = 1, .has_only = true, .only = &only, .only_count = 1});
    assert_string_equal(scheme_word(plan, "failover.quorum"), "none");
    assert_string_equal(scheme_word(plan, "failover.promote"), "most_caught_up");
    assert_int_equal(plan->expectations_count, 4); /* the variant's */
    assert_int_equal(plan->settings_count, 1);
    plan_destroy(plan);
    scenario_destroy(scenario);
}

static void test_set_that_does_not_fit_names_itself(void **state)
{
    (void)state;
    struct scenario *scenario = load(example);
    static const struct {
        const char *path, *value, *error;
    } cases[] = {
        {"replication.failover.quorm", "none",
         "--set replication.failover.quorm=none: replication.failover: unknown key 'quorm' "
         "(did you mean 'quorum'?)"},
        {"replication.leader", "db-x",
         "--set replication.leader=db-x: replication.leader: unknown node 'db-x' (did you mean "
         "'db-a'?)"},
        {"timeline.spilt.at", "5s",
         "--set timeline.spilt.at=5s: 'timeline' has no entry 'spilt' (did you mean 'split'?)"},
        {"seed.x", "5", "--set seed.x=5: 'seed.x': 'seed' is one value and has no 'x'"},
        {"name", "x", "--set name=x: 'name' changes no behaviour and cannot be set"},
        {"ties", "null",
         "--set ties=null: 'ties' is not in the file: null has nothing to remove"},
        {"ties", "", "--set ties=: has no value: write null to remove"},
        {"a..b", "1",
         "--set a..b=1: 'a..b' is no path: write words joined by dots, such as network.preset"},
        {"engine", "{name: log, segment_size: 1MiB}",
         "--set engine={name: log, segment_size: 1MiB}: engine: unknown key 'segment_size': "
         "one of name, sync"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *error = refusal(scenario, cases[i].path, cases[i].value);
        if (i + 1 == sizeof cases / sizeof cases[0])
            assert_memory_equal(error, cases[i].error,
                                strlen(cases[i].error)); /* the engine's words follow */
        else
            assert_string_equal(error, cases[i].error);
        free(error);
    }
    scenario_destroy(scenario);
}

/* ---- draws ---- */

static void test_a_range_is_drawn_once_a_seed_within_its_bounds(void **state)
{
    (void)state;
    struct scenario *scenario = load(SMALL "finish: {quiesce: 10s..20s}\n"
                                           "timeline: [{id: x, at: 5s..9s, crash: {node: a}}, "
                                           "{id: y, at: 5s..9s, crash: {node: b}}]\n");
    int64_t first = 0;
    bool differs = false;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct plan *plan = plan_of(scenario,
                                    &(struct plan_request){.has_seed = true, .seed = seed}),
                    *again = plan_of(scenario,
                                     &(struct plan_request){.has_seed = true, .seed = seed});
        assert_int_equal(plan->seed, seed);
        int64_t at = plan->world.faults[0].at_ns;
        assert_true(at >= 5 * NS_PER_S && at <= 9 * NS_PER_S);
        assert_true(plan->finish.quiesce_ns >= 10 * NS_PER_S &&
                    plan->finish.quiesce_ns <= 20 * NS_PER_S);
        assert_true(at != plan->world.faults[1].at_ns); /* each knob has its own stream */
        assert_true(at == again->world.faults[0].at_ns);
        int64_t told;
        const char *why;
        assert_int_equal(
            quantity_parse(OPTION_DURATION, resolved(plan, "timeline.x.at"), &told, &why), 0);
        assert_true(told == at);
        differs |= seed > 1 && at != first;
        first = seed == 1 ? at : first;
        plan_destroy(plan);
        plan_destroy(again);
    }
    assert_true(differs);
    scenario_destroy(scenario);
}

static void test_a_range_of_powers_of_two_draws_among_them(void **state)
{
    (void)state;
    struct scenario *scenario = load(SMALL);
    const struct setting sets[] = {{"engine", "{name: btree, page_size: 1KiB..8KiB}"}};
    bool seen[4] = {false};
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct plan *plan = plan_of(
            scenario, &(struct plan_request){
                          .has_seed = true, .seed = seed, .sets = sets, .sets_count = 1});
        int64_t bytes;
        const char *why;
        assert_int_equal(
            quantity_parse(OPTION_SIZE, resolved(plan, "engine.page_size"), &bytes, &why), 0);
        int power = __builtin_ctzll((unsigned long long)bytes) - 10;
        assert_true(power >= 0 && power < 4 && bytes == 1024 << power);
        seen[power] = true;
        plan_destroy(plan);
    }
    for (int power = 0; power < 4; power++) assert_true(seen[power]);
    scenario_destroy(scenario);
}

static void test_a_draw_more_shifts_no_other(void **state)
{
    (void)state;
    struct scenario *one = load(SMALL "timeline: [{id: x, at: 5s..9s, crash: {node: a}}]\n");
    struct scenario *two =
        load(SMALL "finish: {quiesce: 10s..20s}\ntimeline: [{id: w, at: 1s..9s, crash: {node: "
                   "b}}, {id: x, at: 5s..9s, crash: {node: a}}]\n");
    struct plan *a = plan_of(one, &(struct plan_request){0}),
                *b = plan_of(two, &(struct plan_request){0});
    assert_true(a->world.faults[0].at_ns == b->world.faults[1].at_ns);
    plan_destroy(a);
    plan_destroy(b);
    scenario_destroy(one);
    scenario_destroy(two);
}

static void test_clock_errors_are_drawn_a_node_on_both_sides(void **state)
{
    (void)state;
    struct scenario *scenario =
        load("name: clocks\nduration: 1s\nengine: {name: hash}\nreplication: {scheme: "
             "single_leader}\n"
             "cluster:\n  regions: [{name: r, nodes: [a, b, c]}]\n  clocks: {offset: 5ms, "
             "drift: 50ppm}\n"
             "  nodes: {b: {clocks: {offset: 300ms..300ms, drift: -20ppm..-10ppm}}}\n");
    bool below = false, above = false;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct plan *plan =
            plan_of(scenario, &(struct plan_request){.has_seed = true, .seed = seed});
        const struct world_node *n = plan->world.nodes;
        for (int i = 0; i < 3; i += 2) {
            assert_true(n[i].clock.offset_ns >= -5 * NS_PER_MS &&
                        n[i].clock.offset_ns <= 5 * NS_PER_MS);
            assert_true(n[i].clock.drift_ppm >= -50 && n[i].clock.drift_ppm <= 50);
            below |= n[i].clock.offset_ns < 0;
            above |= n[i].clock.offset_ns > 0;
        }
        assert_true(n[0].clock.offset_ns != n[2].clock.offset_ns);
        assert_true(n[1].clock.offset_ns == 300 * NS_PER_MS);
        assert_true(n[1].clock.drift_ppm >= -20 && n[1].clock.drift_ppm <= -10);
        plan_destroy(plan);
    }
    assert_true(below && above);
    scenario_destroy(scenario);
}

/* ---- values ---- */

static void test_distributions_are_what_they_say(void **state)
{
    (void)state;
    struct scenario *scenario =
        load(SMALL "network:\n"
                   "  latency: {uniform: 1ms..2ms}\n"
                   "  local_latency: 20us\n"
                   "  between_regions: {mixture: [{weight: 91%, constant: 1ms}, {weight: 9%, "
                   "pareto: {min: 2ms, shape: 1.25}, cap: 1s}]}\n"
                   "  routes: [{between: [west, east], latency: {lognormal: {median: 36ms, "
                   "sigma: 0.2}, floor: 1ms}}]\n");
    const struct setting sets[] = {
        {"cluster.disk", "{preset: hdd, sync_latency: {empirical: [[50%, 1ms], [100%, 5ms]]}, "
                         "read_latency: {exponential: 4ms}}"}};
    struct plan *plan =
        plan_of(scenario, &(struct plan_request){.sets = sets, .sets_count = 1});
    const struct network_config *n = &plan->world.network;
    assert_true(n->latency.kind == DIST_UNIFORM && n->latency.a == NS_PER_MS &&
                n->latency.b == 2 * NS_PER_MS);
    assert_true(n->local_latency.kind == DIST_CONSTANT && n->local_latency.a == 20 * NS_PER_US);
    const struct dist *mixture = &n->between_regions;
    assert_true(mixture->kind == DIST_MIXTURE && mixture->parts_count == 2 &&
                mixture->weights_ppm[0] == 910000);
    assert_true(mixture->parts[1].kind == DIST_PARETO && mixture->parts[1].a == 2 * NS_PER_MS &&
                mixture->parts[1].shape_milli == 1250 && mixture->parts[1].cap == NS_PER_S);
    assert_int_equal(n->routes_count, 1);
    assert_true(n->routes[0].region_a == 1 && n->routes[0].region_b == 0);
    assert_true(n->routes[0].latency.kind == DIST_LOGNORMAL &&
                n->routes[0].latency.shape_milli == 200 && n->routes[0].latency.b == NS_PER_MS);
    const struct disk_config *disk = &plan->world.nodes[0].disk;
    assert_true(disk->sync_latency.kind == DIST_EMPIRICAL &&
                disk->sync_latency.points_count == 2 &&
                disk->sync_latency.points[0].ppm == 500000);
    assert_true(disk->read_latency.kind == DIST_EXPONENTIAL &&
                disk->read_latency.a == 4 * NS_PER_MS);
    assert_true(disk->queue_depth == disk_preset_find("hdd")->config.queue_depth);
    assert_string_equal(resolved(plan, "network.between_regions"),
                        "{mixture: [{weight: 91%, constant: 1ms}, {weight: 9%, pareto: {min: "
                        "2ms, shape: 1.25}, cap: 1s}]}");
    plan_destroy(plan);
    scenario_destroy(scenario);
}

static void test_managers_stand_on_nodes_or_in_regions(void **state)
{
    (void)state;
    struct scenario *scenario = load(
        "name: m\nduration: 60s\nengine: {name: hash}\n"
        "cluster: {regions: [{name: east, nodes: [a, b]}, {name: west, nodes: [c]}, {name: "
        "witness}]}\n"
        "replication: {scheme: single_leader, failover: {by: manager, managers: {at: [b, "
        "witness, witness, west]}}}\n"
        "workloads: [{name: w, region: west, mix: {read: 100%}}]\n"
        "timeline:\n"
        "  - {at: 1s, for: 1s, partition: {groups: [[west], [manager@b, manager@witness-2]]}}\n"
        "  - {at: 1s, crash: {node: manager@witness}}\n"
        "variants: [{name: hand, set: {replication.failover.by: hand}, inert: [entry-2]}]\n");
    struct plan *plan = plan_of(scenario, &(struct plan_request){0});
    const struct world_manager *m = plan->world.managers;
    assert_int_equal(plan->world.managers_count, 4);
    assert_string_equal(m[0].name, "manager@b");
    assert_int_equal(m[0].node, 1);
    assert_true(m[0].clock.offset_ns == plan->world.nodes[1].clock.offset_ns);
    assert_string_equal(m[2].name, "manager@witness-2");
    assert_int_equal(m[2].node, UINT32_MAX);
    assert_int_equal(m[2].region, 2);
    /* Endpoints: nodes 0-2, managers 3-6, directory 7, workload 8. West is c, its manager and
     * the clients there. */
    struct option_list groups = {0};
    const struct fault_plan *f = plan->world.faults;
    option_field(f[0].action->options, f[0].action->options_count, "groups", f[0].params,
                 &groups, sizeof groups);
    const struct option_list *g = groups.items;
    const int32_t west[] = {2, 6, 8}, others[] = {3, 5};
    assert_int_equal(g[0].count, 3);
    assert_memory_equal(g[0].items, west, sizeof west);
    assert_int_equal(g[1].count, 2);
    assert_memory_equal(g[1].items, others, sizeof others);
    assert_string_equal(f[1].id, "entry-2");
    plan_destroy(plan);

    /* Managers without work are no machines; who names them names nobody. */
    plan = plan_of(scenario, &(struct plan_request){.variant = 1});
    assert_int_equal(plan->world.managers_count, 0);
    int32_t node = 0;
    f = plan->world.faults;
    option_field(f[1].action->options, f[1].action->options_count, "node", f[1].params, &node,
                 sizeof node);
    assert_int_equal(node, -1);
    assert_true(f[1].inert);
    plan_destroy(plan);
    scenario_destroy(scenario);
}

static void test_engine_sync_has_three_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool always;
        int64_t every;
    } cases[] = {{"always", true, 0}, {"never", false, 0}, {"100ms", false, 100 * NS_PER_MS}};
    struct scenario *scenario = load(SMALL);
    for (size_t i = 0; i < 3; i++) {
        struct setting set = {"engine.sync", cases[i].text};
        struct plan *plan =
            plan_of(scenario, &(struct plan_request){.sets = &set, .sets_count = 1});
        assert_int_equal(plan->world.engine_sync, cases[i].always);
        assert_true(plan->world.engine_sync_every_ns == cases[i].every);
        assert_string_equal(resolved(plan, "engine.sync"), cases[i].text);
        plan_destroy(plan);
    }
    scenario_destroy(scenario);
}

static void test_sequences_triggers_and_windows(void **state)
{
    (void)state;
    struct scenario *scenario = load(
        SMALL
        "workloads: [{name: w, clients: 2, think: 1s, machine: c, sequence: [write, wait 50ms, "
        "read]}]\n"
        "timeline:\n"
        "  - {id: one, when: {acknowledged: 500}, delay: 2s, crash: {node: a}, evidence: "
        "required}\n"
        "  - {id: two, when: {fault: one}, pause: {node: w}, for: 1s}\n"
        "  - {id: three, when: {sync: b, nth: 100}, pause: {node: b}}\n"
        "expect:\n"
        "  no_lost_write: [{violations: 0, until: 10s}, {violations: 1.., from: 10s}]\n"
        "  availability: {fraction: 99%..100%, longest_gap: 0s..5s, from: 1s, until: 30s}\n"
        "  measure: {longest_outage: 1s..2s}\n"
        "ignore: [{check: convergence, reason: the pause outlives the run}]\n");
    struct plan *plan = plan_of(scenario, &(struct plan_request){0});
    const struct workload_config *w = plan->workloads;
    assert_int_equal(w->sequence_count, 3);
    assert_int_equal(w->sequence[0].type, OPERATION_WRITE);
    assert_true(w->sequence[1].wait_ns == 50 * NS_PER_MS);
    assert_int_equal(w->machine, 2);
    assert_int_equal(w->region, 1); /* where its machine stands */
    const struct fault_plan *f = plan->world.faults;
    assert_int_equal(f[0].trigger, TRIGGER_ACKNOWLEDGED);
    assert_true(f[0].nth == 500 && f[0].delay_ns == 2 * NS_PER_S && f[0].evidence_required);
    assert_int_equal(f[1].trigger, TRIGGER_FAULT);
    assert_string_equal(f[1].trigger_fault, "one");
    assert_int_equal(f[2].trigger, TRIGGER_SYNC);
    assert_true(f[2].trigger_place == 1 && f[2].nth == 100 && f[2].for_ns == -1);
    assert_int_equal(plan->expectations_count, 4);
    assert_true(plan->expectations[0].until_ns == 10 * NS_PER_S &&
                plan->expectations[1].from_ns == 10 * NS_PER_S);
    const struct expectation *e = expectation_of(plan, "availability");
    assert_true(e->range.low == 990000 && e->range.high == 1000000 &&
                e->gap_ns.high == 5 * NS_PER_S && e->from_ns == NS_PER_S &&
                e->until_ns == 30 * NS_PER_S);
    e = expectation_of(plan, "longest_outage");
    assert_true(e->range.low == NS_PER_S && e->range.high == 2 * NS_PER_S);
    assert_int_equal(plan->ignored_count, 1);
    assert_string_equal(plan->ignored[0].check->name, "convergence");
    plan_destroy(plan);
    scenario_destroy(scenario);
}

static void test_small_aliases_are_copies(void **state)
{
    (void)state;
    struct scenario *scenario =
        load("name: alias\nduration: &d 60s\nengine: {name: hash}\nreplication: {scheme: "
             "none}\ncluster: {regions: [{name: r, nodes: [a]}]}\nfinish: {quiesce: *d}\n");
    struct setting set = {"duration", "5s"};
    struct plan *plan =
        plan_of(scenario, &(struct plan_request){.sets = &set, .sets_count = 1});
    assert_true(plan->duration_ns == 5 * NS_PER_S && plan->finish.quiesce_ns == 60 * NS_PER_S);
    plan_destroy(plan);
    scenario_destroy(scenario);
}

static void test_resolved_is_sorted_unique_and_parses_back(void **state)
{
    (void)state;
    struct scenario *scenario = load(example);
    struct plan *plan = plan_of(scenario, &(struct plan_request){0});
    assert_true(plan->resolved_count > 100);
    for (uint32_t i = 1; i < plan->resolved_count; i++)
        assert_true(strcmp(plan->resolved[i - 1].path, plan->resolved[i].path) < 0);
    assert_string_equal(resolved(plan, "duration"), "12m");
    assert_string_equal(resolved(plan, "timeline.split.partition.groups"),
                        "[[db-a, db-b], [db-c]]");
    assert_string_equal(resolved(plan, "finish.quiesce"), "30s");
    /* What a result says can be set: every knob that has a key of that name takes its resolved
     * value. */
    uint32_t taken = 0;
    for (uint32_t i = 0; i < plan->resolved_count; i++) {
        const struct setting *s = &plan->resolved[i];
        if (strncmp(s->path, "network.", 8) != 0 &&
            strncmp(s->path, "cluster.disk.", 13) != 0 &&
            strncmp(s->path, "replication.", 12) != 0 && strncmp(s->path, "engine.", 7) != 0)
            continue;
        struct plan *again =
            plan_of(scenario, &(struct plan_request){.sets = s, .sets_count = 1});
        for (uint32_t k = 0; k < plan->resolved_count; k++)
            if (strcmp(plan->resolved[k].path, again->resolved[k].path) != 0 ||
                strcmp(plan->resolved[k].value, again->resolved[k].value) != 0)
                fail_msg("%s=%s changes %s: %s, was %s", s->path, s->value,
                         again->resolved[k].path, again->resolved[k].value,
                         plan->resolved[k].value);
        plan_destroy(again);
        taken++;
    }
    assert_true(taken > 50);
    plan_destroy(plan);
    scenario_destroy(scenario);
}

static void test_numbers_at_their_limits(void **state)
{
    (void)state;
    struct scenario *scenario = load("seed: 9223372036854775807\n" SMALL);
    assert_true(scenario_seed(scenario) == INT64_MAX);
    static const struct {
        const char *path, *value;
        bool good;
    } cases[] = {
        {"duration", "0s", false},
        {"duration", "1ns", true},
        {"duration", "0.000000001s", true},
        {"duration", "0.0000000001s", false},
        {"duration", "1.5m", true},
        {"duration", "+5s", false},
        {"duration", "5S", false},
        {"duration", "5 s", false},
        {"duration", "5", false},
        {"duration", ".5s", false},
        {"duration", "1_000s", false},
        {"duration", "0x10s", false},
        {"duration", "1e3s", false},
        {"duration", "inf", false},
        {"duration", "nan", false},
        {"duration", "never", false},
        {"duration", "5s..", false},
        {"duration", "..5s", false},
        {"duration", "1s..2s..3s", false},
        {"cluster.batch", "0", false},
        {"cluster.batch", "1", true},
        {"cluster.batch", "1.5", false},
        {"cluster.batch", "9223372036854775808", false},
        {"network.loss", "100%", true},
        {"network.loss", "101%", false},
        {"network.loss", "0.0001%", true},
        {"network.loss", "5", false},
        {"network.bandwidth", "unlimited", true},
        {"network.bandwidth", "1Gbit/s", true},
        {"network.bandwidth", "1Gbit", false},
        {"seed", "01", false},
        {"seed", "-1", false},
        {"seed", "1.0", false},
        {"finish.restart", "true", false},
        {"finish.restart", "Yes", false},
        {"finish.restart", "no", true},
        {"engine.sync", "0s", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct setting set = {cases[i].path, cases[i].value};
        struct scenario_errors errors = {0};
        struct plan *plan = plan_create(
            scenario, &(struct plan_request){.sets = &set, .sets_count = 1}, &errors);
        if ((plan != NULL) != cases[i].good)
            fail_msg("%s=%s: %s", set.path, set.value, plan ? "accepted" : errors.items[0]);
        assert_int_equal(errors.count > 0, !cases[i].good);
        plan_destroy(plan);
        scenario_errors_deinit(&errors);
    }
    scenario_destroy(scenario);
}

/* ---- shipped files ---- */

static uint32_t load_folder(const char *folder)
{
    uint32_t count = 0;
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)) != NULL) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] == '.') continue;
        if (entry->d_type == DT_DIR) count += load_folder(path);
        size_t size = strlen(path);
        if (size < 5 || strcmp(path + size - 5, ".yaml") != 0) continue;
        struct scenario_errors errors = {0};
        struct scenario *scenario = scenario_load(path, &errors);
        for (size_t i = 0; i < errors.count; i++) print_error("%s\n", errors.items[i]);
        assert_non_null(scenario);
        scenario_errors_deinit(&errors);
        scenario_destroy(scenario);
        count++;
    }
    if (dir) closedir(dir);
    return count;
}

static void test_every_shipped_scenario_loads(void **state)
{
    (void)state;
    assert_true(load_folder("scenarios") >= 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example_is_the_world_that_it_describes),
        cmocka_unit_test(test_example_has_its_clients_and_faults),
        cmocka_unit_test(test_example_expects_what_it_says),
        cmocka_unit_test(test_nemesis_is_refused_by_name),
        cmocka_unit_test(test_set_reaches_keys_entries_and_short_forms),
        cmocka_unit_test(test_set_comes_after_the_variant_and_only_replaces_it),
        cmocka_unit_test(test_set_that_does_not_fit_names_itself),
        cmocka_unit_test(test_a_range_is_drawn_once_a_seed_within_its_bounds),
        cmocka_unit_test(test_a_range_of_powers_of_two_draws_among_them),
        cmocka_unit_test(test_a_draw_more_shifts_no_other),
        cmocka_unit_test(test_clock_errors_are_drawn_a_node_on_both_sides),
        cmocka_unit_test(test_distributions_are_what_they_say),
        cmocka_unit_test(test_managers_stand_on_nodes_or_in_regions),
        cmocka_unit_test(test_engine_sync_has_three_forms),
        cmocka_unit_test(test_sequences_triggers_and_windows),
        cmocka_unit_test(test_small_aliases_are_copies),
        cmocka_unit_test(test_resolved_is_sorted_unique_and_parses_back),
        cmocka_unit_test(test_numbers_at_their_limits),
        cmocka_unit_test(test_every_shipped_scenario_loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
