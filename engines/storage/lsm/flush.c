/* Flush: a full memtable becomes a run of level 0.
 *
 *     switch, in a write      a new log and its name are made, the old one is sealed and
 *                             synced, the new one gets its header; writes go on in a new
 *                             memtable at once
 *     IDLE --> BUILD --> SYNC --> SWITCH --> IDLE
 *
 * BUILD encodes entries until some 64 KiB are due, and writes them: a slice. Of each key only
 * the newest version goes into the table: who needs an older one is a cursor, and it holds the
 * memtable itself. The manifest that lists the table says at the same moment that its log is
 * done with (SWITCH), so an entry is never in neither, and being in both is harmless: the log
 * is not replayed.
 *
 * Everything in the table was synced with its log before, so a flush never makes an unsynced
 * batch durable ahead of an earlier one.
 */
#include <errno.h>

#include "engines/storage/lsm/lsm_internal.h"

#define FILTER_ENTRIES 16u /* below it a search is as quick */

/* ---- memtables ---- */

struct lsm_memory *lsm_memory_create(struct lsm *lsm)
{
    const struct allocator *a = lsm->base.host.allocator;
    struct lsm_memory *memory = allocator_alloc(a, sizeof(*memory));
    if (!memory) return NULL;
    *memory = (struct lsm_memory){.refs = 1};
    if (memtable_create(a, &memory->table)) {
        allocator_free(a, memory, sizeof(*memory));
        return NULL;
    }
    return memory;
}

void lsm_memory_unref(struct lsm *lsm, struct lsm_memory *memory)
{
    if (!memory || --memory->refs > 0) return;
    memtable_destroy(memory->table);
    allocator_free(lsm->base.host.allocator, memory->filter, memory->filter_bytes);
    allocator_free(lsm->base.host.allocator, memory, sizeof(*memory));
}

/* Without memory for it, or for the iterator, there is none this time. */
static void filter_create(struct lsm *lsm, struct lsm_memory *memory)
{
    const struct allocator *a = lsm->base.host.allocator;
    struct lsm_iterator *it;
    size_t size = 1;
    while (size * LSM_MEMORY_FILTER < (uint64_t)lsm->options.memtable_bytes) size *= 2;
    unsigned char *filter = allocator_alloc(a, size);
    if (!filter) return;
    if (memtable_iterate(memory->table, a, &it)) {
        allocator_free(a, filter, size);
        return;
    }
    memset(filter, 0, size);
    memory->filter = filter;
    memory->filter_bytes = size;
    int err = lsm_iterator_first(it);
    for (; !err && it->is_valid; err = lsm_iterator_next(it))
        lsm_memory_mark(memory, bloom_hash(it->key));
    lsm_iterator_destroy(it);
    if (!err) return;
    allocator_free(a, filter, size); /* an iterator over memory does not fail, but so be it */
    memory->filter = NULL;
    memory->filter_bytes = 0;
}

bool lsm_memory_get(struct lsm *lsm, struct lsm_memory *memory, struct bytes key, uint64_t hash,
                    bool *is_delete, struct bytes *value)
{
    if (!memory->filter && memtable_entries(memory->table) >= FILTER_ENTRIES)
        filter_create(lsm, memory);
    if (memory->filter) {
        uint64_t bit = hash & (memory->filter_bytes * 8 - 1);
        if (!(memory->filter[bit / 8] >> bit % 8 & 1)) return false;
    }
    return memtable_get(memory->table, key, lsm->sequence, is_delete, value);
}

int lsm_memory_switch(struct lsm *lsm)
{
    struct lsm_wal *old = lsm->wal, *next;
    struct lsm_memory *memory = lsm_memory_create(lsm);
    if (!memory) return -ENOMEM;
    int err = buffer_reserve(&lsm->scratch, LSM_KEPT_BUFFER); /* for the seal */
    if (!err) err = lsm_wal_create(lsm, lsm->next_number, &next);
    if (err == -ENOMEM) goto err_after_memory;
    if (err) {
        lsm_log_failed(lsm, err, lsm->next_number, "making the next log");
        goto err_after_create;
    }
    /* The name first, which the seal promises; then all of the old log, which the header
     * promises (L4). */
    err = vfs_sync_dir(lsm->base.host.vfs, lsm->dir);
    if (err) lsm_log_failed(lsm, err, lsm->next_number, "making the next log");
    if (!err) err = lsm_wal_seal(lsm);
    if (!err) {
        err = lsm_wal_begin(lsm, next, lsm->sequence);
        if (err) lsm_log_failed(lsm, err, lsm->next_number, "beginning the next log");
    }
    if (err) {
        lsm_wal_close(lsm, next);
        goto err_after_create;
    }
    lsm->next_number++;
    old->garbage.file_bytes = old->size;
    vfs_close(old->file);
    old->file = NULL;
    lsm->flushing = lsm->memory;
    lsm->flushing_wals = old;
    lsm->flushing_sequence = lsm->sequence;
    lsm->memory = memory;
    lsm->wal = next;
    return 0;

err_after_create:
    /* Whatever the policy: the old log may be sealed, and there may be a file behind it. */
    lsm->is_read_only = true;
err_after_memory:
    lsm_memory_unref(lsm, memory);
    return err;
}

/* ---- the flush ---- */

bool lsm_flush_is_due(const struct lsm *lsm)
{
    return lsm->flushing != NULL;
}

static void flush_reset(struct lsm *lsm)
{
    struct lsm_flush *f = &lsm->flush;
    lsm_iterator_destroy(f->it);
    lsm_output_deinit(lsm, &f->output);
    *f = (struct lsm_flush){0};
}

void lsm_flush_abort(struct lsm *lsm)
{
    for (uint32_t i = 0; i < lsm->flush.output.count; i++)
        lsm->flush.output.files[i]->is_obsolete = true;
    flush_reset(lsm);
}

static int flush_begin(struct lsm *lsm)
{
    struct lsm_flush *f = &lsm->flush;
    const struct allocator *a = lsm->base.host.allocator;
    int err = memtable_iterate(lsm->flushing->table, a, &f->it);
    if (!err) err = lsm_iterator_first(f->it);
    /* Logs that hold nothing but marks leave nothing to write. */
    if (!err) f->step = f->it->is_valid ? FLUSH_BUILD : FLUSH_SWITCH;
    return err;
}

static int flush_add(struct lsm *lsm)
{
    struct lsm_flush *f = &lsm->flush;
    if (f->has_last && lsm_key_compare(f->last_key, f->it->key) == 0) return 0;
    f->last_key = f->it->key; /* the memtable's memory, which does not move */
    f->has_last = true;
    return lsm_output_add(lsm, &f->output, f->it);
}

static int flush_build(struct lsm *lsm, uint64_t budget)
{
    struct lsm_flush *f = &lsm->flush;
    int err = 0;
    uint64_t done = 0, unwritten = lsm_output_unwritten(&f->output);
    while (f->it->is_valid && done < budget && unwritten < LSM_IO) {
        uint64_t size = f->it->key.size + f->it->value.size + 1;
        done += size;
        unwritten += size;
        err = flush_add(lsm);
        if (!err) err = lsm_iterator_next(f->it);
        if (err) return err;
    }
    if (!f->it->is_valid) {
        err = lsm_output_finish(&f->output);
        if (!err) err = lsm_output_write(lsm, &f->output, VFS_FLUSH);
        if (!err) f->step = FLUSH_SYNC;
    } else if (unwritten >= LSM_IO && lsm_output_unwritten(&f->output)) {
        err = lsm_output_write(lsm, &f->output, VFS_FLUSH);
    }
    return err;
}

static int flush_switch(struct lsm *lsm)
{
    struct lsm_flush *f = &lsm->flush;
    struct lsm_change change = {
        .run = LSM_NEW_RUN, .outputs = f->output.files, .count = f->output.count};
    struct lsm_version *version;
    int err = lsm_version_change(lsm, lsm->version, &change, &version);
    return err ? err
               : lsm_switch_begin(lsm, version, lsm->wal->garbage.number,
                                  lsm->flushing_sequence, true);
}

/* One slice; lsm_switch_slice does the last steps. */
int lsm_flush_slice(struct lsm *lsm, uint64_t budget)
{
    struct lsm_flush *f = &lsm->flush;
    int err = 0;
    if (f->step == FLUSH_IDLE) err = flush_begin(lsm);
    if (err) goto failed;
    if (f->step == FLUSH_BUILD) {
        err = flush_build(lsm, budget);
    } else if (f->step == FLUSH_SYNC) {
        err = lsm_output_sync(lsm, &f->output, VFS_FLUSH);
        if (!err) f->step = FLUSH_SWITCH;
    } else {
        err = flush_switch(lsm);
    }
    if (!err) return 0;
failed:
    engine_fail(&lsm->base, err, "%s: a flush failed (errno %d)", lsm->dir, -err);
    lsm_flush_abort(lsm);
    return err;
}

void lsm_flush_done(struct lsm *lsm)
{
    const struct lsm_output *output = &lsm->flush.output;
    lsm->flushes++;
    for (uint32_t i = 0; i < output->count; i++) {
        lsm->flushed_entries += output->files[i]->summary.entries;
        lsm->flushed_bytes += output->files[i]->garbage.file_bytes;
    }
    flush_reset(lsm);
    lsm_memory_unref(lsm, lsm->flushing);
    lsm->flushing = NULL;
    while (lsm->flushing_wals) {
        struct lsm_wal *wal = lsm->flushing_wals;
        lsm->flushing_wals = wal->newer;
        wal->garbage.next = lsm->garbage;
        lsm->garbage = &wal->garbage;
    }
}
