/* From timeline.jsonl, series.csv, history.jsonl and violations.csv to the tab-separated data
 * of the plots (names and columns: plots.c). Whatever is damaged is an error that names file
 * and line. */
#include "reports/plots_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES_MAX 8000
#define POINTS_MAX 400
#define SPANS_MAX 512

/* ---- timeline.jsonl: bands, cuts, pauses ---- */

/* Stops and starts of nodes are instants: the lane itself shows how long a node was down. */
static bool is_span(const char *what)
{
    static const char *const instants[] = {"crash",      "power_off", "wipe",   "start",
                                           "reboot",     "heal",      "resume", "evict",
                                           "clock_step", "promote",   "demote", "transfer"};
    for (size_t i = 0; i < sizeof instants / sizeof *instants; i++)
        if (!strcmp(what, instants[i])) return false;
    return true;
}

struct span {
    double from, to;
};
struct bands {
    FILE *out;
    struct span spans[SPANS_MAX];
    size_t count;
    uint32_t object;
    double row_end[BAND_ROWS];
};

/* A line where the fault begins, its name at the top edge; its span is remembered for
 * end_bands. */
static void put_band(struct drawing *d, struct bands *bands, const json_t *entry, double from,
                     double to)
{
    if (is_span(plots_text_of(entry, "what")) && to - from >= d->duration / 400 &&
        bands->count < SPANS_MAX)
        bands->spans[bands->count++] = (struct span){from, to};
    fprintf(bands->out,
            "set arrow %u from %.6f, graph 0 to %.6f, graph 1 nohead back lw 0.8 dt 2 lc rgb "
            "'#999999'\n",
            bands->object, from, from);
    const char *id = plots_text_of(entry, "id");
    if (!*id) id = plots_text_of(entry, "what");
    uint32_t row = 0;
    while (row + 1 < BAND_ROWS && bands->row_end[row] > from) row++;
    bands->row_end[row] = from + d->duration / 95 * (double)(strlen(id) + 1);
    if (row + 1 > d->band_rows) d->band_rows = row + 1;
    fprintf(bands->out, "set label %u ", bands->object);
    plots_put_quoted(bands->out, id);
    fprintf(bands->out,
            " at %.6f, graph 1 offset 0,%.2f left font ',11' textcolor rgb '#444444'\n", from,
            0.5 + 1.0 * row);
    bands->object++;
}

static int by_from(const void *left, const void *right)
{
    double a = ((const struct span *)left)->from, b = ((const struct span *)right)->from;
    return (a > b) - (a < b);
}

/* Grey wherever any fault lasts: overlapping faults are drawn once, so that the grey does not
 * add up. */
static void end_bands(struct bands *bands)
{
    qsort(bands->spans, bands->count, sizeof *bands->spans, by_from);
    for (size_t i = 0; i < bands->count;) {
        struct span all = bands->spans[i];
        for (i++; i < bands->count && bands->spans[i].from <= all.to; i++)
            if (bands->spans[i].to > all.to) all.to = bands->spans[i].to;
        fprintf(bands->out,
                "set object %u rectangle from %.6f, graph 0 to %.6f, graph 1 behind fs "
                "transparent solid 0.08 noborder fc rgb '#000000'\n",
                bands->object++, all.from, all.to);
    }
}

/* The next line as an object; NULL at the end and at an error. */
static json_t *next_object(const struct drawing *d, const char *file, FILE *in, char **line,
                           size_t *capacity, size_t *number, int *error)
{
    json_error_t why;
    if (getline(line, capacity, in) <= 0) return NULL;
    ++*number;
    json_t *object = json_loads(*line, 0, &why);
    if (json_is_object(object)) return object;
    *error = plots_complain(d->folder, file, *number, object ? "is no JSON object" : why.text);
    json_decref(object);
    return NULL;
}

/* What is wrong with the times of a line; NULL: nothing. The end may be null or absent: open.
 */
static const char *wrong_times(const json_t *object, const char *begin, const char *end)
{
    static char what[64];
    const json_t *last = json_object_get(object, end);
    if (!plots_integer_member(object, begin, 0)) {
        snprintf(what, sizeof what, "%s is no number from 0", begin);
        return what;
    }
    if (!last || json_is_null(last) ||
        plots_integer_member(object, end, json_integer_value(json_object_get(object, begin))))
        return NULL;
    snprintf(what, sizeof what, "%s is neither null nor a number from %s", end, begin);
    return what;
}

int plots_read_timeline(struct drawing *d, FILE *lanes)
{
    FILE *in = plots_open_in(d, "timeline.jsonl", "r"),
         *bands = plots_open_in(d, "plots/bands.gp", "w"),
         *cuts = plots_open_in(d, "plots/cuts.tsv", "w");
    int error = in && bands && cuts ? 0 : -EIO;
    char *line = NULL;
    size_t capacity = 0, number = 0;
    struct bands all = {.out = bands, .object = 100};
    double paused[NODES_MAX];
    uint32_t cut_count = 0;
    for (uint32_t n = 0; n < NODES_MAX; n++) paused[n] = -1;
    for (json_t *entry; !error && (entry = next_object(d, "timeline.jsonl", in, &line,
                                                       &capacity, &number, &error));) {
        const char *wrong = wrong_times(entry, "time", "until");
        if (wrong) {
            error = plots_complain(d->folder, "timeline.jsonl", number, wrong);
            json_decref(entry);
            break;
        }
        const char *kind = plots_text_of(entry, "kind"), *what = plots_text_of(entry, "what");
        double from = plots_seconds(json_integer_value(json_object_get(entry, "time")));
        json_t *until = json_object_get(entry, "until");
        double to =
            json_is_integer(until) ? plots_seconds(json_integer_value(until)) : d->duration;
        if (to > d->duration) to = d->duration;
        int lane = plots_lane_of(d, plots_text_of(entry, "endpoint")),
            peer = plots_lane_of(d, plots_text_of(entry, "peer"));
        if ((!strcmp(kind, "fault") || !strcmp(kind, "operator")) && from < d->duration) {
            put_band(d, &all, entry, from, to);
            if (lane >= 0 && peer >= 0)
                cut_count++, fprintf(cuts, "%.6f\t%d\t%d\n", from, lane, peer);
        }
        if (lane >= 0 && !strcmp(what, "paused")) paused[lane] = from;
        if (lane >= 0 && !strcmp(what, "resumed") && paused[lane] >= 0) {
            fprintf(lanes, "%.6f\t%.6f\t%d\t0\t4\n", paused[lane], from, lane);
            paused[lane] = -1;
        }
        json_decref(entry);
    }
    if (!error) end_bands(&all);
    if (cuts && !cut_count) fputs("NaN\t0\t0\n", cuts);
    free(line);
    if (in) fclose(in);
    if (bands && fclose(bands)) error = -EIO;
    if (cuts && fclose(cuts)) error = -EIO;
    return error;
}

/* ---- series.csv ---- */

/* Splits a CSV line in place; fields without quotes. */
static size_t split(char *line, char **fields, size_t most)
{
    size_t count = 0;
    for (char *p = line; count < most; p++) {
        fields[count++] = p;
        p += strcspn(p, ",\n");
        if (*p != ',') {
            *p = 0;
            break;
        }
        *p = 0;
    }
    return count;
}

static int state_of(const char *up, const char *role)
{
    if (strcmp(up, "1")) return 0;
    if (!strcmp(role, "leader")) return 1;
    if (!strcmp(role, "candidate") || !strcmp(role, "recovering")) return 3;
    return 2;
}

struct lane {
    int state;
    double from;
};

static void end_lane(FILE *lanes, const struct lane *lane, double to, int number)
{
    if (to > lane->from)
        fprintf(lanes, "%.6f\t%.6f\t%d\t0\t%d\n", lane->from, to, number, lane->state);
}

enum {
    COLUMN_TIME,
    COLUMN_OK,
    COLUMN_FAIL,
    COLUMN_UNKNOWN,
    COLUMN_P50,
    COLUMN_P99,
    COLUMN_MAX,
    COLUMN_STALENESS,
    COLUMN_NODES,
    NODE_COLUMNS = 9
};

struct bucket {
    double from, to, outcomes[3];
};

static void write_outcomes(const struct drawing *d, const struct bucket *buckets, size_t count)
{
    FILE *out = plots_open_in(d, "plots/outcomes.tsv", "w");
    if (!out) return;
    double most = 1e-9;
    for (size_t b = 0; b < count; b++) {
        double all = buckets[b].outcomes[0] + buckets[b].outcomes[1] + buckets[b].outcomes[2];
        if (all > most) most = all;
    }
    for (size_t b = 0; b < count; b++) {
        const struct bucket *bucket = &buckets[b];
        double from = bucket->from;
        while (b + 1 < count &&
               !memcmp(buckets[b + 1].outcomes, bucket->outcomes, sizeof bucket->outcomes))
            b++;
        double ok = bucket->outcomes[0] / most, failed = bucket->outcomes[1] / most,
               unknown = bucket->outcomes[2] / most;
        fprintf(out, "%.6f\t%.6f\t%.5f\t%.5f\t%.5f\n", from, buckets[b].to, ok, ok + failed,
                ok + failed + unknown);
    }
    if (!count) fputs("NaN\tNaN\t0\t0\t0\n", out);
    fclose(out);
}

struct row {
    int64_t time_ns, outcomes[3], quantiles[3]; /* quantiles: 0 where nothing was answered */
};

/* What is wrong with a line, with the number of the field (from 1) in *field; NULL: nothing. */
static const char *read_row(const struct drawing *d, char **fields, int64_t previous_ns,
                            struct row *row, size_t *field)
{
    int64_t ignored;
    *row = (struct row){0};
    *field = COLUMN_TIME + 1;
    if (!plots_integer_field(fields[COLUMN_TIME], previous_ns + 1, &row->time_ns))
        return "time_ns does not rise";
    for (size_t i = 0; i < 3; i++) {
        *field = COLUMN_OK + i + 1;
        if (!plots_integer_field(fields[COLUMN_OK + i], 0, &row->outcomes[i]))
            return "is no number from 0";
    }
    for (size_t i = 0; i < 3; i++) {
        *field = COLUMN_P50 + i + 1;
        if (*fields[COLUMN_P50 + i] &&
            !plots_integer_field(fields[COLUMN_P50 + i], 0, &row->quantiles[i]))
            return "is neither empty nor a number from 0";
    }
    *field = COLUMN_STALENESS + 1;
    if (!plots_integer_field(fields[COLUMN_STALENESS], 0, &ignored))
        return "is no number from 0";
    for (size_t i = 0; i < (size_t)NODE_COLUMNS * d->nodes; i++) {
        const char *text = fields[COLUMN_NODES + i];
        *field = COLUMN_NODES + i + 1;
        if (i % NODE_COLUMNS == 0 && strcmp(text, "0") && strcmp(text, "1"))
            return "is neither 0 nor 1";
        if (i % NODE_COLUMNS == 1 &&
            (!*text || strspn(text, "abcdefghijklmnopqrstuvwxyz_") != strlen(text)))
            return "is no role";
        if (i % NODE_COLUMNS > 1 && !plots_integer_field(text, -1, &ignored))
            return "is no number";
    }
    return NULL;
}

/* A series without rows: what a run shorter than a bucket leaves, else a file that was cut. */
static int judge_no_rows(struct drawing *d, size_t lines)
{
    json_int_t bucket = json_integer_value(json_object_get(d->result, "bucket_ns"));
    if (!lines) return plots_complain(d->folder, "series.csv", 1, "no header");
    if (json_integer_value(json_object_get(d->result, "duration_ns")) >= bucket &&
        json_integer_value(json_object_get(d->result, "ended_ns")) >= bucket)
        return plots_complain(d->folder, "series.csv", 2, "has no rows");
    d->has_no_bucket = true;
    return 0;
}

int plots_read_series(struct drawing *d, FILE *lanes)
{
    FILE *in = plots_open_in(d, "series.csv", "r"),
         *series = plots_open_in(d, "plots/series.tsv", "w");
    int error = in && series ? 0 : -EIO;
    size_t width = COLUMN_NODES + (size_t)NODE_COLUMNS * d->nodes, most = width + 8, number = 0,
           count = 0, capacity = 0, buckets_capacity = 0;
    char **fields = calloc(most, sizeof *fields), *line = NULL;
    struct lane state[NODES_MAX] = {{0, 0}};
    struct bucket *buckets = NULL;
    double previous = 0;
    int64_t previous_ns = 0;
    while (!error && getline(&line, &capacity, in) > 0) {
        size_t got = split(line, fields, most), field = 0;
        if (++number == 1 && strcmp(fields[COLUMN_TIME], "time_ns")) {
            error = plots_complain(d->folder, "series.csv", number, "no header");
            break;
        }
        if (number == 1) continue;
        if (got < width) {
            error = plots_complain(d->folder, "series.csv", number, "too few columns");
            break;
        }
        struct row row;
        const char *wrong = read_row(d, fields, previous_ns, &row, &field);
        if (wrong) {
            char what[128];
            snprintf(what, sizeof what, "column %zu, '%.40s': %s", field, fields[field - 1],
                     wrong);
            error = plots_complain(d->folder, "series.csv", number, field == 1 ? wrong : what);
            break;
        }
        double now = plots_seconds(row.time_ns),
               bucket = plots_seconds(row.time_ns - previous_ns);
        previous_ns = row.time_ns;
        if (count == buckets_capacity)
            buckets = plots_grow(buckets, buckets_capacity = 2 * buckets_capacity + 64,
                                 sizeof *buckets);
        buckets[count] = (struct bucket){
            previous,
            now,
            {(double)row.outcomes[0], (double)row.outcomes[1], (double)row.outcomes[2]}};
        for (int o = 0; o < 3; o++) d->is_busy |= buckets[count].outcomes[o] > 0;
        fprintf(series, "%.6f\t%.4f\t%.4f\t%.4f\t%.6f\t%.6f\t%.6f\n", previous,
                buckets[count].outcomes[0] / bucket, buckets[count].outcomes[1] / bucket,
                buckets[count].outcomes[2] / bucket, (double)row.quantiles[0] / 1e6,
                (double)row.quantiles[1] / 1e6, (double)row.quantiles[2] / 1e6);
        for (uint32_t n = 0; n < d->nodes; n++) {
            char **columns = fields + COLUMN_NODES + (size_t)NODE_COLUMNS * n;
            int seen = state_of(columns[0], columns[1]);
            if (!count) state[n] = (struct lane){seen, 0};
            if (seen == state[n].state) continue;
            end_lane(lanes, &state[n], previous, (int)(d->nodes - 1 - n));
            state[n] = (struct lane){seen, previous};
        }
        previous = now;
        count++;
    }
    if (!error && !count) error = judge_no_rows(d, number);
    for (uint32_t n = 0; n < d->nodes && count; n++)
        end_lane(lanes, &state[n], previous, (int)(d->nodes - 1 - n));
    if (!count && series)
        fprintf(series, "0\t0\t0\t0\t0\t0\t0\n%.6f\t0\t0\t0\t0\t0\t0\n", d->duration);
    write_outcomes(d, buckets, count);
    free(buckets);
    free(fields);
    free(line);
    if (in) fclose(in);
    if (series && fclose(series)) error = -EIO;
    return error;
}

/* ---- history.jsonl: single latencies and acknowledged writes ---- */

struct samples {
    double x[SAMPLES_MAX], y[SAMPLES_MAX];
    size_t count, stride, seen;
};

/* Keeps every stride-th; halves when full, so the sample stays even over the run whatever its
 * length. */
static void sample(struct samples *s, double x, double y, size_t most)
{
    if (s->seen++ % s->stride) return;
    if (s->count == most) {
        size_t kept = 0;
        for (size_t i = 0; i < s->count; i += 2, kept++)
            s->x[kept] = s->x[i], s->y[kept] = s->y[i];
        s->count = kept;
        s->stride *= 2;
    }
    s->x[s->count] = x;
    s->y[s->count++] = y;
}

static bool is_write(const char *type)
{
    return !strcmp(type, "write") || !strcmp(type, "insert") || !strcmp(type, "delete") ||
           !strcmp(type, "compare_and_set");
}

int plots_read_history(struct drawing *d, FILE *points)
{
    FILE *in = plots_open_in(d, "history.jsonl", "r"),
         *latencies = plots_open_in(d, "plots/latencies.tsv", "w");
    int error = in && latencies ? 0 : -EIO;
    struct samples *all = calloc(1, sizeof *all), *acked = calloc(1, sizeof *acked);
    all->stride = acked->stride = 1;
    char *line = NULL;
    size_t capacity = 0, number = 0;
    for (json_t *op; !error && (op = next_object(d, "history.jsonl", in, &line, &capacity,
                                                 &number, &error));) {
        const char *wrong = wrong_times(op, "invoke", "return");
        if (wrong) {
            error = plots_complain(d->folder, "history.jsonl", number, wrong);
            json_decref(op);
            break;
        }
        json_t *returned = json_object_get(op, "return");
        if (!strcmp(plots_text_of(op, "outcome"), "ok") && json_is_integer(returned) &&
            !json_is_true(json_object_get(op, "final"))) {
            json_int_t end = json_integer_value(returned),
                       begin = json_integer_value(json_object_get(op, "invoke"));
            int lane = plots_lane_of(d, plots_text_of(op, "node"));
            sample(all, plots_seconds(end), (double)(end - begin) / 1e6, SAMPLES_MAX);
            if (lane >= 0 && is_write(plots_text_of(op, "type")))
                sample(acked, plots_seconds(end), lane, POINTS_MAX);
        }
        json_decref(op);
    }
    for (size_t i = 0; latencies && i < all->count; i++) {
        double ms = all->y[i] > 1e-6 ? all->y[i] : 1e-6;
        if (!i || ms < d->latency_low) d->latency_low = ms;
        if (!i || ms > d->latency_high) d->latency_high = ms;
        fprintf(latencies, "%.6f\t%.6f\n", all->x[i], ms);
    }
    if (latencies && !all->count) fputs("-1\t1\n", latencies); /* left of the axis */
    for (size_t i = 0; i < acked->count; i++)
        fprintf(points, "%.6f\t%.3f\t0\n", acked->x[i], acked->y[i]);
    free(all);
    free(acked);
    free(line);
    if (in) fclose(in);
    if (latencies && fclose(latencies)) error = -EIO;
    return error;
}

/* ---- violations.csv: time_ns,check,operation,node ---- */

int plots_read_violations(const struct drawing *d, FILE *points)
{
    FILE *in = plots_open_in(d, "violations.csv", "r");
    if (!in) return -EIO;
    char *line = NULL, *fields[5] = {"", "", "", "", ""};
    size_t capacity = 0, number = 0;
    int error = 0;
    struct samples *lost = calloc(1, sizeof *lost), *reused = calloc(1, sizeof *reused);
    lost->stride = reused->stride = 1;
    while (!error && getline(&line, &capacity, in) > 0) {
        size_t got = split(line, fields, 5);
        if (++number == 1) continue;
        if (got < 4) {
            error = plots_complain(d->folder, "violations.csv", number, "too few columns");
            break;
        }
        int lane = plots_lane_of(d, fields[3]);
        int64_t time;
        if (!plots_integer_field(fields[0], 0, &time)) {
            error = plots_complain(d->folder, "violations.csv", number,
                                   "time_ns is no number from 0");
            break;
        }
        double at = plots_seconds(time);
        if (lane >= 0 && !strcmp(fields[1], "no_lost_write"))
            sample(lost, at, lane, POINTS_MAX);
        if (lane >= 0 && !strcmp(fields[1], "unique_keys"))
            sample(reused, at, lane, POINTS_MAX);
    }
    if (!error && !number) error = plots_complain(d->folder, "violations.csv", 1, "no header");
    for (size_t i = 0; i < lost->count; i++)
        fprintf(points, "%.6f\t%.3f\t1\n", lost->x[i], lost->y[i]);
    for (size_t i = 0; i < reused->count; i++)
        fprintf(points, "%.6f\t%.3f\t2\n", reused->x[i], reused->y[i]);
    fputs("NaN\t0\t0\nNaN\t0\t1\nNaN\t0\t2\n", points);
    free(lost);
    free(reused);
    free(line);
    fclose(in);
    return error;
}
