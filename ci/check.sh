#!/usr/bin/env bash
# Everything that a change must pass, in the order in which it fails soonest. Ends with a table of the time that each step took, also where one failed.
# Needs Rust, Python 3 with pip, and Linux. Every build is of the dev profile, so that the steps share what they build.
set -euo pipefail
cd "$(dirname "$0")/.."

names=()
spans=()
current=

finish_step() {
  [[ -n $current ]] || return 0
  names+=("$current")
  spans+=($((SECONDS - began)))
  current=
}

step() {
  finish_step
  current=$1
  began=$SECONDS
  printf '\n== %s\n' "$1"
}

print_table() {
  local status=$? failed=$current position
  finish_step
  printf '\n== time of each step\n'
  for position in "${!names[@]}"; do
    printf '%6d s  %s\n' "${spans[position]}" "${names[position]}"
  done
  printf '%6d s  in all\n' "$SECONDS"
  if ((status != 0)); then printf 'failed with exit code %d: %s\n' "$status" "$failed"; fi
}
trap print_table EXIT

step 'formatting'
cargo fmt --all --check

step 'documents and scripts'
for script in ci/*.sh; do bash -n "$script"; done
python3 ci/documents.py
python3 -m unittest discover --quiet --start-directory ci/tests

step 'one set of dependencies'
python3 ci/features.py

step 'lints'
cargo clippy --workspace --all-targets -- -D warnings

if cargo deny --version >/dev/null 2>&1; then
  step 'dependencies'
  cargo deny check
fi

step 'documentation of the code'
RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --quiet

# A step of its own, so that the table has the time of the build apart from that of the tests. Everything after it uses what it builds.
step 'build'
cargo test --no-run

step 'what nextest lists'
python3 ci/nextest.py

step 'tests, the conformance scenarios among them'
# In a cluster that `conformance up` has made it would be another check.
CONFORMANCE_ENVIRONMENT=local cargo test

step 'the suite, as a user runs it'
cargo conformance

# The tests have run the suite once already; a second run must decide the same.
step 'the same decisions twice'
python3 ci/same-decisions.py target/conformance

step 'the suite without the data log of the agent'
cargo conformance --agent-env SIGSCI_WAF_DATA_LOG=

step 'an agent of another make'
cargo build --workspace --bin plain-agent
plain_agent=target/$(rustc --version --verbose | sed -n 's/^host: //p')/debug/plain-agent
cargo conformance --agent-profile agents/plain.yaml --agent-binary "$plain_agent"

# Where something beside the checkout makes a cluster possible, the suite has to hold on a real kubelet too. Its set-up is a step before it and not
# beside the builds: it unpacks gigabytes, and would take from them what it gains.
if [[ -x ../shared/kind/setup.sh ]]; then
  step 'a cluster is possible'
  ../shared/kind/setup.sh
  step 'the suite on a real kubelet'
  ci/cluster.sh kind --exclude-feature rollout
  step 'fleets on two nodes'
  ci/two-nodes.sh
fi

step 'every wrong agent and wrong deployment is noticed'
cargo run --quiet --bin conformance -- self-test

finish_step
