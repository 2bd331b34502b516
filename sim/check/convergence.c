/* Convergence: after heal and quiescence all nodes that are up hold the same keys with the same
 * values (Vogels, "Eventually consistent", CACM 2009).
 *
 * The world tells of each node how many client keys its engine holds and a hash over all of
 * them that does not depend on their order. Nodes are compared with what most of them hold
 * (ties: with the node of the lowest number); counted in nodes that differ. Facts about single
 * keys, where the world gave them, name one that differs. A node whose engine could not be read
 * can agree with nobody: then the verdict is unknown, unless others differ anyway.
 */
#include <stdlib.h>

#include "sim/check/convergence.h"

struct holding {
    bool known, readable;
    uint64_t keys, hash;
    int64_t time_ns;
};

static bool equal(const struct holding *a, const struct holding *b)
{
    return a->keys == b->keys && a->hash == b->hash;
}

static int compare_final(const void *left, const void *right)
{
    const struct fact *a = left, *b = right;
    if (a->a != b->a) return a->a < b->a ? -1 : 1;
    return a->endpoint < b->endpoint ? -1 : a->endpoint > b->endpoint;
}

uint64_t convergence_divergent_keys(const struct check_input *input, struct divergence *first)
{
    uint8_t *up = xcalloc(input->nodes + 1, 1);
    uint32_t up_count = 0;
    size_t count = 0;
    for (size_t i = 0; i < input->facts->count; i++) {
        const struct fact *fact = &input->facts->items[i];
        if (fact->endpoint >= input->nodes) continue;
        if (fact->kind == FACT_FINAL_COUNT && fact->c && !up[fact->endpoint]) {
            up[fact->endpoint] = 1;
            up_count++;
        }
        count += fact->kind == FACT_FINAL;
    }
    struct fact *finals = xmalloc((count + 1) * sizeof *finals);
    count = 0;
    for (size_t i = 0; i < input->facts->count; i++) {
        const struct fact *fact = &input->facts->items[i];
        if (fact->kind == FACT_FINAL && fact->endpoint < input->nodes && up[fact->endpoint])
            finals[count++] = *fact;
    }
    qsort(finals, count, sizeof *finals, compare_final);
    uint64_t divergent = 0;
    for (size_t start = 0, end; start < count; start = end) {
        size_t odd = start; /* a fact of this key that differs from the first */
        for (end = start; end < count && finals[end].a == finals[start].a; end++)
            if (odd == start &&
                (finals[end].b != finals[start].b || finals[end].c != finals[start].c))
                odd = end;
        bool missing = end - start < up_count;
        if (odd == start && !missing) continue;
        if (!divergent++ && first) {
            *first = (struct divergence){.key = (uint32_t)finals[start].a,
                                         .node = {finals[start].endpoint, finals[odd].endpoint},
                                         .token = {finals[start].b, finals[odd].b}};
            if (odd == start) { /* equal wherever it is: name a node that lacks it */
                size_t at = start;
                for (uint32_t node = 0; node < input->nodes; node++) {
                    if (at < end && finals[at].endpoint == node)
                        at++;
                    else if (up[node])
                        first->node[1] = node;
                }
                first->token[1] = 0;
            }
        }
    }
    free(finals);
    free(up);
    return divergent;
}

void check_convergence(const struct check_input *input, struct check_result *result)
{
    result_clear(result);
    struct holding *holdings = xcalloc(input->nodes + 1, sizeof *holdings);
    uint32_t up = 0, readable = 0, unreadable = UINT32_MAX;
    for (size_t i = 0; i < input->facts->count; i++) {
        const struct fact *fact = &input->facts->items[i];
        if (fact->kind == FACT_FINAL_COUNT && fact->endpoint < input->nodes)
            holdings[fact->endpoint] =
                (struct holding){true, fact->c != 0, fact->a, fact->b, fact->time_ns};
    }
    uint32_t reference = UINT32_MAX, reference_votes = 0;
    for (uint32_t i = 0; i < input->nodes; i++) {
        up += holdings[i].known;
        readable += holdings[i].readable;
        if (holdings[i].known && !holdings[i].readable && unreadable == UINT32_MAX)
            unreadable = i;
        if (!holdings[i].readable) continue;
        uint32_t votes = 0;
        for (uint32_t j = 0; j < input->nodes && reference_votes <= input->nodes / 2; j++)
            votes += holdings[j].readable && equal(&holdings[i], &holdings[j]);
        if (votes <= reference_votes) continue;
        reference = i;
        reference_votes = votes;
    }
    uint32_t odd = UINT32_MAX;
    for (uint32_t i = 0; i < input->nodes; i++) {
        if (!holdings[i].readable || equal(&holdings[i], &holdings[reference])) continue;
        if (result_violation(result, holdings[i].time_ns, NO_OP)) odd = i;
    }
    if (odd != UINT32_MAX) {
        result->witness_nodes[0] = reference;
        result->witness_nodes[1] = odd;
        result->witness_nodes_count = 2;
        result_explain(result,
                       "%s from the rest after everything was healed. %s holds %s, %s holds %s",
                       say_counted(result->violations, "node", "differs", "differ"),
                       say_node(input, reference), say_count(holdings[reference].keys, "key"),
                       say_node(input, odd), say_count(holdings[odd].keys, "key"));
        struct divergence divergence;
        uint64_t keys = convergence_divergent_keys(input, &divergence);
        if (keys) {
            struct index index;
            index_init(&index, input);
            result_explain_more(
                result, "; %s differ%s, such as %s: %s on %s, %s on %s", say_count(keys, "key"),
                keys == 1 ? "s" : "", say_key(input->history, divergence.key),
                say_value(&index, divergence.token[0]), say_node(input, divergence.node[0]),
                say_value(&index, divergence.token[1]), say_node(input, divergence.node[1]));
            index_deinit(&index);
        }
        result_explain_more(result, ".");
    }
    result_end(result);
    if (!up && !input->quiesced)
        result_not_applicable(result);
    else if (input->nodes < 2)
        result_not_applicable(result);
    else if (!result->violations && unreadable != UINT32_MAX)
        result_unknown(result, "The engine of %s could not be read at the end.",
                       say_node(input, unreadable));
    else if (readable < 2)
        result_unknown(result, "Only %s up at the end: there is nothing to compare.",
                       say_counted(readable, "node", "was", "were"));
    free(holdings);
}
