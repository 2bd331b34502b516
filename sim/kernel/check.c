/* Broken contracts: the place where a failed CHECK ends.
 *
 * A handler (check_context.handler) gets the failure first: a node that runs foreign code
 * unwinds out of it with longjmp. Without a handler, or should a handler return against its
 * contract, the failure is the simulator's own: everything that helps to see it again is
 * printed and the process ends with status 3. It ends with _exit, so that no destructor or leak
 * check runs over state that has just been found broken.
 */
#include "sim/kernel/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "sim/kernel/vtime.h"

struct check_context check_context;

void check_failed(const char *expression, const char *file, int line)
{
    if (check_context.handler)
        check_context.handler(check_context.handler_context, expression, file, line);

    char time[32] = "";
    fflush(stdout);
    fprintf(stderr, "faultline: CHECK failed: %s\n  at %s:%d\n", expression, file, line);
    if (check_context.now_ns) {
        int64_t now = *check_context.now_ns;
        fprintf(stderr, "  virtual time %s (%" PRId64 " ns), node %s, seed %" PRIu64 "\n",
                vtime_format(now, time, sizeof time), now,
                check_context.node ? check_context.node : "none (the simulator itself)",
                check_context.seed);
    } else {
        fprintf(stderr, "  outside a run%s%s\n", check_context.node ? ", node " : "",
                check_context.node ? check_context.node : "");
    }
    if (check_context.replay) fprintf(stderr, "  replay: %s\n", check_context.replay);
    fflush(stderr);
    _exit(3);
}
