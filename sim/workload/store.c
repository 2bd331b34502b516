/* The client's steps at a second store: bind an id to its owner after an insert, look an id up
 * before reading its row.
 *
 * This is the join that a database cannot keep whole: two stores, no transaction, the client
 * between them. The binding is an operation of its own in the history (bind: key = the row's
 * key, token = the insert's), for it can fail while the insert is done. A resolve asks the
 * store for the token bound to an id, takes the owner from the insert that wrote it, and then
 * reads the row: what it gets may be somebody else's.
 */
#include "sim/workload/workload_internal.h"

#define STORE_GET 0
#define STORE_PUT 1

void store_send(struct op *op)
{
    struct workload *workload = op->client->group->workload;
    size_t size = 0;
    const char *key = history_name(workload->history, op->key, &size);
    unsigned char head[3], token[8];
    head[0] = op->phase == PHASE_STORE_PUT ? STORE_PUT : STORE_GET;
    put_u16(head + 1, (uint16_t)size);
    put_u64(token, op->bound);
    buffer_clear(&workload->scratch);
    int error = buffer_append(&workload->scratch, head, sizeof head);
    if (!error) error = buffer_append(&workload->scratch, key, size);
    if (!error && op->phase == PHASE_STORE_PUT)
        error = buffer_append(&workload->scratch, token, sizeof token);
    if (!error) op_send(op, op->store, MESSAGE_STORE_REQUEST, buffer_bytes(&workload->scratch));
}

void store_bind(struct op *insert, uint32_t row)
{
    struct client *client = insert->client;
    struct group *group = client->group;
    struct op *op = op_create(client, HISTORY_BIND, row);
    op->phase = PHASE_STORE_PUT;
    op->store = group->second_store;
    op->bound = insert->id;
    op_invoke(op, (struct history_op){.token = insert->id,
                                      .key = row,
                                      .table = group->row_prefix_id,
                                      .owner = HISTORY_NONE,
                                      .store = 1});
    workload_key_bound(group->workload, row, group->second_store);
    op_attempt(op);
}

static void owner_found(struct op *op, uint64_t token)
{
    struct workload *workload = op->client->group->workload;
    op->bound = token;
    if (token > 0 && token < workload->known_count)
        op_record(op)->owner = workload->history->ops[workload->known[token].record].owner;
    op_turn(op, PHASE_DATABASE);
}

void store_answered(struct group *group, struct bytes message)
{
    if (message.size < 17) return;
    const unsigned char *p = message.data;
    bool is_found = p[8] != 0;
    uint64_t token = get_u64(p + 9);
    struct op *op =
        op_take_answer(group, get_u64(p), is_found ? STATUS_OK : STATUS_NOT_FOUND, 0);
    if (!op || op->phase == PHASE_DATABASE) return;
    op_record(op)->node = op->store;
    op_record(op)->status = STATUS_OK;
    if (op->phase == PHASE_STORE_PUT) {
        op_finish(op, OUTCOME_OK);
    } else if (op->is_final) {
        history_value(group->workload->history, op->record, is_found ? token : 0);
        op_finish(op, OUTCOME_OK);
    } else if (is_found) {
        owner_found(op, token);
    } else {
        op_record(op)->status = STATUS_NOT_FOUND;
        op_finish(op, OUTCOME_FAIL);
    }
}
