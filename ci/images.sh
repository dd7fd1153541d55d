#!/usr/bin/env bash
# Makes the images of `conformance images`, loads each into Docker and starts it as a cluster would: with a read-only root and
# the image's own user. Needs Docker; its images are removed at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

archives=$(mktemp -d)
names=()
clean() {
  if ((${#names[@]})); then docker image rm --force "${names[@]}" >/dev/null; fi
  rm -rf "$archives"
}
trap clean EXIT

image() { grep -o "^conformance.local/$1:[0-9a-f]*" "$archives/list"; }

# What is done, the text that its output must hold, and the arguments of `docker run`.
expect() {
  local what=$1 text=$2 answer
  shift 2
  answer=$(docker run --rm --read-only --network none "$@" 2>&1) || true
  if [[ $answer != *"$text"* ]]; then
    printf '%s: no `%s` in\n%s\n' "$what" "$text" "$answer" >&2
    exit 1
  fi
  printf 'ok  %s\n' "$what"
}

cargo run --quiet --bin conformance -- images --output "$archives" >"$archives/list"
while IFS=$'\t' read -r name _ _ archive; do
  docker load --quiet --input "$archive" >/dev/null
  names+=("$name")
  user=$(docker image inspect --format '{{.Config.User}}' "$name")
  [[ $user == 65532:65532 ]] || { printf '%s runs as `%s`\n' "$name" "$user" >&2; exit 1; }
done <"$archives/list"

expect 'the agent starts' SIGSCI_ENVOY_GRPC_ADDRESS "$(image agent-stub)" --usage
expect 'the application starts' 'not an address to listen on' "$(image helloworld)" nonsense
expect 'Envoy starts' version: "$(image envoy)" --version
expect 'the harness starts' 'Exit codes' "$(image conformance)" --help
for name in agent-stub helloworld envoy; do
  expect "$name has what hooks and probes run" 'tools work' --entrypoint bash "$(image "$name")" -c \
    'sleep 0 && cat /etc/passwd | grep -q 65532 && ls /tmp && exec sh -c "echo tools work"'
done
expect 'the agent says that it cannot write' 'Read-only file system' --env SIGSCI_ACCESSKEYID=a \
  --env SIGSCI_SECRETACCESSKEY=b --env SIGSCI_ENVOY_GRPC_ADDRESS=localhost:9999 "$(image agent-stub)"
