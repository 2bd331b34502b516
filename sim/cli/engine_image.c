/* faultline engine-dump, engine-check: what stands in a folder that an engine wrote, told by
 * the engine itself (engine_inspect) without opening it.
 *
 * Nothing is ever written: the engine gets the folder through a vfs that passes reads on and
 * refuses the rest, and that opens plain files only, so that a pipe or device of the right name
 * can not hang it. Which engine it was, the files say (engine_recognise) unless --engine does;
 * a folder that no engine knows is described, with the nearest one that some engine knows: a
 * folder below, or the one above.
 *
 * Exit status: 0 sound; 1 problems were found; 2 bad usage, no image, or not readable.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engines/storage/engine.h"
#include "sim/campaign/run.h"
#include "sim/cli/cli.h"
#include "sim/kernel/arena.h"

#define ITEMS_SHOWN 20u    /* by default: with the rest it fits a screen */
#define FINDINGS_SHOWN 20u /* notes and problems, likewise */
#define NAMES_SHOWN 5u     /* of files that no engine knows */

/* ---- reading only ---- */

struct readonly_vfs {
    struct vfs base;
    struct vfs *real;
    const char *root;
};
struct readonly_file {
    struct vfs_file base;
    struct vfs_file *real;
};

static struct vfs_file *real_file(struct vfs_file *file)
{
    return ((struct readonly_file *)file)->real;
}

static int readonly_open(struct vfs *vfs, const char *path, uint32_t flags,
                         struct vfs_file **out)
{
    struct readonly_vfs *readonly = (struct readonly_vfs *)vfs;
    char whole[8192];
    struct stat status;
    if (flags & (uint32_t) ~(VFS_WRITE | VFS_READ)) return -EROFS;
    int size = snprintf(whole, sizeof whole, "%s/%s", readonly->root, path);
    if (size < 0 || (size_t)size >= sizeof whole) return -ENAMETOOLONG;
    if (stat(whole, &status)) return -errno;
    if (S_ISDIR(status.st_mode)) return -EISDIR;
    if (!S_ISREG(status.st_mode)) return -ENOENT; /* a pipe or device is no file of an image */
    struct vfs_file *real;
    int err = vfs_open(readonly->real, path, VFS_READ, &real);
    if (err) return err;
    struct readonly_file *file = xcalloc(1, sizeof *file);
    *file = (struct readonly_file){{vfs}, real};
    *out = &file->base;
    return 0;
}

static int readonly_close(struct vfs_file *file)
{
    int err = vfs_close(real_file(file));
    free(file);
    return err;
}

static int64_t readonly_read(struct vfs_file *file, uint64_t offset, void *data, size_t size,
                             enum vfs_purpose purpose)
{
    return vfs_read(real_file(file), offset, data, size, purpose);
}

static int readonly_write(struct vfs_file *file, uint64_t offset, struct bytes data,
                          enum vfs_purpose purpose)
{
    (void)file;
    (void)offset;
    (void)data;
    (void)purpose;
    return -EROFS;
}

static int readonly_truncate(struct vfs_file *file, uint64_t size)
{
    (void)file;
    (void)size;
    return -EROFS;
}

static int readonly_sync(struct vfs_file *file, enum vfs_purpose purpose)
{
    (void)file;
    (void)purpose;
    return -EROFS;
}

static int readonly_size(struct vfs_file *file, uint64_t *size)
{
    return vfs_size(real_file(file), size);
}

static int readonly_rename(struct vfs *vfs, const char *from, const char *to)
{
    (void)vfs;
    (void)from;
    (void)to;
    return -EROFS;
}

static int readonly_name(struct vfs *vfs, const char *path)
{
    (void)vfs;
    (void)path;
    return -EROFS;
}

static int readonly_list(struct vfs *vfs, const char *path, vfs_list_fn *each, void *context)
{
    return vfs_list(((struct readonly_vfs *)vfs)->real, path, each, context);
}

static const struct vfs_ops readonly_ops = {
    .open = readonly_open,
    .close = readonly_close,
    .read = readonly_read,
    .write = readonly_write,
    .truncate = readonly_truncate,
    .sync = readonly_sync,
    .size = readonly_size,
    .rename = readonly_rename,
    .unlink = readonly_name,
    .mkdir = readonly_name,
    .list = readonly_list,
    .sync_dir = readonly_name,
};

/* ---- arguments ---- */

struct image_input {
    const char *command, *dir, *engine;
    bool json, all, is_check;
    uint64_t limit;
};

static error_t image_option(int key, char *argument, struct argp_state *state)
{
    struct image_input *input = state->input;
    switch (key) {
    case 'e': input->engine = argument; return 0;
    case 'j': input->json = true; return 0;
    case 'a': input->all = true; return 0;
    case 'n':
        if (!cli_number("--limit", argument, 0, INT64_MAX, &input->limit)) exit(EXIT_BAD_INPUT);
        return 0;
    case ARGP_KEY_ARG:
        if (input->dir) exit(cli_error("%s: one DIR, not '%s' too", input->command, argument));
        input->dir = argument;
        return 0;
    case ARGP_KEY_NO_ARGS:
        exit(cli_error("%s needs the DIR of an image, such as images/n/data ('faultline %s "
                       "--help' tells more)",
                       input->command, input->command));
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* ---- whose image it is ---- */

struct listing {
    struct vfs *vfs;
    char names[256];
    uint64_t files, folders, shown, bytes;
    char nearest[4200]; /* a folder below, or one below that, which some engine knows */
    const char *nearest_engine;
};

/* Looks below a folder: at what run --images leaves, an image stands two folders deep. */
static int nearest_below(void *context, const char *name, bool is_directory)
{
    struct listing *listing = context;
    const struct engine_ops *ops;
    size_t before = strlen(listing->nearest);
    if (!is_directory) return 0;
    int size = snprintf(listing->nearest + before, sizeof listing->nearest - before, "%s%s",
                        before ? "/" : "", name);
    bool fits = (size_t)size < sizeof listing->nearest - before;
    if (fits && engine_recognise(listing->vfs, listing->nearest, &ops) == 0)
        listing->nearest_engine = ops->name;
    else if (fits && !before)
        vfs_list(listing->vfs, name, nearest_below, listing);
    if (listing->nearest_engine) return 1; /* found: that ends the list */
    listing->nearest[before] = '\0';
    return 0;
}

static int listing_name(void *context, const char *name, bool is_directory)
{
    struct listing *listing = context;
    struct vfs_file *file;
    uint64_t size;
    if (!is_directory) {
        listing->files++;
        if (vfs_open(listing->vfs, name, VFS_READ, &file) == 0) {
            if (vfs_size(file, &size) == 0) listing->bytes += size;
            vfs_close(file);
        }
    } else {
        listing->folders++;
        if (!listing->nearest_engine) nearest_below(listing, name, true);
    }
    size_t used = strlen(listing->names);
    if (listing->shown++ < NAMES_SHOWN)
        snprintf(listing->names + used, sizeof listing->names - used, "%s%.40s%s",
                 used ? ", " : "", name, is_directory ? "/" : "");
    return 0;
}

/* For a folder in the place of an image. */
static int no_image(const struct image_input *input, const struct listing *listing)
{
    if (listing->files + listing->folders == 0)
        return cli_error("%s: the folder is empty; an image holds the files of an engine",
                         input->dir);
    const char *more = listing->shown > NAMES_SHOWN ? ", ..." : "";
    if (listing->nearest_engine)
        return cli_error("%s: no engine knows its files (%s%s); did you mean '%s/%s', which "
                         "engine '%s' wrote?",
                         input->dir, listing->names, more, input->dir, listing->nearest,
                         listing->nearest_engine);
    return cli_error(
        "%s: no engine knows its files (%s%s); --engine NAME looks at them as that "
        "engine's",
        input->dir, listing->names, more);
}

/* For what is no folder: a file of an image, most likely. */
static int no_folder(const struct image_input *input, int err)
{
    char parent[4200];
    const struct engine_ops *ops;
    snprintf(parent, sizeof parent, "%s", input->dir);
    char *slash = strrchr(parent, '/');
    if (slash == parent)
        parent[1] = '\0';
    else if (slash)
        *slash = '\0';
    else
        snprintf(parent, sizeof parent, ".");
    struct readonly_vfs above = {{&readonly_ops}, NULL, parent};
    if (err != -ENOTDIR || posix_vfs_create(parent, &above.real))
        return cli_error("%s: %s", input->dir, strerror(-err));
    bool known = engine_recognise(&above.base, "", &ops) == 0;
    posix_vfs_destroy(above.real);
    if (!known) return cli_error("%s: a file; an image is a folder", input->dir);
    return cli_error("%s: a file; an image is a folder (did you mean '%s', which engine '%s' "
                     "wrote?)",
                     input->dir, parent, ops->name);
}

/* ---- telling ---- */

struct report {
    const struct image_input *input;
    uint64_t items, notes, problems;
    char file[512]; /* whose heading was printed */
};

static void report_json(const struct report *report, enum engine_finding finding,
                        const char *file, uint64_t offset, const char *text)
{
    static const char *const kinds[] = {"item", "note", "problem"};
    json_t *line = json_object();
    json_object_set_new(line, "kind", json_string(kinds[finding]));
    json_object_set_new(line, "file", json_string_nocheck(file));
    json_object_set_new(line, "offset", json_integer((json_int_t)offset));
    json_object_set_new(line, "text", json_string_nocheck(text));
    json_dumpf(line, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
    putchar('\n');
    json_decref(line);
    (void)report;
}

/* Of a dump: a heading a file, a line a finding. Of a check: file:offset: what. */
static void report_text(struct report *report, enum engine_finding finding, const char *file,
                        uint64_t offset, const char *text)
{
    static const char *const marks[] = {"", "note: ", "problem: "};
    static const enum colour colours[] = {COLOUR_PLAIN, COLOUR_UNKNOWN, COLOUR_FAIL};
    if (report->input->is_check) {
        printf("%s:%" PRIu64 ": %s%s%s%s\n", file, offset, colour(colours[finding]),
               marks[finding], colour(COLOUR_PLAIN), text);
        return;
    }
    if (strcmp(report->file, file)) {
        printf("%s%s%s\n", colour(COLOUR_BOLD), file, colour(COLOUR_PLAIN));
        snprintf(report->file, sizeof report->file, "%s", file);
    }
    printf("%12" PRIu64 "  %s%s%s%s\n", offset, colour(colours[finding]), marks[finding],
           colour(COLOUR_PLAIN), text);
}

static void report_found(void *context, enum engine_finding finding, const char *file,
                         uint64_t offset, const char *text)
{
    struct report *report = context;
    const struct image_input *input = report->input;
    uint64_t *counts[] = {&report->items, &report->notes, &report->problems};
    uint64_t before = (*counts[finding])++;
    uint64_t limit = finding == FINDING_ITEM ? input->limit : FINDINGS_SHOWN;
    if (finding == FINDING_ITEM && input->is_check) return;
    if (!input->all && before >= limit && !(input->json && finding != FINDING_ITEM)) return;
    if (input->json)
        report_json(report, finding, file, offset, text);
    else
        report_text(report, finding, file, offset, text);
}

static void report_left_out(const struct report *report, uint64_t count, uint64_t limit,
                            const char *what)
{
    if (!report->input->all && !report->input->json && count > limit)
        printf("%12s  %" PRIu64 " more %s (--all shows them)\n", "...", count - limit, what);
}

static void report_summary(const struct report *report, const struct engine_ops *ops,
                           const struct listing *listing)
{
    if (!report->input->is_check)
        report_left_out(report, report->items, report->input->limit, "items");
    report_left_out(report, report->notes, FINDINGS_SHOWN, "notes");
    report_left_out(report, report->problems, FINDINGS_SHOWN, "problems");
    if (report->input->json) {
        json_t *line =
            json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "kind", "summary", "engine",
                      ops->name, "files", (json_int_t)listing->files, "bytes",
                      (json_int_t)listing->bytes, "items", (json_int_t)report->items, "notes",
                      (json_int_t)report->notes, "problems", (json_int_t)report->problems);
        json_dumpf(line, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(line);
        return;
    }
    printf("%s%s%s: engine %s, %" PRIu64 " file%s, %" PRIu64 " bytes, %" PRIu64
           " records, %" PRIu64 " note%s, %" PRIu64 " problem%s\n",
           colour(report->problems ? COLOUR_FAIL : COLOUR_OK),
           report->problems ? "damaged" : "sound", colour(COLOUR_PLAIN), ops->name,
           listing->files, listing->files == 1 ? "" : "s", listing->bytes, report->items,
           report->notes, report->notes == 1 ? "" : "s", report->problems,
           report->problems == 1 ? "" : "s");
}

/* ---- the commands ---- */

static int inspect(const struct image_input *input, const struct engine_ops *ops,
                   struct vfs *vfs, const struct listing *listing)
{
    struct engine_host host = {
        .vfs = vfs, .allocator = &allocator_system, .check_failed = posix_check_failed};
    struct report report = {.input = input};
    struct engine_inspector inspector = {
        .found = report_found, .context = &report, .wants_items = true};
    int err = engine_inspect(ops, &host, "", &inspector);
    if (err == -ENOENT)
        return cli_error("%s: engine '%s' has no file there", input->dir, ops->name);
    if (err)
        return cli_error("%s: engine '%s' can not read it: %s", input->dir, ops->name,
                         strerror(-err));
    report_summary(&report, ops, listing);
    return report.problems ? EXIT_NOT_MET : EXIT_MET;
}

/* A folder in which two engines find files of theirs is no image of either. 0 or -errno. */
static int second_engine(struct vfs *vfs, const struct engine_ops *first,
                         const struct engine_ops **second)
{
    for (const struct engine_ops *const *ops = engine_registry; *ops; ops++) {
        int known = *ops != first && (*ops)->recognise ? (*ops)->recognise(vfs, "") : 0;
        if (known < 0) return known;
        if (known && !*second) *second = *ops;
    }
    return 0;
}

static int image_command(const struct image_input *input)
{
    const struct engine_ops *ops = NULL, *second = NULL;
    if (input->engine && !(ops = engine_find(input->engine))) {
        const char *names[32];
        size_t count = 0;
        for (; count < 31 && engine_registry[count]; count++)
            names[count] = engine_registry[count]->name;
        names[count] = NULL;
        return cli_unknown("engine", input->engine, nearest_word(input->engine, names));
    }
    struct readonly_vfs vfs = {{&readonly_ops}, NULL, input->dir};
    struct stat status;
    int err = stat(input->dir, &status) ? -errno : S_ISDIR(status.st_mode) ? 0 : -ENOTDIR;
    if (!err) err = posix_vfs_create(input->dir, &vfs.real);
    if (err) return no_folder(input, err);
    struct listing listing = {.vfs = &vfs.base};
    int result;
    err = vfs_list(&vfs.base, "", listing_name, &listing);
    if (!err && !ops) {
        err = engine_recognise(&vfs.base, "", &ops);
        if (!err) err = second_engine(&vfs.base, ops, &second);
    }
    if (err == -ENOENT)
        result = no_image(input, &listing);
    else if (second)
        result =
            cli_error("%s: files of engine '%s' and of engine '%s' in one folder; say with "
                      "--engine which of them to look at",
                      input->dir, ops->name, second->name);
    else if (err)
        result = cli_error("%s: can not be read: %s", input->dir, strerror(-err));
    else
        result = inspect(input, ops, &vfs.base, &listing);
    posix_vfs_destroy(vfs.real);
    return result;
}

int command_engine_dump(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"engine", 'e', "NAME", 0, "the engine that wrote it; default: what the files say", 0},
        {"limit", 'n', "N", 0, "items to show; default: 20", 0},
        {"all", 'a', NULL, 0, "shows everything", 0},
        {"json", 'j', NULL, 0, "one object a line: kind, file, offset, text; then a summary",
         0},
        {0},
    };
    static const struct argp argp = {
        options,
        image_option,
        "DIR",
        "Looks inside the files of a storage engine: what stands at which offset. Reads only; "
        "DIR must not be open elsewhere."
        "\vExample: faultline run scenarios/schemes/none.yaml --images images\n"
        "         faultline engine-dump images/n/data --limit 50\n"
        "Exit status: 0 sound; 1 problems were found; 2 bad usage, no image, or not readable.",
        NULL,
        NULL,
        NULL};
    struct image_input input = {.command = "engine-dump", .limit = ITEMS_SHOWN};
    int status;
    if (!cli_parse(&argp, argc, argv, &input, &status)) return status;
    return image_command(&input);
}

int command_engine_check(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"engine", 'e', "NAME", 0, "the engine that wrote it; default: what the files say", 0},
        {"all", 'a', NULL, 0, "shows every note and problem, not the first 20 of each", 0},
        {"json", 'j', NULL, 0, "one object a line: kind, file, offset, text; then a summary",
         0},
        {0},
    };
    static const struct argp argp = {
        options,
        image_option,
        "DIR",
        "Verifies the files of a storage engine, all of them, and locates what is damaged. "
        "Reads only; DIR must not be open elsewhere."
        "\vExample: faultline engine-check images/n/data\n"
        "Exit status: 0 sound; 1 problems were found; 2 bad usage, no image, or not readable.",
        NULL,
        NULL,
        NULL};
    struct image_input input = {.command = "engine-check", .is_check = true};
    int status;
    if (!cli_parse(&argp, argc, argv, &input, &status)) return status;
    return image_command(&input);
}
