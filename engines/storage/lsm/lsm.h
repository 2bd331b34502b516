/* The engine `lsm`: a log-structured merge tree (O'Neil et al. 1996; the shape is that of
 * LevelDB).
 *
 * Writes are appends and one insert into memory; sorted tables are merged in the background.
 * Format, invariants and crash analysis: lsm.c.
 */
#ifndef FAULTLINE_ENGINES_STORAGE_LSM_LSM_H
#define FAULTLINE_ENGINES_STORAGE_LSM_LSM_H

#include "engines/storage/engine.h"

/* How runs of tables are merged (compaction.c). */
enum lsm_policy {
    LSM_LEVELED, /* one run a level; files move down one by one */
    LSM_TIERED,  /* `fanout` runs of a level become one of the next */
    LSM_FULL     /* one run a level, always merged whole */
};

struct lsm_options {
    int64_t memtable_bytes;   /* keys and values; then the memtable is switched */
    int64_t table_bytes;      /* a compaction begins another file at this size */
    int64_t block_bytes;      /* of a table's data blocks */
    int64_t restart_interval; /* entries that share a prefix chain */
    int64_t bloom_bits;       /* a key; 0: no filters */
    int64_t cache_bytes;      /* of the block cache; 0: none */
    int64_t max_open_tables;  /* whose index and filter are in memory */
    int64_t fanout;           /* LEVELED: size ratio; TIERED: runs; FULL: arrivals of a level */
    int64_t level_base_bytes; /* LEVELED: target size of level 1 */
    int64_t l0_trigger;       /* LEVELED: runs of level 0 that are merged into level 1 */
    int64_t l0_stall;         /* runs of level 0 from which on writes help */
    int64_t gc_grace_ns;      /* age before which no tombstone is dropped */
    int32_t compaction;       /* enum lsm_policy */
    int32_t on_sync_failure;  /* enum sync_policy */
};

extern const struct engine_ops engine_lsm;

#endif
