/* Building the witness of a verdict, and the words for it. Private to sim/check. */
#ifndef FAULTLINE_SIM_CHECK_WITNESS_H
#define FAULTLINE_SIM_CHECK_WITNESS_H

#include "sim/check/models.h"
#include "sim/kernel/check.h"

/* Replaces the witness by these operations, each once, in order of invoke; UINT32_MAX is
 * skipped. Edges are cleared. */
void witness_set(struct model_verdict *verdict, const struct ops *operations,
                 const uint32_t *ops, size_t count);
/* Adds an edge between two operations of the witness; one with an end that is UINT32_MAX, or
 * with both ends the same, says nothing and is left out. */
void witness_edge(struct model_verdict *verdict, uint32_t from, uint32_t to,
                  enum model_reason reason);
void witness_explain(struct model_verdict *verdict, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Of a violated verdict: makes the witness the smallest set of operations found that violates
 * the model by itself, with bounded work (minimise.c). When the set changes, explanation and
 * edges are told anew; the counts stay those of the whole history. */
void witness_minimise(const struct model *model, const struct ops *operations,
                      const struct model_limits *limits, struct model_verdict *verdict);

/* Text for explanations, from a ring of static storage: up to 8 live at a time. */
/* "process 3's write of 17 to x (line 40)"; UINT32_MAX: "the initial state" */
const char *say_operation(const struct ops *operations, uint32_t op);
const char *say_seen(const struct ops *operations, uint32_t op); /* what it returned */
/* What it wrote; UINT32_MAX: "the initial value". */
const char *say_written(const struct ops *operations, uint32_t op);

#endif
