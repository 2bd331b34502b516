/* An operation from its invocation to its outcome.
 *
 *     op_begin -> op_attempt -+--(leader unknown, directory silent)--> WAITS_LEADER --(told)-->
 * op_attempt
 *                             v
 *                           SENT --(answered: done or impossible)--------------------------->
 * op_finish |  --(refused, or timed out and safe to repeat)--> BACKOFF --> op_attempt |  --(may
 * not be repeated, or no retries left)---> LAST deadline in any state
 * ------------------------------------------------------------------> op_finish
 *
 * The outcome is what the client may conclude, no more:
 *   ok       an answer said that it was done (a read of an absent key is done: it read
 * "nothing") fail     every attempt was refused or never left: it is certainly not done unknown
 * some attempt is unanswered, or was answered as indeterminate A compare_and_set that found
 * another value is a fail that tells the value it saw, unless an earlier attempt is open, or
 * the network may have doubled this one: then a copy may have been done before. If what it saw
 * is its own value, one was: ok.
 *
 * Reads and locks are safe to repeat by nature (a lock's second attempt is recognised by the
 * operation's id), writes when they carry an idempotency token; otherwise only while all
 * earlier attempts were refused.
 */
#include "sim/workload/workload_internal.h"

#include <stdlib.h>

#include "sim/kernel/check.h"

#define SCAN_LIMIT 10
#define ATTEMPT_BITS 16

static void deadline_fire(struct kernel *kernel, const struct event *event);
static void timer_fire(struct kernel *kernel, const struct event *event);
static const struct event_type deadline_event = {"workload.timeout",
                                                 EVENT_ID('w', 'l', 't', 'o'), deadline_fire};
static const struct event_type timer_event = {"workload.retry", EVENT_ID('w', 'l', 'r', 't'),
                                              timer_fire};

static int64_t now(const struct op *op)
{
    return kernel_now(op->client->group->workload->kernel);
}

struct history_op *op_record(const struct op *op)
{
    return &op->client->group->workload->history->ops[op->record];
}

/* ---- beginning ---- */

struct op *op_create(struct client *client, enum history_type type, uint32_t key)
{
    struct workload *workload = client->group->workload;
    if (!workload->ops_free)
        workload->ops_free = arena_alloc(kernel_arena(workload->kernel), sizeof(struct op));
    struct op *op = workload->ops_free;
    workload->ops_free = op->next;
    *op = (struct op){.client = client,
                      .type = (uint8_t)type,
                      .key = key,
                      .attempts_capacity = ATTEMPTS_INLINE};
    op->attempts = op->inline_attempts;
    if (workload->known_count == workload->known_capacity) {
        workload->known_capacity *= 2;
        workload->known =
            xrealloc(workload->known, workload->known_capacity * sizeof *workload->known);
    }
    op->id = workload->known_count++;
    CHECK(op->id < UINT64_C(1) << (64 - ATTEMPT_BITS));
    workload->known[op->id] =
        (struct known){.live = op, .group = (uint32_t)(client->group - workload->groups)};
    workload->active++;
    op->process =
        client->idle_count ? client->idle[--client->idle_count] : workload->processes++;
    return op;
}

void op_invoke(struct op *op, struct history_op fields)
{
    struct client *client = op->client;
    struct group *group = client->group;
    struct workload *workload = group->workload;
    fields.invoke_ns = now(op);
    fields.return_ns = HISTORY_OPEN;
    fields.client = group->name;
    fields.process = op->process;
    fields.session = op->is_final ? HISTORY_NONE : client->session;
    fields.node = fields.context = HISTORY_NONE;
    fields.type = op->type;
    fields.status = STATUS_NONE;
    fields.final_read = op->is_final;
    op->record = history_invoke(workload->history, &fields);
    kernel_memory_add(workload->kernel, (int64_t)(sizeof fields + sizeof *workload->known));
    workload->known[op->id].record = (uint32_t)op->record;
    int64_t timeout = group->config.timeout_ns;
    op->deadline_ns = timeout > VTIME_MAX - now(op) ? VTIME_MAX : now(op) + timeout;
    op->deadline = group_schedule(group, op->deadline_ns, &deadline_event, op->id, 0);
}

static void draw_owner(struct client *client, struct history_op *fields)
{
    const struct workload_config *config = &client->group->config;
    fields->owner = (uint32_t)fields->token; /* an owner of its own */
    if (config->owners > 0)
        fields->owner = (uint32_t)rng_below(&client->choices, (uint64_t)config->owners);
    if (config->private_ppm > 0)
        fields->is_private = rng_ppm(&client->choices, (uint32_t)config->private_ppm);
}

/* True when the client wrote that key so lately that it should read it from the leader. */
static bool wrote_lately(struct op *op)
{
    struct group *group = op->client->group;
    int64_t within = group->config.leader_reads_after_write_ns;
    const struct group_key *key = within > 0 ? group_key(group, op->key) : NULL;
    return key && key->writer == op->client->index + 1 && now(op) - key->written_ns < within;
}

bool op_begin(struct client *client, enum operation_type operation)
{
    struct group *group = client->group;
    struct workload *workload = group->workload;
    enum history_type type = (enum history_type)operation;
    uint32_t key = keys_choose(client, type);
    if (key == NONE) return false;
    struct op *op = op_create(client, type, key);
    struct history_op fields = {.key = key, .table = HISTORY_NONE, .owner = HISTORY_NONE};
    switch (type) {
    case HISTORY_WRITE:
    case HISTORY_COMPARE_AND_SET:
        fields.token = op->id;
        /* fall through */
    case HISTORY_DELETE:
        workload_key_written(workload, key);
        op->fence = client->lock_token;
        break;
    case HISTORY_UNLOCK: op->fence = client->lock_token; break;
    case HISTORY_INSERT:
        fields.token = op->id;
        fields.key = HISTORY_NONE;
        fields.table = group->row_prefix_id;
        draw_owner(client, &fields);
        break;
    case HISTORY_RESOLVE:
        fields.table = group->resolves_from->prefix;
        op->phase = PHASE_STORE_GET;
        op->store = group->second_store;
        break;
    default: break;
    }
    if (type == HISTORY_COMPARE_AND_SET)
        op->expected = fields.expected = group_key(group, key)->seen;
    if (type == HISTORY_READ || type == HISTORY_SCAN || type == HISTORY_RESOLVE)
        fields.level = (uint8_t)group->config.level;
    op->is_leader_read = type == HISTORY_READ && wrote_lately(op);
    fields.lock_token = op->fence;
    op_invoke(op, fields);
    world_operation(workload->world, operation, OUTCOME_COUNT);
    op_attempt(op);
    return true;
}

/* ---- attempts ---- */

static void attempt_add(struct op *op, uint32_t target)
{
    struct workload *workload = op->client->group->workload;
    if (op->attempts_count == op->attempts_capacity) {
        struct attempt *old = op->attempts == op->inline_attempts ? NULL : op->attempts;
        op->attempts_capacity *= 2;
        op->attempts = xrealloc(old, op->attempts_capacity * sizeof *op->attempts);
        if (!old) memcpy(op->attempts, op->inline_attempts, sizeof op->inline_attempts);
    }
    size_t record = history_attempt_sent(workload->history, op->record, now(op), target);
    op->attempts[op->attempts_count++] = (struct attempt){.record = record};
    op->phase_attempts++;
    op->unanswered++;
    op->target = target;
    op->state = OP_SENT;
}

void op_send(struct op *op, uint32_t target, enum message_kind kind, struct bytes body)
{
    struct group *group = op->client->group;
    struct workload *workload = group->workload;
    unsigned char number[8];
    put_u64(number, op->id << ATTEMPT_BITS | op->attempts_count);
    attempt_add(op, target);
    int64_t timeout = group->config.attempt_timeout_ns;
    if (timeout < op->deadline_ns - now(op))
        op->timer =
            group_schedule(group, now(op) + timeout, &timer_event, op->id, op->attempts_count);
    struct payload *payload = payload_create(bytes_of(number, sizeof number), &body, 1);
    network_send(workload->network, group->endpoint, target, MESSAGE_CLIENT, kind, payload);
    payload_release(payload);
}

static struct bytes name_of(struct workload *workload, uint32_t id)
{
    size_t size = 0;
    const char *text = history_name(workload->history, id, &size);
    return bytes_of(text, size);
}

static struct bytes value_of(struct workload *workload, struct buffer *buffer, uint64_t token)
{
    const struct group *writer = &workload->groups[workload->known[token].group];
    value_write(buffer, token, writer->config.value_size);
    return buffer_bytes(buffer);
}

/* The end of the keys that begin with the group's prefix: '/' follows '.'. */
static struct bytes scan_end(struct workload *workload, const struct group *group)
{
    if (group->config.key) return (struct bytes){0};
    size_t length = strlen(group->prefix);
    buffer_clear(&workload->value);
    CHECK(buffer_append(&workload->value, group->prefix, length) == 0);
    workload->value.data[length - 1]++;
    return buffer_bytes(&workload->value);
}

void op_attempt(struct op *op)
{
    struct group *group = op->client->group;
    struct workload *workload = group->workload;
    const struct workload_config *config = &group->config;
    op->timer = (struct event_id){0};
    if (op->phase != PHASE_DATABASE) {
        store_send(op);
        return;
    }
    uint32_t target = targets_choose(op);
    if (target == NONE) {
        targets_wait(op);
        return;
    }
    struct operation operation = {
        .id = op->id, .key = name_of(workload, op->key), .idempotent = config->idempotent != 0};
    if (config->session) operation.session_position = op->client->position;
    switch ((enum history_type)op->type) {
    case HISTORY_READ:
    case HISTORY_RESOLVE:
        operation.type = OPERATION_READ;
        operation.level = (enum operation_level)config->level;
        break;
    case HISTORY_SCAN:
        operation.type = OPERATION_SCAN;
        operation.level = (enum operation_level)config->level;
        operation.limit = SCAN_LIMIT;
        operation.value = scan_end(workload, group);
        break;
    case HISTORY_COMPARE_AND_SET:
        operation.has_expected = op->expected != 0;
        if (op->expected)
            operation.expected = value_of(workload, &workload->expected, op->expected);
        /* fall through */
    case HISTORY_WRITE:
    case HISTORY_INSERT:
        operation.type = (enum operation_type)op->type;
        operation.value = value_of(workload, &workload->value, op->id);
        if (config->fencing_token) operation.fence_token = op->fence;
        break;
    case HISTORY_DELETE:
        operation.type = OPERATION_DELETE;
        if (config->fencing_token) operation.fence_token = op->fence;
        break;
    case HISTORY_LOCK:
        operation.type = OPERATION_LOCK;
        operation.ttl_ns = config->lock_ttl_ns;
        break;
    case HISTORY_UNLOCK:
        operation.type = OPERATION_UNLOCK;
        operation.fence_token = op->fence;
        break;
    default: CHECK(!"an operation of the database"); break;
    }
    buffer_clear(&workload->scratch);
    CHECK(operation_encode(&operation, &workload->scratch) == 0);
    op_send(op, target, MESSAGE_REQUEST, buffer_bytes(&workload->scratch));
}

/* ---- retrying ---- */

static bool is_safe_to_repeat(const struct op *op)
{
    switch ((enum history_type)op->type) {
    case HISTORY_READ:
    case HISTORY_SCAN:
    case HISTORY_RESOLVE:
    case HISTORY_LOCK:
    case HISTORY_UNLOCK:
    case HISTORY_BIND: return true;
    default: return op->client->group->config.idempotent != 0;
    }
}

static void give_up(struct op *op)
{
    op_finish(op, op->unanswered || op->is_indeterminate ? OUTCOME_UNKNOWN : OUTCOME_FAIL);
}

void op_retry_or_end(struct op *op)
{
    struct group *group = op->client->group;
    const struct workload_config *config = &group->config;
    bool is_clean = op->unanswered == 0 && !op->is_indeterminate;
    bool may_repeat = op->phase_attempts <= (uint64_t)config->retries &&
                      op->attempts_count < ATTEMPTS_MAX && (is_clean || is_safe_to_repeat(op));
    if (may_repeat && config->backoff_ns < op->deadline_ns - now(op)) {
        op->state = OP_BACKOFF;
        op->timer = group_schedule(group, now(op) + config->backoff_ns, &timer_event, op->id,
                                   op->attempts_count);
    } else if (op->unanswered == 0) {
        give_up(op);
    } else {
        op->state = OP_LAST;
    }
}

/* The end of a backoff, or of the patience with the latest attempt. */
void op_timer(struct op *op, uint32_t attempt)
{
    if (attempt != op->attempts_count) return;
    if (op->state == OP_BACKOFF) {
        op_attempt(op);
    } else if (op->state == OP_SENT) {
        op->timer = (struct event_id){0};
        if (op->phase == PHASE_DATABASE) targets_ask(op->client->group);
        op_retry_or_end(op);
    }
}

void op_deadline(struct op *op)
{
    if (op->phase == PHASE_DATABASE && op->unanswered) targets_ask(op->client->group);
    give_up(op);
}

static void deadline_fire(struct kernel *kernel, const struct event *event)
{
    (void)kernel;
    struct group *group = event->context;
    uint64_t id = event->a;
    if (group_defers(group, DEFERRED_DEADLINE, id, 0)) return;
    struct op *op = workload_op(group->workload, id);
    if (op) op_deadline(op);
}

static void timer_fire(struct kernel *kernel, const struct event *event)
{
    (void)kernel;
    struct group *group = event->context;
    uint64_t id = event->a, attempt = event->b;
    if (group_defers(group, DEFERRED_TIMER, id, attempt)) return;
    struct op *op = workload_op(group->workload, id);
    if (op) op_timer(op, (uint32_t)attempt);
}

/* ---- the end ---- */

/* What the client remembers of a key for its later operations. */
static void remember(struct op *op, enum history_outcome outcome)
{
    struct group *group = op->client->group;
    const struct history_op *record = op_record(op);
    bool is_write = op->type == HISTORY_WRITE || op->type == HISTORY_DELETE ||
                    op->type == HISTORY_COMPARE_AND_SET;
    bool is_read = op->type == HISTORY_READ && !op->is_final;
    struct group_key *key = is_write || is_read ? group_key(group, op->key) : NULL;
    if (!key) return;
    if (is_write && outcome != OUTCOME_FAIL) {
        key->writer = op->client->index + 1;
        key->written_ns = now(op);
    }
    if (is_write && outcome == OUTCOME_OK)
        key->seen = record->token;
    else if (record->values_count == 1)
        key->seen = group->workload->history->values[record->values_start];
    if (key->seen >= group->workload->known_count)
        key->seen = 0; /* a value that nobody wrote */
}

static void process_release(struct op *op, enum history_outcome outcome)
{
    struct client *client = op->client;
    if (outcome == OUTCOME_UNKNOWN) return; /* I2 */
    client->idle =
        grown(client->idle, &client->idle_capacity, client->idle_count, sizeof *client->idle);
    client->idle[client->idle_count++] = op->process;
}

void op_finish(struct op *op, enum history_outcome outcome)
{
    struct client *client = op->client;
    struct group *group = client->group;
    struct workload *workload = group->workload;
    if (op->state == OP_WAITS_LEADER) targets_unwait(op);
    kernel_cancel(workload->kernel, op->deadline);
    kernel_cancel(workload->kernel, op->timer);
    remember(op, outcome);
    if (op->type == HISTORY_UNLOCK) client->lock_token = 0;
    op_record(op)->position = client->position;
    uint32_t row = op_record(op)->key;
    history_return(workload->history, op->record, now(op), outcome);
    workload->known[op->id].live = NULL;
    workload->active--;
    process_release(op, outcome);

    struct op ended = *op;
    if (op->attempts != op->inline_attempts) free(op->attempts);
    op->next = workload->ops_free;
    workload->ops_free = op;
    if (ended.is_final) {
        finish_next(workload);
        return;
    }
    if (ended.type < OPERATION_TYPES)
        world_operation(workload->world, (enum operation_type)ended.type, outcome);
    if (ended.type == HISTORY_INSERT && outcome == OUTCOME_OK && group->second_store != NONE)
        store_bind(&ended, row);
    else
        arrivals_next(client);
}

/* ---- answers ---- */

struct op *op_take_answer(struct group *group, uint64_t number, uint8_t status, uint64_t epoch)
{
    struct workload *workload = group->workload;
    struct op *op = workload_op(workload, number >> ATTEMPT_BITS);
    uint32_t index = (uint32_t)(number & ((1u << ATTEMPT_BITS) - 1));
    if (!op || op->client->group != group) return NULL;
    if (index >= op->attempts_count || op->attempts[index].is_answered) return NULL;
    op->attempts[index].is_answered = true;
    op->unanswered--;
    history_attempt_answered(workload->history, op->attempts[index].record, now(op), status,
                             epoch);
    if (index + 1 == op->attempts_count && op->state == OP_SENT) {
        kernel_cancel(workload->kernel, op->timer);
        op->timer = (struct event_id){0};
    }
    return op;
}

void op_turn(struct op *op, enum phase phase)
{
    kernel_cancel(op->client->group->workload->kernel, op->timer);
    for (uint32_t i = 0; i < op->attempts_count; i++) op->attempts[i].is_answered = true;
    op->unanswered = 0;
    op->phase_attempts = 0;
    op->phase = (uint8_t)phase;
    op_attempt(op);
}

static void answer_too_late(struct group *group, uint64_t id, const struct reply *reply)
{
    struct workload *workload = group->workload;
    if (id == 0 || id >= workload->known_count || workload->known[id].live) return;
    struct history_op *record = &workload->history->ops[workload->known[id].record];
    if (record->type != HISTORY_INSERT || reply->status != STATUS_OK ||
        record->key != HISTORY_NONE)
        return;
    /* Nobody waits for it any more, but the row is to be looked for at the end. */
    uint32_t row = history_intern(workload->history, reply->key.data, reply->key.size);
    workload->history->ops[workload->known[id].record].key = row;
    workload_row_known(workload, group->inserts_into, row);
}

static void add_scan_values(struct op *op, struct bytes entries)
{
    struct history *history = op->client->group->workload->history;
    const unsigned char *p = entries.data;
    size_t left = entries.size;
    while (left >= 8) {
        uint64_t key_size = get_u32(p), value_size = get_u32(p + 4);
        if (key_size + value_size > left - 8) return;
        uint32_t key = history_intern(history, (const char *)p + 8, key_size);
        history_value(history, op->record, key);
        history_value(history, op->record,
                      workload_token(bytes_of(p + 8 + key_size, value_size)));
        p += 8 + key_size + value_size;
        left -= 8 + key_size + value_size;
    }
}

static void add_value(struct op *op, const struct reply *reply)
{
    uint64_t token = reply->has_value ? workload_token(reply->value) : 0;
    history_value(op->client->group->workload->history, op->record, token);
}

/* It was done, the node says. */
static void done(struct op *op, const struct reply *reply)
{
    struct client *client = op->client;
    struct workload *workload = client->group->workload;
    bool is_found = reply->status == STATUS_OK;
    enum history_outcome outcome = OUTCOME_OK;
    switch ((enum history_type)op->type) {
    case HISTORY_READ:
    case HISTORY_RESOLVE: add_value(op, reply); break;
    case HISTORY_SCAN: add_scan_values(op, reply->value); break;
    case HISTORY_DELETE: break;
    case HISTORY_INSERT:
        if (is_found) {
            uint32_t row = history_intern(workload->history, reply->key.data, reply->key.size);
            op_record(op)->key = row;
            workload_row_known(workload, client->group->inserts_into, row);
        }
        /* fall through */
    default:
        if (!is_found) outcome = OUTCOME_FAIL;
        break;
    }
    if (op->type == HISTORY_LOCK && is_found) {
        client->lock_token = op_record(op)->lock_token = reply->token;
        client->lock_key = op->key;
    }
    op_finish(op, outcome);
}

/* It found another value than it expected, the node says; this copy of it, at least. */
static void mismatched(struct op *op, const struct reply *reply)
{
    uint64_t seen = reply->has_value ? workload_token(reply->value) : 0;
    if (seen != 0 && seen == op_record(op)->token) {
        op_finish(op, OUTCOME_OK);
        return;
    }
    add_value(op, reply);
    if (network_may_duplicate(op->client->group->workload->network))
        op->is_indeterminate = true;
    give_up(op);
}

static void refused(struct op *op, uint32_t from, enum status status, uint32_t hint)
{
    struct group *group = op->client->group;
    if (status == STATUS_NOT_LEADER) {
        targets_hint(group, from, hint);
        op->is_leader_read = true; /* wherever this read was meant to go */
    }
    if (status != STATUS_HELD &&
        (status != STATUS_NOT_LEADER || group->leader == LEADER_UNKNOWN))
        targets_ask(group);
    bool is_latest = op->state == OP_SENT && op->attempts[op->attempts_count - 1].is_answered;
    if (is_latest)
        op_retry_or_end(op);
    else if (op->state == OP_LAST && op->unanswered == 0)
        give_up(op);
}

void op_answered(struct group *group, uint32_t from, struct bytes message)
{
    struct reply reply;
    if (message.size < 8) return;
    const unsigned char *p = message.data;
    uint64_t number = get_u64(p);
    if (reply_decode(bytes_of(p + 8, message.size - 8), &reply) != 0) return;
    struct op *op = op_take_answer(group, number, (uint8_t)reply.status, reply.epoch);
    if (!op) {
        answer_too_late(group, number >> ATTEMPT_BITS, &reply);
        return;
    }
    if (op->phase != PHASE_DATABASE) return;
    struct history_op *record = op_record(op);
    record->node = from;
    record->status = (uint8_t)reply.status;
    record->epoch = reply.epoch;
    switch (reply.status) {
    case STATUS_OK:
    case STATUS_NOT_FOUND:
        if (reply.position > op->client->position) op->client->position = reply.position;
        done(op, &reply);
        break;
    case STATUS_MISMATCH: mismatched(op, &reply); break;
    case STATUS_FENCED:
        if (op->fence) /* the lock is lost: asking again helps nobody */
            give_up(op);
        else
            refused(op, from, reply.status, LEADER_UNKNOWN);
        break;
    case STATUS_INDETERMINATE:
        op->is_indeterminate = true;
        refused(op, from, reply.status, LEADER_UNKNOWN);
        break;
    default: refused(op, from, reply.status, reply.leader_hint); break;
    }
}
