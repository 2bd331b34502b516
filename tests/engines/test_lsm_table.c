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
static int table_write_as(struct fixture *f, const struct parts *p,
                          const struct table_shape *shape, size_t write_bytes, const char *path,
                          uint64_t number)
{
    struct table_builder *b;
    struct vfs_file *file;
    int err = table_builder_create(&f->w.heap.allocator, shape, number, &b);
    if (err) return err;
    assert_int_equal(
        vfs_open(f->w.host.vfs, path, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &file), 0);
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

static int table_write(struct fixture *f, const struct parts *p,
                       const struct table_shape *shape, size_t write_bytes)
{
    return table_write_as(f, p, shape, write_bytes, PATH, NUMBER);
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
    assert_int_equal(buffer_assign(&value, BYTES_LITERAL("as it was")), 0);
    int found = table_get(t, key, bloom_hash(key), snapshot, &is_delete, &value, was_filtered);
    size_t at = parts_lower(p, key, snapshot);
    bool is_there = at < p->count && bytes_equal(p->items[at].key, key);
    assert_int_equal(found, is_there);
    if (is_there) {
        assert_int_equal(is_delete, p->items[at].is_delete);
        if (!is_delete) assert_true(bytes_equal(buffer_bytes(&value), p->items[at].value));
    }
    if (!is_there || is_delete)
        assert_true(bytes_equal(buffer_bytes(&value), BYTES_LITERAL("as it was")));
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

/* ---- reads are counted ---- */

/* Decimal keys of the even numbers below 2 * count, one version each. */
static struct parts even_keys(size_t count, size_t value_size)
{
    struct parts p = {calloc(count, sizeof(struct part)), count};
    assert_non_null(p.items);
    for (size_t i = 0; i < count; i++) {
        char key[32], value[200] = "";
        size_t size = (size_t)snprintf(key, sizeof(key), "key-%08zu", 2 * i);
        memcpy(value, key, size);
        p.items[i] = (struct part){.sequence = i + 1,
                                   .key = bytes_of(part_copy(key, size), size),
                                   .value = bytes_of(part_copy(value, value_size), value_size)};
    }
    return p;
}

struct counted {
    struct fixture f;
    struct spy spy;
    struct parts p;
};

static void counted_init(struct counted *c, size_t count, size_t value_size,
                         const struct table_shape *shape)
{
    fixture_init(&c->f, WORLD_DISK);
    spy_init(&c->spy, c->f.w.host.vfs);
    c->f.engine.host.vfs = &c->spy.base;
    c->p = even_keys(count, value_size);
    assert_int_equal(table_write(&c->f, &c->p, shape, 1 << 16), 0);
}

static void counted_deinit(struct counted *c)
{
    assert_int_equal(c->spy.open_files, 0);
    parts_free(&c->p);
    fixture_deinit(&c->f);
}

static void test_table_reads_no_block_for_a_key_that_the_filter_denies(void **state)
{
    (void)state;
    static const struct table_shape shape = {4096, 16, 10};
    struct counted c;
    counted_init(&c, 5000, 100, &shape);
    struct table *t = table_read(&c.f, NULL);
    uint64_t opened = c.spy.calls[SPY_READ], vain = 0;
    bool was_filtered;
    for (size_t i = 0; i + 1 < c.p.count; i++) { /* odd numbers: within the range, absent */
        char key[32];
        int size = snprintf(key, sizeof(key), "key-%08zu", 2 * i + 1);
        judge_get(t, &c.p, bytes_of(key, (size_t)size), UINT64_MAX >> 2, &was_filtered);
        vain += !was_filtered;
        assert_int_equal(c.spy.calls[SPY_READ], opened + vain);
    }
    assert_in_range(vain, 1, c.p.count * 15 / 1000); /* 0.84 % of 5000 are 42 */
    judge_get(t, &c.p, c.p.items[7].key, UINT64_MAX >> 2, &was_filtered);
    assert_false(was_filtered);
    assert_int_equal(c.spy.calls[SPY_READ], opened + vain + 1); /* one read a get */
    table_close(t);
    counted_deinit(&c);
}

static void test_table_without_filter_denies_keys_beyond_its_range(void **state)
{
    (void)state;
    static const struct table_shape shape = {4096, 16, 0};
    static const char *const beyond[] = {"",      "key",          "key-", "key-0000000/", "a",
                                         "key-1", "key-99999999", "z",    "kez-"};
    struct counted c;
    counted_init(&c, 500, 100, &shape);
    struct table *t = table_read(&c.f, NULL);
    uint64_t opened = c.spy.calls[SPY_READ];
    for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
        bool was_filtered = false;
        judge_get(t, &c.p, bytes_string(beyond[i]), UINT64_MAX >> 2, &was_filtered);
        assert_true(was_filtered);
    }
    assert_int_equal(c.spy.calls[SPY_READ], opened);
    table_close(t);
    counted_deinit(&c);
}

static void test_table_opens_with_one_read_and_only_as_it_was_written(void **state)
{
    (void)state;
    static const struct table_shape shape = {4096, 16, 10};
    struct counted c;
    counted_init(&c, 1000, 100, &shape);
    uint64_t tail = c.f.summary.tail_bytes, reads = c.spy.calls[SPY_READ];
    struct table *t;
    assert_int_equal(table_open(&c.f.engine, NULL, PATH, NUMBER, tail, VFS_RECOVERY, &t), 0);
    assert_int_equal(c.spy.calls[SPY_READ], reads + 1);
    struct table_summary s;
    table_summary(t, &s);
    assert_int_equal(s.entries, 1000);
    assert_int_equal(s.tombstones, 0);
    assert_int_equal(s.sequence_min, 1);
    assert_int_equal(s.sequence_max, 1000);
    assert_int_equal(s.tail_bytes, tail);
    assert_int_equal(s.data_bytes, c.f.summary.data_bytes);
    assert_true(bytes_equal(s.smallest, c.p.items[0].key));
    assert_true(bytes_equal(s.largest, c.p.items[999].key));
    assert_int_equal(table_filter_bytes(t), 1251);
    table_close(t);
    for (int step = -1; step <= 1; step += 2) {
        assert_int_equal(table_open(&c.f.engine, NULL, PATH, NUMBER, tail + (uint64_t)step,
                                    VFS_RECOVERY, &t),
                         -EBADMSG);
        assert_non_null(strstr(c.f.engine.error_text, PATH " at offset"));
    }
    assert_int_equal(table_open(&c.f.engine, NULL, PATH, NUMBER + 1, 0, VFS_RECOVERY, &t),
                     -EBADMSG);
    assert_int_equal(table_open(&c.f.engine, NULL, "gone", NUMBER, 0, VFS_RECOVERY, &t),
                     -EBADMSG);
    counted_deinit(&c);
}

static void test_compaction_reads_whole_windows_and_says_when(void **state)
{
    (void)state;
    static const struct table_shape shape = {1000, 16, 10};
    struct counted c;
    counted_init(&c, 3000, 100, &shape);
    struct block_cache *cache;
    assert_int_equal(block_cache_create(&c.f.w.heap.allocator, 1 << 20, &cache), 0);
    struct table *t = table_read(&c.f, cache);
    struct lsm_iterator *it;
    assert_int_equal(table_iterate(t, 20000, VFS_COMPACTION, &it), 0);
    uint64_t begin = c.spy.calls[SPY_READ], entries = 1;
    assert_int_equal(lsm_iterator_first(it), 0);
    assert_int_equal(c.spy.calls[SPY_READ], begin + 1);
    for (;; entries++) {
        bool is_ready = table_iterator_is_ready(it);
        uint64_t reads = c.spy.calls[SPY_READ];
        assert_int_equal(lsm_iterator_next(it), 0);
        assert_int_equal(c.spy.calls[SPY_READ], reads + !is_ready);
        if (!it->is_valid) break;
    }
    assert_int_equal(entries, 3000);
    uint64_t data = c.f.summary.file_bytes - c.f.summary.tail_bytes;
    assert_in_range(c.spy.calls[SPY_READ] - begin, data / 20000, data / 18000 + 1);
    struct block_cache_stats stats;
    block_cache_stats(cache, &stats);
    assert_int_equal(stats.blocks + stats.misses, 0);
    lsm_iterator_destroy(it);
    table_close(t);
    block_cache_destroy(cache);
    counted_deinit(&c);
}

static void test_short_scan_reads_little_and_long_scan_in_large_pieces(void **state)
{
    (void)state;
    static const struct table_shape shape = {1000, 16, 10};
    struct counted c;
    counted_init(&c, 20000, 100, &shape);
    struct table *t = table_read(&c.f, NULL);
    struct lsm_iterator *it;
    assert_int_equal(table_iterate(t, 1 << 18, VFS_USER_READ, &it), 0);
    uint64_t begin = c.spy.calls[SPY_READ];
    assert_int_equal(lsm_iterator_seek(it, c.p.items[5].key, UINT64_MAX >> 2), 0);
    assert_int_equal(c.spy.calls[SPY_READ], begin + 1);
    while (it->is_valid) assert_int_equal(lsm_iterator_next(it), 0);
    /* A block, then 4, 8, 16 ... blocks up to 256 KiB, and those. */
    uint64_t data = c.f.summary.file_bytes - c.f.summary.tail_bytes;
    assert_in_range(c.spy.calls[SPY_READ] - begin, 9, data / (1 << 18) + 9);
    lsm_iterator_destroy(it);
    table_close(t);
    counted_deinit(&c);
}

static void test_scan_fetches_at_once_what_it_is_told_to_expect(void **state)
{
    (void)state;
    static const struct table_shape shape = {1000, 16, 10};
    struct counted c;
    counted_init(&c, 5000, 100, &shape);
    struct table *t = table_read(&c.f, NULL);
    struct lsm_iterator *it;
    assert_int_equal(table_iterate(t, 1 << 16, VFS_USER_READ, &it), 0);
    table_iterator_expect(it, 12000); /* some hundred entries of 105 bytes */
    uint64_t begin = c.spy.calls[SPY_READ];
    for (size_t round = 1; round <= 20; round++) {
        size_t at = round * 200;
        assert_int_equal(lsm_iterator_seek(it, c.p.items[at].key, UINT64_MAX >> 2), 0);
        for (size_t i = 0; i < 90; i++) {
            assert_part(it, &c.p.items[at + i]);
            assert_int_equal(lsm_iterator_next(it), 0);
        }
        assert_int_equal(c.spy.calls[SPY_READ], begin + round);
    }
    lsm_iterator_destroy(it);
    table_close(t);
    counted_deinit(&c);
}

/* ---- the cache ---- */

static void test_cache_stays_in_its_bound_and_keeps_what_is_used(void **state)
{
    (void)state;
    static const struct table_shape shape = {1000, 16, 10};
    struct counted c;
    counted_init(&c, 5000, 100, &shape);
    struct block_cache *cache;
    struct block_cache_stats stats;
    assert_int_equal(block_cache_create(&c.f.w.heap.allocator, 20000, &cache), 0);
    struct table *t = table_read(&c.f, cache);
    bool was_filtered;
    for (size_t i = 0; i < c.p.count; i += 10) { /* a block holds eight */
        uint64_t reads = c.spy.calls[SPY_READ];
        judge_get(t, &c.p, c.p.items[2500].key, UINT64_MAX >> 2, &was_filtered);
        if (i) assert_int_equal(c.spy.calls[SPY_READ], reads); /* in use; the others pass */
        judge_get(t, &c.p, c.p.items[i].key, UINT64_MAX >> 2, &was_filtered);
        block_cache_stats(cache, &stats);
        assert_in_range(stats.bytes, 1, 20000);
    }
    assert_in_range(stats.blocks, 15, 20);
    assert_int_equal(stats.hits + stats.misses, c.p.count / 10 * 2);
    assert_int_equal(stats.misses, c.spy.calls[SPY_READ] - 2); /* 2: the table's tail */

    /* A pinned block outlives its place in the cache. */
    struct lsm_iterator *it;
    assert_int_equal(table_iterate(t, 0, VFS_USER_READ, &it), 0);
    assert_int_equal(lsm_iterator_first(it), 0);
    for (size_t i = 100; i < c.p.count; i += 3)
        judge_get(t, &c.p, c.p.items[i].key, UINT64_MAX >> 2, &was_filtered);
    assert_part(it, &c.p.items[0]);
    assert_int_equal(lsm_iterator_next(it), 0);
    assert_part(it, &c.p.items[1]);
    lsm_iterator_destroy(it);
    table_close(t);
    block_cache_stats(cache, &stats);
    assert_int_equal(stats.blocks, 0);
    assert_int_equal(stats.bytes, 0);
    block_cache_destroy(cache);
    counted_deinit(&c);
}

static void test_cache_takes_no_more_when_all_of_it_is_pinned(void **state)
{
    (void)state;
    static const struct table_shape shape = {1000, 16, 10};
    struct counted c;
    counted_init(&c, 1000, 100, &shape);
    struct block_cache *cache;
    struct block_cache_stats stats;
    assert_int_equal(block_cache_create(&c.f.w.heap.allocator, 20000, &cache), 0);
    struct table *t = table_read(&c.f, cache);
    struct lsm_iterator *its[50];
    for (size_t i = 0; i < 50; i++) {
        assert_int_equal(table_iterate(t, 0, VFS_USER_READ, &its[i]), 0);
        assert_int_equal(lsm_iterator_seek(its[i], c.p.items[i * 20].key, UINT64_MAX >> 2), 0);
        block_cache_stats(cache, &stats);
        assert_in_range(stats.bytes, 1, 20000);
    }
    for (size_t i = 0; i < 50; i++) {
        assert_part(its[i], &c.p.items[i * 20]);
        lsm_iterator_destroy(its[i]);
    }
    table_close(t);
    block_cache_destroy(cache);
    counted_deinit(&c);
}

static void test_cache_of_no_bytes_holds_nothing(void **state)
{
    (void)state;
    static const struct table_shape shape = {1000, 16, 10};
    struct counted c;
    counted_init(&c, 100, 100, &shape);
    struct block_cache *cache;
    struct block_cache_stats stats;
    assert_int_equal(block_cache_create(&c.f.w.heap.allocator, 0, &cache), 0);
    struct table *t = table_read(&c.f, cache);
    bool was_filtered;
    for (size_t i = 0; i < c.p.count; i++)
        judge_get(t, &c.p, c.p.items[i].key, UINT64_MAX >> 2, &was_filtered);
    block_cache_stats(cache, &stats);
    assert_int_equal(stats.blocks + stats.bytes + stats.hits, 0);
    table_close(t);
    block_cache_destroy(cache);
    counted_deinit(&c);
}

/* ---- damage ---- */

struct findings {
    uint64_t items, notes, problems, problem_offset;
};

static void count_finding(void *context, enum engine_finding finding, const char *file,
                          uint64_t offset, const char *text)
{
    struct findings *f = context;
    assert_string_equal(file, "name");
    assert_true(*text && strlen(text) < 200);
    f->items += finding == FINDING_ITEM;
    f->notes += finding == FINDING_NOTE;
    if (finding == FINDING_PROBLEM && f->problems++ == 0) f->problem_offset = offset;
}

static struct findings inspect(struct fixture *f)
{
    struct findings found = {0};
    struct engine_inspector inspector = {count_finding, &found, true};
    assert_int_equal(table_inspect(&f->w.host, PATH, "name", NUMBER, &inspector, NULL), 0);
    return found;
}

static void test_inspection_of_a_sound_table_finds_its_parts(void **state)
{
    (void)state;
    static const struct table_shape shapes[] = {{300, 4, 10}, {4096, 16, 0}, {1, 1, 1}};
    for (size_t i = 0; i < 3; i++) {
        struct fixture f;
        fixture_init(&f, WORLD_DISK);
        struct rng rng;
        rng_init(&rng, env_u64("SEED", 1) + i, "test", "inspect", NULL);
        struct parts p = parts_make(&rng, KEYS_WILD, 200, 60, 40);
        parts_sort(&p);
        assert_int_equal(table_write(&f, &p, &shapes[i], 1), 0);
        struct findings found = inspect(&f);
        assert_int_equal(found.problems + found.notes, 0);
        if (i == 2) assert_int_equal(found.items, 200 + 4); /* blocks, and the tail's parts */
        parts_free(&p);
        fixture_deinit(&f);
    }
}

static void test_inspection_finds_what_a_wrong_writer_wrote(void **state)
{
    (void)state; /* checksums are right, order is not: two entries, then two versions, exchanged
                  */
    static const struct table_shape shape = {4096, 16, 10};
    for (int what = 0; what < 2; what++) {
        struct fixture f;
        fixture_init(&f, WORLD_DISK);
        struct parts p = even_keys(20, 100);
        if (what == 0) {
            struct bytes key = p.items[7].key;
            p.items[7].key = p.items[8].key;
            p.items[8].key = key;
        } else {
            memcpy((void *)p.items[8].key.data, p.items[7].key.data, p.items[7].key.size);
        }
        assert_int_equal(table_write(&f, &p, &shape, 1), 0);
        assert_int_equal(inspect(&f).problems, 1);
        parts_free(&p);
        fixture_deinit(&f);
    }
}

/* Reads all of a table that may be damaged: whatever comes out is right. True when damage was
 * met. */
static bool reads_damage(struct fixture *f, const struct parts *p)
{
    struct table *t;
    f->engine.error_text[0] = '\0';
    int err = table_open(&f->engine, NULL, PATH, NUMBER, 0, VFS_RECOVERY, &t);
    if (err) {
        assert_int_equal(err, -EBADMSG);
        assert_non_null(strstr(f->engine.error_text, PATH " at offset "));
        return true;
    }
    bool is_damaged = false;
    struct lsm_iterator *it;
    assert_int_equal(table_iterate(t, 0, VFS_USER_READ, &it), 0);
    err = lsm_iterator_first(it);
    for (size_t i = 0; !err && i < p->count; i++) {
        assert_part(it, &p->items[i]);
        err = lsm_iterator_next(it);
    }
    if (err) {
        assert_int_equal(err, -EBADMSG);
        is_damaged = true;
    }
    lsm_iterator_destroy(it);
    struct buffer value = {.allocator = &allocator_system};
    for (size_t i = 0; i < p->count; i++) {
        const struct part *part = &p->items[i];
        bool is_delete, was_filtered;
        int found = table_get(t, part->key, bloom_hash(part->key), part->sequence, &is_delete,
                              &value, &was_filtered);
        if (found == -EBADMSG) {
            is_damaged = true;
            continue;
        }
        assert_int_equal(found, 1);
        assert_int_equal(is_delete, part->is_delete);
        if (!is_delete) assert_true(bytes_equal(buffer_bytes(&value), part->value));
    }
    buffer_deinit(&value);
    table_close(t);
    return is_damaged;
}

static void test_every_flipped_byte_is_found(void **state)
{
    (void)state;
    static const struct table_shape shape = {250, 4, 10};
    struct fixture f;
    fixture_init(&f, WORLD_DISK);
    struct rng rng;
    rng_init(&rng, env_u64("SEED", 1), "test", "flip", NULL);
    struct parts p = parts_make(&rng, KEYS_DECIMAL, 30, 1000, 30);
    parts_sort(&p);
    assert_int_equal(table_write(&f, &p, &shape, 1), 0);
    assert_false(reads_damage(&f, &p));
    struct vfs_file *file;
    assert_int_equal(vfs_open(f.w.host.vfs, PATH, VFS_WRITE, &file), 0);
    for (uint64_t at = 0; at < f.summary.file_bytes; at++) {
        unsigned char byte, flipped;
        assert_int_equal(vfs_read(file, at, &byte, 1, VFS_META), 1);
        for (uint32_t bit = at % 3; bit < 8; bit += test_is_soak() ? 1 : 3) {
            flipped = byte ^ (unsigned char)(1u << bit);
            assert_int_equal(vfs_write(file, at, bytes_of(&flipped, 1), VFS_META), 0);
            if (!reads_damage(&f, &p)) fail_msg("bit %u of byte %d", bit, (int)at);
            struct findings found = inspect(&f);
            assert_in_range(found.problems, 1, 3);
            assert_in_range(found.problem_offset, 0, at);
            if (at + 300 < f.summary.file_bytes - f.summary.tail_bytes)
                assert_in_range(found.problem_offset, at < 300 ? 0 : at - 300, at);
        }
        assert_int_equal(vfs_write(file, at, bytes_of(&byte, 1), VFS_META), 0);
    }
    /* Cut anywhere. */
    for (uint64_t size = f.summary.file_bytes; size-- > 0;) {
        assert_int_equal(vfs_truncate(file, size), 0);
        assert_true(reads_damage(&f, &p));
        assert_in_range(inspect(&f).problems, 1, 1);
    }
    vfs_close(file);
    parts_free(&p);
    fixture_deinit(&f);
}

static void test_block_of_another_place_or_file_is_found(void **state)
{
    (void)state;
    static const struct table_shape shape = {1, 4, 0}; /* a block an entry, all of one size */
    struct fixture f;
    fixture_init(&f, WORLD_DISK);
    struct parts p = even_keys(20, 100);
    assert_int_equal(table_write(&f, &p, &shape, 1), 0);
    uint64_t block = (f.summary.file_bytes - f.summary.tail_bytes) / 20;
    struct vfs_file *file;
    assert_int_equal(vfs_open(f.w.host.vfs, PATH, VFS_WRITE, &file), 0);
    unsigned char good[400], other[400];
    assert_in_range(block, 100, sizeof(good));
    assert_int_equal(vfs_read(file, 3 * block, good, block, VFS_META), block);
    assert_int_equal(vfs_read(file, 4 * block, other, block, VFS_META), block);
    assert_int_equal(vfs_write(file, 3 * block, bytes_of(other, block), VFS_META), 0);
    assert_true(reads_damage(&f, &p));
    struct findings found = inspect(&f);
    assert_int_equal(found.problems, 1);
    assert_int_equal(found.problem_offset, 3 * block);
    /* The block of the same place in a table with the same contents and another number. */
    assert_int_equal(table_write_as(&f, &p, &shape, 1, "u", NUMBER + 1), 0);
    struct vfs_file *twin;
    assert_int_equal(vfs_open(f.w.host.vfs, "u", VFS_READ, &twin), 0);
    assert_int_equal(vfs_read(twin, 3 * block, other, block, VFS_META), block);
    vfs_close(twin);
    assert_int_equal(vfs_write(file, 3 * block, bytes_of(other, block), VFS_META), 0);
    assert_true(reads_damage(&f, &p));
    assert_int_equal(vfs_write(file, 3 * block, bytes_of(good, block), VFS_META), 0);
    assert_false(reads_damage(&f, &p));
    vfs_close(file);
    parts_free(&p);
    fixture_deinit(&f);
}

/* ---- failures ---- */

static void test_failed_reads_and_allocations_are_returned_and_leave_nothing(void **state)
{
    (void)state;
    static const struct table_shape shape = {300, 4, 10};
    struct fixture f;
    fixture_init(&f, WORLD_DISK);
    struct rng rng;
    rng_init(&rng, env_u64("SEED", 1), "test", "fail", NULL);
    struct parts p = parts_make(&rng, KEYS_WILD, 100, 60, 200);
    parts_sort(&p);
    bool is_whole = false;
    for (uint64_t n = 1; !is_whole; n++) { /* building */
        f.w.heap.fail_at = f.w.heap.allocations + n;
        int err = table_write(&f, &p, &shape, 1);
        f.w.heap.fail_at = 0;
        is_whole = err == 0;
        if (!is_whole) assert_int_equal(err, -ENOMEM);
        assert_int_equal(f.w.heap.bytes, 0);
    }
    for (int kind = 0; kind < 2; kind++) { /* reading */
        is_whole = false;
        for (uint64_t n = 1; !is_whole; n++) {
            struct block_cache *cache;
            assert_int_equal(block_cache_create(&f.w.heap.allocator, 5000, &cache), 0);
            if (kind == 0)
                f.w.heap.fail_at = f.w.heap.allocations + n;
            else
                disk_fail_nth(f.w.disk, n, -EIO);
            struct table *t = NULL;
            struct lsm_iterator *it = NULL;
            struct buffer value = {.allocator = &f.w.heap.allocator};
            bool is_delete, was_filtered;
            int err = table_open(&f.engine, cache, PATH, NUMBER, 0, VFS_RECOVERY, &t);
            if (!err) err = table_iterate(t, 700, VFS_USER_READ, &it);
            if (!err) err = lsm_iterator_first(it);
            while (!err && it->is_valid) err = lsm_iterator_next(it);
            for (size_t i = 0; !err && i < p.count; i += 7) {
                struct bytes key = p.items[i].key;
                err = table_get(t, key, bloom_hash(key), p.items[i].sequence, &is_delete,
                                &value, &was_filtered);
                if (err == 1) err = 0;
            }
            is_whole = err == 0;
            if (!is_whole) assert_int_equal(err, kind ? -EIO : -ENOMEM);
            if (err == -EIO && t)
                assert_non_null(strstr(f.engine.error_text, PATH " at offset"));
            if (it) assert_true(is_whole || !it->is_valid || err);
            f.w.heap.fail_at = 0;
            disk_fail_nth(f.w.disk, 0, -EIO);
            lsm_iterator_destroy(it);
            table_close(t);
            buffer_deinit(&value);
            block_cache_destroy(cache);
            assert_int_equal(f.w.heap.bytes, 0);
        }
    }
    parts_free(&p);
    fixture_deinit(&f);
}

static void test_builder_holds_blocks_not_the_table(void **state)
{
    (void)state;
    static const struct table_shape shape = {4096, 16, 10};
    struct fixture f;
    fixture_init(&f, WORLD_DISK);
    struct parts p = even_keys(20000, 100);
    struct table_builder *b;
    assert_int_equal(table_builder_create(&f.w.heap.allocator, &shape, NUMBER, &b), 0);
    uint64_t at, size = 0;
    size_t most = 0;
    for (size_t i = 0; i < p.count; i++) {
        struct lsm_iterator e = {
            .sequence = p.items[i].sequence, .key = p.items[i].key, .value = p.items[i].value};
        assert_int_equal(table_builder_add(b, &e), 0);
        assert_true(table_builder_size(b) >= size);
        size = table_builder_size(b);
        table_builder_pending(b, &at);
        table_builder_written(b);
        if (f.w.heap.bytes > most) most = f.w.heap.bytes;
    }
    /* Two blocks under way, 8 bytes a key for the filter (doubling), a separator a block. */
    assert_in_range(most, 1, 4 * 4096 + 2 * 8 * p.count + 2 * 25 * p.count / 30);
    struct table_summary s;
    assert_int_equal(table_builder_finish(b, &s), 0);
    assert_in_range(s.file_bytes, size - size / 100, size + size / 100);
    assert_in_range(s.tail_bytes, 25000, 25000 + 20000 / 30 * 14); /* filter, index */
    table_builder_destroy(b);
    parts_free(&p);
    fixture_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_gives_back_what_was_put_in),
        cmocka_unit_test(test_table_reads_no_block_for_a_key_that_the_filter_denies),
        cmocka_unit_test(test_table_without_filter_denies_keys_beyond_its_range),
        cmocka_unit_test(test_table_opens_with_one_read_and_only_as_it_was_written),
        cmocka_unit_test(test_compaction_reads_whole_windows_and_says_when),
        cmocka_unit_test(test_short_scan_reads_little_and_long_scan_in_large_pieces),
        cmocka_unit_test(test_scan_fetches_at_once_what_it_is_told_to_expect),
        cmocka_unit_test(test_cache_stays_in_its_bound_and_keeps_what_is_used),
        cmocka_unit_test(test_cache_takes_no_more_when_all_of_it_is_pinned),
        cmocka_unit_test(test_cache_of_no_bytes_holds_nothing),
        cmocka_unit_test(test_inspection_of_a_sound_table_finds_its_parts),
        cmocka_unit_test(test_inspection_finds_what_a_wrong_writer_wrote),
        cmocka_unit_test(test_every_flipped_byte_is_found),
        cmocka_unit_test(test_block_of_another_place_or_file_is_found),
        cmocka_unit_test(test_failed_reads_and_allocations_are_returned_and_leave_nothing),
        cmocka_unit_test(test_builder_holds_blocks_not_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
