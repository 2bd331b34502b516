/* Invariants and consistency models: pure functions of records. A check is one row of a table;
 * all vocabulary (names, documentation, sources) stands there. */
#ifndef FAULTLINE_SIM_CHECK_CHECK_H
#define FAULTLINE_SIM_CHECK_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/record/facts.h"
#include "sim/record/history.h"
#include "sim/record/timeline.h"

/* What a check may look at. Violations are counted up to and including `until_ns` ("violations:
 * 550, at: 480s"): an operation counts when it returned by then. */
struct check_input {
    const struct history *history; /* sealed */
    const struct facts *facts;
    const struct timeline *timeline; /* for explanations only */
    uint32_t nodes;                  /* data nodes are endpoints 0..nodes-1 */
    int64_t from_ns, until_ns;       /* window; 0 and VTIME_MAX: the whole run */
    int64_t faults_end_ns; /* end of the scheduled run, before `finish`; 0: the last return in
                              the history */
    bool quiesced;         /* `finish` ran: final reads and FACT_FINAL are there */
    bool final_all_up;     /* all nodes were up at the final read */
    const char *(*endpoint_name)(void *context, uint32_t endpoint);
    void *name_context;
};

enum check_verdict { CHECK_HOLDS, CHECK_VIOLATED, CHECK_UNKNOWN, CHECK_NOT_APPLICABLE };
extern const char *const check_verdict_words[];

#define CHECK_WITNESS_OPS 8
struct check_result {
    enum check_verdict verdict;
    uint64_t violations; /* how many, 0 when it holds */
    int64_t first_ns;    /* when the first violation became true; VTIME_MAX none */
    size_t witness[CHECK_WITNESS_OPS];
    uint32_t witness_count; /* indices of operations of the first violation, in time order */
    uint32_t witness_nodes[2];
    uint32_t witness_nodes_count; /* for checks on facts */
    double value;                 /* measures: availability fraction 0..1 */
    int64_t duration_ns;          /* measures: longest gap */
    /* Indices of all violating operations, rising (for marks in plots); owned. None for checks
     * that count nodes. */
    size_t *violating;
    size_t violating_count;
    /* A sentence or two that a reader understands; owned, NULL when it holds. availability
     * always says its numbers; CHECK_UNKNOWN says why. */
    char *explanation;
};
void check_result_deinit(struct check_result *result);

enum check_needs { CHECK_NEEDS_HISTORY = 1, CHECK_NEEDS_FACTS = 2, CHECK_NEEDS_FINAL = 4 };

struct check {
    const char *name;   /* "unique_keys" */
    const char *doc;    /* definition, one or two sentences */
    const char *source; /* paper, section; or incident */
    uint32_t needs;
    bool is_safety; /* false: availability, and consistency models, which not every scheme
                       promises: never run unasked */
    void (*run)(const struct check_input *input, struct check_result *result);
};
extern const struct check check_table[]; /* ends with name NULL */
const struct check *check_find(const char *name);

/* The story of a result: the operations of the witness and the timeline entries between them,
 * in time order, as text lines into a malloc'ed string. */
char *check_story(const struct check *check, const struct check_input *input,
                  const struct check_result *result);

/* ---- measures: numbers of a run, named in `expect.measure` ---- */
struct measure {
    const char *name, *unit, *doc;
    int64_t (*value)(const struct check_input *input);
}; /* unit: "count", "ns", "ppm" */
extern const struct measure
    measure_table[]; /* ends with name NULL: leader_changes, private_reads, acknowledged,
                        failed, unknown, lost_writes, reused_keys, longest_outage, availability,
                        discarded_writes, leaders_at_once_ns, final_divergent_keys ... */
const struct measure *measure_find(const char *name);
int64_t measure_value(const struct measure *measure, const struct check_input *input);
/* ages_ns[i]: how stale operation i was, as staleness_max counts it; 0: fresh, or no read. One
 * for each operation of the history. */
void check_staleness(const struct check_input *input, int64_t *ages_ns);

#endif
