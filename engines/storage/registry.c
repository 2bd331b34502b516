/* All storage engines, in the order in which they are listed. A new engine is one line here. */
#include "engines/storage/engine.h"

#include "engines/storage/hash/hash.h"
#include "engines/storage/log/log.h"

const struct engine_ops *const engine_registry[] = {&engine_log, &engine_hash, NULL};

const struct engine_ops *engine_find(const char *name)
{
    for (size_t i = 0; engine_registry[i]; i++)
        if (strcmp(engine_registry[i]->name, name) == 0) return engine_registry[i];
    return NULL;
}
