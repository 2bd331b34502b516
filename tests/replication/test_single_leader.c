/* Goal: each mode answers when it says so; copies converge; what a failover by hand loses,
 * keeps or gives out twice is what the options say. Method: the fake cluster; links are cut by
 * class and direction, nodes crash with and without their unsynced writes; counts are exact
 * because nothing is random.
 */
#include <errno.h>

#include "tests/support/single_leader_cluster.h"

static struct operation compare_and_set(const char *key, const char *expected,
                                        const char *value)
{
    return (struct operation){.type = OPERATION_COMPARE_AND_SET,
                              .key = bytes_string(key),
                              .expected = bytes_string(expected),
                              .has_expected = true,
                              .value = bytes_string(value)};
}

/* ---- async ---- */

static void test_async_answers_without_followers(void **state)
{
    (void)state;
    struct fake *f = cluster(3, 0);
    cut_all(f, 0, 1);
    cut_all(f, 0, 2);
    assert_int_equal(fake_do_write(f, 0, "k", "v")->status, STATUS_OK);
    fake_destroy(f);
}

static void test_async_followers_converge(void **state)
{
    (void)state;
    struct fake *f = cluster(3, 0);
    write_many(f, 0, "k", 100, MS);
    fake_run_for(f, 100 * MS);
    uint64_t count;
    fake_rows_hash(f, 1, &count);
    assert_int_equal(count, 100);
    assert_true(same_rows(f, 0, 1) && same_rows(f, 0, 2));
    assert_int_equal(fake_inspect(f, 1).role, ROLE_FOLLOWER);
    assert_int_equal(fake_inspect(f, 1).leader, 0);
    assert_int_equal(fake_inspect(f, 1).applied_position, 100);
    fake_destroy(f);
}

static void test_followers_refuse_writes_and_name_the_leader(void **state)
{
    (void)state;
    struct fake *f = cluster(3, 0);
    const struct fake_answer *answer = fake_do_write(f, 2, "k", "v");
    assert_int_equal(answer->status, STATUS_NOT_LEADER);
    assert_int_equal(answer->leader_hint, 0);
    fake_destroy(f);
}

static void test_one_batch_is_one_sync_of_the_log(void **state)
{
    (void)state;
    struct fake_config c = cluster_config(3, 0);
    c.engine_sync = false;
    struct fake *f = fake_create(&c);
    fake_start_all(f);
    fake_run_until(f, 50 * MS);
    fake_do_write(f, 0, "warm", "up");
    uint64_t before = disk_counters(fake_disk(f, 0))->syncs[VFS_LOG];
    for (int i = 0; i < 50; i++) fake_write(f, 0, "k", "v");
    fake_run_for(f, MS);
    assert_int_equal(disk_counters(fake_disk(f, 0))->syncs[VFS_LOG], before + 1);
    fake_destroy(f);
}

static void test_log_sync_never_syncs_nothing_while_it_writes(void **state)
{
    (void)state;
    options.log_sync = LOG_SYNC_NEVER;
    struct fake_config c = cluster_config(1, 0);
    c.engine_sync = false;
    struct fake *f = fake_create(&c);
    fake_start_all(f);
    uint64_t before = disk_counters(fake_disk(f, 0))->syncs[VFS_LOG];
    write_many(f, 0, "k", 10, MS);
    assert_int_equal(disk_counters(fake_disk(f, 0))->syncs[VFS_LOG], before);
    assert_true(fake_inspect(f, 0).durable_position < 10);
    fake_destroy(f);
}

static void test_writes_of_one_batch_see_each_other(void **state)
{
    (void)state;
    struct fake *f = cluster(2, 0);
    fake_write(f, 0, "k", "1");
    struct operation swap = compare_and_set("k", "1", "2");
    uint64_t first = fake_request(f, 0, &swap), second = fake_request(f, 0, &swap);
    fake_run_for(f, 10 * MS);
    assert_int_equal(fake_answer(f, first)->status, STATUS_OK);
    assert_int_equal(fake_answer(f, second)->status, STATUS_MISMATCH);
    assert_string_equal(fake_answer(f, second)->value, "2");
    fake_destroy(f);
}

/* ---- semi_sync and sync ---- */

static void test_semi_sync_waits_for_ack_count_followers(void **state)
{
    (void)state;
    options.mode = MODE_SEMI_SYNC;
    options.ack_count = 2;
    options.fallback_ns = -1;
    struct fake *f = cluster(3, 0);
    int64_t start = fake_now(f);
    const struct fake_answer *answer = fake_do_write(f, 0, "k", "v");
    assert_int_equal(answer->status, STATUS_OK);
    assert_int_equal(answer->time_ns - start, 2 * MS);
    fake_cut(f, 0, 2, REPLICATION, false);
    uint64_t blocked = fake_write(f, 0, "k", "w");
    fake_run_for(f, 5 * SECOND);
    assert_false(fake_answer(f, blocked)->answered);
    fake_heal(f);
    fake_run_for(f, 5 * SECOND);
    assert_int_equal(fake_answer(f, blocked)->status, STATUS_OK);
    fake_destroy(f);
}

static void test_semi_sync_with_one_acknowledgement_bears_one_dead_follower(void **state)
{
    (void)state;
    options.mode = MODE_SEMI_SYNC;
    options.fallback_ns = -1;
    struct fake *f = cluster(3, 0);
    fake_crash(f, 2);
    assert_int_equal(fake_do_write(f, 0, "k", "v")->status, STATUS_OK);
    fake_destroy(f);
}

static void test_sync_waits_for_all_followers(void **state)
{
    (void)state;
    options.mode = MODE_SYNC;
    struct fake *f = cluster(3, 0);
    assert_int_equal(fake_do_write(f, 0, "k", "v")->status, STATUS_OK);
    fake_crash(f, 2);
    uint64_t blocked = fake_write(f, 0, "k", "w");
    fake_run_for(f, 30 * SECOND);
    assert_false(fake_answer(f, blocked)->answered);
    assert_int_equal(fake_start(f, 2), 0);
    fake_run_for(f, 5 * SECOND);
    assert_int_equal(fake_answer(f, blocked)->status, STATUS_OK);
    fake_destroy(f);
}

/* The phantom of S14: a write waits for an acknowledgement that never comes, a reader looks. */
static const char *read_beside_a_waiting_write(struct fake **cluster_out)
{
    options.mode = MODE_SEMI_SYNC;
    options.fallback_ns = -1;
    struct fake *f = *cluster_out = cluster(2, 0);
    fake_do_write(f, 0, "x", "1");
    fake_cut(f, 0, 1, REPLICATION, false);
    fake_write(f, 0, "x", "2");
    fake_run_for(f, 10 * MS);
    return fake_do_read(f, 0, "x")->value;
}

static void test_after_commit_shows_a_write_that_is_not_acknowledged(void **state)
{
    (void)state;
    struct fake *f;
    options.ack_point = ACK_AFTER_COMMIT;
    assert_string_equal(read_beside_a_waiting_write(&f), "2");
    fake_destroy(f);
}

static void test_after_sync_hides_a_write_until_it_is_acknowledged(void **state)
{
    (void)state;
    struct fake *f;
    assert_string_equal(read_beside_a_waiting_write(&f), "1");
    fake_heal(f);
    fake_run_for(f, 3 * SECOND);
    assert_string_equal(fake_do_read(f, 0, "x")->value, "2");
    fake_destroy(f);
}

static void test_after_sync_a_failed_comparison_waits_for_what_it_saw(void **state)
{
    (void)state;
    struct fake *f;
    read_beside_a_waiting_write(&f);
    struct operation swap = compare_and_set("x", "1", "3");
    uint64_t request = fake_request(f, 0, &swap);
    struct operation clean = compare_and_set("y", "1", "3");
    assert_int_equal(fake_do(f, 0, &clean)->status, STATUS_MISMATCH);
    assert_false(fake_answer(f, request)->answered);
    fake_heal(f);
    fake_run_for(f, 3 * SECOND);
    assert_int_equal(fake_answer(f, request)->status, STATUS_MISMATCH);
    assert_string_equal(fake_answer(f, request)->value, "2");
    fake_destroy(f);
}

static void test_after_sync_an_unacknowledged_write_stays_hidden_over_a_restart(void **state)
{
    (void)state;
    struct fake *f;
    read_beside_a_waiting_write(&f);
    fake_crash(f, 0);
    assert_int_equal(fake_admin(f, 1, ADMIN_PROMOTE, 1), 0);
    fake_run_for(f, 100 * MS);
    uint64_t other = fake_write(f, 1, "other", "v");
    fake_heal(f);
    assert_int_equal(fake_start(f, 0), 0);
    assert_int_equal(fake_inspect(f, 0).last_position, 2);
    assert_int_equal(fake_inspect(f, 0).applied_position, 1);
    fake_run_for(f, 3 * SECOND);
    assert_int_equal(fake_notes(f, 0, NOTE_WRITES_DISCARDED), 1);
    assert_int_equal(fake_note(f, 0, NOTE_WRITES_DISCARDED)->a, 1);
    assert_int_equal(fake_notes(f, 0, NOTE_SNAPSHOT), 0);
    assert_int_equal(fake_answer(f, other)->status, STATUS_OK);
    assert_true(same_rows(f, 0, 1));
    fake_destroy(f);
}

static void test_fallback_releases_waiters_and_ends_when_a_follower_has_caught_up(void **state)
{
    (void)state;
    options.mode = MODE_SEMI_SYNC;
    options.fallback_ns = 10 * SECOND;
    struct fake *f = cluster(2, 0);
    fake_cut(f, 0, 1, REPLICATION, false);
    int64_t start = fake_now(f);
    uint64_t first = fake_write(f, 0, "a", "1");
    fake_run_for(f, 9 * SECOND);
    uint64_t second = fake_write(f, 0, "b", "1");
    fake_run_for(f, 2 * SECOND);
    assert_int_equal(fake_answer(f, first)->status, STATUS_OK);
    assert_int_equal(fake_answer(f, first)->time_ns, start + 10 * SECOND);
    assert_int_equal(fake_answer(f, second)->time_ns, start + 10 * SECOND);
    assert_int_equal(fake_notes(f, 0, NOTE_FALLBACK), 1);
    assert_int_equal(fake_note(f, 0, NOTE_FALLBACK)->a, 1);
    start = fake_now(f);
    assert_int_equal(fake_do_write(f, 0, "c", "1")->time_ns, start);
    fake_heal(f);
    fake_run_for(f, 5 * SECOND);
    assert_int_equal(fake_notes(f, 0, NOTE_FALLBACK), 2);
    assert_int_equal(fake_note(f, 0, NOTE_FALLBACK)->a, 0);
    start = fake_now(f);
    assert_int_equal(fake_do_write(f, 0, "d", "1")->time_ns, start + 2 * MS);
    fake_destroy(f);
}

static void test_fallback_ends_under_a_steady_load(void **state)
{
    (void)state;
    options.mode = MODE_SEMI_SYNC;
    options.fallback_ns = SECOND;
    struct fake *f = cluster(2, 0);
    fake_cut(f, 0, 1, REPLICATION, false);
    write_many(f, 0, "k", 300, 10 * MS);
    fake_heal(f);
    write_many(f, 0, "l", 500, 10 * MS);
    assert_int_equal(fake_note(f, 0, NOTE_FALLBACK)->a, 0);
    fake_destroy(f);
}

static void test_a_deposed_leader_answers_waiters_that_nobody_knows(void **state)
{
    (void)state;
    options.mode = MODE_SEMI_SYNC;
    options.fallback_ns = -1;
    struct fake *f = cluster(3, 0);
    isolate(f, 0, 3, UINT32_MAX);
    uint64_t waiting = fake_write(f, 0, "k", "v");
    fake_run_for(f, 10 * MS);
    fake_admin(f, 1, ADMIN_PROMOTE, 1);
    fake_run_for(f, 10 * MS);
    assert_false(fake_answer(f, waiting)->answered);
    fake_heal(f);
    fake_run_for(f, SECOND);
    assert_int_equal(fake_answer(f, waiting)->status, STATUS_INDETERMINATE);
    assert_int_equal(fake_do_write(f, 0, "k", "v")->status, STATUS_NOT_LEADER);
    fake_destroy(f);
}

/* ---- catching up ---- */

static void test_a_follower_catches_up_from_the_log(void **state)
{
    (void)state;
    options.ship_chunk_bytes = 512;
    struct fake *f = cluster(2, 0);
    fake_crash(f, 1);
    write_many(f, 0, "k", 200, MS);
    assert_int_equal(fake_start(f, 1), 0);
    fake_run_for(f, SECOND);
    assert_true(same_rows(f, 0, 1));
    assert_int_equal(fake_notes(f, 1, NOTE_SNAPSHOT), 0);
    assert_int_equal(fake_note(f, 1, NOTE_CATCHING_UP)->a, 200);
    assert_true(fake_message_size_max(f) < 800);
    fake_destroy(f);
}

static void test_a_follower_that_needs_trimmed_entries_gets_a_snapshot_in_chunks(void **state)
{
    (void)state;
    options.log_retention = 20;
    options.snapshot_chunk_bytes = 256;
    struct fake *f = cluster(2, 0);
    fake_crash(f, 1);
    write_many(f, 0, "k", 200, MS);
    assert_int_equal(fake_start(f, 1), 0);
    fake_run_for(f, SECOND);
    assert_true(same_rows(f, 0, 1));
    assert_int_equal(fake_notes(f, 0, NOTE_SNAPSHOT), 1);
    assert_int_equal(fake_notes(f, 1, NOTE_SNAPSHOT), 1);
    assert_int_equal(fake_notes(f, 1, NOTE_WRITES_DISCARDED), 0);
    assert_true(fake_message_size_max(f) < 800);
    fake_do_write(f, 0, "after", "v");
    fake_run_for(f, SECOND);
    assert_true(has(f, 1, "after"));
    fake_destroy(f);
}

static void test_log_retention_by_size_trims_too(void **state)
{
    (void)state;
    options.log_retention_bytes = 4096;
    options.log_segment_bytes = 1024;
    struct fake *f = cluster(2, 0);
    fake_crash(f, 1);
    write_many(f, 0, "k", 200, MS);
    assert_int_equal(fake_start(f, 1), 0);
    fake_run_for(f, SECOND);
    assert_int_equal(fake_notes(f, 1, NOTE_SNAPSHOT), 1);
    assert_true(same_rows(f, 0, 1));
    fake_destroy(f);
}

static void test_a_snapshot_survives_a_crash_of_either_side(void **state)
{
    (void)state;
    options.log_retention = 20;
    options.snapshot_chunk_bytes = 128;
    for (uint32_t victim = 0; victim < 2; victim++) {
        for (int64_t after = 0; after < 80; after += 7) {
            struct fake *f = cluster(2, 0);
            fake_crash(f, 1);
            write_many(f, 0, "k", 60, MS);
            assert_int_equal(fake_start(f, 1), 0);
            fake_run_for(f, after * MS);
            fake_power_off(f, victim);
            assert_int_equal(fake_start(f, victim), 0);
            fake_run_for(f, 10 * SECOND);
            assert_true(same_rows(f, 0, 1));
            uint64_t count;
            fake_rows_hash(f, 1, &count);
            assert_int_equal(count, 60);
            fake_destroy(f);
        }
    }
}

/* A follower that must undo writes receives and installs a snapshot; its disk is cut at every
 * operation of that. */
static void test_an_installation_cut_anywhere_is_repeated(void **state)
{
    (void)state;
    options.snapshot_chunk_bytes = 200;
    bool untouched = false;
    for (uint64_t n = 1; !untouched; n++) {
        struct fake_config c = cluster_config(2, 0);
        c.engine_sync = n % 2;
        struct fake *f = fake_create(&c);
        fake_start_all(f);
        fake_run_until(f, 50 * MS);
        write_many(f, 0, "c", 5, MS);
        fake_run_for(f, 200 * MS);
        cut_all(f, 0, 1);
        write_many(f, 0, "x", 10, MS);
        fake_admin(f, 1, ADMIN_PROMOTE, 1);
        fake_run_for(f, SECOND);
        write_many(f, 1, "n", 20, MS);
        disk_cut_after(fake_disk(f, 0), n);
        fake_heal(f);
        fake_run_for(f, 2 * SECOND);
        untouched = !disk_cut_reached(fake_disk(f, 0));
        disk_cut_after(fake_disk(f, 0), 0);
        fake_power_off(f, 0);
        assert_int_equal(fake_start(f, 0), 0);
        fake_run_for(f, 5 * SECOND);
        uint64_t count;
        fake_rows_hash(f, 0, &count);
        assert_int_equal(count, 25);
        assert_true(same_rows(f, 0, 1));
        assert_true(fake_note(f, 0, NOTE_WRITES_DISCARDED)->a == 10);
        fake_destroy(f);
    }
}

static void test_a_lost_message_is_asked_for_again(void **state)
{
    (void)state;
    struct fake *f = cluster(2, 0);
    fake_do_write(f, 0, "a", "v");
    fake_cut(f, 0, 1, REPLICATION, false);
    fake_do_write(f, 0, "b", "v");
    fake_heal(f);
    fake_do_write(f, 0, "c", "v");
    fake_run_for(f, 100 * MS);
    assert_true(has(f, 1, "b") && has(f, 1, "c"));
    fake_cut(f, 0, 1, REPLICATION, false);
    fake_do_write(f, 0, "last", "v");
    fake_heal(f);
    fake_run_for(f, SECOND);
    assert_true(has(f, 1, "last"));
    fake_destroy(f);
}

static void test_a_link_slower_than_every_timer_still_replicates(void **state)
{
    (void)state;
    struct fake_config c = cluster_config(2, 0);
    struct fake *f = fake_create(&c);
    fake_slow(f, 0, 1, 5 * SECOND);
    fake_start_all(f);
    fake_run_for(f, 20 * SECOND);
    write_many(f, 0, "k", 100, 10 * MS);
    fake_run_for(f, 6 * SECOND);
    assert_true(same_rows(f, 0, 1));
    assert_in_range(fake_inspect(f, 1).lag_ns, 5 * SECOND, 6 * SECOND);
    fake_destroy(f);
}

static bool lose_a_third(void *context, uint32_t from, uint32_t to,
                         enum message_class message_class, struct bytes bytes)
{
    uint64_t *count = context;
    (void)from, (void)to, (void)message_class, (void)bytes;
    return mix64(++*count) % 3 == 0;
}

static void test_copies_converge_although_a_third_of_all_messages_is_lost(void **state)
{
    (void)state;
    options.log_retention = 50;
    options.snapshot_chunk_bytes = 512;
    struct fake *f = cluster(3, 0);
    uint64_t count = 0;
    fake_filter(f, lose_a_third, &count);
    write_many(f, 0, "k", 500, 2 * MS);
    fake_run_for(f, 120 * SECOND);
    assert_true(same_rows(f, 0, 1) && same_rows(f, 0, 2));
    fake_destroy(f);
}

static void test_heartbeat_and_ack_interval_set_the_pace_of_an_idle_cluster(void **state)
{
    (void)state;
    uint64_t control[2], replication[3];
    for (int i = 0; i < 3; i++) {
        options_setup(NULL);
        if (i == 1) options.heartbeat_ns = 2 * SECOND;
        if (i == 2) options.ack_interval_ns = 10 * SECOND;
        struct fake *f = cluster(2, 0);
        fake_run_for(f, 20 * SECOND);
        if (i < 2) control[i] = fake_messages(f, MESSAGE_CONTROL);
        replication[i] = fake_messages(f, MESSAGE_REPLICATION);
        fake_destroy(f);
    }
    assert_in_range(control[0], 100, 105);
    assert_in_range(control[1], 10, 15);
    assert_in_range(replication[0], 295, 310);
    assert_in_range(replication[2], 100, 110);
}

static void test_single_leader_forgets_answers_beyond_the_bound(void **state)
{
    (void)state;
    options.dedup = 1;
    struct fake *f = cluster(2, 0);
    struct operation insert = {.type = OPERATION_INSERT,
                               .key = bytes_string("t/"),
                               .value = bytes_string("v"),
                               .idempotent = true};
    for (insert.id = 50; insert.id < 52; insert.id++) fake_do(f, 0, &insert);
    insert.id = 51;
    assert_string_equal(fake_do(f, 0, &insert)->key, "t/2");
    insert.id = 50;
    assert_string_equal(fake_do(f, 0, &insert)->key, "t/3");
    fake_destroy(f);
}

static void test_the_ship_window_bounds_what_is_outstanding(void **state)
{
    (void)state;
    options.ship_window = 10;
    options.ack_interval_ns = 500 * MS;
    struct fake *f = cluster(2, 0);
    for (int i = 0; i < 40; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        fake_write(f, 0, key, "v");
        fake_run_for(f, 1);
    }
    fake_run_for(f, 5 * MS);
    assert_true(fake_inspect(f, 1).last_position <= 11);
    fake_run_for(f, 5 * SECOND);
    assert_true(same_rows(f, 0, 1));
    fake_destroy(f);
}

/* ---- restarts ---- */

static void test_a_restarted_follower_continues_from_its_own_log(void **state)
{
    (void)state;
    struct fake *f = cluster(2, 0);
    write_many(f, 0, "k", 20, MS);
    fake_run_for(f, 10 * MS);
    fake_power_off(f, 1);
    assert_int_equal(fake_start(f, 1), 0);
    assert_int_equal(fake_inspect(f, 1).last_position, 20);
    fake_do_write(f, 0, "after", "v");
    fake_run_for(f, SECOND);
    assert_true(same_rows(f, 0, 1));
    fake_destroy(f);
}

static void test_the_engine_needs_no_sync_because_the_log_is_replayed(void **state)
{
    (void)state;
    struct fake_config c = cluster_config(2, 0);
    c.engine_sync = false;
    struct fake *f = fake_create(&c);
    fake_start_all(f);
    fake_run_until(f, 50 * MS);
    write_many(f, 0, "k", 50, MS);
    fake_power_off(f, 0);
    fake_power_off(f, 1);
    assert_int_equal(fake_start(f, 0), 0);
    assert_int_equal(fake_start(f, 1), 0);
    fake_run_for(f, 3 * SECOND);
    uint64_t count;
    fake_rows_hash(f, 0, &count);
    assert_int_equal(count, 50);
    assert_true(same_rows(f, 0, 1));
    fake_destroy(f);
}

static void test_trimming_the_log_never_outruns_an_unsynced_engine(void **state)
{
    (void)state;
    options.log_retention = 10;
    struct fake_config c = cluster_config(1, 0);
    c.engine_sync = false;
    struct fake *f = fake_create(&c);
    fake_start_all(f);
    write_many(f, 0, "k", 200, MS);
    fake_power_off(f, 0);
    assert_int_equal(fake_start(f, 0), 0);
    fake_run_for(f, SECOND);
    uint64_t count;
    fake_rows_hash(f, 0, &count);
    assert_int_equal(count, 200);
    fake_destroy(f);
}

static void test_an_unsynced_log_behind_a_synced_engine_begins_anew(void **state)
{
    (void)state;
    options.log_sync = LOG_SYNC_NEVER;
    struct fake *f = cluster(1, 0);
    write_many(f, 0, "k", 10, MS);
    fake_power_off(f, 0);
    assert_int_equal(fake_start(f, 0), 0);
    fake_run_for(f, SECOND);
    assert_int_equal(fake_inspect(f, 0).last_position, 10);
    assert_int_equal(fake_do_write(f, 0, "more", "v")->position, 11);
    uint64_t count;
    fake_rows_hash(f, 0, &count);
    assert_int_equal(count, 11);
    fake_destroy(f);
}

static void test_a_restarted_leader_by_hand_resumes_under_the_next_epoch(void **state)
{
    (void)state;
    struct fake *f = cluster(3, 0);
    fake_do_write(f, 0, "k", "v");
    fake_power_off(f, 0);
    assert_int_equal(fake_start(f, 0), 0);
    assert_int_equal(fake_inspect(f, 0).role, ROLE_RECOVERING);
    fake_run_for(f, 2 * SECOND);
    assert_int_equal(fake_inspect(f, 0).role, ROLE_LEADER);
    assert_int_equal(fake_inspect(f, 0).epoch, 2);
    assert_int_equal(fake_directory_epoch(f), 2);
    fake_do_write(f, 0, "l", "v");
    fake_run_for(f, SECOND);
    assert_true(same_rows(f, 0, 1) && same_rows(f, 0, 2));
    fake_destroy(f);
}

static void test_a_restarted_leader_does_not_resume_when_another_was_promoted(void **state)
{
    (void)state;
    struct fake *f = cluster(3, 0);
    fake_crash(f, 0);
    fake_admin(f, 1, ADMIN_PROMOTE, 1);
    fake_run_for(f, SECOND);
    isolate(f, 0, 3, UINT32_MAX); /* it cannot hear the new leader, but the directory knows */
    assert_int_equal(fake_start(f, 0), 0);
    fake_run_for(f, 5 * SECOND);
    assert_int_equal(fake_inspect(f, 0).role, ROLE_FOLLOWER);
    assert_int_equal(fake_inspect(f, 0).epoch, 2);
    assert_int_equal(fake_directory_leader(f), 1);
    fake_destroy(f);
}

static void test_a_wiped_leader_gives_way_to_the_history_of_its_peers(void **state)
{
    (void)state;
    struct fake *f = cluster(3, 0);
    write_many(f, 0, "k", 10, MS);
    fake_run_for(f, 100 * MS);
    fake_wipe(f, 0);
    assert_int_equal(fake_start(f, 0), 0);
    fake_run_for(f, SECOND);
    assert_int_equal(fake_inspect(f, 0).role, ROLE_FOLLOWER);
    fake_admin(f, 1, ADMIN_PROMOTE, 1);
    fake_run_for(f, 3 * SECOND);
    uint64_t count;
    fake_rows_hash(f, 0, &count);
    assert_int_equal(count, 10);
    fake_destroy(f);
}

static void test_a_failed_sync_of_the_log_stops_the_node(void **state)
{
    (void)state;
    struct fake *f = cluster(2, 0);
    disk_fault_add(fake_disk(f, 0),
                   &(struct disk_fault){.kind = DISK_SYNC_ERROR, .path = "scheme/log-"});
    uint64_t request = fake_write(f, 0, "k", "v");
    fake_run_for(f, 100 * MS);
    assert_false(fake_answer(f, request)->answered);
    assert_false(fake_up(f, 0));
    assert_int_equal(fake_notes(f, 0, NOTE_PANIC), 1);
    fake_destroy(f);
}

/* Cuts the disk of `victim` at its n-th operation for n = 1, 2, ... until a run is untouched:
 * whatever was acknowledged is there when the node is back, and the copies agree. */
static void cut_everywhere(uint32_t victim, bool engine_sync)
{
    bool untouched = false;
    for (uint64_t n = 1; !untouched; n += getenv("FAULTLINE_SOAK") ? 1 : 3) {
        struct fake_config c = cluster_config(2, 0);
        c.engine_sync = engine_sync;
        struct fake *f = fake_create(&c);
        fake_start_all(f);
        fake_run_until(f, 50 * MS);
        disk_cut_after(fake_disk(f, victim), n);
        uint64_t requests[30];
        for (int i = 0; i < 30; i++) {
            char key[16];
            snprintf(key, sizeof key, "k%d", i);
            requests[i] = fake_write(f, 0, key, "v");
            if (i % 3 == 2) fake_run_for(f, 5 * MS);
        }
        fake_run_for(f, 500 * MS);
        untouched = !disk_cut_reached(fake_disk(f, victim));
        disk_cut_after(fake_disk(f, victim), 0);
        fake_power_off(f, victim);
        assert_int_equal(fake_start(f, victim), 0);
        fake_run_for(f, 5 * SECOND);
        for (int i = 0; i < 30; i++) {
            char key[16];
            snprintf(key, sizeof key, "k%d", i);
            const struct fake_answer *answer = fake_answer(f, requests[i]);
            if (answer->answered && answer->status == STATUS_OK && !has(f, 0, key))
                fail_msg("cut at operation %llu: %s is lost", (unsigned long long)n, key);
        }
        assert_true(same_rows(f, 0, 1));
        fake_destroy(f);
    }
}

static void test_a_leader_cut_anywhere_keeps_what_it_acknowledged(void **state)
{
    (void)state;
    options.log_segment_bytes = 512;
    options.log_retention = 10;
    cut_everywhere(0, true);
    cut_everywhere(0, false);
}

static void test_a_follower_cut_anywhere_catches_up(void **state)
{
    (void)state;
    options.mode = MODE_SYNC;
    options.log_segment_bytes = 512;
    options.log_retention = 10;
    cut_everywhere(1, true);
    cut_everywhere(1, false);
}

/* ---- failover by hand: what is lost, reused, kept ---- */

/* Node 0 leads and has `extra` writes that nobody else has; then node 1 leads. */
static struct fake *split_history(int common, int extra)
{
    struct fake *f = cluster(3, 0);
    write_many(f, 0, "c", common, MS);
    fake_run_for(f, 200 * MS);
    isolate(f, 0, 3, UINT32_MAX);
    write_many(f, 0, "x", extra, MS);
    fake_admin(f, 1, ADMIN_PROMOTE, 1);
    fake_run_for(f, SECOND);
    return f;
}

static void test_on_return_discard_rewinds_and_counts(void **state)
{
    (void)state;
    struct fake *f = split_history(10, 7);
    fake_do_write(f, 1, "new", "v");
    fake_heal(f);
    fake_run_for(f, 3 * SECOND);
    assert_int_equal(fake_inspect(f, 0).role, ROLE_FOLLOWER);
    assert_int_equal(fake_notes(f, 0, NOTE_WRITES_DISCARDED), 1);
    assert_int_equal(fake_note(f, 0, NOTE_WRITES_DISCARDED)->a, 7);
    assert_int_equal(fake_note(f, 0, NOTE_WRITES_DISCARDED)->b, 11);
    assert_false(has(f, 0, "x3"));
    assert_true(same_rows(f, 0, 1));
    fake_do_write(f, 1, "later", "v");
    fake_run_for(f, SECOND);
    assert_true(has(f, 0, "later"));
    fake_destroy(f);
}

static void test_on_return_discard_also_when_the_new_leader_wrote_more(void **state)
{
    (void)state;
    struct fake *f = split_history(10, 3);
    write_many(f, 1, "n", 50, MS);
    fake_heal(f);
    fake_run_for(f, 3 * SECOND);
    assert_int_equal(fake_note(f, 0, NOTE_WRITES_DISCARDED)->a, 3);
    assert_true(same_rows(f, 0, 1) && same_rows(f, 1, 2));
    fake_destroy(f);
}

static void test_on_return_keep_leaves_the_rows(void **state)
{
    (void)state;
    options.on_return = RETURN_KEEP;
    struct fake *f = split_history(10, 7);
    fake_do_write(f, 1, "new", "v");
    fake_heal(f);
    fake_run_for(f, 3 * SECOND);
    assert_int_equal(fake_note(f, 0, NOTE_WRITES_KEPT)->a, 7);
    assert_int_equal(fake_notes(f, 0, NOTE_WRITES_DISCARDED), 0);
    assert_true(has(f, 0, "x3") && has(f, 0, "new"));
    assert_false(has(f, 1, "x3"));
    fake_power_off(f, 0);
    assert_int_equal(fake_start(f, 0), 0);
    fake_run_for(f, 3 * SECOND);
    fake_do_write(f, 1, "later", "v");
    fake_run_for(f, SECOND);
    assert_true(has(f, 0, "x3") && has(f, 0, "later"));
    assert_int_equal(fake_notes(f, 0, NOTE_WRITES_KEPT), 1);
    fake_destroy(f);
}

static void test_on_return_refuse_stays_out(void **state)
{
    (void)state;
    options.on_return = RETURN_REFUSE;
    struct fake *f = split_history(10, 7);
    fake_do_write(f, 1, "new", "v");
    fake_heal(f);
    fake_run_for(f, 5 * SECOND);
    assert_int_equal(fake_notes(f, 0, NOTE_JOIN_REFUSED), 1);
    assert_int_equal(fake_note(f, 0, NOTE_JOIN_REFUSED)->a, 7);
    assert_true(has(f, 0, "x3"));
    assert_false(has(f, 0, "new"));
    assert_true(same_rows(f, 1, 2));
    fake_destroy(f);
}

static void test_auto_increment_gives_ids_again_after_a_lossy_failover(void **state)
{
    (void)state;
    struct fake *f = cluster(3, 0);
    for (int i = 0; i < 5; i++) fake_do_insert(f, 0, "t/");
    fake_run_for(f, 100 * MS);
    fake_cut(f, 0, 1, REPLICATION, false);
    for (int i = 0; i < 5; i++) fake_do_insert(f, 0, "t/");
    fake_crash(f, 0);
    fake_admin(f, 1, ADMIN_PROMOTE, 1);
    fake_run_for(f, 100 * MS);
    assert_string_equal(fake_do_insert(f, 1, "t/")->key, "t/6");
    fake_destroy(f);
}

static void test_epoch_prefixed_ids_are_never_given_again(void **state)
{
    (void)state;
    options.ids = IDS_EPOCH_PREFIXED;
    struct fake *f = cluster(3, 0);
    assert_string_equal(fake_do_insert(f, 0, "t/")->key, "t/1099511627777");
    fake_run_for(f, 100 * MS);
    fake_cut(f, 0, 1, REPLICATION, false);
    assert_string_equal(fake_do_insert(f, 0, "t/")->key, "t/1099511627778");
    fake_crash(f, 0);
    fake_admin(f, 1, ADMIN_PROMOTE, 1);
    fake_run_for(f, 100 * MS);
    assert_string_equal(fake_do_insert(f, 1, "t/")->key, "t/2199023255553");
    fake_destroy(f);
}

static void test_with_epochs_the_old_leader_steps_down_at_the_heal(void **state)
{
    (void)state;
    struct fake *f = split_history(3, 0);
    assert_int_equal(fake_inspect(f, 0).role, ROLE_LEADER);
    assert_int_equal(fake_inspect(f, 1).role, ROLE_LEADER);
    assert_int_equal(fake_inspect(f, 1).epoch, 2);
    fake_heal(f);
    fake_run_for(f, SECOND);
    assert_int_equal(fake_inspect(f, 0).role, ROLE_FOLLOWER);
    fake_destroy(f);
}

static void test_a_third_node_tells_the_deposed_leader(void **state)
{
    (void)state;
    struct fake *f = cluster(3, 0);
    cut_all(f, 0, 1);
    fake_admin(f, 1, ADMIN_PROMOTE, 1);
    fake_run_for(f, SECOND);
    assert_int_equal(fake_inspect(f, 0).role, ROLE_FOLLOWER);
    assert_int_equal(fake_inspect(f, 1).role, ROLE_LEADER);
    fake_destroy(f);
}

static void test_without_epochs_two_leaders_persist_after_the_heal(void **state)
{
    (void)state;
    options.epochs = 0;
    struct fake_config c = cluster_config(2, 0);
    c.directory_last_wins = true;
    struct fake *f = fake_create(&c);
    fake_start_all(f);
    fake_run_until(f, 50 * MS);
    cut_all(f, 0, 1);
    fake_admin(f, 1, ADMIN_PROMOTE, 1);
    fake_run_for(f, SECOND);
    fake_heal(f);
    fake_run_for(f, 5 * SECOND);
    assert_int_equal(fake_inspect(f, 0).role, ROLE_LEADER);
    assert_int_equal(fake_inspect(f, 1).role, ROLE_LEADER);
    assert_int_equal(fake_inspect(f, 1).epoch, 0);
    assert_int_equal(fake_directory_leader(f), 1);
    assert_int_equal(fake_do_write(f, 0, "a", "v")->status, STATUS_OK);
    assert_int_equal(fake_do_write(f, 1, "b", "v")->status, STATUS_OK);
    fake_destroy(f);
}

static void test_without_epochs_equally_long_histories_go_unnoticed(void **state)
{
    (void)state;
    options.epochs = 0;
    struct fake *f = cluster(2, 0);
    cut_all(f, 0, 1);
    fake_do_write(f, 0, "lost", "v");
    fake_crash(f, 0);
    fake_admin(f, 1, ADMIN_PROMOTE, 1);
    fake_do_write(f, 1, "new", "v");
    fake_heal(f);
    assert_int_equal(fake_start(f, 0), 0);
    fake_run_for(f, 3 * SECOND);
    assert_int_equal(fake_inspect(f, 0).role, ROLE_FOLLOWER);
    assert_int_equal(fake_notes(f, 0, NOTE_WRITES_DISCARDED), 0);
    assert_true(has(f, 0, "lost"));
    assert_false(has(f, 0, "new"));
    fake_destroy(f);
}

static void test_demote_stops_writes_and_transfer_moves_them_without_loss(void **state)
{
    (void)state;
    struct fake *f = cluster(3, 0);
    write_many(f, 0, "k", 20, MS);
    fake_run_for(f, 200 * MS);
    assert_int_equal(fake_admin(f, 0, ADMIN_PROMOTE, 0), -EALREADY);
    assert_int_equal(fake_admin(f, 0, ADMIN_TRANSFER, 0), -EALREADY);
    assert_int_equal(fake_admin(f, 1, ADMIN_DEMOTE, 1), -EALREADY);
    assert_int_equal(fake_admin(f, 0, ADMIN_TRANSFER, 2), 0);
    fake_run_for(f, 3 * SECOND);
    assert_int_equal(fake_inspect(f, 2).role, ROLE_LEADER);
    assert_int_equal(fake_directory_leader(f), 2);
    assert_int_equal(fake_notes(f, ANYBODY, NOTE_WRITES_DISCARDED), 0);
    assert_int_equal(fake_do_write(f, 2, "l", "v")->position, 21);
    assert_int_equal(fake_admin(f, 2, ADMIN_DEMOTE, 2), 0);
    assert_int_equal(fake_admin(f, 2, ADMIN_DEMOTE, 2), -EALREADY);
    assert_int_equal(fake_do_write(f, 2, "l", "v")->status, STATUS_NOT_LEADER);
    assert_true(fake_admin(f, 2, ADMIN_ADD, 1) < 0);
    fake_destroy(f);
}

static void test_promotion_by_hand_waits_for_the_directory_and_outbids_it(void **state)
{
    (void)state;
    struct fake *f = cluster(3, 0);
    fake_crash(f, 0);
    fake_admin(f, 2, ADMIN_PROMOTE, 2);
    fake_run_for(f, SECOND);
    fake_crash(f, 2);
    assert_int_equal(fake_directory_epoch(f), 2);
    cut_all(f, 1, 2);
    assert_int_equal(fake_start(f, 0), 0);
    fake_directory_cut(f, 0, true);
    fake_admin(f, 0, ADMIN_PROMOTE, 0);
    fake_run_for(f, 3 * SECOND);
    assert_int_not_equal(fake_inspect(f, 0).role, ROLE_LEADER);
    assert_int_equal(fake_admin(f, 0, ADMIN_DEMOTE, 0), 0); /* takes the claim back */
    assert_int_equal(fake_admin(f, 0, ADMIN_PROMOTE, 0), 0);
    fake_directory_cut(f, 0, false);
    fake_run_for(f, 3 * SECOND);
    assert_int_equal(fake_inspect(f, 0).role, ROLE_LEADER);
    assert_int_equal(fake_inspect(f, 0).epoch, 3);
    assert_int_equal(fake_note(f, 0, NOTE_LEADER_ELECTED)->b, 3);
    fake_destroy(f);
}

/* ---- min_replicas, reads, sessions, locks, tokens ---- */

static void test_min_replicas_refuses_writes_once_followers_are_silent(void **state)
{
    (void)state;
    options.min_replicas = 2;
    options.max_lag_ns = SECOND;
    struct fake *f = cluster(3, 0);
    fake_run_for(f, 200 * MS);
    assert_int_equal(fake_do_write(f, 0, "k", "v")->status, STATUS_OK);
    cut_all(f, 0, 2);
    fake_run_for(f, 800 * MS);
    assert_int_equal(fake_do_write(f, 0, "k", "v")->status, STATUS_OK);
    fake_run_for(f, 400 * MS);
    assert_int_equal(fake_do_write(f, 0, "k", "v")->status, STATUS_UNAVAILABLE);
    fake_heal(f);
    fake_run_for(f, 5 * SECOND);
    assert_int_equal(fake_do_write(f, 0, "k", "v")->status, STATUS_OK);
    fake_destroy(f);
}

static void test_reads_leader_sends_followers_readers_away_unless_local(void **state)
{
    (void)state;
    struct fake *f = cluster(2, 0);
    fake_do_write(f, 0, "k", "v");
    fake_run_for(f, 100 * MS);
    const struct fake_answer *refused = fake_do_read(f, 1, "k");
    assert_int_equal(refused->status, STATUS_NOT_LEADER);
    assert_int_equal(refused->leader_hint, 0);
    struct operation read = {
        .type = OPERATION_READ, .level = LEVEL_LOCAL, .key = bytes_string("k")};
    assert_string_equal(fake_do(f, 1, &read)->value, "v");
    fake_destroy(f);
}

static void test_reads_any_answers_stale_at_a_follower(void **state)
{
    (void)state;
    options.reads = READS_ANY;
    struct fake *f = cluster(2, 0);
    fake_do_write(f, 0, "k", "old");
    fake_run_for(f, 100 * MS);
    fake_cut(f, 0, 1, REPLICATION, false);
    fake_do_write(f, 0, "k", "new");
    fake_run_for(f, 2 * SECOND);
    assert_string_equal(fake_do_read(f, 1, "k")->value, "old");
    assert_true(fake_inspect(f, 1).lag_ns >= 2 * SECOND);
    struct operation read = {
        .type = OPERATION_READ, .level = LEVEL_LEADER, .key = bytes_string("k")};
    assert_int_equal(fake_do(f, 1, &read)->status, STATUS_NOT_LEADER);
    fake_destroy(f);
}

static void test_lag_is_small_while_idle_and_connected(void **state)
{
    (void)state;
    struct fake *f = cluster(2, 0);
    fake_run_for(f, 10 * SECOND);
    assert_in_range(fake_inspect(f, 1).lag_ns, 0, 300 * MS);
    assert_int_equal(fake_inspect(f, 0).lag_ns, 0);
    fake_destroy(f);
}

static struct operation session_read(uint64_t position)
{
    return (struct operation){
        .type = OPERATION_READ, .key = bytes_string("k"), .session_position = position};
}

static void test_a_session_read_waits_until_its_position_is_applied(void **state)
{
    (void)state;
    options.reads = READS_ANY;
    struct fake_config c = cluster_config(2, 0);
    struct fake *f = fake_create(&c);
    fake_slow(f, 0, 1, 100 * MS);
    fake_start_all(f);
    fake_run_until(f, 2 * SECOND);
    uint64_t position = fake_do_write(f, 0, "k", "mine")->position;
    struct operation read = session_read(position);
    int64_t start = fake_now(f);
    const struct fake_answer *answer = fake_do(f, 1, &read);
    assert_string_equal(answer->value, "mine");
    assert_true(answer->time_ns > start + 50 * MS);
    assert_true(answer->position >= position);
    fake_destroy(f);
}

static void test_a_session_read_is_redirected_after_its_wait(void **state)
{
    (void)state;
    options.reads = READS_ANY;
    options.session_wait_max_ns = 300 * MS;
    struct fake *f = cluster(2, 0);
    fake_cut(f, 0, 1, REPLICATION, false);
    struct operation read = session_read(fake_do_write(f, 0, "k", "mine")->position);
    int64_t start = fake_now(f);
    const struct fake_answer *answer = fake_do(f, 1, &read);
    assert_int_equal(answer->status, STATUS_NOT_LEADER);
    assert_int_equal(answer->leader_hint, 0);
    assert_int_equal(answer->time_ns, start + 300 * MS);
    fake_destroy(f);
}

static void test_session_wait_redirect_does_not_wait(void **state)
{
    (void)state;
    options.reads = READS_ANY;
    options.session_wait = SESSION_REDIRECT;
    struct fake *f = cluster(2, 0);
    fake_cut(f, 0, 1, REPLICATION, false);
    struct operation read = session_read(fake_do_write(f, 0, "k", "mine")->position);
    int64_t start = fake_now(f);
    assert_int_equal(fake_do(f, 1, &read)->time_ns, start);
    fake_destroy(f);
}

static void test_a_leader_that_lacks_a_sessions_position_refuses(void **state)
{
    (void)state;
    struct fake *f = split_history(2, 5);
    struct operation read = session_read(7);
    assert_int_equal(fake_do(f, 1, &read)->status, STATUS_UNAVAILABLE);
    fake_destroy(f);
}

static void test_locks_and_fencing_survive_a_failover(void **state)
{
    (void)state;
    options.fencing = FENCING_TOKEN;
    struct fake *f = cluster(3, 0);
    struct operation lock = {
        .type = OPERATION_LOCK, .key = bytes_string("l"), .ttl_ns = SECOND};
    uint64_t first = fake_do(f, 0, &lock)->token;
    fake_run_for(f, 2 * SECOND);
    uint64_t second = fake_do(f, 0, &lock)->token;
    assert_true(second > first);
    struct operation write = {.type = OPERATION_WRITE,
                              .key = bytes_string("file"),
                              .value = bytes_string("v"),
                              .fence_token = second};
    assert_int_equal(fake_do(f, 0, &write)->status, STATUS_OK);
    fake_run_for(f, 100 * MS);
    fake_crash(f, 0);
    fake_admin(f, 1, ADMIN_PROMOTE, 1);
    fake_run_for(f, 100 * MS);
    write.fence_token = first;
    assert_int_equal(fake_do(f, 1, &write)->status, STATUS_FENCED);
    fake_run_for(f, 3 * SECOND);
    assert_true(fake_do(f, 1, &lock)->token > second);
    fake_destroy(f);
}

static void test_an_idempotency_token_is_known_after_a_failover(void **state)
{
    (void)state;
    struct fake *f = cluster(3, 0);
    struct operation insert = {.type = OPERATION_INSERT,
                               .key = bytes_string("t/"),
                               .id = 9,
                               .value = bytes_string("v"),
                               .idempotent = true};
    assert_string_equal(fake_do(f, 0, &insert)->key, "t/1");
    fake_run_for(f, 100 * MS);
    fake_crash(f, 0);
    fake_admin(f, 1, ADMIN_PROMOTE, 1);
    fake_run_for(f, 100 * MS);
    assert_string_equal(fake_do(f, 1, &insert)->key, "t/1");
    insert.id = 10;
    assert_string_equal(fake_do(f, 1, &insert)->key, "t/2");
    fake_destroy(f);
}

static void test_a_retry_waits_as_long_as_the_write_it_repeats(void **state)
{
    (void)state;
    options.mode = MODE_SEMI_SYNC;
    options.ack_point = ACK_AFTER_COMMIT;
    options.fallback_ns = -1;
    struct fake *f = cluster(2, 0);
    fake_cut(f, 0, 1, REPLICATION, false);
    struct operation insert = {.type = OPERATION_INSERT,
                               .key = bytes_string("t/"),
                               .id = 9,
                               .value = bytes_string("v"),
                               .idempotent = true};
    fake_request(f, 0, &insert);
    fake_run_for(f, 100 * MS);
    uint64_t retry = fake_request(f, 0, &insert);
    fake_run_for(f, 100 * MS);
    assert_false(fake_answer(f, retry)->answered);
    fake_destroy(f);
}

#define T(name) cmocka_unit_test_setup(name, options_setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_async_answers_without_followers),
        T(test_async_followers_converge),
        T(test_followers_refuse_writes_and_name_the_leader),
        T(test_one_batch_is_one_sync_of_the_log),
        T(test_log_sync_never_syncs_nothing_while_it_writes),
        T(test_writes_of_one_batch_see_each_other),
        T(test_semi_sync_waits_for_ack_count_followers),
        T(test_semi_sync_with_one_acknowledgement_bears_one_dead_follower),
        T(test_sync_waits_for_all_followers),
        T(test_after_commit_shows_a_write_that_is_not_acknowledged),
        T(test_after_sync_hides_a_write_until_it_is_acknowledged),
        T(test_after_sync_a_failed_comparison_waits_for_what_it_saw),
        T(test_after_sync_an_unacknowledged_write_stays_hidden_over_a_restart),
        T(test_fallback_releases_waiters_and_ends_when_a_follower_has_caught_up),
        T(test_fallback_ends_under_a_steady_load),
        T(test_a_deposed_leader_answers_waiters_that_nobody_knows),
        T(test_a_follower_catches_up_from_the_log),
        T(test_a_follower_that_needs_trimmed_entries_gets_a_snapshot_in_chunks),
        T(test_log_retention_by_size_trims_too),
        T(test_a_snapshot_survives_a_crash_of_either_side),
        T(test_an_installation_cut_anywhere_is_repeated),
        T(test_a_lost_message_is_asked_for_again),
        T(test_a_link_slower_than_every_timer_still_replicates),
        T(test_copies_converge_although_a_third_of_all_messages_is_lost),
        T(test_heartbeat_and_ack_interval_set_the_pace_of_an_idle_cluster),
        T(test_single_leader_forgets_answers_beyond_the_bound),
        T(test_the_ship_window_bounds_what_is_outstanding),
        T(test_a_restarted_follower_continues_from_its_own_log),
        T(test_the_engine_needs_no_sync_because_the_log_is_replayed),
        T(test_trimming_the_log_never_outruns_an_unsynced_engine),
        T(test_an_unsynced_log_behind_a_synced_engine_begins_anew),
        T(test_a_restarted_leader_by_hand_resumes_under_the_next_epoch),
        T(test_a_restarted_leader_does_not_resume_when_another_was_promoted),
        T(test_a_wiped_leader_gives_way_to_the_history_of_its_peers),
        T(test_a_failed_sync_of_the_log_stops_the_node),
        T(test_a_leader_cut_anywhere_keeps_what_it_acknowledged),
        T(test_a_follower_cut_anywhere_catches_up),
        T(test_on_return_discard_rewinds_and_counts),
        T(test_on_return_discard_also_when_the_new_leader_wrote_more),
        T(test_on_return_keep_leaves_the_rows),
        T(test_on_return_refuse_stays_out),
        T(test_auto_increment_gives_ids_again_after_a_lossy_failover),
        T(test_epoch_prefixed_ids_are_never_given_again),
        T(test_with_epochs_the_old_leader_steps_down_at_the_heal),
        T(test_a_third_node_tells_the_deposed_leader),
        T(test_without_epochs_two_leaders_persist_after_the_heal),
        T(test_without_epochs_equally_long_histories_go_unnoticed),
        T(test_demote_stops_writes_and_transfer_moves_them_without_loss),
        T(test_promotion_by_hand_waits_for_the_directory_and_outbids_it),
        T(test_min_replicas_refuses_writes_once_followers_are_silent),
        T(test_reads_leader_sends_followers_readers_away_unless_local),
        T(test_reads_any_answers_stale_at_a_follower),
        T(test_lag_is_small_while_idle_and_connected),
        T(test_a_session_read_waits_until_its_position_is_applied),
        T(test_a_session_read_is_redirected_after_its_wait),
        T(test_session_wait_redirect_does_not_wait),
        T(test_a_leader_that_lacks_a_sessions_position_refuses),
        T(test_locks_and_fencing_survive_a_failover),
        T(test_an_idempotency_token_is_known_after_a_failover),
        T(test_a_retry_waits_as_long_as_the_write_it_repeats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
