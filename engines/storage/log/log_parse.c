/* The parser of the log file: a state machine over lines.
 *
 *                      PLAIN, clean                       item, #del
 *                       .------.                           .------.
 *                       v      |        #=, #+             v      |
 *      start ------> outside --'  -----------------> inside ------'
 *                       ^                                 |
 *                       '------------ #,count,crc --------'
 *
 * outside (log_parse_stretch) collects lines of bash: each is clean (log_line_is_foreign) or
 * the region is suspect until an #= line vouches for it with a checksum. inside (parse_batch)
 * splits lines into items, counts them and sums the bytes; that the bytes are what log_append_*
 * made is for the checksum to say. Whatever else comes is damage, and ends the parse. Where
 * good bytes end then:
 *
 *     in a batch                             where the batch began (batches are whole, I1)
 *     a last line without its newline        at that line
 *     a line that is not clean               at that line: what stands before is of bash
 *     #del or #,count,crc outside a batch    after the last batch: a batch lost its begin line,
 *                                            so the clean lines before are its items
 *
 * Damage alone does not tell a torn write from rot: log_claims_behind() does (I4, log.c).
 *
 * Cost. A get without an index reads everything through here, so a byte is copied once (by
 * the vfs, into a window that stays in the processor's cache), searched once for its newline
 * and summed once: the reader sums what it leaves behind in pieces as long as the window
 * allows, not line by line.
 */
#include "engines/storage/log/log_parse.h"

#include <errno.h>

/* ---- lines ---- */

void log_reader_init(struct log_reader *reader, const struct allocator *allocator,
                     struct vfs_file *file, uint64_t limit, size_t block_size,
                     enum vfs_purpose purpose)
{
    *reader = (struct log_reader){.file = file,
                                  .purpose = purpose,
                                  .limit = limit,
                                  .block_size = block_size,
                                  .window = {.allocator = allocator}};
}

void log_reader_deinit(struct log_reader *reader)
{
    buffer_deinit(&reader->window);
}

void log_reader_seek(struct log_reader *reader, uint64_t offset)
{
    if (offset >= reader->window_offset &&
        offset <= reader->window_offset + reader->window.size) {
        reader->position = (size_t)(offset - reader->window_offset);
    } else {
        buffer_clear(&reader->window);
        reader->window_offset = offset;
        reader->position = 0;
    }
    reader->summed = reader->position;
}

/* ---- a running sum of what is read ---- */

/* From the line at this offset of the file, which is in the window, on. */
static void sum_begin(struct log_reader *reader, uint64_t offset)
{
    reader->sum = 0;
    reader->summed = (size_t)(offset - reader->window_offset);
}

/* Brings the sum up to `position`, in the window. */
static uint32_t sum_to(struct log_reader *reader, size_t position)
{
    reader->sum =
        crc32c(reader->sum, reader->window.data + reader->summed, position - reader->summed);
    reader->summed = position;
    return reader->sum;
}

/* Reads one more block behind the window, whose consumed part is left behind. */
static int reader_fill(struct log_reader *reader)
{
    struct buffer *w = &reader->window;
    if (reader->position) {
        sum_to(reader, reader->position);
        memmove(w->data, w->data + reader->position, w->size - reader->position);
        w->size -= reader->position;
        reader->window_offset += reader->position;
        reader->position = reader->summed = 0;
    }
    uint64_t from = reader->window_offset + w->size;
    uint64_t left = reader->limit > from ? reader->limit - from : 0;
    size_t size = left < reader->block_size ? (size_t)left : reader->block_size;
    if (size == 0) return 0;
    int err = buffer_reserve(w, w->size + size);
    if (err) return err;
    int64_t n = vfs_read(reader->file, from, w->data + w->size, size, reader->purpose);
    if (n < 0) return (int)n;
    w->size += (size_t)n;
    return n > 0;
}

static int line_take(struct log_reader *reader, struct log_line *line, size_t size,
                     bool is_terminated)
{
    *line = (struct log_line){.text = bytes_of(reader->window.data + reader->position, size),
                              .offset = reader->window_offset + reader->position,
                              .is_terminated = is_terminated};
    reader->position += size + is_terminated;
    return 1;
}

/* The line does not end within the window, or there is none. */
static int reader_next_far(struct log_reader *reader, struct log_line *line)
{
    struct buffer *w = &reader->window;
    for (;;) {
        size_t held =
            w->size - reader->position; /* has no newline: each byte is looked at once */
        int more = reader_fill(reader);
        if (more < 0) return more;
        if (more == 0) return held ? line_take(reader, line, held, false) : 0;
        const unsigned char *from = w->data + reader->position;
        const unsigned char *newline =
            memchr(from + held, '\n', w->size - reader->position - held);
        if (newline) return line_take(reader, line, (size_t)(newline - from), true);
    }
}

int log_reader_next(struct log_reader *reader, struct log_line *line)
{
    const struct buffer *w = &reader->window;
    size_t held = w->size - reader->position;
    if (held == 0) return reader_next_far(reader, line);
    const unsigned char *from = w->data + reader->position;
    const unsigned char *newline = memchr(from, '\n', held);
    if (!newline) return reader_next_far(reader, line);
    return line_take(reader, line, (size_t)(newline - from), true);
}

static bool is_ours(const struct log_line *line)
{
    return line->text.size && *(const char *)line->text.data == '#';
}

/* ---- inside a batch ---- */

static int damaged(struct log_state *state, uint64_t end, uint64_t offset, const char *why)
{
    state->is_damaged = true;
    state->end = end;
    state->damage_offset = offset;
    state->damage = why;
    return 0;
}

/* An item line of ours, split; false when log_append_item makes no such line. */
static bool item_read(const struct log_line *line, bool is_delete, struct log_item *item)
{
    struct bytes text = line->text;
    item->is_delete = is_delete;
    item->is_literal = false;
    item->offset = line->offset;
    if (!log_split(text, &item->key, &item->value)) return false;
    /* "key," is a delete, "key, value" a put: the space tells, and split took it. */
    size_t between = text.size - item->key.size - item->value.size;
    if (between != (is_delete ? 1 : 2) || (is_delete && item->value.size != 0)) return false;
    item->value_offset = line->offset + item->key.size + between;
    return true;
}

/* Parses a batch whose #+ line, at batch->start, has just been read and says `fields`; the
 * reader's sum began at batch->first, which is that line or the #= line before it. 1: whole; 0:
 * damaged, said in *state; or -errno. */
static int parse_batch(struct log_reader *reader, const struct log_visitor *visitor,
                       struct log_line_fields fields, struct log_batch *batch,
                       struct log_state *state)
{
    struct log_line line;
    struct log_item item;
    uint64_t count = 0, first = batch->first, delete_offset = 0;
    bool is_delete = false;
    batch->synced = fields.synced;
    batch->previous = fields.previous;
    if (fields.start != batch->start)
        return damaged(state, first, batch->start, "a batch that belongs elsewhere");
    for (;;) {
        int n = log_reader_next(reader, &line);
        if (n < 0) return n;
        if (n == 0 || !line.is_terminated)
            return damaged(state, first, n ? line.offset : first, "a batch without its end");
        if (is_ours(&line)) {
            enum log_line_kind kind = log_line_read(line.text, &fields);
            if (kind == LOG_LINE_COMMIT && !is_delete) break;
            if (kind != LOG_LINE_DELETE || is_delete)
                return damaged(state, first, line.offset, "a line that no batch has");
            is_delete = true;
            delete_offset = line.offset;
            continue;
        }
        if (!item_read(&line, is_delete, &item))
            return damaged(state, first, line.offset, "a line that no batch has");
        if (is_delete) item.offset = delete_offset;
        int err = visitor ? visitor->item(visitor->context, &item) : 0;
        if (err) return err;
        is_delete = false;
        count++;
    }
    /* The sum covers the line itself up to its own digits: "#,count,". */
    batch->crc = sum_to(reader, reader->position - 9);
    if (fields.crc != batch->crc)
        return damaged(state, first, first, "a batch whose checksum is wrong");
    if (fields.count != count)
        return damaged(state, first, first, "a batch whose count is wrong");
    batch->count = count;
    batch->commit = line.offset;
    batch->end = line.offset + line.text.size + 1;
    return 1;
}

/* ---- outside ---- */

static int item_of_bash(const struct log_line *line, const struct log_visitor *visitor)
{
    struct log_item item = {.is_literal = true, .offset = line->offset};
    if (!visitor || !log_split(line->text, &item.key, &item.value))
        return 0; /* a line without a comma is nobody's value: db_get skips it too */
    item.value_offset = line->offset + line->text.size - item.value.size;
    return visitor->item(visitor->context, &item);
}

/* The batch is whole and the next of the file. 1 or -errno of the visitor. */
static int accept_batch(const struct log_visitor *visitor, const struct log_batch *batch,
                        struct log_state *state)
{
    state->covered = state->end = batch->end;
    state->crc = batch->crc;
    state->foreign_crc = 0;
    state->batches++;
    if (batch->synced > state->claimed) state->claimed = batch->synced;
    state->last_is_claimed = batch->count == 0 && batch->synced == batch->first;
    int err = visitor && visitor->batch ? visitor->batch(visitor->context, batch) : 0;
    return err ? err : 1;
}

int log_parse_stretch(struct log_reader *reader, const struct log_visitor *visitor,
                      struct log_state *state)
{
    struct log_line line;
    struct log_line_fields fields;
    struct log_batch batch;
    uint64_t suspect = UINT64_MAX;    /* the first line that is not clean */
    bool is_orphan = false;           /* and it is one of ours, outside a batch */
    uint64_t adopt_from = UINT64_MAX; /* where the bytes of an #= line just read begin */
    for (bool is_first = true;; is_first = false) {
        int n = log_reader_next(reader, &line);
        if (n < 0) return n;
        if (n == 0) break;
        if (is_first) sum_begin(reader, line.offset);
        enum log_line_kind kind = line.is_terminated && is_ours(&line)
                                      ? log_line_read(line.text, &fields)
                                      : LOG_LINE_PLAIN;
        if (adopt_from != UINT64_MAX && kind != LOG_LINE_BEGIN)
            return damaged(state, batch.first, batch.first, "an adoption without its batch");
        if (kind == LOG_LINE_BEGIN &&
            (adopt_from != UINT64_MAX || line.offset == state->covered)) {
            if (adopt_from == UINT64_MAX) batch.first = line.offset;
            batch.start = line.offset;
            n = parse_batch(reader, visitor, fields, &batch, state);
            if (n <= 0) return n;
            if (batch.previous != state->crc)
                return damaged(state, batch.first, batch.first, "a batch of another history");
            return accept_batch(visitor, &batch, state);
        }
        /* The sum of all lines since the last batch, this one not included. */
        size_t here = (size_t)(line.offset - reader->window_offset);
        uint32_t running = sum_to(reader, here);
        if (kind == LOG_LINE_ADOPT && fields.start == state->covered &&
            line.offset > state->covered && fields.crc == running) {
            adopt_from = fields.start;
            batch.first = line.offset;
            sum_begin(reader, line.offset);
            continue;
        }
        if (suspect == UINT64_MAX && (!line.is_terminated || !log_line_is_foreign(line.text))) {
            suspect = line.offset;
            is_orphan = kind == LOG_LINE_COMMIT || kind == LOG_LINE_DELETE;
        }
        running = sum_to(reader, reader->position);
        if (suspect == UINT64_MAX) {
            state->end = line.offset + line.text.size + 1;
            state->foreign_crc = running;
        }
        int err = item_of_bash(&line, visitor);
        if (err) return err;
    }
    if (adopt_from != UINT64_MAX)
        return damaged(state, batch.first, batch.first, "an adoption without its batch");
    if (suspect == UINT64_MAX) return 0;
    /* Behind a batch that nothing claims the engine was writing when it died: a line that looks
     * like one of bash's is then the chance beginning of the garble that follows it. */
    bool is_garble = is_orphan || (state->batches > 0 && !state->last_is_claimed);
    return damaged(state, is_garble ? state->covered : suspect, suspect,
                   is_orphan ? "the end of a batch that has no begin" : "a broken line");
}

int log_parse(struct log_reader *reader, const struct log_visitor *visitor,
              struct log_state *state)
{
    memset(state, 0, sizeof(*state));
    log_reader_seek(reader, 0);
    int n;
    do n = log_parse_stretch(reader, visitor, state);
    while (n > 0);
    if (n == 0 && state->end == state->covered) state->foreign_crc = 0;
    return n;
}

/* ---- after damage ---- */

/* The first "#+," or "#=," in a line; NULL when there is none. */
static const char *find_sign(struct bytes text)
{
    const char *p = text.data, *last = p + text.size;
    while (last - p >= 3 && (p = memchr(p, '#', (size_t)(last - p) - 2)) != NULL) {
        if ((p[1] == '+' || p[1] == '=') && p[2] == ',') return p;
        p++;
    }
    return NULL;
}

int log_find_batch(struct log_reader *reader, uint64_t from, struct log_batch *batch)
{
    struct log_line line;
    struct log_state scratch;
    struct log_line_fields fields;
    uint64_t adopted = UINT64_MAX; /* an #= line directly before: its batch covers it */
    int n;
    log_reader_seek(reader, from);
    while ((n = log_reader_next(reader, &line)) > 0) {
        /* A batch behind damage need not stand at the start of a line: the newline before it
         * may be what is damaged. Its start field says where it stands, so nothing is mistaken,
         * nor in a value that holds such text: its batch does not count right.
         */
        uint64_t next = line.offset + line.text.size + 1;
        const char *sign = line.is_terminated ? find_sign(line.text) : NULL;
        size_t before = sign ? (size_t)(sign - (const char *)line.text.data) : 0;
        struct log_line rest = {.text = bytes_of(sign, sign ? line.text.size - before : 0),
                                .offset = line.offset + before,
                                .is_terminated = true};
        enum log_line_kind kind = sign ? log_line_read(rest.text, &fields) : LOG_LINE_PLAIN;
        if (kind != LOG_LINE_BEGIN) {
            adopted = kind == LOG_LINE_ADOPT ? rest.offset : UINT64_MAX;
            if (adopted != UINT64_MAX) sum_begin(reader, adopted);
            continue;
        }
        batch->first = rest.offset;
        if (adopted != UINT64_MAX)
            batch->first = adopted;
        else
            sum_begin(reader, rest.offset);
        adopted = UINT64_MAX;
        batch->start = rest.offset;
        n = parse_batch(reader, NULL, fields, batch, &scratch);
        if (n != 0) return n;
        log_reader_seek(reader, next);
    }
    return n;
}

int log_revisit_batch(struct log_reader *reader, const struct log_visitor *visitor,
                      const struct log_batch *batch, struct log_state *state)
{
    struct log_line line;
    struct log_batch again = *batch;
    log_reader_seek(reader, batch->first);
    int n;
    do n = log_reader_next(reader, &line);
    while (n > 0 && line.offset < batch->start); /* over its #= line, if it has one */
    if (n > 0) {
        sum_begin(reader, line.offset); /* another sum than its own, if so: it is known whole */
        struct log_line_fields fields = {.start = batch->start};
        n = parse_batch(reader, visitor, fields, &again, state);
    }
    return n < 0 ? n : accept_batch(visitor, batch, state);
}

int log_claims_behind(struct log_reader *reader, const struct log_state *state,
                      uint64_t *claimed)
{
    struct log_batch batch;
    uint64_t most = 0, from = state->end;
    int n;
    while ((n = log_find_batch(reader, from, &batch)) > 0) {
        if (batch.synced > most) most = batch.synced;
        from = batch.end;
    }
    if (n == 0) *claimed = most;
    return n;
}

/* ---- files of bash ---- */

int log_is_foreign(struct log_reader *reader)
{
    struct log_line line;
    struct log_line_fields fields;
    int n;
    log_reader_seek(reader, 0);
    while ((n = log_reader_next(reader, &line)) > 0) {
        if (!is_ours(&line)) continue;
        if (log_line_read(line.text, &fields) != LOG_LINE_PLAIN) return 0;
        /* A file of ours that somebody cut off in its first line. */
        if (!line.is_terminated && log_is_begin_front(line.text)) return 0;
    }
    return n < 0 ? n : 1;
}

int log_visit_foreign(struct log_reader *reader, const struct log_visitor *visitor)
{
    struct log_line line;
    int n;
    log_reader_seek(reader, 0);
    while ((n = log_reader_next(reader, &line)) > 0) {
        int err = item_of_bash(&line, visitor);
        if (err) return err;
    }
    return n;
}
