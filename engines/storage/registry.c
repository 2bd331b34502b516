/* All storage engines, in the order in which they are listed. A new engine is one line here. */
#include "engines/storage/engine.h"

#include "engines/storage/btree/btree.h"
#include "engines/storage/hash/hash.h"
#include "engines/storage/log/log.h"
#include "engines/storage/lsm/lsm.h"

const struct engine_ops *const engine_registry[] = {&engine_log, &engine_hash, &engine_lsm,
                                                    &engine_btree, NULL};

const struct engine_ops *engine_find(const char *name)
{
    for (size_t i = 0; engine_registry[i]; i++)
        if (strcmp(engine_registry[i]->name, name) == 0) return engine_registry[i];
    return NULL;
}
