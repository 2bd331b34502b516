/* Building operations from whatever a format says. See builder.h.
 *
 * A value's id is that of (key, value), so 17 under x and 17 under y differ (values.c). Ids are
 * given in order of first sight; id 0 is the initial value and has no text.
 *
 * Pairing. An invocation opens an operation of its process; ok, fail and info close it. Info,
 * or nothing at all, leaves it unknown. A second invocation of a process that has one open is
 * noted, and the first stays unknown. A completion without invocation is noted; one that
 * answered may have begun at any earlier time.
 *
 * The type of the objects follows from the operations that occur: enqueue or dequeue, queue;
 * append, list (of strings: text); acquire, lock; add with reads of many, set, with reads of a
 * number, counter; else register.
 */
#include "sim/foreign/builder.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/kernel/check.h"
#include "sim/kernel/nearest.h"
#include "sim/record/names.h"

#define NOTES_MAX 20
#define BEFORE_ALL (INT64_MIN + 1)

struct foreign_names {
    struct history_names *keys, *processes;
    struct value_table *values;
};

/* ---- errors and notes ---- */

bool builder_fail(struct builder *b, uint32_t line, uint32_t column, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(b->out->error, sizeof b->out->error, format, arguments);
    va_end(arguments);
    b->out->error_line = line;
    b->out->error_column = column;
    return false;
}

bool builder_unknown(struct builder *b, const struct datum *word, const char *what,
                     const char *const *words, const char *all)
{
    bool has_text = word->kind == DATUM_WORD || word->kind == DATUM_STRING;
    const char *text = has_text ? word->text : "";
    size_t size = has_text ? word->count : 0, colon = size && *text == ':';
    const char *near = nearest_text(text + colon, size - colon, words);
    if (!has_text)
        return builder_fail(b, word->line, word->column, "%s should be one of %s", what, all);
    return builder_fail(b, word->line, word->column,
                        near ? "%s '%.*s' is unknown (did you mean '%s'?)"
                             : "%s '%.*s' is unknown (there are %s)",
                        what, (int)(size < 40 ? size : 40), text, near ? near : all);
}

void builder_note(struct builder *b, uint32_t line, const char *format, ...)
{
    char text[256];
    if (b->out->notes_count == NOTES_MAX) {
        b->out->notes_unsaid++;
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    b->out->notes = xrealloc(b->out->notes, (b->out->notes_count + 1) * sizeof *b->out->notes);
    b->out->notes[b->out->notes_count++] = (struct foreign_note){line, xstrdup(text)};
}

/* ---- names ---- */

uint32_t builder_key(struct builder *b, const char *text, size_t size)
{
    int64_t number;
    return number_canonical(text, size, &number) ? builder_key_number(b, number)
                                                 : names_intern(b->keys, text, size);
}

/* The id of a number, through the table of small ones. */
static uint32_t number_intern(struct history_names *names, uint32_t *small, int64_t number)
{
    char text[24];
    bool is_small = (uint64_t)number < SMALL_NUMBERS;
    if (is_small && small[number]) return small[number] - 1;
    uint32_t id =
        names_intern(names, text, (size_t)snprintf(text, sizeof text, "%" PRId64, number));
    if (is_small) small[number] = id + 1;
    return id;
}

uint32_t builder_key_number(struct builder *b, int64_t number)
{
    return number_intern(b->keys, b->small_keys, number);
}

uint32_t builder_process(struct builder *b, int64_t number)
{
    return number_intern(b->processes, b->small_processes, number);
}

uint32_t builder_thread(struct builder *b, int64_t number)
{
    uint32_t thread = number_intern(b->threads, b->small_threads, number);
    while (thread >= b->open_capacity) {
        size_t capacity = b->open_capacity ? b->open_capacity * 2 : 64;
        b->open = xrealloc(b->open, capacity * sizeof *b->open);
        for (size_t i = b->open_capacity; i < capacity; i++) b->open[i] = NO_OPERATION;
        b->open_capacity = capacity;
    }
    return thread;
}

static void scratch_append(struct builder *b, const char *text, size_t size)
{
    if (b->scratch_size + size > b->scratch_capacity) {
        b->scratch_capacity = (b->scratch_size + size) * 2;
        b->scratch = xrealloc(b->scratch, b->scratch_capacity);
    }
    if (size) memcpy(b->scratch + b->scratch_size, text, size);
    b->scratch_size += size;
}

static void scratch_datum(struct builder *b, const struct datum *datum)
{
    char number[24];
    static const char *const brackets[] = {"[]", "#{}", "{}"};
    switch (datum->kind) {
    case DATUM_NIL: scratch_append(b, "nil", 3); return;
    case DATUM_BOOL:
        scratch_append(b, datum->number ? "true" : "false", datum->number ? 4 : 5);
        return;
    case DATUM_INT:
        scratch_append(b, number,
                       (size_t)snprintf(number, sizeof number, "%" PRId64, datum->number));
        return;
    case DATUM_WORD:
    case DATUM_STRING: scratch_append(b, datum->text, datum->count); return;
    default: break;
    }
    const char *pair = brackets[datum->kind - DATUM_VECTOR];
    size_t size = strlen(pair);
    scratch_append(b, pair, size - 1);
    for (uint32_t i = 0; i < datum->count; i++) {
        if (i) scratch_append(b, " ", 1);
        scratch_datum(b, &datum->items[i]);
    }
    scratch_append(b, pair + size - 1, 1);
}

uint64_t builder_value(struct builder *b, uint32_t key, const char *text, size_t size)
{
    int64_t number;
    return !b->is_store && number_canonical(text, size, &number)
               ? values_of_number(b->values, key, number)
               : values_of_text(b->values, key, text, size);
}

uint64_t builder_value_datum(struct builder *b, uint32_t key, const struct datum *datum)
{
    if (!datum || datum->kind == DATUM_NIL) return VALUE_NONE;
    if (datum->kind == DATUM_INT && !b->is_store)
        return values_of_number(b->values, key, datum->number);
    b->scratch_size = 0;
    scratch_datum(b, datum);
    return builder_value(b, key, b->scratch, b->scratch_size);
}

uint32_t builder_key_datum(struct builder *b, const struct datum *datum)
{
    if (datum->kind == DATUM_INT) return builder_key_number(b, datum->number);
    b->scratch_size = 0;
    scratch_datum(b, datum);
    return builder_key(b, b->scratch, b->scratch_size);
}

static const char *key_name(void *context, uint32_t key)
{
    const struct foreign_names *names = context;
    const char *text = names_text(names->keys, key, NULL);
    return *text ? text : NULL;
}

static const char *value_name(void *context, uint64_t value)
{
    const struct foreign_names *names = context;
    return value == VALUE_NONE ? NULL : values_name(names->values, value);
}

static const char *process_name(void *context, uint32_t process)
{
    static char text[48];
    const struct foreign_names *names = context;
    snprintf(text, sizeof text, "process %.38s", names_text(names->processes, process, NULL));
    return text;
}

/* ---- operations ---- */

struct op *builder_add(struct builder *b)
{
    if (b->count == b->capacity) {
        b->capacity = b->capacity ? b->capacity * 2 : 1024;
        b->items = xrealloc(b->items, b->capacity * sizeof *b->items);
    }
    struct op *op = &b->items[b->count++];
    memset(op, 0, sizeof *op);
    return op;
}

void builder_element(struct builder *b, struct op *op, uint64_t value)
{
    if (b->elements_count == b->elements_capacity) {
        b->elements_capacity = b->elements_capacity ? b->elements_capacity * 2 : 1024;
        b->elements = xrealloc(b->elements, b->elements_capacity * sizeof *b->elements);
    }
    if (op->count == 0) op->elements = (uint32_t)b->elements_count;
    b->elements[b->elements_count++] = value;
    op->count++;
}

static int element_compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* What an event says of the operation's value: written, expected, or answered. */
static bool value_take(struct builder *b, struct op *op, const struct event *event)
{
    const struct datum *value = event->value;
    if (!value || value->kind == DATUM_NIL) return true;
    switch (op->kind) {
    case OP_COMPARE_AND_SET:
        if (value->kind != DATUM_VECTOR || value->count != 2)
            return builder_fail(b, value->line, value->column,
                                "a compare-and-set needs [expected new]");
        op->expected = builder_value_datum(b, op->key, &value->items[0]);
        op->value = builder_value_datum(b, op->key, &value->items[1]);
        return true;
    case OP_READ:
        if (event->type == EVENT_INVOKE) return true; /* what it hopes for says nothing */
        if (value->kind == DATUM_VECTOR || value->kind == DATUM_SET) {
            b->reads_many = true;
            op->count = 0;
            op->seen = 1u + (uint64_t)(value->kind - DATUM_VECTOR); /* see answers_join */
            for (uint32_t i = 0; i < value->count; i++)
                builder_element(b, op, builder_value_datum(b, op->key, &value->items[i]));
            return true;
        }
        b->reads_numbers |= value->kind == DATUM_INT;
        op->amount = value->kind == DATUM_INT ? value->number : 0;
        break;
    case OP_ADD:
        b->adds_other |= value->kind != DATUM_INT;
        op->amount = value->kind == DATUM_INT ? value->number : 0;
        break;
    default: break;
    }
    op->value = builder_value_datum(b, op->key, value);
    if (b->is_store && value->kind == DATUM_STRING && value->count == 0) op->value = VALUE_NONE;
    return true;
}

static bool complete(struct builder *b, struct op *op, const struct event *event)
{
    op->complete = b->position++;
    switch (event->type) {
    case EVENT_OK:
        op->result = RESULT_OK;
        /* A write may be answered without its value, or with it again. */
        if (op->kind == OP_READ || op->kind == OP_DEQUEUE) return value_take(b, op, event);
        return true;
    case EVENT_FAIL:
        op->result = RESULT_VOID;
        if (op->kind == OP_COMPARE_AND_SET) {
            b->has_failed_cas = true;
            if (b->options->failed_cas == FAILED_CAS_CONSTRAINT) op->result = RESULT_FAIL;
        }
        return true;
    default:
        op->result = RESULT_UNKNOWN;
        op->complete = OP_OPEN;
        return true;
    }
}

bool builder_event(struct builder *b, const struct event *event)
{
    uint32_t *open = &b->open[event->thread];
    size_t size;
    const char *process = names_text(b->threads, event->thread, &size);
    if (event->type == EVENT_INVOKE) {
        if (*open != NO_OPERATION)
            builder_note(b, event->line,
                         "process %.40s begins an operation while that of line %" PRIu32
                         " is open: both are taken as concurrent, the first as never answered",
                         process, b->items[*open].line);
        struct op *op = builder_add(b);
        *open = (uint32_t)b->count - 1;
        op->kind = (uint8_t)event->kind;
        op->key = event->key;
        op->process = event->process;
        op->line = event->line;
        op->invoke = b->position++;
        op->complete = OP_OPEN;
        op->result = RESULT_UNKNOWN;
        b->kinds |= 1u << event->kind;
        return value_take(b, op, event);
    }
    if (*open == NO_OPERATION) {
        if (event->type == EVENT_INFO) {
            b->out->skipped++; /* what a process says besides its operations */
            return true;
        }
        builder_note(b, event->line,
                     "process %.40s completes an operation that it never invoked: it may have "
                     "begun at any earlier time",
                     process);
        if (event->type == EVENT_FAIL) return true;
        struct event invoke = *event;
        invoke.type = EVENT_INVOKE;
        if (!builder_event(b, &invoke)) return false;
        b->items[*open].invoke = BEFORE_ALL;
    }
    struct op *op = &b->items[*open];
    if (op->kind != event->kind) {
        builder_note(b, event->line,
                     "process %.40s completes a %s, but what it has open since line %" PRIu32
                     " is a %s",
                     process, op_kind_words[event->kind], op->line, op_kind_words[op->kind]);
    }
    *open = NO_OPERATION;
    return complete(b, op, event);
}

/* ---- life ---- */

void builder_init(struct builder *b, const struct foreign_options *options, struct foreign *out)
{
    memset(b, 0, sizeof *b);
    b->out = out;
    b->options = options;
    b->keys = names_create();
    b->values = values_create();
    b->processes = names_create();
    b->threads = names_create();
}

void builder_deinit(struct builder *b)
{
    names_destroy(b->keys);
    values_destroy(b->values);
    names_destroy(b->processes);
    names_destroy(b->threads);
    free(b->items);
    free(b->elements);
    free(b->open);
    free(b->scratch);
}

void builder_restart(struct builder *b)
{
    const struct foreign_options *options = b->options;
    struct foreign *out = b->out;
    const char *format = out->format;
    builder_deinit(b);
    foreign_deinit(out);
    out->format = format;
    builder_init(b, options, out);
}

static enum object_type type_guess(const struct builder *b)
{
    uint32_t kinds = b->kinds;
    if (kinds & (1u << OP_ENQUEUE | 1u << OP_DEQUEUE)) return OBJECT_QUEUE;
    if (b->is_text) return OBJECT_TEXT;
    if (kinds & 1u << OP_APPEND) return OBJECT_LIST;
    if (kinds & (1u << OP_ACQUIRE | 1u << OP_RELEASE)) return OBJECT_LOCK;
    if (kinds & (1u << OP_ADD | 1u << OP_REMOVE))
        return b->reads_many || b->adds_other || kinds & 1u << OP_REMOVE || !b->reads_numbers
                   ? OBJECT_SET
                   : OBJECT_COUNTER;
    return OBJECT_REGISTER;
}

/* Whether the operations are those of the type that was demanded; false: the error is set. */
static bool type_fits(struct builder *b, enum object_type type)
{
    static const uint32_t kinds[OBJECT_TYPES] = {
        [OBJECT_REGISTER] = 1u << OP_READ | 1u << OP_WRITE | 1u << OP_COMPARE_AND_SET |
                            1u << OP_INSERT | 1u << OP_DELETE,
        [OBJECT_SET] = 1u << OP_READ | 1u << OP_ADD | 1u << OP_REMOVE,
        [OBJECT_COUNTER] = 1u << OP_READ | 1u << OP_ADD,
        [OBJECT_QUEUE] = 1u << OP_ENQUEUE | 1u << OP_DEQUEUE,
        [OBJECT_LIST] = 1u << OP_READ | 1u << OP_APPEND,
        [OBJECT_TEXT] = 1u << OP_READ | 1u << OP_WRITE | 1u << OP_APPEND,
        [OBJECT_LOCK] = 1u << OP_ACQUIRE | 1u << OP_RELEASE,
    };
    for (size_t i = 0; i < b->count; i++)
        if (!(kinds[type] & 1u << b->items[i].kind))
            return builder_fail(b, b->items[i].line, 1, "a %s has no operation '%s'",
                                object_type_words[type], op_kind_words[b->items[i].kind]);
    return type != OBJECT_COUNTER || !b->adds_other ||
           builder_fail(b, 1, 1, "a counter adds numbers; here something else is added");
}

/* A register that held a vector was read like a list; its value is the vector's text. */
static void answers_join(struct builder *b, enum object_type type)
{
    for (size_t i = 0; i < b->count && b->reads_many; i++) {
        struct op *op = &b->items[i];
        if (op->kind != OP_READ || op->has_seen || !op->seen) continue;
        bool is_set = op->seen == 2;
        op->seen = 0;
        if (type != OBJECT_REGISTER) continue;
        b->scratch_size = 0;
        scratch_append(b, is_set ? "#{" : "[", is_set ? 2 : 1);
        for (uint32_t e = 0; e < op->count; e++) {
            uint64_t value = b->elements[op->elements + e];
            const char *text = value == VALUE_NONE ? "nil" : values_name(b->values, value);
            if (e) scratch_append(b, " ", 1);
            scratch_append(b, text, strlen(text));
        }
        scratch_append(b, is_set ? "}" : "]", 1);
        op->value = builder_value(b, op->key, b->scratch, b->scratch_size);
        op->elements = op->count = 0;
    }
}

static int by_invoke(const void *left, const void *right)
{
    const struct op *a = left, *b = right;
    if (a->invoke != b->invoke) return a->invoke < b->invoke ? -1 : 1;
    return (a->line > b->line) - (a->line < b->line);
}

bool builder_finish(struct builder *b)
{
    struct ops *operations = &b->out->operations;
    operations->type = b->options->has_type ? b->options->type : type_guess(b);
    if (b->options->has_type && !type_fits(b, operations->type)) return false;
    answers_join(b, operations->type);
    if (operations->type == OBJECT_SET)
        for (size_t i = 0; i < b->count; i++)
            if (b->items[i].count > 1)
                qsort(b->elements + b->items[i].elements, b->items[i].count,
                      sizeof *b->elements, element_compare);
    for (size_t i = 1; i < b->count; i++)
        if (by_invoke(&b->items[i - 1], &b->items[i]) > 0) {
            qsort(b->items, b->count, sizeof *b->items, by_invoke);
            break;
        }
    struct foreign_names *names = xmalloc(sizeof *names);
    *names = (struct foreign_names){b->keys, b->processes, b->values};
    operations->items = b->items;
    operations->count = b->count;
    operations->elements = b->elements;
    operations->elements_count = b->elements_count;
    operations->keys = names_count(b->keys);
    operations->processes = names_count(b->processes);
    operations->values = values_count(b->values) + 1;
    operations->key_name = key_name;
    operations->value_name = value_name;
    operations->process_name = process_name;
    operations->names = names;
    b->out->names = names;
    if (b->has_failed_cas)
        b->out->failed_cas = b->options->failed_cas == FAILED_CAS_CONSTRAINT
                                 ? "the value was not the expected one"
                                 : "it did not happen";
    b->keys = b->processes = NULL;
    b->values = NULL;
    b->items = NULL;
    b->elements = NULL;
    return true;
}

void foreign_deinit(struct foreign *foreign)
{
    if (!foreign->history) {
        free(foreign->operations.items);
        free(foreign->operations.elements);
    }
    foreign_history_free(foreign->history);
    if (foreign->names) {
        names_destroy(foreign->names->keys);
        values_destroy(foreign->names->values);
        names_destroy(foreign->names->processes);
        free(foreign->names);
    }
    for (size_t i = 0; i < foreign->notes_count; i++) free(foreign->notes[i].text);
    free(foreign->notes);
    memset(foreign, 0, sizeof *foreign);
}
