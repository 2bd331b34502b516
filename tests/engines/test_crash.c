/* Goal: crash anywhere. A workload of batches, deletes, syncs, segment rolls and merges is cut
 * at every disk operation, and at random nanoseconds, in every durability mode; then the engine
 * opens, what was acknowledged and synced is there, batches are whole, no deleted key returns.
 *
 * Method: the workload is a function of a seed. The oracle keeps the state after each batch;
 * after a cut the engine's whole contents must be one of the states from the last synced batch
 * to the last one tried: that is at once durability, atomicity and no resurrection. The
 * survivor is then used: written to, closed, opened.
 *
 * `make check` tries every operation in one mode (they take turns) and a sample of nanoseconds;
 * with FAULTLINE_SOAK every operation in every mode and 1,000 nanoseconds a mode. SEED= changes
 * the workload. The number of cuts is printed.
 */
#include "tests/engines/harness.h"

#define BATCHES 70
#define KEYS 12 /* few, so that most writes supersede something */

/* ---- the workload ---- */

struct step {
    enum { STEP_WRITE, STEP_SYNC, STEP_MAINTAIN, STEP_REOPEN } kind;
    bool is_synced; /* WRITE: with ENGINE_SYNC */
    struct engine_batch batch;
};

struct workload {
    struct step *steps;
    size_t count;
    struct oracle *states; /* states[n]: after n batches */
    size_t batches;
};

/* Values are long enough that a batch spans sectors, which is what tears. */
static void random_batch(struct rng *rng, struct engine_batch *batch, size_t number)
{
    char key[24], value[600];
    uint64_t items = 1 + rng_below(rng, 4);
    batch->allocator = &allocator_system;
    for (uint64_t i = 0; i < items; i++) {
        uint64_t k = rng_below(rng, KEYS);
        uint64_t size = rng_below(rng, 4) ? rng_below(rng, 60) : rng_below(rng, 560);
        snprintf(key, sizeof(key), k % 3 ? "key%02u" : "key %02u", (unsigned)k);
        memset(value, 'a' + (int)(number % 26), sizeof(value));
        int prefix = snprintf(value, 24, "%u.%u/", (unsigned)number, (unsigned)i);
        value[prefix] = 'v';
        if (rng_below(rng, 4) == 0)
            assert_int_equal(engine_batch_delete(batch, bytes_string(key)), 0);
        else
            assert_int_equal(engine_batch_put(batch, bytes_string(key),
                                              bytes_of(value, (size_t)prefix + size)),
                             0);
    }
}

static void workload_init(struct workload *load, uint64_t seed, size_t batches)
{
    struct rng rng;
    rng_init(&rng, seed, "test.crash", "workload", NULL);
    uint64_t sync_percent = 100;
    *load = (struct workload){0};
    load->steps = calloc(batches * 10, sizeof(*load->steps));
    load->states = calloc(batches + 1, sizeof(*load->states));
    while (load->batches < batches) {
        struct step *step = &load->steps[load->count++];
        step->kind = STEP_WRITE;
        /* Phases: always, mostly, never. Merges that run through a phase without a sync are a
         * case of their own (M6 of hash). */
        if (load->batches % 10 == 0)
            sync_percent = (uint64_t)(const int[]){100, 67, 0}[rng_below(&rng, 3)];
        step->is_synced = rng_below(&rng, 100) < sync_percent;
        random_batch(&rng, &step->batch, load->batches);
        oracle_copy(&load->states[load->batches + 1], &load->states[load->batches]);
        oracle_apply(&load->states[++load->batches], &step->batch);
        uint64_t slices = rng_below(&rng, 8);
        while (slices--) load->steps[load->count++].kind = STEP_MAINTAIN;
        if (sync_percent && rng_below(&rng, 8) == 0)
            load->steps[load->count++].kind = STEP_SYNC;
        if (rng_below(&rng, 30) == 0) load->steps[load->count++].kind = STEP_REOPEN;
    }
}

static void workload_deinit(struct workload *load)
{
    for (size_t i = 0; i < load->count; i++) engine_batch_deinit(&load->steps[i].batch);
    for (size_t i = 0; i <= load->batches; i++) oracle_deinit(&load->states[i]);
    free(load->states);
    free(load->steps);
}

/* What a run of it achieved: the engine must be in one of states[synced .. tried]. */
struct progress {
    size_t synced, written, tried;
};

/* Runs until a call fails or the cursor reaches `until`. Acknowledgements count when their
 * cursor is before `until`: what is stamped at the moment of the stop is taken back, an answer
 * too. */
static void workload_run(struct world *w, const struct workload *load, int64_t until,
                         struct progress *progress)
{
    for (size_t i = 0; i < load->count && disk_cursor(w->disk) < until; i++) {
        const struct step *step = &load->steps[i];
        bool more;
        int err = 0;
        size_t synced = progress->synced;
        switch (step->kind) {
        case STEP_WRITE:
            progress->tried = progress->written + 1;
            err = engine_write(w->engine, &step->batch,
                               step->is_synced ? ENGINE_SYNC : ENGINE_NO_SYNC, 0);
            if (!err) progress->written++;
            if (!err && step->is_synced) synced = progress->written;
            break;
        case STEP_SYNC:
            err = engine_sync(w->engine);
            synced = err ? synced : progress->written;
            break;
        case STEP_MAINTAIN: err = engine_maintain(w->engine, 2000, 0, &more); break;
        case STEP_REOPEN:
            engine_close(w->engine);
            w->engine = NULL;
            err = world_try_open(w, w->ops, w->options);
            break;
        }
        if (err) return;
        if (disk_cursor(w->disk) < until) progress->synced = synced;
    }
}

/* ---- judging what is left ---- */

static const char *context = ""; /* which cut is being judged, for a failure's text */
static char context_text[200];

static size_t find_state(struct engine *e, const struct workload *load,
                         const struct progress *progress)
{
    for (size_t n = progress->tried + 1; n-- > progress->synced;) {
        int differs = oracle_compare(&load->states[n], e);
        if (differs < 0)
            fail_msg("%s: scan fails after the crash: errno %d: %s", context, -differs,
                     engine_error(e));
        if (!differs) return n;
    }
    size_t older = progress->synced;
    while (older-- > 0)
        if (!oracle_compare(&load->states[older], e))
            fail_msg("%s: state %zu, though %zu batches were synced (%zu tried)", context,
                     older, progress->synced, progress->tried);
    fail_msg("%s: no state of batches %zu to %zu: a batch is half there, or a key came back",
             context, progress->synced, progress->tried);
    return 0;
}

/* Opens the survivor; it must be whole, and of use. */
static void judge(struct world *w, const struct workload *load, const struct progress *progress)
{
    if (world_try_open(w, w->ops, w->options))
        fail_msg("%s: does not open: %s", context,
                 w->open_error.size ? (char *)w->open_error.data : "(no text)");
    size_t n = find_state(w->engine, load, progress);
    struct buffer out = {.allocator = &allocator_system};
    struct oracle after = {0};
    oracle_copy(&after, &load->states[n]);
    oracle_put(&after, BYTES_LITERAL("after"), BYTES_LITERAL("the crash"));
    assert_int_equal(engine_put(w->engine, BYTES_LITERAL("after"), BYTES_LITERAL("the crash"),
                                &allocator_system, ENGINE_SYNC, 0),
                     0);
    for (size_t i = 0; i < after.count; i++) {
        assert_int_equal(engine_get(w->engine, oracle_key(&after, i), &out), 0);
        assert_true(bytes_equal(buffer_bytes(&out), oracle_value(&after, i)));
    }
    /* What was just synced survives the worst, and what the first crash took stays gone. */
    world_crash(w, DISK_ALL_LOST);
    world_open(w, w->ops, w->options);
    if (oracle_compare(&after, w->engine))
        fail_msg("%s: other contents after a second crash", context);
    oracle_deinit(&after);
    buffer_deinit(&out);
}

/* ---- the subjects ---- */

static void *crash_options(const struct engine_ops *ops)
{
    void *options = malloc(ops->options_size);
    assert_int_equal(
        options_default(ops->options, ops->options_count, options, ops->options_size), 0);
    for (size_t i = 0; i < ops->options_count; i++) {
        void *field = (char *)options + ops->options[i].offset;
        if (strcmp(ops->options[i].name, "segment_size") == 0) *(int64_t *)field = 2048;
        if (strcmp(ops->options[i].name, "merge_threshold") == 0) *(int64_t *)field = 300000;
    }
    return options;
}

static void crash_world(struct world *w, uint64_t seed, int directory_mode)
{
    struct disk_config config = quick_disk();
    config.directory_mode = (enum disk_directory_mode)directory_mode;
    world_init_disk(w, &config, seed);
}

static uint64_t operations_of(const struct engine_ops *ops, const void *options,
                              const struct workload *load, int64_t *end)
{
    struct world w;
    struct progress progress = {0};
    crash_world(&w, 1, 0);
    world_open(&w, ops, options);
    workload_run(&w, load, INT64_MAX, &progress);
    assert_int_equal(progress.written, load->batches);
    uint64_t operations = disk_operations(w.disk);
    *end = disk_cursor(w.disk);
    world_deinit(&w);
    return operations;
}

/* One cut at the n-th operation, the opening included. */
static void cut_at_operation(const struct engine_ops *ops, const void *options,
                             const struct workload *load, uint64_t n, int mode, int dir_mode,
                             uint64_t seed)
{
    struct world w;
    struct progress progress = {0};
    snprintf(context_text, sizeof(context_text),
             "%s cut at operation %llu, mode %s, directories %s, disk seed %llu", ops->name,
             (unsigned long long)n, crash_mode_name(mode), disk_directory_mode_words[dir_mode],
             (unsigned long long)seed);
    context = context_text;
    crash_world(&w, seed, dir_mode);
    disk_cut_after(w.disk, n);
    if (world_try_open(&w, ops, options) == 0) workload_run(&w, load, INT64_MAX, &progress);
    assert_true(disk_cut_reached(w.disk));
    world_crash(&w, mode);
    judge(&w, load, &progress);
    world_deinit(&w);
}

static void test_cut_at_every_operation(void **state)
{
    const struct engine_ops *ops = *state;
    void *options = crash_options(ops);
    struct workload load;
    uint64_t seed = env_u64("SEED", 1), cuts = 0;
    int64_t end;
    workload_init(&load, seed, BATCHES);
    uint64_t operations = operations_of(ops, options, &load, &end);
    uint64_t variants = CRASH_MODES * 2,
             tries = test_is_soak() ? variants * test_scaled(1, 3) : 1;
    for (uint64_t n = 1; n <= operations; n++)
        for (uint64_t i = 0; i < tries; i++, cuts++) {
            uint64_t variant = (n + i) % variants;
            cut_at_operation(ops, options, &load, n, (int)(variant / 2), (int)(variant % 2),
                             seed + n * 1000 + i);
        }
    print_message("%s: %llu cuts at %llu operations (SEED=%llu)\n", ops->name,
                  (unsigned long long)cuts, (unsigned long long)operations,
                  (unsigned long long)seed);
    workload_deinit(&load);
    free(options);
}

static void cut_at_time(const struct engine_ops *ops, const void *options,
                        const struct workload *load, int64_t at, int mode, int dir_mode,
                        uint64_t seed)
{
    struct world w;
    struct progress progress = {0};
    snprintf(context_text, sizeof(context_text),
             "%s cut at %lld ns, mode %s, directories %s, disk seed %llu", ops->name,
             (long long)at, crash_mode_name(mode), disk_directory_mode_words[dir_mode],
             (unsigned long long)seed);
    context = context_text;
    crash_world(&w, seed, dir_mode);
    if (world_try_open(&w, ops, options) == 0) workload_run(&w, load, at, &progress);
    if (mode == CRASH_PROCESS) {
        int64_t cursor = disk_end(w.disk);
        disk_crash(w.disk, at);
        disk_begin(w.disk, cursor > at ? cursor : at);
        heap_empty(&w.heap);
        w.engine = NULL;
    } else {
        world_power_off_at(&w, at, (enum disk_power_mode)mode);
    }
    judge(&w, load, &progress);
    world_deinit(&w);
}

static void test_cut_at_random_nanoseconds(void **state)
{
    const struct engine_ops *ops = *state;
    void *options = crash_options(ops);
    struct workload load;
    struct rng rng;
    int64_t end;
    uint64_t seed = env_u64("SEED", 1), cuts = test_scaled(1000, CRASH_MODES * 2 * 1000);
    workload_init(&load, seed + 1, BATCHES);
    operations_of(ops, options, &load, &end);
    rng_init(&rng, seed, "test.crash", "time", NULL);
    for (uint64_t i = 0; i < cuts; i++) {
        /* Another disk seed, other latencies: some cuts come after the end, where all is kept.
         */
        int64_t at = rng_range(&rng, 1, end + end / 20);
        cut_at_time(ops, options, &load, at, (int)(i / 2 % CRASH_MODES), (int)(i % 2),
                    seed + i);
    }
    print_message("%s: %llu cuts within %lld ns (SEED=%llu)\n", ops->name,
                  (unsigned long long)cuts, (long long)end, (unsigned long long)seed);
    workload_deinit(&load);
    free(options);
}

/* A crash, and then another one while the engine recovers from it. */
static void test_cut_during_recovery(void **state)
{
    const struct engine_ops *ops = *state;
    void *options = crash_options(ops);
    struct workload load;
    struct rng rng;
    int64_t end;
    uint64_t seed = env_u64("SEED", 1), cuts = test_scaled(300, 10000);
    workload_init(&load, seed + 2, BATCHES / 2);
    uint64_t operations = operations_of(ops, options, &load, &end);
    rng_init(&rng, seed, "test.crash", "recovery", NULL);
    for (uint64_t i = 0; i < cuts; i++) {
        struct world w;
        struct progress progress = {0};
        uint64_t first = 1 + rng_below(&rng, operations);
        int mode = (int)rng_below(&rng, CRASH_MODES);
        int dir_mode = (int)rng_below(&rng, 2);
        snprintf(context_text, sizeof(context_text),
                 "%s cut at operation %llu and in recovery, mode %s, disk seed %llu", ops->name,
                 (unsigned long long)first, crash_mode_name(mode),
                 (unsigned long long)(seed + i));
        context = context_text;
        crash_world(&w, seed + i, dir_mode);
        disk_cut_after(w.disk, first);
        if (world_try_open(&w, ops, options) == 0)
            workload_run(&w, &load, INT64_MAX, &progress);
        world_crash(&w, mode);
        for (int again = 0; again < 3; again++) {
            uint64_t second = 1 + rng_below(&rng, 20);
            mode = (int)rng_below(&rng, CRASH_MODES);
            disk_cut_after(w.disk, second);
            if (world_try_open(&w, ops, options) == 0 && !disk_cut_reached(w.disk)) {
                disk_cut_after(w.disk, 0);
                find_state(w.engine, &load, &progress);
            }
            world_crash(&w, mode);
        }
        judge(&w, &load, &progress);
        world_deinit(&w);
    }
    print_message("%s: %llu cuts, each with 3 more in recovery (SEED=%llu)\n", ops->name,
                  (unsigned long long)cuts, (unsigned long long)seed);
    workload_deinit(&load);
    free(options);
}

#define T(f)                                                                                   \
    {                                                                                          \
#f, f                                                                                  \
    }
static const struct {
    const char *name;
    CMUnitTestFunction f;
} suite[] = {T(test_cut_at_every_operation), T(test_cut_at_random_nanoseconds),
             T(test_cut_during_recovery)};
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
    return _cmocka_run_group_tests("crash anywhere", tests, count, NULL, NULL);
}
