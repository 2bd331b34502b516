/* Three shapes, each under a screen:
 *
 *     few rows            a line each, the engines of a workload sorted by rate
 *     many workloads      rates, engine by column, and what they cost beside
 *     several key counts  time an operation against N
 *
 * Rates are operations a CPU-second where CPU is measured (other processes of the host disturb
 * it least), else a second.
 */
#include "sim/cli/bench_table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/cli.h"
#include "sim/kernel/arena.h"

#define LINES_MAX 28u /* of the first shape */

#define RATE_FREE 1e30 /* of what takes no virtual time at all */

static double rate_of(const struct bench_row *row)
{
    double rate = bench_judged_rate(row);
    return rate > 0 ? rate : RATE_FREE;
}

/* "1.23M", "45.6k", "789", "1.23" */
static const char *short_number(char text[16], double value)
{
    const char *unit = "";
    if (value >= RATE_FREE) {
        snprintf(text, 16, "free");
        return text;
    }
    if (value >= 999.5e6) {
        value /= 1e9;
        unit = "G";
    } else if (value >= 999.5e3) {
        value /= 1e6;
        unit = "M";
    } else if (value >= 999.5) {
        value /= 1e3;
        unit = "k";
    }
    int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    if (!*unit && value >= 10) decimals = 0;
    snprintf(text, 16, "%.*f%s", decimals, value, unit);
    return text;
}

static const char *short_time(char text[16], double ns)
{
    const char *unit = "ns";
    if (ns >= 999.5e6) {
        ns /= 1e9;
        unit = "s";
    } else if (ns >= 999.5e3) {
        ns /= 1e6;
        unit = "ms";
    } else if (ns >= 999.5) {
        ns /= 1e3;
        unit = "us";
    }
    snprintf(text, 16, "%.*f%s", ns < 9.995 ? 2 : ns < 99.95 ? 1 : 0, ns, unit);
    return text;
}

static const char *short_bytes(char text[16], double bytes)
{
    const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    int unit = 0;
    for (; bytes >= 1023.5 && unit < 4; unit++) bytes /= 1024;
    snprintf(text, 16, "%.*f%s", unit && bytes < 9.995 ? 1 : 0, bytes, units[unit]);
    return text;
}

static const char *factor(char text[16], bool is_there, double value)
{
    if (!is_there) return "-";
    snprintf(text, 16, value < 99.95 ? "%.2f" : "%.0f", value);
    return text;
}

static const char *quantile(char text[16], const struct bench_row *row, uint32_t ppm)
{
    if (!row->latency.count) return "-";
    return short_time(text, (double)histogram_quantile(&row->latency, ppm));
}

static double best_rate(const struct bench_row *const *rows, size_t engines)
{
    double best = 0;
    for (size_t e = 0; e < engines; e++)
        if (!rows[e]->skipped[0] && rate_of(rows[e]) > best && rate_of(rows[e]) < RATE_FREE)
            best = rate_of(rows[e]);
    return best;
}

static bool any(const struct bench_row *const *rows, size_t count,
                bool (*is)(const struct bench_row *row))
{
    for (size_t i = 0; i < count; i++)
        if (is(rows[i])) return true;
    return false;
}

static bool is_cut(const struct bench_row *row)
{
    return !row->skipped[0] && row->operations < row->planned;
}

static bool is_skipped(const struct bench_row *row)
{
    return row->skipped[0] != 0;
}

static bool has_cpu_time(const struct bench_row *row)
{
    return row->cpu_ns > 0;
}

static bool is_free(const struct bench_row *row)
{
    return !row->skipped[0] && rate_of(row) == RATE_FREE;
}

/* ---- a line each ---- */

static int by_rate(const void *a, const void *b)
{
    const struct bench_row *x = *(const struct bench_row *const *)a,
                           *y = *(const struct bench_row *const *)b;
    double one = x->skipped[0] ? -1 : rate_of(x), two = y->skipped[0] ? -1 : rate_of(y);
    if (one != two) return one > two ? -1 : 1;
    return strcmp(x->engine, y->engine);
}

static void print_line(FILE *out, const struct bench_row *row, double best)
{
    char t[12][16];
    double value = 0, cpu = 0;
    if (row->skipped[0]) {
        fprintf(out, "%-11s %-7s %9" PRIu64 "  %s\n", row->workload, row->engine, row->keys,
                row->skipped);
        return;
    }
    bool has_cpu = bench_cpu_rate(row, &cpu);
    fprintf(out, "%-11s %-7s %9" PRIu64 " %8s%s", row->workload, row->engine, row->keys,
            short_number(t[0], (double)row->operations), is_cut(row) ? "*" : " ");
    fprintf(out, " %7s %7s", has_cpu ? short_number(t[1], cpu) : "-",
            short_number(t[2], row->elapsed_ns > 0 ? bench_rate(row) : RATE_FREE));
    char ratio[16];
    fprintf(out, " %5s", factor(ratio, !is_free(row) && best > 0, rate_of(row) / best));
    fprintf(out, " %7s %7s %7s", quantile(t[3], row, 500000), quantile(t[4], row, 990000),
            quantile(t[5], row, 999000));
    bool is_there = bench_write_amplification(row, &value);
    fprintf(out, " %6s", factor(t[6], is_there, value));
    is_there = bench_read_amplification(row, &value);
    fprintf(out, " %6s", factor(t[7], is_there, value));
    is_there = bench_space_amplification(row, &value);
    fprintf(out, " %6s %8s\n", factor(t[8], is_there, value),
            short_bytes(t[9], (double)row->resident_bytes));
}

static void print_lines(FILE *out, const struct bench_row *const *rows, size_t groups,
                        size_t engines)
{
    fprintf(out, "%s%-11s %-7s %9s %8s  %7s %7s %5s %7s %7s %7s %6s %6s %6s %8s%s\n",
            colour(COLOUR_BOLD), "workload", "engine", "keys", "ops", "/CPU-s", "/s", "best",
            "p50", "p99", "p999", "write", "read", "space", "memory", colour(COLOUR_PLAIN));
    const struct bench_row **sorted = xmalloc(engines * sizeof *sorted);
    for (size_t g = 0; g < groups; g++) {
        memcpy(sorted, rows + g * engines, engines * sizeof *sorted);
        qsort(sorted, engines, sizeof *sorted, by_rate);
        double best = best_rate(sorted, engines);
        for (size_t e = 0; e < engines; e++) print_line(out, sorted[e], best);
    }
    free(sorted);
    fputs("best: of the fastest engine. write, read, space: amplification, bytes through the "
          "file system over bytes of the user.\n",
          out);
}

/* ---- engines by column ---- */

static void print_head(FILE *out, const struct bench_row *const *rows, size_t engines,
                       const char *title)
{
    fprintf(out, "%s%-22s", colour(COLOUR_BOLD), title);
    for (size_t e = 0; e < engines; e++) fprintf(out, " %14s", rows[e]->engine);
    fprintf(out, "%s\n", colour(COLOUR_PLAIN));
}

static void print_rates(FILE *out, const struct bench_row *const *rows, size_t workloads,
                        size_t engines)
{
    bool has_cpu = any(rows, workloads * engines, has_cpu_time);
    print_head(out, rows, engines, has_cpu ? "operations / CPU-s" : "operations / s");
    for (size_t w = 0; w < workloads; w++) {
        const struct bench_row *const *line = rows + w * engines;
        double best = best_rate(line, engines);
        fprintf(out, "%-22s", line[0]->workload);
        for (size_t e = 0; e < engines; e++) {
            char text[16], cell[32];
            double rate = rate_of(line[e]);
            if (line[e]->skipped[0] || rate == RATE_FREE) {
                fprintf(out, " %14s", line[e]->skipped[0] ? "-" : "free");
                continue;
            }
            snprintf(cell, sizeof cell, "%s%s (%.2f)", short_number(text, rate),
                     is_cut(line[e]) ? "*" : "", best > 0 ? rate / best : 0);
            fprintf(out, " %s%14s%s", rate == best ? colour(COLOUR_OK) : "", cell,
                    rate == best ? colour(COLOUR_PLAIN) : "");
        }
        fputc('\n', out);
    }
}

enum cost {
    COST_P50,
    COST_P99,
    COST_P999,
    COST_WRITE,
    COST_SPACE,
    COST_MEMORY,
    COST_KEY,
    COST_SYNCS,
    COST_EXTRA,
    COST_READ
};

static const struct {
    const char *workload, *title;
    enum cost cost;
} costs[] = {
    {"fillsync", "fillsync p50", COST_P50},
    {"fillsync", "  syncs a put", COST_SYNCS},
    {"fillsync", "  bytes beyond record", COST_EXTRA},
    {"fillrandom", "fillrandom p999", COST_P999},
    {"fillrandom", "  write amplification", COST_WRITE},
    {"fillrandom", "  memory at most", COST_MEMORY},
    {"fillrandom", "  allocated a key", COST_KEY},
    {"overwrite", "overwrite write ampl.", COST_WRITE},
    {"overwrite", "  disk / live", COST_SPACE},
    {"readrandom", "readrandom p99", COST_P99},
    {"readrandom", "  read amplification", COST_READ},
    {"reopen", "reopen p50", COST_P50},
    {"recover", "recover", COST_P50},
};

static const char *cost_text(char text[16], const struct bench_row *row, enum cost cost)
{
    double value = 0;
    bool is_there;
    switch (cost) {
    case COST_P50: return quantile(text, row, 500000);
    case COST_P99: return quantile(text, row, 990000);
    case COST_P999: return quantile(text, row, 999000);
    case COST_MEMORY: return short_bytes(text, (double)row->resident_bytes);
    case COST_KEY: return short_bytes(text, (double)row->idle_bytes / (double)row->keys);
    case COST_WRITE: is_there = bench_write_amplification(row, &value); break;
    case COST_SPACE: is_there = bench_space_amplification(row, &value); break;
    case COST_SYNCS: is_there = bench_syncs_per_put(row, &value); break;
    case COST_READ: is_there = bench_read_amplification(row, &value); break;
    default: is_there = bench_extra_bytes_per_put(row, &value); break;
    }
    return factor(text, is_there, value);
}

static void print_costs(FILE *out, const struct bench_row *const *rows, size_t workloads,
                        size_t engines)
{
    print_head(out, rows, engines, "what it costs");
    for (size_t c = 0; c < sizeof costs / sizeof *costs; c++)
        for (size_t w = 0; w < workloads; w++) {
            const struct bench_row *const *line = rows + w * engines;
            if (strcmp(line[0]->workload, costs[c].workload) != 0) continue;
            fprintf(out, "%-22s", costs[c].title);
            for (size_t e = 0; e < engines; e++) {
                char text[16];
                fprintf(out, " %14s",
                        line[e]->skipped[0] ? "-" : cost_text(text, line[e], costs[c].cost));
            }
            fputc('\n', out);
        }
}

/* ---- against the number of keys ---- */

static void print_growth(FILE *out, const struct bench_row *const *rows, size_t keys,
                         size_t workloads, size_t engines)
{
    bool has_cpu = any(rows, keys * workloads * engines, has_cpu_time);
    print_head(out, rows, engines, has_cpu ? "CPU time / operation" : "time / operation");
    for (size_t w = 0; w < workloads; w++)
        for (size_t k = 0; k < keys; k++) {
            const struct bench_row *const *line = rows + (k * workloads + w) * engines;
            char count[16], title[40];
            snprintf(title, sizeof title, "%-12s %9s", line[0]->workload,
                     short_number(count, (double)line[0]->keys));
            fprintf(out, "%-22s", title);
            for (size_t e = 0; e < engines; e++) {
                char text[16], cell[24];
                double rate = rate_of(line[e]);
                if (line[e]->skipped[0] || rate <= 0 || rate == RATE_FREE) {
                    fprintf(out, " %14s", "-");
                    continue;
                }
                snprintf(cell, sizeof cell, "%s%s", short_time(text, 1e9 / rate),
                         is_cut(line[e]) ? "*" : "");
                fprintf(out, " %14s", cell);
            }
            fputc('\n', out);
        }
}

void bench_table_print(FILE *out, const struct bench_row *const *rows, size_t keys,
                       size_t workloads, size_t engines)
{
    size_t count = keys * workloads * engines;
    if (count <= LINES_MAX && keys == 1) {
        print_lines(out, rows, workloads, engines);
    } else if (keys == 1) {
        print_rates(out, rows, workloads, engines);
        print_costs(out, rows, workloads, engines);
    } else {
        print_growth(out, rows, keys, workloads, engines);
    }
    if (any(rows, count, is_cut))
        fputs("*: ended by --seconds before all operations were done.\n", out);
    if (any(rows, count, is_free))
        fputs("free: it takes no disk time, and without --cpu measured no other is counted.\n",
              out);
    if (any(rows, count, is_skipped))
        fputs("-: not done, because scans come in no order or the engine failed; or no "
              "meaning.\n",
              out);
}
