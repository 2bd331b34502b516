/* Sequential consistency of registers with unique written values. Method: sequential.c. Private
 * to sim/check. */
#ifndef FAULTLINE_SIM_CHECK_SEQUENTIAL_H
#define FAULTLINE_SIM_CHECK_SEQUENTIAL_H

#include "sim/check/models.h"

void check_sequential(const struct ops *operations, const struct model_limits *limits,
                      struct model_verdict *verdict);

#endif
