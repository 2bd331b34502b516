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

#endif
