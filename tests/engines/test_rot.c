/* Goal: damaged files. Whatever bit of an image flips, whatever sector is zeroed, wherever a
 * file is cut off: the engine never gives a wrong value, never crashes, never hangs, and what
 * it does not survive it reports, with file and offset; inspection finds it too.
 *
 * Method: an image that the engine wrote and closed. A flip must be detected (-EBADMSG from
 * open, get, scan or maintain, with a text that names a file and an offset, and a problem in
 * engine_inspect) or harmless: every key reads as the oracle says, forward and reverse, before
 * and after maintenance. A zeroed sector likewise, but that one at a file's end may pass for a
 * torn tail, which is cut and counted. A file cut short may show an earlier state, but no value
 * that never was.
 *
 * `make check` tries a sample of bytes; the soak every byte with all eight bits.
 */
#include "tests/engines/variants.h"

#define COLD_KEYS 32
#define BATCHES 60
#define IMAGE_FILES 256

/* ---- an image ---- */

struct image {
    struct {
        char path[100];
        unsigned char *data;
        uint64_t size;
    } files[IMAGE_FILES];
    size_t count;
    uint64_t bytes;
};

struct subject_image {
    void *options;
    struct image image;
    struct oracle states[BATCHES + 2]; /* states[n]: after n batches */
    size_t states_count;
    const struct oracle *last;
};

static void make_batch(struct rng *rng, struct engine_batch *batch, int number)
{
    char key[24], value[400];
    batch->allocator = &allocator_system;
    uint64_t items = 1 + rng_below(rng, 4);
    for (uint64_t i = 0; i < items; i++) {
        uint64_t size = rng_below(rng, 5) ? rng_below(rng, 60) : rng_below(rng, 380);
        snprintf(key, sizeof(key), "key%02u", (unsigned)rng_below(rng, 24));
        memset(value, 'a' + number % 26, sizeof(value));
        int prefix = snprintf(value, 24, "%d.%u/", number, (unsigned)i);
        value[prefix] = 'v';
        if (rng_below(rng, 5) == 0)
            engine_batch_delete(batch, bytes_string(key));
        else
            engine_batch_put(batch, bytes_string(key), bytes_of(value, (size_t)prefix + size));
    }
    /* Keys that no later batch touches: what an engine has not loaded while it recovered. */
    for (unsigned i = 0; number == 0 && i < COLD_KEYS; i++) {
        snprintf(key, sizeof(key), "still%02u", i);
        memset(value, 'A' + (int)(i % 26), 100);
        engine_batch_put(batch, bytes_string(key), bytes_of(value, 100));
    }
}

static int image_file(void *context, const char *name, bool is_directory)
{
    struct image *image = context;
    assert_false(is_directory);
    assert_true(image->count < IMAGE_FILES);
    snprintf(image->files[image->count++].path, 100, "data/%s", name);
    return 0;
}

static void image_read(struct world *w, struct image *image)
{
    image->count = 0;
    image->bytes = 0;
    assert_int_equal(vfs_list(w->real, "data", image_file, image), 0);
    for (size_t i = 0; i < image->count; i++) {
        struct vfs_file *f;
        assert_int_equal(vfs_open(w->real, image->files[i].path, VFS_READ, &f), 0);
        assert_int_equal(vfs_size(f, &image->files[i].size), 0);
        image->files[i].data = malloc(image->files[i].size + 1);
        assert_int_equal(vfs_read(f, 0, image->files[i].data, image->files[i].size, VFS_LOG),
                         (int64_t)image->files[i].size);
        image->bytes += image->files[i].size;
        vfs_close(f);
    }
}

static int unlink_file(void *context, const char *name, bool is_directory)
{
    char path[100];
    (void)is_directory;
    snprintf(path, sizeof(path), "data/%s", name);
    return vfs_unlink(context, path);
}

static void image_write(struct world *w, const struct image *image)
{
    assert_int_equal(vfs_list(w->real, "data", unlink_file, w->real), 0);
    for (size_t i = 0; i < image->count; i++) {
        struct vfs_file *f;
        assert_int_equal(vfs_open(w->real, image->files[i].path, VFS_WRITE | VFS_CREATE, &f),
                         0);
        assert_int_equal(
            vfs_write(f, 0, bytes_of(image->files[i].data, image->files[i].size), VFS_LOG), 0);
        assert_int_equal(vfs_sync(f, VFS_LOG), 0);
        vfs_close(f);
    }
    assert_int_equal(vfs_sync_dir(w->real, "data"), 0);
}

/* A database in which everything has happened, closed: merged and compacted parts, and a tail
 * of batches that no maintenance has seen, shorter or longer by seed. */
static void image_make_of(const struct subject *subject, struct world *w,
                          struct subject_image *s, uint64_t seed)
{
    struct rng rng;
    int tail = 3 + (int)(seed % 4) * 2;
    memset(s, 0, sizeof(*s));
    rng_init(&rng, seed, "test.rot", "workload", NULL);
    s->options = subject_options(subject, SIZES_SMALL);
    world_init(w, WORLD_DISK, 1);
    world_open(w, subject->ops, s->options);
    s->states_count = 1;
    for (int i = 0; i < BATCHES; i++) {
        struct engine_batch batch = {0};
        make_batch(&rng, &batch, i);
        assert_int_equal(
            engine_write(w->engine, &batch, i % 3 ? ENGINE_SYNC : ENGINE_NO_SYNC, 0), 0);
        oracle_copy(&s->states[s->states_count], &s->states[s->states_count - 1]);
        oracle_apply(&s->states[s->states_count++], &batch);
        engine_batch_deinit(&batch);
        bool more = i < BATCHES - tail;
        for (int slices = 0; more && (slices < 4 || i == BATCHES - 1 - tail); slices++)
            assert_int_equal(engine_maintain(w->engine, 4000, 0, &more), 0);
        if (i == 25) world_reopen(w);
    }
    assert_int_equal(engine_sync(w->engine), 0);
    s->last = &s->states[s->states_count - 1];
    assert_int_equal(oracle_compare(s->last, w->engine), 0);
    assert_background(subject, &w->spy, "the rot suite");
    world_close(w);
    image_read(w, &s->image);
}

static void image_make(const struct subject *subject, struct world *w, struct subject_image *s)
{
    image_make_of(subject, w, s, env_u64("SEED", 1));
}

static void image_free(struct world *w, struct subject_image *s)
{
    for (size_t i = 0; i < s->image.count; i++) free(s->image.files[i].data);
    for (size_t i = 0; i < s->states_count; i++) oracle_deinit(&s->states[i]);
    free(s->options);
    world_deinit(w);
}

/* ---- judging ---- */

static char context[400]; /* which damage is being tried, for a test's text */

/* "file at offset ...": of a file that is there. */
static void check_report(const struct subject_image *s, const char *text, const char *where)
{
    if (!strstr(text, "at offset"))
        fail_msg("%s: the report of %s names no offset: '%s'", context, where, text);
    for (size_t i = 0; i < s->image.count; i++)
        if (strstr(text, strrchr(s->image.files[i].path, '/') + 1)) return;
    fail_msg("%s: the report of %s names no file of the image: '%s'", context, where, text);
}

/* Scans one way; true when damage was reported, after entries that are right. */
static bool scan_reports(struct world *w, const struct subject_image *s, bool reverse)
{
    const struct oracle *o = s->last;
    struct engine_range range = {.reverse = reverse};
    struct engine_cursor *cursor;
    struct bytes key, value;
    int n = engine_scan_open(w->engine, &range, &cursor);
    if (n == 0) {
        size_t seen = 0;
        while ((n = engine_scan_next(cursor, &key, &value)) > 0) {
            size_t i = reverse ? o->count - 1 - seen : seen;
            if (seen >= o->count || !bytes_equal(key, oracle_key(o, i)) ||
                !bytes_equal(value, oracle_value(o, i)))
                fail_msg("%s: a scan gives something else at entry %zu", context, seen);
            seen++;
        }
        engine_scan_close(cursor);
        if (n == 0 && seen != o->count)
            fail_msg("%s: a scan ends early, after %zu of %zu", context, seen, o->count);
    }
    if (n == 0) return false;
    if (n != -EBADMSG) fail_msg("%s: a scan fails with %d", context, n);
    check_report(s, engine_error(w->engine), "a scan");
    return true;
}

/* Every key reads as the oracle says, or the damage is reported. True when it was reported. */
static bool reads_report(struct world *w, const struct subject_image *s)
{
    struct buffer out = {.allocator = &allocator_system};
    bool is_reported = false;
    char key[24];
    for (unsigned k = 0; k < 25; k++) {
        struct bytes value, name = bytes_of(key, (size_t)snprintf(key, 24, "key%02u", k));
        bool is_there = oracle_find(s->last, name, &value);
        int err = engine_get(w->engine, name, &out);
        if (err == -EBADMSG) {
            check_report(s, engine_error(w->engine), "a get");
            is_reported = true;
        } else if (is_there ? err || !bytes_equal(buffer_bytes(&out), value) : err != -ENOENT) {
            fail_msg("%s: get of %s gives something else (errno %d)", context, key, -err);
        }
    }
    buffer_deinit(&out);
    bool forward = scan_reports(w, s, false), backward = scan_reports(w, s, true);
    return is_reported || forward || backward;
}

/* Maintenance does its work or reports; it never makes damage look sound. */
static bool maintenance_reports(struct world *w, const struct subject_image *s)
{
    bool more = true;
    for (int slices = 0; more; slices++) {
        if (slices == 20000) fail_msg("%s: maintenance does not end", context);
        int err = engine_maintain(w->engine, 4000, 0, &more);
        if (!err) continue;
        if (err != -EBADMSG) fail_msg("%s: maintenance fails with %d", context, err);
        check_report(s, engine_error(w->engine), "maintenance");
        return true;
    }
    return false;
}

struct verdicts {
    uint64_t tried, at_open, at_read, at_maintenance, by_inspection, unseen;
};

/* The damaged image stands on the disk. */
static void judge(const struct subject *subject, struct world *w, const struct subject_image *s,
                  bool may_be_cut, struct verdicts *v)
{
    struct findings found = {0};
    v->tried++;
    if (subject->ops->recognise(w->host.vfs, "data") != 1)
        fail_msg("%s: not recognised any more", context);
    found = world_inspect(w, subject->ops, "data");
    bool is_reported = false;
    int err = world_try_open(w, subject->ops, s->options);
    if (err) {
        if (err != -EBADMSG) fail_msg("%s: open fails with %d", context, err);
        assert_int_equal(w->heap.bytes, 0);
        assert_int_equal(w->spy.open_files, 0);
        check_report(s, (char *)w->open_error.data, "open");
        v->at_open++;
        is_reported = true;
    } else {
        struct engine_stats stats;
        engine_stats(w->engine, &stats);
        if (may_be_cut && stats.cut_bytes) {
            world_close(w);
            return; /* taken for a torn tail, and said so */
        }
        bool at_read = reads_report(w, s);
        v->at_read += at_read;
        bool at_maintenance = maintenance_reports(w, s);
        v->at_maintenance += at_maintenance && !at_read;
        reads_report(w, s);
        engine_close(w->engine);
        w->engine = NULL;
        if (world_try_open(w, subject->ops, s->options) == 0) reads_report(w, s);
        world_close(w);
        is_reported = at_read || at_maintenance;
    }
    v->by_inspection += found.problems > 0;
    v->unseen += !is_reported && !found.problems;
    if (is_reported && !found.problems)
        fail_msg("%s: the engine reports damage that inspection does not find", context);
}

static void verdicts_print(const struct subject *subject, const struct subject_image *s,
                           const struct verdicts *v, const char *what)
{
    print_message("%s: %llu %s in %zu files of %llu bytes; found at open %llu, at a read %llu, "
                  "by maintenance %llu, by inspection %llu; harmless and unseen %llu\n",
                  subject->name, (unsigned long long)v->tried, what, s->image.count,
                  (unsigned long long)s->image.bytes, (unsigned long long)v->at_open,
                  (unsigned long long)v->at_read, (unsigned long long)v->at_maintenance,
                  (unsigned long long)v->by_inspection, (unsigned long long)v->unseen);
    tally(subject, what, v->tried);
}

/* ---- bits ---- */

static void test_a_sound_image_has_no_problems(void **state)
{
    const struct subject *subject = *state;
    struct world w;
    struct subject_image s;
    image_make(subject, &w, &s);
    snprintf(context, sizeof(context), "%s, sound", subject->name);
    struct findings found = world_inspect(&w, subject->ops, "data");
    if (found.problems) fail_msg("%s: %s", context, found.first);
    assert_true(found.items >= s.image.count);
    struct verdicts v = {0};
    judge(subject, &w, &s, false, &v);
    assert_int_equal(v.unseen, 1);
    image_free(&w, &s);
}

static void flip_bits(const struct subject *subject, uint64_t seed, uint64_t sample)
{
    struct world w;
    struct subject_image s;
    struct verdicts v = {0};
    image_make_of(subject, &w, &s, seed);
    uint64_t stride = test_is_soak() ? 1 : 1 + s.image.bytes / sample;
    uint64_t bits = test_is_soak() ? test_scaled(1, 8) : 1, at_all = 0;
    for (size_t i = 0; i < s.image.count; i++)
        for (uint64_t at = 0; at < s.image.files[i].size; at++, at_all++)
            for (uint64_t turn = 0; turn < bits; turn++) {
                if (at_all % stride) continue;
                uint64_t bit = (at_all / stride * 5 + turn) % 8;
                unsigned char *byte = &s.image.files[i].data[at];
                snprintf(context, sizeof(context), "%s, SEED=%llu, bit %u of byte %llu of %s",
                         subject->name, (unsigned long long)seed, (unsigned)bit,
                         (unsigned long long)at, s.image.files[i].path);
                *byte ^= (unsigned char)(1 << bit);
                image_write(&w, &s.image);
                judge(subject, &w, &s, false, &v);
                *byte ^= (unsigned char)(1 << bit);
            }
    verdicts_print(subject, &s, &v, "flips");
    assert_true(v.unseen <= v.tried / 2);
    image_free(&w, &s);
}

static void test_a_flipped_bit_is_detected_or_harmless(void **state)
{
    uint64_t seed = env_u64("SEED", 1);
    for (uint64_t i = 0; i < 4; i++) flip_bits(*state, seed + i, test_scaled(80, 1));
}

/* The same while the engine has the image open and may hold parts of it in memory. */
static void test_a_bit_flipped_under_an_open_engine_is_detected_or_harmless(void **state)
{
    const struct subject *subject = *state;
    struct world w;
    struct subject_image s;
    uint64_t tried = 0, reported = 0, at_all = 0;
    image_make(subject, &w, &s);
    uint64_t stride = test_is_soak() ? 3 : 1 + s.image.bytes / test_scaled(120, 1);
    for (size_t i = 0; i < s.image.count; i++)
        for (uint64_t at = 0; at < s.image.files[i].size; at++, at_all++) {
            if (at_all % stride) continue;
            struct vfs_file *f;
            unsigned char flipped =
                s.image.files[i].data[at] ^ (unsigned char)(1 << at_all / stride % 8);
            snprintf(context, sizeof(context), "%s, byte %llu of %s under an open engine",
                     subject->name, (unsigned long long)at, s.image.files[i].path);
            image_write(&w, &s.image);
            world_open(&w, subject->ops, s.options);
            if (vfs_open(w.real, s.image.files[i].path, VFS_WRITE, &f) == 0) {
                uint64_t size = 0;
                assert_int_equal(vfs_size(f, &size), 0);
                if (at < size) {
                    assert_int_equal(vfs_write(f, at, bytes_of(&flipped, 1), VFS_LOG), 0);
                    tried++;
                }
                vfs_close(f);
                reported += reads_report(&w, &s);
                maintenance_reports(&w, &s);
                reads_report(&w, &s);
            }
            world_close(&w);
        }
    print_message("%s: %llu flips under an open engine, %llu reported\n", subject->name,
                  (unsigned long long)tried, (unsigned long long)reported);
    assert_true(reported > 0);
    tally(subject, "flips under an open engine", tried);
    image_free(&w, &s);
}

/* Flips a bit of every copy of the text that the files hold. */
static uint64_t flip_text(struct world *w, const struct image *image, const char *text)
{
    uint64_t flipped = 0, size = strlen(text);
    for (size_t i = 0; i < image->count; i++)
        for (uint64_t at = 0; at + size <= image->files[i].size; at++) {
            struct vfs_file *f;
            unsigned char byte = image->files[i].data[at] ^ 1;
            if (memcmp(image->files[i].data + at, text, size) != 0 ||
                vfs_open(w->real, image->files[i].path, VFS_WRITE, &f))
                continue;
            assert_int_equal(vfs_write(f, at, bytes_of(&byte, 1), VFS_LOG), 0);
            vfs_close(f);
            flipped++;
        }
    return flipped;
}

/* The error of reading a key whose value rotted while the engine had it open, and the value. */
static int get_rotten(const struct subject *subject, const char *verify, struct buffer *out,
                      uint64_t *flipped, uint64_t *problems)
{
    struct world w;
    struct image image;
    void *options = subject_options(subject, SIZES_SMALL);
    char key[24], value[64];
    bool more = true;
    if (verify) assert_true(option_put(subject->ops, options, "verify", verify));
    world_init(&w, WORLD_DISK, 1);
    world_open(&w, subject->ops, options);
    for (int i = 0; i < 40; i++) {
        snprintf(key, sizeof(key), "key%02d", i);
        snprintf(value, sizeof(value), "Balance-%02d-of-an-account", i);
        assert_int_equal(engine_put(w.engine, bytes_string(key), bytes_string(value),
                                    &allocator_system, ENGINE_SYNC, 0),
                         0);
    }
    while (more) assert_int_equal(engine_maintain(w.engine, 1 << 20, 0, &more), 0);
    world_reopen(&w);
    image_read(&w, &image);
    *flipped = flip_text(&w, &image, "Balance-17-of-an-account");
    int err = engine_get(w.engine, BYTES_LITERAL("key17"), out);
    world_close(&w);
    *problems = subject->ops->inspect ? world_inspect(&w, subject->ops, "data").problems : 1;
    for (size_t i = 0; i < image.count; i++) free(image.files[i].data);
    free(options);
    world_deinit(&w);
    return err;
}

/* What a store without checksums hands to its replicas (Ganesan and others, "Redundancy does
 * not imply fault tolerance", FAST 2017), shown on an engine that can be told not to look. */
static void test_a_rotten_value_is_returned_only_by_who_does_not_verify(void **state)
{
    const struct subject *subject = *state;
    struct buffer out = {.allocator = &allocator_system};
    uint64_t flipped, problems;
    int err = get_rotten(subject, NULL, &out, &flipped, &problems);
    assert_true(flipped > 0);
    assert_true(problems > 0);
    if (err && err != -EBADMSG) fail_msg("%s: get fails with %d", subject->name, err);
    if (!err)
        assert_true(bytes_equal(buffer_bytes(&out), BYTES_LITERAL("Balance-17-of-an-account")));
    if (option_find(subject->ops, "verify")) {
        assert_int_equal(get_rotten(subject, "no", &out, &flipped, &problems), 0);
        assert_true(bytes_equal(buffer_bytes(&out), BYTES_LITERAL("Calance-17-of-an-account")));
        assert_true(problems > 0); /* it is only not looked at */
    }
    buffer_deinit(&out);
}

/* ---- sectors and lengths ---- */

static void test_a_zeroed_sector_is_detected_or_harmless(void **state)
{
    const struct subject *subject = *state;
    struct world w;
    struct subject_image s;
    struct verdicts v = {0};
    unsigned char held[512];
    image_make(subject, &w, &s);
    uint64_t stride = test_is_soak() ? 1 : 1 + s.image.bytes / 512 / test_scaled(60, 1);
    uint64_t at_all = 0;
    for (size_t i = 0; i < s.image.count; i++)
        for (uint64_t at = 0; at < s.image.files[i].size; at += 512, at_all++) {
            if (at_all % stride) continue;
            uint64_t size = s.image.files[i].size - at;
            bool is_tail = size <= 1024;
            size = size < 512 ? size : 512;
            snprintf(context, sizeof(context), "%s, zeros from %llu of %s", subject->name,
                     (unsigned long long)at, s.image.files[i].path);
            memcpy(held, s.image.files[i].data + at, size);
            memset(s.image.files[i].data + at, 0, size);
            image_write(&w, &s.image);
            judge(subject, &w, &s, is_tail, &v);
            memcpy(s.image.files[i].data + at, held, size);
        }
    verdicts_print(subject, &s, &v, "zeroed sectors");
    image_free(&w, &s);
}

/* What a misdirected write leaves: one sector holds what belongs elsewhere. */
static void test_a_misplaced_sector_is_detected_or_harmless(void **state)
{
    const struct subject *subject = *state;
    struct world w;
    struct subject_image s;
    struct verdicts v = {0};
    struct rng rng;
    unsigned char held[512];
    image_make(subject, &w, &s);
    rng_init(&rng, env_u64("SEED", 1), "test.rot", "misplaced", NULL);
    for (uint64_t turn = 0; turn < test_scaled(60, 5000); turn++) {
        uint64_t i = rng_below(&rng, s.image.count), from = rng_below(&rng, s.image.count);
        if (s.image.files[i].size == 0 || s.image.files[from].size == 0) continue;
        uint64_t at = rng_below(&rng, (s.image.files[i].size + 511) / 512) * 512;
        uint64_t source = rng_below(&rng, (s.image.files[from].size + 511) / 512) * 512;
        uint64_t size = s.image.files[i].size - at, there = s.image.files[from].size - source;
        if (there < size) size = there;
        if (size > 512) size = 512;
        if (memcmp(s.image.files[i].data + at, s.image.files[from].data + source, size) == 0)
            continue;
        snprintf(context, sizeof(context), "%s, sector %llu of %s holds that at %llu of %s",
                 subject->name, (unsigned long long)at, s.image.files[i].path,
                 (unsigned long long)source, s.image.files[from].path);
        bool is_tail = s.image.files[i].size - at <= 1024;
        memcpy(held, s.image.files[i].data + at, size);
        memmove(s.image.files[i].data + at, s.image.files[from].data + source, size);
        image_write(&w, &s.image);
        judge(subject, &w, &s, is_tail, &v);
        memcpy(s.image.files[i].data + at, held, size);
    }
    verdicts_print(subject, &s, &v, "misplaced sectors");
    image_free(&w, &s);
}

/* A whole file in the place of another. */
static void test_a_file_under_another_name_is_detected_or_harmless(void **state)
{
    const struct subject *subject = *state;
    struct world w;
    struct subject_image s;
    struct verdicts v = {0};
    image_make(subject, &w, &s);
    for (size_t i = 0; i < s.image.count; i++)
        for (size_t from = 0; from < s.image.count; from++) {
            if (i == from) continue;
            snprintf(context, sizeof(context), "%s, %s holds the bytes of %s", subject->name,
                     s.image.files[i].path, s.image.files[from].path);
            struct image swapped = s.image;
            swapped.files[i].data = s.image.files[from].data;
            swapped.files[i].size = s.image.files[from].size;
            image_write(&w, &swapped);
            judge(subject, &w, &s, false, &v);
        }
    verdicts_print(subject, &s, &v, "exchanged files");
    image_free(&w, &s);
}

/* Whether the key ever had the value. */
static bool was_once(const struct subject_image *s, struct bytes key, struct bytes value)
{
    struct bytes then;
    for (size_t n = s->states_count; n-- > 0;)
        if (oracle_find(&s->states[n], key, &then) && bytes_equal(then, value)) return true;
    return false;
}

static void check_values_were_once(struct world *w, const struct subject_image *s)
{
    struct engine_range all = {0};
    struct engine_cursor *cursor;
    struct bytes key, value;
    assert_int_equal(engine_scan_open(w->engine, &all, &cursor), 0);
    while (engine_scan_next(cursor, &key, &value) > 0)
        if (!was_once(s, key, value))
            fail_msg("%s: a value that never was, under '%.*s'", context, (int)key.size,
                     (const char *)key.data);
    engine_scan_close(cursor);
}

/* A file that ends early is reported, or the engine shows a state that once was. Where a file's
 * own tail held all that spoke of its length, values of several moments may stand together (a
 * mixture), but each was written under its key. */
static void cut_short(const struct subject *subject, uint64_t seed)
{
    struct world w;
    struct subject_image s;
    uint64_t tried = 0, reported = 0, earlier = 0, mixed = 0, at_all = 0;
    image_make_of(subject, &w, &s, seed);
    uint64_t stride = test_is_soak() ? 5 : 1 + s.image.bytes / test_scaled(40, 1);
    for (size_t i = 0; i < s.image.count; i++)
        for (uint64_t at = 0; at < s.image.files[i].size; at++, at_all++) {
            if (at_all % stride) continue;
            uint64_t size = s.image.files[i].size;
            snprintf(context, sizeof(context), "%s, %s cut at %llu", subject->name,
                     s.image.files[i].path, (unsigned long long)at);
            s.image.files[i].size = at;
            image_write(&w, &s.image);
            s.image.files[i].size = size;
            tried++;
            world_inspect(&w, subject->ops, "data");
            struct contents found;
            int err = world_try_open(&w, subject->ops, s.options);
            if (!err) err = contents_read(w.engine, &found);
            if (err) {
                if (err != -EBADMSG) fail_msg("%s: gives %d", context, err);
                reported++;
            } else {
                size_t n = s.states_count;
                while (n > 0 && !oracle_is(&s.states[n - 1], found)) n--;
                earlier += n && n < s.states_count;
                mixed += !n;
                if (!n) check_values_were_once(&w, &s);
            }
            world_close(&w);
        }
    print_message("%s: %llu cuts of files, %llu reported, %llu show an earlier state, %llu a "
                  "mixture\n",
                  subject->name, (unsigned long long)tried, (unsigned long long)reported,
                  (unsigned long long)earlier, (unsigned long long)mixed);
    tally(subject, "files cut short", tried);
    image_free(&w, &s);
}

static void test_a_file_cut_short_shows_nothing_that_never_was(void **state)
{
    uint64_t seed = env_u64("SEED", 1);
    for (uint64_t i = 0; i < 4; i++) cut_short(*state, seed + i);
}

static void miss_files(const struct subject *subject, uint64_t seed)
{
    struct world w;
    struct subject_image s;
    uint64_t reported = 0;
    image_make_of(subject, &w, &s, seed);
    for (size_t i = 0; i < s.image.count; i++) {
        snprintf(context, sizeof(context), "%s without %s", subject->name,
                 s.image.files[i].path);
        image_write(&w, &s.image);
        assert_int_equal(vfs_unlink(w.real, s.image.files[i].path), 0);
        if (s.image.count == 1) continue; /* no file at all: an empty database */
        struct findings found = {0};
        found = world_inspect(&w, subject->ops, "data");
        int err = world_try_open(&w, subject->ops, s.options), differs = 0;
        if (!err) {
            differs = oracle_compare(s.last, w.engine);
            if (differs == 1) fail_msg("%s: opens, and has lost data", context);
        } else if (err != -EBADMSG) {
            fail_msg("%s: open fails with %d", context, err);
        }
        reported += err || differs;
        if ((err || differs) && !found.problems)
            fail_msg("%s: inspection does not miss it", context);
        world_close(&w);
    }
    print_message("%s: %llu of %zu files are missed\n", subject->name,
                  (unsigned long long)reported, s.image.count);
    image_free(&w, &s);
}

static void test_a_missing_file_is_reported(void **state)
{
    uint64_t seed = env_u64("SEED", 1);
    for (uint64_t i = 0; i < 4; i++) miss_files(*state, seed + i);
}

static const struct suite_test suite[] = {
    T(test_a_sound_image_has_no_problems),
    T(test_a_flipped_bit_is_detected_or_harmless),
    T(test_a_bit_flipped_under_an_open_engine_is_detected_or_harmless),
    T(test_a_rotten_value_is_returned_only_by_who_does_not_verify),
    T(test_a_zeroed_sector_is_detected_or_harmless),
    T(test_a_misplaced_sector_is_detected_or_harmless),
    T(test_a_file_under_another_name_is_detected_or_harmless),
    T(test_a_file_cut_short_shows_nothing_that_never_was),
    T(test_a_missing_file_is_reported),
};

int main(void)
{
    return suite_run("damaged files", suite, sizeof(suite) / sizeof(suite[0]), SUITE_DISK);
}
