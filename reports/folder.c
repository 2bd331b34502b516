/* A result folder: opening its files, reading result.json, and the small texts that all plots
 * need. */
#include "reports/plots_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int plots_complain(const char *folder, const char *file, size_t line, const char *what)
{
    if (line)
        fprintf(stderr, "faultline: %s/%s:%zu: %s\n", folder, file, line, what);
    else
        fprintf(stderr, "faultline: %s/%s: %s\n", folder, file, what);
    return -EBADMSG;
}

FILE *plots_open_in(const struct drawing *d, const char *file, const char *mode)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", d->folder, file);
    FILE *stream = fopen(path, mode);
    if (!stream) fprintf(stderr, "faultline: %s: %s\n", path, strerror(errno));
    return stream;
}

void *plots_grow(void *array, size_t count, size_t size)
{
    void *grown = realloc(array, count * size);
    if (!grown) {
        fputs("faultline: out of memory\n", stderr);
        exit(3);
    }
    return grown;
}

double plots_seconds(json_int_t ns)
{
    return (double)ns / 1e9;
}

/* -1: no node of that name */
int plots_lane_of(const struct drawing *d, const char *name)
{
    for (uint32_t n = 0; name && n < d->nodes; n++)
        if (!strcmp(d->names[n], name)) return (int)(d->nodes - 1 - n);
    return -1;
}

const char *plots_text_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text ? text : "";
}

/* gnuplot double-quoted strings: backslash and quote escaped, enhanced text marks made
 * harmless. */
void plots_put_quoted(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') fputc('\\', out);
        if (strchr("_^@{}~&", *text)) fputs("\\\\", out);
        if ((unsigned char)*text >= 0x20) fputc(*text, out);
    }
    fputc('"', out);
}

void plots_put_parameter(FILE *out, const char *name, const char *text)
{
    fprintf(out, "%s = ", name);
    plots_put_quoted(out, text);
    fputc('\n', out);
}

double plots_nice_step(double duration)
{
    static const double steps[] = {0.1, 0.2, 0.5, 1,   2,    5,    10,   15,    30,    60,
                                   120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400};
    size_t count = sizeof steps / sizeof *steps;
    for (size_t i = 0; i < count; i++)
        if (duration / steps[i] <= 13) return steps[i];
    return duration / 10;
}

/* A member that must be a whole number of at least `low`. */
bool plots_integer_member(const json_t *object, const char *member, json_int_t low)
{
    const json_t *value = json_object_get(object, member);
    return json_is_integer(value) && json_integer_value(value) >= low;
}

/* A CSV field that must be one. */
bool plots_integer_field(const char *field, int64_t low, int64_t *value)
{
    char *end = NULL;
    errno = 0;
    long long parsed = strtoll(field, &end, 10);
    const char *digits = field + (*field == '-');
    if (!*digits || strspn(digits, "0123456789") != strlen(digits) || errno || parsed < low)
        return false;
    *value = parsed;
    return true;
}

int plots_read_result(struct drawing *d)
{
    char path[4096];
    json_error_t error;
    snprintf(path, sizeof path, "%s/result.json", d->folder);
    struct stat status;
    if (stat(d->folder, &status) || !S_ISDIR(status.st_mode)) {
        int why = stat(d->folder, &status) ? errno : ENOTDIR;
        fprintf(stderr, "faultline: '%s': %s\n", d->folder,
                why == ENOTDIR ? "no folder, and results are one" : strerror(why));
        return -why;
    }
    if (access(path, R_OK)) {
        int why = errno;
        plots_complain(d->folder, "result.json", 0,
                       why == ENOENT ? "no result.json here (of a run), nor a bench.json (of "
                                       "bench engines)"
                                     : strerror(why));
        return -why;
    }
    d->result = json_load_file(path, 0, &error);
    if (!d->result) {
        fprintf(stderr, "faultline: %s:%d:%d: %s\n", path, error.line, error.column,
                error.text);
        return -EBADMSG;
    }
    if (!json_is_object(d->result))
        return plots_complain(d->folder, "result.json", 1, "is no JSON object");
    if (json_integer_value(json_object_get(d->result, "version")) != 1)
        return plots_complain(d->folder, "result.json", 0,
                              "version is not 1: this faultline cannot read it");
    if (!plots_integer_member(d->result, "duration_ns", 1))
        return plots_complain(d->folder, "result.json", 0, "duration_ns is no number above 0");
    if (!plots_integer_member(d->result, "ended_ns", 0))
        return plots_complain(d->folder, "result.json", 0, "ended_ns is no number from 0");
    if (!plots_integer_member(d->result, "bucket_ns", 1))
        return plots_complain(d->folder, "result.json", 0, "bucket_ns is no number above 0");
    d->duration = plots_seconds(json_integer_value(json_object_get(d->result, "duration_ns")));
    size_t i;
    json_t *node, *nodes = json_object_get(d->result, "nodes");
    if (!json_is_array(nodes))
        return plots_complain(d->folder, "result.json", 0, "nodes is missing");
    json_array_foreach(nodes, i, node)
    {
        if (!*plots_text_of(node, "name"))
            return plots_complain(d->folder, "result.json", 0, "a node has no name");
        if (d->nodes == NODES_MAX) break;
        d->names[d->nodes++] = plots_text_of(node, "name");
    }
    return 0;
}
