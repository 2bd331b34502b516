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

static void test_merge_passes_the_error_of_any_move_on(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, env_u64("SEED", 1), "test", "merge.error", NULL);
    struct parts all = parts_make(&rng, KEYS_WILD, 60, 30, 5), dealt[3];
    parts_sort(&all);
    deal(&all, dealt, 3, &rng, 2);
    bool is_whole = false;
    uint64_t failures = 0;
    for (uint64_t n = 1; !is_whole; n++) {
        is_whole = true;
        for (size_t failing = 0; failing < 3; failing++) {
            struct lsm_iterator *its[3], *merge;
            for (size_t i = 0; i < 3; i++) its[i] = parts_iterate(&dealt[i]);
            ((struct parts_iterator *)its[failing])->fail_at = n;
            assert_int_equal(lsm_merge_create(&allocator_system, its, 3, &merge), 0);
            /* There, back, and a turn in the middle. */
            int err = lsm_iterator_first(merge);
            size_t at = 0;
            for (; !err && merge->is_valid; err = lsm_iterator_next(merge))
                assert_part(merge, &all.items[at++]);
            if (!err) err = lsm_iterator_last(merge);
            for (; !err && merge->is_valid && at > 30; err = lsm_iterator_previous(merge))
                assert_part(merge, &all.items[--at]);
            if (!err) err = lsm_iterator_next(merge);
            if (!err) err = lsm_iterator_seek(merge, all.items[3].key, 1000);
            if (err) {
                assert_int_equal(err, -EIO);
                assert_false(merge->is_valid);
                failures++;
                assert_int_equal(lsm_iterator_first(merge), 0); /* usable again */
                assert_part(merge, &all.items[0]);
                is_whole = false;
            }
            lsm_iterator_destroy(merge);
        }
    }
    assert_in_range(failures, 100, 1000);
    for (size_t i = 0; i < 3; i++) free(dealt[i].items);
    parts_free(&all);
}

static void test_merge_without_memory_destroys_its_children(void **state)
{
    (void)state; /* the leak checker of the san build judges the children */
    struct heap heap;
    heap_init(&heap);
    heap.fail_at = 1;
    struct parts none = {NULL, 0};
    struct lsm_iterator *its[2] = {parts_iterate(&none), parts_iterate(&none)}, *merge = NULL;
    assert_int_equal(lsm_merge_create(&heap.allocator, its, 2, &merge), -ENOMEM);
    assert_null(merge);
}

/* A run of entries from one child costs one comparison an entry and moves that child alone. */
static void test_merge_moves_only_the_child_that_is_first(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, env_u64("SEED", 1), "test", "merge.moves", NULL);
    struct parts all = parts_make(&rng, KEYS_WILD, 500, 300, 5), dealt[4];
    parts_sort(&all);
    deal(&all, dealt, 4, &rng, 1);
    struct lsm_iterator *its[4], *merge;
    for (size_t i = 0; i < 4; i++) its[i] = parts_iterate(&dealt[i]);
    assert_int_equal(lsm_merge_create(&allocator_system, its, 4, &merge), 0);
    assert_int_equal(lsm_iterator_first(merge), 0);
    while (merge->is_valid) assert_int_equal(lsm_iterator_next(merge), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(((struct parts_iterator *)its[i])->moves, dealt[i].count + 1);
    lsm_iterator_destroy(merge);
    for (size_t i = 0; i < 4; i++) free(dealt[i].items);
    parts_free(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge_shows_all_children_in_order),
        cmocka_unit_test(test_merge_passes_the_error_of_any_move_on),
        cmocka_unit_test(test_merge_without_memory_destroys_its_children),
        cmocka_unit_test(test_merge_moves_only_the_child_that_is_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
