/* Messages between nodes and managers: a type, the fields that the type has, a payload.
 *
 *     struct message m = {.type = MESSAGE_APPEND};
 *     m.fields[FIELD_EPOCH] = 2;
 *     message_send(env, to, &m, &entries, 1);
 *     if (message_decode(bytes, &m) == 0) ...             payload is borrowed
 */
#ifndef FAULTLINE_ENGINES_REPLICATION_SINGLE_LEADER_WIRE_H
#define FAULTLINE_ENGINES_REPLICATION_SINGLE_LEADER_WIRE_H

#include "engines/replication/env.h"

enum message_type {
    /* class control, between nodes */
    MESSAGE_ANNOUNCE = 1, /* I lead */
    MESSAGE_WHO,          /* who leads? */
    MESSAGE_KNOWN,        /* not I: the epoch and leader that I know */
    /* class replication */
    MESSAGE_SUBSCRIBE,      /* follower: what my log holds; payload: runs of epochs */
    MESSAGE_START,          /* leader: how far our logs agree */
    MESSAGE_APPEND,         /* leader: entries, or a heartbeat */
    MESSAGE_ACK,            /* follower: how far my log reaches */
    MESSAGE_SNAPSHOT_ASK,   /* follower: the next chunk */
    MESSAGE_SNAPSHOT_CHUNK, /* leader: rows */
    /* class control, managers */
    MESSAGE_PING, /* manager to node */
    MESSAGE_PONG,
    MESSAGE_HELLO,    /* manager to manager */
    MESSAGE_VOTE_ASK, /* coordinator: is the leader dead, and may I act? */
    MESSAGE_VOTE,
    MESSAGE_PROMOTE, /* manager (or a leader that hands over) to node: lead */
    MESSAGE_PROMOTED,
    MESSAGE_DEMOTE,     /* manager to node: do not lead */
    MESSAGE_STANDALONE, /* manager to leader: go on without that follower */
    MESSAGE_TYPES
};

enum message_field {
    FIELD_EPOCH,      /* of the sender, or offered */
    FIELD_REIGN,      /* a leader's draw at its promotion: tells one leadership from the next */
    FIELD_NONCE,      /* a follower's draw: tells one subscription from the next */
    FIELD_POSITION,   /* a place in the log ... */
    FIELD_MARK_EPOCH, /* ... the epoch of the entry there ... */
    FIELD_CRC,        /* ... and the log's crc up to there */
    FIELD_LAST,       /* end of the sender's log */
    FIELD_COMMIT,     /* safe by the mode's promise; in an ack: applied */
    FIELD_TIME,       /* sender's wall clock */
    FIELD_COUNT,      /* entries in the payload */
    FIELD_INDEX,      /* number of a chunk or a ping */
    FIELD_NODE,       /* an endpoint */
    FIELD_PEER,       /* another one */
    FIELD_MACHINE,    /* the node on whose machine the sender stands */
    FIELD_FLAGS,
    FIELD_TYPES
};

#define FLAG_SNAPSHOT 1u  /* start: entries are missing, ask for a snapshot */
#define FLAG_WANTED 2u    /* append: a writer waits, acknowledge at once */
#define FLAG_RESYNC 4u    /* ack: something is missing, send again from here */
#define FLAG_LAST 8u      /* chunk: the last one */
#define FLAG_LEADING 16u  /* pong: I lead */
#define FLAG_LED 32u      /* pong: I led when I went down, and wait to be told */
#define FLAG_READY 64u    /* pong: I could be promoted */
#define FLAG_GRANTED 128u /* vote, promoted: yes */
#define FLAG_DOWN 256u    /* hello: the node on my machine does not answer */

struct message {
    enum message_type type;
    uint64_t fields[FIELD_TYPES]; /* those that the type has */
    struct bytes payload;
};

enum message_class message_class_of(enum message_type type);
/* 0, or -EBADMSG: unknown type, wrong size, payload where there is none. */
int message_decode(struct bytes bytes, struct message *message);
/* Encodes head and payload in front of each other and sends them in the type's class. */
void message_send(struct env *env, uint32_t to, const struct message *message);
size_t message_describe(struct bytes bytes, char *out, size_t out_size);

#endif
