/* The replication log of a node: its own durable sequence of entries, in segment files.
 *
 *     struct replog *log;
 *     replog_open(env, &config, &log);                    recovers; cuts a torn tail
 *     replog_append(log, epoch, time_ns, payload);        in memory
 *     replog_write(log);                                  to the file; synced if so configured
 *     replog_read(log, from, bytes_max, &out, &count);    encoded entries, as they are shipped
 *     replog_close(log);
 *
 * Positions count from 1. An entry's crc covers the crc of the entry before it: equal crc at
 * one position means equal logs up to there. All calls return 0 or -errno; after an error of
 * write or sync the log says nothing about what is durable, and its node must stop.
 */
#ifndef FAULTLINE_ENGINES_REPLICATION_SINGLE_LEADER_REPLOG_H
#define FAULTLINE_ENGINES_REPLICATION_SINGLE_LEADER_REPLOG_H

#include "engines/replication/env.h"

#define REPLOG_HEAD 32u /* of an encoded entry */

/* A place in a log: the entry at `position` and everything before it. */
struct replog_mark {
    uint64_t position, epoch;
    uint32_t crc;
};

struct replog_entry {
    struct replog_mark mark;
    int64_t time_ns;
    struct bytes payload;
};

struct replog_config {
    bool sync;                              /* replog_write syncs */
    int64_t segment_bytes, segment_entries; /* a segment ends after either */
    int64_t retention_entries, retention_bytes;
};

struct replog;
int replog_open(struct env *env, const struct replog_config *config, struct replog **out);
void replog_close(struct replog *log);

struct replog_mark replog_last(const struct replog *log); /* base when empty */
struct replog_mark replog_base(const struct replog *log); /* before the first entry kept */
uint64_t replog_written(const struct replog *log);        /* last position in the file */
uint64_t replog_synced(
    const struct replog *log); /* last position synced by this life, or found at open */
uint64_t replog_memory(const struct replog *log);
/* Mark at base <= position <= last; -ENOENT outside. */
int replog_mark_at(struct replog *log, uint64_t position, struct replog_mark *mark);

int replog_append(struct replog *log, uint64_t epoch, int64_t time_ns, struct bytes payload);
int replog_write(struct replog *log);
int replog_sync(struct replog *log);
/* Forgets what was appended and not written. */
void replog_drop_pending(struct replog *log);
/* Encoded entries from `from` on, at least one, up to bytes_max; count 0 when from > last. */
int replog_read(struct replog *log, uint64_t from, size_t bytes_max, struct buffer *out,
                uint32_t *count);
/* One entry of a run of encoded ones. 0, or -EBADMSG; *at moves behind it. Checks no crc. */
int replog_decode(struct bytes encoded, size_t *at, struct replog_entry *entry);

/* Drops the entries behind `position` (>= base), durably. Nothing may be pending. */
int replog_truncate(struct replog *log, uint64_t position);
/* Drops all and starts behind `base`, durably. */
int replog_reset(struct replog *log, struct replog_mark base);
/* True if retention allows to drop segments whose entries are all <= limit. */
bool replog_may_trim(const struct replog *log, uint64_t limit);
int replog_trim(struct replog *log, uint64_t limit);

/* Runs of equal epochs, oldest first: the epoch and its last position. The first may reach
 * back before the base. */
struct replog_run {
    uint64_t epoch, last;
};
uint32_t replog_runs(const struct replog *log, const struct replog_run **runs);
/* The longest common prefix of a log and the runs of another one, by epochs: the last position
 * of the highest epoch that both have, as far as both have it. 0 when there is none. */
uint64_t replog_common(const struct replog *log, const struct replog_run *runs, uint32_t count);

#endif
