/* Goal: the command does what its --help says: exit statuses, nearest words, expectations
 * inverted one by one, golden.tsv, JUnit, replay, result folders. Method: runs the built
 * program (FAULTLINE, default build/release/faultline) as a user would, in a scratch folder,
 * and looks at status and output. */
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

static char scratch[] = "/tmp/faultline-cli-XXXXXX";
static char output[1 << 20];

static const char *program(void)
{
    const char *path = getenv("FAULTLINE");
    return path ? path : "build/release/faultline";
}

/* Runs `faultline` with these arguments through a shell; standard output and error together in
 * output[]. */
static int faultline(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int faultline(const char *format, ...)
{
    char arguments[4096], command[8192];
    va_list list;
    va_start(list, format);
    vsnprintf(arguments, sizeof arguments, format, list);
    va_end(list);
    snprintf(command, sizeof command, "%s %s 2>&1", program(), arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t size = fread(output, 1, sizeof output - 1, pipe);
    output[size] = 0;
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *format, ...)
{
    char command[8192];
    va_list list;
    va_start(list, format);
    vsnprintf(command, sizeof command, format, list);
    va_end(list);
    assert_int_equal(system(command), 0);
}

static void write_file(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

#define SAYS(text) assert_non_null(strstr(output, text))

/* Twenty seconds of one node and four writes a second; loses nothing. */
static const char quiet[] = "name: quiet\n"
                            "about: One node, nothing happens but a crash.\n"
                            "seed: 1\n"
                            "duration: 20s\n"
                            "finish: {heal: all, restart: yes, quiesce: 1s, read_all: yes}\n"
                            "cluster: {regions: [{name: dc1, nodes: [a]}], disk: ssd_plp}\n"
                            "network: {preset: lan}\n"
                            "engine: {name: hash, sync: always}\n"
                            "replication: {scheme: none, leader: a}\n"
                            "workloads:\n"
                            "  - {name: w, region: dc1, clients: 1, rate: 4/s, arrivals: "
                            "constant, start: 50ms, mix: {insert: 100%}}\n"
                            "timeline:\n"
                            "  - {id: stop, at: 5s, crash: {node: a}}\n"
                            "  - {id: go, at: 7s, start: {node: a}}\n"
                            "expect:\n"
                            "  holds: [unique_keys]\n"
                            "  no_lost_write: {violations: 0}\n"
                            "  measure: {longest_outage: 1s..4s}\n";

static void test_help_and_every_subcommands_help_exit_0(void **state)
{
    (void)state;
    assert_int_equal(faultline("--help"), 0);
    SAYS("run");
    SAYS("Exit status");
    static const char *const commands[] = {"run",         "check",       "report",   "bench",
                                           "list",        "explain",     "validate", "schema",
                                           "engine-dump", "engine-check"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        assert_int_equal(faultline("%s --help", commands[i]), 0);
        SAYS("xample");
    }
}

static void test_help_tells_the_bounds_of_seeds(void **state)
{
    (void)state;
    assert_int_equal(faultline("run --help"), 0);
    SAYS("0 to 9223372036854775807");
    assert_int_equal(faultline("run %s/q.yaml --seed 9223372036854775808", scratch), 2);
}

static void test_unknown_words_get_the_nearest_and_exit_2(void **state)
{
    (void)state;
    assert_int_equal(faultline("chekc x"), 2);
    SAYS("did you mean 'check'");
    assert_int_equal(faultline("check --jbos 2 scenarios"), 2);
    SAYS("did you mean '--jobs'");
    assert_int_equal(faultline("list scheems"), 2);
    SAYS("did you mean 'schemes'");
    assert_int_equal(faultline("explain unique_kyes"), 2);
    SAYS("did you mean 'unique_keys'");
    assert_int_equal(faultline("bench kernle"), 2);
    SAYS("did you mean 'kernel'");
    assert_int_equal(faultline("run %s/q.yaml --variant bsae", scratch), 2);
    SAYS("did you mean 'base'");
    assert_int_equal(faultline("run %s/q.yaml --seed 0x12", scratch), 2);
    SAYS("decimal");
    assert_int_equal(faultline("run %s/q.yaml --set replication.schem=none", scratch), 2);
    SAYS("did you mean");
    assert_int_equal(faultline("run"), 2);
    assert_int_equal(faultline("%s", ""), 2);
    assert_int_equal(faultline("run %s/absent.yaml", scratch), 2);
    assert_int_equal(faultline("report %s", scratch), 2);
}

static void test_a_green_run_exits_0_and_says_how_fast_it_was(void **state)
{
    (void)state;
    assert_int_equal(faultline("run %s/q.yaml", scratch), 0);
    SAYS("3 of 3 expectations met");
    SAYS("events/s");
    SAYS("simulated s per wall s");
    SAYS("replay: faultline run");
    assert_int_equal(faultline("run %s/q.yaml --verify", scratch), 0);
}

static void test_each_inverted_expectation_exits_1_and_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *says;
    } inversions[] = {
        {"holds: [unique_keys]", "violated: [unique_keys]", "unique_keys"},
        {"no_lost_write: {violations: 0}", "no_lost_write: {violations: 3}", "no_lost_write"},
        {"longest_outage: 1s..4s", "longest_outage: 5s..9s", "longest_outage"},
    };
    for (size_t i = 0; i < sizeof inversions / sizeof *inversions; i++) {
        char text[4096];
        const char *at = strstr(quiet, inversions[i].from);
        assert_non_null(at);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - quiet), quiet, inversions[i].to,
                 at + strlen(inversions[i].from));
        write_file("inverted.yaml", text);
        assert_int_equal(faultline("check %s/inverted.yaml", scratch), 1);
        SAYS("NOT MET");
        SAYS(inversions[i].says);
        SAYS("replay: faultline run");
    }
}

static void test_a_red_run_shows_a_witness(void **state)
{
    (void)state;
    assert_int_equal(faultline("run scenarios/incidents/github-2012-stale-promotion.yaml "
                               "--variant epoch-ids --json"),
                     0);
    shell("sed 's/unique_keys: {violations: 550, at: 480s}/unique_keys: {violations: 0}/' "
          "scenarios/incidents/github-2012-stale-promotion.yaml >%s/red.yaml",
          scratch);
    assert_int_equal(faultline("run %s/red.yaml", scratch), 1);
    SAYS("NOT MET");
    SAYS("issued");
    SAYS("db-c");
}

static void test_a_fault_without_effect_is_invalid_and_exits_3(void **state)
{
    (void)state;
    char text[4096];
    const char *at = strstr(quiet, "expect:");
    snprintf(text, sizeof text,
             "%.*s  - {id: idle, at: 8s, cut: {from: a, to: w, class: repair}, for: 1s}\n%s",
             (int)(at - quiet), quiet, at);
    write_file("inert.yaml", text);
    assert_int_equal(faultline("run %s/inert.yaml", scratch), 3);
    SAYS("idle");
    SAYS("no effect");
}

static void test_check_of_an_empty_folder_exits_2(void **state)
{
    (void)state;
    shell("mkdir -p %s/empty", scratch);
    assert_int_equal(faultline("check %s/empty", scratch), 2);
    SAYS("no scenario");
}

static void test_check_finds_bad_input_before_any_run(void **state)
{
    (void)state;
    shell(
        "mkdir -p %s/mixed && cp %s/q.yaml %s/mixed/a.yaml && echo 'name: [' >%s/mixed/b.yaml",
        scratch, scratch, scratch, scratch);
    assert_int_equal(faultline("check %s/mixed", scratch), 2);
    SAYS("b.yaml:");
    assert_null(strstr(output, "runs met"));
}

static void test_two_files_of_one_name_are_refused(void **state)
{
    (void)state;
    shell("rm -rf %s/twins && mkdir %s/twins", scratch, scratch);
    shell("cp %s/q.yaml %s/twins/one.yaml && cp %s/q.yaml %s/twins/two.yaml", scratch, scratch,
          scratch, scratch);
    assert_int_equal(faultline("check %s/twins", scratch), 2);
    SAYS("name 'quiet'");
    SAYS("one.yaml");
}

static void test_golden_must_be_complete_and_equal(void **state)
{
    (void)state;
    shell("rm -rf %s/g && mkdir %s/g && cp %s/q.yaml %s/g/", scratch, scratch, scratch,
          scratch);
    assert_int_equal(faultline("check %s/g", scratch), 0);
    assert_int_equal(faultline("check %s/g --update-golden", scratch), 0);
    assert_int_equal(faultline("check %s/g", scratch), 0);
    shell("sed -i 's/\\tpass\\t/\\tfail\\t/' %s/g/golden.tsv", scratch);
    assert_int_equal(faultline("check %s/g", scratch), 1);
    SAYS("golden.tsv: differs");
    shell("echo '# nothing' >%s/g/golden.tsv", scratch);
    assert_int_equal(faultline("check %s/g", scratch), 1);
    SAYS("has no line for this run");
    assert_int_equal(faultline("check %s/g --update-golden", scratch), 0);
    shell("mkdir -p %s/g/below && mv %s/g/q.yaml %s/g/below/", scratch, scratch, scratch);
    assert_int_equal(faultline("check %s/g/below", scratch), 0); /* the nearest above */
    shell("sed -i 's/\\tpass\\t/\\tfail\\t/' %s/g/golden.tsv", scratch);
    assert_int_equal(faultline("check %s/g/below/q.yaml", scratch), 1);
    SAYS("golden.tsv: differs");
    shell("mv %s/g/below/q.yaml %s/g/ && rmdir %s/g/below", scratch, scratch, scratch);
    assert_int_equal(faultline("check %s/g --update-golden", scratch), 0);
    assert_int_equal(faultline("check %s/q.yaml", scratch), 0);
    SAYS("not compared");
    shell("printf 'gone\\tbase\\t1\\t0\\tpass\\t1\\t0\\t0\\t-\\n' >>%s/g/golden.tsv", scratch);
    assert_int_equal(faultline("check %s/g", scratch), 1);
    SAYS("not there");
}

static void test_junit_is_read_by_a_junit_reader(void **state)
{
    (void)state;
    if (system("/usr/bin/python3 -c 'import junitparser' 2>/dev/null")) {
        print_message("python3-junitparser is not installed\n");
        skip();
    }
    char text[4096];
    const char *at = strstr(quiet, "no_lost_write: {violations: 0}");
    snprintf(text, sizeof text, "%.*sno_lost_write: {violations: 3}%s", (int)(at - quiet),
             quiet, at + strlen("no_lost_write: {violations: 0}"));
    write_file("red.yaml", text);
    assert_int_equal(
        faultline("check %s/q.yaml %s/red.yaml --junit %s/j.xml", scratch, scratch, scratch),
        1);
    shell("/usr/bin/python3 -c \"import junitparser as j; x = j.JUnitXml.fromfile('%s/j.xml'); "
          "assert (x.tests, x.failures, x.errors) == (2, 1, 0); "
          "c = [c for s in x for c in s]; assert [len(k.result) for k in c] == [0, 1]; assert "
          "'no_lost_write' in c[1].result[0].text\"",
          scratch);
}

static void test_two_runs_write_the_same_bytes_but_for_host(void **state)
{
    (void)state;
    assert_int_equal(faultline("run %s/q.yaml --out %s/one", scratch, scratch), 0);
    assert_int_equal(faultline("run %s/q.yaml --out %s/two", scratch, scratch), 0);
    shell("sed -i '/^  \"host\": {/,$d' %s/one/result.json %s/two/result.json && diff -r "
          "%s/one %s/two",
          scratch, scratch, scratch, scratch);
    assert_int_equal(faultline("run %s/q.yaml --seed 2 --out %s/two", scratch, scratch), 0);
    shell("! cmp -s %s/one/history.jsonl %s/two/history.jsonl", scratch, scratch);
}

static void test_json_lines_hold_the_names_that_programs_rely_on(void **state)
{
    (void)state;
    assert_int_equal(faultline("run %s/q.yaml --json", scratch), 0);
    static const char *const members[] = {
        "scenario",     "variant",      "seed",        "trace_hash",        "verdict",
        "expectations", "evidence",     "events",      "simulated_seconds", "resolved",
        "host",         "wall_seconds", "cpu_seconds", "version",           "compiler",
        "expected",     "observed",     "witness"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        char quoted[64];
        snprintf(quoted, sizeof quoted, "\"%s\":", members[i]);
        SAYS(quoted);
    }
    assert_ptr_equal(strchr(output, '\n'), output + strlen(output) - 1);
}

static void test_the_smallest_change_of_the_incident_is_computed(void **state)
{
    (void)state;
    assert_int_equal(
        faultline("run scenarios/incidents/github-2012-stale-promotion.yaml --variant all"), 0);
    SAYS("The smallest change that holds");
    SAYS("replication.failover.quorum: majority");
    assert_int_equal(faultline("run scenarios/incidents/github-2012-stale-promotion.yaml --set "
                               "replication.failover.quorum=majority --json"),
                     1);
    SAYS("\"verdict\":\"fail\"");
}

static void test_a_trace_names_every_event(void **state)
{
    (void)state;
    assert_int_equal(faultline("run %s/q.yaml --trace %s/t.tsv --json", scratch, scratch), 0);
    shell("test $(wc -l <%s/t.tsv) -gt 100", scratch);
    assert_int_equal(faultline("run %s/q.yaml --trace /nonexistent/t.tsv", scratch), 2);
}

static void test_a_trace_that_cannot_be_written_exits_3(void **state)
{
    (void)state;
    assert_int_equal(faultline("run %s/q.yaml --trace /dev/full", scratch), 3);
    SAYS("/dev/full: write failed");
}

static void test_an_unusable_result_folder_is_found_before_the_run(void **state)
{
    (void)state;
    shell("echo 1 >%s/file", scratch);
    static const char *const folders[] = {"file", "file/below", "/proc/no-such", "''"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        const char *slash = i < 2 ? "/" : "", *root = i < 2 ? scratch : "";
        assert_int_equal(
            faultline("run %s/q.yaml --out %s%s%s", scratch, root, slash, folders[i]), 2);
        SAYS("folder");
        assert_null(strstr(output, "simulated"));
        assert_int_equal(faultline("run %s/q.yaml --variant all --out %s%s%s", scratch, root,
                                   slash, folders[i]),
                         2);
        assert_null(strstr(output, "simulated"));
    }
}

/* `make install PREFIX=` without a new build, or a tree that was moved. */
static void test_installed_scenarios_are_found_beside_the_program(void **state)
{
    (void)state;
    shell("mkdir -p %s/moved/bin %s/moved/share/faultline/scenarios && cp %s %s/moved/bin/ && "
          "cp %s/q.yaml %s/moved/share/faultline/scenarios/",
          scratch, scratch, program(), scratch, scratch, scratch);
    shell("cd %s/moved && bin/faultline list scenarios >list && grep -q "
          "'share/faultline/scenarios/q.yaml .*1 variants' list",
          scratch);
}

static void test_list_explain_and_schema_print_every_vocabulary(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *word;
    } words[] = {{"engines", "hash"},       {"schemes", "single_leader"},
                 {"checks", "unique_keys"}, {"actions", "partition"},
                 {"presets", "ssd_plp"},    {"scenarios", "github-2012"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        assert_int_equal(faultline("list %s", words[i].kind), 0);
        SAYS(words[i].word);
    }
    assert_int_equal(faultline("explain no_lost_write"), 0);
    SAYS("acknowledged");
    assert_int_equal(faultline("schema"), 0);
    SAYS("draft-07");
    assert_int_equal(faultline("validate scenarios"), 0);
}

static int setup(void **state)
{
    (void)state;
    if (access(program(), X_OK)) {
        fprintf(stderr, "%s is not built\n", program());
        return -1;
    }
    if (!mkdtemp(scratch)) return -1;
    write_file("q.yaml", quiet);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    shell("rm -rf %s", scratch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help_and_every_subcommands_help_exit_0),
        cmocka_unit_test(test_help_tells_the_bounds_of_seeds),
        cmocka_unit_test(test_unknown_words_get_the_nearest_and_exit_2),
        cmocka_unit_test(test_a_green_run_exits_0_and_says_how_fast_it_was),
        cmocka_unit_test(test_each_inverted_expectation_exits_1_and_is_named),
        cmocka_unit_test(test_a_red_run_shows_a_witness),
        cmocka_unit_test(test_a_fault_without_effect_is_invalid_and_exits_3),
        cmocka_unit_test(test_check_of_an_empty_folder_exits_2),
        cmocka_unit_test(test_check_finds_bad_input_before_any_run),
        cmocka_unit_test(test_two_files_of_one_name_are_refused),
        cmocka_unit_test(test_golden_must_be_complete_and_equal),
        cmocka_unit_test(test_junit_is_read_by_a_junit_reader),
        cmocka_unit_test(test_two_runs_write_the_same_bytes_but_for_host),
        cmocka_unit_test(test_json_lines_hold_the_names_that_programs_rely_on),
        cmocka_unit_test(test_the_smallest_change_of_the_incident_is_computed),
        cmocka_unit_test(test_a_trace_names_every_event),
        cmocka_unit_test(test_a_trace_that_cannot_be_written_exits_3),
        cmocka_unit_test(test_an_unusable_result_folder_is_found_before_the_run),
        cmocka_unit_test(test_installed_scenarios_are_found_beside_the_program),
        cmocka_unit_test(test_list_explain_and_schema_print_every_vocabulary),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
