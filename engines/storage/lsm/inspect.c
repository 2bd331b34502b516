/* What an instance tells of itself, and what a closed directory holds.
 *
 * Inspection reads the manifest, then every file in the order of names: tables by
 * table_inspect(), logs record by record. It judges by the rules of recovery (L2 to L6 of
 * lsm.c), and goes on behind damage: behind a broken record at the next valid one, at whatever
 * offset.
 *
 * The manifest is also held against itself and against the tables, because each may be whole
 * and not of the other (a file brought in from another backup, a manifest written by hand):
 *
 *     within it        numbers are below the next one, and come once; keys and counts of an
 *                      entry are possible; tables of a run ascend and do not overlap; runs of a
 *                      level are older one after the other (L8); no sequence lies behind the
 *                      last one in tables
 *     with a table     everything that its entry says of it, by what the blocks hold
 *
 * Not told: a table of the same number, sizes, keys and sequences, but with other values.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "engines/storage/lsm/lsm_internal.h"

/* ---- figures ---- */

static void sum_file(struct engine_stats *stats, const struct lsm_garbage *garbage)
{
    stats->files++;
    stats->disk_bytes += garbage->file_bytes;
}

static uint64_t output_memory(const struct lsm_output *output)
{
    return (output->builder ? LSM_IO + table_builder_size(output->builder) / 32 : 0) +
           output->capacity * sizeof(struct lsm_file *);
}

static uint64_t buffer_excess(const struct lsm *lsm, const struct lsm_memory *memory)
{
    uint64_t granted = (uint64_t)lsm->options.memtable_bytes;
    uint64_t taken = memory ? memtable_memory(memory->table) + memory->filter_bytes : 0;
    return taken > granted ? taken - granted : 0;
}

void lsm_stats(struct engine *engine, struct engine_stats *stats)
{
    struct lsm *lsm = lsm_of(engine);
    stats->files = 2; /* the manifest and the active log */
    stats->disk_bytes = lsm->manifest_bytes + lsm->wal->size;
    stats->memory_bytes = sizeof(*lsm) + lsm->scratch.capacity + lsm->change.encoded.capacity +
                          buffer_excess(lsm, lsm->memory) + buffer_excess(lsm, lsm->flushing) +
                          output_memory(&lsm->flush.output) +
                          output_memory(&lsm->compaction.output);
    for (uint32_t i = 0; i < lsm->compaction.input_count; i++)
        stats->memory_bytes += lsm->compaction.inputs[i].it ? LSM_IO : 0;
    for (const struct lsm_wal *wal = lsm->flushing_wals; wal; wal = wal->newer)
        sum_file(stats, &wal->garbage);
    for (const struct lsm_garbage *g = lsm->garbage; g; g = g->next) sum_file(stats, g);
    for (uint32_t i = 0; i < LSM_LEVELS; i++) {
        const struct lsm_level *level = &lsm->version->levels[i];
        for (uint32_t j = 0; j < level->count; j++)
            for (uint32_t k = 0; k < level->runs[j]->count; k++) {
                const struct lsm_file *file = level->runs[j]->files[k];
                sum_file(stats, &file->garbage);
                stats->memory_bytes += file->garbage.owner_bytes + sizeof(file);
                if (file->table) stats->memory_bytes += table_memory(file->table);
            }
    }
    const struct lsm_output *outputs[] = {&lsm->flush.output, &lsm->compaction.output};
    for (size_t i = 0; i < 2; i++) {
        stats->disk_bytes += outputs[i]->file ? outputs[i]->written : 0;
        stats->files += outputs[i]->file != NULL;
        for (uint32_t j = 0; j < outputs[i]->count; j++)
            sum_file(stats, &outputs[i]->files[j]->garbage);
    }
    stats->cut_bytes = lsm->cut_bytes;
}

struct teller {
    engine_property_fn *each;
    void *context;
};

static void tell(const struct teller *t, uint64_t value, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void tell(const struct teller *t, uint64_t value, const char *format, ...)
{
    char name[64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof(name), format, arguments);
    va_end(arguments);
    t->each(t->context, name, value);
}

#define TOLD_LEVELS 8u /* deeper ones are summed into the last */

static void tell_level(const struct lsm *lsm, const struct teller *t, uint32_t told)
{
    uint64_t runs = 0, files = 0, bytes = 0, entries = 0, tombstones = 0;
    struct lsm_level_counts c = {0};
    uint32_t end = told + 1 < TOLD_LEVELS ? told + 1 : LSM_LEVELS;
    for (uint32_t i = told; i < end; i++) {
        const struct lsm_level *level = &lsm->version->levels[i];
        const struct lsm_level_counts *counts = &lsm->counts[i];
        c.bytes_in += counts->bytes_in;
        c.bytes_out += counts->bytes_out;
        c.entries_in += counts->entries_in;
        c.entries_out += counts->entries_out;
        c.compactions += counts->compactions;
        c.moves += counts->moves;
        runs += level->count;
        for (uint32_t j = 0; j < level->count; j++) {
            files += level->runs[j]->count;
            bytes += level->runs[j]->file_bytes;
            entries += level->runs[j]->entries;
            for (uint32_t k = 0; k < level->runs[j]->count; k++)
                tombstones += level->runs[j]->files[k]->summary.tombstones;
        }
    }
    tell(t, runs, "level.%u.runs", told);
    tell(t, files, "level.%u.files", told);
    tell(t, bytes, "level.%u.bytes", told);
    tell(t, entries, "level.%u.entries", told);
    tell(t, tombstones, "level.%u.tombstones", told);
    tell(t, c.compactions, "compaction.%u.count", told);
    tell(t, c.bytes_in, "compaction.%u.bytes_in", told);
    tell(t, c.bytes_out, "compaction.%u.bytes_out", told);
    tell(t, c.entries_in, "compaction.%u.entries_in", told);
    tell(t, c.entries_out, "compaction.%u.entries_out", told);
    tell(t, c.moves, "compaction.%u.moves", told);
}

void lsm_properties(struct engine *engine, engine_property_fn *each, void *context)
{
    struct lsm *lsm = lsm_of(engine);
    struct teller t = {each, context};
    struct block_cache_stats cache = {0};
    uint64_t filters = 0, tables = 0;
    if (lsm->cache) block_cache_stats(lsm->cache, &cache);
    for (const struct lsm_file *file = lsm->newest_open; file; file = file->older) {
        filters += table_filter_bytes(file->table);
        tables += table_memory(file->table);
    }
    tell(&t, memtable_entries(lsm->memory->table), "memtable.entries");
    tell(&t, memtable_data_bytes(lsm->memory->table), "memtable.bytes");
    tell(&t,
         memtable_memory(lsm->memory->table) +
             (lsm->flushing ? memtable_memory(lsm->flushing->table) : 0),
         "memtable.memory");
    tell(&t, lsm->flushing ? memtable_data_bytes(lsm->flushing->table) : 0,
         "memtable.flushing_bytes");
    tell(&t, lsm->wal->size, "log.bytes");
    tell(&t, lsm->sequence, "sequence");
    tell(&t, lsm->flushes, "flush.count");
    tell(&t, lsm->flushed_entries, "flush.entries_out");
    tell(&t, lsm->flushed_bytes, "flush.bytes_out");
    for (uint32_t i = 0; i < TOLD_LEVELS; i++) tell_level(lsm, &t, i);
    tell(&t, lsm->tombstones_dropped, "compaction.tombstones_dropped");
    tell(&t, lsm->base.write_stalls, "write_stalls");
    tell(&t, lsm->open_tables, "tables.open");
    tell(&t, tables, "tables.memory");
    tell(&t, filters, "filter.bytes");
    tell(&t, lsm->filtered_reads, "filter.misses_spared");
    tell(&t, cache.hits, "cache.hits");
    tell(&t, cache.misses, "cache.misses");
    tell(&t, cache.bytes, "cache.bytes");
    tell(&t, cache.blocks, "cache.blocks");
}

/* ---- recognising ---- */

struct place {
    struct vfs *vfs;
    const char *dir;
};

/* A log has a name that other engines give theirs; what it begins with tells. */
static int recognise_log(const struct place *place, const char *name)
{
    unsigned char front[LSM_WAL_FRONT];
    char path[ENGINE_PATH_SIZE];
    struct vfs_file *file;
    int err = engine_path(path, place->dir, name);
    if (!err) err = vfs_open(place->vfs, path, VFS_READ, &file);
    if (err) return err == -ENOENT ? 0 : err;
    int64_t n = vfs_read(file, 0, front, sizeof(front), VFS_USER_READ);
    vfs_close(file);
    return n < 0 ? (int)n : lsm_wal_may_begin(bytes_of(front, (size_t)n));
}

static int recognise_name(void *context, const char *name, bool is_directory)
{
    uint64_t number;
    if (is_directory) return 0;
    enum lsm_name kind = lsm_name_parse(name, &number);
    return kind == LSM_NAME_LOG ? recognise_log(context, name) : kind == LSM_NAME_TABLE;
}

/* The manifest's name is not ours alone; but no database is without a log. */
int lsm_recognise(struct vfs *vfs, const char *dir)
{
    struct place place = {vfs, dir};
    return vfs_list(vfs, dir, recognise_name, &place);
}

/* ---- inspection ---- */

struct look {
    struct lsm lsm; /* as much of one as reading files takes; nothing is open in it */
    const struct engine_inspector *inspector;
    struct buffer names; /* of files, NUL-terminated, in order */
    bool has_manifest;
    uint64_t last_log;   /* 0: none */
    uint64_t stillborn;  /* likewise: a log behind it that was never used */
    uint64_t sequence;   /* that the next log must continue */
    bool knows_sequence; /* false behind damage */
};

static void found(struct look *look, enum engine_finding finding, const char *file,
                  uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static void found(struct look *look, enum engine_finding finding, const char *file,
                  uint64_t offset, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    if (finding == FINDING_ITEM && !look->inspector->wants_items) return;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    look->inspector->found(look->inspector->context, finding, file, offset, text);
}

static int collect_name(void *context, const char *name, bool is_directory)
{
    struct look *look = context;
    return is_directory ? 0 : buffer_append(&look->names, name, strlen(name) + 1);
}

static bool has_name(const struct look *look, const char *wanted)
{
    for (size_t i = 0; i < look->names.size;) {
        const char *name = (const char *)look->names.data + i;
        if (strcmp(name, wanted) == 0) return true;
        i += strlen(name) + 1;
    }
    return false;
}

/* A table as the manifest lists it. */
struct listing {
    const struct lsm_file *file;
    const struct lsm_run *run;
    uint64_t offset;         /* of its entry in the manifest */
    uint32_t level, age, at; /* at in the run `age` (0: newest) of its level */
};

/* The listing behind *l, or from a zeroed one on the first. The offsets are those of
 * lsm_manifest_encode(): 8 bytes begin a level, 4 a run. */
static bool listing_next(const struct look *look, struct listing *l)
{
    if (l->file) {
        const struct table_summary *s = &l->file->summary;
        l->offset += LSM_MANIFEST_FILE + s->smallest.size + s->largest.size;
        l->at++;
    } else {
        l->offset = LSM_MANIFEST_HEADER + 8;
    }
    for (; l->level < LSM_LEVELS; l->level++, l->age = 0, l->offset += 8) {
        const struct lsm_level *level = &look->lsm.version->levels[l->level];
        for (; l->age < level->count; l->age++, l->at = 0) {
            l->run = level->runs[l->age];
            if (l->at == 0) l->offset += 4;
            if (l->at == l->run->count) continue;
            l->file = l->run->files[l->at];
            return true;
        }
    }
    return false;
}

/* The first listing of a number. */
static bool listing_find(const struct look *look, uint64_t number, struct listing *l)
{
    *l = (struct listing){0};
    while (listing_next(look, l))
        if (l->file->garbage.number == number) return true;
    return false;
}

static uint64_t run_sequence(const struct lsm_run *run, bool is_max)
{
    uint64_t found = run->files[0]->summary.sequence_min;
    for (uint32_t i = 0; i < run->count; i++) {
        const struct table_summary *s = &run->files[i]->summary;
        if (is_max ? s->sequence_max > found : s->sequence_min < found)
            found = is_max ? s->sequence_max : s->sequence_min;
    }
    return found;
}

/* What the manifest alone shows to be impossible. */
static void judge_listing(struct look *look, const struct listing *l, const char *name)
{
    const struct lsm *lsm = &look->lsm;
    const struct table_summary *s = &l->file->summary;
    struct listing first;
    if (l->file->garbage.number >= lsm->next_number)
        found(look, FINDING_PROBLEM, LSM_MANIFEST, l->offset,
              "lists %s, though the next number is %llu", name,
              (unsigned long long)lsm->next_number);
    if (listing_find(look, l->file->garbage.number, &first) && first.file != l->file)
        found(look, FINDING_PROBLEM, LSM_MANIFEST, l->offset, "lists %s a second time", name);
    if (bytes_compare(s->smallest, s->largest) > 0 || s->entries == 0 ||
        s->tombstones > s->entries || s->sequence_min > s->sequence_max)
        found(look, FINDING_PROBLEM, LSM_MANIFEST, l->offset, "says what can not be of %s",
              name);
    if (s->sequence_max > lsm->flushed_sequence)
        found(look, FINDING_PROBLEM, LSM_MANIFEST, l->offset,
              "sequence %llu in %s, but %llu is the last one in tables",
              (unsigned long long)s->sequence_max, name,
              (unsigned long long)lsm->flushed_sequence);
    if (l->at && bytes_compare(l->run->files[l->at - 1]->summary.largest, s->smallest) >= 0)
        found(look, FINDING_PROBLEM, LSM_MANIFEST, l->offset,
              "%s does not stand behind the table before it in level %u", name, l->level);
    if (l->age && l->at == 0) {
        const struct lsm_run *newer = look->lsm.version->levels[l->level].runs[l->age - 1];
        if (run_sequence(newer, false) <= run_sequence(l->run, true))
            found(look, FINDING_PROBLEM, LSM_MANIFEST, l->offset,
                  "run %u of level %u is not older than the run before it", l->age, l->level);
    }
}

static void look_at_version(struct look *look)
{
    char name[ENGINE_PATH_SIZE], smallest[ENGINE_KEY_TEXT], largest[ENGINE_KEY_TEXT];
    struct listing l = {0};
    while (listing_next(look, &l)) {
        const struct table_summary *s = &l.file->summary;
        if (lsm_table_path("", l.file->garbage.number, name)) continue;
        found(look, FINDING_ITEM, LSM_MANIFEST, l.offset,
              "level %u, run %u: %s, %llu bytes, %llu entries, %llu tombstones, %s to %s",
              l.level, l.age, name, (unsigned long long)s->file_bytes,
              (unsigned long long)s->entries, (unsigned long long)s->tombstones,
              engine_key_text(smallest, s->smallest), engine_key_text(largest, s->largest));
        if (!has_name(look, name))
            found(look, FINDING_PROBLEM, LSM_MANIFEST, l.offset, "lists %s, which is not there",
                  name);
        judge_listing(look, &l, name);
    }
}

static int look_at_manifest(struct look *look)
{
    struct lsm *lsm = &look->lsm;
    char name[ENGINE_PATH_SIZE];
    int err = lsm_manifest_read(lsm);
    if (err == -ENOENT) {
        found(look, look->names.size ? FINDING_PROBLEM : FINDING_NOTE, LSM_MANIFEST, 0,
              "there is none");
        return 0;
    }
    if (err == -EBADMSG) {
        const char *why = strstr(lsm->base.error_text, ": ");
        found(look, FINDING_PROBLEM, LSM_MANIFEST, lsm->bad_offset, "%s",
              why ? why + 2 : "broken");
        return 0;
    }
    if (err) return err;
    look->has_manifest = look->knows_sequence = true;
    look->sequence = lsm->flushed_sequence;
    found(look, FINDING_ITEM, LSM_MANIFEST, 0,
          "manifest: next number %llu, first log %llu, sequence %llu in tables",
          (unsigned long long)lsm->next_number, (unsigned long long)lsm->log_number,
          (unsigned long long)lsm->flushed_sequence);
    err = lsm_log_path("", lsm->log_number, name);
    if (!err && !has_name(look, name))
        found(look, FINDING_PROBLEM, LSM_MANIFEST, 16, "lists %s, which is not there", name);
    look_at_version(look);
    return err;
}

/* ---- tables ---- */

/* What the manifest says of a table, against what the table holds. Told at the table's end, so
 * that findings stay in the order of offsets. */
static void judge_table(struct look *look, const char *name, const struct listing *l,
                        const struct table_seen *seen)
{
    const struct table_summary *a = &l->file->summary, *b = &seen->summary;
    const struct {
        const char *what;
        uint64_t field, listed, is;
    } figures[] = {
        {"file bytes", 8, a->file_bytes, b->file_bytes},
        {"tail bytes", 16, a->tail_bytes, b->tail_bytes},
        {"entries", 24, a->entries, b->entries},
        {"tombstones", 32, a->tombstones, b->tombstones},
        {"bytes of data", 40, a->data_bytes, b->data_bytes},
        {"as least sequence", 48, a->sequence_min, b->sequence_min},
        {"as greatest sequence", 56, a->sequence_max, b->sequence_max},
        {"as time of the youngest tombstone", 64, (uint64_t)l->file->tombstone_newest_ns,
         (uint64_t)seen->tombstone_newest_ns},
    };
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        if (figures[i].listed == figures[i].is || (i > 0 && !seen->is_whole)) continue;
        found(look, FINDING_PROBLEM, name, b->file_bytes,
              LSM_MANIFEST " at offset %llu lists %lld %s, the table has %lld",
              (unsigned long long)(l->offset + figures[i].field), (long long)figures[i].listed,
              figures[i].what, (long long)figures[i].is);
    }
    if (!seen->is_whole) return;
    char listed[ENGINE_KEY_TEXT], is[ENGINE_KEY_TEXT];
    for (int end = 0; end < 2; end++) {
        struct bytes x = end ? a->largest : a->smallest, y = end ? b->largest : b->smallest;
        if (bytes_equal(x, y)) continue;
        found(
            look, FINDING_PROBLEM, name, b->file_bytes,
            LSM_MANIFEST " at offset %llu lists %s as %s key, the table has %s",
            (unsigned long long)(l->offset + LSM_MANIFEST_FILE + (end ? a->smallest.size : 0)),
            engine_key_text(listed, x), end ? "largest" : "smallest", engine_key_text(is, y));
    }
}

static int look_at_table(struct look *look, const char *name, uint64_t number)
{
    char path[ENGINE_PATH_SIZE];
    struct listing l = {0};
    struct table_seen seen = {0};
    if (look->has_manifest && !listing_find(look, number, &l)) {
        found(look, FINDING_NOTE, name, 0, "not listed: the next open removes it");
        return 0;
    }
    int err = lsm_table_path(look->lsm.dir, number, path);
    if (!err)
        err = table_inspect(&look->lsm.base.host, path, name, number, look->inspector, &seen);
    if (!err && look->has_manifest) judge_table(look, name, &l, &seen);
    table_seen_deinit(&seen);
    return err;
}

/* ---- logs ---- */

struct log_look {
    struct look *look;
    const char *name;
};

static int look_at_record(void *context, uint64_t offset, uint64_t sequence,
                          const struct wal_record *record)
{
    struct log_look *l = context;
    struct bytes items = record->items;
    struct wal_item item;
    char key[ENGINE_KEY_TEXT], claim[40] = "";
    uint64_t count = 0;
    if (record->has_claim) snprintf(claim, sizeof(claim), ", %u bytes durable", record->claim);
    if (record->count == 0) {
        found(l->look, FINDING_ITEM, l->name, offset, "%s%s", record->is_seal ? "seal" : "mark",
              claim);
        return 0;
    }
    found(l->look, FINDING_ITEM, l->name, offset, "batch of %llu, sequence %llu%s",
          (unsigned long long)record->count, (unsigned long long)sequence + 1, claim);
    for (; count < record->count && lsm_wal_next(&items, &item); count++)
        found(l->look, FINDING_ITEM, l->name, offset, "    %s %s, value of %zu",
              item.is_delete ? "delete" : "put", engine_key_text(key, item.key),
              item.value.size);
    if (count < record->count || items.size)
        found(l->look, FINDING_PROBLEM, l->name, offset, "malformed items");
    return 0;
}

/* Behind a break: what still stands there. */
static void look_behind(struct look *look, const char *name, uint64_t number, struct bytes data,
                        uint64_t from)
{
    struct wal_record record;
    struct log_look l = {look, name};
    const unsigned char *p = data.data;
    for (uint64_t at = from + 1; look->inspector->wants_items && at < data.size;) {
        bool fine =
            lsm_wal_decode(bytes_of(p + at, data.size - (size_t)at), number, at, &record);
        if (fine) look_at_record(&l, at, 0, &record);
        at += fine ? record.size : 1;
    }
}

static void judge_log(struct look *look, const char *name, uint64_t number, struct bytes data,
                      const struct wal_extent *e)
{
    bool is_last = number == look->last_log;
    if (!e->has_header) {
        bool is_nothing = is_last && data.size <= WAL_HEADER && number != look->lsm.log_number;
        found(look, is_nothing ? FINDING_NOTE : FINDING_PROBLEM, name, 0,
              is_nothing ? "no header yet: nothing was in it" : "a broken log header");
        look->knows_sequence = false;
        return;
    }
    if (look->knows_sequence && e->first_sequence != look->sequence)
        found(look, FINDING_PROBLEM, name, e->good,
              "begins behind sequence %llu, but what is before it ends at %llu",
              (unsigned long long)e->first_sequence, (unsigned long long)look->sequence);
    if (is_last && e->is_sealed)
        found(look, FINDING_PROBLEM, name, e->good, "sealed, but no log follows");
    look->sequence = e->sequence;
    if (e->good == data.size) return;
    if (!is_last || e->claimed > e->good) {
        found(look, FINDING_PROBLEM, name, e->good, "a broken record");
        look->knows_sequence = false;
    } else {
        found(look, FINDING_NOTE, name, e->good,
              "a torn tail of %llu bytes, which the next open cuts",
              (unsigned long long)(data.size - e->good));
    }
    look_behind(look, name, number, data, e->good);
}

/* Reads a log whole. */
static int log_read(struct look *look, uint64_t number, struct buffer *data)
{
    struct vfs_file *file;
    char path[ENGINE_PATH_SIZE];
    uint64_t size = 0;
    int err = lsm_log_path(look->lsm.dir, number, path);
    if (!err) err = vfs_open(look->lsm.base.host.vfs, path, VFS_READ, &file);
    if (err) return err;
    err = vfs_size(file, &size);
    if (!err) err = buffer_reserve(data, (size_t)size);
    if (!err) err = engine_file_read(file, 0, data->data, (size_t)size, VFS_RECOVERY);
    data->size = (size_t)size;
    vfs_close(file);
    return err;
}

static int look_at_log(struct look *look, const char *name, uint64_t number)
{
    struct buffer data = {.allocator = look->lsm.base.host.allocator};
    struct log_look l = {look, name};
    struct wal_extent extent;
    if (look->has_manifest && number < look->lsm.log_number) {
        found(look, FINDING_NOTE, name, 0, "all in tables: the next open removes it");
        return 0;
    }
    if (number == look->stillborn) {
        found(look, FINDING_NOTE, name, 0, "nothing was in it: the next open removes it");
        return 0;
    }
    int err = log_read(look, number, &data);
    if (!err) {
        found(look, FINDING_ITEM, name, 0, "log %llu, %zu bytes", (unsigned long long)number,
              data.size);
        err = lsm_wal_walk(buffer_bytes(&data), number, look_at_record, &l, &extent);
        if (!err) judge_log(look, name, number, buffer_bytes(&data), &extent);
    }
    buffer_deinit(&data);
    return err;
}

/* As recovery decides it: a log without header behind one without seal was never used. */
static int find_last_log(struct look *look)
{
    struct buffer data = {.allocator = look->lsm.base.host.allocator};
    struct wal_extent extent = {0};
    uint64_t logs[2] = {0}, number;
    for (size_t i = 0; i < look->names.size;) {
        const char *name = (const char *)look->names.data + i;
        if (lsm_name_parse(name, &number) == LSM_NAME_LOG && number >= look->lsm.log_number) {
            logs[0] = logs[1];
            logs[1] = number;
        }
        i += strlen(name) + 1;
    }
    look->last_log = logs[1];
    int err = logs[0] ? log_read(look, logs[1], &data) : 0;
    if (!err && logs[0]) err = lsm_wal_walk(buffer_bytes(&data), logs[1], NULL, NULL, &extent);
    if (!err && logs[0] && !extent.has_header && data.size <= WAL_HEADER) {
        err = log_read(look, logs[0], &data);
        if (!err) err = lsm_wal_walk(buffer_bytes(&data), logs[0], NULL, NULL, &extent);
        if (!err && !extent.is_sealed) {
            look->stillborn = logs[1];
            look->last_log = logs[0];
        }
    }
    buffer_deinit(&data);
    return err;
}

/* ---- all of it ---- */

static int look_at(struct look *look, const char *name)
{
    uint64_t number;
    switch (lsm_name_parse(name, &number)) {
    case LSM_NAME_MANIFEST: return 0; /* has been */
    case LSM_NAME_TABLE: return look_at_table(look, name, number);
    case LSM_NAME_LOG: return look_at_log(look, name, number);
    case LSM_NAME_NEXT:
        found(look, FINDING_NOTE, name, 0, "left by a crash: the next open removes it");
        return 0;
    case LSM_NAME_FOREIGN: found(look, FINDING_NOTE, name, 0, "not a file of this engine");
    }
    return 0;
}

int lsm_inspect(const struct engine_host *host, const char *dir,
                const struct engine_inspector *inspector)
{
    const struct allocator *a = host->allocator;
    struct look *look = allocator_alloc(a, sizeof(*look));
    if (!look) return -ENOMEM;
    memset(look, 0, sizeof(*look));
    look->lsm.base.ops = &engine_lsm;
    look->lsm.base.host = *host;
    look->lsm.is_closing = true;
    look->inspector = inspector;
    look->names.allocator = a;
    int err = engine_path(look->lsm.dir, "", dir);
    if (!err) err = vfs_list(host->vfs, dir, collect_name, look);
    if (!err) err = look_at_manifest(look);
    if (!err) err = find_last_log(look);
    for (size_t i = 0; !err && i < look->names.size;) {
        const char *name = (const char *)look->names.data + i;
        err = look_at(look, name);
        i += strlen(name) + 1;
    }
    lsm_version_unref(&look->lsm, look->lsm.version);
    buffer_deinit(&look->names);
    allocator_free(a, look, sizeof(*look));
    return err;
}
