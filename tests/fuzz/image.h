/* Disk images as bytes, for the target of the engines.
 *
 *     engine       1  number in the registry, modulo their count; bit 7: checksums are believed
 *     then files:
 *       name       ends with a zero byte; below data/
 *       size       4  little endian; what the input has, when it has less
 *       content
 *
 * With bit 7 checksums (crc32c, and bytes_hash of what is longer than a key) are the same for
 * everything: the fuzzers and the replay are linked with --wrap. So changed bytes come through
 * to the parsers behind the checksums.
 */
#ifndef FAULTLINE_TESTS_FUZZ_IMAGE_H
#define FAULTLINE_TESTS_FUZZ_IMAGE_H

#include "engines/storage/engine.h"
#include "tests/fuzz/targets.h"

#define IMAGE_BELIEVED 0x80

/* The image of an engine of the registry after a small workload, into *out (system memory). */
void image_make(uint8_t head, struct buffer *out);

#endif
