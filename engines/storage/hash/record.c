/* One record as bytes. The table of offsets stands in hash.c.
 *
 * The checksum is salted with the segment's id and the record's offset: a record that a
 * misdirected write put elsewhere, or that an older file left behind, is not valid where it
 * stands.
 */
#include <errno.h>

#include "engines/storage/hash/hash_internal.h"

#define KIND_SHIFT 30u
#define REMAINING_MASK ((UINT32_C(1) << KIND_SHIFT) - 1)

static uint32_t record_crc(const unsigned char *data, size_t size, uint32_t id, uint64_t offset)
{
    unsigned char salt[12];
    put_u32(salt, id);
    put_u64(salt + 4, offset);
    return crc32c(crc32c(0, salt, sizeof(salt)), data + 4, size - 4);
}

int hash_record_encode(struct buffer *out, uint32_t id, uint64_t offset, struct record *record)
{
    size_t size = record_size(record->key.size, record->value.size);
    int err = buffer_reserve(out, out->size + size);
    if (err) return err;
    unsigned char *p = out->data + out->size;
    put_u32(p + 4, record->previous);
    put_u32(p + 8, (uint32_t)record->key.size);
    put_u32(p + 12, (uint32_t)record->value.size);
    put_u64(p + 16, record->sequence);
    put_u32(p + 24, record->remaining | (uint32_t)record->kind << KIND_SHIFT);
    put_u32(p + 28, record->synced);
    bytes_copy(p + RECORD_HEADER, record->key);
    if (record->value.size)
        memcpy(p + RECORD_HEADER + record->key.size, record->value.data, record->value.size);
    record->crc = record_crc(p, size, id, offset);
    put_u32(p, record->crc);
    out->size += size;
    return 0;
}

uint64_t hash_record_header_size(const unsigned char header[RECORD_HEADER])
{
    uint32_t key_size = get_u32(header + 8), value_size = get_u32(header + 12);
    uint32_t kind = get_u32(header + 24) >> KIND_SHIFT;
    if (key_size > HASH_KEY_SIZE_MAX || value_size > HASH_VALUE_SIZE_MAX ||
        kind > RECORD_MARK || (kind != RECORD_PUT && value_size != 0) ||
        (kind == RECORD_MARK && key_size != 0))
        return 0;
    return record_size(key_size, value_size);
}

bool hash_record_decode(const unsigned char *data, uint32_t id, uint64_t offset,
                        struct record *record)
{
    uint32_t key_size = get_u32(data + 8), value_size = get_u32(data + 12);
    uint32_t kind_remaining = get_u32(data + 24);
    record->crc = get_u32(data);
    if (record->crc != record_crc(data, record_size(key_size, value_size), id, offset))
        return false;
    record->previous = get_u32(data + 4);
    record->sequence = get_u64(data + 16);
    record->kind = (enum record_kind)(kind_remaining >> KIND_SHIFT);
    record->remaining = kind_remaining & REMAINING_MASK;
    record->synced = get_u32(data + 28);
    record->key = bytes_of(data + RECORD_HEADER, key_size);
    record->value = bytes_of(data + RECORD_HEADER + key_size, value_size);
    return true;
}
