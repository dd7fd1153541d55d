//! Wrong deployments that only a cluster can show: images that are pulled, memory that is limited, agents behind a Service, fleets.

use super::row::{PROXY, another_image, deployment, other};
use crate::self_test::matrix::{Mutant, by};
use harness_artifacts::image::ImageRole;

/// The agent's probes in the scenarios of fleets, with the comment between them.
const AGENTS_PROBES: &str = r" +startup-probe: \{ http-get: .*\n +# Older kubelets .*\n +readiness-probe: \{ http-get: .*\n";

/// The wrong deployments of this area.
pub(super) const CLUSTER: &[Mutant] = &[
    deployment(
        "image-of-no-registry",
        "the agent's image is on no node and in no registry",
        &[other(
            "scenarios/configuration",
            r"agent: \{ pull-policy: (IfNotPresent|Never) \}",
            "agent: { image: \"conformance.invalid/sigsci-agent:4.60.0\", pull-policy: $1 }",
        )],
        &[
            by("C02-version-present", "expected the agent runs, observed"),
            by(
                "C02-never-present",
                "the agent runs, observed ErrImageNeverPull",
            ),
        ],
    ),
    deployment(
        "never-pulled",
        "the pull policy is `Never` where the image has to be pulled",
        &[other(
            "scenarios/configuration",
            r#"(conformance\.invalid/sigsci-agent:[^"]*", pull-policy: )(Always|IfNotPresent)"#,
            "${1}Never",
        )],
        &[
            by("C02-latest-always", "observed ErrImageNeverPull"),
            by("C02-version-absent", "observed ErrImageNeverPull"),
        ],
    ),
    deployment(
        "pulled-where-never",
        "the pull policy is `IfNotPresent` where the registry must not be asked",
        &[other(
            "scenarios/configuration",
            r#"(conformance\.invalid/sigsci-agent:[^"]*", pull-policy: )Never"#,
            "${1}IfNotPresent",
        )],
        &[
            by(
                "C02-latest-never",
                "the kubelet says ErrImageNeverPull within",
            ),
            by(
                "C02-custom-never",
                "the kubelet says ErrImageNeverPull within",
            ),
        ],
    ),
    deployment(
        "not-pulled-where-always",
        "the pull policy is `IfNotPresent` where every start has to ask the registry",
        &[other(
            "scenarios/configuration/always-needs-the-registry.yaml",
            "pull-policy: Always",
            "pull-policy: IfNotPresent",
        )],
        &[by("C02-always-present", "the agent never starts")],
    ),
    another_image(
        "another-image-than-named",
        "the agent's image has another digest than the one that was named",
        ImageRole::Agent,
        &[by("C01", "`sigsci-agent` runs sha256:0000")],
    ),
    deployment(
        "unrestricted-where-restricted",
        "the pod has no security context where the Pod Security Standard restricted is enforced",
        &[other(
            "scenarios/configuration/is-admitted-where-pods-are-restricted.yaml",
            r"  pod-security: restricted\n",
            "",
        )],
        &[by("H05", "the cluster lets the pod in, observed")],
    ),
    deployment(
        "nothing-enforced",
        "the namespace enforces no Pod Security Standard",
        &[other(
            "scenarios/configuration/is-refused-unrestricted-where-pods-are-restricted.yaml",
            r"stack:\n +namespace-enforces: restricted\n",
            "",
        )],
        &[by(
            "H05-control",
            "the cluster refuses the pod, observed it was created",
        )],
    ),
    deployment(
        "no-context-where-restricted",
        "the pod has no security context: its root can be written to, and no system call is taken away",
        &[other(
            "scenarios/filesystem/works-in-a-restricted-context.yaml",
            r"stack:\n +pod-security: restricted\n",
            "",
        )],
        &[by("H05-context", "another user than root, no capability")],
    ),
    deployment(
        "no-memory-limit",
        "the agent's memory is not limited",
        &[other(
            "scenarios/failure",
            r"  agent: \{ memory-limit: 64Mi \}\n",
            "",
        )],
        &[
            by("F07-closed", "for want of memory"),
            by("F07-open", "for want of memory"),
        ],
    ),
    deployment(
        "any-of-two-agents",
        "the proxy's access log goes to any agent behind the Service",
        &[other(
            "scenarios/response-data/keeps-responses-with-one-of-two-agents.yaml",
            "envoy: agent-service-standby",
            "envoy: agent-service",
        )],
        &[by("L06", "agent-response-code: expected 200")],
    ),
    deployment(
        "one-of-two-agents",
        "the proxy keeps to one agent where two have to share",
        &[other(
            "scenarios/response-data/loses-responses-between-two-agents.yaml",
            r"envoy: agent-service\n",
            "envoy: agent-service-standby\n",
        )],
        &[by("L06-control", "access-log: expected")],
    ),
    deployment(
        "no-hook-of-proxy-in-a-fleet",
        "the proxies of a fleet have no preStop hook",
        &[
            other(
                "scenarios/drain",
                r#"    pre-stop-exec: \[sleep, "3"\]\n(    readiness-probe)"#,
                "$1",
            ),
            other(
                "scenarios/configuration",
                r#"    pre-stop-exec: \[sleep, "3"\]\n(    readiness-probe)"#,
                "$1",
            ),
        ],
        &[
            by("R06", "no benign request is lost"),
            by("R10-evict", "no benign request is lost"),
            by("R10-scale", "no benign request is lost"),
            by("C03", "no benign request is lost"),
        ],
    ),
    deployment(
        "guide-as-corrected",
        "the guide's fleet has the hooks that it lacks",
        &[other(
            "scenarios/drain/loses-requests-in-a-rollout-as-in-the-guide.yaml",
            r#"    pre-stop-exec: \[sleep, "30"\]\n(?s)(.*)  front-proxy:\n"#,
            "    pre-stop-exec: [sleep, \"8\"]\n$1  application: { pre-stop-exec: [sleep, \"8\"] }\n  front-proxy:\n    pre-stop-exec: [sleep, \"5\"]\n",
        )],
        &[by("R06-guide", "benign requests are lost")],
    ),
    deployment(
        "no-probes-in-a-fleet",
        "the agents of a fleet have no probes, and their rules come late",
        &[
            other("scenarios/startup", AGENTS_PROBES, ""),
            other(
                "scenarios/drain/leaks-nothing-when-a-pod-is-killed.yaml",
                AGENTS_PROBES,
                "",
            ),
            other(
                "scenarios/drain/leaks-nothing-when-a-pod-is-killed.yaml",
                r"  grace-period: 20s\n",
                "    STUB_RULES_DELAY: 10s\n  grace-period: 20s\n",
            ),
        ],
        &[
            by("S08", "denies attacks before it is ready"),
            by("R11", "no attack reaches the application"),
        ],
    ),
    deployment(
        "probes-where-none",
        "the agents of a fleet have the probe whose absence has to be seen",
        &[
            other(
                "scenarios/startup/joins-a-fleet-too-early-without-the-probe.yaml",
                r#"  agent: \{ pre-stop-exec: \[sleep, "5"\] \}"#,
                "  agent:\n    pre-stop-exec: [sleep, \"5\"]\n    startup-probe: { http-get: { path: /startup, port: 2024 }, period: 1s, failure-threshold: 30 }\n    readiness-probe: { http-get: { path: /startup, port: 2024 }, period: 1s, failure-threshold: 3 }",
            ),
            other(
                "scenarios/startup/joins-a-fleet-too-early-without-the-probe.yaml",
                r"    STUB_RULES_DELAY: 10s\n",
                "    STUB_RULES_DELAY: 10s\n    SIGSCI_STARTUP_PROBE_LISTENER: 0.0.0.0:2024\n",
            ),
        ],
        &[by("S08-without-probe", "attacks reach the application")],
    ),
    deployment(
        "fleet-open-where-closed",
        "the proxies of a fleet let everything pass while their agent is away",
        &[other(
            PROXY,
            r"failure_mode_allow: false",
            "failure_mode_allow: true\n                      failure_mode_allow_header_add: true",
        )],
        &[by("R07-closed", "no attack reaches the application")],
    ),
    deployment(
        "fleet-closed-where-open",
        "the proxies of a fleet let nothing pass while their agent is away",
        &[other(
            PROXY,
            r"failure_mode_allow: true",
            "failure_mode_allow: false",
        )],
        &[by("R07-open", "attacks reach the application")],
    ),
    deployment(
        "upgrade-without-effect",
        "the upgraded agents have the settings of the old ones",
        &[other(
            "scenarios/drain/decides-as-either-agent-in-an-upgrade.yaml",
            r#"STUB_BLOCK_CODE: "403""#,
            "STUB_BLOCK_CODE: \"406\"",
        )],
        &[by("R13", "attacks are denied with 403")],
    ),
];
