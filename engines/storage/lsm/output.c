/* Tables in the making: what flush and compaction share. Entries go into a builder, blocks to
 * the file in writes of some 64 KiB, and a finished file is synced before anybody lists it.
 */
#include <errno.h>

#include "engines/storage/lsm/lsm_internal.h"

int64_t lsm_tombstone_time(const struct lsm_iterator *entry)
{
    return entry->value.size == 8 ? (int64_t)get_u64(entry->value.data) : 0;
}

static int output_begin(struct lsm *lsm, struct lsm_output *output)
{
    const struct lsm_options *o = &lsm->options;
    struct table_shape shape = {.block_bytes = (uint32_t)o->block_bytes,
                                .restart_interval = (uint32_t)o->restart_interval,
                                .bloom_bits = (uint32_t)o->bloom_bits};
    int err = table_builder_create(lsm->base.host.allocator, &shape, lsm->next_number,
                                   &output->builder);
    if (err) return err;
    output->number = lsm->next_number++;
    output->written = 0;
    output->tombstone_newest_ns = INT64_MIN;
    output->is_finished = false;
    return 0;
}

int lsm_output_add(struct lsm *lsm, struct lsm_output *output, const struct lsm_iterator *entry)
{
    int err = output->builder ? 0 : output_begin(lsm, output);
    if (!err) err = table_builder_add(output->builder, entry);
    if (!err && entry->is_delete) {
        int64_t time = lsm_tombstone_time(entry);
        if (time > output->tombstone_newest_ns) output->tombstone_newest_ns = time;
    }
    return err;
}

uint64_t lsm_output_size(const struct lsm_output *output)
{
    return output->builder ? table_builder_size(output->builder) : 0;
}

int lsm_output_finish(struct lsm_output *output)
{
    int err = table_builder_finish(output->builder, &output->summary);
    if (!err) output->is_finished = true;
    return err;
}

int lsm_output_write(struct lsm *lsm, struct lsm_output *output, enum vfs_purpose purpose)
{
    char path[ENGINE_PATH_SIZE];
    uint64_t offset;
    struct bytes pending = table_builder_pending(output->builder, &offset);
    int err = 0;
    if (!output->file) {
        err = lsm_table_path(lsm->dir, output->number, path);
        /* TRUNCATE: an unlink of an older file of this name may have been lost. */
        if (!err)
            err = vfs_open(lsm->base.host.vfs, path, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE,
                           &output->file);
    }
    if (!err) err = vfs_write(output->file, offset, pending, purpose);
    if (err) return err;
    output->written = offset + pending.size;
    table_builder_written(output->builder);
    return 0;
}

static int files_reserve(struct lsm *lsm, struct lsm_output *output)
{
    const struct allocator *a = lsm->base.host.allocator;
    if (output->count < output->capacity) return 0;
    uint32_t capacity = output->capacity ? output->capacity * 2 : 4;
    struct lsm_file **files =
        a->resize(a->context, output->files, output->capacity * sizeof(struct lsm_file *),
                  capacity * sizeof(struct lsm_file *));
    if (!files) return -ENOMEM;
    output->files = files;
    output->capacity = capacity;
    return 0;
}

static void builder_drop(struct lsm_output *output)
{
    table_builder_destroy(output->builder);
    output->builder = NULL;
    if (output->file) vfs_close(output->file);
    output->file = NULL;
    output->is_finished = false;
}

int lsm_output_sync(struct lsm *lsm, struct lsm_output *output, enum vfs_purpose purpose)
{
    int err = files_reserve(lsm, output);
    if (err) return err;
    struct lsm_file *file =
        lsm_file_create(lsm, output->number, &output->summary, output->tombstone_newest_ns);
    if (!file) return -ENOMEM;
    err = engine_file_sync(&lsm->base, output->file, purpose, lsm->options.on_sync_failure);
    if (err) {
        file->is_obsolete = true;
        lsm_file_unref(lsm, file);
        builder_drop(output);
        return err;
    }
    output->files[output->count++] = file;
    builder_drop(output);
    return 0;
}

/* The file under way, if it was begun, becomes garbage like the ones that were made. When there
 * is no memory to say so, the next open removes it. */
void lsm_output_deinit(struct lsm *lsm, struct lsm_output *output)
{
    const struct allocator *a = lsm->base.host.allocator;
    if (output->file && !lsm->is_closing) {
        struct table_summary none = {.file_bytes = output->written};
        struct lsm_file *file = lsm_file_create(lsm, output->number, &none, 0);
        if (file) {
            file->is_obsolete = true;
            lsm_file_unref(lsm, file);
        }
    }
    builder_drop(output);
    for (uint32_t i = 0; i < output->count; i++) lsm_file_unref(lsm, output->files[i]);
    allocator_free(a, output->files, output->capacity * sizeof(struct lsm_file *));
    *output = (struct lsm_output){0};
}
