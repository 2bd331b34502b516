/* Goal: what an engine tells of itself is true: its figures, its memory, and what inspection
 * says of its files when nobody has them open.
 *
 * Method: one workload that reaches all machinery, on every subject; then the figures are
 * compared with what the spy on its files and the heap under it have counted, and the files
 * are read by recognise and inspect of every engine.
 */
#include "tests/engines/variants.h"

#define KEYS 40

/* ---- the workload ---- */

static void put(struct engine *e, const char *key, struct bytes value)
{
    assert_int_equal(engine_put(e, bytes_string(key), value, &allocator_system, ENGINE_SYNC, 0),
                     0);
}

static void settle(struct engine *e)
{
    bool more = true;
    for (int slices = 0; more; slices++) {
        assert_true(slices < 50000);
        assert_int_equal(engine_maintain(e, 4000, 0, &more), 0);
    }
}

/* Overwrites, deletes, slices between; some of it stays in the log. */
static void work(struct engine *e, struct oracle *oracle, int rounds)
{
    char key[24], value[200];
    for (int i = 0; i < rounds; i++) {
        snprintf(key, sizeof(key), "key%02d", i * 7 % KEYS);
        memset(value, 'a' + i % 26, sizeof(value));
        struct bytes text = bytes_of(value, (size_t)(i * 13) % sizeof(value));
        if (i % 6 == 5) {
            struct engine_batch batch = {.allocator = &allocator_system};
            assert_int_equal(engine_batch_delete(&batch, bytes_string(key)), 0);
            assert_int_equal(engine_write(e, &batch, ENGINE_SYNC, 0), 0);
            engine_batch_deinit(&batch);
            oracle_delete(oracle, bytes_string(key));
        } else {
            put(e, key, text);
            oracle_put(oracle, bytes_string(key), text);
        }
        bool more = true;
        for (int slices = 0; more && slices < 3; slices++)
            assert_int_equal(engine_maintain(e, 4000, 0, &more), 0);
    }
}

struct bench {
    struct world w;
    struct oracle oracle;
    void *options;
};

static void bench_begin(struct bench *b, const struct subject *subject, enum smallness size)
{
    memset(b, 0, sizeof(*b));
    world_init(&b->w, subject->kind, 1);
    b->options = subject_options(subject, size);
    world_open(&b->w, subject->ops, b->options);
}

static void bench_end(struct bench *b)
{
    world_deinit(&b->w);
    oracle_deinit(&b->oracle);
    free(b->options);
}

/* ---- figures ---- */

struct names {
    char text[8192];
    uint64_t count, largest;
};

static void name_seen(void *context, const char *name, uint64_t value)
{
    struct names *n = context;
    size_t size = strlen(name);
    assert_true(size > 0 && size < 64);
    for (size_t i = 0; i < size; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789._", name[i]))
            fail_msg("property '%s': lower case letters, digits, '.' and '_' only", name);
    assert_true(name[0] != '.' && name[size - 1] != '.');
    char line[80];
    snprintf(line, sizeof(line), "\n%s\n", name);
    if (strstr(n->text, line)) fail_msg("property '%s' twice", name);
    assert_true(strlen(n->text) + size + 2 < sizeof(n->text));
    strcat(n->text, name);
    strcat(n->text, "\n");
    n->count++;
    if (value > n->largest) n->largest = value;
}

static struct names names_of(struct engine *e)
{
    struct names n = {.text = "\n"};
    engine_properties(e, name_seen, &n);
    return n;
}

static void test_properties_have_the_same_names_at_every_call(void **state)
{
    const struct subject *subject = *state;
    struct bench b;
    bench_begin(&b, subject, SIZES_TINY);
    struct names fresh = names_of(b.w.engine);
    assert_true(fresh.count >= 1);
    work(b.w.engine, &b.oracle, 200);
    struct names later = names_of(b.w.engine);
    assert_string_equal(fresh.text, later.text);
    settle(b.w.engine);
    world_reopen(&b.w);
    later = names_of(b.w.engine);
    assert_string_equal(fresh.text, later.text);
    assert_true(later.largest > 0 && later.largest < UINT64_C(1) << 40);
    bench_end(&b);
}

struct folder {
    struct world *w;
    uint64_t files, bytes;
};

static int folder_file(void *context, const char *name, bool is_directory)
{
    struct folder *folder = context;
    char path[300];
    struct vfs_file *f;
    uint64_t size = 0;
    assert_false(is_directory);
    snprintf(path, sizeof(path), "data/%s", name);
    assert_int_equal(vfs_open(folder->w->real, path, VFS_READ, &f), 0);
    assert_int_equal(vfs_size(f, &size), 0);
    vfs_close(f);
    folder->files++;
    folder->bytes += size;
    return 0;
}

static void test_stats_say_what_the_disk_holds(void **state)
{
    const struct subject *subject = *state;
    struct bench b;
    bench_begin(&b, subject, SIZES_SMALL);
    for (int round = 0; round < 5; round++) {
        struct engine_stats stats;
        work(b.w.engine, &b.oracle, 40 + round);
        if (round % 2) settle(b.w.engine);
        if (round == 3) world_reopen(&b.w);
        engine_stats(b.w.engine, &stats);
        struct folder folder = {.w = &b.w};
        assert_int_equal(vfs_list(b.w.real, "data", folder_file, &folder), 0);
        if (stats.disk_bytes > folder.bytes ||
            stats.disk_bytes + folder.bytes / 10 + 512 < folder.bytes)
            fail_msg("%s: stats say %llu bytes, the files have %llu", subject->name,
                     (unsigned long long)stats.disk_bytes, (unsigned long long)folder.bytes);
        /* A file may be about to come or to go. */
        if (stats.files > folder.files + 1 || stats.files + 1 < folder.files)
            fail_msg("%s: stats say %llu files, there are %llu", subject->name,
                     (unsigned long long)stats.files, (unsigned long long)folder.files);
        if (subject->ops->capabilities & ENGINE_COUNTS_LIVE)
            assert_int_equal(stats.live_keys, b.oracle.count);
    }
    bench_end(&b);
}

static void test_syncs_are_counted(void **state)
{
    const struct subject *subject = *state;
    struct bench b;
    bench_begin(&b, subject, SIZES_SMALL);
    struct engine_stats before, after;
    engine_stats(b.w.engine, &before);
    spy_counts_clear(&b.w.spy);
    work(b.w.engine, &b.oracle, 150);
    settle(b.w.engine);
    engine_stats(b.w.engine, &after);
    uint64_t files = b.w.spy.calls[SPY_SYNC], folders = b.w.spy.calls[SPY_SYNC_DIR];
    uint64_t counted = after.syncs - before.syncs;
    if (counted < files || counted > files + folders)
        fail_msg("%s: stats count %llu syncs; %llu of files and %llu of directories were made",
                 subject->name, (unsigned long long)counted, (unsigned long long)files,
                 (unsigned long long)folders);
    bench_end(&b);
}

/* ---- memory ---- */

/* What the options grant: a memtable and the one that is being flushed, a cache. */
static uint64_t option_buffers(const struct engine_ops *ops, const void *options)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < ops->options_count; i++) {
        const struct option *o = &ops->options[i];
        if (o->type != OPTION_SIZE) continue;
        int64_t value = *(const int64_t *)((const char *)options + o->offset);
        if (strcmp(o->name, "memtable_size") == 0) bytes += 2 * (uint64_t)value;
        if (strcmp(o->name, "cache_size") == 0) bytes += (uint64_t)value;
    }
    return bytes;
}

static void test_an_idle_instance_is_small(void **state)
{
    const struct subject *subject = *state;
    struct bench b;
    struct buffer out = {.allocator = &allocator_system};
    bench_begin(&b, subject, SIZES_DEFAULT);
    assert_true(b.w.heap.bytes <= 64 << 10);
    char *big = calloc(1, 1 << 20);
    put(b.w.engine, "big", bytes_of(big, 1 << 20));
    assert_int_equal(engine_get(b.w.engine, BYTES_LITERAL("big"), &out), 0);
    /* Buffers for the big value are given back. */
    assert_true(b.w.heap.bytes <= (64 << 10) + option_buffers(subject->ops, b.options));
    world_reopen(&b.w);
    assert_true(b.w.heap.bytes <= (64 << 10) + option_buffers(subject->ops, b.options));
    buffer_deinit(&out);
    free(big);
    bench_end(&b);
}

static void test_stated_memory_is_what_the_heap_gave(void **state)
{
    const struct subject *subject = *state;
    static const enum smallness sizes[] = {SIZES_DEFAULT, SIZES_SMALL};
    for (int s = 0; s < 2; s++) {
        struct bench b;
        char key[24];
        struct engine_batch batch = {.allocator = &allocator_system};
        bench_begin(&b, subject, sizes[s]);
        for (int i = 0; i < 3000; i++) {
            snprintf(key, sizeof(key), "key%06d", i);
            assert_int_equal(engine_batch_put(&batch, bytes_string(key),
                                              BYTES_LITERAL("twenty bytes of value")),
                             0);
            if (i % 100 < 99) continue;
            assert_int_equal(engine_write(b.w.engine, &batch, ENGINE_NO_SYNC, 0), 0);
            engine_batch_clear(&batch);
            bool more;
            assert_int_equal(engine_maintain(b.w.engine, 100000, 0, &more), 0);
        }
        engine_batch_deinit(&batch);
        for (int round = 0; round < 3; round++) {
            struct engine_stats stats;
            if (round == 1) settle(b.w.engine);
            if (round == 2) world_reopen(&b.w);
            engine_stats(b.w.engine, &stats);
            uint64_t real = b.w.heap.bytes;
            uint64_t granted = option_buffers(subject->ops, b.options);
            uint64_t least = real > granted ? (real - granted) / 4 * 3 : 0;
            /* Some kilobytes of slack: an instance's own structs need not be counted. */
            if (stats.memory_bytes > real / 4 * 5 + 4096 || stats.memory_bytes + 4096 < least)
                fail_msg("%s, round %d: says %llu bytes of memory, the heap gave %llu "
                         "(%llu of them may be options' buffers)",
                         subject->name, round, (unsigned long long)stats.memory_bytes,
                         (unsigned long long)real, (unsigned long long)granted);
        }
        bench_end(&b);
    }
}

/* ---- recognising ---- */

static void test_an_image_is_recognised_by_its_engine_alone(void **state)
{
    const struct subject *subject = *state;
    const struct engine_ops *found = NULL;
    struct bench b;
    bench_begin(&b, subject, SIZES_TINY);
    for (int round = 0; round < 3; round++) {
        if (round == 1) work(b.w.engine, &b.oracle, 150);
        if (round == 2) {
            assert_int_equal(engine_checkpoint(b.w.engine, "copy"), 0);
            assert_int_equal(engine_recognise(b.w.host.vfs, "copy", &found), 0);
            assert_ptr_equal(found, subject->ops);
        }
        engine_close(b.w.engine);
        b.w.engine = NULL;
        for (size_t i = 0; engine_registry[i]; i++) {
            int known = engine_registry[i]->recognise(b.w.host.vfs, "data");
            if (known != (engine_registry[i] == subject->ops))
                fail_msg("%s says %d of an image of %s", engine_registry[i]->name, known,
                         subject->name);
        }
        assert_int_equal(engine_recognise(b.w.host.vfs, "data", &found), 0);
        assert_ptr_equal(found, subject->ops);
        assert_int_equal(b.w.spy.open_files, 0);
        world_open(&b.w, subject->ops, b.options);
    }
    bench_end(&b);
}

static void test_an_empty_or_a_missing_directory_is_nobodys(void **state)
{
    const struct subject *subject = *state;
    struct bench b;
    bench_begin(&b, subject, SIZES_TINY);
    assert_int_equal(vfs_mkdir(b.w.host.vfs, "empty"), 0);
    assert_int_equal(subject->ops->recognise(b.w.host.vfs, "empty"), 0);
    assert_true(subject->ops->recognise(b.w.host.vfs, "missing") <= 0);
    bench_end(&b);
}

/* ---- inspection ---- */

struct order {
    char seen[16384]; /* "\nfile\n": those that are behind us */
    char file[128];
    uint64_t offset, items, notes, problems;
    const char *subject;
};

static void finding_in_order(void *context, enum engine_finding finding, const char *file,
                             uint64_t offset, const char *text)
{
    struct order *o = context;
    char line[160];
    if (strcmp(o->file, file) != 0) {
        snprintf(line, sizeof(line), "\n%s\n", file);
        if (strstr(o->seen, line))
            fail_msg("%s: inspection comes back to %s", o->subject, file);
        assert_true(strlen(o->seen) + strlen(line) < sizeof(o->seen));
        strcat(o->seen, line);
        snprintf(o->file, sizeof(o->file), "%s", file);
        o->offset = 0;
    }
    if (offset < o->offset)
        fail_msg("%s: inspection of %s goes back from %llu to %llu", o->subject, file,
                 (unsigned long long)o->offset, (unsigned long long)offset);
    o->offset = offset;
    assert_true(file[0] && text[0]);
    assert_false(strchr(file, '/'));
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
            fail_msg("%s: a finding's text is not printable: byte %02x", o->subject,
                     (unsigned char)*c);
    o->items += finding == FINDING_ITEM;
    o->notes += finding == FINDING_NOTE;
    o->problems += finding == FINDING_PROBLEM;
    if (finding == FINDING_PROBLEM)
        fail_msg("%s: a sound image has a problem: %s at offset %llu: %s", o->subject, file,
                 (unsigned long long)offset, text);
}

static void test_inspection_reads_a_sound_image_in_order_and_changes_nothing(void **state)
{
    const struct subject *subject = *state;
    struct bench b;
    bench_begin(&b, subject, SIZES_TINY);
    for (int round = 0; round < 3; round++) {
        if (round == 1) work(b.w.engine, &b.oracle, 100);
        if (round == 2) settle(b.w.engine);
        engine_close(b.w.engine);
        b.w.engine = NULL;
        uint64_t hash = b.w.kind == WORLD_DISK ? disk_hash(b.w.disk) : 0;
        struct order order = {.subject = subject->name};
        struct engine_inspector inspector = {finding_in_order, &order, true};
        spy_counts_clear(&b.w.spy);
        assert_int_equal(engine_inspect(subject->ops, &b.w.host, "data", &inspector), 0);
        assert_true(order.items >= 1);
        struct order brief = {.subject = subject->name};
        inspector = (struct engine_inspector){finding_in_order, &brief, false};
        assert_int_equal(engine_inspect(subject->ops, &b.w.host, "data", &inspector), 0);
        assert_int_equal(brief.items, 0);
        assert_int_equal(brief.notes, order.notes);
        static const enum spy_call changes[] = {
            SPY_WRITE, SPY_TRUNCATE, SPY_SYNC, SPY_RENAME, SPY_UNLINK, SPY_MKDIR, SPY_SYNC_DIR};
        for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
            assert_int_equal(b.w.spy.calls[changes[i]], 0);
        if (b.w.kind == WORLD_DISK) assert_true(disk_hash(b.w.disk) == hash);
        assert_int_equal(b.w.spy.open_files, 0);
        assert_int_equal(b.w.heap.bytes, 0);
        world_open(&b.w, subject->ops, b.options);
        if (oracle_compare(&b.oracle, b.w.engine))
            fail_msg("%s: %s", subject->name, oracle_difference(&b.oracle, b.w.engine));
    }
    bench_end(&b);
}

/* Every read that fails is an error of the inspection, not a finding; memory is given back. */
static void test_inspection_bears_failing_calls(void **state)
{
    const struct subject *subject = *state;
    struct bench b;
    if (subject->kind == WORLD_REAL) return;
    bench_begin(&b, subject, SIZES_SMALL);
    work(b.w.engine, &b.oracle, 100);
    world_close(&b.w);
    struct findings found;
    struct engine_inspector inspector = {finding_count, &found, true};
    for (int memory = 0; memory < 2; memory++) {
        int err = -1;
        for (uint64_t n = 1; err; n++) {
            found = (struct findings){0};
            if (memory)
                b.w.heap.fail_at = b.w.heap.allocations + n;
            else
                disk_fail_nth(b.w.disk, n, -EIO);
            err = engine_inspect(subject->ops, &b.w.host, "data", &inspector);
            assert_true(n < 20000);
            if (err && err != (memory ? -ENOMEM : -EIO))
                fail_msg("%s: inspection with call %llu failing gives %d", subject->name,
                         (unsigned long long)n, err);
            if (found.problems)
                fail_msg("%s: a failed call is taken for damage: %s", subject->name,
                         found.first);
            assert_int_equal(b.w.heap.bytes, 0);
            assert_int_equal(b.w.spy.open_files, 0);
        }
        b.w.heap.fail_at = 0;
        disk_fail_nth(b.w.disk, 0, -EIO);
    }
    world_open(&b.w, subject->ops, b.options);
    assert_int_equal(oracle_compare(&b.oracle, b.w.engine), 0);
    bench_end(&b);
}

static const struct suite_test suite[] = {
    T(test_properties_have_the_same_names_at_every_call),
    T(test_stats_say_what_the_disk_holds),
    T(test_syncs_are_counted),
    T(test_an_idle_instance_is_small),
    T(test_stated_memory_is_what_the_heap_gave),
    T(test_an_image_is_recognised_by_its_engine_alone),
    T(test_an_empty_or_a_missing_directory_is_nobodys),
    T(test_inspection_reads_a_sound_image_in_order_and_changes_nothing),
    T(test_inspection_bears_failing_calls),
};

int main(void)
{
    return suite_run("what engines tell", suite, sizeof(suite) / sizeof(suite[0]), SUITE_DISK);
}
