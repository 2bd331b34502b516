/* `--trace FILE`: every event of a run as a line of tab-separated text, messages in words. */
#ifndef FAULTLINE_SIM_CAMPAIGN_TRACE_H
#define FAULTLINE_SIM_CAMPAIGN_TRACE_H

#include <stdio.h>

#include "sim/world/world.h"

struct trace_writer {
    FILE *out;
    struct world *world;
    const struct scheme_ops *scheme; /* whose messages it describes */
};

/* An observer for kernel_observe: ns, m:ss, event type, entity, what it is. */
void trace_line(void *writer, const struct event *event);

#endif
