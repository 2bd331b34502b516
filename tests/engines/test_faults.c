/* Goal: every engine bears failing calls: what a failed call left is never half there, the
 * engine stays readable, it takes no more writes where it can't promise them, and nothing that
 * it acknowledged is lost. (Flipped bits: test_rot.c.)
 *
 * Method: as SQLite's do_ioerr_test, one fixed workload whose N-th operation fails, for N = 1,
 * 2, 3 ... until a run finishes untouched: with EIO, with ENOSPC, with everything failing from
 * N on, with a write that stores its first half, with a sync that loses its pages, with an
 * allocation that gets nothing; then the engine is reopened, after a goodbye or a power loss.
 *
 * `make check` takes a sample of N, the soak all.
 */
#include "tests/engines/variants.h"

#define BATCHES 40

/* ---- one workload ---- */

static void make_batch(struct engine_batch *batch, int i)
{
    char key[24], value[400];
    batch->allocator = &allocator_system;
    for (int j = 0; j < 3; j++) {
        snprintf(key, sizeof(key), "key%d", (i * 5 + j * 3) % 11);
        memset(value, 'a' + i % 26, sizeof(value));
        int prefix = snprintf(value, 24, "%d.%d/", i, j);
        value[prefix] = 'v';
        if ((i + j) % 5 == 4)
            engine_batch_delete(batch, bytes_string(key));
        else
            engine_batch_put(batch, bytes_string(key),
                             bytes_of(value, (size_t)(prefix + (i * 37 + j * 11) % 300)));
    }
}

/* `sure`: all that was acknowledged. `maybe`: and the batch whose write failed, if one did.
 * `since`: what was acknowledged as synced, and every state acknowledged after it. */
struct outcome {
    struct oracle sure, maybe, since[BATCHES + 1];
    size_t since_count; /* 0 stands for one, the empty database */
    bool has_failed_batch, is_refusing;
};

static void outcome_deinit(struct outcome *o)
{
    oracle_deinit(&o->sure);
    oracle_deinit(&o->maybe);
    for (size_t i = 0; i <= BATCHES; i++) oracle_deinit(&o->since[i]);
}

static void acknowledged(struct outcome *o, bool is_synced)
{
    if (o->since_count == 0 || is_synced) o->since_count = !is_synced;
    assert_true(o->since_count <= BATCHES);
    oracle_copy(&o->since[o->since_count++], &o->sure);
}

static char context[200]; /* which failure is being tried, for a test's text */

/* Reads all, while a failure may still be armed: a read that fails is tried again. */
static void check_readable(struct engine *e, const struct outcome *o)
{
    int differs = oracle_compare(&o->sure, e);
    if (differs < 0) differs = oracle_compare(&o->sure, e);
    if (differs)
        fail_msg("%s: after a failed call the open engine reads otherwise: %d %s; %s", context,
                 differs, engine_error(e), oracle_difference(&o->sure, e));
}

/* After a power loss: what was acknowledged as synced, and perhaps some of what came after. */
static void check_durable(struct engine *e, const struct outcome *o)
{
    struct contents found;
    int err = contents_read(e, &found);
    if (err) fail_msg("%s: after a power loss a scan gives %d", context, err);
    if (o->has_failed_batch && oracle_is(&o->maybe, found)) return;
    for (size_t i = 0; i < o->since_count; i++)
        if (oracle_is(&o->since[i], found)) return;
    if (o->since_count || found.count)
        fail_msg("%s: after a power loss: %s", context, oracle_difference(&o->since[0], e));
}

/* Which of the two it is, is settled by reopening. */
static void check_reopened(struct engine *e, struct outcome *o)
{
    if (oracle_compare(&o->sure, e) == 0)
        oracle_copy(&o->maybe, &o->sure);
    else if (oracle_compare(&o->maybe, e) == 0)
        oracle_copy(&o->sure, &o->maybe);
    else
        fail_msg("%s: after reopen neither with nor without the failed batch: %s", context,
                 oracle_difference(&o->sure, e));
    acknowledged(o, true);
    o->has_failed_batch = o->is_refusing = false;
}

static int reopen(struct world *w)
{
    if (w->engine) engine_close(w->engine);
    w->engine = NULL;
    return world_try_open(w, w->ops, w->options);
}

/* Runs batches [from, to), whatever fails. After the first refusal -EROFS nothing more is
 * accepted. */
static void run(struct world *w, struct outcome *o, int from, int to)
{
    for (int i = from; i < to; i++) {
        struct engine_batch batch = {0};
        make_batch(&batch, i);
        bool is_synced = i % 3 != 0;
        int err = engine_write(w->engine, &batch, is_synced ? ENGINE_SYNC : ENGINE_NO_SYNC, 0);
        if (err == -EROFS) o->is_refusing = true;
        if (o->is_refusing && err != -EROFS)
            fail_msg("%s: a write after a refusal gives %d", context, err);
        if (!err) {
            oracle_apply(&o->sure, &batch);
            oracle_apply(&o->maybe, &batch);
            acknowledged(o, is_synced);
        } else if (!o->has_failed_batch && err != -EROFS && err != -ENOMEM) {
            o->has_failed_batch = true;
            oracle_apply(&o->maybe, &batch);
            check_readable(w->engine, o);
            assert_true(engine_error(w->engine)[0] != '\0');
        }
        engine_batch_deinit(&batch);
        bool more = true;
        for (int slices = 0; slices < 6 && more; slices++)
            if (engine_maintain(w->engine, 4000, 0, &more)) check_readable(w->engine, o);
        if (i % 9 == 8 && engine_sync(w->engine) == 0) acknowledged(o, true);
    }
}

/* Reopens in the middle; a failure that is armed may hit the opening, and passes. */
static void run_all(struct world *w, struct outcome *o)
{
    run(w, o, 0, BATCHES / 2);
    int again = reopen(w);
    if (again) again = world_try_open(w, w->ops, w->options);
    if (again) fail_msg("%s: does not open: errno %d", context, -again);
    check_reopened(w->engine, o);
    run(w, o, BATCHES / 2, BATCHES);
}

/* ---- the n-th call fails ---- */

enum failure { FAIL_EIO, FAIL_ENOSPC, FAIL_MEMORY, FAIL_HALF };

static int failure_error(enum failure failure)
{
    static const int errors[] = {-EIO, -ENOSPC, -ENOMEM, -ENOSPC};
    return errors[failure];
}

static void arm(struct world *w, enum failure failure, uint64_t n)
{
    if (failure == FAIL_MEMORY) {
        w->heap.fail_at = n ? w->heap.allocations + n : 0;
    } else if (failure == FAIL_HALF) {
        w->spy.half_write_at = n;
        w->spy.half_write_error = failure_error(failure);
    } else {
        disk_fail_nth(w->disk, n, failure_error(failure));
    }
}

static uint64_t reached(const struct world *w, enum failure failure)
{
    return failure == FAIL_MEMORY ? w->heap.allocations
           : failure == FAIL_HALF ? w->spy.calls[SPY_WRITE]
                                  : disk_operations(w->disk);
}

/* One run with the n-th operation (allocation, write) failing. True when it was reached. */
static bool run_failing(const struct subject *subject, const void *options,
                        enum failure failure, uint64_t n)
{
    struct world w;
    struct outcome o = {0};
    struct disk_config config = quick_disk();
    world_init_disk(&w, &config, 1);
    uint64_t before = reached(&w, failure);
    arm(&w, failure, n);
    int err = world_try_open(&w, subject->ops, options);
    if (err) {
        if (err != failure_error(failure))
            fail_msg("%s: open fails with %d instead of %d", context, err,
                     failure_error(failure));
        assert_int_equal(w.heap.bytes, 0); /* a failed open leaves nothing */
        assert_int_equal(w.spy.open_files, 0);
        world_open(&w, subject->ops, options);
    }
    run_all(&w, &o);
    bool was_reached = reached(&w, failure) - before >= n;
    arm(&w, failure, 0);
    if (n % 2) {
        assert_int_equal(reopen(&w), 0);
        check_reopened(w.engine, &o);
    } else {
        world_crash(&w, DISK_ALL_LOST);
        world_open(&w, subject->ops, options);
        check_durable(w.engine, &o);
    }
    outcome_deinit(&o);
    world_deinit(&w);
    return was_reached;
}

/* How many calls of the kind an untouched run makes. */
static uint64_t calls_of(const struct subject *subject, const void *options,
                         enum failure failure)
{
    struct world w;
    struct outcome o = {0};
    struct disk_config config = quick_disk();
    world_init_disk(&w, &config, 1);
    world_open(&w, subject->ops, options);
    run_all(&w, &o);
    uint64_t calls = reached(&w, failure);
    outcome_deinit(&o);
    world_deinit(&w);
    return calls;
}

static void fail_every(const struct subject *subject, enum failure failure, const char *what)
{
    void *options = subject_options(subject, SIZES_SMALL);
    uint64_t tried = 0, step = 1;
    /* `make check` takes a sample: every N-th, so that it is some 70 of them. */
    if (!test_is_soak()) step += calls_of(subject, options, failure) / 70;
    uint64_t n = 1;
    for (;; n += step) {
        snprintf(context, sizeof(context), "%s, %s at %llu", subject->name, what,
                 (unsigned long long)n);
        tried++;
        if (!run_failing(subject, options, failure, n)) break;
    }
    assert_true(n > 20);
    print_message("%s: %s at %llu of %llu\n", subject->name, what, (unsigned long long)tried,
                  (unsigned long long)n);
    tally(subject, "failed calls", tried);
    free(options);
}

static void test_eio_at_every_operation(void **state)
{
    fail_every(*state, FAIL_EIO, "EIO");
}

static void test_enospc_at_every_operation(void **state)
{
    fail_every(*state, FAIL_ENOSPC, "ENOSPC");
}

static void test_every_write_stops_half_way(void **state)
{
    fail_every(*state, FAIL_HALF, "half a write");
}

static void test_every_allocation_fails(void **state)
{
    fail_every(*state, FAIL_MEMORY, "out of memory");
}

/* From the n-th operation on nothing works: a disk that has gone. Then it is back. */
static void test_a_disk_that_goes_away_loses_nothing_acknowledged(void **state)
{
    const struct subject *subject = *state;
    void *options = subject_options(subject, SIZES_SMALL);
    uint64_t tried = 0;
    bool was_reached = true;
    for (uint64_t n = 1; was_reached; n += test_is_soak() ? 1 : 17, tried++) {
        struct world w;
        struct outcome o = {0};
        struct disk_config config = quick_disk();
        snprintf(context, sizeof(context), "%s, gone from operation %llu", subject->name,
                 (unsigned long long)n);
        world_init_disk(&w, &config, 1);
        world_open(&w, subject->ops, options);
        run(&w, &o, 0, 3);
        disk_cut_after(w.disk, n);
        for (int i = 3; i < BATCHES && !o.has_failed_batch; i++) {
            struct engine_batch batch = {0};
            make_batch(&batch, i);
            bool more = true;
            int err = engine_write(w.engine, &batch, ENGINE_SYNC, 0);
            if (!err) oracle_apply(&o.sure, &batch);
            oracle_apply(&o.maybe, &batch);
            o.has_failed_batch = err;
            engine_batch_deinit(&batch);
            for (int slices = 0; slices < 6 && more && !err; slices++)
                err = engine_maintain(w.engine, 4000, 0, &more);
        }
        was_reached = disk_cut_reached(w.disk);
        if (n % 2) {
            engine_close(w.engine);
            w.engine = NULL;
        }
        world_crash(&w, n % 4 < 2 ? DISK_ALL_LOST : CRASH_PROCESS);
        world_open(&w, subject->ops, options);
        check_reopened(w.engine, &o);
        outcome_deinit(&o);
        world_deinit(&w);
    }
    print_message("%s: gone from each of %llu\n", subject->name, (unsigned long long)tried);
    tally(subject, "vanished disks", tried);
    free(options);
}

/* A checkpoint that fails is an error and nothing else: the database goes on, what it left is
 * no database, and the next one succeeds. */
static void test_a_failed_checkpoint_leaves_the_database_alone(void **state)
{
    const struct subject *subject = *state;
    static const enum failure failures[] = {FAIL_EIO, FAIL_ENOSPC, FAIL_MEMORY, FAIL_HALF};
    void *options = subject_options(subject, SIZES_SMALL);
    uint64_t tried = 0;
    for (size_t i = 0; i < 4; i++) {
        struct world w;
        struct outcome o = {0};
        struct disk_config config = quick_disk();
        world_init_disk(&w, &config, 1);
        world_open(&w, subject->ops, options);
        run(&w, &o, 0, 12);
        int err = -1;
        char dir[32];
        for (uint64_t n = 1; err; n++, tried++) {
            uint64_t bytes = w.heap.bytes, files = w.spy.open_files;
            struct engine *copy;
            snprintf(context, sizeof(context), "%s, a checkpoint's call %llu fails",
                     subject->name, (unsigned long long)n);
            snprintf(dir, sizeof(dir), "copy%llu", (unsigned long long)n);
            arm(&w, failures[i], n);
            err = engine_checkpoint(w.engine, dir);
            arm(&w, failures[i], 0);
            if (err && err != failure_error(failures[i])) fail_msg("%s: with %d", context, err);
            if (err && (w.heap.bytes > bytes + 20000 || w.spy.open_files > files))
                fail_msg("%s: memory or files are not given back", context);
            check_readable(w.engine, &o);
            if (err) world_judge_copy(&w, dir, &o.sure, context);
            if (err) continue;
            assert_int_equal(engine_open(subject->ops, &w.host, dir, options, &copy), 0);
            assert_int_equal(oracle_compare(&o.sure, copy), 0);
            engine_close(copy);
        }
        run(&w, &o, 12, 20);
        assert_false(o.has_failed_batch || o.is_refusing);
        assert_int_equal(reopen(&w), 0);
        check_readable(w.engine, &o);
        outcome_deinit(&o);
        world_deinit(&w);
    }
    tally(subject, "failed checkpoints", tried);
    free(options);
}

/* ---- failed renames ---- */

/* Whether a rename that failed took place is not known before the next open, so what is written
 * after it may be in files that the next open does not read. False: there was no n-th. */
static bool run_failing_rename(const struct subject *subject, const void *options, uint64_t n,
                               bool is_done)
{
    struct world w;
    struct outcome o = {0};
    struct disk_config config = quick_disk();
    world_init_disk(&w, &config, n);
    world_open(&w, subject->ops, options);
    w.spy.fail_rename_at = n;
    w.spy.is_rename_done = is_done;
    for (int i = 0; i < BATCHES && !w.spy.failed_renames; i++) {
        struct engine_batch batch = {0};
        bool more = true;
        make_batch(&batch, i);
        oracle_apply(&o.maybe, &batch);
        if (engine_write(w.engine, &batch, ENGINE_SYNC, 0) == 0)
            oracle_apply(&o.sure, &batch);
        else
            assert_true(w.spy.failed_renames > 0);
        engine_batch_deinit(&batch);
        while (more && !w.spy.failed_renames)
            if (engine_maintain(w.engine, 4000, 0, &more)) break;
    }
    bool was_reached = w.spy.failed_renames > 0;
    if (was_reached) {
        int err = engine_put(w.engine, BYTES_LITERAL("after"), BYTES_LITERAL("it"),
                             &allocator_system, ENGINE_SYNC, 0);
        if (err != -EROFS) fail_msg("%s: the next write gives %d", context, err);
        check_readable(w.engine, &o);
    }
    world_crash(&w, n % 2 ? DISK_ALL_LOST : CRASH_PROCESS);
    world_open(&w, subject->ops, options);
    check_reopened(w.engine, &o);
    outcome_deinit(&o);
    world_deinit(&w);
    return was_reached;
}

static void test_after_a_failed_rename_nothing_more_is_written(void **state)
{
    const struct subject *subject = *state;
    void *options = subject_options(subject, SIZES_SMALL);
    uint64_t tried = 0;
    for (int done = 0; done < 2; done++)
        for (uint64_t n = 1;; n++, tried++) {
            snprintf(context, sizeof(context), "%s, rename %llu fails, %s", subject->name,
                     (unsigned long long)n, done ? "done" : "not done");
            if (!run_failing_rename(subject, options, n, done)) break;
        }
    const char *engine = subject->ops->name;
    if (strcmp(engine, "hash") == 0 || strcmp(engine, "lsm") == 0) assert_true(tried >= 8);
    tally(subject, "failed renames", tried);
    free(options);
}

/* ---- failed reads in a scan ---- */

/* Reads a whole scan whose n-th call fails, asking again after an error. 1: it came to its end,
 * 0: it gave up, the error being for good. */
static int scan_with_retries(struct engine *e, const struct oracle *oracle, bool is_reverse)
{
    struct engine_range all = {.reverse = is_reverse};
    struct engine_cursor *cursor;
    struct bytes key, value;
    size_t i = 0;
    int n = engine_scan_open(e, &all, &cursor), errors = 0;
    if (n) n = engine_scan_open(e, &all, &cursor);
    assert_int_equal(n, 0);
    while ((n = engine_scan_next(cursor, &key, &value)) != 0 && errors < 4) {
        if (n < 0) {
            errors++;
            continue;
        }
        size_t at = is_reverse ? oracle->count - 1 - i : i;
        i++;
        if (at >= oracle->count || !bytes_equal(key, oracle_key(oracle, at)) ||
            !bytes_equal(value, oracle_value(oracle, at)))
            fail_msg("%s: after %d errors entry %zu is not the next one", context, errors, i);
    }
    engine_scan_close(cursor);
    if (n == 0 && i < oracle->count)
        fail_msg("%s: after %d errors a scan of %zu entries ends behind %zu", context, errors,
                 oracle->count, i);
    return n == 0;
}

static void test_a_scan_whose_read_failed_never_ends_short(void **state)
{
    const struct subject *subject = *state;
    static const enum failure failures[] = {FAIL_EIO, FAIL_MEMORY};
    void *options = subject_options(subject, SIZES_SMALL);
    uint64_t tried = 0;
    for (int i = 0; i < 4; i++) {
        struct world w;
        struct outcome o = {0};
        struct disk_config config = quick_disk();
        enum failure failure = failures[i / 2];
        world_init_disk(&w, &config, 1);
        world_open(&w, subject->ops, options);
        run(&w, &o, 0, 30);
        bool was_reached = true;
        for (uint64_t n = 1; was_reached; n++, tried++) {
            snprintf(context, sizeof(context), "%s, a %sscan's call %llu fails with %d",
                     subject->name, i % 2 ? "reverse " : "", (unsigned long long)n,
                     failure_error(failure));
            assert_int_equal(reopen(&w), 0);
            uint64_t before = reached(&w, failure);
            arm(&w, failure, n);
            scan_with_retries(w.engine, &o.sure, i % 2);
            was_reached = reached(&w, failure) - before >= n;
            arm(&w, failure, 0);
            check_readable(w.engine, &o);
        }
        outcome_deinit(&o);
        world_deinit(&w);
    }
    assert_true(tried > 8);
    tally(subject, "failed scans", tried);
    free(options);
}

/* ---- failed syncs ---- */

/* The n-th sync (of a file or a directory) fails and its pages are gone. `panic` has nothing
 * to lose: what it acknowledged before is there after a power loss. `retry` may lose: there
 * only a crash of the engine and a value never written are failures. */
static bool run_failing_sync(const struct subject *subject, const char *policy, uint64_t n)
{
    void *options = subject_options(subject, SIZES_SMALL);
    bool is_panic = strcmp(policy, "panic") == 0;
    assert_true(option_put(subject->ops, options, "on_sync_failure", policy));
    struct world w;
    struct outcome o = {0};
    struct disk_config config = quick_disk();
    world_init_disk(&w, &config, 1);
    world_open(&w, subject->ops, options);
    uint32_t fault = disk_fault_add(
        w.disk,
        &(struct disk_fault){.kind = DISK_SYNC_ERROR, .count = 1, .after = (int64_t)n - 1});
    run(&w, &o, 0, BATCHES);
    bool was_reached = disk_fault_effects(w.disk, fault) > 0;
    disk_fault_remove(w.disk, fault);
    world_crash(&w, n % 3 ? DISK_ALL_LOST : CRASH_PROCESS);
    int err = world_try_open(&w, subject->ops, options);
    if (is_panic || !was_reached) {
        if (err) fail_msg("%s: does not open: %s", context, (const char *)w.open_error.data);
        check_durable(w.engine, &o);
    } else if (err && err != -EBADMSG) {
        fail_msg("%s: open fails with %d", context, err);
    }
    outcome_deinit(&o);
    world_deinit(&w);
    free(options);
    return was_reached;
}

static void test_every_sync_fails_under_either_policy(void **state)
{
    const struct subject *subject = *state;
    static const char *const policies[] = {"panic", "retry"};
    uint64_t tried = 0;
    for (int i = 0; i < 2; i++) {
        bool was_reached = true;
        for (uint64_t n = 1; was_reached; n += test_is_soak() ? 1 : 5, tried++) {
            snprintf(context, sizeof(context), "%s, %s, sync %llu fails", subject->name,
                     policies[i], (unsigned long long)n);
            was_reached = run_failing_sync(subject, policies[i], n);
        }
    }
    print_message("%s: %llu failed syncs\n", subject->name, (unsigned long long)tried);
    tally(subject, "failed syncs", tried);
}

/* `panic` loses nothing it acknowledged; `retry` does: the reason why panic is the default. */
static void test_after_a_failed_sync_panic_refuses_and_retry_lies(void **state)
{
    const struct subject *subject = *state;
    for (int retry = 0; retry < 2; retry++) {
        struct world w;
        struct buffer out = {.allocator = &allocator_system};
        static char big[20000]; /* pages of its own, which no later write dirties again */
        void *options = subject_options(subject, SIZES_DEFAULT);
        memset(big, 'b', sizeof(big));
        assert_true(
            option_put(subject->ops, options, "on_sync_failure", retry ? "retry" : "panic"));
        world_init(&w, WORLD_DISK, 1);
        struct engine *e = world_open(&w, subject->ops, options);
        assert_int_equal(engine_put(e, BYTES_LITERAL("a"), BYTES_LITERAL("1"),
                                    &allocator_system, ENGINE_SYNC, 0),
                         0);
        disk_fault_add(w.disk, &(struct disk_fault){.kind = DISK_SYNC_ERROR, .count = 1});
        int err = engine_put(e, BYTES_LITERAL("b"), bytes_of(big, sizeof(big)),
                             &allocator_system, ENGINE_SYNC, 0);
        assert_int_equal(err, retry ? 0 : -EIO);
        assert_int_equal(engine_get(e, BYTES_LITERAL("a"), &out), 0);
        err = engine_put(e, BYTES_LITERAL("c"), BYTES_LITERAL("3"), &allocator_system,
                         ENGINE_SYNC, 0);
        assert_int_equal(err, retry ? 0 : -EROFS);
        assert_int_equal(engine_sync(e), retry ? 0 : -EROFS);
        world_crash(&w, DISK_ALL_LOST);
        err = world_try_open(&w, subject->ops, options);
        if (!retry) {
            assert_int_equal(err, 0);
            assert_int_equal(engine_get(w.engine, BYTES_LITERAL("a"), &out), 0);
            assert_int_equal(engine_get(w.engine, BYTES_LITERAL("b"), &out), -ENOENT);
        } else {
            /* "b" was acknowledged; its bytes never reached the device. */
            assert_true(err == -EBADMSG || engine_get(w.engine, BYTES_LITERAL("b"), &out) != 0);
        }
        buffer_deinit(&out);
        world_deinit(&w);
        free(options);
    }
}

/* ---- a full disk ---- */

static void test_a_full_disk_leaves_no_half_batch_and_a_readable_engine(void **state)
{
    const struct subject *subject = *state;
    void *options = subject_options(subject, SIZES_DEFAULT);
    for (int64_t room = 0; room < 700; room += test_is_soak() ? 1 : 13) {
        struct world w;
        struct oracle oracle = {0};
        struct engine_batch batch = {0};
        world_init(&w, WORLD_DISK, 1);
        struct engine *e = world_open(&w, subject->ops, options);
        make_batch(&batch, 1);
        assert_int_equal(engine_write(e, &batch, ENGINE_SYNC, 0), 0);
        oracle_apply(&oracle, &batch);
        engine_batch_clear(&batch);
        uint32_t fault =
            disk_fault_add(w.disk, &(struct disk_fault){.kind = DISK_FULL, .bytes = room});
        make_batch(&batch, 7);
        int err = engine_write(e, &batch, ENGINE_SYNC, 0);
        if (!err) oracle_apply(&oracle, &batch);
        if (err) {
            assert_int_equal(err, -ENOSPC);
            assert_int_equal(engine_write(e, &batch, ENGINE_SYNC, 0), -EROFS);
        }
        assert_int_equal(oracle_compare(&oracle, e), 0);
        disk_fault_remove(w.disk, fault);
        e = world_reopen(&w);
        assert_int_equal(oracle_compare(&oracle, e), 0);
        assert_int_equal(engine_write(e, &batch, ENGINE_SYNC, 0), 0);
        engine_batch_deinit(&batch);
        oracle_deinit(&oracle);
        world_deinit(&w);
    }
    free(options);
}

/* A disk that stays full while the engine has work to do, and then has room again: maintenance
 * goes on where it stood. */
static void test_maintenance_goes_on_when_a_full_disk_has_room_again(void **state)
{
    const struct subject *subject = *state;
    void *options = subject_options(subject, SIZES_SMALL);
    for (int64_t room = 0; room < 12000; room += test_is_soak() ? 97 : 1213) {
        struct world w;
        struct outcome o = {0};
        snprintf(context, sizeof(context), "%s, %lld bytes of room", subject->name,
                 (long long)room);
        world_init(&w, WORLD_DISK, 1);
        world_open(&w, subject->ops, options);
        run(&w, &o, 0, 8);
        uint32_t fault =
            disk_fault_add(w.disk, &(struct disk_fault){.kind = DISK_FULL, .bytes = room});
        run(&w, &o, 8, 20);
        check_readable(w.engine, &o);
        disk_fault_remove(w.disk, fault);
        assert_int_equal(reopen(&w), 0);
        check_reopened(w.engine, &o);
        run(&w, &o, 20, 30);
        assert_false(o.has_failed_batch);
        bool more = true;
        for (int slices = 0; more && slices < 20000; slices++)
            assert_int_equal(engine_maintain(w.engine, 4000, 0, &more), 0);
        assert_false(more);
        assert_int_equal(oracle_compare(&o.sure, w.engine), 0);
        outcome_deinit(&o);
        world_deinit(&w);
    }
    free(options);
}

static const struct suite_test suite[] = {
    T(test_eio_at_every_operation),
    T(test_enospc_at_every_operation),
    T(test_every_write_stops_half_way),
    T(test_every_allocation_fails),
    T(test_a_disk_that_goes_away_loses_nothing_acknowledged),
    T(test_a_failed_checkpoint_leaves_the_database_alone),
    T(test_after_a_failed_rename_nothing_more_is_written),
    T(test_a_scan_whose_read_failed_never_ends_short),
    T(test_every_sync_fails_under_either_policy),
    T(test_after_a_failed_sync_panic_refuses_and_retry_lies),
    T(test_a_full_disk_leaves_no_half_batch_and_a_readable_engine),
    T(test_maintenance_goes_on_when_a_full_disk_has_room_again),
};

int main(void)
{
    return suite_run("engine faults", suite, sizeof(suite) / sizeof(suite[0]), SUITE_DISK);
}
