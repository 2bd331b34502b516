/* Goal: no input that ever broke a parser breaks it again, and near misses of good input break
 * none. Method: the entry points of the fuzzers on every file of tests/fuzz/corpus, crashers of
 * the past among them; on images of today's engines; and on all of these with bytes changed,
 * cut out and doubled, by seeded chance (SEED=).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/kernel/random.h"
#include "tests/fuzz/image.h"
#include "tests/support/scale.h"

#define CORPUS "tests/fuzz/corpus/"

struct input {
    uint8_t *data;
    size_t size;
};

static struct input file_input(const char *path)
{
    struct input input = {0};
    FILE *file = fopen(path, "rb");
    if (!file) return input;
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    input.data = malloc((size_t)size + 1);
    input.size = fread(input.data, 1, (size_t)size, file);
    fclose(file);
    return input;
}

/* Changes it a little: the copy is as long as what it must not read behind. */
static struct input mutated(struct input from, struct rng *rng)
{
    struct input out = {malloc(from.size * 2 + 1), from.size};
    memcpy(out.data, from.data, from.size);
    for (uint64_t n = 1 + rng_below(rng, 4); n > 0 && out.size; n--) {
        size_t at = (size_t)rng_below(rng, out.size);
        size_t length = (size_t)rng_below(rng, out.size - at) % 64 + 1;
        if (length > out.size - at) length = out.size - at;
        uint64_t how = rng_below(rng, 5);
        if (how == 0) {
            out.data[at] ^= (uint8_t)(1u << rng_below(rng, 8));
        } else if (how == 1) {
            out.data[at] = (uint8_t)rng_below(rng, 256);
        } else if (how == 2) {
            out.data[at] = from.data[rng_below(rng, from.size)];
        } else if (how == 3) {
            memmove(out.data + at, out.data + at + length, out.size - at - length);
            out.size -= length;
        } else if (out.size + length <= from.size * 2) {
            memmove(out.data + at + length, out.data + at, out.size - at);
            out.size += length;
        }
    }
    struct input exact = {malloc(out.size ? out.size : 1), out.size};
    memcpy(exact.data, out.data, out.size);
    free(out.data);
    return exact;
}

static void run_with_mutants(const struct fuzz_target *target, struct input input,
                             uint64_t mutants, const char *name)
{
    const char *given = getenv("SEED");
    uint64_t first = given ? strtoull(given, NULL, 10) : 0;
    target->run(input.data, input.size);
    for (uint64_t i = 0; i < mutants; i++) {
        struct rng rng;
        rng_init(&rng, first + i, "mutant", name, NULL);
        struct input mutant = mutated(input, &rng);
        target->run(mutant.data, mutant.size);
        free(mutant.data);
    }
}

static void run_corpus(const struct fuzz_target *target)
{
    char folder[128], path[512];
    struct dirent **entries;
    snprintf(folder, sizeof folder, CORPUS "%s", target->name);
    int count = scandir(folder, &entries, NULL, alphasort);
    if (count < 0) fail_msg("%s is not here: run from the top of the repository", folder);
    int files = 0;
    for (int i = 0; i < count; i++) {
        if (*entries[i]->d_name != '.') {
            snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
            struct input input = file_input(path);
            assert_non_null(input.data);
            run_with_mutants(target, input, test_scaled(100, 2000), entries[i]->d_name);
            free(input.data);
            files++;
        }
        free(entries[i]);
    }
    free(entries);
    assert_in_range(files, 1, 1000);
}

static void test_no_parser_breaks_on_the_corpus(void **state)
{
    (void)state;
    for (const struct fuzz_target *target = fuzz_targets; target->name; target++)
        run_corpus(target);
}

static void test_no_engine_breaks_on_a_damaged_image(void **state)
{
    (void)state;
    const struct fuzz_target image_target = {"image", fuzz_image};
    for (unsigned engine = 0; engine_registry[engine]; engine++)
        for (unsigned believed = 0; believed < 2; believed++) {
            struct buffer image = {.allocator = &allocator_system};
            image_make((uint8_t)(engine | (believed ? IMAGE_BELIEVED : 0)), &image);
            assert_in_range(image.size, 100, 1 << 20);
            run_with_mutants(&image_target, (struct input){image.data, image.size},
                             test_scaled(300, 20000), engine_registry[engine]->name);
            buffer_deinit(&image);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_parser_breaks_on_the_corpus),
        cmocka_unit_test(test_no_engine_breaks_on_a_damaged_image),
    };
    return cmocka_run_group_tests_name("corpus", tests, NULL, NULL);
}
