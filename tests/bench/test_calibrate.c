/* Goal: calibration finds the numbers that are there, says them in YAML that scenarios take,
 * and leaves nothing behind, whatever fails. Method: the device is the simulated disk, whose
 * parameters are known and whose clock is its cursor; what is printed is loaded again and
 * compared; every vfs call in turn is made to fail; the command itself is run on a scratch
 * folder.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/bench/calibrate.h"
#include "sim/scenario/plan.h"

static struct dist constant(int64_t ns)
{
    return (struct dist){.kind = DIST_CONSTANT, .a = ns};
}

static struct disk_config known_disk(void)
{
    return (struct disk_config){
        .read_latency = constant(70 * NS_PER_US),
        .write_latency = constant(40 * NS_PER_US),
        .sync_latency = constant(90 * NS_PER_US),
        .sync_metadata = constant(25 * NS_PER_US),
        .read_bytes_per_s = 1500 * INT64_C(1000000),
        .write_bytes_per_s = 900 * INT64_C(1000000),
        .queue_depth = 4,
        .cache_bytes = INT64_C(1) << 30,
        .cache_hit_ns = 400,
        .cache_write_ns = 700,
        .copy_read_bytes_per_s = 8000 * INT64_C(1000000),
        .copy_write_bytes_per_s = 5000 * INT64_C(1000000),
        .new_page_ns = 900,
        .name_ns = 6000,
        .grow_bytes_per_s = 2000 * INT64_C(1000000),
        .free_bytes_per_s = 4000 * INT64_C(1000000),
        .power_mode = DISK_SUBSET,
    };
}

static const struct calibrate_request small_request = {.budget_ns = 2 * NS_PER_S,
                                                       .file_bytes = 8 << 20,
                                                       .cache_bytes = 64 << 20,
                                                       .rounds = 2,
                                                       .samples_most = 300};

static struct calibrate_result *measure(const struct disk_config *config, uint64_t seed)
{
    struct disk *disk = disk_create(config, seed, "fake", NULL);
    struct calibrate_result *result = NULL;
    char error[256] = "";
    disk_begin(disk, 0);
    struct calibrate_device device = calibrate_simulated(disk);
    int status = calibrate_run(&device, &small_request, &result, error, sizeof error);
    if (status) print_error("%s\n", error);
    assert_int_equal(status, 0);
    assert_int_equal(disk_used_bytes(disk), 0);
    disk_end(disk);
    disk_destroy(disk);
    return result;
}

/* Within so many percent. */
static void assert_near(const char *what, int64_t found, int64_t true_value, int64_t percent)
{
    int64_t off = found > true_value ? found - true_value : true_value - found;
    if (off * 100 > true_value * percent)
        print_error("%s: found %lld, is %lld\n", what, (long long)found, (long long)true_value);
    assert_true(off * 100 <= true_value * percent);
}

/* The value of a table at a share. */
static int64_t at_share(const struct dist *dist, uint32_t ppm)
{
    assert_int_equal(dist->kind, DIST_EMPIRICAL);
    for (uint32_t i = 0; i < dist->points_count; i++)
        if (dist->points[i].ppm == ppm) return dist->points[i].value;
    fail();
    return 0;
}

/* ---- the numbers ---- */

static void test_every_constant_of_a_known_disk_is_recovered(void **state)
{
    (void)state;
    struct disk_config is = known_disk();
    struct calibrate_result *result = measure(&is, 1);
    struct disk_config *found = &result->config;
    assert_near("cache_hit", found->cache_hit_ns, is.cache_hit_ns, 1);
    assert_near("cache_write", found->cache_write_ns, is.cache_write_ns, 3);
    assert_near("new_page", found->new_page_ns, is.new_page_ns, 5);
    assert_near("copy_read", found->copy_read_bytes_per_s, is.copy_read_bytes_per_s, 1);
    assert_near("copy_write", found->copy_write_bytes_per_s, is.copy_write_bytes_per_s, 3);
    assert_near("read_bandwidth", found->read_bytes_per_s, is.read_bytes_per_s, 2);
    assert_near("write_bandwidth", found->write_bytes_per_s, is.write_bytes_per_s, 2);
    assert_near("write_latency", found->write_latency.a, is.write_latency.a, 2);
    assert_near("sync_metadata", found->sync_metadata.a, is.sync_metadata.a, 2);
    assert_near("name_change", found->name_ns, is.name_ns, 2);
    assert_near("grow_rate", found->grow_bytes_per_s, is.grow_bytes_per_s, 2);
    assert_near("free_rate", found->free_bytes_per_s, is.free_bytes_per_s, 2);
    assert_near("read p50", at_share(&found->read_latency, 500000), is.read_latency.a, 2);
    assert_near("read most", at_share(&found->read_latency, 1000000), is.read_latency.a, 2);
    assert_near("sync p50", at_share(&found->sync_latency, 500000), is.sync_latency.a, 2);
    assert_int_equal(found->queue_depth, is.queue_depth);
    assert_int_equal(found->cache_bytes, small_request.cache_bytes);
    for (uint32_t m = 0; m < CALIBRATE_MEASURES; m++) assert_true(result->rows[m].samples >= 4);
    calibrate_destroy(result);
}

/* A disk whose latencies spread: the tables spread alike, the tail is kept. */
static void test_distributions_are_recovered_with_their_tails(void **state)
{
    (void)state;
    static const struct dist flushes[] = {
        {.kind = DIST_LOGNORMAL, .a = 100000, .shape_milli = 300},
        {.kind = DIST_CONSTANT, .a = 20000000}};
    static const uint32_t often[] = {970000, 30000};
    struct disk_config is = known_disk();
    is.read_latency =
        (struct dist){.kind = DIST_LOGNORMAL, .a = 80000, .b = 5000, .shape_milli = 400};
    is.sync_latency = (struct dist){
        .kind = DIST_MIXTURE, .parts = flushes, .weights_ppm = often, .parts_count = 2};
    struct calibrate_result *result = measure(&is, 3);
    const struct disk_config *found = &result->config;
    assert_near("read p50", at_share(&found->read_latency, 500000), 85000, 8);
    assert_near("read p90", at_share(&found->read_latency, 900000), 138600, 12);
    assert_near("sync p50", at_share(&found->sync_latency, 500000), 101000, 12);
    assert_near("sync p99", at_share(&found->sync_latency, 990000), 20000000, 2);
    /* Overwritten pages and flush together are what was measured, however they were parted. */
    const struct calibrate_row *row = &result->rows[CALIBRATE_SYNC_OVERWRITE];
    int64_t sum = found->write_latency.a + at_share(&found->sync_latency, 500000) +
                  4096 * NS_PER_S / found->write_bytes_per_s;
    assert_near("overwrite", sum, row->p50, 1);
    calibrate_destroy(result);
}

/* The circle closes: a disk made of what was found answers as the disk that was measured. */
static void test_a_calibrated_disk_answers_like_the_one_measured(void **state)
{
    (void)state;
    struct disk_config is = disk_preset_find("nvme_dc")->config;
    struct calibrate_result *first = measure(&is, 5), *second = measure(&first->config, 6);
    for (uint32_t m = 0; m < CALIBRATE_MEASURES; m++)
        assert_near(first->rows[m].name, second->rows[m].p50, first->rows[m].p50, 12);
    calibrate_destroy(first);
    calibrate_destroy(second);
}

/* ---- YAML ---- */

static char *written(const struct disk_config *config)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    disk_file_write(out, config);
    fclose(out);
    return text;
}

static void assert_same_disk(const struct disk_config *a, const struct disk_config *b)
{
    char *left = written(a), *right = written(b);
    assert_string_equal(left, right);
    free(left);
    free(right);
    assert_int_equal(a->read_bytes_per_s, b->read_bytes_per_s);
    assert_int_equal(a->new_page_ns, b->new_page_ns);
    assert_int_equal(a->queue_depth, b->queue_depth);
    assert_int_equal(a->cache_bytes, b->cache_bytes);
    assert_int_equal(a->sync_latency.kind, b->sync_latency.kind);
    assert_int_equal(a->sync_latency.points_count, b->sync_latency.points_count);
    for (uint32_t i = 0; i < a->sync_latency.points_count; i++) {
        assert_int_equal(a->sync_latency.points[i].ppm, b->sync_latency.points[i].ppm);
        assert_int_equal(a->sync_latency.points[i].value, b->sync_latency.points[i].value);
    }
}

static void test_the_printed_preset_loads_as_the_same_numbers(void **state)
{
    (void)state;
    struct disk_config is = known_disk();
    struct calibrate_result *result = measure(&is, 1);
    char *text = written(&result->config);
    struct arena *arena = arena_create();
    struct disk_config loaded;
    struct scenario_errors errors = {0};
    bool good = disk_file_load_text("d.yaml", text, strlen(text), arena, &loaded, &errors);
    for (size_t i = 0; i < errors.count; i++) print_error("%s\n", errors.items[i]);
    assert_true(good);
    assert_same_disk(&loaded, &result->config);
    arena_destroy(arena);
    free(text);
    calibrate_destroy(result);
}

static void test_every_preset_prints_and_loads_as_itself(void **state)
{
    (void)state;
    for (const struct disk_preset *p = disk_presets; p->name; p++) {
        char *text = written(&p->config);
        struct arena *arena = arena_create();
        struct disk_config loaded;
        struct scenario_errors errors = {0};
        assert_true(disk_file_load_text("d.yaml", text, strlen(text), arena, &loaded, &errors));
        char *again = written(&loaded);
        assert_string_equal(text, again);
        free(again);
        free(text);
        arena_destroy(arena);
    }
}

static void test_the_printed_preset_stands_in_a_scenario_as_it_is(void **state)
{
    (void)state;
    struct disk_config is = known_disk();
    struct calibrate_result *result = measure(&is, 1);
    char *text = written(&result->config), *whole = NULL;
    assert_true(asprintf(&whole,
                         "name: calibrated\nduration: 1s\ncluster:\n  regions: [{name: dc1, "
                         "nodes: [a]}]\n%sengine: {name: hash}\nreplication: {scheme: none}\n",
                         text) > 0);
    struct scenario_errors errors = {0};
    struct scenario *scenario = scenario_load_text("s.yaml", whole, strlen(whole), &errors);
    for (size_t i = 0; i < errors.count; i++) print_error("%s\n", errors.items[i]);
    assert_non_null(scenario);
    struct plan *plan = plan_create(scenario, &(struct plan_request){0}, &errors);
    assert_non_null(plan);
    assert_same_disk(&plan->world.nodes[0].disk, &result->config);
    plan_destroy(plan);
    scenario_destroy(scenario);
    free(whole);
    free(text);
    calibrate_destroy(result);
}

static void test_a_bad_disk_file_is_refused_by_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } files[] = {
        {"disk: {queue_depht: 3}\n", "d.yaml:1:8: disk: unknown key 'queue_depht' (did "
                                     "you mean 'queue_depth'?)"},
        {"disk:\n  cache_hit: 5\n", "d.yaml:2:14: disk.cache_hit"},
        {"disk: tape\n", "unknown disk preset 'tape'"},
        {"- 1\n", "a disk file is a mapping"},
        {"# only this\n", "d.yaml:1:1: the file is empty: a disk file is a mapping"},
        {"name: x\n", "unknown key 'name'"},
        {"{}\n", "needs 'disk'"},
        {"disk: {sync_latency: {empirical: [[50%, 1ms]]}}\n", "the last share must be 100%"}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct arena *arena = arena_create();
        struct disk_config config = {.queue_depth = 77};
        struct scenario_errors errors = {0};
        assert_false(disk_file_load_text("d.yaml", files[i].text, strlen(files[i].text), arena,
                                         &config, &errors));
        assert_int_equal(config.queue_depth, 77);
        assert_true(errors.count >= 1);
        bool found = false;
        for (size_t e = 0; e < errors.count; e++)
            found |= !!strstr(errors.items[e], files[i].says);
        if (!found) print_error("%s: %s\n", files[i].text, errors.items[0]);
        assert_true(found);
        scenario_errors_deinit(&errors);
        arena_destroy(arena);
    }
}

/* ---- trouble ---- */

static void test_a_full_disk_is_said_and_left_as_it_was(void **state)
{
    (void)state;
    struct disk_config config = known_disk();
    config.capacity_bytes = 5 << 20;
    struct disk *disk = disk_create(&config, 1, "fake", NULL);
    struct calibrate_result *result = NULL;
    char error[256] = "";
    disk_begin(disk, 0);
    struct calibrate_device device = calibrate_simulated(disk);
    assert_int_equal(calibrate_run(&device, &small_request, &result, error, sizeof error),
                     -ENOSPC);
    assert_string_equal(error, "write: the disk is full");
    assert_null(result);
    assert_int_equal(disk_used_bytes(disk), 0);
    disk_end(disk);
    disk_destroy(disk);
}

static void test_each_failing_call_ends_the_measurement_and_leaves_nothing(void **state)
{
    (void)state;
    struct disk_config config = known_disk();
    uint64_t failed = 0;
    for (uint64_t n = 1;; n += n / 2 + 1) {
        struct disk *disk = disk_create(&config, 1, "fake", NULL);
        struct calibrate_result *result = NULL;
        struct calibrate_request request = small_request;
        request.samples_most = 2;
        request.rounds = 1;
        char error[256] = "";
        disk_begin(disk, 0);
        disk_fail_nth(disk, n, -EIO);
        struct calibrate_device device = calibrate_simulated(disk);
        int status = calibrate_run(&device, &request, &result, error, sizeof error);
        bool untouched = disk_operations(disk) < n;
        if (status) {
            assert_int_equal(status, -EIO);
            assert_non_null(strstr(error, "Input/output error"));
            assert_null(result);
            assert_int_equal(disk_used_bytes(disk), 0);
            failed++;
        }
        calibrate_destroy(result);
        disk_end(disk);
        disk_destroy(disk);
        if (untouched) break;
    }
    assert_true(failed > 15);
}

static uint32_t turns_left;
static bool soon(void *context)
{
    (void)context;
    return turns_left-- == 0;
}

static void test_a_stopped_measurement_leaves_nothing(void **state)
{
    (void)state;
    struct disk_config config = known_disk();
    struct disk *disk = disk_create(&config, 1, "fake", NULL);
    struct calibrate_result *result = NULL;
    char error[256] = "";
    disk_begin(disk, 0);
    struct calibrate_device device = calibrate_simulated(disk);
    device.is_stopped = soon;
    turns_left = 50;
    assert_int_equal(calibrate_run(&device, &small_request, &result, error, sizeof error),
                     -EINTR);
    assert_int_equal(disk_used_bytes(disk), 0);
    disk_end(disk);
    disk_destroy(disk);
}

/* ---- the command ---- */

static char scratch[] = "/tmp/faultline-calibrate-test-XXXXXX";
static char output[1 << 16];

static int faultline(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int faultline(const char *format, ...)
{
    char arguments[2048], command[4096];
    const char *program = getenv("FAULTLINE");
    va_list list;
    va_start(list, format);
    vsnprintf(arguments, sizeof arguments, format, list);
    va_end(list);
    snprintf(command, sizeof command, "%s calibrate %s 2>&1",
             program ? program : "build/release/faultline", arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t size = fread(output, 1, sizeof output - 1, pipe);
    output[size] = 0;
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_the_command_measures_prints_and_cleans_up(void **state)
{
    (void)state;
    char command[512], path[256];
    snprintf(path, sizeof path, "%s/made.yaml", scratch);
    snprintf(command, sizeof command, "mkdir %s/disk", scratch);
    assert_int_equal(system(command), 0);
    assert_int_equal(faultline("%s/disk --for 200ms -o %s", scratch, path), 0);
    assert_non_null(strstr(output, "sync of an appended page"));
    struct arena *arena = arena_create();
    struct disk_config config;
    struct scenario_errors errors = {0};
    assert_true(disk_file_load(path, arena, &config, &errors));
    assert_true(config.cache_bytes > 0);
    assert_true(dist_mean(&config.sync_latency) > 0);
    assert_true(dist_mean(&config.read_latency) > 0);
    arena_destroy(arena);
    /* Without -o the preset, with its table as comments, is the output. */
    assert_int_equal(faultline("%s/disk --for 200ms", scratch), 0);
    arena = arena_create();
    assert_true(disk_file_load_text("out", output, strlen(output), arena, &config, &errors));
    arena_destroy(arena);
    snprintf(command, sizeof command, "rmdir %s/disk", scratch); /* it is empty */
    assert_int_equal(system(command), 0);
}

static void test_the_command_refuses_what_it_cannot_measure(void **state)
{
    (void)state;
    char command[512];
    assert_int_equal(faultline("%s/nowhere", scratch), 2);
    assert_non_null(strstr(output, "nowhere: No such file or directory"));
    snprintf(command, sizeof command, "echo x >%s/file", scratch);
    assert_int_equal(system(command), 0);
    assert_int_equal(faultline("%s/file", scratch), 2);
    assert_non_null(strstr(output, "file: not a directory"));
    assert_int_equal(faultline("/proc --for 200ms"), 2); /* nobody writes there, root neither */
    assert_int_equal(faultline("%s -o %s/no/such/file.yaml", scratch, scratch), 2);
    assert_non_null(strstr(output, "file.yaml: No such file or directory"));
    assert_int_equal(faultline("%s --for 5", scratch), 2);
    assert_non_null(strstr(output, "no time from 100ms to 600s"));
    assert_int_equal(faultline("%s --qick", scratch), 2);
    assert_non_null(strstr(output, "did you mean '--quick'?"));
    assert_int_equal(faultline("%s", ""), 2);
    assert_int_equal(faultline("--help"), 0);
    assert_non_null(strstr(output, "Example:"));
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(scratch) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", scratch);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_constant_of_a_known_disk_is_recovered),
        cmocka_unit_test(test_distributions_are_recovered_with_their_tails),
        cmocka_unit_test(test_a_calibrated_disk_answers_like_the_one_measured),
        cmocka_unit_test(test_the_printed_preset_loads_as_the_same_numbers),
        cmocka_unit_test(test_every_preset_prints_and_loads_as_itself),
        cmocka_unit_test(test_the_printed_preset_stands_in_a_scenario_as_it_is),
        cmocka_unit_test(test_a_bad_disk_file_is_refused_by_line),
        cmocka_unit_test(test_a_full_disk_is_said_and_left_as_it_was),
        cmocka_unit_test(test_each_failing_call_ends_the_measurement_and_leaves_nothing),
        cmocka_unit_test(test_a_stopped_measurement_leaves_nothing),
        cmocka_unit_test(test_the_command_measures_prints_and_cleans_up),
        cmocka_unit_test(test_the_command_refuses_what_it_cannot_measure),
    };
    return cmocka_run_group_tests_name("calibrate", tests, set_up, tear_down);
}
