/* Goal: the node heap gives memory, counts it, refuses beyond its limit and forgets everything
 * at once. Method: random allocations against a table of blocks with a pattern each; limits met
 * to the byte; reset with blocks forgotten; under AddressSanitizer, that a forgotten block is
 * poisoned.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/kernel/random.h"
#include "sim/world/heap.h"

#define BLOCKS 200

static void test_heap_blocks_are_aligned_apart_and_keep_their_bytes(void **state)
{
    (void)state;
    struct heap *heap = heap_create(0);
    const struct allocator *a = heap_allocator(heap);
    struct {
        unsigned char *data;
        size_t size;
    } blocks[BLOCKS] = {{0}};
    struct rng rng;
    size_t total = 0;
    uint64_t count = 0;
    rng_init(&rng, 1, "test", "heap", NULL);
    for (int round = 0; round < 20000; round++) {
        uint64_t i = rng_below(&rng, BLOCKS);
        uint64_t shape = rng_below(&rng, 8);
        size_t size = shape == 0 ? 0
                                 : (size_t)rng_below(&rng, shape == 1   ? 40000
                                                           : shape == 2 ? 9000
                                                                        : 600);
        for (size_t b = 0; b < blocks[i].size; b++)
            if (blocks[i].data[b] != (unsigned char)i)
                fail_msg("block %d, byte %zu", (int)i, b);
        total += size - blocks[i].size;
        count += (size != 0) - (blocks[i].size != 0);
        size_t common = size < blocks[i].size ? size : blocks[i].size;
        unsigned char *data = a->resize(a->context, blocks[i].data, blocks[i].size, size);
        assert_true(size ? data != NULL : data == NULL);
        assert_int_equal((uintptr_t)data % 16, 0);
        for (size_t b = 0; b < common; b++)
            if (data[b] != (unsigned char)i) fail_msg("block %d lost byte %zu", (int)i, b);
        if (size) memset(data, (int)i, size);
        blocks[i].data = data;
        blocks[i].size = size;
        assert_int_equal(heap_bytes(heap), total);
        assert_int_equal(heap_blocks(heap), count);
    }
    assert_true(heap_bytes_max(heap) >= total && total > 0);
    heap_destroy(heap);
}

static void test_heap_refuses_beyond_its_limit_and_leaves_the_old_block(void **state)
{
    (void)state;
    struct heap *heap = heap_create(1000);
    const struct allocator *a = heap_allocator(heap);
    char *block = allocator_alloc(a, 600);
    assert_non_null(block);
    block[599] = 'x';
    assert_null(allocator_alloc(a, 401));
    assert_null(a->resize(a->context, block, 600, 1001));
    assert_int_equal(heap_refusals(heap), 2);
    assert_int_equal(block[599], 'x');
    assert_int_equal(heap_bytes(heap), 600);
    char *rest = allocator_alloc(a, 400);
    assert_non_null(rest);
    assert_null(allocator_alloc(a, 1));
    allocator_free(a, block, 600);
    assert_non_null(allocator_alloc(a, 600));
    heap_set_limit(heap, 500);
    assert_null(allocator_alloc(a, 1));
    assert_null(allocator_alloc(a, SIZE_MAX));
    rest = a->resize(a->context, rest, 400, 300);
    assert_non_null(rest);
    heap_destroy(heap);
}

static void test_heap_reset_forgets_everything(void **state)
{
    (void)state;
    struct heap *heap = heap_create(100000);
    const struct allocator *a = heap_allocator(heap);
    for (int round = 0; round < 100; round++) {
        for (size_t size = 1; size < 20000; size = size * 3 + 1)
            assert_non_null(allocator_alloc(a, size));
        heap_reset(heap);
        assert_int_equal(heap_bytes(heap), 0);
        assert_int_equal(heap_blocks(heap), 0);
    }
    assert_int_equal(heap_refusals(heap), 0);
    heap_destroy(heap);
}

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>

static void test_heap_pointer_kept_over_a_crash_is_poisoned(void **state)
{
    (void)state;
    struct heap *heap = heap_create(0);
    char *kept = allocator_alloc(heap_allocator(heap), 100);
    assert_false(__asan_address_is_poisoned(kept));
    assert_true(__asan_address_is_poisoned(kept + 112));
    heap_reset(heap);
    assert_true(__asan_address_is_poisoned(kept));
    heap_destroy(heap);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heap_blocks_are_aligned_apart_and_keep_their_bytes),
        cmocka_unit_test(test_heap_refuses_beyond_its_limit_and_leaves_the_old_block),
        cmocka_unit_test(test_heap_reset_forgets_everything),
#ifdef __SANITIZE_ADDRESS__
        cmocka_unit_test(test_heap_pointer_kept_over_a_crash_is_poisoned),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
