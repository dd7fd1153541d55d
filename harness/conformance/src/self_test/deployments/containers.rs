//! Wrong deployments: what a container may write, and who reaches its ports.

use super::row::{MANIFEST, PROXY, deployment, other};
use crate::self_test::matrix::{Mutant, by};

/// The wrong deployments of this area.
pub(super) const CONTAINERS: &[Mutant] = &[
    deployment(
        "no-volume",
        "the agent does not mount the volume that it writes to",
        &[other(
            MANIFEST,
            r" +volumeMounts:\n +- name: sigsci-tmp\n +mountPath: /sigsci/tmp\n",
            "",
        )],
        &[
            by("H01", "no volume mount on a read-only root"),
            by("H05-unprivileged", "no volume mount on a read-only root"),
        ],
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
        "root-where-unprivileged",
        "the pod has no security context: the agent is root and keeps its capabilities",
        &[other(
            "scenarios/filesystem/works-without-privileges.yaml",
            r"stack:\n +pod-security: unprivileged\n",
            "",
        )],
        &[by(
            "H05-unprivileged",
            "another user than root, no capability and none to gain, observed user 0",
        )],
    ),
    deployment(
        "agent-open-to-other-pods",
        "the agent listens on every address",
        &[other(MANIFEST, "localhost:9999", "0.0.0.0:9999")],
        &[
            by("H08", "port 9999 takes no connection from outside the pod"),
            by(
                "H08-probe",
                "port 9999 takes no connection from outside the pod",
            ),
        ],
    ),
    deployment(
        "agent-on-localhost-where-open",
        "the agent listens on localhost where it is to be open",
        &[other(
            "scenarios/configuration/is-open-to-others-on-every-address.yaml",
            r"0\.0\.0\.0:9999",
            "localhost:9999",
        )],
        &[by(
            "H08-control",
            "port 9999 takes connections from outside the pod, observed no connection was made",
        )],
    ),
    deployment(
        "admin-open-to-other-pods",
        "Envoy's administration listens on every address",
        &[other(
            PROXY,
            r"127\.0\.0\.1, port_value: 9901",
            "0.0.0.0, port_value: 9901",
        )],
        &[
            by("H08", "port 9901 takes no connection from outside the pod"),
            by(
                "H08-probe",
                "port 9901 takes no connection from outside the pod",
            ),
            by(
                "H08-control",
                "port 9901 takes no connection from outside the pod",
            ),
        ],
    ),
    deployment(
        "application-open-to-other-pods",
        "the application listens on every address, past proxy and agent",
        &[other(MANIFEST, "localhost:8080", "0.0.0.0:8080")],
        &[
            by("H08", "port 8080 takes no connection from outside the pod"),
            by(
                "H08-probe",
                "port 8080 takes no connection from outside the pod",
            ),
            by(
                "H08-control",
                "port 8080 takes no connection from outside the pod",
            ),
        ],
    ),
    deployment(
        "probe-listener-on-localhost",
        "the listener of the startup probe is out of the kubelet's reach",
        &[other(
            "scenarios/configuration/opens-only-its-startup-probe.yaml",
            r"0\.0\.0\.0:2024",
            "localhost:2024",
        )],
        &[by(
            "H08-probe",
            "port 2024 takes connections from outside the pod, observed no connection was made",
        )],
    ),
];
