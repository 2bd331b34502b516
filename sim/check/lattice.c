/* Which models a history keeps. model_table stands in an order in which a model comes before
 * all that it implies, so one pass is enough. bounded-staleness is a measure with bounds, not a
 * place in the lattice: it is left out. */
#include "sim/check/lattice.h"

#include <string.h>

#include "sim/kernel/check.h"

const char *const lattice_state_words[] = {"holds", "holds (implied)", "violated", "unknown",
                                           "not judged"};

static uint32_t model_number(const char *name)
{
    const struct model *model = model_find(name);
    CHECK(model);
    return (uint32_t)(model - model_table);
}

static bool stands(const struct lattice *lattice, uint32_t model)
{
    return lattice->states[model] == LATTICE_HOLDS || lattice->states[model] == LATTICE_IMPLIED;
}

static bool is_suited(const struct model *model, const struct ops *operations)
{
    return model->types & 1u << operations->type &&
           (!model->needs_real_time || operations->has_real_time) &&
           strcmp(model->name, "bounded-staleness") != 0;
}

void lattice_judge(struct lattice *lattice, const struct ops *operations,
                   const struct model_limits *limits)
{
    memset(lattice, 0, sizeof *lattice);
    bool is_implied[LATTICE_MAX] = {false}, is_topped[LATTICE_MAX] = {false};
    for (const struct model *m = model_table; m->name; m++) {
        uint32_t i = lattice->count++;
        CHECK(i < LATTICE_MAX);
        if (!is_suited(m, operations)) {
            lattice->states[i] = LATTICE_UNSUITED;
            continue;
        }
        if (is_implied[i]) {
            lattice->states[i] = LATTICE_IMPLIED;
        } else {
            model_check(m, operations, limits, &lattice->verdicts[i]);
            static const enum lattice_state states[] = {
                [MODEL_HOLDS] = LATTICE_HOLDS,
                [MODEL_VIOLATED] = LATTICE_VIOLATED,
                [MODEL_UNKNOWN] = LATTICE_UNKNOWN,
            };
            lattice->states[i] = states[lattice->verdicts[i].outcome];
        }
        for (const char *const *name = m->implies; stands(lattice, i) && *name; name++) {
            uint32_t weaker = model_number(*name);
            CHECK(weaker > i);
            is_implied[weaker] = is_topped[weaker] = true;
        }
    }
    for (uint32_t i = 0; i < lattice->count; i++)
        if (stands(lattice, i) && !is_topped[i])
            lattice->strongest[lattice->strongest_count++] = i;
}

void lattice_deinit(struct lattice *lattice)
{
    for (uint32_t i = 0; i < lattice->count; i++) model_verdict_deinit(&lattice->verdicts[i]);
}
