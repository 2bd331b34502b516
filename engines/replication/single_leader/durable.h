/* Small records that must survive: one file each in the scheme's folder, replaced as a whole.
 */
#ifndef FAULTLINE_ENGINES_REPLICATION_SINGLE_LEADER_DURABLE_H
#define FAULTLINE_ENGINES_REPLICATION_SINGLE_LEADER_DURABLE_H

#include "engines/replication/env.h"

#define DURABLE_PATH_SIZE 512u

/* dir/name; 0 or -ENAMETOOLONG. */
int durable_path(const struct env *env, const char *name, char out[DURABLE_PATH_SIZE]);
/* Makes the scheme's folder unless it is there, durably. */
int durable_folder(struct env *env);
/* Old or new after a crash, never a mixture; new once this returns 0. */
int durable_save(struct env *env, const char *name, struct bytes record);
/* 0, -ENOENT, -EBADMSG (corrupt) or the disk's error. */
int durable_load(struct env *env, const char *name, struct buffer *record);
/* What a node or manager remembers of the leadership. */
struct durable_role {
    uint64_t epoch;     /* highest seen */
    uint64_t voted;     /* manager: highest epoch voted for */
    uint32_t leader;    /* manager: whom it takes for the leader; node: itself if it led */
    uint32_t voted_for; /* manager: to whom that vote went */
};
int durable_save_role(struct env *env, const struct durable_role *role);
int durable_load_role(struct env *env, struct durable_role *role);

#endif
