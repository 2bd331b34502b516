/* Linearizability by search: Wing and Gong ("Testing and verifying concurrent objects", J.
 * Parallel Distrib. Comput. 17, 1993), with Lowe's memory of visited configurations ("Testing
 * for linearizability", Concurrency Comput. 29(4), 2017).
 *
 * Events, calls and returns, stand in a list in order of time, a call before a return of the
 * same time. An operation may come next in the order when its call stands before the first
 * return that is left in the list, and its answer is right in the present state. It is then
 * taken out of the list; when the first event left is a return, the last choice was wrong and
 * is taken back. A configuration (set of operations taken, state) that was left once is not
 * entered again.
 *
 * Two things make it fast:
 *   - An operation whose answer is right and that can never change a state (a read, a failed
 *     compare_and_set) is taken at once and never tried otherwise: whatever follows without it
 *     also follows with it. A write of what is there already is none: later it might change
 *     something.
 *   - Configurations are compact. Operations that returned are numbered by invoke, so that the
 *     set of those taken is ones, then a short window, then zeros: only the words of the window
 *     are kept. Operations that never returned are numbered apart, in words of their own: they
 *     may stay untaken for ever and would keep the window open.
 *
 * An operation that never returned has no return event, and need not be taken. It is tried
 * only when it changes the state.
 *
 * Limits: configurations and bytes; beyond either the answer is unknown, with the reason.
 */
#include "sim/check/search.h"

#include <stdlib.h>
#include <string.h>

#include "sim/check/objects.h"
#include "sim/check/witness.h"

#define MEMORY_DEFAULT (UINT64_C(1) << 30)
#define STATES_DEFAULT UINT64_C(50000000)
#define NONE UINT32_MAX
#define WORD 64u

/* ---- the visited configurations ---- */

struct visited {
    uint64_t *words; /* entries one after the other, see visited_add */
    size_t words_count, words_capacity;
    struct slot {
        uint64_t hash;
        size_t entry; /* 1 + index into words; 0 free */
    } * slots;
    size_t count, capacity;
};

static uint64_t mixed(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 29;
}

/* key[0..size): true when it is new. */
static bool visited_add(struct visited *v, const uint64_t *key, size_t size)
{
    uint64_t hash = size;
    for (size_t i = 0; i < size; i++) hash = mixed(hash, key[i]);
    hash ^= hash >> 32;
    if (v->count * 2 >= v->capacity) {
        struct slot *old = v->slots;
        size_t old_capacity = v->capacity;
        v->capacity = old_capacity ? old_capacity * 2 : 1024;
        v->slots = xcalloc(v->capacity, sizeof *v->slots);
        for (size_t i = 0; i < old_capacity; i++) {
            if (!old[i].entry) continue;
            size_t at = old[i].hash & (v->capacity - 1);
            while (v->slots[at].entry) at = (at + 1) & (v->capacity - 1);
            v->slots[at] = old[i];
        }
        free(old);
    }
    size_t at = hash & (v->capacity - 1);
    for (; v->slots[at].entry; at = (at + 1) & (v->capacity - 1)) {
        const uint64_t *entry = v->words + v->slots[at].entry - 1;
        if (v->slots[at].hash == hash && entry[0] == size &&
            memcmp(entry + 1, key, size * sizeof *key) == 0)
            return false;
    }
    if (v->words_count + size + 1 > v->words_capacity) {
        v->words_capacity = v->words_capacity ? v->words_capacity * 2 : 4096;
        if (v->words_capacity < v->words_count + size + 1)
            v->words_capacity = v->words_count + size + 1;
        v->words = xrealloc(v->words, v->words_capacity * sizeof *v->words);
    }
    v->slots[at] = (struct slot){hash, v->words_count + 1};
    v->words[v->words_count] = size;
    memcpy(v->words + v->words_count + 1, key, size * sizeof *key);
    v->words_count += size + 1;
    v->count++;
    return true;
}

/* ---- the list of events ---- */

struct event {
    uint32_t op;   /* index into search.ops */
    uint32_t pair; /* call: its return event, NONE when it never returned; return: its call */
    uint32_t next, previous;
    bool is_call;
};

struct choice { /* one level of the search */
    uint32_t call;
    uint64_t state; /* before it */
    bool is_final;  /* nothing else needs to be tried in its place */
};

struct search {
    const struct ops *operations;
    const struct model_limits *limits;
    struct objects *objects;
    const uint32_t *ops;
    uint32_t *bit;        /* [count] number in the set */
    struct event *events; /* [0] is the head of the list */
    struct choice *stack;
    uint64_t *taken; /* bits: the returned ones, then, from a word of its own, the others */
    uint64_t *key;   /* scratch of a configuration */
    size_t words, returned_words;
    size_t low;         /* all words below are full */
    size_t depth, left; /* choices made; returned operations not yet taken */
    struct visited visited;
    size_t deepest; /* most choices ever, and what stood in the way there */
    uint32_t blocked_by;
};

static bool is_worth_judging(const struct op *op)
{
    return op->result != RESULT_VOID && !(op->result == RESULT_UNKNOWN && op->kind == OP_READ);
}

static bool never_changes(const struct search *s, uint32_t op)
{
    const struct op *o = &s->operations->items[op];
    return o->kind == OP_READ || o->result == RESULT_FAIL;
}

struct moment { /* an event before it is in the list */
    int64_t time;
    uint32_t op;
    bool is_return;
};

static int moment_compare(const void *left, const void *right)
{
    const struct moment *a = left, *b = right;
    if (a->time != b->time) return a->time < b->time ? -1 : 1;
    if (a->is_return != b->is_return) return a->is_return ? 1 : -1;
    return (a->op > b->op) - (a->op < b->op);
}

static void events_init(struct search *s, size_t count)
{
    struct moment *moments = xmalloc((2 * count + 1) * sizeof *moments);
    size_t n = 0, returned = 0, open = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct op *op = &s->operations->items[s->ops[i]];
        if (!is_worth_judging(op)) continue;
        moments[n++] = (struct moment){op->invoke, i, false};
        if (op->complete == OP_OPEN) {
            open++;
        } else {
            moments[n++] = (struct moment){op->complete, i, true};
            returned++;
        }
    }
    qsort(moments, n, sizeof *moments, moment_compare);
    s->returned_words = (returned + WORD - 1) / WORD;
    s->words = s->returned_words + (open + WORD - 1) / WORD;
    s->taken = xcalloc(s->words + 1, sizeof *s->taken);
    s->key = xmalloc((s->words + 4) * sizeof *s->key);
    s->bit = xmalloc((count + 1) * sizeof *s->bit);
    s->events = xcalloc(n + 1, sizeof *s->events);
    s->stack = xmalloc((returned + open + 1) * sizeof *s->stack);
    s->left = returned;
    uint32_t *call_of = xmalloc((count + 1) * sizeof *call_of);
    uint32_t next_bit = 0, next_open = (uint32_t)(s->returned_words * WORD);
    for (uint32_t e = 1; e <= n; e++) {
        const struct moment *m = &moments[e - 1];
        struct event *event = &s->events[e];
        *event = (struct event){.op = m->op, .pair = NONE, .is_call = !m->is_return};
        event->previous = e - 1;
        event->next = e == n ? 0 : e + 1;
        if (m->is_return) {
            event->pair = call_of[m->op];
            s->events[event->pair].pair = e;
        } else {
            call_of[m->op] = e;
            bool is_open = s->operations->items[s->ops[m->op]].complete == OP_OPEN;
            s->bit[m->op] = is_open ? next_open++ : next_bit++;
        }
    }
    s->events[0].next = n ? 1 : 0;
    s->events[0].previous = (uint32_t)n;
    free(call_of);
    free(moments);
}

static void unlink_event(struct search *s, uint32_t e)
{
    s->events[s->events[e].previous].next = s->events[e].next;
    s->events[s->events[e].next].previous = s->events[e].previous;
}

static void relink_event(struct search *s, uint32_t e)
{
    s->events[s->events[e].previous].next = e;
    s->events[s->events[e].next].previous = e;
}

static void take(struct search *s, uint32_t call)
{
    uint32_t bit = s->bit[s->events[call].op];
    s->taken[bit / WORD] |= UINT64_C(1) << bit % WORD;
    unlink_event(s, call);
    if (s->events[call].pair != NONE) {
        unlink_event(s, s->events[call].pair);
        s->left--;
    }
    while (s->low < s->returned_words && s->taken[s->low] == UINT64_MAX) s->low++;
}

static void take_back(struct search *s, uint32_t call)
{
    uint32_t bit = s->bit[s->events[call].op];
    s->taken[bit / WORD] &= ~(UINT64_C(1) << bit % WORD);
    if (s->events[call].pair != NONE) {
        relink_event(s, s->events[call].pair);
        s->left++;
    }
    relink_event(s, call);
    if (bit / WORD < s->low) s->low = bit / WORD;
}

/* The configuration as a key: state, where the window begins, its words, the open ones. */
static bool is_new(struct search *s, uint64_t state)
{
    size_t high = s->returned_words, n = 0;
    while (high > s->low && s->taken[high - 1] == 0) high--;
    s->key[n++] = state;
    s->key[n++] = (uint64_t)s->low << 32 | high;
    for (size_t w = s->low; w < high; w++) s->key[n++] = s->taken[w];
    for (size_t w = s->returned_words; w < s->words; w++) s->key[n++] = s->taken[w];
    return visited_add(&s->visited, s->key, n);
}

static uint64_t memory(const struct search *s)
{
    return s->visited.words_capacity * sizeof *s->visited.words +
           s->visited.capacity * sizeof *s->visited.slots + objects_memory(s->objects);
}

/* ---- the search ---- */

static enum model_outcome search_run(struct search *s)
{
    uint64_t memory_max =
        s->limits && s->limits->memory_bytes ? s->limits->memory_bytes : MEMORY_DEFAULT;
    uint64_t states_max = s->limits && s->limits->states ? s->limits->states : STATES_DEFAULT;
    uint64_t state = objects_initial(s->objects);
    uint32_t e = s->events[0].next;
    while (s->left) {
        if (s->events[e].is_call) {
            uint32_t op = s->ops[s->events[e].op];
            bool is_open = s->events[e].pair == NONE;
            uint64_t next;
            if (objects_step(s->objects, state, op, &next) && !(is_open && next == state)) {
                bool is_final = never_changes(s, op);
                take(s, e);
                /* What changes nothing leads to a configuration that is as good as this one:
                 * it needs no place in the memory. */
                if (is_final || is_new(s, next)) {
                    if (s->visited.count > states_max || memory(s) > memory_max)
                        return MODEL_UNKNOWN;
                    s->stack[s->depth++] = (struct choice){e, state, is_final};
                    state = next;
                    e = s->events[0].next;
                    continue;
                }
                take_back(s, e);
            }
            e = s->events[e].next;
            if (e != 0) continue;
        }
        /* The first return left, or the end: nothing more can be taken here. */
        if (s->depth >= s->deepest) {
            s->deepest = s->depth;
            uint32_t first = s->events[0].next;
            while (first && s->events[first].is_call) first = s->events[first].next;
            s->blocked_by = first ? s->ops[s->events[first].op] : NONE;
        }
        bool is_final;
        do {
            if (s->depth == 0) return MODEL_VIOLATED;
            struct choice *choice = &s->stack[--s->depth];
            take_back(s, choice->call);
            state = choice->state;
            e = s->events[choice->call].next;
            is_final = choice->is_final;
        } while (is_final);
    }
    return MODEL_HOLDS;
}

enum model_outcome search_judge(const struct ops *operations, const uint32_t *ops, size_t count,
                                const struct model_limits *limits,
                                struct model_verdict *verdict)
{
    struct search s = {.operations = operations, .limits = limits, .ops = ops};
    s.blocked_by = NONE;
    s.objects = objects_create(operations);
    events_init(&s, count);
    enum model_outcome outcome = search_run(&s);
    verdict->states += s.visited.count;
    if (memory(&s) > verdict->memory_bytes) verdict->memory_bytes = memory(&s);
    if (outcome == MODEL_VIOLATED) {
        witness_set(verdict, operations, &s.blocked_by, 1);
        witness_explain(verdict, "No order of the operations explains the answer of %s.",
                        say_operation(operations, s.blocked_by));
    } else if (outcome == MODEL_UNKNOWN) {
        witness_explain(verdict, "The search gave up after %llu configurations and %llu MiB.",
                        (unsigned long long)s.visited.count,
                        (unsigned long long)(memory(&s) >> 20));
    }
    objects_destroy(s.objects);
    free(s.events);
    free(s.stack);
    free(s.taken);
    free(s.key);
    free(s.bit);
    free(s.visited.words);
    free(s.visited.slots);
    return outcome;
}
