/* The reference of the format in markdown: the generated part of scenarios/README.md. A test
 * compares the two, so that no key exists that is not documented. */
#include <stdio.h>
#include <string.h>

#include "sim/scenario/vocabulary.h"

/* '|' would end a cell. */
static void cell(FILE *out, const char *text)
{
    fputs(" ", out);
    for (; *text; text++) {
        if (*text == '|') fputc('\\', out);
        fputc(*text, out);
    }
    fputs(" |", out);
}

static void head(FILE *out)
{
    fputs("\n| key | value | default | bounds | what |\n|---|---|---|---|---|\n", out);
}

static void row(FILE *out, const char *key, const char *type, const char *value,
                const char *bounds, const char *doc)
{
    fputs("|", out);
    char name[96];
    snprintf(name, sizeof name, "`%s`", key);
    cell(out, name);
    cell(out, type);
    cell(out, value);
    cell(out, bounds);
    cell(out, doc);
    fputs("\n", out);
}

static void rows(FILE *out, struct arena *arena, const struct option *options, size_t count)
{
    for (size_t i = 0; i < count; i++)
        row(out, options[i].name, option_type_text(arena, &options[i]),
            option_default_text(&options[i]), option_bounds_text(arena, &options[i]),
            options[i].doc);
}

/* Keys of a mapping that stand in no table: they come from the shape. */
static void fields(FILE *out, struct arena *arena, const struct shape *map,
                   const struct format_table *table)
{
    for (uint32_t i = 0; i < map->count; i++) {
        const struct shape_field *f = &map->fields[i];
        bool in_table = false;
        for (size_t k = 0; table && k < table->count; k++)
            in_table |= strcmp(table->options[k].name, f->key) == 0;
        if (in_table || (f->option && table == &format_workload)) continue;
        const char *type =
            f->shape->kind == SHAPE_LIST ? "list"
            : f->shape->kind == SHAPE_TEXT
                ? f->shape->option ? option_type_text(arena, f->shape->option) : "text"
                : "mapping";
        row(out, f->key, type,
            f->value      ? f->value
            : f->required ? "required"
                          : "",
            "", f->doc ? f->doc : "");
    }
}

static const struct shape *walk(const struct shape *shape, const char *path)
{
    char part[64];
    while (*path && shape) {
        size_t size = strcspn(path, ".");
        snprintf(part, sizeof part, "%.*s", (int)size, path);
        char *bracket = strchr(part, '[');
        if (bracket) *bracket = '\0';
        const struct shape_field *f = shape_find(shape, part);
        shape = f ? f->shape : NULL;
        if (shape && bracket) shape = shape->entry;
        path += size + (path[size] == '.');
    }
    return shape;
}

static void format_part(FILE *out, struct arena *arena, const struct shape *top)
{
    for (const struct format_table *const *t = format_tables(); *t; t++) {
        fprintf(out, "\n### %s\n\n%s\n", *(*t)->path ? (*t)->path : "the file", (*t)->about);
        head(out);
        rows(out, arena, (*t)->options, (*t)->count);
        if (*t == &format_workload) rows(out, arena, workload_options, workload_options_count);
        const struct shape *map = walk(top, (*t)->path);
        if (map && *t != &format_entry && *t != &format_engine && *t != &format_replication)
            fields(out, arena, map, *t);
    }
    static const char *const extra[] = {
        "cluster.regions[]", "network.routes[]", "expect", "expect.availability[]",
        "ignore[]",          "variants[]",       NULL};
    static const char *const about[] = {
        "Regions and their nodes.",
        "Latency between two regions, where it is not `between_regions`.",
        "Checks by name: `{violations: N, at: | from:, until:}` or a list of these; and:",
        "`expect.availability`.",
        "Violations that don't fail the run.",
        "Same faults, same seed, settings changed."};
    for (uint32_t i = 0; extra[i]; i++) {
        const struct shape *map = walk(top, extra[i]);
        fprintf(out, "\n### %s\n\n%s\n", extra[i], about[i]);
        head(out);
        if (strcmp(extra[i], "expect") != 0) {
            fields(out, arena, map, NULL);
            continue;
        }
        for (uint32_t k = 0; k < map->count; k++)
            if (!check_find(map->fields[k].key) ||
                strcmp(map->fields[k].key, "availability") == 0)
                row(out, map->fields[k].key,
                    map->fields[k].shape->kind == SHAPE_LIST ? "list" : "mapping", "", "",
                    map->fields[k].doc);
    }
    const struct shape *dist = walk(top, "network.latency");
    fputs("\n### distributions\n\nA quantity alone is a constant; else a mapping with one of "
          "these.\n",
          out);
    head(out);
    fields(out, arena, dist, NULL);
}

static void words_part(FILE *out, struct arena *arena)
{
    fputs("\n## Actions\n", out);
    for (const struct action *a = action_table; a->name; a++) {
        fprintf(out, "\n### %s\n\n%s Counts as effect: %s. %s\n", a->name, a->doc,
                a->evidence ? a->evidence : "",
                a->needs_for   ? "Needs `for`."
                : a->takes_for ? "Takes `for`."
                               : "Happens at once.");
        if (!a->options_count) continue;
        head(out);
        rows(out, arena, a->options, a->options_count);
    }
    fputs("\n## Triggers\n\n| trigger | argument | what |\n|---|---|---|\n", out);
    static const char *const arguments[] = {"node or any", "node", "number", "entry"};
    for (const struct trigger_word *t = trigger_words; t->name; t++)
        fprintf(out, "| `%s` | %s | %s |\n", t->name, arguments[t->argument], t->doc);
    fputs("\n## Operations\n\n| operation | what |\n|---|---|\n", out);
    for (uint32_t i = 0; i < OPERATION_TYPES; i++)
        fprintf(out, "| `%s` | %s |\n", operation_words[i], operation_docs[i]);
    fputs("\n## Checks\n\n| check | definition | source |\n|---|---|---|\n", out);
    for (const struct check *c = check_table; c->name; c++) {
        fprintf(out, "| `%s` |", c->name);
        cell(out, c->doc);
        cell(out, c->source ? c->source : "");
        fputs("\n", out);
    }
    fputs("\n## Measures\n\n| measure | unit | what |\n|---|---|---|\n", out);
    for (const struct measure *m = measure_table; m->name; m++)
        fprintf(out, "| `%s` | %s | %s |\n", m->name, m->unit, m->doc);
}

static void plugins_part(FILE *out, struct arena *arena)
{
    fputs("\n## Engines\n", out);
    for (uint32_t i = 0; engine_registry[i]; i++) {
        fprintf(out, "\n### %s\n\n%s\n", engine_registry[i]->name, engine_registry[i]->doc);
        if (!engine_registry[i]->options_count) continue;
        head(out);
        rows(out, arena, engine_registry[i]->options, engine_registry[i]->options_count);
    }
    fputs("\n## Schemes\n", out);
    for (uint32_t i = 0; scheme_registry[i]; i++) {
        fprintf(out, "\n### %s\n\n%s\n", scheme_registry[i]->name, scheme_registry[i]->doc);
        if (!scheme_registry[i]->options_count) continue;
        head(out);
        rows(out, arena, scheme_registry[i]->options, scheme_registry[i]->options_count);
    }
    fputs("\n## Presets\n\n| preset | of | what | source |\n|---|---|---|---|\n", out);
    for (const struct network_preset *p = network_presets; p->name; p++) {
        fprintf(out, "| `%s` | network |", p->name);
        cell(out, p->doc);
        cell(out, p->source);
        fputs("\n", out);
    }
    for (const struct disk_preset *p = disk_presets; p->name; p++) {
        fprintf(out, "| `%s` | disk |", p->name);
        cell(out, p->doc);
        cell(out, p->source);
        fputs("\n", out);
    }
}

void vocabulary_reference(FILE *out)
{
    struct arena *arena = arena_create();
    const struct shape *top = scenario_shape(arena, &(struct format_choice){0});
    fputs("## Keys\n", out);
    format_part(out, arena, top);
    words_part(out, arena);
    plugins_part(out, arena);
    arena_destroy(arena);
}
