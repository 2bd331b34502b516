/* The story of a run: what nodes tell the world becomes facts (for checkers) and timeline
 * entries (for people).
 *
 * Facts are complete. The timeline is what an operator would note, so it is thrifty: a
 * manager that suspects the same node every second is noted once an era. An era ends when
 * something turns: a fault begins or ends, somebody comes to lead, a process stops or
 * starts. Boots at time zero are not told, nor that a follower follows.
 */
#define _GNU_SOURCE
#include "sim/world/world_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/kernel/check.h"

#define NOBODY UINT32_MAX

/* ---- telling ---- */

void story_fact(struct world *world, enum fact_kind kind, uint32_t endpoint, uint64_t a,
                uint64_t b, uint64_t c)
{
    facts_add(&world->records->facts, (struct fact){.time_ns = kernel_now(world->kernel),
                                                    .kind = (uint8_t)kind,
                                                    .endpoint = endpoint,
                                                    .a = a,
                                                    .b = b,
                                                    .c = c});
}

void story_turn(struct world *world)
{
    world->era++;
}

void story_tell(struct world *world, const struct story_line *line, const char *format, ...)
{
    int64_t now = kernel_now(world->kernel);
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    struct timeline_entry entry = {.time_ns = now,
                                   .until_ns = line->until_ns < 0 ? now : line->until_ns,
                                   .kind = (uint8_t)line->kind,
                                   .endpoint = line->endpoint,
                                   .peer = line->peer,
                                   .role = line->role,
                                   .epoch = line->epoch,
                                   .what = line->what,
                                   .id = line->id};
    timeline_add(&world->records->timeline, &entry, "%s", text);
}

bool story_is_new(struct world *world, uint32_t subject, uint32_t endpoint, uint64_t a)
{
    uint64_t key = mix64((uint64_t)subject << 32 | endpoint) ^ mix64(a + 1);
    for (uint32_t i = 0; i < world->said_count; i++) {
        if (world->said[i].key != key) continue;
        bool is_new = world->said[i].era != world->era;
        world->said[i].era = world->era;
        return is_new;
    }
    if (world->said_count == world->said_capacity) {
        world->said_capacity = world->said_capacity ? world->said_capacity * 2 : 32;
        world->said = xrealloc(world->said, world->said_capacity * sizeof *world->said);
    }
    world->said[world->said_count++] = (struct said){key, world->era};
    return true;
}

const char *story_count(uint64_t count, char out[32])
{
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count), at = 0;
    for (int i = 0; i < size; i++) {
        if (i && (size - i) % 3 == 0) out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

/* ---- roles ---- */

static void told_role(struct world *world, uint32_t endpoint, uint32_t role, uint64_t epoch)
{
    uint32_t before = world->roles[endpoint];
    uint64_t epoch_before = world->epochs[endpoint];
    const char *name = world_endpoint_name(world, endpoint);
    char under[48] = "";
    story_fact(world, FACT_ROLE, endpoint, role, epoch, 0);
    world->roles[endpoint] = role;
    world->epochs[endpoint] = epoch;
    if (role == before && epoch == epoch_before) return;
    if (epoch) snprintf(under, sizeof under, " (epoch %llu)", (unsigned long long)epoch);
    struct story_line line = {.kind = TIMELINE_ROLE,
                              .endpoint = endpoint,
                              .peer = NOBODY,
                              .what = role < ROLE_COUNT ? role_words[role] : "role",
                              .role = role,
                              .epoch = epoch,
                              .until_ns = -1};
    if (role == ROLE_LEADER) {
        story_turn(world);
        story_tell(world, &line,
                   before == ROLE_LEADER ? "%s leads on%s" : "%s becomes leader%s", name,
                   under);
        if (world->has_led || endpoint != world->config.leader_initial)
            faults_notice(world, TRIGGER_LEADER_ELECTED, endpoint);
        world->has_led = true;
    } else if (before == ROLE_LEADER) {
        story_turn(world);
        story_tell(world, &line, "%s leads no longer%s", name, under);
    } else if (role == ROLE_CANDIDATE && story_is_new(world, 1000 + role, endpoint, 0)) {
        story_tell(world, &line, "%s stands for election%s", name, under);
    } else if (role == ROLE_RECOVERING && story_is_new(world, 1000 + role, endpoint, 0)) {
        story_tell(world, &line, "%s recovers%s", name, under);
    }
}

/* ---- notes ---- */

/* Who leads in the eyes of `endpoint`, for sentences such as "writes that db-c never had". */
static const char *leader_name(struct world *world, uint32_t endpoint)
{
    uint32_t leader = world_leader(world);
    if (leader == NOBODY || leader == endpoint) {
        leader = node_inspection(world->nodes[endpoint])->leader;
        if (leader >= world->nodes_count || leader == endpoint) return "the leader";
    }
    return world_endpoint_name(world, leader);
}

static const char *node_name(struct world *world, uint64_t node)
{
    return node < world_endpoints(world) ? world_endpoint_name(world, (uint32_t)node)
                                         : "nobody";
}

static void told_decision(struct world *world, uint32_t endpoint, enum note_kind kind,
                          uint64_t a, uint64_t b)
{
    const char *name = world_endpoint_name(world, endpoint);
    bool is_manager = endpoint >= world->nodes_count;
    struct story_line line = {.kind = TIMELINE_DECISION,
                              .endpoint = endpoint,
                              .until_ns = -1,
                              .peer = a < world_endpoints(world) ? (uint32_t)a : NOBODY};
    char under[48] = "", count[32], other[32];
    switch (kind) {
    case NOTE_LEADER_ELECTED:
        if (!story_is_new(world, kind, (uint32_t)a, b)) return;
        if (b) snprintf(under, sizeof under, " (epoch %llu)", (unsigned long long)b);
        line.what = is_manager ? "promote" : "elect";
        line.epoch = b;
        if (is_manager)
            story_tell(world, &line, "%s promotes %s%s", name, node_name(world, a), under);
        else if (a == endpoint)
            story_tell(world, &line, "%s is elected%s", name, under);
        else
            story_tell(world, &line, "%s elects %s%s", name, node_name(world, a), under);
        return;
    case NOTE_LEADER_SUSPECTED:
        line.what = "suspect";
        if (story_is_new(world, kind, endpoint, a))
            story_tell(world, &line, "%s takes %s for dead", name, node_name(world, a));
        return;
    case NOTE_PROMOTION_REFUSED:
        line.what = "refuse";
        if (story_is_new(world, kind, endpoint, a))
            story_tell(world, &line, "%s does not promote %s: the configuration forbids it",
                       name, node_name(world, a));
        return;
    case NOTE_FENCE_ORDERED:
        line.what = "fence";
        story_tell(world, &line, "%s orders that %s be shot", name, node_name(world, a));
        return;
    case NOTE_FALLBACK:
        line.what = "fallback";
        line.peer = NOBODY;
        story_tell(world, &line,
                   a ? "%s falls back to asynchronous replication"
                     : "%s waits for its followers again",
                   name);
        return;
    case NOTE_QUORUM_LOST:
        line.what = "quorum_lost";
        line.peer = NOBODY;
        if (story_is_new(world, kind, endpoint, 0))
            story_tell(world, &line, "%s sees %s of the %s that a decision needs", name,
                       story_count(a, count), story_count(b, other));
        return;
    case NOTE_SNAPSHOT:
        line.what = "snapshot";
        if (!story_is_new(world, kind, endpoint, a)) return;
        if (a == endpoint || a >= world_endpoints(world) ||
            world->roles[endpoint] != ROLE_LEADER)
            story_tell(world, &line, "%s installs a snapshot up to position %s", name,
                       story_count(b, count));
        else
            story_tell(world, &line, "%s sends %s a snapshot up to position %s", name,
                       node_name(world, a), story_count(b, count));
        return;
    case NOTE_CATCHING_UP:
        line.what = "catch_up";
        line.peer = NOBODY;
        if (story_is_new(world, kind, endpoint, 0))
            story_tell(world, &line, "%s catches up from position %s to %s", name,
                       story_count(b, other), story_count(a, count));
        return;
    default: return;
    }
}

static void told_loss(struct world *world, uint32_t endpoint, enum note_kind kind, uint64_t a,
                      uint64_t b)
{
    const char *name = world_endpoint_name(world, endpoint), *plural = a == 1 ? "" : "s";
    struct story_line line = {
        .kind = TIMELINE_LOSS, .endpoint = endpoint, .peer = NOBODY, .until_ns = -1};
    char count[32], other[32];
    switch (kind) {
    case NOTE_WRITES_DISCARDED:
        story_fact(world, FACT_DISCARDED, endpoint, a, b, 0);
        line.what = "discard";
        if (a)
            story_tell(world, &line, "%s discards %s write%s that %s never had", name,
                       story_count(a, count), plural, leader_name(world, endpoint));
        return;
    case NOTE_WRITES_KEPT:
        line.what = "keep";
        if (a)
            story_tell(world, &line, "%s keeps %s write%s that %s never had", name,
                       story_count(a, count), plural, leader_name(world, endpoint));
        return;
    case NOTE_JOIN_REFUSED:
        line.what = "join_refused";
        if (story_is_new(world, kind, endpoint, a))
            story_tell(world, &line, "%s does not join: it holds %s write%s that %s never had",
                       name, story_count(a, count), plural, leader_name(world, endpoint));
        return;
    case NOTE_FENCED_WRITE:
        story_fact(world, FACT_FENCED, endpoint, a, b, 0);
        line.what = "fenced";
        if (story_is_new(world, kind, endpoint, 0))
            story_tell(world, &line, "%s refuses a write under token %s: it has seen %s", name,
                       story_count(a, count), story_count(b, other));
        return;
    default: return;
    }
}

static void on_note(void *context, uint32_t endpoint, enum note_kind kind, uint64_t a,
                    uint64_t b)
{
    struct world *world = context;
    switch (kind) {
    case NOTE_ROLE: told_role(world, endpoint, (uint32_t)a, b); return;
    case NOTE_WRITES_DISCARDED:
    case NOTE_WRITES_KEPT:
    case NOTE_JOIN_REFUSED:
    case NOTE_FENCED_WRITE: told_loss(world, endpoint, kind, a, b); return;
    default: told_decision(world, endpoint, kind, a, b);
    }
}

/* ---- processes ---- */

static void on_acknowledged(void *context, uint32_t endpoint, uint64_t operation_id,
                            enum operation_type type, const struct reply *reply)
{
    (void)type;
    story_fact(context, FACT_ACK, endpoint, operation_id, reply->epoch, 0);
}

static void on_down(void *context, uint32_t endpoint, enum down_cause cause, const char *why)
{
    struct world *world = context;
    const char *name = world_endpoint_name(world, endpoint);
    story_fact(world, FACT_DOWN, endpoint, (uint64_t)cause, 0, 0);
    world->roles[endpoint] = ROLE_NONE;
    world->epochs[endpoint] = 0;
    story_turn(world);
    faults_notice(world, TRIGGER_NODE_DOWN, endpoint);
    /* The entry of the fault that did it says so already. */
    if (world->stopped_by_fault == endpoint) return;
    struct story_line line = {.kind = TIMELINE_NODE,
                              .endpoint = endpoint,
                              .peer = NOBODY,
                              .what = "down",
                              .until_ns = -1};
    switch (cause) {
    case DOWN_CRASH: story_tell(world, &line, "%s crashes", name); break;
    case DOWN_POWER_OFF:
        story_tell(world, &line, *why ? "%s is off: %s" : "%s loses power%s", name, why);
        break;
    case DOWN_STONITH:
        story_tell(world, &line, "%s is shot: the order has reached it", name);
        break;
    case DOWN_PANIC:
        line.kind = TIMELINE_LOSS;
        story_tell(world, &line, "%s stops itself: %s", name, why);
        break;
    default:
        line.kind = TIMELINE_LOSS;
        story_tell(world, &line, "%s breaks: %s", name, why);
        break;
    }
}

static void on_up(void *context, uint32_t endpoint, int error, int64_t recovery_ns)
{
    struct world *world = context;
    const char *name = world_endpoint_name(world, endpoint);
    story_fact(world, FACT_OPENED, endpoint, (uint64_t)-error, (uint64_t)recovery_ns, 0);
    struct story_line line = {.kind = TIMELINE_NODE,
                              .endpoint = endpoint,
                              .peer = NOBODY,
                              .what = "up",
                              .until_ns = -1};
    if (error) {
        const char *word = strerrorname_np(-error), *text = node_error(world->nodes[endpoint]);
        line.kind = TIMELINE_LOSS;
        line.what = "not_opened";
        story_turn(world);
        story_tell(world, &line, "%s does not start: %s%s%s", name, word ? word : "error",
                   *text ? ": " : "", text);
        return;
    }
    story_fact(world, FACT_UP, endpoint, 0, 0, 0);
    if (world->was_up[endpoint]) {
        char took[32];
        story_turn(world);
        story_tell(world, &line, "%s is up again after %s of recovery", name,
                   duration_say(recovery_ns, took, sizeof took));
    }
    world->was_up[endpoint] = true;
    faults_notice(world, TRIGGER_NODE_UP, endpoint);
}

static void on_batch(void *context, uint32_t endpoint, uint64_t syncs)
{
    faults_syncs(context, endpoint, syncs);
}

static void on_admin(void *context, uint32_t endpoint, const struct admin_command *command,
                     int error)
{
    struct world *world = context;
    faults_admin_answer(world, endpoint, command, error);
    if (!error) return;
    const char *word = strerrorname_np(-error), *name = world_endpoint_name(world, endpoint);
    struct story_line line = {.kind = TIMELINE_OPERATOR,
                              .endpoint = endpoint,
                              .peer = NOBODY,
                              .what = "refused",
                              .until_ns = -1};
    if (error == -EALREADY)
        story_tell(world, &line, "%s has nothing to %s: it %s", name,
                   admin_words[command->kind],
                   command->kind == ADMIN_DEMOTE ? "does not lead" : "leads already");
    else
        story_tell(world, &line, "%s refuses to %s: %s", name, admin_words[command->kind],
                   word ? word : "error");
}

static void on_stonith(void *context, uint32_t endpoint, uint32_t from)
{
    (void)from;
    struct world *world = context;
    uint32_t machine = endpoint;
    world_power_off(world, machine, world->config.nodes[machine].disk.power_mode, DOWN_STONITH);
}

static void on_trouble(void *context, uint32_t endpoint, const char *what, int error)
{
    struct world *world = context;
    const char *word = strerrorname_np(-error);
    if (story_is_new(world, 2000, endpoint, (uint64_t)-error))
        story_tell(world,
                   &(struct story_line){.kind = TIMELINE_LOSS,
                                        .endpoint = endpoint,
                                        .peer = NOBODY,
                                        .what = "trouble",
                                        .until_ns = -1},
                   "%s: background %s fails: %s", world_endpoint_name(world, endpoint), what,
                   word ? word : "error");
}

const struct node_listener world_listener = {
    .note = on_note,
    .acknowledged = on_acknowledged,
    .down = on_down,
    .up = on_up,
    .inspected = NULL,
    .batch = on_batch,
    .admin = on_admin,
    .stonith = on_stonith,
    .trouble = on_trouble,
};
