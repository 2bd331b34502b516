/* Goal: foreign histories are read as what they are, and get their known verdict. Method: small
 * texts of each format with the operations that must come out; broken texts with the place and
 * words of the error; and the collection of recorded histories in ../shared/histories, where it
 * is there, against its manifest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/check/models.h"
#include "sim/foreign/foreign.h"

#define COLLECTION "../shared/histories/"

static void read_ok(const char *text, struct foreign *out)
{
    struct foreign_options options = {0};
    if (!foreign_read(text, strlen(text), &options, out))
        fail_msg("%u:%u: %s", out->error_line, out->error_column, out->error);
}

static void read_fails(const char *text, uint32_t line, uint32_t column, const char *words)
{
    struct foreign_options options = {0};
    struct foreign foreign;
    if (foreign_read(text, strlen(text), &options, &foreign)) fail_msg("read: %s", text);
    if (!strstr(foreign.error, words) || foreign.error_line != line ||
        foreign.error_column != column)
        fail_msg("%u:%u: %s; wanted %u:%u: %s", foreign.error_line, foreign.error_column,
                 foreign.error, line, column, words);
    foreign_deinit(&foreign);
}

static enum model_outcome judged(const struct foreign *foreign, const char *model)
{
    struct model_verdict verdict;
    model_check(model_find(model), &foreign->operations, NULL, &verdict);
    enum model_outcome outcome = verdict.outcome;
    model_verdict_deinit(&verdict);
    return outcome;
}

/* ---- formats ---- */

static void test_edn_events_become_operations(void **state)
{
    (void)state;
    struct foreign f;
    read_ok("[{:process 0, :type :invoke, :f :write, :value 3}\n"
            " {:process 1, :type :invoke, :f :read, :value nil}\n"
            " {:process :nemesis, :type :info, :f :start}\n"
            " {:process 1, :type :ok, :f :read, :value nil}\n"
            " {:process 0, :type :info, :f :write, :value 3}\n"
            " {:process 2, :type :invoke, :f :cas, :value [3 4]}\n"
            " {:process 2, :type :fail, :f :cas, :value [3 4]}]\n",
            &f);
    assert_string_equal(f.format, "jepsen-edn");
    assert_int_equal(f.operations.type, OBJECT_REGISTER);
    assert_int_equal(f.operations.count, 3);
    assert_int_equal(f.skipped, 1);
    const struct op *ops = f.operations.items;
    assert_int_equal(ops[0].result, RESULT_UNKNOWN);
    assert_int_equal(ops[0].complete, OP_OPEN);
    assert_int_equal(ops[1].result, RESULT_OK);
    assert_int_equal(ops[1].value, VALUE_NONE);
    assert_int_equal(ops[2].result, RESULT_VOID);
    assert_int_equal(ops[2].expected, ops[0].value);
    assert_int_equal(ops[2].line, 6);
    foreign_deinit(&f);
}

static void test_a_failed_cas_is_read_as_told(void **state)
{
    (void)state;
    const char *text = "{:process 0, :type :invoke, :f :write, :value 1}\n"
                       "{:process 0, :type :ok, :f :write, :value 1}\n"
                       "{:process 0, :type :invoke, :f :cas, :value [1 2]}\n"
                       "{:process 0, :type :fail, :f :cas, :value [1 2]}\n";
    struct foreign f;
    read_ok(text, &f);
    assert_int_equal(judged(&f, "linearizable"), MODEL_HOLDS);
    foreign_deinit(&f);
    struct foreign_options options = {.failed_cas = FAILED_CAS_CONSTRAINT};
    assert_true(foreign_read(text, strlen(text), &options, &f));
    assert_int_equal(judged(&f, "linearizable"), MODEL_VIOLATED);
    foreign_deinit(&f);
}

static void test_values_of_two_are_keys_unless_something_says_otherwise(void **state)
{
    (void)state;
    struct foreign f;
    read_ok("{:process 0, :type :invoke, :f :write, :value [:x 3]}\n"
            "{:process 0, :type :ok, :f :write, :value [:x 3]}\n"
            "{:process 0, :type :invoke, :f :read, :value [:y nil]}\n"
            "{:process 0, :type :ok, :f :read, :value [:y nil]}\n",
            &f);
    assert_int_equal(f.operations.keys, 2);
    foreign_deinit(&f);
    read_ok("{:process 0, :type :invoke, :f :add, :value [0 1]}\n"
            "{:process 0, :type :ok, :f :add, :value [0 1]}\n"
            "{:process 0, :type :invoke, :f :read, :value [0 nil]}\n"
            "{:process 0, :type :ok, :f :read, :value [1 2 3]}\n",
            &f);
    assert_int_equal(f.operations.keys, 1);
    assert_int_equal(f.operations.type, OBJECT_SET);
    foreign_deinit(&f);
}

static void test_every_format_is_recognised(void **state)
{
    (void)state;
    static const struct {
        const char *format, *text;
        size_t count;
    } cases[] = {
        {"jepsen-json",
         "[{\"process\":1,\"type\":\"invoke\",\"f\":\"read\",\"value\":null},\n"
         "{\"process\":1,\"type\":\"ok\",\"f\":\"read\",\"value\":7}]",
         1},
        {"jepsen-log",
         "INFO  jepsen.util - 0\t:invoke\t:write\t1\n"
         "INFO  jepsen.util - 0\t:ok\t:write\t1\n",
         1},
        {"plume", "w(0,1,0,1)\nr(0,1,1,2)\n", 2},
        {"awdit", "w 0 1\n=====\nr 0 1\n", 2},
        {"dbcop",
         "[[{\"events\":[{\"Write\":{\"variable\":0,\"version\":1}}],\"committed\":true}]]", 1},
        {"text", "# a comment\n0 10 20 w x 1\n1 15 inf r x ?\n", 2},
        {"jepsen-edn", "[]", 0},
        {"jepsen-edn", "; nothing came\n", 0},
        {"text", "# ops=0\n", 0},
        {"text", "#jobs 3\n0 1 2 r x nil\n", 1},
        {"jepsen-edn", "\xef\xbb\xbf{:process 0 :type :invoke :f :read}\r\n", 1},
        {"jepsen-log",
         "INFO  jepsen.core - Running test\nINFO  jepsen.util - 0\t:invoke\t:read\tnil\n", 1},
        {"jepsen-edn", "#jepsen.history.Op{:process 0 :type :invoke :f :read}", 1},
        {"history",
         "{\"outcome\":\"ok\",\"v\":1,\"op\":0,\"process\":0,\"type\":\"read\",\"key\":\"a\","
         "\"invoke\":1,\"return\":2}",
         1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct foreign f;
        read_ok(cases[i].text, &f);
        assert_string_equal(f.format, cases[i].format);
        assert_int_equal(f.operations.count, cases[i].count);
        foreign_deinit(&f);
    }
}

static void test_odd_histories_are_noted_and_judged(void **state)
{
    (void)state;
    struct foreign f;
    read_ok("{:process 0, :type :invoke, :f :write, :value 1}\n"
            "{:process 0, :type :invoke, :f :write, :value 2}\n"
            "{:process 0, :type :ok, :f :write, :value 2}\n"
            "{:process 1, :type :ok, :f :read, :value 1}\n",
            &f);
    assert_int_equal(f.notes_count, 2);
    assert_int_equal(f.notes[0].line, 2);
    assert_int_equal(f.notes[1].line, 4);
    assert_int_equal(judged(&f, "linearizable"), MODEL_HOLDS);
    foreign_deinit(&f);
}

/* ---- bad input ---- */

static void test_what_is_no_history_is_said(void **state)
{
    (void)state;
    read_fails("", 1, 1, "the file is empty");
    read_fails(" \r\n\t\n", 1, 1, "the file is empty");
    read_fails("\xef\xbb\xbf", 1, 1, "the file is empty");
    read_fails("hello\n", 1, 1, "begins like no history");
    read_fails("\n\n  hello\n", 3, 3, "begins like no history");
    read_fails("\x1f\x8b\x08", 1, 1, "compressed by gzip");
    read_fails("\x28\xb5\x2f\xfd", 1, 1, "compressed by zstd");
    read_fails("PK\x03\x04", 1, 1, "zip archive");
    read_fails("\xff\xfe{", 1, 1, "UTF-16");
    struct foreign_options options = {0};
    struct foreign foreign;
    assert_false(foreign_read("\x7f"
                              "ELF\0\1",
                              6, &options, &foreign));
    assert_non_null(strstr(foreign.error, "it is no text"));
    foreign_deinit(&foreign);
}

static void test_bad_edn_is_located(void **state)
{
    (void)state;
    read_fails("{:process 0, :type :invoke, :f :read", 1, 1, "never closed");
    read_fails("[{:process 0, :type :invoke,\n  :f :read}\n", 1, 1, "never closed");
    read_fails("{:process 0, :type :invoke, :f}", 1, 31, "a key and no value");
    read_fails("{:process 0, :type :begin, :f :read}", 1, 20,
               "type ':begin' is unknown (there are invoke, ok, fail, info)");
    read_fails("{:process 0, :type :invoek, :f :read}", 1, 20, "did you mean 'invoke'?");
    read_fails("{:process 0, :type 7, :f :read}", 1, 20, "type should be one of");
    read_fails("{:process 0,\n :type :invoke, :f :raed}", 2, 20, "did you mean 'read'?");
    read_fails("{:process 0,\r\n :type :invoke, :f :frob}", 2, 20, "(there are read, write");
    read_fails("{:type :invoke, :f :read}", 1, 1, "without :process");
    read_fails("{:process 0 :f :read}", 1, 1, "without :type");
    read_fails("{:process 0 :type :ok}", 1, 1, "without :f");
    read_fails("{:process 0 :type :invoke :f :cas :value 7}", 1, 42, "needs [expected new]");
    read_fails("{:process 0 :type :invoke :f :write :value \"a\nb}", 1, 44, "does not end");
    read_fails("{:process 0 :type :invoke :f :read} 17", 1, 37, "an event is a map");
    read_fails("{:process 0 :type :invoke :f :read}\n}", 2, 1, "where a value should begin");
    read_fails("{:process 0 :type :invoke :f :read}]", 1, 36, "where a value should begin");
    read_fails("[{:process 0 :type :invoke :f :read})", 1, 37, "where a value should begin");
    read_fails("[{:process 0 :type :invoke :f :read}] more", 1, 37, "text behind the end");
    read_fails("{:process 0 :type #", 1, 19, "'#' at the end");
    read_fails("{:process 0 :type #tag", 1, 23, "nothing behind it");
}

static void test_bad_json_is_located(void **state)
{
    (void)state;
    read_fails("[{\"process\":1,\"type\":\"invoke\" \"f\":\"read\"}]", 1, 31, "','");
    read_fails("{\"process\" 1}", 1, 12, "':' is missing");
    read_fails("{\"process\":1,}", 1, 14, "a comma too many");
    read_fails("{\"process\":1", 1, 13, "the text ends inside");
    read_fails("{\"process\":nul}", 1, 12, "no JSON value");
    read_fails("{\"process\":\"a\nb\"}", 1, 14, "does not end");
    read_fails("{\"process\":1,\"type\":\"invoke\",\"f\":\"raed\"}", 1, 34, "mean 'read'?");
    read_fails("[[{\"events\":7}]]", 1, 3, "without \"events\"");
    read_fails("[[{\"events\":[{\"Wrote\":1}]}]]", 1, 14, "should stand here");
    read_fails("[[], 7]", 1, 6, "a session should stand here");
    read_fails("{\"v\":1,\"op\":0,\n", 1, 15, "the line ends");
    read_fails("{\"v\":1,\"op\":0,\"type\":\"raed\"}", 1, 22,
               "type 'raed' is unknown (did you mean 'read'?)");
}

static void test_bad_lines_are_located(void **state)
{
    (void)state;
    read_fails("w(0,1,0)\n", 1, 7, "four numbers");
    read_fails("w(0,1,0,1)\nx(0,1,0,1)\n", 2, 1, "should stand here");
    read_fails("w(0,1,0,1\n", 1, 9, "four numbers");
    read_fails("w(0,a,0,1)\n", 1, 5, "a number");
    read_fails("w(0,1,0,1) w\n", 1, 12, "behind the end");
    read_fails("w 0 1\nr 0\n", 2, 4, "a value");
    read_fails("w 0 1\nx 0 1\n", 2, 1, "should stand here");
    read_fails("w 0 1 2\n", 1, 7, "behind the end");
    read_fails("0 10 5 w x 1\n", 1, 7, "before it began");
    read_fails("0 10 20 w x 1 more\n", 1, 15, "behind the end");
    read_fails("0 10 20 w x\r\n", 1, 12, "a value should stand here");
    read_fails("0 10 20 v x 1\n", 1, 9, "r, w or cas");
    read_fails("0 10 twenty w x 1\n", 1, 6, "the time of return");
    read_fails("0 99999999999999999999 20 w x 1\n", 1, 3, "the time of invocation");
    read_fails("0 1 2 cas x 1 2\n", 1, 16, "ok, fail or ?");
    read_fails("0 1 inf cas x 1 2 fail\n", 1, 19, "never returned");
    read_fails("INFO  jepsen.util - 0\t:ok\t:frob\t1\n", 1, 21, "should stand here");
    read_fails("INFO  jepsen.util - 0\t:invoke\t:cas\t7\n", 1, 36, "[expected new]");
    read_fails("INFO  jepsen.util - 0\t:invoke\t:read\tnil\n"
               "INFO  jepsen.util - 0\t:ok\t:read\n",
               2, 32, "without value");
}

static void test_no_depth_or_length_of_input_harms(void **state)
{
    (void)state;
    size_t size = 4000000;
    char *text = malloc(size + 64);
    memset(text, '[', size);
    text[size] = '\0';
    read_fails(text, 1, 66, "nested too deeply");
    memcpy(text, "{:a ", 4);
    read_fails(text, 1, 69, "nested too deeply");
    int head = sprintf(text, "0 1 2 w x ");
    memset(text + head, 'v', size - (size_t)head);
    struct foreign foreign;
    read_ok(text, &foreign);
    assert_int_equal(foreign.operations.count, 1);
    foreign_deinit(&foreign);
    free(text);
}

/* ---- odd, and judged as the model demands ---- */

static void one_note(const char *text, uint32_t line, const char *words, const char *model,
                     enum model_outcome outcome)
{
    struct foreign f;
    read_ok(text, &f);
    assert_int_equal(f.notes_count, 1);
    assert_int_equal(f.notes[0].line, line);
    if (!strstr(f.notes[0].text, words)) fail_msg("%s; wanted %s", f.notes[0].text, words);
    assert_int_equal(judged(&f, model), outcome);
    foreign_deinit(&f);
}

static void test_oddities_are_said_and_judged(void **state)
{
    (void)state;
    /* The first write never returned: it may take effect after the second. */
    one_note("{:process 0 :type :invoke :f :write :value 1}\n"
             "{:process 0 :type :invoke :f :write :value 2}\n"
             "{:process 0 :type :ok :f :write :value 2}\n"
             "{:process 1 :type :invoke :f :read}\n"
             "{:process 1 :type :ok :f :read :value 1}\n",
             2, "process 0 begins an operation while that of line 1 is open", "linearizable",
             MODEL_HOLDS);
    /* A read that nobody invoked may have begun before the write; the second may not. */
    one_note("{:process 0 :type :invoke :f :write :value 1}\n"
             "{:process 0 :type :ok :f :write :value 1}\n"
             "{:process 1 :type :ok :f :read :value nil}\n",
             3, "completes an operation that it never invoked", "linearizable", MODEL_HOLDS);
    one_note("{:process 0 :type :invoke :f :write :value 1}\n"
             "{:process 0 :type :ok :f :read :value 1}\n",
             2, "completes a read, but what it has open since line 1 is a write",
             "linearizable", MODEL_HOLDS);
    /* A value that nobody wrote: said by the verdict. */
    struct foreign f;
    struct model_verdict verdict;
    read_ok("0 1 2 r x 7\n", &f);
    model_check(model_find("linearizable"), &f.operations, NULL, &verdict);
    assert_int_equal(verdict.outcome, MODEL_VIOLATED);
    assert_non_null(strstr(verdict.explanation, "7"));
    assert_int_equal(verdict.witness_count, 1);
    model_verdict_deinit(&verdict);
    foreign_deinit(&f);
}

/* ---- the collection ---- */

static char *file_text(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    char *text = malloc(*size + 1);
    *size = fread(text, 1, *size, file);
    text[*size] = '\0';
    fclose(file);
    return text;
}

static bool expected_holds(const char *expected, const char *model)
{
    size_t size = strlen(model);
    for (const char *p = expected; (p = strstr(p, model)); p += size)
        if (p[size] == ' ' && strncmp(p + size + 1, "ok", 2) == 0) return true;
    return false;
}

static void verdict_check(const char *path, const char *expected)
{
    char whole[512];
    size_t size = 0;
    snprintf(whole, sizeof whole, COLLECTION "%s", path);
    char *text = file_text(whole, &size);
    assert_non_null(text);
    struct foreign f;
    struct foreign_options options = {0};
    if (!foreign_read(text, size, &options, &f))
        fail_msg("%s:%u:%u: %s", path, f.error_line, f.error_column, f.error);
    if (strncmp(path, "litmus/", 7) == 0) {
        assert_int_equal(judged(&f, "causal") == MODEL_HOLDS, expected_holds(expected, "CC"));
        assert_int_equal(judged(&f, "causal-convergent") == MODEL_HOLDS,
                         expected_holds(expected, "CCv"));
    } else if (!f.transaction_line && f.operations.has_real_time &&
               strcmp(path, "elle-cli/elle/rw-register.edn") != 0) {
        /* (Elle accepts a read of a value that nobody wrote in that one.) */
        if ((judged(&f, "linearizable") == MODEL_HOLDS) != (strncmp(expected, "ok", 2) == 0))
            fail_msg("%s: expected %s", path, expected);
    }
    foreign_deinit(&f);
    free(text);
}

static void test_recorded_histories_get_their_known_verdict(void **state)
{
    (void)state;
    size_t size = 0, count = 0;
    char *manifest = file_text(COLLECTION "MANIFEST.tsv", &size);
    if (!manifest) {
        print_message("skipped: " COLLECTION " is not here\n");
        skip();
    }
    char *line = strchr(manifest, '\n');
    while (line && line[1]) {
        char *fields[4] = {line + 1};
        for (int i = 1; i < 4; i++) {
            fields[i] = strchr(fields[i - 1], '\t');
            assert_non_null(fields[i]);
            *fields[i]++ = '\0';
        }
        char *rest = fields[3] + strcspn(fields[3], "\t\n");
        line = strchr(rest, '\n');
        *rest = '\0';
        verdict_check(fields[0], fields[3]);
        count++;
    }
    free(manifest);
    assert_in_range(count, 100, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edn_events_become_operations),
        cmocka_unit_test(test_a_failed_cas_is_read_as_told),
        cmocka_unit_test(test_values_of_two_are_keys_unless_something_says_otherwise),
        cmocka_unit_test(test_every_format_is_recognised),
        cmocka_unit_test(test_odd_histories_are_noted_and_judged),
        cmocka_unit_test(test_what_is_no_history_is_said),
        cmocka_unit_test(test_bad_edn_is_located),
        cmocka_unit_test(test_bad_json_is_located),
        cmocka_unit_test(test_bad_lines_are_located),
        cmocka_unit_test(test_no_depth_or_length_of_input_harms),
        cmocka_unit_test(test_oddities_are_said_and_judged),
        cmocka_unit_test(test_recorded_histories_get_their_known_verdict),
    };
    return cmocka_run_group_tests_name("foreign", tests, NULL, NULL);
}
