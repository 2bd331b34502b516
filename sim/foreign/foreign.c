/* Which format a file has, and its reader.
 *
 * Decided from the first line that says something: `INFO  jepsen.util` (or any line with
 * "jepsen.util - "), a map or vector in EDN or JSON, r( or w( of Plume, "r KEY VALUE" of AWDIT,
 * a number: our text. EDN writes keys as :words, JSON as "strings".
 */
#include "sim/foreign/foreign.h"

#include <string.h>

#include "sim/foreign/builder.h"
#include "sim/foreign/edn_write.h"

const struct foreign_format foreign_formats[] = {
    {"jepsen-edn", "Jepsen's events as EDN maps, one a line or in a vector (Knossos, Elle, "
                   "Porcupine's kv, Maelstrom)"},
    {"jepsen-json", "the same as JSON objects"},
    {"jepsen-log", "the console log of early Jepsen, as in Porcupine's etcd files"},
    {"plume", "r(key,value,session,transaction) and w(...), a line each"},
    {"awdit", "'r KEY VALUE' and 'w KEY VALUE', ===== between sessions"},
    {"dbcop", "sessions of transactions of events in JSON"},
    {"history", "history.jsonl of a run (sim/record/README.md)"},
    {"text", "process invoke return r|w|cas key value, a line each"},
    {NULL, NULL},
};

enum format {
    FORMAT_EDN,
    FORMAT_JSON,
    FORMAT_LOG,
    FORMAT_PLUME,
    FORMAT_AWDIT,
    FORMAT_DBCOP,
    FORMAT_HISTORY,
    FORMAT_TEXT,
    FORMAT_NONE
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',';
}

/* The first character behind `at` that is no space; '\0' at the end. */
static char peek(const char **at, const char *end)
{
    while (*at < end && is_space(**at)) ++*at;
    return *at < end ? **at : '\0';
}

static bool text_has(const char *at, const char *end, const char *wanted)
{
    size_t size = strlen(wanted);
    for (; (size_t)(end - at) >= size; at++) {
        at = memchr(at, *wanted, (size_t)(end - at) - size + 1);
        if (!at) return false;
        if (memcmp(at, wanted, size) == 0) return true;
    }
    return false;
}

static enum format detect(const char *text, size_t size)
{
    const char *end = text + size, *at = text;
    char c = peek(&at, end);
    while (c == ';' || c == '#') { /* comments of EDN and of text */
        if (c == '#' && at + 1 < end && (at[1] == '{' || at[1] == 'j')) return FORMAT_EDN;
        while (at < end && *at != '\n') at++;
        c = peek(&at, end);
    }
    const char *line_end = memchr(at, '\n', (size_t)(end - at));
    if (!line_end) line_end = end;
    if (text_has(at, line_end, "jepsen.util -")) return FORMAT_LOG;
    if (c == '[') {
        at++;
        c = peek(&at, end);
        if (c == '[') return FORMAT_DBCOP;
        if (c == ']' || c == '\0') return FORMAT_EDN;
        if (c == '#') return FORMAT_EDN;
    }
    if (c == '(') return FORMAT_EDN;
    if (c == '{') {
        at++;
        c = peek(&at, end);
        if (c != '"') return FORMAT_EDN;
        /* Only ours has outcomes; Jepsen's events have types. */
        return text_has(at, line_end, "\"outcome\"") || text_has(at, line_end, "\"v\":1,")
                   ? FORMAT_HISTORY
                   : FORMAT_JSON;
    }
    if ((c == 'r' || c == 'w') && at + 1 < end) {
        if (at[1] == '(') return FORMAT_PLUME;
        if (at[1] == ' ') return FORMAT_AWDIT;
    }
    if (c >= '0' && c <= '9') return FORMAT_TEXT;
    if (c == '\0') return FORMAT_EDN; /* nothing: the empty history */
    return FORMAT_NONE;
}

bool foreign_read(const char *text, size_t size, const struct foreign_options *given,
                  struct foreign *out)
{
    static bool (*const line_readers[])(struct builder *, const char *, size_t) = {
        [FORMAT_LOG] = foreign_read_jepsen_log, [FORMAT_PLUME] = foreign_read_plume,
        [FORMAT_AWDIT] = foreign_read_awdit,    [FORMAT_DBCOP] = foreign_read_dbcop,
        [FORMAT_TEXT] = foreign_read_text,      [FORMAT_HISTORY] = foreign_read_history,
    };
    struct foreign_options options = *given;
    struct builder b;
    memset(out, 0, sizeof *out);
    enum format format = detect(text, size);
    if (format != FORMAT_NONE) out->format = foreign_formats[format].name;
    if (options.failed_cas == FAILED_CAS_DEFAULT)
        options.failed_cas = format == FORMAT_LOG || format == FORMAT_TEXT
                                 ? FAILED_CAS_CONSTRAINT
                                 : FAILED_CAS_VOID;
    builder_init(&b, &options, out);
    bool is_read;
    if (format == FORMAT_NONE)
        is_read =
            builder_fail(&b, 1, 1,
                         "this begins like no history that is known here (Jepsen EDN, JSON "
                         "or log, Plume, AWDIT, DBCop, text)");
    else if (format == FORMAT_EDN || format == FORMAT_JSON)
        is_read =
            foreign_read_forms(&b, format == FORMAT_EDN ? DATUM_EDN : DATUM_JSON, text, size);
    else
        is_read = line_readers[format](&b, text, size);
    if (is_read && format != FORMAT_HISTORY) {
        bool has_no_time =
            size > strlen(EDN_NO_TIME) && memcmp(text, EDN_NO_TIME, strlen(EDN_NO_TIME)) == 0;
        out->operations.has_real_time = !has_no_time && format != FORMAT_PLUME &&
                                        format != FORMAT_AWDIT && format != FORMAT_DBCOP;
        out->operations.has_clock = format == FORMAT_TEXT;
        is_read = builder_finish(&b);
    }
    builder_deinit(&b);
    if (!is_read) {
        struct foreign failed = *out;
        memset(out, 0, sizeof *out);
        memcpy(out->error, failed.error, sizeof out->error);
        out->error_line = failed.error_line;
        out->error_column = failed.error_column;
        out->format = failed.format;
        foreign_deinit(&failed);
    }
    return is_read;
}
