/* Goal: `faultline verify` as a user meets it: exit status, what stands on which output, nearest
 * words, histories of our own runs, EDN and back. Method: runs the built program (FAULTLINE,
 * default build/release/faultline) in a scratch folder, standard output and error apart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char scratch[] = "/tmp/faultline-verify-XXXXXX";
static char out[1 << 18], err[1 << 16];

static void slurp(const char *name, char *text, size_t capacity)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    text[fread(text, 1, capacity - 1, file)] = '\0';
    fclose(file);
}

static int verify(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int verify(const char *format, ...)
{
    const char *program = getenv("FAULTLINE");
    char arguments[1024], command[4096];
    va_list list;
    va_start(list, format);
    vsnprintf(arguments, sizeof arguments, format, list);
    va_end(list);
    snprintf(command, sizeof command, "cd %s && %s%s verify %s >out 2>err", scratch,
             program && *program == '/' ? "" : "$OLDPWD/",
             program ? program : "build/release/faultline", arguments);
    int status = system(command);
    assert_true(WIFEXITED(status));
    slurp("out", out, sizeof out);
    slurp("err", err, sizeof err);
    return WEXITSTATUS(status);
}

static void file_write(const char *name, const void *text, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    fclose(file);
}

#define FILE_OF(name, text) file_write(name, text, strlen(text))
#define SAYS(where, text)                                                                      \
    do {                                                                                       \
        if (!strstr(where, text)) fail_msg("no '%s' in:\n%s", text, where);                    \
    } while (0)

static const char good[] = "0 1 2 w x 1\n0 3 4 r x 1\n";
static const char stale[] = "0 1 2 w x 1\n0 3 4 w x 2\n1 5 6 r x 1\n";
static const char ours[] =
    "{\"v\":1,\"op\":0,\"client\":\"c\",\"process\":0,\"session\":0,\"type\":\"write\",\"key\":"
    "\"k\",\"token\":1,\"invoke\":1,\"return\":2,\"outcome\":\"ok\"}\n"
    "{\"v\":1,\"op\":1,\"client\":\"c\",\"process\":0,\"session\":0,\"type\":\"write\",\"key\":"
    "\"k\",\"token\":2,\"invoke\":3,\"return\":4,\"outcome\":\"ok\"}\n"
    "{\"v\":1,\"op\":2,\"client\":\"c\",\"process\":1,\"session\":1,\"type\":\"read\",\"key\":"
    "\"k\",\"invoke\":5,\"return\":6,\"outcome\":\"ok\",\"values\":[1]}\n"
    "{\"v\":1,\"op\":3,\"process\":2,\"type\":\"scan\",\"key\":\"k\",\"invoke\":7,\"return\":8,"
    "\"outcome\":\"ok\"}\n";

static void test_the_exit_status_is_the_verdict(void **state)
{
    (void)state;
    FILE_OF("good.txt", good);
    FILE_OF("stale.txt", stale);
    FILE_OF("plume.txt", "w(0,1,0,1)\nr(0,1,1,2)\n");
    FILE_OF("txn.edn", "{:process 0 :type :ok :f :txn :value [[:r 1 nil] [:append 1 2]]}\n");
    assert_int_equal(verify("good.txt"), 0);
    SAYS(out, "linearizable: holds");
    assert_int_equal(verify("stale.txt"), 1);
    SAYS(out, "linearizable: violated");
    SAYS(out, "line 3");
    assert_int_equal(verify("stale.txt --model sequential"), 0);
    assert_int_equal(verify("txn.edn"), 4);
    SAYS(out, "unknown");
    assert_int_equal(verify("plume.txt"), 0);
    SAYS(out, "sequential: holds");
    assert_int_equal(verify("plume.txt --model linearizable"), 2);
    SAYS(err, "records no time");
    assert_int_equal(verify("- <stale.txt"), 1);
    assert_int_equal(verify("--help"), 0);
    SAYS(out, "Examples:");
}

static void test_bad_input_is_status_2_and_leaves_standard_output_empty(void **state)
{
    (void)state;
    FILE_OF("empty", "");
    FILE_OF("cut.edn", "[{:process 0 :type :invoke :f :read}\n");
    FILE_OF("bad.jsonl", "{\"v\":1,\"op\":0,\"type\":\"raed\"}\n");
    file_write("packed", "\x1f\x8b\x08\0\0", 5);
    file_write("binary",
               "\x7f"
               "ELF\0\0\0\0",
               8);
    static const char *const cases[][2] = {
        {"empty", "empty:1:1: the file is empty"},
        {"cut.edn", "cut.edn:1:1: '[' that is never closed by ']'; read as jepsen-edn"},
        {"bad.jsonl", "bad.jsonl:1:22: type 'raed' is unknown (did you mean 'read'?)"},
        {"packed", "gunzip"},
        {"binary", "it is no text"},
        {".", "a folder; the history of a run is its history.jsonl"},
        {"absent", "absent: No such file or directory"},
        {"/proc/self/mem", "/proc/self/mem: "},
        {"good.txt --model lineariz", "did you mean 'linearizable'"},
        {"good.txt --type regster", "did you mean 'register'"},
        {"good.txt --failed-cas viod", "did you mean 'void'"},
        {"good.txt --modle causal", "did you mean '--model'"},
        {"good.txt --type queue",
         "good.txt:1:1: a queue has no operation 'write'; read as text"},
        {"good.txt --edn /nowhere/x.edn", "/nowhere/x.edn: No such file or directory"},
        {"good.txt --stale x", "--stale"},
        {"", "Usage:"},
        {"good.txt stale.txt", "Usage:"},
    };
    FILE_OF("good.txt", good);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int status = verify("%s", cases[i][0]);
        if (status != 2) fail_msg("verify %s: status %d", cases[i][0], status);
        if (*out) fail_msg("verify %s prints: %s", cases[i][0], out);
        SAYS(err, cases[i][1]);
    }
}

static void test_a_full_disk_is_told(void **state)
{
    (void)state;
    FILE_OF("good.txt", good);
    assert_int_equal(verify("good.txt --edn /dev/full"), 2);
    SAYS(err, "No space left");
}

static void test_our_own_history_is_judged_and_goes_through_edn(void **state)
{
    (void)state;
    FILE_OF("history.jsonl", ours);
    assert_int_equal(verify("history.jsonl --edn o.edn"), 1);
    SAYS(out, "history, register: 3 operations of 2 processes on 1 keys");
    SAYS(out, "1 scans are left out");
    SAYS(out, "c session 1");
    assert_int_equal(verify("o.edn"), 1);
    SAYS(out, "jepsen-edn, register: 3 operations of 2 processes on 1 keys");
    assert_int_equal(verify("history.jsonl --model strongest"), 0);
    SAYS(out, "strongest that held: sequential");
    assert_int_equal(verify("o.edn --model sequential --json"), 0);
    SAYS(out, "\"verdict\":\"holds\"");
    SAYS(out, "\"format\":\"jepsen-edn\"");
}

static int setup(void **state)
{
    (void)state;
    return mkdtemp(scratch) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", scratch);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_exit_status_is_the_verdict),
        cmocka_unit_test(test_bad_input_is_status_2_and_leaves_standard_output_empty),
        cmocka_unit_test(test_a_full_disk_is_told),
        cmocka_unit_test(test_our_own_history_is_judged_and_goes_through_edn),
    };
    return cmocka_run_group_tests_name("verify", tests, setup, teardown);
}
