/* The discrete-event kernel: virtual time, events, cancellation, trace hash, draw log, limits.
 * One kernel a run.
 *
 *     struct kernel *k = kernel_create(&(struct kernel_config){.seed = 1});
 *     kernel_schedule(k, at_ns, &my_event, context, entity, a, b);
 *     enum kernel_stop why = kernel_run(k, until_ns);
 *     kernel_destroy(k);
 *
 * Events fire in (time, order) order. Events scheduled with kernel_schedule_first come before
 * all others of their instant (timeline entries). Each event's record (time, type id, entity,
 * a, b) is folded into a 64-bit trace hash when it fires: put no pointer in a or b, that is
 * what `context` is for.
 */
#ifndef FAULTLINE_SIM_KERNEL_KERNEL_H
#define FAULTLINE_SIM_KERNEL_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/kernel/arena.h"
#include "sim/kernel/random.h"
#include "sim/kernel/vtime.h"

struct kernel;
struct event;

/* One a kind of event, static const. `id` is a stable number, EVENT_ID('n','e','t','d'), that
 * goes into the trace hash. */
struct event_type {
    const char *name;
    uint32_t id;
    void (*fire)(struct kernel *kernel, const struct event *event);
};
#define EVENT_ID(a, b, c, d)                                                                   \
    ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

struct event {
    int64_t time; /* ns; when it fires */
    const struct event_type *type;
    void *context;   /* not hashed */
    uint64_t a, b;   /* hashed: plain data, never addresses */
    uint32_t entity; /* whom it concerns (endpoint number), hashed */
};

/* Names a pending event; value 0 is none. Stale ids are recognised by their generation. */
struct event_id {
    uint64_t value;
};

enum kernel_ties { TIES_FIFO, TIES_SEEDED };

struct kernel_config {
    uint64_t seed;
    enum kernel_ties ties; /* seeded: ties of an instant are shuffled by seed (timeline entries
                              stay first) */
    uint64_t events_max;   /* 0: 2,000,000,000 */
    int64_t wall_ms_max;   /* host time; 0: none. The only reading of the host's clock, judged
                              every 65,536 events, never part of a result */
    size_t memory_max;     /* bytes that kernel_memory_add may reach; 0: none */
    size_t pending_expected;        /* 0: 1,024 */
    bool record;                    /* keep every event's record and every draw for --verify */
    const struct kernel *reference; /* a finished recording kernel of the same run: stop at the
                                       first difference with it */
};

enum kernel_stop {
    KERNEL_DONE,
    KERNEL_STOPPED,
    KERNEL_LIMIT_EVENTS,
    KERNEL_LIMIT_WALL,
    KERNEL_LIMIT_MEMORY,
    KERNEL_DIVERGED
};

struct kernel *kernel_create(const struct kernel_config *config);
void kernel_destroy(struct kernel *kernel);

int64_t kernel_now(const struct kernel *kernel);
const int64_t *kernel_now_pointer(const struct kernel *kernel); /* for check_context */
uint64_t kernel_seed(const struct kernel *kernel);
struct arena *kernel_arena(struct kernel *kernel);
struct draw_log *kernel_draw_log(struct kernel *kernel);
/* A stream of this run: rng_init with the run's seed and draw log. */
void kernel_stream(struct kernel *kernel, struct rng *rng, const char *purpose,
                   const char *entity);

/* at_ns >= now. */
struct event_id kernel_schedule(struct kernel *kernel, int64_t at_ns,
                                const struct event_type *type, void *context, uint32_t entity,
                                uint64_t a, uint64_t b);
struct event_id kernel_schedule_first(struct kernel *kernel, int64_t at_ns,
                                      const struct event_type *type, void *context,
                                      uint32_t entity, uint64_t a, uint64_t b);
/* True when it was pending and now is not. O(1) amortised. */
bool kernel_cancel(struct kernel *kernel, struct event_id id);
bool kernel_pending(const struct kernel *kernel, struct event_id id);

/* Fires events until none is pending up to until_ns (then now = until_ns, unless that is
 * VTIME_MAX), kernel_stop() was called or a limit is met. */
enum kernel_stop kernel_run(struct kernel *kernel, int64_t until_ns);
/* Replaces config.events_max, counted from the start; a run that had met it goes on at the next
 * kernel_run. */
void kernel_events_limit(struct kernel *kernel, uint64_t events_max);
void kernel_stop(struct kernel *kernel);
/* Folds something that is not an event (a final state) into the trace hash. */
void kernel_fold(struct kernel *kernel, uint64_t value);
void kernel_memory_add(struct kernel *kernel, int64_t bytes);

uint64_t kernel_trace_hash(const struct kernel *kernel);
uint64_t kernel_events(const struct kernel *kernel);
uint64_t kernel_draws(const struct kernel *kernel);
/* Bytes held for pending events: queue and payloads. */
size_t kernel_bytes(const struct kernel *kernel);
size_t kernel_pending_count(const struct kernel *kernel);

/* Called with every event before it fires, for --trace and for the last events of a run that
 * met a limit; NULL to end. */
void kernel_observe(struct kernel *kernel,
                    void (*observer)(void *context, const struct event *event), void *context);

/* At the very end of a run with a reference: KERNEL_DIVERGED also when this run did less than
 * the reference; else KERNEL_DONE. */
enum kernel_stop kernel_verify(struct kernel *kernel);
/* After KERNEL_DIVERGED: both sides of the first difference, as text: event type, entity
 * number, virtual time; or the draw and its stream. */
const char *kernel_divergence(const struct kernel *kernel);
/* After a limit: the last events (up to 16), oldest first; returns how many. Their contexts may
 * be gone. */
size_t kernel_last_events(const struct kernel *kernel, struct event *out, size_t out_count);

#endif
