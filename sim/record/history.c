/* The history of a run: an array of operations in order of invocation, beside it the values
 * they read, the attempts they made and the texts they name.
 *
 * Invariants.
 *   I1  ops[i].invoke_ns <= ops[i + 1].invoke_ns: index order is invocation order.
 *   I2  The values of an operation are contiguous: it adds all of them before another
 *       operation adds one.
 *   I3  Attempts are in order of sending while the run goes on; history_seal sorts them
 *       stably by operation (counting sort, linear).
 *   I4  After history_seal no operation is pending; what had not returned is unknown and open
 *       (return_ns = HISTORY_OPEN).
 *
 * A token takes effect at most once; this module believes it and the checks are built on it.
 */
#include "sim/record/history.h"

#include <stdlib.h>
#include <string.h>

#include "sim/kernel/arena.h"
#include "sim/kernel/check.h"
#include "sim/record/json.h"
#include "sim/record/names.h"

const char *const history_type_words[] = {
    "read",   "write", "delete", "compare_and_set", "insert", "resolve", "scan", "lock",
    "unlock", "bind",  NULL,
};
_Static_assert(sizeof history_type_words / sizeof history_type_words[0] == HISTORY_TYPES + 1,
               "a word for every type");

const char *const history_outcome_words[] = {"ok", "fail", "unknown", NULL};
_Static_assert(sizeof history_outcome_words / sizeof history_outcome_words[0] ==
                   OUTCOME_COUNT + 1,
               "a word for every outcome");

const char *const history_status_words[] = {
    "ok",         "not_found",   "mismatch",      "held",  "fenced",
    "not_leader", "unavailable", "indeterminate", "error", NULL,
};
_Static_assert(sizeof history_status_words / sizeof history_status_words[0] ==
                   HISTORY_STATUS_COUNT + 1,
               "a word for every status");

const char *const history_level_words[] = {"default", "local", "leader", NULL};
_Static_assert(sizeof history_level_words / sizeof history_level_words[0] ==
                   HISTORY_LEVEL_COUNT + 1,
               "a word for every level");

struct history *history_create(void)
{
    struct history *history = xcalloc(1, sizeof *history);
    history->names = names_create();
    return history;
}

void history_destroy(struct history *history)
{
    if (!history) return;
    names_destroy(history->names);
    free(history->ops);
    free(history->values);
    free(history->attempts);
    free(history->attempt_ops);
    free(history);
}

uint32_t history_intern(struct history *history, const char *text, size_t size)
{
    return names_intern(history->names, text, size);
}
uint32_t history_intern_string(struct history *history, const char *text)
{
    return names_intern(history->names, text, strlen(text));
}
const char *history_name(const struct history *history, uint32_t id, size_t *size)
{
    return names_text(history->names, id, size);
}
uint32_t history_names_count(const struct history *history)
{
    return names_count(history->names);
}

/* ---- recording ---- */

size_t history_invoke(struct history *history, const struct history_op *op)
{
    CHECK(!history->sealed);
    CHECK(op->type < HISTORY_TYPES);
    CHECK(history->count == 0 ||
          op->invoke_ns >= history->ops[history->count - 1].invoke_ns); /* I1 */
    CHECK(history->count < UINT32_MAX - 1);
    if (history->count == history->capacity) {
        history->capacity = history->capacity ? history->capacity * 2 : 1024;
        history->ops = xrealloc(history->ops, history->capacity * sizeof *history->ops);
    }
    struct history_op *added = &history->ops[history->count];
    *added = *op;
    added->return_ns = HISTORY_OPEN;
    added->outcome = OUTCOME_UNKNOWN;
    added->status = HISTORY_STATUS_NONE;
    added->values_start = added->values_count = 0;
    added->attempts_start = added->attempts_count = 0;
    added->pending = true;
    return history->count++;
}

void history_return(struct history *history, size_t index, int64_t now_ns,
                    enum history_outcome outcome)
{
    CHECK(index < history->count);
    struct history_op *op = &history->ops[index];
    CHECK(op->pending);
    CHECK(now_ns >= op->invoke_ns);
    CHECK(outcome < OUTCOME_COUNT);
    op->return_ns = now_ns;
    op->outcome = (uint8_t)outcome;
    op->pending = false;
    if (history->returned) history->returned(history->returned_context, index);
}

void history_value(struct history *history, size_t index, uint64_t value)
{
    CHECK(index < history->count);
    CHECK(!history->sealed);
    struct history_op *op = &history->ops[index];
    if (op->values_count == 0) op->values_start = (uint32_t)history->values_count;
    CHECK((size_t)op->values_start + op->values_count == history->values_count); /* I2 */
    CHECK(history->values_count < UINT32_MAX);
    if (history->values_count == history->values_capacity) {
        history->values_capacity =
            history->values_capacity ? history->values_capacity * 2 : 1024;
        history->values =
            xrealloc(history->values, history->values_capacity * sizeof *history->values);
    }
    history->values[history->values_count++] = value;
    op->values_count++;
}

size_t history_attempt_sent(struct history *history, size_t index, int64_t now_ns,
                            uint32_t node)
{
    CHECK(index < history->count);
    CHECK(!history->sealed);
    CHECK(history->attempts_count < UINT32_MAX);
    if (history->attempts_count == history->attempts_capacity) {
        history->attempts_capacity =
            history->attempts_capacity ? history->attempts_capacity * 2 : 1024;
        history->attempts =
            xrealloc(history->attempts, history->attempts_capacity * sizeof *history->attempts);
        history->attempt_ops = xrealloc(history->attempt_ops, history->attempts_capacity *
                                                                  sizeof *history->attempt_ops);
    }
    history->attempts[history->attempts_count] =
        (struct history_attempt){.sent_ns = now_ns,
                                 .answered_ns = HISTORY_OPEN,
                                 .node = node,
                                 .status = HISTORY_STATUS_NONE};
    history->attempt_ops[history->attempts_count] = (uint32_t)index;
    history->ops[index].attempts_count++;
    return history->attempts_count++;
}

void history_attempt_answered(struct history *history, size_t attempt, int64_t now_ns,
                              uint8_t status, uint64_t epoch)
{
    CHECK(attempt < history->attempts_count);
    CHECK(!history->sealed);
    struct history_attempt *answered = &history->attempts[attempt];
    answered->answered_ns = now_ns;
    answered->status = status;
    answered->epoch = epoch;
}

void history_seal(struct history *history)
{
    if (history->sealed) return;
    uint32_t start = 0;
    for (size_t i = 0; i < history->count; i++) {
        struct history_op *op = &history->ops[i];
        if (op->pending) { /* I4 */
            op->pending = false;
            op->outcome = OUTCOME_UNKNOWN;
            op->return_ns = HISTORY_OPEN;
        }
        op->attempts_start = start;
        start += op->attempts_count;
    }
    if (history->attempts_count) { /* I3 */
        struct history_attempt *sorted = xmalloc(history->attempts_count * sizeof *sorted);
        uint32_t *next = xmalloc(history->count * sizeof *next);
        for (size_t i = 0; i < history->count; i++) next[i] = history->ops[i].attempts_start;
        for (size_t i = 0; i < history->attempts_count; i++)
            sorted[next[history->attempt_ops[i]]++] = history->attempts[i];
        free(next);
        free(history->attempts);
        history->attempts = sorted;
        history->attempts_capacity = history->attempts_count;
    }
    free(history->attempt_ops);
    history->attempt_ops = NULL;
    history->sealed = true;
}

/* ---- history.jsonl (its fields are listed in README.md) ---- */

struct writer {
    struct json_lines out;
    const struct history *history;
    const char *(*endpoint_name)(void *context, uint32_t endpoint);
    void *context;
};

static void write_name(struct writer *w, const char *field, uint32_t id)
{
    if (id == HISTORY_NONE) return;
    size_t size;
    const char *text = history_name(w->history, id, &size);
    json_text(&w->out, field);
    json_quoted(&w->out, text, size);
}

static void write_endpoint(struct writer *w, const char *field, uint32_t endpoint)
{
    if (endpoint == HISTORY_NONE) return;
    json_text(&w->out, field);
    const char *name = w->endpoint_name ? w->endpoint_name(w->context, endpoint) : NULL;
    if (name)
        json_quoted(&w->out, name, strlen(name));
    else
        json_unsigned(&w->out, endpoint);
}

static void write_number(struct writer *w, const char *field, uint64_t value)
{
    if (!value) return;
    json_text(&w->out, field);
    json_unsigned(&w->out, value);
}

static void write_time(struct writer *w, const char *field, int64_t time_ns)
{
    json_text(&w->out, field);
    if (time_ns == HISTORY_OPEN)
        json_text(&w->out, "null");
    else
        json_signed(&w->out, time_ns);
}

static void write_status(struct writer *w, uint8_t status)
{
    if (status >= HISTORY_STATUS_COUNT) return;
    json_text(&w->out, ",\"status\":\"");
    json_text(&w->out, history_status_words[status]);
    json_text(&w->out, "\"");
}

static void write_values(struct writer *w, const struct history_op *op)
{
    if (!op->values_count) return;
    const uint64_t *values = w->history->values + op->values_start;
    json_text(&w->out, ",\"values\":[");
    for (uint32_t i = 0; i < op->values_count; i++) {
        if (i) json_text(&w->out, ",");
        if (op->type == HISTORY_SCAN && i + 1 < op->values_count) {
            write_name(w, "[", (uint32_t)values[i]);
            json_text(&w->out, ",");
            json_unsigned(&w->out, values[++i]);
            json_text(&w->out, "]");
        } else {
            json_unsigned(&w->out, values[i]);
        }
    }
    json_text(&w->out, "]");
}

static void write_attempts(struct writer *w, const struct history_op *op)
{
    if (!op->attempts_count) return;
    json_text(&w->out, ",\"attempts\":[");
    for (uint32_t i = 0; i < op->attempts_count; i++) {
        const struct history_attempt *attempt = &w->history->attempts[op->attempts_start + i];
        write_time(w, i ? ",{\"sent\":" : "{\"sent\":", attempt->sent_ns);
        write_time(w, ",\"answered\":", attempt->answered_ns);
        write_endpoint(w, ",\"node\":", attempt->node);
        write_status(w, attempt->status);
        write_number(w, ",\"epoch\":", attempt->epoch);
        json_text(&w->out, "}");
    }
    json_text(&w->out, "]");
}

static void write_op(struct writer *w, size_t index)
{
    const struct history_op *op = &w->history->ops[index];
    struct json_lines *out = &w->out;
    json_text(out, "{\"v\":1,\"op\":");
    json_unsigned(out, index);
    write_name(w, ",\"client\":", op->client);
    json_text(out, ",\"process\":");
    json_unsigned(out, op->process);
    if (op->session != HISTORY_NONE) {
        json_text(out, ",\"session\":");
        json_unsigned(out, op->session);
    }
    json_text(out, ",\"type\":\"");
    json_text(out, history_type_words[op->type]);
    json_text(out, "\"");
    write_number(w, ",\"store\":", op->store);
    write_name(w, ",\"table\":", op->table);
    write_name(w, ",\"key\":", op->key);
    write_number(w, ",\"token\":", op->token);
    if (op->type == HISTORY_COMPARE_AND_SET) {
        json_text(out, ",\"expected\":");
        json_unsigned(out, op->expected);
    }
    write_number(w, ",\"lock_token\":", op->lock_token);
    if (op->owner != HISTORY_NONE) {
        json_text(out, ",\"owner\":");
        json_unsigned(out, op->owner);
    }
    if (op->is_private) json_text(out, ",\"private\":true");
    if (op->level != HISTORY_LEVEL_DEFAULT && op->level < HISTORY_LEVEL_COUNT) {
        json_text(out, ",\"level\":\"");
        json_text(out, history_level_words[op->level]);
        json_text(out, "\"");
    }
    write_time(w, ",\"invoke\":", op->invoke_ns);
    write_time(w, ",\"return\":", op->return_ns);
    json_text(out, ",\"outcome\":\"");
    json_text(out, history_outcome_words[op->outcome]);
    json_text(out, "\"");
    write_status(w, op->status);
    write_endpoint(w, ",\"node\":", op->node);
    write_number(w, ",\"epoch\":", op->epoch);
    write_number(w, ",\"position\":", op->position);
    write_values(w, op);
    write_name(w, ",\"context\":", op->context);
    if (op->final_read) json_text(out, ",\"final\":true");
    write_attempts(w, op);
    json_text(out, "}\n");
}

int history_write(const struct history *history, FILE *file,
                  const char *(*endpoint_name)(void *context, uint32_t endpoint), void *context)
{
    CHECK(history->sealed);
    struct writer *w = xmalloc(sizeof *w);
    w->history = history;
    w->endpoint_name = endpoint_name;
    w->context = context;
    json_lines_begin(&w->out, file);
    for (size_t i = 0; i < history->count; i++) write_op(w, i);
    int error = json_lines_end(&w->out);
    free(w);
    return error;
}
