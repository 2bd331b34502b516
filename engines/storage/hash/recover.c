/* Opening a database of segments: what is listed is read, what is torn is cut, what is not
 * listed is removed. The states that a crash can leave, and what is done with each, stand in
 * hash.c.
 */
#include <errno.h>
#include <stdio.h>

#include "engines/storage/hash/hash_internal.h"

/* ---- a first segment ---- */

static int find_segment(void *context, const char *name, bool is_directory)
{
    struct hash_engine *hash = context;
    uint32_t id;
    char rest[8] = "";
    struct vfs_file *file;
    char path[ENGINE_PATH_SIZE];
    uint64_t size = 0;
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
    if (sscanf(name, "seg-%8x", &id) == 1) {
        snprintf(canonical, sizeof(canonical), "seg-%08x.data", id);
        is_stray = strcmp(name, canonical) == 0 && !is_listed(strays->entries, id);
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

void hash_apply_put(struct hash_engine *hash, struct keydir_entry *entry)
{
    struct keydir_entry *old = hash_keydir_put(&hash->keydir, entry);
    if (!old) return;
    old->segment->dead_bytes += record_size(old->key_size, old->value_size);
    hash_keydir_entry_destroy(&hash->keydir, old);
}

void hash_apply_delete(struct hash_engine *hash, struct segment *segment, struct bytes key)
{
    struct keydir_entry *old = hash_keydir_remove(&hash->keydir, key);
    segment->dead_bytes += record_size(key.size, 0); /* a merge drops the tombstone */
    if (!old) return;
    old->segment->dead_bytes += record_size(old->key_size, old->value_size);
    hash_keydir_entry_destroy(&hash->keydir, old);
}

static int apply(struct hash_engine *hash, struct segment *segment, uint64_t offset,
                 const struct record *record)
{
    if (record->kind == RECORD_MARK) {
        segment->dead_bytes += RECORD_HEADER;
        return 0;
    }
    if (record->kind == RECORD_DELETE) {
        hash_apply_delete(hash, segment, record->key);
        return 0;
    }
    int err = hash_keydir_reserve(&hash->keydir, 1);
    struct keydir_entry *entry =
        err ? NULL : hash_keydir_entry_create(&hash->keydir, record->key);
    if (!entry) return -ENOMEM;
    entry->segment = segment;
    entry->offset = offset;
    entry->value_size = (uint32_t)record->value.size;
    hash_apply_put(hash, entry);
    return 0;
}

struct scan_state {
    uint64_t good;     /* end of the last whole batch */
    uint64_t sequence; /* of its last record */
    uint32_t crc;      /* likewise */
    bool last_is_mark; /* which claims all before itself */
    uint64_t damage;   /* offset of the record that ended the scan; == limit: none */
};

/* Follows the chain of records from `from` to the first that does not continue it. */
static int scan_records(struct segment_reader *reader, uint64_t from, uint32_t crc,
                        struct scan_state *state)
{
    struct record record;
    uint64_t offset = from, remaining = 0;
    state->good = from;
    state->crc = crc;
    while (offset < reader->limit) {
        int n = hash_segment_record(reader, offset, &record);
        if (n < 0) return n;
        /* I2: each record names the checksum of the one before, and counts its batch down. */
        if (n == 0 || record.previous != crc ||
            (remaining && record.remaining != remaining - 1))
            break;
        crc = record.crc;
        remaining = record.remaining;
        if (remaining == 0) {
            state->good = offset + record_size(record.key.size, record.value.size);
            state->crc = crc;
            state->sequence = record.sequence;
            state->last_is_mark = record.kind == RECORD_MARK && record.synced == offset;
        }
        offset += record_size(record.key.size, record.value.size);
    }
    state->damage = offset;
    return 0;
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

static int apply_records(struct hash_engine *hash, struct segment_reader *reader,
                         struct segment *segment)
{
    struct record record;
    for (uint64_t offset = SEGMENT_HEADER; offset < segment->size;) {
        int n = hash_segment_record(reader, offset, &record);
        if (n <= 0)
            return n ? n : hash_segment_corrupt(hash, segment->id, offset, "a broken record");
        int err = apply(hash, segment, offset, &record);
        if (err) return err;
        offset += record_size(record.key.size, record.value.size);
    }
    return 0;
}

/* Reads a segment of a known size (sealed), or up to its last whole batch (active). */
static int segment_load(struct hash_engine *hash, struct segment *segment, uint64_t sealed_size)
{
    struct segment_reader reader = {.segment = segment,
                                    .purpose = VFS_RECOVERY,
                                    .window = {.allocator = hash->base.host.allocator}};
    struct scan_state state = {0};
    uint64_t size, claimed = 0;
    int err = vfs_size(segment->file, &size);
    if (err) return err;
    if (sealed_size > size)
        return hash_segment_corrupt(hash, segment->id, size,
                                    "the file is shorter than the manifest says");
    reader.limit = sealed_size ? sealed_size : size;
    err = scan_records(&reader, SEGMENT_HEADER, segment->crc, &state);
    if (err) goto done;
    if (sealed_size && state.good != sealed_size) {
        err = hash_segment_corrupt(hash, segment->id, state.damage, "a broken record"); /* I5 */
        goto done;
    }
    if (state.good != size && !sealed_size) {
        err = claims_behind(&reader, state.good, &claimed);
        if (!err && claimed > state.good)
            err = hash_segment_corrupt(hash, segment->id, state.damage,
                                       "a broken record"); /* I4 */
        if (!err) err = vfs_truncate(segment->file, state.good);
        if (err) goto done;
        hash->cut_bytes = size - state.good;
    }
    segment->size = state.good;
    segment->crc = state.crc;
    if (state.sequence > hash->sequence) hash->sequence = state.sequence;
    hash->owes_mark = state.good > SEGMENT_HEADER && !state.last_is_mark;
    reader.limit = state.good;
    err = apply_records(hash, &reader, segment);
done:
    buffer_deinit(&reader.window);
    return err;
}

static int segments_load(struct hash_engine *hash, const struct buffer *entries)
{
    const struct manifest_entry *e = (const struct manifest_entry *)(const void *)entries->data;
    size_t count = entries->size / sizeof(*e);
    for (size_t i = 0; i < count; i++) {
        struct segment *segment;
        bool is_active = i + 1 == count;
        if (is_active != (e[i].size == 0) || (!is_active && e[i].size < SEGMENT_HEADER))
            return hash_segment_corrupt(hash, e[i].id, 0,
                                        "the manifest gives it an impossible size");
        int err = hash_segment_open(hash, e[i].id, &segment);
        if (err) return err;
        err = hash_segments_add(hash, &hash->segments, segment);
        if (err) {
            hash_segment_close(hash, segment);
            return err;
        }
        err = segment_load(hash, segment, e[i].size);
        if (err) return err;
        segment->synced = segment->size;
    }
    /* What an earlier process wrote may be in the cache only; from here on it is answered. */
    return engine_file_sync(&hash->base, hash_active(hash)->file, VFS_RECOVERY,
                            hash->options.on_sync_failure);
}

int hash_recover(struct hash_engine *hash)
{
    struct buffer entries = {.allocator = hash->base.host.allocator};
    int err = hash_manifest_read(hash, &entries, &hash->next_id);
    if (err == -ENOENT) {
        err = hash_create(hash);
    } else if (!err) {
        /* Before anything is removed: the manifest just read may not be durable yet, and
         * without this sync an unlink could survive a power loss that its rename does not. */
        err = vfs_sync_dir(hash->base.host.vfs, hash->dir);
        if (!err) err = segments_load(hash, &entries);
        if (!err) err = strays_remove(hash, &entries);
    }
    buffer_deinit(&entries);
    return err;
}
