/* Histories of one record a line.
 *
 *     jepsen-log  INFO  jepsen.util - 3	:invoke	:cas	[1 2]
 *                 the console log of early Jepsen; what is no such line is skipped
 *     plume       r(key,value,session,transaction)   w(...)
 *                 unsigned numbers; 0 is the initial value; transaction -1 was aborted; no time
 *     awdit       r key value   w key value
 *                 ===== begins the next session, ----- the next transaction; no time
 *     text        process invoke_ns return_ns|inf r key value|nil|?
 *                 ... w key value    ... cas key expected new ok|fail|?      # comment
 */
#include <string.h>

#include "sim/foreign/builder.h"

/* ---- lines and fields ---- */

struct line {
    const char *at, *end, *start;
    uint32_t number;
};

static bool line_next(const char **at, const char *end, struct line *line)
{
    if (*at >= end) return false;
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));
    if (!stop) stop = end;
    line->at = line->start = *at;
    line->end = stop > *at && stop[-1] == '\r' ? stop - 1 : stop;
    line->number++;
    *at = stop + (stop < end);
    return true;
}

static uint32_t column(const struct line *line)
{
    return (uint32_t)(line->at - line->start) + 1;
}

static void skip_blanks(struct line *line)
{
    while (line->at < line->end && (*line->at == ' ' || *line->at == '\t')) line->at++;
}

/* The next word; its size, 0 at the end. */
static size_t word_take(struct line *line, const char **word)
{
    skip_blanks(line);
    *word = line->at;
    while (line->at < line->end && *line->at != ' ' && *line->at != '\t') line->at++;
    return (size_t)(line->at - *word);
}

static bool word_is(const char *word, size_t size, const char *text)
{
    return strlen(text) == size && memcmp(word, text, size) == 0;
}

/* A decimal, its sign kept; false: the error is set. */
static bool number_take(struct builder *b, struct line *line, const char *what, int64_t *number)
{
    skip_blanks(line);
    const char *p = line->at;
    bool is_negative = p < line->end && *p == '-';
    const char *digits = p += is_negative;
    uint64_t value = 0;
    for (; p < line->end && *p >= '0' && *p <= '9' && p - digits < 19; p++)
        value = value * 10 + (uint64_t)(*p - '0');
    if (p == digits || (p < line->end && *p != ' ' && *p != '\t') || value > INT64_MAX)
        return builder_fail(b, line->number, column(line), "%s should stand here, a number",
                            what);
    line->at = p;
    *number = is_negative ? -(int64_t)value : (int64_t)value;
    return true;
}

static bool line_end(struct builder *b, struct line *line)
{
    skip_blanks(line);
    return line->at == line->end ||
           builder_fail(b, line->number, column(line), "text behind the end of the record");
}

/* ---- jepsen-log ---- */

static const char *text_find(const char *at, const char *end, const char *wanted)
{
    size_t size = strlen(wanted);
    while ((size_t)(end - at) >= size) {
        const char *found = memchr(at, *wanted, (size_t)(end - at) - size + 1);
        if (!found || memcmp(found, wanted, size) == 0) return found;
        at = found + 1;
    }
    return NULL;
}

static bool log_line(struct builder *b, struct line *line)
{
    static const char mark[] = "jepsen.util - ";
    const char *found = text_find(line->at, line->end, mark);
    if (!found) {
        b->out->skipped++;
        return true;
    }
    struct datum_parser parser;
    struct datum process, type, f, value;
    found += sizeof mark - 1;
    datum_parser_init(&parser, DATUM_EDN, found, (size_t)(line->end - found));
    bool is_read = true;
    int did = datum_next(&parser, &process);
    if (did == 1 && process.kind != DATUM_INT) { /* ":nemesis", or prose */
        b->out->skipped++;
        goto done;
    }
    if (did == 1) did = datum_next(&parser, &type);
    if (did == 1) did = datum_next(&parser, &f);
    static const char *const types[] = {"invoke", "ok", "fail", "info"};
    static const char *const names[] = {"read", "write", "cas"};
    static const enum op_kind kinds[] = {OP_READ, OP_WRITE, OP_COMPARE_AND_SET};
    size_t t = 0, k = 0;
    while (did == 1 && t < 4 && !datum_is(&type, types[t])) t++;
    while (did == 1 && k < 3 && !datum_is(&f, names[k])) k++;
    if (did != 1 || t == 4 || k == 3) {
        is_read = builder_fail(b, line->number, (uint32_t)(found - line->start) + 1,
                               "PROCESS :invoke|:ok|:fail|:info :read|:write|:cas VALUE should "
                               "stand here");
        goto done;
    }
    struct event event = {.type = (enum event_type)t,
                          .line = line->number,
                          .kind = kinds[k],
                          .key = builder_key(b, "", 0),
                          .thread = builder_thread(b, process.number),
                          .process = builder_process(b, process.number)};
    did = datum_next(&parser, &value);
    bool has_value = did == 1 && value.kind != DATUM_WORD; /* not ":timed-out" */
    event.value = has_value ? &value : NULL;
    if (did < 0)
        is_read =
            builder_fail(b, line->number, (uint32_t)(found - line->start) + parser.error_column,
                         "%s", parser.error);
    else if (event.type == EVENT_OK && event.kind == OP_READ && !event.value)
        is_read = builder_fail(b, line->number, (uint32_t)(line->end - line->start) + 1,
                               "an answered read without value");
    else if (!builder_event(b, &event)) { /* it counts from where the parser began */
        is_read = false;
        b->out->error_line = line->number;
        b->out->error_column += (uint32_t)(found - line->start);
    }
done:
    datum_parser_deinit(&parser);
    return is_read;
}

bool foreign_read_jepsen_log(struct builder *b, const char *text, size_t size)
{
    const char *at = text, *end = text + size;
    struct line line = {0};
    while (line_next(&at, end, &line))
        if (!log_line(b, &line)) return false;
    return true;
}

/* ---- transactions of one operation, without time ---- */

/* A read or write that stands between its neighbours in the session, and nowhere in time. */
static void untimed(struct builder *b, const struct line *line, bool is_write, int64_t key,
                    int64_t value, uint32_t process, bool is_aborted)
{
    struct op *op = builder_add(b);
    op->kind = is_write ? OP_WRITE : OP_READ;
    op->key = builder_key_number(b, key);
    op->process = process;
    op->line = line->number;
    op->invoke = b->position++;
    op->complete = b->position++;
    op->result = is_aborted ? RESULT_VOID : RESULT_OK;
    op->value = value == 0 ? VALUE_NONE : values_of_number(b->values, op->key, value);
}

bool foreign_read_plume(struct builder *b, const char *text, size_t size)
{
    const char *at = text, *end = text + size;
    struct line line = {0};
    int64_t last_session = -1, last_transaction = -1;
    while (line_next(&at, end, &line)) {
        skip_blanks(&line);
        if (line.at == line.end) continue;
        bool is_write = *line.at == 'w';
        int64_t fields[4];
        if ((!is_write && *line.at != 'r') || line.end - line.at < 2 || line.at[1] != '(')
            return builder_fail(b, line.number, column(&line),
                                "r(key,value,session,transaction) or w(...) should stand here");
        line.at += 2;
        for (int i = 0; i < 4; i++) {
            const char *stop = memchr(line.at, i < 3 ? ',' : ')', (size_t)(line.end - line.at));
            struct line field = line;
            if (!stop)
                return builder_fail(b, line.number, column(&line), "four numbers are needed");
            field.end = stop;
            if (!number_take(b, &field, "a field", &fields[i]) || !line_end(b, &field))
                return false;
            line.at = stop + 1;
        }
        if (!line_end(b, &line)) return false;
        if (fields[3] != -1 && fields[2] == last_session && fields[3] == last_transaction &&
            !b->out->transaction_line)
            b->out->transaction_line = line.number;
        last_session = fields[2];
        last_transaction = fields[3];
        untimed(b, &line, is_write, fields[0], fields[1], builder_process(b, fields[2]),
                fields[3] == -1);
    }
    return true;
}

bool foreign_read_awdit(struct builder *b, const char *text, size_t size)
{
    const char *at = text, *end = text + size;
    struct line line = {0};
    int64_t session = 0, in_transaction = 0;
    while (line_next(&at, end, &line)) {
        int64_t key, value;
        const char *word;
        size_t length = word_take(&line, &word);
        if (length == 0) continue;
        if (*word == '=' || *word == '-') {
            session += *word == '=';
            in_transaction = 0;
            continue;
        }
        bool is_write = word_is(word, length, "w");
        if (!is_write && !word_is(word, length, "r"))
            return builder_fail(b, line.number, 1,
                                "'r KEY VALUE', 'w KEY VALUE', ===== or ----- should stand "
                                "here");
        if (!number_take(b, &line, "a key", &key) ||
            !number_take(b, &line, "a value", &value) || !line_end(b, &line))
            return false;
        if (in_transaction++ && !b->out->transaction_line)
            b->out->transaction_line = line.number;
        untimed(b, &line, is_write, key, value, builder_process(b, session), false);
    }
    return true;
}

/* ---- text ---- */

static bool text_value(struct builder *b, struct line *line, const struct op *op,
                       uint64_t *value, bool *is_unknown)
{
    const char *word;
    size_t size = word_take(line, &word);
    if (size == 0)
        return builder_fail(b, line->number, column(line), "a value should stand here");
    if (is_unknown) *is_unknown = word_is(word, size, "?");
    *value = word_is(word, size, "nil") || word_is(word, size, "?")
                 ? VALUE_NONE
                 : builder_value(b, op->key, word, size);
    return true;
}

static bool text_line(struct builder *b, struct line *line)
{
    int64_t process, invoke, complete = OP_OPEN;
    const char *word;
    if (!number_take(b, line, "the process", &process) ||
        !number_take(b, line, "the time of invocation", &invoke))
        return false;
    skip_blanks(line);
    if (line->end - line->at >= 3 && memcmp(line->at, "inf", 3) == 0)
        line->at += 3;
    else if (!number_take(b, line, "the time of return, or inf,", &complete))
        return false;
    if (complete < invoke)
        return builder_fail(b, line->number, column(line), "it returned before it began");
    size_t size = word_take(line, &word);
    const char *kind = word;
    if (!word_is(word, size, "r") && !word_is(word, size, "w") && !word_is(word, size, "cas")) {
        line->at = word;
        return builder_fail(b, line->number, column(line), "r, w or cas should stand here");
    }
    bool is_cas = size == 3, is_unknown = false;
    struct op *op = builder_add(b);
    op->process = builder_process(b, process);
    op->line = line->number;
    op->invoke = invoke;
    op->complete = complete;
    op->result = complete == OP_OPEN ? RESULT_UNKNOWN : RESULT_OK;
    op->kind = is_cas ? OP_COMPARE_AND_SET : *kind == 'r' ? OP_READ : OP_WRITE;
    size = word_take(line, &word);
    if (size == 0)
        return builder_fail(b, line->number, column(line), "a key should stand here");
    op->key = builder_key(b, word, size);
    if (is_cas && !text_value(b, line, op, &op->expected, NULL)) return false;
    if (!text_value(b, line, op, &op->value, is_cas || *kind == 'w' ? NULL : &is_unknown))
        return false;
    if (is_cas) {
        size = word_take(line, &word);
        if (word_is(word, size, "fail")) {
            if (complete == OP_OPEN) {
                line->at = word;
                return builder_fail(b, line->number, column(line),
                                    "it never returned (inf), and yet it failed");
            }
            op->result = b->options->failed_cas == FAILED_CAS_VOID ? RESULT_VOID : RESULT_FAIL;
            b->has_failed_cas = true;
        } else if (word_is(word, size, "?")) {
            is_unknown = true;
        } else if (!word_is(word, size, "ok")) {
            line->at = word;
            return builder_fail(b, line->number, column(line),
                                "ok, fail or ? should stand here");
        }
    }
    if (is_unknown) {
        op->result = RESULT_UNKNOWN;
        op->complete = OP_OPEN;
    }
    return line_end(b, line);
}

bool foreign_read_text(struct builder *b, const char *text, size_t size)
{
    const char *at = text, *end = text + size;
    struct line line = {0};
    while (line_next(&at, end, &line)) {
        skip_blanks(&line);
        if (line.at == line.end || *line.at == '#') continue;
        line.at = line.start;
        if (!text_line(b, &line)) return false;
    }
    return true;
}
