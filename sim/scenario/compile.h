/* The step from a scenario to a plan with errors as a list: what scenario_load uses to judge
 * every variant. Private to sim/scenario. */
#ifndef FAULTLINE_SIM_SCENARIO_COMPILE_H
#define FAULTLINE_SIM_SCENARIO_COMPILE_H

#include "sim/scenario/build.h"

/* NULL when errors were added. whole: judges what stands under `variants` too, not only the one
 * that is asked for. */
struct plan *plan_compile(const struct scenario *scenario, const struct plan_request *request,
                          bool whole, struct error_list *errors);
/* Errors of a file for the caller; path is what they name. export_plain: one without a place.
 */
void export_errors(struct scenario_errors *out, const char *path, struct error_list *errors);
void export_plain(struct scenario_errors *errors, const char *path, const char *why);
/* The bytes of a file, one more than TREE_BYTES_MAX at most; NULL and an error. The caller
 * frees. */
char *read_text(const char *path, size_t *size, struct scenario_errors *errors);
/* Decimal, no sign, no leading zeros, at most INT64_MAX. */
bool seed_parse(const char *text, uint64_t *seed);

#endif
