/* Goal: engine-check of an lsm folder holds the manifest against itself and against the tables:
 * no figure that the manifest lists can be wrong unnoticed, while every checksum is right.
 *
 * Method: a database with tables in several levels is closed; each field of each entry of its
 * manifest is changed in turn and the manifest's checksum made anew; inspection must find a
 * problem and say where. Then tables in a wrong order, and a table of another database under
 * the same number.
 */
#include "tests/engines/variants.h"

#include "engines/storage/lsm/lsm.h"
#include "engines/storage/lsm/lsm_internal.h"

#define MANIFEST_PATH "data/" LSM_MANIFEST
#define ENTRIES_MAX 256

/* ---- files, read and written behind the engine's back ---- */

static void file_load(struct world *w, const char *path, struct buffer *out)
{
    struct vfs_file *f;
    uint64_t size;
    assert_int_equal(vfs_open(w->real, path, VFS_READ, &f), 0);
    assert_int_equal(vfs_size(f, &size), 0);
    assert_int_equal(buffer_reserve(out, (size_t)size + 1), 0);
    assert_int_equal(vfs_read(f, 0, out->data, (size_t)size, VFS_META), (int64_t)size);
    out->size = (size_t)size;
    vfs_close(f);
}

static void file_store(struct world *w, const char *path, struct bytes data)
{
    struct vfs_file *f;
    assert_int_equal(vfs_open(w->real, path, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &f), 0);
    assert_int_equal(vfs_write(f, 0, data, VFS_META), 0);
    vfs_close(f);
}

/* ---- a database, and the entries of its manifest ---- */

struct entry {
    size_t offset, size; /* of the entry in the manifest */
    uint32_t level, age, at;
};

struct bench {
    struct world w;
    struct lsm_options options;
    struct buffer manifest; /* as it was written */
    struct entry entries[ENTRIES_MAX];
    size_t count;
};

static void work(struct world *w, int from, int to, int step)
{
    char key[24], value[80];
    for (int i = from; i < to; i++) {
        struct engine_batch batch = {.allocator = &allocator_system};
        snprintf(key, sizeof(key), "key%03d", i * step % 200);
        snprintf(value, sizeof(value), "%d-%050d", i, i);
        if (i % 9 == 8)
            engine_batch_delete(&batch, bytes_string(key));
        else
            engine_batch_put(&batch, bytes_string(key), bytes_string(value));
        assert_int_equal(engine_write(w->engine, &batch, ENGINE_SYNC, (int64_t)i * 1000000000),
                         0);
        engine_batch_deinit(&batch);
        bool more = true;
        for (int slices = 0; more && slices < 20; slices++)
            assert_int_equal(engine_maintain(w->engine, 4000, (int64_t)i * 1000000000, &more),
                             0);
    }
}

static void entries_find(struct bench *b)
{
    const unsigned char *p = b->manifest.data;
    size_t at = LSM_MANIFEST_HEADER;
    uint32_t levels = get_u32(p + 32);
    b->count = 0;
    for (uint32_t i = 0; i < levels; i++) {
        uint32_t runs = get_u32(p + at + 4);
        at += 8;
        for (uint32_t j = 0; j < runs; j++) {
            uint32_t files = get_u32(p + at);
            at += 4;
            for (uint32_t k = 0; k < files; k++) {
                size_t size = LSM_MANIFEST_FILE + get_u32(p + at + 72) + get_u32(p + at + 76);
                assert_true(b->count < ENTRIES_MAX);
                b->entries[b->count++] = (struct entry){at, size, i, j, k};
                at += size;
            }
        }
    }
    assert_int_equal(at + 4, b->manifest.size);
}

static void bench_begin(struct bench *b)
{
    memset(b, 0, sizeof(*b));
    b->manifest.allocator = &allocator_system;
    assert_int_equal(options_default(engine_lsm.options, engine_lsm.options_count, &b->options,
                                     sizeof(b->options)),
                     0);
    b->options.memtable_bytes = b->options.table_bytes = 1024;
    b->options.block_bytes = 256;
    b->options.level_base_bytes = 4096;
    b->options.fanout = 4;
    b->options.l0_trigger = 3;
    b->options.gc_grace_ns = INT64_C(3600000000000); /* tombstones stay */
    world_init(&b->w, WORLD_DISK, 1);
    world_open(&b->w, &engine_lsm, &b->options);
    /* Until level 0 has two runs and a level below has neighbours. */
    bool two_runs = false, neighbours = false;
    for (int i = 0; !(two_runs && neighbours); i += 5) {
        assert_true(i < 2000);
        work(&b->w, i, i + 5, 37);
        file_load(&b->w, MANIFEST_PATH, &b->manifest);
        entries_find(b);
        two_runs = neighbours = false;
        for (size_t k = 0; k < b->count; k++) {
            two_runs |= b->entries[k].level == 0 && b->entries[k].age == 1;
            neighbours |= b->entries[k].level > 0 && b->entries[k].at == 1;
        }
    }
    world_close(&b->w);
    file_load(&b->w, MANIFEST_PATH, &b->manifest);
    entries_find(b);
}

static void bench_end(struct bench *b)
{
    buffer_deinit(&b->manifest);
    world_deinit(&b->w);
}

/* ---- what inspection says ---- */

struct said {
    uint64_t problems;
    char all[8192];
};

static void problem_seen(void *context, enum engine_finding finding, const char *file,
                         uint64_t offset, const char *text)
{
    struct said *s = context;
    if (finding != FINDING_PROBLEM) return;
    s->problems++;
    size_t used = strlen(s->all);
    snprintf(s->all + used, sizeof(s->all) - used, "%s at %llu: %s\n", file,
             (unsigned long long)offset, text);
}

static struct said inspect(struct world *w)
{
    struct said s = {0};
    struct engine_inspector inspector = {problem_seen, &s, false};
    assert_int_equal(engine_inspect(&engine_lsm, &w->host, "data", &inspector), 0);
    assert_int_equal(w->heap.bytes, 0);
    assert_int_equal(w->spy.open_files, 0);
    return s;
}

/* Of the manifest changed in one place, with its checksum made anew. */
static struct said inspect_changed(struct bench *b, size_t offset, struct bytes with)
{
    struct buffer changed = {.allocator = &allocator_system};
    assert_int_equal(buffer_assign(&changed, buffer_bytes(&b->manifest)), 0);
    memcpy(changed.data + offset, with.data, with.size);
    size_t end = changed.size - 4;
    put_u32(changed.data + end, crc32c(0, changed.data, end));
    file_store(&b->w, MANIFEST_PATH, buffer_bytes(&changed));
    struct said s = inspect(&b->w);
    file_store(&b->w, MANIFEST_PATH, buffer_bytes(&b->manifest));
    buffer_deinit(&changed);
    return s;
}

static void test_every_listed_figure_is_compared_with_the_table(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t at;
    } fields[] = {{"file bytes", 8},
                  {"tail bytes", 16},
                  {"entries", 24},
                  {"tombstones", 32},
                  {"bytes of data", 40},
                  {"as least sequence", 48},
                  {"as greatest sequence", 56},
                  {"as time of the youngest tombstone", 64}};
    struct bench b;
    bench_begin(&b);
    struct said s = inspect(&b.w);
    if (s.problems) fail_msg("a sound database: %s", s.all);
    for (size_t e = 0; e < b.count; e++)
        for (size_t f = 0; f < sizeof(fields) / sizeof(fields[0]); f++)
            for (int up = 0; up < 2; up++) {
                size_t at = b.entries[e].offset + fields[f].at;
                unsigned char changed[8];
                char place[80];
                put_u64(changed, get_u64(b.manifest.data + at) + (up ? 1 : UINT64_MAX));
                s = inspect_changed(&b, at, bytes_of(changed, 8));
                snprintf(place, sizeof(place), LSM_MANIFEST " at offset %zu lists ", at);
                const char *told = strstr(s.all, place);
                if (!told || !strstr(told, fields[f].name))
                    fail_msg("entry %zu, %s: found only: %s", e, fields[f].name, s.all);
            }
    assert_int_equal(inspect(&b.w).problems, 0);
    bench_end(&b);
}

static void test_listed_keys_are_compared_with_the_table(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    for (size_t e = 0; e < b.count; e++)
        for (int largest = 0; largest < 2; largest++) {
            size_t at = b.entries[e].offset + LSM_MANIFEST_FILE;
            if (largest) at += get_u32(b.manifest.data + b.entries[e].offset + 72);
            char letter = largest ? 'z' : 'a', place[80];
            struct said s = inspect_changed(&b, at, bytes_of(&letter, 1));
            snprintf(place, sizeof(place), LSM_MANIFEST " at offset %zu lists \"%c", at,
                     letter);
            if (!strstr(s.all, place)) fail_msg("entry %zu: found only: %s", e, s.all);
        }
    bench_end(&b);
}

/* Entries change places: every one still fits its table. */
static struct said inspect_swapped(struct bench *b, size_t x, size_t y)
{
    char both[400];
    const struct entry *a = &b->entries[x], *c = &b->entries[y];
    size_t size = c->offset + c->size - a->offset, gap = size - a->size - c->size;
    assert_true(size <= sizeof(both));
    memcpy(both, b->manifest.data + c->offset, c->size);
    memcpy(both + c->size, b->manifest.data + a->offset + a->size, gap);
    memcpy(both + c->size + gap, b->manifest.data + a->offset, a->size);
    return inspect_changed(b, a->offset, bytes_of(both, size));
}

static void test_tables_of_a_run_ascend_and_runs_of_a_level_are_in_order_of_age(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    int neighbours = 0, runs = 0;
    for (size_t e = 1; e < b.count; e++) {
        const struct entry *x = &b.entries[e - 1], *y = &b.entries[e];
        if (x->level != y->level) continue;
        struct said s = inspect_swapped(&b, e - 1, e);
        bool is_run = x->age == y->age;
        *(is_run ? &neighbours : &runs) += 1;
        if (!strstr(s.all, is_run ? "does not stand behind the table before it"
                                  : "is not older than the run before it"))
            fail_msg("entries %zu and %zu swapped: found only: %s", e - 1, e, s.all);
    }
    assert_true(neighbours > 0 && runs > 0);
    bench_end(&b);
}

static void test_what_a_manifest_says_of_itself_is_possible(void **state)
{
    (void)state;
    struct bench b;
    bench_begin(&b);
    unsigned char n[8];
    put_u64(n, 1); /* the next number */
    assert_non_null(strstr(inspect_changed(&b, 8, bytes_of(n, 8)).all, "the next number is 1"));
    assert_non_null(
        strstr(inspect_changed(&b, 24, bytes_of(n, 8)).all, "1 is the last one in tables"));
    memcpy(n, b.manifest.data + b.entries[0].offset, 8); /* the number of another one */
    assert_non_null(
        strstr(inspect_changed(&b, b.entries[1].offset, bytes_of(n, 8)).all, "a second time"));
    put_u64(n, 0);
    assert_non_null(strstr(inspect_changed(&b, b.entries[0].offset + 24, bytes_of(n, 8)).all,
                           "says what can not be"));
    bench_end(&b);
}

static int count_common(struct bench *b)
{
    int common = 0;
    for (size_t e = 0; e < b->count; e++) {
        char path[ENGINE_PATH_SIZE];
        struct vfs_file *f;
        uint64_t number = get_u64(b->manifest.data + b->entries[e].offset);
        assert_int_equal(lsm_table_path("other", number, path), 0);
        if (vfs_open(b->w.real, path, VFS_READ, &f)) continue;
        vfs_close(f);
        common++;
    }
    return common;
}

/* A backup is put back in part: the table is whole, and the number is right. */
static void test_a_table_of_another_backup_is_found(void **state)
{
    (void)state;
    struct bench b;
    struct world *w = &b.w;
    struct buffer table = {.allocator = &allocator_system}, ours = table;
    struct engine *other;
    char name[ENGINE_PATH_SIZE], path[ENGINE_PATH_SIZE];
    bench_begin(&b);
    assert_int_equal(engine_open(&engine_lsm, &w->host, "other", &b.options, &other), 0);
    w->engine = other;
    for (int i = 0; !count_common(&b); i += 5) {
        assert_true(i < 2000);
        work(w, i, i + 5, 41);
    }
    w->engine = NULL;
    engine_close(other);
    int found = 0;
    for (size_t e = 0; e < b.count; e++) {
        uint64_t number = get_u64(b.manifest.data + b.entries[e].offset);
        struct vfs_file *f;
        assert_int_equal(lsm_table_path("other", number, path), 0);
        if (vfs_open(w->real, path, VFS_READ, &f)) continue;
        vfs_close(f);
        file_load(w, path, &table);
        assert_int_equal(lsm_table_path("data", number, name), 0);
        file_load(w, name, &ours);
        file_store(w, name, buffer_bytes(&table));
        struct said s = inspect(w);
        if (!strstr(s.all, LSM_MANIFEST " at offset"))
            fail_msg("table %llu of another database: found only: %s",
                     (unsigned long long)number, s.all);
        file_store(w, name, buffer_bytes(&ours));
        found++;
    }
    assert_true(found > 0);
    assert_int_equal(inspect(w).problems, 0);
    buffer_deinit(&table);
    buffer_deinit(&ours);
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_listed_figure_is_compared_with_the_table),
        cmocka_unit_test(test_listed_keys_are_compared_with_the_table),
        cmocka_unit_test(test_tables_of_a_run_ascend_and_runs_of_a_level_are_in_order_of_age),
        cmocka_unit_test(test_what_a_manifest_says_of_itself_is_possible),
        cmocka_unit_test(test_a_table_of_another_backup_is_found),
    };
    return cmocka_run_group_tests_name("what lsm's inspection compares", tests, NULL, NULL);
}
