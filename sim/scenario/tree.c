/* From libyaml's events to a tree with positions.
 *
 * Why not libcyaml alone: version 1.3.1 reads `10ms` as 10, `010` as 8 and `-1` as 2^64 - 1
 * where it is asked for numbers, accepts an empty file, and stops at the first error with the
 * place of the mapping that holds it. So this pass comes first, and what libcyaml then types is
 * text that this pass has seen.
 *
 * What no scenario may be, each with the place where it stands:
 *   - larger than 1 MiB, empty, not UTF-8, holding a NUL;
 *   - broken YAML: libyaml's own words, with its place (what follows cannot be read);
 *   - more than one document; tags; merge keys (`<<`); keys that are not text;
 *   - a key twice in one mapping, or more than 1,000 keys in one;
 *   - deeper than 32, or more than 100,000 nodes once aliases are expanded.
 *
 * Aliases are copies, so a bomb meets the last limit early; one inside its own anchor is
 * refused.
 *
 * Invariants. I1: every node and key has a position that is in the input (copies of an alias
 * have that of the text where the anchor stands). I2: no mapping holds a key twice (the first
 * wins once the error is reported, so that the rest of the file is still read). I3: the tree
 * has at most TREE_NODES_MAX nodes and TREE_DEPTH_MAX levels, so that recursion over it is
 * bounded.
 */
#include "sim/scenario/tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define ERRORS_MAX 100u        /* more are noise to a reader, and cost time in a hostile file */
#define MAPPING_KEYS_MAX 1000u /* keys are compared with each other */

/* ---- errors ---- */

void errors_add(struct error_list *errors, struct position at, const char *place,
                const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *message = xmalloc((size_t)length + 1);
    va_start(args, format);
    vsnprintf(message, (size_t)length + 1, format, args);
    va_end(args);
    if (errors->count == ERRORS_MAX) {
        errors->more = true;
        free(message);
        return;
    }
    if (errors->count == errors->capacity) {
        errors->capacity = errors->capacity ? errors->capacity * 2 : 16;
        errors->items = xrealloc(errors->items, errors->capacity * sizeof *errors->items);
    }
    struct error added = {at, xstrdup(place), message};
    if (errors_contain(errors,
                       &added)) { /* one mistake that two readers stumble over is one error */
        free(added.place);
        free(added.message);
        return;
    }
    if (at.origin) added.at.origin = xstrdup(at.origin);
    errors->items[errors->count++] = added;
}

static int origin_compare(const char *a, const char *b)
{
    if (!a || !b) return (a != NULL) - (b != NULL);
    return strcmp(a, b);
}

bool errors_contain(const struct error_list *errors, const struct error *error)
{
    for (size_t i = 0; i < errors->count; i++) {
        const struct error *e = &errors->items[i];
        if (e->at.line == error->at.line && e->at.column == error->at.column &&
            origin_compare(e->at.origin, error->at.origin) == 0 &&
            strcmp(e->message, error->message) == 0 && strcmp(e->place, error->place) == 0)
            return true;
    }
    return false;
}

static bool error_before(const struct error *a, const struct error *b)
{
    int order = origin_compare(a->at.origin, b->at.origin);
    if (order) return order < 0;
    if (a->at.line != b->at.line) return a->at.line < b->at.line;
    return a->at.column < b->at.column;
}

void errors_sort(struct error_list *errors)
{
    /* Insertion: stable, and a file has few errors. */
    for (size_t i = 1; i < errors->count; i++) {
        struct error item = errors->items[i];
        size_t k = i;
        for (; k > 0 && error_before(&item, &errors->items[k - 1]); k--)
            errors->items[k] = errors->items[k - 1];
        errors->items[k] = item;
    }
}

void errors_deinit(struct error_list *errors)
{
    for (size_t i = 0; i < errors->count; i++) {
        free((char *)errors->items[i].at.origin);
        free(errors->items[i].place);
        free(errors->items[i].message);
    }
    free(errors->items);
    *errors = (struct error_list){0};
}

/* ---- tree ---- */

const char *const tree_kind_words[] = {"one value", "a list", "a mapping", NULL};

struct tree_node *tree_text(struct arena *arena, struct position at, const char *text)
{
    struct tree_node *node = arena_alloc(arena, sizeof *node);
    node->kind = TREE_TEXT;
    node->at = at;
    node->text = text;
    return node;
}

struct tree_node *tree_collection(struct arena *arena, enum tree_kind kind, struct position at)
{
    struct tree_node *node = arena_alloc(arena, sizeof *node);
    node->kind = kind;
    node->at = at;
    return node;
}

struct tree_entry *tree_entry_find(const struct tree_node *node, const char *key)
{
    if (!node || node->kind != TREE_MAP) return NULL;
    for (uint32_t i = 0; i < node->count; i++)
        if (strcmp(node->entries[i].key, key) == 0) return &node->entries[i];
    return NULL;
}

struct tree_node *tree_get(const struct tree_node *node, const char *key)
{
    struct tree_entry *entry = tree_entry_find(node, key);
    return entry ? entry->value : NULL;
}

const char *tree_get_text(const struct tree_node *node, const char *key)
{
    const struct tree_node *value = tree_get(node, key);
    return value && value->kind == TREE_TEXT && !value->is_null ? value->text : NULL;
}

void tree_append(struct arena *arena, struct tree_node *node, const char *key,
                 struct position at, struct tree_node *value)
{
    if (node->count == node->capacity) {
        uint32_t capacity = node->capacity ? node->capacity * 2 : 4;
        struct tree_entry *entries = arena_alloc(arena, capacity * sizeof *entries);
        if (node->count) memcpy(entries, node->entries, node->count * sizeof *entries);
        node->entries = entries;
        node->capacity = capacity;
    }
    node->entries[node->count] = (struct tree_entry){key, at, value, node->count};
    node->count++;
}

void tree_remove(struct tree_node *node, uint32_t index)
{
    memmove(node->entries + index, node->entries + index + 1,
            (node->count - index - 1) * sizeof *node->entries);
    node->count--;
}

void tree_drop(struct arena *arena, struct tree_node *node, uint32_t index, const char *key)
{
    if (node->kind == TREE_MAP) {
        struct tree_bad *bad = arena_alloc(arena, sizeof *bad);
        *bad = (struct tree_bad){key ? key : "*", node->bad};
        node->bad = bad;
    }
    tree_remove(node, index);
}

bool tree_misses(const struct tree_node *node, const char *key)
{
    if (tree_get(node, key)) return false;
    for (const struct tree_bad *bad = node->bad; bad; bad = bad->next)
        if (strcmp(bad->key, key) == 0 || strcmp(bad->key, "*") == 0) return false;
    return true;
}

struct tree_node *tree_copy(struct arena *arena, const struct tree_node *node)
{
    struct tree_node *copy = arena_alloc(arena, sizeof *copy);
    *copy = *node;
    if (node->count) {
        copy->entries = arena_alloc(arena, node->count * sizeof *copy->entries);
        copy->capacity = node->count;
        for (uint32_t i = 0; i < node->count; i++) {
            copy->entries[i] = node->entries[i];
            copy->entries[i].value = tree_copy(arena, node->entries[i].value);
        }
    }
    return copy;
}

/* ---- writing ---- */

struct text {
    char *data;
    size_t size, capacity;
};

static void text_add(struct text *text, const char *data, size_t size)
{
    if (text->size + size + 1 > text->capacity) {
        text->capacity = (text->size + size + 1) * 2;
        text->data = xrealloc(text->data, text->capacity);
    }
    memcpy(text->data + text->size, data, size);
    text->size += size;
    text->data[text->size] = '\0';
}

static void text_add_string(struct text *text, const char *string)
{
    text_add(text, string, strlen(string));
}

/* Plain in flow context: nothing that YAML could read otherwise. */
static bool is_plain(const char *s)
{
    if (!*s || strcmp(s, "~") == 0 || strcmp(s, "null") == 0 || *s == '-' || *s == '%' ||
        *s == '@' || *s == '<')
        return false;
    for (; *s; s++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.%/@+-<",
                    *s))
            return false;
    return true;
}

static void write_scalar(struct text *out, const char *s, bool quote)
{
    if (!quote && is_plain(s)) {
        text_add_string(out, s);
        return;
    }
    text_add(out, "\"", 1);
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        char escaped[8];
        if (c == '"' || c == '\\') {
            escaped[0] = '\\';
            escaped[1] = (char)c;
            text_add(out, escaped, 2);
        } else if (c < 0x20 || c == 0x7f) {
            snprintf(escaped, sizeof escaped, "\\x%02x", c);
            text_add(out, escaped, 4);
        } else {
            text_add(out, s, 1);
        }
    }
    text_add(out, "\"", 1);
}

static void write_node(struct text *out, const struct tree_node *node, bool quote)
{
    if (node->kind == TREE_TEXT) {
        if (node->is_null && !quote)
            text_add_string(out, "null");
        else
            write_scalar(out, node->text, quote);
        return;
    }
    text_add_string(out, node->kind == TREE_MAP ? "{" : "[");
    for (uint32_t i = 0; i < node->count; i++) {
        if (i) text_add_string(out, ", ");
        if (node->kind == TREE_MAP) {
            write_scalar(out, node->entries[i].key, quote);
            text_add_string(out, ": ");
        }
        write_node(out, node->entries[i].value, quote);
    }
    text_add_string(out, node->kind == TREE_MAP ? "}" : "]");
}

char *tree_write(struct arena *arena, const struct tree_node *node, bool quote_all)
{
    struct text out = {0};
    write_node(&out, node, quote_all);
    char *copy = arena_strdup(arena, out.data);
    free(out.data);
    return copy;
}

/* ---- reading ---- */

struct anchor {
    const char *name;
    struct tree_node *node;
    bool open;
};

struct reader {
    struct arena *arena;
    struct error_list *errors;
    const char *origin;
    yaml_parser_t parser;
    struct anchor *anchors;
    size_t anchors_count, anchors_capacity;
    uint32_t nodes;
    bool failed; /* an error after which reading ends */
};

static struct position position_of(const struct reader *reader, yaml_mark_t mark)
{
    return (struct position){reader->origin, (int)mark.line + 1, (int)mark.column + 1};
}

/* Bytes that libyaml would take for another encoding, or report without a place. */
static bool check_bytes(const char *text, size_t size, const char *origin,
                        struct error_list *errors)
{
    struct position at = {origin, 1, 1};
    const unsigned char *p = (const unsigned char *)text, *end = p + size;
    while (p < end) {
        size_t length = *p < 0x80                  ? 1
                        : *p >= 0xc2 && *p <= 0xdf ? 2
                        : (*p & 0xf0) == 0xe0      ? 3
                        : *p >= 0xf0 && *p <= 0xf4 ? 4
                                                   : 0;
        bool good = length > 0 && (size_t)(end - p) >= length;
        for (size_t i = 1; good && i < length; i++) good = (p[i] & 0xc0) == 0x80;
        if (good && length == 3)
            good = !(p[0] == 0xe0 && p[1] < 0xa0) && !(p[0] == 0xed && p[1] > 0x9f);
        if (good && length == 4)
            good = !(p[0] == 0xf0 && p[1] < 0x90) && !(p[0] == 0xf4 && p[1] > 0x8f);
        if (!good) {
            errors_add(errors, at, "", "byte 0x%02x is not UTF-8: save the file as UTF-8", *p);
            return false;
        }
        if (*p == '\0') {
            errors_add(errors, at, "", "a NUL byte: a scenario is text");
            return false;
        }
        if (*p == '\n') {
            at.line++;
            at.column = 1;
        } else {
            at.column++;
        }
        p += length;
    }
    return true;
}

static bool next_event(struct reader *reader, yaml_event_t *event)
{
    if (yaml_parser_parse(&reader->parser, event)) return true;
    const yaml_parser_t *p = &reader->parser;
    const char *problem = p->problem ? p->problem : "not YAML";
    struct position at = position_of(reader, p->problem_mark);
    const char *remedy = "";
    if (strstr(problem, "cannot start any token"))
        remedy = ": tabs don't indent in YAML, and @ and ` don't begin a word; write spaces, "
                 "or quote the text";
    if (p->context && p->context_mark.line)
        errors_add(reader->errors, at, "", "%s (%s, line %d)%s", problem, p->context,
                   (int)p->context_mark.line + 1, remedy);
    else
        errors_add(reader->errors, at, "", "%s%s%s%s", problem, p->context ? " " : "",
                   p->context ? p->context : "", remedy);
    reader->failed = true;
    return false;
}

static bool count_node(struct reader *reader, struct position at, uint32_t depth)
{
    if (depth > TREE_DEPTH_MAX) {
        errors_add(reader->errors, at, "", "nested deeper than %u levels", TREE_DEPTH_MAX);
        reader->failed = true;
    } else if (++reader->nodes > TREE_NODES_MAX) {
        errors_add(reader->errors, at, "",
                   "more than %u values (aliases count as what they stand for)",
                   TREE_NODES_MAX);
        reader->failed = true;
    }
    return !reader->failed;
}

static struct anchor *anchor_find(struct reader *reader, const char *name)
{
    for (size_t i = reader->anchors_count; i-- > 0;)
        if (strcmp(reader->anchors[i].name, name) == 0) return &reader->anchors[i];
    return NULL;
}

static size_t anchor_begin(struct reader *reader, const unsigned char *name,
                           struct tree_node *node)
{
    if (!name) return SIZE_MAX;
    if (reader->anchors_count == reader->anchors_capacity) {
        reader->anchors_capacity = reader->anchors_capacity ? reader->anchors_capacity * 2 : 8;
        reader->anchors =
            xrealloc(reader->anchors, reader->anchors_capacity * sizeof *reader->anchors);
    }
    reader->anchors[reader->anchors_count] =
        (struct anchor){arena_strdup(reader->arena, (const char *)name), node, true};
    return reader->anchors_count++;
}

/* Copies what an alias stands for, within the limits. */
static struct tree_node *expand(struct reader *reader, const struct tree_node *node,
                                uint32_t depth)
{
    if (!count_node(reader, node->at, depth)) return NULL;
    struct tree_node *copy = arena_alloc(reader->arena, sizeof *copy);
    *copy = *node;
    copy->entries = NULL;
    copy->count = copy->capacity = 0;
    for (uint32_t i = 0; i < node->count; i++) {
        struct tree_node *value = expand(reader, node->entries[i].value, depth + 1);
        if (!value) return NULL;
        tree_append(reader->arena, copy, node->entries[i].key, node->entries[i].at, value);
    }
    return copy;
}

static void refuse_tag(struct reader *reader, const unsigned char *tag, struct position at)
{
    if (tag && strcmp((const char *)tag, "!") != 0)
        errors_add(reader->errors, at, "", "tags (%s) have no meaning here: remove it", tag);
}

static struct tree_node *read_node(struct reader *reader, yaml_event_t *event, uint32_t depth);

/* One key of a mapping; NULL when it is no text (its value is still read and dropped). */
static const char *read_key(struct reader *reader, yaml_event_t *event, struct position at,
                            uint32_t depth)
{
    struct tree_node *key = read_node(reader, event, depth);
    if (!key) return NULL;
    if (key->kind != TREE_TEXT) {
        errors_add(reader->errors, at, "", "a key must be one word, not %s",
                   tree_kind_words[key->kind]);
        return NULL;
    }
    if (strcmp(key->text, "<<") == 0) {
        errors_add(reader->errors, at, "",
                   "merge keys (<<) are not supported: write the keys out");
        return NULL;
    }
    return key->text;
}

static void read_collection(struct reader *reader, struct tree_node *node, uint32_t depth)
{
    yaml_event_type_t end =
        node->kind == TREE_MAP ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
    for (;;) {
        yaml_event_t event;
        if (!next_event(reader, &event)) return;
        if (event.type == end) {
            yaml_event_delete(&event);
            return;
        }
        struct position at = position_of(reader, event.start_mark);
        const char *key = NULL;
        bool dropped = false;
        if (node->kind == TREE_MAP) {
            key = read_key(reader, &event, at, depth + 1);
            dropped = !key;
            if (reader->failed) return;
            const struct tree_entry *first = key ? tree_entry_find(node, key) : NULL;
            if (node->count == MAPPING_KEYS_MAX) {
                errors_add(reader->errors, at, "", "more than %u keys in one mapping",
                           MAPPING_KEYS_MAX);
                reader->failed = true;
                return;
            }
            if (first) {
                errors_add(
                    reader->errors, at, "",
                    "key '%s' stands twice in one mapping (first in line %d): remove one", key,
                    first->at.line);
                dropped = true;
            }
            if (!next_event(reader, &event)) return;
        }
        struct tree_node *value = read_node(reader, &event, depth + 1);
        if (reader->failed) return;
        if (value && !dropped) tree_append(reader->arena, node, key, at, value); /* I2 */
    }
}

/* Consumes the event and what belongs to it. NULL: nothing that could be used (reported). */
static struct tree_node *read_node(struct reader *reader, yaml_event_t *event, uint32_t depth)
{
    struct position at = position_of(reader, event->start_mark);
    struct tree_node *node = NULL;
    size_t anchor = SIZE_MAX;
    switch (event->type) {
    case YAML_ALIAS_EVENT: {
        const struct anchor *target =
            anchor_find(reader, (const char *)event->data.alias.anchor);
        if (!target)
            errors_add(reader->errors, at, "", "alias *%s: no such anchor above",
                       event->data.alias.anchor);
        else if (target->open)
            errors_add(reader->errors, at, "", "alias *%s stands inside its own anchor",
                       event->data.alias.anchor);
        else
            node = expand(reader, target->node, depth);
        yaml_event_delete(event);
        return node;
    }
    case YAML_SCALAR_EVENT:
        if (count_node(reader, at, depth)) {
            const char *value = (const char *)event->data.scalar.value;
            node = tree_text(reader->arena, at, arena_strdup(reader->arena, value));
            bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
            node->is_null =
                plain && (!*value || strcmp(value, "~") == 0 || strcmp(value, "null") == 0);
            if (strlen(value) != event->data.scalar.length)
                errors_add(reader->errors, at, "", "a NUL in a text");
            refuse_tag(reader, event->data.scalar.tag, at);
            anchor = anchor_begin(reader, event->data.scalar.anchor, node);
        }
        yaml_event_delete(event);
        break;
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT: {
        bool is_map = event->type == YAML_MAPPING_START_EVENT;
        if (count_node(reader, at, depth)) {
            node = tree_collection(reader->arena, is_map ? TREE_MAP : TREE_LIST, at);
            refuse_tag(reader,
                       is_map ? event->data.mapping_start.tag : event->data.sequence_start.tag,
                       at);
            anchor = anchor_begin(reader,
                                  is_map ? event->data.mapping_start.anchor
                                         : event->data.sequence_start.anchor,
                                  node);
        }
        yaml_event_delete(event);
        if (node) read_collection(reader, node, depth);
        break;
    }
    default:
        yaml_event_delete(event);
        reader->failed = true;
        break;
    }
    if (anchor != SIZE_MAX) reader->anchors[anchor].open = false;
    return reader->failed ? NULL : node;
}

static struct tree_node *read_stream(struct reader *reader)
{
    struct tree_node *root = NULL;
    for (;;) {
        yaml_event_t event;
        if (!next_event(reader, &event)) return NULL;
        struct position at = position_of(reader, event.start_mark);
        switch (event.type) {
        case YAML_STREAM_END_EVENT: yaml_event_delete(&event); return root;
        case YAML_DOCUMENT_START_EVENT:
            yaml_event_delete(&event);
            if (root) {
                errors_add(reader->errors, at, "",
                           "a second document: one file holds one scenario");
                return NULL;
            }
            if (!next_event(reader, &event)) return NULL;
            root = read_node(reader, &event, 1);
            if (!root) return NULL;
            break;
        default: yaml_event_delete(&event); break;
        }
    }
}

struct tree_node *tree_parse(struct arena *arena, const char *text, size_t size,
                             const char *origin, struct error_list *errors)
{
    struct position start = {origin, 1, 1};
    if (size > TREE_BYTES_MAX) {
        errors_add(errors, start, "", "larger than 1 MiB: not a scenario");
        return NULL;
    }
    if (!check_bytes(text, size, origin, errors)) return NULL;
    struct reader reader = {.arena = arena, .errors = errors, .origin = origin};
    if (!yaml_parser_initialize(&reader.parser)) return NULL;
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, size);
    size_t before = errors->count;
    struct tree_node *root = read_stream(&reader);
    if (!root && errors->count == before)
        errors_add(errors, start, "",
                   origin ? "has no value: write null to remove"
                          : "the file is empty: a scenario has at least name, duration, "
                            "cluster, engine and replication");
    yaml_parser_delete(&reader.parser);
    free(reader.anchors);
    return root;
}
