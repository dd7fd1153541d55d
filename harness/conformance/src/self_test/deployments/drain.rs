//! Wrong deployments: how the pod ends.

use super::row::{deployment, other};
use crate::self_test::matrix::{Mutant, by};

/// A hook that drains the proxy, in a scenario's stack behind its grace period.
const DRAINING_AFTER: &str = r#"$1  front-proxy:
    arguments: [--drain-time-s, "1"]
    pre-stop-exec:
      - bash
      - -c
      - |
        exec 3<>/dev/tcp/127.0.0.1/9901
        printf 'POST /healthcheck/fail HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\nconnection: close\r\n\r\n' >&3
        grep -q '^HTTP/1.1 200' <&3 && sleep 1
"#;

/// What a scenario says of clients that no answer told to go.
const CLIENT_NOT_ASKED: &str = "every client is asked to leave before the proxy's TERM";
/// What a scenario says of requests that the proxy's end cut.
const CUT_BY_TERM: &str =
    "every request that was sent is answered, observed it was cut after the proxy's TERM";

/// The wrong deployments of this area.
pub(super) const DRAIN: &[Mutant] = &[
    deployment(
        "grace-too-short",
        "the grace period is shorter than the hooks",
        &[other(
            "scenarios/drain/grace-period-covers-pre-stop.yaml",
            "grace-period: 10s",
            "grace-period: 4s",
        )],
        &[by("R02-covered", "ends before TERM")],
    ),
    deployment(
        "grace-long-enough",
        "the grace period is longer than the hooks",
        &[other(
            "scenarios/drain/grace-period-used-up-by-pre-stop.yaml",
            "grace-period: 4s",
            "grace-period: 20s",
        )],
        &[by(
            "R02-used-up",
            "preStop of `sigsci-agent` uses the grace period up, observed it ends before TERM",
        )],
    ),
    deployment(
        "no-hook-of-agent",
        "the agent has no preStop hook",
        &[
            other(
                "scenarios/drain",
                r"  agent:\n +pre-stop-exec: .*\n( {0,2}[a-z])",
                "$1",
            ),
            other("scenarios/drain", r"  agent: \{ pre-stop-exec: .*\}\n", ""),
            other(
                "scenarios/response-data",
                r"  agent: \{ pre-stop-exec: .*\}\n",
                "",
            ),
        ],
        &[
            by(
                "R01-both",
                "preStop of `sigsci-agent` ends before TERM, observed it is absent",
            ),
            by(
                "R01-agent",
                "preStop of `sigsci-agent` ends before TERM, observed it is absent",
            ),
            by(
                "R02-used-up",
                "preStop of `sigsci-agent` uses the grace period up, observed it is absent",
            ),
            by(
                "R05-http1",
                "every request that was sent is inspected and answered, observed its outcome was failed-closed",
            ),
            by(
                "R08",
                "every request that was sent is inspected and answered, observed its outcome was failed-closed",
            ),
            by(
                "R09-health-check",
                "every request that was sent is inspected and answered, observed its outcome was failed-closed",
            ),
        ],
    ),
    deployment(
        "hook-of-agent-too-short",
        "the agent's preStop hook is shorter than the proxy's",
        &[other(
            "scenarios/drain/inspects-during-pre-stop.yaml",
            r#"(  agent:\n +pre-stop-exec: \[sleep, )"6""#,
            "$1\"0.2\"",
        )],
        &[by("R01-both", "outlive")],
    ),
    deployment(
        "hook-of-agent-cannot-run",
        "the agent's preStop hook names a program that its image lacks",
        &[other(
            "scenarios/drain",
            r"(  agent:\n +pre-stop-exec: \[|  agent: \{ pre-stop-exec: \[)sleep",
            "$1/bin/no-such-sleep",
        )],
        &[
            by(
                "R01-both",
                "preStop of `sigsci-agent` ends before TERM, observed it fails to run",
            ),
            by(
                "R01-agent",
                "preStop of `sigsci-agent` ends before TERM, observed it fails to run",
            ),
            by(
                "R09-none",
                "preStop of `sigsci-agent` ends before TERM, observed it fails to run",
            ),
        ],
    ),
    deployment(
        "hook-of-agent-runs",
        "the agent's preStop hook names a program that its image has",
        &[other(
            "scenarios/drain/goes-on-without-a-hook-that-cannot-run.yaml",
            "/bin/no-such-sleep",
            "sleep",
        )],
        &[by(
            "R03-exec",
            "preStop of `sigsci-agent` fails to run, observed it ends before TERM",
        )],
    ),
    deployment(
        "no-sleep-of-agent",
        "the kubelet does not sleep before the agent's TERM",
        &[other(
            "scenarios/drain/inspects-during-the-kubelets-own-sleep.yaml",
            r"  agent: \{ pre-stop-sleep: 6s \}\n",
            "",
        )],
        &[by(
            "R03-sleep",
            "preStop of `sigsci-agent` ends before TERM, observed it is absent",
        )],
    ),
    deployment(
        "hook-of-proxy-missing",
        "the proxy has no preStop hook",
        &[other(
            "scenarios/drain/finishes-slow-requests.yaml",
            r"  front-proxy:\n +pre-stop-exec: .*\n",
            "",
        )],
        &[by("R04", "slow-get: outcome: expected allowed")],
    ),
    deployment(
        "hook-of-proxy-where-none",
        "the proxy has a preStop hook, longer than the agent's",
        &[other(
            "scenarios/drain/agent-outlives-the-proxy.yaml",
            r"(  grace-period: 20s\n)",
            "$1  front-proxy: { pre-stop-exec: [sleep, \"6\"] }\n",
        )],
        &[by(
            "R01-agent",
            "expected `sigsci-agent` ends after `envoy-frontproxy`",
        )],
    ),
    deployment(
        "drain-asked-for-by-get",
        "the proxy's hook asks for the drain with GET, which Envoy refuses",
        &[
            other(
                "scenarios/drain",
                "'POST (/drain_listeners|/healthcheck)",
                "'GET $1",
            ),
            other("scenarios/response-data", "'POST (/healthcheck)", "'GET $1"),
        ],
        &[
            by("R05-http1", CLIENT_NOT_ASKED),
            by("R05-http2", CLIENT_NOT_ASKED),
            by("R08", CLIENT_NOT_ASKED),
            by("R09-drain-listeners", CLIENT_NOT_ASKED),
            by("R09-health-check", CLIENT_NOT_ASKED),
        ],
    ),
    deployment(
        "drain-not-waited-for",
        "the proxy's hook asks for the drain and ends at once",
        &[
            other("scenarios/drain", r" && sleep [0-9]\n", "\n"),
            other("scenarios/response-data", r" && sleep 1\n", "\n"),
        ],
        &[
            by("R05-http1", CUT_BY_TERM),
            by("R05-http2", CUT_BY_TERM),
            by("R08", CUT_BY_TERM),
            by("R09-drain-listeners", CUT_BY_TERM),
            by("R09-health-check", CUT_BY_TERM),
        ],
    ),
    deployment(
        "drain-time-of-the-default",
        "`--drain-time-s` is Envoy's default, ten minutes",
        &[other(
            "scenarios/drain",
            r#"\[--drain-time-s, "1"\]"#,
            r#"[--drain-time-s, "600"]"#,
        )],
        &[
            by("R05-http1", CLIENT_NOT_ASKED),
            by("R05-http2", CLIENT_NOT_ASKED),
            by("R09-drain-listeners", CLIENT_NOT_ASKED),
        ],
    ),
    deployment(
        "drains-where-not",
        "the proxy's hook drains where there was to be none, or one that sleeps",
        &[
            other(
                "scenarios/drain/cuts-kept-connections-without-a-hook.yaml",
                r"(  grace-period: 20s\n)",
                DRAINING_AFTER,
            ),
            other(
                "scenarios/drain/cuts-kept-connections-after-a-sleep.yaml",
                r"(  grace-period: 20s\n)  front-proxy: .*\n",
                DRAINING_AFTER,
            ),
        ],
        &[
            by(
                "R09-none",
                "the proxy's TERM cuts requests, observed it cut none",
            ),
            by(
                "R09-sleep",
                "the proxy's TERM cuts requests, observed it cut none",
            ),
        ],
    ),
];
