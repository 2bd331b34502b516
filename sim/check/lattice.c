/* Which models a history keeps. model_table stands in an order in which a model comes before
 * all that it implies, so one pass is enough. bounded-staleness is a measure with bounds, not a
 * place in the lattice: it is left out.
 *
 * The part of a key is all operations on it. The part of a client is its own operations and,
 * of all others, those that change something: what this client saw, with nobody else looking.
 * So a client stands where its own reads put it, and a key where its own history does; both at
 * least where the whole stands, since a model that a history keeps is kept by its parts. A
 * compare-and-set of another client stays, and with it what it expected.
 *
 * A part of an object under search is given fewer configurations than the whole
 * (PART_STATES), and all parts together have a bound of work: k clients are k times all writes.
 * What is beyond is counted as unjudged.
 */
#include "sim/check/lattice.h"

#include <stdlib.h>
#include <string.h>

#include "sim/kernel/check.h"

const char *const lattice_state_words[] = {"holds", "holds (implied)", "violated", "unknown",
                                           "not judged"};

static uint32_t model_number(const char *name)
{
    const struct model *model = model_find(name);
    CHECK(model);
    return (uint32_t)(model - model_table);
}

static bool stands(const struct lattice *lattice, uint32_t model)
{
    return lattice->states[model] == LATTICE_HOLDS || lattice->states[model] == LATTICE_IMPLIED;
}

static bool is_suited(const struct model *model, const struct ops *operations)
{
    return model->types & 1u << operations->type &&
           (!model->needs_real_time || operations->has_real_time) &&
           strcmp(model->name, "bounded-staleness") != 0;
}

/* With is_told the verdicts get the smallest witnesses. */
static void judge(struct lattice *lattice, const struct ops *operations,
                  const struct model_limits *limits, bool is_told)
{
    memset(lattice, 0, sizeof *lattice);
    bool is_implied[LATTICE_MAX] = {false}, is_topped[LATTICE_MAX] = {false};
    for (const struct model *m = model_table; m->name; m++) {
        uint32_t i = lattice->count++;
        CHECK(i < LATTICE_MAX);
        if (!is_suited(m, operations)) {
            lattice->states[i] = LATTICE_UNSUITED;
            continue;
        }
        if (is_implied[i]) {
            lattice->states[i] = LATTICE_IMPLIED;
        } else {
            if (is_told)
                model_check(m, operations, limits, &lattice->verdicts[i]);
            else
                m->check(operations, limits, &lattice->verdicts[i]);
            static const enum lattice_state states[] = {
                [MODEL_HOLDS] = LATTICE_HOLDS,
                [MODEL_VIOLATED] = LATTICE_VIOLATED,
                [MODEL_UNKNOWN] = LATTICE_UNKNOWN,
            };
            lattice->states[i] = states[lattice->verdicts[i].outcome];
        }
        for (const char *const *name = m->implies; stands(lattice, i) && *name; name++) {
            uint32_t weaker = model_number(*name);
            CHECK(weaker > i);
            is_implied[weaker] = is_topped[weaker] = true;
        }
    }
    for (uint32_t i = 0; i < lattice->count; i++)
        if (stands(lattice, i) && !is_topped[i])
            lattice->strongest[lattice->strongest_count++] = i;
}

void lattice_judge(struct lattice *lattice, const struct ops *operations,
                   const struct model_limits *limits)
{
    judge(lattice, operations, limits, true);
}

void lattice_deinit(struct lattice *lattice)
{
    for (uint32_t i = 0; i < lattice->count; i++) model_verdict_deinit(&lattice->verdicts[i]);
}

/* ---- keys and clients by themselves ---- */

#define PART_STATES UINT64_C(20000)
#define PARTS_WORK UINT64_C(10000000) /* operations, of all parts together */

struct part {
    const struct ops *operations;
    struct op *items;
    uint64_t *value_of, *touched; /* [values] new numbers; which were given */
    uint32_t *process_of, *processes;
    size_t touched_count;
};

static uint64_t value_renumber(struct part *part, uint64_t value)
{
    if (value == VALUE_NONE) return value;
    if (!part->value_of[value]) {
        part->touched[part->touched_count] = value;
        part->value_of[value] = ++part->touched_count;
    }
    return part->value_of[value];
}

/* A history of its own of items[0..count), numbered anew so that it costs what it holds. Names
 * are left out: its verdicts are not told. Of texts a value's number is the text. */
static void part_judge(struct part *part, size_t count, bool is_one_key,
                       const struct model_limits *limits, struct lattice *lattice)
{
    struct ops ops = *part->operations;
    bool is_register = ops.type == OBJECT_REGISTER;
    ops.items = part->items;
    ops.count = count;
    ops.key_name = NULL;
    ops.process_name = NULL;
    if (ops.type != OBJECT_TEXT) ops.value_name = NULL;
    if (is_one_key) ops.keys = 1;
    ops.processes = 0;
    part->touched_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct op *op = &part->items[i];
        if (is_one_key) op->key = 0;
        if (!part->process_of[op->process]) {
            part->processes[ops.processes] = op->process;
            part->process_of[op->process] = ++ops.processes;
        }
        op->process = part->process_of[op->process] - 1;
        if (!is_register) continue;
        op->value = value_renumber(part, op->value);
        op->expected =
            op->kind == OP_COMPARE_AND_SET ? value_renumber(part, op->expected) : VALUE_NONE;
        op->seen = op->has_seen ? value_renumber(part, op->seen) : VALUE_NONE;
    }
    if (is_register) ops.values = part->touched_count + 1;
    judge(lattice, &ops, limits, false);
    for (size_t i = 0; i < part->touched_count; i++) part->value_of[part->touched[i]] = 0;
    for (uint32_t i = 0; i < ops.processes; i++) part->process_of[part->processes[i]] = 0;
}

static void place_add(struct lattice_parts *parts, const struct lattice *lattice, uint32_t id)
{
    uint32_t strongest = 0, at = 0;
    bool is_unknown = false;
    for (uint32_t i = 0; i < lattice->strongest_count; i++)
        strongest |= 1u << lattice->strongest[i];
    for (uint32_t i = 0; i < lattice->count; i++)
        is_unknown |= lattice->states[i] == LATTICE_UNKNOWN;
    while (at < parts->places_count && (parts->places[at].strongest != strongest ||
                                        parts->places[at].is_unknown != is_unknown))
        at++;
    if (at == parts->places_count) {
        parts->places = xrealloc(parts->places, (at + 1) * sizeof *parts->places);
        parts->places[parts->places_count++] =
            (struct lattice_place){.strongest = strongest, .is_unknown = is_unknown};
    }
    struct lattice_place *place = &parts->places[at];
    if ((place->count & (place->count - 1)) == 0) /* full: a power of two */
        place->ids =
            xrealloc(place->ids, (place->count ? 2 * place->count : 1) * sizeof *place->ids);
    place->ids[place->count++] = id;
}

static int fullest_first(const void *left, const void *right)
{
    const struct lattice_place *a = left, *b = right;
    if (a->count != b->count) return a->count > b->count ? -1 : 1;
    return (a->ids[0] > b->ids[0]) - (a->ids[0] < b->ids[0]);
}

static bool changes(const struct op *op)
{
    return op->kind != OP_READ && op->result != RESULT_FAIL && op->result != RESULT_VOID;
}

/* Marks the values of registers that somebody saw: [values]. */
static uint8_t *values_seen(const struct ops *operations)
{
    uint8_t *seen = xcalloc(operations->values + 1, 1);
    for (size_t i = 0; i < operations->count && operations->type == OBJECT_REGISTER; i++) {
        const struct op *op = &operations->items[i];
        if (op->kind == OP_READ && op->result == RESULT_OK) seen[op->value] = 1;
        if (op->kind == OP_COMPARE_AND_SET && op->result == RESULT_OK) seen[op->expected] = 1;
        if (op->result == RESULT_FAIL && op->has_seen) seen[op->seen] = 1;
    }
    seen[VALUE_NONE] = 0;
    return seen;
}

/* The operations of client p, and what others changed. A write without an answer whose value
 * somebody saw did take effect, also when those who saw it are left out. */
static size_t client_part(struct part *part, uint32_t p, const uint8_t *seen)
{
    const struct ops *operations = part->operations;
    size_t kept = 0;
    for (size_t i = 0; i < operations->count; i++) {
        const struct op *op = &operations->items[i];
        if (op->process != p && !changes(op)) continue;
        part->items[kept] = *op;
        if (op->result == RESULT_UNKNOWN && changes(op) && seen[op->value])
            part->items[kept].result = RESULT_OK;
        kept++;
    }
    return kept;
}

void lattice_judge_parts(struct lattice_parts *parts, const struct ops *operations,
                         const struct model_limits *limits, enum lattice_part by)
{
    size_t n = operations->count;
    uint32_t count = by == LATTICE_BY_KEY ? operations->keys : operations->processes;
    struct model_limits part_limits = limits ? *limits : (struct model_limits){0};
    struct part part = {.operations = operations};
    uint64_t work = 0;
    memset(parts, 0, sizeof *parts);
    if (!part_limits.states || part_limits.states > PART_STATES)
        part_limits.states = PART_STATES;
    part.items = xmalloc((n + 1) * sizeof *part.items);
    part.value_of = xcalloc(operations->values + 1, sizeof *part.value_of);
    part.touched = xcalloc(operations->values + 1, sizeof *part.touched);
    part.process_of = xcalloc((size_t)operations->processes + 1, sizeof *part.process_of);
    part.processes = xcalloc((size_t)operations->processes + 1, sizeof *part.processes);
    uint8_t *seen = values_seen(operations);
    /* Operations by key or by process, each in order of invoke. */
    uint32_t *start = xcalloc((size_t)count + 2, sizeof *start);
    uint32_t *of = xmalloc((n + 1) * sizeof *of);
    for (size_t i = 0; i < n; i++) {
        const struct op *op = &operations->items[i];
        start[(by == LATTICE_BY_KEY ? op->key : op->process) + 2]++;
    }
    for (uint32_t p = 0; p < count; p++) start[p + 2] += start[p + 1];
    for (size_t i = 0; i < n; i++) {
        const struct op *op = &operations->items[i];
        of[start[(by == LATTICE_BY_KEY ? op->key : op->process) + 1]++] = (uint32_t)i;
    }
    for (uint32_t p = 0; p < count; p++) {
        if (start[p] == start[p + 1]) continue;
        struct lattice lattice;
        size_t kept = 0;
        work += by == LATTICE_BY_KEY ? start[p + 1] - start[p] : n;
        if (work > PARTS_WORK) {
            parts->unjudged++;
            continue;
        }
        for (uint32_t i = start[p]; i < start[p + 1] && by == LATTICE_BY_KEY; i++)
            part.items[kept++] = operations->items[of[i]];
        if (by == LATTICE_BY_CLIENT) kept = client_part(&part, p, seen);
        part_judge(&part, kept, by == LATTICE_BY_KEY, &part_limits, &lattice);
        place_add(parts, &lattice, p);
        lattice_deinit(&lattice);
    }
    if (parts->places_count)
        qsort(parts->places, parts->places_count, sizeof *parts->places, fullest_first);
    free(seen);
    free(start);
    free(of);
    free(part.items);
    free(part.value_of);
    free(part.touched);
    free(part.process_of);
    free(part.processes);
}

void lattice_parts_deinit(struct lattice_parts *parts)
{
    for (uint32_t i = 0; i < parts->places_count; i++) free(parts->places[i].ids);
    free(parts->places);
    memset(parts, 0, sizeof *parts);
}
