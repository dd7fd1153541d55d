#!/usr/bin/env python3
"""Takes one thing away at a time (a rule of the stub, a setting of the proxy) and checks that the scenarios named here turn red for it.

Needs the release binaries: `cargo build --release`. Prints a line for each removal; ends with 1 when one went unnoticed, or was noticed
for another reason than the one given here.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What is taken away, the scenarios that must fail for it, and what one of each one's findings must say.
MUTANTS = [
    ("ignores-signal-aws-ssrf", ["A04-aws-ssrf"], "expected blocked-by-agent"),
    ("ignores-signal-backdoor", ["A04-backdoor"], "expected blocked-by-agent"),
    ("ignores-signal-cmdexe", ["A02-cmdexe", "A04-cmdexe"], "expected blocked-by-agent"),
    ("ignores-signal-codeinjection", ["A04-codeinjection"], "expected blocked-by-agent"),
    ("ignores-signal-log4j-jndi", ["A02-log4j-jndi", "A04-log4j-jndi"], "expected blocked-by-agent"),
    ("ignores-signal-nullbyte", ["A04-nullbyte"], "expected blocked-by-agent"),
    ("ignores-signal-sqli", ["A02-sqli"], "expected blocked-by-agent"),
    ("ignores-signal-traversal", ["A02-traversal", "A04-traversal"], "expected blocked-by-agent"),
    ("ignores-signal-useragent", ["A02-useragent", "A04-useragent"], "expected blocked-by-agent"),
    ("ignores-signal-xss", ["A02-xss", "A04-xss"], "expected blocked-by-agent"),
    ("ignores-signal-xxe", ["A04-xxe"], "expected blocked-by-agent"),
    ("ignores-position-cookie", ["A04-cmdexe"], "expected blocked-by-agent"),
    ("ignores-position-form", ["A04-cmdexe"], "expected blocked-by-agent"),
    ("ignores-position-graphql", ["A04-cmdexe"], "expected blocked-by-agent"),
    ("ignores-position-grpc", ["P11"], "expected blocked-by-agent"),
    ("ignores-position-header", ["P03"], "expected blocked-by-agent"),
    ("ignores-position-json", ["A04-cmdexe"], "expected blocked-by-agent"),
    ("ignores-position-path", ["A04-cmdexe"], "expected blocked-by-agent"),
    ("ignores-position-postbody", ["A04-cmdexe"], "expected blocked-by-agent"),
    ("ignores-position-querystring", ["A04-cmdexe"], "expected blocked-by-agent"),
    ("ignores-position-xml", ["A04-cmdexe"], "expected blocked-by-agent"),
    ("ignores-header-list", ["W03"], "expected blocked"),
    ("ignores-header-map", ["W03", "P03"], "expected blocked"),
    ("ignores-raw-body", ["W04", "B10"], "expected blocked"),
    ("ignores-text-body", ["W04", "B01"], "expected blocked"),
    ("dies-of-checks-without-request", ["W02"], "no-http"),
    ("wants-identifier-in-each-message", ["W11"], "expected one line in the agent's data log"),
    ("never-healthy", ["W10"], "expected serving"),
    ("credits-strangers", ["W12"], "never-reported"),
    ("repeats-request-ids", ["W08"], "request-id"),
]

# A name, the line that goes, what stands in its place, and as above.
PROXY_SETTINGS = [
    ("body inspection", r" +with_request_body:\n +max_request_bytes: 8192\n +allow_partial_message: true\n", "",
     ["B01", "B02-partial"], "expected blocked-by-agent, observed allowed"),
    ("the body's limit", r"max_request_bytes: 8192", "max_request_bytes: 1024",
     ["B02-partial"], "expected blocked-by-agent, observed allowed"),
    ("partial bodies", r"allow_partial_message: true", "allow_partial_message: false",
     ["B02-partial", "B03"], "observed rejected-by-proxy"),
    ("refusal of long bodies", r"allow_partial_message: false", "allow_partial_message: true",
     ["B02-strict"], "expected rejected-by-proxy"),
    ("bodies as bytes", r" +pack_as_bytes: true\n", "", ["B10"], "expected blocked-by-agent"),
    ("the agent's request id in the access log", r" +- x-sigsci-request-id\n", "", ["L01", "L02"], "the agent has no record"),
    ("the access-log service", r"access_loggers\.http_grpc\n[\s\S]*?(?= +- name: envoy\.access_loggers\.stdout)", None,
     ["L01"], "response-data-never-sent"),
    ("the guard of the failure mark", r" +early_header_mutation_extensions:\n( +)- name: [\s\S]*?- remove: x-envoy-auth-failure-mode-allowed\n", "",
     ["P05"], "the agent decided 200 and the proxy says that the agent could not be asked"),
    ("the failure mark", r" +failure_mode_allow_header_add: true\n", "", ["F01-open"], "expected failed-open"),
    ("fail-open", r"failure_mode_allow: true", "failure_mode_allow: false", ["F01-open", "F02-open"], "expected failed-open"),
    ("fail-closed", r"failure_mode_allow: false", "failure_mode_allow: true\n                      failure_mode_allow_header_add: true",
     ["F01-closed"], "expected failed-closed, observed failed-open"),
    ("normal paths", r" +normalize_path: true\n", "", ["F13"], "expected blocked-by-agent"),
    ("the upgrade to WebSocket", r" +upgrade_configs:\n +- upgrade_type: websocket\n", "", ["B12"], "lets-websockets-through"),
]


def edited_configs(folder: pathlib.Path, pattern: str, replacement: str | None) -> int:
    """Copies the proxy's configurations with one setting taken away, and returns in how many it stood."""
    changed = 0
    for source in sorted((ROOT / "envoy-configs").glob("*.yaml")):
        text = source.read_text()
        if replacement is None:
            # The logger goes with the list item that begins it.
            edited = re.sub(r" +- name: envoy\." + pattern, "", text)
        else:
            edited = re.sub(pattern, replacement, text)
        changed += edited != text
        (folder / source.name).write_text(edited)
    return changed


def run(binary: pathlib.Path, scenarios: list[str], extra: list[str]) -> tuple[int, str, dict[str, str]]:
    """Runs scenarios and returns the exit code, what was printed, and each scenario's result by id."""
    with tempfile.TemporaryDirectory() as output:
        ran = subprocess.run(
            [binary, "run", *scenarios, *extra, "--output", output], capture_output=True, text=True, cwd=ROOT, check=False
        )
        reports = list(pathlib.Path(output).glob("*/report.json"))
        report = json.loads(reports[0].read_text()) if reports else {"scenarios": []}
        results = {}
        for scenario in report["scenarios"]:
            result = scenario["result"]
            results[scenario["id"]] = result if isinstance(result, str) else next(iter(result))
        return ran.returncode, ran.stdout + ran.stderr, results


def verdict(binary: pathlib.Path, scenarios: list[str], extra: list[str], reason: str) -> str | None:
    """Returns what is wrong with how a removal was noticed; none when it is right."""
    code, printed, results = run(binary, scenarios, extra)
    unnoticed = [name for name in scenarios if results.get(name) != "failed"]
    if unnoticed:
        return ", ".join(f"{name} is {results.get(name, 'not run')}" for name in unnoticed)
    if code != 1:
        return f"exit code {code}"
    parts = re.split(r"\n(?=\S+::\S+ failed)", printed)
    blamed = [part for part in parts if "failed:" in part.split("\n", 1)[0]]
    silent = [part.split(" ", 1)[0] for part in blamed if reason not in part]
    if silent or len(blamed) != len(scenarios):
        return f"no finding says `{reason}` in {', '.join(silent) or printed[-400:]}"
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "target/release/conformance")
    parser.add_argument("only", nargs="*", help="parts of the removals' names")
    arguments = parser.parse_args()
    wanted = lambda name: not arguments.only or any(part in name for part in arguments.only)
    escaped = 0

    def tell(name: str, scenarios: list[str], wrong: str | None) -> None:
        nonlocal escaped
        escaped += wrong is not None
        print(f"{'ESCAPED' if wrong else 'noticed':>8}  {name:<44} {' '.join(scenarios)}{': ' + wrong if wrong else ''}", flush=True)

    everything = sorted({name for *_, scenarios, _ in MUTANTS + PROXY_SETTINGS for name in scenarios})
    code, printed, _ = run(arguments.binary, everything, [])
    if code != 0:
        print(f"the scenarios do not pass with everything in place:\n{printed[-2000:]}")
        return 1
    for name, scenarios, reason in MUTANTS:
        if wanted(name):
            tell(name, scenarios, verdict(arguments.binary, scenarios, ["--agent-env", f"STUB_MUTANT={name}"], reason))
    for name, pattern, replacement, scenarios, reason in PROXY_SETTINGS:
        if not wanted(name):
            continue
        with tempfile.TemporaryDirectory() as folder:
            if edited_configs(pathlib.Path(folder), pattern, replacement) == 0:
                tell(name, scenarios, "the setting stands in no configuration")
                continue
            tell(name, scenarios, verdict(arguments.binary, scenarios, ["--envoy-configs", folder], reason))
    print(f"{escaped} escaped")
    return int(escaped > 0)


if __name__ == "__main__":
    sys.exit(main())
