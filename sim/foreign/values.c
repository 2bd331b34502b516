/* Most values of a recorded history are numbers, given out one by one: 1, 2, 3. They are found
 * in an array by the number itself (the near table, which grows while numbers are no larger
 * than a few times the count of values), where the next one is beside the last in memory. What
 * is there under another key already, or is far, stands in a hash table; text is interned.
 *
 *   V1  A (key, number) stands in the near table or in the hash table, never in both: a near
 *       place is taken only when the hash table does not hold the pair.
 *
 * An id finds its number in numbers[]; text has the number TEXT_BASE + its place in the texts,
 * and numbers that low are treated as text.
 */
#include "sim/foreign/values.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/kernel/arena.h"
#include "sim/kernel/check.h"
#include "sim/kernel/random.h"
#include "sim/record/names.h"

#define TEXT_BASE INT64_MIN
#define TEXT_PLACES (INT64_C(1) << 32)
#define NEAR_FACTOR 4
#define NEAR_LEAST 4096

struct near_place {
    uint32_t key, id; /* id 0: free */
};
struct far_place {
    int64_t number;
    uint32_t key, id;
};

struct value_table {
    struct near_place *near_places;
    uint64_t near_size;
    struct far_place *far_places;
    uint64_t far_mask, far_count;
    struct history_names *texts; /* key, then text */
    uint32_t *text_ids;          /* [texts] */
    size_t text_ids_capacity;
    int64_t *numbers; /* [id - 1] */
    size_t count, capacity;
    char *scratch;
    size_t scratch_capacity;
};

struct value_table *values_create(void)
{
    struct value_table *table = xcalloc(1, sizeof *table);
    table->far_mask = 255;
    table->far_places = xcalloc(table->far_mask + 1, sizeof *table->far_places);
    table->texts = names_create();
    return table;
}

void values_destroy(struct value_table *table)
{
    if (!table) return;
    names_destroy(table->texts);
    free(table->near_places);
    free(table->far_places);
    free(table->text_ids);
    free(table->numbers);
    free(table->scratch);
    free(table);
}

static uint32_t id_new(struct value_table *table, int64_t number)
{
    if (table->count == table->capacity) {
        table->capacity = table->capacity ? table->capacity * 2 : 1024;
        table->numbers = xrealloc(table->numbers, table->capacity * sizeof *table->numbers);
    }
    CHECK(table->count < UINT32_MAX - 1);
    table->numbers[table->count] = number;
    return (uint32_t)++table->count;
}

/* ---- numbers ---- */

static struct far_place *far_find(const struct value_table *table, uint32_t key, int64_t number)
{
    uint64_t place = mix64((uint64_t)number + ((uint64_t)key << 32)) & table->far_mask;
    while (table->far_places[place].id &&
           (table->far_places[place].number != number || table->far_places[place].key != key))
        place = (place + 1) & table->far_mask;
    return &table->far_places[place];
}

static void far_grow(struct value_table *table)
{
    struct far_place *old = table->far_places;
    uint64_t size = table->far_mask + 1;
    table->far_mask = size * 2 - 1;
    table->far_places = xcalloc(size * 2, sizeof *table->far_places);
    for (uint64_t i = 0; i < size; i++)
        if (old[i].id) *far_find(table, old[i].key, old[i].number) = old[i];
    free(old);
}

static void near_grow(struct value_table *table, uint64_t number)
{
    uint64_t size = table->near_size ? table->near_size : NEAR_LEAST;
    while (size <= number) size *= 2;
    table->near_places = xrealloc(table->near_places, size * sizeof *table->near_places);
    memset(table->near_places + table->near_size, 0,
           (size - table->near_size) * sizeof *table->near_places);
    table->near_size = size;
}

uint64_t values_of_number(struct value_table *table, uint32_t key, int64_t number)
{
    if (number < TEXT_BASE + TEXT_PLACES) {
        char text[24];
        int size = snprintf(text, sizeof text, "%" PRId64, number);
        return values_of_text(table, key, text, (size_t)size);
    }
    struct near_place *near_place = NULL;
    if ((uint64_t)number < table->near_size) {
        near_place = &table->near_places[number];
        if (near_place->id && near_place->key == key) return near_place->id;
    }
    struct far_place *far_place = NULL;
    if (table->far_count) {
        far_place = far_find(table, key, number);
        if (far_place->id) return far_place->id;
    }
    uint32_t id = id_new(table, number);
    if (!near_place && (uint64_t)number < table->count * NEAR_FACTOR + NEAR_LEAST) {
        near_grow(table, (uint64_t)number);
        near_place = &table->near_places[number];
    }
    if (near_place && !near_place->id) { /* V1 */
        *near_place = (struct near_place){key, id};
        return id;
    }
    if (!far_place) far_place = far_find(table, key, number);
    *far_place = (struct far_place){number, key, id};
    if (++table->far_count * 2 > table->far_mask) far_grow(table);
    return id;
}

bool number_canonical(const char *text, size_t size, int64_t *number)
{
    size_t sign = size && *text == '-';
    uint64_t value = 0;
    if (size == sign || size - sign > 18 || (text[sign] == '0' && size > 1)) return false;
    for (size_t i = sign; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *number = sign ? -(int64_t)value : (int64_t)value;
    return true;
}

/* ---- text ---- */

uint64_t values_of_text(struct value_table *table, uint32_t key, const char *text, size_t size)
{
    if (table->scratch_capacity < size + sizeof key) {
        table->scratch_capacity = (size + sizeof key) * 2;
        table->scratch = xrealloc(table->scratch, table->scratch_capacity);
    }
    memcpy(table->scratch, &key, sizeof key);
    if (size) memcpy(table->scratch + sizeof key, text, size);
    uint32_t known = names_count(table->texts);
    uint32_t place = names_intern(table->texts, table->scratch, size + sizeof key);
    if (place < known) return table->text_ids[place];
    if (place == table->text_ids_capacity) {
        table->text_ids_capacity = table->text_ids_capacity ? table->text_ids_capacity * 2 : 64;
        table->text_ids =
            xrealloc(table->text_ids, table->text_ids_capacity * sizeof *table->text_ids);
    }
    table->text_ids[place] = id_new(table, TEXT_BASE + (int64_t)place);
    return table->text_ids[place];
}

uint64_t values_count(const struct value_table *table)
{
    return table->count;
}

const char *values_name(const struct value_table *table, uint64_t id)
{
    static char ring[16][24];
    static unsigned next;
    int64_t number = table->numbers[id - 1];
    if (number < TEXT_BASE + TEXT_PLACES)
        return names_text(table->texts, (uint32_t)(number - TEXT_BASE), NULL) +
               sizeof(uint32_t);
    char *out = ring[next++ % 16];
    snprintf(out, sizeof ring[0], "%" PRId64, number);
    return out;
}
