/* Answering read, resolve and scan from the engine alone: what all schemes do once they have
 * decided that this node may answer. Call after env.detach, in request().
 */
#ifndef FAULTLINE_ENGINES_REPLICATION_READS_H
#define FAULTLINE_ENGINES_REPLICATION_READS_H

#include "engines/replication/env.h"

/* Replies to `request`; position and epoch go into the reply. Bookkeeping keys are never shown.
 * An engine that keeps no order is scanned whole, and its entries are sorted here. */
void reads_answer(struct env *env, uint64_t request, const struct operation *operation,
                  uint64_t position, uint64_t epoch);

#endif
