/* The log: batches in the order in which they were acknowledged, in segments. The table of
 * offsets stands in btree.c.
 *
 * A batch is one write; a sync makes it and all before it durable, so any number of writes and
 * one engine_sync() are a group commit. A record's checksum is salted with its segment and
 * offset, and each record names the checksum of the one before it, over the segments' ends: a
 * chain that nothing else continues. `synced` is what hash has too: how much of the segment was
 * durable when the record was written, which tells rot from a torn tail.
 *
 * A segment gives way to the next when a checkpoint is sealed; the next one was made, synced
 * and named before (the standby), so that sealing costs one sync. Segments before the active
 * one are durable to their end (I6) and go when the checkpoint is durable.
 */
#include <errno.h>
#include <stdio.h>

#include "engines/storage/btree/btree_internal.h"

#define WINDOW_BYTES 65536u /* read at once in recovery */
#define KEPT_BYTES 16384u   /* of the scratch buffer, between writes */

static const char wal_magic[8] = {'F', 'L', 'B', 'T', 'R', 'E', 'W', '1'};

/* ---- names ---- */

int btree_wal_path(const struct btree *tree, uint32_t id, char out[ENGINE_PATH_SIZE])
{
    char name[32];
    snprintf(name, sizeof(name), "redo-%08x.log", id);
    return engine_path(out, tree->dir, name);
}

bool btree_wal_name_parse(const char *name, uint32_t *id)
{
    static const char hex[] = "0123456789abcdef";
    uint32_t value = 0;
    if (strlen(name) != 17 || memcmp(name, "redo-", 5) != 0 || strcmp(name + 13, ".log") != 0)
        return false;
    for (int i = 5; i < 13; i++) {
        const char *digit = name[i] ? strchr(hex, name[i]) : NULL;
        if (!digit) return false;
        value = value << 4 | (uint32_t)(digit - hex);
    }
    *id = value;
    return true;
}

/* ---- records ---- */

static uint64_t record_checksum(const unsigned char *record, size_t size, uint32_t id,
                                uint64_t offset)
{
    return bytes_hash(bytes_of(record + 8, size - 8), (uint64_t)id << 32 ^ offset);
}

static int batch_encode(struct buffer *out, const struct engine_batch *batch)
{
    struct engine_batch_item item;
    size_t position = 0, size = WAL_RECORD + batch->encoded.size;
    int err = buffer_reserve(out, size);
    if (err) return err;
    unsigned char *p = out->data + WAL_RECORD;
    while (engine_batch_next(batch, &position, &item)) {
        p[0] = item.is_delete;
        put_u32(p + 1, (uint32_t)item.key.size);
        put_u32(p + 5, (uint32_t)item.value.size);
        p += WAL_ITEM;
        if (item.key.size) memcpy(p, item.key.data, item.key.size);
        p += item.key.size;
        if (item.value.size) memcpy(p, item.value.data, item.value.size);
        p += item.value.size;
    }
    out->size = (size_t)(p - out->data);
    return 0;
}

static void record_finish(const struct btree *tree, unsigned char *record, size_t size,
                          uint32_t count)
{
    const struct wal_segment *active = &tree->wal.active;
    put_u32(record + 8, tree->wal.chain);
    put_u32(record + 12, (uint32_t)(size - WAL_RECORD));
    put_u32(record + 16, (uint32_t)active->synced);
    put_u32(record + 20, count);
    put_u64(record, record_checksum(record, size, active->id, active->size));
}

bool btree_wal_item_next(const struct wal_record *record, size_t *position,
                         struct engine_batch_item *item)
{
    size_t left = record->size - *position;
    const unsigned char *p = record->payload + *position;
    if (left < WAL_ITEM || p[0] > 1) return false;
    uint64_t key_size = get_u32(p + 1), value_size = get_u32(p + 5);
    if (key_size + value_size > left - WAL_ITEM || (p[0] && value_size)) return false;
    item->is_delete = p[0] != 0;
    item->key = bytes_of(p + WAL_ITEM, (size_t)key_size);
    item->value = bytes_of(p + WAL_ITEM + key_size, (size_t)value_size);
    *position += (size_t)(WAL_ITEM + key_size + value_size);
    return true;
}

/* ---- appending ---- */

static int append_failed(struct btree *tree, int err)
{
    if (tree->options.on_sync_failure == SYNC_PANIC) tree->is_read_only = true;
    return engine_fail(&tree->base, err, "%s/redo-%08x.log: write failed (errno %d)", tree->dir,
                       tree->wal.active.id, -err);
}

int btree_wal_sync(struct btree *tree)
{
    struct wal_segment *active = &tree->wal.active;
    int err =
        engine_file_sync(&tree->base, active->file, VFS_LOG, tree->options.on_sync_failure);
    if (err) return btree_sync_failed(tree, err, "the log");
    active->synced = active->size;
    return 0;
}

static void scratch_trim(struct btree *tree)
{
    if (tree->wal.scratch.capacity > KEPT_BYTES) buffer_deinit(&tree->wal.scratch);
}

int btree_wal_append(struct btree *tree, const struct engine_batch *batch, bool is_synced)
{
    struct wal_segment *active = &tree->wal.active;
    struct buffer *scratch = &tree->wal.scratch;
    if (batch->encoded.size + WAL_RECORD + active->size > UINT32_MAX)
        return engine_fail(&tree->base, -EFBIG, "%s: a log beyond 4 GiB", tree->dir);
    int err = batch_encode(scratch, batch);
    if (err) return err;
    record_finish(tree, scratch->data, scratch->size, batch->count);
    uint32_t chain = (uint32_t)load_u64(scratch->data);
    uint64_t size = active->size;
    err = vfs_write(active->file, size, buffer_bytes(scratch), VFS_LOG);
    if (err) err = append_failed(tree, err);
    if (!err) active->size += scratch->size;
    if (!err && is_synced) err = btree_wal_sync(tree);
    if (err)
        active->size = size; /* I5 */
    else
        tree->wal.chain = chain;
    if (!err) tree->wal.owes_mark = true;
    scratch_trim(tree);
    return err;
}

/* A record that only claims. Not synced, and its failure is nobody's: without it the file is as
 * good as after a crash. */
void btree_wal_mark(struct btree *tree)
{
    unsigned char mark[WAL_RECORD];
    record_finish(tree, mark, sizeof(mark), 0);
    vfs_write(tree->wal.active.file, tree->wal.active.size, bytes_of(mark, sizeof(mark)),
              VFS_LOG);
}

/* ---- segments ---- */

/* A new file with its header, not synced. */
int btree_wal_segment_create(struct btree *tree, uint32_t id, struct wal_segment *segment)
{
    unsigned char header[WAL_HEADER] = {0};
    char path[ENGINE_PATH_SIZE];
    struct vfs_file *file;
    memcpy(header, wal_magic, sizeof(wal_magic));
    put_u32(header + 8, id);
    put_u64(header + 24, bytes_hash(bytes_of(header, 24), 0));
    int err = btree_wal_path(tree, id, path);
    if (!err)
        err = vfs_open(tree->base.host.vfs, path, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &file);
    if (err) goto failed;
    err = vfs_write(file, 0, bytes_of(header, sizeof(header)), VFS_META);
    if (err) {
        vfs_close(file);
        goto failed;
    }
    *segment = (struct wal_segment){file, WAL_HEADER, 0, id};
    return 0;

failed:
    return engine_fail(&tree->base, err, "%s/redo-%08x.log: making it failed (errno %d)",
                       tree->dir, id, -err);
}

void btree_wal_segment_close(struct wal_segment *segment)
{
    if (segment->file) vfs_close(segment->file);
    segment->file = NULL;
}

/* The standby becomes the active segment. The old one is synced to its end. */
void btree_wal_switch(struct btree *tree)
{
    struct wal *wal = &tree->wal;
    ENGINE_CHECK(&tree->base, wal->active.synced == wal->active.size && wal->standby.file);
    btree_wal_sealed_add(tree, wal->active.size);
    btree_wal_segment_close(&wal->active);
    wal->active = wal->standby;
    wal->active.synced = wal->active.size;
    wal->standby.file = NULL;
    wal->owes_mark = false;
}

int btree_wal_sealed_reserve(struct btree *tree)
{
    return buffer_reserve(&tree->wal.sealed, tree->wal.sealed.size + sizeof(uint64_t));
}

void btree_wal_sealed_add(struct btree *tree, uint64_t size)
{
    buffer_append(&tree->wal.sealed, &size, sizeof(size)); /* reserved: cannot fail */
    tree->wal.sealed_bytes += size;
}

void btree_wal_sealed_drop(struct btree *tree)
{
    struct buffer *sealed = &tree->wal.sealed;
    uint64_t size;
    memcpy(&size, sealed->data, sizeof(size));
    tree->wal.sealed_bytes -= size;
    sealed->size -= sizeof(size);
    memmove(sealed->data, sealed->data + sizeof(size), sealed->size);
    tree->wal.first_id++;
}

uint64_t btree_wal_bytes(const struct btree *tree)
{
    return tree->wal.sealed_bytes + tree->wal.active.size;
}

/* ---- reading ---- */

static int window_fill(struct wal_reader *reader, uint64_t offset, size_t size)
{
    if (offset >= reader->window_at && offset + size <= reader->window_at + reader->window.size)
        return 0;
    uint64_t left = reader->limit - offset;
    size_t wanted = size < WINDOW_BYTES ? WINDOW_BYTES : size;
    if (wanted > left) wanted = (size_t)left;
    int err = buffer_reserve(&reader->window, wanted);
    if (err) return err;
    reader->window.size = 0;
    err = engine_file_read(reader->file, offset, reader->window.data, wanted, reader->purpose);
    if (err) return err;
    reader->window.size = wanted;
    reader->window_at = offset;
    return 0;
}

int btree_wal_read(struct wal_reader *reader, uint64_t offset, struct wal_record *record)
{
    if (offset + WAL_RECORD > reader->limit) return 0;
    int err = window_fill(reader, offset, WAL_RECORD);
    if (err) return err;
    const unsigned char *p = reader->window.data + (offset - reader->window_at);
    uint64_t size = WAL_RECORD + (uint64_t)get_u32(p + 12);
    if (size > reader->limit - offset) return 0;
    /* An item takes nine bytes at least; a mark has none. */
    if ((uint64_t)get_u32(p + 20) * WAL_ITEM > size - WAL_RECORD) return 0;
    if ((get_u32(p + 20) == 0) != (size == WAL_RECORD)) return 0;
    err = window_fill(reader, offset, (size_t)size);
    if (err) return err;
    p = reader->window.data + (offset - reader->window_at);
    if (load_u64(p) != record_checksum(p, (size_t)size, reader->id, offset)) return 0;
    *record = (struct wal_record){.checksum = load_u64(p),
                                  .previous = get_u32(p + 8),
                                  .size = get_u32(p + 12),
                                  .synced = get_u32(p + 16),
                                  .count = get_u32(p + 20),
                                  .payload = p + WAL_RECORD};
    return 1;
}

int btree_wal_claims(struct wal_reader *reader, uint64_t from, bool *found, uint64_t *claimed)
{
    struct wal_record record = {0};
    *found = false;
    *claimed = 0;
    for (uint64_t offset = from; offset + WAL_RECORD <= reader->limit;) {
        int n = btree_wal_read(reader, offset, &record);
        if (n < 0) return n;
        if (n > 0) {
            *found = true;
            if (record.synced > *claimed) *claimed = record.synced;
        }
        offset += n > 0 ? WAL_RECORD + record.size : 1;
    }
    return 0;
}

int btree_wal_reader_open(struct btree *tree, uint32_t id, uint32_t flags,
                          enum vfs_purpose purpose, struct wal_reader *reader)
{
    char path[ENGINE_PATH_SIZE];
    *reader = (struct wal_reader){
        .id = id, .purpose = purpose, .window = {.allocator = tree->base.host.allocator}};
    int err = btree_wal_path(tree, id, path);
    if (!err) err = vfs_open(tree->base.host.vfs, path, flags, &reader->file);
    if (err) return err;
    err = vfs_size(reader->file, &reader->limit);
    if (err) btree_wal_reader_close(reader);
    return err;
}

void btree_wal_reader_close(struct wal_reader *reader)
{
    if (reader->file) vfs_close(reader->file);
    reader->file = NULL;
    buffer_deinit(&reader->window);
}

int btree_wal_header_read(struct wal_reader *reader)
{
    unsigned char header[WAL_HEADER];
    if (reader->limit < WAL_HEADER) return 0;
    int err = engine_file_read(reader->file, 0, header, sizeof(header), reader->purpose);
    if (err) return err;
    return memcmp(header, wal_magic, sizeof(wal_magic)) == 0 &&
           get_u32(header + 8) == reader->id &&
           load_u64(header + 24) == bytes_hash(bytes_of(header, 24), 0);
}
