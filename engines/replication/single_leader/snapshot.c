/* Snapshots: all rows of a leader at one position, for a follower that lacks more than the
 * leader's log still has, or that must undo what it applied.
 *
 *   follower  SNAPSHOT_ASK index   ->   opens a cursor at index 0, notes the engine's mark
 *             <- SNAPSHOT_CHUNK index, mark, rows, perhaps LAST
 *   ... until LAST; then it installs and subscribes behind the mark
 *
 * The follower drives: a chunk that is lost is asked for again, and the leader keeps the last
 * one it sent for that. If the leader does not know where it was (it restarted), it begins
 * again.
 *
 * Rows travel as {u32 key size, u32 value size, key, value}. The mark's own key is not sent.
 *
 *   staged file: offset 0   8  "FLSNAPSH"          8  8  position    16  8  epoch   24  4  crc
 *                       28  8  writes undone       36 8  their first 44  4  crc32c of the 44
 *                       48  .. chunks: u32 size, u32 crc32c of the rows, rows
 *
 * N1  Until every chunk is there the node keeps its old rows and log; chunks go to
 *     `snapshot.new`. The whole file is synced and renamed to `snapshot`, which is the
 * decision. N2  Installing can be repeated: wipe the engine, put the rows, set the mark, sync,
 * begin the log behind the mark, remove the file. A crash anywhere in it leads to the same at
 * the next start, and a half-wiped engine is never served.
 *
 * Not modelled: a limit on how many snapshots a leader sends at once.
 */
#include <errno.h>

#include "engines/replication/single_leader/replica.h"

#define MAGIC "FLSNAPSH"
#define HEADER_SIZE 48u
#define CHUNK_HEAD 8u
#define STAGED_NAME "snapshot.new"
#define SNAPSHOT_NAME "snapshot"
#define BATCH_ROWS 256u /* rows written or deleted as one engine batch */

/* ---- the leader's side ---- */

void snapshot_release(struct replica *r, struct follower *follower)
{
    (void)r;
    if (follower->cursor) engine_scan_close(follower->cursor);
    follower->cursor = NULL;
    follower->snapshot_nonce = 0;
    buffer_deinit(&follower->chunk);
    buffer_deinit(&follower->held_entry);
}

static int row_add(struct buffer *out, struct bytes key, struct bytes value)
{
    unsigned char head[8];
    put_u32(head, (uint32_t)key.size);
    put_u32(head + 4, (uint32_t)value.size);
    int err = buffer_append(out, head, sizeof head);
    if (!err) err = buffer_append(out, key.data, key.size);
    if (!err) err = buffer_append(out, value.data, value.size);
    return err;
}

/* Fills the chunk from the cursor: whole rows, at least one unless at the end. */
static int chunk_fill(struct replica *r, struct follower *follower)
{
    size_t limit = (size_t)r->options.snapshot_chunk_bytes;
    buffer_clear(&follower->chunk);
    int err =
        buffer_append(&follower->chunk, follower->held_entry.data, follower->held_entry.size);
    buffer_clear(&follower->held_entry);
    struct bytes key, value;
    int more = 0;
    while (!err && follower->chunk.size < limit &&
           (more = engine_scan_next(follower->cursor, &key, &value)) > 0) {
        if (bytes_equal(key, applied_key)) continue;
        bool fits = follower->chunk.size + 8 + key.size + value.size <= limit;
        err = row_add(fits || !follower->chunk.size ? &follower->chunk : &follower->held_entry,
                      key, value);
        if (follower->held_entry.size) return err;
    }
    if (err || more < 0) return err ? err : more;
    follower->snapshot_done = follower->chunk.size < limit;
    return 0;
}

static int snapshot_open(struct replica *r, uint32_t to, uint64_t nonce)
{
    struct env *env = r->base.env;
    struct follower *follower = &r->followers[to];
    snapshot_release(r, follower);
    struct engine_range all = {.has_from = false};
    int err = engine_scan_open(env->engine, &all, &follower->cursor);
    if (err) return err;
    follower->snapshot_nonce = nonce;
    follower->snapshot_index = 0;
    follower->snapshot_done = false;
    follower->snapshot_mark = r->applied;
    env->ops->note(env, NOTE_SNAPSHOT, to, r->applied.position);
    return chunk_fill(r, follower);
}

void snapshot_ask(struct replica *r, uint32_t from, const struct message *message)
{
    struct follower *follower = &r->followers[from];
    uint64_t nonce = message->fields[FIELD_NONCE], index = message->fields[FIELD_INDEX];
    bool known = follower->cursor && follower->snapshot_nonce == nonce;
    int err = 0;
    if (known && index == follower->snapshot_index + 1 && !follower->snapshot_done) {
        follower->snapshot_index++;
        err = chunk_fill(r, follower);
    } else if (!known || index != follower->snapshot_index) {
        err = snapshot_open(r, from, nonce);
    }
    if (err == -ENOMEM) replica_panic(r, err, "no memory for a snapshot");
    if (err) {
        /* Unreadable rows cannot be sent; the follower asks again, perhaps another leader. */
        snapshot_release(r, follower);
        return;
    }
    struct message chunk = {.type = MESSAGE_SNAPSHOT_CHUNK,
                            .payload = buffer_bytes(&follower->chunk)};
    chunk.fields[FIELD_EPOCH] = r->epoch;
    chunk.fields[FIELD_NONCE] = nonce;
    chunk.fields[FIELD_INDEX] = follower->snapshot_index;
    chunk.fields[FIELD_POSITION] = follower->snapshot_mark.position;
    chunk.fields[FIELD_MARK_EPOCH] = follower->snapshot_mark.epoch;
    chunk.fields[FIELD_CRC] = follower->snapshot_mark.crc;
    chunk.fields[FIELD_FLAGS] = follower->snapshot_done ? FLAG_LAST : 0;
    message_send(r->base.env, from, &chunk);
}

/* ---- the follower's side: receiving ---- */

void snapshot_request(struct replica *r)
{
    struct subscription *s = &r->subscription;
    s->snapshot = true;
    struct message message = {.type = MESSAGE_SNAPSHOT_ASK};
    message.fields[FIELD_EPOCH] = r->epoch;
    message.fields[FIELD_NONCE] = s->nonce;
    message.fields[FIELD_INDEX] = s->snapshot_index;
    message_send(r->base.env, r->leader, &message);
}

void snapshot_abandon(struct replica *r)
{
    struct subscription *s = &r->subscription;
    if (s->staged) vfs_close(s->staged);
    s->staged = NULL;
    s->snapshot = false;
}

static int staged_create(struct replica *r, const struct message *message)
{
    struct env *env = r->base.env;
    struct subscription *s = &r->subscription;
    unsigned char header[HEADER_SIZE];
    memcpy(header, MAGIC, 8);
    put_u64(header + 8, message->fields[FIELD_POSITION]);
    put_u64(header + 16, message->fields[FIELD_MARK_EPOCH]);
    put_u32(header + 24, (uint32_t)message->fields[FIELD_CRC]);
    put_u64(header + 28, s->discarded);
    put_u64(header + 36, s->discarded_first);
    put_u32(header + 44, crc32c(0, header, 44));
    char path[DURABLE_PATH_SIZE];
    int err = durable_path(env, STAGED_NAME, path);
    if (s->staged) vfs_close(s->staged);
    s->staged = NULL;
    if (!err) err = vfs_open(env->vfs, path, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &s->staged);
    if (!err) err = vfs_write(s->staged, 0, bytes_of(header, sizeof header), VFS_REPAIR);
    s->staged_size = HEADER_SIZE;
    return err;
}

static int staged_add(struct replica *r, struct bytes rows)
{
    struct subscription *s = &r->subscription;
    unsigned char head[CHUNK_HEAD];
    put_u32(head, (uint32_t)rows.size);
    put_u32(head + 4, crc32c(0, rows.data, rows.size));
    int err = vfs_write(s->staged, s->staged_size, bytes_of(head, sizeof head), VFS_REPAIR);
    if (!err && rows.size)
        err = vfs_write(s->staged, s->staged_size + CHUNK_HEAD, rows, VFS_REPAIR);
    if (!err) s->staged_size += CHUNK_HEAD + rows.size;
    return err;
}

/* N1 */
static int staged_finish(struct replica *r)
{
    struct env *env = r->base.env;
    char from[DURABLE_PATH_SIZE], to[DURABLE_PATH_SIZE];
    int err = vfs_sync(r->subscription.staged, VFS_REPAIR);
    snapshot_abandon(r);
    if (!err) err = durable_path(env, STAGED_NAME, from);
    if (!err) err = durable_path(env, SNAPSHOT_NAME, to);
    if (!err) err = vfs_rename(env->vfs, from, to);
    if (!err) err = vfs_sync_dir(env->vfs, env->dir);
    return err;
}

static bool rows_next(struct bytes rows, size_t *at, struct bytes *key, struct bytes *value)
{
    const unsigned char *p = (const unsigned char *)rows.data + *at;
    size_t left = rows.size - *at;
    if (left < 8) return false;
    uint64_t key_size = get_u32(p), value_size = get_u32(p + 4);
    if (left - 8 < key_size + value_size) return false;
    *key = bytes_of(p + 8, key_size);
    *value = bytes_of(p + 8 + key_size, value_size);
    *at += 8 + key_size + value_size;
    return true;
}

static bool rows_valid(const struct replica *r, struct bytes rows)
{
    const struct engine_ops *ops = r->base.env->engine->ops;
    struct bytes key, value;
    for (size_t at = 0; at < rows.size;)
        if (!rows_next(rows, &at, &key, &value) || !key.size || key.size > ops->key_size_max ||
            value.size > ops->value_size_max || bytes_equal(key, applied_key))
            return false;
    return true;
}

void snapshot_chunk(struct replica *r, const struct message *message)
{
    struct subscription *s = &r->subscription;
    uint64_t index = message->fields[FIELD_INDEX];
    if (!s->snapshot || message->fields[FIELD_NONCE] != s->nonce) return;
    if (!rows_valid(r, message->payload)) return;
    if (index != 0 && (index != s->snapshot_index || !s->staged)) return;
    follower_heard(r);
    int err = index == 0 ? staged_create(r, message) : 0;
    if (!err) err = staged_add(r, message->payload);
    if (err) replica_panic(r, err, "a snapshot cannot be kept");
    s->snapshot_index = index + 1;
    if (!(message->fields[FIELD_FLAGS] & FLAG_LAST)) {
        snapshot_request(r);
        return;
    }
    err = staged_finish(r);
    if (!err) err = snapshot_resume(r);
    if (err) replica_panic(r, err, "a snapshot cannot be installed");
    follower_follow(r, r->leader, r->reign);
}

/* ---- installing ---- */

/* Deletes every key; in batches, unsynced: the sync at the end of the installation covers it.
 */
static int engine_wipe(struct replica *r)
{
    struct env *env = r->base.env;
    struct engine_range all = {.has_from = false};
    struct engine_cursor *cursor;
    int err = engine_scan_open(env->engine, &all, &cursor);
    if (err) return err;
    struct bytes key, value;
    int more;
    engine_batch_clear(&r->batch);
    while ((more = engine_scan_next(cursor, &key, &value)) > 0 && !err) {
        err = engine_batch_delete(&r->batch, key);
        if (!err && r->batch.count >= BATCH_ROWS) {
            err = engine_write(env->engine, &r->batch, ENGINE_NO_SYNC,
                               env->ops->monotonic_now(env));
            engine_batch_clear(&r->batch);
        }
    }
    engine_scan_close(cursor);
    if (!err && more < 0) err = more;
    if (!err && r->batch.count)
        err =
            engine_write(env->engine, &r->batch, ENGINE_NO_SYNC, env->ops->monotonic_now(env));
    engine_batch_clear(&r->batch);
    return err;
}

static int rows_put(struct replica *r, struct bytes rows)
{
    struct env *env = r->base.env;
    struct bytes key, value;
    int err = 0;
    engine_batch_clear(&r->batch);
    for (size_t at = 0; !err && rows_next(rows, &at, &key, &value);) {
        err = engine_batch_put(&r->batch, key, value);
        if (!err && (r->batch.count >= BATCH_ROWS || at == rows.size)) {
            err = engine_write(env->engine, &r->batch, ENGINE_NO_SYNC,
                               env->ops->monotonic_now(env));
            engine_batch_clear(&r->batch);
        }
    }
    return err;
}

/* Calls put for each chunk, or only checks them. 0, -EBADMSG or the disk's error. */
static int staged_read(struct replica *r, struct vfs_file *file, bool put)
{
    uint64_t size, at = HEADER_SIZE;
    int err = vfs_size(file, &size);
    struct buffer rows = {.allocator = r->base.env->allocator};
    while (!err && at < size) {
        unsigned char head[CHUNK_HEAD];
        int64_t got = vfs_read(file, at, head, sizeof head, VFS_RECOVERY);
        if (got != (int64_t)sizeof head) err = got < 0 ? (int)got : -EBADMSG;
        if (!err && get_u32(head) > size - at - CHUNK_HEAD) err = -EBADMSG;
        if (!err) err = buffer_reserve(&rows, get_u32(head));
        if (err) break;
        rows.size = get_u32(head);
        got = vfs_read(file, at + CHUNK_HEAD, rows.data, rows.size, VFS_RECOVERY);
        if (got != (int64_t)rows.size) err = got < 0 ? (int)got : -EBADMSG;
        if (!err && crc32c(0, rows.data, rows.size) != get_u32(head + 4)) err = -EBADMSG;
        if (!err && !rows_valid(r, buffer_bytes(&rows))) err = -EBADMSG;
        if (!err && put) err = rows_put(r, buffer_bytes(&rows));
        at += CHUNK_HEAD + rows.size;
    }
    buffer_deinit(&rows);
    return err;
}

static int header_read(struct vfs_file *file, unsigned char header[HEADER_SIZE])
{
    int64_t got = vfs_read(file, 0, header, HEADER_SIZE, VFS_RECOVERY);
    if (got < 0) return (int)got;
    if (got != HEADER_SIZE || memcmp(header, MAGIC, 8) ||
        crc32c(0, header, 44) != get_u32(header + 44))
        return -EBADMSG;
    return 0;
}

/* N2 */
static int install(struct replica *r, struct vfs_file *file, const unsigned char *header)
{
    struct env *env = r->base.env;
    struct replog_mark mark = {get_u64(header + 8), get_u64(header + 16), get_u32(header + 24)};
    unsigned char value[APPLIED_SIZE];
    applied_encode(mark, value);
    int err = engine_wipe(r);
    if (!err) err = staged_read(r, file, true);
    if (!err)
        err = engine_put(env->engine, applied_key, bytes_of(value, sizeof value),
                         env->allocator, ENGINE_NO_SYNC, env->ops->monotonic_now(env));
    if (!err) err = engine_sync(env->engine);
    if (!err) err = replog_reset(r->log, mark);
    if (err) return err;
    r->applied = mark;
    r->stale = false;
    overlay_clear(&r->overlay);
    env->ops->note(env, NOTE_SNAPSHOT, env->self, mark.position);
    uint64_t discarded = get_u64(header + 28);
    if (discarded) env->ops->note(env, NOTE_WRITES_DISCARDED, discarded, get_u64(header + 36));
    return 0;
}

static int file_remove(struct env *env, const char *name)
{
    char path[DURABLE_PATH_SIZE];
    int err = durable_path(env, name, path);
    if (!err) err = vfs_unlink(env->vfs, path);
    return err == -ENOENT ? 0 : err;
}

int snapshot_resume(struct replica *r)
{
    struct env *env = r->base.env;
    char path[DURABLE_PATH_SIZE];
    struct vfs_file *file;
    unsigned char header[HEADER_SIZE];
    int err = file_remove(env, STAGED_NAME);
    if (!err) err = durable_path(env, SNAPSHOT_NAME, path);
    if (!err) err = vfs_open(env->vfs, path, VFS_READ, &file);
    if (err) return err == -ENOENT ? 0 : err;
    err = header_read(file, header);
    if (!err) err = staged_read(r, file, false);
    bool corrupt = err == -EBADMSG;
    if (!err) err = install(r, file, header);
    vfs_close(file);
    /* A damaged file decides nothing: if an installation had begun, the engine's mark is gone
     * or disagrees with the log, and the node finds itself stale. */
    if (corrupt) err = 0;
    if (!err) err = file_remove(env, SNAPSHOT_NAME);
    if (!err) err = vfs_sync_dir(env->vfs, env->dir);
    return err;
}
