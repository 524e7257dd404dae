#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# From a fresh clone to a running cluster: installs what is missing, builds, starts a broker and three nodes as
# processes of their own with encryption on, gives them real work, shows the messages that carried it, and stops
# what it started. All sockets are on 127.0.0.1 and all state in a temporary folder, so nothing stays behind but
# the installed packages and build/release.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ $# -gt 0 ]; then
  printf 'Usage: deploy/quickstart.sh     (no arguments)\n'
  case $1 in -h | --help) exit 0 ;; *) exit 2 ;; esac
fi

state=$(mktemp -d "${TMPDIR:-/tmp}/cobus-quickstart.XXXXXX")
pids=()    # of what this script started, in the order of their start
daemons=() # their names; the output of each is in $state/NAME.log

heading() { printf '\n== %s\n' "$*"; }
now_ms() { printf '%d' $((${EPOCHREALTIME/[.,]/} / 1000)); }
seconds_since() { awk -v ms=$(($(now_ms) - $1)) 'BEGIN { printf "%.2f s", ms / 1000 }'; }

# fail TEXT [LOG]: says what went wrong, with the end of the output that explains it.
fail() {
  printf '\nquickstart: %s\n' "$1" >&2
  [ -z "${2:-}" ] || tail -n 30 "$2" | sed 's/^/  /' >&2
  exit 1
}

# Stops only what this script started, by process id, the last one first.
stop_all() {
  local i deadline
  for ((i = ${#pids[@]} - 1; i >= 0; --i)); do
    kill -TERM "${pids[i]}" 2>/dev/null || true
    deadline=$((SECONDS + 10))
    while kill -0 "${pids[i]}" 2>/dev/null && [ $SECONDS -lt $deadline ]; do sleep 0.02; done
    kill -KILL "${pids[i]}" 2>/dev/null || true
    wait "${pids[i]}" 2>/dev/null || true
  done
  pids=()
}
clean_up() {
  local code=$?
  trap - EXIT INT TERM
  stop_all
  rm -rf "$state"
  exit "$code"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# quietly WHAT COMMAND...: runs a command whose output matters only if it fails.
quietly() {
  local what=$1
  shift
  "$@" >"$state/$what.log" 2>&1 </dev/null || fail "$what failed: $*" "$state/$what.log"
}
# run COMMAND-LINE: shows a command line as one would type it, and runs exactly that.
run() {
  printf '$ %s\n' "$1"
  eval "$1"
}
# start NAME COMMAND...: shows a daemon's command line and runs it in the background.
start() {
  local name=$1
  shift
  printf '$ %s &\n' "$*"
  "$@" >"$state/$name.log" 2>&1 </dev/null &
  pids+=($!)
  daemons+=("$name")
}
# wait_until WHAT COMMAND...: until the command succeeds; fails if a daemon ends or half a minute passes.
wait_until() {
  local what=$1 i deadline=$((SECONDS + 30))
  shift
  until "$@"; do
    for i in "${!pids[@]}"; do
      kill -0 "${pids[i]}" 2>/dev/null || fail "${daemons[i]} ended too early; it said:" "$state/${daemons[i]}.log"
    done
    [ $SECONDS -lt $deadline ] || fail "waited 30 s in vain for $what; the broker said:" "$state/broker.log"
    sleep 0.05
  done
}
nodes_up() { [ "$(cobus nodes -o json 2>/dev/null | grep -o '"state": *"up"' | wc -l)" -ge 3 ]; }

heading 'Packages and build'
begun=$(now_ms)
deploy/install-packages.sh build
# Where the tests have been built, their configuration is kept.
[ -f build/release/build.ninja ] || quietly configuration cmake --preset release -DCOBUS_TESTS=OFF -DCOBUS_BENCH=OFF
quietly build cmake --build build/release --target cobus-broker cobus-node cobus
printf 'The programs are in build/release/bin (%s).\n' "$(seconds_since "$begun")"
export PATH=$PWD/build/release/bin:$PATH COBUS_STATE=$state/cluster
cd "$state"

heading 'A broker and three nodes, each a process, encrypted, on free ports of 127.0.0.1'
begun=$(now_ms)
printf '$ export PATH=build/release/bin:%s COBUS_STATE=%s\n' "\$PATH" "$COBUS_STATE"
start broker cobus-broker --listen tcp://127.0.0.1:0
wait_until 'the join string of the broker' test -s "$COBUS_STATE/join/node"
for name in alpha beta gamma; do
  start "$name" cobus-node --name "$name" --listen tcp://127.0.0.1:0
done
wait_until 'three nodes' nodes_up
printf 'Up after %s.\n' "$(seconds_since "$begun")"
run 'cobus nodes -o table'
run 'cobus services -o table'

heading 'Words of every licence on this machine, counted on all nodes'
map='cobus map text.Text/WordCount --files text /usr/share/common-licenses/* --keep-order -o jsonl'
begun=$(now_ms)
run "$map --bar >counts.jsonl"
files=(/usr/share/common-licenses/*)
printf '%d files in %s.\n' ${#files[@]} "$(seconds_since "$begun")"
# The same three numbers for each file, as the nodes and as wc count them.
for field in lines words bytes; do
  sed -n "s/.*\"$field\": *\"\{0,1\}\([0-9]*\).*/\1/p" counts.jsonl >"$field"
done
paste -d' ' lines words bytes >counts
for file in "${files[@]}"; do
  LC_ALL=C wc <"$file" | awk '{ print $1, $2, $3 }'
done >expected
printf '%8s %8s %8s  %s\n' lines words bytes file
paste -d' ' counts <(basename -a "${files[@]}") | awk '{ printf "%8d %8d %8d  %s\n", $1, $2, $3, $4 }'
cmp -s counts expected || fail 'these are not the numbers of wc:' expected
printf 'The same as LC_ALL=C wc says, file by file.\n'

heading 'A durable job: the primes below fifty million'
begun=$(now_ms)
run "cobus submit math.Primes/Count '{\"from\":0,\"to\":50000000}' --wait -o json | tee primes.json"
grep -q '"\{0,1\}3001134' primes.json || fail 'the result should hold 3001134'
printf '3001134 is right (%s).\n' "$(seconds_since "$begun")"
run 'cobus jobs -o table'

heading 'Ten of the messages that carry such a map'
printf '$ cobus tap --count 10 -o jsonl &\n'
cobus tap --count 10 -o jsonl >"$state/tap.jsonl" 2>"$state/tap.log" &
tap=$!
pids+=("$tap")
daemons+=(tap)
deadline=$((SECONDS + 30))
printf '$ %s >/dev/null\n' "$map"
# A tap sees what happens from its own start on, so the map is repeated until it has seen ten messages.
while kill -0 "$tap" 2>/dev/null; do
  [ $SECONDS -lt $deadline ] || fail 'the tap saw no ten messages in 30 s; it said:' "$state/tap.log"
  eval "$map" >/dev/null
done
wait "$tap" || fail "the tap ended with exit code $?; it said:" "$state/tap.log"
unset 'pids[-1]' 'daemons[-1]'
cut -c 1-240 "$state/tap.jsonl"

heading 'The end'
begun=$(now_ms)
stop_all
printf 'All stopped (%s). What to read next: README.md. What to try next: cobus up\n' "$(seconds_since "$begun")"
