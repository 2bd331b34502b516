/* Zipf's law over 0 .. count - 1: rank r is drawn in proportion to 1 / (r + 1)^exponent.
 *
 *     struct zipf zipf;
 *     zipf_init(&zipf, 1000, 990000);           // exponent 0.99
 *     uint64_t rank = zipf_draw(&zipf, &rng);   // 0 is the most frequent
 */
#ifndef FAULTLINE_SIM_KERNEL_ZIPF_H
#define FAULTLINE_SIM_KERNEL_ZIPF_H

#include "sim/kernel/random.h"

struct zipf {
    uint64_t count;
    double exponent;       /* e */
    double integral_first; /* H(1.5) - 1: where the first rank's area begins */
    double integral_last;  /* H(count + 0.5) */
    double shortcut;       /* a k closer to x than this is taken without computing H */
};

/* count >= 1; exponent_millionths >= 0, in millionths. */
void zipf_init(struct zipf *zipf, uint64_t count, int64_t exponent_millionths);
uint64_t zipf_draw(const struct zipf *zipf, struct rng *rng);

#endif
