/* The target of the engines: any bytes as their files.
 *
 * Promises: whatever the files hold, recognising, inspecting and opening end with an answer
 * (never a broken contract), and an engine that opened keeps answering: a scan ends, a write is
 * taken or refused, and what was just written is read back, where checksums count. No memory
 * stays behind.
 */
#include "tests/fuzz/image.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/world/disk.h"

#define FILES_MAX 64
#define IMAGE_MAX (1u << 20)
#define ENTRIES_MAX 100000
#define SLICES_MAX 64

/* ---- checksums that are believed ---- */

static bool is_believing;
uint32_t __real_crc32c(uint32_t crc, const void *data, size_t size);
uint32_t __wrap_crc32c(uint32_t crc, const void *data, size_t size);

uint32_t __wrap_crc32c(uint32_t crc, const void *data, size_t size)
{
    return is_believing ? UINT32_C(0x5eed5eed) : __real_crc32c(crc, data, size);
}

/* Pages, blocks and records are longer than this; keys of the workload, whose hashes should
 * differ, are shorter. */
#define KEY_LIKE 16
uint64_t __real_bytes_hash(struct bytes bytes, uint64_t seed);
uint64_t __wrap_bytes_hash(struct bytes bytes, uint64_t seed);

uint64_t __wrap_bytes_hash(struct bytes bytes, uint64_t seed)
{
    return is_believing && bytes.size >= KEY_LIKE ? UINT64_C(0x5eed5eed5eed5eed)
                                                  : __real_bytes_hash(bytes, seed);
}

/* ---- the world ---- */

/* Blocks stand in a ring, so that a stop empties the heap as a crash of the node does. */
struct block {
    struct block *next, *previous;
};
static struct block ring = {&ring, &ring};

static void *heap_resize(void *context, void *data, size_t old_size, size_t new_size)
{
    (void)context, (void)old_size;
    struct block *block = data ? (struct block *)data - 1 : NULL;
    /* What a file claims is no reason to ask for the moon; what is asked may be refused. */
    if (new_size > 64u << 20) return NULL;
    if (block) {
        block->next->previous = block->previous;
        block->previous->next = block->next;
    }
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    block = realloc(block, sizeof *block + new_size);
    if (!block) abort();
    *block = (struct block){ring.next, &ring};
    ring.next->previous = block;
    ring.next = block;
    return block + 1;
}

static const struct allocator heap = {heap_resize, NULL};

static void heap_empty(void)
{
    while (ring.next != &ring) heap_resize(NULL, ring.next + 1, 0, 0);
}

/* A broken contract breaks the target, but for forged images: an engine that finds its own
 * files at odds with each other although all checksums agree may stop. */
static jmp_buf on_stop;

static void check_failed(void *context, const char *expression, const char *file, int line)
{
    (void)context;
    if (is_believing) longjmp(on_stop, 1);
    fuzz_failed(expression, file, line);
}

static unsigned engines_count(void)
{
    unsigned count = 0;
    while (engine_registry[count]) count++;
    return count;
}

static struct disk *quick_disk(void)
{
    struct disk_config config = disk_preset_find("nvme_dc")->config;
    struct disk *disk = disk_create(&config, 1, "disk", NULL);
    disk_begin(disk, 0);
    return disk;
}

/* Sizes so small that a few records fill anything; what an engine does not take stays at its
 * default. The caller frees it. */
static void *small_options(const struct engine_ops *ops)
{
    static const char *const sizes[][2] = {
        {"segment_size", "512B"}, {"memtable_size", "512B"}, {"table_size", "512B"},
        {"block_size", "128B"},   {"page_size", "512B"},     {"wal_size", "1KiB"},
        {"level_base", "512B"},   {"fanout", "2"},           {"l0_trigger", "2"},
        {"cache_size", "512B"},   {"merge_segments", "2"},   {"merge_threshold", "10%"},
    };
    const char *why;
    char *options = malloc(ops->options_size + 1);
    options_default(ops->options, ops->options_count, options, ops->options_size);
    for (size_t i = 0; i < ops->options_count; i++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            if (strcmp(ops->options[i].name, sizes[s][0]) == 0)
                (void)option_set(&ops->options[i], sizes[s][1],
                                 options + ops->options[i].offset, &why);
    return options;
}

/* ---- bytes to files ---- */

static bool is_plain(const char *name)
{
    return *name && *name != '/' && strlen(name) < 64 && !strstr(name, "..") &&
           !strstr(name, "//") && name[strlen(name) - 1] != '/';
}

static void file_make(struct vfs *vfs, const char *name, struct bytes content)
{
    char path[96];
    struct vfs_file *file;
    if (!is_plain(name)) return;
    snprintf(path, sizeof path, "data/%s", name);
    for (char *slash = strchr(path + 5, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        vfs_mkdir(vfs, path);
        *slash = '/';
    }
    if (vfs_open(vfs, path, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &file)) return;
    vfs_write(file, 0, content, VFS_META);
    vfs_sync(file, VFS_META);
    vfs_close(file);
}

static void files_make(struct vfs *vfs, const uint8_t *data, size_t size)
{
    vfs_mkdir(vfs, "data");
    for (int i = 0; i < FILES_MAX && size; i++) {
        const uint8_t *end = memchr(data, 0, size);
        if (!end) return;
        const char *name = (const char *)data;
        size -= (size_t)(end - data) + 1;
        data = end + 1;
        if (size < 4) return;
        uint32_t length = get_u32(data);
        data += 4;
        size -= 4;
        if (length > size) length = (uint32_t)size;
        file_make(vfs, name, bytes_of(data, length));
        data += length;
        size -= length;
    }
    vfs_sync_dir(vfs, "data");
}

/* ---- the engine on them ---- */

static void found(void *context, enum engine_finding finding, const char *file, uint64_t offset,
                  const char *text)
{
    (void)context, (void)finding, (void)offset;
    FUZZ_CHECK(file && text && *text);
    for (; *text; text++) FUZZ_CHECK((unsigned char)*text >= 32 && *text != 127);
}

static void use(struct engine *engine)
{
    struct engine_range range = {0};
    struct engine_cursor *cursor;
    struct bytes key, value;
    uint64_t entries = 0;
    if (engine_scan_open(engine, &range, &cursor) == 0) {
        int did;
        while ((did = engine_scan_next(cursor, &key, &value)) == 1)
            FUZZ_CHECK(++entries < ENTRIES_MAX);
        engine_scan_close(cursor);
    }
    bool more = true, was_written;
    was_written = engine_put(engine, bytes_string("key07"), bytes_string("new"), &heap,
                             ENGINE_SYNC, 0) == 0;
    for (int i = 0; i < SLICES_MAX && more; i++)
        if (engine_maintain(engine, 4096, 0, &more)) break;
    struct buffer got = {.allocator = &heap};
    int error = engine_get(engine, bytes_string("key07"), &got);
    /* (A forged image may well hold a later write of the key than any that can come.) */
    if (was_written && !is_believing) {
        FUZZ_CHECK(error != 0 || (got.size == 3 && memcmp(got.data, "new", 3) == 0));
        FUZZ_CHECK(error != -ENOENT);
    }
    buffer_deinit(&got);
    struct engine_stats stats;
    engine_stats(engine, &stats);
    engine_sync(engine);
}

static void image_run(const struct engine_ops *ops, struct vfs *vfs, const void *options)
{
    struct buffer text = {.allocator = &heap};
    struct engine_host host = {vfs, &heap, check_failed, NULL, &text};
    struct engine_inspector inspector = {found, NULL, true};
    const struct engine_ops *other;
    engine_recognise(vfs, "data", &other);
    engine_inspect(ops, &host, "data", &inspector);
    for (int i = 0; i < 2; i++) {
        struct engine *engine;
        if (engine_open(ops, &host, "data", options, &engine)) break;
        use(engine);
        engine_close(engine);
    }
    buffer_deinit(&text);
}

int fuzz_image(const uint8_t *data, size_t size)
{
    if (size < 1 || size > IMAGE_MAX) return 0;
    const struct engine_ops *ops = engine_registry[(data[0] & 0x7f) % engines_count()];
    is_believing = data[0] & IMAGE_BELIEVED;
    struct disk *disk = quick_disk();
    void *options = small_options(ops);
    files_make(disk_vfs(disk), data + 1, size - 1);
    if (setjmp(on_stop) == 0)
        image_run(ops, disk_vfs(disk), options);
    else
        heap_empty();
    FUZZ_CHECK(ring.next == &ring);
    free(options);
    is_believing = false;
    disk_end(disk);
    disk_destroy(disk);
    return 0;
}

/* ---- images of healthy engines ---- */

static void put_bytes(struct buffer *out, const void *data, size_t size)
{
    FUZZ_CHECK(buffer_append(out, data, size) == 0);
}

struct packing {
    struct vfs *vfs;
    const char *path;
    struct buffer *out;
};

static int pack(void *context, const char *name, bool is_directory)
{
    const struct packing *packing = context;
    char path[128];
    snprintf(path, sizeof path, "%s/%s", packing->path, name);
    if (is_directory) {
        struct packing inner = {packing->vfs, path, packing->out};
        return vfs_list(packing->vfs, path, pack, &inner);
    }
    struct vfs_file *file;
    uint64_t size;
    FUZZ_CHECK(vfs_open(packing->vfs, path, VFS_READ, &file) == 0);
    FUZZ_CHECK(vfs_size(file, &size) == 0);
    unsigned char *content = malloc(size + 1), head[4];
    FUZZ_CHECK(vfs_read(file, 0, content, size, VFS_META) == (int64_t)size);
    vfs_close(file);
    put_bytes(packing->out, path + 5, strlen(path + 5) + 1);
    put_u32(head, (uint32_t)size);
    put_bytes(packing->out, head, 4);
    put_bytes(packing->out, content, size);
    free(content);
    return 0;
}

void image_make(uint8_t head, struct buffer *out)
{
    const struct engine_ops *ops = engine_registry[(head & 0x7f) % engines_count()];
    is_believing = head & IMAGE_BELIEVED;
    struct disk *disk = quick_disk();
    struct vfs *vfs = disk_vfs(disk);
    struct engine_host host = {vfs, &heap, check_failed, NULL, NULL};
    struct engine *engine;
    void *options = small_options(ops);
    FUZZ_CHECK(engine_open(ops, &host, "data", options, &engine) == 0);
    for (int i = 0; i < 60; i++) {
        char key[16], value[40];
        bool more;
        snprintf(key, sizeof key, "key%02d", i * 7 % 20);
        memset(value, 'a' + i % 26, sizeof value);
        struct engine_batch batch = {.allocator = &heap};
        if (i % 6 == 5)
            engine_batch_delete(&batch, bytes_string(key));
        else
            engine_batch_put(&batch, bytes_string(key), bytes_of(value, (size_t)i * 13 % 40));
        FUZZ_CHECK(engine_write(engine, &batch, ENGINE_SYNC, 0) == 0);
        engine_batch_deinit(&batch);
        if (i % 20 == 19)
            for (more = true; more;) FUZZ_CHECK(engine_maintain(engine, 4096, 0, &more) == 0);
        if (i == 40) {
            engine_close(engine);
            FUZZ_CHECK(engine_open(ops, &host, "data", options, &engine) == 0);
        }
    }
    engine_close(engine);
    free(options);
    put_bytes(out, &head, 1);
    struct packing packing = {vfs, "data", out};
    FUZZ_CHECK(vfs_list(vfs, "data", pack, &packing) == 0);
    is_believing = false;
    disk_end(disk);
    disk_destroy(disk);
}
