/* The table of consistency models, and linearizability itself.
 *
 * Linearizability is local (Herlihy and Wing 1990, theorem 1): a history is linearizable when
 * that of each key is. Each key is judged by the cheapest test that can: zones.c for registers
 * whose written values differ, search.c for what is left.
 */
#include "sim/check/models.h"

#include <stdlib.h>
#include <string.h>

#include "sim/check/causal.h"
#include "sim/check/guarantees.h"
#include "sim/check/regular.h"
#include "sim/check/search.h"
#include "sim/check/sequential.h"
#include "sim/check/witness.h"
#include "sim/check/zones.h"

const char *const model_outcome_words[] = {"holds", "violated", "unknown"};
const char *const model_reason_words[] = {"real time", "session", "reads from", "overwritten",
                                          "derived"};

/* ---- operations by key ---- */

struct by_key {
    uint32_t *ops;   /* indices, key after key, in order of invoke */
    uint32_t *start; /* [keys + 1] */
};

static void by_key_init(struct by_key *by, const struct ops *operations)
{
    CHECK(operations->count < UINT32_MAX);
    by->ops = xmalloc((operations->count + 1) * sizeof *by->ops);
    by->start = xcalloc((size_t)operations->keys + 2, sizeof *by->start);
    for (size_t i = 0; i < operations->count; i++) by->start[operations->items[i].key + 2]++;
    for (uint32_t k = 0; k < operations->keys; k++) by->start[k + 2] += by->start[k + 1];
    for (size_t i = 0; i < operations->count; i++)
        by->ops[by->start[operations->items[i].key + 1]++] = (uint32_t)i;
}

static void by_key_deinit(struct by_key *by)
{
    free(by->ops);
    free(by->start);
}

/* ---- linearizability ---- */

static void check_linearizable(const struct ops *operations, const struct model_limits *limits,
                               struct model_verdict *verdict)
{
    struct by_key by;
    struct zones zones;
    bool was_searched = false, was_unknown = false;
    by_key_init(&by, operations);
    zones_init(&zones, operations);
    struct model_verdict first = {0}; /* of the first key that is violated */
    for (uint32_t key = 0; key < operations->keys; key++) {
        const uint32_t *ops = by.ops + by.start[key];
        size_t count = by.start[key + 1] - by.start[key];
        enum zones_answer answer = operations->type == OBJECT_REGISTER
                                       ? zones_judge(&zones, ops, count, verdict)
                                       : ZONES_UNSUITED;
        enum model_outcome outcome = answer == ZONES_HOLD ? MODEL_HOLDS : MODEL_VIOLATED;
        if (answer == ZONES_UNSUITED) {
            outcome = search_judge(operations, ops, count, limits, verdict);
            was_searched = true;
        }
        was_unknown |= outcome == MODEL_UNKNOWN;
        if (outcome == MODEL_VIOLATED && verdict->violations++ == 0) {
            first.explanation = verdict->explanation;
            first.witness = verdict->witness;
            first.witness_count = verdict->witness_count;
            first.edges = verdict->edges;
            first.edges_count = verdict->edges_count;
            verdict->explanation = NULL;
            verdict->witness = NULL;
            verdict->edges = NULL;
            verdict->witness_count = verdict->edges_count = 0;
        }
    }
    verdict->algorithm =
        was_searched ? "zones, and search where values repeat" : "zones, O(n log n)";
    if (verdict->violations) {
        free(verdict->explanation);
        free(verdict->witness);
        free(verdict->edges);
        verdict->outcome = MODEL_VIOLATED;
        verdict->explanation = first.explanation;
        verdict->witness = first.witness;
        verdict->witness_count = first.witness_count;
        verdict->edges = first.edges;
        verdict->edges_count = first.edges_count;
    } else {
        verdict->outcome = was_unknown ? MODEL_UNKNOWN : MODEL_HOLDS;
    }
    verdict->memory_bytes += zones_memory(&zones) + operations->count * sizeof *by.ops +
                             operations->keys * sizeof *by.start;
    zones_deinit(&zones);
    by_key_deinit(&by);
}

/* ---- the table ---- */

#define TYPE(type) (1u << (type))
#define ALL_TYPES ((1u << OBJECT_TYPES) - 1)

const struct model model_table[] = {
    {.name = "linearizable",
     .doc = "every operation takes effect at one instant between its invocation and its return",
     .source = "Herlihy and Wing, ACM TOPLAS 12(3), 1990",
     .implies = (const char *const[]){"sequential", "regular", NULL},
     .types = ALL_TYPES,
     .needs_real_time = true,
     .check = check_linearizable},
    {.name = "sequential",
     .doc = "one order of all operations, which keeps each process's own, explains all answers",
     .source = "Lamport, IEEE Transactions on Computers 28(9), 1979",
     .implies = (const char *const[]){"causal-convergent", "causal-memory", NULL},
     .types = TYPE(OBJECT_REGISTER),
     .check = check_sequential},
    {.name = "causal-convergent",
     .doc = "CCv: causal, and all processes agree on one order of the writes",
     .source = "Bouajjani, Enea, Guerraoui, Hamza, POPL 2017",
     .implies = (const char *const[]){"causal", "read-your-writes", "monotonic-reads",
                                      "monotonic-writes", "writes-follow-reads", NULL},
     .types = TYPE(OBJECT_REGISTER),
     .check = check_causal_convergent},
    {.name = "causal-memory",
     .doc = "CM: each process sees its causal past in one order that explains all that it saw",
     .source = "Ahamad, Neiger, Burns, Kohli, Hutto, Distributed Computing 9, 1995",
     .implies = (const char *const[]){"causal", "pram", NULL},
     .types = TYPE(OBJECT_REGISTER),
     .check = check_causal_memory},
    {.name = "causal",
     .doc = "CC: no operation sees the past of another without the past of that past",
     .source = "Bouajjani, Enea, Guerraoui, Hamza, POPL 2017",
     .implies = (const char *const[]){NULL},
     .types = TYPE(OBJECT_REGISTER),
     .check = check_causal},
    {.name = "pram",
     .doc = "each process sees the writes of every other in the order in which it made them",
     .source = "Lipton and Sandberg, PRAM: a scalable shared memory, Princeton 1988",
     .implies = (const char *const[]){NULL},
     .types = TYPE(OBJECT_REGISTER),
     .check = check_pram},
    {.name = "read-your-writes",
     .doc = "a read sees what its process wrote before, or something newer",
     .source = "Terry et al., Session guarantees, PDIS 1994",
     .implies = (const char *const[]){NULL},
     .types = TYPE(OBJECT_REGISTER),
     .check = check_model_read_your_writes},
    {.name = "monotonic-reads",
     .doc = "a read sees nothing older than what its process read before",
     .source = "Terry et al., Session guarantees, PDIS 1994",
     .implies = (const char *const[]){NULL},
     .types = TYPE(OBJECT_REGISTER),
     .check = check_model_monotonic_reads},
    {.name = "monotonic-writes",
     .doc = "who has seen a write of a process sees its earlier writes too",
     .source = "Terry et al., Session guarantees, PDIS 1994",
     .implies = (const char *const[]){NULL},
     .types = TYPE(OBJECT_REGISTER),
     .check = check_model_monotonic_writes},
    {.name = "writes-follow-reads",
     .doc = "who has seen a write sees what its writer had seen",
     .source = "Terry et al., Session guarantees, PDIS 1994",
     .implies = (const char *const[]){NULL},
     .types = TYPE(OBJECT_REGISTER),
     .check = check_model_writes_follow_reads},
    {.name = "regular",
     .doc = "a read sees the last write that ended before it, or one that overlaps it",
     .source = "Lamport, On interprocess communication, 1986; Shao et al., 2011 (MWReg weak)",
     .implies = (const char *const[]){"safe", NULL},
     .types = TYPE(OBJECT_REGISTER),
     .needs_real_time = true,
     .check = check_regular},
    {.name = "safe",
     .doc = "a read that overlaps no write sees the last one; others may see anything",
     .source = "Lamport, On interprocess communication, 1986",
     .implies = (const char *const[]){NULL},
     .types = TYPE(OBJECT_REGISTER),
     .needs_real_time = true,
     .check = check_safe},
    {.name = "bounded-staleness",
     .doc = "no read misses more than k writes, or a write for longer than t (--stale)",
     .source = "Golab, Li, Shah, PODC 2011; Bailis et al., PBS, VLDB 2012",
     .implies = (const char *const[]){NULL},
     .types = TYPE(OBJECT_REGISTER),
     .needs_real_time = true,
     .check = check_bounded_staleness},
    {0},
};

const struct model *model_find(const char *name)
{
    for (const struct model *model = model_table; model->name; model++)
        if (strcmp(model->name, name) == 0) return model;
    return NULL;
}

void model_check(const struct model *model, const struct ops *operations,
                 const struct model_limits *limits, struct model_verdict *verdict)
{
    memset(verdict, 0, sizeof *verdict);
    model->check(operations, limits, verdict);
    if (verdict->outcome == MODEL_VIOLATED)
        witness_minimise(model, operations, limits, verdict);
}

void model_verdict_deinit(struct model_verdict *verdict)
{
    free(verdict->explanation);
    free(verdict->witness);
    free(verdict->edges);
    memset(verdict, 0, sizeof *verdict);
}
