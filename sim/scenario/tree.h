/* A YAML document as a tree in which every node knows where it stands; and the errors of a
 * file, all of them, in order of position.
 *
 *     struct error_list errors = {.file = path};
 *     struct tree_node *root = tree_parse(arena, text, size, NULL, &errors);      // NULL: no
 * document; errors say why
 *
 * The tree is the first of the two passes over a scenario (DESIGN 8): it rejects what no
 * scenario may be (scenario/tree.c lists it) and remembers line and column, which libcyaml does
 * not.
 */
#ifndef FAULTLINE_SIM_SCENARIO_TREE_H
#define FAULTLINE_SIM_SCENARIO_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/kernel/nearest.h"
#include "sim/kernel/arena.h"

#define TREE_BYTES_MAX                                                                         \
    (1u << 20)                 /* a scenario larger than 1 MiB is a mistake, or an attack      \
                                */
#define TREE_NODES_MAX 100000u /* after aliases are expanded */
#define TREE_DEPTH_MAX 32u

/* ---- errors ---- */

/* Where text stands: origin NULL is the file, else what the error names in its place ("--set
 * replication.leader=db-x"). */
struct position {
    const char *origin;
    int line, column;
};

struct error {
    struct position at;
    char *place;
    char *message;
}; /* all three owned */
struct error_list {
    struct error *items;
    size_t count, capacity;
    bool more; /* the first 100 are kept */
};

/* place: dotted path in the document ("timeline[2].at"), "" for none. Copies. */
void errors_add(struct error_list *errors, struct position at, const char *place,
                const char *format, ...) __attribute__((format(printf, 4, 5)));
bool errors_contain(const struct error_list *errors, const struct error *error);
/* By origin (the file first), line, column, then order of arrival. */
void errors_sort(struct error_list *errors);
void errors_deinit(struct error_list *errors);

/* ---- tree ---- */

enum tree_kind { TREE_TEXT, TREE_LIST, TREE_MAP };
extern const char *const tree_kind_words[]; /* "one value", "a list", "a mapping" */

struct tree_node;
struct tree_entry {
    const char *key;    /* lists: NULL */
    struct position at; /* of the key, or of the entry */
    struct tree_node *value;
    uint32_t number; /* as the writer counts: stays when others are removed */
};
struct tree_node {
    enum tree_kind kind;
    bool is_null; /* TEXT: plain and empty, ~ or null */
    struct position at;
    const char *text;           /* TEXT */
    struct tree_entry *entries; /* LIST, MAP */
    uint32_t count, capacity;
    struct tree_bad
        *bad; /* MAP: keys that were reported and taken out: they are wrong, not missing */
};
struct tree_bad {
    const char *key;
    struct tree_bad *next;
}; /* key "*": any */

/* Takes out an entry that was reported; key: what it was meant to be, NULL unknown. */
void tree_drop(struct arena *arena, struct tree_node *node, uint32_t index, const char *key);
/* True if `key` is absent and nothing that was taken out was meant to be it: time to say that
 * it is missing. */
bool tree_misses(const struct tree_node *node, const char *key);

struct tree_node *tree_parse(struct arena *arena, const char *text, size_t size,
                             const char *origin, struct error_list *errors);
struct tree_node *tree_copy(struct arena *arena, const struct tree_node *node);
struct tree_node *tree_text(struct arena *arena, struct position at, const char *text);
struct tree_node *tree_collection(struct arena *arena, enum tree_kind kind, struct position at);

/* The value under a key of a MAP, NULL when absent (or node is NULL or no MAP). */
struct tree_node *tree_get(const struct tree_node *node, const char *key);
struct tree_entry *tree_entry_find(const struct tree_node *node, const char *key);
/* The text under a key; NULL when absent, null or no TEXT. */
const char *tree_get_text(const struct tree_node *node, const char *key);
void tree_append(struct arena *arena, struct tree_node *node, const char *key,
                 struct position at, struct tree_node *value);
void tree_remove(struct tree_node *node, uint32_t index);

/* Flow YAML of a node, on one line. quote_all: every scalar in double quotes, nulls as "" (what
 * libcyaml is given). */
char *tree_write(struct arena *arena, const struct tree_node *node, bool quote_all);

#endif
