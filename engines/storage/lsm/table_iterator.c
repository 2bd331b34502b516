/* Reads an SSTable in order, both ways.
 *
 * The block under the iterator is either pinned in the cache or lies in a window: a stretch of
 * the file of up to `readahead` bytes, whole blocks, fetched by one vfs read and private to the
 * iterator, so that a long scan or a compaction does not push the working set out of the cache.
 *
 *     user read    by way of the cache while the next window would be less than two blocks,
 *                  or when the block is cached; else by a window. The first window behind a
 *                  seek is what the caller expects to need (nothing, unless told), each next
 *                  one twice as large, up to `readahead`: a short scan reads little, a long one
 *                  in big pieces. readahead 0: all by way of the cache.
 *     other        always by full windows, never by the cache: a compaction reads everything
 *                  once.
 *
 * A block is checked when the iterator enters it. Entries are decoded one by one; the key is
 * built in `key`, the value stays where it is. previous() goes back to the restart point before
 * the entry and forward again, so it costs half a restart run.
 *
 * Invariant I1: while valid, the entry stands at [at, next) of `view`, and key holds its key.
 */
#include <errno.h>

#include "engines/storage/lsm/table_format.h"

#define COPY_SLACK 16u /* small copies go in whole words */
#define KEY_INLINE 64u /* keys of most stores need no allocation */

struct table_iterator {
    struct lsm_iterator base;
    struct table *table;
    uint32_t readahead, expected;
    enum vfs_purpose purpose;
    struct block_view view;
    uint32_t index;     /* of the block in view; table->blocks: none */
    uint32_t at, next;  /* offsets in view of the entry, and of what follows it */
    unsigned char *key; /* key_inline, or allocated */
    size_t key_capacity;
    struct block *block; /* pinned, or NULL: view lies in the window */
    unsigned char *window;
    size_t window_capacity, window_size;
    uint64_t window_offset;
    uint32_t window_bytes; /* how much the next one fetches */
    unsigned char key_inline[KEY_INLINE];
};

static struct table_iterator *iterator_of(struct lsm_iterator *it)
{
    return (struct table_iterator *)it;
}

/* ---- blocks ---- */

static void block_leave(struct table_iterator *it)
{
    if (it->block) block_unpin(it->table->allocator, it->block);
    it->block = NULL;
    it->index = it->table->blocks;
}

static bool window_holds(const struct table_iterator *it, uint32_t index)
{
    const struct block_place *place = &it->table->places[index];
    return place->offset >= it->window_offset &&
           place[1].offset <= it->window_offset + it->window_size;
}

/* Fetches a window that begins with the block, or that ends with it when reading backward. */
static int window_fetch(struct table_iterator *it, uint32_t index, bool is_backward)
{
    const struct table *t = it->table;
    uint64_t bytes = it->window_bytes;
    it->window_size = 0;
    uint32_t first = index, end = index + 1;
    if (is_backward)
        while (first > 0 && t->places[end].offset - t->places[first - 1].offset <= bytes)
            first--;
    else
        while (end < t->blocks && t->places[end + 1].offset - t->places[first].offset <= bytes)
            end++;
    size_t size = (size_t)(t->places[end].offset - t->places[first].offset);
    if (size > it->window_capacity) {
        /* Not resized: nobody needs the old bytes. */
        allocator_free(t->allocator, it->window, it->window_capacity);
        it->window_capacity = 0;
        it->window = allocator_alloc(t->allocator, size);
        if (!it->window) return -ENOMEM;
        it->window_capacity = size;
    }
    int err = table_file_read(t, t->places[first].offset, it->window, size, it->purpose);
    if (err) return err;
    it->window_offset = t->places[first].offset;
    it->window_size = size;
    if (it->window_bytes < it->readahead / 2)
        it->window_bytes *= 2;
    else
        it->window_bytes = it->readahead;
    return 0;
}

/* Brings a block under the iterator. `is_run`: it follows the one that was there before. */
static int block_enter(struct table_iterator *it, uint32_t index, bool is_run, bool is_backward)
{
    struct table *t = it->table;
    const struct block_place *place = &t->places[index];
    size_t size = (size_t)(place[1].offset - place->offset);
    if (it->index == index) return 0;
    block_leave(it);
    int err = 0;
    bool is_user = it->purpose == VFS_USER_READ;
    if (!is_run) it->window_bytes = is_user ? it->expected : it->readahead;
    if (!window_holds(it, index)) {
        if (!it->readahead || (is_user && (place->cached || it->window_bytes < 2 * size))) {
            if (it->window_bytes < 2 * size && 2 * size <= it->readahead)
                it->window_bytes = (uint32_t)(2 * size);
            err = table_block_get(t, index, it->purpose, &it->block, &it->view);
            if (!err) it->index = index;
            return err;
        }
        err = window_fetch(it, index, is_backward);
        if (err) return err;
    }
    const unsigned char *data = it->window + (place->offset - it->window_offset);
    err = table_block_check(t, data, place->offset, size, &it->view);
    if (!err) it->index = index;
    return err;
}

bool table_iterator_is_ready(const struct lsm_iterator *base)
{
    const struct table_iterator *it = (const struct table_iterator *)base;
    if (!it->base.is_valid || it->next < it->view.entries_end) return true;
    uint32_t index = it->index + 1;
    return index >= it->table->blocks || window_holds(it, index);
}

/* ---- entries ---- */

static int end(struct table_iterator *it, int err)
{
    it->base.is_valid = false;
    if (err) block_leave(it);
    return err;
}

static int malformed(struct table_iterator *it)
{
    uint64_t offset = it->table->places[it->index].offset;
    return end(it, table_corrupt(it->table, offset, "a malformed entry"));
}

static int key_reserve(struct table_iterator *it, size_t size)
{
    const struct allocator *a = it->table->allocator;
    size_t capacity = size + size / 2 + 2 * COPY_SLACK;
    unsigned char *key = allocator_alloc(a, capacity);
    if (!key) return -ENOMEM;
    memcpy(key, it->key, it->key_capacity);
    if (it->key != it->key_inline) allocator_free(a, it->key, it->key_capacity);
    it->key = key;
    it->key_capacity = capacity;
    return 0;
}

/* Makes the entry at `at` the current one; its first `shared` bytes are in it->key. */
static inline int show(struct table_iterator *it, uint32_t at, const struct block_entry *e)
{
    size_t size = (size_t)e->shared + e->suffix_size;
    if (size + COPY_SLACK > it->key_capacity) {
        int err = key_reserve(it, size);
        if (err) return end(it, err);
    }
    /* Behind a suffix there are at least a restart point, its number and a checksum, and
     * behind the key there is slack: whole words may be copied. */
    unsigned char *to = it->key + e->shared;
    if (e->suffix_size <= 16)
        memcpy(to, e->suffix, 16);
    else
        memcpy(to, e->suffix, e->suffix_size);
    it->at = at;
    it->next = e->next;
    it->base.is_valid = true;
    it->base.is_delete = e->tag & 1;
    it->base.sequence = e->tag >> 1;
    it->base.key = bytes_of(it->key, size);
    it->base.value = bytes_of(e->value, e->value_size);
    return 0;
}

/* The entry at an offset of the block; key holds the one before it, or it is a restart. */
static inline int step(struct table_iterator *it, uint32_t at, size_t key_size)
{
    struct block_entry e;
    if (!block_entry_at(&it->view, at, &e) || e.shared > key_size) return malformed(it);
    return show(it, at, &e);
}

/* From a restart point forward to the last entry that begins before `limit`. */
static int last_before(struct table_iterator *it, uint32_t limit)
{
    uint32_t at = block_restart(&it->view, block_restart_before(&it->view, limit));
    size_t key_size = 0;
    for (;; at = it->next, key_size = it->base.key.size) {
        if (at >= limit) return malformed(it);
        int err = step(it, at, key_size);
        if (err || it->next >= limit) return err;
    }
}

/* ---- moves ---- */

static int iterator_next(struct lsm_iterator *base)
{
    struct table_iterator *it = iterator_of(base);
    if (it->next < it->view.entries_end) return step(it, it->next, it->base.key.size);
    if (it->index + 1 >= it->table->blocks) return end(it, 0);
    int err = block_enter(it, it->index + 1, true, false);
    return err ? end(it, err) : step(it, BLOCK_HEADER, 0);
}

static int iterator_previous(struct lsm_iterator *base)
{
    struct table_iterator *it = iterator_of(base);
    if (it->at > BLOCK_HEADER) return last_before(it, it->at);
    if (it->index == 0) return end(it, 0);
    int err = block_enter(it, it->index - 1, true, true);
    return err ? end(it, err) : last_before(it, it->view.entries_end);
}

static int iterator_first(struct lsm_iterator *base)
{
    struct table_iterator *it = iterator_of(base);
    if (it->table->blocks == 0) return end(it, 0);
    int err = block_enter(it, 0, false, false);
    return err ? end(it, err) : step(it, BLOCK_HEADER, 0);
}

static int iterator_last(struct lsm_iterator *base)
{
    struct table_iterator *it = iterator_of(base);
    if (it->table->blocks == 0) return end(it, 0);
    int err = block_enter(it, it->table->blocks - 1, false, true);
    return err ? end(it, err) : last_before(it, it->view.entries_end);
}

static int iterator_seek(struct lsm_iterator *base, struct bytes key, uint64_t sequence)
{
    struct table_iterator *it = iterator_of(base);
    struct table *t = it->table;
    struct block_entry e;
    uint32_t at;
    int found = 0;
    /* More than one block: the key lies behind the last entry and not behind the separator, or
     * its versions go over the block's end. */
    for (uint32_t index = table_block_of(t, key), i = 0; !found; i++) {
        if (index + i >= t->blocks) return end(it, 0);
        int err = block_enter(it, index + i, i > 0, false);
        if (err) return end(it, err);
        found = block_find(&it->view, key, sequence, &at, &e);
    }
    if (found < 0 || e.shared > key.size) return malformed(it);
    if ((size_t)e.shared + COPY_SLACK > it->key_capacity) {
        int err = key_reserve(it, e.shared);
        if (err) return end(it, err);
    }
    if (e.shared) memcpy(it->key, key.data, e.shared);
    return show(it, at, &e);
}

static void iterator_destroy(struct lsm_iterator *base)
{
    struct table_iterator *it = iterator_of(base);
    const struct allocator *a = it->table->allocator;
    block_leave(it);
    if (it->key != it->key_inline) allocator_free(a, it->key, it->key_capacity);
    allocator_free(a, it->window, it->window_capacity);
    allocator_free(a, it, sizeof(*it));
}

static const struct lsm_iterator_ops table_iterator_ops = {
    .seek = iterator_seek,
    .first = iterator_first,
    .last = iterator_last,
    .next = iterator_next,
    .previous = iterator_previous,
    .destroy = iterator_destroy,
};

int table_iterate(struct table *table, uint32_t readahead, enum vfs_purpose purpose,
                  struct lsm_iterator **out)
{
    struct table_iterator *it = allocator_alloc(table->allocator, sizeof(*it));
    if (!it) return -ENOMEM;
    *it = (struct table_iterator){.base.ops = &table_iterator_ops,
                                  .table = table,
                                  .readahead = readahead,
                                  .purpose = purpose,
                                  .index = table->blocks,
                                  .key_capacity = KEY_INLINE};
    it->key = it->key_inline;
    *out = &it->base;
    return 0;
}

void table_iterator_expect(struct lsm_iterator *base, uint32_t bytes)
{
    struct table_iterator *it = iterator_of(base);
    it->expected = bytes < it->readahead ? bytes : it->readahead;
}
