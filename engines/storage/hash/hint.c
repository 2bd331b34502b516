/* Hint files: a sealed segment without its values, so that an open need not read those.
 *
 *     offset  size
 *     0       8   "FLHASHH1"
 *     8       4   id of the segment
 *     12      ..  an entry for each record of the segment, in its order:
 *                     4  value size; 0xffffffff: a delete; 0xfffffffe: a mark
 *                     2  key size
 *                     .. key
 *     end     8   "FLHASHE1"
 *             8   bytes of the segment
 *             8   sequence of its last record
 *             4   CRC of its last record
 *             4   CRC-32C of all before
 *
 * Offsets are not written: records stand one behind the other. Beside a put of 16 bytes of key
 * and 100 of value it is 22 bytes, an eighth more to write.
 *
 * The file is written along with its segment, in pieces of HINT_BLOCK bytes: by writes for the
 * active segment, by a merge for its outputs, by recovery for segments that it had to read
 * whole. It is never synced, and no failure of it is anybody's: it is believed only when its
 * own checksum holds and the manifest lists the segment with the size and the last CRC that it
 * names (each record's CRC covers the one before: that is the segment, and no other of its id).
 * Else the segment is read whole.
 *
 * The active segment is always read whole: it is shorter than segment_size, and what is durable
 * of it is only known by looking.
 */
#include <errno.h>
#include <stdio.h>

#include "engines/storage/hash/hash_internal.h"
#include "engines/storage/hash/hint.h"

/* ---- writing ---- */

void hash_hint_begin(struct hash_engine *hash, struct hint_stream *stream, uint32_t id,
                     enum vfs_purpose purpose)
{
    unsigned char header[HINT_HEADER];
    hash_hint_abandon(stream);
    *stream = (struct hint_stream){.id = id,
                                   .purpose = purpose,
                                   .is_broken = !hash->options.hint_files,
                                   .out = {.allocator = hash->base.host.allocator}};
    if (stream->is_broken) return;
    memcpy(header, hash_hint_magic, 8);
    put_u32(header + 8, id);
    if (buffer_append(&stream->out, header, sizeof(header))) hash_hint_abandon(stream);
}

void hash_hint_abandon(struct hint_stream *stream)
{
    if (stream->file) vfs_close(stream->file);
    if (stream->out.allocator) buffer_deinit(&stream->out);
    stream->file = NULL;
    stream->is_broken = true;
}

void hash_hint_add(struct hint_stream *stream, enum record_kind kind, struct bytes key,
                   uint32_t value_size)
{
    if (stream->is_broken) return;
    struct buffer *out = &stream->out;
    if (stream->written + out->size > HINT_SIZE_MAX ||
        buffer_reserve(out, out->size + HINT_ENTRY + key.size)) {
        hash_hint_abandon(stream);
        return;
    }
    unsigned char *p = out->data + out->size;
    put_u32(p, kind == RECORD_DELETE ? HINT_DELETE
               : kind == RECORD_MARK ? HINT_MARK
                                     : value_size);
    put_u16(p + 4, (uint16_t)key.size);
    bytes_copy(p + HINT_ENTRY, key);
    out->size += HINT_ENTRY + key.size;
}

int hash_hint_path(const char *dir, uint32_t id, char out[ENGINE_PATH_SIZE])
{
    char name[32];
    snprintf(name, sizeof(name), "seg-%08x.hint", id);
    return engine_path(out, dir, name);
}

void hash_hint_flush(struct hash_engine *hash, struct hint_stream *stream,
                     struct segment *segment)
{
    char path[ENGINE_PATH_SIZE];
    int err = 0;
    if (stream->is_broken || stream->out.size == 0) return;
    if (!stream->file) {
        err = hash_hint_path(hash->dir, stream->id, path);
        if (!err)
            err = vfs_open(hash->base.host.vfs, path, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE,
                           &stream->file);
        if (!err) segment->has_hint = true;
    }
    if (!err)
        err = vfs_write(stream->file, stream->written, buffer_bytes(&stream->out),
                        stream->purpose);
    if (err) {
        hash_hint_abandon(stream);
        return;
    }
    stream->crc = crc32c(stream->crc, stream->out.data, stream->out.size);
    stream->written += stream->out.size;
    segment->hint_bytes = stream->written;
    buffer_clear(&stream->out);
}

void hash_hint_end(struct hash_engine *hash, struct hint_stream *stream,
                   struct segment *segment)
{
    unsigned char footer[HINT_FOOTER];
    if (stream->is_broken) return;
    memcpy(footer, hash_hint_end_magic, 8);
    put_u64(footer + 8, segment->size);
    put_u64(footer + 16, segment->sequence);
    put_u32(footer + 24, segment->crc);
    uint32_t crc = crc32c(stream->crc, stream->out.data, stream->out.size);
    put_u32(footer + 28, crc32c(crc, footer, HINT_FOOTER - 4));
    if (buffer_append(&stream->out, footer, sizeof(footer)) == 0)
        hash_hint_flush(hash, stream, segment);
    hash_hint_abandon(stream); /* which closes it */
}

/* ---- reading ---- */

const char hash_hint_magic[8] = {'F', 'L', 'H', 'A', 'S', 'H', 'H', '1'};
const char hash_hint_end_magic[8] = {'F', 'L', 'H', 'A', 'S', 'H', 'E', '1'};

bool hash_hint_next(struct bytes file, size_t *position, struct hint_entry *entry)
{
    const unsigned char *p = (const unsigned char *)file.data + *position;
    size_t left = file.size - HINT_FOOTER - *position;
    if (left < HINT_ENTRY) return false;
    uint32_t value_size = get_u32(p), key_size = get_u16(p + 4);
    if (left - HINT_ENTRY < key_size ||
        (value_size > HASH_VALUE_SIZE_MAX && value_size < HINT_MARK) ||
        (value_size == HINT_MARK && key_size))
        return false;
    entry->kind = value_size == HINT_DELETE ? RECORD_DELETE
                  : value_size == HINT_MARK ? RECORD_MARK
                                            : RECORD_PUT;
    entry->value_size = entry->kind == RECORD_PUT ? value_size : 0;
    entry->key = bytes_of(p + HINT_ENTRY, key_size);
    *position += HINT_ENTRY + key_size;
    return true;
}

/* True when the file is whole and describes a segment of this id, size and last CRC. */
static bool is_valid(struct bytes file, uint32_t id, uint64_t size, uint32_t crc,
                     struct keydir_room *room)
{
    const unsigned char *p = file.data;
    const unsigned char *end = p + file.size - HINT_FOOTER;
    struct hint_entry entry;
    size_t position = HINT_HEADER;
    uint64_t offset = SEGMENT_HEADER;
    if (memcmp(p, hash_hint_magic, 8) != 0 || get_u32(p + 8) != id ||
        memcmp(end, hash_hint_end_magic, 8) != 0 || get_u64(end + 8) != size ||
        get_u32(end + 24) != crc || get_u32(end + 28) != crc32c(0, p, file.size - 4))
        return false;
    while (hash_hint_next(file, &position, &entry)) {
        offset += record_size(entry.key.size, entry.value_size);
        if (entry.kind == RECORD_MARK) continue;
        room->keys++;
        room->key_bytes += entry.key.size;
        if (entry.key.size > room->widest) room->widest = entry.key.size;
    }
    return position == file.size - HINT_FOOTER && offset == size;
}

int hash_hint_read(struct hash_engine *hash, uint32_t id, struct buffer *out)
{
    char path[ENGINE_PATH_SIZE];
    struct vfs_file *file;
    uint64_t size;
    int err = hash_hint_path(hash->dir, id, path);
    if (!err) err = vfs_open(hash->base.host.vfs, path, VFS_READ, &file);
    if (err) return err;
    err = vfs_size(file, &size);
    if (!err && size > HINT_SIZE_MAX) err = -EFBIG;
    if (!err) err = buffer_reserve(out, (size_t)size + 1);
    if (!err) err = engine_file_read(file, 0, out->data, (size_t)size, VFS_RECOVERY);
    if (!err) out->size = (size_t)size;
    vfs_close(file);
    return err;
}

int hash_hint_load(struct hash_engine *hash, struct segment *segment, uint32_t crc)
{
    struct buffer data = {.allocator = hash->base.host.allocator};
    struct keydir_room room = {0};
    int err = hash_hint_read(hash, segment->id, &data);
    segment->has_hint = err != -ENOENT;
    segment->hint_bytes = data.size;
    bool is_good = !err && data.size >= HINT_HEADER + HINT_FOOTER &&
                   is_valid(buffer_bytes(&data), segment->id, segment->size, crc, &room);
    if (is_good) {
        struct applier applier = {.hash = hash, .segment = segment};
        struct hint_entry entry;
        size_t position = HINT_HEADER;
        uint64_t offset = SEGMENT_HEADER;
        err = hash_index_reserve(hash, segment, &room);
        while (!err && hash_hint_next(buffer_bytes(&data), &position, &entry)) {
            hash_applier_add(&applier, entry.kind, entry.key, (uint32_t)offset,
                             entry.value_size);
            if (applier.count == APPLIER_ITEMS) hash_applier_apply(&applier, APPLIER_STEP);
            offset += record_size(entry.key.size, entry.value_size);
        }
        if (!err) hash_applier_apply(&applier, applier.count);
        const unsigned char *end = data.data + data.size - HINT_FOOTER;
        segment->sequence = get_u64(end + 16);
        segment->crc = crc;
    }
    buffer_deinit(&data);
    return err == -ENOMEM ? err : is_good;
}
