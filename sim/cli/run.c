/* faultline run: one scenario, one variant or all, told so that a reader understands it in a
 * minute.
 *
 * What is printed, in this order: the timeline (at most 40 lines, the least telling left out
 * first), what was expected and observed, the story of each violation, the table of variants,
 * the smallest change that holds, the verdict with the simulation's speed, where the results
 * are, the command that replays it.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reports/plots.h"
#include "sim/campaign/images.h"
#include "sim/campaign/result.h"
#include "sim/campaign/variants.h"
#include "sim/cli/cli.h"

#define TIMELINE_LINES 40

struct run_input {
    const char *scenario, *variant, *out, *trace, *images;
    struct plan_request request;
    struct setting *sets;
    uint32_t sets_count;
    bool verify, json, plots, smallest, stop_on_violation;
};

/* ---- arguments ---- */

static const struct argp_option run_options[] = {
    {"variant", 'v', "V", 0, "a variant of the file, or all; default: base", 0},
    {"seed", 's', "N", 0, "seed, decimal, 0 to 9223372036854775807; default: the file's", 0},
    {"set", 'S', "PATH=VALUE", 0, "changes one setting, as a variant does; may be repeated", 0},
    {"out", 'o', "DIR", 0,
     "writes the result folder there (with several variants: a folder each below it)", 0},
    {"plots", 'p', NULL, 0,
     "draws the plots into the result folder (needs gnuplot); default folder results/NAME", 0},
    {"verify", 'V', NULL, 0, "runs twice and stops at the first difference", 0},
    {"stop-on-violation", 'x', NULL, 0,
     "ends the run at the first violation that the scenario does not expect", 0},
    {"trace", 't', "FILE", 0, "writes every event as a line", 0},
    {"images", 'i', "DIR", 0,
     "copies what is on the nodes' disks at the end into DIR/NODE (with several variants: "
     "DIR/VARIANT/NODE), for engine-dump and engine-check",
     0},
    {"smallest", 'm', NULL, 0,
     "computes the smallest change that holds (done with --variant all)", 0},
    {"json", 'j', NULL, 0, "prints result.json, one object a line, instead of text", 0},
    {0},
};

static error_t run_option(int key, char *argument, struct argp_state *state)
{
    struct run_input *input = state->input;
    switch (key) {
    case 'v': input->variant = argument; return 0;
    case 'o':
        if (!*argument) argp_error(state, "--out needs the name of a folder, not an empty one");
        input->out = argument;
        return 0;
    case 't': input->trace = argument; return 0;
    case 'i':
        if (!*argument)
            argp_error(state, "--images needs the name of a folder, not an empty one");
        input->images = argument;
        return 0;
    case 'V': input->verify = true; return 0;
    case 'x': input->stop_on_violation = true; return 0;
    case 'j': input->json = true; return 0;
    case 'p': input->plots = true; return 0;
    case 'm': input->smallest = true; return 0;
    case 's':
        if (!cli_number("--seed", argument, 0, INT64_MAX, &input->request.seed))
            exit(EXIT_BAD_INPUT);
        input->request.has_seed = true;
        return 0;
    case 'S': {
        char *equals = strchr(argument, '=');
        if (!equals || equals == argument)
            argp_error(state, "--set needs PATH=VALUE, not '%s'", argument);
        *equals = 0;
        input->sets = xrealloc(input->sets, (input->sets_count + 1) * sizeof *input->sets);
        input->sets[input->sets_count++] = (struct setting){argument, equals + 1};
        return 0;
    }
    case ARGP_KEY_ARG:
        if (state->arg_num) argp_usage(state);
        input->scenario = argument;
        return 0;
    case ARGP_KEY_NO_ARGS: argp_usage(state); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* ---- the timeline ---- */

/* Lower is told first. */
static int telling(const struct timeline_entry *entry)
{
    static const int rank[TIMELINE_KINDS] = {
        [TIMELINE_FAULT] = 0,    [TIMELINE_OPERATOR] = 0, [TIMELINE_LOSS] = 1,
        [TIMELINE_DECISION] = 2, [TIMELINE_ROLE] = 3,     [TIMELINE_HEAL] = 4,
        [TIMELINE_NODE] = 5,     [TIMELINE_PHASE] = 6,
    };
    return rank[entry->kind];
}

static enum colour timeline_colour(const struct timeline_entry *entry)
{
    switch (entry->kind) {
    case TIMELINE_FAULT: return COLOUR_CUT;
    case TIMELINE_LOSS: return COLOUR_FAIL;
    case TIMELINE_NODE: return COLOUR_DOWN;
    case TIMELINE_ROLE: return entry->role == ROLE_LEADER ? COLOUR_LEADER : COLOUR_FOLLOWER;
    case TIMELINE_DECISION:
    case TIMELINE_OPERATOR: return COLOUR_UNKNOWN;
    default: return COLOUR_DIM;
    }
}

static void print_timeline(const struct timeline *timeline)
{
    int limit = TIMELINE_KINDS;
    size_t shown = timeline->count;
    while (shown > TIMELINE_LINES - 1 && limit > 1) {
        limit--;
        shown = 0;
        for (size_t i = 0; i < timeline->count; i++)
            shown += telling(&timeline->items[i]) < limit;
    }
    size_t printed = 0;
    for (size_t i = 0; i < timeline->count; i++) {
        const struct timeline_entry *entry = &timeline->items[i];
        if (telling(entry) >= limit || printed == TIMELINE_LINES - 1) continue;
        char time[32];
        printf("  %10s  %s%-9s%s %s\n", vtime_format(entry->time_ns, time, sizeof time),
               colour(timeline_colour(entry)), timeline_kind_words[entry->kind],
               colour(COLOUR_PLAIN), entry->text);
        printed++;
    }
    if (printed < timeline->count)
        printf("  %10s  %zu more entries in timeline.jsonl\n", "...",
               timeline->count - printed);
}

/* ---- expectations and stories ---- */

static int64_t measure(const struct run *run, const char *name)
{
    struct check_input input = run_check_input(run);
    const struct measure *found = measure_find(name);
    return found ? measure_value(found, &input) : 0;
}

static void print_expectations(const struct run *run)
{
    printf("\n%sExpected, and observed%s\n", colour(COLOUR_BOLD), colour(COLOUR_PLAIN));
    for (size_t i = 0; i < run->expectations_count; i++) {
        const struct run_expectation *e = &run->expectations[i];
        enum colour c = e->met ? COLOUR_OK : e->unknown ? COLOUR_UNKNOWN : COLOUR_FAIL;
        printf("  %s%-8s%s %-62s %s\n", colour(c),
               e->met       ? "met"
               : e->unknown ? "unknown"
                            : "NOT MET",
               colour(COLOUR_PLAIN), e->text, e->observed_text);
    }
    for (size_t i = 0; i < run->evidence_count; i++)
        if (run->evidence[i].missing)
            printf("  %sINVALID%s  timeline entry '%s' %s\n", colour(COLOUR_FAIL),
                   colour(COLOUR_PLAIN), run->evidence[i].fault->id,
                   run->evidence[i].fired ? "had no effect" : "never fired");
}

static void print_story(const struct run *run, const struct run_expectation *e)
{
    struct check_input input = run_check_input(run);
    char *story = check_story(e->check, &input, &e->result);
    printf("\n%s%s%s: %s\n", colour(COLOUR_BOLD), e->check->name, colour(COLOUR_PLAIN),
           e->result.explanation ? e->result.explanation : "violated");
    for (char *line = story, *end; line && *line; line = end) {
        end = line + strcspn(line, "\n");
        printf("    %.*s\n", (int)(end - line), line);
        if (*end) end++;
    }
    free(story);
}

/* The stories of what was not met; if all was met, that of the first violation, which is what
 * the scenario is about. */
static void print_stories(const struct run *run)
{
    size_t told = 0;
    for (size_t i = 0; i < run->expectations_count && told < 3; i++) {
        const struct run_expectation *e = &run->expectations[i];
        if (e->met || !e->check || !e->result.violations) continue;
        print_story(run, e);
        told++;
    }
    for (size_t i = 0; i < run->expectations_count && !told; i++) {
        const struct run_expectation *e = &run->expectations[i];
        if (!e->check || !e->result.violations) continue;
        print_story(run, e);
        told++;
    }
}

static void print_numbers(const struct run *run)
{
    char outage[32];
    printf("\n  %" PRId64 " operations acknowledged, %" PRId64 " failed, %" PRId64
           " unknown; %" PRId64 " acknowledged writes lost, %" PRId64 " keys issued twice,\n"
           "  %" PRId64 " reads of another owner's private row; longest outage %s\n",
           measure(run, "acknowledged"), measure(run, "failed"), measure(run, "unknown"),
           measure(run, "lost_writes"), measure(run, "reused_keys"),
           measure(run, "private_reads"),
           duration_say(measure(run, "longest_outage"), outage, sizeof outage));
}

static void print_verdict(const struct run *run)
{
    static const enum colour colours[] = {COLOUR_OK, COLOUR_FAIL, COLOUR_FAIL, COLOUR_UNKNOWN};
    char *summary = run_summary(run);
    double simulated = (double)run->ended_ns / 1e9,
           wall = run->wall_seconds > 1e-9 ? run->wall_seconds : 1e-9;
    printf("\n%s%s%s\n", colour(colours[run->verdict]), summary, colour(COLOUR_PLAIN));
    printf("  trace %016" PRIx64 "; %.0f simulated seconds, %" PRIu64
           " events in %.3f s: %.2f M events/s, %.0f simulated s per wall s\n",
           run->trace_hash, simulated, run->events, run->wall_seconds,
           (double)run->events / wall / 1e6, simulated / wall);
    free(summary);
}

/* ---- running one variant ---- */

/* NULL: the trace cannot be opened. *status becomes worse when it cannot be written. */
static struct run *run_variant(const struct run_input *input, const struct plan *plan,
                               const char *replay, int *status)
{
    FILE *trace = NULL;
    if (input->trace && !(trace = fopen(input->trace, "w"))) {
        cli_error("%s: cannot be written", input->trace);
        return NULL;
    }
    struct run_request request = {.record = input->verify,
                                  .trace = trace,
                                  .replay = replay,
                                  .stop_on_violation = input->stop_on_violation};
    struct run *run = run_execute(plan, &request);
    if (input->verify) {
        struct run *first = run;
        request.reference = first->kernel;
        request.trace = NULL;
        run = run_execute(plan, &request);
        run_destroy(first);
    }
    if (trace) {
        bool failed = ferror(trace) != 0;
        if (fclose(trace) || failed) {
            cli_error("%s: write failed", input->trace);
            *status = exit_worse(*status, EXIT_INVALID);
        }
    }
    return run;
}

/* Makes the result folder before the run: who names one that cannot be used learns it at once,
 * not after the work is done. */
static bool folder_is_usable(const char *folder)
{
    struct stat found;
    int error = make_folders(folder);
    if (!error && stat(folder, &found)) error = -errno;
    if (!error && !S_ISDIR(found.st_mode)) error = -ENOTDIR;
    if (!error && access(folder, W_OK | X_OK)) error = -errno;
    if (error) cli_error("%s: cannot be the result folder: %s", folder, strerror(-error));
    return !error;
}

/* Images stand in a folder of their own: files of another run among them would lie. */
static bool images_are_usable(const char *folder)
{
    if (!folder_is_usable(folder)) return false;
    DIR *dir = opendir(folder);
    bool is_empty = dir != NULL;
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        is_empty &= !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
    if (dir) closedir(dir);
    if (!is_empty) cli_error("%s: images go to a new or empty folder", folder);
    return is_empty;
}

static bool write_images(struct run *run, const char *folder)
{
    char where[4096];
    int error = images_write(run, folder, where, sizeof where);
    if (error) cli_error("%s: %s", where, strerror(-error));
    return !error;
}

static bool write_results(const struct run *run, const char *folder, bool plots)
{
    const char *where = NULL;
    int error = result_write(run, folder, &where);
    if (error) {
        cli_error("%s: %s: %s", folder, where, strerror(-error));
        return false;
    }
    if (plots && plots_draw(folder)) return false;
    return true;
}

static void folder_name(const struct run_input *input, const struct plan *plan, bool several,
                        char *out, size_t size)
{
    if (input->out && !several)
        snprintf(out, size, "%s", input->out);
    else if (input->out)
        snprintf(out, size, "%s/%s", input->out, plan->variant);
    else if (several || strcmp(plan->variant, "base"))
        snprintf(out, size, "results/%s/%s", plan->name, plan->variant);
    else
        snprintf(out, size, "results/%s", plan->name);
}

static void print_run(const struct run *run)
{
    const struct plan *plan = run->plan;
    printf("%s%s%s (variant %s, seed %" PRIu64 ")\n", colour(COLOUR_BOLD), plan->name,
           colour(COLOUR_PLAIN), plan->variant, plan->seed);
    if (plan->about) printf("%s\n", plan->about);
    if (plan->source)
        printf("%ssource: %s%s\n", colour(COLOUR_DIM), plan->source, colour(COLOUR_PLAIN));
    putchar('\n');
    print_timeline(&run->records.timeline);
    print_expectations(run);
    print_stories(run);
    print_numbers(run);
    print_verdict(run);
}

/* ---- variants ---- */

static void print_variants(const struct variant_row *rows, size_t count)
{
    printf("\n%sSame faults, same seed, other settings%s\n", colour(COLOUR_BOLD),
           colour(COLOUR_PLAIN));
    printf("  %-20s %-8s %-6s %11s %11s %13s %14s  %s\n", "variant", "verdict", "holds",
           "lost writes", "reused keys", "private reads", "longest outage", "setting");
    for (size_t i = 0; i < count; i++) {
        char outage[32];
        const struct variant_row *row = &rows[i];
        printf("  %-20s %-8s %s%-6s%s %11" PRId64 " %11" PRId64 " %13" PRId64 " %14s  %s\n",
               row->name, verdict_words[row->verdict],
               colour(row->holds ? COLOUR_OK : COLOUR_FAIL), row->holds ? "yes" : "no",
               colour(COLOUR_PLAIN), row->lost_writes, row->reused_keys, row->private_reads,
               duration_say(row->longest_outage_ns, outage, sizeof outage),
               *row->settings ? row->settings : "as in the file");
    }
}

static void print_smallest(const struct smallest_change *change)
{
    printf("\n%sThe smallest change that holds%s", colour(COLOUR_BOLD), colour(COLOUR_PLAIN));
    if (!change->found) {
        printf(": none among the settings of its variants (%u runs)\n", change->runs);
        return;
    }
    printf(" (of variant %s, by %u run%s):\n", change->variant, change->runs,
           change->runs == 1 ? "" : "s");
    for (uint32_t i = 0; i < change->count; i++)
        printf("  %s%s: %s%s\n", colour(COLOUR_OK), change->settings[i]->path,
               change->settings[i]->value, colour(COLOUR_PLAIN));
}

static void json_smallest(const struct smallest_change *change)
{
    json_t *out = json_object(), *settings = json_object();
    for (uint32_t i = 0; i < change->count; i++)
        json_object_set_new(settings, change->settings[i]->path,
                            json_string(change->settings[i]->value));
    json_object_set_new(out, "smallest_change", change->found ? settings : json_null());
    if (!change->found) json_decref(settings);
    json_object_set_new(out, "variant",
                        change->found ? json_string(change->variant) : json_null());
    json_object_set_new(out, "runs", json_integer(change->runs));
    json_dumpf(out, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(out);
}

struct session {
    struct run_input *input;
    struct scenario *scenario;
    struct variant_row *rows;
    size_t rows_count;
    int status;
};

/* Runs one variant of the session, prints what is to be printed, keeps its row. */
static void session_variant(struct session *session, uint32_t variant, bool several)
{
    struct run_input *input = session->input;
    struct scenario_errors errors = {0};
    input->request.variant = variant;
    input->request.sets = input->sets;
    input->request.sets_count = input->sets_count;
    struct plan *plan = plan_create(session->scenario, &input->request, &errors);
    cli_print_errors(&errors);
    if (!plan) {
        session->status = exit_worse(session->status, EXIT_BAD_INPUT);
        return;
    }
    char folder[4096];
    folder_name(input, plan, several, folder, sizeof folder);
    char *replay = result_replay_command(plan), images[4096] = "";
    if (input->images)
        snprintf(images, sizeof images, several ? "%s/%s" : "%s", input->images, plan->variant);
    struct run *run = NULL;
    if (((!input->out && !input->plots) || folder_is_usable(folder)) &&
        (!*images || images_are_usable(images)))
        run = run_variant(input, plan, replay, &session->status);
    if (!run) {
        session->status = exit_worse(session->status, EXIT_BAD_INPUT);
    } else {
        session->status = exit_worse(session->status, exit_of_verdict(run->verdict));
        bool is_told = !several || variant == 0;
        if (input->json) {
            json_t *json = result_json(run);
            json_dumpf(json, stdout, JSON_COMPACT);
            putchar('\n');
            json_decref(json);
        } else if (is_told) {
            print_run(run);
        }
        if (*images && !write_images(run, images))
            session->status = exit_worse(session->status, EXIT_INVALID);
        else if (*images && !input->json && is_told)
            printf("  images in %s: faultline engine-check %s/%s/data\n", images, images,
                   world_endpoint_name(run->world, 0));
        if (input->out || input->plots) {
            if (!write_results(run, folder, input->plots && is_told))
                session->status = exit_worse(session->status, EXIT_INVALID);
            else if (!input->json && is_told)
                printf("  results in %s\n", folder);
            if (input->plots && !input->json && is_told) plots_print(stdout, folder);
        }
        if (!input->json && is_told) printf("  replay: %s\n", replay);
        session->rows[session->rows_count++] = variant_row(run);
        session->rows[session->rows_count - 1].name =
            scenario_variant_name(session->scenario, variant);
    }
    run_destroy(run);
    free(replay);
    plan_destroy(plan);
}

static int run_session(struct run_input *input, struct scenario *scenario)
{
    bool several = input->variant && !strcmp(input->variant, "all");
    uint32_t variants = scenario_variants(scenario), variant = 0;
    if (input->variant && !several) {
        variant = scenario_variant_find(scenario, input->variant);
        if (variant == UINT32_MAX) {
            const char **names = xcalloc(variants + 2, sizeof *names);
            for (uint32_t v = 0; v < variants; v++)
                names[v] = scenario_variant_name(scenario, v);
            names[variants] = "all";
            int status =
                cli_unknown("variant", input->variant, nearest_word(input->variant, names));
            fputs("  it has:", stderr);
            for (uint32_t v = 0; v < variants; v++) fprintf(stderr, " %s", names[v]);
            fputc('\n', stderr);
            free(names);
            return status;
        }
    }
    struct session session = {input, scenario, xcalloc(variants + 1, sizeof *session.rows), 0,
                              EXIT_MET};
    for (uint32_t v = several ? 0 : variant;
         v < (several ? variants : variant + 1) && session.status != EXIT_BAD_INPUT; v++)
        session_variant(&session, v, several);
    bool usable = session.status == EXIT_MET || session.status == EXIT_NOT_MET;
    if (several && !input->json && usable) print_variants(session.rows, session.rows_count);
    bool base_holds = session.rows_count && variant == 0 && session.rows[0].holds;
    if ((several || input->smallest) && usable && variants > 1 && !base_holds) {
        struct plan_request base = {.has_seed = input->request.has_seed,
                                    .seed = input->request.seed,
                                    .sets = input->sets,
                                    .sets_count = input->sets_count};
        struct smallest_change change = smallest_change_find(scenario, &base);
        if (input->json)
            json_smallest(&change);
        else
            print_smallest(&change);
    }
    if ((several || input->smallest) && usable && base_holds && !input->json)
        puts("\nThe scenario holds as it stands: there is nothing to change.");
    for (size_t i = 0; i < session.rows_count; i++) variant_row_deinit(&session.rows[i]);
    free(session.rows);
    return session.status;
}

int command_run(int argc, char **argv)
{
    static const struct argp argp = {
        run_options,
        run_option,
        "SCENARIO",
        "Runs a scenario, judges its expectations, explains what broke. --variant all also "
        "runs every variant and computes the smallest change that holds."
        "\vExample: faultline run scenarios/incidents/github-2012-stale-promotion.yaml "
        "--variant all --out results/github\n"
        "Exit status: 0 all expectations met; 1 some not; 2 bad input; 3 invalid; 4 undecided.",
        NULL,
        NULL,
        NULL};
    struct run_input input = {0};
    int status;
    if (!cli_parse(&argp, argc, argv, &input, &status)) return status;
    struct scenario_errors errors = {0};
    struct scenario *scenario = scenario_load(input.scenario, &errors);
    cli_print_errors(&errors);
    status = scenario ? run_session(&input, scenario) : EXIT_BAD_INPUT;
    scenario_destroy(scenario);
    free(input.sets);
    return status;
}
