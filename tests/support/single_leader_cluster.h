/* What the tests of single_leader share: its options with defaults, a cluster that has settled,
 * and a few stories in one line each. Static functions, so that each test stays one file. */
#ifndef FAULTLINE_TESTS_SUPPORT_SINGLE_LEADER_CLUSTER_H
#define FAULTLINE_TESTS_SUPPORT_SINGLE_LEADER_CLUSTER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engines/replication/single_leader/single_leader.h"
#include "tests/support/fake_env.h"

#define UNUSED __attribute__((unused))
#define ANYBODY UINT32_MAX
#define REPLICATION (1u << MESSAGE_REPLICATION)
#define CONTROL (1u << MESSAGE_CONTROL)

static struct single_leader_options options;

static int options_setup(void **state)
{
    (void)state;
    assert_int_equal(options_default(single_leader_scheme.options,
                                     single_leader_scheme.options_count, &options,
                                     sizeof options),
                     0);
    options.failover.node = -1;
    return 0;
}

static UNUSED struct fake_config cluster_config(uint32_t nodes, uint32_t managers)
{
    static int32_t places[FAKE_NODES_MAX];
    if (managers) {
        options.failover.by = FAILOVER_MANAGER;
        options.failover.managers = (struct option_list){places, managers};
    }
    struct fake_config c =
        fake_config_default(&single_leader_scheme, &options, nodes, managers);
    for (uint32_t i = 0; i < managers; i++) c.manager_node[i] = i < nodes ? i : UINT32_MAX;
    char text[128];
    const char *why = single_leader_scheme.options_check(&options, nodes, text, sizeof text);
    if (why) fail_msg("options: %s", why);
    return c;
}

/* Started, and followers subscribed. */
static UNUSED struct fake *cluster(uint32_t nodes, uint32_t managers)
{
    struct fake_config c = cluster_config(nodes, managers);
    struct fake *f = fake_create(&c);
    fake_start_all(f);
    fake_run_until(f, 50 * MS);
    return f;
}

/* One write every `every` from now on, `count` of them, not waited for. */
static UNUSED void write_many(struct fake *f, uint32_t node, const char *prefix, int count,
                              int64_t every)
{
    for (int i = 0; i < count; i++) {
        char key[32];
        snprintf(key, sizeof key, "%s%d", prefix, i);
        fake_write(f, node, key, "value");
        fake_run_for(f, every);
    }
}

static UNUSED bool has(struct fake *f, uint32_t node, const char *key)
{
    char value[512];
    return fake_engine_get(f, node, bytes_string(key), value, sizeof value);
}

static UNUSED bool same_rows(struct fake *f, uint32_t a, uint32_t b)
{
    uint64_t count_a, count_b;
    uint64_t hash_a = fake_rows_hash(f, a, &count_a), hash_b = fake_rows_hash(f, b, &count_b);
    return hash_a == hash_b && count_a == count_b;
}

static UNUSED void cut_all(struct fake *f, uint32_t a, uint32_t b)
{
    fake_cut_both(f, a, b, ALL_CLASSES, false);
}

/* Cuts one endpoint off from all others (nodes and managers), except those on its machine. */
static UNUSED void isolate(struct fake *f, uint32_t node, uint32_t count, uint32_t but)
{
    for (uint32_t other = 0; other < count; other++)
        if (other != node && other != but) cut_all(f, node, other);
}

#endif
