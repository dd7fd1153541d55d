#!/usr/bin/env bash
# Prints how often a difference of each size is found by ten generations: 1,000 simulated runs a line (`harness/verdict/src/latency/simulation_tests.rs`).
set -euo pipefail
cd "$(dirname "$0")/.."
cargo test --quiet --package harness-verdict --lib -- --ignored --exact --nocapture latency::simulation_tests::power_curve
