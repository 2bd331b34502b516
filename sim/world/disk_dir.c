/* Names on the simulated disk: what is seen now, what the device holds, and the operations
 * between the two.
 *
 * Every directory has two sets of names. `live` is what calls see; `durable` is what the device
 * holds. Each create, rename, unlink and mkdir changes live at once and is kept, with its
 * stamp, in one list of the disk until a sync_dir that began after it completes
 * (dir_sync_settle), a stop takes it back (dir_take_back) or a power loss decides
 * (disk_power.c). The list is in order of (stamp, sequence): lanes interleave, so host order is
 * not time order.
 *
 * An inode has at most one name in any image (I3): to place it somewhere on the device takes it
 * away from where it was. So a rename is old or new and never both, whichever subset of the
 * operations survives. A sync_dir covers the operations of that directory only; with a rename
 * between directories, which one operation of the journal makes durable on both sides, come all
 * earlier operations on the same inode or the same names.
 */
#include "sim/world/disk_internal.h"

#include <errno.h>
#include <stdlib.h>

#include "sim/kernel/arena.h"
#include "sim/kernel/check.h"

/* ---- a directory's names ---- */

static uint32_t entries_position(const struct entries *entries, const char *name)
{
    uint32_t low = 0, high = entries->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(entries->items[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct inode *entries_find(const struct entries *entries, const char *name)
{
    uint32_t i = entries_position(entries, name);
    return i < entries->count && strcmp(entries->items[i].name, name) == 0
               ? entries->items[i].inode
               : NULL;
}

static void entries_remove_at(struct entries *entries, uint32_t i)
{
    free(entries->items[i].name);
    entries->count--;
    memmove(entries->items + i, entries->items + i + 1,
            (entries->count - i) * sizeof *entries->items);
}

void entries_set(struct entries *entries, const char *name, struct inode *inode)
{
    uint32_t i = entries_position(entries, name);
    bool found = i < entries->count && strcmp(entries->items[i].name, name) == 0;
    if (found && inode) {
        entries->items[i].inode = inode;
    } else if (found) {
        entries_remove_at(entries, i);
    } else if (inode) {
        GROW(entries->items, entries->count, entries->capacity);
        memmove(entries->items + i + 1, entries->items + i,
                (entries->count - i) * sizeof *entries->items);
        entries->items[i] = (struct entry){xstrdup(name), inode};
        entries->count++;
    }
}

void entries_deinit(struct entries *entries)
{
    for (uint32_t i = 0; i < entries->count; i++) free(entries->items[i].name);
    free(entries->items);
    *entries = (struct entries){0};
}

/* ---- paths ---- */

/* Checks one component that ends at `end`: 0, or -errno. */
static int component_check(const char *name, const char *end)
{
    size_t size = (size_t)(end - name);
    if (size == 0 || (size == 1 && name[0] == '.') ||
        (size == 2 && name[0] == '.' && name[1] == '.'))
        return -EINVAL;
    return size > NAME_SIZE_MAX ? -ENAMETOOLONG : 0;
}

int path_resolve(struct disk *disk, const char *path, struct inode **dir, const char **name)
{
    struct inode *at = disk->root;
    if (strlen(path) >= PATH_SIZE_MAX) return -ENAMETOOLONG;
    for (;;) {
        const char *end = strchr(path, '/');
        int err = component_check(path, end ? end : path + strlen(path));
        if (err) return err;
        if (!end) break;
        char component[NAME_SIZE_MAX + 1];
        memcpy(component, path, (size_t)(end - path));
        component[end - path] = '\0';
        at = entries_find(&at->live, component);
        if (!at) return -ENOENT;
        if (!at->is_directory) return -ENOTDIR;
        path = end + 1;
    }
    *dir = at;
    *name = path;
    return 0;
}

int path_directory(struct disk *disk, const char *path, struct inode **dir)
{
    if (path[0] == '\0' || strcmp(path, ".") == 0) {
        *dir = disk->root;
        return 0;
    }
    struct inode *parent;
    const char *name;
    int err = path_resolve(disk, path, &parent, &name);
    if (err) return err;
    struct inode *inode = entries_find(&parent->live, name);
    if (!inode) return -ENOENT;
    if (!inode->is_directory) return -ENOTDIR;
    *dir = inode;
    return 0;
}

const char *inode_path(const struct disk *disk, const struct inode *inode,
                       char out[PATH_SIZE_MAX])
{
    size_t at = PATH_SIZE_MAX - 1;
    out[at] = '\0';
    for (; inode != disk->root && inode->parent; inode = inode->parent) {
        const struct entries *names = &inode->parent->live;
        uint32_t i = 0;
        while (names->items[i].inode != inode) i++;
        size_t size = strlen(names->items[i].name);
        if (size + 1 > at) break;
        if (out[at]) out[--at] = '/';
        at -= size;
        memcpy(out + at, names->items[i].name, size);
    }
    return out + at;
}

/* ---- operations ---- */

static bool dirop_names(const struct dirop *op, const struct inode *dir, const char *name)
{
    return (op->to_dir == dir && strcmp(op->to_name, name) == 0) ||
           (op->from_dir && op->from_dir == dir && strcmp(op->from_name, name) == 0);
}

int64_t dir_stamp(const struct disk *disk, const struct inode *dir, const char *name,
                  int64_t cursor)
{
    int64_t stamp = max_i64(cursor, dir->stamp);
    for (uint32_t i = disk->dirops_count; i-- > 0 && disk->dirops[i].stamp > stamp;)
        if (dirop_names(&disk->dirops[i], dir, name)) stamp = disk->dirops[i].stamp;
    return stamp;
}

/* Keeps the list in order of (stamp, sequence); sequence rises, so equal stamps stay in order
 * of calls. */
static void dirop_add(struct disk *disk, struct dirop op)
{
    CHECK(!disk->looking);
    GROW(disk->dirops, disk->dirops_count, disk->dirops_capacity);
    uint32_t i = disk->dirops_count++;
    for (; i > 0 && disk->dirops[i - 1].stamp > op.stamp; i--)
        disk->dirops[i] = disk->dirops[i - 1];
    disk->dirops[i] = op;
    op.to_dir->references++;
    op.inode->references++;
    if (op.from_dir) op.from_dir->references++;
    if (op.replaced) op.replaced->references++;
}

void dir_create(struct disk *disk, struct inode *dir, const char *name, struct inode *inode,
                int64_t stamp)
{
    entries_set(&dir->live, name, inode);
    inode->parent = dir;
    inode->stamp = stamp;
    dirop_add(disk, (struct dirop){.stamp = stamp,
                                   .sequence = disk->sequence_next++,
                                   .kind = DIROP_CREATE,
                                   .to_dir = dir,
                                   .to_name = xstrdup(name),
                                   .inode = inode});
    inode_review(disk, inode);
}

void dir_unlink(struct disk *disk, struct inode *dir, const char *name, int64_t stamp)
{
    struct inode *inode = entries_find(&dir->live, name);
    dirop_add(disk, (struct dirop){.stamp = stamp,
                                   .sequence = disk->sequence_next++,
                                   .kind = DIROP_UNLINK,
                                   .to_dir = dir,
                                   .to_name = xstrdup(name),
                                   .inode = inode});
    entries_set(&dir->live, name, NULL);
    inode->parent = NULL;
    inode_review(disk, inode);
}

void dir_rename(struct disk *disk, struct inode *from_dir, const char *from_name,
                struct inode *to_dir, const char *to_name, int64_t stamp)
{
    struct inode *inode = entries_find(&from_dir->live, from_name);
    struct inode *replaced = entries_find(&to_dir->live, to_name);
    dirop_add(disk, (struct dirop){.stamp = stamp,
                                   .sequence = disk->sequence_next++,
                                   .kind = DIROP_RENAME,
                                   .from_dir = from_dir,
                                   .from_name = xstrdup(from_name),
                                   .to_dir = to_dir,
                                   .to_name = xstrdup(to_name),
                                   .inode = inode,
                                   .replaced = replaced});
    entries_set(&from_dir->live, from_name, NULL);
    entries_set(&to_dir->live, to_name, inode);
    inode->parent = to_dir;
    if (inode->is_directory) inode->stamp = max_i64(inode->stamp, stamp);
    if (replaced) {
        replaced->parent = NULL;
        inode_review(disk, replaced);
    }
}

/* The operation is off the list: what only it kept alive goes. One reference at a time, so that
 * what is looked at next still lives. */
static void dirop_release(struct disk *disk, struct dirop *op)
{
    struct inode *const named[] = {op->inode, op->replaced, op->from_dir, op->to_dir};
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (named[i]) {
            named[i]->references--;
            inode_review(disk, named[i]);
        }
    free(op->from_name);
    free(op->to_name);
}

void dir_take_back(struct disk *disk, int64_t from)
{
    while (disk->dirops_count && disk->dirops[disk->dirops_count - 1].stamp >= from) {
        struct dirop op = disk->dirops[--disk->dirops_count];
        switch (op.kind) {
        case DIROP_CREATE:
            entries_set(&op.to_dir->live, op.to_name, NULL);
            op.inode->parent = NULL;
            break;
        case DIROP_UNLINK:
            entries_set(&op.to_dir->live, op.to_name, op.inode);
            op.inode->parent = op.to_dir;
            break;
        case DIROP_RENAME:
            entries_set(&op.to_dir->live, op.to_name, op.replaced);
            if (op.replaced) op.replaced->parent = op.to_dir;
            entries_set(&op.from_dir->live, op.from_name, op.inode);
            op.inode->parent = op.from_dir;
            break;
        }
        dirop_release(disk, &op);
    }
    for (struct inode *inode = disk->inodes; inode; inode = inode->next)
        if (inode->is_directory && inode->stamp > from) inode->stamp = from;
}

/* ---- the device's names ---- */

/* Whoever the device has under this name loses it; the references of pending operations keep
 * alive whom they name. */
static void durable_clear(struct disk *disk, struct inode *dir, const char *name)
{
    struct inode *holder = entries_find(&dir->durable, name);
    if (!holder) return;
    entries_set(&dir->durable, name, NULL);
    holder->durable_parent = NULL;
    inode_review(disk, holder);
}

static void durable_place(struct disk *disk, struct inode *dir, const char *name,
                          struct inode *inode)
{
    if (inode->durable_parent) { /* I3 */
        struct entries *names = &inode->durable_parent->durable;
        uint32_t i = 0;
        while (names->items[i].inode != inode) i++;
        entries_remove_at(names, i);
    }
    durable_clear(disk, dir, name);
    entries_set(&dir->durable, name, inode);
    inode->durable_parent = dir;
}

void dirop_apply(struct disk *disk, const struct dirop *op)
{
    if (op->kind == DIROP_UNLINK) {
        durable_clear(disk, op->to_dir, op->to_name);
        return;
    }
    durable_place(disk, op->to_dir, op->to_name, op->inode);
    if (op->from_dir && entries_find(&op->from_dir->durable, op->from_name) != op->inode)
        durable_clear(disk, op->from_dir, op->from_name);
}

void dirops_remove(struct disk *disk, const bool *remove)
{
    struct dirop *gone = xmalloc((disk->dirops_count + 1) * sizeof *gone);
    uint32_t kept = 0, gone_count = 0;
    for (uint32_t i = 0; i < disk->dirops_count; i++)
        if (remove[i])
            gone[gone_count++] = disk->dirops[i];
        else
            disk->dirops[kept++] = disk->dirops[i];
    disk->dirops_count = kept;
    for (uint32_t i = 0; i < gone_count; i++) dirop_release(disk, &gone[i]);
    free(gone);
}

/* A completed rename between directories carries what came before it on the same inode or
 * names. */
static bool dirop_is_subsumed(const struct dirop *earlier, const struct dirop *rename)
{
    return earlier->inode == rename->inode ||
           dirop_names(earlier, rename->to_dir, rename->to_name) ||
           dirop_names(earlier, rename->from_dir, rename->from_name);
}

void dir_sync_settle(struct disk *disk, const struct sync_item *item)
{
    if (!disk->dirops_count) return;
    bool *remove = xcalloc(disk->dirops_count, sizeof *remove);
    bool any = false;
    for (uint32_t i = 0; i < disk->dirops_count; i++) {
        const struct dirop *op = &disk->dirops[i];
        bool covered = op->stamp < item->start ||
                       (op->stamp == item->start && op->sequence < item->sequence);
        if (!covered || (op->to_dir != item->inode && op->from_dir != item->inode)) continue;
        dirop_apply(disk, op);
        remove[i] = any = true;
        if (op->from_dir && op->from_dir != op->to_dir)
            for (uint32_t j = 0; j < i; j++)
                remove[j] |= dirop_is_subsumed(&disk->dirops[j], op);
    }
    if (any) dirops_remove(disk, remove);
    free(remove);
}

void dir_adopt_durable(struct disk *disk)
{
    for (uint32_t i = 0; i < disk->dirops_count; i++) {
        free(disk->dirops[i].from_name);
        free(disk->dirops[i].to_name);
    }
    disk->dirops_count = 0;
    uint32_t inodes = 0;
    for (struct inode *inode = disk->inodes; inode; inode = inode->next) {
        inode->references = 0;
        inode->parent = NULL;
        entries_deinit(&inode->live);
        inodes++;
    }
    /* From the root down; a directory that only unreachable ones hold is not met. */
    struct inode **stack = xmalloc(inodes * sizeof *stack);
    uint32_t depth = 0;
    stack[depth++] = disk->root;
    while (depth) {
        struct inode *dir = stack[--depth];
        for (uint32_t i = 0; i < dir->durable.count; i++) {
            struct inode *child = dir->durable.items[i].inode;
            entries_set(&dir->live, dir->durable.items[i].name, child);
            child->parent = dir;
            if (child->is_directory) stack[depth++] = child;
        }
    }
    free(stack);
    for (struct inode *inode = disk->inodes; inode; inode = inode->next)
        if (inode != disk->root && !inode->parent) {
            inode->durable_parent = NULL;
            entries_deinit(&inode->durable);
        }
    for (struct inode *inode = disk->inodes, *next; inode; inode = next) {
        next = inode->next;
        inode_review(disk, inode);
    }
}
