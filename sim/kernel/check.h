/* Broken contracts: CHECK(condition), always compiled in.
 *
 * A failed CHECK means that Faultline itself (or an engine or scheme under test) broke its own
 * rules. It is never used on input. By default it prints the expression, place, virtual time,
 * node, seed and replay command and exits with status 3. A node runs its engine and scheme with
 * a handler pushed, so that their broken contracts crash that node only (the handler does not
 * return: it unwinds with longjmp).
 */
#ifndef FAULTLINE_SIM_KERNEL_CHECK_H
#define FAULTLINE_SIM_KERNEL_CHECK_H

#include <stdint.h>

struct check_context {
    const char *replay;    /* the command that replays this run; borrowed, may be NULL */
    const char *node;      /* whose code runs now; NULL: the simulator's own */
    const int64_t *now_ns; /* the run's virtual time; NULL outside a run */
    uint64_t seed;         /* the run's seed */
    void (*handler)(void *context, const char *expression, const char *file,
                    int line); /* must not return; NULL: print and exit(3) */
    void *handler_context;
};

/* The one process-wide context: a process runs one simulation at a time. */
extern struct check_context check_context;

void check_failed(const char *expression, const char *file, int line)
    __attribute__((noreturn, cold));

#define CHECK(condition) ((condition) ? (void)0 : check_failed(#condition, __FILE__, __LINE__))

#endif
