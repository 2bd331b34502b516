/* Models of the causal family, of registers with unique written values. Methods: causal.c,
 * causal_memory.c. Private to sim/check. */
#ifndef FAULTLINE_SIM_CHECK_CAUSAL_H
#define FAULTLINE_SIM_CHECK_CAUSAL_H

#include "sim/check/models.h"

void check_causal(const struct ops *operations, const struct model_limits *limits,
                  struct model_verdict *verdict); /* CC */
void check_causal_convergent(const struct ops *operations, const struct model_limits *limits,
                             struct model_verdict *verdict); /* CCv */
void check_causal_memory(const struct ops *operations, const struct model_limits *limits,
                         struct model_verdict *verdict); /* CM */
void check_pram(const struct ops *operations, const struct model_limits *limits,
                struct model_verdict *verdict);

#endif
