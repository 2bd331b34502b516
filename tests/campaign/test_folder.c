/* Goal: `check` goes through a folder to its end: bad input before any run, every run in a
 * process of its own, a process that dies is a finding of its own and not the end, golden.tsv
 * and JUnit say the same as the runs. Method: folders of two small scenarios. A run's process
 * is killed from outside while it works, or is left without memory; the other run must pass,
 * the dead one must be named with its signal and the command that runs it again.
 */
#include "tests/campaign/made.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/campaign/folder.h"

static char scratch[] = "/tmp/faultline-folder-XXXXXX";

/* A scenario named after its file: two of one name in a folder are refused. */
static void write_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    if (!strncmp(text, "name: loss\n", 11)) {
        fprintf(out, "name: loss-%c\n", name[0]);
        text += 11;
    }
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

static void remove_file(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    unlink(path);
}

static struct folder check_folder(uint32_t jobs, bool update)
{
    struct folder folder;
    const char *paths[] = {scratch};
    folder_check(&folder,
                 &(struct folder_request){
                     .paths = paths, .paths_count = 1, .jobs = jobs, .update_golden = update});
    return folder;
}

static char *junit_of(const struct folder *folder)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(junit_write(folder, out), 0);
    fclose(out);
    return text;
}

#define GREEN                                                                                  \
    LOSS "expect: {no_lost_write: {violations: 40}}\nvariants: [{name: other-seed, set: "      \
         "{seed: 4}}]\n"
/* Minutes of work, if nobody ends it. */
#define ENDLESS                                                                                \
    "name: endless\nduration: 1000h\n"                                                         \
    "cluster: {regions: [{name: dc1, nodes: [a]}]}\nengine: {name: hash}\n"                    \
    "replication: {scheme: none}\n"                                                            \
    "workloads: [{name: w, rate: 1000/s, mix: {read: 100%}}]\n"
/* Half a GiB on its way at once. */
#define HUNGRY                                                                                 \
    "name: hungry\nduration: 1s\nlimits: {memory: 64GiB}\n"                                    \
    "cluster: {regions: [{name: dc1, nodes: [a]}]}\nengine: {name: hash}\n"                    \
    "network: {latency: 500ms}\nreplication: {scheme: none}\n"                                 \
    "workloads: [{name: w, rate: 100/s, count: 16, value_size: 32MiB, mix: {write: 100%}}]\n"

/* ---- what is found ---- */

static void test_runs_come_in_the_order_of_their_files(void **state)
{
    (void)state;
    write_file("b.yaml", GREEN);
    write_file("a.yml", WORLD);
    write_file("c.txt", "no scenario");
    struct folder folder = check_folder(2, false);
    assert_int_equal(folder.exit, EXIT_MET);
    assert_int_equal(folder.runs_count, 3);
    static const char *const variants[] = {"base", "base", "other-seed"};
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(folder.runs[i].variant, variants[i]);
        assert_int_equal(folder.runs[i].exit, EXIT_MET);
        assert_non_null(folder.runs[i].result);
    }
    assert_non_null(strstr(folder.runs[0].path, "a.yml"));
    folder_deinit(&folder);
    remove_file("a.yml");
    remove_file("c.txt");
}

static void test_bad_input_is_found_before_any_run(void **state)
{
    (void)state;
    write_file("b.yaml", GREEN);
    write_file("z.yaml", "name: z\nduration: -3s\n");
    struct folder folder = check_folder(2, false);
    assert_int_equal(folder.exit, EXIT_BAD_INPUT);
    assert_true(folder.errors_count > 0);
    for (size_t i = 0; i < folder.runs_count; i++) assert_null(folder.runs[i].result);
    folder_deinit(&folder);
    remove_file("z.yaml");
    remove_file("b.yaml");
    folder = check_folder(2, false); /* an empty folder is bad input too */
    assert_int_equal(folder.exit, EXIT_BAD_INPUT);
    folder_deinit(&folder);
}

static void test_the_worst_run_decides_the_exit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int exit;
    } cases[] = {{WORLD, EXIT_MET},
                 {LOSS "expect: {no_lost_write: {violations: 1}}\n", EXIT_NOT_MET},
                 {WORLD
                  "timeline: [{id: idle, at: 2s, cut: {from: b, to: w, class: repair}}]\n",
                  EXIT_INVALID}};
    write_file("b.yaml", GREEN);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_file("c.yaml", cases[i].text);
        struct folder folder = check_folder(2, false);
        assert_int_equal(folder.exit, cases[i].exit);
        assert_int_equal(folder.runs[0].exit, EXIT_MET);
        folder_deinit(&folder);
    }
    remove_file("c.yaml");
}

/* ---- golden.tsv ---- */

static void test_golden_names_what_differs_what_is_new_and_what_is_gone(void **state)
{
    (void)state;
    write_file("b.yaml", GREEN);
    struct folder folder = check_folder(2, true);
    assert_int_equal(folder.exit, EXIT_MET);
    folder_deinit(&folder);
    folder = check_folder(2, false);
    assert_int_equal(folder.exit, EXIT_MET);
    folder_deinit(&folder);

    write_file(
        "b.yaml", LOSS
        "expect: {no_lost_write: {violations: 40}}\nvariants: [{name: new, set: {seed: 5}}]\n");
    folder = check_folder(2, false);
    assert_int_equal(folder.exit, EXIT_NOT_MET);
    assert_null(folder.runs[0].golden_difference);
    assert_non_null(strstr(folder.runs[1].golden_difference, "no line for this run"));
    assert_int_equal(folder.errors_count, 1);
    assert_non_null(strstr(folder.errors[0], "other-seed"));
    folder_deinit(&folder);

    write_file("b.yaml", GREEN);
    write_file("golden.tsv",
               "loss-b\tbase\t3\t0000000000000000\tpass\t90\t0\t10\tno_lost_write=40\n");
    folder = check_folder(2, false);
    assert_int_equal(folder.exit, EXIT_NOT_MET);
    assert_non_null(strstr(folder.runs[0].golden_difference, "differs"));
    assert_non_null(
        strstr(folder.runs[0].golden_difference, "has  loss-b\tbase\t3\t0000000000000000"));
    folder_deinit(&folder);
    remove_file("golden.tsv");
}

/* ---- a run whose process dies ---- */

/* A process that kills the first child of ours that has worked for a tenth of a second. */
static pid_t start_killer(void)
{
    pid_t killer = fork();
    if (killer) return killer;
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)getppid(), (int)getppid());
    for (int round = 0; round < 500; round++) {
        usleep(20000);
        FILE *in = fopen(path, "r");
        int child;
        for (; in && fscanf(in, "%d", &child) == 1;) {
            if (child == (int)getpid()) continue;
            usleep(100000);
            kill(child, SIGKILL);
            _exit(0);
        }
        if (in) fclose(in);
    }
    _exit(1);
}

static void test_a_run_that_is_killed_is_a_finding_and_not_the_end(void **state)
{
    (void)state;
    write_file("a.yaml", ENDLESS);
    write_file("b.yaml", GREEN);
    pid_t killer = start_killer();
    struct folder folder = check_folder(1, false);
    int status;
    assert_int_equal(waitpid(killer, &status, 0), killer);
    assert_int_equal(status, 0);
    assert_int_equal(folder.exit, EXIT_INVALID);
    assert_int_equal(folder.runs_count, 3);
    assert_null(folder.runs[0].result);
    assert_non_null(strstr(folder.runs[0].died, "signal 9"));
    assert_int_equal(folder.runs[0].exit, EXIT_INVALID);
    for (size_t i = 1; i < 3; i++) assert_int_equal(folder.runs[i].exit, EXIT_MET);
    char *replay = folder_replay(&folder.runs[0]), *junit = junit_of(&folder);
    assert_non_null(strstr(replay, "a.yaml"));
    assert_non_null(strstr(junit, "signal 9"));
    assert_non_null(strstr(junit, "tests=\"3\" failures=\"0\" errors=\"1\""));
    assert_non_null(strstr(junit, "replay: faultline run"));
    free(replay);
    free(junit);
    folder_deinit(&folder);
    remove_file("a.yaml");
}

static void test_a_run_that_gets_no_memory_is_a_finding_and_not_the_end(void **state)
{
    (void)state;
#if defined __SANITIZE_ADDRESS__
    skip(); /* its address space has no bound */
#endif
    write_file("a.yaml", HUNGRY);
    write_file("b.yaml", GREEN);
    struct rlimit before, tight;
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    tight = before;
    tight.rlim_cur = 256u << 20;
    int saved = dup(2);
    assert_non_null(freopen("/dev/null", "w", stderr)); /* the process says why it ends */
    assert_int_equal(setrlimit(RLIMIT_AS, &tight), 0);
    struct folder folder = check_folder(2, false);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    fflush(stderr);
    dup2(saved, 2);
    close(saved);
    assert_int_equal(folder.exit, EXIT_INVALID);
    assert_null(folder.runs[0].result);
    assert_non_null(folder.runs[0].died);
    for (size_t i = 1; i < 3; i++) assert_int_equal(folder.runs[i].exit, EXIT_MET);
    folder_deinit(&folder);
    remove_file("a.yaml");
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(scratch) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char command[256];
    snprintf(command, sizeof command, "rm -rf %s", scratch);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_come_in_the_order_of_their_files),
        cmocka_unit_test(test_bad_input_is_found_before_any_run),
        cmocka_unit_test(test_the_worst_run_decides_the_exit),
        cmocka_unit_test(test_golden_names_what_differs_what_is_new_and_what_is_gone),
        cmocka_unit_test(test_a_run_that_is_killed_is_a_finding_and_not_the_end),
        cmocka_unit_test(test_a_run_that_gets_no_memory_is_a_finding_and_not_the_end),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
