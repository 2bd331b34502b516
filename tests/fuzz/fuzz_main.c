/* A fuzzer of one target: compiled with -DFUZZ_TARGET=fuzz_scenario and its like, linked with
 * libFuzzer or the driver of AFL++ (both `-fsanitize=fuzzer` of their compilers). */
#include "tests/fuzz/targets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return FUZZ_TARGET(data, size);
}
