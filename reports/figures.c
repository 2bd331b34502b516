/* From a benchmark's result folder to pictures: rates, latencies, amplification, growth; or
 * fidelity.
 *
 * The folder is what `faultline bench engines --out` writes: bench.json (how it was run),
 * bench.jsonl (a row a line), bench-latency.csv; or, of --fidelity, fidelity.json and
 * fidelity.jsonl. As with runs, data and scripts stay in
 * FOLDER/plots, and I1 of plots.c holds: a drawing that fails leaves no picture.
 */
#include "reports/figures.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

PLOTS_SCRIPT(bench_style, "bench-style");
PLOTS_SCRIPT(rates, "rates");
PLOTS_SCRIPT(latencies, "latencies");
PLOTS_SCRIPT(factors, "factors");
PLOTS_SCRIPT(growth, "growth");
PLOTS_SCRIPT(fidelity, "fidelity");

static const struct {
    const char *script, *text, *picture;
    int (*write)(struct figures_drawing *d);
    bool is_fidelity;
} pictures[] = {
    {"bench-style", script_bench_style, NULL, NULL, false},
    {"rates", script_rates, "rates", figures_write_rates, false},
    {"latencies", script_latencies, "latencies", figures_write_latencies, false},
    {"factors", script_factors, "amplification", figures_write_amplification, false},
    {"growth", script_growth, "growth", figures_write_growth, false},
    {"fidelity", script_fidelity, "fidelity", figures_write_fidelity, true}};
#define PICTURES (sizeof pictures / sizeof *pictures)

static bool has(const char *folder, const char *file)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    return access(path, F_OK) == 0;
}

bool figures_is_here(const char *folder)
{
    return has(folder, "bench.json") || has(folder, "fidelity.json");
}

static int read_about(struct figures_drawing *d, const char *file)
{
    char path[4096];
    json_error_t error;
    snprintf(path, sizeof path, "%s/%s", d->folder.folder, file);
    d->about = json_load_file(path, 0, &error);
    if (!d->about) {
        fprintf(stderr, "faultline: %s:%d:%d: %s\n", path, error.line, error.column,
                error.text);
        return -EBADMSG;
    }
    if (json_integer_value(json_object_get(d->about, "version")) != 1)
        return plots_complain(d->folder.folder, file, 0,
                              "version is not 1: this faultline cannot read it");
    d->is_real = !strcmp(plots_text_of(d->about, "mode"), "real");
    return 0;
}

double figures_setting(const struct figures_drawing *d, const char *name)
{
    return json_number_value(json_object_get(d->about, name));
}

/* What every script loads first: who is drawn how, and how it was measured. */
static int write_parameters(const struct figures_drawing *d, const char *file)
{
    FILE *out = plots_open_in(&d->folder, file, "w");
    if (!out) return -EIO;
    char made[512], settings[256] = "", number[32];
    size_t i, used = 0;
    json_t *value;
    json_array_foreach(json_object_get(d->about, "settings"), i,
                       value) if (json_is_string(value) && used < sizeof settings - 64) used +=
        (size_t)snprintf(settings + used, sizeof settings - used, ", %.60s",
                         json_string_value(value));
    const char *disk = plots_text_of(d->about, "disk");
    snprintf(made, sizeof made,
             "bench engines, %s%.80s, values of %lld B, median of %lld, seed %lld%s",
             d->is_real ? "" : "simulated ", disk, (long long)figures_setting(d, "value_size"),
             (long long)figures_setting(d, "repeat"), (long long)figures_setting(d, "seed"),
             settings);
    plots_put_parameter(out, "made_without_keys", made);
    fprintf(out, "made = made_without_keys.\", %s keys\"\n",
            figures_short(d->keys_most, number));
    fprintf(out, "engines = %u\n", d->engines_count);
    static const char *const functions[] = {"name", "colour", "shape"};
    for (size_t f = 0; f < 3; f++) {
        fprintf(out, "%s(e) = ", functions[f]);
        for (uint32_t e = 0; e < d->engines_count; e++) {
            const struct engine_look *look = figures_look(d->engines[e]);
            if (e + 1 < d->engines_count) fprintf(out, "e == %u ? ", e);
            if (f == 2)
                fprintf(out, "%d", look->shape);
            else
                plots_put_quoted(out, f == 0 ? d->engines[e] : look->colour);
            if (e + 1 < d->engines_count) fputs(" : ", out);
        }
        fputc('\n', out);
    }
    return fclose(out) ? -EIO : 0;
}

static void remove_pictures(const char *folder, bool is_fidelity)
{
    for (size_t i = 1; i < PICTURES; i++)
        if (pictures[i].is_fidelity == is_fidelity)
            plots_remove_picture(folder, pictures[i].picture);
}

/* Data, parameters and scripts of the folder's pictures; wanted[i]: there is something to draw.
 */
static int write_all(struct figures_drawing *d, bool is_fidelity, bool wanted[PICTURES])
{
    int error = is_fidelity ? 0 : figures_read(d);
    for (size_t i = 0; i < PICTURES && !error; i++)
        error = plots_write_script(&d->folder, pictures[i].script, pictures[i].text);
    for (size_t i = 1; i < PICTURES && !error; i++) {
        if (pictures[i].is_fidelity != is_fidelity) continue;
        int some = pictures[i].write(d);
        wanted[i] = some > 0;
        if (some < 0) error = some;
    }
    const char *file = is_fidelity ? "plots/fidelity-params.gp" : "plots/bench-params.gp";
    return error ? error : write_parameters(d, file);
}

static int draw(const char *folder, bool is_fidelity)
{
    struct figures_drawing d = {0};
    char path[4096];
    bool wanted[PICTURES] = {false}, has_gnuplot = true;
    d.folder.folder = folder;
    int error = read_about(&d, is_fidelity ? "fidelity.json" : "bench.json");
    bool is_result = !error;
    snprintf(path, sizeof path, "%s/plots", folder);
    if (!error && mkdir(path, 0777) && errno != EEXIST) {
        error = -errno;
        fprintf(stderr, "faultline: %s: %s\n", path, strerror(-error));
    }
    if (!error) error = write_all(&d, is_fidelity, wanted);
    for (size_t i = 1; i < PICTURES && !error; i++) {
        if (pictures[i].is_fidelity != is_fidelity) continue;
        if (wanted[i])
            error = plots_run_gnuplot(folder, pictures[i].script);
        else
            plots_remove_picture(folder, pictures[i].picture);
        has_gnuplot = error != -ENOENT;
    }
    if (is_result && has_gnuplot && error) remove_pictures(folder, is_fidelity);
    for (uint32_t e = 0; e < d.engines_count; e++) free((char *)d.engines[e]);
    free(d.cells);
    json_decref(d.about);
    return error;
}

int figures_draw(const char *folder)
{
    int error = has(folder, "bench.json") ? draw(folder, false) : 0;
    return error || !has(folder, "fidelity.json") ? error : draw(folder, true);
}

void figures_print(FILE *out, const char *folder)
{
    for (size_t i = 1; i < PICTURES; i++) plots_print_picture(out, folder, pictures[i].picture);
}
