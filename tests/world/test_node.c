/* Goal: a node spends virtual time as DESIGN section 4 says: effects carry the cursor, a batch
 * is flushed once, reads detach, timers follow the node's clock.
 *
 * Method: a scheme whose handlers are scripts (node_fixture.h) on a disk, network and CPU with
 * constant costs, so that every effect has a time that can be reckoned.
 */
#include "tests/world/node_fixture.h"

static void test_node_stamps_every_effect_with_the_cursor_of_its_handler(void **state)
{
    (void)state;
    struct bench *b = bench_create();
    uint64_t n = ask(b, "n1 c20 m1 w s r n2");
    run_to(b, 2 * NS_PER_S);
    assert_int_equal(n, 1);
    assert_int_equal(when(b, "note 1"), HANDLER);
    assert_int_equal(when(b, "sent"), HANDLER + 20 * US);                /* before the sync */
    assert_int_equal(when(b, "ack 1"), HANDLER + 20 * US + CALL + SYNC); /* after it */
    assert_int_equal(when(b, "reply 1 0"), when(b, "ack 1"));
    assert_int_equal(when(b, "note 2"), when(b, "ack 1"));
    bench_destroy(b);
}

static void test_node_is_busy_until_its_cursor_ends(void **state)
{
    (void)state;
    struct bench *b = bench_create();
    ask(b, "c100 n1");
    run_to(b, NS_PER_S + 50 * US);
    ask(b, "n2");
    run_to(b, 2 * NS_PER_S);
    assert_int_equal(when(b, "note 1"), HANDLER + 100 * US);
    assert_int_equal(when(b, "note 2"), HANDLER + 100 * US + HANDLER);
    bench_destroy(b);
}

static void test_node_flushes_a_batch_once(void **state)
{
    (void)state;
    struct bench *b = bench_create();
    uint64_t before = node_counters(b->node)->batches;
    ask(b, "c100");
    for (int i = 0; i < 20; i++) ask(b, "b");
    uint64_t syncs = 0, after = 0;
    for (int i = 0; i < VFS_PURPOSES; i++) syncs += disk_counters(node_disk(b->node))->syncs[i];
    run_to(b, 2 * NS_PER_S);
    for (int i = 0; i < VFS_PURPOSES; i++) after += disk_counters(node_disk(b->node))->syncs[i];
    assert_int_equal(node_counters(b->node)->batches - before, 1);
    assert_int_equal(after - syncs, 1);
    assert_int_equal(count_of(b, "ack"), 20);
    assert_int_equal(when(b, "ack 2"),
                     when(b, "ack 21")); /* group commit: they leave together */
    bench_destroy(b);
}

static void test_node_takes_at_most_batch_entries_at_once(void **state)
{
    (void)state;
    struct node_config config = bench_config();
    config.batch = 4;
    struct bench *b = bench_create_with(&config, 1, TIES_FIFO);
    node_start(b->node);
    run_to(b, NS_PER_S);
    for (int i = 0; i < 10; i++) ask(b, "n1");
    run_to(b, 2 * NS_PER_S);
    assert_int_equal(node_counters(b->node)->batches, 3);
    assert_int_equal(node_counters(b->node)->handled, 10);
    bench_destroy(b);
}

static void test_node_drops_and_counts_what_its_inbox_cannot_hold(void **state)
{
    (void)state;
    struct node_config config = bench_config();
    config.inbox_max = 5;
    struct bench *b = bench_create_with(&config, 1, TIES_FIFO);
    node_start(b->node);
    run_to(b, NS_PER_S);
    for (int i = 0; i < 8; i++) ask(b, "r");
    node_admin(b->node, &(struct admin_command){ADMIN_PROMOTE,
                                                0}); /* commands and timers always find room */
    run_to(b, 2 * NS_PER_S);
    assert_int_equal(node_counters(b->node)->dropped_inbox, 3);
    assert_int_equal(count_of(b, "reply"), 5);
    assert_int_equal(count_of(b, "admin 0"), 1);
    assert_int_equal(node_counters(b->node)->inbox_peak, 6);
    bench_destroy(b);
}

static void test_node_answers_a_request_once_and_ignores_dead_handles(void **state)
{
    (void)state;
    struct bench *b = bench_create();
    ask(b, "r r r");
    run_to(b, NS_PER_S + 10 * MS);
    assert_int_equal(count_of(b, "reply 1"), 1);
    ask(b, "z r"); /* the first request's handle again */
    run_to(b, NS_PER_S + 20 * MS);
    assert_int_equal(count_of(b, "reply 1"), 1);
    assert_int_equal(count_of(b, "reply 2"), 1);
    bench_destroy(b);
}

static void test_node_ignores_garbage_requests(void **state)
{
    (void)state;
    struct bench *b = bench_create();
    struct payload *payload = payload_create(BYTES_LITERAL("\1\2\3"), NULL, 0);
    node_receive(b->node, CLIENT, MESSAGE_CLIENT, MESSAGE_REQUEST, payload);
    payload_release(payload);
    payload = payload_create(BYTES_LITERAL("12345678 this is no operation"), NULL, 0);
    node_receive(b->node, CLIENT, MESSAGE_CLIENT, MESSAGE_REQUEST, payload);
    payload_release(payload);
    ask(b, "r");
    run_to(b, 2 * NS_PER_S);
    assert_int_equal(count_of(b, "reply"), 1);
    assert_true(node_is_up(b->node));
    bench_destroy(b);
}

/* ---- read lanes ---- */

static void test_node_detached_reads_free_the_server_thread_at_once(void **state)
{
    (void)state;
    struct bench *b = bench_create();
    ask(b, "d c500 g r");
    ask(b, "n1");
    run_to(b, 2 * NS_PER_S);
    assert_int_equal(when(b, "note 1"), 2 * HANDLER);
    assert_int_equal(when(b, "reply 1 8"),
                     HANDLER + 500 * US); /* the key is not there: found < 0, STATUS_ERROR */
    bench_destroy(b);
}

static void test_node_detached_reads_wait_for_the_first_free_lane(void **state)
{
    (void)state;
    struct node_config config = bench_config();
    config.read_lanes = 2;
    struct bench *b = bench_create_with(&config, 1, TIES_FIFO);
    node_start(b->node);
    run_to(b, NS_PER_S);
    b->lines_count = 0;
    ask(b, "d c500 r");
    ask(b, "d c300 r");
    ask(b, "d c100 r");
    ask(b, "d c100 r");
    run_to(b, 2 * NS_PER_S);
    assert_int_equal(when(b, "reply 1 0"), HANDLER + 500 * US);
    assert_int_equal(when(b, "reply 2 0"), 2 * HANDLER + 300 * US);
    assert_int_equal(when(b, "reply 3 0"),
                     2 * HANDLER + 400 * US); /* after the second, whose lane is free first */
    assert_int_equal(
        when(b, "reply 4 0"),
        2 * HANDLER + 500 * US); /* and again; before the first lane's end would be no gain */
    bench_destroy(b);
}

static void test_node_detached_code_may_only_read_send_and_reply(void **state)
{
    (void)state;
    static const char *const forbidden[] = {"d n1", "d t1,1", "d x1", "d p",
                                            "d R",  "d f1",   "d l1"};
    for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++) {
        struct bench *b = bench_create();
        ask(b, forbidden[i]);
        run_to(b, 2 * NS_PER_S);
        assert_false(node_is_up(b->node));
        assert_int_equal(count_of(b, "down 3"), 1); /* DOWN_CHECK */
        bench_destroy(b);
    }
    struct bench *b = bench_create();
    ask(b, "d g i m1 r d");
    run_to(b, 2 * NS_PER_S);
    assert_true(node_is_up(b->node));
    assert_int_equal(count_of(b, "sent"), 1);
    bench_destroy(b);
}

/* ---- timers ---- */

static void test_node_timers_run_by_its_own_clock(void **state)
{
    (void)state;
    struct node_config config = bench_config();
    config.clock.drift_ppm = -200000; /* one fifth too slow: 100 us take 125 */
    struct bench *b = bench_create_with(&config, 1, TIES_FIFO);
    node_start(b->node);
    run_to(b, NS_PER_S);
    ask(b, "t1,100");
    run_to(b, 2 * NS_PER_S);
    int64_t fired = when(b, "timer 1");
    assert_in_range(fired, HANDLER + 125 * US + HANDLER - 2, HANDLER + 125 * US + HANDLER + 2);
    bench_destroy(b);
}

static void half_speed(struct bench *b)
{
    node_clock_drift(b->node, -500000);
}
static void jump(struct bench *b)
{
    node_clock_step(b->node, 3600 * NS_PER_S);
}

static void test_node_rescales_pending_timers_when_drift_changes(void **state)
{
    (void)state;
    struct bench *b = bench_create();
    ask(b, "t1,1000");
    at(b, HANDLER + 400 * US, half_speed); /* 600 us are left, which now take 1200 */
    run_to(b, 2 * NS_PER_S);
    assert_in_range(when(b, "timer 1"), 2 * HANDLER + 1600 * US - 2,
                    2 * HANDLER + 1600 * US + 2);
    bench_destroy(b);
}

static void test_node_timers_do_not_mind_steps_of_the_wall_clock(void **state)
{
    (void)state;
    struct bench *b = bench_create();
    ask(b, "t1,1000");
    at(b, 100 * US, jump);
    run_to(b, 2 * NS_PER_S);
    assert_int_equal(when(b, "timer 1"), HANDLER + 1000 * US + HANDLER);
    bench_destroy(b);
}

static void test_node_has_one_timer_a_number(void **state)
{
    (void)state;
    struct bench *b = bench_create();
    ask(b, "t1,100 t2,200 t1,500 x2 t3,50");
    ask(b, "c300 x3"); /* 3 comes due while the node is busy; it is cancelled before its turn */
    run_to(b, 2 * NS_PER_S);
    assert_int_equal(count_of(b, "timer"), 1);
    assert_int_equal(when(b, "timer 1"), HANDLER + 500 * US + HANDLER);
    for (int i = 0; i < 200; i++) {
        char script[64];
        snprintf(script, sizeof script, "t%d,%d x%d", i, 1000 + i, i - 100);
        ask(b, script);
    }
    run_to(b, 3 * NS_PER_S);
    assert_int_equal(count_of(b, "timer"), 101);
    bench_destroy(b);
}

static void ask_busy(struct bench *b)
{
    ask(b, "c300");
}
static void ask_again(struct bench *b)
{
    ask(b, "t1,500");
}

static void test_node_timer_set_again_while_it_waits_in_the_inbox_fires_once_and_late(
    void **state)
{
    (void)state;
    struct bench *b = bench_create();
    ask(b, "t1,50");           /* due at 60 us */
    at(b, 20 * US, ask_busy);  /* until 330 us */
    at(b, 40 * US, ask_again); /* stands before the timer in the inbox */
    run_to(b, 2 * NS_PER_S);
    assert_int_equal(count_of(b, "timer"), 1);
    assert_int_equal(when(b, "timer 1"), 330 * US + HANDLER + 500 * US + HANDLER);
    bench_destroy(b);
}

/* ---- broken contracts ---- */

static void test_node_panic_is_a_crash_at_the_cursor_and_keeps_what_came_before(void **state)
{
    (void)state;
    struct bench *b = bench_create();
    ask(b, "w s r c50 n1 P n2");
    ask(b, "n3");
    run_to(b, 2 * NS_PER_S);
    int64_t end = HANDLER + CALL + SYNC + 50 * US;
    assert_int_equal(when(b, "ack 1"), end - 50 * US);
    assert_int_equal(when(b, "note 1"), end);
    assert_int_equal(when(b, "note 2"), -1);
    assert_int_equal(when(b, "note 3"), -1);
    assert_int_equal(when(b, "down 2 scripted: EIO"), end + 1);
    assert_false(node_is_up(b->node));
    assert_true(node_start(b->node));
    run_to(b, 3 * NS_PER_S);
    assert_true(node_is_up(b->node));
    assert_int_equal(node_inspection(b->node)->last_position, 1); /* what was synced is there */
    bench_destroy(b);
}

static void test_node_failed_checks_crash_that_node_only(void **state)
{
    (void)state;
    static const char *const broken[] = {"K", "C", "d K"};
    for (int i = 0; i < 3; i++) {
        struct bench *b = bench_create();
        struct check_context before = check_context;
        ask(b, broken[i]);
        run_to(b, 2 * NS_PER_S);
        assert_int_equal(count_of(b, "down 3"), 1);
        assert_ptr_equal(check_context.handler, before.handler);
        assert_ptr_equal(check_context.node, before.node);
        bench_destroy(b);
    }
}

/* ---- order ---- */

static void test_node_keeps_the_order_of_effects_when_ties_are_shuffled(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct node_config config = bench_config();
        struct bench *b = bench_create_with(&config, seed, TIES_SEEDED);
        node_start(b->node);
        run_to(b, NS_PER_S);
        b->lines_count = 0;
        ask(b, "n1 n2 n3 n4 n5");
        run_to(b, 2 * NS_PER_S);
        assert_int_equal(b->lines_count, 5);
        for (unsigned i = 0; i < 5; i++) {
            char expected[16];
            snprintf(expected, sizeof expected, "note %u", i + 1);
            assert_string_equal(b->lines[i].text, expected);
        }
        bench_destroy(b);
    }
}

static void test_node_delivers_messages_answers_commands_and_sends_to_itself(void **state)
{
    (void)state;
    struct bench *b = bench_create();
    ask(b, "m0 m1 l1 f1");
    node_admin(b->node, &(struct admin_command){ADMIN_TRANSFER, 1});
    unsigned char answer[13] = {1};
    put_u32(answer + 1, 7);
    struct payload *payload = payload_create(bytes_of(answer, sizeof answer), NULL, 0);
    node_receive(b->node, CLIENT, MESSAGE_CONTROL, MESSAGE_CLAIM_ANSWER, payload);
    payload_release(payload);
    run_to(b, 2 * NS_PER_S);
    assert_int_equal(count_of(b, "message 0"), 1);
    assert_int_equal(count_of(b, "sent"), 1);
    assert_int_equal(count_of(b, "claim 1"), 1);
    assert_int_equal(count_of(b, "stonith"), 1);
    assert_int_equal(count_of(b, "answer 7"), 1);
    assert_int_equal(count_of(b, "admin 2"), 1);
    bench_destroy(b);
}

static void count_key(void *context, struct bytes key, struct bytes value)
{
    (void)key, (void)value;
    (*(int *)context)++;
}

static void test_node_each_reads_all_client_keys_without_effect(void **state)
{
    (void)state;
    struct bench *b = bench_create();
    for (int i = 0; i < 10; i++) ask(b, "b");
    run_to(b, 2 * NS_PER_S);
    struct disk_counters before = *disk_counters(node_disk(b->node));
    uint64_t hash = kernel_trace_hash(b->kernel), draws = kernel_draws(b->kernel);
    int keys = 0;
    assert_int_equal(node_each(b->node, count_key, &keys), 0);
    assert_int_equal(keys, 10);
    assert_memory_equal(&before, disk_counters(node_disk(b->node)), sizeof before);
    assert_int_equal(kernel_trace_hash(b->kernel), hash);
    assert_int_equal(kernel_draws(b->kernel), draws);
    do_crash(b);
    assert_int_equal(node_each(b->node, count_key, &keys), -EHOSTDOWN);
    bench_destroy(b);
}

static void test_node_memory_counts_towards_the_limit_of_the_run(void **state)
{
    (void)state;
    for (int limited = 0; limited < 2; limited++) {
        static const struct env_peer peers[] = {{"n0", "r"}};
        struct node_config config = bench_config();
        struct bench *b = calloc(1, sizeof *b);
        b->kernel = kernel_create(
            &(struct kernel_config){.seed = 1, .memory_max = limited ? 64 << 10 : 64 << 20});
        b->network =
            network_create(b->kernel, &(struct network_config){.latency = constant(LATENCY)});
        struct node_listener listener = {.context = b,
                                         .note = seen_note,
                                         .acknowledged = seen_acknowledged,
                                         .down = seen_down,
                                         .up = seen_up};
        b->node = node_create(b->kernel, b->network, CLIENT, &config, peers, 1, 0, &listener);
        network_add(b->network, "n0", 0, NETWORK_OWN_MACHINE, node_receive, b->node);
        network_add(b->network, "client", 0, NETWORK_OWN_MACHINE, client_receive, b);
        node_start(b->node);
        enum kernel_stop why = kernel_run(b->kernel, NS_PER_S);
        for (int i = 0; i < 20 && why == KERNEL_DONE; i++) {
            for (int k = 0; k < 100; k++) ask(b, "b");
            why = kernel_run(b->kernel, (2 + i) * NS_PER_S);
        }
        assert_int_equal(why, limited ? KERNEL_LIMIT_MEMORY : KERNEL_DONE);
        bench_destroy(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_node_stamps_every_effect_with_the_cursor_of_its_handler),
        cmocka_unit_test(test_node_is_busy_until_its_cursor_ends),
        cmocka_unit_test(test_node_flushes_a_batch_once),
        cmocka_unit_test(test_node_takes_at_most_batch_entries_at_once),
        cmocka_unit_test(test_node_drops_and_counts_what_its_inbox_cannot_hold),
        cmocka_unit_test(test_node_answers_a_request_once_and_ignores_dead_handles),
        cmocka_unit_test(test_node_ignores_garbage_requests),
        cmocka_unit_test(test_node_detached_reads_free_the_server_thread_at_once),
        cmocka_unit_test(test_node_detached_reads_wait_for_the_first_free_lane),
        cmocka_unit_test(test_node_detached_code_may_only_read_send_and_reply),
        cmocka_unit_test(test_node_timers_run_by_its_own_clock),
        cmocka_unit_test(test_node_rescales_pending_timers_when_drift_changes),
        cmocka_unit_test(test_node_timers_do_not_mind_steps_of_the_wall_clock),
        cmocka_unit_test(test_node_has_one_timer_a_number),
        cmocka_unit_test(
            test_node_timer_set_again_while_it_waits_in_the_inbox_fires_once_and_late),
        cmocka_unit_test(test_node_panic_is_a_crash_at_the_cursor_and_keeps_what_came_before),
        cmocka_unit_test(test_node_failed_checks_crash_that_node_only),
        cmocka_unit_test(test_node_keeps_the_order_of_effects_when_ties_are_shuffled),
        cmocka_unit_test(test_node_delivers_messages_answers_commands_and_sends_to_itself),
        cmocka_unit_test(test_node_memory_counts_towards_the_limit_of_the_run),
        cmocka_unit_test(test_node_each_reads_all_client_keys_without_effect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
