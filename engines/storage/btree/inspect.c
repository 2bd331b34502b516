/* A look at an image that nobody has open, and figures of one that is open.
 *
 * Inspection reads everything that counts and judges it as opening would, and further: every
 * page of the tree with its order, its place between the separators above it and its heads;
 * every large value with its checksum; the map against what the tree reaches, so that a page
 * that is lost (taken, reached by nobody) or used twice is found; every record of the log. The
 * tree is walked in key order; what is found is sorted by offset before it is told. Free pages
 * hold garbage and are not looked at.
 *
 * It takes two bits a page of the file, and a record of 112 bytes for each finding.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "engines/storage/btree/btree_internal.h"

/* ---- figures ---- */

struct census {
    uint64_t leaves, branches, cached_leaves, cached_used;
};

/* Branches are one page in some hundred: all of them are read. An error ends the counting. */
static int count_pages(struct btree *tree, const struct frame *frame, struct census *census)
{
    unsigned char *copy = NULL;
    int err = 0;
    census->branches++;
    if (page_level(frame->data) == 1) {
        census->leaves += page_count(frame->data);
        return 0;
    }
    copy = allocator_alloc(tree->base.host.allocator, sizeof(*frame) + tree->page_size);
    if (!copy) return -ENOMEM;
    memcpy(copy, frame, sizeof(*frame) + tree->page_size); /* children may push it out */
    struct frame *parent = (struct frame *)(void *)copy, *child;
    for (uint32_t i = 0; !err && i < page_count(parent->data); i++) {
        err = btree_tree_get_child(tree, parent, i, &child);
        if (!err) err = count_pages(tree, child, census);
    }
    allocator_free(tree->base.host.allocator, copy, sizeof(*frame) + tree->page_size);
    return err;
}

void btree_properties(struct engine *engine, engine_property_fn *each, void *context)
{
    struct btree *tree = btree_of(engine);
    struct census census = {0};
    struct frame *root;
    if (tree->depth == 1)
        census.leaves = 1;
    else if (btree_tree_get_root(tree, tree->root, tree->root_stamp, tree->depth, &root) == 0)
        count_pages(tree, root, &census);
    for (uint32_t i = 0; i < tree->cache.count; i++) {
        const unsigned char *page = tree->cache.frames[i]->data;
        if (page_level(page)) continue;
        census.cached_leaves++;
        census.cached_used += page_used(page, tree->page_size);
    }
    uint64_t room = census.cached_leaves * page_room(tree->page_size);
    uint64_t pages = (uint64_t)tree->map.count * tree->map.group_pages;
    each(context, "live.keys", tree->live_keys);
    each(context, "live.bytes", tree->live_bytes);
    each(context, "tree.depth", tree->depth);
    each(context, "pages.size", tree->page_size);
    each(context, "pages.leaf", census.leaves);
    each(context, "pages.branch", census.branches);
    each(context, "pages.taken", pages - tree->map.free);
    each(context, "pages.free", tree->map.free);
    each(context, "pages.bytes", tree->file_bytes);
    each(context, "leaves.fill_ppm", room ? census.cached_used * 1000000 / room : 0);
    each(context, "map.groups", tree->map.count);
    each(context, "cache.pages", tree->cache.count);
    each(context, "cache.dirty", tree->cache.dirty);
    each(context, "cache.hits", tree->cache.hits);
    each(context, "cache.loads", tree->cache.loads);
    each(context, "cache.evictions", tree->cache.evictions);
    each(context, "cache.writebacks", tree->cache.writebacks);
    each(context, "log.bytes", btree_wal_bytes(tree));
    each(context, "log.segments", tree->wal.active.id - tree->wal.first_id + 1);
    each(context, "checkpoint.generation", tree->durable.generation);
    each(context, "checkpoint.step", tree->checkpoint.step);
    each(context, "splits", tree->splits);
    each(context, "merges", tree->merges);
}

/* ---- names ---- */

static int recognise_name(void *context, const char *name, bool is_directory)
{
    uint32_t id;
    (void)context;
    return !is_directory && (strcmp(name, PAGES_NAME) == 0 || btree_wal_name_parse(name, &id));
}

int btree_recognise(struct vfs *vfs, const char *dir)
{
    return vfs_list(vfs, dir, recognise_name, NULL);
}

/* ---- the look ---- */

struct finding {
    uint64_t offset;
    uint32_t order;
    uint8_t kind; /* enum engine_finding */
    char text[99];
};

struct look {
    struct btree tree; /* as much of one as reading takes; nothing is open in it but the file */
    const struct engine_inspector *inspector;
    struct buffer findings; /* of the pages file */
    struct buffer names;    /* of files, NUL-terminated, in order */
    uint64_t *taken;        /* bits of the map that counts */
    uint64_t *seen;         /* pages that something reaches */
    uint64_t bits;
    unsigned char *levels; /* a page for each level of the path, and one more */
    uint64_t keys, bytes, size;
    bool is_partial; /* something could not be followed: what is not reached says nothing */
    int err;         /* out of memory while telling */
};

static void told(struct look *look, enum engine_finding kind, const char *file, uint64_t offset,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Of a log segment or a stranger: told at once. */
static void told(struct look *look, enum engine_finding kind, const char *file, uint64_t offset,
                 const char *format, ...)
{
    char text[ENGINE_KEY_TEXT + 64];
    va_list arguments;
    if (kind == FINDING_ITEM && !look->inspector->wants_items) return;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    look->inspector->found(look->inspector->context, kind, file, offset, text);
}

static void noted(struct look *look, enum engine_finding kind, uint64_t offset,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Of the pages file: kept, and told in the order of offsets. */
static void noted(struct look *look, enum engine_finding kind, uint64_t offset,
                  const char *format, ...)
{
    struct finding finding = {.offset = offset, .kind = (uint8_t)kind};
    va_list arguments;
    if (kind == FINDING_ITEM && !look->inspector->wants_items) return;
    finding.order = (uint32_t)(look->findings.size / sizeof(finding));
    va_start(arguments, format);
    vsnprintf(finding.text, sizeof(finding.text), format, arguments);
    va_end(arguments);
    int err = buffer_append(&look->findings, &finding, sizeof(finding));
    if (err) look->err = err;
}

static int finding_order(const void *context, const void *a, const void *b)
{
    const struct finding *p = a, *q = b;
    (void)context;
    if (p->offset != q->offset) return p->offset < q->offset ? -1 : 1;
    return (p->order > q->order) - (p->order < q->order);
}

static void findings_tell(struct look *look)
{
    struct finding *findings = (struct finding *)(void *)look->findings.data;
    size_t count = look->findings.size / sizeof(*findings);
    engine_sort(findings, count, sizeof(*findings), finding_order, NULL);
    for (size_t i = 0; i < count; i++)
        look->inspector->found(look->inspector->context, (enum engine_finding)findings[i].kind,
                               PAGES_NAME, findings[i].offset, findings[i].text);
}

static uint64_t offset_of(const struct look *look, uint32_t page)
{
    return (uint64_t)page * look->tree.page_size;
}

static bool bit_get(const uint64_t *bits, uint64_t i)
{
    return bits[i / 64] >> (i % 64) & 1;
}

/* Marks pages as reached; false when one of them can not be. */
static bool reach(struct look *look, uint32_t page, uint32_t count, uint64_t from)
{
    for (uint64_t i = page; i < (uint64_t)page + count; i++) {
        if (i >= look->bits) {
            noted(look, FINDING_PROBLEM, from, "refers to page %llu, beyond the file",
                  (unsigned long long)i);
            return false;
        }
        if (bit_get(look->seen, i)) {
            noted(look, FINDING_PROBLEM, offset_of(look, (uint32_t)i), "used twice");
            return false;
        }
        look->seen[i / 64] |= UINT64_C(1) << (i % 64);
        if (!bit_get(look->taken, i))
            noted(look, FINDING_PROBLEM, offset_of(look, (uint32_t)i),
                  "in use, and free in the map");
    }
    return true;
}

/* ---- metas and map ---- */

static int metas_look(struct look *look, bool *has_meta)
{
    struct btree *tree = &look->tree;
    unsigned char data[META_SIZE];
    struct meta meta;
    int err = btree_metas_read(tree);
    if (err) return err;
    *has_meta = tree->metas > 0;
    if (!*has_meta) {
        noted(look, FINDING_PROBLEM, 0, "no valid meta");
        return 0;
    }
    tree->page_size = tree->durable.page_size;
    tree->map.group_pages = map_group_pages(tree->page_size);
    for (uint32_t slot = 0; slot < 2; slot++) {
        uint64_t offset = slot * (uint64_t)btree_meta_stride(tree->page_size);
        err = engine_file_read(tree->file, offset, data, sizeof(data), VFS_REPAIR);
        if (err && err != -EBADMSG) return err;
        bool is_valid = !err && btree_meta_decode(data, &meta);
        if (is_valid)
            noted(look, FINDING_ITEM, offset,
                  "meta, generation %llu: root %u, depth %u, %llu keys, log from %08x%s",
                  (unsigned long long)meta.generation, meta.root, meta.depth,
                  (unsigned long long)meta.live_keys, meta.wal_id,
                  meta.generation == tree->durable.generation ? "" : " (the older one)");
        else if (tree->durable.generation > 1)
            noted(look, FINDING_NOTE, offset,
                  "not a meta: the other one counts (a checkpoint was cut here)");
    }
    return 0;
}

static int bits_make(struct look *look)
{
    const struct allocator *a = look->tree.base.host.allocator;
    look->bits = (uint64_t)look->tree.durable.groups * look->tree.map.group_pages;
    look->size = look->bits / 8 + 8;
    look->taken = allocator_alloc(a, (size_t)look->size);
    look->seen = allocator_alloc(a, (size_t)look->size);
    look->levels =
        allocator_alloc(a, (size_t)(look->tree.durable.depth + 2) * look->tree.page_size);
    if (!look->taken || !look->seen || !look->levels) return -ENOMEM;
    memset(look->taken, 0, (size_t)look->size);
    memset(look->seen, 0, (size_t)look->size);
    return 0;
}

static int group_look(struct look *look, uint32_t group, uint64_t *digest, uint64_t *suspect)
{
    struct btree *tree = &look->tree;
    unsigned char *images[2] = {look->levels, look->levels + tree->page_size};
    uint32_t page[2], pages = tree->map.group_pages;
    for (unsigned slot = 0; slot < 2; slot++) {
        page[slot] = btree_map_slot_page(group, pages, tree->page_size, slot);
        int err = engine_file_read(tree->file, offset_of(look, page[slot]), images[slot],
                                   tree->page_size, VFS_REPAIR);
        if (err && err != -EBADMSG) return err;
        if (err) memset(images[slot], 0, tree->page_size);
        uint32_t first = page[slot];
        look->seen[first / 64] |= UINT64_C(1) << (first % 64);
    }
    int best = btree_map_slot_choose((const unsigned char *const *)images, tree->page_size,
                                     page, group, tree->durable.generation);
    for (int slot = 0; slot < 2; slot++) {
        const char *why =
            btree_map_page_check(images[slot], tree->page_size, page[slot], group);
        bool is_zero = load_u64(images[slot]) == 0 && page_stamp(images[slot]) == 0;
        if (why && !is_zero && *suspect == UINT64_MAX) *suspect = offset_of(look, page[slot]);
        if (!why)
            noted(look, FINDING_ITEM, offset_of(look, page[slot]),
                  "map of group %u, generation %llu%s", group,
                  (unsigned long long)page_stamp(images[slot]),
                  slot == best ? "" : " (does not count)");
        else if (best >= 0 && !is_zero)
            noted(look, FINDING_NOTE, offset_of(look, page[slot]),
                  "a map page that does not count: %s", why);
    }
    if (best < 0) {
        noted(look, FINDING_PROBLEM, offset_of(look, page[0]),
              "no valid page of the allocation map");
        look->is_partial = true;
    }
    *digest += best < 0 ? 0 : load_u64(images[best]);
    for (uint32_t i = 0; i < pages / 64; i++)
        look->taken[(uint64_t)group * pages / 64 + i] =
            best < 0 ? UINT64_MAX : load_u64(images[best] + PAGE_HEADER + i * 8);
    return 0;
}

static int map_look(struct look *look)
{
    struct btree *tree = &look->tree;
    uint64_t digest = 0, suspect = UINT64_MAX;
    int err = bits_make(look);
    for (uint32_t i = 0; i < btree_map_reserved(tree->page_size) && !err; i++)
        look->seen[i / 64] |= UINT64_C(1) << (i % 64);
    for (uint32_t i = 0; !err && i < tree->durable.groups; i++)
        err = group_look(look, i, &digest, &suspect);
    if (!err && digest != tree->durable.digest && !look->is_partial) {
        noted(look, FINDING_PROBLEM,
              suspect != UINT64_MAX
                  ? suspect
                  : offset_of(look, btree_map_slot_page(0, 0, tree->page_size, 0)),
              "a page of the allocation map is lost");
        look->is_partial = true;
    }
    return err;
}

/* ---- the tree ---- */

static int value_look(struct look *look, uint32_t page, const struct leaf_cell *cell)
{
    struct btree *tree = &look->tree;
    struct buffer value = {.allocator = tree->base.host.allocator};
    uint32_t pages = (uint32_t)((cell->value_size + tree->page_size - 1) / tree->page_size);
    if (!reach(look, cell->overflow.page, pages, offset_of(look, page))) return 0;
    int err = buffer_reserve(&value, cell->value_size);
    if (err) return err;
    err = btree_tree_overflow_read(tree, cell, value.data);
    buffer_deinit(&value);
    if (err == -EBADMSG) {
        noted(look, FINDING_PROBLEM, offset_of(look, cell->overflow.page),
              "a value of %u bytes: it is not what was written", cell->value_size);
        return 0;
    }
    if (!err)
        noted(look, FINDING_ITEM, offset_of(look, cell->overflow.page), "a value of %u bytes",
              cell->value_size);
    return err;
}

/* Order, place between the separators, and whether a search finds each key: the heads. */
static void keys_look(struct look *look, uint32_t number, const unsigned char *page,
                      const struct bytes *low, const struct bytes *high)
{
    for (uint32_t i = page_level(page) ? 1 : 0; i < page_count(page); i++) {
        struct bytes key = page_key(page, i);
        bool is_there;
        if (i > 0 && bytes_compare(page_key(page, i - 1), key) >= 0)
            noted(look, FINDING_PROBLEM, offset_of(look, number), "key %u is out of order", i);
        else if ((low && bytes_compare(key, *low) < 0) ||
                 (high && bytes_compare(key, *high) >= 0))
            noted(look, FINDING_PROBLEM, offset_of(look, number),
                  "key %u does not belong to this page", i);
        else if (btree_page_lower(page, key, &is_there) != i || !is_there)
            noted(look, FINDING_PROBLEM, offset_of(look, number), "key %u is not found", i);
    }
}

static int leaf_look(struct look *look, uint32_t number, const unsigned char *page)
{
    struct leaf_cell cell;
    int err = 0;
    for (uint32_t i = 0; !err && i < page_count(page); i++) {
        btree_page_leaf_cell(page, i, &cell);
        look->keys++;
        look->bytes += cell.key.size + cell.value_size;
        if (cell.is_overflow) err = value_look(look, number, &cell);
    }
    return err;
}

static int page_look(struct look *look, uint32_t number, uint32_t stamp, uint32_t depth,
                     const struct bytes *low, const struct bytes *high, uint64_t from)
{
    struct btree *tree = &look->tree;
    unsigned char *page = look->levels + depth * tree->page_size;
    uint32_t level = tree->durable.depth - 1 - depth;
    if (!reach(look, number, 1, from)) {
        look->is_partial = true;
        return 0;
    }
    int err = engine_file_read(tree->file, offset_of(look, number), page, tree->page_size,
                               VFS_REPAIR);
    if (err && err != -EBADMSG) return err;
    const char *why = err ? "the file ends before this page"
                          : btree_page_check(page, tree->page_size, number, true);
    if (!why && (uint32_t)page_stamp(page) != stamp) why = "another state of this page";
    if (!why && page_level(page) != level) why = "a page of another level";
    if (why) {
        noted(look, FINDING_PROBLEM, offset_of(look, number), "%s", why);
        look->is_partial = true;
        return 0;
    }
    char key[ENGINE_KEY_TEXT] = "-";
    uint32_t first = level ? 1 : 0; /* of a branch the first has no key */
    if (page_count(page) > first) engine_key_text(key, page_key(page, first));
    noted(look, FINDING_ITEM, offset_of(look, number),
          "%s, level %u: %u keys, %u of %u bytes used, from %.40s", level ? "branch" : "leaf",
          level, page_count(page), page_used(page, tree->page_size), page_room(tree->page_size),
          key);
    keys_look(look, number, page, low, high);
    if (level == 0) return leaf_look(look, number, page);
    err = 0;
    for (uint32_t i = 0; !err && i < page_count(page); i++) {
        uint32_t child_stamp, child = btree_page_child(page, i, &child_stamp);
        struct bytes left = page_key(page, i), right = {0};
        bool has_right = i + 1 < page_count(page);
        if (has_right) right = page_key(page, i + 1);
        err = page_look(look, child, child_stamp, depth + 1, i ? &left : low,
                        has_right ? &right : high, offset_of(look, number));
    }
    return err;
}

static int tree_look(struct look *look)
{
    const struct meta *meta = &look->tree.durable;
    uint64_t place = (meta->generation & 1) * btree_meta_stride(look->tree.page_size);
    int err = page_look(look, meta->root, (uint32_t)meta->root_stamp, 0, NULL, NULL, place);
    if (err || look->is_partial) return err;
    if (look->keys != meta->live_keys || look->bytes != meta->live_bytes)
        noted(look, FINDING_PROBLEM, place, "the meta counts %llu keys, the tree has %llu",
              (unsigned long long)meta->live_keys, (unsigned long long)look->keys);
    for (uint64_t i = 0; i < look->bits; i++)
        if (bit_get(look->taken, i) && !bit_get(look->seen, i))
            noted(look, FINDING_PROBLEM, offset_of(look, (uint32_t)i),
                  "taken in the map, and reached by nothing");
    return 0;
}

static int pages_look(struct look *look, bool *has_meta)
{
    char path[ENGINE_PATH_SIZE];
    struct btree *tree = &look->tree;
    int err = engine_path(path, tree->dir, PAGES_NAME);
    if (!err) err = vfs_open(tree->base.host.vfs, path, VFS_READ, &tree->file);
    if (err) return err;
    err = metas_look(look, has_meta);
    if (!err && *has_meta) err = map_look(look);
    if (!err && *has_meta) err = tree_look(look);
    return err;
}

/* ---- the log ---- */

/* The id of the log segment whose name stands at *p; 0 for other files. */
static uint32_t name_id(const char *name)
{
    uint32_t id;
    return btree_wal_name_parse(name, &id) ? id : 0;
}

static const char *name_next(const struct look *look, const char *name)
{
    const char *end = (const char *)look->names.data + look->names.size;
    name += strlen(name) + 1;
    return name < end ? name : NULL;
}

static int has_records(struct look *look, uint32_t id)
{
    struct wal_reader reader;
    bool has = false;
    uint64_t claimed;
    int err = btree_wal_reader_open(&look->tree, id, VFS_READ, VFS_REPAIR, &reader);
    if (err) return err;
    err = btree_wal_claims(&reader, 0, &has, &claimed);
    btree_wal_reader_close(&reader);
    return err ? err : has;
}

/* The chain breaks at `offset`: as recovery judges it. */
static int break_look(struct look *look, struct wal_reader *reader, const char *name,
                      uint64_t offset)
{
    bool has_more;
    uint64_t claimed;
    int err = btree_wal_claims(reader, offset, &has_more, &claimed);
    if (err) return err;
    bool is_rot = claimed > offset;
    for (const char *n = name_next(look, name); n && !is_rot; n = name_next(look, n)) {
        int has = name_id(n) ? has_records(look, name_id(n)) : 0;
        if (has < 0) return has;
        is_rot = has > 0;
    }
    told(look, is_rot ? FINDING_PROBLEM : FINDING_NOTE, name, offset,
         is_rot ? "a broken record" : "a torn tail of %llu bytes: the next open cuts it",
         (unsigned long long)(reader->limit - offset));
    return 0;
}

static bool items_are_whole(const struct wal_record *record)
{
    struct engine_batch_item item;
    size_t position = 0;
    uint32_t count = 0;
    while (btree_wal_item_next(record, &position, &item)) count++;
    return position == record->size && count == record->count;
}

static void items_tell(struct look *look, const char *name, uint64_t offset,
                       const struct wal_record *record)
{
    struct engine_batch_item item;
    char key[ENGINE_KEY_TEXT];
    size_t position = 0;
    if (!look->inspector->wants_items) return;
    while (btree_wal_item_next(record, &position, &item)) {
        engine_key_text(key, item.key);
        if (item.is_delete)
            told(look, FINDING_ITEM, name, offset, "    delete %s", key);
        else
            told(look, FINDING_ITEM, name, offset, "    put %s, value of %zu", key,
                 item.value.size);
    }
}

static int segment_look(struct look *look, const char *name, uint32_t id)
{
    struct wal *wal = &look->tree.wal;
    struct wal_reader reader;
    struct wal_record record;
    uint64_t offset = WAL_HEADER;
    int n, err = btree_wal_reader_open(&look->tree, id, VFS_READ, VFS_REPAIR, &reader);
    if (err) return err;
    n = btree_wal_header_read(&reader);
    if (n == 0) {
        int has = has_records(look, id);
        bool is_standby = has == 0 && id != look->tree.durable.wal_id && !name_next(look, name);
        told(look, is_standby ? FINDING_NOTE : FINDING_PROBLEM, name, 0,
             is_standby ? "a segment whose making was cut: the next open removes it"
                        : "not the header of a log segment");
        if (has < 0) n = has;
        goto done;
    }
    if (n < 0) goto done;
    told(look, FINDING_ITEM, name, 0, "log segment %08x", id);
    while ((n = btree_wal_read(&reader, offset, &record)) > 0 &&
           record.previous == wal->chain) {
        told(look, FINDING_ITEM, name, offset, "%s of %u items, %u bytes; %u were durable",
             record.count ? "batch" : "mark", record.count, record.size, record.synced);
        items_tell(look, name, offset, &record);
        if (!items_are_whole(&record))
            told(look, FINDING_PROBLEM, name, offset, "an impossible batch");
        wal->chain = (uint32_t)record.checksum;
        offset += WAL_RECORD + record.size;
    }
    if (n > 0 && offset == WAL_HEADER && id > look->tree.durable.wal_id)
        told(look, FINDING_PROBLEM, name, offset,
             "the last records of the segment before it are lost");
    else if (n >= 0 && offset < reader.limit)
        n = break_look(look, &reader, name, offset);
done:
    btree_wal_reader_close(&reader);
    return n < 0 ? n : 0;
}

static int log_look(struct look *look, const char *name, uint32_t *expected)
{
    const struct meta *durable = &look->tree.durable;
    uint32_t id = name_id(name);
    if (look->tree.metas && id < durable->wal_id) {
        told(look, FINDING_NOTE, name, 0, "older than the meta: the next open removes it");
        return 0;
    }
    if (look->tree.metas && id != *expected)
        told(look, FINDING_PROBLEM, name, 0, "the segment before it is missing");
    *expected = id + 1;
    return segment_look(look, name, id);
}

/* ---- all of it ---- */

static int collect_name(void *context, const char *name, bool is_directory)
{
    struct look *look = context;
    return is_directory ? 0 : buffer_append(&look->names, name, strlen(name) + 1);
}

/* Whether the log that the meta counts on begins where it says. */
static bool log_is_there(const struct look *look)
{
    const char *name = look->names.size ? (const char *)look->names.data : NULL;
    for (; name; name = name_next(look, name))
        if (name_id(name) && name_id(name) == look->tree.durable.wal_id) return true;
    return false;
}

static int look_all(struct look *look)
{
    struct btree *tree = &look->tree;
    bool has_pages = false, has_meta = false;
    uint32_t expected;
    int err = 0;
    const char *first = look->names.size ? (const char *)look->names.data : NULL;
    for (const char *name = first; name && !has_pages; name = name_next(look, name))
        has_pages = strcmp(name, PAGES_NAME) == 0;
    if (has_pages) {
        err = pages_look(look, &has_meta);
        if (!err && has_meta && !log_is_there(look))
            noted(look, FINDING_PROBLEM,
                  (~tree->durable.generation & 1) *
                      (uint64_t)btree_meta_stride(tree->page_size),
                  "a meta is lost, or log segment %08x of the other one", tree->durable.wal_id);
        findings_tell(look);
    }
    expected = tree->durable.wal_id;
    tree->wal.chain = tree->durable.wal_chain;
    for (const char *name = first; !err && name; name = name_next(look, name)) {
        if (strcmp(name, PAGES_NAME) == 0) continue;
        if (name_id(name))
            err = log_look(look, name, &expected);
        else if (strcmp(name, ENGINE_COPY_MARK) == 0)
            told(look, FINDING_PROBLEM, name, 0, "the making of this copy did not end");
        else
            told(look, FINDING_NOTE, name, 0, "a file that nothing here knows");
    }
    if (!err && !has_pages) told(look, FINDING_PROBLEM, PAGES_NAME, 0, "the file is missing");
    return err ? err : look->err;
}

int btree_inspect(const struct engine_host *host, const char *dir,
                  const struct engine_inspector *inspector)
{
    const struct allocator *a = host->allocator;
    struct look *look = allocator_alloc(a, sizeof(*look));
    if (!look) return -ENOMEM;
    memset(look, 0, sizeof(*look));
    look->tree.base.host = *host;
    look->tree.options.verify = 1;
    look->tree.read_purpose = VFS_REPAIR;
    look->inspector = inspector;
    look->findings.allocator = look->names.allocator = a;
    int err = engine_path(look->tree.dir, "", dir);
    if (!err) err = vfs_list(host->vfs, dir, collect_name, look);
    if (!err) err = look_all(look);
    if (look->tree.file) vfs_close(look->tree.file);
    allocator_free(a, look->taken, (size_t)look->size);
    allocator_free(a, look->seen, (size_t)look->size);
    allocator_free(a, look->levels,
                   (size_t)(look->tree.durable.depth + 2) * look->tree.page_size);
    buffer_deinit(&look->findings);
    buffer_deinit(&look->names);
    allocator_free(a, look, sizeof(*look));
    return err;
}
