#!/bin/bash
# Unit tests, contract tests and one scenario under valgrind: no error, no byte lost. Two at once.
set -u
cd "$(dirname "$0")/.."
build=$1
unset FAULTLINE_SOAK
export SCALE=0.05 build
run() {
    local leaks=full log
    # Children of these exit, or are killed, on purpose.
    case $1 in */test_check | */test_folder) leaks=no ;; esac
    log=$build/valgrind-${1//\//-}.log
    valgrind --quiet --error-exitcode=9 --leak-check=$leaks --errors-for-leak-kinds=definite "$@" >"$log" 2>&1
    local code=$?
    [ $code -le "${allowed:-0}" ] && return 0
    tail -n 40 "$log"
    echo "valgrind: $1: status $code"
    return 1
}
export -f run
# tests/cli and tests/reports drive the program from outside; the program itself is run below.
find "$build/tests" -type f -name 'test_*' -executable | grep -vE '/(cli|reports)/' | sort |
    xargs -P 2 -I{} bash -c 'run {} || exit 255' || exit 1
allowed=1 run "$build/faultline" run scenarios/incidents/github-2012-stale-promotion.yaml || exit 1
echo "valgrind: clean"
