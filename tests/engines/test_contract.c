/* Goal: every registered engine keeps the contract of engine.h, on real files and on the
 * simulated disk. Method: one suite, run over engine_registry x {real, disk}; a vfs that counts
 * calls by kind watches the slices of maintain.
 *
 * A new engine is in as soon as registry.c names it.
 */
#include "tests/engines/variants.h"

#define BEGIN                                                                                  \
    const struct subject *subject = *state;                                                    \
    struct world w;                                                                            \
    world_init(&w, subject->kind, 1);                                                          \
    void *defaults = subject_options(subject, SIZES_DEFAULT);                                  \
    struct engine *e = world_open(&w, subject->ops, defaults);                                 \
    struct buffer out = {.allocator = &allocator_system}

#define END                                                                                    \
    buffer_deinit(&out);                                                                       \
    world_deinit(&w);                                                                          \
    free(defaults)

static void put(struct engine *e, const char *key, const char *value)
{
    assert_int_equal(engine_put(e, bytes_string(key), bytes_string(value), &allocator_system,
                                ENGINE_SYNC, 0),
                     0);
}

/* For the many puts of a workload: on real files a sync each would take seconds. */
static void put_of_many(struct world *w, const char *key, const char *value)
{
    enum engine_durability durability = w->kind == WORLD_DISK ? ENGINE_SYNC : ENGINE_NO_SYNC;
    assert_int_equal(engine_put(w->engine, bytes_string(key), bytes_string(value),
                                &allocator_system, durability, 0),
                     0);
}

static void delete (struct engine *e, const char *key)
{
    struct engine_batch batch = {.allocator = &allocator_system};
    assert_int_equal(engine_batch_delete(&batch, bytes_string(key)), 0);
    assert_int_equal(engine_write(e, &batch, ENGINE_NO_SYNC, 0), 0);
    engine_batch_deinit(&batch);
}

static void expect(struct engine *e, struct buffer *out, const char *key, const char *value)
{
    int err = engine_get(e, bytes_string(key), out);
    if (!value) {
        assert_int_equal(err, -ENOENT);
        return;
    }
    assert_int_equal(err, 0);
    assert_true(bytes_equal(buffer_bytes(out), bytes_string(value)));
}

/* "a=1 b=2 ": what a scan of the range gives. */
static void expect_scan(struct engine *e, struct engine_range range, const char *expected)
{
    struct engine_cursor *cursor;
    struct bytes key, value;
    char text[256] = "";
    int n;
    assert_int_equal(engine_scan_open(e, &range, &cursor), 0);
    while ((n = engine_scan_next(cursor, &key, &value)) > 0)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%.*s=%.*s ", (int)key.size,
                 (const char *)key.data, (int)value.size, (const char *)value.data);
    assert_int_equal(n, 0);
    engine_scan_close(cursor);
    assert_string_equal(text, expected);
}

/* ---- the table ---- */

static void test_the_table_is_complete_and_its_defaults_are_valid(void **state)
{
    const struct engine_ops *ops = ((const struct subject *)*state)->ops;
    assert_int_equal(ops->abi_version, ENGINE_ABI_VERSION);
    assert_int_equal(ops->struct_size, sizeof(*ops));
    assert_ptr_equal(engine_find(ops->name), ops);
    assert_true(strlen(ops->doc) > 10 && ops->key_size_max >= 1024 &&
                ops->value_size_max >= 1 << 20);
    assert_true(ops->open && ops->write && ops->get && ops->scan_open && ops->scan_next &&
                ops->scan_close && ops->maintain && ops->sync && ops->checkpoint &&
                ops->stats && ops->error && ops->close && ops->properties && ops->recognise &&
                ops->inspect);
    void *options = malloc(ops->options_size);
    assert_int_equal(
        options_default(ops->options, ops->options_count, options, ops->options_size), 0);
    free(options);
    for (size_t i = 0; i < ops->options_count; i++) {
        assert_non_null(ops->options[i].name);
        assert_true(ops->options[i].doc && strlen(ops->options[i].doc) > 10);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(ops->options[i].name, ops->options[j].name);
    }
}

static void test_another_abi_is_refused(void **state)
{
    BEGIN;
    struct engine_ops other = *subject->ops;
    struct engine *none = NULL;
    other.abi_version++;
    assert_int_equal(engine_open(&other, &w.host, "other", NULL, &none), -ENOEXEC);
    other.abi_version--;
    other.struct_size -= 8;
    assert_int_equal(engine_open(&other, &w.host, "other", NULL, &none), -ENOEXEC);
    assert_null(none);
    (void)e;
    END;
}

/* ---- reading what was written ---- */

static void test_get_returns_the_last_put(void **state)
{
    BEGIN;
    expect(e, &out, "a", NULL);
    put(e, "a", "1");
    put(e, "b", "2");
    expect(e, &out, "a", "1");
    put(e, "a", "3");
    expect(e, &out, "a", "3");
    expect(e, &out, "b", "2");
    delete (e, "a");
    expect(e, &out, "a", NULL);
    put(e, "a", "4");
    expect(e, &out, "a", "4");
    END;
}

static void test_a_missing_key_leaves_the_buffer_untouched(void **state)
{
    BEGIN;
    assert_int_equal(buffer_assign(&out, BYTES_LITERAL("before")), 0);
    assert_int_equal(engine_get(e, BYTES_LITERAL("none"), &out), -ENOENT);
    assert_true(bytes_equal(buffer_bytes(&out), BYTES_LITERAL("before")));
    END;
}

static void test_any_bytes_are_keys_and_values(void **state)
{
    BEGIN;
    unsigned char every[256];
    for (int i = 0; i < 256; i++) every[i] = (unsigned char)i;
    const struct bytes odd[] = {
        BYTES_LITERAL(""),     BYTES_LITERAL("#"),
        BYTES_LITERAL("#del"), BYTES_LITERAL("#,1,00000000"),
        BYTES_LITERAL("a,b"),  BYTES_LITERAL("a, b"),
        BYTES_LITERAL(" a"),   BYTES_LITERAL("a\nb"),
        BYTES_LITERAL("\n"),   BYTES_LITERAL("100%25"),
        BYTES_LITERAL("%"),    BYTES_LITERAL("\0"),
        BYTES_LITERAL("\0\0"), bytes_of(every, 256),
    };
    size_t count = sizeof(odd) / sizeof(odd[0]);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < count; i++)
            assert_int_equal(engine_put(e, odd[i], odd[(i + (size_t)round) % count],
                                        &allocator_system, ENGINE_SYNC, 0),
                             0);
        e = world_reopen(&w);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(engine_get(e, odd[i], &out), 0);
            assert_true(bytes_equal(buffer_bytes(&out), odd[(i + (size_t)round) % count]));
        }
    }
    END;
}

static void test_sizes_at_the_limit_pass_and_beyond_it_write_nothing(void **state)
{
    BEGIN;
    size_t key_max = subject->ops->key_size_max, value_max = subject->ops->value_size_max;
    char *big = malloc(value_max + 1);
    memset(big, 'x', value_max + 1);
    struct engine_batch batch = {.allocator = &allocator_system};
    engine_batch_put(&batch, BYTES_LITERAL("small"), BYTES_LITERAL("1"));
    engine_batch_put(&batch, bytes_of(big, key_max + 1), BYTES_LITERAL("1"));
    assert_int_equal(engine_write(e, &batch, ENGINE_SYNC, 0), -EINVAL);
    expect(e, &out, "small", NULL);
    engine_batch_clear(&batch);
    engine_batch_put(&batch, BYTES_LITERAL("small"), bytes_of(big, value_max + 1));
    assert_int_equal(engine_write(e, &batch, ENGINE_SYNC, 0), -EINVAL);
    expect(e, &out, "small", NULL);
    assert_int_equal(engine_get(e, bytes_of(big, key_max + 1), &out), -EINVAL);
    engine_batch_clear(&batch);
    engine_batch_put(&batch, bytes_of(big, key_max), bytes_of(big, value_max));
    assert_int_equal(engine_write(e, &batch, ENGINE_SYNC, 0), 0);
    assert_int_equal(engine_get(e, bytes_of(big, key_max), &out), 0);
    assert_true(bytes_equal(buffer_bytes(&out), bytes_of(big, value_max)));
    e = world_reopen(&w);
    assert_int_equal(engine_get(e, bytes_of(big, key_max), &out), 0);
    assert_true(bytes_equal(buffer_bytes(&out), bytes_of(big, value_max)));
    engine_batch_deinit(&batch);
    free(big);
    END;
}

/* ---- batches ---- */

static void test_in_a_batch_the_later_item_wins(void **state)
{
    BEGIN;
    struct engine_batch batch = {.allocator = &allocator_system};
    engine_batch_put(&batch, BYTES_LITERAL("a"), BYTES_LITERAL("1"));
    engine_batch_delete(&batch, BYTES_LITERAL("a"));
    engine_batch_delete(&batch, BYTES_LITERAL("b"));
    engine_batch_put(&batch, BYTES_LITERAL("b"), BYTES_LITERAL("2"));
    engine_batch_put(&batch, BYTES_LITERAL("b"), BYTES_LITERAL("3"));
    assert_int_equal(batch.count, 5);
    assert_int_equal(engine_write(e, &batch, ENGINE_SYNC, 0), 0);
    engine_batch_deinit(&batch);
    for (int round = 0; round < 2; round++, e = world_reopen(&w)) {
        expect(e, &out, "a", NULL);
        expect(e, &out, "b", "3");
    }
    END;
}

static void test_an_empty_batch_is_nothing_or_a_sync(void **state)
{
    BEGIN;
    struct engine_batch batch = {.allocator = &allocator_system};
    struct engine_stats before, after;
    engine_stats(e, &before);
    assert_int_equal(engine_write(e, &batch, ENGINE_NO_SYNC, 0), 0);
    engine_stats(e, &after);
    assert_int_equal(after.syncs, before.syncs);
    assert_int_equal(engine_write(e, &batch, ENGINE_SYNC, 0), 0);
    engine_stats(e, &after);
    assert_int_equal(after.syncs, before.syncs + 1);
    END;
}

static void test_a_synced_put_costs_one_sync_and_an_unsynced_one_none(void **state)
{
    BEGIN;
    struct engine_stats before, after;
    engine_stats(e, &before);
    for (int i = 0; i < 10; i++) put(e, "key", "value");
    engine_stats(e, &after);
    assert_int_equal(after.syncs - before.syncs, 10);
    assert_true(after.disk_bytes - before.disk_bytes <= 10 * (8 + 64)); /* 64 beyond the pair */
    delete (e, "key");
    engine_stats(e, &before);
    assert_int_equal(before.syncs, after.syncs);
    END;
}

/* ---- scans ---- */

static struct engine_range range_of(const char *from, const char *to, bool reverse)
{
    struct engine_range r = {
        .has_from = from != NULL, .has_to = to != NULL, .reverse = reverse};
    r.from = from ? bytes_string(from) : bytes_of(NULL, 0);
    r.to = to ? bytes_string(to) : bytes_of(NULL, 0);
    return r;
}

static void test_scan_gives_the_range_in_order_both_ways(void **state)
{
    BEGIN;
    if (!(subject->ops->capabilities & ENGINE_ORDERED)) skip();
    expect_scan(e, range_of(NULL, NULL, false), "");
    const char *keys[] = {"d", "a", "c", "b", "aa", ""};
    for (int i = 0; i < 6; i++) put(e, keys[i], "1");
    put(e, "c", "2");
    delete (e, "aa");
    for (int round = 0; round < 2; round++, e = world_reopen(&w)) {
        expect_scan(e, range_of(NULL, NULL, false), "=1 a=1 b=1 c=2 d=1 ");
        expect_scan(e, range_of(NULL, NULL, true), "d=1 c=2 b=1 a=1 =1 ");
        expect_scan(e, range_of("a", "c", false), "a=1 b=1 ");
        expect_scan(e, range_of("a", "c", true), "b=1 a=1 ");
        expect_scan(e, range_of("aa", NULL, false), "b=1 c=2 d=1 ");
        expect_scan(e, range_of(NULL, "a", false), "=1 ");
        expect_scan(e, range_of("c", "c", false), "");
        expect_scan(e, range_of("d", "a", false), "");
    }
    END;
}

static void run_maintenance(struct engine *e)
{
    bool more = true;
    for (int i = 0; more && i < 10000; i++)
        assert_int_equal(engine_maintain(e, 1, 0, &more), 0);
    assert_false(more);
}

static void test_a_cursor_is_a_snapshot_over_writes_and_maintenance(void **state)
{
    BEGIN;
    void *options = subject_options(subject, SIZES_TINY);
    world_close(&w);
    e = world_open(&w, subject->ops, options);
    struct oracle then = {0};
    char key[24], value[24];
    for (int i = 0; i < 50; i++) {
        snprintf(key, sizeof(key), "key%02d", i);
        put_of_many(&w, key, "old");
        oracle_put(&then, bytes_string(key), BYTES_LITERAL("old"));
    }
    struct engine_range all = {0};
    struct engine_cursor *cursor;
    struct bytes k, v;
    assert_int_equal(engine_scan_open(e, &all, &cursor), 0);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 50; i++) {
            snprintf(key, sizeof(key), "key%02d", i);
            snprintf(value, sizeof(value), "new%d", round);
            if (i % 3)
                put_of_many(&w, key, value);
            else
                delete (e, key);
        }
        run_maintenance(e);
    }
    for (size_t i = 0; i < then.count; i++) {
        assert_int_equal(engine_scan_next(cursor, &k, &v), 1);
        assert_true(bytes_equal(k, oracle_key(&then, i)) &&
                    bytes_equal(v, oracle_value(&then, i)));
        if (i == 25) run_maintenance(e);
    }
    assert_int_equal(engine_scan_next(cursor, &k, &v), 0);
    assert_int_equal(engine_scan_next(cursor, &k, &v), 0);
    engine_scan_close(cursor);
    run_maintenance(e);
    expect(e, &out, "key01", "new2");
    expect(e, &out, "key03", NULL);
    oracle_deinit(&then);
    world_close(&w);
    free(options);
    END;
}

/* ---- life ---- */

static void test_what_was_written_is_there_after_reopen(void **state)
{
    BEGIN;
    put(e, "a", "1");
    e = world_reopen(&w);
    expect(e, &out, "a", "1");
    put(e, "b", "2");
    delete (e, "a");
    for (int i = 0; i < 5; i++) e = world_reopen(&w);
    expect(e, &out, "a", NULL);
    expect(e, &out, "b", "2");
    assert_string_equal(engine_error(e), "");
    END;
}

static void test_opening_and_closing_does_not_grow_the_database(void **state)
{
    BEGIN;
    struct engine_stats first, later;
    put(e, "a", "1");
    e = world_reopen(&w);
    engine_stats(e, &first);
    for (int i = 0; i < 5; i++) e = world_reopen(&w);
    engine_stats(e, &later);
    assert_int_equal(first.disk_bytes, later.disk_bytes);
    assert_int_equal(later.cut_bytes, 0);
    END;
}

static void test_two_directories_are_two_databases(void **state)
{
    BEGIN;
    struct engine *other;
    put(e, "a", "1");
    assert_int_equal(vfs_mkdir(w.host.vfs, "deep"), 0);
    assert_int_equal(engine_open(subject->ops, &w.host, "deep/other", defaults, &other), 0);
    expect(other, &out, "a", NULL);
    put(other, "a", "2");
    expect(e, &out, "a", "1");
    engine_close(other);
    END;
}

static void test_a_checkpoint_is_a_database_of_that_moment(void **state)
{
    BEGIN;
    struct engine *copy;
    void *options = subject_options(subject, SIZES_TINY);
    world_close(&w);
    e = world_open(&w, subject->ops, options);
    for (int i = 0; i < 60; i++) put_of_many(&w, i % 2 ? "a" : "b", i < 58 ? "old" : "now");
    delete (e, "b");
    assert_int_equal(engine_checkpoint(e, "copy"), 0);
    assert_int_equal(engine_checkpoint(e, "copy"), -EEXIST);
    put(e, "a", "later");
    assert_int_equal(engine_open(subject->ops, &w.host, "copy", options, &copy), 0);
    expect(copy, &out, "a", "now");
    expect(copy, &out, "b", NULL);
    put(copy, "a", "other");
    engine_close(copy);
    expect(e, &out, "a", "later");
    world_close(&w);
    free(options);
    END;
}

/* In the middle of everything: unsynced writes, a cursor, a merge under way. */
static void test_a_checkpoint_is_whole_at_any_moment(void **state)
{
    BEGIN;
    void *options = subject_options(subject, SIZES_TINY);
    struct engine_range all = {0};
    struct oracle oracle = {0};
    char key[24], value[24], dir[32];
    world_close(&w);
    e = world_open(&w, subject->ops, options);
    for (int i = 0; i < 120; i++) {
        bool more;
        struct engine_cursor *cursor;
        struct engine *copy;
        snprintf(key, sizeof(key), "key%d", i * 7 % 31);
        snprintf(value, sizeof(value), "value%d", i);
        assert_int_equal(engine_put(e, bytes_string(key), bytes_string(value),
                                    &allocator_system, ENGINE_NO_SYNC, 0),
                         0);
        oracle_put(&oracle, bytes_string(key), bytes_string(value));
        assert_int_equal(engine_maintain(e, 300, 0, &more), 0);
        if (i % (w.kind == WORLD_DISK ? 12 : 60)) continue;
        snprintf(dir, sizeof(dir), "copy%d", i);
        assert_int_equal(engine_scan_open(e, &all, &cursor), 0);
        assert_int_equal(engine_checkpoint(e, dir), 0);
        engine_scan_close(cursor);
        assert_int_equal(engine_open(subject->ops, &w.host, dir, options, &copy), 0);
        assert_int_equal(oracle_compare(&oracle, copy), 0);
        run_maintenance(copy);
        assert_int_equal(oracle_compare(&oracle, copy), 0);
        engine_close(copy);
        assert_int_equal(oracle_compare(&oracle, e), 0);
    }
    run_maintenance(e);
    assert_int_equal(oracle_compare(&oracle, e), 0);
    oracle_deinit(&oracle);
    world_close(&w);
    free(options);
    END;
}

static void test_a_checkpoint_survives_a_power_loss(void **state)
{
    BEGIN;
    if (w.kind == WORLD_DISK) {
        put(e, "a", "1");
        assert_int_equal(engine_checkpoint(e, "copy"), 0);
        world_crash(&w, DISK_ALL_LOST);
        struct engine *copy;
        assert_int_equal(engine_open(subject->ops, &w.host, "copy", defaults, &copy), 0);
        expect(copy, &out, "a", "1");
        engine_close(copy);
    }
    END;
}

static void test_stats_count(void **state)
{
    BEGIN;
    struct engine_stats s;
    put(e, "a", "123");
    put(e, "bc", "4");
    put(e, "a", "12");
    delete (e, "bc");
    expect(e, &out, "a", "12");
    engine_stats(e, &s);
    assert_int_equal(s.puts, 3);
    assert_int_equal(s.deletes, 1);
    assert_int_equal(s.gets, 1);
    assert_true(s.files >= 1 && s.disk_bytes > 0 && s.memory_bytes > 0);
    if (subject->ops->capabilities & ENGINE_COUNTS_LIVE) {
        assert_int_equal(s.live_keys, 1);
        assert_int_equal(s.live_bytes, 3);
    }
    END;
}

/* ---- broken contracts ---- */

static void test_closing_under_an_open_cursor_is_a_broken_contract(void **state)
{
    if (((const struct subject *)*state)->kind == WORLD_REAL)
        return; /* a real program aborts there; its open files are the kernel's to close */
    BEGIN;
    struct engine_range all = {0};
    struct engine_cursor *cursor;
    jmp_buf jump;
    assert_int_equal(engine_scan_open(e, &all, &cursor), 0);
    w.on_check = &jump;
    if (setjmp(jump) == 0) {
        engine_close(e);
        fail();
    }
    assert_int_equal(w.checks_failed, 1);
    world_forget(&w); /* the node is gone */
    END;
}

/* ---- maintain ---- */

static void test_a_slice_makes_one_blocking_call_of_a_kind_and_syncs_alone(void **state)
{
    if (((const struct subject *)*state)->kind == WORLD_REAL) return; /* the same calls */
    BEGIN;
    void *options = subject_options(subject, SIZES_TINY);
    world_close(&w);
    e = world_open(&w, subject->ops, options);
    char key[24];
    int slices = 0, max_slices = 20000;
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 100; i++) {
            snprintf(key, sizeof(key), "key%d", i % 23);
            put(e, key, "value");
        }
        for (bool more = true; more; slices++) {
            assert_true(slices < max_slices);
            spy_counts_clear(&w.spy);
            assert_int_equal(engine_maintain(e, 100, 0, &more), 0);
            uint64_t *calls = w.spy.calls, others = 0;
            uint64_t syncs = calls[SPY_SYNC] + calls[SPY_SYNC_DIR];
            for (int i = 0; i < SPY_CALLS; i++) {
                if (calls[i] > 1)
                    fail_msg("%s: slice %d makes %llu calls of kind %d", subject->name, slices,
                             (unsigned long long)calls[i], i);
                others += i == SPY_SYNC || i == SPY_SYNC_DIR ? 0 : calls[i];
            }
            if (syncs > 1 || (syncs && others))
                fail_msg("%s: slice %d syncs, and not alone", subject->name, slices);
        }
    }
    expect(e, &out, "key3", "value");
    world_close(&w);
    free(options);
    END;
}

static void test_maintenance_ends_and_keeps_all_keys(void **state)
{
    BEGIN;
    void *options = subject_options(subject, SIZES_TINY);
    struct oracle oracle = {0};
    char key[24], value[24];
    world_close(&w);
    e = world_open(&w, subject->ops, options);
    struct engine_stats before, after;
    for (int i = 0; i < 300; i++) {
        snprintf(key, sizeof(key), "key%d", i % 37);
        snprintf(value, sizeof(value), "value%d", i);
        put_of_many(&w, key, value);
        oracle_put(&oracle, bytes_string(key), bytes_string(value));
    }
    for (int i = 0; i < 20; i++) {
        snprintf(key, sizeof(key), "key%d", i);
        delete (e, key);
        oracle_delete(&oracle, bytes_string(key));
    }
    engine_stats(e, &before);
    run_maintenance(e);
    engine_stats(e, &after);
    assert_true(after.disk_bytes <= before.disk_bytes);
    /* Where stalled writes did maintenance's work, less is left to do. */
    if (before.files > 2 && !before.write_stalls)
        assert_true(after.disk_bytes < before.disk_bytes / 2);
    assert_int_equal(oracle_compare(&oracle, e), 0);
    e = world_reopen(&w);
    assert_int_equal(oracle_compare(&oracle, e), 0);
    oracle_deinit(&oracle);
    world_close(&w);
    free(options);
    END;
}

/* Nobody calls maintain: writes do the work inline, and the database stays small. */
static void test_writes_help_when_maintenance_falls_behind(void **state)
{
    const struct subject *subject = *state;
    if (subject->kind == WORLD_REAL) return;
    if (!background_of(subject)->unlinks) return; /* nothing is ever reclaimed */
    struct world w;
    struct oracle oracle = {0};
    struct engine_stats stats;
    char key[24], value[24];
    void *options = subject_options(subject, SIZES_TINY);
    world_init(&w, WORLD_DISK, 1);
    struct engine *e = world_open(&w, subject->ops, options);
    for (int i = 0; i < 6000; i++) {
        snprintf(key, sizeof(key), "key%d", i * 7 % 30);
        snprintf(value, sizeof(value), "value%d", i);
        int err = engine_put(e, bytes_string(key), bytes_string(value), &allocator_system,
                             ENGINE_NO_SYNC, i);
        if (err) fail_msg("%s: write: %d %s", subject->name, err, engine_error(e));
        oracle_put(&oracle, bytes_string(key), bytes_string(value));
    }
    engine_stats(e, &stats);
    assert_true(stats.write_stalls > 0);
    if (stats.disk_bytes > 100000)
        fail_msg("%s: 30 keys take %llu bytes on disk", subject->name,
                 (unsigned long long)stats.disk_bytes);
    assert_int_equal(oracle_compare(&oracle, e), 0);
    oracle_deinit(&oracle);
    world_deinit(&w);
    free(options);
}

/* ---- the same for everybody ---- */

/* A workload that reaches all machinery, over a heap whose fresh memory holds `fill`. */
static void fixed_work(struct world *w, const struct subject *subject, const void *options,
                       struct oracle *oracle, unsigned char fill)
{
    char key[24], value[300];
    world_init(w, WORLD_DISK, 1);
    w->heap.fill = fill;
    world_open(w, subject->ops, options);
    for (int i = 0; i < 150; i++) {
        struct engine_batch batch = {.allocator = &allocator_system};
        for (int j = 0; j < 3; j++) {
            snprintf(key, sizeof(key), "key%d", (i * 5 + j * 3) % 29);
            memset(value, 'a' + i % 26, sizeof(value));
            if ((i + j) % 5 == 4)
                engine_batch_delete(&batch, bytes_string(key));
            else
                engine_batch_put(&batch, bytes_string(key),
                                 bytes_of(value, (size_t)(i * 37 + j * 11) % 300));
        }
        assert_int_equal(
            engine_write(w->engine, &batch, i % 4 ? ENGINE_SYNC : ENGINE_NO_SYNC, i), 0);
        oracle_apply(oracle, &batch);
        engine_batch_deinit(&batch);
        bool more = true;
        for (int slices = 0; more && slices < 5; slices++)
            assert_int_equal(engine_maintain(w->engine, 1500, i, &more), 0);
        if (i == 100) world_reopen(w);
    }
    assert_int_equal(engine_checkpoint(w->engine, "copy"), 0);
    world_close(w);
}

static void test_the_same_calls_write_the_same_bytes(void **state)
{
    const struct subject *subject = *state;
    uint64_t hash[2], operations[2];
    if (subject->kind == WORLD_REAL) return;
    void *options = subject_options(subject, SIZES_SMALL);
    for (int run = 0; run < 2; run++) {
        struct world w;
        struct oracle oracle = {0};
        fixed_work(&w, subject, options, &oracle, run ? 0x5a : 0xc3);
        assert_background(subject, &w.spy, "the contract suite");
        hash[run] = disk_hash(w.disk);
        operations[run] = disk_operations(w.disk);
        oracle_deinit(&oracle);
        world_deinit(&w);
    }
    assert_int_equal(operations[0], operations[1]);
    assert_true(hash[0] == hash[1]);
    free(options);
}

/* What one alternative of an engine wrote, and with what sizes, every other can go on with. */
static void test_every_variant_reads_what_another_wrote(void **state)
{
    const struct subject *subject = *state;
    static const enum smallness sizes[] = {SIZES_SMALL, SIZES_TINY, SIZES_DEFAULT};
    if (subject->kind == WORLD_REAL) return;
    struct subject *others = calloc(VARIANTS_MAX, sizeof(*others));
    size_t count = subjects_list(others, WORLD_DISK);
    void *options = subject_options(subject, SIZES_SMALL);
    for (size_t i = 0; i < count; i++)
        for (size_t s = 0; s < 3 && others[i].ops == subject->ops; s++) {
            struct world w;
            struct oracle oracle = {0};
            bool more = true;
            fixed_work(&w, subject, options, &oracle, 0x11);
            void *other = subject_options(&others[i], sizes[s]);
            world_open(&w, subject->ops, other);
            for (int round = 0; round < 3; round++) {
                if (oracle_compare(&oracle, w.engine))
                    fail_msg("%s, opened as %s, round %d: %s", subject->name, others[i].name,
                             round, oracle_difference(&oracle, w.engine));
                put(w.engine, "key1", "of another");
                oracle_put(&oracle, BYTES_LITERAL("key1"), BYTES_LITERAL("of another"));
                for (int slices = 0; more && slices < 20000; slices++)
                    assert_int_equal(engine_maintain(w.engine, 4000, 0, &more), 0);
                assert_false(more);
                world_reopen(&w);
            }
            free(other);
            oracle_deinit(&oracle);
            world_deinit(&w);
        }
    free(options);
    free(others);
}

/* ---- every engine in every world ---- */

static const struct suite_test suite[] = {
    T(test_the_table_is_complete_and_its_defaults_are_valid),
    T(test_another_abi_is_refused),
    T(test_get_returns_the_last_put),
    T(test_a_missing_key_leaves_the_buffer_untouched),
    T(test_any_bytes_are_keys_and_values),
    T(test_sizes_at_the_limit_pass_and_beyond_it_write_nothing),
    T(test_in_a_batch_the_later_item_wins),
    T(test_an_empty_batch_is_nothing_or_a_sync),
    T(test_a_synced_put_costs_one_sync_and_an_unsynced_one_none),
    T(test_scan_gives_the_range_in_order_both_ways),
    T(test_a_cursor_is_a_snapshot_over_writes_and_maintenance),
    T(test_what_was_written_is_there_after_reopen),
    T(test_opening_and_closing_does_not_grow_the_database),
    T(test_two_directories_are_two_databases),
    T(test_a_checkpoint_is_a_database_of_that_moment),
    T(test_a_checkpoint_is_whole_at_any_moment),
    T(test_a_checkpoint_survives_a_power_loss),
    T(test_stats_count),
    T(test_closing_under_an_open_cursor_is_a_broken_contract),
    T(test_a_slice_makes_one_blocking_call_of_a_kind_and_syncs_alone),
    T(test_maintenance_ends_and_keeps_all_keys),
    T(test_writes_help_when_maintenance_falls_behind),
    T(test_the_same_calls_write_the_same_bytes),
    T(test_every_variant_reads_what_another_wrote),
};

int main(void)
{
    return suite_run("engine contract", suite, sizeof(suite) / sizeof(suite[0]),
                     SUITE_DISK | SUITE_REAL);
}
