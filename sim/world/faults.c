/* The schedule of faults: when each entry of the plan begins and ends, and how much effect
 * it had.
 *
 *     waiting --trigger--> begin_event --(delay)--> open --end_event, heal, finish--> ended
 *
 * I1  Entries of a time come before every other event of their instant
 *     (kernel_schedule_first).
 * I2  A trigger on state fires one nanosecond after the state is reached at the earliest:
 *     what reached it has then happened entirely, on the disk too, and a crash takes
 *     nothing of it back.
 * I3  The leader is resolved when the entry begins, in a copy of the parameters; every
 *     later use (end, effects, text) sees the same node.
 * I4  Effects are counted from the beginning to the end of the run, whoever ended the
 *     entry.
 *
 * What an action needs to remember stands in a fault_state; the id that begin returns is
 * its number plus one, so 0 means that the action had nothing to act on.
 */
#include "sim/world/world_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/kernel/check.h"

#define LEADER (-2)

static void begin_fire(struct kernel *kernel, const struct event *event);
static void end_fire(struct kernel *kernel, const struct event *event);

static const struct event_type begin_event = {"fault", EVENT_ID('f', 'l', 't', '+'),
                                              begin_fire};
static const struct event_type end_event = {"heal", EVENT_ID('f', 'l', 't', '-'), end_fire};

/* ---- life ---- */

static const struct fault_plan *plan_of(const struct fault_run *run)
{
    return &run->world->config.faults[run->index];
}

void faults_create(struct world *world)
{
    uint32_t count = world->config.faults_count;
    world->runs = xcalloc(count ? count : 1, sizeof *world->runs);
    world->stopped_by_fault = UINT32_MAX;
    for (uint32_t i = 0; i < count; i++) {
        world->runs[i] = (struct fault_run){.world = world, .index = i};
        world->wants_syncs |= world->config.faults[i].trigger == TRIGGER_SYNC;
    }
}

void faults_destroy(struct world *world)
{
    for (uint32_t i = 0; i < world->config.faults_count; i++) free(world->runs[i].params);
    free(world->runs);
    free(world->states);
}

uint64_t faults_state_add(struct world *world, const struct fault_state *state)
{
    if (world->states_count == world->states_capacity) {
        world->states_capacity = world->states_capacity ? world->states_capacity * 2 : 16;
        world->states = xrealloc(world->states, world->states_capacity * sizeof *world->states);
    }
    world->states[world->states_count] = *state;
    world->states[world->states_count].began_ns = kernel_now(world->kernel);
    return ++world->states_count;
}

struct fault_state *faults_state(struct world *world, uint64_t id)
{
    return id ? &world->states[id - 1] : NULL;
}

/* ---- beginning ---- */

static void schedule_begin(struct fault_run *run, int64_t at)
{
    struct world *world = run->world;
    run->begin_event =
        kernel_schedule_first(world->kernel, at, &begin_event, run, UINT32_MAX, run->index, 0);
}

void faults_start(struct world *world)
{
    for (uint32_t i = 0; i < world->config.faults_count; i++)
        if (world->config.faults[i].trigger == TRIGGER_TIME)
            schedule_begin(&world->runs[i],
                           world->config.faults[i].at_ns + world->config.faults[i].delay_ns);
}

static struct option_list resolve_list(struct world *world, struct option_list list,
                                       int32_t leader)
{
    int32_t *items = arena_alloc(kernel_arena(world->kernel), (list.count + 1) * sizeof *items);
    for (uint32_t i = 0; i < list.count; i++) {
        int32_t item = ((const int32_t *)list.items)[i];
        items[i] = item == LEADER ? leader : item;
    }
    return (struct option_list){items, list.count};
}

/* I3 */
static void resolve(struct fault_run *run)
{
    struct world *world = run->world;
    const struct action *action = plan_of(run)->action;
    uint32_t leads = world_leader(world);
    int32_t leader = leads == UINT32_MAX ? -1 : (int32_t)leads;
    size_t size = action->options_size ? action->options_size : 1;
    free(run->params);
    run->params = xcalloc(1, size);
    if (plan_of(run)->params && action->options_size)
        memcpy(run->params, plan_of(run)->params, action->options_size);
    for (size_t i = 0; i < action->options_count; i++) {
        void *field = (char *)run->params + action->options[i].offset;
        if (action->options[i].type == OPTION_NODE || action->options[i].type == OPTION_PLACE) {
            if (*(int32_t *)field == LEADER) *(int32_t *)field = leader;
        } else if (action->options[i].type == OPTION_PLACES) {
            struct option_list *list = field;
            if (list->count) *list = resolve_list(world, *list, leader);
        } else if (action->options[i].type == OPTION_GROUPS) {
            struct option_list *groups = field, *copy;
            if (!groups->count) continue;
            copy = arena_alloc(kernel_arena(world->kernel), groups->count * sizeof *copy);
            for (uint32_t k = 0; k < groups->count; k++)
                copy[k] =
                    resolve_list(world, ((const struct option_list *)groups->items)[k], leader);
            *groups = (struct option_list){copy, groups->count};
        }
    }
}

/* The one place that a parameter of that name holds, or UINT32_MAX: for the picture's brackets.
 */
static uint32_t place_of(const struct fault_run *run, const char *name)
{
    const struct action *action = plan_of(run)->action;
    for (size_t i = 0; i < action->options_count; i++) {
        const struct option *option = &action->options[i];
        const void *field = (const char *)run->params + option->offset;
        if (strcmp(option->name, name) != 0) continue;
        int32_t place = -1;
        if (option->type == OPTION_NODE || option->type == OPTION_PLACE)
            place = *(const int32_t *)field;
        else if (option->type == OPTION_PLACES &&
                 ((const struct option_list *)field)->count == 1)
            place = *(const int32_t *)((const struct option_list *)field)->items;
        return place < 0 ? UINT32_MAX : (uint32_t)place;
    }
    return UINT32_MAX;
}

/* The first data node of the first two groups that have one: what the bracket of a partition
 * stands between. */
static void sides_of(const struct fault_run *run, uint32_t sides[2])
{
    const struct action *action = plan_of(run)->action;
    uint32_t found = 0;
    for (size_t i = 0; i < action->options_count; i++) {
        if (action->options[i].type != OPTION_GROUPS) continue;
        const struct option_list *groups =
            (const void *)((const char *)run->params + action->options[i].offset);
        for (uint32_t k = 0; k < groups->count && found < 2; k++) {
            const struct option_list *group = &((const struct option_list *)groups->items)[k];
            for (uint32_t n = 0; n < group->count; n++) {
                int32_t place = ((const int32_t *)group->items)[n];
                if (place < 0 || (uint32_t)place >= run->world->nodes_count) continue;
                sides[found++] = (uint32_t)place;
                break;
            }
        }
    }
    if (found == 1) sides[0] = UINT32_MAX;
}

static void tell_begin(const struct fault_run *run, int64_t until)
{
    struct world *world = run->world;
    const struct fault_plan *plan = plan_of(run);
    const struct action *action = plan->action;
    char text[256], lasts[48] = "", time[32];
    action->describe(world, run->params, text, sizeof text);
    if (plan->for_ns >= 0 && action->takes_for)
        snprintf(lasts, sizeof lasts, " for %s",
                 duration_format(plan->for_ns, time, sizeof time));
    uint32_t node = place_of(run, "node");
    uint32_t ends[2] = {place_of(run, "from"), place_of(run, "to")};
    sides_of(run, ends);
    bool is_heal = !strcmp(action->name, "heal");
    story_turn(world);
    story_tell(world,
               &(struct story_line){.kind = is_heal               ? TIMELINE_HEAL
                                            : action->is_operator ? TIMELINE_OPERATOR
                                                                  : TIMELINE_FAULT,
                                    .endpoint = node != UINT32_MAX ? node : ends[0],
                                    .peer = ends[1],
                                    .what = action->name,
                                    .id = plan->id,
                                    .until_ns = action->end ? until : -1},
               "%s%s", text, lasts);
}

static void begin_fire(struct kernel *kernel, const struct event *event)
{
    struct fault_run *run = event->context;
    struct world *world = run->world;
    const struct fault_plan *plan = plan_of(run);
    const struct action *action = plan->action;
    int64_t until = VTIME_MAX;
    if (action->takes_for && plan->for_ns >= 0) until = kernel_now(kernel) + plan->for_ns;
    resolve(run);
    tell_begin(run, until);
    run->has_fired = true;
    world->stopped_by_fault = place_of(run, "node");
    run->id = action->begin(world, run->params, until);
    world->stopped_by_fault = UINT32_MAX;
    run->is_open = action->end != NULL;
    if (run->is_open && until != VTIME_MAX)
        run->end_event =
            kernel_schedule_first(kernel, until, &end_event, run, UINT32_MAX, run->index, 0);
    for (uint32_t i = 0; i < world->config.faults_count; i++) {
        const struct fault_plan *other = &world->config.faults[i];
        if (other->trigger == TRIGGER_FAULT && !strcmp(other->trigger_fault, plan->id) &&
            !world->is_finishing && ++world->runs[i].occurrences == (uint64_t)other->nth)
            schedule_begin(&world->runs[i],
                           kernel_now(kernel) + (other->delay_ns > 0 ? other->delay_ns : 1));
    }
}

/* ---- ending ---- */

bool faults_end(struct world *world, uint32_t index, bool with_stops)
{
    struct fault_run *run = &world->runs[index];
    const struct fault_plan *plan = plan_of(run);
    if (!run->is_open || (plan->action->is_stop && !with_stops)) return false;
    run->is_open = false;
    kernel_cancel(world->kernel, run->end_event);
    story_turn(world);
    /* The band of the picture ends here, whatever `for` said. */
    int64_t now = kernel_now(world->kernel);
    for (size_t i = world->records->timeline.count; i-- > 0;) {
        struct timeline_entry *entry = &world->records->timeline.items[i];
        if (entry->kind != TIMELINE_FAULT || entry->id != plan->id) continue;
        entry->until_ns = now;
        break;
    }
    struct fault_state *state = faults_state(world, run->id);
    if (state && !state->is_over) {
        state->is_over = true;
        state->ended_ns = now;
    }
    plan->action->end(world, run->params, run->id);
    if (plan->action->tells_end && !world->is_finishing)
        story_tell(world,
                   &(struct story_line){.kind = TIMELINE_HEAL,
                                        .endpoint = place_of(run, "node"),
                                        .peer = UINT32_MAX,
                                        .what = plan->action->name,
                                        .id = plan->id,
                                        .until_ns = -1},
                   "%s is over (%s)", plan->id, plan->action->name);
    return true;
}

static void end_fire(struct kernel *kernel, const struct event *event)
{
    (void)kernel;
    struct fault_run *run = event->context;
    faults_end(run->world, run->index, true);
}

uint32_t faults_find(const struct world *world, const char *id)
{
    for (uint32_t i = 0; i < world->config.faults_count; i++)
        if (!strcmp(world->config.faults[i].id, id)) return i;
    return UINT32_MAX;
}

void faults_close(struct world *world)
{
    for (uint32_t i = 0; i < world->config.faults_count; i++) {
        kernel_cancel(world->kernel, world->runs[i].begin_event);
        kernel_cancel(world->kernel, world->runs[i].end_event);
    }
}

/* ---- triggers ---- */

static void notice(struct world *world, uint32_t index, uint64_t occurrences)
{
    struct fault_run *run = &world->runs[index];
    const struct fault_plan *plan = plan_of(run);
    uint64_t nth = plan->nth > 0 ? (uint64_t)plan->nth : 1;
    bool is_reached = run->occurrences < nth && occurrences >= nth;
    run->occurrences = occurrences;
    if (is_reached)
        schedule_begin(run,
                       kernel_now(world->kernel) + (plan->delay_ns > 0 ? plan->delay_ns : 1));
}

void faults_notice(struct world *world, enum trigger_kind kind, uint32_t place)
{
    if (world->is_finishing) return;
    for (uint32_t i = 0; i < world->config.faults_count; i++) {
        const struct fault_plan *plan = &world->config.faults[i];
        if (plan->trigger != kind) continue;
        if (place != UINT32_MAX && plan->trigger_place >= 0 &&
            (uint32_t)plan->trigger_place != place)
            continue;
        notice(world, i, world->runs[i].occurrences + 1);
    }
}

void faults_syncs(struct world *world, uint32_t place, uint64_t syncs)
{
    if (world->is_finishing) return;
    for (uint32_t i = 0; i < world->config.faults_count; i++) {
        const struct fault_plan *plan = &world->config.faults[i];
        bool is_here = plan->trigger_place < 0 || (uint32_t)plan->trigger_place == place;
        if (plan->trigger == TRIGGER_SYNC && is_here) notice(world, i, syncs);
    }
}

void faults_admin_answer(struct world *world, uint32_t place,
                         const struct admin_command *command, int error)
{
    /* The oldest that waits: commands of one node are answered in order. */
    for (uint32_t i = 0; i < world->states_count; i++) {
        struct fault_state *state = &world->states[i];
        if (state->place != place || state->admin_kind != (uint32_t)command->kind + 1) continue;
        state->admin_kind = 0;
        state->effects += !error;
        return;
    }
}

/* ---- evidence ---- */

uint64_t world_fault_effects(const struct world *world, uint32_t index)
{
    CHECK(index < world->config.faults_count);
    const struct fault_run *run = &world->runs[index];
    const struct action *action = world->config.faults[index].action;
    if (!run->has_fired || !run->id) return 0;
    return action->effects((struct world *)world, run->params, run->id);
}

bool world_fault_fired(const struct world *world, uint32_t index)
{
    CHECK(index < world->config.faults_count);
    return world->runs[index].has_fired;
}

bool world_any_fault_hit_engine(const struct world *world)
{
    for (uint32_t i = 0; i < world->config.faults_count; i++)
        if (world->config.faults[i].action->harms_data && world_fault_effects(world, i))
            return true;
    return false;
}
