/* The heap of a node: where everything lives that its engine and scheme allocate, so that a
 * crash takes it all.
 *
 *     struct heap *heap = heap_create(limit_bytes);
 *     ... engine and scheme allocate through heap_allocator(heap) ...
 *     heap_reset(heap);                       // the process died: whatever they forgot is gone
 *     heap_destroy(heap);
 *
 * Blocks are aligned to 16. An allocation that would pass the limit returns NULL and leaves the
 * old block; the limit counts the bytes asked for, so the same run meets it at the same
 * allocation in every build. Growing a block may move it. Under AddressSanitizer each block is
 * one of malloc's and reset frees it: a pointer kept over a crash is a report. A block freed or
 * resized with a wrong old size is a CHECK there.
 */
#ifndef FAULTLINE_SIM_WORLD_HEAP_H
#define FAULTLINE_SIM_WORLD_HEAP_H

#include <stddef.h>
#include <stdint.h>

#include "engines/bytes.h"

struct heap;

/* 0: no limit. Takes some 600 bytes while nothing is allocated. */
struct heap *heap_create(size_t limit_bytes);
void heap_destroy(struct heap *heap);
const struct allocator *heap_allocator(struct heap *heap); /* lives as long as the heap */
void heap_reset(struct heap *heap); /* frees every block at once; the limit stays */
/* 0: none; blocks beyond a lowered one stay. */
void heap_set_limit(struct heap *heap, size_t limit_bytes);

size_t heap_bytes(const struct heap *heap);      /* asked for and not freed */
size_t heap_bytes_max(const struct heap *heap);  /* the most of these since creation */
uint64_t heap_blocks(const struct heap *heap);   /* blocks not freed */
uint64_t heap_refusals(const struct heap *heap); /* allocations that the limit refused */

#endif
