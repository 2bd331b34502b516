/* Linearizability of one register whose written values are all different, in O(n log n). The
 * method and its proof obligations: zones.c. Private to sim/check. */
#ifndef FAULTLINE_SIM_CHECK_ZONES_H
#define FAULTLINE_SIM_CHECK_ZONES_H

#include "sim/check/models.h"

enum zones_answer {
    ZONES_HOLD,
    ZONES_VIOLATED,
    ZONES_UNSUITED /* values repeat, or an operation says too little: needs the search */
};

/* What is reused from key to key; zero-initialised but for zones_init. */
struct zones {
    const struct ops *operations;
    uint32_t *cluster_of; /* [values]: 1 + cluster of the present key, 0 none */
    struct cluster *clusters;
    size_t clusters_count, clusters_capacity;
    uint32_t *order, *spare; /* scratch of the sort, as long as clusters */
    size_t order_capacity;
};
void zones_init(struct zones *zones, const struct ops *operations);
void zones_deinit(struct zones *zones);
uint64_t zones_memory(const struct zones *zones);

/* Judges the operations ops[0..count), all of one key, in order of invoke. VIOLATED: witness,
 * edges and explanation of the verdict are set (outcome is the caller's). */
enum zones_answer zones_judge(struct zones *zones, const uint32_t *ops, size_t count,
                              struct model_verdict *verdict);

#endif
