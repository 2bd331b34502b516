/* Goal: what a verdict shows is the evidence and nothing else (minimise.c), and its picture
 * says the same (picture.c). Method: histories by hand whose smallest witness is known, with
 * operations around it that a checker may name but nobody needs; pictures are compared in what
 * they must contain, and every name of any bytes must leave the XML whole. That witnesses of
 * random histories stand alone, for all models, is asserted where those are made
 * (stands_alone.h).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "sim/check/picture.h"
#include "tests/check/stands_alone.h"

#define ANY_MAX 200

struct hand {
    struct op items[ANY_MAX];
    uint64_t elements[ANY_MAX];
    struct ops ops;
};

static void begin(struct hand *h, enum object_type type)
{
    memset(h, 0, sizeof *h);
    h->ops = (struct ops){.items = h->items,
                          .elements = h->elements,
                          .keys = 2,
                          .processes = ANY_MAX,
                          .values = ANY_MAX,
                          .type = type,
                          .has_real_time = true};
}

static struct op *add(struct hand *h, uint32_t process, int64_t invoke, int64_t complete,
                      enum op_kind kind, uint64_t value)
{
    struct op *op = &h->items[h->ops.count++];
    *op = (struct op){.process = process,
                      .invoke = invoke,
                      .complete = complete,
                      .kind = (uint8_t)kind,
                      .value = value,
                      .result = complete == OP_OPEN ? RESULT_UNKNOWN : RESULT_OK,
                      .line = (uint32_t)h->ops.count};
    return op;
}

static void expect(struct hand *h, const char *model, size_t count, const size_t *witness)
{
    struct model_verdict verdict;
    model_check(model_find(model), &h->ops, NULL, &verdict);
    assert_int_equal(verdict.outcome, MODEL_VIOLATED);
    assert_stands_alone(model_find(model), &h->ops, NULL, &verdict);
    assert_int_equal(verdict.witness_count, count);
    for (size_t i = 0; i < count; i++) assert_int_equal(verdict.witness[i], witness[i]);
    model_verdict_deinit(&verdict);
}

/* ---- the smallest set ---- */

static void test_repeated_values_leave_two_writes_and_the_stale_read(void **state)
{
    (void)state;
    struct hand h;
    begin(&h, OBJECT_REGISTER);
    for (int i = 0; i < 40; i++)
        add(&h, 0, 10 * i, 10 * i + 5, OP_WRITE, 1 + (uint64_t)i % 3); /* 38: 3, 39: 1 */
    add(&h, 1, 500, 505, OP_READ, 3);
    for (int i = 0; i < 40; i++)
        add(&h, 0, 600 + 10 * i, 605 + 10 * i, OP_WRITE, 1 + (uint64_t)i % 3);
    expect(&h, "linearizable", 3, (size_t[]){38, 39, 40});
}

static void test_a_read_that_misses_an_element_keeps_the_adds_of_those_it_holds(void **state)
{
    (void)state;
    struct hand h;
    begin(&h, OBJECT_SET);
    for (uint64_t i = 0; i < 20; i++)
        add(&h, 0, 10 * (int64_t)i, 10 * (int64_t)i + 5, OP_ADD, 1 + i);
    struct op *read = add(&h, 1, 300, 305, OP_READ, VALUE_NONE);
    read->count = 19; /* element 20 is missed */
    for (uint64_t i = 0; i < 19; i++) h.elements[h.ops.elements_count++] = 1 + i;
    struct model_verdict verdict;
    model_check(model_find("linearizable"), &h.ops, NULL, &verdict);
    assert_int_equal(verdict.outcome, MODEL_VIOLATED);
    assert_stands_alone(model_find("linearizable"), &h.ops, NULL, &verdict);
    /* The read holds 19 elements: their adds must stay, lest nobody added them. */
    assert_int_equal(verdict.witness_count, 21);
    model_verdict_deinit(&verdict);
}

static void test_a_queue_out_of_order_is_told_by_three(void **state)
{
    (void)state;
    struct hand h;
    begin(&h, OBJECT_QUEUE);
    for (uint64_t i = 0; i < 20; i++)
        add(&h, 0, 10 * (int64_t)i, 10 * (int64_t)i + 5, OP_ENQUEUE, 1 + i);
    for (uint64_t i = 0; i < 20; i++)
        add(&h, 1, 300 + 10 * (int64_t)i, 305 + 10 * (int64_t)i, OP_DEQUEUE,
            1 + (i == 7   ? 8
                 : i == 8 ? 7
                          : i));
    expect(&h, "linearizable", 3, (size_t[]){7, 8, 27});
}

static void test_a_failure_that_does_not_say_what_it_saw_keeps_all_that_changed_its_key(
    void **state)
{
    (void)state;
    struct hand h;
    begin(&h, OBJECT_REGISTER);
    add(&h, 0, 0, 5, OP_WRITE, 1);
    add(&h, 0, 10, 15, OP_WRITE, 2);
    struct op *cas = add(&h, 0, 20, 25, OP_COMPARE_AND_SET, 3);
    cas->expected = 2;
    cas->result = RESULT_FAIL;
    add(&h, 0, 30, 35, OP_READ, 2);
    expect(&h, "linearizable", 2, (size_t[]){1, 2});
}

static void test_sequential_consistency_is_told_by_the_four_of_dekker(void **state)
{
    (void)state;
    struct hand h;
    begin(&h, OBJECT_REGISTER);
    h.ops.has_real_time = false;
    /* Ten writes of a third process elsewhere, then Dekker's handshake, in which nobody sees
     * the other. */
    for (uint64_t i = 0; i < 10; i++)
        add(&h, 5, 10 * (int64_t)i, 10 * (int64_t)i + 1, OP_WRITE, 10 + i)->key = 2;
    h.ops.keys = 3;
    add(&h, 0, 200, 201, OP_WRITE, 1);
    add(&h, 1, 202, 203, OP_WRITE, 2)->key = 1;
    add(&h, 0, 204, 205, OP_READ, VALUE_NONE)->key = 1;
    add(&h, 1, 206, 207, OP_READ, VALUE_NONE);
    expect(&h, "sequential", 4, (size_t[]){10, 11, 12, 13});
}

/* ---- the picture ---- */

static const char *odd_name(void *context, uint32_t id)
{
    (void)id;
    return context;
}

static const char *odd_value(void *context, uint64_t id)
{
    return id == VALUE_NONE ? NULL : context;
}

/* Well-formed as far as text can break it: every '<' opens a tag of ours, '&' an entity, no
 * control byte, and the text is UTF-8. */
static void assert_whole(const char *svg)
{
    static const char *const tags[] = {"?xml ",  "svg ",  "/svg>",    "rect ", "text ",
                                       "/text>", "g>",    "/g>",      "title", "/title>",
                                       "path ",  "line ", "polygon ", NULL};
    static const char *const entities[] = {"amp;", "lt;", "gt;", "quot;", "#39;", NULL};
    size_t texts = 0;
    for (const unsigned char *c = (const unsigned char *)svg; *c; c++) {
        const char *const *one = *c == '<' ? tags : entities;
        assert_true(*c >= 0x20 || *c == '\n');
        if (*c == '<' || *c == '&') {
            while (*one && strncmp((const char *)c + 1, *one, strlen(*one)) != 0) one++;
            assert_non_null(*one);
            texts += strncmp((const char *)c, "<text ", 6) == 0;
            texts -= strncmp((const char *)c, "</text>", 7) == 0;
            assert_true(texts <= 1);
        }
        size_t more = *c < 0x80 ? 0 : *c < 0xe0 ? 1 : *c < 0xf0 ? 2 : 3;
        assert_true(*c < 0x80 || *c >= 0xc2);
        for (; more; more--) assert_int_equal(*++c & 0xc0, 0x80);
    }
    assert_int_equal(texts, 0);
}

static void stale_read(struct hand *h)
{
    begin(h, OBJECT_REGISTER);
    add(h, 0, 0, 5, OP_WRITE, 17);
    add(h, 1, 10, 15, OP_WRITE, 18);
    add(h, 2, 20, 25, OP_READ, 17);
}

static size_t occurrences(const char *text, const char *part)
{
    size_t count = 0;
    for (; (text = strstr(text, part)); text++) count++;
    return count;
}

static void test_the_picture_shows_lanes_bars_and_the_contradiction(void **state)
{
    (void)state;
    struct hand h;
    struct model_verdict verdict;
    stale_read(&h);
    model_check(model_find("linearizable"), &h.ops, NULL, &verdict);
    char *svg = picture_svg(&h.ops, model_find("linearizable"), &verdict, "by hand");
    assert_whole(svg);
    assert_int_equal(occurrences(svg, "Not linearizable: 3 operations"), 1);
    assert_int_equal(occurrences(svg, ">process "), 3 + 1); /* lanes, and the explanation */
    assert_int_equal(occurrences(svg, ">write 17<"), 1);
    assert_int_equal(occurrences(svg, ">write 18<"), 1);
    assert_int_equal(occurrences(svg, ">read 17<"), 1);
    assert_int_equal(occurrences(svg, "by hand; 3 operations"), 1);
    /* real time twice, reads from, and one that cannot be; its bar is framed. */
    assert_int_equal(occurrences(svg, "<path "), 4);
    assert_int_equal(occurrences(svg, "stroke=\"#D55E00\" stroke-width=\"2"), 1 + 1);
    assert_int_equal(occurrences(svg, "stroke=\"#D55E00\" stroke-width=\"3\""), 1);
    free(svg);
    model_verdict_deinit(&verdict);
}

static void test_names_of_any_bytes_leave_the_picture_whole(void **state)
{
    (void)state;
    static const char *const names[] = {
        "</text><script>alert(1)</script>",
        "a & b \"c\" 'd' <e>",
        "\x01\x02\t\n\x7f",
        "\xff\xfe\xc3",
        "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
        "\xed\xa0\x80\xf4\x90\x80\x80\xc0\x80\xef\xbf\xbf",
        "a name that is much longer than any bar has room for, and longer than a lane's too, "
        "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac",
        "",
        "%s%n]]>"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct hand h;
        struct model_verdict verdict;
        stale_read(&h);
        h.ops.key_name = odd_name;
        h.ops.process_name = odd_name;
        h.ops.value_name = odd_value;
        h.ops.names = (void *)(uintptr_t)names[i];
        model_check(model_find("linearizable"), &h.ops, NULL, &verdict);
        assert_int_equal(verdict.outcome, MODEL_VIOLATED);
        char *svg = picture_svg(&h.ops, model_find("linearizable"), &verdict, names[i]);
        assert_whole(svg);
        free(svg);
        model_verdict_deinit(&verdict);
    }
}

static void test_what_holds_has_a_picture_that_says_so(void **state)
{
    (void)state;
    struct hand h;
    struct model_verdict verdict;
    begin(&h, OBJECT_REGISTER);
    add(&h, 0, 0, 5, OP_WRITE, 1);
    model_check(model_find("linearizable"), &h.ops, NULL, &verdict);
    char *svg = picture_svg(&h.ops, model_find("linearizable"), &verdict, "by hand");
    assert_whole(svg);
    assert_int_equal(occurrences(svg, ">linearizable: holds<"), 1);
    free(svg);
    model_verdict_deinit(&verdict);
}

static void test_every_kind_of_operation_can_be_drawn(void **state)
{
    (void)state;
    for (int type = 0; type < OBJECT_TYPES; type++) {
        struct hand h;
        struct model_verdict verdict = {.outcome = MODEL_VIOLATED, .witness_count = 0};
        begin(&h, (enum object_type)type);
        verdict.witness = malloc(ANY_MAX * sizeof *verdict.witness);
        for (int kind = 0; kind < OP_KINDS; kind++)
            for (int result = 0; result <= RESULT_VOID; result++) {
                int64_t at = 10 * (int64_t)h.ops.count;
                struct op *op =
                    add(&h, (uint32_t)h.ops.count % 5, at,
                        result == RESULT_UNKNOWN ? OP_OPEN : at + 5, (enum op_kind)kind, 3);
                op->result = (uint8_t)result;
                op->has_seen = kind & 1;
                op->count = 30;
                verdict.witness[verdict.witness_count++] = h.ops.count - 1;
            }
        h.ops.elements_count = 30;
        char *svg = picture_svg(&h.ops, model_find("linearizable"), &verdict, "all");
        assert_whole(svg);
        free(svg);
        model_verdict_deinit(&verdict);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repeated_values_leave_two_writes_and_the_stale_read),
        cmocka_unit_test(test_a_read_that_misses_an_element_keeps_the_adds_of_those_it_holds),
        cmocka_unit_test(test_a_queue_out_of_order_is_told_by_three),
        cmocka_unit_test(
            test_a_failure_that_does_not_say_what_it_saw_keeps_all_that_changed_its_key),
        cmocka_unit_test(test_sequential_consistency_is_told_by_the_four_of_dekker),
        cmocka_unit_test(test_the_picture_shows_lanes_bars_and_the_contradiction),
        cmocka_unit_test(test_names_of_any_bytes_leave_the_picture_whole),
        cmocka_unit_test(test_what_holds_has_a_picture_that_says_so),
        cmocka_unit_test(test_every_kind_of_operation_can_be_drawn),
    };
    return cmocka_run_group_tests_name("witness", tests, NULL, NULL);
}
