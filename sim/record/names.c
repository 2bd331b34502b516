/* Interned text: an open-addressed table of numbers over an array of texts.
 *
 * Texts stand in blocks of 64 KiB (longer ones in a block of their own) that never move, so
 * names_text may be kept. The table is at most half full and is rebuilt at twice the size; it
 * is never iterated, so its order can leak nowhere.
 */
#include "sim/record/names.h"

#include <stdlib.h>
#include <string.h>

#include "sim/kernel/arena.h"
#include "sim/kernel/check.h"
#include "sim/kernel/random.h"

#define BLOCK_SIZE 65536u
#define HASH_SEED UINT64_C(0x6e616d6573) /* any constant: equal in every run */

struct name {
    const char *text;
    uint64_t hash;
    size_t size;
};
struct block {
    struct block *next;
    char data[];
};

struct history_names {
    struct name *items;
    uint32_t count, capacity;
    uint32_t *table;
    uint32_t mask; /* id + 1; 0: free */
    struct block *blocks;
    size_t block_left;
    char *block_at;
};

struct history_names *names_create(void)
{
    struct history_names *names = xcalloc(1, sizeof *names);
    names->mask = 1023;
    names->table = xcalloc(names->mask + 1, sizeof *names->table);
    return names;
}

void names_destroy(struct history_names *names)
{
    if (!names) return;
    while (names->blocks) {
        struct block *next = names->blocks->next;
        free(names->blocks);
        names->blocks = next;
    }
    free(names->items);
    free(names->table);
    free(names);
}

static char *text_alloc(struct history_names *names, size_t size)
{
    if (size > names->block_left) {
        size_t want = size > BLOCK_SIZE ? size : BLOCK_SIZE;
        struct block *block = xmalloc(sizeof *block + want);
        block->next = names->blocks;
        names->blocks = block;
        names->block_at = block->data;
        names->block_left = want;
    }
    char *text = names->block_at;
    names->block_at += size;
    names->block_left -= size;
    return text;
}

static void table_grow(struct history_names *names)
{
    uint32_t mask = names->mask * 2 + 1;
    free(names->table);
    names->table = xcalloc((size_t)mask + 1, sizeof *names->table);
    names->mask = mask;
    for (uint32_t id = 0; id < names->count; id++) {
        uint32_t place = (uint32_t)names->items[id].hash & mask;
        while (names->table[place]) place = (place + 1) & mask;
        names->table[place] = id + 1;
    }
}

uint32_t names_intern(struct history_names *names, const char *text, size_t size)
{
    uint64_t hash = hash_bytes(text, size, HASH_SEED);
    uint32_t place = (uint32_t)hash & names->mask;
    for (; names->table[place]; place = (place + 1) & names->mask) {
        const struct name *name = &names->items[names->table[place] - 1];
        if (name->hash == hash && name->size == size &&
            (size == 0 || memcmp(name->text, text, size) == 0))
            return names->table[place] - 1;
    }
    CHECK(names->count < UINT32_MAX / 4);
    if (names->count == names->capacity) {
        names->capacity = names->capacity ? names->capacity * 2 : 256;
        names->items = xrealloc(names->items, names->capacity * sizeof *names->items);
    }
    char *copy = text_alloc(names, size + 1);
    if (size) memcpy(copy, text, size);
    copy[size] = '\0';
    names->items[names->count] = (struct name){copy, hash, size};
    names->table[place] = names->count + 1;
    uint32_t id = names->count++;
    if (names->count * 2 > names->mask) table_grow(names);
    return id;
}

const char *names_text(const struct history_names *names, uint32_t id, size_t *size)
{
    CHECK(id < names->count);
    if (size) *size = names->items[id].size;
    return names->items[id].text;
}

uint32_t names_count(const struct history_names *names)
{
    return names->count;
}
