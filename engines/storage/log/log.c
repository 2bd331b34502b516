/* The engine `log`: an append-only text file that two bash functions can read and write.
 *
 *     db_set () { echo "$1, $2" >> database; }
 *     db_get () { grep "^$1," database | sed -e "s/^$1,//" | tail -n 1; }
 *
 * FORMAT. One file, `database`, of lines that end in \n. H stands for a lower-case hexadecimal
 * digit.
 *
 *     file    = { foreign | batch }
 *     foreign = any line of bash, "key, value" by db_set
 *     batch   = [ adopt ] begin { put | delete } commit
 *     adopt   = "#=," 10H "," 8H            from, CRC-32C of the foreign bytes [from, here)
 *     begin   = "#+," 10H "," nH "," 8H     start, distance, CRC of the batch before (0: none)
 *     put     = key ", " value
 *     delete  = "#del" newline key ","
 *     commit  = "#," count "," 8H           items, CRC-32C of the batch up to these digits
 *
 *     offset in a begin line   0   3          13  14         14+n 15+n
 *                              #+, <start   > ,   <distance>  ,   <before> \n
 *
 * start is the line's own offset; start - distance bytes of the file were durable when it was
 * written ("synced", I4). A put of one pair costs 41 bytes beside its key and value when every
 * put is synced (the distance is 0), 48 at most. Keys and values of ours are escaped, as %XX in
 * upper case: in a key every byte outside [A-Za-z0-9_.-], in a value newline, '%' and NUL. So
 * no line of ours but these begins with '#', a key holds no comma and nothing a newline; text
 * and JSON stand in the file as they are, and values of random bytes grow by 2.3 %. The empty
 * key is the line ", value". Lines of bash are literal, whatever they hold: the key ends at the
 * first comma, one space behind it is not part of the value, and '%' means itself. Whose a line
 * is, is decided by whether a batch encloses it.
 *
 * WHAT BASH SEES. db_get prints the value of the last line that matches, with the space that
 * db_set writes behind the comma; for a deleted key an empty line. What needs escapes is seen
 * escaped; a value that is not text in the locale of grep makes it say "binary file matches"
 * (LC_ALL=C prints it). `grep "^$1,"` takes the key for a regular expression: db_get a.c
 * also matches the key abc, and db_get "#" or "#del" finds lines of ours. That is bash's side;
 * log compares bytes.
 *
 * WHAT LOG SEES. A file without a line of our grammar is wholly of bash and accepted as it is,
 * even if its last line lacks the newline: at open it is copied to database.new, an adopt line
 * and an empty batch are put behind, and the copy takes its place. From then on the file is
 * ours, and bash may still append to it while no engine has it open. Such a tail is accepted
 * line by line, until the first line that a torn batch could be: one without newline, with
 * control characters but tab, that is not UTF-8, of our grammar, or the front or rear of such a
 * line ('#' without a ", " at the first comma). Directly behind a batch that nothing claims,
 * where the engine was writing when it died, a tail is accepted whole or not at all: garble may
 * begin with what looks like a line. The next batch adopts them. Two things cannot be told
 * apart and are not kept: what bash appends directly behind a torn batch (open the engine
 * first: it cuts the batch), and lines of an appended tail that look like garble, with all that
 * follows them. A writer at a time: bash must not append while an engine has the file open.
 *
 * INVARIANTS
 *   I1  [0, end) is whole batches and lines of bash; get and scan read nothing beyond.
 *   I2  `synced` <= `end`, and a completed sync covers [0, synced).
 *   I3  A batch is written by one vfs_write at `end`, and `end` moves only when it (and its
 *       sync, when asked) has succeeded: a failure leaves `end`, and bytes beyond it that
 *       reopen cuts.
 *   I4  A begin line names `synced` at the time of writing. So bad bytes at X are a torn write
 *       if no whole batch behind X claims more than X bytes durable, and are cut; else they are
 *       rot, and open says -EBADMSG. close() leaves a mark (an empty batch) when the last
 *       batches have been synced and nothing claims them yet.
 *   I5  Every batch names the checksum of the one before: what an older file left in lost
 *       sectors is not taken for a continuation.
 *   I6  `database` appears by rename and begins with an empty batch (or adopted lines), so a
 *       torn first write never looks like a file of bash.
 *   I7  With `index: memory` the index holds exactly the live keys of [0, end) (log_read.c).
 *
 * CRASH, by what was cut: the copy (database.new is removed at open, `database` is as before);
 * the rename (old or new, both whole); a batch (no commit line, or a checksum that fails: cut,
 * I4); several unsynced batches of which a later one survived (cut at the first bad one: none
 * of them was promised); the truncate of a cut (repeated); a copy by checkpoint (marked until
 * `database` is whole under its name: refused). After open everything readable is durable: open
 * syncs.
 *
 * COST. A write is one append, and one sync when asked; without an index get and scan_open read
 * the whole file, with `index: memory` get is one read of one value, and open builds the index
 * from one pass over the file (log_index.c says what it takes: some 40 to 60 bytes a key beyond
 * the key). The file is the same either way. Which one a program wants, is the first lesson of
 * storage engines: the log is the fastest there is to write and the slowest to read.
 *
 * LIMITS. 1 TiB a file; nothing is ever reclaimed; scan_open keeps the keys of its range, and
 * without an index one entry for each of their lines, live or not. A flipped bit in the batches
 * since the last sync claim (those after the last begin line, in a file that was not closed)
 * looks like a torn write and is cut. A begin line names its own offset, so what moves the end
 * of the file (a byte inserted or removed, by an editor say, or the end cut off) leaves no line
 * behind it that claims anything: it looks like a torn write too, and open cuts from there on,
 * which cut_bytes tells. Disks do not do that; whoever edits the file by hand only appends.
 */
#include "engines/storage/log/log.h"

#include <errno.h>

#include "engines/storage/log/log_inspect.h"
#include "engines/storage/log/log_internal.h"

#define KEY_SIZE_MAX 65536u /* bytes before escapes */
#define VALUE_SIZE_MAX (16u << 20)

/* What open does about rot. Many a log in production truncates, because it can not tell rot
 * from a torn write; this one can, and has the other policy to show what that costs (Alagappan
 * and others, "Protocol-aware recovery", FAST 2018). */
enum log_corruption { LOG_REFUSE, LOG_TRUNCATE };

int log_corrupt(struct log_engine *log, uint64_t offset, const char *why)
{
    return engine_fail(&log->base, -EBADMSG, "%s/" LOG_FILE_NAME " at offset %llu: %s",
                       log->dir, (unsigned long long)offset, why);
}

static int log_io_failed(struct log_engine *log, int err, const char *what)
{
    return engine_fail(&log->base, err, "%s/" LOG_FILE_NAME ": %s failed (errno %d)", log->dir,
                       what, -err);
}

void log_engine_reader(struct log_reader *reader, const struct log_engine *log, uint64_t limit,
                       enum vfs_purpose purpose)
{
    log_reader_init(reader, log->base.host.allocator, log->file, limit,
                    (size_t)log->options.block_size, purpose);
}

/* ---- recovery ---- */

/* Puts `database` in place: a copy of what bash wrote (from, may be NULL) and an empty batch.
 */
static int log_create(struct log_engine *log, struct vfs_file *from, uint64_t size)
{
    struct vfs *vfs = log->base.host.vfs;
    char path[ENGINE_PATH_SIZE], final_path[ENGINE_PATH_SIZE];
    struct vfs_file *file;
    uint32_t foreign = 0, crc = 0, whole;
    unsigned char last = '\n';
    int err = engine_path(path, log->dir, LOG_NEW_NAME);
    if (!err) err = engine_path(final_path, log->dir, LOG_FILE_NAME);
    if (err) return err;
    err = vfs_open(vfs, path, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &file);
    if (err) return err;
    buffer_clear(&log->batch);
    if (size) {
        err = engine_file_copy(log->base.host.allocator, from, size, file, 0, &foreign,
                               VFS_RECOVERY);
        if (!err) err = engine_file_read(from, size - 1, &last, 1, VFS_RECOVERY);
        uint64_t start = size;
        if (!err && last != '\n') {
            foreign = crc32c(foreign, "\n", 1);
            start++;
            err = buffer_append(&log->batch, "\n", 1);
        }
        size_t from_byte = log->batch.size;
        if (!err) err = log_append_adopt(&log->batch, 0, foreign);
        if (!err)
            err = log_append_begin(&log->batch, start + log->batch.size - from_byte, 0, 0);
        if (!err) crc = crc32c(0, log->batch.data + from_byte, log->batch.size - from_byte);
    } else {
        err = log_append_begin(&log->batch, 0, 0, 0);
        if (!err) crc = crc32c(0, log->batch.data, log->batch.size);
    }
    if (!err) err = log_append_commit(&log->batch, 0, crc, &whole);
    if (!err) err = vfs_write(file, size, buffer_bytes(&log->batch), VFS_RECOVERY);
    if (!err)
        err = engine_file_sync(&log->base, file, VFS_RECOVERY, log->options.on_sync_failure);
    int close_err = vfs_close(file);
    if (!err) err = close_err;
    return err ? err : vfs_rename(vfs, path, final_path);
}

/* Opens `database`; makes it, or makes it ours, first. */
static int log_open_file(struct log_engine *log)
{
    struct vfs *vfs = log->base.host.vfs;
    char path[ENGINE_PATH_SIZE];
    uint64_t size;
    int err = engine_path(path, log->dir, LOG_NEW_NAME);
    if (err) return err;
    err = vfs_unlink(vfs, path);
    if (err && err != -ENOENT) return err;
    err = engine_path(path, log->dir, LOG_FILE_NAME);
    if (err) return err;
    err = vfs_open(vfs, path, VFS_WRITE, &log->file);
    if (err == -ENOENT) {
        int unfinished = engine_copy_is_unfinished(vfs, log->dir);
        if (unfinished > 0) return engine_copy_refuse(&log->base, log->dir);
        err = unfinished ? unfinished : log_create(log, NULL, 0);
    } else if (!err) {
        struct log_reader reader;
        err = vfs_size(log->file, &size);
        if (!err) {
            log_engine_reader(&reader, log, size, VFS_RECOVERY);
            int is_foreign = log_is_foreign(&reader);
            log_reader_deinit(&reader);
            if (is_foreign == 0) return 0;
            err = is_foreign < 0 ? is_foreign : log_create(log, log->file, size);
        }
        vfs_close(log->file);
        log->file = NULL;
    }
    return err ? err : vfs_open(vfs, path, VFS_WRITE, &log->file);
}

/* Finds the end of good bytes; cuts a torn tail, reports rot (I4). */
static int log_recover(struct log_engine *log)
{
    struct log_reader reader;
    struct log_state state;
    struct log_visitor index = {log_pending_item, log_pending_batch, log};
    uint64_t size, claimed = 0;
    int err = vfs_size(log->file, &size);
    if (err) return err;
    log_engine_reader(&reader, log, size, VFS_RECOVERY);
    err = log_parse(&reader, log_has_index(log) ? &index : NULL, &state);
    if (!err && state.is_damaged) err = log_claims_behind(&reader, &state, &claimed);
    log_reader_deinit(&reader);
    if (err) return err;
    /* I6: a file of ours has a whole batch from its first moment on. */
    bool is_rot = state.is_damaged && (claimed > state.end || state.batches == 0);
    if (is_rot && log->options.on_corruption == LOG_REFUSE)
        return log_corrupt(log, state.damage_offset, state.damage);
    if (state.is_damaged) {
        err = vfs_truncate(log->file, state.end);
        if (err) return err;
        log->cut_bytes = size - state.end;
    }
    /* Also when nothing was cut: what an earlier process wrote may be in the cache only, and
     * from here on it is read, answered and built upon. */
    err = engine_file_sync(&log->base, log->file, VFS_RECOVERY, log->options.on_sync_failure);
    if (err) return err;
    if (log_has_index(log)) err = log_pending_rest(log, state.end);
    if (err) return err;
    log->end = log->synced = state.end;
    log->batches = state.batches;
    log->covered = state.covered;
    log->crc = state.crc;
    log->foreign_crc = state.foreign_crc;
    log->owes_mark = !state.last_is_claimed;
    return 0;
}

static void log_free(struct log_engine *log)
{
    const struct allocator *allocator = log->base.host.allocator;
    if (log->file) vfs_close(log->file);
    buffer_deinit(&log->batch);
    buffer_deinit(&log->pending.keys);
    buffer_deinit(&log->pending.entries);
    log_index_deinit(&log->index);
    allocator_free(allocator, log, sizeof(*log));
}

static int log_open(const struct engine_host *host, const char *dir, const void *options,
                    struct engine **out)
{
    struct log_engine *log = allocator_alloc(host->allocator, sizeof(*log));
    if (!log) return -ENOMEM;
    memset(log, 0, sizeof(*log));
    log->base.ops = &engine_log;
    log->base.host = *host;
    log->options = *(const struct log_options *)options;
    log->batch.allocator = log->index.allocator = host->allocator;
    log->pending.keys.allocator = log->pending.entries.allocator = host->allocator;
    int err = engine_path(log->dir, "", dir);
    if (!err) err = engine_dir_ensure(host->vfs, dir);
    if (!err) err = log_open_file(log);
    if (!err) err = vfs_sync_dir(host->vfs, dir);
    if (!err) err = log_recover(log);
    if (err) {
        if (!log->base.error_text[0]) log_io_failed(log, err, "open");
        engine_open_failed(&log->base);
        log_free(log);
        return err;
    }
    *out = &log->base;
    return 0;
}

/* ---- writing ---- */

/* Encodes into log->batch: an adoption if bash wrote since the last batch, then the batch. */
static int log_encode(struct log_engine *log, const struct engine_batch *batch, uint32_t *whole)
{
    struct buffer *out = &log->batch;
    struct engine_batch_item item;
    size_t position = 0, value_from;
    buffer_clear(out);
    log_pending_clear(log);
    int err =
        log->end > log->covered ? log_append_adopt(out, log->covered, log->foreign_crc) : 0;
    if (!err) err = log_append_begin(out, log->end + out->size, log->synced, log->crc);
    while (!err && batch && engine_batch_next(batch, &position, &item)) {
        err = log_append_item(out, &item, &value_from);
        if (!err && log_has_index(log)) err = log_pending_write(log, &item, value_from);
    }
    if (!err)
        err = log_append_commit(out, batch ? batch->count : 0, crc32c(0, out->data, out->size),
                                whole);
    return !err && log_has_index(log) ? log_pending_reserve(log) : err;
}

/* Appends a batch (NULL: a mark). */
static int log_append(struct log_engine *log, const struct engine_batch *batch, bool is_synced)
{
    uint32_t whole;
    int err = log_encode(log, batch, &whole);
    if (err) return err; /* nothing has been written */
    if (log->end + log->batch.size > LOG_OFFSET_MAX)
        return engine_fail(&log->base, -EFBIG, "%s/" LOG_FILE_NAME ": the file is full",
                           log->dir);
    err = vfs_write(log->file, log->end, buffer_bytes(&log->batch), VFS_LOG);
    if (err) log_io_failed(log, err, "write");
    if (!err && is_synced) {
        err = engine_file_sync(&log->base, log->file, VFS_LOG, log->options.on_sync_failure);
        if (err) log_io_failed(log, err, "sync");
    }
    if (err) {
        log->is_read_only = log->options.on_sync_failure == SYNC_PANIC;
        return err;
    }
    if (log_has_index(log)) log_pending_apply(log, log->end); /* I7 */
    log->end += log->batch.size;                              /* I3 */
    log->batches++;
    log->covered = log->end;
    log->crc = whole;
    log->foreign_crc = 0;
    if (is_synced) log->synced = log->end;
    log->owes_mark = batch != NULL;
    if (log->batch.capacity > LOG_KEPT_BUFFER) buffer_deinit(&log->batch);
    return 0;
}

static int log_write(struct engine *engine, const struct engine_batch *batch,
                     enum engine_durability durability, int64_t now_ns)
{
    struct log_engine *log = log_of(engine);
    (void)now_ns;
    if (log->is_read_only)
        return -EROFS; /* the error text still names the failure that led here */
    return log_append(log, batch, durability == ENGINE_SYNC);
}

static int log_sync(struct engine *engine)
{
    struct log_engine *log = log_of(engine);
    if (log->is_read_only) return -EROFS;
    int err = engine_file_sync(engine, log->file, VFS_LOG, log->options.on_sync_failure);
    if (err) {
        log->is_read_only = log->options.on_sync_failure == SYNC_PANIC;
        return log_io_failed(log, err, "sync");
    }
    log->synced = log->end;
    return 0;
}

/* A log has no background work. */
static int log_maintain(struct engine *engine, uint64_t budget_bytes, int64_t now_ns,
                        bool *more)
{
    (void)engine;
    (void)budget_bytes;
    (void)now_ns;
    *more = false;
    return 0;
}

static void log_close(struct engine *engine)
{
    struct log_engine *log = log_of(engine);
    /* I4. Not synced, and its failure is nobody's: without the mark the file is as good as
     * after a crash. */
    if (!log->is_read_only && log->owes_mark && log->synced == log->end)
        log_append(log, NULL, false);
    log_free(log);
}

/* ---- copies and figures ---- */

static int log_checkpoint(struct engine *engine, const char *dir)
{
    struct log_engine *log = log_of(engine);
    struct vfs *vfs = engine->host.vfs;
    char path[ENGINE_PATH_SIZE], final_path[ENGINE_PATH_SIZE];
    struct vfs_file *file;
    int err = engine_path(path, dir, LOG_NEW_NAME);
    if (!err) err = engine_path(final_path, dir, LOG_FILE_NAME);
    if (!err) err = engine_copy_begin(vfs, dir);
    if (!err) err = vfs_open(vfs, path, VFS_WRITE | VFS_CREATE | VFS_EXCLUSIVE, &file);
    if (err) return err;
    err = engine_file_copy(engine->host.allocator, log->file, log->end, file, 0, NULL,
                           VFS_REPAIR);
    if (!err) err = engine_file_sync(engine, file, VFS_REPAIR, log->options.on_sync_failure);
    int close_err = vfs_close(file);
    if (!err) err = close_err;
    if (!err) err = vfs_rename(vfs, path, final_path);
    /* The name before the mark goes: a copy without either would look like no database yet. */
    if (!err) err = vfs_sync_dir(vfs, dir);
    return err ? err : engine_copy_end(vfs, dir);
}

static void log_stats(struct engine *engine, struct engine_stats *stats)
{
    struct log_engine *log = log_of(engine);
    stats->files = 1;
    stats->disk_bytes = log->end;
    stats->memory_bytes = sizeof(*log) + log->batch.capacity + log->pending.keys.capacity +
                          log->pending.entries.capacity + log_index_memory(&log->index);
    stats->cut_bytes = log->cut_bytes;
}

static void log_properties(struct engine *engine, engine_property_fn *each, void *context)
{
    struct log_engine *log = log_of(engine);
    each(context, "file.bytes", log->end);
    each(context, "file.synced", log->synced);
    each(context, "file.foreign", log->end - log->covered);
    each(context, "batches", log->batches);
    each(context, "index.keys", log->index.count);
    each(context, "index.key_bytes", log->index.live_key_bytes);
    each(context, "index.bytes", log_index_memory(&log->index));
}

static const char *log_error(struct engine *engine)
{
    return engine->error_text;
}

/* ---- the table ---- */

static const char *const log_index_words[] = {"none", "memory", NULL};

static const char *const log_corruption_words[] = {"refuse", "truncate", NULL};

static const struct option log_option_table[] = {
    {.name = "block_size",
     .type = OPTION_SIZE,
     .offset = offsetof(struct log_options, block_size),
     .value = "64KiB",
     .low = 512,
     .high = 16 << 20,
     .doc = "bytes that a read of the file takes at once"},
    {.name = "index",
     .type = OPTION_WORD,
     .offset = offsetof(struct log_options, index),
     .value = "none",
     .words = log_index_words,
     .doc = "none: a get reads the whole file; memory: keys and offsets in memory, one read a "
            "get"},
    {.name = "on_corruption",
     .type = OPTION_WORD,
     .offset = offsetof(struct log_options, on_corruption),
     .value = "refuse",
     .words = log_corruption_words,
     .doc =
         "at open. refuse: fail and name the place; truncate: keep what stands before it, as "
         "after a torn write (loses what was acknowledged)"},
    {.name = "on_sync_failure",
     .type = OPTION_WORD,
     .offset = offsetof(struct log_options, on_sync_failure),
     .value = "panic",
     .words = sync_policy_words,
     .doc = "panic: no more writes until reopened; retry: sync again and believe it (unsafe)"},
};

const struct engine_ops engine_log = {
    .abi_version = ENGINE_ABI_VERSION,
    .struct_size = sizeof(struct engine_ops),
    .name = "log",
    .doc = "append-only text file of two bash functions: O(1) write, O(N) read",
    .capabilities = ENGINE_ORDERED,
    .key_size_max = KEY_SIZE_MAX,
    .value_size_max = VALUE_SIZE_MAX,
    .options = log_option_table,
    .options_count = sizeof(log_option_table) / sizeof(log_option_table[0]),
    .options_size = sizeof(struct log_options),
    .open = log_open,
    .write = log_write,
    .get = log_get,
    .scan_open = log_scan_open,
    .scan_next = log_scan_next,
    .scan_close = log_scan_close,
    .maintain = log_maintain,
    .sync = log_sync,
    .checkpoint = log_checkpoint,
    .stats = log_stats,
    .error = log_error,
    .close = log_close,
    .properties = log_properties,
    .recognise = log_recognise,
    .inspect = log_inspect,
};
