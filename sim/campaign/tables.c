/* series.csv and latency.csv: what plots are drawn from. Integers only, so that every build
 * writes the same bytes.
 *
 * series.csv: one row a bucket: time_ns (its end), then of the operations that returned in it:
 * ok, fail, unknown, p50_ns, p99_ns, max_ns (of the ok ones, exact nearest rank, empty without
 * any), staleness_ns (the oldest answer of a read: how long a newer acknowledged write had been
 * there), then for each node NAME.up, NAME.role, NAME.lag_ns, ...
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

/* ---- staleness of reads ---- */

struct acked_write {
    int64_t invoke_ns, return_ns;
    uint64_t token;
    uint32_t key;
};

static int by_key_and_return(const void *left, const void *right)
{
    const struct acked_write *a = left, *b = right;
    if (a->key != b->key) return a->key < b->key ? -1 : 1;
    if (a->return_ns != b->return_ns) return a->return_ns < b->return_ns ? -1 : 1;
    return (a->token > b->token) - (a->token < b->token);
}

static int by_token(const void *left, const void *right)
{
    const struct acked_write *a = left, *b = right;
    return (a->token > b->token) - (a->token < b->token);
}

struct write_index {
    struct acked_write *by_key, *by_token;
    size_t count;
};

static bool is_acked_write(const struct history_op *op)
{
    return op->outcome == OUTCOME_OK && op->token && op->key != HISTORY_NONE && op->store == 0;
}

static struct write_index index_writes(const struct history *history)
{
    struct write_index index = {0};
    for (size_t i = 0; i < history->count; i++) index.count += is_acked_write(&history->ops[i]);
    index.by_key = xcalloc(index.count + 1, sizeof *index.by_key);
    index.by_token = xcalloc(index.count + 1, sizeof *index.by_token);
    size_t n = 0;
    for (size_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        if (is_acked_write(op))
            index.by_key[n++] =
                (struct acked_write){op->invoke_ns, op->return_ns, op->token, op->key};
    }
    memcpy(index.by_token, index.by_key, n * sizeof *index.by_key);
    qsort(index.by_key, n, sizeof *index.by_key, by_key_and_return);
    qsort(index.by_token, n, sizeof *index.by_token, by_token);
    return index;
}

/* How long, when the read began, a write had been acknowledged that began after the returned
 * one had ended; 0: the read was fresh. */
static int64_t staleness(const struct write_index *index, const struct history *history,
                         const struct history_op *read)
{
    if (read->type != HISTORY_READ || read->outcome != OUTCOME_OK || read->values_count != 1 ||
        read->store)
        return 0;
    struct acked_write want = {.token = history->values[read->values_start]};
    const struct acked_write *seen =
        bsearch(&want, index->by_token, index->count, sizeof want, by_token);
    int64_t seen_return = seen ? seen->return_ns : -1;
    if (!seen && want.token)
        return 0; /* its write was never acknowledged: no order to judge by */
    size_t low = 0, high = index->count;
    while (low <
           high) { /* the first write of this key that was acknowledged after seen_return */
        size_t middle = low + (high - low) / 2;
        const struct acked_write *w = &index->by_key[middle];
        if (w->key < read->key || (w->key == read->key && w->return_ns <= seen_return))
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < index->count && index->by_key[low].key == read->key &&
           index->by_key[low].return_ns < read->invoke_ns;
         low++)
        if (index->by_key[low].invoke_ns > seen_return)
            return read->invoke_ns - index->by_key[low].return_ns;
    return 0;
}

/* ---- series.csv ---- */

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
    struct write_index writes = index_writes(history);

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
                int64_t stale = staleness(&writes, history, op);
                if (stale > bucket[b].staleness_ns) bucket[b].staleness_ns = stale;
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
            fprintf(out, ",%" PRId64 ",%" PRId64 ",%" PRId64, sorted[(count - 1) * 50 / 100],
                    sorted[(count - 1) * 99 / 100], sorted[count - 1]);
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
    free(writes.by_key);
    free(writes.by_token);
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
