#!/usr/bin/env bash
# Builds the fuzz targets of fuzz/ and runs each for SECONDS (60). Ends with another code than 0 at a crash, a hang or a leak, and keeps the
# input in fuzz/artifacts/<target>/. What a target has learnt stays in fuzz/corpus/<target>/ for the next run.
#
# Neither nightly nor cargo-fuzz is needed: our own code is safe Rust, so coverage is instrumented and no sanitizer is. With both at hand
# `cargo +nightly fuzz run TARGET` runs the same targets under AddressSanitizer. Needs a C++ compiler, for libFuzzer.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"

seconds=${1:-60}
shift || true
targets=("${@:-}")
[[ -n ${targets[0]} ]] || targets=(check data_log loader response wire)
host=$(rustc -vV | sed -n 's/^host: //p')

# With a target named, build scripts and macros are not instrumented.
export CARGO_ENCODED_RUSTFLAGS=$(printf '%s\x1f' \
  --cfg=fuzzing \
  -Cpasses=sancov-module \
  -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
  -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares \
  -Ccodegen-units=1 | sed 's/\x1f$//')
cargo build --release --locked --target "$host" ${CARGO_BUILD_JOBS:+-j "$CARGO_BUILD_JOBS"}

failed=0
for target in "${targets[@]}"; do
  mkdir -p "corpus/$target" "artifacts/$target"
  seeds=()
  [[ -d seeds/$target ]] && seeds=("seeds/$target")
  if [[ $target == loader ]]; then
    # The shipped scenarios are the best seeds there are.
    find ../scenarios -name '*.yaml' -exec cp --update=none {} "corpus/loader/" \;
  fi
  printf '\n== %s, %s s\n' "$target" "$seconds"
  # A unit over 10 s is a hang, over 1 GiB a leak: what is read here is at most a few kilobytes.
  if ! "target/$host/release/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=8192 -print_final_stats=1 \
    -artifact_prefix="artifacts/$target/" "corpus/$target" "${seeds[@]}" 2>&1 | grep -vE '^#[0-9]+\s+(NEW|REDUCE|RELOAD)'; then
    echo "$target has failed; the input lies in fuzz/artifacts/$target/"
    failed=1
  fi
done
exit "$failed"
