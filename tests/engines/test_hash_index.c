/* Goal: the index of the hash engine finds exactly what was put in, in the memory that its
 * essay states and with at most one read of the disk. Method: the keydir alone against an array
 * of keys, among them some of one tag, which are searched for; then the engine on the simulated
 * disk in both layouts, its calls counted by the spy and its memory by the heap under it.
 */
#include "tests/engines/harness.h"

#include "engines/storage/hash/hash.h"
#include "engines/storage/hash/hash_internal.h"

static struct hash_options options_of(int layout)
{
    struct hash_options o;
    assert_int_equal(
        options_default(engine_hash.options, engine_hash.options_count, &o, sizeof(o)), 0);
    o.index = layout;
    return o;
}

/* ---- keys of one tag ---- */

#define TWINS 12

/* The first keys whose hashes end in the same 15 bits, and begin with the same 3: in a small
 * table they stand in one run. */
static void find_twins(uint32_t keys[TWINS])
{
    uint64_t wanted = 0;
    size_t found = 0;
    for (uint32_t i = 0; found < TWINS; i++) {
        unsigned char key[4];
        put_u32(key, i);
        uint64_t h = bytes_hash(bytes_of(key, 4), 0);
        uint64_t place = (h & 0x7fff) | (h >> 61) << 15;
        if (i == 0) wanted = place;
        if (place == wanted) keys[found++] = i;
    }
}

/* ---- the keydir against an array ---- */

#define MODEL_KEYS 600

struct model {
    uint32_t key[MODEL_KEYS];
    uint32_t offset[MODEL_KEYS]; /* 0: not there */
};

static struct bytes model_key(const struct model *m, size_t i, unsigned char buffer[40])
{
    put_u32(buffer, m->key[i]);
    memset(buffer + 4, 'k', 36);
    return bytes_of(buffer,
                    i % 3 ? 4 : 4 + i % 36); /* the first TWINS are 4 bytes, see below */
}

static void check_keydir(const struct keydir *keydir, const struct model *m)
{
    size_t count = 0;
    for (size_t i = 0; i < MODEL_KEYS; i++) {
        unsigned char buffer[40];
        struct bytes key = i < TWINS ? bytes_of((put_u32(buffer, m->key[i]), buffer), 4)
                                     : model_key(m, i, buffer);
        uint64_t h = bytes_hash(key, 0);
        const struct keydir_slot *slot = hash_keydir_find(keydir, h, key);
        assert_int_equal(slot != NULL, m->offset[i] != 0);
        if (!slot) continue;
        count++;
        assert_int_equal(slot->offset, m->offset[i]);
        assert_int_equal(keydir_slot_value_size(slot), m->offset[i] % 1000);
        assert_true(bytes_equal(hash_keydir_key(keydir, slot), key));
        /* Of a key that is there the guess is never another's. */
        assert_ptr_equal(hash_keydir_guess(keydir, h, key), slot);
    }
    assert_int_equal(keydir->count, count);
}

static void test_the_keydir_finds_what_was_put_and_never_guesses_wrong(void **state)
{
    (void)state;
    struct heap heap;
    struct model m = {0};
    struct rng rng;
    uint32_t twins[TWINS];
    heap_init(&heap);
    rng_init(&rng, env_u64("SEED", 1), "test.hash", "keydir", NULL);
    find_twins(twins);
    for (size_t i = 0; i < MODEL_KEYS; i++)
        m.key[i] = i < TWINS ? twins[i] : 1000000000u + (uint32_t)i;
    struct keydir keydir = {.allocator = &heap.allocator};
    uint64_t steps = test_scaled(30000, 1000000);
    for (uint64_t step = 1; step <= steps; step++) {
        unsigned char buffer[40];
        uint64_t population = step / 2000 % 2 ? MODEL_KEYS : 3 * TWINS;
        size_t i = (size_t)rng_below(&rng, population);
        struct bytes key = i < TWINS ? bytes_of((put_u32(buffer, m.key[i]), buffer), 4)
                                     : model_key(&m, i, buffer);
        uint64_t h = bytes_hash(key, 0);
        struct keydir_slot old;
        uint64_t action = rng_below(&rng, 100);
        if (action < 50) {
            struct keydir_room room = {1, key.size, key.size};
            assert_int_equal(hash_keydir_reserve(&keydir, &room), 0);
            bool replaced = hash_keydir_put(&keydir, h, key, 7, (uint32_t)step,
                                            (uint32_t)step % 1000, &old);
            assert_int_equal(replaced, m.offset[i] != 0);
            if (replaced) assert_int_equal(old.offset, m.offset[i]);
            m.offset[i] = (uint32_t)step;
        } else if (action < 60) {
            /* As an early put does: what it took is the key's, or is given back. */
            if (hash_keydir_replace(&keydir, h, 7, (uint32_t)step, (uint32_t)step % 1000,
                                    &old)) {
                if (bytes_equal(hash_keydir_key(&keydir, &old), key)) {
                    assert_int_equal(old.offset, m.offset[i]);
                    m.offset[i] = (uint32_t)step;
                } else {
                    assert_int_equal(m.offset[i], 0); /* a key that is there is not missed */
                    hash_keydir_restore(&keydir, h, &old);
                }
            }
        } else if (action < 70 && m.offset[i]) {
            assert_false(hash_keydir_repoint(&keydir, h, 8, m.offset[i], 9, 1));
            assert_true(hash_keydir_repoint(&keydir, h, 7, m.offset[i], 7, m.offset[i]));
        } else {
            bool removed = hash_keydir_remove(&keydir, h, key, &old);
            assert_int_equal(removed, m.offset[i] != 0);
            m.offset[i] = 0;
        }
        if (step % 97 == 0) hash_keydir_tidy(&keydir, step % 194 == 0);
        if (step % 61 == 0) check_keydir(&keydir, &m);
        assert_int_equal(hash_keydir_memory(&keydir), heap.bytes);
    }
    hash_keydir_deinit(&keydir);
    assert_int_equal(heap.bytes, 0);
}

static void put_number(struct engine *e, uint32_t number, const char *value)
{
    unsigned char key[4];
    put_u32(key, number);
    assert_int_equal(engine_put(e, bytes_of(key, 4), bytes_string(value), &allocator_system,
                                ENGINE_NO_SYNC, 0),
                     0);
}

/* Every order in which keys of one tag come and go: the early put takes the other's slot, and
 * gives it back. */
static void test_keys_of_one_tag_do_not_disturb_each_other(void **state)
{
    (void)state;
    struct world w;
    struct hash_options options = options_of(0);
    struct buffer out = {.allocator = &allocator_system};
    struct engine_stats s;
    uint32_t twins[TWINS];
    find_twins(twins);
    world_init(&w, WORLD_DISK, 1);
    struct engine *e = world_open(&w, &engine_hash, &options);
    for (uint32_t bits = 0; bits < 1u << 6; bits++) {
        struct engine_batch clear = {.allocator = &allocator_system};
        for (uint32_t i = 0; i < TWINS; i++) {
            unsigned char key[4];
            put_u32(key, twins[i]);
            engine_batch_delete(&clear, bytes_of(key, 4));
        }
        assert_int_equal(engine_write(e, &clear, ENGINE_NO_SYNC, 0), 0);
        engine_batch_deinit(&clear);
        uint64_t live = 0;
        for (uint32_t i = 0; i < 6; i++)
            if (bits >> i & 1) {
                put_number(e, twins[i], "old");
                put_number(e, twins[i], "new value");
                live++;
            }
        engine_stats(e, &s);
        assert_int_equal(s.live_keys, live);
        assert_int_equal(s.live_bytes, live * (4 + 9));
        for (uint32_t i = 0; i < 6; i++) {
            unsigned char key[4];
            put_u32(key, twins[i]);
            spy_counts_clear(&w.spy);
            int err = engine_get(e, bytes_of(key, 4), &out);
            assert_int_equal(err, bits >> i & 1 ? 0 : -ENOENT);
            if (!err) assert_true(bytes_equal(buffer_bytes(&out), BYTES_LITERAL("new value")));
            assert_true(w.spy.calls[SPY_READ] <= 1);
        }
    }
    buffer_deinit(&out);
    world_deinit(&w);
}

/* ---- memory ---- */

#define KEY_SIZE 16u
#define STATED 48u        /* bytes a key beyond the key, in keydir.c */
#define FIXED (64u << 10) /* an idle instance */

static struct bytes numbered_key(uint64_t number, char key[40])
{
    snprintf(key, 40, "%016llu", (unsigned long long)number);
    return bytes_of(key, KEY_SIZE);
}

static void fill(struct engine *e, uint64_t from, uint64_t to, bool is_delete)
{
    struct engine_batch batch = {.allocator = &allocator_system};
    char key[40];
    for (uint64_t i = from; i < to; i++) {
        if (is_delete)
            engine_batch_delete(&batch, numbered_key(i, key));
        else
            engine_batch_put(&batch, numbered_key(i, key), BYTES_LITERAL("v"));
        if (batch.count < 200 && i + 1 < to) continue;
        assert_int_equal(engine_write(e, &batch, ENGINE_NO_SYNC, 0), 0);
        engine_batch_clear(&batch);
    }
    engine_batch_deinit(&batch);
}

/* The most that any size takes a key; memory_bytes is all that the heap has given. */
static double check_memory(struct world *w)
{
    struct engine_stats s;
    engine_stats(w->engine, &s);
    assert_int_equal(s.memory_bytes, w->heap.bytes);
    uint64_t beyond = s.memory_bytes - s.live_keys * KEY_SIZE;
    if (beyond > s.live_keys * STATED + FIXED)
        fail_msg("%llu keys take %llu bytes beyond themselves", (unsigned long long)s.live_keys,
                 (unsigned long long)beyond);
    return beyond > FIXED ? (double)(beyond - FIXED) / (double)s.live_keys : 0;
}

static void test_a_key_takes_at_most_48_bytes_beyond_itself(void **state)
{
    (void)state;
    struct world w;
    struct hash_options options = options_of(0);
    uint64_t most = test_scaled(60000, 1000000);
    double worst = 0;
    world_init(&w, WORLD_DISK, 1);
    world_open(&w, &engine_hash, &options);
    /* Also just behind every doubling, where a table is widest. */
    for (uint64_t n = 0, step; n < most; n += step) {
        step = n < 2000 ? 200 : n / 40 / 200 * 200 + 200;
        fill(w.engine, n, n + step, false);
        double beyond = check_memory(&w);
        if (beyond > worst) worst = beyond;
    }
    world_reopen(&w);
    double reopened = check_memory(&w);
    /* Half of them go and others come: what is freed is used again. */
    for (uint64_t round = 0; round < 4; round++) {
        fill(w.engine, round * most / 8, (round + 1) * most / 8, true);
        check_memory(&w);
        fill(w.engine, (10 + round) * most, (10 + round) * most + most / 8, false);
        check_memory(&w);
    }
    fill(w.engine, 0, most + most / 40 + 200, true);
    for (uint64_t round = 0; round < 4; round++)
        fill(w.engine, (10 + round) * most, (10 + round) * most + most / 8, true);
    assert_true(w.heap.bytes < 2 * FIXED); /* all gone: so is the memory */
    print_message("at most %.1f bytes a key beyond the key and %u; %.1f after a reopen\n",
                  worst, FIXED, reopened);
    world_deinit(&w);
}

/* The same on real files, keys in random order, with the merges that overwriting asks for. */
static void test_ten_million_keys_take_the_stated_memory_on_real_files(void **state)
{
    (void)state;
    struct world w;
    struct hash_options options = options_of(0);
    struct buffer out = {.allocator = &allocator_system};
    struct engine_batch batch = {.allocator = &allocator_system};
    uint64_t count = test_scaled(100000, 10000000), puts = count + count / 4;
    double worst = 0;
    char key[40], value[40];
    if (count < 10000) count = 10000, puts = 12500;
    if (count < 1000000) options.segment_bytes = 1 << 20;
    world_init(&w, WORLD_REAL, 1);
    world_open(&w, &engine_hash, &options);
    for (uint64_t i = 0; i < puts; i++) {
        uint64_t k = i * UINT64_C(2654435761) % count; /* each once, then a quarter again */
        snprintf(value, sizeof(value), "value %016llu", (unsigned long long)k);
        engine_batch_put(&batch, numbered_key(k, key), bytes_string(value));
        if (batch.count < 100 && i + 1 < puts) continue;
        bool more;
        assert_int_equal(engine_write(w.engine, &batch, ENGINE_NO_SYNC, 0), 0);
        assert_int_equal(engine_maintain(w.engine, 64 << 10, 0, &more), 0);
        engine_batch_clear(&batch);
        if (i % (count / 50) >= 100 && i + 1 < puts) continue;
        struct engine_stats s;
        engine_stats(w.engine, &s);
        uint64_t beyond = w.heap.bytes - s.live_keys * KEY_SIZE;
        /* A merge under way keeps 32 bytes a live record of its inputs (hash.c, LIMITS). */
        uint64_t moves = s.memory_bytes - hash_index_memory((struct hash_engine *)w.engine);
        if (beyond > s.live_keys * STATED + FIXED + moves)
            fail_msg("%llu keys take %llu bytes beyond themselves, a merge %llu",
                     (unsigned long long)s.live_keys, (unsigned long long)beyond,
                     (unsigned long long)moves);
        if (s.live_keys >= count / 10 && beyond - moves > FIXED)
            worst = worst > (double)(beyond - moves) / (double)s.live_keys
                        ? worst
                        : (double)(beyond - moves) / (double)s.live_keys;
    }
    bool more = true;
    while (more) assert_int_equal(engine_maintain(w.engine, 1 << 20, 0, &more), 0);
    size_t most = w.heap.bytes_most;
    world_reopen(&w);
    double reopened = check_memory(&w);
    for (uint64_t k = 0; k < count; k += 1 + count / 10007) {
        snprintf(value, sizeof(value), "value %016llu", (unsigned long long)k);
        assert_int_equal(engine_get(w.engine, numbered_key(k, key), &out), 0);
        assert_true(bytes_equal(buffer_bytes(&out), bytes_string(value)));
    }
    struct engine_stats s;
    engine_stats(w.engine, &s);
    assert_int_equal(s.live_keys, count);
    print_message(
        "%llu keys: at most %.1f bytes beyond each, %.1f after a reopen (stated: %u); "
        "%zu bytes at the most with merges and doublings\n",
        (unsigned long long)count, worst, reopened, STATED, most);
    assert_true(worst <= STATED);
    buffer_deinit(&out);
    engine_batch_deinit(&batch);
    world_deinit(&w);
}

static void test_an_index_a_segment_says_what_memory_it_takes(void **state)
{
    (void)state;
    struct world w;
    struct hash_options options = options_of(1);
    struct engine_stats s;
    bool more = true;
    options.segment_bytes = 16384;
    world_init(&w, WORLD_DISK, 1);
    world_open(&w, &engine_hash, &options);
    for (int round = 0; round < 5; round++) {
        fill(w.engine, 0, 2000, false);
        fill(w.engine, (uint64_t)round * 100, (uint64_t)round * 100 + 50, true);
        engine_stats(w.engine, &s);
        assert_int_equal(s.memory_bytes, w.heap.bytes);
    }
    uint64_t before = s.memory_bytes;
    while (more) {
        assert_int_equal(engine_maintain(w.engine, 4000, 0, &more), 0);
        engine_stats(w.engine, &s);
        assert_int_equal(s.memory_bytes, w.heap.bytes);
    }
    assert_true(s.memory_bytes < before / 2); /* a merge takes the superseded entries out */
    world_deinit(&w);
}

/* ---- calls ---- */

static void test_a_get_reads_the_disk_once_and_a_miss_not_at_all(void **state)
{
    (void)state;
    for (int layout = 0; layout < 2; layout++) {
        struct world w;
        struct hash_options options = options_of(layout);
        struct buffer out = {.allocator = &allocator_system};
        char key[40];
        uint64_t misses_read = 0;
        options.segment_bytes = 16384;
        world_init(&w, WORLD_DISK, 1);
        world_open(&w, &engine_hash, &options);
        fill(w.engine, 0, 3000, false);
        fill(w.engine, 500, 600, true);
        fill(w.engine, 1000, 2500, false);
        for (int pass = 0; pass < 2; pass++) {
            for (uint64_t i = 0; i < 3000; i++) {
                spy_counts_clear(&w.spy);
                int err = engine_get(w.engine, numbered_key(i, key), &out);
                assert_int_equal(err, i >= 500 && i < 600 ? -ENOENT : 0);
                if (!err) assert_int_equal(w.spy.calls[SPY_READ], 1);
                spy_counts_clear(&w.spy);
                numbered_key(i, key);
                key[KEY_SIZE - 1] = 'x';
                assert_int_equal(engine_get(w.engine, bytes_of(key, KEY_SIZE), &out), -ENOENT);
                assert_true(w.spy.calls[SPY_READ] <= 1);
                misses_read += w.spy.calls[SPY_READ];
            }
            bool more = true;
            while (more) assert_int_equal(engine_maintain(w.engine, 4000, 0, &more), 0);
        }
        /* A tag of 15 bits lies once in some ten thousand misses. */
        assert_true(misses_read <= (layout ? 0 : 10));
        buffer_deinit(&out);
        world_deinit(&w);
    }
}

static void test_a_synced_put_is_one_write_one_sync_and_at_most_64_bytes_more(void **state)
{
    (void)state;
    for (int layout = 0; layout < 2; layout++) {
        struct world w;
        struct hash_options options = options_of(layout);
        char key[40], value[100];
        uint64_t puts = 2000, payload = 0, bytes = 0, writes = 0;
        memset(value, 'v', sizeof(value));
        world_init(&w, WORLD_DISK, 1);
        world_open(&w, &engine_hash, &options);
        spy_counts_clear(&w.spy);
        for (uint64_t i = 0; i < puts; i++) {
            struct bytes k = numbered_key(i * 7919 % puts, key);
            assert_int_equal(engine_put(w.engine, k, bytes_of(value, sizeof(value)),
                                        &allocator_system, ENGINE_SYNC, 0),
                             0);
            payload += k.size + sizeof(value);
        }
        for (int p = 0; p < VFS_PURPOSES; p++) {
            bytes += w.spy.written_bytes[p];
            writes += w.spy.writes[p];
        }
        assert_int_equal(w.spy.calls[SPY_SYNC], puts);
        assert_int_equal(w.spy.calls[SPY_SYNC_DIR], 0);
        assert_true(writes <= puts + puts / 500); /* a block of hints now and then */
        assert_true(bytes <= payload + 64 * puts);
        world_deinit(&w);
    }
}

/* A put takes a slot of its tag before it has seen whose that is, and the next write is under
 * way when it finds out: with the table or the keys' memory growing just then, with other keys
 * of the tag before and behind it, with and without a slice of maintenance between. */
static void test_puts_in_a_row_of_keys_of_one_tag_do_not_disturb_each_other(void **state)
{
    (void)state;
    uint32_t keys[TWINS];
    unsigned char key[4], value[4];
    struct hash_options options = options_of(INDEX_KEYDIR);
    options.segment_bytes = 2048;
    find_twins(keys);
    for (uint32_t fillers = 0; fillers < 130; fillers++) {
        struct world w;
        struct oracle oracle = {0};
        struct engine_stats stats;
        world_init(&w, WORLD_DISK, 1);
        world_open(&w, &engine_hash, &options);
        for (uint32_t i = 0; i < fillers + 5 * TWINS; i++) {
            bool more = true;
            put_u32(key, i < fillers ? UINT32_C(0xf0000000) + i : keys[i * 7 % TWINS]);
            put_u32(value, i);
            assert_int_equal(engine_put(w.engine, bytes_of(key, 4), bytes_of(value, 4),
                                        &allocator_system, ENGINE_NO_SYNC, 0),
                             0);
            oracle_put(&oracle, bytes_of(key, 4), bytes_of(value, 4));
            if (i % 3) assert_int_equal(engine_maintain(w.engine, 300, 0, &more), 0);
        }
        engine_stats(w.engine, &stats);
        assert_int_equal(stats.live_keys, fillers + TWINS);
        assert_int_equal(stats.live_bytes, 8 * (fillers + TWINS));
        assert_int_equal(oracle_compare(&oracle, w.engine), 0);
        world_close(&w);
        world_open(&w, &engine_hash, &options);
        assert_int_equal(oracle_compare(&oracle, w.engine), 0);
        oracle_deinit(&oracle);
        world_deinit(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_keydir_finds_what_was_put_and_never_guesses_wrong),
        cmocka_unit_test(test_keys_of_one_tag_do_not_disturb_each_other),
        cmocka_unit_test(test_puts_in_a_row_of_keys_of_one_tag_do_not_disturb_each_other),
        cmocka_unit_test(test_a_key_takes_at_most_48_bytes_beyond_itself),
        cmocka_unit_test(test_ten_million_keys_take_the_stated_memory_on_real_files),
        cmocka_unit_test(test_an_index_a_segment_says_what_memory_it_takes),
        cmocka_unit_test(test_a_get_reads_the_disk_once_and_a_miss_not_at_all),
        cmocka_unit_test(test_a_synced_put_is_one_write_one_sync_and_at_most_64_bytes_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
