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

#include "reports/plots_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARKS_MAX 9

/* ---- the scripts, carried in the binary ---- */

PLOTS_SCRIPT(style, "style");
PLOTS_SCRIPT(timeline, "timeline");
PLOTS_SCRIPT(latency, "latency");
PLOTS_SCRIPT(operations, "operations");

static const struct {
    const char *name, *text;
} scripts[] = {{"style", script_style},
               {"timeline", script_timeline},
               {"latency", script_latency},
               {"operations", script_operations}};

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
        double at = plots_seconds(json_integer_value(first));
        char text[256], counts[96];
        /* The expectation's count may be that of a window: "in all" is over the whole run. */
        json_t *checks = json_object_get(d->result, "checks"),
               *check = json_object_get(checks, plots_text_of(expectation, "name")),
               *total = json_object_get(check, "violations"),
               *counted = json_object_get(expectation, "count");
        put_counts(expectation, json_integer_value(json_is_integer(total) ? total : counted),
                   counts, sizeof counts);
        uint32_t number = ++d->marks;
        double shown = at < d->duration ? at : d->duration;
        snprintf(text, sizeof text, "%u  %s: first broken at %d:%06.3f, %s", number,
                 plots_text_of(expectation, "name"), (int)(at / 60), at - 60 * (int)(at / 60),
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
        plots_put_quoted(out, text);
        fprintf(out,
                " at screen 0.09, screen mark_base - mark_step * %u left font ',11' textcolor "
                "rgb '#D55E00'\n",
                number);
    }
}

static int write_parameters(struct drawing *d)
{
    FILE *marks = plots_open_in(d, "plots/marks.gp", "w"),
         *lanes = plots_open_in(d, "plots/lanes.gp", "w"),
         *out = plots_open_in(d, "plots/params.gp", "w");
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
        plots_put_quoted(lanes, d->names[n]);
        fprintf(lanes, " %u)\n", d->nodes - 1 - n);
    }
    if (out) {
        char seed[32];
        snprintf(seed, sizeof seed, "%" JSON_INTEGER_FORMAT,
                 json_integer_value(json_object_get(d->result, "seed")));
        plots_put_parameter(out, "scenario", plots_text_of(d->result, "scenario"));
        plots_put_parameter(out, "variant", plots_text_of(d->result, "variant"));
        plots_put_parameter(out, "seed", seed);
        plots_put_parameter(out, "trace", plots_text_of(d->result, "trace_hash"));
        fprintf(out,
                "duration = %.6f\nxstep = %.6f\nnodes = %u\nband_rows = %u\nmark_rows = %u\n",
                d->duration, plots_nice_step(d->duration), d->nodes, d->band_rows, d->marks);
        fprintf(out, "latency_low = %.6f\nlatency_high = %.6f\nis_idle = %d\n", d->latency_low,
                d->latency_high, !d->is_busy);
    }
    if (marks && fclose(marks)) error = -EIO;
    if (lanes && fclose(lanes)) error = -EIO;
    if (out && fclose(out)) error = -EIO;
    return error;
}

/* ---- drawing ---- */

int plots_run_gnuplot(const char *folder, const char *script)
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

int plots_write_script(const struct drawing *d, const char *name, const char *text)
{
    char file[64];
    snprintf(file, sizeof file, "plots/%s.gp", name);
    FILE *out = plots_open_in(d, file, "w");
    if (!out) return -EIO;
    fputs(text, out);
    return fclose(out) ? -EIO : 0;
}

static int write_scripts(const struct drawing *d)
{
    int error = 0;
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts && !error; i++)
        error = plots_write_script(d, scripts[i].name, scripts[i].text);
    return error;
}

void plots_remove_picture(const char *folder, const char *name)
{
    static const char *const kinds[] = {"svg", "png"};
    for (size_t i = 0; i < 2; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s.%s", folder, name, kinds[i]);
        unlink(path);
    }
}

void plots_print_picture(FILE *out, const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.svg", folder, name);
    if (!access(path, R_OK)) fprintf(out, "  plot %s (and .png)\n", path);
}

/* I1. */
static void remove_pictures(const char *folder)
{
    for (size_t i = 1; i < sizeof scripts / sizeof *scripts; i++)
        plots_remove_picture(folder, scripts[i].name);
}

int plots_draw(const char *folder)
{
    if (figures_is_here(folder)) return figures_draw(folder);
    struct drawing d = {.folder = folder, .band_rows = 1};
    char path[4096];
    int error = plots_read_result(&d);
    bool is_result = !error, has_gnuplot = true;
    snprintf(path, sizeof path, "%s/plots", folder);
    if (!error && mkdir(path, 0777) && errno != EEXIST) {
        error = -errno;
        fprintf(stderr, "faultline: %s: %s\n", path, strerror(-error));
    }
    FILE *lanes = error ? NULL : plots_open_in(&d, "plots/lanes.tsv", "w"),
         *points = error ? NULL : plots_open_in(&d, "plots/points.tsv", "w");
    if (!error && (!lanes || !points)) error = -EIO;
    if (!error) error = plots_read_series(&d, lanes);
    if (!error) error = plots_read_timeline(&d, lanes);
    if (!error) error = plots_read_history(&d, points);
    if (!error) error = plots_read_violations(&d, points);
    if (lanes) {
        for (int state = 0; state <= 4; state++) fprintf(lanes, "NaN\tNaN\t0\t0\t%d\n", state);
        if (fclose(lanes) && !error) error = -EIO;
    }
    if (points && fclose(points) && !error) error = -EIO;
    if (!error) error = write_parameters(&d);
    if (!error) error = write_scripts(&d);
    for (size_t i = 1; i < sizeof scripts / sizeof *scripts && !error && !d.has_no_bucket;
         i++) {
        error = plots_run_gnuplot(folder, scripts[i].name);
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
    if (figures_is_here(folder)) {
        figures_print(out, folder);
        return;
    }
    for (size_t i = 1; i < sizeof scripts / sizeof *scripts; i++)
        plots_print_picture(out, folder, scripts[i].name);
}
