/* The result folder. result.json first says what was run (scenario, variant, seed, every
 * resolved knob), then what came out (verdict, expectations, evidence, measures), last `host`:
 * the only member that differs between two runs of the same seed.
 */
#include "sim/campaign/result.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sim/kernel/arena.h"

#ifndef FAULTLINE_VERSION
#endif

static json_t *hex(uint64_t value)
{
    return json_sprintf("%016" PRIx64, value);
}

static const char *endpoint_name(const struct run *run, uint32_t endpoint)
{
    return endpoint == HISTORY_NONE ? NULL : world_endpoint_name(run->world, endpoint);
}

static json_t *name_or_null(const char *name)
{
    return name ? json_string(name) : json_null();
}

static json_t *witness_operation(const struct run *run, size_t index)
{
    const struct history *history = run->records.history;
    const struct history_op *op = &history->ops[index];
    json_t *out = json_object();
    json_object_set_new(out, "operation", json_integer((json_int_t)index));
    json_object_set_new(out, "type", json_string(history_type_words[op->type]));
    json_object_set_new(out, "client", json_string(history_name(history, op->client, NULL)));
    json_object_set_new(out, "process", json_integer(op->process));
    json_object_set_new(out, "key",
                        op->key == HISTORY_NONE
                            ? json_null()
                            : json_string(history_name(history, op->key, NULL)));
    json_object_set_new(out, "token", json_integer((json_int_t)op->token));
    json_t *values = json_array();
    for (uint32_t v = 0; v < op->values_count; v++)
        json_array_append_new(values,
                              json_integer((json_int_t)history->values[op->values_start + v]));
    json_object_set_new(out, "values", values);
    json_object_set_new(out, "node", name_or_null(endpoint_name(run, op->node)));
    json_object_set_new(out, "invoke_ns", json_integer(op->invoke_ns));
    json_object_set_new(out, "return_ns",
                        op->return_ns == HISTORY_OPEN ? json_null()
                                                      : json_integer(op->return_ns));
    json_object_set_new(out, "outcome", json_string(history_outcome_words[op->outcome]));
    return out;
}

static json_t *witness_json(const struct run *run, const struct run_expectation *expectation)
{
    if (!expectation->check || !expectation->result.violations) return json_null();
    struct check_input input = run_check_input(run);
    json_t *out = json_object(), *operations = json_array(), *nodes = json_array();
    for (uint32_t i = 0; i < expectation->result.witness_count; i++)
        json_array_append_new(operations,
                              witness_operation(run, expectation->result.witness[i]));
    for (uint32_t i = 0; i < expectation->result.witness_nodes_count; i++)
        json_array_append_new(
            nodes, name_or_null(endpoint_name(run, expectation->result.witness_nodes[i])));
    char *story = check_story(expectation->check, &input, &expectation->result);
    json_object_set_new(out, "first_ns", json_integer(expectation->result.first_ns));
    json_object_set_new(out, "explanation", name_or_null(expectation->result.explanation));
    json_object_set_new(out, "operations", operations);
    json_object_set_new(out, "nodes", nodes);
    json_object_set_new(out, "story", name_or_null(story));
    free(story);
    return out;
}

static json_t *expectations_json(const struct run *run)
{
    json_t *out = json_array();
    for (size_t i = 0; i < run->expectations_count; i++) {
        const struct run_expectation *e = &run->expectations[i];
        const char *name = e->expectation ? e->expectation->name : e->check->name;
        json_t *row = json_object();
        json_object_set_new(row, "name", json_string(name));
        json_object_set_new(row, "expected", json_string(e->text));
        json_object_set_new(row, "observed", json_string(e->observed_text));
        json_object_set_new(row, "met", json_boolean(e->met));
        json_object_set_new(row, "unknown", json_boolean(e->unknown));
        json_object_set_new(row, "count", json_integer(e->observed));
        bool has_end = e->expectation && e->expectation->until_ns != VTIME_MAX;
        json_object_set_new(row, "until_ns",
                            has_end ? json_integer(e->expectation->until_ns) : json_null());
        json_object_set_new(row, "witness", witness_json(run, e));
        json_array_append_new(out, row);
    }
    return out;
}

static json_t *evidence_json(const struct run *run)
{
    json_t *out = json_array();
    for (size_t i = 0; i < run->evidence_count; i++) {
        const struct run_evidence *e = &run->evidence[i];
        json_t *row = json_object();
        json_object_set_new(row, "id", json_string(e->fault->id));
        json_object_set_new(row, "action", json_string(e->fault->action->name));
        json_object_set_new(row, "fired", json_boolean(e->fired));
        json_object_set_new(row, "effects", json_integer((json_int_t)e->effects));
        json_object_set_new(row, "counts", json_string(e->fault->action->evidence));
        json_object_set_new(row, "required",
                            json_boolean(e->fault->evidence_required && !e->fault->inert));
        json_array_append_new(out, row);
    }
    return out;
}

static json_t *measures_json(const struct run *run)
{
    struct check_input input = run_check_input(run);
    json_t *out = json_object();
    for (const struct measure *m = measure_table; m->name; m++)
        json_object_set_new(out, m->name, json_integer(measure_value(m, &input)));
    return out;
}

/* Violations of every safety check over the whole run, named or not. */
static json_t *checks_json(const struct run *run)
{
    struct check_input input = run_check_input(run);
    json_t *out = json_object();
    for (const struct check *check = check_table; check->name; check++) {
        if (!check->is_safety) continue;
        struct check_result result = {0};
        check->run(&input, &result);
        json_t *row = json_object();
        json_object_set_new(row, "verdict", json_string(check_verdict_words[result.verdict]));
        json_object_set_new(row, "violations", json_integer((json_int_t)result.violations));
        json_object_set_new(out, check->name, row);
        check_result_deinit(&result);
    }
    return out;
}

static json_t *settings_json(const struct setting *settings, uint32_t count)
{
    json_t *out = json_object();
    for (uint32_t i = 0; i < count; i++)
        json_object_set_new(out, settings[i].path, json_string(settings[i].value));
    return out;
}

static json_t *nodes_json(const struct run *run)
{
    json_t *out = json_array();
    const struct world_config *world = &run->plan->world;
    for (uint32_t n = 0; n < world->nodes_count; n++) {
        const struct node_counters *c = node_counters(world_node(run->world, n));
        json_t *row = json_object();
        json_object_set_new(row, "name", json_string(world->nodes[n].name));
        json_object_set_new(row, "region",
                            json_string(world->regions[world->nodes[n].region].name));
        json_object_set_new(row, "handled", json_integer((json_int_t)c->handled));
        json_object_set_new(row, "busy_ns", json_integer(c->busy_ns));
        json_object_set_new(row, "crashes", json_integer((json_int_t)c->crashes));
        json_array_append_new(out, row);
    }
    return out;
}

json_t *result_json(const struct run *run)
{
    const struct plan *plan = run->plan;
    json_t *out = json_object();
    json_object_set_new(out, "version", json_integer(RESULT_VERSION));
    json_object_set_new(out, "scenario", json_string(plan->name));
    json_object_set_new(out, "variant", json_string(plan->variant));
    json_object_set_new(out, "seed", json_integer((json_int_t)plan->seed));
    json_object_set_new(out, "about", name_or_null(plan->about));
    json_object_set_new(out, "source", name_or_null(plan->source));
    json_object_set_new(out, "scenario_hash", hex(plan->scenario_hash));
    json_object_set_new(out, "trace_hash", hex(run->trace_hash));
    json_object_set_new(out, "verdict", json_string(verdict_words[run->verdict]));
    json_object_set_new(out, "reason", name_or_null(run->reason));
    json_object_set_new(out, "expectations", expectations_json(run));
    json_object_set_new(out, "evidence", evidence_json(run));
    json_object_set_new(out, "checks", checks_json(run));
    json_object_set_new(out, "measures", measures_json(run));
    json_object_set_new(out, "events", json_integer((json_int_t)run->events));
    json_object_set_new(out, "simulated_seconds", json_real((double)run->ended_ns / 1e9));
    json_object_set_new(out, "duration_ns", json_integer(plan->duration_ns));
    json_object_set_new(out, "ended_ns", json_integer(run->ended_ns));
    json_object_set_new(out, "bucket_ns", json_integer(run->series.bucket_ns));
    json_object_set_new(out, "nodes", nodes_json(run));
    json_object_set_new(out, "settings", settings_json(plan->settings, plan->settings_count));
    json_object_set_new(out, "resolved", settings_json(plan->resolved, plan->resolved_count));
    char *replay = result_replay_command(plan);
    json_object_set_new(out, "replay", json_string(replay));
    free(replay);
    json_t *host = json_object();
    json_object_set_new(host, "wall_seconds", json_real(run->wall_seconds));
    json_object_set_new(host, "cpu_seconds", json_real(run->cpu_seconds));
    json_object_set_new(host, "version", json_string(FAULTLINE_VERSION));
    json_object_set_new(host, "compiler", json_string(__VERSION__));
    json_object_set_new(out, "host", host);
    return out;
}

static bool is_plain(const char *text)
{
    return *text &&
           strspn(text,
                  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./=:%+-@") ==
               strlen(text);
}

/* A shell word, quoted where it must be. */
static void put_word(FILE *out, const char *text)
{
    if (is_plain(text)) {
        fputs(text, out);
        return;
    }
    fputc('\'', out);
    for (; *text; text++) *text == '\'' ? fputs("'\\''", out) : fputc(*text, out);
    fputc('\'', out);
}

char *result_replay_command(const struct plan *plan)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    fputs("faultline run ", out);
    put_word(out, plan->path);
    if (strcmp(plan->variant, "base")) {
        fputs(" --variant ", out);
        put_word(out, plan->variant);
    }
    fprintf(out, " --seed %" PRIu64, plan->seed);
    for (uint32_t i = 0; i < plan->sets_from_command_count; i++) {
        const struct setting *set = &plan->sets_from_command[i];
        char *pair = NULL;
        size_t pair_size = 0;
        FILE *word = open_memstream(&pair, &pair_size);
        fprintf(word, "%s=%s", set->path, set->value);
        fclose(word);
        fputs(" --set ", out);
        put_word(out, pair);
        free(pair);
    }
    fclose(out);
    return text;
}

int make_folders(const char *path)
{
    char *copy = xstrdup(path);
    int error = 0;
    for (char *p = copy + 1;; p++) {
        if (*p && *p != '/') continue;
        char kept = *p;
        *p = 0;
        if (mkdir(copy, 0777) && errno != EEXIST) error = -errno;
        *p = kept;
        if (!kept || error) break;
    }
    free(copy);
    return error;
}

struct result_file {
    const char *name;
    int (*write)(const struct run *run, FILE *out);
};

static int write_result(const struct run *run, FILE *out)
{
    json_t *json = result_json(run);
    int error = json_dumpf(json, out, JSON_INDENT(2)) ? -EIO : 0;
    json_decref(json);
    fputc('\n', out);
    return error;
}

static int write_history(const struct run *run, FILE *out)
{
    return history_write(run->records.history, out, world_endpoint_name, run->world);
}

static int write_timeline(const struct run *run, FILE *out)
{
    return timeline_write(&run->records.timeline, out, world_endpoint_name, run->world);
}

/* violations.csv: every operation that violates a safety check, for marks in plots:
 * time_ns,check,operation,node. */
static int write_violations(const struct run *run, FILE *out)
{
    struct check_input input = run_check_input(run);
    fputs("time_ns,check,operation,node\n", out);
    for (const struct check *check = check_table; check->name; check++) {
        if (!check->is_safety) continue;
        struct check_result result = {0};
        check->run(&input, &result);
        for (size_t i = 0; i < result.violating_count; i++) {
            const struct history_op *op = &run->records.history->ops[result.violating[i]];
            const char *node = endpoint_name(run, op->node);
            int64_t time = op->return_ns == HISTORY_OPEN ? op->invoke_ns : op->return_ns;
            fprintf(out, "%" PRId64 ",%s,%zu,%s\n", time, check->name, result.violating[i],
                    node ? node : "");
        }
        check_result_deinit(&result);
    }
    return ferror(out) ? -EIO : 0;
}

int result_write(const struct run *run, const char *folder, const char **where)
{
    static const struct result_file files[] = {
        {"result.json", write_result},      {"history.jsonl", write_history},
        {"timeline.jsonl", write_timeline}, {"series.csv", series_write},
        {"latency.csv", latency_write},     {"violations.csv", write_violations},
    };
    *where = folder;
    int error = make_folders(folder);
    for (size_t i = 0; i < sizeof files / sizeof *files && !error; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", folder, files[i].name);
        *where = files[i].name;
        FILE *out = fopen(path, "w");
        if (!out) return -errno;
        error = files[i].write(run, out);
        if (fclose(out) && !error) error = -errno;
    }
    return error;
}
