//! The wrong deployments: what a platform engineer gets wrong in the proxy's configuration, the manifest or the pod's settings.

use super::matrix::{Edit, Kill, Mutant, Wrong, by};

/// Names a deployment, what is wrong with it, and the scenarios that must fail for it.
const fn deployment(
    name: &'static str,
    fault: &'static str,
    edits: &'static [Edit],
    kills: &'static [Kill],
) -> Mutant {
    Mutant {
        name,
        wrong: Wrong::Deployment { fault, edits },
        kills,
    }
}

/// Something else in a folder or file of the project.
const fn other(place: &'static str, pattern: &'static str, replacement: &'static str) -> Edit {
    Edit {
        place,
        pattern,
        replacement,
    }
}

/// The proxy's configurations.
const PROXY: &str = "envoy-configs";
/// The manifest that all but one scenario deploy.
const MANIFEST: &str = "fixtures/kubernetes/corrected.yaml";

/// The wrong deployments.
pub(super) const DEPLOYMENTS: &[Mutant] = &[
    deployment(
        "no-body-inspection",
        "`with_request_body` is missing",
        &[other(
            PROXY,
            r" +with_request_body:\n +max_request_bytes: 8192\n +allow_partial_message: true\n",
            "",
        )],
        &[
            by("B01", "expected blocked-by-agent, observed allowed"),
            by("B02-partial", "expected blocked-by-agent, observed allowed"),
        ],
    ),
    deployment(
        "short-body-window",
        "`max_request_bytes` is 1024",
        &[other(
            PROXY,
            r"max_request_bytes: 8192",
            "max_request_bytes: 1024",
        )],
        &[by(
            "B02-partial",
            "expected blocked-by-agent, observed allowed",
        )],
    ),
    deployment(
        "no-partial-bodies",
        "`allow_partial_message` is false",
        &[other(
            PROXY,
            r"allow_partial_message: true",
            "allow_partial_message: false",
        )],
        &[
            by("B02-partial", "observed rejected-by-proxy"),
            by("B03", "observed rejected-by-proxy"),
        ],
    ),
    deployment(
        "partial-where-strict",
        "`allow_partial_message` is true where it has to be false",
        &[other(
            PROXY,
            r"allow_partial_message: false",
            "allow_partial_message: true",
        )],
        &[by("B02-strict", "expected rejected-by-proxy")],
    ),
    deployment(
        "bodies-as-text",
        "`pack_as_bytes` is missing",
        &[other(PROXY, r" +pack_as_bytes: true\n", "")],
        &[by("B10", "expected blocked-by-agent")],
    ),
    deployment(
        "no-request-id-in-access-log",
        "the access log does not carry `x-sigsci-request-id`",
        &[other(PROXY, r" +- x-sigsci-request-id\n", "")],
        &[
            by("L01", "the agent has no record"),
            by("L02", "the agent has no record"),
        ],
    ),
    deployment(
        "no-access-log-service",
        "there is no gRPC access log",
        &[other(
            PROXY,
            r" +- name: envoy\.access_loggers\.http_grpc\n(?s:.*?)( +- name: envoy\.access_loggers\.stdout)",
            "$1",
        )],
        &[by("L01", "response-data-never-sent")],
    ),
    deployment(
        "no-guard-of-failure-mark",
        "a client's own failure mark is not removed",
        &[other(
            PROXY,
            r" +early_header_mutation_extensions:\n( +)- name: (?s:.*?)- remove: x-envoy-auth-failure-mode-allowed\n",
            "",
        )],
        &[by(
            "P05",
            "the agent decided 200 and the proxy says that the agent could not be asked",
        )],
    ),
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
            by("F04-open", "failed-open"),
            by("F05-above", "expected failed-open"),
            by("F06-open", "failed-open"),
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
            by("F02-closed", "failed-closed"),
            by("F03-closed", "expected failed-closed, observed failed-open"),
            by("F04-closed", "failed-closed"),
            by("F06-closed", "failed-closed"),
            by("F11-closed", "expected failed-closed, observed failed-open"),
        ],
    ),
    deployment(
        "no-normal-paths",
        "`normalize_path` is missing",
        &[other(PROXY, r" +normalize_path: true\n", "")],
        &[by("F13", "expected blocked-by-agent")],
    ),
    deployment(
        "no-websockets",
        "the upgrade to WebSocket is not configured",
        &[other(
            PROXY,
            r" +upgrade_configs:\n +- upgrade_type: websocket\n",
            "",
        )],
        &[by(
            "B12",
            "benign: outcome: expected allowed, observed rejected-by-proxy",
        )],
    ),
    deployment(
        "no-filter",
        "the proxy has no `ext_authz` filter",
        &[
            other(
                PROXY,
                r" +typed_per_filter_config:\n +envoy\.filters\.http\.ext_authz:\n +.*ExtAuthzPerRoute\n +disabled: true\n",
                "",
            ),
            other(
                PROXY,
                r" +- name: envoy\.filters\.http\.ext_authz\n(?s:.*?)( +- name: envoy\.filters\.http\.)",
                "$1",
            ),
        ],
        &[
            by(
                "A02-sqli",
                "expected blocked-by-agent, observed not-inspected",
            ),
            by("A01", "expected allowed, observed not-inspected"),
        ],
    ),
    deployment(
        "agent-behind-authentication",
        "the filter of the authentication stands before the agent's",
        &[other(
            "scenarios/configuration/authenticates-after-the-agent.yaml",
            "agent-before-authentication",
            "agent-behind-authentication",
        )],
        &[by(
            "C09-agent-first",
            "attack-not-let-in: outcome: expected blocked-by-agent",
        )],
    ),
    deployment(
        "no-decision-in-access-log",
        "the access log does not carry `x-sigsci-waf-response`",
        &[other(PROXY, r" +- x-sigsci-waf-response\n", "")],
        &[by("L01", "x-sigsci-waf-response")],
    ),
    deployment(
        "wrong-agent-port",
        "the proxy asks at another port than the one that the agent listens on",
        &[other(PROXY, r"port_value: 9999", "port_value: 9998")],
        &[by("A02-sqli", "observed failed-closed")],
    ),
    deployment(
        "route-not-inspected",
        "the route to the application has the filter disabled",
        &[other(
            "envoy-configs/fail-closed.yaml",
            r#"(- match: \{ prefix: "/" \}\n)( +)(route: .*\n)"#,
            "$1$2$3${2}typed_per_filter_config:\n$2  envoy.filters.http.ext_authz:\n$2    \"@type\": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute\n$2    disabled: true\n",
        )],
        &[by(
            "A02-sqli",
            "expected blocked-by-agent, observed not-inspected",
        )],
    ),
    deployment(
        "no-volume",
        "the agent does not mount the volume that it writes to",
        &[other(
            MANIFEST,
            r" +volumeMounts:\n +- name: sigsci-tmp\n +mountPath: /sigsci/tmp\n",
            "",
        )],
        &[by("H01", "no volume mount on a read-only root")],
    ),
    deployment(
        "volume-elsewhere",
        "the volume is mounted beside the folder that the agent writes to",
        &[other(
            MANIFEST,
            "mountPath: /sigsci/tmp",
            "mountPath: /sigsci/temporary",
        )],
        &[by("H01", "/sigsci/tmp")],
    ),
    deployment(
        "writable-root",
        "the agent's root file system can be written",
        &[other(
            MANIFEST,
            "readOnlyRootFilesystem: true",
            "readOnlyRootFilesystem: false",
        )],
        &[by("H01", "read-only")],
    ),
    deployment(
        "nobody-expects-response-data",
        "`SIGSCI_ENVOY_EXPECT_RESPONSE_DATA` is 0",
        &[other(
            MANIFEST,
            r#"(RESPONSE_DATA\n +value: )"1""#,
            "$1\"0\"",
        )],
        &[by("L01", "response-data-not-expected")],
    ),
    deployment(
        "probe-on-wrong-port",
        "the startup probe asks at a port where nobody listens",
        &[other(
            "scenarios/startup/startup-probe-tells-the-truth.yaml",
            r"port: 2024, *\}|port: 2024 \}",
            "port: 2025 }",
        )],
        &[by(
            "S01",
            "start: expected the agent starts and goes on running",
        )],
    ),
    deployment(
        "no-startup-probe",
        "there is no startup probe",
        &[other(
            "scenarios/startup/no-inspection-gap-behind-the-probe.yaml",
            r"  agent:\n +startup-probe: .*\n",
            "",
        )],
        &[by(
            "S03",
            "expected no attack reaches the application before the rules apply",
        )],
    ),
    deployment(
        "grace-too-short",
        "the grace period is shorter than the hooks",
        &[other(
            "scenarios/drain/grace-period-covers-pre-stop.yaml",
            "grace-period: 10s",
            "grace-period: 2s",
        )],
        &[by("R02-covered", "ends before TERM")],
    ),
    deployment(
        "no-hook-of-agent",
        "the agent has no preStop hook",
        &[other(
            "scenarios/drain/inspects-during-pre-stop.yaml",
            r"  agent:\n +pre-stop-exec: .*\n",
            "",
        )],
        &[by("R01-both", "ends before TERM")],
    ),
    deployment(
        "hook-of-agent-too-short",
        "the agent's preStop hook is shorter than the proxy's",
        &[other(
            "scenarios/drain/inspects-during-pre-stop.yaml",
            r#"(  agent:\n +pre-stop-exec: \[sleep, )"4""#,
            "$1\"0.2\"",
        )],
        &[by("R01-both", "outlive")],
    ),
    deployment(
        "application-unreachable",
        "the proxy forwards to a port where no application listens",
        &[other(PROXY, r"port_value: 8080", "port_value: 8081")],
        &[
            by("A03", "observed rejected-by-proxy"),
            by("P06", "expected allowed"),
        ],
    ),
    deployment(
        "one-hop-where-none",
        "the agent trusts a proxy in front where there is none",
        &[other(
            "scenarios/protocol/takes-the-client-address-behind-no-proxy.yaml",
            r#"STUB_TRUSTED_HOPS: "1""#,
            "STUB_TRUSTED_HOPS: \"2\"",
        )],
        &[by("P10-no-proxy", "agent-client-address")],
    ),
    deployment(
        "no-hop-where-one",
        "the agent trusts no proxy in front where there is one",
        &[other(
            "scenarios/protocol/takes-the-client-address-behind-one-proxy.yaml",
            r#"STUB_TRUSTED_HOPS: "2""#,
            "STUB_TRUSTED_HOPS: \"1\"",
        )],
        &[by("P10-one-proxy", "agent-client-address")],
    ),
    deployment(
        "one-hop-where-two",
        "the agent trusts one proxy in front where there are two",
        &[other(
            "scenarios/protocol/takes-the-client-address-behind-two-proxies.yaml",
            r#"STUB_TRUSTED_HOPS: "3""#,
            "STUB_TRUSTED_HOPS: \"2\"",
        )],
        &[by("P10-two-proxies", "agent-client-address")],
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
        "writable-proxy",
        "the proxy's root file system can be written",
        &[other(
            "scenarios/filesystem/proxy-works-on-a-read-only-root.yaml",
            "read-only-root: true",
            "read-only-root: false",
        )],
        &[by("H06", "read-only-root: expected")],
    ),
    deployment(
        "agent-open-to-other-pods",
        "the agent listens on every address",
        &[other(MANIFEST, "localhost:9999", "0.0.0.0:9999")],
        &[by(
            "H08",
            "port 9999 takes no connection from outside the pod",
        )],
    ),
    deployment(
        "plain-where-tls",
        "the agent serves TLS and the proxy speaks plain text",
        &[other(
            "scenarios/configuration/speaks-tls-to-the-agent.yaml",
            r"envoy: tls\n",
            "envoy: fail-closed\n",
        )],
        &[by("C06-tls", "expected")],
    ),
];
