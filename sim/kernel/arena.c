/* The run's arena, and malloc that may not fail.
 *
 * Memory is cut from chunks of 64 KiB by moving a cursor; what is larger than a quarter of a
 * chunk gets a chunk of its own, which is linked behind the current one, so that the current
 * one goes on being filled. Nothing is freed before arena_destroy. Chunks come zeroed from
 * calloc.
 */
#include "sim/kernel/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/kernel/check.h"

#define CHUNK_SIZE ((size_t)64 << 10)
#define ALIGNMENT ((size_t)16)

struct chunk {
    struct chunk *next;
    size_t size; /* usable bytes */
    size_t used;
    _Alignas(16) unsigned char data[];
};

struct arena {
    struct chunk *chunks; /* the first is the one being filled */
    size_t size;          /* bytes held, headers included */
};

static struct chunk *chunk_create(struct arena *arena, size_t size)
{
    struct chunk *chunk = xcalloc(1, sizeof *chunk + size);
    chunk->size = size;
    arena->size += sizeof *chunk + size;
    return chunk;
}

struct arena *arena_create(void)
{
    struct arena *arena = xcalloc(1, sizeof *arena);
    arena->size = sizeof *arena;
    return arena;
}

void arena_destroy(struct arena *arena)
{
    if (!arena) return;
    for (struct chunk *chunk = arena->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free(arena);
}

void *arena_alloc(struct arena *arena, size_t size)
{
    CHECK(size <= SIZE_MAX / 2);
    size = (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    struct chunk *head = arena->chunks;
    if (head && head->size - head->used >= size) {
        void *result = head->data + head->used;
        head->used += size;
        return result;
    }
    if (size > CHUNK_SIZE / 4) {
        struct chunk *own = chunk_create(arena, size);
        own->used = size;
        if (head) {
            own->next = head->next;
            head->next = own;
        } else {
            arena->chunks = own;
        }
        return own->data;
    }
    struct chunk *chunk = chunk_create(arena, CHUNK_SIZE - sizeof *chunk);
    chunk->next = head;
    arena->chunks = chunk;
    chunk->used = size;
    return chunk->data;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(arena_alloc(arena, size), text, size);
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    CHECK(length >= 0);
    char *text = arena_alloc(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

size_t arena_size(const struct arena *arena)
{
    return arena->size;
}

/* ---- malloc whose failure is a CHECK ---- */

void *xmalloc(size_t size)
{
    void *result = malloc(size ? size : 1);
    CHECK(result != NULL);
    return result;
}

void *xcalloc(size_t count, size_t size)
{
    void *result = calloc(count ? count : 1, size ? size : 1);
    CHECK(result != NULL);
    return result;
}

void *xrealloc(void *ptr, size_t size)
{
    void *result = realloc(ptr, size ? size : 1);
    CHECK(result != NULL);
    return result;
}

char *xstrdup(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(xmalloc(size), text, size);
}
