/* The smallest witness: operations that violate the model by themselves, none of which can be
 * left out. Delta debugging (Zeller and Hildebrandt, "Simplifying and isolating
 * failure-inducing input", IEEE TSE 28(2), 2002) over the operations of a verdict.
 *
 * Leaving out an operation must not invent a violation: of "x = 1 was written, x = 1 was read"
 * the read alone says that nobody wrote 1. What may be left out, so that a history that keeps a
 * model still keeps it afterwards:
 *
 *   M1  what changes nothing (a read, a failure): always;
 *   M2  what changes something, together with all that depends on it:
 *         register   whoever saw or expected its value; and, of its key, failures that do not
 *                    say what they saw (the value that comes back might be the expected one)
 *         queue      everything else on the value: it goes through the queue or not at all
 *         set        everything on the element, and reads that hold it
 *         list       reads that hold it
 *         text       reads that hold it as a part
 *         counter    all reads
 *         lock       what its process changed, and all failures
 *   M3  at the end (linearizability, one key): what was invoked after a moment at which no
 *       operation that changes something under a condition was under way, with the reads that
 *       were; plain writes may stay, for a write can always come last;
 *   M4  at the front (likewise): what had returned before a plain write w began, if what was
 *       under way together with w, but for plain writes, goes too: w hides what was before.
 *
 * Safe registers are the exception: a write that overlaps a read excuses it, so M2 does not
 * hold; nothing is left out there but from what the checker itself named, which is a read, what
 * it saw, and what it missed.
 *
 * First a start is looked for: of a register the operations that the checker named and what
 * they depend on (M2). When it does not violate the model alone, for linearizability all
 * operations of the key up to the one named last (M3), for the others the shortest beginning of
 * the history that does. The work is bounded (WORK_MAX); when it is used up, the witness is
 * what stands by then.
 *
 * Each trial is a history of its own: keys, processes and values are numbered anew, so that a
 * trial costs what it holds and not what the history holds.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/check/witness.h"

#define WORK_MAX UINT64_C(3000000) /* operations judged and configurations visited */
#define WORK_START_MAX UINT64_C(4000000)
#define STATES_MAX UINT64_C(50000) /* of the search of one trial */
#define EDGES_OF 24u               /* operations: of more, all orders are no help */
#define NONE UINT32_MAX

struct minimise {
    const struct model *model;
    const struct ops *operations;
    struct model_limits limits;
    uint64_t work;
    uint32_t *set; /* the smallest so far: operations in order of invoke */
    size_t set_count;
    struct model_verdict verdict; /* of the set by itself; its witness and edges are numbers
                                     in the set */
    /* scratch of a trial */
    struct op *items;
    uint32_t *key_of, *process_of; /* [keys], [processes] 1 + new number; 0 */
    uint64_t *value_of;            /* [values] likewise; NULL: values keep their numbers */
    uint64_t *value_back;
    uint32_t *key_back, *process_back;
    bool *is_in;        /* [set_count] */
    uint8_t *is_marked; /* [values] bits */
};

/* ---- one trial ---- */

static const char *key_name(void *context, uint32_t key)
{
    const struct minimise *m = context;
    return m->operations->key_name(m->operations->names, m->key_back[key]);
}

static const char *value_name(void *context, uint64_t value)
{
    const struct minimise *m = context;
    return m->operations->value_name(m->operations->names,
                                     m->value_of ? m->value_back[value] : value);
}

static const char *process_name(void *context, uint32_t process)
{
    const struct minimise *m = context;
    return m->operations->process_name(m->operations->names, m->process_back[process]);
}

static uint64_t value_renumber(struct minimise *m, struct ops *ops, uint64_t value)
{
    if (!m->value_of || value == VALUE_NONE) return value;
    if (!m->value_of[value]) {
        m->value_back[ops->values] = value;
        m->value_of[value] = ops->values++;
    }
    return m->value_of[value];
}

static uint32_t renumber(uint32_t *of, uint32_t *back, uint32_t *count, uint32_t id)
{
    if (!of[id]) {
        back[*count] = id;
        of[id] = ++*count;
    }
    return of[id] - 1;
}

/* A value field of an operation of another kind holds nothing. */
static void op_renumber(struct minimise *m, struct ops *ops, struct op *op)
{
    op->key = renumber(m->key_of, m->key_back, &ops->keys, op->key);
    op->process = renumber(m->process_of, m->process_back, &ops->processes, op->process);
    op->value = value_renumber(m, ops, op->value);
    op->expected =
        op->kind == OP_COMPARE_AND_SET ? value_renumber(m, ops, op->expected) : VALUE_NONE;
    op->seen = op->has_seen ? value_renumber(m, ops, op->seen) : VALUE_NONE;
}

/* Judges set[0..count) by itself: true when it violates the model. */
static bool violates(struct minimise *m, const uint32_t *set, size_t count,
                     struct model_verdict *verdict)
{
    const struct ops *all = m->operations;
    struct ops ops = {.items = m->items,
                      .count = count,
                      .elements = all->elements,
                      .elements_count = all->elements_count,
                      .values = m->value_of ? 1 : all->values,
                      .has_clock = all->has_clock,
                      .has_real_time = all->has_real_time,
                      .type = all->type,
                      .key_name = all->key_name ? key_name : NULL,
                      .value_name = all->value_name ? value_name : NULL,
                      .process_name = all->process_name ? process_name : NULL,
                      .names = m};
    m->value_back[0] = VALUE_NONE;
    for (size_t i = 0; i < count; i++) {
        m->items[i] = all->items[set[i]];
        op_renumber(m, &ops, &m->items[i]);
    }
    if (ops.keys == 0) ops.keys = 1;
    memset(verdict, 0, sizeof *verdict);
    m->model->check(&ops, &m->limits, verdict);
    m->work += count + verdict->states + 8;
    for (size_t i = 0; i < count; i++) {
        const struct op *op = &all->items[set[i]];
        m->key_of[op->key] = m->process_of[op->process] = 0;
        if (!m->value_of) continue;
        m->value_of[op->value] = 0;
        if (op->kind == OP_COMPARE_AND_SET) m->value_of[op->expected] = 0;
        if (op->has_seen) m->value_of[op->seen] = 0;
    }
    return verdict->outcome == MODEL_VIOLATED;
}

/* Takes set[0..count) when it violates the model. */
static bool adopt(struct minimise *m, const uint32_t *set, size_t count)
{
    struct model_verdict verdict;
    if (!violates(m, set, count, &verdict)) {
        model_verdict_deinit(&verdict);
        return false;
    }
    model_verdict_deinit(&m->verdict);
    m->verdict = verdict;
    memmove(m->set, set, count * sizeof *set);
    m->set_count = count;
    return true;
}

/* ---- what depends on what: M2 ---- */

static bool changes(const struct op *op)
{
    return op->kind != OP_READ && op->result != RESULT_FAIL && op->result != RESULT_VOID &&
           !(op->kind == OP_DEQUEUE && op->value == VALUE_NONE);
}

static bool is_plain(const struct op *op) /* it can come at any time */
{
    return op->kind == OP_WRITE || op->kind == OP_APPEND || op->kind == OP_ENQUEUE;
}

static uint64_t writes_value(const struct op *op)
{
    return op->kind == OP_DELETE ? VALUE_NONE : op->value;
}

/* The value of a register that its answer rests on; false: none that is known. */
static bool rests_on(const struct op *op, uint64_t *value)
{
    if (op->result == RESULT_VOID) return false;
    if (op->result == RESULT_FAIL) {
        *value = op->kind == OP_DELETE ? VALUE_NONE : op->seen;
        return op->has_seen || op->kind == OP_DELETE;
    }
    *value = op->kind == OP_COMPARE_AND_SET ? op->expected
             : op->kind == OP_INSERT        ? VALUE_NONE
                                            : op->value;
    return op->kind == OP_COMPARE_AND_SET || op->kind == OP_INSERT ||
           (op->kind == OP_READ && op->result == RESULT_OK);
}

static bool is_blind(const struct op *op) /* a failure that does not say what it saw */
{
    uint64_t value;
    return op->result == RESULT_FAIL && !rests_on(op, &value);
}

static bool holds_element(const struct ops *operations, const struct op *op, uint64_t value)
{
    for (uint32_t i = 0; i < op->count; i++)
        if (operations->elements[op->elements + i] == value) return true;
    return false;
}

static bool holds_text(const struct ops *operations, const struct op *op, uint64_t part)
{
    if (part == VALUE_NONE) return true;
    const char *whole = operations->value_name(operations->names, op->value);
    const char *text = operations->value_name(operations->names, part);
    return !text || !*text || (whole && strstr(whole, text));
}

/* Whether b must go when a, which changed something, has gone. */
static bool goes_with(const struct ops *operations, const struct op *a, const struct op *b)
{
    uint64_t value;
    bool is_read = b->kind == OP_READ, same = a->value == b->value;
    if (a->key != b->key || b->result == RESULT_VOID) return false;
    switch (operations->type) {
    case OBJECT_REGISTER:
        return is_blind(b) || (rests_on(b, &value) && value == writes_value(a));
    case OBJECT_QUEUE: return same;
    case OBJECT_SET: return is_read ? holds_element(operations, b, a->value) : same;
    case OBJECT_LIST: return is_read && holds_element(operations, b, a->value);
    case OBJECT_TEXT: return is_read && holds_text(operations, b, a->value);
    case OBJECT_COUNTER: return is_read;
    default: return !changes(b) || a->process == b->process;
    }
}

/* After is_in[] has lost some: takes out what depends on them. A register's values are marked,
 * so that it costs the size of the set; of other objects sets are small. */
static void depend(struct minimise *m)
{
    const struct ops *operations = m->operations;
    const struct op *items = operations->items;
    bool is_register = operations->type == OBJECT_REGISTER;
    bool was_changed = false;
    for (bool goes_on = true; goes_on;) {
        goes_on = false;
        for (size_t i = 0; is_register && i < m->set_count; i++) {
            const struct op *a = &items[m->set[i]];
            if (m->is_in[i] || !changes(a)) continue;
            m->is_marked[writes_value(a)] = 1;
            was_changed = true;
        }
        for (size_t i = 0; i < m->set_count; i++) {
            const struct op *b = &items[m->set[i]];
            uint64_t value;
            if (!m->is_in[i]) continue;
            bool goes = false;
            if (is_register) {
                goes = (was_changed && is_blind(b)) ||
                       (rests_on(b, &value) && m->is_marked[value]);
            } else {
                for (size_t j = 0; j < m->set_count && !goes; j++)
                    goes = !m->is_in[j] && changes(&items[m->set[j]]) &&
                           goes_with(operations, &items[m->set[j]], b);
                m->work += m->set_count / 16;
            }
            if (!goes) continue;
            m->is_in[i] = false;
            goes_on |= changes(b);
        }
    }
    for (size_t i = 0; is_register && i < m->set_count; i++)
        m->is_marked[writes_value(&items[m->set[i]])] = 0;
}

/* Tries the set without what is_in[] has lost. */
static bool try_without(struct minimise *m)
{
    depend(m);
    uint32_t *left = xmalloc((m->set_count + 1) * sizeof *left);
    size_t count = 0;
    for (size_t i = 0; i < m->set_count; i++)
        if (m->is_in[i]) left[count++] = m->set[i];
    bool is_smaller = count && count < m->set_count && adopt(m, left, count);
    free(left);
    return is_smaller;
}

/* ---- the beginning and the end: M3, M4 ---- */

/* Whether an operation that is_in[] has lost wrote what b rests on, and none that it holds. */
static bool is_orphan(const struct minimise *m, const struct op *b)
{
    uint64_t value;
    bool was_written = false;
    if (m->operations->type != OBJECT_REGISTER || !rests_on(b, &value) || value == VALUE_NONE)
        return false;
    for (size_t i = 0; i < m->set_count; i++) {
        const struct op *a = &m->operations->items[m->set[i]];
        if (a == b || !changes(a) || writes_value(a) != value) continue;
        if (m->is_in[i]) return false;
        was_written = true;
    }
    return was_written;
}

/* Without what had returned before the plain write set[w] began. */
static bool front_cut(struct minimise *m, size_t w)
{
    const struct op *items = m->operations->items, *write = &items[m->set[w]];
    uint32_t *left = xmalloc((m->set_count + 1) * sizeof *left);
    size_t count = 0;
    bool may = true;
    for (size_t i = 0; i < m->set_count; i++) {
        const struct op *op = &items[m->set[i]];
        bool is_behind = i == w || op->invoke > write->complete || op->complete == OP_OPEN;
        m->is_in[i] = (i == w || op->complete >= write->invoke) && (is_behind || changes(op));
        may &= !m->is_in[i] || is_behind || is_plain(op);
    }
    for (size_t i = 0; i < m->set_count && may; i++) {
        const struct op *op = &items[m->set[i]];
        if (!m->is_in[i]) continue;
        bool goes = is_orphan(m, op);
        may &= !goes || !changes(op);
        if (!goes) left[count++] = m->set[i];
    }
    bool is_smaller = may && count < m->set_count && adopt(m, left, count);
    free(left);
    return is_smaller;
}

static void fronts_cut(struct minimise *m)
{
    const struct op *items = m->operations->items;
    if (m->operations->type != OBJECT_REGISTER && m->operations->type != OBJECT_TEXT) return;
    for (size_t w = m->set_count; w-- > 0 && m->work < WORK_MAX;) {
        const struct op *op = &items[m->set[w]];
        if (op->kind == OP_WRITE && op->result == RESULT_OK && front_cut(m, w)) return;
    }
}

/* Of the set, what was invoked by `end`, or while a condition was under way then; true when
 * that violates the model alone. */
static bool end_cut(struct minimise *m, int64_t end)
{
    const struct op *items = m->operations->items;
    for (bool goes_on = true; goes_on;) {
        goes_on = false;
        for (size_t i = 0; i < m->set_count && items[m->set[i]].invoke <= end; i++) {
            const struct op *op = &items[m->set[i]];
            if (op->complete == OP_OPEN || op->complete <= end || !changes(op) || is_plain(op))
                continue;
            end = op->complete;
            goes_on = true;
        }
    }
    for (size_t i = 0; i < m->set_count; i++) {
        const struct op *op = &items[m->set[i]];
        m->is_in[i] = op->invoke <= end && (op->complete <= end || changes(op));
    }
    /* A later write of what was seen stays, lest it seem that nobody wrote it. */
    uint32_t *left = xmalloc((m->set_count + 1) * sizeof *left);
    size_t count = 0;
    bool may = true;
    for (size_t i = 0; i < m->set_count; i++) {
        uint64_t value = VALUE_NONE;
        bool is_last = false;
        if (!m->is_in[i] || !is_orphan(m, &items[m->set[i]])) continue;
        rests_on(&items[m->set[i]], &value);
        for (size_t j = 0; j < m->set_count && !is_last; j++) {
            const struct op *op = &items[m->set[j]];
            is_last = op->kind == OP_WRITE && changes(op) && op->value == value;
            if (is_last) m->is_in[j] = true;
        }
        may &= is_last;
    }
    for (size_t i = 0; i < m->set_count; i++)
        if (m->is_in[i]) left[count++] = m->set[i];
    bool is_smaller = may && count < m->set_count && adopt(m, left, count);
    free(left);
    return is_smaller;
}

static int by_time(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* The earliest end at which the set violates the model. */
static void end_find(struct minimise *m)
{
    size_t count = 0, low = 0;
    int64_t *ends = xmalloc((m->set_count + 1) * sizeof *ends);
    for (size_t i = 0; i < m->set_count; i++) {
        const struct op *op = &m->operations->items[m->set[i]];
        if (op->complete != OP_OPEN) ends[count++] = op->complete;
    }
    qsort(ends, count, sizeof *ends, by_time);
    for (size_t high = count; low < high && m->work < WORK_MAX;) {
        size_t middle = low + (high - low) / 2;
        if (end_cut(m, ends[middle]))
            high = middle;
        else
            low = middle + 1;
    }
    free(ends);
}

/* ---- where to start ---- */

/* The operations that the checker named, and whose values they rest on. */
static size_t named(struct minimise *m, const struct model_verdict *verdict, uint32_t *out)
{
    const struct ops *all = m->operations;
    uint8_t *is_in = xcalloc(all->count + 1, 1);
    for (size_t i = 0; i < verdict->witness_count; i++) is_in[verdict->witness[i]] = 1;
    for (size_t i = 0; i < all->count; i++) {
        uint64_t value;
        if (!is_in[i]) continue;
        if (rests_on(&all->items[i], &value) && value != VALUE_NONE) m->is_marked[value] = 1;
        if (changes(&all->items[i])) m->is_marked[writes_value(&all->items[i])] = 1;
    }
    for (bool goes_on = true; goes_on;) {
        goes_on = false;
        /* From the end: what a compare_and_set expected was mostly written before it. */
        for (size_t i = all->count; i-- > 0;) {
            const struct op *op = &all->items[i];
            uint64_t value = changes(op) ? writes_value(op) : VALUE_NONE;
            if (is_in[i] || value == VALUE_NONE || !m->is_marked[value]) continue;
            is_in[i] = 1;
            if (!rests_on(op, &value) || value == VALUE_NONE || m->is_marked[value]) continue;
            m->is_marked[value] = 1;
            goes_on = true;
        }
    }
    memset(m->is_marked, 0, all->values + 1);
    size_t count = 0;
    for (size_t i = 0; i < all->count; i++)
        if (is_in[i]) out[count++] = (uint32_t)i;
    free(is_in);
    return count;
}

/* The set is all operations; without those from `cut` on (or before it). */
static bool window(struct minimise *m, size_t from, size_t to)
{
    for (size_t i = 0; i < m->set_count; i++) m->is_in[i] = i >= from && i < to;
    return try_without(m);
}

/* The shortest beginning of the history that violates the model, then its shortest end. */
static bool shortest(struct minimise *m, uint32_t *scratch)
{
    const struct ops *all = m->operations;
    size_t count = 0;
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].result != RESULT_VOID) scratch[count++] = (uint32_t)i;
    if (count > WORK_START_MAX / 16 || !adopt(m, scratch, count)) return false;
    for (size_t step = m->set_count / 2; step; step /= 2)
        while (m->work < WORK_START_MAX && m->set_count > step &&
               window(m, 0, m->set_count - step)) {}
    for (size_t step = m->set_count / 2; step; step /= 2)
        while (m->work < WORK_START_MAX && m->set_count > step &&
               window(m, step, m->set_count)) {}
    m->work = 0;
    return true;
}

static bool start(struct minimise *m, const struct model_verdict *verdict)
{
    bool is_local = strcmp(m->model->name, "linearizable") == 0, found = false;
    const struct op *items = m->operations->items;
    uint32_t *scratch = xmalloc((m->operations->count + 1) * sizeof *scratch);
    size_t count = 0;
    /* A failure that does not say what it saw rests on all that its key's values did. */
    bool is_named = m->operations->type == OBJECT_REGISTER;
    for (size_t i = 0; i < verdict->witness_count; i++)
        is_named &= !is_blind(&items[verdict->witness[i]]);
    if (is_named) {
        count = named(m, verdict, scratch);
        found = adopt(m, scratch, count);
    }
    if (!found && is_local) {
        uint32_t key = items[verdict->witness[0]].key;
        for (size_t i = count = 0; i < m->operations->count; i++)
            if (items[i].key == key && items[i].result != RESULT_VOID)
                scratch[count++] = (uint32_t)i;
        memcpy(m->set, scratch, count * sizeof *scratch);
        m->set_count = count;
        int64_t end = INT64_MIN;
        for (size_t i = 0; i < verdict->witness_count; i++)
            if (items[verdict->witness[i]].complete > end)
                end = items[verdict->witness[i]].complete;
        found = end_cut(m, end) || adopt(m, scratch, count);
    }
    if (!found && strcmp(m->model->name, "safe") != 0) found = shortest(m, scratch);
    free(scratch);
    return found;
}

/* ---- smaller and smaller ---- */

static void chunks_leave(struct minimise *m)
{
    for (size_t chunk = m->set_count / 2 ? m->set_count / 2 : 1; chunk;) {
        bool has_shrunk = false;
        /* From the end: what comes last depends on what was before, and not the reverse. */
        for (size_t to = m->set_count; to > 0 && m->work < WORK_MAX;) {
            size_t from = to > chunk ? to - chunk : 0;
            for (size_t i = 0; i < m->set_count; i++) m->is_in[i] = i < from || i >= to;
            if (try_without(m)) has_shrunk = true;
            to = from < m->set_count ? from : m->set_count;
        }
        if (m->work >= WORK_MAX) return;
        if (chunk > 1)
            chunk = chunk / 2 < m->set_count ? chunk / 2 : m->set_count / 2 + 1;
        else if (!has_shrunk)
            chunk = 0;
    }
}

/* ---- the order that is forced ---- */

static bool has_edge(const struct model_verdict *verdict, size_t from, size_t to)
{
    for (size_t i = 0; i < verdict->edges_count; i++)
        if (verdict->edges[i].from == from && verdict->edges[i].to == to &&
            verdict->edges[i].reason != REASON_OVERWRITTEN)
            return true;
    return false;
}

/* What each process did in turn, and with is_timed what had returned before another began;
 * but for what follows from two of these. */
static void edges_of_time(const struct ops *operations, struct model_verdict *verdict,
                          bool is_timed)
{
    const struct op *items = operations->items;
    const size_t *set = verdict->witness, count = verdict->witness_count;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            const struct op *a = &items[set[i]], *b = &items[set[j]];
            bool is_session = i < j && a->process == b->process, is_between = false;
            if (!is_session && !(is_timed && a->complete < b->invoke)) continue;
            for (size_t k = 0; k < count && !is_between; k++) {
                const struct op *c = &items[set[k]];
                is_between = is_timed ? a->complete < c->invoke && c->complete < b->invoke
                                      : k > i && k < j && c->process == a->process;
            }
            if (!is_between)
                witness_edge(verdict, (uint32_t)set[i], (uint32_t)set[j],
                             is_session ? REASON_SESSION : REASON_REAL_TIME);
        }
}

/* Whose value was seen, where that is one; and with is_bare what that puts behind it: a write
 * that comes after the one that was seen. */
static void edges_of_values(const struct ops *operations, struct model_verdict *verdict,
                            bool is_bare)
{
    const struct op *items = operations->items;
    const size_t *set = verdict->witness, count = verdict->witness_count;
    for (size_t i = 0; i < count; i++) {
        uint64_t value;
        uint32_t writer = NONE, writers = 0;
        if (!rests_on(&items[set[i]], &value)) continue;
        for (size_t j = 0; j < count; j++) {
            const struct op *op = &items[set[j]];
            if (j == i || !changes(op) || op->key != items[set[i]].key) continue;
            if (writes_value(op) != value) continue;
            writer = (uint32_t)set[j];
            writers++;
        }
        if (writers != (value != VALUE_NONE)) continue;
        witness_edge(verdict, writer, (uint32_t)set[i], REASON_READS_FROM);
        for (size_t j = 0; is_bare && j < count; j++) {
            const struct op *op = &items[set[j]];
            if (j != i && changes(op) && op->key == items[set[i]].key && set[j] != writer &&
                items[set[i]].result == RESULT_OK && op->result == RESULT_OK &&
                (writer == NONE || has_edge(verdict, writer, set[j])))
                witness_edge(verdict, (uint32_t)set[i], (uint32_t)set[j], REASON_OVERWRITTEN);
        }
    }
}

/* Adds to what the checker said what a reader needs to follow it. */
static void edges_derive(const struct ops *operations, struct model_verdict *verdict)
{
    bool is_bare = verdict->edges_count == 0;
    if (verdict->witness_count > EDGES_OF) return;
    if (is_bare || !operations->has_real_time)
        edges_of_time(operations, verdict, operations->has_real_time);
    if (operations->type == OBJECT_REGISTER) edges_of_values(operations, verdict, is_bare);
}

/* ---- the verdict ---- */

static bool is_same_set(const struct minimise *m, const struct model_verdict *verdict)
{
    if (m->set_count != verdict->witness_count) return false;
    for (size_t i = 0; i < m->set_count; i++)
        if (m->set[i] != verdict->witness[i]) return false;
    return true;
}

/* The set is the witness; its own verdict explains it. */
static void verdict_replace(struct minimise *m, struct model_verdict *verdict)
{
    free(verdict->explanation);
    free(verdict->edges);
    verdict->explanation = m->verdict.explanation;
    verdict->edges = m->verdict.edges;
    verdict->edges_count = m->verdict.edges_count;
    m->verdict.explanation = NULL;
    m->verdict.edges = NULL;
    for (size_t i = 0; i < verdict->edges_count; i++) {
        verdict->edges[i].from = m->set[verdict->edges[i].from];
        verdict->edges[i].to = m->set[verdict->edges[i].to];
    }
    verdict->witness =
        xrealloc(verdict->witness, (m->set_count + 1) * sizeof *verdict->witness);
    for (size_t i = 0; i < m->set_count; i++) verdict->witness[i] = m->set[i];
    verdict->witness_count = m->set_count;
}

void witness_minimise(const struct model *model, const struct ops *operations,
                      const struct model_limits *limits, struct model_verdict *verdict)
{
    struct minimise m = {.model = model, .operations = operations};
    size_t values = operations->values + 1;
    if (!verdict->witness_count) return;
    if (limits) m.limits = *limits;
    if (!m.limits.states || m.limits.states > STATES_MAX) m.limits.states = STATES_MAX;
    m.set = xmalloc((operations->count + 1) * sizeof *m.set);
    m.items = xmalloc((operations->count + 1) * sizeof *m.items);
    m.is_in = xmalloc(operations->count + 1);
    m.is_marked = xcalloc(values, 1);
    m.key_of = xcalloc((size_t)operations->keys + 1, sizeof *m.key_of);
    m.process_of = xcalloc((size_t)operations->processes + 1, sizeof *m.process_of);
    m.key_back = xcalloc((size_t)operations->keys + 1, sizeof *m.key_back);
    m.process_back = xcalloc((size_t)operations->processes + 1, sizeof *m.process_back);
    m.value_back = xcalloc(values, sizeof *m.value_back);
    /* Of texts a value's number stands for the text, and elements hold values. */
    if (operations->type == OBJECT_REGISTER) m.value_of = xcalloc(values, sizeof *m.value_of);
    if (start(&m, verdict)) {
        if (strcmp(model->name, "linearizable") == 0) {
            end_find(&m);
            fronts_cut(&m);
        }
        chunks_leave(&m);
        if (!is_same_set(&m, verdict)) verdict_replace(&m, verdict);
        edges_derive(operations, verdict);
    }
    model_verdict_deinit(&m.verdict);
    free(m.set);
    free(m.items);
    free(m.is_in);
    free(m.is_marked);
    free(m.key_of);
    free(m.process_of);
    free(m.key_back);
    free(m.process_back);
    free(m.value_back);
    free(m.value_of);
}
