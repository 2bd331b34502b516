/* Goal: what only the hash engine has: segments, merges, the manifest. Method: a merge driven
 * slice by slice on the simulated disk, with a foreground write and a power loss between any
 * two slices. In both layouts of the index. (Hint files and inspection: test_hash_files.c; the
 * index: test_hash_index.c.)
 */
#include "tests/engines/harness.h"

#include "engines/storage/hash/hash.h"
#include "engines/storage/hash/hash_internal.h"

static int layout; /* of the index: every test runs with both */

static struct hash_options options_small(void)
{
    struct hash_options o;
    assert_int_equal(
        options_default(engine_hash.options, engine_hash.options_count, &o, sizeof(o)), 0);
    o.index = layout;
    o.segment_bytes = 1024;
    o.merge_threshold_ppm = 200000;
    return o;
}

static void put(struct world *w, struct oracle *oracle, const char *key, const char *value)
{
    assert_int_equal(engine_put(w->engine, bytes_string(key), bytes_string(value),
                                &allocator_system, ENGINE_SYNC, 0),
                     0);
    oracle_put(oracle, bytes_string(key), bytes_string(value));
}

static void delete (struct world *w, struct oracle *oracle, const char *key)
{
    struct engine_batch batch = {.allocator = &allocator_system};
    engine_batch_delete(&batch, bytes_string(key));
    assert_int_equal(engine_write(w->engine, &batch, ENGINE_SYNC, 0), 0);
    oracle_delete(oracle, bytes_string(key));
    engine_batch_deinit(&batch);
}

/* Several sealed segments, half of them dead, and tombstones: a merge is due. */
static void fill(struct world *w, struct oracle *oracle)
{
    char key[24], value[120];
    memset(value, 'v', sizeof(value));
    for (int i = 0; i < 60; i++) {
        snprintf(key, sizeof(key), "key%02d", i % 17);
        snprintf(value, sizeof(value), "%d-%080d", i, i);
        put(w, oracle, key, value);
        if (i % 7 == 6) delete (w, oracle, key);
    }
}

static enum merge_step step_of(const struct engine *e)
{
    return ((const struct hash_engine *)e)->merge.step;
}

/* Runs a merge of `slices` slices, then a write that is acknowledged (`rolls`: enough of them
 * that the active segment is sealed), then a power loss. Returns the step at which it was. */
static enum merge_step merge_write_crash(int slices, bool rolls, int mode, int dir_mode,
                                         uint64_t seed)
{
    struct world w;
    struct oracle oracle = {0};
    struct hash_options options = options_small();
    struct disk_config config = quick_disk();
    config.directory_mode = (enum disk_directory_mode)dir_mode;
    world_init_disk(&w, &config, seed);
    world_open(&w, &engine_hash, &options);
    fill(&w, &oracle);
    bool more = true;
    for (int i = 0; i < slices && more; i++)
        assert_int_equal(engine_maintain(w.engine, 300, 0, &more), 0);
    enum merge_step step = step_of(w.engine);
    char value[200];
    memset(value, 'r', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    delete (&w, &oracle, "key03");
    put(&w, &oracle, "key05", "written meanwhile");
    for (int i = 0; rolls && i < 6; i++) put(&w, &oracle, "key06", value);
    world_crash(&w, mode);
    world_open(&w, &engine_hash, &options);
    if (oracle_compare(&oracle, w.engine))
        fail_msg("crash after %d slices (step %d), mode %s: acknowledged writes are lost",
                 slices, (int)step, crash_mode_name(mode));
    more = true;
    while (more) assert_int_equal(engine_maintain(w.engine, 300, 0, &more), 0);
    assert_int_equal(oracle_compare(&oracle, w.engine), 0);
    oracle_deinit(&oracle);
    world_deinit(&w);
    return step;
}

static void crash_at_each_slice(bool rolls, uint64_t *tried, uint32_t *steps_seen)
{
    for (int slices = 0; slices < 200; slices++) {
        enum merge_step step = MERGE_IDLE;
        for (int mode = 0; mode < CRASH_MODES; mode++)
            for (int dir_mode = 0; dir_mode < 2; dir_mode++)
                for (uint64_t seed = 0; seed < (test_is_soak() ? 10 : 1); seed++, ++*tried)
                    step = merge_write_crash(slices, rolls, mode, dir_mode, seed + 1);
        *steps_seen |= 1u << step;
        if (step == MERGE_IDLE && slices > 20) break;
    }
}

static void
test_a_crash_between_a_compactions_manifest_write_and_its_sync_with_a_foreground_write_acknowledged_meanwhile_loses_nothing_that_was_acknowledged(
    void **state)
{
    (void)state;
    uint64_t tried = 0;
    uint32_t steps = 0;
    crash_at_each_slice(false, &tried, &steps);
    /* Written and not synced, synced and not renamed, renamed and the directory not synced. */
    assert_true(steps & 1u << MERGE_MANIFEST_SYNC);
    assert_true(steps & 1u << MERGE_RENAME);
    assert_true(steps & 1u << MERGE_SYNC_SWITCH);
    print_message("%llu crashes, between every two slices of a merge\n",
                  (unsigned long long)tried);
}

static void test_a_roll_in_the_middle_of_a_merge_loses_nothing(void **state)
{
    (void)state;
    uint64_t tried = 0;
    uint32_t steps = 0;
    crash_at_each_slice(true, &tried, &steps);
    assert_true(steps & 1u << MERGE_RENAME);
    print_message("%llu crashes\n", (unsigned long long)tried);
}

/* M5: the merge's manifest, written before a roll, would forget the new active segment. */
static void test_a_manifest_written_before_a_roll_is_written_anew(void **state)
{
    (void)state;
    struct world w;
    struct oracle oracle = {0};
    struct hash_options options = options_small();
    world_init(&w, WORLD_DISK, 1);
    world_open(&w, &engine_hash, &options);
    fill(&w, &oracle);
    bool more = true;
    while (step_of(w.engine) != MERGE_RENAME)
        assert_int_equal(engine_maintain(w.engine, 300, 0, &more), 0);
    uint64_t rolls = ((struct hash_engine *)w.engine)->manifest_version;
    for (int i = 0; i < 30; i++)
        put(&w, &oracle, "key01", "a value that fills the active segment after some time");
    assert_true(((struct hash_engine *)w.engine)->manifest_version > rolls);
    assert_int_equal(engine_maintain(w.engine, 300, 0, &more), 0);
    assert_int_equal(step_of(w.engine), MERGE_MANIFEST_CREATE);
    while (more) assert_int_equal(engine_maintain(w.engine, 300, 0, &more), 0);
    world_crash(&w, DISK_ALL_LOST);
    world_open(&w, &engine_hash, &options);
    assert_int_equal(oracle_compare(&oracle, w.engine), 0);
    oracle_deinit(&oracle);
    world_deinit(&w);
}

/* M6. A model test found it: the overwrite is lost, the merge has dropped what it replaced. */
static void test_a_merge_keeps_what_only_an_unsynced_write_supersedes(void **state)
{
    (void)state;
    struct world w;
    struct oracle oracle = {0};
    struct hash_options options = options_small();
    struct buffer out = {.allocator = &allocator_system};
    bool more = true;
    world_init(&w, WORLD_DISK, 1);
    world_open(&w, &engine_hash, &options);
    put(&w, &oracle, "key", "synced");
    fill(&w, &oracle);
    assert_int_equal(engine_put(w.engine, BYTES_LITERAL("key"), BYTES_LITERAL("unsynced"),
                                &allocator_system, ENGINE_NO_SYNC, 0),
                     0);
    while (more) assert_int_equal(engine_maintain(w.engine, 300, 0, &more), 0);
    world_crash(&w, DISK_ALL_LOST);
    world_open(&w, &engine_hash, &options);
    assert_int_equal(engine_get(w.engine, BYTES_LITERAL("key"), &out), 0);
    buffer_deinit(&out);
    oracle_deinit(&oracle);
    world_deinit(&w);
}

static void test_deleted_keys_stay_deleted_when_a_merge_drops_their_tombstones(void **state)
{
    (void)state;
    struct world w;
    struct oracle oracle = {0};
    struct hash_options options = options_small();
    options.merge_threshold_ppm = 0;
    struct engine_stats s;
    char key[24];
    bool more = true;
    world_init(&w, WORLD_DISK, 1);
    world_open(&w, &engine_hash, &options);
    for (int i = 0; i < 40; i++) {
        snprintf(key, sizeof(key), "key%d", i);
        put(&w, &oracle, key, "some value of middling length, to fill segments");
    }
    for (int i = 0; i < 40; i++) {
        snprintf(key, sizeof(key), "key%d", i);
        delete (&w, &oracle, key);
    }
    for (int i = 0; i < 30; i++)
        put(&w, &oracle, "last", "pushes the tombstones out of the active segment");
    while (more) assert_int_equal(engine_maintain(w.engine, 1000, 0, &more), 0);
    engine_stats(w.engine, &s);
    assert_int_equal(s.live_keys, 1);
    assert_true(s.disk_bytes < 3000);
    world_crash(&w, DISK_ALL_LOST);
    world_open(&w, &engine_hash, &options);
    assert_int_equal(oracle_compare(&oracle, w.engine), 0);
    oracle_deinit(&oracle);
    world_deinit(&w);
}

static void test_writes_stall_and_help_when_segments_pile_up(void **state)
{
    (void)state;
    struct world w;
    struct oracle oracle = {0};
    struct hash_options options = options_small();
    struct engine_stats s;
    options.stall_segments = 4;
    world_init(&w, WORLD_DISK, 1);
    world_open(&w, &engine_hash, &options);
    for (int i = 0; i < 20; i++) fill(&w, &oracle); /* and nobody calls maintain */
    engine_stats(w.engine, &s);
    assert_true(s.write_stalls > 0);
    assert_true(s.files < 40);
    assert_int_equal(oracle_compare(&oracle, w.engine), 0);
    oracle_deinit(&oracle);
    world_deinit(&w);
}

static void test_corruption_is_located_in_manifest_and_segments(void **state)
{
    (void)state;
    static const struct {
        const char *path, *where;
        uint64_t at;
    } damage[] = {
        {"data/MANIFEST", "data/MANIFEST at offset", 9},
        {"data/seg-00000001.data", "data/seg-00000001.data at offset 0:", 3},
        {"data/seg-00000001.data", "data/seg-00000001.data at offset 16:", 20},
    };
    for (size_t i = 0; i < 3; i++) {
        struct world w;
        struct oracle oracle = {0};
        struct hash_options options = options_small();
        struct vfs_file *f;
        unsigned char byte;
        options.hint_files = false; /* so that open reads all */
        world_init(&w, WORLD_DISK, 1);
        world_open(&w, &engine_hash, &options);
        fill(&w, &oracle);
        world_close(&w);
        assert_int_equal(vfs_open(w.host.vfs, damage[i].path, VFS_WRITE, &f), 0);
        assert_int_equal(vfs_read(f, damage[i].at, &byte, 1, VFS_LOG), 1);
        byte ^= 4;
        assert_int_equal(vfs_write(f, damage[i].at, bytes_of(&byte, 1), VFS_LOG), 0);
        vfs_close(f);
        assert_int_equal(world_try_open(&w, &engine_hash, &options), -EBADMSG);
        assert_non_null(strstr((char *)w.open_error.data, damage[i].where));
        oracle_deinit(&oracle);
        world_deinit(&w);
    }
}

static void test_a_lost_manifest_or_segment_is_reported_and_nothing_is_removed(void **state)
{
    (void)state;
    static const char *const victims[] = {"data/MANIFEST", "data/seg-00000002.data"};
    for (size_t i = 0; i < 2; i++) {
        struct world w;
        struct oracle oracle = {0};
        struct hash_options options = options_small();
        struct vfs_file *f;
        world_init(&w, WORLD_DISK, 1);
        world_open(&w, &engine_hash, &options);
        fill(&w, &oracle);
        world_close(&w);
        assert_int_equal(vfs_unlink(w.host.vfs, victims[i]), 0);
        assert_int_equal(world_try_open(&w, &engine_hash, &options), -EBADMSG);
        assert_int_equal(vfs_open(w.host.vfs, "data/seg-00000001.data", VFS_READ, &f), 0);
        vfs_close(f);
        oracle_deinit(&oracle);
        world_deinit(&w);
    }
}

static void test_a_misdirected_record_is_not_taken_for_the_one_that_belongs_there(void **state)
{
    (void)state;
    struct world w;
    struct oracle oracle = {0};
    struct buffer out = {.allocator = &allocator_system};
    struct vfs_file *f;
    unsigned char record[64];
    size_t size = RECORD_HEADER + 2; /* key and value of one byte each */
    world_init(&w, WORLD_DISK, 1);
    world_open(&w, &engine_hash, NULL);
    put(&w, &oracle, "a", "1");
    put(&w, &oracle, "a", "2");
    assert_int_equal(vfs_open(w.host.vfs, "data/seg-00000001.data", VFS_WRITE, &f), 0);
    assert_int_equal(vfs_read(f, SEGMENT_HEADER, record, size, VFS_LOG), (int64_t)size);
    assert_int_equal(vfs_write(f, SEGMENT_HEADER + size, bytes_of(record, size), VFS_LOG), 0);
    vfs_close(f);
    assert_int_equal(engine_get(w.engine, BYTES_LITERAL("a"), &out), -EBADMSG);
    assert_non_null(strstr(engine_error(w.engine), "data/seg-00000001.data at offset 50:"));
    buffer_deinit(&out);
    oracle_deinit(&oracle);
    world_deinit(&w);
}

/* I2: lost sectors may show what an older file held there, whole records even. */
static void test_a_record_of_another_history_is_not_a_continuation(void **state)
{
    (void)state;
    struct world old, now;
    struct buffer out = {.allocator = &allocator_system};
    struct vfs_file *f;
    unsigned char record[RECORD_HEADER + 2];
    struct engine_batch batch = {.allocator = &allocator_system};
    world_init(&old, WORLD_DISK, 1);
    world_init(&now, WORLD_DISK, 1);
    engine_batch_put(&batch, BYTES_LITERAL("a"), BYTES_LITERAL("1"));
    world_open(&old, &engine_hash, NULL);
    assert_int_equal(engine_write(old.engine, &batch, ENGINE_NO_SYNC, 0), 0);
    engine_batch_clear(&batch);
    engine_batch_put(&batch, BYTES_LITERAL("b"), BYTES_LITERAL("1"));
    assert_int_equal(engine_write(old.engine, &batch, ENGINE_NO_SYNC, 0), 0);
    world_close(&old);
    engine_batch_clear(&batch);
    engine_batch_put(&batch, BYTES_LITERAL("a"), BYTES_LITERAL("2"));
    world_open(&now, &engine_hash, NULL);
    assert_int_equal(engine_write(now.engine, &batch, ENGINE_NO_SYNC, 0), 0);
    world_close(&now);
    uint64_t at = SEGMENT_HEADER + sizeof(record);
    assert_int_equal(vfs_open(old.host.vfs, "data/seg-00000001.data", VFS_READ, &f), 0);
    assert_int_equal(vfs_read(f, at, record, sizeof(record), VFS_LOG), sizeof(record));
    vfs_close(f);
    assert_int_equal(vfs_open(now.host.vfs, "data/seg-00000001.data", VFS_WRITE, &f), 0);
    assert_int_equal(vfs_write(f, at, bytes_of(record, sizeof(record)), VFS_LOG), 0);
    vfs_close(f);
    world_open(&now, &engine_hash, NULL);
    assert_int_equal(engine_get(now.engine, BYTES_LITERAL("a"), &out), 0);
    assert_int_equal(engine_get(now.engine, BYTES_LITERAL("b"), &out), -ENOENT);
    engine_batch_deinit(&batch);
    buffer_deinit(&out);
    world_deinit(&old);
    world_deinit(&now);
}

static int count_file(void *context, const char *name, bool is_directory)
{
    (void)name;
    (void)is_directory;
    ++*(uint64_t *)context;
    return 0;
}

static void test_files_that_a_crash_left_over_are_removed_at_open(void **state)
{
    (void)state;
    for (int slices = 0; slices < 60; slices++) {
        struct world w;
        struct oracle oracle = {0};
        struct hash_options options = options_small();
        struct engine_stats s;
        uint64_t files = 0;
        bool more = true;
        world_init(&w, WORLD_DISK, 1);
        world_open(&w, &engine_hash, &options);
        fill(&w, &oracle);
        for (int i = 0; i < slices && more; i++)
            assert_int_equal(engine_maintain(w.engine, 300, 0, &more), 0);
        world_crash(&w, DISK_ALL_KEPT);
        world_open(&w, &engine_hash, &options);
        engine_stats(w.engine, &s);
        assert_int_equal(vfs_list(w.host.vfs, "data", count_file, &files), 0);
        assert_int_equal(files, s.files);
        oracle_deinit(&oracle);
        world_deinit(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_a_crash_between_a_compactions_manifest_write_and_its_sync_with_a_foreground_write_acknowledged_meanwhile_loses_nothing_that_was_acknowledged),
        cmocka_unit_test(test_a_roll_in_the_middle_of_a_merge_loses_nothing),
        cmocka_unit_test(test_a_manifest_written_before_a_roll_is_written_anew),
        cmocka_unit_test(test_a_merge_keeps_what_only_an_unsynced_write_supersedes),
        cmocka_unit_test(test_deleted_keys_stay_deleted_when_a_merge_drops_their_tombstones),
        cmocka_unit_test(test_writes_stall_and_help_when_segments_pile_up),
        cmocka_unit_test(test_a_record_of_another_history_is_not_a_continuation),
        cmocka_unit_test(test_files_that_a_crash_left_over_are_removed_at_open),
        cmocka_unit_test(test_corruption_is_located_in_manifest_and_segments),
        cmocka_unit_test(test_a_lost_manifest_or_segment_is_reported_and_nothing_is_removed),
        cmocka_unit_test(test_a_misdirected_record_is_not_taken_for_the_one_that_belongs_there),
    };
    int failed = cmocka_run_group_tests_name("hash index=keydir", tests, NULL, NULL);
    layout = 1;
    return failed + cmocka_run_group_tests_name("hash index=segment", tests, NULL, NULL);
}
