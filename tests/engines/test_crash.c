/* Goal: crash anywhere. A workload of batches, deletes, syncs, flushes, merges, compactions,
 * checkpoints and reopens is cut at every disk operation, and at random nanoseconds, in every
 * durability mode; then the engine opens, what was acknowledged and synced is there, batches
 * are whole, no deleted key returns. Seconds to minutes pass between the steps, so that with a
 * grace tombstones come of age in the middle of it.
 *
 * Method: the workload is a function of a seed. The oracle keeps the state after each batch;
 * after a cut the engine's whole contents must be one of the states from the last synced batch
 * to the last one tried: that is at once durability, atomicity and no resurrection. The
 * survivor is then used: inspected, opened, read, written to, maintained to the end, crashed
 * once more. The subjects' sizes are so small that the workload reaches all their machinery,
 * which is asserted.
 *
 * `make check` tries a sample of operations, modes taking turns; with FAULTLINE_SOAK every
 * operation in every mode. SEED= changes the workload, ONLY= picks subjects. The number of cut
 * points is printed.
 */
#include "tests/engines/variants.h"

#define BATCHES 70
#define KEY_SIZE 80
#define CHECKPOINTS 4

/* ---- the workload ---- */

struct step {
    enum {
        STEP_WRITE,
        STEP_SYNC,
        STEP_MAINTAIN, /* a slice */
        STEP_SETTLE,   /* slices until there is nothing to do */
        STEP_REOPEN,
        STEP_CHECKPOINT,
        STEP_LOOK, /* opens a cursor, or closes it: files that it reads live on */
    } kind;
    bool is_synced; /* WRITE: with ENGINE_SYNC */
    int64_t now_ns;
    struct engine_batch batch;
};

struct workload {
    struct step *steps;
    size_t count;
    struct oracle *states; /* states[n]: after n batches */
    size_t batches;
    uint64_t keys; /* that batches draw from */
};

/* Two characters, by seed. Few short keys, so that most writes supersede something; more and
 * long ones, so that trees have levels. */
static uint64_t character_keys(uint64_t seed)
{
    return seed % 2 ? 14 : 48;
}

static size_t key_text(const struct workload *load, char text[KEY_SIZE], uint64_t k)
{
    static const char prefix[] = "a-prefix-that-all-keys-share-and-is-long/";
    const char *shared = load->keys > 14 ? prefix : "";
    return (size_t)snprintf(text, KEY_SIZE, k % 3 ? "%skey%02u" : "%skey %02u", shared,
                            (unsigned)k);
}

/* Values are long enough that a batch spans sectors, which is what tears. */
static void random_batch(const struct workload *load, struct rng *rng,
                         struct engine_batch *batch, size_t number, uint64_t delete_percent)
{
    char key[KEY_SIZE], value[600];
    uint64_t items = 1 + rng_below(rng, load->keys > 14 ? 7 : 4);
    batch->allocator = &allocator_system;
    for (uint64_t i = 0; i < items; i++) {
        uint64_t k = rng_below(rng, load->keys);
        uint64_t size = rng_below(rng, 4) ? rng_below(rng, 60) : rng_below(rng, 560);
        key_text(load, key, k);
        memset(value, 'a' + (int)(number % 26), sizeof(value));
        int prefix = snprintf(value, 24, "%u.%u/", (unsigned)number, (unsigned)i);
        value[prefix] = 'v';
        if (rng_below(rng, 100) < delete_percent)
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
    uint64_t sync_percent = 100, delete_percent = 25;
    size_t checkpoints = 0;
    *load = (struct workload){.keys = character_keys(seed)};
    load->steps = calloc(batches * 14, sizeof(*load->steps));
    load->states = calloc(batches + 1, sizeof(*load->states));
    while (load->batches < batches) {
        struct step *step = &load->steps[load->count++];
        step->kind = STEP_WRITE;
        /* Phases: always, mostly, never. Merges that run through a phase without a sync are a
         * case of their own (M6 of hash). */
        if (load->batches % 10 == 0) {
            sync_percent = (uint64_t)(const int[]){100, 67, 0}[rng_below(&rng, 3)];
            delete_percent = rng_below(&rng, 4) ? 20 : 70;
        }
        step->is_synced = rng_below(&rng, 100) < sync_percent;
        random_batch(load, &rng, &step->batch, load->batches, delete_percent);
        oracle_copy(&load->states[load->batches + 1], &load->states[load->batches]);
        oracle_apply(&load->states[++load->batches], &step->batch);
        uint64_t slices = rng_below(&rng, 8);
        while (slices--) load->steps[load->count++].kind = STEP_MAINTAIN;
        if (rng_below(&rng, 10) == 0) load->steps[load->count++].kind = STEP_SETTLE;
        if (sync_percent && rng_below(&rng, 8) == 0)
            load->steps[load->count++].kind = STEP_SYNC;
        if (rng_below(&rng, 8) == 0) load->steps[load->count++].kind = STEP_LOOK;
        if (rng_below(&rng, 20) == 0 && checkpoints++ < CHECKPOINTS)
            load->steps[load->count++].kind = STEP_CHECKPOINT;
        if (rng_below(&rng, 30) == 0) load->steps[load->count++].kind = STEP_REOPEN;
    }
    int64_t now = 0;
    rng_init(&rng, seed, "test.crash", "time", NULL);
    for (size_t i = 0; i < load->count; i++) {
        now += (1 + (int64_t)rng_below(&rng, 100)) * NS_PER_S;
        load->steps[i].now_ns = now;
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
    int64_t now_ns; /* of the last step */
    bool counts_tombstones;
    struct tombstones tombstones;
    size_t checkpoints;         /* completed: directories copy0, copy1 ... */
    size_t copies[CHECKPOINTS]; /* each one's state */
    bool is_copying;            /* one more was begun, and did not come to its end */
};

static int settle(struct engine *e, int64_t now_ns)
{
    bool more = true;
    int err = 0;
    for (int slices = 0; !err && more; slices++) {
        if (slices == 20000) fail_msg("maintenance does not end");
        err = engine_maintain(e, 2000, now_ns, &more);
    }
    return err;
}

/* Runs until a call fails or the cursor reaches `until`. Acknowledgements count when their
 * cursor is before `until`: what is stamped at the moment of the stop is taken back, an answer
 * too. */
static void workload_run(struct world *w, const struct workload *load, int64_t until,
                         struct progress *progress)
{
    struct engine_cursor *cursor = NULL;
    struct engine_range all = {0};
    struct bytes key, value;
    char dir[32];
    for (size_t i = 0; i < load->count && disk_cursor(w->disk) < until; i++) {
        const struct step *step = &load->steps[i];
        bool more, is_copy = false;
        int err = 0;
        size_t synced = progress->synced;
        int64_t now = progress->now_ns = step->now_ns;
        if (progress->counts_tombstones)
            tombstones_ask(&progress->tombstones, w->engine, step->kind == STEP_REOPEN);
        switch (step->kind) {
        case STEP_WRITE:
            progress->tried = progress->written + 1;
            err = engine_write(w->engine, &step->batch,
                               step->is_synced ? ENGINE_SYNC : ENGINE_NO_SYNC, now);
            if (!err) progress->written++;
            if (!err && step->is_synced) synced = progress->written;
            break;
        case STEP_SYNC:
            err = engine_sync(w->engine);
            synced = err ? synced : progress->written;
            break;
        case STEP_MAINTAIN: err = engine_maintain(w->engine, 2000, now, &more); break;
        case STEP_SETTLE: err = settle(w->engine, now); break;
        case STEP_LOOK:
            if (cursor) {
                engine_scan_close(cursor);
                cursor = NULL;
                break;
            }
            err = engine_scan_open(w->engine, &all, &cursor);
            if (!err) err = engine_scan_next(cursor, &key, &value);
            break;
        case STEP_CHECKPOINT:
            snprintf(dir, sizeof(dir), "copy%zu", progress->checkpoints);
            progress->is_copying = true;
            err = engine_checkpoint(w->engine, dir);
            is_copy = !err;
            break;
        case STEP_REOPEN:
            if (cursor) engine_scan_close(cursor);
            cursor = NULL;
            engine_close(w->engine);
            w->engine = NULL;
            err = world_try_open(w, w->ops, w->options);
            break;
        }
        if (err < 0) return;
        if (disk_cursor(w->disk) >= until) continue;
        progress->synced = synced;
        if (!is_copy) continue;
        progress->copies[progress->checkpoints++] = progress->written;
        progress->is_copying = false;
    }
    if (cursor) engine_scan_close(cursor);
}

/* ---- judging what is left ---- */

static const char *context = ""; /* which cut is being judged, for a failure's text */
static char context_text[256];

static size_t find_state(struct engine *e, const struct workload *load,
                         const struct progress *progress)
{
    struct contents found;
    int err = contents_read(e, &found);
    if (err < 0)
        fail_msg("%s: scan fails after the crash: errno %d: %s", context, -err,
                 engine_error(e));
    if (err) fail_msg("%s: a scan's keys do not rise", context);
    for (size_t n = progress->tried + 1; n-- > progress->synced;)
        if (oracle_is(&load->states[n], found)) return n;
    for (size_t older = progress->synced; older-- > 0;)
        if (oracle_is(&load->states[older], found))
            fail_msg("%s: state %zu, though %zu batches were synced (%zu tried)", context,
                     older, progress->synced, progress->tried);
    fail_msg("%s: no state of batches %zu to %zu: a batch is half there, or a key came back "
             "(against the last synced: %s)",
             context, progress->synced, progress->tried,
             oracle_difference(&load->states[progress->synced], e));
    return 0;
}

/* Gets agree with the scan, for keys that are there and keys that are not. */
static void check_gets(struct engine *e, const struct workload *load,
                       const struct oracle *expected)
{
    struct buffer out = {.allocator = &allocator_system};
    char key[KEY_SIZE];
    for (uint64_t k = 0; k < load->keys; k++) {
        struct bytes value, name = bytes_of(key, key_text(load, key, k));
        int err = engine_get(e, name, &out);
        if (oracle_find(expected, name, &value)) {
            if (err || !bytes_equal(buffer_bytes(&out), value))
                fail_msg("%s: get of '%s': errno %d, or another value than a scan's", context,
                         key, -err);
        } else if (err != -ENOENT) {
            fail_msg("%s: get of '%s', which a scan does not give: errno %d", context, key,
                     -err);
        }
    }
    buffer_deinit(&out);
}

static void inspect_survivor(struct world *w, const char *dir)
{
    struct findings found = world_inspect(w, w->ops, dir);
    if (found.problems)
        fail_msg("%s: inspection takes the crash in '%s' for damage: %s", context, dir,
                 found.first);
}

static int count_file(void *files, const char *name, bool is_directory)
{
    (void)name;
    *(uint64_t *)files += !is_directory;
    return 0;
}

/* What a crash left half-made or half-removed does not stay for ever. */
static void check_no_strays(struct world *w)
{
    struct engine_stats stats;
    uint64_t files = 0;
    engine_stats(w->engine, &stats);
    assert_int_equal(vfs_list(w->real, "data", count_file, &files), 0);
    if (files > stats.files + 1)
        fail_msg("%s: %llu files in the directory, the engine knows of %llu", context,
                 (unsigned long long)files, (unsigned long long)stats.files);
}

/* Opens the survivor; it must be whole, and of use. */
static void judge(struct world *w, const struct workload *load, const struct progress *progress)
{
    if (progress->synced && w->ops->recognise && w->ops->recognise(w->host.vfs, "data") != 1)
        fail_msg("%s: not recognised", context);
    if (progress->synced) inspect_survivor(w, "data");
    if (world_try_open(w, w->ops, w->options))
        fail_msg("%s: does not open: %s", context,
                 w->open_error.size ? (char *)w->open_error.data : "(no text)");
    size_t n = find_state(w->engine, load, progress);
    struct oracle after = {0};
    oracle_copy(&after, &load->states[n]);
    check_gets(w->engine, load, &after);
    oracle_put(&after, BYTES_LITERAL("after"), BYTES_LITERAL("the crash"));
    assert_int_equal(engine_put(w->engine, BYTES_LITERAL("after"), BYTES_LITERAL("the crash"),
                                &allocator_system, ENGINE_SYNC, progress->now_ns),
                     0);
    int err = settle(w->engine, progress->now_ns + NS_PER_S);
    if (err)
        fail_msg("%s: maintenance fails: errno %d: %s", context, -err, engine_error(w->engine));
    if (oracle_compare(&after, w->engine))
        fail_msg("%s: other contents after maintenance: %s", context,
                 oracle_difference(&after, w->engine));
    check_no_strays(w);
    /* What was just synced survives the worst, and what the first crash took stays gone. */
    world_crash(w, DISK_ALL_LOST);
    inspect_survivor(w, "data");
    world_open(w, w->ops, w->options);
    if (oracle_compare(&after, w->engine))
        fail_msg("%s: other contents after a second crash: %s", context,
                 oracle_difference(&after, w->engine));
    /* A day later every tombstone is of age. */
    if (settle(w->engine, progress->now_ns + 86400 * NS_PER_S) ||
        oracle_compare(&after, w->engine))
        fail_msg("%s: other contents a day later: %s", context,
                 oracle_difference(&after, w->engine));
    oracle_deinit(&after);
    for (size_t i = 0; i < progress->checkpoints; i++) {
        struct engine *copy;
        char dir[32];
        snprintf(dir, sizeof(dir), "copy%zu", i);
        inspect_survivor(w, dir);
        if (engine_open(w->ops, &w->host, dir, w->options, &copy))
            fail_msg("%s: %s does not open: %s", context, dir, (char *)w->open_error.data);
        if (oracle_compare(&load->states[progress->copies[i]], copy))
            fail_msg("%s: %s is not what it was", context, dir);
        engine_close(copy);
    }
    if (progress->is_copying) {
        char dir[32];
        snprintf(dir, sizeof(dir), "copy%zu", progress->checkpoints);
        world_judge_copy(w, dir, &load->states[progress->written], context);
    }
}

/* ---- the subjects ---- */

static void crash_world(struct world *w, uint64_t seed, int directory_mode)
{
    struct disk_config config = quick_disk();
    config.directory_mode = (enum disk_directory_mode)directory_mode;
    world_init_disk(w, &config, seed);
}

/* A run without a cut: how many operations there are, and that they are of every kind. */
static uint64_t operations_of(const struct subject *subject, const void *options,
                              const struct workload *load, int64_t *end)
{
    struct world w;
    struct progress progress = {.counts_tombstones = subject_has_grace(subject)};
    context = subject->name;
    crash_world(&w, 1, 0);
    world_open(&w, subject->ops, options);
    workload_run(&w, load, INT64_MAX, &progress);
    uint64_t operations = disk_operations(w.disk);
    *end = disk_cursor(w.disk);
    assert_int_equal(progress.written, load->batches);
    if (oracle_compare(&load->states[load->batches], w.engine))
        fail_msg("%s, without a crash: %s", subject->name,
                 oracle_difference(&load->states[load->batches], w.engine));
    if (progress.counts_tombstones) tombstones_ask(&progress.tombstones, w.engine, true);
    if (load->batches >= BATCHES) {
        assert_background(subject, &w.spy, "the crash suite");
        assert_grace(subject, &progress.tombstones, "the crash suite");
    }
    world_close(&w);
    inspect_survivor(&w, "data");
    world_deinit(&w);
    return operations;
}

/* One cut at the n-th operation, the opening included. */
static void cut_at_operation(const struct subject *subject, const void *options,
                             const struct workload *load, uint64_t n, int mode, int dir_mode,
                             uint64_t seed)
{
    struct world w;
    struct progress progress = {0};
    snprintf(context_text, sizeof(context_text),
             "%s cut at operation %llu, mode %s, directories %s, disk seed %llu", subject->name,
             (unsigned long long)n, crash_mode_name(mode), disk_directory_mode_words[dir_mode],
             (unsigned long long)seed);
    context = context_text;
    crash_world(&w, seed, dir_mode);
    disk_cut_after(w.disk, n);
    if (world_try_open(&w, subject->ops, options) == 0)
        workload_run(&w, load, INT64_MAX, &progress);
    assert_true(disk_cut_reached(w.disk));
    world_crash(&w, mode);
    judge(&w, load, &progress);
    world_deinit(&w);
}

static void test_cut_at_every_operation(void **state)
{
    const struct subject *subject = *state;
    void *options = subject_options(subject, SIZES_SMALL);
    uint64_t seed = env_u64("SEED", 1), cuts = 0, all = 0, kinds = CRASH_MODES * 2;
    uint64_t workloads = test_is_soak() ? 2 : 1; /* of both characters */
    for (uint64_t load_seed = seed; load_seed < seed + workloads; load_seed++) {
        struct workload load;
        int64_t end;
        workload_init(&load, load_seed, BATCHES);
        uint64_t operations = operations_of(subject, options, &load, &end);
        all += operations;
        /* Kinds take turns from one operation to the next, so that a sample meets all. */
        uint64_t tries = test_is_soak() ? kinds : 1;
        uint64_t step = test_is_soak() ? (uint64_t)(test_scale() < 1 ? 1 / test_scale() : 1)
                                       : 1 + operations / test_scaled(160, 1);
        for (uint64_t n = 1; n <= operations; n += step)
            for (uint64_t i = 0; i < tries; i++, cuts++) {
                uint64_t kind = (n / step + i) % kinds;
                cut_at_operation(subject, options, &load, n, (int)(kind / 2), (int)(kind % 2),
                                 load_seed + n * 1000 + i);
            }
        workload_deinit(&load);
    }
    print_message("%s: %llu cuts at %llu operations (SEED=%llu)\n", subject->name,
                  (unsigned long long)cuts, (unsigned long long)all, (unsigned long long)seed);
    tally(subject, "cuts at operations", cuts);
    free(options);
}

static void cut_at_time(const struct subject *subject, const void *options,
                        const struct workload *load, int64_t at, int mode, int dir_mode,
                        uint64_t seed)
{
    struct world w;
    struct progress progress = {0};
    snprintf(context_text, sizeof(context_text),
             "%s cut at %lld ns, mode %s, directories %s, disk seed %llu", subject->name,
             (long long)at, crash_mode_name(mode), disk_directory_mode_words[dir_mode],
             (unsigned long long)seed);
    context = context_text;
    crash_world(&w, seed, dir_mode);
    if (world_try_open(&w, subject->ops, options) == 0) workload_run(&w, load, at, &progress);
    if (mode == CRASH_PROCESS) {
        int64_t cursor = disk_end(w.disk);
        disk_crash(w.disk, at);
        disk_begin(w.disk, cursor > at ? cursor : at);
        world_forget(&w);
    } else {
        world_power_off_at(&w, at, (enum disk_power_mode)mode);
    }
    judge(&w, load, &progress);
    world_deinit(&w);
}

static void test_cut_at_random_nanoseconds(void **state)
{
    const struct subject *subject = *state;
    void *options = subject_options(subject, SIZES_SMALL);
    struct workload load;
    struct rng rng;
    int64_t end;
    uint64_t seed = env_u64("SEED", 1), cuts = test_scaled(100, 7000);
    workload_init(&load, seed + 1, BATCHES);
    operations_of(subject, options, &load, &end);
    rng_init(&rng, seed, "test.crash", "time", NULL);
    for (uint64_t i = 0; i < cuts; i++) {
        /* Another disk seed, other latencies: some cuts come after the end, where all is kept.
         */
        int64_t at = rng_range(&rng, 1, end + end / 20);
        cut_at_time(subject, options, &load, at, (int)(i / 2 % CRASH_MODES), (int)(i % 2),
                    seed + i);
    }
    print_message("%s: %llu cuts within %lld ns (SEED=%llu)\n", subject->name,
                  (unsigned long long)cuts, (long long)end, (unsigned long long)seed);
    tally(subject, "at nanoseconds", cuts);
    workload_deinit(&load);
    free(options);
}

/* A crash, and then another one while the engine recovers from it. */
static void test_cut_during_recovery(void **state)
{
    const struct subject *subject = *state;
    void *options = subject_options(subject, SIZES_SMALL);
    struct workload load;
    struct rng rng;
    int64_t end;
    uint64_t seed = env_u64("SEED", 1), cuts = test_scaled(60, 5000), in_recovery = 0;
    workload_init(&load, seed + 2, BATCHES / 2);
    uint64_t operations = operations_of(subject, options, &load, &end);
    rng_init(&rng, seed, "test.crash", "recovery", NULL);
    for (uint64_t i = 0; i < cuts; i++) {
        struct world w;
        struct progress progress = {0};
        uint64_t first = 1 + rng_below(&rng, operations);
        int mode = (int)rng_below(&rng, CRASH_MODES);
        int dir_mode = (int)rng_below(&rng, 2);
        snprintf(context_text, sizeof(context_text),
                 "%s cut at operation %llu and in recovery, mode %s, disk seed %llu",
                 subject->name, (unsigned long long)first, crash_mode_name(mode),
                 (unsigned long long)(seed + i));
        context = context_text;
        crash_world(&w, seed + i, dir_mode);
        disk_cut_after(w.disk, first);
        if (world_try_open(&w, subject->ops, options) == 0)
            workload_run(&w, &load, INT64_MAX, &progress);
        world_crash(&w, mode);
        for (int again = 0; again < 3; again++) {
            uint64_t second = 1 + rng_below(&rng, 30);
            mode = (int)rng_below(&rng, CRASH_MODES);
            disk_cut_after(w.disk, second);
            int err = world_try_open(&w, subject->ops, options);
            in_recovery += disk_cut_reached(w.disk);
            if (err && !disk_cut_reached(w.disk))
                fail_msg("%s: does not open: %s", context, (char *)w.open_error.data);
            if (!err && !disk_cut_reached(w.disk)) {
                disk_cut_after(w.disk, 0);
                /* What a recovery has shown, no later crash takes back. */
                progress.synced = find_state(w.engine, &load, &progress);
                progress.tried = progress.synced;
            }
            world_crash(&w, mode);
        }
        judge(&w, &load, &progress);
        world_deinit(&w);
    }
    print_message("%s: %llu cuts, %llu more in recovery (SEED=%llu)\n", subject->name,
                  (unsigned long long)cuts, (unsigned long long)in_recovery,
                  (unsigned long long)seed);
    assert_true(in_recovery >= cuts / 2);
    tally(subject, "in recovery", in_recovery);
    workload_deinit(&load);
    free(options);
}

/* The process dies at any operation, say between a rename and the sync that makes it durable;
 * the next one builds upon what it finds; then the power fails, and any subset of what was not
 * synced survives, names apart from contents. Also without the process's death in between. */
static void test_what_a_recovery_has_shown_no_power_loss_takes_back(void **state)
{
    const struct subject *subject = *state;
    void *options = subject_options(subject, SIZES_SMALL);
    uint64_t seed = env_u64("SEED", 1), cuts = 0, tries = test_is_soak() ? 12 : 3;
    struct workload load;
    int64_t end;
    workload_init(&load, seed + 4, BATCHES / 3);
    uint64_t operations = operations_of(subject, options, &load, &end);
    uint64_t step = test_is_soak() ? 1 : 1 + operations / 250;
    for (uint64_t n = 1; n <= operations; n += step)
        for (uint64_t i = 0; i < tries; i++, cuts++) {
            struct world w;
            struct progress progress = {0};
            bool is_twice = i % 3 != 2;
            snprintf(context_text, sizeof(context_text),
                     "%s cut at operation %llu%s, then a power loss, disk seed %llu",
                     subject->name, (unsigned long long)n, is_twice ? ", opened" : "",
                     (unsigned long long)(seed + n * 100 + i));
            context = context_text;
            crash_world(&w, seed + n * 100 + i, DISK_DIR_POSIX);
            disk_cut_after(w.disk, n);
            if (world_try_open(&w, subject->ops, options) == 0)
                workload_run(&w, &load, INT64_MAX, &progress);
            if (is_twice) {
                world_crash(&w, CRASH_PROCESS);
                world_open(&w, subject->ops, options);
                progress.synced = find_state(w.engine, &load, &progress);
                progress.tried = progress.synced;
            }
            world_crash(&w, DISK_SUBSET);
            judge(&w, &load, &progress);
            world_deinit(&w);
        }
    tally(subject, "after a recovery", cuts);
    workload_deinit(&load);
    free(options);
}

/* A checkpoint of a database of so many batches, cut at its n-th operation. False when it has
 * less of them. */
static bool cut_copy(const struct subject *subject, const void *options,
                     const struct workload *load, size_t batches, uint64_t n, int mode,
                     int dir_mode, uint64_t seed, uint64_t seen[COPY_STATES])
{
    struct world w;
    struct progress progress = {0};
    struct workload first = *load;
    size_t writes = 0;
    snprintf(context_text, sizeof(context_text),
             "%s, a copy of %zu batches cut at operation %llu, mode %s, directories %s",
             subject->name, batches, (unsigned long long)n, crash_mode_name(mode),
             disk_directory_mode_words[dir_mode]);
    context = context_text;
    for (first.count = 0; writes < batches; first.count++)
        writes += load->steps[first.count].kind == STEP_WRITE;
    crash_world(&w, seed, dir_mode);
    world_open(&w, subject->ops, options);
    workload_run(&w, &first, INT64_MAX, &progress);
    assert_int_equal(progress.written, batches);
    disk_cut_after(w.disk, n);
    int err = engine_checkpoint(w.engine, "half");
    bool is_cut = disk_cut_reached(w.disk);
    assert_true(is_cut == (err != 0));
    world_crash(&w, mode);
    enum copy_state state = world_judge_copy(&w, "half", &load->states[batches], context);
    if (!is_cut) assert_int_equal(state, COPY_WHOLE);
    seen[state]++;
    world_deinit(&w);
    return is_cut;
}

/* Kinds of crash take turns; the last operations, where half becomes whole, meet them all. */
static void cut_copies(const struct subject *subject, const void *options,
                       const struct workload *load, size_t batches, uint64_t seen[COPY_STATES])
{
    uint64_t n = 1, seed = env_u64("SEED", 1) * 10000;
    int kinds = test_is_soak() ? CRASH_MODES * 2 : 2;
    bool is_cut = true;
    for (; is_cut; n++)
        for (int i = 0; i < kinds; i++)
            is_cut =
                cut_copy(subject, options, load, batches, n,
                         test_is_soak() ? i / 2 : (int)(n % CRASH_MODES), i % 2, seed++, seen);
    for (uint64_t last = n > 8 ? n - 8 : 1; last < n; last++)
        for (int i = 0; i < CRASH_MODES * 2; i++)
            cut_copy(subject, options, load, batches, last, i / 2, i % 2, seed++, seen);
    for (int i = 0; i < 12; i++) /* which names survive is a matter of chance */
        cut_copy(subject, options, load, batches, n - 2, DISK_SUBSET, DISK_DIR_POSIX, seed++,
                 seen);
}

/* Half a copy is never taken for a database: not for an empty one, not for an older one. */
static void test_a_copy_cut_at_any_operation_is_refused_or_whole(void **state)
{
    const struct subject *subject = *state;
    static const size_t sizes[] = {1, 3, 25};
    void *options = subject_options(subject, SIZES_SMALL);
    uint64_t seen[COPY_STATES] = {0};
    struct workload load;
    workload_init(&load, env_u64("SEED", 1), 30);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        cut_copies(subject, options, &load, sizes[i], seen);
    assert_true(seen[COPY_ABSENT] > 0 && seen[COPY_REFUSED] > 10 && seen[COPY_WHOLE] >= 6);
    tally(subject, "cut copies", seen[COPY_ABSENT] + seen[COPY_REFUSED]);
    workload_deinit(&load);
    free(options);
}

static const struct suite_test suite[] = {
    T(test_cut_at_every_operation), T(test_what_a_recovery_has_shown_no_power_loss_takes_back),
    T(test_a_copy_cut_at_any_operation_is_refused_or_whole), T(test_cut_at_random_nanoseconds),
    T(test_cut_during_recovery)};

int main(void)
{
    return suite_run("crash anywhere", suite, sizeof(suite) / sizeof(suite[0]), SUITE_DISK);
}
