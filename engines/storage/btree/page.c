/* One page as bytes. The table of offsets stands in btree.c.
 *
 *     header | slots, in key order -->    free    <-- cells, in any order |
 *
 * A slot is eight bytes: the four bytes of its key that follow what all keys of the page share
 * (as a big-endian number: their order is the keys'), where the cell stands, and the key's
 * size. A binary search runs over the heads alone, eight to a cache line, and looks at a cell
 * only where heads are equal; without leaving out the shared prefix all heads of a page of
 * decimal numbers, dates or URLs would be the same. An insertion that makes the shared prefix
 * shorter rewrites all heads; it can happen at most once for each byte of it.
 *
 * The first cell of a branch has an empty key: it stands for all keys below the second. So a
 * branch's prefix is that of its other cells.
 *
 * Removed cells leave dead bytes, which btree_page_collect() gathers when an insertion needs
 * them.
 */
#include <errno.h>

#include "engines/storage/btree/btree_internal.h"

/* ---- header ---- */

static void store_u64(unsigned char *p, uint64_t v)
{
    put_u64(p, v);
}

uint64_t btree_page_checksum(const unsigned char *page, size_t page_size, uint32_t number)
{
    return bytes_hash(bytes_of(page + 8, page_size - 8), number);
}

void btree_page_init(unsigned char *page, size_t page_size, uint32_t number, uint64_t stamp,
                     uint8_t level)
{
    memset(page, 0, page_size); /* what is written holds nothing of other pages */
    store_u64(page + 8, stamp);
    put_u32(page + 16, number);
    page[20] = PAGE_TREE;
    page[21] = level;
    put_u16(page + 24, (uint16_t)page_size);
}

void btree_page_seal(unsigned char *page, size_t page_size)
{
    store_u64(page, btree_page_checksum(page, page_size, page_number(page)));
}

static uint32_t first_real(const unsigned char *page)
{
    return page_level(page) ? 1 : 0;
}

/* The checksum speaks against rot; this speaks against images made by other programs: nothing
 * in a page that passed leads out of it. */
static const char *structure_check(const unsigned char *page, size_t page_size)
{
    uint32_t count = page_count(page), cells = page_cells(page), header = cell_header(page);
    if (page_level(page) >= DEPTH_MAX) return "an impossible level";
    if (page_level(page) && count == 0) return "a branch without children";
    if (PAGE_HEADER + count * SLOT_SIZE > cells || cells > page_size)
        return "slots and cells overlap";
    if (page_dead(page) > page_size - cells) return "more dead bytes than bytes";
    uint32_t prefix = page_prefix(page);
    for (uint32_t i = 0; i < count; i++) {
        const unsigned char *slot = page_slot(page, i);
        uint32_t at = load_u16(slot + 4), key_size = load_u16(slot + 6);
        uint32_t size = header + key_size;
        if (at < cells || at + size > page_size) return "a cell outside the page";
        if (i >= first_real(page) ? key_size < prefix : key_size != 0)
            return "a key of an impossible size";
        if (page_level(page)) continue;
        uint32_t value_size = load_u32(page + at);
        uint32_t rest = value_size & OVERFLOW_BIT ? OVERFLOW_REF : value_size;
        if ((value_size & ~OVERFLOW_BIT) > BTREE_VALUE_SIZE_MAX || rest > page_size ||
            at + size + rest > page_size)
            return "a value outside the page";
    }
    return NULL;
}

const char *btree_page_check(const unsigned char *page, size_t page_size, uint32_t number,
                             bool verifies)
{
    if (verifies && load_u64(page) != btree_page_checksum(page, page_size, number))
        return "the checksum is wrong";
    if (page_number(page) != number) return "it is another page";
    if (page[20] != PAGE_TREE) return "not a page of the tree";
    return structure_check(page, page_size);
}

/* ---- cells ---- */

size_t btree_page_cell_size(const unsigned char *page, uint32_t i)
{
    const unsigned char *slot = page_slot(page, i);
    uint32_t size = cell_header(page) + load_u16(slot + 6);
    if (page_level(page)) return size;
    uint32_t value_size = load_u32(page + load_u16(slot + 4));
    return size + (value_size & OVERFLOW_BIT ? OVERFLOW_REF : value_size);
}

bool btree_page_has_run(const unsigned char *page, uint32_t i)
{
    return load_u32(page + load_u16(page_slot(page, i) + 4)) & OVERFLOW_BIT;
}

void btree_page_leaf_cell(const unsigned char *page, uint32_t i, struct leaf_cell *cell)
{
    const unsigned char *slot = page_slot(page, i);
    const unsigned char *p = page + load_u16(slot + 4);
    uint32_t key_size = load_u16(slot + 6), value_size = load_u32(p);
    const unsigned char *rest = p + 4 + key_size;
    cell->key = bytes_of(p + 4, key_size);
    cell->is_overflow = (value_size & OVERFLOW_BIT) != 0;
    cell->value_size = value_size & ~OVERFLOW_BIT;
    if (!cell->is_overflow) {
        cell->value = bytes_of(rest, value_size);
        cell->size = 4 + (size_t)key_size + value_size;
        return;
    }
    cell->value = bytes_of(NULL, 0);
    cell->overflow = (struct overflow){load_u32(rest), load_u64(rest + 4), load_u64(rest + 12)};
    cell->size = 4 + (size_t)key_size + OVERFLOW_REF;
}

uint32_t btree_page_child(const unsigned char *page, uint32_t i, uint32_t *stamp)
{
    const unsigned char *p = page + load_u16(page_slot(page, i) + 4);
    *stamp = load_u32(p + 4);
    return load_u32(p);
}

void btree_page_child_set(unsigned char *page, uint32_t i, uint32_t child, uint64_t stamp)
{
    unsigned char *p = page + load_u16(page_slot(page, i) + 4);
    put_u32(p, child);
    put_u32(p + 4, (uint32_t)stamp);
}

/* ---- search ---- */

/* The first four bytes from `prefix` on, zeros behind the end. */
static uint32_t head_of(struct bytes key, uint32_t prefix)
{
    const unsigned char *p = (const unsigned char *)key.data + prefix;
    size_t n = key.size - prefix;
    if (n >= 4) return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    uint32_t head = 0;
    for (size_t i = 0; i < n; i++) head |= (uint32_t)p[i] << (24 - 8 * i);
    return head;
}

static uint32_t slot_head(const unsigned char *page, uint32_t i)
{
    return load_u32(page_slot(page, i));
}

/* The first slot of [low, high) whose head is not less. */
static uint32_t heads_lower(const unsigned char *page, uint32_t low, uint32_t high,
                            uint32_t head)
{
    uint32_t n = high - low;
    if (n == 0) return low;
    while (n > 1) {
        uint32_t half = n / 2;
        low = slot_head(page, low + half - 1) < head ? low + half : low;
        n -= half;
    }
    return low + (slot_head(page, low) < head);
}

uint32_t btree_page_lower(const unsigned char *page, struct bytes key, bool *is_equal)
{
    uint32_t low = first_real(page), count = page_count(page), prefix = page_prefix(page);
    *is_equal = false;
    if (low >= count) return low;
    if (prefix) {
        struct bytes first = page_key(page, low);
        size_t n = key.size < prefix ? key.size : prefix;
        int order = n ? memcmp(key.data, first.data, n) : 0;
        if (order > 0) return count;
        if (order < 0 || n < prefix) return low;
    }
    uint32_t head = head_of(key, prefix), high = count;
    low = heads_lower(page, low, count, head);
    /* Equal heads: the keys decide. */
    if (low == count || slot_head(page, low) != head) return low;
    high = low + 1;
    if (high < count && slot_head(page, high) == head)
        high = head == UINT32_MAX ? count : heads_lower(page, high, count, head + 1);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = bytes_compare(page_key(page, middle), key);
        if (order == 0) {
            *is_equal = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t btree_page_child_of(const unsigned char *page, struct bytes key)
{
    bool is_equal;
    uint32_t i = btree_page_lower(page, key, &is_equal);
    return is_equal ? i : i - 1;
}

/* ---- changes ---- */

static void heads_rewrite(unsigned char *page, uint32_t prefix)
{
    put_u16(page + 28, (uint16_t)prefix);
    for (uint32_t i = first_real(page); i < page_count(page); i++)
        put_u32(page + PAGE_HEADER + i * SLOT_SIZE, head_of(page_key(page, i), prefix));
}

static uint32_t shared_prefix(struct bytes a, struct bytes b)
{
    const unsigned char *p = a.data, *q = b.data;
    size_t n = a.size < b.size ? a.size : b.size, i = 0;
    while (i < n && p[i] == q[i]) i++;
    return (uint32_t)i;
}

/* The prefix as long as it can be: of the first key and the last. */
static void prefix_find(unsigned char *page)
{
    uint32_t first = first_real(page), count = page_count(page), prefix = 0;
    if (first < count) prefix = shared_prefix(page_key(page, first), page_key(page, count - 1));
    heads_rewrite(page, prefix);
}

void btree_page_collect(unsigned char *page, size_t page_size, unsigned char *scratch)
{
    uint32_t end = (uint32_t)page_size, count = page_count(page);
    memcpy(scratch, page, page_size);
    for (uint32_t i = 0; i < count; i++) {
        unsigned char *slot = page + PAGE_HEADER + i * SLOT_SIZE;
        uint32_t size = (uint32_t)btree_page_cell_size(scratch, i);
        end -= size;
        memcpy(page + end, scratch + load_u16(slot + 4), size);
        put_u16(slot + 4, (uint16_t)end);
    }
    uint32_t slots_end = PAGE_HEADER + count * SLOT_SIZE;
    memset(page + slots_end, 0, end - slots_end);
    put_u16(page + 24, (uint16_t)end);
    put_u16(page + 26, 0);
}

void btree_page_insert(unsigned char *page, size_t page_size, unsigned char *scratch,
                       uint32_t at, struct bytes head, struct bytes key, struct bytes rest)
{
    uint32_t count = page_count(page);
    uint32_t size = (uint32_t)(head.size + key.size + rest.size);
    if (PAGE_HEADER + (count + 1) * SLOT_SIZE + size > page_cells(page))
        btree_page_collect(page, page_size, scratch);
    uint32_t cells = page_cells(page) - size;
    unsigned char *p = page + cells;
    memcpy(p, head.data, head.size);
    if (key.size) memcpy(p + head.size, key.data, key.size);
    if (rest.size) memcpy(p + head.size + key.size, rest.data, rest.size);
    unsigned char *slot = page + PAGE_HEADER + at * SLOT_SIZE;
    memmove(slot + SLOT_SIZE, slot, (count - at) * SLOT_SIZE);
    put_u16(page + 22, (uint16_t)(count + 1));
    put_u16(page + 24, (uint16_t)cells);
    put_u16(slot + 4, (uint16_t)cells);
    put_u16(slot + 6, (uint16_t)key.size);
    uint32_t first = first_real(page), prefix = page_prefix(page);
    if (at < first) {
        put_u32(slot, 0);
        return;
    }
    if (count <= first) { /* the only key with a head */
        heads_rewrite(page, (uint32_t)key.size);
        return;
    }
    /* The neighbour shares the prefix, so it stands for all. */
    struct bytes neighbour = page_key(page, at == first ? first + 1 : first);
    if (prefix > key.size || memcmp(neighbour.data, key.data, prefix) != 0)
        heads_rewrite(page, shared_prefix(neighbour, key));
    else
        put_u32(slot, head_of(key, prefix));
}

void btree_page_remove(unsigned char *page, uint32_t at)
{
    uint32_t count = page_count(page);
    unsigned char *slot = page + PAGE_HEADER + at * SLOT_SIZE;
    uint32_t size = (uint32_t)btree_page_cell_size(page, at), offset = load_u16(slot + 4);
    if (offset == page_cells(page))
        put_u16(page + 24, (uint16_t)(offset + size));
    else
        put_u16(page + 26, (uint16_t)(page_dead(page) + size));
    memmove(slot, slot + SLOT_SIZE, (count - at - 1) * SLOT_SIZE);
    put_u16(page + 22, (uint16_t)(count - 1));
}

void btree_page_append(unsigned char *page, size_t page_size, unsigned char *scratch,
                       const unsigned char *other, uint32_t from, uint32_t to)
{
    uint32_t count = page_count(page), need = 0;
    for (uint32_t i = from; i < to; i++)
        need += (uint32_t)btree_page_cell_size(other, i) + SLOT_SIZE;
    if (PAGE_HEADER + count * SLOT_SIZE + need > page_cells(page))
        btree_page_collect(page, page_size, scratch);
    uint32_t cells = page_cells(page);
    for (uint32_t i = from; i < to; i++, count++) {
        const unsigned char *source = page_slot(other, i);
        unsigned char *slot = page + PAGE_HEADER + count * SLOT_SIZE;
        uint32_t size = (uint32_t)btree_page_cell_size(other, i);
        cells -= size;
        memcpy(page + cells, other + load_u16(source + 4), size);
        put_u16(slot + 4, (uint16_t)cells);
        put_u16(slot + 6, load_u16(source + 6));
        put_u32(slot, 0);
    }
    put_u16(page + 22, (uint16_t)count);
    put_u16(page + 24, (uint16_t)cells);
    prefix_find(page);
}

void btree_page_cut(unsigned char *page, size_t page_size, unsigned char *scratch,
                    uint32_t count)
{
    put_u16(page + 22, (uint16_t)count);
    btree_page_collect(page, page_size, scratch);
    prefix_find(page);
}
