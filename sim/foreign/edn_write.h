/* Any operations as Jepsen's events in EDN, one a line, so that Knossos, Elle and Porcupine can
 * judge what was judged here. */
#ifndef FAULTLINE_SIM_FOREIGN_EDN_WRITE_H
#define FAULTLINE_SIM_FOREIGN_EDN_WRITE_H

#include <stdio.h>

#include "sim/foreign/foreign.h"

struct edn_written {
    uint64_t events;
    uint64_t lost; /* failed compare-and-sets, inserts and removals that don't tell what they
                      saw: written as :fail, which says nothing to Knossos and Elle */
};

/* First line of a file whose events have no order in time beyond that of each process. */
#define EDN_NO_TIME "; faultline: order within a process only"

/* 0 or -errno. */
int foreign_write_edn(const struct foreign *foreign, FILE *out, struct edn_written *written);

#endif
