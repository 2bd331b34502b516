/* The action table: every word that a timeline entry may use, in the order in which they
 * are documented. What the actions do stands in faults_network.c, faults_disk.c and
 * faults_node.c; how to add one in README.md.
 */
#include <stddef.h>
#include <string.h>

#include "sim/world/faults_internal.h"

/* ---- parameters: network ---- */

static const char *const in_flight_words[] = {"as_network", "drop", "queue", NULL};

#define LINK(field) .offset = offsetof(struct link_params, field)
#define OPTION_FROM                                                                            \
    {                                                                                          \
        .name = "from", .type = OPTION_PLACES, LINK(from),                                     \
        .flags = OPTION_OPTIONAL | OPTION_LEADER,                                              \
        .doc = "Senders: nodes, managers, workloads, regions ... (default: all)."              \
    }
#define OPTION_TO                                                                              \
    {                                                                                          \
        .name = "to", .type = OPTION_PLACES, LINK(to),                                         \
        .flags = OPTION_OPTIONAL | OPTION_LEADER, .doc = "Receivers (default: all)."           \
    }
#define OPTION_BOTH(word)                                                                      \
    {                                                                                          \
        .name = "both_ways", .type = OPTION_YESNO, LINK(both_ways), .value = word,             \
        .doc = "Also from the receivers to the senders."                                       \
    }
#define OPTION_CLASS                                                                           \
    {                                                                                          \
        .name = "class", .type = OPTION_CLASSES, LINK(classes), .flags = OPTION_OPTIONAL,      \
        .doc = "Which messages: all, replication, control, client, repair or a list "          \
               "(default: all)."                                                               \
    }
#define OPTION_IN_FLIGHT                                                                       \
    {                                                                                          \
        .name = "in_flight", .type = OPTION_WORD, LINK(in_flight), .value = "as_network",      \
        .words = in_flight_words,                                                              \
        .doc = "What becomes of messages, those under way and new ones: drop, or queue until " \
               "the end (default: network.in_flight)."                                         \
    }
#define OPTION_FLAP                                                                            \
    {                                                                                          \
        .name = "flap", .type = OPTION_DURATION, LINK(flap_ns), .value = "0s", .low = 0,       \
        .high = INT64_C(3600000000000),                                                        \
        .doc = "Comes and goes: in force for that long, then not for that long, and so on; "   \
               "0s: steady."                                                                   \
    }
#define OPTION_SHARE(text)                                                                     \
    {                                                                                          \
        .name = "rate", .type = OPTION_FRACTION, LINK(rate_ppm), .value = "10%", .low = 1,     \
        .high = 1000000, .doc = text                                                           \
    }

static const struct option cut_options[] = {OPTION_FROM,  OPTION_TO,        OPTION_BOTH("no"),
                                            OPTION_CLASS, OPTION_IN_FLIGHT, OPTION_FLAP};
static const struct option partition_options[] = {
    {.name = "groups",
     .type = OPTION_GROUPS,
     LINK(groups),
     .flags = OPTION_LEADER,
     .doc = "Places of different groups cannot talk; whoever is in none reaches all."},
    OPTION_CLASS,
    OPTION_IN_FLIGHT,
    OPTION_FLAP};
static const struct option slow_options[] = {OPTION_FROM,
                                             OPTION_TO,
                                             OPTION_BOTH("yes"),
                                             OPTION_CLASS,
                                             {.name = "factor",
                                              .type = OPTION_FACTOR,
                                              LINK(factor),
                                              .value = "1x",
                                              .low = 1,
                                              .high = INT64_C(1000000000000),
                                              .doc = "Latency times that."},
                                             {.name = "add",
                                              .type = OPTION_DURATION,
                                              LINK(add_ns),
                                              .value = "0s",
                                              .low = 0,
                                              .high = INT64_C(3600000000000),
                                              .doc = "And that much more."}};
static const struct option loss_options[] = {
    OPTION_FROM, OPTION_TO, OPTION_BOTH("yes"), OPTION_CLASS,
    OPTION_SHARE("Share of messages lost; on ordered streams each costs a retransmission.")};
static const struct option clog_options[] = {OPTION_FROM, OPTION_TO, OPTION_BOTH("yes"),
                                             OPTION_CLASS};
static const struct option duplicate_options[] = {
    OPTION_FROM, OPTION_TO, OPTION_BOTH("yes"), OPTION_CLASS,
    OPTION_SHARE("Share of datagrams that arrive twice.")};
static const struct option reorder_options[] = {
    OPTION_FROM,
    OPTION_TO,
    OPTION_BOTH("yes"),
    OPTION_CLASS,
    OPTION_SHARE("Share of datagrams that are overtaken."),
    {.name = "delay",
     .type = OPTION_DURATION,
     LINK(extra_ns),
     .value = "0s",
     .low = 0,
     .high = INT64_C(3600000000000),
     .doc = "How much later at most; 0s: as network.reorder_delay."}};

/* ---- parameters: disks ---- */

#define DISK(field) .offset = offsetof(struct disk_params, field)
#define OPTION_ON                                                                              \
    {                                                                                          \
        .name = "node", .type = OPTION_NODE, DISK(node), .flags = OPTION_LEADER,               \
        .doc = "Whose disk."                                                                   \
    }
#define OPTION_PATH                                                                            \
    {                                                                                          \
        .name = "path", .type = OPTION_STRING, DISK(path), .flags = OPTION_OPTIONAL,           \
        .doc = "Files whose path contains that (default: all)."                                \
    }
#define OPTION_COUNT                                                                           \
    {                                                                                          \
        .name = "count", .type = OPTION_INT, DISK(count), .value = "0", .low = 0,              \
        .high = INT64_C(1000000000),                                                           \
        .doc = "How many operations it hits; 0: all while it lasts."                           \
    }
#define OPTION_AFTER                                                                           \
    {                                                                                          \
        .name = "after", .type = OPTION_INT, DISK(after), .value = "0", .low = 0,              \
        .high = INT64_C(1000000000), .doc = "How many matching operations it spares first."    \
    }
#define OPTION_OFFSET                                                                          \
    {                                                                                          \
        .name = "offset", .type = OPTION_SIZE, DISK(offset), .value = "0B", .low = 0,          \
        .high = INT64_C(1) << 40, .doc = "Where in the file the bad range begins."             \
    }
#define OPTION_LENGTH                                                                          \
    {                                                                                          \
        .name = "size", .type = OPTION_SIZE, DISK(size), .value = "0B", .low = 0,              \
        .high = INT64_C(1) << 40, .doc = "How long it is; 0B: to the end of the file."         \
    }

static const struct option read_error_options[] = {OPTION_ON,     OPTION_PATH,  OPTION_OFFSET,
                                                   OPTION_LENGTH, OPTION_COUNT, OPTION_AFTER};
static const struct option bit_rot_options[] = {OPTION_ON, OPTION_PATH, OPTION_OFFSET,
                                                OPTION_LENGTH};
static const struct option operation_error_options[] = {OPTION_ON, OPTION_PATH, OPTION_COUNT,
                                                        OPTION_AFTER};
static const struct option disk_full_options[] = {OPTION_ON,
                                                  {.name = "left",
                                                   .type = OPTION_SIZE,
                                                   DISK(bytes),
                                                   .value = "0B",
                                                   .low = 0,
                                                   .high = INT64_C(1) << 50,
                                                   .doc = "Bytes that still fit."}};
static const struct option slow_disk_options[] = {
    OPTION_ON,
    {.name = "factor",
     .type = OPTION_FACTOR,
     DISK(factor),
     .value = "10x",
     .low = 1,
     .high = INT64_C(1000000000000),
     .doc = "Every operation takes that many times as long."}};
static const struct option disk_node_options[] = {OPTION_ON};

/* ---- parameters: processes, clocks, operators ---- */

const char *const power_mode_words[] = {"as_disk", "all_kept", "all_lost", "prefix",
                                        "subset",  "torn",     "stale",    NULL};

#define PLACE_OPTION(text)                                                                     \
    {                                                                                          \
        .name = "node", .type = OPTION_PLACE, .offset = offsetof(struct place_params, node),   \
        .flags = OPTION_LEADER, .doc = text                                                    \
    }
#define MODE_OPTION                                                                            \
    {                                                                                          \
        .name = "mode", .type = OPTION_WORD, .offset = offsetof(struct power_params, mode),    \
        .value = "as_disk", .words = power_mode_words,                                         \
        .doc = "What becomes of writes that were not synced (default: the disk's power_mode)." \
    }

static const struct option process_options[] = {
    PLACE_OPTION("Whose process: a node, a manager, or `leader`.")};
static const struct option pause_options[] = {
    PLACE_OPTION("Who freezes: a node, a manager, a workload, or `leader`.")};
static const struct option power_options[] = {
    PLACE_OPTION("Whose machine: a node (with the managers on it), a manager, or `leader`."),
    MODE_OPTION};
static const struct option wipe_options[] = {
    {.name = "node",
     .type = OPTION_NODE,
     .offset = offsetof(struct place_params, node),
     .flags = OPTION_LEADER,
     .doc = "Whose disk is replaced by an empty one."}};
static const struct option clock_step_options[] = {
    {.name = "node",
     .type = OPTION_PLACE,
     .offset = offsetof(struct clock_params, node),
     .flags = OPTION_LEADER,
     .doc = "Whose wall clock jumps."},
    {.name = "by",
     .type = OPTION_DURATION,
     .offset = offsetof(struct clock_params, by_ns),
     .low = -INT64_C(3600000000000) * 24 * 365,
     .high = INT64_C(3600000000000) * 24 * 365,
     .doc = "How far; negative: back."}};
static const struct option clock_drift_options[] = {
    {.name = "node",
     .type = OPTION_PLACE,
     .offset = offsetof(struct clock_params, node),
     .flags = OPTION_LEADER,
     .doc = "Whose clock runs wrong."},
    {.name = "drift",
     .type = OPTION_FRACTION,
     .offset = offsetof(struct clock_params, drift_ppm),
     .low = CLOCK_DRIFT_PPM_MIN,
     .high = CLOCK_DRIFT_PPM_MAX,
     .doc = "How much too fast; negative: too slow."}};
static const struct option admin_options[] = {{.name = "node",
                                               .type = OPTION_NODE,
                                               .offset = offsetof(struct admin_params, node),
                                               .flags = OPTION_LEADER,
                                               .doc = "Who gets the command."}};
static const struct option transfer_options[] = {
    {.name = "to",
     .type = OPTION_NODE,
     .offset = offsetof(struct admin_params, to),
     .doc = "Who is to lead."},
    {.name = "node",
     .type = OPTION_NODE,
     .offset = offsetof(struct admin_params, node),
     .value = "leader",
     .flags = OPTION_LEADER,
     .doc = "Who gets the command (default: the leader)."}};
static const struct option heal_options[] = {
    {.name = "ids",
     .type = OPTION_NAMES,
     .offset = offsetof(struct heal_params, ids),
     .flags = OPTION_OPTIONAL,
     .doc = "Which entries end (default: all but crashes and the like)."}};

/* ---- actions ---- */

#define PARAMETERS(table, params)                                                              \
    .options = table##_options,                                                                \
    .options_count = sizeof table##_options / sizeof table##_options[0],                       \
    .options_size = sizeof(struct params##_params)

const struct action action_table[] = {
    {.name = "cut",
     .doc =
         "Messages from some places to others do not get through (one way, unless both_ways).",
     .evidence = "messages dropped or held",
     PARAMETERS(cut, link),
     .begin = cut_begin,
     .end = link_end,
     .effects = link_effects,
     .describe = cut_describe,
     .takes_for = true,
     .tells_end = true},
    {.name = "partition",
     .doc = "Groups of places cannot talk to each other.",
     .evidence = "messages dropped or held",
     PARAMETERS(partition, link),
     .begin = partition_begin,
     .end = link_end,
     .effects = link_effects,
     .describe = partition_describe,
     .takes_for = true,
     .tells_end = true},
    {.name = "slow",
     .doc = "Messages between some places take longer.",
     .evidence = "messages delayed",
     PARAMETERS(slow, link),
     .begin = slow_begin,
     .end = link_end,
     .effects = link_effects,
     .describe = slow_describe,
     .takes_for = true,
     .tells_end = true},
    {.name = "loss",
     .doc = "A share of the messages between some places is lost.",
     .evidence = "messages lost",
     PARAMETERS(loss, link),
     .begin = loss_begin,
     .end = link_end,
     .effects = link_effects,
     .describe = loss_describe,
     .takes_for = true,
     .tells_end = true},
    {.name = "clog",
     .doc = "Messages between some places are held back until the end, then all arrive.",
     .evidence = "messages held",
     PARAMETERS(clog, link),
     .begin = clog_begin,
     .end = link_end,
     .effects = link_effects,
     .describe = clog_describe,
     .takes_for = true,
     .tells_end = true},
    {.name = "duplicate",
     .doc = "A share of the datagrams between some places arrives twice.",
     .evidence = "messages doubled",
     PARAMETERS(duplicate, link),
     .begin = duplicate_begin,
     .end = link_end,
     .effects = link_effects,
     .describe = duplicate_describe,
     .takes_for = true,
     .tells_end = true},
    {.name = "reorder",
     .doc = "A share of the datagrams between some places is overtaken by later ones.",
     .evidence = "messages delayed",
     PARAMETERS(reorder, link),
     .begin = reorder_begin,
     .end = link_end,
     .effects = link_effects,
     .describe = reorder_describe,
     .takes_for = true,
     .tells_end = true},
    {.name = "heal",
     .doc = "Ends other entries before their time.",
     .evidence = "entries ended",
     PARAMETERS(heal, heal),
     .begin = heal_begin,
     .effects = state_effects,
     .describe = heal_describe},
    {.name = "crash",
     .doc = "A process dies: its memory is lost, the operating system's cache stays. With "
            "`for` it starts again.",
     .evidence = "process stopped",
     PARAMETERS(process, place),
     .begin = crash_begin,
     .end = stop_end,
     .effects = state_effects,
     .describe = crash_describe,
     .takes_for = true,
     .is_stop = true,
     .harms_data = true},
    {.name = "power_off",
     .doc = "A machine loses power: unsynced writes fare as `mode` says. With `for` it starts "
            "again.",
     .evidence = "process stopped, bytes lost",
     PARAMETERS(power, power),
     .begin = power_off_begin,
     .end = stop_end,
     .effects = state_effects,
     .describe = power_off_describe,
     .takes_for = true,
     .is_stop = true,
     .harms_data = true},
    {.name = "wipe",
     .doc = "A node stops and gets a new, empty disk. With `for` it starts again.",
     .evidence = "node stopped, bytes lost",
     PARAMETERS(wipe, place),
     .begin = wipe_begin,
     .end = stop_end,
     .effects = state_effects,
     .describe = wipe_describe,
     .takes_for = true,
     .is_stop = true,
     .harms_data = true},
    {.name = "start",
     .doc = "Starts what is down.",
     .evidence = "process started",
     PARAMETERS(process, place),
     .begin = start_begin,
     .effects = state_effects,
     .describe = start_describe,
     .is_operator = true},
    {.name = "reboot",
     .doc = "Power off and start at once.",
     .evidence = "process stopped, bytes lost",
     PARAMETERS(power, power),
     .begin = reboot_begin,
     .effects = state_effects,
     .describe = reboot_describe,
     .harms_data = true},
    {.name = "pause",
     .doc = "A process is alive but does nothing (garbage collection, a frozen virtual "
            "machine); its clock goes on.",
     .evidence = "milliseconds of silence",
     PARAMETERS(pause, place),
     .begin = pause_begin,
     .end = pause_end,
     .effects = pause_effects,
     .describe = pause_describe,
     .takes_for = true},
    {.name = "resume",
     .doc = "Ends a pause.",
     .evidence = "process resumed",
     PARAMETERS(pause, place),
     .begin = resume_begin,
     .effects = state_effects,
     .describe = resume_describe,
     .is_operator = true},
    {.name = "evict",
     .doc = "The page cache of a node turns cold; pages of failed syncs are gone.",
     .evidence = "pages evicted",
     PARAMETERS(disk_node, disk),
     .begin = evict_begin,
     .effects = state_effects,
     .describe = evict_describe,
     .harms_data = true},
    {.name = "read_error",
     .doc = "Reads of a range fail (latent sector errors).",
     .evidence = "reads failed",
     PARAMETERS(read_error, disk),
     .begin = read_error_begin,
     .end = disk_fault_end,
     .effects = disk_fault_counted,
     .describe = read_error_describe,
     .takes_for = true,
     .tells_end = true,
     .harms_data = true},
    {.name = "write_error",
     .doc = "Writes fail.",
     .evidence = "writes failed",
     PARAMETERS(operation_error, disk),
     .begin = write_error_begin,
     .end = disk_fault_end,
     .effects = disk_fault_counted,
     .describe = write_error_describe,
     .takes_for = true,
     .tells_end = true,
     .harms_data = true},
    {.name = "sync_error",
     .doc = "Syncs fail: reported once, the pages stay readable but are not on the device.",
     .evidence = "syncs failed",
     PARAMETERS(operation_error, disk),
     .begin = sync_error_begin,
     .end = disk_fault_end,
     .effects = disk_fault_counted,
     .describe = sync_error_describe,
     .takes_for = true,
     .tells_end = true,
     .harms_data = true},
    {.name = "bit_rot",
     .doc = "A bit of stored data flips.",
     .evidence = "bits flipped",
     PARAMETERS(bit_rot, disk),
     .begin = bit_rot_begin,
     .end = disk_fault_end,
     .effects = disk_fault_counted,
     .describe = bit_rot_describe,
     .takes_for = true,
     .tells_end = true,
     .harms_data = true},
    {.name = "misdirected_write",
     .doc = "Writes land in the wrong place of their file.",
     .evidence = "writes misplaced",
     PARAMETERS(operation_error, disk),
     .begin = misdirected_write_begin,
     .end = disk_fault_end,
     .effects = disk_fault_counted,
     .describe = misdirected_write_describe,
     .takes_for = true,
     .tells_end = true,
     .harms_data = true},
    {.name = "disk_full",
     .doc = "The disk has no more room.",
     .evidence = "writes refused",
     PARAMETERS(disk_full, disk),
     .begin = disk_full_begin,
     .end = disk_fault_end,
     .effects = disk_fault_counted,
     .describe = disk_full_describe,
     .takes_for = true,
     .tells_end = true,
     .harms_data = true},
    {.name = "slow_disk",
     .doc = "Every disk operation takes longer.",
     .evidence = "operations slowed",
     PARAMETERS(slow_disk, disk),
     .begin = slow_disk_begin,
     .end = disk_fault_end,
     .effects = disk_fault_counted,
     .describe = slow_disk_describe,
     .takes_for = true,
     .tells_end = true},
    {.name = "stall_disk",
     .doc = "The disk begins nothing until the end of `for`; what already waits then waits on, "
            "even if the entry is healed earlier.",
     .evidence = "operations stalled",
     PARAMETERS(disk_node, disk),
     .begin = stall_disk_begin,
     .end = disk_fault_end,
     .effects = disk_fault_counted,
     .describe = stall_disk_describe,
     .takes_for = true,
     .needs_for = true,
     .tells_end = true},
    {.name = "lying_sync",
     .doc = "Syncs report success without making anything durable.",
     .evidence = "syncs that lied",
     PARAMETERS(operation_error, disk),
     .begin = lying_sync_begin,
     .end = disk_fault_end,
     .effects = disk_fault_counted,
     .describe = lying_sync_describe,
     .takes_for = true,
     .tells_end = true,
     .harms_data = true},
    {.name = "clock_step",
     .doc = "A wall clock jumps.",
     .evidence = "milliseconds skewed",
     PARAMETERS(clock_step, clock),
     .begin = clock_step_begin,
     .effects = state_effects,
     .describe = clock_step_describe},
    {.name = "clock_drift",
     .doc = "A clock, wall and monotonic, runs too fast or too slow.",
     .evidence = "milliseconds skewed",
     PARAMETERS(clock_drift, clock),
     .begin = clock_drift_begin,
     .end = clock_drift_end,
     .effects = clock_drift_effects,
     .describe = clock_drift_describe,
     .takes_for = true,
     .tells_end = true},
    {.name = "promote",
     .doc = "An operator makes a node the leader.",
     .evidence = "command accepted that changes something",
     PARAMETERS(admin, admin),
     .begin = promote_begin,
     .effects = state_effects,
     .describe = promote_describe,
     .is_operator = true},
    {.name = "demote",
     .doc = "An operator makes a leader step down.",
     .evidence = "command accepted that changes something",
     PARAMETERS(admin, admin),
     .begin = demote_begin,
     .effects = state_effects,
     .describe = demote_describe,
     .is_operator = true},
    {.name = "transfer",
     .doc = "An operator has the leader hand over to another node.",
     .evidence = "command accepted that changes something",
     PARAMETERS(transfer, admin),
     .begin = transfer_begin,
     .effects = state_effects,
     .describe = transfer_describe,
     .is_operator = true},
    {.name = NULL},
};

const struct action *action_find(const char *name)
{
    for (const struct action *action = action_table; action->name; action++)
        if (!strcmp(action->name, name)) return action;
    return NULL;
}
