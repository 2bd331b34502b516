/* Loss: what was promised and is gone, what was shown and is gone, what was shown and never
 * written.
 *
 * no_lost_write. A write w that was acknowledged is *lost* when the final value of its key was
 * written before w (parts.h: certainly, in real time), or by nobody; or when the key is absent
 * and no delete, acknowledged or unknown, could have come after w. Final values of several
 * siblings: one that is w's or could follow w suffices. A failed write supersedes nothing; an
 * insert never supersedes an insert (the database promised a fresh key, so the older row was
 * destroyed by a bug, not by a client). An acknowledged delete is lost when a value written
 * before it stands there at the end.
 *
 * This is exact for one register: some order of all acknowledged and any unknown writes that
 * respects real time ends in the final value if and only if no write is lost by this rule (the
 * last of that order must be the final value's write f, and f may stand last unless some
 * acknowledged w has f before w). tests/check proves it against enumeration. With a key of its
 * own for each write it is Jepsen's set test.
 *
 * no_dirty_read. A value returned to a reader is treated as if the read had acknowledged its
 * write: gone by the same rule, it was dirty. So a stale read from a lagging replica is not
 * dirty (the newer value is still there at the end), while MySQL's semi-synchronous phantom is:
 * with AFTER_COMMIT another session reads a row that the failover then forgets, though its
 * writer was never answered and so lost nothing. A read of a write that was certainly refused
 * (Adya's G1a, aborted read) is dirty at once, whatever comes later. Counted in values, not in
 * reads: ten readers of one phantom are one violation.
 *
 * no_invented_value. Every value returned was written by some client, under that key, by a
 * write invoked no later than the read's return. An insert that was sent more than once may
 * stand under several keys of its table, so for inserts only the table is demanded.
 */
#include <string.h>

#include "sim/check/parts.h"

/* ---- no_lost_write ---- */

static void explain_fate(const struct index *index, struct check_result *result, uint32_t write,
                         uint32_t by)
{
    const struct history_op *final = &index->ops[by];
    uint64_t token = 0;
    for (uint32_t i = 0; i < final->values_count && !token; i++)
        token = index->history->values[final->values_start + i];
    if (!token) {
        result_explain_more(
            result, "at the end the key is absent, and no delete could have come after it.");
        return;
    }
    uint32_t other = index_writer(index, token);
    if (other == NO_OP)
        result_explain_more(result, "at the end the key holds %s, which nobody wrote.",
                            say_value(index, token));
    else if (index->ops[other].outcome == OUTCOME_FAIL)
        result_explain_more(result, "at the end the key holds %s, whose write was refused.",
                            say_value(index, token));
    else if (index->ops[write].type == HISTORY_INSERT &&
             index->ops[other].type == HISTORY_INSERT &&
             index->end_ns[other] >= index->ops[write].invoke_ns)
        result_explain_more(
            result,
            "at the end the key holds %s, inserted at %s: an insert never replaces an insert.",
            say_value(index, token), say_time(index->ops[other].invoke_ns));
    else
        result_explain_more(result, "at the end the key holds %s, written before it at %s.",
                            say_value(index, token), say_time(index->ops[other].invoke_ns));
}

/* The write of the value that the final read `by` showed, or NO_OP. */
static uint32_t final_writer(const struct index *index, uint32_t by)
{
    const struct history_op *final = &index->ops[by];
    for (uint32_t i = 0; i < final->values_count; i++)
        if (index->history->values[final->values_start + i])
            return index_writer(index, index->history->values[final->values_start + i]);
    return NO_OP;
}

void check_no_lost_write(const struct check_input *input, struct check_result *result)
{
    result_clear(result);
    struct index index;
    index_init(&index, input);
    struct final_state final;
    final_init(&final, &index);
    uint64_t acknowledged = 0, unjudged = 0;
    uint32_t first = NO_OP, first_by = NO_OP, first_unjudged = NO_OP;
    for (uint32_t i = 0; i < index.count; i++) {
        const struct history_op *op = &index.ops[i];
        if (!op_is_write(op) || op->outcome != OUTCOME_OK ||
            !op_in_window(input, op->return_ns))
            continue;
        acknowledged++;
        uint32_t by = NO_OP;
        switch (final_fate(&final, &index, i, op->key, &by)) {
        case FATE_PRESENT:
        case FATE_SUPERSEDED: break;
        case FATE_UNJUDGED:
            if (!unjudged++) first_unjudged = i;
            break;
        case FATE_LOST:
            if (result_violation(result, op->return_ns, i)) {
                first = i;
                first_by = by;
            }
            break;
        }
    }
    if (first != NO_OP) {
        const struct history_op *op = &index.ops[first];
        result_witness(&index, result,
                       (uint32_t[]){first, final_writer(&index, first_by), first_by}, 3);
        result_explain(result, "%s of %llu acknowledged %s lost. ",
                       say_count(result->violations, "write"), (unsigned long long)acknowledged,
                       result->violations == 1 ? "is" : "are");
        if (op->type == HISTORY_DELETE)
            result_explain_more(result,
                                "The delete of key %s, acknowledged by %s at %s, is undone: ",
                                say_key(index.history, op->key), say_node(input, op->node),
                                say_time(op->return_ns));
        else
            result_explain_more(result, "Key %s lost %s, acknowledged by %s at %s: ",
                                say_key(index.history, op->key), say_value(&index, op->token),
                                say_node(input, op->node), say_time(op->return_ns));
        explain_fate(&index, result, first, first_by);
    }
    result_end(result);
    if (!acknowledged || (!final.reads && !input->quiesced)) {
        result_not_applicable(result);
    } else if (!result->violations && unjudged) {
        result_unknown(
            result,
            "%s of %llu could not be read back at the end (first: %s, acknowledged at %s).",
            say_count(unjudged, "acknowledged write"), (unsigned long long)acknowledged,
            say_key(index.history, index.ops[first_unjudged].key),
            say_time(index.ops[first_unjudged].return_ns));
    }
    final_deinit(&final);
    index_deinit(&index);
}

/* ---- no_dirty_read ---- */

void check_no_dirty_read(const struct check_input *input, struct check_result *result)
{
    result_clear(result);
    struct index index;
    index_init(&index, input);
    struct final_state final;
    final_init(&final, &index);
    uint64_t shown = 0, unjudged = 0;
    uint32_t first = NO_OP, first_by = NO_OP;
    for (uint32_t i = 0; i < index.count; i++) {
        uint32_t reader = index.seen_by[i];
        if (reader == NO_OP || !op_in_window(input, index.ops[reader].return_ns)) continue;
        bool refused = index.ops[i].outcome == OUTCOME_FAIL;
        if (index.ops[reader].final_read && !refused) continue; /* no client saw it */
        shown++;
        uint32_t by = NO_OP;
        enum fate fate =
            refused ? FATE_LOST : final_fate(&final, &index, i, index.seen_key[i], &by);
        unjudged += fate == FATE_UNJUDGED;
        if (fate == FATE_LOST && result_violation(result, index.ops[reader].return_ns, i)) {
            first = i;
            first_by = by;
        }
    }
    if (first != NO_OP) {
        uint32_t reader = index.seen_by[first];
        const struct history_op *op = &index.ops[first], *read = &index.ops[reader];
        const char *value = say_value(&index, op->token),
                   *key = say_key(index.history, index.seen_key[first]);
        result_explain(result, "%s shown to readers and did not stay. ",
                       say_counted(result->violations, "value", "was", "were"));
        if (first_by == NO_OP) {
            result_witness(&index, result, (uint32_t[]){first, reader}, 2);
            result_explain_more(
                result, "At %s %s returned %s under key %s, though its write was refused.",
                say_time(read->return_ns), say_node(input, read->node), value, key);
        } else {
            result_witness(
                &index, result,
                (uint32_t[]){first, reader, final_writer(&index, first_by), first_by}, 4);
            result_explain_more(
                result, "At %s %s returned %s under key %s (its write was %s); ",
                say_time(read->return_ns), say_node(input, read->node), value, key,
                op->outcome == OUTCOME_OK ? "acknowledged" : "never answered");
            explain_fate(&index, result, first, first_by);
        }
    }
    result_end(result);
    if (!shown)
        result_not_applicable(result);
    else if (!result->violations && !final.reads && !input->quiesced)
        result_not_applicable(result);
    else if (!result->violations && unjudged)
        result_unknown(result, "%s shown to readers could not be read back at the end.",
                       say_count(unjudged, "value"));
    final_deinit(&final);
    index_deinit(&index);
}

/* ---- no_invented_value ---- */

static bool in_table(const struct history *history, uint32_t table, uint32_t key)
{
    size_t table_size, key_size;
    const char *prefix = history_name(history, table, &table_size),
               *name = history_name(history, key, &key_size);
    return key_size >= table_size && memcmp(prefix, name, table_size) == 0;
}

bool write_may_stand_under(const struct history *history, const struct history_op *write,
                           uint32_t key)
{
    if (write->type == HISTORY_INSERT) {
        if (write->table != HISTORY_NONE) return in_table(history, write->table, key);
        if (write->key == HISTORY_NONE) return true;
    }
    return write->key == key;
}

enum invention { INVENTED_NOT, INVENTED_NOBODY, INVENTED_EARLY, INVENTED_ELSEWHERE };

static enum invention judge(const struct index *index, uint32_t reader, uint32_t key,
                            uint64_t token)
{
    uint32_t writer = index_writer(index, token);
    if (writer == NO_OP) return INVENTED_NOBODY;
    const struct history_op *write = &index->ops[writer];
    if (write->invoke_ns > index->ops[reader].return_ns) return INVENTED_EARLY;
    return write_may_stand_under(index->history, write, key) ? INVENTED_NOT
                                                             : INVENTED_ELSEWHERE;
}

void check_no_invented_value(const struct check_input *input, struct check_result *result)
{
    result_clear(result);
    struct index index;
    index_init(&index, input);
    uint64_t reads = 0;
    uint32_t first = NO_OP, first_key = HISTORY_NONE;
    uint64_t first_token = 0;
    enum invention first_kind = INVENTED_NOT;
    for (uint32_t i = 0; i < index.count; i++) {
        const struct history_op *op = &index.ops[i];
        if (op->return_ns == HISTORY_OPEN || !op_in_window(input, op->return_ns)) continue;
        uint32_t key = HISTORY_NONE, bad_key = HISTORY_NONE;
        uint64_t token = 0, bad_token = 0;
        enum invention kind = INVENTED_NOT;
        bool saw = false;
        for (struct seen cursor = {0}; seen_next(index.history, i, &cursor, &key, &token);) {
            saw = true;
            enum invention this_kind = judge(&index, i, key, token);
            if (this_kind == INVENTED_NOT || kind != INVENTED_NOT) continue;
            kind = this_kind;
            bad_key = key;
            bad_token = token;
        }
        if (op->store == 1 && op->type == HISTORY_READ &&
            op->outcome == OUTCOME_OK) { /* the second store answers with tokens of inserts */
            for (uint32_t v = 0; v < op->values_count && kind == INVENTED_NOT; v++) {
                token = index.history->values[op->values_start + v];
                saw = true;
                if (!token || index_writer(&index, token) != NO_OP) continue;
                kind = INVENTED_NOBODY;
                bad_key = op->key;
                bad_token = token;
            }
        }
        reads += saw;
        if (kind == INVENTED_NOT || !result_violation(result, op->return_ns, i)) continue;
        first = i;
        first_key = bad_key;
        first_token = bad_token;
        first_kind = kind;
    }
    if (first != NO_OP) {
        static const char *const why[] = {
            [INVENTED_NOT] = "",
            [INVENTED_NOBODY] = "which nobody wrote",
            [INVENTED_EARLY] = "before its write began",
            [INVENTED_ELSEWHERE] = "which was written under another key",
        };
        result_witness(&index, result, (uint32_t[]){index_writer(&index, first_token), first},
                       2);
        result_explain(result,
                       "%s answered with a value that was not written there. At %s %s returned "
                       "%s under key %s, %s.",
                       say_counted(result->violations, "read", "was", "were"),
                       say_time(index.ops[first].return_ns),
                       say_node(input, index.ops[first].node), say_value(&index, first_token),
                       say_key(index.history, first_key), why[first_kind]);
    }
    result_end(result);
    if (!reads) result_not_applicable(result);
    index_deinit(&index);
}
