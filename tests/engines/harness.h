/* What the storage tests share: a heap that a crash empties, and two kinds of world to run an
 * engine in, with a spy on its files and an oracle beside it. Static functions in a header, so
 * that each test program stays one file. variants.h adds the table that the suites over every
 * engine run over.
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
#include "tests/engines/oracle.h"
#include "tests/engines/spy.h"
#include "tests/support/scale.h"

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
    size_t bytes, bytes_most;
    uint64_t allocations; /* so far, growths included */
    uint64_t fail_at;     /* this one returns NULL; 0: none */
    unsigned char fill;   /* what fresh memory holds */
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
        memset(fresh + 1, heap->fill, new_size); /* nobody relies on zeros */
        *fresh = (struct heap_block){heap->all.next, &heap->all, new_size, HEAP_MAGIC};
        heap->all.next->previous = fresh;
        heap->all.next = fresh;
        heap->bytes += new_size;
        if (heap->bytes > heap->bytes_most) heap->bytes_most = heap->bytes;
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
    heap->fill = 0xa5;
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
    struct vfs *real; /* the world's; host.vfs is the spy before it */
    struct spy spy;
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

static UNUSED void world_init_host(struct world *w, struct vfs *vfs)
{
    w->real = vfs;
    spy_init(&w->spy, vfs);
    w->open_error.allocator = &allocator_system;
    w->host = (struct engine_host){&w->spy.base, &w->heap.allocator, world_check_failed, w,
                                   &w->open_error};
}

static UNUSED void world_init_disk(struct world *w, const struct disk_config *config,
                                   uint64_t seed)
{
    memset(w, 0, sizeof(*w));
    heap_init(&w->heap);
    w->kind = WORLD_DISK;
    w->disk = disk_create(config, seed, "disk", NULL);
    disk_begin(w->disk, 0);
    world_init_host(w, disk_vfs(w->disk));
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
    struct vfs *vfs;
    assert_int_equal(posix_vfs_create(w->root, &vfs), 0);
    world_init_host(w, vfs);
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

/* After it nothing of the engine is left in memory, and no file is open. */
static UNUSED void world_close(struct world *w)
{
    if (w->engine) engine_close(w->engine);
    w->engine = NULL;
    assert_int_equal(w->heap.bytes, 0);
    assert_int_equal(w->spy.open_files, 0);
}

static UNUSED struct engine *world_reopen(struct world *w)
{
    world_close(w);
    return world_open(w, w->ops, w->options);
}

/* The engine's process is gone: its memory, its handles. */
static UNUSED void world_forget(struct world *w)
{
    heap_empty(&w->heap);
    spy_forget(&w->spy);
    w->engine = NULL;
}

/* The power fails at `now`; the engine is gone without a goodbye. */
static UNUSED void world_power_off_at(struct world *w, int64_t now, enum disk_power_mode mode)
{
    disk_cut_after(w->disk, 0);
    disk_fail_nth(w->disk, 0, -EIO);
    int64_t cursor = disk_end(w->disk);
    disk_power_off(w->disk, now, mode);
    disk_begin(w->disk, cursor > now ? cursor : now);
    world_forget(w);
}

/* Modes beyond those of the disk: the process dies, the machine lives. */
#define CRASH_PROCESS 6
#define CRASH_MODES 7

static UNUSED const char *crash_mode_name(int mode)
{
    return mode == CRASH_PROCESS ? "process" : disk_power_mode_words[mode];
}

/* REAL: the process dies, whatever the mode; the kernel closes its files. */
static UNUSED void world_crash(struct world *w, int mode)
{
    if (w->kind == WORLD_REAL) {
        for (struct spy_file *f = w->spy.files.next; f != &w->spy.files; f = f->next)
            assert_int_equal(vfs_close(f->real), 0);
        world_forget(w);
        return;
    }
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
    world_forget(w);
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
    posix_vfs_destroy(w->real);
    char command[96];
    snprintf(command, sizeof(command), "rm -rf '%s'", w->root);
    assert_int_equal(system(command), 0);
}

#endif
