/* From the rows of a benchmark to the data and parameters of its pictures.
 *
 *   rates.tsv       x, y, engine: one point; rates.gp: rows' names, who wins and by how much
 *   latencies.tsv   ns, share of operations that took longer, engine, panel
 *   factors.tsv     factor, y, engine, panel; factors.gp: names and values beside the bars
 *   growth.tsv      keys, y, engine, panel; growth.gp: ranges, and a name at the end of each
 * line
 *
 * A picture of one store size shows the largest that was measured.
 */
#include "reports/figures.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a row is judged by: operations a CPU-second, which a busy host disturbs least; by the
 * clock where the work is waiting for the disk, less the time in which other processes had the
 * CPUs; and where CPU was not measured. */
static double speed_of(const struct figures_cell *cell)
{
    if (strcmp(cell->workload, "fillsync"))
        return cell->cpu_rate > 0 ? cell->cpu_rate : cell->rate;
    double seconds = cell->seconds - (cell->waited_seconds > 0 ? cell->waited_seconds : 0);
    return seconds > 0 ? cell->operations / seconds : cell->rate;
}

static double time_of(const struct figures_cell *cell) /* ns an operation */
{
    double seconds = cell->cpu_seconds > 0 ? cell->cpu_seconds : cell->seconds;
    return cell->operations > 0 ? seconds * 1e9 / cell->operations : NAN;
}

/* ---- rates ---- */

static const struct {
    const char *workload, *label;
    bool opens_group;
} rate_rows[] = {
    {"fillseq", "fillseq: puts in order", false},
    {"fillrandom", "fillrandom: puts", false},
    {"fillbatch", "fillbatch: puts, 1,000 a batch", false},
    {"overwrite", "overwrite: puts", false},
    {"fillsync", "fillsync: durable puts *", false},
    {"readrandom", "readrandom: gets", true},
    {"readmissing", "readmissing: gets of nothing", false},
    {"readseq", "readseq: entries of a full scan", false},
    {"scan100", "scan100: scans of 100", false},
    {"ycsb_a", "YCSB A: half updates", true},
    {"ycsb_b", "YCSB B: 5 %% updates", false},
    {"ycsb_c", "YCSB C: reads", false},
    {"ycsb_d", "YCSB D: reads of the latest", false},
    {"ycsb_e", "YCSB E: short scans", false},
    {"ycsb_f", "YCSB F: read-modify-writes", false},
    {"reopen", "reopen: after a close", true},
    {"recover", "recover: after a crash", false},
};
#define RATE_ROWS (sizeof rate_rows / sizeof *rate_rows)

/* The best, the second, and how far apart: "hash, 3.1 x lsm". */
static void put_winner(FILE *out, const struct figures_drawing *d, const char *workload,
                       double y, uint32_t label)
{
    const struct figures_cell *first = NULL, *second = NULL;
    for (uint32_t e = 0; e < d->engines_count; e++) {
        const struct figures_cell *cell = figures_find(d, workload, e, d->keys_most);
        if (!cell || !(speed_of(cell) > 0)) continue;
        if (!first || speed_of(cell) > speed_of(first)) {
            second = first;
            first = cell;
        } else if (!second || speed_of(cell) > speed_of(second)) {
            second = cell;
        }
    }
    if (!first) return;
    char text[96], rate[32];
    figures_short(speed_of(first), rate);
    if (second) {
        double ratio = speed_of(first) / speed_of(second);
        snprintf(text, sizeof text, ratio < 10 ? "%s %s/s, %.1f x %s" : "%s %s/s, %.0f x %s",
                 first->engine, rate, ratio, second->engine);
    } else {
        snprintf(text, sizeof text, "%s %s/s", first->engine, rate);
    }
    fprintf(out, "set label %u ", label);
    plots_put_quoted(out, text);
    fprintf(out, " at graph 1.01, first %g left font ',11' textcolor rgb '%s'\n", y,
            figures_look(first->engine)->colour);
}

int figures_write_rates(struct figures_drawing *d)
{
    FILE *points = plots_open_in(&d->folder, "plots/rates.tsv", "w"),
         *rows = plots_open_in(&d->folder, "plots/rates-rows.gp", "w");
    if (!points || !rows) {
        if (points) fclose(points);
        if (rows) fclose(rows);
        return -EIO;
    }
    double y = 0;
    uint32_t label = 200, drawn = 0;
    bool gap = false, waits = false;
    for (size_t r = 0; r < RATE_ROWS; r++) {
        uint32_t here = 0;
        gap |= rate_rows[r].opens_group && drawn;
        double at = gap ? y + 0.5 : y, least = INFINITY, most = 0;
        for (uint32_t e = 0; e < d->engines_count; e++) {
            const struct figures_cell *cell =
                figures_find(d, rate_rows[r].workload, e, d->keys_most);
            double speed = cell ? speed_of(cell) : NAN;
            if (!(speed > 0)) continue;
            fprintf(points, "%.6g\t%g\t%u\n", speed, -at, e);
            if (speed < least) least = speed;
            if (speed > most) most = speed;
            here++;
        }
        if (!here) continue;
        waits |= !strcmp(rate_rows[r].workload, "fillsync");
        fprintf(rows, "set ytics add (\"%s\" %g)\n", rate_rows[r].label, -at);
        fprintf(rows,
                "set arrow %u from %.6g,%g to %.6g,%g nohead back lw 1 lc rgb '#BBBBBB'\n",
                label, least, -at, most, -at);
        put_winner(rows, d, rate_rows[r].workload, -at, label++);
        y = at + 1;
        gap = false;
        drawn++;
    }
    bool by_cpu = d->count && d->cells[0].cpu_rate > 0;
    fprintf(rows, "rows = %g\nwaits = %d\nby_cpu = %d\n", y, waits, by_cpu);
    int error = fclose(points) || fclose(rows) ? -EIO : 0;
    return error ? error : drawn > 0;
}

/* ---- latencies ---- */

static const struct {
    const char *workload, *title;
} latency_panels[] = {{"fillsync", "durable put"},
                      {"fillrandom", "put"},
                      {"readrandom", "get"},
                      {"readmissing", "get of nothing"},
                      {"scan100", "scan of 100 entries"},
                      {"ycsb_a", "YCSB A"}};
#define LATENCY_PANELS 4u

#define LATENCY_NAMES "engine,workload,keys,low_ns,high_ns,count"

struct latency_line {
    char engine[24], workload[24];
    double keys, low, high, count;
};

/* One line of bench-latency.csv; false when it is none. */
static bool parse_latency(const char *line, struct latency_line *out)
{
    return sscanf(line, "%23[^,],%23[^,],%lf,%lf,%lf,%lf", out->engine, out->workload,
                  &out->keys, &out->low, &out->high, &out->count) == 6 &&
           out->low >= 0 && out->high >= out->low && out->count > 0;
}

static int read_latencies(struct figures_drawing *d, struct latency_line **lines, size_t *count)
{
    FILE *in = plots_open_in(&d->folder, "bench-latency.csv", "r");
    if (!in) return -EIO;
    char *line = NULL;
    size_t capacity = 0, number = 0;
    int error = 0;
    while (!error && getline(&line, &capacity, in) > 0) {
        struct latency_line row;
        if (++number == 1 && !strcmp(line, LATENCY_NAMES "\n")) continue;
        if (!parse_latency(line, &row)) {
            error = plots_complain(d->folder.folder, "bench-latency.csv", number,
                                   "is no " LATENCY_NAMES);
            break;
        }
        *lines = plots_grow(*lines, *count + 1, sizeof **lines);
        (*lines)[(*count)++] = row;
    }
    free(line);
    fclose(in);
    return error;
}

/* The share that took longer than each bucket's end: a step function on a log axis. */
static bool put_tail(FILE *out, const struct figures_drawing *d,
                     const struct latency_line *lines, size_t count, const char *workload,
                     uint32_t engine, uint32_t panel)
{
    double total = 0, below = 0;
    bool is_sync = !strcmp(workload, "fillsync");
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < count; i++) {
            const struct latency_line *l = &lines[i];
            if (strcmp(l->engine, d->engines[engine]) || strcmp(l->workload, workload) ||
                (l->keys != d->keys_most && !is_sync))
                continue;
            if (pass == 0) {
                total += l->count;
                continue;
            }
            below += l->count;
            double longer = 1 - below / total;
            fprintf(out, "%.6g\t%.9g\t%u\t%u\n", l->high > 1 ? l->high : 1,
                    longer > 0.5 / total ? longer : 0.5 / total, engine, panel);
        }
    }
    if (total > 0) fputc('\n', out);
    return total > 0;
}

int figures_write_latencies(struct figures_drawing *d)
{
    struct latency_line *lines = NULL;
    size_t count = 0;
    int error = read_latencies(d, &lines, &count);
    FILE *points = error ? NULL : plots_open_in(&d->folder, "plots/latencies.tsv", "w"),
         *panels = error ? NULL : plots_open_in(&d->folder, "plots/latencies-panels.gp", "w");
    if (!error && (!points || !panels)) error = -EIO;
    uint32_t drawn = 0;
    for (size_t p = 0; !error && p < sizeof latency_panels / sizeof *latency_panels; p++) {
        bool any = false;
        for (uint32_t e = 0; e < d->engines_count && drawn < LATENCY_PANELS; e++)
            any |= put_tail(points, d, lines, count, latency_panels[p].workload, e, drawn);
        if (!any) continue;
        fprintf(panels, "panel%u = \"%s (%s)\"\n", drawn, latency_panels[p].title,
                latency_panels[p].workload);
        drawn++;
    }
    if (panels) fprintf(panels, "panels = %u\n", drawn);
    if (points && fclose(points) && !error) error = -EIO;
    if (panels && fclose(panels) && !error) error = -EIO;
    free(lines);
    return error ? error : drawn > 0;
}

/* ---- amplification ---- */

struct bar {
    double value;
    uint32_t engine;
};

static int by_value(const void *a, const void *b)
{
    const struct bar *x = a, *y = b;
    if (x->value != y->value) return x->value < y->value ? -1 : 1;
    return x->engine < y->engine ? -1 : 1;
}

static double factor_of(const struct figures_cell *cell, uint32_t which)
{
    return which == 0   ? cell->write_factor
           : which == 1 ? cell->read_factor
                        : cell->space_factor;
}

int figures_write_amplification(struct figures_drawing *d)
{
    static const struct {
        const char *title, *first, *second;
    } panels[] = {{"written / put", "overwrite", "fillrandom"},
                  {"read / returned", "readrandom", "ycsb_c"},
                  {"on disk / live", "overwrite", "fillrandom"}};
    FILE *bars = plots_open_in(&d->folder, "plots/factors.tsv", "w"),
         *names = plots_open_in(&d->folder, "plots/factors-names.gp", "w");
    if (!bars || !names) {
        if (bars) fclose(bars);
        if (names) fclose(names);
        return -EIO;
    }
    uint32_t drawn = 0;
    for (uint32_t p = 0; p < 3; p++) {
        struct bar found[ENGINES_MAX];
        uint32_t count = 0;
        const char *workload = panels[p].first;
        for (int choice = 0; choice < 2 && !count; choice++) {
            workload = choice ? panels[p].second : panels[p].first;
            for (uint32_t e = 0; e < d->engines_count; e++) {
                const struct figures_cell *cell = figures_find(d, workload, e, d->keys_most);
                double factor = cell ? factor_of(cell, p) : NAN;
                if (factor > 0) found[count++] = (struct bar){factor, e};
            }
        }
        qsort(found, count, sizeof *found, by_value);
        fprintf(names, "title%u = \"%s (%s)\"\nbars%u = %u\n", p, panels[p].title, workload, p,
                count);
        for (uint32_t i = 0; i < count; i++) {
            /* A bar from 1 to the factor; below 1 it would run to the left. */
            fprintf(bars, "%.6g\t%u\t%u\t%u\n", found[i].value, i, found[i].engine, p);
            char text[64], value[32];
            figures_short(found[i].value, value);
            snprintf(text, sizeof text, "%s  %s x", d->engines[found[i].engine], value);
            fprintf(names, "name%u_%u = ", p, i);
            plots_put_quoted(names, text);
            fputc('\n', names);
        }
        /* Room for a name to the right of 1, and for a factor below it. */
        double least = count ? found[0].value : 1, most = count ? found[count - 1].value : 2;
        fprintf(names, "low%u = %.6g\nhigh%u = %.6g\n", p, least < 1 ? least / 1.3 : 0.98, p,
                most < 2 ? 3 : most * 1.4);
        drawn += count > 0;
    }
    int error = fclose(bars) || fclose(names) ? -EIO : 0;
    return error ? error : drawn > 0;
}

/* ---- growth: cost against the number of keys ---- */

static double get_time(const struct figures_cell *cell)
{
    return time_of(cell);
}
static double get_bytes(const struct figures_cell *cell)
{
    return cell->operations > 0 ? cell->read_bytes / cell->operations : NAN;
}

static const struct {
    const char *workload, *title, *unit;
    double (*value)(const struct figures_cell *cell);
} growth_panels[] = {
    {"readrandom", "one get", "ns", get_time},
    {"readrandom", "what one get reads", "bytes", get_bytes},
    {"fillrandom", "one put", "ns", get_time},
    {"reopen", "open again", "ns", get_time},
};
#define GROWTH_PANELS (sizeof growth_panels / sizeof *growth_panels)

struct line_end {
    double keys, value, at; /* at: where the name stands, decades */
    uint32_t engine;
};

static int by_height(const void *a, const void *b)
{
    const struct line_end *x = a, *y = b;
    if (x->at != y->at) return x->at < y->at ? -1 : 1;
    return x->engine < y->engine ? -1 : 1;
}

/* Names at the ends of the lines, pushed apart where lines end together. */
static void put_names(FILE *out, const struct figures_drawing *d, struct line_end *ends,
                      uint32_t count, uint32_t panel, double decades)
{
    double apart = decades * 0.095;
    for (uint32_t i = 0; i < count; i++) ends[i].at = log10(ends[i].value);
    qsort(ends, count, sizeof *ends, by_height);
    for (uint32_t i = 1; i < count; i++)
        if (ends[i].at < ends[i - 1].at + apart) ends[i].at = ends[i - 1].at + apart;
    for (uint32_t i = 0; i < count; i++) {
        char value[32];
        const char *name = d->engines[ends[i].engine];
        if (growth_panels[panel].value == get_bytes)
            figures_bytes(ends[i].value, value);
        else
            figures_time(ends[i].value, value);
        char text[96];
        snprintf(text, sizeof text, "%s %s", name, value);
        fprintf(out, "set label %u ", 400 + i);
        plots_put_quoted(out, text);
        fprintf(out, " at %.6g,%.6g left offset 0.8,0 font ',11' textcolor rgb '%s'\n",
                ends[i].keys, pow(10, ends[i].at), figures_look(name)->colour);
    }
}

static int by_keys(const void *a, const void *b)
{
    const struct figures_cell *x = *(const struct figures_cell *const *)a,
                              *y = *(const struct figures_cell *const *)b;
    return x->keys < y->keys ? -1 : x->keys > y->keys;
}

/* Points of one engine in one panel, in order of size; false: fewer than one. */
static bool put_line(FILE *points, const struct figures_drawing *d, uint32_t panel,
                     uint32_t engine, struct line_end *end, double *least, double *most)
{
    const struct figures_cell **found = NULL;
    size_t count = 0;
    for (size_t i = 0; i < d->count; i++) {
        const struct figures_cell *cell = &d->cells[i];
        if (cell->number != engine || strcmp(cell->workload, growth_panels[panel].workload) ||
            !(growth_panels[panel].value(cell) > 0))
            continue;
        found = plots_grow(found, count + 1, sizeof *found);
        found[count++] = cell;
    }
    if (count) qsort(found, count, sizeof *found, by_keys);
    for (size_t i = 0; i < count; i++) {
        double value = growth_panels[panel].value(found[i]);
        fprintf(points, "%.6g\t%.6g\t%u\t%u\n", found[i]->keys, value, engine, panel);
        if (value < *least) *least = value;
        if (value > *most) *most = value;
        *end = (struct line_end){.keys = found[i]->keys, .value = value, .engine = engine};
    }
    if (count) fputc('\n', points);
    free(found);
    return count > 0;
}

int figures_write_growth(struct figures_drawing *d)
{
    double few = INFINITY, many = 0;
    for (size_t i = 0; i < d->count; i++)
        if (strcmp(d->cells[i].workload, "fillsync")) {
            few = fmin(few, d->cells[i].keys);
            many = fmax(many, d->cells[i].keys);
        }
    if (!(few < many)) return 0;
    FILE *points = plots_open_in(&d->folder, "plots/growth.tsv", "w");
    int error = points ? 0 : -EIO;
    uint32_t drawn = 0;
    for (uint32_t p = 0; !error && p < GROWTH_PANELS; p++) {
        struct line_end ends[ENGINES_MAX];
        uint32_t count = 0;
        double least = INFINITY, most = 0;
        for (uint32_t e = 0; e < d->engines_count; e++)
            count += put_line(points, d, p, e, &ends[count], &least, &most);
        char file[64];
        snprintf(file, sizeof file, "plots/growth-%u.gp", p);
        FILE *panel = plots_open_in(&d->folder, file, "w");
        if (!panel) {
            error = -EIO;
            break;
        }
        if (count) {
            double low = pow(10, floor(log10(least) - 0.1)),
                   high = pow(10, ceil(log10(most) + 0.1));
            fprintf(panel, "set title \"%s (%s)\"\nis_bytes = %d\nset yrange [%g:%g]\n",
                    growth_panels[p].title, growth_panels[p].workload,
                    growth_panels[p].value == get_bytes, low, high);
            /* What grows with N has this slope; where nothing does, it only disturbs. */
            bool grows = high / low >= 1e4;
            double guide = low * 3, x = few * 2.5;
            fprintf(panel, grows ? "guide = %.6g\n" : "guide = NaN\n", guide);
            if (grows)
                fprintf(
                    panel,
                    "set label 410 'grows with N' at %.6g,%.6g left offset 0,-0.9 font ',11' "
                    "textcolor rgb '#999999'\n",
                    x, guide * x / few);
            put_names(panel, d, ends, count, p, log10(high / low));
            drawn++;
        }
        fprintf(panel, "lines = %u\n", count);
        if (fclose(panel)) error = -EIO;
    }
    if (points && fclose(points) && !error) error = -EIO;
    FILE *range = error ? NULL : plots_open_in(&d->folder, "plots/growth-range.gp", "w");
    if (range) {
        fprintf(range, "few = %.6g\nmany = %.6g\n", few, many);
        if (fclose(range)) error = -EIO;
    } else if (!error) {
        error = -EIO;
    }
    return error ? error : drawn > 0;
}
