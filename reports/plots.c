/* From a result folder to three plots: timeline, latency, operations; SVG and PNG.
 *
 * The data of each picture are written to FOLDER/plots/ as tab-separated files beside the
 * gnuplot scripts (the *.gp files of this folder, carried in the binary), so that any picture
 * can be drawn again or changed by hand: cd FOLDER/plots && gnuplot timeline.gp.
 *
 *   lanes.tsv      from s, to s, lane, 0, state: 0 down, 1 leader, 2 follower,
 *                  3 candidate or recovering, 4 paused
 *   cuts.tsv       s, lane, lane: one a cut between two nodes
 *   points.tsv     s, lane, kind: 0 acknowledged write, 1 lost, 2 key issued twice
 *   outcomes.tsv   from s, to s, shares of the busiest bucket's rate: ok, with failed, all
 *   series.tsv     s, ok/s, failed/s, unknown/s, p50 ms, p99 ms, slowest ms
 *   latencies.tsv  s, ms: single operations, at most 8,000, evenly sampled
 *
 * The folder is input like any other: what is not as reports/README.md says ends the drawing
 * with file and line. I1: a drawing that fails leaves no picture of the folder's run, neither
 * half of a new one nor an old one that the data no longer tell.
 */
#include "reports/plots.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NODES_MAX 64
#define SAMPLES_MAX 8000
#define POINTS_MAX 400
#define BAND_ROWS 3
#define SPANS_MAX 512
#define MARKS_MAX 9

/* ---- the scripts, carried in the binary ---- */

#define SCRIPT(name)                                                                           \
    __asm__(".section .rodata\n.global script_" #name "\nscript_" #name                        \
            ":\n.incbin \"reports/" #name ".gp\"\n.byte 0\n.previous\n");                      \
    extern const char script_##name[]
SCRIPT(style);
SCRIPT(timeline);
SCRIPT(latency);
SCRIPT(operations);

static const struct {
    const char *name, *text;
} scripts[] = {{"style", script_style},
               {"timeline", script_timeline},
               {"latency", script_latency},
               {"operations", script_operations}};

/* ---- the folder ---- */

struct drawing {
    const char *folder;
    json_t *result;
    double duration;    /* s on the time axis: the scheduled run and its finish */
    bool has_no_bucket; /* the run was shorter than one: there is nothing to draw */
    uint32_t nodes;
    const char *names[NODES_MAX];
    uint32_t band_rows, marks;
    double latency_low, latency_high; /* ms, of the operations drawn; 0: none */
    bool is_busy;                     /* some operation returned */
};

static int complain(const char *folder, const char *file, size_t line, const char *what)
{
    if (line)
        fprintf(stderr, "faultline: %s/%s:%zu: %s\n", folder, file, line, what);
    else
        fprintf(stderr, "faultline: %s/%s: %s\n", folder, file, what);
    return -EBADMSG;
}

static FILE *open_in(const struct drawing *d, const char *file, const char *mode)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", d->folder, file);
    FILE *stream = fopen(path, mode);
    if (!stream) fprintf(stderr, "faultline: %s: %s\n", path, strerror(errno));
    return stream;
}

static void *grow(void *array, size_t count, size_t size)
{
    void *grown = realloc(array, count * size);
    if (!grown) {
        fputs("faultline: out of memory\n", stderr);
        exit(3);
    }
    return grown;
}

static double seconds(json_int_t ns)
{
    return (double)ns / 1e9;
}

/* -1: no node of that name */
static int lane_of(const struct drawing *d, const char *name)
{
    for (uint32_t n = 0; name && n < d->nodes; n++)
        if (!strcmp(d->names[n], name)) return (int)(d->nodes - 1 - n);
    return -1;
}

static const char *text_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text ? text : "";
}

/* gnuplot double-quoted strings: backslash and quote escaped, enhanced text marks made
 * harmless. */
static void put_quoted(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') fputc('\\', out);
        if (strchr("_^@{}~&", *text)) fputs("\\\\", out);
        if ((unsigned char)*text >= 0x20) fputc(*text, out);
    }
    fputc('"', out);
}

static void put_parameter(FILE *out, const char *name, const char *text)
{
    fprintf(out, "%s = ", name);
    put_quoted(out, text);
    fputc('\n', out);
}

static double nice_step(double duration)
{
    static const double steps[] = {0.1, 0.2, 0.5, 1,   2,    5,    10,   15,    30,    60,
                                   120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400};
    size_t count = sizeof steps / sizeof *steps;
    for (size_t i = 0; i < count; i++)
        if (duration / steps[i] <= 13) return steps[i];
    return duration / 10;
}

/* A member that must be a whole number of at least `low`. */
static bool integer_member(const json_t *object, const char *member, json_int_t low)
{
    const json_t *value = json_object_get(object, member);
    return json_is_integer(value) && json_integer_value(value) >= low;
}

/* A CSV field that must be one. */
static bool integer_field(const char *field, int64_t low, int64_t *value)
{
    char *end = NULL;
    errno = 0;
    long long parsed = strtoll(field, &end, 10);
    const char *digits = field + (*field == '-');
    if (!*digits || strspn(digits, "0123456789") != strlen(digits) || errno || parsed < low)
        return false;
    *value = parsed;
    return true;
}

static int read_result(struct drawing *d)
{
    char path[4096];
    json_error_t error;
    snprintf(path, sizeof path, "%s/result.json", d->folder);
    if (access(path, R_OK)) {
        int why = errno;
        complain(d->folder, "result.json", 0,
                 why == ENOENT ? "no result.json here" : strerror(why));
        return -why;
    }
    d->result = json_load_file(path, 0, &error);
    if (!d->result) {
        fprintf(stderr, "faultline: %s:%d:%d: %s\n", path, error.line, error.column,
                error.text);
        return -EBADMSG;
    }
    if (!json_is_object(d->result))
        return complain(d->folder, "result.json", 1, "is no JSON object");
    if (json_integer_value(json_object_get(d->result, "version")) != 1)
        return complain(d->folder, "result.json", 0,
                        "version is not 1: this faultline cannot read it");
    if (!integer_member(d->result, "duration_ns", 1))
        return complain(d->folder, "result.json", 0, "duration_ns is no number above 0");
    if (!integer_member(d->result, "ended_ns", 0))
        return complain(d->folder, "result.json", 0, "ended_ns is no number from 0");
    if (!integer_member(d->result, "bucket_ns", 1))
        return complain(d->folder, "result.json", 0, "bucket_ns is no number above 0");
    d->duration = seconds(json_integer_value(json_object_get(d->result, "duration_ns")));
    size_t i;
    json_t *node, *nodes = json_object_get(d->result, "nodes");
    if (!json_is_array(nodes)) return complain(d->folder, "result.json", 0, "nodes is missing");
    json_array_foreach(nodes, i, node)
    {
        if (!*text_of(node, "name"))
            return complain(d->folder, "result.json", 0, "a node has no name");
        if (d->nodes == NODES_MAX) break;
        d->names[d->nodes++] = text_of(node, "name");
    }
    return 0;
}

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
    if (is_span(text_of(entry, "what")) && to - from >= d->duration / 400 &&
        bands->count < SPANS_MAX)
        bands->spans[bands->count++] = (struct span){from, to};
    fprintf(bands->out,
            "set arrow %u from %.6f, graph 0 to %.6f, graph 1 nohead back lw 0.8 dt 2 lc rgb "
            "'#999999'\n",
            bands->object, from, from);
    const char *id = text_of(entry, "id");
    if (!*id) id = text_of(entry, "what");
    uint32_t row = 0;
    while (row + 1 < BAND_ROWS && bands->row_end[row] > from) row++;
    bands->row_end[row] = from + d->duration / 95 * (double)(strlen(id) + 1);
    if (row + 1 > d->band_rows) d->band_rows = row + 1;
    fprintf(bands->out, "set label %u ", bands->object);
    put_quoted(bands->out, id);
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
    *error = complain(d->folder, file, *number, object ? "is no JSON object" : why.text);
    json_decref(object);
    return NULL;
}

/* What is wrong with the times of a line; NULL: nothing. The end may be null or absent: open.
 */
static const char *wrong_times(const json_t *object, const char *begin, const char *end)
{
    static char what[64];
    const json_t *last = json_object_get(object, end);
    if (!integer_member(object, begin, 0)) {
        snprintf(what, sizeof what, "%s is no number from 0", begin);
        return what;
    }
    if (!last || json_is_null(last) ||
        integer_member(object, end, json_integer_value(json_object_get(object, begin))))
        return NULL;
    snprintf(what, sizeof what, "%s is neither null nor a number from %s", end, begin);
    return what;
}

static int read_timeline(struct drawing *d, FILE *lanes)
{
    FILE *in = open_in(d, "timeline.jsonl", "r"), *bands = open_in(d, "plots/bands.gp", "w"),
         *cuts = open_in(d, "plots/cuts.tsv", "w");
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
            error = complain(d->folder, "timeline.jsonl", number, wrong);
            json_decref(entry);
            break;
        }
        const char *kind = text_of(entry, "kind"), *what = text_of(entry, "what");
        double from = seconds(json_integer_value(json_object_get(entry, "time")));
        json_t *until = json_object_get(entry, "until");
        double to = json_is_integer(until) ? seconds(json_integer_value(until)) : d->duration;
        if (to > d->duration) to = d->duration;
        int lane = lane_of(d, text_of(entry, "endpoint")),
            peer = lane_of(d, text_of(entry, "peer"));
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
    FILE *out = open_in(d, "plots/outcomes.tsv", "w");
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
    if (!integer_field(fields[COLUMN_TIME], previous_ns + 1, &row->time_ns))
        return "time_ns does not rise";
    for (size_t i = 0; i < 3; i++) {
        *field = COLUMN_OK + i + 1;
        if (!integer_field(fields[COLUMN_OK + i], 0, &row->outcomes[i]))
            return "is no number from 0";
    }
    for (size_t i = 0; i < 3; i++) {
        *field = COLUMN_P50 + i + 1;
        if (*fields[COLUMN_P50 + i] &&
            !integer_field(fields[COLUMN_P50 + i], 0, &row->quantiles[i]))
            return "is neither empty nor a number from 0";
    }
    *field = COLUMN_STALENESS + 1;
    if (!integer_field(fields[COLUMN_STALENESS], 0, &ignored)) return "is no number from 0";
    for (size_t i = 0; i < (size_t)NODE_COLUMNS * d->nodes; i++) {
        const char *text = fields[COLUMN_NODES + i];
        *field = COLUMN_NODES + i + 1;
        if (i % NODE_COLUMNS == 0 && strcmp(text, "0") && strcmp(text, "1"))
            return "is neither 0 nor 1";
        if (i % NODE_COLUMNS == 1 &&
            (!*text || strspn(text, "abcdefghijklmnopqrstuvwxyz_") != strlen(text)))
            return "is no role";
        if (i % NODE_COLUMNS > 1 && !integer_field(text, -1, &ignored)) return "is no number";
    }
    return NULL;
}

/* A series without rows: what a run shorter than a bucket leaves, else a file that was cut. */
static int judge_no_rows(struct drawing *d, size_t lines)
{
    json_int_t bucket = json_integer_value(json_object_get(d->result, "bucket_ns"));
    if (!lines) return complain(d->folder, "series.csv", 1, "no header");
    if (json_integer_value(json_object_get(d->result, "duration_ns")) >= bucket &&
        json_integer_value(json_object_get(d->result, "ended_ns")) >= bucket)
        return complain(d->folder, "series.csv", 2, "has no rows");
    d->has_no_bucket = true;
    return 0;
}

static int read_series(struct drawing *d, FILE *lanes)
{
    FILE *in = open_in(d, "series.csv", "r"), *series = open_in(d, "plots/series.tsv", "w");
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
            error = complain(d->folder, "series.csv", number, "no header");
            break;
        }
        if (number == 1) continue;
        if (got < width) {
            error = complain(d->folder, "series.csv", number, "too few columns");
            break;
        }
        struct row row;
        const char *wrong = read_row(d, fields, previous_ns, &row, &field);
        if (wrong) {
            char what[128];
            snprintf(what, sizeof what, "column %zu, '%.40s': %s", field, fields[field - 1],
                     wrong);
            error = complain(d->folder, "series.csv", number, field == 1 ? wrong : what);
            break;
        }
        double now = seconds(row.time_ns), bucket = seconds(row.time_ns - previous_ns);
        previous_ns = row.time_ns;
        if (count == buckets_capacity)
            buckets =
                grow(buckets, buckets_capacity = 2 * buckets_capacity + 64, sizeof *buckets);
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

static int read_history(struct drawing *d, FILE *points)
{
    FILE *in = open_in(d, "history.jsonl", "r"),
         *latencies = open_in(d, "plots/latencies.tsv", "w");
    int error = in && latencies ? 0 : -EIO;
    struct samples *all = calloc(1, sizeof *all), *acked = calloc(1, sizeof *acked);
    all->stride = acked->stride = 1;
    char *line = NULL;
    size_t capacity = 0, number = 0;
    for (json_t *op; !error && (op = next_object(d, "history.jsonl", in, &line, &capacity,
                                                 &number, &error));) {
        const char *wrong = wrong_times(op, "invoke", "return");
        if (wrong) {
            error = complain(d->folder, "history.jsonl", number, wrong);
            json_decref(op);
            break;
        }
        json_t *returned = json_object_get(op, "return");
        if (!strcmp(text_of(op, "outcome"), "ok") && json_is_integer(returned) &&
            !json_is_true(json_object_get(op, "final"))) {
            json_int_t end = json_integer_value(returned),
                       begin = json_integer_value(json_object_get(op, "invoke"));
            int lane = lane_of(d, text_of(op, "node"));
            sample(all, seconds(end), (double)(end - begin) / 1e6, SAMPLES_MAX);
            if (lane >= 0 && is_write(text_of(op, "type")))
                sample(acked, seconds(end), lane, POINTS_MAX);
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

static int read_violations(const struct drawing *d, FILE *points)
{
    FILE *in = open_in(d, "violations.csv", "r");
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
            error = complain(d->folder, "violations.csv", number, "too few columns");
            break;
        }
        int lane = lane_of(d, fields[3]);
        int64_t time;
        if (!integer_field(fields[0], 0, &time)) {
            error =
                complain(d->folder, "violations.csv", number, "time_ns is no number from 0");
            break;
        }
        double at = seconds(time);
        if (lane >= 0 && !strcmp(fields[1], "no_lost_write"))
            sample(lost, at, lane, POINTS_MAX);
        if (lane >= 0 && !strcmp(fields[1], "unique_keys"))
            sample(reused, at, lane, POINTS_MAX);
    }
    if (!error && !number) error = complain(d->folder, "violations.csv", 1, "no header");
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

/* ---- scripts' parameters ---- */

/* "550 by 8:00, 601 in all": the first part only where the expectation counts up to a time. */
static void put_counts(const json_t *expectation, json_int_t total, char *out, size_t size)
{
    const json_t *until = json_object_get(expectation, "until_ns");
    json_int_t ms = json_integer_value(until) / 1000000;
    size_t used = 0;
    if (json_is_integer(until)) {
        char part[8] = "";
        if (ms % 1000) snprintf(part, sizeof part, ".%03d", (int)(ms % 1000));
        used = (size_t)snprintf(out, size,
                                "%" JSON_INTEGER_FORMAT " by %" JSON_INTEGER_FORMAT ":%02d%s, ",
                                json_integer_value(json_object_get(expectation, "count")),
                                ms / 60000, (int)(ms / 1000 % 60), part);
    }
    snprintf(out + used, size - used, "%" JSON_INTEGER_FORMAT " in all", total);
}

/* Numbered lines at the first moment of each violation; their text stands beneath the plot. */
static void write_marks(struct drawing *d, FILE *out)
{
    size_t i;
    json_t *expectation;
    json_array_foreach(json_object_get(d->result, "expectations"), i, expectation)
    {
        json_t *first = json_object_get(json_object_get(expectation, "witness"), "first_ns");
        if (!json_is_integer(first) || d->marks == MARKS_MAX) continue;
        double at = seconds(json_integer_value(first));
        char text[256], counts[96];
        /* The expectation's count may be that of a window: "in all" is over the whole run. */
        json_t *checks = json_object_get(d->result, "checks"),
               *check = json_object_get(checks, text_of(expectation, "name")),
               *total = json_object_get(check, "violations"),
               *counted = json_object_get(expectation, "count");
        put_counts(expectation, json_integer_value(json_is_integer(total) ? total : counted),
                   counts, sizeof counts);
        uint32_t number = ++d->marks;
        double shown = at < d->duration ? at : d->duration;
        snprintf(text, sizeof text, "%u  %s: first broken at %d:%06.3f, %s", number,
                 text_of(expectation, "name"), (int)(at / 60), at - 60 * (int)(at / 60),
                 counts);
        fprintf(out,
                "set arrow %u from %.6f, graph 0 to %.6f, graph 1 nohead front lw 1.2 dt 3 lc "
                "rgb '#D55E00'\n",
                300 + number, shown, shown);
        fprintf(out,
                "set label %u '%u' at %.6f, graph %.3f center front font ',11' textcolor rgb "
                "'#FFFFFF' boxed\n",
                300 + number, number, shown, 0.985 - 0.075 * (double)((number - 1) % 6));
        fprintf(out, "set label %u ", 320 + number);
        put_quoted(out, text);
        fprintf(out,
                " at screen 0.09, screen mark_base - mark_step * %u left font ',11' textcolor "
                "rgb '#D55E00'\n",
                number);
    }
}

static int write_parameters(struct drawing *d)
{
    FILE *marks = open_in(d, "plots/marks.gp", "w"), *lanes = open_in(d, "plots/lanes.gp", "w"),
         *out = open_in(d, "plots/params.gp", "w");
    int error = marks && lanes && out ? 0 : -EIO;
    if (marks) {
        fputs(
            "set style textbox 1 opaque fillcolor rgb '#D55E00' noborder margins 0.6, 0.6\nset "
            "style textbox opaque fillcolor rgb '#D55E00' noborder margins 0.6, 0.6\n",
            marks);
        write_marks(d, marks);
    }
    for (uint32_t n = 0; lanes && n < d->nodes; n++) {
        fputs("set ytics add (", lanes);
        put_quoted(lanes, d->names[n]);
        fprintf(lanes, " %u)\n", d->nodes - 1 - n);
    }
    if (out) {
        char seed[32];
        snprintf(seed, sizeof seed, "%" JSON_INTEGER_FORMAT,
                 json_integer_value(json_object_get(d->result, "seed")));
        put_parameter(out, "scenario", text_of(d->result, "scenario"));
        put_parameter(out, "variant", text_of(d->result, "variant"));
        put_parameter(out, "seed", seed);
        put_parameter(out, "trace", text_of(d->result, "trace_hash"));
        fprintf(out,
                "duration = %.6f\nxstep = %.6f\nnodes = %u\nband_rows = %u\nmark_rows = %u\n",
                d->duration, nice_step(d->duration), d->nodes, d->band_rows, d->marks);
        fprintf(out, "latency_low = %.6f\nlatency_high = %.6f\nis_idle = %d\n", d->latency_low,
                d->latency_high, !d->is_busy);
    }
    if (marks && fclose(marks)) error = -EIO;
    if (lanes && fclose(lanes)) error = -EIO;
    if (out && fclose(out)) error = -EIO;
    return error;
}

/* ---- drawing ---- */

static int run_gnuplot(const char *folder, const char *script)
{
    char path[4096], file[64];
    snprintf(path, sizeof path, "%s/plots", folder);
    snprintf(file, sizeof file, "%s.gp", script);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (chdir(path)) _exit(126);
        execlp("gnuplot", "gnuplot", file, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) < 0) return -errno;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
        fprintf(stderr,
                "faultline: gnuplot is not installed: no plots are drawn; their data and "
                "scripts are in %s (Debian: apt-get install gnuplot-nox)\n",
                path);
        return -ENOENT;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status)) {
        fprintf(stderr, "faultline: gnuplot failed on %s/%s\n", path, file);
        return -EIO;
    }
    return 0;
}

static int write_scripts(const struct drawing *d)
{
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        char file[64];
        snprintf(file, sizeof file, "plots/%s.gp", scripts[i].name);
        FILE *out = open_in(d, file, "w");
        if (!out) return -EIO;
        fputs(scripts[i].text, out);
        if (fclose(out)) return -EIO;
    }
    return 0;
}

static void picture_path(const char *folder, size_t script, const char *kind, char *out,
                         size_t size)
{
    snprintf(out, size, "%s/%s.%s", folder, scripts[script].name, kind);
}

/* I1. */
static void remove_pictures(const char *folder)
{
    for (size_t i = 1; i < sizeof scripts / sizeof *scripts; i++) {
        char path[4096];
        picture_path(folder, i, "svg", path, sizeof path);
        unlink(path);
        picture_path(folder, i, "png", path, sizeof path);
        unlink(path);
    }
}

int plots_draw(const char *folder)
{
    struct drawing d = {.folder = folder, .band_rows = 1};
    char path[4096];
    int error = read_result(&d);
    bool is_result = !error, has_gnuplot = true;
    snprintf(path, sizeof path, "%s/plots", folder);
    if (!error && mkdir(path, 0777) && errno != EEXIST) {
        error = -errno;
        fprintf(stderr, "faultline: %s: %s\n", path, strerror(-error));
    }
    FILE *lanes = error ? NULL : open_in(&d, "plots/lanes.tsv", "w"),
         *points = error ? NULL : open_in(&d, "plots/points.tsv", "w");
    if (!error && (!lanes || !points)) error = -EIO;
    if (!error) error = read_series(&d, lanes);
    if (!error) error = read_timeline(&d, lanes);
    if (!error) error = read_history(&d, points);
    if (!error) error = read_violations(&d, points);
    if (lanes) {
        for (int state = 0; state <= 4; state++) fprintf(lanes, "NaN\tNaN\t0\t0\t%d\n", state);
        if (fclose(lanes) && !error) error = -EIO;
    }
    if (points && fclose(points) && !error) error = -EIO;
    if (!error) error = write_parameters(&d);
    if (!error) error = write_scripts(&d);
    for (size_t i = 1; i < sizeof scripts / sizeof *scripts && !error && !d.has_no_bucket;
         i++) {
        error = run_gnuplot(folder, scripts[i].name);
        has_gnuplot = error != -ENOENT;
    }
    if (!error && d.has_no_bucket)
        fprintf(stderr,
                "faultline: %s: the run is shorter than a bucket of series.csv: no "
                "plots are drawn\n",
                folder);
    if (is_result && has_gnuplot && (error || d.has_no_bucket)) remove_pictures(folder);
    json_decref(d.result);
    return error;
}

void plots_print(FILE *out, const char *folder)
{
    for (size_t i = 1; i < sizeof scripts / sizeof *scripts; i++) {
        char path[4096];
        picture_path(folder, i, "svg", path, sizeof path);
        if (!access(path, R_OK)) fprintf(out, "  plot %s (and .png)\n", path);
    }
}
