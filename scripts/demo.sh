#!/usr/bin/env bash
# Builds meshctl and shows what meshlib does with an example mesh: two mesh
# clusters in two regions. Does all of its own set-up on a fresh Debian 12.
#
#   scripts/demo.sh             set up, build, run
#   scripts/demo.sh --no-setup  with the packages already there
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

[ "${1:-}" = --no-setup ] || scripts/setup.sh
say "Building meshctl in build/ (the first time takes minutes; ccache keeps it)"
configure default build
build build meshctl
meshctl=$(find_meshctl)
mesh=examples/two-clusters/mesh.yaml
checkout=(-c "$mesh" --authority checkout.shop.global:8080)

bold= plain=
if [ -t 1 ]; then bold=$'\033[1m' plain=$'\033[0m'; fi
title() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
run() { # explanation, command
  printf '\n# %s\n$ meshctl %s\n' "$1" "${*:2}"
  "$meshctl" "${@:2}"
}

title "1. Is the configuration sound?"
run "Every problem is named with its path and line; none here." \
  validate "$mesh"

title "2. Where would this request go, and why?"
run "A payment in region-a: the canary takes 5 of 100 requests; the pick
# stays in the caller's own region." \
  explain "${checkout[@]}" --path /v1/pay --method POST --seed 1
run "The header x-canary sends a request to the canary outright." \
  explain "${checkout[@]}" --path /v1/pay --header x-canary=always --seed 1

title "3. What would 10,000 requests do?"
run "A healthy mesh: shares are exact, not drawn." \
  simulate "${checkout[@]}" --path /v1/cart --requests 10000 --seed 1

title "4. And if region-a lost its hosts?"
run "All of region-a is unhealthy: region-b serves, nothing fails." \
  simulate "${checkout[@]}" --path /v1/cart --requests 10000 --seed 1 \
  --down 'region-a/*'
run "Half of region-a is gone: 140 % overprovisioning keeps most at home." \
  simulate "${checkout[@]}" --path /v1/cart --requests 10000 --seed 1 \
  --down 'region-a/a1'
run "One host refuses connections: retries and ejection take over." \
  simulate "${checkout[@]}" --path /v1/cart --requests 10000 --seed 1 \
  --refuse 10.1.1.1:8080

title "5. Which host does a key stick to?"
run "Carts are hashed by the header x-cart on a Maglev table." \
  explain -c "$mesh" --authority carts.shop.global:8080 --path /items \
  --header x-cart=4711 --seed 1
