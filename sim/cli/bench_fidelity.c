/* `faultline bench engines --fidelity DIR`: every engine and workload on real files and on the
 * simulated disk, in turns, and how far the two rates are apart.
 *
 * The simulated disk is the one that calibrate finds below DIR at the beginning. The code of
 * the engine and of the benchmark is the same on both sides and runs on the same CPU: what it
 * takes there is measured, by a clock that stands still inside the vfs, and added to the
 * virtual time of the disk. So a simulated rate is a hybrid: the disk and the file system are a
 * model, the program is not. The purely simulated figure, CPU at nothing, is `bench engines
 * --sim`.
 *
 * On real files the time is that of the clock less what the process waited while other
 * processes had the CPUs. The row of a cell is the median of the rounds, on both sides.
 *
 * The error of a cell is the ratio of the rates; 1.10 and 0.91 are equally wrong. Where it came
 * from: on real files the kernel says how much CPU went into the program and how much into
 * itself, the rest is waiting for the device; on the simulated side the meter says the
 * program's part and the disk has the rest.
 */
#define _GNU_SOURCE
#include "sim/cli/bench_fidelity.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "sim/bench/folder.h"
#include "sim/campaign/result.h"
#include "sim/campaign/run.h"
#include "sim/cli/calibrate.h"
#include "sim/cli/cli.h"

#define CALIBRATION_NS (10 * NS_PER_S)
#define WORST 5u

struct cell {
    const struct bench_row *real, *simulated;
    double ratio; /* simulated over real rate; 0: nothing to compare */
};

struct session {
    struct bench_input *in;
    struct bench_row *rows[2]; /* real, simulated: [engine][workload][round] */
    size_t filled, side, engine, round, steps;
    struct progress progress;
};

/* ---- figures ---- */

/* ns that the work took on real files. */
static double real_ns(const struct bench_row *row)
{
    double ns = (double)(row->elapsed_ns - row->host_wait_ns);
    return ns > 0 ? ns : 0;
}

static double rate_of(const struct bench_row *row, bool is_real)
{
    double ns = is_real ? real_ns(row) : (double)row->elapsed_ns;
    return ns > 0 ? (double)row->operations * 1e9 / ns : 0;
}

/* Where the time of an operation went, ns. */
struct parts {
    double program, system, device;
};

static struct parts parts_of(const struct bench_row *row, bool is_real)
{
    double n = row->operations ? (double)row->operations : 1;
    struct parts parts = {0};
    if (is_real) {
        parts.system = (double)row->host_system_ns / n;
        parts.program = ((double)row->host_cpu_ns - (double)row->host_system_ns) / n;
        parts.device = (real_ns(row) - (double)row->host_cpu_ns) / n;
        if (parts.device < 0) parts.device = 0;
    } else {
        parts.program = (double)row->cpu_ns / n;
        parts.device = ((double)row->elapsed_ns - (double)row->cpu_ns) / n;
        if (parts.device < 0) parts.device = 0;
    }
    return parts;
}

/* How wrong: 1 is right, 1.2 off by a fifth either way. */
static double off(double ratio)
{
    return ratio < 1 ? 1 / ratio : ratio;
}

/* ---- rounds ---- */

static struct bench_row *row_at(struct session *s, size_t side, size_t engine, size_t workload,
                                size_t round)
{
    return &s->rows[side][(engine * s->in->workloads_count + workload) * s->in->repeat + round];
}

static void take_row(void *context, const struct bench_row *row)
{
    struct session *s = context;
    *row_at(s, s->side, s->engine, s->filled++, s->round) = *row;
    s->steps++;
}

static void take_progress(void *context, const char *engine, const char *workload,
                          uint64_t done, uint64_t planned)
{
    struct session *s = context;
    char what[64];
    snprintf(what, sizeof what, "%s %s %s %llu%%", s->side ? "simulated" : "real", engine,
             workload, (unsigned long long)(planned ? done * 100 / planned : 0));
    progress_step(&s->progress, s->steps, what);
}

static volatile sig_atomic_t interrupted;
static void interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static int run_all(struct session *s, const char *folder)
{
    struct bench_input *in = s->in;
    static char error[1024];
    struct bench_watcher watcher = {take_row, take_progress, s};
    progress_begin(&s->progress, 2 * in->repeat * in->engines_count * in->workloads_count);
    int err = 0;
    for (s->round = 0; s->round < in->repeat && !err; s->round++)
        for (s->engine = 0; s->engine < in->engines_count && !err; s->engine++)
            for (s->side = 0; s->side < 2 && !err; s->side++) {
                struct bench_config config =
                    bench_config_of(in, s->engine, in->keys[0], s->side ? NULL : folder);
                config.cpu_measured = config.cpu_whole = s->side == 1;
                s->filled = 0;
                err = bench_run(&config, &watcher, error, sizeof error);
            }
    progress_end(&s->progress);
    if (!err) return EXIT_MET;
    cli_error("%s", interrupted ? "interrupted" : error);
    return EXIT_INVALID;
}

static int by_real_rate(const void *a, const void *b)
{
    double x = rate_of(a, true), y = rate_of(b, true);
    return (x > y) - (x < y);
}

static int by_simulated_rate(const void *a, const void *b)
{
    double x = rate_of(a, false), y = rate_of(b, false);
    return (x > y) - (x < y);
}

/* cells[workload][engine] */
static struct cell *compare(struct session *s)
{
    struct bench_input *in = s->in;
    struct cell *cells = xcalloc(in->engines_count * in->workloads_count + 1, sizeof *cells);
    for (size_t w = 0; w < in->workloads_count; w++)
        for (size_t e = 0; e < in->engines_count; e++) {
            struct cell *cell = &cells[w * in->engines_count + e];
            qsort(row_at(s, 0, e, w, 0), in->repeat, sizeof(struct bench_row), by_real_rate);
            qsort(row_at(s, 1, e, w, 0), in->repeat, sizeof(struct bench_row),
                  by_simulated_rate);
            cell->real = row_at(s, 0, e, w, in->repeat / 2);
            cell->simulated = row_at(s, 1, e, w, in->repeat / 2);
            double real = rate_of(cell->real, true),
                   simulated = rate_of(cell->simulated, false);
            if (!*cell->real->skipped && real > 0 && simulated > 0)
                cell->ratio = simulated / real;
        }
    return cells;
}

static int by_error(const void *a, const void *b)
{
    double x = off((*(const struct cell *const *)a)->ratio),
           y = off((*(const struct cell *const *)b)->ratio);
    return (x < y) - (x > y);
}

/* The cells that can be compared, the worst first. */
static struct cell **sorted(struct cell *cells, size_t total, size_t *count)
{
    struct cell **list = xmalloc((total + 1) * sizeof *list);
    *count = 0;
    for (size_t i = 0; i < total; i++)
        if (cells[i].ratio > 0) list[(*count)++] = &cells[i];
    qsort(list, *count, sizeof *list, by_error);
    return list;
}

/* ---- the table ---- */

static const char *short_rate(double value, char out[32])
{
    static const struct {
        double unit;
        const char *letter;
    } units[] = {{1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""}};
    size_t i = 0;
    while (i < 3 && value < units[i].unit * 0.9995) i++;
    double shown = value / units[i].unit;
    snprintf(out, 32,
             shown < 9.995   ? "%.2f%s"
             : shown < 99.95 ? "%.1f%s"
                             : "%.0f%s",
             shown, units[i].letter);
    return out;
}

static enum colour judged(double ratio)
{
    double wrong = off(ratio);
    return wrong <= 1.25 ? COLOUR_OK : wrong <= 2 ? COLOUR_UNKNOWN : COLOUR_FAIL;
}

static void print_cell(const struct cell *cell)
{
    char real[32], simulated[32];
    if (!(cell->ratio > 0)) {
        printf("  %24s", "-");
        return;
    }
    printf("  %8s %8s ", short_rate(rate_of(cell->real, true), real),
           short_rate(rate_of(cell->simulated, false), simulated));
    printf("%s%6.2f%s", colour(judged(cell->ratio)), cell->ratio, colour(COLOUR_PLAIN));
}

/* The part whose difference is the largest, and what it says. */
static void print_reason(const struct cell *cell)
{
    struct parts real = parts_of(cell->real, true), made = parts_of(cell->simulated, false);
    char a[32], b[32], c[32], d[32], e[32];
    double kernel = real.system + real.device;
    printf("  %-6s %-12s %5.2f  program %s real, %s simulated; disk %s real (kernel %s), %s "
           "simulated\n",
           cell->real->engine, cell->real->workload, cell->ratio,
           duration_say((int64_t)real.program, a, sizeof a),
           duration_say((int64_t)made.program, b, sizeof b),
           duration_say((int64_t)kernel, c, sizeof c),
           duration_say((int64_t)real.system, d, sizeof d),
           duration_say((int64_t)made.device, e, sizeof e));
}

static double median_error(struct cell *const *list, size_t count)
{
    if (!count) return 0;
    double upper = off(list[(count - 1) / 2]->ratio), lower = off(list[count / 2]->ratio);
    return (upper + lower) / 2 - 1;
}

static void print_table(const struct bench_input *in, const struct cell *cells,
                        struct cell *const *list, size_t count)
{
    printf("%-12s", "operations/s");
    for (size_t e = 0; e < in->engines_count; e++)
        printf("  %8s %8s %6s", in->engines[e]->name, "model", "ratio");
    putchar('\n');
    for (size_t w = 0; w < in->workloads_count; w++) {
        printf("%-12s", in->workloads[w]->name);
        for (size_t e = 0; e < in->engines_count; e++)
            print_cell(&cells[w * in->engines_count + e]);
        putchar('\n');
    }
    size_t near = 0;
    for (size_t i = 0; i < count; i++) near += off(list[i]->ratio) <= 1.25;
    printf(
        "median error %s%.0f %%%s of %zu cells; %zu within 25 %%, the worst off by a factor of "
        "%.1f. Time an operation in the worst:\n",
        colour(COLOUR_BOLD), 100 * median_error(list, count), colour(COLOUR_PLAIN), count, near,
        count ? off(list[0]->ratio) : 1);
    for (size_t i = 0; i < count && i < WORST; i++) print_reason(list[i]);
}

/* ---- JSON, folder ---- */

static void put_parts(FILE *out, const char *name, struct parts parts, bool is_real)
{
    fprintf(out, ",\"%s\":{\"program_ns\":%.1f", name, parts.program);
    if (is_real) fprintf(out, ",\"kernel_ns\":%.1f", parts.system);
    fprintf(out, ",\"%s\":%.1f}", is_real ? "device_ns" : "disk_ns", parts.device);
}

static void put_cell(FILE *out, const struct cell *cell)
{
    fprintf(out,
            "{\"engine\":\"%s\",\"workload\":\"%s\",\"keys\":%llu,\"value_size\":%u,"
            "\"real_rate\":%.3f,\"simulated_rate\":%.3f,\"ratio\":%.4f,\"log_ratio\":%.4f",
            cell->real->engine, cell->real->workload, (unsigned long long)cell->real->keys,
            cell->real->value_size, rate_of(cell->real, true), rate_of(cell->simulated, false),
            cell->ratio, det_log(cell->ratio));
    put_parts(out, "real", parts_of(cell->real, true), true);
    put_parts(out, "simulated", parts_of(cell->simulated, false), false);
    fputs("}\n", out);
}

static void put_cells(FILE *out, const struct cell *cells, size_t total)
{
    for (size_t i = 0; i < total; i++)
        if (cells[i].ratio > 0) put_cell(out, &cells[i]);
}

static int write_folder(const struct bench_input *in, const struct cell *cells, size_t total,
                        double error)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/fidelity.jsonl", in->out);
    FILE *out = fopen(path, "w");
    if (!out) return cli_error("%s: %s", path, strerror(errno)), EXIT_BAD_INPUT;
    put_cells(out, cells, total);
    if (fclose(out)) return cli_error("%s: %s", path, strerror(errno)), EXIT_INVALID;
    snprintf(path, sizeof path, "%s/disk.yaml", in->out);
    out = fopen(path, "w");
    if (!out) return cli_error("%s: %s", path, strerror(errno)), EXIT_BAD_INPUT;
    disk_file_write(out, &in->disk);
    if (fclose(out)) return cli_error("%s: %s", path, strerror(errno)), EXIT_INVALID;
    snprintf(path, sizeof path, "%s/fidelity.json", in->out);
    out = fopen(path, "w");
    if (!out) return cli_error("%s: %s", path, strerror(errno)), EXIT_BAD_INPUT;
    fprintf(out,
            "{\"version\":1,\"kind\":\"fidelity\",\"keys\":%llu,\"value_size\":%llu,"
            "\"repeat\":%llu,\"median_error\":%.4f,\"host\":{\"version\":\"%s\","
            "\"compiler\":\"%s\"}}\n",
            (unsigned long long)in->keys[0], (unsigned long long)in->value_size,
            (unsigned long long)in->repeat, error, FAULTLINE_VERSION, __VERSION__);
    if (fclose(out)) return cli_error("%s: %s", path, strerror(errno)), EXIT_INVALID;
    return EXIT_MET;
}

/* ---- the command ---- */

static int measure(struct bench_input *in, const char *folder)
{
    struct session s = {.in = in};
    size_t total = in->engines_count * in->workloads_count;
    size_t size = (total * in->repeat + 1) * sizeof(struct bench_row);
    for (size_t side = 0; side < 2; side++) s.rows[side] = bench_rows_map(size);
    int status = run_all(&s, folder);
    if (!status) {
        size_t count;
        struct cell *cells = compare(&s), **list = sorted(cells, total, &count);
        if (in->json)
            put_cells(stdout, cells, total);
        else
            print_table(in, cells, list, count);
        if (in->out) status = write_folder(in, cells, total, median_error(list, count));
        free(list);
        free(cells);
    }
    for (size_t side = 0; side < 2; side++) munmap(s.rows[side], size);
    return status;
}

int bench_fidelity(struct bench_input *in)
{
    struct calibrate_result *found = NULL;
    struct bench_folder folder;
    int err = bench_folder_make(&folder, in->fidelity);
    if (err) return cli_error("%s: %s", in->fidelity, strerror(-err));
    int status = bench_out_make(in->out) ? EXIT_MET : EXIT_BAD_INPUT;
    if (!status && !in->has_disk) {
        status = calibrate_folder(in->fidelity, CALIBRATION_NS, &found);
        if (!status) in->disk = found->config;
    }
    if (status) {
        bench_folder_remove(&folder);
        return status;
    }
    struct sigaction action = {.sa_handler = interrupt}, old_int, old_term;
    sigaction(SIGINT, &action, &old_int);
    sigaction(SIGTERM, &action, &old_term);
    status = measure(in, folder.path);
    bench_folder_remove(&folder);
    sigaction(SIGINT, &old_int, NULL);
    sigaction(SIGTERM, &old_term, NULL);
    calibrate_destroy(found);
    return status;
}
