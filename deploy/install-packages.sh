#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs the Debian packages of the named groups of deploy/packages.txt (default: build and test) that
# are not there yet, and says which. As root, or through sudo; asks nothing. Where nothing is
# missing it changes nothing, needs no rights and takes no time.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: deploy/install-packages.sh [--dry-run] [GROUP...]
  GROUP      build, test or bench, as in deploy/packages.txt (default: build and test)
  --dry-run  print what is missing, one name a line, and install nothing
TEXT
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
list=$here/packages.txt

fail() {
  printf 'install-packages: %s\n' "$*" >&2
  exit 1
}

dry_run=no
groups=()
for argument in "$@"; do
  case $argument in
    -h | --help) usage; exit 0 ;;
    --dry-run) dry_run=yes ;;
    -*) usage >&2; exit 2 ;;
    *)
      if ! grep -qxF "[$argument]" "$list"; then
        printf 'install-packages: no group "%s" in %s; it has: %s\n' "$argument" "$list" \
          "$(sed -n 's/^\[\(.*\)\]$/\1/p' "$list" | paste -sd' ')" >&2
        exit 2
      fi
      groups+=("$argument")
      ;;
  esac
done
[ ${#groups[@]} -gt 0 ] || groups=(build test)

{ command -v dpkg-query && command -v apt-get; } >/dev/null ||
  fail "this is not Debian: install what $list names with your system's tools, then build with cmake --preset release"

wanted=$(awk -v groups=" ${groups[*]} " '
  /^\[.*\]$/ { group = substr($0, 2, length($0) - 2); next }
  /^[a-z0-9]/ && index(groups, " " group " ") { print $1 }' "$list" | sort -u)
installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p')
missing=()
for package in $wanted; do
  grep -qxF "$package" <<<"$installed" || missing+=("$package")
done

if [ "$dry_run" = yes ]; then
  [ ${#missing[@]} -eq 0 ] || printf '%s\n' "${missing[@]}"
  exit 0
fi
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  by_hand="apt-get install --no-install-recommends ${missing[*]}"
  command -v sudo >/dev/null || fail "packages are missing and only root may install them; as root: $by_hand"
  # Without a terminal sudo cannot ask, so it must not need to.
  sudo -n true 2>/dev/null || [ -t 0 ] ||
    fail "packages are missing, sudo wants a password and there is no terminal to ask at; by hand: sudo $by_hand"
  as_root=(sudo)
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" >>"$log" 2>&1 </dev/null
}
# A new machine has no package lists, an old one may have stale ones: both show as a failure to install.
install_missing() {
  apt install --no-install-recommends --simulate "${missing[@]}" &&
    apt install --no-install-recommends "${missing[@]}"
}

printf 'Installing %d Debian packages: %s\n' ${#missing[@]} "${missing[*]}"
[ ${#as_root[@]} -eq 0 ] || sudo true || fail "sudo refused: the packages above are needed"
if ! install_missing; then
  : >"$log"
  printf 'Bringing the package lists up to date first (apt-get update).\n'
  if ! { apt update && install_missing; }; then
    tail -n 20 "$log" >&2
    fail "apt-get could not install them; its last words are above. cobus needs Debian 12 with its updates and security sources"
  fi
fi
