#!/usr/bin/env bash
# Everything that a change must pass, in the order in which it fails soonest. Needs Rust, Python 3 with pip, and Linux.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s (%s s)\n' "$1" "$SECONDS"; }

step 'formatting'
cargo fmt --all --check

step 'lints'
cargo clippy --workspace --all-targets -- -D warnings

if cargo deny --version >/dev/null 2>&1; then
  step 'dependencies'
  cargo deny check
fi

step 'documentation'
RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --quiet

step 'tests, the conformance scenarios among them'
# In a cluster that somebody keeps it would be another check.
CONFORMANCE_ENVIRONMENT=local cargo test

step 'the suite, as a user runs it'
cargo conformance

# The tests have run the suite once already; a second run must decide the same.
step 'the same decisions twice'
mapfile -t records < <(find target/conformance -name decisions.tsv -printf '%T@ %p\n' | sort -n | tail -2 | cut -d' ' -f2)
diff "${records[@]}"

# Where something beside the checkout makes a cluster possible, the suite has to hold on a real kubelet too.
if [[ -x ../shared/kind/setup.sh ]]; then
  step 'a cluster is possible'
  ../shared/kind/setup.sh
  step 'the suite on a real kubelet'
  ci/cluster.sh kind
fi

step 'every wrong agent and wrong deployment is noticed'
cargo run --quiet --release --bin conformance -- self-test

step 'done'
