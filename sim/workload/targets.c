/* Whom a client asks: what the group knows of the leader, and how reads are spread.
 *
 * The group learns the leader from the directory (told on change, asked at the start and after
 * a failure) and from nodes that refuse and name another. With follow_directory: no it keeps
 * the first leader that it was told. Where nobody leads (or nobody knows), requests go to the
 * nearest nodes in turn, so that schemes without a leader are served and a leader is found by
 * its hints.
 *
 * Before the directory's first word requests for the leader wait, PATIENCE_NS at most after the
 * question: a client that has just started knows nobody.
 */
#include "sim/workload/workload_internal.h"

#include <stdlib.h>

#include "sim/kernel/check.h"

#define PATIENCE_NS (100 * NS_PER_MS)
#define ASK_AGAIN_NS                                                                           \
    NS_PER_S /* an unanswered question is repeated (on a failure) after that long */

static void patience_fire(struct kernel *kernel, const struct event *event);
static const struct event_type patience_event = {"workload.patience",
                                                 EVENT_ID('w', 'l', 'p', 't'), patience_fire};

static int64_t now(const struct group *group)
{
    return kernel_now(group->workload->kernel);
}

void targets_open(struct group *group)
{
    struct workload *workload = group->workload;
    uint32_t nodes = world_nodes(workload->world);
    CHECK(nodes > 0);
    group->leader = LEADER_UNKNOWN;
    group->near = xcalloc(nodes, sizeof *group->near);
    uint32_t own = network_region(workload->network, group->endpoint), filled = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t node = 0; node < nodes; node++)
            if ((network_region(workload->network, node) == own) == (pass == 0))
                group->near[filled++] = node;
        if (pass == 0) group->near_count = filled ? filled : nodes;
    }
}

/* ---- choosing ---- */

static uint32_t nearest(const struct group *group, const struct op *op, uint32_t nodes)
{
    uint32_t first = op->client->index % group->near_count;
    return group->near[(first + op->phase_attempts) % nodes];
}

static bool is_read(const struct op *op)
{
    return op->type == HISTORY_READ || op->type == HISTORY_SCAN || op->type == HISTORY_RESOLVE;
}

static struct rng *target_draws(struct client *client)
{
    if (!client->has_targets) {
        struct group *group = client->group;
        struct arena *arena = kernel_arena(group->workload->kernel);
        const char *entity = arena_printf(arena, "%s/%u", group->config.name, client->index);
        kernel_stream(group->workload->kernel, &client->targets, "workload.targets", entity);
        client->has_targets = true;
    }
    return &client->targets;
}

uint32_t targets_choose(struct op *op)
{
    struct client *client = op->client;
    struct group *group = client->group;
    uint32_t nodes = world_nodes(group->workload->world);
    if (is_read(op) && !op->is_leader_read) {
        switch ((enum read_target)group->config.read_from) {
        case TARGET_ANY: return (uint32_t)rng_below(target_draws(client), nodes);
        case TARGET_NEAREST: return nearest(group, op, nodes);
        case TARGET_ROUND_ROBIN: return (uint32_t)(client->reads++ % nodes);
        case TARGET_LEADER: break;
        }
    }
    if (group->leader != LEADER_UNKNOWN) return group->leader;
    if (!group->was_told) return NONE;
    return nearest(group, op, nodes);
}

/* ---- waiting for the first word ---- */

void targets_wait(struct op *op)
{
    struct group *group = op->client->group;
    op->state = OP_WAITS_LEADER;
    op->next = NULL;
    if (group->waiting_last)
        group->waiting_last->next = op;
    else
        group->waiting_first = op;
    group->waiting_last = op;
    if (!group->is_patience_set) {
        group->is_patience_set = true;
        int64_t until = group->asked_ns + PATIENCE_NS;
        group_schedule(group, until > now(group) ? until : now(group), &patience_event, 0, 0);
    }
}

void targets_unwait(struct op *op)
{
    struct group *group = op->client->group;
    struct op *before = NULL;
    for (struct op *other = group->waiting_first; other; before = other, other = other->next) {
        if (other != op) continue;
        if (before)
            before->next = op->next;
        else
            group->waiting_first = op->next;
        if (group->waiting_last == op) group->waiting_last = before;
        return;
    }
}

static void release_waiting(struct group *group)
{
    struct op *op = group->waiting_first;
    group->waiting_first = group->waiting_last = NULL;
    while (op) {
        struct op *next = op->next;
        op_attempt(op);
        op = next;
    }
}

void targets_impatient(struct group *group)
{
    group->was_told = true;
    release_waiting(group);
}

static void patience_fire(struct kernel *kernel, const struct event *event)
{
    (void)kernel;
    struct group *group = event->context;
    if (!group_defers(group, DEFERRED_PATIENCE, 0, 0)) targets_impatient(group);
}

/* ---- learning ---- */

void targets_ask(struct group *group)
{
    struct workload *workload = group->workload;
    if (!group->config.follow_directory && group->leader != LEADER_UNKNOWN) return;
    if (group->is_asking && now(group) - group->asked_ns < ASK_AGAIN_NS) return;
    group->is_asking = true;
    group->asked_ns = now(group);
    struct payload *payload = payload_create((struct bytes){0}, NULL, 0);
    network_send(workload->network, group->endpoint, world_directory(workload->world),
                 MESSAGE_CLIENT, MESSAGE_DIRECTORY_ASK, payload);
    payload_release(payload);
}

void targets_told(struct group *group, uint32_t node)
{
    group->is_asking = false;
    group->was_told = true;
    bool is_bound = !group->config.follow_directory && group->leader != LEADER_UNKNOWN;
    if (node < world_nodes(group->workload->world) && !is_bound) group->leader = node;
    release_waiting(group);
}

void targets_hint(struct group *group, uint32_t from, uint32_t node)
{
    if (!group->config.follow_directory) return;
    /* A follower that was asked for a read may know less than the group does. */
    if (from != group->leader && group->leader != LEADER_UNKNOWN) return;
    group->leader = node < world_nodes(group->workload->world) ? node : LEADER_UNKNOWN;
}
