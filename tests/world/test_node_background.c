/* Goal: the background lane and the foreground share one engine in virtual time, and whole
 * nodes with real engines lose nothing that they acknowledged, wherever the power is cut: also
 * between a compaction's manifest write and its sync.
 *
 * Method: a toy engine whose slices cost a known time shows who waits for whom. Then scheme
 * none over log and hash, under a steady load of synced writes and much maintenance, is cut at
 * chosen or random instants, in every durability mode, started again and read through. The
 * random part takes SEED= and, with FAULTLINE_SOAK, 1,000 instants an engine (times SCALE).
 */
#include "tests/world/node_fixture.h"

#include "engines/replication/none/none.h"
#include "engines/storage/hash/hash.h"
#include "sim/record/token.h"
#include "tests/support/scale.h"

/* ---- the toy engine: maintenance of `slices` slices, each a write and a sync of its own file
 * ---- */

struct toy {
    struct engine base;
    struct vfs_file *file;
    int slices;
};
static struct {
    int slices, error;
    bool endless;
    uint32_t maintained, synced;
} toy;

static int toy_open(const struct engine_host *host, const char *dir, const void *options,
                    struct engine **out)
{
    (void)dir, (void)options;
    struct toy *engine = allocator_alloc(host->allocator, sizeof *engine);
    memset(engine, 0, sizeof *engine);
    extern const struct engine_ops toy_ops;
    engine->base.ops = &toy_ops;
    engine->base.host = *host;
    *out = &engine->base;
    return vfs_open(host->vfs, "toy", VFS_WRITE | VFS_CREATE, &engine->file);
}

static int toy_write(struct engine *engine, const struct engine_batch *batch,
                     enum engine_durability durability, int64_t now_ns)
{
    (void)batch, (void)durability, (void)now_ns;
    ((struct toy *)engine)->slices = toy.slices;
    return 0;
}

static int toy_get(struct engine *engine, struct bytes key, struct buffer *value)
{
    (void)engine, (void)key, (void)value;
    return -ENOENT;
}

static int toy_maintain(struct engine *base, uint64_t budget_bytes, int64_t now_ns, bool *more)
{
    (void)budget_bytes, (void)now_ns;
    struct toy *engine = (struct toy *)base;
    toy.maintained++;
    if (toy.error) return toy.error;
    if (!engine->slices && !toy.endless) return 0;
    engine->slices -= !toy.endless;
    *more = engine->slices > 0 || toy.endless;
    int err = vfs_write(engine->file, 0, BYTES_LITERAL("x"), VFS_COMPACTION);
    return err ? err : vfs_sync(engine->file, VFS_COMPACTION);
}

static int toy_sync(struct engine *engine)
{
    toy.synced++;
    return vfs_sync(((struct toy *)engine)->file, VFS_LOG);
}

extern const struct engine_ops toy_ops;
const struct engine_ops toy_ops = {.abi_version = ENGINE_ABI_VERSION,
                                   .struct_size = sizeof(struct engine_ops),
                                   .name = "toy",
                                   .doc = "",
                                   .key_size_max = 1 << 16,
                                   .value_size_max = 1 << 20,
                                   .open = toy_open,
                                   .write = toy_write,
                                   .get = toy_get,
                                   .maintain = toy_maintain,
                                   .sync = toy_sync};

#define SLICE (CALL + SYNC)

static struct bench *toy_bench(int slices, int64_t maintain_every, int64_t sync_every)
{
    memset(&toy, 0, sizeof toy);
    toy.slices = slices;
    struct node_config config = bench_config();
    config.engine = &toy_ops;
    config.maintain_every_ns = maintain_every;
    config.sync_every_ns = sync_every;
    struct bench *b = bench_create_with(&config, 1, TIES_FIFO);
    node_start(b->node);
    run_to(b, NS_PER_S);
    b->lines_count = 0;
    toy.maintained = toy.synced = 0;
    return b;
}

/* When slices begin that the last asked-for put caused: asked to be maintained every MS from
 * the write on. */
static int64_t first_slice;
static void watch_slices(void *context, const struct event *event)
{
    (void)context;
    if (!strcmp(event->type->name, "slice") && first_slice < 0)
        first_slice = event->time - NS_PER_S;
}

static void do_put(struct bench *b)
{
    ask(b, "p n1");
}
static void do_get(struct bench *b)
{
    ask(b, "d g r");
}

static void test_node_background_slice_delays_the_foreground_but_no_detached_read(void **state)
{
    (void)state;
    struct bench *b = toy_bench(1, 1 * MS, 0);
    first_slice = -1;
    ask(b, "p n5");
    kernel_observe(b->kernel, watch_slices, b);
    run_to(b, NS_PER_S + 3 * MS);
    kernel_observe(b->kernel, NULL, NULL);
    assert_true(first_slice > 0);
    int64_t slice = first_slice;
    bench_destroy(b);

    b = toy_bench(1, 1 * MS, 0);
    ask(b, "p n5");
    at(b, slice + 20 * US, do_get); /* it is answered while the slice runs */
    at(b, slice + 35 * US, do_put); /* it waits until the slice has ended */
    run_to(b, 2 * NS_PER_S);
    assert_int_equal(when(b, "reply 2 8"), slice + 20 * US + HANDLER);
    assert_int_equal(when(b, "note 1"), slice + SLICE);
    assert_int_equal(node_counters(b->node)->stalled_ns, SLICE - 35 * US - HANDLER);
    bench_destroy(b);
}

static void do_long_put(struct bench *b)
{
    ask(b, "c300 p c200 n1");
}

static void test_node_background_slice_begins_after_the_last_engine_call(void **state)
{
    (void)state;
    struct bench *b = toy_bench(1, 1 * MS, 0);
    first_slice = -1;
    ask(b, "p");
    kernel_observe(b->kernel, watch_slices, b);
    run_to(b, NS_PER_S + 3 * MS);
    int64_t slice = first_slice;
    kernel_observe(b->kernel, NULL, NULL);
    bench_destroy(b);

    b = toy_bench(1, 1 * MS, 0);
    ask(b, "p");
    at(b, slice - 5 * US,
       do_long_put); /* its engine call ends at slice + 305 us: the slice cannot begin before */
    run_to(b, NS_PER_S + slice + 304 * US);
    assert_int_equal(toy.maintained, 0);
    run_to(b,
           NS_PER_S + slice + 310 * US); /* while the handler computes on, the engine is free */
    assert_int_equal(toy.maintained, 1);
    run_to(b, 2 * NS_PER_S);
    assert_int_equal(when(b, "note 1"), slice - 5 * US + HANDLER + 500 * US);
    bench_destroy(b);
}

static void keep_busy(struct kernel *kernel, const struct event *event);
static const struct event_type busy_event = {"busy", EVENT_ID('b', 'u', 's', 'y'), keep_busy};
static const char *busy_script;
static void keep_busy(struct kernel *kernel, const struct event *event)
{
    struct bench *b = event->context;
    ask(b, busy_script);
    if (event->a)
        kernel_schedule(kernel, event->time + 30 * US, &busy_event, b, 0, event->a - 1, 0);
}

static void test_node_saturated_server_and_endless_maintenance_starve_neither(void **state)
{
    (void)state;
    /* The second kind of handler ends with an engine call: the server is free just when the
     * engine is. */
    static const char *const scripts[] = {"p c40 n1", "c40 b"};
    for (int i = 0; i < 2; i++) {
        struct bench *b = toy_bench(1, 1 * MS, 0);
        toy.endless = true;
        busy_script = scripts[i];
        struct node_counters before = *node_counters(b->node);
        kernel_schedule(b->kernel, NS_PER_S, &busy_event, b, 0, 600, 0);
        run_to(b, NS_PER_S + 20 * MS);
        uint64_t batches = node_counters(b->node)->batches - before.batches;
        /* Both always have work: they alternate, a slice between any two batches; but for the
         * batches before the first slice was due. */
        assert_true(batches >= 4);
        assert_true(toy.maintained * 2 >= batches);
        bench_destroy(b);
    }
}

static void test_node_pause_stretches_the_slice_that_it_falls_into(void **state)
{
    (void)state;
    struct bench *b = toy_bench(1, 1 * MS, 0);
    first_slice = -1;
    ask(b, "p");
    kernel_observe(b->kernel, watch_slices, b);
    run_to(b, NS_PER_S + 3 * MS);
    int64_t slice = first_slice;
    kernel_observe(b->kernel, NULL, NULL);
    bench_destroy(b);

    b = toy_bench(1, 1 * MS, 0);
    ask(b, "p");
    at(b, slice + 30 * US, do_pause);
    at(b, slice + 30 * US + 5 * MS, do_resume);
    at(b, slice + 31 * US + 5 * MS, do_put);
    run_to(b, 2 * NS_PER_S);
    assert_int_equal(when(b, "note 1"), slice + SLICE + 5 * MS);
    bench_destroy(b);
}

static void test_node_idle_engine_is_asked_less_and_less_until_a_write(void **state)
{
    (void)state;
    struct bench *b = toy_bench(0, 100 * MS, 0);
    run_to(b, 11 * NS_PER_S);
    uint32_t idle = toy.maintained;
    assert_in_range(idle, 1, 10);
    toy.maintained = 0;
    ask(b, "p");
    run_to(b, 11 * NS_PER_S + 150 * MS);
    assert_int_equal(toy.maintained, 1);
    bench_destroy(b);
}

static void test_node_periodic_sync_runs_only_after_writes(void **state)
{
    (void)state;
    struct bench *b = toy_bench(0, 3600 * NS_PER_S, 50 * MS);
    run_to(b, 2 * NS_PER_S);
    assert_int_equal(toy.synced, 0);
    ask(b, "p");
    run_to(b, 3 * NS_PER_S);
    assert_int_equal(toy.synced, 1);
    ask(b, "p");
    run_to(b, 4 * NS_PER_S);
    assert_int_equal(toy.synced, 2);
    bench_destroy(b);
}

static uint32_t troubles;
static void seen_trouble(void *context, uint32_t endpoint, const char *what, int error)
{
    (void)context, (void)endpoint;
    troubles += error == -EIO && !strcmp(what, "maintenance");
}

static void test_node_failed_maintenance_is_told_and_tried_again(void **state)
{
    (void)state;
    memset(&toy, 0, sizeof toy);
    toy.error = -EIO;
    static const struct env_peer peers[] = {{"n0", "r"}};
    struct node_config config = bench_config();
    config.engine = &toy_ops;
    config.maintain_every_ns = 10 * MS;
    struct bench *b = calloc(1, sizeof *b);
    b->kernel = kernel_create(&(struct kernel_config){.seed = 1});
    b->network =
        network_create(b->kernel, &(struct network_config){.latency = constant(LATENCY)});
    struct node_listener listener = {.context = b,
                                     .note = seen_note,
                                     .acknowledged = seen_acknowledged,
                                     .down = seen_down,
                                     .up = seen_up,
                                     .trouble = seen_trouble};
    b->node = node_create(b->kernel, b->network, CLIENT, &config, peers, 1, 0, &listener);
    troubles = 0;
    node_start(b->node);
    run_to(b, NS_PER_S);
    assert_in_range(troubles, 5, 12);
    assert_true(node_is_up(b->node));
    bench_destroy(b);
}

static void test_node_slices_stop_while_paused_and_go_on_after(void **state)
{
    (void)state;
    struct bench *b = toy_bench(0, 10 * MS, 10 * MS);
    toy.endless = true;
    ask(b, "p");
    run_to(b, NS_PER_S + 20 * MS);
    assert_true(toy.maintained > 0);
    do_pause(b);
    uint32_t before = toy.maintained, synced = toy.synced;
    run_to(b, 2 * NS_PER_S);
    assert_int_equal(toy.maintained, before);
    assert_int_equal(toy.synced, synced);
    do_resume(b);
    ask(b, "p");
    run_to(b, 2 * NS_PER_S + 40 * MS);
    assert_true(toy.maintained > before + 20);
    assert_true(toy.synced > synced);
    bench_destroy(b);
}

/* ---- whole nodes ---- */

#define KEYS 16
#define WRITES 400
#define EVERY (131 * US) /* out of step with slices, so that answers fall between them */

struct load {
    struct bench *bench;
    uint64_t asked;
    uint64_t acknowledged[KEYS]; /* the latest token of each key that was acknowledged */
    int64_t ack_times[WRITES + 1];
    uint32_t acks;
};

static void load_ask(struct kernel *kernel, const struct event *event)
{
    struct load *load = event->context;
    struct bench *b = load->bench;
    if (load->asked == WRITES) return;
    uint64_t number = ++load->asked;
    unsigned char head[8];
    char key[16], value[256];
    put_u64(head, number);
    snprintf(key, sizeof key, "key%llu", (unsigned long long)(number % KEYS));
    int size = snprintf(value, sizeof value, "%llu.%0180d", (unsigned long long)number, 0);
    struct buffer body = {.allocator = &allocator_system};
    operation_encode(&(struct operation){.type = OPERATION_WRITE,
                                         .key = bytes_string(key),
                                         .value = bytes_of(value, (size_t)size),
                                         .id = number},
                     &body);
    struct bytes slice = buffer_bytes(&body);
    struct payload *payload = payload_create(bytes_of(head, 8), &slice, 1);
    node_receive(b->node, CLIENT, MESSAGE_CLIENT, MESSAGE_REQUEST, payload);
    payload_release(payload);
    buffer_deinit(&body);
    kernel_schedule(kernel, event->time + EVERY, event->type, load, 0, number, 0);
}
static const struct event_type load_event = {"load", EVENT_ID('l', 'o', 'a', 'd'), load_ask};

static void load_acknowledged(void *context, uint32_t endpoint, uint64_t id,
                              enum operation_type type, const struct reply *reply)
{
    (void)endpoint, (void)type, (void)reply;
    struct load *load = context;
    load->acknowledged[id % KEYS] = id;
    load->ack_times[load->acks++] = kernel_now(load->bench->kernel);
}

static void load_note(void *context, uint32_t endpoint, enum note_kind kind, uint64_t a,
                      uint64_t b)
{
    (void)context, (void)endpoint, (void)kind, (void)a, (void)b;
}
static void load_down(void *context, uint32_t endpoint, enum down_cause cause, const char *why)
{
    (void)context, (void)endpoint, (void)cause, (void)why;
}
static void load_up(void *context, uint32_t endpoint, int error, int64_t recovery_ns)
{
    (void)context, (void)endpoint, (void)recovery_ns;
    assert_int_equal(error, 0);
}

static void load_begin(struct load *load, const char *engine, const struct hash_options *hash,
                       uint64_t seed)
{
    static const struct env_peer peers[] = {{"n0", "r"}};
    static struct none_options options;
    options_default(none_scheme.options, none_scheme.options_count, &options, sizeof options);
    struct node_config config = bench_config();
    config.engine = engine_find(engine);
    config.engine_options = strcmp(engine, "hash") == 0 ? hash : NULL;
    config.engine_sync = true;
    config.scheme = &none_scheme;
    config.scheme_options = &options;
    config.maintain_every_ns = 1 * MS;
    config.maintain_budget_bytes = 4096;
    memset(load, 0, sizeof *load);
    struct bench *b = load->bench = calloc(1, sizeof *b);
    b->kernel = kernel_create(&(struct kernel_config){.seed = seed});
    b->network =
        network_create(b->kernel, &(struct network_config){.latency = constant(LATENCY),
                                                           .transport = NETWORK_DATAGRAM});
    struct node_listener listener = {.context = load,
                                     .note = load_note,
                                     .acknowledged = load_acknowledged,
                                     .down = load_down,
                                     .up = load_up};
    b->node = node_create(b->kernel, b->network, CLIENT, &config, peers, 1, 0, &listener);
    network_add(b->network, "n0", 0, NETWORK_OWN_MACHINE, node_receive, b->node);
    network_add(b->network, "client", 0, NETWORK_OWN_MACHINE, client_receive, b);
    node_start(b->node);
    kernel_schedule(b->kernel, 20 * MS, &load_event, load, 0, 0, 0);
}

static void collect(void *context, struct bytes key, struct bytes value)
{
    uint64_t *found = context;
    char text[16];
    snprintf(text, sizeof text, "%.*s", (int)key.size - 3, (const char *)key.data + 3);
    found[strtoull(text, NULL, 10)] = token_parse(value.data, value.size, NULL);
}

/* Power is cut at that time; the node starts again and must hold every acknowledged write, or a
 * later one that was asked for. */
static void load_cut(struct load *load, int64_t at_ns, enum disk_power_mode mode)
{
    struct bench *b = load->bench;
    kernel_run(b->kernel, at_ns - 1);
    node_power_off(b->node, mode, DOWN_POWER_OFF);
    uint64_t acknowledged[KEYS], found[KEYS] = {0}, asked = load->asked;
    memcpy(acknowledged, load->acknowledged, sizeof acknowledged);
    load->asked = WRITES; /* the client stops with it */
    assert_true(node_start(b->node));
    kernel_run(b->kernel, at_ns + 500 * MS);
    assert_true(node_is_up(b->node));
    assert_int_equal(node_each(b->node, collect, found), 0);
    for (int k = 0; k < KEYS; k++) {
        if (found[k] < acknowledged[k] || found[k] > asked)
            fail_msg("cut at %lld ns, mode %s: key%d holds %llu, acknowledged %llu, asked %llu",
                     (long long)at_ns, disk_power_mode_words[mode], k,
                     (unsigned long long)found[k], (unsigned long long)acknowledged[k],
                     (unsigned long long)asked);
    }
}

static struct hash_options small_segments(void)
{
    struct hash_options options;
    options_default(engine_hash.options, engine_hash.options_count, &options, sizeof options);
    options.segment_bytes = 4096;
    options.merge_segments = 2;
    options.merge_threshold_ppm = 300000;
    options.stall_segments = 1000;
    return options;
}

/* Finds, in an uncut run, the windows from a slice that wrote the manifest to the end of the
 * slice that synced it. */
struct windows {
    struct bench *bench;
    uint64_t meta_writes, manifest_syncs;
    bool was_slice;
    int64_t wrote, synced, from[64], to[64];
    uint32_t count;
    uint32_t fault;
};

static void find_windows(void *context, const struct event *event)
{
    struct windows *w = context;
    const struct disk_counters *disk = disk_counters(node_disk(w->bench->node));
    uint64_t syncs = disk_fault_effects(node_disk(w->bench->node), w->fault);
    bool is_slice = !strcmp(event->type->name, "slice");
    if (w->was_slice && disk->writes[VFS_META] > w->meta_writes) w->wrote = w->synced;
    if (w->was_slice && syncs > w->manifest_syncs && w->wrote >= 0) {
        w->from[w->count] = w->wrote;
        w->to[w->count] = -1;
        w->count++;
        w->wrote = -1;
    }
    if (is_slice) {
        if (w->count && w->to[w->count - 1] < 0) w->to[w->count - 1] = event->time;
        w->synced = event->time;
    }
    w->was_slice = is_slice;
    w->meta_writes = disk->writes[VFS_META];
    w->manifest_syncs = syncs;
}

static void
test_node_crash_between_a_compactions_manifest_write_and_its_sync_loses_nothing_acknowledged(
    void **state)
{
    (void)state;
    struct hash_options options = small_segments();
    struct load load;
    load_begin(&load, "hash", &options, 1);
    struct windows windows = {.bench = load.bench, .wrote = -1};
    /* A disk that is "slow" by a factor of one on manifests changes nothing but counts their
     * syncs. */
    windows.fault = disk_fault_add(node_disk(load.bench->node),
                                   &(struct disk_fault){.kind = DISK_SLOW,
                                                        .path = "MANIFEST",
                                                        .factor_millionths = 1000000});
    kernel_run(load.bench->kernel, 19 * MS);
    kernel_observe(load.bench->kernel, find_windows, &windows);
    kernel_run(load.bench->kernel, 500 * MS);
    struct load uncut = load;
    assert_int_equal(uncut.acks, WRITES);
    bench_destroy(load.bench);

    uint32_t tried = 0;
    for (uint32_t i = 0; i < windows.count && tried < 24; i++) {
        for (uint32_t k = 0; k < uncut.acks; k++) {
            int64_t ack = uncut.ack_times[k];
            if (ack <= windows.from[i] || ack >= windows.to[i])
                continue; /* acknowledged between the write and the end of the sync */
            static const enum disk_power_mode modes[] = {
                DISK_ALL_LOST, DISK_SUBSET, DISK_TORN, DISK_PREFIX, DISK_STALE, DISK_ALL_KEPT};
            for (unsigned m = 0; m < 6; m++) {
                load_begin(&load, "hash", &options, 1);
                disk_fault_add(node_disk(load.bench->node),
                               &(struct disk_fault){.kind = DISK_SLOW,
                                                    .path = "MANIFEST",
                                                    .factor_millionths = 1000000});
                load_cut(&load, m % 2 ? windows.to[i] - 1 : ack + 1, modes[m]);
                bench_destroy(load.bench);
            }
            tried++;
            break;
        }
    }
    assert_true(windows.count >= 2);
    assert_true(tried >= 2);
}

static void test_node_power_cut_at_random_instants_loses_nothing_acknowledged(void **state)
{
    (void)state;
    static const char *const engines[] = {"log", "hash"};
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : 1;
    int rounds = (int)test_scaled(40, 1000);
    struct hash_options options = small_segments();
    struct rng rng;
    rng_init(&rng, seed, "test", "cuts", NULL);
    for (int e = 0; e < 2; e++) {
        for (int i = 0; i < rounds; i++) {
            struct load load;
            load_begin(&load, engines[e], &options, seed + (uint64_t)i % 3);
            int64_t cut = rng_range(&rng, 20 * MS, 20 * MS + WRITES * EVERY);
            load_cut(&load, cut, (enum disk_power_mode)(i % 6));
            bench_destroy(load.bench);
        }
    }
}

/* ---- storms ---- */

static void storm_pause(struct bench *b)
{
    node_pause(b->node);
}
static void storm_resume(struct bench *b)
{
    node_resume(b->node);
}
static void storm_crash(struct bench *b)
{
    node_crash(b->node, DOWN_CRASH, "");
}
static void storm_start(struct bench *b)
{
    node_start(b->node);
}
static void storm_lose(struct bench *b)
{
    node_power_off(b->node, DISK_ALL_LOST, DOWN_POWER_OFF);
}
static void storm_tear(struct bench *b)
{
    node_power_off(b->node, DISK_TORN, DOWN_POWER_OFF);
}
static void storm_reboot(struct bench *b)
{
    node_power_off(b->node, DISK_SUBSET, DOWN_POWER_OFF);
    node_start(b->node);
}
static void storm_evict(struct bench *b)
{
    node_evict(b->node);
}
static void storm_slow(struct bench *b)
{
    node_clock_drift(b->node, -300000);
}
static void storm_fast(struct bench *b)
{
    node_clock_drift(b->node, 300000);
}

static void test_node_storms_of_stops_and_pauses_lose_nothing_acknowledged(void **state)
{
    (void)state;
    static void (*const deeds[])(struct bench *) = {
        storm_pause, storm_resume, storm_resume, storm_crash,  storm_start,
        storm_start, storm_lose,   storm_tear,   storm_reboot, storm_start,
        storm_evict, storm_slow,   storm_fast};
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : 1;
    uint64_t rounds = test_scaled(60, 1000);
    struct hash_options options = small_segments();
    uint64_t acks = 0;
    for (uint64_t i = 0; i < rounds; i++) {
        struct rng rng;
        struct load load;
        rng_init(&rng, seed + i, "test", "storm", NULL);
        load_begin(&load, i % 2 ? "hash" : "log", &options, seed + i);
        struct bench *b = load.bench;
        for (int k = 0; k < 60; k++) {
            int64_t time = rng_range(&rng, 20 * MS, 20 * MS + WRITES * EVERY);
            at(b, time - NS_PER_S, deeds[rng_below(&rng, sizeof deeds / sizeof deeds[0])]);
        }
        kernel_run(b->kernel, NS_PER_S);
        node_resume(b->node);
        node_start(b->node);
        kernel_run(b->kernel, 2 * NS_PER_S);
        uint64_t found[KEYS] = {0};
        assert_true(node_is_up(b->node));
        assert_int_equal(node_each(b->node, collect, found), 0);
        for (int k = 0; k < KEYS; k++)
            if (found[k] < load.acknowledged[k])
                fail_msg("seed %llu: key%d holds %llu, acknowledged %llu",
                         (unsigned long long)(seed + i), k, (unsigned long long)found[k],
                         (unsigned long long)load.acknowledged[k]);
        acks += load.acks;
        bench_destroy(b);
    }
    assert_true(acks > rounds * 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_node_background_slice_delays_the_foreground_but_no_detached_read),
        cmocka_unit_test(test_node_background_slice_begins_after_the_last_engine_call),
        cmocka_unit_test(test_node_saturated_server_and_endless_maintenance_starve_neither),
        cmocka_unit_test(test_node_pause_stretches_the_slice_that_it_falls_into),
        cmocka_unit_test(test_node_idle_engine_is_asked_less_and_less_until_a_write),
        cmocka_unit_test(test_node_periodic_sync_runs_only_after_writes),
        cmocka_unit_test(test_node_failed_maintenance_is_told_and_tried_again),
        cmocka_unit_test(test_node_slices_stop_while_paused_and_go_on_after),
        cmocka_unit_test(test_node_storms_of_stops_and_pauses_lose_nothing_acknowledged),
        cmocka_unit_test(
            test_node_crash_between_a_compactions_manifest_write_and_its_sync_loses_nothing_acknowledged),
        cmocka_unit_test(test_node_power_cut_at_random_instants_loses_nothing_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
