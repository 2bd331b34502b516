/* Goal: no word of the scenario format is without effect.
 * Method: vocabulary_keys() lists every key of the reference. For each that is behavioural
 * there is a row below: settings that make the key matter, and one or two values for it. Both
 * runs are executed through the library and their trace hashes must differ. A key without a
 * row, a row without a key and settings that make no plan fail the test by name. Words that are
 * documented as inert (names, texts, expectations, limits) must leave the hash alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/campaign/run.h"

/* Three nodes in two regions, a leader, sixty operations a second for four seconds. Rows say
 * what differs. */
static const char base_text[] =
    "name: keys\n"
    "seed: 7\n"
    "duration: 4s\n"
    "finish: {heal: all, restart: yes, quiesce: 1s, read_all: yes}\n"
    "cluster: {regions: [{name: r1, nodes: [a, b]}, {name: r2, nodes: [c]}], disk: ssd_plp}\n"
    "network: {preset: lan}\n"
    "engine: {name: hash}\n"
    "replication: {scheme: single_leader, leader: a}\n"
    "stores: [{name: s}]\n"
    "workloads: [{name: w, clients: 4, keys: 20, rate: 60/s, arrivals: poisson, mix: {read: "
    "50%, write: 50%}}]\n"
    "timeline: [{id: f, at: 1s, evict: {node: a}, evidence: optional}]\n";

/* Settings are `path=value; path=value`. The first piece of `from` and `to` is the value of the
 * key itself (its path follows from its name, or is `path`); from NULL leaves the key out. More
 * pieces are settings that have to go with the value. */
struct row {
    const char *key, *with, *from, *to, *path;
};

/* ---- settings that many rows share ---- */

#define TIMELINE(entry) "timeline=[{id: f, evidence: optional, " entry "}]"
#define CLOSED(sequence)                                                                       \
    "workloads=[{name: w, clients: 4, keys: 20, think: 20ms, sequence: " sequence "}]"
#define DATAGRAMS "network.transport=datagram"
#define INSERTS                                                                                \
    "workloads=[{name: w, clients: 4, rate: 40/s, arrivals: poisson, second_store: s, mix: "   \
    "{insert: 60%, resolve: 40%}}]"
#define LOCKS CLOSED("[lock, write, unlock]")
#define MANAGERS                                                                               \
    "replication.failover={by: manager, managers: {at: [a, b, c]}, detect: 300ms, election: "  \
    "100ms, promote_delay: 100ms}"
#define LEADER_DIES TIMELINE("at: 1s, crash: {node: a}, for: 2s")
#define COLD "cluster.disk.cache=0B"
/* Merged segments are unlinked one by one, and nothing syncs that. */
#define NAMES_PENDING                                                                          \
    SMALL_SEGMENTS "; engine.merge_threshold=50%; replication={scheme: none}; "                \
                   "cluster.disk.power_mode=subset; "                                          \
                   "timeline=[{id: f, at: 1s, reboot: {node: a}}, {id: g, at: 2s, reboot: "    \
                   "{node: a}}, {id: h, at: 3s, reboot: {node: a}}]"
#define SMALL_LSM "engine.name=lsm; engine.memtable_size=1KiB; workloads.w.value_size=100B"
#define SMALL_TREE                                                                             \
    "engine.name=btree; engine.page_size=512B; engine.cache_size=2KiB; engine.wal_size=1KiB; " \
    "workloads.w.value_size=100B"
#define ROT(id, from)                                                                          \
    "{id: " id ", evidence: optional, at: 2s, bit_rot: {node: a, path: pages, offset: " from   \
    ", size: 1KiB}}"
#define SMALL_SEGMENTS "engine.segment_size=1KiB; workloads.w.value_size=100B"

static const struct row rows[] = {
    /* the file */
    {"seed", "", NULL, "8", NULL},
    {"duration", "", NULL, "3s", NULL},
    {"ties",
     "workloads=[{name: w, clients: 4, rate: 60/s, mix: {write: 100%}}, {name: v, clients: 4, "
     "rate: 60/s, mix: {write: 100%}}]",
     "fifo", "seeded", NULL},
    /* cluster */
    {"cluster.regions[].name",
     "network.preset=aws; cluster.regions=[{name: virginia, nodes: [a, b]}, {name: r2, nodes: "
     "[c]}]",
     "r2", "tokyo", "cluster.regions.r2.name"},
    {"cluster.regions[].nodes", "", NULL, "[a, b, d]", "cluster.regions.r1.nodes"},
    {"cluster.disk.preset", "", "ssd_plp", "hdd", NULL},
    {"cluster.disk.read_latency", COLD, "1ms", "2ms", NULL},
    {"cluster.disk.write_latency", "", "1ms", "2ms", NULL},
    {"cluster.disk.sync_latency", "", "1ms", "2ms", NULL},
    {"cluster.disk.read_bandwidth", COLD, "1MB/s", "2MB/s", NULL},
    {"cluster.disk.write_bandwidth", "", "1MB/s", "2MB/s", NULL},
    {"cluster.disk.queue_depth",
     COLD "; cluster.disk.read_latency=30ms; workloads.w.rate=200/s", "1", "8", NULL},
    {"cluster.disk.cache", "cluster.disk.read_latency=5ms", "0B", "1MiB", NULL},
    {"cluster.disk.cache_hit", "", "1us", "1ms", NULL},
    {"cluster.disk.cache_write", "", "1us", "1ms", NULL},
    {"cluster.disk.copy_read", "", "100MB/s", "200kB/s", NULL},
    {"cluster.disk.copy_write", "", "100MB/s", "200kB/s", NULL},
    {"cluster.disk.new_page", "", "0s", "1ms", NULL},
    {"cluster.disk.sync_metadata", "", "0s", "1ms", NULL},
    {"cluster.disk.name_change", "", "1us", "1ms", NULL},
    {"cluster.disk.grow_rate", "", "unlimited", "100kB/s", NULL},
    {"cluster.disk.free_rate", SMALL_SEGMENTS, "unlimited", "100kB/s", NULL},
    {"cluster.disk.capacity", "workloads.w.value_size=1KiB", "0B", "64KiB", NULL},
    {"cluster.disk.power_mode",
     "engine.sync=never; replication.log_sync=never; " TIMELINE(
         "at: 2s, power_off: {node: b}, for: 500ms"),
     "all_kept", "all_lost", NULL},
    {"cluster.disk.directory_mode", NAMES_PENDING, "ordered", "posix", NULL},
    {"cluster.clocks.offset", "", "0s", "5s", NULL},
    {"cluster.clocks.drift", "", "0ppm", "1%", NULL},
    {"cluster.nodes.*.disk.preset", "", "ssd_plp", "hdd", NULL},
    {"cluster.nodes.*.disk.read_latency", COLD, "1ms", "2ms", NULL},
    {"cluster.nodes.*.disk.write_latency", "", "1ms", "2ms", NULL},
    {"cluster.nodes.*.disk.sync_latency", "", "1ms", "2ms", NULL},
    {"cluster.nodes.*.disk.read_bandwidth", COLD, "1MB/s", "2MB/s", NULL},
    {"cluster.nodes.*.disk.write_bandwidth", "", "1MB/s", "2MB/s", NULL},
    {"cluster.nodes.*.disk.queue_depth",
     COLD "; cluster.disk.read_latency=30ms; workloads.w.rate=200/s", "1", "8", NULL},
    {"cluster.nodes.*.disk.cache", "cluster.disk.read_latency=5ms", "0B", "1MiB", NULL},
    {"cluster.nodes.*.disk.cache_hit", "", "1us", "1ms", NULL},
    {"cluster.nodes.*.disk.cache_write", "", "1us", "1ms", NULL},
    {"cluster.nodes.*.disk.copy_read", "", "100MB/s", "200kB/s", NULL},
    {"cluster.nodes.*.disk.copy_write", "", "100MB/s", "200kB/s", NULL},
    {"cluster.nodes.*.disk.new_page", "", "0s", "1ms", NULL},
    {"cluster.nodes.*.disk.sync_metadata", "", "0s", "1ms", NULL},
    {"cluster.nodes.*.disk.name_change", "", "1us", "1ms", NULL},
    {"cluster.nodes.*.disk.grow_rate", "", "unlimited", "100kB/s", NULL},
    {"cluster.nodes.*.disk.free_rate", SMALL_SEGMENTS, "unlimited", "100kB/s", NULL},
    {"cluster.nodes.*.disk.capacity", "workloads.w.value_size=1KiB", "0B", "64KiB", NULL},
    {"cluster.nodes.*.disk.power_mode",
     "engine.sync=never; replication.log_sync=never; " TIMELINE(
         "at: 2s, power_off: {node: a}, for: 500ms"),
     "all_kept", "all_lost", NULL},
    {"cluster.nodes.*.disk.directory_mode", NAMES_PENDING, "ordered", "posix", NULL},
    {"cluster.nodes.*.clocks.offset", "", "0s", "5s", NULL},
    {"cluster.nodes.*.clocks.drift", "", "0ppm", "1%", NULL},
    {"cluster.batch", "workloads.w.rate=500/s; cluster.disk.sync_latency=10ms", "1", "64",
     NULL},
    {"cluster.inbox",
     "workloads.w.rate=500/s; workloads.w.clients=200; cluster.disk.sync_latency=100ms", "2",
     "10000", NULL},
    {"cluster.read_lanes", COLD "; cluster.disk.read_latency=30ms; workloads.w.rate=200/s", "1",
     "8", NULL},
    {"cluster.handler_cost", "", "2us", "200us", NULL},
    {"cluster.maintain_every", SMALL_SEGMENTS, "100ms", "700ms", NULL},
    {"cluster.maintain_budget", "engine.segment_size=16KiB; workloads.w.value_size=800B",
     "256KiB", "4KiB", NULL},
    {"cluster.inspect_every", "", "1s", "300ms", NULL},
    /* network */
    {"network.preset", "", "lan", "wan_us", NULL},
    {"network.latency", "", "1ms", "2ms", NULL},
    {"network.local_latency", MANAGERS, "10us", "100us", NULL},
    {"network.between_regions", "", "1ms", "2ms", NULL},
    {"network.bandwidth", "", "1MB/s", "2MB/s", NULL},
    {"network.loss", "", "0%", "20%", NULL},
    {"network.duplicate", DATAGRAMS, "0%", "20%", NULL},
    {"network.reorder", DATAGRAMS, "0%", "20%", NULL},
    {"network.reorder_delay", DATAGRAMS "; network.reorder=20%", "1ms", "5ms", NULL},
    {"network.retransmit", "network.loss=20%", "10ms", "20ms", NULL},
    {"network.reconnect", TIMELINE("at: 1s, cut: {from: a, to: b}, for: 1s"), "10ms", "300ms",
     NULL},
    {"network.transport", "network.loss=20%", "ordered", "datagram", NULL},
    {"network.in_flight", TIMELINE("at: 1s, cut: {from: a, to: b}, for: 1s"), "drop", "queue",
     NULL},
    {"network.routes[].between",
     "cluster.regions=[{name: r1, nodes: [a]}, {name: r2, nodes: [b]}, {name: r3, nodes: "
     "[c]}]; network.routes=[{between: [r1, r2], latency: 9ms}]",
     "[r1, r2]", "[r2, r3]", NULL},
    {"network.routes[].latency", "network.routes=[{between: [r1, r2], latency: 9ms}]", "9ms",
     "8ms", NULL},
    /* engine and scheme */
    {"engine.name", "", "hash", "log", NULL},
    {"engine.sync", "", "always", "50ms", NULL},
    {"replication.scheme", "", "single_leader", "none", NULL},
    {"replication.leader", "", "a", "b", NULL},
    {"engine{log}.block_size", "engine.name=log; " COLD, "512B", "64KiB", NULL},
    {"engine{log}.index", "engine.name=log; " COLD, "none", "memory", NULL},
    {"engine{log}.on_corruption",
     "replication={scheme: none}; engine.name=log; engine.on_sync_failure=retry; "
     "workloads.w.value_size=5000B; timeline=[{id: g, at: 1s, sync_error: {node: a, path: "
     "database, count: 1}}, {id: f, at: 2s, power_off: {node: a, mode: all_lost}, for: 100ms}]",
     "refuse", "truncate", NULL},
    {"engine{log}.on_sync_failure",
     "replication={scheme: none}; engine.name=log; " TIMELINE(
         "at: 1s, sync_error: {node: a, count: 1}"),
     "panic", "retry", NULL},
    {"engine{lsm}.memtable_size", "engine.name=lsm; workloads.w.value_size=100B", "1KiB",
     "8MiB", NULL},
    {"engine{lsm}.table_size", SMALL_LSM "; engine.l0_trigger=2", "256B", "4MiB", NULL},
    {"engine{lsm}.block_size", SMALL_LSM, "64B", "2KiB", NULL},
    {"engine{lsm}.restart_interval", SMALL_LSM, "1", "16", NULL},
    {"engine{lsm}.bloom_bits", SMALL_LSM, "0", "10", NULL},
    {"engine{lsm}.cache_size", SMALL_LSM "; " COLD, "0B", "8MiB", NULL},
    {"engine{lsm}.max_open_tables", SMALL_LSM "; " COLD, "1", "1000", NULL},
    {"engine{lsm}.compaction", SMALL_LSM "; engine.l0_trigger=2; engine.fanout=4", "leveled",
     "tiered", NULL},
    {"engine{lsm}.fanout", SMALL_LSM "; engine.compaction=tiered", "2", "10", NULL},
    {"engine{lsm}.level_base", SMALL_LSM "; engine.l0_trigger=2; engine.table_size=256B",
     "256B", "128MiB", NULL},
    {"engine{lsm}.l0_trigger", SMALL_LSM, "2", "6", NULL},
    {"engine{lsm}.l0_stall", SMALL_LSM "; engine.l0_trigger=2; cluster.maintain_every=10s", "2",
     "24", NULL},
    {"engine{lsm}.gc_grace",
     SMALL_LSM "; engine.l0_trigger=2; workloads=[{name: w, clients: 4, keys: 20, rate: 60/s, "
               "arrivals: poisson, mix: {delete: 50%, write: 50%}}]",
     "0s", "1h", NULL},
    {"engine{lsm}.on_sync_failure",
     "replication={scheme: none}; engine.name=lsm; " TIMELINE(
         "at: 1s, sync_error: {node: a, count: 1}"),
     "panic", "retry", NULL},
    {"engine{hash}.segment_size", "workloads.w.value_size=100B", "1KiB", "16MiB", NULL},
    {"engine{hash}.merge_threshold", SMALL_SEGMENTS, "10%", "90%", NULL},
    {"engine{hash}.merge_segments", SMALL_SEGMENTS, "2", "8", NULL},
    {"engine{hash}.stall_segments", SMALL_SEGMENTS "; cluster.maintain_every=10s", "2", "64",
     NULL},
    {"engine{hash}.hint_files", SMALL_SEGMENTS, "yes", "no", NULL},
    {"engine{hash}.verify", TIMELINE("at: 1s, bit_rot: {node: a, path: .seg}"), "yes", "no",
     NULL},
    {"engine{hash}.on_sync_failure",
     "replication={scheme: none}; " TIMELINE("at: 1s, sync_error: {node: a, count: 1}"),
     "panic", "retry", NULL},
    {"engine{btree}.page_size", SMALL_TREE, "512B", "2KiB", NULL},
    {"engine{btree}.cache_size", SMALL_TREE, "2KiB", "64MiB", NULL},
    {"engine{btree}.wal_size", SMALL_TREE, "2KiB", "32MiB", NULL},
    {"engine{btree}.verify",
     SMALL_TREE "; timeline=[" ROT("f", "2KiB") ", " ROT("g", "3KiB") ", " ROT(
         "h", "4KiB") ", " ROT("i", "5KiB") ", " ROT("j", "6KiB") ", " ROT("k", "7KiB") "]",
     "yes", "no", NULL},
    {"engine{btree}.on_sync_failure",
     "replication={scheme: none}; engine.name=btree; " TIMELINE(
         "at: 1s, sync_error: {node: a, count: 1}"),
     "panic", "retry", NULL},
    {"replication{none}.fencing",
     "replication={scheme: none}; " LOCKS "; " TIMELINE("at: 1s, pause: {node: w}, for: 2s"),
     "none", "token", NULL},
    {"replication{none}.dedup",
     "replication={scheme: none}; workloads.w.idempotent=yes; "
     "workloads.w.attempt_timeout=20ms; workloads.w.retries=9; " TIMELINE(
         "at: 1s, slow: {from: a, to: w, add: 30ms}"),
     "0", "10000", NULL},
    /* single_leader */
    {"replication{single_leader}.mode", "", "async", "sync", NULL},
    {"replication{single_leader}.ack_count",
     "replication.mode=semi_sync; network.between_regions=20ms", "1", "2", NULL},
    {"replication{single_leader}.ack_point",
     "replication.mode=semi_sync; network.between_regions=20ms; replication.ack_count=2; "
     "workloads.w.keys=1",
     "after_sync", "after_commit", NULL},
    {"replication{single_leader}.fallback",
     "replication.mode=sync; " TIMELINE("at: 1s, crash: {node: b}"), "100ms",
     "500ms; replication.mode=semi_sync; replication.ack_count=2", NULL},
    {"replication{single_leader}.log_sync", "", "always", "never", NULL},
    {"replication{single_leader}.ack_interval", "", "100ms", "300ms", NULL},
    {"replication{single_leader}.heartbeat", "", "200ms", "100ms", NULL},
    {"replication{single_leader}.log_retention",
     "replication.log_segment=512B; " TIMELINE("at: 1s, crash: {node: b}, for: 2s"), "10",
     "100000", NULL},
    {"replication{single_leader}.log_retention_size",
     "replication.log_segment=512B; " TIMELINE("at: 1s, crash: {node: b}, for: 2s"), "4KiB",
     "256MiB", NULL},
    {"replication{single_leader}.log_segment", "", "512B", "1MiB", NULL},
    {"replication{single_leader}.ship_chunk", TIMELINE("at: 1s, crash: {node: b}, for: 2s"),
     "512B", "256KiB", NULL},
    {"replication{single_leader}.ship_window", TIMELINE("at: 1s, crash: {node: b}, for: 2s"),
     "2", "65536", NULL},
    {"replication{single_leader}.snapshot_chunk",
     "replication.log_retention=10; replication.log_segment=512B; " TIMELINE(
         "at: 1s, crash: {node: b}, for: 2s"),
     "64B", "256KiB", NULL},
    {"replication{single_leader}.ids", INSERTS, "auto_increment", "epoch_prefixed", NULL},
    {"replication{single_leader}.fencing",
     LOCKS "; " TIMELINE("at: 1s, pause: {node: w}, for: 2s"), "none", "token", NULL},
    {"replication{single_leader}.epochs",
     MANAGERS "; " TIMELINE("at: 1s, partition: {groups: [[a, w], [b, c]]}, for: 2s"), "yes",
     "no", NULL},
    {"replication{single_leader}.dedup",
     "workloads.w.idempotent=yes; workloads.w.attempt_timeout=20ms; "
     "workloads.w.retries=9; " TIMELINE("at: 1s, slow: {from: a, to: w, add: 30ms}"),
     "0", "10000", NULL},
    {"replication{single_leader}.min_replicas", TIMELINE("at: 1s, crash: {node: b}"), "0",
     "2; replication.max_lag=500ms", NULL},
    {"replication{single_leader}.max_lag",
     "replication.min_replicas=2; " TIMELINE("at: 1s, crash: {node: b}"), "500ms", "1500ms",
     NULL},
    {"replication{single_leader}.reads", "workloads.w.read_from=any", "leader", "any", NULL},
    {"replication{single_leader}.session_wait",
     "replication.reads=any; workloads.w.read_from=any; workloads.w.session=yes; " TIMELINE(
         "at: 1s, slow: {from: a, to: b, add: 100ms}"),
     "wait", "redirect", NULL},
    {"replication{single_leader}.session_wait_max",
     "replication.reads=any; workloads.w.read_from=any; workloads.w.session=yes; " TIMELINE(
         "at: 1s, slow: {from: a, to: b, add: 300ms}"),
     "50ms", "100ms", NULL},
    {"replication{single_leader}.on_return",
     MANAGERS "; " TIMELINE("at: 1s, partition: {groups: [[a, w], [b, c]]}, for: 2s"),
     "discard", "refuse", NULL},
    {"replication{single_leader}.failover.by", MANAGERS "; " LEADER_DIES, "manager", "hand",
     NULL},
    {"replication{single_leader}.failover.managers.at", MANAGERS "; " LEADER_DIES, "[a, b, c]",
     "[r2]", NULL},
    {"replication{single_leader}.failover.detect", MANAGERS "; " LEADER_DIES, "300ms", "600ms",
     NULL},
    {"replication{single_leader}.failover.election",
     MANAGERS "; " TIMELINE("at: 1s, power_off: {node: a}, for: 2s"), "100ms", "300ms", NULL},
    {"replication{single_leader}.failover.promote_delay", MANAGERS "; " LEADER_DIES, "100ms",
     "300ms", NULL},
    {"replication{single_leader}.failover.quorum",
     MANAGERS "; " TIMELINE("at: 1s, partition: {groups: [[a, b], [c]]}, for: 2s"), "none",
     "majority", NULL},
    {"replication{single_leader}.failover.promote",
     MANAGERS "; timeline=[{id: f, at: 500ms, cut: {from: a, to: b, class: replication}}, {id: "
              "g, at: 1s, crash: {node: a}, for: 2s}]",
     "any", "most_caught_up", NULL},
    {"replication{single_leader}.failover.node",
     MANAGERS "; replication.failover.promote=node; replication.failover.node=b; " LEADER_DIES,
     "b", "c", NULL},
    {"replication{single_leader}.failover.fence",
     MANAGERS "; " TIMELINE("at: 1s, pause: {node: a}, for: 2s"), "none", "stonith", NULL},
    {"replication{single_leader}.failover.fence_delay",
     MANAGERS
     "; replication.failover.fence=stonith; " TIMELINE("at: 1s, pause: {node: a}, for: 2s"),
     "0s", "200ms", NULL},
    {"replication{single_leader}.failover.fence_quorum",
     MANAGERS
     "; replication.failover.fence=stonith; replication.failover.quorum=none; " TIMELINE(
         "at: 1s, partition: {groups: [[a, b], [c]], in_flight: queue}, for: 2s"),
     "no", "yes", NULL},
    {"replication{single_leader}.failover.confirm_before_promote",
     MANAGERS "; " TIMELINE("at: 1s, partition: {groups: [[a], [b, c]]}, for: 2s"), "no", "yes",
     NULL},
    /* directory, stores */
    {"directory.region", "network.between_regions=20ms", "r1", "r2", NULL},
    {"directory.learn", MANAGERS "; " LEADER_DIES, "0s", "300ms", NULL},
    {"directory.refresh",
     MANAGERS "; timeline=[{id: f, at: 1s, crash: {node: a}}, {id: g, at: 1s, cut: {from: "
              "directory, to: w}, for: 1500ms}]",
     "200ms", "700ms", NULL},
    {"directory.claims",
     MANAGERS "; replication.failover.quorum=none; replication.failover.promote=node; "
              "replication.failover.node=c; replication.epochs=no; "
              "timeline=[{id: f, at: 500ms, promote: {node: b}}, {id: g, at: 1s, promote: "
              "{node: c}}, {id: h, at: 2s, promote: {node: a}}]",
     "highest_epoch", "last", NULL},
    {"stores[].name", INSERTS "; stores.s.latency=5ms", NULL, "z", NULL},
    {"stores[].region", INSERTS "; network.between_regions=20ms", "r1", "r2", NULL},
    {"stores[].latency", INSERTS, "1ms", "2ms", NULL},
    /* workloads */
    {"workloads[].name", "", NULL, "x", NULL},
    {"workloads[].clients", "", "4", "5", NULL},
    {"workloads[].rate", "", "60/s", "50/s", NULL},
    {"workloads[].rate_per_client", "workloads.w.rate=null; workloads.w.rate_per_client=10/s",
     "10/s", "15/s", NULL},
    {"workloads[].arrivals", "", "constant", "poisson", NULL},
    {"workloads[].start", "", "0s", "100ms", NULL},
    {"workloads[].stop", "", "2s", "3s", NULL},
    {"workloads[].count", "", "0", "100", NULL},
    {"workloads[].think", CLOSED("[write, read]"), "20ms", "30ms", NULL},
    {"workloads[].timeout", TIMELINE("at: 1s, crash: {node: a}"), "300ms", "500ms", NULL},
    {"workloads[].attempt_timeout",
     "workloads.w.retries=2; " TIMELINE("at: 1s, crash: {node: a}"), "200ms", "300ms", NULL},
    {"workloads[].retries",
     "workloads.w.attempt_timeout=100ms; " TIMELINE("at: 1s, crash: {node: a}"), "0", "2",
     NULL},
    {"workloads[].backoff",
     "workloads.w.retries=2; workloads.w.attempt_timeout=100ms; " TIMELINE(
         "at: 1s, crash: {node: a}"),
     "0s", "50ms", NULL},
    {"workloads[].idempotent",
     "workloads.w.retries=2; workloads.w.attempt_timeout=100ms; " TIMELINE(
         "at: 1s, crash: {node: a}"),
     "no", "yes", NULL},
    {"workloads[].keys", "", "20", "21", NULL},
    {"workloads[].key_choice", "", "uniform", "zipfian", NULL},
    {"workloads[].zipf_theta", "workloads.w.key_choice=zipfian", "99%", "50%", NULL},
    {"workloads[].key", "workloads.w.key=one", "one", "two", NULL},
    {"workloads[].table", "", NULL, "t", NULL},
    {"workloads[].value_size", "", "32B", "64B", NULL},
    {"workloads[].private", INSERTS, "0%", "50%", NULL},
    {"workloads[].owners", INSERTS, "0", "10", NULL},
    {"workloads[].second_store", INSERTS, "s", "other", NULL},
    {"workloads[].resolve_table",
     "workloads=[{name: w, rate: 20/s, mix: {insert: 100%}, second_store: s}, {name: v, rate: "
     "20/s, mix: {insert: 50%, resolve: 50%}, second_store: s}]",
     "v", "w", "workloads.v.resolve_table"},
    {"workloads[].read_from", "replication.reads=any", "leader", "round_robin", NULL},
    {"workloads[].level", "workloads.w.read_from=any", "default", "local", NULL},
    {"workloads[].session",
     "replication.reads=any; workloads.w.read_from=any; " TIMELINE(
         "at: 1s, slow: {from: a, to: b, add: 100ms}"),
     "no", "yes", NULL},
    {"workloads[].leader_reads_after_write", "replication.reads=any; workloads.w.read_from=any",
     "0s", "1s", NULL},
    {"workloads[].lock_ttl", LOCKS, "10ms", "10s", NULL},
    {"workloads[].fencing_token",
     LOCKS "; replication.fencing=token; " TIMELINE("at: 1s, pause: {node: w}, for: 2s"), "yes",
     "no", NULL},
    {"workloads[].follow_directory", MANAGERS "; " LEADER_DIES, "yes", "no", NULL},
    {"workloads[].region", "network.between_regions=20ms", "r1", "r2", NULL},
    {"workloads[].machine", "", NULL, "a", NULL},
    {"workloads[].sequence", CLOSED("[write, read]"), "[write, read]",
     "[write, \"wait 5ms\", read]", NULL},
    {"workloads[].mix.read", "workloads.w.mix={read: 50%, write: 50%}", "50%",
     "25%; workloads.w.mix.write=75%", NULL},
    {"workloads[].mix.write", "workloads.w.mix={read: 50%, write: 50%}", "50%",
     "25%; workloads.w.mix.delete=25%", NULL},
    {"workloads[].mix.delete", "workloads.w.mix={write: 50%, delete: 50%}", "50%",
     "25%; workloads.w.mix.scan=25%", NULL},
    {"workloads[].mix.compare_and_set", "workloads.w.mix={write: 50%, compare_and_set: 50%}",
     "50%", "25%; workloads.w.mix.delete=25%", NULL},
    {"workloads[].mix.insert", INSERTS, "60%", "30%; workloads.w.mix.write=30%", NULL},
    {"workloads[].mix.resolve", INSERTS, "40%", "20%; workloads.w.mix.read=20%", NULL},
    {"workloads[].mix.scan", "workloads.w.mix={write: 50%, scan: 50%}", "50%",
     "25%; workloads.w.mix.read=25%", NULL},
    {"workloads[].mix.lock", "workloads.w.mix={lock: 50%, unlock: 50%}", "50%",
     "25%; workloads.w.mix.read=25%", NULL},
    {"workloads[].mix.unlock", "workloads.w.mix={lock: 50%, unlock: 50%}", "50%",
     "25%; workloads.w.mix.read=25%", NULL},
    /* timeline: when */
    {"timeline[].at", TIMELINE("at: 1s, crash: {node: b}"), "1s", "2s", NULL},
    {"timeline[].delay", TIMELINE("at: 1s, crash: {node: b}"), "0s", "100ms", NULL},
    {"timeline[].for", TIMELINE("at: 1s, crash: {node: b}"), "1s", "2s", NULL},
    {"timeline[].when.leader_elected",
     "timeline=[{id: f, when: {leader_elected: any}, evidence: optional, evict: {node: b}}, "
     "{id: g, at: 1s, promote: {node: c}}, {id: h, at: 2s, promote: {node: b}}]",
     "any", "b", NULL},
    {"timeline[].when.down",
     "timeline=[{id: f, when: {down: b}, evidence: optional, crash: {node: c}}, {id: g, at: "
     "1s, crash: {node: b}}]",
     "b", "a", NULL},
    {"timeline[].when.up",
     "timeline=[{id: f, when: {up: b}, evidence: optional, crash: {node: c}}, {id: g, at: 1s, "
     "crash: {node: b}, for: 1s}]",
     "b", "a; timeline.f.when.nth=2", NULL},
    {"timeline[].when.acknowledged", TIMELINE("when: {acknowledged: 10}, crash: {node: b}"),
     "10", "20", NULL},
    {"timeline[].when.invoked", TIMELINE("when: {invoked: 10}, crash: {node: b}"), "10", "20",
     NULL},
    {"timeline[].when.sync", TIMELINE("when: {sync: a, nth: 20}, crash: {node: b}"), "a", "c",
     NULL},
    {"timeline[].when.fault",
     "timeline=[{id: f, when: {fault: g}, evidence: optional, crash: {node: c}}, {id: g, at: "
     "1s, evict: {node: b}}, {id: h, at: 2s, evict: {node: b}}]",
     "g", "h", NULL},
    {"timeline[].when.nth", TIMELINE("when: {sync: a, nth: 20}, crash: {node: b}"), "20", "30",
     NULL},
    /* timeline: links */
    {"timeline[].cut.from", TIMELINE("at: 1s, cut: {to: b}, for: 1s"), "a", "w", NULL},
    {"timeline[].cut.to", TIMELINE("at: 1s, cut: {from: a}, for: 1s"), "b", "c", NULL},
    {"timeline[].cut.both_ways", TIMELINE("at: 1s, cut: {from: a, to: b}, for: 1s"), "no",
     "yes", NULL},
    {"timeline[].cut.class", TIMELINE("at: 1s, cut: {from: a, to: b}, for: 1s"), "all",
     "control", NULL},
    {"timeline[].cut.in_flight", TIMELINE("at: 1s, cut: {from: a, to: b}, for: 1s"), "drop",
     "queue", NULL},
    {"timeline[].cut.flap", TIMELINE("at: 1s, cut: {from: a, to: b}, for: 1s"), "0s", "100ms",
     NULL},
    {"timeline[].cut.for", TIMELINE("at: 1s, cut: {from: a, to: b}"), "1s", "2s", NULL},
    {"timeline[].partition.groups",
     TIMELINE("at: 1s, partition: {groups: [[a], [b]]}, for: 1s"), "[[a], [b]]", "[[a], [c]]",
     NULL},
    {"timeline[].partition.class", TIMELINE("at: 1s, partition: {groups: [[a], [b]]}, for: 1s"),
     "all", "control", NULL},
    {"timeline[].partition.in_flight",
     TIMELINE("at: 1s, partition: {groups: [[a], [b]]}, for: 1s"), "drop", "queue", NULL},
    {"timeline[].partition.flap", TIMELINE("at: 1s, partition: {groups: [[a], [b]]}, for: 1s"),
     "0s", "100ms", NULL},
    {"timeline[].partition.for", TIMELINE("at: 1s, partition: {groups: [[a], [b]]}"), "1s",
     "2s", NULL},
    {"timeline[].slow.from", TIMELINE("at: 1s, slow: {to: b, add: 10ms}, for: 1s"), "a", "c",
     NULL},
    {"timeline[].slow.to", TIMELINE("at: 1s, slow: {from: a, add: 10ms}, for: 1s"), "b", "c",
     NULL},
    {"timeline[].slow.both_ways",
     TIMELINE("at: 1s, slow: {from: a, to: b, add: 10ms}, for: 1s"), "no", "yes", NULL},
    {"timeline[].slow.class", TIMELINE("at: 1s, slow: {from: a, to: b, add: 10ms}, for: 1s"),
     "all", "control", NULL},
    {"timeline[].slow.factor", TIMELINE("at: 1s, slow: {from: a, to: b}, for: 1s"), "2x", "3x",
     NULL},
    {"timeline[].slow.add", TIMELINE("at: 1s, slow: {from: a, to: b}, for: 1s"), "1ms", "2ms",
     NULL},
    {"timeline[].slow.for", TIMELINE("at: 1s, slow: {from: a, to: b, add: 10ms}"), "1s", "2s",
     NULL},
    {"timeline[].loss.from", TIMELINE("at: 1s, loss: {to: b}, for: 1s"), "a", "c", NULL},
    {"timeline[].loss.to", TIMELINE("at: 1s, loss: {from: a}, for: 1s"), "b", "c", NULL},
    {"timeline[].loss.both_ways", TIMELINE("at: 1s, loss: {from: a, to: b}, for: 1s"), "no",
     "yes", NULL},
    {"timeline[].loss.class", TIMELINE("at: 1s, loss: {from: a, to: b}, for: 1s"), "all",
     "control", NULL},
    {"timeline[].loss.rate", TIMELINE("at: 1s, loss: {from: a, to: b}, for: 1s"), "10%", "30%",
     NULL},
    {"timeline[].loss.for", TIMELINE("at: 1s, loss: {from: a, to: b}"), "1s", "2s", NULL},
    {"timeline[].clog.from", TIMELINE("at: 1s, clog: {to: b}, for: 1s"), "a", "c", NULL},
    {"timeline[].clog.to", TIMELINE("at: 1s, clog: {from: a}, for: 1s"), "b", "c", NULL},
    {"timeline[].clog.both_ways", TIMELINE("at: 1s, clog: {from: a, to: b}, for: 1s"), "no",
     "yes", NULL},
    {"timeline[].clog.class", TIMELINE("at: 1s, clog: {from: a, to: b}, for: 1s"), "all",
     "control", NULL},
    {"timeline[].clog.for", TIMELINE("at: 1s, clog: {from: a, to: b}"), "1s", "2s", NULL},
    {"timeline[].duplicate.from",
     DATAGRAMS "; " TIMELINE("at: 1s, duplicate: {to: b}, for: 1s"), "a", "c", NULL},
    {"timeline[].duplicate.to",
     DATAGRAMS "; " TIMELINE("at: 1s, duplicate: {from: a}, for: 1s"), "b", "c", NULL},
    {"timeline[].duplicate.both_ways",
     DATAGRAMS "; " TIMELINE("at: 1s, duplicate: {from: a, to: b}, for: 1s"), "no", "yes",
     NULL},
    {"timeline[].duplicate.class",
     DATAGRAMS "; " TIMELINE("at: 1s, duplicate: {from: a, to: b}, for: 1s"), "all", "control",
     NULL},
    {"timeline[].duplicate.rate",
     DATAGRAMS "; " TIMELINE("at: 1s, duplicate: {from: a, to: b}, for: 1s"), "10%", "50%",
     NULL},
    {"timeline[].duplicate.for", DATAGRAMS "; " TIMELINE("at: 1s, duplicate: {from: a, to: b}"),
     "1s", "2s", NULL},
    {"timeline[].reorder.from",
     DATAGRAMS "; " TIMELINE("at: 1s, reorder: {to: b, delay: 5ms}, for: 1s"), "a", "c", NULL},
    {"timeline[].reorder.to",
     DATAGRAMS "; " TIMELINE("at: 1s, reorder: {from: a, delay: 5ms}, for: 1s"), "b", "c",
     NULL},
    {"timeline[].reorder.both_ways",
     DATAGRAMS "; " TIMELINE("at: 1s, reorder: {from: a, to: b, delay: 5ms}, for: 1s"), "no",
     "yes", NULL},
    {"timeline[].reorder.class",
     DATAGRAMS "; " TIMELINE("at: 1s, reorder: {from: a, to: b, delay: 5ms}, for: 1s"), "all",
     "control", NULL},
    {"timeline[].reorder.rate",
     DATAGRAMS "; " TIMELINE("at: 1s, reorder: {from: a, to: b, delay: 5ms}, for: 1s"), "10%",
     "50%", NULL},
    {"timeline[].reorder.delay",
     DATAGRAMS "; " TIMELINE("at: 1s, reorder: {from: a, to: b}, for: 1s"), "5ms", "6ms", NULL},
    {"timeline[].reorder.for",
     DATAGRAMS "; " TIMELINE("at: 1s, reorder: {from: a, to: b, delay: 5ms}"), "1s", "2s",
     NULL},
    {"timeline[].heal.ids",
     "timeline=[{id: g, at: 1s, cut: {from: a, to: b}}, {id: h, at: 1s, cut: {from: a, to: "
     "c}}, {id: f, at: 2s, heal: {}}]",
     "[g]", "[h]", NULL},
    /* timeline: processes */
    {"timeline[].crash.node", TIMELINE("at: 1s, crash: {node: b}"), "b", "c", NULL},
    {"timeline[].crash.for", TIMELINE("at: 1s, crash: {node: b}"), "1s", "2s", NULL},
    {"timeline[].power_off.node", TIMELINE("at: 1s, power_off: {node: b}"), "b", "c", NULL},
    {"timeline[].power_off.mode",
     "engine.sync=never; replication.log_sync=never; " TIMELINE(
         "at: 1s, power_off: {node: b}, for: 1s"),
     "all_kept", "all_lost", NULL},
    {"timeline[].power_off.for", TIMELINE("at: 1s, power_off: {node: b}"), "1s", "2s", NULL},
    {"timeline[].wipe.node", TIMELINE("at: 1s, wipe: {node: b}, for: 1s"), "b", "c", NULL},
    {"timeline[].wipe.for", TIMELINE("at: 1s, wipe: {node: b}"), "1s", "2s", NULL},
    {"timeline[].start.node",
     "timeline=[{id: g, at: 1s, crash: {node: b}}, {id: h, at: 1s, crash: {node: c}}, {id: f, "
     "at: 2s, start: {node: b}}]",
     "b", "c", NULL},
    {"timeline[].reboot.node", TIMELINE("at: 1s, reboot: {node: b}"), "b", "c", NULL},
    {"timeline[].reboot.mode",
     "engine.sync=never; replication.log_sync=never; " TIMELINE("at: 1s, reboot: {node: b}"),
     "all_kept", "all_lost", NULL},
    {"timeline[].pause.node", TIMELINE("at: 1s, pause: {node: b}, for: 1s"), "b", "w", NULL},
    {"timeline[].pause.for", TIMELINE("at: 1s, pause: {node: b}"), "1s", "2s", NULL},
    {"timeline[].resume.node",
     "timeline=[{id: g, at: 1s, pause: {node: b}}, {id: h, at: 1s, pause: {node: c}}, {id: f, "
     "at: 2s, resume: {node: b}}]",
     "b", "c", NULL},
    /* timeline: disks */
    {"timeline[].evict.node", TIMELINE("at: 1s, evict: {node: a}"), "a", "b", NULL},
    {"timeline[].read_error.node",
     COLD "; replication.reads=any; workloads.w.read_from=any; " TIMELINE(
         "at: 1s, read_error: {node: a}, for: 1s"),
     "a", "b", NULL},
    {"timeline[].read_error.path", COLD "; " TIMELINE("at: 1s, read_error: {node: a}, for: 1s"),
     NULL, "no-such-file", NULL},
    {"timeline[].read_error.offset",
     COLD "; " TIMELINE("at: 1s, read_error: {node: a}, for: 1s"), "0B", "1MiB", NULL},
    {"timeline[].read_error.size", COLD "; " TIMELINE("at: 1s, read_error: {node: a}, for: 1s"),
     "1B", "0B", NULL},
    {"timeline[].read_error.count",
     COLD "; " TIMELINE("at: 1s, read_error: {node: a}, for: 1s"), "1", "5", NULL},
    {"timeline[].read_error.after",
     COLD "; " TIMELINE("at: 1s, read_error: {node: a}, for: 1s"), "0", "5", NULL},
    {"timeline[].read_error.for", COLD "; " TIMELINE("at: 1s, read_error: {node: a}"), "500ms",
     "1s", NULL},
    {"timeline[].write_error.node", TIMELINE("at: 1s, write_error: {node: a}, for: 1s"), "a",
     "b", NULL},
    {"timeline[].write_error.path", TIMELINE("at: 1s, write_error: {node: a}, for: 1s"), NULL,
     "no-such-file", NULL},
    {"timeline[].write_error.count",
     "timeline=[{id: f, at: 1s, write_error: {node: a}}, {id: g, at: 2s, reboot: {node: a}}]",
     "1", "2", NULL},
    {"timeline[].write_error.after", TIMELINE("at: 1s, write_error: {node: a}, for: 1s"), "0",
     "5", NULL},
    {"timeline[].write_error.for", TIMELINE("at: 1s, write_error: {node: a}"), "500ms", "1s",
     NULL},
    {"timeline[].sync_error.node", TIMELINE("at: 1s, sync_error: {node: a}, for: 1s"), "a", "b",
     NULL},
    {"timeline[].sync_error.path", TIMELINE("at: 1s, sync_error: {node: a}, for: 1s"), NULL,
     "no-such-file", NULL},
    {"timeline[].sync_error.count",
     "replication={scheme: none}; engine.on_sync_failure=retry; " TIMELINE(
         "at: 1s, sync_error: {node: a}, for: 1s"),
     "1", "2", NULL},
    {"timeline[].sync_error.after", TIMELINE("at: 1s, sync_error: {node: a}, for: 1s"), "0",
     "5", NULL},
    {"timeline[].sync_error.for", TIMELINE("at: 1s, sync_error: {node: a}"), "500ms", "1s",
     NULL},
    {"timeline[].bit_rot.node", TIMELINE("at: 1s, bit_rot: {node: a, path: seg}, for: 1s"), "a",
     "b", NULL},
    {"timeline[].bit_rot.path", TIMELINE("at: 1s, bit_rot: {node: a}, for: 1s"), NULL,
     "no-such-file", NULL},
    {"timeline[].bit_rot.offset", TIMELINE("at: 1s, bit_rot: {node: a}, for: 1s"), "0B", "1MiB",
     NULL},
    {"timeline[].bit_rot.size", TIMELINE("at: 1s, bit_rot: {node: a}, for: 1s"), "1B", "0B",
     NULL},
    {"timeline[].bit_rot.for", TIMELINE("at: 1s, bit_rot: {node: a}"), "500ms", "1s", NULL},
    {"timeline[].misdirected_write.node",
     TIMELINE("at: 1s, misdirected_write: {node: a, count: 3}, for: 1s"), "a", "b", NULL},
    {"timeline[].misdirected_write.path",
     TIMELINE("at: 1s, misdirected_write: {node: a, count: 3}, for: 1s"), NULL, "no-such-file",
     NULL},
    {"timeline[].misdirected_write.count",
     TIMELINE("at: 1s, misdirected_write: {node: a, count: 3}, for: 1s"), "3", "20", NULL},
    {"timeline[].misdirected_write.after",
     TIMELINE("at: 1s, misdirected_write: {node: a, count: 3}, for: 1s"), "0", "5", NULL},
    {"timeline[].misdirected_write.for", TIMELINE("at: 1s, misdirected_write: {node: a}"),
     "500ms", "1s", NULL},
    {"timeline[].disk_full.node", TIMELINE("at: 1s, disk_full: {node: a}, for: 1s"), "a", "b",
     NULL},
    {"timeline[].disk_full.left", TIMELINE("at: 1s, disk_full: {node: a}, for: 1s"), "0B",
     "1KiB", NULL},
    {"timeline[].disk_full.for", TIMELINE("at: 1s, disk_full: {node: a}"), "500ms", "1s", NULL},
    {"timeline[].slow_disk.node", TIMELINE("at: 1s, slow_disk: {node: a}, for: 1s"), "a", "b",
     NULL},
    {"timeline[].slow_disk.factor", TIMELINE("at: 1s, slow_disk: {node: a}, for: 1s"), "10x",
     "20x", NULL},
    {"timeline[].slow_disk.for", TIMELINE("at: 1s, slow_disk: {node: a}"), "1s", "2s", NULL},
    {"timeline[].stall_disk.node", TIMELINE("at: 1s, stall_disk: {node: a}, for: 1s"), "a", "b",
     NULL},
    {"timeline[].stall_disk.for", TIMELINE("at: 1s, stall_disk: {node: a}"), "500ms", "1s",
     NULL},
    {"timeline[].lying_sync.node",
     "timeline=[{id: f, at: 1s, lying_sync: {node: b}}, {id: g, at: 2s, reboot: {node: b, "
     "mode: all_lost}}, {id: h, at: 2s, reboot: {node: c, mode: all_lost}}]",
     "b", "c", NULL},
    {"timeline[].lying_sync.path",
     "timeline=[{id: f, at: 1s, lying_sync: {node: b}}, {id: g, at: 2s, reboot: {node: b, "
     "mode: all_lost}}]",
     NULL, "no-such-file", NULL},
    {"timeline[].lying_sync.count",
     "timeline=[{id: f, at: 1900ms, lying_sync: {node: b}}, {id: g, at: 2s, reboot: {node: b, "
     "mode: all_lost}}]",
     "1", "0", NULL},
    {"timeline[].lying_sync.after",
     "timeline=[{id: f, at: 1900ms, lying_sync: {node: b}}, {id: g, at: 2s, reboot: {node: b, "
     "mode: all_lost}}]",
     "0", "1000", NULL},
    {"timeline[].lying_sync.for",
     "timeline=[{id: f, at: 1s, lying_sync: {node: b}}, {id: g, at: 2s, reboot: {node: b, "
     "mode: all_lost}}]",
     "500ms", "1500ms", NULL},
    /* timeline: clocks, operators */
    {"timeline[].clock_step.node", TIMELINE("at: 1s, clock_step: {node: a, by: 1s}"), "a", "b",
     NULL},
    {"timeline[].clock_step.by", TIMELINE("at: 1s, clock_step: {node: a, by: 1s}"), "1s", "2s",
     NULL},
    {"timeline[].clock_drift.node", TIMELINE("at: 1s, clock_drift: {node: a, drift: 10%}"), "a",
     "b", NULL},
    {"timeline[].clock_drift.drift", TIMELINE("at: 1s, clock_drift: {node: a, drift: 10%}"),
     "10%", "-10%", NULL},
    {"timeline[].clock_drift.for", TIMELINE("at: 1s, clock_drift: {node: a, drift: 10%}"), "1s",
     "2s", NULL},
    {"timeline[].promote.node", TIMELINE("at: 1s, promote: {node: b}"), "b", "c", NULL},
    {"timeline[].demote.node", TIMELINE("at: 1s, demote: {node: a}"), "a", "b", NULL},
    {"timeline[].transfer.to", TIMELINE("at: 1s, transfer: {to: b}"), "b", "c", NULL},
    {"timeline[].transfer.node", TIMELINE("at: 1s, transfer: {to: b}"), "leader", "c", NULL},
    /* finish */
    {"finish.heal", TIMELINE("at: 1s, cut: {from: a, to: b}"), "all", "none", NULL},
    {"finish.restart", TIMELINE("at: 1s, crash: {node: b}"), "yes", "no", NULL},
    {"finish.quiesce", "", "1s", "2s", NULL},
    {"finish.read_all", "", "yes", "no", NULL},
};
#define ROWS (sizeof rows / sizeof *rows)

/* Words that the list folds into one key: the kinds of a distribution. */
static const struct row distributions[] = {
    {"constant", "", NULL, "{constant: 2ms}", "network.latency"},
    {"uniform", "", "{uniform: 1ms..2ms}", "{uniform: 1ms..3ms}", "network.latency"},
    {"exponential", "", "{exponential: 1ms}", "{exponential: 2ms}", "network.latency"},
    {"pareto.min", "", "{pareto: {min: 1ms, shape: 2}}", "{pareto: {min: 2ms, shape: 2}}",
     "network.latency"},
    {"pareto.shape", "", "{pareto: {min: 1ms, shape: 2}}", "{pareto: {min: 1ms, shape: 2.5}}",
     "network.latency"},
    {"lognormal.median", "", "{lognormal: {median: 1ms, sigma: 0.5}}",
     "{lognormal: {median: 2ms, sigma: 0.5}}", "network.latency"},
    {"lognormal.sigma", "", "{lognormal: {median: 1ms, sigma: 0.5}}",
     "{lognormal: {median: 1ms, sigma: 0.6}}", "network.latency"},
    {"empirical", "", "{empirical: [[50%, 1ms], [100%, 2ms]]}",
     "{empirical: [[50%, 1ms], [100%, 3ms]]}", "network.latency"},
    {"mixture.weight", "",
     "{mixture: [{weight: 50%, constant: 1ms}, {weight: 50%, constant: 2ms}]}",
     "{mixture: [{weight: 60%, constant: 1ms}, {weight: 40%, constant: 2ms}]}",
     "network.latency"},
    {"floor", "", "{exponential: 1ms, floor: 1ms}", "{exponential: 1ms, floor: 2ms}",
     "network.latency"},
    {"cap", "", "{exponential: 1ms}", "{exponential: 1ms, cap: 1500us}", "network.latency"},
};

/* ---- a run of some settings ---- */

struct settings {
    struct setting items[16];
    uint32_t count;
    char *text[8];
    uint32_t texts;
};

static void settings_free(struct settings *settings)
{
    for (uint32_t i = 0; i < settings->texts; i++) free(settings->text[i]);
}

/* Adds the pieces of `path=value; path=value`. With `first`, the first piece is the value of
 * that path. */
static void settings_add(struct settings *settings, const char *pieces, const char *first)
{
    if (!*pieces) return;
    char *copy = strdup(pieces);
    settings->text[settings->texts++] = copy;
    for (char *piece = copy, *next; piece; piece = next) {
        next = strstr(piece, "; ");
        if (next) *next = 0, next += 2;
        assert_true(settings->count < 16);
        if (first) {
            settings->items[settings->count++] = (struct setting){first, piece};
            first = NULL;
            continue;
        }
        char *equals = strchr(piece, '=');
        assert_non_null(equals);
        *equals = 0;
        settings->items[settings->count++] = (struct setting){piece, equals + 1};
    }
}

/* "timeline[].cut.from" -> "timeline.f.cut.from" and so on: the names of base_text. */
static char *path_of(const struct row *row)
{
    static const struct {
        const char *in_key, *in_path;
    } names[] = {{"timeline[]", "timeline.f"},
                 {"workloads[]", "workloads.w"},
                 {"stores[]", "stores.s"},
                 {"routes[]", "routes.entry-1"},
                 {".*", ".a"},
                 {"{lsm}", ""},
                 {"{hash}", ""},
                 {"{btree}", ""},
                 {"{log}", ""},
                 {"{none}", ""},
                 {"{single_leader}", ""}};
    char *out = calloc(1, 256), *w = out;
    const char *from = row->path ? row->path : row->key;
    while (*from) {
        size_t i = 0, count = sizeof names / sizeof *names;
        while (i < count && strncmp(from, names[i].in_key, strlen(names[i].in_key)) != 0) i++;
        if (i == count) {
            *w++ = *from++;
            continue;
        }
        w = stpcpy(w, names[i].in_path);
        from += strlen(names[i].in_key);
    }
    return out;
}

static struct scenario *scenario;

/* The trace hash; 0 after a message when the settings make no plan. */
static uint64_t hash_of(const struct settings *settings, const char *key)
{
    struct scenario_errors errors = {0};
    struct plan *plan = plan_create(
        scenario,
        &(struct plan_request){.sets = settings->items, .sets_count = settings->count},
        &errors);
    for (size_t i = 0; i < errors.count; i++) print_error("%s: %s\n", key, errors.items[i]);
    scenario_errors_deinit(&errors);
    if (!plan) return 0;
    struct run *run = run_execute(plan, &(struct run_request){0});
    uint64_t hash = run->trace_hash;
    assert_int_equal(run->stop, KERNEL_DONE);
    run_destroy(run);
    plan_destroy(plan);
    return hash;
}

/* Many rows have the same first run. */
static uint64_t hash_cached(const struct settings *settings, const char *key)
{
    static struct {
        char *text;
        uint64_t hash;
    } known[512];
    static size_t count;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    for (uint32_t i = 0; i < settings->count; i++)
        fprintf(out, "%s=%s\n", settings->items[i].path, settings->items[i].value);
    fclose(out);
    for (size_t i = 0; i < count; i++)
        if (!strcmp(known[i].text, text)) {
            free(text);
            return known[i].hash;
        }
    uint64_t hash = hash_of(settings, key);
    if (count == sizeof known / sizeof *known)
        free(text);
    else
        known[count].text = text, known[count++].hash = hash;
    return hash;
}

static bool row_matters(const struct row *row)
{
    struct settings first = {0}, second = {0};
    char *path = path_of(row);
    settings_add(&first, row->with, NULL);
    settings_add(&second, row->with, NULL);
    if (row->from) settings_add(&first, row->from, path);
    settings_add(&second, row->to, path);
    uint64_t a = hash_cached(&first, row->key), b = hash_of(&second, row->key);
    settings_free(&first);
    settings_free(&second);
    free(path);
    if (a && b && a == b)
        print_error("%s: %s and %s give the same trace\n", row->key,
                    row->from ? row->from : "without it", row->to);
    return a && b && a != b;
}

static int load(void **state)
{
    (void)state;
    struct scenario_errors errors = {0};
    scenario = scenario_load_text("keys.yaml", base_text, strlen(base_text), &errors);
    for (size_t i = 0; i < errors.count; i++) print_error("%s\n", errors.items[i]);
    scenario_errors_deinit(&errors);
    return scenario ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    scenario_destroy(scenario);
    return 0;
}

static const struct row *row_find(const char *key)
{
    for (size_t i = 0; i < ROWS; i++)
        if (!strcmp(rows[i].key, key)) return &rows[i];
    return NULL;
}

/* ---- tests ---- */

static void test_every_behavioural_key_has_a_row_and_every_row_a_key(void **state)
{
    (void)state;
    size_t count, missing = 0;
    const struct vocabulary_key *keys = vocabulary_keys(&count);
    for (size_t i = 0; i < count; i++) {
        const struct row *row = row_find(keys[i].path);
        if (!keys[i].inert && !row)
            print_error("%s: no row says what it changes\n", keys[i].path), missing++;
        if (keys[i].inert && row)
            print_error("%s: is inert and has a row\n", keys[i].path), missing++;
    }
    for (size_t r = 0; r < ROWS; r++) {
        bool known = false;
        for (size_t i = 0; i < count && !known; i++) known = !strcmp(rows[r].key, keys[i].path);
        if (!known) print_error("%s: no such key in the reference\n", rows[r].key), missing++;
        if (row_find(rows[r].key) != &rows[r])
            print_error("%s: two rows\n", rows[r].key), missing++;
    }
    assert_int_equal(missing, 0);
}

static void test_every_behavioural_key_changes_the_trace_hash_of_some_run(void **state)
{
    (void)state;
    size_t without = 0;
    for (size_t i = 0; i < ROWS; i++) without += !row_matters(&rows[i]);
    assert_int_equal(without, 0);
}

static void test_every_kind_of_distribution_changes_the_trace_hash(void **state)
{
    (void)state;
    size_t without = 0;
    for (size_t i = 0; i < sizeof distributions / sizeof *distributions; i++)
        without += !row_matters(&distributions[i]);
    assert_int_equal(without, 0);
}

/* Without this the tests above would pass for a hash that is never the same. */
static void test_the_same_settings_give_the_same_trace_hash(void **state)
{
    (void)state;
    struct settings none = {0};
    uint64_t hash = hash_of(&none, "again");
    assert_true(hash != 0);
    assert_int_equal(hash_of(&none, "again"), hash);
    for (size_t i = 0; i < ROWS; i += 25) {
        struct settings settings = {0};
        settings_add(&settings, rows[i].with, NULL);
        assert_int_equal(hash_of(&settings, rows[i].key), hash_of(&settings, rows[i].key));
        settings_free(&settings);
    }
}

/* A word that is said to change nothing, and something to say with it. */
static const char *const inert[] = {
    "timeline=[{id: other, at: 1s, evict: {node: a}, evidence: optional}]",
    "timeline=[{id: f, about: why not, at: 1s, evict: {node: a}, evidence: optional}]",
    "timeline=[{id: f, at: 1s, evict: {node: a}, evidence: required}]",
    "ignore=[{check: unique_keys, reason: no point}]",
    "limits.events=1000000",
    "limits.wall=99s",
    "limits.memory=1GiB",
};

static void test_inert_keys_leave_the_trace_hash_alone(void **state)
{
    (void)state;
    struct settings none = {0};
    uint64_t hash = hash_of(&none, "base");
    for (size_t i = 0; i < sizeof inert / sizeof *inert; i++) {
        struct settings settings = {0};
        settings_add(&settings, inert[i], NULL);
        uint64_t other = hash_of(&settings, inert[i]);
        if (other != hash) print_error("%s changes the trace\n", inert[i]);
        assert_int_equal(other, hash);
        settings_free(&settings);
    }
    static const char described[] = "name: other\nabout: Otherwise described.\nsource: a "
                                    "book\nexpect: {holds: [unique_keys]}\n";
    char text[4096];
    snprintf(text, sizeof text, "%s%s", described, strchr(base_text, '\n') + 1);
    struct scenario *before = scenario;
    struct scenario_errors errors = {0};
    scenario = scenario_load_text("other.yaml", text, strlen(text), &errors);
    assert_non_null(scenario);
    assert_int_equal(hash_of(&none, "name, about, source, expect"), hash);
    scenario_destroy(scenario);
    scenario = before;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_behavioural_key_has_a_row_and_every_row_a_key),
        cmocka_unit_test(test_the_same_settings_give_the_same_trace_hash),
        cmocka_unit_test(test_every_behavioural_key_changes_the_trace_hash_of_some_run),
        cmocka_unit_test(test_inert_keys_leave_the_trace_hash_alone),
        cmocka_unit_test(test_every_kind_of_distribution_changes_the_trace_hash),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
