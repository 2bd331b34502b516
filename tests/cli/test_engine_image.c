/* Goal: engine-dump and engine-check tell what every engine's folder holds, locate damage, and
 * answer every other folder with a reason and exit status 2, and never write. Method: images
 * made by the engines on real files, damaged by hand; the built program (FAULTLINE, default
 * build/release/faultline) run as a user would.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engines/storage/engine.h"

static char scratch[] = "/tmp/faultline-image-XXXXXX";
static char output[1 << 20];

static int faultline(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int faultline(const char *format, ...)
{
    char arguments[4096], command[8192];
    const char *program = getenv("FAULTLINE");
    va_list list;
    va_start(list, format);
    vsnprintf(arguments, sizeof arguments, format, list);
    va_end(list);
    snprintf(command, sizeof command, "timeout 20 %s %s 2>&1",
             program ? program : "build/release/faultline", arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t size = fread(output, 1, sizeof output - 1, pipe);
    output[size] = 0;
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *format, ...)
{
    char command[8192];
    va_list list;
    va_start(list, format);
    vsnprintf(command, sizeof command, format, list);
    va_end(list);
    assert_int_equal(system(command), 0);
}

#define SAYS(text)                                                                             \
    do                                                                                         \
        if (!strstr(output, text)) fail_msg("no \"%s\" in:\n%s", text, output);                \
    while (0)

/* An image of 50 keys, some deleted, in scratch/NAME. */
static void make_image(const struct engine_ops *ops, const char *name)
{
    struct engine_host host = {.allocator = &allocator_system,
                               .check_failed = posix_check_failed};
    struct engine *engine;
    shell("rm -rf %s/%s", scratch, name);
    assert_int_equal(posix_vfs_create(scratch, &host.vfs), 0);
    assert_int_equal(engine_open(ops, &host, name, NULL, &engine), 0);
    for (int i = 0; i < 50; i++) {
        char key[16];
        snprintf(key, sizeof key, "key-%03d", i);
        assert_int_equal(engine_put(engine, bytes_string(key), BYTES_LITERAL("some value"),
                                    &allocator_system,
                                    i % 10 == 9 ? ENGINE_SYNC : ENGINE_NO_SYNC, 0),
                         0);
    }
    struct engine_batch batch = {.allocator = &allocator_system};
    assert_int_equal(engine_batch_delete(&batch, BYTES_LITERAL("key-007")), 0);
    assert_int_equal(engine_write(engine, &batch, ENGINE_SYNC, 0), 0);
    engine_batch_deinit(&batch);
    /* As a dead process leaves it. */
    shell("rm -rf %s/%s-open && cp -R %s/%s %s/%s-open", scratch, name, scratch, name, scratch,
          name);
    engine_close(engine);
    posix_vfs_destroy(host.vfs);
}

static void test_a_sound_image_of_every_engine_is_known_and_sound(void **state)
{
    (void)state;
    for (size_t i = 0; engine_registry[i]; i++) {
        const char *name = engine_registry[i]->name;
        char says[64];
        if (!engine_registry[i]->inspect) continue;
        make_image(engine_registry[i], name);
        shell("cd %s && find %s -type f | sort | xargs cksum >before", scratch, name);
        assert_int_equal(faultline("engine-check %s/%s", scratch, name), 0);
        snprintf(says, sizeof says, "sound: engine %s, ", name);
        SAYS(says);
        SAYS(" 0 problems");
        assert_int_equal(faultline("engine-dump %s/%s --all", scratch, name), 0);
        SAYS(says);
        SAYS("\"key-0");
        assert_int_equal(faultline("engine-dump %s/%s --all --json", scratch, name), 0);
        SAYS("{\"kind\":\"item\",\"file\":\"");
        SAYS("\"kind\":\"summary\",\"engine\":\"");
        /* Neither has changed a byte. */
        shell("cd %s && find %s -type f | sort | xargs cksum >after && cmp before after",
              scratch, name);
    }
}

/* Names of files may be the same; no engine takes another's for its own, closed or not. */
static void test_no_engine_takes_the_files_of_another_for_its_own(void **state)
{
    (void)state;
    static const char *const folders[] = {"closed", "closed-open"};
    struct vfs *vfs;
    for (size_t i = 0; engine_registry[i]; i++) {
        if (!engine_registry[i]->recognise) continue;
        make_image(engine_registry[i], "closed");
        assert_int_equal(posix_vfs_create(scratch, &vfs), 0);
        for (int n = 0; n < 2; n++) {
            const struct engine_ops *known;
            assert_int_equal(engine_recognise(vfs, folders[n], &known), 0);
            if (known != engine_registry[i])
                fail_msg("engine %s takes an image of %s for its own", known->name,
                         engine_registry[i]->name);
        }
        posix_vfs_destroy(vfs);
    }
}

static void test_a_dump_stays_under_a_screen_unless_asked(void **state)
{
    (void)state;
    make_image(engine_find("log"), "log");
    assert_int_equal(faultline("engine-dump %s/log", scratch), 0);
    size_t lines = 0;
    for (const char *p = output; *p; p++) lines += *p == '\n';
    assert_true(lines <= 24);
    SAYS("key-005");
    SAYS("more items (--all shows them)");
    assert_int_equal(faultline("engine-dump %s/log --limit 3", scratch), 0);
    assert_null(strstr(output, "key-005"));
    assert_int_equal(faultline("engine-dump %s/log --limit 1000", scratch), 0);
    SAYS("key-049");
}

static void test_damage_is_located_and_exits_1(void **state)
{
    (void)state;
    for (size_t i = 0; engine_registry[i]; i++) {
        const char *name = engine_registry[i]->name;
        if (!engine_registry[i]->inspect) continue;
        make_image(engine_registry[i], name);
        /* The value of a key in the middle, wherever the engine put it. */
        shell("cd %s/%s && f=$(grep -l 'key-02' * | head -n 1) && "
              "at=$(grep -obUa 'key-02' $f | head -n 1 | cut -d: -f1) && "
              "printf X | dd of=$f bs=1 seek=$((at + 9)) conv=notrunc status=none",
              scratch, name);
        assert_int_equal(faultline("engine-check %s/%s", scratch, name), 1);
        SAYS("problem: ");
        SAYS("damaged: engine ");
        assert_int_equal(faultline("engine-dump %s/%s", scratch, name), 1);
        SAYS("problem: ");
        assert_int_equal(faultline("engine-check %s/%s --json", scratch, name), 1);
        SAYS("\"kind\":\"problem\"");
    }
}

static void test_a_torn_tail_is_a_note(void **state)
{
    (void)state;
    make_image(engine_find("log"), "log");
    shell("printf '#+,00000' >>%s/log/database", scratch);
    assert_int_equal(faultline("engine-check %s/log", scratch), 0);
    SAYS("torn tail of 8 bytes");
    SAYS(" 1 note, 0 problems");
}

/* What a user who debugs a red run does. */
static void test_a_run_leaves_images_that_can_be_looked_into(void **state)
{
    (void)state;
    shell("rm -rf %s/images", scratch);
    assert_int_equal(faultline("run scenarios/literature/fsync-gate.yaml --variant refuse "
                               "--images %s/images",
                               scratch),
                     0);
    SAYS("faultline engine-check ");
    assert_int_equal(faultline("engine-check %s/images", scratch), 2);
    SAYS("images/pg/data', which engine 'log' wrote?");
    assert_int_equal(faultline("engine-check %s/images/pg/data", scratch), 1);
    SAYS("database:8291413: problem: ");
    SAYS(" 1 problem\n");
    assert_int_equal(
        faultline("run scenarios/literature/fsync-gate.yaml --images %s/images", scratch), 2);
    SAYS("new or empty folder");
    assert_int_equal(faultline("run scenarios/schemes/none.yaml --variant all --images "
                               "%s/variants",
                               scratch),
                     0);
    assert_int_equal(faultline("engine-check %s/variants/log/n/data", scratch), 0);
    SAYS("sound: engine log");
    /* Looking changes nothing: the run is the same with images and without. */
    assert_int_equal(faultline("run scenarios/schemes/none.yaml --json --images %s/more | "
                               "grep -o 'trace_hash.\\{20\\}' >%s/with",
                               scratch, scratch),
                     0);
    assert_int_equal(faultline("run scenarios/schemes/none.yaml --json | "
                               "grep -o 'trace_hash.\\{20\\}' >%s/without",
                               scratch),
                     0);
    shell("cmp %s/with %s/without", scratch, scratch);
}

static void test_what_is_no_image_gets_a_reason_and_exits_2(void **state)
{
    (void)state;
    make_image(engine_find("log"), "log");
    assert_int_equal(faultline("engine-check"), 2);
    assert_int_equal(faultline("engine-check %s/log %s/log", scratch, scratch), 2);
    assert_int_equal(faultline("engine-check %s/absent", scratch), 2);
    SAYS("No such file");
    assert_int_equal(faultline("engine-check %s/log/database", scratch), 2);
    SAYS("a file; an image is a folder");
    SAYS("did you mean");
    assert_int_equal(faultline("engine-check %s/log/database/x", scratch), 2);
    shell("mkdir -p %s/empty", scratch);
    assert_int_equal(faultline("engine-check %s/empty", scratch), 2);
    SAYS("empty");
    shell("rm -rf %s/node && mkdir %s/node && cp -R %s/log %s/node/data", scratch, scratch,
          scratch, scratch);
    assert_int_equal(faultline("engine-dump %s/node", scratch), 2);
    SAYS("did you mean");
    SAYS("node/data'");
    shell("rm -rf %s/foreign && mkdir %s/foreign && head -c 100000 %s/log/database | "
          "gzip >%s/foreign/database && echo hello >%s/foreign/notes.txt",
          scratch, scratch, scratch, scratch, scratch);
    assert_int_equal(faultline("engine-check %s/foreign", scratch), 2);
    SAYS("no engine knows its files");
    SAYS("notes.txt");
    make_image(engine_find("lsm"), "lsm");
    make_image(engine_find("hash"), "hash");
    shell("rm -rf %s/both && cp -R %s/lsm %s/both && cp %s/hash/seg-* %s/both", scratch,
          scratch, scratch, scratch, scratch);
    assert_int_equal(faultline("engine-check %s/both", scratch), 2);
    SAYS("files of engine 'hash' and of engine 'lsm' in one folder");
    SAYS("--engine");
    assert_int_equal(faultline("engine-dump %s/both", scratch), 2);
    assert_int_equal(faultline("engine-check %s/both --engine lsm", scratch), 0);
    shell("rm -rf %s/pipe && mkdir %s/pipe && mkfifo %s/pipe/database", scratch, scratch,
          scratch);
    assert_int_equal(faultline("engine-check %s/pipe", scratch), 2);
    assert_int_equal(faultline("engine-check %s/pipe --engine log", scratch), 2);
    assert_int_equal(faultline("engine-check %s/log --engine lgo", scratch), 2);
    SAYS("did you mean 'log'");
    assert_int_equal(faultline("engine-check %s/log --jsno", scratch), 2);
    SAYS("did you mean '--json'");
    static const char *const commands[] = {"engine-dump", "engine-check"};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(faultline("%s", commands[i]), 2);
        SAYS(" needs the DIR of an image");
        assert_int_equal(faultline("%s %s/log %s/node", commands[i], scratch, scratch), 2);
        SAYS(": one DIR, not '");
        SAYS("/node' too");
    }
    assert_int_equal(faultline("engine-dump %s/log --limit many", scratch), 2);
    if (geteuid() != 0) {
        shell("chmod 000 %s/empty", scratch);
        assert_int_equal(faultline("engine-check %s/empty", scratch), 2);
        SAYS("ermission");
        shell("chmod 700 %s/empty", scratch);
    }
}

/* Every file of a folder becomes random bytes, the same in every run of the test. */
static void garble(const char *name, unsigned seed)
{
    char path[600], bytes[5000];
    uint64_t state = seed + 1;
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (*entry->d_name == '.') continue;
        for (size_t i = 0; i < sizeof bytes; i++) {
            state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            bytes[i] = (char)(state >> 56);
        }
        snprintf(path, sizeof path, "%s/%s/%s", scratch, name, entry->d_name);
        FILE *out = fopen(path, "w");
        assert_non_null(out);
        assert_int_equal(fwrite(bytes, 1, sizeof bytes, out), sizeof bytes);
        assert_int_equal(fclose(out), 0);
    }
    closedir(dir);
}

/* Whatever was cut off or garbled, the answer is a verdict, not a crash. */
static void test_any_cut_and_any_garble_ends_in_a_verdict(void **state)
{
    (void)state;
    for (size_t i = 0; engine_registry[i]; i++) {
        const char *name = engine_registry[i]->name;
        if (!engine_registry[i]->inspect) continue;
        make_image(engine_registry[i], name);
        for (int percent = 0; percent < 100; percent += 15) {
            shell("rm -rf %s/cut && cp -R %s/%s %s/cut && cd %s/cut && for f in *; do "
                  "truncate -s $(($(stat -c %%s $f) * %d / 100)) $f; done",
                  scratch, scratch, name, scratch, scratch, percent);
            int status = faultline("engine-check %s/cut --engine %s", scratch, name);
            if (status > 2) fail_msg("%s cut to %d%%: status %d", name, percent, status);
            garble("cut", (unsigned)percent);
            status = faultline("engine-check %s/cut --engine %s", scratch, name);
            if (status > 2) fail_msg("%s garbled: status %d", name, status);
        }
    }
}

static int setup(void **state)
{
    (void)state;
    return mkdtemp(scratch) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -rf '%s'", scratch);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sound_image_of_every_engine_is_known_and_sound),
        cmocka_unit_test(test_no_engine_takes_the_files_of_another_for_its_own),
        cmocka_unit_test(test_a_dump_stays_under_a_screen_unless_asked),
        cmocka_unit_test(test_damage_is_located_and_exits_1),
        cmocka_unit_test(test_a_torn_tail_is_a_note),
        cmocka_unit_test(test_a_run_leaves_images_that_can_be_looked_into),
        cmocka_unit_test(test_what_is_no_image_gets_a_reason_and_exits_2),
        cmocka_unit_test(test_any_cut_and_any_garble_ends_in_a_verdict),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
