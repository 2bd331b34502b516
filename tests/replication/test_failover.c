/* Goal: managers promote whom, when and only where their options allow it; what two sides of a
 * cut do to each other is exact. Method: the fake cluster with a manager on each machine;
 * machines are split into two sides by class. Node n and manager n stand on machine n.
 */
#include "tests/support/single_leader_cluster.h"

#define DETECT (3 * SECOND)

static uint32_t nodes_count, managers_count;

static struct fake *managed(uint32_t nodes, uint32_t managers)
{
    nodes_count = nodes;
    managers_count = managers;
    return cluster(nodes, managers);
}

static uint32_t manager(uint32_t machine)
{
    return nodes_count + machine;
}

static uint32_t machine_of(uint32_t endpoint)
{
    return endpoint < nodes_count ? endpoint : endpoint - nodes_count;
}

/* Cuts the machines of `side` (bits) from the others. */
static void split(struct fake *f, uint32_t side, uint32_t classes, bool queue)
{
    uint32_t count = nodes_count + managers_count;
    for (uint32_t a = 0; a < count; a++)
        for (uint32_t b = 0; b < count; b++)
            if ((side >> machine_of(a) & 1u) && !(side >> machine_of(b) & 1u))
                fake_cut_both(f, a, b, classes, queue);
}

static void crash_machine(struct fake *f, uint32_t machine)
{
    fake_crash(f, machine);
    if (machine < managers_count) fake_crash(f, manager(machine));
}

static uint32_t leaders(struct fake *f)
{
    uint32_t count = 0;
    for (uint32_t node = 0; node < nodes_count; node++)
        if (fake_up(f, node) && fake_inspect(f, node).role == ROLE_LEADER) count++;
    return count;
}

static int64_t elected_at(struct fake *f)
{
    const struct fake_note *note = fake_note(f, ANYBODY, NOTE_LEADER_ELECTED);
    return note ? note->time_ns : -1;
}

/* ---- one side ---- */

static void test_a_dead_leader_is_replaced_after_detection_and_delay(void **state)
{
    (void)state;
    struct fake *f = managed(3, 3);
    fake_run_until(f, 10 * SECOND + 1);
    assert_int_equal(fake_inspect(f, manager(0)).role, ROLE_COORDINATOR);
    assert_int_equal(fake_inspect(f, manager(1)).role, ROLE_MANAGER);
    fake_crash(f, 0);
    fake_run_until(f, 20 * SECOND);
    assert_int_equal(leaders(f), 1);
    assert_int_equal(fake_inspect(f, 1).role, ROLE_LEADER);
    assert_int_equal(fake_inspect(f, 1).epoch, 2);
    assert_int_equal(fake_directory_leader(f), 1);
    assert_int_equal(fake_directory_epoch(f), 2);
    assert_in_range(fake_note(f, ANYBODY, NOTE_LEADER_SUSPECTED)->time_ns, 12 * SECOND,
                    13 * SECOND + 10 * MS);
    assert_in_range(elected_at(f), 13 * SECOND, 14 * SECOND + 100 * MS);
    assert_int_equal(fake_inspect(f, 2).leader, 1);
    assert_int_equal(fake_notes(f, ANYBODY, NOTE_QUORUM_LOST), 0);
    fake_destroy(f);
}

static void test_detect_and_promote_delay_shift_the_promotion(void **state)
{
    (void)state;
    options.failover.detect_ns = 9 * SECOND;
    options.failover.promote_delay_ns = 5 * SECOND;
    struct fake *f = managed(3, 3);
    fake_run_until(f, 10 * SECOND + 1);
    fake_crash(f, 0);
    fake_run_until(f, 40 * SECOND);
    assert_in_range(elected_at(f), 10 * SECOND + 13 * SECOND, 10 * SECOND + 14100 * MS);
    fake_destroy(f);
}

static void test_a_silence_shorter_than_detect_changes_nothing(void **state)
{
    (void)state;
    struct fake *f = managed(3, 3);
    fake_run_until(f, 10 * SECOND);
    split(f, 1, ALL_CLASSES, false);
    fake_run_for(f, 1900 * MS);
    fake_heal(f);
    fake_run_for(f, 20 * SECOND);
    assert_int_equal(fake_inspect(f, 0).role, ROLE_LEADER);
    assert_int_equal(fake_inspect(f, 0).epoch, 1);
    assert_int_equal(fake_notes(f, ANYBODY, NOTE_LEADER_ELECTED), 0);
    fake_destroy(f);
}

static void test_by_hand_nobody_is_promoted(void **state)
{
    (void)state;
    struct fake *f = managed(3, 0);
    fake_run_until(f, 10 * SECOND);
    fake_crash(f, 0);
    fake_run_until(f, 60 * SECOND);
    assert_int_equal(leaders(f), 0);
    fake_destroy(f);
}

static void test_the_next_manager_coordinates_after_detect_and_election(void **state)
{
    (void)state;
    struct fake *f = managed(3, 3);
    fake_run_until(f, 10 * SECOND + 1);
    crash_machine(f, 0);
    fake_run_until(f, 30 * SECOND);
    assert_int_equal(fake_inspect(f, manager(1)).role, ROLE_COORDINATOR);
    assert_int_equal(leaders(f), 1);
    int64_t first = elected_at(f);
    assert_in_range(first, 13500 * MS, 15 * SECOND);
    fake_destroy(f);
}

static void test_a_longer_election_wait_delays_a_new_coordinator_only(void **state)
{
    (void)state;
    options.failover.election_ns = 8 * SECOND;
    struct fake *f = managed(3, 3);
    fake_run_until(f, 10 * SECOND + 1);
    fake_crash(f, 0);
    fake_run_until(f, 20 * SECOND);
    assert_true(elected_at(f) < 15 * SECOND);
    fake_destroy(f);
    f = managed(3, 3);
    fake_run_until(f, 10 * SECOND + 1);
    crash_machine(f, 0);
    fake_run_until(f, 40 * SECOND);
    assert_true(elected_at(f) > 20 * SECOND);
    fake_destroy(f);
}

static void test_a_restarted_leader_is_told_to_go_on(void **state)
{
    (void)state;
    struct fake *f = managed(3, 3);
    write_many(f, 0, "k", 10, MS);
    fake_run_until(f, 10 * SECOND);
    fake_crash(f, 0);
    fake_run_for(f, 500 * MS);
    assert_int_equal(fake_start(f, 0), 0);
    assert_int_equal(fake_inspect(f, 0).role, ROLE_RECOVERING);
    fake_run_for(f, 3 * SECOND);
    assert_int_equal(fake_inspect(f, 0).role, ROLE_LEADER);
    assert_int_equal(fake_inspect(f, 0).epoch, 2);
    assert_int_equal(fake_do_write(f, 0, "after", "v")->position, 11);
    fake_destroy(f);
}

/* A log that is never synced, and a power loss shorter than detect. */
static struct fake *forgetful(void)
{
    options.log_sync = LOG_SYNC_NEVER;
    nodes_count = managers_count = 3;
    struct fake_config c = cluster_config(3, 3);
    c.engine_sync = false;
    struct fake *f = fake_create(&c);
    fake_start_all(f);
    fake_run_until(f, 10 * SECOND - 5 * MS);
    /* The last pong of the followers knows nothing of these. */
    write_many(f, 0, "k", 10, MS);
    fake_run_for(f, 10 * MS);
    fake_power_off(f, 0);
    assert_int_equal(fake_start(f, 0), 0);
    assert_int_equal(fake_inspect(f, 0).last_position, 0);
    return f;
}

static void test_a_restarted_leader_that_lost_its_log_does_not_go_on(void **state)
{
    (void)state;
    struct fake *f = forgetful();
    fake_run_for(f, 8 * SECOND);
    assert_int_equal(leaders(f), 1);
    assert_int_equal(fake_inspect(f, 0).role, ROLE_FOLLOWER);
    assert_int_equal(fake_inspect(f, 1).role, ROLE_LEADER);
    assert_int_equal(fake_inspect(f, 1).epoch, 2);
    assert_int_equal(fake_inspect(f, 1).last_position, 10);
    assert_int_equal(fake_notes(f, ANYBODY, NOTE_WRITES_DISCARDED), 0);
    assert_true(has(f, 0, "k9"));
    assert_true(same_rows(f, 0, 1));
    fake_destroy(f);
}

static void test_a_restarted_leader_goes_on_when_nobody_reachable_has_more(void **state)
{
    (void)state;
    struct fake *f = forgetful();
    fake_crash(f, 1);
    fake_crash(f, 2);
    fake_run_for(f, 2 * SECOND); /* they count until they are dead to the managers */
    assert_int_equal(leaders(f), 0);
    fake_run_for(f, 6 * SECOND);
    assert_int_equal(fake_inspect(f, 0).role, ROLE_LEADER);
    assert_int_equal(fake_inspect(f, 0).epoch, 2);
    fake_destroy(f);
}

static void test_an_old_leader_that_returns_follows(void **state)
{
    (void)state;
    struct fake *f = managed(3, 3);
    fake_run_until(f, 10 * SECOND);
    fake_crash(f, 0);
    fake_run_for(f, 10 * SECOND);
    write_many(f, 1, "k", 10, MS);
    assert_int_equal(fake_start(f, 0), 0);
    fake_run_for(f, 10 * SECOND);
    assert_int_equal(fake_inspect(f, 0).role, ROLE_FOLLOWER);
    assert_int_equal(leaders(f), 1);
    assert_true(same_rows(f, 0, 1));
    fake_destroy(f);
}

static void test_a_second_failover_takes_the_third_epoch(void **state)
{
    (void)state;
    struct fake *f = managed(3, 3);
    fake_run_until(f, 10 * SECOND);
    fake_crash(f, 0);
    fake_run_for(f, 10 * SECOND);
    assert_int_equal(fake_start(f, 0), 0);
    fake_run_for(f, 5 * SECOND);
    fake_crash(f, 1);
    fake_run_for(f, 10 * SECOND);
    assert_int_equal(leaders(f), 1);
    assert_int_equal(fake_directory_epoch(f), 3);
    fake_destroy(f);
}

static void test_an_operators_promotion_is_accepted_by_the_managers(void **state)
{
    (void)state;
    struct fake *f = managed(3, 3);
    fake_run_until(f, 10 * SECOND);
    fake_admin(f, 2, ADMIN_PROMOTE, 2);
    fake_run_for(f, 20 * SECOND);
    assert_int_equal(fake_inspect(f, 2).role, ROLE_LEADER);
    assert_int_equal(fake_inspect(f, 2).epoch, 2);
    assert_int_equal(fake_inspect(f, manager(0)).leader, 2);
    assert_int_equal(fake_inspect(f, 0).role, ROLE_FOLLOWER);
    fake_destroy(f);
}

static void test_a_leader_that_an_operator_demoted_is_replaced_after_detect(void **state)
{
    (void)state;
    struct fake *f = managed(3, 3);
    fake_run_until(f, 10 * SECOND);
    fake_admin(f, 0, ADMIN_DEMOTE, 0);
    fake_run_for(f, 2 * SECOND);
    assert_int_equal(leaders(f), 0);
    fake_run_for(f, 8 * SECOND);
    assert_int_equal(leaders(f), 1);
    fake_destroy(f);
}

/* ---- whom to promote ---- */

/* Node 1 has everything, node 2 nothing of the last ten writes; then the leader dies. */
static struct fake *lagging(uint32_t nodes)
{
    struct fake *f = managed(nodes, 3);
    write_many(f, 0, "k", 10, MS);
    fake_run_until(f, 10 * SECOND);
    fake_cut(f, 0, 1, REPLICATION, false);
    write_many(f, 0, "l", 10, MS);
    fake_run_for(f, 100 * MS);
    fake_crash(f, 0);
    fake_run_until(f, 30 * SECOND);
    return f;
}

static void test_promote_most_caught_up_takes_the_longest_log(void **state)
{
    (void)state;
    struct fake *f = lagging(3);
    assert_int_equal(fake_inspect(f, 2).role, ROLE_LEADER);
    assert_int_equal(fake_inspect(f, 2).last_position, 20);
    fake_destroy(f);
}

static void test_promote_any_is_judged_by_its_worst_choice(void **state)
{
    (void)state;
    options.failover.promote = PROMOTE_ANY;
    struct fake *f = lagging(4);
    assert_int_equal(fake_inspect(f, 1).role, ROLE_LEADER);
    assert_int_equal(fake_inspect(f, 1).last_position, 10);
    fake_run_for(f, 5 * SECOND);
    assert_int_equal(fake_note(f, 2, NOTE_WRITES_DISCARDED)->a, 10);
    fake_destroy(f);
}

static void test_promote_node_takes_that_node_or_nobody(void **state)
{
    (void)state;
    options.failover.promote = PROMOTE_NODE;
    options.failover.node = 1;
    struct fake *f = lagging(3);
    assert_int_equal(fake_inspect(f, 1).role, ROLE_LEADER);
    fake_crash(f, 1);
    fake_run_for(f, 10 * SECOND);
    assert_int_equal(leaders(f), 0);
    assert_int_equal(fake_note(f, ANYBODY, NOTE_PROMOTION_REFUSED)->a, 2);
    assert_int_equal(fake_notes(f, ANYBODY, NOTE_PROMOTION_REFUSED), 1);
    fake_destroy(f);
}

static void test_promote_same_region_refuses_other_regions(void **state)
{
    (void)state;
    options.failover.promote = PROMOTE_SAME_REGION;
    for (int inside = 0; inside < 2; inside++) {
        struct fake_config c = cluster_config(3, 3);
        nodes_count = managers_count = 3;
        c.region[0] = "east";
        c.region[1] = "west";
        c.region[2] = inside ? "east" : "west";
        struct fake *f = fake_create(&c);
        fake_start_all(f);
        fake_run_until(f, 10 * SECOND);
        fake_crash(f, 0);
        fake_run_until(f, 30 * SECOND);
        if (inside) {
            assert_int_equal(fake_inspect(f, 2).role, ROLE_LEADER);
        } else {
            assert_int_equal(leaders(f), 0);
            assert_int_equal(fake_notes(f, ANYBODY, NOTE_PROMOTION_REFUSED), 1);
        }
        fake_destroy(f);
    }
}

/* ---- two sides ---- */

static void test_majority_keeps_the_minority_side_from_promoting(void **state)
{
    (void)state;
    struct fake *f = managed(3, 3);
    fake_run_until(f, 10 * SECOND);
    split(f, 1u << 2, ALL_CLASSES, false); /* machine 2 alone; the leader is elsewhere */
    fake_run_for(f, 60 * SECOND);
    assert_int_equal(leaders(f), 1);
    assert_int_equal(fake_inspect(f, 0).role, ROLE_LEADER);
    assert_int_equal(fake_inspect(f, manager(2)).role, ROLE_COORDINATOR);
    assert_int_equal(fake_note(f, manager(2), NOTE_QUORUM_LOST)->a, 1);
    assert_int_equal(fake_note(f, manager(2), NOTE_QUORUM_LOST)->b, 2);
    assert_int_equal(fake_notes(f, manager(2), NOTE_QUORUM_LOST), 1);
    fake_destroy(f);
}

static void test_majority_moves_the_leader_to_the_larger_side(void **state)
{
    (void)state;
    struct fake *f = managed(3, 3);
    fake_run_until(f, 10 * SECOND);
    split(f, 1u, ALL_CLASSES, false); /* machine 0, with leader and coordinator, alone */
    fake_run_for(f, 20 * SECOND);
    assert_int_equal(fake_inspect(f, 1).role, ROLE_LEADER);
    assert_int_equal(fake_directory_leader(f), 1);
    assert_int_equal(leaders(f), 2); /* the old one cannot know */
    fake_heal(f);
    fake_run_for(f, 3 * SECOND);
    assert_int_equal(leaders(f), 1);
    assert_int_equal(fake_inspect(f, 1).role, ROLE_LEADER);
    assert_int_equal(fake_inspect(f, manager(0)).leader, 1);
    fake_run_for(f, 30 * SECOND);
    assert_int_equal(fake_inspect(f, 1).epoch, 2);
    fake_destroy(f);
}

static void test_with_majority_a_leader_known_by_hearsay_is_replaced_too(void **state)
{
    (void)state;
    struct fake *f = managed(3, 3);
    fake_run_until(f, 10 * SECOND);
    split(f, 1u, ALL_CLASSES, false);
    fake_run_for(f, 20 * SECOND);
    assert_int_equal(fake_inspect(f, 1).role, ROLE_LEADER);
    fake_crash(f, 1);
    fake_heal(f);
    fake_run_for(f, 15 * SECOND);
    assert_int_equal(fake_inspect(f, manager(0)).role, ROLE_COORDINATOR);
    assert_int_equal(leaders(f), 1);
    assert_int_equal(fake_directory_epoch(f), 3);
    fake_destroy(f);
}

static void test_quorum_none_promotes_on_the_minority_side(void **state)
{
    (void)state;
    options.failover.quorum = QUORUM_NONE;
    struct fake *f = managed(3, 3);
    fake_run_until(f, 10 * SECOND);
    split(f, 1u << 2, ALL_CLASSES, false);
    fake_run_for(f, 20 * SECOND);
    assert_int_equal(leaders(f), 2);
    assert_int_equal(fake_inspect(f, 2).role, ROLE_LEADER);
    assert_int_equal(fake_directory_leader(f), 2);
    fake_destroy(f);
}

/* The shape of S01: the first manager is on the stale side; both sides hold elections. */
static struct fake *two_elections(void)
{
    options.failover.quorum = QUORUM_NONE;
    options.failover.promote = PROMOTE_ANY;
    nodes_count = managers_count = 3;
    struct fake_config c = cluster_config(3, 3);
    c.manager_node[0] = 2;
    c.manager_node[1] = 0;
    c.manager_node[2] = 1;
    struct fake *f = fake_create(&c);
    fake_start_all(f);
    for (int i = 0; i < 50; i++) {
        fake_insert(f, 0, "t/", "row");
        fake_run_for(f, 100 * MS);
    }
    fake_cut(f, 0, 2, REPLICATION, false);
    for (int i = 0; i < 550; i++) {
        fake_insert(f, 0, "t/", "row");
        fake_run_for(f, 100 * MS);
    }
    uint32_t left[] = {0, 1, 4, 5}, right[] = {2, 3};
    for (int a = 0; a < 4; a++)
        for (int b = 0; b < 2; b++) fake_cut_both(f, left[a], right[b], CONTROL, false);
    fake_crash(f, 0);
    fake_run_for(f, 10 * SECOND);
    return f;
}

static void test_an_election_is_interrupted_by_the_other_side(void **state)
{
    (void)state;
    struct fake *f = two_elections();
    assert_int_equal(fake_inspect(f, 2).role, ROLE_LEADER);
    assert_int_equal(fake_inspect(f, 1).role, ROLE_FOLLOWER);
    assert_int_equal(fake_directory_leader(f), 2);
    assert_int_equal(fake_directory_epoch(f), 2);
    /* Node 1 was promoted and demoted within moments, and follows nobody: it hears no one. */
    assert_int_equal(fake_inspect(f, 1).leader, LEADER_UNKNOWN);
    assert_string_equal(fake_do_insert(f, 2, "t/")->key, "t/51");
    /* The losers believe the directory and do not depose what they cannot see. */
    fake_run_for(f, 60 * SECOND);
    assert_int_equal(fake_directory_leader(f), 2);
    assert_int_equal(fake_directory_epoch(f), 2);
    fake_power_off(f, 2);
    fake_run_for(f, 60 * SECOND);
    assert_int_equal(leaders(f), 0);
    /* The operator starts the old leader and promotes it. */
    assert_int_equal(fake_start(f, 0), 0);
    fake_admin(f, 0, ADMIN_PROMOTE, 0);
    fake_run_for(f, SECOND);
    assert_int_equal(fake_inspect(f, 0).role, ROLE_LEADER);
    assert_int_equal(fake_inspect(f, 0).epoch, 3);
    assert_string_equal(fake_do_insert(f, 0, "t/")->key, "t/601");
    fake_heal(f);
    assert_int_equal(fake_start(f, 2), 0);
    fake_run_for(f, 10 * SECOND);
    assert_int_equal(fake_note(f, 2, NOTE_WRITES_DISCARDED)->a, 1);
    assert_int_equal(fake_note(f, 2, NOTE_WRITES_DISCARDED)->b, 51);
    assert_true(same_rows(f, 0, 1) && same_rows(f, 0, 2));
    fake_destroy(f);
}

static void test_with_majority_the_stale_side_never_leads(void **state)
{
    (void)state;
    struct fake *f = two_elections();
    fake_destroy(f);
    options_setup(NULL);
    /* The same cut with votes. */
    nodes_count = managers_count = 3;
    struct fake_config c = cluster_config(3, 3);
    c.manager_node[0] = 2;
    c.manager_node[1] = 0;
    c.manager_node[2] = 1;
    f = fake_create(&c);
    fake_start_all(f);
    fake_run_until(f, 5 * SECOND);
    fake_cut(f, 0, 2, REPLICATION, false);
    write_many(f, 0, "k", 100, 10 * MS);
    uint32_t left[] = {0, 1, 4, 5}, right[] = {2, 3};
    for (int a = 0; a < 4; a++)
        for (int b = 0; b < 2; b++) fake_cut_both(f, left[a], right[b], CONTROL, false);
    int64_t crash = fake_now(f);
    fake_crash(f, 0);
    fake_run_for(f, 30 * SECOND);
    assert_int_equal(fake_inspect(f, 1).role, ROLE_LEADER);
    assert_int_equal(fake_inspect(f, 1).last_position, 100);
    assert_int_equal(fake_inspect(f, 2).role, ROLE_FOLLOWER);
    assert_true(elected_at(f) - crash <= 5 * SECOND);
    fake_destroy(f);
}

static void test_a_vote_survives_a_restart_of_its_manager(void **state)
{
    (void)state;
    struct fake *f = managed(3, 3);
    fake_run_until(f, 10 * SECOND);
    fake_crash(f, 0);
    fake_run_until(f, 20 * SECOND);
    assert_int_equal(fake_inspect(f, manager(1)).epoch, 2);
    fake_power_off(f, manager(1));
    assert_int_equal(fake_start(f, manager(1)), 0);
    assert_int_equal(fake_inspect(f, manager(1)).epoch, 2);
    assert_int_equal(fake_inspect(f, manager(1)).leader, 1);
    fake_destroy(f);
}

static void test_without_epochs_managers_leave_two_leaders_alone(void **state)
{
    (void)state;
    options.epochs = 0;
    options.failover.quorum = QUORUM_NONE;
    nodes_count = managers_count = 2;
    struct fake_config c = cluster_config(2, 2);
    c.directory_last_wins = true;
    struct fake *f = fake_create(&c);
    fake_start_all(f);
    fake_run_until(f, 10 * SECOND);
    split(f, 1u, ALL_CLASSES, false);
    fake_run_for(f, 20 * SECOND);
    assert_int_equal(leaders(f), 2);
    fake_heal(f);
    fake_run_for(f, 60 * SECOND);
    assert_int_equal(leaders(f), 2);
    assert_int_equal(fake_directory_leader(f), 1);
    fake_destroy(f);
}

/* ---- fencing, confirmation, going on alone ---- */

static void pair_options(void)
{
    options.mode = MODE_SYNC;
    options.failover.quorum = QUORUM_NONE;
    options.failover.fence = FENCE_STONITH;
    options.failover.detect_ns = 30 * SECOND;
}

static void test_frozen_pair_with_queued_orders_ends_with_both_off(void **state)
{
    (void)state;
    pair_options();
    struct fake *f = managed(2, 2);
    fake_do_write(f, 0, "k", "v");
    fake_run_until(f, 10 * SECOND);
    split(f, 1u, ALL_CLASSES, true);
    uint64_t blocked = fake_write(f, 0, "during", "v");
    fake_run_until(f, 30 * SECOND);
    assert_false(fake_answer(f, blocked)->answered);
    fake_run_until(f, 99 * SECOND);
    /* Each side took the other for dead: the leader went on alone, the follower was promoted.
     */
    assert_int_equal(fake_answer(f, blocked)->status, STATUS_OK);
    assert_in_range(fake_answer(f, blocked)->time_ns, 38 * SECOND, 41 * SECOND);
    assert_int_equal(leaders(f), 2);
    assert_int_equal(fake_fences(f, 0), 1);
    assert_int_equal(fake_fences(f, 1), 1);
    fake_heal(f);
    fake_run_for(f, 10 * MS);
    assert_false(fake_up(f, 0));
    assert_false(fake_up(f, 1));
    fake_destroy(f);
}

static void test_frozen_pair_with_dropped_orders_stays_two_leaders(void **state)
{
    (void)state;
    pair_options();
    options.epochs = 0;
    nodes_count = managers_count = 2;
    struct fake_config c = cluster_config(2, 2);
    c.directory_last_wins = true;
    struct fake *f = fake_create(&c);
    fake_start_all(f);
    fake_run_until(f, 10 * SECOND);
    split(f, 1u, ALL_CLASSES, false);
    fake_run_until(f, 100 * SECOND);
    fake_heal(f);
    fake_run_for(f, 100 * SECOND);
    assert_int_equal(leaders(f), 2);
    fake_destroy(f);
}

static void test_confirm_before_promote_keeps_the_follower_down_but_not_the_orders(void **state)
{
    (void)state;
    pair_options();
    options.failover.confirm = 1;
    struct fake *f = managed(2, 2);
    fake_run_until(f, 10 * SECOND);
    split(f, 1u, ALL_CLASSES, true);
    fake_run_until(f, 99 * SECOND);
    assert_int_equal(leaders(f), 1);
    assert_int_equal(fake_inspect(f, 1).role, ROLE_FOLLOWER);
    fake_heal(f);
    fake_run_for(f, 10 * MS);
    assert_false(fake_up(f, 0));
    assert_false(fake_up(f, 1));
    fake_destroy(f);
}

static void test_with_a_witness_only_the_side_with_quorum_fences(void **state)
{
    (void)state;
    pair_options();
    options.failover.confirm = 1;
    options.failover.fence_quorum = 1;
    struct fake *f = managed(2, 3); /* the third manager stands alone */
    fake_do_write(f, 0, "k", "v");
    fake_run_until(f, 10 * SECOND);
    uint32_t rack_a[] = {0, manager(0)}, rack_b[] = {1, manager(1)};
    for (int a = 0; a < 2; a++)
        for (int b = 0; b < 2; b++) fake_cut_both(f, rack_a[a], rack_b[b], ALL_CLASSES, true);
    fake_run_until(f, 99 * SECOND);
    assert_int_equal(fake_fences(f, 0), 0);
    assert_int_equal(fake_fences(f, 1), 1);
    assert_int_equal(fake_do_write(f, 0, "alone", "v")->status, STATUS_OK);
    fake_heal(f);
    fake_run_for(f, SECOND);
    assert_true(fake_up(f, 0));
    assert_int_equal(fake_do_write(f, 0, "after", "v")->status, STATUS_OK);
    fake_destroy(f);
}

static void test_a_delayed_fence_is_given_up_when_the_node_is_heard(void **state)
{
    (void)state;
    pair_options();
    options.failover.fence_delay_ns = 15 * SECOND;
    struct fake *f = managed(2, 2);
    fake_run_until(f, 10 * SECOND);
    split(f, 1u, ALL_CLASSES, false);
    fake_run_until(f, 45 * SECOND);
    fake_heal(f);
    fake_run_for(f, 60 * SECOND);
    assert_int_equal(fake_fences(f, 0) + fake_fences(f, 1), 0);
    assert_int_equal(leaders(f), 1);
    fake_destroy(f);
}

static void test_stonith_precedes_the_promotion(void **state)
{
    (void)state;
    options.failover.fence = FENCE_STONITH;
    options.failover.fence_delay_ns = 10 * SECOND;
    struct fake *f = managed(3, 3);
    fake_run_until(f, 10 * SECOND);
    fake_pause(f, 0, true);
    fake_run_until(f, 20 * SECOND);
    assert_int_equal(fake_fences(f, 0), 0);
    assert_int_equal(fake_inspect(f, 1).role, ROLE_FOLLOWER);
    fake_run_until(f, 30 * SECOND);
    assert_int_equal(fake_fences(f, 0), 1);
    assert_false(fake_up(f, 0));
    assert_int_equal(leaders(f), 1);
    assert_true(fake_note(f, ANYBODY, NOTE_FENCE_ORDERED)->time_ns <= elected_at(f));
    fake_destroy(f);
}

static void test_confirm_promotes_when_the_leaders_machine_says_it_is_down(void **state)
{
    (void)state;
    options.failover.confirm = 1;
    struct fake *f = managed(3, 3);
    fake_run_until(f, 10 * SECOND);
    fake_crash(f, 0);
    fake_run_until(f, 20 * SECOND);
    assert_int_equal(leaders(f), 1);
    fake_destroy(f);
}

static void test_confirm_waits_for_a_cut_leader_until_it_stepped_down(void **state)
{
    (void)state;
    options.failover.confirm = 1;
    struct fake *f = managed(3, 3);
    fake_run_until(f, 10 * SECOND);
    split(f, 1u, ALL_CLASSES, false);
    fake_run_until(f, 60 * SECOND);
    assert_int_equal(fake_inspect(f, 1).role, ROLE_FOLLOWER);
    assert_int_equal(fake_inspect(f, 2).role, ROLE_FOLLOWER);
    fake_heal(f);
    fake_run_for(f, 20 * SECOND);
    assert_int_equal(leaders(f), 1);
    fake_destroy(f);
}

static void test_sync_goes_on_without_a_dead_follower_and_takes_it_back(void **state)
{
    (void)state;
    options.mode = MODE_SYNC;
    struct fake *f = managed(3, 3);
    fake_run_until(f, 10 * SECOND);
    fake_crash(f, 2);
    uint64_t blocked = fake_write(f, 0, "k", "v");
    fake_run_for(f, SECOND);
    assert_false(fake_answer(f, blocked)->answered);
    fake_run_for(f, 9 * SECOND);
    assert_int_equal(fake_answer(f, blocked)->status, STATUS_OK);
    assert_int_equal(fake_start(f, 2), 0);
    fake_run_for(f, 5 * SECOND);
    assert_true(same_rows(f, 0, 2));
    fake_cut(f, 0, 2, REPLICATION, false);
    blocked = fake_write(f, 0, "l", "v");
    fake_run_for(f, 5 * SECOND);
    assert_false(fake_answer(f, blocked)->answered); /* it counts again, and is not dead */
    fake_destroy(f);
}

static void test_sync_does_not_wait_again_for_a_dead_follower_that_had_everything(void **state)
{
    (void)state;
    options.mode = MODE_SYNC;
    struct fake *f = managed(3, 3);
    fake_do_write(f, 0, "k", "v");
    fake_run_until(f, 10 * SECOND);
    fake_crash(f, 2);
    fake_run_until(f, 20 * SECOND + 500 * MS);
    int64_t start = fake_now(f);
    assert_int_equal(fake_do_write(f, 0, "l", "v")->time_ns, start + 2 * MS);
    fake_destroy(f);
}

static void test_a_minority_coordinator_lets_no_leader_go_on_alone(void **state)
{
    (void)state;
    options.mode = MODE_SYNC;
    struct fake *f = managed(3, 3);
    fake_run_until(f, 10 * SECOND);
    split(f, 1u, ALL_CLASSES, false);
    uint64_t blocked = fake_write(f, 0, "k", "v");
    fake_run_for(f, 20 * SECOND);
    assert_false(fake_answer(f, blocked)->answered);
    assert_int_equal(fake_inspect(f, 1).role, ROLE_LEADER);
    assert_int_equal(fake_do_write(f, 1, "l", "v")->status, STATUS_OK);
    fake_heal(f);
    fake_run_for(f, 5 * SECOND);
    assert_int_equal(fake_answer(f, blocked)->status, STATUS_INDETERMINATE);
    fake_destroy(f);
}

static void test_a_stale_or_unknown_directory_delays_but_does_not_break(void **state)
{
    (void)state;
    struct fake *f = managed(3, 3);
    fake_run_until(f, 10 * SECOND);
    fake_directory_cut(f, manager(0), true);
    fake_crash(f, 0);
    fake_run_for(f, 10 * SECOND);
    assert_int_equal(leaders(f), 1);
    assert_int_equal(fake_directory_leader(f), 0);
    assert_int_equal(fake_notes(f, ANYBODY, NOTE_LEADER_ELECTED), 0);
    fake_directory_cut(f, manager(0), false);
    fake_run_for(f, 3 * SECOND);
    assert_int_equal(fake_directory_leader(f), 1);
    assert_int_equal(fake_notes(f, ANYBODY, NOTE_LEADER_ELECTED), 1);
    fake_destroy(f);
}

static void test_a_successor_finishes_the_claim_of_a_coordinator_that_died(void **state)
{
    (void)state;
    struct fake *f = managed(3, 3);
    fake_run_until(f, 10 * SECOND);
    fake_directory_cut(f, manager(0), true);
    fake_crash(f, 0);
    fake_run_for(f, 10 * SECOND);
    assert_int_equal(fake_inspect(f, 1).role, ROLE_LEADER);
    assert_int_equal(fake_directory_leader(f), 0);
    fake_crash(f, manager(0));
    fake_run_for(f, 10 * SECOND);
    assert_int_equal(fake_directory_leader(f), 1);
    assert_int_equal(fake_directory_epoch(f), 2);
    fake_destroy(f);
}

#define T(name) cmocka_unit_test_setup(name, options_setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_a_dead_leader_is_replaced_after_detection_and_delay),
        T(test_detect_and_promote_delay_shift_the_promotion),
        T(test_a_silence_shorter_than_detect_changes_nothing),
        T(test_by_hand_nobody_is_promoted),
        T(test_the_next_manager_coordinates_after_detect_and_election),
        T(test_a_longer_election_wait_delays_a_new_coordinator_only),
        T(test_a_restarted_leader_is_told_to_go_on),
        T(test_a_restarted_leader_that_lost_its_log_does_not_go_on),
        T(test_a_restarted_leader_goes_on_when_nobody_reachable_has_more),
        T(test_an_old_leader_that_returns_follows),
        T(test_a_second_failover_takes_the_third_epoch),
        T(test_an_operators_promotion_is_accepted_by_the_managers),
        T(test_a_leader_that_an_operator_demoted_is_replaced_after_detect),
        T(test_promote_most_caught_up_takes_the_longest_log),
        T(test_promote_any_is_judged_by_its_worst_choice),
        T(test_promote_node_takes_that_node_or_nobody),
        T(test_promote_same_region_refuses_other_regions),
        T(test_majority_keeps_the_minority_side_from_promoting),
        T(test_majority_moves_the_leader_to_the_larger_side),
        T(test_with_majority_a_leader_known_by_hearsay_is_replaced_too),
        T(test_quorum_none_promotes_on_the_minority_side),
        T(test_an_election_is_interrupted_by_the_other_side),
        T(test_with_majority_the_stale_side_never_leads),
        T(test_a_vote_survives_a_restart_of_its_manager),
        T(test_without_epochs_managers_leave_two_leaders_alone),
        T(test_frozen_pair_with_queued_orders_ends_with_both_off),
        T(test_frozen_pair_with_dropped_orders_stays_two_leaders),
        T(test_confirm_before_promote_keeps_the_follower_down_but_not_the_orders),
        T(test_with_a_witness_only_the_side_with_quorum_fences),
        T(test_a_delayed_fence_is_given_up_when_the_node_is_heard),
        T(test_stonith_precedes_the_promotion),
        T(test_confirm_promotes_when_the_leaders_machine_says_it_is_down),
        T(test_confirm_waits_for_a_cut_leader_until_it_stepped_down),
        T(test_sync_goes_on_without_a_dead_follower_and_takes_it_back),
        T(test_sync_does_not_wait_again_for_a_dead_follower_that_had_everything),
        T(test_a_minority_coordinator_lets_no_leader_go_on_alone),
        T(test_a_stale_or_unknown_directory_delays_but_does_not_break),
        T(test_a_successor_finishes_the_claim_of_a_coordinator_that_died),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
