/* What the tests of the LSM's parts share: random entries in the order of iterator.h, a
 * reference iterator over them, and the judge that walks any iterator beside it. Static
 * functions in a header, so that each test program stays one file.
 */
#ifndef FAULTLINE_TESTS_ENGINES_LSM_PARTS_H
#define FAULTLINE_TESTS_ENGINES_LSM_PARTS_H

#include "engines/storage/lsm/iterator.h"
#include "sim/kernel/random.h"
#include "tests/engines/harness.h"

struct part {
    uint64_t sequence;
    bool is_delete;
    struct bytes key, value; /* malloc'ed */
};

/* Entries in order. */
struct parts {
    struct part *items;
    size_t count;
};

static UNUSED int part_compare(const void *a, const void *b)
{
    const struct part *x = a, *y = b;
    int order = bytes_compare(x->key, y->key);
    return order ? order : (x->sequence < y->sequence) - (x->sequence > y->sequence);
}

static UNUSED void *part_copy(const void *data, size_t size)
{
    unsigned char *p = malloc(size ? size : 1);
    assert_non_null(p);
    if (size) memcpy(p, data, size);
    return p;
}

/* Keys of many shapes: few letters and short (one a prefix of another, long shared starts,
 * zero bytes, 0xff), or decimal numbers with zeros in front. */
enum key_shape { KEYS_WILD, KEYS_DECIMAL, KEY_SHAPES };

static UNUSED size_t key_make(struct rng *rng, enum key_shape shape, uint64_t space,
                              unsigned char out[64])
{
    if (shape == KEYS_DECIMAL)
        return (size_t)snprintf((char *)out, 64, "%016llu",
                                (unsigned long long)rng_below(rng, space));
    static const unsigned char letters[] = {'a', 'b', 0, 0xff, 'a'};
    uint64_t seed = rng_below(rng, space); /* so that keys repeat */
    size_t size = (size_t)(bytes_hash(bytes_of(&seed, 8), 1) % 24);
    size_t shared = seed % 3 ? 12 : 0;
    for (size_t i = 0; i < shared; i++) out[i] = 's';
    for (size_t i = 0; i < size; i++)
        out[shared + i] = letters[bytes_hash(bytes_of(&seed, 8), i + 2) % sizeof(letters)];
    return shared + size;
}

/* `count` entries with the sequences 1..count, in the order in which they were written. */
static UNUSED struct parts parts_make(struct rng *rng, enum key_shape shape, size_t count,
                                      uint64_t space, size_t value_size_max)
{
    struct parts p = {calloc(count ? count : 1, sizeof(struct part)), count};
    assert_non_null(p.items);
    for (size_t i = 0; i < count; i++) {
        unsigned char key[64];
        size_t size = key_make(rng, shape, space, key);
        p.items[i].sequence = i + 1;
        p.items[i].is_delete = rng_below(rng, 5) == 0;
        p.items[i].key = bytes_of(part_copy(key, size), size);
        size_t value_size = p.items[i].is_delete ? 0 : rng_below(rng, value_size_max + 1);
        unsigned char *value = malloc(value_size ? value_size : 1);
        assert_non_null(value);
        for (size_t k = 0; k < value_size; k++) value[k] = (unsigned char)(i * 31 + k * 7);
        p.items[i].value = bytes_of(value, value_size);
    }
    return p;
}

static UNUSED void parts_sort(struct parts *p)
{
    qsort(p->items, p->count, sizeof(*p->items), part_compare);
}

static UNUSED void parts_free(struct parts *p)
{
    for (size_t i = 0; i < p->count; i++) {
        free((void *)p->items[i].key.data);
        free((void *)p->items[i].value.data);
    }
    free(p->items);
}

/* Index of the first at or behind (key, sequence), in sorted parts. */
static UNUSED size_t parts_lower(const struct parts *p, struct bytes key, uint64_t sequence)
{
    struct part target = {.sequence = sequence, .key = key};
    size_t low = 0, high = p->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (part_compare(&p->items[middle], &target) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static UNUSED void assert_part(const struct lsm_iterator *it, const struct part *p)
{
    assert_true(it->is_valid);
    assert_int_equal(it->sequence, p->sequence);
    assert_int_equal(it->is_delete, p->is_delete);
    assert_true(bytes_equal(it->key, p->key));
    assert_true(bytes_equal(it->value, p->value));
}

/* The iterator stands where the reference stands; count: beyond either end. */
static UNUSED void assert_stands(const struct lsm_iterator *it, const struct parts *p,
                                 size_t at)
{
    if (at >= p->count)
        assert_false(it->is_valid);
    else
        assert_part(it, &p->items[at]);
}

/* Walks `it` beside the sorted reference: all forward, all backward, then `moves` random moves,
 * turns and seeks. */
static UNUSED void judge_iterator(struct lsm_iterator *it, const struct parts *p,
                                  struct rng *rng, enum key_shape shape, uint64_t space,
                                  uint64_t moves)
{
    assert_int_equal(lsm_iterator_first(it), 0);
    for (size_t i = 0; i < p->count; i++) {
        assert_part(it, &p->items[i]);
        assert_int_equal(lsm_iterator_next(it), 0);
    }
    assert_false(it->is_valid);
    assert_int_equal(lsm_iterator_last(it), 0);
    for (size_t i = p->count; i-- > 0;) {
        assert_part(it, &p->items[i]);
        assert_int_equal(lsm_iterator_previous(it), 0);
    }
    assert_false(it->is_valid);
    size_t at = p->count;
    for (uint64_t i = 0; i < moves; i++) {
        uint64_t what = rng_below(rng, 16);
        if (what == 0 || at >= p->count) {
            unsigned char key[64];
            size_t size = key_make(rng, shape, space, key);
            uint64_t sequence = rng_below(rng, p->count + 2);
            at = parts_lower(p, bytes_of(key, size), sequence);
            assert_int_equal(lsm_iterator_seek(it, bytes_of(key, size), sequence), 0);
        } else if (what == 1) {
            at = 0;
            assert_int_equal(lsm_iterator_first(it), 0);
        } else if (what == 2) {
            at = p->count - 1;
            assert_int_equal(lsm_iterator_last(it), 0);
        } else if (what < 10) {
            at++;
            assert_int_equal(lsm_iterator_next(it), 0);
        } else {
            at = at ? at - 1 : p->count;
            assert_int_equal(lsm_iterator_previous(it), 0);
        }
        assert_stands(it, p, at);
    }
}

/* ---- a reference iterator over sorted parts (not owned) ---- */

struct parts_iterator {
    struct lsm_iterator base;
    const struct parts *parts;
    size_t at;
    uint64_t moves; /* made so far, seeks included */
    uint64_t fail_at;
};

static UNUSED int parts_stand(struct lsm_iterator *it, size_t at)
{
    struct parts_iterator *p = (struct parts_iterator *)it;
    p->at = at;
    it->is_valid = false;
    if (++p->moves == p->fail_at) return -EIO;
    if (at >= p->parts->count) return 0;
    const struct part *part = &p->parts->items[at];
    it->is_valid = true;
    it->is_delete = part->is_delete;
    it->sequence = part->sequence;
    it->key = part->key;
    it->value = part->value;
    return 0;
}
static UNUSED int parts_seek(struct lsm_iterator *it, struct bytes key, uint64_t sequence)
{
    return parts_stand(it, parts_lower(((struct parts_iterator *)it)->parts, key, sequence));
}
static UNUSED int parts_first(struct lsm_iterator *it)
{
    return parts_stand(it, 0);
}
static UNUSED int parts_last(struct lsm_iterator *it)
{
    return parts_stand(it, ((struct parts_iterator *)it)->parts->count - 1);
}
static UNUSED int parts_next(struct lsm_iterator *it)
{
    assert_true(it->is_valid);
    return parts_stand(it, ((struct parts_iterator *)it)->at + 1);
}
static UNUSED int parts_previous(struct lsm_iterator *it)
{
    assert_true(it->is_valid);
    return parts_stand(it, ((struct parts_iterator *)it)->at - 1);
}
static UNUSED void parts_destroy(struct lsm_iterator *it)
{
    free(it);
}
static UNUSED struct lsm_iterator *parts_iterate(const struct parts *parts)
{
    static const struct lsm_iterator_ops ops = {parts_seek, parts_first,    parts_last,
                                                parts_next, parts_previous, parts_destroy};
    struct parts_iterator *it = calloc(1, sizeof(*it));
    assert_non_null(it);
    it->base.ops = &ops;
    it->parts = parts;
    return &it->base;
}

#endif
