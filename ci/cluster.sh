#!/usr/bin/env bash
# Runs the suite in a cluster of kind or k3d: `ci/cluster.sh TOOL [ARGUMENT…]`. The arguments go to `conformance run`.
# Needs Rust, Docker, the tool, and Linux with a static C library; ci/install-cluster-tool.sh gets the tool.
set -euo pipefail
cd "$(dirname "$0")/.."

tool=$1
shift

# What there is of clusters of ours, one line each. The engine is asked, since the tool does not know a cluster that is half made.
clusters_of_ours() {
  docker ps --all --format 'container {{.Names}}' >"$1"
  docker volume ls --format 'volume {{.Name}}' >>"$1"
  docker network ls --format 'network {{.Name}}' >>"$1"
  sed -n '/conformance-/p' "$1" | sort >"$1.ours"
}

seen=$(mktemp -d)
trap 'rm -rf "$seen"' EXIT
clusters_of_ours "$seen/before"
status=0
cargo conformance --environment "$tool" "$@" || status=$?

# What is left is a defect, whatever the scenarios say.
clusters_of_ours "$seen/after"
left=$(comm -13 "$seen/before.ours" "$seen/after.ours")
if [[ -n $left ]]; then
  printf 'left behind: %s\n' "$left" >&2
  exit 1
fi
exit "$status"
