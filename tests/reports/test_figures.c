/* Goal: the pictures of an engine benchmark say what they show, give every engine one colour
 * and one shape, and can be made again; a damaged folder is named by file and line and leaves
 * no picture. Method: a folder is written by hand, with figures of a known shape (a get of
 * `log` grows with N, one of `hash` does not); it is drawn, and texts and colours are looked
 * for in the SVG files. Without gnuplot the drawing tests are skipped, those of bad folders are
 * not.
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
#include <unistd.h>

#include "reports/plots.h"

static char scratch[] = "/tmp/faultline-figures-test-XX"
                        "XXXX";
static char whole[256], damaged[256], said[1 << 16];
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

static bool is_there(const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
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

static void assert_holds(const char *picture, const char *text, const char *wanted)
{
    if (!strstr(text, wanted)) print_error("%s lacks '%s'\n", picture, wanted);
    assert_non_null(strstr(text, wanted));
}

/* What an SVG shows to a reader, a line an element. */
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

/* gnuplot writes a colour as #RRGGBB or rgb(  0, 114, 178). */
static bool has_colour(const char *svg, const char *hex)
{
    unsigned r, g, b;
    char as_rgb[64], hash[16], lower[16];
    sscanf(hex, "%2x%2x%2x", &r, &g, &b);
    snprintf(as_rgb, sizeof as_rgb, "rgb(%3u, %3u, %3u)", r, g, b);
    snprintf(hash, sizeof hash, "#%s", hex);
    for (size_t i = 0; i <= strlen(hash); i++)
        lower[i] = (char)(hash[i] >= 'A' && hash[i] <= 'Z' ? hash[i] + 32 : hash[i]);
    return strstr(svg, as_rgb) || strstr(svg, hash) || strstr(svg, lower);
}

static void needs_gnuplot(void)
{
    if (!has_gnuplot) {
        print_message("gnuplot is not installed: ");
        skip();
    }
}

/* ---- the folder that is drawn ---- */

static const char *const engines[] = {"btree", "hash", "log", "lsm"};
static const char *const colours[] = {"009E73", "E69F00", "000000", "0072B2"};
static const char *const workloads[] = {"fillsync",    "fillrandom", "overwrite", "readrandom",
                                        "readmissing", "scan100",    "reopen",    "ycsb_a"};

/* ns an operation. */
static double cost(size_t engine, const char *workload, double keys)
{
    double base[] = {1200, 600, 700, 1500};
    bool reads = !strncmp(workload, "read", 4) || !strcmp(workload, "scan100");
    if (engine == 2 && (reads || !strcmp(workload, "reopen"))) return keys * 50;
    return !strcmp(workload, "fillsync") ? 200000 : base[engine];
}

static void write_whole(void)
{
    char path[512];
    shell("mkdir %s", whole);
    snprintf(path, sizeof path, "%s/bench.jsonl", whole);
    FILE *rows = fopen(path, "w");
    snprintf(path, sizeof path, "%s/bench-latency.csv", whole);
    FILE *latencies = fopen(path, "w");
    fputs("engine,workload,keys,low_ns,high_ns,count\n", latencies);
    for (double keys = 1000; keys <= 100000; keys *= 10)
        for (size_t w = 0; w < 8; w++)
            for (size_t e = 0; e < 4; e++) {
                double ns = cost(e, workloads[w], keys), n = 1000;
                bool reads = !strcmp(workloads[w], "readrandom");
                if (w == 0 && keys > 1000) continue; /* fillsync has one size */
                fprintf(
                    rows,
                    "{\"engine\":\"%s\",\"workload\":\"%s\",\"keys\":%.0f,\"value_size\":100"
                    ",\"batch_size\":1,\"operations\":%.0f,\"planned\":1000,\"seconds\":%.9f,"
                    "\"cpu_seconds\":%.9f,\"rate\":%.3f,\"cpu_rate\":%.3f,\"p50_ns\":10,"
                    "\"p99_ns\":20,\"write_amplification\":%s,\"read_amplification\":%s,"
                    "\"space_amplification\":1.5,\"reads\":{\"user_read\":1000},\"read\":{"
                    "\"user_read\":%.0f}}\n",
                    engines[e], workloads[w], w ? keys : 2000, n, n * ns / 1e9, n * ns / 1e9,
                    1e9 / ns, 1e9 / ns, !strcmp(workloads[w], "overwrite") ? "3.25" : "null",
                    reads ? "12.5" : "null", reads ? n * (e == 2 ? keys * 100 : 148) : 0);
                for (int octave = 0; octave < 8; octave++)
                    fprintf(latencies, "%s,%s,%.0f,%.0f,%.0f,%d\n", engines[e], workloads[w],
                            w ? keys : 2000, ns * (1 << octave), ns * (1 << octave) * 1.06,
                            1 << (8 - octave));
            }
    fprintf(rows,
            "{\"engine\":\"hash\",\"workload\":\"ycsb_e\",\"keys\":1000,\"value_size\":100,"
            "\"batch_size\":1,\"operations\":0,\"skipped\":\"scans come in no order\"}\n");
    fclose(rows);
    fclose(latencies);
    shell("echo '{\"version\": 1, \"kind\": \"bench\", \"mode\": \"real\", \"disk\": \"real "
          "files\", \"value_size\": 100, \"repeat\": 3, \"seed\": 7, \"settings\": "
          "[\"lsm.block_size=4KiB\"]}' >%s/bench.json",
          whole);
    snprintf(path, sizeof path, "%s/fidelity.jsonl", whole);
    FILE *cells = fopen(path, "w");
    static const double ratios[] = {1.0, 0.9, 1.2, 2.5, 0.95};
    for (size_t i = 0; i < 5; i++)
        fprintf(cells,
                "{\"engine\":\"%s\",\"workload\":\"%s\",\"real_rate\":%d,\"simulated_rate\":%f}"
                "\n",
                engines[i % 4], workloads[i], 1000 << (3 * i), ratios[i] * (1000 << (3 * i)));
    fclose(cells);
    shell(
        "echo '{\"version\": 1, \"kind\": \"fidelity\", \"keys\": 100000, \"value_size\": 100, "
        "\"repeat\": 3}' >%s/fidelity.json",
        whole);
}

static const char *const pictures[] = {"rates", "latencies", "amplification", "growth",
                                       "fidelity"};
static const char *const titles[] = {
    "Which engine is fastest at what?",
    "How long do most operations take, and how long the slowest?",
    "How many bytes does a byte cost?", "What does a store cost as it grows?",
    "Is the simulation true? Half of 5 cells are off by less than 11 %"};
#define PICTURES 5

/* ---- a good folder ---- */

static void test_every_picture_says_what_it_shows_and_how_to_make_it_again(void **state)
{
    (void)state;
    needs_gnuplot();
    assert_int_equal(draw(whole), 0);
    assert_string_equal(said, ""); /* gnuplot warned of nothing */
    for (size_t i = 0; i < PICTURES; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.png", pictures[i]);
        assert_true(is_there(whole, name));
        snprintf(name, sizeof name, "%s.svg", pictures[i]);
        char *svg = read_file(whole, name), *text = text_shown(svg);
        assert_holds(name, text, titles[i]);
        assert_holds(name, text, "bench engines");
        assert_holds(name, text, "values of 100 B, median of 3");
        if (i < 4) assert_holds(name, text, "seed 7, lsm.block_size=4KiB");
        free(svg);
        free(text);
    }
}

static void test_an_engine_has_one_colour_in_every_picture(void **state)
{
    (void)state;
    needs_gnuplot();
    for (size_t i = 0; i < PICTURES; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.svg", pictures[i]);
        char *svg = read_file(whole, name), *text = text_shown(svg);
        for (size_t e = 0; e < 4; e++) {
            assert_holds(name, text, engines[e]);
            if (!has_colour(svg, colours[e]))
                print_error("%s: %s is not #%s\n", name, engines[e], colours[e]);
            assert_true(has_colour(svg, colours[e]));
        }
        free(svg);
        free(text);
    }
    /* The shapes too: what the scripts are told is the same file for all. */
    char path[64] = "plots/bench-params.gp", *params = read_file(whole, path);
    assert_holds(path, params,
                 "name(e) = e == 0 ? \"log\" : e == 1 ? \"hash\" : e == 2 ? \"lsm\"");
    assert_holds(path, params, "shape(e) = e == 0 ? 13 : e == 1 ? 5 : e == 2 ? 7 : 9");
    free(params);
}

static void test_figures_stand_in_the_pictures(void **state)
{
    (void)state;
    needs_gnuplot();
    char *svg = read_file(whole, "rates.svg"), *text = text_shown(svg);
    assert_holds("rates", text, "hash 1.67M/s, 1.2 x log"); /* puts: 600 ns to 700 ns */
    assert_holds("rates", text, "5.00k/s");                 /* durable puts, by the clock */
    assert_holds("rates", text, "operations per CPU-second");
    free(svg);
    free(text);
    svg = read_file(whole, "growth.svg");
    text = text_shown(svg);
    assert_holds("growth", text, "log 5.0 ms"); /* 100,000 keys, 50 ns each */
    assert_holds("growth", text, "hash 600 ns");
    assert_holds("growth", text, "log 10.0 MB");
    assert_holds("growth", text, "hash 148 B");
    assert_holds("growth", text, "1k to 100k keys");
    assert_holds("growth", text, "grows with N");
    free(svg);
    free(text);
    svg = read_file(whole, "amplification.svg");
    text = text_shown(svg);
    assert_holds("amplification", text, "written / put (overwrite)");
    assert_holds("amplification", text, "3.25 x");
    assert_holds("amplification", text, "12.5 x");
    free(svg);
    free(text);
    svg = read_file(whole, "fidelity.svg");
    text = text_shown(svg);
    assert_holds("fidelity", text, "lsm readrandom 2.50"); /* the worst is named first */
    free(svg);
    free(text);
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
            double size = strtod(p + strcspn(p, "0123456789"), NULL);
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
    static const char *const scripts[] = {"rates", "growth", "fidelity"};
    for (size_t i = 0; i < 3; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.svg", scripts[i]);
        char *before = read_file(whole, name);
        shell("cd %s/plots && rm ../%s && gnuplot %s.gp", whole, name, scripts[i]);
        char *after = read_file(whole, name);
        assert_string_equal(before, after);
        free(before);
        free(after);
    }
}

static void test_one_size_has_no_growth_and_an_old_picture_of_it_goes(void **state)
{
    (void)state;
    needs_gnuplot();
    fresh_copy();
    shell("cd %s && grep -v '\"keys\":10000' bench.jsonl >x && mv x bench.jsonl && touch "
          "growth.svg",
          damaged);
    assert_int_equal(draw(damaged), 0);
    assert_false(is_there(damaged, "growth.svg"));
    assert_true(is_there(damaged, "rates.svg"));
}

static void test_an_engine_nobody_knows_is_drawn_too(void **state)
{
    (void)state;
    needs_gnuplot();
    fresh_copy();
    shell("sed -i 's/\"lsm\"/\"fractal\"/' %s/bench.jsonl %s/fidelity.jsonl", damaged, damaged);
    assert_int_equal(draw(damaged), 0);
    char *svg = read_file(damaged, "rates.svg"), *text = text_shown(svg);
    assert_holds("rates", text, "fractal");
    assert_true(has_colour(svg, "CC79A7"));
    free(svg);
    free(text);
}

static void test_a_simulated_benchmark_says_that_its_time_is_virtual(void **state)
{
    (void)state;
    needs_gnuplot();
    fresh_copy();
    shell("cd %s && sed -i 's/\"cpu_seconds\":[0-9.]*/\"cpu_seconds\":null/; "
          "s/\"cpu_rate\":[0-9.]*/\"cpu_rate\":null/' bench.jsonl && sed -i "
          "'s/\"real\"/\"sim\"/; s/real files/hdd/' bench.json",
          damaged);
    assert_int_equal(draw(damaged), 0);
    char *svg = read_file(damaged, "rates.svg"), *text = text_shown(svg);
    assert_holds("rates", text, "virtual time");
    assert_holds("rates", text, "simulated hdd");
    free(svg);
    free(text);
}

/* ---- bad folders ---- */

static void test_what_is_wrong_is_named_by_file_and_line(void **state)
{
    (void)state;
    static const struct {
        const char *damage, *says;
    } cases[] = {
        {"sed -i '3s/.*/{\"engine\":/' bench.jsonl", "bench.jsonl:3: "},
        {"sed -i '2s/.*/[1]/' bench.jsonl", "bench.jsonl:2: is no JSON object"},
        {"sed -i '4s/\"keys\":[0-9]*/\"keys\":\"many\"/' bench.jsonl",
         "bench.jsonl:4: keys is no number above 0"},
        {"sed -i '4s/\"engine\":\"[a-z]*\"/\"engine\":7/' bench.jsonl",
         "bench.jsonl:4: engine is no name"},
        {": >bench.jsonl", "bench.jsonl: has no figures"},
        {"rm bench.jsonl", "bench.jsonl: No such file"},
        {"rm bench-latency.csv", "bench-latency.csv: No such file"},
        {"echo a,b >bench-latency.csv", "bench-latency.csv:1: is no engine,workload"},
        {"sed -i '5s/,/;/g' bench-latency.csv", "bench-latency.csv:5: is no engine,workload"},
        {"sed -i 's/\"version\": 1/\"version\": 2/' bench.json", "version is not 1"},
        {"echo '{' >bench.json", "bench.json:"},
        {"sed -i '2s/\"real_rate\":[0-9]*/\"real_rate\":0/' fidelity.jsonl",
         "fidelity.jsonl:2: real_rate is no number above 0"},
        {": >fidelity.jsonl", "fidelity.jsonl: has no cells"},
        {"for i in 1 2 3 4 5 6; do sed -n 1p bench.jsonl | sed s/btree/e$i/ >>bench.jsonl; "
         "done",
         "more than 8 engines"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fresh_copy();
        shell("cd %s && %s", damaged, cases[i].damage);
        int error = has_gnuplot ? draw(damaged) : prepare(damaged);
        if (!error || !strstr(said, cases[i].says))
            print_error("%s: %d, %s\n", cases[i].damage, error, said);
        assert_true(error < 0);
        assert_non_null(strstr(said, cases[i].says));
    }
}

static void test_a_failure_leaves_no_picture(void **state)
{
    (void)state;
    needs_gnuplot();
    fresh_copy();
    assert_int_equal(draw(damaged), 0);
    shell("sed -i '3s/.*/7/' %s/bench.jsonl", damaged);
    assert_int_equal(draw(damaged), -EBADMSG);
    shell("cd %s && ! ls rates.* latencies.* amplification.* growth.* 2>/dev/null", damaged);
}

static void test_names_are_data_and_no_commands(void **state)
{
    (void)state;
    needs_gnuplot();
    fresh_copy();
    shell("sed -i 's|\"hash\"|\"h\\\\\"; !touch x\"|' %s/bench.jsonl", damaged);
    shell("sed -i 's|\"real files\"|\"\\\\\"; system(\\\\\"touch %s/harmed\\\\\"); \\\\\"\"|' "
          "%s/bench.json",
          damaged, damaged);
    draw(damaged);
    assert_false(is_there(damaged, "harmed"));
    assert_false(is_there(damaged, "plots/x"));
}

static void test_without_gnuplot_data_and_scripts_are_left(void **state)
{
    (void)state;
    fresh_copy();
    shell("rm -f %s/*.svg %s/*.png", damaged, damaged);
    assert_int_equal(prepare(damaged), -ENOENT);
    assert_non_null(strstr(said, "gnuplot is not installed"));
    assert_true(is_there(damaged, "plots/rates.tsv"));
    assert_true(is_there(damaged, "plots/growth.gp"));
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(scratch)) return -1;
    snprintf(whole, sizeof whole, "%s/whole", scratch);
    snprintf(damaged, sizeof damaged, "%s/damaged", scratch);
    has_gnuplot = system("gnuplot --version >/dev/null 2>&1") == 0;
    write_whole();
    return 0;
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
        cmocka_unit_test(test_every_picture_says_what_it_shows_and_how_to_make_it_again),
        cmocka_unit_test(test_an_engine_has_one_colour_in_every_picture),
        cmocka_unit_test(test_figures_stand_in_the_pictures),
        cmocka_unit_test(test_no_text_is_smaller_than_11_px),
        cmocka_unit_test(test_a_picture_can_be_drawn_again_from_what_lies_beside_it),
        cmocka_unit_test(test_one_size_has_no_growth_and_an_old_picture_of_it_goes),
        cmocka_unit_test(test_an_engine_nobody_knows_is_drawn_too),
        cmocka_unit_test(test_a_simulated_benchmark_says_that_its_time_is_virtual),
        cmocka_unit_test(test_what_is_wrong_is_named_by_file_and_line),
        cmocka_unit_test(test_a_failure_leaves_no_picture),
        cmocka_unit_test(test_names_are_data_and_no_commands),
        cmocka_unit_test(test_without_gnuplot_data_and_scripts_are_left),
    };
    return cmocka_run_group_tests_name("figures", tests, set_up, tear_down);
}
