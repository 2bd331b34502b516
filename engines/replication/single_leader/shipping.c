/* Shipping: a follower subscribes, the leader says how far their logs agree, then pushes.
 *
 *   follower                         leader
 *   SUBSCRIBE (end, runs of epochs)  ->
 *                                    <- START (common position and its crc; or: ask a snapshot)
 *   (drops what disagrees)
 *   ACK (common)                     ->
 *                                    <- APPEND (previous position and crc, entries) ...
 *   ACK (end)                        ->
 *
 * `next` runs ahead of acknowledgements by at most the window, so a link with a long delay is
 * kept full. Nothing is resent by a timer: a follower that sees a gap (an append or heartbeat
 * that begins behind its end) asks for it by an ACK with RESYNC. A heartbeat is an APPEND
 * without entries, so a gap at the end of the stream is found too.
 *
 * S1  An acknowledgement counts only with the nonce of the current subscription: one from
 * before a truncation can never count for entries that are gone. S2  Only entries that are in
 * the leader's own file (and synced, with log_sync always) leave.
 */
#include <errno.h>

#include "engines/replication/single_leader/replica.h"

#define RUN_SIZE 16u /* u64 epoch, u64 last */

/* How far the follower's log agrees with this one, by epochs. */
static uint64_t common_by_epochs(struct replica *r, const struct message *message)
{
    struct env *env = r->base.env;
    const unsigned char *p = message->payload.data;
    uint32_t count = (uint32_t)(message->payload.size / RUN_SIZE);
    struct replog_run *runs = NULL;
    if (count) runs = allocator_alloc(env->allocator, count * sizeof *runs);
    if (count && !runs) replica_panic(r, ENOMEM, "no memory for a subscription");
    for (uint32_t i = 0; i < count; i++)
        runs[i] = (struct replog_run){get_u64(p + i * RUN_SIZE), get_u64(p + i * RUN_SIZE + 8)};
    uint64_t common = replog_common(r->log, runs, count);
    allocator_free(env->allocator, runs, count * sizeof *runs);
    /* A follower whose epochs were all trimmed away here is behind, as far as one can tell. */
    struct replog_mark base = replog_base(r->log);
    uint64_t end = message->fields[FIELD_POSITION];
    if (!common && end <= base.position && message->fields[FIELD_MARK_EPOCH] <= base.epoch)
        common = end;
    return common < end ? common : end;
}

void shipping_subscribe(struct replica *r, uint32_t from, const struct message *message)
{
    struct env *env = r->base.env;
    if (message->payload.size % RUN_SIZE) return;
    struct follower *follower = &r->followers[from];
    uint64_t end = message->fields[FIELD_POSITION], last = replog_written(r->log);
    uint64_t common = r->options.epochs ? common_by_epochs(r, message) : end;
    if (common > last) common = last;
    struct message start = {.type = MESSAGE_START};
    struct replog_mark mark = {common, 0, 0};
    bool snapshot = replog_mark_at(r->log, common, &mark) != 0;
    start.fields[FIELD_EPOCH] = r->epoch;
    start.fields[FIELD_REIGN] = r->reign;
    start.fields[FIELD_NONCE] = message->fields[FIELD_NONCE];
    start.fields[FIELD_POSITION] = common;
    start.fields[FIELD_MARK_EPOCH] = mark.epoch;
    start.fields[FIELD_CRC] = mark.crc;
    start.fields[FIELD_LAST] = last;
    start.fields[FIELD_FLAGS] = snapshot ? FLAG_SNAPSHOT : 0;
    message_send(env, from, &start);
    if (follower->nonce != message->fields[FIELD_NONCE]) follower->match = 0; /* S1 */
    follower->nonce = message->fields[FIELD_NONCE];
    follower->next = common + 1;
    follower->subscribed = !snapshot;
}

void shipping_ack(struct replica *r, uint32_t from, const struct message *message)
{
    struct env *env = r->base.env;
    struct follower *follower = &r->followers[from];
    uint64_t position = message->fields[FIELD_POSITION];
    if (message->fields[FIELD_NONCE] != follower->nonce || !follower->nonce) return; /* S1 */
    if (position > replog_written(r->log)) return;
    follower->acked_ns = env->ops->monotonic_now(env);
    if (!follower->subscribed) return;
    follower->back = true;
    if (follower->match < position) follower->match = position;
    if (follower->next <= position) follower->next = position + 1;
    if (message->fields[FIELD_FLAGS] & FLAG_RESYNC) follower->next = position + 1;
}

static void append_send(struct replica *r, uint32_t to, struct bytes entries, uint32_t count)
{
    struct env *env = r->base.env;
    struct follower *follower = &r->followers[to];
    struct replog_mark previous;
    if (replog_mark_at(r->log, follower->next - 1, &previous)) return;
    bool waits = r->options.mode != MODE_ASYNC && count;
    struct message message = {.type = MESSAGE_APPEND, .payload = entries};
    message.fields[FIELD_EPOCH] = r->epoch;
    message.fields[FIELD_REIGN] = r->reign;
    message.fields[FIELD_NONCE] = follower->nonce;
    message.fields[FIELD_POSITION] = previous.position;
    message.fields[FIELD_CRC] = previous.crc;
    message.fields[FIELD_LAST] = replog_written(r->log);
    message.fields[FIELD_COMMIT] = r->committed;
    message.fields[FIELD_TIME] = (uint64_t)env->ops->wall_now(env);
    message.fields[FIELD_COUNT] = count;
    message.fields[FIELD_FLAGS] = waits ? FLAG_WANTED : 0;
    message_send(env, to, &message);
    follower->next += count;
}

/* Trimmed away under a follower that fell behind: it must ask for a snapshot. */
static void too_late(struct replica *r, uint32_t to)
{
    struct follower *follower = &r->followers[to];
    struct message start = {.type = MESSAGE_START};
    start.fields[FIELD_EPOCH] = r->epoch;
    start.fields[FIELD_REIGN] = r->reign;
    start.fields[FIELD_NONCE] = follower->nonce;
    start.fields[FIELD_POSITION] = follower->next - 1;
    start.fields[FIELD_LAST] = replog_written(r->log);
    start.fields[FIELD_FLAGS] = FLAG_SNAPSHOT;
    message_send(r->base.env, to, &start);
    follower->subscribed = false;
}

void shipping_send(struct replica *r)
{
    struct env *env = r->base.env;
    uint64_t end = replog_written(r->log); /* S2 */
    for (uint32_t node = 0; node < env->nodes; node++) {
        struct follower *follower = &r->followers[node];
        if (node == env->self) continue;
        while (follower->subscribed && follower->next <= end) {
            uint64_t outstanding =
                follower->next > follower->match ? follower->next - 1 - follower->match : 0;
            if (outstanding >= (uint64_t)r->options.ship_window) break;
            uint32_t count;
            int err = replog_read(r->log, follower->next, (size_t)r->options.ship_chunk_bytes,
                                  &r->entries, &count);
            if (err == -ENOENT) {
                too_late(r, node);
                break;
            }
            if (err) replica_panic(r, err, "the replication log cannot be read");
            append_send(r, node, buffer_bytes(&r->entries), count);
        }
    }
}

void shipping_heartbeat(struct replica *r)
{
    struct env *env = r->base.env;
    for (uint32_t node = 0; node < env->nodes; node++)
        if (node != env->self && r->followers[node].subscribed)
            append_send(r, node, (struct bytes){NULL, 0}, 0);
}
