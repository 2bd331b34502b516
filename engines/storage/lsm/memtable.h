/* The sorted buffer of recent writes in front of the tables of `lsm`: a B-tree in memory, its
 * entries in chunks that are freed whole. Why not a skip list: memtable.c.
 */
#ifndef FAULTLINE_ENGINES_STORAGE_LSM_MEMTABLE_H
#define FAULTLINE_ENGINES_STORAGE_LSM_MEMTABLE_H

#include "engines/storage/lsm/iterator.h"

struct memtable;

int memtable_create(const struct allocator *allocator, struct memtable **out);
void memtable_destroy(struct memtable *memtable);

/* Room for `count` entries whose keys and values take `bytes` in all: the next so many adds
 * cannot fail. 0 or -ENOMEM (nothing changed). */
int memtable_reserve(struct memtable *memtable, size_t count, size_t bytes);
/* (key, sequence) is new; needs room. */
void memtable_add(struct memtable *memtable, uint64_t sequence, bool is_delete,
                  struct bytes key, struct bytes value);

/* The newest version of the key with a sequence <= snapshot: true and what it is; the value is
 * the memtable's memory. */
bool memtable_get(const struct memtable *memtable, struct bytes key, uint64_t snapshot,
                  bool *is_delete, struct bytes *value);

uint64_t memtable_entries(const struct memtable *memtable);
uint64_t memtable_data_bytes(const struct memtable *memtable); /* keys and values */
uint64_t memtable_memory(const struct memtable *memtable);     /* all that it has allocated */

/* Stays valid over adds (it finds its place again). Destroy it before the memtable. */
int memtable_iterate(const struct memtable *memtable, const struct allocator *allocator,
                     struct lsm_iterator **out);

/* Validates all of it: NULL, or which invariant of memtable.c does not hold. For tests. */
const char *memtable_check(const struct memtable *memtable);

#endif
