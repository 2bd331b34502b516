/* Writes an SSTable into memory, block by block. The format stands in table.c.
 *
 * Blocks are encoded at the end of one buffer, `pending`: finished ones first, then the one
 * under way. The caller takes the finished ones when it has enough for a write; so a flush or
 * compaction needs memory for that and for what the end of the file holds (a hash a key for the
 * filter, a separator a block), not for a table.
 */
#include <errno.h>

#include "engines/storage/bloom.h"
#include "engines/storage/lsm/table_format.h"

struct table_builder {
    const struct allocator *allocator;
    struct table_shape shape;
    uint64_t number;
    uint64_t pending_offset; /* in the file, of pending.data[0] */
    struct buffer pending;
    size_t finished; /* bytes of pending that are whole blocks */
    struct block_builder block;
    struct buffer
        index; /* for each finished block: u32 separator size, u32 block size, bytes */
    struct buffer hashes; /* uint64_t a distinct key, in memory only */
    struct buffer smallest, largest, separator;
    uint32_t blocks;
    size_t last_block_size; /* of the block that waits for its separator; 0: none */
    struct table_summary summary;
};

int table_builder_create(const struct allocator *allocator, const struct table_shape *shape,
                         uint64_t number, struct table_builder **out)
{
    struct table_builder *b = allocator_alloc(allocator, sizeof(*b));
    if (!b) return -ENOMEM;
    *b = (struct table_builder){.allocator = allocator, .shape = *shape, .number = number};
    b->pending.allocator = b->index.allocator = b->hashes.allocator = allocator;
    b->smallest.allocator = b->largest.allocator = b->separator.allocator = allocator;
    block_builder_init(&b->block, &b->pending, shape->restart_interval);
    *out = b;
    return 0;
}

void table_builder_destroy(struct table_builder *b)
{
    if (!b) return;
    block_builder_deinit(&b->block);
    buffer_deinit(&b->pending);
    buffer_deinit(&b->index);
    buffer_deinit(&b->hashes);
    buffer_deinit(&b->smallest);
    buffer_deinit(&b->largest);
    buffer_deinit(&b->separator);
    allocator_free(b->allocator, b, sizeof(*b));
}

/* ---- entries ---- */

/* A key from `last` up to, but not including, `next` (which is not before last, and may be the
 * same key): shorter than last if there is one, else last. (One of equal length would gain
 * nothing, and an absent key that is a separator costs a look into the next block.) */
static int separator_between(struct buffer *out, struct bytes last, struct bytes next)
{
    size_t shared = shared_size(last, next);
    int err = buffer_assign(out, last);
    if (err || shared >= next.size) return err;
    for (size_t i = shared; i + 1 < last.size; i++) {
        /* At `shared` the bytes differ, and one more has to fit between them. Behind it
         * anything stays below `next`. */
        unsigned char limit = i == shared ? ((const unsigned char *)next.data)[i] : 0xff;
        if (out->data[i] + (i == shared) >= limit) continue;
        out->data[i]++;
        out->size = i + 1;
        return 0;
    }
    return 0;
}

/* The block that ended last gets its index entry. */
static int index_add(struct table_builder *b, struct bytes separator)
{
    unsigned char sizes[8];
    put_u32(sizes, (uint32_t)separator.size);
    put_u32(sizes + 4, (uint32_t)b->last_block_size);
    int err = buffer_append(&b->index, sizes, sizeof(sizes));
    if (!err) err = buffer_append(&b->index, separator.data, separator.size);
    b->last_block_size = 0;
    b->blocks++;
    return err;
}

static int block_end(struct table_builder *b)
{
    if (!b->block.entries) return 0;
    int err = block_builder_finish(&b->block, b->number, b->pending_offset + b->finished);
    if (err) return err;
    b->last_block_size = b->pending.size - b->finished;
    b->finished = b->pending.size;
    return 0;
}

int table_builder_add(struct table_builder *b, const struct lsm_iterator *entry)
{
    struct table_summary *s = &b->summary;
    int err = 0;
    if (b->last_block_size) { /* the first entry of a block */
        err = separator_between(&b->separator, buffer_bytes(&b->largest), entry->key);
        if (!err) err = index_add(b, buffer_bytes(&b->separator));
        if (err) return err;
    }
    bool is_first = s->entries == 0;
    if (is_first) {
        err = buffer_assign(&b->smallest, entry->key);
        s->sequence_min = s->sequence_max = entry->sequence;
    }
    if (!err && b->shape.bloom_bits &&
        (is_first || !bytes_equal(buffer_bytes(&b->largest), entry->key))) {
        uint64_t hash = bloom_hash(entry->key);
        err = buffer_append(&b->hashes, &hash, sizeof(hash));
    }
    if (!err) err = block_builder_add(&b->block, entry);
    if (!err) err = buffer_assign(&b->largest, entry->key);
    if (err) return err;
    s->entries++;
    s->tombstones += entry->is_delete;
    s->data_bytes += entry->key.size + entry->value.size;
    if (entry->sequence < s->sequence_min) s->sequence_min = entry->sequence;
    if (entry->sequence > s->sequence_max) s->sequence_max = entry->sequence;
    return block_builder_size(&b->block) >= b->shape.block_bytes ? block_end(b) : 0;
}

uint64_t table_builder_size(const struct table_builder *b)
{
    uint64_t filter = b->hashes.size / sizeof(uint64_t) * b->shape.bloom_bits / 8;
    return b->pending_offset + b->finished + block_builder_size(&b->block) + filter +
           b->index.size + TABLE_PROPERTIES + TABLE_FOOTER;
}

struct bytes table_builder_pending(const struct table_builder *b, uint64_t *offset)
{
    *offset = b->pending_offset;
    return bytes_of(b->pending.data, b->finished);
}

void table_builder_written(struct table_builder *b)
{
    size_t rest = b->pending.size - b->finished;
    if (rest) memmove(b->pending.data, b->pending.data + b->finished, rest);
    b->pending.size = rest;
    b->pending_offset += b->finished;
    b->finished = 0;
    b->block.begin = 0;
}

/* ---- the end of the file ---- */

/* Ends the section that began at `begin` of pending with its checksum. */
static int section_end(struct table_builder *b, size_t begin)
{
    unsigned char checksum[CHECKSUM_SIZE];
    struct bytes bytes = {b->pending.data + begin, b->pending.size - begin};
    put_u64(checksum, table_checksum(bytes, b->number, b->pending_offset + begin));
    return buffer_append(&b->pending, checksum, sizeof(checksum));
}

/* The index as it stands on disk: separators without the `skip` bytes that all keys share. */
static int index_append(struct table_builder *b)
{
    uint32_t skip =
        (uint32_t)shared_size(buffer_bytes(&b->smallest), buffer_bytes(&b->largest));
    struct buffer *out = &b->pending;
    int err = buffer_reserve(out, out->size + 8 + b->index.size + (size_t)b->blocks * 2);
    if (err) return err;
    unsigned char *to = out->data + out->size;
    put_u32(to, b->blocks);
    put_u32(to + 4, skip);
    to += 8;
    const unsigned char *p = b->index.data;
    for (uint32_t i = 0; i < b->blocks; i++) {
        uint32_t size = get_u32(p);
        to = varint_put(to, size - skip);
        to = varint_put(to, get_u32(p + 4));
        memcpy(to, p + 8 + skip, size - skip);
        to += size - skip;
        p += 8 + size;
    }
    out->size = (size_t)(to - out->data);
    return 0;
}

static int properties_append(struct table_builder *b)
{
    const struct table_summary *s = &b->summary;
    unsigned char p[TABLE_PROPERTIES];
    put_u64(p, s->entries);
    put_u64(p + 8, s->tombstones);
    put_u64(p + 16, s->data_bytes);
    put_u64(p + 24, s->sequence_min);
    put_u64(p + 32, s->sequence_max);
    put_u32(p + 40, b->blocks);
    put_u32(p + 44, b->block.interval);
    put_u32(p + 48, b->shape.bloom_bits);
    put_u32(p + 52, b->shape.block_bytes);
    put_u32(p + 56, 0);
    put_u32(p + 60, (uint32_t)b->smallest.size);
    put_u32(p + 64, (uint32_t)b->largest.size);
    int err = buffer_append(&b->pending, p, sizeof(p));
    if (!err) err = buffer_append(&b->pending, b->smallest.data, b->smallest.size);
    if (!err) err = buffer_append(&b->pending, b->largest.data, b->largest.size);
    return err;
}

int table_builder_finish(struct table_builder *b, struct table_summary *summary)
{
    int err = block_end(b);
    if (!err && b->last_block_size) err = index_add(b, buffer_bytes(&b->largest));
    if (err) return err;

    size_t filter = b->pending.size;
    if (b->shape.bloom_bits && b->hashes.size)
        err = bloom_append(&b->pending, (const uint64_t *)(const void *)b->hashes.data,
                           b->hashes.size / sizeof(uint64_t), b->shape.bloom_bits);
    if (!err) err = section_end(b, filter);
    size_t index = b->pending.size;
    if (!err) err = index_append(b);
    if (!err) err = section_end(b, index);
    size_t properties = b->pending.size;
    if (!err) err = properties_append(b);
    if (!err) err = section_end(b, properties);
    if (err) return err;

    unsigned char footer[TABLE_FOOTER - CHECKSUM_SIZE];
    size_t begin = b->pending.size;
    memcpy(footer, TABLE_MAGIC, 8);
    put_u64(footer + 8, b->number);
    put_u64(footer + 16, b->pending_offset + filter);
    put_u64(footer + 24, b->pending_offset + index);
    put_u64(footer + 32, b->pending_offset + properties);
    put_u64(footer + 40, b->pending_offset + begin);
    err = buffer_append(&b->pending, footer, sizeof(footer));
    if (!err) err = section_end(b, begin);
    if (err) return err;
    b->finished = b->pending.size;
    b->summary.file_bytes = b->pending_offset + b->pending.size;
    b->summary.tail_bytes = b->pending.size - filter;
    b->summary.smallest = buffer_bytes(&b->smallest);
    b->summary.largest = buffer_bytes(&b->largest);
    *summary = b->summary;
    return 0;
}
