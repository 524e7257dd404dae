#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs erlang_bench.erl: NAME [COUNT] [FOLDER], as every bench program. It is compiled in FOLDER (the
# present one without), once. Where more than one scheduler may help or harm, it prints a figure of each.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
name=${1:?usage: erlang_bench.sh NAME|versions [COUNT] [FOLDER]}
count=${2:-0}
folder=${3:-.}

[ "$folder/erlang_bench.beam" -nt "$here/erlang_bench.erl" ] || erlc -o "$folder" "$here/erlang_bench.erl"

run() {
  erl +P 2000000 "$@" -noshell -pa "$folder" -run erlang_bench main "$name" "$count"
}

case $name in
  ping_pong | one_way | ring | timer) run +S 1 && run ;;
  cross_shard) run +S 2 ;;
  *) run ;;
esac
