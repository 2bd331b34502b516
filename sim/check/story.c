/* The story of a violation: its operations, and what happened to the cluster meanwhile, in time
 * order, in at most 14 lines.
 *
 * All operations of the witness are told. The rest of the room goes to timeline entries between
 * the first of them and the last, and to faults that were still open then; the most telling
 * kinds first (faults, losses, decisions and what operators did, then roles, nodes, heals,
 * phases), within a kind the earliest. What is left out is counted.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/check/parts.h"

#define STORY_LINES 14

struct line {
    int64_t time_ns;
    uint32_t rank, order;
    const struct timeline_entry *entry;
    uint32_t op;
};

static uint32_t rank_of(const struct timeline_entry *entry)
{
    switch ((enum timeline_kind)entry->kind) {
    case TIMELINE_FAULT: return 1;
    case TIMELINE_LOSS:
    case TIMELINE_DECISION:
    case TIMELINE_OPERATOR: return 2;
    case TIMELINE_ROLE: return entry->role == FACT_ROLE_LEADER ? 2 : 4;
    case TIMELINE_NODE: return 3;
    case TIMELINE_HEAL: return 4;
    default: return 5;
    }
}

static int compare_rank(const void *left, const void *right)
{
    const struct line *a = left, *b = right;
    if (a->rank != b->rank) return a->rank < b->rank ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

static int compare_time(const void *left, const void *right)
{
    const struct line *a = left, *b = right;
    if (a->time_ns != b->time_ns) return a->time_ns < b->time_ns ? -1 : 1;
    if ((a->entry == NULL) != (b->entry == NULL))
        return a->entry ? -1 : 1; /* the fault before the operation of its instant */
    return a->order < b->order ? -1 : a->order > b->order;
}

struct text {
    char *data;
    size_t size;
};

static void say(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void say(struct text *text, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    CHECK(size >= 0);
    text->data = xrealloc(text->data, text->size + (size_t)size + 1);
    vsnprintf(text->data + text->size, (size_t)size + 1, format, again);
    va_end(again);
    text->size += (size_t)size;
}

static void say_values(struct text *text, const struct index *index,
                       const struct history_op *op)
{
    uint32_t shown = 0;
    for (uint32_t i = 0; i < op->values_count && op->type != HISTORY_SCAN; i++) {
        uint64_t token = index->history->values[op->values_start + i];
        if (!token) continue;
        say(text, "%s%s", shown++ ? ", " : "", say_value(index, token));
    }
    if (op->type == HISTORY_SCAN)
        say(text, "%s", say_count(op->values_count / 2, "row"));
    else if (!shown)
        say(text, "nothing");
}

static void say_operation(struct text *text, const struct index *index, uint32_t i)
{
    const struct history_op *op = &index->ops[i];
    const char *key = say_key(index->history, op->key);
    if (op->final_read)
        say(text, "the final read of %s", key);
    else {
        size_t size;
        const char *client = op->client == HISTORY_NONE
                                 ? "client"
                                 : history_name(index->history, op->client, &size);
        say(text, "%s %u ", client, (unsigned)op->process);
        switch ((enum history_type)op->type) {
        case HISTORY_READ: say(text, "reads %s", key); break;
        case HISTORY_WRITE:
            say(text, "writes %s under %s", say_value(index, op->token), key);
            break;
        case HISTORY_DELETE: say(text, "deletes %s", key); break;
        case HISTORY_COMPARE_AND_SET:
            say(text, "sets %s from value %llu to value %llu", key,
                (unsigned long long)op->expected, (unsigned long long)op->token);
            break;
        case HISTORY_INSERT: say(text, "inserts %s", say_value(index, op->token)); break;
        case HISTORY_RESOLVE: say(text, "resolves %s", key); break;
        case HISTORY_SCAN: say(text, "scans from %s", key); break;
        case HISTORY_LOCK: say(text, "locks %s", key); break;
        case HISTORY_UNLOCK: say(text, "unlocks %s", key); break;
        case HISTORY_BIND: say(text, "binds %s to %s", key, say_value(index, op->token)); break;
        default: break;
        }
        if (op_is_write(op) && op->lock_token)
            say(text, " with token %llu", (unsigned long long)op->lock_token);
    }
    say(text, ": ");
    if (op->outcome == OUTCOME_UNKNOWN) {
        say(text, "no answer");
    } else if (op->outcome == OUTCOME_FAIL) {
        say(text, "refused");
        if (op->status < HISTORY_STATUS_COUNT)
            say(text, " (%s)", history_status_words[op->status]);
    } else if (op->type == HISTORY_READ || op->type == HISTORY_RESOLVE ||
               op->type == HISTORY_SCAN) {
        say_values(text, index, op);
    } else if (op->type == HISTORY_INSERT) {
        say(text, "acknowledged as %s", key);
    } else if (op->type == HISTORY_LOCK) {
        say(text, "granted with token %llu", (unsigned long long)op->lock_token);
    } else {
        say(text, "acknowledged");
    }
    if (op->outcome != OUTCOME_UNKNOWN && op->node != HISTORY_NONE)
        say(text, ", by %s", say_node(index->input, op->node));
    if (op->outcome != OUTCOME_UNKNOWN && op->return_ns != HISTORY_OPEN)
        say(text, " after %s", say_duration(op->return_ns - op->invoke_ns));
}

char *check_story(const struct check *check, const struct check_input *input,
                  const struct check_result *result)
{
    struct index index;
    index_init(&index, input);
    int64_t from_ns = VTIME_MAX, until_ns = INT64_MIN;
    for (uint32_t i = 0; i < result->witness_count; i++) {
        const struct history_op *op = &index.ops[result->witness[i]];
        int64_t end_ns = op->return_ns == HISTORY_OPEN ? op->invoke_ns : op->return_ns;
        if (op->invoke_ns < from_ns) from_ns = op->invoke_ns;
        if (end_ns > until_ns) until_ns = end_ns;
    }
    if (!result->witness_count) { /* a check on facts: everything up to the moment it became
                                     true */
        from_ns = 0;
        until_ns = result->first_ns;
    }
    size_t entries = input->timeline ? input->timeline->count : 0, count = 0;
    struct line *lines = xmalloc((entries + CHECK_WITNESS_OPS) * sizeof *lines);
    for (uint32_t i = 0; i < result->witness_count; i++, count++)
        lines[count] = (struct line){index.ops[result->witness[i]].invoke_ns, 0, i, NULL,
                                     (uint32_t)result->witness[i]};
    for (size_t i = 0; i < entries; i++) {
        const struct timeline_entry *entry = &input->timeline->items[i];
        int64_t end_ns = entry->kind == TIMELINE_FAULT && entry->until_ns > entry->time_ns
                             ? entry->until_ns
                             : entry->time_ns;
        if (entry->time_ns > until_ns || end_ns < from_ns) continue;
        lines[count++] =
            (struct line){entry->time_ns, rank_of(entry), (uint32_t)i, entry, NO_OP};
    }
    qsort(lines, count, sizeof *lines, compare_rank);
    size_t shown = count > STORY_LINES ? STORY_LINES - 1 : count;
    qsort(lines, shown, sizeof *lines, compare_time);

    struct text text = {0};
    for (size_t i = 0; i < shown; i++) {
        say(&text, "%10s  ", say_time(lines[i].time_ns));
        if (lines[i].entry)
            say(&text, "%-9s %s", timeline_kind_words[lines[i].entry->kind],
                lines[i].entry->text);
        else {
            say(&text, "%-9s ", "client");
            say_operation(&text, &index, lines[i].op);
        }
        say(&text, "\n");
    }
    if (shown < count)
        say(&text, "%10s  (%llu more timeline entries in between)\n", "",
            (unsigned long long)(count - shown));
    if (!shown) say(&text, "%10s  (nothing to tell of %s)\n", "", check->name);
    free(lines);
    index_deinit(&index);
    return text.data;
}
