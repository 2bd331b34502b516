/* Goal: the replication log keeps what was synced, cuts what was torn, and never shows a log
 * that was not written. Method: the log alone on a simulated disk. Every claim about crashes is
 * tried at every disk operation (cut) or at every byte of a file.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engines/replication/single_leader/durable.h"
#include "engines/replication/single_leader/replog.h"
#include "sim/world/disk.h"
#include "sim/world/heap.h"

struct fixture {
    struct env env;
    struct disk *disk;
    struct heap *heap;
    struct replog_config config;
    struct replog *log;
};

static void fixture_init(struct fixture *x)
{
    struct disk_config disk = {
        .queue_depth = 1, .cache_bytes = 1 << 30, .power_mode = DISK_ALL_LOST};
    *x = (struct fixture){.disk = disk_create(&disk, 1, "disk", NULL), .heap = heap_create(0)};
    x->env = (struct env){
        .vfs = disk_vfs(x->disk), .dir = "scheme", .allocator = heap_allocator(x->heap)};
    x->config = (struct replog_config){.sync = true,
                                       .segment_bytes = 400,
                                       .segment_entries = 1000,
                                       .retention_entries = 1000,
                                       .retention_bytes = 1 << 30};
    disk_begin(x->disk, 0);
    assert_int_equal(durable_folder(&x->env), 0);
}

static void fixture_open(struct fixture *x)
{
    assert_int_equal(replog_open(&x->env, &x->config, &x->log), 0);
}

/* The process dies (or the power fails); the log's memory is gone. */
static void fixture_crash(struct fixture *x, bool power)
{
    disk_cut_after(x->disk, 0);
    int64_t now = disk_end(x->disk) + 1;
    if (power)
        disk_power_off(x->disk, now, DISK_ALL_LOST);
    else
        disk_crash(x->disk, now);
    disk_begin(x->disk, now);
    heap_reset(x->heap);
    x->log = NULL;
}

static void fixture_deinit(struct fixture *x)
{
    if (x->log) replog_close(x->log);
    assert_int_equal(heap_bytes(x->heap), 0);
    heap_destroy(x->heap);
    disk_end(x->disk);
    disk_destroy(x->disk);
}

static struct bytes payload_of(uint64_t number, char text[32])
{
    int size = snprintf(text, 32, "payload-%llu", (unsigned long long)number);
    return bytes_of(text, (size_t)size);
}

static int append(struct fixture *x, uint64_t epoch)
{
    char text[32];
    uint64_t position = replog_last(x->log).position + 1;
    return replog_append(x->log, epoch, (int64_t)position * 10, payload_of(position, text));
}

static void append_many(struct fixture *x, uint64_t epoch, int count)
{
    for (int i = 0; i < count; i++) {
        assert_int_equal(append(x, epoch), 0);
        assert_int_equal(replog_write(x->log), 0);
    }
}

/* Every entry from `first` to the end is the one that was appended there. */
static void check_entries(struct fixture *x, uint64_t first)
{
    struct buffer bytes = {.allocator = &allocator_system};
    uint64_t position = first;
    while (position <= replog_last(x->log).position) {
        uint32_t count;
        assert_int_equal(replog_read(x->log, position, 100, &bytes, &count), 0);
        assert_true(count > 0);
        for (size_t at = 0; at < bytes.size; position++) {
            struct replog_entry entry;
            char text[32];
            struct replog_mark mark;
            assert_int_equal(replog_decode(buffer_bytes(&bytes), &at, &entry), 0);
            assert_int_equal(entry.mark.position, position);
            assert_int_equal(entry.time_ns, (int64_t)position * 10);
            assert_true(bytes_equal(entry.payload, payload_of(position, text)));
            assert_int_equal(replog_mark_at(x->log, position, &mark), 0);
            assert_int_equal(mark.crc, entry.mark.crc);
            assert_int_equal(mark.epoch, entry.mark.epoch);
        }
    }
    buffer_deinit(&bytes);
}

static void test_replog_keeps_synced_entries_over_a_power_loss(void **state)
{
    (void)state;
    struct fixture x;
    fixture_init(&x);
    fixture_open(&x);
    assert_int_equal(replog_last(x.log).position, 0);
    append_many(&x, 1, 30);
    append_many(&x, 4, 20);
    struct replog_mark last = replog_last(x.log);
    assert_int_equal(append(&x, 4), 0); /* never written */
    fixture_crash(&x, true);
    fixture_open(&x);
    assert_int_equal(replog_last(x.log).position, 50);
    assert_int_equal(replog_last(x.log).crc, last.crc);
    assert_int_equal(replog_last(x.log).epoch, 4);
    check_entries(&x, 1);
    const struct replog_run *runs;
    uint32_t count = replog_runs(x.log, &runs);
    assert_int_equal(count, 3);
    assert_true(runs[1].epoch == 1 && runs[1].last == 30);
    assert_true(runs[2].epoch == 4 && runs[2].last == 50);
    append_many(&x, 5, 10);
    check_entries(&x, 1);
    fixture_deinit(&x);
}

static void test_replog_reads_in_bounded_chunks_from_memory_and_from_files(void **state)
{
    (void)state;
    struct fixture x;
    fixture_init(&x);
    fixture_open(&x);
    append_many(&x, 1, 40);
    struct buffer bytes = {.allocator = &allocator_system};
    uint32_t count;
    for (uint64_t from = 1; from <= 40; from++) {
        assert_int_equal(replog_read(x.log, from, 100, &bytes, &count), 0);
        assert_true(count >= 1 && bytes.size <= 100);
    }
    assert_int_equal(replog_read(x.log, 40, 1, &bytes, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(replog_read(x.log, 41, 100, &bytes, &count), 0);
    assert_int_equal(count, 0);
    buffer_deinit(&bytes);
    fixture_deinit(&x);
}

static void test_replog_drops_pending_entries_alone(void **state)
{
    (void)state;
    struct fixture x;
    fixture_init(&x);
    fixture_open(&x);
    append_many(&x, 1, 5);
    struct replog_mark last = replog_last(x.log);
    assert_int_equal(append(&x, 2), 0);
    assert_int_equal(append(&x, 2), 0);
    replog_drop_pending(x.log);
    assert_int_equal(replog_last(x.log).position, 5);
    assert_int_equal(replog_last(x.log).crc, last.crc);
    assert_int_equal(replog_last(x.log).epoch, 1);
    append_many(&x, 3, 5);
    check_entries(&x, 1);
    fixture_crash(&x, true);
    fixture_open(&x);
    assert_int_equal(replog_last(x.log).position, 10);
    check_entries(&x, 1);
    fixture_deinit(&x);
}

/* Opens the newest segment's file. */
static struct vfs_file *newest_file(struct fixture *x, const char *name)
{
    char path[DURABLE_PATH_SIZE];
    struct vfs_file *file;
    assert_int_equal(durable_path(&x->env, name, path), 0);
    assert_int_equal(vfs_open(x->env.vfs, path, VFS_WRITE, &file), 0);
    return file;
}

static void test_replog_cuts_a_torn_tail_at_every_byte(void **state)
{
    (void)state;
    for (uint64_t size = 0;; size++) {
        struct fixture x;
        fixture_init(&x);
        x.config.segment_bytes = 1 << 20;
        fixture_open(&x);
        append_many(&x, 1, 4);
        fixture_crash(&x, false);
        struct vfs_file *file = newest_file(&x, "log-00000001-0000000000000001");
        uint64_t whole;
        assert_int_equal(vfs_size(file, &whole), 0);
        assert_int_equal(vfs_truncate(file, size), 0);
        vfs_close(file);
        fixture_open(&x);
        uint64_t per_entry = (whole - 32) / 4;
        uint64_t expected = size < 32 ? 0 : (size - 32) / per_entry;
        assert_int_equal(replog_last(x.log).position, expected);
        check_entries(&x, 1);
        append_many(&x, 2, 3);
        check_entries(&x, 1);
        fixture_deinit(&x);
        if (size == whole) break;
    }
}

static void test_replog_never_takes_a_flipped_byte_for_an_entry(void **state)
{
    (void)state;
    for (uint64_t offset = 0;; offset += 3) {
        struct fixture x;
        fixture_init(&x);
        x.config.segment_bytes = 1 << 20;
        fixture_open(&x);
        append_many(&x, 1, 4);
        fixture_crash(&x, false);
        struct vfs_file *file = newest_file(&x, "log-00000001-0000000000000001");
        uint64_t whole;
        unsigned char byte;
        assert_int_equal(vfs_size(file, &whole), 0);
        if (offset >= whole) {
            vfs_close(file);
            fixture_deinit(&x);
            break;
        }
        assert_int_equal(vfs_read(file, offset, &byte, 1, VFS_LOG), 1);
        byte ^= 0x40;
        assert_int_equal(vfs_write(file, offset, bytes_of(&byte, 1), VFS_LOG), 0);
        vfs_close(file);
        fixture_open(&x);
        uint64_t per_entry = (whole - 32) / 4;
        assert_int_equal(replog_last(x.log).position,
                         offset < 32 ? 0 : (offset - 32) / per_entry);
        check_entries(&x, 1);
        fixture_deinit(&x);
    }
}

static void test_replog_refuses_corruption_before_its_newest_segment(void **state)
{
    (void)state;
    struct fixture x;
    fixture_init(&x);
    fixture_open(&x);
    append_many(&x, 1, 40);
    fixture_crash(&x, false);
    struct vfs_file *file = newest_file(&x, "log-00000001-0000000000000001");
    assert_int_equal(vfs_write(file, 40, bytes_of("\xff", 1), VFS_LOG), 0);
    vfs_close(file);
    assert_int_equal(replog_open(&x.env, &x.config, &x.log), -EBADMSG);
    x.log = NULL;
    /* Without syncs a hole may stand anywhere: what is behind it is cut. */
    x.config.sync = false;
    fixture_open(&x);
    assert_int_equal(replog_last(x.log).position, 0);
    append_many(&x, 1, 3);
    fixture_deinit(&x);
}

static void test_replog_truncates_across_segments_and_stays_so(void **state)
{
    (void)state;
    for (uint64_t keep = 0; keep <= 40; keep++) {
        struct fixture x;
        fixture_init(&x);
        fixture_open(&x);
        append_many(&x, 1, 25);
        append_many(&x, 2, 15);
        assert_int_equal(replog_truncate(x.log, keep), 0);
        assert_int_equal(replog_last(x.log).position, keep);
        check_entries(&x, 1);
        fixture_crash(&x, true);
        fixture_open(&x);
        assert_int_equal(replog_last(x.log).position, keep);
        assert_int_equal(replog_last(x.log).epoch, keep == 0 ? 0 : keep <= 25 ? 1 : 2);
        append_many(&x, 3, 10);
        check_entries(&x, 1);
        fixture_deinit(&x);
    }
}

/* Cuts an action at its n-th disk operation for n = 1, 2, ... until it finishes untouched. */
static void cut_everywhere(int (*action)(struct fixture *x),
                           void (*judge)(struct fixture *x, bool finished))
{
    bool finished = false;
    for (uint64_t n = 1; !finished; n++) {
        for (int power = 0; power < 2; power++) {
            struct fixture x;
            fixture_init(&x);
            fixture_open(&x);
            append_many(&x, 1, 25);
            append_many(&x, 2, 15);
            disk_cut_after(x.disk, n);
            int err = action(&x);
            finished = err == 0 && !disk_cut_reached(x.disk);
            fixture_crash(&x, power);
            fixture_open(&x);
            judge(&x, finished);
            check_entries(&x, replog_base(x.log).position + 1);
            append_many(&x, 9, 5);
            check_entries(&x, replog_base(x.log).position + 1);
            fixture_deinit(&x);
        }
        assert_true(n < 200);
    }
}

static int act_append(struct fixture *x)
{
    for (int i = 0; i < 20; i++) {
        int err = append(x, 3);
        if (!err) err = replog_write(x->log);
        if (err) return err;
    }
    return 0;
}

static void judge_append(struct fixture *x, bool finished)
{
    uint64_t last = replog_last(x->log).position;
    assert_true(last >= 40 && last <= 60);
    if (finished) assert_int_equal(last, 60);
}

static int act_truncate(struct fixture *x)
{
    return replog_truncate(x->log, 7);
}

static void judge_truncate(struct fixture *x, bool finished)
{
    uint64_t last = replog_last(x->log).position;
    assert_true(last >= 7 && last <= 40);
    if (finished) assert_int_equal(last, 7);
}

static int act_reset(struct fixture *x)
{
    return replog_reset(x->log, (struct replog_mark){7, 2, 0x1234});
}

static void judge_reset(struct fixture *x, bool finished)
{
    uint64_t last = replog_last(x->log).position;
    if (last == 40) {
        assert_false(finished);
        return;
    }
    assert_int_equal(last, 7);
    assert_int_equal(replog_base(x->log).crc, 0x1234);
    assert_int_equal(replog_base(x->log).epoch, 2);
}

static int act_trim(struct fixture *x)
{
    return replog_trim(x->log, 30);
}

static void judge_trim(struct fixture *x, bool finished)
{
    assert_int_equal(replog_last(x->log).position, 40);
    if (finished) assert_true(replog_base(x->log).position <= 30);
}

static void test_replog_append_cut_anywhere_keeps_a_prefix(void **state)
{
    (void)state;
    cut_everywhere(act_append, judge_append);
}

static void test_replog_truncate_cut_anywhere_keeps_a_prefix(void **state)
{
    (void)state;
    cut_everywhere(act_truncate, judge_truncate);
}

static void test_replog_reset_cut_anywhere_is_old_or_new(void **state)
{
    (void)state;
    cut_everywhere(act_reset, judge_reset);
}

static void test_replog_trim_cut_anywhere_keeps_the_end(void **state)
{
    (void)state;
    cut_everywhere(act_trim, judge_trim);
}

static void test_replog_trims_whole_segments_down_to_its_retention(void **state)
{
    (void)state;
    struct fixture x;
    fixture_init(&x);
    x.config.retention_entries = 20;
    fixture_open(&x);
    append_many(&x, 1, 30);
    append_many(&x, 2, 70);
    assert_false(replog_may_trim(x.log, 3));
    assert_true(replog_may_trim(x.log, 100));
    assert_int_equal(replog_trim(x.log, 50), 0);
    assert_in_range(replog_base(x.log).position, 40, 50);
    assert_int_equal(replog_trim(x.log, 100), 0);
    assert_in_range(replog_base(x.log).position, 65, 80);
    struct buffer bytes = {.allocator = &allocator_system};
    uint32_t count;
    assert_int_equal(replog_read(x.log, 5, 100, &bytes, &count), -ENOENT);
    buffer_deinit(&bytes);
    struct replog_mark mark, base = replog_base(x.log);
    assert_int_equal(replog_mark_at(x.log, 5, &mark), -ENOENT);
    fixture_crash(&x, true);
    fixture_open(&x);
    assert_int_equal(replog_base(x.log).crc, base.crc);
    assert_int_equal(replog_base(x.log).epoch, 2);
    check_entries(&x, base.position + 1);
    const struct replog_run *runs;
    assert_int_equal(replog_runs(x.log, &runs), 1);
    fixture_deinit(&x);
}

static void test_replog_finds_the_common_prefix_by_epochs(void **state)
{
    (void)state;
    struct fixture x;
    fixture_init(&x);
    fixture_open(&x);
    append_many(&x, 1, 10);
    append_many(&x, 3, 10);
    struct replog_run shorter[] = {{0, 0}, {1, 7}};
    struct replog_run ahead[] = {{0, 0}, {1, 15}};
    struct replog_run other[] = {{0, 0}, {1, 10}, {2, 30}};
    struct replog_run longer[] = {{0, 0}, {1, 10}, {3, 25}};
    struct replog_run foreign[] = {{7, 5}};
    assert_int_equal(replog_common(x.log, shorter, 2), 7);
    assert_int_equal(replog_common(x.log, ahead, 2), 10);
    assert_int_equal(replog_common(x.log, other, 3), 10);
    assert_int_equal(replog_common(x.log, longer, 3), 20);
    assert_int_equal(replog_common(x.log, foreign, 1), 0);
    assert_int_equal(replog_common(x.log, NULL, 0), 0);
    fixture_deinit(&x);
}

static void test_replog_crc_tells_histories_apart(void **state)
{
    (void)state;
    struct fixture a, b;
    fixture_init(&a);
    fixture_init(&b);
    fixture_open(&a);
    fixture_open(&b);
    append_many(&a, 1, 5);
    append_many(&b, 1, 5);
    assert_int_equal(replog_last(a.log).crc, replog_last(b.log).crc);
    append_many(&a, 2, 1);
    append_many(&b, 3, 1);
    append_many(&a, 4, 5);
    append_many(&b, 4, 5);
    assert_int_not_equal(replog_last(a.log).crc, replog_last(b.log).crc);
    fixture_deinit(&a);
    fixture_deinit(&b);
}

static void test_durable_records_cut_anywhere_are_old_or_new(void **state)
{
    (void)state;
    bool finished = false;
    for (uint64_t n = 1; !finished; n++) {
        for (int power = 0; power < 2; power++) {
            struct fixture x;
            fixture_init(&x);
            struct durable_role role = {.epoch = 1, .leader = 2}, loaded;
            assert_int_equal(durable_load_role(&x.env, &loaded), -ENOENT);
            assert_int_equal(durable_save_role(&x.env, &role), 0);
            role.epoch = 9;
            disk_cut_after(x.disk, n);
            int err = durable_save_role(&x.env, &role);
            finished = !err && !disk_cut_reached(x.disk);
            fixture_crash(&x, power);
            assert_int_equal(durable_load_role(&x.env, &loaded), 0);
            assert_true(loaded.epoch == 1 || loaded.epoch == 9);
            if (finished) assert_int_equal(loaded.epoch, 9);
            fixture_deinit(&x);
        }
        assert_true(n < 50);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replog_keeps_synced_entries_over_a_power_loss),
        cmocka_unit_test(test_replog_reads_in_bounded_chunks_from_memory_and_from_files),
        cmocka_unit_test(test_replog_drops_pending_entries_alone),
        cmocka_unit_test(test_replog_cuts_a_torn_tail_at_every_byte),
        cmocka_unit_test(test_replog_never_takes_a_flipped_byte_for_an_entry),
        cmocka_unit_test(test_replog_refuses_corruption_before_its_newest_segment),
        cmocka_unit_test(test_replog_truncates_across_segments_and_stays_so),
        cmocka_unit_test(test_replog_append_cut_anywhere_keeps_a_prefix),
        cmocka_unit_test(test_replog_truncate_cut_anywhere_keeps_a_prefix),
        cmocka_unit_test(test_replog_reset_cut_anywhere_is_old_or_new),
        cmocka_unit_test(test_replog_trim_cut_anywhere_keeps_the_end),
        cmocka_unit_test(test_replog_trims_whole_segments_down_to_its_retention),
        cmocka_unit_test(test_replog_finds_the_common_prefix_by_epochs),
        cmocka_unit_test(test_replog_crc_tells_histories_apart),
        cmocka_unit_test(test_durable_records_cut_anywhere_are_old_or_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
