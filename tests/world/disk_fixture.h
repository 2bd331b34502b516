/* What the tests of the disk share: a disk whose costs can be reckoned with, and files as
 * texts. */
#ifndef FAULTLINE_TESTS_WORLD_DISK_FIXTURE_H
#define FAULTLINE_TESTS_WORLD_DISK_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/world/disk.h"

/* A look-up takes 1 ns, a buffered write or a change of names 10, a device read 50, a device
 * write 100, a flush 1000. */
static inline struct disk_config disk_test_config(void)
{
    return (struct disk_config){
        .read_latency = {.kind = DIST_CONSTANT, .a = 50},
        .write_latency = {.kind = DIST_CONSTANT, .a = 100},
        .sync_latency = {.kind = DIST_CONSTANT, .a = 1000},
        .queue_depth = 4,
        .cache_bytes = 1 << 20,
        .cache_hit_ns = 1,
        .cache_write_ns = 10,
        .copy_read_bytes_per_s = INT64_C(10000000000),
        .copy_write_bytes_per_s = INT64_C(10000000000),
        .name_ns = 10,
    };
}

static inline struct disk *disk_new_seeded(uint64_t seed)
{
    struct disk_config config = disk_test_config();
    return disk_create(&config, seed, "n1", NULL);
}

static inline struct disk *disk_new(void)
{
    return disk_new_seeded(7);
}

static inline struct vfs_file *file_open(struct disk *d, const char *path)
{
    struct vfs_file *f;
    assert_int_equal(vfs_open(disk_vfs(d), path, VFS_WRITE | VFS_CREATE, &f), 0);
    return f;
}

static inline void put(struct disk *d, const char *path, uint64_t offset, const char *text)
{
    struct vfs_file *f = file_open(d, path);
    assert_int_equal(vfs_write(f, offset, bytes_string(text), VFS_LOG), 0);
    assert_int_equal(vfs_close(f), 0);
}

static inline void put_synced(struct disk *d, const char *path, const char *text)
{
    struct vfs_file *f = file_open(d, path);
    assert_int_equal(vfs_write(f, 0, bytes_string(text), VFS_LOG), 0);
    assert_int_equal(vfs_sync(f, VFS_LOG), 0);
    assert_int_equal(vfs_sync_dir(disk_vfs(d), ""), 0);
    assert_int_equal(vfs_close(f), 0);
}

/* What a file reads as, a text that the next call overwrites; NULL when it is not there. */
static inline const char *text_of(struct disk *d, const char *path)
{
    static char text[32768];
    struct vfs_file *f;
    if (vfs_open(disk_vfs(d), path, VFS_READ, &f)) return NULL;
    int64_t n = vfs_read(f, 0, text, sizeof text - 1, VFS_USER_READ);
    assert_true(n >= 0);
    text[n] = '\0';
    assert_int_equal(vfs_close(f), 0);
    return text;
}

static inline void assert_text(struct disk *d, const char *path, const char *expected)
{
    const char *text = text_of(d, path);
    if (!expected) {
        assert_null(text);
    } else {
        assert_non_null(text);
        assert_string_equal(text, expected);
    }
}

static inline void power_off(struct disk *d, enum disk_power_mode mode)
{
    disk_power_off(d, disk_cursor(d) + 1, mode);
}

#endif
