/* Goal: an SSTable gives back what was put in, by key, in order and backward, through the cache
 * and past it; it reads no block for a key that it does not hold; and every damaged byte is
 * found. Method: random entries of hard shapes (versions of one key over block ends, empty keys
 * and values, long shared starts) beside a sorted array; every byte of a small table flipped;
 * every allocation and read failed in turn.
 */
#include "engines/storage/bloom.h"
#include "engines/storage/lsm/table.h"
#include "tests/engines/lsm_parts.h"

#define NUMBER 7u
#define PATH "t"

struct fixture {
    struct world w;
    struct engine engine; /* only what a table needs of it */
    struct table_summary summary;
    struct buffer keys; /* the summary's */
};

static void fixture_init(struct fixture *f, enum world_kind kind)
{
    memset(f, 0, sizeof(*f));
    world_init(&f->w, kind, 1);
    f->engine.host = f->w.host;
}

static void fixture_deinit(struct fixture *f)
{
    world_deinit(&f->w);
}

/* Builds the table of sorted entries, with a vfs write for each `write_bytes` at least. */
static int table_write(struct fixture *f, const struct parts *p,
                       const struct table_shape *shape, size_t write_bytes)
{
    struct table_builder *b;
    struct vfs_file *file;
    int err = table_builder_create(&f->w.heap.allocator, shape, NUMBER, &b);
    if (err) return err;
    assert_int_equal(
        vfs_open(f->w.host.vfs, PATH, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &file), 0);
    uint64_t offset = 0, written = 0, at;
    for (size_t i = 0; !err && i <= p->count; i++) {
        if (i == p->count) {
            err = table_builder_finish(b, &f->summary);
        } else {
            struct lsm_iterator e = {.is_valid = true,
                                     .is_delete = p->items[i].is_delete,
                                     .sequence = p->items[i].sequence,
                                     .key = p->items[i].key,
                                     .value = p->items[i].value};
            err = table_builder_add(b, &e);
        }
        struct bytes pending = table_builder_pending(b, &at);
        if (!err && (pending.size >= write_bytes || i == p->count)) {
            assert_int_equal(at, offset);
            assert_int_equal(vfs_write(file, at, pending, VFS_FLUSH), 0);
            offset += pending.size;
            table_builder_written(b);
            written++;
        }
    }
    vfs_close(file);
    if (!err) {
        assert_int_equal(f->summary.file_bytes, offset);
        assert_int_equal(f->summary.entries, p->count);
    }
    table_builder_destroy(b);
    return err;
}

static struct table *table_read(struct fixture *f, struct block_cache *cache)
{
    struct table *t = NULL;
    int err = table_open(&f->engine, cache, PATH, NUMBER, 0, VFS_RECOVERY, &t);
    if (err) fail_msg("table_open: %d: %s", err, f->engine.error_text);
    return t;
}

/* What table_get should say: the newest version at or below the snapshot. */
static void judge_get(struct table *t, const struct parts *p, struct bytes key,
                      uint64_t snapshot, bool *was_filtered)
{
    struct buffer value = {.allocator = &allocator_system};
    bool is_delete = false;
    int found = table_get(t, key, bloom_hash(key), snapshot, &is_delete, &value, was_filtered);
    size_t at = parts_lower(p, key, snapshot);
    bool is_there = at < p->count && bytes_equal(p->items[at].key, key);
    assert_int_equal(found, is_there);
    if (is_there) {
        assert_int_equal(is_delete, p->items[at].is_delete);
        if (!is_delete) assert_true(bytes_equal(buffer_bytes(&value), p->items[at].value));
    }
    buffer_deinit(&value);
}

static void judge_table(struct fixture *f, const struct parts *p, struct rng *rng,
                        enum key_shape shape, uint64_t space, struct block_cache *cache)
{
    struct table *t = table_read(f, cache);
    bool was_filtered;
    for (size_t i = 0; i < p->count; i++)
        judge_get(t, p, p->items[i].key, p->items[i].sequence - (i % 3 == 0), &was_filtered);
    for (size_t i = 0; i < 300; i++) {
        unsigned char key[64];
        size_t size = key_make(rng, shape, space * 2, key);
        uint64_t snapshot = rng_below(rng, p->count + 2);
        judge_get(t, p, bytes_of(key, size), snapshot, &was_filtered);
    }
    static const uint32_t readaheads[] = {0, 1, 700, 5000, 1 << 20};
    for (size_t i = 0; i < sizeof(readaheads) / sizeof(readaheads[0]); i++) {
        for (int purpose = 0; purpose < 2; purpose++) {
            struct lsm_iterator *it;
            assert_int_equal(
                table_iterate(t, readaheads[i], purpose ? VFS_USER_READ : VFS_COMPACTION, &it),
                0);
            judge_iterator(it, p, rng, shape, space, 500);
            lsm_iterator_destroy(it);
        }
    }
    table_close(t);
}

static void test_table_gives_back_what_was_put_in(void **state)
{
    (void)state;
    static const struct table_shape shapes[] = {
        {4096, 16, 10}, {200, 1, 0}, {64, 3, 8}, {1, 16, 10}, {1000, 4, 5}};
    uint64_t rounds = test_scaled(1, 20);
    for (uint64_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
            for (int shape = 0; shape < KEY_SHAPES; shape++) {
                struct fixture f;
                fixture_init(&f, WORLD_DISK);
                struct rng rng;
                rng_init(&rng, env_u64("SEED", 1) + i + 100 * round, "test", "table", NULL);
                uint64_t space = shape == KEYS_WILD ? 150 : 1000;
                struct parts p = parts_make(&rng, (enum key_shape)shape, 600, space, 60);
                parts_sort(&p);
                assert_int_equal(table_write(&f, &p, &shapes[i], i * 1000), 0);
                struct block_cache *cache;
                assert_int_equal(block_cache_create(&f.w.heap.allocator, 3000, &cache), 0);
                judge_table(&f, &p, &rng, (enum key_shape)shape, space, cache);
                judge_table(&f, &p, &rng, (enum key_shape)shape, space, NULL);
                struct block_cache_stats stats;
                block_cache_stats(cache, &stats);
                assert_int_equal(stats.blocks, 0); /* closed tables leave none */
                block_cache_destroy(cache);
                parts_free(&p);
                fixture_deinit(&f);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_gives_back_what_was_put_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
