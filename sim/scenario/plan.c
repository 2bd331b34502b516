/* From a scenario to a plan: copy the tree, apply the settings, settle it into its shape, let
 * libcyaml type it, and read the typed image part by part.
 *
 *     tree of the file
 *       | tree_copy, settings_apply     variant, --set
 *       | shape_settle                  mistakes out, normal form
 *       | image_load                    libcyaml: typed text
 *       v build_*                       values, places, references
 *     struct plan
 *
 * Every step reports what it finds and leaves out what it cannot use, so that one pass over a
 * file finds all its mistakes; a plan exists only if there was none. The parts are read in an
 * order in which each finds the names that it refers to.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/kernel/check.h"
#include "sim/scenario/compile.h"

/* ---- the file's own keys ---- */

bool seed_parse(const char *text, uint64_t *seed)
{
    uint64_t value = 0;
    if (!*text || (text[0] == '0' && text[1])) return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9') return false;
        uint64_t digit = (uint64_t)(*text - '0');
        if (value > ((uint64_t)INT64_MAX - digit) / 10) return false;
        value = value * 10 + digit;
    }
    *seed = value;
    return true;
}

static bool is_scenario_name(const char *name)
{
    size_t size = strlen(name);
    return size > 0 && size < 128 && *name != '.' && *name != '-' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
               size;
}

static bool is_seed(const struct option *option)
{
    return strcmp(option->name, "seed") == 0;
}

static void build_top(struct draft *d, const struct plan_request *request)
{
    struct builder *b = &d->b;
    struct plan *plan = d->plan;
    struct top_keys keys = {0};
    struct view seed = view_get(d->top, "seed"), name = view_get(d->top, "name"),
                duration = view_get(d->top, "duration"), nemesis = view_get(d->top, "nemesis");
    plan->seed = b->seed = 1;
    if (view_is(seed) && !seed_parse(seed.text, &plan->seed))
        report(b, seed,
               "'%s' must be a decimal number from 0 to 9223372036854775807, without sign, "
               "leading zeros or hex",
               seed.text);
    if (request->has_seed) plan->seed = request->seed;
    b->seed = plan->seed;
    resolve(b, "seed", arena_printf(b->arena, "%llu", (unsigned long long)plan->seed));
    fill_options(b, d->top, format_top.options, format_top.count, &keys, "", FILL_DEFAULTS,
                 is_seed);
    if (view_is(name) && !is_scenario_name(name.text))
        report(b, name, "'%s' is no name: letters, digits, - _ and . only", name.text);
    plan->name = keys.name;
    plan->about = keys.about;
    plan->source = keys.source;
    plan->duration_ns = keys.duration_ns;
    plan->ties = keys.ties == 1 ? TIES_SEEDED : TIES_FIFO;
    if (view_is(duration)) {
        struct builder quiet = *b; /* fill_options has reported it */
        struct error_list none = {0};
        quiet.errors = &none;
        if (!value_amount(&quiet, duration, &format_top.options[4], "duration", &d->duration))
            d->duration = (struct amount){0};
        errors_deinit(&none);
    }
    if (view_is(nemesis))
        errors_add(b->errors, tree_entry_find(d->top.node, "nemesis")->at, "nemesis",
                   "random faults are not available in this version: remove it");
    static const char *const required[] = {"cluster", "engine", "replication", NULL};
    for (uint32_t i = 0; required[i]; i++)
        if (!view_is(view_get(d->top, required[i])))
            report_missing(b, d->top, required[i], NULL);
}

static void build_end(struct draft *d)
{
    struct builder *b = &d->b;
    struct finish_keys finish = {0};
    fill_options(b, view_get(d->top, "finish"), format_finish.options, format_finish.count,
                 &finish, "finish", FILL_DEFAULTS, NULL);
    d->plan->finish = (struct world_finish){.heal = finish.heal == 0,
                                            .restart = finish.restart == 1,
                                            .quiesce_ns = finish.quiesce_ns,
                                            .read_all = finish.read_all == 1};
    struct limits_keys limits = {0};
    fill_options(b, view_get(d->top, "limits"), format_limits.options, format_limits.count,
                 &limits, "limits", FILL_DEFAULTS, NULL);
    d->plan->events_max = (uint64_t)limits.events;
    d->plan->wall_ms_max = limits.wall_ns / NS_PER_MS;
    d->plan->memory_max = (size_t)limits.memory_bytes;
}

/* ---- plug-ins and names that shape the rest ---- */

static const struct option *managers_row(const struct scheme_ops *scheme)
{
    for (size_t i = 0; scheme && scheme->manager && i < scheme->options_count; i++) {
        size_t size = strlen(scheme->options[i].name);
        if (scheme->options[i].type == OPTION_PLACES && size >= 11 &&
            strcmp(scheme->options[i].name + size - 11, "managers.at") == 0)
            return &scheme->options[i];
    }
    return NULL;
}

/* The file's nodes, before anything is judged: cluster.nodes may name them. */
static const char *const *node_names(struct arena *arena, const struct tree_node *root)
{
    const struct tree_node *regions = tree_get(tree_get(root, "cluster"), "regions");
    const char **names = NULL;
    uint32_t count = 0;
    for (int pass = 0;; pass++) {
        if (pass == 1) names = arena_alloc(arena, (count + 1) * sizeof *names);
        uint32_t n = 0;
        for (uint32_t i = 0; regions && regions->kind == TREE_LIST && i < regions->count; i++) {
            const struct tree_node *nodes = tree_get(regions->entries[i].value, "nodes");
            for (uint32_t k = 0; nodes && nodes->kind == TREE_LIST && k < nodes->count; k++) {
                const struct tree_node *node = nodes->entries[k].value;
                if (node->kind != TREE_TEXT || !*node->text) continue;
                if (pass == 1) names[n] = node->text;
                n++;
            }
        }
        count = n;
        if (pass == 1) return names;
    }
}

static struct format_choice choose(struct arena *arena, const struct tree_node *root)
{
    const char *engine = tree_get_text(tree_get(root, "engine"), "name"),
               *scheme = tree_get_text(tree_get(root, "replication"), "scheme");
    return (struct format_choice){.engine = engine ? engine_find(engine) : NULL,
                                  .scheme = scheme ? scheme_find(scheme) : NULL,
                                  .nodes = node_names(arena, root)};
}

/* ---- settings ---- */

struct settings_in {
    struct tree_node *root;
    const struct shape *shape;
    struct error_list *errors;
    struct arena *arena;
};

static void apply_text(struct settings_in *in, const struct setting *setting,
                       const char *option)
{
    char *origin = arena_printf(in->arena, "%s %s=%s", option, setting->path, setting->value);
    struct position at = {origin, 1, 1};
    const struct tree_node *value =
        tree_parse(in->arena, setting->value, strlen(setting->value), origin, in->errors);
    if (value)
        settings_apply(in->arena, in->root, in->shape, setting->path, at, "", value,
                       in->errors);
}

static void apply_settings(struct arena *arena, const struct scenario *scenario,
                           const struct plan_request *request, struct tree_node *root,
                           struct error_list *errors)
{
    const struct variant *variant = &scenario->variants[request->variant];
    bool own = !request->has_only && variant->set_count > 0;
    if (!own && !(request->has_only && request->only_count) && !request->sets_count) return;
    settings_prepare(arena, root);
    struct format_choice choice = choose(arena, root);
    struct settings_in in = {root, scenario_shape(arena, &choice), errors, arena};
    char *place = arena_printf(arena, "variants[%u].set", variant->number);
    for (uint32_t i = 0; own && i < variant->set_count; i++)
        settings_apply(arena, root, in.shape, variant->set[i].key, variant->set[i].at, place,
                       variant->set[i].value, errors);
    for (uint32_t i = 0; request->has_only && i < request->only_count; i++)
        apply_text(&in, &request->only[i], "setting");
    for (uint32_t i = 0; i < request->sets_count; i++)
        apply_text(&in, &request->sets[i], "--set");
}

static void note_settings(struct draft *d, const struct scenario *scenario,
                          const struct plan_request *request)
{
    const struct variant *variant = &scenario->variants[request->variant];
    const struct setting *first = request->has_only ? request->only : variant->settings;
    uint32_t first_count = request->has_only ? request->only_count : variant->settings_count,
             count = 0;
    struct setting *out =
        arena_alloc(d->b.arena, (first_count + request->sets_count + 1) * sizeof *out);
    for (uint32_t i = 0; i < first_count + request->sets_count; i++) {
        const struct setting *setting =
            i < first_count ? &first[i] : &request->sets[i - first_count];
        out[count++] = (struct setting){arena_strdup(d->b.arena, setting->path),
                                        arena_strdup(d->b.arena, setting->value)};
    }
    d->plan->settings = out;
    d->plan->settings_count = count;
    d->plan->sets_from_command = out + first_count;
    d->plan->sets_from_command_count = request->sets_count;
}

/* ---- the whole ---- */

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct setting *)a)->path, ((const struct setting *)b)->path);
}

static void build_all(struct draft *d, const struct plan_request *request)
{
    build_top(d, request);
    build_end(d);
    build_regions(d);
    build_places(d);
    build_cluster(d);
    build_network(d);
    build_engine(d);
    build_replication(d);
    build_directory(d);
    build_workloads(d);
    build_timeline(d);
    build_expectations(d);
    qsort(d->b.resolved, d->b.resolved_count, sizeof *d->b.resolved,
          by_path); /* paths are unique: the order does not depend on qsort */
    d->plan->resolved = d->b.resolved;
    d->plan->resolved_count = (uint32_t)d->b.resolved_count;
}

static void find_variant(struct draft *d, const struct variant *variant)
{
    struct view variants = view_get(d->top, "variants");
    for (uint32_t i = 0; i < variants.count; i++)
        if (variants.node->entries[i].number == variant->number)
            d->variant = view_at(variants, i);
    if (view_is(d->variant) && view_is(view_get(d->variant, "about")))
        d->plan->variant_about = arena_strdup(d->b.arena, view_get(d->variant, "about").text);
}

/* The other variants have been judged, and change nothing here: no need to type them again. */
static void drop_other_variants(struct tree_node *root, const struct variant *variant)
{
    struct tree_node *variants = tree_get(root, "variants");
    for (uint32_t i = variants && variants->kind == TREE_LIST ? variants->count : 0; i-- > 0;)
        if (variants->entries[i].number != variant->number) tree_remove(variants, i);
}

struct plan *plan_compile(const struct scenario *scenario, const struct plan_request *request,
                          bool whole, struct error_list *errors)
{
    CHECK(request->variant < scenario->variants_count);
    struct arena *arena = arena_create(), *scratch = arena_create();
    const struct variant *variant = &scenario->variants[request->variant];
    size_t before = errors->count;
    struct tree_node *root = tree_copy(scratch, scenario->root);
    if (!whole) drop_other_variants(root, variant);
    apply_settings(scratch, scenario, request, root, errors);

    struct format_choice choice = choose(scratch, root);
    struct shape *shape = scenario_shape(scratch, &choice);
    struct image *image = shape_settle(scratch, shape, root, "", errors)
                              ? image_load(scratch, shape, root, errors)
                              : NULL;
    struct plan *plan = arena_alloc(arena, sizeof *plan);
    if (image) {
        struct draft d = {.b = {.arena = arena, .errors = errors},
                          .scratch = scratch,
                          .plan = plan,
                          .top = image_view(image),
                          .engine = choice.engine,
                          .scheme = choice.scheme,
                          .managers = managers_row(choice.scheme)};
        plan->arena = arena;
        plan->path = arena_strdup(arena, scenario->path);
        plan->variant = arena_strdup(arena, variant->name);
        plan->scenario_hash = scenario->hash;
        find_variant(&d, variant);
        note_settings(&d, scenario, request);
        build_all(&d, request);
    }
    image_destroy(image);
    arena_destroy(scratch);
    if (errors->count == before) return plan;
    arena_destroy(arena);
    return NULL;
}

void plan_destroy(struct plan *plan)
{
    if (plan) arena_destroy(plan->arena);
}
