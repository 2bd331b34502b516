/* The draw log: what makes a divergence in random numbers findable.
 *
 * Every draw of a run's streams passes here. Ordinarily it is only counted. A run that is
 * recorded for --verify keeps one byte a draw (the draw mixed with virtual time) and the number
 * of the stream that drew; a run that is compared with a recorded one stops agreeing at the
 * first draw that differs in either.
 */
#ifndef FAULTLINE_SIM_KERNEL_TRACE_H
#define FAULTLINE_SIM_KERNEL_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct draw_log {
    uint64_t count; /* draws so far */
    bool watched;   /* recording or comparing: draw_log_watch is called for every draw */
    bool recording;
    const int64_t *now_ns;            /* the run's virtual time; borrowed */
    const struct draw_log *reference; /* what to compare with; borrowed, NULL: nothing */
    uint8_t *bytes;                   /* recording: one a draw */
    uint32_t *streams;                /* recording: who drew it */
    int64_t *times;                   /* recording: when */
    size_t capacity;
    char **names; /* watched: "purpose entity" of every stream, by number */
    uint32_t names_count, names_capacity;
    bool diverged;            /* the first difference is held in the fields below */
    uint64_t diverged_index;  /* which draw */
    uint32_t diverged_stream; /* who drew here */
    int64_t diverged_time;
};

void draw_log_init(struct draw_log *log, const int64_t *now_ns, bool recording,
                   const struct draw_log *reference);
void draw_log_deinit(struct draw_log *log);
/* Registers a stream and returns its number. */
uint32_t draw_log_stream(struct draw_log *log, const char *purpose, const char *entity);
void draw_log_watch(struct draw_log *log, uint32_t stream, uint64_t draw);
const char *draw_log_stream_name(const struct draw_log *log, uint32_t stream);

static inline void draw_log_add(struct draw_log *log, uint32_t stream, uint64_t draw)
{
    if (__builtin_expect(log->watched, 0)) draw_log_watch(log, stream, draw);
    log->count++;
}

#endif
