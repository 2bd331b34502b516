#!/bin/bash
# Unit tests, contract tests and one scenario under valgrind: no error, no byte lost.
set -u
cd "$(dirname "$0")/.."
build=$1
unset FAULTLINE_SOAK
export SCALE=0.05
run() { valgrind --quiet --error-exitcode=9 --leak-check="$leaks" --errors-for-leak-kinds=definite "$@" >"$build/valgrind.log" 2>&1; }
# tests/cli and tests/reports drive the program from outside; the program itself is run below.
for program in $(find "$build/tests" -type f -name 'test_*' -executable | grep -vE '/(cli|reports)/' | sort); do
    leaks=full
    case $program in */test_check | */test_folder) leaks=no ;; esac # their children exit, or are killed, on purpose
    run "$program"
    code=$?
    [ $code = 0 ] || { tail -n 40 "$build/valgrind.log"; echo "valgrind: $program: status $code"; exit 1; }
done
leaks=full
run "$build/faultline" run scenarios/incidents/github-2012-stale-promotion.yaml
[ $? -le 1 ] || { tail -n 40 "$build/valgrind.log"; echo "valgrind: a scenario"; exit 1; }
echo "valgrind: clean"
