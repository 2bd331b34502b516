/* Versions: which tables are the database, in which order of age.
 *
 *     version --> level 0   run, run, run      newest first; one memtable each
 *                 level 1   run                files in key order, none overlaps another
 *                 level 2   run
 *
 * A version never changes. A flush or compaction builds the next one beside it, sharing every
 * run that stays as it is, and the manifest's switch makes that current. Cursors hold the
 * version that they began with; a file is unlinked when no version lists it any more.
 *
 * Tables are opened when first needed. At most `max_open_tables` stay open (their filter and
 * index are memory); the one that was not used for longest is closed, unless it is pinned by
 * an iterator.
 */
#include <errno.h>
#include <stdio.h>

#include "engines/storage/lsm/lsm_internal.h"

/* ---- names ---- */

int lsm_log_path(const char *dir, uint64_t number, char out[ENGINE_PATH_SIZE])
{
    char name[32];
    snprintf(name, sizeof(name), "wal-" LSM_NUMBER_FORMAT ".log", (unsigned long long)number);
    return engine_path(out, dir, name);
}

int lsm_table_path(const char *dir, uint64_t number, char out[ENGINE_PATH_SIZE])
{
    char name[32];
    snprintf(name, sizeof(name), "sst-" LSM_NUMBER_FORMAT ".table", (unsigned long long)number);
    return engine_path(out, dir, name);
}

enum lsm_name lsm_name_parse(const char *name, uint64_t *number)
{
    char path[ENGINE_PATH_SIZE];
    unsigned long long n;
    if (strcmp(name, LSM_MANIFEST) == 0) return LSM_NAME_MANIFEST;
    if (strcmp(name, LSM_MANIFEST_NEXT) == 0) return LSM_NAME_NEXT;
    if (strlen(name) < 12 || strlen(name) > 31 || sscanf(name + 4, "%16llx", &n) != 1)
        return LSM_NAME_FOREIGN;
    *number = n;
    if (lsm_log_path("", n, path) == 0 && strcmp(path, name) == 0) return LSM_NAME_LOG;
    if (lsm_table_path("", n, path) == 0 && strcmp(path, name) == 0) return LSM_NAME_TABLE;
    return LSM_NAME_FOREIGN;
}

/* ---- files ---- */

struct lsm_file *lsm_file_create(struct lsm *lsm, uint64_t number,
                                 const struct table_summary *summary,
                                 int64_t tombstone_newest_ns)
{
    size_t size = sizeof(struct lsm_file) + summary->smallest.size + summary->largest.size;
    struct lsm_file *file = allocator_alloc(lsm->base.host.allocator, size);
    if (!file) return NULL;
    *file = (struct lsm_file){
        .garbage = {.number = number, .file_bytes = summary->file_bytes, .owner_bytes = size},
        .refs = 1,
        .summary = *summary,
        .tombstone_newest_ns = tombstone_newest_ns};
    unsigned char *keys = (unsigned char *)(file + 1);
    if (summary->smallest.size) memcpy(keys, summary->smallest.data, summary->smallest.size);
    if (summary->largest.size)
        memcpy(keys + summary->smallest.size, summary->largest.data, summary->largest.size);
    file->summary.smallest.data = keys;
    file->summary.largest.data = keys + summary->smallest.size;
    return file;
}

static void open_list_remove(struct lsm *lsm, struct lsm_file *file)
{
    *(file->newer ? &file->newer->older : &lsm->newest_open) = file->older;
    *(file->older ? &file->older->newer : &lsm->oldest_open) = file->newer;
    file->newer = file->older = NULL;
    lsm->open_tables--;
}

static void open_list_push(struct lsm *lsm, struct lsm_file *file)
{
    file->newer = NULL;
    file->older = lsm->newest_open;
    *(file->older ? &file->older->newer : &lsm->oldest_open) = file;
    lsm->newest_open = file;
    lsm->open_tables++;
}

static void file_close_table(struct lsm *lsm, struct lsm_file *file)
{
    if (!file->table) return;
    open_list_remove(lsm, file);
    table_close(file->table);
    file->table = NULL;
}

void lsm_file_unref(struct lsm *lsm, struct lsm_file *file)
{
    if (--file->refs > 0) return;
    file_close_table(lsm, file);
    if (lsm->is_closing || !file->is_obsolete) {
        allocator_free(lsm->base.host.allocator, file, file->garbage.owner_bytes);
        return;
    }
    file->garbage.next = lsm->garbage;
    lsm->garbage = &file->garbage;
}

/* Closes what was not used for longest until there is room for one more. */
static void make_room(struct lsm *lsm)
{
    struct lsm_file *file = lsm->oldest_open;
    while (file && lsm->open_tables >= (uint64_t)lsm->options.max_open_tables) {
        struct lsm_file *newer = file->newer;
        if (file->pins == 0) file_close_table(lsm, file);
        file = newer;
    }
}

int lsm_file_pin(struct lsm *lsm, struct lsm_file *file, enum vfs_purpose purpose,
                 bool *did_read)
{
    if (!file->table) {
        char path[ENGINE_PATH_SIZE];
        make_room(lsm);
        if (did_read) *did_read = true;
        int err = lsm_table_path(lsm->dir, file->garbage.number, path);
        if (!err)
            err = table_open(&lsm->base, lsm->cache, path, file->garbage.number,
                             file->summary.tail_bytes, purpose, &file->table);
        if (err == -ENOENT)
            return engine_fail(&lsm->base, -EBADMSG,
                               "%s at offset 0: the manifest lists a file that is not there",
                               path);
        if (err) return err;
        open_list_push(lsm, file);
    } else if (lsm->newest_open != file &&
               lsm->open_tables * 2 > (uint64_t)lsm->options.max_open_tables) {
        /* Order matters only when something may soon be closed. */
        open_list_remove(lsm, file);
        open_list_push(lsm, file);
    }
    file->pins++;
    return 0;
}

void lsm_file_unpin(struct lsm *lsm, struct lsm_file *file)
{
    (void)lsm;
    file->pins--;
}

/* ---- runs ---- */

static size_t run_size(uint32_t count)
{
    return sizeof(struct lsm_run) + count * sizeof(struct lsm_file *);
}

static void run_unref(struct lsm *lsm, struct lsm_run *run)
{
    if (--run->refs > 0) return;
    for (uint32_t i = 0; i < run->count; i++) lsm_file_unref(lsm, run->files[i]);
    allocator_free(lsm->base.host.allocator, run, run_size(run->count));
}

/* An empty run with room for `count` files, which run_add fills. */
static struct lsm_run *run_create(struct lsm *lsm, uint32_t count)
{
    struct lsm_run *run = allocator_alloc(lsm->base.host.allocator, run_size(count));
    if (run) *run = (struct lsm_run){.refs = 1};
    return run;
}

/* Takes the reference. */
static void run_add(struct lsm_run *run, struct lsm_file *file)
{
    run->files[run->count++] = file;
    run->file_bytes += file->garbage.file_bytes;
    run->entries += file->summary.entries;
}

uint32_t lsm_run_find(const struct lsm_run *run, struct bytes key)
{
    uint32_t low = 0, high = run->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (lsm_key_compare(run->files[middle]->summary.largest, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void lsm_run_overlap(const struct lsm_run *run, struct bytes from, struct bytes to,
                     uint32_t *begin, uint32_t *end)
{
    *begin = *end = lsm_run_find(run, from);
    while (*end < run->count && bytes_compare(run->files[*end]->summary.smallest, to) <= 0)
        (*end)++;
}

/* ---- versions ---- */

struct lsm_version *lsm_version_create(struct lsm *lsm)
{
    struct lsm_version *version = allocator_alloc(lsm->base.host.allocator, sizeof(*version));
    if (!version) return NULL;
    memset(version, 0, sizeof(*version));
    version->refs = 1;
    return version;
}

void lsm_version_unref(struct lsm *lsm, struct lsm_version *version)
{
    if (!version || --version->refs > 0) return;
    for (uint32_t i = 0; i < LSM_LEVELS; i++) {
        struct lsm_level *level = &version->levels[i];
        for (uint32_t j = 0; j < level->count; j++) run_unref(lsm, level->runs[j]);
        allocator_free(lsm->base.host.allocator, level->runs,
                       level->count * sizeof(*level->runs));
    }
    allocator_free(lsm->base.host.allocator, version, sizeof(*version));
}

/* Takes the run, also on error. */
static int level_append(struct lsm *lsm, struct lsm_level *level, struct lsm_run *run)
{
    const struct allocator *a = lsm->base.host.allocator;
    struct lsm_run **runs =
        run ? a->resize(a->context, level->runs, level->count * sizeof(*runs),
                        (level->count + 1) * sizeof(*runs))
            : NULL;
    if (!runs) {
        if (run) run_unref(lsm, run);
        return -ENOMEM;
    }
    level->runs = runs;
    runs[level->count++] = run;
    return 0;
}

int lsm_version_add_run(struct lsm *lsm, struct lsm_version *version, uint32_t level,
                        struct lsm_file *const *files, uint32_t count)
{
    struct lsm_run *run = run_create(lsm, count);
    for (uint32_t i = 0; i < count; i++) {
        if (run)
            run_add(run, files[i]);
        else
            lsm_file_unref(lsm, files[i]);
    }
    return level_append(lsm, &version->levels[level], run);
}

static bool stays(const struct lsm_change *change, const struct lsm_file *file)
{
    return !change->drops_inputs || !file->is_input;
}

/* The run without what is dropped, and with the outputs when there are any. NULL with *err 0:
 * nothing is left. */
static struct lsm_run *run_change(struct lsm *lsm, struct lsm_run *run,
                                  const struct lsm_change *change, bool with_outputs, int *err)
{
    uint32_t kept = 0, outputs = with_outputs ? change->count : 0, next = 0;
    for (uint32_t i = 0; i < run->count; i++) kept += stays(change, run->files[i]);
    *err = 0;
    if (kept == run->count && outputs == 0) {
        run->refs++;
        return run;
    }
    if (kept + outputs == 0) return NULL;
    struct lsm_run *out = run_create(lsm, kept + outputs);
    if (!out) {
        *err = -ENOMEM;
        return NULL;
    }
    for (uint32_t i = 0; i <= run->count; i++) {
        struct lsm_file *file = i < run->count ? run->files[i] : NULL;
        if (file && !stays(change, file)) continue;
        while (next < outputs &&
               (!file || bytes_compare(change->outputs[next]->summary.smallest,
                                       file->summary.smallest) < 0)) {
            change->outputs[next]->refs++;
            run_add(out, change->outputs[next++]);
        }
        if (!file) break;
        file->refs++;
        run_add(out, file);
    }
    return out;
}

static int outputs_append(struct lsm *lsm, struct lsm_version *version,
                          const struct lsm_change *change)
{
    for (uint32_t i = 0; i < change->count; i++) change->outputs[i]->refs++;
    return lsm_version_add_run(lsm, version, change->level, change->outputs, change->count);
}

int lsm_version_change(struct lsm *lsm, const struct lsm_version *from,
                       const struct lsm_change *change, struct lsm_version **out)
{
    struct lsm_version *version = lsm_version_create(lsm);
    int err = version ? 0 : -ENOMEM;
    bool is_due = change->count > 0;
    for (uint32_t i = 0; !err && i < LSM_LEVELS; i++) {
        const struct lsm_level *level = &from->levels[i];
        version->levels[i].arrivals = level->arrivals;
        bool is_here = is_due && i == change->level;
        if (is_here && change->run >= level->count)
            err = outputs_append(lsm, version, change); /* the newest of its level */
        for (uint32_t j = 0; !err && j < level->count; j++) {
            struct lsm_run *run =
                run_change(lsm, level->runs[j], change, is_here && j == change->run, &err);
            if (run) err = level_append(lsm, &version->levels[i], run);
        }
    }
    if (err)
        lsm_version_unref(lsm, version);
    else
        *out = version;
    return err;
}

uint64_t lsm_level_bytes(const struct lsm_level *level)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < level->count; i++) bytes += level->runs[i]->file_bytes;
    return bytes;
}
