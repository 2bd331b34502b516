/* Pages in memory: a hash table of frames, evicted by a clock.
 *
 * A frame holds one page. It is changeable while it is dirty and younger than every snapshot;
 * once written it is never changed again (I3 of btree.c), so a clean frame can be dropped at
 * any time, and renamed to become the copy that a change needs: the old content is on disk.
 *
 * Reading evicts clean frames only, so a get or a scan never writes. Dirty frames are held to
 * three quarters of the cache by btree_cache_write_back() at the beginning of each write; what
 * a single batch touches is on top of it (one leaf an item at most), and so are pages under
 * cursors. Beyond the limit frames are given back as soon as clean ones are found.
 */
#include <errno.h>

#include "engines/storage/btree/btree_internal.h"

#define BUCKET_BITS_MIN 4u
#define RUN_BYTES_MAX (256u << 10) /* of one write: longer ones gain nothing */
#define PREFETCH_BYTES 448u        /* of a page that is about to be searched; never beyond it */
#define FRAMES_MIN 4u              /* a short path */
#define SWEEP_MAX                                                                              \
    256u /* frames that one search for a victim looks at: then the cache grows past            \
            its limit for a while */

/* ---- the table ---- */

static uint32_t bucket_of(const struct cache *cache, uint32_t page)
{
    return (uint32_t)(page * UINT32_C(2654435769)) >> (32 - cache->bucket_bits);
}

int btree_cache_init(struct btree *tree)
{
    struct cache *cache = &tree->cache;
    cache->bucket_bits = BUCKET_BITS_MIN;
    size_t size = sizeof(*cache->buckets) << cache->bucket_bits;
    cache->buckets = allocator_alloc(tree->base.host.allocator, size);
    if (!cache->buckets) return -ENOMEM;
    memset(cache->buckets, 0, size);
    return 0;
}

static size_t frame_size(const struct btree *tree)
{
    return sizeof(struct frame) + tree->page_size;
}

void btree_cache_deinit(struct btree *tree)
{
    struct cache *cache = &tree->cache;
    const struct allocator *a = tree->base.host.allocator;
    for (uint32_t i = 0; i < cache->count; i++)
        allocator_free(a, cache->frames[i], frame_size(tree));
    allocator_free(a, cache->frames, cache->capacity * sizeof(*cache->frames));
    if (cache->buckets)
        allocator_free(a, cache->buckets, sizeof(*cache->buckets) << cache->bucket_bits);
    memset(cache, 0, sizeof(*cache));
}

static void link_frame(struct cache *cache, struct frame *frame)
{
    struct frame **bucket = &cache->buckets[bucket_of(cache, frame->page)];
    frame->next = *bucket;
    *bucket = frame;
}

static void unlink_frame(struct cache *cache, struct frame *frame)
{
    struct frame **at = &cache->buckets[bucket_of(cache, frame->page)];
    while (*at != frame) at = &(*at)->next;
    *at = frame->next;
}

/* As many buckets as frames. Failing to grow costs time, nothing else. */
static void grow_buckets(struct btree *tree)
{
    struct cache *cache = &tree->cache;
    const struct allocator *a = tree->base.host.allocator;
    size_t old_size = sizeof(*cache->buckets) << cache->bucket_bits;
    struct frame **grown = allocator_alloc(a, old_size * 2);
    if (!grown) return;
    memset(grown, 0, old_size * 2);
    allocator_free(a, cache->buckets, old_size);
    cache->buckets = grown;
    cache->bucket_bits++;
    for (uint32_t i = 0; i < cache->count; i++) link_frame(cache, cache->frames[i]);
}

struct frame *btree_cache_find(const struct btree *tree, uint32_t page)
{
    struct frame *frame = tree->cache.buckets[bucket_of(&tree->cache, page)];
    while (frame && frame->page != page) frame = frame->next;
    return frame;
}

uint32_t btree_cache_dirty_limit(const struct btree *tree)
{
    uint32_t limit = btree_cache_limit(tree);
    return limit - limit / 4;
}

uint32_t btree_cache_limit(const struct btree *tree)
{
    uint64_t frames = (uint64_t)tree->options.cache_bytes / tree->page_size;
    return frames < FRAMES_MIN ? FRAMES_MIN : (uint32_t)frames;
}

void btree_cache_dirty(struct btree *tree, struct frame *frame)
{
    if (frame->is_dirty) return;
    frame->is_dirty = true;
    tree->cache.dirty++;
}

/* ---- frames come and go ---- */

static void detach(struct btree *tree, struct frame *frame)
{
    struct cache *cache = &tree->cache;
    unlink_frame(cache, frame);
    if (frame->is_dirty) cache->dirty--;
    struct frame *last = cache->frames[--cache->count];
    cache->frames[frame->index] = last;
    last->index = frame->index;
}

void btree_cache_drop(struct btree *tree, struct frame *frame)
{
    detach(tree, frame);
    allocator_free(tree->base.host.allocator, frame, frame_size(tree));
}

void btree_cache_rename(struct btree *tree, struct frame *frame, uint32_t page, uint64_t stamp)
{
    unlink_frame(&tree->cache, frame);
    frame->page = page;
    frame->stamp = stamp;
    put_u64(frame->data + 8, stamp);
    put_u32(frame->data + 16, page);
    link_frame(&tree->cache, frame);
}

/* A clean frame that nobody used lately; NULL: none. */
static struct frame *victim_find(struct cache *cache)
{
    for (uint32_t steps = 0; cache->count && steps < SWEEP_MAX; steps++) {
        if (cache->hand >= cache->count) cache->hand = 0;
        struct frame *frame = cache->frames[cache->hand++];
        if (frame->pins || frame->is_dirty) continue;
        if (!frame->is_recent) return frame;
        frame->is_recent = false;
    }
    return NULL;
}

/* A frame without content: a victim's, or a new one. */
static int frame_take(struct btree *tree, struct frame **out)
{
    struct cache *cache = &tree->cache;
    const struct allocator *a = tree->base.host.allocator;
    uint32_t limit = btree_cache_limit(tree);
    struct frame *frame = NULL;
    if (cache->count >= limit && cache->count > cache->dirty) {
        frame = victim_find(cache);
        if (frame) {
            detach(tree, frame);
            cache->evictions++;
        }
        struct frame *second = cache->count >= limit ? victim_find(cache) : NULL;
        if (second) { /* back below the limit, a page at a time */
            btree_cache_drop(tree, second);
            cache->evictions++;
        }
    }
    if (cache->count == cache->capacity) {
        uint32_t capacity = cache->capacity ? cache->capacity * 2 : 16;
        struct frame **grown =
            a->resize(a->context, cache->frames, cache->capacity * sizeof(*grown),
                      capacity * sizeof(*grown));
        if (!grown) goto no_memory;
        cache->frames = grown;
        cache->capacity = capacity;
    }
    if (!frame) frame = allocator_alloc(a, frame_size(tree));
    if (!frame) goto no_memory;
    *out = frame;
    return 0;

no_memory:
    if (frame) allocator_free(a, frame, frame_size(tree));
    return -ENOMEM;
}

void btree_cache_trim(struct btree *tree)
{
    struct cache *cache = &tree->cache;
    struct frame *frame;
    uint32_t limit = btree_cache_limit(tree);
    while (cache->count > limit && (frame = victim_find(cache))) {
        btree_cache_drop(tree, frame);
        cache->evictions++;
    }
}

static void attach(struct btree *tree, struct frame *frame, uint32_t page, uint64_t stamp)
{
    struct cache *cache = &tree->cache;
    frame->stamp = stamp;
    frame->page = page;
    frame->index = cache->count;
    frame->pins = 0;
    frame->is_dirty = false;
    frame->is_recent = true;
    frame->appends = 0;
    cache->frames[cache->count++] = frame;
    link_frame(cache, frame);
    if (cache->count > UINT32_C(1) << cache->bucket_bits && cache->bucket_bits < 31)
        grow_buckets(tree);
}

int btree_cache_create(struct btree *tree, uint32_t page, uint64_t stamp, struct frame **out)
{
    struct frame *frame;
    int err = frame_take(tree, &frame);
    if (err) return err;
    attach(tree, frame, page, stamp);
    btree_cache_dirty(tree, frame);
    *out = frame;
    return 0;
}

/* ---- reading ---- */

int btree_page_corrupt(struct btree *tree, uint32_t page, const char *why)
{
    return engine_fail(&tree->base, -EBADMSG, "%s/" PAGES_NAME " at offset %llu: %s", tree->dir,
                       (unsigned long long)page * tree->page_size, why);
}

static int load(struct btree *tree, uint32_t page, uint32_t stamp, struct frame **out)
{
    struct frame *frame;
    int err = frame_take(tree, &frame);
    if (err) return err;
    const char *why = NULL;
    uint64_t offset = (uint64_t)page * tree->page_size;
    err =
        engine_file_read(tree->file, offset, frame->data, tree->page_size, tree->read_purpose);
    if (err == -EBADMSG)
        why = "the file ends before this page";
    else if (err)
        engine_fail(&tree->base, err,
                    "%s/" PAGES_NAME " at offset %llu: read failed (errno %d)", tree->dir,
                    (unsigned long long)offset, -err);
    else
        why = btree_page_check(frame->data, tree->page_size, page, tree->options.verify != 0);
    /* I4: a page that is whole, but older than its pointer: a write that never arrived. */
    if (!err && !why && (uint32_t)page_stamp(frame->data) != stamp)
        why = "another state of this page";
    if (why) err = btree_page_corrupt(tree, page, why);
    if (err) {
        allocator_free(tree->base.host.allocator, frame, frame_size(tree));
        return err;
    }
    attach(tree, frame, page, page_stamp(frame->data));
    tree->cache.loads++;
    *out = frame;
    return 0;
}

int btree_cache_get(struct btree *tree, uint32_t page, uint32_t stamp, struct frame **out)
{
    struct frame *frame = btree_cache_find(tree, page);
    if (!frame) return load(tree, page, stamp, out);
    /* A search jumps over the slots: their lines come together, not one after the other. */
    for (uint32_t at = 0; at < PREFETCH_BYTES; at += 64) __builtin_prefetch(frame->data + at);
    if ((uint32_t)frame->stamp != stamp)
        return btree_page_corrupt(tree, page, "another state of this page");
    if (!frame->is_recent) frame->is_recent = true;
    tree->cache.hits++;
    *out = frame;
    return 0;
}

/* ---- writing ---- */

/* Of one write: not much beside the cache. */
static uint64_t run_max(const struct btree *tree)
{
    uint64_t eighth = (uint64_t)tree->options.cache_bytes / 8;
    return eighth < RUN_BYTES_MAX ? eighth : RUN_BYTES_MAX;
}

static bool is_next(const struct frame *frame, uint64_t mark)
{
    return frame && frame->is_dirty && frame->stamp <= mark;
}

/* Copies dirty neighbours, from `first` on, behind each other; as many as memory allows. */
static uint32_t run_gather(struct btree *tree, struct frame *first, uint64_t most,
                           uint64_t mark)
{
    uint32_t n = 0;
    struct frame *frame = first;
    for (; n < most && is_next(frame, mark);
         frame = btree_cache_find(tree, first->page + ++n)) {
        if (buffer_reserve(&tree->run, (n + 1) * tree->page_size)) break;
        btree_page_seal(frame->data, tree->page_size);
        memcpy(tree->run.data + n * tree->page_size, frame->data, tree->page_size);
    }
    return n;
}

int btree_cache_write_run(struct btree *tree, uint32_t page, uint64_t bytes, uint64_t mark,
                          uint32_t *written)
{
    uint64_t most = (bytes < run_max(tree) ? bytes : run_max(tree)) / tree->page_size;
    struct frame *first = btree_cache_find(tree, page);
    const unsigned char *data = first->data;
    uint32_t n = 0;
    if (most > 1 && is_next(btree_cache_find(tree, page + 1), mark)) {
        n = run_gather(tree, first, most, mark);
        if (n) data = tree->run.data;
    }
    if (n == 0) { /* alone: from where it stands */
        btree_page_seal(first->data, tree->page_size);
        n = 1;
    }
    uint64_t offset = (uint64_t)page * tree->page_size, size = n * tree->page_size;
    int err = vfs_write(tree->file, offset, bytes_of(data, (size_t)size), VFS_FLUSH);
    if (err)
        return engine_fail(&tree->base, err,
                           "%s/" PAGES_NAME " at offset %llu: write failed (errno %d)",
                           tree->dir, (unsigned long long)offset, -err);
    if (offset + size > tree->file_bytes) tree->file_bytes = offset + size;
    for (uint32_t i = 0; i < n; i++) btree_cache_find(tree, page + i)->is_dirty = false;
    tree->cache.dirty -= n;
    tree->cache.writebacks += n;
    *written = n;
    return 0;
}

int btree_cache_write_back(struct btree *tree, uint32_t limit, uint64_t bytes)
{
    struct cache *cache = &tree->cache;
    for (uint64_t steps = 0; cache->dirty > limit && steps < (uint64_t)cache->count * 2;
         steps++) {
        uint32_t written;
        if (cache->hand >= cache->count) cache->hand = 0;
        struct frame *frame = cache->frames[cache->hand++];
        if (!frame->is_dirty || frame->pins) continue;
        /* A page used lately is spared once, unless it is too old to change. */
        if (frame->is_recent && frame->stamp > btree_snapshot_mark(tree)) {
            frame->is_recent = false;
            continue;
        }
        int err = btree_cache_write_run(tree, frame->page, bytes, UINT64_MAX, &written);
        if (err) return err;
    }
    if (tree->run.capacity > RUN_BYTES_MAX / 4) buffer_deinit(&tree->run);
    return 0;
}
