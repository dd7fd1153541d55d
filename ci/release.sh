#!/usr/bin/env bash
# Makes the archive of a release: ci/release.sh VERSION TARGET FOLDER. The version has to be the workspace's, and the executable linked statically.
# Writes FOLDER/conformance-VERSION-TARGET.tar.gz and its SHA-256 beside it.
set -euo pipefail
version=$1 target=$2 folder=$3
cd "$(dirname "$0")/.."

# In MB, unpacked.
readonly largest=40

stated=$(cargo metadata --no-deps --format-version 1 | python3 -c 'import json, sys; print(next(p["version"] for p in json.load(sys.stdin)["packages"] if p["name"] == "conformance"))')
if [[ $stated != "$version" ]]; then
  printf 'the tag says %s and Cargo.toml %s\n' "$version" "$stated" >&2
  exit 1
fi
cargo build --release --workspace --bin conformance
built=$(cargo metadata --no-deps --format-version 1 | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
built=$built/$(uname -m)-unknown-linux-gnu/release/conformance
if ! ldd "$built" 2>&1 | grep --quiet -e 'statically linked' -e 'not a dynamic executable'; then
  printf '%s is not linked statically\n' "$built" >&2
  exit 1
fi
name=conformance-$version-$target
mkdir -p "$folder/$name"
strip --strip-all --output-file "$folder/$name/conformance" "$built"
size=$((($(stat --format %s "$folder/$name/conformance") + 999999) / 1000000))
if ((size > largest)); then
  printf 'the executable has %d MB, and %d are the most\n' "$size" "$largest" >&2
  exit 1
fi
tar --create --gzip --sort=name --owner=0 --group=0 --mtime=@0 --directory "$folder" --file "$folder/$name.tar.gz" "$name"
rm -r "${folder:?}/$name"
(cd "$folder" && sha256sum "$name.tar.gz" >"$name.tar.gz.sha256")
printf '%s: %d MB unpacked\n' "$folder/$name.tar.gz" "$size"
