/* Variants of a scenario side by side, and the smallest change that holds.
 *
 * The smallest change is computed, not declared: for each variant whose run holds (run_holds:
 * verdict pass and no safety check violated) every subset of its settings is run, fewest first,
 * and the first that still holds is that variant's minimum; the least over all variants is the
 * answer. Ties go to the variant that stands first.
 */
#ifndef FAULTLINE_SIM_CAMPAIGN_VARIANTS_H
#define FAULTLINE_SIM_CAMPAIGN_VARIANTS_H

#include "sim/campaign/run.h"

struct variant_row {
    const char *name; /* of the scenario's memory */
    enum verdict verdict;
    bool holds;
    int64_t lost_writes, reused_keys, private_reads, longest_outage_ns;
    char *settings; /* "replication.failover.quorum: majority, ...", malloc'ed */
};

struct smallest_change {
    bool found;
    const char *variant; /* in which it was found */
    const struct setting *settings[16];
    uint32_t count;
    uint32_t runs; /* runs that it took */
};

struct variant_row variant_row(const struct run *run);
void variant_row_deinit(struct variant_row *row);
/* At most 8 settings a variant are tried in all subsets; beyond that only those with one
 * dropped, again and again. */
struct smallest_change smallest_change_find(const struct scenario *scenario,
                                            const struct plan_request *base);

#endif
