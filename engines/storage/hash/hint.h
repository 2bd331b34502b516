/* The bytes of a hint file, for those who read one: hint.c (the format), inspect.c. And the
 * applier, with which hints and records come into the index. */
#ifndef FAULTLINE_ENGINES_STORAGE_HASH_HINT_H
#define FAULTLINE_ENGINES_STORAGE_HASH_HINT_H

#include "engines/storage/hash/hash_internal.h"

#define HINT_HEADER 12u
#define HINT_ENTRY 6u
#define HINT_FOOTER 32u
#define HINT_DELETE UINT32_C(0xffffffff)
#define HINT_MARK UINT32_C(0xfffffffe)
#define HINT_SIZE_MAX                                                                          \
    (256u << 20) /* read in one piece: beyond it the segment is read instead */

extern const char hash_hint_magic[8], hash_hint_end_magic[8];

struct hint_entry {
    enum record_kind kind;
    uint32_t value_size;
    struct bytes key;
};

int hash_hint_path(const char *dir, uint32_t id, char out[ENGINE_PATH_SIZE]);
/* The whole file. */
int hash_hint_read(struct hash_engine *hash, uint32_t id, struct buffer *out);
/* The entry at *position, from HINT_HEADER on; false at the end, or at what is no entry. The
 * file is HINT_HEADER + HINT_FOOTER bytes at least. */
bool hash_hint_next(struct bytes file, size_t *position, struct hint_entry *entry);

/* Records on their way into the index. Each one's slot is asked of memory when it is added;
 * half of the items later the key that it may replace; half of the items later it is applied.
 * So nothing is waited for. Their keys must stay where they are until then. */
#define APPLIER_ITEMS 64u
#define APPLIER_STEP (APPLIER_ITEMS / 2)

struct applier_item {
    enum record_kind kind;
    uint32_t offset, value_size;
    struct bytes key;
    uint64_t hash;
};
struct applier {
    struct hash_engine *hash;
    struct segment *segment;
    uint32_t count;
    uint32_t fetched; /* items whose key has been asked of memory */
    struct applier_item items[APPLIER_ITEMS];
};

void hash_applier_add(struct applier *applier, enum record_kind kind, struct bytes key,
                      uint32_t offset, uint32_t value_size);
/* Applies the first `count`; the index must have room. */
void hash_applier_apply(struct applier *applier, uint32_t count);

#endif
