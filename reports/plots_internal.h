/* What the files of this folder share: the folder that is drawn, and errors that name file and
 * line. */
#ifndef FAULTLINE_REPORTS_PLOTS_INTERNAL_H
#define FAULTLINE_REPORTS_PLOTS_INTERNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define NODES_MAX 64
#define BAND_ROWS 3

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

/* ---- scripts, carried in the binary: script_SYMBOL is the text of reports/FILE.gp ---- */

#define PLOTS_SCRIPT(symbol, file)                                                             \
    __asm__(".section .rodata\n.global script_" #symbol "\nscript_" #symbol                    \
            ":\n.incbin \"reports/" file ".gp\"\n.byte 0\n.previous\n");                       \
    extern const char script_##symbol[]

/* ---- plots.c: what runs and benchmarks have in common ---- */

int plots_write_script(const struct drawing *d, const char *name, const char *text);
/* 0; -ENOENT without gnuplot; after a message. */
int plots_run_gnuplot(const char *folder, const char *script);
void plots_remove_picture(const char *folder, const char *name);
/* "plot FOLDER/NAME.svg (and .png)" if it is there. */
void plots_print_picture(FILE *out, const char *folder, const char *name);

/* ---- figures.c: folders of `faultline bench engines` ---- */

bool figures_is_here(const char *folder);
int figures_draw(const char *folder); /* as plots_draw */
void figures_print(FILE *out, const char *folder);

/* ---- folder.c: the folder and its result.json ---- */

/* Prints "FOLDER/FILE:LINE: what" (line 0: without) to standard error; returns -EBADMSG. */
int plots_complain(const char *folder, const char *file, size_t line, const char *what);
/* NULL after a message. The path is below the folder. */
FILE *plots_open_in(const struct drawing *d, const char *file, const char *mode);
/* realloc that ends the program (status 3) when memory is out. */
void *plots_grow(void *array, size_t count, size_t size);
int plots_read_result(struct drawing *d);
double plots_seconds(json_int_t ns);
/* Lane of a node by name, counted from below; -1: no node. */
int plots_lane_of(const struct drawing *d, const char *name);
/* A member that is text, else "". */
const char *plots_text_of(const json_t *object, const char *member);
bool plots_integer_member(const json_t *object, const char *member, json_int_t low);
bool plots_integer_field(const char *field, int64_t low, int64_t *value);
/* As a gnuplot string. */
void plots_put_quoted(FILE *out, const char *text);
void plots_put_parameter(FILE *out, const char *name, const char *text);
/* Distance of the time axis's labels, s. */
double plots_nice_step(double duration);

/* ---- data.c: one reader a file; 0 or -errno after a message ---- */

int plots_read_timeline(struct drawing *d, FILE *lanes);
int plots_read_series(struct drawing *d, FILE *lanes);
int plots_read_history(struct drawing *d, FILE *points);
int plots_read_violations(const struct drawing *d, FILE *points);

#endif
