/* Goal: the file of `log` is the file of the two bash functions, both ways, and its tails are
 * cut or kept as log.c says; its index and its inspection say what stands in it. Method: the
 * functions run in real bash, in the directory of a database on real files; files by hand; a
 * file cut at every length; the index against a map; what a disk counts.
 */
#include "engines/storage/log/log.h"
#include "engines/storage/log/log_index.h"
#include "tests/engines/harness.h"

#define FUNCTIONS                                                                              \
    "db_set () { echo \"$1, $2\" >> database; }\n"                                             \
    "db_get () { grep \"^$1,\" database | sed -e \"s/^$1,//\" | tail -n 1; }\n"

static const struct engine_ops *log_ops(void)
{
    return engine_find("log");
}

/* Runs a script behind the functions, in the database's directory; returns what it prints. */
static const char *bash(const struct world *w, const char *script)
{
    static char out[65536];
    char path[128], command[256];
    snprintf(path, sizeof(path), "%s/script.sh", w->root);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "mkdir -p '%s/data' && cd '%s/data' || exit 1\n%s%s\n", w->root, w->root,
            FUNCTIONS, script);
    fclose(f);
    snprintf(command, sizeof(command), "LC_ALL=C.UTF-8 bash '%s'", path);
    f = popen(command, "r");
    assert_non_null(f);
    size_t n = fread(out, 1, sizeof(out) - 1, f);
    out[n] = '\0';
    assert_int_equal(pclose(f), 0);
    return out;
}

static void put(struct engine *e, const char *key, const char *value)
{
    assert_int_equal(engine_put(e, bytes_string(key), bytes_string(value), &allocator_system,
                                ENGINE_SYNC, 0),
                     0);
}

static void delete (struct engine *e, const char *key)
{
    struct engine_batch batch = {.allocator = &allocator_system};
    engine_batch_delete(&batch, bytes_string(key));
    assert_int_equal(engine_write(e, &batch, ENGINE_SYNC, 0), 0);
    engine_batch_deinit(&batch);
}

static void expect(struct engine *e, const char *key, const char *value)
{
    struct buffer out = {.allocator = &allocator_system};
    int err = engine_get(e, bytes_string(key), &out);
    if (!value) {
        assert_int_equal(err, -ENOENT);
    } else {
        if (err) fail_msg("get \"%s\": errno %d: %s", key, -err, engine_error(e));
        if (!bytes_equal(buffer_bytes(&out), bytes_string(value)))
            fail_msg("\"%s\" is \"%.*s\", not \"%s\"", key, (int)out.size, (char *)out.data,
                     value);
    }
    buffer_deinit(&out);
}

static void write_file(struct world *w, struct bytes content)
{
    struct vfs_file *f;
    vfs_mkdir(w->host.vfs, "data");
    assert_int_equal(
        vfs_open(w->host.vfs, "data/database", VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &f), 0);
    assert_int_equal(vfs_write(f, 0, content, VFS_LOG), 0);
    assert_int_equal(vfs_close(f), 0);
}

/* The caller frees it. */
static unsigned char *read_file(struct world *w, size_t *size)
{
    struct vfs_file *f;
    uint64_t n;
    assert_int_equal(vfs_open(w->host.vfs, "data/database", VFS_READ, &f), 0);
    assert_int_equal(vfs_size(f, &n), 0);
    unsigned char *p = malloc(n + 1);
    assert_int_equal(vfs_read(f, 0, p, n, VFS_LOG), (int64_t)n);
    vfs_close(f);
    p[n] = '\0';
    *size = (size_t)n;
    return p;
}

/* ---- bash reads ours ---- */

static void test_bash_reads_what_log_wrote(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, WORLD_REAL, 1);
    struct engine *e = world_open(&w, log_ops(), NULL);
    struct engine_batch batch = {.allocator = &allocator_system};
    put(e, "42", "first");
    put(e, "key_A.b-1", "value_B.c-2");
    put(e, "42", "second");
    put(e, "gone", "here");
    put(e, "back", "1");
    put(e, "empty", "");
    put(e, "space", "San Francisco, CA");
    put(e, "json", "{\"name\":\"London\"}");
    put(e, "lines", "1\n2 50%");
    engine_batch_delete(&batch, BYTES_LITERAL("gone"));
    engine_batch_delete(&batch, BYTES_LITERAL("back"));
    engine_batch_put(&batch, BYTES_LITERAL("back"), BYTES_LITERAL("2"));
    assert_int_equal(engine_write(e, &batch, ENGINE_SYNC, 0), 0);
    engine_batch_deinit(&batch);
    /* While the engine has it open, and after. */
    for (int round = 0; round < 2; round++) {
        assert_string_equal(bash(&w, "db_get 42"), " second\n");
        assert_string_equal(bash(&w, "db_get key_A.b-1"), " value_B.c-2\n");
        assert_string_equal(bash(&w, "db_get gone"), "\n");
        assert_string_equal(bash(&w, "db_get back"), " 2\n");
        assert_string_equal(bash(&w, "db_get empty"), " \n");
        assert_string_equal(bash(&w, "db_get never"), "");
        assert_string_equal(bash(&w, "db_get space"), " San Francisco, CA\n");
        assert_string_equal(bash(&w, "db_get json"), " {\"name\":\"London\"}\n");
        assert_string_equal(bash(&w, "db_get lines"), " 1%0A2 50%25\n");
        world_close(&w);
    }
    world_deinit(&w);
}

/* ---- log reads bash's ---- */

static void test_log_opens_what_bash_wrote(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, WORLD_REAL, 1);
    bash(&w,
         "db_set 123456 '{\"name\":\"London\",\"attractions\":[\"Big Ben\",\"London Eye\"]}'\n"
         "db_set 42 '{\"name\":\"San Francisco\"}'\n"
         "db_set 42 'once more'\n"
         "db_set 'two words' '  padded '\n"
         "db_set percent '100%25'\n"
         "db_set '#hash' tag\n"
         "db_set '#' '1,2'\n"
         "db_set umlaut $'\\xc3\\xbc'\n"
         "db_set latin $'\\xfc\\x01'\n"
         "db_set empty ''\n"
         "db_set '' nokey\n"
         "db_set multi $'line\\nsecond'\n"
         "echo 'no comma at all' >> database; echo 'tight,fit' >> database");
    struct engine *e = world_open(&w, log_ops(), NULL);
    for (int round = 0; round < 3; round++) {
        expect(e, "123456",
               "{\"name\":\"London\",\"attractions\":[\"Big Ben\",\"London Eye\"]}");
        expect(e, "42", round < 2 ? "once more" : "ours");
        expect(e, "two words", "  padded ");
        expect(e, "percent", "100%25");
        expect(e, "#hash", "tag");
        expect(e, "#", "1,2");
        expect(e, "umlaut", "\xc3\xbc");
        expect(e, "latin", "\xfc\x01");
        expect(e, "empty", "");
        expect(e, "", "nokey");
        expect(e, "multi", "line");
        expect(e, "tight", "fit");
        expect(e, "no comma at all", NULL);
        if (round == 1) put(e, "42", "ours");
        e = world_reopen(&w);
    }
    world_close(&w);
    assert_string_equal(
        bash(&w, "db_get 42; db_get 123456"),
        " ours\n {\"name\":\"London\",\"attractions\":[\"Big Ben\",\"London Eye\"]}\n");
    world_deinit(&w);
}

static void test_both_append_in_turn(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, WORLD_REAL, 1);
    struct engine *e = world_open(&w, log_ops(), NULL);
    put(e, "a", "log 1");
    for (int round = 0; round < 3; round++) {
        world_close(&w);
        bash(&w, "db_set b 'bash 1'; db_set a 'bash 100%41'; db_set c 'x'");
        e = world_open(&w, log_ops(), NULL);
        expect(e, "a", "bash 100%41");
        expect(e, "b", "bash 1");
        e = world_reopen(&w); /* nothing written between: still bash's */
        expect(e, "a", "bash 100%41");
        delete (e, "b");
        put(e, "a", "log%41");
        expect(e, "b", NULL);
        e = world_reopen(&w);
        expect(e, "a", "log%41");
        expect(e, "b", NULL);
        expect(e, "c", "x");
    }
    /* As if the engine had died without its goodbye; bash goes on where it stopped. */
    size_t size;
    unsigned char *unmarked = read_file(&w, &size);
    world_close(&w);
    write_file(&w, bytes_of(unmarked, size));
    free(unmarked);
    bash(&w, "db_set d 'later'");
    e = world_open(&w, log_ops(), NULL);
    expect(e, "d", "later");
    expect(e, "c", "x");
    world_deinit(&w);
}

static void test_a_file_without_a_last_newline_loses_nothing(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, WORLD_REAL, 1);
    bash(&w, "printf 'a, 1\\nb, 2' > database");
    struct engine *e = world_open(&w, log_ops(), NULL);
    expect(e, "b", "2");
    put(e, "c", "3");
    e = world_reopen(&w);
    expect(e, "a", "1");
    expect(e, "b", "2");
    expect(e, "c", "3");
    world_close(&w);
    bash(&w, ": > database"); /* an empty file is a file of bash too */
    e = world_open(&w, log_ops(), NULL);
    expect(e, "a", NULL);
    world_deinit(&w);
}

/* ---- the format ---- */

static void test_the_file_is_as_the_essay_says(void **state)
{
    (void)state;
    struct world w;
    size_t size;
    world_init(&w, WORLD_DISK, 1);
    struct engine *e = world_open(&w, log_ops(), NULL);
    put(e, "a", "1");
    put(e, "\xff,", "b c,\n");
    delete (e, "a");
    for (int i = 0; i < 2; i++)
        assert_int_equal(engine_put(e, bytes_string(i ? "c" : "b"), bytes_string(i ? "3" : "2"),
                                    &allocator_system, ENGINE_NO_SYNC, 0),
                         0);
    assert_int_equal(engine_sync(e), 0);
    world_close(&w);
    char *text = (char *)read_file(&w, &size), *line = text;
    static const char *const expected[] = {"#+,0000000000,0,00000000",
                                           "#,0,",
                                           "#+,0000000026,0,",
                                           "a, 1",
                                           "#,1,",
                                           "#+,0000000051,0,",
                                           "%FF%2C, b c,%0A",
                                           "#,1,",
                                           "#+,0000000087,0,",
                                           "#del",
                                           "a,",
                                           "#,1,",
                                           "#+,00000000b5,0,",
                                           "b, 2",
                                           "#,1,",
                                           "#+,00000000e0,2b,", /* not synced: claims less */
                                           "c, 3",
                                           "#,1,",
                                           "#+,000000010c,0,",
                                           "#,0,"}; /* the last batch is the mark of close */
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        char *end = strchr(line, '\n');
        assert_non_null(end);
        *end = '\0';
        bool whole = expected[i][0] != '#' || strcmp(expected[i], "#del") == 0;
        if (whole ? strcmp(line, expected[i]) != 0
                  : strncmp(line, expected[i], strlen(expected[i])) != 0)
            fail_msg("line %zu is \"%s\", not \"%s\"", i, line, expected[i]);
        line = end + 1;
    }
    assert_int_equal(line - text, size);
    free(text);
    world_deinit(&w);
}

/* ---- tails ---- */

static void test_a_file_cut_at_any_length_opens_at_the_last_whole_batch(void **state)
{
    (void)state;
    struct world w;
    size_t size;
    world_init(&w, WORLD_DISK, 1);
    struct engine *e = world_open(&w, log_ops(), NULL);
    size_t ends[5] = {0};
    struct engine_stats s;
    engine_stats(e, &s);
    ends[0] = s.disk_bytes;
    for (int i = 1; i < 5; i++) {
        struct engine_batch batch = {.allocator = &allocator_system};
        char value[24];
        snprintf(value, sizeof(value), "%d", i);
        engine_batch_put(&batch, BYTES_LITERAL("n"), bytes_string(value));
        engine_batch_put(&batch, BYTES_LITERAL("twin"), bytes_string(value));
        engine_batch_delete(&batch, BYTES_LITERAL("none"));
        assert_int_equal(engine_write(e, &batch, ENGINE_NO_SYNC, 0), 0);
        engine_batch_deinit(&batch);
        engine_stats(e, &s);
        ends[i] = s.disk_bytes;
    }
    world_close(&w);
    unsigned char *whole = read_file(&w, &size);
    assert_int_equal(size, ends[4]); /* not synced: no mark */
    for (size_t cut = ends[0]; cut <= size; cut++) {
        int batches = 0;
        while (batches < 4 && ends[batches + 1] <= cut) batches++;
        write_file(&w, bytes_of(whole, cut));
        e = world_open(&w, log_ops(), NULL);
        char value[24];
        snprintf(value, sizeof(value), "%d", batches);
        expect(e, "n", batches ? value : NULL);
        expect(e, "twin", batches ? value : NULL);
        engine_stats(e, &s);
        assert_int_equal(s.cut_bytes, cut - ends[batches]);
        world_close(&w);
    }
    free(whole);
    world_deinit(&w);
}

static void test_lines_of_bash_before_a_torn_batch_are_kept(void **state)
{
    (void)state;
    struct world w;
    size_t size, longer;
    world_init(&w, WORLD_DISK, 1);
    struct engine *e = world_open(&w, log_ops(), NULL);
    put(e, "a", "1");
    world_close(&w);
    unsigned char *ours = read_file(&w, &size);
    unsigned char *both = malloc(size + 100);
    memcpy(both, ours, size);
    memcpy(both + size, "a, 2\nb, 3\n", 10);
    write_file(&w, bytes_of(both, size + 10));
    e = world_open(&w, log_ops(), NULL);
    put(e, "a", "4");
    world_close(&w);
    unsigned char *adopted = read_file(&w, &longer);
    for (size_t cut = size + 10; cut < longer; cut++) {
        write_file(&w, bytes_of(adopted, cut));
        e = world_open(&w, log_ops(), NULL);
        expect(e, "b", "3");
        struct buffer out = {.allocator = &allocator_system};
        assert_int_equal(engine_get(e, BYTES_LITERAL("a"), &out), 0);
        assert_true(out.data[0] == '2' || out.data[0] == '4');
        buffer_deinit(&out);
        world_close(&w);
    }
    free(adopted);
    free(both);
    free(ours);
    world_deinit(&w);
}

static void test_damage_in_the_middle_is_located(void **state)
{
    (void)state;
    struct world w;
    size_t size;
    world_init(&w, WORLD_DISK, 1);
    struct engine *e = world_open(&w, log_ops(), NULL);
    put(e, "a", "1");
    put(e, "b", "2");
    put(e, "c", "3");
    world_close(&w);
    unsigned char *whole = read_file(&w, &size);
    unsigned char *at = (unsigned char *)strstr((char *)whole, "b, 2");
    at[3] = '7';
    write_file(&w, bytes_of(whole, size));
    assert_int_equal(world_try_open(&w, log_ops(), NULL), -EBADMSG);
    assert_non_null(strstr((char *)w.open_error.data, "data/database at offset 81:"));
    at[3] = '2';
    write_file(&w, bytes_of(whole, size));
    e = world_open(&w, log_ops(), NULL);
    expect(e, "b", "2");
    free(whole);
    world_deinit(&w);
}

static void test_truncate_keeps_what_stands_before_damage_and_counts_the_rest(void **state)
{
    (void)state;
    struct world w;
    size_t size;
    struct log_options options;
    world_init(&w, WORLD_DISK, 1);
    struct engine *e = world_open(&w, log_ops(), NULL);
    put(e, "a", "1");
    put(e, "b", "2");
    put(e, "c", "3");
    world_close(&w);
    unsigned char *whole = read_file(&w, &size);
    strstr((char *)whole, "b, 2")[3] = '7';
    write_file(&w, bytes_of(whole, size));
    free(whole);
    assert_int_equal(options_default(log_ops()->options, log_ops()->options_count, &options,
                                     sizeof(options)),
                     0);
    options.on_corruption = 1;
    e = world_open(&w, log_ops(), &options);
    expect(e, "a", "1");
    expect(e, "b", NULL);
    expect(e, "c", NULL);
    struct engine_stats stats;
    engine_stats(e, &stats);
    assert_int_equal(stats.cut_bytes, size - 81);
    world_deinit(&w);
}

/* One that begins with our grammar but has no whole batch is not taken for bash's. */
static void test_a_broken_file_of_ours_is_not_taken_for_one_of_bash(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, WORLD_DISK, 1);
    write_file(&w, BYTES_LITERAL("a, 1\n#,1,00000000\n"));
    assert_int_equal(world_try_open(&w, log_ops(), NULL), -EBADMSG);
    write_file(&w, BYTES_LITERAL("#+,000")); /* cut off in its first line */
    assert_int_equal(world_try_open(&w, log_ops(), NULL), -EBADMSG);
    write_file(&w,
               BYTES_LITERAL("#+,000\n")); /* bash: db_set would have written a space, but */
    world_open(&w, log_ops(), NULL);
    world_deinit(&w);
}

static void test_a_tail_that_bash_would_not_write_is_cut(void **state)
{
    (void)state;
    static const struct {
        const char *tail;
        int kept;
    } tails[] = {
        {"b, 1\nc\xff, 2\n", 1},            /* not UTF-8 */
        {"b, 1\nc\x01, 2\n", 1},            /* a control character */
        {"b, 1\nc, 2", 1},                  /* no newline */
        {"b, 1\n#+\nc, 2\n", 1},            /* the front of a begin line */
        {"b, 1\n?,10,00000000\nc, 2\n", 1}, /* its rear */
        {"b, 1\nc, 2\n#,2,00000000\n", 0},  /* the end of a batch: all of it is suspect */
        {"b, 1\nc\t\xc3\xbc, 2\n", 2},      /* a tab and an umlaut are nothing special */
    };
    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        struct world w;
        size_t size, tail = strlen(tails[i].tail);
        world_init(&w, WORLD_DISK, 1);
        struct engine *e = world_open(&w, log_ops(), NULL);
        put(e, "a", "1");
        world_close(&w);
        unsigned char *ours = read_file(&w, &size);
        unsigned char *both = malloc(size + tail);
        memcpy(both, ours, size);
        memcpy(both + size, tails[i].tail, tail);
        write_file(&w, bytes_of(both, size + tail));
        e = world_open(&w, log_ops(), NULL);
        expect(e, "a", "1");
        expect(e, "b", tails[i].kept >= 1 ? "1" : NULL);
        expect(e, "c\t\xc3\xbc", tails[i].kept == 2 ? "2" : NULL);
        expect(e, "c", NULL);
        expect(e, "c\xff", NULL);
        expect(e, "c\x01", NULL);
        free(both);
        free(ours);
        world_deinit(&w);
    }
}

/* Garble may begin with what looks like a line of bash. Behind a batch that nothing claims,
 * where the engine was writing when it died, such a tail is kept whole or not at all. */
static void test_garble_behind_an_unclaimed_batch_is_no_line_of_bash(void **state)
{
    (void)state;
    static const struct {
        bool is_closed;
        const char *tail, *b;
    } tails[] = {{false, "b, 1\n\xff\x01\x02", NULL},
                 {false, "b, 1\n", "1"},
                 {true, "b, 1\n\xff\x01\x02", "1"}};
    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        struct world w;
        size_t size, tail = strlen(tails[i].tail);
        world_init(&w, WORLD_DISK, 1);
        struct engine *e = world_open(&w, log_ops(), NULL);
        put(e, "a", "1");
        if (tails[i].is_closed)
            world_close(&w);
        else
            world_crash(&w, CRASH_PROCESS);
        unsigned char *ours = read_file(&w, &size);
        unsigned char *both = malloc(size + tail);
        memcpy(both, ours, size);
        memcpy(both + size, tails[i].tail, tail);
        write_file(&w, bytes_of(both, size + tail));
        e = world_open(&w, log_ops(), NULL);
        expect(e, "a", "1");
        expect(e, "b", tails[i].b);
        free(both);
        free(ours);
        world_deinit(&w);
    }
}

/* I5: lost sectors may show what an older file held there, whole batches even. */
static void test_a_batch_of_another_history_is_not_a_continuation(void **state)
{
    (void)state;
    struct world old, now;
    size_t old_size, size;
    world_init(&old, WORLD_DISK, 1);
    world_init(&now, WORLD_DISK, 1);
    struct engine *e = world_open(&old, log_ops(), NULL);
    for (int i = 0; i < 2; i++)
        assert_int_equal(engine_put(e, bytes_string(i ? "b" : "a"), BYTES_LITERAL("1"),
                                    &allocator_system, ENGINE_NO_SYNC, 0),
                         0);
    world_close(&old);
    e = world_open(&now, log_ops(), NULL);
    assert_int_equal(engine_put(e, BYTES_LITERAL("a"), BYTES_LITERAL("2"), &allocator_system,
                                ENGINE_NO_SYNC, 0),
                     0);
    world_close(&now);
    unsigned char *stale = read_file(&old, &old_size), *mine = read_file(&now, &size);
    assert_true(old_size > size);
    memcpy(stale, mine, size);
    write_file(&now, bytes_of(stale, old_size));
    e = world_open(&now, log_ops(), NULL);
    expect(e, "a", "2");
    expect(e, "b", NULL);
    free(stale);
    free(mine);
    world_deinit(&old);
    world_deinit(&now);
}

/* ---- what a write costs ---- */

static void test_a_synced_put_is_one_sync_and_few_bytes_beyond_its_record(void **state)
{
    (void)state;
    static const size_t value_sizes[] = {100, 1000};
    for (size_t i = 0; i < 2; i++) {
        struct world w;
        struct rng rng;
        unsigned char value[1000];
        char key[24];
        enum { PUTS = 500 };
        rng_init(&rng, 42, "costs", "values", NULL);
        world_init(&w, WORLD_DISK, 1);
        struct engine *e = world_open(&w, log_ops(), NULL);
        struct disk_counters before = *disk_counters(w.disk);
        for (int n = 0; n < PUTS; n++) {
            snprintf(key, sizeof(key), "%016d", n);
            for (size_t b = 0; b < value_sizes[i]; b++)
                value[b] = (unsigned char)rng_below(&rng, 256);
            assert_int_equal(engine_put(e, bytes_string(key), bytes_of(value, value_sizes[i]),
                                        &allocator_system, ENGINE_SYNC, 0),
                             0);
        }
        struct disk_counters after = *disk_counters(w.disk);
        assert_int_equal(after.syncs[VFS_LOG] - before.syncs[VFS_LOG], PUTS);
        assert_int_equal(after.writes[VFS_LOG] - before.writes[VFS_LOG], PUTS);
        uint64_t bytes = after.write_bytes[VFS_LOG] - before.write_bytes[VFS_LOG];
        uint64_t beyond = bytes / PUTS - 16 - value_sizes[i];
        assert_in_range(beyond, 41, 64); /* escapes of random bytes included */
        world_deinit(&w);
    }
}

/* ---- the index ---- */

static struct log_options with_index(void)
{
    struct log_options options;
    assert_int_equal(options_default(log_ops()->options, log_ops()->options_count, &options,
                                     sizeof(options)),
                     0);
    options.index = 1;
    return options;
}

static uint64_t property_wanted;
static void property(void *context, const char *name, uint64_t value)
{
    if (strcmp(name, context) == 0) property_wanted = value;
}

static void test_with_an_index_a_get_is_one_read_of_the_value(void **state)
{
    (void)state;
    struct world w;
    struct log_options options = with_index();
    world_init(&w, WORLD_DISK, 1);
    struct engine *e = world_open(&w, log_ops(), &options);
    struct buffer out = {.allocator = &allocator_system};
    char key[16], value[16];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 300 && round == 0; i++) {
            snprintf(key, sizeof(key), "key %d", i % 100);
            snprintf(value, sizeof(value), "%d", i);
            put(e, key, value);
        }
        delete (e, "key 7");
        struct disk_counters before = *disk_counters(w.disk);
        for (int i = 0; i < 100; i++) {
            snprintf(key, sizeof(key), "key %d", i);
            snprintf(value, sizeof(value), "%d", 200 + i);
            expect(e, key, i == 7 ? NULL : value);
        }
        expect(e, "absent", NULL);
        struct disk_counters after = *disk_counters(w.disk);
        assert_int_equal(after.reads[VFS_USER_READ] - before.reads[VFS_USER_READ], 99);
        assert_int_equal(after.read_bytes[VFS_USER_READ] - before.read_bytes[VFS_USER_READ],
                         99 * 3);
        engine_properties(e, property, "index.keys");
        assert_int_equal(property_wanted, 99);
        e = world_reopen(&w);
    }
    buffer_deinit(&out);
    world_deinit(&w);
}

/* log_index against the oracle, where deletes leave gaps and keys are copied together. */
static void test_the_index_agrees_with_a_map(void **state)
{
    (void)state;
    struct log_index index = {.allocator = &allocator_system};
    struct oracle oracle = {0};
    struct rng rng;
    rng_init(&rng, 7, "index", "operations", NULL);
    for (int i = 0; i < 20000; i++) {
        char key[64];
        uint64_t number = rng_below(&rng, i < 10000 ? 900 : 60);
        int size = snprintf(key, sizeof(key), "%.*s%u", (int)(number % 40),
                            "----------------------------------------", (unsigned)number);
        struct bytes name = bytes_of(key, (size_t)size);
        struct log_place place = {.offset = (uint64_t)i, .size = (uint32_t)size, .crc = 1};
        if (rng_below(&rng, 2)) {
            assert_int_equal(log_index_reserve(&index, 1, name.size), 0);
            log_index_put(&index, name, &place);
            oracle_put(&oracle, name, bytes_of(&place.offset, sizeof(place.offset)));
        } else {
            log_index_delete(&index, name);
            oracle_delete(&oracle, name);
        }
        if (i % 500 == 499) {
            assert_int_equal(index.count, oracle.count);
            for (size_t k = 0; k < oracle.count; k++) {
                uint64_t offset;
                assert_true(log_index_find(&index, oracle_key(&oracle, k), &place));
                memcpy(&offset, oracle_value(&oracle, k).data, sizeof(offset));
                assert_int_equal(place.offset, offset);
            }
        }
        struct bytes ignored;
        assert_int_equal(log_index_find(&index, name, &place),
                         oracle_find(&oracle, name, &ignored));
    }
    assert_true(index.keys.size < 4 * index.live_key_bytes + 8192);
    oracle_deinit(&oracle);
    log_index_deinit(&index);
}

static void test_the_index_takes_what_its_essay_says(void **state)
{
    (void)state;
    struct world w;
    struct log_options options = with_index();
    enum { KEYS = 20000 };
    struct engine_batch batch = {.allocator = &allocator_system};
    world_init(&w, WORLD_DISK, 1);
    struct engine *e = world_open(&w, log_ops(), &options);
    for (int i = 0; i < KEYS; i++) {
        char key[24];
        snprintf(key, sizeof(key), "%016d", i);
        engine_batch_put(&batch, bytes_string(key), BYTES_LITERAL("v"));
        if (batch.count == 100) {
            assert_int_equal(engine_write(e, &batch, ENGINE_NO_SYNC, 0), 0);
            engine_batch_clear(&batch);
        }
    }
    engine_properties(e, property, "index.bytes");
    assert_in_range(property_wanted / KEYS, 16 + 38, 16 + 59 + 8); /* keys grow by half, too */
    engine_batch_deinit(&batch);
    world_deinit(&w);
}

/* ---- looking from outside ---- */

static char told[1 << 16];
static void tell(void *context, enum engine_finding finding, const char *file, uint64_t offset,
                 const char *text)
{
    static const char *const kinds[] = {"item", "note", "problem"};
    size_t used = strlen(told);
    (void)context;
    snprintf(told + used, sizeof(told) - used, "%s %s:%llu %s\n", kinds[finding], file,
             (unsigned long long)offset, text);
}

static const char *inspect(struct world *w)
{
    struct engine_inspector inspector = {tell, NULL, true};
    told[0] = '\0';
    assert_int_equal(engine_inspect(log_ops(), &w->host, "data", &inspector), 0);
    return told;
}

static void test_inspection_tells_each_line_and_goes_on_behind_damage(void **state)
{
    (void)state;
    struct world w;
    size_t size;
    world_init(&w, WORLD_DISK, 1);
    struct engine *e = world_open(&w, log_ops(), NULL);
    put(e, "a", "1");
    put(e, "b\n", "2");
    delete (e, "a");
    put(e, "c", "3");
    world_close(&w);
    unsigned char *whole = read_file(&w, &size), *more = malloc(size + 10);
    memcpy(more, whole, size);
    memcpy(more + size, "d, 4\n#+,00", 10);
    write_file(&w, bytes_of(more, size + 10));
    assert_string_equal(
        inspect(&w),
        "item database:25 mark: the first 0 bytes are durable\n"
        "item database:63 put \"a\", value of 1 B\n"
        "item database:68 end of a batch of 1 that begins at 38; durable before it: 38 bytes\n"
        "item database:106 put \"b\\x0a\", value of 1 B\n"
        "item database:114 end of a batch of 1 that begins at 81; durable before it: 81 bytes\n"
        "item database:152 delete \"a\"\n"
        "item database:160 end of a batch of 1 that begins at 127; durable before it: 127 "
        "bytes\n"
        "item database:198 put \"c\", value of 1 B\n"
        "item database:203 end of a batch of 1 that begins at 173; durable before it: 173 "
        "bytes\n"
        "item database:241 mark: the first 216 bytes are durable\n"
        "item database:254 put \"d\", value of 1 B, a line of bash\n"
        "note database:259 torn tail of 5 bytes, which the next open cuts: a broken line\n");
    strstr((char *)whole, "b%0A, 2")[6] = '7';
    write_file(&w, bytes_of(whole, size));
    assert_string_equal(
        inspect(&w),
        "item database:25 mark: the first 0 bytes are durable\n"
        "item database:63 put \"a\", value of 1 B\n"
        "item database:68 end of a batch of 1 that begins at 38; durable before it: 38 bytes\n"
        "problem database:81 a batch whose checksum is wrong\n"
        "note database:81 46 bytes up to the next whole batch can not be read\n"
        "item database:152 delete \"a\"\n"
        "item database:160 end of a batch of 1 that begins at 127; durable before it: 127 "
        "bytes\n"
        "item database:198 put \"c\", value of 1 B\n"
        "item database:203 end of a batch of 1 that begins at 173; durable before it: 173 "
        "bytes\n"
        "item database:241 mark: the first 216 bytes are durable\n");
    free(more);
    free(whole);
    world_deinit(&w);
}

static void test_inspection_of_a_file_of_bash_says_that_nothing_vouches_for_it(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, WORLD_DISK, 1);
    write_file(&w, BYTES_LITERAL("a, 1\nno comma\nb,2"));
    assert_string_equal(
        inspect(&w),
        "note database:0 written by bash alone: no checksum tells whether it is whole\n"
        "item database:0 put \"a\", value of 1 B, a line of bash\n"
        "item database:14 put \"b\", value of 1 B, a line of bash\n");
    world_deinit(&w);
}

static void test_recognises_its_file_and_no_other(void **state)
{
    (void)state;
    struct world w;
    size_t size;
    world_init(&w, WORLD_DISK, 1);
    assert_int_equal(log_ops()->recognise(w.host.vfs, "data"), 0);
    struct engine *e = world_open(&w, log_ops(), NULL);
    char big[9000];
    memset(big, 'x', sizeof(big));
    assert_int_equal(engine_put(e, BYTES_LITERAL("a"), bytes_of(big, sizeof(big)),
                                &allocator_system, ENGINE_SYNC, 0),
                     0);
    put(e, "b", "2");
    world_close(&w);
    assert_int_equal(log_ops()->recognise(w.host.vfs, "data"), 1);
    unsigned char *whole = read_file(&w, &size);
    memset(whole, 0, 8192); /* its front is gone, its rear tells */
    write_file(&w, bytes_of(whole, size));
    assert_int_equal(log_ops()->recognise(w.host.vfs, "data"), 1);
    memset(whole, 0, size);
    write_file(&w, bytes_of(whole, size));
    assert_int_equal(log_ops()->recognise(w.host.vfs, "data"), 0);
    write_file(&w, BYTES_LITERAL("a, 1\n"));
    assert_int_equal(log_ops()->recognise(w.host.vfs, "data"), 1);
    free(whole);
    world_deinit(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bash_reads_what_log_wrote),
        cmocka_unit_test(test_log_opens_what_bash_wrote),
        cmocka_unit_test(test_both_append_in_turn),
        cmocka_unit_test(test_a_file_without_a_last_newline_loses_nothing),
        cmocka_unit_test(test_the_file_is_as_the_essay_says),
        cmocka_unit_test(test_a_file_cut_at_any_length_opens_at_the_last_whole_batch),
        cmocka_unit_test(test_lines_of_bash_before_a_torn_batch_are_kept),
        cmocka_unit_test(test_damage_in_the_middle_is_located),
        cmocka_unit_test(test_a_tail_that_bash_would_not_write_is_cut),
        cmocka_unit_test(test_garble_behind_an_unclaimed_batch_is_no_line_of_bash),
        cmocka_unit_test(test_a_batch_of_another_history_is_not_a_continuation),
        cmocka_unit_test(test_a_broken_file_of_ours_is_not_taken_for_one_of_bash),
        cmocka_unit_test(test_truncate_keeps_what_stands_before_damage_and_counts_the_rest),
        cmocka_unit_test(test_a_synced_put_is_one_sync_and_few_bytes_beyond_its_record),
        cmocka_unit_test(test_with_an_index_a_get_is_one_read_of_the_value),
        cmocka_unit_test(test_the_index_agrees_with_a_map),
        cmocka_unit_test(test_the_index_takes_what_its_essay_says),
        cmocka_unit_test(test_inspection_tells_each_line_and_goes_on_behind_damage),
        cmocka_unit_test(test_inspection_of_a_file_of_bash_says_that_nothing_vouches_for_it),
        cmocka_unit_test(test_recognises_its_file_and_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
