/* `faultline bench kernel`: the two models by which event queues are compared since the 1980s.
 *
 * hold, the queue alone: pop the least of n, push it again an exponential increment later, n
 * staying constant.
 *
 * phold, the whole kernel: m logical processes with k events each; an event picks another
 * process at random and schedules the next event there. Scheduling, ordering, dispatch through
 * the event's type and the trace hash are all in the figure.
 *
 * Inputs are integers that any other program can make, so results can be compared, not only
 * speeds: 65,536 increments floor(-ln(u) 2^20) + 1 from splitmix64(7) with u = ((next >> 11) +
 * 0.5) 2^-53, used in turn (hold) or by draw (phold); starting times from splitmix64(12345)
 * (hold) or splitmix64(99) (phold); a phold event draws r = next of splitmix64(99), goes to
 * process (r >> 32) m >> 32 and waits increment[r mod 65536]. Each run first passes min(3n,
 * operations) events unmeasured. Check sums: hold, the time (low half) and number of the next
 * item; phold, h = 31 h + events of process i over all processes. Equal sums mean the same
 * simulation.
 *
 * Figures are of the thread's CPU time, which a busy host disturbs least; the row is the median
 * run by it.
 */
#include "sim/cli/bench_kernel.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim/kernel/kernel.h"
#include "sim/kernel/queue.h"

#define INCREMENTS 65536
#define REPEAT_MAX 99
#define EXIT_BAD_USAGE 2

struct row {
    const char *queue, *workload;
    char size[32]; /* as people name it: "1,000" or "1000x10" */
    uint64_t pending, operations;
    double seconds, cpu_seconds;
    size_t resident_bytes; /* held by the queue (hold) or by queue and payloads (phold) */
    uint64_t checksum;
};

struct bench_input {
    bool json;
    uint64_t operations, repeat;
};

static uint32_t increments[INCREMENTS];

static inline uint64_t splitmix(uint64_t *state)
{
    return mix64(*state += UINT64_C(0x9E3779B97F4A7C15));
}

static void increments_init(void)
{
    uint64_t state = 7;
    for (size_t i = 0; i < INCREMENTS; i++)
        increments[i] =
            (uint32_t)(-det_log(((double)(splitmix(&state) >> 11) + 0.5) * 0x1p-53) *
                       1048576.0) +
            1;
}

static double clock_seconds(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* ---- hold ---- */

static void hold(struct row *row)
{
    struct queue *queue = queue_create(row->pending);
    struct queue_item item = {0};
    uint64_t start = 12345, order = 0;
    uint32_t next = 0;
    for (uint64_t i = 0; i < row->pending; i++)
        queue_push(queue, increments[splitmix(&start) % INCREMENTS], order++, (uint32_t)i);
    uint64_t warm = 3 * row->pending < row->operations ? 3 * row->pending : row->operations;
    for (uint64_t i = 0; i < warm; i++) {
        queue_pop(queue, &item);
        queue_push(queue, item.time + increments[next++ % INCREMENTS], order++, item.slot);
    }
    double cpu = clock_seconds(CLOCK_THREAD_CPUTIME_ID), wall = clock_seconds(CLOCK_MONOTONIC);
    for (uint64_t i = 0; i < row->operations; i++) {
        queue_pop(queue, &item);
        queue_push(queue, item.time + increments[next++ % INCREMENTS], order++, item.slot);
    }
    row->cpu_seconds = clock_seconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
    row->seconds = clock_seconds(CLOCK_MONOTONIC) - wall;
    row->resident_bytes = queue_bytes(queue);
    queue_pop(queue, &item);
    row->checksum = (uint64_t)item.time << 32 | item.order;
    queue_destroy(queue);
}

/* ---- phold ---- */

struct phold {
    uint64_t stream;
    uint32_t processes;
    uint64_t *counts;
};

static void phold_fire(struct kernel *kernel, const struct event *event);
static const struct event_type phold_type = {"phold", EVENT_ID('h', 'o', 'l', 'd'), phold_fire};

static void phold_fire(struct kernel *kernel, const struct event *event)
{
    struct phold *phold = event->context;
    phold->counts[event->entity]++;
    uint64_t r = splitmix(&phold->stream);
    uint32_t to = (uint32_t)((r >> 32) * phold->processes >> 32);
    kernel_schedule(kernel, event->time + increments[r % INCREMENTS], &phold_type, phold, to, 0,
                    0);
}

static void phold(struct row *row, uint32_t processes, uint32_t events_each)
{
    struct phold model = {.stream = 99,
                          .processes = processes,
                          .counts = xcalloc(processes, sizeof *model.counts)};
    row->pending = (uint64_t)processes * events_each;
    uint64_t warm = 3 * row->pending < row->operations ? 3 * row->pending : row->operations;
    struct kernel *kernel = kernel_create(&(struct kernel_config){
        .seed = 99, .events_max = warm, .pending_expected = (size_t)row->pending});
    for (uint32_t j = 0; j < events_each; j++)
        for (uint32_t i = 0; i < processes; i++) {
            uint64_t r = splitmix(&model.stream);
            kernel_schedule(kernel, increments[r % INCREMENTS], &phold_type, &model, i, 0, 0);
        }
    kernel_run(kernel, VTIME_MAX);
    kernel_events_limit(kernel, warm + row->operations + 1);
    double cpu = clock_seconds(CLOCK_THREAD_CPUTIME_ID), wall = clock_seconds(CLOCK_MONOTONIC);
    kernel_run(kernel, VTIME_MAX);
    row->cpu_seconds = clock_seconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
    row->seconds = clock_seconds(CLOCK_MONOTONIC) - wall;
    row->resident_bytes = kernel_bytes(kernel);
    row->checksum = 0;
    for (uint32_t i = 0; i < processes; i++)
        row->checksum = row->checksum * 31 + model.counts[i];
    kernel_destroy(kernel);
    free(model.counts);
}

/* ---- the table ---- */

static const struct {
    const char *size;
    uint64_t pending;
    uint32_t processes, events_each;
} cases[] = {
    {"100", 100, 0, 0},           {"1,000", 1000, 0, 0},        {"10,000", 10000, 0, 0},
    {"100,000", 100000, 0, 0},    {"1,000,000", 1000000, 0, 0}, {"100x1", 0, 100, 1},
    {"1000x1", 0, 1000, 1},       {"1000x10", 0, 1000, 10},     {"10000x10", 0, 10000, 10},
    {"100000x10", 0, 100000, 10},
};
#define CASES (sizeof cases / sizeof *cases)

static int by_cpu(const void *a, const void *b)
{
    double x = ((const struct row *)a)->cpu_seconds, y = ((const struct row *)b)->cpu_seconds;
    return x < y ? -1 : x > y;
}

static void print_row(const struct row *row, bool json)
{
    double ns = row->cpu_seconds * 1e9 / (double)row->operations;
    if (json)
        printf("{\"queue\":\"%s\",\"workload\":\"%s\",\"size\":\"%s\",\"keys\":%" PRIu64
               ",\"value_size\":0,\"operations\":%" PRIu64
               ",\"seconds\":%.9f,\"cpu_seconds\":%.9f,\"write_amplification\":null,\"resident_"
               "bytes\":%zu,\"checksum\":\"%016" PRIx64 "\"}\n",
               row->queue, row->workload, row->size, row->pending, row->operations,
               row->seconds, row->cpu_seconds, row->resident_bytes, row->checksum);
    else
        printf("%-6s  %10s  %9.1f  %8.2f  %9.1f  %016" PRIx64 "\n", row->workload, row->size,
               ns, 1e3 / ns, (double)row->resident_bytes / (double)row->pending, row->checksum);
    fflush(stdout);
}

/* ---- arguments ---- */

static const char usage[] =
    "Usage: faultline bench kernel [--json] [--operations N] [--repeat N]\n"
    "Measures the event kernel: the hold model of the queue, and PHOLD through the whole "
    "kernel.\n\n"
    "  --json           one object a line instead of the table\n"
    "  --operations N   events measured a run (1000000)\n"
    "  --repeat N       runs a row, of which the median is shown (3)\n"
    "  --help           this text\n\n"
    "Example: faultline bench kernel --repeat 7\n";

static const char *const flags[] = {"--json", "--operations", "--repeat", "--help"};
#define FLAGS (sizeof flags / sizeof *flags)

/* Levenshtein's distance of two short words. */
static size_t distance(const char *a, const char *b)
{
    size_t row[64], length = strlen(b) < 63 ? strlen(b) : 63;
    for (size_t j = 0; j <= length; j++) row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 1; j <= length; j++) {
            size_t change = diagonal + (a[i] != b[j - 1]), drop = row[j] + 1,
                   insert = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = change < drop ? change : drop;
            row[j] = insert < row[j] ? insert : row[j];
        }
    }
    return row[length];
}

static int unknown_argument(const char *word)
{
    size_t best = 0;
    for (size_t i = 1; i < FLAGS; i++)
        if (distance(word, flags[i]) < distance(word, flags[best])) best = i;
    fprintf(stderr, "faultline: bench kernel has no argument '%s' (did you mean '%s'?)\n", word,
            flags[best]);
    return EXIT_BAD_USAGE;
}

/* A whole decimal number in [low, high] and nothing else. */
static bool number(const char *flag, const char *text, uint64_t low, uint64_t high,
                   uint64_t *value)
{
    uint64_t result = 0;
    bool good = text && *text;
    for (; good && *text; text++) {
        good = *text >= '0' && *text <= '9' && result <= high;
        result = result * 10 + (uint64_t)(*text - '0');
    }
    if (!good || result < low || result > high) {
        fprintf(stderr, "faultline: %s takes a number from %" PRIu64 " to %" PRIu64 "\n", flag,
                low, high);
        return false;
    }
    *value = result;
    return true;
}

int bench_kernel(int argc, char **argv)
{
    struct bench_input input = {.operations = 1000000, .repeat = 3};
    for (int i = 1; i < argc; i++) {
        const char *equals = strchr(argv[i], '=');
        char flag[32];
        snprintf(flag, sizeof flag, "%.*s", equals ? (int)(equals - argv[i]) : 31, argv[i]);
        bool takes_value = !strcmp(flag, "--operations") || !strcmp(flag, "--repeat");
        if (!strcmp(argv[i], "--help")) {
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        }
        if (!strcmp(argv[i], "--json")) {
            input.json = true;
            continue;
        }
        if (!takes_value) return unknown_argument(argv[i]);
        const char *text = equals ? equals + 1 : i + 1 < argc ? argv[++i] : NULL;
        bool operations = !strcmp(flag, "--operations");
        if (!number(flag, text, operations ? 1000 : 1, operations ? 1000000000 : REPEAT_MAX,
                    operations ? &input.operations : &input.repeat))
            return EXIT_BAD_USAGE;
    }
    increments_init();
    if (!input.json)
        printf("%-6s  %10s  %9s  %8s  %9s  %s\n", "model", "pending", "ns/event", "M/s",
               "B/event", "check sum");
    static struct row rows[REPEAT_MAX];
    for (size_t i = 0; i < CASES; i++) {
        for (size_t run = 0; run < input.repeat; run++) {
            struct row *row = &rows[run];
            *row = (struct row){.queue = "ladder",
                                .workload = cases[i].processes ? "phold" : "hold",
                                .pending = cases[i].pending,
                                .operations = input.operations};
            snprintf(row->size, sizeof row->size, "%s", cases[i].size);
            if (cases[i].processes)
                phold(row, cases[i].processes, cases[i].events_each);
            else
                hold(row);
        }
        qsort(rows, input.repeat, sizeof *rows, by_cpu);
        print_row(&rows[input.repeat / 2], input.json);
    }
    if (!input.json)
        puts("hold: the queue alone. phold: processes x events, the whole kernel with its "
             "trace hash. CPU time; B/event: what queue (and, for phold, payloads) hold.");
    return EXIT_SUCCESS;
}
