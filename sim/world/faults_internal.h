/* What the files of the action table share: one begin and one describe an action, ends and
 * counts that several use. Nobody else includes this. */
#ifndef FAULTLINE_SIM_WORLD_FAULTS_INTERNAL_H
#define FAULTLINE_SIM_WORLD_FAULTS_INTERNAL_H

#include "sim/world/world_internal.h"

struct link_params {
    struct option_list from, to, groups;
    int32_t both_ways, in_flight; /* in_flight: enum link_in_flight */
    uint32_t classes;
    int64_t factor, add_ns, rate_ppm, extra_ns, flap_ns;
};
enum link_in_flight { IN_FLIGHT_AS_NETWORK, IN_FLIGHT_DROP, IN_FLIGHT_QUEUE };
struct disk_params {
    int32_t node;
    const char *path;
    int64_t offset, size, count, after, factor, bytes;
};
struct place_params {
    int32_t node;
};
struct power_params {
    int32_t node, mode;
}; /* mode: 0 as the disk's, else enum disk_power_mode + 1 */
struct clock_params {
    int32_t node;
    int64_t by_ns, drift_ppm;
};
struct admin_params {
    int32_t node, to;
};
struct heal_params {
    struct option_names ids;
};
extern const char *const power_mode_words[];

uint64_t cut_begin(struct world *world, const void *params, int64_t until_ns);
void cut_describe(struct world *world, const void *params, char *out, size_t out_size);
uint64_t partition_begin(struct world *world, const void *params, int64_t until_ns);
void partition_describe(struct world *world, const void *params, char *out, size_t out_size);
uint64_t slow_begin(struct world *world, const void *params, int64_t until_ns);
void slow_describe(struct world *world, const void *params, char *out, size_t out_size);
uint64_t loss_begin(struct world *world, const void *params, int64_t until_ns);
void loss_describe(struct world *world, const void *params, char *out, size_t out_size);
uint64_t clog_begin(struct world *world, const void *params, int64_t until_ns);
void clog_describe(struct world *world, const void *params, char *out, size_t out_size);
uint64_t duplicate_begin(struct world *world, const void *params, int64_t until_ns);
void duplicate_describe(struct world *world, const void *params, char *out, size_t out_size);
uint64_t reorder_begin(struct world *world, const void *params, int64_t until_ns);
void reorder_describe(struct world *world, const void *params, char *out, size_t out_size);
uint64_t read_error_begin(struct world *world, const void *params, int64_t until_ns);
void read_error_describe(struct world *world, const void *params, char *out, size_t out_size);
uint64_t write_error_begin(struct world *world, const void *params, int64_t until_ns);
void write_error_describe(struct world *world, const void *params, char *out, size_t out_size);
uint64_t sync_error_begin(struct world *world, const void *params, int64_t until_ns);
void sync_error_describe(struct world *world, const void *params, char *out, size_t out_size);
uint64_t bit_rot_begin(struct world *world, const void *params, int64_t until_ns);
void bit_rot_describe(struct world *world, const void *params, char *out, size_t out_size);
uint64_t misdirected_write_begin(struct world *world, const void *params, int64_t until_ns);
void misdirected_write_describe(struct world *world, const void *params, char *out,
                                size_t out_size);
uint64_t disk_full_begin(struct world *world, const void *params, int64_t until_ns);
void disk_full_describe(struct world *world, const void *params, char *out, size_t out_size);
uint64_t slow_disk_begin(struct world *world, const void *params, int64_t until_ns);
void slow_disk_describe(struct world *world, const void *params, char *out, size_t out_size);
uint64_t stall_disk_begin(struct world *world, const void *params, int64_t until_ns);
void stall_disk_describe(struct world *world, const void *params, char *out, size_t out_size);
uint64_t lying_sync_begin(struct world *world, const void *params, int64_t until_ns);
void lying_sync_describe(struct world *world, const void *params, char *out, size_t out_size);
uint64_t evict_begin(struct world *world, const void *params, int64_t until_ns);
void evict_describe(struct world *world, const void *params, char *out, size_t out_size);
uint64_t crash_begin(struct world *world, const void *params, int64_t until_ns);
void crash_describe(struct world *world, const void *params, char *out, size_t out_size);
uint64_t power_off_begin(struct world *world, const void *params, int64_t until_ns);
void power_off_describe(struct world *world, const void *params, char *out, size_t out_size);
uint64_t wipe_begin(struct world *world, const void *params, int64_t until_ns);
void wipe_describe(struct world *world, const void *params, char *out, size_t out_size);
uint64_t start_begin(struct world *world, const void *params, int64_t until_ns);
void start_describe(struct world *world, const void *params, char *out, size_t out_size);
uint64_t reboot_begin(struct world *world, const void *params, int64_t until_ns);
void reboot_describe(struct world *world, const void *params, char *out, size_t out_size);
uint64_t pause_begin(struct world *world, const void *params, int64_t until_ns);
void pause_describe(struct world *world, const void *params, char *out, size_t out_size);
uint64_t resume_begin(struct world *world, const void *params, int64_t until_ns);
void resume_describe(struct world *world, const void *params, char *out, size_t out_size);
uint64_t clock_step_begin(struct world *world, const void *params, int64_t until_ns);
void clock_step_describe(struct world *world, const void *params, char *out, size_t out_size);
uint64_t clock_drift_begin(struct world *world, const void *params, int64_t until_ns);
void clock_drift_describe(struct world *world, const void *params, char *out, size_t out_size);
uint64_t promote_begin(struct world *world, const void *params, int64_t until_ns);
void promote_describe(struct world *world, const void *params, char *out, size_t out_size);
uint64_t demote_begin(struct world *world, const void *params, int64_t until_ns);
void demote_describe(struct world *world, const void *params, char *out, size_t out_size);
uint64_t transfer_begin(struct world *world, const void *params, int64_t until_ns);
void transfer_describe(struct world *world, const void *params, char *out, size_t out_size);
uint64_t heal_begin(struct world *world, const void *params, int64_t until_ns);
void heal_describe(struct world *world, const void *params, char *out, size_t out_size);

void link_end(struct world *world, const void *params, uint64_t id);
void disk_fault_end(struct world *world, const void *params, uint64_t id);
void stop_end(struct world *world, const void *params, uint64_t id);
void pause_end(struct world *world, const void *params, uint64_t id);
void clock_drift_end(struct world *world, const void *params, uint64_t id);
uint64_t link_effects(struct world *world, const void *params, uint64_t id);
uint64_t disk_fault_counted(struct world *world, const void *params, uint64_t id);
uint64_t state_effects(struct world *world, const void *params, uint64_t id);
uint64_t pause_effects(struct world *world, const void *params, uint64_t id);
uint64_t clock_drift_effects(struct world *world, const void *params, uint64_t id);

#endif
