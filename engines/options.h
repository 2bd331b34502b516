/* Option tables: one place for a word's name, type, unit, default, bounds and documentation.
 *
 * Engines, schemes, actions, workloads, disks, networks declare theirs as a const table of
 * `struct option` that describes a plain struct. The scenario loader fills the struct from YAML
 * (dotted names are nested mappings: "failover.quorum"); `list`, `explain`, the JSON Schema and
 * the reference are printed from the same table. A caller without YAML uses options_default()
 * and sets fields by hand.
 *
 *     struct hash_options { int64_t segment_bytes; };
 *     static const struct option table[] = {
 *         {.name = "segment_size", .type = OPTION_SIZE, .value = "4MiB", .doc = "...",
 *          .offset = offsetof(struct hash_options, segment_bytes), .low = 4096,
 *          .high = 1 << 30},
 *     };
 */
#ifndef FAULTLINE_ENGINES_OPTIONS_H
#define FAULTLINE_ENGINES_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_type {
    OPTION_INT,       /* int64_t; a count: "3" */
    OPTION_SIZE,      /* int64_t bytes: "64MiB", "512B"; B KiB MiB GiB kB MB GB */
    OPTION_DURATION,  /* int64_t ns: "250us", "43s"; ns us ms s m h; the word "never" where low
                         <= -1: -1 */
    OPTION_RATE,      /* int64_t operations per second x 1e6: "22.186/s", "10/m" */
    OPTION_BANDWIDTH, /* int64_t bytes per second: "100MB/s", "1Gbit/s"; "unlimited": 0 */
    OPTION_FRACTION,  /* int64_t parts per million: "0.1%", "200ppm" (drift: may be negative) */
    OPTION_FACTOR,    /* int64_t x 1e6: "10x", "0.8x" */
    OPTION_WORD,      /* int32_t index into words[] */
    OPTION_YESNO,     /* int32_t 0 or 1: "yes", "no" */
    OPTION_STRING,    /* const char *; NULL when absent and no default */
    OPTION_NODE,      /* int32_t index of a data node; also accepts the word `leader` (-2) where
                         extra says so; absent: -1 */
    OPTION_PLACE,     /* int32_t endpoint number of anything that can be named: node, manager,
                         workload, directory, second store; absent: -1 */
    OPTION_PLACES,  /* struct option_list of endpoint numbers; a region's name stands for all in
                       it */
    OPTION_GROUPS,  /* struct option_list of struct option_list: partition groups */
    OPTION_CLASSES, /* uint32_t bit set of message classes: all | replication | control | client
                       | repair, or a list; default all */
    OPTION_DIST,    /* struct dist_text: a distribution over durations, see scenarios/README.md
                       (the simulator's types are not known here) */
    OPTION_NAMES,   /* struct option_names: a list of free strings */
};

struct option_list {
    const void *items;
    uint32_t count;
}; /* const int32_t *, or const struct option_list * for GROUPS */
struct option_names {
    const char *const *items;
    uint32_t count;
};

struct option {
    const char *name; /* "detect", dotted when nested */
    enum option_type type;
    size_t offset;            /* of the field in the struct */
    const char *value;        /* default as in YAML; NULL: required unless optional */
    int64_t low, high;        /* bounds in the field's unit; both 0: none */
    const char *const *words; /* WORD: NULL-terminated, in the order of the enum */
    const char *doc;          /* one line */
    uint32_t flags;
};
#define OPTION_OPTIONAL 1u /* may be absent though value is NULL */
/* NODE, PLACE: the word `leader` is accepted (resolved when the action fires). */
#define OPTION_LEADER 2u
/* Changes no behaviour (documentation keys): exempt from the trace-hash test. */
#define OPTION_INERT 4u
/* SIZE: only powers of two; low and high are powers themselves. A range a..b draws among
 * them. */
#define OPTION_POWER_OF_TWO 8u

/* Fills `target` (size bytes, zeroed first) with the defaults of the scalar types of a table
 * (all but NODE, PLACE(S), GROUPS, DIST, NAMES: those become absent). CHECK-free: a table with
 * a bad default is a bug that the contract test finds. Returns 0 or -EINVAL. */
int options_default(const struct option *table, size_t count, void *target, size_t size);

/* The power of two within the option's bounds that is nearest to value; of two equally near
 * ones the larger. */
int64_t option_power_near(const struct option *option, int64_t value);
/* False: the option wants a power of two, and value is none. */
bool option_power_fits(const struct option *option, int64_t value);

/* Sets the field of one option from text, as a default would be: numbers with bounds, words,
 * strings (borrowed). 0, or -EINVAL with *why as below; the field is untouched then. */
int option_set(const struct option *option, const char *text, void *field, const char **why);

/* Strict parsers of one quantity, shared by options_default and the scenario loader: whole
 * text, one unit, no sign unless allowed, no leading zeros ("010"), no hex, no exponent,
 * overflow detected. 0, or -EINVAL with *why set to a static text that ends a sentence ("needs
 * a unit: ns, us, ms, s, m or h"). */
int quantity_parse(enum option_type type, const char *text, int64_t *value, const char **why);

#endif
