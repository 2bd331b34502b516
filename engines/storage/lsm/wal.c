/* The write-ahead log of a memtable: records, the file, and how its bytes are judged.
 *
 *     header   offset  size
 *              0       8   "FLLSMW1\n"
 *              8       8   number of the file
 *              16      8   sequence of the last item before this log
 *              24      4   CRC-32C of [0, 24)
 *
 *     record   0       4   CRC-32C of [4, end), seeded with the CRC of (number 8, offset 8)
 *              4       4   CRC of the record before; of the header, for the first
 *              8       1   bit 0: a claim follows; bit 1: a time follows; bit 2: a seal:
 *                          the log ends here, and the next one's name is durable
 *              ..      4   claim: bytes of this log that were durable when it was written
 *              ..      8   time: now_ns of the write; present when the batch deletes
 *              ..      var size of the items
 *              ..      var count of the items; 0: a mark, which only claims, or a seal
 *              ..      ..  items: var (key size << 1 | is delete), var value size (puts only),
 *                          key, value
 *
 * var is a little-endian base-128 number as short as can be. A put of 16 + 100 bytes takes 129
 * bytes, and 133 when it claims: every record claims when more has been synced than the last
 * one said, so a log that is never synced pays nothing for it.
 *
 * A record is valid by itself where it stands (the seed), and belongs to the log when the chain
 * reaches it: so a break is a torn tail unless a valid record behind it, at whatever offset,
 * claims more than the offset of the break (L2, L3 of lsm.c).
 */
#include <errno.h>
#include <stdio.h>

#include "engines/storage/lsm/lsm_internal.h"

#define RECORD_FIXED 9u
#define RECORD_HEAD_MAX (RECORD_FIXED + 4 + 8 + 2 * LSM_VARINT_MAX)
#define HAS_CLAIM 1u
#define HAS_TIME 2u
#define IS_SEAL 4u
#define ALL_FLAGS (HAS_CLAIM | HAS_TIME | IS_SEAL)
#define CLAIM_MAX UINT32_MAX

static const char wal_magic[8] = {'F', 'L', 'L', 'S', 'M', 'W', '1', '\n'};

/* ---- encoding ---- */

uint32_t lsm_wal_seed(uint64_t number)
{
    unsigned char bytes[8];
    put_u64(bytes, number);
    return crc32c(0, bytes, sizeof(bytes));
}

/* `seed` is that of the log's number. */
static uint32_t record_crc(const unsigned char *data, size_t size, uint32_t seed,
                           uint64_t offset)
{
    unsigned char bytes[8];
    put_u64(bytes, offset);
    return crc32c(crc32c(seed, bytes, sizeof(bytes)), data + 4, size - 4);
}

static unsigned char *item_put(unsigned char *p, const struct engine_batch_item *item)
{
    p = lsm_varint_put(p, (uint64_t)item->key.size << 1 | item->is_delete);
    if (!item->is_delete) p = lsm_varint_put(p, item->value.size);
    memcpy(p, item->key.data, item->key.size);
    p += item->key.size;
    memcpy(p, item->value.data, item->value.size);
    return p + item->value.size;
}

/* Everything before the items, which stand at RECORD_HEAD_MAX of the scratch buffer: right
 * before them. */
static struct bytes head_put(struct lsm *lsm, unsigned char flags, int64_t now_ns,
                             uint64_t items_size, uint64_t count, uint32_t *crc)
{
    const struct lsm_wal *wal = lsm->wal;
    unsigned char head[RECORD_HEAD_MAX], *p = head + RECORD_FIXED;
    if (wal->synced > wal->claimed && wal->synced <= CLAIM_MAX) flags |= HAS_CLAIM;
    put_u32(head + 4, wal->crc);
    head[8] = flags;
    if (flags & HAS_CLAIM) {
        put_u32(p, (uint32_t)wal->synced);
        p += 4;
    }
    if (flags & HAS_TIME) {
        put_u64(p, (uint64_t)now_ns);
        p += 8;
    }
    p = lsm_varint_put(p, items_size);
    p = lsm_varint_put(p, count);
    size_t size = (size_t)(p - head);
    unsigned char *begin = lsm->scratch.data + RECORD_HEAD_MAX - size;
    memcpy(begin + 4, head + 4, size - 4);
    struct bytes record = bytes_of(begin, size + (size_t)items_size);
    *crc = record_crc(begin, record.size, wal->seed, wal->size);
    put_u32(begin, *crc);
    return record;
}

int lsm_wal_encode(struct lsm *lsm, const struct engine_batch *batch, int64_t now_ns,
                   struct bytes *record, uint32_t *crc)
{
    struct engine_batch_item item;
    if (batch->encoded.size > LSM_BATCH_MAX)
        return engine_fail(&lsm->base, -EFBIG, "%s: a batch beyond what a log holds", lsm->dir);
    /* An item's sizes take less here than in the batch. */
    int err = buffer_reserve(&lsm->scratch, RECORD_HEAD_MAX + batch->encoded.size);
    if (err) return err;
    unsigned char *begin = lsm->scratch.data + RECORD_HEAD_MAX, *p = begin;
    bool has_delete = false;
    for (size_t position = 0; engine_batch_next(batch, &position, &item);) {
        has_delete |= item.is_delete;
        p = item_put(p, &item);
    }
    *record = head_put(lsm, has_delete ? HAS_TIME : 0, now_ns, (uint64_t)(p - begin),
                       batch->count, crc);
    return 0;
}

/* Not synced, and its failure is nobody's: without the mark the file is as good as after a
 * crash. */
void lsm_wal_mark(struct lsm *lsm)
{
    uint32_t crc;
    if (buffer_reserve(&lsm->scratch, RECORD_HEAD_MAX)) return;
    struct bytes record = head_put(lsm, 0, 0, 0, 0, &crc);
    vfs_write(lsm->wal->file, lsm->wal->size, record, VFS_LOG);
}

int lsm_wal_seal(struct lsm *lsm)
{
    struct lsm_wal *wal = lsm->wal;
    uint32_t crc;
    int err = buffer_reserve(&lsm->scratch, RECORD_HEAD_MAX);
    if (err) return err;
    struct bytes record = head_put(lsm, IS_SEAL, 0, 0, 0, &crc);
    err = vfs_write(wal->file, wal->size, record, VFS_LOG);
    if (err) return lsm_log_failed(lsm, err, wal->garbage.number, "write");
    wal->size += record.size;
    err = lsm_wal_sync(lsm);
    if (err)
        wal->size -= record.size;
    else
        wal->crc = crc;
    return err;
}

/* ---- decoding ---- */

bool lsm_wal_decode(struct bytes data, uint64_t number, uint64_t offset,
                    struct wal_record *record)
{
    const unsigned char *p = data.data, *end = p + data.size;
    if (data.size < RECORD_FIXED + 2 || p[8] > ALL_FLAGS) return false;
    *record = (struct wal_record){.crc = get_u32(p),
                                  .previous = get_u32(p + 4),
                                  .has_claim = p[8] & HAS_CLAIM,
                                  .has_time = p[8] & HAS_TIME,
                                  .is_seal = p[8] & IS_SEAL};
    size_t fixed = (record->has_claim ? 4 : 0) + (record->has_time ? 8 : 0);
    uint64_t items_size;
    p += RECORD_FIXED;
    if ((size_t)(end - p) < fixed) return false;
    if (record->has_claim) {
        record->claim = get_u32(p);
        p += 4;
    }
    if (record->has_time) {
        record->now_ns = (int64_t)get_u64(p);
        p += 8;
    }
    p = lsm_varint_get(p, end, &items_size);
    if (p) p = lsm_varint_get(p, end, &record->count);
    if (!p || items_size > (size_t)(end - p) || (record->count == 0) != (items_size == 0) ||
        (record->is_seal && record->count))
        return false;
    record->items = bytes_of(p, (size_t)items_size);
    record->size = (uint64_t)(p - (const unsigned char *)data.data) + items_size;
    return record->crc ==
           record_crc(data.data, (size_t)record->size, lsm_wal_seed(number), offset);
}

bool lsm_wal_next(struct bytes *items, struct wal_item *item)
{
    const unsigned char *p = items->data, *end = p + items->size;
    uint64_t key, value_size = 0;
    if (!items->size) return false;
    p = lsm_varint_get(p, end, &key);
    if (p && !(key & 1)) p = lsm_varint_get(p, end, &value_size);
    if (!p || key >> 1 > LSM_KEY_SIZE_MAX || value_size > LSM_VALUE_SIZE_MAX ||
        (key >> 1) + value_size > (uint64_t)(end - p))
        return false;
    item->is_delete = key & 1;
    item->key = bytes_of(p, (size_t)(key >> 1));
    item->value = bytes_of(p + (key >> 1), (size_t)value_size);
    p += (key >> 1) + value_size;
    *items = bytes_of(p, (size_t)(end - p));
    return true;
}

static void header_encode(unsigned char header[WAL_HEADER], uint64_t number,
                          uint64_t first_sequence)
{
    memcpy(header, wal_magic, sizeof(wal_magic));
    put_u64(header + 8, number);
    put_u64(header + 16, first_sequence);
    put_u32(header + 24, crc32c(0, header, 24));
}

bool lsm_wal_may_begin(struct bytes front)
{
    const char *p = front.data;
    size_t same = 0, zeros = 0;
    for (size_t i = 0; i < front.size && i < sizeof(wal_magic); i++) {
        same += p[i] == wal_magic[i];
        zeros += p[i] == 0;
    }
    return front.size < sizeof(wal_magic) || zeros == sizeof(wal_magic) ||
           same >= sizeof(wal_magic) / 2;
}

bool lsm_wal_header_decode(struct bytes data, uint64_t number, uint64_t *first_sequence,
                           uint32_t *crc)
{
    const unsigned char *p = data.data;
    if (data.size < WAL_HEADER || memcmp(p, wal_magic, sizeof(wal_magic)) != 0 ||
        get_u64(p + 8) != number || get_u32(p + 24) != crc32c(0, p, 24))
        return false;
    *first_sequence = get_u64(p + 16);
    *crc = get_u32(p + 24);
    return true;
}

/* ---- judging ---- */

/* L3. Only records that claim more than `good` matter, and few offsets of arbitrary bytes look
 * like one, so the checksum is seldom computed. */
static void find_claims(struct bytes data, uint64_t number, struct wal_extent *extent)
{
    const unsigned char *p = data.data;
    struct wal_record record;
    for (uint64_t at = extent->good; at + RECORD_FIXED + 4 <= data.size; at++) {
        if (!(p[at + 8] & HAS_CLAIM) || p[at + 8] > ALL_FLAGS) continue;
        uint32_t claim = get_u32(p + at + RECORD_FIXED);
        if (claim <= extent->claimed || claim <= extent->good || claim > at) continue;
        if (lsm_wal_decode(bytes_of(p + at, data.size - (size_t)at), number, at, &record))
            extent->claimed = claim;
    }
}

int lsm_wal_walk(struct bytes data, uint64_t number, wal_record_fn *each, void *context,
                 struct wal_extent *extent)
{
    const unsigned char *p = data.data;
    struct wal_record record;
    *extent = (struct wal_extent){0};
    extent->has_header =
        lsm_wal_header_decode(data, number, &extent->first_sequence, &extent->crc);
    extent->sequence = extent->first_sequence;
    extent->good = extent->has_header ? WAL_HEADER : 0;
    uint64_t at = extent->good;
    while (extent->has_header && at < data.size && !extent->is_sealed &&
           lsm_wal_decode(bytes_of(p + at, data.size - (size_t)at), number, at, &record) &&
           record.previous == extent->crc) {
        int err = each ? each(context, at, extent->sequence, &record) : 0;
        if (err) return err;
        extent->sequence += record.count;
        extent->crc = record.crc;
        extent->is_sealed = record.is_seal;
        extent->last_is_mark = record.count == 0 && record.has_claim && record.claim == at;
        if (record.has_claim && record.claim > extent->claimed) extent->claimed = record.claim;
        at += record.size;
        extent->records++;
    }
    extent->good = at;
    if (at < data.size) find_claims(data, number, extent);
    return 0;
}

/* ---- the file ---- */

int lsm_wal_create(struct lsm *lsm, uint64_t number, struct lsm_wal **out)
{
    const struct allocator *a = lsm->base.host.allocator;
    char path[ENGINE_PATH_SIZE];
    int err = lsm_log_path(lsm->dir, number, path);
    if (err) return err;
    struct lsm_wal *wal = allocator_alloc(a, sizeof(*wal));
    if (!wal) return -ENOMEM;
    *wal = (struct lsm_wal){
        .garbage = {.number = number, .owner_bytes = sizeof(*wal), .is_log = true},
        .seed = lsm_wal_seed(number)};
    /* TRUNCATE: an unlink of an older file of this name may have been lost. */
    err = vfs_open(lsm->base.host.vfs, path, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &wal->file);
    if (err)
        allocator_free(a, wal, sizeof(*wal));
    else
        *out = wal;
    return err;
}

int lsm_wal_begin(struct lsm *lsm, struct lsm_wal *wal, uint64_t first_sequence)
{
    unsigned char header[WAL_HEADER];
    header_encode(header, wal->garbage.number, first_sequence);
    int err = vfs_write(wal->file, 0, bytes_of(header, sizeof(header)), VFS_LOG);
    if (!err)
        err = engine_file_sync(&lsm->base, wal->file, VFS_LOG, lsm->options.on_sync_failure);
    if (err) return err;
    wal->size = wal->synced = WAL_HEADER;
    wal->claimed = WAL_HEADER; /* records without a header are rot anyway */
    wal->crc = get_u32(header + 24);
    return 0;
}

void lsm_wal_close(struct lsm *lsm, struct lsm_wal *wal)
{
    if (wal->file) vfs_close(wal->file);
    allocator_free(lsm->base.host.allocator, wal, sizeof(*wal));
}

int lsm_log_failed(struct lsm *lsm, int err, uint64_t number, const char *what)
{
    if (lsm->options.on_sync_failure == SYNC_PANIC) lsm->is_read_only = true;
    return engine_fail(&lsm->base, err,
                       "%s/wal-" LSM_NUMBER_FORMAT ".log: %s failed (errno %d)", lsm->dir,
                       (unsigned long long)number, what, -err);
}

int lsm_wal_sync(struct lsm *lsm)
{
    struct lsm_wal *wal = lsm->wal;
    int err = engine_file_sync(&lsm->base, wal->file, VFS_LOG, lsm->options.on_sync_failure);
    if (err) return lsm_log_failed(lsm, err, wal->garbage.number, "sync");
    wal->synced = wal->size;
    return 0;
}
