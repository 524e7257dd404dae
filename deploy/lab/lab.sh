#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Several hosts on one machine: each is a network namespace with an address of its own, on a bridge
# that lives in a namespace too, so the machine's own network is neither touched nor reached.
# Needs root, or sudo without a password; commands still run as the user who calls.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: deploy/lab/lab.sh [--name LAB] up N | exec HOST CMD... | cut HOST | heal HOST | down
  up N            make hosts h1 to hN with the addresses 10.77.0.1 to 10.77.0.N; prints one "HOST ADDRESS" a line
  exec HOST CMD   run CMD on HOST, in the place of this process: its exit code and its signals are CMD's
  cut HOST        pull HOST's cable: what is sent to and from it is lost, and nobody is told
  heal HOST       put the cable back
  down            remove all of it; does nothing where there is nothing; stops no process
  --name LAB      several labs at the same time, each with its own network (default: lab)
Example: deploy/lab/lab.sh up 2 && deploy/lab/lab.sh exec h2 ip address; deploy/lab/lab.sh down
Exit codes: 77 where this machine allows no network namespaces, 2 for wrong usage, 1 for anything else that failed.
TEXT
}

fail() {
  printf 'lab: %s\n' "$1" >&2
  exit "${2:-1}"
}
misused() {
  printf 'lab: %s\n' "$1" >&2
  usage >&2
  exit 2
}

lab=lab
if [ "${1:-}" = --name ]; then
  lab=${2:-}
  [[ $lab =~ ^[a-z0-9]{1,16}$ ]] || misused "a lab's name is 1 to 16 of a-z and 0-9, not '$lab'"
  shift 2
fi
switch=cobus-$lab-net # the namespace of the bridge; one port for each host, named as the host

command -v ip >/dev/null || fail "ip is not installed: deploy/install-packages.sh test installs it (iproute2)"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  sudo -n true 2>/dev/null || fail "network namespaces need root: run as root, or as a user whose sudo asks for no password" 77
  as_root=(sudo)
fi
as_root() { "${as_root[@]}" "$@"; }

namespace_of() { printf 'cobus-%s-%s' "$lab" "$1"; }
namespaces() { ip netns list | awk '{print $1}' | grep -xE "cobus-$lab-(net|h[0-9]+)" || true; }
need_host() {
  [ -n "${1:-}" ] || misused "which host?"
  namespaces | grep -qxF "$(namespace_of "$1")" && return
  local hosts
  hosts=$(namespaces | sed -n "s/^cobus-$lab-\(h[0-9]*\)$/\1/p" | sort -V | paste -sd' ')
  [ -n "$hosts" ] || fail "no lab named '$lab' is up; start one with: deploy/lab/lab.sh --name $lab up 3"
  fail "no host '$1' in the lab '$lab'; its hosts: $hosts"
}

# Processes that still run there are left alone: whoever started them ends them. They lose their network.
tear_down() {
  local namespace running
  for namespace in $(namespaces); do
    running=$(as_root ip netns pids "$namespace" | paste -sd' ')
    [ -z "$running" ] || printf 'lab: still running in %s, left alone: %s\n' "$namespace" "$running" >&2
  done
  if namespaces | grep -qxF "$switch"; then
    # A cable goes with either end, also where a process keeps the host's namespace alive.
    for port in $(as_root ip -n "$switch" -o link show type veth | sed -n 's/^[0-9]*: \([^@:]*\).*/\1/p'); do
      as_root ip -n "$switch" link delete "$port"
    done
  fi
  for namespace in $(namespaces); do
    as_root ip netns delete "$namespace"
  done
}

add_host() {
  local host=$1 address=$2 namespace
  namespace=$(namespace_of "$host")
  as_root ip netns add "$namespace" &&
    as_root ip -n "$namespace" link set lo up &&
    as_root ip -n "$switch" link add "$host" type veth peer name eth0 netns "$namespace" &&
    as_root ip -n "$switch" link set "$host" master bridge up &&
    as_root ip -n "$namespace" address add "$address/24" dev eth0 &&
    as_root ip -n "$namespace" link set eth0 up
}

build() {
  local hosts=$1 number
  as_root ip netns add "$switch" &&
    as_root ip netns exec "$switch" true &&
    as_root ip -n "$switch" link add bridge type bridge forward_delay 0 &&
    as_root ip -n "$switch" link set bridge up || return 1
  for ((number = 1; number <= hosts; ++number)); do
    add_host "h$number" "10.77.0.$number" || return 1
  done
}

up() {
  local hosts=${1:-} number
  if ! [[ $hosts =~ ^[1-9][0-9]?$ ]]; then
    misused "up takes a number of hosts, 1 to 99, not '$hosts'"
  fi
  [ -z "$(namespaces)" ] || fail "the lab '$lab' is up already; remove it with: deploy/lab/lab.sh --name $lab down"
  local said
  if ! said=$(build "$hosts" 2>&1); then
    tear_down
    fail "this machine allows no network namespaces: ${said:-ip failed without a word}" 77
  fi
  for ((number = 1; number <= hosts; ++number)); do
    printf 'h%d 10.77.0.%d\n' "$number" "$number"
  done
}

run_on() {
  local host=${1:-}
  need_host "$host"
  shift
  [ $# -gt 0 ] || misused "what is to run on $host?"
  if [ ${#as_root[@]} -eq 0 ]; then
    exec ip netns exec "$(namespace_of "$host")" "$@"
  fi
  exec sudo -E ip netns exec "$(namespace_of "$host")" \
    setpriv --reuid "$(id -u)" --regid "$(id -g)" --init-groups env "PATH=$PATH" "$@"
}

verb=${1:-}
[ $# -eq 0 ] || shift
case $verb in
  up) up "$@" ;;
  exec) run_on "$@" ;;
  cut) need_host "${1:-}" && as_root ip -n "$switch" link set "$1" down ;;
  heal) need_host "${1:-}" && as_root ip -n "$switch" link set "$1" up ;;
  down) tear_down ;;
  -h | --help | help) usage ;;
  *) misused "unknown verb '$verb'" ;;
esac
