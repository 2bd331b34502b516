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

#define LOG_HEAD (1u << 20)

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
    for (; end - at >= (ptrdiff_t)size; at++) { /* (at may stand behind end) */
        at = memchr(at, *wanted, (size_t)(end - at) - size + 1);
        if (!at) return false;
        if (memcmp(at, wanted, size) == 0) return true;
    }
    return false;
}

static enum format detect(const char *text, size_t size)
{
    const char *end = text + size, *at = text;
    char c = peek(&at, end), comment = '\0';
    while (c == ';' || c == '#') { /* comments of EDN and of text */
        if (c == '#' && (text_has(at, at + 2 < end ? at + 2 : end, "#{") ||
                         text_has(at, at + 7 < end ? at + 7 : end, "#jepsen")))
            return FORMAT_EDN;
        comment = c;
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
        return text_has(at, line_end, "\"outcome\"") || text_has(at, line_end, "\"v\":1")
                   ? FORMAT_HISTORY
                   : FORMAT_JSON;
    }
    if ((c == 'r' || c == 'w') && at + 1 < end) {
        if (at[1] == '(') return FORMAT_PLUME;
        if (at[1] == ' ') return FORMAT_AWDIT;
    }
    if (c >= '0' && c <= '9') return FORMAT_TEXT;
    if (at == end && comment) return comment == '#' ? FORMAT_TEXT : FORMAT_EDN;
    /* A console log may begin with other lines. */
    return text_has(text, text + (size < LOG_HEAD ? size : LOG_HEAD), "jepsen.util -")
               ? FORMAT_LOG
               : FORMAT_NONE;
}

/* What it is instead of text, in words; NULL: maybe text. */
static const char *packed_as(const char *text, size_t size)
{
    static const struct {
        const char *magic;
        size_t size;
        const char *words;
    } kinds[] = {
        {"\x1f\x8b", 2, "it is compressed by gzip: gunzip -c FILE | faultline verify -"},
        {"\x28\xb5\x2f\xfd", 4, "it is compressed by zstd: zstdcat FILE | faultline verify -"},
        {"BZh", 3, "it is compressed by bzip2: bzcat FILE | faultline verify -"},
        {"\xfd\x37zXZ", 5, "it is compressed by xz: xzcat FILE | faultline verify -"},
        {"PK\x03\x04", 4, "it is a zip archive: unpack it first"},
        {"\xff\xfe", 2, "it is UTF-16; only UTF-8 is read"},
        {"\xfe\xff", 2, "it is UTF-16; only UTF-8 is read"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (size >= kinds[i].size && memcmp(text, kinds[i].magic, kinds[i].size) == 0)
            return kinds[i].words;
    return NULL;
}

static bool fail_unknown(struct builder *b, const char *text, size_t size)
{
    if (packed_as(text, size)) return builder_fail(b, 1, 1, "%s", packed_as(text, size));
    uint32_t line = 1;
    const char *at = text, *end = text + size, *start = text;
    for (; at < end && is_space(*at); at++)
        if (*at == '\n') line++, start = at + 1;
    if (at == end) return builder_fail(b, 1, 1, "the file is empty: there is nothing to judge");
    uint32_t column = (uint32_t)(at - start) + 1;
    if (memchr(text, '\0', size < 4096 ? size : 4096))
        return builder_fail(b, line, column, "it is no text: its first bytes hold zeros");
    return builder_fail(b, line, column,
                        "this begins like no history that is known here (history.jsonl of a "
                        "run, Jepsen EDN, JSON or log, Plume, AWDIT, DBCop, text)");
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
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) text += 3, size -= 3; /* BOM */
    enum format format = packed_as(text, size) ? FORMAT_NONE : detect(text, size);
    if (format != FORMAT_NONE) out->format = foreign_formats[format].name;
    if (options.failed_cas == FAILED_CAS_DEFAULT)
        options.failed_cas = format == FORMAT_LOG || format == FORMAT_TEXT
                                 ? FAILED_CAS_CONSTRAINT
                                 : FAILED_CAS_VOID;
    builder_init(&b, &options, out);
    bool is_read;
    if (format == FORMAT_NONE)
        is_read = fail_unknown(&b, text, size);
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
