/* Goal: `bench engines --fidelity` compares what it says it compares, in every output; a disk
 * may come from a file wherever a preset may. Method: the built program (FAULTLINE) runs small
 * stores below a scratch folder, on a disk file whose costs are known: with a sync of 20 ms the
 * simulated durable rate must be 50 a second, whatever this machine does.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char scratch[] = "/tmp/faultline-fidelity-test-XX"
                        "XXXX";
static char output[1 << 18];

static int faultline(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int faultline(const char *format, ...)
{
    char arguments[2048], command[4096];
    const char *program = getenv("FAULTLINE");
    va_list list;
    va_start(list, format);
    vsnprintf(arguments, sizeof arguments, format, list);
    va_end(list);
    snprintf(command, sizeof command, "%s bench engines %s 2>&1",
             program ? program : "build/release/faultline", arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t size = fread(output, 1, sizeof output - 1, pipe);
    output[size] = 0;
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void assert_says(const char *text)
{
    if (!strstr(output, text)) print_error("'%s' is not in: %s\n", text, output);
    assert_non_null(strstr(output, text));
}

static double number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

/* The line of a workload in output[]; the caller frees. */
static json_t *line_of(const char *workload)
{
    json_t *found = NULL;
    char *rest = output, *line;
    while ((line = strsep(&rest, "\n")) && *line) {
        json_t *row = json_loads(line, 0, NULL);
        if (!row) print_error("no JSON: %s\n", line);
        assert_non_null(row);
        const char *name = json_string_value(json_object_get(row, "workload"));
        if (!found && name && !strcmp(name, workload))
            found = row;
        else
            json_decref(row);
    }
    assert_non_null(found);
    return found;
}

#define SMALL "--keys 500 --engines hash --seconds 1"

static void test_a_cell_holds_both_rates_their_ratio_and_their_parts(void **state)
{
    (void)state;
    assert_int_equal(faultline("--fidelity %s --disk %s/slow.yaml " SMALL
                               " --workloads fillsync,readrandom --json",
                               scratch, scratch),
                     0);
    json_t *row = line_of("fillsync");
    double real = number(row, "real_rate"), simulated = number(row, "simulated_rate");
    assert_true(real > 0);
    assert_true(simulated > 45 && simulated < 50.01); /* 20 ms a sync, and some CPU */
    assert_true(number(row, "ratio") - simulated / real < 0.001);
    json_t *parts = json_object_get(row, "simulated");
    assert_true(number(parts, "disk_ns") > 19.9e6 && number(parts, "disk_ns") < 21e6);
    assert_true(number(parts, "program_ns") > 0);
    parts = json_object_get(row, "real");
    assert_true(number(parts, "program_ns") >= 0 && number(parts, "kernel_ns") >= 0 &&
                number(parts, "device_ns") >= 0);
    /* Waiting and both kinds of CPU are what an operation took. */
    double sum =
        number(parts, "program_ns") + number(parts, "kernel_ns") + number(parts, "device_ns");
    assert_true(sum > 0.9 * 1e9 / real);
    json_decref(row);
}

static void test_the_table_names_the_median_error_and_the_worst_cells(void **state)
{
    (void)state;
    assert_int_equal(faultline("--fidelity %s --disk %s/slow.yaml " SMALL
                               " --workloads fillsync,readrandom,readmissing --out %s/out",
                               scratch, scratch, scratch),
                     0);
    assert_says("median error");
    assert_says("of 3 cells");
    assert_says("the worst off by a factor of");
    /* 20 ms where the real disk takes less than one: nothing can be worse. */
    const char *worst = strstr(output, "Time an operation in the worst:\n");
    assert_non_null(worst);
    assert_non_null(strstr(worst, "\n  hash   fillsync"));
    assert_true(strstr(worst, "hash   fillsync") < strstr(worst, "hash   readrandom"));
    /* The folder has the cells, how it was run, and the disk. */
    char path[256];
    snprintf(path, sizeof path, "%s/out/fidelity.json", scratch);
    json_t *about = json_load_file(path, 0, NULL);
    assert_non_null(about);
    assert_true(number(about, "version") == 1 && number(about, "keys") == 500);
    assert_true(number(about, "median_error") >= 0);
    json_decref(about);
    assert_int_equal(
        faultline("--sim %s/out/disk.yaml " SMALL " --workloads fillsync --json", scratch), 0);
    json_t *row = line_of("fillsync");
    assert_true(number(row, "rate") > 45 && number(row, "rate") < 50.01);
    json_decref(row);
}

static void test_a_simulated_disk_may_come_from_a_file(void **state)
{
    (void)state;
    assert_int_equal(
        faultline("--sim %s/slow.yaml " SMALL " --workloads fillsync --json", scratch), 0);
    json_t *row = line_of("fillsync");
    assert_true(number(row, "rate") > 49 && number(row, "rate") < 50.01);
    json_decref(row);
    assert_int_equal(faultline("--sim %s/none.yaml " SMALL, scratch), 2);
    assert_says("none.yaml: No such file or directory");
    assert_int_equal(faultline("--sim %s/bad.yaml " SMALL, scratch), 2);
    assert_says("bad.yaml:1:8: disk: unknown key 'cash'");
    assert_int_equal(faultline("--sim ssd_plb " SMALL), 2);
    assert_says("did you mean 'ssd_plp'?");
}

static void test_arguments_that_do_not_go_together_are_refused(void **state)
{
    (void)state;
    assert_int_equal(faultline("--fidelity %s --sim hdd", scratch), 2);
    assert_says("one of --real DIR, --sim PRESET and --fidelity DIR");
    assert_int_equal(faultline("--sim hdd --disk %s/slow.yaml", scratch), 2);
    assert_says("--disk goes with --fidelity");
    assert_int_equal(faultline("--fidelity %s --keys 10,100", scratch), 2);
    assert_says("--fidelity takes one number of keys");
    assert_int_equal(faultline("--fidelity %s/slow.yaml --disk hdd " SMALL, scratch), 2);
    assert_says("slow.yaml: ");
}

static int set_up(void **state)
{
    (void)state;
    char path[256];
    if (!mkdtemp(scratch)) return -1;
    snprintf(path, sizeof path, "%s/slow.yaml", scratch);
    FILE *out = fopen(path, "w");
    fputs("disk: {preset: nvme_dc, write_latency: 0s, sync_latency: 20ms, cache_write: 0s, "
          "write_bandwidth: unlimited}\n",
          out);
    fclose(out);
    snprintf(path, sizeof path, "%s/bad.yaml", scratch);
    out = fopen(path, "w");
    fputs("disk: {cash: 3}\n", out);
    fclose(out);
    return 0;
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
        cmocka_unit_test(test_a_cell_holds_both_rates_their_ratio_and_their_parts),
        cmocka_unit_test(test_the_table_names_the_median_error_and_the_worst_cells),
        cmocka_unit_test(test_a_simulated_disk_may_come_from_a_file),
        cmocka_unit_test(test_arguments_that_do_not_go_together_are_refused),
    };
    return cmocka_run_group_tests_name("fidelity", tests, set_up, tear_down);
}
