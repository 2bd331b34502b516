/* Consistency models, judged by pure functions: operations in, verdict and witness out.
 *
 *     struct model_verdict verdict;
 *     model_check(model_find("linearizable"), &operations, &limits, &verdict);
 *     ... verdict.outcome, verdict.explanation, verdict.witness[] ...
 *     model_verdict_deinit(&verdict);
 *
 * A model is one row of a table: its name, its definition, its source, and which models it
 * implies. `violated` is only said with a witness that stands alone: the operations of the
 * witness, judged by themselves, violate the model too. `unknown` names what ran out.
 */
#ifndef FAULTLINE_SIM_CHECK_MODELS_H
#define FAULTLINE_SIM_CHECK_MODELS_H

#include "sim/check/operations.h"

enum model_outcome { MODEL_HOLDS, MODEL_VIOLATED, MODEL_UNKNOWN };
extern const char *const model_outcome_words[]; /* "holds", "violated", "unknown" */

/* Why one operation of a witness must stand before another. */
enum model_reason {
    REASON_REAL_TIME,   /* it had returned before the other was invoked */
    REASON_SESSION,     /* the same process did it first */
    REASON_READS_FROM,  /* the other saw its value */
    REASON_OVERWRITTEN, /* it saw a value that the other replaces */
    REASON_DERIVED      /* follows from the rest */
};
extern const char *const model_reason_words[];

struct model_edge {
    uint32_t from, to; /* indices of operations */
    enum model_reason reason;
};

struct model_verdict {
    enum model_outcome outcome;
    const char *algorithm; /* "zones, O(n log n)"; static */
    char *explanation;     /* sentences; NULL when it holds. owned */
    size_t *witness;       /* operations that cannot be ordered, in order of invoke; owned */
    size_t witness_count;
    struct model_edge *edges; /* among them, a cycle where there is one; owned */
    size_t edges_count;
    uint64_t violations;   /* how many keys, reads or pairs: what the model counts; >= 1 when
                              violated */
    uint64_t states;       /* visited by a search */
    uint64_t memory_bytes; /* peak of the checker's own memory */
};
void model_verdict_deinit(struct model_verdict *verdict);

struct model_limits {
    uint64_t memory_bytes; /* of one check; 0: 1 GiB */
    uint64_t states;       /* of one search; 0: the model's default */
    uint64_t stale_writes; /* bounded-staleness: writes that a read may miss */
    int64_t stale_ns;      /* likewise: how long what it saw may have been replaced; 0: no bound
                              but the writes */
};

struct model {
    const char *name, *doc, *source;
    const char *const *implies; /* names of the next weaker models, NULL-terminated */
    uint32_t types;             /* bit set of enum object_type that it can judge */
    bool needs_real_time;
    void (*check)(const struct ops *operations, const struct model_limits *limits,
                  struct model_verdict *verdict);
};
extern const struct model model_table[]; /* strongest first; ends with name NULL */
const struct model *model_find(const char *name);
void model_check(const struct model *model, const struct ops *operations,
                 const struct model_limits *limits, struct model_verdict *verdict);

#endif
