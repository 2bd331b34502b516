/* How long tests run: a sample in `make check`, in full in `make soak` (FAULTLINE_SOAK), either
 * times SCALE, which may be a fraction. Never less than one. */
#ifndef FAULTLINE_TESTS_SUPPORT_SCALE_H
#define FAULTLINE_TESTS_SUPPORT_SCALE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

static inline bool test_is_soak(void)
{
    return getenv("FAULTLINE_SOAK") != NULL;
}

static inline double test_scale(void)
{
    const char *text = getenv("SCALE");
    double scale = text && *text ? strtod(text, NULL) : 1;
    return scale > 0 ? scale : 1;
}

/* `quick` rounds in check, `full` in soak, times SCALE. */
static inline uint64_t test_scaled(uint64_t quick, uint64_t full)
{
    double rounds = (double)(test_is_soak() ? full : quick) * test_scale();
    return rounds < 1 ? 1 : (uint64_t)rounds;
}

#endif
