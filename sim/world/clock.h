/* The clock of a node: a wall clock that is off, drifts and may be stepped, and a monotonic
 * clock that drifts with it and never steps.
 *
 *     struct clock clock;
 *     clock_init(&clock, &(struct clock_config){.offset_ns = 5 * NS_PER_MS, .drift_ppm = 50});
 *     int64_t fires_ns = clock_true_after(&clock, now_ns, 150 * NS_PER_MS);   // a timer
 *     clock_set_drift(&clock, now_ns, -200);
 *     fires_ns = clock_true_at(&clock, its_monotonic_deadline_ns);            // for each one
 *
 * Both readings are exact: floor of the linear function of true time, in integers, continuous
 * when the drift changes. All times are true time unless said otherwise; a reading may be asked
 * for at any time at or after the latest change (cursors of a node run ahead of its events).
 */
#ifndef FAULTLINE_SIM_WORLD_CLOCK_H
#define FAULTLINE_SIM_WORLD_CLOCK_H

#include <stdint.h>

#define CLOCK_DRIFT_PPM_MIN (-999999) /* slower, it would stand or run back */
#define CLOCK_DRIFT_PPM_MAX 9000000   /* ten times as fast as time */

struct clock_config {
    int64_t offset_ns; /* of the wall clock at time 0 */
    int64_t drift_ppm; /* -200000: one fifth too slow; within CLOCK_DRIFT_PPM_MIN and MAX */
};

struct clock {
    int64_t base_ns;             /* true time of the latest change */
    int64_t mono_ns, wall_ns;    /* readings at base */
    int64_t fraction_millionths; /* of a ns, that both are ahead at base: 0 ... 999,999 */
    int64_t drift_ppm;
};

/* At true time 0; the monotonic clock starts at 0. */
void clock_init(struct clock *clock, const struct clock_config *config);
int64_t clock_wall(const struct clock *clock, int64_t true_ns);
int64_t clock_monotonic(const struct clock *clock, int64_t true_ns);
/* The first true time at which the monotonic clock reads `mono_ns` or more; not before the
 * latest change. INT64_MAX when beyond. */
int64_t clock_true_at(const struct clock *clock, int64_t mono_ns);
/* When a timer of `delay_ns` (>= 0) by the monotonic clock ends that is set at true_ns. */
int64_t clock_true_after(const struct clock *clock, int64_t true_ns, int64_t delay_ns);
/* From now on another drift. The caller reschedules pending timers with clock_true_at on their
 * monotonic deadlines. */
void clock_set_drift(struct clock *clock, int64_t now_ns, int64_t drift_ppm);
/* The wall clock jumps, forward or back. */
void clock_step(struct clock *clock, int64_t now_ns, int64_t delta_ns);
/* How far the wall clock is from true time: evidence of skew. */
int64_t clock_skew(const struct clock *clock, int64_t true_ns);

#endif
