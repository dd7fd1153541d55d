//! Wrong deployments: how the pod starts.

use super::row::{deployment, other};
use crate::self_test::matrix::{Mutant, by};

/// The wrong deployments of this area.
pub(super) const STARTUP: &[Mutant] = &[
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
        "probe-of-localhost",
        "the port that the startup probe asks is bound on localhost",
        &[
            other(
                "scenarios/startup/ready-with-a-grpc-probe-of-every-address.yaml",
                r"0\.0\.0\.0:9999",
                "localhost:9999",
            ),
            other(
                "scenarios/startup/a-tcp-probe-opens-before-the-rules.yaml",
                r"0\.0\.0\.0:9999",
                "localhost:9999",
            ),
        ],
        &[
            by(
                "S07-grpc",
                "a deployment without the fault `probe-out-of-reach`",
            ),
            by(
                "S07-tcp",
                "a deployment without the fault `probe-out-of-reach`",
            ),
        ],
    ),
    deployment(
        "probe-in-reach",
        "the port that the startup probe asks is bound on every address",
        &[other(
            "scenarios/startup",
            "(SIGSCI_ENVOY_GRPC_ADDRESS|SIGSCI_STARTUP_PROBE_LISTENER): localhost:",
            "$1: 0.0.0.0:",
        )],
        &[
            by(
                "S07-grpc-localhost",
                "the pod is never ready and serves nothing, observed it was ready",
            ),
            by(
                "S07-http-localhost",
                "the pod is never ready and serves nothing, observed it was ready",
            ),
            by(
                "S07-tcp-localhost",
                "the pod is never ready and serves nothing, observed it was ready",
            ),
        ],
    ),
    deployment(
        "probe-of-its-own",
        "the startup probe asks the agent's own listener and not whether a port is open",
        &[
            other(
                "scenarios/startup/a-tcp-probe-opens-before-the-rules.yaml",
                r"tcp-socket: \{ port: 9999 \}, period: 1s, failure-threshold: 5",
                "http-get: { path: /startup, port: 2024 }, period: 1s, failure-threshold: 20",
            ),
            other(
                "scenarios/startup/a-tcp-probe-opens-before-the-rules.yaml",
                r"( +)(SIGSCI_ENVOY_GRPC_ADDRESS: 0\.0\.0\.0:9999\n)",
                "$1$2${1}SIGSCI_STARTUP_PROBE_LISTENER: 0.0.0.0:2024\n",
            ),
        ],
        &[by(
            "S07-tcp",
            "attacks reach the application before the rules apply, observed none did",
        )],
    ),
    deployment(
        "agent-among-the-containers",
        "the agent is one of the containers and not a native sidecar",
        &[
            other(
                "scenarios/startup/inspects-from-the-start-as-a-native-sidecar.yaml",
                " +agent-place: native-sidecar\n",
                "",
            ),
            other(
                "scenarios/drain/native-sidecar-outlives-the-proxy.yaml",
                " +agent-place: native-sidecar\n",
                "",
            ),
        ],
        &[
            by(
                "S06-native-sidecar",
                "attack-from-the-start: inspection-gap: expected no attack reaches the application before the rules apply",
            ),
            by("R12", "expected `sigsci-agent` ends after `helloworld`"),
        ],
    ),
];
