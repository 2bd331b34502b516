/* Goal: the world assembles endpoints in the documented order, the directory and the second
 * stores keep their contracts, machines and processes stop as documented, the story is complete
 * in facts and thrifty in the timeline, and finish heals, restarts and reads everything.
 * Method: scripted nodes (world_fixture.h) at constant latencies.
 */
#include "tests/world/world_fixture.h"

static void test_world_numbers_nodes_managers_directory_stores_and_then_groups(void **state)
{
    (void)state;
    struct world_config config = scene_config();
    struct scene *s = scene_start(&config);
    assert_string_equal(world_endpoint_name(s->world, 0), "n0");
    assert_string_equal(world_endpoint_name(s->world, MANAGER), "m0");
    assert_string_equal(world_endpoint_name(s->world, DIRECTORY), "directory");
    assert_string_equal(world_endpoint_name(s->world, STORE), "store");
    assert_string_equal(world_endpoint_name(s->world, GROUP), "group");
    assert_null(world_endpoint_name(s->world, GROUP + 1));
    assert_int_equal(world_directory(s->world), DIRECTORY);
    assert_int_equal(world_store_find(s->world, "store"), STORE);
    assert_int_equal(world_store_find(s->world, "nothing"), UINT32_MAX);
    assert_int_equal(world_nodes(s->world), 3);
    assert_int_equal(world_managers(s->world), 1);
    assert_int_equal(world_leader(s->world), 0);
    scene_destroy(s);
}

/* ---- directory ---- */

static void test_world_directory_tells_the_initial_leader_at_once_and_a_new_one_after_learn(
    void **state)
{
    (void)state;
    struct world_config config = scene_config();
    struct scene *s = scene_start(&config);
    assert_int_equal(seen_at(s, "tell 0 0"), LATENCY);
    order(s, 2, "l2"); /* n2 claims for itself under epoch 5 */
    kernel_run(s->kernel, 500 * MS);
    assert_int_equal(seen_at(s, "tell 2 5"), 100 * MS + HANDLER + LATENCY + 50 * MS + LATENCY);
    assert_int_equal(facts_of(s, FACT_LEADER, DIRECTORY), 2);
    assert_int_equal(told(s, "clients are sent to n2"), 1);
    scene_destroy(s);
}

static void claim(struct scene *s, uint32_t node, uint64_t epoch)
{
    unsigned char bytes[12];
    put_u32(bytes, node);
    put_u64(bytes + 4, epoch);
    group_send(s, DIRECTORY, MESSAGE_CLAIM, MESSAGE_CONTROL, bytes_of(bytes, sizeof bytes));
}

static void test_world_directory_grants_the_highest_epoch_or_the_last_claim(void **state)
{
    (void)state;
    for (int last = 0; last < 2; last++) {
        struct world_config config = scene_config();
        config.directory.claims = last ? CLAIMS_LAST : CLAIMS_HIGHEST_EPOCH;
        struct scene *s = scene_start(&config);
        claim(s, 1, 3);
        kernel_run(s->kernel, 200 * MS);
        claim(s, 2, 3); /* the same epoch by another */
        kernel_run(s->kernel, 300 * MS);
        claim(s, 0, 2); /* a lower one */
        kernel_run(s->kernel, 400 * MS);
        claim(s, 7, 9); /* no such node: never */
        group_send(s, DIRECTORY, MESSAGE_CLAIM, MESSAGE_CONTROL, BYTES_LITERAL("garbage"));
        kernel_run(s->kernel, 500 * MS);
        assert_int_equal(seen_count(s, "answer"), 4);
        assert_true(seen_at(s, "answer 1 1 3") > 0);
        if (last) {
            assert_true(seen_at(s, "answer 1 2 3") > 0);
            assert_true(seen_at(s, "answer 1 0 2") > 0);
            assert_true(seen_at(s, "answer 0 0 2") > 0);
            assert_true(seen_at(s, "tell 0 2") > 0);
        } else {
            assert_int_equal(seen_count(s, "answer 0 1 3"), 3);
            assert_int_equal(seen_count(s, "tell 2"), 0);
        }
        scene_destroy(s);
    }
}

static void test_world_directory_tells_groups_that_were_cut_off_at_the_next_refresh(
    void **state)
{
    (void)state;
    struct world_config config = scene_config();
    struct scene *s = scene_start(&config);
    static const int32_t from[] = {(int32_t)DIRECTORY}, to[] = {(int32_t)GROUP};
    uint32_t rule = network_rule_add(
        world_network(s->world),
        &(struct network_rule){.kind = RULE_CUT, .from = {from, 1}, .to = {to, 1}});
    claim(s, 1, 1);
    kernel_run(s->kernel, 420 * MS);
    assert_int_equal(seen_count(s, "tell 1"), 0);
    network_rule_remove(world_network(s->world), rule);
    kernel_run(s->kernel, 800 * MS);
    /* claim arrives at 101 ms, learned at 151, tried at 151, 251, 351 and 451 ms */
    assert_int_equal(seen_at(s, "tell 1 1"), 452 * MS);
    assert_int_equal(seen_count(s, "tell 1"), 1);
    scene_destroy(s);
}

static void test_world_directory_answers_who_asks_with_what_clients_know(void **state)
{
    (void)state;
    struct world_config config = scene_config();
    struct scene *s = scene_start(&config);
    s->lines_count = 0;
    claim(s, 1, 1);
    kernel_run(s->kernel, 110 * MS);
    group_send(s, DIRECTORY, MESSAGE_DIRECTORY_ASK, MESSAGE_CLIENT,
               bytes_of(NULL, 0)); /* claimed, but not learned yet */
    kernel_run(s->kernel, 140 * MS);
    assert_int_equal(seen_count(s, "tell 0 0"), 1);
    kernel_run(s->kernel, 300 * MS);
    group_send(s, DIRECTORY, MESSAGE_DIRECTORY_ASK, MESSAGE_CLIENT, bytes_of(NULL, 0));
    kernel_run(s->kernel, 400 * MS);
    assert_int_equal(seen_count(s, "tell 1 1"), 2);
    scene_destroy(s);
}

/* ---- second store ---- */

static void store_ask(struct scene *s, uint64_t number, bool put, const char *key,
                      uint64_t token)
{
    unsigned char bytes[64];
    size_t size = strlen(key);
    put_u64(bytes, number);
    bytes[8] = put;
    put_u16(bytes + 9, (uint16_t)size);
    memcpy(bytes + 11, key, size);
    put_u64(bytes + 11 + size, token);
    group_send(s, STORE, MESSAGE_STORE_REQUEST, MESSAGE_CLIENT,
               bytes_of(bytes, 11 + size + (put ? 8 : 0)));
}

static void test_world_second_store_maps_ids_to_tokens_with_its_latency(void **state)
{
    (void)state;
    struct world_config config = scene_config();
    struct scene *s = scene_start(&config);
    store_ask(s, 1, false, "row-1", 0);
    store_ask(s, 2, true, "row-1", 77);
    kernel_run(s->kernel, 200 * MS);
    store_ask(s, 3, false, "row-1", 0);
    store_ask(s, 4, true, "row-1", 78);
    kernel_run(s->kernel, 300 * MS);
    store_ask(s, 5, false, "row-1", 0);
    for (int i = 0; i < 500; i++) { /* it grows */
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        store_ask(s, 1000 + (uint64_t)i, true, key, (uint64_t)i + 1);
    }
    kernel_run(s->kernel, 400 * MS);
    for (int i = 0; i < 500; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        store_ask(s, 2000 + (uint64_t)i, false, key, 0);
    }
    kernel_run(s->kernel, 500 * MS);
    assert_int_equal(seen_at(s, "store 1 0 0"), 100 * MS + 2 * LATENCY + 300 * US);
    assert_true(seen_at(s, "store 2 1 77") > 0);
    assert_true(seen_at(s, "store 3 1 77") > 0);
    assert_true(seen_at(s, "store 5 1 78") > 0);
    for (int i = 0; i < 500; i++) {
        char text[32];
        snprintf(text, sizeof text, "store %d 1 %d", 2000 + i, i + 1);
        assert_true(seen_at(s, text) > 0);
    }
    group_send(s, STORE, MESSAGE_STORE_REQUEST, MESSAGE_CLIENT, BYTES_LITERAL("short"));
    group_send(s, STORE, MESSAGE_STORE_REQUEST, MESSAGE_CLIENT,
               BYTES_LITERAL("12345678\1\377\377too long a key"));
    store_ask(s, 9999, false, "row-1", 0); /* under way when the world ends */
    kernel_run(s->kernel, 501 * MS + 10 * US);
    scene_destroy(s);
}

/* ---- machines and processes ---- */

static void test_world_stonith_stops_the_machine_with_its_manager_and_a_crash_does_not(
    void **state)
{
    (void)state;
    struct world_config config = scene_config();
    struct scene *s = scene_start(&config);
    order(s, 0, "f1");
    kernel_run(s->kernel, 200 * MS);
    assert_false(node_is_up(world_node(s->world, 1)));
    assert_false(node_is_up(world_node(s->world, MANAGER)));
    assert_int_equal(told(s, "n1 is shot"), 1);
    assert_int_equal(facts_of(s, FACT_DOWN, 1), 1);
    scene_destroy(s);

    s = scene_start(&config);
    node_crash(world_node(s->world, 1), DOWN_CRASH, "");
    kernel_run(s->kernel, 200 * MS);
    assert_true(node_is_up(world_node(s->world, MANAGER)));
    scene_destroy(s);
}

/* ---- story ---- */

static void test_world_facts_are_complete_and_the_timeline_is_thrifty(void **state)
{
    (void)state;
    struct world_config config = scene_config();
    struct scene *s = scene_start(&config);
    assert_int_equal(s->records.timeline.count, 1); /* the boot is not told, the leader is */
    assert_int_equal(told(s, "n0 becomes leader (epoch 1)"), 1);
    assert_int_equal(facts_of(s, FACT_UP, 2), 1);
    assert_int_equal(facts_of(s, FACT_ROLE, 1), 1);
    for (int i = 0; i < 5; i++)
        order(s, 1, "n9 r"); /* CATCHING_UP, again and again: told once */
    kernel_run(s->kernel, 200 * MS);
    assert_int_equal(told(s, "n1 catches up"), 1);
    assert_int_equal(facts_of(s, FACT_ACK, 1), 5);
    node_crash(world_node(s->world, 2), DOWN_CRASH, ""); /* something turned: then again */
    order(s, 1, "n9");
    kernel_run(s->kernel, 300 * MS);
    assert_int_equal(told(s, "n1 catches up"), 2);
    assert_int_equal(told(s, "n2 crashes"), 1);
    node_start(world_node(s->world, 2));
    kernel_run(s->kernel, 400 * MS);
    assert_int_equal(told(s, "n2 is up again"), 1);
    order(s, 1, "F3 F4 D4150 D0");
    kernel_run(s->kernel, 450 * MS);
    assert_int_equal(facts_of(s, FACT_FENCED, 1), 2);
    assert_int_equal(told(s, "n1 refuses a write under token 3: it has seen 9"), 1);
    assert_int_equal(told(s, "n1 refuses"), 1);
    assert_int_equal(facts_of(s, FACT_DISCARDED, 1), 2);
    assert_int_equal(told(s, "n1 discards 4,150 writes that n0 never had"), 1);
    assert_int_equal(told(s, "discards"), 1);
    order(s, 1, "P");
    kernel_run(s->kernel, 500 * MS);
    assert_int_equal(told(s, "n1 stops itself: scripted: EIO"), 1);
    for (size_t i = 1; i < s->records.facts.count; i++)
        assert_true(s->records.facts.items[i].time_ns >= s->records.facts.items[i - 1].time_ns);
    scene_destroy(s);
}

static void test_world_samples_inspections(void **state)
{
    (void)state;
    struct world_config config = scene_config();
    config.inspect_every_ns = 10 * MS;
    struct scene *s = scene_start(&config);
    order(s, 2, "w w w r");
    kernel_run(s->kernel, 200 * MS);
    uint64_t applied = 0, lag = 0;
    for (size_t i = 0; i < s->records.facts.count; i++)
        if (s->records.facts.items[i].kind == FACT_INSPECT &&
            s->records.facts.items[i].endpoint == 2)
            applied = s->records.facts.items[i].a, lag = s->records.facts.items[i].c;
    assert_int_equal(applied, 3);
    assert_int_equal(lag, 7);
    assert_in_range(facts_of(s, FACT_INSPECT, 2), 18, 20);
    scene_destroy(s);
}

/* ---- finish ---- */

static void test_world_finish_heals_restarts_resumes_and_reads_every_node(void **state)
{
    (void)state;
    struct world_config config = scene_config();
    struct scene *s = scene_start(&config);
    order(s, 0, "b");
    order(s, 1, "b");
    order(s, 1, "b");
    kernel_run(s->kernel, 200 * MS);
    node_crash(world_node(s->world, 2), DOWN_CRASH, "");
    node_pause(world_node(s->world, 0));
    network_rule_add(world_network(s->world), &(struct network_rule){.kind = RULE_CUT});
    assert_int_equal(world_finish(s->world, &(struct world_finish){.heal = true,
                                                                   .restart = true,
                                                                   .quiesce_ns = NS_PER_S,
                                                                   .read_all = true}),
                     KERNEL_DONE);
    for (uint32_t i = 0; i < NODES; i++) assert_true(node_is_up(world_node(s->world, i)));
    assert_false(node_is_paused(world_node(s->world, 0)));
    assert_true(network_reachable(world_network(s->world), 0, 1, MESSAGE_CONTROL));
    assert_int_equal(facts_of(s, FACT_FINAL_COUNT, 0), 1);
    assert_int_equal(facts_of(s, FACT_FINAL, 0), 1);
    assert_int_equal(facts_of(s, FACT_FINAL, 1), 2);
    assert_int_equal(facts_of(s, FACT_FINAL, 2), 0);
    for (size_t i = 0; i < s->records.facts.count; i++) {
        const struct fact *fact = &s->records.facts.items[i];
        if (fact->kind == FACT_FINAL_COUNT) assert_int_equal(fact->c, 1);
        if (fact->kind == FACT_FINAL && fact->endpoint == 0) {
            assert_int_equal(fact->b, 1);
            assert_string_equal(history_name(s->records.history, (uint32_t)fact->a, NULL),
                                "1.v");
        }
    }
    scene_destroy(s);

    s = scene_start(&config); /* and leaves alone what it is not asked to touch */
    node_crash(world_node(s->world, 2), DOWN_CRASH, "");
    node_pause(world_node(s->world, 0));
    world_finish(s->world, &(struct world_finish){.quiesce_ns = NS_PER_S});
    assert_false(node_is_up(world_node(s->world, 2)));
    assert_true(node_is_paused(world_node(s->world, 0)));
    assert_int_equal(facts_of(s, FACT_FINAL_COUNT, 2), 0);
    scene_destroy(s);
}

static uint64_t run_once(uint64_t seed)
{
    struct world_config config = scene_config();
    static struct world_node nodes[NODES];
    memcpy(nodes, config.nodes, sizeof nodes);
    for (uint32_t i = 0; i < NODES; i++) nodes[i].disk = disk_preset_find("cloud")->config;
    config.nodes = nodes;
    config.network.latency = (struct dist){.kind = DIST_EXPONENTIAL, .a = LATENCY};
    struct scene *s = scene_create(&config, seed);
    world_start(s->world);
    for (int i = 0; i < 50; i++) {
        kernel_run(s->kernel, (i + 1) * 20 * MS);
        for (uint32_t n = 0; n < NODES; n++) order(s, n, "w s p m0 m1 R d i r");
    }
    world_finish(s->world,
                 &(struct world_finish){.heal = true, .restart = true, .quiesce_ns = NS_PER_S});
    uint64_t hash = kernel_trace_hash(s->kernel);
    scene_destroy(s);
    return hash;
}

static void test_world_runs_are_equal_for_equal_seeds_and_differ_for_others(void **state)
{
    (void)state;
    uint64_t first = run_once(1);
    assert_int_equal(run_once(1), first);
    assert_int_not_equal(run_once(2), first);
}

static void test_world_leader_is_the_up_node_of_the_highest_epoch(void **state)
{
    (void)state;
    struct world_config config = scene_config();
    struct scene *s = scene_start(&config);
    assert_int_equal(world_leader(s->world), 0);
    order(s, 1, "L3");
    order(s, 2, "L2");
    kernel_run(s->kernel, 200 * MS);
    assert_int_equal(world_leader(s->world), 1);
    node_crash(world_node(s->world, 1), DOWN_CRASH, "");
    assert_int_equal(world_leader(s->world), 2);
    node_crash(world_node(s->world, 2), DOWN_CRASH, "");
    node_crash(world_node(s->world, 0), DOWN_CRASH, "");
    assert_int_equal(world_leader(s->world), UINT32_MAX);
    scene_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_world_numbers_nodes_managers_directory_stores_and_then_groups),
        cmocka_unit_test(
            test_world_directory_tells_the_initial_leader_at_once_and_a_new_one_after_learn),
        cmocka_unit_test(test_world_directory_grants_the_highest_epoch_or_the_last_claim),
        cmocka_unit_test(
            test_world_directory_tells_groups_that_were_cut_off_at_the_next_refresh),
        cmocka_unit_test(test_world_directory_answers_who_asks_with_what_clients_know),
        cmocka_unit_test(test_world_second_store_maps_ids_to_tokens_with_its_latency),
        cmocka_unit_test(
            test_world_stonith_stops_the_machine_with_its_manager_and_a_crash_does_not),
        cmocka_unit_test(test_world_facts_are_complete_and_the_timeline_is_thrifty),
        cmocka_unit_test(test_world_samples_inspections),
        cmocka_unit_test(test_world_finish_heals_restarts_resumes_and_reads_every_node),
        cmocka_unit_test(test_world_runs_are_equal_for_equal_seeds_and_differ_for_others),
        cmocka_unit_test(test_world_leader_is_the_up_node_of_the_highest_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
