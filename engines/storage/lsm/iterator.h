/* Iterators inside `lsm`: over a memtable, a table, a level, or the merge of several.
 *
 * An entry is (key, sequence, put or delete, value). The order everywhere: keys ascending,
 * then sequences DEScending, so the newest version of a key comes first. Fields are read
 * directly; a move replaces them.
 *
 *     int err = lsm_iterator_seek(it, key, snapshot);
 *     for (; !err && it->is_valid; err = lsm_iterator_next(it)) ... it->key, it->value ...
 *     lsm_iterator_destroy(it);
 */
#ifndef FAULTLINE_ENGINES_STORAGE_LSM_ITERATOR_H
#define FAULTLINE_ENGINES_STORAGE_LSM_ITERATOR_H

#include <stdbool.h>

#include "engines/bytes.h"

/* bytes_compare for short keys in tight loops: eight bytes at once, no call. */
static inline int lsm_key_compare(struct bytes a, struct bytes b)
{
    const unsigned char *p = a.data, *q = b.data;
    size_t n = a.size < b.size ? a.size : b.size;
    for (; n >= 8; n -= 8, p += 8, q += 8) {
        uint64_t x, y;
        memcpy(&x, p, 8);
        memcpy(&y, q, 8);
        if (x == y) continue;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        x = __builtin_bswap64(x);
        y = __builtin_bswap64(y);
#endif
        return x < y ? -1 : 1;
    }
    for (; n; n--, p++, q++)
        if (*p != *q) return *p < *q ? -1 : 1;
    return (a.size > b.size) - (a.size < b.size);
}

struct lsm_iterator;
struct lsm_iterator_ops {
    int (*seek)(struct lsm_iterator *it, struct bytes key, uint64_t sequence);
    int (*first)(struct lsm_iterator *it);
    int (*last)(struct lsm_iterator *it);
    int (*next)(struct lsm_iterator *it); /* it is valid */
    int (*previous)(struct lsm_iterator *it);
    void (*destroy)(struct lsm_iterator *it);
};

struct lsm_iterator {
    const struct lsm_iterator_ops *ops;
    bool is_valid; /* stands on an entry; false after an error, or beyond either end */
    bool is_delete;
    uint64_t sequence;
    struct bytes key, value; /* valid until the next move, or destroy */
};

/* To the first entry at or behind (key, sequence) in the order above; `key` is not borrowed
 * from the iterator itself. 0 or -errno. */
static inline int lsm_iterator_seek(struct lsm_iterator *it, struct bytes key,
                                    uint64_t sequence)
{
    return it->ops->seek(it, key, sequence);
}
static inline int lsm_iterator_first(struct lsm_iterator *it)
{
    return it->ops->first(it);
}
static inline int lsm_iterator_last(struct lsm_iterator *it)
{
    return it->ops->last(it);
}
static inline int lsm_iterator_next(struct lsm_iterator *it)
{
    return it->ops->next(it);
}
static inline int lsm_iterator_previous(struct lsm_iterator *it)
{
    return it->ops->previous(it);
}
static inline void lsm_iterator_destroy(struct lsm_iterator *it)
{
    if (it) it->ops->destroy(it);
}

/* The merge of `count` children (count 0: always empty; 1: the child itself may be returned).
 * Takes the children, also on error. Moves in both directions may alternate. No two children
 * hold the same (key, sequence). */
int lsm_merge_create(const struct allocator *allocator, struct lsm_iterator *const *children,
                     size_t count, struct lsm_iterator **out);

#endif
