/* The allocation map: which pages of the file are taken.
 *
 * The file is divided into groups of as many pages as one map page has bits. The first two
 * pages of a group (in group 0: after the head of the file) are the two places of its map page,
 * written in turn by the checkpoints that changed the group. So what a checkpoint writes of the
 * map depends on the groups it touched, never on how many pages are free: a store with a
 * million free pages of 8 KiB has 16 groups, and a small write touches one that gives pages and
 * those that held the replaced path. BoltDB kept its freelist as one array, wrote it whole with
 * every commit, and took Roblox down for three days in 2021.
 *
 * In memory a group has two bits a page:
 *
 *     live   page of the present tree. At a seal (checkpoint.c) this is the map to be written.
 *     held   not to be given away: live, or dead and needed by a snapshot (snapshot.c)
 *
 * THE PAGE. A page header (table in btree.c) of type PAGE_MAP, with the generation of the
 * checkpoint in place of the stamp; then the bits, as little-endian words, 1: taken.
 *
 * Which of the two places counts: the newest one that is valid and not of a later generation
 * than the meta. The meta has the sum of the checksums of all map pages that count, so a place
 * that rotted, or was never written, is found and not mistaken for the other one.
 */
#include <errno.h>

#include "engines/storage/btree/btree_internal.h"

#define WORD_BITS 64u

static size_t bits_size(const struct btree *tree)
{
    return tree->map.group_pages / 8;
}

uint32_t btree_map_reserved(size_t page_size)
{
    uint32_t bytes = 2 * btree_meta_stride(page_size);
    return page_size >= bytes ? 1 : (uint32_t)(bytes / page_size);
}

uint32_t btree_map_slot_page(uint32_t group, uint32_t group_pages, size_t page_size,
                             unsigned slot)
{
    uint32_t first = group ? group * group_pages : btree_map_reserved(page_size);
    return first + slot;
}

/* ---- bits ---- */

static bool bit_is_set(const uint64_t *bits, uint32_t i)
{
    return bits[i / WORD_BITS] >> (i % WORD_BITS) & 1;
}
static void bit_set(uint64_t *bits, uint32_t i)
{
    bits[i / WORD_BITS] |= UINT64_C(1) << (i % WORD_BITS);
}
static void bit_clear(uint64_t *bits, uint32_t i)
{
    bits[i / WORD_BITS] &= ~(UINT64_C(1) << (i % WORD_BITS));
}

static struct group *group_of(struct btree *tree, uint32_t page, uint32_t *bit)
{
    *bit = page % tree->map.group_pages;
    return &tree->map.groups[page / tree->map.group_pages];
}

/* ---- groups ---- */

void btree_map_deinit(struct btree *tree)
{
    const struct allocator *a = tree->base.host.allocator;
    struct map *map = &tree->map;
    btree_map_images_drop(tree);
    for (uint32_t i = 0; i < map->count; i++) {
        allocator_free(a, map->groups[i].held, bits_size(tree));
        allocator_free(a, map->groups[i].live, bits_size(tree));
    }
    allocator_free(a, map->groups, map->capacity * sizeof(*map->groups));
    memset(map, 0, sizeof(*map));
}

int btree_map_add_group(struct btree *tree)
{
    const struct allocator *a = tree->base.host.allocator;
    struct map *map = &tree->map;
    uint32_t reserved = map->count ? 0 : btree_map_reserved(tree->page_size);
    if ((uint64_t)(map->count + 1) * map->group_pages > UINT32_MAX)
        return engine_fail(&tree->base, -EFBIG, "%s/" PAGES_NAME ": more than 2^32 pages",
                           tree->dir);
    if (map->count == map->capacity) {
        uint32_t capacity = map->capacity ? map->capacity * 2 : 1;
        struct group *grown = a->resize(a->context, map->groups, map->capacity * sizeof(*grown),
                                        capacity * sizeof(*grown));
        if (!grown) return -ENOMEM;
        map->groups = grown;
        map->capacity = capacity;
    }
    uint64_t *held = allocator_alloc(a, bits_size(tree));
    uint64_t *live = allocator_alloc(a, bits_size(tree));
    if (!held || !live) {
        allocator_free(a, held, bits_size(tree));
        allocator_free(a, live, bits_size(tree));
        return -ENOMEM;
    }
    memset(live, 0, bits_size(tree));
    for (uint32_t i = 0; i < reserved + 2; i++) bit_set(live, i);
    memcpy(held, live, bits_size(tree));
    map->groups[map->count] = (struct group){.held = held,
                                             .live = live,
                                             .free = map->group_pages - reserved - 2,
                                             .is_changed = true};
    map->free += map->groups[map->count].free;
    map->count++;
    return 0;
}

/* Groups at the end that hold nothing are not counted by the next meta. The durable one counts
 * them until then, and nothing is written to their map pages before. */
uint64_t btree_map_drop_groups(struct btree *tree)
{
    const struct allocator *a = tree->base.host.allocator;
    struct map *map = &tree->map;
    uint64_t dropped = 0;
    while (map->count > 1 && map->groups[map->count - 1].free == map->group_pages - 2) {
        struct group *last = &map->groups[--map->count];
        dropped += last->checksum;
        allocator_free(a, last->image, tree->page_size);
        map->free -= last->free;
        allocator_free(a, last->held, bits_size(tree));
        allocator_free(a, last->live, bits_size(tree));
    }
    if (map->rotor >= map->count) map->rotor = 0;
    return dropped;
}

/* ---- taking ---- */

static void mark_taken(struct btree *tree, struct group *group, uint32_t bit, uint32_t count)
{
    for (uint32_t i = bit; i < bit + count; i++) {
        bit_set(group->held, i);
        bit_set(group->live, i);
    }
    group->free -= count;
    tree->map.free -= count;
    group->is_changed = true;
}

/* The first run of free bits of that length; false: none. */
static bool run_find(const struct map *map, const struct group *group, uint32_t count,
                     uint32_t *bit)
{
    uint32_t length = 0;
    for (uint32_t i = group->hint * WORD_BITS; i < map->group_pages;) {
        uint64_t word = group->held[i / WORD_BITS];
        if (i % WORD_BITS == 0 && (word == UINT64_MAX || word == 0)) {
            length = word ? 0 : length + WORD_BITS;
            i += WORD_BITS;
        } else {
            length = word >> (i % WORD_BITS) & 1 ? 0 : length + 1;
            i++;
        }
        if (length >= count) {
            *bit = i - length;
            return true;
        }
    }
    return false;
}

static bool single_find(const struct map *map, struct group *group, uint32_t *bit)
{
    uint32_t words = map->group_pages / WORD_BITS;
    for (uint32_t i = group->hint; i < words; i++)
        if (group->held[i] != UINT64_MAX) {
            group->hint = i;
            *bit = i * WORD_BITS + (uint32_t)__builtin_ctzll(~group->held[i]);
            return true;
        }
    return false;
}

int btree_map_take(struct btree *tree, uint32_t count, uint32_t *page)
{
    struct map *map = &tree->map;
    /* The group that gave last goes on giving: its map page is changed already, and pages that
     * are written together stand together. */
    for (uint32_t i = 0; i < map->count; i++) {
        uint32_t number = (map->rotor + i) % map->count, bit = 0;
        struct group *group = &map->groups[number];
        if (group->free < count) continue;
        if (!(count == 1 ? single_find(map, group, &bit) : run_find(map, group, count, &bit)))
            continue;
        if (count == 1) map->rotor = number;
        mark_taken(tree, group, bit, count);
        *page = number * map->group_pages + bit;
        return 0;
    }
    int err = btree_map_add_group(tree);
    if (err) return err;
    if (map->groups[map->count - 1].free < count)
        return engine_fail(&tree->base, -EFBIG, "%s/" PAGES_NAME ": a value beyond a group",
                           tree->dir);
    return btree_map_take(tree, count, page);
}

/* ---- giving back ---- */

void btree_map_unlive(struct btree *tree, uint32_t page, uint32_t count)
{
    uint32_t bit;
    struct group *group = group_of(tree, page, &bit);
    for (uint32_t i = bit; i < bit + count; i++) bit_clear(group->live, i);
    group->is_changed = true;
}

void btree_map_unhold(struct btree *tree, uint32_t page, uint32_t count)
{
    uint32_t bit;
    struct group *group = group_of(tree, page, &bit);
    for (uint32_t i = bit; i < bit + count; i++) {
        ENGINE_CHECK(&tree->base, bit_is_set(group->held, i));
        bit_clear(group->held, i);
    }
    group->free += count;
    tree->map.free += count;
    if (bit / WORD_BITS < group->hint) group->hint = bit / WORD_BITS;
}

void btree_map_release(struct btree *tree, uint32_t page, uint32_t count)
{
    btree_map_unlive(tree, page, count);
    btree_map_unhold(tree, page, count);
}

uint64_t btree_map_end(const struct btree *tree)
{
    const struct map *map = &tree->map;
    for (uint32_t i = map->count; i-- > 0;)
        for (uint32_t word = map->group_pages / WORD_BITS; word-- > 0;) {
            uint64_t bits = map->groups[i].held[word];
            if (bits)
                return ((uint64_t)i * map->group_pages + word * WORD_BITS + WORD_BITS -
                        (uint32_t)__builtin_clzll(bits)) *
                       tree->page_size;
        }
    return 0;
}

/* ---- what a checkpoint writes ---- */

void btree_map_image_encode(const uint64_t *bits, unsigned char *image, size_t page_size,
                            uint32_t page, uint32_t group, uint64_t generation)
{
    memset(image, 0, PAGE_HEADER);
    put_u64(image + 8, generation);
    put_u32(image + 16, page);
    image[20] = PAGE_MAP;
    put_u32(image + 24, group);
    for (size_t i = 0; i < (page_size - PAGE_HEADER) / 8; i++)
        put_u64(image + PAGE_HEADER + i * 8, bits[i]);
    btree_page_seal(image, page_size);
}

/* Copies the live bits of the changed groups: the map of this very moment. */
int btree_map_images_take(struct btree *tree)
{
    struct map *map = &tree->map;
    for (uint32_t i = 0; i < map->count; i++) {
        struct group *group = &map->groups[i];
        if (!group->is_changed) continue;
        group->image = allocator_alloc(tree->base.host.allocator, tree->page_size);
        if (!group->image) {
            btree_map_images_drop(tree);
            return -ENOMEM;
        }
    }
    for (uint32_t i = 0; i < map->count; i++) {
        struct group *group = &map->groups[i];
        if (!group->image) continue;
        uint32_t page = btree_map_slot_page(i, map->group_pages, tree->page_size,
                                            group->checksum ? !group->slot : 0);
        btree_map_image_encode(group->live, group->image, tree->page_size, page, i,
                               tree->durable.generation + 1);
        group->image_checksum = load_u64(group->image);
        group->is_changed = false;
    }
    return 0;
}

void btree_map_images_drop(struct btree *tree)
{
    for (uint32_t i = 0; i < tree->map.count; i++) {
        struct group *group = &tree->map.groups[i];
        allocator_free(tree->base.host.allocator, group->image, tree->page_size);
        group->image = NULL;
    }
}

/* ---- reading it ---- */

const char *btree_map_page_check(const unsigned char *image, size_t page_size, uint32_t page,
                                 uint32_t group)
{
    if (load_u64(image) != btree_page_checksum(image, page_size, page))
        return "the checksum is wrong";
    if (page_number(image) != page || image[20] != PAGE_MAP || load_u32(image + 24) != group)
        return "not the map page of this place";
    return NULL;
}

int btree_map_slot_choose(const unsigned char *const images[2], size_t page_size,
                          const uint32_t page[2], uint32_t group, uint64_t generation)
{
    int best = -1;
    for (int slot = 0; slot < 2; slot++) {
        if (btree_map_page_check(images[slot], page_size, page[slot], group)) continue;
        if (page_stamp(images[slot]) > generation) continue; /* of a checkpoint that was cut */
        if (best < 0 || page_stamp(images[slot]) > page_stamp(images[best])) best = slot;
    }
    return best;
}

static int group_load(struct btree *tree, uint32_t number, uint64_t generation,
                      unsigned char *places)
{
    struct map *map = &tree->map;
    unsigned char *images[2] = {places, places + tree->page_size};
    uint32_t page[2];
    for (unsigned slot = 0; slot < 2; slot++) {
        page[slot] = btree_map_slot_page(number, map->group_pages, tree->page_size, slot);
        uint64_t offset = (uint64_t)page[slot] * tree->page_size;
        int err =
            engine_file_read(tree->file, offset, images[slot], tree->page_size, VFS_RECOVERY);
        if (err == -EBADMSG)
            memset(images[slot], 0, tree->page_size); /* beyond the end: never written */
        else if (err)
            return err;
    }
    int slot = btree_map_slot_choose((const unsigned char *const *)images, tree->page_size,
                                     page, number, generation);
    if (slot < 0)
        return btree_page_corrupt(tree, page[0], "no valid page of the allocation map");
    struct group *group = &map->groups[number];
    map->free -= group->free;
    group->free = 0;
    group->slot = (uint8_t)slot;
    group->checksum = load_u64(images[slot]);
    group->is_changed = false;
    map->digest += group->checksum;
    for (uint32_t i = 0; i < map->group_pages / WORD_BITS; i++) {
        uint64_t word = load_u64(images[slot] + PAGE_HEADER + i * 8);
        group->held[i] = group->live[i] = word;
        group->free += WORD_BITS - (uint32_t)__builtin_popcountll(word);
    }
    map->free += group->free;
    return 0;
}

int btree_map_load(struct btree *tree, const struct meta *meta)
{
    const struct allocator *a = tree->base.host.allocator;
    struct map *map = &tree->map;
    unsigned char *places = allocator_alloc(a, tree->page_size * 2);
    if (!places) return -ENOMEM;
    int err = 0;
    for (uint32_t i = 0; !err && i < meta->groups; i++) {
        err = btree_map_add_group(tree);
        if (!err) err = group_load(tree, i, meta->generation, places);
    }
    allocator_free(a, places, tree->page_size * 2);
    if (err || map->digest == meta->digest) return err;
    /* Some group's page is not the one that counts. Which: one whose other place is not valid,
     * but that is for inspection to tell. */
    return btree_page_corrupt(tree,
                              btree_map_slot_page(0, map->group_pages, tree->page_size, 0),
                              "a page of the allocation map is lost");
}
