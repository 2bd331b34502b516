/* An oracle: what an engine must hold, as a map in key order. Pairs are shared between copies,
 * so that keeping the state after each of many batches costs a pointer a key, and each map
 * carries a checksum of its contents, so that two are compared at once: a million operations
 * take seconds.
 */
#ifndef FAULTLINE_TESTS_ENGINES_ORACLE_H
#define FAULTLINE_TESTS_ENGINES_ORACLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engines/storage/engine.h"

#define UNUSED __attribute__((unused))

/* Bytes of one's own, from malloc. */
static UNUSED unsigned char *copy_of(struct bytes b)
{
    unsigned char *p = malloc(b.size ? b.size : 1);
    assert_non_null(p);
    if (b.size) memcpy(p, b.data, b.size);
    return p;
}

struct oracle_pair {
    uint32_t holders; /* maps that it is in */
    size_t key_size, value_size;
    uint64_t hash;        /* of key and value */
    unsigned char data[]; /* the key, the value */
};

struct oracle {
    struct oracle_pair **pairs; /* in key order */
    size_t count, capacity;
    uint64_t sum; /* of their hashes: equal contents, equal sum */
};

static inline uint64_t pair_hash(struct bytes key, struct bytes value)
{
    return bytes_hash(value, bytes_hash(key, 1));
}

static inline struct bytes oracle_key(const struct oracle *o, size_t i)
{
    return bytes_of(o->pairs[i]->data, o->pairs[i]->key_size);
}

static inline struct bytes oracle_value(const struct oracle *o, size_t i)
{
    return bytes_of(o->pairs[i]->data + o->pairs[i]->key_size, o->pairs[i]->value_size);
}

/* Index of the first key that is not less. */
static UNUSED size_t oracle_lower(const struct oracle *o, struct bytes key)
{
    size_t low = 0, high = o->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (bytes_compare(oracle_key(o, middle), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static inline bool oracle_holds_at(const struct oracle *o, size_t i, struct bytes key)
{
    return i < o->count && bytes_equal(oracle_key(o, i), key);
}

static UNUSED bool oracle_find(const struct oracle *o, struct bytes key, struct bytes *value)
{
    size_t i = oracle_lower(o, key);
    if (!oracle_holds_at(o, i, key)) return false;
    *value = oracle_value(o, i);
    return true;
}

static UNUSED void oracle_release(struct oracle *o, struct oracle_pair *pair)
{
    o->sum -= pair->hash;
    if (--pair->holders == 0) free(pair);
}

static UNUSED void oracle_delete(struct oracle *o, struct bytes key)
{
    size_t i = oracle_lower(o, key);
    if (!oracle_holds_at(o, i, key)) return;
    oracle_release(o, o->pairs[i]);
    memmove(&o->pairs[i], &o->pairs[i + 1], (o->count - i - 1) * sizeof(*o->pairs));
    o->count--;
}

static UNUSED void oracle_reserve(struct oracle *o, size_t count)
{
    if (count <= o->capacity) return;
    o->capacity = count < 16 ? 16 : count * 2;
    o->pairs = realloc(o->pairs, o->capacity * sizeof(*o->pairs));
    assert_non_null(o->pairs);
}

static UNUSED void oracle_put(struct oracle *o, struct bytes key, struct bytes value)
{
    struct oracle_pair *pair = malloc(sizeof(*pair) + key.size + value.size);
    assert_non_null(pair);
    *pair = (struct oracle_pair){1, key.size, value.size, pair_hash(key, value)};
    if (key.size) memcpy(pair->data, key.data, key.size);
    if (value.size) memcpy(pair->data + key.size, value.data, value.size);
    size_t i = oracle_lower(o, key);
    if (oracle_holds_at(o, i, key)) {
        oracle_release(o, o->pairs[i]);
    } else {
        oracle_reserve(o, o->count + 1);
        memmove(&o->pairs[i + 1], &o->pairs[i], (o->count - i) * sizeof(*o->pairs));
        o->count++;
    }
    o->pairs[i] = pair;
    o->sum += pair->hash;
}

static UNUSED void oracle_apply(struct oracle *o, const struct engine_batch *batch)
{
    struct engine_batch_item item;
    size_t position = 0;
    while (engine_batch_next(batch, &position, &item)) {
        if (item.is_delete)
            oracle_delete(o, item.key);
        else
            oracle_put(o, item.key, item.value);
    }
}

static UNUSED void oracle_deinit(struct oracle *o)
{
    for (size_t i = 0; i < o->count; i++) oracle_release(o, o->pairs[i]);
    free(o->pairs);
    memset(o, 0, sizeof(*o));
}

static UNUSED void oracle_copy(struct oracle *to, const struct oracle *from)
{
    for (size_t i = 0; i < from->count; i++) from->pairs[i]->holders++;
    for (size_t i = 0; i < to->count; i++) oracle_release(to, to->pairs[i]);
    oracle_reserve(to, from->count);
    if (from->count) memcpy(to->pairs, from->pairs, from->count * sizeof(*to->pairs));
    to->count = from->count;
    to->sum = from->sum;
}

/* What a whole scan gave: equal contents, equal figures. */
struct contents {
    size_t count;
    uint64_t sum;
};

static inline bool oracle_is(const struct oracle *o, struct contents c)
{
    return o->count == c.count && o->sum == c.sum;
}

/* Scans all. 0; 1: the keys do not rise; or -errno of the scan. */
static UNUSED int contents_read(struct engine *engine, struct contents *out)
{
    struct engine_range all = {0};
    struct engine_cursor *cursor;
    struct bytes key, value;
    struct buffer last = {.allocator = &allocator_system};
    struct contents c = {0};
    bool rises = true;
    int n = engine_scan_open(engine, &all, &cursor);
    if (n) return n;
    while ((n = engine_scan_next(cursor, &key, &value)) > 0) {
        rises = rises && (!c.count || bytes_compare(key, buffer_bytes(&last)) > 0);
        assert_int_equal(buffer_assign(&last, key), 0);
        c.sum += pair_hash(key, value);
        c.count++;
    }
    engine_scan_close(cursor);
    buffer_deinit(&last);
    if (n < 0) return n;
    *out = c;
    return !rises;
}

/* A full scan of the engine against the oracle. 0: the same; 1: not; or -errno of the scan. */
static UNUSED int oracle_compare(const struct oracle *o, struct engine *engine)
{
    struct contents found;
    int n = contents_read(engine, &found);
    return n ? n : !oracle_is(o, found);
}

/* How the engine differs, for a failure's text: the first entry that is not as expected. */
static UNUSED const char *oracle_difference(const struct oracle *o, struct engine *engine)
{
    static char text[240];
    struct engine_range all = {0};
    struct engine_cursor *cursor;
    struct bytes key, value;
    size_t i = 0;
    int n = engine_scan_open(engine, &all, &cursor);
    if (n) return "the scan does not open";
    snprintf(text, sizeof(text), "nothing");
    while ((n = engine_scan_next(cursor, &key, &value)) > 0) {
        if (oracle_holds_at(o, i, key) && bytes_equal(value, oracle_value(o, i++))) continue;
        snprintf(text, sizeof(text), "entry %zu, '%.*s' of %zu bytes, is not expected", i,
                 (int)(key.size < 60 ? key.size : 60), (const char *)key.data, value.size);
        break;
    }
    engine_scan_close(cursor);
    if (n < 0) return "the scan fails";
    if (n == 0 && i < o->count)
        snprintf(text, sizeof(text), "%zu of %zu entries are there", i, o->count);
    return text;
}

#endif
