/* The JSON Schema (draft 7) of a scenario file, from the same shape that judges it:
 * descriptions, words, bounds and the syntax of quantities, so that an editor completes keys
 * and marks mistakes. It cannot say everything (whether a node exists, whether shares sum to
 * 100 %): `faultline validate` does.
 *
 * An editor reads plain `10` as a number and, by YAML 1.1, `yes` as true; the loader reads
 * text. So numbers are allowed where text of digits is meant, and booleans where yes and no
 * are.
 */
#include <jansson.h>
#include <string.h>

#include "sim/scenario/vocabulary.h"

struct schema {
    struct arena *arena;
    const struct shape *dist, *part, *expect; /* shapes that are written once and referred to */
    const struct shape *defining;             /* the one that is being written */
};

static json_t *schema_of(struct schema *schema, const struct shape *shape);

static json_t *reference(const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "#/definitions/%s", name);
    return json_pack("{s:s}", "$ref", path);
}

static json_t *any_of(json_t *a, json_t *b)
{
    return json_pack("{s:[o,o]}", "anyOf", a, b);
}

/* ---- values ---- */

static json_t *quantity(struct schema *schema, const char *units, const char *sign,
                        const char *word)
{
    const char *one =
        arena_printf(schema->arena, "%s(0|[1-9][0-9]*)([.][0-9]+)?(%s)", sign, units);
    const char *pattern =
        *word ? arena_printf(schema->arena, "^(%s([.][.]%s)?|%s)$", one, one, word)
              : arena_printf(schema->arena, "^%s([.][.]%s)?$", one, one);
    return json_pack("{s:s,s:s}", "type", "string", "pattern", pattern);
}

/* Each power of two in bytes and in the largest unit that is exact: 8192B, 8KiB. */
static json_t *power_of_two(struct schema *schema, const struct option *option)
{
    const char *list = "";
    for (int64_t power = option->low; power <= option->high; power *= 2) {
        const char *text = quantity_text_of(schema->arena, option->type, power);
        list = arena_printf(schema->arena, "%s%s%s", list, *list ? "|" : "", text);
        if (power >= 1024)
            list = arena_printf(schema->arena, "%s|%lldB", list, (long long)power);
    }
    const char *pattern = arena_printf(schema->arena, "^(%s)([.][.](%s))?$", list, list);
    return json_pack("{s:s,s:s}", "type", "string", "pattern", pattern);
}

static json_t *integer(const struct option *option)
{
    json_t *number = json_pack("{s:s}", "type", "integer");
    if (option->low || option->high)
        json_object_set_new(number, "minimum", json_integer(option->low));
    if (option->high) json_object_set_new(number, "maximum", json_integer(option->high));
    return any_of(number, json_pack("{s:s,s:s}", "type", "string", "pattern",
                                    "^-?[0-9]+([.][.]-?[0-9]+)?$"));
}

static json_t *words(const char *const *list, bool booleans)
{
    json_t *array = json_array();
    for (uint32_t i = 0; list && list[i]; i++)
        json_array_append_new(array, json_string(list[i]));
    if (booleans) {
        json_array_append_new(array, json_true());
        json_array_append_new(array, json_false());
    }
    return json_pack("{s:o}", "enum", array);
}

static json_t *free_text(void)
{
    return json_pack("{s:[s,s,s]}", "type", "string", "number", "boolean");
}

static json_t *text_of(struct schema *schema, const struct shape *shape)
{
    static const char *const yes_no[] = {"yes", "no", NULL};
    const struct option *option = shape->option;
    if (!option) {
        if (!shape->pattern) return free_text();
        return json_pack("{s:[s,s],s:s}", "type", "string", "number", "pattern",
                         shape->pattern);
    }
    if (option->flags & OPTION_POWER_OF_TWO) return power_of_two(schema, option);
    const char *sign = option->low < -1 ? "-?" : "";
    switch (option->type) {
    case OPTION_INT: return integer(option);
    case OPTION_SIZE: return quantity(schema, "B|kB|MB|GB|KiB|MiB|GiB", sign, "");
    case OPTION_DURATION:
        return quantity(schema, "ns|us|ms|s|m|h", sign, option->low == -1 ? "never" : "");
    case OPTION_RATE: return quantity(schema, "/s|/m|/h", sign, "");
    case OPTION_BANDWIDTH:
        return quantity(schema,
                        "B/s|kB/s|MB/s|GB/s|KiB/s|MiB/s|GiB/s|bit/s|kbit/s|Mbit/s|Gbit/s", sign,
                        "unlimited");
    case OPTION_FRACTION: return quantity(schema, "%|ppm", sign, "");
    case OPTION_FACTOR: return quantity(schema, "x", sign, "");
    case OPTION_WORD: return words(option->words, false);
    case OPTION_YESNO: return words(yes_no, true);
    case OPTION_CLASSES: {
        json_t *classes = words(message_class_words, false);
        json_array_append_new(json_object_get(classes, "enum"), json_string("all"));
        return classes;
    }
    default:
        if (strcmp(option->name, "seed") == 0)
            return json_pack("{s:[s,s],s:i,s:s}", "type", "integer", "string", "minimum", 0,
                             "pattern", "^(0|[1-9][0-9]*)$");
        return free_text();
    }
}

/* ---- mappings ---- */

static json_t *described(json_t *value, const struct shape_field *field)
{
    const char *doc = field->doc && *field->doc ? field->doc : NULL;
    if (!doc && !field->value) return value;
    if (json_object_get(value, "$ref"))
        value =
            json_pack("{s:[o]}", "allOf", value); /* draft 7 ignores what stands beside $ref */
    if (doc) json_object_set_new(value, "description", json_string(doc));
    if (field->value) json_object_set_new(value, "default", json_string(field->value));
    return value;
}

static json_t *map_of(struct schema *schema, const struct shape *map)
{
    json_t *properties = json_object(), *required = json_array();
    for (uint32_t i = 0; i < map->count; i++) {
        const struct shape_field *field = &map->fields[i];
        if (strcmp(field->key, "nemesis") == 0)
            continue; /* not available: an editor need not offer it */
        json_object_set_new(properties, field->key,
                            described(schema_of(schema, field->shape), field));
        if (field->required) json_array_append_new(required, json_string(field->key));
    }
    json_t *out = json_pack("{s:s,s:o}", "type", "object", "properties", properties);
    if (map->null_ok) json_object_set_new(out, "type", json_pack("[s,s]", "object", "null"));
    json_object_set_new(out, "additionalProperties",
                        map->any_key ? schema_of(schema, map->any_key) : json_false());
    if (json_array_size(required))
        json_object_set_new(out, "required", required);
    else
        json_decref(required);
    return out;
}

/* One action, and either `at` or `when`. */
static void restrict_entry(json_t *entry)
{
    json_t *actions = json_array();
    for (const struct action *action = action_table; action->name; action++)
        json_array_append_new(actions, json_pack("{s:[s]}", "required", action->name));
    json_object_set_new(entry, "allOf",
                        json_pack("[{s:o},{s:[{s:[s]},{s:[s]}]}]", "oneOf", actions, "oneOf",
                                  "required", "at", "required", "when"));
}

static json_t *schema_of(struct schema *schema, const struct shape *shape)
{
    if (shape != schema->defining) {
        if (shape == schema->dist) return reference("distribution");
        if (shape == schema->part) return reference("part");
        if (shape == schema->expect) return reference("expect");
    }
    schema->defining = NULL;
    switch (shape->kind) {
    case SHAPE_TEXT: return text_of(schema, shape);
    case SHAPE_LIST: {
        json_t *entry = schema_of(schema, shape->entry),
               *list = json_pack("{s:s,s:O}", "type", "array", "items", entry);
        if (!shape->single_ok) {
            json_decref(entry);
            return list;
        }
        return any_of(entry, list);
    }
    case SHAPE_MAP: {
        json_t *map = map_of(schema, shape);
        if (shape->what && strcmp(shape->what, "action") == 0) restrict_entry(map);
        if (!shape->short_key) return map;
        const struct shape_field *field = shape_find(shape, shape->short_key);
        return any_of(schema_of(schema, field->shape), map);
    }
    case SHAPE_ANY: break;
    }
    return json_pack("{s:s}", "type", "object");
}

/* ---- plug-ins: one alternative each ---- */

static json_t *alternative(struct schema *schema, const char *owner, const char *word_key,
                           const char *name, const char *doc,
                           const struct format_choice *choice)
{
    const struct shape *top = scenario_shape(schema->arena, choice);
    struct schema own = {.arena = schema->arena,
                         .dist =
                             shape_find(shape_find(top, "network")->shape, "latency")->shape};
    json_t *map = map_of(&own, shape_find(top, owner)->shape);
    json_object_set_new(json_object_get(map, "properties"), word_key,
                        json_pack("{s:s,s:s}", "const", name, "description", doc));
    json_object_set_new(map, "title", json_string(name));
    return map;
}

static json_t *define(struct schema *schema, const struct shape *shape)
{
    schema->defining = shape;
    return schema_of(schema, shape);
}

void vocabulary_schema(FILE *out)
{
    struct schema schema = {.arena = arena_create()};
    const struct shape *top = scenario_shape(schema.arena, &(struct format_choice){0});
    schema.dist = shape_find(shape_find(top, "network")->shape, "latency")->shape;
    schema.part = shape_find(schema.dist, "mixture")->shape->entry;
    schema.expect = shape_find(top, "expect")->shape;
    json_t *root =
        json_pack("{s:s,s:s,s:s}", "$schema", "http://json-schema.org/draft-07/schema#",
                  "title", "Faultline scenario", "description",
                  "A cluster, its workloads, faults in time, and what must follow. Reference: "
                  "scenarios/README.md");
    json_t *map = map_of(&schema, top), *properties = json_object_get(map, "properties"),
           *engines = json_array(), *schemes = json_array();
    for (uint32_t i = 0; engine_registry[i]; i++)
        json_array_append_new(
            engines, alternative(&schema, "engine", "name", engine_registry[i]->name,
                                 engine_registry[i]->doc,
                                 &(struct format_choice){.engine = engine_registry[i]}));
    for (uint32_t i = 0; scheme_registry[i]; i++)
        json_array_append_new(
            schemes, alternative(&schema, "replication", "scheme", scheme_registry[i]->name,
                                 scheme_registry[i]->doc,
                                 &(struct format_choice){.scheme = scheme_registry[i]}));
    json_object_set_new(properties, "engine",
                        json_pack("{s:o,s:s}", "anyOf", engines, "description",
                                  "The storage engine and its options."));
    json_object_set_new(properties, "replication",
                        json_pack("{s:o,s:s}", "anyOf", schemes, "description",
                                  "The replication scheme and its options."));
    json_object_update(root, map);
    json_decref(map);
    json_object_set_new(root, "definitions",
                        json_pack("{s:o,s:o,s:o}", "distribution", define(&schema, schema.dist),
                                  "part", define(&schema, schema.part), "expect",
                                  define(&schema, schema.expect)));
    json_dumpf(root, out, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
    fputc('\n', out);
    json_decref(root);
    arena_destroy(schema.arena);
}
