/* The plan's timeline: one fault plan an entry.
 *
 * An entry has one of `at` and `when`, and one action. `for` may stand beside the action or
 * among its keys; in the plan it is one field.
 */
#include <string.h>

#include "sim/scenario/build.h"

const char *entry_id(struct arena *arena, const struct tree_entry *entry)
{
    const char *id = tree_get_text(entry->value, "id");
    if (!id) id = tree_get_text(entry->value, "name");
    return id ? id : arena_printf(arena, "entry-%u", entry->number + 1);
}

static bool is_no_id(const struct option *option)
{
    return strcmp(option->name, "at") == 0 || strcmp(option->name, "for") == 0 ||
           strcmp(option->name, "evidence") == 0;
}
static bool is_for(const struct option *option)
{
    return strcmp(option->name, "for") == 0;
}

/* `at`: the drawn time, and the latest under any seed. */
static void fill_time(struct draft *d, struct view entry, const char *name,
                      struct fault_plan *fault)
{
    struct builder *b = &d->b;
    struct view at = view_get(entry, "at"), delay = view_get(entry, "delay");
    struct amount time, later = {0};
    fault->trigger = TRIGGER_TIME;
    if (!value_amount(b, at, &format_entry.options[2], arena_printf(b->arena, "%s.at", name),
                      &time))
        return;
    fault->at_ns = time.value;
    resolve(b, arena_printf(b->arena, "%s.at", name),
            quantity_text_of(b->arena, OPTION_DURATION, time.value));
    struct builder quiet = *b; /* `delay` was reported when it was filled */
    struct error_list none = {0};
    quiet.errors = &none;
    if (view_is(delay))
        value_amount(&quiet, delay, &format_entry.options[3],
                     arena_printf(b->arena, "%s.delay", name), &later);
    errors_deinit(&none);
    if (d->duration.low > 0 && time.high + later.high > d->duration.low)
        report(b, at, "'%s'%s%s is after the end of the run (duration %s)", at.text,
               view_is(delay) ? " and a delay of " : "", view_is(delay) ? delay.text : "",
               quantity_text_of(b->arena, OPTION_DURATION, d->duration.low));
}

static void fill_trigger(struct draft *d, struct view when, const char *name,
                         struct fault_plan *fault)
{
    struct builder *b = &d->b;
    static const struct option count = {
        .name = "nth", .type = OPTION_INT, .low = 1, .high = INT64_C(1) << 60};
    const struct trigger_word *found = NULL;
    for (const struct trigger_word *t = trigger_words; t->name; t++) {
        if (!view_is(view_get(when, t->name))) continue;
        if (found) {
            report(b, view_get(when, t->name), "one trigger, not two: '%s' is given too",
                   found->name);
            return;
        }
        found = t;
    }
    if (!found) {
        if (!when.node->bad)
            report(b, when,
                   "names no trigger: leader_elected, down, up, acknowledged, invoked, sync or "
                   "fault");
        return;
    }
    struct view argument = view_get(when, found->name), nth = view_get(when, "nth");
    struct amount amount = {1, 1, 1};
    fault->trigger = found->kind;
    fault->trigger_place = -1;
    if (view_is(nth) && found->argument == TRIGGER_ARGUMENT_COUNT)
        report(b, nth, "'%s' counts by itself: remove nth", found->name);
    else if (view_is(nth) && found->argument == TRIGGER_ARGUMENT_ENTRY)
        report(b, nth, "an entry begins once: remove nth");
    else if (view_is(nth) &&
             value_amount(b, nth, &count, arena_printf(b->arena, "%s.when.nth", name), &amount))
        resolve(b, arena_printf(b->arena, "%s.when.nth", name),
                quantity_text_of(b->arena, OPTION_INT, amount.value));
    switch (found->argument) {
    case TRIGGER_ARGUMENT_COUNT:
        value_amount(b, argument, &count,
                     arena_printf(b->arena, "%s.when.%s", name, found->name), &amount);
        break;
    case TRIGGER_ARGUMENT_NODE_OR_ANY:
        if (strcmp(argument.text, "any") == 0) break;
        /* fall through */
    case TRIGGER_ARGUMENT_NODE: fault->trigger_place = value_node(b, argument, false); break;
    case TRIGGER_ARGUMENT_ENTRY:
        fault->trigger_fault = arena_strdup(b->arena, argument.text);
        break;
    }
    fault->nth = amount.value;
    resolve(b, arena_printf(b->arena, "%s.when.%s", name, found->name),
            found->argument == TRIGGER_ARGUMENT_COUNT
                ? quantity_text_of(b->arena, OPTION_INT, amount.value)
                : arena_strdup(b->arena, argument.text));
}

static void fill_for(struct draft *d, struct view entry, struct view keys, const char *name,
                     struct fault_plan *fault)
{
    struct builder *b = &d->b;
    struct view outside = view_get(entry, "for"), inside = view_get(keys, "for"),
                view = view_is(inside) ? inside : outside;
    struct amount amount;
    if (!view_is(view)) {
        if (fault->action->needs_for)
            report(b, keys, "'%s' needs a 'for'", fault->action->name);
        return;
    }
    if (view_is(inside) && view_is(outside))
        report(b, outside, "'for' stands among the keys of '%s' too: remove one",
               fault->action->name);
    if (!fault->action->takes_for) {
        report(b, view, "'%s' happens at once and takes no 'for'", fault->action->name);
        return;
    }
    if (!value_amount(b, view, &format_entry.options[4], arena_printf(b->arena, "%s.for", name),
                      &amount))
        return;
    fault->for_ns = amount.value;
    resolve(b, arena_printf(b->arena, "%s.for", name),
            quantity_text_of(b->arena, OPTION_DURATION, amount.value));
}

/* Only nodes and managers stop or have clocks; clients can be paused; the directory and the
 * second stores always run. */
static void check_target(struct draft *d, struct view keys, const struct fault_plan *fault)
{
    struct builder *b = &d->b;
    bool may_pause =
        strcmp(fault->action->name, "pause") == 0 || strcmp(fault->action->name, "resume") == 0;
    for (size_t i = 0; i < fault->action->options_count; i++) {
        const struct option *option = &fault->action->options[i];
        struct view view = view_get(keys, option->name);
        int32_t place;
        if (option->type != OPTION_PLACE || !view_is(view)) continue;
        memcpy(&place, (const char *)fault->params + option->offset, sizeof place);
        enum place_kind kind = place < 0 ? PLACE_NODE : b->places[place].kind;
        if (kind == PLACE_DIRECTORY || kind == PLACE_STORE)
            report(b, view, "'%s' always runs: cut it off instead", view.text);
        else if (kind == PLACE_WORKLOAD && !may_pause)
            report(b, view, "'%s' are clients: they can be paused or cut off", view.text);
    }
}

static void fill_action(struct draft *d, struct view entry, const char *name,
                        struct fault_plan *fault)
{
    struct builder *b = &d->b;
    struct view keys = {0};
    for (const struct action *action = action_table; action->name; action++) {
        struct view view = view_get(entry, action->name);
        if (!view_is(view)) continue;
        if (fault->action) {
            report(b, view, "one action an entry, not two: '%s' is given too",
                   fault->action->name);
            return;
        }
        fault->action = action;
        keys = view;
    }
    if (!fault->action) {
        bool was_wrong =
            false; /* a misspelt action has been reported: then this would be noise */
        for (const struct action *action = action_table; action->name; action++)
            was_wrong |= !tree_misses(entry.node, action->name);
        if (!was_wrong) report(b, entry, "names no action, such as crash: {node: db-a}");
        return;
    }
    void *params =
        arena_alloc(b->arena, fault->action->options_size ? fault->action->options_size : 1);
    fill_options(b, keys, fault->action->options, fault->action->options_count, params,
                 arena_printf(b->arena, "%s.%s", name, fault->action->name), FILL_DEFAULTS,
                 is_for);
    fault->params = params;
    resolve(b, arena_printf(b->arena, "%s.action", name), fault->action->name);
    check_target(d, keys, fault);
    fill_for(d, entry, keys, name, fault);
}

/* heal: {ids: [...]} names entries too. */
static void check_ids(struct draft *d, struct view entry, const struct fault_plan *fault,
                      const char *const *ids)
{
    struct view list = fault->action ? view_get(view_get(entry, fault->action->name), "ids")
                                     : (struct view){0};
    for (uint32_t i = 0; i < list.count; i++) {
        struct view name = view_at(list, i);
        bool known = false;
        for (uint32_t k = 0; ids[k]; k++) known |= strcmp(ids[k], name.text) == 0;
        if (!known) report_word(&d->b, name, "entry", name.text, ids);
    }
}

static void check_references(struct draft *d, struct view timeline,
                             const struct fault_plan *faults, uint32_t count)
{
    struct builder *b = &d->b;
    const char **ids = arena_alloc(b->arena, (count + 1) * sizeof *ids);
    for (uint32_t i = 0; i < count; i++) ids[i] = faults[i].id;
    for (uint32_t i = 0; i < count; i++) {
        struct view entry = view_at(timeline, i), id = view_get(entry, "id");
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(ids[i], ids[k]) == 0) {
                if (view_is(id))
                    report(b, id, "id '%s' is taken by another entry", ids[i]);
                else
                    report(b, entry, "id '%s' is taken by another entry: give this one an id",
                           ids[i]);
                break;
            }
        check_ids(d, entry, &faults[i], ids);
        if (!faults[i].trigger_fault) continue;
        struct view reference = view_get(entry, "when.fault");
        bool known = false;
        for (uint32_t k = 0; k < count; k++)
            known |= k != i && strcmp(ids[k], faults[i].trigger_fault) == 0;
        if (!known && strcmp(ids[i], faults[i].trigger_fault) == 0)
            report(b, reference, "an entry cannot wait for itself");
        else if (!known)
            report_word(b, reference, "entry", faults[i].trigger_fault, ids);
    }
    struct view inert = view_get(d->variant, "inert");
    for (uint32_t i = 0; i < inert.count; i++) {
        struct view name = view_at(inert, i);
        bool known = false;
        for (uint32_t k = 0; k < count; k++)
            if (strcmp(ids[k], name.text) == 0) {
                ((struct fault_plan *)faults)[k].inert = true;
                known = true;
            }
        if (!known) report_word(b, name, "entry", name.text, ids);
    }
}

void build_timeline(struct draft *d)
{
    struct builder *b = &d->b;
    struct view timeline = view_get(d->top, "timeline");
    struct fault_plan *faults = arena_alloc(b->arena, (timeline.count + 1) * sizeof *faults);
    for (uint32_t i = 0; i < timeline.count; i++) {
        struct view entry = view_at(timeline, i), at = view_get(entry, "at"),
                    when = view_get(entry, "when"), id = view_get(entry, "id"),
                    evidence = view_get(entry, "evidence");
        struct fault_plan *fault = &faults[i];
        *fault = (struct fault_plan){
            .id = arena_strdup(b->arena, entry_id(b->arena, &timeline.node->entries[i])),
            .trigger_place = -1,
            .nth = 1,
            .for_ns = -1,
            .evidence_required = !view_is(when)};
        const char *name = arena_printf(b->arena, "timeline.%s", fault->id);
        if (view_is(id)) good_name(d, id, "entry");
        struct entry_keys keys = {0};
        fill_options(b, entry, format_entry.options, format_entry.count, &keys, name,
                     FILL_DEFAULTS, is_no_id);
        fault->delay_ns = keys.delay_ns;
        if (view_is(at) && view_is(when))
            report(b, when, "'at' is given too: an entry has one of them");
        else if (view_is(at))
            fill_time(d, entry, name, fault);
        else if (view_is(when))
            fill_trigger(d, when, name, fault);
        else if (tree_misses(entry.node, "at") && tree_misses(entry.node, "when"))
            report(b, entry, "needs 'at' or 'when'");
        if (view_is(evidence)) {
            int32_t word = value_word(b, evidence, format_entry.options[5].words, "word");
            if (word >= 0) fault->evidence_required = word == 0;
        }
        fill_action(d, entry, name, fault);
    }
    check_references(d, timeline, faults, timeline.count);
    d->plan->world.faults = faults;
    d->plan->world.faults_count = timeline.count;
}
