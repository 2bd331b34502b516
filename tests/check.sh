#!/bin/bash
# make check, make soak: the whole gate for one VARIANT. Any failure stops it with status 1. It closes with cmocka's own summary lines.
#
#   1 build with -Werror       2 lint (release)     3 every scenario against its expectations and golden.tsv
#   4 determinism: the same bytes from gcc -O0, gcc -O3, clang -O2, the san variant (release)
#   5 valgrind (soak)          6 every cmocka program, two at once
set -u
cd "$(dirname "$0")/.."
VARIANT=${VARIANT:-release}
MAKE=${MAKE:-make}
CC=${CC:-gcc}
started=$SECONDS
build=build/$VARIANT
step() { printf '== %s (%d s)\n' "$1" $((SECONDS - started)); }
die() { echo "check: FAILED: $1" >&2; exit 1; }
export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1

step "build $VARIANT"
$MAKE --no-print-directory -s -j2 VARIANT="$VARIANT" CC="$CC" all tests || die build

if [ "$VARIANT" = release ]; then
    step lint
    tests/lint.sh || die lint
fi

step "scenarios against their expectations and golden.tsv"
"$build/faultline" check scenarios --junit "$build/junit.xml" || die "scenarios"

if [ "$VARIANT" = release ]; then
    step "determinism across compilers and optimisation levels"
    MAKE="$MAKE" tests/determinism.sh || die determinism
fi
if [ -n "${FAULTLINE_SOAK:-}" ] && [ "$VARIANT" != san ]; then
    step valgrind
    tests/valgrind.sh "$build" || die valgrind
fi

step "unit, contract, model, crash and cluster tests"
export FAULTLINE="$PWD/$build/faultline" FAULTLINE_BUILD="$PWD/$build"
logs=$build/logs
rm -rf "$logs"
mkdir -p "$logs"
run_one() {
    # Two folders may hold programs of one name: the log is named after both.
    program=$1 name=${1##*/tests/} begun=$SECONDS
    name=${name//\//-}
    "$program" >"$2/$name.log" 2>&1
    code=$?
    echo "$code" >"$2/$name.status"
    if [ $code != 0 ]; then echo "FAILED $program (status $code, $((SECONDS - begun)) s)"; grep -vE '^\[ +(RUN|OK)' "$2/$name.log" | tail -n 60; fi
    [ $((SECONDS - begun)) -lt 30 ] || echo "slow: $name took $((SECONDS - begun)) s"
}
export -f run_one
find "$build/tests" -type f -name 'test_*' -executable | sort | xargs -P 2 -I{} bash -c 'run_one "$1" "$2"' _ {} "$logs"
failed=$(grep -lv '^0$' "$logs"/*.status 2>/dev/null | wc -l)
cat "$logs"/*.log | grep -E '^\[ +SKIPPED' | sort | uniq -c | head -20
programs=$(ls "$logs"/*.status | wc -l)
total=$(cat "$logs"/*.log | sed -n 's/^\[  PASSED  \] \([0-9]*\) test(s)\.$/\1/p' | awk '{n += $1} END {print n + 0}')
step "$programs test programs, $failed failed"
[ "$total" -gt 0 ] || die "no test ran"
if [ "$failed" != 0 ]; then
    cat "$logs"/*.log | grep -E '^\[  FAILED  \]' | sort -u
    die "$failed test programs"
fi
cat "$logs"/*.log | grep -E '^\[==========\] [0-9]+ test\(s\) run\.$' | awk '{n += $2} END {printf "[==========] %d test(s) run.\n", n}'
echo "[  PASSED  ] $total test(s)."
