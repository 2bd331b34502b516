/* The words of operations.h. */
#include "sim/check/operations.h"

const char *const object_type_words[] = {"register", "set",  "counter", "queue",
                                         "list",     "text", "lock",    NULL};
_Static_assert(sizeof object_type_words / sizeof object_type_words[0] == OBJECT_TYPES + 1,
               "a word for every type");

const char *const op_kind_words[] = {
    "read",    "write",   "compare_and_set", "insert",  "delete",  "add", "remove",
    "enqueue", "dequeue", "append",          "acquire", "release", NULL};
_Static_assert(sizeof op_kind_words / sizeof op_kind_words[0] == OP_KINDS + 1,
               "a word for every kind");
