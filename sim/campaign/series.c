/* Samples of every node at each bucket's end. One event a bucket for all nodes; it changes
 * nothing in the world. */
#include "sim/campaign/series.h"

#include <stdlib.h>
#include <string.h>

#include "sim/kernel/arena.h"

static void series_fire(struct kernel *kernel, const struct event *event);
static const struct event_type series_event = {"series.sample", EVENT_ID('s', 'e', 'r', 's'),
                                               series_fire};

int64_t series_bucket(int64_t duration_ns)
{
    static const int64_t steps[] = {1, 2, 5};
    for (int64_t decade = 10 * NS_PER_MS;; decade *= 10)
        for (size_t i = 0; i < 3; i++)
            if (duration_ns / (decade * steps[i]) < 720) return decade * steps[i];
}

static uint64_t sum(const uint64_t *values, size_t count)
{
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++) total += values[i];
    return total;
}

static void series_sample(struct series *series, int64_t now)
{
    struct world *world = series->world;
    for (uint32_t n = 0; n < world_nodes(world); n++) {
        struct node *node = world_node(world, n);
        const struct disk_counters *disk = disk_counters(node_disk(node));
        const struct network_counters *net = network_endpoint_counters(world_network(world), n);
        const struct scheme_inspection *seen = node_inspection(node);
        if (series->count == series->capacity) {
            series->capacity = series->capacity ? 2 * series->capacity : 256;
            series->samples =
                xrealloc(series->samples, series->capacity * sizeof *series->samples);
        }
        series->samples[series->count++] = (struct series_sample){
            .time_ns = now,
            .node = n,
            .up = node_is_up(node),
            .role = (uint8_t)seen->role,
            .lag_ns = node_is_up(node) ? seen->lag_ns : -1,
            .applied = seen->applied_position,
            .commit = seen->commit_position,
            .disk_read_bytes = sum(disk->read_bytes, VFS_PURPOSES),
            .disk_write_bytes = sum(disk->write_bytes, VFS_PURPOSES),
            .disk_syncs = sum(disk->syncs, VFS_PURPOSES),
            .network_bytes = sum(net->bytes, MESSAGE_CLASSES),
            .network_messages = sum(net->sent, MESSAGE_CLASSES),
            .disk_busy_ns = disk->busy_ns,
            .busy_ns = node_counters(node)->busy_ns,
        };
    }
}

static void series_fire(struct kernel *kernel, const struct event *event)
{
    struct series *series = event->context;
    int64_t now = kernel_now(kernel);
    series_sample(series, now);
    if (now + series->bucket_ns <= (int64_t)event->a)
        kernel_schedule(kernel, now + series->bucket_ns, &series_event, series, event->entity,
                        event->a, event->b);
}

void series_start(struct series *series, struct world *world, int64_t bucket_ns,
                  int64_t until_ns)
{
    *series = (struct series){.world = world, .bucket_ns = bucket_ns};
    if (bucket_ns <= until_ns)
        kernel_schedule(world_kernel(world), bucket_ns, &series_event, series, UINT32_MAX,
                        (uint64_t)until_ns, (uint64_t)bucket_ns);
}

void series_deinit(struct series *series)
{
    free(series->samples);
    memset(series, 0, sizeof *series);
}
