# What demo.sh and test.sh share; sourced by them.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
jobs=${MESHLIB_JOBS:-$(nproc)}
cache="${XDG_CACHE_HOME:-$HOME/.cache}/meshlib-ci"

# Objects are shared between build folders and between checkouts.
export CCACHE_DIR="${CCACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/ccache}"
export CCACHE_MAXSIZE="${CCACHE_MAXSIZE:-5G}"
export CCACHE_BASEDIR="${CCACHE_BASEDIR:-$root}"
export CCACHE_NOHASHDIR="${CCACHE_NOHASHDIR:-1}"

say() { printf '%s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; return 1; }

# logged LOG COMMAND...: runs it with all output in LOG; the end of LOG is
# shown if it fails.
logged() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  if ! "$@" > "$log" 2>&1; then
    tail -n "${MESHLIB_LOG_LINES:-80}" "$log"
    fail "failed: $* (log: $log)"
  fi
}

# configure PRESET FOLDER [CMAKE ARGUMENT...]
configure() {
  local preset=$1 folder=$2
  shift 2
  logged "$root/$folder/configure.log" \
    cmake -S "$root" --preset "$preset" "$@"
}

# build FOLDER [TARGET...]
build() {
  local folder=$1
  shift
  logged "$root/$folder/build.log" \
    cmake --build "$root/$folder" -j"$jobs" ${1:+--target "$@"}
}

# The tool, wherever the build put it.
find_meshctl() {
  local found
  found=$(find "$root/build" -type f -name meshctl -perm -u+x 2> /dev/null |
          head -n 1)
  [ -n "$found" ] || fail "no meshctl below build/"
  printf '%s\n' "$found"
}
