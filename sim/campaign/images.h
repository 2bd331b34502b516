/* What stood on the nodes' disks when a run ended, as files of this machine: engine-dump and
 * engine-check look into them.
 *
 *     images_write(run, "images", &where);     // images/db-a/data/..., images/db-b/data/...
 */
#ifndef FAULTLINE_SIM_CAMPAIGN_IMAGES_H
#define FAULTLINE_SIM_CAMPAIGN_IMAGES_H

#include "sim/campaign/run.h"

/* Creates the folder (and its parents) and in it a folder a node, nodes that are down included.
 * Contents are what a process of the node would read: of a machine that runs, what is not
 * synced too. 0 or -errno, with the path at fault in where (size bytes). The run is not
 * changed. */
int images_write(struct run *run, const char *folder, char *where, size_t where_size);

#endif
