#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs what is missing, builds, and runs all tests. The last line it prints is the count,
# "N passed, N failed, N skipped"; the exit code is 0 if none failed and at least one ran.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: tests/run.sh [--preset NAME] [CTEST-ARGUMENT...]
  --preset NAME  release (default), debug, asan or tsan; built in build/NAME
  The rest goes to ctest: tests/run.sh -R codec runs the tests whose names contain "codec".
TEXT
}

preset=release
arguments=()
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --preset)
      [ $# -gt 1 ] || { usage >&2; exit 2; }
      preset=$2
      shift
      ;;
    --preset=*) preset=${1#*=} ;;
    *) arguments+=("$1") ;;
  esac
  shift
done
case $preset in
  release | debug | asan | tsan) ;;
  *) printf 'run: no preset "%s"; there are: release debug asan tsan\n' "$preset" >&2; exit 2 ;;
esac

cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=build/$preset
log=$build/run.log
cores=$(nproc)
erase='' # what takes back the line that says what goes on; on a terminal only
[ ! -t 1 ] || erase=$'\r\033[K'

# Runs a step with its output in the log, and shows the log only if the step fails.
step() {
  local what=$1 begun=$SECONDS
  shift
  [ -z "$erase" ] || printf '%s ... (tail -f %s)' "$what" "$log"
  if ! "$@" >"$log" 2>&1 </dev/null; then
    printf '%s' "$erase"
    tail -n 200 "$log"
    printf '%s failed after %d s: %s (all of its output: %s)\n' "$what" $((SECONDS - begun)) "$*" "$log"
    exit 1
  fi
  printf '%s%-10s %4d s\n' "$erase" "$what" $((SECONDS - begun))
}

begun=$SECONDS
deploy/install-packages.sh
mkdir -p "$build"
printf 'packages   %4d s\n' $((SECONDS - begun))
step configure cmake --preset "$preset" -DCOBUS_TESTS=ON -DCOBUS_BENCH=ON
step build cmake --build "$build" -j "$cores"

# What a sanitizer finds ends the test, with names in the report.
symbolizer=$(command -v llvm-symbolizer-19 || true)
export ASAN_OPTIONS="external_symbolizer_path=$symbolizer:${ASAN_OPTIONS:-}"
export TSAN_OPTIONS="external_symbolizer_path=$symbolizer:halt_on_error=1:ignore_noninstrumented_modules=1:second_deadlock_stack=1:${TSAN_OPTIONS:-}"
export UBSAN_OPTIONS="external_symbolizer_path=$symbolizer:print_stacktrace=1:${UBSAN_OPTIONS:-}"

begun=$SECONDS
junit=$PWD/$build/tests.xml
rm -f "$junit"
code=0
ctest --test-dir "$build" -j "$cores" --timeout 300 --output-on-failure --no-tests=error \
  --output-junit "$junit" "${arguments[@]}" </dev/null || code=$?
printf 'tests      %4d s\n' $((SECONDS - begun))

# A test that could not be started counts as failed: only what says itself that it skips is skipped.
count() { grep -c "$1" "$junit" 2>/dev/null || true; }
total=$(count '<testcase ')
skipped=$(count 'message="SKIP_\|status="disabled"')
passed=$(count '<testcase .* status="run"')
failed=$((${total:-0} - ${skipped:-0} - ${passed:-0}))
[ "$code" -ne 0 ] || [ "$failed" -eq 0 ] || code=1
printf '%d passed, %d failed, %d skipped\n' "${passed:-0}" "$failed" "${skipped:-0}"
exit "$code"
