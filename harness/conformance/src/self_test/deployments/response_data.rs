//! Wrong deployments: what the agent learns of responses.

use super::row::{MANIFEST, PROXY, deployment, other};
use crate::self_test::matrix::{Mutant, by};

/// The wrong deployments of this area.
pub(super) const RESPONSE_DATA: &[Mutant] = &[
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
        "no-decision-in-access-log",
        "the access log does not carry `x-sigsci-waf-response`",
        &[other(PROXY, r" +- x-sigsci-waf-response\n", "")],
        &[by("L01", "x-sigsci-waf-response")],
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
        "access-log-held-back",
        "`buffer_flush_interval` is longer than a pod lives",
        &[other(
            PROXY,
            r"buffer_flush_interval: 0\.1s",
            "buffer_flush_interval: 60s\n                        buffer_size_bytes: 1048576",
        )],
        &[
            by(
                "R08",
                "each answered request has its response data at the agent",
            ),
            by("L01", "the agent has no record"),
        ],
    ),
    deployment(
        "access-log-sent-soon",
        "the proxy does not hold the access log back",
        &[other(
            "envoy-configs/access-log-held-back.yaml",
            "buffer_flush_interval: 60s",
            "buffer_flush_interval: 0.1s",
        )],
        &[by(
            "R08-held-back",
            "the response data of every answered request is lost at the proxy's end",
        )],
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
];
