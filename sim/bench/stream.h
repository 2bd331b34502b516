/* What the engine benchmark does: keys, values and the operations of each workload, the same in
 * every program that wants to compare.
 *
 * Keys: 16 ASCII bytes, the decimal of k with leading zeros; a missing key is that of k with
 * its last byte replaced by 'x' (inside the range of keys, never stored).
 *
 * splitmix64: s += 0x9E3779B97F4A7C15; z = s; z = (z ^ z >> 30) 0xBF58476D1CE4E5B9; z = (z ^ z
 * >> 27) 0x94D049BB133111EB; next = z ^ z >> 31.
 *
 * Values: bytes of a pool of 1 MiB + 64 KiB that splitmix64 fills from s = 42, at offset
 * next(2k + generation) mod 2^20. Generation 0 is a fill or an insert, 1 an overwrite.
 *
 * Orders over keys 0 <= k < N:
 *     fillseq                        0 .. N-1
 *     fillrandom, fillbatch, fillsync   Fisher and Yates' shuffle of 0 .. N-1, s = 1
 *     overwrite                      N times next mod N, s = 2
 *     readrandom, readmissing        min(N, 500,000) times next mod N, s = 3 and 4
 *     scan100                        10,000 starts next mod N, s = 5; up to 100 entries each
 *     ycsb_a .. ycsb_f               min(N, 500,000) operations of stream.c's own streams
 */
#ifndef FAULTLINE_SIM_BENCH_STREAM_H
#define FAULTLINE_SIM_BENCH_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engines/bytes.h"

#define BENCH_KEY_SIZE 16u
#define BENCH_VALUE_SIZE_MAX 65536u
#define BENCH_KEYS_MAX UINT64_C(100000000) /* their operations take 800 MB beside the engine */

/* ---- workloads ---- */

enum bench_store {
    STORE_FRESH, /* begins with an empty store */
    STORE_LOADED /* begins with keys 0 .. N-1 there (loaded unmeasured if they are not) */
};
enum bench_kind { BENCH_STREAM, BENCH_REOPEN, BENCH_RECOVER };

struct bench_workload {
    const char *name, *doc;
    enum bench_kind kind;
    enum bench_store store;
    bool writes;         /* puts are among its operations */
    bool syncs;          /* every put is durable before the next */
    bool needs_order;    /* only for engines whose scans come in key order */
    uint64_t keys_max;   /* no more keys than this; 0: any number */
    uint32_t batch_size; /* puts a batch where the caller says nothing */
};
extern const struct bench_workload bench_workloads[]; /* ends with name NULL */
const struct bench_workload *bench_workload_find(const char *name);

/* ---- keys and values ---- */

static inline void bench_key(char key[BENCH_KEY_SIZE], uint64_t k)
{
    for (int i = BENCH_KEY_SIZE - 1; i >= 0; i--) {
        key[i] = (char)('0' + k % 10);
        k /= 10;
    }
}

struct bench_pool;
struct bench_pool *bench_pool_create(void);
void bench_pool_destroy(struct bench_pool *pool);
const char *bench_value(const struct bench_pool *pool, uint64_t k, uint32_t generation);

/* ---- operations ---- */

enum bench_operation_type {
    BENCH_FILL,   /* put of a key, generation 0 */
    BENCH_UPDATE, /* put, generation 1 */
    BENCH_GET,
    BENCH_GET_MISSING,
    BENCH_SCAN, /* from the key, `entries` at most */
    BENCH_SCAN_ALL,
    BENCH_MODIFY /* get, then put of generation 1 */
};

struct bench_operation {
    enum bench_operation_type type;
    uint32_t entries;
    uint64_t key;
};

/* All operations of a workload, made beforehand and held outside this process's memory (what it
 * takes would else be taken for the engine's). */
struct bench_stream;
int bench_stream_create(const struct bench_workload *workload, uint64_t keys,
                        struct bench_stream **out); /* 0 or -errno */
void bench_stream_destroy(struct bench_stream *stream);
uint64_t bench_stream_count(const struct bench_stream *stream);
uint64_t bench_stream_inserts(const struct bench_stream *stream); /* keys N .. that it makes */
/* False at the end. */
bool bench_stream_next(struct bench_stream *stream, struct bench_operation *operation);

#endif
