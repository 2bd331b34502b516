/* What a client asks of a replication scheme and what it is answered; with the wire encoding,
 * so that a message holds no pointers.
 *
 * Keys and values are the client's bytes. A scheme may keep bookkeeping in the same engine
 * under keys that begin with a NUL byte; client keys never do.
 */
#ifndef FAULTLINE_ENGINES_REPLICATION_OPERATION_H
#define FAULTLINE_ENGINES_REPLICATION_OPERATION_H

#include <stdbool.h>
#include <stdint.h>

#include "engines/bytes.h"

enum operation_type {
    OPERATION_READ,
    OPERATION_WRITE,
    OPERATION_DELETE,
    OPERATION_COMPARE_AND_SET, /* expected -> value; a mismatch answers STATUS_MISMATCH with the
                                  value that it saw */
    OPERATION_INSERT,  /* the database assigns the key: `key` is the table's prefix, reply.key =
                          prefix + decimal id */
    OPERATION_RESOLVE, /* client side: look an id up in the second store, then READ the row here
                        */
    OPERATION_SCAN,    /* key <= k < value (as upper bound, empty: none), up to `limit` entries;
                          reply.value holds entries as {u32 ksize, u32 vsize, key, value}* */
    OPERATION_LOCK,    /* key = the lock's name, ttl_ns; OK with token, or STATUS_HELD */
    OPERATION_UNLOCK,  /* key, token */
    OPERATION_TYPES
};
extern const char *const operation_words[]; /* "read" ... NULL */

enum operation_level {
    LEVEL_DEFAULT,
    LEVEL_LOCAL,
    LEVEL_LEADER
}; /* reads: what the scheme does by default | whatever this node has | only a leader answers */

struct operation {
    enum operation_type type;
    enum operation_level level;
    struct bytes key, value, expected;
    bool has_expected; /* compare_and_set: false = expects absence */
    uint64_t id; /* unique per logical operation, equal on retries: the idempotency token when
                    retried_with_token */
    bool idempotent; /* the client sends `id` as an idempotency token: the scheme may
                        deduplicate */
    uint64_t
        session_position; /* the answering replica must have applied at least this; 0: none */
    uint64_t fence_token; /* lock token that guards this write; 0: none */
    int64_t ttl_ns;       /* lock */
    uint32_t limit;       /* scan */
};

enum status {
    STATUS_OK,
    STATUS_NOT_FOUND,   /* read or delete of an absent key (a delete has taken effect) */
    STATUS_MISMATCH,    /* compare_and_set: not done; value = what was seen, has_value false =
                           absent */
    STATUS_HELD,        /* lock: somebody else's */
    STATUS_FENCED,      /* refused: a higher fence token or epoch was seen; not done */
    STATUS_NOT_LEADER,  /* refused, not done; leader_hint says where */
    STATUS_UNAVAILABLE, /* refused, not done (too few replicas, not caught up, shutting down) */
    STATUS_INDETERMINATE, /* may or may not take effect (deposed while waiting, durability
                             unknown) */
    STATUS_ERROR,         /* not done: disk error, corruption */
    STATUS_COUNT
};
extern const char *const status_words[];

#define LEADER_UNKNOWN UINT32_MAX

struct reply {
    enum status status;
    struct bytes key; /* insert: the assigned key */
    struct bytes value;
    bool has_value;
    uint64_t position; /* session position after this operation */
    uint64_t epoch;    /* term or epoch under which it was answered; 0: the scheme has none */
    uint64_t token;    /* lock: fencing token */
    uint32_t leader_hint; /* node, or LEADER_UNKNOWN */
};

/* Appends the encoding; 0 or -ENOMEM. Decoding borrows from `bytes`; -EBADMSG when malformed.
 */
int operation_encode(const struct operation *operation, struct buffer *out);
int operation_decode(struct bytes bytes, struct operation *operation);
int reply_encode(const struct reply *reply, struct buffer *out);
int reply_decode(struct bytes bytes, struct reply *reply);

#endif
