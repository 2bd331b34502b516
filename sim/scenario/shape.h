/* The shape of a document: which keys a mapping may hold, what a list holds. One description
 * serves four ends: it judges a tree (all mistakes, with places), it becomes the libcyaml
 * schema that types the text, the JSON Schema that editors use, and the reference that people
 * read.
 *
 *     struct shape *shape = scenario_shape(arena, &choice);
 *     shape_settle(arena, shape, root, &errors);                  // normal form; what does not
 * fit is reported and taken out struct image *image = image_load(shape, root, &errors);     //
 * libcyaml: every scalar as text struct view top = image_view(image); struct view at =
 * view_get(view_at(view_get(top, "timeline"), 2), "at"); if (view_is(at)) ... at.text,
 * at.node->at, at.path ...
 */
#ifndef FAULTLINE_SIM_SCENARIO_SHAPE_H
#define FAULTLINE_SIM_SCENARIO_SHAPE_H

#include "engines/options.h"
#include "sim/scenario/tree.h"

enum shape_kind {
    SHAPE_TEXT, /* one scalar */
    SHAPE_LIST, /* of `entry`; one entry alone may stand for a list of one where single_ok */
    SHAPE_MAP,  /* of `fields`; where short_key is given, anything that is no mapping stands for
                   {short_key: it} */
    SHAPE_ANY,  /* whatever: read from the tree (values of variants.set) */
};

struct shape_field {
    const char *key;
    struct shape *shape;
    const struct option *option; /* the row that declares it, or NULL */
    const char *doc;             /* one line */
    const char *value;           /* default as text, NULL none */
    bool required; /* for the JSON Schema and the reference; judged when the plan is made */
    bool inert;    /* changes no behaviour */
};

struct shape {
    enum shape_kind kind;
    const struct option *option; /* TEXT: type, words and bounds; NULL: free text */
    const char *what;    /* word for messages: "action" -> "unknown action 'x'"; NULL: "key" */
    const char *pattern; /* TEXT without option: for the JSON Schema */
    struct shape_field *fields;
    uint32_t count, capacity; /* MAP, in the order of the reference */
    const char *short_key;    /* MAP */
    bool open; /* MAP: unknown keys are dropped without a word (their owner is unknown and was
                  reported) */
    bool null_ok;          /* MAP: `key:` alone is the empty mapping */
    struct shape *any_key; /* MAP: shape of keys that fields[] does not name (JSON Schema only:
                              libcyaml has no such thing) */
    struct shape *entry;
    bool single_ok;                   /* LIST */
    void *cyaml_fields, *cyaml_entry; /* the libcyaml schema, made on first use */
};

struct shape *shape_text(struct arena *arena, const struct option *option);
struct shape *shape_list(struct arena *arena, struct shape *entry, bool single_ok);
struct shape *shape_map(struct arena *arena, const char *what);
struct shape_field *shape_add(struct arena *arena, struct shape *map, const char *key,
                              struct shape *shape, const char *doc);
/* Adds the rows of an option table; dotted names become nested mappings. `dist`: the shape of
 * distributions. */
void shape_add_options(struct arena *arena, struct shape *map, const struct option *table,
                       size_t count, struct shape *dist);
const struct shape_field *shape_find(const struct shape *map, const char *key);

/* Brings the tree into normal form and judges it. place: the path of node. Returns false when
 * node itself does not fit (its owner drops it). */
bool shape_settle(struct arena *arena, const struct shape *shape, struct tree_node *node,
                  const char *place, struct error_list *errors);

/* ---- the typed image ---- */

struct image;
/* node must be settled. NULL when libcyaml refuses what shape_settle accepted (reported with
 * its words). */
struct image *image_load(struct arena *arena, struct shape *shape, struct tree_node *node,
                         struct error_list *errors);
void image_destroy(struct image *image);

/* A place in the image and in the tree at once. Absent: node NULL. */
struct view {
    const struct shape *shape;
    const struct tree_node *node; /* where it stands */
    const void
        *data; /* what libcyaml made of it: char *, slots of a mapping, entries of a list */
    const char *text;    /* TEXT: libcyaml's */
    const char *path;    /* "timeline[2].at" */
    uint32_t count;      /* LIST: entries */
    struct arena *arena; /* for paths */
};
struct view image_view(const struct image *image);
static inline bool view_is(struct view view)
{
    return view.node != NULL;
}
/* `key` may be dotted. The absent view when there is none. */
struct view view_get(struct view map, const char *key);
struct view view_at(struct view list, uint32_t index);

#endif
