/* Series: per time bucket, what the world used and how far followers lagged. Sampled by an
 * event of the run, so the samples are part of its trace. */
#ifndef FAULTLINE_SIM_CAMPAIGN_SERIES_H
#define FAULTLINE_SIM_CAMPAIGN_SERIES_H

#include "sim/world/world.h"

struct series_sample {
    int64_t time_ns, lag_ns; /* lag -1: unknown */
    uint32_t node;
    uint8_t up, role;
    uint64_t applied, commit;
    uint64_t disk_read_bytes, disk_write_bytes, disk_syncs, network_bytes,
        network_messages; /* since the run's start */
    int64_t disk_busy_ns, busy_ns;
};

struct series {
    struct world *world;
    int64_t bucket_ns;
    struct series_sample *samples;
    size_t count, capacity;
};

/* Bucket: a 1-2-5 step of at least 10 ms that gives at most 720 buckets. */
int64_t series_bucket(int64_t duration_ns);
void series_start(struct series *series, struct world *world, int64_t bucket_ns,
                  int64_t until_ns);
void series_deinit(struct series *series);

#endif
