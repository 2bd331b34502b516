/* Goal: what only the LSM has: policies of compaction, levels, tombstones with a grace, tables
 * that are opened late and closed again, two logs at once. Method: small options on the
 * simulated disk; the engine's own figures (engine_properties) say what was copied and moved.
 */
#include "tests/engines/harness.h"

#include "engines/storage/lsm/lsm.h"
#include "sim/kernel/random.h"

#define SECOND INT64_C(1000000000)

static struct lsm_options options_default_lsm(void)
{
    struct lsm_options o;
    assert_int_equal(
        options_default(engine_lsm.options, engine_lsm.options_count, &o, sizeof(o)), 0);
    return o;
}

static struct lsm_options options_small(enum lsm_policy policy)
{
    struct lsm_options o = options_default_lsm();
    o.memtable_bytes = 1024;
    o.table_bytes = 1024;
    o.block_bytes = 256;
    o.level_base_bytes = 4096;
    o.cache_bytes = 4096;
    o.fanout = 4;
    o.l0_trigger = 2;
    o.compaction = (int32_t)policy;
    return o;
}

/* ---- figures ---- */

struct asked {
    const char *name;
    uint64_t value;
    bool is_found;
};

static void property_seen(void *context, const char *name, uint64_t value)
{
    struct asked *a = context;
    if (strcmp(a->name, name) != 0) return;
    a->value = value;
    a->is_found = true;
}

static uint64_t property(struct world *w, const char *name)
{
    struct asked a = {.name = name};
    engine_properties(w->engine, property_seen, &a);
    if (!a.is_found) fail_msg("no property %s", name);
    return a.value;
}

static uint64_t level_property(struct world *w, const char *what, unsigned level,
                               const char *figure)
{
    char name[64];
    snprintf(name, sizeof(name), "%s.%u.%s", what, level, figure);
    return property(w, name);
}

static uint64_t over_levels(struct world *w, const char *what, const char *figure)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < 8; i++) sum += level_property(w, what, i, figure);
    return sum;
}

/* ---- writing ---- */

static void put(struct world *w, struct oracle *oracle, const char *key, const char *value,
                int64_t now)
{
    int err = engine_put(w->engine, bytes_string(key), bytes_string(value), &allocator_system,
                         ENGINE_NO_SYNC, now);
    if (err) fail_msg("put: %d: %s", err, engine_error(w->engine));
    if (oracle) oracle_put(oracle, bytes_string(key), bytes_string(value));
}

static void delete (struct world *w, struct oracle *oracle, const char *key, int64_t now)
{
    struct engine_batch batch = {.allocator = &allocator_system};
    assert_int_equal(engine_batch_delete(&batch, bytes_string(key)), 0);
    assert_int_equal(engine_write(w->engine, &batch, ENGINE_NO_SYNC, now), 0);
    engine_batch_deinit(&batch);
    if (oracle) oracle_delete(oracle, bytes_string(key));
}

static void settle(struct world *w, int64_t now)
{
    bool more = true;
    for (int slices = 0; more; slices++) {
        assert_true(slices < 100000);
        int err = engine_maintain(w->engine, 4096, now, &more);
        if (err) fail_msg("maintain: %d: %s", err, engine_error(w->engine));
    }
}

/* Fills memtables until the one that holds all so far has been flushed. */
static void flush(struct world *w, struct oracle *oracle, int64_t now)
{
    static char filler[600];
    uint64_t flushes = property(w, "flush.count");
    memset(filler, 'f', sizeof(filler) - 1);
    while (property(w, "flush.count") == flushes) {
        put(w, oracle, "zz filler", filler, now);
        settle(w, now);
    }
}

/* ---- how often an entry is copied ---- */

/* Flushes `runs` memtables of 8 entries with keys that come once, in random order. */
static void copies_run(struct world *w, struct lsm_options *o, uint64_t runs)
{
    struct rng rng;
    uint64_t count = runs * 8 + 1;
    uint32_t *order = malloc(count * sizeof(*order));
    rng_init(&rng, 1, "test.lsm", "copies", NULL);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t j = rng_below(&rng, i + 1);
        order[i] = order[j];
        order[j] = (uint32_t)i;
    }
    o->memtable_bytes = 8 * 32;
    world_init(w, WORLD_DISK, 1);
    world_open(w, &engine_lsm, o);
    for (uint64_t i = 0; i < count; i++) {
        char key[16];
        snprintf(key, sizeof(key), "%08u", order[i]);
        put(w, NULL, key, "twenty-four bytes of it.", 0);
        settle(w, 0);
    }
    assert_int_equal(property(w, "flush.count"), runs);
    assert_int_equal(property(w, "flush.entries_out"), runs * 8);
    free(order);
}

static void test_full_merges_copy_an_entry_half_of_fanout_less_one_times_a_level(void **state)
{
    (void)state;
    static const unsigned fanouts[] = {2, 4, 10};
    for (size_t i = 0; i < sizeof(fanouts) / sizeof(fanouts[0]); i++) {
        struct world w;
        struct lsm_options o = options_small(LSM_FULL);
        unsigned t = fanouts[i];
        uint64_t runs = t == 10 ? t * t : t * t * t * (t == 2 ? 4 : 1);
        unsigned levels = t == 10 ? 2 : t == 2 ? 5 : 3;
        o.fanout = t;
        copies_run(&w, &o, runs);
        /* Whole periods have passed through levels 1 .. levels: (T-1)/2 copies each, exactly.
         */
        for (unsigned level = 1; level <= levels && runs % (uint64_t)t == 0; level++) {
            uint64_t period = 1;
            for (unsigned j = 0; j < level; j++) period *= t;
            if (runs % period) continue;
            assert_int_equal(2 * level_property(&w, "compaction", level, "entries_out"),
                             (t - 1) * runs * 8);
        }
        print_message("full, fanout %u: %llu runs\n", t, (unsigned long long)runs);
        world_deinit(&w);
    }
}

static void test_tiering_copies_an_entry_once_a_level(void **state)
{
    (void)state;
    static const unsigned fanouts[] = {2, 4, 10};
    for (size_t i = 0; i < sizeof(fanouts) / sizeof(fanouts[0]); i++) {
        struct world w;
        struct lsm_options o = options_small(LSM_TIERED);
        unsigned t = fanouts[i];
        o.fanout = t;
        copies_run(&w, &o, t * t);
        for (unsigned level = 1; level <= 2; level++)
            assert_int_equal(level_property(&w, "compaction", level, "entries_out"), t * t * 8);
        assert_int_equal(level_property(&w, "level", 2, "runs"), 1);
        assert_int_equal(level_property(&w, "level", 0, "runs"), 0);
        world_deinit(&w);
    }
}

static void test_leveled_keeps_levels_at_their_size_in_one_run_each(void **state)
{
    (void)state;
    struct world w;
    struct lsm_options o = options_small(LSM_LEVELED);
    copies_run(&w, &o, 400);
    uint64_t target = (uint64_t)o.level_base_bytes;
    assert_true(level_property(&w, "level", 0, "runs") < (uint64_t)o.l0_trigger);
    for (unsigned level = 1; level < 4; level++, target *= (uint64_t)o.fanout) {
        assert_true(level_property(&w, "level", level, "runs") <= 1);
        assert_true(level_property(&w, "level", level, "bytes") <= target);
    }
    assert_true(level_property(&w, "level", 3, "files") > 1);
    assert_true(level_property(&w, "compaction", 1, "count") > 10);
    world_deinit(&w);
}

static void test_ascending_inserts_move_tables_and_rewrite_none(void **state)
{
    (void)state;
    struct world w;
    struct lsm_options o = options_small(LSM_LEVELED);
    world_init(&w, WORLD_DISK, 1);
    world_open(&w, &engine_lsm, &o);
    for (int i = 0; i < 3000; i++) {
        char key[24];
        snprintf(key, sizeof(key), "key%08d", i);
        put(&w, NULL, key, "value", 0);
        settle(&w, 0);
    }
    assert_int_equal(over_levels(&w, "compaction", "bytes_out"), 0);
    assert_true(over_levels(&w, "compaction", "moves") > 20);
    assert_true(level_property(&w, "level", 2, "files") > 4);
    assert_int_equal(level_property(&w, "level", 2, "runs"), 1);
    world_deinit(&w);
}

static void test_a_database_of_another_policy_is_brought_into_shape(void **state)
{
    (void)state;
    static const enum lsm_policy turns[] = {LSM_TIERED, LSM_LEVELED, LSM_FULL,
                                            LSM_TIERED, LSM_FULL,    LSM_LEVELED};
    struct world w;
    struct oracle oracle = {0};
    struct lsm_options o = options_small(LSM_LEVELED);
    world_init(&w, WORLD_DISK, 1);
    world_open(&w, &engine_lsm, &o);
    for (size_t turn = 0; turn < sizeof(turns) / sizeof(turns[0]); turn++) {
        o.compaction = (int32_t)turns[turn];
        world_reopen(&w);
        for (int i = 0; i < 300; i++) {
            char key[24], value[24];
            snprintf(key, sizeof(key), "key%03d", i * 7 % 251);
            snprintf(value, sizeof(value), "%zu.%d", turn, i);
            if (i % 5 == 4)
                delete (&w, &oracle, key, 0);
            else
                put(&w, &oracle, key, value, 0);
            if (i % 3 == 0) settle(&w, 0);
        }
        settle(&w, 0);
        for (unsigned level = 1; turns[turn] != LSM_TIERED && level < 8; level++)
            assert_true(level_property(&w, "level", level, "runs") <= 1);
        if (oracle_compare(&oracle, w.engine))
            fail_msg("turn %zu: %s", turn, oracle_difference(&oracle, w.engine));
    }
    oracle_deinit(&oracle);
    world_deinit(&w);
}

/* ---- tombstones ---- */

static void test_a_tombstone_outlives_its_grace_and_goes_then(void **state)
{
    (void)state;
    struct world w;
    struct oracle oracle = {0};
    struct lsm_options o = options_small(LSM_LEVELED);
    o.gc_grace_ns = 100 * SECOND;
    o.l0_trigger = 1; /* all in level 1 at once */
    world_init(&w, WORLD_DISK, 1);
    world_open(&w, &engine_lsm, &o);
    put(&w, &oracle, "k", "v", 0);
    flush(&w, &oracle, 0);
    delete (&w, &oracle, "k", 20 * SECOND);
    flush(&w, &oracle, 21 * SECOND);
    assert_int_equal(over_levels(&w, "level", "tombstones"), 1);
    assert_int_equal(level_property(&w, "level", 0, "runs"), 0);
    /* The time of the delete is in the table: it survives a restart. */
    world_reopen(&w);
    settle(&w, 119 * SECOND);
    assert_int_equal(over_levels(&w, "level", "tombstones"), 1);
    assert_int_equal(oracle_compare(&oracle, w.engine), 0);
    settle(&w, 120 * SECOND);
    assert_int_equal(over_levels(&w, "level", "tombstones"), 0);
    assert_int_equal(property(&w, "compaction.tombstones_dropped"), 1);
    assert_int_equal(oracle_compare(&oracle, w.engine), 0);
    world_reopen(&w);
    assert_int_equal(oracle_compare(&oracle, w.engine), 0);
    oracle_deinit(&oracle);
    world_deinit(&w);
}

/* The time survives in the log, too: nothing was flushed before the restart. */
static void test_a_replayed_tombstone_keeps_its_time(void **state)
{
    (void)state;
    struct world w;
    struct lsm_options o = options_small(LSM_LEVELED);
    o.gc_grace_ns = 100 * SECOND;
    o.l0_trigger = 1;
    world_init(&w, WORLD_DISK, 1);
    world_open(&w, &engine_lsm, &o);
    delete (&w, NULL, "k", 50 * SECOND);
    world_reopen(&w);
    flush(&w, NULL, 60 * SECOND);
    settle(&w, 149 * SECOND);
    assert_int_equal(over_levels(&w, "level", "tombstones"), 1);
    settle(&w, 150 * SECOND);
    assert_int_equal(over_levels(&w, "level", "tombstones"), 0);
    world_deinit(&w);
}

/* Put, compacted two tiers deep, then deleted: as long as an older run may hold the key its
 * tombstone stays, however old it is; the key never comes back. */
static void test_a_tombstone_above_an_older_value_stays(void **state)
{
    (void)state;
    struct world w;
    struct oracle oracle = {0};
    struct lsm_options o = options_small(LSM_TIERED);
    o.fanout = 2;
    world_init(&w, WORLD_DISK, 1);
    world_open(&w, &engine_lsm, &o);
    put(&w, &oracle, "k", "v", 0);
    for (int i = 0; i < 4; i++) flush(&w, &oracle, 0);
    assert_int_equal(level_property(&w, "level", 2, "runs"), 1);
    delete (&w, &oracle, "k", 1);
    for (int i = 0; i < 2; i++) flush(&w, &oracle, SECOND);
    assert_int_equal(level_property(&w, "level", 1, "runs"), 1);
    assert_int_equal(level_property(&w, "level", 1, "tombstones"), 1);
    assert_int_equal(oracle_compare(&oracle, w.engine), 0);
    for (int i = 0; i < 2; i++) flush(&w, &oracle, SECOND);
    /* Level 1 was merged into level 2 as a run in front of the value's. */
    for (int i = 0; i < 24; i++) {
        flush(&w, &oracle, SECOND);
        assert_int_equal(oracle_compare(&oracle, w.engine), 0);
    }
    assert_int_equal(over_levels(&w, "level", "tombstones"), 0);
    world_reopen(&w);
    assert_int_equal(oracle_compare(&oracle, w.engine), 0);
    oracle_deinit(&oracle);
    world_deinit(&w);
}

/* ---- files ---- */

static int file_counted(void *context, const char *name, bool is_directory)
{
    (void)is_directory;
    *(int *)context += strstr(name, ".table") != NULL;
    return 0;
}

static int tables_on_disk(struct world *w)
{
    int count = 0;
    assert_int_equal(vfs_list(w->real, "data", file_counted, &count), 0);
    return count;
}

static void write_rounds(struct world *w, struct oracle *oracle, int from, int to)
{
    for (int i = from; i < to; i++) {
        char key[24], value[64];
        snprintf(key, sizeof(key), "key%03d", i * 37 % 200);
        snprintf(value, sizeof(value), "%d-%040d", i, i);
        put(w, oracle, key, value, 0);
        settle(w, 0);
    }
}

static void test_a_cursor_keeps_the_files_of_its_snapshot(void **state)
{
    (void)state;
    struct world w;
    struct oracle then = {0}, now = {0};
    struct lsm_options o = options_small(LSM_LEVELED);
    struct engine_range all = {0}, back = {.reverse = true};
    struct engine_cursor *cursors[2];
    struct bytes key, value;
    world_init(&w, WORLD_DISK, 1);
    world_open(&w, &engine_lsm, &o);
    write_rounds(&w, &then, 0, 400);
    oracle_copy(&now, &then);
    assert_int_equal(engine_scan_open(w.engine, &all, &cursors[0]), 0);
    assert_int_equal(engine_scan_open(w.engine, &back, &cursors[1]), 0);
    assert_int_equal(engine_scan_next(cursors[0], &key, &value), 1);
    write_rounds(&w, &now, 400, 1200);
    uint64_t listed = over_levels(&w, "level", "files");
    assert_true((uint64_t)tables_on_disk(&w) > listed);
    for (size_t i = 1; i < then.count; i++) {
        assert_int_equal(engine_scan_next(cursors[0], &key, &value), 1);
        assert_true(bytes_equal(key, oracle_key(&then, i)));
        assert_true(bytes_equal(value, oracle_value(&then, i)));
    }
    assert_int_equal(engine_scan_next(cursors[0], &key, &value), 0);
    for (size_t i = then.count; i-- > 0;) {
        assert_int_equal(engine_scan_next(cursors[1], &key, &value), 1);
        assert_true(bytes_equal(key, oracle_key(&then, i)));
        assert_true(bytes_equal(value, oracle_value(&then, i)));
    }
    engine_scan_close(cursors[0]);
    engine_scan_close(cursors[1]);
    settle(&w, 0);
    assert_int_equal(tables_on_disk(&w), listed);
    assert_int_equal(oracle_compare(&now, w.engine), 0);
    oracle_deinit(&then);
    oracle_deinit(&now);
    world_deinit(&w);
}

static void test_opening_reads_no_table_and_few_stay_open(void **state)
{
    (void)state;
    struct world w;
    struct oracle oracle = {0};
    struct lsm_options o = options_small(LSM_LEVELED);
    o.max_open_tables = 3;
    world_init(&w, WORLD_DISK, 1);
    world_open(&w, &engine_lsm, &o);
    write_rounds(&w, &oracle, 0, 600);
    assert_true(over_levels(&w, "level", "files") > 8);
    spy_counts_clear(&w.spy);
    world_reopen(&w);
    assert_true(w.spy.calls[SPY_OPEN] <= 2); /* the manifest and the log */
    assert_int_equal(property(&w, "tables.open"), 0);
    struct buffer out = {.allocator = &allocator_system};
    for (size_t i = 0; i < oracle.count; i++) {
        assert_int_equal(engine_get(w.engine, oracle_key(&oracle, i), &out), 0);
        assert_true(property(&w, "tables.open") <= 3);
    }
    buffer_deinit(&out);
    oracle_deinit(&oracle);
    world_deinit(&w);
}

/* ---- writers without maintenance ---- */

static void test_without_maintenance_writes_help_and_memory_stays_bounded(void **state)
{
    (void)state;
    for (int policy = 0; policy < 3; policy++) {
        struct world w;
        struct oracle oracle = {0};
        struct lsm_options o = options_small((enum lsm_policy)policy);
        struct engine_stats stats;
        o.l0_stall = 4;
        world_init(&w, WORLD_DISK, 1);
        world_open(&w, &engine_lsm, &o);
        for (int i = 0; i < 4000; i++) {
            char key[24], value[64];
            snprintf(key, sizeof(key), "key%03d", i * 37 % 300);
            snprintf(value, sizeof(value), "%d-%030d", i, i);
            put(&w, &oracle, key, value, 0);
            assert_true(property(&w, "memtable.bytes") <= 2 * 1024);
            assert_true(level_property(&w, "level", 0, "runs") <= 2 * 4);
        }
        engine_stats(w.engine, &stats);
        assert_true(stats.write_stalls > 0);
        assert_true(stats.disk_bytes < 300 * 64 * 8);
        assert_int_equal(oracle_compare(&oracle, w.engine), 0);
        oracle_deinit(&oracle);
        world_deinit(&w);
    }
}

/* What lsm.c grants itself (MEMORY), on real files: memtables with what orders their entries,
 * the cache, index and filter of the open tables, a stretch of each input of a compaction, and
 * the names and ends of all tables. */
static uint64_t memory_granted(const struct lsm_options *o, uint64_t tables)
{
    uint64_t memtables = 2 * (uint64_t)o->memtable_bytes, stretch = 2 * (64 << 10);
    uint64_t open = (uint64_t)o->max_open_tables * (uint64_t)o->table_bytes / 16;
    uint64_t inputs = (2 * (uint64_t)o->l0_trigger + 4) * stretch;
    return memtables + memtables / 2 + (uint64_t)o->cache_bytes + open + inputs +
           (uint64_t)o->memtable_bytes / 8 + tables * 320;
}

static void test_ten_million_keys_take_no_more_memory_than_the_options_grant(void **state)
{
    (void)state;
    struct world w;
    struct lsm_options o = options_default_lsm();
    struct buffer out = {.allocator = &allocator_system};
    struct engine_batch batch = {.allocator = &allocator_system};
    uint64_t count = test_scaled(100000, 10000000);
    if (count < 100000) count = 100000; /* fewer make no levels */
    char key[24], value[120];
    if (count < 10000) count = 10000;
    o.max_open_tables = 32; /* far fewer than there are */
    if (count < 1000000) {
        o.memtable_bytes = o.table_bytes = o.cache_bytes = 256 << 10;
        o.level_base_bytes = 2 << 20;
        o.max_open_tables = 8;
    }
    world_init(&w, WORLD_REAL, 1);
    world_open(&w, &engine_lsm, &o);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t k = i * UINT64_C(2654435761) % count; /* each once, far from the last */
        snprintf(key, sizeof(key), "%016llu", (unsigned long long)k);
        snprintf(value, sizeof(value), "%0100llu", (unsigned long long)k);
        engine_batch_put(&batch, bytes_string(key), bytes_string(value));
        if (batch.count < 100 && i + 1 < count) continue;
        bool more = true;
        assert_int_equal(engine_write(w.engine, &batch, ENGINE_NO_SYNC, 0), 0);
        for (int slices = 0; more && slices < 4; slices++)
            assert_int_equal(engine_maintain(w.engine, 64 << 10, 0, &more), 0);
        engine_batch_clear(&batch);
    }
    settle(&w, 0);
    for (uint64_t i = 0; i < count; i += 1 + count / 10007) {
        snprintf(key, sizeof(key), "%016llu", (unsigned long long)i);
        snprintf(value, sizeof(value), "%0100llu", (unsigned long long)i);
        assert_int_equal(engine_get(w.engine, bytes_string(key), &out), 0);
        assert_true(bytes_equal(buffer_bytes(&out), bytes_string(value)));
    }
    uint64_t tables = over_levels(&w, "level", "files"), opened = property(&w, "tables.open");
    uint64_t granted = memory_granted(&o, tables);
    size_t most = w.heap.bytes_most;
    world_reopen(&w);
    struct engine_range all = {0};
    struct engine_cursor *cursor;
    struct bytes k, v;
    uint64_t entries = 0;
    assert_int_equal(engine_scan_open(w.engine, &all, &cursor), 0);
    while (engine_scan_next(cursor, &k, &v) > 0) entries++;
    engine_scan_close(cursor);
    if (w.heap.bytes_most > most) most = w.heap.bytes_most;
    print_message("%llu keys in %llu tables, %llu of them open: %zu bytes of memory at most, "
                  "%llu granted\n",
                  (unsigned long long)count, (unsigned long long)tables,
                  (unsigned long long)opened, most, (unsigned long long)granted);
    assert_int_equal(entries, count);
    assert_true(tables > 2 * (uint64_t)o.max_open_tables);
    assert_true(opened <= (uint64_t)o.max_open_tables);
    assert_true(most <= granted);
    buffer_deinit(&out);
    engine_batch_deinit(&batch);
    world_deinit(&w);
}

/* Two logs: the memtable was switched and its flush has not come to an end. */
static void test_a_flush_cut_off_at_any_slice_is_done_again_from_its_log(void **state)
{
    (void)state;
    bool is_over = false;
    for (int slices = 0; !is_over; slices++) {
        struct world w;
        struct oracle oracle = {0};
        struct lsm_options o = options_small(LSM_LEVELED);
        world_init(&w, WORLD_DISK, (uint64_t)slices + 1);
        world_open(&w, &engine_lsm, &o);
        for (int i = 0; i < 40; i++) {
            char key[24];
            snprintf(key, sizeof(key), "key%03d", i);
            put(&w, &oracle, key, "some value of thirty-odd bytes", 0);
        }
        bool more = true;
        for (int i = 0; more && i < slices; i++)
            assert_int_equal(engine_maintain(w.engine, 200, 0, &more), 0);
        is_over = !more;
        assert_true(slices < 200);
        put(&w, &oracle, "last", "1", 0);
        assert_int_equal(engine_sync(w.engine), 0);
        world_crash(&w, slices % CRASH_MODES);
        world_open(&w, &engine_lsm, &o);
        if (oracle_compare(&oracle, w.engine))
            fail_msg("slice %d: %s", slices, oracle_difference(&oracle, w.engine));
        settle(&w, 0);
        assert_int_equal(oracle_compare(&oracle, w.engine), 0);
        oracle_deinit(&oracle);
        world_deinit(&w);
    }
}

/* A snapshot's versions: a key written many times in one memtable reads as of each moment. */
static void test_each_cursor_sees_its_own_version_of_a_key(void **state)
{
    (void)state;
    struct world w;
    struct lsm_options o = options_default_lsm();
    struct engine_cursor *cursors[10];
    struct bytes key, value;
    world_init(&w, WORLD_DISK, 1);
    world_open(&w, &engine_lsm, &o);
    for (int i = 0; i < 10; i++) {
        char text[12];
        struct engine_range range = {.reverse = i % 2};
        snprintf(text, sizeof(text), "%d", i);
        if (i % 3 == 2)
            delete (&w, NULL, "k", 0);
        else
            put(&w, NULL, "k", text, 0);
        assert_int_equal(engine_scan_open(w.engine, &range, &cursors[i]), 0);
    }
    for (int i = 0; i < 10; i++) {
        char text[12];
        snprintf(text, sizeof(text), "%d", i);
        int n = engine_scan_next(cursors[i], &key, &value);
        assert_int_equal(n, i % 3 == 2 ? 0 : 1);
        if (n) assert_true(bytes_equal(value, bytes_string(text)));
        if (n) assert_int_equal(engine_scan_next(cursors[i], &key, &value), 0);
        engine_scan_close(cursors[i]);
    }
    world_deinit(&w);
}

static int find_log(void *context, const char *name, bool is_directory)
{
    if (!is_directory && strncmp(name, "wal-", 4) == 0) snprintf(context, 64, "data/%s", name);
    return 0;
}

/* The manifest names a log when its header is durable: a shorter one is not a new one. */
static void test_a_log_that_the_manifest_names_is_not_taken_for_a_new_one(void **state)
{
    (void)state;
    for (uint64_t size = 0; size < 28; size++) {
        struct world w;
        struct lsm_options o = options_default_lsm();
        struct vfs_file *f;
        char path[64] = "";
        world_init(&w, WORLD_DISK, 1);
        world_open(&w, &engine_lsm, &o);
        put(&w, NULL, "key", "value", 0);
        assert_int_equal(engine_sync(w.engine), 0);
        world_close(&w);
        assert_int_equal(vfs_list(w.real, "data", find_log, path), 0);
        assert_int_equal(vfs_open(w.real, path, VFS_WRITE, &f), 0);
        assert_int_equal(vfs_truncate(f, size), 0);
        vfs_close(f);
        int err = world_try_open(&w, &engine_lsm, &o);
        assert_int_equal(err, -EBADMSG);
        world_deinit(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_merges_copy_an_entry_half_of_fanout_less_one_times_a_level),
        cmocka_unit_test(test_tiering_copies_an_entry_once_a_level),
        cmocka_unit_test(test_leveled_keeps_levels_at_their_size_in_one_run_each),
        cmocka_unit_test(test_ascending_inserts_move_tables_and_rewrite_none),
        cmocka_unit_test(test_a_database_of_another_policy_is_brought_into_shape),
        cmocka_unit_test(test_a_tombstone_outlives_its_grace_and_goes_then),
        cmocka_unit_test(test_a_replayed_tombstone_keeps_its_time),
        cmocka_unit_test(test_a_tombstone_above_an_older_value_stays),
        cmocka_unit_test(test_a_cursor_keeps_the_files_of_its_snapshot),
        cmocka_unit_test(test_opening_reads_no_table_and_few_stay_open),
        cmocka_unit_test(test_without_maintenance_writes_help_and_memory_stays_bounded),
        cmocka_unit_test(test_ten_million_keys_take_no_more_memory_than_the_options_grant),
        cmocka_unit_test(test_a_flush_cut_off_at_any_slice_is_done_again_from_its_log),
        cmocka_unit_test(test_each_cursor_sees_its_own_version_of_a_key),
        cmocka_unit_test(test_a_log_that_the_manifest_names_is_not_taken_for_a_new_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
