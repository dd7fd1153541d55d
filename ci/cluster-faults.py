#!/usr/bin/env python3
"""Lets a kind cluster misbehave while scenarios run in it, and checks how the harness takes it.

One line for each fault: what became of the run, and what was wrong. Checked each time: the exit code, the cluster's own message and a hint in
the output, that the report is there where scenarios began, that the scenarios which the fault does not concern went on, that nothing of the
run is left, and that what belongs to others has not changed. Ends with 1 when anything was wrong.

Needs the dev build (`cargo build`), Docker, kubectl, and a context of a kind cluster that has the images and no other user: its API server is
stopped and its node paused. Arguments after `--` are passed to `conformance run`: the names of the images.
"""

import argparse
import contextlib
import dataclasses
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

from arguments import split_arguments
from built import CONFORMANCE
from fault_cluster import GONE_WITHIN_SECONDS, LOOKALIKES, Cluster, Ran
from leftovers import added, changed, left_after

FEW = ["blocks-sqli", "blocks-xss", "blocks-traversal", "agent-outlives-the-proxy"]
ONE = ["blocks-sqli"]
# The pod under test that a run makes first.
FIRST_POD = "pod-under-test-1"
# A scenario whose agents are in pods of their own: it has a namespace for itself, with a digest of its purpose in the name.
APART = "loses-responses-between-two-agents"
PURPOSE = f"response-data-{APART}"
# The user that may do little, and everything that belongs to it.
USER = "conformance-faults"
MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
WEBHOOK = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {{ name: conformance-faults }}
webhooks:
- name: refuses.conformance.example
  clientConfig: {{ url: "https://127.0.0.1:1/" }}
  failurePolicy: Fail
  sideEffects: None
  timeoutSeconds: 2
  admissionReviewVersions: [v1]
  rules:
  - {{ apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [{resource}], scope: "*" }}
"""


def api_server_away(seconds: int) -> Callable[[Cluster], Ran]:
    def inject(cluster: Cluster) -> Ran:
        process = cluster.start(FEW)
        cluster.await_namespace(r"conformance-\w+-\d+", process)
        # The kubelet starts a static pod again by itself; without its manifest it does not. It may have ended it before it is asked to end.
        away = False
        try:
            cluster.on_node(f"mv {MANIFEST} /var/tmp/; kill -KILL $(pidof kube-apiserver) || true")
            back = time.monotonic() + seconds
            while time.monotonic() < back:
                away |= not cluster.answers()
                time.sleep(0.1)
        finally:
            cluster.on_node(f"mv /var/tmp/kube-apiserver.yaml {MANIFEST}")
        cluster.expect(away, "the API was never away: nothing was tested")
        return recovered(cluster, process)
    return inject


def node_paused(cluster: Cluster) -> Ran:
    process = cluster.start(FEW)
    cluster.await_namespace(r"conformance-\w+-\d+", process)
    subprocess.run(["docker", "pause", cluster.node], check=True, capture_output=True)
    try:
        time.sleep(20)
    finally:
        subprocess.run(["docker", "unpause", cluster.node], check=True, capture_output=True)
    return recovered(cluster, process)


def wrong_after_recovery(code: int | None, results: dict[str, str]) -> list[str]:
    """Returns what is wrong about a run that went on after a fault: a result that judges, or an exit code that the results do not have."""
    wrong = [f"{name} {result}" for name, result in results.items() if result not in ("passed", "errored")]
    if code != (3 if "errored" in results.values() else 0):
        wrong.append(f"exit code {code}")
    return wrong


def recovered(cluster: Cluster, process: subprocess.Popen[str]) -> Ran:
    """Whatever the fault met may be errored, with a cause. Nothing may be judged wrong because of it, and all have a result."""
    ran = cluster.finish(process)
    cluster.expect(sorted(ran.results) == sorted(FEW), f"the report has {sorted(ran.results)}")
    for what in wrong_after_recovery(ran.code, ran.results):
        cluster.expect(False, what)
    return ran


def pod_evicted(cluster: Cluster) -> Ran:
    process = cluster.start(FEW, "--jobs", "1")
    namespace = cluster.await_namespace(r"conformance-\w+-\d+", process)
    body = json.dumps({"apiVersion": "policy/v1beta1", "kind": "Eviction", "metadata": {"name": FIRST_POD, "namespace": namespace}})
    deadline = time.monotonic() + 60
    while True:
        try:
            cluster.kubectl("create", "--raw", f"/api/v1/namespaces/{namespace}/pods/{FIRST_POD}/eviction", "--filename", "-", text=body)
            break
        except RuntimeError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    ran = recovered(cluster, process)
    cluster.expect(list(ran.results.values()).count("passed") == len(FEW) - 1, f"{ran.results}")
    return ran


def without_option(arguments: list[str], option: str) -> list[str]:
    """Returns the arguments without an option and its value."""
    if option not in arguments:
        return arguments
    position = arguments.index(option)
    return arguments[:position] + arguments[position + 2 :]


def image_missing(cluster: Cluster) -> Ran:
    other = dataclasses.replace(cluster, rest=without_option(cluster.rest, "--app-image"))
    ran = cluster.finish(other.start(ONE, "--app-image", "conformance.local/absent:1"))
    cluster.expect(ran.code == 3, f"exit code {ran.code}")
    cluster.expect(ran.results == {"blocks-sqli": "errored"}, f"{ran.results}")
    cluster.expect_texts(ran, "conformance.local/absent:1", "hint")
    return ran


def refused(rules: str, *texts: str) -> Callable[[Cluster], Ran]:
    def inject(cluster: Cluster) -> Ran:
        try:
            kubeconfig = cluster.restricted(USER, rules)
            return refusal(cluster, cluster.start(ONE, kubeconfig=kubeconfig), *texts)
        finally:
            for kind in ["serviceaccount", "secret", "clusterrole", "clusterrolebinding"]:
                cluster.kubectl("delete", kind, USER, "--ignore-not-found")
    return inject


def refusal(cluster: Cluster, process: subprocess.Popen[str], *texts: str) -> Ran:
    ran = cluster.finish(process)
    cluster.expect(ran.code == 3, f"exit code {ran.code}")
    cluster.expect_texts(ran, "hint", *texts)
    return ran


def token_refused(cluster: Cluster) -> Ran:
    kubeconfig = cluster.with_token("this.is.none")
    return refusal(cluster, cluster.start(ONE, kubeconfig=kubeconfig), "Unauthorized", "log in to the cluster again")


def webhook_away(resource: str) -> Callable[[Cluster], Ran]:
    def inject(cluster: Cluster) -> Ran:
        cluster.kubectl("apply", "--filename", "-", text=WEBHOOK.format(resource=resource))
        try:
            # An API server takes a moment until it asks a new webhook.
            time.sleep(2)
            return refusal(cluster, cluster.start(ONE), "failed calling webhook", "admission policy")
        finally:
            cluster.kubectl("delete", "validatingwebhookconfiguration", "conformance-faults")
    return inject


def quota_used_up(cluster: Cluster) -> Ran:
    """The namespace of a scenario has a quota that lets no pod in, as a cluster gives to every new namespace of a team."""
    process = cluster.start(["blocks-sqli", APART], "--jobs", "1")
    run = cluster.await_namespace(r"conformance-[a-z0-9]{10}", process)
    name = f"{run}-{hashlib.sha256(PURPOSE.encode()).hexdigest()[:10]}"
    namespace = cluster.await_namespace(re.escape(name), process)
    cluster.kubectl("create", "quota", "none", "--namespace", namespace, "--hard", "pods=0")
    ran = cluster.finish(process)
    met = "exceeded quota" in ran.text
    cluster.expect(met, "the quota came too late: nothing was tested")
    cluster.expect(ran.results == {"blocks-sqli": "passed", APART: "errored"}, f"{ran.results}")
    cluster.expect(ran.code == 3, f"exit code {ran.code}")
    return ran


def name_taken(cluster: Cluster) -> Ran:
    process = cluster.start(["blocks-sqli", APART], "--jobs", "1")
    run = cluster.await_namespace(r"conformance-[a-z0-9]{10}", process)
    taken = [f"{run}-{hashlib.sha256(purpose.encode()).hexdigest()[:10]}" for purpose in (PURPOSE,)]
    for name in taken:
        cluster.kubectl("create", "namespace", name)
    before = cluster.namespaces()
    ran = cluster.finish(process)
    after = cluster.namespaces()
    for name in taken:
        cluster.expect(name in after, f"{name} is gone")
        cluster.kubectl("delete", "namespace", name)
    cluster.expect(all(after.get(name) == before[name] for name in taken), "the namespace that was taken has changed")
    cluster.expect(ran.results == {"blocks-sqli": "passed", APART: "errored"}, f"{ran.results}")
    cluster.expect(ran.code == 3, f"exit code {ran.code}")
    cluster.expect_texts(ran, "already exists", "it was left as it is")
    return ran


EVERYTHING = '[{ apiGroups: ["*"], resources: ["*"], verbs: ["get", "list", "watch"] }]'
ALL_BUT_PODS = '[{ apiGroups: ["*"], resources: ["*"], verbs: ["get", "list", "watch"] }, { apiGroups: [""], resources: ["namespaces"], verbs: ["*"] }]'
FAULTS: dict[str, Callable[[Cluster], Ran]] = {
    "no-permissions": refused("[]", "is forbidden", "kubectl auth can-i"),
    "no-namespaces": refused(EVERYTHING, "cannot create resource", "namespaces", "kubectl auth can-i"),
    "no-pods": refused(ALL_BUT_PODS, "cannot", "pods", "kubectl auth can-i"),
    "garbage-token": token_refused,
    "webhook-away-for-namespaces": webhook_away("namespaces"),
    "webhook-away-for-services": webhook_away("services"),
    "name-taken": name_taken,
    "quota-used-up": quota_used_up,
    "pod-evicted": pod_evicted,
    "image-missing": image_missing,
    "api-server-away-1-s": api_server_away(1),
    "api-server-away-5-s": api_server_away(5),
    "api-server-away-30-s": api_server_away(30),
    "node-paused-20-s": node_paused,
}


@contextlib.contextmanager
def lookalikes(cluster: Cluster) -> Iterator[None]:
    try:
        for name, labels in LOOKALIKES.items():
            cluster.kubectl("create", "namespace", name)
            for label, value in labels.items():
                cluster.kubectl("label", "namespace", name, f"{label}={value}")
        yield
    finally:
        cluster.await_api()
        cluster.end_what_runs()
        cluster.kubectl("delete", "namespace", *LOOKALIKES, "--wait=false", "--ignore-not-found")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=pathlib.Path, default=CONFORMANCE)
    parser.add_argument("--context", required=True, help="of a kind cluster that has no other user")
    parser.add_argument("--only", nargs="*", default=list(FAULTS), choices=list(FAULTS))
    own, passed_on = split_arguments(sys.argv[1:])
    options = parser.parse_args(own)
    node = options.context.removeprefix("kind-") + "-control-plane"
    leaked = bad = 0
    with tempfile.TemporaryDirectory(prefix="cluster-faults-") as folder:
        cluster = Cluster(options.context, node, pathlib.Path(folder), options.binary, passed_on)
        with lookalikes(cluster):
            untouched = cluster.namespaces()
            for name in options.only:
                cluster.found = []
                began = time.monotonic()
                try:
                    ran = FAULTS[name](cluster)
                except (RuntimeError, subprocess.SubprocessError) as error:
                    ran = Ran(-1, "", {})
                    cluster.found.append(f"the fault could not be injected: {error}")
                    cluster.await_api()
                    cluster.end_what_runs()
                took = time.monotonic() - began
                cluster.await_api()
                left = left_after(lambda: added(untouched, cluster.namespaces()), GONE_WITHIN_SECONDS, 1)
                touched = changed(untouched, cluster.namespaces())
                leaked += len(left)
                bad += bool(cluster.found or left or touched)
                results = " ".join(f"{scenario}={result}" for scenario, result in ran.results.items())
                print(f"{name:<28} exit {ran.code:>3} {took:5.0f} s  {'WRONG' if cluster.found or left or touched else 'right'}  {results}", flush=True)
                for what in cluster.found + [f"LEFT {name}" for name in left] + [f"CHANGED {name}" for name in touched]:
                    print(f"  {what}", flush=True)
                if cluster.found:
                    print("    | " + "\n    | ".join(ran.text.strip().split("\n")[-25:]), flush=True)
    print(f"{len(options.only)} faults injected, {leaked} leaked, {bad} taken wrongly")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
