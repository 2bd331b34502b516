/* EDN and JSON as one small tree: what a foreign history is written in.
 *
 * A document is a run of top-level forms; each is parsed by itself, so a file of a million
 * lines never stands in memory as a tree. Text is borrowed from the document, which outlives
 * the data; nodes live in the parser's memory until the next form.
 */
#ifndef FAULTLINE_SIM_FOREIGN_DATUM_H
#define FAULTLINE_SIM_FOREIGN_DATUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum datum_kind {
    DATUM_NIL,
    DATUM_BOOL,   /* number: 0 or 1 */
    DATUM_INT,    /* number */
    DATUM_WORD,   /* keyword, symbol, character, or a number that is no int64; text */
    DATUM_STRING, /* text: what stands between the quotes, escapes as written */
    DATUM_VECTOR, /* also a list */
    DATUM_SET,
    DATUM_MAP /* items: key, value, key, value ... */
};

struct datum {
    enum datum_kind kind;
    uint32_t count; /* of items, or bytes of text */
    int64_t number;
    const char *text;
    struct datum *items;
    uint32_t line, column; /* from 1, of its first character */
};

enum datum_syntax { DATUM_EDN, DATUM_JSON };

struct datum_parser {
    enum datum_syntax syntax;
    const char *text, *end, *at;
    const char *line_start;
    uint32_t line;
    char close; /* of the document that was opened, else '\0' */
    uint32_t open_line, open_column;
    struct datum_block *blocks; /* memory of the present form */
    struct datum *stack;        /* items of containers under construction */
    size_t stack_count, stack_capacity;
    char error[160]; /* "a map with a key and no value" */
    uint32_t error_line, error_column;
};

void datum_parser_init(struct datum_parser *parser, enum datum_syntax syntax, const char *text,
                       size_t size);
void datum_parser_deinit(struct datum_parser *parser);
/* 1: a form; 0: the end; -1: an error (text, line and column are set). A JSON document that is
 * one array, or EDN that is one vector, can be opened: datum_open steps inside it, and the
 * forms are then its elements. */
int datum_next(struct datum_parser *parser, struct datum *out);
bool datum_open(struct datum_parser *parser);

/* Whether it is this keyword, symbol or string, with or without a leading colon. */
bool datum_is(const struct datum *datum, const char *word);
/* The value of a key of a map; NULL: absent. */
const struct datum *datum_get(const struct datum *map, const char *key);
/* Equal trees. */
bool datum_equal(const struct datum *a, const struct datum *b);

#endif
