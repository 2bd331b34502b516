/* Sequential specifications: what one operation does to the state of an object, for the search
 * over orders. A state is a 64-bit id; equal ids are equal states. Private to sim/check. */
#ifndef FAULTLINE_SIM_CHECK_OBJECTS_H
#define FAULTLINE_SIM_CHECK_OBJECTS_H

#include "sim/check/operations.h"

struct objects;
struct objects *objects_create(const struct ops *operations);
void objects_destroy(struct objects *objects);
uint64_t objects_memory(const struct objects *objects);

uint64_t objects_initial(const struct objects *objects);
/* True when the operation, with the answer that it got, is legal in `state`; *next is the
 * state behind it. */
bool objects_step(struct objects *objects, uint64_t state, uint32_t op, uint64_t *next);

#endif
