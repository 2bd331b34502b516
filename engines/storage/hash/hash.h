/* The engine `hash`: an in-memory index over append-only segments (after Bitcask, Sheehy and
 * Smith 2010).
 *
 * One write a batch, one read a get; the keys must fit in memory. Format, invariants and crash
 * analysis: hash.c.
 */
#ifndef FAULTLINE_ENGINES_STORAGE_HASH_H
#define FAULTLINE_ENGINES_STORAGE_HASH_H

#include "engines/storage/engine.h"

struct hash_options {
    int64_t segment_bytes; /* the active segment is sealed before a batch would exceed it */
    int64_t merge_threshold_ppm; /* dead bytes of the sealed segments that start a merge */
    int64_t merge_segments;      /* sealed segments at least, for a merge to start */
    int64_t stall_segments;      /* sealed segments from which on writes help the merge */
    int32_t index;               /* enum: 0 one keydir for all segments, 1 an index a segment */
    int64_t bloom_bits;      /* index a segment: bits a key of the filter before it; 0: none */
    int32_t hint_files;      /* write them, and open by them */
    int32_t verify;          /* get and scan check the record's checksum */
    int32_t on_sync_failure; /* enum sync_policy */
};

extern const struct engine_ops engine_hash;

#endif
