/* The failover manager: the state machine that runs at each manager place. */
#ifndef FAULTLINE_ENGINES_REPLICATION_SINGLE_LEADER_MANAGER_H
#define FAULTLINE_ENGINES_REPLICATION_SINGLE_LEADER_MANAGER_H

#include "engines/replication/scheme.h"

extern const struct scheme_ops single_leader_manager;

#endif
