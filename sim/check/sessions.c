/* Session guarantees: read your writes and monotonic reads (Terry et al., "Session guarantees
 * for weakly consistent replicated data", PDIS 1994, section 3).
 *
 * Terry's definitions speak of the set of writes that a server has; a client sees only values.
 * The value v is *older* than the write w here when v's write was before w in the order of
 * parts.h, or when v is absence and no delete, acknowledged or unknown, could stand between w
 * and the read. Nothing else is called older: the write of another client that overlapped w may
 * have come after it, and an unknown write may have come at any time.
 *
 *   read_your_writes   a read in a session returned something older than a write of that
 *                      session which was acknowledged before the read was invoked.
 *   monotonic_reads    a read in a session returned something older than what an earlier read
 *                      of the session had returned, or returned for a second time a value that
 *                      another value had replaced in the session's eyes (v, then v', then v: a
 *                      token takes effect once, so no order has it so).
 *
 * Counted in reads. A read that violates monotonic_reads does not count as seen, so that in
 * new, old, new, old only the two old ones are counted. Siblings: one value that is not older
 * suffices. Values of refused or unknown writers order nothing (no_dirty_read and
 * no_invented_value speak of them). Final reads have no session.
 *
 * Why these tests are exact for one read against one session (without deletes): the order of
 * parts.h is an interval order, and a write v can stand last among v, w1 .. wn in some linear
 * extension if and only if no wi has v before it. So the newest invocation among the wi
 * decides, and one number a (session, key) is enough. For the reads v1 .. vn of a session a
 * linear extension with v1 <= .. <= vn exists if and only if no later value is before an
 * earlier one and none recurs.
 *
 * Method: operations in order of invocation; before each, those that returned strictly earlier
 * are entered. One binary search for absent reads: O(n log n).
 */
#include <stdlib.h>

#include "sim/check/parts.h"

/* ---- deletes by key: can one explain that a key is absent? ---- */

struct deletes {
    uint32_t *start;
    int64_t *invoke_ns, *end_max_ns;
}; /* of key k: [start[k], start[k + 1]), by invocation; end_max: running maximum */

static bool is_delete(const struct history_op *op)
{
    return op->type == HISTORY_DELETE && op->store == 0 && op->outcome != OUTCOME_FAIL &&
           op->key != HISTORY_NONE;
}

static void deletes_init(struct deletes *deletes, const struct index *index)
{
    deletes->start = xcalloc(index->keys + 2, sizeof *deletes->start);
    for (uint32_t i = 0; i < index->count; i++)
        if (is_delete(&index->ops[i])) deletes->start[index->ops[i].key + 2]++;
    for (uint32_t key = 2; key < index->keys + 2; key++)
        deletes->start[key] += deletes->start[key - 1];
    uint32_t total = deletes->start[index->keys + 1];
    deletes->invoke_ns = xmalloc((total + 1) * sizeof *deletes->invoke_ns);
    deletes->end_max_ns = xmalloc((total + 1) * sizeof *deletes->end_max_ns);
    for (uint32_t i = 0; i < index->count; i++) {
        if (!is_delete(&index->ops[i])) continue;
        uint32_t place =
            deletes->start[index->ops[i].key + 1]++; /* afterwards start[key + 1] is the end of
                                                        key, as it should be */
        deletes->invoke_ns[place] = index->ops[i].invoke_ns;
        deletes->end_max_ns[place] = index->end_ns[i];
    }
    for (uint32_t key = 0; key < index->keys; key++)
        for (uint32_t place = deletes->start[key] + 1; place < deletes->start[key + 1]; place++)
            if (deletes->end_max_ns[place - 1] > deletes->end_max_ns[place])
                deletes->end_max_ns[place] = deletes->end_max_ns[place - 1];
}

static void deletes_deinit(struct deletes *deletes)
{
    free(deletes->start);
    free(deletes->invoke_ns);
    free(deletes->end_max_ns);
}

/* True when some delete may have taken effect after a write invoked at after_ns and before a
 * read that returned at before_ns. */
static bool deletes_explain(const struct deletes *deletes, uint32_t key, int64_t after_ns,
                            int64_t before_ns)
{
    uint32_t low = deletes->start[key], high = deletes->start[key + 1], first = low;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (deletes->invoke_ns[middle] <= before_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low > first && deletes->end_max_ns[low - 1] >= after_ns;
}

/* ---- what both walks share ---- */

static bool in_session(const struct history_op *op)
{
    return op->session != HISTORY_NONE && op->key != HISTORY_NONE && op->store == 0 &&
           !op->final_read && op->return_ns != HISTORY_OPEN;
}

static bool is_own_write(const struct history_op *op)
{
    return in_session(op) && op_is_write(op) && op->outcome == OUTCOME_OK;
}
static bool is_session_read(const struct history_op *op)
{
    return in_session(op) && op_is_read(op);
}

/* What a read says about its key. */
struct sight {
    bool usable; /* every value has a writer that was not refused */
    bool absent;
    uint32_t writer; /* of the value that may be newest: the one with the latest end */
    bool single;
};

static struct sight look(const struct index *index, uint32_t read)
{
    const struct history_op *op = &index->ops[read];
    struct sight sight = {.usable = true, .absent = true, .writer = NO_OP, .single = true};
    for (uint32_t i = 0; i < op->values_count; i++) {
        uint64_t token = index->history->values[op->values_start + i];
        if (!token) continue;
        uint32_t writer = index_writer(index, token);
        if (writer == NO_OP || index->ops[writer].outcome == OUTCOME_FAIL) {
            sight.usable = false;
            return sight;
        }
        if (!sight.absent) sight.single = false;
        if (sight.absent || index->end_ns[writer] > index->end_ns[sight.writer])
            sight.writer = writer;
        sight.absent = false;
    }
    return sight;
}

static bool is_older(const struct index *index, const struct deletes *deletes,
                     const struct sight *sight, uint32_t read, int64_t newest_ns)
{
    if (sight->absent)
        return !deletes_explain(deletes, index->ops[read].key, newest_ns,
                                index->ops[read].return_ns);
    return index->end_ns[sight->writer] < newest_ns;
}

static uint64_t session_key(const struct history_op *op)
{
    return (uint64_t)op->session << 32 | op->key;
}

static void explain_sight(const struct index *index, struct check_result *result,
                          const struct sight *sight, uint32_t read)
{
    const struct history_op *op = &index->ops[read];
    if (sight->absent) {
        result_explain_more(
            result, "at %s %s answered that the key is absent, and no delete explains it.",
            say_time(op->return_ns), say_node(index->input, op->node));
    } else {
        const struct history_op *write = &index->ops[sight->writer];
        result_explain_more(result, "at %s %s returned %s, written earlier (%s).",
                            say_time(op->return_ns), say_node(index->input, op->node),
                            say_value(index, write->token), say_time(write->invoke_ns));
    }
}

/* ---- read_your_writes ---- */

void check_read_your_writes(const struct check_input *input, struct check_result *result)
{
    result_clear(result);
    struct index index;
    index_init(&index, input);
    struct deletes deletes;
    deletes_init(&deletes, &index);
    uint32_t returned_count, returned_next = 0;
    uint32_t *returned = order_by_return(&index, is_own_write, &returned_count);
    struct map newest; /* (session, key) -> own acknowledged write that was invoked last */
    map_init(&newest, returned_count / 4);
    uint64_t judged = 0;
    uint32_t first = NO_OP, first_own = NO_OP;
    for (uint32_t i = 0; i < index.count; i++) {
        const struct history_op *op = &index.ops[i];
        if (!is_session_read(op)) continue;
        for (; returned_next < returned_count &&
               index.ops[returned[returned_next]].return_ns < op->invoke_ns;
             returned_next++) {
            uint32_t write = returned[returned_next];
            uint64_t *value = map_put(&newest, session_key(&index.ops[write]), write);
            if (*value < write) *value = write; /* index order is invocation order */
        }
        const uint64_t *own = map_find(&newest, session_key(op));
        if (!own || !op_in_window(input, op->return_ns)) continue;
        struct sight sight = look(&index, i);
        if (!sight.usable) continue;
        judged++;
        if (is_older(&index, &deletes, &sight, i, index.ops[*own].invoke_ns) &&
            result_violation(result, op->return_ns, i)) {
            first = i;
            first_own = (uint32_t)*own;
        }
    }
    if (first != NO_OP) {
        struct sight sight = look(&index, first);
        const struct history_op *own = &index.ops[first_own];
        result_witness(&index, result, (uint32_t[]){sight.writer, first_own, first}, 3);
        result_explain(result,
                       "%s a write of their own session. Session %u wrote %s under key %s, "
                       "acknowledged at %s; ",
                       say_counted(result->violations, "read", "missed", "missed"),
                       (unsigned)own->session,
                       own->type == HISTORY_DELETE ? "a delete" : say_value(&index, own->token),
                       say_key(index.history, own->key), say_time(own->return_ns));
        explain_sight(&index, result, &sight, first);
    }
    result_end(result);
    if (!judged) result_not_applicable(result);
    map_deinit(&newest);
    free(returned);
    deletes_deinit(&deletes);
    index_deinit(&index);
}

/* ---- monotonic_reads ---- */

#define NEVER_READ UINT64_MAX
#define SAW_ABSENT (UINT64_MAX - 1)

struct viewed {       /* what a session has seen of a key */
    uint64_t current; /* write whose value its last read returned, SAW_ABSENT, or NEVER_READ */
    uint32_t newest;  /* the write seen that was invoked last; NO_OP */
    uint32_t newest_read; /* the read that saw it */
};

struct sessions_walk {
    struct index index;
    struct deletes deletes;
    struct map slots; /* (session, key) -> index into views */
    struct viewed *views;
    uint32_t views_count, views_capacity;
    struct map left; /* (slot, write) -> read at which another value had taken its place */
    uint64_t *prior; /* [count] of reads: current of its slot when it was invoked */
    bool *rejected;  /* [count] of reads: violates or is not usable: does not count as seen */
};

static uint32_t view_slot(struct sessions_walk *walk, uint64_t key)
{
    uint64_t *slot = map_put(&walk->slots, key, walk->views_count);
    if (*slot == walk->views_count) {
        if (walk->views_count == walk->views_capacity) {
            walk->views_capacity = walk->views_capacity ? walk->views_capacity * 2 : 256;
            walk->views = xrealloc(walk->views, walk->views_capacity * sizeof *walk->views);
        }
        walk->views[walk->views_count++] = (struct viewed){NEVER_READ, NO_OP, NO_OP};
    }
    return (uint32_t)*slot;
}

/* Enters a read that has returned. */
static void view_enter(struct sessions_walk *walk, uint32_t read)
{
    if (walk->rejected[read]) return;
    uint32_t slot = view_slot(walk, session_key(&walk->index.ops[read]));
    struct viewed *view = &walk->views[slot];
    struct sight sight = look(&walk->index, read);
    uint64_t now = sight.absent ? SAW_ABSENT : sight.writer;
    if (!sight.absent && (view->newest == NO_OP || view->newest < sight.writer)) {
        if (sight.single) { /* of siblings, which one the session goes by is open: they bind
                               nobody */
            view->newest = sight.writer;
            view->newest_read = read;
        }
    }
    uint64_t prior = walk->prior[read];
    if (sight.single && prior < SAW_ABSENT && prior != now)
        map_put(&walk->left, (uint64_t)slot << 32 | prior, read);
    view->current = sight.single ? now : NEVER_READ;
}

void check_monotonic_reads(const struct check_input *input, struct check_result *result)
{
    result_clear(result);
    struct sessions_walk walk = {0};
    struct index *index = &walk.index;
    index_init(index, input);
    deletes_init(&walk.deletes, index);
    uint32_t returned_count, returned_next = 0;
    uint32_t *returned = order_by_return(index, is_session_read, &returned_count);
    map_init(&walk.slots, returned_count / 4);
    map_init(&walk.left, returned_count / 4);
    walk.prior = xmalloc((index->count + 1) * sizeof *walk.prior);
    walk.rejected = xcalloc(index->count + 1, sizeof *walk.rejected);
    uint64_t judged = 0;
    uint32_t first = NO_OP, first_earlier = NO_OP, first_between = NO_OP;
    for (uint32_t i = 0; i < index->count; i++) {
        const struct history_op *op = &index->ops[i];
        if (!is_session_read(op)) continue;
        for (; returned_next < returned_count &&
               index->ops[returned[returned_next]].return_ns < op->invoke_ns;
             returned_next++)
            view_enter(&walk, returned[returned_next]);
        uint32_t slot = view_slot(&walk, session_key(op));
        const struct viewed *view = &walk.views[slot];
        walk.prior[i] = view->current;
        struct sight sight = look(index, i);
        walk.rejected[i] = !sight.usable;
        if (!sight.usable || (view->newest == NO_OP && view->current == NEVER_READ)) continue;
        bool is_judged = op_in_window(input, op->return_ns);
        judged += is_judged;
        uint32_t earlier = view->newest_read, between = NO_OP;
        bool violates = view->newest != NO_OP && is_older(index, &walk.deletes, &sight, i,
                                                          index->ops[view->newest].invoke_ns);
        if (!violates && !sight.absent && sight.single) {
            const uint64_t *left = map_find(&walk.left, (uint64_t)slot << 32 | sight.writer);
            violates = left != NULL;
            if (left) between = earlier = (uint32_t)*left;
        }
        if (!violates) continue;
        walk.rejected[i] = true;
        if (!is_judged || !result_violation(result, op->return_ns, i)) continue;
        first = i;
        first_earlier = earlier;
        first_between = between;
    }
    if (first != NO_OP) {
        struct sight sight = look(index, first), earlier = look(index, first_earlier);
        const struct history_op *read = &index->ops[first_earlier];
        result_witness(index, result,
                       (uint32_t[]){sight.writer, earlier.writer, first_earlier, first}, 4);
        result_explain(
            result, "%s back in time. Session %u read %s under key %s at %s from %s; ",
            say_counted(result->violations, "read", "went", "went"), (unsigned)read->session,
            earlier.absent ? "absence" : say_value(index, index->ops[earlier.writer].token),
            say_key(index->history, read->key), say_time(read->return_ns),
            say_node(input, read->node));
        if (first_between != NO_OP)
            result_explain_more(
                result, "at %s %s returned %s, which the session had seen before that.",
                say_time(index->ops[first].return_ns), say_node(input, index->ops[first].node),
                say_value(index, index->ops[sight.writer].token));
        else
            explain_sight(index, result, &sight, first);
    }
    result_end(result);
    if (!judged) result_not_applicable(result);
    free(walk.prior);
    free(walk.rejected);
    free(walk.views);
    map_deinit(&walk.slots);
    map_deinit(&walk.left);
    free(returned);
    deletes_deinit(&walk.deletes);
    index_deinit(index);
}
