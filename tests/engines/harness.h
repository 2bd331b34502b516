/* What the storage tests share: a heap that a crash empties, two kinds of world to run an
 * engine in, and an oracle. Static functions in a header, so that each test program stays one
 * file.
 *
 *     struct world w;
 *     world_init(&w, WORLD_DISK, 1);
 *     struct engine *e = world_open(&w, &engine_hash, NULL);      // fails the test on error
 *     ...
 *     world_crash(&w, DISK_TORN);  or  world_close(&w);
 *     world_deinit(&w);                                           // nothing may have leaked
 */
#ifndef FAULTLINE_TESTS_ENGINES_HARNESS_H
#define FAULTLINE_TESTS_ENGINES_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <unistd.h>

#include <cmocka.h>

#include "engines/storage/engine.h"
#include "sim/world/disk.h"
#include "tests/support/scale.h"

#define UNUSED __attribute__((unused))

/* ---- seeds and scale ---- */

static UNUSED uint64_t env_u64(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

/* ---- the heap of a node: checks sizes, counts, can fail, can be emptied ---- */

struct heap_block {
    struct heap_block *next, *previous;
    size_t size;
    size_t magic;
};

struct heap {
    struct allocator allocator;
    struct heap_block all; /* ring anchor */
    size_t bytes;
    uint64_t allocations; /* so far, growths included */
    uint64_t fail_at;     /* this one returns NULL; 0: none */
};

#define HEAP_MAGIC ((size_t)0x686561706d616769)

static UNUSED void *heap_resize(void *context, void *block, size_t old_size, size_t new_size)
{
    struct heap *heap = context;
    struct heap_block *old = block ? (struct heap_block *)block - 1 : NULL;
    if (old) {
        assert_true(old->magic == HEAP_MAGIC);
        assert_int_equal(old->size, old_size);
    }
    struct heap_block *fresh = NULL;
    if (new_size) {
        if (++heap->allocations == heap->fail_at) return NULL;
        fresh = malloc(sizeof(*fresh) + new_size);
        assert_non_null(fresh);
        memset(fresh + 1, 0xa5, new_size); /* nobody relies on zeros */
        *fresh = (struct heap_block){heap->all.next, &heap->all, new_size, HEAP_MAGIC};
        heap->all.next->previous = fresh;
        heap->all.next = fresh;
        heap->bytes += new_size;
        if (old) memcpy(fresh + 1, old + 1, old_size < new_size ? old_size : new_size);
    }
    if (old) {
        old->next->previous = old->previous;
        old->previous->next = old->next;
        heap->bytes -= old->size;
        old->magic = 0;
        free(old);
    }
    return fresh ? fresh + 1 : NULL;
}

static UNUSED void heap_init(struct heap *heap)
{
    memset(heap, 0, sizeof(*heap));
    heap->allocator = (struct allocator){heap_resize, heap};
    heap->all.next = heap->all.previous = &heap->all;
}

/* What a crash does: all memory of the node is gone. */
static UNUSED void heap_empty(struct heap *heap)
{
    while (heap->all.next != &heap->all)
        heap_resize(heap, heap->all.next + 1, heap->all.next->size, 0);
    heap->fail_at = 0;
}

/* ---- worlds ---- */

enum world_kind { WORLD_REAL, WORLD_DISK };

struct world {
    enum world_kind kind;
    struct heap heap;
    struct buffer open_error;
    struct engine_host host;
    struct engine *engine;
    const struct engine_ops *ops;
    const void *options;
    struct disk *disk;
    char root[64]; /* REAL: a temporary directory */
    int checks_failed;
    jmp_buf *on_check; /* where a failed CHECK goes; NULL: it fails the test */
};

static UNUSED void world_check_failed(void *context, const char *expression, const char *file,
                                      int line)
{
    struct world *w = context;
    w->checks_failed++;
    if (w->on_check) longjmp(*w->on_check, 1);
    fail_msg("%s:%d: broken contract: %s", file, line, expression);
    abort();
}

static UNUSED struct disk_config quick_disk(void)
{
    struct disk_config config = disk_preset_find("nvme_dc")->config;
    return config;
}

static UNUSED void world_init_disk(struct world *w, const struct disk_config *config,
                                   uint64_t seed)
{
    memset(w, 0, sizeof(*w));
    heap_init(&w->heap);
    w->kind = WORLD_DISK;
    w->disk = disk_create(config, seed, "disk", NULL);
    disk_begin(w->disk, 0);
    w->open_error.allocator = &allocator_system;
    w->host = (struct engine_host){disk_vfs(w->disk), &w->heap.allocator, world_check_failed, w,
                                   &w->open_error};
}

static UNUSED void world_init(struct world *w, enum world_kind kind, uint64_t seed)
{
    if (kind == WORLD_DISK) {
        struct disk_config config = quick_disk();
        world_init_disk(w, &config, seed);
        return;
    }
    memset(w, 0, sizeof(*w));
    heap_init(&w->heap);
    w->kind = kind;
    const char *tmp = getenv("TMPDIR");
    snprintf(w->root, sizeof(w->root), "%s/faultline-XXXXXX",
             tmp && strlen(tmp) < 40 ? tmp : "/tmp");
    assert_non_null(mkdtemp(w->root));
    w->open_error.allocator = &allocator_system;
    w->host =
        (struct engine_host){NULL, &w->heap.allocator, world_check_failed, w, &w->open_error};
    assert_int_equal(posix_vfs_create(w->root, &w->host.vfs), 0);
}

static UNUSED int world_try_open(struct world *w, const struct engine_ops *ops,
                                 const void *options)
{
    w->ops = ops;
    w->options = options;
    buffer_clear(&w->open_error);
    w->engine = NULL;
    return engine_open(ops, &w->host, "data", options, &w->engine);
}

static UNUSED struct engine *world_open(struct world *w, const struct engine_ops *ops,
                                        const void *options)
{
    int err = world_try_open(w, ops, options);
    if (err)
        fail_msg("%s does not open: errno %d: %s", ops->name, -err,
                 w->open_error.size ? (char *)w->open_error.data : "(no text)");
    return w->engine;
}

/* After it nothing of the engine is left in memory. */
static UNUSED void world_close(struct world *w)
{
    if (w->engine) engine_close(w->engine);
    w->engine = NULL;
    assert_int_equal(w->heap.bytes, 0);
}

static UNUSED struct engine *world_reopen(struct world *w)
{
    world_close(w);
    return world_open(w, w->ops, w->options);
}

/* The power fails at `now`; the engine is gone without a goodbye. */
static UNUSED void world_power_off_at(struct world *w, int64_t now, enum disk_power_mode mode)
{
    disk_cut_after(w->disk, 0);
    disk_fail_nth(w->disk, 0, -EIO);
    int64_t cursor = disk_end(w->disk);
    disk_power_off(w->disk, now, mode);
    disk_begin(w->disk, cursor > now ? cursor : now);
    heap_empty(&w->heap);
    w->engine = NULL;
}

/* Modes beyond those of the disk: the process dies, the machine lives. */
#define CRASH_PROCESS 6
#define CRASH_MODES 7

static UNUSED const char *crash_mode_name(int mode)
{
    return mode == CRASH_PROCESS ? "process" : disk_power_mode_words[mode];
}

static UNUSED void world_crash(struct world *w, int mode)
{
    int64_t now = disk_cursor(w->disk) + 1;
    if (mode != CRASH_PROCESS) {
        world_power_off_at(w, now, (enum disk_power_mode)mode);
        return;
    }
    disk_cut_after(w->disk, 0);
    disk_fail_nth(w->disk, 0, -EIO);
    disk_end(w->disk);
    disk_crash(w->disk, now);
    disk_begin(w->disk, now);
    heap_empty(&w->heap);
    w->engine = NULL;
}

static UNUSED void world_deinit(struct world *w)
{
    world_close(w);
    buffer_deinit(&w->open_error);
    if (w->kind == WORLD_DISK) {
        disk_end(w->disk);
        disk_destroy(w->disk);
        return;
    }
    posix_vfs_destroy(w->host.vfs);
    char command[96];
    snprintf(command, sizeof(command), "rm -rf '%s'", w->root);
    assert_int_equal(system(command), 0);
}

/* ---- an oracle: a small map in key order ---- */

struct oracle_pair {
    unsigned char *key, *value;
    size_t key_size, value_size;
};
struct oracle {
    struct oracle_pair *pairs;
    size_t count, capacity;
};

static UNUSED unsigned char *copy_of(struct bytes b)
{
    unsigned char *p = malloc(b.size ? b.size : 1);
    assert_non_null(p);
    if (b.size) memcpy(p, b.data, b.size);
    return p;
}

static UNUSED struct bytes oracle_key(const struct oracle *o, size_t i)
{
    return bytes_of(o->pairs[i].key, o->pairs[i].key_size);
}

static UNUSED struct bytes oracle_value(const struct oracle *o, size_t i)
{
    return bytes_of(o->pairs[i].value, o->pairs[i].value_size);
}

/* Index of the first key that is not less. */
static UNUSED size_t oracle_lower(const struct oracle *o, struct bytes key)
{
    size_t low = 0, high = o->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (bytes_compare(oracle_key(o, middle), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static UNUSED bool oracle_find(const struct oracle *o, struct bytes key, struct bytes *value)
{
    size_t i = oracle_lower(o, key);
    if (i == o->count || !bytes_equal(oracle_key(o, i), key)) return false;
    *value = oracle_value(o, i);
    return true;
}

static UNUSED void oracle_delete(struct oracle *o, struct bytes key)
{
    size_t i = oracle_lower(o, key);
    if (i == o->count || !bytes_equal(oracle_key(o, i), key)) return;
    free(o->pairs[i].key);
    free(o->pairs[i].value);
    memmove(&o->pairs[i], &o->pairs[i + 1], (o->count - i - 1) * sizeof(*o->pairs));
    o->count--;
}

static UNUSED void oracle_put(struct oracle *o, struct bytes key, struct bytes value)
{
    oracle_delete(o, key);
    if (o->count == o->capacity) {
        o->capacity = o->capacity ? o->capacity * 2 : 16;
        o->pairs = realloc(o->pairs, o->capacity * sizeof(*o->pairs));
        assert_non_null(o->pairs);
    }
    size_t i = oracle_lower(o, key);
    memmove(&o->pairs[i + 1], &o->pairs[i], (o->count - i) * sizeof(*o->pairs));
    o->pairs[i] = (struct oracle_pair){copy_of(key), copy_of(value), key.size, value.size};
    o->count++;
}

static UNUSED void oracle_apply(struct oracle *o, const struct engine_batch *batch)
{
    struct engine_batch_item item;
    size_t position = 0;
    while (engine_batch_next(batch, &position, &item)) {
        if (item.is_delete)
            oracle_delete(o, item.key);
        else
            oracle_put(o, item.key, item.value);
    }
}

static UNUSED void oracle_deinit(struct oracle *o)
{
    while (o->count) oracle_delete(o, oracle_key(o, o->count - 1));
    free(o->pairs);
    memset(o, 0, sizeof(*o));
}

static UNUSED void oracle_copy(struct oracle *to, const struct oracle *from)
{
    oracle_deinit(to);
    for (size_t i = 0; i < from->count; i++)
        oracle_put(to, oracle_key(from, i), oracle_value(from, i));
}

/* A full scan of the engine against the oracle. 0: the same; 1: not; or -errno of the scan. */
static UNUSED int oracle_compare(const struct oracle *o, struct engine *engine)
{
    struct engine_range all = {0};
    struct engine_cursor *cursor;
    struct bytes key, value;
    size_t i = 0;
    int n = engine_scan_open(engine, &all, &cursor);
    if (n) return n;
    bool is_same = true;
    while ((n = engine_scan_next(cursor, &key, &value)) > 0) {
        is_same = is_same && i < o->count && bytes_equal(key, oracle_key(o, i)) &&
                  bytes_equal(value, oracle_value(o, i));
        i++;
    }
    engine_scan_close(cursor);
    return n < 0 ? n : !(is_same && i == o->count);
}

#endif
