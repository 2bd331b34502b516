/* The vocabulary: what list, explain, the JSON Schema and the reference say is what the tables
 * hold.
 *
 * Method: output goes into memory and is searched for the words of every table; the reference
 * is compared with scenarios/README.md byte by byte; the first file of that page must load; the
 * schema judges all shipped scenarios and refuses bad ones by way of python3-jsonschema
 * (skipped where that is absent).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/scenario/plan.h"

#define REFERENCE_MARK                                                                         \
    "<!-- From here on: printed by `faultline schema --markdown`; a test compares. -->\n\n"

struct capture {
    char *text;
    size_t size;
    FILE *file;
};

static FILE *capture_begin(struct capture *c)
{
    c->file = open_memstream(&c->text, &c->size);
    return c->file;
}

static const char *capture_end(struct capture *c)
{
    fclose(c->file);
    return c->text;
}

static char *read_whole(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("cannot open %s (tests run in the root of the repository)", path);
    char *text = xcalloc(1, 1 << 20);
    size_t size = fread(text, 1, (1 << 20) - 1, file);
    assert_true(size > 0);
    fclose(file);
    return text;
}

static void test_the_reference_is_that_of_the_tables(void **state)
{
    (void)state;
    char *page = read_whole("scenarios/README.md"), *mark = strstr(page, REFERENCE_MARK);
    assert_non_null(mark);
    struct capture c;
    vocabulary_reference(capture_begin(&c));
    capture_end(&c);
    const char *written = mark + strlen(REFERENCE_MARK);
    if (strcmp(written, c.text) != 0) {
        size_t at = 0;
        while (written[at] && written[at] == c.text[at]) at++;
        while (at > 0 && written[at - 1] != '\n') at--;
        fail_msg("scenarios/README.md is not what `faultline schema --markdown` prints:\n  has "
                 " %.120s\n  now  %.120s",
                 written + at, c.text + at);
    }
    free(c.text);
    free(page);
}

static void test_the_first_file_of_the_reference_loads(void **state)
{
    (void)state;
    char *page = read_whole("scenarios/README.md"),
         *from = strstr(page, "## The smallest file\n\n"), text[4096];
    assert_non_null(from);
    size_t size = 0;
    for (const char *line = strchr(from, '\n') + 2; strncmp(line, "    ", 4) == 0;
         line = strchr(line, '\n') + 1)
        size += (size_t)snprintf(text + size, sizeof text - size, "%.*s",
                                 (int)(strchr(line, '\n') + 1 - line - 4), line + 4);
    struct scenario_errors errors = {0};
    struct scenario *scenario = scenario_load_text("first.yaml", text, size, &errors);
    for (size_t i = 0; i < errors.count; i++) print_error("%s\n", errors.items[i]);
    assert_non_null(scenario);
    assert_int_equal(scenario_variants(scenario), 2);
    scenario_destroy(scenario);
    free(page);
}

static void test_list_names_every_row(void **state)
{
    (void)state;
    struct capture c;
    vocabulary_list(capture_begin(&c), NULL);
    capture_end(&c);
    for (const struct action *a = action_table; a->name; a++)
        assert_non_null(strstr(c.text, a->name));
    for (const struct check *k = check_table; k->name; k++)
        assert_non_null(strstr(c.text, k->doc));
    for (uint32_t i = 0; engine_registry[i]; i++)
        assert_non_null(strstr(c.text, engine_registry[i]->doc));
    for (uint32_t i = 0; scheme_registry[i]; i++)
        assert_non_null(strstr(c.text, scheme_registry[i]->doc));
    for (uint32_t i = 0; operation_words[i]; i++)
        assert_non_null(strstr(c.text, operation_words[i]));
    for (const struct disk_preset *p = disk_presets; p->name; p++)
        assert_non_null(strstr(c.text, p->name));
    free(c.text);
    vocabulary_list(capture_begin(&c), "engines");
    capture_end(&c);
    assert_non_null(strstr(c.text, "hash"));
    assert_null(strstr(c.text, "single_leader"));
    free(c.text);
}

static void check_explained(const char *word, const char *holds)
{
    struct capture c;
    int err = vocabulary_explain(capture_begin(&c), word, NULL);
    capture_end(&c);
    if (err) fail_msg("'%s' is not explained", word);
    if (!strstr(c.text, holds))
        fail_msg("'%s' is explained without '%s':\n%s", word, holds, c.text);
    free(c.text);
}

static void test_explain_knows_every_word_and_the_nearest_of_others(void **state)
{
    (void)state;
    for (const struct check *k = check_table; k->name; k++)
        check_explained(k->name, k->source ? k->source : k->doc);
    for (const struct measure *m = measure_table; m->name; m++)
        check_explained(m->name, m->doc);
    for (const struct action *a = action_table; a->name; a++)
        check_explained(a->name, a->evidence);
    for (const struct network_preset *p = network_presets; p->name; p++)
        check_explained(p->name, p->source);
    for (const struct disk_preset *p = disk_presets; p->name; p++)
        check_explained(p->name, p->source);
    for (uint32_t i = 0; scheme_registry[i]; i++)
        for (size_t k = 0; k < scheme_registry[i]->options_count; k++) {
            char path[128];
            snprintf(path, sizeof path, "replication.%s", scheme_registry[i]->options[k].name);
            check_explained(path, scheme_registry[i]->options[k].doc);
        }
    for (size_t i = 0; i < workload_options_count; i++) {
        char path[128];
        snprintf(path, sizeof path, "workloads.%s", workload_options[i].name);
        check_explained(path, workload_options[i].doc);
    }
    check_explained("leader_elected", "trigger");
    check_explained("insert", "operation");
    check_explained("quorum", "replication.failover.quorum");
    check_explained("timeline.partition.groups", "partition.groups");
    check_explained("cluster.disk.cache", "Page cache");
    check_explained("duration", "clients and faults");
    check_explained("when", "leader_elected");
    check_explained("timeline.when", "`delay` stands beside it");
    check_explained("failover", "failover.quorum");
    check_explained("replication.failover", "failover.promote");
    check_explained("nemesis", "random faults: not in this version");
    const char *nearest = NULL;
    struct capture c;
    assert_int_equal(vocabulary_explain(capture_begin(&c), "partiton", &nearest), -ENOENT);
    capture_end(&c);
    assert_string_equal(nearest, "partition");
    assert_int_equal(c.size, 0);
    free(c.text);
}

static void test_keys_are_those_of_the_tables_and_have_one_row_each(void **state)
{
    (void)state;
    size_t count;
    const struct vocabulary_key *keys = vocabulary_keys(&count);
    assert_true(count > 300);
    assert_null(keys[count].path);
    static const struct {
        const char *path;
        enum option_type type;
        bool inert;
    } wanted[] = {
        {"duration", OPTION_DURATION, false},
        {"about", OPTION_STRING, true},
        {"cluster.disk.sync_latency", OPTION_DIST, false},
        {"workloads[].rate", OPTION_RATE, false},
        {"timeline[].partition.groups", OPTION_GROUPS, false},
        {"timeline[].evidence", OPTION_WORD, true},
        {"replication{single_leader}.failover.quorum", OPTION_WORD, false},
        {"engine{hash}.segment_size", OPTION_SIZE, false},
        {"expect.violated", OPTION_NAMES, true},
        {"workloads[].mix.insert", OPTION_FRACTION, false},
    };
    for (size_t w = 0; w < sizeof wanted / sizeof wanted[0]; w++) {
        size_t found = 0;
        for (size_t i = 0; i < count; i++) {
            if (strcmp(keys[i].path, wanted[w].path) != 0) continue;
            assert_int_equal(keys[i].type, wanted[w].type);
            assert_int_equal(keys[i].inert, wanted[w].inert);
            found++;
        }
        if (found != 1) fail_msg("%s is there %zu times", wanted[w].path, found);
    }
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(keys[i].path, keys[k].path) == 0)
                fail_msg("%s is there twice", keys[i].path);
}

/* ---- JSON Schema ---- */

static void test_the_schema_is_json_that_names_every_key(void **state)
{
    (void)state;
    struct capture c, again;
    vocabulary_schema(capture_begin(&c));
    capture_end(&c);
    vocabulary_schema(capture_begin(&again));
    capture_end(&again);
    assert_string_equal(c.text, again.text);
    json_error_t error;
    json_t *root = json_loads(c.text, 0, &error);
    if (!root) fail_msg("line %d: %s", error.line, error.text);
    json_t *properties = json_object_get(root, "properties"),
           *entry = json_object_get(
               json_object_get(json_object_get(properties, "timeline"), "items"), "properties");
    for (const struct action *a = action_table; a->name; a++) {
        json_t *action = json_object_get(entry, a->name);
        assert_non_null(action);
        assert_string_equal(json_string_value(json_object_get(action, "description")), a->doc);
        for (size_t i = 0; i < a->options_count; i++)
            assert_non_null(
                json_object_get(json_object_get(action, "properties"), a->options[i].name));
    }
    json_t *schemes = json_object_get(json_object_get(properties, "replication"), "anyOf");
    size_t count = 0;
    while (scheme_registry[count]) count++;
    assert_int_equal(json_array_size(schemes), count);
    json_decref(root);
    free(c.text);
    free(again.text);
}

static void test_the_schema_fits_every_shipped_scenario_and_no_bad_one(void **state)
{
    (void)state;
    static const char python[] = "/usr/bin/python3";
    if (access(python, X_OK) != 0) {
        print_message("skipped: no %s\n", python);
        skip();
    }
    char path[] = "/tmp/faultline-schema-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    vocabulary_schema(file);
    fclose(file);
    /* Not among them: 010, 0x7dc and on, which YAML 1.1 turns into numbers and booleans before
     * a schema sees them. */
    static const char *const bad[] = {
        "unknown-key",   "unknown-action", "unknown-option",
        "unknown-word",  "unknown-engine", "unknown-preset",
        "unknown-check", "missing-unit",   "space-before-unit",
        "exponent",      "two-actions",    "no-action",
        "no-time",       "at-and-when",    "wrong-kind-list",
        "missing-keys",  "no-value",       "missing-required-option",
        "nemesis",       "out-of-bounds",  "several-errors",
        "page-size"};
    char command[8192];
    size_t size = (size_t)snprintf(command, sizeof command,
                                   "%s tests/scenario/validate_schema.py %s good $(find "
                                   "scenarios -name '*.yaml' | sort) bad",
                                   python, path);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        size += (size_t)snprintf(command + size, sizeof command - size,
                                 " tests/scenario/bad/%s.yaml", bad[i]);
    int status = system(command);
    unlink(path);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        print_message("skipped: python3-jsonschema or python3-yaml is not installed\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_reference_is_that_of_the_tables),
        cmocka_unit_test(test_the_first_file_of_the_reference_loads),
        cmocka_unit_test(test_list_names_every_row),
        cmocka_unit_test(test_explain_knows_every_word_and_the_nearest_of_others),
        cmocka_unit_test(test_keys_are_those_of_the_tables_and_have_one_row_each),
        cmocka_unit_test(test_the_schema_is_json_that_names_every_key),
        cmocka_unit_test(test_the_schema_fits_every_shipped_scenario_and_no_bad_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
