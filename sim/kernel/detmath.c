/* Deterministic mathematics: log, exp, pow, sqrt and the normal quantile from additions,
 * multiplications and divisions of IEEE doubles.
 *
 * libm is correctly rounded nowhere and differs between versions; a run may not depend on it.
 * Every operation here is one that IEEE 754 rounds in exactly one way, and the build forbids
 * contraction and reassociation, so the results are the same bits on every machine. The methods
 * are the classic ones (argument reduction to a small interval, then a series), with Taylor
 * coefficients, that is fractions which anyone can check, rather than fitted ones: a few terms
 * more for no mystery.
 *
 * Accuracy: log and exp within 1 ulp, pow within 2 ulp (its logarithm is kept in two doubles,
 * since the exponent multiplies its error), sqrt correctly rounded, normal quantile
 * within 1.2e-9 relative (Acklam's approximation, without its refinement step).
 * tests/kernel/test_random measures all of them.
 */
#include "sim/kernel/random.h"

#include <string.h>

/* ---- taking doubles apart ---- */

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static double of_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

#define INFINITE of_bits(UINT64_C(0x7FF0000000000000))
#define NOT_A_NUMBER of_bits(UINT64_C(0x7FF8000000000000))

/* x = result * 2^*exponent, result in [sqrt(1/2), sqrt(2)); x > 0 and finite. */
static double reduce(double x, int *exponent)
{
    int k = 0;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        k = -54;
    }
    uint64_t bits = bits_of(x);
    k += (int)(bits >> 52) - 1023;
    double m = of_bits((bits & UINT64_C(0x000FFFFFFFFFFFFF)) | UINT64_C(0x3FF0000000000000));
    if (m > 1.4142135623730951) {
        m *= 0.5;
        k++;
    }
    *exponent = k;
    return m;
}

/* ln 2 in three parts; the first two end in zeros, so that their products with an exponent are
 * exact. */
#define LN2_HIGH 0x1.62e42fee00000p-1
#define LN2_LOW 0x1.a39ef35793c76p-33
#define LN2_LOW_HIGH 0x1.a39ef35780000p-33
#define LN2_LOW_LOW 0x1.3c7673007e5edp-69

/* ---- logarithm ---- */

double det_log(double x)
{
    if (!(x > 0)) return x == 0 ? -INFINITE : NOT_A_NUMBER;
    if (x == INFINITE) return x;
    int k;
    double f = reduce(x, &k) - 1.0;
    /* log(1+f) = 2 atanh(s), s = f/(2+f), |s| < 0.1716; and 2s = f - s f, so the leading term
     * is exact. R = 2 s^2/3 + 2 s^4/5 + ... */
    double s = f / (2.0 + f), z = s * s;
    double r =
        z * (2.0 / 3 +
             z * (2.0 / 5 +
                  z * (2.0 / 7 +
                       z * (2.0 / 9 +
                            z * (2.0 / 11 +
                                 z * (2.0 / 13 +
                                      z * (2.0 / 15 +
                                           z * (2.0 / 17 +
                                                z * (2.0 / 19 +
                                                     z * (2.0 / 21 + z * (2.0 / 23)))))))))));
    double half_square = 0.5 * f * f;
    return (double)k * LN2_HIGH -
           ((half_square - (s * (half_square + r) + (double)k * LN2_LOW)) - f);
}

/* ---- exponential ---- */

static double scale(double x, int k)
{
    if (k > 1023) {
        x *= 0x1p1023;
        k -= 1023;
    } else if (k < -1022) {
        /* Two steps, of which only the last may round into the subnormals. */
        x *= 0x1p-969;
        k += 969;
        if (k < -1022)
            return x * of_bits((uint64_t)(k + 1023 + 53 > 0 ? k + 1023 + 53 : 0) << 52) *
                   0x1p-53;
    }
    return x * of_bits((uint64_t)(k + 1023) << 52);
}

/* exp(high + low), |low| tiny beside high. */
static double exp_of_sum(double high, double low)
{
    if (high != high) return high;
    if (high > 709.79) return INFINITE;
    if (high < -745.2) return 0.0;
    int k = (int)(high * 1.4426950408889634 + (high < 0 ? -0.5 : 0.5));
    double rest_high = high - (double)k * LN2_HIGH, rest_low = (double)k * LN2_LOW - low;
    double r = rest_high - rest_low;
    double lost = (rest_high - r) - rest_low; /* what r lost by rounding */
    /* e^r = 1 + r + r^2 (1/2! + r/3! + ...), |r| <= 0.3466: the term in r^14 is below 2^-57. */
    double p =
        1.0 / 2 +
        r * (1.0 / 6 +
             r * (1.0 / 24 +
                  r * (1.0 / 120 +
                       r * (1.0 / 720 +
                            r * (1.0 / 5040 +
                                 r * (1.0 / 40320 +
                                      r * (1.0 / 362880 +
                                           r * (1.0 / 3628800 +
                                                r * (1.0 / 39916800 +
                                                     r * (1.0 / 479001600 +
                                                          r * (1.0 / 6227020800.0)))))))))));
    return scale(1.0 + (r + (r * r * p + lost * (1.0 + r))), k);
}

double det_exp(double x)
{
    return exp_of_sum(x, 0.0);
}

/* ---- power ---- */

struct pair {
    double high, low;
}; /* the unevaluated sum of two doubles: about 106 bits */

static struct pair sum_exact(double a, double b)
{
    double s = a + b, part = s - a;
    return (struct pair){s, (a - (s - part)) + (b - part)};
}

/* a * b exactly (Dekker 1971, with Veltkamp's split; no fused multiply-add, which would be
 * libm's on old machines). */
static struct pair product_exact(double a, double b)
{
    double ta = a * 134217729.0, tb = b * 134217729.0;
    double ah = ta - (ta - a), al = a - ah, bh = tb - (tb - b), bl = b - bh;
    double p = a * b;
    return (struct pair){p, ((ah * bh - p) + ah * bl + al * bh) + al * bl};
}

static struct pair pair_times(struct pair a, struct pair b)
{
    struct pair p = product_exact(a.high, b.high);
    return sum_exact(p.high, p.low + (a.high * b.low + a.low * b.high));
}

static struct pair pair_plus(struct pair a, struct pair b)
{
    struct pair s = sum_exact(a.high, b.high);
    return sum_exact(s.high, s.low + (a.low + b.low));
}

/* log x to about 2^-66 relative. */
static struct pair log_pair(double x)
{
    int k;
    double f = reduce(x, &k) - 1.0;
    struct pair below = sum_exact(2.0, f);
    double q = f / below.high;
    struct pair back = product_exact(q, below.high);
    struct pair s = sum_exact(q, (((f - back.high) - back.low) - q * below.low) / below.high);
    struct pair z = pair_times(s, s);
    double tail =
        z.high * z.high *
        (2.0 / 5 +
         z.high *
             (2.0 / 7 +
              z.high *
                  (2.0 / 9 +
                   z.high *
                       (2.0 / 11 +
                        z.high *
                            (2.0 / 13 +
                             z.high *
                                 (2.0 / 15 +
                                  z.high * (2.0 / 17 +
                                            z.high * (2.0 / 19 +
                                                      z.high * (2.0 / 21 +
                                                                z.high * (2.0 / 23))))))))));
    struct pair two_thirds = {0x1.5555555555555p-1, 0x1.5555555555555p-55};
    struct pair series = pair_plus(pair_times(z, two_thirds),
                                   sum_exact(tail, 0.0)); /* log(1+f) = 2s + s * series */
    struct pair log_m =
        pair_plus((struct pair){2.0 * s.high, 2.0 * s.low}, pair_times(s, series));
    double n = (double)k;
    struct pair log_2 = sum_exact(n * LN2_HIGH, n * LN2_LOW_HIGH);
    log_2 = sum_exact(log_2.high, log_2.low + n * LN2_LOW_LOW);
    return pair_plus(log_2, log_m);
}

double det_pow(double x, double y)
{
    if (y == 0 || x == 1.0) return 1.0;
    if (!(x > 0) || y != y) return x == 0 ? (y > 0 ? 0.0 : INFINITE) : NOT_A_NUMBER;
    double rough = det_log(x) * y;
    if (!(rough < 720.0)) return INFINITE;
    if (rough < -760.0) return 0.0;
    struct pair l = log_pair(x);
    struct pair p = product_exact(l.high, y);
    struct pair e = sum_exact(p.high, p.low + l.low * y);
    return exp_of_sum(e.high, e.low);
}

/* ---- square root ---- */

double det_sqrt(double x)
{
    if (!(x > 0) || x == INFINITE) return x == 0 || x == INFINITE ? x : NOT_A_NUMBER;
    int k = 0;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        k = -54;
    }
    uint64_t bits = bits_of(x);
    k += (int)(bits >> 52) - 1075; /* x = mantissa * 2^k */
    uint64_t mantissa = (bits & UINT64_C(0x000FFFFFFFFFFFFF)) | UINT64_C(0x0010000000000000);
    if (k & 1) {
        mantissa <<= 1;
        k--;
    }
    /* The integer root of mantissa * 2^54 has 54 bits: one more than fit, which says how to
     * round (an exact tie cannot happen). */
    unsigned __int128 value = (unsigned __int128)mantissa << 54, root = 0;
    for (unsigned __int128 bit = (unsigned __int128)1 << 106; bit; bit >>= 2) {
        if (value >= root + bit) {
            value -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    uint64_t rounded = ((uint64_t)root + 1) >> 1;
    return (double)rounded * of_bits((uint64_t)(k / 2 - 26 + 1023) << 52);
}

/* ---- normal quantile ---- */

double det_normal(double u)
{
    /* P. J. Acklam, "An algorithm for computing the inverse normal cumulative distribution
     * function", 2003. */
    static const double a[] = {-3.969683028665376e+01, 2.209460984245205e+02,
                               -2.759285104469687e+02, 1.383577518672690e+02,
                               -3.066479806614716e+01, 2.506628277459239e+00};
    static const double b[] = {-5.447609879822406e+01, 1.615858368580409e+02,
                               -1.556989798598866e+02, 6.680131188771972e+01,
                               -1.328068155288572e+01};
    static const double c[] = {-7.784894002430293e-03, -3.223964580411365e-01,
                               -2.400758277161838e+00, -2.549732539343734e+00,
                               4.374664141464968e+00,  2.938163982698783e+00};
    static const double d[] = {7.784695709041462e-03, 3.224671290700398e-01,
                               2.445134137142996e+00, 3.754408661907416e+00};
    const double low = 0.02425;
    if (u >= low && u <= 1.0 - low) {
        double q = u - 0.5, r = q * q;
        return (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q /
               (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1.0);
    }
    double tail = u < 0.5 ? u : 1.0 - u;
    double q = det_sqrt(-2.0 * det_log(tail));
    double x = (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) /
               ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1.0);
    return u < 0.5 ? x : -x;
}
