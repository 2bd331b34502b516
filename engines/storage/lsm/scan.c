/* Cursors, and the iterator over a run of tables.
 *
 * A cursor reads what was there when it was opened: it holds the memtables and the version of
 * that moment, and passes over entries with a later sequence (the active memtable goes on
 * growing). So nothing that writes, flushes or compacts has to know of cursors; the price is
 * that memtables and files which it holds are freed and unlinked only when it is closed.
 *
 * Forward, the newest visible version of a key comes first, and the older ones are passed over.
 * Backward, it comes last: the cursor keeps a copy of the best so far until the key changes.
 */
#include <errno.h>

#include "engines/storage/lsm/lsm_internal.h"

#define SCAN_EXPECTED 16384.0    /* bytes, of a scan whose length nobody knows */
#define NEWEST (UINT64_MAX >> 2) /* before all versions of a key */

/* ---- a run as one iterator ---- */

struct run_iterator {
    struct lsm_iterator base;
    struct lsm *lsm;
    const struct lsm_run *run;
    uint32_t readahead, expected, index;
    struct lsm_file *file;   /* pinned; NULL: none */
    struct lsm_iterator *it; /* over it */
};

static struct run_iterator *run_of(struct lsm_iterator *it)
{
    return (struct run_iterator *)it;
}

static void run_leave(struct run_iterator *r)
{
    lsm_iterator_destroy(r->it);
    r->it = NULL;
    if (r->file) lsm_file_unpin(r->lsm, r->file);
    r->file = NULL;
}

static int run_enter(struct run_iterator *r, uint32_t index)
{
    if (r->file && r->index == index) return 0;
    run_leave(r);
    int err = lsm_file_pin(r->lsm, r->run->files[index], VFS_USER_READ, NULL);
    if (err) return err;
    r->file = r->run->files[index];
    r->index = index;
    err = table_iterate(r->file->table, r->readahead, VFS_USER_READ, &r->it);
    if (!err) table_iterator_expect(r->it, r->expected);
    return err;
}

/* Shows the table's entry; when the table ended, goes on with the next one that way. */
static int run_show(struct run_iterator *r, int err, bool is_backward)
{
    r->base.is_valid = false;
    while (!err && !r->it->is_valid) {
        if (is_backward ? r->index == 0 : r->index + 1 >= r->run->count) return 0;
        err = run_enter(r, is_backward ? r->index - 1 : r->index + 1);
        if (!err) err = is_backward ? lsm_iterator_last(r->it) : lsm_iterator_first(r->it);
    }
    if (err) return err;
    r->base.is_delete = r->it->is_delete;
    r->base.sequence = r->it->sequence;
    r->base.key = r->it->key;
    r->base.value = r->it->value;
    r->base.is_valid = true;
    return 0;
}

static int run_seek(struct lsm_iterator *it, struct bytes key, uint64_t sequence)
{
    struct run_iterator *r = run_of(it);
    uint32_t index = lsm_run_find(r->run, key);
    it->is_valid = false;
    if (index == r->run->count) return 0;
    int err = run_enter(r, index);
    if (!err) err = lsm_iterator_seek(r->it, key, sequence);
    return run_show(r, err, false);
}

static int run_first(struct lsm_iterator *it)
{
    struct run_iterator *r = run_of(it);
    int err = run_enter(r, 0);
    if (!err) err = lsm_iterator_first(r->it);
    return run_show(r, err, false);
}

static int run_last(struct lsm_iterator *it)
{
    struct run_iterator *r = run_of(it);
    int err = run_enter(r, r->run->count - 1);
    if (!err) err = lsm_iterator_last(r->it);
    return run_show(r, err, true);
}

static int run_next(struct lsm_iterator *it)
{
    struct run_iterator *r = run_of(it);
    return run_show(r, lsm_iterator_next(r->it), false);
}

static int run_previous(struct lsm_iterator *it)
{
    struct run_iterator *r = run_of(it);
    return run_show(r, lsm_iterator_previous(r->it), true);
}

static void run_destroy(struct lsm_iterator *it)
{
    struct run_iterator *r = run_of(it);
    run_leave(r);
    allocator_free(r->lsm->base.host.allocator, r, sizeof(*r));
}

static const struct lsm_iterator_ops run_ops = {.seek = run_seek,
                                                .first = run_first,
                                                .last = run_last,
                                                .next = run_next,
                                                .previous = run_previous,
                                                .destroy = run_destroy};

int lsm_run_iterate(struct lsm *lsm, const struct lsm_run *run, uint32_t readahead,
                    uint32_t expected, struct lsm_iterator **out)
{
    struct run_iterator *r = allocator_alloc(lsm->base.host.allocator, sizeof(*r));
    if (!r) return -ENOMEM;
    *r = (struct run_iterator){.base = {.ops = &run_ops},
                               .lsm = lsm,
                               .run = run,
                               .readahead = readahead,
                               .expected = expected};
    *out = &r->base;
    return 0;
}

/* ---- cursors ---- */

struct lsm_cursor {
    struct engine_cursor base;
    struct lsm *lsm;
    struct lsm_memory *memory, *flushing; /* flushing: or NULL */
    struct lsm_version *version;
    struct lsm_iterator *it;
    uint64_t snapshot; /* the last sequence that it sees */
    bool is_reverse, has_from, has_to;
    bool is_placed, is_over;
    int error; /* of a step that failed: the children may stand anywhere, so it is for good */
    bool has_key; /* `key` is what was last returned or passed over */
    struct buffer from, to, key;
    struct buffer value; /* REVERSE: of the entry to be returned */
};

static void cursor_free(struct lsm_cursor *c)
{
    struct lsm *lsm = c->lsm;
    lsm_iterator_destroy(c->it);
    lsm_version_unref(lsm, c->version);
    lsm_memory_unref(lsm, c->memory);
    lsm_memory_unref(lsm, c->flushing);
    buffer_deinit(&c->from);
    buffer_deinit(&c->to);
    buffer_deinit(&c->key);
    buffer_deinit(&c->value);
    allocator_free(lsm->base.host.allocator, c, sizeof(*c));
}

/* Whether the range may touch the run. */
static bool run_matters(const struct engine_range *range, const struct lsm_run *run)
{
    const struct table_summary *first = &run->files[0]->summary;
    const struct table_summary *last = &run->files[run->count - 1]->summary;
    if (range->has_to && bytes_compare(first->smallest, range->to) >= 0) return false;
    return !range->has_from || bytes_compare(last->largest, range->from) >= 0;
}

static int add_memory(struct lsm *lsm, const struct lsm_memory *memory,
                      struct lsm_iterator **children, size_t *count)
{
    if (!memory || memtable_entries(memory->table) == 0) return 0;
    int err = memtable_iterate(memory->table, lsm->base.host.allocator, &children[*count]);
    if (!err) (*count)++;
    return err;
}

/* Bytes of all that the range may touch. */
static uint64_t bytes_that_matter(const struct lsm_cursor *c, const struct engine_range *range)
{
    uint64_t bytes = memtable_data_bytes(c->memory->table);
    if (c->flushing) bytes += memtable_data_bytes(c->flushing->table);
    for (uint32_t i = 0; i < LSM_LEVELS; i++) {
        const struct lsm_level *level = &c->version->levels[i];
        for (uint32_t j = 0; j < level->count; j++)
            if (run_matters(range, level->runs[j])) bytes += level->runs[j]->file_bytes;
    }
    return bytes;
}

static int add_children(struct lsm_cursor *c, const struct engine_range *range,
                        struct lsm_iterator **children, size_t *count)
{
    uint64_t all = bytes_that_matter(c, range);
    int err = add_memory(c->lsm, c->memory, children, count);
    if (!err) err = add_memory(c->lsm, c->flushing, children, count);
    for (uint32_t i = 0; !err && i < LSM_LEVELS; i++) {
        const struct lsm_level *level = &c->version->levels[i];
        for (uint32_t j = 0; !err && j < level->count; j++) {
            const struct lsm_run *run = level->runs[j];
            if (!run_matters(range, run)) continue;
            /* Each child gives entries in proportion to its size. */
            double share = (double)run->file_bytes / (double)all;
            err = lsm_run_iterate(c->lsm, run, LSM_IO, (uint32_t)(share * SCAN_EXPECTED),
                                  &children[*count]);
            if (!err) (*count)++;
        }
    }
    return err;
}

static int cursor_merge(struct lsm_cursor *c, const struct engine_range *range)
{
    const struct allocator *a = c->lsm->base.host.allocator;
    size_t most = 2, count = 0;
    for (uint32_t i = 0; i < LSM_LEVELS; i++) most += c->version->levels[i].count;
    struct lsm_iterator **children = allocator_alloc(a, most * sizeof(struct lsm_iterator *));
    if (!children) return -ENOMEM;
    int err = add_children(c, range, children, &count);
    if (!err)
        err = lsm_merge_create(a, children, count, &c->it);
    else
        while (count) lsm_iterator_destroy(children[--count]);
    allocator_free(a, children, most * sizeof(struct lsm_iterator *));
    return err;
}

int lsm_scan_open(struct engine *engine, const struct engine_range *range,
                  struct engine_cursor **out)
{
    struct lsm *lsm = lsm_of(engine);
    const struct allocator *a = engine->host.allocator;
    struct lsm_cursor *c = allocator_alloc(a, sizeof(*c));
    if (!c) return -ENOMEM;
    *c = (struct lsm_cursor){.lsm = lsm,
                             .memory = lsm->memory,
                             .flushing = lsm->flushing,
                             .version = lsm->version,
                             .snapshot = lsm->sequence,
                             .is_reverse = range->reverse,
                             .has_from = range->has_from,
                             .has_to = range->has_to,
                             .from.allocator = a,
                             .to.allocator = a,
                             .key.allocator = a,
                             .value.allocator = a};
    lsm->memory->refs++;
    if (lsm->flushing) lsm->flushing->refs++;
    lsm->version->refs++;
    int err = range->has_from ? buffer_assign(&c->from, range->from) : 0;
    if (!err && range->has_to) err = buffer_assign(&c->to, range->to);
    if (!err) err = cursor_merge(c, range);
    if (err)
        cursor_free(c);
    else
        *out = &c->base;
    return err;
}

void lsm_scan_close(struct engine_cursor *cursor)
{
    cursor_free((struct lsm_cursor *)cursor);
}

static int place_forward(struct lsm_cursor *c)
{
    return c->has_from ? lsm_iterator_seek(c->it, buffer_bytes(&c->from), NEWEST)
                       : lsm_iterator_first(c->it);
}

static int place_backward(struct lsm_cursor *c)
{
    if (!c->has_to) return lsm_iterator_last(c->it);
    int err = lsm_iterator_seek(c->it, buffer_bytes(&c->to), NEWEST);
    if (err) return err;
    return c->it->is_valid ? lsm_iterator_previous(c->it) : lsm_iterator_last(c->it);
}

static int next_forward(struct lsm_cursor *c, struct bytes *key, struct bytes *value)
{
    struct lsm_iterator *it = c->it;
    int err = c->is_placed ? lsm_iterator_next(it) : place_forward(c);
    c->is_placed = true;
    for (; !err && it->is_valid; err = lsm_iterator_next(it)) {
        if (it->sequence > c->snapshot) continue;
        if (c->has_key && lsm_key_compare(it->key, buffer_bytes(&c->key)) == 0) continue;
        if (c->has_to && lsm_key_compare(it->key, buffer_bytes(&c->to)) >= 0) break;
        err = lsm_key_assign(&c->key, it->key);
        if (err) break;
        c->has_key = true;
        if (it->is_delete) continue;
        *key = it->key;
        *value = it->value;
        return 1;
    }
    c->is_over = true;
    return c->error = err;
}

/* Stands before the first entry of the key that was returned last. */
static int next_backward(struct lsm_cursor *c, struct bytes *key, struct bytes *value)
{
    struct lsm_iterator *it = c->it;
    int err = c->is_placed ? 0 : place_backward(c);
    bool is_found = false;
    c->is_placed = true;
    c->has_key = false;
    for (; !err && it->is_valid; err = lsm_iterator_previous(it)) {
        bool is_other = !c->has_key || lsm_key_compare(it->key, buffer_bytes(&c->key)) != 0;
        if (is_other && is_found) break;
        if (c->has_from && lsm_key_compare(it->key, buffer_bytes(&c->from)) < 0) break;
        if (it->sequence > c->snapshot) continue;
        if (is_other) err = buffer_assign(&c->key, it->key);
        if (!err && !it->is_delete) err = buffer_assign(&c->value, it->value);
        if (err) break;
        c->has_key = true;
        is_found = !it->is_delete;
    }
    if (err || !is_found) {
        c->is_over = true;
        return c->error = err;
    }
    *key = buffer_bytes(&c->key);
    *value = buffer_bytes(&c->value);
    return 1;
}

int lsm_scan_next(struct engine_cursor *cursor, struct bytes *key, struct bytes *value)
{
    struct lsm_cursor *c = (struct lsm_cursor *)cursor;
    if (c->is_over) return c->error;
    return c->is_reverse ? next_backward(c, key, value) : next_forward(c, key, value);
}
