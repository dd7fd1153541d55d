#!/usr/bin/env python3
"""Lets a kind cluster misbehave while scenarios run in it, and looks at how the harness takes it.

One line for each fault: what became of the run, and what was wrong. Looked at each time: the exit code, the cluster's own words and a hint in
the output, that the report is there where scenarios began, that the scenarios which the fault does not concern went on, that nothing of the
run is left, and that what is somebody else's has not changed. Ends with 1 when anything was wrong.

Needs the release binary (`cargo build --release`), Docker, kubectl, and a context of a kind cluster that has the images and that nobody else
uses: its API server is stopped and its node paused. Arguments after `--` are passed to `conformance run`: the names of the images.
"""

import argparse
import base64
import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from built import CONFORMANCE

FEW = ["blocks-sqli", "blocks-xss", "blocks-traversal", "agent-outlives-the-proxy"]
ONE = ["blocks-sqli"]
# Namespaces of somebody else that look like ours: one by its name, one by its name and label, without an owner.
LOOKALIKES = {"conformance-somebody": {}, "conformance-h0abcdefgh": {"conformance/run": "h0abcdefgh"}}
# How the harness calls the purpose of that scenario's namespace, of which the digest is in the name.
PURPOSE = "decisions-blocks-xss"
# The user that may do little, and everything that belongs to it.
USER = "conformance-faults"
GONE_WITHIN_SECONDS = 120
RUN_WITHIN_SECONDS = 600
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


@dataclass
class Ran:
    code: int
    text: str
    results: dict[str, str]


@dataclass
class Cluster:
    context: str
    node: str
    folder: pathlib.Path
    binary: pathlib.Path
    rest: list[str]
    found: list[str] = field(default_factory=list)
    running: subprocess.Popen[str] | None = None

    def kubectl(self, *words: str, text: str | None = None) -> str:
        command = ["kubectl", "--context", self.context, "--request-timeout", "20s", *words]
        ran = subprocess.run(command, capture_output=True, text=True, input=text, timeout=120)
        if ran.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: {ran.stderr.strip()}")
        return ran.stdout

    def on_node(self, script: str) -> None:
        subprocess.run(["docker", "exec", self.node, "sh", "-c", script], check=True, capture_output=True, timeout=120)

    def namespaces(self) -> dict[str, str]:
        items = json.loads(self.kubectl("get", "namespaces", "--output", "json"))["items"]
        return {item["metadata"]["name"]: f"{item['metadata']['uid']} {item['metadata']['resourceVersion']}" for item in items}

    def answers(self) -> bool:
        command = ["kubectl", "--context", self.context, "--request-timeout", "1s", "get", "--raw", "/readyz"]
        return subprocess.run(command, capture_output=True, timeout=30).returncode == 0

    def await_api(self) -> None:
        """Waits until the API has answered three times in a row."""
        deadline, in_a_row = time.monotonic() + 180, 0
        while in_a_row < 3:
            try:
                self.kubectl("get", "nodes")
                in_a_row += 1
            except RuntimeError as error:
                in_a_row = 0
                if time.monotonic() > deadline:
                    sys.exit(f"the API does not come back: {error}")
            time.sleep(1)

    def start(self, scenarios: list[str], *more: str, kubeconfig: str | None = None) -> subprocess.Popen[str]:
        reports = self.folder / "reports"
        subprocess.run(["rm", "-rf", str(reports)], check=True)
        command = [str(self.binary), "run", *scenarios, "--environment", "existing", "--output", str(reports), *self.rest, *more]
        environment = dict(os.environ, TMPDIR=str(self.folder))
        if kubeconfig:
            environment["KUBECONFIG"] = kubeconfig
        else:
            command += ["--context", self.context]
        self.running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
        return self.running

    def end_what_runs(self) -> None:
        """Ends a run that was given up, in its orderly way: it removes what it has made."""
        if self.running and self.running.poll() is None:
            self.running.terminate()
            self.running.communicate(timeout=GONE_WITHIN_SECONDS)

    def finish(self, process: subprocess.Popen[str]) -> Ran:
        try:
            text, _ = process.communicate(timeout=RUN_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            text, _ = process.communicate()
            self.found.append(f"the run had not ended after {RUN_WITHIN_SECONDS} s")
        results = {}
        for report in (self.folder / "reports").glob("*/report.json"):
            for scenario in json.loads(report.read_text())["scenarios"]:
                result = scenario["result"]
                results[scenario["name"].split("::")[-1]] = result if isinstance(result, str) else next(iter(result))
        return Ran(process.returncode, text, results)

    def await_namespace(self, pattern: str, process: subprocess.Popen[str]) -> str:
        """Waits until a namespace of the run is there; returns its name."""
        deadline = time.monotonic() + RUN_WITHIN_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(RuntimeError):
                for name in self.namespaces():
                    if re.fullmatch(pattern, name) and name not in LOOKALIKES:
                        return name
            time.sleep(0.1)
        raise RuntimeError(f"{pattern} was not there before the run, or its time, ended")

    def expect(self, right: bool, what: str) -> None:
        if not right:
            self.found.append(what)

    def expect_words(self, ran: Ran, *words: str) -> None:
        for word in words:
            self.expect(word in ran.text, f"`{word}` is not in the output")

    def restricted(self, name: str, rules: str) -> str:
        """Makes a user who may only do what the rules say; returns its kubeconfig."""
        self.kubectl("apply", "--filename", "-", text=f"""
apiVersion: v1
kind: ServiceAccount
metadata: {{ name: {name}, namespace: default }}
---
apiVersion: v1
kind: Secret
metadata: {{ name: {name}, namespace: default, annotations: {{ kubernetes.io/service-account.name: {name} }} }}
type: kubernetes.io/service-account-token
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{ name: {name} }}
rules: {rules}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{ name: {name} }}
roleRef: {{ apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {name} }}
subjects: [{{ kind: ServiceAccount, name: {name}, namespace: default }}]
""")
        deadline = time.monotonic() + 30
        while not (token := self.kubectl("get", "secret", name, "--output", "jsonpath={.data.token}")):
            if time.monotonic() > deadline:
                raise RuntimeError(f"the account {name} gets no token")
            time.sleep(0.2)
        return self.with_token(base64.b64decode(token).decode())

    def with_token(self, token: str) -> str:
        config = json.loads(self.kubectl("config", "view", "--raw", "--minify", "--output", "json"))
        config["users"][0]["user"] = {"token": token}
        path = self.folder / "kubeconfig"
        path.write_text(json.dumps(config))
        return str(path)


def api_server_away(seconds: int) -> Callable[[Cluster], Ran]:
    def inject(cluster: Cluster) -> Ran:
        process = cluster.start(FEW)
        cluster.await_namespace(r"conformance-\w+-\w{10}", process)
        # The kubelet starts a static pod again by itself; without its manifest it does not. It may have ended it before it is told to end.
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
    cluster.await_namespace(r"conformance-\w+-\w{10}", process)
    subprocess.run(["docker", "pause", cluster.node], check=True, capture_output=True)
    try:
        time.sleep(20)
    finally:
        subprocess.run(["docker", "unpause", cluster.node], check=True, capture_output=True)
    return recovered(cluster, process)


def recovered(cluster: Cluster, process: subprocess.Popen[str]) -> Ran:
    """Whatever the fault met may be errored, with a cause. Nothing may be judged wrong because of it, and all have a result."""
    ran = cluster.finish(process)
    cluster.expect(sorted(ran.results) == sorted(FEW), f"the report has {sorted(ran.results)}")
    for name, result in ran.results.items():
        cluster.expect(result in ("passed", "errored"), f"{name} {result}")
    errored = "errored" in ran.results.values()
    cluster.expect(ran.code == (3 if errored else 0), f"exit code {ran.code}")
    return ran


def pod_evicted(cluster: Cluster) -> Ran:
    process = cluster.start(FEW, "--jobs", "1")
    namespace = cluster.await_namespace(r"conformance-\w+-\w{10}", process)
    body = json.dumps({"apiVersion": "policy/v1beta1", "kind": "Eviction", "metadata": {"name": "pod-under-test", "namespace": namespace}})
    deadline = time.monotonic() + 60
    while True:
        try:
            cluster.kubectl("create", "--raw", f"/api/v1/namespaces/{namespace}/pods/pod-under-test/eviction", "--filename", "-", text=body)
            break
        except RuntimeError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    ran = recovered(cluster, process)
    cluster.expect(list(ran.results.values()).count("passed") == len(FEW) - 1, f"{ran.results}")
    return ran


def image_missing(cluster: Cluster) -> Ran:
    words = cluster.rest
    if "--app-image" in words:
        position = words.index("--app-image")
        words = words[:position] + words[position + 2 :]
    other = dataclasses.replace(cluster, rest=words)
    ran = cluster.finish(other.start(ONE, "--app-image", "conformance.local/absent:1"))
    cluster.expect(ran.code == 3, f"exit code {ran.code}")
    cluster.expect(ran.results == {"blocks-sqli": "errored"}, f"{ran.results}")
    cluster.expect_words(ran, "conformance.local/absent:1", "hint")
    return ran


def refused(rules: str, *words: str) -> Callable[[Cluster], Ran]:
    def inject(cluster: Cluster) -> Ran:
        try:
            kubeconfig = cluster.restricted(USER, rules)
            return refusal(cluster, cluster.start(ONE, kubeconfig=kubeconfig), *words)
        finally:
            for kind in ["serviceaccount", "secret", "clusterrole", "clusterrolebinding"]:
                cluster.kubectl("delete", kind, USER, "--ignore-not-found")
    return inject


def refusal(cluster: Cluster, process: subprocess.Popen[str], *words: str) -> Ran:
    ran = cluster.finish(process)
    cluster.expect(ran.code == 3, f"exit code {ran.code}")
    cluster.expect_words(ran, "hint", *words)
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
    process = cluster.start(["blocks-sqli", "blocks-xss"], "--jobs", "1")
    run = cluster.await_namespace(r"conformance-[a-z0-9]{10}", process)
    name = f"{run}-{hashlib.sha256(PURPOSE.encode()).hexdigest()[:10]}"
    namespace = cluster.await_namespace(re.escape(name), process)
    cluster.kubectl("create", "quota", "none", "--namespace", namespace, "--hard", "pods=0")
    ran = cluster.finish(process)
    met = "exceeded quota" in ran.text
    cluster.expect(met, "the quota came too late: nothing was tested")
    cluster.expect(ran.results == {"blocks-sqli": "passed", "blocks-xss": "errored"}, f"{ran.results}")
    cluster.expect(ran.code == 3, f"exit code {ran.code}")
    return ran


def name_taken(cluster: Cluster) -> Ran:
    process = cluster.start(["blocks-sqli", "blocks-xss"], "--jobs", "1")
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
    cluster.expect(ran.results == {"blocks-sqli": "passed", "blocks-xss": "errored"}, f"{ran.results}")
    cluster.expect(ran.code == 3, f"exit code {ran.code}")
    cluster.expect_words(ran, "already exists", "it was left as it is")
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
    parser.add_argument("--context", required=True, help="of a kind cluster that nobody else uses")
    parser.add_argument("--only", nargs="*", default=list(FAULTS), choices=list(FAULTS))
    words = sys.argv[1:]
    split = words.index("--") if "--" in words else len(words)
    options = parser.parse_args(words[:split])
    node = options.context.removeprefix("kind-") + "-control-plane"
    leaked = bad = 0
    with tempfile.TemporaryDirectory(prefix="cluster-faults-") as folder:
        cluster = Cluster(options.context, node, pathlib.Path(folder), options.binary, words[split + 1 :])
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
                deadline = time.monotonic() + GONE_WITHIN_SECONDS
                while (left := sorted(set(cluster.namespaces()) - set(untouched))) and time.monotonic() < deadline:
                    time.sleep(1)
                changed = [namespace for namespace, version in untouched.items() if cluster.namespaces().get(namespace) != version]
                leaked += len(left)
                bad += bool(cluster.found or left or changed)
                results = " ".join(f"{scenario}={result}" for scenario, result in ran.results.items())
                print(f"{name:<28} exit {ran.code:>3} {took:5.0f} s  {'WRONG' if cluster.found or left or changed else 'right'}  {results}", flush=True)
                for what in cluster.found + [f"LEFT {name}" for name in left] + [f"CHANGED {name}" for name in changed]:
                    print(f"  {what}", flush=True)
                if cluster.found:
                    print("    | " + "\n    | ".join(ran.text.strip().split("\n")[-25:]), flush=True)
    print(f"{len(options.only)} faults injected, {leaked} leaked, {bad} taken wrongly")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
