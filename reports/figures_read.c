/* The rows of a benchmark's result folder, and how engines look. */
#include "reports/figures.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Okabe and Ito's palette; shapes differ too, for eyes and printers that know no colours. The
 * order is that of the age of the idea. */
static const struct engine_look looks[] = {
    {"log", "#000000", 13, 12}, /* diamond */
    {"hash", "#E69F00", 5, 4},  /* square */
    {"lsm", "#0072B2", 7, 6},   /* circle */
    {"btree", "#009E73", 9, 8}, /* triangle */
    {"", "#CC79A7", 11, 10},    /* an engine that this table does not know yet */
};

const struct engine_look *figures_look(const char *name)
{
    const struct engine_look *look = looks;
    while (*look->name && strcmp(look->name, name)) look++;
    return look;
}

const char *figures_short(double value, char out[32])
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

const char *figures_time(double ns, char out[32])
{
    static const struct {
        double unit;
        const char *name;
    } units[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {1, "ns"}};
    size_t i = 0;
    while (i < 3 && ns < units[i].unit * 0.9995) i++;
    double shown = ns / units[i].unit;
    snprintf(out, 32, shown < 9.95 ? "%.1f %s" : "%.0f %s", shown, units[i].name);
    return out;
}

const char *figures_bytes(double bytes, char out[32])
{
    char number[32];
    figures_short(bytes, number);
    size_t size = strlen(number);
    char letter = number[size - 1];
    bool scaled = letter > '9';
    if (scaled) number[size - 1] = 0;
    snprintf(out, 32, scaled ? "%.12s %cB" : "%.12s B", number, letter);
    return out;
}

/* ---- bench.jsonl ---- */

static double figure(const json_t *row, const char *member)
{
    const json_t *value = json_object_get(row, member);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* The sum over purposes. */
static double sum(const json_t *row, const char *member)
{
    double total = 0;
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(row, member), key, value) total +=
        json_number_value(value);
    return total;
}

int figures_engine(struct figures_drawing *d, const char *name)
{
    for (uint32_t i = 0; i < d->engines_count; i++)
        if (!strcmp(d->engines[i], name)) return (int)i;
    if (d->engines_count == ENGINES_MAX) return -1;
    d->engines[d->engines_count] = strdup(name);
    if (!d->engines[d->engines_count]) return -1;
    return (int)d->engines_count++;
}

static int by_look(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    const struct engine_look *one = figures_look(x), *two = figures_look(y);
    if (one != two) return one < two ? -1 : 1;
    return strcmp(x, y);
}

void figures_order_engines(struct figures_drawing *d)
{
    qsort(d->engines, d->engines_count, sizeof *d->engines, by_look);
}

/* NULL, or what is wrong with the line. */
static const char *read_row(struct figures_drawing *d, const json_t *row)
{
    const char *engine = plots_text_of(row, "engine"),
               *workload = plots_text_of(row, "workload");
    struct figures_cell cell = {0};
    if (!*engine || strlen(engine) >= sizeof cell.engine) return "engine is no name";
    if (!*workload || strlen(workload) >= sizeof cell.workload) return "workload is no name";
    snprintf(cell.engine, sizeof cell.engine, "%s", engine);
    snprintf(cell.workload, sizeof cell.workload, "%s", workload);
    if (figures_engine(d, engine) < 0) return "more than 8 engines";
    if (json_object_get(row, "skipped")) return NULL;
    cell.keys = figure(row, "keys");
    cell.operations = figure(row, "operations");
    cell.seconds = figure(row, "seconds");
    if (!(cell.keys > 0)) return "keys is no number above 0";
    if (!(cell.operations >= 0)) return "operations is no number from 0";
    if (!(cell.seconds >= 0)) return "seconds is no number from 0";
    cell.cpu_seconds = figure(row, "cpu_seconds");
    cell.waited_seconds = figure(row, "waited_seconds");
    cell.rate = figure(row, "rate");
    cell.cpu_rate = figure(row, "cpu_rate");
    cell.write_factor = figure(row, "write_amplification");
    cell.read_factor = figure(row, "read_amplification");
    cell.space_factor = figure(row, "space_amplification");
    cell.read_bytes = sum(row, "read");
    cell.reads = sum(row, "reads");
    cell.p50_ns = figure(row, "p50_ns");
    cell.p99_ns = figure(row, "p99_ns");
    d->cells = plots_grow(d->cells, d->count + 1, sizeof *d->cells);
    d->cells[d->count++] = cell;
    return NULL;
}

/* How many engines have figures of a size; fillsync has a size of its own. */
static uint32_t engines_at(const struct figures_drawing *d, double keys)
{
    uint32_t count = 0;
    for (uint32_t e = 0; e < d->engines_count; e++)
        for (size_t i = 0; i < d->count; i++)
            if (d->cells[i].keys == keys && !strcmp(d->cells[i].engine, d->engines[e])) {
                count++;
                break;
            }
    return count;
}

static void choose_size(struct figures_drawing *d)
{
    uint32_t best = 0;
    for (int pass = 0; pass < 2 && !best; pass++)
        for (size_t i = 0; i < d->count; i++) {
            double keys = d->cells[i].keys;
            if (pass == 0 && !strcmp(d->cells[i].workload, "fillsync")) continue;
            uint32_t here = engines_at(d, keys);
            if (here < best || (here == best && keys <= d->keys_most)) continue;
            best = here;
            d->keys_most = keys;
        }
}

int figures_read(struct figures_drawing *d)
{
    FILE *in = plots_open_in(&d->folder, "bench.jsonl", "r");
    if (!in) return -EIO;
    char *line = NULL;
    size_t capacity = 0, number = 0;
    int error = 0;
    while (!error && getline(&line, &capacity, in) > 0) {
        json_error_t why;
        json_t *row = json_loads(line, 0, &why);
        number++;
        const char *wrong = !row                   ? why.text
                            : !json_is_object(row) ? "is no JSON object"
                                                   : read_row(d, row);
        if (wrong) error = plots_complain(d->folder.folder, "bench.jsonl", number, wrong);
        json_decref(row);
    }
    free(line);
    fclose(in);
    if (error) return error;
    if (!d->count) return plots_complain(d->folder.folder, "bench.jsonl", 0, "has no figures");
    choose_size(d);
    figures_order_engines(d);
    for (size_t i = 0; i < d->count; i++)
        d->cells[i].number = (uint32_t)figures_engine(d, d->cells[i].engine);
    return 0;
}

const struct figures_cell *figures_find(const struct figures_drawing *d, const char *workload,
                                        uint32_t engine, double keys)
{
    for (size_t i = 0; i < d->count; i++) {
        const struct figures_cell *cell = &d->cells[i];
        if (cell->number != engine || strcmp(cell->workload, workload)) continue;
        /* fillsync has its own, smaller number. */
        if (cell->keys == keys || !strcmp(workload, "fillsync")) return cell;
    }
    return NULL;
}
