/* Building the witness of a verdict, and the words for it. See witness.h. */
#include "sim/check/witness.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAID_SIZE 160
#define SAID_COUNT 8

/* ---- building ---- */

static int by_index(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

void witness_set(struct model_verdict *verdict, const struct ops *operations,
                 const uint32_t *ops, size_t count)
{
    CHECK(operations->count < UINT32_MAX);
    verdict->witness = xrealloc(verdict->witness, (count + 1) * sizeof *verdict->witness);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (ops[i] != UINT32_MAX) verdict->witness[kept++] = ops[i];
    qsort(verdict->witness, kept, sizeof *verdict->witness, by_index);
    size_t unique = 0;
    for (size_t i = 0; i < kept; i++)
        if (!unique || verdict->witness[unique - 1] != verdict->witness[i])
            verdict->witness[unique++] = verdict->witness[i];
    verdict->witness_count = unique;
    verdict->edges_count = 0;
}

void witness_edge(struct model_verdict *verdict, uint32_t from, uint32_t to,
                  enum model_reason reason)
{
    if (from == UINT32_MAX || to == UINT32_MAX || from == to) return;
    for (size_t i = 0; i < verdict->edges_count; i++)
        if (verdict->edges[i].from == from && verdict->edges[i].to == to) return;
    verdict->edges =
        xrealloc(verdict->edges, (verdict->edges_count + 1) * sizeof *verdict->edges);
    verdict->edges[verdict->edges_count++] = (struct model_edge){from, to, reason};
}

void witness_explain(struct model_verdict *verdict, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    CHECK(size >= 0);
    char *text = xmalloc((size_t)size + 1);
    va_start(arguments, format);
    vsnprintf(text, (size_t)size + 1, format, arguments);
    va_end(arguments);
    free(verdict->explanation);
    verdict->explanation = text;
}

/* ---- words ---- */

static char *said(void)
{
    static char ring[SAID_COUNT][SAID_SIZE];
    static unsigned next;
    return ring[next++ % SAID_COUNT];
}

static void value_text(const struct ops *operations, uint64_t value, char *out, size_t size)
{
    const char *name =
        operations->value_name ? operations->value_name(operations->names, value) : NULL;
    if (name)
        snprintf(out, size, "%.40s", name);
    else if (value == VALUE_NONE)
        snprintf(out, size, "the initial value");
    else
        snprintf(out, size, "value %" PRIu64, value);
}

const char *say_written(const struct ops *operations, uint32_t op)
{
    char *out = said();
    value_text(operations, op == UINT32_MAX ? VALUE_NONE : operations->items[op].value, out,
               SAID_SIZE);
    return out;
}

const char *say_seen(const struct ops *operations, uint32_t op)
{
    char *out = said();
    const struct op *o = &operations->items[op];
    value_text(operations, o->result == RESULT_FAIL && o->has_seen ? o->seen : o->value, out,
               SAID_SIZE);
    return out;
}

const char *say_operation(const struct ops *operations, uint32_t op)
{
    char *out = said(), process[40], key[48];
    if (op == UINT32_MAX) return "the initial state";
    const struct op *o = &operations->items[op];
    const char *name = operations->process_name
                           ? operations->process_name(operations->names, o->process)
                           : NULL;
    if (name)
        snprintf(process, sizeof process, "%.38s", name);
    else
        snprintf(process, sizeof process, "process %" PRIu32, o->process);
    name = operations->key_name ? operations->key_name(operations->names, o->key) : NULL;
    if (name)
        snprintf(key, sizeof key, " on %.40s", name);
    else
        key[0] = '\0';
    snprintf(out, SAID_SIZE, "%s's %s%s (line %" PRIu32 ")", process, op_kind_words[o->kind],
             key, o->line);
    return out;
}
