/* The engine of a node: a proxy in front of the real one, and the background lane behind
 * it.
 *
 * Engine calls are serialised in virtual time. The scheme holds the proxy: a call of the
 * server thread first waits until the present background slice has ended, then takes its
 * own time. A slice begins only when the last engine call of the server thread is over. So
 * no handler builds on state whose I/O is still to come, and a compaction delays the
 * foreground as a real one does. Detached reads see the memory of the moment and wait for
 * nobody.
 *
 *     slice due --engine free--> engine_maintain or engine_sync --> background_until
 *         |                                                              |
 *         +--busy--> slice_waits: goes before the next batch             +--more--> next
 *
 * A saturated server thread cannot starve the lane, since a waiting slice goes before the
 * next batch; nor the lane the server, since between two slices of one piece of work a
 * waiting batch runs. An idle engine is asked every maintain_every_ns; each time that it
 * had nothing to do the wait doubles, up to 64 times, and a write brings it back.
 *
 * Not modelled: the CPU that an engine takes (the node charges handler_ns for all of a
 * handler).
 */
#include "sim/world/node_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sim/kernel/check.h"

#define IDLE_FACTOR_MAX 64
#define RETRY_NS (100 * NS_PER_MS) /* after a slice that failed with an error */

static void slice_fire(struct kernel *kernel, const struct event *event);
static void sync_fire(struct kernel *kernel, const struct event *event);

static const struct event_type slice_event = {"slice", EVENT_ID('s', 'l', 'i', 'c'),
                                              slice_fire};
static const struct event_type sync_event = {"sync", EVENT_ID('s', 'y', 'n', 'c'), sync_fire};

/* ---- the proxy ---- */

static struct node *proxy_node(struct engine *engine)
{
    return ((struct engine_proxy *)engine)->node;
}

/* Before a call on the real engine: the server thread waits for the slice that runs. */
static struct engine *enter(struct engine *engine)
{
    struct node *node = proxy_node(engine);
    int64_t cursor = disk_cursor(node->disk);
    if (node->lane == LANE_SERVER && cursor < node->background_until) {
        node->counters.stalled_ns += node->background_until - cursor;
        disk_set_cursor(node->disk, node->background_until);
    }
    return node->engine;
}

static int leave(struct engine *engine, int result)
{
    struct node *node = proxy_node(engine);
    if (node->lane == LANE_SERVER) node->engine_until = disk_cursor(node->disk);
    return result;
}

static void not_detached(struct engine *engine, const char *what)
{
    struct node *node = proxy_node(engine);
    if (node->lane != LANE_READ) return;
    char text[80];
    snprintf(text, sizeof text, "engine %s in a detached handler", what);
    node_escape(node, DOWN_CHECK, text);
}

static int proxy_open(const struct engine_host *host, const char *dir, const void *options,
                      struct engine **out)
{
    (void)host, (void)dir, (void)options, (void)out;
    return -ENOTSUP;
}

static int proxy_write(struct engine *engine, const struct engine_batch *batch,
                       enum engine_durability durability, int64_t now_ns)
{
    not_detached(engine, "write");
    struct node *node = proxy_node(engine);
    node->is_dirty = node->sync_dirty = true;
    return leave(engine, engine_write(enter(engine), batch, durability, now_ns));
}

static int proxy_get(struct engine *engine, struct bytes key, struct buffer *value)
{
    return leave(engine, engine_get(enter(engine), key, value));
}

struct proxy_cursor {
    struct engine_cursor base;
    struct engine_cursor *real;
};

static int proxy_scan_open(struct engine *engine, const struct engine_range *range,
                           struct engine_cursor **out)
{
    struct node *node = proxy_node(engine);
    const struct allocator *allocator = node->env.allocator;
    struct proxy_cursor *cursor = allocator_alloc(allocator, sizeof *cursor);
    if (!cursor) return -ENOMEM;
    int err = leave(engine, engine_scan_open(enter(engine), range, &cursor->real));
    if (err) {
        allocator_free(allocator, cursor, sizeof *cursor);
        return err;
    }
    cursor->base.engine = engine;
    *out = &cursor->base;
    return 0;
}

static int proxy_scan_next(struct engine_cursor *base, struct bytes *key, struct bytes *value)
{
    struct engine *engine = base->engine;
    enter(engine);
    return leave(engine, engine_scan_next(((struct proxy_cursor *)base)->real, key, value));
}

static void proxy_scan_close(struct engine_cursor *base)
{
    struct proxy_cursor *cursor = (struct proxy_cursor *)base;
    struct engine *engine = base->engine;
    enter(engine);
    engine_scan_close(cursor->real);
    leave(engine, 0);
    allocator_free(proxy_node(engine)->env.allocator, cursor, sizeof *cursor);
}

static int proxy_maintain(struct engine *engine, uint64_t budget_bytes, int64_t now_ns,
                          bool *more)
{
    not_detached(engine, "maintain");
    return leave(engine, engine_maintain(enter(engine), budget_bytes, now_ns, more));
}

static int proxy_sync(struct engine *engine)
{
    not_detached(engine, "sync");
    return leave(engine, engine_sync(enter(engine)));
}

static int proxy_checkpoint(struct engine *engine, const char *dir)
{
    not_detached(engine, "checkpoint");
    return leave(engine, engine_checkpoint(enter(engine), dir));
}

static void proxy_stats(struct engine *engine, struct engine_stats *stats)
{
    engine_stats(proxy_node(engine)->engine, stats);
}

static const char *proxy_error(struct engine *engine)
{
    return engine_error(proxy_node(engine)->engine);
}

/* The engine belongs to the node: it is closed by the node's stop. */
static void proxy_close(struct engine *engine)
{
    not_detached(engine, "close");
    node_escape(proxy_node(engine), DOWN_CHECK, "engine closed by the scheme");
}

static void engine_check_failed(void *context, const char *expression, const char *file,
                                int line)
{
    char text[NODE_WHY_SIZE];
    snprintf(text, sizeof text, "%s (%s:%d)", expression, file, line);
    node_escape(context, DOWN_CHECK, text);
}

int node_engine_open(struct node *node)
{
    struct engine_host host = {.vfs = disk_vfs(node->disk),
                               .allocator = node->env.allocator,
                               .check_failed = engine_check_failed,
                               .check_context = node,
                               .open_error = &node->open_error};
    buffer_clear(&node->open_error);
    int err = engine_open(node->config.engine, &host, "data", node->config.engine_options,
                          &node->engine);
    if (err) return err;
    const struct engine_ops *real = node->config.engine;
    node->proxy = (struct engine_proxy){.node = node, .ops = *real, .base.host = host};
    struct engine_ops *ops = &node->proxy.ops;
    ops->open = proxy_open;
    ops->write = proxy_write;
    ops->get = proxy_get;
    ops->scan_open = proxy_scan_open;
    ops->scan_next = proxy_scan_next;
    ops->scan_close = proxy_scan_close;
    ops->maintain = proxy_maintain;
    ops->sync = proxy_sync;
    ops->checkpoint = proxy_checkpoint;
    ops->stats = proxy_stats;
    ops->error = proxy_error;
    ops->close = proxy_close;
    node->proxy.base.ops = ops;
    node->env.engine = &node->proxy.base;
    return 0;
}

/* ---- the background lane ---- */

static void slice_schedule(struct node *node, int64_t at)
{
    int64_t now = kernel_now(node->kernel);
    kernel_cancel(node->kernel, node->slice_event);
    node->slice_at = at < now ? now : at;
    node->slice_event = kernel_schedule(node->kernel, node->slice_at, &slice_event, node,
                                        node->config.endpoint, node->incarnation, 0);
}

static void sync_schedule(struct node *node)
{
    if (node->config.sync_every_ns > 0)
        node->sync_event =
            kernel_schedule(node->kernel, kernel_now(node->kernel) + node->config.sync_every_ns,
                            &sync_event, node, node->config.endpoint, node->incarnation, 0);
}

void node_slices_begin(struct node *node)
{
    if (!node->config.engine) return;
    node->slice_wait = node->config.maintain_every_ns;
    slice_schedule(node, kernel_now(node->kernel) + node->slice_wait);
    sync_schedule(node);
}

void node_slices_stop(struct node *node)
{
    kernel_cancel(node->kernel, node->slice_event);
    kernel_cancel(node->kernel, node->sync_event);
    node->slice_waits = node->slice_more = node->sync_due = false;
    node->is_dirty = node->sync_dirty = false;
    node->background_until = node->engine_until = 0;
}

void node_slices_resume(struct node *node)
{
    if (!node->config.engine || node->state != NODE_UP) return;
    int64_t now = kernel_now(node->kernel);
    if (!kernel_pending(node->kernel, node->sync_event)) sync_schedule(node);
    int64_t at =
        node->slice_at > node->background_until ? node->slice_at : node->background_until;
    slice_schedule(node, node->sync_due ? node->background_until : at > now ? at : now);
}

/* After a batch that wrote: an engine that idles is asked at its usual pace again. */
void node_slice_hurry(struct node *node)
{
    if (!node->is_dirty || node->slice_waits ||
        node->slice_wait == node->config.maintain_every_ns)
        return;
    node->slice_wait = node->config.maintain_every_ns;
    int64_t at = kernel_now(node->kernel) + node->slice_wait;
    if (at < node->slice_at) slice_schedule(node, at);
}

static void slice_body(struct node *node)
{
    if (node->sync_due) {
        node->sync_due = node->sync_dirty = false;
        node->slice_error = engine_sync(node->engine);
        return;
    }
    bool more = false;
    node->is_dirty = false;
    int64_t wall = clock_wall(&node->clock, disk_cursor(node->disk));
    node->slice_error = engine_maintain(
        node->engine, (uint64_t)node->config.maintain_budget_bytes, wall, &more);
    node->slice_more = more && !node->slice_error;
}

/* Runs one slice now; the engine is free. */
static void slice_run(struct node *node)
{
    int64_t now = kernel_now(node->kernel), end;
    bool was_sync = node->sync_due, was_dirty = node->is_dirty;
    node->slice_waits = false;
    node->slice_error = 0;
    if (!node_guarded(node, LANE_BACKGROUND, now, slice_body, &end)) return;
    node->counters.background_ns += end - now;
    node->background_until = end;
    if (node->slice_error) {
        struct effect *effect = node_effect(node, end, EFFECT_TROUBLE);
        effect->what = was_sync ? "sync" : "maintenance";
        effect->code = node->slice_error;
    }
    node_batch_done(node, end);
    node->tail = NULL;
    if (node->slice_error)
        node->slice_wait = RETRY_NS;
    else if (was_dirty || node->slice_more || was_sync)
        node->slice_wait = node->config.maintain_every_ns;
    else if (node->slice_wait < node->config.maintain_every_ns * IDLE_FACTOR_MAX)
        node->slice_wait *= 2;
    slice_schedule(node, node->slice_more || node->sync_due ? end : end + node->slice_wait);
}

static bool slice_may_run(const struct node *node)
{
    int64_t now = kernel_now(node->kernel);
    return now >= node->engine_until && now >= node->background_until;
}

static void slice_fire(struct kernel *kernel, const struct event *event)
{
    (void)kernel;
    struct node *node = event->context;
    if (!node_is_running(node)) return;
    disk_settle(node->disk, kernel_now(node->kernel));
    if (slice_may_run(node)) {
        slice_run(node);
        return;
    }
    node->slice_waits = true;
    int64_t at = node->engine_until > node->background_until ? node->engine_until
                                                             : node->background_until;
    slice_schedule(node, at);
}

void node_slice_before_batch(struct node *node)
{
    if (node->slice_waits && slice_may_run(node)) slice_run(node);
}

static void sync_fire(struct kernel *kernel, const struct event *event)
{
    (void)kernel;
    struct node *node = event->context;
    sync_schedule(node);
    if (!node->sync_dirty || node->sync_due) return;
    node->sync_due = true;
    if (node_is_running(node)) slice_schedule(node, node->background_until);
}
