/* Looking at a log file from outside: what engine-dump and engine-check print.
 *
 * The walk is recovery's, stretch by stretch (log_parse.c), but it reads each stretch twice:
 * first to learn whether its batch is whole, then to report what stands in it, so that findings
 * come in the order of offsets and no item of a broken batch is told as if it were there. At
 * damage it asks what recovery asks: does a whole batch behind claim that these bytes were
 * durable (I4)? If not it is a torn tail, a note. If so it is rot, a problem; the walk then
 * goes on behind the next whole batch, whatever history that one names.
 */
#include "engines/storage/log/log_inspect.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "engines/storage/log/log_internal.h"

#define INSPECT_BLOCK (64u << 10)
#define RECOGNISE_BLOCK 4096u

struct inspection {
    const struct engine_inspector *inspector;
    struct buffer key; /* unescaped, of the item that is being told */
    const char *file;  /* under inspection */
    uint64_t until;    /* items that stand there or behind are not told */
};

static void tell(struct inspection *in, enum engine_finding finding, uint64_t offset,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));
static void tell(struct inspection *in, enum engine_finding finding, uint64_t offset,
                 const char *format, ...)
{
    char text[512];
    va_list arguments;
    if (finding == FINDING_ITEM && !in->inspector->wants_items) return;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    in->inspector->found(in->inspector->context, finding, in->file, offset, text);
}

/* ---- items ---- */

static int inspect_item(void *context, const struct log_item *item)
{
    struct inspection *in = context;
    char key[ENGINE_KEY_TEXT];
    if (!in->inspector->wants_items || item->offset >= in->until) return 0;
    struct bytes bytes = item->key;
    if (!item->is_literal) {
        buffer_clear(&in->key);
        int err = log_unescape(&in->key, LOG_KEY, item->key);
        if (err && err != -EBADMSG) return err;
        if (!err) bytes = buffer_bytes(&in->key);
    }
    engine_key_text(key, bytes);
    if (item->is_delete)
        tell(in, FINDING_ITEM, item->offset, "delete %s", key);
    else
        tell(in, FINDING_ITEM, item->offset, "put %s, value of %llu B%s", key,
             (unsigned long long)(item->is_literal
                                      ? item->value.size
                                      : log_unescaped_size(LOG_VALUE, item->value)),
             item->is_literal ? ", a line of bash" : "");
    return 0;
}

/* Told at its last line, which is where it becomes one. */
static int inspect_batch(void *context, const struct log_batch *batch)
{
    struct inspection *in = context;
    if (batch->count)
        tell(in, FINDING_ITEM, batch->commit,
             "end of a batch of %llu that begins at %llu; durable before it: %llu bytes",
             (unsigned long long)batch->count, (unsigned long long)batch->first,
             (unsigned long long)batch->synced);
    else
        tell(in, FINDING_ITEM, batch->commit, "mark: the first %llu bytes are durable",
             (unsigned long long)batch->synced);
    return 0;
}

/* ---- the walk ---- */

/* Rot at state->end: says so, and places the walk behind the next whole batch. 1: there is one;
 * 0: none; or -errno. */
static int inspect_rot(struct inspection *in, struct log_reader *reader,
                       const struct log_visitor *visitor, struct log_state *state)
{
    struct log_batch batch;
    uint64_t from = state->end;
    tell(in, FINDING_PROBLEM, state->damage_offset, "%s", state->damage);
    int n = log_find_batch(reader, from, &batch);
    if (n < 0) return n;
    uint64_t next = n ? batch.first : reader->limit;
    tell(in, FINDING_NOTE, from, "%llu bytes up to the next whole batch can not be read",
         (unsigned long long)(next - from));
    if (n == 0) return 0;
    *state = (struct log_state){.batches = state->batches};
    return log_revisit_batch(reader, visitor, &batch, state);
}

static int inspect_walk(struct inspection *in, struct log_reader *reader)
{
    struct log_visitor visitor = {inspect_item, inspect_batch, in};
    struct log_state state = {0};
    uint64_t claimed = 0, size = reader->limit;
    for (;;) {
        /* Once to judge, once to tell: the good part of a damaged stretch ends at `end`. */
        struct log_state before = state;
        log_reader_seek(reader, state.end);
        int n = log_parse_stretch(reader, NULL, &state);
        if (n < 0) return n;
        struct log_state again = before;
        log_reader_seek(reader, before.end);
        in->until = state.is_damaged ? state.end : UINT64_MAX;
        int err = log_parse_stretch(reader, &visitor, &again);
        in->until = UINT64_MAX;
        if (err < 0) return err;
        if (n > 0) continue;
        if (!state.is_damaged) break;
        int torn = log_claims_behind(reader, &state, &claimed);
        if (torn < 0) return torn;
        if (claimed <= state.end && state.batches) {
            tell(in, FINDING_NOTE, state.end,
                 "torn tail of %llu bytes, which the next open cuts: %s",
                 (unsigned long long)(size - state.end), state.damage);
            return 0;
        }
        n = inspect_rot(in, reader, &visitor, &state);
        if (n <= 0) return n;
    }
    if (state.end > state.covered)
        tell(in, FINDING_NOTE, state.covered,
             "%llu bytes by bash, which the next write covers with a checksum",
             (unsigned long long)(state.end - state.covered));
    return 0;
}

/* ---- the directory ---- */

static int inspect_name(void *context, const char *name, bool is_directory)
{
    struct inspection *in = context;
    (void)is_directory;
    if (strcmp(name, LOG_FILE_NAME) == 0) return 0;
    in->file = name;
    tell(in, FINDING_NOTE, 0, "%s",
         strcmp(name, LOG_NEW_NAME) == 0
             ? "left by a crash while the file was made; the next open removes it"
             : "no file of this engine; it stays as it is");
    return 0;
}

static int inspect_file(struct inspection *in, const struct engine_host *host,
                        struct vfs_file *file)
{
    struct log_reader reader;
    uint64_t size;
    int err = vfs_size(file, &size);
    if (err) return err;
    in->file = LOG_FILE_NAME;
    log_reader_init(&reader, host->allocator, file, size, INSPECT_BLOCK, VFS_USER_READ);
    int is_foreign = log_is_foreign(&reader);
    if (is_foreign > 0) {
        struct log_visitor visitor = {inspect_item, NULL, in};
        tell(in, FINDING_NOTE, 0,
             "written by bash alone: no checksum tells whether it is whole");
        err = log_visit_foreign(&reader, &visitor);
    } else {
        err = is_foreign < 0 ? is_foreign : inspect_walk(in, &reader);
    }
    log_reader_deinit(&reader);
    return err;
}

int log_inspect(const struct engine_host *host, const char *dir,
                const struct engine_inspector *inspector)
{
    struct inspection in = {
        .inspector = inspector, .key = {.allocator = host->allocator}, .until = UINT64_MAX};
    char path[ENGINE_PATH_SIZE];
    struct vfs_file *file;
    int err = engine_path(path, dir, LOG_FILE_NAME);
    if (!err) err = vfs_list(host->vfs, dir, inspect_name, &in);
    if (!err) err = vfs_open(host->vfs, path, VFS_READ, &file);
    if (err) return err;
    err = inspect_file(&in, host, file);
    int close_err = vfs_close(file);
    buffer_deinit(&in.key);
    return err ? err : close_err;
}

/* ---- whose directory is it ---- */

/* What bash wrote is text. What log wrote may hold any bytes, but also, even when damaged, a
 * whole begin line somewhere, which nothing else has. */
int log_recognise(struct vfs *vfs, const char *dir)
{
    unsigned char block[RECOGNISE_BLOCK];
    char path[ENGINE_PATH_SIZE];
    struct vfs_file *file;
    int err = engine_path(path, dir, LOG_FILE_NAME);
    if (!err) err = vfs_open(vfs, path, VFS_READ, &file);
    if (err) return err == -ENOENT || err == -EISDIR || err == -ENOTDIR ? 0 : err;
    bool is_known = false, is_text = true;
    uint64_t offset = 0;
    int64_t n;
    while ((n = vfs_read(file, offset, block, sizeof(block), VFS_USER_READ)) > 0) {
        if (offset == 0) is_text = memchr(block, 0, (size_t)n) == NULL;
        is_known = is_text || log_has_begin(bytes_of(block, (size_t)n));
        if (is_known || (size_t)n < sizeof(block)) break;
        offset += sizeof(block) - LOG_BEGIN_SIZE_MAX; /* a line may lie across two blocks */
    }
    vfs_close(file);
    return n < 0 ? (int)n : is_known || (n == 0 && offset == 0);
}
