"""The kind cluster that `cluster-faults.py` disturbs: what is asked of it, the runs in it, and what was wrong with them."""

import base64
import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from reports import results

# Namespaces of others that resemble ours: one by its name, one by its name and label, without an owner.
LOOKALIKES = {"conformance-stranger": {}, "conformance-h0abcdefgh": {"conformance/run": "h0abcdefgh"}}
GONE_WITHIN_SECONDS = 120
RUN_WITHIN_SECONDS = 600


def versions(items: list[dict[str, Any]]) -> dict[str, str]:
    """Returns what changes of each namespace when it does, by name."""
    return {item["metadata"]["name"]: f"{item['metadata']['uid']} {item['metadata']['resourceVersion']}" for item in items}


def is_of_a_run(namespace: str, pattern: str) -> bool:
    """Whether a namespace has a name of this form and is none of those that only resemble ours."""
    return re.fullmatch(pattern, namespace) is not None and namespace not in LOOKALIKES


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

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        command = ["kubectl", "--context", self.context, "--request-timeout", "20s", *arguments]
        ran = subprocess.run(command, capture_output=True, text=True, input=text, timeout=120)
        if ran.returncode != 0:
            raise RuntimeError(f"{' '.join(arguments)}: {ran.stderr.strip()}")
        return ran.stdout

    def on_node(self, script: str) -> None:
        subprocess.run(["docker", "exec", self.node, "sh", "-c", script], check=True, capture_output=True, timeout=120)

    def namespaces(self) -> dict[str, str]:
        return versions(json.loads(self.kubectl("get", "namespaces", "--output", "json"))["items"])

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
        found: dict[str, str] = {}
        for report in (self.folder / "reports").glob("*/report.json"):
            found |= {name.split("::")[-1]: result for name, result in results(json.loads(report.read_text())).items()}
        return Ran(process.returncode, text, found)

    def await_namespace(self, pattern: str, process: subprocess.Popen[str]) -> str:
        """Waits until a namespace of the run is there; returns its name."""
        deadline = time.monotonic() + RUN_WITHIN_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(RuntimeError):
                for name in self.namespaces():
                    if is_of_a_run(name, pattern):
                        return name
            time.sleep(0.1)
        raise RuntimeError(f"{pattern} was not there before the run, or its time, ended")

    def expect(self, right: bool, what: str) -> None:
        if not right:
            self.found.append(what)

    def expect_texts(self, ran: Ran, *texts: str) -> None:
        for text in texts:
            self.expect(text in ran.text, f"`{text}` is not in the output")

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
