/* A node's clock, in 128 bits, rounded down once at the end:
 *     reading(t) = reading(base) + (t - base) * (1,000,000 + drift) / 1,000,000
 *
 * Invariants
 *   I1  A change of drift keeps the fraction of a nanosecond, so readings are continuous and a
 *       thousand changes lose nothing.
 *   I2  clock_true_at is the exact inverse: t = clock_true_at(m) is the least t >= base with
 *       clock_monotonic(t) >= m.
 *   I3  The monotonic clock never falls: 1,000,000 + drift > 0 is a CHECK.
 * Readings beyond int64 (ten times true time after 29 years) saturate.
 */
#include "sim/world/clock.h"

#include "sim/kernel/check.h"

#define MILLION 1000000

static int64_t saturate(__int128 ns)
{
    return ns > INT64_MAX ? INT64_MAX : ns < INT64_MIN ? INT64_MIN : (int64_t)ns;
}

/* Millionths of a ns that both clocks have moved since base, the fraction at base included. */
static __int128 moved(const struct clock *clock, int64_t true_ns)
{
    CHECK(true_ns >= clock->base_ns);
    return (__int128)(true_ns - clock->base_ns) * (MILLION + clock->drift_ppm) +
           clock->fraction_millionths;
}

void clock_init(struct clock *clock, const struct clock_config *config)
{
    CHECK(config->drift_ppm >= CLOCK_DRIFT_PPM_MIN &&
          config->drift_ppm <= CLOCK_DRIFT_PPM_MAX); /* I3 */
    *clock = (struct clock){.wall_ns = config->offset_ns, .drift_ppm = config->drift_ppm};
}

int64_t clock_wall(const struct clock *clock, int64_t true_ns)
{
    return saturate(clock->wall_ns + moved(clock, true_ns) / MILLION);
}

int64_t clock_monotonic(const struct clock *clock, int64_t true_ns)
{
    return saturate(clock->mono_ns + moved(clock, true_ns) / MILLION);
}

int64_t clock_true_at(const struct clock *clock, int64_t mono_ns)
{
    __int128 rate = MILLION + clock->drift_ppm;
    __int128 needed =
        ((__int128)mono_ns - clock->mono_ns) * MILLION - clock->fraction_millionths;
    return needed <= 0 ? clock->base_ns
                       : saturate(clock->base_ns + (needed + rate - 1) / rate); /* I2 */
}

int64_t clock_true_after(const struct clock *clock, int64_t true_ns, int64_t delay_ns)
{
    CHECK(delay_ns >= 0);
    int64_t end_ns =
        clock_true_at(clock, saturate((__int128)clock_monotonic(clock, true_ns) + delay_ns));
    return end_ns > true_ns ? end_ns : true_ns;
}

void clock_set_drift(struct clock *clock, int64_t now_ns, int64_t drift_ppm)
{
    CHECK(drift_ppm >= CLOCK_DRIFT_PPM_MIN && drift_ppm <= CLOCK_DRIFT_PPM_MAX); /* I3 */
    __int128 since = moved(clock, now_ns);
    clock->mono_ns = saturate(clock->mono_ns + since / MILLION);
    clock->wall_ns = saturate(clock->wall_ns + since / MILLION);
    clock->fraction_millionths = (int64_t)(since % MILLION); /* I1 */
    clock->base_ns = now_ns;
    clock->drift_ppm = drift_ppm;
}

void clock_step(struct clock *clock, int64_t now_ns, int64_t delta_ns)
{
    clock_set_drift(clock, now_ns, clock->drift_ppm);
    clock->wall_ns = saturate((__int128)clock->wall_ns + delta_ns);
}

int64_t clock_skew(const struct clock *clock, int64_t true_ns)
{
    return saturate((__int128)clock_wall(clock, true_ns) - true_ns);
}
