/* The timeline: what an operator would note, one line an entry, in time order: faults and
 * heals, crashes, role changes, promotions, discarded writes, operator's actions. It is what
 * `run` prints, what explanations quote and what the first picture draws.
 */
#ifndef FAULTLINE_SIM_RECORD_TIMELINE_H
#define FAULTLINE_SIM_RECORD_TIMELINE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum timeline_kind {
    TIMELINE_FAULT,    /* a scheduled entry took effect; `id` = its id, until_ns its end
                          (VTIME_MAX: open) */
    TIMELINE_HEAL,     /* it ended */
    TIMELINE_NODE,     /* up, down, paused, resumed */
    TIMELINE_ROLE,     /* role changes */
    TIMELINE_DECISION, /* suspicion, election, promotion, fencing, fallback */
    TIMELINE_LOSS,     /* discarded, lost, refused */
    TIMELINE_OPERATOR, /* what an operator did */
    TIMELINE_PHASE,    /* finish: heal, restart, quiesce, read_all */
    TIMELINE_KINDS
};
extern const char *const timeline_kind_words[];

struct timeline_entry {
    int64_t time_ns, until_ns; /* until: bands in plots; == time for instants */
    uint8_t kind;
    uint32_t endpoint; /* whom it concerns, UINT32_MAX none */
    uint32_t peer;     /* the other side, UINT32_MAX none */
    uint32_t role;
    uint64_t epoch;   /* TIMELINE_ROLE */
    const char *what; /* static word: "cut", "partition", "crash", "power_off", "pause", "up",
                         "leader", "promote", "discard" ... */
    const char *id;   /* the scenario entry's id, or NULL; borrowed from the plan */
    char *text;       /* one sentence, owned */
};

struct timeline {
    struct timeline_entry *items;
    size_t count, capacity;
};
/* Copies; text by printf, `text` of the entry given is ignored. Keeps time order: an entry
 * stamped earlier than the last goes to its place, after its equals. */
void timeline_add(struct timeline *timeline, const struct timeline_entry *entry,
                  const char *format, ...) __attribute__((format(printf, 3, 4)));
void timeline_deinit(struct timeline *timeline);
/* timeline.jsonl */
int timeline_write(const struct timeline *timeline, FILE *out,
                   const char *(*endpoint_name)(void *context, uint32_t endpoint),
                   void *context);

#endif
