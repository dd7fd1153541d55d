#!/usr/bin/env bash
# Runs the suite in a cluster of kind or k3d: `ci/cluster.sh TOOL NODE_IMAGE [ARGUMENT…]`. The arguments go to `conformance run`.
# Needs Rust, Docker, the tool, and Linux with a static C library; ci/install-cluster-tool.sh gets the tool.
set -euo pipefail
cd "$(dirname "$0")/.."

tool=$1 node_image=$2
shift 2
cargo conformance --environment "$tool" --node-image "$node_image" "$@"

# What is left would be a defect, whatever the scenarios say. The engine is asked, since the tool would not know half a cluster.
left=$(docker ps --all --format '{{.Names}}' | grep conformance- || true)
if [[ -n $left ]]; then
  printf 'left behind: %s\n' "$left" >&2
  exit 1
fi
