/* Goal: a result says what the run was: result.json, the replay command, the golden line, and
 * tables that agree with the history.
 * Method: results of runs whose counts are known (made.h), read back from the files, compared
 * with those numbers or with naive recounts over the records.
 */
#include "tests/campaign/made.h"

#include <sys/stat.h>
#include <unistd.h>

#include "sim/campaign/folder.h"
#include "sim/campaign/result.h"

/* ---- results ---- */

static void test_result_json_has_every_member_that_programs_rely_on(void **state)
{
    (void)state;
    struct made made =
        make(LOSS "expect: {no_lost_write: {violations: 40}, measure: {leader_changes: 1}}\n");
    json_t *json = result_json(made.run);
    static const struct {
        const char *name;
        json_type type;
    } members[] = {{"version", JSON_INTEGER},      {"scenario", JSON_STRING},
                   {"variant", JSON_STRING},       {"seed", JSON_INTEGER},
                   {"about", JSON_NULL},           {"source", JSON_NULL},
                   {"scenario_hash", JSON_STRING}, {"trace_hash", JSON_STRING},
                   {"verdict", JSON_STRING},       {"reason", JSON_NULL},
                   {"expectations", JSON_ARRAY},   {"evidence", JSON_ARRAY},
                   {"checks", JSON_OBJECT},        {"measures", JSON_OBJECT},
                   {"events", JSON_INTEGER},       {"simulated_seconds", JSON_REAL},
                   {"duration_ns", JSON_INTEGER},  {"ended_ns", JSON_INTEGER},
                   {"bucket_ns", JSON_INTEGER},    {"nodes", JSON_ARRAY},
                   {"settings", JSON_OBJECT},      {"resolved", JSON_OBJECT},
                   {"replay", JSON_STRING},        {"host", JSON_OBJECT}};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        json_t *member = json_object_get(json, members[i].name);
        if (!member || json_typeof(member) != members[i].type)
            print_error("%s\n", members[i].name);
        assert_non_null(member);
        assert_int_equal(json_typeof(member), members[i].type);
    }
    assert_int_equal(json_object_size(json), sizeof members / sizeof *members);
    json_t *host = json_object_get(json, "host");
    static const char *const of_host[] = {"wall_seconds", "cpu_seconds", "version", "compiler"};
    for (size_t i = 0; i < 4; i++) assert_non_null(json_object_get(host, of_host[i]));

    json_t *row = json_array_get(json_object_get(json, "expectations"), 0),
           *witness = json_object_get(row, "witness");
    assert_string_equal(json_string_value(json_object_get(row, "name")), "no_lost_write");
    assert_string_equal(json_string_value(json_object_get(row, "expected")),
                        "no_lost_write: 40 violations");
    assert_string_equal(json_string_value(json_object_get(row, "observed")), "40");
    assert_int_equal(json_integer_value(json_object_get(row, "count")), 40);
    assert_true(json_is_null(json_object_get(row, "until_ns")));
    assert_true(json_is_true(json_object_get(row, "met")));
    assert_in_range(json_integer_value(json_object_get(witness, "first_ns")), 2050 * NS_PER_MS,
                    2070 * NS_PER_MS);
    assert_non_null(
        strstr(json_string_value(json_object_get(witness, "explanation")), "40 writes of 90"));
    assert_non_null(strstr(json_string_value(json_object_get(witness, "story")), "crash of a"));
    assert_true(json_array_size(json_object_get(witness, "operations")) >= 1);
    assert_true(json_is_null(
        json_object_get(json_array_get(json_object_get(json, "expectations"), 1), "witness")));

    json_t *evidence = json_object_get(json, "evidence"), *cut = json_array_get(evidence, 0);
    assert_int_equal(json_array_size(evidence), 3);
    assert_string_equal(json_string_value(json_object_get(cut, "id")), "cut");
    assert_true(json_integer_value(json_object_get(cut, "effects")) > 0);
    assert_true(json_is_true(json_object_get(cut, "required")));
    assert_int_equal(
        json_integer_value(json_object_get(
            json_object_get(json_object_get(json, "checks"), "no_lost_write"), "violations")),
        40);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "measures"),
                                                        "writes_acknowledged")),
                     90);
    assert_int_equal(json_array_size(json_object_get(json, "nodes")), 2);
    assert_string_equal(json_string_value(json_object_get(json_object_get(json, "resolved"),
                                                          "replication.mode")),
                        "async");
    assert_string_equal(json_string_value(json_object_get(json, "replay")),
                        "faultline run test.yaml --seed 3");
    json_decref(json);
    unmake(&made);
}

static void test_two_runs_give_the_same_bytes_but_for_the_host(void **state)
{
    (void)state;
    char *texts[2];
    for (int i = 0; i < 2; i++) {
        struct made made = make(LOSS "expect: {no_lost_write: {violations: 40}}\n");
        json_t *json = result_json(made.run);
        json_object_del(json, "host");
        texts[i] = json_dumps(json, 0);
        json_decref(json);
        unmake(&made);
    }
    assert_string_equal(texts[0], texts[1]);
    free(texts[0]);
    free(texts[1]);
}

static void test_the_replay_command_quotes_what_a_shell_would_eat(void **state)
{
    (void)state;
    struct scenario *scenario = load(
        LOSS
        "expect: {no_lost_write: {violations: 40}}\nvariants: [{name: v, set: {seed: 4}}]\n");
    struct setting set = {"workloads.w.mix", "{write: 100%}"};
    struct plan *plan =
        plan_of(scenario,
                &(struct plan_request){
                    .variant = 1, .has_seed = true, .seed = 9, .sets = &set, .sets_count = 1});
    char *replay = result_replay_command(plan);
    assert_string_equal(
        replay,
        "faultline run test.yaml --variant v --seed 9 --set 'workloads.w.mix={write: 100%}'");
    free(replay);
    plan_destroy(plan);
    scenario_destroy(scenario);
}

static void test_the_golden_line_has_the_hash_the_verdict_and_the_counts(void **state)
{
    (void)state;
    struct made made = make(LOSS "expect: {no_lost_write: {violations: 40}}\n");
    json_t *json = result_json(made.run);
    char *line = golden_line(json), expected[256];
    snprintf(expected, sizeof expected,
             "loss\tbase\t3\t%016llx\tpass\t90\t0\t10\tno_lost_write=40",
             (unsigned long long)made.run->trace_hash);
    assert_string_equal(line, expected);
    free(line);
    json_decref(json);
    unmake(&made);
    made = make(WORLD);
    json = result_json(made.run);
    line = golden_line(json);
    assert_int_equal(line[strlen(line) - 1], '-'); /* nothing violated */
    free(line);
    json_decref(json);
    unmake(&made);
}

/* ---- tables ---- */

static char scratch[] = "/tmp/faultline-run-XXXXXX";

static char *file_text(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    char *text = NULL;
    size_t size = 0;
    ssize_t got = getdelim(&text, &size, 0, in);
    assert_true(got > 0);
    fclose(in);
    return text;
}

/* Splits in place; the fields of one line. */
static size_t fields_of(char *line, char **fields, size_t most)
{
    size_t count = 0;
    while (count < most && line) fields[count++] = strsep(&line, ",");
    return count;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Nearest rank as the books say it: the value at position ceil(q n), from 1. */
static int64_t quantile(const int64_t *sorted, size_t count, size_t percent)
{
    size_t rank = 1;
    while (rank * 100 < percent * count) rank++;
    return sorted[rank - 1];
}

/* A mix on few keys over a replica that lags, so that reads are stale and latencies differ. */
static const char mixed[] =
    "name: mixed\nseed: 5\nduration: 6s\n"
    "finish: {quiesce: 4s}\n"
    "cluster: {regions: [{name: dc1, nodes: [a, b]}]}\n"
    "engine: {name: hash}\nreplication: {scheme: single_leader, leader: a, reads: any}\n"
    "workloads: [{name: w, clients: 5, rate: 300/s, arrivals: poisson, keys: 5, read_from: "
    "any, timeout: 400ms,\n"
    "             mix: {read: 50%, write: 40%, delete: 10%}}]\n"
    "timeline: [{id: lag, at: 1s, slow: {from: a, to: b, class: replication, add: 700ms}, for: "
    "3s}, {id: die, at: 5s, crash: {node: a}, for: 300ms}]\n"
    "ignore: [{check: monotonic_reads, reason: lag}, {check: read_your_writes, reason: lag}]\n";

static void write_into_scratch(const struct run *run)
{
    const char *where = NULL;
    assert_int_equal(result_write(run, scratch, &where), 0);
}

static void test_series_csv_counts_and_quantiles_are_those_of_the_history(void **state)
{
    (void)state;
    struct made made = make(mixed);
    const struct history *history = made.run->records.history;
    write_into_scratch(made.run);
    char *text = file_text("series.csv"), *rest = text, *line = strsep(&rest, "\n"),
         *fields[64];
    assert_int_equal(
        strncmp(line, "time_ns,ok,fail,unknown,p50_ns,p99_ns,max_ns,staleness_ns,a.up,a.role,",
                70),
        0);
    int64_t start = 0, bucket = made.run->series.bucket_ns;
    size_t rows = 0, with_answers = 0, stale_rows = 0, unknown = 0;
    int64_t *latencies = calloc(history->count, sizeof *latencies);
    while ((line = strsep(&rest, "\n")) && *line) {
        assert_int_equal(fields_of(line, fields, 64), 8 + 2 * 9);
        int64_t end = strtoll(fields[0], NULL, 10);
        assert_int_equal(end, start + bucket);
        int64_t outcomes[OUTCOME_COUNT] = {0};
        size_t count = 0;
        for (size_t i = 0; i < history->count; i++) {
            const struct history_op *op = &history->ops[i];
            if (op->return_ns == HISTORY_OPEN || op->final_read || op->return_ns > end ||
                op->return_ns <= start)
                continue;
            outcomes[op->outcome]++;
            if (op->outcome == OUTCOME_OK) latencies[count++] = op->return_ns - op->invoke_ns;
        }
        for (int o = 0; o < OUTCOME_COUNT; o++)
            assert_int_equal(strtoll(fields[1 + o], NULL, 10), outcomes[o]);
        unknown += (size_t)outcomes[OUTCOME_UNKNOWN];
        qsort(latencies, count, sizeof *latencies, by_value);
        if (!count) {
            for (int f = 4; f < 7; f++) assert_string_equal(fields[f], "");
        } else {
            with_answers++;
            assert_int_equal(strtoll(fields[4], NULL, 10), quantile(latencies, count, 50));
            assert_int_equal(strtoll(fields[5], NULL, 10), quantile(latencies, count, 99));
            assert_int_equal(strtoll(fields[6], NULL, 10), latencies[count - 1]);
        }
        stale_rows += strtoll(fields[7], NULL, 10) > 0;
        start = end;
        rows++;
    }
    assert_int_equal(rows, 6 * NS_PER_S / bucket);
    assert_true(with_answers > rows / 2 && stale_rows > 10 && unknown > 5);
    free(latencies);
    free(text);
    unmake(&made);
}

static void test_series_csv_staleness_is_hand_computed(void **state)
{
    (void)state;
    /* One key. b lags by 700 ms: reads of b see what stood 700 ms ago, so the stalest read of a
     * bucket is 600 to 800 ms behind; before the lag reads are fresh. */
    struct made made = make(mixed);
    struct check_input input = run_check_input(made.run);
    int64_t most = 0, early = 0, late = 0;
    write_into_scratch(made.run);
    char *text = file_text("series.csv"), *rest = text, *line = strsep(&rest, "\n"),
         *fields[64];
    while ((line = strsep(&rest, "\n")) && *line) {
        fields_of(line, fields, 64);
        int64_t end = strtoll(fields[0], NULL, 10), stale = strtoll(fields[7], NULL, 10);
        if (stale > most) most = stale;
        if (end <= NS_PER_S && stale > early) early = stale;
        if (end > 2 * NS_PER_S && end <= 4 * NS_PER_S && stale > late) late = stale;
    }
    assert_true(early < 10 * NS_PER_MS);
    assert_in_range(late, 600 * NS_PER_MS, 800 * NS_PER_MS);
    assert_int_equal(most, measure_value(measure_find("staleness_max"), &input));
    free(text);
    unmake(&made);
}

static void test_a_key_that_was_deleted_is_not_stale(void **state)
{
    (void)state;
    struct made made = make("name: deletes\nseed: 5\nduration: 5s\nfinish: {quiesce: 1s}\n"
                            "cluster: {regions: [{name: dc1, nodes: [a]}]}\nengine: {name: "
                            "hash}\nreplication: {scheme: none}\n"
                            "workloads: [{name: w, rate: 50/s, keys: 3, mix: {read: 40%, "
                            "write: 30%, delete: 30%}}]\n");
    write_into_scratch(made.run);
    char *text = file_text("series.csv"), *rest = text, *line = strsep(&rest, "\n"),
         *fields[64];
    while ((line = strsep(&rest, "\n")) && *line) {
        fields_of(line, fields, 64);
        assert_string_equal(fields[7], "0");
    }
    free(text);
    unmake(&made);
}

static void test_latency_csv_bins_hold_every_answer_once(void **state)
{
    (void)state;
    struct made made = make(mixed);
    const struct history *history = made.run->records.history;
    write_into_scratch(made.run);
    char *text = file_text("latency.csv"), *rest = text, *line = strsep(&rest, "\n"),
         *fields[8];
    assert_string_equal(line, "type,low_ns,high_ns,count");
    uint64_t total = 0, answers = 0;
    while ((line = strsep(&rest, "\n")) && *line) {
        assert_int_equal(fields_of(line, fields, 8), 4);
        int64_t low = strtoll(fields[1], NULL, 10), high = strtoll(fields[2], NULL, 10);
        uint64_t count = strtoull(fields[3], NULL, 10), seen = 0;
        assert_true(high > low &&
                    (high - low) * 16 <= (low > 16 ? low : 16)); /* at most a sixteenth wide */
        for (size_t i = 0; i < history->count; i++) {
            const struct history_op *op = &history->ops[i];
            int64_t latency = op->return_ns - op->invoke_ns;
            seen += op->outcome == OUTCOME_OK && !op->final_read &&
                    !strcmp(history_type_words[op->type], fields[0]) && latency >= low &&
                    latency < high;
        }
        assert_int_equal(count, seen);
        total += count;
    }
    for (size_t i = 0; i < history->count; i++)
        answers += history->ops[i].outcome == OUTCOME_OK && !history->ops[i].final_read;
    assert_int_equal(total, answers);
    free(text);
    unmake(&made);
}

static void test_violations_csv_lists_each_lost_write_once(void **state)
{
    (void)state;
    struct made made = make(LOSS "expect: {no_lost_write: {violations: 40}}\n");
    const struct history *history = made.run->records.history;
    write_into_scratch(made.run);
    char *text = file_text("violations.csv"), *rest = text, *line = strsep(&rest, "\n"),
         *fields[8];
    assert_string_equal(line, "time_ns,check,operation,node");
    int64_t previous = 0, rows = 0;
    while ((line = strsep(&rest, "\n")) && *line) {
        assert_int_equal(fields_of(line, fields, 8), 4);
        const struct history_op *op = &history->ops[strtoull(fields[2], NULL, 10)];
        assert_string_equal(fields[1], "no_lost_write");
        assert_string_equal(fields[3], "a");
        assert_int_equal(strtoll(fields[0], NULL, 10), op->return_ns);
        assert_in_range(op->invoke_ns, 2 * NS_PER_S, 6 * NS_PER_S);
        assert_true(op->return_ns > previous);
        previous = op->return_ns;
        rows++;
    }
    assert_int_equal(rows, 40);
    free(text);
    unmake(&made);
}

static void test_history_and_timeline_files_have_a_line_an_entry(void **state)
{
    (void)state;
    struct made made = make(LOSS "expect: {no_lost_write: {violations: 40}}\n");
    write_into_scratch(made.run);
    const size_t counts[] = {made.run->records.history->count,
                             made.run->records.timeline.count};
    static const char *const names[] = {"history.jsonl", "timeline.jsonl"};
    for (size_t f = 0; f < 2; f++) {
        char *text = file_text(names[f]), *rest = text, *line;
        size_t lines = 0;
        while ((line = strsep(&rest, "\n")) && *line) {
            json_error_t error;
            json_t *json = json_loads(line, 0, &error);
            assert_non_null(json);
            json_decref(json);
            lines++;
        }
        assert_int_equal(lines, counts[f]);
        free(text);
    }
    unmake(&made);
}

static void test_a_folder_that_cannot_be_written_is_an_error_that_names_the_file(void **state)
{
    (void)state;
    struct made made = make(WORLD);
    const char *where = NULL;
    char path[256];
    snprintf(path, sizeof path, "%s/result.json/below", scratch);
    assert_true(result_write(made.run, path, &where) < 0);
    assert_string_equal(where, path);
    snprintf(path, sizeof path, "%s/taken", scratch);
    assert_int_equal(mkdir(path, 0777), 0);
    snprintf(path, sizeof path, "%s/taken/history.jsonl", scratch);
    assert_int_equal(mkdir(path, 0777), 0);
    snprintf(path, sizeof path, "%s/taken", scratch);
    assert_true(result_write(made.run, path, &where) < 0);
    assert_string_equal(where, "history.jsonl");
    unmake(&made);
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
        cmocka_unit_test(test_result_json_has_every_member_that_programs_rely_on),
        cmocka_unit_test(test_two_runs_give_the_same_bytes_but_for_the_host),
        cmocka_unit_test(test_the_replay_command_quotes_what_a_shell_would_eat),
        cmocka_unit_test(test_the_golden_line_has_the_hash_the_verdict_and_the_counts),
        cmocka_unit_test(test_series_csv_counts_and_quantiles_are_those_of_the_history),
        cmocka_unit_test(test_series_csv_staleness_is_hand_computed),
        cmocka_unit_test(test_a_key_that_was_deleted_is_not_stale),
        cmocka_unit_test(test_latency_csv_bins_hold_every_answer_once),
        cmocka_unit_test(test_violations_csv_lists_each_lost_write_once),
        cmocka_unit_test(test_history_and_timeline_files_have_a_line_an_entry),
        cmocka_unit_test(test_a_folder_that_cannot_be_written_is_an_error_that_names_the_file),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
