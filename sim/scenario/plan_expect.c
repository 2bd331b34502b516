/* The plan's expectations: what the file, or the variant in its place, says must follow.
 *
 * A variant's `expect` replaces the base's; only `holds: all` looks back: every check that the
 * base names, in whatever form. A check said to hold and to be violated, or named twice for the
 * same window, is an error.
 */
#include <stdio.h>
#include <string.h>

#include "sim/scenario/build.h"

struct claims {
    struct expectation *items;
    uint32_t count, capacity;
};

static struct expectation *claim(struct draft *d, struct claims *claims, struct view view,
                                 enum expect_kind kind, const char *name)
{
    if (claims->count == claims->capacity) {
        uint32_t capacity = claims->capacity ? claims->capacity * 2 : 16;
        struct expectation *items = arena_alloc(d->b.arena, capacity * sizeof *items);
        if (claims->count) memcpy(items, claims->items, claims->count * sizeof *items);
        claims->items = items;
        claims->capacity = capacity;
    }
    struct expectation *e = &claims->items[claims->count++];
    *e = (struct expectation){.kind = kind,
                              .name = arena_strdup(d->b.arena, name),
                              .gap_ns = {0, INT64_MAX},
                              .until_ns = VTIME_MAX,
                              .line = view.node->at.line,
                              .column = view.node->at.column};
    return e;
}

/* ---- ranges ---- */

static bool parse_end(struct draft *d, struct view view, enum option_type type,
                      const char *text, int64_t *out)
{
    const char *why = "";
    if (quantity_parse(type, text, out, &why) != 0) {
        report(&d->b, view, "'%s' %s", text, quantity_why(text, why));
        return false;
    }
    if (*out < 0) {
        report(&d->b, view, "'%s' must not be negative", text);
        return false;
    }
    return true;
}

/* "550", "1..5000", "1..". Not drawn: both ends count. */
static bool value_range(struct draft *d, struct view view, enum option_type type,
                        struct range *out)
{
    const char *dots = strstr(view.text, "..");
    struct range range;
    if (!dots) {
        if (!parse_end(d, view, type, view.text, &range.low)) return false;
        range.high = range.low;
    } else {
        const char *low = arena_printf(d->scratch, "%.*s", (int)(dots - view.text), view.text);
        range.high = INT64_MAX;
        if (!parse_end(d, view, type, low, &range.low) ||
            (dots[2] && !parse_end(d, view, type, dots + 2, &range.high)))
            return false;
        if (range.low > range.high) {
            report(&d->b, view, "range '%s' is reversed: write %s..%s", view.text, dots + 2,
                   low);
            return false;
        }
    }
    *out = range;
    return true;
}

static const char *range_text(struct draft *d, enum option_type type, struct range range)
{
    struct arena *arena = d->b.arena;
    const char *low = quantity_text_of(arena, type, range.low);
    if (range.low == range.high) return low;
    if (range.high == INT64_MAX) return arena_printf(arena, "at least %s", low);
    return arena_printf(arena, "%s to %s", low, quantity_text_of(arena, type, range.high));
}

/* `at`, or `from` and `until`; whole run when absent. */
static void fill_window(struct draft *d, struct view map, struct expectation *e)
{
    static const struct option time = {.name = "",
                                       .type = OPTION_DURATION,
                                       .low = 0,
                                       .high = INT64_C(100000) * 3600 * NS_PER_S};
    struct view at = view_get(map, "at"), from = view_get(map, "from"),
                until = view_get(map, "until"), end = view_is(at) ? at : until;
    struct builder quiet =
        d->b; /* expectations are no knobs: nothing is resolved, nothing drawn */
    struct amount amount;
    if (view_is(at) && (view_is(from) || view_is(until)))
        report(&d->b, at,
               "means from the start until then: write either 'at', or 'from' and 'until'");
    for (int i = 0; i < 2; i++) {
        struct view view = i ? end : from;
        if (!view_is(view)) continue;
        if (strstr(view.text, "..")) {
            report(&d->b, view, "'%s': one time, not a range", view.text);
        } else if (value_amount(&quiet, view, &time, "", &amount)) {
            *(i ? &e->until_ns : &e->from_ns) = amount.value;
        }
    }
    if (e->from_ns > e->until_ns) report(&d->b, from, "is after 'until'");
    int64_t last = d->plan->duration_ns + d->plan->finish.quiesce_ns;
    if (view_is(end) && e->until_ns != VTIME_MAX && d->duration.value > 0 && e->until_ns > last)
        report(&d->b, end, "'%s' is after the end of the run and its quiescence (%s)", end.text,
               quantity_text_of(d->b.arena, OPTION_DURATION, last));
}

static const char *window_text(struct draft *d, const struct expectation *e)
{
    char from[32], until[32];
    vtime_format(e->from_ns, from, sizeof from);
    if (e->until_ns != VTIME_MAX) vtime_format(e->until_ns, until, sizeof until);
    if (e->from_ns == 0 && e->until_ns == VTIME_MAX) return "";
    if (e->from_ns == 0) return arena_printf(d->b.arena, " by %s", until);
    if (e->until_ns == VTIME_MAX) return arena_printf(d->b.arena, " from %s", from);
    return arena_printf(d->b.arena, " from %s to %s", from, until);
}

/* ---- the kinds ---- */

static void claim_violations(struct draft *d, struct claims *claims, struct view view,
                             const struct check *check, struct range range)
{
    struct expectation *e = claim(d, claims, view, EXPECT_VIOLATIONS, check->name);
    e->check = check;
    e->range = range;
    if (view.shape->kind == SHAPE_MAP) fill_window(d, view, e);
    const char *window = window_text(d, e);
    if (range.high == 0)
        e->text = arena_printf(d->b.arena, "%s holds%s", check->name, window);
    else if (range.low == 1 && range.high == INT64_MAX)
        e->text = arena_printf(d->b.arena, "%s is violated%s", check->name, window);
    else
        e->text = arena_printf(d->b.arena, "%s: %s violation%s%s", check->name,
                               range_text(d, OPTION_INT, range),
                               range.low == 1 && range.high == 1 ? "" : "s", window);
}

static void build_counts(struct draft *d, struct view expect, struct claims *claims)
{
    for (const struct check *check = check_table; check->name; check++) {
        if (strcmp(check->name, "availability") == 0) continue;
        struct view list = view_get(expect, check->name);
        for (uint32_t i = 0; i < list.count; i++) {
            struct view map = view_at(list, i), violations = view_get(map, "violations");
            struct range range;
            if (!view_is(violations))
                report_missing(&d->b, map, "violations", "1..5000");
            else if (value_range(d, violations, OPTION_INT, &range))
                claim_violations(d, claims, map, check, range);
        }
    }
}

static void build_short(struct draft *d, struct view list, struct claims *claims, bool holds,
                        const char *const *words)
{
    struct range range = holds ? (struct range){0, 0} : (struct range){1, INT64_MAX};
    for (uint32_t i = 0; i < list.count; i++) {
        struct view name = view_at(list, i);
        int32_t index = value_word(&d->b, name, words, "check");
        if (index >= 0) claim_violations(d, claims, name, &check_table[index], range);
    }
}

static bool names_all(struct view holds)
{
    return view_is(holds) && holds.count == 1 && strcmp(view_at(holds, 0).text, "all") == 0;
}

/* Every check that the base names: in its own key, under violated or holds. */
static void build_all(struct draft *d, struct view base, struct view all, struct claims *claims)
{
    struct view violated = view_get(base, "violated"), holds = view_get(base, "holds");
    uint32_t before = claims->count;
    for (const struct check *check = check_table; check->name; check++) {
        bool named =
            strcmp(check->name, "availability") != 0 && view_is(view_get(base, check->name));
        for (uint32_t i = 0; i < violated.count; i++)
            named |= strcmp(view_at(violated, i).text, check->name) == 0;
        for (uint32_t i = 0; i < holds.count; i++)
            named |= strcmp(view_at(holds, i).text, check->name) == 0;
        if (named) claim_violations(d, claims, all, check, (struct range){0, 0});
    }
    if (claims->count == before)
        report(
            &d->b, all,
            "all stands for the checks that the base expects something of, and it names none");
}

static void build_availability(struct draft *d, struct view list, struct claims *claims)
{
    for (uint32_t i = 0; i < list.count; i++) {
        struct view map = view_at(list, i), fraction = view_get(map, "fraction"),
                    gap = view_get(map, "longest_gap");
        struct expectation *e = claim(d, claims, map, EXPECT_AVAILABILITY, "availability");
        e->check = check_find("availability");
        e->range = (struct range){0, 1000000};
        if (view_is(fraction) && value_range(d, fraction, OPTION_FRACTION, &e->range) &&
            e->range.low > 1000000)
            report(&d->b, fraction, "'%s' is more than 100%%", fraction.text);
        if (view_is(gap)) value_range(d, gap, OPTION_DURATION, &e->gap_ns);
        if (!view_is(fraction) && !view_is(gap) && tree_misses(map.node, "longest_gap"))
            report_missing(&d->b, map, "fraction", "99%..100%");
        fill_window(d, map, e);
        const char *parts[2] = {"", ""};
        if (view_is(fraction))
            parts[0] =
                arena_printf(d->b.arena, " %s", range_text(d, OPTION_FRACTION, e->range));
        if (view_is(gap))
            parts[1] =
                arena_printf(d->b.arena, "%slongest gap %s", view_is(fraction) ? ", " : " ",
                             range_text(d, OPTION_DURATION, e->gap_ns));
        e->text = arena_printf(d->b.arena, "availability:%s%s%s", parts[0], parts[1],
                               window_text(d, e));
    }
}

static void build_measures(struct draft *d, struct view map, struct claims *claims)
{
    for (const struct measure *measure = measure_table; measure->name; measure++) {
        struct view view = view_get(map, measure->name);
        struct range range;
        enum option_type type = strcmp(measure->unit, "ns") == 0    ? OPTION_DURATION
                                : strcmp(measure->unit, "ppm") == 0 ? OPTION_FRACTION
                                                                    : OPTION_INT;
        if (!view_is(view) || !value_range(d, view, type, &range)) continue;
        struct expectation *e = claim(d, claims, view, EXPECT_MEASURE, measure->name);
        e->measure = measure;
        e->range = range;
        e->text = arena_printf(d->b.arena, "%s: %s", measure->name, range_text(d, type, range));
    }
}

/* ---- contradictions ---- */

static bool same_window(const struct expectation *a, const struct expectation *b)
{
    return a->from_ns == b->from_ns && a->until_ns == b->until_ns;
}
static bool whole_run(const struct expectation *e)
{
    return e->from_ns == 0 && e->until_ns == VTIME_MAX;
}

static void check_contradictions(struct draft *d, struct view expect,
                                 const struct claims *claims)
{
    for (uint32_t i = 0; i < claims->count; i++)
        for (uint32_t k = 0; k < i; k++) {
            const struct expectation *a = &claims->items[k], *b = &claims->items[i];
            if (a->kind != b->kind || strcmp(a->name, b->name) != 0 ||
                a->kind == EXPECT_MEASURE)
                continue;
            struct position at = {expect.node->at.origin, b->line, b->column};
            /* What holds for the whole run is violated in no part of it. */
            bool never_and_sometime =
                (whole_run(a) && a->range.high == 0 && b->range.low > 0) ||
                (whole_run(b) && b->range.high == 0 && a->range.low > 0);
            bool disjoint = same_window(a, b) &&
                            (a->range.high < b->range.low || b->range.high < a->range.low);
            if (a->kind == EXPECT_VIOLATIONS && (never_and_sometime || disjoint))
                errors_add(d->b.errors, at, expect.path, "'%s' contradicts '%s' (line %d)",
                           b->text, a->text, a->line);
            else if (same_window(a, b))
                errors_add(d->b.errors, at, expect.path,
                           "'%s' is named twice for the same time (also in line %d)", b->name,
                           a->line);
        }
}

/* As the reader of the file meets them; what `holds: all` stands for keeps its order. */
static void sort_by_place(struct claims *claims)
{
    for (uint32_t i = 1; i < claims->count; i++) {
        struct expectation item = claims->items[i];
        uint32_t k = i;
        for (; k > 0 && (claims->items[k - 1].line > item.line ||
                         (claims->items[k - 1].line == item.line &&
                          claims->items[k - 1].column > item.column));
             k--)
            claims->items[k] = claims->items[k - 1];
        claims->items[k] = item;
    }
}

static void build_ignored(struct draft *d)
{
    struct view list = view_get(d->top, "ignore");
    struct ignored *out = arena_alloc(d->b.arena, (list.count + 1) * sizeof *out);
    const char *const *words = format_check_words(d->scratch);
    uint32_t count = 0;
    for (uint32_t i = 0; i < list.count; i++) {
        struct view check = view_get(view_at(list, i), "check"),
                    reason = view_get(view_at(list, i), "reason");
        if (!view_is(check)) report_missing(&d->b, view_at(list, i), "check", NULL);
        if (!view_is(reason))
            report_missing(&d->b, view_at(list, i), "reason", "\"not the point here\"");
        int32_t index = view_is(check) ? value_word(&d->b, check, words, "check") : -1;
        if (index < 0 || !view_is(reason)) continue;
        if (!*reason.text) report(&d->b, reason, "is empty: say why");
        out[count++] =
            (struct ignored){&check_table[index], arena_strdup(d->b.arena, reason.text)};
    }
    d->plan->ignored = out;
    d->plan->ignored_count = count;
}

void build_expectations(struct draft *d)
{
    struct view base = view_get(d->top, "expect"), own = view_get(d->variant, "expect"),
                expect = view_is(own) ? own : base;
    const char *const *words = format_check_words(d->scratch);
    struct claims claims = {0};
    build_ignored(d);
    if (!view_is(expect)) return;
    struct view violated = view_get(expect, "violated"), holds = view_get(expect, "holds");
    build_counts(d, expect, &claims);
    if (view_is(violated)) build_short(d, violated, &claims, false, words);
    if (names_all(holds) && view_is(own))
        build_all(d, base, view_at(holds, 0), &claims);
    else if (names_all(holds))
        report(
            &d->b, view_at(holds, 0),
            "all stands for the checks that the base names, and this is the base: name them");
    else if (view_is(holds))
        build_short(d, holds, &claims, true, words);
    if (view_is(view_get(expect, "availability")))
        build_availability(d, view_get(expect, "availability"), &claims);
    if (view_is(view_get(expect, "measure")))
        build_measures(d, view_get(expect, "measure"), &claims);
    sort_by_place(&claims);
    check_contradictions(d, expect, &claims);
    d->plan->expectations = claims.items;
    d->plan->expectations_count = claims.count;
}
