/* The event queue: a ladder with bounded fan-out whose first rung slides.
 *
 * Entries of 16 bytes {time, order << 24 | slot} stand in one of four places, by time:
 *
 *     pushed at t --+-- t >= far_from ---------> far: unordered
 *                   +-- slot of t >= a cursor -> a rung: buckets of one power-of-two width,
 *                   |                            unordered within
 *                   +-- else ------------------> bottom: sorted; or a heap beside it, where
 *                                                the bottom would have to move too many
 *
 *     far --epoch(), far_walk()--> sliding rung --nest()--> nested rungs --refill()--> bottom
 *
 * The sliding rung (rungs[0]) is circular: as its cursor advances, its window of at most
 * 4,096 buckets moves on (window_extend), so that in a steady state nearly every event goes
 * straight to its bucket and from there to the bottom: two moves, whatever the number
 * pending. Its width is chosen from the median of what is pending when it is laid out
 * (epoch); when density has drifted from that, it is left to run dry (frozen) and laid out
 * anew.
 *
 * A bucket with more than SORT_MAX entries is spread over a nested rung that covers exactly
 * the bucket (nest), of 8 to 256 buckets by their number, so uneven densities cost a few
 * moves where they occur and nothing elsewhere. With RUNGS_MAX rungs in use, or in a bucket
 * of a single time, all of it is sorted at once. Bounded fan-out keeps the scattered writes
 * of spreading within the second-level cache; buckets are lists of 128-byte chunks from one
 * pool.
 *
 * An insertion that would move more than SHIFT_MAX entries of the bottom goes to a 4-ary
 * heap beside it; when the heap outnumbers the bottom and times differ, both are spread over
 * a nested rung. So a handler that schedules ten thousand events for now, or within the
 * bucket that is the bottom already, pays log n at worst. While no more than some tens are
 * pending, there is only the bottom: a sorted array.
 *
 * Invariants
 *
 *   I1  Everything outside far is earlier than far_from, and nothing in far is; far_from
 *       starts a slot of the sliding rung.
 *
 *   I2  A rung's entries lie in slots [cursor, cursor + buckets) and before its limit; a
 *       nested rung's limit is the start of the cursor of the rung above.
 *
 *   I3  Everything in bottom and heap is earlier than the cursor of the deepest rung (than
 *       far_from, if there is none).
 *
 *   I4  A far event is walked over only when as many events left the sliding rung since the
 *       last walk, or by an epoch, which moves at least a quarter of far, or else is
 *       followed by one that moves all of it. With nesting bounded by RUNGS_MAX, the work of
 *       a push is O(log n) amortised whatever the times are (queue_work counts it).
 *
 * Memory: 16.5 bytes an entry in full chunks, half a chunk lost a bucket, a pool that grows
 * by quarters: 21 to 32 bytes an entry from 20,000 pending up. Below that the half chunks
 * and the fixed tables weigh more by the entry and little in all: 21 KB at 100 pending, 75
 * KB at 1,000, 460 KB at 10,000.
 *
 * Sources: Tang, Goh and Thng 2005, "Ladder queue: an O(1) priority queue structure for
 * large-scale discrete event simulation"; the circular window is that of Brown's calendar
 * queue (1988).
 */
#include "sim/kernel/queue_internal.h"

#include <stdlib.h>
#include <string.h>

#include "sim/kernel/arena.h"
#include "sim/kernel/check.h"
#include "sim/kernel/vtime.h"

#define WIDE_MIN 64u    /* buckets of the sliding rung: 2^6 to 2^12 (WIDE_MAX) */
#define NARROW_MIN 8u   /* buckets of a nested rung: 2^3 ... */
#define NARROW_MAX 256u /* ... to 2^8 */
#define AIM 5u          /* entries a bucket aimed at */
#define WINDOW 5u    /* at its widest the sliding rung covers 5 times the nearer half's span */
#define TINY_MAX 16u /* so few are kept as one sorted array */
#define HEAP_MAX 64u /* a heap of more, and more than the bottom, is spread over a rung */
#define SAMPLE_COUNT 64u
#define FOREVER (UINT64_C(1) << 63) /* above every time */

/* ---- chunks ---- */

void queue_chunks_grow(struct queue *q, uint32_t capacity)
{
    struct chunk *chunks = aligned_alloc(128, (size_t)capacity * sizeof *chunks);
    CHECK(chunks != NULL);
    if (q->chunks_used) memcpy(chunks, q->chunks, q->chunks_used * sizeof *chunks);
    memset(chunks + q->chunks_used, 0, (capacity - q->chunks_used) * sizeof *chunks);
    free(q->chunks);
    q->chunks = chunks;
    q->next = xrealloc(q->next, (size_t)capacity * sizeof *q->next);
    q->chunks_capacity = capacity;
}

/* ---- rungs ---- */

static void rung_reset(struct rung *r, uint32_t buckets, int shift, uint64_t cursor,
                       uint64_t limit)
{
    if (r->capacity < buckets) {
        r->buckets = xrealloc(r->buckets, buckets * sizeof *r->buckets);
        r->capacity = buckets;
    }
    memset(r->buckets, 0, buckets * sizeof *r->buckets);
    memset(r->words, 0, (buckets + 63) / 64 * sizeof *r->words);
    r->summary = 0;
    r->mask = buckets - 1;
    r->shift = shift;
    r->cursor = cursor;
    r->limit = limit;
}

static inline void rung_add(struct queue *q, struct rung *r, struct entry e)
{
    uint32_t i = (uint32_t)(e.time >> r->shift) & r->mask;
    if (bucket_add(q, &r->buckets[i], e)) {
        r->words[i / 64] |= UINT64_C(1) << i % 64;
        r->summary |= UINT64_C(1) << i / 64;
    }
}

/* The next slot that has entries, from the cursor on; the rung is not empty. */
static inline uint64_t rung_next(const struct rung *r)
{
    uint32_t at = (uint32_t)r->cursor & r->mask, w = at / 64;
    uint64_t bits = r->words[w] >> at % 64;
    if (bits) return r->cursor + (uint64_t)__builtin_ctzll(bits);
    uint64_t above = r->summary & (~UINT64_C(1) << w);
    w = (uint32_t)__builtin_ctzll(above ? above : r->summary);
    uint32_t found = w * 64 + (uint32_t)__builtin_ctzll(r->words[w]);
    return r->cursor + ((found - at) & r->mask);
}

static inline struct bucket rung_take(struct rung *r, uint64_t slot)
{
    uint32_t i = (uint32_t)slot & r->mask;
    struct bucket b = r->buckets[i];
    r->buckets[i].count = 0;
    r->words[i / 64] &= ~(UINT64_C(1) << i % 64);
    if (!r->words[i / 64]) r->summary &= ~(UINT64_C(1) << i / 64);
    r->cursor = slot + 1;
    return b;
}

/* ---- far ---- */

static void far_add(struct queue *q, struct entry e)
{
    if (e.time < q->far_min) q->far_min = e.time;
    if (e.time > q->far_max) q->far_max = e.time;
    bucket_add(q, &q->far, e);
}

/* Moves what lies within the window of the sliding rung from `far` into it. */
static void far_walk(struct queue *q)
{
    struct rung *r = &q->rungs[0];
    uint64_t end = r->cursor + r->mask + 1;
    struct bucket all = q->far;
    struct entry entries[CHUNK_COUNT];
    q->far = (struct bucket){NONE, 0};
    q->far_min = FOREVER;
    q->far_max = 0;
    q->credit = 0;
    q->work += all.count;
    for (uint32_t n; (n = bucket_take(q, &all, entries)) > 0;)
        for (uint32_t i = 0; i < n; i++) {
            if (entries[i].time >> r->shift < end)
                rung_add(q, r, entries[i]);
            else
                far_add(q, entries[i]);
        }
}

/* Lets the sliding rung take what is earlier than `end` and than far's first slot (I1). */
static void window_open(struct queue *q, uint64_t end)
{
    struct rung *r = &q->rungs[0];
    uint64_t first = q->far_min >> r->shift << r->shift;
    q->far_from = first < end ? first : end;
    q->extended_at = r->cursor;
    q->extend_at = r->cursor + (r->mask + 1) / 16;
    q->consumed = 0;
}

/* Start of the slot that ends the window, in time. */
static uint64_t window_end(const struct rung *r)
{
    uint64_t slot = r->cursor + r->mask + 1;
    return slot > FOREVER >> r->shift ? FOREVER : slot << r->shift;
}

/* Called as the cursor advances. */
static void window_extend(struct queue *q)
{
    struct rung *r = &q->rungs[0];
    uint64_t slots = r->cursor - q->extended_at, buckets = r->mask + 1;
    /* Four times too dense (and more buckets would help), or sixteen times too sparse: time for
     * another width. */
    if ((q->consumed > 4 * AIM * slots && buckets < WIDE_MAX) ||
        (q->consumed * 16 < slots * AIM && q->count > TINY_MAX))
        q->frozen = true;
    if (q->frozen) return;
    uint64_t end = window_end(r);
    if (q->far_min < end && q->credit > 2 * (uint64_t)q->far.count) far_walk(q);
    window_open(q, end);
}

static int compare_times(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static uint64_t far_median(const struct queue *q)
{
    uint64_t sample[SAMPLE_COUNT];
    uint32_t chunks = (q->far.count + CHUNK_COUNT - 1) / CHUNK_COUNT,
             step = (chunks + SAMPLE_COUNT - 1) / SAMPLE_COUNT, count = 0, seen = 0;
    uint32_t last = (q->far.count - 1) % CHUNK_COUNT + 1;
    if (chunks < SAMPLE_COUNT / 2) {
        for (uint32_t x = q->far.head, left = q->far.count, n = last;
             left && count < SAMPLE_COUNT; x = q->next[x], left -= n, n = CHUNK_COUNT)
            for (uint32_t i = 0; i < n && count < SAMPLE_COUNT; i++)
                sample[count++] = q->chunks[x].entries[i].time;
    } else {
        for (uint32_t x = q->far.head; seen < chunks; x = q->next[x], seen++)
            if (seen % step == 0) sample[count++] = q->chunks[x].entries[0].time;
    }
    qsort(sample, count, sizeof *sample, compare_times);
    return sample[count / 2];
}

/* Everything is in `far`: lays out the sliding rung anew. */
static void epoch(struct queue *q)
{
    uint64_t count = q->far.count;
    if (count <= TINY_MAX) {
        struct bucket all = q->far;
        q->far = (struct bucket){NONE, 0};
        q->far_min = FOREVER;
        q->far_max = 0;
        q->far_from = UINT64_MAX;
        q->rungs_count = 0;
        queue_bottom_fill(q, all, 0, 63);
        return;
    }
    uint64_t span = q->spread ? q->far_max - q->far_min : far_median(q) - q->far_min;
    uint64_t slots = count / 2 / AIM; /* that the nearer half should take */
    uint32_t buckets = WIDE_MIN;
    while (buckets < WIDE_MAX && buckets < slots * 8) buckets *= 2;
    if (slots > buckets / WINDOW) slots = buckets / WINDOW;
    if (slots < 1) slots = 1;
    int shift = 0;
    while (span >> shift > slots) shift++;
    if (q->spread)
        while ((q->far_max >> shift) - (q->far_min >> shift) >= buckets) shift++;
    struct rung *r = &q->rungs[0];
    rung_reset(r, buckets, shift, q->far_min >> shift, UINT64_MAX);
    q->rungs_count = 1;
    far_walk(q);
    q->spread = q->far.count > count / 4 * 3;
    q->frozen = false;
    window_open(q, window_end(r));
}

/* ---- nested rungs and refilling ---- */

static void nest(struct queue *q, struct bucket b, uint64_t slot, int shift)
{
    uint32_t buckets = NARROW_MIN, bits = 3;
    while (buckets < NARROW_MAX && buckets * AIM < b.count) {
        buckets *= 2;
        bits++;
    }
    int finer = shift > (int)bits ? shift - (int)bits : 0;
    struct rung *r = &q->rungs[q->rungs_count++];
    q->work += b.count;
    rung_reset(r, buckets, finer, slot << (shift - finer), (slot + 1) << shift);
    struct entry entries[CHUNK_COUNT];
    for (uint32_t n; (n = bucket_take(q, &b, entries)) > 0;)
        for (uint32_t i = 0; i < n; i++) rung_add(q, r, entries[i]);
}

/* Asks the memory for the payloads of a bucket's last chunk (an entry beyond the count is an
 * old one or zero: a needless line at worst). Always inline: gcc 12 takes a function that only
 * prefetches for one without effect, and drops the call. */
static inline __attribute__((always_inline)) void payloads_prefetch(const struct queue *q,
                                                                    const struct bucket *b)
{
    const struct entry *e = q->chunks[b->head].entries;
    for (uint32_t i = 0; i < CHUNK_COUNT; i++)
        __builtin_prefetch(q->slots + (e[i].key & (QUEUE_SLOTS_MAX - 1)) * q->slot_size, 1);
    if (b->count > CHUNK_COUNT) {
        e = q->chunks[q->next[b->head]].entries;
        for (uint32_t i = 0; i < CHUNK_COUNT; i++)
            __builtin_prefetch(q->slots + (e[i].key & (QUEUE_SLOTS_MAX - 1)) * q->slot_size, 1);
    }
}

static bool refill(struct queue *q)
{
    for (;;) {
        if (q->rungs_count == 0) {
            if (q->far.count == 0) return false;
            epoch(q);
            if (q->bottom_count) return true;
        }
        struct rung *r = &q->rungs[q->rungs_count - 1];
        if (r->summary == 0) {
            if (q->rungs_count > 1) {
                q->rungs_count--;
                continue;
            }
            if (q->far.count == 0) return false;
            q->rungs_count = 0;
            continue;
        }
        uint64_t slot = rung_next(r);
        struct bucket b = rung_take(r, slot);
        if (q->rungs_count == 1) {
            q->consumed += b.count;
            q->credit += b.count;
            if (r->cursor >= q->extend_at) window_extend(q);
        }
        if (b.count > SORT_MAX && r->shift > 0 && q->rungs_count < RUNGS_MAX) {
            nest(q, b, slot, r->shift);
            continue;
        }
        if (q->slots) {
            payloads_prefetch(q, &b);
            if (r->summary) payloads_prefetch(q, &r->buckets[rung_next(r) & r->mask]);
        }
        queue_bottom_fill(q, b, slot << r->shift, r->shift);
        return true;
    }
}

/* ---- the heap ---- */

#define WAYS 4

static void heap_push(struct queue *q, struct entry e)
{
    if (q->heap_count == q->heap_capacity) {
        q->heap_capacity = q->heap_capacity ? q->heap_capacity * 2 : 128;
        q->heap = xrealloc(q->heap, q->heap_capacity * sizeof *q->heap);
    }
    if (q->heap_count == 0 || e.time > q->heap_time_max) q->heap_time_max = e.time;
    size_t i = q->heap_count++;
    for (; i > 0 && rank(e) < rank(q->heap[(i - 1) / WAYS]); i = (i - 1) / WAYS)
        q->heap[i] = q->heap[(i - 1) / WAYS], q->work++;
    q->heap[i] = e;
}

static struct entry heap_pop(struct queue *q)
{
    struct entry least = q->heap[0], last = q->heap[--q->heap_count];
    size_t i = 0;
    for (;;) {
        size_t child = i * WAYS + 1,
               end = child + WAYS < q->heap_count ? child + WAYS : q->heap_count, best = child;
        if (child >= q->heap_count) break;
        for (size_t j = child + 1; j < end; j++)
            if (rank(q->heap[j]) < rank(q->heap[best])) best = j;
        if (rank(last) <= rank(q->heap[best])) break;
        q->heap[i] = q->heap[best];
        q->work++;
        i = best;
    }
    q->heap[i] = last;
    return least;
}

/* Puts bottom and heap where later pushes of their times are cheap. */
static void bottom_spread(struct queue *q)
{
    q->work += q->bottom_count + q->heap_count;
    if (q->rungs_count == 0) {
        /* All that is pending is here: it has outgrown one sorted array. */
        for (size_t i = 0; i < q->bottom_count; i++) far_add(q, q->bottom[i]);
        for (size_t i = 0; i < q->heap_count; i++) far_add(q, q->heap[i]);
        q->far_from = 0;
    } else {
        struct rung *above = &q->rungs[q->rungs_count - 1];
        uint64_t limit = above->cursor << above->shift, least = q->heap[0].time;
        if (q->bottom_count && q->bottom[q->bottom_count - 1].time < least)
            least = q->bottom[q->bottom_count - 1].time;
        int shift = 0;
        while (((limit - 1) >> shift) - (least >> shift) >= NARROW_MAX) shift++;
        struct rung *r = &q->rungs[q->rungs_count++];
        rung_reset(r, NARROW_MAX, shift, least >> shift, limit);
        for (size_t i = 0; i < q->bottom_count; i++) rung_add(q, r, q->bottom[i]);
        for (size_t i = 0; i < q->heap_count; i++) rung_add(q, r, q->heap[i]);
    }
    q->bottom_count = q->heap_count = 0;
}

static void bottom_overflow(struct queue *q, struct entry e)
{
    heap_push(q, e);
    if (q->rungs_count == 0) {
        bottom_spread(q);
        return;
    }
    if (q->heap_count <= HEAP_MAX || q->heap_count <= q->bottom_count ||
        q->rungs_count == RUNGS_MAX)
        return;
    uint64_t least = q->heap[0].time, most = q->heap_time_max;
    if (q->bottom_count) {
        if (q->bottom[q->bottom_count - 1].time < least)
            least = q->bottom[q->bottom_count - 1].time;
        if (q->bottom[0].time > most) most = q->bottom[0].time;
    }
    if (least < most) bottom_spread(q);
}

/* ---- the contract ---- */

struct queue *queue_create(size_t pending_expected)
{
    struct queue *q = xcalloc(1, sizeof *q);
    q->free_chunk = NONE;
    q->far = (struct bucket){NONE, 0};
    q->far_min = FOREVER;
    if (pending_expected > QUEUE_SLOTS_MAX) pending_expected = QUEUE_SLOTS_MAX;
    queue_chunks_grow(q,
                      (uint32_t)(pending_expected / CHUNK_COUNT + pending_expected / 32 + 64));
    queue_bottom_reserve(q, 4 * SHIFT_MAX);
    return q;
}

void queue_prefetch(struct queue *q, const void *slots, size_t slot_size)
{
    q->slots = slots;
    q->slot_size = slot_size;
}

void queue_destroy(struct queue *q)
{
    if (!q) return;
    for (int i = 0; i < RUNGS_MAX; i++) free(q->rungs[i].buckets);
    free(q->bottom - CHUNK_COUNT);
    free(q->heap);
    free(q->chunks);
    free(q->next);
    free(q);
}

static inline void bottom_insert(struct queue *q, struct entry e)
{
    size_t i = q->bottom_count;
    if (i >= SHIFT_MAX &&
        (rank(q->bottom[i - SHIFT_MAX]) < rank(e) || i == q->bottom_capacity)) {
        bottom_overflow(q, e);
        return;
    }
    q->bottom_count++;
    for (; i > 0 && rank(q->bottom[i - 1]) < rank(e); i--) q->bottom[i] = q->bottom[i - 1];
    q->bottom[i] = e;
    q->work += q->bottom_count - 1 - i;
}

void queue_push(struct queue *q, int64_t time, uint64_t order, uint32_t slot)
{
    struct entry e = {(uint64_t)time, order << 24 | slot};
    q->count++;
    if (e.time >= q->far_from) {
        far_add(q, e);
        return;
    }
    int i = q->rungs_count - 1;
    if (i < 0) {
        bottom_insert(q, e);
        return;
    }
    if (e.time >> q->rungs[i].shift < q->rungs[i].cursor) {
        bottom_insert(q, e);
        return;
    }
    while (e.time >= q->rungs[i].limit) i--;
    rung_add(q, &q->rungs[i], e);
}

static inline bool least(struct queue *q)
{
    return (q->bottom_count | q->heap_count) || refill(q);
}

bool queue_pop_until(struct queue *q, int64_t until, struct queue_item *item)
{
    if (!least(q)) return false;
    struct entry e;
    if (__builtin_expect(q->heap_count != 0, 0) &&
        (!q->bottom_count || rank(q->heap[0]) < rank(q->bottom[q->bottom_count - 1]))) {
        if (q->heap[0].time > (uint64_t)until) return false;
        e = heap_pop(q);
    } else {
        e = q->bottom[q->bottom_count - 1];
        if (e.time > (uint64_t)until) return false;
        q->bottom_count--;
    }
    q->count--;
    item->time = (int64_t)e.time;
    item->order = e.key >> 24;
    item->slot = (uint32_t)(e.key & (QUEUE_SLOTS_MAX - 1));
    return true;
}

bool queue_pop(struct queue *q, struct queue_item *item)
{
    return queue_pop_until(q, VTIME_MAX, item);
}

int64_t queue_peek_time(struct queue *q)
{
    if (!least(q)) return VTIME_MAX;
    uint64_t time = q->bottom_count ? q->bottom[q->bottom_count - 1].time : FOREVER;
    if (q->heap_count && q->heap[0].time < time) time = q->heap[0].time;
    return (int64_t)time;
}

void queue_filter(struct queue *q, bool (*keep)(void *context, uint64_t order, uint32_t slot),
                  void *context)
{
    struct bucket kept = {NONE, 0};
    struct entry entries[CHUNK_COUNT];
#define KEEP(e) keep(context, (e).key >> 24, (uint32_t)((e).key & (QUEUE_SLOTS_MAX - 1)))
    struct bucket old_far = q->far;
    q->far = kept;
    q->far_min = FOREVER;
    q->far_max = 0;
    for (uint32_t n; (n = bucket_take(q, &old_far, entries)) > 0;)
        for (uint32_t i = 0; i < n; i++)
            if (KEEP(entries[i])) far_add(q, entries[i]);
    for (int level = 0; level < q->rungs_count; level++) {
        struct rung *r = &q->rungs[level];
        while (r->summary) {
            struct bucket b = rung_take(r, rung_next(r));
            for (uint32_t n; (n = bucket_take(q, &b, entries)) > 0;)
                for (uint32_t i = 0; i < n; i++)
                    if (KEEP(entries[i])) far_add(q, entries[i]);
        }
    }
    for (size_t i = 0; i < q->bottom_count; i++)
        if (KEEP(q->bottom[i])) far_add(q, q->bottom[i]);
    for (size_t i = 0; i < q->heap_count; i++)
        if (KEEP(q->heap[i])) far_add(q, q->heap[i]);
    q->bottom_count = q->heap_count = 0;
    q->rungs_count = 0;
    q->far_from = 0;
    q->count = q->far.count;
}

size_t queue_count(const struct queue *q)
{
    return q->count;
}

uint64_t queue_work(const struct queue *q)
{
    return q->work;
}

size_t queue_bytes(const struct queue *q)
{
    size_t bytes = sizeof *q + q->bottom_capacity * sizeof *q->bottom +
                   q->heap_capacity * sizeof *q->heap +
                   q->chunks_capacity * (sizeof *q->chunks + sizeof *q->next);
    for (int i = 0; i < RUNGS_MAX; i++)
        bytes += q->rungs[i].capacity * sizeof *q->rungs[i].buckets;
    return bytes;
}
