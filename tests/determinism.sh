#!/bin/bash
# The same scenario and seed give the same trace hash and the same result bytes from every compiler and optimisation level; another seed gives another hash.
#
# Builds gcc -O0, gcc -O3, clang -O2 and the san variant, runs every scenario and variant and the simulated benchmark of the engines with each, and compares result folders byte by
# byte, but for `host`.
set -u
cd "$(dirname "$0")/.."
MAKE=${MAKE:-make}
work=build/determinism
mkdir -p "$work"
fail() { echo "determinism: $1" >&2; exit 1; }

builds=("gcc -O0" "gcc -O3" "clang -O2" "san")
build_one() {
    case $1 in
    san) $MAKE --no-print-directory -s VARIANT=san all ;;
    *) set -- $1; $MAKE --no-print-directory -s CC="$1" OPT="$2" BUILD="build/determinism/$1$2" all ;;
    esac
}
binary() { case $1 in san) echo build/san/faultline ;; *) echo "build/determinism/${1// /}/faultline" ;; esac; }

for pair in 0 2; do
    build_one "${builds[$pair]}" & first=$!
    build_one "${builds[$((pair + 1))]}" & second=$!
    wait $first || fail "${builds[$pair]} does not build"
    wait $second || fail "${builds[$((pair + 1))]} does not build"
done

scenarios=$(find scenarios -name '*.yaml' | sort)
for build in "${builds[@]}"; do
    out="$work/out-${build// /}"
    rm -rf "$out"
    for scenario in $scenarios; do
        name=$(basename "$scenario" .yaml)
        "$(binary "$build")" run "$scenario" --variant all --out "$out/$name" --json >/dev/null 2>"$work/errors"
        code=$?
        [ $code -le 1 ] || { cat "$work/errors" >&2; fail "$build: $scenario ended with status $code"; }
        # Another seed, on devices with heavy tails and datagrams. A fault may miss there (status 3).
        "$(binary "$build")" run "$scenario" --seed 7 --set cluster.disk=cloud --set network=\{preset:\ udp\} \
            --out "$out/$name-odd" --json >/dev/null 2>"$work/errors"
        code=$?
        [ $code -ne 2 ] && [ $code -le 4 ] || { cat "$work/errors" >&2; fail "$build: $scenario, seed 7, ended with status $code"; }
    done
    # Every engine through every workload, on a device that draws much.
    "$(binary "$build")" bench engines --sim cloud --keys 200 --seconds 1 --json >"$out/bench.jsonl" 2>"$work/errors" || { cat "$work/errors" >&2; fail "$build: bench engines"; }
    sed -i 's/,"host":{[^}]*}//' "$out/bench.jsonl"
    # `host` is the last member of result.json: all before it must be equal.
    find "$out" -name result.json -exec sed -i '/^  "host": {/,$d' {} +
done
reference="$work/out-${builds[0]// /}"
for build in "${builds[@]:1}"; do
    diff -rq "$reference" "$work/out-${build// /}" || fail "${builds[0]} and $build differ"
done
files=$(find "$reference" -type f | wc -l)
first=$(echo "$scenarios" | head -n 1)
one=$("$(binary "gcc -O3")" run "$first" --json --seed 1 | sed 's/.*"trace_hash": *"\([0-9a-f]*\)".*/\1/')
two=$("$(binary "gcc -O3")" run "$first" --json --seed 2 | sed 's/.*"trace_hash": *"\([0-9a-f]*\)".*/\1/')
[ -n "$one" ] && [ "$one" != "$two" ] || fail "seeds 1 and 2 of $first have the same trace hash"
"$(binary "gcc -O3")" run "$first" --verify --json >/dev/null
[ $? -le 1 ] || fail "--verify of $first"
echo "determinism: $files result files are equal in ${#builds[@]} builds; another seed gives another trace hash"
