/* What each operation of a history means to a register.
 *
 *   read, resolve        a read; its one value, 0 and none being absence. (What resolve asks of
 *                        the second store is a bind's matter.) Unanswered: says nothing
 *   write                a write of its token; failed: it did not happen
 *   delete               a write of absence
 *   compare_and_set      failed with what it saw: a read of that. Failed by mismatch without:
 *                        the value was not the expected one. Failed otherwise: void
 *   insert               a write that demands absence of the row that was assigned. Where no
 *                        answer told the row, whoever read its token tells it
 *   scan, lock, unlock, bind, and all on the second store: left out, and counted
 *
 * A read of several siblings is left out too: a register has one value, and which of them
 * a model should take is a matter of the scheme, not of the history.
 *
 * A token under two keys is two values, as operations.h wants it: the second is then one that
 * nobody wrote there, and the models say so.
 *
 * A session outlives a write whose answer it gave up waiting for, and that write may take
 * effect after what the session did next. So such a write, where somebody has seen it, stands
 * in a process of its own, behind nothing; where nobody has, it orders nothing anyway.
 *
 * Ids are given in order of first sight, so they are the same in every run. Tables are open
 * addressed, at most half full and never iterated. Linear in the history.
 */
#include "sim/check/operations_of_history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/kernel/check.h"
#include "sim/kernel/random.h"
#include "sim/record/token.h"

#define NO_ID UINT32_MAX

/* (number, key) -> id. */
struct numbering {
    struct numbered {
        uint64_t number;
        uint32_t key, id; /* id NO_ID: free */
    } * slots;
    uint64_t mask;
    uint32_t count;
};

struct history_operations_names {
    const struct history *history;
    uint32_t *key_names;      /* [keys] id in the history's names */
    uint64_t *tokens;         /* [values - 1] */
    uint32_t *process_source; /* [processes] an operation of it, in the history */
    size_t keys_capacity, tokens_capacity, processes_capacity;
    uint32_t *key_of_name; /* [names] */
    struct numbering values, processes, rows;
};

/* ---- numbering ---- */

static void numbering_init(struct numbering *n, uint64_t expected)
{
    uint64_t size = 64;
    while (size < expected * 2) size *= 2;
    n->mask = size - 1;
    n->count = 0;
    n->slots = xmalloc(size * sizeof *n->slots);
    for (uint64_t i = 0; i < size; i++) n->slots[i].id = NO_ID;
}

static struct numbered *numbering_slot(const struct numbering *n, uint64_t number, uint32_t key)
{
    uint64_t place = mix64(number ^ (uint64_t)key << 40) & n->mask;
    while (n->slots[place].id != NO_ID &&
           (n->slots[place].number != number || n->slots[place].key != key))
        place = (place + 1) & n->mask;
    return &n->slots[place];
}

static void numbering_grow(struct numbering *n)
{
    struct numbering old = *n;
    numbering_init(n, old.mask + 1);
    n->count = old.count;
    for (uint64_t i = 0; i <= old.mask; i++)
        if (old.slots[i].id != NO_ID)
            *numbering_slot(n, old.slots[i].number, old.slots[i].key) = old.slots[i];
    free(old.slots);
}

/* Its id; a new one is the count so far. */
static uint32_t numbering_take(struct numbering *n, uint64_t number, uint32_t key, bool *is_new)
{
    struct numbered *slot = numbering_slot(n, number, key);
    *is_new = slot->id == NO_ID;
    if (!*is_new) return slot->id;
    uint32_t id = n->count++;
    *slot = (struct numbered){number, key, id};
    if (n->count * UINT64_C(2) > n->mask) numbering_grow(n);
    return id;
}

/* Room for one more item behind `count`. */
static void *room(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity) return items;
    *capacity = *capacity ? *capacity * 2 : 64;
    return xrealloc(items, *capacity * size);
}

/* ---- names ---- */

static char *said(void)
{
    static char ring[8][64];
    static unsigned next;
    return ring[next++ % 8];
}

static const char *key_name(void *context, uint32_t key)
{
    const struct history_operations_names *names = context;
    return history_name(names->history, names->key_names[key], NULL);
}

static const char *value_name(void *context, uint64_t value)
{
    const struct history_operations_names *names = context;
    if (value == VALUE_NONE) return NULL;
    char *out = said();
    snprintf(out, 64, "%" PRIu64, names->tokens[value - 1]);
    return names->tokens[value - 1] == TOKEN_FOREIGN ? "a value that no client wrote" : out;
}

static const char *process_name(void *context, uint32_t process)
{
    const struct history_operations_names *names = context;
    const struct history_op *op = &names->history->ops[names->process_source[process]];
    char *out = said();
    const char *client =
        op->client == HISTORY_NONE ? "" : history_name(names->history, op->client, NULL);
    if (op->session == HISTORY_NONE)
        snprintf(out, 64, "%.38s process %" PRIu32, client, op->process);
    else
        snprintf(out, 64, "%.38s session %" PRIu32, client, op->session);
    return *out == ' ' ? out + 1 : out;
}

/* ---- ids ---- */

static uint32_t key_id(struct history_operations_names *names, uint32_t *keys, uint32_t name)
{
    if (names->key_of_name[name] == NO_ID) {
        names->key_names =
            room(names->key_names, *keys, &names->keys_capacity, sizeof *names->key_names);
        names->key_names[*keys] = name;
        names->key_of_name[name] = (*keys)++;
    }
    return names->key_of_name[name];
}

static uint64_t value_id(struct history_operations_names *names, uint32_t key, uint64_t token)
{
    bool is_new;
    if (token == 0) return VALUE_NONE;
    uint32_t id = numbering_take(&names->values, token, key, &is_new);
    if (is_new) {
        names->tokens = room(names->tokens, id, &names->tokens_capacity, sizeof *names->tokens);
        names->tokens[id] = token;
    }
    return (uint64_t)id + 1;
}

static uint32_t process_id(struct history_operations_names *names, uint32_t index)
{
    const struct history_op *op = &names->history->ops[index];
    bool has_session = op->session != HISTORY_NONE, is_new;
    uint32_t id = numbering_take(&names->processes, has_session ? op->session : op->process,
                                 has_session, &is_new);
    if (is_new) {
        names->process_source = room(names->process_source, id, &names->processes_capacity,
                                     sizeof *names->process_source);
        names->process_source[id] = index;
    }
    return id;
}

/* ---- rows of inserts that were not answered ---- */

/* For every insert that knows no row: the key under which its token was read. */
static void rows_find(struct history_operations_names *names)
{
    const struct history *history = names->history;
    bool is_new;
    uint64_t wanted = 0;
    for (size_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        wanted += op->type == HISTORY_INSERT && op->key == HISTORY_NONE && op->token;
    }
    numbering_init(&names->rows, wanted + 1);
    if (!wanted) return;
    for (size_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        if (op->type == HISTORY_INSERT && op->key == HISTORY_NONE && op->token)
            numbering_take(&names->rows, op->token, 0, &is_new);
    }
    for (uint64_t i = 0; i <= names->rows.mask; i++)
        if (names->rows.slots[i].id != NO_ID) names->rows.slots[i].id = HISTORY_NONE - 1;
    for (size_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        if ((op->type != HISTORY_READ && op->type != HISTORY_RESOLVE) || op->store ||
            op->key == HISTORY_NONE)
            continue;
        for (uint32_t v = 0; v < op->values_count; v++) {
            struct numbered *row =
                numbering_slot(&names->rows, history->values[op->values_start + v], 0);
            if (row->id == HISTORY_NONE - 1) row->id = op->key;
        }
    }
}

static uint32_t row_of(const struct history_operations_names *names, uint64_t token)
{
    const struct numbered *row = numbering_slot(&names->rows, token, 0);
    return row->id == NO_ID || row->id == HISTORY_NONE - 1 ? HISTORY_NONE : row->id;
}

/* ---- operations ---- */

/* Whether it is an operation on a register of the database; counts what is not. */
static bool is_register(struct history_operations *out, const struct history_op *op)
{
    switch ((enum history_type)op->type) {
    case HISTORY_SCAN: out->scans++; return false;
    case HISTORY_LOCK:
    case HISTORY_UNLOCK: out->locks++; return false;
    default: break;
    }
    if (op->store != 0 || op->type == HISTORY_BIND) {
        out->second_store++;
        return false;
    }
    if (op->type <= HISTORY_RESOLVE && op->type != HISTORY_INSERT && op->values_count > 1) {
        out->siblings++;
        return false;
    }
    return true;
}

static enum op_kind kind_of(enum history_type type)
{
    return type == HISTORY_WRITE             ? OP_WRITE
           : type == HISTORY_DELETE          ? OP_DELETE
           : type == HISTORY_COMPARE_AND_SET ? OP_COMPARE_AND_SET
           : type == HISTORY_INSERT          ? OP_INSERT
                                             : OP_READ;
}

static void op_fill(struct op *op, struct history_operations_names *names,
                    const struct history_op *from)
{
    uint64_t seen = from->values_count ? names->history->values[from->values_start] : 0;
    op->kind = (uint8_t)kind_of((enum history_type)from->type);
    op->invoke = from->invoke_ns;
    op->complete = from->outcome == OUTCOME_UNKNOWN ? OP_OPEN : from->return_ns;
    op->result = from->outcome == OUTCOME_OK     ? RESULT_OK
                 : from->outcome == OUTCOME_FAIL ? RESULT_VOID
                                                 : RESULT_UNKNOWN;
    op->value = op->kind == OP_DELETE
                    ? VALUE_NONE
                    : value_id(names, op->key, op->kind == OP_READ ? seen : from->token);
    if (op->kind != OP_COMPARE_AND_SET) return;
    op->expected = value_id(names, op->key, from->expected);
    if (from->outcome != OUTCOME_FAIL) return;
    op->has_seen = from->values_count != 0;
    if (op->has_seen) op->seen = value_id(names, op->key, seen);
    if (op->has_seen || from->status == HISTORY_STATUS_MISMATCH) op->result = RESULT_FAIL;
}

/* Gives each write without answer that was seen a process of its own. Returns how many
 * processes there are then. */
static uint32_t lost_writes_part(struct history_operations_names *names, struct op *items,
                                 const uint32_t *sources, size_t count)
{
    uint32_t processes = names->processes.count;
    bool *is_seen = xcalloc((size_t)names->values.count + 1, sizeof *is_seen);
    for (size_t i = 0; i < count; i++) {
        const struct op *op = &items[i];
        if (op->kind == OP_READ && op->result == RESULT_OK) is_seen[op->value] = true;
        if (op->kind == OP_COMPARE_AND_SET) is_seen[op->expected] = true;
        if (op->has_seen) is_seen[op->seen] = true;
    }
    for (size_t i = 0; i < count; i++) {
        struct op *op = &items[i];
        if (op->result != RESULT_UNKNOWN || op->value == VALUE_NONE || !is_seen[op->value])
            continue;
        op->process = processes++;
        names->process_source = room(names->process_source, op->process,
                                     &names->processes_capacity, sizeof *names->process_source);
        names->process_source[op->process] = sources[i];
    }
    free(is_seen);
    return processes;
}

void operations_of_history(struct history_operations *out, const struct history *history,
                           const uint32_t *lines)
{
    struct history_operations_names *names = xcalloc(1, sizeof *names);
    uint32_t names_known = history_names_count(history), keys = 0;
    memset(out, 0, sizeof *out);
    CHECK(history->sealed);
    names->history = history;
    names->key_of_name = xmalloc(((size_t)names_known + 1) * sizeof *names->key_of_name);
    memset(names->key_of_name, 0xff, ((size_t)names_known + 1) * sizeof *names->key_of_name);
    numbering_init(&names->values, history->count);
    numbering_init(&names->processes, 0);
    rows_find(names);
    struct op *items = xmalloc((history->count + 1) * sizeof *items);
    out->sources = xmalloc((history->count + 1) * sizeof *out->sources);
    size_t count = 0;
    for (size_t i = 0; i < history->count; i++) {
        const struct history_op *from = &history->ops[i];
        if (!is_register(out, from)) continue;
        uint32_t name = from->key;
        if (name == HISTORY_NONE && from->type == HISTORY_INSERT && from->token)
            name = row_of(names, from->token);
        if (name == HISTORY_NONE) {
            out->rows_unknown++;
            continue;
        }
        struct op *op = &items[count];
        memset(op, 0, sizeof *op);
        op->key = key_id(names, &keys, name);
        op->process = process_id(names, (uint32_t)i);
        op->line = lines ? lines[i] : (uint32_t)i + 1;
        op_fill(op, names, from);
        out->sources[count++] = (uint32_t)i;
        out->final_reads += from->final_read;
    }
    uint32_t processes = lost_writes_part(names, items, out->sources, count);
    out->names = names;
    out->operations = (struct ops){.items = items,
                                   .count = count,
                                   .keys = keys,
                                   .processes = processes,
                                   .values = (uint64_t)names->values.count + 1,
                                   .has_clock = true,
                                   .has_real_time = true,
                                   .type = OBJECT_REGISTER,
                                   .key_name = key_name,
                                   .value_name = value_name,
                                   .process_name = process_name,
                                   .names = names};
    /* Used up: what stays is for names. */
    free(names->key_of_name);
    free(names->values.slots);
    free(names->processes.slots);
    free(names->rows.slots);
    names->key_of_name = NULL;
    names->values.slots = names->processes.slots = names->rows.slots = NULL;
}

void history_operations_deinit(struct history_operations *converted)
{
    if (converted->names) {
        free(converted->names->key_names);
        free(converted->names->tokens);
        free(converted->names->process_source);
        free(converted->names);
    }
    free(converted->operations.items);
    free(converted->sources);
    memset(converted, 0, sizeof *converted);
}
