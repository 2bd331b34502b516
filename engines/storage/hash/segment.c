/* Segment files: making, opening, reading in blocks. */
#include <errno.h>
#include <stdio.h>

#include "engines/storage/hash/hash_internal.h"

static const char segment_magic[8] = {'F', 'L', 'H', 'A', 'S', 'H', 'S', '1'};

/* ---- lists ---- */

int hash_segments_reserve(struct hash_engine *hash, struct segments *list, uint32_t count)
{
    const struct allocator *a = hash->base.host.allocator;
    if (count <= list->capacity) return 0;
    uint32_t capacity = list->capacity ? list->capacity * 2 : 8;
    if (capacity < count) capacity = count;
    struct segment **items = a->resize(a->context, list->items, list->capacity * sizeof(*items),
                                       capacity * sizeof(*items));
    if (!items) return -ENOMEM;
    list->items = items;
    list->capacity = capacity;
    return 0;
}

int hash_segments_add(struct hash_engine *hash, struct segments *list, struct segment *segment)
{
    int err = hash_segments_reserve(hash, list, list->count + 1);
    if (!err) list->items[list->count++] = segment;
    return err;
}

void hash_segments_deinit(struct hash_engine *hash, struct segments *list)
{
    allocator_free(hash->base.host.allocator, list->items,
                   list->capacity * sizeof(*list->items));
    *list = (struct segments){0};
}

/* ---- files ---- */

int hash_segment_path(const struct hash_engine *hash, uint32_t id, char out[ENGINE_PATH_SIZE])
{
    char name[32];
    snprintf(name, sizeof(name), "seg-%08x.data", id);
    return engine_path(out, hash->dir, name);
}

int hash_segment_corrupt(struct hash_engine *hash, uint32_t id, uint64_t offset,
                         const char *why)
{
    return engine_fail(&hash->base, -EBADMSG, "%s/seg-%08x.data at offset %llu: %s", hash->dir,
                       id, (unsigned long long)offset, why);
}

static void header_encode(unsigned char header[SEGMENT_HEADER], uint32_t id)
{
    memcpy(header, segment_magic, sizeof(segment_magic));
    put_u32(header + 8, id);
    put_u32(header + 12, crc32c(0, header, 12));
}

/* The lowest number that no segment has: slots of the index name segments by it. */
static int number_find(struct hash_engine *hash, uint32_t *number)
{
    const struct allocator *a = hash->base.host.allocator;
    uint32_t n = 0, count = hash->numbered_count;
    while (n < count && hash->numbered[n]) n++;
    *number = n;
    if (n < count) return 0;
    if (n > KEYDIR_NUMBER_MAX) return -EMFILE;
    uint32_t grown = count ? count * 2 : 4;
    struct segment **numbered = a->resize(a->context, hash->numbered, count * sizeof(*numbered),
                                          grown * sizeof(*numbered));
    if (!numbered) return -ENOMEM;
    for (uint32_t i = count; i < grown; i++) numbered[i] = NULL;
    hash->numbered = numbered;
    hash->numbered_count = grown;
    return 0;
}

static int segment_new(struct hash_engine *hash, uint32_t id, uint32_t flags,
                       struct segment **out)
{
    const struct allocator *a = hash->base.host.allocator;
    char path[ENGINE_PATH_SIZE];
    uint32_t number;
    int err = hash_segment_path(hash, id, path);
    if (!err) err = number_find(hash, &number);
    if (err) return err;
    struct segment *segment = allocator_alloc(a, sizeof(*segment));
    if (!segment) return -ENOMEM;
    unsigned char header[SEGMENT_HEADER];
    header_encode(header, id);
    *segment = (struct segment){.id = id,
                                .number = number,
                                .crc = get_u32(header + 12),
                                .size = SEGMENT_HEADER,
                                .index = {.allocator = a},
                                .filter = {.allocator = a}};
    err = vfs_open(hash->base.host.vfs, path, flags, &segment->file);
    if (err) {
        allocator_free(a, segment, sizeof(*segment));
        return err;
    }
    hash->numbered[number] = segment;
    *out = segment;
    return 0;
}

int hash_segment_create(struct hash_engine *hash, uint32_t id, struct segment **out)
{
    struct segment *segment;
    unsigned char header[SEGMENT_HEADER];
    /* TRUNCATE: an unlink of an older file of this name may have been lost. */
    int err = segment_new(hash, id, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &segment);
    if (err) return err;
    header_encode(header, id);
    err = vfs_write(segment->file, 0, bytes_of(header, sizeof(header)), VFS_META);
    if (err)
        hash_segment_close(hash, segment);
    else
        *out = segment;
    return err;
}

int hash_segment_open(struct hash_engine *hash, uint32_t id, struct segment **out)
{
    struct segment *segment;
    unsigned char header[SEGMENT_HEADER], expected[SEGMENT_HEADER];
    int err = segment_new(hash, id, VFS_WRITE, &segment);
    if (err == -ENOENT)
        return hash_segment_corrupt(hash, id, 0, "the manifest lists a file that is not there");
    if (err) return err;
    header_encode(expected, id);
    err = engine_file_read(segment->file, 0, header, sizeof(header), VFS_RECOVERY);
    if (err == -EBADMSG || (!err && memcmp(header, expected, sizeof(header)) != 0))
        err = hash_segment_corrupt(hash, id, 0, "a broken segment header");
    if (err)
        hash_segment_close(hash, segment);
    else
        *out = segment;
    return err;
}

void hash_segment_close(struct hash_engine *hash, struct segment *segment)
{
    vfs_close(segment->file);
    hash->numbered[segment->number] = NULL;
    hash_keydir_deinit(&segment->index);
    buffer_deinit(&segment->filter);
    allocator_free(hash->base.host.allocator, segment, sizeof(*segment));
}

/* ---- reading ---- */

int hash_segment_view(struct segment_reader *reader, uint64_t offset, size_t size,
                      const unsigned char **out)
{
    struct buffer *w = &reader->window;
    if (offset > reader->limit || size > reader->limit - offset) return -ERANGE;
    if (offset < reader->window_offset || offset + size > reader->window_offset + w->size) {
        uint64_t left = reader->limit - offset;
        size_t block = size > READ_BLOCK ? size : READ_BLOCK;
        if (block > left) block = (size_t)left;
        int err = buffer_reserve(w, block);
        if (err) return err;
        int64_t n = vfs_read(reader->segment->file, offset, w->data, block, reader->purpose);
        if (n < 0) return (int)n;
        reader->window_offset = offset;
        w->size = (size_t)n;
        if ((size_t)n < size) return -ERANGE;
    }
    *out = w->data + (offset - reader->window_offset);
    return 0;
}

bool hash_segment_holds(const struct segment_reader *reader, uint64_t offset)
{
    const struct buffer *w = &reader->window;
    if (offset < reader->window_offset || offset - reader->window_offset > w->size)
        return false;
    size_t at = (size_t)(offset - reader->window_offset), left = w->size - at;
    if (left < RECORD_HEADER) return false;
    uint64_t size = hash_record_header_size(w->data + at);
    return size == 0 || size <= left;
}

int hash_segment_record(struct segment_reader *reader, uint64_t offset, struct record *record)
{
    const unsigned char *data = NULL;
    int err = hash_segment_view(reader, offset, RECORD_HEADER, &data);
    if (err) return err == -ERANGE ? 0 : err;
    uint64_t size = hash_record_header_size(data);
    if (size == 0) return 0;
    err = hash_segment_view(reader, offset, (size_t)size, &data);
    if (err) return err == -ERANGE ? 0 : err;
    return hash_record_decode(data, reader->segment->id, offset, record);
}
