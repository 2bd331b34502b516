/* Goal: whatever is called in whatever order under whatever faults, the disk stays whole, and
 * what a stop takes back never happened.
 * Method: random calls over files and directories with faults coming and going, disk_check
 * after each; and twins: two disks live the same life, one of them then runs a handler of
 * random calls that a stop takes back; both must read alike, and hold alike on the device, down
 * to pages of failed syncs. SEED= replays one round.
 */
#include <errno.h>
#include <stdio.h>

#include "sim/kernel/check.h"
#include "tests/world/disk_fixture.h"
#include "tests/support/scale.h"

static uint64_t rounds(uint64_t count)
{
    return test_scaled(count, 20 * count);
}

#define HANDLES 6

struct life {
    struct disk *disk;
    struct rng rng;
    struct vfs_file *handles[HANDLES];
};

static const char *some_path(struct life *life)
{
    static const char *const paths[] = {"a",   "b", "x/a", "x/b", "x/y/a",
                                        "y/a", "x", "y",   "x/y", "none/a"};
    return paths[rng_below(&life->rng, sizeof paths / sizeof *paths)];
}

static int ignore(void *context, const char *name, bool is_directory)
{
    (void)context, (void)name, (void)is_directory;
    return 0;
}

static void random_fault(struct life *life)
{
    static const enum disk_fault_kind kinds[] = {
        DISK_READ_ERROR, DISK_WRITE_ERROR, DISK_SYNC_ERROR, DISK_SYNC_ERROR,
        DISK_SYNC_ERROR, DISK_SYNC_ERROR,  DISK_BIT_ROT,    DISK_MISDIRECTED_WRITE,
        DISK_FULL,       DISK_SLOW,        DISK_STALL,      DISK_LYING_SYNC};
    struct disk_fault fault = {.kind =
                                   kinds[rng_below(&life->rng, sizeof kinds / sizeof *kinds)],
                               .factor_millionths = 3000000,
                               .bytes = 10000};
    fault.path = rng_below(&life->rng, 2) ? "a" : NULL;
    fault.offset = rng_below(&life->rng, 8000);
    fault.count = 1 + (int64_t)rng_below(&life->rng, 3);
    fault.after = (int64_t)rng_below(&life->rng, 2);
    fault.until_ns = disk_cursor(life->disk) + 500;
    disk_fault_add(life->disk, &fault);
}

/* One random call. What it returns is the disk's business: errors are part of the soup. */
static void random_call(struct life *life)
{
    static char data[20000];
    struct vfs *v = disk_vfs(life->disk);
    struct vfs_file **handle = &life->handles[rng_below(&life->rng, HANDLES)];
    uint64_t what = rng_below(&life->rng, 24), offset = rng_below(&life->rng, 16000),
             size = 1 + rng_below(&life->rng, 6000);
    const char *path = some_path(life), *other = some_path(life);
    memset(data, 'a' + (int)(offset % 26), size);
    if (!*handle) {
        vfs_open(v, path,
                 VFS_WRITE | (what & 1 ? VFS_CREATE : 0) | (what % 8 == 2 ? VFS_TRUNCATE : 0),
                 handle);
        return;
    }
    switch (what) {
    case 0: vfs_unlink(v, path); break;
    case 1:
    case 2: vfs_rename(v, path, other); break;
    case 3: vfs_mkdir(v, path); break;
    case 4: vfs_sync_dir(v, ""); break;
    case 5: vfs_sync_dir(v, path); break;
    case 6: vfs_list(v, path, ignore, NULL); break;
    case 7: vfs_truncate(*handle, offset); break;
    case 8:
        vfs_close(*handle);
        *handle = NULL;
        break;
    case 9:
    case 10:
    case 11: vfs_read(*handle, offset, data, size, VFS_USER_READ); break;
    case 12:
    case 13:
    case 14:
    case 15:
    case 16: vfs_sync(*handle, VFS_LOG); break;
    default: vfs_write(*handle, offset, bytes_of(data, size), VFS_LOG); break;
    }
}

static struct life life_begin(uint64_t seed, bool large_cache)
{
    struct life life = {0};
    struct disk_config config = disk_test_config();
    rng_init(&life.rng, seed, "test", "soup", NULL);
    config.directory_mode = (enum disk_directory_mode)rng_below(&life.rng, 2);
    if (!large_cache && rng_below(&life.rng, 2))
        config.cache_bytes = (int64_t)rng_below(&life.rng, 8) * 4096;
    config.write_bytes_per_s = INT64_C(1000000000);
    life.disk = disk_create(&config, seed, "n1", NULL);
    return life;
}

static void handles_forget(struct life *life)
{
    memset(life->handles, 0, sizeof life->handles);
}

static void soup_round(uint64_t seed)
{
    struct life life = life_begin(seed, false);
    struct disk *d = life.disk;
    for (int i = 0; i < 150; i++) {
        uint64_t what = rng_below(&life.rng, 60);
        int64_t now = disk_cursor(d) - (int64_t)rng_below(&life.rng, 1500);
        now = now < 0 ? 0 : now;
        if (what == 0) {
            disk_crash(d, now);
            handles_forget(&life);
        } else if (what == 1) {
            disk_power_off(d, now, (enum disk_power_mode)rng_below(&life.rng, 6));
            handles_forget(&life);
            disk_check(d);
            uint64_t hash = disk_hash(d);
            power_off(d, DISK_ALL_LOST);
            assert_true(disk_hash(d) == hash);
        } else if (what == 2) {
            disk_evict(d, now);
        } else if (what == 3) {
            disk_pause(d, now, 100);
            disk_set_cursor(d, disk_cursor(d) + 100);
        } else if (what == 4 && rng_below(&life.rng, 4) == 0) {
            disk_wipe(d, now);
            handles_forget(&life);
        } else if (what == 5) {
            random_fault(&life);
        } else if (what < 12) {
            disk_settle(d, now);
        } else {
            random_call(&life);
        }
        disk_check(d);
    }
    disk_destroy(d);
}

static void test_disk_stays_whole_in_any_soup_of_calls_and_faults(void **state)
{
    (void)state;
    const char *seed = getenv("SEED");
    for (uint64_t s = 1; s <= (seed ? 1 : rounds(300)); s++)
        soup_round(seed ? strtoull(seed, NULL, 10) : s);
}

static void lived(struct life *life)
{
    int calls = 10 + (int)rng_below(&life->rng, 60);
    if (rng_below(&life->rng, 2)) {
        struct disk_fault fault = {.kind = DISK_SYNC_ERROR,
                                   .after = (int64_t)rng_below(&life->rng, 5),
                                   .count = (int64_t)rng_below(&life->rng, 4)};
        disk_fault_add(life->disk, &fault);
    }
    for (int i = 0; i < calls; i++) {
        random_call(life);
        if (rng_below(&life->rng, 4) == 0) disk_settle(life->disk, disk_cursor(life->disk));
    }
}

static void twins_round(uint64_t seed)
{
    /* A large cache: eviction by a small one is no effect to take back. */
    struct life stopped = life_begin(seed, true), twin = life_begin(seed, true);
    lived(&stopped);
    lived(&twin);
    int64_t now = disk_cursor(stopped.disk) + 1;
    assert_int_equal(disk_cursor(twin.disk) + 1, now);
    disk_begin(stopped.disk, now);
    int calls = (int)rng_below(&stopped.rng, 25);
    for (int i = 0; i < calls; i++) random_call(&stopped);
    disk_end(stopped.disk);
    disk_crash(stopped.disk, now);
    disk_crash(twin.disk, now);
    disk_check(stopped.disk);
    if (disk_hash(stopped.disk) != disk_hash(twin.disk))
        fail_msg("SEED=%d: the handler left something to be read", (int)seed);
    /* What the device holds, and what the cache alone does. */
    static const enum disk_power_mode modes[] = {DISK_ALL_LOST, DISK_ALL_KEPT, DISK_SUBSET,
                                                 DISK_PREFIX};
    enum disk_power_mode mode = modes[seed % 4];
    disk_power_off(stopped.disk, now + 1, mode);
    disk_power_off(twin.disk, now + 1, mode);
    if (disk_hash(stopped.disk) != disk_hash(twin.disk))
        fail_msg("SEED=%d: the handler left something on the device", (int)seed);
    disk_destroy(stopped.disk);
    disk_destroy(twin.disk);
}

static void test_disk_what_a_stop_takes_back_never_happened(void **state)
{
    (void)state;
    const char *seed = getenv("SEED");
    for (uint64_t s = 1; s <= (seed ? 1 : rounds(1500)); s++)
        twins_round(seed ? strtoull(seed, NULL, 10) : s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_disk_stays_whole_in_any_soup_of_calls_and_faults),
        cmocka_unit_test(test_disk_what_a_stop_takes_back_never_happened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
