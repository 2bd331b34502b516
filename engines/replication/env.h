/* The only world that a replication scheme sees. One env an instance; the instance runs on a
 * data node (engine, disk, clock) or as a manager (disk and clock, no engine). Every call takes
 * effect at the handler's cost cursor: what is sent after a sync leaves after the sync.
 *
 * Nothing here returns an error for the network: messages may be lost, delayed, duplicated,
 * reordered (datagrams) or cut.
 */
#ifndef FAULTLINE_ENGINES_REPLICATION_ENV_H
#define FAULTLINE_ENGINES_REPLICATION_ENV_H

#include "engines/replication/operation.h"
#include "engines/storage/engine.h"

enum message_class {
    MESSAGE_REPLICATION,
    MESSAGE_CONTROL,
    MESSAGE_CLIENT,
    MESSAGE_REPAIR,
    MESSAGE_CLASSES
};
extern const char *const message_class_words[];

#define ENV_DIRECTORY UINT32_C(0xfffffff0) /* sender of directory answers */
#define ENV_OPERATOR UINT32_C(0xfffffff1)  /* sender of admin commands */

enum role {
    ROLE_NONE,
    ROLE_LEADER,
    ROLE_FOLLOWER,
    ROLE_CANDIDATE,
    ROLE_RECOVERING,
    ROLE_MANAGER,
    ROLE_COORDINATOR,
    ROLE_COUNT
};
extern const char *const role_words[];

/* What an operator would note. `epoch` is term, ballot or epoch; 0 where there is none. */
enum note_kind {
    NOTE_ROLE,              /* a = enum role, b = epoch: this instance now has that role */
    NOTE_LEADER_ELECTED,    /* a = node, b = epoch: decided by a vote, manager or operator */
    NOTE_LEADER_SUSPECTED,  /* a = node: declared dead by a detector */
    NOTE_PROMOTION_REFUSED, /* a = node, b = epoch: a promotion that the configuration forbade
                             */
    NOTE_WRITES_DISCARDED, /* a = operations dropped from this node's log, b = first position */
    NOTE_WRITES_KEPT,      /* a = unreplicated operations that an old leader kept on return */
    NOTE_JOIN_REFUSED,  /* a = unreplicated operations because of which an old leader does not
                           join */
    NOTE_FALLBACK,      /* a = 1: semi-synchronous fell back to asynchronous; 0: restored */
    NOTE_FENCE_ORDERED, /* a = node that is to be shot */
    NOTE_SNAPSHOT,      /* a = node, b = position: a snapshot was sent to (leader) or installed
                           (follower) */
    NOTE_QUORUM_LOST,   /* a = voters seen, b = voters needed */
    NOTE_CATCHING_UP,   /* a = position wanted, b = position had */
    NOTE_FENCED_WRITE,  /* a = token or epoch refused, b = the higher one seen */
    NOTE_PANIC,         /* the instance stops itself: a = errno */
    NOTE_KINDS
};
extern const char *const note_words[];

struct env_peer {
    const char *name, *region;
};

struct env;
struct env_ops {
    int64_t (*wall_now)(struct env *env);      /* ns; skewed, may step */
    int64_t (*monotonic_now)(struct env *env); /* ns; drifts, never steps */
    /* Copies header and slices. to: endpoint of a node or manager. Self-sends are delivered
     * through the inbox. */
    void (*send)(struct env *env, uint32_t to, enum message_class message_class,
                 struct bytes header, const struct bytes *slices, uint32_t slices_count);
    void (*reply)(struct env *env, uint64_t request,
                  const struct reply
                      *reply); /* once per request; an unknown or dead request is ignored */
    /* One timer per id: setting again moves it. Delay in ns of the monotonic clock. timer(id)
     * is called once. */
    void (*timer_set)(struct env *env, uint64_t id, int64_t delay_ns);
    void (*timer_cancel)(struct env *env, uint64_t id);
    uint64_t (*random)(struct env *env);             /* own stream */
    void (*charge)(struct env *env, int64_t cpu_ns); /* moves the cursor */
    void (*note)(struct env *env, enum note_kind kind, uint64_t a, uint64_t b);
    /* In request(): the rest of the handler runs in a read lane: it may only get, scan, send to
     * and reply. */
    void (*detach)(struct env *env);
    /* Asks the directory to name `node` as leader under `epoch`; the answer comes as
     * receive(ENV_DIRECTORY, MESSAGE_CONTROL, directory_answer). */
    void (*claim)(struct env *env, uint32_t node, uint64_t epoch);
    /* STONITH: orders the power-off of a node by a message of class control, sent once, that
     * the network may drop or queue. */
    void (*fence)(struct env *env, uint32_t node);
    /* The instance stops itself as a crash (a failed sync, corruption it may not survive). Does
     * not return. */
    __attribute__((noreturn)) void (*panic)(struct env *env, int error, const char *why);
    __attribute__((noreturn)) void (*check_failed)(struct env *env, const char *expression,
                                                   const char *file, int line);
};

struct env {
    const struct env_ops *ops;
    uint32_t self; /* own endpoint: data nodes are 0 .. nodes-1, managers nodes ..
                      nodes+managers-1 */
    uint32_t nodes, managers;
    uint32_t
        manager_node; /* managers: the data node on whose machine it stands, or UINT32_MAX */
    const struct env_peer *peers; /* [nodes + managers] */
    struct vfs *vfs;              /* the node's disk */
    const char *dir; /* the scheme's own folder on it; not created yet at the first start */
    struct engine *engine; /* NULL for managers. Calls wait for a running maintenance slice,
                              then take effect at the cursor */
    bool engine_sync;      /* engine.sync: always -> writes to the engine are ENGINE_SYNC */
    const struct allocator *allocator; /* the node heap: emptied by a crash */
    uint32_t leader_initial; /* `replication.leader`: the node that leads at the first start */
};

/* Directory protocol, fixed encoding: 13 bytes, u8 accepted, u32 node, u64 epoch: who holds the
 * claim now. */
struct directory_answer {
    bool accepted;
    uint32_t node;
    uint64_t epoch;
};
static inline int directory_answer_decode(struct bytes in, struct directory_answer *out)
{
    if (in.size != 13) return -1;
    const unsigned char *p = in.data;
    *out = (struct directory_answer){p[0] != 0, get_u32(p + 1), get_u64(p + 5)};
    return 0;
}

#define ENV_CHECK(env, condition)                                                              \
    ((condition) ? (void)0 : (env)->ops->check_failed((env), #condition, __FILE__, __LINE__))

#endif
