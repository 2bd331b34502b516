/* From fidelity.jsonl (`faultline bench engines --fidelity --out`) to one picture: simulated
 * against real rates. fidelity.tsv: real, simulated, engine; the worst cells are named beside
 * the plot.
 */
#include "reports/figures.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NAMED 8u

struct fidelity_cell {
    char engine[24], workload[24];
    double real, simulated, off; /* off: how many times too much or too little */
    uint32_t number;
};

static const char *read_row(struct figures_drawing *d, const json_t *row,
                            struct fidelity_cell *cell)
{
    const char *engine = plots_text_of(row, "engine"),
               *workload = plots_text_of(row, "workload");
    if (!*engine || strlen(engine) >= sizeof cell->engine) return "engine is no name";
    if (!*workload || strlen(workload) >= sizeof cell->workload) return "workload is no name";
    snprintf(cell->engine, sizeof cell->engine, "%s", engine);
    snprintf(cell->workload, sizeof cell->workload, "%s", workload);
    cell->real = json_number_value(json_object_get(row, "real_rate"));
    cell->simulated = json_number_value(json_object_get(row, "simulated_rate"));
    if (!(cell->real > 0)) return "real_rate is no number above 0";
    if (!(cell->simulated > 0)) return "simulated_rate is no number above 0";
    double ratio = cell->simulated / cell->real;
    cell->off = ratio < 1 ? 1 / ratio : ratio;
    return figures_engine(d, engine) < 0 ? "more than 8 engines" : NULL;
}

static int read_cells(struct figures_drawing *d, struct fidelity_cell **cells, size_t *count)
{
    FILE *in = plots_open_in(&d->folder, "fidelity.jsonl", "r");
    if (!in) return -EIO;
    char *line = NULL;
    size_t capacity = 0, number = 0;
    int error = 0;
    while (!error && getline(&line, &capacity, in) > 0) {
        json_error_t why;
        json_t *row = json_loads(line, 0, &why);
        struct fidelity_cell cell = {0};
        number++;
        const char *wrong = !row                   ? why.text
                            : !json_is_object(row) ? "is no JSON object"
                                                   : read_row(d, row, &cell);
        if (wrong) error = plots_complain(d->folder.folder, "fidelity.jsonl", number, wrong);
        json_decref(row);
        if (error) break;
        *cells = plots_grow(*cells, *count + 1, sizeof **cells);
        (*cells)[(*count)++] = cell;
    }
    free(line);
    fclose(in);
    if (!error && !*count)
        error = plots_complain(d->folder.folder, "fidelity.jsonl", 0, "has no cells");
    return error;
}

static int by_off(const void *a, const void *b)
{
    const struct fidelity_cell *x = a, *y = b;
    if (x->off != y->off) return x->off > y->off ? -1 : 1;
    int order = strcmp(x->engine, y->engine);
    return order ? order : strcmp(x->workload, y->workload);
}

static int write_range(struct figures_drawing *d, const struct fidelity_cell *cells,
                       size_t count)
{
    FILE *out = plots_open_in(&d->folder, "plots/fidelity-range.gp", "w");
    if (!out) return -EIO;
    double low = INFINITY, high = 0;
    for (size_t i = 0; i < count; i++) {
        low = fmin(low, fmin(cells[i].real, cells[i].simulated));
        high = fmax(high, fmax(cells[i].real, cells[i].simulated));
    }
    double median = (cells[(count - 1) / 2].off + cells[count / 2].off) / 2 - 1;
    fprintf(out, "low = %.6g\nhigh = %.6g\ncells = %zu\nmedian_error = %.6g\n", low / 2,
            high * 2, count, median);
    char keys[32];
    fprintf(out,
            "fidelity_made = \"bench engines --fidelity, %s keys, values of %lld B, median of "
            "%lld; CPU of this host on both sides\"\n",
            figures_short(figures_setting(d, "keys"), keys),
            (long long)figures_setting(d, "value_size"),
            (long long)figures_setting(d, "repeat"));
    /* A column beside the plot: at their points, names of cells that are wrong alike would lie
     * on each other. */
    for (size_t i = 0; i < count && i < NAMED; i++) {
        char text[96];
        const struct fidelity_cell *cell = &cells[i];
        snprintf(text, sizeof text, "%s %s %.2f", cell->engine, cell->workload,
                 cell->simulated / cell->real);
        fprintf(out, "set label %zu ", 300 + i);
        plots_put_quoted(out, text);
        fprintf(out, " at screen 0.815,screen %.3f left font ',11' textcolor rgb '%s'\n",
                0.65 - 0.032 * (double)i, figures_look(cell->engine)->colour);
    }
    return fclose(out) ? -EIO : 0;
}

int figures_write_fidelity(struct figures_drawing *d)
{
    struct fidelity_cell *cells = NULL;
    size_t count = 0;
    int error = read_cells(d, &cells, &count);
    if (!error) {
        figures_order_engines(d);
        qsort(cells, count, sizeof *cells, by_off);
        error = write_range(d, cells, count);
    }
    FILE *points = error ? NULL : plots_open_in(&d->folder, "plots/fidelity.tsv", "w");
    if (!error && !points) error = -EIO;
    for (size_t i = 0; !error && i < count; i++)
        fprintf(points, "%.6g\t%.6g\t%d\n", cells[i].real, cells[i].simulated,
                figures_engine(d, cells[i].engine));
    if (points && fclose(points) && !error) error = -EIO;
    free(cells);
    return error ? error : 1;
}
