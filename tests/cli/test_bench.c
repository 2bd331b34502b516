/* Goal: `faultline bench engines` takes what its help says and nothing else, prints rows with
 * the promised names, and leaves no files. Method: runs the built program (FAULTLINE, default
 * build/release/faultline) in a scratch folder and looks at status and output. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char scratch[] = "/tmp/faultline-cli-bench-XX"
                        "XXXX";
static char output[1 << 20];

static int bench(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int bench(const char *format, ...)
{
    char arguments[2048], command[4096];
    const char *program = getenv("FAULTLINE");
    va_list list;
    va_start(list, format);
    vsnprintf(arguments, sizeof arguments, format, list);
    va_end(list);
    snprintf(command, sizeof command, "%s bench %s 2>&1",
             program ? program : "build/release/faultline", arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t size = fread(output, 1, sizeof output - 1, pipe);
    output[size] = 0;
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

#define SAYS(text)                                                                             \
    do {                                                                                       \
        if (!strstr(output, text)) fail_msg("'%s' is not in: %s", text, output);               \
    } while (0)

static int setup(void **state)
{
    (void)state;
    return mkdtemp(scratch) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char command[256];
    snprintf(command, sizeof command, "rm -rf %s", scratch);
    return system(command);
}

static void refused(const char *arguments, const char *why)
{
    int status = bench("%s", arguments);
    if (status != 2) fail_msg("'%s' exits with %d: %s", arguments, status, output);
    SAYS(why);
}

static void test_bad_usage_is_refused_with_the_nearest_word(void **state)
{
    (void)state;
    refused("engine", "did you mean 'engines'");
    refused("engines", "give one of --real DIR, --sim PRESET");
    refused("engines --sim hdd --real /tmp", "give one of --real DIR, --sim PRESET");
    refused("engines --sim ssd_plb", "did you mean 'ssd_plp'");
    refused("engines --sim hdd --engines hahs", "did you mean 'hash'");
    refused("engines --sim hdd --engines hash,hash", "named twice");
    refused("engines --sim hdd --engines ''", "unknown engine ''");
    refused("engines --sim hdd --workloads fillrandm", "did you mean 'fillrandom'");
    refused("engines --sim hdd --workload fillrandm", "did you mean 'fillrandom'");
    refused("engines --sim hdd --keyz 3", "did you mean '--keys'");
    refused("engines --sim hdd --cpu measure", "did you mean 'measured'");
    refused("engines --real /tmp --cpu measured", "--cpu goes with --sim");
    refused("engines --fidelity /tmp --cpu none", "--cpu goes with --sim");
    refused("engines --real /tmp --seed 3", "--seed goes with a simulated disk");
    refused("engines --real /tmp --disk zork", "--disk goes with --fidelity");
    refused("engines --sim hdd --workloads fillseq,fillseq", "'fillseq' is named twice");
    refused("engines --sim hdd --workloads all,ycsb_a", "'ycsb_a' is named twice");
    refused("engines --sim hdd --keys 100,1e2", "1e2 is named twice");
    refused("engines --sim hdd --keys 1e-3", "'1e-3' is not a decimal number from 1");
    refused("engines --sim hdd --set hash.segment_siz=1MiB", "did you mean 'segment_size'");
    refused("engines --sim hdd --set hash.segment_size=1", "needs a unit");
    refused("engines --sim hdd --set hash.segment_size=1B",
            "--set hash.segment_size: '1B' is out of range: 512B to 1GiB");
    refused("engines --sim hdd --set hash.verify=maybe", "'maybe': one of no, yes");
    refused("engines --sim hdd --set lsm.compaction=tierd", "did you mean 'tiered'");
    refused("engines --sim hdd --set lsm.compaction=x", "one of leveled, tiered, full");
    refused("engines --sim hdd --set btree.page_size=1000B",
            "--set btree.page_size: '1000B' is not a power of two (the nearest is 1KiB)");
    refused("engines --sim hdd --set log.zork=1", "'zork': one of block_size, index");
    refused("engines --sim hdd --set zork.index=1", "'zork': one of log, hash, lsm, btree");
    refused("engines --sim hdd --engines zork", "'zork': one of log, hash, lsm, btree");
    refused("engines --sim hdd --workloads zork", "one of all, ycsb, fillsync");
    refused("engines --sim zork", "one of nvme_dc, ssd_plp");
    refused("engines --sim hdd --cpu zork", "one of none, measured");
    refused("engines --sim hdd --set hash", "ENGINE.OPTION=VALUE");
    refused("engines --sim hdd --set hsah.verify=no", "did you mean 'hash'");
    refused("engines --sim hdd --engines log --set hash.verify=no", "is not measured");
    refused("engines --sim hdd extra", "takes no 'extra'");
    refused("engines --real /proc/no/such", "No such file");
    refused("engines --real /dev/null", "Not a directory");
    refused("engines --sim hdd --out /proc/no/such", "No such file");
    refused("engines --sim hdd --out /dev/null", "--out /dev/null: Not a directory");
    char arguments[512], path[128];
    snprintf(path, sizeof path, "%s/new", scratch);
    snprintf(arguments, sizeof arguments, "engines --real %s --out %s-out", path, path);
    refused(arguments, "new: No such file"); /* and neither folder is made */
    assert_int_equal(access(path, F_OK), -1);
    snprintf(path, sizeof path, "%s/new-out", scratch);
    assert_int_equal(access(path, F_OK), -1);
}

static void test_numbers_are_strict(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "--keys 0",        "--keys -1",    "--keys 00",          "--keys 1e",
        "--keys e3",       "--keys 1.5e3", "--keys 10x",         "--keys 0x10",
        "--keys 1,,2",     "--keys 1,",    "--keys ''",          "--value-size 0",
        "--value-size 1k", "--repeat 0",   "--value-size 65537", "--repeat 100",
        "--batch 0",       "--seconds 0",  "--seconds 1s",       "--seed x",
        "--keys '1 2'",    "--keys 1e3e3",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char arguments[128];
        snprintf(arguments, sizeof arguments, "engines --sim hdd %s", bad[i]);
        refused(arguments, "is not a decimal number");
    }
    refused("engines --sim hdd --keys 2e9", "is more than");
    refused("engines --sim hdd --keys 1e10", "is more than");
    refused("engines --sim hdd --keys 1e99999999999999999999", "is more than");
    refused("engines --sim hdd --keys 99999999999999999999", "is more than");
}

/* ---- rows ---- */

static json_t *next_row(char **rest)
{
    char *line = strtok_r(NULL, "\n", rest);
    return line ? json_loads(line, 0, NULL) : NULL;
}

static void test_json_has_the_promised_names(void **state)
{
    (void)state;
    assert_int_equal(bench("engines --real %s --engines hash --keys 1e3 --workloads "
                           "fillsync,fillrandom,readrandom,reopen,recover --json",
                           scratch),
                     0);
    static const char *const names[] = {"engine",         "workload",
                                        "keys",           "value_size",
                                        "operations",     "seconds",
                                        "cpu_seconds",    "write_amplification",
                                        "resident_bytes", "read_amplification",
                                        "p50_ns",         "p99_ns",
                                        "p999_ns",        "space_amplification",
                                        "memory_bytes",   "planned",
                                        "rate",           "cpu_rate",
                                        "syncs_per_put",  "extra_bytes_per_put",
                                        "disk_bytes",     "live_bytes",
                                        "write_stalls",   "checksum",
                                        "syncs",          "written",
                                        "properties",     "device_write_bytes"};
    static const char *const workloads[] = {"fillsync", "fillrandom", "readrandom", "reopen",
                                            "recover"};
    char *rest = output;
    for (size_t w = 0; w < 5; w++) {
        json_t *row = next_row(&rest);
        assert_non_null(row);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (!json_object_get(row, names[i])) fail_msg("no member %s", names[i]);
        assert_string_equal(json_string_value(json_object_get(row, "engine")), "hash");
        assert_string_equal(json_string_value(json_object_get(row, "workload")), workloads[w]);
        assert_int_equal(json_integer_value(json_object_get(row, "keys")), 1000);
        assert_true(json_real_value(json_object_get(row, "seconds")) > 0);
        assert_true(json_real_value(json_object_get(row, "cpu_seconds")) > 0);
        assert_true(json_is_null(json_object_get(row, "write_amplification")) == (w >= 2));
        json_decref(row);
    }
    assert_null(next_row(&rest));
    char command[256]; /* and nothing stays behind */
    snprintf(command, sizeof command, "test -z \"$(ls -A %s)\"", scratch);
    assert_int_equal(system(command), 0);
}

/* What a run prints, less the member `host` of each line. */
static char *without_host(void)
{
    char *copy = strdup(output), *at;
    while ((at = strstr(copy, ",\"host\":{"))) {
        char *end = strchr(at, '}');
        assert_non_null(end);
        memmove(at, end + 1, strlen(end + 1) + 1);
    }
    return copy;
}

static void test_simulated_rows_are_the_same_bytes_outside_host(void **state)
{
    (void)state;
    const char *arguments = "engines --sim ssd_consumer --keys 100,200 --workloads "
                            "fillsync,fillrandom,readrandom,reopen,ycsb_a --json --seed 7";
    assert_int_equal(bench("%s", arguments), 0);
    char *one = without_host();
    assert_int_equal(bench("%s", arguments), 0);
    char *two = without_host();
    assert_string_equal(one, two);
    assert_int_equal(bench("%s --seed 8", arguments), 0);
    char *three = without_host();
    assert_string_not_equal(one, three);
    free(one);
    free(two);
    free(three);
}

static void test_rounds_are_told_with_the_best_and_the_worst(void **state)
{
    (void)state;
    assert_int_equal(bench("engines --real %s --engines log --keys 100 --workloads fillseq "
                           "--repeat 3 --json",
                           scratch),
                     0);
    json_t *row = json_loads(output, 0, NULL);
    assert_non_null(row);
    assert_int_equal(json_integer_value(json_object_get(row, "rounds")), 3);
    double best = json_real_value(json_object_get(row, "rate_best")),
           middle = json_real_value(json_object_get(row, "cpu_rate")),
           worst = json_real_value(json_object_get(row, "rate_worst"));
    assert_true(best >= middle && middle >= worst && worst > 0);
    json_decref(row);
}

static void test_options_reach_their_engine(void **state)
{
    (void)state;
    const char *arguments = "engines --sim nvme_dc --engines hash --keys 1e3 --workloads "
                            "fillseq --json";
    assert_int_equal(bench("%s", arguments), 0);
    json_t *few = json_loads(output, JSON_DISABLE_EOF_CHECK, NULL);
    assert_int_equal(
        bench("%s --set hash.segment_size=8KiB --set hash.merge_threshold=100%%", arguments),
        0);
    json_t *many = json_loads(output, JSON_DISABLE_EOF_CHECK, NULL);
    assert_true(json_integer_value(json_object_get(many, "files")) >
                json_integer_value(json_object_get(few, "files")) + 5);
    json_decref(few);
    json_decref(many);
}

static void test_tables_fit_a_screen_and_name_what_they_show(void **state)
{
    (void)state;
    assert_int_equal(bench("engines --sim nvme_dc --keys 100 --seconds 1"), 0);
    size_t lines = 0;
    for (const char *p = output; *p; p++) lines += *p == '\n';
    assert_in_range(lines, 20, 45);
    SAYS("operations / s");
    SAYS("fillsync p50");
    SAYS("ycsb_f");
    assert_int_equal(bench("engines --sim nvme_dc --keys 100,1e3 --workloads "
                           "fillseq,readrandom"),
                     0);
    SAYS("time / operation");
    SAYS("readrandom       1.00k");
    assert_int_equal(bench("engines --sim nvme_dc --engines hash,log --keys 100 --workloads "
                           "fillseq,readrandom"),
                     0);
    SAYS("best: of the fastest engine");
}

static void test_out_writes_rows_latencies_and_how_it_was_run(void **state)
{
    (void)state;
    assert_int_equal(bench("engines --sim nvme_dc --engines log --keys 100 --workloads "
                           "fillsync,readrandom --set 'log.block_size=8KiB' --out %s/out",
                           scratch),
                     0);
    char path[256], line[256];
    json_error_t error;
    snprintf(path, sizeof path, "%s/out/bench.json", scratch);
    json_t *about = json_load_file(path, 0, &error);
    assert_non_null(about);
    assert_string_equal(json_string_value(json_object_get(about, "kind")), "bench");
    assert_string_equal(json_string_value(json_object_get(about, "disk")), "nvme_dc");
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(about, "settings"), 0)),
        "log.block_size=8KiB");
    json_decref(about);
    snprintf(path, sizeof path, "%s/out/bench.jsonl", scratch);
    json_t *row = json_load_file(path, JSON_DISABLE_EOF_CHECK, &error);
    assert_non_null(row);
    assert_string_equal(json_string_value(json_object_get(row, "workload")), "fillsync");
    json_decref(row);
    snprintf(path, sizeof path, "%s/out/bench-latency.csv", scratch);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    assert_string_equal(line, "engine,workload,keys,low_ns,high_ns,count\n");
    unsigned long long keys, low, high, count, total = 0;
    char workload[32];
    while (fgets(line, sizeof line, file)) {
        assert_int_equal(sscanf(line, "log,%31[a-z],%llu,%llu,%llu,%llu", workload, &keys, &low,
                                &high, &count),
                         5);
        assert_true(low < high && keys == 100);
        total += count;
    }
    assert_int_equal(total, 200); /* both workloads time each operation in virtual time */
    fclose(file);
}

/* Files may not pass 64 KiB, which one file for all needs and small segments do not. */
static void test_an_engine_that_fails_does_not_take_the_others_with_it(void **state)
{
    (void)state;
    char command[1024];
    const char *program = getenv("FAULTLINE");
    snprintf(
        command, sizeof command,
        "bash -c \"ulimit -f 64; %s bench engines --real %s --engines log,hash --keys 1000 "
        "--workloads fillseq,readrandom --set hash.segment_size=8KiB\" >%s/says 2>&1",
        program ? program : "build/release/faultline", scratch, scratch);
    int status = system(command);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 3);
    snprintf(command, sizeof command, "%s/says", scratch);
    FILE *in = fopen(command, "r");
    output[fread(output, 1, sizeof output - 1, in)] = 0;
    fclose(in);
    unlink(command);
    SAYS("log: its process died of signal 25");
    SAYS("readrandom  log          1000  the engine failed");
    SAYS("readrandom  hash         1000    1.00k");
}

static void test_foreign_files_in_the_folder_stay(void **state)
{
    (void)state;
    char command[512];
    snprintf(command, sizeof command,
             "mkdir -p %s/d/store %s/d/faultline-bench-mine && echo x | tee %s/d/store/file "
             "%s/d/faultline-bench-mine/file >/dev/null",
             scratch, scratch, scratch, scratch);
    assert_int_equal(system(command), 0);
    assert_int_equal(
        bench("engines --real %s/d --engines log --keys 10 --workloads fillseq", scratch), 0);
    snprintf(command, sizeof command,
             "test $(ls %s/d | wc -l) = 2 -a -f %s/d/store/file -a -f "
             "%s/d/faultline-bench-mine/file",
             scratch, scratch, scratch);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_usage_is_refused_with_the_nearest_word),
        cmocka_unit_test(test_numbers_are_strict),
        cmocka_unit_test(test_json_has_the_promised_names),
        cmocka_unit_test(test_simulated_rows_are_the_same_bytes_outside_host),
        cmocka_unit_test(test_rounds_are_told_with_the_best_and_the_worst),
        cmocka_unit_test(test_options_reach_their_engine),
        cmocka_unit_test(test_tables_fit_a_screen_and_name_what_they_show),
        cmocka_unit_test(test_out_writes_rows_latencies_and_how_it_was_run),
        cmocka_unit_test(test_an_engine_that_fails_does_not_take_the_others_with_it),
        cmocka_unit_test(test_foreign_files_in_the_folder_stay),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
