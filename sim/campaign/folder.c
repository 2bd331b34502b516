/* `check PATH...`: load everything first, so that bad input is found before any run; then one
 * process a run, at most `jobs` at once.
 *
 * A process a run keeps state from leaking between runs, makes a crash of one a finding and not
 * the end, and uses all cores without threads. The child writes its result.json text into a
 * pipe; the parent reads all pipes with poll() and keeps the order of the files in everything
 * that it prints.
 *
 * Golden file: the golden.tsv of a given folder must name exactly the runs that the folder has:
 * a run that is missing there, differs, or is listed without existing fails the check. A path
 * without one of its own is compared with the nearest above it; without any, the summary says
 * that nothing was compared.
 */
#include "sim/campaign/folder.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim/campaign/result.h"

/* Beyond limits.wall: what one run may take before it is a hang. */
#define WATCHDOG_SECONDS 600

/* ---- files ---- */

static bool is_scenario_name(const char *name)
{
    size_t size = strlen(name);
    return (size > 5 && !strcmp(name + size - 5, ".yaml")) ||
           (size > 4 && !strcmp(name + size - 4, ".yml"));
}

static void append(char ***items, size_t *count, char *item)
{
    *items = xrealloc(*items, (*count + 1) * sizeof **items);
    (*items)[(*count)++] = item;
}

static char *join(const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = xmalloc(size);
    size_t length = strlen(folder);
    snprintf(path, size, "%s%s%s", folder, length && folder[length - 1] == '/' ? "" : "/",
             name);
    return path;
}

int folder_collect(const char *path, char ***paths, size_t *count)
{
    struct stat status;
    if (stat(path, &status)) return -errno;
    if (!S_ISDIR(status.st_mode)) {
        append(paths, count, xstrdup(path));
        return 0;
    }
    struct dirent **entries;
    int entries_count = scandir(path, &entries, NULL, alphasort);
    if (entries_count < 0) return -errno;
    int error = 0;
    for (int i = 0; i < entries_count; i++) {
        const char *name = entries[i]->d_name;
        if (name[0] != '.' && !error) {
            char *child = join(path, name);
            struct stat child_status;
            if (!stat(child, &child_status) &&
                (S_ISDIR(child_status.st_mode) || is_scenario_name(name)))
                error = folder_collect(child, paths, count);
            free(child);
        }
        free(entries[i]);
    }
    free(entries);
    return error;
}

/* ---- golden ---- */

char *golden_line(const json_t *result)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    json_t *measures = json_object_get(result, "measures");
    fprintf(out, "%s\t%s\t%" PRId64 "\t%s\t%s",
            json_string_value(json_object_get(result, "scenario")),
            json_string_value(json_object_get(result, "variant")),
            (int64_t)json_integer_value(json_object_get(result, "seed")),
            json_string_value(json_object_get(result, "trace_hash")),
            json_string_value(json_object_get(result, "verdict")));
    static const char *const counts[] = {"acknowledged", "failed", "unknown"};
    for (size_t i = 0; i < 3; i++)
        fprintf(out, "\t%" PRId64,
                (int64_t)json_integer_value(json_object_get(measures, counts[i])));
    fputc('\t', out);
    const char *name;
    json_t *row;
    bool first = true;
    json_object_foreach(json_object_get(result, "checks"), name, row)
    {
        int64_t violations = json_integer_value(json_object_get(row, "violations"));
        if (!violations) continue;
        fprintf(out, "%s%s=%" PRId64, first ? "" : ",", name, violations);
        first = false;
    }
    if (first) fputc('-', out);
    fclose(out);
    return text;
}

static const char golden_header[] =
    "# "
    "scenario\tvariant\tseed\ttrace_hash\tverdict\tacknowledged\tfailed\tunknown\tviolations\n";

struct golden {
    char **lines;
    size_t count;
    bool *used;
    bool present;
};

static void golden_read(struct golden *golden, const char *folder)
{
    char *path = join(folder, "golden.tsv"), *line = NULL;
    size_t capacity = 0;
    FILE *in = fopen(path, "r");
    free(path);
    if (!in) return;
    golden->present = true;
    for (ssize_t size; (size = getline(&line, &capacity, in)) > 0;) {
        if (line[size - 1] == '\n') line[size - 1] = 0;
        if (line[0] && line[0] != '#') append(&golden->lines, &golden->count, xstrdup(line));
    }
    free(line);
    fclose(in);
    golden->used = xcalloc(golden->count + 1, sizeof *golden->used);
}

/* The golden file of `path` itself (true: it must name exactly the runs below), or the nearest
 * above, which names more. */
static bool golden_find(struct golden *golden, const char *path)
{
    char *folder = realpath(path, NULL);
    bool is_whole = true;
    while (folder) {
        golden_read(golden, folder);
        char *slash = strrchr(folder, '/');
        if (golden->present || !slash || slash == folder) break;
        *slash = 0;
        is_whole = false;
    }
    free(folder);
    return is_whole && golden->present;
}

static void golden_deinit(struct golden *golden)
{
    for (size_t i = 0; i < golden->count; i++) free(golden->lines[i]);
    free(golden->lines);
    free(golden->used);
}

/* The first two fields, scenario and variant, name the run. */
static size_t golden_key_size(const char *line)
{
    const char *tab = strchr(line, '\t');
    const char *second = tab ? strchr(tab + 1, '\t') : NULL;
    return second ? (size_t)(second - line) : strlen(line);
}

static void golden_compare(struct golden *golden, struct folder_run *run)
{
    if (!golden->present || !run->result) return;
    char *line = golden_line(run->result), *difference = NULL;
    size_t key = golden_key_size(line), size = 0;
    const char *found = NULL;
    for (size_t i = 0; i < golden->count && !found; i++) {
        if (golden_key_size(golden->lines[i]) != key || memcmp(golden->lines[i], line, key))
            continue;
        golden->used[i] = true;
        found = golden->lines[i];
    }
    if (!found || strcmp(found, line)) {
        FILE *out = open_memstream(&difference, &size);
        fprintf(out, "golden.tsv: %s\n    has  %s\n    now  %s",
                found ? "differs" : "has no line for this run", found ? found : "(nothing)",
                line);
        fclose(out);
        run->golden_difference = difference;
        run->exit = exit_worse(run->exit, EXIT_NOT_MET);
    }
    free(line);
}

static int golden_write(const struct folder *folder, const char *path, size_t first,
                        size_t last)
{
    char *file = join(path, "golden.tsv");
    FILE *out = fopen(file, "w");
    free(file);
    if (!out) return -errno;
    fputs(golden_header, out);
    for (size_t i = first; i < last; i++) {
        if (!folder->runs[i].result) continue;
        char *line = golden_line(folder->runs[i].result);
        fprintf(out, "%s\n", line);
        free(line);
    }
    return fclose(out) ? -errno : 0;
}

/* ---- one run in its own process ---- */

struct worker {
    pid_t pid;
    int pipe;
    size_t run;
    char *text;
    size_t size, capacity;
    double started;
};

static double now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void child_run(const struct folder_run *task, const struct folder_request *request,
                      uint32_t variant, int out)
{
    struct scenario_errors errors = {0};
    struct scenario *scenario = scenario_load(task->path, &errors);
    struct plan *plan =
        scenario ? plan_create(scenario, &(struct plan_request){.variant = variant}, &errors)
                 : NULL;
    if (!plan) _exit(EXIT_BAD_INPUT);
    /* limits.wall is judged between events; a handler that never ends is ended by a signal. */
    alarm((unsigned)(plan->wall_ms_max / 1000) + WATCHDOG_SECONDS);
    char *replay = result_replay_command(plan);
    struct run *run = run_execute(
        plan, &(struct run_request){.replay = replay,
                                    .stop_on_violation = request->stop_on_violation});
    json_t *json = result_json(run);
    FILE *stream = fdopen(out, "w");
    int failed = !stream || json_dumpf(json, stream, JSON_COMPACT) || fclose(stream);
    _exit(failed ? EXIT_INVALID : EXIT_MET);
}

static void worker_start(struct worker *worker, const struct folder_run *task,
                         const struct folder_request *request, size_t run, uint32_t variant)
{
    int ends[2];
    *worker = (struct worker){.run = run, .started = now_seconds(), .pid = -1, .pipe = -1};
    if (pipe(ends)) return;
    fflush(NULL);
    worker->pid = fork();
    if (worker->pid == 0) {
        close(ends[0]);
        child_run(task, request, variant, ends[1]);
    }
    close(ends[1]);
    worker->pipe = ends[0];
    if (worker->pid < 0) {
        close(ends[0]);
        worker->pipe = -1;
    }
}

/* True at the end of the child's output. */
static bool worker_read(struct worker *worker)
{
    if (worker->size + 65536 > worker->capacity) {
        worker->capacity = worker->capacity * 2 + 131072;
        worker->text = xrealloc(worker->text, worker->capacity);
    }
    ssize_t got =
        read(worker->pipe, worker->text + worker->size, worker->capacity - worker->size);
    if (got < 0) return errno != EINTR && errno != EAGAIN;
    worker->size += (size_t)got;
    return got == 0;
}

static void worker_end(struct worker *worker, struct folder_run *run)
{
    int status = 0;
    if (worker->pipe >= 0) close(worker->pipe);
    if (worker->pid > 0) waitpid(worker->pid, &status, 0);
    run->seconds = now_seconds() - worker->started;
    json_error_t error;
    run->result = worker->size ? json_loadb(worker->text, worker->size, 0, &error) : NULL;
    free(worker->text);
    if (run->result) {
        const char *verdict = json_string_value(json_object_get(run->result, "verdict"));
        run->exit = EXIT_INVALID;
        for (int v = 0; verdict && verdict_words[v]; v++)
            if (!strcmp(verdict, verdict_words[v]))
                run->exit = exit_of_verdict((enum verdict)v);
    } else {
        char why[128];
        if (worker->pid < 0)
            snprintf(why, sizeof why, "its process could not be started");
        else if (WIFSIGNALED(status))
            snprintf(why, sizeof why, "its process was ended by signal %d (%s)",
                     WTERMSIG(status), strsignal(WTERMSIG(status)));
        else
            snprintf(why, sizeof why, "its process ended with status %d and no result",
                     WEXITSTATUS(status));
        run->died = xstrdup(why);
        run->exit = EXIT_INVALID;
    }
    *worker = (struct worker){.pid = -1, .pipe = -1};
}

static void run_all(struct folder *folder, const struct folder_request *request,
                    const uint32_t *variants)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t jobs = request->jobs ? request->jobs : cores > 0 ? (uint32_t)cores : 1;
    struct worker *workers = xcalloc(jobs, sizeof *workers);
    struct pollfd *polled = xcalloc(jobs, sizeof *polled);
    size_t next = 0, done = 0;
    for (uint32_t w = 0; w < jobs; w++) workers[w] = (struct worker){.pid = -1, .pipe = -1};
    while (done < folder->runs_count) {
        for (uint32_t w = 0; w < jobs; w++)
            if (workers[w].pipe < 0 && next < folder->runs_count) {
                worker_start(&workers[w], &folder->runs[next], request, next, variants[next]);
                next++;
                if (workers[w].pipe < 0) {
                    size_t failed = workers[w].run;
                    worker_end(&workers[w], &folder->runs[failed]);
                    done++;
                }
            }
        for (uint32_t w = 0; w < jobs; w++)
            polled[w] = (struct pollfd){.fd = workers[w].pipe, .events = POLLIN};
        if (poll(polled, jobs, 1000) < 0) continue;
        for (uint32_t w = 0; w < jobs; w++) {
            if (workers[w].pipe < 0 || !(polled[w].revents & (POLLIN | POLLHUP | POLLERR)) ||
                !worker_read(&workers[w]))
                continue;
            size_t run = workers[w].run;
            worker_end(&workers[w], &folder->runs[run]);
            done++;
            if (request->progress)
                request->progress(request->progress_context, done, folder->runs_count,
                                  &folder->runs[run]);
        }
    }
    free(workers);
    free(polled);
}

/* ---- the whole ---- */

static void error_add(struct folder *folder, char *text)
{
    append(&folder->errors, &folder->errors_count, text);
    folder->exit = EXIT_BAD_INPUT;
}

static char *message(const char *path, const char *text)
{
    size_t size = strlen(path) + strlen(text) + 3;
    char *out = xmalloc(size);
    snprintf(out, size, "%s: %s", path, text);
    return out;
}

/* `first`: where the runs of the same given path begin; their names must differ. */
static void add_runs(struct folder *folder, uint32_t **variants, const char *path, size_t first)
{
    struct scenario_errors errors = {0};
    struct scenario *scenario = scenario_load(path, &errors);
    for (size_t i = 0; i < errors.count; i++) error_add(folder, xstrdup(errors.items[i]));
    scenario_errors_deinit(&errors);
    if (!scenario) return;
    for (size_t i = first; i < folder->runs_count; i++) {
        const struct folder_run *other = &folder->runs[i];
        if (strcmp(other->scenario, scenario_name(scenario)) || strcmp(other->variant, "base"))
            continue;
        char text[4096];
        snprintf(text, sizeof text,
                 "name '%s' is that of %s too: golden.tsv and reports need names that differ",
                 other->scenario, other->path);
        error_add(folder, message(path, text));
    }
    for (uint32_t v = 0; v < scenario_variants(scenario); v++) {
        folder->runs = xrealloc(folder->runs, (folder->runs_count + 1) * sizeof *folder->runs);
        *variants = xrealloc(*variants, (folder->runs_count + 1) * sizeof **variants);
        (*variants)[folder->runs_count] = v;
        folder->runs[folder->runs_count++] =
            (struct folder_run){.path = xstrdup(path),
                                .scenario = xstrdup(scenario_name(scenario)),
                                .variant = xstrdup(scenario_variant_name(scenario, v)),
                                .exit = EXIT_INVALID};
    }
    scenario_destroy(scenario);
}

/* Judges or rewrites the golden file of one given path, whose runs are [first, last). */
static void golden_judge(struct folder *folder, const struct folder_request *request,
                         const char *path, size_t first, size_t last)
{
    struct stat status;
    if (request->ignore_golden || stat(path, &status)) return;
    if (request->update_golden && S_ISDIR(status.st_mode)) {
        int error = golden_write(folder, path, first, last);
        if (error) error_add(folder, message(path, "golden.tsv cannot be written"));
        return;
    }
    struct golden golden = {0};
    bool is_whole = golden_find(&golden, path);
    folder->without_golden |= !golden.present;
    for (size_t i = first; i < last; i++) golden_compare(&golden, &folder->runs[i]);
    for (size_t i = 0; is_whole && i < golden.count; i++) {
        if (golden.used[i]) continue;
        char *text = message("golden.tsv lists a run that is not there", golden.lines[i]);
        append(&folder->errors, &folder->errors_count, text);
        folder->exit = exit_worse(folder->exit, EXIT_NOT_MET);
    }
    golden_deinit(&golden);
}

void folder_check(struct folder *folder, const struct folder_request *request)
{
    *folder = (struct folder){0};
    uint32_t *variants = NULL;
    size_t *firsts = xcalloc(request->paths_count + 1, sizeof *firsts);
    for (size_t p = 0; p < request->paths_count; p++) {
        size_t before = folder->paths_count;
        firsts[p] = folder->runs_count;
        int error = folder_collect(request->paths[p], &folder->paths, &folder->paths_count);
        if (error)
            error_add(folder, message(request->paths[p], strerror(-error)));
        else if (folder->paths_count == before)
            error_add(folder, message(request->paths[p], "no scenario (*.yaml) here"));
        for (size_t i = before; i < folder->paths_count; i++)
            add_runs(folder, &variants, folder->paths[i], firsts[p]);
    }
    firsts[request->paths_count] = folder->runs_count;
    if (!folder->errors_count) {
        run_all(folder, request, variants);
        for (size_t p = 0; p < request->paths_count; p++)
            golden_judge(folder, request, request->paths[p], firsts[p], firsts[p + 1]);
        for (size_t i = 0; i < folder->runs_count; i++)
            folder->exit = exit_worse(folder->exit, folder->runs[i].exit);
    }
    free(variants);
    free(firsts);
}

void folder_deinit(struct folder *folder)
{
    for (size_t i = 0; i < folder->paths_count; i++) free(folder->paths[i]);
    for (size_t i = 0; i < folder->errors_count; i++) free(folder->errors[i]);
    for (size_t i = 0; i < folder->runs_count; i++) {
        struct folder_run *run = &folder->runs[i];
        free(run->path);
        free(run->scenario);
        free(run->variant);
        free(run->died);
        free(run->golden_difference);
        json_decref(run->result);
    }
    free(folder->paths);
    free(folder->errors);
    free(folder->runs);
    *folder = (struct folder){0};
}

char *folder_replay(const struct folder_run *run)
{
    const char *told = json_string_value(json_object_get(run->result, "replay"));
    if (told) return xstrdup(told);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    fprintf(out, "faultline run '%s' --variant '%s'", run->path, run->variant);
    fclose(out);
    return text;
}

/* ---- JUnit ---- */

static void put_xml(FILE *out, const char *text)
{
    for (; text && *text; text++) switch (*text) {
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '&': fputs("&amp;", out); break;
        case '"': fputs("&quot;", out); break;
        default:
            if ((unsigned char)*text < 0x20 && *text != '\n' && *text != '\t')
                fputc('?', out);
            else
                fputc(*text, out);
        }
}

/* Failures first line: what was not met; then the story. */
static void junit_problem(const struct folder_run *run, FILE *out)
{
    if (run->exit == EXIT_MET) return;
    bool is_error = run->exit == EXIT_INVALID || run->exit == EXIT_UNDECIDED;
    const char *tag = is_error ? "error" : "failure";
    fprintf(out, "      <%s message=\"", tag);
    const char *reason =
        run->died ? run->died : json_string_value(json_object_get(run->result, "reason"));
    put_xml(out, reason                   ? reason
                 : run->golden_difference ? "differs from golden.tsv"
                                          : "expectation not met");
    fputs("\">", out);
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(run->result, "expectations"), i, row)
    {
        if (json_is_true(json_object_get(row, "met"))) continue;
        fputs("expected ", out);
        put_xml(out, json_string_value(json_object_get(row, "expected")));
        fputs("; observed ", out);
        put_xml(out, json_string_value(json_object_get(row, "observed")));
        fputc('\n', out);
        json_t *witness = json_object_get(row, "witness");
        put_xml(out, json_string_value(json_object_get(witness, "explanation")));
        fputc('\n', out);
        put_xml(out, json_string_value(json_object_get(witness, "story")));
    }
    put_xml(out, run->golden_difference);
    fputs("\nreplay: ", out);
    char *replay = folder_replay(run);
    put_xml(out, replay);
    free(replay);
    fprintf(out, "</%s>\n", tag);
}

int junit_write(const struct folder *folder, FILE *out)
{
    size_t failures = 0, errors = 0;
    for (size_t i = 0; i < folder->runs_count; i++) {
        failures += folder->runs[i].exit == EXIT_NOT_MET;
        errors +=
            folder->runs[i].exit == EXIT_INVALID || folder->runs[i].exit == EXIT_UNDECIDED;
    }
    fprintf(out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"faultline\" "
            "tests=\"%zu\" failures=\"%zu\" errors=\"%zu\">\n",
            folder->runs_count, failures, errors);
    for (size_t first = 0, last; first < folder->runs_count; first = last) {
        size_t suite_failures = 0, suite_errors = 0;
        for (last = first; last < folder->runs_count &&
                           !strcmp(folder->runs[last].path, folder->runs[first].path);
             last++) {
            suite_failures += folder->runs[last].exit == EXIT_NOT_MET;
            suite_errors += folder->runs[last].exit == EXIT_INVALID ||
                            folder->runs[last].exit == EXIT_UNDECIDED;
        }
        fputs("  <testsuite name=\"", out);
        put_xml(out, folder->runs[first].scenario);
        fprintf(out, "\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\">\n", last - first,
                suite_failures, suite_errors);
        for (size_t i = first; i < last; i++) {
            const struct folder_run *run = &folder->runs[i];
            fputs("    <testcase classname=\"", out);
            put_xml(out, run->scenario);
            fputs("\" name=\"", out);
            put_xml(out, run->variant);
            fprintf(out, "\" time=\"%.3f\"%s\n", run->seconds,
                    run->exit == EXIT_MET ? "/>" : ">");
            junit_problem(run, out);
            if (run->exit != EXIT_MET) fputs("    </testcase>\n", out);
        }
        fputs("  </testsuite>\n", out);
    }
    fputs("</testsuites>\n", out);
    return ferror(out) ? -EIO : 0;
}
