/* Safe and regular registers, and how stale reads are. Methods: regular.c. Private to
 * sim/check. */
#ifndef FAULTLINE_SIM_CHECK_REGULAR_H
#define FAULTLINE_SIM_CHECK_REGULAR_H

#include "sim/check/models.h"

void check_regular(const struct ops *operations, const struct model_limits *limits,
                   struct model_verdict *verdict);
void check_safe(const struct ops *operations, const struct model_limits *limits,
                struct model_verdict *verdict);
void check_bounded_staleness(const struct ops *operations, const struct model_limits *limits,
                             struct model_verdict *verdict);

#endif
