/* Goal: the benchmark of engines measures what it says and believes nobody: counts are exact,
 * simulated figures repeat, wrong answers, crashes and hangs of an engine are found and named,
 * and no file of anybody else is touched. Method: a small engine in memory that behaves, or
 * misbehaves in one way; the real ones on a simulated disk; a scratch folder.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/bench/engine_bench.h"
#include "sim/bench/folder.h"

/* ---- an engine that keeps keys below 10,000 and their generation ---- */

enum vice {
    HONEST,
    LOSES,    /* a key */
    INVENTS,  /* a key */
    SHORTENS, /* values */
    GARBLES,  /* values, keeping their length */
    SKIPS,    /* an entry of a scan */
    FAILS,    /* to write */
    ABORTS,
    EXITS,
    HANGS,
    TOILS, /* maintain() without end */
};
static enum vice vice;
static bool is_ordered = true;
#define TOY_KEYS 10000u
#define WORK_BYTES 1000u /* what maintain() writes after each put */

/* What a process leaves: the child of a benchmark forks, so this is its own. */
static struct {
    bool is_there[TOY_KEYS];
    char values[TOY_KEYS][128];
    size_t sizes[TOY_KEYS];
} toy_disk;

struct toy {
    struct engine base;
    struct vfs_file *file;
    uint64_t size;
    bool owes_work;
};
struct toy_cursor {
    struct engine_cursor base;
    uint64_t key;
    char text[BENCH_KEY_SIZE];
};
static const struct engine_ops engine_toy;

static uint64_t number_of(struct bytes key)
{
    char text[BENCH_KEY_SIZE + 1] = "";
    assert_int_equal(key.size, BENCH_KEY_SIZE);
    memcpy(text, key.data, BENCH_KEY_SIZE);
    char *end;
    uint64_t k = strtoull(text, &end, 10);
    return *end ? UINT64_MAX : k; /* a missing key */
}

static int toy_open(const struct engine_host *host, const char *dir, const void *options,
                    struct engine **out)
{
    (void)options;
    struct toy *toy = allocator_alloc(host->allocator, sizeof *toy);
    memset(toy, 0, sizeof *toy);
    toy->base.ops = &engine_toy;
    toy->base.host = *host;
    char path[64];
    snprintf(path, sizeof path, "%s/toy", dir);
    int err = vfs_mkdir(host->vfs, dir);
    if (err == -EEXIST) err = 0;
    if (!err) err = vfs_open(host->vfs, path, VFS_WRITE | VFS_CREATE, &toy->file);
    if (!err) err = vfs_size(toy->file, &toy->size);
    if (!err && toy->size == 0) memset(&toy_disk, 0, sizeof toy_disk);
    if (err) return err;
    *out = &toy->base;
    return 0;
}

static int toy_write(struct engine *engine, const struct engine_batch *batch,
                     enum engine_durability durability, int64_t now_ns)
{
    (void)now_ns;
    struct toy *toy = (struct toy *)engine;
    struct engine_batch_item item;
    size_t position = 0;
    if (vice == FAILS) return -EIO;
    if (vice == ABORTS) abort();
    if (vice == EXITS) _exit(7);
    while (vice == HANGS) usleep(1000);
    while (engine_batch_next(batch, &position, &item)) {
        uint64_t k = number_of(item.key);
        memcpy(toy_disk.values[k], item.value.data, item.value.size);
        toy_disk.sizes[k] = item.value.size;
        toy_disk.is_there[k] = true;
        int err = vfs_write(toy->file, toy->size, item.key, VFS_LOG);
        if (!err) err = vfs_write(toy->file, toy->size + item.key.size, item.value, VFS_LOG);
        if (err) return err;
        toy->size += item.key.size + item.value.size;
    }
    toy->owes_work = true;
    return durability == ENGINE_SYNC ? vfs_sync(toy->file, VFS_LOG) : 0;
}

static int toy_get(struct engine *engine, struct bytes key, struct buffer *value)
{
    (void)engine;
    uint64_t k = number_of(key);
    if (k == UINT64_MAX && vice == INVENTS) return buffer_assign(value, BYTES_LITERAL("?"));
    if (k >= TOY_KEYS || !toy_disk.is_there[k]) return -ENOENT;
    if (vice == LOSES && k == 77) return -ENOENT;
    size_t size = toy_disk.sizes[k] - (vice == SHORTENS && k == 77);
    int err = buffer_assign(value, bytes_of(toy_disk.values[k], size));
    if (!err && vice == GARBLES) value->data[3] ^= 1;
    return err;
}

static int toy_scan_open(struct engine *engine, const struct engine_range *range,
                         struct engine_cursor **out)
{
    struct toy_cursor *cursor = allocator_alloc(engine->host.allocator, sizeof *cursor);
    *cursor = (struct toy_cursor){.key = range->has_from ? number_of(range->from) : 0};
    *out = &cursor->base;
    return 0;
}

static int toy_scan_next(struct engine_cursor *base, struct bytes *key, struct bytes *value)
{
    struct toy_cursor *cursor = (struct toy_cursor *)base;
    if (vice == SKIPS && cursor->key == 77) cursor->key++;
    if (cursor->key >= TOY_KEYS || !toy_disk.is_there[cursor->key]) return 0;
    bench_key(cursor->text, cursor->key);
    *key = bytes_of(cursor->text, BENCH_KEY_SIZE);
    *value = bytes_of(toy_disk.values[cursor->key], toy_disk.sizes[cursor->key]);
    cursor->key++;
    return 1;
}

static void toy_scan_close(struct engine_cursor *cursor)
{
    allocator_free(cursor->engine->host.allocator, cursor, sizeof(struct toy_cursor));
}

/* Two slices a write: one that works, one that finds nothing. */
static int toy_maintain(struct engine *engine, uint64_t budget, int64_t now_ns, bool *more)
{
    (void)budget;
    (void)now_ns;
    struct toy *toy = (struct toy *)engine;
    static const char work[WORK_BYTES];
    *more = toy->owes_work || vice == TOILS;
    if (!toy->owes_work) return 0;
    toy->owes_work = false;
    int err = vfs_write(toy->file, 1 << 20, bytes_of(work, sizeof work), VFS_COMPACTION);
    return err ? err : vfs_sync(toy->file, VFS_COMPACTION);
}

static int toy_sync(struct engine *engine)
{
    return vfs_sync(((struct toy *)engine)->file, VFS_LOG);
}

static void toy_stats(struct engine *engine, struct engine_stats *stats)
{
    (void)engine;
    stats->memory_bytes = sizeof(struct toy);
}

static const char *toy_error(struct engine *engine)
{
    (void)engine;
    return vice == FAILS ? "the toy is broken" : "";
}

static void toy_close(struct engine *engine)
{
    vfs_close(((struct toy *)engine)->file);
    allocator_free(engine->host.allocator, engine, sizeof(struct toy));
}

static void toy_properties(struct engine *engine, engine_property_fn *each, void *context)
{
    (void)engine;
    each(context, "toy.parts", 3);
}

static const struct engine_ops engine_toy = {.abi_version = ENGINE_ABI_VERSION,
                                             .struct_size = sizeof engine_toy,
                                             .name = "toy",
                                             .capabilities = ENGINE_ORDERED,
                                             .key_size_max = 64,
                                             .value_size_max = 128,
                                             .open = toy_open,
                                             .write = toy_write,
                                             .get = toy_get,
                                             .scan_open = toy_scan_open,
                                             .scan_next = toy_scan_next,
                                             .scan_close = toy_scan_close,
                                             .maintain = toy_maintain,
                                             .sync = toy_sync,
                                             .stats = toy_stats,
                                             .error = toy_error,
                                             .close = toy_close,
                                             .properties = toy_properties};

/* ---- running ---- */

#define ROWS_MAX 32u
static struct bench_row rows[ROWS_MAX];
static size_t rows_count;
static char error[1024];

static void take_row(void *context, const struct bench_row *row)
{
    (void)context;
    assert_true(rows_count < ROWS_MAX);
    rows[rows_count++] = *row;
}

/* Workloads separated by blanks. */
static int run(struct bench_config *config, const char *workloads)
{
    static const struct bench_workload *list[ROWS_MAX];
    char words[512];
    snprintf(words, sizeof words, "%s", workloads);
    config->workloads = list;
    config->workloads_count = 0;
    char *rest = NULL;
    for (char *w = strtok_r(words, " ", &rest); w; w = strtok_r(NULL, " ", &rest)) {
        list[config->workloads_count] = bench_workload_find(w);
        assert_non_null(list[config->workloads_count++]);
    }
    rows_count = 0;
    error[0] = 0;
    struct bench_watcher watcher = {take_row, NULL, NULL};
    int err = bench_run(config, &watcher, error, sizeof error);
    assert_int_equal(err != 0, error[0] != 0);
    return err;
}

static struct bench_config toy_config(uint64_t keys)
{
    static struct engine_ops toy;
    toy = engine_toy;
    toy.capabilities = is_ordered ? ENGINE_ORDERED : 0;
    struct bench_config config;
    bench_config_init(&config, &toy);
    config.disk = &disk_preset_find("nvme_dc")->config;
    config.keys = keys;
    return config;
}

#define BUDGET_NS (2 * NS_PER_MS) /* enough for a few hundred reads of any engine */
#define SIM_OPS                                                                                \
    "fillsync fillseq fillrandom readrandom readmissing readseq scan100 overwrite "            \
    "reopen ycsb_a ycsb_b ycsb_c ycsb_d ycsb_e ycsb_f recover fillbatch"

/* ---- figures ---- */

static void test_every_workload_counts_exactly(void **state)
{
    (void)state;
    struct bench_config config = toy_config(1000);
    assert_int_equal(run(&config, SIM_OPS), 0);
    assert_int_equal(rows_count, 17);
    static const struct {
        const char *workload;
        uint64_t operations, puts, gets, entries;
    } expected[] = {{"fillsync", 1000, 1000, 0, 0},
                    {"fillseq", 1000, 1000, 0, 0},
                    {"fillrandom", 1000, 1000, 0, 0},
                    {"readrandom", 1000, 0, 1000, 0},
                    {"readmissing", 1000, 0, 1000, 0},
                    {"readseq", 1000, 0, 0, 1000},
                    {"scan100", 10000, 0, 0, 949755},
                    {"overwrite", 1000, 1000, 0, 0},
                    {"reopen", 5, 0, 5, 0}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_string_equal(rows[i].workload, expected[i].workload);
        assert_string_equal(rows[i].engine, "toy");
        assert_int_equal(rows[i].operations, expected[i].operations);
        assert_int_equal(rows[i].planned, expected[i].operations);
        assert_int_equal(rows[i].puts, expected[i].puts);
        assert_int_equal(rows[i].gets, expected[i].gets);
        if (strcmp(expected[i].workload, "scan100") != 0)
            assert_int_equal(rows[i].entries, expected[i].entries);
        assert_int_equal(rows[i].user_write_bytes, expected[i].puts * 116);
    }
    for (size_t i = 9; i < 15; i++) {
        assert_int_equal(rows[i].operations, 1000);
        assert_true(rows[i].live_bytes >= 1000 * 116);
    }
    assert_int_equal(rows[15].operations, 1); /* recover */
    assert_int_equal(rows[16].operations, 1000);
    assert_int_equal(rows[16].batch_size, 1000);
    assert_int_equal(rows[16].latency.count, 1); /* one batch, one call */
    assert_int_equal(rows[0].properties_count, 1);
    assert_string_equal(rows[0].properties[0].name, "toy.parts");
}

/* The toy writes key and value, no more, and 1,000 bytes and a sync in each maintain(). */
static void test_foreground_and_background_are_told_apart(void **state)
{
    (void)state;
    struct bench_config config = toy_config(100);
    assert_int_equal(run(&config, "fillsync"), 0);
    double value = -1;
    assert_true(bench_syncs_per_put(&rows[0], &value) && value == 1.0);
    assert_true(bench_extra_bytes_per_put(&rows[0], &value) && value == 0.0);
    assert_true(bench_write_amplification(&rows[0], &value));
    assert_true(value == (116.0 + WORK_BYTES) / 116.0);
    assert_int_equal(rows[0].all.syncs[VFS_COMPACTION], 100);
    assert_int_equal(rows[0].all.write_bytes[VFS_COMPACTION], 100 * WORK_BYTES);
    assert_int_equal(rows[0].latency.count, 100);
    /* The time of maintain() is in the elapsed time, not in the latencies. */
    uint64_t p50 = histogram_quantile(&rows[0].latency, 500000);
    assert_true(2 * (uint64_t)rows[0].elapsed_ns > 3 * 100 * p50);
    assert_int_equal(run(&config, "readrandom"), 0);
    assert_false(bench_write_amplification(&rows[0], &value));
    assert_false(bench_syncs_per_put(&rows[0], &value));
    assert_false(bench_extra_bytes_per_put(&rows[0], &value));
    assert_true(bench_read_amplification(&rows[0], &value) && value == 0.0);
}

static void test_values_read_are_summed_alike_for_every_engine(void **state)
{
    (void)state;
    struct bench_config config = toy_config(200);
    assert_int_equal(run(&config, "fillrandom readrandom readseq overwrite readrandom"), 0);
    uint64_t sums[] = {rows[1].checksum, rows[2].checksum, rows[4].checksum};
    assert_true(sums[0] && sums[1] && sums[2] && sums[0] != sums[2]);
    for (size_t i = 0; engine_registry[i]; i++) {
        config.engine = engine_registry[i];
        assert_int_equal(run(&config, "fillrandom readrandom readseq overwrite readrandom"), 0);
        assert_true(rows[1].checksum == sums[0]);
        assert_true(rows[2].checksum == sums[1]);
        assert_true(rows[4].checksum == sums[2]);
    }
}

static void test_unordered_engines_skip_range_scans(void **state)
{
    (void)state;
    is_ordered = false;
    struct bench_config config = toy_config(100);
    is_ordered = true;
    assert_int_equal(run(&config, "scan100 readseq ycsb_e"), 0);
    assert_true(rows[0].skipped[0] && !rows[1].skipped[0] && rows[2].skipped[0]);
    assert_int_equal(rows[0].operations, 0);
    assert_int_equal(rows[1].operations, 100);
}

static void test_a_store_of_other_size_is_loaded_anew(void **state)
{
    (void)state;
    struct bench_config config = toy_config(3000);
    assert_int_equal(run(&config, "fillsync readseq"), 0);
    assert_int_equal(rows[0].operations, 2000); /* no more durable puts than these */
    assert_int_equal(rows[0].keys, 2000);
    assert_int_equal(rows[1].operations, 3000);
}

/* ---- every engine ---- */

static void test_every_engine_does_every_workload_on_a_simulated_disk(void **state)
{
    (void)state;
    for (size_t i = 0; engine_registry[i]; i++) {
        struct bench_config config = toy_config(300);
        config.engine = engine_registry[i];
        config.budget_ns = BUDGET_NS;
        assert_int_equal(run(&config, SIM_OPS), 0);
        double value = 0;
        assert_true(bench_syncs_per_put(&rows[0], &value) && value == 1.0);
        for (size_t r = 0; r < rows_count; r++) {
            if (rows[r].skipped[0] || rows[r].operations < rows[r].planned) continue;
            assert_int_equal(rows[r].cpu_ns, 0);
            assert_true(rows[r].disk_bytes >= rows[r].live_bytes);
        }
    }
}

static void forget_host(struct bench_row *row)
{
    row->host_cpu_ns = row->host_elapsed_ns = row->host_wait_ns = row->host_system_ns = 0;
}

static void test_simulated_rows_are_the_same_each_time(void **state)
{
    (void)state;
    static struct bench_row before[ROWS_MAX];
    for (size_t i = 0; engine_registry[i]; i++) {
        struct bench_config config = toy_config(200);
        config.engine = engine_registry[i];
        config.disk = &disk_preset_find("cloud")->config; /* the device that draws most */
        config.budget_ns = BUDGET_NS;
        assert_int_equal(run(&config, SIM_OPS), 0);
        memcpy(before, rows, sizeof rows);
        size_t count = rows_count;
        assert_int_equal(run(&config, SIM_OPS), 0);
        assert_int_equal(rows_count, count);
        for (size_t r = 0; r < count; r++) {
            forget_host(&before[r]);
            forget_host(&rows[r]);
            assert_memory_equal(&before[r], &rows[r], sizeof rows[r]);
        }
        int64_t elapsed = rows[0].elapsed_ns;
        config.seed = 2;
        assert_int_equal(run(&config, "fillsync"), 0);
        assert_true(rows[0].elapsed_ns != elapsed);
    }
}

static void test_measured_cpu_is_added_to_virtual_time(void **state)
{
    (void)state;
    struct bench_config config = toy_config(1000);
    config.engine = engine_find("log");
    config.keys = 2000;
    assert_int_equal(run(&config, "fillrandom"), 0);
    int64_t disk_alone = rows[0].elapsed_ns;
    config.cpu_measured = true;
    assert_int_equal(run(&config, "fillrandom"), 0);
    assert_true(rows[0].cpu_ns > 0);
    assert_true(rows[0].elapsed_ns > disk_alone);
    /* All of the difference is the engine's, but for its close, which is not in elapsed_ns. */
    assert_true(rows[0].elapsed_ns - disk_alone <= rows[0].cpu_ns);
    assert_true(rows[0].cpu_ns <= rows[0].host_cpu_ns);
    /* The driver's part too: more than the engine's, still no more than there was. */
    int64_t engine_alone = rows[0].cpu_ns;
    config.cpu_whole = true;
    assert_int_equal(run(&config, "fillrandom"), 0);
    assert_true(rows[0].cpu_ns > engine_alone);
    assert_true(rows[0].elapsed_ns - disk_alone <= rows[0].cpu_ns);
    assert_true(rows[0].cpu_ns <= rows[0].host_cpu_ns);
}

static void test_waiting_and_kernel_time_are_parts_of_the_clocks(void **state)
{
    (void)state;
    struct bench_config config = toy_config(2000);
    char folder[] = "/tmp/faultline-bench-wait-XX"
                    "XXXX";
    assert_non_null(mkdtemp(folder));
    config.engine = engine_find("log");
    config.folder = folder;
    config.disk = NULL;
    config.keys = 20000;
    assert_int_equal(run(&config, "fillrandom reopen"), 0);
    for (size_t i = 0; i < 2; i++) {
        assert_true(rows[i].host_wait_ns >= 0);
        assert_true(rows[i].host_wait_ns <= rows[i].host_elapsed_ns);
        assert_true(rows[i].host_system_ns >= 0);
    }
    rmdir(folder);
}

static void test_the_budget_ends_reads_that_take_too_long(void **state)
{
    (void)state;
    struct bench_config config = toy_config(2000);
    config.engine = engine_find("log");
    config.budget_ns = NS_PER_MS;
    assert_int_equal(run(&config, "fillrandom readrandom overwrite"), 0);
    assert_int_equal(rows[0].operations, 2000); /* a fill is never cut */
    assert_true(rows[1].operations >= 1 && rows[1].operations < rows[1].planned);
    assert_int_equal(rows[1].planned, 2000);
    assert_int_equal(rows[1].gets, rows[1].operations);
    assert_true(rows[1].elapsed_ns >= NS_PER_MS);
    assert_true(rows[2].operations < rows[2].planned);
}

/* ---- engines that misbehave ---- */

static void misbehaves(enum vice what, const char *workloads, int err, const char *text)
{
    struct bench_config config = toy_config(1000);
    if (what == HANGS) config.silence_s = 1;
    vice = what;
    int found = run(&config, workloads);
    vice = HONEST;
    if (found != err || !strstr(error, text))
        fail_msg("'%s': %d instead of %d, '%s' not in '%s'", workloads, found, err, text,
                 error);
    assert_non_null(strstr(error, "toy"));
}

static void test_wrong_answers_are_found(void **state)
{
    (void)state;
    misbehaves(LOSES, "fillseq readrandom", -EBADMSG, "lost key 77");
    misbehaves(INVENTS, "fillseq readmissing", -EBADMSG, "never put");
    misbehaves(SHORTENS, "fillseq readrandom", -EBADMSG, "99 bytes");
    misbehaves(GARBLES, "fillseq readrandom", -EBADMSG, "wrong value");
    misbehaves(SKIPS, "fillseq readseq", -EBADMSG, "instead of 1000");
    misbehaves(SKIPS, "fillseq scan100", -EBADMSG, "missed one");
    misbehaves(GARBLES, "fillseq ycsb_b", -EBADMSG, "wrong value");
}

static void test_failures_are_told_with_the_workload_and_the_engines_words(void **state)
{
    (void)state;
    misbehaves(FAILS, "fillseq", -EIO, "fillseq: write: Input/output error: the toy is broken");
    misbehaves(TOILS, "fillseq", -ELOOP, "no end");
}

static void test_a_dead_or_silent_engine_is_told(void **state)
{
    (void)state;
    misbehaves(ABORTS, "fillseq", -ECHILD, "signal 6");
    misbehaves(EXITS, "fillseq", -ECHILD, "status 7");
    misbehaves(HANGS, "fillseq", -ETIME, "no sign of life");
}

/* ---- real files ---- */

static char scratch[] = "/tmp/faultline-bench-test-XX"
                        "XXXX";

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *format, ...)
{
    char command[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(command, sizeof command, format, list);
    va_end(list);
    assert_int_equal(system(command), 0);
}

static int scratch_make(void **state)
{
    (void)state;
    strcpy(scratch + strlen(scratch) - 6, "XX"
                                          "XXXX");
    return mkdtemp(scratch) ? 0 : -1;
}

static int scratch_remove(void **state)
{
    (void)state;
    shell("rm -rf %s", scratch);
    return 0;
}

static bool exists(const char *name)
{
    char path[512];
    struct stat status;
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    return lstat(path, &status) == 0;
}

static void test_every_engine_is_measured_on_real_files(void **state)
{
    (void)state;
    for (size_t i = 0; engine_registry[i]; i++) {
        struct bench_folder folder;
        assert_int_equal(bench_folder_make(&folder, scratch), 0);
        struct bench_config config;
        bench_config_init(&config, engine_registry[i]);
        config.folder = folder.path;
        config.keys = 100;
        config.budget_ns = 50 * NS_PER_MS;
        assert_int_equal(run(&config, "fillsync fillrandom readrandom readmissing readseq "
                                      "overwrite reopen recover ycsb_f"),
                         0);
        for (size_t r = 0; r < rows_count; r++) {
            double rate = 0;
            assert_true(bench_cpu_rate(&rows[r], &rate) && rate > 0);
            assert_true(rows[r].elapsed_ns > 0 && bench_rate(&rows[r]) > 0);
            assert_true(rows[r].resident_bytes >= 1 << 18); /* a process has as much */
            assert_true(rows[r].disk_bytes >= rows[r].live_bytes);
        }
        bench_folder_remove(&folder);
        assert_true(access(folder.path, F_OK) != 0);
    }
    assert_true(exists("")); /* the user's folder stays */
}

static void test_only_what_carries_our_marker_is_removed(void **state)
{
    (void)state;
    shell(
        "cd %s && mkdir faultline-bench-theirs faultline-bench-left faultline-bench-live other"
        " && echo precious | tee file faultline-bench-theirs/file other/file >/dev/null"
        " && touch faultline-bench-left/.made-by-faultline-bench"
        " faultline-bench-live/.made-by-faultline-bench"
        " && mkdir faultline-bench-left/store && touch faultline-bench-left/store/data"
        " && ln -s ../other faultline-bench-left/link",
        scratch);
    char path[512];
    snprintf(path, sizeof path, "%s/faultline-bench-live/.made-by-faultline-bench", scratch);
    int lock = open(path, O_RDWR);
    assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), 0);
    struct bench_folder folder;
    assert_int_equal(bench_folder_make(&folder, scratch), 0);
    bench_folder_remove(&folder);
    assert_true(exists("file") && exists("other/file") &&
                exists("faultline-bench-theirs/file"));
    assert_true(exists("faultline-bench-live")); /* its benchmark lives */
    assert_false(exists("faultline-bench-left"));
    close(lock);
}

static void test_a_folder_that_is_not_there_is_refused_and_not_made(void **state)
{
    (void)state;
    char path[512];
    snprintf(path, sizeof path, "%s/new", scratch);
    struct bench_folder folder;
    assert_int_equal(bench_folder_make(&folder, path), -ENOENT);
    assert_false(exists("new"));
    shell("touch %s/file", scratch);
    snprintf(path, sizeof path, "%s/file", scratch);
    assert_int_equal(bench_folder_make(&folder, path), -ENOTDIR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_workload_counts_exactly),
        cmocka_unit_test(test_foreground_and_background_are_told_apart),
        cmocka_unit_test(test_values_read_are_summed_alike_for_every_engine),
        cmocka_unit_test(test_unordered_engines_skip_range_scans),
        cmocka_unit_test(test_a_store_of_other_size_is_loaded_anew),
        cmocka_unit_test(test_every_engine_does_every_workload_on_a_simulated_disk),
        cmocka_unit_test(test_simulated_rows_are_the_same_each_time),
        cmocka_unit_test(test_measured_cpu_is_added_to_virtual_time),
        cmocka_unit_test(test_waiting_and_kernel_time_are_parts_of_the_clocks),
        cmocka_unit_test(test_the_budget_ends_reads_that_take_too_long),
        cmocka_unit_test(test_wrong_answers_are_found),
        cmocka_unit_test(test_failures_are_told_with_the_workload_and_the_engines_words),
        cmocka_unit_test(test_a_dead_or_silent_engine_is_told),
        cmocka_unit_test_setup_teardown(test_every_engine_is_measured_on_real_files,
                                        scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_only_what_carries_our_marker_is_removed,
                                        scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(test_a_folder_that_is_not_there_is_refused_and_not_made,
                                        scratch_make, scratch_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
