/* The replication log: segment files in the scheme's folder, named log-GENERATION-FIRST (both
 * in hexadecimal, so that names sort by age).
 *
 *   segment:  offset 0   8   "FLREPLOG"                       header, 32 bytes
 *             8          8   position before the first entry
 *             16         8   epoch of that position
 *             24         4   crc of that position
 *             28         4   crc32c of the 28 bytes before
 *             32         ..  entries
 *   entry:    0          4   payload size                     head, REPLOG_HEAD bytes
 *             4          4   crc32c of (size, position, epoch, time, payload), seeded with the
 *                            crc of the entry before: the crc of the whole log so far
 *             8          8   position
 *             16         8   epoch
 *             24         8   leader's wall time
 *             32         ..  payload
 *
 * Invariants:
 *   I1  Positions are consecutive over all segments of the newest generation; older
 *       generations are leftovers of a reset and are removed at open.
 *   I2  A segment's header repeats the mark at its predecessor's end, so a log whose
 *       beginning was trimmed still knows what came before.
 *   I3  Only the newest segment is written; with `sync` each older one was synced to its end
 *       before its successor was made. A bad entry in an older one is then corruption, not a
 *       torn tail, and open fails with -EBADMSG.
 *   I4  In memory an entry costs its offset and crc; the bytes of the latest ones are kept in
 *       `recent`, which always belongs to the newest segment.
 *
 * Crash: an append that was not synced is cut at the first entry whose crc does not continue
 * the chain; entries behind it are gone with it, as they were not synced either. A reset makes
 * the new generation durable before it removes the old one. A truncation removes the newest
 * segments first, so what remains is always a prefix.
 *
 * Limit: a synced entry of the newest segment that rots is taken for a torn tail. Telling the
 * two apart needs a durable end mark, which costs a second sync (Alagappan et al., FAST 2018).
 */
#include "engines/replication/single_leader/replog.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "engines/replication/single_leader/durable.h"

#define MAGIC "FLREPLOG"
#define HEADER_SIZE 32u
#define NAME_SIZE 40u
#define RECENT_MAX (256u * 1024) /* older entries are read back from the file */

struct slot {
    uint32_t offset, crc;
}; /* of one entry, in its segment */

struct segment {
    struct replog_mark base; /* before its first entry */
    struct slot *slots;
    size_t count, capacity;
    uint64_t size; /* bytes with what is pending */
    struct vfs_file *file;
};

struct replog {
    struct env *env;
    struct replog_config config;
    uint32_t generation;
    struct segment *segments;
    size_t count, capacity;
    struct replog_mark last;
    uint64_t written, synced; /* positions */
    uint64_t written_size;    /* bytes of the newest segment that are in its file */
    struct buffer recent;     /* encoded entries up to last */
    uint64_t recent_offset;   /* of its first byte in the newest segment */
    struct replog_run *runs;
    uint32_t runs_count, runs_capacity;
};

static struct segment *newest(const struct replog *log)
{
    return &log->segments[log->count - 1];
}

static uint64_t segment_last(const struct segment *segment)
{
    return segment->base.position + segment->count;
}

/* ---- arrays ---- */

/* Makes room for one more item. */
static int array_grow(const struct allocator *allocator, void **items, size_t item_size,
                      size_t count, size_t *capacity)
{
    if (count < *capacity) return 0;
    size_t wanted = *capacity ? *capacity * 2 : 16;
    void *grown = allocator->resize(allocator->context, *items, *capacity * item_size,
                                    wanted * item_size);
    if (!grown) return -ENOMEM;
    *items = grown;
    *capacity = wanted;
    return 0;
}

static int slot_add(struct replog *log, struct segment *segment, struct slot slot)
{
    void *items = segment->slots;
    int err = array_grow(log->env->allocator, &items, sizeof slot, segment->count,
                         &segment->capacity);
    segment->slots = items;
    if (!err) segment->slots[segment->count++] = slot;
    return err;
}

static int run_extend(struct replog *log, uint64_t epoch, uint64_t position)
{
    if (log->runs_count && log->runs[log->runs_count - 1].epoch == epoch) {
        log->runs[log->runs_count - 1].last = position;
        return 0;
    }
    void *items = log->runs;
    size_t capacity = log->runs_capacity;
    int err =
        array_grow(log->env->allocator, &items, sizeof *log->runs, log->runs_count, &capacity);
    log->runs = items;
    log->runs_capacity = (uint32_t)capacity;
    if (!err) log->runs[log->runs_count++] = (struct replog_run){epoch, position};
    return err;
}

static void runs_cut(struct replog *log, uint64_t position)
{
    while (log->runs_count > 1 && log->runs[log->runs_count - 2].last >= position)
        log->runs_count--;
    if (log->runs_count && log->runs[log->runs_count - 1].last > position)
        log->runs[log->runs_count - 1].last = position;
}

/* ---- segments ---- */

static int segment_path(const struct replog *log, uint64_t first, char path[DURABLE_PATH_SIZE])
{
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "log-%08" PRIx32 "-%016" PRIx64, log->generation, first);
    return durable_path(log->env, name, path);
}

static void segment_free(struct replog *log, struct segment *segment)
{
    if (segment->file) vfs_close(segment->file);
    allocator_free(log->env->allocator, segment->slots,
                   segment->capacity * sizeof *segment->slots);
}

static int segment_push(struct replog *log, struct replog_mark base, struct vfs_file *file)
{
    void *items = log->segments;
    int err = array_grow(log->env->allocator, &items, sizeof *log->segments, log->count,
                         &log->capacity);
    log->segments = items;
    if (err) return err;
    log->segments[log->count++] =
        (struct segment){.base = base, .file = file, .size = HEADER_SIZE};
    buffer_clear(&log->recent);
    log->recent_offset = log->written_size = HEADER_SIZE;
    return 0;
}

/* One at a time and durably, so that a crash never leaves a hole between segments (I1). */
static int file_unlink(struct replog *log, uint32_t generation, uint64_t first)
{
    uint32_t current = log->generation;
    char path[DURABLE_PATH_SIZE];
    log->generation = generation;
    int err = segment_path(log, first, path);
    log->generation = current;
    if (!err) err = vfs_unlink(log->env->vfs, path);
    return err ? err : vfs_sync_dir(log->env->vfs, log->env->dir);
}

/* Makes the file of a new newest segment; durable if `durable`. */
static int segment_create(struct replog *log, struct replog_mark base, bool durable)
{
    unsigned char header[HEADER_SIZE];
    memcpy(header, MAGIC, 8);
    put_u64(header + 8, base.position);
    put_u64(header + 16, base.epoch);
    put_u32(header + 24, base.crc);
    put_u32(header + 28, crc32c(0, header, 28));
    char path[DURABLE_PATH_SIZE];
    struct vfs_file *file;
    int err = segment_path(log, base.position + 1, path);
    if (!err) err = vfs_open(log->env->vfs, path, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &file);
    if (err) return err;
    err = vfs_write(file, 0, bytes_of(header, sizeof header), VFS_LOG);
    if (!err && durable) err = vfs_sync(file, VFS_LOG);
    if (!err && durable) err = vfs_sync_dir(log->env->vfs, log->env->dir);
    if (!err) err = segment_push(log, base, file);
    if (err) vfs_close(file);
    return err;
}

/* ---- entries ---- */

static void head_write(unsigned char head[REPLOG_HEAD], const struct replog_entry *entry)
{
    put_u32(head, (uint32_t)entry->payload.size);
    put_u32(head + 4, entry->mark.crc);
    put_u64(head + 8, entry->mark.position);
    put_u64(head + 16, entry->mark.epoch);
    put_u64(head + 24, (uint64_t)entry->time_ns);
}

/* The crc of an encoded entry behind a log with crc `before`. */
static uint32_t entry_crc(uint32_t before, const unsigned char *head, struct bytes payload)
{
    uint32_t crc = crc32c(before, head, 4);
    crc = crc32c(crc, head + 8, REPLOG_HEAD - 8);
    return crc32c(crc, payload.data, payload.size);
}

int replog_decode(struct bytes encoded, size_t *at, struct replog_entry *entry)
{
    const unsigned char *p = (const unsigned char *)encoded.data + *at;
    size_t left = encoded.size - *at;
    if (left < REPLOG_HEAD || left - REPLOG_HEAD < get_u32(p)) return -EBADMSG;
    *entry = (struct replog_entry){
        .mark = {get_u64(p + 8), get_u64(p + 16), get_u32(p + 4)},
        .time_ns = (int64_t)get_u64(p + 24),
        .payload = {p + REPLOG_HEAD, get_u32(p)},
    };
    *at += REPLOG_HEAD + entry->payload.size;
    return 0;
}

/* ---- open and recovery ---- */

struct listing {
    struct replog *log;
    uint64_t *names; /* generation and first, pairs, sorted by the vfs */
    size_t count, capacity;
};

static bool hex_parse(const char *text, size_t digits, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < digits; i++) {
        char c = text[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) return false;
        *number = *number << 4 | (uint64_t)digit;
    }
    return true;
}

static int list_each(void *context, const char *name, bool is_directory)
{
    struct listing *listing = context;
    uint64_t generation, first;
    if (is_directory || strlen(name) != 29 || memcmp(name, "log-", 4) || name[12] != '-' ||
        !hex_parse(name + 4, 8, &generation) || !hex_parse(name + 13, 16, &first))
        return 0;
    void *items = listing->names;
    int err = array_grow(listing->log->env->allocator, &items, 2 * sizeof *listing->names,
                         listing->count, &listing->capacity);
    listing->names = items;
    if (err) return err;
    listing->names[2 * listing->count] = generation;
    listing->names[2 * listing->count + 1] = first;
    listing->count++;
    return 0;
}

static bool header_parse(struct bytes bytes, uint64_t first, struct replog_mark *base)
{
    const unsigned char *p = bytes.data;
    if (bytes.size < HEADER_SIZE || memcmp(p, MAGIC, 8) || crc32c(0, p, 28) != get_u32(p + 28))
        return false;
    *base = (struct replog_mark){get_u64(p + 8), get_u64(p + 16), get_u32(p + 24)};
    return base->position + 1 == first;
}

/* Takes the entries that continue the chain; *valid: bytes up to the first that does not. */
static int segment_scan(struct replog *log, struct bytes bytes, uint64_t *valid)
{
    struct segment *segment = newest(log);
    size_t at = HEADER_SIZE;
    for (;;) {
        struct replog_entry entry;
        size_t start = at;
        *valid = start;
        if (replog_decode(bytes, &at, &entry)) return 0;
        const unsigned char *head = (const unsigned char *)bytes.data + start;
        if (entry.mark.position != log->last.position + 1 ||
            entry.mark.crc != entry_crc(log->last.crc, head, entry.payload))
            return 0;
        int err = slot_add(log, segment, (struct slot){(uint32_t)start, entry.mark.crc});
        if (!err) err = run_extend(log, entry.mark.epoch, entry.mark.position);
        if (err) return err;
        log->last = entry.mark;
        segment->size = at;
    }
}

static int file_read(struct replog *log, struct vfs_file *file, struct buffer *out)
{
    uint64_t size;
    int err = vfs_size(file, &size);
    if (!err) err = buffer_reserve(out, size);
    if (err) return err;
    int64_t got = vfs_read(file, 0, out->data, size, VFS_RECOVERY);
    if (got < 0) return (int)got;
    out->size = (size_t)got;
    (void)log;
    return 0;
}

/* Opens one segment. 1: it ends the log (torn, empty, or does not continue it), 0: whole. */
static int segment_recover(struct replog *log, uint64_t first, bool is_last)
{
    char path[DURABLE_PATH_SIZE];
    struct vfs_file *file;
    struct buffer bytes = {.allocator = log->env->allocator};
    int err = segment_path(log, first, path);
    if (!err) err = vfs_open(log->env->vfs, path, VFS_WRITE, &file);
    if (err) return err;
    struct replog_mark base;
    bool kept = false;
    err = file_read(log, file, &bytes);
    if (err) goto out;
    bool continues =
        header_parse(buffer_bytes(&bytes), first, &base) &&
        (!log->count || (base.position == log->last.position && base.epoch == log->last.epoch &&
                         base.crc == log->last.crc));
    if (!continues) {
        err = log->config.sync && !is_last ? -EBADMSG : 1; /* I3 */
        goto out;
    }
    if (!log->count) {
        log->last = base;
        err = run_extend(log, base.epoch, base.position);
        if (err) goto out;
    }
    err = segment_push(log, base, file);
    if (err) goto out;
    kept = true;
    uint64_t valid;
    err = segment_scan(log, buffer_bytes(&bytes), &valid);
    if (err) goto out;
    if (valid < bytes.size) {
        if (log->config.sync && !is_last)
            err = -EBADMSG; /* I3 */
        else
            err = vfs_truncate(file, valid);
        if (!err) err = 1;
    }
out:
    buffer_deinit(&bytes);
    if (!kept) vfs_close(file);
    return err;
}

static int leftovers_unlink(struct replog *log, const struct listing *listing, size_t from,
                            size_t to)
{
    for (size_t i = to; i-- > from;) {
        const uint64_t *name = &listing->names[2 * i];
        int err = file_unlink(log, (uint32_t)name[0], name[1]);
        if (err) return err;
    }
    return 0;
}

static int log_recover(struct replog *log, const struct listing *listing)
{
    size_t end = listing->count;
    /* The newest generation whose first segment is whole; a reset that was cut short leaves an
     * unfinished one above it. */
    while (end && !log->count) {
        size_t start = end;
        log->generation = (uint32_t)listing->names[2 * (end - 1)];
        while (start && listing->names[2 * (start - 1)] == log->generation) start--;
        for (size_t i = start; i < end; i++) {
            int state = segment_recover(log, listing->names[2 * i + 1], i + 1 == end);
            if (state < 0) return state;
            if (!state) continue;
            size_t keep = log->count ? start + log->count : start;
            int err = leftovers_unlink(log, listing, keep, end);
            if (err) return err;
            break;
        }
        if (log->count) return leftovers_unlink(log, listing, 0, start);
        end = start;
    }
    log->generation++;
    return segment_create(log, (struct replog_mark){0, 0, 0}, true);
}

int replog_open(struct env *env, const struct replog_config *config, struct replog **out)
{
    struct replog *log = allocator_alloc(env->allocator, sizeof *log);
    if (!log) return -ENOMEM;
    *log =
        (struct replog){.env = env, .config = *config, .recent = {.allocator = env->allocator}};
    struct listing listing = {.log = log};
    int err = vfs_list(env->vfs, env->dir, list_each, &listing);
    if (!err) err = log_recover(log, &listing);
    allocator_free(env->allocator, listing.names, listing.capacity * 2 * sizeof *listing.names);
    if (err) {
        replog_close(log);
        return err;
    }
    buffer_clear(&log->recent);
    log->recent_offset = log->written_size = newest(log)->size;
    log->written = log->synced = log->last.position;
    *out = log;
    return 0;
}

void replog_close(struct replog *log)
{
    const struct allocator *allocator = log->env->allocator;
    for (size_t i = 0; i < log->count; i++) segment_free(log, &log->segments[i]);
    allocator_free(allocator, log->segments, log->capacity * sizeof *log->segments);
    allocator_free(allocator, log->runs, log->runs_capacity * sizeof *log->runs);
    buffer_deinit(&log->recent);
    allocator_free(allocator, log, sizeof *log);
}

/* ---- state ---- */

struct replog_mark replog_last(const struct replog *log)
{
    return log->last;
}
struct replog_mark replog_base(const struct replog *log)
{
    return log->segments[0].base;
}
uint64_t replog_written(const struct replog *log)
{
    return log->written;
}
uint64_t replog_synced(const struct replog *log)
{
    return log->synced;
}

uint64_t replog_memory(const struct replog *log)
{
    uint64_t bytes = sizeof *log + log->recent.capacity + log->capacity * sizeof *log->segments;
    for (size_t i = 0; i < log->count; i++)
        bytes += log->segments[i].capacity * sizeof(struct slot);
    return bytes;
}

/* The segment that holds an entry; base < position <= last. */
static struct segment *segment_of(const struct replog *log, uint64_t position)
{
    size_t low = 0, high = log->count - 1;
    while (low < high) {
        size_t middle = (low + high + 1) / 2;
        if (log->segments[middle].base.position < position)
            low = middle;
        else
            high = middle - 1;
    }
    return &log->segments[low];
}

int replog_mark_at(struct replog *log, uint64_t position, struct replog_mark *mark)
{
    struct replog_mark base = replog_base(log);
    if (position < base.position || position > log->last.position) return -ENOENT;
    if (position == base.position) {
        *mark = base;
        return 0;
    }
    const struct segment *segment = segment_of(log, position);
    uint32_t run = 0;
    while (log->runs[run].last < position) run++;
    *mark = (struct replog_mark){position, log->runs[run].epoch,
                                 segment->slots[position - segment->base.position - 1].crc};
    return 0;
}

uint32_t replog_runs(const struct replog *log, const struct replog_run **runs)
{
    *runs = log->runs;
    return log->runs_count;
}

uint64_t replog_common(const struct replog *log, const struct replog_run *runs, uint32_t count)
{
    for (uint32_t i = count; i-- > 0;)
        for (uint32_t j = log->runs_count; j-- > 0;)
            if (log->runs[j].epoch == runs[i].epoch)
                return runs[i].last < log->runs[j].last ? runs[i].last : log->runs[j].last;
    return 0;
}

/* ---- writing ---- */

static int log_roll(struct replog *log)
{
    struct segment *segment = newest(log);
    if (!segment->count) return 0;
    if (segment->size < (uint64_t)log->config.segment_bytes &&
        segment->count < (size_t)log->config.segment_entries)
        return 0;
    return segment_create(log, log->last, log->config.sync);
}

int replog_append(struct replog *log, uint64_t epoch, int64_t time_ns, struct bytes payload)
{
    if (log->written == log->last.position) {
        int err = log_roll(log);
        if (err) return err;
        if (log->recent.size > RECENT_MAX) {
            buffer_clear(&log->recent);
            log->recent_offset = log->written_size;
        }
    }
    struct segment *segment = newest(log);
    unsigned char head[REPLOG_HEAD];
    struct replog_entry entry = {
        .mark = {log->last.position + 1, epoch, 0}, .time_ns = time_ns, .payload = payload};
    head_write(head, &entry);
    entry.mark.crc = entry_crc(log->last.crc, head, payload);
    put_u32(head + 4, entry.mark.crc);
    int err = buffer_reserve(&log->recent, log->recent.size + sizeof head + payload.size);
    if (!err)
        err = slot_add(log, segment, (struct slot){(uint32_t)segment->size, entry.mark.crc});
    if (err) return err;
    err = run_extend(log, epoch, entry.mark.position);
    if (err) {
        segment->count--;
        return err;
    }
    buffer_append(&log->recent, head, sizeof head);
    buffer_append(&log->recent, payload.data, payload.size);
    segment->size += sizeof head + payload.size;
    log->last = entry.mark;
    return 0;
}

int replog_sync(struct replog *log)
{
    int err = vfs_sync(newest(log)->file, VFS_LOG);
    if (!err) log->synced = log->written;
    return err;
}

int replog_write(struct replog *log)
{
    if (log->written == log->last.position) return 0;
    size_t skip = (size_t)(log->written_size - log->recent_offset);
    struct bytes pending = {log->recent.data + skip, log->recent.size - skip};
    int err = vfs_write(newest(log)->file, log->written_size, pending, VFS_LOG);
    if (err) return err;
    log->written_size += pending.size;
    log->written = log->last.position;
    return log->config.sync ? replog_sync(log) : 0;
}

/* Forgets the entries of the newest segment behind `position`, in memory. */
static void newest_cut(struct replog *log, uint64_t position)
{
    struct segment *segment = newest(log);
    struct replog_mark mark = segment->base;
    if (position > segment->base.position) replog_mark_at(log, position, &mark);
    size_t keep = (size_t)(position - segment->base.position);
    if (keep < segment->count) {
        segment->size = segment->slots[keep].offset;
        segment->count = keep;
    }
    log->last = mark;
    runs_cut(log, position);
}

void replog_drop_pending(struct replog *log)
{
    if (log->written == log->last.position) return;
    newest_cut(log, log->written);
    log->recent.size = (size_t)(log->written_size - log->recent_offset);
}

/* ---- reading ---- */

int replog_read(struct replog *log, uint64_t from, size_t bytes_max, struct buffer *out,
                uint32_t *count)
{
    *count = 0;
    buffer_clear(out);
    if (from > log->last.position) return 0;
    if (from <= replog_base(log).position) return -ENOENT;
    struct segment *segment = segment_of(log, from);
    size_t first = (size_t)(from - segment->base.position - 1), end = first;
    uint64_t start = segment->slots[first].offset, stop = start;
    while (end < segment->count) {
        uint64_t next =
            end + 1 < segment->count ? segment->slots[end + 1].offset : segment->size;
        if (end > first && next - start > bytes_max) break;
        stop = next;
        end++;
    }
    *count = (uint32_t)(end - first);
    if (segment == newest(log) && start >= log->recent_offset)
        return buffer_append(out, log->recent.data + (start - log->recent_offset),
                             (size_t)(stop - start));
    /* A run that begins in the file and ends in memory is cut where the file ends for sure. */
    int err = buffer_reserve(out, (size_t)(stop - start));
    if (err) return err;
    if (segment == newest(log) && stop > log->written_size) {
        stop = log->written_size;
        *count = (uint32_t)(log->written - from + 1);
    }
    int64_t got = vfs_read(segment->file, start, out->data, (size_t)(stop - start), VFS_LOG);
    if (got < 0) return (int)got;
    if ((uint64_t)got != stop - start) return -EBADMSG;
    out->size = (size_t)got;
    return 0;
}

/* ---- dropping ---- */

int replog_truncate(struct replog *log, uint64_t position)
{
    if (position >= log->last.position) return 0;
    while (log->count > 1 && newest(log)->base.position >= position) {
        int err = file_unlink(log, log->generation, newest(log)->base.position + 1);
        if (err) return err;
        segment_free(log, newest(log));
        log->count--;
    }
    newest_cut(log, position);
    buffer_clear(&log->recent);
    struct segment *segment = newest(log);
    log->recent_offset = log->written_size = segment->size;
    log->written = log->synced = position;
    int err = vfs_truncate(segment->file, segment->size);
    return err ? err : vfs_sync(segment->file, VFS_LOG);
}

int replog_reset(struct replog *log, struct replog_mark base)
{
    size_t old_count = log->count;
    log->generation++;
    int err = segment_create(log, base, true);
    if (err) return err;
    log->runs_count = 0;
    err = run_extend(log, base.epoch, base.position);
    if (err) return err;
    for (size_t i = 0; i < old_count && !err; i++) {
        err = file_unlink(log, log->generation - 1, log->segments[i].base.position + 1);
        segment_free(log, &log->segments[i]);
        log->segments[i] = (struct segment){0};
    }
    if (err) return err;
    log->segments[0] = log->segments[old_count];
    log->count = 1;
    log->last = base;
    log->written = log->synced = base.position;
    return 0;
}

/* How many of the oldest segments retention lets go. */
static size_t trimmable(const struct replog *log, uint64_t limit)
{
    uint64_t bytes = 0, entries = log->last.position - log->segments[0].base.position;
    for (size_t i = 0; i < log->count; i++) bytes += log->segments[i].size;
    size_t count = 0;
    for (; count + 1 < log->count; count++) {
        const struct segment *segment = &log->segments[count];
        if (segment_last(segment) > limit) break;
        entries -= segment->count;
        if (entries < (uint64_t)log->config.retention_entries &&
            bytes <= (uint64_t)log->config.retention_bytes)
            break;
        bytes -= segment->size;
    }
    return count;
}

bool replog_may_trim(const struct replog *log, uint64_t limit)
{
    return trimmable(log, limit) > 0;
}

int replog_trim(struct replog *log, uint64_t limit)
{
    size_t count = trimmable(log, limit);
    int err = 0;
    size_t done = 0;
    for (; done < count && !err; done++) {
        err = file_unlink(log, log->generation, log->segments[done].base.position + 1);
        segment_free(log, &log->segments[done]);
    }
    memmove(log->segments, log->segments + done, (log->count - done) * sizeof *log->segments);
    log->count -= done;
    uint32_t gone = 0;
    while (gone + 1 < log->runs_count && log->runs[gone].last < replog_base(log).position)
        gone++;
    memmove(log->runs, log->runs + gone, (log->runs_count - gone) * sizeof *log->runs);
    log->runs_count -= gone;
    return err;
}
