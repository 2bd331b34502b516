/* A batch: sorted, its leaves prepared, then applied.
 *
 *     collect     the batch's items in key order, the later of equal keys alone (I9)
 *     prepare     all that can fail: large values go to pages of their own; every leaf that an
 *                 item goes to is loaded, changeable, pinned, and has the room. No content
 *                 changes: a batch that ends here was never there
 *     (the log)   the batch is written, and synced when asked: wal.c
 *     apply       the items go into their leaves. Nothing here can fail
 *     finish      unpins, and merges leaves that have become small
 *
 * Sorting makes one descent serve all items of a leaf, and the leaves come in the order of the
 * file's neighbours more often than not. The sort compares eight bytes behind what all keys of
 * the batch share; the keys themselves only where those are equal.
 */
#include <errno.h>

#include "engines/storage/btree/btree_internal.h"

#define KEPT_BYTES 8192u /* of each buffer, between batches */

/* ---- collecting ---- */

struct order { /* what is sorted */
    uint64_t head;
    uint32_t item;
};

static struct item *items_of(struct btree *tree)
{
    return (struct item *)(void *)tree->items.data;
}
static uint32_t items_count(const struct btree *tree)
{
    return (uint32_t)(tree->items.size / sizeof(struct item));
}
static struct leaf_group *groups_of(struct btree *tree)
{
    return (struct leaf_group *)(void *)tree->groups.data;
}
static uint32_t groups_count(const struct btree *tree)
{
    return (uint32_t)(tree->groups.size / sizeof(struct leaf_group));
}

static uint64_t head_of(struct bytes key, size_t skip)
{
    unsigned char head[8] = {0};
    size_t n = key.size - skip < 8 ? key.size - skip : 8;
    if (n) memcpy(head, (const unsigned char *)key.data + skip, n);
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) value = value << 8 | head[i];
    return value;
}

/* Equal keys in the order in which they came. */
static bool is_before(const struct item *items, const struct order *a, const struct order *b)
{
    if (a->head != b->head) return a->head < b->head;
    int order = bytes_compare(items[a->item].key, items[b->item].key);
    return order ? order < 0 : a->item < b->item;
}

/* Merge sort, from runs of one upwards; *sorted is one of both. */
static struct order *merge_sort(const struct item *items, struct order *a, struct order *b,
                                uint32_t count)
{
    for (uint32_t width = 1; width < count; width *= 2) {
        for (uint32_t start = 0; start < count; start += 2 * width) {
            uint32_t middle = start + width < count ? start + width : count;
            uint32_t end = start + 2 * width < count ? start + 2 * width : count;
            uint32_t i = start, j = middle;
            for (uint32_t k = start; k < end; k++)
                b[k] = j == end || (i < middle && !is_before(items, &a[j], &a[i])) ? a[i++]
                                                                                   : a[j++];
        }
        struct order *held = a;
        a = b;
        b = held;
    }
    return a;
}

static bool is_sorted(const struct item *items, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++)
        if (bytes_compare(items[i - 1].key, items[i].key) >= 0) return false;
    return true;
}

/* Sorts items[0 .. count) into the second half of the buffer, then moves them down. */
static int sort_items(struct btree *tree, uint32_t count)
{
    int err = buffer_reserve(&tree->order, (size_t)count * 2 * sizeof(struct order));
    if (!err) err = buffer_reserve(&tree->items, (size_t)count * 2 * sizeof(struct item));
    if (err) return err;
    struct item *items = items_of(tree), *to = items + count;
    struct order *a = (struct order *)(void *)tree->order.data;
    size_t shared = items[0].key.size;
    for (uint32_t i = 1; i < count; i++) {
        const unsigned char *p = items[0].key.data, *q = items[i].key.data;
        size_t n = items[i].key.size < shared ? items[i].key.size : shared, same = 0;
        while (same < n && p[same] == q[same]) same++;
        shared = same;
    }
    for (uint32_t i = 0; i < count; i++)
        a[i] = (struct order){head_of(items[i].key, shared), i};
    a = merge_sort(items, a, a + count, count);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct item *item = &items[a[i].item];
        if (kept && bytes_equal(to[kept - 1].key, item->key)) kept--;
        to[kept++] = *item;
    }
    memmove(items, to, kept * sizeof(*items));
    tree->items.size = kept * sizeof(*items);
    return 0;
}

static int item_add(struct btree *tree, const struct engine_batch_item *from)
{
    struct item item = {.key = from->key, .value = from->value, .is_delete = from->is_delete};
    return buffer_append(&tree->items, &item, sizeof(item));
}

static int collected(struct btree *tree)
{
    uint32_t count = items_count(tree);
    buffer_clear(&tree->groups);
    return is_sorted(items_of(tree), count) ? 0 : sort_items(tree, count);
}

int btree_items_collect(struct btree *tree, const struct engine_batch *batch)
{
    struct engine_batch_item item;
    size_t position = 0;
    buffer_clear(&tree->items);
    int err = buffer_reserve(&tree->items, batch->count * sizeof(struct item));
    while (!err && engine_batch_next(batch, &position, &item)) {
        if (item.key.size > btree_tree_key_max(tree->page_size) ||
            item.value.size > btree_tree_value_max(tree->page_size))
            return engine_fail(&tree->base, -EINVAL,
                               "%s: a key or value beyond what pages of %zu bytes take",
                               tree->dir, tree->page_size);
        err = item_add(tree, &item);
    }
    return err ? err : collected(tree);
}

int btree_items_collect_record(struct btree *tree, const struct wal_record *record)
{
    struct engine_batch_item item;
    size_t position = 0;
    int err = 0;
    buffer_clear(&tree->items);
    while (!err && btree_wal_item_next(record, &position, &item)) {
        if (item.key.size > btree_tree_key_max(tree->page_size) ||
            item.value.size > btree_tree_value_max(tree->page_size))
            return -EBADMSG;
        err = item_add(tree, &item);
    }
    if (!err && (position != record->size || items_count(tree) != record->count))
        return -EBADMSG;
    return err ? err : collected(tree);
}

/* ---- preparing ---- */

/* Values that do not fit into a leaf are written now: to pages that nobody refers to yet. */
static int overflow_write(struct btree *tree, struct item *item)
{
    uint32_t page,
        pages = (uint32_t)((item->value.size + tree->page_size - 1) / tree->page_size);
    int err = btree_map_take(tree, pages, &page);
    if (err) return err;
    item->run_pages = pages;
    item->overflow = (struct overflow){page, ++tree->stamp, bytes_hash(item->value, page)};
    uint64_t offset = (uint64_t)page * tree->page_size;
    err = vfs_write(tree->file, offset, item->value, VFS_FLUSH);
    if (err)
        return engine_fail(&tree->base, err,
                           "%s/" PAGES_NAME " at offset %llu: write failed (errno %d)",
                           tree->dir, (unsigned long long)offset, -err);
    if (offset + item->value.size > tree->file_bytes)
        tree->file_bytes = offset + item->value.size;
    return 0;
}

/* Finds each item's slot in the leaf and sums up the room that they need; *runs: values on
 * pages of their own that they replace. */
static uint32_t items_place(const unsigned char *leaf, struct item *items, uint32_t count,
                            uint32_t *runs)
{
    uint32_t need = 0;
    *runs = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct item *item = &items[i];
        item->slot = btree_page_lower(leaf, item->key, &item->is_there);
        *runs += item->is_there && btree_page_has_run(leaf, item->slot);
        if (item->is_delete) continue;
        uint32_t size = btree_tree_item_size(item);
        uint32_t old =
            item->is_there ? (uint32_t)btree_page_cell_size(leaf, item->slot) + SLOT_SIZE : 0;
        if (size > old) need += size - old;
    }
    return need;
}

/* Prepares one leaf: the first item's, and all further items that go there. */
static int group_prepare(struct btree *tree, uint32_t from, uint32_t *to, uint32_t *dying)
{
    struct item *items = items_of(tree);
    struct path path;
    uint32_t runs;
    int err;
    do {
        err = btree_tree_descend(tree, items[from].key, &path);
        if (err) return err;
        struct frame *leaf = path.frames[tree->depth - 1];
        uint32_t count = items_count(tree), end = from + 1;
        while (end < count &&
               (!path.has_upper || bytes_compare(items[end].key, path.upper) < 0))
            end++;
        if (items_place(leaf->data, items + from, end - from, &runs) <= page_free(leaf->data)) {
            struct leaf_group group = {leaf, from, end, false};
            err = buffer_append(&tree->groups, &group, sizeof(group));
            if (err) return err;
            leaf->pins++;
            *dying += runs;
            *to = end;
            return 0;
        }
        err = btree_tree_split_leaf(tree, &path, items + from, end - from);
    } while (err > 0);
    return err;
}

int btree_prepare(struct btree *tree)
{
    struct item *items = items_of(tree);
    uint32_t count = items_count(tree), dying = 0;
    int err = 0;
    for (uint32_t i = 0; !err && i < count; i++)
        if (!items[i].is_delete &&
            btree_tree_item_size(&items[i]) > btree_tree_cell_max(tree->page_size))
            err = overflow_write(tree, &items[i]);
    for (uint32_t i = 0; !err && i < count;) err = group_prepare(tree, i, &i, &dying);
    return err ? err : btree_dead_reserve(tree, dying);
}

/* ---- applying ---- */

static void value_bury(struct btree *tree, const struct leaf_cell *cell)
{
    if (!cell->is_overflow) return;
    uint32_t pages = (uint32_t)((cell->value_size + tree->page_size - 1) / tree->page_size);
    btree_dead_bury(tree, cell->overflow.page, pages, cell->overflow.stamp);
}

static void cell_insert(struct btree *tree, unsigned char *leaf, uint32_t at,
                        const struct item *item)
{
    unsigned char head[4], ref[OVERFLOW_REF];
    struct bytes rest = item->value;
    uint32_t size = (uint32_t)item->value.size;
    if (item->run_pages) {
        put_u32(ref, item->overflow.page);
        put_u64(ref + 4, item->overflow.stamp);
        put_u64(ref + 12, item->overflow.checksum);
        rest = bytes_of(ref, sizeof(ref));
        size |= OVERFLOW_BIT;
    }
    put_u32(head, size);
    btree_page_insert(leaf, tree->page_size, tree->scratch, at, bytes_of(head, sizeof(head)),
                      item->key, rest);
}

static void group_apply(struct btree *tree, struct leaf_group *group)
{
    unsigned char *leaf = group->leaf->data;
    uint32_t shift = 0; /* slots gained by the items before; may wrap below zero */
    for (uint32_t i = group->from; i < group->to; i++) {
        struct item *item = &items_of(tree)[i];
        uint32_t at = item->slot + shift;
        struct leaf_cell old;
        if (item->is_there) {
            btree_page_leaf_cell(leaf, at, &old);
            tree->live_bytes -= old.key.size + old.value_size;
            tree->live_keys--;
            value_bury(tree, &old);
            if (!item->is_delete && !item->run_pages && !old.is_overflow &&
                item->value.size == old.value_size) {
                if (old.value_size)
                    memcpy(leaf + ((const unsigned char *)old.value.data - leaf),
                           item->value.data, old.value_size);
                tree->live_bytes += item->key.size + item->value.size;
                tree->live_keys++;
                continue;
            }
            btree_page_remove(leaf, at);
            group->has_shrunk = true;
            shift--;
        }
        if (item->is_delete) continue;
        cell_insert(tree, leaf, at, item);
        tree->live_bytes += item->key.size + item->value.size;
        tree->live_keys++;
        shift++;
        if (at + 1 < page_count(leaf))
            group->leaf->appends = 0;
        else if (group->leaf->appends < UINT8_MAX)
            group->leaf->appends++;
        item->run_pages = 0; /* it belongs to the tree now */
    }
}

void btree_apply(struct btree *tree)
{
    for (uint32_t i = 0; i < groups_count(tree); i++) group_apply(tree, &groups_of(tree)[i]);
}

static void trim(struct buffer *buffer)
{
    if (buffer->capacity > KEPT_BYTES) buffer_deinit(buffer);
}

void btree_finish(struct btree *tree, bool is_applied)
{
    struct leaf_group *groups = groups_of(tree);
    struct item *items = items_of(tree);
    uint32_t quarter = page_room(tree->page_size) / 4;
    for (uint32_t i = 0; i < groups_count(tree); i++) {
        groups[i].leaf->pins--;
        groups[i].has_shrunk = groups[i].has_shrunk && tree->depth > 1 &&
                               page_used(groups[i].leaf->data, tree->page_size) < quarter;
    }
    for (uint32_t i = 0; is_applied && i < groups_count(tree); i++)
        if (groups[i].has_shrunk) btree_tree_merge(tree, items[groups[i].from].key);
    for (uint32_t i = 0; !is_applied && i < items_count(tree); i++)
        if (items[i].run_pages)
            btree_map_release(tree, items[i].overflow.page, items[i].run_pages);
    btree_cache_trim(tree);
    buffer_clear(&tree->items);
    buffer_clear(&tree->groups);
    trim(&tree->items);
    trim(&tree->groups);
    trim(&tree->order);
}
