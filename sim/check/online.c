/* The checks that can be followed: linearizable by online_zones.c; here the session guarantees,
 * fencing, unique_keys and no_invented_value, as sessions.c, locks.c, keys.c and loss.c define
 * them.
 *
 * An operation is judged when it returns, by what had returned strictly before it was invoked,
 * as in those files. Why nothing that comes later changes the answer: the end of a write
 * (parts.h) is its return or the return of who saw it first; later readers cannot lower it
 * below now, and only ends below the invocation of something that has returned count.
 *
 * What is kept:
 *   a value       who writes it (4 bytes, in a table by token)
 *   a key         its deletes in two numbers, whether an insert was given it
 *   a ladder      the greatest number (last own write, highest lock token) among what had
 *                 returned before q, for every q from `oldest` on: one rung that returned
 * before `oldest`, and those since. One for each (session, key) and guarded key a view what a
 * session has read under a key, with the values that others replaced in its eyes and that are
 * not yet older than the newest it saw (those are recognised by their times): a handful early
 * sights  writes that were read before they were answered
 */
#include "sim/check/online.h"

#include <stdlib.h>
#include <string.h>

#include "sim/check/online_zones.h"
#include "sim/check/parts.h"

const char *const online_checks[] = {"linearizable",
                                     "read_your_writes",
                                     "monotonic_reads",
                                     "no_invented_value",
                                     "unique_keys",
                                     "fencing",
                                     NULL};
enum { LINEARIZABLE, OWN_WRITES, MONOTONIC, INVENTED, UNIQUE, FENCING, ONLINE_CHECKS };

struct rung {
    int64_t returned_ns;
    uint64_t number;
    uint32_t next; /* that returned earlier, or at once; in the list of free ones */
};

struct left { /* a value that a session saw replaced */
    uint32_t writer, next;
};

#define ABSENT (UINT32_MAX - 1u) /* as a writer: no value */

struct view {     /* of one (session, key) */
    uint32_t own; /* ladder of own acknowledged writes, by index */
    uint32_t current,
        newest; /* writers: of what was read last, and of the newest; ABSENT, NO_OP */
    uint32_t left;
    int64_t returned_ns; /* of its last read */
};

struct online_key {
    int64_t deleted_end_ns; /* latest return of a delete that was acknowledged */
    uint32_t deletes_open;  /* asked for and not answered */
    uint32_t guarded;       /* ladder of lock tokens */
    bool is_known, is_issued;
};

struct online {
    const struct history *history;
    uint32_t checks;
    void (*violated)(void *context, const char *check, int64_t time_ns, size_t op);
    void *context;
    struct writers writers;
    size_t registered; /* operations below are in `writers` */
    size_t oldest;     /* operations below have returned */
    struct online_zones *zones;
    struct online_key *keys; /* by name */
    size_t keys_capacity;
    struct map views_of; /* (session, key) -> index of view */
    struct view *views;
    struct map early; /* write -> when it was first seen, before its answer */
    struct rung *rungs;
    struct left *lefts;
    size_t views_count, views_capacity, rungs_count, rungs_capacity, lefts_count,
        lefts_capacity;
    uint32_t rungs_free, lefts_free;
    size_t entries; /* rungs and lefts in use */
};

uint32_t online_bit(const char *check)
{
    for (uint32_t i = 0; online_checks[i]; i++)
        if (!strcmp(online_checks[i], check)) return 1u << i;
    return 0;
}

struct online *online_create(const struct history *history, uint32_t checks,
                             void (*violated)(void *context, const char *check, int64_t time_ns,
                                              size_t op),
                             void *context)
{
    struct online *o = xcalloc(1, sizeof *o);
    o->history = history;
    o->checks = checks;
    o->violated = violated;
    o->context = context;
    o->zones = online_zones_create(history, &o->writers);
    map_init(&o->views_of, 64);
    map_init(&o->early, 64);
    return o;
}

void online_destroy(struct online *o)
{
    if (!o) return;
    online_zones_destroy(o->zones);
    map_deinit(&o->views_of);
    map_deinit(&o->early);
    free(o->writers.op);
    free(o->keys);
    free(o->views);
    free(o->rungs);
    free(o->lefts);
    free(o);
}

size_t online_entries(const struct online *o)
{
    return online_zones_entries(o->zones) + o->views_count + o->entries;
}

/* ---- memory ---- */

static void *room(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity) return items;
    *capacity = *capacity ? *capacity * 2 : 64;
    return xrealloc(items, *capacity * size);
}

static struct online_key *key_of(struct online *o, uint32_t name)
{
    if (name >= o->keys_capacity) {
        size_t capacity = o->keys_capacity ? o->keys_capacity : 64;
        while (capacity <= name) capacity *= 2;
        o->keys = xrealloc(o->keys, capacity * sizeof *o->keys);
        memset(o->keys + o->keys_capacity, 0, (capacity - o->keys_capacity) * sizeof *o->keys);
        o->keys_capacity = capacity;
    }
    struct online_key *key = &o->keys[name];
    if (!key->is_known)
        *key = (struct online_key){.deleted_end_ns = INT64_MIN, .is_known = true};
    return key;
}

static struct view *view_of(struct online *o, const struct history_op *op)
{
    uint64_t *slot =
        map_put(&o->views_of, (uint64_t)op->session << 32 | op->key, o->views_count);
    if (*slot == o->views_count) {
        o->views = room(o->views, o->views_count, &o->views_capacity, sizeof *o->views);
        o->views[o->views_count++] =
            (struct view){.current = NO_OP, .newest = NO_OP, .returned_ns = INT64_MIN};
    }
    return &o->views[*slot];
}

/* ---- ladders ---- */

/* Adds what returned last, and drops what no query from oldest_ns on can ask for. */
static void ladder_add(struct online *o, uint32_t *ladder, uint64_t number, int64_t now_ns,
                       int64_t oldest_ns)
{
    uint32_t id = o->rungs_free;
    if (id) {
        o->rungs_free = o->rungs[id].next;
    } else {
        if (!o->rungs_count) o->rungs_count = 1; /* 0 is none */
        o->rungs = room(o->rungs, o->rungs_count, &o->rungs_capacity, sizeof *o->rungs);
        id = (uint32_t)o->rungs_count++;
    }
    o->entries++;
    o->rungs[id] = (struct rung){now_ns, number, *ladder};
    *ladder = id;
    uint32_t *at = ladder;
    while (*at && o->rungs[*at].returned_ns >= oldest_ns) at = &o->rungs[*at].next;
    if (!*at) return;
    struct rung *kept = &o->rungs[*at]; /* stands for all that returned before `oldest` */
    while (kept->next) {
        uint32_t gone = kept->next;
        if (o->rungs[gone].number > kept->number) kept->number = o->rungs[gone].number;
        kept->next = o->rungs[gone].next;
        o->rungs[gone].next = o->rungs_free;
        o->rungs_free = gone;
        o->entries--;
    }
}

/* The greatest number among what returned before time_ns; false: nothing did. */
static bool ladder_top(const struct online *o, uint32_t ladder, int64_t time_ns, uint64_t *top)
{
    bool found = false;
    for (; ladder; ladder = o->rungs[ladder].next) {
        if (o->rungs[ladder].returned_ns >= time_ns) continue;
        if (!found || o->rungs[ladder].number > *top) *top = o->rungs[ladder].number;
        found = true;
    }
    return found;
}

/* ---- what was asked for ---- */

static void register_operations(struct online *o)
{
    for (; o->registered < o->history->count; o->registered++) {
        const struct history_op *op = &o->history->ops[o->registered];
        if (!op_is_write(op)) continue;
        if (op->type == HISTORY_DELETE && op->key != HISTORY_NONE) {
            key_of(o, op->key)->deletes_open++;
            if (o->checks & 1u << LINEARIZABLE) online_zones_leave(o->zones, op->key);
        }
        if (!op->token || op->token >= TOKENS_MAX) continue;
        if (op->token >= o->writers.capacity) {
            size_t capacity = o->writers.capacity ? o->writers.capacity : 1024;
            while (capacity <= op->token) capacity *= 2;
            o->writers.op = xrealloc(o->writers.op, capacity * sizeof *o->writers.op);
            memset(o->writers.op + o->writers.capacity, 0xff,
                   (capacity - o->writers.capacity) * sizeof *o->writers.op);
            o->writers.capacity = capacity;
        }
        if (o->writers.op[op->token] == NO_OP)
            o->writers.op[op->token] = (uint32_t)o->registered;
    }
}

static int64_t oldest_ns(struct online *o, int64_t now_ns)
{
    while (o->oldest < o->history->count && !o->history->ops[o->oldest].pending) o->oldest++;
    return o->oldest < o->history->count ? o->history->ops[o->oldest].invoke_ns : now_ns;
}

/* When a write had certainly taken effect, as far as is known now. */
static int64_t end_of(const struct online *o, uint32_t writer)
{
    const struct history_op *op = &o->history->ops[writer];
    int64_t end = op->pending || op->outcome == OUTCOME_UNKNOWN ? CHECK_NEVER : op->return_ns;
    const uint64_t *seen =
        end == CHECK_NEVER || o->early.count ? map_find(&o->early, writer) : NULL;
    return seen && (int64_t)*seen < end ? (int64_t)*seen : end;
}

static void note_sights(struct online *o, uint32_t index)
{
    const struct history_op *op = &o->history->ops[index];
    uint32_t key;
    uint64_t token;
    for (struct seen cursor = {0}; seen_next(o->history, index, &cursor, &key, &token);) {
        uint32_t writer = writers_find(&o->writers, token);
        if (writer == NO_OP) continue;
        const struct history_op *write = &o->history->ops[writer];
        if (write->pending || write->outcome == OUTCOME_UNKNOWN)
            map_put(&o->early, writer, (uint64_t)op->return_ns);
    }
}

/* ---- sessions ---- */

struct sight { /* as in sessions.c */
    bool is_usable, is_single;
    uint32_t writer; /* or ABSENT */
};

static struct sight look(const struct online *o, const struct history_op *op)
{
    struct sight sight = {true, true, ABSENT};
    for (uint32_t i = 0; i < op->values_count; i++) {
        uint64_t token = o->history->values[op->values_start + i];
        if (!token) continue;
        uint32_t writer = writers_find(&o->writers, token);
        if (writer == NO_OP || (!o->history->ops[writer].pending &&
                                o->history->ops[writer].outcome == OUTCOME_FAIL))
            return (struct sight){false, false, ABSENT};
        if (sight.writer != ABSENT) sight.is_single = false;
        if (sight.writer == ABSENT || end_of(o, writer) > end_of(o, sight.writer))
            sight.writer = writer;
    }
    return sight;
}

static bool is_older(struct online *o, const struct sight *sight, uint32_t name,
                     uint32_t newest)
{
    int64_t newest_ns = o->history->ops[newest].invoke_ns;
    if (sight->writer != ABSENT) return end_of(o, sight->writer) < newest_ns;
    const struct online_key *key = key_of(o, name);
    return !key->deletes_open && key->deleted_end_ns < newest_ns;
}

static bool reads_own_write(struct online *o, const struct history_op *op,
                            const struct view *view, const struct sight *sight)
{
    uint64_t own = 0;
    return !sight->is_usable || !ladder_top(o, view->own, op->invoke_ns, &own) ||
           !is_older(o, sight, op->key, (uint32_t)own);
}

/* Enters the read into the view, when nothing is wrong with it. */
static bool reads_forward(struct online *o, const struct history_op *op, struct view *view,
                          const struct sight *sight)
{
    bool overlaps = view->returned_ns >= op->invoke_ns;
    if (op->return_ns > view->returned_ns) view->returned_ns = op->return_ns;
    if (!sight->is_usable || overlaps) return true;
    if (view->newest != NO_OP && is_older(o, sight, op->key, view->newest)) return false;
    if (sight->writer != ABSENT && sight->is_single)
        for (uint32_t at = view->left; at; at = o->lefts[at].next)
            if (o->lefts[at].writer == sight->writer) return false;
    if (sight->writer != ABSENT && sight->is_single &&
        (view->newest == NO_OP || view->newest < sight->writer))
        view->newest = sight->writer;
    if (sight->is_single && view->current < ABSENT && view->current != sight->writer) {
        uint32_t id = o->lefts_free;
        if (id) {
            o->lefts_free = o->lefts[id].next;
        } else {
            if (!o->lefts_count) o->lefts_count = 1;
            o->lefts = room(o->lefts, o->lefts_count, &o->lefts_capacity, sizeof *o->lefts);
            id = (uint32_t)o->lefts_count++;
        }
        o->lefts[id] = (struct left){view->current, view->left};
        view->left = id;
        o->entries++;
    }
    for (uint32_t *at = &view->left; *at && view->newest != NO_OP;) {
        uint32_t id = *at;
        if (end_of(o, o->lefts[id].writer) >= o->history->ops[view->newest].invoke_ns) {
            at = &o->lefts[id].next;
            continue;
        }
        *at = o->lefts[id].next; /* is_older tells */
        o->lefts[id].next = o->lefts_free;
        o->lefts_free = id;
        o->entries--;
    }
    view->current = sight->is_single ? sight->writer : NO_OP;
    return true;
}

/* ---- values and keys ---- */

static bool is_invented(const struct online *o, uint32_t index)
{
    const struct history_op *op = &o->history->ops[index];
    uint32_t key;
    uint64_t token;
    for (struct seen cursor = {0}; seen_next(o->history, index, &cursor, &key, &token);) {
        uint32_t writer = writers_find(&o->writers, token);
        if (writer == NO_OP ||
            !write_may_stand_under(o->history, &o->history->ops[writer], key))
            return true;
    }
    if (op->store != 1 || op->type != HISTORY_READ || op->outcome != OUTCOME_OK) return false;
    for (uint32_t i = 0; i < op->values_count; i++) {
        token = o->history->values[op->values_start + i];
        if (token && writers_find(&o->writers, token) == NO_OP) return true;
    }
    return false;
}

/* ---- returns ---- */

static void report(struct online *o, unsigned check, size_t index)
{
    if (!(o->checks & 1u << check)) return;
    o->checks &= ~(1u << check); /* the first is enough */
    o->violated(o->context, online_checks[check], o->history->ops[index].return_ns, index);
}

static void session_returned(struct online *o, uint32_t index, int64_t oldest)
{
    const struct history_op *op = &o->history->ops[index];
    if (op->session == HISTORY_NONE || op->key == HISTORY_NONE || op->store || op->final_read ||
        !(o->checks & (1u << OWN_WRITES | 1u << MONOTONIC)))
        return;
    if (op_is_read(op)) {
        struct view *view = view_of(o, op);
        struct sight sight = look(o, op);
        if (!reads_own_write(o, op, view, &sight)) report(o, OWN_WRITES, index);
        if (!reads_forward(o, op, view, &sight)) report(o, MONOTONIC, index);
    } else if (op_is_write(op) && op->outcome == OUTCOME_OK) {
        struct view *view = view_of(o, op);
        ladder_add(o, &view->own, index, op->return_ns, oldest);
    }
}

static void key_returned(struct online *o, uint32_t index, int64_t oldest)
{
    const struct history_op *op = &o->history->ops[index];
    uint64_t top = 0;
    if (!op_is_write(op) || op->key == HISTORY_NONE) return;
    struct online_key *key = key_of(o, op->key);
    if (op->type == HISTORY_DELETE && op->outcome != OUTCOME_UNKNOWN) {
        key->deletes_open--;
        if (op->outcome == OUTCOME_OK) key->deleted_end_ns = op->return_ns;
    }
    if (op->outcome != OUTCOME_OK) return;
    if (op->type == HISTORY_INSERT) {
        if (key->is_issued) report(o, UNIQUE, index);
        key->is_issued = true;
    }
    if (!op->lock_token) return;
    if (ladder_top(o, key->guarded, op->invoke_ns, &top) && top > op->lock_token)
        report(o, FENCING, index);
    ladder_add(o, &key->guarded, op->lock_token, op->return_ns, oldest);
}

void online_returned(void *context, size_t op)
{
    struct online *o = context;
    uint32_t index = (uint32_t)op;
    int64_t oldest = oldest_ns(o, o->history->ops[op].return_ns);
    register_operations(o);
    if (o->checks & 1u << LINEARIZABLE && online_zones_returned(o->zones, index, oldest))
        report(o, LINEARIZABLE, index);
    if (o->checks & 1u << INVENTED && is_invented(o, index)) report(o, INVENTED, index);
    note_sights(o, index);
    key_returned(o, index, oldest);
    session_returned(o, index, oldest);
}
