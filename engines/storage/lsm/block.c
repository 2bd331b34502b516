/* Data blocks of an SSTable: encoding, and search in the encoded bytes. Layout: table.c.
 *
 * Search: the restart points, whose keys are whole, are searched by halves; the entries behind
 * the last one that is before the target are walked. The walk never builds a key. It carries
 * `matched`, how many bytes of the target the last entry's key begins with. That entry is
 * before the target, so
 *
 *     shared > matched   this entry has the same byte at `matched`: also before the target
 *     shared < matched   it differs where the last one still agreed, and it is behind that
 *                        one: it is behind the target
 *     shared = matched   its suffix, compared with the target's rest, decides
 *
 * which rests on I1: within a restart's run `shared` is all that two neighbours share (not just
 * some of it). The same argument gives the key of the entry found: its shared bytes are the
 * target's.
 */
#include <errno.h>

#include "engines/storage/lsm/table_format.h"

/* ---- encoding ---- */

void block_builder_init(struct block_builder *b, struct buffer *out, uint32_t interval)
{
    *b = (struct block_builder){.out = out, .interval = interval ? interval : 1};
    b->restarts.allocator = b->key.allocator = out->allocator;
}

void block_builder_deinit(struct block_builder *b)
{
    buffer_deinit(&b->restarts);
    buffer_deinit(&b->key);
}

size_t block_builder_size(const struct block_builder *b)
{
    return b->entries ? b->out->size - b->begin + b->restarts.size + BLOCK_TRAILER : 0;
}

int block_builder_add(struct block_builder *b, const struct lsm_iterator *entry)
{
    struct buffer *out = b->out;
    struct bytes key = entry->key;
    size_t shared = 0;
    int err = buffer_reserve(out, out->size + BLOCK_HEADER + 3 * VARINT32_MAX + VARINT64_MAX +
                                      key.size + entry->value.size);
    if (err) return err;
    if (b->entries == 0) {
        b->begin = out->size;
        out->size += BLOCK_HEADER;
        b->since_restart = b->interval;
    }
    if (b->since_restart == b->interval) {
        unsigned char at[4];
        put_u32(at, (uint32_t)(out->size - b->begin));
        err = buffer_append(&b->restarts, at, sizeof(at));
        if (err) return err;
        b->since_restart = 0;
    } else {
        shared = shared_size(buffer_bytes(&b->key), key);
    }
    unsigned char *p = out->data + out->size;
    p = varint_put(p, shared);
    p = varint_put(p, key.size - shared);
    p = varint_put(p, entry->value.size);
    p = varint_put(p, entry->sequence << 1 | entry->is_delete);
    if (key.size > shared) memcpy(p, (const char *)key.data + shared, key.size - shared);
    p += key.size - shared;
    if (entry->value.size) memcpy(p, entry->value.data, entry->value.size);
    p += entry->value.size;
    out->size = (size_t)(p - out->data);
    b->since_restart++;
    b->entries++;
    return buffer_assign(&b->key, key);
}

int block_builder_finish(struct block_builder *b, uint64_t number, uint64_t offset)
{
    struct buffer *out = b->out;
    int err = buffer_reserve(out, out->size + b->restarts.size + BLOCK_TRAILER);
    if (err) return err;
    unsigned char *p = out->data + out->size, *begin = out->data + b->begin;
    memcpy(p, b->restarts.data, b->restarts.size);
    p += b->restarts.size;
    put_u32(p, (uint32_t)(b->restarts.size / 4));
    p += 4;
    size_t size = (size_t)(p - begin);
    put_u32(begin, (uint32_t)(size + CHECKSUM_SIZE));
    put_u64(p, table_checksum(bytes_of(begin, size), number, offset));
    out->size = b->begin + size + CHECKSUM_SIZE;
    buffer_clear(&b->restarts);
    b->entries = 0;
    return 0;
}

/* ---- reading ---- */

bool block_view_init(struct block_view *view, const unsigned char *data, size_t size)
{
    if (size < BLOCK_HEADER + BLOCK_TRAILER || get_u32(data) != size) return false;
    uint32_t restarts = get_u32(data + size - BLOCK_TRAILER);
    if (restarts == 0 || restarts > (size - BLOCK_HEADER - BLOCK_TRAILER) / 4) return false;
    view->data = data;
    view->restarts = restarts;
    view->entries_end = (uint32_t)(size - BLOCK_TRAILER - (size_t)4 * restarts);
    return block_restart(view, 0) == BLOCK_HEADER && view->entries_end > BLOCK_HEADER;
}

uint32_t block_restart_before(const struct block_view *view, uint32_t offset)
{
    uint32_t low = 0, high = view->restarts; /* restart low is before, or low is 0 */
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (block_restart(view, middle) < offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

int block_find(const struct block_view *view, struct bytes key, uint64_t sequence,
               uint32_t *offset, struct block_entry *e)
{
    /* The last restart point before the target; restart `low` is before it, or low is 0. */
    uint32_t low = 0, high = view->restarts;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2, at = block_restart(view, middle);
        if (at >= view->entries_end || !block_entry_at(view, at, e) || e->shared)
            return -EBADMSG;
        int order = lsm_key_compare(bytes_of(e->suffix, e->suffix_size), key);
        if (order < 0 || (order == 0 && e->tag >> 1 > sequence))
            low = middle;
        else
            high = middle;
    }
    size_t matched = 0;
    uint32_t at = low == 0 ? BLOCK_HEADER : block_restart(view, low);
    uint32_t run_end = high < view->restarts ? block_restart(view, high) : view->entries_end;
    for (; at < run_end; at = e->next) {
        if (!block_entry_at(view, at, e)) return -EBADMSG;
        if (e->shared > matched) continue;
        if (e->shared < matched) goto found;
        struct bytes rest = {(const char *)key.data + matched, key.size - matched};
        size_t more = shared_size(bytes_of(e->suffix, e->suffix_size), rest);
        bool suffix_ends = more == e->suffix_size, rest_ends = more == rest.size;
        if (suffix_ends && rest_ends) {
            if (e->tag >> 1 <= sequence) goto found;
        } else if (rest_ends || (!suffix_ends &&
                                 e->suffix[more] > ((const unsigned char *)rest.data)[more])) {
            goto found;
        }
        matched += more;
    }
    if (at != run_end) return -EBADMSG;
    if (run_end == view->entries_end) return 0;
    /* The next restart point is at or behind the target, and its key is whole. */
    if (!block_entry_at(view, at, e) || e->shared) return -EBADMSG;
found:
    *offset = at;
    return 1;
}
