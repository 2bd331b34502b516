/* Counting violations and putting them into words. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/check/parts.h"

const char *const check_verdict_words[] = {"holds", "violated", "unknown", "not_applicable",
                                           NULL};

void check_result_deinit(struct check_result *result)
{
    free(result->explanation);
    free(result->violating);
    *result = (struct check_result){0};
}

void result_clear(struct check_result *result)
{
    *result = (struct check_result){.verdict = CHECK_HOLDS, .first_ns = VTIME_MAX};
}

bool result_violation(struct check_result *result, int64_t time_ns, uint32_t op)
{
    result->violations++;
    if (op != NO_OP) {
        size_t count = result->violating_count;
        if ((count & (count - 1)) == 0) /* a power of two (or 0): full */
            result->violating = xrealloc(result->violating,
                                         (count ? count * 2 : 1) * sizeof *result->violating);
        result->violating[result->violating_count++] = op;
    }
    if (result->violations > 1 && time_ns >= result->first_ns) return false;
    result->first_ns = time_ns;
    return true;
}

static int compare_size(const void *left, const void *right)
{
    size_t a = *(const size_t *)left, b = *(const size_t *)right;
    return a < b ? -1 : a > b;
}

void result_witness(const struct index *index, struct check_result *result, const uint32_t *ops,
                    uint32_t count)
{
    (void)index;
    result->witness_count = 0;
    for (uint32_t i = 0; i < count && result->witness_count < CHECK_WITNESS_OPS; i++) {
        bool known = ops[i] == NO_OP;
        for (uint32_t j = 0; j < result->witness_count && !known; j++)
            known = result->witness[j] == ops[i];
        if (!known) result->witness[result->witness_count++] = ops[i];
    }
    qsort(result->witness, result->witness_count, sizeof *result->witness,
          compare_size); /* index order is order of invocation */
}

static char *format_text(const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    CHECK(size >= 0);
    char *text = xmalloc((size_t)size + 1);
    vsnprintf(text, (size_t)size + 1, format, again);
    va_end(again);
    return text;
}

void result_explain(struct check_result *result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    free(result->explanation);
    result->explanation = format_text(format, arguments);
    va_end(arguments);
}

void result_explain_more(struct check_result *result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *more = format_text(format, arguments);
    va_end(arguments);
    size_t size = result->explanation ? strlen(result->explanation) : 0;
    result->explanation = xrealloc(result->explanation, size + strlen(more) + 1);
    memcpy(result->explanation + size, more, strlen(more) + 1);
    free(more);
}

void result_end(struct check_result *result)
{
    if (result->violations) result->verdict = CHECK_VIOLATED;
    if (result->violating_count)
        qsort(result->violating, result->violating_count, sizeof *result->violating,
              compare_size);
}

void result_not_applicable(struct check_result *result)
{
    check_result_deinit(result);
    result_clear(result);
    result->verdict = CHECK_NOT_APPLICABLE;
}

void result_unknown(struct check_result *result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    free(result->explanation);
    result->explanation = format_text(format, arguments);
    va_end(arguments);
    result->verdict = CHECK_UNKNOWN;
}

/* ---- wording ---- */

static char *ring(size_t *size)
{
    static char texts[8][96];
    static unsigned turn;
    *size = sizeof texts[0];
    return texts[turn++ % 8];
}

const char *say_time(int64_t ns)
{
    size_t size;
    char *text = ring(&size);
    if (ns == VTIME_MAX)
        snprintf(text, size, "never");
    else
        vtime_format(ns, text, size);
    return text;
}

const char *say_duration(int64_t ns)
{
    size_t size;
    char *text = ring(&size);
    return duration_say(ns, text, size);
}

const char *say_key(const struct history *history, uint32_t key)
{
    size_t size, length;
    char *text = ring(&size);
    if (key == HISTORY_NONE) {
        snprintf(text, size, "(no key)");
        return text;
    }
    const char *name = history_name(history, key, &length);
    size_t shown = length > 40 ? 37 : length;
    for (size_t i = 0; i < shown; i++) text[i] = name[i] >= 32 && name[i] < 127 ? name[i] : '?';
    snprintf(text + shown, size - shown, "%s", length > 40 ? "..." : "");
    return text;
}

const char *say_node(const struct check_input *input, uint32_t endpoint)
{
    size_t size;
    char *text = ring(&size);
    const char *name = input->endpoint_name && endpoint != UINT32_MAX
                           ? input->endpoint_name(input->name_context, endpoint)
                           : NULL;
    if (name)
        snprintf(text, size, "%s", name);
    else if (endpoint == UINT32_MAX)
        snprintf(text, size, "an unnamed node");
    else
        snprintf(text, size, "node %u", (unsigned)endpoint);
    return text;
}

const char *say_count(uint64_t count, const char *noun)
{
    size_t size;
    char *text = ring(&size);
    snprintf(text, size, "%llu %s%s", (unsigned long long)count, noun, count == 1 ? "" : "s");
    return text;
}

const char *say_counted(uint64_t count, const char *noun, const char *one, const char *many)
{
    size_t size;
    char *text = ring(&size);
    snprintf(text, size, "%llu %s%s %s", (unsigned long long)count, noun, count == 1 ? "" : "s",
             count == 1 ? one : many);
    return text;
}

const char *say_value(const struct index *index, uint64_t token)
{
    size_t size;
    char *text = ring(&size);
    uint32_t writer = index_writer(index, token);
    if (!token)
        snprintf(text, size, "nothing");
    else if (writer != NO_OP && index->ops[writer].type == HISTORY_INSERT &&
             index->ops[writer].owner != HISTORY_NONE)
        snprintf(text, size, "the row of owner %u", (unsigned)index->ops[writer].owner);
    else
        snprintf(text, size, "value %llu", (unsigned long long)token);
    return text;
}
