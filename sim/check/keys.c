/* Keys: ids that the database assigns, and what another store believes about them.
 *
 * unique_keys counts acknowledged inserts whose key had been issued before, in order of
 * acknowledgement (ties: of invocation). The first holder of a key is not counted, each later
 * one is; a delete in between changes nothing, for an id is a name that others keep.
 *
 * external_references counts ids. An id is broken when either store bound it to two owners, or
 * when the owner that the second store ends with differs from the owner of the row that the
 * database ends with (the leader's, after quiescence). An absent row breaks nothing: that is
 * loss, and no_lost_write counts it. Which bind of an id came last is judged as writes are: a
 * bind certainly followed by an acknowledged one is not last; a bind of unknown outcome may be;
 * the id is broken only if no candidate agrees with the row. If the second store was read back
 * at the end (final reads with store 1), these reads decide instead.
 *
 * private_reads (a measure) counts resolves that returned a private row of somebody other than
 * the owner whom the second store named: the harm that the two counts above cause.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sim/check/parts.h"

static bool is_acknowledged_insert(const struct history_op *op)
{
    return op->type == HISTORY_INSERT && op->store == 0 && op->outcome == OUTCOME_OK &&
           op->key != HISTORY_NONE;
}

/* ---- unique_keys ---- */

static void explain_issued_twice(const struct index *index, struct check_result *result,
                                 uint32_t before, uint32_t again)
{
    const struct history_op *a = &index->ops[before], *b = &index->ops[again];
    const struct check_input *input = index->input;
    char owner_a[32] = "", owner_b[32] = "";
    if (a->owner != HISTORY_NONE)
        snprintf(owner_a, sizeof owner_a, "to owner %u ", (unsigned)a->owner);
    if (b->owner != HISTORY_NONE)
        snprintf(owner_b, sizeof owner_b, "to owner %u ", (unsigned)b->owner);
    result_explain(
        result, "%s issued again. Row %s was issued twice: %sat %s by %s and %sat %s by %s",
        say_counted(result->violations, "key", "was", "were"), say_key(index->history, b->key),
        owner_a, say_time(a->return_ns), say_node(input, a->node), owner_b,
        say_time(b->return_ns), say_node(input, b->node));
    struct final_state final;
    final_init(&final, index);
    uint32_t by = NO_OP;
    enum fate fate_a = final_fate(&final, index, before, a->key, &by),
              fate_b = final_fate(&final, index, again, b->key, &by);
    if (fate_a == FATE_LOST && fate_b == FATE_PRESENT)
        result_explain_more(result, "; the first row, acknowledged, was overwritten");
    else if (fate_a == FATE_PRESENT && fate_b == FATE_LOST)
        result_explain_more(result, "; the second row, acknowledged, is gone at the end");
    else if (fate_a == FATE_LOST && fate_b == FATE_LOST)
        result_explain_more(result, "; both rows, acknowledged, are gone at the end");
    result_explain_more(result, ".");
    final_deinit(&final);
}

void check_unique_keys(const struct check_input *input, struct check_result *result)
{
    result_clear(result);
    struct index index;
    index_init(&index, input);
    uint32_t count, first = NO_OP;
    uint32_t *inserts = order_by_return(&index, is_acknowledged_insert, &count);
    uint32_t *holder =
        xmalloc((index.keys + 1) * sizeof *holder); /* by key: the insert acknowledged first */
    for (uint32_t key = 0; key < index.keys; key++) holder[key] = NO_OP;
    for (uint32_t i = 0; i < count; i++) {
        const struct history_op *op = &index.ops[inserts[i]];
        if (holder[op->key] == NO_OP) {
            holder[op->key] = inserts[i];
        } else if (op_in_window(input, op->return_ns) &&
                   result_violation(result, op->return_ns, inserts[i])) {
            first = inserts[i];
        }
    }
    if (first != NO_OP) {
        uint32_t before = holder[index.ops[first].key];
        result_witness(&index, result, (uint32_t[]){before, first}, 2);
        explain_issued_twice(&index, result, before, first);
    }
    result_end(result);
    if (!count) result_not_applicable(result);
    free(inserts);
    free(holder);
    index_deinit(&index);
}

/* ---- external_references ---- */

static uint32_t owner_of(const struct index *index, uint32_t op)
{
    if (index->ops[op].owner != HISTORY_NONE) return index->ops[op].owner;
    uint32_t insert = index_writer(index, index->ops[op].token);
    return insert == NO_OP ? HISTORY_NONE : index->ops[insert].owner;
}

static bool is_acknowledged_bind(const struct history_op *op)
{
    return op->type == HISTORY_BIND && op->outcome == OUTCOME_OK && op->key != HISTORY_NONE;
}

struct reference {              /* one id */
    uint32_t first[2];          /* by store: the operation that bound it first */
    uint32_t last_bind;         /* acknowledged bind that returned last */
    int64_t bind_invoke_max_ns; /* latest invocation of an acknowledged bind */
    bool agrees, read_back; /* a candidate for the last bind names the row's owner; the second
                               store was read back */
    uint32_t row, read_back_owner; /* final row's insert; owner that was read back */
    bool broken;
};

static bool note_owner(const struct index *index, struct reference *reference, unsigned store,
                       uint32_t op, uint32_t *earlier)
{
    uint32_t owner = owner_of(index, op);
    if (owner == HISTORY_NONE) return false;
    if (reference->first[store] == NO_OP) {
        reference->first[store] = op;
        return false;
    }
    *earlier = reference->first[store];
    return owner != owner_of(index, *earlier);
}

/* Marks for each id the row that the database ends with, and what the second store ends with.
 */
static void note_finals(const struct index *index, struct reference *references)
{
    struct final_state final;
    final_init(&final, index);
    for (uint32_t key = 0; key < index->keys; key++) {
        if (final.first[key] == NO_OP) continue;
        const struct history_op *read = &index->ops[final.first[key]];
        if (read->values_count != 1) continue; /* siblings name no single owner */
        uint32_t row = index_writer(index, index->history->values[read->values_start]);
        if (row != NO_OP && index->ops[row].type == HISTORY_INSERT &&
            index->ops[row].owner != HISTORY_NONE)
            references[key].row = row;
    }
    final_deinit(&final);
    for (uint32_t i = 0; i < index->count; i++) {
        const struct history_op *op = &index->ops[i];
        if (op->store != 1 || op->type != HISTORY_READ || !op->final_read ||
            op->outcome != OUTCOME_OK || op->key == HISTORY_NONE)
            continue;
        uint32_t insert = op->values_count
                              ? index_writer(index, index->history->values[op->values_start])
                              : NO_OP;
        if (insert == NO_OP) continue;
        references[op->key].read_back = true;
        references[op->key].read_back_owner = index->ops[insert].owner;
    }
    for (uint32_t i = 0; i < index->count; i++) {
        const struct history_op *op = &index->ops[i];
        if (op->type != HISTORY_BIND || op->outcome == OUTCOME_FAIL || op->key == HISTORY_NONE)
            continue;
        struct reference *reference = &references[op->key];
        bool candidate =
            op->outcome == OUTCOME_UNKNOWN || op->return_ns >= reference->bind_invoke_max_ns;
        if (candidate && reference->row != NO_OP &&
            owner_of(index, i) == index->ops[reference->row].owner)
            reference->agrees = true;
    }
}

void check_external_references(const struct check_input *input, struct check_result *result)
{
    result_clear(result);
    struct index index;
    index_init(&index, input);
    struct reference *references = xmalloc((index.keys + 1) * sizeof *references);
    for (uint32_t key = 0; key < index.keys; key++)
        references[key] = (struct reference){.first = {NO_OP, NO_OP},
                                             .last_bind = NO_OP,
                                             .bind_invoke_max_ns = INT64_MIN,
                                             .row = NO_OP};
    uint32_t witness[2] = {NO_OP, NO_OP}, earlier = NO_OP;
    unsigned witness_store = 0;
    bool final_differs = false;

    /* Two owners in one store, in order of acknowledgement. */
    uint32_t binds = 0;
    for (unsigned store = 0; store < 2; store++) {
        uint32_t count;
        uint32_t *ops = order_by_return(
            &index, store ? is_acknowledged_bind : is_acknowledged_insert, &count);
        if (store) binds = count;
        for (uint32_t i = 0; i < count; i++) {
            const struct history_op *op = &index.ops[ops[i]];
            struct reference *reference = &references[op->key];
            if (store) {
                reference->last_bind = ops[i];
                if (op->invoke_ns > reference->bind_invoke_max_ns)
                    reference->bind_invoke_max_ns = op->invoke_ns;
            }
            if (!note_owner(&index, reference, store, ops[i], &earlier) || reference->broken ||
                !op_in_window(input, op->return_ns))
                continue;
            reference->broken = true;
            if (!result_violation(result, op->return_ns, ops[i])) continue;
            witness[0] = earlier;
            witness[1] = ops[i];
            witness_store = store;
        }
        free(ops);
    }

    /* The last owner against the last row. */
    note_finals(&index, references);
    for (uint32_t key = 0; key < index.keys; key++) {
        struct reference *reference = &references[key];
        if (reference->broken || reference->row == NO_OP || reference->last_bind == NO_OP)
            continue;
        const struct history_op *row = &index.ops[reference->row],
                                *bind = &index.ops[reference->last_bind];
        if (reference->read_back ? reference->read_back_owner == row->owner : reference->agrees)
            continue;
        int64_t row_ns = row->outcome == OUTCOME_OK ? row->return_ns : row->invoke_ns;
        int64_t since_ns = row_ns > bind->return_ns ? row_ns : bind->return_ns;
        if (!op_in_window(input, since_ns)) continue;
        reference->broken = true;
        if (!result_violation(result, since_ns, reference->last_bind)) continue;
        witness[0] = reference->row;
        witness[1] = reference->last_bind;
        final_differs = true;
    }

    if (result->violations) {
        const struct history_op *a = &index.ops[witness[0]], *b = &index.ops[witness[1]];
        result_witness(&index, result, witness, 2);
        result_explain(result, "%s two people. ",
                       say_counted(result->violations, "id", "means", "mean"));
        if (final_differs)
            result_explain_more(result,
                                "Under %s the database ends with the row of owner %u (%s), the "
                                "second store with owner %u (bound at %s).",
                                say_key(index.history, b->key), (unsigned)a->owner,
                                say_time(a->invoke_ns), (unsigned)owner_of(&index, witness[1]),
                                say_time(b->return_ns));
        else
            result_explain_more(result, "%s bound %s to owner %u at %s and to owner %u at %s.",
                                witness_store ? "The second store" : "The database",
                                say_key(index.history, b->key),
                                (unsigned)owner_of(&index, witness[0]), say_time(a->return_ns),
                                (unsigned)owner_of(&index, witness[1]), say_time(b->return_ns));
    }
    result_end(result);
    if (!binds) result_not_applicable(result);
    free(references);
    index_deinit(&index);
}

/* ---- private_reads ---- */

void check_private_reads(const struct check_input *input, struct check_result *result)
{
    result_clear(result);
    struct index index;
    index_init(&index, input);
    uint32_t first = NO_OP, first_row = NO_OP;
    for (uint32_t i = 0; i < index.count; i++) {
        const struct history_op *op = &index.ops[i];
        if (op->type != HISTORY_RESOLVE || op->outcome != OUTCOME_OK ||
            op->owner == HISTORY_NONE || !op_in_window(input, op->return_ns))
            continue;
        for (uint32_t v = 0; v < op->values_count; v++) {
            uint32_t row = index_writer(&index, index.history->values[op->values_start + v]);
            if (row == NO_OP || index.ops[row].type != HISTORY_INSERT ||
                !index.ops[row].is_private || index.ops[row].owner == op->owner)
                continue;
            if (result_violation(result, op->return_ns, i)) {
                first = i;
                first_row = row;
            }
            break;
        }
    }
    if (first != NO_OP) {
        const struct history_op *op = &index.ops[first];
        result_witness(&index, result, (uint32_t[]){first_row, first}, 2);
        result_explain(result,
                       "%s given somebody else's private row. At %s the second store named "
                       "owner %u for %s, and %s returned the private row of owner %u.",
                       say_counted(result->violations, "read", "was", "were"),
                       say_time(op->return_ns), (unsigned)op->owner,
                       say_key(index.history, op->key), say_node(input, op->node),
                       (unsigned)index.ops[first_row].owner);
    }
    result_end(result);
    index_deinit(&index);
}
