#!/usr/bin/env bash
# Prints what an agent costs, with the release build: the hop, a delay that is known, and every ladder. Takes about seven minutes; options, as
# `--agent-binary PATH`, go to each of them. What is printed stands in docs/benchmarks.md; nothing here passes or fails but by its exit code.
set -euo pipefail
cd "$(dirname "$0")/.."

measure() {
  printf '\n## conformance bench %s\n' "$*"
  cargo --quiet conformance-bench "$@"
}

measure "$@"
measure --b env.STUB_DECISION_DELAY=1ms "$@"
for ladder in rate connections body input; do
  measure ladder "$ladder" "$@"
done
measure ladder env.STUB_DECISION_DELAY --steps 0ms,1ms,10ms,100ms,500ms,900ms,1100ms "$@"
