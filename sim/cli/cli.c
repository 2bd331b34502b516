#include "sim/cli/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sim/campaign/run.h"
#include "sim/kernel/arena.h"

/* ---- errors ---- */

int cli_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("faultline: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return EXIT_BAD_INPUT;
}

int cli_unknown(const char *what, const char *word, const char *nearest)
{
    if (nearest) return cli_error("unknown %s '%s' (did you mean '%s'?)", what, word, nearest);
    return cli_error("unknown %s '%s'", what, word);
}

int cli_unknown_of(const char *what, const char *word, const char *const *words)
{
    struct arena *arena = arena_create();
    int status = cli_error("%s", word_refusal(arena, what, word, words));
    arena_destroy(arena);
    return status;
}

void cli_print_errors(struct scenario_errors *errors)
{
    for (size_t i = 0; i < errors->count; i++) fprintf(stderr, "%s\n", errors->items[i]);
    scenario_errors_deinit(errors);
}

bool cli_number(const char *option, const char *text, uint64_t low, uint64_t high,
                uint64_t *value)
{
    char *end = NULL;
    errno = 0;
    uint64_t parsed = strtoull(text, &end, 10);
    bool is_decimal = *text && strspn(text, "0123456789") == strlen(text);
    if (!is_decimal || errno || parsed < low || parsed > high) {
        cli_error("%s: '%s' is not a decimal number from %" PRIu64 " to %" PRIu64, option, text,
                  low, high);
        return false;
    }
    *value = parsed;
    return true;
}

/* ---- arguments ---- */

/* getopt_long names an unknown option but not its neighbour: looked for first, so that the
 * message can say both. Abbreviations stay allowed. */
static bool options_known(const struct argp *argp, int argc, char **argv)
{
    const char *names[64];
    size_t count = 0;
    for (const struct argp_option *o = argp->options; o && (o->name || o->key) && count < 60;
         o++)
        if (o->name) names[count++] = o->name;
    static const char *const always[] = {"help", "usage"};
    for (size_t i = 0; i < 2; i++) names[count++] = always[i];
    names[count] = NULL;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--")) break;
        if (strncmp(argv[i], "--", 2)) continue;
        char word[128];
        size_t size = strcspn(argv[i] + 2, "=");
        snprintf(word, sizeof word, "%.*s", (int)(size < 127 ? size : 127), argv[i] + 2);
        bool known = false;
        for (size_t n = 0; n < count; n++) known |= !strncmp(names[n], word, strlen(word));
        if (known) continue;
        const char *nearest = nearest_word(word, names);
        if (nearest)
            cli_error("unknown option '--%s' (did you mean '--%s'?)", word, nearest);
        else
            cli_error("unknown option '--%s'; 'faultline %s --help' lists them", word, argv[0]);
        return false;
    }
    return true;
}

bool cli_parse(const struct argp *argp, int argc, char **argv, void *input, int *status)
{
    argp_err_exit_status = EXIT_BAD_INPUT;
    *status = EXIT_BAD_INPUT;
    if (!options_known(argp, argc, argv)) return false;
    static char name[64];
    snprintf(name, sizeof name, "faultline %s", argv[0]);
    char *command = argv[0];
    argv[0] = name;
    error_t error = argp_parse(argp, argc, argv, 0, NULL, input);
    argv[0] = command;
    return error == 0;
}

/* ---- colours ---- */

const char *colour(enum colour wanted)
{
    static int enabled = -1;
    if (enabled < 0) enabled = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
    static const char *const codes[] = {
        [COLOUR_PLAIN] = "\033[0m",
        [COLOUR_OK] = "\033[38;2;0;158;115m",
        [COLOUR_FAIL] = "\033[38;2;213;94;0m",
        [COLOUR_UNKNOWN] = "\033[38;2;230;159;0m",
        [COLOUR_LEADER] = "\033[38;2;0;114;178m",
        [COLOUR_FOLLOWER] = "\033[38;2;86;180;233m",
        [COLOUR_DOWN] = "\033[38;2;153;153;153m",
        [COLOUR_CUT] = "\033[38;2;204;121;167m",
        [COLOUR_DIM] = "\033[2m",
        [COLOUR_BOLD] = "\033[1m",
    };
    return enabled ? codes[wanted] : "";
}

/* ---- progress ---- */

static double host_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void progress_begin(struct progress *progress, size_t total)
{
    *progress = (struct progress){
        .started = host_seconds(), .total = total, .shown = isatty(STDERR_FILENO)};
}

void progress_step(struct progress *progress, size_t done, const char *what)
{
    if (!progress->shown || !progress->total) return;
    double seconds = host_seconds() - progress->started,
           rate = seconds > 0 ? (double)done / seconds : 0;
    double left = rate > 0 ? (double)(progress->total - done) / rate : 0;
    char bar[31];
    size_t filled = done * 30 / progress->total;
    for (size_t i = 0; i < 30; i++) bar[i] = i < filled ? '#' : '.';
    bar[30] = 0;
    fprintf(stderr, "\r[%s] %zu/%zu  %.1f/s  %.0f s left  %-32.32s", bar, done, progress->total,
            rate, left, what);
    fflush(stderr);
}

void progress_end(struct progress *progress)
{
    if (progress->shown) fprintf(stderr, "\r%90s\r", "");
}
