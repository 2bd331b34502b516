/* Actions on a node's disk: read_error, write_error, sync_error, bit_rot,
 * misdirected_write, disk_full, slow_disk, stall_disk, lying_sync, evict.
 *
 * Each is a fault of the disk while it lasts, and its evidence is the disk's: operations
 * failed, bytes rotten, writes misplaced, syncs that lied, pages evicted. A fault applies to
 * the calls of handlers that begin after it.
 */
#include <stdio.h>

#include "sim/world/faults_internal.h"

static uint64_t begin_fault(struct world *world, const void *params, enum disk_fault_kind kind,
                            int64_t until)
{
    const struct disk_params *p = params;
    if (p->node < 0) return 0;
    struct disk_fault fault = {.kind = kind,
                               .path = p->path,
                               .offset = (uint64_t)p->offset,
                               .size = (uint64_t)p->size,
                               .count = p->count,
                               .after = p->after,
                               .factor_millionths = p->factor,
                               .bytes = p->bytes,
                               .until_ns = until == VTIME_MAX ? 0 : until};
    struct fault_state state = {.place = (uint32_t)p->node,
                                .disk_fault =
                                    disk_fault_add(node_disk(world->nodes[p->node]), &fault)};
    return faults_state_add(world, &state);
}

void disk_fault_end(struct world *world, const void *params, uint64_t id)
{
    (void)params;
    const struct fault_state *state = faults_state(world, id);
    if (state) disk_fault_remove(node_disk(world->nodes[state->place]), state->disk_fault);
}

uint64_t disk_fault_counted(struct world *world, const void *params, uint64_t id)
{
    (void)params;
    const struct fault_state *state = faults_state(world, id);
    return disk_fault_effects(node_disk(world->nodes[state->place]), state->disk_fault);
}

uint64_t read_error_begin(struct world *w, const void *p, int64_t until)
{
    return begin_fault(w, p, DISK_READ_ERROR, until);
}
uint64_t write_error_begin(struct world *w, const void *p, int64_t until)
{
    return begin_fault(w, p, DISK_WRITE_ERROR, until);
}
uint64_t sync_error_begin(struct world *w, const void *p, int64_t until)
{
    return begin_fault(w, p, DISK_SYNC_ERROR, until);
}
uint64_t bit_rot_begin(struct world *w, const void *p, int64_t until)
{
    return begin_fault(w, p, DISK_BIT_ROT, until);
}
uint64_t misdirected_write_begin(struct world *w, const void *p, int64_t until)
{
    return begin_fault(w, p, DISK_MISDIRECTED_WRITE, until);
}
uint64_t disk_full_begin(struct world *w, const void *p, int64_t until)
{
    return begin_fault(w, p, DISK_FULL, until);
}
uint64_t slow_disk_begin(struct world *w, const void *p, int64_t until)
{
    return begin_fault(w, p, DISK_SLOW, until);
}
uint64_t stall_disk_begin(struct world *w, const void *p, int64_t until)
{
    return begin_fault(w, p, DISK_STALL, until);
}
uint64_t lying_sync_begin(struct world *w, const void *p, int64_t until)
{
    return begin_fault(w, p, DISK_LYING_SYNC, until);
}

uint64_t evict_begin(struct world *world, const void *params, int64_t until)
{
    (void)until;
    const struct disk_params *p = params;
    if (p->node < 0) return 0;
    struct fault_state state = {.place = (uint32_t)p->node,
                                .effects = node_evict(world->nodes[p->node])};
    return faults_state_add(world, &state);
}

/* ---- words ---- */

static const char *disk_name(struct world *world, const struct disk_params *p)
{
    return p->node < 0 ? "nobody" : world_endpoint_name(world, (uint32_t)p->node);
}

static void describe_fault(struct world *world, const struct disk_params *p, const char *what,
                           char *out, size_t out_size)
{
    char often[64] = "";
    if (p->count)
        snprintf(often, sizeof often, ", %lld time%s", (long long)p->count,
                 p->count == 1 ? "" : "s");
    snprintf(out, out_size, "%s of %s%s%s%s", what, disk_name(world, p),
             p->path ? ", files " : "", p->path ? p->path : "", often);
}

void read_error_describe(struct world *w, const void *p, char *out, size_t size)
{
    describe_fault(w, p, "bad sectors on the disk", out, size);
}
void write_error_describe(struct world *w, const void *p, char *out, size_t size)
{
    describe_fault(w, p, "writes fail on the disk", out, size);
}
void sync_error_describe(struct world *w, const void *p, char *out, size_t size)
{
    describe_fault(w, p, "syncs fail on the disk", out, size);
}
void bit_rot_describe(struct world *w, const void *p, char *out, size_t size)
{
    describe_fault(w, p, "bits rot on the disk", out, size);
}
void misdirected_write_describe(struct world *w, const void *p, char *out, size_t size)
{
    describe_fault(w, p, "writes go astray on the disk", out, size);
}
void lying_sync_describe(struct world *w, const void *p, char *out, size_t size)
{
    describe_fault(w, p, "syncs lie on the disk", out, size);
}
void stall_disk_describe(struct world *w, const void *p, char *out, size_t size)
{
    describe_fault(w, p, "nothing moves on the disk", out, size);
}
void evict_describe(struct world *w, const void *p, char *out, size_t size)
{
    describe_fault(w, p, "the page cache is cold on the disk", out, size);
}

void disk_full_describe(struct world *world, const void *params, char *out, size_t out_size)
{
    const struct disk_params *p = params;
    char bytes[32];
    snprintf(out, out_size, "the disk of %s is full but for %s bytes", disk_name(world, p),
             story_count((uint64_t)p->bytes, bytes));
}

void slow_disk_describe(struct world *world, const void *params, char *out, size_t out_size)
{
    const struct disk_params *p = params;
    snprintf(out, out_size, "the disk of %s is %lld.%03lld times as slow", disk_name(world, p),
             (long long)(p->factor / 1000000), (long long)(p->factor / 1000 % 1000));
}
