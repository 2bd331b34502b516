/* What the tests of the node share: one node under a scheme whose handlers are scripts, and a
 * record of what the world saw.
 *
 * The script is the key of the request, one word an action, in order:
 *
 *     c20      charge 20 us              w, s    write to the scheme's file, sync it
 *     p, g, i  put to, get from, scan the engine
 *     r        reply: OK, or ERROR when what was done last failed
 *     b        put, answered by flush after one engine_sync for the whole batch
 *     n7       note CATCHING_UP 7        m1      send a message to endpoint 1
 *     t3,50    timer 3 in 50 us          x3      cancel timer 3
 *     d        detach                    R       random draw
 *     f1       fence node 1              l1      claim for node 1 under epoch 5
 *     L7       lead under epoch 7        z       reply to request handle 1
 *     F3       note FENCED_WRITE 3       D4      note WRITES_DISCARDED 4
 *     P        panic                     K, C    failed ENV_CHECK, failed CHECK
 *
 * A timer that fires notes SNAPSHOT id, a message JOIN_REFUSED from, a directory's answer
 * QUORUM_LOST node, a command FALLBACK kind.
 *
 * What happens is recorded as text with its time in ns. A reply's time is its departure. The
 * network takes 1 ms, the disk 1 us a buffered write and 100 us a sync, a handler 10 us.
 */
#ifndef FAULTLINE_TESTS_WORLD_NODE_FIXTURE_H
#define FAULTLINE_TESTS_WORLD_NODE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>

#include <cmocka.h>

#include "sim/kernel/check.h"
#include "sim/world/node.h"

#define US NS_PER_US
#define MS NS_PER_MS
#define LATENCY (1 * MS)
#define HANDLER (10 * US)
#define SYNC (100 * US)
#define CALL (1 * US)
#define CLIENT 1u /* endpoint; the node is 0 */
#define LOG_MAX 4096

struct line {
    int64_t time;
    char text[80];
};

struct bench {
    struct kernel *kernel;
    struct network *network;
    struct node *node;
    struct line lines[LOG_MAX];
    uint32_t lines_count;
    uint64_t next_number;
};

static inline void bench_log(struct bench *bench, int64_t time, const char *format, ...)
{
    va_list arguments;
    assert_true(bench->lines_count < LOG_MAX);
    struct line *line = &bench->lines[bench->lines_count++];
    line->time = time;
    va_start(arguments, format);
    vsnprintf(line->text, sizeof line->text, format, arguments);
    va_end(arguments);
}

/* ---- the scripted scheme ---- */

#define SCRIPT_BATCH 128

struct script {
    struct scheme base;
    struct vfs_file *file;
    uint64_t written, waiting[SCRIPT_BATCH];
    uint32_t waiting_count;
    int found; /* what the last get or scan returned */
};

static const struct scheme_ops script_scheme;

static inline int script_start(struct env *env, const void *options, struct scheme **out)
{
    struct script *script = allocator_alloc(env->allocator, sizeof *script);
    memset(script, 0, sizeof *script);
    script->base = (struct scheme){&script_scheme, env};
    if (options && *(const int *)options) return *(const int *)options;
    int err = vfs_mkdir(env->vfs, env->dir);
    if (err && err != -EEXIST) return err;
    char path[64];
    snprintf(path, sizeof path, "%s/log", env->dir);
    err = vfs_open(env->vfs, path, VFS_WRITE | VFS_CREATE, &script->file);
    if (err) return err;
    err = vfs_size(script->file, &script->written);
    if (!err) err = vfs_sync_dir(env->vfs, env->dir);
    if (!err) err = vfs_sync_dir(env->vfs, "");
    if (err) return err;
    if (env->self == env->leader_initial) env->ops->note(env, NOTE_ROLE, ROLE_LEADER, 1);
    *out = &script->base;
    return 0;
}

static inline void script_receive(struct scheme *scheme, uint32_t from,
                                  enum message_class message_class, struct bytes message)
{
    (void)message_class;
    struct env *env = scheme->env;
    if (from == ENV_DIRECTORY) {
        struct directory_answer answer;
        if (!directory_answer_decode(message, &answer))
            env->ops->note(env, NOTE_QUORUM_LOST, answer.node, answer.accepted);
        return;
    }
    env->ops->note(env, NOTE_JOIN_REFUSED, from, 0);
}

static inline void script_timer(struct scheme *scheme, uint64_t id)
{
    scheme->env->ops->note(scheme->env, NOTE_SNAPSHOT, id, 0);
}

static inline int script_admin(struct scheme *scheme, const struct admin_command *command)
{
    scheme->env->ops->note(scheme->env, NOTE_FALLBACK, (uint64_t)command->kind, command->node);
    return command->kind == ADMIN_ADD ? -ENOTSUP : 0;
}

static inline void script_inspect(struct scheme *scheme, struct scheme_inspection *out)
{
    struct script *script = (struct script *)scheme;
    *out = (struct scheme_inspection){.role = ROLE_LEADER,
                                      .epoch = 1,
                                      .last_position = script->written,
                                      .leader = 0,
                                      .accepts_writes = true};
}

static inline void script_reply(struct script *script, uint64_t request, enum status status)
{
    script->base.env->ops->reply(script->base.env, request,
                                 &(struct reply){.status = status,
                                                 .epoch = 1,
                                                 .position = (uint64_t)(int64_t)script->found,
                                                 .leader_hint = LEADER_UNKNOWN});
}

static inline void script_request(struct scheme *scheme, uint64_t request,
                                  const struct operation *operation)
{
    struct script *script = (struct script *)scheme;
    struct env *env = scheme->env;
    char text[256], *rest = text;
    snprintf(text, sizeof text, "%.*s", (int)operation->key.size,
             (const char *)operation->key.data);
    char *position = NULL;
    for (char *word = strtok_r(rest, " ", &position); word;
         word = strtok_r(NULL, " ", &position)) {
        long long number = atoll(word + 1);
        const char *comma = strchr(word, ',');
        switch (*word) {
        case 'c': env->ops->charge(env, number * US); break;
        case 'w':
            script->found =
                vfs_write(script->file, script->written, BYTES_LITERAL("x"), VFS_LOG);
            script->written += !script->found;
            break;
        case 's': script->found = vfs_sync(script->file, VFS_LOG); break;
        case 'p':
            script->found = engine_put(env->engine, operation->key, operation->value,
                                       env->allocator, ENGINE_SYNC, 0);
            break;
        case 'b':
            script->found = engine_put(env->engine, operation->value, operation->value,
                                       env->allocator, ENGINE_NO_SYNC, 0);
            script->waiting[script->waiting_count++] = request;
            break;
        case 'g': {
            struct buffer value = {.allocator = env->allocator};
            script->found = engine_get(env->engine, operation->value, &value);
            buffer_deinit(&value);
            break;
        }
        case 'i': {
            struct engine_cursor *cursor;
            struct bytes key, value;
            script->found = engine_scan_open(env->engine, &(struct engine_range){0}, &cursor);
            if (script->found) break;
            while ((script->found = engine_scan_next(cursor, &key, &value)) == 1) continue;
            engine_scan_close(cursor);
            break;
        }
        case 'r':
            script_reply(script, request, script->found < 0 ? STATUS_ERROR : STATUS_OK);
            break;
        case 'n': env->ops->note(env, NOTE_CATCHING_UP, (uint64_t)number, 0); break;
        case 'm':
            env->ops->send(env, (uint32_t)number, MESSAGE_REPLICATION, BYTES_LITERAL("hello"),
                           NULL, 0);
            break;
        case 't': env->ops->timer_set(env, (uint64_t)number, atoll(comma + 1) * US); break;
        case 'x': env->ops->timer_cancel(env, (uint64_t)number); break;
        case 'd': env->ops->detach(env); break;
        case 'P': env->ops->panic(env, -EIO, "scripted"); break;
        case 'K': ENV_CHECK(env, *word == 'k'); break;
        case 'C': CHECK(*word == 'c'); break;
        case 'f': env->ops->fence(env, (uint32_t)number); break;
        case 'l': env->ops->claim(env, (uint32_t)number, 5); break;
        case 'z': script_reply(script, ((uint64_t)1 << 32) + 1, STATUS_OK); break;
        case 'R': env->ops->random(env); break;
        case 'F': env->ops->note(env, NOTE_FENCED_WRITE, (uint64_t)number, 9); break;
        case 'D': env->ops->note(env, NOTE_WRITES_DISCARDED, (uint64_t)number, 1); break;
        case 'L': env->ops->note(env, NOTE_ROLE, ROLE_LEADER, (uint64_t)number); break;
        default: fail_msg("no such word: %s", word);
        }
    }
}

static inline void script_flush(struct scheme *scheme)
{
    struct script *script = (struct script *)scheme;
    if (!script->waiting_count) return;
    script->found = engine_sync(scheme->env->engine);
    for (uint32_t i = 0; i < script->waiting_count; i++)
        script_reply(script, script->waiting[i], script->found ? STATUS_ERROR : STATUS_OK);
    script->waiting_count = 0;
}

static const struct scheme_ops script_scheme = {
    .abi_version = SCHEME_ABI_VERSION,
    .struct_size = sizeof(struct scheme_ops),
    .name = "script",
    .doc = "",
    .start = script_start,
    .receive = script_receive,
    .request = script_request,
    .timer = script_timer,
    .flush = script_flush,
    .admin = script_admin,
    .inspect = script_inspect,
};

/* ---- what is recorded ---- */

static inline void seen_note(void *context, uint32_t endpoint, enum note_kind kind, uint64_t a,
                             uint64_t b)
{
    (void)endpoint, (void)b;
    struct bench *bench = context;
    const char *word = kind == NOTE_CATCHING_UP    ? "note"
                       : kind == NOTE_SNAPSHOT     ? "timer"
                       : kind == NOTE_JOIN_REFUSED ? "message"
                       : kind == NOTE_QUORUM_LOST  ? "answer"
                       : kind == NOTE_FALLBACK     ? "admin"
                                                   : NULL;
    if (word)
        bench_log(bench, kernel_now(bench->kernel), "%s %llu", word, (unsigned long long)a);
}

static inline void seen_acknowledged(void *context, uint32_t endpoint, uint64_t id,
                                     enum operation_type type, const struct reply *reply)
{
    (void)endpoint, (void)type, (void)reply;
    struct bench *bench = context;
    bench_log(bench, kernel_now(bench->kernel), "ack %llu", (unsigned long long)id);
}

static inline void seen_down(void *context, uint32_t endpoint, enum down_cause cause,
                             const char *why)
{
    (void)endpoint;
    struct bench *bench = context;
    bench_log(bench, kernel_now(bench->kernel), "down %d %.60s", (int)cause, why);
}

static inline void seen_up(void *context, uint32_t endpoint, int error, int64_t recovery_ns)
{
    (void)endpoint, (void)recovery_ns;
    struct bench *bench = context;
    bench_log(bench, kernel_now(bench->kernel), "up %d", error);
}

static inline void client_receive(void *context, uint32_t from,
                                  enum message_class message_class, uint32_t kind,
                                  struct payload *payload)
{
    (void)from, (void)message_class;
    struct bench *bench = context;
    int64_t departed = kernel_now(bench->kernel) - LATENCY;
    if (kind == MESSAGE_REPLY) {
        struct reply reply;
        assert_int_equal(reply_decode(bytes_of(payload->data + 8, payload->size - 8), &reply),
                         0);
        bench_log(bench, departed, "reply %llu %d", (unsigned long long)get_u64(payload->data),
                  (int)reply.status);
    } else if (kind == MESSAGE_SCHEME) {
        bench_log(bench, departed, "sent");
    } else if (kind == MESSAGE_CLAIM) {
        bench_log(bench, departed, "claim %u", get_u32(payload->data));
    } else if (kind == MESSAGE_STONITH) {
        bench_log(bench, departed, "stonith");
    }
}

/* ---- the bench ---- */

static inline struct dist constant(int64_t value)
{
    return (struct dist){.kind = DIST_CONSTANT, .a = value};
}

static inline struct node_config bench_config(void)
{
    static const struct engine_ops *engine;
    engine = engine_find("hash");
    return (struct node_config){
        .name = "n0",
        .endpoint = 0,
        .manager_node = UINT32_MAX,
        .engine = engine,
        .scheme = &script_scheme,
        .handler_ns = HANDLER,
        .maintain_every_ns = 3600 * NS_PER_S,
        .disk = {.read_latency = constant(50 * US),
                 .write_latency = constant(0),
                 .sync_latency = constant(SYNC),
                 .queue_depth = 4,
                 .cache_bytes = 1 << 20,
                 .cache_hit_ns = 0,
                 .cache_write_ns = CALL,
                 .copy_read_bytes_per_s = INT64_C(10000000000),
                 .copy_write_bytes_per_s = INT64_C(10000000000),
                 .name_ns = CALL,
                 .power_mode = DISK_ALL_LOST},
    };
}

static inline struct bench *bench_create_with(const struct node_config *config, uint64_t seed,
                                              enum kernel_ties ties)
{
    static const struct env_peer peers[] = {{"n0", "r"}, {"n1", "r"}};
    struct bench *bench = calloc(1, sizeof *bench);
    bench->kernel = kernel_create(&(struct kernel_config){.seed = seed, .ties = ties});
    bench->network = network_create(bench->kernel,
                                    &(struct network_config){.latency = constant(LATENCY),
                                                             .local_latency = constant(10 * US),
                                                             .transport = NETWORK_DATAGRAM});
    struct node_listener listener = {
        .context = bench,
        .note = seen_note,
        .acknowledged = seen_acknowledged,
        .down = seen_down,
        .up = seen_up,
    };
    bench->node =
        node_create(bench->kernel, bench->network, CLIENT, config, peers, 2, 0, &listener);
    network_add(bench->network, "n0", 0, NETWORK_OWN_MACHINE, node_receive, bench->node);
    network_add(bench->network, "client", 0, NETWORK_OWN_MACHINE, client_receive, bench);
    return bench;
}

/* A bench whose node is up; tests begin at 1 s. */
static inline struct bench *bench_create(void)
{
    struct node_config config = bench_config();
    struct bench *bench = bench_create_with(&config, 1, TIES_FIFO);
    assert_true(node_start(bench->node));
    kernel_run(bench->kernel, NS_PER_S);
    assert_true(node_is_up(bench->node));
    bench->lines_count = 0;
    return bench;
}

static inline void bench_destroy(struct bench *bench)
{
    node_destroy(bench->node);
    network_destroy(bench->network);
    kernel_destroy(bench->kernel);
    free(bench);
}

/* A request with this script arrives at the node right now. Its number, which is also its
 * operation's id. */
static inline uint64_t ask(struct bench *bench, const char *script)
{
    uint64_t number = ++bench->next_number;
    unsigned char head[8], value[24];
    put_u64(head, number);
    int size = snprintf((char *)value, sizeof value, "%llu.v", (unsigned long long)number);
    struct buffer body = {.allocator = &allocator_system};
    operation_encode(&(struct operation){.type = OPERATION_WRITE,
                                         .key = bytes_string(script),
                                         .value = bytes_of(value, (size_t)size),
                                         .id = number},
                     &body);
    struct bytes slice = buffer_bytes(&body);
    struct payload *payload = payload_create(bytes_of(head, 8), &slice, 1);
    node_receive(bench->node, CLIENT, MESSAGE_CLIENT, MESSAGE_REQUEST, payload);
    payload_release(payload);
    buffer_deinit(&body);
    return number;
}

static inline void run_to(struct bench *bench, int64_t time)
{
    kernel_run(bench->kernel, time);
}

/* When that was seen first, in ns after 1 s; -1 never. */
static inline int64_t when(const struct bench *bench, const char *text)
{
    for (uint32_t i = 0; i < bench->lines_count; i++)
        if (!strcmp(bench->lines[i].text, text)) return bench->lines[i].time - NS_PER_S;
    return -1;
}

static inline uint32_t count_of(const struct bench *bench, const char *prefix)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < bench->lines_count; i++)
        count += !strncmp(bench->lines[i].text, prefix, strlen(prefix));
    return count;
}

/* Does something to the node at a time, before everything else of that instant. */
struct deed {
    struct bench *bench;
    void (*what)(struct bench *bench);
};
static inline void deed_fire(struct kernel *kernel, const struct event *event)
{
    (void)kernel;
    struct deed *deed = event->context;
    deed->what(deed->bench);
    free(deed);
}
static const struct event_type deed_event = {"deed", EVENT_ID('d', 'e', 'e', 'd'), deed_fire};
static inline void at(struct bench *bench, int64_t after_1s, void (*what)(struct bench *bench))
{
    struct deed *deed = malloc(sizeof *deed);
    *deed = (struct deed){bench, what};
    kernel_schedule_first(bench->kernel, NS_PER_S + after_1s, &deed_event, deed, 0, 0, 0);
}

static inline void do_crash(struct bench *bench)
{
    node_crash(bench->node, DOWN_CRASH, "");
}
static inline void do_power_off(struct bench *bench)
{
    node_power_off(bench->node, DISK_ALL_LOST, DOWN_POWER_OFF);
}
static inline void do_pause(struct bench *bench)
{
    node_pause(bench->node);
}
static inline void do_resume(struct bench *bench)
{
    node_resume(bench->node);
}
static inline void do_start(struct bench *bench)
{
    node_start(bench->node);
}

#endif
