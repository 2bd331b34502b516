/* The env of a scheme instance: every call takes effect at the handler's cursor.
 *
 * The cursor is the disk's: the disk moves it with each vfs call, charge() moves it by
 * hand, and what is made here is stamped with it. Requests are handles of slot and
 * generation, so that an answer to a request of a dead incarnation, or a second answer, is
 * recognised and ignored.
 */
#define _GNU_SOURCE /* strerrorname_np: the error's name is the same in every locale */
#include "sim/world/node_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/kernel/check.h"

static struct node *node_of(struct env *env)
{
    return (struct node *)env;
}

/* What only the server thread may do (scheme contract: a detached handler gets, scans, sends
 * and replies). */
static void attached(struct node *node, const char *what)
{
    if (node->lane != LANE_READ) return;
    char text[80];
    snprintf(text, sizeof text, "%s() in a detached handler", what);
    node_escape(node, DOWN_CHECK, text);
}

/* ---- requests ---- */

uint64_t node_request_open(struct node *node, uint32_t client, uint64_t number,
                           const struct operation *operation)
{
    uint32_t slot;
    if (node->requests_free) {
        slot = node->requests_free - 1;
        node->requests_free = node->requests[slot].next_free;
    } else {
        if (node->requests_count == node->requests_capacity) {
            node->requests_capacity =
                node->requests_capacity ? node->requests_capacity * 2 : 16;
            node->requests =
                xrealloc(node->requests, node->requests_capacity * sizeof *node->requests);
        }
        slot = node->requests_count++;
        node->requests[slot].generation = 0;
    }
    struct request *request = &node->requests[slot];
    *request = (struct request){.generation = request->generation + 1,
                                .is_open = true,
                                .client = client,
                                .type = operation->type,
                                .number = number,
                                .operation_id = operation->id};
    return (uint64_t)request->generation << 32 | (slot + 1);
}

static void request_close(struct node *node, struct request *request)
{
    request->is_open = false;
    request->next_free = node->requests_free;
    node->requests_free = (uint32_t)(request - node->requests) + 1;
}

void node_requests_drop(struct node *node)
{
    for (uint32_t i = 0; i < node->requests_count; i++)
        if (node->requests[i].is_open) request_close(node, &node->requests[i]);
}

/* ---- time and chance ---- */

static int64_t env_wall_now(struct env *env)
{
    return clock_wall(&node_of(env)->clock, disk_cursor(node_of(env)->disk));
}

static int64_t env_monotonic_now(struct env *env)
{
    return clock_monotonic(&node_of(env)->clock, disk_cursor(node_of(env)->disk));
}

static uint64_t env_random(struct env *env)
{
    attached(node_of(env), "random");
    return rng_u64(&node_of(env)->rng);
}

static void env_charge(struct env *env, int64_t cpu_ns)
{
    ENV_CHECK(env, cpu_ns >= 0);
    struct disk *disk = node_of(env)->disk;
    disk_set_cursor(disk, disk_cursor(disk) + cpu_ns);
}

static void env_timer_set(struct env *env, uint64_t id, int64_t delay_ns)
{
    struct node *node = node_of(env);
    attached(node, "timer_set");
    node_timer_set(node, id, disk_cursor(node->disk), delay_ns);
}

static void env_timer_cancel(struct env *env, uint64_t id)
{
    attached(node_of(env), "timer_cancel");
    node_timer_cancel(node_of(env), id);
}

/* ---- messages ---- */

static void send_payload(struct node *node, uint32_t to, enum message_class message_class,
                         uint32_t kind, struct payload *payload)
{
    struct effect *effect = node_effect(node, disk_cursor(node->disk), EFFECT_SEND);
    effect->to = to;
    effect->message_class = message_class;
    effect->message_kind = kind;
    effect->payload = payload;
    effect->a = to;
    effect->b = (uint64_t)message_class << 8 | kind;
}

static void env_send(struct env *env, uint32_t to, enum message_class message_class,
                     struct bytes header, const struct bytes *slices, uint32_t slices_count)
{
    struct node *node = node_of(env);
    ENV_CHECK(env, to < env->nodes + env->managers);
    ENV_CHECK(env, (unsigned)message_class < MESSAGE_CLASSES);
    send_payload(node, to, message_class, MESSAGE_SCHEME,
                 payload_create(header, slices, slices_count));
}

static void env_reply(struct env *env, uint64_t handle, const struct reply *reply)
{
    struct node *node = node_of(env);
    uint32_t slot = (uint32_t)handle;
    if (slot == 0 || slot > node->requests_count) return;
    struct request *request = &node->requests[slot - 1];
    if (!request->is_open || request->generation != (uint32_t)(handle >> 32)) return;
    unsigned char number[8];
    put_u64(number, request->number);
    buffer_clear(&node->scratch);
    CHECK(!reply_encode(reply, &node->scratch));
    struct bytes body = buffer_bytes(&node->scratch);
    struct effect *effect = node_effect(node, disk_cursor(node->disk), EFFECT_REPLY);
    effect->to = request->client;
    effect->payload = payload_create(bytes_of(number, sizeof number), &body, 1);
    effect->code = (int32_t)request->type;
    effect->a = request->operation_id;
    effect->b = (uint64_t)reply->status;
    request_close(node, request);
}

static void env_claim(struct env *env, uint32_t claimed, uint64_t epoch)
{
    struct node *node = node_of(env);
    attached(node, "claim");
    unsigned char bytes[12];
    put_u32(bytes, claimed);
    put_u64(bytes + 4, epoch);
    send_payload(node, node->directory, MESSAGE_CONTROL, MESSAGE_CLAIM,
                 payload_create(bytes_of(bytes, sizeof bytes), NULL, 0));
}

static void env_fence(struct env *env, uint32_t target)
{
    struct node *node = node_of(env);
    attached(node, "fence");
    ENV_CHECK(env, target < env->nodes);
    send_payload(node, target, MESSAGE_CONTROL, MESSAGE_STONITH,
                 payload_create(bytes_of(NULL, 0), NULL, 0));
}

static void env_note(struct env *env, enum note_kind kind, uint64_t a, uint64_t b)
{
    struct node *node = node_of(env);
    attached(node, "note");
    ENV_CHECK(env, (unsigned)kind < NOTE_KINDS);
    struct effect *effect = node_effect(node, disk_cursor(node->disk), EFFECT_NOTE);
    effect->code = (int32_t)kind;
    effect->a = a;
    effect->b = b;
}

/* ---- lanes ---- */

static void env_detach(struct env *env)
{
    struct node *node = node_of(env);
    if (node->lane == LANE_READ) return;
    ENV_CHECK(env, node->lane == LANE_SERVER && node->in_request);
    node->server_cursor = disk_end(node->disk);
    node->server_tail = node->tail;
    node->tail = NULL;
    uint32_t lane = 0;
    for (uint32_t i = 1; i < node->lanes; i++)
        if (node->lanes_until[i] < node->lanes_until[lane]) lane = i;
    int64_t start = node->lanes_until[lane];
    if (start < node->server_cursor) start = node->server_cursor;
    node->read_lane = lane;
    node->lane = LANE_READ;
    disk_begin(node->disk, start);
}

/* ---- ends ---- */

__attribute__((noreturn)) static void env_panic(struct env *env, int error, const char *why)
{
    struct node *node = node_of(env);
    char text[NODE_WHY_SIZE];
    int number = error < 0 ? -error : error;
    if (number)
        snprintf(text, sizeof text, "%s: %s", why ? why : "panic",
                 strerrorname_np(number) ? strerrorname_np(number) : "error");
    else
        snprintf(text, sizeof text, "%s", why ? why : "panic");
    node_escape(node, DOWN_PANIC, text);
}

__attribute__((noreturn)) static void env_check_failed(struct env *env, const char *expression,
                                                       const char *file, int line)
{
    char text[NODE_WHY_SIZE];
    snprintf(text, sizeof text, "%s (%s:%d)", expression, file, line);
    node_escape(node_of(env), DOWN_CHECK, text);
}

const struct env_ops node_env_ops = {
    .wall_now = env_wall_now,
    .monotonic_now = env_monotonic_now,
    .send = env_send,
    .reply = env_reply,
    .timer_set = env_timer_set,
    .timer_cancel = env_timer_cancel,
    .random = env_random,
    .charge = env_charge,
    .note = env_note,
    .detach = env_detach,
    .claim = env_claim,
    .fence = env_fence,
    .panic = env_panic,
    .check_failed = env_check_failed,
};
