/* One run, from plan to verdict.
 *
 * Phases: boot and workload until `duration` with the timeline's faults; then, where the
 * scenario asks for it, `finish`: heal, restart, quiesce, read all back. Then the records are
 * sealed and judged:
 *
 *   I1  every expectation of the scenario is judged in its window;
 *   I2  every safety check that the scenario neither expects nor ignores must hold over all
 *       of the run;
 *   I3  a fault entry whose evidence is required and that had no effect makes the run
 *       INVALID, never green;
 *   I4  INVALID comes before fail, fail before unknown, unknown before pass;
 *   I5  a run that ended at a violation (request.stop_on_violation) fails by that one: what
 *       else the scenario expects is unknown, and no entry is missed that it never came to.
 *
 * A violation ends the run when it is of a check that can be followed (sim/check/online.h), in
 * a moment at which nothing lets it be: the check is not ignored; where it is named, some
 * expectation allows none at that time; where it is not, it is a safety check. A number that
 * is greater than expected is known at the end only.
 *
 * The host's clock is read only for `wall_seconds` and `cpu_seconds`, after and before, never
 * by what is simulated.
 */
#include "sim/campaign/run.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim/campaign/trace.h"
#include "sim/kernel/check.h"

const char *const verdict_words[] = {"pass", "fail", "invalid", "unknown", NULL};

/* ---- exit status ---- */

int exit_worse(int a, int b)
{
    static const int rank[] = {[EXIT_MET] = 0,
                               [EXIT_UNDECIDED] = 1,
                               [EXIT_NOT_MET] = 2,
                               [EXIT_INVALID] = 3,
                               [EXIT_BAD_INPUT] = 4};
    return rank[a] >= rank[b] ? a : b;
}

int exit_of_verdict(enum verdict verdict)
{
    static const int status[] = {EXIT_MET, EXIT_NOT_MET, EXIT_INVALID, EXIT_UNDECIDED};
    return status[verdict];
}

/* ---- text ---- */

static char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *text_format(const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = xmalloc((size_t)size + 1);
    vsnprintf(text, (size_t)size + 1, format, arguments);
    va_end(arguments);
    return text;
}

static double host_seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static char *measure_text(const struct measure *measure, int64_t value)
{
    char duration[32];
    if (!strcmp(measure->unit, "ns"))
        return text_format("%s", duration_say(value, duration, sizeof duration));
    if (!strcmp(measure->unit, "ppm"))
        return text_format("%" PRId64 ".%04" PRId64 "%%", value / 10000, value % 10000);
    return text_format("%" PRId64, value);
}

/* ---- judging ---- */

struct check_input run_check_input(const struct run *run)
{
    const struct plan *plan = run->plan;
    bool all_up = true;
    for (uint32_t n = 0; n < world_nodes(run->world); n++)
        all_up &= node_is_up(world_node(run->world, n));
    return (struct check_input){
        .history = run->records.history,
        .facts = &run->records.facts,
        .timeline = &run->records.timeline,
        .nodes = world_nodes(run->world),
        .from_ns = 0,
        .until_ns = VTIME_MAX,
        .faults_end_ns = plan->duration_ns,
        .quiesced = plan->finish.read_all && run->stop == KERNEL_DONE,
        .final_all_up = all_up,
        .endpoint_name = world_endpoint_name,
        .name_context = run->world,
    };
}

static bool in_range(struct range range, int64_t value)
{
    return value >= range.low && value <= range.high;
}

/* A check of final states has nothing to say without final reads, and silence is not met. */
static bool lacks_final(const struct check_input *input, const struct check *check,
                        const struct check_result *result)
{
    return result->verdict == CHECK_NOT_APPLICABLE && (check->needs & CHECK_NEEDS_FINAL) &&
           !input->quiesced;
}

static char *violations_text(const struct run_expectation *e)
{
    if (!e->unknown && e->result.verdict == CHECK_NOT_APPLICABLE)
        return xstrdup("0, nothing to judge");
    if (!e->unknown) return text_format("%" PRId64, e->observed);
    if (e->result.verdict == CHECK_NOT_APPLICABLE)
        return xstrdup("unknown: nothing was read back (finish.read_all)");
    return text_format("unknown: %s", e->result.explanation ? e->result.explanation : "");
}

static void judge_expectation(struct run *run, const struct expectation *expectation,
                              struct run_expectation *out)
{
    struct check_input input = run_check_input(run);
    input.from_ns = expectation->from_ns;
    input.until_ns = expectation->until_ns;
    *out = (struct run_expectation){.expectation = expectation,
                                    .check = expectation->check,
                                    .text = xstrdup(expectation->text)};
    if (expectation->kind == EXPECT_MEASURE) {
        out->observed = measure_value(expectation->measure, &input);
        out->met = in_range(expectation->range, out->observed);
        out->observed_text = measure_text(expectation->measure, out->observed);
        return;
    }
    expectation->check->run(&input, &out->result);
    out->unknown = out->result.verdict == CHECK_UNKNOWN ||
                   lacks_final(&input, expectation->check, &out->result);
    if (expectation->kind == EXPECT_AVAILABILITY) {
        char gap[32];
        out->observed = (int64_t)(out->result.value * 1e6 + 0.5);
        out->observed_gap_ns = out->result.duration_ns;
        out->met = !out->unknown && in_range(expectation->range, out->observed) &&
                   in_range(expectation->gap_ns, out->observed_gap_ns);
        out->observed_text = text_format("%" PRId64 ".%04" PRId64 "%%, longest gap %s",
                                         out->observed / 10000, out->observed % 10000,
                                         duration_say(out->observed_gap_ns, gap, sizeof gap));
        return;
    }
    out->observed = (int64_t)out->result.violations;
    out->met = !out->unknown && in_range(expectation->range, out->observed);
    out->observed_text = violations_text(out);
}

static bool is_named(const struct plan *plan, const struct check *check)
{
    for (uint32_t i = 0; i < plan->expectations_count; i++)
        if (plan->expectations[i].check == check) return true;
    for (uint32_t i = 0; i < plan->ignored_count; i++)
        if (plan->ignored[i].check == check) return true;
    return false;
}

static void add_unnamed(struct run *run, const struct check *check, struct check_result *result)
{
    run->expectations =
        xrealloc(run->expectations, (run->expectations_count + 1) * sizeof *run->expectations);
    struct run_expectation *added = &run->expectations[run->expectations_count++];
    *added = (struct run_expectation){
        .check = check,
        .observed = (int64_t)result->violations,
        .unknown = result->verdict == CHECK_UNKNOWN,
        .result = *result,
        .text = text_format("%s: holds (not named by the scenario)", check->name),
    };
    added->observed_text = violations_text(added);
}

/* I2: adds a row only for those that do not hold, so that a green result lists what the
 * scenario asked for. */
static void judge_unnamed_checks(struct run *run)
{
    struct check_input input = run_check_input(run);
    for (const struct check *check = check_table; check->name; check++) {
        if (!check->is_safety || is_named(run->plan, check)) continue;
        struct check_result result = {0};
        check->run(&input, &result);
        if (result.verdict == CHECK_HOLDS || result.verdict == CHECK_NOT_APPLICABLE) {
            check_result_deinit(&result);
            continue;
        }
        add_unnamed(run, check, &result);
    }
}

static void invalid(struct run *run, char *reason)
{
    if (run->verdict == VERDICT_INVALID) {
        free(reason);
        return;
    }
    run->verdict = VERDICT_INVALID;
    free(run->reason);
    run->reason = reason;
}

/* I5 */
static void judge_stopped(struct run *run)
{
    char time[32];
    bool is_confirmed = false;
    for (uint32_t i = 0; i < run->plan->expectations_count; i++) {
        const struct expectation *expectation = &run->plan->expectations[i];
        struct run_expectation *out = &run->expectations[i];
        if (expectation->kind == EXPECT_VIOLATIONS && expectation->check == run->stopped_by) {
            judge_expectation(run, expectation, out);
            is_confirmed |= out->result.first_ns == run->stopped_ns;
        } else {
            *out = (struct run_expectation){.expectation = expectation,
                                            .check = expectation->check,
                                            .unknown = true,
                                            .text = xstrdup(expectation->text),
                                            .observed_text =
                                                xstrdup("not judged: the run was stopped")};
        }
    }
    if (!is_named(run->plan, run->stopped_by)) {
        struct check_input input = run_check_input(run);
        struct check_result result = {0};
        run->stopped_by->run(&input, &result);
        is_confirmed = result.first_ns == run->stopped_ns;
        add_unnamed(run, run->stopped_by, &result);
    }
    run->verdict = VERDICT_FAIL;
    run->reason =
        text_format("stopped at %s, when %s was first violated",
                    vtime_format(run->stopped_ns, time, sizeof time), run->stopped_by->name);
    if (!is_confirmed)
        invalid(run, text_format("stopped at %s by a violation of %s that the check does not "
                                 "confirm",
                                 time, run->stopped_by->name));
}

static void judge_evidence(struct run *run)
{
    const struct world_config *world = &run->plan->world;
    run->evidence_count = world->faults_count;
    run->evidence = xcalloc(run->evidence_count + 1, sizeof *run->evidence);
    for (uint32_t i = 0; i < world->faults_count; i++) {
        const struct fault_plan *fault = &world->faults[i];
        struct run_evidence *evidence = &run->evidence[i];
        *evidence = (struct run_evidence){.fault = fault,
                                          .fired = world_fault_fired(run->world, i),
                                          .effects = world_fault_effects(run->world, i)};
        evidence->missing = fault->evidence_required && !fault->inert && !evidence->effects;
    }
}

static char *limit_reason(struct run *run)
{
    static const char *const limits[] = {[KERNEL_LIMIT_EVENTS] = "events",
                                         [KERNEL_LIMIT_WALL] = "wall time",
                                         [KERNEL_LIMIT_MEMORY] = "memory"};
    struct event last[16];
    size_t count = kernel_last_events(run->kernel, last, 16);
    char time[32],
        *text = text_format(
            "the run exceeded its limit of %s at %s; its last events:", limits[run->stop],
            vtime_format(kernel_now(run->kernel), time, sizeof time));
    for (size_t i = 0; i < count; i++) {
        const char *entity = last[i].entity == UINT32_MAX
                                 ? "-"
                                 : world_endpoint_name(run->world, last[i].entity);
        char *more =
            text_format("%s\n  %s %s %s a=%" PRIu64 " b=%" PRIu64, text,
                        vtime_format(last[i].time, time, sizeof time), last[i].type->name,
                        entity ? entity : "-", last[i].a, last[i].b);
        free(text);
        text = more;
    }
    return text;
}

/* I4 */
static void judge(struct run *run)
{
    const struct plan *plan = run->plan;
    run->expectations_count = plan->expectations_count;
    run->expectations = xcalloc(run->expectations_count + 1, sizeof *run->expectations);
    if (run->stop == KERNEL_STOPPED) {
        judge_stopped(run);
        return;
    }
    for (uint32_t i = 0; i < plan->expectations_count; i++)
        judge_expectation(run, &plan->expectations[i], &run->expectations[i]);
    judge_unnamed_checks(run);
    judge_evidence(run);

    bool failed = false, unknown = false;
    for (size_t i = 0; i < run->expectations_count; i++) {
        failed |= !run->expectations[i].met && !run->expectations[i].unknown;
        unknown |= run->expectations[i].unknown;
    }
    run->verdict = failed ? VERDICT_FAIL : unknown ? VERDICT_UNKNOWN : VERDICT_PASS;
    /* Of a run that was cut short that is the reason, not the entries that it never came to. */
    if (run->stop == KERNEL_DIVERGED)
        invalid(run, text_format("two runs of the same seed differ: %s",
                                 kernel_divergence(run->kernel)));
    else if (run->stop == KERNEL_LIMIT_EVENTS || run->stop == KERNEL_LIMIT_WALL ||
             run->stop == KERNEL_LIMIT_MEMORY)
        invalid(run, limit_reason(run));
    for (size_t i = 0; i < run->evidence_count; i++) {
        const struct run_evidence *evidence = &run->evidence[i];
        if (evidence->missing)
            invalid(run, text_format("timeline entry '%s' (%s) %s: no %s", evidence->fault->id,
                                     evidence->fault->action->name,
                                     evidence->fired ? "had no effect" : "never fired",
                                     evidence->fault->action->evidence));
    }
}

bool run_holds(const struct run *run)
{
    if (run->verdict != VERDICT_PASS) return false;
    /* Checks that are only run where they are named count where they are named. */
    for (size_t i = 0; i < run->expectations_count; i++)
        if (run->expectations[i].result.violations) return false;
    struct check_input input = run_check_input(run);
    for (const struct check *check = check_table; check->name; check++) {
        if (!check->is_safety) continue;
        struct check_result result = {0};
        check->run(&input, &result);
        bool violated = result.verdict == CHECK_VIOLATED || result.verdict == CHECK_UNKNOWN;
        check_result_deinit(&result);
        if (violated) return false;
    }
    return true;
}

/* ---- running ---- */

/* Whether a violation of the check at that time ends the run. */
static bool is_unexpected(const struct plan *plan, const struct check *check, int64_t time_ns)
{
    bool is_expected = false;
    for (uint32_t i = 0; i < plan->ignored_count; i++)
        if (plan->ignored[i].check == check) return false;
    for (uint32_t i = 0; i < plan->expectations_count; i++) {
        const struct expectation *e = &plan->expectations[i];
        if (e->check != check || e->kind != EXPECT_VIOLATIONS) continue;
        is_expected = true;
        if (e->range.high == 0 && time_ns >= e->from_ns && time_ns <= e->until_ns) return true;
    }
    return !is_expected && check->is_safety;
}

static void violated(void *context, const char *name, int64_t time_ns, size_t op)
{
    struct run *run = context;
    const struct check *check = check_find(name);
    (void)op;
    if (run->stopped_by || !is_unexpected(run->plan, check, time_ns)) return;
    run->stopped_by = check;
    run->stopped_ns = time_ns;
    kernel_stop(run->kernel);
}

/* The checks of which a violation would end the run at some time. */
static uint32_t checks_to_follow(const struct plan *plan)
{
    uint32_t followed = 0;
    for (const char *const *name = online_checks; *name; name++) {
        const struct check *check = check_find(*name);
        bool may_end = is_unexpected(plan, check, 0);
        for (uint32_t i = 0; i < plan->expectations_count; i++)
            may_end |= plan->expectations[i].check == check &&
                       is_unexpected(plan, check, plan->expectations[i].from_ns);
        if (may_end) followed |= online_bit(*name);
    }
    return followed;
}

static enum kernel_stop simulate(struct run *run)
{
    const struct plan *plan = run->plan;
    world_start(run->world);
    workload_start(run->workload, plan->duration_ns);
    enum kernel_stop stop = kernel_run(run->kernel, plan->duration_ns);
    if (stop != KERNEL_DONE) return stop;
    stop = world_finish(run->world, &plan->finish);
    if (stop == KERNEL_DONE && plan->finish.read_all)
        stop = workload_read_all(run->workload, kernel_now(run->kernel) + 60 * NS_PER_S);
    if (run->stopped_by && stop == KERNEL_DONE) stop = KERNEL_STOPPED; /* while reading back */
    return stop == KERNEL_DONE ? kernel_verify(run->kernel) : stop;
}

struct run *run_execute(const struct plan *plan, const struct run_request *request)
{
    double wall = host_seconds(CLOCK_MONOTONIC), cpu = host_seconds(CLOCK_PROCESS_CPUTIME_ID);
    struct run *run = xcalloc(1, sizeof *run);
    run->plan = plan;
    run->kernel = kernel_create(&(struct kernel_config){.seed = plan->seed,
                                                        .ties = plan->ties,
                                                        .events_max = plan->events_max,
                                                        .wall_ms_max = plan->wall_ms_max,
                                                        .memory_max = plan->memory_max,
                                                        .record = request->record,
                                                        .reference = request->reference});
    struct check_context saved = check_context;
    check_context = (struct check_context){.replay = request->replay,
                                           .now_ns = kernel_now_pointer(run->kernel),
                                           .seed = plan->seed};
    run->records.history = history_create();
    run->world = world_create(&plan->world, run->kernel, &run->records);
    run->workload = workload_create(run->world, plan->workloads, plan->workloads_count);
    series_start(&run->series, run->world, series_bucket(plan->duration_ns), plan->duration_ns);
    struct trace_writer writer = {request->trace, run->world, plan->world.scheme};
    if (request->trace) kernel_observe(run->kernel, trace_line, &writer);

    uint32_t followed = request->stop_on_violation ? checks_to_follow(plan) : 0;
    struct online *online =
        followed ? online_create(run->records.history, followed, violated, run) : NULL;
    if (online) {
        run->records.history->returned = online_returned;
        run->records.history->returned_context = online;
    }

    run->stop = simulate(run);

    run->records.history->returned = NULL;
    online_destroy(online);
    history_seal(run->records.history);
    run->ended_ns = kernel_now(run->kernel);
    run->trace_hash = kernel_trace_hash(run->kernel);
    run->events = kernel_events(run->kernel);
    judge(run);
    check_context = saved;
    run->wall_seconds = host_seconds(CLOCK_MONOTONIC) - wall;
    run->cpu_seconds = host_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    return run;
}

void run_destroy(struct run *run)
{
    if (!run) return;
    for (size_t i = 0; i < run->expectations_count; i++) {
        check_result_deinit(&run->expectations[i].result);
        free(run->expectations[i].text);
        free(run->expectations[i].observed_text);
    }
    free(run->expectations);
    free(run->evidence);
    free(run->reason);
    series_deinit(&run->series);
    workload_destroy(run->workload);
    world_destroy(run->world);
    history_destroy(run->records.history);
    facts_deinit(&run->records.facts);
    timeline_deinit(&run->records.timeline);
    kernel_destroy(run->kernel);
    free(run);
}

char *run_summary(const struct run *run)
{
    size_t met = 0;
    for (size_t i = 0; i < run->expectations_count; i++) met += run->expectations[i].met;
    if (run->reason) return text_format("%s: %s", verdict_words[run->verdict], run->reason);
    return text_format("%s: %zu of %zu expectations met", verdict_words[run->verdict], met,
                       run->expectations_count);
}
