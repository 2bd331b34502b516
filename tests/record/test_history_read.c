/* Goal: history.jsonl is read back as the history that was written, and what is no such file is
 * refused with line, column and words. Method: random histories with every field, written, read
 * and compared field by field, then written again and compared by bytes; lines with their
 * fields shuffled and strange ones between; one broken line for every rule.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/kernel/random.h"
#include "sim/record/history_read.h"

static char *text_of(const struct history *history,
                     const char *(*endpoint_name)(void *context, uint32_t endpoint),
                     void *context, size_t *size)
{
    char *text = NULL;
    FILE *file = open_memstream(&text, size);
    assert_int_equal(history_write(history, file, endpoint_name, context), 0);
    fclose(file);
    return text;
}

static uint64_t below(struct rng *rng, uint64_t bound)
{
    return rng_below(rng, bound);
}

static uint32_t random_name(struct history *history, struct rng *rng)
{
    char text[12];
    size_t size = (size_t)below(rng, sizeof text);
    for (size_t i = 0; i < size; i++) text[i] = (char)below(rng, 256);
    return history_intern(history, text, size);
}

static struct history *random_history(struct rng *rng, size_t count)
{
    struct history *history = history_create();
    int64_t now = 0;
    for (size_t i = 0; i < count; i++) {
        struct history_op op = {.table = HISTORY_NONE,
                                .key = HISTORY_NONE,
                                .session = HISTORY_NONE,
                                .owner = HISTORY_NONE,
                                .node = HISTORY_NONE,
                                .context = HISTORY_NONE,
                                .client = HISTORY_NONE};
        now += (int64_t)below(rng, 1000);
        op.invoke_ns = now;
        op.type = (uint8_t)below(rng, HISTORY_TYPES);
        if (below(rng, 4)) op.client = random_name(history, rng);
        if (below(rng, 2)) op.key = random_name(history, rng);
        if (below(rng, 2)) op.table = random_name(history, rng);
        if (below(rng, 4) == 0) op.context = random_name(history, rng);
        if (below(rng, 2)) op.session = (uint32_t)below(rng, 100);
        if (below(rng, 4) == 0) op.owner = (uint32_t)below(rng, UINT32_MAX);
        op.process = (uint32_t)below(rng, 1u << 31);
        if (below(rng, 2)) op.token = rng_u64(rng);
        if (op.type == HISTORY_COMPARE_AND_SET) op.expected = below(rng, 5);
        if (below(rng, 4) == 0) op.lock_token = rng_u64(rng);
        op.is_private = below(rng, 2);
        op.final_read = below(rng, 2);
        op.level = (uint8_t)below(rng, HISTORY_LEVEL_COUNT);
        op.store = (uint8_t)below(rng, 2);
        size_t index = history_invoke(history, &op);
        for (uint64_t n = below(rng, 3); n > 0; n--) {
            size_t attempt = history_attempt_sent(history, index, now, (uint32_t)below(rng, 5));
            if (below(rng, 2)) {
                uint8_t status = (uint8_t)below(rng, HISTORY_STATUS_COUNT);
                history_attempt_answered(history, attempt, now + 3, status, below(rng, 3));
            }
        }
        for (uint64_t n = below(rng, 3); n > 0; n--) {
            if (op.type == HISTORY_SCAN)
                history_value(history, index, random_name(history, rng));
            uint64_t value = below(rng, 4) ? below(rng, 9) : UINT64_MAX;
            history_value(history, index, value);
        }
        if (below(rng, 8) == 0) continue; /* it never returns */
        struct history_op *added = &history->ops[index];
        if (below(rng, 2)) added->node = (uint32_t)below(rng, 5);
        if (below(rng, 2)) added->status = (uint8_t)below(rng, HISTORY_STATUS_COUNT);
        if (below(rng, 2)) added->epoch = rng_u64(rng);
        if (below(rng, 2)) added->position = rng_u64(rng);
        enum history_outcome outcome = (enum history_outcome)below(rng, OUTCOME_COUNT);
        history_return(history, index, now + (int64_t)below(rng, 5000), outcome);
    }
    history_seal(history);
    return history;
}

/* ---- exactness ---- */

static void same_name(const struct history *a, uint32_t x, const struct history *b, uint32_t y)
{
    assert_int_equal(x == HISTORY_NONE, y == HISTORY_NONE);
    if (x == HISTORY_NONE) return;
    size_t sizes[2];
    const char *left = history_name(a, x, &sizes[0]), *right = history_name(b, y, &sizes[1]);
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(left, right, sizes[0]);
}

static void same_op(const struct history *a, const struct history *b, size_t index)
{
    const struct history_op *x = &a->ops[index], *y = &b->ops[index];
    struct history_op p = *x, q = *y;
    same_name(a, x->key, b, y->key);
    same_name(a, x->table, b, y->table);
    same_name(a, x->client, b, y->client);
    same_name(a, x->context, b, y->context);
    assert_int_equal(x->values_count, y->values_count);
    for (uint32_t v = 0; v < x->values_count; v++) {
        uint64_t left = a->values[x->values_start + v], right = b->values[y->values_start + v];
        if (x->type == HISTORY_SCAN && v % 2 == 0)
            same_name(a, (uint32_t)left, b, (uint32_t)right);
        else
            assert_true(left == right);
    }
    assert_int_equal(x->attempts_count, y->attempts_count);
    for (uint32_t i = 0; i < x->attempts_count; i++) {
        const struct history_attempt *left = &a->attempts[x->attempts_start + i],
                                     *right = &b->attempts[y->attempts_start + i];
        assert_true(left->sent_ns == right->sent_ns);
        assert_true(left->answered_ns == right->answered_ns);
        assert_true(left->node == right->node && left->status == right->status);
        assert_true(left->epoch == right->epoch);
    }
    /* All the rest, whatever fields there are: names and places are compared above. */
    p.key = p.table = p.client = p.context = p.values_start = p.attempts_start = 0;
    q.key = q.table = q.client = q.context = q.values_start = q.attempts_start = 0;
    assert_true(p.invoke_ns == q.invoke_ns && p.return_ns == q.return_ns);
    assert_true(p.token == q.token && p.expected == q.expected);
    assert_true(p.lock_token == q.lock_token && p.position == q.position);
    assert_true(p.epoch == q.epoch && p.process == q.process && p.session == q.session);
    assert_true(p.owner == q.owner && p.node == q.node && p.type == q.type);
    assert_true(p.outcome == q.outcome && p.status == q.status && p.level == q.level);
    assert_true(p.is_private == q.is_private && p.pending == q.pending);
    assert_true(p.final_read == q.final_read && p.store == q.store);
}

static const char *node_name(void *context, uint32_t endpoint)
{
    (void)context;
    static const char *const names[] = {"db-a", "", "n\"ode", NULL, "db-b"};
    return names[endpoint];
}

static void test_what_is_written_is_read_and_written_again(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct rng rng;
        struct history_file file;
        struct history_error error;
        size_t size, again_size;
        rng_init(&rng, seed, "history", "", NULL);
        struct history *history = random_history(&rng, seed * 5);
        char *text = text_of(history, NULL, NULL, &size);
        if (!history_read(text, size, &file, &error))
            fail_msg("seed %d: %u:%u: %s", (int)seed, error.line, error.column, error.text);
        assert_int_equal(file.history->count, history->count);
        assert_null(file.endpoints);
        for (size_t i = 0; i < history->count; i++) {
            same_op(history, file.history, i);
            assert_int_equal(file.lines[i], i + 1);
        }
        history_file_deinit(&file);
        free(text);

        text = text_of(history, node_name, NULL, &size);
        assert_true(history_read(text, size, &file, &error));
        char *again = text_of(file.history, history_file_endpoint, &file, &again_size);
        assert_int_equal(size, again_size);
        assert_memory_equal(text, again, size);
        history_file_deinit(&file);
        free(text);
        free(again);
        history_destroy(history);
    }
}

static void test_order_of_fields_blanks_and_strangers_do_not_matter(void **state)
{
    (void)state;
    static const char line[] =
        "\r\n\n { \"future\" : {\"a\":[1,{\"b\":null},-2.5e3,\"]\"],\"c\":{}} ,\t"
        "\"outcome\":\"ok\", \"values\" : [ 7 , 8 ],\"return\": "
        "20,\"type\":\"read\",\"x\":true,"
        "\"invoke\":10,\"key\":\"\\u0041\\n\\/\\\\\",\"process\":3,\"v\":1,\"op\":9 } \r\n";
    struct history_file file;
    struct history_error error;
    if (!history_read(line, sizeof line - 1, &file, &error))
        fail_msg("%u:%u: %s", error.line, error.column, error.text);
    assert_int_equal(file.history->count, 1);
    assert_int_equal(file.lines[0], 3);
    const struct history_op *op = &file.history->ops[0];
    assert_int_equal(op->type, HISTORY_READ);
    assert_int_equal(op->process, 3);
    assert_int_equal(op->values_count, 2);
    assert_int_equal(file.history->values[op->values_start + 1], 8);
    assert_string_equal(history_name(file.history, op->key, NULL), "A\n/\\");
    assert_int_equal(op->session, HISTORY_NONE);
    history_file_deinit(&file);
}

/* ---- what is refused ---- */

#define GOOD                                                                                   \
    "{\"v\":1,\"op\":0,\"process\":0,\"type\":\"read\",\"invoke\":10,\"return\":20,"           \
    "\"outcome\":\"ok\"}\n"

static void refused(const char *text, uint32_t line, uint32_t column, const char *words)
{
    struct history_file file;
    struct history_error error;
    if (history_read(text, strlen(text), &file, &error)) fail_msg("accepted: %s", text);
    if (error.line != line || error.column != column || !strstr(error.text, words))
        fail_msg("%u:%u: %s; wanted %u:%u: %s", error.line, error.column, error.text, line,
                 column, words);
}

static void test_every_broken_line_is_located(void **state)
{
    (void)state;
    refused("[]", 1, 1, "'{' of an operation should stand here");
    refused(GOOD "hello", 2, 1, "'{' of an operation");
    refused("{}", 1, 1, "without 'v'");
    refused("{\"v\":1}", 1, 1, "without 'op'");
    refused("{\"v\":2}", 1, 6, "version 2");
    refused("{\"v\":1,\"v\":1}", 1, 8, "'v' is given twice");
    refused("{\"v\":1.0}", 1, 6, "whole number");
    refused("{\"v\":x}", 1, 6, "a whole number should stand here");
    refused("{\"v\"", 1, 5, "the line ends where ':'");
    refused("{\"v\":1 \"op\"", 1, 8, "',' or '}'");
    refused("{v:1}", 1, 2, "text in quotes");
    refused("{\"op\":18446744073709551616}", 1, 7, "too large");
    refused("{\"process\":4294967295}", 1, 12, "too large for its field");
    refused("{\"type\":\"raed\"}", 1, 9, "type 'raed' is unknown");
    refused("{\"outcome\":\"fine\"}", 1, 12, "outcome 'fine'");
    refused("{\"status\":\"\"}", 1, 11, "status ''");
    refused("{\"private\":1}", 1, 12, "true or false");
    refused("{\"key\":\"abc}", 1, 8, "does not end in its line");
    refused("{\"key\":\"a\\qc\"}", 1, 10, "an escape that is unknown");
    refused("{\"key\":\"\\u00x0\"}", 1, 9, "four hexadecimal digits");
    refused("{\"key\":\"\\u0100\"}", 1, 9, "above 00ff");
    refused("{\"key\":\"a\tb\"}", 1, 10, "control character");
    refused("{\"invoke\":null}", 1, 11, "never invoked");
    refused("{\"invoke\":-9223372036854775809}", 1, 12, "too large");
    refused("{\"values\":7}", 1, 11, "'[' should");
    refused("{\"values\":[7,]}", 1, 14, "whole number");
    refused("{\"values\":[[7,1]]}", 1, 13, "text in quotes");
    refused("{\"attempts\":[{\"sent\":1}]}", 1, 23, "an attempt without 'answered'");
    refused("{\"attempts\":[{\"sent\":1,\"sent\":2}]}", 1, 24, "'sent' is given twice");
    refused("{\"new\":[[1,2}", 1, 13, "',' or ']'");
    refused("{\"new\":tru}", 1, 8, "a value");
    refused(GOOD "{\"v\":1,\"op\":0,\"process\":0,\"type\":\"read\",\"invoke\":9,\"return\":20,"
                 "\"outcome\":\"ok\"}\n",
            2, 1, "invoked before the operation of line 1");
    refused("{\"v\":1,\"op\":0,\"process\":0,\"type\":\"read\",\"invoke\":9,\"return\":8,"
            "\"outcome\":\"ok\"}\n",
            1, 1, "returned before it was invoked");
    refused("{\"v\":1,\"op\":0,\"process\":0,\"type\":\"read\",\"invoke\":9,\"return\":null,"
            "\"outcome\":\"ok\"}\n",
            1, 1, "never returned");
    refused("{\"v\":1,\"op\":0,\"process\":0,\"type\":\"scan\",\"invoke\":9,\"return\":9,"
            "\"outcome\":\"ok\",\"values\":[1,2]}\n",
            1, 1, "what a scan returns");
    refused("{\"v\":1,\"op\":0,\"process\":0,\"type\":\"read\",\"invoke\":9,\"return\":9,"
            "\"outcome\":\"ok\",\"values\":[[\"a\",2]]}\n",
            1, 1, "what a scan returns");
    refused("{\"v\":1,\"op\":0,\"process\":0,\"type\":\"read\",\"invoke\":9,\"return\":9,"
            "\"outcome\":\"ok\"} {}",
            1, 79, "text behind the end");
}

static void test_depth_is_bounded(void **state)
{
    (void)state;
    size_t depth = 1000000;
    char *text = malloc(depth + 16);
    size_t size = (size_t)sprintf(text, "{\"new\":");
    memset(text + size, '[', depth);
    text[size + depth] = '\0';
    refused(text, 1, 72, "nested too deeply");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_is_read_and_written_again),
        cmocka_unit_test(test_order_of_fields_blanks_and_strangers_do_not_matter),
        cmocka_unit_test(test_every_broken_line_is_located),
        cmocka_unit_test(test_depth_is_bounded),
    };
    return cmocka_run_group_tests_name("history_read", tests, NULL, NULL);
}
