/* faultline verify: judges a history that was recorded elsewhere.
 *
 * Reads the file whole, says what it took it for, judges it by a consistency model, and shows
 * the operations that cannot be ordered. Exit status: 0 the model held; 1 it was violated; 2
 * bad usage or input; 4 undecided.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sim/campaign/run.h"
#include "sim/check/lattice.h"
#include "sim/check/picture.h"
#include "sim/cli/cli.h"
#include "sim/foreign/edn_write.h"
#include "sim/foreign/foreign.h"
#include "sim/kernel/arena.h"

#define STRONGEST "strongest" /* --model: all of them, and which held */
#define WITNESS_SHOWN 16
#define FILE_MAX (UINT64_C(8) << 30)

struct verify_input {
    const char *path, *model, *type, *edn, *picture;
    struct foreign_options options;
    struct model_limits limits;
    bool json;
};

/* Words of --type, beside which objects they mean. */
static const struct type_word {
    const char *word;
    uint32_t types; /* bit set */
} type_words[] = {
    {"register", 1u << OBJECT_REGISTER},
    {"cas-register", 1u << OBJECT_REGISTER},
    {"kv", 1u << OBJECT_REGISTER | 1u << OBJECT_TEXT},
    {"set", 1u << OBJECT_SET},
    {"counter", 1u << OBJECT_COUNTER},
    {"queue", 1u << OBJECT_QUEUE},
    {"append", 1u << OBJECT_LIST},
    {"lock", 1u << OBJECT_LOCK},
    {NULL, 0},
};

static const struct argp_option verify_argp_options[] = {
    {"model", 'm', "M", 0,
     "one of `faultline list models`, or strongest: all of them, and which held; default: "
     "linearizable, or sequential where the file records no time",
     0},
    {"type", 't', "T", 0,
     "register, cas-register, kv, set, counter, queue, append or lock; default: as the "
     "operations say",
     0},
    {"failed-cas", 'c', "READING", 0,
     "constraint: a failed compare-and-set saw another value; void: it did not happen; "
     "default: "
     "as the format has it",
     0},
    {"stale", 's', "K[,MS]", 0,
     "bounded-staleness: a read may miss K writes, and see what was replaced at most MS ago",
     0},
    {"memory", 'M', "MIB", 0, "of the checker, at most (1024)", 0},
    {"picture", 'p', "FILE.svg", 0,
     "draws the verdict: a lane a process, the contradiction in red", 0},
    {"edn", 'e', "FILE", 0,
     "writes the history as Jepsen's events too, for Knossos, Elle and Porcupine", 0},
    {"json", 'j', NULL, 0, "prints one JSON object", 0},
    {0},
};

static const struct type_word *type_find(const char *word)
{
    const char *names[16];
    size_t count = 0;
    for (const struct type_word *t = type_words; t->word; t++) {
        if (strcmp(t->word, word) == 0) return t;
        names[count++] = t->word;
    }
    names[count] = NULL;
    exit(cli_unknown("type", word, nearest_word(word, names)));
}

static const struct model *model_named(const char *word)
{
    const struct model *model = model_find(word);
    if (model) return model;
    const char *names[32];
    size_t count = 0;
    for (model = model_table; model->name; model++) names[count++] = model->name;
    names[count] = NULL;
    exit(cli_unknown("model", word, nearest_word(word, names)));
}

static error_t verify_option(int key, char *argument, struct argp_state *state)
{
    struct verify_input *input = state->input;
    uint64_t mib;
    switch (key) {
    case 'm': input->model = argument; return 0;
    case 't': input->type = argument; return 0;
    case 'j': input->json = true; return 0;
    case 'e': input->edn = argument; return 0;
    case 'p': input->picture = argument; return 0;
    case 's': {
        char *comma = strchr(argument, ',');
        uint64_t ms = 0;
        if (comma) *comma = '\0';
        if (!cli_number("--stale", argument, 0, UINT32_MAX, &input->limits.stale_writes) ||
            (comma && !cli_number("--stale", comma + 1, 1, UINT32_MAX, &ms)))
            exit(EXIT_BAD_INPUT);
        input->limits.stale_ns = (int64_t)ms * 1000000;
        return 0;
    }
    case 'M':
        if (!cli_number("--memory", argument, 1, 1 << 20, &mib)) exit(EXIT_BAD_INPUT);
        input->limits.memory_bytes = mib << 20;
        return 0;
    case 'c': {
        static const char *const words[] = {"constraint", "void", NULL};
        if (strcmp(argument, "constraint") == 0)
            input->options.failed_cas = FAILED_CAS_CONSTRAINT;
        else if (strcmp(argument, "void") == 0)
            input->options.failed_cas = FAILED_CAS_VOID;
        else
            exit(cli_unknown("reading of a failed compare-and-set", argument,
                             nearest_word(argument, words)));
        return 0;
    }
    case ARGP_KEY_ARG:
        if (state->arg_num) argp_usage(state);
        input->path = argument;
        return 0;
    case ARGP_KEY_NO_ARGS: argp_usage(state); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* ---- the file ---- */

/* All that the descriptor gives, FILE_MAX at most; NULL: errno says why. */
static char *stream_read(int fd, size_t expected, size_t *size)
{
    size_t capacity = expected + 1, done = 0;
    char *text = xmalloc(capacity);
    while (true) {
        if (done == capacity) text = xrealloc(text, capacity *= 2);
        ssize_t n = read(fd, text + done, capacity - done);
        if (n < 0 && errno == EINTR) continue;
        if (n == 0) break;
        if (n > 0) done += (size_t)n;
        if (n < 0 || done > FILE_MAX) {
            if (n > 0) errno = EFBIG;
            free(text);
            return NULL;
        }
    }
    *size = done;
    return text;
}

/* The file, or standard input for "-"; NULL: said why. */
static char *file_read(const char *path, size_t *size)
{
    bool is_input = strcmp(path, "-") == 0;
    int fd = is_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    char *text = NULL;
    if (fd < 0 || fstat(fd, &status)) {
        cli_error("%s: %s", path, strerror(errno));
    } else if (S_ISDIR(status.st_mode)) {
        cli_error("%s: a folder; the history of a run is its history.jsonl", path);
    } else if ((uint64_t)status.st_size > FILE_MAX) {
        cli_error("%s: larger than 8 GiB", path);
    } else {
        size_t expected = S_ISREG(status.st_mode) ? (size_t)status.st_size : 65536;
        text = stream_read(fd, expected, size);
        if (!text) cli_error("%s: %s", path, strerror(errno));
    }
    if (fd >= 0 && !is_input) close(fd);
    return text;
}

/* ---- as EDN ---- */

static int picture_write(const struct verify_input *input, const struct foreign *foreign,
                         const struct model *model, const struct model_verdict *verdict)
{
    FILE *out = fopen(input->picture, "w");
    if (!out) return cli_error("%s: %s", input->picture, strerror(errno));
    char source[256];
    snprintf(source, sizeof source, "%.180s, %s", input->path, foreign->format);
    char *svg = picture_svg(&foreign->operations, model, verdict, source);
    bool is_written = fputs(svg, out) >= 0;
    free(svg);
    if (fclose(out) || !is_written) return cli_error("%s: %s", input->picture, strerror(errno));
    return EXIT_MET;
}

static int edn_write(const struct verify_input *input, const struct foreign *foreign)
{
    struct edn_written written;
    if (foreign->transaction_line)
        return cli_error("%s: line %" PRIu32
                         " begins a transaction of several operations, which "
                         "--edn does not write",
                         input->path, foreign->transaction_line);
    FILE *out = fopen(input->edn, "w");
    if (!out) return cli_error("%s: %s", input->edn, strerror(errno));
    int error = foreign_write_edn(foreign, out, &written);
    if (fclose(out) && !error) error = -errno;
    if (error) return cli_error("%s: %s", input->edn, strerror(-error));
    if (input->json) return EXIT_MET;
    printf("%s: %" PRIu64 " events in Jepsen's EDN\n", input->edn, written.events);
    if (written.lost)
        printf("  %" PRIu64 " failed operations do not tell what they saw: as :fail they say "
               "nothing to Knossos and Elle (here: --failed-cas constraint)\n",
               written.lost);
    if (!foreign->operations.has_real_time)
        printf("  the source records no time: the order of events of different processes is "
               "made up\n");
    return EXIT_MET;
}

/* ---- saying it ---- */

static void value_print(const struct ops *operations, uint64_t value, char *out, size_t size)
{
    const char *name = operations->value_name(operations->names, value);
    snprintf(out, size, "%.60s", name ? name : "nothing");
}

static void operation_print(const struct ops *operations, size_t index, char *out, size_t size)
{
    const struct op *op = &operations->items[index];
    char value[64], expected[64];
    value_print(operations, op->value, value, sizeof value);
    value_print(operations, op->expected, expected, sizeof expected);
    const char *kind = op_kind_words[op->kind];
    if (op->kind == OP_COMPARE_AND_SET)
        snprintf(out, size, "%s %s -> %s", kind, expected, value);
    else if (op->kind == OP_READ && op->count)
        snprintf(out, size, "%s %" PRIu32 " elements", kind, op->count);
    else
        snprintf(out, size, "%s %s", kind, value);
}

static void header_print(const struct verify_input *input, const struct foreign *foreign)
{
    const struct ops *operations = &foreign->operations;
    printf("%s: %s, %s: %zu operations of %" PRIu32 " processes on %" PRIu32 " keys\n",
           input->path, foreign->format, object_type_words[operations->type], operations->count,
           operations->processes, operations->keys);
    if (foreign->failed_cas)
        printf("  a failed compare-and-set is read as: %s (--failed-cas)\n",
               foreign->failed_cas);
    for (size_t i = 0; i < foreign->notes_count; i++)
        if (foreign->notes[i].line)
            printf("  line %" PRIu32 ": %s\n", foreign->notes[i].line, foreign->notes[i].text);
        else
            printf("  %s\n", foreign->notes[i].text);
    if (foreign->notes_unsaid) printf("  and %zu notes more\n", foreign->notes_unsaid);
}

static void print_text(const struct verify_input *input, const struct foreign *foreign,
                       const struct model *model, const struct model_verdict *verdict,
                       double seconds)
{
    const struct ops *operations = &foreign->operations;
    header_print(input, foreign);
    printf("%s%s%s: %s (%s, %.3f s)\n",
           colour(verdict->outcome == MODEL_HOLDS      ? COLOUR_OK
                  : verdict->outcome == MODEL_VIOLATED ? COLOUR_FAIL
                                                       : COLOUR_UNKNOWN),
           model->name, colour(COLOUR_PLAIN), model_outcome_words[verdict->outcome],
           verdict->algorithm, seconds);
    if (verdict->explanation) printf("  %s\n", verdict->explanation);
    for (size_t i = 0; i < verdict->witness_count && i < WITNESS_SHOWN; i++) {
        const struct op *op = &operations->items[verdict->witness[i]];
        const char *key = operations->key_name(operations->names, op->key);
        char text[160];
        operation_print(operations, verdict->witness[i], text, sizeof text);
        printf("  line %-7" PRIu32 " %-12s %s%s%s", op->line,
               operations->process_name(operations->names, op->process), key ? key : "",
               key ? ": " : "", text);
        if (operations->has_clock && op->complete != OP_OPEN)
            printf("  [%" PRId64 ", %" PRId64 "]", op->invoke, op->complete);
        puts(op->complete == OP_OPEN ? "  never answered" : "");
    }
    if (verdict->witness_count > WITNESS_SHOWN)
        printf("  and %zu operations more\n", verdict->witness_count - WITNESS_SHOWN);
}

static void print_json(const struct verify_input *input, const struct foreign *foreign,
                       const struct model *model, const struct model_verdict *verdict,
                       double seconds)
{
    const struct ops *operations = &foreign->operations;
    json_t *witness = json_array(), *notes = json_array();
    for (size_t i = 0; i < verdict->witness_count; i++) {
        const struct op *op = &operations->items[verdict->witness[i]];
        char text[160];
        operation_print(operations, verdict->witness[i], text, sizeof text);
        const char *key = operations->key_name(operations->names, op->key);
        json_t *one = json_pack("{s:i, s:s?, s:s?, s:s, s:I}", "line", (int)op->line, "process",
                                operations->process_name(operations->names, op->process), "key",
                                key, "operation", text, "invoke", (json_int_t)op->invoke);
        json_object_set_new(one, "return",
                            op->complete == OP_OPEN ? json_null()
                                                    : json_integer((json_int_t)op->complete));
        json_array_append_new(witness, one);
    }
    for (size_t i = 0; i < foreign->notes_count; i++)
        json_array_append_new(notes,
                              json_pack("{s:i, s:s}", "line", (int)foreign->notes[i].line,
                                        "text", foreign->notes[i].text));
    json_t *all = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:I, s:f, s:s?, s:s, s:I, s:o, s:o}", "file", input->path,
        "format", foreign->format, "model", model->name, "type",
        object_type_words[operations->type], "verdict", model_outcome_words[verdict->outcome],
        "operations", (json_int_t)operations->count, "check_seconds", seconds, "explanation",
        verdict->explanation, "algorithm", verdict->algorithm, "memory_bytes",
        (json_int_t)verdict->memory_bytes, "witness", witness, "notes", notes);
    if (all) json_dumpf(all, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(all);
}

/* ---- all models: where the history stands ---- */

/* Keys and clients by themselves, the fullest place first. */
struct parts {
    struct lattice_parts by[2];
};
static const char *const part_words[][2] = {{"key", "keys"}, {"client", "clients"}};

#define NAMES_SHOWN 4u

static const char *part_name(const struct ops *operations, int by, uint32_t id, char out[16])
{
    const char *name = by == LATTICE_BY_KEY ? operations->key_name(operations->names, id)
                                            : operations->process_name(operations->names, id);
    snprintf(out, 16, "%" PRIu32, id);
    return name ? name : out;
}

static void parts_print(const struct ops *operations, const struct parts *parts)
{
    char number[16];
    for (int by = 0; by < 2; by++) {
        const struct lattice_parts *p = &parts->by[by];
        for (uint32_t i = 0; i < p->places_count; i++) {
            const struct lattice_place *place = &p->places[i];
            const char *between = " ";
            printf("  %" PRIu32 " %s alone:", place->count, part_words[by][place->count != 1]);
            for (uint32_t m = 0; model_table[m].name; m++) {
                if (!(place->strongest >> m & 1)) continue;
                printf("%s%s", between, model_table[m].name);
                between = ", ";
            }
            printf("%s%s", place->strongest ? "" : " none",
                   place->is_unknown ? ", undecided above" : "");
            for (uint32_t n = 0; i && n < place->count && n <= NAMES_SHOWN; n++)
                printf("%s%s", n ? ", " : " (",
                       n == NAMES_SHOWN ? "..."
                                        : part_name(operations, by, place->ids[n], number));
            puts(i ? ")" : "");
        }
        if (p->unjudged)
            printf("  %" PRIu32 " %s not judged alone: it would take too long\n", p->unjudged,
                   part_words[by][p->unjudged != 1]);
    }
}

static json_t *parts_json(const struct ops *operations, const struct lattice_parts *parts,
                          int by)
{
    json_t *places = json_array();
    char number[16];
    for (uint32_t i = 0; i < parts->places_count; i++) {
        const struct lattice_place *place = &parts->places[i];
        json_t *strongest = json_array(), *names = json_array();
        for (uint32_t m = 0; model_table[m].name; m++)
            if (place->strongest >> m & 1)
                json_array_append_new(strongest, json_string(model_table[m].name));
        for (uint32_t n = 0; n < place->count; n++)
            json_array_append_new(
                names, json_string(part_name(operations, by, place->ids[n], number)));
        json_array_append_new(places,
                              json_pack("{s:o, s:b, s:o}", "strongest", strongest, "undecided",
                                        place->is_unknown, "names", names));
    }
    return json_pack("{s:o, s:I}", "places", places, "unjudged", (json_int_t)parts->unjudged);
}

static void lattice_print(const struct verify_input *input, const struct foreign *foreign,
                          const struct lattice *lattice, const struct parts *parts,
                          double seconds)
{
    header_print(input, foreign);
    for (uint32_t i = 0; i < lattice->count; i++) {
        const char *why = lattice->verdicts[i].explanation;
        if (lattice->states[i] == LATTICE_UNSUITED) continue;
        printf("  %-20s %s%s%s%s%s\n", model_table[i].name,
               colour(lattice->states[i] <= LATTICE_IMPLIED    ? COLOUR_OK
                      : lattice->states[i] == LATTICE_VIOLATED ? COLOUR_FAIL
                                                               : COLOUR_UNKNOWN),
               lattice_state_words[lattice->states[i]], colour(COLOUR_PLAIN), why ? ": " : "",
               why ? why : "");
    }
    parts_print(&foreign->operations, parts);
    printf("strongest that held:");
    for (uint32_t i = 0; i < lattice->strongest_count; i++)
        printf("%s %s", i ? "," : "", model_table[lattice->strongest[i]].name);
    printf("%s (%.3f s)\n", lattice->strongest_count ? "" : " none", seconds);
}

static void lattice_json(const struct verify_input *input, const struct foreign *foreign,
                         const struct lattice *lattice, const struct parts *parts,
                         double seconds)
{
    json_t *models = json_object(), *strongest = json_array();
    for (uint32_t i = 0; i < lattice->count; i++)
        json_object_set_new(models, model_table[i].name,
                            json_string(lattice_state_words[lattice->states[i]]));
    for (uint32_t i = 0; i < lattice->strongest_count; i++)
        json_array_append_new(strongest, json_string(model_table[lattice->strongest[i]].name));
    json_t *keys = parts_json(&foreign->operations, &parts->by[LATTICE_BY_KEY], LATTICE_BY_KEY);
    json_t *clients =
        parts_json(&foreign->operations, &parts->by[LATTICE_BY_CLIENT], LATTICE_BY_CLIENT);
    json_t *all =
        json_pack("{s:s, s:s, s:s, s:s, s:I, s:f, s:o, s:o, s:o, s:o}", "file", input->path,
                  "format", foreign->format, "model", "strongest", "type",
                  object_type_words[foreign->operations.type], "operations",
                  (json_int_t)foreign->operations.count, "check_seconds", seconds, "models",
                  models, "strongest", strongest, "keys", keys, "clients", clients);
    if (all) json_dumpf(all, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(all);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int judge_all(const struct verify_input *input, const struct foreign *foreign)
{
    struct lattice lattice;
    double started = now();
    const struct ops *operations = &foreign->operations;
    struct parts parts = {0};
    lattice_judge(&lattice, operations, &input->limits);
    /* What all keep, each keeps: keys and clients differ below the top only. */
    if (lattice.states[0] != LATTICE_HOLDS)
        for (int by = LATTICE_BY_KEY; by <= LATTICE_BY_CLIENT; by++)
            lattice_judge_parts(&parts.by[by], operations, &input->limits,
                                (enum lattice_part)by);
    double seconds = now() - started;
    (input->json ? lattice_json : lattice_print)(input, foreign, &lattice, &parts, seconds);
    for (int by = LATTICE_BY_KEY; by <= LATTICE_BY_CLIENT; by++)
        lattice_parts_deinit(&parts.by[by]);
    bool is_unknown = false;
    for (uint32_t i = 0; i < lattice.count; i++)
        is_unknown |= lattice.states[i] == LATTICE_UNKNOWN;
    lattice_deinit(&lattice);
    return is_unknown ? EXIT_UNDECIDED : EXIT_MET;
}

static int judge(const struct verify_input *input, struct foreign *foreign)
{
    const struct ops *operations = &foreign->operations;
    bool wants_all = input->model && strcmp(input->model, STRONGEST) == 0;
    const struct model *model = model_named(input->model && !wants_all  ? input->model
                                            : operations->has_real_time ? "linearizable"
                                                                        : "sequential");
    struct model_verdict verdict;
    double started = now();
    if (input->type && !(type_find(input->type)->types & 1u << operations->type))
        return cli_error("%s: its operations are those of a %s, not of a %s", input->path,
                         object_type_words[operations->type], input->type);
    if (!operations->has_real_time && model->needs_real_time)
        return cli_error("%s: %s records no time, which %s needs (did you mean --model "
                         "sequential?)",
                         input->path, foreign->format, model->name);
    if (wants_all && !foreign->transaction_line) return judge_all(input, foreign);
    if (!(model->types & 1u << operations->type))
        return cli_error("%s: %s is not defined here for a %s", input->path, model->name,
                         object_type_words[operations->type]);
    if (foreign->transaction_line) {
        memset(&verdict, 0, sizeof verdict);
        verdict.outcome = MODEL_UNKNOWN;
        verdict.algorithm = "none";
        char text[160];
        snprintf(text, sizeof text,
                 "Line %" PRIu32 " begins a transaction of several operations: those are not "
                 "judged here.",
                 foreign->transaction_line);
        verdict.explanation = xstrdup(text);
    } else {
        model_check(model, operations, &input->limits, &verdict);
    }
    double seconds = now() - started;
    (input->json ? print_json : print_text)(input, foreign, model, &verdict, seconds);
    enum model_outcome outcome = verdict.outcome;
    int status = input->picture ? picture_write(input, foreign, model, &verdict) : EXIT_MET;
    model_verdict_deinit(&verdict);
    if (status) return status;
    return outcome == MODEL_HOLDS      ? EXIT_MET
           : outcome == MODEL_VIOLATED ? EXIT_NOT_MET
                                       : EXIT_UNDECIDED;
}

int command_verify(int argc, char **argv)
{
    static const struct argp argp = {
        verify_argp_options,
        verify_option,
        "HISTORY",
        "Judges a history by a consistency model: history.jsonl of a run, or one that was "
        "recorded elsewhere (Jepsen EDN, JSON or log, Plume, AWDIT, DBCop, text; detected). "
        "HISTORY - is standard input."
        "\vExamples:\n"
        "  faultline verify results/demo/base/history.jsonl --model strongest\n"
        "  faultline verify etcd_002.log --type cas-register\n"
        "  faultline verify register.edn --model sequential --json\n"
        "  faultline verify results/demo/base/history.jsonl --edn base.edn\n"
        "Exit status: 0 the model held; 1 it was violated; 2 bad usage or input; 4 undecided.",
        NULL,
        NULL,
        NULL};
    struct verify_input input = {0};
    int status;
    if (!cli_parse(&argp, argc, argv, &input, &status)) return status;
    if (input.model) {
        /* A type given as --model means linearizable of that type. */
        for (const struct type_word *t = type_words; t->word; t++)
            if (strcmp(t->word, input.model) == 0) {
                input.type = input.model;
                input.model = "linearizable";
                break;
            }
        if (strcmp(input.model, STRONGEST) != 0) model_named(input.model);
    }
    if (input.type) {
        uint32_t types = type_find(input.type)->types;
        input.options.has_type = (types & (types - 1)) == 0;
        for (uint32_t t = 0; t < OBJECT_TYPES; t++)
            if (types == 1u << t) input.options.type = (enum object_type)t;
    }
    size_t size;
    char *text = file_read(input.path, &size);
    if (!text) return EXIT_BAD_INPUT;
    struct foreign foreign;
    if (foreign_read(text, size, &input.options, &foreign)) {
        status = input.edn ? edn_write(&input, &foreign) : EXIT_MET;
        if (status == EXIT_MET) status = judge(&input, &foreign);
    } else {
        status =
            cli_error("%s:%" PRIu32 ":%" PRIu32 ": %s%s%s", input.path, foreign.error_line,
                      foreign.error_column, foreign.error, foreign.format ? "; read as " : "",
                      foreign.format ? foreign.format : "");
    }
    foreign_deinit(&foreign);
    free(text);
    return status;
}
