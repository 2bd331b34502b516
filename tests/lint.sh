#!/bin/bash
# make lint: include arrows, banned calls with their replacement, format, cppcheck. Prints what is wrong and where; exit 1 if anything is.
set -u
cd "$(dirname "$0")/.."
status=0
bad() { echo "lint: $1"; status=1; }

# ---- include arrows: which top folders and layers a folder may include from ----
# folder | regular expression of the allowed "…" includes
arrows() {
    local folder=$1 allowed=$2
    while IFS= read -r line; do
        bad "include arrow: $line"
    done < <(grep -rnE '^#include "' "$folder" --include='*.[ch]' | grep -vE ":#include \"($allowed)" || true)
}
kernel='sim/kernel/'
record="sim/record/|$kernel"
arrows engines 'engines/'
arrows engines/storage 'engines/(bytes|options)\.h|engines/storage/'
arrows sim/kernel "$kernel"
arrows sim/record "$record"
arrows sim/check "sim/check/|$record"
arrows sim/foreign "sim/foreign/|sim/check/|$record"
arrows sim/world "sim/world/|engines/|$record"
arrows sim/bench "sim/bench/|sim/world/|engines/|$record"
arrows sim/workload "sim/workload/|sim/world/|engines/|$record"
arrows sim/scenario "sim/scenario/|sim/workload/|sim/world/|sim/check/|engines/|$record"
arrows sim/campaign "sim/campaign/|sim/scenario/|sim/workload/|sim/world/|sim/check/|engines/|$record"
arrows sim/cli 'sim/|reports/|engines/'
arrows reports 'reports/'

# ---- banned calls ----
# regular expression | where it is banned | where it is allowed after all | what to use
banned() {
    local call=$1 where=$2 except=$3 instead=$4
    while IFS= read -r line; do
        bad "banned call: $line (use $instead)"
    done < <(grep -rnE "(^|[^a-zA-Z0-9_.>\"])($call)\\(" $where --include='*.[ch]' | grep -vE "^($except)" | grep -vE ':[0-9]+: *(/?\*|//)' |
        sed 's:/\*.*\*/::' | grep -E "(^|[^a-zA-Z0-9_.>\"])($call)\\(" || true)
}
banned 'rand|srand|random|drand48|rand_r|getrandom' 'engines sim' 'NONE' 'rng_u64 of a named stream'
banned 'time|gettimeofday|clock_gettime|clock|localtime|gmtime' 'engines sim' 'sim/campaign/|sim/cli/|sim/bench/|sim/kernel/kernel.c' 'kernel_now'
banned 'malloc|calloc|realloc|strdup' 'engines' 'engines/bytes.c|engines/storage/posix_vfs.c' 'the host allocator'
banned 'printf|fprintf|puts|exit|abort' 'engines' 'engines/storage/posix_vfs.c' 'the error text, or check_failed'
banned 'log|exp|pow|sqrt|sin|cos|log2|log10|lround|floor|ceil|fma' 'engines sim' 'NONE' 'det_log and its kin (sim/kernel/random.h)'
banned 'pthread_create|fork|setlocale|getenv' 'engines sim/kernel sim/record sim/world sim/workload sim/check' 'NONE' 'nothing: a run has neither'
banned 'gets|sprintf|strcpy|strcat|strncpy|atoi|atol|atof|strtok' 'engines sim reports' 'NONE' 'snprintf, memcpy, a strict parser'
banned 'assert' 'engines sim' 'NONE' 'CHECK, ENV_CHECK or host.check_failed'

# ---- sources and texts ----
while IFS= read -r line; do bad "unfinished: $line"; done < <(grep -rnE 'TODO|FIXME|XXX' engines sim reports --include='*.[ch]' || true)
while IFS= read -r line; do bad "not ASCII: $line"; done < <(grep -rnP '[^\x00-\x7F]' engines sim reports tests --include='*.[ch]' || true)
while IFS= read -r file; do
    lines=$(wc -l <"$file")
    [ "$lines" -le 900 ] || bad "$file has $lines lines: split it along a noun"
done < <(find engines sim reports -name '*.[ch]')
for folder in engines sim/kernel sim/record sim/world sim/workload sim/check sim/scenario sim/campaign sim/bench sim/cli scenarios reports tests engines/storage engines/replication; do
    [ -s "$folder/README.md" ] || bad "$folder/README.md is missing"
done

# ---- format ----
if command -v clang-format >/dev/null; then
    out=$(find engines sim reports tests -name '*.[ch]' | sort | xargs clang-format --dry-run -Werror 2>&1 | grep -E 'error:' | cut -d: -f1 | sort | uniq -c)
    [ -z "$out" ] || bad "not formatted as .clang-format says (make format):
$out"
else
    echo "lint: clang-format is not installed: skipped"
fi

# ---- cppcheck ----
if command -v cppcheck >/dev/null; then
    out=$(cppcheck --quiet --std=c11 --inline-suppr --enable=warning,portability --suppress=normalCheckLevelMaxBranches --suppress=missingInclude \
        --template='{file}:{line}: {id}: {message}' -j 2 -I. engines sim reports 2>&1)
    [ -z "$out" ] || bad "cppcheck:
$out"
else
    echo "lint: cppcheck is not installed: skipped"
fi
[ $status = 0 ] && echo "lint: clean"
exit $status
