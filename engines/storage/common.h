/* What engines share below their contract: paths, directories, the sync policy, error texts,
 * sorting.
 *
 * Only engines include this. Every function works through the vfs and the host's allocator.
 */
#ifndef FAULTLINE_ENGINES_STORAGE_COMMON_H
#define FAULTLINE_ENGINES_STORAGE_COMMON_H

#include "engines/storage/engine.h"

#define ENGINE_PATH_SIZE 512u /* of dir/name with its NUL; longer: -ENAMETOOLONG */

/* What to do when a sync fails. PANIC: the engine takes no more writes until it is opened
 * again, because what the sync covered may be lost and a later sync would not say so. RETRY:
 * asks again and believes the second answer. It is wrong (the pages were marked clean by the
 * failure) and exists to show why: PostgreSQL did it until 2018. */
enum sync_policy { SYNC_PANIC, SYNC_RETRY };
extern const char *const sync_policy_words[]; /* "panic", "retry", NULL */

/* dir/name, or name alone below the root. */
int engine_path(char out[ENGINE_PATH_SIZE], const char *dir, const char *name);

/* Makes the directory unless it is there, and its name durable. */
int engine_dir_ensure(struct vfs *vfs, const char *dir);
/* Makes a directory that must not be there yet, and its name durable. */
int engine_dir_create(struct vfs *vfs, const char *dir);

/* A copy of a database in the making bears a mark: a file of this name, durable before there is
 * another and removed when all others are. Whoever opens a directory with it, and cannot tell
 * that the copy is whole, refuses: engine_copy_refuse(). So a copy that a crash or a failed call
 * cut short is never taken for a database, nor for the beginning of one. */
#define ENGINE_COPY_MARK "unfinished-copy"
int engine_copy_begin(struct vfs *vfs, const char *dir); /* makes the directory, marked */
int engine_copy_end(struct vfs *vfs, const char *dir);   /* all in it is durable */
int engine_copy_is_unfinished(struct vfs *vfs, const char *dir); /* 1, 0 or -errno */
int engine_copy_refuse(struct engine *engine, const char *dir);  /* -EBADMSG, and its text */

/* Syncs a file by the policy and counts the sync. */
int engine_file_sync(struct engine *engine, struct vfs_file *file, enum vfs_purpose purpose,
                     enum sync_policy policy);

/* Exactly `size` bytes; -EBADMSG when the file ends before. */
int engine_file_read(struct vfs_file *file, uint64_t offset, void *data, size_t size,
                     enum vfs_purpose purpose);

/* Appends the first `size` bytes of one file to another at `to_offset`, block by block; *crc,
 * when given, is carried over the bytes. */
int engine_file_copy(const struct allocator *allocator, struct vfs_file *from, uint64_t size,
                     struct vfs_file *to, uint64_t to_offset, uint32_t *crc,
                     enum vfs_purpose purpose);

/* Makes dir/name hold these bytes, whole or not at all: they are written to dir/temporary,
 * synced, renamed over it, and the directory is synced. */
int engine_file_replace(struct engine *engine, const char *dir, const char *temporary,
                        const char *name, struct bytes data, enum sync_policy policy);

/* Makes the file `to`, which must not be there, of the first `size` bytes of another, synced
 * but for its name. */
int engine_file_duplicate(struct engine *engine, struct vfs_file *from, uint64_t size,
                          const char *to, enum sync_policy policy);

/* Sets the engine's error text and returns err, so that `return engine_fail(...)` reads well.
 */
int engine_fail(struct engine *engine, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Hands the error text of an engine that could not be opened to the host. */
void engine_open_failed(struct engine *engine);

/* A key for people, as engine_inspect() tells it: in quotes, printable, what is not as \xHH,
 * cut behind 64 bytes with its size said. Returns out. */
#define ENGINE_KEY_TEXT 320u
const char *engine_key_text(char out[ENGINE_KEY_TEXT], struct bytes key);

/* True when the key lies in the range. */
bool engine_range_holds(const struct engine_range *range, struct bytes key);

/* Heapsort: in place, no allocation, worst case n log n. `compare` must be a total order, so
 * that the result does not depend on the algorithm. */
void engine_sort(void *items, size_t count, size_t size,
                 int (*compare)(const void *context, const void *a, const void *b),
                 const void *context);

#endif
