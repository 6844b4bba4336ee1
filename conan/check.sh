#!/usr/bin/env bash
# Creates and tests the Conan package with the system's libraries, in a Conan
# home of its own, without any remote.
#
#   conan/check.sh CONAN WORK_FOLDER
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
conan=$1
mkdir -p "$2"
work=$(cd "$2" && pwd)
export CONAN_HOME="$work/home"
# Each run builds in a new folder below; ccache sees the same relative paths.
export CCACHE_BASEDIR="$CONAN_HOME"
rm -rf "$CONAN_HOME"

quietly() {
  "$@" > "$work/log" 2>&1 || { tail -n 80 "$work/log"; return 1; }
}
quietly "$conan" profile detect
quietly "$conan" create "$here" --no-remote --build=missing \
  -o 'meshlib/*:system_packages=True' \
  -s build_type=RelWithDebInfo -s compiler.cppstd=17 \
  -c tools.cmake.cmaketoolchain:generator=Ninja \
  -c tools.build:jobs="${MESHLIB_JOBS:-$(nproc)}" \
  -c tools.cmake.cmake_layout:test_folder="$work/test_package"
grep -E 'meshlib works' "$work/log"
