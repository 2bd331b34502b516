/* The step from a scenario to a plan with errors as a list: what scenario_load uses to judge
 * every variant. Private to sim/scenario. */
#ifndef FAULTLINE_SIM_SCENARIO_COMPILE_H
#define FAULTLINE_SIM_SCENARIO_COMPILE_H

#include "sim/scenario/build.h"

/* NULL when errors were added. whole: judges what stands under `variants` too, not only the one
 * that is asked for. */
struct plan *plan_compile(const struct scenario *scenario, const struct plan_request *request,
                          bool whole, struct error_list *errors);
/* Decimal, no sign, no leading zeros, at most INT64_MAX. */
bool seed_parse(const char *text, uint64_t *seed);

#endif
