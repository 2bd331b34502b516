/* What the files of the benchmark's plots share: the rows of bench.jsonl, engines in their
 * fixed order with fixed colours and shapes, the files of FOLDER/plots. */
#ifndef FAULTLINE_REPORTS_FIGURES_H
#define FAULTLINE_REPORTS_FIGURES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "reports/plots_internal.h"

#define ENGINES_MAX 8

/* What is read of one line; a figure that is null or absent is NAN. */
struct figures_cell {
    char engine[24], workload[24];
    uint32_t number; /* of the engine, in the order of the drawing */
    double keys, operations, seconds, cpu_seconds, waited_seconds, rate, cpu_rate;
    double write_factor, read_factor, space_factor, read_bytes, reads;
    double p50_ns, p99_ns;
};

struct figures_drawing {
    struct drawing folder; /* for plots_open_in */
    json_t *about;         /* bench.json or fidelity.json */
    bool is_real;
    struct figures_cell *cells;
    size_t count;
    const char *engines[ENGINES_MAX];
    uint32_t engines_count;
    double keys_most; /* figures of one size: the largest that most engines were measured at */
};

/* The engine's colour and point shape, the same in every picture. */
struct engine_look {
    const char *name, *colour;
    int shape, hollow; /* gnuplot's pointtype */
};
const struct engine_look *figures_look(const char *name);

/* Its number, a new one if it is new; -1: too many. Numbers hold once figures_order_engines()
 * has put all engines into the order of their looks. */
int figures_engine(struct figures_drawing *d, const char *name);
void figures_order_engines(struct figures_drawing *d);
/* A number of bench.json or fidelity.json. */
double figures_setting(const struct figures_drawing *d, const char *name);

/* bench.jsonl; 0 or -errno after a message. */
int figures_read(struct figures_drawing *d);
const struct figures_cell *figures_find(const struct figures_drawing *d, const char *workload,
                                        uint32_t engine, double keys);
/* "1.35M", "12.4k", "8.8". */
const char *figures_short(double value, char out[32]);
/* "148 B", "2.3 kB". */
const char *figures_bytes(double bytes, char out[32]);
/* "320 ns", "1.4 ms". */
const char *figures_time(double ns, char out[32]);

/* Each writes its data and parameters below FOLDER/plots; 1: there is something to draw, 0:
 * nothing, or -errno after a message. */
int figures_write_rates(struct figures_drawing *d);
int figures_write_latencies(struct figures_drawing *d);
int figures_write_amplification(struct figures_drawing *d);
int figures_write_growth(struct figures_drawing *d);
int figures_write_fidelity(struct figures_drawing *d); /* reads fidelity.jsonl itself */

#endif
