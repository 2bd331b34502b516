/* Goal: what the B+tree promises beyond the contract: pages that hold what was put into them,
 * full leaves where keys come in order, pages given back, a map whose cost does not depend on
 * how much is free, memory and a log within their options, damage found that checksums alone
 * do not show.
 *
 * Method: one page against an oracle; whole databases through the contract, with figures from
 * engine_properties and bytes from the spy; states that would take an hour to reach (a million
 * free pages) are made by the engine's own functions.
 */
#include "engines/storage/btree/btree_internal.h"
#include "tests/engines/variants.h"

/* ---- helpers ---- */

static struct btree_options options_of(int64_t page, int64_t cache, int64_t wal)
{
    struct btree_options options;
    assert_int_equal(options_default(engine_btree.options, engine_btree.options_count, &options,
                                     sizeof(options)),
                     0);
    options.page_bytes = page;
    options.cache_bytes = cache;
    options.log_bytes = wal;
    return options;
}

static void put_sized(struct engine *e, const char *key, size_t size, char fill)
{
    char *value = malloc(size + 1);
    memset(value, fill, size);
    assert_int_equal(engine_put(e, bytes_string(key), bytes_of(value, size), &allocator_system,
                                ENGINE_NO_SYNC, 0),
                     0);
    free(value);
}

static void delete_key(struct engine *e, const char *key)
{
    struct engine_batch batch = {.allocator = &allocator_system};
    assert_int_equal(engine_batch_delete(&batch, bytes_string(key)), 0);
    assert_int_equal(engine_write(e, &batch, ENGINE_NO_SYNC, 0), 0);
    engine_batch_deinit(&batch);
}

struct figure {
    const char *name;
    uint64_t value;
};

static void figure_seen(void *context, const char *name, uint64_t value)
{
    struct figure *f = context;
    if (strcmp(f->name, name) == 0) f->value = value;
}

static uint64_t figure(struct engine *e, const char *name)
{
    struct figure f = {name, UINT64_MAX};
    engine_properties(e, figure_seen, &f);
    assert_true(f.value != UINT64_MAX);
    return f.value;
}

static void checkpoint(struct engine *e)
{
    assert_int_equal(btree_checkpoint_run(btree_of(e)), 0);
}

/* ---- one page ---- */

/* Keys with long shared beginnings, zeros, and one the beginning of another. */
static size_t awkward_key(struct rng *rng, char key[40])
{
    static const char *const starts[] = {"", "000000000000", "0000000000001", "a", "a\0"};
    static const size_t sizes[] = {0, 12, 13, 1, 2};
    uint64_t start = rng_below(rng, 5), more = rng_below(rng, 5);
    memcpy(key, starts[start], sizes[start]);
    for (uint64_t i = 0; i < more; i++) key[sizes[start] + i] = (char)(rng_below(rng, 3) * 127);
    return sizes[start] + (size_t)more;
}

static void page_matches(const unsigned char *page, const struct oracle *o)
{
    assert_null(btree_page_check(page, 1024, 7, false));
    assert_int_equal(page_count(page), o->count);
    for (size_t i = 0; i < o->count; i++) {
        struct leaf_cell cell;
        bool is_there;
        btree_page_leaf_cell(page, (uint32_t)i, &cell);
        assert_true(bytes_equal(cell.key, oracle_key(o, i)));
        assert_true(bytes_equal(cell.value, oracle_value(o, i)));
        assert_int_equal(btree_page_lower(page, cell.key, &is_there), i);
        assert_true(is_there);
    }
}

static void test_a_page_holds_what_was_put_into_it(void **state)
{
    static unsigned char page[1024], scratch[1024];
    struct oracle oracle = {0};
    struct rng rng;
    (void)state;
    rng_init(&rng, env_u64("SEED", 1), "test.btree", "page", NULL);
    btree_page_init(page, sizeof(page), 7, 1, 0);
    for (uint64_t i = 0; i < test_scaled(20000, 1000000); i++) {
        char key[40], value[24];
        unsigned char head[4];
        bool is_there;
        struct bytes k = bytes_of(key, awkward_key(&rng, key)), old;
        size_t size = (size_t)rng_below(&rng, sizeof(value)), next = oracle_lower(&oracle, k);
        memset(value, 'a' + (int)(i % 26), size);
        uint32_t at = btree_page_lower(page, k, &is_there);
        assert_int_equal(at, next);
        assert_int_equal(is_there, oracle_find(&oracle, k, &old));
        if (is_there) {
            btree_page_remove(page, at);
            oracle_delete(&oracle, k);
        }
        if (page_free(page) >= 4 + k.size + size + SLOT_SIZE && rng_below(&rng, 5)) {
            put_u32(head, (uint32_t)size);
            btree_page_insert(page, sizeof(page), scratch, at, bytes_of(head, 4), k,
                              bytes_of(value, size));
            oracle_put(&oracle, k, bytes_of(value, size));
        }
        if (i % 16 == 0) page_matches(page, &oracle);
        if (i % 1000 == 999) { /* what it holds is cut, and put together again */
            static unsigned char right[1024];
            uint32_t half = page_count(page) / 2;
            btree_page_init(right, sizeof(right), 8, 1, 0);
            btree_page_append(right, sizeof(right), scratch, page, half, page_count(page));
            btree_page_cut(page, sizeof(page), scratch, half);
            btree_page_append(page, sizeof(page), scratch, right, 0, page_count(right));
            page_matches(page, &oracle);
        }
    }
    oracle_deinit(&oracle);
}

/* ---- shape ---- */

static void fill(struct engine *e, unsigned count, bool is_reverse, unsigned stride)
{
    struct engine_batch batch = {.allocator = &allocator_system};
    char key[24], value[100];
    memset(value, 'v', sizeof(value));
    for (unsigned i = 0; i < count; i++) {
        unsigned k = (unsigned)((uint64_t)i * stride % count);
        snprintf(key, sizeof(key), "%016u", is_reverse ? count - 1 - k : k);
        assert_int_equal(
            engine_batch_put(&batch, bytes_string(key), bytes_of(value, sizeof(value))), 0);
        if (i % 7 && i + 1 < count) continue;
        assert_int_equal(engine_write(e, &batch, ENGINE_NO_SYNC, 0), 0);
        engine_batch_clear(&batch);
    }
    engine_batch_deinit(&batch);
}

static void test_keys_in_order_fill_leaves_and_others_two_thirds(void **state)
{
    static const struct {
        bool is_reverse;
        unsigned stride;
        uint64_t fill_ppm;
    } cases[] = {{false, 1, 950000}, {true, 1, 850000}, {false, 7919, 600000}};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct world w;
        struct btree_options options = options_of(4096, 64 << 20, 32 << 20);
        world_init(&w, WORLD_DISK, 1);
        struct engine *e = world_open(&w, &engine_btree, &options);
        fill(e, 10000, cases[i].is_reverse, cases[i].stride);
        uint64_t fill_ppm = figure(e, "leaves.fill_ppm");
        if (fill_ppm < cases[i].fill_ppm)
            fail_msg("case %zu: leaves are filled to %llu ppm", i,
                     (unsigned long long)fill_ppm);
        assert_int_equal(figure(e, "live.keys"), 10000);
        world_deinit(&w);
    }
}

static void test_deleting_gives_pages_and_the_files_end_back(void **state)
{
    struct world w;
    struct btree_options options = options_of(512, 1 << 20, 1 << 20);
    struct engine_stats full, empty;
    (void)state;
    world_init(&w, WORLD_DISK, 1);
    struct engine *e = world_open(&w, &engine_btree, &options);
    fill(e, 3000, false, 7);
    put_sized(e, "large", 100000, 'l');
    checkpoint(e);
    engine_stats(e, &full);
    assert_true(figure(e, "tree.depth") >= 4);
    for (unsigned i = 0; i < 3000; i++) {
        char key[24];
        snprintf(key, sizeof(key), "%016u", i * 11 % 3000);
        delete_key(e, key);
    }
    delete_key(e, "large");
    assert_int_equal(figure(e, "tree.depth"), 1);
    assert_int_equal(figure(e, "pages.leaf"), 1);
    /* The first checkpoint still had to keep what was durable before it, so its root stands
     * where the file had room then; the next change moves it to the front. */
    checkpoint(e);
    put_sized(e, "last", 1, 'l');
    checkpoint(e);
    engine_stats(e, &empty);
    assert_int_equal(empty.live_keys, 1);
    assert_int_equal(empty.live_bytes, 5);
    /* Two metas, two places of the map, a root. */
    assert_true(figure(e, "pages.taken") <= 5);
    print_message("%llu bytes on disk when full, %llu when empty\n",
                  (unsigned long long)full.disk_bytes, (unsigned long long)empty.disk_bytes);
    assert_true(empty.disk_bytes < full.disk_bytes / 20);
    world_close(&w);
    assert_int_equal(world_inspect(&w, &engine_btree, "data").problems, 0);
    world_deinit(&w);
}

static void test_a_cursor_keeps_its_pages_and_gives_them_back(void **state)
{
    struct world w;
    struct btree_options options = options_of(512, 16384, 8192);
    struct engine_range all = {0};
    struct engine_cursor *cursor;
    struct bytes key, value;
    (void)state;
    world_init(&w, WORLD_DISK, 1);
    struct engine *e = world_open(&w, &engine_btree, &options);
    fill(e, 500, false, 7);
    checkpoint(e);
    uint64_t before = figure(e, "pages.taken");
    assert_int_equal(engine_scan_open(e, &all, &cursor), 0);
    for (int round = 0; round < 3; round++) {
        fill(e, 500, false, 11);
        checkpoint(e);
    }
    assert_true(figure(e, "pages.taken") > before * 3 / 2);
    for (unsigned i = 0; i < 500; i++)
        assert_int_equal(engine_scan_next(cursor, &key, &value), 1);
    assert_int_equal(engine_scan_next(cursor, &key, &value), 0);
    engine_scan_close(cursor);
    checkpoint(e);
    assert_true(figure(e, "pages.taken") <= before + before / 2);
    world_close(&w);
    assert_int_equal(world_inspect(&w, &engine_btree, "data").problems, 0);
    world_deinit(&w);
}

/* ---- what is written ---- */

static uint64_t written(const struct world *w)
{
    uint64_t sum = 0;
    for (int i = 0; i < VFS_PURPOSES; i++) sum += w->spy.written_bytes[i];
    return sum;
}

static void test_a_put_costs_33_bytes_of_log_beside_its_pair(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, WORLD_DISK, 1);
    struct engine *e = world_open(&w, &engine_btree, NULL);
    uint64_t before = written(&w), syncs = w.spy.calls[SPY_SYNC];
    for (int i = 0; i < 10; i++)
        assert_int_equal(engine_put(e, BYTES_LITERAL("key"), BYTES_LITERAL("value"),
                                    &allocator_system, ENGINE_SYNC, 0),
                         0);
    assert_int_equal(written(&w) - before, 10 * (8 + WAL_RECORD + WAL_ITEM));
    assert_int_equal(w.spy.calls[SPY_SYNC] - syncs, 10);
    world_deinit(&w);
}

/* BoltDB wrote its whole freelist with every commit: a million free pages, megabytes a put. */
static void test_a_million_free_pages_cost_a_small_write_tens_of_kib(void **state)
{
    static const struct {
        int64_t page;
        uint64_t bytes_max;
    } cases[] = {{512, 12 << 10}, {8192, 96 << 10}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct world w;
        struct btree_options options = options_of(cases[i].page, 4 << 20, 1 << 20);
        char key[24];
        world_init(&w, WORLD_REAL, 1);
        struct engine *e = world_open(&w, &engine_btree, &options);
        struct btree *tree = btree_of(e);
        fill(e, 2000, false, 7);
        while (tree->map.free < 1000000) assert_int_equal(btree_map_add_group(tree), 0);
        tree->map.rotor = tree->map.count - 1;
        put_sized(e, "cold", 10000, 'c'); /* holds the last group, and so all of them */
        checkpoint(e);                    /* every group is new: this one writes them all */
        e = world_reopen(&w);
        tree = btree_of(e);
        assert_true(figure(e, "pages.free") >= 1000000);
        uint64_t most = 0, sum = 0;
        for (unsigned round = 0; round < 40; round++) {
            /* Pages come from another group each time: the path lies scattered. */
            tree->map.rotor = round * 5 % tree->map.count;
            uint64_t before = written(&w);
            snprintf(key, sizeof(key), "%016u", round * 53 % 2000);
            put_sized(e, key, 100, 'n');
            checkpoint(e);
            uint64_t cost = written(&w) - before;
            if (cost > most) most = cost;
            sum += cost;
        }
        print_message(
            "pages of %lld bytes, %llu free: a put and its checkpoint write %llu bytes, "
            "%llu at most\n",
            (long long)cases[i].page, (unsigned long long)figure(e, "pages.free"),
            (unsigned long long)sum / 40, (unsigned long long)most);
        assert_true(most <= cases[i].bytes_max);
        world_deinit(&w);
    }
}

/* The same with pages that were really used and freed; in the soak only. */
static void test_a_million_pages_used_and_freed_leave_small_writes_small(void **state)
{
    struct world w;
    struct btree_options options = options_of(512, 32 << 20, 1 << 30);
    char key[24];
    (void)state;
    if (!test_is_soak()) skip();
    world_init(&w, WORLD_REAL, 1);
    struct engine *e = world_open(&w, &engine_btree, &options);
    for (unsigned i = 0; i < 2100; i++) {
        snprintf(key, sizeof(key), "large%06u", i * 13 % 2100);
        put_sized(e, key, 250000, 'l');
    }
    checkpoint(e);
    put_sized(e, "small", 10, 's');
    for (unsigned i = 0; i < 2099; i++) { /* the last one holds the end of the file */
        snprintf(key, sizeof(key), "large%06u", i * 13 % 2100);
        delete_key(e, key);
    }
    checkpoint(e);
    assert_true(figure(e, "pages.free") >= 1000000);
    uint64_t before = written(&w);
    put_sized(e, "small", 10, 't');
    checkpoint(e);
    print_message("%llu pages free: a put and its checkpoint write %llu bytes\n",
                  (unsigned long long)figure(e, "pages.free"),
                  (unsigned long long)(written(&w) - before));
    assert_true(written(&w) - before <= 12 << 10);
    world_deinit(&w);
}

/* ---- bounds ---- */

static void test_memory_and_log_stay_within_their_options(void **state)
{
    struct world w;
    struct btree_options options = options_of(4096, 256 << 10, 128 << 10);
    unsigned count = (unsigned)test_scaled(20000, 10000000);
    if (count < 20000) count = 20000; /* fewer do not fill the log often enough */
    struct engine_stats stats;
    struct buffer out = {.allocator = &allocator_system};
    size_t most = 0;
    uint64_t longest = 0;
    (void)state;
    if (count > 100000) options.cache_bytes = 8 << 20, options.log_bytes = 8 << 20;
    world_init(&w, WORLD_REAL, 1);
    struct engine *e = world_open(&w, &engine_btree, &options);
    for (unsigned i = 0; i < count / 100 * 100;
         i++) { /* nobody calls maintain: writes have to help */
        char key[24];
        /* Blocks of neighbours, in an order that jumps: the soak need not load a page a put. */
        unsigned blocks = count / 100, block = (unsigned)((uint64_t)(i / 100) * 7919 % blocks);
        snprintf(key, sizeof(key), "%016u", block * 100 + i % 100);
        put_sized(e, key, 20, 'v');
        if (w.heap.bytes > most) most = w.heap.bytes;
        uint64_t log = btree_wal_bytes(btree_of(e));
        if (log > longest) longest = log;
    }
    engine_stats(e, &stats);
    assert_int_equal(stats.live_keys, count / 100 * 100);
    assert_true(stats.write_stalls > 0);
    assert_true(figure(e, "checkpoint.generation") > 3);
    print_message("%u keys: %zu bytes of memory at most with a cache of %lld, %llu of log with "
                  "%lld\n",
                  count, most, (long long)options.cache_bytes, (unsigned long long)longest,
                  (long long)options.log_bytes);
    assert_true(most <= (size_t)options.cache_bytes + (size_t)options.cache_bytes / 4 +
                            (64 << 10) + stats.disk_bytes / 4096);
    assert_true(longest <= 5 * (uint64_t)options.log_bytes);
    for (unsigned i = 0; i < count / 100 * 100; i += 997) {
        char key[24];
        snprintf(key, sizeof(key), "%016u", i);
        assert_int_equal(engine_get(e, bytes_string(key), &out), 0);
    }
    buffer_deinit(&out);
    world_deinit(&w);
}

/* ---- damage that checksums do not show ---- */

static void file_read(struct world *w, const char *path, uint64_t offset, void *data,
                      size_t size)
{
    struct vfs_file *f;
    assert_int_equal(vfs_open(w->real, path, VFS_READ, &f), 0);
    assert_int_equal(vfs_read(f, offset, data, size, VFS_LOG), (int64_t)size);
    vfs_close(f);
}

static void file_write(struct world *w, const char *path, uint64_t offset, const void *data,
                       size_t size)
{
    struct vfs_file *f;
    assert_int_equal(vfs_open(w->real, path, VFS_WRITE, &f), 0);
    assert_int_equal(vfs_write(f, offset, bytes_of(data, size), VFS_LOG), 0);
    vfs_close(f);
}

static int read_all(struct world *w)
{
    struct oracle nothing = {0};
    int differs = oracle_compare(&nothing, w->engine);
    return differs < 0 ? differs : 0;
}

/* A write that never reached the disk leaves the page that was there before: whole, with a
 * valid checksum, in its own place. I4. */
static void test_a_lost_page_write_is_found(void **state)
{
    struct world w;
    struct btree_options options = options_of(512, 1 << 20, 1 << 20);
    unsigned char old[512];
    unsigned found = 0, tried = 0;
    (void)state;
    world_init(&w, WORLD_DISK, 1);
    struct engine *e = world_open(&w, &engine_btree, &options);
    fill(e, 100, false, 7);
    checkpoint(e);
    fill(e, 100, false, 7);
    checkpoint(e);
    world_close(&w);
    uint64_t size = 0;
    struct vfs_file *f;
    assert_int_equal(vfs_open(w.real, "data/" PAGES_NAME, VFS_READ, &f), 0);
    assert_int_equal(vfs_size(f, &size), 0);
    vfs_close(f);
    unsigned char *before = malloc(size), *after = malloc(size);
    file_read(&w, "data/" PAGES_NAME, 0, before, size);
    e = world_open(&w, &engine_btree, &options);
    fill(e, 100, false, 7);
    checkpoint(e);
    fill(e, 100, false, 7);
    checkpoint(e);
    world_close(&w);
    file_read(&w, "data/" PAGES_NAME, 0, after, size);
    for (uint64_t at = 4 * 512; at + 512 <= size; at += 512) {
        memcpy(old, before + at, 512);
        if (memcmp(old, after + at, 512) == 0 || load_u64(old) == 0) continue;
        tried++;
        file_write(&w, "data/" PAGES_NAME, at, old, 512);
        int err = world_try_open(&w, &engine_btree, &options);
        if (!err) err = read_all(&w);
        if (err) {
            assert_int_equal(err, -EBADMSG);
            found++;
        }
        world_close(&w);
        assert_int_equal(world_inspect(&w, &engine_btree, "data").problems > 0, err != 0);
        file_write(&w, "data/" PAGES_NAME, at, after + at, 512);
    }
    print_message("%u pages put back to an older state, %u of them in use and found\n", tried,
                  found);
    assert_true(found > 10);
    free(before);
    free(after);
    world_deinit(&w);
}

static void test_a_lost_map_write_is_found(void **state)
{
    struct world w;
    struct btree_options options = options_of(512, 1 << 20, 1 << 20);
    unsigned char old[1024];
    (void)state;
    world_init(&w, WORLD_DISK, 1);
    struct engine *e = world_open(&w, &engine_btree, &options);
    fill(e, 20, false, 1);
    checkpoint(e);
    file_read(&w, "data/" PAGES_NAME, 1024, old, sizeof(old)); /* both places */
    fill(e, 40, false, 1);
    checkpoint(e);
    world_close(&w);
    file_write(&w, "data/" PAGES_NAME, 1024, old, sizeof(old));
    assert_int_equal(world_try_open(&w, &engine_btree, &options), -EBADMSG);
    assert_non_null(strstr((char *)w.open_error.data, "allocation map"));
    assert_true(world_inspect(&w, &engine_btree, "data").problems > 0);
    world_deinit(&w);
}

/* Both are bugs of an engine, not of a disk: only inspection looks for them. */
static void test_inspection_finds_pages_lost_and_used_twice(void **state)
{
    (void)state;
    for (int is_lost = 0; is_lost < 2; is_lost++) {
        struct world w;
        struct btree_options options = options_of(512, 1 << 20, 1 << 20);
        uint32_t page;
        world_init(&w, WORLD_DISK, 1);
        struct engine *e = world_open(&w, &engine_btree, &options);
        struct btree *tree = btree_of(e);
        fill(e, 50, false, 7);
        if (is_lost)
            assert_int_equal(btree_map_take(tree, 1, &page), 0);
        else
            btree_map_unlive(tree, tree->root, 1);
        checkpoint(e);
        world_close(&w);
        struct findings found = world_inspect(&w, &engine_btree, "data");
        assert_int_equal(found.problems, 1);
        assert_non_null(
            strstr(found.first, is_lost ? "reached by nothing" : "free in the map"));
        world_deinit(&w);
    }
}

/* The newest meta rots after its checkpoint dropped the log that the other meta needs. */
static void test_a_lost_meta_is_told_from_a_cut_checkpoint(void **state)
{
    struct world w;
    struct btree_options options = options_of(512, 1 << 20, 1 << 20);
    unsigned char zeros[META_SIZE] = {0};
    (void)state;
    world_init(&w, WORLD_DISK, 1);
    struct engine *e = world_open(&w, &engine_btree, &options);
    fill(e, 50, false, 7);
    checkpoint(e);
    uint64_t generation = figure(e, "checkpoint.generation");
    world_close(&w);
    file_write(&w, "data/" PAGES_NAME, (generation & 1) * 512, zeros, sizeof(zeros));
    assert_int_equal(world_try_open(&w, &engine_btree, &options), -EBADMSG);
    assert_non_null(strstr((char *)w.open_error.data, "a meta is lost"));
    world_deinit(&w);
}

/* A process dies between the write of a meta and its sync. The next one reads that meta and
 * removes the log that only the older one needs: by then the meta must be durable, whatever the
 * power loss that follows keeps of the unlinks and loses of the pages. */
static void test_a_meta_is_durable_before_the_log_of_the_older_one_goes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 24; seed++) {
        struct world w;
        struct btree_options options = options_of(512, 1 << 20, 1 << 20);
        struct disk_config config = quick_disk();
        struct buffer out = {.allocator = &allocator_system};
        bool more;
        config.directory_mode = DISK_DIR_POSIX;
        world_init_disk(&w, &config, seed);
        struct engine *e = world_open(&w, &engine_btree, &options);
        struct btree *tree = btree_of(e);
        checkpoint(e);
        put_sized(e, "key", 100, 'k');
        assert_int_equal(engine_sync(e), 0);
        tree->options.log_bytes = 1; /* due from now on */
        for (int i = 0; tree->checkpoint.step != CHECKPOINT_META_SYNC; i++) {
            assert_true(i < 100);
            assert_int_equal(engine_maintain(e, 4096, 0, &more), 0);
        }
        world_crash(&w, CRASH_PROCESS);
        world_open(&w, &engine_btree, &options);
        world_crash(&w, DISK_SUBSET);
        e = world_open(&w, &engine_btree, &options);
        assert_int_equal(engine_get(e, BYTES_LITERAL("key"), &out), 0);
        buffer_deinit(&out);
        world_deinit(&w);
    }
}

/* ---- options ---- */

static void test_a_database_keeps_its_page_size(void **state)
{
    struct world w;
    struct btree_options options = options_of(1024, 1 << 20, 1 << 20);
    (void)state;
    world_init(&w, WORLD_DISK, 1);
    struct engine *e = world_open(&w, &engine_btree, &options);
    fill(e, 50, false, 7);
    checkpoint(e);
    world_close(&w);
    options.page_bytes = 8192;
    e = world_open(&w, &engine_btree, &options);
    assert_int_equal(figure(e, "pages.size"), 1024);
    assert_int_equal(figure(e, "live.keys"), 50);
    world_close(&w);
    options.page_bytes = 1000;
    world_open(&w, &engine_btree, &options);
    world_close(&w);
    struct engine *none = NULL;
    assert_int_equal(engine_open(&engine_btree, &w.host, "other", &options, &none), -EINVAL);
    world_deinit(&w);
}

static void test_a_key_beyond_a_small_page_is_refused_whole(void **state)
{
    struct world w;
    struct btree_options options = options_of(512, 1 << 20, 1 << 20);
    char key[200];
    (void)state;
    memset(key, 'k', sizeof(key));
    world_init(&w, WORLD_DISK, 1);
    struct engine *e = world_open(&w, &engine_btree, &options);
    struct engine_batch batch = {.allocator = &allocator_system};
    assert_int_equal(engine_batch_put(&batch, BYTES_LITERAL("a"), BYTES_LITERAL("1")), 0);
    assert_int_equal(engine_batch_put(&batch, bytes_of(key, sizeof(key)), BYTES_LITERAL("1")),
                     0);
    assert_int_equal(engine_write(e, &batch, ENGINE_SYNC, 0), -EINVAL);
    assert_int_equal(figure(e, "live.keys"), 0);
    engine_batch_clear(&batch);
    assert_int_equal(engine_batch_put(&batch, bytes_of(key, btree_tree_key_max(512)),
                                      bytes_of(key, sizeof(key))),
                     0);
    assert_int_equal(engine_write(e, &batch, ENGINE_SYNC, 0), 0);
    assert_int_equal(figure(e, "live.keys"), 1);
    engine_batch_deinit(&batch);
    world_deinit(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_page_holds_what_was_put_into_it),
        cmocka_unit_test(test_keys_in_order_fill_leaves_and_others_two_thirds),
        cmocka_unit_test(test_deleting_gives_pages_and_the_files_end_back),
        cmocka_unit_test(test_a_cursor_keeps_its_pages_and_gives_them_back),
        cmocka_unit_test(test_a_put_costs_33_bytes_of_log_beside_its_pair),
        cmocka_unit_test(test_a_million_free_pages_cost_a_small_write_tens_of_kib),
        cmocka_unit_test(test_a_million_pages_used_and_freed_leave_small_writes_small),
        cmocka_unit_test(test_memory_and_log_stay_within_their_options),
        cmocka_unit_test(test_a_lost_page_write_is_found),
        cmocka_unit_test(test_a_lost_map_write_is_found),
        cmocka_unit_test(test_inspection_finds_pages_lost_and_used_twice),
        cmocka_unit_test(test_a_lost_meta_is_told_from_a_cut_checkpoint),
        cmocka_unit_test(test_a_meta_is_durable_before_the_log_of_the_older_one_goes),
        cmocka_unit_test(test_a_database_keeps_its_page_size),
        cmocka_unit_test(test_a_key_beyond_a_small_page_is_refused_whole),
    };
    if (!only_is_fine(tests, sizeof(tests) / sizeof(tests[0]))) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
