/* One table says which fields a message has, in which class it travels and whether a payload
 * follows; encoding, decoding and the text form all read it.
 *
 *   message: u8 type, u64 for each field of the type in the order of enum message_field,
 * payload
 */
#include "engines/replication/single_leader/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define HEAD_MAX (1 + 8 * FIELD_TYPES)
#define F(name) (1u << FIELD_##name)

struct shape {
    const char *name;
    enum message_class message_class;
    bool payload;
    uint32_t fields;
};

static const struct shape shapes[MESSAGE_TYPES] = {
    [MESSAGE_ANNOUNCE] = {"announce", MESSAGE_CONTROL, false, F(EPOCH) | F(REIGN) | F(LAST)},
    [MESSAGE_WHO] = {"who", MESSAGE_CONTROL, false, F(EPOCH) | F(LAST)},
    [MESSAGE_KNOWN] = {"known", MESSAGE_CONTROL, false, F(EPOCH) | F(NODE) | F(LAST)},
    [MESSAGE_SUBSCRIBE] = {"subscribe", MESSAGE_REPLICATION, true,
                           F(EPOCH) | F(NONCE) | F(POSITION) | F(MARK_EPOCH) | F(CRC)},
    [MESSAGE_START] = {"start", MESSAGE_REPLICATION, false,
                       F(EPOCH) | F(REIGN) | F(NONCE) | F(POSITION) | F(MARK_EPOCH) | F(CRC) |
                           F(LAST) | F(FLAGS)},
    [MESSAGE_APPEND] = {"append", MESSAGE_REPLICATION, true,
                        F(EPOCH) | F(REIGN) | F(NONCE) | F(POSITION) | F(CRC) | F(LAST) |
                            F(COMMIT) | F(TIME) | F(COUNT) | F(FLAGS)},
    [MESSAGE_ACK] = {"ack", MESSAGE_REPLICATION, false,
                     F(EPOCH) | F(NONCE) | F(POSITION) | F(COMMIT) | F(FLAGS)},
    [MESSAGE_SNAPSHOT_ASK] = {"snapshot_ask", MESSAGE_REPLICATION, false,
                              F(EPOCH) | F(NONCE) | F(INDEX)},
    [MESSAGE_SNAPSHOT_CHUNK] = {"snapshot_chunk", MESSAGE_REPLICATION, true,
                                F(EPOCH) | F(NONCE) | F(INDEX) | F(POSITION) | F(MARK_EPOCH) |
                                    F(CRC) | F(FLAGS)},
    [MESSAGE_PING] = {"ping", MESSAGE_CONTROL, false, F(EPOCH) | F(INDEX)},
    [MESSAGE_PONG] = {"pong", MESSAGE_CONTROL, false,
                      F(EPOCH) | F(INDEX) | F(NODE) | F(POSITION) | F(MARK_EPOCH) | F(FLAGS)},
    [MESSAGE_HELLO] = {"hello", MESSAGE_CONTROL, false,
                       F(EPOCH) | F(NODE) | F(PEER) | F(MACHINE) | F(FLAGS)},
    [MESSAGE_VOTE_ASK] = {"vote_ask", MESSAGE_CONTROL, false, F(EPOCH) | F(NODE)},
    [MESSAGE_VOTE] = {"vote", MESSAGE_CONTROL, false, F(EPOCH) | F(NODE) | F(FLAGS)},
    [MESSAGE_PROMOTE] = {"promote", MESSAGE_CONTROL, false, F(EPOCH)},
    [MESSAGE_PROMOTED] = {"promoted", MESSAGE_CONTROL, false, F(EPOCH) | F(FLAGS)},
    [MESSAGE_DEMOTE] = {"demote", MESSAGE_CONTROL, false, F(EPOCH) | F(NODE)},
    [MESSAGE_STANDALONE] = {"standalone", MESSAGE_CONTROL, false, F(NODE)},
};

static const char *const field_words[FIELD_TYPES] = {
    "epoch", "reign", "nonce", "position", "mark_epoch", "crc",     "last", "commit",
    "time",  "count", "index", "node",     "peer",       "machine", "flags"};

enum message_class message_class_of(enum message_type type)
{
    return shapes[type].message_class;
}

int message_decode(struct bytes bytes, struct message *message)
{
    const unsigned char *p = bytes.data;
    if (!bytes.size || p[0] >= MESSAGE_TYPES || !shapes[p[0]].name) return -EBADMSG;
    const struct shape *shape = &shapes[p[0]];
    *message = (struct message){.type = p[0]};
    size_t at = 1;
    for (uint32_t i = 0; i < FIELD_TYPES; i++) {
        if (!(shape->fields & 1u << i)) continue;
        if (bytes.size - at < 8) return -EBADMSG;
        message->fields[i] = get_u64(p + at);
        at += 8;
    }
    if (at < bytes.size && !shape->payload) return -EBADMSG;
    message->payload = bytes_of(p + at, bytes.size - at);
    return 0;
}

void message_send(struct env *env, uint32_t to, const struct message *message)
{
    const struct shape *shape = &shapes[message->type];
    unsigned char head[HEAD_MAX];
    size_t size = 1;
    head[0] = (unsigned char)message->type;
    for (uint32_t i = 0; i < FIELD_TYPES; i++) {
        if (!(shape->fields & 1u << i)) continue;
        put_u64(head + size, message->fields[i]);
        size += 8;
    }
    env->ops->send(env, to, shape->message_class, bytes_of(head, size), &message->payload,
                   message->payload.size ? 1 : 0);
}

size_t message_describe(struct bytes bytes, char *out, size_t out_size)
{
    struct message message;
    if (!out_size) return 0;
    size_t size = 0;
    int n;
    if (message_decode(bytes, &message)) {
        n = snprintf(out, out_size, "malformed message of %zu bytes", bytes.size);
    } else {
        const struct shape *shape = &shapes[message.type];
        n = snprintf(out, out_size, "%s", shape->name);
        for (uint32_t i = 0; i < FIELD_TYPES && n >= 0; i++) {
            if (!(shape->fields & 1u << i)) continue;
            size += (size_t)n;
            if (size >= out_size - 1) return out_size - 1;
            n = snprintf(out + size, out_size - size, " %s=%" PRIu64, field_words[i],
                         message.fields[i]);
        }
        if (n >= 0 && shape->payload) {
            size += (size_t)n;
            if (size >= out_size - 1) return out_size - 1;
            n = snprintf(out + size, out_size - size, " bytes=%zu", message.payload.size);
        }
    }
    if (n > 0) size += (size_t)n;
    return size < out_size ? size : out_size - 1;
}
