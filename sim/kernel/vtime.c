/* Texts of virtual time. Integer arithmetic only: the same text everywhere. Moments are cut,
 * not rounded: a moment is never shown before it has come. */
#include "sim/kernel/vtime.h"

#include <inttypes.h>
#include <stdio.h>

/* Magnitude without the overflow of -INT64_MIN. */
static uint64_t magnitude(int64_t value)
{
    return value < 0 ? ~(uint64_t)value + 1 : (uint64_t)value;
}

char *vtime_format(int64_t ns, char *out, size_t out_size)
{
    uint64_t ms = magnitude(ns) / (uint64_t)NS_PER_MS;
    snprintf(out, out_size, "%s%" PRIu64 ":%02u.%03u", ns < 0 ? "-" : "", ms / 60000,
             (unsigned)(ms / 1000 % 60), (unsigned)(ms % 1000));
    return out;
}

char *duration_format(int64_t ns, char *out, size_t out_size)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {
        {"m", 60 * (uint64_t)NS_PER_S},
        {"s", NS_PER_S},
        {"ms", NS_PER_MS},
        {"us", NS_PER_US},
        {"ns", 1},
    };
    uint64_t value = magnitude(ns);
    const char *sign = ns < 0 ? "-" : "";
    if (value == 0) {
        snprintf(out, out_size, "0s");
        return out;
    }
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        uint64_t whole = value / units[i].ns, rest = value % units[i].ns;
        /* Minutes are shown whole or halved (12m, 1.5m); 45s is not said as 0.75m, nor 61.2s
         * as 1.02m. */
        uint64_t steps = i == 0 ? 2 : 1000;
        if (whole == 0 || rest % (units[i].ns >= steps ? units[i].ns / steps : 1) != 0)
            continue;
        unsigned milli = (unsigned)(rest * 1000 / units[i].ns);
        char digits[8];
        int count = snprintf(digits, sizeof digits, ".%03u", milli);
        while (count > 0 && (digits[count - 1] == '0' || digits[count - 1] == '.'))
            digits[--count] = '\0';
        snprintf(out, out_size, "%s%" PRIu64 "%s%s", sign, whole, digits, units[i].name);
        return out;
    }
    return out; /* not reached: every value is whole in ns */
}

char *duration_say(int64_t ns, char *out, size_t out_size)
{
    uint64_t value = magnitude(ns), step = 1;
    while (value / step >= 10000) step *= 10;
    value = (value + step / 2) / step * step;
    return duration_format(ns < 0 ? -(int64_t)value : (int64_t)value, out, out_size);
}
