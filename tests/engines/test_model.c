/* Goal: every engine behaves as a map, whatever is done to it in whatever order.
 *
 * Method: random operations against an oracle map: puts, deletes, batches, gets, scans both
 * ways over ranges, cursors held over writes and maintenance, slices of merges and compactions,
 * syncs, reopens, checkpoints, crashes in every mode. A seed chooses a character: how many
 * keys, how long the values, how often each thing happens, so that seeds differ in kind.
 * Seeds are printed; SEED= tries one, ONLY= picks subjects. `make check`: 6,000 operations a
 * variant on the disk and 800 on real files; the soak a million, over four seeds, and 50,000,
 * SCALE= times.
 */
#include "tests/engines/variants.h"

#define PENDING_MAX 64
#define CURSORS 2

struct held_cursor {
    struct engine_cursor *cursor;
    struct oracle then; /* what it must give */
    struct engine_range range;
    char from[48], to[48];
    size_t next; /* entries of the range behind it */
};

struct model {
    struct world w;
    struct rng rng;
    struct oracle now; /* what the engine must say */
    struct oracle
        durable; /* what it must still say after the worst crash, with `pending` batches */
    struct engine_batch pending[PENDING_MAX]; /* unsynced, in order */
    size_t pending_count;
    struct held_cursor cursors[CURSORS];
    int64_t time;
    struct tombstones tombstones;
    uint64_t crashes, reopens, scans, checkpoints;
    /* character */
    uint64_t keys, key_shape, value_max, delete_percent, sync_percent, maintain_budget;
    uint64_t crash_weight; /* of 10,000 choices */
    struct spy all;        /* calls of all lives */
};

/* ---- keys and values ---- */

/* Keys of every shape, few enough to meet again. */
static size_t random_key(struct model *m, char key[48])
{
    static const char *const odd[] = {"",    "#",  "#del",     "a,b", "a b",
                                      "%41", "\n", "\xff\xfe", ", "};
    uint64_t choice = rng_below(&m->rng, 20);
    uint64_t number = rng_below(&m->rng, m->keys);
    if (choice == 0) {
        const char *text = odd[number % 9];
        memcpy(key, text, strlen(text) + 1);
        return strlen(text);
    }
    /* A long shared prefix, binary keys of 1 to 8 bytes, and plain ones. */
    if (m->key_shape == 1)
        return (size_t)snprintf(key, 48, "a/long/prefix/that/all/share/%05u", (unsigned)number);
    if (m->key_shape == 2) {
        uint64_t bits = number * UINT64_C(0x9e3779b97f4a7c15);
        size_t size = 1 + number % 8;
        for (size_t i = 0; i < size; i++) key[i] = (char)(bits >> (8 * i));
        return size;
    }
    return (size_t)snprintf(key, 48, "key%03u", (unsigned)number);
}

static void random_batch(struct model *m, struct engine_batch *batch)
{
    char key[48];
    static char value[20000];
    uint64_t items = rng_below(&m->rng, 4) ? 1 : 1 + rng_below(&m->rng, 10);
    *batch = (struct engine_batch){.allocator = &allocator_system};
    for (uint64_t i = 0; i < items; i++) {
        size_t key_size = random_key(m, key);
        if (rng_below(&m->rng, 100) < m->delete_percent) {
            assert_int_equal(engine_batch_delete(batch, bytes_of(key, key_size)), 0);
            continue;
        }
        uint64_t shape = rng_below(&m->rng, 400);
        size_t size_max = shape == 0 ? sizeof(value) : shape < 10 ? m->value_max : 60;
        size_t size = (size_t)rng_below(&m->rng, size_max);
        for (size_t j = 0; j < size; j += 8) {
            uint64_t bits = rng_u64(&m->rng);
            memcpy(value + j, &bits, size - j < 8 ? size - j : 8);
        }
        assert_int_equal(
            engine_batch_put(batch, bytes_of(key, key_size), bytes_of(value, size)), 0);
    }
}

static void check_contents(struct model *m, const char *when)
{
    int differs = oracle_compare(&m->now, m->w.engine);
    if (differs < 0)
        fail_msg("%s: a scan fails: errno %d: %s", when, -differs, engine_error(m->w.engine));
    if (differs) fail_msg("%s: %s", when, oracle_difference(&m->now, m->w.engine));
}

/* Seconds pass, now and then minutes: tombstones come of age between some operations. */
static int64_t later(struct model *m)
{
    m->time += (1 + (int64_t)rng_below(&m->rng, 16)) * NS_PER_S;
    if (rng_below(&m->rng, 32) == 0) m->time += (int64_t)rng_below(&m->rng, 600) * NS_PER_S;
    return m->time;
}

/* ---- writing ---- */

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
    int err = engine_sync(m->w.engine);
    if (err) fail_msg("sync: errno %d: %s", -err, engine_error(m->w.engine));
    all_durable(m);
}

static void do_write(struct model *m)
{
    struct engine_batch batch;
    if (m->pending_count == PENDING_MAX) sync_all(m);
    random_batch(m, &batch);
    bool is_synced = rng_below(&m->rng, 100) < m->sync_percent;
    int64_t now = later(m);
    int err = engine_write(m->w.engine, &batch, is_synced ? ENGINE_SYNC : ENGINE_NO_SYNC, now);
    if (err) fail_msg("write: errno %d: %s", -err, engine_error(m->w.engine));
    oracle_apply(&m->now, &batch);
    m->pending[m->pending_count++] = batch;
    if (is_synced) all_durable(m);
}

static void do_maintain(struct model *m)
{
    bool more;
    int64_t now = later(m);
    int err = engine_maintain(m->w.engine, m->maintain_budget, now, &more);
    if (err) fail_msg("maintain: errno %d: %s", -err, engine_error(m->w.engine));
}

static void do_settle(struct model *m)
{
    bool more = true;
    later(m);
    for (int slices = 0; more; slices++) {
        if (slices == 100000) fail_msg("maintenance does not end");
        assert_int_equal(engine_maintain(m->w.engine, m->maintain_budget, m->time++, &more), 0);
    }
}

/* ---- reading ---- */

static void do_get(struct model *m)
{
    char key[48];
    struct buffer out = {.allocator = &allocator_system};
    struct bytes expected, k = {key, random_key(m, key)};
    int err = engine_get(m->w.engine, k, &out);
    if (oracle_find(&m->now, k, &expected)) {
        if (err) fail_msg("get: errno %d: %s", -err, engine_error(m->w.engine));
        assert_true(bytes_equal(buffer_bytes(&out), expected));
    } else {
        assert_int_equal(err, -ENOENT);
    }
    buffer_deinit(&out);
}

static void cursor_begin(struct model *m, struct held_cursor *c)
{
    c->range.from = bytes_of(c->from, random_key(m, c->from));
    c->range.to = bytes_of(c->to, random_key(m, c->to));
    c->range.has_from = rng_below(&m->rng, 2);
    c->range.has_to = rng_below(&m->rng, 2);
    c->range.reverse = rng_below(&m->rng, 2);
    c->next = 0;
    oracle_copy(&c->then, &m->now);
    int err = engine_scan_open(m->w.engine, &c->range, &c->cursor);
    if (err) fail_msg("scan: errno %d: %s", -err, engine_error(m->w.engine));
    m->scans++;
}

static void cursor_end(struct held_cursor *c)
{
    if (c->cursor) engine_scan_close(c->cursor);
    c->cursor = NULL;
    oracle_deinit(&c->then);
}

/* One entry; false at the end of the range. */
static bool cursor_step(struct model *m, struct held_cursor *c)
{
    size_t from = c->range.has_from ? oracle_lower(&c->then, c->range.from) : 0;
    size_t to = c->range.has_to ? oracle_lower(&c->then, c->range.to) : c->then.count;
    size_t count = to > from ? to - from : 0;
    struct bytes key, value;
    int n = engine_scan_next(c->cursor, &key, &value);
    if (n < 0) fail_msg("scan: errno %d: %s", -n, engine_error(m->w.engine));
    assert_int_equal(n, c->next < count);
    if (!n) return false;
    size_t i = c->range.reverse ? to - 1 - c->next : from + c->next;
    assert_true(bytes_equal(key, oracle_key(&c->then, i)));
    assert_true(bytes_equal(value, oracle_value(&c->then, i)));
    c->next++;
    return true;
}

/* A range, with writes and maintenance between the steps now and then: a snapshot. */
static void do_scan(struct model *m)
{
    struct held_cursor c = {0};
    bool disturbed = rng_below(&m->rng, 3) == 0;
    cursor_begin(m, &c);
    for (uint64_t n = 0; cursor_step(m, &c) && n < 400; n++) {
        if (disturbed && n % 8 == 0) do_write(m);
        if (disturbed) do_maintain(m);
    }
    cursor_end(&c);
}

/* A cursor that is held over whatever happens, and read a little now and then. */
static void do_held_cursor(struct model *m)
{
    struct held_cursor *c = &m->cursors[rng_below(&m->rng, CURSORS)];
    if (!c->cursor) {
        cursor_begin(m, c);
        return;
    }
    uint64_t steps = rng_below(&m->rng, 12);
    bool is_more = true;
    while (is_more && steps--) is_more = cursor_step(m, c);
    if (!is_more || rng_below(&m->rng, 6) == 0) cursor_end(c);
}

static void cursors_end(struct model *m)
{
    for (size_t i = 0; i < CURSORS; i++) cursor_end(&m->cursors[i]);
}

/* ---- life ---- */

static void do_reopen(struct model *m)
{
    cursors_end(m);
    tombstones_ask(&m->tombstones, m->w.engine, true);
    world_reopen(&m->w);
    check_contents(m, "after reopen");
    all_durable(m); /* opening syncs what it found */
    m->reopens++;
}

/* After it the engine holds `durable` and some first part of the pending batches. */
static void do_crash(struct model *m)
{
    int mode = (int)rng_below(&m->rng, CRASH_MODES);
    tombstones_ask(&m->tombstones, m->w.engine, true);
    world_crash(&m->w, mode);
    for (size_t i = 0; i < CURSORS; i++) m->cursors[i].cursor = NULL;
    cursors_end(m);
    world_open(&m->w, m->w.ops, m->w.options);
    struct contents found;
    int err = contents_read(m->w.engine, &found);
    if (err)
        fail_msg("after a crash (%s) a scan gives %d: %s", crash_mode_name(mode), err,
                 engine_error(m->w.engine));
    size_t n = 0;
    while (!oracle_is(&m->durable, found) && n < m->pending_count)
        oracle_apply(&m->durable, &m->pending[n++]);
    if (!oracle_is(&m->durable, found))
        fail_msg("after a crash (%s): no state of %zu pending batches", crash_mode_name(mode),
                 m->pending_count);
    for (size_t i = 0; i < m->pending_count; i++) engine_batch_deinit(&m->pending[i]);
    m->pending_count = 0;
    oracle_copy(&m->now, &m->durable);
    m->crashes++;
}

static int remove_one(void *context, const char *name, bool is_directory)
{
    struct model *m = context;
    char path[128];
    snprintf(path, sizeof(path), "copy%u/%s", (unsigned)m->checkpoints, name);
    return is_directory ? -EISDIR : vfs_unlink(m->w.real, path);
}

static void do_checkpoint(struct model *m)
{
    char dir[32];
    struct engine *copy;
    snprintf(dir, sizeof(dir), "copy%u", (unsigned)m->checkpoints);
    assert_int_equal(engine_checkpoint(m->w.engine, dir), 0);
    assert_int_equal(engine_open(m->w.ops, &m->w.host, dir, m->w.options, &copy), 0);
    if (oracle_compare(&m->now, copy))
        fail_msg("a checkpoint: %s", oracle_difference(&m->now, copy));
    engine_close(copy);
    assert_int_equal(vfs_list(m->w.real, dir, remove_one, m), 0);
    m->checkpoints++;
}

static void check_stats(struct model *m, const struct engine_ops *ops)
{
    struct engine_stats stats;
    engine_stats(m->w.engine, &stats);
    if (!(ops->capabilities & ENGINE_COUNTS_LIVE)) return;
    uint64_t bytes = 0;
    for (size_t i = 0; i < m->now.count; i++)
        bytes += oracle_key(&m->now, i).size + oracle_value(&m->now, i).size;
    assert_int_equal(stats.live_keys, m->now.count);
    assert_int_equal(stats.live_bytes, bytes);
}

/* ---- the run ---- */

static void choose_character(struct model *m)
{
    static const uint64_t keys[] = {150, 30, 1000, 400};
    static const uint64_t value_max[] = {3000, 300, 1000, 8000};
    static const uint64_t deletes[] = {30, 10, 50, 20};
    static const uint64_t syncs[] = {33, 100, 5, 33};
    static const uint64_t budgets[] = {3000, 500, 20000, 1};
    uint64_t a = rng_below(&m->rng, 4), b = rng_below(&m->rng, 4), c = rng_below(&m->rng, 4);
    m->key_shape = rng_below(&m->rng, 3);
    m->keys = keys[a];
    m->value_max = value_max[b];
    m->delete_percent = deletes[c];
    m->sync_percent = syncs[rng_below(&m->rng, 4)];
    m->maintain_budget = budgets[rng_below(&m->rng, 4)];
    /* A database that crashes all the time builds on what earlier crashes left. */
    m->crash_weight = rng_below(&m->rng, 3) ? 50 : 800;
}

static void spy_add(struct spy *to, const struct spy *from)
{
    for (int i = 0; i < SPY_CALLS; i++) to->calls[i] += from->calls[i];
    for (int i = 0; i < VFS_PURPOSES; i++) to->writes[i] += from->writes[i];
}

/* A database's life: so many operations on it, from an empty disk. */
static void run_life(const struct subject *subject, const void *options, struct model *m,
                     uint64_t operations, uint64_t seed)
{
    world_init(&m->w, subject->kind, seed);
    rng_init(&m->rng, seed, "test.model", subject->name, NULL);
    choose_character(m);
    world_open(&m->w, subject->ops, options);
    for (uint64_t i = 0; i < operations; i++) {
        uint64_t choice = rng_below(&m->rng, 10000);
        if (choice < m->crash_weight)
            do_crash(m);
        else if (choice < 4600)
            do_write(m);
        else if (choice < 8200)
            do_get(m);
        else if (choice < 8350)
            do_scan(m);
        else if (choice < 8600)
            do_held_cursor(m);
        else if (choice < 9780)
            do_maintain(m);
        else if (choice < 9810)
            do_settle(m);
        else if (choice < 9940)
            sync_all(m);
        else if (choice < 9985)
            do_reopen(m);
        else if (choice < 9995)
            check_stats(m, subject->ops);
        else
            do_checkpoint(m);
    }
    check_contents(m, "at the end");
    do_settle(m);
    check_contents(m, "after all maintenance");
    tombstones_ask(&m->tombstones, m->w.engine, true);
    spy_add(&m->all, &m->w.spy);
    cursors_end(m);
    world_deinit(&m->w);
    all_durable(m);
    oracle_deinit(&m->now);
    oracle_deinit(&m->durable);
}

static void run_model(const struct subject *subject, uint64_t operations, uint64_t seed)
{
    struct model *m = calloc(1, sizeof(*m));
    void *options[] = {subject_options(subject, SIZES_MODEL),
                       subject_options(subject, SIZES_SMALL)};
    print_message("%s on %s: %llu operations, SEED=%llu\n", subject->name,
                  subject->kind == WORLD_DISK ? "the disk" : "real files",
                  (unsigned long long)operations, (unsigned long long)seed);
    /* A log is never reclaimed and reads are O(N): a new life now and then keeps the test
     * quick. The others too, so that characters change. */
    bool is_log = !(subject->ops->capabilities & ENGINE_COUNTS_LIVE);
    uint64_t life = is_log ? 500 : test_is_soak() ? 10000 : 2000;
    for (uint64_t done = 0, n = 0; done < operations; done += life, n++)
        run_life(subject, options[n % 3 == 2], m,
                 operations - done < life ? operations - done : life, seed * 1000000 + done);
    if (operations >= 2000) assert_background(subject, &m->all, "the model");
    if (operations >= 2000) assert_grace(subject, &m->tombstones, "the model");
    print_message("    %llu crashes, %llu reopens, %llu scans, %llu checkpoints\n",
                  (unsigned long long)m->crashes, (unsigned long long)m->reopens,
                  (unsigned long long)m->scans, (unsigned long long)m->checkpoints);
    tally(subject, "operations", operations);
    tally(subject, "crashes", m->crashes);
    free(options[0]);
    free(options[1]);
    free(m);
}

static void test_random_operations_agree_with_a_map(void **state)
{
    const struct subject *subject = *state;
    bool is_disk = subject->kind == WORLD_DISK;
    uint64_t seed = env_u64("SEED", 1);
    uint64_t seeds = is_disk && test_is_soak() && !getenv("SEED") ? 4 : 1;
    for (uint64_t i = 0; i < seeds; i++)
        run_model(subject, is_disk ? test_scaled(6000, 250000) : test_scaled(800, 50000),
                  seed + i);
}

static const struct suite_test suite[] = {T(test_random_operations_agree_with_a_map)};

int main(void)
{
    return suite_run("engine model", suite, sizeof(suite) / sizeof(suite[0]),
                     SUITE_DISK | SUITE_REAL);
}
