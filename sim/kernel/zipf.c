/* Zipf's law, drawn by rejection-inversion (Hoermann and Derflinger, "Rejection-inversion to
 * generate variates from monotone discrete distributions", ACM TOMACS 6(3), 1996): no table, so
 * a key space of any size costs nothing to set up; at least 3 of 4 draws are accepted. With e
 * the exponent, the density h(x) = x^-e has the integral H(x) = (x^(1-e) - 1) / (1 - e), or log
 * x for e = 1; u is drawn uniformly over the area and x = H^-1(u) is rounded to k, which is
 * taken when x lies in k's own share of the area.
 */
#include "sim/kernel/zipf.h"

#include "sim/kernel/check.h"

#define SERIES_BELOW 1e-4 /* |x| below which a series is closer than the quotient */

/* log(1+x) / x */
static double log1p_ratio(double x)
{
    if (x > -SERIES_BELOW && x < SERIES_BELOW) return 1 - x * (0.5 - x * (1.0 / 3 - x * 0.25));
    return det_log(1 + x) / x;
}

/* (exp(x) - 1) / x */
static double expm1_ratio(double x)
{
    if (x > -SERIES_BELOW && x < SERIES_BELOW)
        return 1 + x * 0.5 * (1 + x * (1.0 / 3) * (1 + x * 0.25));
    return (det_exp(x) - 1) / x;
}

static double zipf_density(const struct zipf *zipf, double x)
{
    return det_exp(-zipf->exponent * det_log(x));
}

static double zipf_integral(const struct zipf *zipf, double x)
{
    double log_x = det_log(x);
    return expm1_ratio((1 - zipf->exponent) * log_x) * log_x;
}

static double zipf_inverse(const struct zipf *zipf, double u)
{
    double t = u * (1 - zipf->exponent);
    if (t < -1) t = -1; /* rounding at the far end */
    if (t == -1) return (double)zipf->count;
    return det_exp(log1p_ratio(t) * u);
}

void zipf_init(struct zipf *zipf, uint64_t count, int64_t exponent_millionths)
{
    CHECK(count >= 1);
    zipf->exponent = (double)exponent_millionths / 1e6;
    zipf->count = count;
    zipf->integral_first = zipf_integral(zipf, 1.5) - 1;
    zipf->integral_last = zipf_integral(zipf, (double)count + 0.5);
    zipf->shortcut = 2 - zipf_inverse(zipf, zipf_integral(zipf, 2.5) - zipf_density(zipf, 2));
}

uint64_t zipf_draw(const struct zipf *zipf, struct rng *rng)
{
    if (zipf->count == 1) return 0;
    for (;;) {
        double unit = rng_unit(rng);
        double u = zipf->integral_last + unit * (zipf->integral_first - zipf->integral_last);
        double x = zipf_inverse(zipf, u);
        uint64_t k = x < 1 ? 1 : (uint64_t)(x + 0.5);
        if (k < 1) k = 1;
        if (k > zipf->count) k = zipf->count;
        if ((double)k - x <= zipf->shortcut ||
            u >= zipf_integral(zipf, (double)k + 0.5) - zipf_density(zipf, (double)k))
            return k - 1;
    }
}
