/* The index over a history that the checks share: who wrote a token, when a write had certainly
 * taken effect, who saw it first, and what stood under each key at the end.
 *
 * Everything is linear in the history but for order_by_return (n log n). Tables are
 * open-addressed, at most half full and never iterated.
 *
 * Why a read bounds the write that it saw: a token takes effect at most once, so what a reader
 * was given at time t was there by t. An unknown write that somebody has read is thereby as
 * fixed in time as an acknowledged one.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/check/parts.h"
#include "sim/kernel/random.h"

/* ---- classes of operations ---- */

bool op_is_write(const struct history_op *op)
{
    return op->store == 0 &&
           (op->type == HISTORY_WRITE || op->type == HISTORY_DELETE ||
            op->type == HISTORY_COMPARE_AND_SET || op->type == HISTORY_INSERT);
}

bool op_is_read(const struct history_op *op)
{
    if (op->store != 0) return false;
    if (op->type == HISTORY_READ || op->type == HISTORY_RESOLVE)
        return op->outcome == OUTCOME_OK;
    return op->type == HISTORY_COMPARE_AND_SET && op->outcome == OUTCOME_FAIL &&
           op->values_count > 0;
}

bool op_in_window(const struct check_input *input, int64_t return_ns)
{
    return return_ns >= input->from_ns && return_ns <= input->until_ns;
}

bool seen_next(const struct history *history, uint32_t index, struct seen *cursor,
               uint32_t *key, uint64_t *token)
{
    const struct history_op *op = &history->ops[index];
    const uint64_t *values = history->values + op->values_start;
    if (op->store != 0) return false;
    if (op->type == HISTORY_SCAN) {
        if (op->outcome != OUTCOME_OK) return false;
        while (cursor->at + 1 < op->values_count) {
            *key = (uint32_t)values[cursor->at];
            *token = values[cursor->at + 1];
            cursor->at += 2;
            if (*token) return true;
        }
        return false;
    }
    if (op->type == HISTORY_COMPARE_AND_SET && op->outcome == OUTCOME_OK) {
        if (cursor->at++ || !op->expected) return false;
        *key = op->key;
        *token = op->expected;
        return true;
    }
    if (!op_is_read(op)) return false;
    while (cursor->at < op->values_count) {
        *key = op->key;
        *token = values[cursor->at++];
        if (*token) return true;
    }
    return false;
}

/* ---- tokens ---- */

static struct index_slot *token_slot(const struct index *index, uint64_t token)
{
    uint64_t place = mix64(token) & index->tokens_mask;
    while (index->tokens[place].op != NO_OP && index->tokens[place].token != token)
        place = (place + 1) & index->tokens_mask;
    return &index->tokens[place];
}

uint32_t index_writer(const struct index *index, uint64_t token)
{
    return token ? token_slot(index, token)->op : NO_OP;
}

void index_init(struct index *index, const struct check_input *input)
{
    const struct history *history = input->history;
    CHECK(history->sealed);
    CHECK(history->count < NO_OP);
    *index = (struct index){.input = input,
                            .history = history,
                            .ops = history->ops,
                            .count = (uint32_t)history->count,
                            .keys = history_names_count(history)};
    uint64_t writes = 0;
    for (uint32_t i = 0; i < index->count; i++) writes += index->ops[i].token != 0;
    uint64_t size = 16;
    while (size < writes * 2) size *= 2;
    index->tokens = xmalloc(size * sizeof *index->tokens);
    index->tokens_mask = size - 1;
    for (uint64_t i = 0; i < size; i++) index->tokens[i] = (struct index_slot){0, NO_OP};

    index->end_ns = xmalloc((index->count + 1) * sizeof *index->end_ns);
    index->seen_by = xmalloc((index->count + 1) * sizeof *index->seen_by);
    index->seen_key = xmalloc((index->count + 1) * sizeof *index->seen_key);
    for (uint32_t i = 0; i < index->count; i++) {
        const struct history_op *op = &index->ops[i];
        index->end_ns[i] = op->outcome == OUTCOME_UNKNOWN ? CHECK_NEVER : op->return_ns;
        index->seen_by[i] = index->seen_key[i] = NO_OP;
        if (!op->token || !op_is_write(op)) continue;
        struct index_slot *slot = token_slot(index, op->token);
        if (slot->op == NO_OP) *slot = (struct index_slot){op->token, i};
    }
    for (uint32_t i = 0; i < index->count; i++) {
        uint32_t key;
        uint64_t token;
        for (struct seen cursor = {0}; seen_next(history, i, &cursor, &key, &token);) {
            uint32_t writer = token_slot(index, token)->op;
            if (writer == NO_OP) continue;
            if (index->seen_by[writer] == NO_OP ||
                index->ops[i].return_ns < index->ops[index->seen_by[writer]].return_ns) {
                index->seen_by[writer] = i;
                index->seen_key[writer] = key;
            }
            if (index->ops[i].return_ns < index->end_ns[writer])
                index->end_ns[writer] = index->ops[i].return_ns;
        }
    }
}

void index_deinit(struct index *index)
{
    free(index->tokens);
    free(index->end_ns);
    free(index->seen_by);
    free(index->seen_key);
}

/* ---- final state ---- */

void final_init(struct final_state *state, const struct index *index)
{
    state->first = xmalloc((index->keys + 1) * sizeof *state->first);
    state->next = xmalloc((index->count + 1) * sizeof *state->next);
    state->deleted_end_ns = xmalloc((index->keys + 1) * sizeof *state->deleted_end_ns);
    state->reads = 0;
    for (uint32_t key = 0; key < index->keys; key++) {
        state->first[key] = NO_OP;
        state->deleted_end_ns[key] = INT64_MIN;
    }
    for (uint32_t i = index->count; i-- > 0;) {
        const struct history_op *op = &index->ops[i];
        if (op->store != 0 || op->key == HISTORY_NONE) continue;
        if (op->type == HISTORY_DELETE && op->outcome != OUTCOME_FAIL &&
            index->end_ns[i] > state->deleted_end_ns[op->key])
            state->deleted_end_ns[op->key] = index->end_ns[i];
        if (op->type != HISTORY_READ || !op->final_read || op->outcome != OUTCOME_OK) continue;
        state->reads++;
        uint32_t first = state->first[op->key];
        bool leader = op->level == HISTORY_LEVEL_LEADER,
             first_leader = first != NO_OP && index->ops[first].level == HISTORY_LEVEL_LEADER;
        if (first_leader && !leader) continue;
        state->next[i] = first_leader == leader ? first : NO_OP;
        state->first[op->key] = i;
    }
}

void final_deinit(struct final_state *state)
{
    free(state->first);
    free(state->next);
    free(state->deleted_end_ns);
}

enum fate final_fate(const struct final_state *state, const struct index *index, uint32_t op,
                     uint32_t key, uint32_t *by)
{
    if (key == HISTORY_NONE || state->first[key] == NO_OP) return FATE_UNJUDGED;
    const struct history_op *write = &index->ops[op];
    bool superseded = false, empty = true;
    for (uint32_t read = state->first[key]; read != NO_OP; read = state->next[read]) {
        const struct history_op *final = &index->ops[read];
        for (uint32_t i = 0; i < final->values_count; i++) {
            uint64_t token = index->history->values[final->values_start + i];
            if (!token) continue;
            empty = false;
            if (write->token && token == write->token) return FATE_PRESENT;
            uint32_t other = index_writer(index, token);
            if (other == NO_OP || index->ops[other].outcome == OUTCOME_FAIL)
                continue; /* nobody's value supersedes nothing */
            if (index->end_ns[other] < write->invoke_ns)
                continue; /* before it: cannot have replaced it */
            if (write->type == HISTORY_INSERT && index->ops[other].type == HISTORY_INSERT)
                continue;
            superseded = true;
        }
    }
    *by = state->first[key];
    if (superseded) return FATE_SUPERSEDED;
    if (!empty) return FATE_LOST;
    if (write->type == HISTORY_DELETE) return FATE_PRESENT;
    return state->deleted_end_ns[key] >= write->invoke_ns ? FATE_SUPERSEDED : FATE_LOST;
}

/* ---- order by return ---- */

struct return_order {
    int64_t time_ns;
    uint32_t op;
};

static int compare_return(const void *left, const void *right)
{
    const struct return_order *a = left, *b = right;
    if (a->time_ns != b->time_ns) return a->time_ns < b->time_ns ? -1 : 1;
    return a->op < b->op ? -1 : a->op > b->op;
}

uint32_t *order_by_return(const struct index *index,
                          bool (*wanted)(const struct history_op *op), uint32_t *count)
{
    struct return_order *order = xmalloc((index->count + 1) * sizeof *order);
    uint32_t n = 0;
    for (uint32_t i = 0; i < index->count; i++)
        if (wanted(&index->ops[i]))
            order[n++] = (struct return_order){index->ops[i].return_ns, i};
    qsort(order, n, sizeof *order, compare_return);
    uint32_t *ops = xmalloc((n + 1) * sizeof *ops);
    for (uint32_t i = 0; i < n; i++) ops[i] = order[i].op;
    free(order);
    *count = n;
    return ops;
}

/* ---- map ---- */

void map_init(struct map *map, uint64_t expected)
{
    uint64_t size = 64;
    while (size < expected * 2) size *= 2;
    map->slots = xmalloc(size * sizeof *map->slots);
    memset(map->slots, 0xff, size * sizeof *map->slots); /* every key UINT64_MAX: free */
    map->mask = size - 1;
    map->count = 0;
}

void map_deinit(struct map *map)
{
    free(map->slots);
}

static struct map_slot *map_slot(const struct map *map, uint64_t key)
{
    uint64_t place = mix64(key) & map->mask;
    while (map->slots[place].key != UINT64_MAX && map->slots[place].key != key)
        place = (place + 1) & map->mask;
    return &map->slots[place];
}

uint64_t *map_find(const struct map *map, uint64_t key)
{
    struct map_slot *slot = map_slot(map, key);
    return slot->key == key && key != UINT64_MAX ? &slot->value : NULL;
}

uint64_t *map_put(struct map *map, uint64_t key, uint64_t initial)
{
    CHECK(key != UINT64_MAX);
    if (map->count * 2 > map->mask) {
        struct map bigger;
        map_init(&bigger, map->mask + 1);
        for (uint64_t i = 0; i <= map->mask;
             i++) { /* order of places: leaks into nothing, a rebuilt table is only looked up */
            if (map->slots[i].key == UINT64_MAX) continue;
            *map_slot(&bigger, map->slots[i].key) = map->slots[i];
        }
        bigger.count = map->count;
        free(map->slots);
        *map = bigger;
    }
    struct map_slot *slot = map_slot(map, key);
    if (slot->key != key) {
        *slot = (struct map_slot){key, initial};
        map->count++;
    }
    return &slot->value;
}
