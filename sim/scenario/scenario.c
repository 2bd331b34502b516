/* Scenario files: read once, kept as a tree; variants by name; every variant judged at load.
 *
 * The file itself is variant "base". A variant is judged by making its plan; what is wrong with
 * the base is reported once, what only a variant brings about is reported with the variant's
 * name behind it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/scenario/compile.h"

#define VARIANTS_MAX 1000u

/* ---- errors for the caller ---- */

void export_errors(struct scenario_errors *out, const char *path, struct error_list *errors)
{
    struct arena *arena = arena_create();
    errors_sort(errors);
    for (size_t i = 0; i < errors->count + (errors->more ? 1 : 0); i++) {
        const struct error *e = i < errors->count ? &errors->items[i] : NULL;
        const char *colon = e && *e->place ? ": " : "", *text;
        if (!e)
            text = arena_printf(arena, "%s: more errors than these %zu", path, errors->count);
        else if (e->at.origin)
            text = arena_printf(arena, "%s: %s%s%s", e->at.origin, e->place, colon, e->message);
        else
            text = arena_printf(arena, "%s:%d:%d: %s%s%s", path, e->at.line, e->at.column,
                                e->place, colon, e->message);
        if (out->count == out->capacity) {
            out->capacity = out->capacity ? out->capacity * 2 : 16;
            out->items = xrealloc(out->items, out->capacity * sizeof *out->items);
        }
        out->items[out->count++] = xstrdup(text);
    }
    arena_destroy(arena);
}

void scenario_errors_deinit(struct scenario_errors *errors)
{
    for (size_t i = 0; i < errors->count; i++) free(errors->items[i]);
    free(errors->items);
    *errors = (struct scenario_errors){0};
}

void export_plain(struct scenario_errors *errors, const char *path, const char *why)
{
    struct error_list list = {0};
    errors_add(&list, (struct position){path, 1, 1}, "", "%s", why);
    export_errors(errors, path, &list);
    errors_deinit(&list);
}

/* ---- variants ---- */

static bool variant_is_known(const struct scenario *scenario, const char *name)
{
    for (uint32_t i = 0; i < scenario->variants_count; i++)
        if (strcmp(scenario->variants[i].name, name) == 0) return true;
    return false;
}

static bool is_word(const char *name)
{
    size_t size = strlen(name);
    return size > 0 && size < 64 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
               size;
}

static void read_variants(struct scenario *scenario, struct error_list *errors)
{
    const struct tree_node *list = tree_get(scenario->root, "variants");
    uint32_t count = list && list->kind == TREE_LIST ? list->count : 0;
    scenario->variants = arena_alloc(scenario->arena, (count + 1) * sizeof *scenario->variants);
    scenario->variants[scenario->variants_count++] =
        (struct variant){.name = "base", .number = UINT32_MAX};
    if (count > VARIANTS_MAX) {
        errors_add(errors, list->at, "variants", "more than %u variants", VARIANTS_MAX);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct tree_node *entry = list->entries[i].value, *set = tree_get(entry, "set"),
                               *name_node = tree_get(entry, "name");
        const char *name = tree_get_text(entry, "name");
        char place[64];
        snprintf(place, sizeof place, "variants[%u]", i);
        if (entry->kind != TREE_MAP) continue; /* the shape reports it */
        if (!name_node) {
            errors_add(errors, entry->at, place, "needs 'name'");
        } else if (name && !is_word(name)) {
            errors_add(errors, name_node->at, place,
                       "'%s' is no name: letters, digits, - and _ only", name);
        } else if (name && (strcmp(name, "base") == 0 || strcmp(name, "all") == 0)) {
            errors_add(errors, name_node->at, place,
                       "'%s' has a meaning of its own: name the variant otherwise", name);
        } else if (name && variant_is_known(scenario, name)) {
            errors_add(errors, name_node->at, place, "'%s' is the name of another variant",
                       name);
        }
        if (set && set->kind != TREE_MAP) {
            errors_add(errors, set->at, place,
                       "'set' must be a mapping of dotted paths to values");
            set = NULL;
        } else if (name && (!set || !set->count) && !tree_get(entry, "expect")) {
            errors_add(errors, entry->at, place,
                       "variant '%s' is the base once more: it needs 'set' or 'expect'", name);
        }
        if (!name || variant_is_known(scenario, name)) continue;
        struct variant *variant = &scenario->variants[scenario->variants_count++];
        *variant = (struct variant){.name = name,
                                    .number = i,
                                    .set = set ? set->entries : NULL,
                                    .set_count = set ? set->count : 0};
        variant->settings =
            arena_alloc(scenario->arena, (variant->set_count + 1) * sizeof *variant->settings);
        for (uint32_t k = 0; k < variant->set_count; k++)
            variant->settings[variant->settings_count++] = (struct setting){
                variant->set[k].key, tree_write(scenario->arena, variant->set[k].value, false)};
    }
}

/* Makes the plan of every variant. What a variant adds to the base's errors is reported with
 * its name. */
static void judge(const struct scenario *scenario, struct error_list *errors)
{
    plan_destroy(plan_compile(scenario, &(struct plan_request){0}, true, errors));
    size_t base = errors->count;
    for (uint32_t i = 1; i < scenario->variants_count && errors->count < base + 100; i++) {
        struct error_list own = {0}, known = {.items = errors->items, .count = base};
        plan_destroy(plan_compile(scenario, &(struct plan_request){.variant = i}, false, &own));
        for (size_t k = 0; k < own.count; k++) {
            if (errors_contain(&known, &own.items[k])) continue;
            errors_add(errors, own.items[k].at, own.items[k].place, "%s (in variant '%s')",
                       own.items[k].message, scenario->variants[i].name);
            known.items = errors->items;
        }
        errors_deinit(&own);
    }
}

/* ---- loading ---- */

static struct scenario *load(const char *path, const char *text, size_t size,
                             struct error_list *errors)
{
    struct scenario *scenario = xcalloc(1, sizeof *scenario);
    scenario->arena = arena_create();
    scenario->path = arena_strdup(scenario->arena, path);
    scenario->hash = hash_bytes(text, size, 0);
    scenario->root = tree_parse(scenario->arena, text, size, NULL, errors);
    if (scenario->root && scenario->root->is_null) {
        errors_add(errors, scenario->root->at, "",
                   "the file holds nothing: a scenario has at least name, duration, cluster, "
                   "engine and replication");
    } else if (scenario->root && scenario->root->kind != TREE_MAP) {
        errors_add(errors, scenario->root->at, "",
                   "a scenario is a mapping of keys (name: ..., duration: ...), not %s",
                   tree_kind_words[scenario->root->kind]);
    } else if (scenario->root) {
        read_variants(scenario, errors);
        judge(scenario, errors);
    }
    if (errors->count) {
        scenario_destroy(scenario);
        return NULL;
    }
    scenario->name = tree_get_text(scenario->root, "name");
    scenario->seed = 1;
    const char *seed = tree_get_text(scenario->root, "seed");
    if (seed) seed_parse(seed, &scenario->seed);
    return scenario;
}

struct scenario *scenario_load_text(const char *name, const char *text, size_t size,
                                    struct scenario_errors *errors)
{
    struct error_list list = {0};
    struct scenario *scenario = load(name, text, size, &list);
    export_errors(errors, name, &list);
    errors_deinit(&list);
    return scenario;
}

char *read_text(const char *path, size_t *size, struct scenario_errors *errors)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        export_plain(errors, path, strerror(errno));
        return NULL;
    }
    char *text = xmalloc(TREE_BYTES_MAX + 2);
    *size = fread(text, 1, TREE_BYTES_MAX + 1,
                  file); /* one more than allowed shows that there is more */
    bool failed = ferror(file) != 0;
    int error = errno;
    fclose(file);
    if (!failed) return text;
    export_plain(errors, path, strerror(error));
    free(text);
    return NULL;
}

struct scenario *scenario_load(const char *path, struct scenario_errors *errors)
{
    size_t size;
    char *text = read_text(path, &size, errors);
    struct scenario *scenario = text ? scenario_load_text(path, text, size, errors) : NULL;
    free(text);
    return scenario;
}

void scenario_destroy(struct scenario *scenario)
{
    if (!scenario) return;
    arena_destroy(scenario->arena);
    free(scenario);
}

/* ---- asking ---- */

const char *scenario_name(const struct scenario *scenario)
{
    return scenario->name;
}
uint64_t scenario_seed(const struct scenario *scenario)
{
    return scenario->seed;
}
uint32_t scenario_variants(const struct scenario *scenario)
{
    return scenario->variants_count;
}
const char *scenario_variant_name(const struct scenario *scenario, uint32_t variant)
{
    return scenario->variants[variant].name;
}

uint32_t scenario_variant_find(const struct scenario *scenario, const char *name)
{
    for (uint32_t i = 0; i < scenario->variants_count; i++)
        if (strcmp(scenario->variants[i].name, name) == 0) return i;
    return UINT32_MAX;
}

const struct setting *scenario_variant_settings(const struct scenario *scenario,
                                                uint32_t variant, uint32_t *count)
{
    *count = scenario->variants[variant].settings_count;
    return scenario->variants[variant].settings;
}

struct plan *plan_create(const struct scenario *scenario, const struct plan_request *request,
                         struct scenario_errors *errors)
{
    struct error_list list = {0};
    struct plan *plan = plan_compile(scenario, request, false, &list);
    export_errors(errors, scenario->path, &list);
    errors_deinit(&list);
    return plan;
}
