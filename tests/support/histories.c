/* The parser of histories.h: lines to operations, sorted by invocation, then appended as a
 * recorder would. */
#include "tests/support/histories.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/kernel/vtime.h"

#define LINES_MAX 4096
#define VALUES_MAX 16

struct parsed {
    struct history_op op;
    uint64_t values[VALUES_MAX];
    uint32_t values_count, line;
    enum history_outcome outcome;
    int64_t return_ns;
};

static void bad(const char *line, const char *why)
{
    fail_msg("history line '%s': %s", line, why);
}

static uint64_t parse_number(const char *line, const char *text)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    if (end == text || *end) bad(line, "not a number");
    return value;
}

static const struct {
    const char *word;
    enum history_type type;
} verbs[] = {
    {"r", HISTORY_READ},        {"w", HISTORY_WRITE},
    {"d", HISTORY_DELETE},      {"cas", HISTORY_COMPARE_AND_SET},
    {"i", HISTORY_INSERT},      {"res", HISTORY_RESOLVE},
    {"scan", HISTORY_SCAN},     {"lock", HISTORY_LOCK},
    {"unlock", HISTORY_UNLOCK}, {"bind", HISTORY_BIND},
};

static void parse_subject(struct history *history, struct parsed *parsed, const char *line,
                          char *subject)
{
    struct history_op *op = &parsed->op;
    char *value = strchr(subject, '=');
    if (value) *value++ = '\0';
    const char *slash = strchr(subject, '/');
    if (slash && (op->type == HISTORY_INSERT || op->type == HISTORY_RESOLVE))
        op->table = history_intern(history, subject, (size_t)(slash - subject) + 1);
    if (!strchr(subject, '?')) op->key = history_intern_string(history, subject);
    if (!value || !*value) return;
    char *save = NULL;
    switch ((enum history_type)op->type) {
    case HISTORY_COMPARE_AND_SET: {
        char *arrow = strchr(value, '>');
        if (!arrow)
            bad(line, "compare_and_set without '>'");
        else {
            *arrow = '\0';
            op->expected = parse_number(line, value);
            op->token = parse_number(line, arrow + 1);
        }
        break;
    }
    case HISTORY_READ:
    case HISTORY_RESOLVE:
        for (char *part = strtok_r(value, ",", &save); part; part = strtok_r(NULL, ",", &save))
            parsed->values[parsed->values_count++] = parse_number(line, part);
        break;
    case HISTORY_SCAN:
        for (char *part = strtok_r(value, ",", &save); part;
             part = strtok_r(NULL, ",", &save)) {
            char *colon = strchr(part, ':');
            if (!colon)
                bad(line, "scan entry without ':'");
            else {
                *colon = '\0';
                parsed->values[parsed->values_count++] = history_intern_string(history, part);
                parsed->values[parsed->values_count++] = parse_number(line, colon + 1);
            }
        }
        break;
    default: op->token = parse_number(line, value); break;
    }
}

static void parse_word(struct parsed *parsed, const char *line, char *word)
{
    struct history_op *op = &parsed->op;
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        if (strcmp(word, history_outcome_words[i]) == 0) {
            parsed->outcome = (enum history_outcome)i;
            return;
        }
    }
    if (strcmp(word, "private") == 0) {
        op->is_private = true;
        return;
    }
    if (strcmp(word, "final") == 0) {
        op->final_read = true;
        return;
    }
    char *equals = strchr(word, '=');
    if (!equals) {
        bad(line, "unknown word");
        return;
    }
    *equals = '\0';
    uint64_t value = parse_number(line, equals + 1);
    if (strcmp(word, "node") == 0)
        op->node = (uint32_t)value;
    else if (strcmp(word, "epoch") == 0)
        op->epoch = value;
    else if (strcmp(word, "level") == 0)
        op->level = (uint8_t)value;
    else if (strcmp(word, "status") == 0)
        op->status = (uint8_t)value;
    else if (strcmp(word, "owner") == 0)
        op->owner = (uint32_t)value;
    else if (strcmp(word, "lock") == 0 || strcmp(word, "token") == 0)
        op->lock_token = value;
    else if (strcmp(word, "saw") == 0)
        parsed->values[parsed->values_count++] = value;
    else if (strcmp(word, "process") == 0)
        op->process = (uint32_t)value;
    else if (strcmp(word, "session") == 0)
        op->session = (uint32_t)value;
    else
        bad(line, "unknown name");
}

static struct parsed parse_line(struct history *history, char *line, uint32_t number)
{
    char copy[256], *save = NULL;
    snprintf(copy, sizeof copy, "%s", line);
    struct parsed parsed = {.line = number, .return_ns = HISTORY_OPEN, .outcome = OUTCOME_OK};
    struct history_op *op = &parsed.op;
    *op = (struct history_op){.key = HISTORY_NONE,
                              .table = HISTORY_NONE,
                              .owner = HISTORY_NONE,
                              .node = HISTORY_NONE,
                              .context = HISTORY_NONE,
                              .status = HISTORY_STATUS_NONE,
                              .session = HISTORY_NONE};
    char *who = strtok_r(line, " ", &save);
    if (strcmp(who, "final") == 0 || strcmp(who, "final2") == 0) {
        op->type = HISTORY_READ;
        op->final_read = true;
        op->level = HISTORY_LEVEL_LEADER;
        op->store = who[5] == '2';
        op->client = history_intern_string(history, "final");
    } else {
        char *verb = strtok_r(NULL, " ", &save);
        size_t i = 0;
        while (verb && i < sizeof verbs / sizeof verbs[0] && strcmp(verbs[i].word, verb) != 0)
            i++;
        if (!verb || i == sizeof verbs / sizeof verbs[0])
            bad(copy, "unknown verb");
        else
            op->type = (uint8_t)verbs[i].type;
        op->client = history_intern_string(history, "client");
        if (strcmp(who, "-") != 0)
            op->process = op->session =
                (uint32_t)(who[0] - 'A') + 26 * (uint32_t)(who[1] ? who[1] - '0' + 1 : 0);
        op->store = op->type == HISTORY_BIND;
    }
    char *subject = strtok_r(NULL, " ", &save), *times = strtok_r(NULL, " ", &save);
    if (!subject || !times || !strstr(times, "..")) bad(copy, "key and times expected");
    parse_subject(history, &parsed, copy, subject);
    char *until = strstr(times, "..");
    *until = '\0';
    until += 2;
    op->invoke_ns = (int64_t)parse_number(copy, times) * NS_PER_MS;
    if (*until) parsed.return_ns = (int64_t)parse_number(copy, until) * NS_PER_MS;
    for (char *word; (word = strtok_r(NULL, " ", &save));) parse_word(&parsed, copy, word);
    return parsed;
}

static int compare_parsed(const void *left, const void *right)
{
    const struct parsed *a = left, *b = right;
    if (a->op.invoke_ns != b->op.invoke_ns) return a->op.invoke_ns < b->op.invoke_ns ? -1 : 1;
    return a->line < b->line ? -1 : 1;
}

struct history *history_of(const char *text)
{
    struct history *history = history_create();
    struct parsed *lines = calloc(LINES_MAX, sizeof *lines);
    size_t count = 0;
    char *copy = strdup(text), *save = NULL;
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *comment = strchr(line, '#');
        if (comment) *comment = '\0';
        while (*line == ' ') line++;
        if (!*line) continue;
        if (count == LINES_MAX) fail_msg("too many lines");
        lines[count] = parse_line(history, line, (uint32_t)count);
        count++;
    }
    qsort(lines, count, sizeof *lines, compare_parsed);
    for (size_t i = 0; i < count; i++) {
        size_t op = history_invoke(history, &lines[i].op);
        for (uint32_t v = 0; v < lines[i].values_count; v++)
            history_value(history, op, lines[i].values[v]);
        if (lines[i].return_ns != HISTORY_OPEN)
            history_return(history, op, lines[i].return_ns, lines[i].outcome);
        history->ops[op].status = lines[i].op.status;
    }
    history_seal(history);
    free(lines);
    free(copy);
    return history;
}

size_t history_at(const struct history *history, int64_t invoke_ms)
{
    for (size_t i = 0; i < history->count; i++)
        if (history->ops[i].invoke_ns == invoke_ms * NS_PER_MS) return i;
    fail_msg("no operation was invoked at %lld ms", (long long)invoke_ms);
    return 0;
}

uint32_t history_key(struct history *history, const char *key)
{
    uint32_t known = history_names_count(history), id = history_intern_string(history, key);
    if (id >= known) fail_msg("the history does not know key '%s'", key);
    return id;
}

static const char *node_name(void *context, uint32_t endpoint)
{
    static const char *const names[] = {"db-a", "db-b", "db-c"};
    (void)context;
    return endpoint < 3 ? names[endpoint] : NULL;
}

struct check_input input_of(const struct history *history)
{
    static const struct facts no_facts;
    static const struct timeline no_timeline;
    return (struct check_input){.history = history,
                                .facts = &no_facts,
                                .timeline = &no_timeline,
                                .nodes = 3,
                                .until_ns = VTIME_MAX,
                                .quiesced = true,
                                .final_all_up = true,
                                .endpoint_name = node_name};
}

struct check_result run_check(const char *name, const struct check_input *input)
{
    const struct check *check = check_find(name);
    if (!check) fail_msg("no check '%s'", name);
    struct check_result result;
    check->run(input, &result);
    return result;
}

void judge_text(const char *name, const char *text, enum check_verdict verdict,
                uint64_t violations)
{
    struct history *history = history_of(text);
    struct check_input input = input_of(history);
    struct check_result result = run_check(name, &input);
    if (result.verdict != verdict || result.violations != violations)
        fail_msg("%s: %s with %llu violations, expected %s with %llu\n%s\n%s", name,
                 check_verdict_words[result.verdict], (unsigned long long)result.violations,
                 check_verdict_words[verdict], (unsigned long long)violations, text,
                 result.explanation ? result.explanation : "(no explanation)");
    if (verdict == CHECK_VIOLATED) {
        assert_non_null(result.explanation);
        assert_true(result.witness_count > 0 || result.witness_nodes_count > 0);
    }
    check_result_deinit(&result);
    history_destroy(history);
}
