/* `faultline bench engines`: arguments, rounds, and where the rows go.
 *
 * Rounds are interleaved: each round runs every engine once, so that a disturbance of the host
 * falls on all; the row shown is the round with the median CPU time (on a simulated disk, whose
 * rounds are equal unless CPU is measured, the median elapsed time).
 */
#define _GNU_SOURCE
#include "sim/cli/bench_engines.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/bench/engine_bench.h"
#include "sim/bench/folder.h"
#include "sim/campaign/result.h"
#include "sim/campaign/run.h"
#include "sim/cli/bench_fidelity.h"
#include "sim/cli/bench_table.h"
#include "sim/cli/cli.h"
#include "sim/kernel/arena.h"
#include "sim/kernel/check.h"

#define REPEAT_MAX 99u
#define SECONDS_MAX 86400u

enum {
    KEY_REAL = 256,
    KEY_SIM,
    KEY_FIDELITY,
    KEY_DISK,
    KEY_CPU,
    KEY_ENGINES,
    KEY_WORKLOADS,
    KEY_KEYS,
    KEY_VALUE_SIZE,
    KEY_BATCH,
    KEY_SET,
    KEY_REPEAT,
    KEY_SECONDS,
    KEY_SEED,
    KEY_JSON,
    KEY_OUT
};

static const struct argp_option arguments[] = {
    {"real", KEY_REAL, "DIR", 0, "measure on real files, in a folder of its own below DIR", 0},
    {"sim", KEY_SIM, "PRESET|FILE", 0,
     "measure on a simulated disk, in virtual time: a preset, or what calibrate printed", 0},
    {"fidelity", KEY_FIDELITY, "DIR", 0,
     "measure in turns on real files below DIR and on a simulated disk calibrated there: how "
     "far "
     "the simulation is off",
     0},
    {"disk", KEY_DISK, "FILE", 0, "with --fidelity: that disk instead of calibrating (10 s)",
     0},
    {"cpu", KEY_CPU, "measured|none", 0,
     "with --sim: add the engine's CPU time on this host to virtual time (none)", 0},
    {"engines", KEY_ENGINES, "A,B", 0, "these engines (all)", 0},
    {"workloads", KEY_WORKLOADS, "W,X", 0,
     "these workloads in this order; ycsb: its six; all (all but fillbatch)", 0},
    {"keys", KEY_KEYS, "N,M", 0,
     "keys in the store, 1e3 = 1000; a list: cost against N (100000)", 0},
    {"value-size", KEY_VALUE_SIZE, "B", 0, "bytes a value, 1 to 65536 (100)", 0},
    {"batch", KEY_BATCH, "N", 0, "puts a batch (1; fillbatch: 1000)", 0},
    {"set", KEY_SET, "E.OPTION=V", 0, "an option of an engine, as in a scenario", 0},
    {"repeat", KEY_REPEAT, "R", 0, "rounds, of which the median is shown (1)", 0},
    {"seconds", KEY_SECONDS, "S", 0,
     "ends a workload that is no fill after so long, and says how far it came (10)", 0},
    {"seed", KEY_SEED, "N", 0, "of the simulated disk (1)", 0},
    {"json", KEY_JSON, NULL, 0, "one object a line", 0},
    {"out", KEY_OUT, "DIR", 0, "write a result folder", 0},
    {0},
};

/* ---- words ---- */

static const char *next_word(const char **list, char *word, size_t size)
{
    if (!*list) return NULL;
    size_t length = strcspn(*list, ",");
    snprintf(word, size, "%.*s", (int)(length < size ? length : size - 1), *list);
    *list = (*list)[length] ? *list + length + 1 : NULL;
    return word;
}

static bool add_engines(struct bench_input *input, const char *list)
{
    const char *names[LIST_MAX];
    size_t count = 0;
    for (; engine_registry[count] && count + 1 < LIST_MAX; count++)
        names[count] = engine_registry[count]->name;
    names[count] = NULL;
    char word[64];
    while (next_word(&list, word, sizeof word)) {
        const struct engine_ops *engine = engine_find(word);
        if (!engine) return cli_unknown_of("engine", word, names), false;
        for (size_t i = 0; i < input->engines_count; i++)
            if (input->engines[i] == engine)
                return cli_error("engine '%s' is named twice", word), false;
        input->engines[input->engines_count++] = engine;
    }
    return true;
}

static bool add_workload(struct bench_input *input, const struct bench_workload *workload)
{
    for (size_t i = 0; i < input->workloads_count; i++)
        if (input->workloads[i] == workload)
            return cli_error("workload '%s' is named twice", workload->name), false;
    CHECK(input->workloads_count < LIST_MAX);
    input->workloads[input->workloads_count++] = workload;
    return true;
}

static bool add_workloads(struct bench_input *input, const char *list)
{
    const char *names[LIST_MAX] = {"all", "ycsb"};
    size_t count = 2;
    for (const struct bench_workload *w = bench_workloads; w->name && count + 1 < LIST_MAX; w++)
        names[count++] = w->name;
    names[count] = NULL;
    char word[64];
    while (next_word(&list, word, sizeof word)) {
        bool is_all = !strcmp(word, "all"), is_ycsb = !strcmp(word, "ycsb");
        const struct bench_workload *found = bench_workload_find(word);
        if (!found && !is_all && !is_ycsb)
            return cli_unknown_of("workload", word, names), false;
        if (found && !add_workload(input, found)) return false;
        for (const struct bench_workload *w = bench_workloads; !found && w->name; w++) {
            bool wanted =
                is_ycsb ? !strncmp(w->name, "ycsb_", 5) : strcmp(w->name, "fillbatch");
            if (wanted && !add_workload(input, w)) return false;
        }
    }
    return true;
}

/* "1000", or "1e3". */
static bool key_count(const char *text, uint64_t *value)
{
    size_t length = strspn(text, "0123456789");
    const char *zeros = text[length] == 'e' ? text + length + 1 : NULL;
    bool is_number =
        length && (zeros ? *zeros && !zeros[strspn(zeros, "0123456789")] : !text[length]);
    uint64_t count = 0;
    for (size_t i = 0; i < length && count <= BENCH_KEYS_MAX; i++)
        count = count * 10 + (uint64_t)(text[i] - '0');
    if (!is_number || !count)
        return cli_error("--keys: '%s' is not a decimal number from 1 to %llu, such as 1000 or "
                         "1e3",
                         text, (unsigned long long)BENCH_KEYS_MAX),
               false;
    for (unsigned long n = zeros ? strtoul(zeros, NULL, 10) : 0; n && count <= BENCH_KEYS_MAX;
         n--)
        count *= 10;
    if (count > BENCH_KEYS_MAX)
        return cli_error("--keys: '%s' is more than %llu", text,
                         (unsigned long long)BENCH_KEYS_MAX),
               false;
    *value = count;
    return true;
}

static bool add_keys(struct bench_input *input, const char *list)
{
    char word[64];
    while (next_word(&list, word, sizeof word)) {
        if (input->keys_count == LIST_MAX)
            return cli_error("--keys: more than %u numbers", LIST_MAX), false;
        uint64_t count;
        if (!key_count(word, &count)) return false;
        for (size_t i = 0; i < input->keys_count; i++)
            if (input->keys[i] == count)
                return cli_error("--keys: %s is named twice", word), false;
        input->keys[input->keys_count++] = count;
    }
    return true;
}

/* A file has a dot or a slash in its name, a preset neither. */
static bool disk_named(struct bench_input *input, const char *name)
{
    const char *names[LIST_MAX];
    size_t count = 0;
    for (const struct disk_preset *p = disk_presets; p->name && count + 1 < LIST_MAX; p++)
        names[count++] = p->name;
    names[count] = NULL;
    const struct disk_preset *found = disk_preset_find(name);
    if (found) {
        input->disk = found->config;
        return true;
    }
    if (!strpbrk(name, "./")) return cli_unknown_of("disk preset", name, names), false;
    struct scenario_errors errors = {0};
    if (!input->arena) input->arena = arena_create();
    if (disk_file_load(name, input->arena, &input->disk, &errors)) return true;
    cli_print_errors(&errors);
    return false;
}

static bool cpu_word(struct bench_input *input, const char *word)
{
    static const char *const words[] = {"none", "measured", NULL};
    input->cpu_measured = !strcmp(word, "measured");
    if (input->cpu_measured || !strcmp(word, "none")) return true;
    cli_unknown_of("word for --cpu", word, words);
    return false;
}

static error_t take_option(int key, char *argument, struct argp_state *state)
{
    struct bench_input *input = state->input;
    bool good = true;
    if (input->failed) return 0; /* one mistake is enough */
    switch (key) {
    case KEY_REAL: input->real = argument; break;
    case KEY_SIM: input->preset = argument; break;
    case KEY_FIDELITY: input->fidelity = argument; break;
    case KEY_DISK:
        input->has_disk = true;
        input->disk_name = argument;
        break;
    case KEY_CPU:
        input->has_cpu = true;
        good = cpu_word(input, argument);
        break;
    case KEY_ENGINES: good = add_engines(input, argument); break;
    case KEY_WORKLOADS: good = add_workloads(input, argument); break;
    case KEY_KEYS: good = add_keys(input, argument); break;
    case KEY_VALUE_SIZE:
        good =
            cli_number("--value-size", argument, 1, BENCH_VALUE_SIZE_MAX, &input->value_size);
        break;
    case KEY_BATCH:
        good = cli_number("--batch", argument, 1, 1000000, &input->batch_size);
        break;
    case KEY_SET:
        if (input->set_count == LIST_MAX)
            good = (cli_error("more than %u --set", LIST_MAX), false);
        else
            input->set[input->set_count++] = argument;
        break;
    case KEY_REPEAT:
        good = cli_number("--repeat", argument, 1, REPEAT_MAX, &input->repeat);
        break;
    case KEY_SECONDS:
        good = cli_number("--seconds", argument, 1, SECONDS_MAX, &input->budget_s);
        break;
    case KEY_SEED:
        input->has_seed = true;
        good = cli_number("--seed", argument, 0, UINT64_MAX, &input->seed);
        break;
    case KEY_JSON: input->json = true; break;
    case KEY_OUT: input->out = argument; break;
    case ARGP_KEY_ARG:
        good = (cli_error("bench engines takes no '%s'", argument), false);
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    input->failed = !good;
    return 0;
}

/* ---- engine options ---- */

static bool set_option(struct bench_input *input, const char *setting)
{
    char engine[64], name[64];
    const char *dot = strchr(setting, '.'), *equals = strchr(setting, '=');
    if (!dot || !equals || dot > equals)
        return cli_error("--set %s: write ENGINE.OPTION=VALUE", setting), false;
    snprintf(engine, sizeof engine, "%.*s", (int)(dot - setting), setting);
    snprintf(name, sizeof name, "%.*s", (int)(equals - dot - 1), dot + 1);
    const char *engines[LIST_MAX + 1] = {NULL}, *names[LIST_MAX] = {NULL};
    for (size_t i = 0; i < input->engines_count; i++) {
        const struct engine_ops *ops = input->engines[i];
        engines[i] = ops->name;
        if (strcmp(ops->name, engine) != 0) continue;
        for (size_t k = 0; k < ops->options_count && k + 1 < LIST_MAX; k++) {
            const struct option *option = &ops->options[k];
            names[k] = option->name;
            if (strcmp(option->name, name) != 0) continue;
            if (!input->arena) input->arena = arena_create();
            const char *why = option_take(input->arena, option, equals + 1,
                                          (char *)input->options[i] + option->offset);
            return why ? (cli_error("--set %s.%s: %s", engine, name, why), false) : true;
        }
        char what[80];
        snprintf(what, sizeof what, "option of %s", engine);
        return cli_unknown_of(what, name, names), false;
    }
    if (engine_find(engine))
        return cli_error("--set %s: engine '%s' is not measured", setting, engine), false;
    return cli_unknown_of("engine", engine, engines), false;
}

static bool fill_options(struct bench_input *input)
{
    for (size_t i = 0; i < input->engines_count; i++) {
        const struct engine_ops *ops = input->engines[i];
        input->options[i] = xcalloc(1, ops->options_size + 1);
        if (options_default(ops->options, ops->options_count, input->options[i],
                            ops->options_size))
            return cli_error("engine '%s' has a bad default", ops->name), false;
    }
    for (size_t i = 0; i < input->set_count; i++)
        if (!set_option(input, input->set[i])) return false;
    return true;
}

static bool input_complete(struct bench_input *input)
{
    if (input->failed) return false;
    if (!!input->real + !!input->preset + !!input->fidelity != 1)
        return cli_error("bench engines: give one of --real DIR, --sim PRESET and --fidelity "
                         "DIR"),
               false;
    if (input->has_disk && !input->fidelity)
        return cli_error("--disk goes with --fidelity"), false;
    if (input->fidelity && input->keys_count > 1)
        return cli_error("--fidelity takes one number of keys"), false;
    if (input->has_cpu && !input->preset)
        return cli_error("--cpu goes with --sim: real files measure it anyway"), false;
    if (input->has_seed && input->real)
        return cli_error("--seed goes with a simulated disk: real files draw nothing"), false;
    const char *disk = input->preset ? input->preset : input->disk_name;
    if (disk && !disk_named(input, disk)) return false;
    for (size_t i = 0; !input->engines_count && engine_registry[i]; i++)
        input->engines[i] = engine_registry[i];
    for (size_t i = 0; !input->engines_count && input->engines[i];)
        if (!input->engines[++i]) input->engines_count = i;
    if (!input->workloads_count && !add_workloads(input, "all")) return false;
    if (!input->keys_count) input->keys[input->keys_count++] = 100000;
    return fill_options(input);
}

/* ---- rounds ---- */

struct bench_config bench_config_of(const struct bench_input *in, size_t engine, uint64_t keys,
                                    const char *folder)
{
    struct bench_config config;
    bench_config_init(&config, in->engines[engine]);
    config.options = in->options[engine];
    config.folder = folder;
    config.disk = folder ? NULL : &in->disk;
    config.cpu_measured = !folder && in->cpu_measured;
    config.seed = in->seed;
    config.keys = keys;
    config.value_size = (uint32_t)in->value_size;
    config.batch_size = (uint32_t)in->batch_size;
    config.budget_ns = (int64_t)in->budget_s * NS_PER_S;
    config.workloads = in->workloads;
    config.workloads_count = in->workloads_count;
    return config;
}

static volatile sig_atomic_t interrupted;
static void interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

struct session {
    const struct bench_input *input;
    struct bench_row *rows; /* [keys][engine][workload][round] */
    size_t filled;          /* rows of the present bench_run */
    size_t keys, engine, round;
    struct progress progress;
    size_t steps;
};

static struct bench_row *row_at(struct session *s, size_t keys, size_t engine, size_t workload,
                                size_t round)
{
    const struct bench_input *in = s->input;
    return &s->rows[((keys * in->engines_count + engine) * in->workloads_count + workload) *
                        in->repeat +
                    round];
}

static void take_row(void *context, const struct bench_row *row)
{
    struct session *s = context;
    *row_at(s, s->keys, s->engine, s->filled++, s->round) = *row;
    s->steps++;
}

static void take_progress(void *context, const char *engine, const char *workload,
                          uint64_t done, uint64_t planned)
{
    struct session *s = context;
    char what[64];
    snprintf(what, sizeof what, "%s %s %llu%%", engine, workload,
             (unsigned long long)(planned ? done * 100 / planned : 0));
    progress_step(&s->progress, s->steps, what);
}

static int by_cost(const void *a, const void *b)
{
    const struct bench_row *x = a, *y = b;
    if (x->skipped[0] || y->skipped[0]) return !!x->skipped[0] - !!y->skipped[0];
    /* An operation: a budget may have ended the rounds at different ones. */
    __int128 one = (__int128)(x->cpu_ns ? x->cpu_ns : x->elapsed_ns) * y->operations,
             two = (__int128)(y->cpu_ns ? y->cpu_ns : y->elapsed_ns) * x->operations;
    return one < two ? -1 : one > two;
}

/* Puts the rounds of a workload in order and says in each how far they lie apart. */
static void sort_rounds(struct bench_row *rows, size_t count)
{
    qsort(rows, count, sizeof *rows, by_cost);
    for (size_t i = 0; i < count; i++) {
        rows[i].rounds = (uint32_t)count;
        rows[i].rate_best = bench_judged_rate(&rows[0]);
        rows[i].rate_worst = bench_judged_rate(&rows[count - 1]);
    }
}

/* An engine that failed has no figures for what it did not come to; the others go on. */
static void rest_failed(struct session *s)
{
    const struct bench_input *in = s->input;
    for (; s->filled < in->workloads_count; s->filled++, s->steps++) {
        struct bench_row *row = row_at(s, s->keys, s->engine, s->filled, s->round);
        snprintf(row->engine, sizeof row->engine, "%s", in->engines[s->engine]->name);
        snprintf(row->workload, sizeof row->workload, "%s", in->workloads[s->filled]->name);
        snprintf(row->skipped, sizeof row->skipped, "the engine failed");
        row->keys = in->keys[s->keys];
        row->value_size = (uint32_t)in->value_size;
    }
}

static int run_all(struct session *s, const char *folder)
{
    const struct bench_input *in = s->input;
    static char error[1024];
    struct bench_watcher watcher = {take_row, take_progress, s};
    progress_begin(&s->progress,
                   in->keys_count * in->repeat * in->engines_count * in->workloads_count);
    int status = EXIT_MET;
    for (s->keys = 0; s->keys < in->keys_count; s->keys++)
        for (s->round = 0; s->round < in->repeat; s->round++)
            for (s->engine = 0; s->engine < in->engines_count; s->engine++) {
                struct bench_config config =
                    bench_config_of(in, s->engine, in->keys[s->keys], folder);
                s->filled = 0;
                if (!bench_run(&config, &watcher, error, sizeof error)) continue;
                progress_end(&s->progress);
                cli_error("%s", interrupted ? "interrupted" : error);
                status = EXIT_INVALID;
                if (interrupted) return status;
                rest_failed(s);
            }
    progress_end(&s->progress);
    for (size_t k = 0; k < in->keys_count; k++)
        for (size_t e = 0; e < in->engines_count; e++)
            for (size_t w = 0; w < in->workloads_count; w++)
                sort_rounds(row_at(s, k, e, w, 0), in->repeat);
    return status;
}

/* ---- out ---- */

/* The median rows, in a table's order: keys, workload, engine. */
static const struct bench_row **medians(struct session *s, size_t *count)
{
    const struct bench_input *in = s->input;
    *count = in->keys_count * in->engines_count * in->workloads_count;
    const struct bench_row **rows = xmalloc((*count + 1) * sizeof *rows);
    size_t n = 0;
    for (size_t k = 0; k < in->keys_count; k++)
        for (size_t w = 0; w < in->workloads_count; w++)
            for (size_t e = 0; e < in->engines_count; e++)
                rows[n++] = row_at(s, k, e, w, in->repeat / 2);
    return rows;
}

static int write_lines(const struct bench_input *in, const struct bench_row **rows,
                       size_t count)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/bench.jsonl", in->out);
    FILE *out = fopen(path, "w");
    if (!out) return cli_error("%s: %s", path, strerror(errno)), EXIT_BAD_INPUT;
    for (size_t i = 0; i < count; i++) bench_row_json(out, rows[i], in->real != NULL);
    if (fclose(out)) return cli_error("%s: %s", path, strerror(errno)), EXIT_INVALID;
    return EXIT_MET;
}

static int write_latencies(const struct bench_input *in, const struct bench_row **rows,
                           size_t count)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/bench-latency.csv", in->out);
    FILE *out = fopen(path, "w");
    if (!out) return cli_error("%s: %s", path, strerror(errno)), EXIT_BAD_INPUT;
    fputs("engine,workload,keys,low_ns,high_ns,count\n", out);
    for (size_t i = 0; i < count; i++)
        for (uint32_t b = 0; b < HISTOGRAM_BUCKETS; b++)
            if (rows[i]->latency.counts[b])
                fprintf(out, "%s,%s,%llu,%llu,%llu,%llu\n", rows[i]->engine, rows[i]->workload,
                        (unsigned long long)rows[i]->keys, (unsigned long long)histogram_low(b),
                        (unsigned long long)histogram_high(b),
                        (unsigned long long)rows[i]->latency.counts[b]);
    if (fclose(out)) return cli_error("%s: %s", path, strerror(errno)), EXIT_INVALID;
    return EXIT_MET;
}

static int write_about(const struct bench_input *in)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/bench.json", in->out);
    json_t *settings = json_array(), *keys = json_array();
    for (size_t i = 0; i < in->set_count; i++)
        json_array_append_new(settings, json_string(in->set[i]));
    for (size_t i = 0; i < in->keys_count; i++)
        json_array_append_new(keys, json_integer((json_int_t)in->keys[i]));
    json_t *about =
        json_pack("{s:i, s:s, s:s, s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:o, s:{s:s, s:s}}",
                  "version", 1, "kind", "bench", "mode", in->real ? "real" : "sim", "disk",
                  in->real ? "real files" : in->preset, "cpu",
                  in->real || in->cpu_measured ? "measured" : "none", "keys", keys,
                  "value_size", (json_int_t)in->value_size, "repeat", (json_int_t)in->repeat,
                  "seconds", (json_int_t)in->budget_s, "seed", (json_int_t)in->seed, "settings",
                  settings, "host", "version", FAULTLINE_VERSION, "compiler", __VERSION__);
    CHECK(about);
    int failed = json_dump_file(about, path, JSON_INDENT(1) | JSON_ENSURE_ASCII);
    json_decref(about);
    return failed ? (cli_error("%s: cannot be written", path), EXIT_INVALID) : EXIT_MET;
}

static int write_folder(const struct bench_input *in, const struct bench_row **rows,
                        size_t count)
{
    int status = write_lines(in, rows, count);
    if (!status) status = write_latencies(in, rows, count);
    return status ? status : write_about(in);
}

struct bench_row *bench_rows_map(size_t size)
{
    void *rows = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(rows != MAP_FAILED);
    madvise(rows, size, MADV_DONTFORK);
    return rows;
}

bool bench_out_make(const char *out)
{
    struct stat status;
    if (!out || mkdir(out, 0777) == 0) return true;
    int err = errno;
    if (err == EEXIST && stat(out, &status) == 0)
        err = !S_ISDIR(status.st_mode) ? ENOTDIR : access(out, W_OK) ? errno : 0;
    return err ? (cli_error("--out %s: %s", out, strerror(err)), false) : true;
}

static int measure(struct bench_input *in)
{
    struct bench_folder folder;
    if (in->real) {
        int err = bench_folder_make(&folder, in->real);
        if (err) return cli_error("%s: %s", in->real, strerror(-err));
    }
    if (!bench_out_make(in->out)) {
        if (in->real) bench_folder_remove(&folder);
        return EXIT_BAD_INPUT;
    }
    struct sigaction action = {.sa_handler = interrupt}, old_int, old_term;
    sigaction(SIGINT, &action, &old_int);
    sigaction(SIGTERM, &action, &old_term);
    struct session s = {.input = in};
    size_t size =
        in->keys_count * in->engines_count * in->workloads_count * in->repeat * sizeof *s.rows;
    s.rows = bench_rows_map(size);
    int status = run_all(&s, in->real ? folder.path : NULL);
    if (in->real) bench_folder_remove(&folder);
    sigaction(SIGINT, &old_int, NULL);
    sigaction(SIGTERM, &old_term, NULL);
    if (!interrupted) {
        size_t count;
        const struct bench_row **rows = medians(&s, &count);
        for (size_t i = 0; in->json && i < count; i++)
            bench_row_json(stdout, rows[i], in->real != NULL);
        if (!in->json)
            bench_table_print(stdout, rows, in->keys_count, in->workloads_count,
                              in->engines_count);
        int written = in->out ? write_folder(in, rows, count) : EXIT_MET;
        if (!status) status = written;
        free(rows);
    }
    munmap(s.rows, size);
    return status;
}

int bench_engines(int argc, char **argv)
{
    static const struct argp argp = {
        arguments,
        take_option,
        "--real DIR | --sim PRESET | --fidelity DIR",
        "Measures the storage engines: rate, latency, amplification, memory, recovery. The "
        "workloads are those of db_bench and YCSB A to F; sim/bench/README.md tells what each "
        "does and how it is measured."
        "\vExample: faultline bench engines --real /tmp --engines hash --keys 1e5 --workloads "
        "fillrandom,readrandom",
        NULL,
        NULL,
        NULL};
    struct bench_input input = {.value_size = 100, .repeat = 1, .seed = 1, .budget_s = 10};
    int status = EXIT_BAD_INPUT;
    if (cli_parse(&argp, argc, argv, &input, &status)) {
        status = EXIT_BAD_INPUT;
        if (input_complete(&input))
            status = input.fidelity ? bench_fidelity(&input) : measure(&input);
    }
    if (input.arena) arena_destroy(input.arena);
    for (size_t i = 0; i < LIST_MAX; i++) free(input.options[i]);
    return status;
}
