/* series.csv and latency.csv: what plots are drawn from. Integers only, so that every build
 * writes the same bytes.
 *
 * series.csv: one row a bucket: time_ns (its end), then of the operations that returned in it:
 * ok, fail, unknown, p50_ns, p99_ns, max_ns (of the ok ones, exact nearest rank, empty without
 * any), staleness_ns (of the stalest read, as staleness_max counts it), then for each node
 * NAME.up, NAME.role, NAME.lag_ns, ...
 *
 * latency.csv: log-linear histogram of ok operations: type,low_ns,high_ns,count; 16 linear
 * steps an octave, so at most 6.25 % wide.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/campaign/result.h"

static int by_value(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* ---- series.csv ---- */

/* Nearest rank: the smallest value that at least `percent` of the values do not exceed. */
static size_t rank_of(size_t count, size_t percent)
{
    return (count * percent + 99) / 100 - 1;
}

struct bucket {
    uint64_t outcomes[OUTCOME_COUNT];
    int64_t staleness_ns;
    size_t first, count;
};

static void series_header(const struct run *run, FILE *out)
{
    fputs("time_ns,ok,fail,unknown,p50_ns,p99_ns,max_ns,staleness_ns", out);
    for (uint32_t n = 0; n < world_nodes(run->world); n++) {
        const char *name = world_endpoint_name(run->world, n);
        static const char *const columns[] = {"up",
                                              "role",
                                              "lag_ns",
                                              "applied",
                                              "disk_read_bytes",
                                              "disk_write_bytes",
                                              "disk_syncs",
                                              "network_bytes",
                                              "busy_ns"};
        for (size_t c = 0; c < sizeof columns / sizeof *columns; c++)
            fprintf(out, ",%s.%s", name, columns[c]);
    }
    fputc('\n', out);
}

int series_write(const struct run *run, FILE *out)
{
    const struct history *history = run->records.history;
    const struct series *series = &run->series;
    uint32_t nodes = world_nodes(run->world);
    size_t buckets = nodes ? series->count / nodes : 0;
    struct bucket *bucket = xcalloc(buckets + 1, sizeof *bucket);
    int64_t *ages = xcalloc(history->count + 1, sizeof *ages);
    struct check_input input = run_check_input(run);
    check_staleness(&input, ages);

    /* Latencies of ok operations, grouped by bucket through a counting pass. */
    int64_t *latency = xcalloc(history->count + 1, sizeof *latency);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < history->count; i++) {
            const struct history_op *op = &history->ops[i];
            if (op->pending || op->return_ns == HISTORY_OPEN || op->final_read) continue;
            size_t b = (size_t)((op->return_ns + series->bucket_ns - 1) / series->bucket_ns);
            if (b) b--;
            if (b >= buckets) continue;
            if (pass == 0) {
                bucket[b].outcomes[op->outcome]++;
                if (ages[i] > bucket[b].staleness_ns) bucket[b].staleness_ns = ages[i];
            } else if (op->outcome == OUTCOME_OK) {
                latency[bucket[b].first + bucket[b].count++] = op->return_ns - op->invoke_ns;
            }
        }
        if (pass == 0)
            for (size_t b = 1; b < buckets; b++)
                bucket[b].first =
                    bucket[b - 1].first + (size_t)bucket[b - 1].outcomes[OUTCOME_OK];
    }

    series_header(run, out);
    for (size_t b = 0; b < buckets; b++) {
        int64_t *sorted = latency + bucket[b].first;
        size_t count = bucket[b].count;
        qsort(sorted, count, sizeof *sorted, by_value);
        fprintf(out, "%" PRId64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64,
                series->samples[b * nodes].time_ns, bucket[b].outcomes[OUTCOME_OK],
                bucket[b].outcomes[OUTCOME_FAIL], bucket[b].outcomes[OUTCOME_UNKNOWN]);
        if (count)
            fprintf(out, ",%" PRId64 ",%" PRId64 ",%" PRId64, sorted[rank_of(count, 50)],
                    sorted[rank_of(count, 99)], sorted[count - 1]);
        else
            fputs(",,,", out);
        fprintf(out, ",%" PRId64, bucket[b].staleness_ns);
        for (uint32_t n = 0; n < nodes; n++) {
            const struct series_sample *s = &series->samples[b * nodes + n];
            fprintf(out,
                    ",%u,%s,%" PRId64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
                    ",%" PRIu64 ",%" PRId64,
                    s->up, role_words[s->role], s->lag_ns, s->applied, s->disk_read_bytes,
                    s->disk_write_bytes, s->disk_syncs, s->network_bytes, s->busy_ns);
        }
        fputc('\n', out);
    }
    free(bucket);
    free(latency);
    free(ages);
    return ferror(out) ? -EIO : 0;
}

/* ---- latency.csv ---- */

#define OCTAVE_STEPS 16
#define LATENCY_BINS (64 * OCTAVE_STEPS)

static int64_t bin_low(size_t bin)
{
    if (bin < OCTAVE_STEPS) return (int64_t)bin;
    size_t octave = bin / OCTAVE_STEPS - 1, step = bin % OCTAVE_STEPS;
    return (int64_t)(OCTAVE_STEPS + step) << octave;
}

static size_t bin_of(int64_t value)
{
    if (value < OCTAVE_STEPS) return value < 0 ? 0 : (size_t)value;
    size_t octave = 0;
    while (value >> octave >= 2 * OCTAVE_STEPS) octave++;
    return (octave + 1) * OCTAVE_STEPS + (size_t)(value >> octave) - OCTAVE_STEPS;
}

int latency_write(const struct run *run, FILE *out)
{
    const struct history *history = run->records.history;
    uint64_t *bins = xcalloc(HISTORY_TYPES * LATENCY_BINS, sizeof *bins);
    for (size_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        if (op->outcome == OUTCOME_OK && op->return_ns != HISTORY_OPEN && !op->final_read)
            bins[op->type * LATENCY_BINS + bin_of(op->return_ns - op->invoke_ns)]++;
    }
    fputs("type,low_ns,high_ns,count\n", out);
    for (size_t type = 0; type < HISTORY_TYPES; type++)
        for (size_t bin = 0; bin + 1 < LATENCY_BINS - 5 * OCTAVE_STEPS; bin++)
            if (bins[type * LATENCY_BINS + bin])
                fprintf(out, "%s,%" PRId64 ",%" PRId64 ",%" PRIu64 "\n",
                        history_type_words[type], bin_low(bin), bin_low(bin + 1),
                        bins[type * LATENCY_BINS + bin]);
    free(bins);
    return ferror(out) ? -EIO : 0;
}
