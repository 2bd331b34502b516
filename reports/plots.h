/* From a result folder to plots: timeline, latency over time, operations per second by outcome;
 * SVG and PNG, drawn by gnuplot. Reads result folders only. */
#ifndef FAULTLINE_REPORTS_PLOTS_H
#define FAULTLINE_REPORTS_PLOTS_H

#include <stdio.h>

/* Draws every plot of the folder into it (timeline.svg, timeline.png, latency.svg ...). 0; or
 * -errno after a message on standard error: -ENOENT no gnuplot or no result there, -EBADMSG a
 * result file that is not as README.md says (file and line are named). A failure leaves no
 * picture behind (but without gnuplot, earlier ones stay). A run shorter than one bucket of
 * series.csv has nothing to draw: that is said, and 0. */
int plots_draw(const char *folder);
/* Prints the paths of the plots that are there, a line each. */
void plots_print(FILE *out, const char *folder);

#endif
