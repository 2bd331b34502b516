/* From a result folder to plots: timeline, latency over time, operations per second by outcome;
 * SVG and PNG, drawn by gnuplot. Reads result folders only. */
#ifndef FAULTLINE_REPORTS_PLOTS_H
#define FAULTLINE_REPORTS_PLOTS_H

#include <stdio.h>

/* Draws every plot of the folder into it (timeline.svg, timeline.png, latency.svg ...). 0; or
 * -errno after a message on standard error: -ENOENT no gnuplot or no result there, -EBADMSG a
 * result file that cannot be read (file and line are named). */
int plots_draw(const char *folder);
/* Prints the paths of the plots, a line each. */
void plots_print(FILE *out, const char *folder);

#endif
