/* Files that are wrong: every kind gets its errors, each with line, column, place and remedy,
 * and all of a file at once.
 *
 * Method: each file of tests/scenario/bad opens with the exact errors that it must bring, one
 * `# error:` line each, in order. What is too large or too odd to keep as a file is made here:
 * ten megabytes of noise, NUL and broken UTF-8, a hundred and more errors, hostile shapes. Then
 * the fuzz: a good file with bytes flipped, deleted, doubled and moved must bring a plan or an
 * error, never a crash (the san variant and valgrind look on).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/kernel/random.h"
#include "sim/scenario/plan.h"
#include "sim/scenario/tree.h"
#include "tests/support/scale.h"

#define FOLDER "tests/scenario/bad"
#define ERROR_MARK "# error: "

static char *read_whole(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("cannot open %s (tests run in the root of the repository)", path);
    char *text = xmalloc(1 << 20);
    *size = fread(text, 1, (1 << 20) - 1, file);
    text[*size] = '\0';
    fclose(file);
    return text;
}

static void check_file(const char *path)
{
    size_t size;
    char *text = read_whole(path, &size);
    struct scenario_errors errors = {0};
    struct scenario *scenario = scenario_load(path, &errors);
    if (scenario) fail_msg("%s loads", path);
    size_t wanted = 0;
    const char *line = text;
    for (; strncmp(line, ERROR_MARK, strlen(ERROR_MARK)) == 0; wanted++) {
        const char *end = strchr(line, '\n');
        char *expected = NULL;
        size_t length = (size_t)(end - line) - strlen(ERROR_MARK),
               full = strlen(path) + 1 + length;
        expected = xmalloc(full + 1);
        snprintf(expected, full + 1, "%s:%.*s", path, (int)length, line + strlen(ERROR_MARK));
        if (wanted >= errors.count)
            fail_msg("%s: no error where '%s' is wanted", path, expected);
        if (strcmp(errors.items[wanted], expected) != 0)
            fail_msg("%s:\n  got    %s\n  wanted %s", path, errors.items[wanted], expected);
        free(expected);
        line = end + 1;
    }
    if (wanted == 0) fail_msg("%s names no error", path);
    if (errors.count != wanted) fail_msg("%s: one error more: %s", path, errors.items[wanted]);
    scenario_errors_deinit(&errors);
    free(text);
}

static void test_every_bad_file_brings_exactly_its_errors(void **state)
{
    (void)state;
    DIR *dir = opendir(FOLDER);
    assert_non_null(dir);
    uint32_t files = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        char path[512];
        snprintf(path, sizeof path, FOLDER "/%s", entry->d_name);
        check_file(path);
        files++;
    }
    closedir(dir);
    assert_true(files >= 80);
}

/* The first error of a text that must not load; the caller frees. */
static char *first_error(const char *text, size_t size, size_t *count)
{
    struct scenario_errors errors = {0};
    struct scenario *scenario = scenario_load_text("t.yaml", text, size, &errors);
    assert_null(scenario);
    assert_true(errors.count > 0);
    char *first = xstrdup(errors.items[0]);
    if (count) *count = errors.count;
    scenario_errors_deinit(&errors);
    return first;
}

static void check_first(const char *text, size_t size, const char *wanted)
{
    char *error = first_error(text, size, NULL);
    assert_string_equal(error, wanted);
    free(error);
}

static void test_noise_and_odd_bytes_are_placed(void **state)
{
    (void)state;
    size_t size = 10 << 20;
    char *noise = xmalloc(size);
    struct rng rng;
    rng_init(&rng, 1, "test", "noise", NULL);
    for (size_t i = 0; i < size; i++) noise[i] = (char)rng_u64(&rng);
    check_first(noise, size, "t.yaml:1:1: larger than 1 MiB: not a scenario");
    for (size_t i = 0; i < 200; i++) { /* smaller noise: some of it is text */
        for (size_t k = 0; k < 64; k++)
            noise[k] = (char)(i % 2 ? rng_below(&rng, 96) + 32 : rng_below(&rng, 256));
        free(first_error(noise, 64, NULL));
    }
    memset(noise, 'a', 1 << 20);
    check_first(noise, 1 << 20,
                "t.yaml:1:1: a scenario is a mapping of keys (name: ..., duration: ...), not "
                "one value");
    memset(noise, '[', 1 << 20);
    check_first(noise, 1 << 20, "t.yaml:1:33: nested deeper than 32 levels");
    free(noise);
    check_first("name: a\nabout: b\0c\n", 19, "t.yaml:2:9: a NUL byte: a scenario is text");
    check_first("name: a\nabout: \xc3(\n", 18,
                "t.yaml:2:8: byte 0xc3 is not UTF-8: save the file as UTF-8");
    check_first("\xff\xfen\0a\0", 6,
                "t.yaml:1:1: byte 0xff is not UTF-8: save the file as UTF-8");
    check_first("about: \xed\xa0\x80\n", 11,
                "t.yaml:1:8: byte 0xed is not UTF-8: save the file as UTF-8");
    check_first("\"a\\0b\"\n", 7, "t.yaml:1:1: a NUL in a text");
}

static void test_many_errors_are_cut_at_a_hundred(void **state)
{
    (void)state;
    char text[8192] = "";
    size_t size = 0, count;
    for (int i = 0; i < 200; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "key-%d: 1\n", i);
    free(first_error(text, size, &count));
    assert_int_equal(count, 101); /* and a line that says so */
    size = 0;
    static char wide[1 << 16];
    for (int i = 0; i < 1100; i++)
        size += (size_t)snprintf(wide + size, sizeof wide - size, "k%d: 1\n", i);
    check_first(wide, size, "t.yaml:1001:1: more than 1000 keys in one mapping");
}

static void test_hostile_shapes_end_quickly(void **state)
{
    (void)state;
    size_t size = 0, room = 1 << 20;
    char *text = xmalloc(room);
    size = (size_t)snprintf(text, room, "cluster: {regions: [{name: r, nodes: [");
    while (size < 600000) size += (size_t)snprintf(text + size, room - size, "n%zu,", size);
    size += (size_t)snprintf(text + size, room - size, "]}]}\n");
    free(first_error(text, size, NULL));
    size = (size_t)snprintf(text, room, "workloads:\n");
    while (size < 400000)
        size += (size_t)snprintf(text + size, room - size, "- {name: w%zu}\n", size);
    free(first_error(text, size, NULL));
    size = (size_t)snprintf(text, room, "timeline: &a [{id: x}]\n");
    for (int i = 0; i < 20000; i++) size += (size_t)snprintf(text + size, room - size, "#\n");
    size += (size_t)snprintf(text + size, room - size, "variants: [");
    for (int i = 0; i < 900; i++)
        size +=
            (size_t)snprintf(text + size, room - size, "{name: v%d, set: {timeline: *a}},", i);
    size += (size_t)snprintf(text + size, room - size, "]\n");
    free(first_error(text, size, NULL));
    free(text);
}

static void test_a_file_that_cannot_be_read_says_why(void **state)
{
    (void)state;
    struct scenario_errors errors = {0};
    assert_null(scenario_load("tests/scenario/no-such.yaml", &errors));
    assert_string_equal(errors.items[0],
                        "tests/scenario/no-such.yaml: No such file or directory");
    scenario_errors_deinit(&errors);
    assert_null(scenario_load("tests/scenario", &errors));
    assert_string_equal(errors.items[0], "tests/scenario: Is a directory");
    scenario_errors_deinit(&errors);
}

static void test_nearest_word_is_near(void **state)
{
    (void)state;
    static const char *const words[] = {"partition", "cut", "power_off", "pause",
                                        "promote",   "at",  NULL};
    static const struct {
        const char *word, *nearest;
    } cases[] = {
        {"partiton", "partition"},
        {"patrition", "partition"},
        {"prtitoin", "partition"},
        {"cu", "cut"},
        {"poweroff", "power_off"},
        {"puase", "pause"},
        {"ta", "at"},
        {"xyz", NULL},
        {"", NULL},
        {"party", NULL},
        {"partitionpartition", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *nearest = nearest_word(cases[i].word, words);
        if (!cases[i].nearest)
            assert_null(nearest);
        else
            assert_string_equal(nearest, cases[i].nearest);
    }
}

/* ---- fuzz ---- */

static size_t mutate(char *text, size_t size, size_t room, struct rng *rng)
{
    uint64_t edits = 1 + rng_below(rng, 4);
    for (uint64_t i = 0; i < edits && size > 1; i++) {
        size_t at = (size_t)rng_below(rng, size), length = 1 + (size_t)rng_below(rng, 12);
        uint64_t kind = rng_below(rng, 6);
        static const char odd[] = "{}[]:,-&*#?|>!%@`'\"~ \t\n.0x";
        if (at + length > size) length = size - at;
        switch (kind) {
        case 0: text[at] = (char)(text[at] ^ (1 << rng_below(rng, 8))); break;
        case 1: text[at] = odd[rng_below(rng, sizeof odd - 1)]; break;
        case 2:
            memmove(text + at, text + at + length, size - at - length);
            size -= length;
            break;
        case 3: /* doubled */
            if (size + length > room) break;
            memmove(text + at + length, text + at, size - at);
            size += length;
            break;
        case 4: { /* copied elsewhere */
            size_t to = (size_t)rng_below(rng, size - length + 1);
            memmove(text + to, text + at, length);
            break;
        }
        default: text[at] = (char)('0' + rng_below(rng, 10)); break;
        }
    }
    return size;
}

static void test_a_mutated_file_brings_a_plan_or_an_error(void **state)
{
    (void)state;
    static const char *const files[] = {"scenarios/incidents/github-2012-stale-promotion.yaml",
                                        "scenarios/literature/replica-lag.yaml",
                                        "scenarios/literature/zombie-leader.yaml"};
    const char *seed_text = getenv("SEED");
    uint64_t seed = seed_text ? strtoull(seed_text, NULL, 10) : 1;
    uint32_t rounds = (uint32_t)test_scaled(2000, 100000), loaded = 0, refused = 0;
    for (uint32_t round = 0; round < rounds; round++) {
        struct rng rng;
        char name[32];
        snprintf(name, sizeof name, "%u", round);
        rng_init(&rng, seed, "fuzz", name, NULL);
        static char *texts[3];
        static size_t sizes[3];
        uint32_t which = round % 3;
        if (!texts[which]) texts[which] = read_whole(files[which], &sizes[which]);
        size_t room = sizes[which] * 2;
        char *text =
            xmalloc(room); /* exactly as long as it is: a read beyond the end is seen */
        memcpy(text, texts[which], sizes[which]);
        size_t size = mutate(text, sizes[which], room, &rng);
        text = xrealloc(text, size);
        struct scenario_errors errors = {0};
        struct scenario *scenario = scenario_load_text("fuzz.yaml", text, size, &errors);
        if ((scenario != NULL) == (errors.count > 0))
            fail_msg("SEED=%llu round %u: neither plan nor error, or both",
                     (unsigned long long)seed, round);
        for (size_t i = 0; i < errors.count; i++)
            if (strncmp(errors.items[i], "fuzz.yaml:", 10) != 0 ||
                strstr(errors.items[i], "libcyaml"))
                fail_msg("SEED=%llu round %u: %s", (unsigned long long)seed, round,
                         errors.items[i]);
        if (scenario) {
            struct plan *plan = plan_create(
                scenario, &(struct plan_request){.has_seed = true, .seed = round}, &errors);
            if (!plan)
                fail_msg("SEED=%llu round %u: loads, but not under another seed: %s",
                         (unsigned long long)seed, round, errors.items[0]);
            plan_destroy(plan);
            loaded++;
        } else {
            refused++;
        }
        scenario_errors_deinit(&errors);
        scenario_destroy(scenario);
        free(text);
        if (round + 3 >= rounds) {
            free(texts[which]);
            texts[which] = NULL;
        }
    }
    assert_true(loaded >
                rounds / 50); /* comments and words were hit too: the fuzz is not all noise */
    assert_true(refused > rounds / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_bad_file_brings_exactly_its_errors),
        cmocka_unit_test(test_noise_and_odd_bytes_are_placed),
        cmocka_unit_test(test_many_errors_are_cut_at_a_hundred),
        cmocka_unit_test(test_hostile_shapes_end_quickly),
        cmocka_unit_test(test_a_file_that_cannot_be_read_says_why),
        cmocka_unit_test(test_nearest_word_is_near),
        cmocka_unit_test(test_a_mutated_file_brings_a_plan_or_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
