/* Facts and the timeline are plain growable arrays in time order. Their writers stamp entries
 * with a node's cost cursor, which may run ahead of the event loop, so an entry can be stamped
 * before the last one: it is put in its place from the end, a step or two in practice.
 */
#include "sim/record/facts.h"

#include <stdlib.h>
#include <string.h>

#include "sim/kernel/arena.h"
#include "sim/kernel/check.h"

const char *const fact_words[] = {
    "role",   "ack",   "up",          "down",   "paused", "resumed", "discarded",
    "fenced", "final", "final_count", "leader", "opened", "inspect", NULL,
};
_Static_assert(sizeof fact_words / sizeof fact_words[0] == FACT_KINDS + 1,
               "a word for every kind of fact");

const char *const fact_role_words[] = {"none",       "leader",  "follower",    "candidate",
                                       "recovering", "manager", "coordinator", NULL};
_Static_assert(sizeof fact_role_words / sizeof fact_role_words[0] == FACT_ROLE_COUNT + 1,
               "a word for every role");

const char *const down_cause_words[] = {"crash", "power_off", "panic",
                                        "check", "stonith",   NULL};
_Static_assert(sizeof down_cause_words / sizeof down_cause_words[0] == DOWN_CAUSES + 1,
               "a word for every cause");

void facts_add(struct facts *facts, struct fact fact)
{
    CHECK(fact.kind < FACT_KINDS);
    if (facts->count == facts->capacity) {
        facts->capacity = facts->capacity ? facts->capacity * 2 : 256;
        facts->items = xrealloc(facts->items, facts->capacity * sizeof *facts->items);
    }
    size_t place = facts->count++;
    for (; place && facts->items[place - 1].time_ns > fact.time_ns; place--)
        facts->items[place] = facts->items[place - 1];
    facts->items[place] = fact;
}

void facts_deinit(struct facts *facts)
{
    free(facts->items);
    *facts = (struct facts){0};
}
