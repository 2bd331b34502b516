/* Goal: what the hash engine leaves on disk is read back as it was, whatever became of the hint
 * files, and looked at truly. Method: a database of some segments on the simulated disk; a hint
 * file cut, flipped or exchanged, then an open compared with the oracle; a tombstone and the
 * older segments below it; inspection of images with one thing wrong in each.
 */
#include "tests/engines/harness.h"

#include "engines/storage/hash/hash.h"
#include "engines/storage/hash/hash_internal.h"

static struct hash_options options_of(int layout)
{
    struct hash_options o;
    assert_int_equal(
        options_default(engine_hash.options, engine_hash.options_count, &o, sizeof(o)), 0);
    o.segment_bytes = 1024;
    o.index = layout;
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

/* Puts, overwrites, deletes, a batch longer than the applier and than a segment. */
static void fill(struct world *w, struct oracle *oracle)
{
    char key[24], value[80];
    for (int i = 0; i < 60; i++) {
        snprintf(key, sizeof(key), "key%02d", i % 17);
        snprintf(value, sizeof(value), "%d-%040d", i, i);
        put(w, oracle, key, value);
        if (i % 7 == 6) delete (w, oracle, key);
    }
    struct engine_batch batch = {.allocator = &allocator_system};
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "batch%02d", i % 90);
        engine_batch_put(&batch, bytes_string(key), bytes_string(key));
    }
    assert_int_equal(engine_write(w->engine, &batch, ENGINE_SYNC, 0), 0);
    oracle_apply(oracle, &batch);
    engine_batch_deinit(&batch);
    put(w, oracle, "last", "in the active segment");
}

static void maintain(struct world *w)
{
    bool more = true;
    for (int slices = 0; more; slices++) {
        assert_true(slices < 5000);
        assert_int_equal(engine_maintain(w->engine, 300, 0, &more), 0);
    }
}

/* ---- files ---- */

static uint64_t file_read(struct world *w, const char *path, struct buffer *out)
{
    struct vfs_file *f;
    uint64_t size;
    assert_int_equal(vfs_open(w->host.vfs, path, VFS_READ, &f), 0);
    assert_int_equal(vfs_size(f, &size), 0);
    assert_int_equal(buffer_reserve(out, (size_t)size + 1), 0);
    assert_int_equal(vfs_read(f, 0, out->data, (size_t)size, VFS_LOG), (int64_t)size);
    out->size = (size_t)size;
    vfs_close(f);
    return size;
}

static void file_write(struct world *w, const char *path, struct bytes bytes)
{
    struct vfs_file *f;
    assert_int_equal(vfs_open(w->host.vfs, path, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &f), 0);
    assert_int_equal(vfs_write(f, 0, bytes, VFS_LOG), 0);
    vfs_close(f);
}

static void file_flip(struct world *w, const char *path, uint64_t offset)
{
    struct vfs_file *f;
    unsigned char byte;
    assert_int_equal(vfs_open(w->host.vfs, path, VFS_WRITE, &f), 0);
    assert_int_equal(vfs_read(f, offset, &byte, 1, VFS_LOG), 1);
    byte ^= 16;
    assert_int_equal(vfs_write(f, offset, bytes_of(&byte, 1), VFS_LOG), 0);
    vfs_close(f);
}

static uint64_t reads_of_open(struct world *w, const struct hash_options *options)
{
    spy_counts_clear(&w->spy);
    world_open(w, &engine_hash, options);
    return w->spy.calls[SPY_READ];
}

#define SEGMENT "data/seg-00000002.data"
#define HINT "data/seg-00000002.hint"

/* ---- hints ---- */

/* A flipped value byte of a sealed segment: an open that reads it says so, one by hints does
 * not look; the read of the value finds it. */
static void test_an_open_reads_hints_and_not_the_segments_they_describe(void **state)
{
    (void)state;
    for (int layout = 0; layout < 2; layout++) {
        struct world w;
        struct oracle oracle = {0};
        struct hash_options options = options_of(layout);
        world_init(&w, WORLD_DISK, 1);
        world_open(&w, &engine_hash, &options);
        fill(&w, &oracle);
        world_close(&w);
        file_flip(&w, SEGMENT, SEGMENT_HEADER + RECORD_HEADER + 9);
        world_open(&w, &engine_hash, &options);
        world_close(&w);
        assert_int_equal(vfs_unlink(w.host.vfs, HINT), 0);
        assert_int_equal(world_try_open(&w, &engine_hash, &options), -EBADMSG);
        assert_non_null(strstr((char *)w.open_error.data, SEGMENT " at offset 16:"));
        oracle_deinit(&oracle);
        world_deinit(&w);
    }
}

/* Every byte of a hint file flipped, and the file cut there: the open is as without, and
 * writes the hints anew. */
static void test_a_damaged_hint_file_is_ignored_and_written_anew(void **state)
{
    (void)state;
    for (int layout = 0; layout < 2; layout++) {
        struct world w;
        struct oracle oracle = {0};
        struct hash_options options = options_of(layout);
        struct buffer good = {.allocator = &allocator_system}, now = good;
        world_init(&w, WORLD_DISK, 1);
        world_open(&w, &engine_hash, &options);
        fill(&w, &oracle);
        world_close(&w);
        uint64_t by_hints = reads_of_open(&w, &options);
        world_close(&w);
        uint64_t size = file_read(&w, HINT, &good);
        for (uint64_t at = 0; at < size * 2; at += 1) {
            if (at < size)
                file_flip(&w, HINT, at);
            else
                file_write(&w, HINT, bytes_of(good.data, (size_t)(at - size)));
            assert_true(reads_of_open(&w, &options) > by_hints); /* the segment */
            assert_int_equal(oracle_compare(&oracle, w.engine), 0);
            world_close(&w);
            file_read(&w, HINT, &now);
            assert_true(bytes_equal(buffer_bytes(&good), buffer_bytes(&now)));
        }
        buffer_deinit(&good);
        buffer_deinit(&now);
        oracle_deinit(&oracle);
        world_deinit(&w);
    }
}

/* An unlink that a power loss took back, and the id used again: a whole hint file of another
 * segment of that id, even of the same size. */
static void test_a_hint_file_of_another_life_is_not_believed(void **state)
{
    (void)state;
    struct world old, now;
    struct oracle oracle = {0}, other = {0};
    struct hash_options options = options_of(0);
    struct buffer hint = {.allocator = &allocator_system};
    world_init(&old, WORLD_DISK, 1);
    world_init(&now, WORLD_DISK, 1);
    world_open(&old, &engine_hash, &options);
    world_open(&now, &engine_hash, &options);
    for (int i = 0; i < 60; i++) {
        char key[24];
        snprintf(key, sizeof(key), "old%02d", i);
        put(&old, &other, key, "a value of the same length");
        snprintf(key, sizeof(key), "now%02d", i);
        put(&now, &oracle, key, "a value of the same length");
    }
    world_close(&old);
    world_close(&now);
    file_read(&old, HINT, &hint);
    file_write(&now, HINT, buffer_bytes(&hint));
    world_open(&now, &engine_hash, &options);
    assert_int_equal(oracle_compare(&oracle, now.engine), 0);
    buffer_deinit(&hint);
    oracle_deinit(&oracle);
    oracle_deinit(&other);
    world_deinit(&old);
    world_deinit(&now);
}

static void test_a_merge_writes_hints_of_what_it_wrote(void **state)
{
    (void)state;
    for (int layout = 0; layout < 2; layout++) {
        struct world w;
        struct oracle oracle = {0};
        struct hash_options options = options_of(layout);
        options.merge_threshold_ppm = 0;
        world_init(&w, WORLD_DISK, 1);
        world_open(&w, &engine_hash, &options);
        for (int i = 0; i < 6; i++) fill(&w, &oracle);
        maintain(&w);
        const struct hash_engine *hash = (const struct hash_engine *)w.engine;
        assert_true(hash->segments.count > 1);
        for (uint32_t i = 0; i + 1 < hash->segments.count; i++)
            assert_true(hash->segments.items[i]->has_hint);
        world_reopen(&w);
        assert_int_equal(oracle_compare(&oracle, w.engine), 0);
        /* And by reading all of it, it is the same. */
        world_close(&w);
        options.hint_files = false;
        world_open(&w, &engine_hash, &options);
        assert_int_equal(oracle_compare(&oracle, w.engine), 0);
        oracle_deinit(&oracle);
        world_deinit(&w);
    }
}

/* Nothing that concerns hints fails a write, a merge or an open. */
static void test_no_failure_of_a_hint_file_is_anybodys(void **state)
{
    (void)state;
    struct world w;
    struct oracle oracle = {0};
    struct hash_options options = options_of(0);
    world_init(&w, WORLD_DISK, 1);
    /* Directories stand where the files should be made. */
    assert_int_equal(vfs_mkdir(w.host.vfs, "data"), 0);
    for (int i = 1; i < 40; i++) {
        char path[64];
        snprintf(path, sizeof(path), "data/seg-%08x.hint", i);
        assert_int_equal(vfs_mkdir(w.host.vfs, path), 0);
    }
    world_open(&w, &engine_hash, &options);
    fill(&w, &oracle);
    maintain(&w);
    assert_int_equal(oracle_compare(&oracle, w.engine), 0);
    world_reopen(&w);
    assert_int_equal(oracle_compare(&oracle, w.engine), 0);
    oracle_deinit(&oracle);
    world_deinit(&w);
}

static void test_a_checkpoint_goes_without_hints_and_its_first_open_makes_them(void **state)
{
    (void)state;
    struct world w;
    struct oracle oracle = {0};
    struct hash_options options = options_of(0);
    struct engine *copy;
    struct vfs_file *f;
    world_init(&w, WORLD_DISK, 1);
    world_open(&w, &engine_hash, &options);
    fill(&w, &oracle);
    assert_int_equal(engine_checkpoint(w.engine, "copy"), 0);
    assert_int_equal(vfs_open(w.host.vfs, "copy/seg-00000002.hint", VFS_READ, &f), -ENOENT);
    assert_int_equal(engine_open(&engine_hash, &w.host, "copy", &options, &copy), 0);
    assert_int_equal(oracle_compare(&oracle, copy), 0);
    engine_close(copy);
    assert_int_equal(vfs_open(w.host.vfs, "copy/seg-00000002.hint", VFS_READ, &f), 0);
    vfs_close(f);
    oracle_deinit(&oracle);
    world_deinit(&w);
}

/* A power loss takes unsynced hints in any way; the modes are those of the disk. */
static void test_hints_lost_with_the_power_cost_only_time(void **state)
{
    (void)state;
    for (int mode = 0; mode < CRASH_MODES; mode++)
        for (uint64_t seed = 1; seed <= test_scaled(5, 200); seed++) {
            struct world w;
            struct oracle oracle = {0};
            struct hash_options options = options_of((int)seed % 2);
            struct disk_config config = quick_disk();
            world_init_disk(&w, &config, seed);
            world_open(&w, &engine_hash, &options);
            fill(&w, &oracle);
            if (seed % 3 == 0) maintain(&w);
            world_crash(&w, mode);
            world_open(&w, &engine_hash, &options);
            assert_int_equal(oracle_compare(&oracle, w.engine), 0);
            world_reopen(&w);
            assert_int_equal(oracle_compare(&oracle, w.engine), 0);
            oracle_deinit(&oracle);
            world_deinit(&w);
        }
}

/* ---- tombstones ---- */

/* incidents.md, S18, Bitcask's variant: a segment holds nothing but live keys and one that is
 * deleted later, far above. A merge that judged segments one by one would leave it alone and
 * drop the tombstone; the key would be back when the index is next built. */
static void test_a_deleted_key_below_a_dropped_tombstone_does_not_come_back(void **state)
{
    (void)state;
    for (int layout = 0; layout < 2; layout++)
        for (int hints = 0; hints < 2; hints++) {
            struct world w;
            struct oracle oracle = {0};
            struct hash_options options = options_of(layout);
            struct buffer out = {.allocator = &allocator_system};
            char key[24], value[200];
            options.hint_files = hints;
            options.merge_threshold_ppm = 100000;
            memset(value, 'v', sizeof(value));
            value[sizeof(value) - 1] = '\0';
            world_init(&w, WORLD_DISK, 1);
            world_open(&w, &engine_hash, &options);
            put(&w, &oracle, "zombie", "of the oldest segment");
            for (int i = 0; i < 8; i++) {
                snprintf(key, sizeof(key), "cold%d", i);
                put(&w, &oracle, key, value); /* fills that segment with what stays */
            }
            delete (&w, &oracle, "zombie");
            for (int i = 0; i < 40; i++) put(&w, &oracle, "hot", value);
            maintain(&w);
            const struct hash_engine *hash = (const struct hash_engine *)w.engine;
            uint64_t dead = 0;
            for (uint32_t i = 0; i + 1 < hash->segments.count; i++)
                dead += hash->segments.items[i]->dead_bytes;
            assert_true(dead < 400); /* the tombstone is gone */
            for (int opens = 0; opens < 3; opens++) {
                if (opens == 1)
                    world_crash(&w, DISK_ALL_LOST);
                else
                    world_close(&w);
                world_open(&w, &engine_hash, &options);
                assert_int_equal(engine_get(w.engine, BYTES_LITERAL("zombie"), &out), -ENOENT);
                assert_int_equal(oracle_compare(&oracle, w.engine), 0);
                for (int i = 0; i < 20; i++) put(&w, &oracle, "hot", value);
                maintain(&w);
            }
            buffer_deinit(&out);
            oracle_deinit(&oracle);
            world_deinit(&w);
        }
}

/* ---- inspection ---- */

struct findings {
    char text[65536];
    uint64_t items, notes, problems;
};

static void note_finding(void *context, enum engine_finding finding, const char *file,
                         uint64_t offset, const char *text)
{
    struct findings *f = context;
    size_t used = strlen(f->text);
    f->items += finding == FINDING_ITEM;
    f->notes += finding == FINDING_NOTE;
    f->problems += finding == FINDING_PROBLEM;
    snprintf(f->text + used, sizeof(f->text) - used, "%c %s %llu: %s\n", "INP"[finding], file,
             (unsigned long long)offset, text);
}

static struct findings *look(struct world *w, bool wants_items)
{
    static struct findings f;
    memset(&f, 0, sizeof(f));
    struct engine_inspector inspector = {note_finding, &f, wants_items};
    assert_int_equal(engine_inspect(&engine_hash, &w->host, "data", &inspector), 0);
    assert_int_equal(w->heap.bytes, 0);
    return &f;
}

static void database(struct world *w, struct oracle *oracle)
{
    struct hash_options options = options_of(0);
    world_init(w, WORLD_DISK, 1);
    world_open(w, &engine_hash, &options);
    put(w, oracle, "first\n", "1");
    fill(w, oracle);
    world_close(w);
}

static void test_inspection_tells_every_record_of_a_good_database(void **state)
{
    (void)state;
    struct world w;
    struct oracle oracle = {0};
    const struct engine_ops *ops = NULL;
    database(&w, &oracle);
    assert_int_equal(engine_recognise(w.host.vfs, "data", &ops), 0);
    assert_ptr_equal(ops, &engine_hash);
    struct findings *f = look(&w, true);
    assert_int_equal(f->problems, 0);
    assert_int_equal(f->notes, 0);
    assert_non_null(strstr(f->text, "I MANIFEST 0: manifest of "));
    assert_non_null(strstr(f->text, "I MANIFEST 24: seg-00000001.data sealed, "));
    assert_non_null(strstr(f->text, "I seg-00000001.data 16: put, key of 6 bytes "
                                    "\"first\\x0a\", value of 1, sequence 1, 16 durable\n"));
    assert_non_null(strstr(f->text, "delete, key of 5 bytes \"key06\", value of 0"));
    assert_non_null(strstr(f->text, "99 more of its batch"));
    assert_non_null(strstr(f->text, "I seg-00000001.hint 12: put, key of 6 bytes"));
    assert_non_null(strstr(f->text, "mark, key of 0 bytes"));
    f = look(&w, false);
    assert_string_equal(f->text, "");
    oracle_deinit(&oracle);
    world_deinit(&w);
}

static void test_inspection_locates_damage(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        uint64_t at;
        const char *found; /* and nothing else */
    } damage[] = {
        {"data/MANIFEST", 30, "P MANIFEST "},
        {"data/MANIFEST", 2, "P MANIFEST 0: not a manifest\n"},
        {"data/seg-00000001.data", 9, "P seg-00000001.data 0: a broken segment header\n"},
        /* the first record is of 39 bytes */
        {"data/seg-00000001.data", 50,
         "P seg-00000001.data 16: a broken record; the next "
         "record is at 55\n"},
        /* what a power loss may leave of a hint file, too */
        {"data/seg-00000001.hint", 20, "N seg-00000001.hint 20: not what its segment says\n"},
    };
    for (size_t i = 0; i < sizeof(damage) / sizeof(damage[0]); i++) {
        struct world w;
        struct oracle oracle = {0};
        database(&w, &oracle);
        file_flip(&w, damage[i].path, damage[i].at);
        struct findings *f = look(&w, false);
        if (strncmp(f->text, damage[i].found, strlen(damage[i].found)) != 0 ||
            (damage[i].found[0] == 'P') != (f->problems > 0))
            fail_msg("wanted %s, found %s", damage[i].found, f->text);
        uint64_t items = look(&w, true)->items;
        assert_true(items > 100); /* it goes on behind the damage */
        oracle_deinit(&oracle);
        world_deinit(&w);
    }
}

static void test_inspection_tells_a_torn_tail_from_rot(void **state)
{
    (void)state;
    struct world w;
    struct oracle oracle = {0};
    struct hash_options options = options_of(0);
    struct buffer file = {.allocator = &allocator_system};
    world_init(&w, WORLD_DISK, 1);
    world_open(&w, &engine_hash, &options);
    put(&w, &oracle, "a", "1");
    put(&w, &oracle, "b", "2");
    world_crash(&w, CRASH_PROCESS); /* no mark: the last record is claimed by none */
    uint64_t size = file_read(&w, "data/seg-00000001.data", &file);
    file_write(&w, "data/seg-00000001.data", bytes_of(file.data, (size_t)size - 5));
    struct findings *f = look(&w, false);
    assert_string_equal(
        f->text, "N seg-00000001.data 50: a torn tail of 29 bytes, which the next open cuts\n");
    file_write(&w, "data/seg-00000001.data", buffer_bytes(&file));
    file_flip(&w, "data/seg-00000001.data",
              20); /* the second record says the first is durable */
    f = look(&w, false);
    assert_non_null(strstr(f->text, "P seg-00000001.data 16: a broken record"));
    assert_int_equal(f->problems, 1);
    file_flip(&w, "data/seg-00000001.data", 20);
    assert_string_equal(look(&w, false)->text, "");
    buffer_deinit(&file);
    oracle_deinit(&oracle);
    world_deinit(&w);
}

static void test_inspection_names_what_is_missing_and_what_nobody_lists(void **state)
{
    (void)state;
    struct world w;
    struct oracle oracle = {0};
    database(&w, &oracle);
    assert_int_equal(vfs_unlink(w.host.vfs, SEGMENT), 0);
    file_write(&w, "data/seg-000000ff.data", BYTES_LITERAL("left over"));
    file_write(&w, "data/MANIFEST.roll", BYTES_LITERAL("left over"));
    file_write(&w, "data/notes.txt", BYTES_LITERAL("hello"));
    struct findings *f = look(&w, false);
    assert_non_null(strstr(f->text, "P MANIFEST 40: lists seg-00000002.data, which is not"));
    assert_non_null(strstr(f->text, "N seg-000000ff.data 0: not listed"));
    assert_non_null(strstr(f->text, "N MANIFEST.roll 0: left by a crash"));
    assert_non_null(strstr(f->text, "N notes.txt 0: not a file of this engine"));
    assert_int_equal(f->problems, 1);
    oracle_deinit(&oracle);
    world_deinit(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_open_reads_hints_and_not_the_segments_they_describe),
        cmocka_unit_test(test_a_damaged_hint_file_is_ignored_and_written_anew),
        cmocka_unit_test(test_a_hint_file_of_another_life_is_not_believed),
        cmocka_unit_test(test_a_merge_writes_hints_of_what_it_wrote),
        cmocka_unit_test(test_no_failure_of_a_hint_file_is_anybodys),
        cmocka_unit_test(test_a_checkpoint_goes_without_hints_and_its_first_open_makes_them),
        cmocka_unit_test(test_hints_lost_with_the_power_cost_only_time),
        cmocka_unit_test(test_a_deleted_key_below_a_dropped_tombstone_does_not_come_back),
        cmocka_unit_test(test_inspection_tells_every_record_of_a_good_database),
        cmocka_unit_test(test_inspection_locates_damage),
        cmocka_unit_test(test_inspection_tells_a_torn_tail_from_rot),
        cmocka_unit_test(test_inspection_names_what_is_missing_and_what_nobody_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
