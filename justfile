# The commands that a person runs. `just` is optional: each recipe is the one command below it, and CONTRIBUTING.md shows the same.

# Lists the recipes.
default:
    @just --list

# Runs the suite in `local`; arguments go to `conformance run`.
run *arguments:
    cargo conformance {{arguments}}

# Runs every test; arguments go to `cargo test`.
test *arguments:
    cargo test {{arguments}}

# Runs the linter as CI does.
lint:
    cargo clippy --workspace --all-targets -- -D warnings

# Runs everything that a change must pass.
check:
    .ci/run

# Runs wrong agents and wrong deployments, and sees each one noticed.
self-test *arguments:
    cargo run --bin conformance -- self-test {{arguments}}

# Runs the suite in a cluster of kind that is made for it and removed.
kind *arguments:
    ci/cluster.sh kind {{arguments}}

# Runs each fuzz target for so many seconds.
fuzz *arguments:
    ci/fuzz.sh {{arguments}}

# Prints what the suite costs, with the release build.
bench:
    ci/benchmark.py

# Says what this machine can run, what is missing, and the fix.
doctor:
    cargo run --bin conformance -- doctor
