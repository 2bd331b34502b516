/* The manifest: which segments are the database, in which order. The table of offsets: hash.c.
 *
 * It is only ever replaced whole: a temporary file is written and synced, then renamed over the
 * old one, then the directory is synced. A cut leaves the old or the new manifest, never a
 * mixture, so a manifest whose checksum fails is rot and not a torn write.
 */
#include <errno.h>

#include "engines/storage/hash/hash_internal.h"

#define MANIFEST_HEADER 24u
#define MANIFEST_ENTRY 16u
#define MANIFEST_MAX (64u << 20) /* four million segments: beyond it the size is rot */

static const char manifest_magic[8] = {'F', 'L', 'H', 'A', 'S', 'H', 'M', '2'};

int hash_manifest_encode(struct buffer *out, const struct segments *segments, uint32_t next_id,
                         uint64_t live_keys)
{
    buffer_clear(out);
    int err = buffer_reserve(out, MANIFEST_HEADER + segments->count * MANIFEST_ENTRY + 4);
    if (err) return err;
    unsigned char *p = out->data;
    memcpy(p, manifest_magic, sizeof(manifest_magic));
    put_u32(p + 8, segments->count);
    put_u32(p + 12, next_id);
    put_u64(p + 16, live_keys);
    p += MANIFEST_HEADER;
    for (uint32_t i = 0; i < segments->count; i++, p += MANIFEST_ENTRY) {
        bool is_active = i + 1 == segments->count;
        const struct segment *segment = segments->items[i];
        put_u32(p, segment->id);
        put_u32(p + 4, is_active ? 0 : segment->crc);
        put_u64(p + 8, is_active ? 0 : segment->size);
    }
    put_u32(p, crc32c(0, out->data, (size_t)(p - out->data)));
    out->size = (size_t)(p - out->data) + 4;
    return 0;
}

const char *hash_manifest_decode(struct bytes data, struct buffer *entries,
                                 struct manifest_header *header, uint64_t *offset)
{
    const unsigned char *p = data.data;
    *offset = data.size;
    if (data.size < MANIFEST_HEADER + MANIFEST_ENTRY + 4 || data.size > MANIFEST_MAX)
        return "the size is wrong";
    size_t end = data.size - 4;
    *offset = 0;
    if (memcmp(p, manifest_magic, sizeof(manifest_magic)) != 0) return "not a manifest";
    *offset = end;
    if (get_u32(p + end) != crc32c(0, p, end)) return "the checksum is wrong";
    uint32_t count = get_u32(p + 8);
    *offset = 8;
    if (count == 0 || end != MANIFEST_HEADER + (uint64_t)count * MANIFEST_ENTRY)
        return "the count is wrong";
    if (buffer_reserve(entries, count * sizeof(struct manifest_entry))) return "";
    for (uint32_t i = 0; i < count; i++) {
        *offset = hash_manifest_offset(i);
        const unsigned char *e = p + *offset;
        struct manifest_entry entry = {
            .id = get_u32(e), .crc = get_u32(e + 4), .size = get_u64(e + 8)};
        /* size 0: the active segment, which is the last */
        if ((i + 1 == count) != (entry.size == 0) ||
            (entry.size && entry.size < SEGMENT_HEADER))
            return "an impossible size of a segment";
        buffer_append(entries, &entry, sizeof(entry));
    }
    *header = (struct manifest_header){get_u32(p + 12), get_u64(p + 16)};
    return NULL;
}

uint64_t hash_manifest_offset(uint32_t entry)
{
    return MANIFEST_HEADER + (uint64_t)entry * MANIFEST_ENTRY;
}

int hash_manifest_load(struct hash_engine *hash, struct buffer *out)
{
    struct vfs_file *file;
    char path[ENGINE_PATH_SIZE];
    uint64_t size;
    int err = engine_path(path, hash->dir, MANIFEST_NAME);
    if (!err) err = vfs_open(hash->base.host.vfs, path, VFS_READ, &file);
    if (err) return err;
    err = vfs_size(file, &size);
    if (!err && size > MANIFEST_MAX) size = MANIFEST_MAX + 1;
    if (!err) err = buffer_reserve(out, (size_t)size + 1);
    if (!err) err = engine_file_read(file, 0, out->data, (size_t)size, VFS_RECOVERY);
    if (!err) out->size = (size_t)size;
    vfs_close(file);
    return err;
}

int hash_manifest_read(struct hash_engine *hash, struct buffer *entries,
                       struct manifest_header *header)
{
    struct buffer data = {.allocator = hash->base.host.allocator};
    uint64_t offset;
    int err = hash_manifest_load(hash, &data);
    if (!err) {
        const char *why = hash_manifest_decode(buffer_bytes(&data), entries, header, &offset);
        if (why)
            err = !*why ? -ENOMEM
                        : engine_fail(&hash->base, -EBADMSG,
                                      "%s/" MANIFEST_NAME " at offset %llu: %s", hash->dir,
                                      (unsigned long long)offset, why);
    }
    buffer_deinit(&data);
    return err;
}

int hash_manifest_write(struct hash_engine *hash, const char *dir, const char *temp_name,
                        const struct segments *segments, uint32_t next_id)
{
    struct buffer data = {.allocator = hash->base.host.allocator};
    int err = hash_manifest_encode(&data, segments, next_id, hash->live_keys);
    if (!err)
        err = engine_file_replace(&hash->base, dir, temp_name, MANIFEST_NAME,
                                  buffer_bytes(&data), hash->options.on_sync_failure);
    buffer_deinit(&data);
    return err;
}
