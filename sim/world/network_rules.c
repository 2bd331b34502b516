/* The rules in force over the network: who is cut off from whom, slowed, robbed, and how often
 * that had an effect.
 *
 * Each rule keeps one label an endpoint, so that judging a message costs two look-ups a rule
 * and nothing is n x n. Rules name machines: what is said of an endpoint is said of all on its
 * machine (whoever pulls a node's cable also takes the manager that runs on it). In a partition
 * an endpoint's own group comes before its machine's.
 *
 * Effects are counted where they happen: a message dropped or held counts once for each cut
 * that stops it at that moment, a message lost with a broken stream for the rule that broke it.
 * The counts stay when the rule goes, for they are the evidence that a fault was one.
 */
#include "sim/world/network_internal.h"

#include <stdlib.h>

#include "sim/kernel/check.h"

#define LABEL_FROM 1u
#define LABEL_TO 2u
#define PPM INT64_C(1000000)

static bool is_cut(enum network_rule_kind kind)
{
    return kind == RULE_PARTITION || kind == RULE_CUT || kind == RULE_CLOG;
}

/* ---- labels ---- */

static void label_list(const struct network *network, uint32_t *labels,
                       const struct option_list *list, uint32_t label, bool as_group)
{
    const int32_t *items = list->items;
    for (uint32_t i = 0; i < list->count; i++) {
        if (items[i] < 0 || (uint32_t)items[i] >= network->endpoints_count)
            continue; /* not there (yet): network_rules_relabel comes again when it is */
        labels[items[i]] = as_group ? label : labels[items[i]] | label;
    }
}

/* Spreads labels over machines. Names are few and machines small, so this quadratic walk over
 * named endpoints is cheap. */
static void label_machines(const struct network *network, uint32_t *labels, bool as_group)
{
    uint32_t count = network->endpoints_count;
    uint32_t *own = xmalloc((count ? count : 1) * sizeof *own);
    memcpy(own, labels, count * sizeof *own);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t machine = network->endpoints[i].machine;
        if (!own[i] || machine == NETWORK_OWN_MACHINE) continue;
        for (uint32_t j = 0; j < count; j++) {
            if (j == i || network->endpoints[j].machine != machine) continue;
            if (!as_group)
                labels[j] |= own[i];
            else if (!own[j] && !labels[j])
                labels[j] = own[i];
        }
    }
    free(own);
}

static void rule_label(const struct network *network, struct rule *rule)
{
    uint32_t count = network->endpoints_count;
    rule->labels = xrealloc(rule->labels, (count ? count : 1) * sizeof *rule->labels);
    memset(rule->labels, 0, count * sizeof *rule->labels);
    if (rule->rule.kind == RULE_PARTITION) {
        for (uint32_t i = 0; i < rule->rule.groups_count; i++)
            label_list(network, rule->labels, &rule->rule.groups[i], i + 1, true);
        label_machines(network, rule->labels, true);
        return;
    }
    label_list(network, rule->labels, &rule->rule.from, LABEL_FROM, false);
    label_list(network, rule->labels, &rule->rule.to, LABEL_TO, false);
    label_machines(network, rule->labels, false);
    for (uint32_t i = 0; i < count; i++)
        rule->labels[i] |= (rule->rule.from.count == 0 ? LABEL_FROM : 0) |
                           (rule->rule.to.count == 0 ? LABEL_TO : 0);
}

void network_rules_relabel(struct network *network)
{
    for (uint32_t i = 0; i < network->active_count; i++)
        rule_label(network, &network->rules[network->active[i] - 1]);
}

/* ---- adding and removing ---- */

static struct option_list list_copy(struct option_list list)
{
    if (!list.count) return (struct option_list){0};
    int32_t *items = xmalloc(list.count * sizeof *items);
    memcpy(items, list.items, list.count * sizeof *items);
    return (struct option_list){items, list.count};
}

static void rule_deinit(struct rule *rule)
{
    for (uint32_t i = 0; i < rule->rule.groups_count; i++)
        free((void *)rule->rule.groups[i].items);
    free((void *)rule->rule.groups);
    free((void *)rule->rule.from.items);
    free((void *)rule->rule.to.items);
    free(rule->labels);
    rule->labels = NULL;
    rule->rule.groups = NULL;
    rule->rule.groups_count = 0;
    rule->rule.from = rule->rule.to = (struct option_list){0};
}

void network_rules_deinit(struct network *network)
{
    for (uint32_t i = 0; i < network->active_count; i++)
        rule_deinit(&network->rules[network->active[i] - 1]);
    free(network->rules);
    free(network->active);
}

uint32_t network_rule_add(struct network *network, const struct network_rule *given)
{
    CHECK((unsigned)given->kind <= RULE_REORDER);
    CHECK(given->ppm >= 0 && given->ppm <= PPM);
    CHECK(given->add_ns >= 0 && given->factor_millionths >= 0);
    CHECK(given->kind != RULE_PARTITION || given->groups_count > 0);
    if (network->rules_count == network->rules_capacity) {
        network->rules_capacity = network->rules_capacity ? network->rules_capacity * 2 : 8;
        network->rules =
            xrealloc(network->rules, network->rules_capacity * sizeof *network->rules);
        network->active =
            xrealloc(network->active, network->rules_capacity * sizeof *network->active);
    }
    struct rule *rule = &network->rules[network->rules_count++];
    *rule = (struct rule){.rule = *given};
    rule->rule.from = list_copy(given->from);
    rule->rule.to = list_copy(given->to);
    if (given->groups_count) {
        struct option_list *groups = xmalloc(given->groups_count * sizeof *groups);
        for (uint32_t i = 0; i < given->groups_count; i++)
            groups[i] = list_copy(given->groups[i]);
        rule->rule.groups = groups;
    }
    if (!rule->rule.classes) rule->rule.classes = (1u << MESSAGE_CLASSES) - 1;
    if (rule->rule.kind == RULE_CLOG) rule->rule.in_flight = NETWORK_QUEUE;
    rule_label(network, rule);
    network->active[network->active_count++] = network->rules_count;
    network->active_cuts += is_cut(rule->rule.kind);
    return network->rules_count;
}

void network_rule_remove(struct network *network, uint32_t id)
{
    for (uint32_t i = 0; i < network->active_count; i++) {
        if (network->active[i] != id) continue;
        struct rule *rule = &network->rules[id - 1];
        memmove(&network->active[i], &network->active[i + 1],
                (network->active_count - i - 1) * sizeof *network->active);
        network->active_count--;
        bool was_cut = is_cut(rule->rule.kind);
        rule_deinit(rule);
        if (was_cut) {
            network->active_cuts--;
            network_resume(network);
        }
        return;
    }
}

void network_heal(struct network *network)
{
    for (uint32_t i = 0; i < network->active_count; i++)
        rule_deinit(&network->rules[network->active[i] - 1]);
    network->active_count = network->active_cuts = 0;
    network_resume(network);
}

uint64_t network_rule_effects(const struct network *network, uint32_t id)
{
    CHECK(id >= 1 && id <= network->rules_count);
    return network->rules[id - 1].effects;
}

bool network_may_duplicate(const struct network *network)
{
    if (network->config.transport != NETWORK_DATAGRAM) return false;
    if (network->config.duplicate_ppm > 0) return true;
    for (uint32_t i = 0; i < network->rules_count; i++)
        if (network->rules[i].rule.kind == RULE_DUPLICATE) return true;
    return false;
}

/* ---- judging ---- */

bool network_rule_applies(const struct rule *rule, uint32_t from, uint32_t to,
                          enum message_class message_class)
{
    if (!(rule->rule.classes >> message_class & 1)) return false;
    uint32_t a = rule->labels[from], b = rule->labels[to];
    if (rule->rule.kind == RULE_PARTITION) return a && b && a != b;
    return ((a & LABEL_FROM) && (b & LABEL_TO)) ||
           (rule->rule.both_ways && (b & LABEL_FROM) && (a & LABEL_TO));
}

enum verdict network_judge(struct network *network, uint32_t from, uint32_t to,
                           enum message_class message_class, bool count, uint32_t *by)
{
    enum verdict verdict = VERDICT_PASS;
    if (!network->active_cuts) return verdict;
    for (uint32_t i = 0; i < network->active_count; i++) {
        uint32_t id = network->active[i];
        struct rule *rule = &network->rules[id - 1];
        if (!is_cut(rule->rule.kind) || !network_rule_applies(rule, from, to, message_class))
            continue;
        rule->effects += count;
        if (rule->rule.in_flight == NETWORK_QUEUE) {
            if (verdict == VERDICT_PASS) verdict = VERDICT_HOLD;
        } else if (verdict != VERDICT_DROP) {
            verdict = VERDICT_DROP;
            *by = id;
        }
    }
    return verdict;
}
