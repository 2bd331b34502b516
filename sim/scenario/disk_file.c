/* A disk by itself: `disk: {...}` from and to a file, by the same table, shape and parsers as
 * cluster.disk of a scenario, so that a disk that was measured once serves benchmarks and
 * scenarios alike and no value is read in two ways.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/kernel/check.h"
#include "sim/scenario/compile.h"

/* Nothing but space and comments. */
static bool is_blank(const char *text, size_t size)
{
    bool in_comment = false;
    for (size_t i = 0; i < size; i++) {
        in_comment = text[i] != '\n' && (in_comment || text[i] == '#');
        if (!in_comment && !strchr(" \t\r\n", text[i])) return false;
    }
    return true;
}

static bool load(const char *text, size_t size, struct arena *arena, struct disk_config *config,
                 struct error_list *errors)
{
    if (is_blank(text, size)) {
        errors_add(errors, (struct position){NULL, 1, 1}, "",
                   "the file is empty: a disk file is a mapping 'disk: {...}'");
        return false;
    }
    struct arena *scratch = arena_create();
    struct tree_node *root = tree_parse(scratch, text, size, NULL, errors);
    struct shape *shape = disk_file_shape(scratch);
    struct image *image = NULL;
    if (root && (root->is_null || root->kind != TREE_MAP))
        errors_add(errors, root->at, "", "a disk file is a mapping 'disk: {...}'");
    else if (root && shape_settle(scratch, shape, root, "", errors))
        image = image_load(scratch, shape, root, errors);
    if (image) {
        struct draft d = {.b = {.arena = arena, .errors = errors, .seed = 1},
                          .scratch = scratch};
        struct view top = image_view(image), disk = view_get(top, "disk");
        const struct disk_preset *preset =
            disk_preset_find("ssd_plp"); /* the format's default */
        CHECK(preset != NULL);
        struct disk_config filled = preset->config;
        if (view_is(disk))
            fill_disk(&d, disk, "disk", &filled);
        else
            report_missing(&d.b, top, "disk", "{preset: nvme_dc}");
        if (!errors->count) *config = filled;
    }
    image_destroy(image);
    arena_destroy(scratch);
    return !errors->count;
}

bool disk_file_load_text(const char *name, const char *text, size_t size, struct arena *arena,
                         struct disk_config *config, struct scenario_errors *errors)
{
    struct error_list list = {0};
    bool good = load(text, size, arena, config, &list);
    export_errors(errors, name, &list);
    errors_deinit(&list);
    return good;
}

bool disk_file_load(const char *path, struct arena *arena, struct disk_config *config,
                    struct scenario_errors *errors)
{
    size_t size;
    char *text = read_text(path, &size, errors);
    bool good = text && disk_file_load_text(path, text, size, arena, config, errors);
    free(text);
    return good;
}

void disk_file_write(FILE *out, const struct disk_config *config)
{
    struct arena *scratch = arena_create();
    fputs("  disk:\n", out);
    for (size_t i = 0; i < format_disk.count; i++) {
        const struct option *option = &format_disk.options[i];
        const void *field = (const char *)config + option->offset;
        const char *text;
        if (option->type == OPTION_DIST)
            text = dist_text_of(scratch, field);
        else if (option->type == OPTION_WORD)
            text = option->words[*(const int32_t *)field];
        else
            text = quantity_text_of(scratch, option->type, *(const int64_t *)field);
        fprintf(out, "    %s: %s\n", option->name, text);
    }
    arena_destroy(scratch);
}
