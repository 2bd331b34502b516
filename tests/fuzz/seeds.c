/* Writes an image of every engine, with checksums and with checksums that are believed, into a
 * folder: what the fuzzer of images starts from, in the formats of today. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/image.h"

int main(int argc, char **argv)
{
    if (argc != 2) return 2;
    for (unsigned engine = 0; engine_registry[engine]; engine++)
        for (unsigned believed = 0; believed < 2; believed++) {
            struct buffer image = {.allocator = &allocator_system};
            char path[512];
            image_make((uint8_t)(engine | (believed ? IMAGE_BELIEVED : 0)), &image);
            snprintf(path, sizeof path, "%s/%s-%u", argv[1], engine_registry[engine]->name,
                     believed);
            FILE *out = fopen(path, "wb");
            if (!out || fwrite(image.data, 1, image.size, out) != image.size || fclose(out))
                return 1;
            buffer_deinit(&image);
        }
    return 0;
}
