/* Goal: the simulated disk is a file system, its effects happen at their stamps, and a sync is
 * a promise that holds. Method: calls on a bare disk with a cursor set by hand; each rule of
 * durability by name; a stop at every nanosecond around each effect.
 */
#include <errno.h>
#include <stdio.h>

#include "tests/world/disk_fixture.h"

static void test_disk_reads_what_was_written(void **state)
{
    (void)state;
    struct disk *d = disk_new();
    struct vfs *v = disk_vfs(d);
    struct vfs_file *f;
    char data[16];
    uint64_t size;
    assert_int_equal(vfs_open(v, "a", VFS_READ, &f), -ENOENT);
    assert_int_equal(vfs_open(v, "a", VFS_WRITE | VFS_CREATE | VFS_EXCLUSIVE, &f), 0);
    assert_int_equal(vfs_write(f, 4, BYTES_LITERAL("data"), VFS_LOG), 0);
    assert_int_equal(vfs_read(f, 0, data, sizeof data, VFS_USER_READ), 8);
    assert_memory_equal(data, "\0\0\0\0data", 8);
    assert_int_equal(vfs_read(f, 8, data, sizeof data, VFS_USER_READ), 0);
    assert_int_equal(vfs_truncate(f, 6), 0);
    assert_int_equal(vfs_truncate(f, 10), 0);
    assert_int_equal(vfs_size(f, &size), 0);
    assert_int_equal(size, 10);
    assert_int_equal(vfs_read(f, 0, data, sizeof data, VFS_USER_READ), 10);
    assert_memory_equal(data, "\0\0\0\0da\0\0\0\0", 10);
    assert_int_equal(vfs_close(f), 0);
    assert_int_equal(vfs_open(v, "a", VFS_WRITE | VFS_CREATE | VFS_EXCLUSIVE, &f), -EEXIST);
    assert_int_equal(vfs_open(v, "a", VFS_READ, &f), 0);
    assert_int_equal(vfs_write(f, 0, BYTES_LITERAL("x"), VFS_LOG), -EBADF);
    assert_int_equal(vfs_truncate(f, 0), -EBADF);
    assert_int_equal(vfs_close(f), 0);
    assert_int_equal(disk_used_bytes(d), 10);
    disk_destroy(d);
}

static int collect(void *context, const char *name, bool is_directory)
{
    char *text = context;
    strcat(text, name);
    strcat(text, is_directory ? "/ " : " ");
    return strcmp(name, "stop") == 0 ? -ECANCELED : 0;
}

static void test_disk_names_follow_posix(void **state)
{
    (void)state;
    struct disk *d = disk_new();
    struct vfs *v = disk_vfs(d);
    struct vfs_file *f;
    char names[256] = "";
    assert_int_equal(vfs_mkdir(v, "dir"), 0);
    assert_int_equal(vfs_mkdir(v, "dir"), -EEXIST);
    assert_int_equal(vfs_mkdir(v, "none/dir"), -ENOENT);
    put(d, "dir/b", 0, "1");
    put(d, "dir/a", 0, "2");
    assert_int_equal(vfs_mkdir(v, "dir/c"), 0);
    assert_int_equal(vfs_list(v, "dir", collect, names), 0);
    assert_string_equal(names, "a b c/ ");
    names[0] = '\0';
    assert_int_equal(vfs_list(v, "", collect, names), 0);
    assert_string_equal(names, "dir/ ");
    assert_int_equal(vfs_list(v, "dir/a", collect, names), -ENOTDIR);
    assert_int_equal(vfs_open(v, "dir/a/x", VFS_WRITE | VFS_CREATE, &f), -ENOTDIR);
    assert_int_equal(vfs_open(v, "dir/c", VFS_READ, &f), -EISDIR);
    assert_int_equal(vfs_open(v, "../a", VFS_READ, &f), -EINVAL);
    assert_int_equal(vfs_open(v, "/a", VFS_READ, &f), -EINVAL);
    assert_int_equal(vfs_rename(v, "dir/a", "dir/c"), -EISDIR);
    assert_int_equal(vfs_rename(v, "dir/c", "dir/a"), -ENOTDIR);
    assert_int_equal(vfs_rename(v, "dir", "dir/c/d"), -EINVAL);
    assert_int_equal(vfs_rename(v, "dir/a", "dir/b"), 0);
    assert_text(d, "dir/b", "2");
    assert_int_equal(vfs_rename(v, "dir/a", "dir/b"), -ENOENT);
    assert_int_equal(vfs_rename(v, "dir/b", "dir/b"), 0);
    assert_int_equal(vfs_unlink(v, "dir/b"), 0);
    assert_int_equal(vfs_unlink(v, "dir/b"), -ENOENT);
    assert_int_equal(vfs_unlink(v, "dir"), -EISDIR);
    put(d, "stop", 0, "x");
    put(d, "zzz", 0, "x");
    names[0] = '\0';
    assert_int_equal(vfs_list(v, ".", collect, names), -ECANCELED);
    assert_string_equal(names, "dir/ stop ");
    disk_destroy(d);
}

static void test_disk_open_file_outlives_its_name(void **state)
{
    (void)state;
    struct disk *d = disk_new();
    struct vfs_file *f;
    char data[4];
    put(d, "a", 0, "data");
    assert_int_equal(vfs_open(disk_vfs(d), "a", VFS_READ, &f), 0);
    assert_int_equal(vfs_unlink(disk_vfs(d), "a"), 0);
    assert_int_equal(disk_used_bytes(d), 4);
    assert_int_equal(vfs_read(f, 0, data, 4, VFS_USER_READ), 4);
    assert_int_equal(vfs_close(f), 0);
    assert_int_equal(disk_used_bytes(d), 0);
    disk_destroy(d);
}

/* ---- durability ---- */

static void test_disk_synced_file_with_synced_name_survives_every_mode(void **state)
{
    (void)state;
    for (int mode = DISK_ALL_KEPT; mode <= DISK_STALE; mode++) {
        struct disk *d = disk_new();
        put_synced(d, "a", "durable");
        disk_power_off(d, disk_cursor(d) + 1, (enum disk_power_mode)mode);
        assert_text(d, "a", "durable");
        disk_destroy(d);
    }
}

static void test_disk_unsynced_write_is_lost_with_the_power_but_not_with_the_process(
    void **state)
{
    (void)state;
    struct disk *d = disk_new();
    put_synced(d, "a", "durable");
    put(d, "a", 7, " or not");
    disk_crash(d, disk_cursor(d) + 1);
    assert_text(d, "a", "durable or not");
    disk_power_off(d, disk_cursor(d) + 1, DISK_ALL_LOST);
    assert_text(d, "a", "durable");
    assert_int_equal(disk_counters(d)->lost_bytes, 7);
    disk_destroy(d);
}

static void test_disk_fsync_of_a_new_file_does_not_make_its_name_durable(void **state)
{
    (void)state;
    struct disk *d = disk_new();
    struct vfs_file *f;
    assert_int_equal(vfs_open(disk_vfs(d), "a", VFS_WRITE | VFS_CREATE, &f), 0);
    assert_int_equal(vfs_write(f, 0, BYTES_LITERAL("x"), VFS_LOG), 0);
    assert_int_equal(vfs_sync(f, VFS_LOG), 0);
    disk_power_off(d, disk_cursor(d) + 1, DISK_ALL_LOST);
    assert_text(d, "a", NULL);
    assert_int_equal(disk_used_bytes(d), 0);
    disk_destroy(d);
}

static void test_disk_name_without_fsync_of_the_file_is_an_empty_file(void **state)
{
    (void)state;
    struct disk *d = disk_new();
    put(d, "a", 0, "x");
    assert_int_equal(vfs_sync_dir(disk_vfs(d), ""), 0);
    disk_power_off(d, disk_cursor(d) + 1, DISK_ALL_LOST);
    assert_text(d, "a", "");
    disk_destroy(d);
}

static void test_disk_pending_unlink_may_come_back(void **state)
{
    (void)state;
    struct disk *d = disk_new();
    put_synced(d, "a", "back");
    assert_int_equal(vfs_unlink(disk_vfs(d), "a"), 0);
    assert_int_equal(disk_used_bytes(d), 0);
    disk_settle(d, disk_cursor(d) + 1);
    disk_power_off(d, disk_cursor(d) + 1, DISK_ALL_LOST);
    assert_text(d, "a", "back");
    assert_int_equal(disk_used_bytes(d), 4);
    assert_int_equal(vfs_unlink(disk_vfs(d), "a"), 0);
    assert_int_equal(vfs_sync_dir(disk_vfs(d), ""), 0);
    disk_power_off(d, disk_cursor(d) + 1, DISK_ALL_LOST);
    assert_text(d, "a", NULL);
    disk_destroy(d);
}

static void test_disk_pending_truncate_may_come_back(void **state)
{
    (void)state;
    struct disk *d = disk_new();
    struct vfs_file *f;
    put_synced(d, "a", "0123456789");
    assert_int_equal(vfs_open(disk_vfs(d), "a", VFS_WRITE, &f), 0);
    assert_int_equal(vfs_truncate(f, 4), 0);
    assert_int_equal(vfs_write(f, 4, BYTES_LITERAL("x"), VFS_LOG), 0);
    disk_power_off(d, disk_cursor(d) + 1, DISK_ALL_LOST);
    assert_text(d, "a", "0123456789");
    disk_destroy(d);
}

static void test_disk_rename_is_old_or_new(void **state)
{
    (void)state;
    for (int kept = 0; kept < 2; kept++) {
        struct disk *d = disk_new();
        put_synced(d, "current", "old");
        put_synced(d, "tmp", "new");
        assert_int_equal(vfs_rename(disk_vfs(d), "tmp", "current"), 0);
        disk_power_off(d, disk_cursor(d) + 1, kept ? DISK_ALL_KEPT : DISK_ALL_LOST);
        assert_text(d, "current", kept ? "new" : "old");
        assert_text(d, "tmp", kept ? NULL : "new");
        disk_destroy(d);
    }
}

static void test_disk_sync_dir_covers_that_directory_only(void **state)
{
    (void)state;
    struct disk *d = disk_new();
    struct vfs *v = disk_vfs(d);
    assert_int_equal(vfs_mkdir(v, "x"), 0);
    assert_int_equal(vfs_mkdir(v, "y"), 0);
    assert_int_equal(vfs_sync_dir(v, ""), 0);
    put(d, "x/a", 0, "");
    put(d, "y/b", 0, "");
    assert_int_equal(vfs_sync_dir(v, "x"), 0);
    disk_power_off(d, disk_cursor(d) + 1, DISK_ALL_LOST);
    assert_text(d, "x/a", "");
    assert_text(d, "y/b", NULL);
    disk_destroy(d);
}

static void test_disk_file_in_a_directory_whose_name_is_lost_is_lost(void **state)
{
    (void)state;
    struct disk *d = disk_new();
    struct vfs *v = disk_vfs(d);
    assert_int_equal(vfs_mkdir(v, "x"), 0);
    put(d, "x/a", 0, "1");
    assert_int_equal(vfs_sync_dir(v, "x"), 0);
    disk_power_off(d, disk_cursor(d) + 1, DISK_ALL_LOST);
    assert_int_equal(vfs_sync_dir(v, "x"), -ENOENT);
    assert_int_equal(disk_used_bytes(d), 0);
    disk_destroy(d);
}

static void test_disk_rename_between_directories_is_durable_on_both_sides(void **state)
{
    (void)state;
    for (int round = 0; round < 4; round++) {
        bool side = round & 1;
        struct disk *d = disk_new();
        struct vfs *v = disk_vfs(d);
        assert_int_equal(vfs_mkdir(v, "x"), 0);
        assert_int_equal(vfs_mkdir(v, "y"), 0);
        assert_int_equal(vfs_sync_dir(v, ""), 0);
        struct vfs_file *f;
        assert_int_equal(vfs_open(v, "x/a", VFS_WRITE | VFS_CREATE, &f), 0);
        assert_int_equal(vfs_close(f), 0);
        assert_int_equal(vfs_rename(v, "x/a", "y/b"), 0);
        assert_int_equal(vfs_sync_dir(v, side ? "y" : "x"), 0);
        disk_power_off(d, disk_cursor(d) + 1, round & 2 ? DISK_ALL_LOST : DISK_ALL_KEPT);
        assert_text(d, "x/a", NULL);
        assert_text(d, "y/b", "");
        disk_destroy(d);
    }
}

static void test_disk_wipe_leaves_a_new_empty_disk(void **state)
{
    (void)state;
    struct disk *d = disk_new(), *empty = disk_new();
    put_synced(d, "a", "gone");
    disk_wipe(d, disk_cursor(d) + 1);
    assert_text(d, "a", NULL);
    assert_int_equal(disk_counters(d)->lost_bytes, 4);
    assert_true(disk_hash(d) == disk_hash(empty));
    put_synced(d, "a", "again");
    disk_power_off(d, disk_cursor(d) + 1, DISK_ALL_LOST);
    assert_text(d, "a", "again");
    disk_destroy(empty);
    disk_destroy(d);
}

/* ---- stamps ---- */

static void test_disk_effect_is_there_from_the_nanosecond_after_its_stamp(void **state)
{
    (void)state;
    struct vfs_file *f;
    int64_t at[4];
    for (int64_t stop = 0;; stop++) {
        struct disk *d = disk_new();
        disk_begin(d, 100);
        assert_int_equal(vfs_open(disk_vfs(d), "a", VFS_WRITE | VFS_CREATE, &f), 0);
        at[0] = disk_cursor(d);
        assert_int_equal(vfs_write(f, 0, BYTES_LITERAL("one"), VFS_LOG), 0);
        at[1] = disk_cursor(d);
        assert_int_equal(vfs_sync(f, VFS_LOG), 0);
        at[2] = disk_cursor(d);
        assert_int_equal(vfs_sync_dir(disk_vfs(d), ""), 0);
        at[3] = disk_cursor(d);
        assert_int_equal(disk_end(d), at[3]);
        int64_t now = 90 + stop;
        if (now > at[3] + 10) {
            disk_destroy(d);
            break;
        }
        if (stop % 2) {
            disk_crash(d, now);
            assert_text(d, "a", now <= at[0] ? NULL : now <= at[1] ? "" : "one");
        } else {
            disk_power_off(d, now, DISK_ALL_LOST);
            assert_text(d, "a", now <= at[3] ? NULL : "one");
        }
        assert_true(disk_cursor(d) >= now);
        disk_destroy(d);
    }
    assert_true(at[0] == 111 && at[1] == 121 && at[2] == 121 + 1100 && at[3] == at[2] + 1100);
}

static void test_disk_half_done_sync_promises_nothing(void **state)
{
    (void)state;
    struct disk *d = disk_new();
    put_synced(d, "a", "old");
    struct vfs_file *f;
    assert_int_equal(vfs_open(disk_vfs(d), "a", VFS_WRITE, &f), 0);
    assert_int_equal(vfs_write(f, 0, BYTES_LITERAL("new"), VFS_LOG), 0);
    assert_int_equal(vfs_sync(f, VFS_LOG), 0);
    disk_power_off(d, disk_cursor(d), DISK_ALL_LOST);
    assert_text(d, "a", "old");
    disk_destroy(d);
}

static void test_disk_lanes_interleave_and_each_effect_keeps_its_stamp(void **state)
{
    (void)state;
    /* The background lane was called first and works from 1000 on; the foreground is called
     * later, at 500. */
    for (int64_t stop = 400; stop < 4000; stop += 7) {
        struct disk *d = disk_new();
        struct vfs_file *f, *g;
        disk_begin(d, 1000);
        assert_int_equal(vfs_open(disk_vfs(d), "background", VFS_WRITE | VFS_CREATE, &f), 0);
        assert_int_equal(vfs_write(f, 0, BYTES_LITERAL("b"), VFS_COMPACTION), 0);
        int64_t b_written = disk_cursor(d);
        assert_int_equal(vfs_sync(f, VFS_COMPACTION), 0);
        assert_int_equal(vfs_sync_dir(disk_vfs(d), ""), 0);
        int64_t b_durable = disk_end(d);
        disk_begin(d, 500);
        assert_int_equal(vfs_open(disk_vfs(d), "foreground", VFS_WRITE | VFS_CREATE, &g), 0);
        assert_int_equal(vfs_write(g, 0, BYTES_LITERAL("f"), VFS_LOG), 0);
        int64_t f_written = disk_end(d);
        assert_true(f_written < 1000);
        disk_crash(d, stop);
        assert_text(d, "background", stop <= 1011 ? NULL : stop <= b_written ? "" : "b");
        assert_text(d, "foreground",
                    stop <= f_written - 10 ? NULL
                    : stop <= f_written    ? ""
                                           : "f");
        disk_power_off(d, stop + 2, DISK_ALL_LOST);
        assert_text(d, "background", stop <= b_durable ? NULL : "b");
        /* The background's sync_dir began after the foreground's create: it covers it. */
        assert_text(d, "foreground", stop <= b_durable ? NULL : "");
        disk_destroy(d);
    }
}

static void test_disk_two_lanes_on_one_name_wait_for_each_other(void **state)
{
    (void)state;
    struct disk *d = disk_new();
    struct vfs_file *f;
    put(d, "a", 0, "1");
    disk_begin(d, 1000);
    assert_int_equal(vfs_unlink(disk_vfs(d), "a"), 0);
    assert_int_equal(disk_end(d), 1010);
    disk_begin(d, 500);
    assert_int_equal(vfs_open(disk_vfs(d), "a", VFS_WRITE | VFS_CREATE, &f), 0);
    assert_int_equal(disk_end(d), 1010);
    disk_crash(d, 800);
    assert_text(d, "a", "1");
    disk_destroy(d);
}

static void test_disk_two_lanes_on_one_file_wait_for_each_other(void **state)
{
    (void)state;
    struct disk *d = disk_new();
    struct vfs_file *f = file_open(d, "a");
    disk_begin(d, 1000);
    assert_int_equal(vfs_write(f, 0, BYTES_LITERAL("1"), VFS_LOG), 0);
    assert_int_equal(disk_end(d), 1010);
    disk_begin(d, 500);
    assert_int_equal(vfs_sync(f, VFS_LOG), 0);
    assert_int_equal(disk_end(d), 1010 + 1100);
    disk_begin(d, 600);
    assert_int_equal(vfs_truncate(f, 0), 0);
    assert_int_equal(disk_end(d), 1010 + 1100);
    disk_check(d);
    disk_destroy(d);
}

static void test_disk_settled_effects_are_not_taken_back(void **state)
{
    (void)state;
    struct disk *d = disk_new();
    put(d, "a", 0, "1");
    disk_settle(d, disk_cursor(d) + 1);
    disk_crash(d, 5);
    assert_text(d, "a", "1");
    disk_destroy(d);
}

static void test_disk_pause_moves_the_start_of_a_sync_too(void **state)
{
    (void)state;
    struct disk *d = disk_new();
    disk_begin(d, 1000);
    assert_int_equal(vfs_sync_dir(disk_vfs(d), ""), 0);
    assert_int_equal(disk_end(d), 2100);
    disk_pause(d, 900, 500);
    disk_begin(d, 1200);
    put(d, "a", 0, ""); /* before 1500, when the sync begins now */
    disk_end(d);
    disk_power_off(d, 2601, DISK_ALL_LOST);
    assert_text(d, "a", "");
    disk_destroy(d);
}

static void test_disk_pause_moves_later_stamps(void **state)
{
    (void)state;
    struct disk *d = disk_new();
    disk_begin(d, 100);
    put(d, "a", 0, "1"); /* 111, 121 */
    disk_end(d);
    disk_pause(d, 115, 1000);
    disk_crash(d, 1121);
    assert_text(d, "a", "");
    disk_destroy(d);
    d = disk_new();
    disk_begin(d, 100);
    put(d, "a", 0, "1");
    disk_end(d);
    disk_pause(d, 115, 1000);
    disk_crash(d, 1122);
    assert_text(d, "a", "1");
    disk_destroy(d);
}

static void test_disk_crash_closes_files_and_brings_unlinked_ones_to_an_end(void **state)
{
    (void)state;
    struct disk *d = disk_new();
    struct vfs_file *f;
    assert_int_equal(vfs_open(disk_vfs(d), "a", VFS_WRITE | VFS_CREATE, &f), 0);
    assert_int_equal(vfs_write(f, 0, BYTES_LITERAL("1234"), VFS_LOG), 0);
    assert_int_equal(vfs_unlink(disk_vfs(d), "a"), 0);
    disk_crash(d, disk_cursor(d) + 1);
    assert_int_equal(disk_used_bytes(d), 0);
    disk_destroy(d);
}

/* ---- crash tests' tools ---- */

static void test_disk_cut_stops_everything_from_the_nth_call_on(void **state)
{
    (void)state;
    struct disk *d = disk_new();
    put_synced(d, "a", "1");
    uint64_t hash = disk_hash(d), before = disk_operations(d);
    disk_cut_after(d, 2);
    struct vfs_file *f;
    assert_int_equal(vfs_open(disk_vfs(d), "a", VFS_WRITE, &f), 0);
    assert_false(disk_cut_reached(d));
    assert_int_equal(vfs_write(f, 0, BYTES_LITERAL("2"), VFS_LOG), -EIO);
    assert_true(disk_cut_reached(d));
    assert_int_equal(vfs_sync(f, VFS_LOG), -EIO);
    assert_int_equal(vfs_mkdir(disk_vfs(d), "x"), -EIO);
    assert_int_equal(disk_operations(d), before + 4);
    assert_true(disk_hash(d) == hash);
    disk_cut_after(d, 0);
    assert_int_equal(vfs_write(f, 0, BYTES_LITERAL("2"), VFS_LOG), 0);
    assert_true(disk_hash(d) != hash);
    assert_int_equal(vfs_close(f), 0);
    disk_destroy(d);
}

static void test_disk_fails_the_nth_call_only(void **state)
{
    (void)state;
    struct disk *d = disk_new();
    disk_fail_nth(d, 2, -ENOSPC);
    assert_int_equal(vfs_mkdir(disk_vfs(d), "x"), 0);
    assert_int_equal(vfs_mkdir(disk_vfs(d), "y"), -ENOSPC);
    assert_int_equal(vfs_mkdir(disk_vfs(d), "y"), 0);
    disk_destroy(d);
}

/* ---- sameness ---- */

static uint64_t busy_life(uint64_t seed, enum disk_power_mode mode)
{
    struct disk_config config = disk_preset_find("ssd_consumer")->config;
    config.directory_mode = DISK_DIR_POSIX;
    struct disk *d = disk_create(&config, seed, "n1", NULL);
    for (int i = 0; i < 40; i++) {
        char path[16], text[1200];
        snprintf(path, sizeof path, "f%d", i % 7);
        memset(text, 'a' + i % 26, sizeof text - 1);
        text[sizeof text - 1] = '\0';
        if (i % 5)
            put(d, path, (uint64_t)i * 100, text);
        else
            put_synced(d, path, text);
    }
    disk_power_off(d, disk_cursor(d) + 1, mode);
    uint64_t hash = disk_hash(d) ^ (uint64_t)disk_cursor(d);
    disk_destroy(d);
    return hash;
}

static void test_disk_same_seed_same_disk_other_seed_other_disk(void **state)
{
    (void)state;
    for (int mode = DISK_ALL_KEPT; mode <= DISK_STALE; mode++) {
        assert_true(busy_life(1, (enum disk_power_mode)mode) ==
                    busy_life(1, (enum disk_power_mode)mode));
        assert_true(busy_life(1, (enum disk_power_mode)mode) !=
                    busy_life(2, (enum disk_power_mode)mode));
    }
}

static void test_disk_presets_are_found_and_work(void **state)
{
    (void)state;
    for (const struct disk_preset *preset = disk_presets; preset->name; preset++) {
        assert_ptr_equal(disk_preset_find(preset->name), preset);
        struct disk *d = disk_create(&preset->config, 1, "n1", NULL);
        put_synced(d, "a", "1");
        assert_true(disk_cursor(d) > 20 * NS_PER_US);
        disk_destroy(d);
    }
    assert_null(disk_preset_find("floppy"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_disk_reads_what_was_written),
        cmocka_unit_test(test_disk_names_follow_posix),
        cmocka_unit_test(test_disk_open_file_outlives_its_name),
        cmocka_unit_test(test_disk_synced_file_with_synced_name_survives_every_mode),
        cmocka_unit_test(
            test_disk_unsynced_write_is_lost_with_the_power_but_not_with_the_process),
        cmocka_unit_test(test_disk_fsync_of_a_new_file_does_not_make_its_name_durable),
        cmocka_unit_test(test_disk_name_without_fsync_of_the_file_is_an_empty_file),
        cmocka_unit_test(test_disk_pending_unlink_may_come_back),
        cmocka_unit_test(test_disk_pending_truncate_may_come_back),
        cmocka_unit_test(test_disk_rename_is_old_or_new),
        cmocka_unit_test(test_disk_sync_dir_covers_that_directory_only),
        cmocka_unit_test(test_disk_file_in_a_directory_whose_name_is_lost_is_lost),
        cmocka_unit_test(test_disk_rename_between_directories_is_durable_on_both_sides),
        cmocka_unit_test(test_disk_wipe_leaves_a_new_empty_disk),
        cmocka_unit_test(test_disk_effect_is_there_from_the_nanosecond_after_its_stamp),
        cmocka_unit_test(test_disk_half_done_sync_promises_nothing),
        cmocka_unit_test(test_disk_lanes_interleave_and_each_effect_keeps_its_stamp),
        cmocka_unit_test(test_disk_two_lanes_on_one_name_wait_for_each_other),
        cmocka_unit_test(test_disk_two_lanes_on_one_file_wait_for_each_other),
        cmocka_unit_test(test_disk_settled_effects_are_not_taken_back),
        cmocka_unit_test(test_disk_pause_moves_the_start_of_a_sync_too),
        cmocka_unit_test(test_disk_pause_moves_later_stamps),
        cmocka_unit_test(test_disk_crash_closes_files_and_brings_unlinked_ones_to_an_end),
        cmocka_unit_test(test_disk_cut_stops_everything_from_the_nth_call_on),
        cmocka_unit_test(test_disk_fails_the_nth_call_only),
        cmocka_unit_test(test_disk_same_seed_same_disk_other_seed_other_disk),
        cmocka_unit_test(test_disk_presets_are_found_and_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
