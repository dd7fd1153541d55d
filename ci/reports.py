"""Reads what the scripts need of a `report.json`: the result of each scenario, and when the first request was judged."""

import json
from collections.abc import Mapping
from typing import Any

# What a scenario's time is spent on once its requests are judged.
AFTERWARDS = ("evidence", "ending")
# Results that say that something is wrong with the agent, the deployment or the environment.
ALARMING = frozenset({"failed", "errored"})


def result_of(scenario: Mapping[str, Any]) -> tuple[str, Any]:
    """Returns a scenario's result by name, and what the report says about it; a result without data is a bare string."""
    result = scenario["result"]
    return (result, None) if isinstance(result, str) else next(iter(result.items()))


def results(report: Mapping[str, Any]) -> dict[str, str]:
    """Returns the result of each scenario by its full name."""
    return {scenario["name"]: result_of(scenario)[0] for scenario in report["scenarios"]}


def passed_and_alarms(report: Mapping[str, Any]) -> tuple[int, dict[str, str]]:
    """Returns how many scenarios passed, and what the report says about each that failed or errored."""
    passed, alarms = 0, {}
    for scenario in report["scenarios"]:
        name, data = result_of(scenario)
        passed += name == "passed"
        if name in ALARMING:
            alarms[scenario["name"]] = f"{name}: {json.dumps(data)[:300]}"
    return passed, alarms


def described_totals(report: Mapping[str, Any]) -> str:
    """Returns the counts of the results in one line, in the order of their names."""
    return ", ".join(f"{count} {name}" for name, count in sorted(report["totals"]["results"].items()))


def first_judged_seconds(printed: Mapping[str, float], report: Mapping[str, Any]) -> float | None:
    """Returns when the first request was judged, at the latest; none when no scenario ran.

    `printed` has the moment at which each scenario's line came. The line comes after the pod was removed, so the phases after `traffic` are taken
    off. A scenario without phases was not run.
    """
    phases = {scenario["name"]: scenario["phases"] for scenario in report["scenarios"]}
    moments = [
        at - sum(phases[name].get(phase, 0) for phase in AFTERWARDS) / 1000
        for name, at in printed.items()
        if phases.get(name)
    ]
    return min(moments, default=None)


def scenario_named_in(line: str) -> str | None:
    """Returns the scenario that a line of the console names, if it names one."""
    return next((word for word in line.split() if "::" in word), None)
