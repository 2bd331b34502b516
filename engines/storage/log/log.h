/* The engine `log`: the append-only file of two bash functions, made atomic and safe.
 *
 *     db_set () { echo "$1, $2" >> database; }
 *     db_get () { grep "^$1," database | sed -e "s/^$1,//" | tail -n 1; }
 *
 * O(1) write, O(N) read; O(1) read with `index: memory`. Format, invariants and crash analysis:
 * log.c.
 */
#ifndef FAULTLINE_ENGINES_STORAGE_LOG_H
#define FAULTLINE_ENGINES_STORAGE_LOG_H

#include "engines/storage/engine.h"

struct log_options {
    int64_t block_size;      /* bytes a read takes at once */
    int32_t index;           /* none | memory */
    int32_t on_corruption;   /* refuse | truncate */
    int32_t on_sync_failure; /* enum sync_policy */
};

extern const struct engine_ops engine_log;

#endif
