/* Plays a sealed history again, event by event, into checks that are followed online, and
 * compares the moment of each first violation with what the checks find in the whole of it. */
#ifndef FAULTLINE_TESTS_SUPPORT_ONLINE_REPLAY_H
#define FAULTLINE_TESTS_SUPPORT_ONLINE_REPLAY_H

#include <stdlib.h>
#include <string.h>

#include "sim/check/check.h"
#include "sim/check/online.h"
#include "sim/kernel/arena.h"
#include "sim/kernel/vtime.h"

struct replay {
    int64_t first_ns[32]; /* by number in online_checks; VTIME_MAX: none */
    size_t entries_max;
    size_t open_max; /* operations open at once, lost ones not counted */
};

static inline void replay_violated(void *context, const char *check, int64_t time_ns, size_t op)
{
    struct replay *replay = context;
    (void)op;
    for (uint32_t i = 0; online_checks[i]; i++)
        if (!strcmp(online_checks[i], check)) replay->first_ns[i] = time_ns;
}

static const struct history *replay_sorted;

static inline int replay_compare(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    int64_t x = replay_sorted->ops[a].return_ns, y = replay_sorted->ops[b].return_ns;
    return x != y ? (x < y ? -1 : 1) : a < b ? -1 : a > b;
}

/* What happens in one instant: invocations first. */
static inline struct replay replay_history(const struct history *from)
{
    struct replay replay = {.entries_max = 0};
    struct history *to = history_create();
    size_t count = from->count, open = 0;
    uint32_t *order = xmalloc((count + 1) * sizeof *order);
    for (size_t i = 0; i < 32; i++) replay.first_ns[i] = VTIME_MAX;
    for (uint32_t i = 0; i < count; i++) order[i] = i;
    replay_sorted = from;
    qsort(order, count, sizeof *order, replay_compare);
    for (uint32_t i = 0; i < history_names_count(from); i++) {
        size_t size;
        const char *name = history_name(from, i, &size);
        history_intern(to, name, size);
    }
    struct online *online = online_create(to, UINT32_MAX, replay_violated, &replay);
    to->returned = online_returned;
    to->returned_context = online;
    for (size_t r = 0, next = 0; r < count; r++) {
        const struct history_op *op = &from->ops[order[r]];
        for (; next < count && from->ops[next].invoke_ns <= op->return_ns; next++, open++) {
            struct history_op asked = from->ops[next];
            if (asked.type == HISTORY_INSERT && asked.outcome == OUTCOME_OK)
                asked.key = HISTORY_NONE; /* known by the answer */
            history_invoke(to, &asked);
        }
        if (op->return_ns == HISTORY_OPEN) break;
        if (open > replay.open_max) replay.open_max = open;
        open--;
        for (uint32_t v = 0; v < op->values_count; v++)
            history_value(to, order[r], from->values[op->values_start + v]);
        struct history_op *answered = &to->ops[order[r]];
        answered->key = op->key;
        answered->status = op->status;
        answered->lock_token = op->lock_token;
        history_return(to, order[r], op->return_ns, op->outcome);
        if (online_entries(online) > replay.entries_max)
            replay.entries_max = online_entries(online);
    }
    online_destroy(online);
    history_destroy(to);
    free(order);
    return replay;
}

#endif
