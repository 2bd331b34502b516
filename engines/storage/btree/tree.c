/* The tree: finding a key, and all changes of its shape.
 *
 * A change of shape changes no content: to make a path changeable, to split, to merge leave the
 * tree with the same keys and values. So each of them may fail half way up, and a batch that
 * never comes leaves only a tree of another shape (write.c builds on it).
 *
 * CHANGEABLE. A page may be changed in place when it is dirty and younger than every snapshot;
 * else its path is copied to new places from the root down. A clean page is not copied but its
 * frame renamed: what a snapshot needs of it is on disk.
 *
 * SPLITTING looks at the items that are about to come, not only at what is there: the boundary
 * is chosen in the merged order of both. A run of keys behind the last one of the tree fills
 * pages to the brim and leaves them; the same in front of the first; everything else is halved.
 * A parent without room is split before its child, from the path upwards; then the descent
 * begins anew, so that no step has more than two pages in hand.
 *
 * MERGING joins a page that is less than a quarter full with a neighbour, if together they
 * leave an eighth of a page free; an empty page always goes. Nothing is moved from page to page
 * to balance them: a page that finds no neighbour small enough stays small.
 */
#include <errno.h>

#include "engines/storage/btree/btree_internal.h"

#define APPENDS_MIN 4u /* insertions behind the last key in a row that are a pattern */
#define RESTART 1      /* the shape has changed: descend again */

/* ---- limits ---- */

uint32_t btree_tree_cell_max(size_t page_size)
{
    return page_room(page_size) / 4; /* so that halves of a full page and one more cell fit */
}

uint32_t btree_tree_key_max(size_t page_size)
{
    uint32_t max = btree_tree_cell_max(page_size) - SLOT_SIZE - 4 - OVERFLOW_REF;
    return max < BTREE_KEY_SIZE_MAX ? max : BTREE_KEY_SIZE_MAX;
}

uint64_t btree_tree_value_max(size_t page_size)
{
    /* A run within a group, of which any half must be enough. */
    uint64_t max = (uint64_t)map_group_pages(page_size) / 2 * page_size;
    return max < BTREE_VALUE_SIZE_MAX ? max : BTREE_VALUE_SIZE_MAX;
}

/* ---- reading ---- */

int btree_tree_get_root(struct btree *tree, uint32_t root, uint64_t stamp, uint32_t depth,
                        struct frame **out)
{
    int err = btree_cache_get(tree, root, (uint32_t)stamp, out);
    if (err) return err;
    return page_level((*out)->data) + 1u == depth
               ? 0
               : btree_page_corrupt(tree, root, "a page of another level");
}

int btree_tree_get_child(struct btree *tree, const struct frame *parent, uint32_t slot,
                         struct frame **out)
{
    uint32_t stamp, page = btree_page_child(parent->data, slot, &stamp);
    uint8_t level = page_level(parent->data);
    int err = btree_cache_get(tree, page, stamp, out);
    if (err) return err;
    return page_level((*out)->data) + 1u == level
               ? 0
               : btree_page_corrupt(tree, page, "a page of another level");
}

int btree_tree_find(struct btree *tree, struct bytes key, struct frame **leaf, uint32_t *slot,
                    bool *is_there)
{
    struct frame *frame;
    int err = btree_tree_get_root(tree, tree->root, tree->root_stamp, tree->depth, &frame);
    while (!err && page_level(frame->data))
        err = btree_tree_get_child(tree, frame, btree_page_child_of(frame->data, key), &frame);
    if (err) return err;
    *leaf = frame;
    *slot = btree_page_lower(frame->data, key, is_there);
    return 0;
}

int btree_tree_overflow_read(struct btree *tree, const struct leaf_cell *cell,
                             unsigned char *out)
{
    uint64_t offset = (uint64_t)cell->overflow.page * tree->page_size;
    int err = engine_file_read(tree->file, offset, out, cell->value_size, tree->read_purpose);
    if (err == -EBADMSG)
        return btree_page_corrupt(tree, cell->overflow.page, "the file ends within a value");
    if (err)
        return engine_fail(&tree->base, err,
                           "%s/" PAGES_NAME " at offset %llu: read failed (errno %d)",
                           tree->dir, (unsigned long long)offset, -err);
    if (tree->options.verify && bytes_hash(bytes_of(out, cell->value_size),
                                           cell->overflow.page) != cell->overflow.checksum)
        return btree_page_corrupt(tree, cell->overflow.page, "the value's checksum is wrong");
    return 0;
}

/* ---- changeable pages ---- */

int btree_tree_page_new(struct btree *tree, uint8_t level, struct frame **out)
{
    uint32_t page;
    int err = btree_map_take(tree, 1, &page);
    if (err) return err;
    err = btree_cache_create(tree, page, tree->stamp + 1, out);
    if (err) {
        btree_map_release(tree, page, 1);
        return err;
    }
    btree_page_init((*out)->data, tree->page_size, page, ++tree->stamp, level);
    return 0;
}

static bool is_changeable(const struct btree *tree, const struct frame *frame)
{
    return frame->is_dirty && frame->stamp > btree_snapshot_mark(tree);
}

/* Moves a page to a new place with a new stamp; the old place dies. */
static int page_move(struct btree *tree, struct frame **at)
{
    struct frame *frame = *at, *copy;
    uint32_t old_page = frame->page, page;
    uint64_t old_stamp = frame->stamp;
    int err = btree_dead_reserve(tree, 1);
    if (!err) err = btree_map_take(tree, 1, &page);
    if (err) return err;
    if (!frame->is_dirty && frame->pins == 0) {
        btree_cache_rename(tree, frame, page, ++tree->stamp);
        btree_cache_dirty(tree, frame);
    } else {
        frame->pins++;
        err = btree_cache_create(tree, page, tree->stamp + 1, &copy);
        frame->pins--;
        if (err) {
            btree_map_release(tree, page, 1);
            return err;
        }
        memcpy(copy->data, frame->data, tree->page_size);
        put_u64(copy->data + 8, ++tree->stamp);
        put_u32(copy->data + 16, page);
        copy->appends = frame->appends;
        *at = copy;
    }
    btree_dead_bury(tree, old_page, 1, old_stamp);
    return 0;
}

static int root_make_changeable(struct btree *tree, struct frame **root)
{
    if (is_changeable(tree, *root)) return 0;
    int err = page_move(tree, root);
    if (err) return err;
    tree->root = (*root)->page;
    tree->root_stamp = (*root)->stamp;
    return 0;
}

static int child_make_changeable(struct btree *tree, struct frame *parent, uint32_t slot,
                                 struct frame **child)
{
    if (is_changeable(tree, *child)) return 0;
    int err = page_move(tree, child);
    if (err) return err;
    btree_page_child_set(parent->data, slot, (*child)->page, (*child)->stamp);
    return 0;
}

/* The path to the leaf of a key, changeable from the root down. Dirty pages are not evicted by
 * reading, so the path stays where it is. */
int btree_tree_descend(struct btree *tree, struct bytes key, struct path *path)
{
    struct frame *frame;
    int err = btree_tree_get_root(tree, tree->root, tree->root_stamp, tree->depth, &frame);
    if (!err) err = root_make_changeable(tree, &frame);
    path->has_upper = false;
    path->is_first = path->is_last = true;
    uint32_t d = 0;
    for (; !err && page_level(frame->data); d++) {
        struct frame *parent = frame;
        uint32_t slot = btree_page_child_of(parent->data, key),
                 count = page_count(parent->data);
        path->frames[d] = parent;
        path->slots[d] = slot;
        if (slot + 1 < count) {
            path->upper = page_key(parent->data, slot + 1);
            path->has_upper = true;
            path->is_last = false;
        }
        if (slot > 0) path->is_first = false;
        err = btree_tree_get_child(tree, parent, slot, &frame);
        if (!err) err = child_make_changeable(tree, parent, slot, &frame);
    }
    path->frames[d] = frame;
    return err;
}

/* ---- splitting ---- */

static int root_grow(struct btree *tree)
{
    struct frame *root;
    unsigned char head[8];
    if (tree->depth + 1 >= DEPTH_MAX)
        return engine_fail(&tree->base, -EFBIG, "%s/" PAGES_NAME ": too deep", tree->dir);
    int err = btree_tree_page_new(tree, (uint8_t)tree->depth, &root);
    if (err) return err;
    put_u32(head, tree->root);
    put_u32(head + 4, (uint32_t)tree->root_stamp);
    btree_page_insert(root->data, tree->page_size, tree->scratch, 0,
                      bytes_of(head, sizeof(head)), bytes_of(NULL, 0), bytes_of(NULL, 0));
    tree->root = root->page;
    tree->root_stamp = root->stamp;
    tree->depth++;
    return RESTART;
}

static void child_insert(struct btree *tree, struct frame *parent, uint32_t slot,
                         struct bytes separator, const struct frame *child)
{
    unsigned char head[8];
    put_u32(head, child->page);
    put_u32(head + 4, (uint32_t)child->stamp);
    btree_page_insert(parent->data, tree->page_size, tree->scratch, slot,
                      bytes_of(head, sizeof(head)), separator, bytes_of(NULL, 0));
}

/* Where a branch is cut: behind half its bytes. */
static uint32_t branch_boundary(const unsigned char *page, size_t page_size)
{
    uint32_t count = page_count(page), half = page_used(page, page_size) / 2, sum = 0, i = 0;
    while (i + 1 < count && sum < half)
        sum += (uint32_t)btree_page_cell_size(page, i++) + SLOT_SIZE;
    return i ? i : 1;
}

static int room_make(struct btree *tree, struct path *path, uint32_t d, uint32_t need);

static int branch_split(struct btree *tree, struct path *path, uint32_t d)
{
    struct frame *branch = path->frames[d], *right;
    uint32_t count = page_count(branch->data);
    /* Growing at the end: the left one stays full. */
    uint32_t at = path->is_last ? count - 1 : branch_boundary(branch->data, tree->page_size);
    struct bytes separator = page_key(branch->data, at);
    int err = room_make(tree, path, d, (uint32_t)separator.size + 8 + SLOT_SIZE);
    if (err) return err;
    err = btree_tree_page_new(tree, page_level(branch->data), &right);
    if (err) return err;
    const unsigned char *cell = (const unsigned char *)separator.data - 8;
    btree_page_insert(right->data, tree->page_size, tree->scratch, 0, bytes_of(cell, 8),
                      bytes_of(NULL, 0), bytes_of(NULL, 0));
    btree_page_append(right->data, tree->page_size, tree->scratch, branch->data, at + 1, count);
    child_insert(tree, path->frames[d - 1], path->slots[d - 1] + 1, separator, right);
    btree_page_cut(branch->data, tree->page_size, tree->scratch, at);
    tree->splits++;
    return RESTART;
}

/* Room for one more child above the page at depth d. */
static int room_make(struct btree *tree, struct path *path, uint32_t d, uint32_t need)
{
    if (d == 0) return root_grow(tree);
    return page_free(path->frames[d - 1]->data) >= need ? 0 : branch_split(tree, path, d - 1);
}

uint32_t btree_tree_item_size(const struct item *item)
{
    return (uint32_t)(SLOT_SIZE + 4 + item->key.size +
                      (item->run_pages ? OVERFLOW_REF : item->value.size));
}

/* The merged order of what a leaf holds and what is about to come. */
struct merged {
    const unsigned char *page;
    const struct item *items;
    uint32_t slot, slots, item, count;
};

/* The next element: its key and the bytes it will need; false at the end. */
static bool merged_next(struct merged *m, struct bytes *key, uint32_t *size)
{
    bool has_slot = m->slot < m->slots, has_item = m->item < m->count;
    if (!has_slot && !has_item) return false;
    const struct item *item = &m->items[m->item];
    /* The items know their slots: one that is there belongs to it, another one before it. */
    if (has_item && item->slot <= m->slot) {
        *key = item->key;
        *size = item->is_delete ? 0 : btree_tree_item_size(item);
        if (item->is_there) {
            uint32_t old = (uint32_t)btree_page_cell_size(m->page, m->slot) + SLOT_SIZE;
            if (old > *size) *size = old;
            m->slot++;
        }
        m->item++;
        return true;
    }
    *key = page_key(m->page, m->slot);
    *size = (uint32_t)btree_page_cell_size(m->page, m->slot) + SLOT_SIZE;
    m->slot++;
    return true;
}

/* Bytes that the left page shall have. */
static uint32_t target_size(const struct btree *tree, const struct path *path,
                            const struct frame *leaf, const struct item *items, uint32_t count,
                            uint32_t total)
{
    uint32_t room = page_room(tree->page_size), slots = page_count(leaf->data);
    uint32_t used = page_used(leaf->data, tree->page_size);
    if (slots && items[0].slot == slots && (path->is_last || leaf->appends >= APPENDS_MIN))
        return room;
    if (slots && items[count - 1].slot == 0 && !items[count - 1].is_there && path->is_first)
        return total - used < room ? total - used : room;
    uint32_t parts = total / (room - room / 8) + 1;
    return total / (parts < 2 ? 2 : parts);
}

/* Splits the leaf at the end of the path for the items that are to come to it. RESTART, or an
 * error. */
int btree_tree_split_leaf(struct btree *tree, struct path *path, const struct item *items,
                          uint32_t count)
{
    uint32_t d = tree->depth - 1, total = 0, size, sum = 0;
    struct frame *leaf = path->frames[d], *right;
    struct merged start = {leaf->data, items, 0, page_count(leaf->data), 0, count}, m = start;
    struct bytes key = {0}, last = {0};
    while (merged_next(&m, &key, &size)) total += size;
    uint32_t target = target_size(tree, path, leaf, items, count, total), slot = 0, n = 0;
    for (m = start; merged_next(&m, &key, &size); n++) {
        if (n > 0 && sum + size > target) break;
        sum += size;
        last = key;
        slot = m.slot;
    }
    /* The shortest key above the last of the left and not above the first of the right. */
    struct bytes separator = key;
    separator.size = 1;
    while (separator.size <= last.size && memcmp(key.data, last.data, separator.size) == 0)
        separator.size++;
    int err = room_make(tree, path, d, (uint32_t)separator.size + 8 + SLOT_SIZE);
    if (err) return err;
    err = btree_tree_page_new(tree, 0, &right);
    if (err) return err;
    btree_page_append(right->data, tree->page_size, tree->scratch, leaf->data, slot,
                      page_count(leaf->data));
    child_insert(tree, path->frames[d - 1], path->slots[d - 1] + 1, separator, right);
    btree_page_cut(leaf->data, tree->page_size, tree->scratch, slot);
    right->appends = leaf->appends;
    tree->splits++;
    return RESTART;
}

/* ---- merging ---- */

/* What both neighbours take in one page; `separator` stands between them. */
static bool pages_fit(const struct btree *tree, const struct frame *left,
                      const struct frame *right, struct bytes separator)
{
    uint32_t room = page_room(tree->page_size);
    uint32_t sum = page_used(left->data, tree->page_size) +
                   page_used(right->data, tree->page_size) +
                   (page_level(left->data) ? (uint32_t)separator.size : 0);
    bool is_empty = page_count(left->data) == 0 || page_count(right->data) == 0;
    return sum <= (is_empty ? room : room - room / 8);
}

/* Joins the children `slot` and `slot + 1`. 1: done, 0: they do not fit, or an error. */
static int children_join(struct btree *tree, struct frame *parent, uint32_t slot)
{
    struct frame *left, *right;
    struct bytes separator = page_key(parent->data, slot + 1);
    int err = btree_dead_reserve(tree, 2);
    if (!err) err = btree_tree_get_child(tree, parent, slot, &left);
    if (err) return err;
    left->pins++;
    err = btree_tree_get_child(tree, parent, slot + 1, &right);
    left->pins--;
    if (err) return err;
    if (!pages_fit(tree, left, right, separator)) return 0;
    right->pins++;
    err = child_make_changeable(tree, parent, slot, &left);
    right->pins--;
    if (err) return err;
    uint32_t first = 0;
    if (page_level(left->data)) {
        const unsigned char *cell = (const unsigned char *)page_key(right->data, 0).data - 8;
        btree_page_insert(left->data, tree->page_size, tree->scratch, page_count(left->data),
                          bytes_of(cell, 8), separator, bytes_of(NULL, 0));
        first = 1;
    }
    btree_page_append(left->data, tree->page_size, tree->scratch, right->data, first,
                      page_count(right->data));
    btree_page_remove(parent->data, slot + 1);
    btree_dead_bury(tree, right->page, 1, right->stamp);
    tree->merges++;
    return 1;
}

/* A root with one child gives way to it. */
static int root_shrink(struct btree *tree)
{
    while (tree->depth > 1) {
        struct frame *root;
        int err = btree_dead_reserve(tree, 1);
        if (!err)
            err = btree_tree_get_root(tree, tree->root, tree->root_stamp, tree->depth, &root);
        if (err) return err;
        if (page_count(root->data) > 1) return 0;
        struct frame *child;
        root->pins++;
        err = btree_tree_get_child(tree, root, 0, &child);
        root->pins--;
        if (err) return err;
        uint32_t old_page = root->page;
        uint64_t old_stamp = root->stamp;
        tree->root = child->page;
        tree->root_stamp = child->stamp;
        tree->depth--;
        btree_dead_bury(tree, old_page, 1, old_stamp);
    }
    return 0;
}

/* Merges the leaf of the key with a neighbour where it is small, and so on upwards. An error
 * leaves a tree that could be smaller, and is nobody's. */
void btree_tree_merge(struct btree *tree, struct bytes key)
{
    struct path path;
    if (btree_tree_descend(tree, key, &path)) return;
    for (uint32_t d = tree->depth - 1; d > 0; d--) {
        struct frame *page = path.frames[d], *parent = path.frames[d - 1];
        uint32_t slot = path.slots[d - 1];
        if (page_used(page->data, tree->page_size) >= page_room(tree->page_size) / 4) break;
        int done = slot > 0 ? children_join(tree, parent, slot - 1) : 0;
        if (done == 0 && slot + 1 < page_count(parent->data))
            done = children_join(tree, parent, slot);
        if (done < 0) return;
    }
    root_shrink(tree);
}
