/* Snapshots: which pages an older state still needs.
 *
 * Every page carries the stamp of its birth, and stamps only grow. A snapshot is a root and a
 * mark, the newest stamp of its moment: the pages it reaches have stamps up to the mark and
 * never change. When the tree replaces a page, the page dies; it is needed by the snapshots
 * whose mark is not before its birth. It waits in the list of the newest of them. When that one
 * is closed, its list goes to the next older one, page by page: those born after that one's
 * mark are needed by nobody and are free. So opening is O(1), closing costs what died
 * meanwhile, and a page is never searched for.
 *
 * The durable tree is a snapshot that is closed when the next checkpoint is durable; the
 * checkpoint under way is one; each cursor is one. There is always at least the durable one.
 */
#include <errno.h>

#include "engines/storage/btree/btree_internal.h"

#define SPARE_MAX 64u /* nodes kept: a small write needs no more */

uint64_t btree_snapshot_mark(const struct btree *tree)
{
    return tree->newest ? tree->newest->mark : 0;
}

void btree_snapshot_open(struct btree *tree, struct snapshot *snapshot)
{
    *snapshot = (struct snapshot){.older = tree->newest,
                                  .mark = tree->stamp,
                                  .root = tree->root,
                                  .depth = tree->depth,
                                  .root_stamp = tree->root_stamp,
                                  .live_keys = tree->live_keys,
                                  .live_bytes = tree->live_bytes};
    if (tree->newest)
        tree->newest->newer = snapshot;
    else
        tree->oldest = snapshot;
    tree->newest = snapshot;
}

/* ---- nodes ---- */

static void node_spare(struct btree *tree, struct dead *dead)
{
    if (tree->dead_spare >= SPARE_MAX) {
        allocator_free(tree->base.host.allocator, dead, sizeof(*dead));
        return;
    }
    dead->next = tree->dead_pool;
    tree->dead_pool = dead;
    tree->dead_spare++;
}

int btree_dead_reserve(struct btree *tree, uint32_t count)
{
    while (tree->dead_spare < count) {
        struct dead *dead = allocator_alloc(tree->base.host.allocator, sizeof(*dead));
        if (!dead) return -ENOMEM;
        dead->next = tree->dead_pool;
        tree->dead_pool = dead;
        tree->dead_spare++;
    }
    return 0;
}

static void list_free(struct btree *tree, struct dead *dead)
{
    while (dead) {
        struct dead *next = dead->next;
        allocator_free(tree->base.host.allocator, dead, sizeof(*dead));
        dead = next;
    }
}

void btree_dead_deinit(struct btree *tree)
{
    for (struct snapshot *s = tree->oldest; s; s = s->newer) {
        list_free(tree, s->dead);
        s->dead = NULL;
    }
    list_free(tree, tree->dead_pool);
    tree->dead_pool = NULL;
    tree->dead_spare = 0;
}

/* ---- death ---- */

/* Nobody reads these pages any more: not from memory either. */
static void set_free(struct btree *tree, uint32_t page, uint32_t count)
{
    struct frame *frame = count == 1 ? btree_cache_find(tree, page) : NULL;
    if (frame) btree_cache_drop(tree, frame);
    btree_map_unhold(tree, page, count);
}

void btree_dead_bury(struct btree *tree, uint32_t page, uint32_t count, uint64_t stamp)
{
    struct snapshot *newest = tree->newest;
    btree_map_unlive(tree, page, count);
    if (!newest || stamp > newest->mark) {
        set_free(tree, page, count);
        return;
    }
    struct dead *dead = tree->dead_pool;
    ENGINE_CHECK(&tree->base, dead != NULL);
    tree->dead_pool = dead->next;
    tree->dead_spare--;
    *dead = (struct dead){newest->dead, stamp, page, count};
    newest->dead = dead;
    tree->dead_count++;
}

void btree_snapshot_close(struct btree *tree, struct snapshot *snapshot)
{
    struct snapshot *older = snapshot->older;
    if (older)
        older->newer = snapshot->newer;
    else
        tree->oldest = snapshot->newer;
    if (snapshot->newer)
        snapshot->newer->older = older;
    else
        tree->newest = older;
    for (struct dead *dead = snapshot->dead, *next; dead; dead = next) {
        next = dead->next;
        if (older && dead->stamp <= older->mark) {
            dead->next = older->dead;
            older->dead = dead;
            continue;
        }
        set_free(tree, dead->page, dead->count);
        tree->dead_count--;
        node_spare(tree, dead);
    }
    snapshot->dead = NULL;
}
