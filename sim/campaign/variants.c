/* See variants.h. A variant of s settings costs at most 2^s - 1 runs for s <= 8; a run of the
 * shipped incidents takes some milliseconds. */
#include "sim/campaign/variants.h"

#include <stdlib.h>
#include <string.h>

#define SUBSETS_MAX 8u

static int64_t measure(const struct run *run, const char *name)
{
    struct check_input input = run_check_input(run);
    const struct measure *found = measure_find(name);
    return found ? measure_value(found, &input) : 0;
}

static char *settings_text(const struct setting *settings, uint32_t count)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    for (uint32_t i = 0; i < count; i++)
        fprintf(out, "%s%s: %s", i ? ", " : "", settings[i].path, settings[i].value);
    fclose(out);
    return text;
}

struct variant_row variant_row(const struct run *run)
{
    return (struct variant_row){
        .name = run->plan->variant,
        .verdict = run->verdict,
        .holds = run_holds(run),
        .lost_writes = measure(run, "lost_writes"),
        .reused_keys = measure(run, "reused_keys"),
        .private_reads = measure(run, "private_reads"),
        .longest_outage_ns = measure(run, "longest_outage"),
        .settings = settings_text(run->plan->settings, run->plan->settings_count),
    };
}

void variant_row_deinit(struct variant_row *row)
{
    free(row->settings);
    row->settings = NULL;
}

struct search {
    const struct scenario *scenario;
    struct plan_request request;
    uint32_t runs;
};

/* Runs the variant with only the settings of the bit set. */
static bool subset_holds(struct search *search, uint32_t variant,
                         const struct setting *settings, uint32_t count, uint64_t subset)
{
    struct setting *only = calloc(count + 1, sizeof *only);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (subset >> i & 1) only[kept++] = settings[i];
    struct plan_request request = search->request;
    request.variant = variant;
    request.has_only = true;
    request.only = only;
    request.only_count = kept;
    struct scenario_errors errors = {0};
    struct plan *plan = plan_create(search->scenario, &request, &errors);
    bool holds = false;
    if (plan) { /* settings that only fit together (mode and its count) make no plan: not a
                   candidate */
        struct run *run = run_execute(plan, &(struct run_request){0});
        holds = run_holds(run);
        run_destroy(run);
        plan_destroy(plan);
        search->runs++;
    }
    scenario_errors_deinit(&errors);
    free(only);
    return holds;
}

static uint64_t smallest_subset(struct search *search, uint32_t variant,
                                const struct setting *settings, uint32_t count, uint32_t below)
{
    if (count <= SUBSETS_MAX) {
        for (uint32_t size = 1; size <= count && size < below; size++)
            for (uint64_t subset = 1; subset < UINT64_C(1) << count; subset++)
                if ((uint32_t)__builtin_popcountll(subset) == size &&
                    subset_holds(search, variant, settings, count, subset))
                    return subset;
        return 0;
    }
    uint64_t subset = count < 64 ? (UINT64_C(1) << count) - 1 : UINT64_MAX;
    if (!subset_holds(search, variant, settings, count, subset)) return 0;
    for (uint32_t i = 0; i < count && i < 64; i++) {
        uint64_t without = subset & ~(UINT64_C(1) << i);
        if (without && subset_holds(search, variant, settings, count, without))
            subset = without;
    }
    return (uint32_t)__builtin_popcountll(subset) < below ? subset : 0;
}

struct smallest_change smallest_change_find(const struct scenario *scenario,
                                            const struct plan_request *base)
{
    struct smallest_change best = {0};
    struct search search = {scenario, *base, 0};
    for (uint32_t variant = 1; variant < scenario_variants(scenario); variant++) {
        uint32_t count = 0;
        const struct setting *settings = scenario_variant_settings(scenario, variant, &count);
        uint64_t subset = count ? smallest_subset(&search, variant, settings, count,
                                                  best.found ? best.count : UINT32_MAX)
                                : 0;
        if (!subset ||
            __builtin_popcountll(subset) > (int)(sizeof best.settings / sizeof *best.settings))
            continue;
        best.found = true;
        best.variant = scenario_variant_name(scenario, variant);
        best.count = 0;
        for (uint32_t i = 0; i < count; i++)
            if (subset >> i & 1) best.settings[best.count++] = &settings[i];
    }
    best.runs = search.runs;
    return best;
}
