#!/bin/bash
# make fuzz: tests/fuzz.sh SECONDS TARGET... : each target under libFuzzer for SECONDS, with what earlier runs found (build/fuzz/found/TARGET) and the corpus of the
# repository to begin with. Where AFL++ is installed, under afl-fuzz as well. What breaks a target is left in build/fuzz/crashes and its name printed; exit 1.
# To keep it: fix the fault, copy the file to tests/fuzz/corpus/TARGET, where test_corpus replays it for ever.
set -u
cd "$(dirname "$0")/.."
MAKE=${MAKE:-make}
duration=$1
shift
command -v clang >/dev/null || { echo "fuzz: needs clang (make deps)" >&2; exit 1; }
$MAKE --no-print-directory -s -j2 VARIANT=fuzz CC=clang fuzzers || exit 1
build=build/fuzz
mkdir -p $build/crashes $build/seeds/image
$build/fuzz/seeds $build/seeds/image || exit 1
mkdir -p $build/seeds/scenario && cp $(find scenarios -name '*.yaml') $build/seeds/scenario/
status=0
for target in "$@"; do
    mkdir -p "$build/found/$target" "$build/seeds/$target"
    log=$build/$target.log
    # Leaks are judged at the end of every input; -timeout is of one input.
    if $build/fuzz/fuzz_"$target" -max_total_time="$duration" -timeout=20 -rss_limit_mb=3000 -max_len=65536 -artifact_prefix="$build/crashes/$target-" -print_final_stats=1 \
        "$build/found/$target" "tests/fuzz/corpus/$target" "$build/seeds/$target" >"$log" 2>&1; then
        printf 'fuzz: %-9s %s inputs in %s s, %s features: nothing broke\n' "$target" "$(sed -n 's/^stat::number_of_executed_units: //p' "$log")" "$duration" \
            "$(grep -oE 'ft: [0-9]+' "$log" | tail -1 | cut -c5-)"
    else
        status=1
        echo "fuzz: $target BROKE: see $log"
        grep -E '^(SUMMARY|Test unit written|.*does not hold|.*CHECK)' "$log" | head -8
    fi
done
if command -v afl-clang-fast >/dev/null && command -v afl-fuzz >/dev/null; then
    $MAKE --no-print-directory -s -j2 VARIANT=afl CC=afl-clang-fast fuzzers || exit 1
    for target in "$@"; do
        out=build/afl/found/$target
        mkdir -p "$out" "build/afl/in/$target"
        cp tests/fuzz/corpus/"$target"/* $build/seeds/"$target"/* "build/afl/in/$target/" 2>/dev/null
        AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_AUTORESUME=1 afl-fuzz -V "$duration" -t 20000 -i "build/afl/in/$target" -o "$out" \
            -- build/afl/fuzz/fuzz_"$target" >"build/afl/$target.log" 2>&1 || { echo "fuzz: afl-fuzz on $target failed: see build/afl/$target.log"; status=1; }
        crashes=$(find "$out" -path '*crashes*' -name 'id:*' | wc -l)
        echo "fuzz: $target under AFL++: $crashes inputs broke it"
        [ "$crashes" = 0 ] || status=1
    done
fi
exit $status
