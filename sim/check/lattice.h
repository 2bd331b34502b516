/* Which models of the table a history keeps: one answer that says where it stands. */
#ifndef FAULTLINE_SIM_CHECK_LATTICE_H
#define FAULTLINE_SIM_CHECK_LATTICE_H

#include "sim/check/models.h"

#define LATTICE_MAX 32

enum lattice_state {
    LATTICE_HOLDS,
    LATTICE_IMPLIED,
    LATTICE_VIOLATED,
    LATTICE_UNKNOWN,
    LATTICE_UNSUITED /* not defined for this type, or without real time */
};
extern const char *const lattice_state_words[];

struct lattice {
    uint32_t count; /* of the models of model_table, in its order */
    enum lattice_state states[LATTICE_MAX];
    struct model_verdict verdicts[LATTICE_MAX]; /* of those that were judged */
    uint32_t strongest[LATTICE_MAX]; /* numbers of models that hold and that no other model
                                        that holds implies */
    uint32_t strongest_count;
};

/* Judges from the strongest on; what a model that holds implies is not judged again. */
void lattice_judge(struct lattice *lattice, const struct ops *operations,
                   const struct model_limits *limits);
void lattice_deinit(struct lattice *lattice);

/* Where each key, or each client, stands by itself (lattice.c says what that means). */
enum lattice_part { LATTICE_BY_KEY, LATTICE_BY_CLIENT };

struct lattice_parts {
    struct lattice_place {
        uint32_t strongest; /* bit set of models, as lattice.strongest; 0: none held */
        bool is_unknown;    /* some model was not decided */
        uint32_t *ids;      /* the keys or processes that stand here, ascending */
        uint32_t count;
    } * places; /* the fullest first */
    uint32_t places_count;
    uint32_t unjudged; /* parts left out: it would have taken too long */
};
void lattice_judge_parts(struct lattice_parts *parts, const struct ops *operations,
                         const struct model_limits *limits, enum lattice_part by);
void lattice_parts_deinit(struct lattice_parts *parts);

#endif
