/* The run's arena: memory that lives exactly as long as a run and is freed whole. Not for what
 * grows without bound. */
#ifndef FAULTLINE_SIM_KERNEL_ARENA_H
#define FAULTLINE_SIM_KERNEL_ARENA_H

#include <stddef.h>

struct arena;

struct arena *arena_create(void);
void arena_destroy(struct arena *arena);
/* Zeroed, aligned to 16; never NULL (out of memory is a CHECK). */
void *arena_alloc(struct arena *arena, size_t size);
char *arena_strdup(struct arena *arena, const char *text);
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
size_t arena_size(const struct arena *arena);

/* malloc family whose failure is a CHECK, for growable arrays of the simulator itself. */
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *ptr, size_t size);
char *xstrdup(const char *text);

#endif
