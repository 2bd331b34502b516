/* The draw log (trace.h). A difference is remembered once, the first; the kernel asks for it
 * after every event. */
#include "sim/kernel/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/kernel/arena.h"
#include "sim/kernel/random.h"

void draw_log_init(struct draw_log *log, const int64_t *now_ns, bool recording,
                   const struct draw_log *reference)
{
    memset(log, 0, sizeof *log);
    log->now_ns = now_ns;
    log->recording = recording;
    log->reference = reference;
    log->watched = recording || reference;
}

void draw_log_deinit(struct draw_log *log)
{
    for (uint32_t i = 0; log->names && i < log->names_count;
         i++) /* an unwatched log counts its streams and names none */
        free(log->names[i]);
    free(log->names);
    free(log->bytes);
    free(log->streams);
    free(log->times);
    memset(log, 0, sizeof *log);
}

uint32_t draw_log_stream(struct draw_log *log, const char *purpose, const char *entity)
{
    if (!log->watched) return log->names_count++;
    if (log->names_count == log->names_capacity) {
        log->names_capacity = log->names_capacity ? log->names_capacity * 2 : 64;
        log->names = xrealloc(log->names, log->names_capacity * sizeof *log->names);
    }
    size_t size = strlen(purpose) + strlen(entity) + 2;
    char *name = xmalloc(size);
    snprintf(name, size, "%s%s%s", purpose, *entity ? " " : "", entity);
    log->names[log->names_count] = name;
    return log->names_count++;
}

const char *draw_log_stream_name(const struct draw_log *log, uint32_t stream)
{
    return log->watched && stream < log->names_count ? log->names[stream] : "unnamed";
}

static bool same_stream(const struct draw_log *log, uint32_t stream,
                        const struct draw_log *other, uint32_t other_stream)
{
    return strcmp(draw_log_stream_name(log, stream),
                  draw_log_stream_name(other, other_stream)) == 0;
}

void draw_log_watch(struct draw_log *log, uint32_t stream, uint64_t draw)
{
    uint64_t index = log->count;
    uint8_t byte = (uint8_t)(mix64(draw ^ (uint64_t)*log->now_ns) >> 56);
    if (log->recording) {
        if (index == log->capacity) {
            log->capacity = log->capacity ? log->capacity * 2 : 1024;
            log->bytes = xrealloc(log->bytes, log->capacity * sizeof *log->bytes);
            log->streams = xrealloc(log->streams, log->capacity * sizeof *log->streams);
            log->times = xrealloc(log->times, log->capacity * sizeof *log->times);
        }
        log->bytes[index] = byte;
        log->streams[index] = stream;
        log->times[index] = *log->now_ns;
    }
    const struct draw_log *reference = log->reference;
    if (reference && !log->diverged &&
        (index >= reference->count || reference->bytes[index] != byte ||
         reference->times[index] != *log->now_ns ||
         !same_stream(log, stream, reference, reference->streams[index]))) {
        log->diverged = true;
        log->diverged_index = index;
        log->diverged_stream = stream;
        log->diverged_time = *log->now_ns;
    }
}
