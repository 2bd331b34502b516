/* Goal: the simulated disk takes the time that its parameters say: queue, buses, cache, syncs;
 * and it counts what it did, by purpose.
 * Method: constants for latencies, so that every completion is known to the nanosecond; lanes
 * are begun at chosen cursors.
 */
#include <errno.h>

#include "tests/world/disk_fixture.h"

#define PAGE 4096u

static char data[1 << 20];

/* A disk with a cold file of 64 pages. */
static struct disk *disk_cold(const struct disk_config *config, struct vfs_file **f)
{
    struct disk *d = disk_create(config, 1, "n1", NULL);
    *f = file_open(d, "data");
    assert_int_equal(vfs_write(*f, 0, bytes_of(data, 64 * PAGE), VFS_LOG), 0);
    assert_int_equal(vfs_sync(*f, VFS_LOG), 0);
    disk_evict(d, disk_cursor(d) + 1);
    return d;
}

/* Reads `pages` pages in a lane of its own that begins at `at`: how long it takes. */
static int64_t lane_read(struct disk *d, struct vfs_file *f, int64_t at, uint64_t page,
                         uint64_t pages)
{
    disk_begin(d, at);
    assert_int_equal(vfs_read(f, page * PAGE, data, pages * PAGE, VFS_USER_READ),
                     (int64_t)(pages * PAGE));
    return disk_end(d) - at;
}

#define COPY(pages) ((int64_t)((pages)*PAGE / 10) + 1) /* and the cache's 1 ns */

static void test_disk_cached_reads_cost_memory_cold_ones_the_device(void **state)
{
    (void)state;
    struct disk_config config = disk_test_config();
    struct vfs_file *f;
    struct disk *d = disk_cold(&config, &f);
    assert_int_equal(lane_read(d, f, 10000000, 0, 1), 50 + COPY(1));
    assert_int_equal(lane_read(d, f, 20000000, 0, 1), COPY(1));
    assert_int_equal(disk_counters(d)->cache_hits, 1);
    assert_int_equal(disk_counters(d)->cache_misses, 1);
    /* One cached page in the middle: two runs, in parallel. */
    assert_int_equal(lane_read(d, f, 30000000, 11, 1), 50 + COPY(1));
    assert_int_equal(lane_read(d, f, 40000000, 10, 3), 50 + COPY(3));
    disk_power_off(d, 50000000, DISK_ALL_KEPT);
    assert_int_equal(vfs_open(disk_vfs(d), "data", VFS_READ, &f), 0);
    assert_int_equal(lane_read(d, f, 60000000, 0, 1), 50 + COPY(1));
    disk_crash(d, 70000000);
    assert_int_equal(vfs_open(disk_vfs(d), "data", VFS_READ, &f), 0);
    assert_int_equal(lane_read(d, f, 80000000, 0, 1), COPY(1));
    disk_destroy(d);
}

static void test_disk_serves_as_many_in_parallel_as_its_queue_is_deep(void **state)
{
    (void)state;
    struct disk_config config = disk_test_config();
    config.queue_depth = 2;
    struct vfs_file *f;
    struct disk *d = disk_cold(&config, &f);
    int64_t at = 10000000;
    assert_int_equal(lane_read(d, f, at, 0, 1), 50 + COPY(1));
    assert_int_equal(lane_read(d, f, at, 1, 1), 50 + COPY(1));
    assert_int_equal(lane_read(d, f, at, 2, 1), 100 + COPY(1));
    assert_int_equal(lane_read(d, f, at + 10, 3, 1), 90 + COPY(1));
    assert_int_equal(lane_read(d, f, at, 4, 1), 150 + COPY(1));
    disk_destroy(d);
}

static void test_disk_earlier_lane_takes_the_gap_before_a_later_reservation(void **state)
{
    (void)state;
    struct disk_config config = disk_test_config();
    config.queue_depth = 1;
    struct vfs_file *f;
    struct disk *d = disk_cold(&config, &f);
    int64_t at = 10000000;
    assert_int_equal(lane_read(d, f, at + 100, 0, 1), 50 + COPY(1));
    assert_int_equal(lane_read(d, f, at, 1, 1), 50 + COPY(1));  /* [0, 50) */
    assert_int_equal(lane_read(d, f, at, 2, 1), 100 + COPY(1)); /* [50, 100) */
    assert_int_equal(lane_read(d, f, at, 3, 1),
                     200 + COPY(1)); /* behind the first: [150, 200) */
    disk_destroy(d);
}

static void test_disk_stop_gives_the_device_back(void **state)
{
    (void)state;
    struct disk_config config = disk_test_config();
    config.queue_depth = 1;
    struct vfs_file *f;
    struct disk *d = disk_cold(&config, &f);
    int64_t at = 10000000;
    lane_read(d, f, at, 0, 1);
    lane_read(d, f, at, 1, 1);
    disk_crash(d, at + 20);
    assert_int_equal(vfs_open(disk_vfs(d), "data", VFS_READ, &f), 0);
    assert_int_equal(lane_read(d, f, at + 20, 2, 1), 50 + COPY(1));
    disk_destroy(d);
}

static void test_disk_pause_moves_reservations(void **state)
{
    (void)state;
    struct disk_config config = disk_test_config();
    config.queue_depth = 1;
    struct vfs_file *f;
    struct disk *d = disk_cold(&config, &f);
    int64_t at = 10000000;
    lane_read(d, f, at + 100, 0, 1);
    disk_pause(d, at + 90, 1000);
    assert_int_equal(lane_read(d, f, at + 100, 1, 1), 50 + COPY(1));
    assert_int_equal(lane_read(d, f, at + 1100, 2, 1), 100 + COPY(1));
    disk_destroy(d);
}

static void test_disk_operations_in_parallel_share_the_bandwidth(void **state)
{
    (void)state;
    struct disk_config config = disk_test_config();
    config.read_bytes_per_s = 4096 * INT64_C(1000000); /* a page a microsecond */
    struct vfs_file *f;
    struct disk *d = disk_cold(&config, &f);
    int64_t at = 10000000;
    assert_int_equal(lane_read(d, f, at, 0, 10), 50 + 10000 + COPY(10));
    assert_int_equal(lane_read(d, f, at, 20, 10), 50 + 20000 + COPY(10));
    disk_destroy(d);
}

static void test_disk_cache_keeps_the_most_recently_used_pages(void **state)
{
    (void)state;
    struct disk_config config = disk_test_config();
    config.cache_bytes = 3 * PAGE;
    struct vfs_file *f;
    struct disk *d = disk_cold(&config, &f);
    int64_t at = 10000000, cold = 50 + COPY(1), hot = COPY(1);
    assert_int_equal(lane_read(d, f, at += 10000, 0, 1), cold);
    assert_int_equal(lane_read(d, f, at += 10000, 1, 1), cold);
    assert_int_equal(lane_read(d, f, at += 10000, 2, 1), cold);
    assert_int_equal(lane_read(d, f, at += 10000, 0, 1), hot);
    assert_int_equal(lane_read(d, f, at += 10000, 3, 1), cold); /* out goes 1 */
    assert_int_equal(lane_read(d, f, at += 10000, 0, 1), hot);
    assert_int_equal(lane_read(d, f, at += 10000, 2, 1), hot);
    assert_int_equal(lane_read(d, f, at += 10000, 1, 1), cold);
    disk_destroy(d);
}

static void test_disk_write_into_part_of_a_cold_page_reads_it_first(void **state)
{
    (void)state;
    struct disk_config config = disk_test_config();
    struct vfs_file *f;
    struct disk *d = disk_cold(&config, &f);
    disk_begin(d, 10000000);
    assert_int_equal(vfs_write(f, 5, bytes_of(data, 9), VFS_LOG), 0);
    assert_int_equal(disk_cursor(d), 10000000 + 10 + 50);
    assert_int_equal(vfs_write(f, 5, bytes_of(data, 9), VFS_LOG), 0);
    assert_int_equal(vfs_write(f, PAGE, bytes_of(data, PAGE), VFS_LOG), 0);
    assert_int_equal(disk_end(d), 10000000 + 10 + 50 + 10 + 10 + 409);
    disk_destroy(d);
}

static void test_disk_sync_pays_for_each_dirty_run_and_once_for_the_flush(void **state)
{
    (void)state;
    struct disk_config config = disk_test_config();
    config.write_bytes_per_s = 512 * INT64_C(10000000); /* a sector each 100 ns */
    config.queue_depth = 8;
    struct disk *d = disk_create(&config, 1, "n1", NULL);
    struct vfs_file *f = file_open(d, "data");
    /* Two runs: sectors 0 ... 2 in three writes out of order, and sector 9. */
    assert_int_equal(vfs_write(f, 9 * 512, bytes_of(data, 5), VFS_LOG), 0);
    assert_int_equal(vfs_write(f, 512, bytes_of(data, 1024), VFS_LOG), 0);
    assert_int_equal(vfs_write(f, 0, bytes_of(data, 512), VFS_LOG), 0);
    assert_int_equal(vfs_write(f, 9 * 512 + 5, bytes_of(data, 5), VFS_LOG), 0);
    int64_t start = disk_cursor(d);
    assert_int_equal(vfs_sync(f, VFS_LOG), 0);
    assert_int_equal(disk_cursor(d) - start, 100 + 300 + 100 + 1000);
    start = disk_cursor(d);
    assert_int_equal(vfs_sync(f, VFS_LOG), 0);
    assert_int_equal(disk_cursor(d) - start, 1000);
    disk_destroy(d);
}

static void test_disk_counts_by_purpose(void **state)
{
    (void)state;
    struct disk *d = disk_new();
    struct vfs_file *f = file_open(d, "data");
    assert_int_equal(vfs_write(f, 0, bytes_of(data, 100), VFS_LOG), 0);
    assert_int_equal(vfs_write(f, 100, bytes_of(data, 50), VFS_COMPACTION), 0);
    assert_int_equal(vfs_write(f, 150, bytes_of(data, 25), VFS_COMPACTION), 0);
    assert_int_equal(vfs_sync(f, VFS_FLUSH), 0);
    assert_int_equal(vfs_sync_dir(disk_vfs(d), ""), 0);
    assert_int_equal(vfs_read(f, 100, data, 1000, VFS_RECOVERY), 75);
    const struct disk_counters *c = disk_counters(d);
    assert_true(c->writes[VFS_LOG] == 1 && c->write_bytes[VFS_LOG] == 100);
    assert_true(c->writes[VFS_COMPACTION] == 2 && c->write_bytes[VFS_COMPACTION] == 75);
    assert_true(c->syncs[VFS_FLUSH] == 1 && c->syncs[VFS_META] == 1 && c->syncs[VFS_LOG] == 0);
    assert_true(c->reads[VFS_RECOVERY] == 1 && c->read_bytes[VFS_RECOVERY] == 75 &&
                c->reads[VFS_USER_READ] == 0);
    assert_int_equal(c->busy_ns, 100 + 1000 + 100 + 1000);
    disk_destroy(d);
}

static void test_disk_without_costs_takes_no_time_and_still_orders_effects(void **state)
{
    (void)state;
    struct disk *d = disk_create(&(struct disk_config){.queue_depth = 1}, 1, "n1", NULL);
    put_synced(d, "a", "1");
    put(d, "b", 0, "2");
    assert_int_equal(vfs_rename(disk_vfs(d), "b", "a"), 0);
    assert_int_equal(disk_cursor(d), 0);
    power_off(d, DISK_ALL_LOST);
    assert_text(d, "a", "1");
    assert_text(d, "b", NULL);
    disk_destroy(d);
}

/* How long a call takes. */
#define TIME_OF(d, call)                                                                       \
    ({                                                                                         \
        int64_t began = disk_cursor(d);                                                        \
        assert_int_equal(call, 0);                                                             \
        disk_cursor(d) - began;                                                                \
    })

static void test_disk_copies_at_their_own_rates_and_pays_once_for_new_pages(void **state)
{
    (void)state;
    struct disk_config config = disk_test_config();
    config.copy_read_bytes_per_s = 1000000000; /* a byte, a nanosecond */
    config.copy_write_bytes_per_s = 500000000;
    config.new_page_ns = 77;
    struct disk *d = disk_create(&config, 1, "n1", NULL);
    struct vfs_file *f = file_open(d, "data");
    assert_int_equal(TIME_OF(d, vfs_write(f, 0, bytes_of(data, 100), VFS_LOG)), 10 + 77 + 200);
    assert_int_equal(TIME_OF(d, vfs_write(f, 100, bytes_of(data, 100), VFS_LOG)), 10 + 200);
    assert_int_equal(TIME_OF(d, vfs_write(f, 200, bytes_of(data, 3 * PAGE), VFS_LOG)),
                     10 + 77 + 2 * 3 * PAGE);
    assert_int_equal(TIME_OF(d, vfs_write(f, 0, bytes_of(data, 3 * PAGE), VFS_LOG)),
                     10 + 2 * 3 * PAGE);
    assert_int_equal(TIME_OF(d, vfs_read(f, 0, data, 1000, VFS_LOG) != 1000), 1 + 1000);
    config.copy_read_bytes_per_s = config.copy_write_bytes_per_s = 0; /* for nothing */
    struct disk *free_copies = disk_create(&config, 1, "n1", NULL);
    f = file_open(free_copies, "data");
    assert_int_equal(TIME_OF(free_copies, vfs_write(f, 0, bytes_of(data, PAGE), VFS_LOG)),
                     10 + 77);
    disk_destroy(d);
    disk_destroy(free_copies);
}

static void test_disk_commits_metadata_where_the_length_or_a_name_changed(void **state)
{
    (void)state;
    struct disk_config config = disk_test_config();
    config.sync_metadata = (struct dist){.kind = DIST_CONSTANT, .a = 5000};
    struct disk *d = disk_create(&config, 1, "n1", NULL);
    struct vfs_file *f = file_open(d, "data");
    assert_int_equal(vfs_write(f, 0, bytes_of(data, 1000), VFS_LOG), 0);
    assert_int_equal(TIME_OF(d, vfs_sync(f, VFS_LOG)), 100 + 1000 + 5000);
    assert_int_equal(vfs_write(f, 500, bytes_of(data, 500), VFS_LOG), 0);
    assert_int_equal(TIME_OF(d, vfs_sync(f, VFS_LOG)), 100 + 1000);
    assert_int_equal(TIME_OF(d, vfs_sync(f, VFS_LOG)), 1000);
    assert_int_equal(vfs_truncate(f, 10), 0);
    assert_int_equal(TIME_OF(d, vfs_sync(f, VFS_LOG)), 1000 + 5000);
    assert_int_equal(TIME_OF(d, vfs_sync_dir(disk_vfs(d), "")), 100 + 1000 + 5000);
    /* Blocks are found for what the file has grown by, and for nothing else. */
    config.grow_bytes_per_s = 1000000000; /* a byte, a nanosecond */
    struct disk *grows = disk_create(&config, 1, "n1", NULL);
    struct vfs_file *g = file_open(grows, "data");
    assert_int_equal(vfs_write(g, 0, bytes_of(data, 600), VFS_LOG), 0);
    assert_int_equal(vfs_write(g, 500, bytes_of(data, 500), VFS_LOG), 0);
    assert_int_equal(TIME_OF(grows, vfs_sync(g, VFS_LOG)), 100 + 1000 + 5000 + 1000);
    assert_int_equal(vfs_write(g, 0, bytes_of(data, 700), VFS_LOG), 0);
    assert_int_equal(TIME_OF(grows, vfs_sync(g, VFS_LOG)), 100 + 1000);
    assert_int_equal(TIME_OF(grows, vfs_sync_dir(disk_vfs(grows), "")), 100 + 1000 + 5000);
    disk_destroy(grows);
    /* It is work of the device: a slow disk takes longer for it too. */
    assert_int_equal(vfs_write(f, 10, bytes_of(data, 10), VFS_LOG), 0);
    disk_fault_add(d, &(struct disk_fault){.kind = DISK_SLOW, .factor_millionths = 2000000});
    assert_int_equal(TIME_OF(d, vfs_sync(f, VFS_LOG)), 2 * (100 + 1000 + 5000));
    disk_destroy(d);
}

static void test_disk_takes_time_to_give_space_back(void **state)
{
    (void)state;
    struct disk_config config = disk_test_config();
    config.name_ns = 30;
    config.free_bytes_per_s = 1000000000; /* a byte, a nanosecond */
    struct disk *d = disk_create(&config, 1, "n1", NULL);
    struct vfs *v = disk_vfs(d);
    struct vfs_file *f = file_open(d, "a");
    assert_int_equal(vfs_write(f, 0, bytes_of(data, 1000), VFS_LOG), 0);
    assert_int_equal(TIME_OF(d, vfs_truncate(f, 400)), 10 + 600);
    assert_int_equal(TIME_OF(d, vfs_truncate(f, 900)), 10);
    vfs_close(f);
    put(d, "b", 0, "text");
    assert_int_equal(TIME_OF(d, vfs_rename(v, "a", "b")), 30 + 4);
    assert_int_equal(TIME_OF(d, vfs_open(v, "b", VFS_WRITE | VFS_TRUNCATE, &f)), 1 + 10 + 900);
    assert_int_equal(vfs_write(f, 0, bytes_of(data, 50), VFS_LOG), 0);
    assert_int_equal(TIME_OF(d, vfs_unlink(v, "b")), 30 + 50);
    assert_int_equal(TIME_OF(d, vfs_open(v, "c", VFS_WRITE | VFS_CREATE, &f)), 1 + 30);
    assert_int_equal(TIME_OF(d, vfs_mkdir(v, "dir")), 30);
    disk_destroy(d);
}

static void test_disk_look_from_outside_leaves_no_trace(void **state)
{
    (void)state;
    struct disk_config config = disk_test_config();
    struct vfs_file *f;
    struct disk *d = disk_cold(&config, &f);
    struct disk_counters before = *disk_counters(d);
    int64_t cursor = disk_cursor(d);
    uint64_t operations = disk_operations(d);
    disk_fault_add(d, &(struct disk_fault){.kind = DISK_READ_ERROR});
    disk_cut_after(d, 1);
    disk_look(d, true);
    assert_int_equal(vfs_read(f, 63 * PAGE, data, 2 * PAGE, VFS_USER_READ), PAGE);
    assert_int_equal(vfs_read(f, 65 * PAGE, data, PAGE, VFS_USER_READ), 0);
    disk_look(d, false);
    assert_memory_equal(&before, disk_counters(d), sizeof before);
    assert_int_equal(disk_cursor(d), cursor);
    assert_int_equal(disk_operations(d), operations);
    assert_int_equal(vfs_read(f, 0, data, PAGE, VFS_USER_READ), -EIO);
    assert_true(disk_cut_reached(d));
    disk_cut_after(d, 0);
    assert_int_equal(vfs_read(f, 0, data, PAGE, VFS_USER_READ), -EIO);
    assert_int_equal(disk_counters(d)->fault_effects, 1);
    disk_destroy(d);
}

static void test_disk_hot_loop_stays_bounded(void **state)
{
    (void)state;
    /* A thousand appends with sync, settled as they go: nothing accumulates, so the last costs
     * what the first did. */
    struct disk_config config = disk_preset_find("nvme_dc")->config;
    struct disk *d = disk_create(&config, 1, "n1", NULL);
    struct vfs_file *f = file_open(d, "log");
    for (uint64_t i = 0; i < 1000; i++) {
        disk_begin(d, disk_cursor(d));
        assert_int_equal(vfs_write(f, i * 100, bytes_of(data, 100), VFS_LOG), 0);
        assert_int_equal(vfs_sync(f, VFS_LOG), 0);
        disk_settle(d, disk_end(d) + 1);
    }
    assert_int_equal(disk_used_bytes(d), 100000);
    assert_int_equal(disk_counters(d)->syncs[VFS_LOG], 1000);
    disk_destroy(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_disk_cached_reads_cost_memory_cold_ones_the_device),
        cmocka_unit_test(test_disk_serves_as_many_in_parallel_as_its_queue_is_deep),
        cmocka_unit_test(test_disk_earlier_lane_takes_the_gap_before_a_later_reservation),
        cmocka_unit_test(test_disk_stop_gives_the_device_back),
        cmocka_unit_test(test_disk_pause_moves_reservations),
        cmocka_unit_test(test_disk_operations_in_parallel_share_the_bandwidth),
        cmocka_unit_test(test_disk_cache_keeps_the_most_recently_used_pages),
        cmocka_unit_test(test_disk_write_into_part_of_a_cold_page_reads_it_first),
        cmocka_unit_test(test_disk_sync_pays_for_each_dirty_run_and_once_for_the_flush),
        cmocka_unit_test(test_disk_counts_by_purpose),
        cmocka_unit_test(test_disk_without_costs_takes_no_time_and_still_orders_effects),
        cmocka_unit_test(test_disk_copies_at_their_own_rates_and_pays_once_for_new_pages),
        cmocka_unit_test(test_disk_commits_metadata_where_the_length_or_a_name_changed),
        cmocka_unit_test(test_disk_takes_time_to_give_space_back),
        cmocka_unit_test(test_disk_look_from_outside_leaves_no_trace),
        cmocka_unit_test(test_disk_hot_loop_stays_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
