/* Reigns: since when each node has been leader, followed along facts in time order. Private to
 * sim/check. */
#ifndef FAULTLINE_SIM_CHECK_LEADERS_H
#define FAULTLINE_SIM_CHECK_LEADERS_H

#include "sim/check/parts.h"

#define REIGN_NONE INT64_MIN

struct reigns {
    uint32_t nodes;
    int64_t *since_ns;
    bool *leads;
}; /* by node; since REIGN_NONE: does not reign */

void reigns_init(struct reigns *reigns, const struct check_input *input);
void reigns_deinit(struct reigns *reigns);
void reigns_enter(struct reigns *reigns, const struct fact *fact);

#endif
