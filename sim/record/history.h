/* The history: what clients saw, in version 1 of the format of reports/README.md. Checkers of
 * client-visible properties read nothing else.
 *
 * Times are true time in ns. Tokens are unique per write operation and > 0; token 0 means "no
 * value" (absent key). Text (keys, names) is interned: a uint32_t id, equal ids = equal text.
 * Operations are appended at invoke and completed at return; the index of an operation never
 * changes.
 */
#ifndef FAULTLINE_SIM_RECORD_HISTORY_H
#define FAULTLINE_SIM_RECORD_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum history_type {
    HISTORY_READ,
    HISTORY_WRITE,
    HISTORY_DELETE,
    HISTORY_COMPARE_AND_SET,
    HISTORY_INSERT,
    HISTORY_RESOLVE,
    HISTORY_SCAN,
    HISTORY_LOCK,
    HISTORY_UNLOCK,
    HISTORY_BIND, /* second store: id (key) bound to the owner whose insert wrote `token`;
                     `store` = 1 */
    HISTORY_TYPES
};
extern const char *const history_type_words[];

enum history_outcome {
    OUTCOME_OK,
    OUTCOME_FAIL,
    OUTCOME_UNKNOWN,
    OUTCOME_COUNT
}; /* fail: certainly not done; unknown: may take effect at any later time */
extern const char *const history_outcome_words[];

/* The statuses and levels of engines/replication/operation.h under their numbers there: this
 * layer includes nothing of engines, and a test holds both equal. */
enum history_status {
    HISTORY_STATUS_OK,
    HISTORY_STATUS_NOT_FOUND,
    HISTORY_STATUS_MISMATCH,
    HISTORY_STATUS_HELD,
    HISTORY_STATUS_FENCED,
    HISTORY_STATUS_NOT_LEADER,
    HISTORY_STATUS_UNAVAILABLE,
    HISTORY_STATUS_INDETERMINATE,
    HISTORY_STATUS_ERROR,
    HISTORY_STATUS_COUNT,
    HISTORY_STATUS_NONE = 255 /* no answer */
};
extern const char *const history_status_words[];
enum history_level {
    HISTORY_LEVEL_DEFAULT,
    HISTORY_LEVEL_LOCAL,
    HISTORY_LEVEL_LEADER,
    HISTORY_LEVEL_COUNT
};
extern const char *const history_level_words[];

#define HISTORY_NONE UINT32_MAX
#define HISTORY_OPEN INT64_MAX /* return_ns of an operation that never returned */

struct history_attempt {
    int64_t sent_ns, answered_ns;
    uint32_t node;
    uint8_t status;
    uint64_t epoch;
}; /* answered HISTORY_OPEN: no answer. status: enum status of the scheme contract, 255 none */

struct history_op {
    int64_t invoke_ns, return_ns;
    uint64_t token; /* value that it writes (write, compare_and_set, insert, bind: the insert's
                       token); 0: none */
    uint64_t expected;   /* compare_and_set: token expected, 0 = absence */
    uint64_t lock_token; /* lock: granted token; guarded write: the token it carried */
    uint64_t position;   /* session position after it */
    uint64_t epoch;      /* of the answering node, 0 none */
    uint32_t key; /* interned; insert: the assigned row key once known, else HISTORY_NONE; scan:
                     lower bound */
    uint32_t table;           /* interned prefix of insert and resolve, else HISTORY_NONE */
    uint32_t client, process; /* interned name of the workload; process number, one operation at
                                 a time, retired after unknown */
    uint32_t session; /* session number, unique per client process chain (survives a retired
                         process); HISTORY_NONE */
    uint32_t owner; /* insert: owner of the row. resolve: owner that the second store named for
                       the id. Else HISTORY_NONE */
    uint32_t node;  /* endpoint that answered; HISTORY_NONE */
    uint32_t values_start,
        values_count; /* into values[]: tokens read (siblings); scan: pairs (key id, token). A
                         failed compare_and_set: the token seen */
    uint32_t attempts_start, attempts_count;
    uint32_t context; /* interned opaque causal context returned (leaderless); HISTORY_NONE */
    uint8_t type, outcome, status, level;
    bool is_private; /* insert: the row is private to its owner */
    bool pending;    /* invoked, not yet returned */
    bool final_read; /* made by `finish: read_all` after quiescence */
    uint8_t store;   /* 0 the database, 1 the second store */
};

struct history {
    struct history_op *ops;
    size_t count, capacity;
    uint64_t *values;
    size_t values_count, values_capacity;
    struct history_attempt *attempts;
    size_t attempts_count, attempts_capacity;
    uint32_t *attempt_ops; /* parallel to attempts until history_seal: whose attempt it is; then
                              NULL */
    struct history_names *names;
    bool sealed;
    /* Told of each return when all of the operation is recorded; NULL: nobody. */
    void (*returned)(void *context, size_t op);
    void *returned_context;
};

struct history *history_create(void);
void history_destroy(struct history *history);
uint32_t history_intern(struct history *history, const char *text, size_t size);
uint32_t history_intern_string(struct history *history, const char *text);
const char *history_name(const struct history *history, uint32_t id,
                         size_t *size); /* NUL-terminated as well */
uint32_t history_names_count(const struct history *history);

/* Appends a pending operation with the given fields (values and attempts empty, outcome
 * unknown); returns its index. Invocations never go back in time. */
size_t history_invoke(struct history *history, const struct history_op *op);
void history_return(struct history *history, size_t op, int64_t now_ns,
                    enum history_outcome outcome);
/* Values must be added for one operation at a time, before or at its return; likewise attempts
 * (an open attempt may be completed later by index). */
void history_value(struct history *history, size_t op, uint64_t value);
/* Attempts of different operations interleave and are contiguous by operation only after
 * history_seal, which renumbers them. Returns the attempt's number. */
size_t history_attempt_sent(struct history *history, size_t op, int64_t now_ns, uint32_t node);
void history_attempt_answered(struct history *history, size_t attempt, int64_t now_ns,
                              uint8_t status, uint64_t epoch);
/* End of run: orders attempts by operation, marks what is pending as unknown and open. Checkers
 * take sealed histories. */
void history_seal(struct history *history);

/* history.jsonl, one operation a line in invoke order; names endpoints by `endpoint_name`
 * (NULL: numbers). 0 or -errno. */
int history_write(const struct history *history, FILE *out,
                  const char *(*endpoint_name)(void *context, uint32_t endpoint),
                  void *context);

#endif
