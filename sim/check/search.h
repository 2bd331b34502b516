/* Linearizability of one object by search over orders, for what the near-linear tests cannot
 * judge. Exponential at worst, bounded by its limits. Private to sim/check. */
#ifndef FAULTLINE_SIM_CHECK_SEARCH_H
#define FAULTLINE_SIM_CHECK_SEARCH_H

#include "sim/check/models.h"

/* Judges the operations ops[0..count), all of one key, in order of invoke. VIOLATED: witness
 * and explanation are set; UNKNOWN: the explanation says which limit. states and memory_bytes
 * of the verdict grow. */
enum model_outcome search_judge(const struct ops *operations, const uint32_t *ops, size_t count,
                                const struct model_limits *limits,
                                struct model_verdict *verdict);

#endif
