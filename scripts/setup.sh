#!/usr/bin/env bash
# Installs the Debian 12 packages that meshlib is built and tested with.
#
#   scripts/setup.sh        what building and testing needs
#   scripts/setup.sh --ci   also what the remaining stages of scripts/test.sh
#                           need: Clang, its formatter, linter and sanitizers
#
# Safe to run again: with everything in place it changes nothing and needs no
# rights. Otherwise it needs root, or sudo.
set -euo pipefail

packages=(
  cmake ninja-build ccache g++ pkg-config python3
  libabsl-dev libprotobuf-dev protobuf-compiler libyaml-cpp-dev libre2-dev
  libboost1.81-dev libxxhash-dev rapidjson-dev libcli11-dev
  libssl-dev libnghttp2-dev libc-ares-dev
  libgtest-dev libgmock-dev libbenchmark-dev
)
ci_packages=(
  clang-16 clang-tidy-16 clang-format-16 libclang-rt-16-dev
  git python3-yaml python3-venv util-linux
  android-libboringssl-dev
  # Only tests talk to these: peers of other make.
  nghttp2-server nghttp2-client curl libgrpc++-dev
)

case "${1:-}" in
  "") ;;
  --ci) packages+=("${ci_packages[@]}") ;;
  *) echo "usage: scripts/setup.sh [--ci]" >&2; exit 2 ;;
esac

if ! command -v apt-get > /dev/null; then
  echo "setup: no apt-get here. On other systems install these yourself:" \
       "${packages[*]}" >&2
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null ||
           true)
  [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo > /dev/null; then
    echo "setup: needs root or sudo to install: ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
  if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq \
       -o DPkg::Lock::Timeout=300 "$@" > "$log" 2>&1; then
    return 1
  fi
}

echo "setup: installing ${missing[*]}"
# A bare machine has no package lists, an old one has stale ones.
if ! ls /var/lib/apt/lists/*_Packages* > /dev/null 2>&1; then
  apt update || { cat "$log" >&2; exit 1; }
fi
if ! apt install -y --no-install-recommends "${missing[@]}"; then
  apt update || { cat "$log" >&2; exit 1; }
  apt install -y --no-install-recommends "${missing[@]}" ||
    { cat "$log" >&2; exit 1; }
fi
