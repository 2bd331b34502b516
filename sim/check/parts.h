/* What the files of this folder share: an index over a history, the order of writes that it
 * forces, and the counting and wording of violations. Private to sim/check.
 *
 * The order of writes. A token takes effect once, at some instant between its invocation and
 * its *end*: its return if acknowledged, never (CHECK_NEVER) if unknown, and in either case no
 * later than the return of the first read that saw it. Write a is *before* write b when end(a)
 * < invoke(b), strictly. That is the only order between writes that any check here believes in;
 * whatever it leaves open, some execution explains.
 */
#ifndef FAULTLINE_SIM_CHECK_PARTS_H
#define FAULTLINE_SIM_CHECK_PARTS_H

#include "sim/check/check.h"
#include "sim/kernel/arena.h"
#include "sim/kernel/check.h"
#include "sim/kernel/vtime.h"

#define CHECK_NEVER INT64_MAX /* end of a write that may take effect at any later time */
#define NO_OP UINT32_MAX

/* ---- the index ---- */

struct index {
    const struct check_input *input;
    const struct history *history;
    const struct history_op *ops;
    uint32_t count, keys; /* operations; interned names (an upper bound of keys) */
    struct index_slot {
        uint64_t token;
        uint32_t op;
    } * tokens;
    uint64_t tokens_mask; /* token -> the operation that writes it; op NO_OP: free */
    int64_t *end_ns;      /* [count] of writes: when it had certainly taken effect */
    uint32_t *seen_by;    /* [count] of writes: the read that returned it first, NO_OP: none */
    uint32_t *seen_key;   /* [count] under which key that read saw it */
};

void index_init(struct index *index, const struct check_input *input);
void index_deinit(struct index *index);
/* The write of a token in the database (never a bind), or NO_OP. */
uint32_t index_writer(const struct index *index, uint64_t token);

/* Iterates over the (key, token) pairs that an operation saw in the database: values of a read,
 * resolve, scan, failed compare_and_set, and what a successful one expected. Token 0 (absent)
 * is not among them. */
struct seen {
    uint32_t at;
};
bool seen_next(const struct history *history, uint32_t op, struct seen *cursor, uint32_t *key,
               uint64_t *token);

/* True for an operation that says which value(s) one key had: a read or resolve answered, or a
 * compare_and_set that failed and showed why. */
bool op_is_read(const struct history_op *op);
/* True for write, delete, compare_and_set, insert. */
bool op_is_write(const struct history_op *op);
/* True for an acknowledgement and for a definite answer about the data (mismatch, held, not
 * found). */
bool op_is_served(const struct history_op *op);
/* False when a value that this write wrote has no business under that key. */
bool write_may_stand_under(const struct history *history, const struct history_op *write,
                           uint32_t key);
bool op_in_window(const struct check_input *input, int64_t return_ns);

/* ---- final state: what stands under each key after quiescence ---- */

/* The final reads of a key: those at level leader if there are any, else all that were
 * answered. */
struct final_state {
    uint32_t *first, *next;  /* chains of operations by key: first[key], next[op]; NO_OP ends */
    int64_t *deleted_end_ns; /* [keys] latest end of a delete that may have taken effect,
                                INT64_MIN: none */
    uint32_t reads;          /* answered final reads in all */
};
void final_init(struct final_state *state, const struct index *index);
void final_deinit(struct final_state *state);

enum fate { FATE_PRESENT, FATE_SUPERSEDED, FATE_LOST, FATE_UNJUDGED };
/* What became of write `op` under `key`; *by: the final read that shows it lost. */
enum fate final_fate(const struct final_state *state, const struct index *index, uint32_t op,
                     uint32_t key, uint32_t *by);

/* ---- an order of operations by return ---- */

/* Indices of the operations that satisfy `wanted`, sorted by (return_ns, index). malloc'ed. */
uint32_t *order_by_return(const struct index *index,
                          bool (*wanted)(const struct history_op *op), uint32_t *count);

/* ---- a map from 64-bit keys to 64-bit values; key UINT64_MAX is reserved ---- */

struct map {
    struct map_slot {
        uint64_t key, value;
    } * slots;
    uint64_t mask, count;
};
void map_init(struct map *map, uint64_t expected);
void map_deinit(struct map *map);
uint64_t *map_find(const struct map *map, uint64_t key);            /* NULL: absent */
uint64_t *map_put(struct map *map, uint64_t key, uint64_t initial); /* finds or adds */

/* ---- counting and wording ---- */

void result_clear(struct check_result *result);
/* Counts one violation that became true at time_ns by operation `op` (NO_OP: none). True when
 * it is the earliest so far: the caller then sets witness and explanation anew. Checks may find
 * violations in any order. */
bool result_violation(struct check_result *result, int64_t time_ns, uint32_t op);
/* Sets the witness to these operations in order of invocation, each once; NO_OP is skipped. */
void result_witness(const struct index *index, struct check_result *result, const uint32_t *ops,
                    uint32_t count);
void result_explain(struct check_result *result, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Appends to the explanation. */
void result_explain_more(struct check_result *result, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Verdict from the count; sorts `violating`. */
void result_end(struct check_result *result);
void result_not_applicable(struct check_result *result);
void result_unknown(struct check_result *result, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Text for explanations: up to 8 results live at a time (a ring of static storage: a process
 * runs one simulation). */
const char *say_time(int64_t ns); /* "1:04.150" */
const char *say_duration(int64_t ns);
const char *say_key(const struct history *history,
                    uint32_t key); /* printable, cut to 40 characters */
const char *say_node(const struct check_input *input,
                     uint32_t endpoint);                 /* "db-a", "node 3", "nobody" */
const char *say_count(uint64_t count, const char *noun); /* "1 write", "550 writes" */
const char *say_counted(uint64_t count, const char *noun, const char *one,
                        const char *many); /* "1 key was", "550 keys were" */
const char *say_value(const struct index *index,
                      uint64_t token); /* "value 17", "the row of owner 17" */

/* ---- the checks, one row each in table.c ---- */

void check_no_lost_write(const struct check_input *input, struct check_result *result);
void check_no_dirty_read(const struct check_input *input, struct check_result *result);
void check_no_invented_value(const struct check_input *input, struct check_result *result);
void check_unique_keys(const struct check_input *input, struct check_result *result);
void check_external_references(const struct check_input *input, struct check_result *result);
void check_private_reads(const struct check_input *input,
                         struct check_result *result); /* a measure, not in check_table */
void check_read_your_writes(const struct check_input *input, struct check_result *result);
void check_monotonic_reads(const struct check_input *input, struct check_result *result);
void check_fencing(const struct check_input *input, struct check_result *result);
void check_single_leader_per_term(const struct check_input *input, struct check_result *result);
void check_single_writer(const struct check_input *input, struct check_result *result);
void check_convergence(const struct check_input *input, struct check_result *result);
void check_availability(const struct check_input *input, struct check_result *result);
/* Consistency models (consistency.c). */
void check_is_linearizable(const struct check_input *input, struct check_result *result);
void check_is_sequential(const struct check_input *input, struct check_result *result);
void check_is_causal_convergent(const struct check_input *input, struct check_result *result);
void check_is_causal_memory(const struct check_input *input, struct check_result *result);
void check_is_causal(const struct check_input *input, struct check_result *result);
void check_is_pram(const struct check_input *input, struct check_result *result);
void check_is_monotonic_writes(const struct check_input *input, struct check_result *result);
void check_is_writes_follow_reads(const struct check_input *input, struct check_result *result);
void check_is_regular(const struct check_input *input, struct check_result *result);
void check_is_safe(const struct check_input *input, struct check_result *result);

#endif
