/* Merge: the sealed segments are rewritten without what is dead, in slices of one vfs call
 * each.
 *
 *     IDLE ------- merge_is_wanted ------> READ
 *     READ ------- records to write -----> WRITE          a block; live records go to `out`
 *     READ ------- no output yet --------> CREATE --> READ
 *     WRITE ------ more to read ---------> READ
 *     WRITE ------ output full ----------> SYNC --> HINT --> CREATE --> READ
 *     WRITE ------ inputs read out ------> SYNC --> HINT --> SYNC_NAMES --> SYNC_ACTIVE
 *     WRITE ------ a block of hints -----> HINT --> READ
 *     READ ------- all dead, read out ---> SYNC_ACTIVE --> MANIFEST_CREATE
 *     MANIFEST_CREATE --> MANIFEST_WRITE --> MANIFEST_SYNC --> RENAME --> SYNC_SWITCH
 *     SYNC_SWITCH --> REPOINT --> IDLE
 *     RENAME ----- a roll came between --> MANIFEST_CREATE
 *     IDLE ------- dropped segments, no cursor open: unlinks a file
 *
 * The inputs are all segments that were sealed when the merge began: the oldest part of the
 * history, whole. So a tombstone among them has nothing older left to hide, and is dropped. A
 * merge that left an older segment alone while it dropped the tombstone of a key there would
 * bring the key back when the index is next built (incidents.md, S18). A record is live exactly
 * when the index points at it.
 *
 * M1  Until RENAME the database is the inputs: outputs are not listed, and a crash leaves
 *     strays.
 * M2  Outputs are durable, contents (SYNC) and names (SYNC_NAMES), before a manifest lists
 *     them.
 * M3  The keydir points at inputs until RENAME has succeeded, then slice by slice (REPOINT) at
 *     outputs. Both hold the same records, so that it does not matter to a read. What was
 *     written or deleted meanwhile is not in `moves`' way: its slot no longer points there.
 *     In layout `segment` the outputs come with their own tables, and nothing is repointed.
 * M4  Inputs are unlinked only after SYNC_SWITCH and REPOINT: either manifest finds all its
 *     files, and so does the keydir.
 * M5  The manifest that RENAME puts in place lists every segment that writes may have gone to:
 *     a roll between MANIFEST_CREATE and RENAME sends the merge back (manifest_version).
 * M6  A record is dropped only when what superseded it is durable: SYNC_ACTIVE comes after the
 *     last READ. Else a power loss takes an unsynced overwrite, and the synced value that it
 *     replaced would be gone with the inputs.
 *
 * A failure before RENAME drops the outputs and the merge begins anew at the next slice. From
 * RENAME on it is not known which manifest is durable: nothing is unlinked, and the engine is
 * read-only until it is opened again.
 */
#include <errno.h>

#include "engines/storage/hash/hash_internal.h"
#include "engines/storage/hash/hint.h"

#define READ_MIN 4096u /* a read below this is not worth its latency */
#define MERGE_HINT_BLOCK (64u << 10)
#define REPOINT_MIN 256u /* moves a slice: some 100 ns each */
#define REPOINT_AHEAD 8u
#define REPOINT_BYTES 64u /* of the budget, a move */

bool hash_merge_is_wanted(const struct hash_engine *hash)
{
    uint64_t total = 0, dead = 0;
    uint32_t sealed = hash->segments.count - 1;
    if (hash->merge.is_blocked || hash->is_read_only ||
        sealed < (uint64_t)hash->options.merge_segments)
        return false;
    for (uint32_t i = 0; i < sealed; i++) {
        total += hash->segments.items[i]->size;
        dead += hash->segments.items[i]->dead_bytes;
    }
    const struct unsettled *u = &hash->unsettled;
    if (u->is_open && hash_slot_segment(hash, &u->old) != hash_active(hash))
        dead += record_size(u->key_size, keydir_slot_value_size(&u->old)); /* most probably */
    /* dead / total >= threshold, in integers that do not overflow: sizes stay below 2^43. */
    return dead > 0 && dead * 1000000 >= total * (uint64_t)hash->options.merge_threshold_ppm;
}

/* ---- beginning and giving up ---- */

static void merge_reset(struct hash_engine *hash)
{
    struct merge *m = &hash->merge;
    for (uint32_t i = 0; i < m->inputs && i < hash->segments.count; i++)
        hash->segments.items[i]->is_input = false;
    if (m->manifest) vfs_close(m->manifest);
    buffer_deinit(&m->out);
    buffer_deinit(&m->moves);
    hash_hint_abandon(&m->hint);
    hash_segments_deinit(hash, &m->outputs);
    hash_segments_deinit(hash, &m->retired);
    bool is_blocked = m->is_blocked;
    *m = (struct merge){.is_blocked = is_blocked, .hint.is_broken = true};
}

void hash_merge_deinit(struct hash_engine *hash)
{
    for (uint32_t i = 0; i < hash->merge.outputs.count; i++)
        hash_segment_close(hash, hash->merge.outputs.items[i]);
    for (uint32_t i = 0; i < hash->merge.retired.count; i++)
        hash_segment_close(hash, hash->merge.retired.items[i]);
    hash->merge.outputs.count = 0;
    merge_reset(hash);
}

static void merge_begin(struct hash_engine *hash)
{
    struct merge *m = &hash->merge;
    m->out.allocator = m->moves.allocator = hash->base.host.allocator;
    m->inputs = hash->segments.count - 1;
    m->offset = SEGMENT_HEADER;
    for (uint32_t i = 0; i < m->inputs; i++) hash->segments.items[i]->is_input = true;
    m->step = MERGE_READ;
}

/* Drops the outputs. Their files are strays: unlinked later, or at the next open. */
static int merge_abort(struct hash_engine *hash, int err)
{
    struct merge *m = &hash->merge;
    if (!hash->base.error_text[0] || err != -EBADMSG)
        engine_fail(&hash->base, err, "%s: a merge failed in step %d (errno %d)", hash->dir,
                    (int)m->step, -err);
    m->is_blocked = err == -EBADMSG;
    for (uint32_t i = 0; i < m->outputs.count; i++)
        if (hash_segments_add(hash, &hash->dropped, m->outputs.items[i]))
            hash_segment_close(hash,
                               m->outputs.items[i]); /* no memory: the next open removes it */
    m->outputs.count = 0;
    merge_reset(hash);
    return err;
}

static struct segment *merge_output(const struct merge *m)
{
    return m->outputs.items[m->outputs.count - 1];
}

/* ---- reading ---- */

/* Where a record appended to `out` now would stand in the current output. */
static uint64_t out_offset(const struct merge *m)
{
    return merge_output(m)->size + m->out.size;
}

/* Copies a live record. 1: done; 0: the output is full, or there is none. */
static int merge_copy(struct hash_engine *hash, uint64_t from, const struct record *record)
{
    struct merge *m = &hash->merge;
    uint64_t size = record_size(record->key.size, record->value.size);
    if (m->outputs.count == 0)
        m->is_output_full = true;
    else if (out_offset(m) > SEGMENT_HEADER &&
             out_offset(m) + size > (uint64_t)hash->options.segment_bytes)
        m->is_output_full = true;
    if (m->is_output_full) return 0;
    struct segment *output = merge_output(m);
    uint64_t h = bytes_hash(record->key, 0);
    struct merge_move move = {h,
                              hash->segments.items[m->input]->number,
                              (uint32_t)from,
                              (uint32_t)out_offset(m),
                              (uint32_t)size,
                              output};
    struct record copy = *record;
    copy.remaining = 0; /* a sealed record is a batch of its own */
    copy.previous = m->out_crc;
    copy.synced = 0;
    size_t before = m->moves.size;
    int err =
        hash->options.index == INDEX_KEYDIR ? buffer_append(&m->moves, &move, sizeof(move)) : 0;
    if (!err) err = hash_record_encode(&m->out, output->id, move.to, &copy);
    if (!err)
        err = hash_index_copied(hash, output, move.to, h, record->key,
                                (uint32_t)record->value.size);
    if (err) {
        m->moves.size = before;
        return err; /* and the merge is given up */
    }
    hash_hint_add(&m->hint, RECORD_PUT, record->key, (uint32_t)record->value.size);
    if (record->sequence > output->sequence) output->sequence = record->sequence;
    m->out_crc = copy.crc;
    return 1;
}

static bool is_live(const struct hash_engine *hash, const struct segment *input,
                    uint64_t offset, const struct record *record)
{
    struct place place;
    return record->kind == RECORD_PUT &&
           hash_index_find(hash, bytes_hash(record->key, 0), record->key, &place) &&
           place.segment == input && place.offset == offset;
}

/* Deals with the records of one block of the current input. */
static int merge_read_block(struct hash_engine *hash, const unsigned char *block, size_t size)
{
    struct merge *m = &hash->merge;
    struct segment *input = hash->segments.items[m->input];
    struct record record;
    size_t position = 0;
    m->needed = 0;
    while (size - position >= RECORD_HEADER) {
        uint64_t whole = hash_record_header_size(block + position);
        if (whole > size - position) {
            m->needed = whole;
            break;
        }
        if (whole == 0 || !hash_record_decode(block + position, input->id, m->offset, &record))
            return hash_segment_corrupt(hash, input->id, m->offset, "a broken record");
        if (is_live(hash, input, m->offset, &record)) {
            int n = merge_copy(hash, m->offset, &record);
            if (n <= 0) return n;
        }
        m->offset += whole;
        position += whole;
    }
    return 0;
}

static int merge_read(struct hash_engine *hash, uint64_t budget)
{
    struct merge *m = &hash->merge;
    struct segment *input = hash->segments.items[m->input];
    uint64_t left = input->size - m->offset;
    uint64_t size = budget < READ_MIN ? READ_MIN : budget > READ_BLOCK ? READ_BLOCK : budget;
    if (size < m->needed) size = m->needed;
    if (size > left) size = left;
    if (m->needed > left || (left > 0 && left < RECORD_HEADER))
        return hash_segment_corrupt(hash, input->id, m->offset, "a record beyond its segment");
    int err = 0;
    if (size) {
        const struct allocator *a = hash->base.host.allocator;
        unsigned char *block = allocator_alloc(a, (size_t)size);
        if (!block) return -ENOMEM;
        err = engine_file_read(input->file, m->offset, block, (size_t)size, VFS_COMPACTION);
        if (err == -EBADMSG)
            err = hash_segment_corrupt(hash, input->id, m->offset,
                                       "the file is shorter than it was");
        if (!err) err = merge_read_block(hash, block, (size_t)size);
        allocator_free(a, block, (size_t)size);
    }
    if (err) return err;
    if (m->offset == input->size) {
        m->input++;
        m->offset = SEGMENT_HEADER;
        m->needed = 0;
        m->is_read_out = m->input == m->inputs;
    }
    if (m->out.size)
        m->step = MERGE_WRITE;
    else if (m->is_output_full)
        m->step = m->outputs.count ? MERGE_SYNC : MERGE_CREATE;
    else if (m->is_read_out)
        m->step = m->outputs.count ? MERGE_SYNC : MERGE_SYNC_ACTIVE;
    return 0;
}

/* ---- outputs ---- */

static int merge_create(struct hash_engine *hash)
{
    struct merge *m = &hash->merge;
    struct segment *output;
    int err = hash_segments_reserve(hash, &m->outputs, m->outputs.count + 1);
    if (!err) err = hash_segment_create(hash, hash->next_id, &output);
    if (err) return err;
    hash->next_id++;
    hash_segments_add(hash, &m->outputs, output);
    m->out_crc = output->crc;
    hash_hint_begin(hash, &m->hint, output->id, VFS_COMPACTION);
    m->is_output_full = false;
    m->step = MERGE_READ;
    return 0;
}

static int merge_write(struct hash_engine *hash)
{
    struct merge *m = &hash->merge;
    struct segment *output = merge_output(m);
    int err = vfs_write(output->file, output->size, buffer_bytes(&m->out), VFS_COMPACTION);
    if (err) return err;
    output->size += m->out.size;
    output->crc = m->out_crc;
    buffer_clear(&m->out);
    m->step = m->is_output_full || m->is_read_out    ? MERGE_SYNC
              : m->hint.out.size >= MERGE_HINT_BLOCK ? MERGE_HINT
                                                     : MERGE_READ;
    return 0;
}

static int merge_sync(struct hash_engine *hash)
{
    struct merge *m = &hash->merge;
    int err = engine_file_sync(&hash->base, merge_output(m)->file, VFS_COMPACTION,
                               hash->options.on_sync_failure);
    if (err) return err;
    merge_output(m)->synced = merge_output(m)->size;
    m->step = MERGE_HINT;
    return 0;
}

/* A part of the output's hints; the end of them when the output is complete. */
static int merge_hint(struct hash_engine *hash)
{
    struct merge *m = &hash->merge;
    struct segment *output = merge_output(m);
    if (output->synced < output->size) {
        hash_hint_flush(hash, &m->hint, output);
        m->step = MERGE_READ;
        return 0;
    }
    hash_hint_end(hash, &m->hint, output);
    hash_index_seal(hash, output);
    m->step = m->is_read_out && !m->is_output_full ? MERGE_SYNC_NAMES : MERGE_CREATE;
    return 0;
}

/* ---- the switch ---- */

/* The segments as they are after the switch: outputs, then what was not merged. */
static int merge_result(struct hash_engine *hash, struct segments *result)
{
    struct merge *m = &hash->merge;
    uint32_t kept = hash->segments.count - m->inputs;
    int err = hash_segments_reserve(hash, result, m->outputs.count + kept);
    for (uint32_t i = 0; !err && i < m->outputs.count; i++)
        result->items[result->count++] = m->outputs.items[i];
    for (uint32_t i = 0; !err && i < kept; i++)
        result->items[result->count++] = hash->segments.items[m->inputs + i];
    return err;
}

static int merge_manifest_create(struct hash_engine *hash)
{
    struct merge *m = &hash->merge;
    char path[ENGINE_PATH_SIZE];
    int err = engine_path(path, hash->dir, MANIFEST_MERGE_NAME);
    if (!err)
        err = vfs_open(hash->base.host.vfs, path, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE,
                       &m->manifest);
    if (!err) m->step = MERGE_MANIFEST_WRITE;
    return err;
}

static int merge_manifest_write(struct hash_engine *hash)
{
    struct merge *m = &hash->merge;
    struct segments result = {0};
    int err = merge_result(hash, &result);
    if (!err) err = hash_manifest_encode(&m->out, &result, hash->next_id, hash->live_keys);
    hash_segments_deinit(hash, &result);
    if (!err) err = vfs_write(m->manifest, 0, buffer_bytes(&m->out), VFS_META);
    buffer_clear(&m->out);
    if (err) return err;
    m->manifest_version = hash->manifest_version;
    m->step = MERGE_MANIFEST_SYNC;
    return 0;
}

static int merge_manifest_sync(struct hash_engine *hash)
{
    struct merge *m = &hash->merge;
    int err =
        engine_file_sync(&hash->base, m->manifest, VFS_META, hash->options.on_sync_failure);
    if (err) return err;
    err = vfs_close(m->manifest);
    m->manifest = NULL;
    m->step = MERGE_RENAME;
    return err;
}

/* Nothing in here can fail: the arrays have been reserved. */
static void merge_switch(struct hash_engine *hash, struct segments *result)
{
    struct merge *m = &hash->merge;
    for (uint32_t i = 0; i < m->inputs; i++) {
        hash->segments.items[i]->is_input = false;
        m->retired.items[m->retired.count++] = hash->segments.items[i];
    }
    hash_segments_deinit(hash, &hash->segments);
    hash->segments = *result;
    m->inputs = 0;
    m->outputs.count = 0;
}

/* M3. */
static int merge_repoint(struct hash_engine *hash, uint64_t budget)
{
    struct merge *m = &hash->merge;
    const struct merge_move *moves = (const struct merge_move *)(const void *)m->moves.data;
    size_t count = m->moves.size / sizeof(*moves);
    uint64_t most = budget / REPOINT_BYTES < REPOINT_MIN ? REPOINT_MIN : budget / REPOINT_BYTES;
    size_t end = count - m->moves_done > most ? m->moves_done + (size_t)most : count;
    for (; m->moves_done < end; m->moves_done++) {
        const struct merge_move *move = &moves[m->moves_done];
        if (m->moves_done + REPOINT_AHEAD < count)
            hash_keydir_prefetch(&hash->keydir, move[REPOINT_AHEAD].hash);
        if (!hash_keydir_repoint(&hash->keydir, move->hash, move->from_number, move->from,
                                 move->output->number, move->to))
            move->output->dead_bytes += move->size; /* superseded since it was copied */
    }
    if (m->moves_done < count) return 0;
    for (uint32_t i = 0; i < m->retired.count; i++)
        hash->dropped.items[hash->dropped.count++] = m->retired.items[i];
    m->retired.count = 0;
    merge_reset(hash);
    return 0;
}

static int merge_rename(struct hash_engine *hash)
{
    struct merge *m = &hash->merge;
    struct segments result = {0};
    char from[ENGINE_PATH_SIZE], to[ENGINE_PATH_SIZE];
    if (m->manifest_version != hash->manifest_version) { /* M5 */
        m->step = MERGE_MANIFEST_CREATE;
        return 0;
    }
    int err = engine_path(from, hash->dir, MANIFEST_MERGE_NAME);
    if (!err) err = engine_path(to, hash->dir, MANIFEST_NAME);
    if (!err) err = merge_result(hash, &result);
    if (!err)
        err = hash_segments_reserve(hash, &hash->dropped, hash->dropped.count + m->inputs);
    if (!err) err = hash_segments_reserve(hash, &m->retired, m->inputs);
    if (err) {
        hash_segments_deinit(hash, &result);
        return err;
    }
    err = vfs_rename(hash->base.host.vfs, from, to);
    if (err) {
        hash_segments_deinit(hash, &result);
        hash->is_read_only = true;
        return engine_fail(&hash->base, err, "%s/" MANIFEST_NAME ": rename failed (errno %d)",
                           hash->dir, -err);
    }
    merge_switch(hash, &result);
    m->step = MERGE_SYNC_SWITCH;
    return 0;
}

static int merge_sync_switch(struct hash_engine *hash)
{
    int err = vfs_sync_dir(hash->base.host.vfs, hash->dir);
    if (err) {
        hash->is_read_only = true;
        return engine_fail(&hash->base, err, "%s: sync of the directory failed (errno %d)",
                           hash->dir, -err);
    }
    hash->merge.step = MERGE_REPOINT;
    return 0;
}

/* ---- slices ---- */

static int drop_one(struct hash_engine *hash)
{
    char path[ENGINE_PATH_SIZE];
    struct segment *segment = hash->dropped.items[hash->dropped.count - 1];
    if (segment->has_hint) {
        segment->has_hint = false;
        int hint_err = hash_hint_path(hash->dir, segment->id, path);
        return hint_err ? hint_err : vfs_unlink(hash->base.host.vfs, path);
    }
    int err = hash_segment_path(hash, segment->id, path);
    /* Off the list first: an unlink that fails leaves a stray, which the next open removes. */
    hash->dropped.count--;
    hash_segment_close(hash, segment);
    return err ? err : vfs_unlink(hash->base.host.vfs, path);
}

static int merge_step(struct hash_engine *hash, uint64_t budget)
{
    switch (hash->merge.step) {
    case MERGE_IDLE:
        if (hash->dropped.count && hash->base.open_cursors == 0) return drop_one(hash);
        if (!hash_merge_is_wanted(hash)) return 0;
        merge_begin(hash);
        return merge_read(hash, budget);
    case MERGE_READ: return merge_read(hash, budget);
    case MERGE_CREATE: return merge_create(hash);
    case MERGE_WRITE: return merge_write(hash);
    case MERGE_SYNC: return merge_sync(hash);
    case MERGE_SYNC_NAMES: {
        int err = vfs_sync_dir(hash->base.host.vfs, hash->dir);
        if (!err) hash->merge.step = MERGE_SYNC_ACTIVE;
        return err;
    }
    case MERGE_SYNC_ACTIVE: {
        const struct segment *active = hash_active(hash);
        int err = active->synced < active->size ? hash_active_sync(hash) : 0; /* M6 */
        if (!err) hash->merge.step = MERGE_MANIFEST_CREATE;
        return err;
    }
    case MERGE_MANIFEST_CREATE: return merge_manifest_create(hash);
    case MERGE_MANIFEST_WRITE: return merge_manifest_write(hash);
    case MERGE_MANIFEST_SYNC: return merge_manifest_sync(hash);
    case MERGE_RENAME: return merge_rename(hash);
    case MERGE_SYNC_SWITCH: return merge_sync_switch(hash);
    case MERGE_REPOINT: return merge_repoint(hash, budget);
    case MERGE_HINT: return merge_hint(hash);
    }
    return 0;
}

bool hash_merge_has_work(const struct hash_engine *hash)
{
    return hash->merge.step != MERGE_IDLE || hash->dropped.count || hash_merge_is_wanted(hash);
}

int hash_merge_slice(struct hash_engine *hash, uint64_t budget_bytes, bool *more)
{
    struct merge *m = &hash->merge;
    if (hash->is_read_only) {
        *more = false;
        return 0;
    }
    bool was_idle = m->step == MERGE_IDLE;
    int err = merge_step(hash, budget_bytes);
    if (err && m->step != MERGE_IDLE && !hash->is_read_only) return merge_abort(hash, err);
    if (err && !was_idle) return err;
    if (err)
        return m->step == MERGE_IDLE
                   ? engine_fail(&hash->base, err, "%s: unlink failed (errno %d)", hash->dir,
                                 -err)
                   : err;
    *more = !hash->is_read_only &&
            (m->step != MERGE_IDLE || (hash->dropped.count && hash->base.open_cursors == 0) ||
             hash_merge_is_wanted(hash));
    return 0;
}
