/* The option table of single_leader and what follows from options alone. */
#ifndef FAULTLINE_ENGINES_REPLICATION_SINGLE_LEADER_OPTIONS_H
#define FAULTLINE_ENGINES_REPLICATION_SINGLE_LEADER_OPTIONS_H

#include "engines/replication/single_leader/single_leader.h"

extern const struct option single_leader_option_table[];
#define SINGLE_LEADER_OPTION_COUNT 35u /* checked in options.c */

const char *single_leader_options_check(const void *options, uint32_t nodes, char *out,
                                        size_t out_size);
void single_leader_promise(const void *options, uint32_t nodes, struct scheme_promise *promise);
const struct option_list *single_leader_manager_places(const void *options);

#endif
