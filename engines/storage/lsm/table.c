/* SSTables: the immutable sorted files of `lsm`. This file has the format, opens tables and
 * answers point reads; table_builder.c writes them, table_iterator.c reads them in order,
 * table_inspect.c looks at one that nobody has open.
 *
 *     file        block* | filter | index | properties | footer
 *
 *     block       0   u32 size of the whole block
 *                 4   entries, in the order of iterator.h:
 *                       varint shared   bytes of the key that stand in the previous entry's
 *                       varint suffix   further bytes of the key
 *                       varint value    size of the value
 *                       varint tag      sequence << 1 | delete
 *                       suffix, value
 *                     u32 * restarts: offset in the block of every `restart_interval`-th
 *                       entry, whose `shared` is 0; the first one is 4
 *               -12   u32 restarts (at least 1)
 *                -8   u64 checksum
 *     filter      a Bloom filter of the distinct keys (bloom.h), empty without one
 *                -8   u64 checksum
 *     index       0   u32 blocks
 *                 4   u32 skip: bytes that all keys of the table share
 *                 8   a block: varint size of the separator behind `skip` bytes, varint size of
 *                     the block, the bytes; a separator is a key from the last one of its block
 *                     up to, but not including, the next block's first
 *                -8   u64 checksum
 *     properties  0   u64 entries            40  u32 blocks
 *                 8   u64 tombstones         44  u32 restart interval
 *                16   u64 bytes of keys      48  u32 bits a key of the filter
 *                     and values             52  u32 size at which blocks are closed
 *                24   u64 lowest sequence    56  u32 0
 *                32   u64 highest sequence   60  u32 size of the first key
 *                                            64  u32 size of the last key
 *                68   first key, last key
 *                -8   u64 checksum
 *     footer      0   "FLLSMT01"             24  u64 offset of the index
 *                 8   u64 number of the file 32  u64 offset of the properties
 *                16   u64 offset of the      40  u64 offset of the footer
 *                     filter                 48  u64 checksum
 *
 * A checksum is XXH3-64 of all bytes of its section before it, seeded with the number of the
 * file and the offset of the section: a block that a misdirected write brought from another
 * place or file has good bytes and a bad checksum. XXH3 instead of the CRC-32C of LevelDB
 * because a block is checked whenever it comes from disk, and that is mostly the operating
 * system's cache: 4 KiB take 205 ns instead of 350 (bytes.c, Zen 3), of a read of some 2500.
 *
 * In memory a table keeps its tail (filter, index, properties) as it was read, and for each
 * block eight bytes of its separator behind the skipped ones as an integer, so that the search
 * for a block runs in one array and looks at separator bytes for ties alone.
 *
 * An absent key costs no block but for false positives of the filter; a present one exactly
 * one block, or two when its versions go over a block's end.
 *
 * A read: range of the table -> filter -> block of the index -> cache or one vfs read -> search
 * (block.c). A key's versions may go over the end of a block; then the separator is that key,
 * and only then a reader goes on into the next block.
 *
 * Invariants:
 *   I1  blocks stand one behind the other from offset 0 to the filter's.
 *   I2  entries ascend through the file; separators too.
 *   I3  all keys share `skip` bytes, so the prefix of a separator exists.
 *   I4  every byte of the file is under a checksum, or is one.
 *
 * Crash: a table is listed in the manifest after it was synced; half a table is a file that
 * nobody lists. Limits: a block below 4 GiB. Not modelled: compression of values.
 */
#include <errno.h>
#include <stdio.h>

#include "engines/storage/bloom.h"
#include "engines/storage/lsm/table_format.h"

#define BLOCK_SIZE_MIN (BLOCK_HEADER + 4u + 4u + BLOCK_TRAILER) /* an empty key's tombstone */

int table_corrupt(const struct table *t, uint64_t offset, const char *why)
{
    return engine_fail(t->engine, -EBADMSG, "%s at offset %llu: %s", t->path,
                       (unsigned long long)offset, why);
}

int table_file_read(const struct table *t, uint64_t offset, void *data, size_t size,
                    enum vfs_purpose purpose)
{
    int err = engine_file_read(t->file, offset, data, size, purpose);
    if (err == -EBADMSG) return table_corrupt(t, offset, "the file ends before its size");
    if (err)
        engine_fail(t->engine, err, "%s at offset %llu: read failed (errno %d)", t->path,
                    (unsigned long long)offset, -err);
    return err;
}

/* ---- decoding the tail ---- */

static bool section_check(struct bytes section, uint64_t number, uint64_t offset)
{
    if (section.size < CHECKSUM_SIZE) return false;
    size_t size = section.size - CHECKSUM_SIZE;
    return get_u64((const unsigned char *)section.data + size) ==
           table_checksum(bytes_of(section.data, size), number, offset);
}

bool table_footer_decode(struct table_footer *f, const unsigned char data[TABLE_FOOTER],
                         uint64_t number, uint64_t file_bytes)
{
    uint64_t at = file_bytes - TABLE_FOOTER;
    if (!section_check(bytes_of(data, TABLE_FOOTER), number, at)) return false;
    struct table_footer g = {get_u64(data + 16), get_u64(data + 24), get_u64(data + 32),
                             get_u64(data + 40)};
    if (memcmp(data, TABLE_MAGIC, 8) != 0 || get_u64(data + 8) != number || g.footer != at ||
        g.filter > g.index || g.index > g.properties || g.properties > g.footer)
        return false;
    *f = g;
    return true;
}

bool table_properties_decode(struct table_properties *out, struct bytes data)
{
    const unsigned char *p = data.data;
    if (data.size < TABLE_PROPERTIES) return false;
    struct table_properties d = {
        .summary = {.entries = get_u64(p),
                    .tombstones = get_u64(p + 8),
                    .data_bytes = get_u64(p + 16),
                    .sequence_min = get_u64(p + 24),
                    .sequence_max = get_u64(p + 32)},
        .blocks = get_u32(p + 40),
        .restart_interval = get_u32(p + 44),
        .bloom_bits = get_u32(p + 48),
        .block_bytes = get_u32(p + 52),
    };
    uint64_t smallest = get_u32(p + 60), largest = get_u32(p + 64);
    if (smallest + largest != data.size - TABLE_PROPERTIES) return false;
    d.summary.smallest = bytes_of(p + TABLE_PROPERTIES, (size_t)smallest);
    d.summary.largest = bytes_of(p + TABLE_PROPERTIES + smallest, (size_t)largest);
    *out = d;
    return true;
}

bool index_reader_init(struct index_reader *r, struct bytes data)
{
    const unsigned char *p = data.data;
    if (data.size < 8) return false;
    *r = (struct index_reader){p + 8, p + data.size, get_u32(p), get_u32(p + 4)};
    return true;
}

bool index_reader_next(struct index_reader *r, struct bytes *rest, uint64_t *block_size)
{
    uint64_t size, block;
    const unsigned char *p = varint_get(r->p, r->end, &size);
    if (p) p = varint_get(p, r->end, &block);
    if (!p || size > (uint64_t)(r->end - p) || block < BLOCK_SIZE_MIN || block > UINT32_MAX)
        return false;
    *rest = bytes_of(p, (size_t)size);
    *block_size = block;
    r->p = p + size;
    return true;
}

/* ---- opening ---- */

/* Fills the arrays from the index; NULL or why it can not be. */
static const char *index_load(struct table *t, struct index_reader *r, uint64_t data_end)
{
    struct bytes smallest = t->summary.smallest, largest = t->summary.largest, rest, before;
    if (r->blocks != t->blocks || r->skip > smallest.size || r->skip > largest.size ||
        shared_size(smallest, largest) < r->skip)
        return "the index does not fit the properties";
    uint64_t offset = 0, block_size;
    before = bytes_of((const char *)smallest.data + r->skip, smallest.size - r->skip);
    for (uint32_t i = 0; i < t->blocks; i++) {
        if (!index_reader_next(r, &rest, &block_size)) return "a malformed index";
        if (bytes_compare(before, rest) > 0) return "separators out of order";
        t->prefixes[i] = key_prefix(rest, 0);
        t->places[i] = (struct block_place){offset, NULL};
        t->positions[i] = (uint32_t)((const unsigned char *)rest.data - t->meta);
        t->sizes[i] = (uint32_t)rest.size;
        offset += block_size;
        before = rest;
    }
    t->places[t->blocks] = (struct block_place){offset, NULL};
    if (r->p != r->end || offset != data_end) return "the index ends elsewhere than the blocks";
    return NULL;
}

static size_t arrays_size(uint32_t blocks)
{
    return blocks * (sizeof(uint64_t) + 2 * sizeof(uint32_t)) +
           (blocks + (size_t)1) * sizeof(struct block_place);
}

/* Checks the tail and builds the index; t->meta is filled from file offset `from`. */
static int tail_load(struct table *t, const struct table_footer *f)
{
    const unsigned char *meta = t->meta;
    struct bytes filter = {meta, (size_t)(f->index - f->filter)};
    struct bytes index = {meta + filter.size, (size_t)(f->properties - f->index)};
    struct bytes properties = {meta + filter.size + index.size,
                               (size_t)(f->footer - f->properties)};
    struct table_properties p;
    struct index_reader r;
    if (!section_check(filter, t->number, f->filter))
        return table_corrupt(t, f->filter, "a filter with a bad checksum");
    if (!section_check(index, t->number, f->index))
        return table_corrupt(t, f->index, "an index with a bad checksum");
    if (!section_check(properties, t->number, f->properties))
        return table_corrupt(t, f->properties, "properties with a bad checksum");
    properties.size -= CHECKSUM_SIZE;
    index.size -= CHECKSUM_SIZE;
    if (!table_properties_decode(&p, properties))
        return table_corrupt(t, f->properties, "malformed properties");
    if (!index_reader_init(&r, index) || r.blocks > index.size)
        return table_corrupt(t, f->index, "a malformed index");
    p.summary.file_bytes = t->summary.file_bytes;
    p.summary.tail_bytes = p.summary.file_bytes - f->filter;
    t->summary = p.summary;
    t->restart_interval = p.restart_interval;
    t->bloom_bits = p.bloom_bits;
    t->filter = bytes_of(filter.data, filter.size - CHECKSUM_SIZE);
    t->blocks = p.blocks;
    if (r.blocks != p.blocks)
        return table_corrupt(t, f->index, "the index does not fit the properties");
    t->places = allocator_alloc(t->allocator, arrays_size(t->blocks));
    if (!t->places) return -ENOMEM;
    memset(t->places, 0, (t->blocks + (size_t)1) * sizeof(struct block_place));
    t->prefixes = (uint64_t *)(t->places + t->blocks + 1);
    t->positions = (uint32_t *)(t->prefixes + t->blocks);
    t->sizes = t->positions + t->blocks;
    const char *wrong = index_load(t, &r, f->filter);
    if (wrong) return table_corrupt(t, f->index, wrong);
    t->skip = r.skip;
    t->shared = t->skip <= SHARED_INLINE ? t->shared_inline : t->summary.smallest.data;
    if (t->skip && t->skip <= SHARED_INLINE)
        memcpy(t->shared_inline, t->summary.smallest.data, t->skip);
    if (t->blocks) {
        t->prefix_smallest = key_prefix(t->summary.smallest, t->skip);
        t->prefix_largest = key_prefix(t->summary.largest, t->skip);
    }
    return 0;
}

/* Reads the file's end, all of the tail when its size is known, else the footer first. */
static int tail_read(struct table *t, uint64_t tail_bytes, enum vfs_purpose purpose,
                     struct table_footer *f)
{
    uint64_t file_bytes = t->summary.file_bytes;
    if (file_bytes < TABLE_FOOTER) return table_corrupt(t, 0, "a file too short for a table");
    if (tail_bytes > file_bytes || (tail_bytes && tail_bytes < TABLE_FOOTER))
        return table_corrupt(t, 0, "a file of another size than was written");
    bool is_known = tail_bytes != 0;
    for (uint64_t size = is_known ? tail_bytes : TABLE_FOOTER;; size = tail_bytes) {
        if (t->meta) allocator_free(t->allocator, t->meta, t->meta_size);
        t->meta_size = (size_t)size;
        t->meta = allocator_alloc(t->allocator, t->meta_size);
        if (!t->meta) return -ENOMEM;
        int err = table_file_read(t, file_bytes - size, t->meta, t->meta_size, purpose);
        if (err) return err;
        if (!table_footer_decode(f, t->meta + size - TABLE_FOOTER, t->number, file_bytes))
            return table_corrupt(t, file_bytes - TABLE_FOOTER, "a broken footer");
        tail_bytes = file_bytes - f->filter;
        if (size == tail_bytes) return 0;
        if (is_known)
            return table_corrupt(t, file_bytes - TABLE_FOOTER,
                                 "a footer of another table than was written");
    }
}

int table_open(struct engine *engine, struct block_cache *cache, const char *path,
               uint64_t number, uint64_t tail_bytes, enum vfs_purpose purpose,
               struct table **out)
{
    const struct allocator *a = engine->host.allocator;
    struct table *t = allocator_alloc(a, sizeof(*t));
    if (!t) return -ENOMEM;
    *t = (struct table){.engine = engine, .allocator = a, .cache = cache, .number = number};
    snprintf(t->path, sizeof(t->path), "%s", path);
    struct table_footer footer;
    int err = vfs_open(engine->host.vfs, path, VFS_READ, &t->file);
    if (err == -ENOENT) err = table_corrupt(t, 0, "a table that is not there");
    if (!err) err = vfs_size(t->file, &t->summary.file_bytes);
    if (!err) err = tail_read(t, tail_bytes, purpose, &footer);
    if (!err) err = tail_load(t, &footer);
    if (err) {
        table_close(t);
        return err;
    }
    *out = t;
    return 0;
}

void table_close(struct table *t)
{
    if (!t) return;
    const struct allocator *a = t->allocator;
    for (uint32_t i = 0; t->places && i < t->blocks; i++)
        if (t->places[i].cached) block_cache_drop(t->cache, t->places[i].cached);
    if (t->file) vfs_close(t->file);
    if (t->places) allocator_free(a, t->places, arrays_size(t->blocks));
    if (t->meta) allocator_free(a, t->meta, t->meta_size);
    allocator_free(a, t, sizeof(*t));
}

void table_summary(const struct table *t, struct table_summary *out)
{
    *out = t->summary;
}
uint64_t table_memory(const struct table *t)
{
    return sizeof(*t) + t->meta_size + arrays_size(t->blocks);
}
uint64_t table_filter_bytes(const struct table *t)
{
    return t->filter.size;
}

/* ---- blocks ---- */

int table_block_check(const struct table *t, const unsigned char *data, uint64_t offset,
                      size_t size, struct block_view *view)
{
    if (!section_check(bytes_of(data, size), t->number, offset))
        return table_corrupt(t, offset, "a block with a bad checksum");
    if (!block_view_init(view, data, size))
        return table_corrupt(t, offset, "a malformed block");
    return 0;
}

/* A block that is in memory is seldom in the processor's caches, and the search goes from miss
 * to miss: the restart points at its end, keys in the middle. Where these are follows from its
 * size, near enough to fetch them at once: a twentieth of a scan's time. */
static inline void block_prefetch(const struct block *block, uint64_t size)
{
    const unsigned char *data = block->data;
    __builtin_prefetch(data + size - BLOCK_TRAILER - 16);
    for (uint64_t quarter = 1; quarter < 4; quarter++) {
        __builtin_prefetch(data + size / 4 * quarter);
        __builtin_prefetch(data + size / 4 * quarter + 64);
    }
}

int table_block_get(struct table *t, uint32_t index, enum vfs_purpose purpose,
                    struct block **out, struct block_view *view)
{
    struct block_place *place = &t->places[index];
    if (place->cached) block_prefetch(place->cached, place[1].offset - place->offset);
    struct block *block = t->cache ? block_cache_find(t->cache, &place->cached) : NULL;
    if (block) {
        *view = (struct block_view){block->data, block->entries_end, block->restarts};
        *out = block;
        return 0;
    }
    uint32_t size = (uint32_t)(place[1].offset - place->offset);
    block = block_create(t->allocator, t->cache, size);
    if (!block) return -ENOMEM;
    int err = table_file_read(t, place->offset, block->data, size, purpose);
    if (!err) err = table_block_check(t, block->data, place->offset, size, view);
    if (err) {
        block_unpin(t->allocator, block);
        return err;
    }
    block->entries_end = view->entries_end;
    block->restarts = view->restarts;
    if (t->cache) block_cache_add(t->cache, block, &place->cached);
    *out = block;
    return 0;
}

/* ---- the index ---- */

static struct bytes separator_rest(const struct table *t, uint32_t index)
{
    return bytes_of(t->meta + t->positions[index], t->sizes[index]);
}

static struct bytes key_rest(const struct table *t, struct bytes key)
{
    return bytes_of((const char *)key.data + t->skip, key.size - t->skip);
}

/* How the key's first bytes stand to those that all keys share: < 0: before the table, > 0:
 * behind it, 0: within or unknown. */
static int shared_order(const struct table *t, struct bytes key)
{
    size_t size = key.size < t->skip ? key.size : t->skip;
    int order = lsm_key_compare(bytes_of(key.data, size), bytes_of(t->shared, size));
    return order ? order : key.size < t->skip ? -1 : 0;
}

/* The first separator whose prefix is not below. */
static uint32_t prefixes_below(const struct table *t, uint64_t prefix)
{
    const uint64_t *base = t->prefixes;
    uint32_t left = t->blocks;
    while (left > 1) {
        uint32_t half = left / 2;
        base += base[half - 1] < prefix ? half : 0;
        left -= half;
    }
    return (uint32_t)(base - t->prefixes) + (*base < prefix);
}

static uint32_t block_by_prefix(const struct table *t, struct bytes key, uint64_t prefix)
{
    uint32_t low = prefixes_below(t, prefix), high = low;
    struct bytes rest = key_rest(t, key);
    while (high < t->blocks && t->prefixes[high] == prefix) {
        if (high - low == 4) { /* many ties: by halves */
            high = prefix == UINT64_MAX ? t->blocks : prefixes_below(t, prefix + 1);
            break;
        }
        high++;
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (bytes_compare(separator_rest(t, middle), rest) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t table_block_of(const struct table *t, struct bytes key)
{
    if (t->blocks == 0) return 0;
    int order = shared_order(t, key);
    if (order) return order < 0 ? 0 : t->blocks;
    return block_by_prefix(t, key, key_prefix(key, t->skip));
}

bool table_separator_is(const struct table *t, uint32_t index, struct bytes key)
{
    return key.size >= t->skip && shared_order(t, key) == 0 &&
           bytes_equal(separator_rest(t, index), key_rest(t, key));
}

/* ---- point reads ---- */

int table_get(struct table *t, struct bytes key, uint64_t hash, uint64_t snapshot,
              bool *is_delete, struct buffer *value, bool *was_filtered)
{
    *was_filtered = true;
    if (t->blocks == 0 || shared_order(t, key) != 0) return 0;
    uint64_t prefix = key_prefix(key, t->skip);
    if (prefix < t->prefix_smallest || prefix > t->prefix_largest) return 0;
    if (t->filter.size && !bloom_may_hold(t->filter, hash)) return 0;
    uint32_t index = block_by_prefix(t, key, prefix);
    if (index == t->blocks) return 0;
    *was_filtered = false;
    for (;; index++) {
        struct block *block;
        struct block_view view;
        struct block_entry e;
        uint32_t at;
        int err = table_block_get(t, index, VFS_USER_READ, &block, &view);
        if (err) return err;
        int found = block_find(&view, key, snapshot, &at, &e);
        if (found < 0) {
            found = table_corrupt(t, t->places[index].offset, "a malformed entry");
        } else if (found) {
            const char *rest = (const char *)key.data + e.shared;
            found = (size_t)e.shared + e.suffix_size == key.size &&
                    (!e.suffix_size || memcmp(e.suffix, rest, e.suffix_size) == 0);
            if (found && !(e.tag & 1)) {
                err = buffer_assign(value, bytes_of(e.value, e.value_size));
                if (err) found = err;
            }
            if (found > 0) *is_delete = e.tag & 1;
        } else if (index + 1 < t->blocks && table_separator_is(t, index, key)) {
            block_unpin(t->allocator, block);
            continue; /* further versions of the key stand in the next block */
        }
        block_unpin(t->allocator, block);
        return found;
    }
}
