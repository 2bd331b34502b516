/* The plan's clients: groups with their rates, mixes and sequences.
 *
 * Open loop has a rate, closed loop has none: keys of the one are refused beside the other,
 * because they would be silently without effect.
 */
#include <string.h>

#include "sim/scenario/build.h"

#define STEPS_MAX 1000u

static const char *const own_rows[] = {"name", "region", "machine", "mix", "sequence", NULL};

static bool is_own_row(const struct option *option)
{
    for (uint32_t i = 0; own_rows[i]; i++)
        if (strcmp(option->name, own_rows[i]) == 0) return true;
    return false;
}

static void fill_mix(struct draft *d, struct view mix, const char *name,
                     struct workload_mix *out)
{
    struct builder *b = &d->b;
    static const struct option share = {
        .name = "", .type = OPTION_FRACTION, .low = 0, .high = 1000000};
    int64_t sum = 0, high = 0;
    bool good = true;
    for (uint32_t i = 0; i < OPERATION_TYPES && operation_words[i]; i++) {
        struct view view = view_get(mix, operation_words[i]);
        struct amount amount = {0};
        if (!view_is(view)) continue;
        const char *key = arena_printf(b->arena, "%s.mix.%s", name, operation_words[i]);
        good = value_amount(b, view, &share, key, &amount) && good;
        out->ppm[i] = amount.value;
        sum += amount.value;
        high += amount.high;
        resolve(b, key, quantity_text_of(b->arena, OPTION_FRACTION, amount.value));
    }
    if (good && !mix.node->bad && (sum != 1000000 || high != 1000000))
        report(b, mix, "shares sum to %s, not to 100%%",
               quantity_text_of(b->arena, OPTION_FRACTION, sum));
}

static void fill_sequence(struct draft *d, struct view sequence, struct workload_config *out)
{
    struct builder *b = &d->b;
    static const struct option pause = {
        .name = "wait", .type = OPTION_DURATION, .low = 1, .high = 3600 * NS_PER_S};
    struct workload_step *steps = arena_alloc(b->arena, (sequence.count + 1) * sizeof *steps);
    uint32_t operations = 0;
    for (uint32_t i = 0; i < sequence.count && i < STEPS_MAX; i++) {
        struct view step = view_at(sequence, i);
        if (strncmp(step.text, "wait ", 5) == 0) {
            struct view time = step;
            struct amount amount;
            time.text = step.text + 5;
            if (value_amount(b, time, &pause, step.path, &amount))
                steps[i].wait_ns = amount.value;
        } else {
            int32_t type = value_word(b, step, operation_words, "step");
            if (type >= 0) steps[i].type = (enum operation_type)type;
            operations++;
        }
    }
    if (sequence.count > STEPS_MAX) report(b, sequence, "more than %u steps", STEPS_MAX);
    if (operations == 0)
        report(b, sequence, "has no operation: write steps such as [write, wait 50ms, read]");
    out->sequence = steps;
    out->sequence_count = sequence.count;
}

/* A rate that is, or under some seed may be, none. What is no rate at all was reported. */
static void check_rate(struct builder *b, struct view rate)
{
    static const struct option any = {.name = "rate", .type = OPTION_RATE};
    struct builder quiet = *b;
    struct error_list none = {0};
    struct amount amount;
    quiet.errors = &none;
    if (view_is(rate) && value_amount(&quiet, rate, &any, "", &amount) && amount.low == 0)
        report(b, rate, "'%s' asks for nothing: remove it for a closed loop, or write a rate",
               rate.text);
    errors_deinit(&none);
}

static void check_loop(struct draft *d, struct view workload, const struct workload_config *out)
{
    struct builder *b = &d->b;
    struct view rate = view_get(workload, "rate"),
                per_client = view_get(workload, "rate_per_client"),
                mix = view_get(workload, "mix"), sequence = view_get(workload, "sequence");
    bool is_open = view_is(rate) || view_is(per_client);
    static const char *const closed_keys[] = {"think", "sequence", NULL}, *const open_keys[] = {
                                                                              "arrivals", NULL};
    if (view_is(rate) && view_is(per_client))
        report(b, per_client, "rate is given too: write the total or the rate of each client");
    check_rate(b, rate);
    check_rate(b, per_client);
    for (uint32_t i = 0; is_open && closed_keys[i]; i++) {
        struct view key = view_get(workload, closed_keys[i]);
        if (view_is(key))
            report(b, key, "belongs to a closed loop, but '%s' makes this one open: remove one",
                   view_is(rate) ? "rate" : "rate_per_client");
    }
    for (uint32_t i = 0; !is_open && open_keys[i]; i++) {
        struct view key = view_get(workload, open_keys[i]);
        if (view_is(key))
            report(b, key,
                   "belongs to an open loop: set rate or rate_per_client, or remove it");
    }
    if (view_is(mix) && view_is(sequence))
        report(b, sequence, "mix is given too: write one of them");
    if (!view_is(mix) && !view_is(sequence) && tree_misses(workload.node, "sequence"))
        report_missing(b, workload, "mix", "{read: 50%, write: 50%}");
    bool resolves = out->mix.ppm[OPERATION_RESOLVE] > 0;
    for (uint32_t i = 0; i < out->sequence_count; i++)
        resolves |= out->sequence[i].type == OPERATION_RESOLVE;
    if (resolves && !out->second_store)
        report(b, workload, "resolve looks ids up in a second store: set 'second_store'");
    struct view start = view_get(workload, "start");
    if (view_is(start) && d->duration.low > 0 && out->start_ns >= d->duration.low)
        report(b, start, "'%s' is after the end of the run (duration %s)", start.text,
               quantity_text_of(b->arena, OPTION_DURATION, d->duration.low));
    if (out->stop_ns >= 0 && out->stop_ns <= out->start_ns &&
        view_is(view_get(workload, "stop")))
        report(b, view_get(workload, "stop"), "is not after start");
}

void build_workloads(struct draft *d)
{
    struct builder *b = &d->b;
    struct view workloads = view_get(d->top, "workloads");
    struct workload_config *out = arena_alloc(b->arena, (workloads.count + 1) * sizeof *out);
    uint32_t count = 0, place = 0;
    for (uint32_t i = 0; i < workloads.count; i++) {
        struct view workload = view_at(workloads, i), name = view_get(workload, "name"),
                    machine = view_get(workload, "machine"), mix = view_get(workload, "mix"),
                    sequence = view_get(workload, "sequence");
        if (!view_is(name)) continue; /* reported by build_places */
        struct workload_config *w = &out[count++];
        const char *at = arena_printf(b->arena, "workloads.%s", name.text);
        fill_options(b, workload, workload_options, workload_options_count, w, at,
                     FILL_DEFAULTS, is_own_row);
        while (place < b->places_count && (b->places[place].kind != PLACE_WORKLOAD ||
                                           strcmp(b->places[place].name, name.text) != 0))
            place++;
        w->name =
            place < b->places_count ? b->places[place].name : arena_strdup(b->arena, name.text);
        w->region = place < b->places_count ? (int32_t)b->places[place].region : 0;
        if (place == b->places_count)
            place = 0; /* its name was refused; the next one's was not */
        w->machine = -1;
        for (uint32_t k = 0; view_is(machine) && k < b->nodes_count; k++)
            if (strcmp(b->places[k].name, machine.text) == 0) w->machine = (int32_t)k;
        if (b->regions_count)
            resolve(b, arena_printf(b->arena, "%s.region", at), b->regions[w->region]);
        if (w->machine >= 0)
            resolve(b, arena_printf(b->arena, "%s.machine", at), b->places[w->machine].name);
        if (!w->table) w->table = w->name;
        if (!w->resolve_table) w->resolve_table = w->table;
        if (view_is(mix)) fill_mix(d, mix, at, &w->mix);
        if (view_is(sequence)) {
            fill_sequence(d, sequence, w);
            resolve(b, arena_printf(b->arena, "%s.sequence", at),
                    tree_write(b->arena, sequence.node, false));
        }
        check_loop(d, workload, w);
    }
    d->plan->workloads = out;
    d->plan->workloads_count = count;
}
