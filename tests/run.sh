#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs what is missing, builds, and runs all tests. While tests run it prints how many are done, and each that fails with
# its output. The last line is the count, "N passed, N failed, N skipped"; the exit code is 0 if none failed
# and at least one ran.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: tests/run.sh [--preset NAME] [--jobs N] [CTEST-ARGUMENT...]
  --preset NAME  release (default), debug, asan or tsan; built in build/NAME
  --jobs N       tests at a time (default: three for each core, since they wait most of the time)
  The rest selects tests as for ctest: tests/run.sh -R codec runs those whose names contain "codec".
TEXT
}

preset=release
arguments=()
jobs=()
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --preset)
      [ $# -gt 1 ] || { usage >&2; exit 2; }
      preset=$2
      shift
      ;;
    --preset=*) preset=${1#*=} ;;
    --jobs)
      [ $# -gt 1 ] || { usage >&2; exit 2; }
      jobs=(--jobs "$2")
      shift
      ;;
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
# Benchmarks are compiled where they mean something, and in the debug build, which shows missing includes.
bench=ON
case $preset in asan | tsan) bench=OFF ;; esac
step configure cmake --preset "$preset" -DCOBUS_TESTS=ON -DCOBUS_BENCH=$bench
step build cmake --build "$build" -j "$cores"

# What a sanitizer finds ends the test, with names in the report.
symbolizer=$(command -v llvm-symbolizer-19 || true)
export ASAN_OPTIONS="external_symbolizer_path=$symbolizer:${ASAN_OPTIONS:-}"
export TSAN_OPTIONS="external_symbolizer_path=$symbolizer:halt_on_error=1:ignore_noninstrumented_modules=1:second_deadlock_stack=1:${TSAN_OPTIONS:-}"
export UBSAN_OPTIONS="external_symbolizer_path=$symbolizer:print_stacktrace=1:${UBSAN_OPTIONS:-}"

exec /usr/bin/env python3 -B tests/runner.py --build "$build" --junit "$build/tests.xml" "${jobs[@]}" "${arguments[@]}" </dev/null
