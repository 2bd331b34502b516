/* Names every replication scheme; each is a folder beside this file. */
#include "engines/replication/none/none.h"
#include "engines/replication/scheme.h"
#include "engines/replication/single_leader/single_leader.h"

const struct scheme_ops *const scheme_registry[] = {&none_scheme, &single_leader_scheme, NULL};

const struct scheme_ops *scheme_find(const char *name)
{
    for (size_t i = 0; scheme_registry[i]; i++)
        if (strcmp(scheme_registry[i]->name, name) == 0) return scheme_registry[i];
    return NULL;
}
