/* The vocabulary as people ask for it: list, explain, and the list of keys. All of it is read
 * from the tables; nothing here knows a word of its own but the operations, whose one line
 * stands below.
 */
#include "sim/scenario/vocabulary.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/check/models.h"

const char *const operation_docs[] = {
    "Reads one key.",
    "Writes a value with a unique token under one key.",
    "Deletes one key.",
    "Writes if the key still holds what this client saw last.",
    "Adds a row under an id that the database assigns.",
    "Looks an id up in the second store and reads its row.",
    "Reads the entries of a key range in order.",
    "Takes a lock with a time to live; the answer carries a fencing token.",
    "Gives the lock back.",
    NULL,
};
_Static_assert(sizeof operation_docs / sizeof operation_docs[0] == OPERATION_TYPES + 1,
               "one line an operation");

/* ---- how a row reads ---- */

static const char *join(struct arena *arena, const char *const *words)
{
    char *list = arena_strdup(arena, "");
    for (uint32_t i = 0; words && words[i]; i++)
        list = arena_printf(arena, "%s%s%s", list, i ? ", " : "", words[i]);
    return list;
}

const char *option_type_text(struct arena *arena, const struct option *option)
{
    const char *leader = option->flags & OPTION_LEADER ? " or leader" : "";
    switch (option->type) {
    case OPTION_INT: return "number";
    case OPTION_SIZE: return "size";
    case OPTION_DURATION:
        return option->low <= -1 && option->low > -NS_PER_US ? "duration or never" : "duration";
    case OPTION_RATE: return "rate";
    case OPTION_BANDWIDTH: return "bandwidth";
    case OPTION_FRACTION: return "share";
    case OPTION_FACTOR: return "factor";
    case OPTION_WORD: return option->words ? join(arena, option->words) : "word";
    case OPTION_YESNO: return "yes, no";
    case OPTION_STRING: return "text";
    case OPTION_NODE: return arena_printf(arena, "node%s", leader);
    case OPTION_PLACE: return arena_printf(arena, "place%s", leader);
    case OPTION_PLACES: return arena_printf(arena, "places%s", leader);
    case OPTION_GROUPS: return "groups of places";
    case OPTION_CLASSES:
        return arena_printf(arena, "all, %s, or a list", join(arena, message_class_words));
    case OPTION_DIST: return "distribution";
    case OPTION_NAMES: return "list of texts";
    }
    return "";
}

const char *option_bounds_text(struct arena *arena, const struct option *option)
{
    if (option->type > OPTION_FACTOR || (option->low == 0 && option->high == 0)) return "";
    bool never = option->type == OPTION_DURATION && option->low == -1;
    const char *low = option->type == OPTION_BANDWIDTH && option->low == 0
                          ? "0B/s"
                          : quantity_text_of(arena, option->type, never ? 0 : option->low);
    bool is_open =
        option->high == 0 || (option->high >= INT64_C(1) << 40 &&
                              option->type != OPTION_DURATION); /* a bound that nobody meets */
    if (is_open) return option->low > 0 ? arena_printf(arena, "at least %s", low) : "";
    return arena_printf(arena, "%s%s to %s",
                        option->flags & OPTION_POWER_OF_TWO ? "a power of two, " : "", low,
                        quantity_text_of(arena, option->type, option->high));
}

const char *option_default_text(const struct option *option)
{
    if (option->value) return option->value;
    return option->flags & OPTION_OPTIONAL ? "" : "required";
}

/* ---- list ---- */

static void line(FILE *out, const char *name, const char *doc)
{
    fprintf(out, "  %-28s %s\n", name, doc);
}

static bool begin(FILE *out, const char *kind, const char *wanted, const char *title)
{
    if (wanted && strcmp(kind, wanted) != 0) return false;
    if (!wanted) fprintf(out, "%s\n", title);
    return true;
}

void vocabulary_list(FILE *out, const char *kind)
{
    if (begin(out, "engines", kind, "engines"))
        for (uint32_t i = 0; engine_registry[i]; i++)
            line(out, engine_registry[i]->name, engine_registry[i]->doc);
    if (begin(out, "schemes", kind, "schemes"))
        for (uint32_t i = 0; scheme_registry[i]; i++)
            line(out, scheme_registry[i]->name, scheme_registry[i]->doc);
    if (begin(out, "checks", kind, "checks"))
        for (const struct check *c = check_table; c->name; c++) line(out, c->name, c->doc);
    if (begin(out, "models", kind, "models"))
        for (const struct model *m = model_table; m->name; m++) line(out, m->name, m->doc);
    if (begin(out, "measures", kind, "measures"))
        for (const struct measure *m = measure_table; m->name; m++) line(out, m->name, m->doc);
    if (begin(out, "actions", kind, "actions"))
        for (const struct action *a = action_table; a->name; a++) line(out, a->name, a->doc);
    if (begin(out, "triggers", kind, "triggers"))
        for (const struct trigger_word *t = trigger_words; t->name; t++)
            line(out, t->name, t->doc);
    if (begin(out, "operations", kind, "operations"))
        for (uint32_t i = 0; i < OPERATION_TYPES; i++)
            line(out, operation_words[i], operation_docs[i]);
    if (begin(out, "presets", kind, "presets")) {
        for (const struct network_preset *p = network_presets; p->name; p++)
            line(out, p->name, p->doc);
        for (const struct disk_preset *p = disk_presets; p->name; p++)
            line(out, p->name, p->doc);
    }
}

/* ---- explain ---- */

static void explain_rows(FILE *out, struct arena *arena, const struct option *rows,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *bounds = option_bounds_text(arena, &rows[i]),
                   *value = option_default_text(&rows[i]);
        fprintf(out, "  %-26s %s%s%s%s%s\n", rows[i].name, option_type_text(arena, &rows[i]),
                *bounds ? ", " : "", bounds,
                *value ? (rows[i].value ? "; default " : "; ") : "", value);
        fprintf(out, "  %-26s %s\n", "", rows[i].doc);
    }
}

static void explain_option(FILE *out, struct arena *arena, const char *path,
                           const struct option *row)
{
    const char *bounds = option_bounds_text(arena, row), *value = option_default_text(row);
    fprintf(out, "%s: %s\n  %s%s%s\n", path, row->doc, option_type_text(arena, row),
            *bounds ? ", " : "", bounds);
    if (*value) fprintf(out, "  %s%s\n", row->value ? "default " : "", value);
}

/* A row is asked for by its whole path, with or without what stands before its table, or by its
 * last word. */
static uint32_t explain_path(FILE *out, struct arena *arena, const char *word,
                             const char *owner, const char *of, const struct option *rows,
                             size_t count)
{
    uint32_t found = 0;
    for (size_t i = 0; i < count; i++) {
        char *path = *owner ? arena_printf(arena, "%s.%s", owner, rows[i].name)
                            : arena_strdup(arena, rows[i].name);
        size_t size = strlen(rows[i].name), tail = strlen(word);
        bool is_tail = tail < size && rows[i].name[size - tail - 1] == '.' &&
                       strcmp(rows[i].name + size - tail, word) == 0;
        if (strcmp(word, path) != 0 && strcmp(word, rows[i].name) != 0 && !is_tail) continue;
        explain_option(out, arena, *of ? arena_printf(arena, "%s (%s)", path, of) : path,
                       &rows[i]);
        found++;
    }
    return found;
}

/* Parent words: "failover" of failover.quorum, failover.promote ...; a row below it is listed
 * with its path. */
static uint32_t explain_children(FILE *out, struct arena *arena, const char *word,
                                 const char *owner, const char *of, const struct option *rows,
                                 size_t count)
{
    uint32_t found = 0;
    size_t skip = strlen(owner);
    if (strncmp(word, owner, skip) == 0 && word[skip] == '.') word += skip + 1;
    size_t size = strlen(word);
    for (size_t i = 0; i < count; i++) {
        if (strncmp(rows[i].name, word, size) != 0 || rows[i].name[size] != '.') continue;
        if (found++ == 0)
            fprintf(out, "%s (%s): a mapping of these\n",
                    arena_printf(arena, "%s.%s", owner, word), of);
        explain_rows(out, arena, &rows[i], 1);
    }
    return found;
}

/* Keys of the file that are mappings of their own and stand in no table. */
static uint32_t explain_mapping(FILE *out, const char *word)
{
    if (strcmp(word, "when") == 0 || strcmp(word, "timeline.when") == 0) {
        fprintf(out,
                "timeline.when: a trigger on state, in place of `at`; `delay` stands beside "
                "it. One of these, and nth:\n");
        for (const struct trigger_word *t = trigger_words; t->name; t++)
            line(out, t->name, t->doc);
        line(out, "nth", "The n-th time; default 1, the first.");
        return 1;
    }
    if (strcmp(word, "nemesis") == 0) {
        fprintf(out, "nemesis: random faults: not in this version\n");
        return 1;
    }
    return 0;
}

/* "stores[]" -> "stores" */
static const char *without_brackets(struct arena *arena, const char *path)
{
    char *plain = arena_strdup(arena, path), *w = plain;
    for (const char *r = path; *r; r++)
        if (*r != '[' && *r != ']') *w++ = *r;
    *w = '\0';
    return plain;
}

static uint32_t explain_options(FILE *out, struct arena *arena, const char *word)
{
    uint32_t found = 0;
    for (const struct format_table *const *t = format_tables(); *t; t++)
        found += explain_path(out, arena, word, without_brackets(arena, (*t)->path), "",
                              (*t)->options, (*t)->count);
    found += explain_path(out, arena, word, "workloads", "", workload_options,
                          workload_options_count);
    for (uint32_t i = 0; engine_registry[i]; i++)
        found += explain_path(out, arena, word, "engine", engine_registry[i]->name,
                              engine_registry[i]->options, engine_registry[i]->options_count);
    for (uint32_t i = 0; scheme_registry[i]; i++)
        found += explain_path(out, arena, word, "replication", scheme_registry[i]->name,
                              scheme_registry[i]->options, scheme_registry[i]->options_count);
    for (uint32_t i = 0; engine_registry[i]; i++)
        found +=
            explain_children(out, arena, word, "engine", engine_registry[i]->name,
                             engine_registry[i]->options, engine_registry[i]->options_count);
    for (uint32_t i = 0; scheme_registry[i]; i++)
        found +=
            explain_children(out, arena, word, "replication", scheme_registry[i]->name,
                             scheme_registry[i]->options, scheme_registry[i]->options_count);
    for (const struct action *a = action_table; a->name && strncmp(word, "timeline.", 9) == 0;
         a++)
        found += explain_path(out, arena, word + 9, a->name, "", a->options, a->options_count);
    for (const struct action *a = action_table; a->name && strchr(word, '.'); a++) {
        size_t size = strlen(a->name);
        if (strncmp(word, a->name, size) == 0 && word[size] == '.')
            found += explain_path(out, arena, word, a->name, "", a->options, a->options_count);
    }
    return found;
}

static uint32_t explain_presets(FILE *out, struct arena *arena, const char *word)
{
    uint32_t found = 0;
    for (const struct network_preset *p = network_presets; p->name; p++) {
        if (strcmp(word, p->name) != 0) continue;
        found++;
        fprintf(out, "%s (network preset): %s\n  source: %s\n", p->name, p->doc, p->source);
        fprintf(out, "  latency %s, between regions %s\n",
                dist_text_of(arena, &p->config.latency),
                dist_text_of(arena, &p->config.between_regions));
    }
    for (const struct disk_preset *p = disk_presets; p->name; p++) {
        if (strcmp(word, p->name) != 0) continue;
        found++;
        fprintf(out, "%s (disk preset): %s\n  source: %s\n", p->name, p->doc, p->source);
        fprintf(out, "  read %s, write %s, sync %s, queue depth %lld\n",
                dist_text_of(arena, &p->config.read_latency),
                dist_text_of(arena, &p->config.write_latency),
                dist_text_of(arena, &p->config.sync_latency), (long long)p->config.queue_depth);
    }
    return found;
}

static uint32_t explain_word(FILE *out, struct arena *arena, const char *word)
{
    uint32_t found = 0;
    const struct check *check = check_find(word);
    if (check)
        fprintf(out, "%s (check): %s\n  source: %s\n", check->name, check->doc,
                check->source ? check->source : ""),
            found++;
    const struct measure *measure = measure_find(word);
    if (measure)
        fprintf(out, "%s (measure, %s): %s\n", measure->name, measure->unit, measure->doc),
            found++;
    const struct action *action = action_find(word);
    if (action) {
        fprintf(out, "%s (action): %s\n  counts as effect: %s\n  %s\n", action->name,
                action->doc, action->evidence ? action->evidence : "",
                action->needs_for ? "needs `for`"
                : action->takes_for
                    ? "takes `for`; without it, it lasts until `heal` or its opposite"
                    : "happens at once");
        explain_rows(out, arena, action->options, action->options_count);
        found++;
    }
    const struct engine_ops *engine = engine_find(word);
    if (engine) {
        fprintf(out, "%s (engine): %s\n", engine->name, engine->doc);
        explain_rows(out, arena, engine->options, engine->options_count);
        found++;
    }
    const struct scheme_ops *scheme = scheme_find(word);
    if (scheme) {
        fprintf(out, "%s (scheme): %s\n", scheme->name, scheme->doc);
        explain_rows(out, arena, scheme->options, scheme->options_count);
        found++;
    }
    for (uint32_t i = 0; i < OPERATION_TYPES; i++)
        if (strcmp(word, operation_words[i]) == 0)
            fprintf(out, "%s (operation): %s\n", word, operation_docs[i]), found++;
    for (const struct trigger_word *t = trigger_words; t->name; t++)
        if (strcmp(word, t->name) == 0)
            fprintf(out, "%s (trigger): %s\n", t->name, t->doc), found++;
    found += explain_presets(out, arena, word);
    for (const struct format_table *const *t = format_tables(); *t; t++)
        if (*(*t)->path && strcmp(word, without_brackets(arena, (*t)->path)) == 0) {
            fprintf(out, "%s: %s\n", word, (*t)->about);
            explain_rows(out, arena, (*t)->options, (*t)->count);
            if (*t == &format_workload)
                explain_rows(out, arena, workload_options, workload_options_count);
            found++;
        }
    found += explain_mapping(out, word);
    return found + explain_options(out, arena, word);
}

/* ---- every word, for the nearest ---- */

struct words {
    const char **items;
    size_t count, capacity;
};

static void word_add(struct words *words, const char *word)
{
    if (words->count + 1 >= words->capacity) {
        words->capacity = words->capacity ? words->capacity * 2 : 256;
        words->items = xrealloc(words->items, words->capacity * sizeof *words->items);
    }
    words->items[words->count++] = word;
    words->items[words->count] = NULL;
}

static void rows_add(struct words *words, const struct option *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *dot = strrchr(rows[i].name, '.');
        word_add(words, rows[i].name);
        if (dot) word_add(words, dot + 1);
    }
}

static void words_all(struct words *words)
{
    word_add(words, "when");
    word_add(words, "nemesis");
    for (const struct check *c = check_table; c->name; c++) word_add(words, c->name);
    for (const struct measure *m = measure_table; m->name; m++) word_add(words, m->name);
    for (const struct action *a = action_table; a->name; a++) word_add(words, a->name);
    for (uint32_t i = 0; engine_registry[i]; i++) word_add(words, engine_registry[i]->name);
    for (uint32_t i = 0; scheme_registry[i]; i++) word_add(words, scheme_registry[i]->name);
    for (uint32_t i = 0; i < OPERATION_TYPES; i++) word_add(words, operation_words[i]);
    for (const struct trigger_word *t = trigger_words; t->name; t++) word_add(words, t->name);
    for (const struct network_preset *p = network_presets; p->name; p++)
        word_add(words, p->name);
    for (const struct disk_preset *p = disk_presets; p->name; p++) word_add(words, p->name);
    for (const struct format_table *const *t = format_tables(); *t; t++)
        rows_add(words, (*t)->options, (*t)->count);
    rows_add(words, workload_options, workload_options_count);
    for (uint32_t i = 0; engine_registry[i]; i++)
        rows_add(words, engine_registry[i]->options, engine_registry[i]->options_count);
    for (uint32_t i = 0; scheme_registry[i]; i++)
        rows_add(words, scheme_registry[i]->options, scheme_registry[i]->options_count);
    for (const struct action *a = action_table; a->name; a++)
        rows_add(words, a->options, a->options_count);
}

int vocabulary_explain(FILE *out, const char *word, const char **nearest)
{
    struct arena *arena = arena_create();
    uint32_t found = explain_word(out, arena, word);
    arena_destroy(arena);
    if (found) return 0;
    struct words words = {0};
    words_all(&words);
    if (nearest) *nearest = nearest_word(word, words.items);
    free(words.items);
    return -ENOENT;
}

/* ---- keys ---- */

struct keys {
    struct vocabulary_key *items;
    size_t count, capacity;
    struct arena *arena;
};

static void key_add(struct keys *keys, const char *path, enum option_type type, bool inert)
{
    if (keys->count == keys->capacity) {
        keys->capacity = keys->capacity ? keys->capacity * 2 : 256;
        keys->items = xrealloc(keys->items, keys->capacity * sizeof *keys->items);
    }
    keys->items[keys->count++] = (struct vocabulary_key){path, type, inert};
}

static void keys_of_rows(struct keys *keys, const char *prefix, const struct option *rows,
                         size_t count)
{
    for (size_t i = 0; i < count; i++)
        key_add(keys, arena_printf(keys->arena, "%s.%s", prefix, rows[i].name), rows[i].type,
                (rows[i].flags & OPTION_INERT) != 0);
}

static void keys_of_shape(struct keys *keys, const struct shape *shape, const char *path,
                          const struct option *option, bool inert)
{
    if (shape->kind == SHAPE_LIST) {
        if (shape->entry->kind != SHAPE_TEXT && !(option && option->type == OPTION_GROUPS)) {
            keys_of_shape(keys, shape->entry, arena_printf(keys->arena, "%s[]", path), NULL,
                          inert);
            return;
        }
    } else if (shape->kind == SHAPE_MAP &&
               !(shape->short_key && strcmp(shape->short_key, "constant") == 0)) {
        for (uint32_t i = 0; i < shape->count; i++) {
            const struct shape_field *f = &shape->fields[i];
            keys_of_shape(keys, f->shape,
                          *path ? arena_printf(keys->arena, "%s.%s", path, f->key) : f->key,
                          f->option, inert || f->inert);
        }
        if (shape->any_key)
            keys_of_shape(keys, shape->any_key, arena_printf(keys->arena, "%s.*", path), NULL,
                          inert);
        return;
    }
    bool is_dist = shape->kind == SHAPE_MAP;
    enum option_type type = option                      ? option->type
                            : is_dist                   ? OPTION_DIST
                            : shape->kind == SHAPE_LIST ? OPTION_NAMES
                            : shape->option             ? shape->option->type
                                                        : OPTION_STRING;
    key_add(keys, path, type, inert);
}

const struct vocabulary_key *vocabulary_keys(size_t *count)
{
    static struct keys keys; /* made once, kept to the end of the process */
    if (!keys.items) {
        keys.arena = arena_create();
        struct shape *shape = scenario_shape(keys.arena, &(struct format_choice){0});
        keys_of_shape(&keys, shape, "", NULL, false);
        for (uint32_t i = 0; engine_registry[i]; i++)
            keys_of_rows(&keys,
                         arena_printf(keys.arena, "engine{%s}", engine_registry[i]->name),
                         engine_registry[i]->options, engine_registry[i]->options_count);
        for (uint32_t i = 0; scheme_registry[i]; i++)
            keys_of_rows(&keys,
                         arena_printf(keys.arena, "replication{%s}", scheme_registry[i]->name),
                         scheme_registry[i]->options, scheme_registry[i]->options_count);
        key_add(&keys, NULL, OPTION_STRING, true);
        keys.count--;
    }
    *count = keys.count;
    return keys.items;
}
