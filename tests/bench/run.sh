#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds the bench programs, runs ours and the peers' in turn, prints a table and writes JSON; run.py does it.
# Try: tests/bench/run.sh --help
set -euo pipefail
exec python3 -B "$(dirname "${BASH_SOURCE[0]}")/run.py" "$@"
