/* Operations on named objects, as any client anywhere may have recorded them: what the
 * consistency models of models.h judge. Ours are converted (operations_of_history); foreign
 * files are read by sim/foreign.
 *
 * One operation is one call on one key. Its interval is (invoke, complete); completion
 * OP_OPEN: it never returned, and may take effect at any later time or never. Precedence
 * is strict: a precedes b when a.complete < b.invoke; operations that touch are concurrent.
 * Where a source has no clock, positions in the file are the times.
 *
 * Values are ids: VALUE_NONE is the initial value (absent, nil, 0, "" - as the source has it).
 * Under one key equal ids are equal values; an id belongs to one key (17 under x and 17 under y
 * have two), VALUE_NONE to all. A list or set that was read is a slice of elements[].
 */
#ifndef FAULTLINE_SIM_CHECK_OPERATIONS_H
#define FAULTLINE_SIM_CHECK_OPERATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/kernel/arena.h"

#define OP_OPEN INT64_MAX
#define VALUE_NONE UINT64_C(0)

/* What the object under a key is. */
enum object_type {
    OBJECT_REGISTER, /* read, write, compare_and_set; insert and delete too */
    OBJECT_SET,      /* add, remove, read (all elements) */
    OBJECT_COUNTER,  /* add (a signed amount), read */
    OBJECT_QUEUE,    /* enqueue, dequeue */
    OBJECT_LIST,     /* append, read (all elements) */
    OBJECT_TEXT,     /* get, put, append of strings; VALUE_NONE is "" */
    OBJECT_LOCK,     /* acquire, release */
    OBJECT_TYPES
};
extern const char *const object_type_words[]; /* "register", "set", ..., NULL */

enum op_kind {
    OP_READ,
    OP_WRITE,
    OP_COMPARE_AND_SET, /* expected -> value */
    OP_INSERT,          /* a write that demands absence: compare_and_set of VALUE_NONE */
    OP_DELETE,          /* a write of VALUE_NONE */
    OP_ADD,             /* set: value is the element; counter: `amount` */
    OP_REMOVE,
    OP_ENQUEUE,
    OP_DEQUEUE, /* value: what came out; VALUE_NONE: the queue was empty */
    OP_APPEND,
    OP_ACQUIRE,
    OP_RELEASE,
    OP_KINDS
};
extern const char *const op_kind_words[];

enum op_result {
    RESULT_OK,
    RESULT_FAIL,    /* answered, and the answer says something of the state: a compare_and_set
                       that saw another value (`value_seen` when it said which), an insert of
                       what is there, a delete or remove of what is not */
    RESULT_UNKNOWN, /* never answered, or in doubt: complete is OP_OPEN */
    RESULT_VOID     /* certainly did not happen: constrains nothing, kept for pictures */
};

struct op {
    int64_t invoke, complete;
    uint64_t value;    /* written, added, enqueued, appended; a read's or dequeue's answer */
    uint64_t expected; /* compare_and_set */
    uint64_t seen;     /* RESULT_FAIL with has_seen: the value that was there */
    int64_t amount;    /* counter: added, or read */
    uint32_t key, process;
    uint32_t line;            /* of its invocation in the source, from 1 */
    uint32_t elements, count; /* a list or set that was read: elements[elements..+count) */
    uint8_t kind, result;
    bool has_seen;
};

struct ops {
    struct op *items; /* in order of invoke, ties as in the source */
    size_t count;
    uint64_t *elements; /* value ids */
    size_t elements_count;
    uint32_t keys, processes; /* ids are below these */
    uint64_t values;          /* likewise; id 0 is VALUE_NONE */
    bool has_clock;           /* times are ns; else positions in the file */
    bool has_real_time;       /* intervals say what preceded what; else only the order within a
                                 process is known */
    enum object_type type;
    /* Names for people; NULL where the source has none. Of OBJECT_TEXT the value's name is
     * the string itself. */
    const char *(*key_name)(void *context, uint32_t key);
    const char *(*value_name)(void *context, uint64_t value);
    const char *(*process_name)(void *context, uint32_t process);
    void *names;
};

#endif
