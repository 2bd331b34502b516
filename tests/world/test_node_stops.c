/* Goal: every way to stop a node, at any nanosecond, takes back exactly what had not happened
 * yet (DESIGN section 4): crash, power off, wipe, pause, and stops while paused or booting.
 *
 * Method: one scripted handler with effects at known times; the stop is tried at every class of
 * instant around each of them, and what was seen is compared with what must have happened.
 */
#include "tests/world/node_fixture.h"

/* ---- crash at every class of instant inside a handler ---- */

/* Effects of "n1 c20 m1 w s r c30 n2": the handler begins at 0. */
#define AT_NOTE1 HANDLER
#define AT_SEND (HANDLER + 20 * US)
#define AT_ACK (AT_SEND + CALL + SYNC)
#define AT_NOTE2 (AT_ACK + 30 * US)

static void test_node_crash_drops_exactly_the_effects_not_yet_stamped(void **state)
{
    (void)state;
    static const int64_t effects[] = {AT_NOTE1, AT_SEND, AT_ACK, AT_NOTE2};
    static const char *const texts[] = {"note 1", "sent", "ack 1", "note 2"};
    for (int k = 0; k < 4; k++) {
        for (int64_t off = -1; off <= 1; off++) {
            struct bench *b = bench_create();
            int64_t c = effects[k] + off;
            ask(b, "n1 c20 m1 w s r c30 n2");
            at(b, c, do_crash);
            run_to(b, 2 * NS_PER_S);
            for (int i = 0; i < 4; i++) {
                /* The stop comes first in its instant: what is stamped c is gone. */
                if (effects[i] < c)
                    assert_int_equal(when(b, texts[i]), effects[i]);
                else
                    assert_int_equal(when(b, texts[i]), -1);
            }
            assert_int_equal(when(b, "down 0 "), c);
            assert_int_equal(when(b, "reply 1 0"), effects[2] < c ? effects[2] : -1);
            bench_destroy(b);
        }
    }
}

static void test_node_power_loss_inside_a_handler_keeps_a_write_only_if_its_sync_had_ended(
    void **state)
{
    (void)state;
    for (int64_t c = 0; c <= AT_NOTE2 + 5 * US; c += 1 * US) {
        struct bench *b = bench_create();
        ask(b, "n1 c20 m1 w s r c30 n2");
        at(b, c, do_power_off);
        run_to(b, NS_PER_S + 10 * MS);
        bool acknowledged = when(b, "ack 1") >= 0;
        assert_int_equal(acknowledged, c > AT_ACK);
        assert_true(node_start(b->node));
        run_to(b, NS_PER_S + 20 * MS);
        assert_true(node_is_up(b->node));
        uint64_t position = node_inspection(b->node)->last_position;
        if (acknowledged) assert_int_equal(position, 1);
        if (c <= AT_SEND + CALL) assert_int_equal(position, 0);
        bench_destroy(b);
    }
}

static void crash_at_once(void *context, uint32_t endpoint, uint64_t id,
                          enum operation_type type, const struct reply *reply)
{
    seen_acknowledged(context, endpoint, id, type, reply);
    node_power_off(((struct bench *)context)->node, DISK_ALL_LOST, DOWN_POWER_OFF);
}

static void test_node_stopped_by_who_hears_an_answer_keeps_what_the_answer_rests_on(
    void **state)
{
    (void)state;
    struct node_config config = bench_config();
    static const struct env_peer peers[] = {{"n0", "r"}, {"n1", "r"}};
    struct bench *b = calloc(1, sizeof *b);
    b->kernel = kernel_create(&(struct kernel_config){.seed = 1});
    b->network =
        network_create(b->kernel, &(struct network_config){.latency = constant(LATENCY),
                                                           .transport = NETWORK_DATAGRAM});
    struct node_listener listener = {.context = b,
                                     .note = seen_note,
                                     .acknowledged = crash_at_once,
                                     .down = seen_down,
                                     .up = seen_up};
    b->node = node_create(b->kernel, b->network, CLIENT, &config, peers, 2, 0, &listener);
    network_add(b->network, "n0", 0, NETWORK_OWN_MACHINE, node_receive, b->node);
    network_add(b->network, "client", 0, NETWORK_OWN_MACHINE, client_receive, b);
    node_start(b->node);
    run_to(b, NS_PER_S);
    ask(b,
        "w s r n2"); /* the answer has the same stamp as the sync's end, and so has the note */
    run_to(b, 2 * NS_PER_S);
    assert_false(node_is_up(b->node));
    assert_int_equal(count_of(b, "ack"), 1);
    assert_int_equal(count_of(b, "note"), 0);
    node_start(b->node);
    run_to(b, 3 * NS_PER_S);
    assert_int_equal(node_inspection(b->node)->last_position, 1);
    bench_destroy(b);
}

static void test_node_stop_empties_inbox_requests_timers_and_heap(void **state)
{
    (void)state;
    struct bench *b = bench_create();
    ask(b, "t1,500 c100");
    ask(b, "n1 r");
    run_to(b, NS_PER_S + 50 * US);
    ask(b, "n2 r");
    do_crash(b);
    assert_true(node_start(b->node));
    run_to(b, 2 * NS_PER_S);
    assert_true(node_is_up(b->node));
    assert_int_equal(count_of(b, "note"), 0);
    assert_int_equal(count_of(b, "timer"), 0);
    ask(b, "r"); /* the handle of the new incarnation is not that of the dead requests */
    run_to(b, 3 * NS_PER_S);
    assert_int_equal(count_of(b, "reply"), 1);
    assert_int_equal(count_of(b, "reply 4 0"), 1);
    bench_destroy(b);
}

static void test_node_forgets_requests_that_a_crash_left_open(void **state)
{
    (void)state;
    struct bench *b = bench_create();
    ask(b, "n1"); /* never answered: its handle is 1 */
    run_to(b, NS_PER_S + 10 * MS);
    do_crash(b);
    do_start(b);
    run_to(b, NS_PER_S + 20 * MS);
    ask(b, "z");
    run_to(b, 2 * NS_PER_S);
    assert_true(node_is_up(b->node));
    assert_int_equal(count_of(b, "reply"), 0);
    bench_destroy(b);
}

static void test_node_down_hears_nothing(void **state)
{
    (void)state;
    struct bench *b = bench_create();
    do_crash(b);
    ask(b, "r");
    assert_int_equal(node_counters(b->node)->dropped_down, 1);
    assert_false(node_admin(b->node, &(struct admin_command){ADMIN_PROMOTE, 0}));
    assert_false(node_crash(b->node, DOWN_CRASH, ""));
    assert_false(node_power_off(b->node, DISK_ALL_LOST, DOWN_POWER_OFF));
    assert_false(node_pause(b->node));
    assert_false(node_resume(b->node));
    assert_true(node_start(b->node));
    assert_false(node_start(b->node));
    run_to(b, 2 * NS_PER_S);
    assert_int_equal(count_of(b, "down"), 1);
    bench_destroy(b);
}

static void test_node_wipe_leaves_an_empty_disk(void **state)
{
    (void)state;
    struct bench *b = bench_create();
    ask(b, "w s r");
    run_to(b, NS_PER_S + 10 * MS);
    assert_true(node_wipe(b->node));
    assert_int_equal(disk_used_bytes(node_disk(b->node)), 0);
    assert_true(node_start(b->node));
    run_to(b, 2 * NS_PER_S);
    assert_int_equal(node_inspection(b->node)->last_position, 0);
    bench_destroy(b);
}

/* ---- boot ---- */

static void test_node_boot_takes_time_and_can_be_crashed(void **state)
{
    (void)state;
    struct node_config config = bench_config();
    struct bench *b = bench_create_with(&config, 1, TIES_FIFO);
    node_start(b->node);
    assert_false(node_is_up(b->node));
    assert_true(node_is_booting(b->node));
    ask(b, "n1"); /* waits in the inbox */
    run_to(b, NS_PER_S);
    int64_t up = when(b, "up 0") + NS_PER_S;
    assert_true(up > 0);
    assert_true(when(b, "note 1") + NS_PER_S == up + HANDLER);
    bench_destroy(b);

    b = bench_create_with(&config, 1, TIES_FIFO);
    node_start(b->node);
    run_to(b, up - 1);
    assert_true(node_crash(b->node, DOWN_CRASH, ""));
    run_to(b, NS_PER_S);
    assert_int_equal(count_of(b, "up"), 0);
    assert_true(node_start(b->node));
    run_to(b, 2 * NS_PER_S);
    assert_true(node_is_up(b->node));
    bench_destroy(b);
}

static void test_node_that_cannot_start_says_so_and_stays_down(void **state)
{
    (void)state;
    static const int error = -EBADMSG;
    struct node_config config = bench_config();
    config.scheme_options = &error;
    struct bench *b = bench_create_with(&config, 1, TIES_FIFO);
    node_start(b->node);
    run_to(b, NS_PER_S);
    assert_int_equal(count_of(b, "up -74"), 1);
    assert_int_equal(count_of(b, "down"), 0);
    assert_false(node_is_up(b->node));
    assert_false(node_is_booting(b->node));
    assert_true(node_start(b->node)); /* and may be started again */
    bench_destroy(b);
}

/* ---- pauses ---- */

static void test_node_pause_shifts_what_was_still_to_come_by_its_length(void **state)
{
    (void)state;
    struct bench *b = bench_create();
    ask(b, "n1 c20 m1 w s r c30 n2");
    at(b, AT_SEND + 5 * US, do_pause);
    at(b, AT_SEND + 5 * US + 7 * MS, do_resume);
    run_to(b, 2 * NS_PER_S);
    assert_int_equal(when(b, "note 1"), AT_NOTE1);
    assert_int_equal(when(b, "sent"), AT_SEND); /* departed: the pause cannot touch it */
    assert_int_equal(when(b, "ack 1"), AT_ACK + 7 * MS);
    assert_int_equal(when(b, "reply 1 0"), AT_ACK + 7 * MS);
    assert_int_equal(when(b, "note 2"), AT_NOTE2 + 7 * MS);
    bench_destroy(b);
}

static void test_node_pause_shifts_again_when_another_one_falls_in_between(void **state)
{
    (void)state;
    struct bench *b = bench_create();
    ask(b, "n1 c20 m1 w s r c30 n2");
    at(b, AT_SEND + 5 * US, do_pause);
    at(b, AT_SEND + 5 * US + 7 * MS, do_resume);
    at(b, AT_ACK + 7 * MS + 10 * US, do_pause); /* between ack and note 2 as shifted */
    at(b, AT_ACK + 10 * MS + 10 * US, do_resume);
    run_to(b, 2 * NS_PER_S);
    assert_int_equal(when(b, "ack 1"), AT_ACK + 7 * MS);
    assert_int_equal(when(b, "note 2"), AT_NOTE2 + 10 * MS);
    bench_destroy(b);
}

static void test_node_pause_shifts_disk_effects_too(void **state)
{
    (void)state;
    /* Power is lost during the pause, when the sync would have ended without it. */
    struct bench *b = bench_create();
    ask(b, "w s r");
    at(b, HANDLER + CALL + SYNC / 2, do_pause);
    at(b, HANDLER + CALL + SYNC + 5 * MS, do_power_off);
    run_to(b, NS_PER_S + 20 * MS);
    assert_int_equal(count_of(b, "ack"), 0);
    node_start(b->node);
    run_to(b, 2 * NS_PER_S);
    assert_int_equal(node_inspection(b->node)->last_position, 0);
    bench_destroy(b);

    /* After the pause it ends later by the pause's length, and not before. */
    for (int late = 0; late < 2; late++) {
        b = bench_create();
        ask(b, "w s r");
        at(b, HANDLER + CALL + SYNC / 2, do_pause);
        at(b, HANDLER + CALL + SYNC / 2 + 5 * MS, do_resume);
        at(b, HANDLER + CALL + SYNC + 5 * MS + (late ? 1 : -1), do_power_off);
        run_to(b, NS_PER_S + 20 * MS);
        assert_int_equal(count_of(b, "ack"), late);
        node_start(b->node);
        run_to(b, 2 * NS_PER_S);
        assert_int_equal(node_inspection(b->node)->last_position, late);
        bench_destroy(b);
    }
}

static void do_ask_note9(struct bench *b)
{
    ask(b, "n9");
}
static void do_ask_read(struct bench *b)
{
    ask(b, "d c100 r");
}
static void do_evict(struct bench *b)
{
    node_evict(b->node);
}

static void test_node_paused_is_silent_while_inbox_and_clock_go_on(void **state)
{
    (void)state;
    struct bench *b = bench_create();
    ask(b, "t1,2000 t2,9000");
    at(b, 1 * MS, do_pause);
    at(b, 2 * MS, do_ask_note9);
    at(b, 3 * MS, do_evict);
    at(b, 6 * MS, do_resume);
    run_to(b, 2 * NS_PER_S);
    /* Timer 1 came due first, while frozen, after the message was asked for: they are handled
     * at the end in order of arrival. */
    assert_int_equal(when(b, "note 9"), 6 * MS + HANDLER);
    assert_int_equal(when(b, "timer 1"), 6 * MS + 2 * HANDLER);
    assert_int_equal(when(b, "timer 2"),
                     HANDLER + 9 * MS + HANDLER); /* not shifted: it was set before the pause */
    bench_destroy(b);
}

static void test_node_timers_set_beyond_the_pause_are_shifted_with_their_handler(void **state)
{
    (void)state;
    struct bench *b = bench_create();
    ask(b, "c1000 t1,500 n1"); /* set at 1010 us; the pause begins at 500 us */
    at(b, 500 * US, do_pause);
    at(b, 4500 * US, do_resume);
    run_to(b, 2 * NS_PER_S);
    assert_int_equal(when(b, "note 1"), HANDLER + 1 * MS + 4 * MS);
    assert_int_equal(when(b, "timer 1"), HANDLER + 1 * MS + 4 * MS + 500 * US + HANDLER);
    bench_destroy(b);
}

static void test_node_timers_in_a_pause_with_drift_follow_the_clock(void **state)
{
    (void)state;
    struct node_config config = bench_config();
    config.clock.drift_ppm = -500000;
    struct bench *b = bench_create_with(&config, 1, TIES_FIFO);
    node_start(b->node);
    run_to(b, NS_PER_S);
    ask(b, "c1000 t1,500"); /* set at 1010 us, due 1 ms later in true time */
    at(b, 500 * US, do_pause);
    at(b, 4500 * US, do_resume);
    run_to(b, 2 * NS_PER_S);
    int64_t due = HANDLER + 1 * MS + 4 * MS + 1 * MS + HANDLER;
    assert_in_range(when(b, "timer 1"), due - 4, due + 4);
    bench_destroy(b);
}

static void test_node_detached_reads_and_busy_time_are_shifted_by_a_pause(void **state)
{
    (void)state;
    struct node_config config = bench_config();
    config.read_lanes = 1;
    struct bench *b = bench_create_with(&config, 1, TIES_FIFO);
    node_start(b->node);
    run_to(b, NS_PER_S);
    b->lines_count = 0;
    ask(b, "d c500 r");
    ask(b, "c200 n1");
    at(b, 100 * US, do_pause);
    at(b, 3100 * US, do_resume);
    at(b, 3101 * US, do_ask_note9);
    at(b, 3102 * US, do_ask_read);
    run_to(b, 2 * NS_PER_S);
    assert_int_equal(when(b, "reply 1 0"), HANDLER + 500 * US + 3 * MS);
    assert_int_equal(when(b, "note 1"), 2 * HANDLER + 200 * US + 3 * MS);
    assert_int_equal(when(b, "note 9"), 3 * HANDLER + 200 * US + 3 * MS);
    /* The one lane was taken until then: the next detached read waits for it. */
    assert_int_equal(when(b, "reply 4 0"), HANDLER + 500 * US + 3 * MS + 100 * US);
    bench_destroy(b);
}

static void test_node_crash_while_paused_drops_what_the_pause_held(void **state)
{
    (void)state;
    struct bench *b = bench_create();
    ask(b, "c100 n1 r");
    at(b, 50 * US, do_pause);
    at(b, 1 * MS, do_crash);
    at(b, 2 * MS, do_start);
    at(b, 3 * MS, do_resume); /* nothing to resume: the new process is not paused */
    run_to(b, 2 * NS_PER_S);
    assert_int_equal(count_of(b, "note"), 0);
    assert_int_equal(count_of(b, "reply"), 0);
    assert_true(node_is_up(b->node));
    assert_false(node_is_paused(b->node));
    bench_destroy(b);
}

static void send_stonith(struct bench *b)
{
    struct payload *payload = payload_create(bytes_of(NULL, 0), NULL, 0);
    network_send(b->network, CLIENT, 0, MESSAGE_CONTROL, MESSAGE_STONITH, payload);
    payload_release(payload);
}

static void test_node_is_shot_also_when_paused_or_down(void **state)
{
    (void)state;
    struct bench *b = bench_create();
    ask(b, "w r"); /* acknowledged, not synced */
    at(b, 2 * MS, do_pause);
    at(b, 3 * MS, send_stonith);
    run_to(b, NS_PER_S + 10 * MS);
    assert_int_equal(when(b, "down 4 "), 3 * MS + LATENCY);
    assert_false(node_is_up(b->node));
    assert_int_equal(disk_counters(node_disk(b->node))->lost_bytes > 0, 1);
    bench_destroy(b);

    b = bench_create();
    ask(b, "w r");
    at(b, 2 * MS, do_crash);     /* the machine is still on: its page cache holds the write */
    at(b, 3 * MS, send_stonith); /* until it is shot */
    run_to(b, NS_PER_S + 10 * MS);
    node_start(b->node);
    run_to(b, 2 * NS_PER_S);
    assert_int_equal(node_inspection(b->node)->last_position, 0);
    bench_destroy(b);
}

static void test_node_crash_keeps_unsynced_writes_and_power_loss_does_not(void **state)
{
    (void)state;
    for (int power = 0; power < 2; power++) {
        struct bench *b = bench_create();
        ask(b, "w r");
        at(b, 2 * MS, power ? do_power_off : do_crash);
        at(b, 3 * MS, do_start);
        run_to(b, 2 * NS_PER_S);
        assert_int_equal(node_inspection(b->node)->last_position, power ? 0 : 1);
        bench_destroy(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_node_crash_drops_exactly_the_effects_not_yet_stamped),
        cmocka_unit_test(
            test_node_power_loss_inside_a_handler_keeps_a_write_only_if_its_sync_had_ended),
        cmocka_unit_test(
            test_node_stopped_by_who_hears_an_answer_keeps_what_the_answer_rests_on),
        cmocka_unit_test(test_node_stop_empties_inbox_requests_timers_and_heap),
        cmocka_unit_test(test_node_forgets_requests_that_a_crash_left_open),
        cmocka_unit_test(test_node_down_hears_nothing),
        cmocka_unit_test(test_node_wipe_leaves_an_empty_disk),
        cmocka_unit_test(test_node_boot_takes_time_and_can_be_crashed),
        cmocka_unit_test(test_node_that_cannot_start_says_so_and_stays_down),
        cmocka_unit_test(test_node_pause_shifts_what_was_still_to_come_by_its_length),
        cmocka_unit_test(test_node_pause_shifts_again_when_another_one_falls_in_between),
        cmocka_unit_test(test_node_pause_shifts_disk_effects_too),
        cmocka_unit_test(test_node_paused_is_silent_while_inbox_and_clock_go_on),
        cmocka_unit_test(test_node_timers_set_beyond_the_pause_are_shifted_with_their_handler),
        cmocka_unit_test(test_node_timers_in_a_pause_with_drift_follow_the_clock),
        cmocka_unit_test(test_node_detached_reads_and_busy_time_are_shifted_by_a_pause),
        cmocka_unit_test(test_node_crash_while_paused_drops_what_the_pause_held),
        cmocka_unit_test(test_node_is_shot_also_when_paused_or_down),
        cmocka_unit_test(test_node_crash_keeps_unsynced_writes_and_power_loss_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
