/* What list, explain, the JSON Schema and the reference share: how a row of a table reads.
 * Private to sim/scenario. */
#ifndef FAULTLINE_SIM_SCENARIO_VOCABULARY_H
#define FAULTLINE_SIM_SCENARIO_VOCABULARY_H

#include "sim/scenario/format.h"
#include "sim/scenario/values.h"

/* "duration", "share", "one of async, semi_sync, sync", "list of places" ... */
const char *option_type_text(struct arena *arena, const struct option *option);
/* "1 to 64", "at least 1ms", "" */
const char *option_bounds_text(struct arena *arena, const struct option *option);
/* The default as written, "required", or "" */
const char *option_default_text(const struct option *option);
extern const char *const operation_docs[]; /* by enum operation_type, NULL ends */

#endif
