/* Histories as maps, one an event: Jepsen's EDN (jepsen.io; also Knossos, Elle, Porcupine's kv
 * logs and Maelstrom), and the same as JSON.
 *
 *     {:process 3, :type :invoke, :f :cas, :value [1 2], :time 341, :index 7}
 *
 * in a vector, or one a line. `type` is invoke, ok, fail or info. An independent history names
 * the key in the value, [key value]; a store names it in :key. A transaction (`f` txn, or a
 * value of micro-operations [:r k nil] [:w k 1] [:append k 1]) is judged when it has one
 * operation; of more the first is remembered, and the caller says that it is out of scope.
 *
 * Whether values are [key value] is decided by the first operation that writes: a vector of
 * two, or a compare-and-set whose second item is a vector; where only reads are met, by one
 * that asks for [key nil]. When a later value is none, the vectors were plain values, and the
 * file is read again that way.
 *
 * :session is ours (edn_write.c): the process whose order an operation keeps, where it had to
 * be given another number. A first line EDN_NO_TIME says that the order of events is no time.
 */
#include <string.h>

#include "sim/foreign/builder.h"

#define LOOK_AHEAD 1000 /* forms that the decision may need */

struct word {
    const char *text;
    enum op_kind kind;
};
static const struct word words[] = {
    {"read", OP_READ},
    {"r", OP_READ},
    {"get", OP_READ},
    {"write", OP_WRITE},
    {"w", OP_WRITE},
    {"put", OP_WRITE},
    {"set", OP_WRITE},
    {"cas", OP_COMPARE_AND_SET},
    {"compare-and-set", OP_COMPARE_AND_SET},
    {"insert", OP_INSERT},
    {"delete", OP_DELETE},
    {"add", OP_ADD},
    {"inc", OP_ADD},
    {"remove", OP_REMOVE},
    {"enqueue", OP_ENQUEUE},
    {"dequeue", OP_DEQUEUE},
    {"append", OP_APPEND},
    {"acquire", OP_ACQUIRE},
    {"lock", OP_ACQUIRE},
    {"release", OP_RELEASE},
    {"unlock", OP_RELEASE},
};
#define WORDS (sizeof words / sizeof *words)

struct shape {
    bool is_independent, is_decided;
    bool is_refuted; /* some value was no [key value] after all */
};

static const struct word *word_find(const struct datum *f)
{
    for (size_t i = 0; i < WORDS; i++)
        if (datum_is(f, words[i].text)) return &words[i];
    return NULL;
}

static bool is_vector(const struct datum *d, uint32_t count)
{
    return d && d->kind == DATUM_VECTOR && d->count == count;
}

/* ---- what the file is ---- */

static void look(struct shape *shape, struct builder *b, const struct datum *form)
{
    const struct datum *f = datum_get(form, "f"), *value = datum_get(form, "value"),
                       *type = datum_get(form, "type");
    const struct word *word = f ? word_find(f) : NULL;
    if (!word) return;
    if (datum_get(form, "key")) {
        b->is_store = true;
        shape->is_decided = true;
        if (word->kind == OP_APPEND) b->is_text = true;
        return;
    }
    if (!value || value->kind == DATUM_NIL) return;
    switch (word->kind) {
    case OP_READ:
        /* Plain reads ask for nothing. Not enough to decide, if writes say otherwise. */
        shape->is_independent |= is_vector(value, 2) && value->items[1].kind == DATUM_NIL &&
                                 type && datum_is(type, "invoke");
        break;
    case OP_WRITE:
    case OP_ADD:
    case OP_REMOVE:
    case OP_APPEND:
    case OP_ENQUEUE:
    case OP_ACQUIRE:
    case OP_RELEASE:
        shape->is_independent = is_vector(value, 2);
        shape->is_decided = true;
        break;
    case OP_COMPARE_AND_SET:
        shape->is_independent = is_vector(value, 2) && is_vector(&value->items[1], 2);
        shape->is_decided = true;
        break;
    default: break;
    }
}

static void look_ahead(struct shape *shape, struct builder *b, struct datum_parser parser)
{
    struct datum form;
    parser.blocks = NULL;
    parser.stack = NULL;
    parser.stack_capacity = 0;
    for (int i = 0; i < LOOK_AHEAD && !shape->is_decided && datum_next(&parser, &form) == 1;
         i++)
        look(shape, b, &form);
    /* A store may append later than its first put. */
    for (int i = 0;
         i < LOOK_AHEAD && b->is_store && !b->is_text && datum_next(&parser, &form) == 1; i++)
        look(shape, b, &form);
    datum_parser_deinit(&parser);
}

/* ---- events ---- */

static bool is_transaction(const struct datum *f, const struct datum *value)
{
    if (f && (datum_is(f, "txn") || datum_is(f, "transfer"))) return true;
    if (f && f->kind != DATUM_NIL) return false;
    return value && value->kind == DATUM_VECTOR && value->count &&
           value->items[0].kind == DATUM_VECTOR;
}

static bool event_word(struct builder *b, const struct datum *f, struct event *event)
{
    const struct word *word = word_find(f);
    if (word) {
        event->kind = word->kind;
        return true;
    }
    const char *names[WORDS + 1];
    for (size_t i = 0; i < WORDS; i++) names[i] = words[i].text;
    names[WORDS] = NULL;
    return builder_unknown(b, f, "operation", names,
                           "read, write, cas, add, remove, append, enqueue, dequeue, acquire, "
                           "release, txn");
}

/* A transaction of one micro-operation as that operation. */
static bool event_transaction(struct builder *b, const struct datum *value, struct event *event,
                              bool *is_skipped)
{
    *is_skipped = false;
    if (!is_vector(value, 1) || value->items[0].kind != DATUM_VECTOR ||
        value->items[0].count != 3) {
        if (!b->out->transaction_line) b->out->transaction_line = event->line;
        *is_skipped = true;
        return true;
    }
    const struct datum *items = value->items[0].items;
    if (!event_word(b, &items[0], event)) return false;
    event->key = builder_key_datum(b, &items[1]);
    event->value = &items[2];
    return true;
}

static bool form_read(struct builder *b, struct shape *shape, const struct datum *form)
{
    static const char *const types[] = {"invoke", "ok", "fail", "info", NULL};
    struct event event = {.line = form->line};
    if (form->kind != DATUM_MAP)
        return builder_fail(b, form->line, form->column, "an event is a map; this is none");
    const struct datum *process = datum_get(form, "process"), *type = datum_get(form, "type"),
                       *f = datum_get(form, "f"), *value = datum_get(form, "value"),
                       *key = datum_get(form, "key"), *session = datum_get(form, "session");
    if (!type)
        return builder_fail(b, form->line, form->column,
                            "an event without :type (invoke, ok, fail or info)");
    size_t t = 0;
    while (t < 4 && !datum_is(type, types[t])) t++;
    if (t == 4) return builder_unknown(b, type, "type", types, "invoke, ok, fail, info");
    event.type = (enum event_type)t;
    if (process && process->kind != DATUM_INT) {
        b->out->skipped++; /* :nemesis and its like */
        return true;
    }
    if (is_transaction(f, value) && !process && value && value->count > 1) {
        if (!b->out->transaction_line) b->out->transaction_line = form->line;
        return true;
    }
    if (!process) return builder_fail(b, form->line, form->column, "an event without :process");
    if (!f && !is_transaction(f, value))
        return builder_fail(b, form->line, form->column,
                            "an event without :f: which operation is it?");
    event.thread = builder_thread(b, process->number);
    event.process = builder_process(b, session && session->kind == DATUM_INT ? session->number
                                                                             : process->number);
    event.value = value;
    if (is_transaction(f, value)) {
        bool is_skipped;
        if (!event_transaction(b, value, &event, &is_skipped)) return false;
        return is_skipped || builder_event(b, &event);
    }
    if (!event_word(b, f, &event)) return false;
    if (key) {
        event.key = builder_key_datum(b, key);
    } else if (shape->is_independent && value && value->kind != DATUM_NIL) {
        if (!is_vector(value, 2)) {
            shape->is_refuted = true;
            return false;
        }
        event.key = builder_key_datum(b, &value->items[0]);
        event.value = &value->items[1];
    } else {
        event.key = builder_key(b, "", 0);
    }
    return builder_event(b, &event);
}

static bool forms_read(struct builder *b, enum datum_syntax syntax, const char *text,
                       size_t size, struct shape *shape)
{
    struct datum_parser parser;
    struct datum form;
    int did;
    bool is_read = true;
    datum_parser_init(&parser, syntax, text, size);
    datum_open(&parser);
    bool was_refuted = shape->is_refuted;
    look_ahead(shape, b, parser);
    if (was_refuted) {
        shape->is_independent = shape->is_refuted = false;
        shape->is_decided = true;
    }
    while (is_read && (did = datum_next(&parser, &form)) != 0) {
        if (did < 0)
            is_read =
                builder_fail(b, parser.error_line, parser.error_column, "%s", parser.error);
        else
            is_read = form_read(b, shape, &form);
    }
    datum_parser_deinit(&parser);
    return is_read;
}

bool foreign_read_forms(struct builder *b, enum datum_syntax syntax, const char *text,
                        size_t size)
{
    struct shape shape = {0};
    bool is_read = forms_read(b, syntax, text, size, &shape);
    if (is_read || !shape.is_refuted) return is_read;
    builder_restart(b);
    return forms_read(b, syntax, text, size, &shape);
}
