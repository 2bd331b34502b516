/* Goal: the judge of `make bench-peers` (tests/peers.py) judges every bar, counts them, and
 * fails when one is short. Method: rows made by hand around each bar; skipped without python3.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char scratch[] = "/tmp/faultline-peers-XXXXXX";
static char output[1 << 16];

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

static void write_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

/* The exit status; what it printed is in output. */
static int judge(const char *rows, const char *sync)
{
    if (access("/usr/bin/python3", X_OK)) skip();
    char command[512];
    write_file("rows.tsv", rows);
    write_file("sync.tsv", sync);
    snprintf(command, sizeof command,
             "python3 tests/peers.py %s/rows.tsv %s/sync.tsv 1000 1 1 2>&1", scratch, scratch);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    output[fread(output, 1, sizeof output - 1, pipe)] = 0;
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void ends_with(const char *line)
{
    size_t size = strlen(output), wanted = strlen(line);
    if (size < wanted + 1 || strncmp(output + size - wanted - 1, line, wanted))
        fail_msg("the last line is not '%s': %s", line, output);
}

#define SAYS(text)                                                                             \
    do                                                                                         \
        if (!strstr(output, text)) fail_msg("no \"%s\" in:\n%s", text, output);                \
    while (0)

/* One workload of ours and of its peer at a time: rate, wall, write amplification, bytes. */
static const char *pair(const char *mine, const char *peer, const char *workload, double ratio,
                        double amplification, int mib)
{
    static char rows[512];
    snprintf(rows, sizeof rows,
             "%s\t1000\t%s\t%.0f\t1000\t%.2f\t%d\n%s\t1000\t%s\t1000000\t1000\t2\t1\n", mine,
             workload, ratio * 1e6, amplification, mib << 20, peer, workload);
    return rows;
}

static void test_write_amplification_and_memory_of_lsm_are_bars(void **state)
{
    (void)state;
    static const char *const workloads[] = {"fillseq", "fillrandom", "overwrite"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(judge(pair("lsm", "leveldb", workloads[i], 1.5, 2.01, 64), ""), 1);
        SAYS(": write amplification");
        assert_int_equal(judge(pair("lsm", "leveldb", workloads[i], 1.49, 2, 64), ""), 1);
    }
    assert_int_equal(judge(pair("lsm", "leveldb", "fillrandom", 1.5, 2, 65), ""), 1);
    SAYS("; lsm fillrandom 1000 B: resident memory");
    judge(pair("lsm", "leveldb", "fillrandom", 1.5, 2, 64), "");
    assert_null(strstr(output, "resident"));
    assert_null(strstr(output, "amplification"));
}

static void test_reads_of_the_btree_are_judged_with_and_without_a_large_cache(void **state)
{
    (void)state;
    assert_int_equal(judge(pair("btree", "lmdb", "readrandom", 0.69, 0, 1), ""), 1);
    SAYS("; btree readrandom 1000 B\n");
    assert_int_equal(judge(pair("btree+mapped", "lmdb", "readrandom", 0.69, 0, 1), ""), 1);
    SAYS("btree+mapped readrandom 1000 B");
    judge(pair("btree", "lmdb", "readrandom", 0.71, 0, 1), "");
    assert_null(strstr(output, "btree readrandom 1000 B\n"));
}

static void test_a_workload_without_figures_meets_no_bar(void **state)
{
    (void)state;
    assert_int_equal(judge(pair("btree", "lmdb", "fillbatch", 2, 0, 1), ""), 1);
    SAYS("SHORT: btree readrandom 1000 B: no figures");
    ends_with("1 of 2 bars met, 1 SHORT");
}

static void test_every_engine_is_held_to_64_bytes_a_durable_put(void **state)
{
    (void)state;
    static const char *const engines[] = {"log", "hash", "lsm", "btree"};
    char rows[128];
    for (int i = 0; i < 4; i++) {
        snprintf(rows, sizeof rows, "%s\t100\t1000\t1000\t1\t64\n", engines[i]);
        assert_int_equal(judge("", rows), 0);
        ends_with("1 of 1 bars met");
        snprintf(rows, sizeof rows, "%s\t100\t1000\t1000\t1\t64.1\n", engines[i]);
        assert_int_equal(judge("", rows), 1);
        ends_with("0 of 1 bars met, 1 SHORT");
        snprintf(rows, sizeof rows, "%s\t100\t1000\t1000\t1.001\t64\n", engines[i]);
        assert_int_equal(judge("", rows), 1);
        snprintf(rows, sizeof rows, "%s\t100\t1101\t1000\t1\t64\n", engines[i]);
        assert_int_equal(judge("", rows), 1);
    }
    assert_int_equal(judge("", ""), 1);
    ends_with("no bar could be judged");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_amplification_and_memory_of_lsm_are_bars),
        cmocka_unit_test(test_reads_of_the_btree_are_judged_with_and_without_a_large_cache),
        cmocka_unit_test(test_a_workload_without_figures_meets_no_bar),
        cmocka_unit_test(test_every_engine_is_held_to_64_bytes_a_durable_put),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
