/* What the fuzzers call: one function a parser, each takes any bytes and returns 0. Whatever
 * breaks a promise aborts. fuzz_main.c hands one of them to libFuzzer or AFL++; test_corpus.c
 * calls them all on the files of corpus/. */
#ifndef FAULTLINE_TESTS_FUZZ_TARGETS_H
#define FAULTLINE_TESTS_FUZZ_TARGETS_H

#include <stddef.h>
#include <stdint.h>

struct fuzz_target {
    const char *name; /* also of its folder below corpus/ */
    int (*run)(const uint8_t *data, size_t size);
};
extern const struct fuzz_target fuzz_targets[]; /* ends with name NULL */

int fuzz_scenario(const uint8_t *data, size_t size);
int fuzz_foreign(const uint8_t *data, size_t size);
int fuzz_history(const uint8_t *data, size_t size);
int fuzz_image(const uint8_t *data, size_t size);
int fuzz_quantity(const uint8_t *data, size_t size);

/* Aborts with the text, so that a fuzzer and the replay see it alike. */
#define FUZZ_CHECK(condition)                                                                  \
    ((condition) ? (void)0 : fuzz_failed(#condition, __FILE__, __LINE__))
void fuzz_failed(const char *condition, const char *file, int line) __attribute__((noreturn));

#endif
