/* Which keys differ between nodes at the end. Private to sim/check. */
#ifndef FAULTLINE_SIM_CHECK_CONVERGENCE_H
#define FAULTLINE_SIM_CHECK_CONVERGENCE_H

#include "sim/check/parts.h"

struct divergence {
    uint32_t key, node[2];
    uint64_t token[2];
}; /* token 0: that node lacks the key */

/* How many keys are not the same on all nodes that were up and readable at the end; the first
 * of them (by key number) into *first when there is one; first may be NULL. */
uint64_t convergence_divergent_keys(const struct check_input *input, struct divergence *first);

#endif
