/* A scenario whose counts are known beforehand, and a run with all that it stands on. Ten
 * writes a second at constant spacing, a cut at 2 s, a crash at 6 s: exactly forty acknowledged
 * writes are lost, twenty of them by 4 s. */
#ifndef FAULTLINE_TESTS_CAMPAIGN_MADE_H
#define FAULTLINE_TESTS_CAMPAIGN_MADE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/campaign/run.h"

/* Writes at 0.050, 0.150 ...: twenty reach b, forty only a, which dies at 6 s. Ten more find
 * nobody; the rest b serves. */
#define WORLD                                                                                  \
    "name: loss\n"                                                                             \
    "seed: 3\n"                                                                                \
    "duration: 10s\n"                                                                          \
    "finish: {heal: all, restart: yes, quiesce: 2s, read_all: yes}\n"                          \
    "cluster: {regions: [{name: dc1, nodes: [a, b]}], disk: ssd_plp}\n"                        \
    "network: {preset: lan}\n"                                                                 \
    "engine: {name: hash}\n"                                                                   \
    "replication: {scheme: single_leader, leader: a}\n"                                        \
    "workloads:\n"                                                                             \
    "  - {name: w, clients: 2, rate: 10/s, start: 50ms, key_choice: unique, mix: {write: "     \
    "100%}}\n"
#define FAULTS                                                                                 \
    "timeline:\n"                                                                              \
    "  - {id: cut, at: 2s, cut: {from: a, to: b, class: replication}}\n"                       \
    "  - {id: die, at: 6s, crash: {node: a}}\n"                                                \
    "  - {id: promote, at: 7s, promote: {node: b}}\n"
#define LOSS WORLD FAULTS

/* ---- one run and what it stands on ---- */

struct made {
    struct scenario *scenario;
    struct plan *plan;
    struct run *run;
};

static inline struct scenario *load(const char *text)
{
    struct scenario_errors errors = {0};
    struct scenario *scenario = scenario_load_text("test.yaml", text, strlen(text), &errors);
    for (size_t i = 0; i < errors.count; i++) print_error("%s\n", errors.items[i]);
    scenario_errors_deinit(&errors);
    assert_non_null(scenario);
    return scenario;
}

static inline struct plan *plan_of(const struct scenario *scenario,
                                   const struct plan_request *request)
{
    struct scenario_errors errors = {0};
    struct plan *plan = plan_create(scenario, request, &errors);
    for (size_t i = 0; i < errors.count; i++) print_error("%s\n", errors.items[i]);
    scenario_errors_deinit(&errors);
    assert_non_null(plan);
    return plan;
}

static inline struct made make_variant(const char *text, uint32_t variant)
{
    struct made made = {.scenario = load(text)};
    made.plan = plan_of(made.scenario, &(struct plan_request){.variant = variant});
    made.run = run_execute(made.plan, &(struct run_request){0});
    return made;
}

static inline struct made make(const char *text)
{
    return make_variant(text, 0);
}

static inline void unmake(struct made *made)
{
    run_destroy(made->run);
    plan_destroy(made->plan);
    scenario_destroy(made->scenario);
}

#endif
