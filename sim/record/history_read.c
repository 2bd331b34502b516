/* A scanner of history.jsonl (the format stands in README.md).
 *
 * One pass over the bytes, straight into the arrays of a history: no tree, no copy of a line.
 * A field is guessed to be the one that last followed the field before it, since a writer
 * has one order; only a wrong guess is looked up. Text is interned; that of a field is often
 * the same as in the line before, which is asked first.
 *
 * What is demanded: the fields marked * in README.md, each at most once, invocations that do
 * not go back in time, returns that do not precede them. What a field says of an operation of
 * another type is kept as it is. An operation numbers nothing: lines may have been cut out of
 * the file, so `op` is not compared with its place.
 *
 * Depth of what is skipped is bounded, so that no input can exhaust the stack.
 */
#include "sim/record/history_read.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "sim/kernel/arena.h"
#include "sim/kernel/nearest.h"
#include "sim/record/names.h"

#define DEPTH_MAX 64

/* ---- fields ---- */

enum field {
    FIELD_V,
    FIELD_OP,
    FIELD_CLIENT,
    FIELD_PROCESS,
    FIELD_SESSION,
    FIELD_TYPE,
    FIELD_STORE,
    FIELD_TABLE,
    FIELD_KEY,
    FIELD_TOKEN,
    FIELD_EXPECTED,
    FIELD_LOCK_TOKEN,
    FIELD_OWNER,
    FIELD_PRIVATE,
    FIELD_LEVEL,
    FIELD_INVOKE,
    FIELD_RETURN,
    FIELD_OUTCOME,
    FIELD_STATUS,
    FIELD_NODE,
    FIELD_EPOCH,
    FIELD_POSITION,
    FIELD_VALUES,
    FIELD_CONTEXT,
    FIELD_FINAL,
    FIELD_ATTEMPTS,
    FIELD_SENT,
    FIELD_ANSWERED,
    FIELDS,
    FIELD_UNKNOWN = FIELDS
};

struct word {
    const char *text;
    size_t size;
};
#define WORD(text)                                                                             \
    {                                                                                          \
        text, sizeof text - 1                                                                  \
    }
static const struct word field_words[FIELDS] = {
    [FIELD_V] = WORD("v"),
    [FIELD_OP] = WORD("op"),
    [FIELD_CLIENT] = WORD("client"),
    [FIELD_PROCESS] = WORD("process"),
    [FIELD_SESSION] = WORD("session"),
    [FIELD_TYPE] = WORD("type"),
    [FIELD_STORE] = WORD("store"),
    [FIELD_TABLE] = WORD("table"),
    [FIELD_KEY] = WORD("key"),
    [FIELD_TOKEN] = WORD("token"),
    [FIELD_EXPECTED] = WORD("expected"),
    [FIELD_LOCK_TOKEN] = WORD("lock_token"),
    [FIELD_OWNER] = WORD("owner"),
    [FIELD_PRIVATE] = WORD("private"),
    [FIELD_LEVEL] = WORD("level"),
    [FIELD_INVOKE] = WORD("invoke"),
    [FIELD_RETURN] = WORD("return"),
    [FIELD_OUTCOME] = WORD("outcome"),
    [FIELD_STATUS] = WORD("status"),
    [FIELD_NODE] = WORD("node"),
    [FIELD_EPOCH] = WORD("epoch"),
    [FIELD_POSITION] = WORD("position"),
    [FIELD_VALUES] = WORD("values"),
    [FIELD_CONTEXT] = WORD("context"),
    [FIELD_FINAL] = WORD("final"),
    [FIELD_ATTEMPTS] = WORD("attempts"),
    [FIELD_SENT] = WORD("sent"),
    [FIELD_ANSWERED] = WORD("answered"),
};
#define BIT(field) (1u << (field))
#define FIELDS_NEEDED                                                                          \
    (BIT(FIELD_V) | BIT(FIELD_OP) | BIT(FIELD_PROCESS) | BIT(FIELD_TYPE) | BIT(FIELD_INVOKE) | \
     BIT(FIELD_RETURN) | BIT(FIELD_OUTCOME))
#define FIELDS_OF_ATTEMPT                                                                      \
    (BIT(FIELD_SENT) | BIT(FIELD_ANSWERED) | BIT(FIELD_NODE) | BIT(FIELD_STATUS) |             \
     BIT(FIELD_EPOCH))
#define FIELDS_OF_OP (~(BIT(FIELD_SENT) | BIT(FIELD_ANSWERED)))

/* ---- the scanner ---- */

/* Text met before, where the next of its kind is likely the same. */
struct recent {
    const char *text;
    size_t size;
    uint32_t id;
};

struct reader {
    const char *at, *end, *line_start;
    uint32_t line;
    struct history *history;
    uint32_t *lines;
    struct history_names *endpoints;
    struct recent recent[FIELDS];
    /* The field that came behind each when it was last seen, in operations and in attempts;
     * behind none: the first. */
    uint8_t next[2][FIELDS + 1];
    bool has_pairs, has_singles; /* among the values of this operation */
    char *scratch;               /* text with its escapes undone */
    size_t scratch_capacity;
    struct history_error *error;
};

static bool fail_at(struct reader *r, const char *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static bool fail_at(struct reader *r, const char *at, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(r->error->text, sizeof r->error->text, format, arguments);
    va_end(arguments);
    r->error->line = r->line;
    r->error->column = (uint32_t)(at - r->line_start) + 1;
    return false;
}

static inline void skip_blanks(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\r')) r->at++;
}

static bool fail_here(struct reader *r, const char *wanted)
{
    if (r->at >= r->end || *r->at == '\n')
        return fail_at(r, r->at, "the line ends where %s should stand", wanted);
    return fail_at(r, r->at, "%s should stand here", wanted);
}

/* This character, with blanks around it. */
static inline bool take(struct reader *r, char c, const char *what)
{
    if (r->at < r->end && *r->at == c) {
        r->at++;
        return true;
    }
    skip_blanks(r);
    if (r->at >= r->end || *r->at != c) return fail_here(r, what);
    r->at++;
    return true;
}

/* Whether it comes next; takes it. */
static inline bool took(struct reader *r, char c)
{
    skip_blanks(r);
    if (r->at >= r->end || *r->at != c) return false;
    r->at++;
    return true;
}

static inline bool took_word(struct reader *r, const char *word, size_t size)
{
    if ((size_t)(r->end - r->at) < size || memcmp(r->at, word, size)) return false;
    r->at += size;
    return true;
}

static bool number(struct reader *r, uint64_t max, uint64_t *out)
{
    skip_blanks(r);
    const char *start = r->at;
    uint64_t value = 0;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9') {
        uint64_t digit = (uint64_t)(*r->at - '0');
        if (value > (UINT64_MAX - digit) / 10) return fail_at(r, start, "a number too large");
        value = value * 10 + digit;
        r->at++;
    }
    if (r->at == start) return fail_here(r, "a whole number");
    if (r->at < r->end && (*r->at == '.' || *r->at == 'e' || *r->at == 'E'))
        return fail_at(r, start, "a whole number should stand here");
    if (value > max) return fail_at(r, start, "a number too large for its field");
    *out = value;
    return true;
}

static bool number_u32(struct reader *r, uint32_t *out)
{
    uint64_t value;
    if (!number(r, UINT32_MAX - 1, &value)) return false; /* UINT32_MAX: HISTORY_NONE */
    *out = (uint32_t)value;
    return true;
}

/* A time in ns, or null: HISTORY_OPEN. */
static bool time_ns(struct reader *r, int64_t *out)
{
    uint64_t value;
    skip_blanks(r);
    if (r->at < r->end && *r->at == 'n' && took_word(r, "null", 4)) {
        *out = HISTORY_OPEN;
        return true;
    }
    bool is_negative = r->at < r->end && *r->at == '-';
    r->at += is_negative;
    if (!number(r, INT64_MAX - 1, &value)) return false;
    *out = is_negative ? -(int64_t)value : (int64_t)value;
    return true;
}

static bool yes_or_no(struct reader *r, bool *out)
{
    skip_blanks(r);
    *out = took_word(r, "true", 4);
    return *out || took_word(r, "false", 5) || fail_here(r, "true or false");
}

/* ---- text ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* One escape, `at` behind its backslash. */
static bool escape(struct reader *r, char *out)
{
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const char *start = r->at - 1;
    char c = r->at < r->end ? *r->at++ : '\0';
    const char *letter = c ? strchr(letters, c) : NULL;
    if (letter) {
        *out = meant[letter - letters];
        return true;
    }
    if (c != 'u' || r->end - r->at < 4) return fail_at(r, start, "an escape that is unknown");
    int code = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(*r->at++);
        if (digit < 0) return fail_at(r, start, "\\u needs four hexadecimal digits");
        code = code * 16 + digit;
    }
    if (code > 255) return fail_at(r, start, "\\u above 00ff: an escape is one byte here");
    *out = (char)code;
    return true;
}

/* Text in quotes; *out stands in the file where it has no escape, else in scratch. */
static bool text(struct reader *r, const char **out, size_t *size)
{
    if (!take(r, '"', "text in quotes")) return false;
    const char *start = r->at;
    while (r->at < r->end && *r->at != '"' && *r->at != '\\' && (unsigned char)*r->at >= 32)
        r->at++;
    *out = start;
    *size = (size_t)(r->at - start);
    if (r->at < r->end && *r->at == '"') {
        r->at++;
        return true;
    }
    size_t count = *size;
    bool is_copied = false;
    while (true) {
        if (r->scratch_capacity < count + 1) {
            r->scratch_capacity = (count + 1) * 2;
            r->scratch = xrealloc(r->scratch, r->scratch_capacity);
        }
        if (!is_copied) memcpy(r->scratch, start, count);
        is_copied = true;
        if (r->at >= r->end || *r->at == '\n')
            return fail_at(r, start - 1, "text that does not end in its line");
        char c = *r->at++;
        if (c == '"') break;
        if ((unsigned char)c < 32)
            return fail_at(r, r->at - 1, "a control character in text: it needs an escape");
        if (c == '\\' && !escape(r, &c)) return false;
        r->scratch[count++] = c;
    }
    *out = r->scratch;
    *size = count;
    return true;
}

static bool name(struct reader *r, enum field field, struct history_names *names, uint32_t *id)
{
    const char *given;
    size_t size;
    if (!text(r, &given, &size)) return false;
    struct recent *recent = &r->recent[field];
    if (!recent->text || recent->size != size || memcmp(recent->text, given, size)) {
        recent->id = names_intern(names, given, size);
        recent->text = names_text(names, recent->id, &recent->size);
    }
    *id = recent->id;
    return true;
}

static bool endpoint(struct reader *r, enum field field, uint32_t *out)
{
    skip_blanks(r);
    const char *start = r->at;
    if (r->at < r->end && *r->at == '"') {
        if (!r->endpoints) r->endpoints = names_create();
        if (!name(r, field, r->endpoints, out)) return false;
        *out |= HISTORY_ENDPOINT_NAMED;
        return true;
    }
    return number_u32(r, out) && (*out < HISTORY_ENDPOINT_NAMED ||
                                  fail_at(r, start, "a number too large for its field"));
}

/* A word of a table that ends with NULL. */
static bool word(struct reader *r, const char *what, const char *const *words, uint8_t *out)
{
    const char *given, *start = r->at;
    size_t size;
    if (!text(r, &given, &size)) return false;
    for (uint8_t i = 0; words[i]; i++)
        if (strlen(words[i]) == size && memcmp(words[i], given, size) == 0) {
            *out = i;
            return true;
        }
    const char *near = nearest_text(given, size, words);
    return fail_at(r, start, "%s '%.*s' is unknown%s%s%s", what, (int)(size < 40 ? size : 40),
                   given, near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

/* ---- values that nobody wants ---- */

static bool skip_value(struct reader *r, int depth)
{
    const char *given;
    size_t size;
    skip_blanks(r);
    if (depth > DEPTH_MAX) return fail_at(r, r->at, "nested too deeply");
    char c = r->at < r->end ? *r->at : '\n';
    if (c == '"') return text(r, &given, &size);
    if (c == '[' || c == '{') {
        char close = c == '[' ? ']' : '}';
        r->at++;
        if (took(r, close)) return true;
        do {
            if (c == '{' && (!text(r, &given, &size) || !take(r, ':', "':'"))) return false;
            if (!skip_value(r, depth + 1)) return false;
        } while (took(r, ','));
        return took(r, close) || fail_here(r, c == '[' ? "',' or ']'" : "',' or '}'");
    }
    const char *start = r->at;
    while (r->at < r->end && *r->at != ',' && *r->at != ']' && *r->at != '}' &&
           (unsigned char)*r->at > 32)
        r->at++;
    size = (size_t)(r->at - start);
    bool is_word = (size == 4 && memcmp(start, "null", 4) == 0) ||
                   (size == 4 && memcmp(start, "true", 4) == 0) ||
                   (size == 5 && memcmp(start, "false", 5) == 0);
    if (is_word || (size && (*start == '-' || (*start >= '0' && *start <= '9')))) return true;
    r->at = start;
    return fail_here(r, "a value");
}

/* ---- an operation ---- */

/* The field whose name comes next, behind *field; counts it in *seen. */
static bool field_take(struct reader *r, bool in_attempt, enum field *field, uint32_t *seen)
{
    const char *given, *start = r->at;
    size_t size;
    uint8_t *next = &r->next[in_attempt][*field];
    const struct word *guess = &field_words[*next];
    if (*next < FIELDS && (size_t)(r->end - r->at) > guess->size + 3 && r->at[0] == '"' &&
        r->at[guess->size + 1] == '"' && r->at[guess->size + 2] == ':' &&
        memcmp(r->at + 1, guess->text, guess->size) == 0) {
        r->at += guess->size + 3;
        *field = (enum field) * next;
    } else {
        skip_blanks(r);
        start = r->at;
        if (!text(r, &given, &size) || !take(r, ':', "':'")) return false;
        uint32_t allowed = in_attempt ? FIELDS_OF_ATTEMPT : FIELDS_OF_OP;
        *field = FIELD_UNKNOWN;
        for (unsigned i = 0; i < FIELDS; i++)
            if (allowed & BIT(i) && field_words[i].size == size &&
                memcmp(field_words[i].text, given, size) == 0)
                *field = (enum field)i;
        *next = (uint8_t)*field;
    }
    if (*field == FIELD_UNKNOWN) return true;
    if (*seen & BIT(*field))
        return fail_at(r, start, "field '%s' is given twice", field_words[*field].text);
    *seen |= BIT(*field);
    return true;
}

static void value_add(struct reader *r, struct history_op *op, uint64_t value)
{
    struct history *history = r->history;
    if (history->values_count == history->values_capacity) {
        history->values_capacity =
            history->values_capacity ? history->values_capacity * 2 : 1024;
        history->values =
            xrealloc(history->values, history->values_capacity * sizeof *history->values);
    }
    history->values[history->values_count++] = value;
    op->values_count++;
}

static bool read_values(struct reader *r, struct history_op *op)
{
    uint64_t value;
    uint32_t key;
    op->values_start = (uint32_t)r->history->values_count;
    if (!take(r, '[', "'['")) return false;
    if (took(r, ']')) return true;
    do {
        skip_blanks(r);
        if (r->history->values_count >= UINT32_MAX - 2)
            return fail_at(r, r->at, "more values than a history holds");
        if (r->at < r->end && *r->at == '[') {
            r->at++;
            if (!name(r, FIELD_VALUES, r->history->names, &key) || !take(r, ',', "','"))
                return false;
            value_add(r, op, key);
            r->has_pairs = true;
            if (!number(r, UINT64_MAX, &value) || !take(r, ']', "']'")) return false;
        } else {
            if (!number(r, UINT64_MAX, &value)) return false;
            r->has_singles = true;
        }
        value_add(r, op, value);
    } while (took(r, ','));
    return take(r, ']', "',' or ']'");
}

static bool read_attempt(struct reader *r, struct history_attempt *attempt)
{
    enum field field = FIELD_UNKNOWN;
    uint32_t seen = 0;
    *attempt = (struct history_attempt){.node = HISTORY_NONE, .status = HISTORY_STATUS_NONE};
    if (!take(r, '{', "'{'")) return false;
    if (took(r, '}')) return fail_at(r, r->at - 1, "an attempt without 'sent'");
    do {
        bool is_read = true;
        if (!field_take(r, true, &field, &seen)) return false;
        switch (field) {
        case FIELD_SENT: is_read = time_ns(r, &attempt->sent_ns); break;
        case FIELD_ANSWERED: is_read = time_ns(r, &attempt->answered_ns); break;
        case FIELD_NODE: is_read = endpoint(r, FIELD_NODE, &attempt->node); break;
        case FIELD_STATUS:
            is_read = word(r, "status", history_status_words, &attempt->status);
            break;
        case FIELD_EPOCH: is_read = number(r, UINT64_MAX, &attempt->epoch); break;
        default: is_read = skip_value(r, 1); break;
        }
        if (!is_read) return false;
    } while (took(r, ','));
    if (!took(r, '}')) return fail_here(r, "',' or '}'");
    if (!(seen & BIT(FIELD_SENT)) || !(seen & BIT(FIELD_ANSWERED)))
        return fail_at(r, r->at - 1, "an attempt without '%s'",
                       seen & BIT(FIELD_SENT) ? "answered" : "sent");
    return true;
}

static bool read_attempts(struct reader *r, struct history_op *op)
{
    struct history *history = r->history;
    op->attempts_start = (uint32_t)history->attempts_count;
    if (!take(r, '[', "'['")) return false;
    if (took(r, ']')) return true;
    do {
        if (history->attempts_count >= UINT32_MAX - 1)
            return fail_at(r, r->at, "more attempts than a history holds");
        if (history->attempts_count == history->attempts_capacity) {
            history->attempts_capacity =
                history->attempts_capacity ? history->attempts_capacity * 2 : 1024;
            history->attempts = xrealloc(history->attempts, history->attempts_capacity *
                                                                sizeof *history->attempts);
        }
        if (!read_attempt(r, &history->attempts[history->attempts_count])) return false;
        history->attempts_count++;
        op->attempts_count++;
    } while (took(r, ','));
    return take(r, ']', "',' or ']'");
}

static bool read_field(struct reader *r, enum field field, struct history_op *op)
{
    struct history_names *names = r->history->names;
    uint64_t value;
    const char *start = r->at;
    switch (field) {
    case FIELD_V:
        if (!number(r, UINT64_MAX, &value)) return false;
        return value == 1 ||
               fail_at(r, start, "a history of version %llu; this reads version 1",
                       (unsigned long long)value);
    case FIELD_OP: return number(r, UINT64_MAX, &value);
    case FIELD_CLIENT: return name(r, field, names, &op->client);
    case FIELD_PROCESS: return number_u32(r, &op->process);
    case FIELD_SESSION: return number_u32(r, &op->session);
    case FIELD_TYPE: return word(r, "type", history_type_words, &op->type);
    case FIELD_STORE:
        if (!number(r, 1, &value)) return false;
        op->store = (uint8_t)value;
        return true;
    case FIELD_TABLE: return name(r, field, names, &op->table);
    case FIELD_KEY: return name(r, field, names, &op->key);
    case FIELD_TOKEN: return number(r, UINT64_MAX, &op->token);
    case FIELD_EXPECTED: return number(r, UINT64_MAX, &op->expected);
    case FIELD_LOCK_TOKEN: return number(r, UINT64_MAX, &op->lock_token);
    case FIELD_OWNER: return number_u32(r, &op->owner);
    case FIELD_PRIVATE: return yes_or_no(r, &op->is_private);
    case FIELD_LEVEL: return word(r, "level", history_level_words, &op->level);
    case FIELD_INVOKE:
        return time_ns(r, &op->invoke_ns) &&
               (op->invoke_ns != HISTORY_OPEN ||
                fail_at(r, start, "an operation that was never invoked"));
    case FIELD_RETURN: return time_ns(r, &op->return_ns);
    case FIELD_OUTCOME: return word(r, "outcome", history_outcome_words, &op->outcome);
    case FIELD_STATUS: return word(r, "status", history_status_words, &op->status);
    case FIELD_NODE: return endpoint(r, field, &op->node);
    case FIELD_EPOCH: return number(r, UINT64_MAX, &op->epoch);
    case FIELD_POSITION: return number(r, UINT64_MAX, &op->position);
    case FIELD_VALUES: return read_values(r, op);
    case FIELD_CONTEXT: return name(r, field, names, &op->context);
    case FIELD_FINAL: return yes_or_no(r, &op->final_read);
    case FIELD_ATTEMPTS: return read_attempts(r, op);
    default: return skip_value(r, 1);
    }
}

/* What the whole line must be, whatever the order of its fields. */
static bool op_judge(struct reader *r, const char *start, const struct history_op *op,
                     uint32_t seen)
{
    struct history *history = r->history;
    for (unsigned field = 0; (seen & FIELDS_NEEDED) != FIELDS_NEEDED; field++)
        if (FIELDS_NEEDED & ~seen & BIT(field))
            return fail_at(r, start, "an operation without '%s'", field_words[field].text);
    if (op->return_ns < op->invoke_ns)
        return fail_at(r, start, "it returned before it was invoked");
    if (op->return_ns == HISTORY_OPEN && op->outcome != OUTCOME_UNKNOWN)
        return fail_at(r, start, "it never returned, and yet its outcome is known");
    if (history->count && op->invoke_ns < history->ops[history->count - 1].invoke_ns)
        return fail_at(r, start, "it was invoked before the operation of line %u",
                       (unsigned)r->lines[history->count - 1]);
    if (op->type == HISTORY_SCAN ? r->has_singles : r->has_pairs)
        return fail_at(r, start,
                       "pairs [key, token] are what a scan returns, and nothing else");
    return true;
}

static bool read_op(struct reader *r)
{
    struct history *history = r->history;
    const char *start = r->at;
    uint32_t seen = 0;
    enum field field = FIELD_UNKNOWN;
    if (history->count == history->capacity) {
        history->capacity = history->capacity ? history->capacity * 2 : 1024;
        history->ops = xrealloc(history->ops, history->capacity * sizeof *history->ops);
        r->lines = xrealloc(r->lines, history->capacity * sizeof *r->lines);
    }
    struct history_op *op = &history->ops[history->count];
    memset(op, 0, sizeof *op);
    op->key = op->table = op->client = op->session = op->owner = op->node = op->context =
        HISTORY_NONE;
    op->status = HISTORY_STATUS_NONE;
    op->outcome = OUTCOME_UNKNOWN;
    op->attempts_start = (uint32_t)history->attempts_count;
    r->has_pairs = r->has_singles = false;
    if (!take(r, '{', "'{' of an operation")) return false;
    if (!took(r, '}')) {
        do {
            if (!field_take(r, false, &field, &seen)) return false;
            if (!read_field(r, field, op)) return false;
        } while (took(r, ','));
        if (!took(r, '}')) return fail_here(r, "',' or '}'");
    }
    if (!op_judge(r, start, op, seen)) return false;
    skip_blanks(r);
    if (r->at < r->end && *r->at != '\n')
        return fail_at(r, r->at, "text behind the end of the operation");
    if (history->count >= UINT32_MAX - 2)
        return fail_at(r, start, "more operations than a history holds");
    r->lines[history->count++] = r->line;
    return true;
}

/* ---- the file ---- */

bool history_read(const char *text_start, size_t size, struct history_file *out,
                  struct history_error *error)
{
    struct reader *r = xcalloc(1, sizeof *r);
    r->at = r->line_start = text_start;
    r->end = text_start + size;
    r->line = 1;
    r->error = error;
    r->history = history_create();
    memset(r->next, FIELD_UNKNOWN, sizeof r->next);
    bool is_read = true;
    while (is_read && r->at < r->end) {
        skip_blanks(r);
        if (r->at < r->end && *r->at != '\n') is_read = read_op(r);
        if (is_read && r->at < r->end) { /* at the end of the line */
            r->line_start = ++r->at;
            r->line++;
        }
    }
    r->history->sealed = true;
    struct history_file file = {r->history, r->lines, r->endpoints};
    free(r->scratch);
    free(r);
    if (is_read)
        *out = file;
    else
        history_file_deinit(&file);
    return is_read;
}

void history_file_deinit(struct history_file *file)
{
    history_destroy(file->history);
    names_destroy(file->endpoints);
    free(file->lines);
    memset(file, 0, sizeof *file);
}

const char *history_file_endpoint(void *context, uint32_t endpoint)
{
    const struct history_file *file = context;
    if (endpoint < HISTORY_ENDPOINT_NAMED) return NULL;
    return names_text(file->endpoints, endpoint - HISTORY_ENDPOINT_NAMED, NULL);
}
