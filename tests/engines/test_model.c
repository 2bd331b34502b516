/* Goal: every engine behaves as a map, whatever is done to it in whatever order.
 *
 * Method: random operations against an oracle map: puts, deletes, batches, gets, scans both
 * ways, cursors held over writes, maintenance, syncs, reopens, checkpoints, crashes. Seeds are
 * printed; SEED= tries one. `make check`: 20,000 operations an engine on the disk and 5,000 on
 * real files; the soak a million and 100,000, SCALE= times.
 */
#include "tests/engines/harness.h"

struct model {
    struct world w;
    struct rng rng;
    struct oracle now; /* what the engine must say */
    struct oracle
        durable; /* what it must still say after the worst crash, with `pending` batches */
    struct engine_batch pending[64]; /* unsynced, in order */
    size_t pending_count;
    int64_t time;
    uint64_t crashes, reopens, scans;
};

/* Keys of every shape, few enough to meet again. */
static size_t random_key(struct rng *rng, char key[40])
{
    static const char *const odd[] = {"",    "#",  "#del",     "a,b", "a b",
                                      "%41", "\n", "\xff\xfe", ", "};
    uint64_t choice = rng_below(rng, 20);
    uint64_t number = rng_below(rng, 150);
    if (choice == 0) {
        const char *text = odd[number % 9];
        memcpy(key, text, strlen(text) + 1);
        return strlen(text);
    }
    return (size_t)snprintf(key, 40, "key%03u", (unsigned)number);
}

static void random_batch(struct model *m, struct engine_batch *batch)
{
    char key[40];
    static char value[3000];
    uint64_t items = rng_below(&m->rng, 4) ? 1 : 1 + rng_below(&m->rng, 10);
    *batch = (struct engine_batch){.allocator = &allocator_system};
    for (uint64_t i = 0; i < items; i++) {
        size_t key_size = random_key(&m->rng, key);
        uint64_t shape = rng_below(&m->rng, 40);
        size_t size = (size_t)rng_below(&m->rng, shape == 0 ? sizeof(value) : 60);
        for (size_t j = 0; j < size; j += 8) {
            uint64_t bits = rng_u64(&m->rng);
            memcpy(value + j, &bits, size - j < 8 ? size - j : 8);
        }
        int err = shape < 12
                      ? engine_batch_delete(batch, bytes_of(key, key_size))
                      : engine_batch_put(batch, bytes_of(key, key_size), bytes_of(value, size));
        assert_int_equal(err, 0);
    }
}

static void all_durable(struct model *m)
{
    for (size_t i = 0; i < m->pending_count; i++) {
        oracle_apply(&m->durable, &m->pending[i]);
        engine_batch_deinit(&m->pending[i]);
    }
    m->pending_count = 0;
}

static void sync_all(struct model *m)
{
    assert_int_equal(engine_sync(m->w.engine), 0);
    all_durable(m);
}

static void do_write(struct model *m)
{
    struct engine_batch batch;
    if (m->pending_count == 64) sync_all(m);
    random_batch(m, &batch);
    bool is_synced = rng_below(&m->rng, 3) == 0;
    int err =
        engine_write(m->w.engine, &batch, is_synced ? ENGINE_SYNC : ENGINE_NO_SYNC, m->time++);
    if (err) fail_msg("write: errno %d: %s", -err, engine_error(m->w.engine));
    oracle_apply(&m->now, &batch);
    m->pending[m->pending_count++] = batch;
    if (is_synced) all_durable(m);
}

static void do_get(struct model *m)
{
    char key[40];
    struct buffer out = {.allocator = &allocator_system};
    struct bytes expected, k = {key, random_key(&m->rng, key)};
    int err = engine_get(m->w.engine, k, &out);
    if (oracle_find(&m->now, k, &expected)) {
        if (err) fail_msg("get: errno %d: %s", -err, engine_error(m->w.engine));
        assert_true(bytes_equal(buffer_bytes(&out), expected));
    } else {
        assert_int_equal(err, -ENOENT);
    }
    buffer_deinit(&out);
}

/* A range, with writes and maintenance between the steps now and then: a snapshot. */
static void do_scan(struct model *m)
{
    char from[40], to[40];
    struct oracle then = {0};
    struct engine_cursor *cursor;
    struct bytes key, value;
    struct engine_range range = {0};
    range.from = bytes_of(from, random_key(&m->rng, from));
    range.to = bytes_of(to, random_key(&m->rng, to));
    range.has_from = rng_below(&m->rng, 2);
    range.has_to = rng_below(&m->rng, 2);
    range.reverse = rng_below(&m->rng, 2);
    bool disturbed = rng_below(&m->rng, 3) == 0;
    oracle_copy(&then, &m->now);
    assert_int_equal(engine_scan_open(m->w.engine, &range, &cursor), 0);
    for (size_t n = 0; n < then.count; n++) {
        size_t i = range.reverse ? then.count - 1 - n : n;
        if (range.has_from && bytes_compare(oracle_key(&then, i), range.from) < 0) continue;
        if (range.has_to && bytes_compare(oracle_key(&then, i), range.to) >= 0) continue;
        int err = engine_scan_next(cursor, &key, &value);
        if (err != 1) fail_msg("scan: %d: %s", err, engine_error(m->w.engine));
        assert_true(bytes_equal(key, oracle_key(&then, i)));
        assert_true(bytes_equal(value, oracle_value(&then, i)));
        bool more;
        if (disturbed && n % 8 == 0) do_write(m);
        if (disturbed)
            assert_int_equal(engine_maintain(m->w.engine, 3000, m->time++, &more), 0);
    }
    assert_int_equal(engine_scan_next(cursor, &key, &value), 0);
    engine_scan_close(cursor);
    oracle_deinit(&then);
    m->scans++;
}

static void do_reopen(struct model *m)
{
    world_reopen(&m->w);
    assert_int_equal(oracle_compare(&m->now, m->w.engine), 0);
    all_durable(m); /* opening syncs what it found */
    m->reopens++;
}

/* After it the engine holds `durable` and some first part of the pending batches. */
static void do_crash(struct model *m)
{
    if (m->w.kind != WORLD_DISK) return;
    world_crash(&m->w, (int)rng_below(&m->rng, CRASH_MODES));
    world_open(&m->w, m->w.ops, m->w.options);
    size_t n = 0;
    int differs;
    while ((differs = oracle_compare(&m->durable, m->w.engine)) == 1 && n < m->pending_count)
        oracle_apply(&m->durable, &m->pending[n++]);
    if (differs)
        fail_msg("after a crash: %d, %zu batches were pending", differs, m->pending_count);
    for (size_t i = 0; i < m->pending_count; i++) engine_batch_deinit(&m->pending[i]);
    m->pending_count = 0;
    oracle_copy(&m->now, &m->durable);
    m->crashes++;
}

static void do_checkpoint(struct model *m, unsigned number)
{
    char dir[32];
    struct engine *copy;
    snprintf(dir, sizeof(dir), "copy%u", number);
    assert_int_equal(engine_checkpoint(m->w.engine, dir), 0);
    assert_int_equal(engine_open(m->w.ops, &m->w.host, dir, m->w.options, &copy), 0);
    assert_int_equal(oracle_compare(&m->now, copy), 0);
    engine_close(copy);
}

static void run_model(const struct engine_ops *ops, enum world_kind kind, uint64_t operations,
                      uint64_t seed)
{
    struct model *m = calloc(1, sizeof(*m));
    void *options = malloc(ops->options_size);
    unsigned checkpoints = 0;
    bool more;
    assert_int_equal(
        options_default(ops->options, ops->options_count, options, ops->options_size), 0);
    for (size_t i = 0; i < ops->options_count; i++)
        if (strcmp(ops->options[i].name, "segment_size") == 0)
            *(int64_t *)((char *)options + ops->options[i].offset) = 8192;
    print_message("%s on %s: %llu operations, SEED=%llu\n", ops->name,
                  kind == WORLD_DISK ? "the disk" : "real files",
                  (unsigned long long)operations, (unsigned long long)seed);
    rng_init(&m->rng, seed, "test.model", ops->name, NULL);
    world_init(&m->w, kind, seed);
    world_open(&m->w, ops, options);
    /* A log is never reclaimed and reads are O(N): a new life now and then keeps the test
     * quick. */
    uint64_t life = ops->capabilities & ENGINE_COUNTS_LIVE ? operations : 500;
    for (uint64_t i = 0; i < operations; i++) {
        uint64_t choice = rng_below(&m->rng, 1000);
        if (choice < 450)
            do_write(m);
        else if (choice < 850)
            do_get(m);
        else if (choice < 870)
            do_scan(m);
        else if (choice < 975)
            assert_int_equal(engine_maintain(m->w.engine, 3000, m->time++, &more), 0);
        else if (choice < 985)
            sync_all(m);
        else if (choice < 990)
            do_reopen(m);
        else if (choice < 999 || checkpoints >= 20)
            do_crash(m);
        else
            do_checkpoint(m, checkpoints++);
        if (i % life == life - 1 && i + 1 < operations) {
            assert_int_equal(oracle_compare(&m->now, m->w.engine), 0);
            world_deinit(&m->w);
            world_init(&m->w, kind, seed + i);
            world_open(&m->w, ops, options);
            all_durable(m);
            oracle_deinit(&m->now);
            oracle_deinit(&m->durable);
            checkpoints = 0;
        }
    }
    assert_int_equal(oracle_compare(&m->now, m->w.engine), 0);
    print_message("    %llu crashes, %llu reopens, %llu scans\n",
                  (unsigned long long)m->crashes, (unsigned long long)m->reopens,
                  (unsigned long long)m->scans);
    world_deinit(&m->w);
    all_durable(m);
    oracle_deinit(&m->now);
    oracle_deinit(&m->durable);
    free(options);
    free(m);
}

static void test_random_operations_agree_with_a_map_on_the_disk(void **state)
{
    uint64_t seed = env_u64("SEED", 1), seeds = test_is_soak() && !getenv("SEED") ? 4 : 1;
    for (uint64_t i = 0; i < seeds; i++)
        run_model(*state, WORLD_DISK, test_scaled(20000, 250000), seed + i);
}

static void test_random_operations_agree_with_a_map_on_real_files(void **state)
{
    run_model(*state, WORLD_REAL, test_scaled(5000, 100000), env_u64("SEED", 1));
}

#define T(f)                                                                                   \
    {                                                                                          \
#f, f                                                                                  \
    }
static const struct {
    const char *name;
    CMUnitTestFunction f;
} suite[] = {T(test_random_operations_agree_with_a_map_on_the_disk),
             T(test_random_operations_agree_with_a_map_on_real_files)};
#define SUITE_COUNT (sizeof(suite) / sizeof(suite[0]))

int main(void)
{
    struct CMUnitTest tests[16 * SUITE_COUNT];
    static char names[16 * SUITE_COUNT][128];
    size_t count = 0;
    for (size_t i = 0; engine_registry[i] && i < 16; i++)
        for (size_t j = 0; j < SUITE_COUNT; j++, count++) {
            snprintf(names[count], sizeof(names[count]), "%s[%s]", suite[j].name,
                     engine_registry[i]->name);
            tests[count] =
                (struct CMUnitTest){.name = names[count],
                                    .test_func = suite[j].f,
                                    .initial_state = (void *)(uintptr_t)engine_registry[i]};
        }
    return _cmocka_run_group_tests("engine model", tests, count, NULL, NULL);
}
