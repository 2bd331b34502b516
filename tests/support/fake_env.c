/* The fake cluster: one list of events by (time, sequence), handlers that take no time.
 *
 * Each endpoint has a simulated disk whose operations cost nothing, a heap that a crash
 * empties, a clock with an adjustable wall part, and its instance. A panic or a broken contract
 * of an instance unwinds to the dispatcher, which takes the endpoint down as a crash. After
 * detach only reply and send are allowed until the handler ends; anything else fails the test.
 */
#include "tests/support/fake_env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/world/heap.h"

#define CUTS_MAX 256u
#define TIMERS_MAX 16u
#define DIRECTORY_NS MS

enum event_kind { EVENT_MESSAGE, EVENT_TIMER, EVENT_REQUEST, EVENT_CLAIM, EVENT_FENCE };

struct fake_event {
    int64_t time_ns;
    uint64_t sequence;
    enum event_kind kind;
    uint32_t from, to;
    enum message_class message_class;
    uint64_t id;          /* timer, request; claim: epoch */
    uint64_t incarnation; /* of the endpoint whose timer it is */
    uint64_t generation;  /* of the timer */
    unsigned char *data;
    size_t size;
    struct fake_event *next;
};

struct endpoint {
    struct env env; /* first: env pointers are endpoint pointers */
    struct fake *fake;
    struct disk *disk;
    struct heap *heap;
    struct scheme *scheme; /* NULL: down */
    const struct scheme_ops *ops;
    uint64_t incarnation, draws;
    int64_t wall_offset_ns;
    uint64_t timer_generation[TIMERS_MAX];
    bool paused, detached, directory_cut, starting;
    int panicked;
    struct fake_event *backlog; /* what reached it while it was paused */
    uint32_t fences;
};

struct cut {
    uint32_t from, to, classes;
    bool queue;
};

struct fake {
    struct fake_config config;
    struct endpoint endpoints[FAKE_NODES_MAX];
    struct env_peer peers[FAKE_NODES_MAX];
    char names[FAKE_NODES_MAX][16];
    uint32_t count;
    int64_t now_ns;
    uint64_t sequence;
    struct fake_event **queue; /* a heap by (time, sequence) */
    size_t queue_count, queue_capacity;
    struct fake_event *held; /* queued by cuts */
    struct cut cuts[CUTS_MAX];
    uint32_t cuts_count;
    int64_t slow_ns[FAKE_NODES_MAX][FAKE_NODES_MAX];
    uint32_t directory_leader;
    uint64_t directory_epoch;
    uint64_t messages[MESSAGE_CLASSES];
    size_t message_size_max;
    fake_filter_fn *filter;
    void *filter_context;
    struct fake_answer **answers; /* each by itself: tests keep pointers */
    size_t answers_count;
    struct fake_note *notes;
    size_t notes_count;
    struct endpoint *running;
    jmp_buf unwind;
};

static void *grown(void *old, size_t size)
{
    void *p = realloc(old, size ? size : 1);
    if (!p) abort();
    return p;
}

/* ---- events ---- */

static bool event_before(const struct fake_event *a, const struct fake_event *b)
{
    return a->time_ns != b->time_ns ? a->time_ns < b->time_ns : a->sequence < b->sequence;
}

static void queue_up(struct fake *fake, size_t at)
{
    struct fake_event *event = fake->queue[at];
    for (; at && event_before(event, fake->queue[(at - 1) / 2]); at = (at - 1) / 2)
        fake->queue[at] = fake->queue[(at - 1) / 2];
    fake->queue[at] = event;
}

static void queue_down(struct fake *fake, size_t at)
{
    struct fake_event *event = fake->queue[at];
    for (size_t child; (child = 2 * at + 1) < fake->queue_count; at = child) {
        if (child + 1 < fake->queue_count &&
            event_before(fake->queue[child + 1], fake->queue[child]))
            child++;
        if (!event_before(fake->queue[child], event)) break;
        fake->queue[at] = fake->queue[child];
    }
    fake->queue[at] = event;
}

static void event_insert(struct fake *fake, struct fake_event *event)
{
    event->sequence = ++fake->sequence;
    event->next = NULL;
    if (fake->queue_count == fake->queue_capacity) {
        fake->queue_capacity = fake->queue_capacity ? 2 * fake->queue_capacity : 64;
        fake->queue = grown(fake->queue, fake->queue_capacity * sizeof(void *));
    }
    fake->queue[fake->queue_count++] = event;
    queue_up(fake, fake->queue_count - 1);
}

/* The next one, or NULL. */
static struct fake_event *queue_first(const struct fake *fake)
{
    return fake->queue_count ? fake->queue[0] : NULL;
}

static struct fake_event *queue_pop(struct fake *fake)
{
    struct fake_event *event = fake->queue[0];
    fake->queue[0] = fake->queue[--fake->queue_count];
    if (fake->queue_count) queue_down(fake, 0);
    return event;
}

static struct fake_event *event_new(struct fake *fake, enum event_kind kind, uint32_t to,
                                    int64_t delay_ns, struct bytes data)
{
    struct fake_event *event = grown(NULL, sizeof *event);
    *event = (struct fake_event){
        .time_ns = fake->now_ns + delay_ns, .kind = kind, .to = to, .size = data.size};
    event->data = grown(NULL, data.size);
    if (data.size) memcpy(event->data, data.data, data.size);
    return event;
}

static void event_free(struct fake_event *event)
{
    free(event->data);
    free(event);
}

/* ---- env ---- */

static struct endpoint *of(struct env *env)
{
    return (struct endpoint *)env;
}

static int64_t fake_monotonic_now(struct env *env)
{
    return of(env)->fake->now_ns;
}

static int64_t fake_wall_now(struct env *env)
{
    return of(env)->fake->now_ns + of(env)->wall_offset_ns;
}

static const struct cut *cut_find(const struct fake *fake, uint32_t from, uint32_t to,
                                  enum message_class message_class)
{
    for (uint32_t i = 0; i < fake->cuts_count; i++) {
        const struct cut *cut = &fake->cuts[i];
        if (cut->from == from && cut->to == to && (cut->classes & 1u << message_class))
            return cut;
    }
    return NULL;
}

/* Sends, drops or holds. */
static void depart(struct fake *fake, struct fake_event *event)
{
    const struct cut *cut = cut_find(fake, event->from, event->to, event->message_class);
    if (cut && cut->queue) {
        struct fake_event **at = &fake->held;
        while (*at) at = &(*at)->next;
        event->next = NULL;
        *at = event;
    } else if (cut) {
        event_free(event);
    } else {
        event_insert(fake, event);
    }
}

static void fake_send(struct env *env, uint32_t to, enum message_class message_class,
                      struct bytes header, const struct bytes *slices, uint32_t slices_count)
{
    struct endpoint *self = of(env);
    struct fake *fake = self->fake;
    assert_true(to < fake->count);
    unsigned char *bytes = NULL;
    size_t size = header.size;
    bytes = grown(bytes, size);
    memcpy(bytes, header.data, header.size);
    for (uint32_t i = 0; i < slices_count; i++) {
        bytes = grown(bytes, size + slices[i].size);
        if (slices[i].size) memcpy(bytes + size, slices[i].data, slices[i].size);
        size += slices[i].size;
    }
    fake->messages[message_class]++;
    if (fake->message_size_max < size) fake->message_size_max = size;
    struct bytes all = {bytes, size};
    if (!fake->filter ||
        !fake->filter(fake->filter_context, env->self, to, message_class, all)) {
        struct fake_event *event =
            event_new(fake, EVENT_MESSAGE, to,
                      fake->config.latency_ns + fake->slow_ns[env->self][to], all);
        event->from = env->self;
        event->message_class = message_class;
        depart(fake, event);
    }
    free(bytes);
}

static void fake_reply(struct env *env, uint64_t request, const struct reply *reply)
{
    struct fake *fake = of(env)->fake;
    assert_true(request < fake->answers_count);
    struct fake_answer *answer = fake->answers[request];
    assert_false(answer->answered);
    answer->answered = true;
    answer->time_ns = fake->now_ns;
    answer->status = reply->status;
    answer->position = reply->position;
    answer->epoch = reply->epoch;
    answer->token = reply->token;
    answer->leader_hint = reply->leader_hint;
    answer->has_value = reply->has_value;
    assert_true(reply->key.size < sizeof answer->key);
    if (reply->key.size) memcpy(answer->key, reply->key.data, reply->key.size);
    if (reply->has_value) {
        assert_true(reply->value.size < sizeof answer->value);
        if (reply->value.size) memcpy(answer->value, reply->value.data, reply->value.size);
        answer->value_size = reply->value.size;
    }
}

static void fake_timer_set(struct env *env, uint64_t id, int64_t delay_ns)
{
    struct endpoint *self = of(env);
    assert_true(id < TIMERS_MAX && delay_ns >= 0 && !self->detached);
    struct fake_event *event =
        event_new(self->fake, EVENT_TIMER, env->self, delay_ns, (struct bytes){NULL, 0});
    event->id = id;
    event->incarnation = self->incarnation;
    event->generation = ++self->timer_generation[id];
    event_insert(self->fake, event);
}

static void fake_timer_cancel(struct env *env, uint64_t id)
{
    assert_true(id < TIMERS_MAX);
    of(env)->timer_generation[id]++;
}

static uint64_t fake_random(struct env *env)
{
    struct endpoint *self = of(env);
    return mix64(self->fake->config.seed + 1000003 * env->self + 31 * ++self->draws);
}

static void fake_charge(struct env *env, int64_t cpu_ns)
{
    (void)env;
    assert_true(cpu_ns >= 0);
}

static void fake_note_add(struct env *env, enum note_kind kind, uint64_t a, uint64_t b)
{
    struct fake *fake = of(env)->fake;
    fake->notes = grown(fake->notes, (fake->notes_count + 1) * sizeof *fake->notes);
    fake->notes[fake->notes_count++] = (struct fake_note){fake->now_ns, env->self, kind, a, b};
}

static void fake_detach(struct env *env)
{
    of(env)->detached = true;
}

static void fake_claim(struct env *env, uint32_t node, uint64_t epoch)
{
    struct endpoint *self = of(env);
    if (self->directory_cut) return;
    struct fake_event *event =
        event_new(self->fake, EVENT_CLAIM, node, DIRECTORY_NS / 2, (struct bytes){NULL, 0});
    event->from = env->self;
    event->id = epoch;
    event_insert(self->fake, event);
}

/* The order is a message of class control from the manager to the node's machine. */
static void fake_fence(struct env *env, uint32_t node)
{
    struct endpoint *self = of(env);
    struct fake *fake = self->fake;
    fake->endpoints[node].fences++;
    struct fake_event *event =
        event_new(fake, EVENT_FENCE, node, fake->config.latency_ns, (struct bytes){NULL, 0});
    event->from = env->self;
    event->message_class = MESSAGE_CONTROL;
    depart(fake, event);
}

__attribute__((noreturn)) static void fake_panic(struct env *env, int error, const char *why)
{
    struct endpoint *self = of(env);
    (void)why;
    self->panicked = error;
    longjmp(self->fake->unwind, 1);
}

__attribute__((noreturn)) static void fake_check_failed(struct env *env, const char *expression,
                                                        const char *file, int line)
{
    (void)env;
    fail_msg("%s:%d: broken contract: %s", file, line, expression);
    abort();
}

static void engine_check_failed(void *context, const char *expression, const char *file,
                                int line)
{
    fake_check_failed(context, expression, file, line);
}

static const struct env_ops fake_ops = {
    .wall_now = fake_wall_now,
    .monotonic_now = fake_monotonic_now,
    .send = fake_send,
    .reply = fake_reply,
    .timer_set = fake_timer_set,
    .timer_cancel = fake_timer_cancel,
    .random = fake_random,
    .charge = fake_charge,
    .note = fake_note_add,
    .detach = fake_detach,
    .claim = fake_claim,
    .fence = fake_fence,
    .panic = fake_panic,
    .check_failed = fake_check_failed,
};

/* Runs a call of an instance; false if it unwound (a panic). Keeps setjmp away from locals. */
static __attribute__((noinline)) bool guarded(struct fake *fake, void (*call)(void *context),
                                              void *context)
{
    if (setjmp(fake->unwind)) return false;
    call(context);
    return true;
}

/* ---- life ---- */

struct fake_config fake_config_default(const struct scheme_ops *scheme, const void *options,
                                       uint32_t nodes, uint32_t managers)
{
    struct fake_config config = {.scheme = scheme,
                                 .options = options,
                                 .nodes = nodes,
                                 .managers = managers,
                                 .engine = "hash",
                                 .engine_sync = true,
                                 .latency_ns = MS,
                                 .seed = 1};
    for (uint32_t i = 0; i < FAKE_NODES_MAX; i++) {
        config.manager_node[i] = UINT32_MAX;
        config.region[i] = "here";
    }
    return config;
}

static void endpoint_init(struct fake *fake, uint32_t number)
{
    const struct fake_config *config = &fake->config;
    struct endpoint *e = &fake->endpoints[number];
    bool is_manager = number >= config->nodes;
    struct disk_config disk = {
        .queue_depth = 1, .cache_bytes = 1 << 30, .power_mode = DISK_ALL_LOST};
    snprintf(fake->names[number], sizeof fake->names[number], "%s-%u",
             is_manager ? "manager" : "node", number);
    fake->peers[number] =
        (struct env_peer){fake->names[number], is_manager ? "here" : config->region[number]};
    e->fake = fake;
    e->disk = disk_create(&disk, config->seed, fake->names[number], NULL);
    e->heap = heap_create(0);
    e->ops = is_manager ? config->scheme->manager : config->scheme;
    e->wall_offset_ns = 1000 * SECOND;
    e->env = (struct env){
        .ops = &fake_ops,
        .self = number,
        .nodes = config->nodes,
        .managers = config->managers,
        .manager_node = is_manager ? config->manager_node[number - config->nodes] : UINT32_MAX,
        .peers = fake->peers,
        .vfs = disk_vfs(e->disk),
        .dir = "scheme",
        .engine_sync = config->engine_sync,
        .allocator = heap_allocator(e->heap),
        .leader_initial = config->leader_initial,
    };
}

struct fake *fake_create(const struct fake_config *config)
{
    struct fake *fake = grown(NULL, sizeof *fake);
    memset(fake, 0, sizeof *fake);
    fake->config = *config;
    fake->count = config->nodes + config->managers;
    assert_true(fake->count <= FAKE_NODES_MAX);
    fake->directory_leader = config->leader_initial;
    for (uint32_t i = 0; i < fake->count; i++) endpoint_init(fake, i);
    return fake;
}

static void list_free(struct fake_event *event)
{
    while (event) {
        struct fake_event *next = event->next;
        event_free(event);
        event = next;
    }
}

void fake_destroy(struct fake *fake)
{
    for (uint32_t i = 0; i < fake->count; i++) {
        struct endpoint *e = &fake->endpoints[i];
        if (e->scheme) fake_stop(fake, i);
        heap_destroy(e->heap);
        disk_destroy(e->disk);
    }
    for (size_t i = 0; i < fake->queue_count; i++) event_free(fake->queue[i]);
    free(fake->queue);
    for (uint32_t i = 0; i < fake->count; i++) list_free(fake->endpoints[i].backlog);
    list_free(fake->held);
    for (size_t i = 0; i < fake->answers_count; i++) free(fake->answers[i]);
    free(fake->answers);
    free(fake->notes);
    free(fake);
}

/* Handlers take no time here although disk operations take some: a stop comes after them. */
static int64_t stop_time(const struct endpoint *e)
{
    int64_t cursor = disk_cursor(e->disk), now = e->fake->now_ns;
    return (cursor > now ? cursor : now) + 1;
}

static void down(struct endpoint *e)
{
    e->scheme = NULL;
    e->env.engine = NULL;
    e->incarnation++;
    e->paused = e->detached = false;
    heap_reset(e->heap);
}

struct start {
    struct endpoint *endpoint;
    int error;
};

static void start_call(void *context)
{
    struct start *start = context;
    struct endpoint *e = start->endpoint;
    struct scheme *scheme;
    start->error = e->ops->start(&e->env, e->fake->config.options, &scheme);
    if (start->error) return;
    e->scheme = scheme;
    e->ops->flush(scheme);
}

int fake_start(struct fake *fake, uint32_t endpoint)
{
    struct endpoint *e = &fake->endpoints[endpoint];
    assert_null(e->scheme);
    e->panicked = 0;
    disk_begin(e->disk, fake->now_ns);
    int err = 0;
    if (endpoint < fake->config.nodes) {
        const struct engine_ops *engine = engine_find(fake->config.engine);
        assert_non_null(engine);
        static unsigned char options[1024];
        assert_int_equal(options_default(engine->options, engine->options_count, options,
                                         engine->options_size),
                         0);
        struct engine_host host = {.vfs = e->env.vfs,
                                   .allocator = e->env.allocator,
                                   .check_failed = engine_check_failed,
                                   .check_context = &e->env};
        err = engine_open(engine, &host, "data", options, &e->env.engine);
        assert_int_equal(err, 0);
    }
    struct start start = {.endpoint = e};
    err = guarded(fake, start_call, &start) ? start.error : -e->panicked;
    disk_end(e->disk);
    if (!e->scheme || err) {
        disk_crash(e->disk, stop_time(e));
        down(e);
    }
    return err;
}

void fake_start_all(struct fake *fake)
{
    for (uint32_t i = 0; i < fake->count; i++) assert_int_equal(fake_start(fake, i), 0);
}

void fake_stop(struct fake *fake, uint32_t endpoint)
{
    struct endpoint *e = &fake->endpoints[endpoint];
    assert_non_null(e->scheme);
    disk_begin(e->disk, fake->now_ns);
    e->ops->stop(e->scheme);
    if (e->env.engine) engine_close(e->env.engine);
    disk_end(e->disk);
    assert_int_equal(heap_bytes(e->heap), 0);
    down(e);
}

void fake_crash(struct fake *fake, uint32_t endpoint)
{
    struct endpoint *e = &fake->endpoints[endpoint];
    disk_crash(e->disk, stop_time(e));
    down(e);
}

void fake_power_off(struct fake *fake, uint32_t endpoint)
{
    struct endpoint *e = &fake->endpoints[endpoint];
    disk_power_off(e->disk, stop_time(e), DISK_ALL_LOST);
    down(e);
}

void fake_wipe(struct fake *fake, uint32_t endpoint)
{
    struct endpoint *e = &fake->endpoints[endpoint];
    disk_wipe(e->disk, stop_time(e));
    down(e);
}

void fake_pause(struct fake *fake, uint32_t endpoint, bool paused)
{
    struct endpoint *e = &fake->endpoints[endpoint];
    e->paused = paused;
    struct fake_event *backlog = e->backlog;
    e->backlog = NULL;
    while (backlog) {
        struct fake_event *next = backlog->next;
        backlog->time_ns = fake->now_ns;
        event_insert(fake, backlog);
        backlog = next;
    }
}

bool fake_up(const struct fake *fake, uint32_t endpoint)
{
    return fake->endpoints[endpoint].scheme != NULL;
}

int fake_panicked(const struct fake *fake, uint32_t endpoint)
{
    return fake->endpoints[endpoint].panicked;
}

struct disk *fake_disk(struct fake *fake, uint32_t endpoint)
{
    return fake->endpoints[endpoint].disk;
}

void fake_clock_step(struct fake *fake, uint32_t endpoint, int64_t delta_ns)
{
    fake->endpoints[endpoint].wall_offset_ns += delta_ns;
}

struct scheme_inspection fake_inspect(struct fake *fake, uint32_t endpoint)
{
    struct endpoint *e = &fake->endpoints[endpoint];
    struct scheme_inspection inspection;
    assert_non_null(e->scheme);
    e->ops->inspect(e->scheme, &inspection);
    return inspection;
}

/* ---- the loop ---- */

static bool event_due(const struct fake *fake, const struct fake_event *event)
{
    const struct endpoint *e = &fake->endpoints[event->to];
    if (event->kind == EVENT_CLAIM) return true;
    if (event->kind == EVENT_TIMER)
        return event->incarnation == e->incarnation &&
               event->generation == e->timer_generation[event->id];
    return true;
}

static void directory_claim(struct fake *fake, const struct fake_event *event)
{
    bool accepted = fake->config.directory_last_wins || event->id > fake->directory_epoch ||
                    (event->id == fake->directory_epoch && event->to == fake->directory_leader);
    if (accepted) {
        fake->directory_leader = event->to;
        fake->directory_epoch = event->id;
    }
    unsigned char answer[13];
    answer[0] = accepted;
    put_u32(answer + 1, fake->directory_leader);
    put_u64(answer + 5, fake->directory_epoch);
    struct fake_event *out = event_new(fake, EVENT_MESSAGE, event->from, DIRECTORY_NS / 2,
                                       bytes_of(answer, sizeof answer));
    out->from = ENV_DIRECTORY;
    out->message_class = MESSAGE_CONTROL;
    event_insert(fake, out);
}

static void handle(struct endpoint *e, const struct fake_event *event)
{
    struct bytes data = {event->data, event->size};
    struct operation operation;
    switch (event->kind) {
    case EVENT_MESSAGE:
        e->ops->receive(e->scheme, event->from, event->message_class, data);
        break;
    case EVENT_TIMER: e->ops->timer(e->scheme, event->id); break;
    case EVENT_REQUEST:
        assert_int_equal(operation_decode(data, &operation), 0);
        e->ops->request(e->scheme, event->id, &operation);
        e->detached = false;
        break;
    default: break;
    }
}

struct batch {
    struct endpoint *endpoint;
    struct fake_event *first;
};

static void batch_call(void *context)
{
    struct batch *batch = context;
    struct endpoint *e = batch->endpoint;
    for (struct fake_event *event = batch->first; event; event = event->next) handle(e, event);
    e->ops->flush(e->scheme);
}

/* Runs entries of one instant for one endpoint, then flush. Frees them. */
static void batch_run(struct fake *fake, struct endpoint *e, struct fake_event *first)
{
    struct batch batch = {e, first};
    disk_begin(e->disk, fake->now_ns);
    bool finished = guarded(fake, batch_call, &batch);
    disk_end(e->disk);
    if (!finished) {
        disk_crash(e->disk, stop_time(e));
        down(e);
    }
    list_free(first);
}

static void dispatch(struct fake *fake, struct fake_event *event)
{
    struct endpoint *e = event->kind == EVENT_CLAIM ? NULL : &fake->endpoints[event->to];
    if (event->kind == EVENT_CLAIM) {
        directory_claim(fake, event);
        event_free(event);
        return;
    }
    if (event->kind == EVENT_FENCE) {
        if (e->scheme) fake_power_off(fake, event->to);
        event_free(event);
        return;
    }
    if (!e->scheme || !event_due(fake, event)) {
        event_free(event);
        return;
    }
    if (e->paused) {
        struct fake_event **at = &e->backlog;
        while (*at) at = &(*at)->next;
        event->next = NULL;
        *at = event;
        return;
    }
    /* The batch: directly following entries of this instant for this endpoint. */
    struct fake_event **tail = &event->next;
    event->next = NULL;
    for (struct fake_event *more; (more = queue_first(fake)) != NULL;) {
        if (more->time_ns > fake->now_ns || more->to != event->to || more->kind > EVENT_REQUEST)
            break;
        queue_pop(fake);
        more->next = NULL;
        if (!event_due(fake, more)) {
            event_free(more);
            continue;
        }
        *tail = more;
        tail = &more->next;
    }
    batch_run(fake, e, event);
}

int64_t fake_now(const struct fake *fake)
{
    return fake->now_ns;
}

void fake_run_until(struct fake *fake, int64_t time_ns)
{
    for (struct fake_event *event; (event = queue_first(fake)) != NULL;) {
        if (event->time_ns > time_ns) break;
        queue_pop(fake);
        fake->now_ns = event->time_ns;
        dispatch(fake, event);
    }
    if (fake->now_ns < time_ns) fake->now_ns = time_ns;
}

void fake_run_for(struct fake *fake, int64_t duration_ns)
{
    fake_run_until(fake, fake->now_ns + duration_ns);
}

/* ---- network ---- */

void fake_cut(struct fake *fake, uint32_t from, uint32_t to, uint32_t classes, bool queue)
{
    assert_true(fake->cuts_count < CUTS_MAX);
    fake->cuts[fake->cuts_count++] = (struct cut){from, to, classes, queue};
    /* What is in flight shares the fate of what is sent. */
    struct fake_event *taken = NULL, **old = fake->queue;
    size_t count = fake->queue_count;
    fake->queue = NULL;
    fake->queue_count = fake->queue_capacity = 0;
    for (size_t i = 0; i < count; i++) {
        struct fake_event *event = old[i];
        bool flies = event->kind == EVENT_MESSAGE || event->kind == EVENT_FENCE;
        if (flies && event->from == from && event->to == to &&
            (classes & 1u << event->message_class)) {
            struct fake_event **at = &taken;
            while (*at && event_before(*at, event)) at = &(*at)->next;
            event->next = *at;
            *at = event;
        } else {
            uint64_t sequence = event->sequence;
            event_insert(fake, event);
            event->sequence = sequence;
        }
    }
    free(old);
    /* The old sequence numbers stand again: restore the order. */
    for (size_t i = fake->queue_count / 2; i-- > 0;) queue_down(fake, i);
    while (taken) {
        struct fake_event *next = taken->next;
        depart(fake, taken);
        taken = next;
    }
}

void fake_cut_both(struct fake *fake, uint32_t a, uint32_t b, uint32_t classes, bool queue)
{
    fake_cut(fake, a, b, classes, queue);
    fake_cut(fake, b, a, classes, queue);
}

void fake_heal(struct fake *fake)
{
    fake->cuts_count = 0;
    struct fake_event *held = fake->held;
    fake->held = NULL;
    while (held) {
        struct fake_event *next = held->next;
        held->time_ns = fake->now_ns + fake->config.latency_ns;
        event_insert(fake, held);
        held = next;
    }
}

void fake_slow(struct fake *fake, uint32_t from, uint32_t to, int64_t add_ns)
{
    fake->slow_ns[from][to] = add_ns;
}

void fake_directory_cut(struct fake *fake, uint32_t endpoint, bool cut)
{
    fake->endpoints[endpoint].directory_cut = cut;
}

uint32_t fake_directory_leader(const struct fake *fake)
{
    return fake->directory_leader;
}

uint64_t fake_directory_epoch(const struct fake *fake)
{
    return fake->directory_epoch;
}

void fake_inject(struct fake *fake, uint32_t from, uint32_t to,
                 enum message_class message_class, struct bytes bytes)
{
    struct fake_event *event = event_new(fake, EVENT_MESSAGE, to, 0, bytes);
    event->from = from;
    event->message_class = message_class;
    event->next = NULL;
    dispatch(fake, event);
}

uint64_t fake_messages(const struct fake *fake, enum message_class message_class)
{
    return fake->messages[message_class];
}

size_t fake_message_size_max(const struct fake *fake)
{
    return fake->message_size_max;
}

void fake_filter(struct fake *fake, fake_filter_fn *filter, void *context)
{
    fake->filter = filter;
    fake->filter_context = context;
}

/* ---- clients and operators ---- */

uint64_t fake_request(struct fake *fake, uint32_t node, const struct operation *operation)
{
    uint64_t number = fake->answers_count++;
    fake->answers = grown(fake->answers, fake->answers_count * sizeof *fake->answers);
    fake->answers[number] = grown(NULL, sizeof **fake->answers);
    *fake->answers[number] = (struct fake_answer){.answered = false};
    struct operation numbered = *operation;
    if (!numbered.id) numbered.id = number + 1;
    struct buffer bytes = {.allocator = &allocator_system};
    assert_int_equal(operation_encode(&numbered, &bytes), 0);
    struct fake_event *event = event_new(fake, EVENT_REQUEST, node, 0, buffer_bytes(&bytes));
    buffer_deinit(&bytes);
    event->id = number;
    event_insert(fake, event);
    return number;
}

const struct fake_answer *fake_answer(const struct fake *fake, uint64_t request)
{
    assert_true(request < fake->answers_count);
    return fake->answers[request];
}

uint64_t fake_write(struct fake *fake, uint32_t node, const char *key, const char *value)
{
    return fake_request(fake, node,
                        &(struct operation){.type = OPERATION_WRITE,
                                            .key = bytes_string(key),
                                            .value = bytes_string(value)});
}

uint64_t fake_read(struct fake *fake, uint32_t node, const char *key)
{
    return fake_request(fake, node,
                        &(struct operation){.type = OPERATION_READ, .key = bytes_string(key)});
}

uint64_t fake_insert(struct fake *fake, uint32_t node, const char *table, const char *value)
{
    return fake_request(fake, node,
                        &(struct operation){.type = OPERATION_INSERT,
                                            .key = bytes_string(table),
                                            .value = bytes_string(value)});
}

struct admin {
    struct endpoint *endpoint;
    struct admin_command command;
    int error;
};

static void admin_call(void *context)
{
    struct admin *admin = context;
    struct endpoint *e = admin->endpoint;
    admin->error = e->ops->admin(e->scheme, &admin->command);
    e->ops->flush(e->scheme);
}

int fake_admin(struct fake *fake, uint32_t node, enum admin_kind kind, uint32_t target)
{
    struct admin admin = {.endpoint = &fake->endpoints[node], .command = {kind, target}};
    assert_non_null(admin.endpoint->scheme);
    disk_begin(admin.endpoint->disk, fake->now_ns);
    if (!guarded(fake, admin_call, &admin))
        fail_msg("panic %d in an admin command", admin.endpoint->panicked);
    disk_end(admin.endpoint->disk);
    return admin.error;
}

const struct fake_answer *fake_do(struct fake *fake, uint32_t node,
                                  const struct operation *operation)
{
    uint64_t request = fake_request(fake, node, operation);
    int64_t limit = fake->now_ns + SECOND;
    while (!fake->answers[request]->answered && fake->now_ns < limit) fake_run_for(fake, MS);
    if (!fake->answers[request]->answered) fail_msg("no answer within a second");
    return fake->answers[request];
}

const struct fake_answer *fake_do_write(struct fake *fake, uint32_t node, const char *key,
                                        const char *value)
{
    return fake_do(fake, node,
                   &(struct operation){.type = OPERATION_WRITE,
                                       .key = bytes_string(key),
                                       .value = bytes_string(value)});
}

const struct fake_answer *fake_do_read(struct fake *fake, uint32_t node, const char *key)
{
    return fake_do(fake, node,
                   &(struct operation){.type = OPERATION_READ, .key = bytes_string(key)});
}

const struct fake_answer *fake_do_insert(struct fake *fake, uint32_t node, const char *table)
{
    return fake_do(fake, node,
                   &(struct operation){.type = OPERATION_INSERT,
                                       .key = bytes_string(table),
                                       .value = bytes_string("row")});
}

/* ---- what happened ---- */

uint32_t fake_notes(const struct fake *fake, uint32_t endpoint, enum note_kind kind)
{
    uint32_t count = 0;
    for (size_t i = 0; i < fake->notes_count; i++)
        if (fake->notes[i].kind == kind &&
            (endpoint == UINT32_MAX || fake->notes[i].endpoint == endpoint))
            count++;
    return count;
}

const struct fake_note *fake_note(const struct fake *fake, uint32_t endpoint,
                                  enum note_kind kind)
{
    for (size_t i = fake->notes_count; i-- > 0;)
        if (fake->notes[i].kind == kind &&
            (endpoint == UINT32_MAX || fake->notes[i].endpoint == endpoint))
            return &fake->notes[i];
    return NULL;
}

const struct fake_note *fake_note_at(const struct fake *fake, size_t index)
{
    return index < fake->notes_count ? &fake->notes[index] : NULL;
}

uint32_t fake_fences(const struct fake *fake, uint32_t node)
{
    return fake->endpoints[node].fences;
}

bool fake_engine_get(struct fake *fake, uint32_t node, struct bytes key, char *out,
                     size_t out_size)
{
    struct endpoint *e = &fake->endpoints[node];
    assert_non_null(e->env.engine);
    struct buffer value = {.allocator = &allocator_system};
    disk_begin(e->disk, fake->now_ns);
    int err = engine_get(e->env.engine, key, &value);
    disk_end(e->disk);
    out[0] = 0;
    if (!err) {
        assert_true(value.size < out_size);
        memcpy(out, value.data, value.size);
        out[value.size] = 0;
    }
    buffer_deinit(&value);
    return !err;
}

uint64_t fake_rows_hash(struct fake *fake, uint32_t node, uint64_t *count)
{
    struct endpoint *e = &fake->endpoints[node];
    struct engine_range all = {.has_from = false};
    struct engine_cursor *cursor;
    struct bytes key, value;
    uint64_t hash = 0, rows = 0;
    disk_begin(e->disk, fake->now_ns);
    assert_int_equal(engine_scan_open(e->env.engine, &all, &cursor), 0);
    while (engine_scan_next(cursor, &key, &value) > 0) {
        if (!*(const char *)key.data) continue;
        hash +=
            mix64(hash_bytes(key.data, key.size, 1) ^ hash_bytes(value.data, value.size, 2));
        rows++;
    }
    engine_scan_close(cursor);
    disk_end(e->disk);
    if (count) *count = rows;
    return hash;
}
