/* The merging iterator of `lsm`: several sorted iterators read as one.
 *
 * The children that are valid stand in an array, ordered by their entries; the first one is
 * current. A move advances that child alone. As long as it stays before the second one the
 * array is right as it is: one comparison an entry, and none when a single child is left. Else
 * its new place is found by halves, which takes half of the comparisons that a heap does, and
 * moving the pointers in between costs little: there are some ten children, a hundred at most.
 * A run of entries from one child, which is what levels give, costs no more than that.
 *
 *     forward --previous--> backward --next--> forward      direction_turn()
 *
 * Turning the direction: every other child stands behind the current entry (forward) or before
 * it (backward), so each is sought to the current entry and moved one step over it. That is a
 * seek a child, paid once a turn.
 *
 * Invariants:
 *   I1  `order` holds exactly the valid children, in the direction's order; forward, each
 *       stands behind the current entry or is the current one; backward, before.
 *   I2  order[0] is the current child, and the base's fields are its fields.
 *
 * After an error nothing is valid until the next seek, first or last.
 */
#include <errno.h>

#include "engines/storage/lsm/iterator.h"

struct merge {
    struct lsm_iterator base;
    const struct allocator *allocator;
    size_t count, live; /* children; of them in `order` */
    bool is_backward;
    struct lsm_iterator **order; /* count pointers behind children */
    struct lsm_iterator *children[];
};

static struct merge *merge_of(struct lsm_iterator *it)
{
    return (struct merge *)it;
}

static inline bool comes_first(const struct merge *m, const struct lsm_iterator *a,
                               const struct lsm_iterator *b)
{
    int order = lsm_key_compare(a->key, b->key);
    bool before = order ? order < 0 : a->sequence > b->sequence;
    return before != m->is_backward;
}

/* ---- the order ---- */

/* Moves the child at `from` to its place among those in [from + 1, live), which are in order.
 */
static void place(struct merge *m, size_t from)
{
    struct lsm_iterator *moved = m->order[from];
    size_t low = from + 1, high = m->live;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (comes_first(m, m->order[middle], moved))
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t i = from; i + 1 < low; i++) m->order[i] = m->order[i + 1];
    m->order[low - 1] = moved;
}

/* I2: the base shows the current child. */
static inline int show(struct merge *m)
{
    const struct lsm_iterator *current = m->order[0];
    m->base.is_delete = current->is_delete;
    m->base.sequence = current->sequence;
    m->base.key = current->key;
    m->base.value = current->value;
    m->base.is_valid = true;
    return 0;
}

static int fail(struct merge *m, int err)
{
    m->live = 0;
    m->base.is_valid = false;
    return err;
}

/* All children have been placed. */
static int gather(struct merge *m)
{
    size_t at = m->count;
    m->live = m->count;
    for (size_t i = 0; i < m->count; i++) {
        if (!m->children[i]->is_valid) continue;
        m->order[--at] = m->children[i];
        place(m, at);
    }
    m->live = m->count - at;
    memmove(m->order, m->order + at, m->live * sizeof(struct lsm_iterator *));
    return m->live ? show(m) : fail(m, 0);
}

/* ---- moves ---- */

static int merge_seek(struct lsm_iterator *it, struct bytes key, uint64_t sequence)
{
    struct merge *m = merge_of(it);
    for (size_t i = 0; i < m->count; i++) {
        int err = lsm_iterator_seek(m->children[i], key, sequence);
        if (err) return fail(m, err);
    }
    m->is_backward = false;
    return gather(m);
}

static int merge_first(struct lsm_iterator *it)
{
    struct merge *m = merge_of(it);
    for (size_t i = 0; i < m->count; i++) {
        int err = lsm_iterator_first(m->children[i]);
        if (err) return fail(m, err);
    }
    m->is_backward = false;
    return gather(m);
}

static int merge_last(struct lsm_iterator *it)
{
    struct merge *m = merge_of(it);
    for (size_t i = 0; i < m->count; i++) {
        int err = lsm_iterator_last(m->children[i]);
        if (err) return fail(m, err);
    }
    m->is_backward = true;
    return gather(m);
}

/* Places all children but the current one on the other side of the current entry. */
static int direction_turn(struct merge *m)
{
    struct lsm_iterator *current = m->order[0];
    for (size_t i = 0; i < m->count; i++) {
        struct lsm_iterator *child = m->children[i];
        if (child == current) continue;
        int err = lsm_iterator_seek(child, current->key, current->sequence);
        /* It stands behind the entry now: no two children hold the same. */
        if (!err && !m->is_backward)
            err = child->is_valid ? lsm_iterator_previous(child) : lsm_iterator_last(child);
        if (err) return fail(m, err);
    }
    m->is_backward = !m->is_backward;
    return 0;
}

static int advance(struct merge *m, bool is_backward)
{
    bool turned = m->is_backward != is_backward;
    if (turned) {
        int err = direction_turn(m);
        if (err) return err;
    }
    struct lsm_iterator *current = m->order[0];
    int err = is_backward ? lsm_iterator_previous(current) : lsm_iterator_next(current);
    if (err) return fail(m, err);
    if (turned) return gather(m);
    if (current->is_valid) {
        if (m->live > 1 && !comes_first(m, current, m->order[1])) place(m, 0);
        return show(m);
    }
    if (--m->live == 0) return fail(m, 0);
    memmove(m->order, m->order + 1, m->live * sizeof(struct lsm_iterator *));
    return show(m);
}

static int merge_next(struct lsm_iterator *it)
{
    return advance(merge_of(it), false);
}

static int merge_previous(struct lsm_iterator *it)
{
    return advance(merge_of(it), true);
}

/* ---- lifetime ---- */

static size_t merge_size(size_t count)
{
    return sizeof(struct merge) + 2 * count * sizeof(struct lsm_iterator *);
}

static void merge_destroy(struct lsm_iterator *it)
{
    struct merge *m = merge_of(it);
    for (size_t i = 0; i < m->count; i++) lsm_iterator_destroy(m->children[i]);
    allocator_free(m->allocator, m, merge_size(m->count));
}

static const struct lsm_iterator_ops merge_ops = {
    .seek = merge_seek,
    .first = merge_first,
    .last = merge_last,
    .next = merge_next,
    .previous = merge_previous,
    .destroy = merge_destroy,
};

int lsm_merge_create(const struct allocator *allocator, struct lsm_iterator *const *children,
                     size_t count, struct lsm_iterator **out)
{
    if (count == 1) {
        *out = children[0];
        return 0;
    }
    struct merge *m = allocator_alloc(allocator, merge_size(count));
    if (!m) {
        for (size_t i = 0; i < count; i++) lsm_iterator_destroy(children[i]);
        return -ENOMEM;
    }
    *m = (struct merge){.base.ops = &merge_ops, .allocator = allocator, .count = count};
    m->order = m->children + count;
    for (size_t i = 0; i < count; i++) m->children[i] = children[i];
    *out = &m->base;
    return 0;
}
