/* Facts: what the world saw that no client sees. Appended in time order; checkers of internal
 * properties and the timeline picture read them. */
#ifndef FAULTLINE_SIM_RECORD_FACTS_H
#define FAULTLINE_SIM_RECORD_FACTS_H

#include <stddef.h>
#include <stdint.h>

enum fact_kind {
    FACT_ROLE, /* endpoint: a = enum role of the scheme contract, b = epoch */
    FACT_ACK,  /* endpoint acknowledged a write: a = operation token, b = epoch */
    FACT_UP,
    FACT_DOWN, /* endpoint's process: FACT_DOWN a = enum down_cause */
    FACT_PAUSED,
    FACT_RESUMED,
    FACT_DISCARDED, /* endpoint dropped a = acknowledged-or-not writes from its log */
    FACT_FENCED,    /* endpoint refused a write: a = token refused, b = highest token */
    FACT_FINAL, /* after quiescence: endpoint holds under key a (interned in the history) token
                   b; c = hash of the whole value */
    FACT_FINAL_COUNT, /* after quiescence: endpoint holds a keys; b = order-independent hash of
                         all client keys and values; c = 1 if its engine could be read */
    FACT_LEADER,      /* directory: a = node named, b = epoch */
    FACT_OPENED,      /* endpoint's image opened: a = 0 or errno, b = ns that recovery took */
    FACT_INSPECT, /* endpoint's sample: a = applied position, b = commit position, c = lag ns */
    FACT_KINDS
};
/* The roles of engines/replication/env.h under their numbers there (a test holds both equal):
 * this layer includes nothing of engines. */
enum fact_role {
    FACT_ROLE_NONE,
    FACT_ROLE_LEADER,
    FACT_ROLE_FOLLOWER,
    FACT_ROLE_CANDIDATE,
    FACT_ROLE_RECOVERING,
    FACT_ROLE_MANAGER,
    FACT_ROLE_COORDINATOR,
    FACT_ROLE_COUNT
};
extern const char *const fact_role_words[];
enum down_cause {
    DOWN_CRASH,
    DOWN_POWER_OFF,
    DOWN_PANIC,
    DOWN_CHECK,
    DOWN_STONITH,
    DOWN_CAUSES
};
extern const char *const fact_words[];
extern const char *const down_cause_words[];

struct fact {
    int64_t time_ns;
    uint64_t a, b, c;
    uint32_t endpoint;
    uint8_t kind;
};

struct facts {
    struct fact *items;
    size_t count, capacity;
};
/* Keeps time order: a fact stamped earlier than the last goes to its place, after its equals.
 */
void facts_add(struct facts *facts, struct fact fact);
void facts_deinit(struct facts *facts);

#endif
