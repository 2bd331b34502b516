/* Actions on processes, machines, clocks, and what operators do: crash, power_off, wipe,
 * start, reboot, pause, resume, clock_step, clock_drift, promote, demote, transfer,
 * heal.
 *
 * Evidence: a stop counts if there was something to stop, and the bytes that it lost; a
 * pause and a skewed clock count milliseconds (a part of one as one); a command counts when
 * the scheme accepted it and did not find it done already.
 */
#include <stdio.h>

#include "sim/world/faults_internal.h"

static bool is_process(const struct world *world, int32_t place)
{
    return place >= 0 && (uint32_t)place < world_endpoints(world);
}

static uint64_t counted(struct world *world, uint32_t place, uint64_t effects)
{
    return faults_state_add(
        world,
        &(struct fault_state){.place = place, .effects = effects, .had_effect = effects > 0});
}

uint64_t state_effects(struct world *world, const void *params, uint64_t id)
{
    (void)params;
    return faults_state(world, id)->effects;
}

/* ---- stops ---- */

static uint64_t lost_bytes(struct world *world, uint32_t place)
{
    return disk_counters(node_disk(world->nodes[place]))->lost_bytes;
}

uint64_t crash_begin(struct world *world, const void *params, int64_t until)
{
    (void)until;
    const struct place_params *p = params;
    if (!is_process(world, p->node)) return 0;
    return counted(world, (uint32_t)p->node, node_crash(world->nodes[p->node], DOWN_CRASH, ""));
}

static uint64_t power_cut(struct world *world, const struct power_params *p)
{
    uint32_t place = (uint32_t)p->node;
    enum disk_power_mode as_disk =
        place < world->nodes_count ? world->config.nodes[place].disk.power_mode : DISK_ALL_LOST;
    uint64_t lost = lost_bytes(world, place);
    bool ran = world_power_off(
        world, place, p->mode ? (enum disk_power_mode)(p->mode - 1) : as_disk, DOWN_POWER_OFF);
    return (uint64_t)ran + lost_bytes(world, place) - lost;
}

uint64_t power_off_begin(struct world *world, const void *params, int64_t until)
{
    (void)until;
    const struct power_params *p = params;
    return is_process(world, p->node) ? counted(world, (uint32_t)p->node, power_cut(world, p))
                                      : 0;
}

uint64_t wipe_begin(struct world *world, const void *params, int64_t until)
{
    (void)until;
    const struct place_params *p = params;
    if (!is_process(world, p->node)) return 0;
    uint64_t lost = lost_bytes(world, (uint32_t)p->node);
    bool had = node_wipe(world->nodes[p->node]);
    return counted(world, (uint32_t)p->node,
                   (uint64_t)had + lost_bytes(world, (uint32_t)p->node) - lost);
}

void stop_end(struct world *world, const void *params, uint64_t id)
{
    (void)params;
    const struct fault_state *state = faults_state(world, id);
    if (state) world_start_place(world, state->place);
}

uint64_t start_begin(struct world *world, const void *params, int64_t until)
{
    (void)until;
    const struct place_params *p = params;
    return is_process(world, p->node)
               ? counted(world, (uint32_t)p->node, world_start_place(world, (uint32_t)p->node))
               : 0;
}

uint64_t reboot_begin(struct world *world, const void *params, int64_t until)
{
    (void)until;
    const struct power_params *p = params;
    if (!is_process(world, p->node)) return 0;
    uint64_t effects = power_cut(world, p);
    world_start_place(world, (uint32_t)p->node);
    return counted(world, (uint32_t)p->node, effects);
}

/* ---- pauses ---- */

static uint64_t ms_of(int64_t ns)
{
    return (uint64_t)((ns + NS_PER_MS - 1) / NS_PER_MS);
}

uint64_t pause_begin(struct world *world, const void *params, int64_t until)
{
    (void)until;
    const struct place_params *p = params;
    if (p->node < 0) return 0;
    bool froze = world_pause_place(world, (uint32_t)p->node);
    return faults_state_add(
        world, &(struct fault_state){.place = (uint32_t)p->node, .had_effect = froze});
}

void pause_end(struct world *world, const void *params, uint64_t id)
{
    (void)params;
    const struct fault_state *state = faults_state(world, id);
    if (state && state->had_effect) world_resume_place(world, state->place);
}

uint64_t pause_effects(struct world *world, const void *params, uint64_t id)
{
    (void)params;
    const struct fault_state *state = faults_state(world, id);
    int64_t end = state->is_over ? state->ended_ns : kernel_now(world->kernel);
    return state->had_effect ? ms_of(end - state->began_ns) : 0;
}

uint64_t resume_begin(struct world *world, const void *params, int64_t until)
{
    (void)until;
    const struct place_params *p = params;
    return p->node < 0 ? 0
                       : counted(world, (uint32_t)p->node,
                                 world_resume_place(world, (uint32_t)p->node));
}

/* ---- clocks ---- */

uint64_t clock_step_begin(struct world *world, const void *params, int64_t until)
{
    (void)until;
    const struct clock_params *p = params;
    if (!is_process(world, p->node)) return 0;
    node_clock_step(world->nodes[p->node], p->by_ns);
    return counted(world, (uint32_t)p->node, ms_of(p->by_ns < 0 ? -p->by_ns : p->by_ns));
}

uint64_t clock_drift_begin(struct world *world, const void *params, int64_t until)
{
    (void)until;
    const struct clock_params *p = params;
    if (!is_process(world, p->node)) return 0;
    struct node *node = world->nodes[p->node];
    struct fault_state state = {.place = (uint32_t)p->node,
                                .drift = p->drift_ppm,
                                .drift_before = node_clock(node)->drift_ppm};
    node_clock_drift(node, p->drift_ppm);
    return faults_state_add(world, &state);
}

void clock_drift_end(struct world *world, const void *params, uint64_t id)
{
    (void)params;
    const struct fault_state *state = faults_state(world, id);
    if (state) node_clock_drift(world->nodes[state->place], state->drift_before);
}

uint64_t clock_drift_effects(struct world *world, const void *params, uint64_t id)
{
    (void)params;
    const struct fault_state *state = faults_state(world, id);
    int64_t end = state->is_over ? state->ended_ns : kernel_now(world->kernel);
    int64_t more = state->drift - state->drift_before;
    __int128 skew = (__int128)(more < 0 ? -more : more) * (end - state->began_ns) / 1000000;
    return ms_of((int64_t)skew);
}

/* ---- commands ---- */

static uint64_t command(struct world *world, int32_t node, enum admin_kind kind, int32_t target)
{
    if (node < 0) return 0;
    struct admin_command admin = {kind, target < 0 ? (uint32_t)node : (uint32_t)target};
    uint64_t id = faults_state_add(world, &(struct fault_state){.place = (uint32_t)node});
    if (node_admin(world->nodes[node], &admin))
        faults_state(world, id)->admin_kind = (uint32_t)kind + 1;
    return id;
}

uint64_t promote_begin(struct world *w, const void *p, int64_t until)
{
    (void)until;
    return command(w, ((const struct admin_params *)p)->node, ADMIN_PROMOTE, -1);
}
uint64_t demote_begin(struct world *w, const void *p, int64_t until)
{
    (void)until;
    return command(w, ((const struct admin_params *)p)->node, ADMIN_DEMOTE, -1);
}

uint64_t transfer_begin(struct world *world, const void *params, int64_t until)
{
    (void)until;
    const struct admin_params *p = params;
    return command(world, p->node, ADMIN_TRANSFER, p->to);
}

uint64_t heal_begin(struct world *world, const void *params, int64_t until)
{
    (void)until;
    const struct heal_params *p = params;
    uint64_t ended = 0;
    for (uint32_t i = 0; i < p->ids.count; i++) {
        uint32_t index = faults_find(world, p->ids.items[i]);
        ended += index != UINT32_MAX && faults_end(world, index, true);
    }
    if (!p->ids.count)
        for (uint32_t i = 0; i < world->config.faults_count; i++)
            ended += faults_end(world, i, false);
    return counted(world, UINT32_MAX, ended);
}

/* ---- words ---- */

static const char *name_of(struct world *world, int32_t place)
{
    const char *name = place < 0 ? NULL : world_endpoint_name(world, (uint32_t)place);
    return name ? name : "nobody (nobody leads)";
}

#define DESCRIBE(function, type, text)                                                         \
    void function(struct world *world, const void *params, char *out, size_t out_size)         \
    {                                                                                          \
        snprintf(out, out_size, text, name_of(world, ((const struct type *)params)->node));    \
    }

DESCRIBE(crash_describe, place_params, "crash of %s")
DESCRIBE(wipe_describe, place_params, "%s gets an empty disk")
DESCRIBE(start_describe, place_params, "operator starts %s")
DESCRIBE(pause_describe, place_params, "pause of %s")
DESCRIBE(resume_describe, place_params, "operator resumes %s")
DESCRIBE(promote_describe, admin_params, "operator promotes %s")
DESCRIBE(demote_describe, admin_params, "operator demotes %s")

static void describe_power(struct world *world, const struct power_params *p, const char *what,
                           char *out, size_t out_size)
{
    snprintf(out, out_size, "%s of %s%s%s%s", what, name_of(world, p->node),
             p->mode ? " (unsynced writes: " : "", p->mode ? power_mode_words[p->mode] : "",
             p->mode ? ")" : "");
}

void power_off_describe(struct world *world, const void *params, char *out, size_t out_size)
{
    describe_power(world, params, "power loss", out, out_size);
}
void reboot_describe(struct world *world, const void *params, char *out, size_t out_size)
{
    describe_power(world, params, "reboot", out, out_size);
}

void clock_step_describe(struct world *world, const void *params, char *out, size_t out_size)
{
    const struct clock_params *p = params;
    char time[32];
    snprintf(out, out_size, "the clock of %s jumps %s by %s", name_of(world, p->node),
             p->by_ns < 0 ? "back" : "ahead",
             duration_format(p->by_ns < 0 ? -p->by_ns : p->by_ns, time, sizeof time));
}

void clock_drift_describe(struct world *world, const void *params, char *out, size_t out_size)
{
    const struct clock_params *p = params;
    int64_t drift = p->drift_ppm < 0 ? -p->drift_ppm : p->drift_ppm;
    snprintf(out, out_size, "the clock of %s runs %lld ppm too %s", name_of(world, p->node),
             (long long)drift, p->drift_ppm < 0 ? "slow" : "fast");
}

void transfer_describe(struct world *world, const void *params, char *out, size_t out_size)
{
    const struct admin_params *p = params;
    snprintf(out, out_size, "operator has %s hand over to %s", name_of(world, p->node),
             name_of(world, p->to));
}

void heal_describe(struct world *world, const void *params, char *out, size_t out_size)
{
    (void)world;
    const struct heal_params *p = params;
    size_t used = 0;
    if (!p->ids.count) snprintf(out, out_size, "all faults end");
    for (uint32_t i = 0; i < p->ids.count && used < out_size; i++) {
        int wrote = snprintf(out + used, out_size - used, "%s%s",
                             i == 0                  ? "end of "
                             : i + 1 == p->ids.count ? " and "
                                                     : ", ",
                             p->ids.items[i]);
        used += wrote > 0 ? (size_t)wrote : 0;
    }
}
