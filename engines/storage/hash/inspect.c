/* Looking at a database of segments: figures of an open one; of a closed one, every record of
 * every file, and what is damaged. Nothing is changed.
 *
 * Behind a broken record the walk goes on at the next offset where a whole one stands: records
 * are salted with their place, so what looks like one is one.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "engines/storage/hash/hash_internal.h"
#include "engines/storage/hash/hint.h"

/* ---- figures ---- */

void hash_properties(struct engine *engine, engine_property_fn *each, void *context)
{
    struct hash_engine *hash = (struct hash_engine *)engine;
    hash_index_settle(hash);
    uint64_t bytes = 0, dead = 0, records = 0, hints = 0, hint_bytes = 0;
    uint64_t entries = hash->keydir.count, slots = hash->keydir.capacity;
    for (uint32_t i = 0; i < hash->segments.count; i++) {
        const struct segment *segment = hash->segments.items[i];
        bytes += segment->size;
        dead += segment->dead_bytes;
        records += segment->records;
        hints += segment->has_hint;
        hint_bytes += segment->hint_bytes;
        entries += segment->index.count;
        slots += segment->index.capacity;
    }
    each(context, "live.keys", hash->live_keys);
    each(context, "live.bytes", hash->live_key_bytes + hash->live_value_bytes);
    each(context, "segments", hash->segments.count);
    each(context, "segments.bytes", bytes);
    each(context, "segments.records", records);
    each(context, "segments.dead_bytes", dead);
    each(context, "segments.dropped", hash->dropped.count + hash->merge.retired.count);
    each(context, "hints", hints);
    each(context, "hints.bytes", hint_bytes);
    each(context, "index.entries", entries);
    each(context, "index.slots", slots);
    each(context, "index.bytes", hash_index_memory(hash));
    each(context, "filters.bytes", hash_filter_memory(hash));
    each(context, "merge.step", hash->merge.step);
    each(context, "merge.outputs", hash->merge.outputs.count);
}

/* ---- names ---- */

/* The id in "seg-%08x.data" or ".hint"; false for any other name. */
static bool name_parse(const char *name, const char *suffix, uint32_t *id)
{
    char canonical[32];
    if (sscanf(name, "seg-%8x", id) != 1) return false;
    snprintf(canonical, sizeof(canonical), "seg-%08x.%s", *id, suffix);
    return strcmp(name, canonical) == 0;
}

static int recognise_name(void *context, const char *name, bool is_directory)
{
    uint32_t id;
    (void)context;
    return !is_directory && name_parse(name, "data", &id);
}

int hash_recognise(struct vfs *vfs, const char *dir)
{
    return vfs_list(vfs, dir, recognise_name, NULL);
}

/* ---- the look ---- */

struct look {
    struct hash_engine hash; /* as much of one as reading files takes; nothing is open in it */
    const struct engine_inspector *inspector;
    struct buffer names, entries; /* of files, NUL-terminated; of struct manifest_entry */
    bool has_manifest;
    struct hint_stream expected; /* the hints of the segment last seen, while it was whole */
};

static void found(struct look *look, enum engine_finding finding, const char *file,
                  uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static void found(struct look *look, enum engine_finding finding, const char *file,
                  uint64_t offset, const char *format, ...)
{
    char text[256];
    va_list arguments;
    if (finding == FINDING_ITEM && !look->inspector->wants_items) return;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    look->inspector->found(look->inspector->context, finding, file, offset, text);
}

static const struct manifest_entry *entry_of(const struct look *look, uint32_t id)
{
    const struct manifest_entry *e =
        (const struct manifest_entry *)(const void *)look->entries.data;
    for (size_t i = 0; i < look->entries.size / sizeof(*e); i++)
        if (e[i].id == id) return &e[i];
    return NULL;
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

static int look_at_manifest(struct look *look)
{
    struct buffer data = {.allocator = look->hash.base.host.allocator};
    struct manifest_header header;
    uint64_t offset;
    int err = hash_manifest_load(&look->hash, &data);
    if (err == -ENOENT) {
        found(look, look->names.size ? FINDING_PROBLEM : FINDING_NOTE, MANIFEST_NAME, 0,
              "there is none");
        return 0;
    }
    const char *why =
        err ? NULL
            : hash_manifest_decode(buffer_bytes(&data), &look->entries, &header, &offset);
    buffer_deinit(&data);
    if (err) return err;
    if (why && !*why) return -ENOMEM;
    if (why) {
        buffer_clear(&look->entries);
        found(look, FINDING_PROBLEM, MANIFEST_NAME, offset, "%s", why);
        return 0;
    }
    const struct manifest_entry *e =
        (const struct manifest_entry *)(const void *)look->entries.data;
    uint32_t count = (uint32_t)(look->entries.size / sizeof(*e));
    look->has_manifest = true;
    found(look, FINDING_ITEM, MANIFEST_NAME, 0,
          "manifest of %u segments, next id %u, %llu live keys", count, header.next_id,
          (unsigned long long)header.live_keys);
    for (uint32_t i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof(name), "seg-%08x.data", e[i].id);
        if (e[i].size)
            found(look, FINDING_ITEM, MANIFEST_NAME, hash_manifest_offset(i),
                  "%s sealed, %llu bytes, last CRC %08x", name, (unsigned long long)e[i].size,
                  e[i].crc);
        else
            found(look, FINDING_ITEM, MANIFEST_NAME, hash_manifest_offset(i), "%s active",
                  name);
        if (!has_name(look, name))
            found(look, FINDING_PROBLEM, MANIFEST_NAME, hash_manifest_offset(i),
                  "lists %s, which is not there", name);
    }
    return 0;
}

/* ---- segments ---- */

static const char *const kind_words[] = {"put", "delete", "mark"};

/* The first bytes of a key, quoted, others than printable ones as \xNN. */
static const char *key_text(struct bytes key, char text[100])
{
    size_t used = 0;
    const unsigned char *p = key.data;
    for (size_t i = 0; i < key.size && i < 20; i++)
        if (p[i] >= ' ' && p[i] < 127 && p[i] != '\\' && p[i] != '"')
            text[used++] = (char)p[i];
        else
            used += (size_t)snprintf(text + used, 5, "\\x%02x", p[i]);
    snprintf(text + used, 4, "%s", key.size > 20 ? "..." : "");
    return text;
}

/* The next offset from which a whole record stands, and the most that any behind says was
 * durable. The limit when there is none. */
static int next_record(struct segment_reader *reader, uint64_t from, uint64_t *next,
                       uint64_t *claimed)
{
    struct record record;
    *next = reader->limit;
    *claimed = 0;
    for (uint64_t offset = from; offset + RECORD_HEADER <= reader->limit;) {
        int n = hash_segment_record(reader, offset, &record);
        if (n < 0) return n;
        if (n > 0 && *next == reader->limit) *next = offset;
        if (n > 0 && record.synced > *claimed) *claimed = record.synced;
        offset += n > 0 ? record_size(record.key.size, record.value.size) : 1;
    }
    return 0;
}

static void found_record(struct look *look, const char *name, uint64_t offset,
                         const struct record *record)
{
    char key[100], batch[40] = "";
    if (record->remaining)
        snprintf(batch, sizeof(batch), ", %u more of its batch", record->remaining);
    found(look, FINDING_ITEM, name, offset,
          "%s, key of %zu bytes \"%s\", value of %zu, sequence %llu, %u durable%s",
          kind_words[record->kind], record->key.size, key_text(record->key, key),
          record->value.size, (unsigned long long)record->sequence, record->synced, batch);
}

static int walk_records(struct look *look, const char *name, struct segment_reader *reader,
                        uint32_t crc, bool is_sealed)
{
    struct record record;
    uint64_t offset = SEGMENT_HEADER, batch = offset, remaining = 0, next, claimed;
    bool is_chained = true; /* the record before is known */
    while (offset < reader->limit) {
        int n = hash_segment_record(reader, offset, &record);
        if (n < 0) return n;
        bool continues =
            n > 0 && (!is_chained || (record.previous == crc &&
                                      (!remaining || record.remaining == remaining - 1)));
        if (!continues) {
            int err = next_record(reader, offset, &next, &claimed);
            if (err) return err;
            if (!is_sealed && claimed <= batch) break;
            found(look, FINDING_PROBLEM, name, offset, "%s; the next record is at %llu",
                  n > 0 ? "a record that does not continue the one before" : "a broken record",
                  (unsigned long long)next);
            hash_hint_abandon(&look->expected);
            if (n <= 0) {
                is_chained = false;
                offset = batch = next;
                remaining = 0;
                continue;
            }
        }
        found_record(look, name, offset, &record);
        hash_hint_add(&look->expected, record.kind, record.key, (uint32_t)record.value.size);
        is_chained = true;
        crc = record.crc;
        remaining = record.remaining;
        offset += record_size(record.key.size, record.value.size);
        if (!remaining) batch = offset;
    }
    if (batch < reader->limit && (offset < reader->limit || remaining))
        found(look, is_sealed ? FINDING_PROBLEM : FINDING_NOTE, name, batch,
              is_sealed ? "an unfinished batch"
                        : "a torn tail of %llu bytes, which the next open cuts",
              (unsigned long long)(reader->limit - batch));
    return 0;
}

static int look_at_segment(struct look *look, const char *name, uint32_t id)
{
    struct hash_engine *hash = &look->hash;
    const struct manifest_entry *entry = entry_of(look, id);
    uint64_t sealed = entry ? entry->size : 0;
    bool is_sealed = sealed != 0;
    struct segment *segment;
    uint64_t size;
    hash_hint_begin(hash, &look->expected, id, VFS_RECOVERY);
    if (look->has_manifest && !entry) {
        found(look, FINDING_NOTE, name, 0, "not listed: the next open removes it");
        hash_hint_abandon(&look->expected);
        return 0;
    }
    int err = hash_segment_open(hash, id, &segment);
    if (err == -EBADMSG) {
        found(look, FINDING_PROBLEM, name, 0, "a broken segment header");
        hash_hint_abandon(&look->expected);
        return 0; /* its records may be another segment's: nothing is said of them */
    }
    if (err) return err;
    err = vfs_size(segment->file, &size);
    if (!err) {
        struct segment_reader reader = {.segment = segment,
                                        .limit = is_sealed && sealed < size ? sealed : size,
                                        .purpose = VFS_RECOVERY,
                                        .window = {.allocator = hash->base.host.allocator}};
        found(look, FINDING_ITEM, name, 0, "segment %u, %s, %llu bytes", id,
              is_sealed ? "sealed"
              : entry   ? "active"
                        : "of no manifest",
              (unsigned long long)size);
        err = walk_records(look, name, &reader, segment->crc, is_sealed);
        buffer_deinit(&reader.window);
        if (!err && is_sealed && size < sealed) {
            found(look, FINDING_PROBLEM, name, size, "the file ends, the manifest says %llu",
                  (unsigned long long)sealed);
            hash_hint_abandon(&look->expected);
        }
        if (!err && is_sealed && size > sealed)
            found(look, FINDING_NOTE, name, sealed, "%llu bytes behind the segment's end",
                  (unsigned long long)(size - sealed));
    }
    hash_segment_close(hash, segment);
    return err;
}

/* ---- hints ---- */

static void walk_hints(struct look *look, const char *name, struct bytes file)
{
    struct hint_entry entry;
    char key[100];
    size_t position = HINT_HEADER, at = position;
    for (; hash_hint_next(file, &position, &entry); at = position)
        found(look, FINDING_ITEM, name, at, "%s, key of %zu bytes \"%s\", value of %u",
              kind_words[entry.kind], entry.key.size, key_text(entry.key, key),
              entry.value_size);
    if (position < file.size - HINT_FOOTER)
        found(look, FINDING_PROBLEM, name, position, "no hint");
}

/* Comes behind its segment, in the order of names. */
static int look_at_hint(struct look *look, const char *name, uint32_t id)
{
    const struct manifest_entry *entry = entry_of(look, id);
    const struct hint_stream *expected = &look->expected;
    struct buffer data = {.allocator = look->hash.base.host.allocator};
    if (look->has_manifest && !entry) {
        found(look, FINDING_NOTE, name, 0, "of no listed segment: the next open removes it");
        return 0;
    }
    int err = hash_hint_read(&look->hash, id, &data);
    if (err == -EFBIG) {
        found(look, FINDING_NOTE, name, 0, "larger than any hint file: not used");
        err = 0;
        goto done;
    }
    if (err) goto done;
    const unsigned char *end = data.data + data.size - HINT_FOOTER;
    if (entry && !entry->size) {
        found(look, FINDING_NOTE, name, 0, "of the active segment: not used");
    } else if (data.size < HINT_HEADER + HINT_FOOTER ||
               memcmp(end, hash_hint_end_magic, 8) != 0) {
        found(look, FINDING_NOTE, name, data.size, "unfinished: the segment is read instead");
    } else {
        bool has_segment = !expected->is_broken && expected->id == id;
        /* Hints are not synced: a power loss may leave the end of one without its front. */
        bool is_whole = get_u32(end + 28) == crc32c(0, data.data, data.size - 4);
        enum engine_finding severity = is_whole ? FINDING_PROBLEM : FINDING_NOTE;
        size_t same = 0, limit = data.size - HINT_FOOTER;
        found(look, FINDING_ITEM, name, 0, "hints of segment %u", get_u32(data.data + 8));
        while (has_segment && same < limit && same < expected->out.size &&
               data.data[same] == expected->out.data[same])
            same++;
        if (has_segment && (same < limit || same < expected->out.size))
            found(look, severity, name, same, "not what its segment says");
        if (is_whole) walk_hints(look, name, buffer_bytes(&data));
        found(look, FINDING_ITEM, name, limit, "end: %llu bytes, sequence %llu, last CRC %08x",
              (unsigned long long)get_u64(end + 8), (unsigned long long)get_u64(end + 16),
              get_u32(end + 24));
        if (!is_whole)
            found(look, FINDING_NOTE, name, data.size - 4,
                  "the checksum is wrong: the segment is read instead");
        else if (entry && (get_u64(end + 8) != entry->size || get_u32(end + 24) != entry->crc))
            found(look, FINDING_NOTE, name, limit, "of another segment of this id: not used");
    }
done:
    buffer_deinit(&data);
    return err;
}

/* ---- all of it ---- */

static int look_at(struct look *look, const char *name)
{
    uint32_t id;
    if (strcmp(name, MANIFEST_NAME) == 0) return 0; /* has been */
    if (name_parse(name, "data", &id)) return look_at_segment(look, name, id);
    if (name_parse(name, "hint", &id)) return look_at_hint(look, name, id);
    if (strcmp(name, MANIFEST_ROLL_NAME) == 0 || strcmp(name, MANIFEST_MERGE_NAME) == 0)
        found(look, FINDING_NOTE, name, 0, "left by a crash: the next open removes it");
    else
        found(look, FINDING_NOTE, name, 0, "not a file of this engine");
    return 0;
}

int hash_inspect(const struct engine_host *host, const char *dir,
                 const struct engine_inspector *inspector)
{
    const struct allocator *a = host->allocator;
    struct look *look = allocator_alloc(a, sizeof(*look));
    if (!look) return -ENOMEM;
    memset(look, 0, sizeof(*look));
    look->hash.base.ops = &engine_hash;
    look->hash.base.host = *host;
    look->hash.options.hint_files = true;
    look->inspector = inspector;
    look->names.allocator = look->entries.allocator = a;
    look->expected.is_broken = true;
    int err = engine_path(look->hash.dir, "", dir);
    if (!err) err = vfs_list(host->vfs, dir, collect_name, look);
    if (!err) err = look_at_manifest(look);
    for (size_t i = 0; !err && i < look->names.size;) {
        const char *name = (const char *)look->names.data + i;
        err = look_at(look, name);
        i += strlen(name) + 1;
    }
    hash_hint_abandon(&look->expected);
    allocator_free(a, look->hash.numbered,
                   look->hash.numbered_count * sizeof(*look->hash.numbered));
    buffer_deinit(&look->names);
    buffer_deinit(&look->entries);
    allocator_free(a, look, sizeof(*look));
    return err;
}
