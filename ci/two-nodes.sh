#!/usr/bin/env bash
# Runs the scenarios of fleets in a cluster of kind with two nodes: `ci/two-nodes.sh [ARGUMENT…]`. The arguments go to `conformance run`.
# Needs Rust, Docker, kind, and Linux with a static C library. Where the node image has no network between its nodes, as one without a network plugin
# of its own, it is given one: a range of addresses for each node's pods, and routes to those of the others.
set -euo pipefail
cd "$(dirname "$0")/.."

conformance=(cargo run --quiet --bin conformance --)
said=$(mktemp)
trap 'rm -f "$said"' EXIT
"${conformance[@]}" up --environment kind --nodes 2 2>&1 | tee "$said"
# Only what was made here is removed: a cluster that was kept already is the user's.
if grep --quiet '^conformance-[a-z0-9]*: made,' "$said"; then trap '"${conformance[@]}" down --environment kind; rm -f "$said"' EXIT; fi
cluster=$(sed -n 's/^\(conformance-[a-z0-9]*\): .*/\1/p' "$said" | head --lines 1)
nodes=$(docker exec "$cluster-control-plane" kubectl --kubeconfig /etc/kubernetes/admin.conf get nodes \
  --output 'jsonpath={range .items[*]}{.metadata.name} {.spec.podCIDR} {.status.addresses[?(@.type=="InternalIP")].address}{"\n"}{end}')
printf '%s\n' "$nodes"

bridge=/etc/cni/net.d/10-bridge.conflist
while read -r node range _ <&3; do
  docker exec "$node" test -e "$bridge" || continue
  if ! docker exec "$node" grep --quiet "$range" "$bridge"; then
    docker exec "$node" sh -c "sed -i 's#\"subnet\":\"[^\"]*\"#\"subnet\":\"$range\"#' $bridge && rm -rf /var/lib/cni/networks && { ip link delete cni0 2>/dev/null || true; }"
  fi
  while read -r other other_range address <&4; do
    if [[ $other != "$node" ]]; then docker exec "$node" ip route replace "$other_range" via "$address"; fi
  done 4<<<"$nodes"
done 3<<<"$nodes"

# Both nodes are this machine: half as many scenarios at the same time as on one node.
cargo conformance --environment kind --nodes 2 --feature rollout "$@"
