/* Devices by name. A lognormal has its median and sigma; sources give medians or ranges, the
 * spread is our choice where they are silent.
 *
 * A sync costs a device write of what is dirty plus the flush, so the published "fsync of a
 * small write" is write_latency + sync_latency.
 *   {SDAT}  smalldatum.blogspot.com 2026-01, "SSDs, power loss protection and fsync"
 *   {PCN}   percona.com 2018-07-18, "Why consumer SSD reviews are useless for database
 *           performance use case"
 *   {LDB}   README of LevelDB
 *
 * What memory costs is alike on all of them: copying at 10 GB/s, the bandwidth of one core. The
 * file system's own share (sync_metadata, growing, freeing) is inside the published figures and
 * therefore 0 here; `faultline calibrate` measures it apart.
 *   {OCP}   docs.okd.io, recommended etcd practices
 */
#include "sim/world/disk.h"

#define US NS_PER_US
#define MS NS_PER_MS
#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)
#define LOGNORMAL(median, sigma_milli, floor, most)                                            \
    {                                                                                          \
        .kind = DIST_LOGNORMAL, .a = (median), .b = (floor), .shape_milli = (sigma_milli),     \
        .cap = (most)                                                                          \
    }

/* Garbage collection without a capacitor to hide behind: one flush in a thousand waits. */
static const struct dist consumer_flush[] = {
    LOGNORMAL(3100 * US, 350, 400 * US, 30 * MS),
    {.kind = DIST_UNIFORM, .a = 20 * MS, .b = 120 * MS}};
static const uint32_t consumer_flush_ppm[] = {999000, 1000};
/* Shared storage has neighbours: one flush in a hundred is slow. */
static const struct dist cloud_flush[] = {LOGNORMAL(700 * US, 300, 200 * US, 20 * MS),
                                          {.kind = DIST_UNIFORM, .a = 3 * MS, .b = 15 * MS}};
static const uint32_t cloud_flush_ppm[] = {990000, 10000};

#define COMMON                                                                                 \
    .cache_bytes = 1 * GIB, .cache_hit_ns = 500, .cache_write_ns = 1500,                       \
    .copy_read_bytes_per_s = INT64_C(10000000000),                                             \
    .copy_write_bytes_per_s = INT64_C(10000000000), .name_ns = 1500,                           \
    .power_mode = DISK_SUBSET, .directory_mode = DISK_DIR_ORDERED

const struct disk_preset disk_presets[] = {
    {"nvme_dc",
     "data-centre NVMe drive with power-loss protection: sync in tens of microseconds",
     "fsync 12-58 us for 16 KB {SDAT}",
     {.read_latency = LOGNORMAL(75 * US, 200, 5 * US, 5 * MS),
      .write_latency = LOGNORMAL(8 * US, 200, 4 * US, 2 * MS),
      .sync_latency = LOGNORMAL(6 * US, 400, 2 * US, 2 * MS),
      .read_bytes_per_s = 3200 * MIB,
      .write_bytes_per_s = 2000 * MIB,
      .queue_depth = 64,
      COMMON}},
    {"ssd_plp",
     "SATA SSD with power-loss protection",
     "fsync 12-58 us for 16 KB, upper end {SDAT}",
     {.read_latency = LOGNORMAL(110 * US, 250, 10 * US, 10 * MS),
      .write_latency = LOGNORMAL(18 * US, 250, 8 * US, 5 * MS),
      .sync_latency = LOGNORMAL(12 * US, 400, 4 * US, 5 * MS),
      .read_bytes_per_s = 520 * MIB,
      .write_bytes_per_s = 450 * MIB,
      .queue_depth = 32,
      COMMON}},
    {"ssd_consumer",
     "consumer NVMe drive: every sync waits for the flash",
     "fsync 3.5 ms, about 300/s (960 Pro) {PCN}; 0.9-5.4 ms (others) {SDAT}",
     {.read_latency = LOGNORMAL(80 * US, 250, 5 * US, 20 * MS),
      .write_latency = LOGNORMAL(20 * US, 300, 10 * US, 20 * MS),
      .sync_latency = {.kind = DIST_MIXTURE,
                       .parts = consumer_flush,
                       .weights_ppm = consumer_flush_ppm,
                       .parts_count = 2},
      .read_bytes_per_s = 2000 * MIB,
      .write_bytes_per_s = 1200 * MIB,
      .queue_depth = 32,
      COMMON}},
    {"hdd",
     "disk of 7,200 turns a minute: one head, a seek and half a turn an operation",
     "seek about 10 ms {LDB}; 50 writes of 8 KB/s are the floor for etcd {OCP}",
     {.read_latency = {.kind = DIST_UNIFORM, .a = 5 * MS, .b = 14 * MS},
      .write_latency = {.kind = DIST_UNIFORM, .a = 1 * MS, .b = 5 * MS},
      .sync_latency = {.kind = DIST_UNIFORM, .a = 4 * MS, .b = 8 * MS},
      .read_bytes_per_s = 160 * MIB,
      .write_bytes_per_s = 160 * MIB,
      .queue_depth = 1,
      COMMON}},
    {"cloud",
     "network block storage: a round trip to three copies, and noisy neighbours",
     "fdatasync near a write, fsync up to 15 times that {SDAT}; etcd wants p99 under 10-20 ms "
     "{OCP}",
     {.read_latency = LOGNORMAL(500 * US, 300, 150 * US, 50 * MS),
      .write_latency = LOGNORMAL(600 * US, 300, 150 * US, 50 * MS),
      .sync_latency = {.kind = DIST_MIXTURE,
                       .parts = cloud_flush,
                       .weights_ppm = cloud_flush_ppm,
                       .parts_count = 2},
      .read_bytes_per_s = 240 * MIB,
      .write_bytes_per_s = 240 * MIB,
      .queue_depth = 16,
      COMMON}},
    {.name = NULL},
};

const struct disk_preset *disk_preset_find(const char *name)
{
    for (const struct disk_preset *preset = disk_presets; preset->name; preset++)
        if (strcmp(preset->name, name) == 0) return preset;
    return NULL;
}
