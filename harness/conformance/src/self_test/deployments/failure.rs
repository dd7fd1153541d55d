//! Wrong deployments: what happens when the agent is not there, and how the proxy refuses.

use super::row::{PROXY, deployment, other};
use crate::self_test::matrix::{Mutant, by};

/// The wrong deployments of this area.
pub(super) const FAILURE: &[Mutant] = &[
    deployment(
        "no-failure-mark",
        "`failure_mode_allow_header_add` is missing",
        &[other(PROXY, r" +failure_mode_allow_header_add: true\n", "")],
        &[by("F01-open", "expected failed-open")],
    ),
    deployment(
        "closed-where-open",
        "`failure_mode_allow` is false where it has to be true",
        &[other(
            PROXY,
            r"failure_mode_allow: true",
            "failure_mode_allow: false",
        )],
        &[
            by("F01-open", "expected failed-open"),
            by("F02-open", "expected failed-open"),
            by("F03-open", "expected failed-open"),
            by("F04-open", "observed failed-closed"),
            by("F05-above", "expected failed-open"),
            by("F06-open", "observed failed-closed"),
            by("F11-open", "expected failed-open"),
        ],
    ),
    deployment(
        "open-where-closed",
        "`failure_mode_allow` is true where it has to be false",
        &[other(
            PROXY,
            r"failure_mode_allow: false",
            "failure_mode_allow: true\n                      failure_mode_allow_header_add: true",
        )],
        &[
            by("F01-closed", "expected failed-closed, observed failed-open"),
            by("F02-closed", "observed failed-open"),
            by("F03-closed", "expected failed-closed, observed failed-open"),
            by("F04-closed", "observed failed-open"),
            by("F06-closed", "observed failed-open"),
            by("F11-closed", "expected failed-closed, observed failed-open"),
            by(
                "C06-unix-socket-absent",
                "attack: outcome: expected failed-closed, observed failed-open",
            ),
            by(
                "C06-stranger",
                "attack: outcome: expected failed-closed, observed failed-open",
            ),
            by(
                "R03-exec",
                "attack-stream: leaked-attack: expected failed-closed, observed failed-open",
            ),
        ],
    ),
    deployment(
        "wrong-agent-port",
        "the proxy asks at another port than the one that the agent listens on",
        &[other(PROXY, r"port_value: 9999", "port_value: 9998")],
        &[
            by("A02-sqli", "observed failed-closed"),
            by(
                "P04",
                "latin-1-header: outcome: expected allowed, observed failed-open",
            ),
        ],
    ),
    deployment(
        "plain-where-tls",
        "the agent serves TLS and the proxy speaks plain text",
        &[other(
            "scenarios/configuration/speaks-tls-to-the-agent.yaml",
            r"envoy: tls\n",
            "envoy: fail-closed\n",
        )],
        &[by("C06-tls", "observed failed-closed")],
    ),
    deployment(
        "any-certificate",
        "the proxy takes any certificate for the agent's",
        &[other(
            PROXY,
            r"common_tls_context:\n +validation_context:\n(?: {14,}.*\n)+",
            "common_tls_context: {}\n",
        )],
        &[by(
            "C06-stranger",
            "attack: outcome: expected failed-closed, observed blocked-by-agent",
        )],
    ),
    deployment(
        "socket-shared",
        "the proxy mounts the volume of the socket that it is not to reach",
        &[other(
            "scenarios/failure/fails-closed-without-the-agents-socket.yaml",
            r"(  agent-env: .*\n)",
            "$1  front-proxy:\n    mounts: { sigsci-tmp: /sigsci/tmp }\n",
        )],
        &[by(
            "C06-unix-socket-absent",
            "attack: outcome: expected failed-closed, observed blocked-by-agent",
        )],
    ),
    deployment(
        "one-agent-connection",
        "the proxy may have one connection to the agent, and one that closes counts",
        &[other(
            PROXY,
            r"( +)(- name: sigsci-agent-grpc\n)",
            "$1$2$1  circuit_breakers: { thresholds: [{ max_connections: 1, max_pending_requests: 1 }] }\n",
        )],
        &[by(
            "F08",
            "goaway: outcome: expected allowed, observed failed-closed",
        )],
    ),
    deployment(
        "broken-changes-dropped",
        "the proxy takes the agent's own headers only and drops the others",
        &[other(
            PROXY,
            r"( +)(transport_api_version: V3\n +(?:#.*\n +)?stat_prefix: waf\n)",
            "$1$2${1}decoder_header_mutation_rules: { allow_expression: { regex: \"x-sigsci-.*\" }, disallow_all: true }\n",
        )],
        &[by(
            "F09",
            "invalid-header: outcome: expected rejected-by-proxy, observed allowed",
        )],
    ),
    deployment(
        "refusals-with-status-ok",
        "the error pages of the proxy come with 200",
        &[other(
            PROXY,
            r"( +)(use_remote_address: true\n)",
            "$1$2${1}local_reply_config:\n$1  mappers:\n$1    - filter: { status_code_filter: { comparison: { op: GE, value: { default_value: 400, runtime_key: none } } } }\n$1      status_code: 200\n",
        )],
        &[
            by(
                "P02",
                "null-in-header-value: client-status: expected 400, observed 200",
            ),
            by(
                "P08",
                "two-lengths: client-status: expected 400, observed 200",
            ),
            by(
                "P12",
                "long-header: client-status: expected 431, observed 200",
            ),
            by("F12", "no-route: client-status: expected 404, observed 200"),
            by(
                "F09",
                "invalid-header: client-status: expected 503, observed 200",
            ),
            by("F01-closed", "client-status: expected 403, observed 200"),
            by(
                "B02-strict",
                "over-8193: client-status: expected 413, observed 200",
            ),
        ],
    ),
];
