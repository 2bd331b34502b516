/* When operations begin.
 *
 * Open loop: operation n of the group arrives at start + n / rate, computed anew from n each
 * time, so that no error adds up: n x 10^15 / (rate x 10^6) ns, rounded down. It goes to client
 * n mod clients. Poisson arrivals add exponential gaps instead. Nothing that happens to one
 * operation moves another; a client whose last operation is still open begins the next one as
 * another process.
 *
 * Closed loop: a client's next operation begins `think` after the end of the last one. A
 * sequence repeats its steps; while a lock that it asks for is not granted, it begins again at
 * the step that asks.
 *
 *     arrivals_start --> step (first) --> op_begin --> ... op_finish --> arrivals_next --(think
 * or wait)--> step
 */
#include "sim/workload/workload_internal.h"

#define MILLION 1000000
#define RATE_MAX INT64_C(1000000000000000) /* a billion a second */
#define NOTHING_TO_DO_NS                                                                       \
    NS_PER_MS /* closed loop: pause when there was nothing to ask, such as no id to resolve    \
                 yet */

static void arrival_fire(struct kernel *kernel, const struct event *event);
static void step_fire(struct kernel *kernel, const struct event *event);
static const struct event_type arrival_event = {"workload.arrival",
                                                EVENT_ID('w', 'l', 'a', 'r'), arrival_fire};
static const struct event_type step_event = {"workload.step", EVENT_ID('w', 'l', 's', 't'),
                                             step_fire};

static int64_t now(const struct group *group)
{
    return kernel_now(group->workload->kernel);
}

/* ---- types ---- */

static enum operation_type mix_draw(struct client *client)
{
    const struct workload_mix *mix = &client->group->config.mix;
    int64_t left = (int64_t)rng_below(&client->choices, MILLION);
    for (int type = 0; type < OPERATION_TYPES; type++) {
        left -= mix->ppm[type];
        if (left < 0) return (enum operation_type)type;
    }
    return OPERATION_READ;
}

/* ---- open loop ---- */

static int64_t arrival_time(struct group *group)
{
    const struct workload_config *config = &group->config;
    if (config->arrivals == ARRIVALS_CONSTANT) {
        __int128 after = (__int128)group->arrivals * 1000000000000000 / group->rate_millionths;
        __int128 at = config->start_ns + after;
        return at > VTIME_MAX ? VTIME_MAX : (int64_t)at;
    }
    if (group->arrivals == 0) group->next_ns = config->start_ns;
    struct dist gap = {.kind = DIST_EXPONENTIAL,
                       .a = (int64_t)(INT64_C(1000000000000000) / group->rate_millionths)};
    int64_t draw = dist_draw(&gap, &group->arrival_draws);
    group->next_ns = draw > VTIME_MAX - group->next_ns ? VTIME_MAX : group->next_ns + draw;
    return group->next_ns;
}

static void arrival_schedule(struct group *group)
{
    const struct workload_config *config = &group->config;
    if (config->count && group->arrivals >= (uint64_t)config->count) return;
    int64_t at = arrival_time(group);
    if (at >= group->ends_ns) return;
    if (at < now(group)) at = now(group); /* after a pause: what has piled up comes at once */
    group_schedule(group, at, &arrival_event, group->arrivals, 0);
}

void arrivals_fire(struct group *group, uint64_t number)
{
    if (now(group) >= group->ends_ns) return; /* paused beyond the end */
    group->arrivals++;
    arrival_schedule(group);
    struct client *client = &group->clients[number % (uint64_t)group->config.clients];
    enum operation_type type = mix_draw(client);
    op_begin(client, type);
}

static void arrival_fire(struct kernel *kernel, const struct event *event)
{
    (void)kernel;
    struct group *group = event->context;
    uint64_t number = event->a;
    if (!group_defers(group, DEFERRED_ARRIVAL, number, 0)) arrivals_fire(group, number);
}

/* ---- closed loop ---- */

static void step_schedule(struct client *client, int64_t after_ns)
{
    struct group *group = client->group;
    int64_t at = after_ns > VTIME_MAX - now(group) ? VTIME_MAX : now(group) + after_ns;
    if (at >= group->ends_ns) return;
    if (group->config.count && group->arrivals >= (uint64_t)group->config.count) return;
    group_schedule(group, at, &step_event, client->index, 0);
}

/* The sequence's step at hand, after what is to be skipped. */
static const struct workload_step *sequence_step(struct client *client)
{
    const struct workload_config *config = &client->group->config;
    for (uint32_t i = 0; i <= config->sequence_count; i++) {
        const struct workload_step *step = &config->sequence[client->step];
        /* Nothing to unlock: the lock was not granted, or its answer is unknown. */
        if (step->wait_ns > 0 || step->type != OPERATION_UNLOCK || client->lock_token)
            return step;
        client->step = (client->step + 1) % config->sequence_count;
    }
    return &config->sequence[client->step];
}

void arrivals_step(struct client *client)
{
    struct group *group = client->group;
    const struct workload_config *config = &group->config;
    if (now(group) >= group->ends_ns) return;
    if (config->count && group->arrivals >= (uint64_t)config->count) return;
    enum operation_type type;
    if (config->sequence_count) {
        const struct workload_step *step = sequence_step(client);
        client->step = (client->step + 1) % config->sequence_count;
        if (step->wait_ns > 0) {
            step_schedule(client, step->wait_ns);
            return;
        }
        type = step->type;
    } else {
        type = mix_draw(client);
    }
    group->arrivals++;
    if (!op_begin(client, type)) {
        group->arrivals--;
        step_schedule(client, config->think_ns > NOTHING_TO_DO_NS ? config->think_ns
                                                                  : NOTHING_TO_DO_NS);
    }
}

static void step_fire(struct kernel *kernel, const struct event *event)
{
    (void)kernel;
    struct group *group = event->context;
    uint64_t index = event->a;
    if (!group_defers(group, DEFERRED_STEP, index, 0)) arrivals_step(&group->clients[index]);
}

/* A sequence that asked for a lock in vain goes back to asking. */
static void sequence_rewind(struct client *client)
{
    const struct workload_config *config = &client->group->config;
    uint32_t last = (client->step + config->sequence_count - 1) % config->sequence_count;
    const struct workload_step *step = &config->sequence[last];
    if (step->wait_ns == 0 && step->type == OPERATION_LOCK && !client->lock_token)
        client->step = last;
}

void arrivals_next(struct client *client)
{
    struct group *group = client->group;
    const struct workload_config *config = &group->config;
    if (group->is_open_loop) return;
    int64_t pause = config->think_ns;
    if (config->sequence_count) {
        sequence_rewind(client);
        if (config->sequence[client->step].wait_ns > 0) pause = 0;
    }
    step_schedule(client, pause);
}

/* ---- start ---- */

void arrivals_start(struct group *group)
{
    const struct workload_config *config = &group->config;
    group->rate_millionths = config->rate_millionths;
    if (config->rate_per_client_millionths > RATE_MAX / config->clients)
        group->rate_millionths = RATE_MAX;
    else if (config->rate_per_client_millionths > 0)
        group->rate_millionths = config->rate_per_client_millionths * config->clients;
    group->is_open_loop = group->rate_millionths > 0;
    if (group->is_open_loop) {
        kernel_stream(group->workload->kernel, &group->arrival_draws, "workload.arrivals",
                      config->name);
        arrival_schedule(group);
        return;
    }
    if (config->start_ns >= group->ends_ns) return;
    for (uint32_t i = 0; i < (uint32_t)config->clients; i++) {
        int64_t at = config->start_ns > now(group) ? config->start_ns : now(group);
        group_schedule(group, at, &step_event, i, 0);
    }
}
