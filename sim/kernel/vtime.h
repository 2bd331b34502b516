/* Virtual time: int64 nanoseconds since the start of the run. */
#ifndef FAULTLINE_SIM_KERNEL_VTIME_H
#define FAULTLINE_SIM_KERNEL_VTIME_H

#include <stddef.h>
#include <stdint.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)
#define VTIME_MAX INT64_MAX

/* Writes `ns` as m:ss.mmm ("8:00.000"), always with a NUL; returns out. */
char *vtime_format(int64_t ns, char *out, size_t out_size);
/* Writes a duration with the largest unit that is exact to 3 significant decimals: "43s",
 * "250us", "1.5ms", "12m". */
char *duration_format(int64_t ns, char *out, size_t out_size);

/* The same for people: rounded to 4 significant digits first ("123.5ms", "119.4s"). */
char *duration_say(int64_t ns, char *out, size_t out_size);

#endif
