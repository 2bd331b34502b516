/* Goal: what the benchmark counts is what happened: the histogram's quantiles, and bytes,
 * operations and syncs through the counting vfs. Method: the histogram against sorted samples;
 * the vfs over a simulated disk, whose own counters are the reference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engines/storage/counting_vfs.h"
#include "sim/bench/histogram.h"
#include "sim/world/disk.h"

/* ---- histogram ---- */

static void test_buckets_cover_every_value_once(void **state)
{
    (void)state;
    for (uint32_t b = 0; b < HISTOGRAM_BUCKETS; b++) {
        assert_int_equal(histogram_bucket(histogram_low(b)), b);
        assert_int_equal(histogram_bucket(histogram_high(b) - (b + 1 < HISTOGRAM_BUCKETS)), b);
        if (b) assert_true(histogram_low(b) == histogram_high(b - 1));
    }
    assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void test_quantiles_are_within_a_percent_of_the_sorted_sample(void **state)
{
    (void)state;
    enum { COUNT = 10000 };
    static struct histogram histogram;
    static uint64_t values[COUNT];
    uint64_t s = 7;
    for (size_t i = 0; i < COUNT; i++) {
        s = s * UINT64_C(6364136223846793005) + 1442695040888963407u;
        values[i] = (s >> 33) >> (s >> 20 & 15); /* over fifteen octaves */
        histogram_add(&histogram, (int64_t)values[i]);
    }
    qsort(values, COUNT, sizeof *values, by_value);
    static const uint32_t ppm[] = {1, 10000, 250000, 500000, 900000, 990000, 999000, 1000000};
    for (size_t i = 0; i < sizeof ppm / sizeof *ppm; i++) {
        uint64_t rank = ((uint64_t)COUNT * ppm[i] + 999999) / 1000000;
        uint64_t exact = values[rank ? rank - 1 : 0],
                 found = histogram_quantile(&histogram, ppm[i]);
        assert_in_range(found * 1000, exact * 990, exact * 1010 + 1000);
    }
    assert_int_equal(histogram_quantile(&histogram, 1000000), histogram.max_ns);
}

static void test_an_empty_histogram_and_a_negative_latency_are_zero(void **state)
{
    (void)state;
    static struct histogram histogram;
    assert_int_equal(histogram_quantile(&histogram, 500000), 0);
    histogram_add(&histogram, -5);
    assert_int_equal(histogram.count, 1);
    assert_int_equal(histogram_quantile(&histogram, 990000), 0);
}

/* ---- counting vfs ---- */

static void test_counts_equal_those_of_the_disk(void **state)
{
    (void)state;
    struct disk *disk = disk_create(&disk_preset_find("nvme_dc")->config, 1, "d", NULL);
    struct counting_vfs counting;
    counting_vfs_init(&counting, disk_vfs(disk), &allocator_system);
    struct vfs *vfs = &counting.base;
    disk_begin(disk, 0);
    struct vfs_file *file;
    char data[700] = "x";
    assert_int_equal(vfs_mkdir(vfs, "d"), 0);
    assert_int_equal(vfs_open(vfs, "d/f", VFS_WRITE | VFS_CREATE, &file), 0);
    assert_int_equal(vfs_write(file, 0, bytes_of(data, 700), VFS_LOG), 0);
    assert_int_equal(vfs_write(file, 700, bytes_of(data, 10), VFS_FLUSH), 0);
    assert_int_equal(vfs_sync(file, VFS_LOG), 0);
    assert_int_equal(vfs_sync_dir(vfs, "d"), 0);
    assert_int_equal(vfs_read(file, 600, data, 700, VFS_USER_READ), 110); /* short at the end */
    assert_int_equal(vfs_truncate(file, 5), 0);
    uint64_t size = 0;
    assert_int_equal(vfs_size(file, &size), 0);
    assert_int_equal(size, 5);
    assert_int_equal(vfs_close(file), 0);
    assert_int_equal(vfs_rename(vfs, "d/f", "d/g"), 0);
    assert_int_equal(vfs_unlink(vfs, "d/g"), 0);
    const struct disk_counters *reference = disk_counters(disk);
    const struct vfs_counters *counted = &counting.counters;
    for (int i = 0; i < VFS_PURPOSES; i++) {
        assert_int_equal(counted->reads[i], reference->reads[i]);
        assert_int_equal(counted->writes[i], reference->writes[i]);
        assert_int_equal(counted->syncs[i], reference->syncs[i]);
        assert_int_equal(counted->read_bytes[i], reference->read_bytes[i]);
        assert_int_equal(counted->write_bytes[i], reference->write_bytes[i]);
    }
    assert_int_equal(counted->read_bytes[VFS_USER_READ], 110);
    assert_int_equal(counted->syncs[VFS_META], 1);
    assert_int_equal(counted->name_calls, 7); /* mkdir open truncate size close rename unlink */
    assert_int_equal(vfs_count_sum(counted->write_bytes), 710);
    disk_end(disk);
    disk_destroy(disk);
}

static void test_failed_calls_are_not_counted(void **state)
{
    (void)state;
    struct disk *disk = disk_create(&disk_preset_find("nvme_dc")->config, 1, "d", NULL);
    struct counting_vfs counting;
    counting_vfs_init(&counting, disk_vfs(disk), &allocator_system);
    struct vfs *vfs = &counting.base;
    disk_begin(disk, 0);
    struct vfs_file *file = NULL;
    assert_int_equal(vfs_open(vfs, "none", VFS_READ, &file), -ENOENT);
    assert_null(file);
    assert_int_equal(vfs_open(vfs, "f", VFS_WRITE | VFS_CREATE, &file), 0);
    disk_cut_after(disk, 1); /* from now on everything fails */
    char byte = 0;
    assert_int_equal(vfs_write(file, 0, bytes_of("x", 1), VFS_LOG), -EIO);
    assert_int_equal(vfs_read(file, 0, &byte, 1, VFS_LOG), -EIO);
    assert_int_equal(vfs_sync(file, VFS_LOG), -EIO);
    assert_int_equal(vfs_sync_dir(vfs, ""), -EIO);
    assert_int_equal(counting.counters.name_calls, 1); /* the open */
    assert_int_equal(vfs_count_sum(counting.counters.writes), 0);
    assert_int_equal(vfs_count_sum(counting.counters.reads), 0);
    assert_int_equal(vfs_count_sum(counting.counters.syncs), 0);
    disk_cut_after(disk, 0);
    vfs_close(file);
    disk_end(disk);
    disk_destroy(disk);
}

struct watch {
    int depth, calls;
};
static void watch_enter(void *context)
{
    struct watch *watch = context;
    watch->depth++;
    watch->calls++;
}
static void watch_leave(void *context)
{
    ((struct watch *)context)->depth--;
}
static int each_name(void *context, const char *name, bool is_directory)
{
    struct counting_vfs *counting = context;
    assert_string_equal(name, "f");
    assert_false(is_directory);
    return vfs_unlink(&counting->base, name);
}

static void test_a_watcher_sees_every_call_go_and_come_back(void **state)
{
    (void)state;
    struct disk *disk = disk_create(&disk_preset_find("nvme_dc")->config, 1, "d", NULL);
    struct watch watch = {0, 0};
    struct counting_vfs counting;
    counting_vfs_init(&counting, disk_vfs(disk), &allocator_system);
    counting.enter = watch_enter;
    counting.leave = watch_leave;
    counting.context = &watch;
    disk_begin(disk, 0);
    struct vfs_file *file = NULL;
    assert_int_equal(vfs_open(&counting.base, "f", VFS_WRITE | VFS_CREATE, &file), 0);
    assert_int_equal(vfs_sync(file, VFS_LOG), 0);
    assert_int_equal(vfs_close(file), 0);
    assert_int_equal(vfs_open(&counting.base, "none", VFS_READ, &file), -ENOENT);
    assert_int_equal(vfs_list(&counting.base, "", each_name, &counting), 0); /* nests */
    assert_int_equal(watch.calls, 6);
    assert_int_equal(watch.depth, 0);
    disk_end(disk);
    disk_destroy(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buckets_cover_every_value_once),
        cmocka_unit_test(test_quantiles_are_within_a_percent_of_the_sorted_sample),
        cmocka_unit_test(test_an_empty_histogram_and_a_negative_latency_are_zero),
        cmocka_unit_test(test_counts_equal_those_of_the_disk),
        cmocka_unit_test(test_failed_calls_are_not_counted),
        cmocka_unit_test(test_a_watcher_sees_every_call_go_and_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
