/* The manifest: which tables are the current version, and which logs are not yet in them.
 *
 *     offset  size
 *     0       8     "FLLSMM1\n"
 *     8       8     the next file's number, at least
 *     16      8     log number: logs below it are in the tables
 *     24      8     sequence of the last item that is in the tables
 *     32      4     levels
 *     ..      a level:  arrivals 4, runs 4
 *             a run:    files 4
 *             a file:   number 8, file bytes 8, tail bytes 8, entries 8, tombstones 8,
 *                       data bytes 8, least sequence 8, greatest sequence 8,
 *                       time of the youngest tombstone 8, key sizes 4 + 4, smallest, largest
 *     end     4     CRC-32C of all before
 *
 * It is replaced whole, by rename. The alternative, edits appended to a log of them, saves a
 * rename and a sync a switch; but a switch comes once in megabytes written, the whole is some
 * 120 bytes a table, and what is never appended to has no torn tail: a manifest whose checksum
 * fails is rot, without a doubt, and there is no log of edits to replay at open.
 *
 *     IDLE --begin--> WRITE --> SYNC --> SYNC_NAMES --> RENAME --> SYNC_RENAME --> IDLE
 *
 * SYNC_NAMES makes the names of new tables durable before a manifest may list them; without it
 * a power loss can keep the rename and lose a table's name. A failure up to RENAME leaves the
 * old manifest, and whoever began gives up. From RENAME on it is not known which one a crash
 * would find: the engine takes no more writes until it is opened again.
 */
#include <errno.h>

#include "engines/storage/lsm/lsm_internal.h"

#define MANIFEST_MAX (256u << 20) /* two million tables: beyond it the size is rot */

static const char manifest_magic[8] = {'F', 'L', 'L', 'S', 'M', 'M', '1', '\n'};

/* ---- encoding ---- */

static int put_file(struct buffer *out, const struct lsm_file *file)
{
    const struct table_summary *s = &file->summary;
    unsigned char p[LSM_MANIFEST_FILE];
    put_u64(p, file->garbage.number);
    put_u64(p + 8, s->file_bytes);
    put_u64(p + 16, s->tail_bytes);
    put_u64(p + 24, s->entries);
    put_u64(p + 32, s->tombstones);
    put_u64(p + 40, s->data_bytes);
    put_u64(p + 48, s->sequence_min);
    put_u64(p + 56, s->sequence_max);
    put_u64(p + 64, (uint64_t)file->tombstone_newest_ns);
    put_u32(p + 72, (uint32_t)s->smallest.size);
    put_u32(p + 76, (uint32_t)s->largest.size);
    int err = buffer_append(out, p, sizeof(p));
    if (!err) err = buffer_append(out, s->smallest.data, s->smallest.size);
    if (!err) err = buffer_append(out, s->largest.data, s->largest.size);
    return err;
}

static int append_u32(struct buffer *out, uint32_t v)
{
    unsigned char p[4];
    put_u32(p, v);
    return buffer_append(out, p, sizeof(p));
}

int lsm_manifest_encode(struct lsm *lsm, const struct lsm_version *version, uint64_t log_number,
                        uint64_t flushed_sequence, struct buffer *out)
{
    unsigned char p[LSM_MANIFEST_HEADER];
    uint32_t levels = LSM_LEVELS;
    while (levels && !version->levels[levels - 1].count &&
           !version->levels[levels - 1].arrivals)
        levels--;
    buffer_clear(out);
    memcpy(p, manifest_magic, sizeof(manifest_magic));
    put_u64(p + 8, lsm->next_number);
    put_u64(p + 16, log_number);
    put_u64(p + 24, flushed_sequence);
    put_u32(p + 32, levels);
    int err = buffer_append(out, p, sizeof(p));
    for (uint32_t i = 0; !err && i < levels; i++) {
        const struct lsm_level *level = &version->levels[i];
        err = append_u32(out, level->arrivals);
        if (!err) err = append_u32(out, level->count);
        for (uint32_t j = 0; !err && j < level->count; j++) {
            err = append_u32(out, level->runs[j]->count);
            for (uint32_t k = 0; !err && k < level->runs[j]->count; k++)
                err = put_file(out, level->runs[j]->files[k]);
        }
    }
    return err ? err : append_u32(out, crc32c(0, out->data, out->size));
}

/* ---- decoding ---- */

static int manifest_corrupt(struct lsm *lsm, uint64_t offset, const char *why)
{
    lsm->bad_offset = offset;
    return engine_fail(&lsm->base, -EBADMSG, "%s/" LSM_MANIFEST " at offset %llu: %s", lsm->dir,
                       (unsigned long long)offset, why);
}

struct manifest_reader {
    struct lsm *lsm;
    const unsigned char *data;
    size_t at, end;
};

static int get_count(struct manifest_reader *r, uint32_t *out)
{
    if (r->end - r->at < 4) return manifest_corrupt(r->lsm, r->at, "the counts are wrong");
    *out = get_u32(r->data + r->at);
    r->at += 4;
    return 0;
}

static int get_file(struct manifest_reader *r, struct lsm_file **out)
{
    const unsigned char *p = r->data + r->at;
    if (r->end - r->at < LSM_MANIFEST_FILE)
        return manifest_corrupt(r->lsm, r->at, "the counts are wrong");
    struct table_summary s = {.file_bytes = get_u64(p + 8),
                              .tail_bytes = get_u64(p + 16),
                              .entries = get_u64(p + 24),
                              .tombstones = get_u64(p + 32),
                              .data_bytes = get_u64(p + 40),
                              .sequence_min = get_u64(p + 48),
                              .sequence_max = get_u64(p + 56)};
    uint32_t smallest = get_u32(p + 72), largest = get_u32(p + 76);
    if ((uint64_t)smallest + largest > r->end - r->at - LSM_MANIFEST_FILE)
        return manifest_corrupt(r->lsm, r->at + 72, "the key sizes are wrong");
    s.smallest = bytes_of(p + LSM_MANIFEST_FILE, smallest);
    s.largest = bytes_of(p + LSM_MANIFEST_FILE + smallest, largest);
    r->at += LSM_MANIFEST_FILE + smallest + largest;
    *out = lsm_file_create(r->lsm, get_u64(p), &s, (int64_t)get_u64(p + 64));
    return *out ? 0 : -ENOMEM;
}

static int get_run(struct manifest_reader *r, struct lsm_version *version, uint32_t level)
{
    const struct allocator *a = r->lsm->base.host.allocator;
    uint32_t count, got = 0;
    int err = get_count(r, &count);
    if (err) return err;
    if (count == 0 || count > (r->end - r->at) / LSM_MANIFEST_FILE)
        return manifest_corrupt(r->lsm, r->at - 4, "the count of files is wrong");
    struct lsm_file **files = allocator_alloc(a, count * sizeof(struct lsm_file *));
    if (!files) return -ENOMEM;
    for (; !err && got < count; got += !err) err = get_file(r, &files[got]);
    if (!err)
        err = lsm_version_add_run(r->lsm, version, level, files, count);
    else
        while (got) lsm_file_unref(r->lsm, files[--got]);
    allocator_free(a, files, count * sizeof(struct lsm_file *));
    return err;
}

static int manifest_decode(struct lsm *lsm, struct bytes data, struct lsm_version *version)
{
    const unsigned char *p = data.data;
    struct manifest_reader r = {lsm, p, LSM_MANIFEST_HEADER, data.size - 4};
    if (memcmp(p, manifest_magic, sizeof(manifest_magic)) != 0)
        return manifest_corrupt(lsm, 0, "not a manifest");
    if (get_u32(p + r.end) != crc32c(0, p, r.end))
        return manifest_corrupt(lsm, r.end, "the checksum is wrong");
    uint32_t levels = get_u32(p + 32), runs = 0;
    if (levels > LSM_LEVELS) return manifest_corrupt(lsm, 32, "too many levels");
    int err = 0;
    for (uint32_t i = 0; !err && i < levels; i++) {
        err = get_count(&r, &version->levels[i].arrivals);
        if (!err) err = get_count(&r, &runs);
        for (uint32_t j = 0; !err && j < runs; j++) err = get_run(&r, version, i);
    }
    if (!err && r.at != r.end) err = manifest_corrupt(lsm, r.at, "the counts are wrong");
    if (err) return err;
    lsm->next_number = get_u64(p + 8);
    lsm->log_number = get_u64(p + 16);
    lsm->flushed_sequence = get_u64(p + 24);
    return 0;
}

int lsm_manifest_read(struct lsm *lsm)
{
    struct buffer data = {.allocator = lsm->base.host.allocator};
    struct vfs_file *file;
    char path[ENGINE_PATH_SIZE];
    uint64_t size = 0;
    int err = engine_path(path, lsm->dir, LSM_MANIFEST);
    if (!err) err = vfs_open(lsm->base.host.vfs, path, VFS_READ, &file);
    if (err) return err;
    struct lsm_version *version = lsm_version_create(lsm);
    err = version ? vfs_size(file, &size) : -ENOMEM;
    if (!err && (size < LSM_MANIFEST_HEADER + 4 || size > MANIFEST_MAX))
        err = manifest_corrupt(lsm, size, "the size is wrong");
    if (!err) err = buffer_reserve(&data, (size_t)size);
    if (!err) err = engine_file_read(file, 0, data.data, (size_t)size, VFS_RECOVERY);
    if (!err) err = manifest_decode(lsm, bytes_of(data.data, (size_t)size), version);
    buffer_deinit(&data);
    vfs_close(file);
    if (err) {
        lsm_version_unref(lsm, version);
        return err;
    }
    lsm->version = version;
    lsm->manifest_bytes = size;
    return 0;
}

/* ---- writing, at once ---- */

int lsm_manifest_write(struct lsm *lsm, const char *dir, const struct lsm_version *version,
                       uint64_t log_number, uint64_t flushed_sequence)
{
    struct buffer data = {.allocator = lsm->base.host.allocator};
    int err = lsm_manifest_encode(lsm, version, log_number, flushed_sequence, &data);
    if (!err)
        err = engine_file_replace(&lsm->base, dir, LSM_MANIFEST_NEXT, LSM_MANIFEST,
                                  buffer_bytes(&data), lsm->options.on_sync_failure);
    if (!err) lsm->manifest_bytes = data.size;
    buffer_deinit(&data);
    return err;
}

/* ---- writing, by slices ---- */

int lsm_switch_begin(struct lsm *lsm, struct lsm_version *version, uint64_t log_number,
                     uint64_t flushed_sequence, bool of_flush)
{
    struct lsm_switch *s = &lsm->change;
    s->encoded.allocator = lsm->base.host.allocator;
    int err = lsm_manifest_encode(lsm, version, log_number, flushed_sequence, &s->encoded);
    if (err) {
        buffer_deinit(&s->encoded);
        lsm_version_unref(lsm, version);
        return err;
    }
    s->version = version;
    s->log_number = log_number;
    s->flushed_sequence = flushed_sequence;
    s->of_flush = of_flush;
    s->step = SWITCH_WRITE;
    return 0;
}

void lsm_switch_deinit(struct lsm *lsm)
{
    struct lsm_switch *s = &lsm->change;
    if (s->file) vfs_close(s->file);
    buffer_deinit(&s->encoded);
    lsm_version_unref(lsm, s->version);
    *s = (struct lsm_switch){0};
}

/* The new manifest is in place and durable. */
static void switch_done(struct lsm *lsm)
{
    struct lsm_switch *s = &lsm->change;
    struct lsm_version *old = lsm->version;
    lsm->version = s->version;
    lsm->manifest_bytes = s->encoded.size;
    s->version = NULL;
    lsm->log_number = s->log_number;
    lsm->flushed_sequence = s->flushed_sequence;
    lsm_version_unref(lsm, old);
    lsm_switch_deinit(lsm);
    lsm_due_update(lsm);
}

static int switch_write(struct lsm *lsm)
{
    struct lsm_switch *s = &lsm->change;
    char path[ENGINE_PATH_SIZE];
    int err = engine_path(path, lsm->dir, LSM_MANIFEST_NEXT);
    if (!err)
        err =
            vfs_open(lsm->base.host.vfs, path, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &s->file);
    return err ? err : vfs_write(s->file, 0, buffer_bytes(&s->encoded), VFS_META);
}

static int switch_rename(struct lsm *lsm)
{
    char next[ENGINE_PATH_SIZE], path[ENGINE_PATH_SIZE];
    int err = engine_path(next, lsm->dir, LSM_MANIFEST_NEXT);
    if (!err) err = engine_path(path, lsm->dir, LSM_MANIFEST);
    return err ? err : vfs_rename(lsm->base.host.vfs, next, path);
}

int lsm_switch_slice(struct lsm *lsm, bool *done)
{
    struct lsm_switch *s = &lsm->change;
    enum lsm_switch_step step = s->step;
    int err = 0;
    *done = false;
    switch (step) {
    case SWITCH_IDLE: break;
    case SWITCH_WRITE: err = switch_write(lsm); break;
    case SWITCH_SYNC:
        err = engine_file_sync(&lsm->base, s->file, VFS_META, lsm->options.on_sync_failure);
        if (!err) {
            err = vfs_close(s->file);
            s->file = NULL;
        }
        break;
    case SWITCH_SYNC_NAMES:
    case SWITCH_SYNC_RENAME: err = vfs_sync_dir(lsm->base.host.vfs, lsm->dir); break;
    case SWITCH_RENAME: err = switch_rename(lsm); break;
    }
    if (err) {
        engine_fail(&lsm->base, err,
                    "%s/" LSM_MANIFEST ": switching failed in step %d (errno %d)", lsm->dir,
                    (int)step, -err);
        if (step >= SWITCH_RENAME) lsm->is_read_only = true;
        return err;
    }
    s->step = step + 1;
    if (step == SWITCH_SYNC_RENAME) {
        switch_done(lsm);
        *done = true;
    }
    return 0;
}
