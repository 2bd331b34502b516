/* The discrete-event kernel.
 *
 * An event lives in two places: its 16-byte entry {time, order, slot} in the queue, and its
 * payload in a slot of the pool. The slot keeps the order of its tenant, so an entry or an
 * event_id that names an earlier tenant is recognised as stale (orders are never reused):
 *
 *     kernel_schedule --> slot taken, entry pushed --> popped: slot freed, fired
 *                                 |
 *                                 +-- kernel_cancel --> slot freed; the entry stays and is
 *                                                       skipped when popped, or swept
 *
 * Invariants
 *
 *   I1  An event is pending exactly while its slot's order is its own.
 *
 *   I2  The queue holds one entry for each pending event, plus `stale` entries of cancelled
 *       ones.
 *
 *   I3  stale <= pending + SWEEP_MIN: beyond that the queue is swept, which costs O(entries)
 *       and at least that many cancellations have paid for it.
 *
 *   I4  Order is 40 bits: the top one tells an ordinary event (1) from a timeline entry (0),
 *       which therefore comes first in its instant; the rest is the sequence number, put
 *       through a permutation keyed by the seed when ties are to be shuffled. So orders are
 *       unique in either mode.
 *
 *   I5  The trace hash changes if any one hashed field of any one event changes: each step
 *       is a bijection of the hash for a given field and of the field for a given hash.
 *
 * A fired event stands in a ring of the last sixteen, from which the handler reads it and
 * which a report of a broken limit shows. Its slot is free before the handler runs, so an
 * event that schedules its successor finds the slot warm.
 *
 * Limits: 2^24 pending events (one more stops the run as KERNEL_LIMIT_MEMORY), 2^39 events
 * scheduled a run, and what the configuration says. All that may end a run is judged in one
 * place (judge), which the loop enters when `events` reaches judge_at; who wants the run to
 * end sets judge_at to 0.
 */
#include "sim/kernel/kernel.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "sim/kernel/check.h"
#include "sim/kernel/queue.h"
#include "sim/kernel/trace.h"

#define EVENTS_MAX_DEFAULT UINT64_C(2000000000)
#define PENDING_EXPECTED_DEFAULT 1024
#define JUDGE_INTERVAL UINT64_C(65536) /* events between two looks at the host's clock */
#define SWEEP_MIN 64                   /* stale entries that are never worth a sweep */
#define LAST_COUNT 16
#define SEQUENCE_BITS 39
#define SEQUENCE_MASK ((UINT64_C(1) << SEQUENCE_BITS) - 1)
#define ORDINARY (UINT64_C(1) << SEQUENCE_BITS)
#define NO_SLOT UINT32_MAX
#define PREFETCH_MIN ((size_t)256 << 10) /* a smaller pool stays in the cache by itself */
#define HUGE_PAGE ((size_t)2 << 20)      /* what a larger pool asks for: it is read at random */

struct slot {
    uint64_t order; /* of the tenant; 0: free (no event has order 0) */
    const struct event_type *type;
    void *context;
    uint64_t a, b;
    uint32_t entity;
    uint32_t next_free;
} __attribute__((aligned(64))); /* one line of the cache */

/* An event as --verify keeps it. */
struct record {
    int64_t time;
    uint64_t a, b;
    uint64_t draws; /* made before it fired */
    const struct event_type *type;
    uint32_t entity;
};

struct kernel {
    struct queue *queue;
    int64_t now;
    uint64_t hash;
    struct slot *slots;
    uint32_t free_slot; /* head of the list of freed slots */
    uint32_t slots_used, slots_capacity;
    uint64_t sequence;
    size_t pending, stale;
    uint64_t events, judge_at; /* fired; when to look at the limits again */
    bool stopping, running;
    bool watched; /* an observer, a recording or a reference: every event takes the slow path */
    enum kernel_stop limit;        /* the limit that was met; KERNEL_DONE: none */
    struct event last[LAST_COUNT]; /* ring, by events % LAST_COUNT */

    uint64_t seed, tie_key;
    enum kernel_ties ties;
    uint64_t events_max;
    int64_t wall_ms_max, wall_ms_start;
    size_t memory, memory_max;
    struct arena *arena;
    struct draw_log draws;
    void (*observer)(void *context, const struct event *event);
    void *observer_context;

    bool record_on;
    struct record *records;
    size_t records_count, records_capacity;
    const struct kernel *reference;
    size_t compared; /* records of the reference that were met */
    char *divergence;
};

static void slots_reserve(struct kernel *kernel, uint32_t capacity);

/* ---- life ---- */

static int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct kernel *kernel_create(const struct kernel_config *config)
{
    struct kernel *kernel = xcalloc(1, sizeof *kernel);
    size_t expected =
        config->pending_expected ? config->pending_expected : PENDING_EXPECTED_DEFAULT;
    if (expected > QUEUE_SLOTS_MAX) expected = QUEUE_SLOTS_MAX;
    kernel->queue = queue_create(expected);
    slots_reserve(kernel, (uint32_t)expected);
    kernel->free_slot = NO_SLOT;
    kernel->arena = arena_create();
    kernel->seed = config->seed;
    kernel->ties = config->ties;
    kernel->tie_key = mix64(config->seed ^ UINT64_C(0x7469657300000000));
    kernel->hash = mix64(config->seed + UINT64_C(0x9E3779B97F4A7C15));
    kernel->events_max = config->events_max ? config->events_max : EVENTS_MAX_DEFAULT;
    kernel->wall_ms_max = config->wall_ms_max;
    if (config->wall_ms_max > 0) kernel->wall_ms_start = wall_ms();
    kernel->judge_at = config->reference                     ? 0
                       : kernel->events_max < JUDGE_INTERVAL ? kernel->events_max
                                                             : JUDGE_INTERVAL;
    kernel->memory_max = config->memory_max;
    kernel->record_on = config->record;
    kernel->reference = config->reference;
    CHECK(!kernel->reference || kernel->reference->record_on);
    draw_log_init(&kernel->draws, &kernel->now, config->record,
                  config->reference ? &config->reference->draws : NULL);
    kernel->watched = kernel->record_on || kernel->reference;
    return kernel;
}

void kernel_destroy(struct kernel *kernel)
{
    if (!kernel) return;
    queue_destroy(kernel->queue);
    draw_log_deinit(&kernel->draws);
    arena_destroy(kernel->arena);
    free(kernel->slots);
    free(kernel->records);
    free(kernel->divergence);
    free(kernel);
}

int64_t kernel_now(const struct kernel *kernel)
{
    return kernel->now;
}
const int64_t *kernel_now_pointer(const struct kernel *kernel)
{
    return &kernel->now;
}
uint64_t kernel_seed(const struct kernel *kernel)
{
    return kernel->seed;
}
struct arena *kernel_arena(struct kernel *kernel)
{
    return kernel->arena;
}
struct draw_log *kernel_draw_log(struct kernel *kernel)
{
    return &kernel->draws;
}
uint64_t kernel_trace_hash(const struct kernel *kernel)
{
    return mix64(kernel->hash);
}
uint64_t kernel_events(const struct kernel *kernel)
{
    return kernel->events;
}
uint64_t kernel_draws(const struct kernel *kernel)
{
    return kernel->draws.count;
}
size_t kernel_pending_count(const struct kernel *kernel)
{
    return kernel->pending;
}

size_t kernel_bytes(const struct kernel *kernel)
{
    return queue_bytes(kernel->queue) + (size_t)kernel->slots_capacity * sizeof *kernel->slots;
}

void kernel_stream(struct kernel *kernel, struct rng *rng, const char *purpose,
                   const char *entity)
{
    rng_init(rng, kernel->seed, purpose, entity, &kernel->draws);
}

/* ---- scheduling and cancelling ---- */

/* A permutation of the sequence numbers: multiplication by an odd number and xor with a shifted
 * self can both be undone. */
static uint64_t shuffle(const struct kernel *kernel, uint64_t sequence)
{
    uint64_t x = (sequence ^ kernel->tie_key) & SEQUENCE_MASK;
    x = x * UINT64_C(0x9E3779B97F4A7C15) & SEQUENCE_MASK;
    x ^= x >> 20;
    x = x * UINT64_C(0xD6E8FEB86659FD93) & SEQUENCE_MASK;
    x ^= x >> 19;
    return x * UINT64_C(0xBF58476D1CE4E5B9) & SEQUENCE_MASK;
}

static void slots_reserve(struct kernel *kernel, uint32_t capacity)
{
    size_t size = (size_t)capacity * sizeof *kernel->slots;
    struct slot *slots =
        size < HUGE_PAGE
            ? aligned_alloc(sizeof *slots, size)
            : aligned_alloc(HUGE_PAGE, (size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE);
    CHECK(slots != NULL);
    if (size >= HUGE_PAGE) madvise(slots, size, MADV_HUGEPAGE);
    if (kernel->slots_used > 0)
        memcpy(slots, kernel->slots, kernel->slots_used * sizeof *slots);
    free(kernel->slots);
    kernel->slots = slots;
    kernel->slots_capacity = capacity;
    if (size > PREFETCH_MIN) queue_prefetch(kernel->queue, slots, sizeof *slots);
}

static bool slots_grow(struct kernel *kernel)
{
    if (kernel->slots_capacity == QUEUE_SLOTS_MAX) {
        kernel->limit = KERNEL_LIMIT_MEMORY;
        kernel->judge_at = 0;
        return false;
    }
    slots_reserve(kernel, kernel->slots_capacity > QUEUE_SLOTS_MAX / 2
                              ? QUEUE_SLOTS_MAX
                              : kernel->slots_capacity * 2);
    return true;
}

static inline struct event_id schedule(struct kernel *kernel, uint64_t order, int64_t at_ns,
                                       const struct event_type *type, void *context,
                                       uint32_t entity, uint64_t a, uint64_t b)
{
    CHECK(at_ns >= kernel->now);
    uint32_t index = kernel->free_slot;
    if (index != NO_SLOT) {
        kernel->free_slot = kernel->slots[index].next_free;
    } else {
        if (kernel->slots_used == kernel->slots_capacity && !slots_grow(kernel))
            return (struct event_id){0};
        index = kernel->slots_used++;
    }
    kernel->slots[index] = (struct slot){
        .order = order, .type = type, .context = context, .a = a, .b = b, .entity = entity};
    kernel->pending++;
    queue_push(kernel->queue, at_ns, order, index);
    return (struct event_id){order << 24 | index};
}

struct event_id kernel_schedule(struct kernel *kernel, int64_t at_ns,
                                const struct event_type *type, void *context, uint32_t entity,
                                uint64_t a, uint64_t b)
{
    uint64_t sequence = ++kernel->sequence;
    CHECK(sequence <= SEQUENCE_MASK);
    if (kernel->ties == TIES_SEEDED) sequence = shuffle(kernel, sequence);
    return schedule(kernel, ORDINARY | sequence, at_ns, type, context, entity, a, b);
}

struct event_id kernel_schedule_first(struct kernel *kernel, int64_t at_ns,
                                      const struct event_type *type, void *context,
                                      uint32_t entity, uint64_t a, uint64_t b)
{
    uint64_t sequence = ++kernel->sequence;
    CHECK(sequence <= SEQUENCE_MASK);
    return schedule(kernel, sequence, at_ns, type, context, entity, a, b);
}

static bool is_pending(const struct kernel *kernel, uint64_t order, uint32_t slot)
{
    return slot < kernel->slots_used && order != 0 &&
           kernel->slots[slot].order == order; /* I1 */
}

static bool keep_pending(void *context, uint64_t order, uint32_t slot)
{
    return is_pending(context, order, slot);
}

static void slot_free(struct kernel *kernel, uint32_t index)
{
    kernel->slots[index].order = 0;
    kernel->slots[index].next_free = kernel->free_slot;
    kernel->free_slot = index;
    kernel->pending--;
}

bool kernel_pending(const struct kernel *kernel, struct event_id id)
{
    return is_pending(kernel, id.value >> 24, (uint32_t)(id.value & (QUEUE_SLOTS_MAX - 1)));
}

bool kernel_cancel(struct kernel *kernel, struct event_id id)
{
    if (!kernel_pending(kernel, id)) return false;
    slot_free(kernel, (uint32_t)(id.value & (QUEUE_SLOTS_MAX - 1)));
    if (++kernel->stale > kernel->pending + SWEEP_MIN) { /* I3 */
        queue_filter(kernel->queue, keep_pending, kernel);
        kernel->stale = 0;
        CHECK(queue_count(kernel->queue) == kernel->pending); /* I2 */
    }
    return true;
}

/* ---- the trace ---- */

static inline uint64_t fold(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9FB21C651E98DF25);
    return hash ^ hash >> 32;
}

static inline uint64_t fold_event(uint64_t hash, const struct event *event)
{
    hash = fold(hash, (uint64_t)event->time);
    hash = fold(hash, (uint64_t)event->type->id << 32 | event->entity);
    hash = fold(hash, event->a);
    return fold(hash, event->b);
}

/* ---- recording and comparing (--verify) ---- */

static void describe(char *out, size_t size, const struct record *record)
{
    char time[32];
    if (!record)
        snprintf(out, size, "nothing: its events ended here");
    else
        snprintf(out, size,
                 "event '%s' of entity %" PRIu32 " at %s (%" PRId64 " ns), a=%" PRIu64
                 " b=%" PRIu64 ", after %" PRIu64 " draws",
                 record->type->name, record->entity,
                 vtime_format(record->time, time, sizeof time), record->time, record->a,
                 record->b, record->draws);
}

static void diverge(struct kernel *kernel, const char *what, uint64_t index, const char *first,
                    const char *second)
{
    size_t size = strlen(what) + strlen(first) + strlen(second) + 96;
    kernel->divergence = xmalloc(size);
    snprintf(kernel->divergence, size,
             "the runs differ at %s %" PRIu64 "\n  first run:  %s\n  second run: %s", what,
             index + 1, first, second);
}

/* The draws come first: a draw that differs is the cause of the event that differs. */
static bool compare_draws(struct kernel *kernel)
{
    const struct draw_log *log = &kernel->draws, *reference = log->reference;
    if (!log->diverged) return false;
    char first[256], second[256], time[32];
    uint64_t index = log->diverged_index;
    if (index < reference->count)
        snprintf(first, sizeof first, "draw from stream '%s' at %s (%" PRId64 " ns)",
                 draw_log_stream_name(reference, reference->streams[index]),
                 vtime_format(reference->times[index], time, sizeof time),
                 reference->times[index]);
    else
        snprintf(first, sizeof first, "nothing: its draws ended here");
    bool same_place = index < reference->count &&
                      reference->times[index] == log->diverged_time &&
                      strcmp(draw_log_stream_name(reference, reference->streams[index]),
                             draw_log_stream_name(log, log->diverged_stream)) == 0;
    snprintf(second, sizeof second, "draw from stream '%s' at %s (%" PRId64 " ns)%s",
             draw_log_stream_name(log, log->diverged_stream),
             vtime_format(log->diverged_time, time, sizeof time), log->diverged_time,
             same_place ? ", of another value" : "");
    diverge(kernel, "draw", index, first, second);
    return true;
}

static bool same_record(const struct record *a, const struct record *b)
{
    return a->time == b->time && a->type->id == b->type->id && a->entity == b->entity &&
           a->a == b->a && a->b == b->b && a->draws == b->draws;
}

static void watch(struct kernel *kernel, const struct record *record)
{
    if (kernel->record_on) {
        if (kernel->records_count == kernel->records_capacity) {
            kernel->records_capacity =
                kernel->records_capacity ? kernel->records_capacity * 2 : 1024;
            kernel->records =
                xrealloc(kernel->records, kernel->records_capacity * sizeof *kernel->records);
        }
        kernel->records[kernel->records_count++] = *record;
    }
    const struct kernel *reference = kernel->reference;
    if (!reference || kernel->divergence || compare_draws(kernel)) return;
    const struct record *other = kernel->compared < reference->records_count
                                     ? &reference->records[kernel->compared]
                                     : NULL;
    if (other && same_record(record, other)) {
        kernel->compared++;
        return;
    }
    char first[512], second[512];
    describe(first, sizeof first, other);
    describe(second, sizeof second, record);
    diverge(kernel, "event", kernel->compared, first, second);
}

static void watch_event(struct kernel *kernel, const struct event *event)
{
    if (kernel->record_on || kernel->reference) {
        struct record record = {.time = event->time,
                                .type = event->type,
                                .entity = event->entity,
                                .a = event->a,
                                .b = event->b,
                                .draws = kernel->draws.count};
        watch(kernel, &record);
    }
    if (kernel->observer && !kernel->divergence)
        kernel->observer(kernel->observer_context, event);
}

/* A fold is recorded as if it were an event, so that runs that differ only in what they fold
 * are told apart where it happens. */
static const struct event_type folded = {"(folded value)", EVENT_ID('f', 'o', 'l', 'd'), NULL};

void kernel_fold(struct kernel *kernel, uint64_t value)
{
    kernel->hash = fold(kernel->hash, value);
    if (kernel->record_on || kernel->reference) {
        struct record record = {
            .time = kernel->now, .type = &folded, .a = value, .draws = kernel->draws.count};
        watch(kernel, &record);
    }
}

enum kernel_stop kernel_verify(struct kernel *kernel)
{
    const struct kernel *reference = kernel->reference;
    if (!reference) return KERNEL_DONE;
    if (!kernel->divergence && !compare_draws(kernel)) {
        char first[512];
        if (kernel->compared < reference->records_count) {
            describe(first, sizeof first, &reference->records[kernel->compared]);
            diverge(kernel, "event", kernel->compared, first, "nothing: its events ended here");
        } else if (kernel->draws.count < reference->draws.count) {
            char time[32];
            uint64_t index = kernel->draws.count;
            snprintf(first, sizeof first, "draw from stream '%s' at %s (%" PRId64 " ns)",
                     draw_log_stream_name(&reference->draws, reference->draws.streams[index]),
                     vtime_format(reference->draws.times[index], time, sizeof time),
                     reference->draws.times[index]);
            diverge(kernel, "draw", index, first, "nothing: its draws ended here");
        }
    }
    return kernel->divergence ? KERNEL_DIVERGED : KERNEL_DONE;
}

const char *kernel_divergence(const struct kernel *kernel)
{
    return kernel->divergence;
}

/* ---- running ---- */

void kernel_stop(struct kernel *kernel)
{
    kernel->stopping = true;
    kernel->judge_at = 0;
}

void kernel_memory_add(struct kernel *kernel, int64_t bytes)
{
    CHECK(bytes >= 0 || kernel->memory >= (size_t)-bytes);
    kernel->memory += (size_t)bytes;
    if (kernel->memory_max && kernel->memory > kernel->memory_max &&
        kernel->limit == KERNEL_DONE) {
        kernel->limit = KERNEL_LIMIT_MEMORY;
        kernel->judge_at = 0;
    }
}

void kernel_events_limit(struct kernel *kernel, uint64_t events_max)
{
    kernel->events_max = events_max ? events_max : EVENTS_MAX_DEFAULT;
    kernel->judge_at = kernel->events;
    if (kernel->limit == KERNEL_LIMIT_EVENTS) kernel->limit = KERNEL_DONE;
}

/* Called before the next event when `events` has reached judge_at: everything that may end a
 * run is judged here, and nothing of it between. */
static enum kernel_stop judge(struct kernel *kernel, int64_t until_ns)
{
    if (kernel->divergence || (kernel->reference && compare_draws(kernel)))
        return KERNEL_DIVERGED;
    if (kernel->limit == KERNEL_DONE && !kernel->stopping &&
        kernel->events >= kernel->events_max && queue_peek_time(kernel->queue) <= until_ns &&
        kernel->pending > 0)
        kernel->limit = KERNEL_LIMIT_EVENTS;
    if (kernel->limit == KERNEL_DONE && kernel->wall_ms_max > 0 &&
        wall_ms() - kernel->wall_ms_start > kernel->wall_ms_max)
        kernel->limit = KERNEL_LIMIT_WALL;
    if (kernel->limit != KERNEL_DONE) return kernel->limit;
    if (kernel->stopping) return KERNEL_STOPPED;
    uint64_t next = kernel->events + JUDGE_INTERVAL;
    kernel->judge_at = kernel->reference || kernel->events >= kernel->events_max ? 0
                       : next < kernel->events_max                               ? next
                                                   : kernel->events_max;
    return KERNEL_DONE;
}

enum kernel_stop kernel_run(struct kernel *kernel, int64_t until_ns)
{
    CHECK(!kernel->running);
    CHECK(until_ns >= kernel->now);
    enum kernel_stop why;
    struct queue_item item;
    kernel->running = true;
    kernel->stopping = false;
    for (;;) {
        if (kernel->events >= kernel->judge_at &&
            (why = judge(kernel, until_ns)) != KERNEL_DONE)
            break;
        if (!queue_pop_until(kernel->queue, until_ns, &item)) {
            if (until_ns != VTIME_MAX) kernel->now = until_ns;
            why = KERNEL_DONE;
            break;
        }
        struct slot *slot = &kernel->slots[item.slot];
        if (slot->order != item.order) {
            kernel->stale--;
            continue;
        }
        struct event *event = &kernel->last[kernel->events % LAST_COUNT];
        event->time = item.time;
        event->type = slot->type;
        event->context = slot->context;
        event->a = slot->a;
        event->b = slot->b;
        event->entity = slot->entity;
        slot_free(kernel, item.slot);
        kernel->now = item.time;
        kernel->hash = fold_event(kernel->hash, event);
        if (kernel->watched) {
            watch_event(kernel, event);
            if (kernel->divergence) {
                why = KERNEL_DIVERGED;
                break;
            }
        }
        kernel->events++;
        event->type->fire(kernel, event);
    }
    kernel->running = false;
    return why;
}

void kernel_observe(struct kernel *kernel,
                    void (*observer)(void *context, const struct event *event), void *context)
{
    kernel->observer = observer;
    kernel->observer_context = context;
    kernel->watched = observer || kernel->record_on || kernel->reference;
}

size_t kernel_last_events(const struct kernel *kernel, struct event *out, size_t out_count)
{
    uint64_t count = kernel->events < LAST_COUNT ? kernel->events : LAST_COUNT;
    if (count > out_count) count = out_count;
    for (uint64_t i = 0; i < count; i++)
        out[i] = kernel->last[(kernel->events - count + i) % LAST_COUNT];
    return (size_t)count;
}
