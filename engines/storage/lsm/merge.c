/* The merging iterator of `lsm`: several sorted iterators read as one.
 *
 * The children that are valid stand in a binary heap, the one whose entry comes first at its
 * root. A move advances the root's child alone. As long as that child stays before the runner
 * up (the lesser of the root's two children in the heap), which is remembered, the heap is
 * right as it is: one comparison an entry, and none when a single child is left. A run of
 * entries from one child, which is what levels give, costs no sifting.
 *
 *     forward --previous--> backward --next--> forward      direction_turn()
 *
 * Turning the direction: every other child stands behind the current entry (forward) or before
 * it (backward), so each is sought to the current entry and moved one step over it. That is a
 * seek a child, paid once a turn.
 *
 * Invariants:
 *   I1  the heap holds exactly the valid children; forward, each stands behind the current
 *       entry or is the current one; backward, before.
 *   I2  heap[0] is the current child, and the base's fields are its fields.
 *   I3  `runner` is the lesser of heap[1] and heap[2], NULL when live < 2.
 *
 * After an error nothing is valid until the next seek, first or last.
 */
#include <errno.h>

#include "engines/storage/lsm/iterator.h"

struct merge {
    struct lsm_iterator base;
    const struct allocator *allocator;
    size_t count, live;          /* children; of them in the heap */
    struct lsm_iterator *runner; /* I3 */
    bool is_backward;
    struct lsm_iterator **heap; /* count pointers behind children */
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

/* ---- the heap ---- */

static void sift_down(struct merge *m, size_t parent)
{
    struct lsm_iterator *moved = m->heap[parent];
    for (size_t child; (child = parent * 2 + 1) < m->live; parent = child) {
        if (child + 1 < m->live && comes_first(m, m->heap[child + 1], m->heap[child])) child++;
        if (comes_first(m, moved, m->heap[child])) break;
        m->heap[parent] = m->heap[child];
    }
    m->heap[parent] = moved;
}

/* I2: the base shows the current child. */
static inline int show(struct merge *m)
{
    const struct lsm_iterator *current = m->heap[0];
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

/* The root's child has moved: I3 and I2 again. */
static int settle(struct merge *m)
{
    if (m->live == 0) return fail(m, 0);
    sift_down(m, 0);
    m->runner = m->live < 2 ? NULL : m->heap[1];
    if (m->live > 2 && comes_first(m, m->heap[2], m->heap[1])) m->runner = m->heap[2];
    return show(m);
}

/* All children have been placed. */
static int gather(struct merge *m)
{
    m->live = 0;
    for (size_t i = 0; i < m->count; i++)
        if (m->children[i]->is_valid) m->heap[m->live++] = m->children[i];
    for (size_t i = m->live / 2; i-- > 1;) sift_down(m, i);
    return settle(m);
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
    struct lsm_iterator *current = m->heap[0];
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
    struct lsm_iterator *current = m->heap[0];
    int err = is_backward ? lsm_iterator_previous(current) : lsm_iterator_next(current);
    if (err) return fail(m, err);
    if (turned) return gather(m);
    if (current->is_valid) {
        if (!m->runner || comes_first(m, current, m->runner)) return show(m);
    } else {
        m->heap[0] = m->heap[--m->live];
    }
    return settle(m);
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
    m->heap = m->children + count;
    for (size_t i = 0; i < count; i++) m->children[i] = children[i];
    *out = &m->base;
    return 0;
}
