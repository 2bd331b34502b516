/* Settings: `replication.failover.quorum: majority` applied to the tree of a file, as a variant
 * or --set asks.
 *
 * A path goes down by keys; an entry of a list is found by its id or name
 * (`timeline.split.at`). What stands there in short form is written long on the way
 * (`cluster.disk.cache` under `disk: ssd_plp`), which is what the shape is for. Missing
 * mappings are made: whether the words exist is judged with the whole document afterwards, so a
 * setting and a file get the same messages. A null removes what it names.
 *
 * `for` may stand beside an action or among its keys; settings see it beside the action only,
 * so `timeline.split.for` and `timeline.split.partition.for` are one place.
 */
#include <string.h>

#include "sim/scenario/build.h"

/* Words that never change behaviour, and therefore are no settings. */
static const char *const not_settable[] = {"name",   "about",    "source",
                                           "expect", "variants", NULL};

void settings_prepare(struct arena *arena, struct tree_node *root)
{
    struct tree_node *timeline = tree_get(root, "timeline");
    for (uint32_t i = 0; timeline && timeline->kind == TREE_LIST && i < timeline->count; i++) {
        struct tree_node *entry = timeline->entries[i].value;
        for (uint32_t k = 0; entry->kind == TREE_MAP && k < entry->count; k++) {
            struct tree_node *keys = entry->entries[k].value;
            const struct tree_entry *inner = tree_entry_find(keys, "for");
            if (!inner || !action_find(entry->entries[k].key) || tree_entry_find(entry, "for"))
                continue; /* given twice: reported later */
            tree_append(arena, entry, "for", inner->at, inner->value);
            keys = entry->entries[k].value;
            tree_remove(keys, (uint32_t)(tree_entry_find(keys, "for") - keys->entries));
        }
    }
}

/* timeline.ID.ACTION.for is timeline.ID.for. */
static const char *canonical(struct arena *arena, const char *path)
{
    static const char timeline[] = "timeline.";
    if (strncmp(path, timeline, sizeof timeline - 1) != 0) return path;
    const char *id = path + sizeof timeline - 1, *action = strchr(id, '.'),
               *last = action ? strchr(action + 1, '.') : NULL;
    if (!last || strcmp(last, ".for") != 0) return path;
    const char *name = arena_printf(arena, "%.*s", (int)(last - action - 1), action + 1);
    return action_find(name) ? arena_printf(arena, "%.*s.for", (int)(action - path), path)
                             : path;
}

static const struct shape *descend(const struct shape *shape, const char *key)
{
    if (!shape || shape->kind != SHAPE_MAP) return NULL;
    const struct shape_field *field = shape_find(shape, key);
    return field ? field->shape : shape->any_key;
}

static void make_long(struct arena *arena, const struct shape *shape, struct tree_node *node)
{
    if (!shape || shape->kind != SHAPE_MAP || node->kind == TREE_MAP) return;
    if (!shape->short_key && !node->is_null) return;
    struct tree_node *inner = arena_alloc(arena, sizeof *inner);
    *inner = *node;
    *node = *tree_collection(arena, TREE_MAP, node->at);
    if (!inner->is_null) tree_append(arena, node, shape->short_key, node->at, inner);
}

/* The entry of a list that goes by that name, UINT32_MAX. */
static uint32_t find_entry(struct arena *arena, const struct tree_node *list, const char *name)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (strcmp(entry_id(arena, &list->entries[i]), name) == 0) return i;
    return UINT32_MAX;
}

static void report_entry(struct arena *arena, const struct tree_node *list,
                         const char *list_name, const char *name, struct position at,
                         const char *place, struct error_list *errors)
{
    const char **words = arena_alloc(arena, (list->count + 1) * sizeof *words);
    for (uint32_t i = 0; i < list->count; i++) words[i] = entry_id(arena, &list->entries[i]);
    const char *nearest = nearest_word(name, words);
    if (nearest)
        errors_add(errors, at, place, "'%s' has no entry '%s' (did you mean '%s'?)", list_name,
                   name, nearest);
    else
        errors_add(errors, at, place, "'%s' has no entry '%s': entries go by id or name",
                   list_name, name);
}

void settings_apply(struct arena *arena, struct tree_node *root, const struct shape *shape,
                    const char *path, struct position at, const char *place,
                    const struct tree_node *value, struct error_list *errors)
{
    path = canonical(arena, path);
    struct tree_node *node = root;
    const char *part = path, *walked = "the file";
    for (;;) {
        const char *dot = strchr(part, '.');
        char *key = dot ? arena_printf(arena, "%.*s", (int)(dot - part), part)
                        : arena_strdup(arena, part);
        if (!*key) {
            errors_add(errors, at, place,
                       "'%s' is no path: write words joined by dots, such as network.preset",
                       path);
            return;
        }
        for (uint32_t i = 0; node == root && not_settable[i]; i++)
            if (strcmp(key, not_settable[i]) == 0) {
                errors_add(errors, at, place, "'%s' changes no behaviour and cannot be set",
                           path);
                return;
            }
        make_long(arena, shape, node);
        if (node->kind == TREE_TEXT) {
            errors_add(errors, at, place, "'%s': '%s' is one value and has no '%s'", path,
                       walked, key);
            return;
        }
        uint32_t index = UINT32_MAX;
        if (node->kind == TREE_LIST) {
            index = find_entry(arena, node, key);
            if (index == UINT32_MAX) {
                report_entry(arena, node, walked, key, at, place, errors);
                return;
            }
            shape = shape && shape->kind == SHAPE_LIST ? shape->entry : NULL;
        } else {
            for (uint32_t i = 0; i < node->count; i++)
                if (strcmp(node->entries[i].key, key) == 0) index = i;
            shape = descend(shape, key);
        }
        if (!dot && value->is_null) {
            if (index == UINT32_MAX)
                errors_add(errors, at, place,
                           "'%s' is not in the file: null has nothing to remove", path);
            else
                tree_remove(node, index);
            return;
        }
        if (index == UINT32_MAX) {
            tree_append(arena, node, key, at, tree_collection(arena, TREE_MAP, at));
            index = node->count - 1;
        }
        if (!dot) {
            node->entries[index].value = tree_copy(arena, value);
            if (node->kind == TREE_MAP) node->entries[index].at = at;
            return;
        }
        walked = arena_printf(arena, "%.*s", (int)(dot - path), path);
        node = node->entries[index].value;
        part = dot + 1;
    }
}
