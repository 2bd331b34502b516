/* A node: a process on a machine, and how it spends virtual time.
 *
 * States of the process, with what moves it:
 *
 *            node_start            EFFECT_UP (error 0)         node_pause
 *     DOWN -------------> BOOTING --------------------> UP <-------------> paused
 *      ^                     |                           |   node_resume      |
 *      +---------------------+---------------------------+--------------------+
 *        EFFECT_UP (error)      node_crash, node_power_off, node_wipe, EFFECT_FAIL
 *
 * The server thread takes up to `batch` entries from the inbox when it is free, runs a
 * handler for each, then flush once: all in one event of the kernel, at a cursor that runs
 * ahead of virtual time (the disk holds it). It is busy until the cursor's end; what it did
 * on the way are effects, see node_effects.c. A handler that detaches goes on in a read
 * lane with a cursor of its own; engine maintenance has another one, see node_engine.c.
 *
 *     now          cursor -->                                 busy_until
 *      |-- handler --|-- handler --|------ flush (sync) -------|
 *           ^ send departs               ^ sync completes  ^ reply leaves
 *                        x crash here: sent, not synced, not answered
 *
 * Invariants
 *   I1  Node code runs only inside node_guarded: at most one piece of it at a time, its
 *       broken contracts and panics unwind to there, and it has no other way into the
 *       simulator than env, vfs and allocator.
 *   I2  No effect is earlier than the code that made it, and none is seen before its stamp.
 *   I3  A stop at time c leaves what was stamped before c and nothing after: effects and
 *       timers are dropped, the disk takes back its own. If an effect of the node has fired
 *       at c itself, the stop counts as just after c (stop_time), so that what an answer
 *       rests on is not taken back from under it.
 *   I4  While paused, nothing fires and no code runs. At the end everything that was still
 *       to come comes later by the pause's length; the clock went on, so timers that came
 *       due meanwhile are in the inbox, with the messages that arrived.
 *   I5  A stop empties the heap, the inbox and the open requests. Only disk and clock
 *       survive.
 *
 * A panic at cursor p is itself an effect, stamped one nanosecond after p: what came before
 * it happens, and a crash in between makes it void. Until then the node is doomed: it runs
 * no more code.
 *
 * While it boots, a node listens already: what arrives waits in the inbox. A message for a
 * process that is down is gone. Timers and commands are never refused for lack of room in
 * the inbox.
 *
 * Not modelled: more than one server thread; CPU contention between lanes; swapping; that
 * connections break with their process (a message on its way to a process that dies reaches
 * the one that is started after it).
 */
#include "sim/world/node_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/kernel/check.h"

#define BATCH_DEFAULT 64
#define INBOX_DEFAULT 10000
#define LANES_DEFAULT 8
#define HANDLER_NS_DEFAULT (2 * NS_PER_US)
#define MAINTAIN_EVERY_DEFAULT (100 * NS_PER_MS)
#define MAINTAIN_BUDGET_DEFAULT (INT64_C(256) << 10)
#define HEAP_DEFAULT (UINT64_C(256) << 20)

static void run_fire(struct kernel *kernel, const struct event *event);

static const struct event_type run_event = {"node", EVENT_ID('n', 'o', 'd', 'e'), run_fire};

/* ---- life ---- */

struct node *node_create(struct kernel *kernel, struct network *network, uint32_t directory,
                         const struct node_config *config, const struct env_peer *peers,
                         uint32_t nodes, uint32_t managers,
                         const struct node_listener *listener)
{
    CHECK(config->scheme && (config->is_manager || config->engine));
    struct node *node = xcalloc(1, sizeof *node);
    node->kernel = kernel;
    node->network = network;
    node->directory = directory;
    node->config = *config;
    struct node_config *c = &node->config;
    if (c->batch <= 0) c->batch = BATCH_DEFAULT;
    if (c->inbox_max <= 0) c->inbox_max = INBOX_DEFAULT;
    if (c->read_lanes <= 0) c->read_lanes = LANES_DEFAULT;
    if (c->handler_ns <= 0) c->handler_ns = HANDLER_NS_DEFAULT;
    if (c->maintain_every_ns <= 0) c->maintain_every_ns = MAINTAIN_EVERY_DEFAULT;
    if (c->maintain_budget_bytes <= 0) c->maintain_budget_bytes = MAINTAIN_BUDGET_DEFAULT;
    if (c->heap_max == 0) c->heap_max = HEAP_DEFAULT;
    node->listener = *listener;
    node->disk = disk_create(&c->disk, kernel_seed(kernel), c->name, kernel_draw_log(kernel));
    clock_init(&node->clock, &c->clock);
    node->heap = heap_create(c->heap_max);
    kernel_stream(kernel, &node->rng, "scheme", c->name);
    node->open_error.allocator = node->scratch.allocator = &allocator_system;
    node->lanes = (uint32_t)c->read_lanes;
    node->lanes_until = xcalloc(node->lanes, sizeof *node->lanes_until);
    node->coming_at = VTIME_MAX;
    node->last_effect = -1;
    node->env = (struct env){.ops = &node_env_ops,
                             .self = c->endpoint,
                             .nodes = nodes,
                             .managers = managers,
                             .manager_node = c->manager_node,
                             .peers = peers,
                             .vfs = disk_vfs(node->disk),
                             .dir = "repl",
                             .engine_sync = c->engine_sync,
                             .allocator = heap_allocator(node->heap),
                             .leader_initial = c->leader_initial};
    return node;
}

static void inbox_drop(struct node *node)
{
    while (node->inbox_count) {
        struct entry *entry = &node->inbox[node->inbox_head];
        if (entry->payload) payload_release(entry->payload);
        node->inbox_head = (node->inbox_head + 1) % node->inbox_capacity;
        node->inbox_count--;
    }
}

void node_destroy(struct node *node)
{
    if (!node) return;
    node_effects_deinit(node);
    node_timers_deinit(node);
    inbox_drop(node);
    free(node->inbox);
    free(node->requests);
    free(node->lanes_until);
    buffer_deinit(&node->open_error);
    buffer_deinit(&node->scratch);
    heap_destroy(node->heap);
    disk_destroy(node->disk);
    free(node);
}

/* ---- node code, guarded (I1) ---- */

void node_escape(struct node *node, enum down_cause cause, const char *text)
{
    CHECK(node->lane != LANE_NONE);
    node->escape_cause = cause;
    snprintf(node->why, sizeof node->why, "%s", text);
    longjmp(node->escape, 1);
}

static void guard_check_failed(void *context, const char *expression, const char *file,
                               int line)
{
    char text[NODE_WHY_SIZE];
    snprintf(text, sizeof text, "%s (%s:%d)", expression, file, line);
    node_escape(context, DOWN_CHECK, text);
}

bool node_guarded(struct node *node, enum lane lane, int64_t cursor,
                  void (*body)(struct node *node), int64_t *end)
{
    CHECK(node->lane == LANE_NONE);
    struct check_context outside = check_context;
    check_context.node = node->config.name;
    check_context.handler = guard_check_failed;
    check_context.handler_context = node;
    node->lane = lane;
    node->tail = NULL;
    disk_begin(node->disk, cursor);
    volatile bool completed = false;
    if (!setjmp(node->escape)) {
        body(node);
        completed = true;
    }
    *end = disk_end(node->disk);
    check_context = outside;
    node->lane = LANE_NONE;
    node->in_request = false;
    if (completed) return true;
    if (node->current.payload) payload_release(node->current.payload);
    node->current = (struct entry){0};
    node->tail = NULL;
    node->is_doomed = true;
    struct effect *effect = node_effect(node, *end + 1, EFFECT_FAIL);
    effect->code = (int32_t)node->escape_cause;
    node->tail = NULL;
    return false;
}

/* ---- the inbox ---- */

void node_kick(struct node *node)
{
    if (!node->inbox_count || !node_is_running(node) ||
        kernel_pending(node->kernel, node->run_event))
        return;
    int64_t now = kernel_now(node->kernel);
    node->run_event =
        kernel_schedule(node->kernel, now > node->busy_until ? now : node->busy_until,
                        &run_event, node, node->config.endpoint, node->incarnation, 0);
}

void node_inbox_push(struct node *node, const struct entry *entry)
{
    if (node->inbox_count == node->inbox_capacity) {
        uint32_t capacity = node->inbox_capacity ? node->inbox_capacity * 2 : 16;
        struct entry *grown = xmalloc(capacity * sizeof *grown);
        for (uint32_t i = 0; i < node->inbox_count; i++)
            grown[i] = node->inbox[(node->inbox_head + i) % node->inbox_capacity];
        free(node->inbox);
        node->inbox = grown;
        node->inbox_head = 0;
        node->inbox_capacity = capacity;
    }
    node->inbox[(node->inbox_head + node->inbox_count++) % node->inbox_capacity] = *entry;
    if (node->inbox_count > node->counters.inbox_peak)
        node->counters.inbox_peak = node->inbox_count;
    node_kick(node);
}

void node_receive(void *context, uint32_t from, enum message_class message_class, uint32_t kind,
                  struct payload *payload)
{
    struct node *node = context;
    if (kind == MESSAGE_STONITH) {
        if (node->listener.stonith)
            node->listener.stonith(node->listener.context, node->config.endpoint, from);
        else
            node_power_off(node, node->config.disk.power_mode, DOWN_STONITH);
        return;
    }
    if (node->state == NODE_DOWN) {
        node->counters.dropped_down++;
        return;
    }
    if (node->inbox_count >= (uint64_t)node->config.inbox_max) {
        node->counters.dropped_inbox++;
        return;
    }
    enum entry_kind entry;
    switch (kind) {
    case MESSAGE_SCHEME: entry = ENTRY_MESSAGE; break;
    case MESSAGE_REQUEST: entry = ENTRY_REQUEST; break;
    case MESSAGE_CLAIM_ANSWER: entry = ENTRY_ANSWER; break;
    default: return; /* not for nodes: whoever sent it is on his own */
    }
    node_inbox_push(node, &(struct entry){.kind = entry,
                                          .from = from,
                                          .message_class = message_class,
                                          .payload = payload_retain(payload)});
}

bool node_admin(struct node *node, const struct admin_command *command)
{
    if (node->state == NODE_DOWN) return false;
    node_inbox_push(
        node, &(struct entry){.kind = ENTRY_ADMIN, .from = ENV_OPERATOR, .command = *command});
    return true;
}

/* ---- handlers ---- */

static void handle_request(struct node *node, const struct entry *entry)
{
    struct bytes bytes = payload_bytes(entry->payload);
    struct operation operation;
    if (bytes.size < 8) return;
    const unsigned char *p = bytes.data;
    if (operation_decode(bytes_of(p + 8, bytes.size - 8), &operation))
        return; /* garbage: whoever sent it gets no answer */
    uint64_t handle = node_request_open(node, entry->from, get_u64(p), &operation);
    node->in_request = true;
    node->scheme->ops->request(node->scheme, handle, &operation);
    node->in_request = false;
    if (node->lane != LANE_READ) return;
    /* It detached: the lane is taken until here, the server thread goes on from there. */
    node->lanes_until[node->read_lane] = disk_end(node->disk);
    node->lane = LANE_SERVER;
    node->tail = node->server_tail;
    node->server_tail = NULL;
    disk_begin(node->disk, node->server_cursor);
}

static void handle(struct node *node, const struct entry *entry)
{
    struct scheme *scheme = node->scheme;
    if (entry->kind == ENTRY_TIMER && !node_timer_take(node, entry->timer, entry->generation))
        return; /* moved or cancelled since it came due */
    disk_set_cursor(node->disk, disk_cursor(node->disk) + node->config.handler_ns);
    node->counters.handled++;
    switch (entry->kind) {
    case ENTRY_MESSAGE:
        scheme->ops->receive(scheme, entry->from, entry->message_class,
                             payload_bytes(entry->payload));
        break;
    case ENTRY_ANSWER:
        scheme->ops->receive(scheme, ENV_DIRECTORY, MESSAGE_CONTROL,
                             payload_bytes(entry->payload));
        break;
    case ENTRY_REQUEST: handle_request(node, entry); break;
    case ENTRY_TIMER: scheme->ops->timer(scheme, entry->timer); break;
    case ENTRY_ADMIN: {
        int error = scheme->ops->admin ? scheme->ops->admin(scheme, &entry->command) : -ENOTSUP;
        struct effect *effect = node_effect(node, disk_cursor(node->disk), EFFECT_ADMIN);
        effect->code = error;
        effect->a = (uint64_t)entry->command.kind;
        effect->b = entry->command.node;
        break;
    }
    }
}

/* What the scheme shows of itself, as of the cursor. */
static void look(struct node *node)
{
    int64_t cursor = disk_cursor(node->disk);
    if (node->coming_at <= kernel_now(node->kernel)) node->seen = node->coming;
    node->coming = (struct scheme_inspection){.leader = LEADER_UNKNOWN};
    node->scheme->ops->inspect(node->scheme, &node->coming);
    node->coming_at = cursor;
    const struct scheme_inspection *a = &node->coming, *b = &node->told;
    if (a->role != b->role || a->epoch != b->epoch || a->leader != b->leader ||
        a->accepts_writes != b->accepts_writes) {
        node->told = node->coming;
        node_effect(node, cursor, EFFECT_INSPECTED);
    }
}

/* The run's limit of memory covers what its nodes and disks hold. */
static void count_memory(struct node *node)
{
    uint64_t held = heap_bytes(node->heap) + disk_used_bytes(node->disk);
    kernel_memory_add(node->kernel, (int64_t)held - (int64_t)node->counted_bytes);
    node->counted_bytes = held;
}

void node_batch_done(struct node *node, int64_t stamp)
{
    count_memory(node);
    if (!node->listener.batch) return;
    const struct disk_counters *disk = disk_counters(node->disk);
    uint64_t syncs = 0;
    for (unsigned i = 0; i < VFS_PURPOSES; i++) syncs += disk->syncs[i];
    node_effect(node, stamp, EFFECT_BATCH)->a = syncs;
}

static void batch_body(struct node *node)
{
    for (int64_t i = 0; i < node->config.batch && node->inbox_count; i++) {
        node->current = node->inbox[node->inbox_head];
        node->inbox_head = (node->inbox_head + 1) % node->inbox_capacity;
        node->inbox_count--;
        handle(node, &node->current);
        if (node->current.payload) payload_release(node->current.payload);
        node->current.payload = NULL;
    }
    node->scheme->ops->flush(node->scheme);
    look(node);
    node_batch_done(node, disk_cursor(node->disk));
}

/* The run's memory limit counts what nodes hold: their heaps and their disks. */
static void account(struct node *node)
{
    int64_t held = (int64_t)heap_bytes(node->heap) + (int64_t)disk_used_bytes(node->disk);
    kernel_memory_add(node->kernel, held - node->accounted);
    node->accounted = held;
}

static void run_fire(struct kernel *kernel, const struct event *event)
{
    struct node *node = event->context;
    int64_t now = kernel_now(kernel), end;
    node->run_event = (struct event_id){0};
    if (!node->inbox_count || !node_is_running(node)) return;
    disk_settle(node->disk, now);
    node_slice_before_batch(node);
    if (node->is_doomed) return;
    node->counters.batches++;
    bool completed = node_guarded(node, LANE_SERVER, now, batch_body, &end);
    node->counters.busy_ns += end - now;
    node->busy_until = end > now ? end : now + 1;
    account(node);
    if (!completed) return;
    node_slice_hurry(node);
    node_kick(node);
}

/* ---- start ---- */

static void boot_body(struct node *node)
{
    int error = node->config.engine ? node_engine_open(node) : 0;
    if (!error)
        error =
            node->config.scheme->start(&node->env, node->config.scheme_options, &node->scheme);
    node->boot_error = error;
    if (!error) look(node);
}

bool node_start(struct node *node)
{
    if (node->state != NODE_DOWN) return false;
    int64_t now = kernel_now(node->kernel), end;
    int64_t begin = node->last_effect == now ? now + 1 : now;
    node->state = NODE_BOOTING;
    node->incarnation++;
    node->why[0] = '\0';
    node->told = (struct scheme_inspection){.leader = LEADER_UNKNOWN};
    disk_settle(node->disk, now);
    if (!node_guarded(node, LANE_BOOT, begin, boot_body, &end)) return true;
    node->busy_until = end;
    struct effect *effect = node_effect(node, end, EFFECT_UP);
    effect->code = node->boot_error;
    effect->a = (uint64_t)(end - begin);
    node->tail = NULL;
    if (node->boot_error)
        snprintf(node->why, sizeof node->why, "%.*s", (int)node->open_error.size,
                 node->open_error.size ? (const char *)node->open_error.data : "");
    return true;
}

/* ---- stops ---- */

/* While paused, nothing that was still to come may come: the disk's later effects are pushed
 * ahead of now before anyone looks at it. */
static void disk_hold(struct node *node)
{
    int64_t now = kernel_now(node->kernel);
    if (!node->is_paused || now <= node->held_at) return;
    disk_pause(node->disk, node->held_at, now - node->held_at);
    node->held_at = now;
}

/* When a stop now takes place in the order of effects (I3). */
static int64_t stop_time(const struct node *node)
{
    int64_t now = kernel_now(node->kernel);
    return node->last_effect == now ? now + 1 : now;
}

/* The end of an incarnation (I5). */
static void process_end(struct node *node)
{
    disk_hold(node);
    node_effects_drop(node);
    node_timers_drop(node);
    node_slices_stop(node);
    kernel_cancel(node->kernel, node->run_event);
    inbox_drop(node);
    node_requests_drop(node);
    heap_reset(node->heap);
    account(node);
    node->scheme = NULL;
    node->engine = node->env.engine = NULL;
    node->state = NODE_DOWN;
    node->is_paused = node->is_doomed = false;
    node->incarnation++;
    node->busy_until = 0;
    memset(node->lanes_until, 0, node->lanes * sizeof *node->lanes_until);
    node->seen = node->coming = (struct scheme_inspection){.leader = LEADER_UNKNOWN};
    node->coming_at = VTIME_MAX;
}

void node_stop_quietly(struct node *node)
{
    process_end(node);
    disk_crash(node->disk, stop_time(node));
}

static void tell_down(struct node *node, enum down_cause cause, const char *why)
{
    node->counters.crashes++;
    node->listener.down(node->listener.context, node->config.endpoint, cause, why);
}

bool node_crash(struct node *node, enum down_cause cause, const char *why)
{
    CHECK(node->lane == LANE_NONE);
    if (node->state == NODE_DOWN) return false;
    process_end(node);
    disk_crash(node->disk, stop_time(node));
    tell_down(node, cause, why ? why : "");
    return true;
}

bool node_power_off(struct node *node, enum disk_power_mode mode, enum down_cause cause)
{
    CHECK(node->lane == LANE_NONE);
    bool was_running = node->state != NODE_DOWN;
    if (was_running) process_end(node);
    disk_power_off(node->disk, stop_time(node), mode);
    if (was_running) tell_down(node, cause, "");
    return was_running;
}

bool node_wipe(struct node *node)
{
    CHECK(node->lane == LANE_NONE);
    bool was_running = node->state != NODE_DOWN, had_data = disk_used_bytes(node->disk) > 0;
    if (was_running) process_end(node);
    disk_wipe(node->disk, stop_time(node));
    if (was_running) tell_down(node, DOWN_POWER_OFF, "disk replaced");
    return was_running || had_data;
}

/* ---- pauses (I4) ---- */

bool node_pause(struct node *node)
{
    CHECK(node->lane == LANE_NONE);
    if (node->state == NODE_DOWN || node->is_paused) return false;
    int64_t now = kernel_now(node->kernel);
    /* What fired at this very instant has happened; the disk's part of the instant with it. */
    node->paused_at = stop_time(node);
    node->held_at = node->paused_at;
    node->paused_monotonic = clock_monotonic(&node->clock, node->paused_at);
    if (node->coming_at < node->paused_at) {
        node->seen = node->coming;
        node->coming_at = VTIME_MAX;
    }
    disk_settle(node->disk, now);
    node->is_paused = true;
    node_effects_hold(node);
    node_timers_hold(node);
    kernel_cancel(node->kernel, node->run_event);
    return true;
}

static void shift(int64_t *at, int64_t from, int64_t length)
{
    if (*at >= from && *at != VTIME_MAX) *at += length;
}

bool node_resume(struct node *node)
{
    if (!node->is_paused) return false;
    int64_t from = node->paused_at, length = kernel_now(node->kernel) - from;
    if (length > 0) {
        disk_hold(node);
        shift(&node->busy_until, from, length);
        shift(&node->engine_until, from, length);
        shift(&node->background_until, from, length);
        shift(&node->coming_at, from, length);
        for (uint32_t i = 0; i < node->lanes; i++) shift(&node->lanes_until[i], from, length);
    }
    node->is_paused = false;
    node_effects_release(node, length > 0 ? length : 0);
    node_timers_release(node);
    node_slices_resume(node);
    node_kick(node);
    return true;
}

/* ---- looking in ---- */

bool node_is_up(const struct node *node)
{
    return node->state == NODE_UP;
}
bool node_is_booting(const struct node *node)
{
    return node->state == NODE_BOOTING;
}
bool node_is_paused(const struct node *node)
{
    return node->is_paused;
}
struct disk *node_disk(struct node *node)
{
    return node->disk;
}
struct clock *node_clock(struct node *node)
{
    return &node->clock;
}
uint64_t node_incarnation(const struct node *node)
{
    return node->incarnation;
}
const char *node_error(const struct node *node)
{
    return node->why;
}
const struct node_counters *node_counters(const struct node *node)
{
    return &node->counters;
}

const struct scheme_inspection *node_inspection(const struct node *node)
{
    bool came = node->coming_at <= kernel_now(node->kernel) && !node->is_paused;
    return came ? &node->coming : &node->seen;
}

void node_clock_step(struct node *node, int64_t delta_ns)
{
    clock_step(&node->clock, kernel_now(node->kernel), delta_ns);
}

void node_clock_drift(struct node *node, int64_t drift_ppm)
{
    clock_set_drift(&node->clock, kernel_now(node->kernel), drift_ppm);
    node_timers_rescale(node);
}

uint64_t node_evict(struct node *node)
{
    disk_hold(node);
    return disk_evict(node->disk, kernel_now(node->kernel));
}

/* ---- reading everything ---- */

static void visit_body(struct node *node)
{
    struct engine_cursor *cursor;
    struct bytes key, value;
    int more = engine_scan_open(node->engine, &(struct engine_range){0}, &cursor);
    if (!more) {
        while ((more = engine_scan_next(cursor, &key, &value)) == 1)
            if (!key.size || *(const unsigned char *)key.data != 0) /* NUL: the scheme's own */
                node->visit.each(node->visit.context, key, value);
        engine_scan_close(cursor);
    }
    node->visit.error = more;
}

int node_each(struct node *node,
              void (*each)(void *context, struct bytes key, struct bytes value), void *context)
{
    if (node->state != NODE_UP || node->is_doomed) return -EHOSTDOWN;
    if (!node->engine) return -ENOTSUP;
    node->visit.each = each;
    node->visit.context = context;
    int64_t now = kernel_now(node->kernel), end;
    disk_hold(node);
    disk_look(node->disk, true);
    bool completed = node_guarded(node, LANE_BACKGROUND, now, visit_body, &end);
    disk_look(node->disk, false);
    return completed ? node->visit.error : -EIO;
}
