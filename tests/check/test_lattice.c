/* Goal: keys and clients stand where their own operations put them (lattice.c). Method: histories
 * by hand in which one key or one client is worse off than the rest, and random ones in which
 * no part may be worse than the whole.
 */
#include "tests/check/small_history.h"

#include "sim/check/lattice.h"

static uint32_t bit(const char *model)
{
    return 1u << (model_find(model) - model_table);
}

static const struct lattice_place *place_of(const struct lattice_parts *parts, uint32_t id)
{
    for (uint32_t i = 0; i < parts->places_count; i++)
        for (uint32_t n = 0; n < parts->places[i].count; n++)
            if (parts->places[i].ids[n] == id) return &parts->places[i];
    fail_msg("part %u stands nowhere", id);
    return NULL;
}

/* p0 writes 1 and 2 to key 0 and 3 to key 1; p1 reads 1 too late, p2 reads all as it should. */
static void stale(struct case_ *c)
{
    static const struct {
        uint32_t process, key;
        enum op_kind kind;
        uint64_t value;
    } did[] = {{0, 0, OP_WRITE, 1}, {0, 0, OP_WRITE, 2}, {0, 1, OP_WRITE, 3},
               {1, 0, OP_READ, 1},  {2, 0, OP_READ, 2},  {2, 1, OP_READ, 3}};
    memset(c, 0, sizeof *c);
    c->ops = (struct ops){.items = c->items,
                          .count = sizeof did / sizeof *did,
                          .keys = KEYS,
                          .processes = 3,
                          .values = OPS_MAX + 2,
                          .has_real_time = true};
    for (size_t i = 0; i < c->ops.count; i++)
        c->items[i] = (struct op){.process = did[i].process,
                                  .key = did[i].key,
                                  .kind = (uint8_t)did[i].kind,
                                  .value = did[i].value,
                                  .line = (uint32_t)i + 1,
                                  .invoke = 10 * (int64_t)i,
                                  .complete = 10 * (int64_t)i + 5};
}

static void test_one_key_and_one_client_are_worse_off(void **state)
{
    (void)state;
    struct case_ c;
    struct lattice_parts parts;
    stale(&c);
    lattice_judge_parts(&parts, &c.ops, NULL, LATTICE_BY_KEY);
    assert_int_equal(parts.places_count, 2);
    assert_int_equal(place_of(&parts, 0)->strongest, bit("sequential"));
    assert_int_equal(place_of(&parts, 1)->strongest, bit("linearizable"));
    lattice_parts_deinit(&parts);
    lattice_judge_parts(&parts, &c.ops, NULL, LATTICE_BY_CLIENT);
    assert_int_equal(parts.places_count, 2);
    assert_int_equal(parts.places[0].count, 2); /* the fullest first */
    assert_int_equal(place_of(&parts, 0)->strongest, bit("linearizable"));
    assert_int_equal(place_of(&parts, 1)->strongest, bit("sequential"));
    assert_int_equal(place_of(&parts, 2)->strongest, bit("linearizable"));
    assert_int_equal(parts.unjudged, 0);
    lattice_parts_deinit(&parts);
}

/* The models that hold, from the strongest ones down. */
static uint32_t held(uint32_t strongest)
{
    for (uint32_t m = 0; model_table[m].name; m++)
        for (const char *const *name = model_table[m].implies; strongest >> m & 1 && *name;
             name++)
            strongest |= bit(*name);
    return strongest;
}

static void test_no_part_is_worse_than_the_whole(void **state)
{
    (void)state;
    struct rng rng;
    struct case_ c;
    uint64_t differ = 0, histories = test_scaled(800, 50000);
    rng_init(&rng, 1, "test.lattice", "parts", NULL);
    for (uint64_t n = 0; n < histories; n++) {
        struct lattice whole;
        uint32_t strongest = 0;
        make(&c, &rng);
        c.ops.has_real_time = true;
        lattice_judge(&whole, &c.ops, NULL);
        for (uint32_t i = 0; i < whole.strongest_count; i++)
            strongest |= 1u << whole.strongest[i];
        for (int by = LATTICE_BY_KEY; by <= LATTICE_BY_CLIENT; by++) {
            struct lattice_parts parts;
            lattice_judge_parts(&parts, &c.ops, NULL, (enum lattice_part)by);
            for (uint32_t i = 0; i < parts.places_count; i++) {
                uint32_t lost = held(strongest) & ~held(parts.places[i].strongest);
                if (lost) say(&c);
                assert_int_equal(lost, 0);
                differ += parts.places[i].strongest != strongest;
            }
            lattice_parts_deinit(&parts);
        }
        lattice_deinit(&whole);
    }
    assert_true(differ > histories / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_key_and_one_client_are_worse_off),
        cmocka_unit_test(test_no_part_is_worse_than_the_whole),
    };
    return cmocka_run_group_tests_name("lattice", tests, NULL, NULL);
}
