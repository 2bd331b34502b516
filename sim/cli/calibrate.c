/* faultline calibrate: this machine's disk as a disk preset.
 *
 * Measures below DIR, in a folder of its own that is gone afterwards, also when it is
 * interrupted. Prints the preset as sim/scenario/disk_file.c writes it, with what was measured
 * above it as comments: beside each measured median stands what the simulated disk with this
 * preset answers to the same calls, so that nobody has to believe the fit.
 *
 * The clock. On a busy machine a sync of 0.2 ms is followed by milliseconds in which the
 * process is ready and others have the CPUs; that is a property of the hour, not of the disk.
 * The kernel counts this time (the second figure of /proc/self/schedstat), and the clock here
 * is the monotonic one without it. Reading the figure takes as long as a few cached reads, so
 * what a reading of the clock costs is measured first and taken off as well.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "sim/campaign/run.h"
#include "sim/cli/calibrate.h"
#include "sim/cli/cli.h"
#include "sim/record/json.h"

#define MIB (UINT64_C(1) << 20)
#define FULL_FILE (64 * MIB)
#define QUICK_FILE (16 * MIB)
#define FULL_NS (10 * NS_PER_S)
#define QUICK_NS (2 * NS_PER_S)

/* ---- real files as a device ---- */

struct real {
    struct vfs *vfs;
    char folder[4096];
    int fd;           /* of the folder */
    int schedstat;    /* -1: the kernel has none */
    int64_t cost_ns;  /* of reading the clock */
    int64_t spent_ns; /* by reading it so far */
};

static volatile sig_atomic_t stopped;

static void stop(int signal_number)
{
    (void)signal_number;
    stopped = 1;
}

static int64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* How long this process was ready to run while others ran. */
static int64_t waited_ns(const struct real *real)
{
    char text[96];
    if (real->schedstat < 0) return 0;
    ssize_t size = pread(real->schedstat, text, sizeof text - 1, 0);
    if (size <= 0) return 0;
    text[size] = 0;
    const char *second = strchr(text, ' ');
    return second ? strtoll(second + 1, NULL, 10) : 0;
}

static int64_t real_now(void *context)
{
    struct real *real = context;
    int64_t now = monotonic_ns() - waited_ns(real) - real->spent_ns;
    real->spent_ns += real->cost_ns;
    return now;
}

/* The least that reading the clock takes, between two readings. */
static void real_clock_open(struct real *real)
{
    real->schedstat = open("/proc/self/schedstat", O_RDONLY | O_CLOEXEC);
    int64_t least = INT64_MAX;
    for (int i = 0; i < 1000; i++) {
        int64_t first = real_now(real), cost = real_now(real) - first;
        if (cost < least) least = cost;
    }
    real->cost_ns = least;
}

static int real_evict(void *context, const char *path)
{
    const struct real *real = context;
    int fd = openat(real->fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    int error = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
    return -error;
}

static bool real_is_stopped(void *context)
{
    (void)context;
    return stopped;
}

/* A folder of its own, named by mkdtemp. 0, or what the command returns after a message. */
static int real_open(struct real *real, const char *dir, uint64_t needed)
{
    struct stat status;
    struct statvfs space;
    if (stat(dir, &status)) return cli_error("%s: %s", dir, strerror(errno));
    if (!S_ISDIR(status.st_mode)) return cli_error("%s: not a directory", dir);
    if (statvfs(dir, &space)) return cli_error("%s: %s", dir, strerror(errno));
    uint64_t bytes = (uint64_t)space.f_bavail * space.f_frsize;
    if (bytes < needed)
        return cli_error("%s: %" PRIu64 " MiB are free, and measuring needs %" PRIu64 " MiB",
                         dir, bytes / MIB, needed / MIB);
    int size = snprintf(real->folder, sizeof real->folder, "%s/faultline-calibrate-%s", dir,
                        "XX"
                        "XX"
                        "XX");
    if (size >= (int)sizeof real->folder) return cli_error("%s: too long a path", dir);
    if (!mkdtemp(real->folder)) return cli_error("%s: %s", dir, strerror(errno));
    int error = posix_vfs_create(real->folder, &real->vfs);
    real->fd = open(real->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!error && real->fd >= 0) {
        real_clock_open(real);
        return 0;
    }
    rmdir(real->folder);
    return cli_error("%s: %s", real->folder, strerror(error ? -error : errno));
}

static void real_close(struct real *real)
{
    posix_vfs_destroy(real->vfs);
    close(real->fd);
    if (real->schedstat >= 0) close(real->schedstat);
    rmdir(real->folder);
}

/* ---- the same calls on the simulated disk ---- */

static struct calibrate_result *simulate(const struct disk_config *config)
{
    struct disk *disk = disk_create(config, 1, "calibrated", NULL);
    struct calibrate_request request = {
        .budget_ns = 2 * NS_PER_S, .file_bytes = 8 * MIB, .rounds = 2, .samples_most = 200};
    struct calibrate_result *result = NULL;
    char error[256];
    disk_begin(disk, 0);
    struct calibrate_device device = calibrate_simulated(disk);
    int status = calibrate_run(&device, &request, &result, error, sizeof error);
    disk_end(disk);
    disk_destroy(disk);
    return status ? NULL : result;
}

/* ---- printing ---- */

static void put_header(FILE *out, const char *dir, const char *comment, int64_t budget_ns)
{
    struct utsname host = {0};
    char date[64] = "";
    time_t now = time(NULL);
    uname(&host);
    strftime(date, sizeof date, "%Y-%m-%d %H:%M UTC", gmtime(&now));
    char text[32];
    fprintf(out, "%sMeasured for %s by faultline calibrate below %s, %s, %s %s.\n", comment,
            duration_say(budget_ns, text, sizeof text), dir, date, host.sysname, host.release);
    fprintf(out,
            "%sCold reads follow posix_fadvise(DONTNEED): caches below the page cache still "
            "serve them.\n",
            comment);
}

static const char *pretty(int64_t ns, char out[32])
{
    return duration_say(ns, out, 32);
}

/* A preset of a busy machine is one: whoever reads it must know. */
static void put_caution(FILE *out, const struct calibrate_result *real, const char *comment)
{
    const struct calibrate_row *sync = &real->rows[CALIBRATE_SYNC_OVERWRITE];
    if (sync->p50 < 3 * sync->p10) return;
    char a[32], b[32];
    fprintf(out,
            "%sThe machine or its disk was busy: half of the syncs took over %s, a tenth under "
            "%s.\n",
            comment, pretty(sync->p50, a), pretty(sync->p10, b));
}

/* What was measured, and what the preset makes of the same calls. */
static void put_table(FILE *out, const struct calibrate_result *real,
                      const struct calibrate_result *simulated, const char *comment)
{
    fprintf(out, "%s%-30s %7s  %9s  %9s  %9s  %9s  %12s\n", comment, "", "samples", "p10",
            "median", "p99", "most", "preset says");
    for (uint32_t m = 0; m < CALIBRATE_MEASURES; m++) {
        const struct calibrate_row *row = &real->rows[m];
        char a[32], b[32], c[32], d[32], e[32] = "";
        if (simulated) pretty(simulated->rows[m].p50, e);
        fprintf(out, "%s%-30s %7" PRIu64 "  %9s  %9s  %9s  %9s  %12s\n", comment, row->doc,
                row->samples, pretty(row->p10, a), pretty(row->p50, b), pretty(row->p99, c),
                pretty(row->most, d), e);
    }
    put_caution(out, real, comment);
}

static void put_preset(FILE *out, const struct disk_config *config)
{
    fputs("# In a scenario these lines go below `cluster:`; bench engines --sim takes the "
          "file.\n",
          out);
    disk_file_write(out, config);
}

static void put_json(FILE *out, const char *dir, const struct calibrate_result *real,
                     const struct calibrate_result *simulated)
{
    for (uint32_t m = 0; m < CALIBRATE_MEASURES; m++) {
        const struct calibrate_row *row = &real->rows[m];
        fprintf(out,
                "{\"measure\":\"%s\",\"bytes\":%" PRIu64 ",\"samples\":%" PRIu64
                ",\"p10_ns\":%" PRId64 ",\"p50_ns\":%" PRId64 ",\"p90_ns\":%" PRId64
                ",\"p99_ns\":%" PRId64 ",\"max_ns\":%" PRId64,
                row->name, row->bytes, row->samples, row->p10, row->p50, row->p90, row->p99,
                row->most);
        if (simulated)
            fprintf(out, ",\"simulated_p50_ns\":%" PRId64 ",\"simulated_p99_ns\":%" PRId64,
                    simulated->rows[m].p50, simulated->rows[m].p99);
        fputs("}\n", out);
    }
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (!memory) return;
    disk_file_write(memory, &real->config);
    fclose(memory);
    struct json_lines lines;
    json_lines_begin(&lines, out);
    json_text(&lines, "{\"dir\":");
    json_quoted(&lines, dir, strlen(dir));
    json_text(&lines, ",\"preset\":");
    json_quoted(&lines, text, size);
    json_text(&lines, "}\n");
    json_lines_end(&lines);
    free(text);
}

/* ---- the command ---- */

struct calibrate_input {
    const char *dir, *file;
    bool json;
    int64_t budget_ns;
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct calibrate_input *input = state->input;
    switch (key) {
    case 'o': input->file = argument; return 0;
    case 'q': input->budget_ns = QUICK_NS; return 0;
    case 'f': {
        const char *why = "";
        if (quantity_parse(OPTION_DURATION, argument, &input->budget_ns, &why) ||
            input->budget_ns < 100 * NS_PER_MS || input->budget_ns > 600 * NS_PER_S)
            argp_error(state, "--for: '%s' is no time from 100ms to 600s", argument);
        return 0;
    }
    case 'j': input->json = true; return 0;
    case ARGP_KEY_ARG:
        if (input->dir) argp_error(state, "one DIR, not '%s' too", argument);
        input->dir = argument;
        return 0;
    case ARGP_KEY_END:
        if (!input->dir) argp_error(state, "needs a DIR on the disk that is to be measured");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

struct shown {
    struct progress bar;
};

static void step(void *context, uint32_t done, uint32_t total, const char *what)
{
    struct shown *shown = context;
    if (done == 0) progress_begin(&shown->bar, total);
    progress_step(&shown->bar, done, what);
}

static int print_all(const struct calibrate_input *input, const struct calibrate_result *real,
                     const struct calibrate_result *simulated)
{
    FILE *file = input->file ? fopen(input->file, "w") : NULL;
    if (input->file && !file) return cli_error("%s: %s", input->file, strerror(errno));
    if (file) {
        put_header(file, input->dir, "# ", input->budget_ns);
        put_table(file, real, simulated, "# ");
        put_preset(file, &real->config);
        if (fclose(file)) return cli_error("%s: %s", input->file, strerror(errno));
    }
    if (input->json) {
        put_json(stdout, input->dir, real, simulated);
    } else {
        const char *comment = file ? "" : "# ";
        put_header(stdout, input->dir, comment, input->budget_ns);
        put_table(stdout, real, simulated, comment);
        if (file)
            printf("%s: the preset; bench engines --sim takes it, and a scenario below "
                   "`cluster:`.\n",
                   input->file);
        else
            put_preset(stdout, &real->config);
    }
    return EXIT_MET;
}

int calibrate_folder(const char *dir, int64_t budget_ns, struct calibrate_result **out)
{
    struct real real = {0};
    bool quick = budget_ns < FULL_NS / 2;
    uint64_t file_bytes = quick ? QUICK_FILE : FULL_FILE;
    int status = real_open(&real, dir, 4 * file_bytes);
    if (status) return status;
    struct shown shown = {0};
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    struct calibrate_request request = {
        .budget_ns = budget_ns,
        .file_bytes = file_bytes,
        /* Half of the memory may hold pages: the rest is the program's own. */
        .cache_bytes = (uint64_t)pages * (uint64_t)page / 2 / MIB * MIB,
        .rounds = quick ? 4 : 10,
        .samples_most = 2000,
        .progress = step,
        .progress_context = &shown,
    };
    struct calibrate_device device = {.vfs = real.vfs,
                                      .now_ns = real_now,
                                      .evict = real_evict,
                                      .is_stopped = real_is_stopped,
                                      .context = &real};
    char error[256] = "";
    struct sigaction action = {.sa_handler = stop}, before[2];
    stopped = 0;
    sigaction(SIGINT, &action, &before[0]);
    sigaction(SIGTERM, &action, &before[1]);
    int failed = calibrate_run(&device, &request, out, error, sizeof error);
    progress_end(&shown.bar);
    real_close(&real);
    sigaction(SIGINT, &before[0], NULL);
    sigaction(SIGTERM, &before[1], NULL);
    if (failed == -EINTR) return cli_error("stopped"), EXIT_INVALID;
    if (failed) return cli_error("%s: %s", dir, error);
    return EXIT_MET;
}

static int calibrate(const struct calibrate_input *input)
{
    struct calibrate_result *result = NULL;
    int status = calibrate_folder(input->dir, input->budget_ns, &result);
    if (status) return status;
    struct calibrate_result *simulated = simulate(&result->config);
    status = print_all(input, result, simulated);
    calibrate_destroy(simulated);
    calibrate_destroy(result);
    return status;
}

int command_calibrate(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"output", 'o', "FILE", 0, "write the preset there, and show the table only", 0},
        {"for", 'f', "TIME", 0, "measure that long (10s); more time, more of the tail", 0},
        {"quick", 'q', NULL, 0, "the same as --for 2s", 0},
        {"json", 'j', NULL, 0, "one object a measure, then the preset as text", 0},
        {0}};
    static const struct argp argp = {
        options,
        parse,
        "DIR",
        "Measures the disk below DIR (reads, writes, syncs, cached and not) and prints it as a "
        "disk preset in YAML.\v"
        "Needs 256 MiB there for a moment (64 below --for 5s) and leaves nothing behind.\n\n"
        "Example: faultline calibrate /var/tmp -o this-machine.yaml && faultline bench engines "
        "--sim this-machine.yaml",
        NULL,
        NULL,
        NULL};
    struct calibrate_input input = {.budget_ns = FULL_NS};
    int status;
    if (!cli_parse(&argp, argc, argv, &input, &status)) return status;
    if (input.file) { /* before ten seconds are spent */
        bool existed = access(input.file, F_OK) == 0;
        FILE *file = fopen(input.file, "a");
        if (!file) return cli_error("%s: %s", input.file, strerror(errno));
        fclose(file);
        status = calibrate(&input);
        if (status && !existed) unlink(input.file);
        return status;
    }
    return calibrate(&input);
}
