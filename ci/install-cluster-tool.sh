#!/usr/bin/env bash
# Puts a pinned version of kind or k3d into a folder: `ci/install-cluster-tool.sh TOOL FOLDER`. Needs curl and sha256sum.
set -euo pipefail

tool=$1 folder=$2
case $(uname -m) in
  x86_64) machine=amd64 ;;
  aarch64) machine=arm64 ;;
  *) printf 'no release for %s\n' "$(uname -m)" >&2; exit 1 ;;
esac
case $tool in
  kind) base=https://github.com/kubernetes-sigs/kind/releases/download/v0.33.0 list=kind-linux-$machine.sha256sum ;;
  k3d) base=https://github.com/k3d-io/k3d/releases/download/v5.9.0 list=checksums.txt ;;
  *) printf 'neither kind nor k3d: %s\n' "$tool" >&2; exit 2 ;;
esac
file=$tool-linux-$machine
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
curl --fail --silent --show-error --location --retry 3 --output "$work/$file" "$base/$file"
curl --fail --silent --show-error --location --retry 3 --output "$work/sums" "$base/$list"
expected=$(awk -v file="$file" '$2 ~ file "$" { print $1 }' "$work/sums")
printf '%s  %s\n' "$expected" "$work/$file" | sha256sum --check --quiet
mkdir -p "$folder"
install -m 0755 "$work/$file" "$folder/$tool"
