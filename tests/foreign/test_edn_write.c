/* Goal: a history written as Jepsen's EDN gets the verdict of the original, from every model.
 * Method: small random histories of registers with everything that is awkward (operations of a
 * process that overlap or touch, lost ones, failed compare-and-sets, values twice); one text of
 * every other type and format; our own records. Each is judged, written, read and judged again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/check/lattice.h"
#include "sim/foreign/edn_write.h"
#include "sim/kernel/random.h"
#include "tests/support/scale.h"

static char *written_edn(const struct foreign *foreign, size_t *size)
{
    char *text = NULL;
    struct edn_written written;
    FILE *file = open_memstream(&text, size);
    assert_int_equal(foreign_write_edn(foreign, file, &written), 0);
    fclose(file);
    return text;
}

/* Reads, writes, reads again; both verdicts of all models agree. Returns the EDN. */
static char *same_verdicts(const char *text)
{
    struct foreign original, again;
    struct lattice before, after;
    size_t size;
    struct foreign_options options = {0};
    if (!foreign_read(text, strlen(text), &options, &original))
        fail_msg("%u:%u: %s\n%s", original.error_line, original.error_column, original.error,
                 text);
    char *edn = written_edn(&original, &size);
    options.failed_cas = FAILED_CAS_CONSTRAINT;
    if (strcmp(original.format, "jepsen-edn") == 0 || strcmp(original.format, "dbcop") == 0)
        options.failed_cas = FAILED_CAS_VOID;
    if (!foreign_read(edn, size, &options, &again))
        fail_msg("%u:%u: %s\n%s", again.error_line, again.error_column, again.error, edn);
    assert_string_equal(again.format, "jepsen-edn");
    assert_int_equal(again.operations.count, original.operations.count);
    assert_int_equal(again.operations.keys, original.operations.keys);
    assert_int_equal(again.operations.processes, original.operations.processes);
    assert_int_equal(again.operations.type, original.operations.type);
    assert_int_equal(again.notes_count, 0);
    lattice_judge(&before, &original.operations, NULL);
    lattice_judge(&after, &again.operations, NULL);
    for (uint32_t i = 0; i < before.count; i++)
        if (before.states[i] != after.states[i])
            fail_msg("%s: %s, as EDN %s\n%s\n%s", model_table[i].name,
                     lattice_state_words[before.states[i]],
                     lattice_state_words[after.states[i]], text, edn);
    lattice_deinit(&before);
    lattice_deinit(&after);
    foreign_deinit(&original);
    foreign_deinit(&again);
    return edn;
}

static void random_text(struct rng *rng, char *out, size_t capacity)
{
    size_t at = 0;
    uint64_t count = 1 + rng_below(rng, 8), keys = 1 + rng_below(rng, 2);
    int64_t now = 0;
    for (uint64_t i = 0; i < count; i++) {
        now += (int64_t)rng_below(rng, 3);
        int64_t end = now + (int64_t)rng_below(rng, 4);
        uint64_t process = rng_below(rng, 3), key = rng_below(rng, keys);
        uint64_t value = rng_below(rng, 4), expected = rng_below(rng, 3);
        char back[24], was[8] = "nil", is[8] = "nil";
        static const char *const answers[] = {"ok", "ok", "fail", "?"};
        const char *answer = answers[rng_below(rng, 4)];
        bool is_lost = rng_below(rng, 6) == 0;
        snprintf(back, sizeof back, is_lost ? "inf" : "%d", (int)end);
        if (expected) snprintf(was, sizeof was, "%d", (int)expected);
        if (value) snprintf(is, sizeof is, "%d", (int)value);
        at += (size_t)snprintf(out + at, capacity - at, "%d %d %s ", (int)process, (int)now,
                               back);
        switch (rng_below(rng, 3)) {
        case 0:
            at += (size_t)snprintf(out + at, capacity - at, "r k%d %s\n", (int)key, is);
            break;
        case 1:
            at += (size_t)snprintf(out + at, capacity - at, "w k%d v%d\n", (int)key, (int)i);
            break;
        default:
            at += (size_t)snprintf(out + at, capacity - at, "cas k%d %s c%d %s\n", (int)key,
                                   was, (int)i, is_lost ? "?" : answer);
        }
    }
}

static void test_random_histories_keep_their_verdicts(void **state)
{
    (void)state;
    char text[1024];
    for (uint64_t seed = 0, end = test_scaled(1500, 100000); seed < end; seed++) {
        struct rng rng;
        rng_init(&rng, seed, "edn", "", NULL);
        random_text(&rng, text, sizeof text);
        free(same_verdicts(text));
    }
}

static void test_every_type_and_format_keeps_its_verdicts(void **state)
{
    (void)state;
    static const char *const texts[] = {
        /* a queue of two keys, with a lost enqueue and an empty dequeue */
        "{:process 0 :type :invoke :f :enqueue :value [:a 1]}\n"
        "{:process 1 :type :invoke :f :dequeue :value [:b nil]}\n"
        "{:process 0 :type :info :f :enqueue :value [:a 1]}\n"
        "{:process 1 :type :ok :f :dequeue :value [:b 7]}\n",
        /* lists, one of them empty */
        "{:process 0 :type :invoke :f :append :value [x 1]}\n"
        "{:process 0 :type :ok :f :append :value [x 1]}\n"
        "{:process 0 :type :invoke :f :read :value [x nil]}\n"
        "{:process 0 :type :ok :f :read :value [x []]}\n",
        "{:process 0 :type :invoke :f :append :value 1}\n"
        "{:process 0 :type :ok :f :append :value 1}\n"
        "{:process 0 :type :invoke :f :read :value nil}\n"
        "{:process 0 :type :ok :f :read :value [1]}\n",
        /* a set and a counter */
        "{:process 0 :type :invoke :f :add :value \"a\\\"b\"}\n"
        "{:process 0 :type :ok :f :add :value \"a\\\"b\"}\n"
        "{:process 0 :type :invoke :f :read}\n"
        "{:process 0 :type :ok :f :read :value #{\"a\\\"b\"}}\n",
        "{:process 0 :type :invoke :f :add :value 5}\n"
        "{:process 0 :type :ok :f :add :value 5}\n"
        "{:process 0 :type :invoke :f :read}\n"
        "{:process 0 :type :ok :f :read :value 6}\n",
        /* a lock taken twice */
        "{:process 0 :type :invoke :f :acquire}\n"
        "{:process 0 :type :ok :f :acquire}\n"
        "{:process 1 :type :invoke :f :acquire}\n"
        "{:process 1 :type :ok :f :acquire}\n",
        /* strings of a store */
        "{:process 0, :type :invoke, :f :put, :key \"0\", :value \"12\"}\n"
        "{:process 0, :type :ok, :f :put, :key \"0\", :value \"12\"}\n"
        "{:process 0, :type :invoke, :f :append, :key \"0\", :value \"3\"}\n"
        "{:process 0, :type :ok, :f :append, :key \"0\", :value \"3\"}\n"
        "{:process 0, :type :invoke, :f :get, :key \"0\", :value nil}\n"
        "{:process 0, :type :ok, :f :get, :key \"0\", :value \"123\"}\n",
        /* a register of vectors */
        "{:process 0 :type :invoke :f :write :value [1 2 3]}\n"
        "{:process 0 :type :ok :f :write :value [1 2 3]}\n"
        "{:process 0 :type :invoke :f :read}\n"
        "{:process 0 :type :ok :f :read :value [1 2 3]}\n",
        /* reads alone, of two keys */
        "{:process 0 :type :invoke :f :read :value [:a nil]}\n"
        "{:process 0 :type :ok :f :read :value [:a nil]}\n"
        "{:process 0 :type :invoke :f :read :value [:b nil]}\n"
        "{:process 0 :type :ok :f :read :value [:b 3]}\n",
        /* no time: causal, but in no order of the file */
        "w(0,1,0,1)\nr(0,1,1,2)\nw(1,2,1,3)\nr(1,2,2,4)\nr(0,0,2,5)\n",
        "r 0 1\n=====\nw 0 1\n",
        "[[{\"events\":[{\"Write\":{\"variable\":0,\"version\":1}}],\"committed\":true}],"
        "[{\"events\":[{\"Read\":{\"variable\":0,\"version\":null}}],\"committed\":true}]]",
        /* ours: an insert twice, a deleted row, a compare_and_set that tells what it saw */
        "{\"v\":1,\"op\":0,\"process\":0,\"session\":9,\"type\":\"insert\",\"key\":\"a\\\\\","
        "\"token\":1,\"invoke\":1,\"return\":2,\"outcome\":\"ok\"}\n"
        "{\"v\":1,\"op\":1,\"process\":1,\"session\":9,\"type\":\"insert\",\"key\":\"a\\\\\","
        "\"token\":2,\"invoke\":2,\"return\":4,\"outcome\":\"ok\"}\n"
        "{\"v\":1,\"op\":2,\"process\":2,\"type\":\"compare_and_set\",\"key\":\"b\",\"token\":"
        "3,"
        "\"expected\":5,\"invoke\":5,\"return\":6,\"outcome\":\"fail\",\"values\":[0]}\n"
        "{\"v\":1,\"op\":3,\"process\":2,\"type\":\"delete\",\"key\":\"b\",\"token\":4,"
        "\"invoke\":7,\"return\":null,\"outcome\":\"unknown\"}\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) free(same_verdicts(texts[i]));
}

static void test_events_are_those_that_others_read(void **state)
{
    (void)state;
    char *edn = same_verdicts("0 10 20 w x 1\n"
                              "0 20 inf cas x 1 2 ?\n"
                              "0 25 30 r y nil\n"
                              "1 26 27 cas y nil z ok\n");
    assert_string_equal(
        edn,
        "{:process 0, :type :invoke, :f :write, :value [\"x\" 1], :time 10, :index 0}\n"
        "{:process 2, :type :invoke, :f :cas, :value [\"x\" [1 2]], :time 20, :session 0, "
        ":index 1}\n"
        "{:process 0, :type :ok, :f :write, :value [\"x\" 1], :time 20, :index 2}\n"
        "{:process 4, :type :invoke, :f :read, :value [\"y\" nil], :time 25, :session 0, "
        ":index 3}\n"
        "{:process 1, :type :invoke, :f :cas, :value [\"y\" [nil \"z\"]], :time 26, "
        ":index 4}\n"
        "{:process 1, :type :ok, :f :cas, :value [\"y\" [nil \"z\"]], :time 27, :index 5}\n"
        "{:process 4, :type :ok, :f :read, :value [\"y\" nil], :time 30, :session 0, "
        ":index 6}\n"
        "{:process 2, :type :info, :f :cas, :value [\"x\" [1 2]], :session 0, :index 7}\n");
    free(edn);
    edn = same_verdicts("0 10 20 w x 1\n1 15 inf w x 2\n");
    assert_string_equal(edn,
                        "{:process 0, :type :invoke, :f :write, :value 1, :time 10, :index "
                        "0}\n"
                        "{:process 1, :type :invoke, :f :write, :value 2, :time 15, :index "
                        "1}\n"
                        "{:process 0, :type :ok, :f :write, :value 1, :time 20, :index 2}\n"
                        "{:process 1, :type :info, :f :write, :value 2, :index 3}\n");
    free(edn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_histories_keep_their_verdicts),
        cmocka_unit_test(test_every_type_and_format_keeps_its_verdicts),
        cmocka_unit_test(test_events_are_those_that_others_read),
    };
    return cmocka_run_group_tests_name("edn_write", tests, NULL, NULL);
}
