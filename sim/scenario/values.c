/* Text to values.
 *
 * A quantity is text, a unit included, parsed by quantity_parse (engines/options.c): no signs
 * where none may be, no leading zeros, no hex, no exponent, no overflow. A range `a..b` is
 * drawn once a seed from the stream (seed, "plan", name of the knob), so that a draw more in
 * one knob never shifts another; bounds are judged at both ends, so that a file which loads
 * under one seed loads under all.
 */
#include "sim/scenario/values.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sim/kernel/check.h"

#define NAMES_SHOWN 20u /* words listed in an error */

/* ---- messages ---- */

static const char *list_words(struct arena *arena, const char *const *words)
{
    uint32_t count = 0;
    while (words[count]) count++;
    char *list = arena_strdup(arena, "");
    for (uint32_t i = 0; i < count && i < NAMES_SHOWN; i++)
        list = arena_printf(arena, "%s%s%s", list, i ? ", " : "", words[i]);
    return count > NAMES_SHOWN
               ? arena_printf(arena, "%s and %u more", list, count - NAMES_SHOWN)
               : list;
}

const char *word_refusal(struct arena *arena, const char *what, const char *word,
                         const char *const *words)
{
    const char *nearest = nearest_word(word, words);
    if (nearest)
        return arena_printf(arena, "unknown %s '%s' (did you mean '%s'?)", what, word, nearest);
    if (!words[0]) return arena_printf(arena, "unknown %s '%s': there is none", what, word);
    return arena_printf(arena, "unknown %s '%s': one of %s", what, word,
                        list_words(arena, words));
}

void report_word(struct builder *b, struct view view, const char *what, const char *word,
                 const char *const *words)
{
    report(b, view, "%s", word_refusal(b->arena, what, word, words));
}

void report_missing(struct builder *b, struct view map, const char *key, const char *example)
{
    /* A dotted key is missing where its mapping ends. */
    for (const char *dot; (dot = strchr(key, '.')) != NULL; key = dot + 1) {
        char part[64];
        snprintf(part, sizeof part, "%.*s", (int)(dot - key), key);
        struct view inner = view_get(map, part);
        if (!view_is(inner)) break;
        map = inner;
    }
    char first[64];
    snprintf(first, sizeof first, "%.*s", (int)strcspn(key, "."), key);
    if (!view_is(map) || !tree_misses(map.node, first)) return;
    const struct shape_field *field =
        map.shape && map.shape->kind == SHAPE_MAP ? shape_find(map.shape, first) : NULL;
    if (example)
        report(b, map, "needs '%s', such as %s", key, example);
    else if (field && field->doc && *field->doc)
        report(b, map, "needs '%s': %s", key, field->doc);
    else
        report(b, map, "needs '%s'", key);
}

void resolve(struct builder *b, const char *name, const char *text)
{
    if (b->resolved_count == b->resolved_capacity) {
        size_t capacity = b->resolved_capacity ? b->resolved_capacity * 2 : 64;
        struct setting *items = arena_alloc(b->arena, capacity * sizeof *items);
        if (b->resolved_count) memcpy(items, b->resolved, b->resolved_count * sizeof *items);
        b->resolved = items;
        b->resolved_capacity = capacity;
    }
    b->resolved[b->resolved_count++] = (struct setting){name, text};
}

/* ---- quantities ---- */

struct unit {
    const char *name;
    int64_t size;
};

static const char *with_unit(struct arena *arena, int64_t value, const struct unit *units)
{
    for (; units->name; units++)
        if (value % units->size == 0)
            return arena_printf(arena, "%lld%s", (long long)(value / units->size), units->name);
    CHECK(!"the last unit divides everything");
    return NULL;
}

/* value / 1e6 without trailing zeros. */
const char *value_millionths(struct arena *arena, int64_t value, const char *unit)
{
    char digits[16];
    snprintf(digits, sizeof digits, "%06lld", (long long)(value % 1000000));
    size_t size = 6;
    while (size > 0 && digits[size - 1] == '0') size--;
    if (size == 0) return arena_printf(arena, "%lld%s", (long long)(value / 1000000), unit);
    return arena_printf(arena, "%lld.%.*s%s", (long long)(value / 1000000), (int)size, digits,
                        unit);
}

const char *quantity_text_of(struct arena *arena, enum option_type type, int64_t value)
{
    static const struct unit sizes[] = {
        {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {0}};
    static const struct unit durations[] = {
        {"h", 3600 * NS_PER_S}, {"s", NS_PER_S}, {"ms", NS_PER_MS},
        {"us", NS_PER_US},      {"ns", 1},       {0}};
    static const struct unit bandwidths[] = {
        {"GB/s", 1000000000}, {"MB/s", 1000000}, {"kB/s", 1000}, {"B/s", 1}, {0}};
    switch (type) {
    case OPTION_SIZE: return value ? with_unit(arena, value, sizes) : "0B";
    case OPTION_DURATION: return value == 0 ? "0s" : with_unit(arena, value, durations);
    case OPTION_RATE: return value_millionths(arena, value, "/s");
    case OPTION_BANDWIDTH: return value ? with_unit(arena, value, bandwidths) : "unlimited";
    case OPTION_FRACTION:
        return value % 10000 == 0 ? arena_printf(arena, "%lld%%", (long long)(value / 10000))
                                  : arena_printf(arena, "%lldppm", (long long)value);
    case OPTION_FACTOR: return value_millionths(arena, value, "x");
    default: return arena_printf(arena, "%lld", (long long)value);
    }
}

static const char *never_or(struct arena *arena, const struct option *option, int64_t value)
{
    return option->type == OPTION_DURATION && value == -1 && option->low <= -1
               ? "never"
               : quantity_text_of(arena, option->type, value);
}

static const char *bounds_refusal(struct arena *arena, const struct option *option,
                                  int64_t value, const char *text)
{
    bool is_inside = (option->low == 0 && option->high == 0) ||
                     (value >= option->low && (option->high == 0 || value <= option->high));
    if (!is_inside && option->high == 0)
        return arena_printf(arena, "'%s' is below %s", text,
                            never_or(arena, option, option->low));
    if (!is_inside)
        return arena_printf(
            arena, "'%s' is out of range: %s to %s", text,
            quantity_text_of(arena, option->type, option->low == -1 ? 0 : option->low),
            quantity_text_of(arena, option->type, option->high));
    if (option_power_fits(option, value)) return NULL;
    return arena_printf(
        arena, "'%s' is not a power of two (the nearest is %s)", text,
        quantity_text_of(arena, option->type, option_power_near(option, value)));
}

const char *quantity_why(const char *text, const char *why)
{
    const char *p = text + (*text == '-');
    if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) return "must be decimal, not hex";
    while ((*p >= '0' && *p <= '9') || *p == '.') p++;
    if (p > text && (*p == 'e' || *p == 'E') &&
        (p[1] == '+' || p[1] == '-' || (p[1] >= '0' && p[1] <= '9')))
        return "must be written out, without exponent";
    if (p > text && *p == ' ' && p[1]) return "must have no space between number and unit";
    return why;
}

/* NULL, or why the text is no value of the option; *out is untouched then. */
static const char *quantity_refusal(struct arena *arena, const struct option *option,
                                    const char *text, int64_t *out)
{
    const char *why = "";
    int64_t value;
    if (quantity_parse(option->type, text, &value, &why) != 0)
        return arena_printf(arena, "'%s' %s", text, quantity_why(text, why));
    bool never = option->type == OPTION_DURATION && strcmp(text, "never") == 0;
    if (never && option->low > -1) return "'never' is not possible here: write a time";
    if (!never && value < 0 &&
        (option->low >= 0 || (option->type == OPTION_DURATION && option->low == -1)))
        return arena_printf(arena, "'%s' must not be negative", text);
    const char *refusal = bounds_refusal(arena, option, value, text);
    if (!refusal) *out = value;
    return refusal;
}

bool value_parse(struct builder *b, struct view view, const struct option *option,
                 const char *text, int64_t *out)
{
    const char *refusal = quantity_refusal(b->arena, option, text, out);
    if (refusal) report(b, view, "%s", refusal);
    return !refusal;
}

/* Drawn between the ends, or among the powers of two between them. */
static int64_t draw(struct rng *rng, const struct option *option, const struct amount *amount)
{
    if (!(option->flags & OPTION_POWER_OF_TWO))
        return rng_range(rng, amount->low, amount->high);
    int64_t powers = 0;
    for (int64_t power = amount->low; power < amount->high; power *= 2) powers++;
    return amount->low << rng_range(rng, 0, powers);
}

bool value_amount(struct builder *b, struct view view, const struct option *option,
                  const char *name, struct amount *out)
{
    const char *dots = strstr(view.text, "..");
    struct amount amount;
    if (!dots) {
        if (!value_parse(b, view, option, view.text, &amount.value)) return false;
        amount.low = amount.high = amount.value;
    } else {
        const char *low = arena_printf(b->arena, "%.*s", (int)(dots - view.text), view.text),
                   *high = dots + 2;
        bool good = value_parse(b, view, option, low, &amount.low);
        good = value_parse(b, view, option, high, &amount.high) && good;
        if (!good) return false;
        if (amount.low > amount.high) {
            report(b, view, "range '%s' is reversed: write %s..%s", view.text, high, low);
            return false;
        }
        struct rng rng;
        rng_init(&rng, b->seed, "plan", name, NULL);
        amount.value = draw(&rng, option, &amount);
    }
    *out = amount;
    return true;
}

/* ---- words ---- */

static bool is_yaml_boolean(const char *text)
{
    static const char *const words[] = {"on",   "off",   "true", "false", "On",   "Off",
                                        "True", "False", "ON",   "OFF",   "TRUE", "FALSE",
                                        "y",    "n",     "Y",    "N",     NULL};
    for (uint32_t i = 0; words[i]; i++)
        if (strcmp(text, words[i]) == 0) return true;
    return false;
}

int32_t value_word(struct builder *b, struct view view, const char *const *words,
                   const char *what)
{
    for (int32_t i = 0; words[i]; i++)
        if (strcmp(words[i], view.text) == 0) return i;
    if (is_yaml_boolean(view.text))
        report(b, view, "'%s' is a boolean to other YAML tools: one of %s", view.text,
               list_words(b->arena, words));
    else
        report_word(b, view, what, view.text, words);
    return -1;
}

const char *option_take(struct arena *arena, const struct option *option, const char *text,
                        void *field)
{
    static const char *const yes_no[] = {"no", "yes", NULL};
    const char *const *words = option->type == OPTION_WORD    ? option->words
                               : option->type == OPTION_YESNO ? yes_no
                                                              : NULL;
    const char *refusal = NULL, *why = "is refused";
    int64_t value;
    if (option->type <= OPTION_FACTOR) refusal = quantity_refusal(arena, option, text, &value);
    if (refusal || option_set(option, text, field, &why) == 0) return refusal;
    return words ? word_refusal(arena, "word", text, words)
                 : arena_printf(arena, "'%s' %s", text, why);
}

/* ---- places ---- */

static int32_t find_place(const struct builder *b, const char *name, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(b->places[i].name, name) == 0) return (int32_t)i;
    return -1;
}

static uint32_t find_region(const struct builder *b, const char *name)
{
    for (uint32_t i = 0; i < b->regions_count; i++)
        if (strcmp(b->regions[i], name) == 0) return i;
    return UINT32_MAX;
}

/* Names of the first `count` places, then `leader` and the regions if asked for. */
static const char *const *place_words(struct builder *b, uint32_t count, bool leader_ok,
                                      bool regions)
{
    const char **words = arena_alloc(b->arena, (count + b->regions_count + 2) * sizeof *words);
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) words[n++] = b->places[i].name;
    if (leader_ok) words[n++] = "leader";
    for (uint32_t i = 0; regions && i < b->regions_count; i++) words[n++] = b->regions[i];
    return words;
}

uint32_t value_region(struct builder *b, struct view view)
{
    uint32_t region = find_region(b, view.text);
    if (region != UINT32_MAX) return region;
    const char **words = arena_alloc(b->arena, (b->regions_count + 1) * sizeof *words);
    for (uint32_t i = 0; i < b->regions_count; i++) words[i] = b->regions[i];
    report_word(b, view, "region", view.text, words);
    return UINT32_MAX;
}

int32_t value_node(struct builder *b, struct view view, bool leader_ok)
{
    int32_t node = find_place(b, view.text, b->nodes_count);
    if (node >= 0) return node;
    if (leader_ok && strcmp(view.text, "leader") == 0) return -2;
    report_word(b, view, "node", view.text, place_words(b, b->nodes_count, leader_ok, false));
    return -1;
}

static void set_add(struct builder *b, struct place_set *set, int32_t item)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (set->items[i] == item) return;
    if (set->count == set->capacity) {
        uint32_t capacity = set->capacity ? set->capacity * 2 : 8;
        int32_t *items = arena_alloc(b->arena, capacity * sizeof *items);
        if (set->count) memcpy(items, set->items, set->count * sizeof *items);
        set->items = items;
        set->capacity = capacity;
    }
    set->items[set->count++] = item;
}

bool value_places(struct builder *b, struct view view, const char *what, bool leader_ok,
                  struct place_set *out)
{
    int32_t place = find_place(b, view.text, b->places_count);
    if (place >= 0) {
        set_add(b, out, place);
        return true;
    }
    if (leader_ok && strcmp(view.text, "leader") == 0) {
        set_add(b, out, -2);
        return true;
    }
    for (uint32_t i = 0; i < b->absent_count; i++)
        if (strcmp(b->absent[i], view.text) == 0) return true;
    uint32_t region = find_region(b, view.text);
    if (region == UINT32_MAX) {
        report_word(b, view, what, view.text, place_words(b, b->places_count, leader_ok, true));
        return false;
    }
    for (uint32_t i = 0; i < b->places_count; i++)
        if (b->places[i].region == region) set_add(b, out, (int32_t)i);
    return true;
}

static struct option_list list_of(const struct place_set *set)
{
    return (struct option_list){set->items, set->count};
}

static struct option_list fill_places(struct builder *b, struct view list, bool leader_ok)
{
    struct place_set set = {0};
    for (uint32_t i = 0; i < list.count; i++)
        value_places(b, view_at(list, i), "place", leader_ok, &set);
    return list_of(&set);
}

static struct option_list fill_groups(struct builder *b, struct view list, bool leader_ok)
{
    if (list.count < 2) report(b, list, "needs at least two groups, such as [[a, b], [c]]");
    struct option_list *groups = arena_alloc(b->arena, (list.count + 1) * sizeof *groups);
    const char **owner =
        arena_alloc(b->arena, (b->places_count + 1) *
                                  sizeof *owner); /* by place + 1: the leader comes first */
    for (uint32_t i = 0; i < list.count; i++) {
        struct view members = view_get(view_at(list, i), "members");
        groups[i] =
            view_is(members) ? fill_places(b, members, leader_ok) : (struct option_list){0};
        if (!view_is(members) || members.count == 0) {
            report(b, view_at(list, i), "an empty group cuts nobody off");
            continue;
        }
        const int32_t *items = groups[i].items;
        for (uint32_t k = 0; k < groups[i].count; k++) {
            uint32_t slot = items[k] < 0 ? b->places_count : (uint32_t)items[k];
            const char *name = items[k] < 0 ? "leader" : b->places[items[k]].name;
            if (owner[slot])
                report(b, members, "'%s' is in two groups (also in %s)", name, owner[slot]);
            else
                owner[slot] = view_at(list, i).path;
        }
    }
    return (struct option_list){groups, list.count};
}

static uint32_t fill_classes(struct builder *b, struct view list)
{
    uint32_t set = 0;
    const char **words = arena_alloc(b->arena, (MESSAGE_CLASSES + 2) * sizeof *words);
    for (uint32_t i = 0; i < MESSAGE_CLASSES; i++) words[i] = message_class_words[i];
    words[MESSAGE_CLASSES] = "all";
    for (uint32_t i = 0; i < list.count; i++) {
        int32_t word = value_word(b, view_at(list, i), words, "message class");
        if (word >= 0)
            set |= word == MESSAGE_CLASSES ? (1u << MESSAGE_CLASSES) - 1 : 1u << word;
    }
    if (list.count == 0) report(b, list, "is empty: name a message class, or all");
    return set;
}

/* ---- option structs ---- */

static const char *names_text(struct builder *b, const struct tree_node *node,
                              const char *otherwise)
{
    return node ? tree_write(b->arena, node, false) : otherwise;
}

/* Lists as a person would write them, without the normal form's wrapping. */
static const char *groups_text(struct builder *b, struct view list)
{
    char *text = arena_strdup(b->arena, "[");
    for (uint32_t i = 0; i < list.count; i++)
        text = arena_printf(b->arena, "%s%s%s", text, i ? ", " : "",
                            names_text(b, view_get(view_at(list, i), "members").node, "[]"));
    return arena_printf(b->arena, "%s]", text);
}

static void fill_absent(struct builder *b, struct view map, const struct option *option,
                        void *field, const char *name, enum fill_mode mode)
{
    static const uint32_t all_classes = (1u << MESSAGE_CLASSES) - 1;
    if (option->type == OPTION_CLASSES) {
        memcpy(field, &all_classes, sizeof all_classes);
        resolve(b, name, "all");
        return;
    }
    if (mode == FILL_DEFAULTS && !option->value) {
        static const int32_t none = -1;
        if (option->type == OPTION_NODE || option->type == OPTION_PLACE)
            memcpy(field, &none, sizeof none);
        if (!(option->flags & OPTION_OPTIONAL) && view_is(map))
            report_missing(b, map, option->name, NULL);
        return;
    }
    if (mode == FILL_KEEP) {
        int64_t value;
        int32_t word;
        if (option->type == OPTION_DIST) {
            resolve(b, name, dist_text_of(b->arena, field));
        } else if (option->type == OPTION_WORD) {
            memcpy(&word, field, sizeof word);
            resolve(b, name, option->words[word]);
        } else {
            memcpy(&value, field, sizeof value);
            resolve(b, name, never_or(b->arena, option, value));
        }
        return;
    }
    /* A default that does not parse is a bug of its table: options_default's contract test
     * finds it. */
    int64_t value = 0;
    const char *why;
    switch (option->type) {
    case OPTION_STRING: memcpy(field, &option->value, sizeof option->value); break;
    case OPTION_YESNO:
    case OPTION_WORD: {
        static const char *const yes_no[] = {"no", "yes", NULL};
        const char *const *words = option->type == OPTION_WORD ? option->words : yes_no;
        int32_t index = 0;
        while (words[index] && strcmp(words[index], option->value) != 0) index++;
        CHECK(words[index] != NULL);
        memcpy(field, &index, sizeof index);
        break;
    }
    case OPTION_DIST: {
        CHECK(quantity_parse(OPTION_DURATION, option->value, &value, &why) == 0);
        struct dist dist = {.kind = DIST_CONSTANT, .a = value};
        memcpy(field, &dist, sizeof dist);
        break;
    }
    case OPTION_NODE:
    case OPTION_PLACE: {
        int32_t place =
            option->flags & OPTION_LEADER && strcmp(option->value, "leader") == 0 ? -2 : -1;
        memcpy(field, &place, sizeof place);
        break;
    }
    case OPTION_PLACES:
    case OPTION_GROUPS:
    case OPTION_NAMES:
    case OPTION_CLASSES: break;
    default:
        CHECK(quantity_parse(option->type, option->value, &value, &why) == 0);
        memcpy(field, &value, sizeof value);
        break;
    }
    resolve(b, name, option->value);
}

static void fill_present(struct builder *b, struct view view, const struct option *option,
                         void *field, const char *name)
{
    static const char *const yes_no[] = {"no", "yes", NULL};
    struct amount amount;
    int32_t index;
    bool leader_ok = (option->flags & OPTION_LEADER) != 0;
    const char *text = view.text;
    switch (option->type) {
    case OPTION_WORD:
    case OPTION_YESNO:
        index =
            value_word(b, view, option->type == OPTION_WORD ? option->words : yes_no, "word");
        if (index < 0) return;
        memcpy(field, &index, sizeof index);
        break;
    case OPTION_STRING: {
        const char *copy = arena_strdup(b->arena, view.text);
        memcpy(field, &copy, sizeof copy);
        break;
    }
    case OPTION_NODE:
        index = value_node(b, view, leader_ok);
        if (index == -1) return;
        memcpy(field, &index, sizeof index);
        break;
    case OPTION_PLACE: {
        struct place_set set = {0};
        if (!value_places(b, view, strcmp(option->name, "node") == 0 ? "node" : "place",
                          leader_ok, &set))
            return;
        if (set.count == 0 && find_region(b, view.text) == UINT32_MAX) {
            static const int32_t nobody = -1;
            memcpy(field, &nobody, sizeof nobody);
            break;
        }
        if (set.count != 1) {
            report(b, view, "'%s' stands for %u places, where one is meant", view.text,
                   set.count);
            return;
        }
        memcpy(field, &set.items[0], sizeof set.items[0]);
        break;
    }
    case OPTION_PLACES: {
        struct option_list list = fill_places(b, view, leader_ok);
        memcpy(field, &list, sizeof list);
        text = names_text(b, view.node, "[]");
        break;
    }
    case OPTION_GROUPS: {
        struct option_list list = fill_groups(b, view, leader_ok);
        memcpy(field, &list, sizeof list);
        text = groups_text(b, view);
        break;
    }
    case OPTION_CLASSES: {
        uint32_t classes = fill_classes(b, view);
        memcpy(field, &classes, sizeof classes);
        text = names_text(b, view.node, "[]");
        break;
    }
    case OPTION_NAMES: {
        const char **names = arena_alloc(b->arena, (view.count + 1) * sizeof *names);
        for (uint32_t i = 0; i < view.count; i++)
            names[i] = arena_strdup(b->arena, view_at(view, i).text);
        struct option_names list = {names, view.count};
        memcpy(field, &list, sizeof list);
        text = names_text(b, view.node, "[]");
        break;
    }
    case OPTION_DIST: {
        struct dist dist;
        if (!value_dist(b, view, name, &dist)) return;
        memcpy(field, &dist, sizeof dist);
        text = dist_text_of(b->arena, &dist);
        break;
    }
    default:
        if (!value_amount(b, view, option, name, &amount)) return;
        memcpy(field, &amount.value, sizeof amount.value);
        if (amount.low != amount.high)
            text = quantity_text_of(b->arena, option->type, amount.value);
        break;
    }
    resolve(b, name, arena_strdup(b->arena, text));
}

void fill_options(struct builder *b, struct view map, const struct option *table, size_t count,
                  void *target, const char *name, enum fill_mode mode,
                  bool (*skip)(const struct option *option))
{
    for (size_t i = 0; i < count; i++) {
        if (skip && skip(&table[i])) continue;
        const struct option *option = &table[i];
        struct view view = view_get(map, option->name);
        const char *key =
            *name ? arena_printf(b->arena, "%s.%s", name, option->name) : option->name;
        void *field = (char *)target + option->offset;
        if (view_is(view))
            fill_present(b, view, option, field, key);
        else
            fill_absent(b, map, option, field, key, mode);
    }
}
