/* No replication: every write of a batch goes to the engine as one engine batch (group commit),
 * then the batch is answered.
 *
 *   request (write) --effects_decide--> changes in `batch` and overlay, reply in `held`
 *   flush           --engine_write----> durable if engine.sync is always; overlay empty;
 * replies request (read)  --detach----------> engine as of the last flush; reply
 *
 *   I1  A write is answered after the engine took its batch. With engine.sync always that is
 *       after the sync, so an answered write survives a power loss; with periodic sync or
 *       never, as much is lost as the engine had not synced: what the option says.
 *   I2  A read sees the engine only, never the batch in the making. What it returns has been
 *       written (and synced, as configured), so no crash takes back a value that a reader saw
 *       before it was durable. The writes it misses have not been answered: the read is
 *       ordered before them. Writes of the same batch see each other through the overlay, and
 *       their answers leave together after the engine's write.
 *
 * With several nodes each one refuses but `replication.leader`: there is no copy to serve.
 *
 * Crash: memory holds nothing that is not a pending request. Trouble: a full disk leaves the
 * batch undecided (indeterminate: a torn tail is cut at the next open); any other error of
 * the engine's write means that it cannot say what is durable, and the instance stops itself.
 *
 * Positions: none are given out (0), as there is no second copy to compare with; inspect counts
 * the writes since the start.
 */
#include "engines/replication/none/none.h"

#include <errno.h>
#include <stddef.h>

#include "engines/replication/held.h"
#include "engines/replication/reads.h"

#define REQUEST_CPU_NS 2000 /* decoding and deciding, beside what the node charges */

struct none {
    struct scheme base;
    struct none_options options;
    struct overlay overlay; /* writes of the batch in the making */
    struct effects effects;
    struct engine_batch batch;   /* what flush gives to the engine */
    struct engine_batch changes; /* of one operation */
    struct held held;
    uint64_t writes;  /* decided since the start: the overlay's positions */
    uint64_t applied; /* of them in the engine */
    bool serves;      /* this node is the leader of the configuration */
};

static const struct option none_option_table[] = {
    {.name = "fencing",
     .type = OPTION_WORD,
     .offset = offsetof(struct none_options, fencing),
     .value = "none",
     .words = fencing_words,
     .doc =
         "token: a write with a lock token lower than the highest its key has seen is refused"},
    {.name = "dedup",
     .type = OPTION_INT,
     .offset = offsetof(struct none_options, dedup),
     .value = "10000",
     .low = 0,
     .high = 1 << 30,
     .doc = "answers remembered for idempotency tokens; 0: a retry is a new operation"},
};

static void none_promise(const void *options, uint32_t nodes, struct scheme_promise *promise)
{
    (void)options;
    (void)nodes;
    *promise =
        (struct scheme_promise){.partitions = true, .clock_drift = true, .message_loss = true};
}

/* ---- start and stop ---- */

static void none_stop(struct scheme *scheme)
{
    struct none *none = (struct none *)scheme;
    struct env *env = scheme->env;
    engine_sync(env->engine);
    held_refuse(&none->held, env, STATUS_INDETERMINATE, LEADER_UNKNOWN);
    held_deinit(&none->held);
    effects_deinit(&none->effects);
    overlay_deinit(&none->overlay);
    engine_batch_deinit(&none->batch);
    engine_batch_deinit(&none->changes);
    allocator_free(env->allocator, none, sizeof *none);
}

static int none_start(struct env *env, const void *options, struct scheme **out)
{
    struct none *none = allocator_alloc(env->allocator, sizeof *none);
    if (!none) return -ENOMEM;
    *none = (struct none){
        .base = {&none_scheme, env},
        .options = *(const struct none_options *)options,
        .batch = {.allocator = env->allocator, .encoded = {.allocator = env->allocator}},
        .changes = {.allocator = env->allocator, .encoded = {.allocator = env->allocator}},
        .serves = env->self == env->leader_initial,
    };
    overlay_init(&none->overlay, env->allocator);
    effects_init(&none->effects, env, &none->overlay);
    held_init(&none->held, env->allocator);
    none->effects.rules =
        (struct effects_rules){.fencing = none->options.fencing, .dedup = none->options.dedup};
    if (none->serves) env->ops->note(env, NOTE_ROLE, ROLE_LEADER, 0);
    *out = &none->base;
    return 0;
}

/* ---- requests ---- */

static void none_write(struct none *none, uint64_t request, const struct operation *operation)
{
    struct env *env = none->base.env;
    struct reply reply;
    engine_batch_clear(&none->changes);
    effects_decide(&none->effects, operation, none->writes + 1, &none->changes, &reply);
    reply.position = 0;
    if (none->changes.count) {
        none->writes++;
        struct engine_batch_item item;
        for (size_t at = 0; engine_batch_next(&none->changes, &at, &item);) {
            int err = overlay_put(&none->overlay, none->writes, item.key,
                                  item.is_delete ? NULL : &item.value);
            if (!err)
                err = item.is_delete ? engine_batch_delete(&none->batch, item.key)
                                     : engine_batch_put(&none->batch, item.key, item.value);
            if (err) env->ops->panic(env, -err, "no memory for a batch");
        }
    }
    int err = held_push(&none->held, request, none->writes, 0, &reply);
    if (err) env->ops->panic(env, -err, "no memory for a reply");
}

static void none_request(struct scheme *scheme, uint64_t request,
                         const struct operation *operation)
{
    struct none *none = (struct none *)scheme;
    struct env *env = scheme->env;
    env->ops->charge(env, REQUEST_CPU_NS);
    if (!none->serves) {
        struct reply reply = {.status = STATUS_NOT_LEADER, .leader_hint = env->leader_initial};
        env->ops->reply(env, request, &reply);
        return;
    }
    if (operation_is_write(operation->type)) {
        none_write(none, request, operation);
        return;
    }
    env->ops->detach(env); /* I2 */
    reads_answer(env, request, operation, 0, 0);
}

static void none_flush(struct scheme *scheme)
{
    struct none *none = (struct none *)scheme;
    struct env *env = scheme->env;
    if (none->batch.count) {
        int err = engine_write(env->engine, &none->batch,
                               env->engine_sync ? ENGINE_SYNC : ENGINE_NO_SYNC,
                               env->ops->monotonic_now(env));
        if (err && err != -ENOSPC) env->ops->panic(env, -err, engine_error(env->engine));
        if (err) held_refuse(&none->held, env, STATUS_INDETERMINATE, LEADER_UNKNOWN);
        engine_batch_clear(&none->batch);
        overlay_clear(&none->overlay);
        none->applied = none->writes;
    }
    held_release(&none->held, env, none->writes); /* I1 */
}

/* ---- the rest of the contract ---- */

static void none_receive(struct scheme *scheme, uint32_t from, enum message_class message_class,
                         struct bytes message)
{
    (void)scheme, (void)from, (void)message_class, (void)message;
}

static void none_timer(struct scheme *scheme, uint64_t id)
{
    (void)scheme, (void)id;
}

static int none_admin(struct scheme *scheme, const struct admin_command *command)
{
    struct none *none = (struct none *)scheme;
    if (command->kind == ADMIN_PROMOTE && none->serves) return -EALREADY;
    if (command->kind == ADMIN_DEMOTE && !none->serves) return -EALREADY;
    return -ENOTSUP;
}

static void none_inspect(struct scheme *scheme, struct scheme_inspection *out)
{
    struct none *none = (struct none *)scheme;
    *out = (struct scheme_inspection){
        .role = none->serves ? ROLE_LEADER : ROLE_NONE,
        .last_position = none->writes,
        .commit_position = none->applied,
        .applied_position = none->applied,
        .durable_position = scheme->env->engine_sync ? none->applied : 0,
        .leader = scheme->env->leader_initial,
        .accepts_writes = none->serves,
        .memory_bytes = none->overlay.bytes + none->batch.encoded.capacity,
    };
}

static size_t none_describe(struct bytes message, char *out, size_t out_size)
{
    static const char text[] = "no message of this scheme";
    (void)message;
    if (!out_size) return 0;
    size_t size = sizeof text - 1 < out_size - 1 ? sizeof text - 1 : out_size - 1;
    memcpy(out, text, size);
    out[size] = 0;
    return size;
}

const struct scheme_ops none_scheme = {
    .abi_version = SCHEME_ABI_VERSION,
    .struct_size = sizeof(struct scheme_ops),
    .name = "none",
    .doc = "one node, no copies: the baseline",
    .options = none_option_table,
    .options_count = sizeof none_option_table / sizeof *none_option_table,
    .options_size = sizeof(struct none_options),
    .promise = none_promise,
    .start = none_start,
    .receive = none_receive,
    .request = none_request,
    .timer = none_timer,
    .flush = none_flush,
    .admin = none_admin,
    .inspect = none_inspect,
    .stop = none_stop,
    .describe = none_describe,
};
