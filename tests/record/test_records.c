/* Goal: records keep what they are told (order, contiguity, names) and write it as documented,
 * byte for byte, as JSON that any reader accepts. Method: small records by hand against literal
 * lines; every byte value through the escaper and back through jansson; a history of 200,000
 * operations for growth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "sim/kernel/vtime.h"
#include "sim/record/facts.h"
#include "sim/record/history.h"
#include "sim/record/names.h"
#include "sim/record/timeline.h"

static const struct history_op blank = {.key = HISTORY_NONE,
                                        .table = HISTORY_NONE,
                                        .owner = HISTORY_NONE,
                                        .node = HISTORY_NONE,
                                        .context = HISTORY_NONE,
                                        .session = HISTORY_NONE,
                                        .client = HISTORY_NONE};

static const char *node_name(void *context, uint32_t endpoint)
{
    static const char *const names[] = {"db-a", "db-b"};
    (void)context;
    return endpoint < 2 ? names[endpoint] : NULL;
}

static char *text_of(const struct history *history)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    assert_int_equal(history_write(history, file, node_name, NULL), 0);
    fclose(file);
    return text;
}

/* ---- names ---- */

static void test_equal_texts_share_a_number_and_numbers_count_from_zero(void **state)
{
    (void)state;
    struct history_names *names = names_create();
    assert_int_equal(names_intern(names, "a", 1), 0);
    assert_int_equal(names_intern(names, "a\0b", 3), 1); /* any bytes */
    assert_int_equal(names_intern(names, "", 0), 2);
    assert_int_equal(names_intern(names, "a", 1), 0);
    const char *early = names_text(names, 1, NULL);
    for (uint32_t i = 0; i < 100000; i++) {
        char text[16];
        int size = snprintf(text, sizeof text, "k%u", i);
        assert_int_equal(names_intern(names, text, (size_t)size), 3 + i);
    }
    for (uint32_t i = 0; i < 100000; i += 997) {
        char text[16];
        int size = snprintf(text, sizeof text, "k%u", i);
        assert_int_equal(names_intern(names, text, (size_t)size), 3 + i);
        assert_string_equal(names_text(names, 3 + i, NULL), text);
    }
    size_t size;
    assert_ptr_equal(names_text(names, 1, &size), early); /* texts never move */
    assert_int_equal(size, 3);
    assert_memory_equal(early, "a\0b", 4);
    char *big = malloc(200000);
    memset(big, 'x', 200000);
    uint32_t id = names_intern(names, big, 200000);
    assert_memory_equal(names_text(names, id, &size), big, 200000);
    free(big);
    names_destroy(names);
}

/* ---- history ---- */

static void test_what_never_returned_is_unknown_and_open_after_seal(void **state)
{
    (void)state;
    struct history *history = history_create();
    struct history_op op = blank;
    op.type = HISTORY_WRITE;
    op.outcome = OUTCOME_OK;
    op.values_count = 7; /* what the caller left there does not count */
    size_t a = history_invoke(history, &op);
    assert_true(history->ops[a].pending);
    size_t b = history_invoke(history, &op);
    history_return(history, b, 5, OUTCOME_FAIL);
    history_seal(history);
    assert_false(history->ops[a].pending);
    assert_int_equal(history->ops[a].outcome, OUTCOME_UNKNOWN);
    assert_int_equal(history->ops[a].return_ns, HISTORY_OPEN);
    assert_int_equal(history->ops[a].values_count, 0);
    assert_int_equal(history->ops[b].outcome, OUTCOME_FAIL);
    assert_int_equal(history->ops[b].return_ns, 5);
    history_destroy(history);
}

static void test_attempts_of_interleaved_operations_are_contiguous_after_seal(void **state)
{
    (void)state;
    struct history *history = history_create();
    struct history_op op = blank;
    size_t ops[3], attempts[9];
    for (int i = 0; i < 3; i++) ops[i] = history_invoke(history, &op);
    for (int i = 0; i < 9; i++)
        attempts[i] = history_attempt_sent(history, ops[2 - i % 3], 100 + i, (uint32_t)i);
    history_attempt_answered(history, attempts[4], 200, HISTORY_STATUS_NOT_LEADER, 9);
    history_seal(history);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(history->ops[i].attempts_start, i * 3);
        assert_int_equal(history->ops[i].attempts_count, 3);
        for (uint32_t j = 0; j < 3; j++) {
            const struct history_attempt *attempt = &history->attempts[i * 3 + j];
            assert_int_equal(attempt->sent_ns, 100 + 2 - i + 3 * j); /* in order of sending */
            bool answered = attempt->sent_ns == 104;
            assert_int_equal(attempt->answered_ns, answered ? 200 : HISTORY_OPEN);
            assert_int_equal(attempt->status,
                             answered ? HISTORY_STATUS_NOT_LEADER : HISTORY_STATUS_NONE);
        }
    }
    history_destroy(history);
}

static void test_history_lines_are_those_of_the_readme(void **state)
{
    (void)state;
    struct history *history = history_create();
    struct history_op op = blank;
    op.type = HISTORY_INSERT;
    op.client = history_intern_string(history, "signups");
    op.process = 3;
    op.session = 4;
    op.table = history_intern_string(history, "signups/");
    op.token = 17;
    op.owner = 9;
    op.is_private = true;
    op.invoke_ns = 50000000;
    size_t insert = history_invoke(history, &op);
    size_t attempt = history_attempt_sent(history, insert, 50000000, 1);
    history_attempt_answered(history, attempt, 50500000, HISTORY_STATUS_NOT_LEADER, 2);
    attempt = history_attempt_sent(history, insert, 50600000, 0);
    history_attempt_answered(history, attempt, 51000000, HISTORY_STATUS_OK, 2);
    op = blank;
    op.client = history_intern_string(history, "signups");
    op.type = HISTORY_COMPARE_AND_SET;
    op.key = history_intern_string(history, "x\"\n\xff");
    op.token = 18;
    op.lock_token = 33;
    op.invoke_ns = 50000001;
    size_t cas = history_invoke(history, &op);
    op = blank;
    op.type = HISTORY_SCAN;
    op.key = history_intern_string(history, "signups/");
    op.level = HISTORY_LEVEL_LEADER;
    op.invoke_ns = 60000000;
    op.final_read = true;
    op.position = 12;
    op.store = 1;
    size_t scan = history_invoke(history, &op);

    uint32_t row = history_intern_string(history, "signups/51");
    history->ops[insert].key = row;
    history->ops[insert].node = 0;
    history->ops[insert].epoch = 2;
    history->ops[insert].status = HISTORY_STATUS_OK;
    history_return(history, insert, 51000000, OUTCOME_OK);
    history_value(history, scan, row);
    history_value(history, scan, 17);
    history->ops[scan].node = 7;
    history_return(history, scan, 61000000, OUTCOME_OK);
    history_seal(history);
    (void)cas;
    char *text = text_of(history);
    assert_string_equal(
        text,
        "{\"v\":1,\"op\":0,\"client\":\"signups\",\"process\":3,\"session\":4,\"type\":"
        "\"insert\",\"table\":\"signups/\",\"key\":\"signups/51\",\"token\":17,\"owner\":9,"
        "\"private\":true,\"invoke\":50000000,\"return\":51000000,\"outcome\":\"ok\","
        "\"status\":\"ok\",\"node\":\"db-a\",\"epoch\":2,\"attempts\":["
        "{\"sent\":50000000,\"answered\":50500000,\"node\":\"db-b\",\"status\":\"not_leader\","
        "\"epoch\":2},{\"sent\":50600000,\"answered\":51000000,\"node\":\"db-a\","
        "\"status\":\"ok\",\"epoch\":2}]}\n"
        "{\"v\":1,\"op\":1,\"client\":\"signups\",\"process\":0,\"type\":\"compare_and_set\","
        "\"key\":\"x\\\"\\u000a\\u00ff\",\"token\":18,\"expected\":0,\"lock_token\":33,"
        "\"invoke\":50000001,\"return\":null,\"outcome\":\"unknown\"}\n"
        "{\"v\":1,\"op\":2,\"process\":0,\"type\":\"scan\",\"store\":1,\"key\":\"signups/"
        "\",\"level\":\"leader\",\"invoke\":60000000,\"return\":61000000,\"outcome\":\"ok\","
        "\"node\":7,\"position\":12,\"values\":[[\"signups/51\",17]],\"final\":true}\n");
    free(text);
    history_destroy(history);
}

static void test_every_byte_survives_as_json(void **state)
{
    (void)state;
    struct history *history = history_create();
    char key[256];
    for (int i = 0; i < 256; i++) key[i] = (char)i;
    struct history_op op = blank;
    op.key = history_intern(history, key, sizeof key);
    op.token = UINT64_MAX / 2;
    history_invoke(history, &op);
    history_seal(history);
    char *text = text_of(history);
    json_error_t error;
    json_t *json = json_loads(text, JSON_ALLOW_NUL, &error);
    if (!json) fail_msg("%s: %s", error.text, text);
    assert_true(json_integer_value(json_object_get(json, "token")) == INT64_MAX);
    const char *utf8 = json_string_value(json_object_get(json, "key"));
    size_t size = json_string_length(json_object_get(json, "key"));
    assert_int_equal(size, 128 + 2 * 128); /* bytes above 127 are two bytes of UTF-8 */
    for (size_t i = 0; i < 128; i++) assert_int_equal(utf8[i], i);
    json_decref(json);
    free(text);
    history_destroy(history);
}

static void test_a_failed_write_is_reported(void **state)
{
    (void)state;
    struct history *history = history_create();
    for (int i = 0; i < 2000; i++) history_invoke(history, &blank);
    history_seal(history);
    FILE *full = fopen("/dev/full", "w");
    if (!full) skip();
    assert_true(history_write(history, full, NULL, NULL) < 0);
    fclose(full);
    history_destroy(history);
}

static void test_large_histories_keep_every_value(void **state)
{
    (void)state;
    enum { COUNT = 200000 };
    struct history *history = history_create();
    struct history_op op = blank;
    for (uint32_t i = 0; i < COUNT; i++) {
        char key[16];
        int size = snprintf(key, sizeof key, "k%u", i % 5000);
        op.key = history_intern(history, key, (size_t)size);
        op.invoke_ns = i;
        size_t index = history_invoke(history, &op);
        for (uint32_t v = 0; v < i % 3; v++) history_value(history, index, i + v);
        history_return(history, index, i + 1, OUTCOME_OK);
    }
    history_seal(history);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(history->ops[i].values_count, i % 3);
        for (uint32_t v = 0; v < i % 3; v++)
            assert_int_equal(history->values[history->ops[i].values_start + v], i + v);
    }
    char *text = text_of(history);
    size_t lines = 0;
    for (const char *at = text; *at; at++) lines += *at == '\n';
    assert_int_equal(lines, COUNT);
    free(text);
    history_destroy(history);
}

/* ---- facts and timeline ---- */

static void test_facts_stand_in_time_order_and_equals_in_order_of_arrival(void **state)
{
    (void)state;
    struct facts facts = {0};
    static const int64_t times[] = {10, 30, 20, 20, 5, 30};
    for (uint32_t i = 0; i < 6; i++)
        facts_add(&facts, (struct fact){.time_ns = times[i], .kind = FACT_UP, .endpoint = i});
    static const uint32_t order[] = {4, 0, 2, 3, 1, 5};
    for (uint32_t i = 0; i < 6; i++) assert_int_equal(facts.items[i].endpoint, order[i]);
    facts_deinit(&facts);
    assert_int_equal(facts.count, 0);
}

static void test_timeline_lines_are_those_of_the_readme(void **state)
{
    (void)state;
    struct timeline timeline = {0};
    struct timeline_entry role = {.time_ns = 2000,
                                  .until_ns = 2000,
                                  .kind = TIMELINE_ROLE,
                                  .endpoint = 1,
                                  .peer = UINT32_MAX,
                                  .role = FACT_ROLE_LEADER,
                                  .epoch = 3,
                                  .what = "leader"};
    timeline_add(&timeline, &role, "%s becomes leader of \"epoch\" %d", "db-b", 3);
    struct timeline_entry cut = {.time_ns = 1000,
                                 .until_ns = VTIME_MAX,
                                 .kind = TIMELINE_FAULT,
                                 .endpoint = 0,
                                 .peer = 9,
                                 .what = "cut",
                                 .id = "stale"};
    timeline_add(&timeline, &cut, "replication is cut");
    assert_string_equal(timeline.items[1].text, "db-b becomes leader of \"epoch\" 3");
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    assert_int_equal(timeline_write(&timeline, file, node_name, NULL), 0);
    fclose(file);
    assert_string_equal(
        text,
        "{\"v\":1,\"time\":1000,\"until\":null,\"kind\":\"fault\",\"what\":\"cut\",\"id\":"
        "\"stale\",\"endpoint\":\"db-a\",\"peer\":9,\"text\":\"replication is cut\"}\n"
        "{\"v\":1,\"time\":2000,\"until\":2000,\"kind\":\"role\",\"what\":\"leader\","
        "\"endpoint\":\"db-b\",\"role\":\"leader\",\"epoch\":3,"
        "\"text\":\"db-b becomes leader of \\\"epoch\\\" 3\"}\n");
    free(text);
    timeline_deinit(&timeline);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_texts_share_a_number_and_numbers_count_from_zero),
        cmocka_unit_test(test_what_never_returned_is_unknown_and_open_after_seal),
        cmocka_unit_test(test_attempts_of_interleaved_operations_are_contiguous_after_seal),
        cmocka_unit_test(test_history_lines_are_those_of_the_readme),
        cmocka_unit_test(test_every_byte_survives_as_json),
        cmocka_unit_test(test_a_failed_write_is_reported),
        cmocka_unit_test(test_large_histories_keep_every_value),
        cmocka_unit_test(test_facts_stand_in_time_order_and_equals_in_order_of_arrival),
        cmocka_unit_test(test_timeline_lines_are_those_of_the_readme),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
