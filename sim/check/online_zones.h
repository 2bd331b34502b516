/* Linearizability of registers, followed while the run goes on. Private to sim/check. */
#ifndef FAULTLINE_SIM_CHECK_ONLINE_ZONES_H
#define FAULTLINE_SIM_CHECK_ONLINE_ZONES_H

#include <stdbool.h>

#include "sim/record/history.h"

#define TOKENS_MAX (UINT64_C(1) << 28) /* greater ones are nobody's */

/* Who writes a token, by token. */
struct writers {
    uint32_t *op; /* UINT32_MAX: nobody so far */
    size_t capacity;
};
uint32_t writers_find(const struct writers *writers, uint64_t token);

struct online_zones;
struct online_zones *online_zones_create(const struct history *history,
                                         const struct writers *writers);
void online_zones_destroy(struct online_zones *zones);
/* Says nothing of that key any more. */
void online_zones_leave(struct online_zones *zones, uint32_t key);
/* Operation `op` has returned; nothing that is still open, or that will be asked for, was
 * invoked before `oldest_ns`. True when that makes the history of its key violate
 * linearizability; of that key nothing is said any more. */
bool online_zones_returned(struct online_zones *zones, uint32_t op, int64_t oldest_ns);
size_t online_zones_entries(const struct online_zones *zones);

#endif
