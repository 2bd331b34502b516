/* The engine `btree`: a B+tree on pages, with a write-ahead log and copy-on-write checkpoints.
 *
 * Ordered scans that touch each leaf once, a get of O(log N) pages, recovery of the log since
 * the last checkpoint. Format, invariants and crash analysis: btree.c.
 */
#ifndef FAULTLINE_ENGINES_STORAGE_BTREE_H
#define FAULTLINE_ENGINES_STORAGE_BTREE_H

#include "engines/storage/engine.h"

struct btree_options {
    int64_t page_bytes;      /* of a database made anew; one that exists keeps its own */
    int64_t cache_bytes;     /* pages in memory */
    int64_t log_bytes;       /* of log since the last checkpoint that start the next */
    int32_t verify;          /* a page's checksum is checked when it comes from disk */
    int32_t on_sync_failure; /* enum sync_policy */
};

extern const struct engine_ops engine_btree;

#endif
