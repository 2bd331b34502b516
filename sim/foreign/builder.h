/* What the readers of sim/foreign share: names, operations under construction, and the pairing
 * of invocations with completions. Private to sim/foreign. */
#ifndef FAULTLINE_SIM_FOREIGN_BUILDER_H
#define FAULTLINE_SIM_FOREIGN_BUILDER_H

#include "sim/foreign/datum.h"
#include "sim/foreign/foreign.h"
#include "sim/foreign/values.h"

#define NO_OPERATION UINT32_MAX
#define SMALL_NUMBERS 16384 /* keys and processes that are small numbers need no table */

struct builder {
    struct foreign *out;
    const struct foreign_options *options;
    struct history_names *keys, *processes, *threads;
    uint32_t small_keys[SMALL_NUMBERS], small_processes[SMALL_NUMBERS],
        small_threads[SMALL_NUMBERS]; /* id + 1; 0: not met */
    struct value_table *values;
    struct op *items;
    size_t count, capacity;
    uint64_t *elements;
    size_t elements_count, elements_capacity;
    uint32_t *open; /* [threads] its latest open operation, NO_OPERATION */
    size_t open_capacity;
    int64_t position; /* of the next event, in formats without a clock */
    char *scratch;    /* canonical text of a value */
    size_t scratch_size, scratch_capacity;
    uint32_t kinds;                             /* bit set of enum op_kind that occurred */
    bool reads_many, reads_numbers, adds_other; /* shapes of answers: a list or set, a number;
                                                   an added value that is no number */
    bool is_store; /* values are text; get, put and append by a key field: "" is the initial
                      value */
    bool is_text;  /* one of them appends */
    bool has_failed_cas;
};

void builder_init(struct builder *b, const struct foreign_options *options,
                  struct foreign *out);
/* Moves all into the foreign: decides the type, sorts by invoke. */
bool builder_finish(struct builder *b);
void builder_deinit(struct builder *b);
void builder_restart(struct builder *b); /* forgets all that was read */

uint32_t builder_key(struct builder *b, const char *text, size_t size);
uint32_t builder_key_number(struct builder *b, int64_t number);
uint32_t builder_key_datum(struct builder *b, const struct datum *datum);
/* Id of a value of a key, by its text; `is_none`: the initial value. */
uint64_t builder_value(struct builder *b, uint32_t key, const char *text, size_t size);
uint64_t builder_value_datum(struct builder *b, uint32_t key, const struct datum *datum);
uint32_t builder_process(struct builder *b, int64_t number);
uint32_t builder_thread(struct builder *b, int64_t number);
struct op *builder_add(struct builder *b);
void builder_element(struct builder *b, struct op *op, uint64_t value);

/* ---- events: an invocation, and what became of it ---- */

enum event_type { EVENT_INVOKE, EVENT_OK, EVENT_FAIL, EVENT_INFO };

struct event {
    enum event_type type;
    uint32_t
        thread; /* what pairs invocation and completion: the number of the event's process */
    uint32_t process; /* whose order the operation keeps: mostly the same number */
    uint32_t line;
    enum op_kind kind;
    uint32_t key;
    const struct datum *value; /* NULL or nil: it says none */
};
/* False: the error is set. */
bool builder_event(struct builder *b, const struct event *event);

bool builder_fail(struct builder *b, uint32_t line, uint32_t column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* A word that stands where one of words[] should; `all` lists them for people. */
bool builder_unknown(struct builder *b, const struct datum *word, const char *what,
                     const char *const *words, const char *all);
void builder_note(struct builder *b, uint32_t line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- the formats: false with the error set ---- */

bool foreign_read_forms(struct builder *b, enum datum_syntax syntax, const char *text,
                        size_t size);
bool foreign_read_jepsen_log(struct builder *b, const char *text, size_t size);
bool foreign_read_plume(struct builder *b, const char *text, size_t size);
bool foreign_read_awdit(struct builder *b, const char *text, size_t size);
bool foreign_read_dbcop(struct builder *b, const char *text, size_t size);
bool foreign_read_text(struct builder *b, const char *text, size_t size);
/* Not through the builder: the operations and their names are set as they are. */
bool foreign_read_history(struct builder *b, const char *text, size_t size);
void foreign_history_free(struct foreign_history *history);

#endif
