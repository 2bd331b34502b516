/* The engine `hash`: an in-memory index over append-only segments (after Bitcask).
 *
 *                        index (memory)                   files
 *      key --hash--> { segment, offset, size } -----> seg-00000007.data  active, appended to
 *                                                     seg-00000004.data  sealed
 *                                                     seg-00000004.hint  its keys, no values
 *      MANIFEST lists the segments in order of age    seg-00000005.data  sealed
 *
 * A write is one append to the active segment (and one sync when asked); a get is one lookup
 * and one read; a scan sorts the keys of its range (scan.c). Delete appends a tombstone. A
 * merge (merge.c) rewrites the sealed segments without what is dead. The index is one keydir
 * for all segments, or a table a segment with a Bloom filter before it (index.c, keydir.c). An
 * open reads the hint files (hint.c) and the active segment (recover.c).
 *
 * FORMAT. All numbers little-endian. (Hint files: hint.c.)
 *
 *     record   offset  size
 *              0       4   CRC-32C, see below
 *              4       4   CRC of the record before
 *              8       4   key size
 *              12      4   value size
 *              16      8   sequence, from 1
 *              24      4   bits 0..29: records of the batch that follow
 *                          bits 30..31: 0 put, 1 delete, 2 mark
 *              28      4   synced: bytes of the segment durable when it was written
 *              32      ..  key, value
 *
 *     segment  0       8   "FLHASHS1"
 *              8       4   id
 *              12      4   CRC-32C of [0, 12)
 *              16      ..  records
 *
 *     MANIFEST 0       8   "FLHASHM2"
 *              8       4   count
 *              12      4   next id
 *              16      8   live keys when it was written: how large to make the keydir
 *              24      16  a segment, oldest first: id 4, CRC of its last record 4, size 8
 *                          (0 and 0: active, the last)
 *              end     4   CRC-32C of all before
 *
 * A record's CRC is over its bytes from 4 on, seeded with the CRC of (segment id 4, offset 8).
 * The record before the first is the segment's header. A put costs 32 bytes beside its key and
 * value, and 6 and its key in the hint file.
 *
 * INVARIANTS
 *   I1  A batch is written by one vfs_write to one segment, and its records count down to 0 in
 *       `remaining`. Recovery takes it when the record with 0 is there, else not at all.
 *   I2  Each record names the CRC of the one before it: a chain, which what an older file left
 *       in lost sectors does not continue.
 *   I3  Bytes of the active segment beyond `size` are nobody's: `size` moves when the write
 *       (and the sync, when asked) has succeeded.
 *   I4  `synced` in a record is true when written. So a break of the active segment at X is a
 *       torn write, and cut, unless a valid record behind it claims more than X bytes durable:
 *       then it is rot, -EBADMSG. close() leaves a mark, a record without key that only claims,
 *       when the last records have been synced and none claims them yet.
 *   I5  A segment is durable to its last byte before a manifest lists it as sealed: any break
 *       in it is rot.
 *   I6  A write is acknowledged only when a durable manifest lists its segment.
 *   I7  The manifest is replaced whole, by rename; a file that it does not list is not read.
 *   I8  A hint file is believed only when it names the last CRC and the size that the manifest
 *       gives the segment. The CRC of a record covers the one before it, so that this is the
 *       very sequence of records that was sealed.
 *
 * CRASH, by what was cut:
 *   a batch                    no record with remaining 0, or the chain breaks: cut at open
 *   several unsynced batches   cut at the first break: none of them was promised
 *   roll (below)               before its rename the new segment is a stray and the old one is
 *                              active and whole; after it both are listed, the new one is empty
 *   a hint file                it is not whole, and not believed: the segment is read instead
 *   making the database        no MANIFEST, and no segment with a record: made anew
 *   merge                      merge.c, M1 to M6
 *   recovery itself            its truncate, syncs and unlinks are repeated
 *
 * COST, beside the floor of appending {12 bytes, key, value} with one write and keeping {hash,
 * offset} in a table (a million keys of 16 bytes, operations a CPU second, best of five in
 * turns): values of 100 bytes, fill 0.83, overwrite 0.87, read 0.86, a miss 1.2; values of 1000
 * bytes 0.92, 0.90, 1.08, 1.1. What is missing at 100 bytes is the kernel's time for a third
 * more bytes (header 32, hint 22) and, in reads, for a record that is three lines of cache and
 * not two; the index costs no more than the floor's, because the misses of a put lie behind its
 * write. An open takes 75 ns a key by hints, 110 ns a record without (the floor's replay: 135);
 * where half of the records are superseded, 90 and 130 (110).
 *
 * LIMITS. Keys in memory (keydir.c says how much); keys to 64 KiB - 1, values to 16 MiB; a
 * segment to 4 GiB; 2^23 segments; 16 GiB of keys a table; at most one merge at a time, and it
 * keeps 32 bytes a live record of its inputs until they are repointed. A flipped bit in the
 * records since the last claim, in a database that was not closed, looks like a torn write and
 * is cut. With hint files a flipped bit in a sealed segment shows when its record is read or
 * merged, not at open (`engine-check` reads all). Scans collect the keys of their range when
 * opened. Hint files are never synced: after a power loss the last ones may have to be made
 * again.
 */
#include "engines/storage/hash/hash.h"

#include <errno.h>

#include "engines/storage/bloom.h"
#include "engines/storage/hash/hash_internal.h"

#define STALL_SLICES 4u /* slices of a merge that a stalled write does at most */
#define STALL_FACTOR 2u /* bytes a slice of it may read, per byte written */

/* Every call begins with it, but for those that need no settled index: a write settles the one
 * before it when its own record has been written, by when the key in question has come from
 * memory. */
static struct hash_engine *hash_of(struct engine *engine)
{
    struct hash_engine *hash = (struct hash_engine *)engine;
    hash_index_settle(hash);
    return hash;
}

/* ---- life ---- */

static void hash_free(struct hash_engine *hash)
{
    hash_merge_deinit(hash);
    for (uint32_t i = 0; i < hash->segments.count; i++)
        hash_segment_close(hash, hash->segments.items[i]);
    for (uint32_t i = 0; i < hash->dropped.count; i++)
        hash_segment_close(hash, hash->dropped.items[i]);
    hash_segments_deinit(hash, &hash->segments);
    hash_segments_deinit(hash, &hash->dropped);
    hash_keydir_deinit(&hash->keydir);
    hash_hint_abandon(&hash->hint);
    allocator_free(hash->base.host.allocator, hash->numbered,
                   hash->numbered_count * sizeof(*hash->numbered));
    buffer_deinit(&hash->scratch);
    buffer_deinit(&hash->hashes);
    allocator_free(hash->base.host.allocator, hash, sizeof(*hash));
}

static int hash_open(const struct engine_host *host, const char *dir, const void *options,
                     struct engine **out)
{
    struct hash_engine *hash = allocator_alloc(host->allocator, sizeof(*hash));
    if (!hash) return -ENOMEM;
    memset(hash, 0, sizeof(*hash));
    hash->base.ops = &engine_hash;
    hash->base.host = *host;
    hash->options = *(const struct hash_options *)options;
    hash->keydir.allocator = hash->scratch.allocator = hash->hashes.allocator = host->allocator;
    hash->hint.is_broken = hash->merge.hint.is_broken = true;
    int err = engine_path(hash->dir, "", dir);
    if (!err) err = engine_dir_ensure(host->vfs, dir);
    if (!err) err = hash_recover(hash);
    if (err) {
        if (!hash->base.error_text[0])
            engine_fail(&hash->base, err, "%s: open failed (errno %d)", dir, -err);
        engine_open_failed(&hash->base);
        hash_free(hash);
        return err;
    }
    *out = &hash->base;
    return 0;
}

/* ---- writing ---- */

static int write_failed(struct hash_engine *hash, int err, const char *what)
{
    if (hash->options.on_sync_failure == SYNC_PANIC) hash->is_read_only = true;
    return engine_fail(&hash->base, err, "%s/seg-%08x.data: %s failed (errno %d)", hash->dir,
                       hash_active(hash)->id, what, -err);
}

int hash_active_sync(struct hash_engine *hash)
{
    struct segment *active = hash_active(hash);
    int err =
        engine_file_sync(&hash->base, active->file, VFS_LOG, hash->options.on_sync_failure);
    if (err) return write_failed(hash, err, "sync");
    active->synced = active->size;
    return 0;
}

/* Seals the active segment and begins another. The order is what I5 and I6 need: the old one
 * durable, the new one and its name durable, then the manifest that says so. */
static int roll(struct hash_engine *hash)
{
    struct segment *old = hash_active(hash), *next;
    hash_index_settle(hash);
    int err = hash_segments_reserve(hash, &hash->segments, hash->segments.count + 1);
    if (err) return err;
    if (old->synced < old->size) {
        err = hash_active_sync(hash);
        if (err) return err;
    }
    err = hash_segment_create(hash, hash->next_id, &next);
    if (err) return write_failed(hash, err, "making the next segment");
    hash->next_id++;
    err = engine_file_sync(&hash->base, next->file, VFS_META, hash->options.on_sync_failure);
    if (!err) err = vfs_sync_dir(hash->base.host.vfs, hash->dir);
    hash->segments.items[hash->segments.count++] = next;
    if (!err)
        err = hash_manifest_write(hash, hash->dir, MANIFEST_ROLL_NAME, &hash->segments,
                                  hash->next_id);
    if (err) {
        /* Whichever manifest is durable now, an append to the old segment may not be in it. */
        hash->is_read_only = true;
        hash->segments.count--;
        hash_segment_close(hash, next);
        return write_failed(hash, err, "sealing");
    }
    next->synced = next->size;
    hash->manifest_version++;
    hash->owes_mark = false; /* sealed: the manifest says its size */
    old->sequence = hash->sequence;
    hash_hint_end(hash, &hash->hint, old);
    hash_hint_begin(hash, &hash->hint, next->id, VFS_META);
    hash_index_seal(hash, old);
    return 0;
}

/* The batch's size as records, the hashes of its keys, what it takes in the index. The slots
 * that it will touch are on their way from memory when this returns. */
static int batch_measure(struct hash_engine *hash, const struct engine_batch *batch,
                         uint64_t *size, struct keydir_room *room)
{
    struct engine_batch_item item;
    size_t position = 0;
    int err = buffer_reserve(&hash->hashes, batch->count * sizeof(uint64_t));
    if (err) return err;
    uint64_t *hashes = (uint64_t *)(void *)hash->hashes.data;
    *size = 0;
    *room = (struct keydir_room){.keys = batch->count};
    while (engine_batch_next(batch, &position, &item)) {
        *hashes = bytes_hash(item.key, 0);
        hash_index_prefetch(hash, hash_active(hash), *hashes++);
        *size += record_size(item.key.size, item.value.size);
        room->key_bytes += item.key.size;
        if (item.key.size > room->widest) room->widest = item.key.size;
    }
    return 0;
}

/* Encodes the batch behind the active segment's end. */
static int encode(struct hash_engine *hash, const struct engine_batch *batch, uint64_t size,
                  uint32_t *crc)
{
    struct segment *active = hash_active(hash);
    struct engine_batch_item item;
    size_t position = 0;
    *crc = active->crc;
    buffer_clear(&hash->scratch);
    int err = buffer_reserve(&hash->scratch, (size_t)size);
    for (uint32_t i = 0; !err && engine_batch_next(batch, &position, &item); i++) {
        uint64_t offset = active->size + hash->scratch.size;
        struct record record = {.kind = item.is_delete ? RECORD_DELETE : RECORD_PUT,
                                .remaining = batch->count - 1 - i,
                                .sequence = hash->sequence + 1 + i,
                                .previous = *crc,
                                .synced = (uint32_t)active->synced,
                                .key = item.key,
                                .value = item.value};
        err = hash_record_encode(&hash->scratch, active->id, offset, &record);
        *crc = record.crc;
    }
    return err;
}

static int append(struct hash_engine *hash, uint32_t crc, bool is_synced)
{
    struct segment *active = hash_active(hash);
    int err = vfs_write(active->file, active->size, buffer_bytes(&hash->scratch), VFS_LOG);
    if (err) return write_failed(hash, err, "write");
    uint64_t size = active->size;
    active->size += hash->scratch.size;
    if (is_synced) {
        err = hash_active_sync(hash);
        if (err) {
            active->size = size; /* I3 */
            return err;
        }
    }
    active->crc = crc;
    return 0;
}

/* What was written at `offset` of the active segment comes into the index. Can not fail. */
static void apply(struct hash_engine *hash, const struct engine_batch *batch, uint32_t offset)
{
    struct segment *active = hash_active(hash);
    const uint64_t *hashes = (const uint64_t *)(const void *)hash->hashes.data;
    struct engine_batch_item item = {0}; /* gcc -O2 does not see that next() fills it */
    size_t position = 0;
    bool has_delete = false;
    hash_index_settle(hash);
    if (batch->count == 1) {
        if (engine_batch_next(batch, &position, &item) && !item.is_delete) {
            hash_index_put_early(hash, active, offset, *hashes, item.key,
                                 (uint32_t)item.value.size);
            hash_hint_add(&hash->hint, RECORD_PUT, item.key, (uint32_t)item.value.size);
            if (hash->hint.out.size >= HINT_BLOCK) hash_hint_flush(hash, &hash->hint, active);
            return;
        }
        position = 0;
    }
    for (; engine_batch_next(batch, &position, &item); hashes++) {
        if (item.is_delete)
            hash_index_delete(hash, active, offset, *hashes, item.key);
        else
            hash_index_put(hash, active, offset, *hashes, item.key, (uint32_t)item.value.size);
        hash_hint_add(&hash->hint, item.is_delete ? RECORD_DELETE : RECORD_PUT, item.key,
                      (uint32_t)item.value.size);
        offset += (uint32_t)record_size(item.key.size, item.value.size);
        has_delete = has_delete || item.is_delete;
    }
    if (has_delete) hash_keydir_tidy(&hash->keydir, false);
    if (hash->hint.out.size >= HINT_BLOCK) hash_hint_flush(hash, &hash->hint, active);
}

/* For the batch, and for the put before it, which may yet turn out to be a new key. */
static int reserve(struct hash_engine *hash, struct keydir_room room)
{
    const struct unsettled *u = &hash->unsettled;
    if (u->is_open) {
        room.keys++;
        room.key_bytes += u->key_size;
        if (u->key_size > room.widest) room.widest = u->key_size;
    }
    if (hash_keydir_must_grow(&hash->keydir, room.keys)) hash_index_settle(hash);
    return hash_index_reserve(hash, hash_active(hash), &room);
}

static int write_batch(struct hash_engine *hash, const struct engine_batch *batch,
                       uint64_t size, const struct keydir_room *room, bool is_synced)
{
    struct segment *active = hash_active(hash);
    uint64_t offset = active->size;
    uint32_t crc;
    /* All memory is taken before anything is written. */
    int err = reserve(hash, *room);
    if (!err) err = encode(hash, batch, size, &crc);
    if (err) return err;
    err = append(hash, crc, is_synced);
    if (err) return err;
    hash->sequence += batch->count;
    hash->owes_mark = true;
    apply(hash, batch, (uint32_t)offset);
    return 0;
}

/* Too many sealed segments: the writer does part of the merge, and its caller pays. */
static void stall(struct hash_engine *hash, uint64_t size)
{
    bool more = true;
    if (hash->segments.count - 1 < (uint64_t)hash->options.stall_segments ||
        (hash->merge.step == MERGE_IDLE && !hash_merge_is_wanted(hash)))
        return;
    hash_index_settle(hash);
    hash->base.write_stalls++;
    for (uint32_t i = 0; more && i < STALL_SLICES; i++)
        if (hash_merge_slice(hash, size * STALL_FACTOR, &more))
            return; /* the merge's failure is not the write's: maintain says it */
}

static void scratch_trim(struct hash_engine *hash)
{
    if (hash->scratch.capacity > KEPT_BUFFER) buffer_deinit(&hash->scratch);
    if (hash->hashes.capacity > KEPT_BUFFER) buffer_deinit(&hash->hashes);
}

static int hash_write(struct engine *engine, const struct engine_batch *batch,
                      enum engine_durability durability, int64_t now_ns)
{
    struct hash_engine *hash = (struct hash_engine *)engine;
    struct keydir_room room;
    uint64_t size;
    (void)now_ns;
    int err = batch_measure(hash, batch, &size, &room);
    if (err) return err;
    stall(hash, size);
    if (hash->is_read_only)
        return -EROFS; /* the error text still names the failure that led here */
    if (size > UINT32_MAX - SEGMENT_HEADER || batch->count >= UINT32_C(1) << 30)
        return engine_fail(engine, -EFBIG, "%s: a batch beyond what a segment holds",
                           hash->dir);
    if (hash_active(hash)->size > SEGMENT_HEADER &&
        hash_active(hash)->size + size > (uint64_t)hash->options.segment_bytes)
        err = roll(hash);
    if (!err) err = write_batch(hash, batch, size, &room, durability == ENGINE_SYNC);
    scratch_trim(hash);
    return err;
}

static int hash_sync(struct engine *engine)
{
    struct hash_engine *hash = hash_of(engine);
    return hash->is_read_only ? -EROFS : hash_active_sync(hash);
}

static int hash_maintain(struct engine *engine, uint64_t budget_bytes, int64_t now_ns,
                         bool *more)
{
    (void)now_ns;
    if (!hash_merge_has_work((struct hash_engine *)engine)) {
        *more = false; /* so it is after nearly every write */
        return 0;
    }
    return hash_merge_slice(hash_of(engine), budget_bytes, more);
}

/* I4. Not synced, and its failure is nobody's: without the mark the file is as good as after a
 * crash. */
static void mark(struct hash_engine *hash)
{
    struct segment *active = hash_active(hash);
    struct record record = {.kind = RECORD_MARK,
                            .sequence = hash->sequence + 1,
                            .previous = active->crc,
                            .synced = (uint32_t)active->synced};
    buffer_clear(&hash->scratch);
    if (hash_record_encode(&hash->scratch, active->id, active->size, &record) == 0)
        vfs_write(active->file, active->size, buffer_bytes(&hash->scratch), VFS_LOG);
}

static void hash_close(struct engine *engine)
{
    struct hash_engine *hash = hash_of(engine);
    if (!hash->is_read_only && hash->owes_mark &&
        hash_active(hash)->synced == hash_active(hash)->size)
        mark(hash);
    hash_free(hash);
}

/* ---- reading ---- */

int hash_value_read(struct hash_engine *hash, const struct place *place, struct bytes key,
                    struct buffer *scratch, struct bytes *value)
{
    struct record record;
    size_t size = (size_t)record_size(key.size, place->value_size);
    size_t skipped = hash->options.verify ? 0 : size - place->value_size;
    int err = buffer_reserve(scratch, size);
    if (!err)
        err = engine_file_read(place->segment->file, place->offset + skipped,
                               scratch->data + skipped, size - skipped, VFS_USER_READ);
    if (err) return err == -EBADMSG ? -ENODATA : err;
    *value = bytes_of(scratch->data + size - place->value_size, place->value_size);
    if (!hash->options.verify) return 0;
    if (hash_record_header_size(scratch->data) != size ||
        !hash_record_decode(scratch->data, place->segment->id, place->offset, &record) ||
        record.kind != RECORD_PUT || !bytes_equal(record.key, key))
        return -ENODATA;
    return 0;
}

static int hash_get(struct engine *engine, struct bytes key, struct buffer *value)
{
    struct hash_engine *hash = hash_of(engine);
    uint64_t h = bytes_hash(key, 0);
    struct place guessed, place;
    struct bytes found;
    if (!hash_index_guess(hash, h, key, &guessed)) return -ENOENT;
    int err = hash_value_read(hash, &guessed, key, &hash->scratch, &found);
    if (err == -ENODATA) {
        /* Another key of the same tag, or damage. The keys in memory know. */
        if (!hash_index_find(hash, h, key, &place)) return -ENOENT;
        err = hash_segment_corrupt(hash, place.segment->id, place.offset, "a broken record");
    }
    if (!err) err = buffer_assign(value, found);
    scratch_trim(hash);
    return err;
}

/* ---- copies and figures ---- */

static int segment_copy(struct hash_engine *hash, const struct segment *segment,
                        const char *dir)
{
    char path[ENGINE_PATH_SIZE], name[ENGINE_PATH_SIZE];
    int err = hash_segment_path(hash, segment->id, name);
    const char *slash = err ? NULL : strrchr(name, '/');
    if (!err) err = engine_path(path, dir, slash ? slash + 1 : name);
    return err ? err
               : engine_file_duplicate(&hash->base, segment->file, segment->size, path,
                                       hash->options.on_sync_failure);
}

static int hash_checkpoint(struct engine *engine, const char *dir)
{
    struct hash_engine *hash = hash_of(engine);
    int err = engine_copy_begin(engine->host.vfs, dir);
    for (uint32_t i = 0; !err && i < hash->segments.count; i++)
        err = segment_copy(hash, hash->segments.items[i], dir);
    /* Its sync of the directory covers all names: a manifest without them is refused. */
    if (!err)
        err =
            hash_manifest_write(hash, dir, MANIFEST_ROLL_NAME, &hash->segments, hash->next_id);
    return err ? err : engine_copy_end(engine->host.vfs, dir);
}

static void hash_stats(struct engine *engine, struct engine_stats *stats)
{
    struct hash_engine *hash = hash_of(engine);
    const struct merge *m = &hash->merge;
    const struct segments *lists[] = {&hash->segments, &hash->dropped, &m->outputs,
                                      &m->retired};
    stats->files = 1; /* the manifest */
    stats->memory_bytes = sizeof(*hash) + hash->scratch.capacity + hash->hashes.capacity +
                          hash->hint.out.capacity + m->hint.out.capacity + m->out.capacity +
                          m->moves.capacity + hash->numbered_count * sizeof(*hash->numbered) +
                          hash_index_memory(hash) + hash_filter_memory(hash);
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        stats->memory_bytes += lists[i]->capacity * sizeof(*lists[i]->items) +
                               lists[i]->count * sizeof(struct segment);
        for (uint32_t j = 0; j < lists[i]->count; j++) {
            const struct segment *segment = lists[i]->items[j];
            stats->files += segment->has_hint ? 2 : 1;
            stats->disk_bytes += segment->size + segment->hint_bytes;
        }
    }
    stats->live_keys = hash->live_keys;
    stats->live_bytes = hash->live_key_bytes + hash->live_value_bytes;
    stats->cut_bytes = hash->cut_bytes;
}

static const char *hash_error(struct engine *engine)
{
    return engine->error_text;
}

/* ---- the table ---- */

#define OFFSET(field) .offset = offsetof(struct hash_options, field)

static const struct option hash_option_table[] = {
    {.name = "segment_size",
     .type = OPTION_SIZE,
     OFFSET(segment_bytes),
     .value = "16MiB",
     .low = 512,
     .high = 1 << 30,
     .doc = "the active segment is sealed before it would exceed this"},
    {.name = "merge_threshold",
     .type = OPTION_FRACTION,
     OFFSET(merge_threshold_ppm),
     .value = "60%", /* as Bitcask's frag_merge_trigger */
     .low = 0,
     .high = 1000000,
     .doc = "share of dead bytes in the sealed segments that starts a merge"},
    {.name = "merge_segments",
     .type = OPTION_INT,
     OFFSET(merge_segments),
     .value = "2",
     .low = 1,
     .high = 1000000,
     .doc = "sealed segments at least, for a merge to start"},
    {.name = "stall_segments",
     .type = OPTION_INT,
     OFFSET(stall_segments),
     .value = "64",
     .low = 1,
     .high = 1000000,
     .doc = "sealed segments from which on writes help a due merge"},
    {.name = "index",
     .type = OPTION_WORD,
     OFFSET(index),
     .value = "keydir",
     .words = hash_index_words,
     .flags = OPTION_INERT,
     .doc = "keydir: one table for all segments; segment: a table each, searched newest first"},
    {.name = "bloom_bits",
     .type = OPTION_INT,
     OFFSET(bloom_bits),
     .value = "10",
     .low = 0,
     .high = BLOOM_BITS_MAX,
     .flags = OPTION_INERT,
     .doc = "index: segment: bits a key of the filter in front of each table; 0: no filters"},
    {.name = "hint_files",
     .type = OPTION_YESNO,
     OFFSET(hint_files),
     .value = "yes",
     .doc = "write the keys of sealed segments beside them, and open by these"},
    {.name = "verify",
     .type = OPTION_YESNO,
     OFFSET(verify),
     .value = "yes",
     .doc =
         "check the record's checksum on every read; no: rot is returned as data, as by stores "
         "without checksums"},
    {.name = "on_sync_failure",
     .type = OPTION_WORD,
     OFFSET(on_sync_failure),
     .value = "panic",
     .words = sync_policy_words,
     .doc = "panic: no more writes until reopened; retry: sync again and believe it (unsafe)"},
};

const struct engine_ops engine_hash = {
    .abi_version = ENGINE_ABI_VERSION,
    .struct_size = sizeof(struct engine_ops),
    .name = "hash",
    .doc = "in-memory index over append-only segments (Bitcask): one write a batch, one read a "
           "get",
    .capabilities = ENGINE_ORDERED | ENGINE_COUNTS_LIVE,
    .key_size_max = HASH_KEY_SIZE_MAX,
    .value_size_max = HASH_VALUE_SIZE_MAX,
    .options = hash_option_table,
    .options_count = sizeof(hash_option_table) / sizeof(hash_option_table[0]),
    .options_size = sizeof(struct hash_options),
    .open = hash_open,
    .write = hash_write,
    .get = hash_get,
    .scan_open = hash_scan_open,
    .scan_next = hash_scan_next,
    .scan_close = hash_scan_close,
    .maintain = hash_maintain,
    .sync = hash_sync,
    .checkpoint = hash_checkpoint,
    .stats = hash_stats,
    .error = hash_error,
    .close = hash_close,
    .properties = hash_properties,
    .recognise = hash_recognise,
    .inspect = hash_inspect,
};
