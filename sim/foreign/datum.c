/* The parser of EDN (github.com/edn-format/edn) and JSON (RFC 8259).
 *
 * Of EDN: nil, true, false, integers (also with N), strings, characters, keywords, symbols,
 * lists, vectors, maps, sets, comments, #_ (drops the next form) and tags, which are skipped
 * so that the tagged form stands for itself (#jepsen.history.Op{...}). Of numbers only those
 * that fit in 64 bits are numbers; the rest are words, equal when written alike. Commas are
 * white space in EDN; JSON demands its commas and colons.
 *
 * Depth is bounded, so that no input can exhaust the stack.
 */
#include "sim/foreign/datum.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/kernel/arena.h"

#define DEPTH_MAX 64
#define BLOCK_NODES 1024u

struct datum_block {
    struct datum_block *next;
    size_t used, capacity;
    struct datum nodes[];
};

void datum_parser_init(struct datum_parser *p, enum datum_syntax syntax, const char *text,
                       size_t size)
{
    *p = (struct datum_parser){.syntax = syntax, .text = text, .end = text + size};
    p->at = p->line_start = text;
    p->line = 1;
}

static void blocks_free(struct datum_block *block)
{
    while (block) {
        struct datum_block *next = block->next;
        free(block);
        block = next;
    }
}

void datum_parser_deinit(struct datum_parser *p)
{
    blocks_free(p->blocks);
    free(p->stack);
    p->blocks = NULL;
    p->stack = NULL;
}

/* Keeps one block from form to form. */
static void blocks_reset(struct datum_parser *p)
{
    if (!p->blocks) return;
    blocks_free(p->blocks->next);
    p->blocks->next = NULL;
    p->blocks->used = 0;
}

static struct datum *nodes_take(struct datum_parser *p, const struct datum *from, size_t count)
{
    struct datum_block *block = p->blocks;
    if (!block || block->capacity - block->used < count) {
        size_t capacity = count > BLOCK_NODES ? count : BLOCK_NODES;
        block = xmalloc(sizeof *block + capacity * sizeof *block->nodes);
        *block = (struct datum_block){.next = p->blocks, .capacity = capacity};
        p->blocks = block;
    }
    struct datum *out = block->nodes + block->used;
    if (count) memcpy(out, from, count * sizeof *out);
    block->used += count;
    return out;
}

/* ---- characters ---- */

static int fail(struct datum_parser *p, const char *at, const char *what)
{
    snprintf(p->error, sizeof p->error, "%s", what);
    p->error_line = p->line;
    p->error_column = (uint32_t)(at - p->line_start) + 1;
    return -1;
}

static void skip_space(struct datum_parser *p)
{
    for (; p->at < p->end; p->at++) {
        char c = *p->at;
        if (c == '\n') {
            p->line++;
            p->line_start = p->at + 1;
        } else if (c == ';' && p->syntax == DATUM_EDN) {
            while (p->at + 1 < p->end && p->at[1] != '\n') p->at++;
        } else if (c != ' ' && c != '\t' && c != '\r' &&
                   !(c == ',' && p->syntax == DATUM_EDN)) {
            return;
        }
    }
}

static bool ends_word(const struct datum_parser *p, char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',' || c == ']' ||
           c == '}' || c == ')' || c == '[' || c == '{' || c == '(' || c == '"' || c == ';' ||
           (c == ':' && p->syntax == DATUM_JSON);
}

/* ---- forms ---- */

static int parse(struct datum_parser *p, struct datum *out, int depth);

static int parse_string(struct datum_parser *p, struct datum *out)
{
    out->kind = DATUM_STRING;
    out->text = ++p->at;
    for (; p->at < p->end && *p->at != '"'; p->at++) {
        if (*p->at == '\\') p->at++;
        if (p->at < p->end && *p->at == '\n') {
            if (p->syntax == DATUM_JSON) return fail(p, p->at, "a string that does not end");
            p->line++;
            p->line_start = p->at + 1;
        }
    }
    if (p->at >= p->end) {
        fail(p, p->at, "a string that does not end");
        p->error_line = out->line; /* where it begins, maybe lines above */
        p->error_column = out->column;
        return -1;
    }
    out->count = (uint32_t)(p->at - out->text);
    p->at++;
    return 1;
}

static bool parse_number(const char *text, size_t size, int64_t *number)
{
    size_t i = text[0] == '-' || text[0] == '+';
    uint64_t value = 0;
    if (size > i && text[size - 1] == 'N') size--;
    if (i == size) return false;
    for (size_t digits = 0; i < size; i++, digits++) {
        if (text[i] < '0' || text[i] > '9' || digits == 18) return false;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *number = text[0] == '-' ? -(int64_t)value : (int64_t)value;
    return true;
}

static int parse_word(struct datum_parser *p, struct datum *out)
{
    const char *start = p->at;
    if (*p->at == '\\' && p->at + 1 < p->end) p->at += 2; /* a character, maybe a delimiter */
    while (p->at < p->end && !ends_word(p, *p->at)) p->at++;
    size_t size = (size_t)(p->at - start);
    if (size == 0) {
        char text[64];
        snprintf(text, sizeof text, "'%c', where a value should begin", *start);
        return fail(p, start, text);
    }
    out->text = start;
    out->count = (uint32_t)size;
    out->kind = DATUM_WORD;
    const char *nil = p->syntax == DATUM_JSON ? "null" : "nil";
    if (size == strlen(nil) && memcmp(start, nil, size) == 0) {
        out->kind = DATUM_NIL;
    } else if ((size == 4 && memcmp(start, "true", 4) == 0) ||
               (size == 5 && memcmp(start, "false", 5) == 0)) {
        out->kind = DATUM_BOOL;
        out->number = size == 4;
    } else if (parse_number(start, size, &out->number)) {
        out->kind = DATUM_INT;
    } else if (p->syntax == DATUM_JSON && *start != '-' && (*start < '0' || *start > '9')) {
        return fail(p, start, "a word that is no JSON value");
    }
    return 1;
}

static void push(struct datum_parser *p, const struct datum *item)
{
    if (p->stack_count == p->stack_capacity) {
        p->stack_capacity = p->stack_capacity ? p->stack_capacity * 2 : 64;
        p->stack = xrealloc(p->stack, p->stack_capacity * sizeof *p->stack);
    }
    p->stack[p->stack_count++] = *item;
}

/* Between two items of a JSON container; 1: another item follows, 0: `close`, -1. */
static int json_separator(struct datum_parser *p, char close, bool is_key)
{
    skip_space(p);
    if (p->at < p->end && is_key) {
        if (*p->at != ':') return fail(p, p->at, "':' is missing behind a key");
        p->at++;
        return 1;
    }
    if (p->at < p->end && *p->at == ',') {
        p->at++;
        skip_space(p);
        if (p->at < p->end && *p->at == close) return fail(p, p->at, "a comma too many");
        return 1;
    }
    if (p->at < p->end && *p->at == close) return 0;
    return fail(p, p->at, p->at < p->end ? "',' is missing" : "the text ends inside");
}

static int parse_items(struct datum_parser *p, struct datum *out, char close, int depth)
{
    const char *start = p->at++;
    uint32_t start_line = p->line, start_column = out->column;
    size_t base = p->stack_count;
    while (true) {
        skip_space(p);
        if (p->at >= p->end) {
            char text[64];
            snprintf(text, sizeof text, "'%c' that is never closed by '%c'", *start, close);
            fail(p, p->at, text);
            p->error_line = start_line;
            p->error_column = start_column;
            return -1;
        }
        if (*p->at == close) break;
        struct datum item;
        int did = parse(p, &item, depth + 1);
        if (did < 0) return -1;
        if (did == 0) continue; /* a form that was dropped */
        push(p, &item);
        if (p->syntax != DATUM_JSON) continue;
        bool is_key = close == '}' && (p->stack_count - base) % 2 == 1;
        if (is_key && item.kind != DATUM_STRING)
            return fail(p, p->at, "a key that is no string");
        did = json_separator(p, close, is_key);
        if (did < 0) return -1;
    }
    if (out->kind == DATUM_MAP && (p->stack_count - base) % 2)
        return fail(p, p->at, "a map with a key and no value");
    p->at++;
    out->count = (uint32_t)(p->stack_count - base);
    out->items = nodes_take(p, p->stack + base, out->count);
    p->stack_count = base;
    return 1;
}

/* '#' of EDN: a set, a form to drop, or a tag. */
static int parse_dispatch(struct datum_parser *p, struct datum *out, int depth)
{
    if (p->at + 1 >= p->end) return fail(p, p->at, "'#' at the end");
    if (p->at[1] == '{') {
        p->at++;
        out->kind = DATUM_SET;
        return parse_items(p, out, '}', depth);
    }
    bool is_dropped = p->at[1] == '_';
    p->at += is_dropped ? 2 : 1;
    if (!is_dropped)
        while (p->at < p->end && !ends_word(p, *p->at)) p->at++;
    skip_space(p);
    if (p->at >= p->end) return fail(p, p->at, "'#' with nothing behind it");
    int did = parse(p, out, depth + 1);
    return did < 0 ? did : !is_dropped;
}

/* 1: a form; 0: one that was dropped; -1. `at` stands on its first character. */
static int parse(struct datum_parser *p, struct datum *out, int depth)
{
    *out = (struct datum){.line = p->line, .column = (uint32_t)(p->at - p->line_start) + 1};
    if (depth > DEPTH_MAX) return fail(p, p->at, "nested too deeply");
    switch (*p->at) {
    case '"': return parse_string(p, out);
    case '[': out->kind = DATUM_VECTOR; return parse_items(p, out, ']', depth);
    case '{': out->kind = DATUM_MAP; return parse_items(p, out, '}', depth);
    case '(':
        out->kind = DATUM_VECTOR;
        if (p->syntax == DATUM_EDN) return parse_items(p, out, ')', depth);
        break;
    case '#':
        if (p->syntax == DATUM_EDN) return parse_dispatch(p, out, depth);
        break;
    default: break;
    }
    return parse_word(p, out);
}

/* ---- documents ---- */

static bool is_closed(const struct datum_parser *p)
{
    for (const char *q = p->at; q < p->end; q++)
        if (*q != ' ' && *q != '\n' && *q != '\r' && *q != '\t') return false;
    return true;
}

bool datum_open(struct datum_parser *p)
{
    skip_space(p);
    if (p->at >= p->end || (*p->at != '[' && !(*p->at == '(' && p->syntax == DATUM_EDN)))
        return false;
    /* A vector of vectors is a form, not a document: `[:invoke :read nil]`. */
    const char *q = p->at + 1;
    while (q < p->end && (*q == ' ' || *q == '\n' || *q == '\r' || *q == '\t')) q++;
    if (q < p->end && *q != '{' && *q != ']' && *q != '#') return false;
    p->open_line = p->line;
    p->open_column = (uint32_t)(p->at - p->line_start) + 1;
    p->close = *p->at++ == '[' ? ']' : ')';
    return true;
}

int datum_next(struct datum_parser *p, struct datum *out)
{
    blocks_reset(p);
    p->stack_count = 0;
    while (true) {
        skip_space(p);
        /* Between the elements of an opened JSON array, or JSON objects on lines. */
        if (p->syntax == DATUM_JSON && p->at < p->end && *p->at == ',') {
            p->at++;
            continue;
        }
        if (p->at >= p->end && p->close) {
            char text[64];
            snprintf(text, sizeof text, "'%c' that is never closed by '%c'",
                     p->close == ']' ? '[' : '(', p->close);
            fail(p, p->at, text);
            p->error_line = p->open_line;
            p->error_column = p->open_column;
            return -1;
        }
        if (p->at >= p->end) return 0;
        if (p->close && *p->at == p->close) {
            const char *close = p->at++;
            if (!is_closed(p)) return fail(p, close, "text behind the end");
            p->at = p->end;
            p->close = '\0';
            return 0;
        }
        int did = parse(p, out, 0);
        if (did) return did;
    }
}

/* ---- looking ---- */

bool datum_is(const struct datum *d, const char *word)
{
    if (d->kind != DATUM_WORD && d->kind != DATUM_STRING) return false;
    const char *text = d->text;
    size_t size = d->count;
    if (d->kind == DATUM_WORD && size && *text == ':') text++, size--;
    return strlen(word) == size && memcmp(text, word, size) == 0;
}

const struct datum *datum_get(const struct datum *map, const char *key)
{
    if (map->kind != DATUM_MAP) return NULL;
    for (uint32_t i = 0; i + 1 < map->count; i += 2)
        if (datum_is(&map->items[i], key)) return &map->items[i + 1];
    return NULL;
}

bool datum_equal(const struct datum *a, const struct datum *b)
{
    if (a->kind != b->kind || a->count != b->count) return false;
    switch (a->kind) {
    case DATUM_NIL: return true;
    case DATUM_BOOL:
    case DATUM_INT: return a->number == b->number;
    case DATUM_WORD:
    case DATUM_STRING: return memcmp(a->text, b->text, a->count) == 0;
    default:
        for (uint32_t i = 0; i < a->count; i++)
            if (!datum_equal(&a->items[i], &b->items[i])) return false;
        return true;
    }
}
