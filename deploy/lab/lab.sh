#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Several hosts on one machine: each is a network namespace with an address of its own, on a bridge
# that lives in a namespace too, so the machine's own network is neither touched nor reached.
# Needs root, or sudo without a password; commands still run as the user who calls.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: deploy/lab/lab.sh [--name LAB] up N | exec HOST CMD... | cut HOST [--in|--out] | cut FROM TO |
                         loss HOST PERCENT | heal [HOST] | down
  up N               make hosts h1 to hN with the addresses 10.77.0.1 to 10.77.0.N; prints one "HOST ADDRESS" a line
  exec HOST CMD      run CMD on HOST, in the place of this process: its exit code and its signals are CMD's
  cut HOST           pull HOST's cable: what is sent to and from it is lost, and nobody is told
  cut HOST --in      only what is sent to HOST is lost; --out: only what HOST sends
  cut FROM TO        only what FROM sends to TO is lost
  loss HOST PERCENT  so much of what is sent to HOST, and of what it sends, is lost at random
  heal [HOST]        undo every cut and loss that HOST has part in; without HOST, all there are
  down               remove all of it; does nothing where there is nothing; stops no process
  --name LAB         several labs at the same time, each with its own network (default: lab)
Example: deploy/lab/lab.sh up 2 && deploy/lab/lab.sh exec h2 ip address; deploy/lab/lab.sh down
One-way cuts and loss need nft (nftables). Exit codes: 77 where this machine allows no network namespaces, or nothing
to drop packets with; 2 for wrong usage, 1 for anything else that failed.
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
hosts() { namespaces | sed -n "s/^cobus-$lab-\(h[0-9]*\)$/\1/p" | sort -V; }
need_host() {
  [ -n "${1:-}" ] || misused "which host?"
  namespaces | grep -qxF "$(namespace_of "$1")" && return
  local hosts
  hosts=$(hosts | paste -sd' ')
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

# Packets are dropped where the bridge hands them on. Each fault is a table of its own, which names its hosts.
on_switch() { as_root ip netns exec "$switch" nft "$@"; }
need_nft() {
  command -v nft >/dev/null ||
    fail "nft is not installed, which one-way cuts and loss need: deploy/install-packages.sh test installs it (nftables)" 77
}
drop_packets() { # TABLE RULE...
  local table=$1 said
  shift
  need_nft
  if ! said=$({
    printf 'table bridge %s\ndelete table bridge %s\n' "$table" "$table"
    printf 'table bridge %s {\n  chain forward {\n    type filter hook forward priority 0\n' "$table"
    printf '    %s drop\n' "$@"
    printf '  }\n}\n'
  } | on_switch -f - 2>&1); then
    fail "the kernel of this machine drops no packets on a bridge (nftables): $said" 77
  fi
}

cut_host() {
  need_host "${1:-}"
  case ${2:-} in
    '') as_root ip -n "$switch" link set "$1" down ;;
    --in) drop_packets "in_$1" "oifname $1" ;;
    --out) drop_packets "out_$1" "iifname $1" ;;
    -*) misused "cut takes --in or --out, not '$2'" ;;
    *)
      need_host "$2"
      [ "$1" != "$2" ] || misused "a host is not cut off from itself"
      drop_packets "cut_$1_$2" "iifname $1 oifname $2"
      ;;
  esac
}

lose() {
  need_host "${1:-}"
  if ! [[ ${2:-} =~ ^[1-9][0-9]?$ ]]; then
    misused "loss takes a percentage, 1 to 99, not '${2:-}'"
  fi
  local some="numgen random mod 100 < $2"
  drop_packets "loss_$1" "iifname $1 $some" "oifname $1 $some"
}

heal() {
  local host=${1:-} table
  if [ -z "$host" ]; then
    for host in $(hosts); do heal "$host"; done
    return
  fi
  need_host "$host"
  as_root ip -n "$switch" link set "$host" up
  command -v nft >/dev/null || return 0 # then there is nothing to undo
  for table in $(on_switch list tables bridge | awk '{print $3}' | grep -E "_$host(_|\$)" || true); do
    on_switch delete table bridge "$table"
  done
}

verb=${1:-}
[ $# -eq 0 ] || shift
case $verb in
  up) up "$@" ;;
  exec) run_on "$@" ;;
  cut) cut_host "$@" ;;
  loss) lose "$@" ;;
  heal) heal "$@" ;;
  down) tear_down ;;
  -h | --help | help) usage ;;
  *) misused "unknown verb '$verb'" ;;
esac
