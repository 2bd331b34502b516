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

static void test_iterator_stays_valid_while_entries_come_in(void **state)
{
    (void)state;
    struct heap heap;
    heap_init(&heap);
    struct rng rng;
    rng_init(&rng, env_u64("SEED", 1), "test", "memtable.iterator", NULL);
    struct parts p = parts_make(&rng, KEYS_WILD, 3000, 1000, 20);
    struct memtable *m;
    assert_int_equal(memtable_create(&heap.allocator, &m), 0);
    for (size_t i = 0; i < 1000; i++) add(m, &p.items[i]);
    struct lsm_iterator *it;
    assert_int_equal(memtable_iterate(m, &heap.allocator, &it), 0);
    /* Walks over and over while 2000 more come in: always in order, and nothing that was there
     * when the walk began is passed over. */
    size_t added = 1000, began = 0, seen_old = 0;
    bool is_forward = true;
    struct part last = {0};
    while (added < p.count) {
        bool is_start = !it->is_valid;
        if (is_start) {
            if (began) assert_int_equal(seen_old, began);
            is_forward = !is_forward;
            began = added;
            seen_old = 0;
            assert_int_equal(is_forward ? lsm_iterator_first(it) : lsm_iterator_last(it), 0);
        } else {
            assert_int_equal(is_forward ? lsm_iterator_next(it) : lsm_iterator_previous(it), 0);
        }
        if (!it->is_valid) continue;
        struct part now = {it->sequence, it->is_delete, it->key, it->value};
        if (!is_start) assert_true(part_compare(&last, &now) * (is_forward ? 1 : -1) < 0);
        last = now; /* entries never move */
        seen_old += it->sequence <= began;
        if (rng_below(&rng, 3) == 0) add(m, &p.items[added++]);
    }
    lsm_iterator_destroy(it);
    memtable_destroy(m);
    assert_int_equal(heap.bytes, 0);
    parts_free(&p);
}

static void test_reserved_adds_never_allocate(void **state)
{
    (void)state;
    static const size_t batches[] = {1, 2, 7, 100, 1000, 5000};
    for (size_t order = 0; order < 3; order++) { /* ascending, descending, mixed */
        struct heap heap;
        heap_init(&heap);
        struct rng rng;
        rng_init(&rng, env_u64("SEED", 1), "test", "memtable.reserve", NULL);
        struct memtable *m;
        assert_int_equal(memtable_create(&heap.allocator, &m), 0);
        uint64_t sequence = 0, number = 1000000;
        for (uint64_t round = 0; round < 60; round++) {
            size_t count = batches[rng_below(&rng, 6)];
            assert_int_equal(memtable_reserve(m, count, count * 19), 0);
            uint64_t allocations = heap.allocations;
            for (size_t i = 0; i < count; i++) {
                char key[24];
                number = order == 0 ? number + 1 : order == 1 ? number - 1 : rng_u64(&rng);
                snprintf(key, sizeof(key), "%016llu", (unsigned long long)(number % 10000000));
                memtable_add(m, ++sequence, false, bytes_of(key, 16), BYTES_LITERAL("abc"));
            }
            assert_int_equal(heap.allocations, allocations);
        }
        assert_fine(m);
        assert_int_equal(memtable_entries(m), sequence);
        assert_int_equal(memtable_data_bytes(m), sequence * 19);
        memtable_destroy(m);
        assert_int_equal(heap.bytes, 0);
    }
}

static void test_failed_reserve_changes_nothing(void **state)
{
    (void)state;
    struct heap heap;
    heap_init(&heap);
    struct rng rng;
    rng_init(&rng, env_u64("SEED", 1), "test", "memtable.fail", NULL);
    struct parts p = parts_make(&rng, KEYS_WILD, 2000, 500, 30);
    struct memtable *m;
    assert_int_equal(memtable_create(&heap.allocator, &m), 0);
    for (size_t i = 0; i < p.count; i++) {
        heap.fail_at = heap.allocations + 1;
        if (memtable_reserve(m, 1, p.items[i].key.size + p.items[i].value.size) != 0) {
            assert_int_equal(memtable_entries(m), i);
            assert_fine(m);
        }
        heap.fail_at = 0;
        add(m, &p.items[i]);
    }
    assert_int_equal(memtable_reserve(m, SIZE_MAX / 32, 1), -ENOMEM);
    assert_int_equal(memtable_reserve(m, 1, SIZE_MAX / 2), -ENOMEM);
    parts_sort(&p);
    judge_gets(m, &p, &rng, KEYS_WILD, 500);
    memtable_destroy(m);
    parts_free(&p);
}

/* ---- beside a skip list ---- */

#define SKIP_HEIGHT 12
#define BRANCHING 4

/* As LevelDB's: one in four nodes is a level higher, nodes and entries from one bump
 * allocator, here with the entry inside its node. */
struct skip_node {
    uint64_t sequence;
    uint32_t key_size, value_size;
    uint32_t height;
    struct skip_node *next[]; /* height, then key and value */
};
struct skip_list {
    unsigned char *room, *begin;
    uint32_t height;
    uint64_t s; /* its own dice */
    struct skip_node *head;
};

static unsigned char *skip_data(const struct skip_node *n)
{
    return (unsigned char *)(n->next + n->height);
}

static struct skip_node *skip_make(struct skip_list *l, uint32_t height, size_t data)
{
    struct skip_node *n = (struct skip_node *)l->room;
    size_t size = sizeof(*n) + height * sizeof(n->next[0]) + data;
    l->room += (size + 7) & ~(size_t)7;
    *n = (struct skip_node){.height = height};
    for (uint32_t i = 0; i < height; i++) n->next[i] = NULL;
    return n;
}

static void skip_add(struct skip_list *l, uint64_t sequence, struct bytes key,
                     struct bytes value)
{
    struct skip_node *before[SKIP_HEIGHT], *at = l->head;
    for (uint32_t level = l->height; level-- > 0;) {
        for (struct skip_node *n; (n = at->next[level]); at = n) {
            int order = bytes_compare(bytes_of(skip_data(n), n->key_size), key);
            if (order > 0 || (order == 0 && n->sequence < sequence)) break;
        }
        before[level] = at;
    }
    uint32_t height = 1;
    for (; height < SKIP_HEIGHT; height++) {
        l->s = l->s * UINT64_C(6364136223846793005) + 1442695040888963407u;
        if ((l->s >> 33) % BRANCHING) break;
    }
    for (; l->height < height; l->height++) before[l->height] = l->head;
    struct skip_node *n = skip_make(l, height, key.size + value.size);
    n->sequence = sequence;
    n->key_size = (uint32_t)key.size;
    n->value_size = (uint32_t)value.size;
    memcpy(skip_data(n), key.data, key.size);
    memcpy(skip_data(n) + key.size, value.data, value.size);
    for (uint32_t i = 0; i < height; i++) {
        n->next[i] = before[i]->next[i];
        before[i]->next[i] = n;
    }
}

static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void test_memtable_holds_what_a_skip_list_holds(void **state)
{
    (void)state;
    size_t count = (size_t)test_scaled(10000, 100000);
    struct rng rng;
    rng_init(&rng, env_u64("SEED", 1), "test", "memtable.skip", NULL);
    struct parts p = parts_make(&rng, KEYS_DECIMAL, count, 1000000, 200);
    struct skip_list l = {.height = 1, .s = 1};
    l.begin = l.room =
        malloc(count * (sizeof(struct skip_node) + 8 * SKIP_HEIGHT + 16 + 208) + 1024);
    assert_non_null(l.begin);
    l.head = skip_make(&l, SKIP_HEIGHT, 0);
    double t0 = cpu_ns();
    for (size_t i = 0; i < count; i++)
        skip_add(&l, p.items[i].sequence, p.items[i].key, p.items[i].value);
    double t1 = cpu_ns();
    struct memtable *m;
    assert_int_equal(memtable_create(&allocator_system, &m), 0);
    double t2 = cpu_ns();
    for (size_t i = 0; i < count; i++) add(m, &p.items[i]);
    double t3 = cpu_ns();
    struct lsm_iterator *it;
    assert_int_equal(memtable_iterate(m, &allocator_system, &it), 0);
    assert_int_equal(lsm_iterator_first(it), 0);
    for (struct skip_node *n = l.head->next[0]; n; n = n->next[0]) {
        assert_true(it->is_valid && it->sequence == n->sequence);
        assert_true(bytes_equal(it->key, bytes_of(skip_data(n), n->key_size)));
        assert_true(
            bytes_equal(it->value, bytes_of(skip_data(n) + n->key_size, n->value_size)));
        assert_int_equal(lsm_iterator_next(it), 0);
    }
    assert_false(it->is_valid);
    double t4 = cpu_ns();
    uint64_t sum = 0, sum_skip = 0; /* of the last byte of each key: it is touched */
    for (struct skip_node *n = l.head->next[0]; n; n = n->next[0]) sum_skip += skip_data(n)[15];
    double t5 = cpu_ns();
    for (lsm_iterator_first(it); it->is_valid; lsm_iterator_next(it))
        sum += ((const unsigned char *)it->key.data)[15];
    double t6 = cpu_ns(), n = (double)count;
    assert_int_equal(sum, sum_skip);
    printf("%zu entries: insertion %.0f ns (skip list %.0f), scan %.1f ns (skip list %.1f)\n",
           count, (t3 - t2) / n, (t1 - t0) / n, (t6 - t5) / n, (t5 - t4) / n);
    lsm_iterator_destroy(it);
    memtable_destroy(m);
    free(l.begin);
    parts_free(&p);
}

static void test_ascending_and_descending_keys_fill_nodes(void **state)
{
    (void)state;
    uint64_t memory[3];
    for (int order = 0; order < 3; order++) {
        struct memtable *m;
        assert_int_equal(memtable_create(&allocator_system, &m), 0);
        for (uint64_t i = 0; i < 20000; i++) {
            char key[24];
            uint64_t number = order == 0   ? i
                              : order == 1 ? 20000 - i
                                           : i * UINT64_C(2654435761) % 20000;
            snprintf(key, sizeof(key), "%016llu", (unsigned long long)number);
            assert_int_equal(memtable_reserve(m, 1, 16), 0);
            memtable_add(m, i + 1, false, bytes_of(key, 16), bytes_of(NULL, 0));
        }
        assert_fine(m);
        memory[order] = memtable_memory(m);
        memtable_destroy(m);
    }
    /* 32 bytes an entry, and 17 of a full leaf for it; beside it chunks that are not full. */
    assert_in_range(memory[0], 20000 * 49, 20000 * 54);
    assert_in_range(memory[1], 20000 * 49, 20000 * 54);
    assert_in_range(memory[2], 20000 * 58, 20000 * 68);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memtable_returns_what_was_added),
        cmocka_unit_test(test_iterator_stays_valid_while_entries_come_in),
        cmocka_unit_test(test_reserved_adds_never_allocate),
        cmocka_unit_test(test_failed_reserve_changes_nothing),
        cmocka_unit_test(test_memtable_holds_what_a_skip_list_holds),
        cmocka_unit_test(test_ascending_and_descending_keys_fill_nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
