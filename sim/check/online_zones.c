/* The cluster test of zones.c, one return at a time, forgetting what can no longer matter.
 *
 * A *link* is a value: its write, and f, the first return among its write and its reads. A
 * *zone* is a chain of links that compare_and_set ties together, most often one: f is the least
 * f of its links, s the latest invocation among all that it holds. Returns come in order of
 * time, so f never changes once it is set, and zones are found in order of f; s grows. Two
 * zones with f_i < s_j and f_j < s_i are a violation (Z2 of zones.c), so after each return only
 * the zone that it touched has to be held against the others.
 *
 * Let `oldest` be the invocation of the oldest operation that is still open and will return.
 * All that zones will still gain was invoked at `oldest` or later, and zones to come have f >=
 * now.
 *
 *   O1  A zone j is forgotten when some other i has f_i < oldest and s_i > f_j: whatever is
 *       still read in j is a violation, since i came after j and before the reader.
 *
 *   O2  Nothing else is lost with j. Since i and j do not conflict, s_j <= f_i < oldest. A zone
 *       that could still conflict with j, by a read in that zone, has f below s_j, so below
 *       oldest and below s_i: i makes it be forgotten too. And a write in j that has yet to
 *       return would have been invoked at `oldest` or later, above s_j: there is none.
 *
 *   O3  A link of a chain with a later link d, f_d < oldest, is forgotten: its value had been
 *       replaced before any reader to come asked (Z5).
 *
 *   O4  Seeing a value that is forgotten, or a compare_and_set that took effect on one, is a
 *       violation.
 *
 * What stays for a key: zones with f < oldest, which pairwise overlap as writes do that were
 * open at one moment; the others returned since `oldest`. So at most what was open at once,
 * and one more. Writes that were never answered stay open for ever, and cost nothing but
 * their place in the table of values until they are read: they are not counted in `oldest`,
 * for they return to nobody, and who reads one was invoked at `oldest` or later.
 *
 * tests/check/test_online.c holds it against zones.c on every prefix of random histories.
 */
#include "sim/check/online_zones.h"

#include <stdlib.h>
#include <string.h>

#include "sim/kernel/arena.h"
#include "sim/kernel/check.h"
#include "sim/kernel/vtime.h"

#define NONE 0u                     /* no link, no zone */
#define FORGOTTEN UINT32_MAX        /* a link that was (O4) */
#define UNDER_WAY (UINT32_MAX - 1u) /* a link whose predecessor is being looked for */
#define NOT_YET INT64_MAX
#define BEFORE_ALL INT64_MIN

struct link {
    int64_t f;
    uint32_t op;   /* UINT32_MAX: the initial value */
    uint32_t next; /* in its chain; in the list of free ones */
    uint32_t zone;
    uint32_t key; /* its name */
};

struct zone {
    int64_t f, s;
    uint32_t first, last; /* links */
    uint32_t next;        /* of its key, by f; in the list of free ones */
};

struct key_zones {
    uint32_t head, tail; /* zones by f */
    uint32_t initial;    /* link of the initial value, FORGOTTEN; NONE: the key is new */
    bool is_left;
};

struct pool {
    uint32_t count, capacity, free, live; /* items are numbered from 1 */
};

struct online_zones {
    const struct history *history;
    const struct writers *writers;
    uint32_t *link_of; /* by token */
    size_t link_of_capacity;
    struct key_zones *keys; /* by name */
    size_t keys_capacity;
    struct link *links;
    struct zone *zones;
    struct pool link_pool, zone_pool;
};

uint32_t writers_find(const struct writers *writers, uint64_t token)
{
    return token && token < writers->capacity ? writers->op[token] : UINT32_MAX;
}

struct online_zones *online_zones_create(const struct history *history,
                                         const struct writers *writers)
{
    struct online_zones *z = xcalloc(1, sizeof *z);
    z->history = history;
    z->writers = writers;
    return z;
}

void online_zones_destroy(struct online_zones *z)
{
    if (!z) return;
    free(z->link_of);
    free(z->keys);
    free(z->links);
    free(z->zones);
    free(z);
}

size_t online_zones_entries(const struct online_zones *z)
{
    return z->link_pool.live + z->zone_pool.live;
}

/* ---- memory ---- */

/* Zeroes what is added. */
static void *grow(void *items, size_t *capacity, size_t wanted, size_t size)
{
    size_t larger = *capacity ? *capacity : 64;
    while (larger < wanted) larger *= 2;
    items = xrealloc(items, larger * size);
    memset((char *)items + *capacity * size, 0, (larger - *capacity) * size);
    *capacity = larger;
    return items;
}

static uint32_t link_add(struct online_zones *z, uint32_t op, uint32_t key)
{
    struct pool *pool = &z->link_pool;
    uint32_t id = pool->free;
    if (id) {
        pool->free = z->links[id].next;
    } else {
        id = ++pool->count;
        if (id >= pool->capacity) {
            pool->capacity = pool->capacity ? pool->capacity * 2 : 64;
            z->links = xrealloc(z->links, pool->capacity * sizeof *z->links);
        }
    }
    pool->live++;
    z->links[id] = (struct link){.f = NOT_YET, .op = op, .key = key};
    return id;
}

static uint32_t zone_add(struct online_zones *z, uint32_t link, int64_t s)
{
    struct pool *pool = &z->zone_pool;
    uint32_t id = pool->free;
    if (id) {
        pool->free = z->zones[id].next;
    } else {
        id = ++pool->count;
        if (id >= pool->capacity) {
            pool->capacity = pool->capacity ? pool->capacity * 2 : 64;
            z->zones = xrealloc(z->zones, pool->capacity * sizeof *z->zones);
        }
    }
    pool->live++;
    z->zones[id] = (struct zone){.f = NOT_YET, .s = s, .first = link, .last = link};
    z->links[link].zone = id;
    return id;
}

static uint32_t *link_of(struct online_zones *z, uint64_t token)
{
    if (token >= z->link_of_capacity)
        z->link_of = grow(z->link_of, &z->link_of_capacity, token + 1, sizeof *z->link_of);
    return &z->link_of[token];
}

/* Frees the first link of a chain. */
static void link_forget(struct online_zones *z, struct key_zones *key, struct zone *zone)
{
    uint32_t id = zone->first, op = z->links[id].op;
    *(op == UINT32_MAX ? &key->initial : link_of(z, z->history->ops[op].token)) = FORGOTTEN;
    zone->first = z->links[id].next;
    z->links[id].next = z->link_pool.free;
    z->link_pool.free = id;
    z->link_pool.live--;
}

static struct key_zones *key_find(struct online_zones *z, uint32_t name)
{
    if (name >= z->keys_capacity)
        z->keys = grow(z->keys, &z->keys_capacity, (size_t)name + 1, sizeof *z->keys);
    struct key_zones *key = &z->keys[name];
    if (key->initial == NONE) {
        key->initial = link_add(z, UINT32_MAX, name);
        z->links[key->initial].f = BEFORE_ALL;
        key->head = key->tail = zone_add(z, key->initial, BEFORE_ALL);
        z->zones[key->head].f = BEFORE_ALL;
    }
    return key;
}

static void key_leave(struct online_zones *z, struct key_zones *key)
{
    for (uint32_t id = key->head, next; id; id = next) {
        next = z->zones[id].next;
        while (z->zones[id].first) link_forget(z, key, &z->zones[id]);
        z->zones[id].next = z->zone_pool.free;
        z->zone_pool.free = id;
        z->zone_pool.live--;
    }
    key->head = key->tail = NONE;
    key->is_left = true;
}

void online_zones_leave(struct online_zones *z, uint32_t name)
{
    struct key_zones *key = key_find(z, name);
    if (!key->is_left) key_leave(z, key);
}

/* ---- values ---- */

static bool is_swap(const struct history_op *op)
{
    return op->type == HISTORY_COMPARE_AND_SET || op->type == HISTORY_INSERT;
}

/* The link of a value under a key, made when it is new; NONE: nobody can have written it there
 * so that it is the value now (Z1, Z4, O4). Goes back along a chain of unanswered
 * compare_and_sets as far as it is new. */
static uint32_t link_take(struct online_zones *z, uint32_t name, uint64_t token)
{
    if (token == 0) return z->keys[name].initial == FORGOTTEN ? NONE : z->keys[name].initial;
    uint32_t writer = writers_find(z->writers, token);
    if (writer == UINT32_MAX) return NONE;
    const struct history_op *op = &z->history->ops[writer];
    bool is_here = op->key == name || (op->key == HISTORY_NONE && op->type == HISTORY_INSERT);
    if (!is_here || (!op->pending && op->outcome == OUTCOME_FAIL)) return NONE;
    uint32_t id = *link_of(z, token);
    if (id == FORGOTTEN || id == UNDER_WAY) return NONE;
    if (id) return z->links[id].key == name ? id : NONE;
    if (!is_swap(op)) {
        id = link_add(z, writer, name);
        zone_add(z, id, op->invoke_ns);
        return *link_of(z, token) = id;
    }
    *link_of(z, token) = UNDER_WAY;
    uint32_t before = link_take(z, name, op->type == HISTORY_INSERT ? 0 : op->expected);
    if (before == NONE || z->links[before].next != NONE) return NONE;
    id = link_add(z, writer, name);
    struct zone *zone = &z->zones[z->links[before].zone];
    z->links[id].zone = z->links[before].zone;
    z->links[before].next = zone->last = id;
    if (op->invoke_ns > zone->s) zone->s = op->invoke_ns;
    return *link_of(z, token) = id;
}

/* ---- zones ---- */

/* Adds an operation to a link; false: a violation (Z2, Z5). */
static bool link_touch(struct online_zones *z, struct key_zones *key, uint32_t id,
                       int64_t invoke_ns, int64_t now_ns)
{
    uint32_t self = z->links[id].zone;
    struct zone *zone = &z->zones[self];
    if (z->links[id].f == NOT_YET) z->links[id].f = now_ns;
    for (uint32_t later = z->links[id].next; later; later = z->links[later].next)
        if (z->links[later].f < invoke_ns) return false;
    if (zone->f == NOT_YET) {
        zone->f = now_ns;
        *(key->tail ? &z->zones[key->tail].next : &key->head) = self;
        key->tail = self;
    }
    if (invoke_ns > zone->s) zone->s = invoke_ns;
    for (uint32_t other = key->head; other && z->zones[other].f < zone->s;
         other = z->zones[other].next)
        if (other != self && zone->f < z->zones[other].s) return false;
    return true;
}

/* O1, O2, O3. */
static void key_settle(struct online_zones *z, struct key_zones *key, int64_t oldest_ns)
{
    uint32_t top = NONE; /* the settled zone with the greatest s */
    int64_t second = BEFORE_ALL;
    if (key->head == key->tail && z->zones[key->head].first == z->zones[key->head].last) return;
    for (uint32_t id = key->head; id && z->zones[id].f < oldest_ns; id = z->zones[id].next) {
        if (top == NONE || z->zones[id].s > z->zones[top].s) {
            if (top) second = z->zones[top].s;
            top = id;
        } else if (z->zones[id].s > second) {
            second = z->zones[id].s;
        }
    }
    uint32_t last = NONE;
    for (uint32_t id = key->head, next; id; id = next) {
        struct zone *zone = &z->zones[id];
        next = zone->next;
        uint32_t keep = zone->first;
        for (uint32_t link = keep; link; link = z->links[link].next)
            if (z->links[link].f < oldest_ns) keep = link;
        while (zone->first != keep) link_forget(z, key, zone);
        if (!top || (id == top ? second : z->zones[top].s) <= zone->f) {
            last = id;
            continue;
        }
        while (zone->first) link_forget(z, key, zone);
        *(last ? &z->zones[last].next : &key->head) = next;
        zone->next = z->zone_pool.free;
        z->zone_pool.free = id;
        z->zone_pool.live--;
    }
    key->tail = last;
}

/* ---- returns ---- */

/* What the operation says of its key: a value that was there. False: nothing. */
static bool value_of(const struct online_zones *z, const struct history_op *op, uint64_t *token)
{
    bool is_read = op->type == HISTORY_READ || op->type == HISTORY_RESOLVE;
    bool is_failed_swap =
        op->type == HISTORY_COMPARE_AND_SET && op->outcome == OUTCOME_FAIL && op->values_count;
    if (is_read || is_failed_swap) {
        if ((is_read && op->outcome != OUTCOME_OK) || op->values_count > 1) return false;
        *token = op->values_count ? z->history->values[op->values_start] : 0;
        return true;
    }
    *token = op->token;
    return op->outcome == OUTCOME_OK && (op->type == HISTORY_WRITE || is_swap(op));
}

bool online_zones_returned(struct online_zones *z, uint32_t index, int64_t oldest_ns)
{
    const struct history_op *op = &z->history->ops[index];
    if (op->store != 0 || op->key == HISTORY_NONE || op->type > HISTORY_RESOLVE) return false;
    struct key_zones *key = key_find(z, op->key);
    if (key->is_left) return false;
    bool says_nothing = op->type == HISTORY_COMPARE_AND_SET && op->outcome == OUTCOME_FAIL &&
                        !op->values_count && op->status == HISTORY_STATUS_MISMATCH;
    if (says_nothing || op->token >= TOKENS_MAX) {
        key_leave(z, key);
        return false;
    }
    uint64_t token;
    bool holds = true;
    if (value_of(z, op, &token)) {
        uint32_t link = link_take(z, op->key, token);
        key = &z->keys[op->key];
        holds = link != NONE && link_touch(z, key, link, op->invoke_ns, op->return_ns);
    } else if (op->outcome == OUTCOME_FAIL && op->token) {
        holds = *link_of(z, op->token) == NONE; /* else it was read */
    }
    if (holds)
        key_settle(z, key, oldest_ns);
    else
        key_leave(z, key);
    return !holds;
}
