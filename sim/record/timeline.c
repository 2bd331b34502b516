/* The timeline: an array in time order (facts.c says why entries may arrive out of it) and its
 * JSON lines. */
#include "sim/record/timeline.h"

#include <stdarg.h>
#include <stdlib.h>

#include "sim/kernel/arena.h"
#include "sim/kernel/check.h"
#include "sim/kernel/vtime.h"
#include "sim/record/facts.h"
#include "sim/record/json.h"

const char *const timeline_kind_words[] = {"fault", "heal",     "node",  "role", "decision",
                                           "loss",  "operator", "phase", NULL};
_Static_assert(sizeof timeline_kind_words / sizeof timeline_kind_words[0] == TIMELINE_KINDS + 1,
               "a word for every kind of entry");

void timeline_add(struct timeline *timeline, const struct timeline_entry *entry,
                  const char *format, ...)
{
    CHECK(entry->kind < TIMELINE_KINDS);
    CHECK(entry->what);
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    CHECK(size >= 0);
    char *text = xmalloc((size_t)size + 1);
    vsnprintf(text, (size_t)size + 1, format, again);
    va_end(again);

    if (timeline->count == timeline->capacity) {
        timeline->capacity = timeline->capacity ? timeline->capacity * 2 : 64;
        timeline->items =
            xrealloc(timeline->items, timeline->capacity * sizeof *timeline->items);
    }
    size_t place = timeline->count++;
    for (; place && timeline->items[place - 1].time_ns > entry->time_ns; place--)
        timeline->items[place] = timeline->items[place - 1];
    timeline->items[place] = *entry;
    timeline->items[place].text = text;
}

void timeline_deinit(struct timeline *timeline)
{
    for (size_t i = 0; i < timeline->count; i++) free(timeline->items[i].text);
    free(timeline->items);
    *timeline = (struct timeline){0};
}

/* ---- timeline.jsonl ---- */

static void write_endpoint(struct json_lines *out, const char *field, uint32_t endpoint,
                           const char *(*endpoint_name)(void *, uint32_t), void *context)
{
    if (endpoint == UINT32_MAX) return;
    json_text(out, field);
    const char *name = endpoint_name ? endpoint_name(context, endpoint) : NULL;
    if (name)
        json_quoted(out, name, strlen(name));
    else
        json_unsigned(out, endpoint);
}

int timeline_write(const struct timeline *timeline, FILE *file,
                   const char *(*endpoint_name)(void *context, uint32_t endpoint),
                   void *context)
{
    struct json_lines *out = xmalloc(sizeof *out);
    json_lines_begin(out, file);
    for (size_t i = 0; i < timeline->count; i++) {
        const struct timeline_entry *entry = &timeline->items[i];
        json_text(out, "{\"v\":1,\"time\":");
        json_signed(out, entry->time_ns);
        json_text(out, ",\"until\":");
        if (entry->until_ns == VTIME_MAX)
            json_text(out, "null");
        else
            json_signed(out,
                        entry->until_ns < entry->time_ns ? entry->time_ns : entry->until_ns);
        json_text(out, ",\"kind\":\"");
        json_text(out, timeline_kind_words[entry->kind]);
        json_text(out, "\",\"what\":");
        json_quoted(out, entry->what, strlen(entry->what));
        if (entry->id) {
            json_text(out, ",\"id\":");
            json_quoted(out, entry->id, strlen(entry->id));
        }
        write_endpoint(out, ",\"endpoint\":", entry->endpoint, endpoint_name, context);
        write_endpoint(out, ",\"peer\":", entry->peer, endpoint_name, context);
        if (entry->kind == TIMELINE_ROLE) {
            json_text(out, ",\"role\":");
            if (entry->role < FACT_ROLE_COUNT)
                json_quoted(out, fact_role_words[entry->role],
                            strlen(fact_role_words[entry->role]));
            else
                json_unsigned(out, entry->role);
            json_text(out, ",\"epoch\":");
            json_unsigned(out, entry->epoch);
        }
        json_text(out, ",\"text\":");
        json_quoted(out, entry->text, strlen(entry->text));
        json_text(out, "}\n");
    }
    int error = json_lines_end(out);
    free(out);
    return error;
}
