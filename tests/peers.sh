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
#
# The last line counts the bars; exit status 1 when one is SHORT, 3 when a measurement failed. JUDGE=FOLDER judges the rows of an earlier run again (KEEP=FOLDER leaves them there).
set -uo pipefail
cd "$(dirname "$0")/.."
ROUNDS=${ROUNDS:-3} KEYS=${KEYS:-1000000} SIZES=${SIZES:-100 1000} BLOCKS=${BLOCKS:-7} ENGINES=${ENGINES:-hash lsm btree}
BUILD=${BUILD:-build/release} PEERS=${PEERS:-../shared/peers}
if [ -n "${JUDGE:-}" ]; then exec python3 tests/peers.py "$JUDGE/rows.tsv" "$JUDGE/sync.tsv" "$KEYS" "$ROUNDS" "$BLOCKS"; fi
root=${1:?usage: tests/peers.sh DIR}
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

if [ -n "${KEEP:-}" ]; then mkdir -p "$KEEP" && cp "$rows" "$sync_rows" "$KEEP" || exit 2; fi
python3 tests/peers.py "$rows" "$sync_rows" "$KEYS" "$ROUNDS" "$BLOCKS"
