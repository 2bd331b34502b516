/* Goal: the merging iterator shows the entries of all its children in order, in both
 * directions, with turns and seeks anywhere; it passes errors on; one child costs nothing.
 * Method: random entries dealt to the children at random, in runs, or all to one, walked beside
 * the sorted whole; every move of a child failed in turn.
 */
#include "tests/engines/lsm_parts.h"

#define CHILDREN_MAX 9u

static void deal(const struct parts *all, struct parts *to, size_t children, struct rng *rng,
                 uint64_t run)
{
    size_t child = 0;
    for (size_t i = 0; i < children; i++) {
        to[i].items = calloc(all->count + 1, sizeof(struct part));
        assert_non_null(to[i].items);
        to[i].count = 0;
    }
    for (size_t i = 0; i < all->count; i++) {
        if (rng_below(rng, run) == 0) child = rng_below(rng, children);
        to[child].items[to[child].count++] = all->items[i];
    }
}

static void test_merge_shows_all_children_in_order(void **state)
{
    (void)state;
    static const uint64_t runs[] = {1, 10, 1000000};
    for (size_t children = 0; children <= CHILDREN_MAX; children++) {
        for (size_t r = 0; r < 3; r++) {
            struct heap heap;
            heap_init(&heap);
            struct rng rng;
            rng_init(&rng, env_u64("SEED", 1) + children * 3 + r, "test", "merge", NULL);
            size_t count = children ? 300 : 0;
            struct parts all = parts_make(&rng, KEYS_WILD, count, 80, 5), dealt[CHILDREN_MAX];
            parts_sort(&all);
            deal(&all, dealt, children, &rng, runs[r]);
            struct lsm_iterator *its[CHILDREN_MAX], *merge;
            for (size_t i = 0; i < children; i++) its[i] = parts_iterate(&dealt[i]);
            assert_int_equal(lsm_merge_create(&heap.allocator, its, children, &merge), 0);
            if (children == 1) assert_ptr_equal(merge, its[0]);
            judge_iterator(merge, &all, &rng, KEYS_WILD, 80, 5000);
            lsm_iterator_destroy(merge);
            assert_int_equal(heap.bytes, 0);
            for (size_t i = 0; i < children; i++) free(dealt[i].items);
            parts_free(&all);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge_shows_all_children_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
