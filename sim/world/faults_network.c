/* Actions on the network: cut, partition, slow, loss, clog, duplicate, reorder.
 *
 * Each is a rule of the network while it lasts, and its evidence is the rule's: messages
 * dropped, held, delayed, doubled. A cut or partition that flaps sets its rule for `flap`,
 * takes it away for `flap`, and so on; the messages of all its rules count.
 */
#include <stdio.h>
#include <string.h>

#include "sim/kernel/check.h"
#include "sim/world/faults_internal.h"

static void flap_fire(struct kernel *kernel, const struct event *event);

static const struct event_type flap_event = {"flap", EVENT_ID('f', 'l', 'a', 'p'), flap_fire};

/* ---- rules ---- */

static uint64_t begin_rule(struct world *world, const struct network_rule *rule,
                           int64_t flap_ns)
{
    struct fault_state state = {.place = UINT32_MAX,
                                .network = *rule,
                                .flap_ns = flap_ns,
                                .rule = network_rule_add(world->network, rule)};
    uint64_t id = faults_state_add(world, &state);
    if (flap_ns > 0)
        faults_state(world, id)->flap =
            kernel_schedule_first(world->kernel, kernel_now(world->kernel) + flap_ns,
                                  &flap_event, world, UINT32_MAX, id, 0);
    return id;
}

static void rule_remove(struct world *world, struct fault_state *state)
{
    if (!state->rule) return;
    network_rule_remove(world->network, state->rule);
    state->effects += network_rule_effects(world->network, state->rule);
    state->rule = 0;
}

static void flap_fire(struct kernel *kernel, const struct event *event)
{
    struct world *world = event->context;
    struct fault_state *state = faults_state(world, event->a);
    if (state->rule)
        rule_remove(world, state);
    else
        state->rule = network_rule_add(world->network, &state->network);
    state->flap = kernel_schedule_first(kernel, event->time + state->flap_ns, &flap_event,
                                        world, UINT32_MAX, event->a, 0);
}

void link_end(struct world *world, const void *params, uint64_t id)
{
    (void)params;
    struct fault_state *state = faults_state(world, id);
    kernel_cancel(world->kernel, state->flap);
    rule_remove(world, state);
}

uint64_t link_effects(struct world *world, const void *params, uint64_t id)
{
    (void)params;
    const struct fault_state *state = faults_state(world, id);
    return state->effects +
           (state->rule ? network_rule_effects(world->network, state->rule) : 0);
}

static uint64_t begin_link(struct world *world, const void *params, enum network_rule_kind kind)
{
    const struct link_params *p = params;
    enum network_in_flight in_flight = p->in_flight == IN_FLIGHT_AS_NETWORK
                                           ? world->config.network.in_flight
                                       : p->in_flight == IN_FLIGHT_DROP ? NETWORK_DROP
                                                                        : NETWORK_QUEUE;
    struct network_rule rule = {.kind = kind,
                                .from = p->from,
                                .to = p->to,
                                .both_ways = p->both_ways,
                                .classes = p->classes,
                                .in_flight = in_flight,
                                .factor_millionths = p->factor,
                                .add_ns = kind == RULE_REORDER ? p->extra_ns : p->add_ns,
                                .ppm = p->rate_ppm};
    if (kind == RULE_PARTITION) {
        rule.groups = p->groups.items;
        rule.groups_count = p->groups.count;
    }
    return begin_rule(world, &rule, p->flap_ns);
}

uint64_t cut_begin(struct world *w, const void *p, int64_t until)
{
    (void)until;
    return begin_link(w, p, RULE_CUT);
}
uint64_t partition_begin(struct world *w, const void *p, int64_t until)
{
    (void)until;
    return begin_link(w, p, RULE_PARTITION);
}
uint64_t slow_begin(struct world *w, const void *p, int64_t until)
{
    (void)until;
    return begin_link(w, p, RULE_SLOW);
}
uint64_t loss_begin(struct world *w, const void *p, int64_t until)
{
    (void)until;
    return begin_link(w, p, RULE_LOSS);
}
uint64_t clog_begin(struct world *w, const void *p, int64_t until)
{
    (void)until;
    return begin_link(w, p, RULE_CLOG);
}
uint64_t duplicate_begin(struct world *w, const void *p, int64_t until)
{
    (void)until;
    return begin_link(w, p, RULE_DUPLICATE);
}
uint64_t reorder_begin(struct world *w, const void *p, int64_t until)
{
    (void)until;
    return begin_link(w, p, RULE_REORDER);
}

/* ---- words ---- */

struct text {
    char *data;
    size_t size, used;
};

static void say(struct text *text, const char *word)
{
    int wrote = text->used < text->size
                    ? snprintf(text->data + text->used, text->size - text->used, "%s", word)
                    : 0;
    text->used += wrote > 0 ? (size_t)wrote : 0;
}

static void say_places(struct text *text, struct world *world, struct option_list list)
{
    if (!list.count) say(text, "everybody");
    for (uint32_t i = 0; i < list.count; i++) {
        int32_t place = ((const int32_t *)list.items)[i];
        const char *name = place < 0 ? NULL : world_endpoint_name(world, (uint32_t)place);
        say(text, i == 0 ? "" : i + 1 == list.count ? " and " : ", ");
        say(text, name ? name : "nobody");
    }
}

static void say_classes(struct text *text, uint32_t classes)
{
    uint32_t all = (1u << MESSAGE_CLASSES) - 1;
    if (!classes || (classes & all) == all) return;
    bool first = true;
    for (uint32_t i = 0; i < MESSAGE_CLASSES; i++) {
        if (!(classes & 1u << i)) continue;
        say(text, first ? " (" : ", ");
        say(text, message_class_words[i]);
        first = false;
    }
    say(text, ")");
}

static void describe_link(struct world *world, const struct link_params *p, const char *verb,
                          const char *detail, char *out, size_t out_size)
{
    struct text text = {out, out_size, 0};
    out[0] = '\0';
    say(&text, verb);
    say_places(&text, world, p->from);
    say(&text, p->both_ways ? " <-> " : " -> ");
    say_places(&text, world, p->to);
    say_classes(&text, p->classes);
    say(&text, detail);
    if (p->flap_ns > 0) {
        char time[32];
        say(&text, ", on and off every ");
        say(&text, duration_format(p->flap_ns, time, sizeof time));
    }
}

void cut_describe(struct world *world, const void *params, char *out, size_t out_size)
{
    const struct link_params *p = params;
    describe_link(world, p, "cut ", p->in_flight == IN_FLIGHT_QUEUE ? ", messages queue" : "",
                  out, out_size);
}

void partition_describe(struct world *world, const void *params, char *out, size_t out_size)
{
    const struct link_params *p = params;
    struct text text = {out, out_size, 0};
    out[0] = '\0';
    say(&text, "partition ");
    for (uint32_t i = 0; i < p->groups.count; i++) {
        say(&text, i ? " | " : "");
        say_places(&text, world, ((const struct option_list *)p->groups.items)[i]);
    }
    say_classes(&text, p->classes);
    if (p->in_flight == IN_FLIGHT_QUEUE) say(&text, ", messages queue");
    if (p->flap_ns > 0) {
        char time[32];
        say(&text, ", on and off every ");
        say(&text, duration_format(p->flap_ns, time, sizeof time));
    }
}

void slow_describe(struct world *world, const void *params, char *out, size_t out_size)
{
    const struct link_params *p = params;
    char detail[160], factor[48] = "", add[48] = "", time[32];
    if (p->factor && p->factor != 1000000)
        snprintf(factor, sizeof factor, " x %lld.%03lld", (long long)(p->factor / 1000000),
                 (long long)(p->factor / 1000 % 1000));
    if (p->add_ns)
        snprintf(add, sizeof add, *factor ? " + %s" : " +%s",
                 duration_format(p->add_ns, time, sizeof time));
    snprintf(detail, sizeof detail, ": latency%s%s", factor,
             *factor || *add ? add : " as it is");
    describe_link(world, p, "slow ", detail, out, out_size);
}

static void describe_share(struct world *world, const struct link_params *p, const char *verb,
                           char *out, size_t out_size)
{
    char detail[64];
    snprintf(detail, sizeof detail, ": %lld.%04lld%%", (long long)(p->rate_ppm / 10000),
             (long long)(p->rate_ppm % 10000));
    describe_link(world, p, verb, detail, out, out_size);
}

void loss_describe(struct world *w, const void *p, char *out, size_t size)
{
    describe_share(w, p, "loss ", out, size);
}
void duplicate_describe(struct world *w, const void *p, char *out, size_t size)
{
    describe_share(w, p, "duplicates ", out, size);
}
void reorder_describe(struct world *w, const void *p, char *out, size_t size)
{
    describe_share(w, p, "reordering ", out, size);
}
void clog_describe(struct world *w, const void *p, char *out, size_t size)
{
    describe_link(w, p, "clog ", "", out, size);
}
