/* The four session guarantees, of registers with unique written values. Method: guarantees.c.
 * Private to sim/check. */
#ifndef FAULTLINE_SIM_CHECK_GUARANTEES_H
#define FAULTLINE_SIM_CHECK_GUARANTEES_H

#include "sim/check/models.h"

void check_model_read_your_writes(const struct ops *operations,
                                  const struct model_limits *limits,
                                  struct model_verdict *verdict);
void check_model_monotonic_reads(const struct ops *operations,
                                 const struct model_limits *limits,
                                 struct model_verdict *verdict);
void check_model_monotonic_writes(const struct ops *operations,
                                  const struct model_limits *limits,
                                  struct model_verdict *verdict);
void check_model_writes_follow_reads(const struct ops *operations,
                                     const struct model_limits *limits,
                                     struct model_verdict *verdict);

#endif
