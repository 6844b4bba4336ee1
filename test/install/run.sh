#!/usr/bin/env bash
# Installs a finished build and uses it the three ways that users do.
#
#   test/install/run.sh BUILD_FOLDER WORK_FOLDER
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$1
work=$2
# The library as a subproject is kept: building it again would take minutes.
rm -rf "$work"/{prefix,find_package,pkg_config}
mkdir -p "$work"

quietly() {
  "$@" > "$work/log" 2>&1 || { tail -n 60 "$work/log"; return 1; }
}
launcher=()
! command -v ccache > /dev/null ||
  launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
cmake_consumer() { # kind, arguments
  quietly cmake -S "$here/$1" -B "$work/$1" -G Ninja \
    -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_EXTENSIONS=OFF \
    ${launcher[@]+"${launcher[@]}"} "${@:2}"
  quietly cmake --build "$work/$1" --target consumer testing_consumer \
    -j"${MESHLIB_JOBS:-$(nproc)}"
  printf '%s: ' "$1"
  "$work/$1/consumer"
  printf '%s: ' "$1"
  "$work/$1/testing_consumer"
}

quietly cmake --install "$build" --prefix "$work/first"
# A package is moved after it was installed (Conan, Debian): nothing in it may
# know where it was.
mv "$work/first" "$work/prefix"
if grep -rIlF -e "$work/first" -e "$(cd "$here/../.." && pwd)" \
   "$work/prefix"; then
  echo "the files above hold paths of this machine"
  exit 1
fi

cmake_consumer find_package -DCMAKE_PREFIX_PATH="$work/prefix"
cmake_consumer add_subdirectory

pc=$(dirname "$(find "$work/prefix" -name meshlib.pc)")
export PKG_CONFIG_PATH="$pc${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
mkdir -p "$work/pkg_config"
pkg_config_consumer() { # program, its libraries
  # shellcheck disable=SC2046
  quietly g++ -std=c++17 -fno-exceptions -fno-rtti "$here/$1.cc" \
    -o "$work/pkg_config/$1" "${@:2}" $(pkg-config --cflags --libs meshlib)
  printf 'pkg-config: '
  "$work/pkg_config/$1"
}
pkg_config_consumer consumer
pkg_config_consumer testing_consumer -lmeshlib_testing
