#!/usr/bin/env bash
# Runs the suite in a cluster of kind or k3d: `ci/cluster.sh TOOL [ARGUMENT…]`. The arguments go to `conformance run`.
# Needs Rust, Docker, the tool, and Linux with a static C library; ci/install-cluster-tool.sh gets the tool.
set -euo pipefail
cd "$(dirname "$0")/.."

tool=$1
shift
cargo conformance --environment "$tool" "$@"

# What is left would be a defect, whatever the scenarios say. The engine is asked, since the tool would not know half a cluster.
left=$(docker ps --all --format '{{.Names}}' | grep conformance- || true)
if [[ -n $left ]]; then
  printf 'left behind: %s\n' "$left" >&2
  exit 1
fi
