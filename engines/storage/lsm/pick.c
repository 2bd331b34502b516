/* Which compaction is due, and of what. Three policies, by option `compaction`.
 *
 *     LEVELED   level 0: `l0_trigger` runs --> all of them, and what they overlap in level 1
 *               level i: more bytes than level_base * fanout^(i-1) --> a few files in turn, and
 *               what they overlap in level i+1
 *     TIERED    level i: `fanout` runs --> one run of level i+1. An entry is copied once a
 *               level.
 *     FULL      each run of level 0 is merged into the first level that has had fewer than
 *               fanout - 1 arrivals, together with all levels above that one, which are then
 *               empty: the fanout-th run to arrive at a level goes with it straight into the
 *               next. The j-th arrival rewrites j runs, j = 1 .. T-1, in T runs that pass:
 *               an entry is copied (T-1)/2 times a level, exactly, when keys are unique.
 *
 * LEVELED moves files without reading them when they overlap nothing where they go: ascending
 * inserts cost no compaction. FULL never moves, so that it is what the formula is about.
 * A database that was written under another policy is brought into shape first: where LEVELED
 * and FULL find several runs in a level, they are merged (ONE_RUN).
 *
 * A file whose tombstones have all outlived gc_grace, with nothing older below it, is rewritten
 * without them when nothing else is due. (Compactions drop what they meet; this is for files
 * that no compaction comes by.)
 *
 * What is due depends on the version alone, and on the clock for tombstones; it is judged once
 * a version.
 */
#include <errno.h>

#include "engines/storage/lsm/lsm_internal.h"

#define PICK_FILES 8u /* LEVELED: level i gives at most so many table sizes at once */

static uint64_t level_target(const struct lsm *lsm, uint32_t level)
{
    uint64_t target = (uint64_t)lsm->options.level_base_bytes;
    for (uint32_t i = 1; i < level && target < UINT64_C(1) << 50; i++)
        target *= (uint64_t)lsm->options.fanout;
    return target;
}

/* ---- what is due ---- */

static bool run_holds(const struct lsm_run *run, struct bytes from, struct bytes to)
{
    uint32_t begin, end;
    lsm_run_overlap(run, from, to, &begin, &end);
    return begin < end;
}

/* Nothing in the runs behind run `index` of `level` overlaps the file. */
static bool is_bottom(const struct lsm_version *version, uint32_t level, uint32_t index,
                      const struct lsm_file *file)
{
    for (uint32_t i = level; i < LSM_LEVELS; i++)
        for (uint32_t j = i == level ? index + 1 : 0; j < version->levels[i].count; j++)
            if (run_holds(version->levels[i].runs[j], file->summary.smallest,
                          file->summary.largest))
                return false;
    return true;
}

/* Tombstones of level 0 wait for its compaction, which comes soon enough. */
static void find_tombstones(struct lsm *lsm)
{
    struct lsm_due *due = &lsm->due;
    for (uint32_t i = 1; i < LSM_LEVELS; i++) {
        const struct lsm_level *level = &lsm->version->levels[i];
        for (uint32_t j = 0; j < level->count; j++)
            for (uint32_t k = 0; k < level->runs[j]->count; k++) {
                const struct lsm_file *file = level->runs[j]->files[k];
                int64_t newest = file->tombstone_newest_ns, when;
                if (!file->summary.tombstones || !is_bottom(lsm->version, i, j, file)) continue;
                if (__builtin_add_overflow(newest, lsm->options.gc_grace_ns, &when)) continue;
                if (due->has_tombstones && due->tombstones_ns <= when) continue;
                due->has_tombstones = true;
                due->tombstones_ns = when;
                due->tombstone_level = i;
                due->tombstone_file = file->garbage.number;
            }
    }
}

static void due_leveled(struct lsm *lsm)
{
    const struct lsm_level *levels = lsm->version->levels;
    uint64_t best = (uint64_t)levels[0].count * 1000 / (uint64_t)lsm->options.l0_trigger;
    if (best >= 1000) lsm->due = (struct lsm_due){.kind = DUE_LEVEL0};
    for (uint32_t i = 1; i + 1 < LSM_LEVELS; i++) {
        uint64_t bytes = lsm_level_bytes(&levels[i]), target = level_target(lsm, i);
        if (bytes <= target || bytes / (target / 1000 + 1) <= best) continue;
        best = bytes / (target / 1000 + 1);
        lsm->due = (struct lsm_due){.kind = DUE_LEVEL, .level = i};
    }
}

void lsm_due_update(struct lsm *lsm)
{
    const struct lsm_level *levels = lsm->version->levels;
    lsm->due = (struct lsm_due){.kind = DUE_NOTHING};
    if (lsm->options.compaction == LSM_TIERED) {
        for (uint32_t i = LSM_LEVELS; i-- > 0;)
            if (levels[i].count >= (uint64_t)lsm->options.fanout)
                lsm->due = (struct lsm_due){.kind = DUE_TIER, .level = i};
    } else {
        if (lsm->options.compaction == LSM_LEVELED)
            due_leveled(lsm);
        else if (levels[0].count)
            lsm->due = (struct lsm_due){.kind = DUE_ARRIVAL};
        for (uint32_t i = LSM_LEVELS; i-- > 1;)
            if (levels[i].count > 1)
                lsm->due = (struct lsm_due){.kind = DUE_ONE_RUN, .level = i};
    }
    if (lsm->due.kind == DUE_NOTHING) find_tombstones(lsm);
}

bool lsm_compaction_is_due(struct lsm *lsm)
{
    const struct lsm_due *due = &lsm->due;
    return !lsm->compaction.is_blocked &&
           (due->kind != DUE_NOTHING ||
            (due->has_tombstones && due->tombstones_ns <= lsm->now_ns));
}

/* ---- gathering its inputs ---- */

static int grow(const struct allocator *a, void **items, uint32_t *capacity, size_t size)
{
    uint32_t more = *capacity ? *capacity * 2 : 8;
    void *grown = a->resize(a->context, *items, *capacity * size, more * size);
    if (!grown) return -ENOMEM;
    *items = grown;
    *capacity = more;
    return 0;
}

/* Files [begin, end) of a run are read as one input. */
static int add_files(struct lsm *lsm, const struct lsm_run *run, uint32_t begin, uint32_t end)
{
    struct lsm_compaction *c = &lsm->compaction;
    const struct allocator *a = lsm->base.host.allocator;
    if (begin == end) return 0;
    if (c->input_count == c->input_capacity) {
        void *inputs = c->inputs;
        int err = grow(a, &inputs, &c->input_capacity, sizeof(*c->inputs));
        if (err) return err;
        c->inputs = inputs;
    }
    c->inputs[c->input_count++] =
        (struct lsm_input){.next = c->file_count, .end = c->file_count + end - begin};
    for (uint32_t i = begin; i < end; i++) {
        if (c->file_count == c->file_capacity) {
            void *files = c->files;
            int err = grow(a, &files, &c->file_capacity, sizeof(struct lsm_file *));
            if (err) return err;
            c->files = files;
        }
        run->files[i]->is_input = true;
        c->files[c->file_count++] = run->files[i];
    }
    return 0;
}

static int add_runs(struct lsm *lsm, uint32_t level, uint32_t first)
{
    const struct lsm_level *l = &lsm->version->levels[level];
    int err = 0;
    for (uint32_t i = first; !err && i < l->count; i++)
        err = add_files(lsm, l->runs[i], 0, l->runs[i]->count);
    return err;
}

static int file_order(const void *context, const void *a, const void *b)
{
    const struct lsm_file *const *x = a, *const *y = b;
    (void)context;
    return bytes_compare((*x)->summary.smallest, (*y)->summary.smallest);
}

/* The inputs do not overlap each other (sorts them to see): a move will do. */
static bool inputs_are_disjoint(struct lsm_compaction *c)
{
    if (c->input_count > 1)
        engine_sort(c->files, c->file_count, sizeof(struct lsm_file *), file_order, NULL);
    for (uint32_t i = 1; i < c->file_count; i++)
        if (bytes_compare(c->files[i - 1]->summary.largest, c->files[i]->summary.smallest) >= 0)
            return false;
    return true;
}

/* Adds what the inputs so far overlap in the only run of `level`; nothing: they move there. */
static int add_overlap(struct lsm *lsm, uint32_t level)
{
    struct lsm_compaction *c = &lsm->compaction;
    const struct lsm_level *l = &lsm->version->levels[level];
    uint32_t inputs = c->input_count, begin, end;
    c->level_to = level;
    c->run_to = 0;
    struct bytes from = c->files[0]->summary.smallest, to = c->files[0]->summary.largest;
    for (uint32_t i = 1; i < c->file_count; i++) {
        const struct table_summary *s = &c->files[i]->summary;
        if (bytes_compare(s->smallest, from) < 0) from = s->smallest;
        if (bytes_compare(s->largest, to) > 0) to = s->largest;
    }
    int err = 0;
    for (uint32_t i = 0; !err && i < l->count; i++) {
        lsm_run_overlap(l->runs[i], from, to, &begin, &end);
        err = add_files(lsm, l->runs[i], begin, end);
    }
    return err ? err : (int)(c->input_count > inputs);
}

static int pick_level0(struct lsm *lsm)
{
    struct lsm_compaction *c = &lsm->compaction;
    int err = add_runs(lsm, 0, 0);
    int overlaps = err ? err : add_overlap(lsm, 1);
    if (overlaps < 0) return overlaps;
    /* Sorting is harmless only where the order of the files is not that of the inputs. */
    if (!overlaps) {
        struct lsm_file **copy = allocator_alloc(lsm->base.host.allocator,
                                                 c->file_count * sizeof(struct lsm_file *));
        if (!copy) return -ENOMEM;
        memcpy(copy, c->files, c->file_count * sizeof(struct lsm_file *));
        c->moves = inputs_are_disjoint(c);
        if (!c->moves) memcpy(c->files, copy, c->file_count * sizeof(struct lsm_file *));
        allocator_free(lsm->base.host.allocator, copy,
                       c->file_count * sizeof(struct lsm_file *));
    }
    return 0;
}

/* A few files in turn: those behind the key where the last pick of this level ended. */
static int pick_level(struct lsm *lsm, uint32_t level)
{
    const struct lsm_run *run = lsm->version->levels[level].runs[0];
    struct buffer *last = &lsm->picks[level];
    uint64_t table = (uint64_t)lsm->options.table_bytes, bytes = 0;
    uint64_t excess = run->file_bytes - level_target(lsm, level);
    uint64_t wanted = excess < PICK_FILES * table ? excess : PICK_FILES * table;
    uint32_t begin = last->size ? lsm_run_find(run, buffer_bytes(last)) : 0, end;
    if (begin < run->count && last->size &&
        bytes_compare(run->files[begin]->summary.smallest, buffer_bytes(last)) <= 0)
        begin++;
    if (begin >= run->count) begin = 0;
    for (end = begin; end < run->count && bytes < wanted; end++)
        bytes += run->files[end]->garbage.file_bytes;
    int err = buffer_assign(last, run->files[end - 1]->summary.largest);
    if (!err) err = add_files(lsm, run, begin, end);
    int overlaps = err ? err : add_overlap(lsm, level + 1);
    if (overlaps < 0) return overlaps;
    lsm->compaction.moves = !overlaps;
    return 0;
}

static int pick_tier(struct lsm *lsm, uint32_t level)
{
    uint32_t count = lsm->version->levels[level].count;
    uint32_t fanout = (uint32_t)lsm->options.fanout;
    if (level + 1 == LSM_LEVELS) fanout = count; /* nowhere to go: all become one */
    lsm->compaction.level_to = level + 1 == LSM_LEVELS ? level : level + 1;
    return add_runs(lsm, level, count - fanout); /* the oldest */
}

static int pick_arrival(struct lsm *lsm)
{
    const struct lsm_level *levels = lsm->version->levels;
    uint32_t to = 1;
    while (to + 1 < LSM_LEVELS && levels[to].arrivals + 2 > (uint64_t)lsm->options.fanout) to++;
    lsm->compaction.level_to = to;
    lsm->compaction.is_arrival = true;
    int err = add_runs(lsm, 0, levels[0].count - 1);
    for (uint32_t i = 1; !err && i <= to; i++) err = add_runs(lsm, i, 0);
    return err;
}

static int pick_tombstones(struct lsm *lsm)
{
    const struct lsm_level *level = &lsm->version->levels[lsm->due.tombstone_level];
    lsm->compaction.level_to = lsm->due.tombstone_level;
    for (uint32_t j = 0; j < level->count; j++)
        for (uint32_t k = 0; k < level->runs[j]->count; k++) {
            if (level->runs[j]->files[k]->garbage.number != lsm->due.tombstone_file) continue;
            lsm->compaction.run_to = j;
            lsm->compaction.older_run = j + 1;
            return add_files(lsm, level->runs[j], k, k + 1);
        }
    return 0;
}

int lsm_compaction_pick(struct lsm *lsm)
{
    const struct lsm_due *due = &lsm->due;
    lsm->version->refs++;
    lsm->compaction.version = lsm->version;
    lsm->compaction.run_to = LSM_NEW_RUN;
    lsm->compaction.now_ns = lsm->now_ns;
    switch (due->kind) {
    case DUE_NOTHING: return pick_tombstones(lsm);
    case DUE_ONE_RUN:
        lsm->compaction.level_to = due->level;
        return add_runs(lsm, due->level, 0);
    case DUE_LEVEL0: return pick_level0(lsm);
    case DUE_LEVEL: return pick_level(lsm, due->level);
    case DUE_TIER: return pick_tier(lsm, due->level);
    case DUE_ARRIVAL: return pick_arrival(lsm);
    }
    return 0;
}

/* ---- the bottom ---- */

bool lsm_compaction_is_bottom(const struct lsm *lsm, struct bytes key)
{
    const struct lsm_compaction *c = &lsm->compaction;
    for (uint32_t i = c->level_to; i < LSM_LEVELS; i++) {
        const struct lsm_level *level = &c->version->levels[i];
        for (uint32_t j = i == c->level_to ? c->older_run : 0; j < level->count; j++) {
            const struct lsm_run *run = level->runs[j];
            uint32_t at = lsm_run_find(run, key);
            if (at < run->count && !run->files[at]->is_input &&
                lsm_key_compare(run->files[at]->summary.smallest, key) <= 0)
                return false;
        }
    }
    return true;
}
