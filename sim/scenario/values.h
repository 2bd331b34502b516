/* From text to values: quantities with ranges, words, places, distributions, and the filling of
 * option structs. What goes wrong is reported with its place, and reading goes on.
 *
 *     struct builder b = {.arena = arena, .errors = &errors, .seed = seed};
 *     fill_options(&b, view_get(top, "finish"), format_finish.options, format_finish.count,
 * &keys, "finish", FILL_DEFAULTS);
 *
 * Every value that is read, given or default, is noted as resolved: name and final text.
 */
#ifndef FAULTLINE_SIM_SCENARIO_VALUES_H
#define FAULTLINE_SIM_SCENARIO_VALUES_H

#include "sim/scenario/plan.h"
#include "sim/scenario/shape.h"

enum place_kind { PLACE_NODE, PLACE_MANAGER, PLACE_DIRECTORY, PLACE_STORE, PLACE_WORKLOAD };
struct place {
    const char *name;
    enum place_kind kind;
    uint32_t region;
}; /* number = endpoint */

struct builder {
    struct arena *arena; /* the plan's */
    struct error_list *errors;
    uint64_t seed;
    const char **regions;
    uint32_t regions_count;
    struct place *places;
    uint32_t places_count; /* in endpoint order */
    uint32_t nodes_count;  /* places 0..nodes_count-1 */
    const char **absent;
    uint32_t absent_count; /* managers that the file names and these settings leave without
                              work: they may be named, and are nobody */
    struct setting *resolved;
    size_t resolved_count, resolved_capacity;
};

/* A quantity: drawn when the text is a range. low..high: what it may be under any seed. */
struct amount {
    int64_t value, low, high;
};

/* name: of the knob in the result and of its random stream ("timeline.split.at"). False when
 * reported. */
bool value_amount(struct builder *b, struct view view, const struct option *option,
                  const char *name, struct amount *out);
/* Index into words[], -1 when reported. what: "word", "check" ... */
int32_t value_word(struct builder *b, struct view view, const char *const *words,
                   const char *what);
/* One quantity without range, within the option's bounds. */
bool value_parse(struct builder *b, struct view view, const struct option *option,
                 const char *text, int64_t *out);
/* A decimal with at most three places, times 1000. */
bool value_milli(struct builder *b, struct view view, int64_t *out);
bool value_dist(struct builder *b, struct view view, const char *name, struct dist *out);
uint32_t value_region(struct builder *b, struct view view); /* UINT32_MAX when reported */
int32_t value_node(struct builder *b, struct view view,
                   bool leader_ok); /* -1 when reported; leader: -2 */
/* Appends the endpoints that a name stands for (a region: everything in it); false when
 * reported. what: word for the message, "place". */
struct place_set {
    int32_t *items;
    uint32_t count, capacity;
};
bool value_places(struct builder *b, struct view view, const char *what, bool leader_ok,
                  struct place_set *out);

enum fill_mode {
    FILL_DEFAULTS,
    FILL_KEEP
}; /* absent: the table's default, or what target holds (a preset) */
/* Fills the fields of target that the table describes. map may be absent. Only the rows that
 * skip() does not refuse (skip may be NULL). */
void fill_options(struct builder *b, struct view map, const struct option *table, size_t count,
                  void *target, const char *name, enum fill_mode mode,
                  bool (*skip)(const struct option *option));

void resolve(struct builder *b, const char *name, const char *text);
/* A better reason than `why` where the mistake is a common one: exponent, hex, a space before
 * the unit. */
const char *quantity_why(const char *text, const char *why);
/* Text of a value in the largest unit that is exact. */
const char *quantity_text_of(struct arena *arena, enum option_type type, int64_t value);
/* value / 1e6 without trailing zeros, then the unit. */
const char *value_millionths(struct arena *arena, int64_t value, const char *unit);
const char *dist_text_of(struct arena *arena, const struct dist *dist);

/* Reports at a view, with its path. */
#define report(b, view, ...) errors_add((b)->errors, (view).node->at, (view).path, __VA_ARGS__)
/* "needs 'key', such as EXAMPLE", unless something wrong was meant to be it. example NULL: what
 * the key is for. */
void report_missing(struct builder *b, struct view map, const char *key, const char *example);
/* "unknown WHAT 'x' (did you mean 'y'?)" or the list of words. */
void report_word(struct builder *b, struct view view, const char *what, const char *word,
                 const char *const *words);

#endif
