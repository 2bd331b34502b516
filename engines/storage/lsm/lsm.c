/* The engine `lsm`: a log-structured merge tree.
 *
 *      write ----> wal-0000000c.log    memtable        memory, newest
 *                  wal-00000009.log    memtable        full: being flushed
 *                                         |
 *                  level 0             sst-0000000b.table, sst-0000000a.table, ...
 *                                         |            compaction
 *                  level 1             [ sst .. ][ sst .. ][ sst .. ]
 *                  level 2             [ sst .. ][ sst .. ][ sst .. ][ sst .. ][ sst .. ]
 *      MANIFEST lists the tables by level and run, and the first log that is not in them
 *
 * A write is one append to the log (and one sync when asked) and an insert into the memtable. A
 * full memtable is sealed with its log and flushed to a table of level 0, while writes go on in
 * the next one. Compaction merges tables, newest version of a key first, and drops what is
 * superseded. A get asks memtables, then runs from newest to oldest, and a Bloom filter spares
 * it most runs that do not hold the key. Formats: wal.c, manifest.c, table.c.
 *
 *     flush.c       memtable to level 0        version.c   which tables there are
 *     pick.c        what to compact            manifest.c  from one version to the next
 *     compaction.c  the merge, in slices       recover.c   opening
 *     output.c      tables in the making       scan.c      cursors
 *     wal.c         the log                    inspect.c   what a closed directory holds
 *
 * INVARIANTS
 *   L1  A batch is one record of the log, written by one vfs_write: its checksum makes it whole
 *       or nothing.
 *   L2  Records are a chain from the log's header on, each naming the checksum of the one
 *       before; a log names the sequence of the last item before it. Recovery follows the chain
 *       through all logs and stops at its first break.
 *   L3  A claim in a record ("so many bytes are durable") is true when written. A break of the
 *       last log at X is a torn write, and cut, unless a valid record behind it claims more
 *       than X: then it is rot, -EBADMSG. close() leaves a mark, a record without items, when
 *       all is synced and no record says so yet.
 *   L4  A log ends with a seal, which is written when the next log's name is durable; that
 *       one's header is written, and synced, when all of the log is, and before any record of
 *       its own. So a log before one with a header breaks by rot alone, as does a header with
 *       anything behind it; and a sealed log without one behind it has lost that.
 *   L5  A write is acknowledged as synced only when the name of its log is durable.
 *   L6  A table is durable, contents and name, before a manifest lists it; any break in it is
 *       rot.
 *   L7  The manifest is replaced whole, by rename, and says in one step which tables there are
 *       and which logs are done with. A log or table that it does not need is unlinked only
 *       when it is durable.
 *   L8  Of two entries of a key, the newer stands in an earlier memtable, level or run. Who
 *       finds one needs to look no further.
 *   L9  Bytes of the log beyond `size` are nobody's: `size` moves when the write (and the sync,
 *       when asked) has succeeded.
 *
 * CRASH, by what was cut
 *   a batch                    its record is not whole: cut at open (L1, L3)
 *   several unsynced batches   the chain breaks at the first that is lost (L2): none of them
 *                              was promised, and what comes behind is cut with it
 *   the switch of memtables    the next log has no durable header: nothing was in it. Behind a
 *                              seal it is made anew, else it is removed and the log before goes
 *                              on
 *   a flush                    before its rename: the table is a stray, the logs are replayed
 *                              and flushed again. After it: the logs are strays
 *   a compaction               before its rename the outputs are strays, after it the inputs
 *                              (C1, C2); moves change the manifest alone
 *   the rename                 one of the two manifests is found, and all files of either are
 *                              there: nothing is unlinked before the directory is synced
 *   making the database        no MANIFEST, at most a log without records: made anew
 *   recovery itself            its truncate, syncs and unlinks are repeated
 *
 * A failed write or sync of the log, a failed switch of logs, or a rename of which the outcome
 * is unknown makes the engine read-only. Every other failure of a flush or compaction drops its
 * outputs and is tried again; a corrupt input stops compaction alone, and reads go on where
 * they can. A delete carries the time of its write as its value, so that gc_grace can be held
 * against each tombstone, through flush, compaction and restart.
 *
 * MEMORY. Two memtables of `memtable_size` (and a batch), the block cache, index and filter of
 * `max_open_tables` tables, and while a compaction runs some 64 KiB an input and output.
 *
 * LIMITS. Keys to 64 KiB - 1, values to 16 MiB, batches to 1 GiB. A flipped bit in the records
 * since the last claim, in a database that was not closed, looks like a torn write and is cut.
 * Replay reads a log whole into memory. No compression, no rate limit of compaction but the
 * budget of maintain().
 */
#include "engines/storage/lsm/lsm.h"

#include <errno.h>

#include "engines/storage/lsm/lsm_internal.h"

#define STALL_SLICES 4u /* slices that a stalled write does at most */
#define STALL_FACTOR                                                                           \
    16u /* bytes that they may merge, per byte written: about what a byte costs                \
           until it is at rest */

/* ---- life ---- */

static void garbage_free(struct lsm *lsm)
{
    while (lsm->garbage) {
        struct lsm_garbage *garbage = lsm->garbage;
        lsm->garbage = garbage->next;
        allocator_free(lsm->base.host.allocator, garbage, garbage->owner_bytes);
    }
}

static void lsm_free(struct lsm *lsm)
{
    lsm->is_closing = true; /* what is not listed is found at the next open */
    lsm_switch_deinit(lsm);
    lsm_flush_abort(lsm);
    lsm_compaction_abort(lsm);
    lsm_memory_unref(lsm, lsm->memory);
    lsm_memory_unref(lsm, lsm->flushing);
    if (lsm->wal) lsm_wal_close(lsm, lsm->wal);
    while (lsm->flushing_wals) {
        struct lsm_wal *wal = lsm->flushing_wals;
        lsm->flushing_wals = wal->newer;
        lsm_wal_close(lsm, wal);
    }
    lsm_version_unref(lsm, lsm->version);
    garbage_free(lsm);
    if (lsm->cache) block_cache_destroy(lsm->cache);
    for (uint32_t i = 0; i < LSM_LEVELS; i++) buffer_deinit(&lsm->picks[i]);
    buffer_deinit(&lsm->scratch);
    allocator_free(lsm->base.host.allocator, lsm, sizeof(*lsm));
}

static int lsm_open(const struct engine_host *host, const char *dir, const void *options,
                    struct engine **out)
{
    struct lsm *lsm = allocator_alloc(host->allocator, sizeof(*lsm));
    if (!lsm) return -ENOMEM;
    memset(lsm, 0, sizeof(*lsm));
    lsm->base.ops = &engine_lsm;
    lsm->base.host = *host;
    lsm->options = *(const struct lsm_options *)options;
    lsm->scratch.allocator = host->allocator;
    for (uint32_t i = 0; i < LSM_LEVELS; i++) lsm->picks[i].allocator = host->allocator;
    int err = engine_path(lsm->dir, "", dir);
    if (!err) err = engine_dir_ensure(host->vfs, dir);
    if (!err && lsm->options.cache_bytes)
        err = block_cache_create(host->allocator, (uint64_t)lsm->options.cache_bytes,
                                 &lsm->cache);
    if (!err) err = lsm_recover(lsm);
    if (err) {
        if (!lsm->base.error_text[0])
            engine_fail(&lsm->base, err, "%s: open failed (errno %d)", dir, -err);
        engine_open_failed(&lsm->base);
        lsm_free(lsm);
        return err;
    }
    *out = &lsm->base;
    return 0;
}

static void lsm_close(struct engine *engine)
{
    struct lsm *lsm = lsm_of(engine);
    if (!lsm->is_read_only && lsm->wal->owes_mark && lsm->wal->synced == lsm->wal->size)
        lsm_wal_mark(lsm);
    lsm_free(lsm);
}

/* ---- maintenance ---- */

/* Unlinks one file that nothing lists any more. */
static int garbage_slice(struct lsm *lsm)
{
    struct lsm_garbage *garbage = lsm->garbage;
    char path[ENGINE_PATH_SIZE];
    int err = garbage->is_log ? lsm_log_path(lsm->dir, garbage->number, path)
                              : lsm_table_path(lsm->dir, garbage->number, path);
    if (!err) err = vfs_unlink(lsm->base.host.vfs, path);
    if (err && err != -ENOENT)
        return engine_fail(&lsm->base, err, "%s: unlink failed (errno %d)", path, -err);
    lsm->garbage = garbage->next;
    allocator_free(lsm->base.host.allocator, garbage, garbage->owner_bytes);
    return 0;
}

static int switch_slice(struct lsm *lsm)
{
    bool done, of_flush = lsm->change.of_flush;
    int err = lsm_switch_slice(lsm, &done);
    if (!err && !done) return 0;
    if (err) lsm_switch_deinit(lsm);
    if (of_flush) {
        if (err)
            lsm_flush_abort(lsm);
        else
            lsm_flush_done(lsm);
    } else {
        if (err)
            lsm_compaction_abort(lsm);
        else
            lsm_compaction_done(lsm);
    }
    return err;
}

int lsm_maintain_slice(struct lsm *lsm, uint64_t budget, bool *more)
{
    int err = 0;
    if (budget == 0) budget = 1;
    if (lsm->is_read_only)
        err = 0;
    else if (lsm->change.step != SWITCH_IDLE)
        err = switch_slice(lsm);
    else if (lsm->garbage)
        err = garbage_slice(lsm);
    else if (lsm->flushing)
        err = lsm_flush_slice(lsm, budget);
    else if (lsm->compaction.step != COMPACT_IDLE || lsm_compaction_is_due(lsm))
        err = lsm_compaction_slice(lsm, budget);
    *more = !lsm->is_read_only &&
            (lsm->change.step != SWITCH_IDLE || lsm->garbage || lsm->flushing ||
             lsm->compaction.step != COMPACT_IDLE || lsm_compaction_is_due(lsm));
    return err;
}

static int lsm_maintain(struct engine *engine, uint64_t budget_bytes, int64_t now_ns,
                        bool *more)
{
    struct lsm *lsm = lsm_of(engine);
    lsm->now_ns = now_ns;
    return lsm_maintain_slice(lsm, budget_bytes, more);
}

/* ---- writing ---- */

static bool memory_is_full(const struct lsm *lsm, uint64_t factor)
{
    return memtable_data_bytes(lsm->memory->table) >=
           (uint64_t)lsm->options.memtable_bytes * factor;
}

static bool level0_is_behind(struct lsm *lsm, uint64_t factor)
{
    return lsm->version->levels[0].count >= (uint64_t)lsm->options.l0_stall * factor &&
           (lsm->compaction.step != COMPACT_IDLE || lsm_compaction_is_due(lsm));
}

/* Maintenance is somewhat behind: the writer does part of it, and its caller pays. */
static void help(struct lsm *lsm, uint64_t size)
{
    bool more = true;
    lsm->base.write_stalls++;
    for (uint32_t i = 0; more && i < STALL_SLICES; i++)
        if (lsm_maintain_slice(lsm, size * STALL_FACTOR, &more))
            return; /* its failure is not the write's: maintain says it */
}

/* The memtable is full and the one before is not flushed: nothing else is left to do. */
static int help_out(struct lsm *lsm)
{
    bool more = true;
    int err = 0;
    lsm->base.write_stalls++;
    while (!err && more && lsm->flushing) err = lsm_maintain_slice(lsm, UINT64_MAX, &more);
    while (!err && more && level0_is_behind(lsm, 2))
        err = lsm_maintain_slice(lsm, UINT64_MAX, &more);
    return err;
}

/* Makes room for a write of so many bytes, and keeps maintenance from falling behind. */
static int make_room(struct lsm *lsm, uint64_t size)
{
    if (!memory_is_full(lsm, 1)) {
        if (level0_is_behind(lsm, 1) ||
            (lsm->flushing && memtable_data_bytes(lsm->memory->table) * 2 >=
                                  (uint64_t)lsm->options.memtable_bytes))
            help(lsm, size);
        return 0;
    }
    int err = lsm->flushing || level0_is_behind(lsm, 2) ? help_out(lsm) : 0;
    if (lsm->is_read_only) return -EROFS;
    if (lsm->flushing) return memory_is_full(lsm, 2) ? err : 0; /* the flush may yet succeed */
    return lsm_memory_switch(lsm);
}

static int append(struct lsm *lsm, struct bytes record, uint32_t crc, bool is_synced)
{
    struct lsm_wal *wal = lsm->wal;
    int err = vfs_write(wal->file, wal->size, record, VFS_LOG);
    if (err) return lsm_log_failed(lsm, err, wal->garbage.number, "write");
    uint64_t size = wal->size, synced = wal->synced;
    wal->size += record.size;
    if (is_synced) {
        err = lsm_wal_sync(lsm);
        if (err) {
            wal->size = size; /* L9 */
            return err;
        }
    }
    if (synced <= UINT32_MAX) wal->claimed = synced; /* the record said it, if it was news */
    wal->crc = crc;
    wal->owes_mark = true;
    return 0;
}

static void apply(struct lsm *lsm, const struct engine_batch *batch, int64_t now_ns)
{
    struct engine_batch_item item;
    unsigned char time[8];
    put_u64(time, (uint64_t)now_ns);
    for (size_t position = 0; engine_batch_next(batch, &position, &item);) {
        memtable_add(lsm->memory->table, ++lsm->sequence, item.is_delete, item.key,
                     item.is_delete ? bytes_of(time, sizeof(time)) : item.value);
        if (lsm->memory->filter) lsm_memory_mark(lsm->memory, bloom_hash(item.key));
    }
}

static int lsm_write(struct engine *engine, const struct engine_batch *batch,
                     enum engine_durability durability, int64_t now_ns)
{
    struct lsm *lsm = lsm_of(engine);
    struct bytes record = {0};
    uint32_t crc;
    lsm->now_ns = now_ns;
    if (lsm->is_read_only)
        return -EROFS; /* the error text still names the failure that led here */
    int err = make_room(lsm, batch->encoded.size);
    /* All memory is taken before anything is written. Items shrink from batch to memtable, but
     * for the time of a delete, which takes less than a batch's own header. */
    if (!err) err = memtable_reserve(lsm->memory->table, batch->count, batch->encoded.size);
    if (!err) err = lsm_wal_encode(lsm, batch, now_ns, &record, &crc);
    if (!err) err = append(lsm, record, crc, durability == ENGINE_SYNC);
    if (!err) apply(lsm, batch, now_ns);
    if (lsm->scratch.capacity > LSM_KEPT_BUFFER) buffer_deinit(&lsm->scratch);
    return err;
}

static int lsm_sync(struct engine *engine)
{
    struct lsm *lsm = lsm_of(engine);
    return lsm->is_read_only ? -EROFS : lsm_wal_sync(lsm);
}

/* ---- reading ---- */

/* 1: found, a put's value is assigned; 0: not in this run. */
static int run_get(struct lsm *lsm, const struct lsm_run *run, struct bytes key, uint64_t hash,
                   bool *is_delete, struct buffer *value)
{
    uint32_t index = lsm_run_find(run, key);
    bool was_filtered = false;
    if (index == run->count) return 0;
    struct lsm_file *file = run->files[index];
    if (lsm_key_compare(key, file->summary.smallest) < 0) return 0;
    int err = lsm_file_pin(lsm, file, VFS_USER_READ, NULL);
    if (err) return err;
    int found =
        table_get(file->table, key, hash, lsm->sequence, is_delete, value, &was_filtered);
    lsm_file_unpin(lsm, file);
    lsm->filtered_reads += was_filtered;
    return found;
}

static int lsm_get(struct engine *engine, struct bytes key, struct buffer *value)
{
    struct lsm *lsm = lsm_of(engine);
    struct bytes found;
    bool is_delete = false;
    uint64_t hash = bloom_hash(key);
    if (lsm_memory_get(lsm, lsm->memory, key, hash, &is_delete, &found) ||
        (lsm->flushing && lsm_memory_get(lsm, lsm->flushing, key, hash, &is_delete, &found)))
        return is_delete ? -ENOENT : buffer_assign(value, found);
    for (uint32_t i = 0; i < LSM_LEVELS; i++) {
        const struct lsm_level *level = &lsm->version->levels[i];
        for (uint32_t j = 0; j < level->count; j++) { /* L8 */
            int n = run_get(lsm, level->runs[j], key, hash, &is_delete, value);
            if (n) return n < 0 ? n : is_delete ? -ENOENT : 0;
        }
    }
    return -ENOENT;
}

/* ---- the whole ---- */

static int file_copy(struct lsm *lsm, const char *from, const char *to, uint64_t size)
{
    struct vfs_file *source;
    int err = vfs_open(lsm->base.host.vfs, from, VFS_READ, &source);
    if (err) return err;
    err = engine_file_duplicate(&lsm->base, source, size, to, lsm->options.on_sync_failure);
    vfs_close(source);
    return err;
}

static int table_copy(struct lsm *lsm, uint64_t number, uint64_t size, const char *dir)
{
    char from[ENGINE_PATH_SIZE], to[ENGINE_PATH_SIZE];
    int err = lsm_table_path(lsm->dir, number, from);
    if (!err) err = lsm_table_path(dir, number, to);
    return err ? err : file_copy(lsm, from, to, size);
}

static int log_copy(struct lsm *lsm, uint64_t number, uint64_t size, const char *dir)
{
    char from[ENGINE_PATH_SIZE], to[ENGINE_PATH_SIZE];
    int err = lsm_log_path(lsm->dir, number, from);
    if (!err) err = lsm_log_path(dir, number, to);
    return err ? err : file_copy(lsm, from, to, size);
}

/* The tables of the current version and the logs behind it. */
static int lsm_checkpoint(struct engine *engine, const char *dir)
{
    struct lsm *lsm = lsm_of(engine);
    int err = engine_copy_begin(engine->host.vfs, dir);
    for (uint32_t i = 0; i < LSM_LEVELS; i++)
        for (uint32_t j = 0; j < lsm->version->levels[i].count; j++) {
            const struct lsm_run *run = lsm->version->levels[i].runs[j];
            for (uint32_t k = 0; !err && k < run->count; k++)
                err = table_copy(lsm, run->files[k]->garbage.number,
                                 run->files[k]->garbage.file_bytes, dir);
        }
    for (const struct lsm_wal *wal = lsm->flushing_wals; !err && wal; wal = wal->newer)
        err = log_copy(lsm, wal->garbage.number, wal->garbage.file_bytes, dir);
    if (!err) err = log_copy(lsm, lsm->wal->garbage.number, lsm->wal->size, dir);
    /* Its sync of the directory covers all names: a manifest without them is refused. */
    if (!err)
        err =
            lsm_manifest_write(lsm, dir, lsm->version, lsm->log_number, lsm->flushed_sequence);
    return err ? err : engine_copy_end(engine->host.vfs, dir);
}

static const char *lsm_error(struct engine *engine)
{
    return engine->error_text;
}

/* ---- the table ---- */

static const char *const policy_words[] = {"leveled", "tiered", "full", NULL};

#define OFFSET(field) .offset = offsetof(struct lsm_options, field)

static const struct option lsm_option_table[] = {
    {.name = "memtable_size",
     .type = OPTION_SIZE,
     OFFSET(memtable_bytes),
     .value = "8MiB",
     .low = 256,
     .high = 1 << 30,
     .doc = "keys and values in memory before they are flushed to a table"},
    {.name = "table_size",
     .type = OPTION_SIZE,
     OFFSET(table_bytes),
     .value = "4MiB",
     .low = 256,
     .high = 1 << 30,
     .doc = "a compaction begins another table at this size"},
    {.name = "block_size",
     .type = OPTION_SIZE,
     OFFSET(block_bytes),
     .value = "2KiB",
     .low = 64,
     .high = 1 << 20,
     .doc = "data blocks of a table are closed at this size; a get reads one"},
    {.name = "restart_interval",
     .type = OPTION_INT,
     OFFSET(restart_interval),
     .value = "16",
     .low = 1,
     .high = 1024,
     .doc = "entries of a block that share prefixes in a chain"},
    {.name = "bloom_bits",
     .type = OPTION_INT,
     OFFSET(bloom_bits),
     .value = "10",
     .low = 0,
     .high = BLOOM_BITS_MAX,
     .doc = "filter bits a key; 0: no filters"},
    {.name = "cache_size",
     .type = OPTION_SIZE,
     OFFSET(cache_bytes),
     .value = "8MiB",
     .low = 0,
     .high = INT64_C(1) << 40,
     .doc = "memory for data blocks of tables; 0: none"},
    {.name = "max_open_tables",
     .type = OPTION_INT,
     OFFSET(max_open_tables),
     .value = "1000",
     .low = 1,
     .high = 1000000,
     .doc = "tables whose index and filter are kept in memory"},
    {.name = "compaction",
     .type = OPTION_WORD,
     OFFSET(compaction),
     .value = "leveled",
     .words = policy_words,
     .doc = "leveled: one run a level, parts of it move down; tiered: fanout runs become one; "
            "full: one run a level, merged whole"},
    {.name = "fanout",
     .type = OPTION_INT,
     OFFSET(fanout),
     .value = "10",
     .low = 2,
     .high = 100,
     .doc = "leveled: a level's size over the one before; tiered and full: runs that fill a "
            "level"},
    {.name = "level_base",
     .type = OPTION_SIZE,
     OFFSET(level_base_bytes),
     .value = "128MiB",
     .low = 256,
     .high = INT64_C(1) << 40,
     .doc = "leveled: size of level 1 beyond which its tables move down"},
    {.name = "l0_trigger",
     .type = OPTION_INT,
     OFFSET(l0_trigger),
     .value = "6",
     .low = 1,
     .high = 1000,
     .doc = "leveled: flushed tables that are merged into level 1"},
    {.name = "l0_stall",
     .type = OPTION_INT,
     OFFSET(l0_stall),
     .value = "24",
     .low = 1,
     .high = 10000,
     .doc = "flushed tables from which on writes help a due compaction"},
    {.name = "gc_grace",
     .type = OPTION_DURATION,
     OFFSET(gc_grace_ns),
     .value = "0s",
     .low = 0,
     .high = INT64_MAX,
     .doc = "age before which a compaction drops no tombstone"},
    {.name = "on_sync_failure",
     .type = OPTION_WORD,
     OFFSET(on_sync_failure),
     .value = "panic",
     .words = sync_policy_words,
     .doc = "panic: no more writes until reopened; retry: sync again and believe it (unsafe)"},
};

const struct engine_ops engine_lsm = {
    .abi_version = ENGINE_ABI_VERSION,
    .struct_size = sizeof(struct engine_ops),
    .name = "lsm",
    .doc = "log-structured merge tree: a log and a sorted buffer in memory, merged into sorted "
           "tables",
    .capabilities = ENGINE_ORDERED,
    .key_size_max = LSM_KEY_SIZE_MAX,
    .value_size_max = LSM_VALUE_SIZE_MAX,
    .options = lsm_option_table,
    .options_count = sizeof(lsm_option_table) / sizeof(lsm_option_table[0]),
    .options_size = sizeof(struct lsm_options),
    .open = lsm_open,
    .write = lsm_write,
    .get = lsm_get,
    .scan_open = lsm_scan_open,
    .scan_next = lsm_scan_next,
    .scan_close = lsm_scan_close,
    .maintain = lsm_maintain,
    .sync = lsm_sync,
    .checkpoint = lsm_checkpoint,
    .stats = lsm_stats,
    .error = lsm_error,
    .close = lsm_close,
    .properties = lsm_properties,
    .recognise = lsm_recognise,
    .inspect = lsm_inspect,
};
