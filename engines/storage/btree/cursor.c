/* Scans of a snapshot, both ways.
 *
 * A cursor holds the path to its leaf, pinned. The pages of a snapshot never change, so keys
 * and values are handed out where they stand, and the next entry is the next slot: the range's
 * ends are looked up once a leaf. At the end of a leaf the cursor climbs to the first ancestor
 * with a further child and descends again; the tree has no links between leaves, because a
 * copied leaf would make its neighbours point to the wrong one.
 *
 * A step that fails leaves the cursor where it was: it may be tried again.
 */
#include <errno.h>

#include "engines/storage/btree/btree_internal.h"

struct btree_cursor {
    struct engine_cursor base;
    struct snapshot snapshot;
    struct engine_range range; /* its keys stand behind the cursor */
    struct frame *frames[DEPTH_MAX];
    uint32_t slots[DEPTH_MAX]; /* of the child taken */
    uint32_t begin, end;       /* slots of the leaf that lie in the range */
    uint32_t next;             /* how many of them were given */
    bool is_placed, is_done;
    size_t size; /* of the allocation */
    struct buffer value;
};

int btree_scan_open(struct engine *engine, const struct engine_range *range,
                    struct engine_cursor **out)
{
    struct btree *tree = btree_of(engine);
    size_t from_size = range->has_from ? range->from.size : 0;
    size_t to_size = range->has_to ? range->to.size : 0;
    size_t size = sizeof(struct btree_cursor) + from_size + to_size;
    struct btree_cursor *c = allocator_alloc(engine->host.allocator, size);
    if (!c) return -ENOMEM;
    unsigned char *keys = (unsigned char *)(c + 1);
    *c = (struct btree_cursor){
        .range = *range, .size = size, .value = {.allocator = engine->host.allocator}};
    if (from_size) memcpy(keys, range->from.data, from_size);
    if (to_size) memcpy(keys + from_size, range->to.data, to_size);
    c->range.from = bytes_of(keys, from_size);
    c->range.to = bytes_of(keys + from_size, to_size);
    btree_snapshot_open(tree, &c->snapshot);
    *out = &c->base;
    return 0;
}

static void unpin(struct btree_cursor *c, uint32_t from)
{
    for (uint32_t d = from; d < c->snapshot.depth; d++) {
        if (c->frames[d]) c->frames[d]->pins--;
        c->frames[d] = NULL;
    }
}

void btree_scan_close(struct engine_cursor *cursor)
{
    struct btree_cursor *c = (struct btree_cursor *)cursor;
    struct btree *tree = btree_of(cursor->engine);
    unpin(c, 0);
    btree_snapshot_close(tree, &c->snapshot);
    buffer_deinit(&c->value);
    allocator_free(tree->base.host.allocator, c, c->size);
}

/* ---- moving ---- */

/* The path below depth `d` of a new path, by the key or along the edge; all of it pinned. */
static int descend(struct btree_cursor *c, struct btree *tree, struct frame **frames,
                   uint32_t *slots, uint32_t d, const struct bytes *key)
{
    bool is_reverse = c->range.reverse;
    uint32_t start = d; /* pinned by the caller, and unpinned here when this fails */
    for (; d + 1 < c->snapshot.depth; d++) {
        const unsigned char *page = frames[d]->data;
        uint32_t count = page_count(page), slot = is_reverse ? count - 1 : 0;
        if (key) slot = btree_page_child_of(page, *key);
        slots[d] = slot;
        int err = btree_tree_get_child(tree, frames[d], slot, &frames[d + 1]);
        if (err) {
            for (uint32_t i = start; i <= d; i++) frames[i]->pins--;
            return err;
        }
        frames[d + 1]->pins++;
    }
    return 0;
}

/* The path is good: it becomes the cursor's from depth `d` on. */
static void place(struct btree_cursor *c, struct frame **frames, const uint32_t *slots,
                  uint32_t d)
{
    unpin(c, d);
    for (; d < c->snapshot.depth; d++) c->frames[d] = frames[d];
    memcpy(c->slots, slots, sizeof(c->slots));
    const unsigned char *leaf = c->frames[c->snapshot.depth - 1]->data;
    bool is_there;
    c->begin = c->range.has_from ? btree_page_lower(leaf, c->range.from, &is_there) : 0;
    c->end =
        c->range.has_to ? btree_page_lower(leaf, c->range.to, &is_there) : page_count(leaf);
    c->next = 0;
    c->is_placed = true;
}

static int first_place(struct btree_cursor *c, struct btree *tree)
{
    struct frame *frames[DEPTH_MAX];
    uint32_t slots[DEPTH_MAX] = {0};
    const struct engine_range *range = &c->range;
    const struct bytes *key = NULL;
    if (!range->reverse && range->has_from) key = &range->from;
    if (range->reverse && range->has_to) key = &range->to;
    int err = btree_tree_get_root(tree, c->snapshot.root, c->snapshot.root_stamp,
                                  c->snapshot.depth, &frames[0]);
    if (err) return err;
    frames[0]->pins++;
    err = descend(c, tree, frames, slots, 0, key);
    if (!err) place(c, frames, slots, 0);
    return err;
}

/* The neighbour leaf. 1: placed, 0: there is none, or an error. */
static int next_place(struct btree_cursor *c, struct btree *tree)
{
    struct frame *frames[DEPTH_MAX];
    uint32_t slots[DEPTH_MAX], d = c->snapshot.depth - 1;
    bool is_reverse = c->range.reverse;
    while (d > 0 && (is_reverse ? c->slots[d - 1] == 0
                                : c->slots[d - 1] + 1 == page_count(c->frames[d - 1]->data)))
        d--;
    if (d == 0) return 0;
    memcpy(frames, c->frames, sizeof(frames));
    memcpy(slots, c->slots, sizeof(slots));
    slots[d - 1] += is_reverse ? UINT32_MAX : 1;
    int err = btree_tree_get_child(tree, frames[d - 1], slots[d - 1], &frames[d]);
    if (err) return err;
    frames[d]->pins++;
    err = descend(c, tree, frames, slots, d, NULL);
    if (err) return err;
    place(c, frames, slots, d);
    return 1;
}

static int value_give(struct btree_cursor *c, struct btree *tree, uint32_t slot,
                      struct bytes *key, struct bytes *value)
{
    struct leaf_cell cell;
    btree_page_leaf_cell(c->frames[c->snapshot.depth - 1]->data, slot, &cell);
    if (cell.is_overflow) {
        int err = buffer_reserve(&c->value, cell.value_size);
        if (!err) err = btree_tree_overflow_read(tree, &cell, c->value.data);
        if (err) return err;
        cell.value = bytes_of(c->value.data, cell.value_size);
    }
    *key = cell.key;
    *value = cell.value;
    c->next++;
    return 1;
}

int btree_scan_next(struct engine_cursor *cursor, struct bytes *key, struct bytes *value)
{
    struct btree_cursor *c = (struct btree_cursor *)cursor;
    struct btree *tree = btree_of(cursor->engine);
    if (c->is_done) return 0;
    if (!c->is_placed) {
        int err = first_place(c, tree);
        if (err) return err;
    }
    while (c->begin + c->next >= c->end) {
        const unsigned char *leaf = c->frames[c->snapshot.depth - 1]->data;
        /* An end within a leaf is the end of the range. */
        bool is_end = c->range.reverse ? c->begin > 0 : c->end < page_count(leaf);
        int n = is_end ? 0 : next_place(c, tree);
        if (n < 0) return n;
        if (n == 0) {
            c->is_done = true;
            unpin(c, 0);
            return 0;
        }
    }
    uint32_t slot = c->range.reverse ? c->end - 1 - c->next : c->begin + c->next;
    return value_give(c, tree, slot, key, value);
}
