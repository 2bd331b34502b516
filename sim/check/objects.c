/* Sequential specifications of the objects.
 *
 *     register  id of the value
 *     counter   the sum, as its bits
 *     lock      0 free, else 1 + process that holds it
 *     text      number of an interned string; 0 is ""
 *     set, queue, list   number of an interned sequence of value ids; 0 is empty. A set's is
 *               sorted.
 *
 * Interning: one growable array of contents, a table of open addressing over them, and a
 * second table that remembers (state, operation) -> state, because a search comes to the same
 * step often. Contents never go away while the search lives; its memory is counted and the
 * caller stops when it is too much.
 */
#include "sim/check/objects.h"

#include <stdlib.h>
#include <string.h>

#include "sim/kernel/check.h"
#include "sim/kernel/random.h"

struct content { /* of an interned state: bytes[start..+size) */
    size_t start, size;
};

struct step { /* what (state, op) led to */
    uint64_t state, next;
    uint32_t op;
    bool is_used;
};

struct objects {
    const struct ops *operations;
    struct content *contents; /* contents[0] is empty */
    size_t contents_count, contents_capacity;
    unsigned char *bytes;
    size_t bytes_size, bytes_capacity;
    uint32_t *table; /* 1 + content; 0 free */
    size_t table_capacity;
    struct step *steps;
    size_t steps_count, steps_capacity;
    unsigned char *scratch;
    size_t scratch_capacity;
};

/* ---- interning ---- */

static uint64_t content_hash(const unsigned char *data, size_t size)
{
    uint64_t hash = size;
    for (; size >= 8; data += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, data, sizeof word);
        hash = mix64(hash ^ word);
    }
    uint64_t tail = 0;
    if (size) memcpy(&tail, data, size); /* nothing may be NULL */
    return mix64(hash ^ tail);
}

static void table_put(struct objects *objects, uint64_t hash, uint32_t content)
{
    size_t mask = objects->table_capacity - 1, i = hash & mask;
    while (objects->table[i]) i = (i + 1) & mask;
    objects->table[i] = content + 1;
}

static uint64_t intern(struct objects *objects, const unsigned char *data, size_t size)
{
    uint64_t hash = content_hash(data, size);
    size_t mask = objects->table_capacity - 1;
    for (size_t i = hash & mask; objects->table[i]; i = (i + 1) & mask) {
        const struct content *c = &objects->contents[objects->table[i] - 1];
        if (c->size == size &&
            (size == 0 || memcmp(objects->bytes + c->start, data, size) == 0))
            return objects->table[i] - 1;
    }
    if (objects->bytes_size + size > objects->bytes_capacity) {
        while (objects->bytes_size + size > objects->bytes_capacity)
            objects->bytes_capacity *= 2;
        objects->bytes = xrealloc(objects->bytes, objects->bytes_capacity);
    }
    if (objects->contents_count == objects->contents_capacity) {
        objects->contents_capacity *= 2;
        objects->contents =
            xrealloc(objects->contents, objects->contents_capacity * sizeof *objects->contents);
    }
    uint32_t content = (uint32_t)objects->contents_count++;
    objects->contents[content] = (struct content){objects->bytes_size, size};
    if (size) memcpy(objects->bytes + objects->bytes_size, data, size);
    objects->bytes_size += size;
    if (objects->contents_count * 2 > objects->table_capacity) {
        free(objects->table);
        objects->table_capacity *= 2;
        objects->table = xcalloc(objects->table_capacity, sizeof *objects->table);
        for (uint32_t c = 0; c < content; c++)
            table_put(objects,
                      content_hash(objects->bytes + objects->contents[c].start,
                                   objects->contents[c].size),
                      c);
    }
    table_put(objects, hash, content);
    return content;
}

struct objects *objects_create(const struct ops *operations)
{
    struct objects *objects = xcalloc(1, sizeof *objects);
    objects->operations = operations;
    objects->contents_capacity = 64;
    objects->contents = xmalloc(objects->contents_capacity * sizeof *objects->contents);
    objects->bytes_capacity = 1024;
    objects->bytes = xmalloc(objects->bytes_capacity);
    objects->table_capacity = 256;
    objects->table = xcalloc(objects->table_capacity, sizeof *objects->table);
    objects->steps_capacity = 256;
    objects->steps = xcalloc(objects->steps_capacity, sizeof *objects->steps);
    intern(objects, (const unsigned char *)"", 0);
    return objects;
}

void objects_destroy(struct objects *objects)
{
    if (!objects) return;
    free(objects->contents);
    free(objects->bytes);
    free(objects->table);
    free(objects->steps);
    free(objects->scratch);
    free(objects);
}

uint64_t objects_memory(const struct objects *objects)
{
    return sizeof *objects + objects->contents_capacity * sizeof *objects->contents +
           objects->bytes_capacity + objects->table_capacity * sizeof *objects->table +
           objects->steps_capacity * sizeof *objects->steps + objects->scratch_capacity;
}

uint64_t objects_initial(const struct objects *objects)
{
    (void)objects;
    return 0;
}

/* ---- remembered steps ---- */

static struct step *step_slot(struct objects *objects, uint64_t state, uint32_t op)
{
    size_t mask = objects->steps_capacity - 1;
    size_t i = mix64(state * UINT64_C(0x9E3779B97F4A7C15) + op) & mask;
    while (objects->steps[i].is_used &&
           (objects->steps[i].state != state || objects->steps[i].op != op))
        i = (i + 1) & mask;
    return &objects->steps[i];
}

static void step_remember(struct objects *objects, uint64_t state, uint32_t op, uint64_t next)
{
    if ((objects->steps_count + 1) * 2 > objects->steps_capacity) {
        struct step *old = objects->steps;
        size_t capacity = objects->steps_capacity;
        objects->steps_capacity *= 2;
        objects->steps = xcalloc(objects->steps_capacity, sizeof *objects->steps);
        for (size_t i = 0; i < capacity; i++)
            if (old[i].is_used) *step_slot(objects, old[i].state, old[i].op) = old[i];
        free(old);
    }
    *step_slot(objects, state, op) = (struct step){state, next, op, true};
    objects->steps_count++;
}

/* ---- contents ---- */

static unsigned char *scratch(struct objects *objects, size_t size)
{
    if (size > objects->scratch_capacity) {
        objects->scratch_capacity = size * 2;
        objects->scratch = xrealloc(objects->scratch, objects->scratch_capacity);
    }
    return objects->scratch;
}

static size_t sequence_count(const struct objects *objects, uint64_t state)
{
    return objects->contents[state].size / sizeof(uint64_t);
}

static uint64_t sequence_at(const struct objects *objects, uint64_t state, size_t i)
{
    uint64_t value;
    memcpy(&value, objects->bytes + objects->contents[state].start + i * sizeof value,
           sizeof value);
    return value;
}

/* The state without `removed` elements at `at`, and with `value` there when `adds`. */
static uint64_t sequence_replace(struct objects *objects, uint64_t state, size_t at,
                                 size_t removed, bool adds, uint64_t value)
{
    const size_t unit = sizeof(uint64_t);
    struct content old = objects->contents[state];
    size_t size = old.size - removed * unit + (adds ? unit : 0);
    unsigned char *out = scratch(objects, size + 1), *p = out;
    const unsigned char *from = objects->bytes + old.start;
    if (at) memcpy(p, from, at * unit);
    p += at * unit;
    if (adds) {
        memcpy(p, &value, unit);
        p += unit;
    }
    size_t rest = old.size - (at + removed) * unit;
    if (rest) memcpy(p, from + (at + removed) * unit, rest);
    return intern(objects, out, size);
}

static bool sequence_equals(const struct objects *objects, uint64_t state, uint32_t op)
{
    const struct op *o = &objects->operations->items[op];
    const struct content *c = &objects->contents[state];
    return c->size == o->count * sizeof(uint64_t) &&
           (c->size == 0 || memcmp(objects->bytes + c->start,
                                   objects->operations->elements + o->elements, c->size) == 0);
}

/* ---- specifications ---- */

static bool register_step(uint64_t state, const struct op *o, uint64_t *next)
{
    *next = state;
    if (o->result == RESULT_FAIL) {
        if (o->has_seen) return state == o->seen;
        if (o->kind == OP_DELETE) return state == VALUE_NONE;
        return state != (o->kind == OP_INSERT ? VALUE_NONE : o->expected);
    }
    switch (o->kind) {
    case OP_READ: return state == o->value;
    case OP_WRITE: *next = o->value; return true;
    case OP_DELETE: *next = VALUE_NONE; return true;
    case OP_INSERT:
    case OP_COMPARE_AND_SET:
        *next = o->value;
        return state == (o->kind == OP_INSERT ? VALUE_NONE : o->expected);
    default: return false;
    }
}

static bool set_step(struct objects *objects, uint64_t state, uint32_t op, uint64_t *next)
{
    const struct op *o = &objects->operations->items[op];
    *next = state;
    if (o->kind == OP_READ) return sequence_equals(objects, state, op);
    size_t low = 0, high = sequence_count(objects, state);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sequence_at(objects, state, middle) < o->value)
            low = middle + 1;
        else
            high = middle;
    }
    bool is_member =
        low < sequence_count(objects, state) && sequence_at(objects, state, low) == o->value;
    if (o->result == RESULT_FAIL) return o->kind == OP_ADD ? is_member : !is_member;
    if (o->kind == OP_ADD && !is_member)
        *next = sequence_replace(objects, state, low, 0, true, o->value);
    if (o->kind == OP_REMOVE && is_member)
        *next = sequence_replace(objects, state, low, 1, false, 0);
    return o->kind == OP_ADD || o->kind == OP_REMOVE;
}

static bool queue_step(struct objects *objects, uint64_t state, uint32_t op, uint64_t *next)
{
    const struct op *o = &objects->operations->items[op];
    size_t count = sequence_count(objects, state);
    *next = state;
    if (o->kind == OP_ENQUEUE) {
        if (o->result == RESULT_FAIL) return false;
        *next = sequence_replace(objects, state, count, 0, true, o->value);
        return true;
    }
    if (o->kind != OP_DEQUEUE) return false;
    if (o->result == RESULT_FAIL || (o->result == RESULT_OK && o->value == VALUE_NONE))
        return count == 0;
    if (count == 0) return false;
    /* A dequeue without an answer takes whatever is first. */
    if (o->result == RESULT_OK && sequence_at(objects, state, 0) != o->value) return false;
    *next = sequence_replace(objects, state, 0, 1, false, 0);
    return true;
}

static bool list_step(struct objects *objects, uint64_t state, uint32_t op, uint64_t *next)
{
    const struct op *o = &objects->operations->items[op];
    *next = state;
    if (o->kind == OP_READ) return sequence_equals(objects, state, op);
    if (o->kind != OP_APPEND || o->result == RESULT_FAIL) return false;
    *next = sequence_replace(objects, state, sequence_count(objects, state), 0, true, o->value);
    return true;
}

static bool text_step(struct objects *objects, uint64_t state, uint32_t op, uint64_t *next)
{
    const struct op *o = &objects->operations->items[op];
    const char *text = objects->operations->value_name(objects->operations->names, o->value);
    size_t size = text ? strlen(text) : 0;
    const struct content c = objects->contents[state];
    *next = state;
    switch (o->kind) {
    case OP_READ:
        return c.size == size &&
               (size == 0 || memcmp(objects->bytes + c.start, text, size) == 0);
    case OP_WRITE: *next = intern(objects, (const unsigned char *)text, size); return true;
    case OP_APPEND: {
        unsigned char *out = scratch(objects, c.size + size + 1);
        if (c.size) memcpy(out, objects->bytes + c.start, c.size);
        if (size) memcpy(out + c.size, text, size);
        *next = intern(objects, out, c.size + size);
        return true;
    }
    default: return false;
    }
}

static bool lock_step(uint64_t state, const struct op *o, uint64_t *next)
{
    uint64_t me = (uint64_t)o->process + 1;
    *next = state;
    if (o->kind == OP_ACQUIRE) {
        if (o->result == RESULT_FAIL) return state != 0;
        *next = me;
        return state == 0;
    }
    if (o->kind != OP_RELEASE) return false;
    if (o->result == RESULT_FAIL) return state != me;
    *next = 0;
    return state == me;
}

bool objects_step(struct objects *objects, uint64_t state, uint32_t op, uint64_t *next)
{
    const struct op *o = &objects->operations->items[op];
    switch (objects->operations->type) {
    case OBJECT_REGISTER: return register_step(state, o, next);
    case OBJECT_COUNTER:
        *next = o->kind == OP_ADD ? state + (uint64_t)o->amount : state;
        return o->kind == OP_ADD ? o->result != RESULT_FAIL : state == (uint64_t)o->amount;
    case OBJECT_LOCK: return lock_step(state, o, next);
    default: break;
    }
    if (o->kind != OP_READ) {
        struct step *known = step_slot(objects, state, op);
        if (known->is_used) {
            *next = known->next;
            return known->next != UINT64_MAX;
        }
    }
    bool is_legal =
        objects->operations->type == OBJECT_SET     ? set_step(objects, state, op, next)
        : objects->operations->type == OBJECT_QUEUE ? queue_step(objects, state, op, next)
        : objects->operations->type == OBJECT_LIST  ? list_step(objects, state, op, next)
                                                    : text_step(objects, state, op, next);
    if (o->kind != OP_READ) step_remember(objects, state, op, is_legal ? *next : UINT64_MAX);
    return is_legal;
}
