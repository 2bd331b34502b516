/* The parent's half: a child per engine, its messages, its end; and what a row's figures mean.
 *
 * Progress goes out ten times a second in every workload whose operations are shorter than
 * that, so silence means that the engine hangs (or that one operation is very long: silence_s).
 */
#include "sim/bench/engine_bench.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/bench/driver.h"

void bench_config_init(struct bench_config *config, const struct engine_ops *engine)
{
    *config = (struct bench_config){.engine = engine,
                                    .seed = 1,
                                    .keys = 100000,
                                    .value_size = 100,
                                    .budget_ns = 10 * NS_PER_S,
                                    .maintain_bytes = 1 << 20,
                                    .silence_s = 300};
}

/* ---- the child's messages ---- */

/* 1: read; 0: the pipe has ended; or -errno (-ETIME: silence, -EINTR: a signal). */
static int receive(int in, void *data, size_t size, int silence_s)
{
    for (size_t done = 0; done < size;) {
        struct pollfd ready = {.fd = in, .events = POLLIN};
        int n = poll(&ready, 1, silence_s * 1000);
        if (n < 0) return -errno;
        if (n == 0) return -ETIME;
        ssize_t got = read(in, (char *)data + done, size - done);
        if (got < 0) return -errno;
        if (got == 0) return 0;
        done += (size_t)got;
    }
    return 1;
}

static int say(char *error, size_t size, int err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static int say(char *error, size_t size, int err, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(error, size, format, list);
    va_end(list);
    return err;
}

/* 0 when the child said that it is done. */
static int listen_to(int in, const struct bench_config *config,
                     const struct bench_watcher *watcher, char *error, size_t error_size)
{
    static union {
        struct progress_message progress;
        struct bench_row row;
        struct error_message error;
    } body;
    const char *engine = config->engine->name;
    for (;;) {
        struct message message;
        int n = receive(in, &message, sizeof message, config->silence_s);
        if (n == 1 && message.size <= sizeof body)
            n = receive(in, &body, message.size, config->silence_s);
        if (n == 0) return -EPIPE; /* how it died is asked of the system */
        if (n == -ETIME)
            return say(error, error_size, n, "%s: no sign of life for %d s", engine,
                       config->silence_s);
        if (n < 0) return say(error, error_size, n, "%s: %s", engine, strerror(-n));
        switch ((enum message_kind)message.kind) {
        case MESSAGE_PROGRESS:
            if (watcher->progress)
                watcher->progress(watcher->context, engine, body.progress.workload,
                                  body.progress.done, body.progress.planned);
            break;
        case MESSAGE_ROW: watcher->row(watcher->context, &body.row); break;
        case MESSAGE_ERROR:
            return say(error, error_size, body.error.error, "%s: %s", engine, body.error.text);
        case MESSAGE_DONE: return 0;
        }
    }
}

int bench_run(const struct bench_config *config, const struct bench_watcher *watcher,
              char *error, size_t error_size)
{
    int ends[2];
    if (pipe(ends) != 0) return say(error, error_size, -errno, "pipe: %s", strerror(errno));
    fflush(NULL); /* the child has nothing of ours to write */
    pid_t pid = fork();
    if (pid < 0) {
        int err = -errno;
        close(ends[0]);
        close(ends[1]);
        return say(error, error_size, err, "fork: %s", strerror(-err));
    }
    if (pid == 0) {
        close(ends[0]);
        setpgid(0, 0); /* so that one kill ends it and the process that `recover` makes */
        driver_run(config, ends[1]);
        _exit(0);
    }
    close(ends[1]);
    setpgid(pid, pid); /* whoever comes first */
    int err = listen_to(ends[0], config, watcher, error, error_size), status = 0;
    close(ends[0]);
    if (err) kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    if (err != -EPIPE) return err;
    if (WIFSIGNALED(status))
        return say(error, error_size, -ECHILD, "%s: its process died of signal %d (%s)",
                   config->engine->name, WTERMSIG(status), strsignal(WTERMSIG(status)));
    return say(error, error_size, -ECHILD, "%s: its process ended early with status %d",
               config->engine->name, WEXITSTATUS(status));
}

/* ---- figures ---- */

double bench_seconds(const struct bench_row *row)
{
    return (double)row->elapsed_ns / 1e9;
}

double bench_rate(const struct bench_row *row)
{
    return row->elapsed_ns > 0 ? (double)row->operations * 1e9 / (double)row->elapsed_ns : 0;
}

bool bench_cpu_rate(const struct bench_row *row, double *rate)
{
    if (row->cpu_ns <= 0) return false;
    *rate = (double)row->operations * 1e9 / (double)row->cpu_ns;
    return true;
}

double bench_judged_rate(const struct bench_row *row)
{
    double rate = bench_rate(row);
    bench_cpu_rate(row, &rate);
    return rate;
}

static bool quotient(uint64_t a, uint64_t b, double *out)
{
    if (b == 0) return false;
    *out = (double)a / (double)b;
    return true;
}

bool bench_write_amplification(const struct bench_row *row, double *factor)
{
    return quotient(vfs_count_sum(row->all.write_bytes), row->user_write_bytes, factor);
}

bool bench_read_amplification(const struct bench_row *row, double *factor)
{
    return quotient(vfs_count_sum(row->all.read_bytes), row->user_read_bytes, factor);
}

bool bench_space_amplification(const struct bench_row *row, double *factor)
{
    return quotient(row->disk_bytes, row->live_bytes, factor);
}

static bool is_durable(const struct bench_row *row)
{
    const struct bench_workload *workload = bench_workload_find(row->workload);
    return workload && workload->syncs && row->puts > 0;
}

bool bench_syncs_per_put(const struct bench_row *row, double *syncs)
{
    return is_durable(row) && quotient(vfs_count_sum(row->puts_only.syncs), row->puts, syncs);
}

bool bench_extra_bytes_per_put(const struct bench_row *row, double *bytes)
{
    if (!is_durable(row)) return false;
    *bytes =
        ((double)vfs_count_sum(row->puts_only.write_bytes) - (double)row->user_write_bytes) /
        (double)row->puts;
    return true;
}
