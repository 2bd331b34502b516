/* Goal: after a power loss the disk holds a legal image, every legal image can come about, and
 * nothing that was synced is ever harmed.
 * Method: small cases whose legal images are enumerated, over many seeds: each is seen, no
 * other is. Then a model: random calls of two lanes with their own cursors, a stop at a random
 * nanosecond, and an oracle that keeps every state of every file and judges what is left. SEED=
 * replays one round.
 */
#include <errno.h>
#include <stdio.h>

#include "tests/world/disk_fixture.h"
#include "tests/support/scale.h"

#define SECTOR 512u

static int scale(int rounds)
{
    return (int)test_scaled((uint64_t)rounds, 20 * (uint64_t)rounds);
}

static void put_bytes(struct vfs_file *f, uint64_t offset, char byte, size_t size)
{
    static char data[1 << 16];
    memset(data, byte, size);
    assert_int_equal(vfs_write(f, offset, bytes_of(data, size), VFS_LOG), 0);
}

/* One letter a sector: its byte, '0' for zeros, '?' for a mixture. */
static const char *sketch(struct disk *d, const char *path)
{
    static char out[64];
    static char data[1 << 16];
    struct vfs_file *f;
    if (vfs_open(disk_vfs(d), path, VFS_READ, &f)) return "none";
    int64_t size = vfs_read(f, 0, data, sizeof data, VFS_USER_READ);
    vfs_close(f);
    size_t n = 0;
    for (int64_t s = 0; s < size; s += SECTOR) {
        char letter = data[s];
        for (int64_t i = s; i < size && i < s + (int64_t)SECTOR; i++)
            if (data[i] != letter) letter = '?';
        out[n++] = letter == '\0' ? '0' : letter;
    }
    out[n] = '\0';
    return out;
}

/* Every image of the list is seen in `mode`, over many seeds, and no other. */
static void assert_images(void (*life)(struct disk *d), enum disk_power_mode mode,
                          enum disk_directory_mode directory_mode,
                          const char *(*look)(struct disk *d), const char *const *images)
{
    int seen[64] = {0};
    for (uint64_t seed = 1; seed <= 600; seed++) {
        struct disk_config config = disk_test_config();
        config.directory_mode = directory_mode;
        struct disk *d = disk_create(&config, seed, "n1", NULL);
        life(d);
        power_off(d, mode);
        const char *image = look(d);
        int i = 0;
        while (images[i] && strcmp(images[i], image)) i++;
        if (!images[i]) fail_msg("seed %d: image '%s' is not legal", (int)seed, image);
        seen[i]++;
        disk_destroy(d);
    }
    for (int i = 0; images[i]; i++)
        if (!seen[i]) fail_msg("image '%s' never came about", images[i]);
}

static const char *sketch_a(struct disk *d)
{
    return sketch(d, "a");
}

/* ---- contents ---- */

static void life_overwrite(struct disk *d)
{
    struct vfs_file *f = file_open(d, "a");
    put_bytes(f, 0, 'o', 3 * SECTOR);
    assert_int_equal(vfs_sync(f, VFS_LOG), 0);
    assert_int_equal(vfs_sync_dir(disk_vfs(d), ""), 0);
    put_bytes(f, 0, 'n', 2 * SECTOR);
    put_bytes(f, SECTOR, 'm', SECTOR);
}

static void test_disk_subset_keeps_or_loses_each_sector_of_an_overwrite(void **state)
{
    (void)state;
    static const char *const images[] = {"ooo", "noo", "ono", "nno", "omo", "nmo", NULL};
    assert_images(life_overwrite, DISK_SUBSET, DISK_DIR_ORDERED, sketch_a, images);
    assert_images(life_overwrite, DISK_STALE, DISK_DIR_ORDERED, sketch_a, images);
}

static void test_disk_prefix_cuts_once(void **state)
{
    (void)state;
    static const char *const images[] = {"ooo", "noo", "nno", "nmo", NULL};
    assert_images(life_overwrite, DISK_PREFIX, DISK_DIR_ORDERED, sketch_a, images);
}

static void life_append(struct disk *d)
{
    struct vfs_file *f = file_open(d, "a");
    put_bytes(f, 0, 'o', SECTOR);
    assert_int_equal(vfs_sync(f, VFS_LOG), 0);
    assert_int_equal(vfs_sync_dir(disk_vfs(d), ""), 0);
    put_bytes(f, SECTOR, 'n', 2 * SECTOR);
}

static void test_disk_length_is_chosen_apart_and_lost_sectors_inside_it_read_as_zeros(
    void **state)
{
    (void)state;
    static const char *const images[] = {"o", "on", "o0", "on0", "o0n", "onn", "o00", NULL};
    assert_images(life_append, DISK_SUBSET, DISK_DIR_ORDERED, sketch_a, images);
    static const char *const prefix_images[] = {"o", "on", "on0", "onn", NULL};
    assert_images(life_append, DISK_PREFIX, DISK_DIR_ORDERED, sketch_a, prefix_images);
}

static void life_recycled(struct disk *d)
{
    put_synced(d, "gone", "");
    struct vfs_file *f = file_open(d, "gone");
    put_bytes(f, 0, 's', 4 * SECTOR);
    assert_int_equal(vfs_sync(f, VFS_LOG), 0);
    assert_int_equal(vfs_close(f), 0);
    assert_int_equal(vfs_unlink(disk_vfs(d), "gone"), 0);
    assert_int_equal(vfs_sync_dir(disk_vfs(d), ""), 0);
    disk_settle(d, disk_cursor(d) + 1);
    life_append(d);
}

static void test_disk_stale_shows_the_bytes_of_a_freed_file(void **state)
{
    (void)state;
    static const char *const images[] = {"o", "on", "os", "ons", "osn", "onn", "oss", NULL};
    assert_images(life_recycled, DISK_STALE, DISK_DIR_ORDERED, sketch_a, images);
}

static void life_restarted(struct disk *d)
{
    struct vfs_file *f = file_open(d, "a");
    put_bytes(f, 0, 'o', 2 * SECTOR);
    assert_int_equal(vfs_sync(f, VFS_LOG), 0);
    assert_int_equal(vfs_sync_dir(disk_vfs(d), ""), 0);
    assert_int_equal(vfs_truncate(f, 0), 0);
    put_bytes(f, 0, 'n', 2 * SECTOR);
}

static void test_disk_truncate_that_happened_leaves_no_old_bytes_but_in_stale(void **state)
{
    (void)state;
    /* Both lengths are the same, so an image with old bytes may be the one before the truncate;
     * zeros beside old bytes come of sectors that were discarded early. */
    static const char *const images[] = {"",   "0",  "n",  "00", "n0", "0n", "nn",
                                         "oo", "o0", "0o", "on", "no", NULL};
    assert_images(life_restarted, DISK_SUBSET, DISK_DIR_ORDERED, sketch_a, images);
    static const char *const stale_images[] = {"",   "0",  "n",  "o",  "00", "n0", "0n",
                                               "nn", "oo", "o0", "0o", "on", "no", NULL};
    assert_images(life_restarted, DISK_STALE, DISK_DIR_ORDERED, sketch_a, stale_images);
}

static void test_disk_torn_garbles_one_sector_and_only_what_was_pending_in_it(void **state)
{
    (void)state;
    int garbled = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct disk *d = disk_new_seeded(seed);
        struct vfs_file *f = file_open(d, "a");
        put_bytes(f, 0, 'o', 700);
        assert_int_equal(vfs_sync(f, VFS_LOG), 0);
        assert_int_equal(vfs_sync_dir(disk_vfs(d), ""), 0);
        put_bytes(f, 700, 'n', 2000);
        power_off(d, DISK_TORN);
        const char *text = text_of(d, "a");
        struct vfs_file *g = file_open(d, "a");
        uint64_t size;
        assert_int_equal(vfs_size(g, &size), 0);
        int sectors = 0;
        for (uint64_t s = 512; s < size; s += SECTOR) {
            bool odd = false;
            for (uint64_t i = s; i < size && i < s + SECTOR; i++) {
                if (i < 700)
                    assert_int_equal(text[i], 'o');
                else
                    odd |= text[i] != 'n' && text[i] != '\0';
            }
            sectors += odd;
        }
        for (uint64_t i = 0; i < 512; i++) assert_int_equal(text[i], 'o');
        assert_true(sectors <= 1);
        garbled += sectors;
        disk_destroy(d);
    }
    assert_true(garbled > 50);
}

/* ---- names ---- */

static const char *names_of(struct disk *d)
{
    static char out[256];
    out[0] = '\0';
    static const char *const names[] = {"a", "b", "c", "tmp", "current"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (text_of(d, names[i])) {
            strcat(out, names[i]);
            strcat(out, "=");
            strcat(out, text_of(d, names[i]));
            strcat(out, " ");
        }
    return out;
}

static void write_synced(struct disk *d, const char *path, const char *text)
{
    struct vfs_file *f = file_open(d, path);
    assert_int_equal(vfs_write(f, 0, bytes_string(text), VFS_LOG), 0);
    assert_int_equal(vfs_sync(f, VFS_LOG), 0);
    assert_int_equal(vfs_close(f), 0);
}

static void life_replace(struct disk *d)
{
    put_synced(d, "current", "0");
    write_synced(d, "tmp", "1");
    assert_int_equal(vfs_rename(disk_vfs(d), "tmp", "current"), 0);
    write_synced(d, "tmp", "2");
    assert_int_equal(vfs_rename(disk_vfs(d), "tmp", "current"), 0);
}

static void test_disk_ordered_names_are_a_prefix(void **state)
{
    (void)state;
    static const char *const images[] = {"current=0 ",       "tmp=1 current=0 ", "current=1 ",
                                         "tmp=2 current=1 ", "current=2 ",       NULL};
    assert_images(life_replace, DISK_SUBSET, DISK_DIR_ORDERED, names_of, images);
    assert_images(life_replace, DISK_PREFIX, DISK_DIR_ORDERED, names_of, images);
}

static void life_three(struct disk *d)
{
    write_synced(d, "a", "1");
    write_synced(d, "b", "2");
    assert_int_equal(vfs_rename(disk_vfs(d), "b", "c"), 0);
}

static void test_disk_posix_names_are_any_subset_and_a_rename_never_both(void **state)
{
    (void)state;
    static const char *const images[] = {"",     "a=1 ",     "b=2 ", "a=1 b=2 ",
                                         "c=2 ", "a=1 c=2 ", NULL};
    assert_images(life_three, DISK_SUBSET, DISK_DIR_POSIX, names_of, images);
    static const char *const ordered[] = {"", "a=1 ", "a=1 b=2 ", "a=1 c=2 ", NULL};
    assert_images(life_three, DISK_SUBSET, DISK_DIR_ORDERED, names_of, ordered);
}

static void life_chain(struct disk *d)
{
    write_synced(d, "a", "1");
    assert_int_equal(vfs_rename(disk_vfs(d), "a", "b"), 0);
    assert_int_equal(vfs_rename(disk_vfs(d), "b", "c"), 0);
}

static void test_disk_chain_of_renames_leaves_one_name(void **state)
{
    (void)state;
    static const char *const images[] = {"", "a=1 ", "b=1 ", "c=1 ", NULL};
    assert_images(life_chain, DISK_SUBSET, DISK_DIR_POSIX, names_of, images);
}

/* ---- the model ---- */

#define FILES 48
#define STATES 256
#define BYTES 4096
#define NAMES 6
#define OPS 256

/* A state of a file: what it held from `stamp` on, or that all up to it is durable. */
struct state {
    int64_t stamp;
    bool sync;
    uint16_t size, from, to;
    unsigned char data[BYTES];
}; /* a write changed [from, to) */

struct model_file {
    int count;
    struct state states[STATES];
};

/* An operation on names; file -1: the name is cleared. */
struct name_op {
    int64_t stamp;
    int order;
    int name, from, file;
};
struct name_sync {
    int64_t start, stamp;
    int order;
};

struct model {
    struct model_file files[FILES];
    int files_count;
    struct name_op ops[OPS];
    int ops_count;
    struct name_sync syncs[OPS];
    int syncs_count, order;
    int live[NAMES]; /* as calls see it: file or -1 */
};

static const char *const model_names[NAMES] = {"f0", "f1", "f2",
                                               "g0", "g1", "g2"}; /* lane 0: f, lane 1: g */

static struct state *model_state(struct model *m, int file, int64_t stamp)
{
    struct model_file *f = &m->files[file];
    assert_true(f->count < STATES);
    struct state *s = &f->states[f->count];
    memset(s, 0, sizeof *s);
    for (int i = f->count; i-- > 0;)
        if (!f->states[i].sync) {
            *s = f->states[i];
            break;
        }
    s->stamp = stamp;
    s->sync = false;
    s->from = s->to = 0;
    f->count++;
    return s;
}

static void model_name(struct model *m, int64_t stamp, int name, int from, int file)
{
    assert_true(m->ops_count < OPS);
    m->ops[m->ops_count++] = (struct name_op){stamp, m->order++, name, from, file};
    m->live[name] = file;
    if (from >= 0) m->live[from] = -1;
}

/* One random call of a lane, told to disk and model alike. */
static void model_step(struct model *m, struct disk *d, struct rng *rng, int lane,
                       int64_t *cursor)
{
    struct vfs *v = disk_vfs(d);
    int name = lane * 3 + (int)rng_below(rng, 3), other = lane * 3 + (int)rng_below(rng, 3);
    uint64_t what = rng_below(rng, 12);
    *cursor += (int64_t)rng_below(rng, 300);
    disk_begin(d, *cursor);
    struct vfs_file *f;
    if (what == 0 && m->live[name] >= 0) {
        assert_int_equal(vfs_unlink(v, model_names[name]), 0);
        model_name(m, disk_cursor(d), name, -1, -1);
    } else if (what <= 2 && m->live[name] >= 0 && other != name) {
        assert_int_equal(vfs_rename(v, model_names[name], model_names[other]), 0);
        model_name(m, disk_cursor(d), other, name, m->live[name]);
    } else if (what == 3) {
        int64_t start = disk_cursor(d);
        assert_int_equal(vfs_sync_dir(v, ""), 0);
        m->syncs[m->syncs_count++] = (struct name_sync){start, disk_cursor(d), m->order++};
    } else if (m->live[name] >= 0 || m->files_count < FILES) {
        bool fresh = m->live[name] < 0;
        assert_int_equal(vfs_open(v, model_names[name], VFS_WRITE | VFS_CREATE, &f), 0);
        if (fresh) {
            int created = m->files_count++;
            model_name(m, disk_cursor(d), name, -1, created);
            model_state(m, created, disk_cursor(d));
        }
        int file = m->live[name];
        struct model_file *mf = &m->files[file];
        if (what <= 5 && mf->count < STATES) {
            uint64_t size = rng_below(rng, BYTES);
            assert_int_equal(vfs_truncate(f, size), 0);
            struct state *s = model_state(m, file, disk_cursor(d));
            if (size < s->size) memset(s->data + size, 0, s->size - size);
            s->size = (uint16_t)size;
        } else if (what <= 7 && mf->count < STATES) {
            assert_int_equal(vfs_sync(f, VFS_LOG), 0);
            model_state(m, file, disk_cursor(d))->sync = true;
        } else if (mf->count < STATES) {
            unsigned char data[1500];
            uint64_t size = 1 + rng_below(rng, sizeof data - 1),
                     tail = mf->count ? mf->states[mf->count - 1].size : 0;
            for (uint64_t i = 0; i < size; i++)
                data[i] = (unsigned char)(1 + rng_below(rng, 255));
            uint64_t offset = rng_below(rng, 2) ? tail : rng_below(rng, BYTES);
            if (offset + size <= BYTES - 1) {
                assert_int_equal(vfs_write(f, offset, bytes_of(data, size), VFS_LOG), 0);
                struct state *s = model_state(m, file, disk_cursor(d));
                memcpy(s->data + offset, data, size);
                s->from = (uint16_t)offset;
                s->to = (uint16_t)(offset + size);
                if (offset + size > s->size) s->size = (uint16_t)(offset + size);
            }
        }
        assert_int_equal(vfs_close(f), 0);
    }
    *cursor = disk_end(d);
}

/* States that took effect before `stop`. */
static int states_before(const struct model_file *f, int64_t stop)
{
    int n = 0;
    while (n < f->count && f->states[n].stamp < stop) n++;
    return n;
}

static int last_state(const struct model_file *f, int count)
{
    while (count > 0 && f->states[count - 1].sync) count--;
    return count - 1;
}

/* Is what is read a legal image of the file, after a stop at `stop` in `mode`? Exact ones for a
 * crash (mode -1). */
static bool content_is_legal(const struct model_file *f, int64_t stop, int mode,
                             const unsigned char *data, uint64_t size)
{
    static const struct state nothing;
    int count = states_before(f, stop), last = last_state(f, count);
    const struct state *now = last < 0 ? &nothing : &f->states[last];
    if (mode == -1 || mode == DISK_ALL_KEPT)
        return size == now->size && !memcmp(data, now->data, size);
    int durable = count;
    while (durable > 0 && !f->states[durable - 1].sync) durable--;
    int first = last_state(f, durable); /* -1: it was empty */
    const struct state *base = first < 0 ? &nothing : &f->states[first];
    if (mode == DISK_ALL_LOST) return size == base->size && !memcmp(data, base->data, size);
    bool length_is_legal = size == base->size;
    for (int i = first < 0 ? 0 : first, before = base->size; i < count;
         before = f->states[i].size, i++) {
        uint64_t after = f->states[i].size;
        length_is_legal |=
            size == after || (size % SECTOR == 0 && size > (uint64_t)before && size < after);
    }
    if (!length_is_legal) return false;
    int garbled = 0;
    for (uint64_t s = 0; s < size; s += SECTOR) {
        uint64_t n = size - s < SECTOR ? size - s : SECTOR;
        bool legal =
            !memcmp(data + s, base->data + s, n) || (mode == DISK_STALE && s >= base->size);
        for (int i = first + 1; i < count && !legal; i++)
            legal = !memcmp(data + s, f->states[i].data + s, n);
        if (legal) continue;
        if (mode != DISK_TORN || garbled++) return false;
        /* Bytes that no pending effect changed are as durable. */
        for (uint64_t b = s; b < s + n; b++) {
            bool touched = false;
            for (int i = first + 1; i < count; i++)
                touched |= f->states[i].data[b] != base->data[b] ||
                           (b >= f->states[i].from && b < f->states[i].to);
            if (!touched && b < base->size && data[b] != base->data[b]) return false;
        }
    }
    return true;
}

static int read_file(struct disk *d, int name, unsigned char *data)
{
    struct vfs_file *f;
    if (vfs_open(disk_vfs(d), model_names[name], VFS_READ, &f)) return -1;
    int size = (int)vfs_read(f, 0, data, BYTES, VFS_USER_READ);
    assert_int_equal(vfs_close(f), 0);
    return size;
}

static void names_apply(int names[NAMES], const struct name_op *op)
{
    if (op->file >= 0)
        for (int n = 0; n < NAMES; n++)
            if (names[n] == op->file) names[n] = -1;
    if (op->from >= 0) names[op->from] = -1;
    names[op->name] = op->file;
}

static int op_order(const void *a, const void *b)
{
    const struct name_op *x = a, *y = b;
    return x->stamp != y->stamp ? (x->stamp < y->stamp ? -1 : 1) : x->order - y->order;
}

/* Some legal set of names fits, with legal contents under each. */
static void assert_legal(struct model *m, struct disk *d, int64_t stop, int mode, bool posix,
                         uint64_t seed)
{
    static unsigned char data[NAMES][BYTES];
    int sizes[NAMES], base[NAMES], kept = 0;
    for (int n = 0; n < NAMES; n++) {
        sizes[n] = read_file(d, n, data[n]);
        base[n] = -1;
    }
    struct name_op pending[OPS];
    int pending_count = 0;
    qsort(m->ops, (size_t)m->ops_count, sizeof *m->ops, op_order);
    for (; kept < m->ops_count && m->ops[kept].stamp < stop; kept++) {
        const struct name_op *op = &m->ops[kept];
        bool durable = mode == -1 || mode == DISK_ALL_KEPT;
        for (int i = 0; i < m->syncs_count; i++) {
            const struct name_sync *s = &m->syncs[i];
            durable |= s->stamp < stop && (op->stamp < s->start ||
                                           (op->stamp == s->start && op->order < s->order));
        }
        if (durable)
            names_apply(base, op);
        else
            pending[pending_count++] = *op;
    }
    if (mode == DISK_ALL_LOST) pending_count = 0;
    bool subsets = posix && mode != DISK_PREFIX;
    if (subsets && pending_count > 12) return; /* too many to enumerate */
    uint64_t choices = subsets ? UINT64_C(1) << pending_count : (uint64_t)pending_count + 1;
    for (uint64_t choice = 0; choice < choices; choice++) {
        int names[NAMES];
        memcpy(names, base, sizeof names);
        for (int i = 0; i < pending_count; i++)
            if (subsets ? choice >> i & 1 : (uint64_t)i < choice)
                names_apply(names, &pending[i]);
        bool fits = true;
        for (int n = 0; n < NAMES && fits; n++)
            fits = (names[n] >= 0) == (sizes[n] >= 0) &&
                   (names[n] < 0 || content_is_legal(&m->files[names[n]], stop, mode, data[n],
                                                     (uint64_t)sizes[n]));
        if (fits) return;
    }
    fail_msg("SEED=%d: no legal image fits, mode %d, stop at %d", (int)seed, mode, (int)stop);
}

static void model_round(uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed, "test", "model", NULL);
    struct disk_config config = disk_test_config();
    bool posix = rng_below(&rng, 2);
    config.directory_mode = posix ? DISK_DIR_POSIX : DISK_DIR_ORDERED;
    config.queue_depth = 1 + (int64_t)rng_below(&rng, 4);
    struct disk *d = disk_create(&config, seed, "n1", NULL);
    static struct model model;
    struct model *m = &model;
    for (int i = 0; i < FILES; i++) m->files[i].count = 0;
    m->files_count = m->ops_count = m->syncs_count = m->order = 0;
    for (int n = 0; n < NAMES; n++) m->live[n] = -1;
    int64_t cursors[2] = {0, 0};
    int steps = 5 + (int)rng_below(&rng, 60);
    bool settles = rng_below(&rng, 2);
    for (int i = 0; i < steps; i++) {
        int lane = (int)rng_below(&rng, 2);
        /* A lane may run ahead of the other, not of the events. */
        if (cursors[lane] > cursors[!lane] + 4000) lane = !lane;
        model_step(m, d, &rng, lane, &cursors[lane]);
        if (settles) disk_settle(d, cursors[0] < cursors[1] ? cursors[0] : cursors[1]);
    }
    int64_t low = settles ? (cursors[0] < cursors[1] ? cursors[0] : cursors[1]) : 0;
    int64_t high = (cursors[0] > cursors[1] ? cursors[0] : cursors[1]) + 2;
    int64_t stop = rng_range(&rng, low, high);
    int mode = (int)rng_below(&rng, 7) - 1;
    if (rng_below(&rng, 4) == 0) {
        disk_crash(d, stop);
        assert_legal(m, d, stop, -1, posix, seed);
    }
    if (mode < 0)
        disk_crash(d, stop);
    else
        disk_power_off(d, stop, (enum disk_power_mode)mode);
    assert_legal(m, d, stop, mode, posix, seed);
    uint64_t hash = disk_hash(d);
    /* What is left is durable: a second power loss changes nothing. */
    if (mode >= 0) {
        power_off(d, DISK_ALL_LOST);
        assert_true(disk_hash(d) == hash);
    }
    disk_destroy(d);
}

static void test_disk_whatever_is_left_is_a_legal_image(void **state)
{
    (void)state;
    const char *seed = getenv("SEED");
    if (seed) {
        model_round(strtoull(seed, NULL, 10));
        return;
    }
    for (uint64_t s = 1; s <= (uint64_t)scale(1500); s++) model_round(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_disk_subset_keeps_or_loses_each_sector_of_an_overwrite),
        cmocka_unit_test(test_disk_prefix_cuts_once),
        cmocka_unit_test(
            test_disk_length_is_chosen_apart_and_lost_sectors_inside_it_read_as_zeros),
        cmocka_unit_test(test_disk_stale_shows_the_bytes_of_a_freed_file),
        cmocka_unit_test(test_disk_truncate_that_happened_leaves_no_old_bytes_but_in_stale),
        cmocka_unit_test(test_disk_torn_garbles_one_sector_and_only_what_was_pending_in_it),
        cmocka_unit_test(test_disk_ordered_names_are_a_prefix),
        cmocka_unit_test(test_disk_posix_names_are_any_subset_and_a_rename_never_both),
        cmocka_unit_test(test_disk_chain_of_renames_leaves_one_name),
        cmocka_unit_test(test_disk_whatever_is_left_is_a_legal_image),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
