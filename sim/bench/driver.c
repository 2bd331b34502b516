/* One engine through its workloads.
 *
 * Latencies. Reading the clock twice takes some 50 ns, a get from memory 200: to time each
 * operation would measure the clock. So the first WARM_UP operations are all timed; when they
 * are short (SHORT_NS), one operation in SAMPLE_EVERY is timed from then on, at random
 * distances, so that no period of the engine hides between them, and the histogram begins
 * anew. Quantiles of such a sample are those of all operations; the maximum is not.
 *
 * Sizes of a store. Keys 0 .. live-1 are there after every workload; a workload begins with the
 * handle that the one before left open, after writes with one opened again.
 *
 * What is checked: each get finds its key or not, as it must; a value has its length, and where
 * it is timed, its bytes; scans return as many entries as there are. All values read are
 * summed, as in the program that peers are measured with.
 */
#define _GNU_SOURCE
#include "sim/bench/driver.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/bench/place.h"
#include "sim/kernel/arena.h"

#define WARM_UP 256u
#define SHORT_NS 2000
#define SAMPLE_EVERY 16u
#define SAMPLE_ALL_BELOW 4096u /* operations: few enough to time each */
#define PROGRESS_NS (100 * NS_PER_MS)
#define SETTLE_EVERY 256u
#define SCAN_CHECK_EVERY 64u /* entries between two looks at the clock */
#define REOPENS 5u           /* of the workload reopen */
#define SLICES_MAX 1000000u  /* of maintain() after one write: more is no end */
#define SIM_READ_BYTES_MAX (UINT64_C(1) << 30) /* of a workload on a simulated disk */

struct driver {
    const struct bench_config *config;
    struct place place;
    struct bench_pool *pool;
    struct engine *engine; /* NULL: closed */
    struct engine_batch batch;
    struct buffer value;
    uint64_t live; /* keys 0 .. live-1 are in the store */
    int out;
    int64_t now_ns;      /* a recent reading of the place's clock, for engine calls */
    int64_t reported_ns; /* host time of the last progress message */
    uint64_t jitter;     /* state of the distances between timed operations */
    char error[ERROR_TEXT_SIZE];
};

/* One workload under way. */
struct task {
    const struct bench_workload *workload;
    struct bench_row *row;
    uint32_t batch_size;
    bool is_measured; /* false: a load; nobody counts, nothing ends it */
    int64_t began_ns, began_cpu_ns, began_host_ns, began_host_cpu_ns, began_wait_ns,
        began_system_ns;
};

/* ---- messages ---- */

static void send_bytes(int out, const void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = write(out, (const char *)data + done, size - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) _exit(1); /* nobody listens any more */
        done += (size_t)n;
    }
}

static void send_message(int out, enum message_kind kind, const void *body, size_t size)
{
    struct message message = {(uint32_t)kind, (uint32_t)size};
    send_bytes(out, &message, sizeof message);
    send_bytes(out, body, size);
}

static void report_progress(struct driver *d, const struct bench_workload *w, uint64_t done,
                            uint64_t planned)
{
    int64_t now = host_mono_ns();
    if (now - d->reported_ns < PROGRESS_NS) return;
    d->reported_ns = now;
    struct progress_message message = {.done = done, .planned = planned};
    snprintf(message.workload, sizeof message.workload, "%s", w->name);
    send_message(d->out, MESSAGE_PROGRESS, &message, sizeof message);
}

static int fail(struct driver *d, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static int fail(struct driver *d, int err, const char *format, ...)
{
    if (d->error[0]) return err;
    va_list list;
    va_start(list, format);
    vsnprintf(d->error, sizeof d->error, format, list);
    va_end(list);
    return err;
}

static int fail_engine(struct driver *d, int err, const char *call)
{
    const char *text = d->engine                  ? engine_error(d->engine)
                       : d->place.open_error.size ? (const char *)d->place.open_error.data
                                                  : "";
    return fail(d, err, "%s: %s%s%s", call, strerror(-err), *text ? ": " : "", text);
}

/* ---- the store ---- */

static int store_open(struct driver *d)
{
    if (d->engine) return 0;
    buffer_clear(&d->place.open_error);
    place_begin(&d->place);
    int err = engine_open(d->config->engine, &d->place.host, PLACE_STORE, d->config->options,
                          &d->engine);
    place_end(&d->place);
    if (err) d->engine = NULL;
    return err ? fail_engine(d, err, "open") : 0;
}

static void store_close(struct driver *d)
{
    if (!d->engine) return;
    place_begin(&d->place);
    engine_close(d->engine);
    place_end(&d->place);
    d->engine = NULL;
    place_settle(&d->place);
}

static int store_wipe(struct driver *d)
{
    store_close(d);
    int err = place_wipe(&d->place);
    d->live = 0;
    return err ? fail(d, err, "the old store cannot be removed: %s", strerror(-err)) : 0;
}

static int maintain(struct driver *d)
{
    bool more = true;
    for (uint32_t slices = 0; more; slices++) {
        more = false;
        place_begin(&d->place);
        int err = engine_maintain(d->engine, d->config->maintain_bytes, d->now_ns, &more);
        place_end(&d->place);
        if (err) return fail_engine(d, err, "maintain");
        if (slices == SLICES_MAX) return fail(d, -ELOOP, "maintain() has no end");
    }
    return 0;
}

/* ---- what the process took ---- */

static uint64_t proc_field(const char *path, const char *field)
{
    FILE *file = fopen(path, "r");
    uint64_t value = 0;
    char line[256];
    size_t size = strlen(field);
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, field, size) && line[size] == ':')
            value = strtoull(line + size + 1, NULL, 10);
    if (file) fclose(file);
    return value;
}

/* The high-water mark of resident memory begins anew. */
static void resident_reset(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (!file) return;
    fputs("5", file);
    fclose(file);
}

static uint64_t resident_max(void)
{
    return proc_field("/proc/self/status", "VmHWM") * 1024;
}

/* ---- begin and end of what is measured ---- */

static void measure_begin(struct driver *d, struct task *task)
{
    struct place *place = &d->place;
    struct bench_row *row = task->row;
    memset(&place->counting.counters, 0, sizeof place->counting.counters);
    place->memory.bytes_max = place->memory.bytes;
    if (!place->disk) {
        resident_reset();
        row->device_write_bytes = proc_field("/proc/self/io", "write_bytes");
        row->device_read_bytes = proc_field("/proc/self/io", "read_bytes");
    }
    row->latency_every = 1;
    task->began_wait_ns = host_wait_ns();
    task->began_system_ns = host_system_ns();
    task->began_host_ns = host_mono_ns();
    task->began_host_cpu_ns = host_cpu_ns();
    task->began_ns = d->now_ns = place_now(place);
    task->began_cpu_ns = place_cpu(place);
}

static void take_property(void *context, const char *name, uint64_t value)
{
    struct bench_row *row = context;
    if (row->properties_count == BENCH_PROPERTIES_MAX) return;
    struct bench_property *property = &row->properties[row->properties_count++];
    snprintf(property->name, sizeof property->name, "%s", name);
    property->value = value;
}

/* The clocks stop; the store is closed after writes, and that CPU counts. */
static void measure_end(struct driver *d, struct task *task)
{
    struct place *place = &d->place;
    struct bench_row *row = task->row;
    int64_t ended = place_now(place);
    row->elapsed_ns = ended - task->began_ns;
    row->host_elapsed_ns = host_mono_ns() - task->began_host_ns;
    row->host_wait_ns = host_wait_ns() - task->began_wait_ns;
    row->host_system_ns = host_system_ns() - task->began_system_ns;
    int64_t cpu = place_cpu(place), host_cpu = host_cpu_ns();
    engine_stats(d->engine, &row->stats);
    engine_properties(d->engine, take_property, row);
    row->idle_bytes = place->memory.bytes;
    row->write_stalls = row->stats.write_stalls;
    if (task->workload->writes) {
        int64_t close_cpu = place_cpu(place), close_host_cpu = host_cpu_ns(),
                close_ns = place_now(place);
        store_close(d);
        row->close_ns = place_now(place) - close_ns;
        cpu += place_cpu(place) - close_cpu;
        host_cpu += host_cpu_ns() - close_host_cpu;
    }
    row->cpu_ns = cpu - task->began_cpu_ns;
    row->host_cpu_ns = host_cpu - task->began_host_cpu_ns;
    row->all = place->counting.counters;
    row->allocated_bytes_max = place->memory.bytes_max;
    if (place->disk) {
        row->resident_bytes = place->memory.bytes_max;
    } else {
        row->resident_bytes = resident_max();
        row->device_write_bytes =
            proc_field("/proc/self/io", "write_bytes") - row->device_write_bytes;
        row->device_read_bytes =
            proc_field("/proc/self/io", "read_bytes") - row->device_read_bytes;
    }
    row->disk_bytes = place_disk_bytes(place);
    row->live_bytes = d->live * (BENCH_KEY_SIZE + d->config->value_size);
}

/* ---- single operations ---- */

static inline void counters_add(struct vfs_counters *sum, const struct vfs_counters *before,
                                const struct vfs_counters *after)
{
    for (int i = 0; i < VFS_PURPOSES; i++) {
        sum->reads[i] += after->reads[i] - before->reads[i];
        sum->writes[i] += after->writes[i] - before->writes[i];
        sum->syncs[i] += after->syncs[i] - before->syncs[i];
        sum->read_bytes[i] += after->read_bytes[i] - before->read_bytes[i];
        sum->write_bytes[i] += after->write_bytes[i] - before->write_bytes[i];
    }
    sum->name_calls += after->name_calls - before->name_calls;
}

/* Touches a value as its user would; false when it has not the size that was put. */
static inline bool consume(struct driver *d, struct bench_row *row, struct bytes value)
{
    const char *bytes = value.data;
    uint64_t sum = 0, w;
    for (size_t i = 0; i + 8 <= value.size; i += 8) {
        memcpy(&w, bytes + i, 8);
        sum += w;
    }
    row->checksum += sum;
    return value.size == d->config->value_size;
}

/* The value is one that was put for this key. */
static int value_judge(struct driver *d, uint64_t key)
{
    size_t size = d->config->value_size;
    if (d->value.size == size)
        for (uint32_t generation = 0; generation < 2; generation++)
            if (!memcmp(d->value.data, bench_value(d->pool, key, generation), size)) return 0;
    return fail(d, -EBADMSG, "wrong value for key %llu", (unsigned long long)key);
}

static int do_get(struct driver *d, struct task *task, uint64_t key, bool is_missing)
{
    char text[BENCH_KEY_SIZE];
    bench_key(text, key);
    if (is_missing) text[BENCH_KEY_SIZE - 1] = 'x';
    place_begin(&d->place);
    int err = engine_get(d->engine, bytes_of(text, sizeof text), &d->value);
    place_end(&d->place);
    task->row->gets++;
    if (is_missing && err == -ENOENT) return 0;
    if (is_missing && !err)
        return fail(d, -EBADMSG, "found a key that was never put: %.16s", text);
    if (err == -ENOENT) return fail(d, -EBADMSG, "lost key %llu", (unsigned long long)key);
    if (err) return fail_engine(d, err, "get");
    if (!consume(d, task->row, buffer_bytes(&d->value)))
        return fail(d, -EBADMSG, "a value of %zu bytes for key %llu", d->value.size,
                    (unsigned long long)key);
    return 0;
}

static int batch_add(struct driver *d, uint64_t key, uint32_t generation)
{
    char text[BENCH_KEY_SIZE];
    bench_key(text, key);
    int err = engine_batch_put(
        &d->batch, bytes_of(text, sizeof text),
        bytes_of(bench_value(d->pool, key, generation), d->config->value_size));
    return err ? fail(d, err, "batch: %s", strerror(-err)) : 0;
}

static int do_write(struct driver *d, struct task *task)
{
    bool counts = task->workload->syncs;
    struct vfs_counters before;
    if (counts) before = d->place.counting.counters;
    place_begin(&d->place);
    int err = engine_write(d->engine, &d->batch,
                           task->workload->syncs ? ENGINE_SYNC : ENGINE_NO_SYNC, d->now_ns);
    place_end(&d->place);
    if (err) return fail_engine(d, err, "write");
    if (counts) counters_add(&task->row->puts_only, &before, &d->place.counting.counters);
    task->row->puts += d->batch.count;
    engine_batch_clear(&d->batch);
    return 0;
}

static bool is_over(struct driver *d, struct task *task, int64_t now)
{
    if (!task->is_measured || task->workload->store == STORE_FRESH) return false;
    if (now - task->began_ns >= d->config->budget_ns) return true;
    return d->place.disk &&
           vfs_count_sum(d->place.counting.counters.read_bytes) >= SIM_READ_BYTES_MAX;
}

/* Keys are 0 .. live-1 without a gap, so a scan in order that ends where it must has missed
 * nothing. */
static bool ends_well(struct driver *d, uint64_t key, uint64_t entries, struct bytes last)
{
    if (!entries || !(d->config->engine->capabilities & ENGINE_ORDERED)) return true;
    char text[BENCH_KEY_SIZE];
    bench_key(text, key + entries - 1);
    return bytes_equal(last, bytes_of(text, sizeof text));
}

/* A scan from `key` (or over all) of at most `entries_max` entries, of which `expected` are
 * there. *cut: the budget ended it. */
static int do_scan(struct driver *d, struct task *task, const uint64_t *key,
                   uint64_t entries_max, uint64_t expected, uint64_t *entries, bool *cut)
{
    char text[BENCH_KEY_SIZE];
    struct engine_range range = {0};
    if (key) {
        bench_key(text, *key);
        range.from = bytes_of(text, sizeof text);
        range.has_from = true;
    }
    struct engine_cursor *cursor;
    struct bytes found = {0}, value;
    place_begin(&d->place);
    int n = engine_scan_open(d->engine, &range, &cursor);
    if (n) {
        place_end(&d->place);
        return fail_engine(d, n, "scan");
    }
    uint64_t count = 0;
    n = 1;
    while (count < entries_max && (n = engine_scan_next(cursor, &found, &value)) > 0) {
        if (++count == expected && !ends_well(d, key ? *key : 0, count, found)) {
            n = -EBADMSG;
            fail(d, n, "a scan of %llu entries missed one", (unsigned long long)count);
            break;
        }
        if (!consume(d, task->row, value)) {
            n = -EBADMSG;
            fail(d, n, "scan: a value of %zu bytes", value.size);
            break;
        }
        if (!key && count % SCAN_CHECK_EVERY == 0) {
            int64_t now = place_now(&d->place);
            if ((*cut = is_over(d, task, now))) break;
            if (count % (SCAN_CHECK_EVERY * 64) == 0) {
                place_settle(&d->place);
                report_progress(d, task->workload, count, d->live);
            }
        }
    }
    engine_scan_close(cursor);
    place_end(&d->place);
    if (n < 0) return fail_engine(d, n, "scan");
    task->row->entries += count;
    *entries = count;
    return 0;
}

static int do_scan_some(struct driver *d, struct task *task,
                        const struct bench_operation *operation)
{
    uint64_t entries = 0, left = d->live - operation->key,
             expected = operation->entries < left ? operation->entries : left;
    bool cut = false;
    int err = do_scan(d, task, &operation->key, operation->entries, expected, &entries, &cut);
    if (err) return err;
    if (entries != expected)
        return fail(d, -EBADMSG, "scan from key %llu: %llu entries instead of %llu",
                    (unsigned long long)operation->key, (unsigned long long)entries,
                    (unsigned long long)expected);
    return 0;
}

static int do_scan_all(struct driver *d, struct task *task)
{
    uint64_t entries = 0;
    bool cut = false;
    int err = do_scan(d, task, NULL, UINT64_MAX, d->live, &entries, &cut);
    if (err) return err;
    if (!cut && entries != d->live)
        return fail(d, -EBADMSG, "a scan over everything: %llu entries instead of %llu",
                    (unsigned long long)entries, (unsigned long long)d->live);
    task->row->operations = entries;
    task->row->planned = d->live;
    return 0;
}

/* ---- a stream of operations ---- */

/* Which operations are timed; see above. */
struct sampler {
    uint64_t every, countdown, timed;
    int64_t total_ns;
};

static void sampler_next(struct driver *d, struct sampler *sampler)
{
    sampler->countdown = 1;
    if (sampler->every == 1) return;
    d->jitter += UINT64_C(0x9E3779B97F4A7C15);
    sampler->countdown += mix64(d->jitter) % (2 * sampler->every - 1);
}

static void sampler_add(struct driver *d, struct task *task, struct sampler *sampler,
                        int64_t latency)
{
    histogram_add(&task->row->latency, latency);
    sampler->total_ns += latency;
    if (++sampler->timed == WARM_UP && (!d->place.disk || d->place.meter.is_whole) &&
        task->row->planned >= SAMPLE_ALL_BELOW && sampler->total_ns < SHORT_NS * WARM_UP) {
        sampler->every = task->row->latency_every = SAMPLE_EVERY;
        memset(&task->row->latency, 0, sizeof task->row->latency);
    }
    sampler_next(d, sampler);
}

static int operate(struct driver *d, struct task *task, const struct bench_operation *operation)
{
    switch (operation->type) {
    case BENCH_FILL:
    case BENCH_UPDATE: return do_write(d, task); /* the batch is full */
    case BENCH_GET: return do_get(d, task, operation->key, false);
    case BENCH_GET_MISSING: return do_get(d, task, operation->key, true);
    case BENCH_SCAN: return do_scan_some(d, task, operation);
    case BENCH_SCAN_ALL: return do_scan_all(d, task);
    case BENCH_MODIFY: {
        int err = do_get(d, task, operation->key, false);
        if (!err) err = batch_add(d, operation->key, 1);
        return err ? err : do_write(d, task);
    }
    }
    return -EINVAL;
}

static int stream_run(struct driver *d, struct task *task, struct bench_stream *stream)
{
    struct bench_row *row = task->row;
    struct bench_operation operation;
    struct sampler sampler = {.every = 1, .countdown = 1};
    uint64_t done = 0, planned = bench_stream_count(stream);
    row->planned = planned;
    bool is_scan_all = false;
    while (bench_stream_next(stream, &operation)) {
        bool is_put = operation.type <= BENCH_UPDATE;
        is_scan_all = operation.type == BENCH_SCAN_ALL;
        done++;
        if (is_put) {
            int err = batch_add(d, operation.key, operation.type == BENCH_UPDATE);
            if (err) return err;
            if (operation.key >= d->live) d->live = operation.key + 1;
            if (d->batch.count < task->batch_size && done < planned) continue;
        }
        bool is_timed = --sampler.countdown == 0;
        int64_t before = is_timed ? place_now(&d->place) : 0;
        int err = operate(d, task, &operation);
        if (err) return err;
        if (is_timed) {
            d->now_ns = place_now(&d->place);
            if (!is_scan_all) sampler_add(d, task, &sampler, d->now_ns - before);
            if (operation.type == BENCH_GET && (err = value_judge(d, operation.key)))
                return err;
            if (is_over(d, task, d->now_ns)) break;
            if (!d->place.disk || done % SETTLE_EVERY == 0)
                report_progress(d, task->workload, done, planned);
        }
        if (task->workload->writes && (is_put || operation.type == BENCH_MODIFY) &&
            (err = maintain(d)))
            return err;
        if (done % SETTLE_EVERY == 0) place_settle(&d->place);
    }
    if (!is_scan_all) row->operations = done;
    return 0;
}

/* Keys and values put and returned, in bytes. */
static void row_finish(struct driver *d, struct task *task)
{
    struct bench_row *row = task->row;
    uint64_t pair = BENCH_KEY_SIZE + d->config->value_size;
    bool is_missing = !strcmp(task->workload->name, "readmissing");
    row->user_write_bytes = row->puts * pair;
    row->user_read_bytes = ((is_missing ? 0 : row->gets) + row->entries) * pair;
}

static int run_stream(struct driver *d, struct task *task, uint64_t keys)
{
    struct bench_stream *stream;
    int err = bench_stream_create(task->workload, keys, &stream);
    if (err) return fail(d, err, "no memory for the operations: %s", strerror(-err));
    if (!(err = store_open(d))) {
        measure_begin(d, task);
        err = stream_run(d, task, stream);
        if (!err) measure_end(d, task);
    }
    bench_stream_destroy(stream);
    return err;
}

/* ---- loading, opening again ---- */

static void task_init(struct driver *d, struct task *task, const struct bench_workload *w,
                      struct bench_row *row)
{
    *task = (struct task){.workload = w, .row = row, .is_measured = true};
    task->batch_size = d->config->batch_size ? d->config->batch_size : 1;
    if (w->batch_size && !d->config->batch_size) task->batch_size = w->batch_size;
    if (w->syncs) task->batch_size = 1;
    memset(row, 0, sizeof *row);
    snprintf(row->engine, sizeof row->engine, "%s", d->config->engine->name);
    snprintf(row->workload, sizeof row->workload, "%s", w->name);
    row->keys = d->config->keys;
    if (w->keys_max && row->keys > w->keys_max) row->keys = w->keys_max;
    row->value_size = d->config->value_size;
    row->batch_size = w->writes ? task->batch_size : 1;
}

static int load(struct driver *d, uint64_t keys)
{
    static struct bench_row unread;
    struct task task;
    int err = store_wipe(d);
    if (err) return err;
    task_init(d, &task, bench_workload_find("fillrandom"), &unread);
    task.is_measured = false;
    return run_stream(d, &task, keys);
}

/* Opens and gets one key; the store is closed. */
static int open_and_get(struct driver *d, struct task *task)
{
    int64_t before = place_now(&d->place);
    int err = store_open(d);
    if (!err) err = do_get(d, task, task->row->keys / 2, false);
    if (err) return err;
    int64_t now = place_now(&d->place);
    histogram_add(&task->row->latency, now - before);
    d->now_ns = now;
    task->row->operations++;
    return value_judge(d, task->row->keys / 2);
}

/* The close between two opens is not part of it. */
static int run_reopen(struct driver *d, struct task *task)
{
    struct bench_row *row = task->row;
    int64_t elapsed = 0, cpu = 0, host_elapsed = 0, host_cpu = 0, wait = 0, system = 0;
    store_close(d);
    measure_begin(d, task);
    for (uint32_t i = 0; i < REOPENS; i++) {
        store_close(d);
        int64_t began_wait = host_wait_ns(), began_system = host_system_ns();
        int64_t began = place_now(&d->place), began_cpu = place_cpu(&d->place),
                began_host = host_mono_ns(), began_host_cpu = host_cpu_ns();
        int err = open_and_get(d, task);
        if (err) return err;
        elapsed += place_now(&d->place) - began;
        cpu += place_cpu(&d->place) - began_cpu;
        host_elapsed += host_mono_ns() - began_host;
        host_cpu += host_cpu_ns() - began_host_cpu;
        wait += host_wait_ns() - began_wait;
        system += host_system_ns() - began_system;
        report_progress(d, task->workload, i + 1, REOPENS);
        if (elapsed > d->config->budget_ns) break;
    }
    measure_end(d, task);
    row->elapsed_ns = elapsed;
    row->cpu_ns = cpu;
    row->host_elapsed_ns = host_elapsed;
    row->host_cpu_ns = host_cpu;
    row->host_wait_ns = wait;
    row->host_system_ns = system;
    row->planned = REOPENS;
    return 0;
}

/* Fills a store in a process that ends without closing it. */
static int fill_and_die(struct driver *d)
{
    if (d->place.disk) {
        int err = load(d, d->config->keys);
        if (!err) err = store_open(d);
        if (err) return err;
        d->engine = NULL; /* its memory goes with the heap */
        place_died(&d->place);
        return 0;
    }
    int err = store_wipe(d);
    if (err) return err;
    pid_t pid = fork();
    if (pid < 0) return fail(d, -errno, "fork: %s", strerror(errno));
    if (pid == 0) {
        static struct bench_row unread;
        struct task task;
        struct bench_stream *stream;
        task_init(d, &task, bench_workload_find("fillrandom"), &unread);
        task.is_measured = false;
        err = bench_stream_create(task.workload, d->config->keys, &stream);
        if (!err) err = store_open(d);
        if (!err) err = stream_run(d, &task, stream);
        _exit(err ? 1 : 0);
    }
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    d->live = d->config->keys;
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        return fail(d, -EIO, "the process that was to die at the end of fillrandom failed");
    return 0;
}

static int run_recover(struct driver *d, struct task *task)
{
    int err = fill_and_die(d);
    if (err) return err;
    measure_begin(d, task);
    err = open_and_get(d, task);
    if (err) return err;
    measure_end(d, task);
    task->row->planned = 1;
    return 0;
}

/* ---- the list ---- */

static int run_workload(struct driver *d, const struct bench_workload *w, struct bench_row *row)
{
    struct task task;
    task_init(d, &task, w, row);
    if (w->needs_order && !(d->config->engine->capabilities & ENGINE_ORDERED)) {
        snprintf(row->skipped, sizeof row->skipped, "scans come in no order");
        return 0;
    }
    int err = 0;
    if (w->store == STORE_FRESH)
        err = store_wipe(d);
    else if (d->live < row->keys)
        err = load(d, row->keys);
    if (err) return err;
    switch (w->kind) {
    case BENCH_STREAM: err = run_stream(d, &task, row->keys); break;
    case BENCH_REOPEN: err = run_reopen(d, &task); break;
    case BENCH_RECOVER: err = run_recover(d, &task); break;
    }
    if (!err) row_finish(d, &task);
    return err;
}

void driver_run(const struct bench_config *config, int out)
{
    struct driver d = {.config = config, .out = out, .jitter = 12};
    static struct bench_row row;
    int err = place_init(&d.place, config);
    if (err) {
        fail(&d, err, "%s: %s", config->disk ? "the simulated disk" : config->folder,
             strerror(-err));
    } else {
        d.pool = bench_pool_create();
        d.batch.allocator = d.value.allocator = &allocator_system;
        const struct bench_workload *w = NULL;
        for (size_t i = 0; i < config->workloads_count && !err; i++) {
            w = config->workloads[i];
            err = run_workload(&d, w, &row);
            if (!err) send_message(out, MESSAGE_ROW, &row, sizeof row);
        }
        if (err) {
            char text[ERROR_TEXT_SIZE] = "";
            snprintf(text, sizeof text, "%s: %.400s", w->name, d.error);
            memcpy(d.error, text, sizeof text);
        } else {
            store_close(&d);
            place_deinit(&d.place);
        }
        engine_batch_deinit(&d.batch);
        buffer_deinit(&d.value);
        bench_pool_destroy(d.pool);
    }
    struct error_message message = {.error = err};
    memcpy(message.text, d.error, sizeof message.text);
    send_message(out, err ? MESSAGE_ERROR : MESSAGE_DONE, &message, sizeof message);
}
