/* Opening a database of segments: what is listed is read, what is torn is cut, what is not
 * listed is removed. The states that a crash can leave, and what is done with each, stand in
 * hash.c.
 */
#include <errno.h>
#include <stdio.h>

#include "engines/storage/hash/hash_internal.h"
#include "engines/storage/hash/hint.h"

/* ---- a first segment ---- */

static int find_segment(void *context, const char *name, bool is_directory)
{
    struct hash_engine *hash = context;
    uint32_t id;
    char rest[8] = "";
    struct vfs_file *file;
    char path[ENGINE_PATH_SIZE];
    uint64_t size = 0;
    if (strcmp(name, ENGINE_COPY_MARK) == 0) return engine_copy_refuse(&hash->base, hash->dir);
    if (is_directory || sscanf(name, "seg-%8x.%7s", &id, rest) != 2 ||
        strcmp(rest, "data") != 0)
        return 0;
    /* A database that was being made has one segment without records. */
    int err = hash_segment_path(hash, id, path);
    if (!err) err = vfs_open(hash->base.host.vfs, path, VFS_READ, &file);
    if (err) return err;
    err = vfs_size(file, &size);
    vfs_close(file);
    if (!err && size > SEGMENT_HEADER)
        err = engine_fail(&hash->base, -EBADMSG,
                          "%s/" MANIFEST_NAME " at offset 0: missing, but there is %s",
                          hash->dir, name);
    return err;
}

/* No manifest: nothing was ever acknowledged here, or the manifest is lost. */
static int hash_create(struct hash_engine *hash)
{
    struct vfs *vfs = hash->base.host.vfs;
    struct segment *segment;
    int err = vfs_list(vfs, hash->dir, find_segment, hash);
    if (err) return err;
    hash->next_id = 2;
    err = hash_segment_create(hash, 1, &segment);
    if (err) return err;
    err = engine_file_sync(&hash->base, segment->file, VFS_META, hash->options.on_sync_failure);
    if (!err) err = hash_segments_add(hash, &hash->segments, segment);
    if (err) {
        hash_segment_close(hash, segment);
        return err;
    }
    segment->synced = segment->size;
    hash_hint_begin(hash, &hash->hint, segment->id, VFS_META);
    err = vfs_sync_dir(vfs, hash->dir);
    return err ? err
               : hash_manifest_write(hash, hash->dir, MANIFEST_ROLL_NAME, &hash->segments,
                                     hash->next_id);
}

/* ---- what is not listed ---- */

struct strays {
    struct hash_engine *hash;
    const struct buffer *entries;
    struct buffer names;
};

static bool is_listed(const struct buffer *entries, uint32_t id)
{
    const struct manifest_entry *e = (const struct manifest_entry *)(const void *)entries->data;
    for (size_t i = 0; i < entries->size / sizeof(*e); i++)
        if (e[i].id == id) return true;
    return false;
}

static int find_stray(void *context, const char *name, bool is_directory)
{
    struct strays *strays = context;
    uint32_t id;
    char canonical[32];
    bool is_stray =
        strcmp(name, MANIFEST_ROLL_NAME) == 0 || strcmp(name, MANIFEST_MERGE_NAME) == 0;
    if (is_directory) return 0;
    if (sscanf(name, "seg-%8x", &id) == 1 && !is_listed(strays->entries, id)) {
        snprintf(canonical, sizeof(canonical), "seg-%08x.data", id);
        is_stray = strcmp(name, canonical) == 0;
        snprintf(canonical, sizeof(canonical), "seg-%08x.hint", id);
        is_stray = is_stray || strcmp(name, canonical) == 0;
    }
    return is_stray ? buffer_append(&strays->names, name, strlen(name) + 1) : 0;
}

/* Removes outputs of merges that did not come to their switch, inputs of those that did, and
 * temporary manifests. Files of other names are not ours. */
static int strays_remove(struct hash_engine *hash, const struct buffer *entries)
{
    struct strays strays = {hash, entries, {.allocator = hash->base.host.allocator}};
    char path[ENGINE_PATH_SIZE];
    int err = vfs_list(hash->base.host.vfs, hash->dir, find_stray, &strays);
    for (size_t i = 0; !err && i < strays.names.size;) {
        const char *name = (const char *)strays.names.data + i;
        err = engine_path(path, hash->dir, name);
        if (!err) err = vfs_unlink(hash->base.host.vfs, path);
        i += strlen(name) + 1;
    }
    buffer_deinit(&strays.names);
    return err;
}

/* ---- records ---- */

void hash_applier_add(struct applier *applier, enum record_kind kind, struct bytes key,
                      uint32_t offset, uint32_t value_size)
{
    uint64_t h = kind == RECORD_MARK ? 0 : bytes_hash(key, 0);
    applier->items[applier->count++] = (struct applier_item){kind, offset, value_size, key, h};
    if (kind != RECORD_MARK) hash_index_prefetch(applier->hash, applier->segment, h);
}

static void applier_fetch(struct applier *applier, uint32_t end)
{
    for (; applier->fetched < end; applier->fetched++)
        if (applier->items[applier->fetched].kind != RECORD_MARK)
            hash_index_prefetch_key(applier->hash, applier->segment,
                                    applier->items[applier->fetched].hash);
}

void hash_applier_apply(struct applier *applier, uint32_t count)
{
    struct hash_engine *hash = applier->hash;
    applier_fetch(applier, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct applier_item *item = &applier->items[i];
        if (item->kind == RECORD_PUT)
            hash_index_put(hash, applier->segment, item->offset, item->hash, item->key,
                           item->value_size);
        else if (item->kind == RECORD_DELETE)
            hash_index_delete(hash, applier->segment, item->offset, item->hash, item->key);
        else
            applier->segment->dead_bytes += RECORD_HEADER;
    }
    applier->count -= count;
    applier->fetched -= count;
    memmove(applier->items, applier->items + count, applier->count * sizeof(*applier->items));
    applier_fetch(applier, applier->count < APPLIER_STEP ? applier->count : APPLIER_STEP);
}

/* The replay of one segment. Records wait in the applier until their batch is whole; a batch
 * that is too long for it, or for the window, is read again when its end has been seen. */
struct replay {
    struct segment_reader reader;
    struct applier applier;
    struct hint_stream *hint; /* what is applied is added to it */
    uint32_t whole;           /* of the applier's items: of whole batches */
    uint64_t batch;           /* where the batch being read begins */
    bool is_reread;           /* it is not in the applier */
    /* results */
    uint64_t good;     /* end of the last whole batch */
    uint64_t sequence; /* of its last record */
    uint32_t crc;      /* likewise */
    bool last_is_mark; /* which claims all before itself */
    uint64_t damage;   /* offset of the record that ended the replay; == limit: none */
};

static int replay_apply(struct replay *r, uint32_t most)
{
    struct applier *a = &r->applier;
    uint32_t count = r->whole < most ? r->whole : most;
    struct keydir_room room = {.keys = count};
    for (uint32_t i = 0; i < count; i++) {
        const struct applier_item *item = &a->items[i];
        room.key_bytes += item->key.size;
        if (item->key.size > room.widest) room.widest = item->key.size;
    }
    int err = count ? hash_index_reserve(a->hash, a->segment, &room) : 0;
    if (err) return err;
    for (uint32_t i = 0; i < count; i++)
        hash_hint_add(r->hint, a->items[i].kind, a->items[i].key, a->items[i].value_size);
    if (r->hint->out.size >= HINT_BLOCK) hash_hint_flush(a->hash, r->hint, a->segment);
    hash_applier_apply(a, count);
    r->whole -= count;
    return 0;
}

/* The items of an unfinished batch can not stay where they are. */
static void replay_forget_batch(struct replay *r)
{
    if (r->applier.count > r->whole) r->is_reread = true;
    r->applier.count = r->whole;
    if (r->applier.fetched > r->whole) r->applier.fetched = r->whole;
}

static int replay_reread(struct replay *r, uint64_t end)
{
    struct segment_reader reader = {
        .segment = r->reader.segment, .limit = end, .purpose = r->reader.purpose};
    struct record record;
    int err = replay_apply(r, APPLIER_ITEMS);
    reader.window.allocator = r->reader.window.allocator;
    for (uint64_t offset = r->batch; !err && offset < end;) {
        int n = hash_segment_record(&reader, offset, &record);
        if (n <= 0) {
            err = n ? n
                    : hash_segment_corrupt(r->applier.hash, reader.segment->id, offset,
                                           "a broken record");
            break;
        }
        hash_applier_add(&r->applier, record.kind, record.key, (uint32_t)offset,
                         (uint32_t)record.value.size);
        r->whole = 1;
        err = replay_apply(r, APPLIER_ITEMS);
        offset += record_size(record.key.size, record.value.size);
    }
    buffer_deinit(&reader.window);
    return err;
}

/* Follows the chain of records from the first to the one that does not continue it, and applies
 * every whole batch. */
static int replay_run(struct replay *r)
{
    struct record record;
    uint64_t offset = SEGMENT_HEADER, remaining = 0;
    uint32_t crc = r->crc;
    r->good = r->batch = offset;
    while (offset < r->reader.limit) {
        if (!hash_segment_holds(&r->reader, offset)) {
            int err = replay_apply(r, APPLIER_ITEMS);
            if (err) return err;
            replay_forget_batch(r);
        }
        int n = hash_segment_record(&r->reader, offset, &record);
        if (n < 0) return n;
        /* I2: each record names the checksum of the one before, and counts its batch down. */
        if (n == 0 || record.previous != crc ||
            (remaining && record.remaining != remaining - 1))
            break;
        uint64_t at = offset;
        crc = record.crc;
        remaining = record.remaining;
        offset += record_size(record.key.size, record.value.size);
        if (r->applier.count == APPLIER_ITEMS) {
            int err = replay_apply(r, APPLIER_STEP);
            if (err) return err;
            if (r->applier.count == APPLIER_ITEMS) replay_forget_batch(r);
        }
        if (!r->is_reread)
            hash_applier_add(&r->applier, record.kind, record.key, (uint32_t)at,
                             (uint32_t)record.value.size);
        if (remaining) continue;
        if (r->is_reread) {
            int err = replay_reread(r, offset);
            if (err) return err;
        }
        r->is_reread = false;
        r->whole = r->applier.count;
        r->good = r->batch = offset;
        r->crc = crc;
        r->sequence = record.sequence;
        r->last_is_mark = record.kind == RECORD_MARK && record.synced == at;
    }
    r->damage = offset;
    replay_forget_batch(r);
    return replay_apply(r, APPLIER_ITEMS);
}

/* The most bytes that any valid record behind `from`, at whatever offset, says were durable. */
static int claims_behind(struct segment_reader *reader, uint64_t from, uint64_t *claimed)
{
    struct record record;
    uint64_t most = 0;
    for (uint64_t offset = from; offset + RECORD_HEADER <= reader->limit;) {
        int n = hash_segment_record(reader, offset, &record);
        if (n < 0) return n;
        if (n > 0 && record.synced > most) most = record.synced;
        offset += n > 0 ? record_size(record.key.size, record.value.size) : 1;
    }
    *claimed = most;
    return 0;
}

/* Reads a segment of a known size (sealed), or up to its last whole batch (active). */
static int segment_replay(struct hash_engine *hash, struct segment *segment, bool is_sealed,
                          struct hint_stream *hint)
{
    const struct allocator *a = hash->base.host.allocator;
    uint64_t size, claimed = 0;
    int err = vfs_size(segment->file, &size);
    if (err) return err;
    struct replay *r = allocator_alloc(a, sizeof(*r));
    if (!r) return -ENOMEM;
    *r = (struct replay){.reader = {.segment = segment,
                                    .limit = is_sealed ? segment->size : size,
                                    .purpose = VFS_RECOVERY,
                                    .window = {.allocator = a}},
                         .applier = {.hash = hash, .segment = segment},
                         .hint = hint,
                         .crc = segment->crc};
    err = replay_run(r);
    if (err) goto done;
    if (is_sealed && r->good != segment->size) {
        err = hash_segment_corrupt(hash, segment->id, r->damage, "a broken record"); /* I5 */
        goto done;
    }
    if (r->good != size && !is_sealed) {
        err = claims_behind(&r->reader, r->good, &claimed);
        if (!err && claimed > r->good)
            err =
                hash_segment_corrupt(hash, segment->id, r->damage, "a broken record"); /* I4 */
        if (!err) err = vfs_truncate(segment->file, r->good);
        if (err) goto done;
        hash->cut_bytes = size - r->good;
    }
    segment->size = r->good;
    segment->crc = r->crc;
    segment->sequence = r->sequence;
    hash->owes_mark = r->good > SEGMENT_HEADER && !r->last_is_mark;
done:
    buffer_deinit(&r->reader.window);
    allocator_free(a, r, sizeof(*r));
    return err;
}

static int sealed_load(struct hash_engine *hash, struct segment *segment, uint32_t crc)
{
    struct hint_stream hint = {.is_broken = true};
    uint64_t size;
    int err = vfs_size(segment->file, &size);
    if (err) return err;
    if (segment->size > size)
        return hash_segment_corrupt(hash, segment->id, size,
                                    "the file is shorter than the manifest says");
    int n = hash->options.hint_files ? hash_hint_load(hash, segment, crc) : 0;
    if (n == 0) {
        hash_hint_begin(hash, &hint, segment->id, VFS_RECOVERY);
        err = segment_replay(hash, segment, true, &hint);
        if (!err) hash_hint_end(hash, &hint, segment);
        hash_hint_abandon(&hint);
    }
    if (!err && n >= 0) hash_index_seal(hash, segment);
    return n < 0 ? n : err;
}

static int active_load(struct hash_engine *hash, struct segment *segment)
{
    hash_hint_begin(hash, &hash->hint, segment->id, VFS_META);
    return segment_replay(hash, segment, false, &hash->hint);
}

/* All in one table at once, rather than doubling it under way. A manifest has a checksum; but
 * no number in it is worth more memory than the files that it lists. */
static int room_for_all(struct hash_engine *hash, const struct manifest_entry *e, size_t count,
                        uint64_t live_keys)
{
    uint64_t most = 0;
    for (size_t i = 0; i < count; i++) most += e[i].size / RECORD_HEADER;
    struct keydir_room room = {.keys = live_keys < most ? live_keys : most};
    return hash->options.index == INDEX_KEYDIR && room.keys
               ? hash_keydir_reserve(&hash->keydir, &room)
               : 0;
}

static int segments_load(struct hash_engine *hash, const struct buffer *entries,
                         uint64_t live_keys)
{
    const struct manifest_entry *e = (const struct manifest_entry *)(const void *)entries->data;
    size_t count = entries->size / sizeof(*e);
    int err = room_for_all(hash, e, count, live_keys);
    if (err) return err;
    for (size_t i = 0; i < count; i++) {
        struct segment *segment;
        bool is_active = i + 1 == count;
        err = hash_segment_open(hash, e[i].id, &segment);
        if (err) return err;
        err = hash_segments_add(hash, &hash->segments, segment);
        if (err) {
            hash_segment_close(hash, segment);
            return err;
        }
        if (!is_active) segment->size = e[i].size;
        err = is_active ? active_load(hash, segment) : sealed_load(hash, segment, e[i].crc);
        if (err) return err;
        if (segment->sequence > hash->sequence) hash->sequence = segment->sequence;
        segment->synced = segment->size;
    }
    hash_keydir_tidy(&hash->keydir, true);
    /* What an earlier process wrote may be in the cache only; from here on it is answered. */
    return engine_file_sync(&hash->base, hash_active(hash)->file, VFS_RECOVERY,
                            hash->options.on_sync_failure);
}

int hash_recover(struct hash_engine *hash)
{
    struct buffer entries = {.allocator = hash->base.host.allocator};
    struct manifest_header header;
    int err = hash_manifest_read(hash, &entries, &header);
    if (err == -ENOENT) {
        err = hash_create(hash);
    } else if (!err) {
        hash->next_id = header.next_id;
        /* Before anything is removed: the manifest just read may not be durable yet, and
         * without this sync an unlink could survive a power loss that its rename does not. */
        err = vfs_sync_dir(hash->base.host.vfs, hash->dir);
        if (!err) err = segments_load(hash, &entries, header.live_keys);
        if (!err) err = strays_remove(hash, &entries);
    }
    buffer_deinit(&entries);
    return err;
}
