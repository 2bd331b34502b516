/* Looking at a log file that no engine has open: recognise and inspect of engine.h. */
#ifndef FAULTLINE_ENGINES_STORAGE_LOG_INSPECT_H
#define FAULTLINE_ENGINES_STORAGE_LOG_INSPECT_H

#include "engines/storage/engine.h"

int log_recognise(struct vfs *vfs, const char *dir);
int log_inspect(const struct engine_host *host, const char *dir,
                const struct engine_inspector *inspector);

#endif
