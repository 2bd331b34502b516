/* Causal consistency of registers with unique written values: CC and CCv. Method: causal.c.
 * Private to sim/check. */
#ifndef FAULTLINE_SIM_CHECK_CAUSAL_H
#define FAULTLINE_SIM_CHECK_CAUSAL_H

#include "sim/check/models.h"

void check_causal(const struct ops *operations, const struct model_limits *limits,
                  struct model_verdict *verdict); /* CC */
void check_causal_convergent(const struct ops *operations, const struct model_limits *limits,
                             struct model_verdict *verdict); /* CCv */

#endif
