/* Goal: scheme `none` is linearizable, durable as configured, and its locks, ids, fencing and
 * idempotency tokens hold what operation.h says.
 * Method: the fake cluster with one node and the real `hash` engine on a simulated disk; what
 * goes in one batch is sent at one instant.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engines/replication/none/none.h"
#include "tests/support/fake_env.h"

static struct none_options options;

static struct none_options defaults(void)
{
    struct none_options o;
    assert_int_equal(
        options_default(none_scheme.options, none_scheme.options_count, &o, sizeof o), 0);
    return o;
}

static struct fake *single(bool engine_sync)
{
    struct fake_config c = fake_config_default(&none_scheme, &options, 1, 0);
    c.engine_sync = engine_sync;
    struct fake *f = fake_create(&c);
    fake_start_all(f);
    return f;
}

static int setup(void **state)
{
    (void)state;
    options = defaults();
    return 0;
}

static const struct fake_answer *lock(struct fake *f, const char *name, int64_t ttl)
{
    return fake_do(
        f, 0,
        &(struct operation){.type = OPERATION_LOCK, .key = bytes_string(name), .ttl_ns = ttl});
}

static void test_none_answers_a_write_and_reads_it_back(void **state)
{
    (void)state;
    struct fake *f = single(true);
    assert_int_equal(fake_do_write(f, 0, "k", "v")->status, STATUS_OK);
    assert_string_equal(fake_do_read(f, 0, "k")->value, "v");
    assert_int_equal(fake_do_read(f, 0, "absent")->status, STATUS_NOT_FOUND);
    fake_destroy(f);
}

static void test_none_syncs_once_for_a_batch(void **state)
{
    (void)state;
    struct fake *f = single(true);
    fake_do_write(f, 0, "warm", "up");
    uint64_t before = disk_counters(fake_disk(f, 0))->syncs[VFS_LOG];
    for (int i = 0; i < 20; i++) fake_write(f, 0, "k", "v");
    fake_run_for(f, MS);
    assert_int_equal(disk_counters(fake_disk(f, 0))->syncs[VFS_LOG], before + 1);
    fake_destroy(f);
}

static void test_none_keeps_acknowledged_writes_over_a_power_loss(void **state)
{
    (void)state;
    struct fake *f = single(true);
    fake_do_write(f, 0, "k", "v");
    fake_power_off(f, 0);
    assert_int_equal(fake_start(f, 0), 0);
    assert_string_equal(fake_do_read(f, 0, "k")->value, "v");
    fake_destroy(f);
}

static void test_none_without_engine_sync_loses_what_was_acknowledged(void **state)
{
    (void)state;
    struct fake *f = single(false);
    assert_int_equal(fake_do_write(f, 0, "k", "v")->status, STATUS_OK);
    fake_power_off(f, 0);
    assert_int_equal(fake_start(f, 0), 0);
    assert_int_equal(fake_do_read(f, 0, "k")->status, STATUS_NOT_FOUND);
    fake_destroy(f);
}

static void test_none_promote_and_demote_change_nothing(void **state)
{
    (void)state;
    struct fake *f = single(true);
    assert_int_equal(fake_admin(f, 0, ADMIN_PROMOTE, 0), -EALREADY);
    assert_int_equal(fake_admin(f, 0, ADMIN_DEMOTE, 0), -ENOTSUP);
    assert_int_equal(fake_admin(f, 0, ADMIN_TRANSFER, 0), -ENOTSUP);
    fake_destroy(f);
}

static void test_none_read_does_not_see_the_batch_in_the_making(void **state)
{
    (void)state;
    struct fake *f = single(true);
    fake_do_write(f, 0, "k", "old");
    fake_write(f, 0, "k", "new");
    uint64_t read = fake_read(f, 0, "k");
    fake_run_for(f, MS);
    assert_string_equal(fake_answer(f, read)->value, "old");
    assert_string_equal(fake_do_read(f, 0, "k")->value, "new");
    fake_destroy(f);
}

static void test_none_compare_and_set_sees_writes_of_its_batch(void **state)
{
    (void)state;
    struct fake *f = single(true);
    fake_write(f, 0, "k", "1");
    struct operation swap = {.type = OPERATION_COMPARE_AND_SET,
                             .key = bytes_string("k"),
                             .expected = bytes_string("1"),
                             .has_expected = true,
                             .value = bytes_string("2")};
    uint64_t first = fake_request(f, 0, &swap), second = fake_request(f, 0, &swap);
    fake_run_for(f, MS);
    assert_int_equal(fake_answer(f, first)->status, STATUS_OK);
    assert_int_equal(fake_answer(f, second)->status, STATUS_MISMATCH);
    assert_string_equal(fake_answer(f, second)->value, "2");
    struct operation create = {.type = OPERATION_COMPARE_AND_SET,
                               .key = bytes_string("n"),
                               .value = bytes_string("x")};
    assert_int_equal(fake_do(f, 0, &create)->status, STATUS_OK);
    assert_int_equal(fake_do(f, 0, &create)->status, STATUS_MISMATCH);
    swap.key = bytes_string("missing");
    const struct fake_answer *absent = fake_do(f, 0, &swap);
    assert_int_equal(absent->status, STATUS_MISMATCH);
    assert_false(absent->has_value);
    fake_destroy(f);
}

static void test_none_delete_of_an_absent_key_says_so(void **state)
{
    (void)state;
    struct fake *f = single(true);
    struct operation remove = {.type = OPERATION_DELETE, .key = bytes_string("k")};
    assert_int_equal(fake_do(f, 0, &remove)->status, STATUS_NOT_FOUND);
    fake_do_write(f, 0, "k", "v");
    assert_int_equal(fake_do(f, 0, &remove)->status, STATUS_OK);
    assert_int_equal(fake_do_read(f, 0, "k")->status, STATUS_NOT_FOUND);
    fake_destroy(f);
}

static void test_none_inserts_count_from_one_for_each_table_and_over_a_crash(void **state)
{
    (void)state;
    struct fake *f = single(true);
    assert_string_equal(fake_do_insert(f, 0, "user/")->key, "user/1");
    uint64_t a = fake_insert(f, 0, "user/", "x"), b = fake_insert(f, 0, "user/", "y");
    fake_run_for(f, MS);
    assert_string_equal(fake_answer(f, a)->key, "user/2");
    assert_string_equal(fake_answer(f, b)->key, "user/3");
    assert_string_equal(fake_do_insert(f, 0, "repo/")->key, "repo/1");
    fake_power_off(f, 0);
    assert_int_equal(fake_start(f, 0), 0);
    assert_string_equal(fake_do_insert(f, 0, "user/")->key, "user/4");
    assert_string_equal(fake_do_read(f, 0, "user/3")->value, "y");
    fake_destroy(f);
}

static void test_none_scan_is_sorted_limited_and_hides_bookkeeping(void **state)
{
    (void)state;
    struct fake *f = single(true);
    const char *keys[] = {"d", "a", "c", "b", "e"};
    for (int i = 0; i < 5; i++) fake_do_write(f, 0, keys[i], "v");
    fake_do_insert(f, 0, "t");
    lock(f, "l", SECOND);
    struct operation scan = {.type = OPERATION_SCAN,
                             .key = bytes_string("b"),
                             .value = bytes_string("e"),
                             .limit = 2};
    const struct fake_answer *answer = fake_do(f, 0, &scan);
    static const unsigned char two[] = {1, 0, 0, 0, 1, 0, 0, 0, 'b', 'v',
                                        1, 0, 0, 0, 1, 0, 0, 0, 'c', 'v'};
    assert_int_equal(answer->value_size, sizeof two);
    assert_memory_equal(answer->value, two, sizeof two);
    scan = (struct operation){.type = OPERATION_SCAN};
    answer = fake_do(f, 0, &scan);
    size_t rows = 0;
    for (size_t at = 0; at < answer->value_size; rows++)
        at += 8 + get_u32((const unsigned char *)answer->value + at) +
              get_u32((const unsigned char *)answer->value + at + 4);
    assert_int_equal(rows, 6);
    fake_destroy(f);
}

static void test_none_lock_is_held_until_unlock_or_ttl_and_tokens_rise(void **state)
{
    (void)state;
    struct fake *f = single(true);
    uint64_t token = lock(f, "l", SECOND)->token;
    assert_true(token > 0);
    assert_int_equal(lock(f, "l", SECOND)->status, STATUS_HELD);
    fake_run_for(f, 2 * SECOND);
    const struct fake_answer *second = lock(f, "l", 10 * SECOND);
    assert_int_equal(second->status, STATUS_OK);
    assert_true(second->token > token);
    struct operation unlock = {
        .type = OPERATION_UNLOCK, .key = bytes_string("l"), .fence_token = token};
    assert_int_equal(fake_do(f, 0, &unlock)->status, STATUS_FENCED);
    uint64_t held = second->token;
    unlock.fence_token = held;
    assert_int_equal(fake_do(f, 0, &unlock)->status, STATUS_OK);
    assert_int_equal(fake_do(f, 0, &unlock)->status, STATUS_NOT_FOUND);
    fake_power_off(f, 0);
    assert_int_equal(fake_start(f, 0), 0);
    assert_true(lock(f, "l", SECOND)->token > held);
    fake_destroy(f);
}

static void test_none_lock_ends_early_when_the_wall_clock_jumps(void **state)
{
    (void)state;
    struct fake *f = single(true);
    lock(f, "l", 100 * SECOND);
    fake_clock_step(f, 0, 200 * SECOND);
    assert_int_equal(lock(f, "l", SECOND)->status, STATUS_OK);
    fake_destroy(f);
}

/* The story of S16: 33 is granted, expires, 34 writes, then 33 writes. */
static const struct fake_answer *zombie_write(struct fake *f)
{
    uint64_t old = lock(f, "l", SECOND)->token;
    fake_run_for(f, 2 * SECOND);
    uint64_t young = lock(f, "l", 10 * SECOND)->token;
    struct operation guarded = {.type = OPERATION_WRITE,
                                .key = bytes_string("file"),
                                .value = bytes_string("young"),
                                .fence_token = young};
    assert_int_equal(fake_do(f, 0, &guarded)->status, STATUS_OK);
    guarded.value = bytes_string("zombie");
    guarded.fence_token = old;
    return fake_do(f, 0, &guarded);
}

static void test_none_with_fencing_refuses_a_lower_token(void **state)
{
    (void)state;
    options.fencing = FENCING_TOKEN;
    struct fake *f = single(true);
    assert_int_equal(zombie_write(f)->status, STATUS_FENCED);
    assert_int_equal(fake_notes(f, 0, NOTE_FENCED_WRITE), 1);
    assert_string_equal(fake_do_read(f, 0, "file")->value, "young");
    struct operation other = {.type = OPERATION_WRITE,
                              .key = bytes_string("other"),
                              .value = bytes_string("v"),
                              .fence_token = 1};
    assert_int_equal(fake_do(f, 0, &other)->status, STATUS_OK);
    fake_destroy(f);
}

static void test_none_without_fencing_lets_the_zombie_write(void **state)
{
    (void)state;
    struct fake *f = single(true);
    assert_int_equal(zombie_write(f)->status, STATUS_OK);
    assert_string_equal(fake_do_read(f, 0, "file")->value, "zombie");
    fake_destroy(f);
}

static void test_none_repeats_the_answer_of_an_idempotency_token(void **state)
{
    (void)state;
    struct fake *f = single(true);
    struct operation insert = {.type = OPERATION_INSERT,
                               .key = bytes_string("t/"),
                               .value = bytes_string("v"),
                               .id = 77,
                               .idempotent = true};
    uint64_t a = fake_request(f, 0, &insert), b = fake_request(f, 0, &insert);
    fake_run_for(f, MS);
    assert_string_equal(fake_answer(f, a)->key, "t/1");
    assert_string_equal(fake_answer(f, b)->key, "t/1");
    fake_power_off(f, 0);
    assert_int_equal(fake_start(f, 0), 0);
    assert_string_equal(fake_do(f, 0, &insert)->key, "t/1");
    insert.idempotent = false;
    assert_string_equal(fake_do(f, 0, &insert)->key, "t/2");
    fake_destroy(f);
}

static void test_none_forgets_answers_beyond_the_bound(void **state)
{
    (void)state;
    options.dedup = 2;
    struct fake *f = single(true);
    struct operation insert = {.type = OPERATION_INSERT,
                               .key = bytes_string("t/"),
                               .value = bytes_string("v"),
                               .idempotent = true};
    for (uint64_t id = 100; id < 103; id++) {
        insert.id = id;
        fake_do(f, 0, &insert);
    }
    insert.id = 102;
    assert_string_equal(fake_do(f, 0, &insert)->key, "t/3");
    insert.id = 101;
    assert_string_equal(fake_do(f, 0, &insert)->key, "t/2");
    insert.id = 100;
    assert_string_equal(fake_do(f, 0, &insert)->key, "t/4");
    fake_destroy(f);
}

static void test_none_dedup_zero_does_every_retry(void **state)
{
    (void)state;
    options.dedup = 0;
    struct fake *f = single(true);
    struct operation insert = {.type = OPERATION_INSERT,
                               .key = bytes_string("t/"),
                               .id = 5,
                               .value = bytes_string("v"),
                               .idempotent = true};
    fake_do(f, 0, &insert);
    assert_string_equal(fake_do(f, 0, &insert)->key, "t/2");
    fake_destroy(f);
}

static void test_none_stops_itself_on_a_failed_sync(void **state)
{
    (void)state;
    struct fake *f = single(true);
    fake_do_write(f, 0, "k", "v");
    disk_fault_add(fake_disk(f, 0), &(struct disk_fault){.kind = DISK_SYNC_ERROR});
    uint64_t request = fake_write(f, 0, "k", "w");
    fake_run_for(f, MS);
    assert_false(fake_answer(f, request)->answered);
    assert_false(fake_up(f, 0));
    assert_true(fake_panicked(f, 0) > 0);
    fake_destroy(f);
}

static void test_none_refuses_keys_that_do_not_fit(void **state)
{
    (void)state;
    struct fake *f = single(true);
    assert_int_equal(fake_do_write(f, 0, "", "v")->status, STATUS_ERROR);
    struct operation hidden = {
        .type = OPERATION_WRITE, .key = {"\0t", 2}, .value = bytes_string("v")};
    assert_int_equal(fake_do(f, 0, &hidden)->status, STATUS_ERROR);
    hidden.type = OPERATION_READ;
    assert_int_equal(fake_do(f, 0, &hidden)->status, STATUS_NOT_FOUND);
    fake_destroy(f);
}

static void test_none_serves_at_the_configured_leader_only(void **state)
{
    (void)state;
    struct fake_config c = fake_config_default(&none_scheme, &options, 3, 0);
    c.leader_initial = 1;
    struct fake *f = fake_create(&c);
    fake_start_all(f);
    const struct fake_answer *refused = fake_do_write(f, 0, "k", "v");
    assert_int_equal(refused->status, STATUS_NOT_LEADER);
    assert_int_equal(refused->leader_hint, 1);
    assert_int_equal(fake_do_write(f, 1, "k", "v")->status, STATUS_OK);
    assert_int_equal(fake_inspect(f, 1).role, ROLE_LEADER);
    assert_int_equal(fake_inspect(f, 0).role, ROLE_NONE);
    fake_destroy(f);
}

static void test_encodings_survive_a_round_trip_and_refuse_every_truncation(void **state)
{
    (void)state;
    struct operation o = {.type = OPERATION_COMPARE_AND_SET,
                          .level = LEVEL_LEADER,
                          .key = bytes_string("key"),
                          .value = bytes_string("value"),
                          .expected = bytes_string("expected"),
                          .has_expected = true,
                          .id = UINT64_MAX,
                          .idempotent = true,
                          .session_position = 9,
                          .fence_token = 10,
                          .ttl_ns = -1,
                          .limit = 12},
                     p;
    struct buffer bytes = {.allocator = &allocator_system};
    assert_int_equal(operation_encode(&o, &bytes), 0);
    assert_int_equal(operation_decode(buffer_bytes(&bytes), &p), 0);
    assert_true(bytes_equal(p.key, o.key) && bytes_equal(p.value, o.value) &&
                bytes_equal(p.expected, o.expected));
    assert_true(p.type == o.type && p.level == o.level && p.has_expected && p.idempotent);
    assert_true(p.id == o.id && p.session_position == 9 && p.fence_token == 10 &&
                p.ttl_ns == -1 && p.limit == 12);
    for (size_t size = 0; size < bytes.size; size++)
        assert_int_not_equal(operation_decode(bytes_of(bytes.data, size), &p), 0);
    buffer_clear(&bytes);
    struct reply r = {.status = STATUS_MISMATCH,
                      .key = bytes_string("key"),
                      .value = bytes_string("v"),
                      .has_value = true,
                      .position = 3,
                      .epoch = 4,
                      .token = 5,
                      .leader_hint = 6},
                 q;
    assert_int_equal(reply_encode(&r, &bytes), 0);
    assert_int_equal(reply_decode(buffer_bytes(&bytes), &q), 0);
    assert_true(q.status == r.status && bytes_equal(q.key, r.key) && q.has_value &&
                bytes_equal(q.value, r.value) && q.position == 3 && q.epoch == 4 &&
                q.token == 5 && q.leader_hint == 6);
    for (size_t size = 0; size < bytes.size; size++)
        assert_int_not_equal(reply_decode(bytes_of(bytes.data, size), &q), 0);
    buffer_deinit(&bytes);
}

static void test_words_are_as_many_as_their_enums(void **state)
{
    (void)state;
    assert_null(operation_words[OPERATION_TYPES]);
    assert_null(status_words[STATUS_COUNT]);
    assert_null(role_words[ROLE_COUNT]);
    assert_null(note_words[NOTE_KINDS]);
    assert_null(admin_words[ADMIN_KINDS]);
    assert_null(message_class_words[MESSAGE_CLASSES]);
    assert_string_equal(note_words[NOTE_FENCED_WRITE], "fenced_write");
    assert_string_equal(status_words[STATUS_INDETERMINATE], "indeterminate");
    for (size_t i = 0; scheme_registry[i]; i++)
        assert_ptr_equal(scheme_find(scheme_registry[i]->name), scheme_registry[i]);
    assert_null(scheme_find("nonsense"));
}

#define T(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_none_promote_and_demote_change_nothing),
        T(test_none_answers_a_write_and_reads_it_back),
        T(test_none_syncs_once_for_a_batch),
        T(test_none_keeps_acknowledged_writes_over_a_power_loss),
        T(test_none_without_engine_sync_loses_what_was_acknowledged),
        T(test_none_read_does_not_see_the_batch_in_the_making),
        T(test_none_compare_and_set_sees_writes_of_its_batch),
        T(test_none_delete_of_an_absent_key_says_so),
        T(test_none_inserts_count_from_one_for_each_table_and_over_a_crash),
        T(test_none_scan_is_sorted_limited_and_hides_bookkeeping),
        T(test_none_lock_is_held_until_unlock_or_ttl_and_tokens_rise),
        T(test_none_lock_ends_early_when_the_wall_clock_jumps),
        T(test_none_with_fencing_refuses_a_lower_token),
        T(test_none_without_fencing_lets_the_zombie_write),
        T(test_none_repeats_the_answer_of_an_idempotency_token),
        T(test_none_forgets_answers_beyond_the_bound),
        T(test_none_dedup_zero_does_every_retry),
        T(test_none_stops_itself_on_a_failed_sync),
        T(test_none_refuses_keys_that_do_not_fit),
        T(test_none_serves_at_the_configured_leader_only),
        T(test_encodings_survive_a_round_trip_and_refuse_every_truncation),
        T(test_words_are_as_many_as_their_enums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
