#!/bin/bash
# Unit tests, contract tests and one scenario under valgrind: no error, no byte lost.
set -u
cd "$(dirname "$0")/.."
build=$1
unset FAULTLINE_SOAK
run() { SCALE=0.05 valgrind --quiet --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite "$@" >"$build/valgrind.log" 2>&1; }
for program in $(find "$build/tests" -type f -name 'test_*' -executable | sort); do
    run "$program"
    code=$?
    [ $code = 0 ] || { tail -n 40 "$build/valgrind.log"; echo "valgrind: $program: status $code"; exit 1; }
done
run "$build/faultline" run scenarios/incidents/github-2012-stale-promotion.yaml
[ $? -le 1 ] || { tail -n 40 "$build/valgrind.log"; echo "valgrind: a scenario"; exit 1; }
echo "valgrind: clean"
