/* A row as a JSON object. Members in a fixed order; a figure without a meaning is null. */
#include "sim/bench/engine_bench.h"

#include <inttypes.h>

static void number(FILE *out, const char *name, bool is_there, double value)
{
    if (is_there)
        fprintf(out, ",\"%s\":%.6f", name, value);
    else
        fprintf(out, ",\"%s\":null", name);
}

static void count(FILE *out, const char *name, uint64_t value)
{
    fprintf(out, ",\"%s\":%" PRIu64, name, value);
}

static void seconds(FILE *out, const char *name, int64_t ns)
{
    fprintf(out, ",\"%s\":%" PRId64 ".%09" PRId64, name, ns / NS_PER_S, ns % NS_PER_S);
}

static void purposes(FILE *out, const char *name, const uint64_t counts[VFS_PURPOSES])
{
    fprintf(out, ",\"%s\":{", name);
    bool first = true;
    for (int i = 0; i < VFS_PURPOSES; i++) {
        if (!counts[i]) continue;
        fprintf(out, "%s\"%s\":%" PRIu64, first ? "" : ",", vfs_purpose_words[i], counts[i]);
        first = false;
    }
    fputc('}', out);
}

static void quantile(FILE *out, const char *name, const struct bench_row *row, uint32_t ppm)
{
    if (row->latency.count)
        count(out, name, histogram_quantile(&row->latency, ppm));
    else
        fprintf(out, ",\"%s\":null", name);
}

void bench_row_json(FILE *out, const struct bench_row *row, bool is_real)
{
    double value = 0;
    fprintf(out,
            "{\"engine\":\"%s\",\"workload\":\"%s\",\"keys\":%" PRIu64
            ",\"value_size\":%u,\"batch_size\":%u,\"operations\":%" PRIu64,
            row->engine, row->workload, row->keys, row->value_size, row->batch_size,
            row->operations);
    if (row->skipped[0]) {
        fprintf(out, ",\"skipped\":\"%s\"}\n", row->skipped);
        return;
    }
    count(out, "planned", row->planned);
    seconds(out, "seconds", row->elapsed_ns);
    if (row->cpu_ns > 0)
        seconds(out, "cpu_seconds", row->cpu_ns);
    else
        fputs(",\"cpu_seconds\":null", out);
    number(out, "rate", true, bench_rate(row));
    bool is_there = bench_cpu_rate(row, &value);
    number(out, "cpu_rate", is_there, value);
    if (row->rounds) {
        count(out, "rounds", row->rounds);
        number(out, "rate_best", true, row->rate_best);
        number(out, "rate_worst", true, row->rate_worst);
    }
    quantile(out, "p50_ns", row, 500000);
    quantile(out, "p99_ns", row, 990000);
    quantile(out, "p999_ns", row, 999000);
    count(out, "timed_every", row->latency_every);
    is_there = bench_write_amplification(row, &value);
    number(out, "write_amplification", is_there, value);
    is_there = bench_read_amplification(row, &value);
    number(out, "read_amplification", is_there, value);
    is_there = bench_space_amplification(row, &value);
    number(out, "space_amplification", is_there, value);
    is_there = bench_syncs_per_put(row, &value);
    number(out, "syncs_per_put", is_there, value);
    is_there = bench_extra_bytes_per_put(row, &value);
    number(out, "extra_bytes_per_put", is_there, value);
    count(out, "resident_bytes", row->resident_bytes);
    count(out, "allocated_bytes_max", row->allocated_bytes_max);
    count(out, "allocated_bytes", row->idle_bytes);
    count(out, "memory_bytes", row->stats.memory_bytes);
    count(out, "disk_bytes", row->disk_bytes);
    count(out, "live_bytes", row->live_bytes);
    count(out, "files", row->stats.files);
    count(out, "write_stalls", row->write_stalls);
    seconds(out, "close_seconds", row->close_ns);
    purposes(out, "written", row->all.write_bytes);
    purposes(out, "read", row->all.read_bytes);
    purposes(out, "reads", row->all.reads);
    purposes(out, "syncs", row->all.syncs);
    fprintf(out, ",\"checksum\":\"%016" PRIx64 "\",\"properties\":{", row->checksum);
    for (uint32_t i = 0; i < row->properties_count; i++)
        fprintf(out, "%s\"%s\":%" PRIu64, i ? "," : "", row->properties[i].name,
                row->properties[i].value);
    fputs("}", out);
    if (is_real) {
        seconds(out, "system_seconds", row->host_system_ns);
        seconds(out, "waited_seconds", row->host_wait_ns);
        count(out, "device_write_bytes", row->device_write_bytes);
        count(out, "device_read_bytes", row->device_read_bytes);
    } else {
        fprintf(out, ",\"host\":{\"wall_seconds\":%.6f,\"cpu_seconds\":%.6f}",
                (double)row->host_elapsed_ns / 1e9, (double)row->host_cpu_ns / 1e9);
    }
    fputs("}\n", out);
}
