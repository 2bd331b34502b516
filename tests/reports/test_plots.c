/* Goal: every picture of a real run says what it shows and how to make it again, in the house's
 * palette and in letters that can be read; a folder that is damaged is named by file and line,
 * and never crashes the program. Method: a small run with every kind of trouble is written into
 * a scratch folder and drawn. SVG files are searched for texts and colours, and every font-size
 * in them is read; the text that they show is collected from their elements. Damaged copies of
 * the folder are drawn too: standard error is caught in a file. Without gnuplot the drawing
 * tests are skipped, those of bad folders are not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reports/plots.h"
#include "sim/campaign/result.h"

static const char scenario_text[] =
    "name: in-a_picture\nseed: 77\nduration: 12s\nfinish: {quiesce: 4s}\n"
    "cluster: {regions: [{name: dc1, nodes: [db-north, db_south, db-west]}]}\n"
    "engine: {name: hash}\nreplication: {scheme: single_leader, leader: db-north, ids: "
    "auto_increment}\n"
    "workloads: [{name: w, rate: 20/s, mix: {insert: 60%, read: 40%}, second_store: refs}]\n"
    "timeline:\n"
    "  - {id: stale, at: 1s, cut: {from: db-north, to: db_south, class: replication}}\n"
    "  - {id: freeze, at: 2s, pause: {node: db-west}, for: 2s}\n"
    "  - {id: die, at: 5s, crash: {node: db-north}}\n"
    "  - {id: by_hand, at: 6s, promote: {node: db_south}}\n"
    "expect: {violated: [no_lost_write], unique_keys: {violations: 2, until: 6200ms}}\n"
    "ignore:\n"
    "  - {check: external_references, reason: seen elsewhere}\n"
    "  - {check: no_dirty_read, reason: seen elsewhere}\n"
    "  - {check: single_writer, reason: seen elsewhere}\n"
    "  - {check: convergence, reason: seen elsewhere}\n"
    "  - {check: monotonic_reads, reason: seen elsewhere}\n"
    "  - {check: read_your_writes, reason: seen elsewhere}\n";

static char scratch[] = "/tmp/faultline-plots-XXXXXX";
static char whole[256], damaged[256], trace_hash[32];
static char said[1 << 16];
static bool has_gnuplot;

/* ---- helpers ---- */

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *format, ...)
{
    char command[2048];
    va_list list;
    va_start(list, format);
    vsnprintf(command, sizeof command, format, list);
    va_end(list);
    assert_int_equal(system(command), 0);
}

static char *read_file(const char *folder, const char *name)
{
    char path[512], *text = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *in = fopen(path, "r");
    if (!in) print_error("%s: %s\n", path, strerror(errno));
    assert_non_null(in);
    assert_true(getdelim(&text, &size, 0, in) > 0);
    fclose(in);
    return text;
}

/* plots_draw, and what it says on standard error in said[]. */
static int draw(const char *folder)
{
    char path[512];
    snprintf(path, sizeof path, "%s/stderr.txt", scratch);
    fflush(stderr);
    int saved = dup(2), file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(saved >= 0 && file >= 0);
    dup2(file, 2);
    int error = plots_draw(folder);
    fflush(stderr);
    dup2(saved, 2);
    close(saved);
    ssize_t size = pread(file, said, sizeof said - 1, 0);
    said[size > 0 ? size : 0] = 0;
    close(file);
    return error;
}

#define SAYS(text)                                                                             \
    do {                                                                                       \
        if (!strstr(said, text)) print_error("'%s' is not in: %s\n", text, said);              \
        assert_non_null(strstr(said, text));                                                   \
    } while (0)

/* The same without gnuplot: what the program itself makes of a folder. */
static int prepare(const char *folder)
{
    char *path = strdup(getenv("PATH"));
    setenv("PATH", "/nonexistent", 1);
    int error = draw(folder);
    setenv("PATH", path, 1);
    free(path);
    return error;
}

static void fresh_copy(void)
{
    shell("rm -rf %s && cp -R %s %s && rm -rf %s/plots", damaged, whole, damaged, damaged);
}

/* What an SVG shows to a reader: the text between tags, pieces joined without space. */
static char *text_shown(const char *svg)
{
    char *out = malloc(strlen(svg) + 1), *w = out;
    const char *p = svg;
    while ((p = strstr(p, "<text"))) {
        const char *end = strstr(p, "</text>");
        assert_non_null(end);
        bool tag = false;
        for (; p < end; p++) {
            if (*p == '<')
                tag = true;
            else if (*p == '>')
                tag = false;
            else if (!tag && *p != '\n')
                *w++ = *p;
        }
        *w++ = '\n';
    }
    *w = 0;
    return out;
}

static void needs_gnuplot(void)
{
    if (!has_gnuplot) {
        print_message("gnuplot is not installed: ");
        skip();
    }
}

static const char *const pictures[] = {"timeline", "latency", "operations"};
static const char *const titles[] = {"Who led, who was cut off", "How long did clients wait",
                                     "How much of the load was served"};
#define PICTURES 3

/* ---- a good folder ---- */

static void test_every_picture_is_drawn_as_svg_and_png(void **state)
{
    (void)state;
    needs_gnuplot();
    assert_int_equal(draw(whole), 0);
    assert_string_equal(said, ""); /* gnuplot warned of nothing */
    for (size_t i = 0; i < PICTURES; i++) {
        char path[512];
        unsigned char png[24];
        snprintf(path, sizeof path, "%s/%s.png", whole, pictures[i]);
        FILE *in = fopen(path, "r");
        assert_non_null(in);
        assert_int_equal(fread(png, 1, sizeof png, in), sizeof png);
        fclose(in);
        assert_memory_equal(png, "\x89PNG\r\n\x1a\n", 8);
        unsigned width = (unsigned)png[16] << 24 | (unsigned)png[17] << 16 |
                         (unsigned)png[18] << 8 | png[19];
        assert_in_range(width, 800, 2000);
        snprintf(path, sizeof path, "%s.svg", pictures[i]);
        char *svg = read_file(whole, path);
        assert_non_null(strstr(svg, "</svg>"));
        free(svg);
    }
}

static void test_every_picture_says_what_it_shows_and_how_to_make_it_again(void **state)
{
    (void)state;
    needs_gnuplot();
    for (size_t i = 0; i < PICTURES; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.svg", pictures[i]);
        char *svg = read_file(whole, name), *text = text_shown(svg);
        const char *const wanted[] = {titles[i], "in-a_picture, variant base, seed 77, trace ",
                                      trace_hash, "time from the start of the run (m:ss)"};
        for (size_t w = 0; w < 4; w++) {
            if (!strstr(text, wanted[w]))
                print_error("%s lacks '%s':\n%s", name, wanted[w], text);
            assert_non_null(strstr(text, wanted[w]));
        }
        free(svg);
        free(text);
    }
}

static void test_the_timeline_names_nodes_faults_and_violations(void **state)
{
    (void)state;
    needs_gnuplot();
    char *svg = read_file(whole, "timeline.svg"), *text = text_shown(svg);
    static const char *const wanted[] = {"db-north",
                                         "db_south",
                                         "db-west",
                                         "clients",
                                         "stale",
                                         "freeze",
                                         "die",
                                         "by_hand",
                                         "leader",
                                         "follower",
                                         "paused",
                                         "down",
                                         "cut off",
                                         "acknowledged write",
                                         "lost write",
                                         "key issued twice",
                                         "no_lost_write: first broken at 0:0",
                                         "unique_keys: first broken at 0:0"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        if (!strstr(text, wanted[i]))
            print_error("the timeline lacks '%s':\n%s", wanted[i], text);
        assert_non_null(strstr(text, wanted[i]));
    }
    /* Two by 6.2 s is what the scenario expects; the picture also counts the whole run. */
    char *rows = read_file(whole, "violations.csv"), in_all[64];
    unsigned reissued = 0;
    for (const char *p = rows; (p = strstr(p, ",unique_keys,")); p++) reissued++;
    assert_true(reissued > 1);
    snprintf(in_all, sizeof in_all, ", 2 by 0:06.200, %u in all", reissued);
    if (!strstr(text, in_all)) print_error("the timeline lacks '%s':\n%s", in_all, text);
    assert_non_null(strstr(strstr(text, "unique_keys: first broken"), in_all));
    free(rows);
    free(svg);
    free(text);
}

/* gnuplot writes a colour as #RRGGBB or rgb(  0, 114, 178). */
static bool has_colour(const char *svg, const char *hex)
{
    unsigned r, g, b;
    char as_rgb[64];
    sscanf(hex, "%2x%2x%2x", &r, &g, &b);
    snprintf(as_rgb, sizeof as_rgb, "rgb(%3u, %3u, %3u)", r, g, b);
    char hash[16], lower[16];
    snprintf(hash, sizeof hash, "#%s", hex);
    for (size_t i = 0; i <= strlen(hash); i++)
        lower[i] = (char)(hash[i] >= 'A' && hash[i] <= 'Z' ? hash[i] + 32 : hash[i]);
    return strstr(svg, as_rgb) || strstr(svg, hash) || strstr(svg, lower);
}

static void test_the_same_thing_has_the_same_colour_in_every_picture(void **state)
{
    (void)state;
    needs_gnuplot();
    static const struct {
        const char *picture, *what, *hex;
    } colours[] = {{"timeline", "leader", "0072B2"},    {"timeline", "follower", "56B4E9"},
                   {"timeline", "down", "999999"},      {"timeline", "cut off", "CC79A7"},
                   {"timeline", "ok", "009E73"},        {"timeline", "lost", "D55E00"},
                   {"timeline", "candidate", "F0E442"}, {"timeline", "unknown", "E69F00"},
                   {"operations", "ok", "009E73"},      {"operations", "fail", "D55E00"},
                   {"operations", "unknown", "E69F00"}, {"latency", "p50", "0072B2"}};
    for (size_t i = 0; i < sizeof colours / sizeof *colours; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.svg", colours[i].picture);
        char *svg = read_file(whole, name);
        if (!has_colour(svg, colours[i].hex))
            print_error("%s: %s is not #%s\n", name, colours[i].what, colours[i].hex);
        assert_true(has_colour(svg, colours[i].hex));
        free(svg);
    }
}

static void test_no_text_is_smaller_than_11_px(void **state)
{
    (void)state;
    needs_gnuplot();
    for (size_t i = 0; i < PICTURES; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.svg", pictures[i]);
        char *svg = read_file(whole, name);
        size_t sizes = 0;
        for (const char *p = svg; (p = strstr(p, "font-size")); p++) {
            const char *digits = p + strcspn(p, "0123456789");
            double size = strtod(digits, NULL);
            if (size < 11) print_error("%s: %.40s\n", name, p);
            assert_true(size >= 11);
            sizes++;
        }
        assert_true(sizes > 5);
        free(svg);
    }
}

static void test_a_picture_can_be_drawn_again_from_what_lies_beside_it(void **state)
{
    (void)state;
    needs_gnuplot();
    char *before = read_file(whole, "timeline.svg");
    shell("cd %s/plots && rm ../timeline.svg && gnuplot timeline.gp", whole);
    char *after = read_file(whole, "timeline.svg");
    assert_string_equal(before, after);
    free(before);
    free(after);
}

/* ---- runs with little to show ---- */

#define LITTLE                                                                                 \
    "name: little\nseed: 1\nduration: 3s\nfinish: {quiesce: 1s}\n"                             \
    "cluster: {regions: [{name: dc1, nodes: [a]}]}\nengine: {name: hash}\nreplication: "       \
    "{scheme: none}\n"

/* A run into a folder; its trace hash is left in trace_hash. */
static int write_run(const char *text, const char *folder)
{
    struct scenario_errors errors = {0};
    struct scenario *scenario = scenario_load_text("p.yaml", text, strlen(text), &errors);
    for (size_t i = 0; i < errors.count; i++) print_error("%s\n", errors.items[i]);
    scenario_errors_deinit(&errors);
    if (!scenario) return -EINVAL;
    struct plan *plan = plan_create(scenario, &(struct plan_request){0}, &errors);
    struct run *run = run_execute(plan, &(struct run_request){0});
    const char *where = NULL;
    int error = result_write(run, folder, &where);
    snprintf(trace_hash, sizeof trace_hash, "%016llx", (unsigned long long)run->trace_hash);
    run_destroy(run);
    plan_destroy(plan);
    scenario_destroy(scenario);
    return error;
}

static void test_a_run_without_an_answer_is_drawn_without_a_word(void **state)
{
    (void)state;
    needs_gnuplot();
    char hash[32];
    memcpy(hash, trace_hash, sizeof hash);
    static const char *const texts[] = {
        LITTLE, /* nobody asks */
        LITTLE "workloads: [{name: w, rate: 9/s, start: 1s, mix: {write: 100%}}]\n"
               "timeline: [{at: 0s, crash: {node: a}}]\n",                /* nobody answers */
        LITTLE "workloads: [{name: w, count: 1, mix: {write: 100%}}]\n"}; /* one value */
    for (size_t i = 0; i < 3; i++) {
        shell("rm -rf %s", damaged);
        assert_int_equal(write_run(texts[i], damaged), 0);
        assert_int_equal(draw(damaged), 0);
        assert_string_equal(said, "");
    }
    shell("rm -rf %s", damaged);
    assert_int_equal(
        write_run("name: blink\nduration: 2ms\ncluster: {regions: [{name: dc1, nodes: "
                  "[a]}]}\nengine: {name: hash}\nreplication: {scheme: none}\n",
                  damaged),
        0);
    shell("touch %s/timeline.svg", damaged);
    assert_int_equal(draw(damaged), 0);
    SAYS("shorter than a bucket of series.csv: no plots are drawn");
    shell("! ls %s/*.svg %s/*.png 2>/dev/null", damaged, damaged);
    memcpy(trace_hash, hash, sizeof hash);
}

/* ---- bad folders ---- */

static void test_a_missing_file_is_named(void **state)
{
    (void)state;
    static const char *const files[] = {"result.json", "timeline.jsonl", "series.csv",
                                        "history.jsonl", "violations.csv"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        fresh_copy();
        shell("rm %s/%s", damaged, files[i]);
        assert_true(draw(damaged) < 0);
        SAYS(files[i]);
        SAYS("faultline: ");
    }
    assert_true(draw("/nonexistent/folder") < 0);
    SAYS("'/nonexistent/folder': No such file or directory");
    assert_true(draw("/dev/null") < 0);
    SAYS("'/dev/null': no folder");
    assert_true(draw("/") < 0);
    SAYS("//result.json: no result.json here (of a run), nor a bench.json");
}

static void test_a_broken_line_is_named_by_file_and_number(void **state)
{
    (void)state;
    static const char *const files[] = {"timeline.jsonl", "history.jsonl"};
    for (size_t i = 0; i < 2; i++) {
        char wanted[64];
        fresh_copy();
        shell("sed -i '3s/.*/{\"time\": 12, /' %s/%s", damaged, files[i]);
        assert_int_equal(draw(damaged), -EBADMSG);
        snprintf(wanted, sizeof wanted, "%s:3: ", files[i]);
        SAYS(wanted);
    }
    static const char *const damages[][2] = {
        {"timeline.jsonl", "s/.*/[1, 2]/"},
        {"timeline.jsonl", "s/\"time\":[0-9]*/\"time\":\"soon\"/"},
        {"timeline.jsonl", "s/\"time\":[0-9]*/\"time\":-1/"},
        {"timeline.jsonl", "s/\"until\":[0-9a-z]*/\"until\":0.5/"},
        {"history.jsonl", "s/.*/17/"},
        {"history.jsonl", "s/.*/[]/"},
        {"history.jsonl", "s/\"invoke\":[0-9]*/\"invoked\":1/"},
        {"history.jsonl", "s/\"return\":[0-9]*/\"return\":\"late\"/"},
        {"history.jsonl", "s/\"return\":[0-9]*/\"return\":1/"}}; /* before it was asked */
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        char wanted[64];
        fresh_copy();
        shell("sed -i '3%s' %s/%s", damages[i][1], damaged, damages[i][0]);
        assert_int_equal(draw(damaged), -EBADMSG);
        snprintf(wanted, sizeof wanted, "%s:3: ", damages[i][0]);
        SAYS(wanted);
    }
    fresh_copy();
    shell("echo '{\"version\": 1,' >%s/result.json", damaged);
    assert_int_equal(draw(damaged), -EBADMSG);
    SAYS("result.json:");
}

static void test_too_few_columns_are_named_by_file_and_line(void **state)
{
    (void)state;
    fresh_copy();
    shell("sed -i '5s/,[^,]*$//' %s/series.csv", damaged);
    assert_int_equal(draw(damaged), -EBADMSG);
    SAYS("series.csv:5: too few columns");
    fresh_copy();
    shell("sed -i '2s/.*/17/' %s/violations.csv", damaged);
    assert_int_equal(draw(damaged), -EBADMSG);
    SAYS("violations.csv:2: ");
}

static void test_numbers_that_are_none_are_named_by_file_and_line(void **state)
{
    (void)state;
    static const char *const damages[][2] = {
        {"1d", "series.csv:1: no header"},
        {"7s/^[0-9]*/x/", "series.csv:7: time_ns does not rise"},
        {"7s/^[0-9]*/1/", "series.csv:7: time_ns does not rise"},
        {"7s/^[0-9]*/9999999999999999999999/", "series.csv:7: time_ns does not rise"},
        {"2s/^[0-9]*/-1/", "series.csv:2: time_ns does not rise"},
        {"7s/,[0-9]*/,x/", "series.csv:7: column 2, 'x': is no number"},
        {"7s/,[0-9]*/,-1/", "series.csv:7: column 2, '-1': is no number"},
        {"7s/,[^,]*/,1.5/7", "series.csv:7: column 8, '1.5': is no number"},
        {"7s/,[^,]*/,nan/5", "series.csv:7: column 6, 'nan': is neither empty nor"},
        {"7s/,[^,]*/,2/8", "series.csv:7: column 9, '2': is neither 0 nor 1"},
        {"7s/,[^,]*/,/9", "series.csv:7: column 10, '': is no role"},
        {"7s/,[^,]*/,much/11", "series.csv:7: column 12, 'much': is no number"},
        {"2,$d", "series.csv:2: has no rows"}};
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        fresh_copy();
        shell("sed -i '%s' %s/series.csv", damages[i][0], damaged);
        assert_int_equal(draw(damaged), -EBADMSG);
        SAYS(damages[i][1]);
    }
    fresh_copy();
    shell(": >%s/series.csv", damaged);
    assert_int_equal(draw(damaged), -EBADMSG);
    SAYS("series.csv:1: no header");
    fresh_copy();
    shell("sed -i 's/\"nodes\": \\[$/\"knots\": [/' %s/result.json", damaged);
    assert_int_equal(draw(damaged), -EBADMSG);
    SAYS("result.json: nodes is missing");
    static const char *const times[] = {"duration_ns", "ended_ns", "bucket_ns"};
    for (size_t i = 0; i < 6; i++) {
        fresh_copy();
        shell(i % 2 ? "sed -i 's/\"%s\": /&-/' %s/result.json"
                    : "sed -i '/\"%s\": /d' %s/result.json",
              times[i / 2], damaged);
        assert_int_equal(draw(damaged), -EBADMSG);
        SAYS(times[i / 2]);
        SAYS("is no number");
    }
    fresh_copy();
    shell("sed -i '2s/^[0-9]*/soon/' %s/violations.csv", damaged);
    assert_int_equal(draw(damaged), -EBADMSG);
    SAYS("violations.csv:2: time_ns is no number");
}

static void test_a_failure_leaves_no_picture(void **state)
{
    (void)state;
    fresh_copy();
    shell("touch %s/timeline.svg %s/latency.png", damaged, damaged);
    shell("echo '[]' >>%s/history.jsonl", damaged);
    assert_int_equal(draw(damaged), -EBADMSG);
    shell("! ls %s/*.svg %s/*.png 2>/dev/null", damaged, damaged);

    /* A gnuplot that dies over the second picture. */
    shell("mkdir -p %s/bin && printf '#!/bin/sh\\ntouch ../timeline.svg ../latency.svg\\ntest "
          "$1 = timeline.gp\\n' >%s/bin/gnuplot && chmod +x %s/bin/gnuplot",
          scratch, scratch, scratch);
    char *path = strdup(getenv("PATH")), first[8192];
    snprintf(first, sizeof first, "%s/bin:%s", scratch, path);
    setenv("PATH", first, 1);
    fresh_copy();
    int error = draw(damaged);
    setenv("PATH", path, 1);
    free(path);
    assert_int_equal(error, -EIO);
    SAYS("gnuplot failed on");
    SAYS("latency.gp");
    shell("! ls %s/*.svg %s/*.png 2>/dev/null", damaged, damaged);

    /* What is no result folder is left alone. */
    shell("rm %s/result.json && touch %s/timeline.svg", damaged, damaged);
    assert_true(draw(damaged) < 0);
    shell("test -e %s/timeline.svg", damaged);
}

static void test_another_version_is_refused(void **state)
{
    (void)state;
    static const char *const versions[] = {"\"version\": 2,", "\"version\": \"1\",", ""};
    for (size_t i = 0; i < 3; i++) {
        fresh_copy();
        shell("sed -i 's/^  \"version\": 1,/  %s/' %s/result.json", versions[i], damaged);
        assert_int_equal(draw(damaged), -EBADMSG);
        SAYS("version is not 1");
    }
}

/* A node whose name would be a command, if names were more than text. */
#define ATTACK                                                                                 \
    "sed -i 's|db-north|\\\\\"; system(\\\\\"touch %s-harmed\\\\\"); \\\\\"|' %s/result.json"

static void test_damage_of_any_kind_is_an_error_or_a_picture_and_never_a_crash(void **state)
{
    (void)state;
    static const char *const damages[] = {
        "echo '[]' >%s/result.json",
        "echo 'null' >%s/result.json",
        ": >%s/result.json",
        ": >%s/timeline.jsonl",
        ": >%s/series.csv",
        ": >%s/history.jsonl",
        ": >%s/violations.csv",
        "echo '[1, 2]' >>%s/timeline.jsonl",
        "echo '7' >>%s/history.jsonl",
        "echo '{}' >>%s/timeline.jsonl",
        "echo '{}' >>%s/history.jsonl",
        "head -c 100000 /dev/zero >%s/series.csv",
        "head -c 100000 /dev/zero >%s/history.jsonl",
        "sed -i 's/\"nodes\"/\"knots\"/' %s/result.json",
        "sed -i 's/\"duration_ns\": [0-9]*/\"duration_ns\": -5/' %s/result.json",
        "sed -i 's/[0-9]/x/g' %s/series.csv",
        "sed -i 's/,/,,/g' %s/series.csv",
        "sed -i 's/^[0-9]*/99999999999999999999999/' %s/series.csv",
        "sed -i 's/\"time\": *[0-9]*/\"time\": -1/' %s/timeline.jsonl",
        ATTACK,
        "sed -i 's/,\"time\"//' %s/timeline.jsonl"};
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        fresh_copy();
        char command[1024], *w = command;
        for (const char *p = damages[i]; *p; p++) {
            if (p[0] == '%' && p[1] == 's')
                w = stpcpy(w, damaged), p++;
            else
                *w++ = *p;
        }
        *w = 0;
        assert_int_equal(system(command), 0);
        bool is_attack = strstr(damages[i], "harmed") != NULL;
        int error = is_attack ? draw(damaged) : prepare(damaged);
        if (error) assert_true(*said);
    }
    char harmed[300];
    snprintf(harmed, sizeof harmed, "%s-harmed", damaged);
    assert_int_not_equal(access(harmed, F_OK), 0); /* names are data, not commands */
}

static void test_without_gnuplot_the_message_says_what_to_install(void **state)
{
    (void)state;
    fresh_copy();
    int error = prepare(damaged);
    assert_int_equal(error, -ENOENT);
    SAYS("gnuplot is not installed");
    SAYS("apt-get install gnuplot-nox");
    shell("test -s %s/plots/timeline.gp && test -s %s/plots/lanes.tsv", damaged,
          damaged); /* all but the drawing is done */
}

static void test_paths_of_the_pictures_that_are_there_are_printed(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    shell("rm -rf %s && mkdir %s && cd %s && touch timeline.svg operations.svg", damaged,
          damaged, damaged);
    plots_print(out, damaged);
    fclose(out);
    for (size_t i = 0; i < PICTURES; i++) {
        char path[300];
        snprintf(path, sizeof path, "%s/%s.svg", damaged, pictures[i]);
        assert_int_equal(strstr(text, path) != NULL, strcmp(pictures[i], "latency") != 0);
    }
    free(text);
}

/* ---- the folder that is drawn ---- */

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(scratch)) return -1;
    snprintf(whole, sizeof whole, "%s/whole", scratch);
    snprintf(damaged, sizeof damaged, "%s/damaged", scratch);
    has_gnuplot = system("gnuplot --version >/dev/null 2>&1") == 0;
    int error = write_run(scenario_text, whole);
    return error || !has_gnuplot ? error : plots_draw(whole);
}

static int tear_down(void **state)
{
    (void)state;
    shell("rm -rf %s", scratch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_picture_is_drawn_as_svg_and_png),
        cmocka_unit_test(test_every_picture_says_what_it_shows_and_how_to_make_it_again),
        cmocka_unit_test(test_the_timeline_names_nodes_faults_and_violations),
        cmocka_unit_test(test_the_same_thing_has_the_same_colour_in_every_picture),
        cmocka_unit_test(test_no_text_is_smaller_than_11_px),
        cmocka_unit_test(test_a_picture_can_be_drawn_again_from_what_lies_beside_it),
        cmocka_unit_test(test_a_run_without_an_answer_is_drawn_without_a_word),
        cmocka_unit_test(test_a_missing_file_is_named),
        cmocka_unit_test(test_a_broken_line_is_named_by_file_and_number),
        cmocka_unit_test(test_too_few_columns_are_named_by_file_and_line),
        cmocka_unit_test(test_numbers_that_are_none_are_named_by_file_and_line),
        cmocka_unit_test(test_a_failure_leaves_no_picture),
        cmocka_unit_test(test_another_version_is_refused),
        cmocka_unit_test(test_damage_of_any_kind_is_an_error_or_a_picture_and_never_a_crash),
        cmocka_unit_test(test_without_gnuplot_the_message_says_what_to_install),
        cmocka_unit_test(test_paths_of_the_pictures_that_are_there_are_printed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
