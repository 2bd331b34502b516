/* What an operation does to the rows, decided once by the node that orders it: replicas apply
 * the resulting puts and deletes and decide nothing.
 *
 *     struct effects e;
 *     effects_init(&e, env, &overlay);
 *     e.rules = (struct effects_rules){...};
 *     effects_decide(&e, operation, position, &batch, &reply);
 *
 * The state that it decides on is the engine under the overlay of writes that are ordered but
 * not applied. `seen` then says how far the log must be safe before the reply may be sent: an
 * answer that reveals a pending write must not leave before that write is safe.
 *
 * Bookkeeping lives in the engine beside the rows and is written by the same batch, so
 * counters, locks and answers are exactly as durable and as replicated as the rows they speak
 * of:
 *
 *   NUL i prefix  u64  last id given to that table        NUL t       u64  last lock token
 *   NUL l name    lock record, see locks.h                NUL f key   u64  highest token seen
 *   NUL d u64 id  u64 position, reply: an answer given    NUL r u32   u64  id of the answer
 * there NUL R         u64  answers recorded so far            NUL a       a scheme's own, never
 * shipped
 */
#ifndef FAULTLINE_ENGINES_REPLICATION_EFFECTS_H
#define FAULTLINE_ENGINES_REPLICATION_EFFECTS_H

#include "engines/replication/env.h"
#include "engines/replication/overlay.h"

enum id_scheme { IDS_AUTO_INCREMENT, IDS_EPOCH_PREFIXED };
extern const char *const id_scheme_words[];
enum fencing { FENCING_NONE, FENCING_TOKEN };
extern const char *const fencing_words[];

/* Room that bookkeeping keys need beyond the client's key. */
#define EFFECTS_KEY_OVERHEAD 16u

struct effects_rules {
    enum id_scheme ids;
    uint64_t epoch; /* of epoch-prefixed ids and tokens */
    enum fencing fencing;
    int64_t dedup; /* answers remembered for idempotency tokens; 0: none */
};

struct effects {
    struct env *env;
    const struct overlay *overlay; /* NULL: the engine alone */
    struct effects_rules rules;
    uint64_t seen;            /* highest pending position that a look-up met; reset by decide */
    struct buffer key, value; /* the reply's memory until the next call */
    struct buffer scratch, record; /* look-ups */
};

void effects_init(struct effects *effects, struct env *env, const struct overlay *overlay);
void effects_deinit(struct effects *effects);

/* True if the operation changes rows or bookkeeping (all but read, resolve and scan). */
bool operation_is_write(enum operation_type type);

/* Decides a write. Appends to the batch (nothing: the operation changes nothing) and fills the
 * reply, whose key and value stay valid until the next call. position: that of the log entry
 * that the batch will become. Returns 0, or -errno of the engine (reply: STATUS_ERROR). */
int effects_decide(struct effects *effects, const struct operation *operation,
                   uint64_t position, struct engine_batch *batch, struct reply *reply);

/* The value that a write decided now would see; 0, -ENOENT or the engine's error. */
int effects_get(struct effects *effects, struct bytes key, struct buffer *value);
/* A u64 kept under a bookkeeping key, 0 when absent; 0 or -errno. */
int effects_get_u64(struct effects *effects, struct bytes key, uint64_t *number);
int effects_put_u64(struct engine_batch *batch, struct bytes key, uint64_t number);
/* NUL, tag, rest into `scratch`; valid until the next call. */
struct bytes effects_key(struct effects *effects, char tag, struct bytes rest);
/* Next token or id of a counter that stands at `last`, under the id scheme. */
uint64_t effects_next(const struct effects_rules *rules, uint64_t last);

#endif
