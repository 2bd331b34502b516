/* Looks at an SSTable that nobody has open: every section and block, every promise of the
 * format (table.c), with offsets. Nothing is taken for granted that was not checked, and damage
 * in one place does not hide the rest:
 *
 *     footer fine, index fine     the blocks by the index
 *     footer or index broken      the blocks by the sizes that they begin with, from offset 0
 *                                 until one is broken
 *
 * Within a block whose checksum is right entries are still judged: their order (also across
 * blocks), the separators, the filter (which must hold every key) and the sums of the
 * properties. Such a finding means a bug in the writer, not in the disk.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "engines/storage/bloom.h"
#include "engines/storage/lsm/table_format.h"

#define TEXT_SIZE 200u
#define KEY_TEXT 24u /* bytes of a key that are shown */

struct inspection {
    const struct engine_inspector *inspector;
    const char *name;
    struct vfs_file *file;
    uint64_t number, file_bytes;
    struct buffer section; /* what was read last */
    struct buffer key;     /* of the entry before */
    struct buffer rebuilt; /* of the entry */
    struct bytes filter;   /* empty: none, or broken */
    struct buffer filter_copy, index_copy;
    struct buffer smallest;
    struct table_summary seen;
    uint64_t sequence_before; /* of the entry before */
    uint64_t tail_bytes;      /* 0: no footer says it */
    int64_t tombstone_newest_ns;
    uint64_t problems;
    uint32_t blocks;
};

__attribute__((format(printf, 4, 5))) static void report(struct inspection *n,
                                                         enum engine_finding finding,
                                                         uint64_t offset, const char *format,
                                                         ...)
{
    char text[TEXT_SIZE];
    n->problems += finding == FINDING_PROBLEM;
    if (finding == FINDING_ITEM && !n->inspector->wants_items) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    n->inspector->found(n->inspector->context, finding, n->name, offset, text);
}

/* A key as printable text, shortened. */
static const char *key_text(char out[KEY_TEXT * 4 + 4], struct bytes key)
{
    const unsigned char *p = key.data;
    char *to = out;
    for (size_t i = 0; i < key.size && i < KEY_TEXT; i++) {
        if (p[i] >= 0x20 && p[i] < 0x7f && p[i] != '\\')
            *to++ = (char)p[i];
        else
            to += snprintf(to, 5, "\\x%02x", p[i]);
    }
    snprintf(to, 4, "%s", key.size > KEY_TEXT ? "..." : "");
    return out;
}

/* Reads a section into n->section. 1: its checksum is right; 0: not; or -errno. */
static int section_read(struct inspection *n, uint64_t offset, uint64_t size)
{
    if (size < CHECKSUM_SIZE || size > n->file_bytes) return 0;
    int err = buffer_reserve(&n->section, (size_t)size);
    if (err) return err;
    n->section.size = (size_t)size;
    int64_t got = vfs_read(n->file, offset, n->section.data, (size_t)size, VFS_RECOVERY);
    if (got == -EIO) return 0; /* a sector that can not be read is damage too */
    if (got < 0) return (int)got;
    if ((uint64_t)got != size) return 0;
    n->section.size -= CHECKSUM_SIZE;
    return get_u64(n->section.data + n->section.size) ==
           table_checksum(buffer_bytes(&n->section), n->number, offset);
}

/* ---- blocks ---- */

static int entry_judge(struct inspection *n, uint64_t offset, const struct block_entry *e,
                       bool is_first)
{
    struct table_summary *s = &n->seen;
    struct bytes key, before = buffer_bytes(&n->key);
    uint64_t sequence = e->tag >> 1;
    if (e->shared > (is_first ? 0 : before.size)) {
        report(n, FINDING_PROBLEM, offset, "an entry shares %u bytes with a key of %zu",
               e->shared, is_first ? (size_t)0 : before.size);
        return 0;
    }
    int err = buffer_assign(&n->rebuilt, bytes_of(before.data, e->shared));
    if (!err) err = buffer_append(&n->rebuilt, e->suffix, e->suffix_size);
    if (err) return err;
    key = buffer_bytes(&n->rebuilt);
    char text[KEY_TEXT * 4 + 4];
    if (s->entries) {
        int order = bytes_compare(before, key);
        if (order > 0 || (order == 0 && n->sequence_before <= sequence))
            report(n, FINDING_PROBLEM, offset, "key '%s' stands behind a greater one",
                   key_text(text, key));
    }
    if (n->filter.size && !bloom_may_hold(n->filter, bloom_hash(key)))
        report(n, FINDING_PROBLEM, offset, "the filter does not hold key '%s'",
               key_text(text, key));
    if (s->entries == 0 && (err = buffer_assign(&n->smallest, key))) return err;
    if (s->entries == 0 || sequence < s->sequence_min) s->sequence_min = sequence;
    if (sequence > s->sequence_max) s->sequence_max = sequence;
    n->sequence_before = sequence;
    s->entries++;
    s->data_bytes += key.size + e->value_size;
    if (e->tag & 1) {
        int64_t time = e->value_size == 8 ? (int64_t)get_u64(e->value) : 0;
        if (time > n->tombstone_newest_ns) n->tombstone_newest_ns = time;
        s->tombstones++;
    }
    return buffer_assign(&n->key, key);
}

/* The block's entries; n->section holds it and its checksum is right. */
static int block_judge(struct inspection *n, uint64_t offset, uint64_t size)
{
    struct block_view view;
    struct block_entry e;
    char first[KEY_TEXT * 4 + 4] = "", last[KEY_TEXT * 4 + 4];
    uint64_t entries = n->seen.entries;
    if (!block_view_init(&view, n->section.data, (size_t)size)) {
        report(n, FINDING_PROBLEM, offset, "a malformed block");
        return 0;
    }
    uint32_t restart = 0;
    for (uint32_t at = BLOCK_HEADER; at < view.entries_end; at = e.next) {
        if (!block_entry_at(&view, at, &e)) {
            report(n, FINDING_PROBLEM, offset + at, "a malformed entry");
            return 0;
        }
        bool is_restart = restart < view.restarts && block_restart(&view, restart) == at;
        restart += is_restart;
        if (is_restart && e.shared)
            report(n, FINDING_PROBLEM, offset + at, "a restart point without a whole key");
        int err = entry_judge(n, offset + at, &e, at == BLOCK_HEADER);
        if (err) return err;
        if (at == BLOCK_HEADER) key_text(first, buffer_bytes(&n->key));
    }
    if (restart != view.restarts)
        report(n, FINDING_PROBLEM, offset + view.entries_end, "a restart point at no entry");
    report(n, FINDING_ITEM, offset, "block %u: %llu bytes, %llu entries, '%s' to '%s'",
           n->blocks, (unsigned long long)size, (unsigned long long)(n->seen.entries - entries),
           first, key_text(last, buffer_bytes(&n->key)));
    return 0;
}

static int blocks_by_index(struct inspection *n, uint64_t data_end)
{
    struct index_reader r;
    struct bytes rest;
    uint64_t offset = 0, size;
    if (!index_reader_init(&r, buffer_bytes(&n->index_copy))) return 0;
    for (uint32_t i = 0; i < r.blocks; i++, offset += size, n->blocks++) {
        if (!index_reader_next(&r, &rest, &size) || size > data_end - offset) {
            report(n, FINDING_PROBLEM, data_end, "the index is malformed at block %u", i);
            return 0;
        }
        int fine = section_read(n, offset, size);
        if (fine < 0) return fine;
        if (!fine) {
            report(n, FINDING_PROBLEM, offset, "block %u has a bad checksum", i);
            buffer_clear(&n->key);
            continue;
        }
        n->section.size += CHECKSUM_SIZE;
        int err = block_judge(n, offset, size);
        if (err) return err;
        struct bytes key = buffer_bytes(&n->key);
        if (key.size >= r.skip &&
            bytes_compare(bytes_of(n->key.data + r.skip, key.size - r.skip), rest) > 0)
            report(n, FINDING_PROBLEM, offset, "block %u ends behind its separator", i);
    }
    if (offset != data_end || r.p != r.end)
        report(n, FINDING_PROBLEM, offset, "the index ends elsewhere than the blocks");
    return 0;
}

static int blocks_by_size(struct inspection *n, uint64_t data_end)
{
    for (uint64_t offset = 0; offset + BLOCK_HEADER <= data_end; n->blocks++) {
        unsigned char header[BLOCK_HEADER];
        int64_t got = vfs_read(n->file, offset, header, sizeof(header), VFS_RECOVERY);
        if (got < 0 && got != -EIO) return (int)got;
        uint64_t size = got == (int64_t)sizeof(header) ? get_u32(header) : 0;
        int fine = size <= data_end - offset ? section_read(n, offset, size) : 0;
        if (fine < 0) return fine;
        if (!fine) {
            report(n, FINDING_NOTE, offset, "no block begins here; %u were found without index",
                   n->blocks);
            return 0;
        }
        n->section.size += CHECKSUM_SIZE;
        int err = block_judge(n, offset, size);
        if (err) return err;
        offset += size;
    }
    return 0;
}

/* ---- the tail ---- */

static void properties_judge(struct inspection *n, const struct table_footer *f,
                             const struct table_properties *p, bool is_whole)
{
    const struct table_summary *s = &p->summary;
    char first[KEY_TEXT * 4 + 4], last[KEY_TEXT * 4 + 4];
    report(n, FINDING_ITEM, f->properties,
           "properties: %llu entries, %llu of them tombstones, sequences %llu to %llu, '%s' to "
           "'%s'",
           (unsigned long long)s->entries, (unsigned long long)s->tombstones,
           (unsigned long long)s->sequence_min, (unsigned long long)s->sequence_max,
           key_text(first, s->smallest), key_text(last, s->largest));
    if (is_whole &&
        (s->entries != n->seen.entries || s->tombstones != n->seen.tombstones ||
         s->data_bytes != n->seen.data_bytes || p->blocks != n->blocks ||
         s->sequence_min != n->seen.sequence_min || s->sequence_max != n->seen.sequence_max ||
         !bytes_equal(s->smallest, buffer_bytes(&n->smallest)) ||
         !bytes_equal(s->largest, buffer_bytes(&n->key))))
        report(n, FINDING_PROBLEM, f->properties, "the properties do not fit the blocks");
}

/* One section of the tail: reads it, and says what it is when it is damaged. */
static int tail_section(struct inspection *n, const char *what, uint64_t offset, uint64_t end,
                        struct buffer *copy)
{
    int fine = section_read(n, offset, end - offset);
    if (fine == 0) report(n, FINDING_PROBLEM, offset, "%s with a bad checksum", what);
    if (fine <= 0) return fine;
    int err = buffer_assign(copy, buffer_bytes(&n->section));
    return err ? err : 1;
}

static int inspect(struct inspection *n)
{
    unsigned char footer[TABLE_FOOTER];
    struct table_footer f;
    struct table_properties p;
    int64_t got = 0;
    if (n->file_bytes >= TABLE_FOOTER)
        got = vfs_read(n->file, n->file_bytes - TABLE_FOOTER, footer, sizeof(footer),
                       VFS_RECOVERY);
    if (got < 0 && got != -EIO) return (int)got;
    if (got != (int64_t)sizeof(footer) ||
        !table_footer_decode(&f, footer, n->number, n->file_bytes)) {
        report(n, FINDING_PROBLEM,
               n->file_bytes < TABLE_FOOTER ? 0 : n->file_bytes - TABLE_FOOTER,
               "no footer of table %llu", (unsigned long long)n->number);
        return blocks_by_size(n, n->file_bytes);
    }
    n->tail_bytes = n->file_bytes - f.filter;
    int filter = tail_section(n, "a filter", f.filter, f.index, &n->filter_copy);
    if (filter < 0) return filter;
    n->filter = buffer_bytes(&n->filter_copy);
    int index = tail_section(n, "an index", f.index, f.properties, &n->index_copy);
    if (index < 0) return index;
    int err = index ? blocks_by_index(n, f.filter) : blocks_by_size(n, f.filter);
    if (err) return err;
    if (filter) report(n, FINDING_ITEM, f.filter, "filter: %zu bytes", n->filter_copy.size);
    if (index)
        report(n, FINDING_ITEM, f.index, "index: %zu bytes, %u blocks", n->index_copy.size,
               n->blocks);
    int properties = section_read(n, f.properties, f.footer - f.properties);
    if (properties < 0) return properties;
    if (!properties)
        report(n, FINDING_PROBLEM, f.properties, "properties with a bad checksum");
    else if (!table_properties_decode(&p, buffer_bytes(&n->section)))
        report(n, FINDING_PROBLEM, f.properties, "malformed properties");
    else
        properties_judge(n, &f, &p, index && n->seen.entries >= p.summary.entries);
    report(n, FINDING_ITEM, f.footer, "footer: table %llu, %llu bytes",
           (unsigned long long)n->number, (unsigned long long)n->file_bytes);
    return 0;
}

void table_seen_deinit(struct table_seen *seen)
{
    if (seen->smallest.allocator) buffer_deinit(&seen->smallest);
    if (seen->largest.allocator) buffer_deinit(&seen->largest);
}

/* Hands over what the walk has summed up. */
static void seen_take(struct inspection *n, struct table_seen *seen)
{
    *seen = (struct table_seen){.is_whole = n->problems == 0,
                                .summary = n->seen,
                                .tombstone_newest_ns = n->tombstone_newest_ns,
                                .smallest = n->smallest,
                                .largest = n->key};
    seen->summary.file_bytes = n->file_bytes;
    seen->summary.tail_bytes = n->tail_bytes;
    seen->summary.smallest = buffer_bytes(&seen->smallest);
    seen->summary.largest = buffer_bytes(&seen->largest);
    n->smallest = n->key = (struct buffer){.allocator = n->section.allocator};
}

int table_inspect(const struct engine_host *host, const char *path, const char *name,
                  uint64_t number, const struct engine_inspector *inspector,
                  struct table_seen *seen)
{
    struct inspection n = {.inspector = inspector,
                           .name = name,
                           .number = number,
                           .tombstone_newest_ns = INT64_MIN};
    n.smallest.allocator = host->allocator;
    n.section.allocator = n.key.allocator = n.rebuilt.allocator = host->allocator;
    n.filter_copy.allocator = n.index_copy.allocator = host->allocator;
    int err = vfs_open(host->vfs, path, VFS_READ, &n.file);
    if (err) return err;
    err = vfs_size(n.file, &n.file_bytes);
    if (!err) err = inspect(&n);
    vfs_close(n.file);
    if (!err && seen) seen_take(&n, seen);
    buffer_deinit(&n.smallest);
    buffer_deinit(&n.section);
    buffer_deinit(&n.key);
    buffer_deinit(&n.rebuilt);
    buffer_deinit(&n.filter_copy);
    buffer_deinit(&n.index_copy);
    return err;
}
