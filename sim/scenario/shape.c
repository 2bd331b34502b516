/* Shapes: judging a tree, and the libcyaml schema made from the same description.
 *
 * Normal form. libcyaml knows no unions, no lists of lists and no mapping with arbitrary keys,
 * so what a person may write short is first written long:
 *
 *     written                     normal form                          by
 *     disk: ssd_plp               {preset: ssd_plp}                    short_key
 *     latency: 1ms                {constant: 1ms}                      short_key
 *     groups: [[a, b], [c]]       [{members: [a, b]}, {members: [c]}]  short_key
 *     class: control              [control]                            single_ok
 *
 * Mappings whose keys are names of the file itself (cluster.nodes) get a field a name when the
 * shape is made. Only the values of variants.set are left to the tree (CYAML_IGNORE in the
 * schema): they stand for any place of the document, and are typed there.
 *
 * Then libcyaml types it: every mapping is an array of slots, 16 bytes a field {pointer,
 * count}; a scalar is a string, a list an array of pointers. Quantities are parsed from these
 * strings (values.c), never by libcyaml.
 *
 * Invariants. I1: after shape_settle, the tree fits the shape: libcyaml has nothing to refuse
 * (it reports only the first mistake, and with the place of the mapping; we want all, with
 * theirs). Should it refuse all the same, its words are reported and there is no plan. I2: a
 * slot is filled if and only if the tree holds the key.
 */
#include "sim/scenario/shape.h"

#include <cyaml/cyaml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/kernel/check.h"

#define NAMES_SHOWN 12u /* words named in an error */

/* ---- making shapes ---- */

struct shape *shape_text(struct arena *arena, const struct option *option)
{
    struct shape *shape = arena_alloc(arena, sizeof *shape);
    shape->kind = SHAPE_TEXT;
    shape->option = option;
    return shape;
}

struct shape *shape_list(struct arena *arena, struct shape *entry, bool single_ok)
{
    struct shape *shape = arena_alloc(arena, sizeof *shape);
    shape->kind = SHAPE_LIST;
    shape->entry = entry;
    shape->single_ok = single_ok;
    return shape;
}

struct shape *shape_map(struct arena *arena, const char *what)
{
    struct shape *shape = arena_alloc(arena, sizeof *shape);
    shape->kind = SHAPE_MAP;
    shape->what = what;
    return shape;
}

struct shape_field *shape_add(struct arena *arena, struct shape *map, const char *key,
                              struct shape *shape, const char *doc)
{
    if (map->count == map->capacity) {
        uint32_t capacity = map->capacity ? map->capacity * 2 : 8;
        struct shape_field *fields = arena_alloc(arena, capacity * sizeof *fields);
        if (map->count) memcpy(fields, map->fields, map->count * sizeof *fields);
        map->fields = fields;
        map->capacity = capacity;
    }
    struct shape_field *field = &map->fields[map->count++];
    *field = (struct shape_field){.key = key, .shape = shape, .doc = doc};
    return field;
}

const struct shape_field *shape_find(const struct shape *map, const char *key)
{
    for (uint32_t i = 0; i < map->count; i++)
        if (strcmp(map->fields[i].key, key) == 0) return &map->fields[i];
    return NULL;
}

static struct shape *shape_of_option(struct arena *arena, const struct option *option,
                                     struct shape *dist)
{
    struct shape *text = shape_text(arena, option);
    switch (option->type) {
    case OPTION_PLACES:
    case OPTION_NAMES:
    case OPTION_CLASSES: return shape_list(arena, text, true);
    case OPTION_GROUPS: {
        struct shape *group = shape_map(arena, NULL);
        group->short_key = "members";
        shape_add(arena, group, "members", shape_list(arena, text, true),
                  "who can talk with each other");
        return shape_list(arena, group, false);
    }
    case OPTION_DIST: return dist;
    default: return text;
    }
}

void shape_add_options(struct arena *arena, struct shape *map, const struct option *table,
                       size_t count, struct shape *dist)
{
    for (size_t i = 0; i < count; i++) {
        struct shape *owner = map;
        const char *name = table[i].name;
        for (const char *dot; (dot = strchr(name, '.')) != NULL; name = dot + 1) {
            char *part = arena_printf(arena, "%.*s", (int)(dot - name), name);
            const struct shape_field *found = shape_find(owner, part);
            owner = found ? found->shape
                          : shape_add(arena, owner, part, shape_map(arena, NULL), "")->shape;
        }
        struct shape_field *field = shape_add(
            arena, owner, name, shape_of_option(arena, &table[i], dist), table[i].doc);
        field->option = &table[i];
        field->value = table[i].value;
        field->required = !table[i].value && !(table[i].flags & OPTION_OPTIONAL);
        field->inert = (table[i].flags & OPTION_INERT) != 0;
    }
}

/* ---- judging ---- */

static char *place_of(struct arena *arena, const char *place, const char *key)
{
    return *place ? arena_printf(arena, "%s.%s", place, key) : arena_strdup(arena, key);
}

/* Returns the key that was probably meant, NULL when nobody knows. */
static const char *report_unknown(struct arena *arena, const struct shape *map,
                                  const struct tree_entry *entry, const char *place,
                                  struct error_list *errors)
{
    const char **words = arena_alloc(arena, (map->count + 1) * sizeof *words);
    for (uint32_t i = 0; i < map->count; i++) words[i] = map->fields[i].key;
    /* An entry of the timeline holds keys of its own and an action; a mapping was meant as the
     * latter. */
    const char *what = map->what ? map->what : "key";
    if (strcmp(what, "action") == 0 && entry->value->kind == TREE_TEXT &&
        !entry->value->is_null)
        what = "key";
    const char *nearest = nearest_word(entry->key, words);
    if (strcmp(what, "trigger") == 0 && strcmp(entry->key, "delay") == 0) {
        errors_add(errors, entry->at, place,
                   "'delay' stands beside 'when', not in it: when: {...}, delay: %s",
                   entry->value->kind == TREE_TEXT && !entry->value->is_null
                       ? entry->value->text
                       : "1s");
    } else if (nearest) {
        errors_add(errors, entry->at, place, "unknown %s '%s' (did you mean '%s'?)", what,
                   entry->key, nearest);
    } else if (map->count == 0) {
        errors_add(errors, entry->at, place, "unknown %s '%s': nothing is set here", what,
                   entry->key);
    } else {
        char *list = arena_strdup(arena, "");
        for (uint32_t i = 0; i < map->count && i < NAMES_SHOWN; i++)
            list = arena_printf(arena, "%s%s%s", list, i ? ", " : "", words[i]);
        if (map->count > NAMES_SHOWN)
            list = arena_printf(arena, "%s and %u more (scenarios/README.md)", list,
                                map->count - NAMES_SHOWN);
        errors_add(errors, entry->at, place, "unknown %s '%s': one of %s", what, entry->key,
                   list);
    }
    return nearest ? nearest : entry->value->kind == TREE_TEXT ? "" : NULL;
}

static struct tree_node *wrap(struct arena *arena, struct tree_node *node, enum tree_kind kind,
                              const char *key)
{
    struct tree_node *inner = arena_alloc(arena, sizeof *inner);
    *inner = *node;
    struct tree_node *outer = tree_collection(arena, kind, node->at);
    tree_append(arena, outer, key, node->at, inner);
    return outer;
}

static void settle_map(struct arena *arena, const struct shape *shape, struct tree_node *node,
                       const char *place, struct error_list *errors)
{
    for (uint32_t i = 0; i < node->count;) {
        struct tree_entry *entry = &node->entries[i];
        const struct shape_field *field = shape_find(shape, entry->key);
        const char *meant = entry->key;
        if (!field && !shape->open) meant = report_unknown(arena, shape, entry, place, errors);
        if (field && shape_settle(arena, field->shape, entry->value,
                                  place_of(arena, place, entry->key), errors))
            i++;
        else
            tree_drop(arena, node, i, meant);
    }
}

static void settle_list(struct arena *arena, const struct shape *shape, struct tree_node *node,
                        const char *place, struct error_list *errors)
{
    /* An entry that does not fit is taken out; the others keep their numbers for the messages.
     */
    uint32_t kept = 0;
    for (uint32_t i = 0; i < node->count; i++) {
        char *at = arena_printf(arena, "%s[%u]", place, node->entries[i].number);
        if (shape_settle(arena, shape->entry, node->entries[i].value, at, errors))
            node->entries[kept++] = node->entries[i];
    }
    node->count = kept;
}

bool shape_settle(struct arena *arena, const struct shape *shape, struct tree_node *node,
                  const char *place, struct error_list *errors)
{
    if (shape->kind == SHAPE_ANY) return true;
    if (node->is_null && !(shape->kind == SHAPE_MAP && shape->null_ok)) {
        errors_add(errors, node->at, place, "has no value: write one, or remove the key");
        return false;
    }
    switch (shape->kind) {
    case SHAPE_TEXT:
        if (node->kind == TREE_TEXT) return true;
        errors_add(errors, node->at, place, "must be one value, not %s",
                   tree_kind_words[node->kind]);
        return false;
    case SHAPE_LIST:
        if (node->kind != TREE_LIST && shape->single_ok &&
            (node->kind == TREE_TEXT || shape->entry->kind == SHAPE_MAP))
            *node = *wrap(arena, node, TREE_LIST, NULL);
        if (node->kind != TREE_LIST) {
            errors_add(errors, node->at, place, "must be a list, not %s",
                       tree_kind_words[node->kind]);
            return false;
        }
        settle_list(arena, shape, node, place, errors);
        return true;
    default:
        if (node->is_null) *node = *tree_collection(arena, TREE_MAP, node->at);
        if (node->kind != TREE_MAP && shape->short_key)
            *node = *wrap(arena, node, TREE_MAP, shape->short_key);
        if (node->kind != TREE_MAP) {
            errors_add(errors, node->at, place, "must be a mapping of keys, not %s",
                       tree_kind_words[node->kind]);
            return false;
        }
        settle_map(arena, shape, node, place, errors);
        return true;
    }
}

/* ---- the libcyaml schema ---- */

struct slot {
    void *data;
    uint64_t count;
};

static cyaml_schema_value_t schema_value(struct arena *arena, struct shape *shape);

static cyaml_schema_field_t *schema_fields(struct arena *arena, struct shape *map)
{
    if (map->cyaml_fields) return map->cyaml_fields;
    cyaml_schema_field_t *fields = arena_alloc(arena, (map->count + 1) * sizeof *fields);
    map->cyaml_fields = fields; /* before the descent: a mixture's parts are distributions */
    for (uint32_t i = 0; i < map->count; i++) {
        fields[i].key = map->fields[i].key;
        fields[i].data_offset =
            (uint32_t)(i * sizeof(struct slot) + offsetof(struct slot, data));
        fields[i].count_offset =
            (uint32_t)(i * sizeof(struct slot) + offsetof(struct slot, count));
        fields[i].count_size = sizeof(uint64_t);
        fields[i].value = schema_value(arena, map->fields[i].shape);
        fields[i].value.flags |= CYAML_FLAG_OPTIONAL; /* what is required is judged by who needs
                                                         it, with a better message */
    }
    return fields;
}

static cyaml_schema_value_t schema_value(struct arena *arena, struct shape *shape)
{
    cyaml_schema_value_t value = {.flags = CYAML_FLAG_POINTER};
    switch (shape->kind) {
    case SHAPE_TEXT:
        value.type = CYAML_STRING;
        value.data_size = sizeof(char);
        value.string.min = 0;
        value.string.max = CYAML_UNLIMITED;
        break;
    case SHAPE_MAP:
        value.type = CYAML_MAPPING;
        value.data_size = (uint32_t)((shape->count ? shape->count : 1) * sizeof(struct slot));
        value.mapping.fields = schema_fields(arena, shape);
        break;
    case SHAPE_LIST:
        value.type = CYAML_SEQUENCE;
        value.data_size = sizeof(void *);
        if (!shape->cyaml_entry) {
            cyaml_schema_value_t *entry = arena_alloc(arena, sizeof *entry);
            shape->cyaml_entry = entry;
            *entry = schema_value(arena, shape->entry);
        }
        value.sequence.entry = shape->cyaml_entry;
        value.sequence.min = 0;
        value.sequence.max = CYAML_UNLIMITED;
        break;
    case SHAPE_ANY:
        value.type = CYAML_IGNORE;
        value.flags = CYAML_FLAG_DEFAULT;
        break;
    }
    return value;
}

/* ---- the image ---- */

struct image {
    struct arena *arena;
    struct shape *shape;
    struct tree_node *node;
    cyaml_config_t config;
    cyaml_schema_value_t schema;
    cyaml_data_t *data;
    char words[256]; /* libcyaml's first complaint */
};

static void keep_words(cyaml_log_t level, void *context, const char *format, va_list args)
{
    struct image *image = context;
    if (level < CYAML_LOG_ERROR || image->words[0]) return;
    vsnprintf(image->words, sizeof image->words, format, args);
    image->words[strcspn(image->words, "\n")] = '\0';
}

struct image *image_load(struct arena *arena, struct shape *shape, struct tree_node *node,
                         struct error_list *errors)
{
    CHECK(shape->kind == SHAPE_MAP && node->kind == TREE_MAP);
    struct image *image = xcalloc(1, sizeof *image);
    image->arena = arena;
    image->shape = shape;
    image->node = node;
    image->config = (cyaml_config_t){.log_fn = keep_words,
                                     .log_ctx = image,
                                     .mem_fn = cyaml_mem,
                                     .log_level = CYAML_LOG_ERROR,
                                     .flags = CYAML_CFG_NO_ALIAS};
    image->schema = schema_value(arena, shape);
    const char *text = tree_write(arena, node, true);
    cyaml_err_t err = cyaml_load_data((const uint8_t *)text, strlen(text), &image->config,
                                      &image->schema, &image->data, NULL);
    if (err != CYAML_OK) {
        errors_add(errors, node->at, "", "libcyaml: %s (%s)", cyaml_strerror(err),
                   image->words);
        free(image);
        return NULL;
    }
    return image;
}

void image_destroy(struct image *image)
{
    if (!image) return;
    cyaml_free(&image->config, &image->schema, image->data, 0);
    free(image);
}

struct view image_view(const struct image *image)
{
    return (struct view){.shape = image->shape,
                         .node = image->node,
                         .data = image->data,
                         .path = "",
                         .arena = image->arena};
}

static struct view view_of(struct arena *arena, const struct shape *shape,
                           const struct tree_node *node, const void *data, uint64_t count,
                           const char *path)
{
    struct view view = {
        .shape = shape, .node = node, .data = data, .path = path, .arena = arena};
    if (shape->kind == SHAPE_TEXT) {
        CHECK(data != NULL); /* I2 */
        view.text = data;
    } else if (shape->kind == SHAPE_LIST) {
        CHECK(count == node->count);
        view.count = (uint32_t)count;
    }
    return view;
}

static struct view view_child(struct view map, const char *key)
{
    const struct tree_node *node = tree_get(map.node, key);
    if (!node || !map.data) return (struct view){.path = "", .arena = map.arena};
    for (uint32_t i = 0; i < map.shape->count; i++) {
        if (strcmp(map.shape->fields[i].key, key) != 0) continue;
        const struct slot *slot = (const struct slot *)map.data + i;
        const char *path = *map.path ? arena_printf(map.arena, "%s.%s", map.path, key)
                                     : arena_strdup(map.arena, key);
        return view_of(map.arena, map.shape->fields[i].shape, node, slot->data, slot->count,
                       path);
    }
    return (struct view){.path = "", .arena = map.arena};
}

struct view view_get(struct view map, const char *key)
{
    for (const char *dot; view_is(map) && (dot = strchr(key, '.')) != NULL; key = dot + 1) {
        char part[64];
        snprintf(part, sizeof part, "%.*s", (int)(dot - key), key);
        map = view_child(map, part);
    }
    return view_is(map) ? view_child(map, key) : map;
}

struct view view_at(struct view list, uint32_t index)
{
    CHECK(index < list.count);
    const void *const *entries = list.data;
    const struct tree_entry *entry = &list.node->entries[index];
    return view_of(list.arena, list.shape->entry, entry->value, entries[index], 0,
                   arena_printf(list.arena, "%s[%u]", list.path, entry->number));
}
