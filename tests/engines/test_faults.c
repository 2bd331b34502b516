/* Goal: every engine bears failing calls and flipped bits: what a failed call left is never
 * half there, the engine stays readable, and no damaged byte is ever returned as data.
 *
 * Method: as SQLite's do_ioerr_test, one fixed workload whose N-th operation fails, for N = 1,
 * 2, 3 ... until a run finishes untouched; with EIO, ENOSPC, failing syncs and failing
 * allocations. Then an image that the engine wrote and closed, with one bit flipped, for every
 * byte (`make check`: one bit a byte, the soak: all eight).
 */
#include "tests/engines/harness.h"

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

static void *small_options(const struct engine_ops *ops)
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

/* `sure`: all that was acknowledged. `maybe`: and the batch whose write failed, if one did. */
struct outcome {
    struct oracle sure, maybe;
    bool has_failed_batch;
};

/* Reads all, while a failure may still be armed: a read that fails is tried again. */
static void check_readable(struct engine *e, const struct outcome *o)
{
    int differs = oracle_compare(&o->sure, e);
    if (differs < 0) differs = oracle_compare(&o->sure, e);
    if (differs)
        fail_msg("after a failed call the open engine reads otherwise: %d %s", differs,
                 engine_error(e));
}

/* Runs all, whatever fails. After the first refusal -EROFS nothing more is accepted. */
static void run(struct world *w, struct outcome *o)
{
    bool is_read_only = false;
    for (int i = 0; i < BATCHES && w->engine; i++) {
        struct engine_batch batch = {0};
        make_batch(&batch, i);
        int err = engine_write(w->engine, &batch, i % 3 ? ENGINE_SYNC : ENGINE_NO_SYNC, 0);
        if (err == -EROFS) is_read_only = true;
        if (is_read_only) assert_int_equal(err, -EROFS);
        if (!err) {
            assert_false(o->has_failed_batch && is_read_only);
            oracle_apply(&o->sure, &batch);
            oracle_apply(&o->maybe, &batch);
        } else if (!o->has_failed_batch && err != -EROFS && err != -ENOMEM) {
            o->has_failed_batch = true;
            oracle_apply(&o->maybe, &batch);
            check_readable(w->engine, o);
            assert_true(engine_error(w->engine)[0] != '\0');
        }
        engine_batch_deinit(&batch);
        bool more = true;
        for (int slices = 0; slices < 3 && more; slices++)
            if (engine_maintain(w->engine, 4000, 0, &more)) check_readable(w->engine, o);
        if (i % 9 == 8) engine_sync(w->engine);
        if (i == 20) {
            engine_close(w->engine);
            w->engine = NULL;
            int again = world_try_open(w, w->ops, w->options);
            if (again) again = world_try_open(w, w->ops, w->options);
            assert_int_equal(again, 0);
            is_read_only = false;
            /* Which of the two it is, is settled now. */
            if (oracle_compare(&o->sure, w->engine) == 0)
                oracle_copy(&o->maybe, &o->sure);
            else if (oracle_compare(&o->maybe, w->engine) == 0)
                oracle_copy(&o->sure, &o->maybe);
            o->has_failed_batch = false;
            check_readable(w->engine, o);
        }
    }
}

enum failure { FAIL_EIO, FAIL_ENOSPC, FAIL_MEMORY };

/* One run with the n-th operation (or allocation) failing. True when it was reached. */
static bool run_failing(const struct engine_ops *ops, const void *options, enum failure failure,
                        uint64_t n)
{
    struct world w;
    struct outcome o = {0};
    struct disk_config config = quick_disk();
    world_init_disk(&w, &config, 1);
    if (failure == FAIL_MEMORY)
        w.heap.fail_at = n;
    else
        disk_fail_nth(w.disk, n, failure == FAIL_EIO ? -EIO : -ENOSPC);
    uint64_t before = disk_operations(w.disk);
    int err = world_try_open(&w, ops, options);
    if (err) {
        assert_int_equal(err, failure == FAIL_MEMORY ? -ENOMEM
                              : failure == FAIL_EIO  ? -EIO
                                                     : -ENOSPC);
        assert_int_equal(w.heap.bytes, 0); /* a failed open leaves nothing */
        world_open(&w, ops, options);
    }
    run(&w, &o);
    bool reached = failure == FAIL_MEMORY ? w.heap.allocations >= n
                                          : disk_operations(w.disk) - before >= n;
    disk_fail_nth(w.disk, 0, -EIO);
    w.heap.fail_at = 0;
    world_reopen(&w);
    if (oracle_compare(&o.sure, w.engine) && oracle_compare(&o.maybe, w.engine))
        fail_msg(
            "%s, failure %d at %llu: after reopen neither with nor without the failed batch",
            ops->name, (int)failure, (unsigned long long)n);
    oracle_deinit(&o.sure);
    oracle_deinit(&o.maybe);
    world_deinit(&w);
    return reached;
}

static void fail_every(const struct engine_ops *ops, enum failure failure, const char *what)
{
    void *options = small_options(ops);
    uint64_t n = 1;
    while (run_failing(ops, options, failure, n)) n++;
    assert_true(n > 20);
    print_message("%s: %s at each of %llu\n", ops->name, what, (unsigned long long)n - 1);
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

static void test_every_allocation_fails(void **state)
{
    fail_every(*state, FAIL_MEMORY, "out of memory");
}

/* ---- a full disk ---- */

static void test_a_full_disk_leaves_no_half_batch_and_a_readable_engine(void **state)
{
    const struct engine_ops *ops = *state;
    for (int64_t room = 0; room < 700; room += test_is_soak() ? 1 : 13) {
        struct world w;
        struct oracle oracle = {0};
        struct engine_batch batch = {0};
        world_init(&w, WORLD_DISK, 1);
        struct engine *e = world_open(&w, ops, NULL);
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
}

/* ---- failed syncs ---- */

static void set_policy(const struct engine_ops *ops, void *options, const char *word)
{
    for (size_t i = 0; i < ops->options_count; i++)
        if (strcmp(ops->options[i].name, "on_sync_failure") == 0)
            for (int32_t j = 0; ops->options[i].words[j]; j++)
                if (strcmp(ops->options[i].words[j], word) == 0)
                    *(int32_t *)((char *)options + ops->options[i].offset) = j;
}

/* `panic` loses nothing it acknowledged; `retry` does: the reason why panic is the default. */
static void test_after_a_failed_sync_panic_refuses_and_retry_lies(void **state)
{
    const struct engine_ops *ops = *state;
    for (int retry = 0; retry < 2; retry++) {
        struct world w;
        struct buffer out = {.allocator = &allocator_system};
        static char big[20000]; /* pages of its own, which no later write dirties again */
        void *options = malloc(ops->options_size);
        assert_int_equal(
            options_default(ops->options, ops->options_count, options, ops->options_size), 0);
        memset(big, 'b', sizeof(big));
        set_policy(ops, options, retry ? "retry" : "panic");
        world_init(&w, WORLD_DISK, 1);
        struct engine *e = world_open(&w, ops, options);
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
        err = world_try_open(&w, ops, options);
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

/* ---- flipped bits ---- */

#define IMAGE_FILES 32

struct image {
    struct {
        char path[300];
        unsigned char *data;
        uint64_t size;
    } files[IMAGE_FILES];
    size_t count;
};

static int image_file(void *context, const char *name, bool is_directory)
{
    struct image *image = context;
    assert_false(is_directory);
    assert_true(image->count < IMAGE_FILES);
    snprintf(image->files[image->count++].path, 300, "data/%s", name);
    return 0;
}

static void image_read(struct world *w, struct image *image)
{
    image->count = 0;
    assert_int_equal(vfs_list(w->host.vfs, "data", image_file, image), 0);
    for (size_t i = 0; i < image->count; i++) {
        struct vfs_file *f;
        assert_int_equal(vfs_open(w->host.vfs, image->files[i].path, VFS_READ, &f), 0);
        assert_int_equal(vfs_size(f, &image->files[i].size), 0);
        image->files[i].data = malloc(image->files[i].size + 1);
        assert_int_equal(vfs_read(f, 0, image->files[i].data, image->files[i].size, VFS_LOG),
                         (int64_t)image->files[i].size);
        vfs_close(f);
    }
}

static int unlink_file(void *context, const char *name, bool is_directory)
{
    char path[300];
    (void)is_directory;
    snprintf(path, sizeof(path), "data/%s", name);
    return vfs_unlink(context, path);
}

static void image_write(struct world *w, const struct image *image)
{
    assert_int_equal(vfs_list(w->host.vfs, "data", unlink_file, w->host.vfs), 0);
    for (size_t i = 0; i < image->count; i++) {
        struct vfs_file *f;
        assert_int_equal(
            vfs_open(w->host.vfs, image->files[i].path, VFS_WRITE | VFS_CREATE, &f), 0);
        assert_int_equal(
            vfs_write(f, 0, bytes_of(image->files[i].data, image->files[i].size), VFS_LOG), 0);
        vfs_close(f);
    }
}

/* Every key reads as the oracle says, or the damage is reported. True when it was reported. */
static bool reads_right_or_says_so(struct world *w, const struct oracle *oracle)
{
    struct buffer out = {.allocator = &allocator_system};
    bool is_reported = false;
    for (size_t i = 0; i < oracle->count; i++) {
        int err = engine_get(w->engine, oracle_key(oracle, i), &out);
        if (err == -EBADMSG && strstr(engine_error(w->engine), "at offset"))
            is_reported = true;
        else if (err || !bytes_equal(buffer_bytes(&out), oracle_value(oracle, i)))
            fail_msg("a flipped bit gave another value (errno %d)", -err);
    }
    int differs = oracle_compare(oracle, w->engine);
    if (differs != 0 && differs != -EBADMSG)
        fail_msg("a flipped bit changed a scan: %d", differs);
    buffer_deinit(&out);
    return is_reported || differs != 0;
}

static void test_a_flipped_bit_is_detected_or_harmless(void **state)
{
    const struct engine_ops *ops = *state;
    void *options = small_options(ops);
    struct world w;
    struct outcome o = {0};
    struct image image;
    uint64_t flips = 0, detected = 0, reported_later = 0;
    world_init(&w, WORLD_DISK, 1);
    world_open(&w, ops, options);
    run(&w, &o);
    bool more = true;
    while (more) assert_int_equal(engine_maintain(w.engine, 4000, 0, &more), 0);
    struct engine_batch batch = {0};
    make_batch(&batch, 3);
    assert_int_equal(engine_write(w.engine, &batch, ENGINE_SYNC, 0), 0);
    oracle_apply(&o.sure, &batch);
    engine_batch_deinit(&batch);
    world_close(&w);
    image_read(&w, &image);
    for (size_t i = 0; i < image.count; i++)
        for (uint64_t at = 0; at < image.files[i].size; at++)
            for (int bit = 0; bit < 8; bit++) {
                if (!test_is_soak() && bit != (int)(at * 5 % 8)) continue;
                unsigned char *byte = &image.files[i].data[at];
                *byte ^= (unsigned char)(1 << bit);
                image_write(&w, &image);
                flips++;
                int err = world_try_open(&w, ops, options);
                if (err) {
                    assert_int_equal(err, -EBADMSG);
                    assert_non_null(strstr((char *)w.open_error.data, "at offset"));
                    detected++;
                } else {
                    reads_right_or_says_so(&w, &o.sure);
                    world_close(&w);
                }
                *byte ^= (unsigned char)(1 << bit);
                /* The same flip under an open engine. */
                if (at % 7 != 0) continue;
                struct vfs_file *f;
                unsigned char flipped = *byte ^ (unsigned char)(1 << bit);
                image_write(&w, &image);
                world_open(&w, ops, options);
                if (vfs_open(w.host.vfs, image.files[i].path, VFS_WRITE, &f) == 0) {
                    assert_int_equal(vfs_write(f, at, bytes_of(&flipped, 1), VFS_LOG), 0);
                    vfs_close(f);
                    reported_later += reads_right_or_says_so(&w, &o.sure);
                }
                world_close(&w);
            }
    print_message(
        "%s: %llu flips in %zu files, %llu found at open; under an open engine %llu\n",
        ops->name, (unsigned long long)flips, image.count, (unsigned long long)detected,
        (unsigned long long)reported_later);
    assert_true(detected > flips * 9 / 10 && reported_later > 0);
    for (size_t i = 0; i < image.count; i++) free(image.files[i].data);
    oracle_deinit(&o.sure);
    oracle_deinit(&o.maybe);
    world_deinit(&w);
    free(options);
}

#define T(f)                                                                                   \
    {                                                                                          \
#f, f                                                                                  \
    }
static const struct {
    const char *name;
    CMUnitTestFunction f;
} suite[] = {T(test_eio_at_every_operation),
             T(test_enospc_at_every_operation),
             T(test_every_allocation_fails),
             T(test_a_full_disk_leaves_no_half_batch_and_a_readable_engine),
             T(test_after_a_failed_sync_panic_refuses_and_retry_lies),
             T(test_a_flipped_bit_is_detected_or_harmless)};
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
    return _cmocka_run_group_tests("engine faults", tests, count, NULL, NULL);
}
