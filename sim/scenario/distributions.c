/* Distributions over durations: from YAML to struct dist, and back to text for the result.
 *
 * A quantity is a constant (drawn once a seed where it is a range); else a mapping with one of
 * uniform, exponential, pareto, lognormal, empirical, mixture, as scenarios/README.md says. The
 * text of a dist_text_of() reads back as the same distribution.
 */
#include <string.h>

#include "sim/scenario/values.h"

#define PARTS_MAX 1000u /* of a mixture or table */

bool value_milli(struct builder *b, struct view view, int64_t *out)
{
    int64_t value = 0;
    const char *p = view.text;
    int digits = 0, behind = -1;
    for (; *p; p++) {
        if (*p == '.' && digits > 0 && behind < 0) {
            behind = 0;
        } else if (*p >= '0' && *p <= '9' && digits < 9 && behind < 3) {
            value = value * 10 + (*p - '0');
            digits++;
            if (behind >= 0) behind++;
        } else {
            break;
        }
    }
    if (*p || digits == 0 || behind == 0) {
        report(b, view, "'%s' must be a number with at most three decimals, such as 1.5",
               view.text);
        return false;
    }
    for (int i = behind < 0 ? 0 : behind; i < 3; i++) value *= 10;
    if (value == 0) {
        report(b, view, "must be above 0");
        return false;
    }
    *out = value;
    return true;
}

static const struct option positive_duration = {
    .name = "", .type = OPTION_DURATION, .low = 0, .high = INT64_C(3600000000000)};
static const struct option share = {
    .name = "", .type = OPTION_FRACTION, .low = 1, .high = 1000000};

static bool dist_duration(struct builder *b, struct view map, const char *key, const char *name,
                          int64_t *out)
{
    struct view view = view_get(map, key);
    struct amount amount;
    if (!view_is(view)) {
        report_missing(b, map, key, NULL);
        return false;
    }
    if (!value_amount(b, view, &positive_duration, arena_printf(b->arena, "%s.%s", name, key),
                      &amount))
        return false;
    *out = amount.value;
    return true;
}

static bool dist_uniform(struct builder *b, struct view view, struct dist *out)
{
    const char *dots = strstr(view.text, "..");
    if (!dots) {
        report(b, view, "'%s' must be a range, such as 1ms..2ms", view.text);
        return false;
    }
    const char *low = arena_printf(b->arena, "%.*s", (int)(dots - view.text), view.text);
    if (!value_parse(b, view, &positive_duration, low, &out->a) ||
        !value_parse(b, view, &positive_duration, dots + 2, &out->b))
        return false;
    if (out->a > out->b) {
        report(b, view, "range '%s' is reversed: write %s..%s", view.text, dots + 2, low);
        return false;
    }
    return true;
}

static bool dist_empirical(struct builder *b, struct view list, struct dist *out)
{
    if (list.count < 1 || list.count > PARTS_MAX) {
        report(b, list, "needs 1 to %u points, such as [[50%%, 1ms], [100%%, 5ms]]", PARTS_MAX);
        return false;
    }
    struct dist_point *points = arena_alloc(b->arena, list.count * sizeof *points);
    for (uint32_t i = 0; i < list.count; i++) {
        struct view point = view_get(view_at(list, i), "point");
        if (!view_is(point) || point.count != 2) {
            report(b, view_at(list, i), "a point is [share, value], such as [50%%, 1ms]");
            return false;
        }
        int64_t ppm, value;
        if (!value_parse(b, view_at(point, 0), &share, view_at(point, 0).text, &ppm) ||
            !value_parse(b, view_at(point, 1), &positive_duration, view_at(point, 1).text,
                         &value))
            return false;
        if (i > 0 && (ppm <= points[i - 1].ppm || value < points[i - 1].value)) {
            report(b, point, "shares and values must rise");
            return false;
        }
        points[i] = (struct dist_point){(uint32_t)ppm, value};
    }
    if (points[list.count - 1].ppm != 1000000) {
        report(b, list, "the last share must be 100%%");
        return false;
    }
    out->points = points;
    out->points_count = list.count;
    return true;
}

static bool dist_mixture(struct builder *b, struct view list, const char *name,
                         struct dist *out)
{
    if (list.count < 1 || list.count > PARTS_MAX) {
        report(b, list,
               "needs 1 to %u parts, such as [{weight: 90%%, constant: 1ms}, {weight: 10%%, "
               "constant: 9ms}]",
               PARTS_MAX);
        return false;
    }
    struct dist *parts = arena_alloc(b->arena, list.count * sizeof *parts);
    uint32_t *weights = arena_alloc(b->arena, list.count * sizeof *weights);
    int64_t sum = 0;
    bool good = true;
    for (uint32_t i = 0; i < list.count; i++) {
        struct view part = view_at(list, i), weight = view_get(part, "weight");
        int64_t ppm = 0;
        if (!view_is(weight)) report_missing(b, part, "weight", "90%");
        good = view_is(weight) && value_parse(b, weight, &share, weight.text, &ppm) && good;
        good = value_dist(b, part, arena_printf(b->arena, "%s.%u", name, i), &parts[i]) && good;
        weights[i] = (uint32_t)ppm;
        sum += ppm;
    }
    if (good && sum != 1000000) {
        report(b, list, "the weights sum to %s, not to 100%%",
               quantity_text_of(b->arena, OPTION_FRACTION, sum));
        good = false;
    }
    out->parts = parts;
    out->weights_ppm = weights;
    out->parts_count = list.count;
    return good;
}

bool value_dist(struct builder *b, struct view view, const char *name, struct dist *out)
{
    static const char *const kinds[] = {
        "constant",  "uniform",   "exponential", "pareto",
        "lognormal", "empirical", "mixture"}; /* in the order of enum dist_kind */
    struct dist dist = {0};
    struct view found = {0};
    uint32_t count = 0;
    for (uint32_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct view child = view_get(view, kinds[i]);
        if (!view_is(child)) continue;
        found = child;
        dist.kind = (enum dist_kind)i;
        count++;
    }
    if (count != 1) {
        report(b, view,
               "%s: constant, uniform, exponential, pareto, lognormal, empirical or mixture",
               count ? "names two distributions, where one is meant" : "names no distribution");
        return false;
    }
    bool good = true;
    struct amount amount;
    switch (dist.kind) {
    case DIST_CONSTANT:
    case DIST_EXPONENTIAL:
        good = value_amount(b, found, &positive_duration, name, &amount);
        if (good) dist.a = amount.value;
        break;
    case DIST_UNIFORM: good = dist_uniform(b, found, &dist); break;
    case DIST_PARETO:
        good = dist_duration(b, found, "min", name, &dist.a);
        if (!view_is(view_get(found, "shape"))) {
            report_missing(b, found, "shape", "1.5");
            good = false;
        } else {
            good = value_milli(b, view_get(found, "shape"), &dist.shape_milli) && good;
        }
        break;
    case DIST_LOGNORMAL:
        good = dist_duration(b, found, "median", name, &dist.a);
        if (!view_is(view_get(found, "sigma"))) {
            report_missing(b, found, "sigma", "1.5");
            good = false;
        } else {
            good = value_milli(b, view_get(found, "sigma"), &dist.shape_milli) && good;
        }
        break;
    case DIST_EMPIRICAL: good = dist_empirical(b, found, &dist); break;
    case DIST_MIXTURE: good = dist_mixture(b, found, name, &dist); break;
    }
    bool has_tail = dist.kind == DIST_EXPONENTIAL || dist.kind == DIST_PARETO ||
                    dist.kind == DIST_LOGNORMAL;
    struct view floor = view_get(view, "floor"), cap = view_get(view, "cap");
    if (view_is(floor) && !has_tail) {
        report(b, floor, "floor belongs to exponential, pareto and lognormal");
        good = false;
    } else if (view_is(floor)) {
        good = dist_duration(b, view, "floor", name, &dist.b) && good;
    }
    if (view_is(cap)) good = dist_duration(b, view, "cap", name, &dist.cap) && good;
    if (good) *out = dist;
    return good;
}

const char *dist_text_of(struct arena *arena, const struct dist *dist)
{
    const char *a = quantity_text_of(arena, OPTION_DURATION, dist->a);
    char *text = NULL, *tail = arena_strdup(arena, "");
    if (dist->kind != DIST_UNIFORM && dist->b)
        tail = arena_printf(arena, ", floor: %s",
                            quantity_text_of(arena, OPTION_DURATION, dist->b));
    if (dist->cap)
        tail = arena_printf(arena, "%s, cap: %s", tail,
                            quantity_text_of(arena, OPTION_DURATION, dist->cap));
    const char *shape = value_millionths(arena, dist->shape_milli * 1000, "");
    switch (dist->kind) {
    case DIST_CONSTANT: return *tail ? arena_printf(arena, "{constant: %s%s}", a, tail) : a;
    case DIST_UNIFORM:
        return arena_printf(arena, "{uniform: %s..%s%s}", a,
                            quantity_text_of(arena, OPTION_DURATION, dist->b), tail);
    case DIST_EXPONENTIAL: return arena_printf(arena, "{exponential: %s%s}", a, tail);
    case DIST_PARETO:
        return arena_printf(arena, "{pareto: {min: %s, shape: %s}%s}", a, shape, tail);
    case DIST_LOGNORMAL:
        return arena_printf(arena, "{lognormal: {median: %s, sigma: %s}%s}", a, shape, tail);
    case DIST_EMPIRICAL:
        text = arena_strdup(arena, "{empirical: [");
        for (uint32_t i = 0; i < dist->points_count; i++)
            text =
                arena_printf(arena, "%s%s[%s, %s]", text, i ? ", " : "",
                             quantity_text_of(arena, OPTION_FRACTION, dist->points[i].ppm),
                             quantity_text_of(arena, OPTION_DURATION, dist->points[i].value));
        return arena_printf(arena, "%s]%s}", text, tail);
    case DIST_MIXTURE:
        text = arena_strdup(arena, "{mixture: [");
        for (uint32_t i = 0; i < dist->parts_count; i++) {
            const char *part = dist_text_of(arena, &dist->parts[i]);
            if (*part == '{')
                part = arena_printf(arena, "%.*s", (int)strlen(part) - 2, part + 1);
            else
                part = arena_printf(arena, "constant: %s", part);
            text = arena_printf(arena, "%s%s{weight: %s, %s}", text, i ? ", " : "",
                                quantity_text_of(arena, OPTION_FRACTION, dist->weights_ppm[i]),
                                part);
        }
        return arena_printf(arena, "%s]%s}", text, tail);
    }
    return "";
}
