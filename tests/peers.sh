#!/bin/bash
# make bench-peers DIR=...: our engines and the best of others on the same workload, in turns, on real files below DIR.
#
#   hash   against rawlog    an append log with a table in memory, one write(2) a put: the floor of that design
#   lsm    against leveldb   bloom filters of 10 bits, 64 MiB cache, 4 MiB buffer
#   btree  against lmdb      1,000 puts a transaction, no sync
#   each   against the disk  fillsync: BLOCKS blocks of 1,000 durable puts, each after a block of plain append and fdatasync
#
# ROUNDS (3) rounds, in each of which peer and ours take turns; figures are medians. Judged by operations per CPU-second of the whole process, background threads included; the wall clock stands
# beside. KEYS (1000000), SIZES ("100 1000"), BLOCKS (7), ENGINES ("hash lsm btree"), PEERS (../shared/peers) may be set. Without the peers' program it says so and exits 0.
set -uo pipefail
cd "$(dirname "$0")/.."
root=${1:?usage: tests/peers.sh DIR}
ROUNDS=${ROUNDS:-3} KEYS=${KEYS:-1000000} SIZES=${SIZES:-100 1000} BLOCKS=${BLOCKS:-7} ENGINES=${ENGINES:-hash lsm btree}
BUILD=${BUILD:-build/release} PEERS=${PEERS:-../shared/peers}
[ -r "$PEERS/kvpeer.cc" ] || { echo "bench-peers: skipped: $PEERS/kvpeer.cc is not there"; exit 0; }
mkdir -p "$BUILD/peers" "$root" || exit 2
if ! [ "$BUILD/peers/kvpeer" -nt "$PEERS/kvpeer.cc" ]; then
    tests/deps.sh g++ libleveldb-dev librocksdb-dev liblmdb-dev libsqlite3-dev libwiredtiger-dev libkyotocabinet-dev libdb-dev
    g++ -O2 -std=c++17 -w -msse4.2 -o "$BUILD/peers/kvpeer" "$PEERS/kvpeer.cc" -lleveldb -lrocksdb -llmdb -lsqlite3 -lwiredtiger -lkyotocabinet -ldb -lpthread ||
        { echo "bench-peers: skipped: the peers do not build here"; exit 0; }
fi
${CC:-gcc} -O2 -o "$BUILD/peers/append_floor" tests/bench/append_floor.c || exit 3
scratch=$(mktemp -d "$root/peers-XXXXXX") || exit 2
trap 'rm -rf "$scratch"' EXIT
rows=$scratch/rows.tsv
known=" $("$BUILD/faultline" list engines | awk '{print $1}' | tr '\n' ' ') "
say() { [ -t 2 ] && printf '\r%-70s' "$*" >&2; return 0; }

# One row a workload: who, value size, our name of the workload, operations/CPU-s, operations/s, write amplification, peak resident bytes
peer() { # ENGINE CONFIG SIZE "KVPEER-WORKLOAD[,...]" "OUR-NAME,..."
    say "$1 $4 ($3 B)"
    "$BUILD/peers/kvpeer" "$1" "$4" "$KEYS" "$3" "$scratch/peer" "$2" | awk -F'\t' -v OFS='\t' -v names="$5" -v size="$3" '
        BEGIN { split(names, name, ",") }
        { cpu = $15 > 0 ? $15 : 0.0005
          print $1, size, name[NR], $6 / cpu, $8, $9 / ($6 * (16 + size)), $13 * 1024
          if ($16 ~ /WRONG/) print "peers.sh: " $1 ": " $16 > "/dev/stderr" }' >>"$rows"
}
ours() { # LABEL SIZE WORKLOADS [ARGUMENTS...]
    local label=$1 size=$2 workloads=$3
    shift 3
    say "$label $workloads ($size B)"
    "$BUILD/faultline" bench engines --real "$scratch" --engines "${label%%+*}" --workloads "$workloads" --keys "$KEYS" --value-size "$size" --seconds 600 --json "$@" |
        python3 -c '
import json, sys
for line in sys.stdin:
    r = json.loads(line)
    if "skipped" in r: continue
    wa = r["device_write_bytes"] / (r["operations"] * (16 + r["value_size"]))
    print(sys.argv[1], r["value_size"], r["workload"], r["cpu_rate"], r["rate"], wa, r["resident_bytes"], sep="\t")' "$label" >>"$rows" || exit 3
}
wanted() { case "$known" in *" $1 "*) case " $ENGINES " in *" $1 "*) return 0 ;; esac ;; esac; return 1; }

for size in $SIZES; do
    for ((round = 0; round < ROUNDS; round++)); do
        if wanted hash; then
            peer rawlog default "$size" fillrandom,settle,readrandom,readmissing fillrandom,readrandom,readmissing
            peer rawlog default "$size" overwrite overwrite
            peer rawlog default "$size" reopen reopen
            rm -rf "$scratch/peer"
            ours hash "$size" fillrandom,readrandom,readmissing,overwrite,reopen
            ours hash+no-hints "$size" fillrandom,overwrite,reopen --set hash.hint_files=no
        fi
        if wanted lsm; then
            peer leveldb comparable "$size" fillseq fillseq
            peer leveldb comparable "$size" fillrandom,settle,readrandom,readmissing,readseq,scan100 fillrandom,readrandom,readmissing,readseq,scan100
            peer leveldb comparable "$size" overwrite overwrite
            peer leveldb comparable "$size" reopen reopen
            peer leveldb comparable "$size" fillcrash -
            peer leveldb comparable "$size" reopen recover
            rm -rf "$scratch/peer"
            ours lsm "$size" fillseq,fillrandom,readrandom,readmissing,readseq,scan100,overwrite,reopen,recover
        fi
        if wanted btree; then
            peer lmdb comparable "$size" fillrandom,settle,readrandom fillbatch,readrandom
            rm -rf "$scratch/peer"
            ours btree "$size" fillbatch,readrandom
            # What LMDB has: the whole file in memory. Memory is taken as it is used.
            ours btree+mapped "$size" fillbatch,readrandom --set btree.cache_size=4GiB
        fi
    done
done

sync_rows=$scratch/sync.tsv
for size in $SIZES; do
    for ((block = 0; block < BLOCKS; block++)); do
        for engine in log $ENGINES; do
            case "$known" in *" $engine "*) ;; *) continue ;; esac
            say "fillsync ($size B), block $block, $engine"
            floor=$("$BUILD/peers/append_floor" "$scratch" $((size + 28)) 1000) || exit 3
            "$BUILD/faultline" bench engines --real "$scratch" --engines "$engine" --workloads fillsync --keys 1000 --value-size "$size" --json |
                python3 -c '
import json, sys
for line in sys.stdin:
    r = json.loads(line)
    print(r["engine"], r["value_size"], r["p50_ns"], sys.argv[1], r["syncs_per_put"], r["extra_bytes_per_put"], sep="\t")' "$floor" >>"$sync_rows" || exit 3
        done
    done
done
say ""
[ -t 2 ] && printf '\r' >&2

python3 - "$rows" "$sync_rows" "$KEYS" "$ROUNDS" "$BLOCKS" <<'TABLE'
import os, statistics, sys
rows_path, sync_path, keys, rounds, blocks = sys.argv[1:]
figures = {}
if os.path.exists(rows_path):
    for line in open(rows_path):
        who, size, workload, *numbers = line.rstrip("\n").split("\t")
        figures.setdefault((who, int(size), workload), []).append([float(x) for x in numbers])
median = {key: [statistics.median(column) for column in zip(*values)] for key, values in figures.items()}

def short(x):
    for unit, scale in (("M", 1e6), ("k", 1e3)):
        if x >= scale: return f"{x / scale:.3g}{unit}"
    return f"{x:.3g}"

# ours, peer, workload, what is judged: least share of the peer's rate per CPU-second, or most of its CPU time; None: no such bar
RATE, TIME = 0, 1
bars = [("hash", "rawlog", w, RATE, 0.9) for w in ("fillrandom", "overwrite", "readrandom")]
bars += [("hash", "rawlog", "readmissing", RATE, None), ("hash", "rawlog", "reopen", TIME, None), ("hash+no-hints", "rawlog", "reopen", TIME, 1.2)]
bars += [("lsm", "leveldb", w, RATE, 1.5) for w in ("fillseq", "fillrandom", "overwrite", "readrandom")]
bars += [("lsm", "leveldb", w, RATE, None) for w in ("readmissing", "readseq", "scan100")]
bars += [("lsm", "leveldb", w, TIME, 1.0) for w in ("reopen", "recover")]
bars += [("btree", "lmdb", "fillbatch", RATE, 1.0), ("btree", "lmdb", "readrandom", RATE, None)]
bars += [("btree+mapped", "lmdb", "fillbatch", RATE, 1.0), ("btree+mapped", "lmdb", "readrandom", RATE, 0.7)]
# least figures per CPU-second whatever the peer does (100 B)
floors = {("hash", "readmissing"): 3e6, ("lsm", "readmissing"): 1.2e6, ("lsm", "readseq"): 8e6, ("lsm", "scan100"): 75e3}
print(f"{int(keys):,} keys, medians of {rounds} rounds; operations per CPU-second of the whole process; WA: device writes / bytes put")
print(f"{'size':>5} {'workload':<12} {'ours':<14} {'/CPU-s':>8} {'peer':<8} {'/CPU-s':>8} {'ratio':>6} {'bar':>6} {'':5} {'wall':>6} {'WA':>6} {'peer':>6} {'MiB':>5} {'peer':>5}")
for size in sorted({key[1] for key in median}):
    for mine, peer, workload, kind, bar in bars:
        a, b = median.get((mine, size, workload)), median.get((peer, size, workload))
        if not a or not b: continue
        wall = a[1] / b[1]
        if kind == TIME:
            left, right = 1e3 / a[0], 1e3 / b[0]
            ratio, most = left / right, 100 if (mine, workload) == ("hash", "reopen") else bar * right
            verdict, limit = "ok" if left <= most else "SHORT", "100ms" if bar is None else f"<={bar}"
            left, right = f"{left:.2f}ms", f"{right:.2f}ms"
        else:
            ratio, floor = a[0] / b[0], floors.get((mine, workload)) if size == 100 else None
            good = (bar is None or ratio >= bar) and (floor is None or a[0] >= floor)
            verdict = "" if bar is None and floor is None else "ok" if good else "SHORT"
            left, right, limit = short(a[0]), short(b[0]), f">={bar}" if bar else short(floor) if floor else ""
        writes = workload.startswith(("fill", "overwrite"))
        print(f"{size:>5} {workload:<12} {mine:<14} {left:>8} {peer:<8} {right:>8} {ratio:>6.2f} {limit:>6} {verdict:<5} {wall:>6.2f} "
              f"{f'{a[2]:.2f}' if writes else '':>6} {f'{b[2]:.2f}' if writes else '':>6} {a[3] / 2**20:>5.0f} {b[3] / 2**20:>5.0f}")

sync = {}
for line in open(sync_path):
    who, size, *numbers = line.rstrip("\n").split("\t")
    sync.setdefault((int(size), who), []).append([float(x) for x in numbers])
print(f"\nfillsync: {blocks} blocks of 1,000 puts, each after a block of plain append and fdatasync (the floor); medians of the blocks' median latencies and of their ratios")
print(f"{'size':>5} {'engine':<8} {'p50':>9} {'floor':>9} {'ratio':>6} {'':5} {'syncs a put':>12} {'bytes beyond':>13}")
for (size, who), blocks_of in sync.items():
    p50, least, syncs, beyond = (statistics.median(column) for column in zip(*blocks_of))
    ratio = statistics.median(b[0] / b[1] for b in blocks_of)
    good = ratio <= 1.1 and syncs == 1 and (beyond <= 64 or who == "log")
    print(f"{size:>5} {who:<8} {p50 / 1e3:>7.0f}us {least / 1e3:>7.0f}us {ratio:>6.2f} {'ok' if good else 'SHORT':<5} {syncs:>12.3f} {beyond:>13.1f}")
TABLE
