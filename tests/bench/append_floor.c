/* The floor of a durable put: a write of RECORD bytes at the end of a file and fdatasync, COUNT
 * times. Prints the median in ns. A plain program that tests/peers.sh builds, not a test.
 *
 *     append_floor DIR RECORD COUNT */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "append_floor DIR RECORD COUNT\n");
        return 2;
    }
    size_t size = strtoul(argv[2], NULL, 10), count = strtoul(argv[3], NULL, 10);
    char path[4096];
    snprintf(path, sizeof path, "%s/append-floor", argv[1]);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
    char *record = malloc(size);
    int64_t *times = malloc(count * sizeof *times);
    if (fd < 0 || !record || !times || !size || !count) {
        perror(path);
        return 2;
    }
    memset(record, 'r', size);
    for (size_t i = 0; i < count; i++) {
        int64_t began = now_ns();
        if (write(fd, record, size) != (ssize_t)size || fdatasync(fd)) {
            perror(path);
            unlink(path);
            return 1;
        }
        times[i] = now_ns() - began;
    }
    qsort(times, count, sizeof *times, by_value);
    printf("%lld\n", (long long)times[count / 2]);
    unlink(path);
    return 0;
}
