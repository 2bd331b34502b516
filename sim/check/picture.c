/* A witness as a picture. See picture.h.
 *
 *        title: the model, and what became of it
 *        the explanation, wrapped
 *     p0 |  [write 1]---.                          bars: from invocation to return
 *     p1 |        '->  [write 2]---.               arrows: what must come before what, and why
 *     p2 |                          '-> [read 1]   red: the order that cannot be
 *        legend of the arrows in use; where it is from
 *
 * Across, the picture shows the order of invocations and returns and not their distances: a
 * read may see what was replaced an hour before. Each moment has its column, and a bar is wide
 * enough for its label, so columns are placed from left to right, each as far as the bars that
 * end there demand (P1); what room is left is shared out.
 *
 * The contradiction (P2): an arrow of the reason "overwritten", and one that is derived and
 * leads back in time; where a verdict has no such arrow, the operation that returned last.
 *
 * An arrow leaves and meets bars upright, so its head needs no slope: no roots are taken. Heads
 * are triangles and not markers, which some viewers do not draw. Nothing is below 11 px;
 * nothing is told by colour alone.
 */
#include "sim/check/picture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/kernel/check.h"

#define WIDTH_MIN 800
#define LEFT 120 /* names of lanes */
#define RIGHT 24
#define LANE 64
#define BAR 26
#define LABEL_MAX 40 /* bytes of a label */
#define LABEL_CHAR 7 /* px of a character of 12 px, generously */
#define COLUMN_MIN 14
#define LINE_CHARS 112 /* of the explanation */
#define SHOWN_MAX 64   /* operations; a witness has far fewer */

#define INK "#222222"
#define OK "#009E73"
#define OK_PALE "#CCECE3" /* the same at 20 % on white */
#define UNKNOWN "#E69F00"
#define UNKNOWN_PALE "#FAECCC"
#define NOT_DONE "#999999"
#define NOT_DONE_PALE "#EBEBEB"
#define FAIL "#D55E00"
#define FORCED "#0072B2"

struct bar {
    size_t op;
    uint32_t lane, x, end;
    char label[3 * LABEL_MAX];
};

struct picture {
    FILE *out;
    const struct ops *operations;
    const struct model_verdict *verdict;
    struct bar bars[SHOWN_MAX];
    size_t count;
    uint32_t lanes[SHOWN_MAX], lanes_count; /* processes */
    uint32_t width, top;                    /* px; where the lanes begin */
    bool has_keys;                          /* several: labels name them */
};

/* ---- text ---- */

/* At most max bytes of text, whole UTF-8 characters only; others and what XML forbids become
 * '?'. */
static void escaped(FILE *out, const char *text, size_t max)
{
    size_t done = 0;
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        size_t more = *c >= 0xf0 && *c < 0xf5   ? 3
                      : *c >= 0xe0 && *c < 0xf0 ? 2
                      : *c >= 0xc2 && *c < 0xe0 ? 1
                                                : 0;
        bool is_whole = *c < 0x80 || more;
        for (size_t i = 1; i <= more && is_whole; i++) is_whole = (c[i] & 0xc0) == 0x80;
        /* Surrogates, overlong forms, U+FFFE and what lies beyond U+10FFFF are no text. */
        if (is_whole && more == 2)
            is_whole = !(*c == 0xed && c[1] >= 0xa0) && !(*c == 0xe0 && c[1] < 0xa0) &&
                       !(*c == 0xef && c[1] == 0xbf && c[2] >= 0xbe);
        if (is_whole && more == 3)
            is_whole = !(*c == 0xf4 && c[1] >= 0x90) && !(*c == 0xf0 && c[1] < 0x90);
        if (done + 1 + (is_whole ? more : 0) > max) {
            fputs("...", out);
            return;
        }
        done += 1 + (is_whole ? more : 0);
        switch (*c) {
        case '&': fputs("&amp;", out); continue;
        case '<': fputs("&lt;", out); continue;
        case '>': fputs("&gt;", out); continue;
        case '"': fputs("&quot;", out); continue;
        case '\'': fputs("&#39;", out); continue;
        default: break;
        }
        if (!is_whole || *c < 0x20 || *c == 0x7f) {
            fputc('?', out);
            continue;
        }
        fwrite(c, 1, 1 + more, out);
        c += more;
    }
}

static const char *value_text(const struct ops *operations, uint64_t value, char *out,
                              size_t size)
{
    const char *name =
        operations->value_name ? operations->value_name(operations->names, value) : NULL;
    if (name)
        snprintf(out, size, "%.36s", *name ? name : "\"\"");
    else if (value == VALUE_NONE)
        snprintf(out, size, "nothing");
    else
        snprintf(out, size, "%" PRIu64, value);
    return out;
}

static void elements_label(const struct ops *operations, const struct op *op, char *out,
                           size_t size)
{
    size_t used = (size_t)snprintf(out, size, "read {");
    char value[40];
    for (uint32_t i = 0; i < op->count && used < LABEL_MAX; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? " " : "",
                                 value_text(operations, operations->elements[op->elements + i],
                                            value, sizeof value));
    snprintf(out + used, size - used, used < LABEL_MAX ? "}" : " ...}");
}

static void label(const struct picture *p, const struct op *op, char *out, size_t size)
{
    const struct ops *operations = p->operations;
    char value[40], other[40], what[96];
    value_text(operations, op->value, value, sizeof value);
    const char *kind = op->kind == OP_COMPARE_AND_SET ? "cas" : op_kind_words[op->kind];
    bool is_counter = operations->type == OBJECT_COUNTER;
    bool is_answered = op->result != RESULT_UNKNOWN;
    if (op->kind == OP_COMPARE_AND_SET)
        snprintf(what, sizeof what, "cas %s -> %s",
                 value_text(operations, op->expected, other, sizeof other), value);
    else if (op->kind == OP_READ && op->result == RESULT_OK &&
             (operations->type == OBJECT_SET || operations->type == OBJECT_LIST))
        elements_label(operations, op, what, sizeof what);
    else if (is_counter && (op->kind == OP_ADD || is_answered))
        snprintf(what, sizeof what, "%s %" PRId64, kind, op->amount);
    else if (op->kind == OP_DELETE || op->kind == OP_ACQUIRE || op->kind == OP_RELEASE ||
             ((op->kind == OP_READ || op->kind == OP_DEQUEUE) && !is_answered))
        snprintf(what, sizeof what, "%s", kind);
    else
        snprintf(what, sizeof what, "%s %s", kind, value);
    char saw[56] = "";
    if (op->result == RESULT_FAIL && op->has_seen)
        snprintf(saw, sizeof saw, ": saw %s",
                 value_text(operations, op->seen, other, sizeof other));
    const char *key = p->has_keys && operations->key_name
                          ? operations->key_name(operations->names, op->key)
                          : NULL;
    snprintf(out, size, "%.20s%s%.60s%s%.30s", key ? key : "", key ? ": " : "", what,
             op->result == RESULT_FAIL ? " failed" : "", saw);
}

static void process_text(const struct ops *operations, uint32_t process, char *out, size_t size)
{
    const char *name =
        operations->process_name ? operations->process_name(operations->names, process) : NULL;
    if (name)
        snprintf(out, size, "%.40s", name);
    else
        snprintf(out, size, "process %" PRIu32, process);
}

/* ---- where things stand ---- */

struct moment {
    int64_t time;
    size_t bar;
    bool is_end;
};

static int moment_order(const void *left, const void *right)
{
    const struct moment *a = left, *b = right;
    if (a->time != b->time) return a->time < b->time ? -1 : 1;
    if (a->is_end != b->is_end) return a->is_end ? 1 : -1; /* what touches is concurrent */
    return (a->bar > b->bar) - (a->bar < b->bar);
}

/* P1. */
static void place(struct picture *p)
{
    struct moment moments[2 * SHOWN_MAX] = {{0}};
    size_t count = 0;
    for (size_t i = 0; i < p->count; i++) {
        const struct op *op = &p->operations->items[p->bars[i].op];
        moments[count++] = (struct moment){op->invoke, i, false};
        moments[count++] = (struct moment){op->complete, i, true};
    }
    qsort(moments, count, sizeof *moments, moment_order);
    uint32_t x = LEFT;
    for (size_t i = 0; i < count; i++) {
        struct bar *bar = &p->bars[moments[i].bar];
        if (i) x += COLUMN_MIN;
        if (moments[i].is_end) {
            size_t shown = strlen(bar->label) < LABEL_MAX ? strlen(bar->label) : LABEL_MAX + 3;
            uint32_t wanted = bar->x + 16 + LABEL_CHAR * (uint32_t)shown;
            if (x < wanted) x = wanted;
            bar->end = x;
        } else {
            bar->x = x;
        }
    }
    p->width = x + RIGHT;
    if (p->width >= WIDTH_MIN || x == LEFT) {
        if (p->width < WIDTH_MIN) p->width = WIDTH_MIN;
        return;
    }
    /* Room that is left goes to all alike, up to double. */
    uint32_t wide = WIDTH_MIN - RIGHT - LEFT, narrow = x - LEFT;
    if (wide > 2 * narrow) wide = 2 * narrow;
    for (size_t i = 0; i < p->count; i++) {
        p->bars[i].x = LEFT + (p->bars[i].x - LEFT) * wide / narrow;
        p->bars[i].end = LEFT + (p->bars[i].end - LEFT) * wide / narrow;
    }
    p->width = WIDTH_MIN;
}

static void bars_collect(struct picture *p)
{
    const struct model_verdict *verdict = p->verdict;
    const struct op *items = p->operations->items;
    for (size_t i = 1; i < verdict->witness_count; i++)
        p->has_keys |= items[verdict->witness[i]].key != items[verdict->witness[0]].key;
    for (size_t i = 0; i < verdict->witness_count && p->count < SHOWN_MAX; i++) {
        struct bar *bar = &p->bars[p->count++];
        const struct op *op = &items[verdict->witness[i]];
        bar->op = verdict->witness[i];
        label(p, op, bar->label, sizeof bar->label);
        while (bar->lane < p->lanes_count && p->lanes[bar->lane] != op->process) bar->lane++;
        if (bar->lane == p->lanes_count) p->lanes[p->lanes_count++] = op->process;
    }
}

static const struct bar *bar_of(const struct picture *p, size_t op)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->bars[i].op == op) return &p->bars[i];
    return NULL;
}

static uint32_t bar_top(const struct picture *p, const struct bar *bar)
{
    return p->top + bar->lane * LANE + (LANE - BAR) / 2;
}

/* ---- the contradiction: P2 ---- */

static bool is_red(const struct picture *p, const struct model_edge *edge)
{
    const struct op *from = &p->operations->items[edge->from];
    const struct op *to = &p->operations->items[edge->to];
    return edge->reason == REASON_OVERWRITTEN ||
           (edge->reason == REASON_DERIVED && to->invoke < from->invoke);
}

static bool is_blamed(const struct picture *p, size_t op)
{
    const struct op *items = p->operations->items;
    bool has_red = false;
    for (size_t i = 0; i < p->verdict->edges_count; i++) {
        if (!is_red(p, &p->verdict->edges[i])) continue;
        has_red = true;
        if (p->verdict->edges[i].from == op) return true;
    }
    if (has_red) return false;
    size_t last = p->verdict->witness[0];
    for (size_t i = 1; i < p->verdict->witness_count; i++) {
        size_t at = p->verdict->witness[i];
        if (items[at].complete == OP_OPEN) continue;
        if (items[last].complete == OP_OPEN || items[at].complete > items[last].complete)
            last = at;
    }
    return op == last;
}

/* ---- drawing ---- */

static void text(const struct picture *p, uint32_t x, uint32_t y, uint32_t size,
                 const char *colour, const char *anchor, const char *words, size_t max)
{
    fprintf(p->out,
            "<text x=\"%" PRIu32 "\" y=\"%" PRIu32 "\" font-size=\"%" PRIu32
            "\" fill=\"%s\" text-anchor=\"%s\">",
            x, y, size, colour, anchor);
    escaped(p->out, words, max);
    fputs("</text>\n", p->out);
}

/* Draws the explanation in lines; returns the y below. */
static uint32_t paragraph(const struct picture *p, uint32_t y, const char *words)
{
    while (*words) {
        size_t size = strlen(words);
        if (size > LINE_CHARS) {
            size = LINE_CHARS;
            while (size && words[size] != ' ') size--;
            if (!size) size = LINE_CHARS;
        }
        char line[LINE_CHARS + 1];
        memcpy(line, words, size);
        line[size] = '\0';
        text(p, 20, y, 13, INK, "start", line, LINE_CHARS);
        words += size;
        while (*words == ' ') words++;
        y += 18;
    }
    return y;
}

static const char *dash_of(enum model_reason reason)
{
    switch (reason) {
    case REASON_SESSION: return " stroke-dasharray=\"2 3\"";
    case REASON_READS_FROM: return " stroke-dasharray=\"7 3\"";
    case REASON_DERIVED: return " stroke-dasharray=\"3 3\"";
    default: return "";
    }
}

static void bar_draw(const struct picture *p, const struct bar *bar)
{
    const struct op *op = &p->operations->items[bar->op];
    const char *colour = op->result == RESULT_OK     ? OK
                         : op->result == RESULT_FAIL ? NOT_DONE
                                                     : UNKNOWN;
    const char *pale = op->result == RESULT_OK     ? OK_PALE
                       : op->result == RESULT_FAIL ? NOT_DONE_PALE
                                                   : UNKNOWN_PALE;
    bool blamed = is_blamed(p, bar->op), is_open = op->complete == OP_OPEN;
    uint32_t y = bar_top(p, bar);
    fprintf(p->out,
            "<g><title>line %" PRIu32 "</title><rect x=\"%" PRIu32 "\" y=\"%" PRIu32
            "\" width=\"%" PRIu32
            "\" height=\"%d\" rx=\"3\" fill=\"%s\" stroke=\"%s\" stroke-width=\"%s\"%s/>\n",
            op->line, bar->x, y, bar->end - bar->x, BAR, pale, blamed ? FAIL : colour,
            blamed ? "3" : "1.5", is_open ? " stroke-dasharray=\"6 4\"" : "");
    text(p, bar->x + (bar->end - bar->x) / 2, y + BAR / 2 + 4, 12, INK, "middle", bar->label,
         LABEL_MAX);
    fputs("</g>\n", p->out);
}

static void arrow_draw(const struct picture *p, const struct model_edge *edge)
{
    const struct bar *from = bar_of(p, edge->from), *to = bar_of(p, edge->to);
    if (!from || !to) return;
    bool red = is_red(p, edge);
    uint32_t width[2] = {from->end - from->x, to->end - to->x};
    /* Each reason has its places at a bar, so that arrows do not hide each other. */
    uint32_t x1 = edge->reason == REASON_REAL_TIME || edge->reason == REASON_SESSION
                      ? from->end - 4
                  : edge->reason == REASON_READS_FROM ? from->x + width[0] / 2
                                                      : from->x + width[0] / 4;
    uint32_t x2 = edge->reason == REASON_REAL_TIME || edge->reason == REASON_SESSION ? to->x + 4
                  : edge->reason == REASON_READS_FROM ? to->x + width[1] / 2 - 9
                                                      : to->x + 3 * width[1] / 4;
    bool is_down = to->lane >= from->lane;
    uint32_t y1 = bar_top(p, from), y2 = bar_top(p, to), bend;
    if (to->lane > from->lane) y1 += BAR;
    if (to->lane < from->lane) y2 += BAR;
    uint32_t tip = is_down ? y2 - 7 : y2 + 7; /* the head's base */
    bend = to->lane == from->lane ? y1 - 30 : (y1 + tip) / 2;
    const char *colour = red ? FAIL : FORCED;
    fprintf(p->out,
            "<path d=\"M%" PRIu32 " %" PRIu32 " C%" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32
            " %" PRIu32 " %" PRIu32 "\" fill=\"none\" stroke=\"%s\" stroke-width=\"%s\"%s/>\n",
            x1, y1, x1, bend, x2, bend, x2, tip, colour, red ? "2" : "1.5",
            dash_of(edge->reason));
    fprintf(p->out,
            "<polygon points=\"%" PRIu32 ",%" PRIu32 " %" PRIu32 ",%" PRIu32 " %" PRIu32
            ",%" PRIu32 "\" fill=\"%s\"/>\n",
            x2 - 5, tip, x2 + 5, tip, x2, y2, colour);
}

/* One line for each kind of arrow in use. */
static uint32_t legend(const struct picture *p, uint32_t y)
{
    static const char *const meanings[] = {
        [REASON_REAL_TIME] = "real time: it had returned before the other began",
        [REASON_SESSION] = "session: the same process did it first",
        [REASON_READS_FROM] = "reads from: the other saw its value",
        [REASON_OVERWRITTEN] =
            "overwritten: it saw what the other replaces, so it comes before",
        [REASON_DERIVED] = "derived: it must come before, by what the others say",
    };
    for (int reason = REASON_REAL_TIME; reason <= REASON_DERIVED; reason++)
        for (int red = 0; red < 2; red++) {
            bool is_used = false;
            for (size_t i = 0; i < p->verdict->edges_count; i++)
                is_used |= (int)p->verdict->edges[i].reason == reason &&
                           is_red(p, &p->verdict->edges[i]) == red;
            if (!is_used) continue;
            fprintf(p->out,
                    "<line x1=\"20\" y1=\"%" PRIu32 "\" x2=\"60\" y2=\"%" PRIu32
                    "\" stroke=\"%s\" stroke-width=\"%s\"%s/>\n",
                    y - 4, y - 4, red ? FAIL : FORCED, red ? "2" : "1.5",
                    dash_of((enum model_reason)reason));
            char line[160];
            snprintf(line, sizeof line, "%s%s", meanings[reason],
                     red ? " - and cannot: the contradiction" : "");
            text(p, 70, y, 12, INK, "start", line, sizeof line);
            y += 17;
        }
    return y;
}

static void lanes_draw(const struct picture *p)
{
    for (uint32_t i = 0; i < p->lanes_count; i++) {
        uint32_t y = p->top + i * LANE + LANE / 2;
        char name[48];
        process_text(p->operations, p->lanes[i], name, sizeof name);
        text(p, LEFT - 12, y + 4, 12, INK, "end", name, 14);
        fprintf(p->out,
                "<line x1=\"%d\" y1=\"%" PRIu32 "\" x2=\"%" PRIu32 "\" y2=\"%" PRIu32
                "\" stroke=\"#dddddd\"/>\n",
                LEFT, y, p->width - RIGHT, y);
    }
}

char *picture_svg(const struct ops *operations, const struct model *model,
                  const struct model_verdict *verdict, const char *source)
{
    struct picture p = {.operations = operations, .verdict = verdict};
    char *svg = NULL, line[400];
    size_t size, violated = verdict->outcome == MODEL_VIOLATED;
    if (violated) bars_collect(&p);
    place(&p);
    p.out = open_memstream(&svg, &size);
    CHECK(p.out);
    /* The contents decide the height: they are drawn first. */
    if (violated)
        snprintf(line, sizeof line, "Not %s: %zu operation%s that no order explains",
                 model->name, verdict->witness_count, verdict->witness_count == 1 ? "" : "s");
    else
        snprintf(line, sizeof line, "%s: %s", model->name,
                 model_outcome_words[verdict->outcome]);
    text(&p, 20, 32, 18, INK, "start", line, sizeof line);
    uint32_t y = 58;
    if (verdict->explanation) y = paragraph(&p, y, verdict->explanation);
    p.top = y + 6;
    lanes_draw(&p);
    for (size_t i = 0; i < verdict->edges_count; i++) arrow_draw(&p, &verdict->edges[i]);
    for (size_t i = 0; i < p.count; i++) bar_draw(&p, &p.bars[i]);
    y = p.top + p.lanes_count * LANE + 22;
    if (p.count) {
        y = legend(&p, y);
        if (p.count < verdict->witness_count) {
            snprintf(line, sizeof line, "The first %zu operations are drawn.", p.count);
            text(&p, 20, y, 12, INK, "start", line, sizeof line);
            y += 17;
        }
        text(&p, 20, y, 12, INK, "start",
             "Left to right: the order of invocations and returns, not to scale. A dashed bar "
             "was never answered;",
             sizeof line);
        text(&p, 20, y + 16, 12, INK, "start", "a thick red frame is an answer that cannot be.",
             sizeof line);
        y += 33;
    }
    snprintf(line, sizeof line, "%.200s; %zu operations; %s, %.80s", source, operations->count,
             model->name, verdict->algorithm ? verdict->algorithm : "");
    text(&p, 20, y + 4, 11, "#666666", "start", line, 140);
    fclose(p.out);
    char *whole = NULL;
    p.out = open_memstream(&whole, &size);
    CHECK(p.out);
    fprintf(p.out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/"
            "svg\" width=\"%" PRIu32 "\" height=\"%" PRIu32 "\" viewBox=\"0 0 %" PRIu32
            " %" PRIu32 "\" font-family=\"DejaVu Sans, Helvetica, Arial, sans-serif\">\n"
            "<rect x=\"0\" y=\"0\" width=\"%" PRIu32 "\" height=\"%" PRIu32
            "\" fill=\"#ffffff\"/>\n%s</svg>\n",
            p.width, y + 18, p.width, y + 18, p.width, y + 18, svg);
    fclose(p.out);
    free(svg);
    return whole;
}
