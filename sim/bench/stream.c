/* Operations of the engine benchmark.
 *
 * A stream is an array of 64-bit words in a memory file that no process maps while it is read:
 *
 *     bits 60..63  type      52..59  entries of a scan (1..100)      0..51  key
 *
 * Reading it in blocks of 64 KiB costs about a nanosecond an operation, so the shuffle and the
 * Zipfian draws stay outside what is measured, and so do their pages.
 *
 * The YCSB core workloads (Cooper, Silberstein, Tam, Ramakrishnan and Sears, "Benchmarking
 * Cloud Serving Systems with YCSB", SoCC 2010, table 2) over N loaded records:
 *
 *     a  50 % reads, 50 % updates          zipfian
 *     b  95 % reads, 5 % updates           zipfian
 *     c  reads                             zipfian
 *     d  95 % reads, 5 % inserts           latest: rank r is the r-th youngest key
 *     e  95 % scans of 1..100, 5 % inserts zipfian starts, uniform lengths
 *     f  50 % reads, 50 % read-modify-writes  zipfian
 *
 * Zipfian has exponent 0.99 and is scrambled: rank r is key next(r) mod N. Differences from
 * YCSB's own program: inserts take the keys N, N+1 ... instead of hashed ones, a record is one
 * value instead of ten fields, the rank is scrambled by splitmix64 instead of FNV, and ranks
 * are drawn over the N records instead of over 10^10 and folded.
 */
#define _GNU_SOURCE
#include "sim/bench/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sim/kernel/arena.h"
#include "sim/kernel/zipf.h"

#define READS_MAX UINT64_C(500000)
#define SCANS UINT64_C(10000)
#define SCAN_ENTRIES 100u
#define SYNC_KEYS_MAX 2000u
#define BATCH_PUTS 1000u
#define ZIPF_EXPONENT_MILLIONTHS 990000
#define GAMMA UINT64_C(0x9E3779B97F4A7C15)

const struct bench_workload bench_workloads[] = {
    {"fillsync",
     "puts of new keys in random order, each durable before the next (2,000 at most)",
     BENCH_STREAM, STORE_FRESH, true, true, false, SYNC_KEYS_MAX, 0},
    {"fillseq", "puts of new keys in order", BENCH_STREAM, STORE_FRESH, true, false, false, 0,
     0},
    {"fillbatch", "as fillrandom, 1,000 puts a batch", BENCH_STREAM, STORE_FRESH, true, false,
     false, 0, BATCH_PUTS},
    {"fillrandom", "puts of new keys in random order", BENCH_STREAM, STORE_FRESH, true, false,
     false, 0, 0},
    {"readrandom", "gets of random keys that are there", BENCH_STREAM, STORE_LOADED, false,
     false, false, 0, 0},
    {"readmissing", "gets of random keys that are not there", BENCH_STREAM, STORE_LOADED, false,
     false, false, 0, 0},
    {"readseq", "one scan over everything", BENCH_STREAM, STORE_LOADED, false, false, false, 0,
     0},
    {"scan100", "scans of 100 entries from random keys", BENCH_STREAM, STORE_LOADED, false,
     false, true, 0, 0},
    {"overwrite", "puts of random keys that are there", BENCH_STREAM, STORE_LOADED, true, false,
     false, 0, 0},
    {"reopen", "open after a clean close, and one get", BENCH_REOPEN, STORE_LOADED, false,
     false, false, 0, 0},
    {"recover", "open after the process died at the end of fillrandom, and one get",
     BENCH_RECOVER, STORE_FRESH, false, false, false, 0, 0},
    {"ycsb_a", "YCSB A: 50 % reads, 50 % updates, zipfian", BENCH_STREAM, STORE_LOADED, true,
     false, false, 0, 0},
    {"ycsb_b", "YCSB B: 95 % reads, 5 % updates, zipfian", BENCH_STREAM, STORE_LOADED, true,
     false, false, 0, 0},
    {"ycsb_c", "YCSB C: reads, zipfian", BENCH_STREAM, STORE_LOADED, false, false, false, 0, 0},
    {"ycsb_d", "YCSB D: 95 % reads, 5 % inserts, latest", BENCH_STREAM, STORE_LOADED, true,
     false, false, 0, 0},
    {"ycsb_e", "YCSB E: 95 % scans of 1 to 100, 5 % inserts", BENCH_STREAM, STORE_LOADED, true,
     false, true, 0, 0},
    {"ycsb_f", "YCSB F: 50 % reads, 50 % read-modify-writes, zipfian", BENCH_STREAM,
     STORE_LOADED, true, false, false, 0, 0},
    {NULL, NULL, BENCH_STREAM, STORE_FRESH, false, false, false, 0, 0},
};

const struct bench_workload *bench_workload_find(const char *name)
{
    for (const struct bench_workload *w = bench_workloads; w->name; w++)
        if (strcmp(w->name, name) == 0) return w;
    return NULL;
}

static uint64_t next(uint64_t *state)
{
    return mix64(*state += GAMMA);
}

/* ---- values ---- */

#define POOL_STARTS (1u << 20)

struct bench_pool {
    char bytes[POOL_STARTS + BENCH_VALUE_SIZE_MAX];
};

struct bench_pool *bench_pool_create(void)
{
    struct bench_pool *pool = xmalloc(sizeof *pool);
    uint64_t state = 42;
    for (size_t i = 0; i < sizeof pool->bytes; i += 8)
        put_u64((unsigned char *)pool->bytes + i, next(&state));
    return pool;
}

void bench_pool_destroy(struct bench_pool *pool)
{
    free(pool);
}

const char *bench_value(const struct bench_pool *pool, uint64_t k, uint32_t generation)
{
    return pool->bytes + (mix64(2 * k + generation + GAMMA) & (POOL_STARTS - 1));
}

/* ---- streams ---- */

#define TYPE_SHIFT 60
#define ENTRIES_SHIFT 52
#define KEY_MASK ((UINT64_C(1) << ENTRIES_SHIFT) - 1)
#define BLOCK_WORDS 8192u

struct bench_stream {
    int fd;
    uint64_t count, inserts;
    uint64_t position; /* of the next operation to hand out */
    uint64_t block[BLOCK_WORDS];
};

static uint64_t word(enum bench_operation_type type, uint64_t entries, uint64_t key)
{
    return (uint64_t)type << TYPE_SHIFT | entries << ENTRIES_SHIFT | key;
}

static void make_fill(uint64_t *words, uint64_t keys, bool shuffled)
{
    for (uint64_t i = 0; i < keys; i++) words[i] = word(BENCH_FILL, 0, i);
    uint64_t state = 1;
    for (uint64_t i = keys; shuffled && i-- > 1;) {
        uint64_t j = next(&state) % (i + 1), moved = words[i];
        words[i] = words[j];
        words[j] = moved;
    }
}

static void make_uniform(uint64_t *words, uint64_t count, uint64_t keys, uint64_t state,
                         enum bench_operation_type type, uint64_t entries)
{
    for (uint64_t i = 0; i < count; i++) words[i] = word(type, entries, next(&state) % keys);
}

/* Percent of the operations that are not plain reads (or scans), by workload. */
static const struct {
    uint32_t others_percent;
    enum bench_operation_type main, other;
    bool inserts;
} ycsb[] = {
    {50, BENCH_GET, BENCH_UPDATE, false}, {5, BENCH_GET, BENCH_UPDATE, false},
    {0, BENCH_GET, BENCH_GET, false},     {5, BENCH_GET, BENCH_FILL, true},
    {5, BENCH_SCAN, BENCH_FILL, true},    {50, BENCH_GET, BENCH_MODIFY, false},
};

/* Returns the number of inserts. */
static uint64_t make_ycsb(uint64_t *words, uint64_t count, uint64_t keys, uint32_t letter)
{
    struct zipf zipf;
    zipf_init(&zipf, keys, ZIPF_EXPONENT_MILLIONTHS);
    struct rng rng;
    const char name[2] = {(char)('a' + letter), 0};
    rng_init(&rng, 6 + letter, "bench.ycsb", name, NULL);
    uint64_t live = keys;
    for (uint64_t i = 0; i < count; i++) {
        bool is_other = rng_below(&rng, 100) < ycsb[letter].others_percent;
        if (is_other && ycsb[letter].inserts) {
            words[i] = word(BENCH_FILL, 0, live++);
            continue;
        }
        uint64_t rank = zipf_draw(&zipf, &rng), entries = 0;
        uint64_t key = letter == 3 ? live - 1 - rank : mix64(rank + GAMMA) % keys;
        if (letter == 4) entries = 1 + rng_below(&rng, SCAN_ENTRIES);
        words[i] = word(is_other ? ycsb[letter].other : ycsb[letter].main, entries, key);
    }
    return live - keys;
}

static uint64_t operations_of(const char *name, uint64_t keys)
{
    if (!strcmp(name, "readseq")) return 1;
    if (!strcmp(name, "scan100")) return SCANS;
    if (!strncmp(name, "fill", 4) || !strcmp(name, "overwrite") || !strcmp(name, "recover"))
        return keys;
    return keys < READS_MAX ? keys : READS_MAX;
}

static uint64_t make(uint64_t *words, const char *name, uint64_t count, uint64_t keys)
{
    if (!strcmp(name, "overwrite"))
        make_uniform(words, count, keys, 2, BENCH_UPDATE, 0);
    else if (!strcmp(name, "readrandom"))
        make_uniform(words, count, keys, 3, BENCH_GET, 0);
    else if (!strcmp(name, "readmissing"))
        make_uniform(words, count, keys, 4, BENCH_GET_MISSING, 0);
    else if (!strcmp(name, "scan100"))
        make_uniform(words, count, keys, 5, BENCH_SCAN, SCAN_ENTRIES);
    else if (!strcmp(name, "readseq"))
        words[0] = word(BENCH_SCAN_ALL, 0, 0);
    else if (!strncmp(name, "ycsb_", 5))
        return make_ycsb(words, count, keys, (uint32_t)(name[5] - 'a'));
    else
        make_fill(words, keys, strcmp(name, "fillseq") != 0);
    return 0;
}

int bench_stream_create(const struct bench_workload *workload, uint64_t keys,
                        struct bench_stream **out)
{
    uint64_t count = operations_of(workload->name, keys);
    int err = 0, fd = memfd_create("operations", MFD_CLOEXEC);
    if (fd < 0) return -errno;
    size_t size = count * sizeof(uint64_t);
    uint64_t *words = MAP_FAILED;
    if (ftruncate(fd, (off_t)size) == 0)
        words = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (words == MAP_FAILED) {
        err = -errno;
        close(fd);
        return err;
    }
    struct bench_stream *stream = xmalloc(sizeof *stream);
    stream->fd = fd;
    stream->count = count;
    stream->position = 0;
    stream->inserts = make(words, workload->name, count, keys);
    munmap(words, size);
    *out = stream;
    return 0;
}

void bench_stream_destroy(struct bench_stream *stream)
{
    if (!stream) return;
    close(stream->fd);
    free(stream);
}

uint64_t bench_stream_count(const struct bench_stream *stream)
{
    return stream->count;
}

uint64_t bench_stream_inserts(const struct bench_stream *stream)
{
    return stream->inserts;
}

bool bench_stream_next(struct bench_stream *stream, struct bench_operation *operation)
{
    if (stream->position == stream->count) return false;
    size_t at = stream->position % BLOCK_WORDS;
    if (at == 0) {
        uint64_t left = stream->count - stream->position;
        size_t size = (left < BLOCK_WORDS ? left : BLOCK_WORDS) * sizeof(uint64_t), done = 0;
        while (done < size) {
            ssize_t n = pread(stream->fd, (char *)stream->block + done, size - done,
                              (off_t)(stream->position * sizeof(uint64_t) + done));
            if (n <= 0 && errno != EINTR) return false; /* a memory file has no other way */
            if (n > 0) done += (size_t)n;
        }
    }
    uint64_t w = stream->block[at];
    stream->position++;
    *operation = (struct bench_operation){(enum bench_operation_type)(w >> TYPE_SHIFT),
                                          (uint32_t)(w >> ENTRIES_SHIFT & 0xff), w & KEY_MASK};
    return true;
}
