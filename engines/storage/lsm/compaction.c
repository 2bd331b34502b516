/* Compaction: what pick.c chose is merged into new tables, in slices.
 *
 *     IDLE --pick--> MERGE ------ some 64 KiB read or due to be written: a slice
 *                    MERGE ------ a table is full -----------> SYNC --> MERGE
 *                    MERGE ------ all is read ---------------> SYNC --> SWITCH
 *     IDLE --pick--> SWITCH       the files move as they are
 *     SWITCH ------- manifest.c --> IDLE                       and the inputs are unlinked
 *
 * The inputs stand in a tournament of losers: the next entry costs about log2(inputs)
 * comparisons of keys, whoever it comes from. Entries of a key come newest first; the first is
 * kept, the others are dropped. No cursor needs them: it holds its own version, and with it the
 * inputs' files (C2). A tombstone is dropped when nothing older than the inputs may hold its
 * key, and it is older than gc_grace (C3).
 *
 * C1  Until the switch the inputs are the database: outputs are not listed, and a crash leaves
 *     strays.
 * C2  Inputs are unlinked when no version lists them: not the durable manifest, not a cursor's.
 * C3  A tombstone goes last. What it hides is in the inputs and goes with it, or in older runs,
 *     and then it stays. A write that came before it can not come to disk later: everything in
 *     a table was durable in its log before.
 * C4  All versions of a key are in one table of a run: files are cut between keys.
 *
 * A failure before the switch drops the outputs, and the compaction begins anew at the next
 * slice; a corrupt input ends all compaction until the engine is opened again.
 */
#include <errno.h>

#include "engines/storage/lsm/lsm_internal.h"

/* ---- beginning and giving up ---- */

static void compaction_reset(struct lsm *lsm)
{
    struct lsm_compaction *c = &lsm->compaction;
    const struct allocator *a = lsm->base.host.allocator;
    for (uint32_t i = 0; i < c->input_count; i++) {
        lsm_iterator_destroy(c->inputs[i].it);
        if (c->inputs[i].file) lsm_file_unpin(lsm, c->inputs[i].file);
    }
    for (uint32_t i = 0; i < c->file_count; i++) c->files[i]->is_input = false;
    allocator_free(a, c->losers, c->input_count * sizeof(*c->losers));
    allocator_free(a, c->files, c->file_capacity * sizeof(struct lsm_file *));
    allocator_free(a, c->inputs, c->input_capacity * sizeof(*c->inputs));
    buffer_deinit(&c->last_key);
    lsm_output_deinit(lsm, &c->output);
    lsm_version_unref(lsm, c->version);
    *c = (struct lsm_compaction){.is_blocked = c->is_blocked};
}

void lsm_compaction_abort(struct lsm *lsm)
{
    struct lsm_compaction *c = &lsm->compaction;
    for (uint32_t i = 0; i < c->output.count; i++) c->output.files[i]->is_obsolete = true;
    compaction_reset(lsm);
}

static int compaction_begin(struct lsm *lsm)
{
    struct lsm_compaction *c = &lsm->compaction;
    int err = lsm_compaction_pick(lsm);
    if (err) return err;
    c->last_key.allocator = lsm->base.host.allocator;
    c->losers = allocator_alloc(lsm->base.host.allocator, c->input_count * sizeof(*c->losers));
    if (!c->losers) return -ENOMEM;
    c->step = c->moves ? COMPACT_SWITCH : COMPACT_MERGE;
    return 0;
}

/* ---- inputs; 1: it would be a second read in this slice ---- */

static void input_close_file(struct lsm *lsm, struct lsm_input *input)
{
    lsm_iterator_destroy(input->it);
    input->it = NULL;
    lsm_file_unpin(lsm, input->file);
    input->file = NULL;
    input->is_placed = false;
}

/* To its next entry, opening files on the way; with it == NULL there is none. */
static int input_place(struct lsm *lsm, struct lsm_input *input, struct lsm_slice *slice)
{
    struct lsm_compaction *c = &lsm->compaction;
    while (!input->is_placed && (input->file || input->next < input->end)) {
        if (!input->file) {
            struct lsm_file *file = c->files[input->next];
            if (!file->table && slice->has_read) return 1;
            int err = lsm_file_pin(lsm, file, VFS_COMPACTION, &slice->has_read);
            if (err) return err;
            input->file = file;
            input->next++;
        }
        if (!input->it) {
            int err = table_iterate(input->file->table, LSM_IO, VFS_COMPACTION, &input->it);
            if (err) return err;
        }
        if (slice->has_read) return 1;
        slice->has_read = true;
        int err = lsm_iterator_first(input->it);
        if (err) return err;
        input->is_placed = true;
        if (!input->it->is_valid)
            input_close_file(lsm, input); /* no table is empty, but so be it */
    }
    return 0;
}

static int input_advance(struct lsm *lsm, struct lsm_input *input, struct lsm_slice *slice)
{
    if (input->it && input->is_placed) {
        if (!table_iterator_is_ready(input->it)) {
            if (slice->has_read) return 1;
            slice->has_read = true;
        }
        int err = lsm_iterator_next(input->it);
        if (err) return err;
        if (input->it->is_valid) return 0;
        input_close_file(lsm, input);
    }
    return input_place(lsm, input, slice);
}

/* ---- the tournament ---- */

static inline bool wins(const struct lsm_compaction *c, uint32_t a, uint32_t b)
{
    const struct lsm_iterator *x = c->inputs[a].it, *y = c->inputs[b].it;
    if (!x || !y) return x || (!y && a < b);
    int order = lsm_key_compare(x->key, y->key);
    return order ? order < 0 : x->sequence > y->sequence;
}

/* The entry of input i has changed: plays its way up again. */
static void replay(struct lsm_compaction *c, uint32_t i)
{
    uint32_t winner = i;
    for (uint32_t node = (i + c->input_count) / 2; node > 0; node /= 2) {
        if (!wins(c, c->losers[node], winner)) continue;
        uint32_t held = c->losers[node];
        c->losers[node] = winner;
        winner = held;
    }
    c->losers[0] = winner;
}

/* The winner below a node; leaves are nodes input_count .. 2 * input_count - 1. The depth is
 * the logarithm of the inputs. */
static uint32_t build(struct lsm_compaction *c, uint32_t node)
{
    if (node >= c->input_count) return node - c->input_count;
    uint32_t left = build(c, 2 * node), right = build(c, 2 * node + 1);
    bool is_left = wins(c, left, right);
    c->losers[node] = is_left ? right : left;
    return is_left ? left : right;
}

/* ---- merging ---- */

/* C3 */
static bool tombstone_is_over(const struct lsm *lsm, const struct lsm_iterator *entry)
{
    int64_t over;
    return !__builtin_add_overflow(lsm_tombstone_time(entry), lsm->options.gc_grace_ns,
                                   &over) &&
           over <= lsm->compaction.now_ns && lsm_compaction_is_bottom(lsm, entry->key);
}

/* Deals with the winner's entry. 1: the output must be written or finished before. */
static int entry_take(struct lsm *lsm, const struct lsm_iterator *entry)
{
    struct lsm_compaction *c = &lsm->compaction;
    bool is_same = c->has_last && lsm_key_compare(buffer_bytes(&c->last_key), entry->key) == 0;
    if (is_same) return 0;
    if (c->splits) { /* C4 */
        int err = lsm_output_finish(&c->output);
        return err ? err : 1;
    }
    int err = lsm_key_assign(&c->last_key, entry->key);
    c->has_last = true;
    if (err) return err;
    if (entry->is_delete && tombstone_is_over(lsm, entry)) {
        lsm->tombstones_dropped++;
        return 0;
    }
    err = lsm_output_add(lsm, &c->output, entry);
    c->splits = lsm_output_size(&c->output) >= (uint64_t)lsm->options.table_bytes;
    return err;
}

static int write_out(struct lsm *lsm, struct lsm_slice *slice)
{
    struct lsm_compaction *c = &lsm->compaction;
    int err = lsm_output_write(lsm, &c->output, VFS_COMPACTION);
    slice->has_written = true;
    if (!err && c->output.is_finished) c->step = COMPACT_SYNC;
    return err;
}

static int merge_end(struct lsm *lsm, struct lsm_slice *slice)
{
    struct lsm_compaction *c = &lsm->compaction;
    c->is_read_out = true;
    if (!c->output.builder) {
        c->step = COMPACT_SWITCH;
        return 0;
    }
    int err = c->output.is_finished ? 0 : lsm_output_finish(&c->output);
    return err || slice->has_written ? err : write_out(lsm, slice);
}

/* Merges until the budget is spent, or a second read or write would be due. */
static int merge(struct lsm *lsm, struct lsm_slice *slice)
{
    struct lsm_compaction *c = &lsm->compaction;
    if (c->output.is_finished) return write_out(lsm, slice);
    if (c->is_read_out) return merge_end(lsm, slice);
    if (!c->is_built) {
        for (uint32_t i = 0; i < c->input_count; i++) {
            int err = input_place(lsm, &c->inputs[i], slice);
            if (err) return err < 0 ? err : 0;
        }
        c->losers[0] = build(c, 1);
        c->is_built = true;
    }
    while (slice->budget > 0) {
        struct lsm_input *winner = &c->inputs[c->losers[0]];
        if (c->is_winner_used) {
            int err = input_advance(lsm, winner, slice);
            if (err) return err < 0 ? err : 0;
            c->is_winner_used = false;
            replay(c, c->losers[0]);
            continue;
        }
        if (!winner->it) return merge_end(lsm, slice);
        if (lsm_output_unwritten(&c->output) >= LSM_IO) {
            if (slice->has_written) return 0;
            int err = write_out(lsm, slice);
            if (err) return err;
        }
        uint64_t size = winner->it->key.size + winner->it->value.size + 1;
        int err = entry_take(lsm, winner->it);
        if (err) return err < 0 ? err : slice->has_written ? 0 : write_out(lsm, slice);
        c->is_winner_used = true;
        slice->budget -= size < slice->budget ? size : slice->budget;
    }
    return 0;
}

/* ---- the switch ---- */

static int compaction_switch(struct lsm *lsm)
{
    struct lsm_compaction *c = &lsm->compaction;
    struct lsm_change change = {.drops_inputs = true,
                                .run = c->run_to,
                                .level = c->level_to,
                                .outputs = c->moves ? c->files : c->output.files,
                                .count = c->moves ? c->file_count : c->output.count};
    struct lsm_version *version;
    int err = lsm_version_change(lsm, lsm->version, &change, &version);
    if (err) return err;
    if (c->is_arrival) {
        for (uint32_t i = 1; i < c->level_to; i++) version->levels[i].arrivals = 0;
        version->levels[c->level_to].arrivals++;
    }
    return lsm_switch_begin(lsm, version, lsm->log_number, lsm->flushed_sequence, false);
}

void lsm_compaction_done(struct lsm *lsm)
{
    struct lsm_compaction *c = &lsm->compaction;
    struct lsm_level_counts *counts = &lsm->counts[c->level_to];
    if (c->moves) {
        counts->moves += c->file_count;
    } else {
        counts->compactions++;
        for (uint32_t i = 0; i < c->file_count; i++) {
            counts->bytes_in += c->files[i]->garbage.file_bytes;
            counts->entries_in += c->files[i]->summary.entries;
            c->files[i]->is_obsolete = true; /* C2 */
        }
        for (uint32_t i = 0; i < c->output.count; i++) {
            counts->bytes_out += c->output.files[i]->garbage.file_bytes;
            counts->entries_out += c->output.files[i]->summary.entries;
        }
    }
    compaction_reset(lsm);
}

int lsm_compaction_slice(struct lsm *lsm, uint64_t budget)
{
    struct lsm_compaction *c = &lsm->compaction;
    struct lsm_slice slice = {.budget = budget};
    int err = 0;
    switch (c->step) {
    case COMPACT_IDLE: err = compaction_begin(lsm); break;
    case COMPACT_MERGE: err = merge(lsm, &slice); break;
    case COMPACT_SYNC:
        err = lsm_output_sync(lsm, &c->output, VFS_COMPACTION);
        c->splits = false;
        if (!err) c->step = c->is_read_out ? COMPACT_SWITCH : COMPACT_MERGE;
        break;
    case COMPACT_SWITCH: err = compaction_switch(lsm); break;
    }
    if (!err) return 0;
    if (err == -EBADMSG)
        c->is_blocked = true; /* the error text names file and offset */
    else
        engine_fail(&lsm->base, err, "%s: a compaction failed (errno %d)", lsm->dir, -err);
    lsm_compaction_abort(lsm);
    return err;
}
