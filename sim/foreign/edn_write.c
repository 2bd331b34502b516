/* Operations as events.
 *
 * Order: by time, and of one instant the invocations first, so that what touched stays
 * concurrent in a format that has only an order. An operation that never returned gets its
 * :info at the end of the file.
 *
 * Processes: Jepsen's have one operation at a time and are gone after an :info. A process of
 * ours that goes on is renumbered then, by the count of processes, as Jepsen does; and because
 * the order within the old process still binds, such events carry :session, the first number,
 * which the reader here takes for the process.
 *
 * Values: [key value] where there are several keys, plain of a single one; :key and :value for
 * strings of a store, as in Porcupine's logs. What is a number is written as one, anything else
 * as a string. What the format or its readers have no word for:
 *
 *   insert       cas [nil value]
 *   delete       write nil; one that failed, because nothing was there: read nil
 *   a failed compare_and_set or insert that tells what it saw: a read of that
 */
#include "sim/foreign/edn_write.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/foreign/values.h"
#include "sim/record/json.h"

struct writer {
    struct json_lines out;
    const struct foreign *foreign;
    const struct ops *ops;
    bool is_store, has_keys, has_escapes;
    uint32_t *generation; /* [operations] how often its process was renumbered before it */
    uint64_t index;       /* of the next event */
    struct edn_written *written;
};

/* ---- values ---- */

/* Whether text may stand between quotes as it is: no quote, no backslash with nothing behind
 * it, but in escapes. */
static bool is_string_body(const char *text)
{
    for (; *text; text++) {
        if (*text == '"') return false;
        if (*text == '\\' && !*++text) return false;
    }
    return true;
}

static void put_name(struct writer *w, const char *text)
{
    int64_t number;
    size_t size = strlen(text);
    if (!w->is_store && number_canonical(text, size, &number)) {
        json_bytes(&w->out, text, size);
    } else if (w->has_escapes && is_string_body(text)) { /* they are as the source had them */
        json_text(&w->out, "\"");
        json_bytes(&w->out, text, size);
        json_text(&w->out, "\"");
    } else {
        json_quoted(&w->out, text, size);
    }
}

static void put_value(struct writer *w, uint64_t value)
{
    if (value == VALUE_NONE)
        json_text(&w->out, w->is_store ? "\"\"" : "nil");
    else
        put_name(w, w->ops->value_name(w->ops->names, value));
}

static void put_key(struct writer *w, uint32_t key)
{
    const char *name = w->ops->key_name(w->ops->names, key);
    put_name(w, name ? name : "");
}

/* ---- what an operation is in Jepsen's words ---- */

struct shape {
    enum op_kind kind;
    uint64_t expected, value; /* of a compare-and-set; of the rest: value */
    bool fails;
};

static struct shape shape_of(struct writer *w, const struct op *op)
{
    struct shape shape = {(enum op_kind)op->kind, op->expected, op->value,
                          op->result == RESULT_VOID};
    if (op->result == RESULT_FAIL && (op->has_seen || op->kind == OP_DELETE)) {
        shape.kind = OP_READ;
        shape.value = op->has_seen ? op->seen : VALUE_NONE;
        return shape;
    }
    if (op->result == RESULT_FAIL) {
        shape.fails = true;
        w->written->lost++;
    }
    if (op->kind == OP_INSERT) {
        shape.kind = OP_COMPARE_AND_SET;
        shape.expected = VALUE_NONE;
    } else if (op->kind == OP_DELETE) {
        shape.kind = OP_WRITE;
        shape.value = VALUE_NONE;
    }
    return shape;
}

static const char *word_of(const struct writer *w, enum op_kind kind)
{
    static const char *const words[OP_KINDS] = {
        [OP_READ] = "read",     [OP_WRITE] = "write",     [OP_COMPARE_AND_SET] = "cas",
        [OP_INSERT] = "cas",    [OP_DELETE] = "write",    [OP_ADD] = "add",
        [OP_REMOVE] = "remove", [OP_ENQUEUE] = "enqueue", [OP_DEQUEUE] = "dequeue",
        [OP_APPEND] = "append", [OP_ACQUIRE] = "acquire", [OP_RELEASE] = "release",
    };
    if (w->is_store && kind == OP_READ) return "get";
    if (w->is_store && kind == OP_WRITE) return "put";
    return words[kind];
}

static bool reads_many(const struct writer *w)
{
    return w->ops->type == OBJECT_SET || w->ops->type == OBJECT_LIST;
}

static void put_answer(struct writer *w, const struct op *op, const struct shape *shape,
                       bool is_answered)
{
    struct json_lines *out = &w->out;
    bool asks = shape->kind == OP_READ || shape->kind == OP_DEQUEUE;
    if (asks && !is_answered) {
        json_text(out, "nil");
    } else if (shape->kind == OP_READ && reads_many(w)) {
        json_text(out, "[");
        for (uint32_t i = 0; i < op->count; i++) {
            if (i) json_text(out, " ");
            put_value(w, w->ops->elements[op->elements + i]);
        }
        json_text(out, "]");
    } else if (shape->kind == OP_COMPARE_AND_SET) {
        json_text(out, "[");
        put_value(w, shape->expected);
        json_text(out, " ");
        put_value(w, shape->value);
        json_text(out, "]");
    } else {
        put_value(w, shape->value);
    }
}

static void put_event(struct writer *w, uint32_t number, const char *type, bool is_completion)
{
    const struct op *op = &w->ops->items[number];
    struct json_lines *out = &w->out;
    uint64_t lost = w->written->lost;
    struct shape shape = shape_of(w, op);
    if (!is_completion) w->written->lost = lost; /* counted once */
    if (is_completion && *type == 'o' && shape.fails) type = "fail";
    json_text(out, "{:process ");
    json_unsigned(out, op->process + (uint64_t)w->generation[number] * w->ops->processes);
    json_text(out, ", :type :");
    json_text(out, type);
    json_text(out, ", :f :");
    json_text(out, word_of(w, shape.kind));
    if (w->is_store) {
        json_text(out, ", :key ");
        put_key(w, op->key);
    }
    json_text(out, ", :value ");
    if (w->has_keys) {
        json_text(out, "[");
        put_key(w, op->key);
        json_text(out, " ");
    }
    put_answer(w, op, &shape, is_completion && *type == 'o');
    if (w->has_keys) json_text(out, "]");
    int64_t time = is_completion ? op->complete : op->invoke;
    if (w->ops->has_clock && time != OP_OPEN) {
        json_text(out, ", :time ");
        json_signed(out, time);
    }
    if (w->generation[number]) {
        json_text(out, ", :session ");
        json_unsigned(out, op->process);
    }
    json_text(out, ", :index ");
    json_unsigned(out, w->index++);
    json_text(out, "}\n");
}

/* ---- order ---- */

static const struct op *sorted_ops; /* qsort has no context */

static int by_completion(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    int64_t x = sorted_ops[a].complete, y = sorted_ops[b].complete;
    return x != y ? (x < y ? -1 : 1) : (a > b) - (a < b);
}

struct process {
    uint32_t generation, open; /* operations that hold the present number */
};

static void put_all(struct writer *w, const uint32_t *completions, size_t count)
{
    const struct op *items = w->ops->items;
    struct process *processes = xcalloc((size_t)w->ops->processes + 1, sizeof *processes);
    size_t next = 0;
    for (uint32_t i = 0; i < w->ops->count || next < count;) {
        if (i == w->ops->count ||
            (next < count && items[completions[next]].complete < items[i].invoke)) {
            uint32_t done = completions[next++];
            struct process *process = &processes[items[done].process];
            process->open -= process->generation == w->generation[done];
            put_event(w, done, "ok", true);
            continue;
        }
        struct process *process = &processes[items[i].process];
        if (process->open) *process = (struct process){process->generation + 1, 0};
        process->open++;
        w->generation[i] = process->generation;
        put_event(w, i++, "invoke", false);
    }
    for (uint32_t i = 0; i < w->ops->count; i++)
        if (items[i].complete == OP_OPEN) put_event(w, i, "info", true);
    free(processes);
}

int foreign_write_edn(const struct foreign *foreign, FILE *file, struct edn_written *written)
{
    const struct ops *ops = &foreign->operations;
    struct writer *w = xcalloc(1, sizeof *w);
    uint32_t *completions = xmalloc((ops->count + 1) * sizeof *completions);
    size_t count = 0;
    for (uint32_t i = 0; i < ops->count; i++)
        if (ops->items[i].complete != OP_OPEN) completions[count++] = i;
    sorted_ops = ops->items;
    qsort(completions, count, sizeof *completions, by_completion);
    memset(written, 0, sizeof *written);
    w->foreign = foreign;
    w->ops = ops;
    w->written = written;
    w->is_store = ops->type == OBJECT_TEXT;
    w->has_keys = ops->keys > 1 && !w->is_store;
    w->has_escapes = strcmp(foreign->format, "jepsen-edn") == 0 ||
                     strcmp(foreign->format, "jepsen-json") == 0;
    w->generation = xcalloc(ops->count + 1, sizeof *w->generation);
    json_lines_begin(&w->out, file);
    if (!ops->has_real_time) json_text(&w->out, EDN_NO_TIME "\n");
    if (ops->count == 0) json_text(&w->out, "[]\n"); /* an empty file is no history */
    put_all(w, completions, count);
    written->events = w->index;
    int error = json_lines_end(&w->out);
    free(w->generation);
    free(completions);
    free(w);
    return error;
}
