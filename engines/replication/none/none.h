/* Scheme `none`: one node, no copies. The baseline and the smallest example of a scheme. */
#ifndef FAULTLINE_ENGINES_REPLICATION_NONE_H
#define FAULTLINE_ENGINES_REPLICATION_NONE_H

#include "engines/replication/effects.h"
#include "engines/replication/scheme.h"

struct none_options {
    int32_t fencing; /* enum fencing */
    int64_t dedup;   /* answers remembered for idempotency tokens */
};

extern const struct scheme_ops none_scheme;

#endif
