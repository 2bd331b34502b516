/* Words of the replication contract, and the encoding of operations and replies.
 *
 * Both encodings are a fixed head in little-endian order followed by the byte strings that the
 * head gives the sizes of; a decoder accepts exactly the bytes that an encoder writes, so a
 * truncated or padded message is malformed rather than half understood.
 *
 *   operation: u8 type, u8 level, u8 flags (1 has_expected, 2 idempotent), u32 limit, u64 id,
 *              u64 session_position, u64 fence_token, i64 ttl_ns, u32 key size, u32 value size,
 *              u32 expected size, key, value, expected
 *   reply:     u8 status, u8 flags (1 has_value), u64 position, u64 epoch, u64 token,
 *              u32 leader_hint, u32 key size, u32 value size, key, value
 */
#include "engines/replication/operation.h"

#include <errno.h>

#include "engines/replication/env.h"
#include "engines/replication/scheme.h"

#define OPERATION_HEAD 51u
#define REPLY_HEAD 38u

#define OPERATION_HAS_EXPECTED 1u
#define OPERATION_IDEMPOTENT 2u
#define REPLY_HAS_VALUE 1u

const char *const operation_words[] = {"read",   "write",   "delete", "compare_and_set",
                                       "insert", "resolve", "scan",   "lock",
                                       "unlock", NULL};

const char *const status_words[] = {"ok",     "not_found",  "mismatch",    "held",
                                    "fenced", "not_leader", "unavailable", "indeterminate",
                                    "error",  NULL};

const char *const message_class_words[] = {"replication", "control", "client", "repair", NULL};

const char *const role_words[] = {"none",       "leader",  "follower",    "candidate",
                                  "recovering", "manager", "coordinator", NULL};

const char *const note_words[] = {"role",
                                  "leader_elected",
                                  "leader_suspected",
                                  "promotion_refused",
                                  "writes_discarded",
                                  "writes_kept",
                                  "join_refused",
                                  "fallback",
                                  "fence_ordered",
                                  "snapshot",
                                  "quorum_lost",
                                  "catching_up",
                                  "fenced_write",
                                  "panic",
                                  NULL};

const char *const admin_words[] = {"promote", "demote", "transfer", "add",
                                   "remove",  "repair", NULL};

/* ---- operations ---- */

int operation_encode(const struct operation *operation, struct buffer *out)
{
    unsigned char head[OPERATION_HEAD];
    size_t size =
        OPERATION_HEAD + operation->key.size + operation->value.size + operation->expected.size;
    head[0] = (unsigned char)operation->type;
    head[1] = (unsigned char)operation->level;
    head[2] = (unsigned char)((operation->has_expected ? OPERATION_HAS_EXPECTED : 0) |
                              (operation->idempotent ? OPERATION_IDEMPOTENT : 0));
    put_u32(head + 3, operation->limit);
    put_u64(head + 7, operation->id);
    put_u64(head + 15, operation->session_position);
    put_u64(head + 23, operation->fence_token);
    put_u64(head + 31, (uint64_t)operation->ttl_ns);
    put_u32(head + 39, (uint32_t)operation->key.size);
    put_u32(head + 43, (uint32_t)operation->value.size);
    put_u32(head + 47, (uint32_t)operation->expected.size);
    int err = buffer_reserve(out, out->size + size);
    if (err) return err;
    /* Nothing below can fail: the room is reserved. */
    buffer_append(out, head, sizeof head);
    buffer_append(out, operation->key.data, operation->key.size);
    buffer_append(out, operation->value.data, operation->value.size);
    buffer_append(out, operation->expected.data, operation->expected.size);
    return 0;
}

int operation_decode(struct bytes bytes, struct operation *operation)
{
    const unsigned char *p = bytes.data;
    if (bytes.size < OPERATION_HEAD) return -EBADMSG;
    if (p[0] >= OPERATION_TYPES || p[1] > LEVEL_LEADER) return -EBADMSG;
    if (p[2] & ~(OPERATION_HAS_EXPECTED | OPERATION_IDEMPOTENT)) return -EBADMSG;
    uint64_t key = get_u32(p + 39), value = get_u32(p + 43), expected = get_u32(p + 47);
    if (bytes.size != OPERATION_HEAD + key + value + expected) return -EBADMSG;
    const unsigned char *body = p + OPERATION_HEAD;
    *operation = (struct operation){
        .type = p[0],
        .level = p[1],
        .key = {body, key},
        .value = {body + key, value},
        .expected = {body + key + value, expected},
        .has_expected = (p[2] & OPERATION_HAS_EXPECTED) != 0,
        .idempotent = (p[2] & OPERATION_IDEMPOTENT) != 0,
        .limit = get_u32(p + 3),
        .id = get_u64(p + 7),
        .session_position = get_u64(p + 15),
        .fence_token = get_u64(p + 23),
        .ttl_ns = (int64_t)get_u64(p + 31),
    };
    return 0;
}

/* ---- replies ---- */

int reply_encode(const struct reply *reply, struct buffer *out)
{
    unsigned char head[REPLY_HEAD];
    size_t value_size = reply->has_value ? reply->value.size : 0;
    head[0] = (unsigned char)reply->status;
    head[1] = reply->has_value ? REPLY_HAS_VALUE : 0;
    put_u64(head + 2, reply->position);
    put_u64(head + 10, reply->epoch);
    put_u64(head + 18, reply->token);
    put_u32(head + 26, reply->leader_hint);
    put_u32(head + 30, (uint32_t)reply->key.size);
    put_u32(head + 34, (uint32_t)value_size);
    int err = buffer_reserve(out, out->size + REPLY_HEAD + reply->key.size + value_size);
    if (err) return err;
    buffer_append(out, head, sizeof head);
    buffer_append(out, reply->key.data, reply->key.size);
    buffer_append(out, reply->value.data, value_size);
    return 0;
}

int reply_decode(struct bytes bytes, struct reply *reply)
{
    const unsigned char *p = bytes.data;
    if (bytes.size < REPLY_HEAD) return -EBADMSG;
    if (p[0] >= STATUS_COUNT || (p[1] & ~REPLY_HAS_VALUE)) return -EBADMSG;
    uint64_t key = get_u32(p + 30), value = get_u32(p + 34);
    if (bytes.size != REPLY_HEAD + key + value) return -EBADMSG;
    if (value && !(p[1] & REPLY_HAS_VALUE)) return -EBADMSG;
    const unsigned char *body = p + REPLY_HEAD;
    *reply = (struct reply){
        .status = p[0],
        .key = {body, key},
        .value = {body + key, value},
        .has_value = (p[1] & REPLY_HAS_VALUE) != 0,
        .position = get_u64(p + 2),
        .epoch = get_u64(p + 10),
        .token = get_u64(p + 18),
        .leader_hint = get_u32(p + 26),
    };
    return 0;
}
