/* Goal: no bytes from the network crash an instance or change what it must not change, and
 * every message has a text; options say what they mean. Method: real messages are recorded from
 * a busy cluster, then replayed damaged: truncated, with bytes flipped, in the wrong class,
 * from the wrong sender. SEED= repeats a run of the fuzzers.
 */
#include "engines/replication/single_leader/wire.h"
#include "tests/support/single_leader_cluster.h"
#include "tests/support/scale.h"

#define RECORDED_MAX 400u

struct recorded {
    uint32_t from, to;
    enum message_class message_class;
    unsigned char *data;
    size_t size;
};

struct recorder {
    struct recorded items[RECORDED_MAX];
    uint32_t count, types; /* bit per first byte */
};

static bool record(void *context, uint32_t from, uint32_t to, enum message_class message_class,
                   struct bytes bytes)
{
    struct recorder *recorder = context;
    uint32_t type = *(const unsigned char *)bytes.data;
    bool is_new = !(recorder->types & 1u << type);
    if (recorder->count >= RECORDED_MAX - 32 && !is_new) return false;
    if (recorder->count >= RECORDED_MAX) return false;
    recorder->types |= 1u << type;
    struct recorded *item = &recorder->items[recorder->count++];
    *item = (struct recorded){from, to, message_class, malloc(bytes.size), bytes.size};
    assert_non_null(item->data);
    memcpy(item->data, bytes.data, bytes.size);
    return false;
}

static void recorder_deinit(struct recorder *recorder)
{
    for (uint32_t i = 0; i < recorder->count; i++) free(recorder->items[i].data);
}

/* A life with everything in it: writes, snapshots, a failover with votes, a handover. */
static void record_a_life(struct recorder *recorder)
{
    options_setup(NULL);
    options.mode = MODE_SYNC;
    options.log_retention = 20;
    options.snapshot_chunk_bytes = 256;
    struct fake_config c = cluster_config(3, 3);
    struct fake *f = fake_create(&c);
    fake_filter(f, record, recorder);
    fake_start_all(f);
    write_many(f, 0, "k", 30, MS);
    fake_crash(f, 2);
    fake_run_for(f, 10 * SECOND);
    write_many(f, 0, "l", 60, MS);
    assert_int_equal(fake_start(f, 2), 0);
    fake_run_for(f, 5 * SECOND);
    cut_all(f, 0, 3);
    for (uint32_t i = 1; i < 6; i++) cut_all(f, 0, i);
    fake_run_for(f, 10 * SECOND);
    fake_heal(f);
    fake_run_for(f, 5 * SECOND);
    fake_admin(f, 1, ADMIN_TRANSFER, 2);
    fake_run_for(f, 5 * SECOND);
    fake_destroy(f);
}

static uint64_t fuzz_seed(void)
{
    const char *text = getenv("SEED");
    return text ? strtoull(text, NULL, 10) : 20120914;
}

static uint64_t next(uint64_t *state)
{
    return mix64(*state += UINT64_C(0x9e3779b97f4a7c15));
}

static void test_a_full_life_uses_every_message_and_each_has_a_text(void **state)
{
    (void)state;
    struct recorder *recorder = calloc(1, sizeof *recorder);
    assert_non_null(recorder);
    record_a_life(recorder);
    uint32_t described = 0;
    for (uint32_t type = 1; type < MESSAGE_TYPES; type++)
        if (!(recorder->types & 1u << type) && type != MESSAGE_DEMOTE)
            fail_msg("message type %u is missing", type);
    for (uint32_t i = 0; i < recorder->count; i++) {
        char text[512], small[8];
        struct bytes bytes = {recorder->items[i].data, recorder->items[i].size};
        size_t size = single_leader_scheme.describe(bytes, text, sizeof text);
        assert_int_equal(size, strlen(text));
        assert_null(strstr(text, "malformed"));
        described |= 1u << *recorder->items[i].data;
        size = single_leader_scheme.describe(bytes, small, sizeof small);
        assert_int_equal(size, strlen(small));
        assert_int_equal(single_leader_scheme.describe(bytes, small, 0), 0);
    }
    assert_int_equal(described, recorder->types);
    /* A demotion needs an interrupted election or a confirmation: see test_failover. */
    uint32_t all = ((1u << MESSAGE_TYPES) - 1) & ~1u;
    assert_int_equal(recorder->types | 1u << MESSAGE_DEMOTE, all);
    char text[64];
    assert_true(single_leader_scheme.describe(bytes_of("\xff\xff", 2), text, sizeof text) > 0);
    assert_non_null(strstr(text, "malformed"));
    recorder_deinit(recorder);
    free(recorder);
}

static void test_damaged_messages_crash_nobody(void **state)
{
    (void)state;
    struct recorder *recorder = calloc(1, sizeof *recorder);
    assert_non_null(recorder);
    record_a_life(recorder);
    uint64_t random = fuzz_seed();
    print_message("SEED=%llu\n", (unsigned long long)random);
    int rounds = (int)test_scaled(20, 400);
    for (int round = 0; round < rounds; round++) {
        options_setup(NULL);
        options.epochs = round % 2;
        options.log_retention = 20;
        struct fake *f = cluster(3, 3);
        write_many(f, 0, "k", 5, MS);
        for (int shot = 0; shot < 200; shot++) {
            uint64_t which = next(&random), how = next(&random), where = next(&random);
            const struct recorded *item = &recorder->items[which % recorder->count];
            unsigned char bytes[8192];
            size_t size = item->size < sizeof bytes ? item->size : sizeof bytes;
            memcpy(bytes, item->data, size);
            if (how % 4 == 0)
                size = where % (size + 1);
            else if (size)
                bytes[where % size] ^= (unsigned char)(1 + how % 255);
            uint32_t to = (uint32_t)(next(&random) % 6), from = (uint32_t)(next(&random) % 7);
            enum message_class class = how % 8 == 7
                                           ? (enum message_class)(which % MESSAGE_CLASSES)
                                           : item->message_class;
            fake_inject(f, from, to, class, bytes_of(bytes, size));
            if (shot % 20 == 0) fake_run_for(f, 10 * MS);
        }
        for (uint32_t i = 0; i < 6; i++) {
            assert_int_equal(fake_panicked(f, i), 0);
            assert_true(fake_up(f, i));
            fake_inspect(f, i);
        }
        fake_destroy(f);
    }
    recorder_deinit(recorder);
    free(recorder);
}

static void test_random_bytes_change_nothing(void **state)
{
    (void)state;
    struct fake *f = cluster(3, 3);
    write_many(f, 0, "k", 5, MS);
    fake_run_for(f, SECOND);
    uint64_t random = fuzz_seed();
    for (int shot = 0; shot < 5000; shot++) {
        unsigned char bytes[64];
        uint64_t size = next(&random) % sizeof bytes;
        for (size_t i = 0; i < size; i++) bytes[i] = (unsigned char)next(&random);
        uint32_t to = (uint32_t)(next(&random) % 6);
        uint64_t class = next(&random) % MESSAGE_CLASSES;
        /* Of the right size and class random bytes are a message: keep to the wrong sizes. */
        if (size % 8 == 1) size++;
        fake_inject(f, ENV_OPERATOR, to, (enum message_class) class, bytes_of(bytes, size));
        fake_inject(f, (to + 1) % 6, to, (enum message_class) class, bytes_of(bytes, size));
    }
    fake_run_for(f, SECOND);
    assert_int_equal(fake_inspect(f, 0).role, ROLE_LEADER);
    assert_int_equal(fake_inspect(f, 0).epoch, 1);
    assert_true(same_rows(f, 0, 1) && same_rows(f, 0, 2));
    fake_destroy(f);
}

static void test_orders_are_taken_from_managers_only(void **state)
{
    (void)state;
    struct fake *f = cluster(3, 3);
    unsigned char demote[17] = {MESSAGE_DEMOTE};
    put_u64(demote + 1, 5);
    put_u64(demote + 9, UINT32_MAX);
    char text[64];
    single_leader_scheme.describe(bytes_of(demote, sizeof demote), text, sizeof text);
    assert_non_null(strstr(text, "demote epoch=5"));
    fake_inject(f, 1, 0, MESSAGE_CONTROL, bytes_of(demote, sizeof demote));
    fake_inject(f, 3, 0, MESSAGE_REPLICATION, bytes_of(demote, sizeof demote));
    fake_inject(f, 77, 0, MESSAGE_CONTROL, bytes_of(demote, sizeof demote));
    assert_int_equal(fake_inspect(f, 0).role, ROLE_LEADER);
    fake_inject(f, 3, 0, MESSAGE_CONTROL, bytes_of(demote, sizeof demote));
    assert_int_equal(fake_inspect(f, 0).role, ROLE_FOLLOWER);
    fake_destroy(f);
}

static void test_the_same_seed_lives_the_same_life(void **state)
{
    (void)state;
    struct recorder *a = calloc(1, sizeof *a), *b = calloc(1, sizeof *b);
    assert_true(a && b);
    record_a_life(a);
    record_a_life(b);
    assert_int_equal(a->count, b->count);
    for (uint32_t i = 0; i < a->count; i++) {
        assert_int_equal(a->items[i].size, b->items[i].size);
        assert_memory_equal(a->items[i].data, b->items[i].data, a->items[i].size);
    }
    recorder_deinit(a);
    recorder_deinit(b);
    free(a);
    free(b);
}

/* ---- options ---- */

static const char *complaint(uint32_t nodes)
{
    static char text[128];
    return single_leader_scheme.options_check(&options, nodes, text, sizeof text);
}

static void test_options_that_do_not_go_together_are_named(void **state)
{
    (void)state;
    assert_null(complaint(3));
    options.mode = MODE_SEMI_SYNC;
    options.ack_count = 3;
    assert_string_equal(complaint(3), "ack_count 3 needs at least 4 nodes");
    assert_null(complaint(4));
    options_setup(NULL);
    options.min_replicas = 2;
    assert_string_equal(complaint(2), "min_replicas 2 needs at least 3 nodes");
    options_setup(NULL);
    options.ids = IDS_EPOCH_PREFIXED;
    options.epochs = 0;
    assert_non_null(strstr(complaint(3), "epochs"));
    options_setup(NULL);
    options.failover.by = FAILOVER_MANAGER;
    assert_non_null(strstr(complaint(3), "managers"));
    options_setup(NULL);
    options.failover.promote = PROMOTE_NODE;
    assert_non_null(strstr(complaint(3), "failover.node"));
}

static void test_every_option_has_a_default_that_parses_and_a_line_of_text(void **state)
{
    (void)state;
    for (size_t s = 0; scheme_registry[s]; s++) {
        const struct scheme_ops *ops = scheme_registry[s];
        for (size_t i = 0; i < ops->options_count; i++) {
            const struct option *option = &ops->options[i];
            assert_true(strlen(option->doc) > 10);
            assert_true(option->value || (option->flags & OPTION_OPTIONAL));
            assert_true(option->offset < ops->options_size);
            for (size_t j = 0; j < i; j++) {
                assert_string_not_equal(option->name, ops->options[j].name);
                assert_int_not_equal(option->offset, ops->options[j].offset);
            }
        }
    }
}

static void test_the_promise_follows_the_options(void **state)
{
    (void)state;
    struct scheme_promise promise;
    single_leader_scheme.promise(&options, 3, &promise);
    assert_int_equal(promise.crashes_max, 0);
    assert_true(promise.partitions);
    options.failover.by = FAILOVER_MANAGER;
    single_leader_scheme.promise(&options, 3, &promise);
    assert_int_equal(promise.crashes_max, 0);
    assert_false(promise.partitions);
    options.mode = MODE_SEMI_SYNC;
    options.fallback_ns = -1;
    single_leader_scheme.promise(&options, 3, &promise);
    assert_int_equal(promise.crashes_max, 1);
    assert_true(promise.partitions);
    options.ack_count = 2;
    single_leader_scheme.promise(&options, 5, &promise);
    assert_int_equal(promise.crashes_max, 2);
    options.fallback_ns = SECOND;
    single_leader_scheme.promise(&options, 5, &promise);
    assert_int_equal(promise.crashes_max, 0);
}

#define T(name) cmocka_unit_test_setup(name, options_setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_a_full_life_uses_every_message_and_each_has_a_text),
        T(test_damaged_messages_crash_nobody),
        T(test_random_bytes_change_nothing),
        T(test_orders_are_taken_from_managers_only),
        T(test_the_same_seed_lives_the_same_life),
        T(test_options_that_do_not_go_together_are_named),
        T(test_every_option_has_a_default_that_parses_and_a_line_of_text),
        T(test_the_promise_follows_the_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
